"""What the verifier says about one timeline: what every report is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from harness.cpm.profiles import Profile
from harness.verify.coverage import Covered
from harness.verify.engine import Verifier
from harness.verify.finding import Finding, Open, Party, Verdict, verdict
from harness.verify.flows import UserFlow
from harness.verify.party_names import NamedParty
from harness.verify.transcript import Transcript
from harness.verify.waivers import Waiver, waive, waiver_notices

JUDGED = (Party.HANDSET, Party.NETWORK)
"""The parties that have a verdict each."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the verifier says about one timeline. name: the capture's file name, or the test.

    notices: what a reader has to know of the capture itself, such as that it is cut short. parties, flows:
    who took part, and the user-level acts, in order; exercised: by flow, the rules that applied in it.
    transcript: the messages, for a report that shows them. covered: what it exercised. counted: messages by
    party and by flow, where this is of a part of what they said.
    """

    name: str
    profile: Profile
    findings: tuple[Finding, ...]
    open: tuple[Open, ...]
    judged: int
    notices: tuple[str, ...] = ()
    parties: tuple[NamedParty, ...] = ()
    flows: tuple[UserFlow, ...] = ()
    exercised: Mapping[UserFlow, Sequence[str]] = field(default_factory=dict)
    transcript: Transcript | None = None
    covered: Covered = field(default_factory=Covered)
    counted: Mapping[NamedParty | UserFlow, int] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, verifier: Verifier, notices: Iterable[str] = ()) -> Judgement:
        """The state of a verifier after its last judge()."""
        flows = tuple(verifier.flows.all())
        blamed = {finding.whose.final for finding in verifier.findings if finding.whose is not None}
        return cls(
            name=name,
            profile=verifier.profile,
            findings=tuple(verifier.findings),
            open=tuple(verifier.open),
            judged=verifier.judged,
            notices=tuple(notices),
            parties=tuple(party for party in verifier.names.all() if party.judged or party in blamed),
            flows=flows,
            exercised={flow: verifier.exercised_in(flow) for flow in flows},
            transcript=verifier.transcript,
            covered=Covered.by(verifier),
        )

    @classmethod
    def since(cls, name: str, verifier: Verifier, entry: int) -> Judgement:
        """The share of what came later than an entry of the timeline, as of a test on its bench.

        Needs a verifier with a transcript.
        """
        assert verifier.transcript is not None, "messages tell who took part"
        transcript = verifier.transcript.since(entry)
        findings = tuple(finding for finding in verifier.findings if finding.where.entry > entry)
        undecided = tuple(item for item in verifier.open if item.where.entry > entry)
        counted = transcript.counted()
        concerned = {*counted}
        concerned |= {finding.flow.final for finding in findings if finding.flow is not None}
        concerned |= {item.flow.final for item in undecided if item.flow is not None}
        concerned |= {finding.whose.final for finding in findings if finding.whose is not None}
        flows = tuple(flow for flow in verifier.flows.all() if flow in concerned)
        return cls(
            name=name,
            profile=verifier.profile,
            findings=findings,
            open=undecided,
            judged=len(transcript.rows),
            parties=tuple(party for party in verifier.names.all() if party in concerned),
            flows=flows,
            exercised={flow: verifier.exercised_in(flow) for flow in flows},
            transcript=transcript,
            counted=counted,
        )

    def messages_of(self, what: NamedParty | UserFlow) -> int:
        """How many messages a party sent, or a flow has."""
        if self.counted:
            return self.counted.get(what, 0)
        return what.judged if isinstance(what, NamedParty) else what.messages

    def with_waivers(self, waivers: Sequence[Waiver], today: date) -> Judgement:
        """The same, where findings that a waiver covers fail nothing."""
        said = tuple(waiver_notices(self.findings, waivers, today))
        findings = tuple(waive(self.findings, waivers, today))
        return replace(self, findings=findings, notices=(*self.notices, *said))

    @property
    def verdict(self) -> Verdict:
        """fail, inconc (nothing to judge, or a rule broke) or pass."""
        return self.verdict_of(None)

    def verdict_of(self, party: Party | None) -> Verdict:
        """The same for one party alone: a finding is against the sender of its message."""
        return verdict(self.findings, party) if self.judged else Verdict.INCONC

    def by_party(self) -> dict[NamedParty, list[Finding]]:
        """The findings against each handset and network element that took part."""
        found: dict[NamedParty, list[Finding]] = {party: [] for party in self.parties}
        for finding in self.findings:
            if finding.whose is not None:
                found.setdefault(finding.whose.final, []).append(finding)
        return found

    def verdict_of_named(self, party: NamedParty, found: Sequence[Finding]) -> Verdict:
        """The verdict on one of them by what was found against it."""
        return verdict(found) if found or self.messages_of(party) else Verdict.INCONC


def overall(judgements: Sequence[Judgement]) -> Verdict:
    """fail if one fails, else inconc if one is or there is none, else pass."""
    verdicts = {judgement.verdict for judgement in judgements}
    for worst in (Verdict.FAIL, Verdict.INCONC):
        if worst in verdicts:
            return worst
    return Verdict.PASS if verdicts else Verdict.INCONC
