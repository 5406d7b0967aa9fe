"""Findings as text for people."""

from __future__ import annotations

from collections.abc import Sequence

from harness.verify.judgement import Judgement
from harness.verify.report.summary import by_message, by_party, clock, place, summary

_LEGEND = """\
Each finding: the rule and what it asks for, where, what was expected and what came, the source of the rule.
FAIL fails a run: a MUST that was read in its text and that the messages decide. All else warns.
[T] the clause was read, [I] seen in implementations, [M] from memory, [S] seen in a field trace,
[P] a comparison only a lab can make. rcslab rules ID tells more."""


def to_text(judgements: Sequence[Judgement]) -> str:
    """A paragraph per capture; findings by message, the heaviest first. At the end, what the marks mean."""
    paragraphs = ["\n".join(_text_lines(judgement)) for judgement in judgements]
    if any(judgement.findings for judgement in judgements):
        paragraphs.append(_LEGEND)
    return "\n\n".join(paragraphs) + "\n"


def _text_lines(judgement: Judgement) -> list[str]:
    lines = [summary(judgement), by_party(judgement), *(f"notice: {notice}" for notice in judgement.notices)]
    for first, findings in by_message(judgement.findings):
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
