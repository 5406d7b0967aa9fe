"use strict";
/* Draws the report from the data in the page. What came from a capture is put in as text, never as markup.
   All that is chosen is in the fragment of the address, so that a view can be passed on. */
(() => {
  const report = JSON.parse(document.getElementById("report").textContent);
  const GLYPHS = { f: "\u2715", w: "!", i: "?", p: "\u2713", ".": "\u00b7" };
  const WORDS = { f: "fails", w: "warns", i: "could not be decided", p: "passes", ".": "was not exercised" };
  const SEVERITIES = { fails: "fails a run", MUST: "MUST", SHOULD: "SHOULD", INFO: "INFO" };
  const COLUMNS = 40, ROWS = 300, LISTED = 200, WIDE = 8, CARDS = 12;
  const flowsRead = new Map();
  let state = {}, shown = { rows: ROWS, listed: LISTED };

  const byId = (id) => document.getElementById(id);

  function make(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "class") made.className = value;
      else if (name === "onclick") made.addEventListener("click", value);
      else if (name === "place") Object.assign(made.style, value);
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  }

  const fill = (id, ...children) => byId(id).replaceChildren(...children.filter(Boolean));
  const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const capture = () => report.captures[state.capture];
  const weight = (finding) => (finding.fails ? "f" : finding.severity === "INFO" ? "n" : "w");

  // -- what is chosen ---------------------------------------------------------------------------------------

  const NUMBERS = ["capture", "party", "flow", "message", "finding", "page"];
  const WRITTEN = ["severity", "service", "rule", "flows", "rules"];

  function readState() {
    const said = new URLSearchParams(location.hash.slice(1));
    const read = {};
    for (const name of NUMBERS) {
      const value = said.get(name);
      read[name] = value !== null && /^\d{1,9}$/.test(value) ? Number(value) : null;
    }
    for (const name of WRITTEN) read[name] = said.get(name) || "";
    if (!report.captures[read.capture]) read.capture = 0;
    const here = report.captures[read.capture];
    if (here && !here.parties[read.party]) read.party = null;
    if (here && !here.flows[read.flow]) read.flow = null;
    return read;
  }

  function choose(changes) {
    const next = { ...state, ...changes };
    const said = new URLSearchParams();
    for (const name of [...NUMBERS, ...WRITTEN]) {
      const value = next[name];
      if (value !== null && value !== "" && !(name === "capture" && value === 0)) said.set(name, value);
    }
    location.hash = said.toString();
  }

  /* What is drawn anew keeps the focus where it was. */
  function redraw() {
    const kept = document.activeElement && document.activeElement.dataset.key, before = state.message;
    draw();
    const pane = byId("message").getBoundingClientRect();
    if (state.message !== null && state.message !== before && (pane.top > innerHeight - 120 || pane.bottom < 120))
      byId("flow-and-message").scrollIntoView({ block: "start" });
    const again = kept && document.querySelector(`[data-key="${CSS.escape(kept)}"]`);
    if (again) again.focus({ preventScroll: true });
  }

  const filtered = () => state.party !== null || state.severity !== "" || state.rule !== "";

  function matches(finding) {
    const here = capture();
    if (state.party !== null && finding.party !== state.party) return false;
    if (state.severity === "fails" && !finding.fails) return false;
    if (state.severity !== "" && state.severity !== "fails" && finding.severity !== state.severity) return false;
    if (state.rule !== "" && !here.rules[finding.rule].id.includes(state.rule)) return false;
    return state.service === "" || (here.flows[finding.flow] || {}).act === state.service;
  }

  /* The flow that is shown: the chosen one, else the first that fails, else the first with a finding. */
  function currentFlow(found) {
    if (state.flow !== null) return state.flow;
    const worst = found.find((finding) => finding.fails) || found[0];
    if (worst) return worst.flow;
    const fits = capture().flows.findIndex((flow) => state.service === "" || flow.act === state.service);
    return fits < 0 ? 0 : fits;
  }

  function messagesOf(flow) {
    const id = `flow-${state.capture}-${flow}`;
    if (!flowsRead.has(id)) {
      const held = byId(id);
      flowsRead.set(id, held ? JSON.parse(held.textContent) : []);
    }
    return flowsRead.get(id);
  }

  // -- header and filters -----------------------------------------------------------------------------------

  function drawHeader() {
    const here = capture();
    const tabs = report.captures.map((each, index) =>
      make("button", { class: "tab", "data-key": `capture-${index}`, "aria-pressed": String(index === state.capture),
        onclick: () => choose({ capture: index, party: null, flow: null, message: null, finding: null, page: null }) },
        make("span", { class: `badge ${each.verdict}` }, each.verdict), " ", each.name));
    fill("captures", ...(tabs.length > 1 ? tabs : []));
    fill("summary", make("div", null, here.summary), make("div", { class: "soft" }, here.sides),
      ...here.notices.map((notice) => make("p", { class: "notice" }, notice)));
    const heavy = (party) => (party.fails ? 2 : 0) + (party.findings ? 1 : 0);
    const took = here.parties.map((party, index) => [party, index])
      .filter(([party]) => party.messages || party.findings)
      .sort((one, other) => heavy(other[0]) - heavy(one[0]) || one[1] - other[1]);
    const cards = took.filter(([, index], place) => place < CARDS || index === state.party);
    fill("parties", ...cards.map(([party, index]) => drawParty(party, index)), took.length > cards.length ?
      make("p", { class: "soft" }, `and ${took.length - cards.length} more parties; the filter has them all`) : null);
  }

  function drawParty(party, index) {
    const chosen = state.party === index;
    const known = [party.product, ...party.identities, ...party.addresses].filter(Boolean).join(" \u00b7 ");
    return make("button", { class: `party ${party.verdict}`, "data-key": `party-${index}`, "aria-pressed": String(chosen),
      title: chosen ? "Show all parties" : "Show what this one is blamed for",
      onclick: () => choose({ party: chosen ? null : index, flow: null, message: null, finding: null, page: null }) },
      make("span", { class: `badge ${party.verdict}` }, party.verdict), make("strong", null, party.name),
      make("span", { class: "soft" }, `${count(party.messages, "message")}, ${count(party.findings, "finding")}` +
        (party.fails ? `, ${party.fails} fail` : "")), make("span", { class: "soft" }, known));
  }

  function select(name, label, options) {
    const made = make("select", { name, "data-key": `filter-${name}` },
      ...options.map(([value, text]) => make("option", { value, selected: String(state[name] ?? "") === value }, text)));
    made.addEventListener("change", () =>
      choose({ [name]: made.value, flow: null, message: null, finding: null, page: null }));
    return make("label", null, label, made);
  }

  function check(name, label) {
    const made = make("input", { type: "checkbox", name, "data-key": `filter-${name}`, checked: state[name] === "all" });
    made.addEventListener("change", () => choose({ [name]: made.checked ? "all" : "", page: null }));
    return make("label", { class: "check" }, made, label);
  }

  function drawFilters() {
    const here = capture();
    const services = [...new Set(here.flows.map((flow) => flow.act))].sort();
    const search = make("input", { type: "search", name: "rule", value: state.rule, "data-key": "filter-rule",
      placeholder: "part of an id", list: "rule-ids" });
    search.addEventListener("change", () => choose({ rule: search.value.trim(), flow: null, message: null, finding: null }));
    fill("filters",
      select("party", "Party", [["", "all"], ...here.parties.map((party, index) => [String(index), party.name])]),
      select("severity", "Severity", [["", "all"], ...Object.entries(SEVERITIES)]),
      select("service", "Service", [["", "all"], ...services.map((act) => [act, act])]),
      make("label", null, "Rule", search), check("rules", "all exercised rules"), check("flows", "all flows"),
      make("button", { type: "button", class: "plain", "data-key": "reset", onclick: () => choose({ party: null, severity: "",
        service: "", rule: "", flows: "", rules: "", flow: null, message: null, finding: null, page: null }) },
        "Reset"));
  }

  // -- matrix -----------------------------------------------------------------------------------------------

  function drawMatrix(found, current) {
    const here = capture();
    const withFindings = new Set(found.map((finding) => finding.flow));
    let columns = here.flows.map((_, index) => index)
      .filter((index) => state.service === "" || here.flows[index].act === state.service);
    const all = columns.length;
    if (state.flows !== "all" && (withFindings.size || filtered()))
      columns = columns.filter((index) => withFindings.has(index));
    const pages = Math.max(Math.ceil(columns.length / COLUMNS), 1);
    const page = Math.min(state.page ?? 0, pages - 1);
    const drawn = columns.slice(page * COLUMNS, (page + 1) * COLUMNS);
    const rows = matrixRows(found, drawn);
    const title = make("div", { class: "head" }, make("h2", null, "Rules by flow"),
      make("span", { class: "soft" }, `${count(columns.length, "flow")}` +
        (columns.length < all ? ` of ${all}, those with findings` : "") + `, ${count(rows.length, "rule")}`),
      pages > 1 ? turn("page", page, pages, (to) => choose({ page: to })) : null);
    if (!drawn.length || !rows.length) {
      fill("matrix", title, make("p", { class: "soft" }, here.findings.length ?
        "Nothing fits these filters." : "No findings. \u201call exercised rules\u201d shows what passed."));
      return;
    }
    const head = make("tr", null, make("th", { scope: "col" }), ...drawn.map((index) => columnHead(index, current)),
      drawn.length <= WIDE ? make("th", { scope: "col" }) : null);
    const body = rows.map((rule) => matrixRow(rule, drawn));
    const table = make("table", { class: "grid" }, make("thead", null, head), make("tbody", null, ...body));
    table.addEventListener("keydown", moveInTable);
    const legend = ["f", "w", "i", "p", "."].map((cell) =>
      make("span", null, make("span", { class: `cell ${cell}` }, GLYPHS[cell]), WORDS[cell]));
    fill("matrix", title, make("div", { class: "scroll" }, table), make("div", { class: "legend" }, ...legend));
  }

  function matrixRows(found, drawn) {
    const here = capture();
    const wanted = new Set(found.map((finding) => finding.rule));
    if (!filtered() || state.rules === "all")
      here.rules.forEach((rule, index) => {
        if (state.rule !== "" && !rule.id.includes(state.rule)) return;
        const said = drawn.map((flow) => here.flows[flow].cells[index]);
        if (said.includes("i") || (state.rules === "all" && said.some((cell) => cell !== "."))) wanted.add(index);
      });
    const rank = (index) => {
      const said = drawn.map((flow) => here.flows[flow].cells[index]).join("");
      return ["f", "w", "i", "p", "."].findIndex((cell) => said.includes(cell));
    };
    return [...wanted].map((index) => [rank(index), here.rules[index].id, index]).sort((one, other) =>
      one[0] - other[0] || (one[1] < other[1] ? -1 : 1)).map((each) => each[2]);
  }

  function columnHead(index, current) {
    const flow = capture().flows[index];
    return make("th", { scope: "col", class: index === current ? "chosen" : null },
      make("button", { class: "column", "data-key": `column-${index}`, title: flow.name,
        onclick: () => choose({ flow: index, message: null, finding: null }) }, `${flow.act} ${flow.number}`));
  }

  function matrixRow(rule, drawn) {
    const here = capture(), { id, check: asks } = here.rules[rule];
    return make("tr", null, make("th", { scope: "row", title: asks }, make("code", null, id)),
      ...drawn.map((index) => {
        const said = here.flows[index].cells[rule];
        return make("td", null, make("button", { class: `cell ${said}`,
          "data-key": `cell-${rule}-${index}`, "aria-label": `${id} ${WORDS[said]} in ${here.flows[index].name}`,
          title: `${id} ${WORDS[said]} in ${here.flows[index].name}`, onclick: () => chooseCell(rule, index) },
          GLYPHS[said]));
      }), drawn.length <= WIDE ? make("td", { class: "asks" }, asks) : null);
  }

  function chooseCell(rule, flow) {
    const here = capture();
    const at = here.findings.findIndex((finding) => finding.rule === rule && finding.flow === flow && matches(finding));
    const finding = here.findings[at];
    choose({ flow, finding: at < 0 ? null : at, message: finding && finding.place ? finding.place : null });
  }

  function moveInTable(event) {
    const cell = event.target.closest("td, th");
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!cell || !step) return;
    const row = cell.parentElement.parentElement.parentElement.rows[cell.parentElement.rowIndex + step[0]];
    const next = row && row.cells[cell.cellIndex + step[1]];
    const button = next && next.querySelector("button");
    if (button) { button.focus(); event.preventDefault(); }
  }

  function turn(what, at, of, to) {
    const button = (step, text, label) => make("button", { class: "plain", type: "button", "aria-label": label,
      "data-key": `${what}-${label}`, disabled: at + step < 0 || at + step >= of, onclick: () => to(at + step) }, text);
    return make("span", null, button(-1, "\u2039", `previous ${what}`), ` ${at + 1} of ${of} `,
      button(1, "\u203a", `next ${what}`));
  }

  // -- ladder -----------------------------------------------------------------------------------------------

  function drawLadder(current) {
    const here = capture(), flow = here.flows[current];
    if (!flow) { fill("ladder"); return; }
    const messages = messagesOf(current);
    const findings = new Map();
    here.findings.forEach((finding, index) => {
      if (finding.flow !== current || !finding.place) return;
      if (!findings.has(finding.place)) findings.set(finding.place, []);
      findings.get(finding.place).push(index);
    });
    const lanes = lanesOf(messages);
    const rows = messages.slice(0, shown.rows).map((message) =>
      drawRow(message, lanes, findings.get(message.place) || [], messages[0]));
    const ladder = make("div", { role: "list" }, ...rows);
    ladder.addEventListener("keydown", moveInList);
    const left = messages.length - rows.length;
    fill("ladder",
      make("div", { class: "head" }, make("h2", null, flow.name),
        make("span", { class: "soft" }, count(flow.messages, "message")),
        turn("flow", current, here.flows.length, (to) => choose({ flow: to, message: null, finding: null }))),
      messages.length < flow.messages && flow.left_out ? make("p", { class: "notice" }, flow.left_out) : null,
      messages.length ? laneHead(lanes) : make("p", { class: "soft" }, "No messages of this flow are in the page."),
      ladder,
      left > 0 ? more(`show ${Math.min(left, ROWS)} of ${left} more messages`, () => { shown.rows += ROWS; redraw(); }) : null,
      ...beside(current));
  }

  /* Findings on what drivers saw, which no arrow shows. */
  function beside(current) {
    const found = capture().findings.map((finding, index) => [finding, index])
      .filter(([finding]) => finding.flow === current && !finding.place);
    return found.length ? [make("h3", null, "Beside the messages"),
      ...found.map(([finding, index]) => drawFinding(finding, index, true))] : [];
  }

  const more = (text, onclick) => make("button", { class: "plain", type: "button", onclick }, text);

  function lanesOf(messages) {
    const found = new Map();
    for (const message of messages)
      for (const index of [message.from, message.to]) found.set(index, capture().parties[index]);
    const order = { handset: 0, unknown: 1, network: 2, lab: 3 };
    const names = [...found].sort((one, other) => order[one[1].party] - order[other[1].party] || one[0] - other[0]);
    const width = 100 / Math.max(names.length, 1);
    return new Map(names.map(([index], place) => [index, (place + .5) * width]));
  }

  function laneHead(lanes) {
    const width = 100 / Math.max(lanes.size, 1);
    return make("div", { class: "lanes" }, make("span"), make("div", { class: "lane-names" },
      ...[...lanes].map(([index, x]) => make("span", { class: "lane-name", title: capture().parties[index].name,
        place: { left: `${x}%`, width: `${width - 2}%` } }, capture().parties[index].name))), make("span"));
  }

  function drawRow(message, lanes, found, first) {
    const from = lanes.get(message.from), to = lanes.get(message.to);
    const right = to >= from, low = Math.min(from, to), wide = Math.abs(to - from) || 12;
    const span = { left: `${low}%`, width: `${wide}%` };
    const kinds = found.map((index) => weight(capture().findings[index]));
    const dim = filtered() && !found.some((index) => matches(capture().findings[index]));
    const times = message.repeats ? `, sent ${message.repeats + 1} times` : "";
    const chunks = message.chunks ? `, and ${message.chunks.toLocaleString("en")} more like it` : "";
    const below = `${message.transport}, ${count(message.size, "octet")}${times}${chunks}`;
    const track = make("div", { class: "track" },
      ...[...lanes.values()].map((x) => make("span", { class: "life", place: { left: `${x}%` } })),
      make("span", { class: "said", place: span }, make("b", null, message.title), message.hint ?
        make("small", null, message.hint) : null),
      make("span", { class: `arrow ${message.kind} ${right ? "right" : "left"}`, place: span }),
      make("span", { class: "below", place: span }, below));
    const heaviest = (one, other) => "fwn".indexOf(weight(capture().findings[one])) - "fwn".indexOf(weight(capture().findings[other]));
    const chips = [...found].sort(heaviest).map((index) => drawChip(index));
    const words = kinds.includes("f") ? ", fails" : found.length ? `, ${count(found.length, "finding")}` : "";
    return make("button", { class: `row${dim ? " dim" : ""}`, role: "listitem", "data-key": `message-${message.place}`,
      "aria-pressed": String(state.message === message.place), "aria-label": `${message.title} ${message.hint}${words}`,
      title: `${message.clock}\n${message.source} \u2192 ${message.destination}`,
      onclick: () => choose({ flow: currentShown, message: state.message === message.place ? null : message.place,
        finding: null }) },
      make("span", { class: "stamp mono" }, `+${(message.time - first.time).toFixed(3)}`, make("br"), `#${message.number}`),
      track, make("span", { class: "chips" }, ...chips.slice(0, 6),
        chips.length > 6 ? make("span", { class: "chip" }, `and ${chips.length - 6} more`) : null));
  }

  function drawChip(index) {
    const finding = capture().findings[index], rule = capture().rules[finding.rule];
    return make("span", { class: `chip ${weight(finding)}${matches(finding) ? "" : " dim"}`,
      title: `${rule.id}: ${finding.message || rule.check}` }, rule.id);
  }

  function moveInList(event) {
    const step = { ArrowUp: "previousElementSibling", ArrowDown: "nextElementSibling" }[event.key];
    const row = event.target.closest(".row");
    if (!row || !step || !row[step]) return;
    row[step].focus();
    event.preventDefault();
  }

  // -- message ----------------------------------------------------------------------------------------------

  function drawMessage(current) {
    const message = state.message === null ? null : messagesOf(current).find((each) => each.place === state.message);
    byId("flow-and-message").classList.toggle("open", Boolean(message));
    if (!message) { fill("message"); return; }
    const here = capture();
    const found = here.findings.map((finding, index) => [finding, index])
      .filter(([finding]) => finding.place === message.place);
    const head = make("div", { class: "head" }, make("h2", null, `${message.title} ${message.hint}`),
      make("button", { class: "plain", type: "button", "data-key": "close",
        onclick: () => choose({ message: null, finding: null }) }, "Close"));
    const chosen = found.find(([, index]) => index === state.finding);
    fill("message", head,
      make("div", { class: "soft" }, `#${message.number}, ${message.clock}, ${message.transport}, `,
        make("span", { class: "mono" }, `${message.source} \u2192 ${message.destination}`)),
      make("div", { class: "soft" }, `${here.parties[message.from].name} \u2192 ${here.parties[message.to].name}`),
      chosen ? drawFinding(chosen[0], chosen[1], false) : null,
      message.text === null ? make("p", { class: "notice" }, "The octets of this message are not in the page.") :
        drawOctets(message, found),
      ...found.filter((each) => each !== chosen).map(([finding, index]) => drawFinding(finding, index, false)));
    const octets = byId("message").querySelector(".octets"), mark = octets && (octets.querySelector("mark.chosen") || octets.querySelector("mark"));
    if (mark) octets.scrollTop = mark.offsetTop - octets.clientHeight / 2;
  }

  /* The message with what findings mean marked; where marks lie over each other the heaviest shows. */
  function drawOctets(message, found) {
    const marks = found.filter(([finding]) => finding.mark).map(([finding, index]) =>
      ({ start: finding.mark[0], end: finding.mark[1], index, kind: weight(finding) }));
    const octets = make("pre", { class: "octets", tabindex: "0", "aria-label": "Octets of the message" });
    let at = 0;
    for (const line of message.text.split("\n")) {
      const end = at + line.length;
      const here = marks.filter((mark) => mark.start <= end && mark.end >= at && (mark.start >= at || mark.end > at));
      octets.append(make("span", { class: `line${here.length ? " hit" : ""}` }, ...pieces(line, at, here)));
      at = end + 1;
    }
    return octets;
  }

  function pieces(line, at, marks) {
    const edges = new Set([0, line.length]);
    for (const mark of marks) {
      edges.add(Math.min(Math.max(mark.start - at, 0), line.length));
      edges.add(Math.min(Math.max(mark.end - at, 0), line.length));
    }
    const places = [...edges].sort((one, other) => one - other), made = [];
    for (const mark of marks.filter((each) => each.start === each.end)) made.push([mark.start - at, marked("", [mark])]);
    for (let index = 0; index + 1 < places.length; index += 1) {
      const [low, high] = [places[index], places[index + 1]];
      const over = marks.filter((mark) => mark.start - at <= low && mark.end - at >= high);
      const text = line.slice(low, high);
      made.push([low, over.length ? marked(text, over) : text]);
    }
    return made.sort((one, other) => one[0] - other[0]).map((each) => each[1]);
  }

  function marked(text, over) {
    const kind = ["f", "w", "n"].find((each) => over.some((mark) => mark.kind === each));
    const chosen = over.some((mark) => mark.index === state.finding);
    const rules = over.map((mark) => capture().rules[capture().findings[mark.index].rule].id);
    return make("mark", { class: `${kind}${chosen ? " chosen" : ""}`, title: [...new Set(rules)].join("\n") }, text);
  }

  // -- findings ---------------------------------------------------------------------------------------------

  function drawFinding(finding, index, withPlace) {
    const here = capture(), rule = here.rules[finding.rule];
    const kind = weight(finding), flow = here.flows[finding.flow];
    const said = [withPlace ? `${finding.label}${flow ? ` in ${flow.name}` : ""}` : "", finding.where].filter(Boolean);
    const whats = finding.expected || finding.actual ? `expected ${finding.expected}; got ${finding.actual}` : "";
    return make("button", { class: `found ${kind}${state.finding === index ? " chosen" : ""}${matches(finding) ? "" : " dim"}`,
      "data-key": `finding-${withPlace ? "list" : "message"}-${index}`,
      onclick: () => choose({ flow: finding.flow, message: finding.place || null, finding: index }) },
      make("b", null, rule.id), make("span", { class: `badge ${kind === "f" ? "fail" : kind === "w" ? "warn" : ""}` },
        finding.fails ? "fails" : finding.waived ? "waived" : finding.severity),
      make("span", { class: "what" }, finding.message || rule.check),
      make("span", { class: "what" }, whats),
      finding.waived ? make("span", { class: "what" }, `waived: ${finding.waived}`) : null, make("span", { class: "clause" },
        [...said, rule.clause ? `${rule.clause} [${rule.confidence}]` : ""].filter(Boolean).join(" \u00b7 ")));
  }

  function drawFindings(found) {
    const here = capture(), groups = new Map();
    for (const finding of found.slice(0, shown.listed)) {
      if (!groups.has(finding.party)) groups.set(finding.party, []);
      groups.get(finding.party).push(finding);
    }
    const places = new Map(here.findings.map((finding, index) => [finding, index]));
    const parts = [];
    for (const [party, listed] of groups) {
      parts.push(make("h3", null, here.parties[party].name));
      parts.push(...listed.map((finding) => drawFinding(finding, places.get(finding), true)));
    }
    const left = found.length - Math.min(found.length, shown.listed);
    fill("findings", make("h2", null, `${count(found.length, "finding")}` +
      (found.length < here.findings.length ? ` of ${here.findings.length}` : "")), ...parts,
      left > 0 ? more(`show ${Math.min(left, LISTED)} of ${left} more`, () => { shown.listed += LISTED; redraw(); }) : null);
  }

  function drawUndecided() {
    const here = capture();
    if (!here.undecided.length) { fill("undecided"); return; }
    const items = here.undecided.map((item) => make("li", null, make("code", null, here.rules[item.rule].id),
      `  ${item.label}: ${item.why}`));
    fill("undecided", make("details", null, make("summary", null, `${count(items.length, "rule")} that could not be decided`),
      make("ul", null, ...items)));
  }

  /* An earlier run, what was exercised, what a plan misses. */
  function drawBeside() {
    fill("beside", ...report.beside.map((part) => make("details", { open: part.fails },
      make("summary", null, part.fails ? make("span", { class: "badge fail" }, "fails") : null, ` ${part.title}`),
      make("ul", null, ...part.lines.map((line) => make("li", null, line))))));
  }

  // -- all of it --------------------------------------------------------------------------------------------

  let currentShown = 0, drawnFor = "";

  function draw() {
    state = readState();
    const here = capture();
    if (!here) return;
    const kept = JSON.stringify([state.capture, state.flow, state.party, state.severity, state.service, state.rule]);
    if (kept !== drawnFor) shown = { rows: ROWS, listed: LISTED };
    drawnFor = kept;
    const found = here.findings.filter(matches);
    currentShown = currentFlow(found);
    drawHeader();
    drawFilters();
    drawMatrix(found, currentShown);
    drawLadder(currentShown);
    drawMessage(currentShown);
    drawFindings(found);
    drawUndecided();
    drawBeside();
    document.body.dataset.drawn = "yes";
  }

  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && state.message !== null) choose({ message: null, finding: null });
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    (document.querySelector("#matrix button") || byId("matrix")).focus();
  });
  window.addEventListener("hashchange", redraw);
  draw();
})();
