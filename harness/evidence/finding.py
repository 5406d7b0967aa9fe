"""What evidence needs to know of a finding; verify/ makes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol


class Place(Protocol):
    """Where a finding is. entry: number on the timeline of the packet that completed the message."""

    @property
    def entry(self) -> int: ...


class Finding(Protocol):
    """A rule violated by one message."""

    @property
    def rule(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def party(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def where(self) -> Place: ...
    @property
    def expected(self) -> str: ...
    @property
    def actual(self) -> str: ...
    @property
    def clause(self) -> str: ...
    @property
    def fails(self) -> bool: ...
    def as_dict(self) -> dict[str, Any]: ...


def finding_text(finding: Finding) -> str:
    """One finding as a line of plain text."""
    text = f"{finding.severity} {finding.rule} ({finding.party}): {finding.message}"
    if finding.expected or finding.actual:
        text += f"; expected {finding.expected or 'nothing'}, got {finding.actual or 'nothing'}"
    return f"{text} [{finding.clause}]" if finding.clause else text


def findings_by_entry(findings: Iterable[Finding]) -> dict[int, list[Finding]]:
    """The findings of each entry that has any, by the number of the entry."""
    by_entry: dict[int, list[Finding]] = {}
    for finding in findings:
        by_entry.setdefault(finding.where.entry, []).append(finding)
    return by_entry
