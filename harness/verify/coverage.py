"""Coverage: the clauses that rules are of, the rules that a run exercised, and why it did not the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.cpm.profiles import Profile
from harness.verify.catalogue import MET_BY_THE_TOOL, Kind, Rule, load_catalogue, load_checks
from harness.verify.clauses import Clause, clauses_of
from harness.verify.engine import BROADER, Verifier
from harness.verify.waivers import covers_rule

SHOWN = 4
"""Rules of a clause that are named."""
_SEEN_AS: dict[Kind, str] = {
    Kind.SIP: "SIP message",
    Kind.REQUEST: "SIP request",
    Kind.RESPONSE: "SIP response",
    Kind.BROKEN: "unreadable SIP message",
    Kind.SDP: "session description",
    Kind.MSRP: "MSRP message",
    Kind.MSRP_REQUEST: "MSRP request",
    Kind.MSRP_RESPONSE: "MSRP response",
    Kind.MSRP_MESSAGE: "message carried by MSRP",
    Kind.BROKEN_MSRP: "unreadable MSRP message",
    Kind.CPIM: "CPIM message",
    Kind.EVENT: "event of a driver",
}


@dataclass(slots=True)
class Covered:
    """What one timeline or several exercised: how many items a rule applied to, and came of each kind."""

    applied: Counter[str] = field(default_factory=Counter)
    seen: Counter[Kind] = field(default_factory=Counter)

    @classmethod
    def by(cls, verifier: Verifier) -> Covered:
        """What a verifier has judged so far."""
        return cls(Counter(verifier.exercised), Counter(verifier.kinds))

    def add(self, other: Covered) -> None:
        """Take in what another one exercised."""
        self.applied.update(other.applied)
        self.seen.update(other.seen)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "applied": dict(self.applied),
            "seen": {kind.name: count for kind, count in self.seen.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Mapping[str, int]]) -> Covered:
        """The inverse of `as_dict`."""
        return cls(Counter(values["applied"]), Counter({Kind[kind]: n for kind, n in values["seen"].items()}))


@dataclass(frozen=True, slots=True)
class Exercise:
    """How often a rule applied to something, or why it did not. why is empty when it did."""

    rule: Rule
    count: int
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"rule": self.rule.id, "count": self.count, "why": self.why}


@dataclass(frozen=True, slots=True)
class CoveragePlan:
    """What has to be exercised: rules by id or "msrp.*", each of which counts, and clauses.

    A clause is exercised when a rule of it, or of a section inside it, is.
    """

    rules: tuple[str, ...]
    clauses: tuple[Clause, ...]


def exercises(covered: Covered, profile: Profile) -> list[Exercise]:
    """Every rule of the catalogue: how often it applied, or why it did not."""
    return [
        Exercise(rule, covered.applied[rule.id], _why(rule, covered, profile))
        for rule in load_catalogue().values()
    ]


def _why(rule: Rule, covered: Covered, profile: Profile) -> str:
    if covered.applied[rule.id]:
        return ""
    if rule.id in MET_BY_THE_TOOL:
        return "a demand on the verifier itself; `rcslab rules --prove` shows that it is met"
    checks = [check for check in load_checks() if check.id == rule.id]
    if not checks:
        return "not checked by this version"
    under = [check for check in checks if profile in check.profiles]
    if not under:
        return f"not evaluated under profile {profile}"
    kinds = {check.on for check in under}
    if not any(covered.seen[kind] for kind in Kind if kind in kinds or BROADER.get(kind) in kinds):
        return f"no {' or '.join(sorted(_SEEN_AS[kind] for kind in kinds))} came"
    methods = sorted({method for check in under for method in check.methods})
    what = f"no {' or '.join(methods)}" if methods else "nothing"
    return f"{what} that it is about came ({rule.flow})"


def missing(plan: CoveragePlan, found: Iterable[Exercise]) -> list[str]:
    """What the plan lists and was not exercised, each with why, in the order of the plan."""
    by_rule = {each.rule.id: each for each in found}
    return [*_missing_rules(plan, by_rule), *_missing_clauses(plan, by_rule)]


def _missing_rules(plan: CoveragePlan, by_rule: Mapping[str, Exercise]) -> Iterator[str]:
    for pattern in plan.rules:
        for rule, exercise in by_rule.items():
            if covers_rule(pattern, rule) and not exercise.count and rule not in MET_BY_THE_TOOL:
                yield f"rule {rule}: {exercise.why}"


def _missing_clauses(plan: CoveragePlan, by_rule: Mapping[str, Exercise]) -> Iterator[str]:
    for wanted in plan.clauses:
        of_it = [
            exercise
            for exercise in by_rule.values()
            if any(wanted.covers(clause) for clause in clauses_of(exercise.rule.clause))
        ]
        if not any(exercise.count for exercise in of_it):
            more = f" and {len(of_it) - SHOWN} more" if len(of_it) > SHOWN else ""
            rules = ", ".join(exercise.rule.id for exercise in of_it[:SHOWN])
            yield f"clause {wanted}: none of its rules was exercised ({rules}{more})"


def by_clause(rules: Iterable[Rule]) -> dict[Clause, list[Rule]]:
    """The rules of each clause, clauses by document and section."""
    found: dict[Clause, list[Rule]] = {}
    for rule in rules:
        for clause in clauses_of(rule.clause):
            found.setdefault(clause, []).append(rule)
    return dict(sorted(found.items(), key=lambda item: _order(item[0])))


def _order(clause: Clause) -> tuple[str, list[tuple[int, str]]]:
    """Sections by number: 8.2 before 8.10."""
    words = clause.section.split(".")
    return clause.document, [(int(word), "") if word.isdigit() else (0, word) for word in words]


def exercised_documents(found: Iterable[Exercise]) -> dict[str, tuple[int, int]]:
    """(clauses of which a rule was exercised, clauses that rules are of) per document."""
    clauses: Counter[Clause] = Counter()
    for exercise in found:
        for clause in clauses_of(exercise.rule.clause):
            clauses[clause] += exercise.count
    documents = sorted({clause.document for clause in clauses})
    return {
        document: (
            sum(count > 0 for clause, count in clauses.items() if clause.document == document),
            sum(clause.document == document for clause in clauses),
        )
        for document in documents
    }
