"""Findings for people and machines: text, JSON, JUnit XML and one self-contained HTML page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import groupby
from typing import Any
from xml.etree import ElementTree

from harness.cpm.profiles import Profile
from harness.verify.engine import Verifier
from harness.verify.finding import Finding, Open, Party, Severity, Verdict, verdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the verifier says about one timeline. name: the capture's file name, or the test.

    notices: what a reader has to know of the capture itself, such as that it is cut short.
    """

    name: str
    profile: Profile
    findings: tuple[Finding, ...]
    open: tuple[Open, ...]
    judged: int
    notices: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, verifier: Verifier, notices: Iterable[str] = ()) -> Judgement:
        """The state of a verifier after its last judge()."""
        found = tuple(verifier.findings)
        return cls(name, verifier.profile, found, tuple(verifier.open), verifier.judged, tuple(notices))

    @property
    def verdict(self) -> Verdict:
        """fail, inconc (nothing to judge, or a rule broke) or pass."""
        return self.verdict_of(None)

    def verdict_of(self, party: Party | None) -> Verdict:
        """The same for one party alone: a finding is against the sender of its message."""
        return verdict(self.findings, party) if self.judged else Verdict.INCONC


def overall(judgements: Sequence[Judgement]) -> Verdict:
    """fail if one fails, else inconc if one is or there is none, else pass."""
    verdicts = {judgement.verdict for judgement in judgements}
    for worst in (Verdict.FAIL, Verdict.INCONC):
        if worst in verdicts:
            return worst
    return Verdict.PASS if verdicts else Verdict.INCONC


def to_text(judgements: Sequence[Judgement]) -> str:
    """A paragraph per capture; findings by message, the heaviest first. At the end, what the marks mean."""
    paragraphs = ["\n".join(_text_lines(judgement)) for judgement in judgements]
    if any(judgement.findings for judgement in judgements):
        paragraphs.append(_LEGEND)
    return "\n\n".join(paragraphs) + "\n"


def to_json(judgements: Sequence[Judgement]) -> str:
    """{"captures": [...], "findings": [...], "not_verifiable": [...], "verdict": ...}."""
    several: dict[str, Any] = {
        "captures": [
            {
                "name": judgement.name,
                "profile": judgement.profile,
                "items": judgement.judged,
                "verdict": judgement.verdict,
                "parties": {party.value: judgement.verdict_of(party) for party in _JUDGED},
                "notices": list(judgement.notices),
            }
            for judgement in judgements
        ],
        "findings": [
            {"capture": judgement.name, **finding.as_dict()}
            for judgement in judgements
            for finding in judgement.findings
        ],
        "not_verifiable": [
            {"capture": judgement.name, "rule": item.rule, "where": str(item.where), "why": item.why}
            for judgement in judgements
            for item in judgement.open
        ],
        "verdict": overall(judgements),
    }
    return json.dumps(several, indent=2, ensure_ascii=False) + "\n"


def to_junit(judgements: Sequence[Judgement]) -> str:
    """A suite per capture, a case per violated rule and party; only what fails a run is a failure."""
    root = ElementTree.Element("testsuites")
    for judgement in judgements:
        suite = ElementTree.SubElement(root, "testsuite", name=judgement.name)
        cases = _cases(judgement.findings)
        for (party, rule), findings in cases:
            _junit_case(suite, party, rule, findings)
        if not cases:
            case = ElementTree.SubElement(suite, "testcase", classname="rcslab", name="all rules")
            if judgement.verdict is not Verdict.PASS:
                ElementTree.SubElement(case, "skipped", message="nothing to judge")
        if judgement.notices:
            notices = ElementTree.SubElement(suite, "system-out")
            notices.text = _printable("\n".join(judgement.notices))
        suite.set("tests", str(len(cases) or 1))
        suite.set("failures", str(sum(any(item.fails for item in found) for _, found in cases)))
        suite.set("errors", str(sum(party is Party.LAB for (party, _), _ in cases)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def to_html(judgements: Sequence[Judgement]) -> str:
    """One page without anything remote."""
    body = "".join(_html_section(judgement) for judgement in judgements)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>rcslab verify</title>'
        f"<style>{_STYLE}</style><h1>rcslab verify: {overall(judgements)}</h1>{body}</html>\n"
    )


_JUDGED = (Party.HANDSET, Party.NETWORK)
_LEGEND = """\
Each finding: the rule and what it asks for, where, what was expected and what came, the source of the rule.
FAIL fails a run: a MUST that was read in its text and that the messages decide. All else warns.
[T] the clause was read, [I] seen in implementations, [M] from memory, [S] seen in a field trace,
[P] a comparison only a lab can make. rcslab rules ID tells more."""

FORMATS: dict[str, Callable[[Sequence[Judgement]], str]] = {
    "text": to_text,
    "json": to_json,
    "junit": to_junit,
    "html": to_html,
}


def clock(time: float) -> str:
    """UTC with milliseconds, e.g. 2015-02-17 06:54:27.412."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def place(finding: Finding) -> str:
    """Header and octet: "Contact at octet 747"."""
    where = finding.where
    header = where.header or "message"
    return header if where.octet is None else f"{header} at octet {where.octet}"


def summary(judgement: Judgement) -> str:
    """ "pager.pcapng: pass, profile rcs51, 9 items, 12 findings (1 MUST, 3 SHOULD, 8 INFO), 0 fail"."""
    counts = [
        f"{count} {severity}"
        for severity in Severity
        if (count := sum(finding.severity is severity for finding in judgement.findings))
    ]
    inside = f" ({', '.join(counts)})" if counts else ""
    failing = sum(finding.fails for finding in judgement.findings)
    return (
        f"{judgement.name}: {judgement.verdict}, profile {judgement.profile}, {judgement.judged} items, "
        f"{len(judgement.findings)} findings{inside}, {failing} fail"
    )


def by_party(judgement: Judgement) -> str:
    """ "handset: pass; network: fail by imdn.xml.datetime-present": whom the verdict is about."""
    said = []
    for party in _JUDGED:
        rules = {item.rule: None for item in judgement.findings if item.fails and item.party is party}
        cause = f" by {', '.join(rules)}" if rules else ""
        said.append(f"{party}: {judgement.verdict_of(party)}{cause}")
    return "; ".join(said)


def _by_message(findings: Sequence[Finding]) -> list[tuple[Finding, list[Finding]]]:
    """Findings of each message, heaviest first, messages in order."""
    ordered = sorted(
        findings, key=lambda item: (item.where.entry, -item.fails, -item.severity.rank, item.rule)
    )
    groups = [
        list(group) for _, group in groupby(ordered, key=lambda item: (item.where.entry, item.where.label))
    ]
    return [(group[0], group) for group in groups]


def _text_lines(judgement: Judgement) -> list[str]:
    lines = [summary(judgement), by_party(judgement), *(f"notice: {notice}" for notice in judgement.notices)]
    for first, findings in _by_message(judgement.findings):
        where = first.where
        way = f"{where.source} -> {where.destination}" if where.source else where.layer
        lines += ["", f"{where.label}  {clock(where.time)}  {first.party} -> {first.party.other}  {way}"]
        for finding in findings:
            mark = "FAIL" if finding.fails else "    "
            lines.append(f"  {mark} {finding.severity:<6} {finding.rule}: {finding.message}")
            lines.append(f"       {place(finding)}: expected {finding.expected}; got {finding.actual}")
            if finding.clause:
                lines.append(f"       {finding.clause} [{finding.confidence}]")
    if judgement.open:
        lines += ["", "not verifiable:"]
        lines += [f"  {item.where.label}: {item.rule}: {item.why}" for item in judgement.open]
    return lines


def _cases(findings: Sequence[Finding]) -> list[tuple[tuple[Party, str], list[Finding]]]:
    def key(finding: Finding) -> tuple[Party, str]:
        return finding.party, finding.rule

    return [(name, list(group)) for name, group in groupby(sorted(findings, key=key), key=key)]


def _junit_case(suite: ElementTree.Element, party: Party, rule: str, findings: list[Finding]) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=party.value, name=rule)
    text = "\n".join(_printable(str(finding)) for finding in findings)
    if any(finding.fails for finding in findings):
        failure = ElementTree.SubElement(case, "failure", message=_printable(findings[0].message))
        failure.text = text
    elif party is Party.LAB:
        ElementTree.SubElement(case, "error", message=_printable(findings[0].message)).text = text
    else:
        ElementTree.SubElement(case, "system-out").text = text


_UNPRINTABLE = re.compile("[^\\t\\n\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def _printable(text: str) -> str:
    """Without the characters XML 1.0 cannot carry."""
    return _UNPRINTABLE.sub("?", text)


_STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2em;max-width:100em}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3em .6em;"
    "border-bottom:1px solid #ccc}th,td:nth-child(-n+4){white-space:nowrap}td:nth-child(n+5)"
    "{overflow-wrap:anywhere;min-width:8em}td:nth-child(5){min-width:15em}.fails{background:#fdd}.MUST{font-weight:bold}"
    ".INFO{color:#555}code{font-size:13px}"
)
_COLUMNS = ("message", "time", "party", "severity", "rule", "where", "expected", "got", "clause")


def _html_section(judgement: Judgement) -> str:
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    rows = "".join(_html_row(finding) for _, group in _by_message(judgement.findings) for finding in group)
    table = f"<table><tr>{head}</tr>{rows}</table>" if rows else "<p>No findings.</p>"
    undecided = "".join(
        f"<li>{_html(item.where.label)}: <code>{_html(item.rule)}</code>: {_html(item.why)}</li>"
        for item in judgement.open
    )
    tail = f"<h3>Not verifiable</h3><ul>{undecided}</ul>" if undecided else ""
    notices = "".join(f"<p><b>{_html(notice)}</b></p>" for notice in judgement.notices)
    head = f"<h2>{_html(summary(judgement))}</h2><p>{_html(by_party(judgement))}</p>"
    return f"{head}{notices}{table}{tail}"


def _html_row(finding: Finding) -> str:
    cells = (
        finding.where.label,
        clock(finding.where.time),
        finding.party.value,
        finding.severity.value,
        f"{finding.rule}: {finding.message}",
        place(finding),
        finding.expected,
        finding.actual,
        f"{finding.clause} [{finding.confidence}]",
    )
    marks = f"{finding.severity}{' fails' if finding.fails else ''}"
    return f'<tr class="{marks}">' + "".join(f"<td>{_html(cell)}</td>" for cell in cells) + "</tr>"


def _html(text: str) -> str:
    return escape(_printable(text))
