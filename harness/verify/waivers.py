"""Waivers: findings that are known and borne for a while, with who answers for that and until when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from harness.verify.finding import Finding, Party


@dataclass(frozen=True, slots=True)
class Waiver:
    """Findings that do not count.

    rule: an id, or the beginning of ids that ends in a dot and a star ("msrp.*"). party: whose findings, None
    for both. text: words that the finding has to have in its message, what was expected or what came; "" for
    any. whose: words of the name of who it is against, such as an IMEI, a product or an address; "" for any.
    expires: the last day on which it holds; after it the findings count again.
    """

    rule: str
    reason: str
    owner: str
    expires: date
    party: Party | None = None
    text: str = ""
    whose: str = ""

    def covers(self, finding: Finding) -> bool:
        """Whether it is meant, expired or not."""
        whole = f"{finding.message} {finding.expected} {finding.actual}"
        return (
            covers_rule(self.rule, finding.rule)
            and self.party in (None, finding.party)
            and self.text.lower() in whole.lower()
            and self.whose.lower() in (finding.whose.name.lower() if finding.whose else "")
        )

    def holds_on(self, today: date) -> bool:
        """Whether it still counts."""
        return today <= self.expires

    def __str__(self) -> str:
        return f"{self.reason} ({self.owner}, until {self.expires})"


def covers_rule(pattern: str, rule: str) -> bool:
    """Whether a rule is meant by an id or by "sip.*"."""
    return rule.startswith(pattern[:-1]) if pattern.endswith(".*") else rule == pattern


def waive(findings: Iterable[Finding], waivers: Sequence[Waiver], today: date) -> list[Finding]:
    """The findings; those that a waiver covers fail nothing and tell by what they are waived."""
    holding = [waiver for waiver in waivers if waiver.holds_on(today)]
    return [_waived(finding, holding) for finding in findings]


def _waived(finding: Finding, holding: Sequence[Waiver]) -> Finding:
    waiver = next((each for each in holding if each.covers(finding)), None)
    return finding if waiver is None else replace(finding, fails=False, waived=str(waiver))


def waiver_notices(findings: Sequence[Finding], waivers: Sequence[Waiver], today: date) -> Iterator[str]:
    """What a reader has to know: waivers that expired and would have been needed, and those without use."""
    for waiver in waivers:
        used = any(waiver.covers(finding) for finding in findings)
        if used and not waiver.holds_on(today):
            yield f"the waiver for {waiver.rule} expired on {waiver.expires} ({waiver.owner}): findings count"
        elif not used:
            yield f"the waiver for {waiver.rule} covers no finding ({waiver.owner}, until {waiver.expires})"
