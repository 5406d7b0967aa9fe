"""What a rule says about a message, and what the engine makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.verify.excerpt import Excerpt
    from harness.verify.flows import UserFlow
    from harness.verify.party_names import NamedParty

INTERNAL = "internal"
"""Rule id of a finding that is a defect of this program: a rule function raised."""


class Severity(StrEnum):
    """Weight of a finding. Compare with `rank`: larger is heavier."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    INFO = "INFO"

    @property
    def rank(self) -> int:
        """3 for MUST, 2 for SHOULD, 1 for INFO."""
        return {"MUST": 3, "SHOULD": 2, "INFO": 1}[self.value]

    def at_most(self, other: Severity | None) -> Severity:
        """The lighter of the two; itself when there is no other."""
        return self if other is None or other.rank >= self.rank else other


class Party(StrEnum):
    """Whose message it is."""

    HANDSET = "handset"
    NETWORK = "network"
    UNKNOWN = "unknown"
    LAB = "lab"
    """Only for findings with the rule id `internal`."""

    @property
    def other(self) -> Party:
        """The far end of a hop between handset and network."""
        return {Party.HANDSET: Party.NETWORK, Party.NETWORK: Party.HANDSET}.get(self, Party.UNKNOWN)


class Verdict(StrEnum):
    """TTCN-3 words. infra is not here: the lab's own failure is not a matter of rules."""

    PASS = "pass"
    FAIL = "fail"
    INCONC = "inconc"


@dataclass(frozen=True, slots=True)
class Violation:
    """What a rule function yields: one way in which the item breaks the rule.

    header: canonical name of the header it is about ("Via"), or "body", "start line"; octet: place counted
    from the start of the message (None: taken from the header, when the message has it). expected and actual:
    short texts that complete "expected ..., got ...". message: one sentence in place of the rule's own title.
    severity: only for a sub-case that the catalogue reports at a lower level than the rule's. item: the
    message to blame when it is not the one the rule ran on (an older one).
    """

    expected: str
    actual: str
    header: str = ""
    octet: int | None = None
    message: str = ""
    severity: Severity | None = None
    item: Any = None


@dataclass(frozen=True, slots=True)
class Unverifiable:
    """What a rule function yields when the timeline lacks what is needed for a verdict. Never a fail."""

    why: str
    item: Any = None


IN_A_GAP = Unverifiable("what is missing may be in a gap of the capture")


@dataclass(frozen=True, slots=True)
class Applies:
    """What a rule function yields once it knows that the item concerns it, before what it checks.

    A rule that yields a violation applies as well. A run has exercised the rules that applied to something.
    """


APPLIES = Applies()
Outcome = Violation | Unverifiable | Applies
Outcomes = Iterator[Outcome]
"""What a rule function gives."""


@dataclass(frozen=True, slots=True)
class Where:
    """The place of a finding. entry: number on the timeline; time: seconds since the epoch; label: "MESSAGE
    #3"; place: the message among all SIP and MSRP messages, 0 for an event.
    """

    entry: int
    time: float
    layer: str
    label: str
    source: str = ""
    destination: str = ""
    header: str = ""
    octet: int | None = None
    place: int = 0

    def __str__(self) -> str:
        parts = [self.label]
        if self.header:
            parts.append(self.header)
        if self.octet is not None:
            parts.append(f"octet {self.octet}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation of a rule by one message, judged under a profile.

    severity: the rule's under that profile, or the lower one of the sub-case. fails: it fails a run by
    itself. confidence: how well the clause is known (see the catalogue). waived: why it fails nothing though
    it would, who answers for that and until when (waivers.py).
    """

    rule: str
    severity: Severity
    confidence: str
    party: Party
    message: str
    where: Where
    expected: str
    actual: str
    clause: str
    fails: bool = False
    waived: str = ""
    whose: NamedParty | None = field(default=None, compare=False)
    """The handset or network element it is against, by name."""
    flow: UserFlow | None = field(default=None, compare=False)
    excerpt: Excerpt | None = field(default=None, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        plain = {name: getattr(self, name) for name in _PLAIN_VALUES}
        return plain | {
            "where": asdict(self.where),
            "whose": self.whose.name if self.whose else None,
            "flow": self.flow.name if self.flow else None,
            "excerpt": asdict(self.excerpt) if self.excerpt else None,
        }

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.rule} ({self.severity}, {self.party}): {self.message.rstrip('.')}: "
            f"expected {self.expected}, got {self.actual} [{self.clause}]"
        )


_PLAIN_VALUES = (
    "rule",
    "severity",
    "confidence",
    "party",
    "message",
    "expected",
    "actual",
    "clause",
    "fails",
    "waived",
)


@dataclass(frozen=True, slots=True)
class Open:
    """A rule that could not be decided for an item, and why."""

    rule: str
    where: Where
    why: str
    whose: NamedParty | None = field(default=None, compare=False)
    flow: UserFlow | None = field(default=None, compare=False)


def verdict(findings: Iterable[Finding], party: Party | None = None) -> Verdict:
    """fail when a finding (of that party) fails a run, inconc when a rule broke down, else pass."""
    found = list(findings)
    if any(finding.fails and party in (None, finding.party) for finding in found):
        return Verdict.FAIL
    return Verdict.INCONC if any(finding.rule == INTERNAL for finding in found) else Verdict.PASS
