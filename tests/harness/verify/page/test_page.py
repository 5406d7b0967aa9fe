"""The page in a browser: what it shows, what one can choose in it, and that nothing gets out of its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.cpm.profiles import Profile
from harness.evidence.capture import capture_to_timeline
from harness.verify.coverage import exercises
from harness.verify.judgement import Judgement
from harness.verify.proof.flows import FLOWS
from harness.verify.report.as_html import to_html
from harness.verify.report.beside import Beside
from harness.verify.transcript import Transcript

SEED = Path(__file__).parents[3] / "corpora/seed"
PAGER, SESSION = SEED / "pager.pcapng", SEED / "session.pcapng"


@pytest.fixture(scope="module")
def seed(page, judgement):
    return page(*(judgement(capture_to_timeline(path), path.name) for path in (PAGER, SESSION)))


@pytest.fixture
def opened(browser, seed):
    browser.open(seed)
    return browser


def chosen(browser) -> dict[str, str]:
    return browser.run("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")


# -- what it shows


def test_it_draws_itself_without_trouble_and_loads_nothing(opened, seed):
    assert opened.trouble == []
    assert opened.loaded == [f"file://{seed}"]


def test_the_verdict_and_the_parties_are_at_the_top(opened):
    assert opened.texts("h1 .badge") == ["fail"]
    names = opened.texts(".party strong")
    assert "handset IMEI 35469106-056673-0, 001011234567890" in names
    assert any(name.startswith("network: Anritsu-RCS-serv/OMA1.0 at") for name in names)


def test_the_matrix_has_a_cell_for_each_rule_and_flow(opened, judgement):
    found = judgement(capture_to_timeline(PAGER))
    rules = opened.texts("#matrix tbody th")
    assert set(rules) == {each.rule for each in (*found.findings, *found.open)}
    assert opened.count("#matrix tbody .cell.f") == len({f.rule for f in found.findings if f.fails})
    assert opened.texts("#matrix thead .column") == ["text 1"]


def test_what_passed_is_shown_when_asked_for(opened):
    opened.go("rules=all")
    assert opened.count("#matrix tbody .cell.p") > 20
    assert opened.count("#matrix tbody .cell.f") > 0


def test_the_ladder_has_an_arrow_for_each_message_with_its_findings_beside_it(opened, judgement):
    found = judgement(capture_to_timeline(PAGER))
    assert opened.count("#ladder .row") == 6
    assert opened.texts("#ladder .row .said b")[:2] == ["MESSAGE", "200 OK"]
    assert opened.count("#ladder .arrow.right") == opened.count("#ladder .arrow.left") == 3
    first = [finding for finding in found.findings if finding.where.place == 1]
    chips = opened.texts("#ladder .row:first-child .chip")
    assert chips[0] in {finding.rule for finding in first if finding.fails}
    assert chips[-1] == f"and {len(first) - 6} more"


# -- what one can do


def test_a_click_on_a_message_shows_its_octets_with_those_that_are_meant_marked(opened):
    opened.click("#ladder .row")
    text = opened.run("document.querySelector('#message .octets').innerText")
    assert text.startswith("MESSAGE sip:+12345678901@example.net;user=phone SIP/2.0\n")
    marks = opened.texts("#message mark.f")
    assert "".join(marks).startswith(
        "<sip:001011234567890@[2001::1:88fe:fccf:2870:5dee]:5060>;+sip.instance="
    )
    assert "Samsung IMS 5.0" in opened.texts("#message mark.n")
    opened.click("#message [data-key=close]")
    assert opened.run("getComputedStyle(document.querySelector('#message')).display") == "none"


def test_a_click_on_a_cell_shows_the_message_and_the_finding(opened):
    opened.click("#matrix .cell.f")
    rule = opened.texts("#matrix tbody th")[0]
    assert opened.texts("#message .found.chosen b") == [rule]
    assert opened.count("#message mark.chosen") >= 1


def test_a_click_on_a_finding_shows_it(opened):
    opened.click("#findings .found.f")
    assert opened.count("#message .found.chosen") == 1 and opened.count("#findings .found.chosen") == 1


def test_another_capture_is_a_click_away(opened):
    opened.click("#captures .tab:nth-child(2)")
    assert chosen(opened) == {"capture": "1"}
    assert opened.texts("#matrix thead .column") == ["chat 1"]


@pytest.mark.parametrize(
    ("fragment", "keeps"),
    [
        ("party=0", lambda finding: finding.party == "handset"),
        ("party=1", lambda finding: finding.party == "network"),
        ("severity=fails", lambda finding: finding.fails),
        ("severity=SHOULD", lambda finding: finding.severity == "SHOULD"),
        ("service=text", lambda finding: True),
        ("service=chat", lambda finding: False),
        ("rule=imdn", lambda finding: "imdn" in finding.rule),
        ("party=1&severity=fails", lambda finding: finding.fails and finding.party == "network"),
    ],
)
def test_filters_keep_what_fits_them(opened, judgement, fragment, keeps):
    opened.go(fragment)
    kept = [finding for finding in judgement(capture_to_timeline(PAGER)).findings if keeps(finding)]
    assert opened.count("#findings .found") == len(kept)
    assert set(opened.texts("#findings .found b")) == {finding.rule for finding in kept}
    if kept and not fragment.startswith("service"):
        assert set(opened.texts("#matrix tbody th")) == {finding.rule for finding in kept}


def test_filters_are_chosen_by_their_controls_and_reset(opened):
    opened.run("""(() => { const s = document.querySelector('select[name=severity]'); s.value = 'fails';
        s.dispatchEvent(new Event('change')); })()""")
    opened.settle()
    assert chosen(opened) == {"severity": "fails"}
    assert opened.run("document.querySelector('select[name=severity]').value") == "fails"
    opened.click(".party.fail")
    assert chosen(opened)["party"] in "01"
    opened.click("[data-key=reset]")
    assert chosen(opened) == {}


def test_it_is_used_by_keyboard(opened):
    opened.run("document.querySelector('#matrix .cell').focus()")
    opened.press("ArrowDown")
    opened.press("ArrowDown")
    at = "document.activeElement.closest('tr').rowIndex"
    assert opened.run(at) == 3
    opened.press("ArrowUp")
    assert opened.run(at) == 2
    opened.press("Enter")
    assert opened.count("#message .octets") == 1
    assert opened.run(at) == 2, "the focus stays where it was"
    opened.press("Escape")
    assert opened.count("#message .octets") == 0
    opened.run("document.querySelector('#ladder .row').focus()")
    opened.press("ArrowDown")
    opened.press("Enter")
    assert chosen(opened)["message"] == "2"


def test_every_control_has_a_name_and_can_be_reached(opened):
    opened.go("message=1")
    nameless = opened.run(
        "[...document.querySelectorAll('button, select, input')].filter(e => !(e.textContent.trim() ||"
        " e.getAttribute('aria-label') || e.closest('label'))).length"
    )
    assert nameless == 0
    assert opened.run("[...document.querySelectorAll('button')].every(e => e.tabIndex === 0)")


@pytest.mark.parametrize(
    "fragment", ["flow=99", "message=77777", "party=1e9", "capture=-1", "finding=5000", "%%%"]
)
def test_a_fragment_that_names_nothing_is_no_trouble(browser, seed, fragment):
    browser.open(seed, fragment)
    assert browser.trouble == [] and browser.count("#ladder .row") == 6


def test_what_is_required_and_was_not_exercised_is_told_and_open(browser, judgement, tmp_path):
    found = judgement(capture_to_timeline(PAGER))
    beside = Beside(
        exercises=tuple(exercises(found.covered, Profile.IETF)), missing=("rule sip.x: <b>none</b>",)
    )
    path = tmp_path / "beside.html"
    path.write_text(to_html([found], beside=beside), encoding="utf-8")
    browser.open(path)
    titles = browser.texts("#beside summary")
    assert titles[-1] == "fails required coverage: MISSING" and titles[0].startswith(" coverage: ")
    assert browser.texts("#beside details[open] li") == ["rule sip.x: <b>none</b>"]


def test_a_waived_finding_says_so(browser, judgement, page):
    found = judgement(capture_to_timeline(PAGER))
    waived = [replace(each, fails=False, waived="known, <i>me</i>, 2027-01-01") for each in found.findings]
    browser.open(page(replace(found, findings=tuple(waived))))
    assert browser.texts("h1 .badge") == ["pass"] and set(browser.texts("#findings .badge")) == {"waived"}
    assert "waived: known, <i>me</i>, 2027-01-01" in browser.texts("#findings .what")


# -- what comes from a capture stays text


HOSTILE = (
    "</script><script>window.owned=1</script>",
    "<img src=x onerror=window.owned=1>",
    "<!--<script>",
    "\u2028\u2029\udcff\x00\x1b[31m",
    "javascript:window.owned=1",
    "{{7*7}}${window.owned=1}",
)


@pytest.fixture(scope="module")
def hostile(page, judgement):
    script = FLOWS["pager_mo"]()
    script.line(0, *(f'Contact: "{text}" <sip:x>' for text in HOSTILE), f"User-Agent: {HOSTILE[0]}")
    script.everywhere("From: ", f'From: "{HOSTILE[1]}" ', 0)
    return page(judgement(script.timeline(), f'odd "{HOSTILE[0]}" {HOSTILE[1]}'))


def test_nothing_of_a_capture_is_run_or_becomes_an_element(browser, hostile):
    browser.open(hostile, "message=1&rules=all")
    assert browser.run("window.owned") is None
    assert browser.count("img, iframe, object, a[href^=javascript]") == 0
    assert browser.count("script:not([type])") == 1
    assert browser.trouble == [] and browser.loaded == [f"file://{hostile}"]
    shown = browser.run("document.querySelector('#message .octets').textContent")
    assert HOSTILE[0] in shown and "\\xff" in shown and "\x1b" not in shown
    assert HOSTILE[0] in browser.run("document.querySelector('#summary').textContent")


def test_the_policy_of_the_page_stops_what_would_get_in(browser, hostile, tmp_path):
    spoilt = tmp_path / "spoilt.html"
    page = hostile.read_text(encoding="utf-8")
    added = '<script>window.owned=1</script><img src="file:///etc/hostname" onerror="window.owned=1">'
    spoilt.write_text(page.replace("<main>", f"<main>{added}"), encoding="utf-8")
    browser.open(spoilt)
    assert browser.run("window.owned") is None
    assert any("Content Security Policy" in line for line in browser.trouble)


def test_secrets_are_not_in_the_page(judgement):
    secret = "6629fae49393a05397450978507c4ef1"
    script = FLOWS["register"]()
    script.line(2, f'Proxy-Authorization: Digest username="u", response="{secret}"', "Contact: <sip:x>")
    assert secret not in to_html([judgement(script.timeline())])


# -- large captures


def many(judgement: Judgement, flows: int) -> Judgement:
    """A judgement with each flow of another so many times, and its findings in every fiftieth."""
    transcript, made, findings, exercised = Transcript(), [], [], {}
    for number in range(flows):
        for flow in judgement.flows:
            copy = replace(flow, number=number + 1, place=flow.place + number * 100)
            copy.findings = flow.findings if number % 50 == 0 else 0
            made.append(copy)
            exercised[copy] = judgement.exercised[flow]
            for row in judgement.transcript.rows.values():
                place = row.place + number * 100
                transcript.rows[place] = replace(row, place=place, flow=copy)
            for finding in judgement.findings if number % 50 == 0 else ():
                where = replace(finding.where, place=finding.where.place + number * 100)
                findings.append(replace(finding, where=where, flow=copy))
    return replace(
        judgement,
        flows=tuple(made),
        findings=tuple(findings),
        exercised=exercised,
        transcript=transcript,
    )


def test_ten_thousand_messages_open_quickly_and_those_with_findings_are_whole(browser, page, judgement):
    large = many(judgement(capture_to_timeline(PAGER)), 1700)
    assert len(large.transcript.rows) == 10_200
    path = page(large)
    browser.open(path)
    spent = browser.run("performance.getEntriesByType('navigation')[0].loadEventEnd")
    print(f"{path.stat().st_size} octets, loaded in {spent:.0f} ms")
    assert path.stat().st_size < 12 * 1024 * 1024 and spent < 5000
    assert browser.trouble == []
    assert browser.count("#matrix .column") == 34
    browser.go("message=1")
    assert browser.count("#message mark.f") > 0
    browser.go("flow=1&message=101")
    assert browser.texts("#message .notice") == ["The octets of this message are not in the page."]
    assert browser.texts("#summary .notice")[0].startswith(
        "The octets of 9,996 messages are not in this page"
    )
    browser.go("flows=all&rules=all")
    assert browser.count("#matrix .column") == 40, "the rest is on further pages"
    browser.click("[data-key='page-next page']")
    assert browser.texts("#matrix .column")[0] == "text 41"
