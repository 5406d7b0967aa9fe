"""`rcslab verify`: captures judged, with the files that waive, compare and require."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from harness.cpm.profiles import Profile
from harness.errors import ExitCode, UsageError
from harness.lab.coverage_plan_file import load_coverage_plan
from harness.lab.waiver_file import load_waivers
from harness.verify.baseline import Comparison, compare
from harness.verify.captures import exit_code, judge_captures
from harness.verify.coverage import Covered, exercises, missing
from harness.verify.judgement import Judgement
from harness.verify.report.beside import Beside


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """What to judge. waivers, baseline, plan: files, as the options of the command. with_messages: for a
    report that shows them.
    """

    captures: Sequence[Path]
    profile: Profile
    waivers: Path | None = None
    baseline: Path | None = None
    coverage: bool = False
    plan: Path | None = None
    with_messages: bool = False


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of it."""

    judgements: tuple[Judgement, ...]
    beside: Beside

    @property
    def exit_code(self) -> int:
        """That of the captures; 1 when coverage is missing and nothing else is wrong."""
        code = exit_code(self.judgements)
        return ExitCode.FAILED if code == ExitCode.CLEAN and self.beside.missing else code


def verify_captures(request: VerifyRequest) -> Verified:
    """Judge them. Raises: CaptureError, LabFileError, UsageError before anything is judged where it can."""
    waivers = load_waivers(request.waivers) if request.waivers else ()
    previous = _read_baseline(request.baseline) if request.baseline else None
    plan = load_coverage_plan(request.plan) if request.plan else None
    judgements = tuple(judge_captures(request.captures, request.profile, with_messages=request.with_messages))
    if waivers:
        judgements = tuple(each.with_waivers(waivers, date.today()) for each in judgements)
    covered = Covered()
    for judgement in judgements:
        covered.add(judgement.covered)
    found = tuple(exercises(covered, request.profile))
    return Verified(
        judgements,
        Beside(
            _compared(judgements, previous, request.baseline) if request.baseline else None,
            found if request.coverage else (),
            tuple(missing(plan, found)) if plan is not None else None,
        ),
    )


def _read_baseline(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"{file}: cannot be read as a baseline ({reason}); write one with rcslab verify --format json"
        ) from None


def _compared(judgements: Sequence[Judgement], previous: Any, file: Path) -> Comparison:
    findings = ((judgement.name, found) for judgement in judgements for found in judgement.findings)
    try:
        return compare(findings, previous)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None
