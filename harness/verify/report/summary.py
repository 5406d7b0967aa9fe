"""The words all reports share: a judgement in a line, verdicts by party, findings by message, places."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

from harness.verify.finding import Finding, Severity
from harness.verify.judgement import JUDGED, Judgement


def clock(time: float) -> str:
    """UTC with milliseconds, e.g. 2015-02-17 06:54:27.412."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def counted(number: int, noun: str) -> str:
    """ "1 finding", "3 findings"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


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
    items, found = counted(judgement.judged, "item"), counted(len(judgement.findings), "finding")
    return (
        f"{judgement.name}: {judgement.verdict}, profile {judgement.profile}, {items}, "
        f"{found}{inside}, {failing} fail"
    )


def by_party(judgement: Judgement) -> str:
    """ "handset: pass; network: fail by imdn.xml.datetime-present": whom the verdict is about."""
    said = []
    for party in JUDGED:
        rules = {item.rule: None for item in judgement.findings if item.fails and item.party is party}
        cause = f" by {', '.join(rules)}" if rules else ""
        said.append(f"{party}: {judgement.verdict_of(party)}{cause}")
    return "; ".join(said)


def by_message(findings: Sequence[Finding]) -> list[tuple[Finding, list[Finding]]]:
    """Findings of each message, heaviest first, messages in order."""
    ordered = sorted(
        findings, key=lambda item: (item.where.entry, -item.fails, -item.severity.rank, item.rule)
    )
    groups = [
        list(group) for _, group in groupby(ordered, key=lambda item: (item.where.entry, item.where.label))
    ]
    return [(group[0], group) for group in groups]
