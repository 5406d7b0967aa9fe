"""What a report says beside the findings: an earlier run, what was exercised, what a plan misses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.verify.baseline import Comparison, Known
from harness.verify.coverage import Exercise, exercised_documents


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines under a title. fails: they fail a run."""

    title: str
    lines: tuple[str, ...]
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Beside:
    """comparison: with a baseline. exercises: of all rules, when coverage was asked for. missing: what a plan
    lists and was not exercised; None without a plan.
    """

    comparison: Comparison | None = None
    exercises: tuple[Exercise, ...] = ()
    missing: tuple[str, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON values: only what was asked for."""
        values: dict[str, Any] = {}
        if self.comparison is not None:
            values["baseline"] = self.comparison.as_dict()
        if self.exercises:
            documents = exercised_documents(self.exercises)
            values["coverage"] = {
                "rules": [each.as_dict() for each in self.exercises],
                "documents": {
                    name: {"exercised": exercised, "clauses": clauses}
                    for name, (exercised, clauses) in documents.items()
                },
            }
        if self.missing is not None:
            values["missing"] = list(self.missing)
        return values

    def lines(self) -> Iterator[str]:
        """For people."""
        for part in self.parts():
            yield ""
            yield part.title
            yield from (f"  {line}" for line in part.lines)

    def parts(self) -> Iterator[Part]:
        """The same, in parts with a title."""
        if self.comparison is not None:
            yield from _of_comparison(self.comparison)
        if self.exercises:
            yield from _of_coverage(self.exercises)
        if self.missing is not None:
            said = "MISSING" if self.missing else "all exercised"
            yield Part(f"required coverage: {said}", tuple(self.missing), fails=bool(self.missing))


NOTHING_BESIDE = Beside()


def _of_comparison(comparison: Comparison) -> Iterator[Part]:
    groups: tuple[tuple[str, Sequence[Known]], ...] = (
        ("new since the baseline", comparison.new),
        ("gone since the baseline", comparison.gone),
        ("as in the baseline", comparison.stays),
    )
    for title, known in groups:
        yield Part(f"{title}: {len(known) or 'none'}", tuple(str(each) for each in known))


def _of_coverage(exercises: Sequence[Exercise]) -> Iterator[Part]:
    applied = [each for each in exercises if each.count]
    documents = exercised_documents(exercises).items()
    yield Part(
        f"coverage: {len(applied)} of {len(exercises)} rules exercised",
        tuple(
            f"{name + ':':16} {exercised} of {clauses} clauses" for name, (exercised, clauses) in documents
        ),
    )
    left = (each for each in exercises if not each.count)
    yield Part("not exercised:", tuple(f"{each.rule.id}: {each.why}" for each in left))
