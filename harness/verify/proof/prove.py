"""The proof: every mutant is reported by its own rule, no conformant flow by any, other forms are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar

from harness.cpm.profiles import Profile
from harness.verify.catalogue import load_catalogue
from harness.verify.engine import Verifier
from harness.verify.finding import Party
from harness.verify.proof.flows import FLOWS
from harness.verify.proof.mutant import Mutant, load_mutants
from harness.verify.proof.reading import READINGS, Reading

PARTIES = (Party.HANDSET, Party.NETWORK)
Progress = Callable[[int, int], None]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class FlowResult:
    """A conformant flow under a profile: what was reported (nothing, when the rules are right)."""

    flow: str
    profile: Profile
    reported: tuple[str, ...]

    @property
    def clean(self) -> bool:
        return not self.reported


@dataclass(frozen=True, slots=True)
class MutantResult:
    """What the rules said of a mutant. beside: rules that fired with its own, also on the other party.

    error: why it could not be judged at all.
    """

    mutant: Mutant
    caught: bool
    beside: tuple[str, ...]
    error: str = ""

    @property
    def whole(self) -> bool:
        """Caught, and nothing fired beside it that was not told before."""
        return self.caught and not self.error and set(self.beside) == set(self.mutant.beside)


@dataclass(frozen=True, slots=True)
class ReadingResult:
    """What the rules said of a flow in its other form. lost: rules that applied to the flow and not to it."""

    reading: Reading
    reported: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Reported as told, and every rule still applies."""
        same = self.reading.lost is None or set(self.lost) == set(self.reading.lost)
        return same and set(self.reported) == set(self.reading.reported)


@dataclass(frozen=True, slots=True)
class Proof:
    """All results, and the rules that nothing proves."""

    flows: tuple[FlowResult, ...]
    mutants: tuple[MutantResult, ...]
    readings: tuple[ReadingResult, ...]
    unproven: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Every flow clean, every mutant and every reading as told, every rule proven."""
        told = all(each.whole for each in self.mutants) and all(each.whole for each in self.readings)
        return told and all(flow.clean for flow in self.flows) and not self.unproven

    def by_protocol(self) -> dict[str, tuple[int, int]]:
        """(mutants caught, mutants) per protocol, the first word of a rule's id."""
        made: Counter[str] = Counter(protocol_of(each.mutant.rule) for each in self.mutants)
        caught = Counter(protocol_of(each.mutant.rule) for each in self.mutants if each.caught)
        return {name: (caught[name], made[name]) for name in sorted(made)}

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "whole": self.whole,
            "flows": [
                {"flow": each.flow, "profile": each.profile.value, "reported": list(each.reported)}
                for each in self.flows
            ],
            "mutants": [
                {
                    "rule": each.mutant.rule,
                    "party": each.mutant.party.value,
                    "flow": each.mutant.flow,
                    "profile": each.mutant.profile.value,
                    "caught": each.caught,
                    "beside": list(each.beside),
                    "expected_beside": list(each.mutant.beside),
                    "why_beside": each.mutant.why,
                    "error": each.error,
                }
                for each in self.mutants
            ],
            "readings": [
                {
                    "rule": each.reading.rule,
                    "flow": each.reading.flow,
                    "whole": each.whole,
                    "reported": list(each.reported),
                    "expected": list(each.reading.reported),
                    "lost": list(each.lost),
                }
                for each in self.readings
            ],
            "protocols": {
                name: {"caught": caught, "mutants": made}
                for name, (caught, made) in self.by_protocol().items()
            },
            "unproven": list(self.unproven),
        }


def protocol_of(rule: str) -> str:
    """The first word of a rule's id: "sip", "msrp", "imdn"."""
    return rule.partition(".")[0]


def prove(
    mutants: Sequence[Mutant] | None = None,
    flows: Sequence[str] | None = None,
    readings: Sequence[Reading] | None = None,
    progress: Progress = lambda done, of: None,
) -> Proof:
    """Judge every conformant flow under every profile, every mutant and every reading, or those given.

    progress: called with how much is done, and of how much. Only a proof of all tells what is unproven.
    """
    whole = mutants is None and flows is None and readings is None
    chosen = load_mutants() if mutants is None else mutants
    names = tuple(FLOWS) if flows is None else flows
    forms = READINGS if readings is None else readings
    steps = count(1)
    of = len(names) * len(Profile) + len(chosen) + len(forms)

    def done(result: Result) -> Result:
        progress(next(steps), of)
        return result

    return Proof(
        tuple(done(judge_flow(name, profile)) for name in names for profile in Profile),
        tuple(done(judge_mutant(mutant)) for mutant in chosen),
        tuple(done(judge_reading(reading)) for reading in forms),
        unproven_rules() if whole else (),
    )


def prove_rules(chosen: Collection[str] | None, progress: Progress) -> Proof:
    """The proof of everything, or of the mutants and readings of some rules with every conformant flow."""
    if chosen is None:
        return prove(progress=progress)
    mutants = [mutant for mutant in load_mutants() if mutant.rule in chosen]
    readings = [reading for reading in READINGS if reading.rule in chosen]
    return replace(
        prove(mutants, None, readings, progress),
        unproven=tuple(rule for rule in unproven_rules() if rule in chosen),
    )


def unproven_rules() -> tuple[str, ...]:
    """Rules of the catalogue for which there is no mutant and no reading."""
    proven = {mutant.rule for mutant in load_mutants()} | {reading.rule for reading in READINGS}
    return tuple(rule for rule in load_catalogue() if rule not in proven)


def judge_flow(name: str, profile: Profile) -> FlowResult:
    """A conformant flow, and long after it, when all that has to follow is due."""
    verifier = Verifier(profile)
    found = verifier.judge(FLOWS[name]().wait(120.0).timeline())
    return FlowResult(name, profile, tuple(dict.fromkeys(finding.rule for finding in found)))


def judge_mutant(mutant: Mutant) -> MutantResult:
    """The mutant under its profile. A mutant that cannot be made is told in the result, not raised."""
    try:
        timeline = mutant.script().timeline()
    except Exception as error:  # noqa: BLE001 - one broken mutant must not lose the others' results
        return MutantResult(mutant, False, (), f"{type(error).__name__}: {error}")
    found = Verifier(mutant.profile, mutant.settings).judge(timeline)
    reported = list(dict.fromkeys((finding.rule, finding.party) for finding in found))
    own = (mutant.rule, mutant.party)
    beside = tuple(dict.fromkeys(rule for rule, party in reported if (rule, party) != own))
    return MutantResult(mutant, own in reported, beside)


def judge_reading(reading: Reading) -> ReadingResult:
    """The flow in its other form, beside the flow itself."""
    plain, other = Verifier(), Verifier()
    plain.judge(FLOWS[reading.flow]().timeline())
    found = other.judge(reading.script().timeline())
    lost = tuple(rule for rule in plain.exercised if rule not in other.exercised)
    return ReadingResult(reading, tuple(dict.fromkeys(finding.rule for finding in found)), lost)
