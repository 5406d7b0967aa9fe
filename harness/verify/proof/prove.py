"""The proof: every mutant is reported by its own rule, no conformant flow by any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.cpm.profiles import Profile
from harness.verify.catalogue import load_catalogue
from harness.verify.engine import Verifier
from harness.verify.finding import Party
from harness.verify.proof.flows import FLOWS
from harness.verify.proof.mutant import Mutant, load_mutants

PARTIES = (Party.HANDSET, Party.NETWORK)
Progress = Callable[[int, int], None]


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
class Proof:
    """All results, and the rules no mutant proves."""

    flows: tuple[FlowResult, ...]
    mutants: tuple[MutantResult, ...]
    unproven: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Every flow clean, every mutant caught as told, every rule proven."""
        results = (*(flow.clean for flow in self.flows), *(each.whole for each in self.mutants))
        return all(results) and not self.unproven

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
    flows: Iterable[str] | None = None,
    progress: Progress = lambda done, of: None,
) -> Proof:
    """Judge every conformant flow under every profile, and every mutant (or those given).

    progress: called with how much is done, and of how much.
    """
    chosen = load_mutants() if mutants is None else mutants
    clean = [(name, profile) for name in (FLOWS if flows is None else flows) for profile in Profile]
    done, of = 0, len(clean) + len(chosen)
    flow_results, mutant_results = [], []
    for name, profile in clean:
        flow_results.append(judge_flow(name, profile))
        progress(done := done + 1, of)
    for mutant in chosen:
        mutant_results.append(judge_mutant(mutant))
        progress(done := done + 1, of)
    proven = {mutant.rule for mutant in chosen}
    unproven = () if mutants is not None else tuple(rule for rule in load_catalogue() if rule not in proven)
    return Proof(tuple(flow_results), tuple(mutant_results), unproven)


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
