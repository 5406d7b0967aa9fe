"""Findings as text for people: by party, a block for each with the line it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len

from harness.verify.excerpt import Excerpt
from harness.verify.finding import Finding, Open, Severity
from harness.verify.judgement import Judgement
from harness.verify.report.beside import NOTHING_BESIDE, Beside
from harness.verify.report.style import Style, cut_round
from harness.verify.report.summary import by_message, by_party, clock, counted, place, summary
from harness.verify.visible import visible_text

MOST_ALIKE = 3
"""Findings of one rule against one party that are spelled out; of the others the messages are named."""
_MOST_NAMED = 12
_LEGEND = """\
Each finding: the rule and what it asks for, the line of the message, what was expected and what came, the
source of the rule. FAIL fails a run: a MUST that was read in its text and that the messages decide; wvd would
but is waived. All else warns. [T] the clause was read, [I] seen in implementations, [M] from memory, [S] seen
in a field trace, [P] a comparison only a lab can make. rcslab rules ID tells more."""


def to_text(
    judgements: Sequence[Judgement], style: Style | None = None, *, beside: Beside = NOTHING_BESIDE
) -> str:
    """A part per capture; findings by party and message, the heaviest first. At the end, the marks."""
    style = style or Style()
    parts = ["\n".join(_judgement_lines(judgement, style)) for judgement in judgements]
    if any(judgement.findings for judgement in judgements):
        parts.append(style("dim", _LEGEND))
    return "\n".join(["\n\n".join(parts), *beside.lines()]) + "\n"


def _judgement_lines(judgement: Judgement, style: Style) -> Iterator[str]:
    yield style("fail" if judgement.verdict == "fail" else "title", visible_text(summary(judgement)))
    yield by_party(judgement)
    for notice in judgement.notices:
        yield f"{style('warn', 'notice:')} {visible_text(notice)}"
    yield from _overview(judgement, style)
    for name, findings in _by_whose(judgement):
        yield from ("", style("party", visible_text(name)))
        yield from _party_lines(findings, style)
    if judgement.open:
        yield from ("", style("inconc", "not verifiable:"))
        yield from (f"  {line}" for line in _open_lines(judgement.open))


def _overview(judgement: Judgement, style: Style) -> Iterator[str]:
    """Who took part, with a verdict each, and the flows that have findings."""
    for party, found in judgement.by_party().items():
        verdict = judgement.verdict_of_named(party, found)
        messages = judgement.messages_of(party)
        if messages or found:
            said = f"{counted(messages, 'message')}, {counted(len(found), 'finding')}"
            yield f"  {style(verdict, f'{verdict:6}')} {visible_text(party.name)}: {said}"
    if len(judgement.flows) > 1:
        clean = sum(not flow.findings for flow in judgement.flows)
        yield f"  {counted(len(judgement.flows), 'flow')}, {clean} of them without findings"


def _by_whose(judgement: Judgement) -> list[tuple[str, list[Finding]]]:
    """Findings by the name of who is to mend them, who fails first."""
    groups: dict[str, list[Finding]] = {}
    for finding in judgement.findings:
        groups.setdefault(finding.whose.name if finding.whose else finding.party.value, []).append(finding)
    return sorted(groups.items(), key=lambda group: -sum(finding.fails for finding in group[1]))


def _party_lines(findings: Sequence[Finding], style: Style) -> Iterator[str]:
    seen: Counter[str] = Counter()
    left: dict[str, list[Finding]] = {}
    for first, found in by_message(findings):
        shown: list[Finding] = []
        for finding in found:
            seen[finding.rule] += 1
            alike = seen[finding.rule] > MOST_ALIKE
            (left.setdefault(finding.rule, []) if alike else shown).append(finding)
        if shown:
            yield from _message_lines(first, style)
        for finding in shown:
            yield from _finding_lines(finding, style)
    if left:
        yield ""
    for rule, found in left.items():
        yield f"  and {len(found)} more of {style('rule', rule)}: {_labels(found)}"


def _labels(findings: Sequence[Finding]) -> str:
    labels = list(dict.fromkeys(finding.where.label for finding in findings))
    more = f" and {len(labels) - _MOST_NAMED} more" if len(labels) > _MOST_NAMED else ""
    return visible_text(", ".join(labels[:_MOST_NAMED]) + more)


def _message_lines(finding: Finding, style: Style) -> Iterator[str]:
    where = finding.where
    way = f"{where.source} -> {where.destination}" if where.source else where.layer
    said = (
        f"{visible_text(where.label)}  {clock(where.time)}  {finding.party} -> {finding.party.other}  {way}"
    )
    yield from ("", f"  {style('title', said)}")
    if finding.flow is not None:
        yield f"  {style('dim', f'in {visible_text(finding.flow.name)}')}"


def _finding_lines(finding: Finding, style: Style) -> Iterator[str]:
    role = "fail" if finding.fails else "info" if finding.severity is Severity.INFO else "warn"
    word = "FAIL" if finding.fails else "wvd" if finding.waived else ""
    mark = f"{word:4} {finding.severity:<6}"
    yield f"  {style(role, mark)} {style('rule', finding.rule)}: {visible_text(finding.message)}"
    if finding.excerpt is not None:
        yield from _excerpt_lines(finding.excerpt, style)
    expected, actual = visible_text(finding.expected), visible_text(finding.actual)
    yield f"       {place(finding)}: expected {expected}; got {actual}"
    if finding.clause:
        yield "       " + style("dim", f"{finding.clause} [{finding.confidence}]")
    if finding.waived:
        yield f"       waived: {visible_text(finding.waived)}"


def _excerpt_lines(excerpt: Excerpt, style: Style) -> Iterator[str]:
    """The line with its number, and a caret under what is meant; the line alone where nothing is marked."""
    gutter = f"{excerpt.line:>9} | "
    text = ("…" if excerpt.before else "") + excerpt.text + ("…" if excerpt.after else "")
    shift = 1 if excerpt.before else 0
    width = max(style.width - len(gutter), 20)
    text, start, end = cut_round(text, excerpt.start + shift, excerpt.end + shift, width)
    before, marked, after = text[:start], text[start:end], text[end:]
    yield f"{style('dim', gutter)}{before}{style('mark', marked)}{after}"
    if excerpt.octets or excerpt.octet:
        under = "^" + "~" * max(cell_len(marked) - 1, 0)
        yield style("dim", f"{'| ':>{len(gutter)}}") + " " * cell_len(before) + style("mark", under)


def _open_lines(undecided: Iterable[Open]) -> Iterator[str]:
    for item in undecided:
        yield visible_text(f"{item.where.label}: {item.rule}: {item.why}")
