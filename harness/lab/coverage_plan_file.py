"""The file of what a pre-test has to exercise: rules and clauses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from harness.lab.part import Part
from harness.lab.waiver_file import RulePattern
from harness.lab.yaml_file import load_part
from harness.verify.catalogue import load_catalogue
from harness.verify.clauses import Clause, clauses_of, parse_clause
from harness.verify.coverage import CoveragePlan


def _known_clause(text: str) -> str:
    wanted = parse_clause(text)
    if wanted is None:
        raise ValueError(f"expected a document and a section, as RFC 4975 7.1, got {text!r}")
    if not any(
        wanted.covers(clause) for rule in load_catalogue().values() for clause in clauses_of(rule.clause)
    ):
        raise ValueError(f"no rule is of {text}; `rcslab rules --clauses` lists the clauses there are")
    return text


class PlanFile(Part):
    """A whole file."""

    rules: tuple[RulePattern, ...] = ()
    clauses: tuple[Annotated[str, AfterValidator(_known_clause)], ...] = ()


def load_coverage_plan(file: Path) -> CoveragePlan:
    """What has to be exercised. Raises: LabFileError with line, column and field."""
    part = load_part(file, PlanFile, "a mapping with `rules:` or `clauses:`")
    clauses: list[Clause] = [clause for text in part.clauses if (clause := parse_clause(text)) is not None]
    return CoveragePlan(part.rules, tuple(clauses))
