"""What the verifier says about one timeline: what every report is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.cpm.profiles import Profile
from harness.verify.engine import Verifier
from harness.verify.finding import Finding, Open, Party, Verdict, verdict

JUDGED = (Party.HANDSET, Party.NETWORK)
"""The parties that have a verdict each."""


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
