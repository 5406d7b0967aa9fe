"""Running Robot suites: what cannot be meant is refused, then one bench or several do the work."""

from __future__ import annotations

import logging

from harness.cpm.profiles import Profile
from harness.errors import ExitCode, UsageError
from harness.lab.bench import refuse_unusable
from harness.lab.stopping import Stopped, StopSignals
from harness.run.one_bench import run_on_one_bench
from harness.run.request import RunRequest, RunResult
from harness.run.result_files import known_seconds, new_run_folder, write_summary
from harness.run.robot_suites import robot_suites
from harness.run.several_benches import SeveralBenches
from harness.verify.coverage import missing

_log = logging.getLogger(__name__)


def run_suites(request: RunRequest) -> RunResult:
    """Run suites on leased benches. Lab faults end in the result, not in an exception.

    Neither does a signal: the run ends in order, and the result names it.

    Raises: UsageError for benches, suites or Robot options that cannot be used (before anything starts).
    """
    _refuse_benches(request)
    suites = robot_suites(request)
    several: SeveralBenches | None = None
    if request.count > 1:
        several = SeveralBenches(request, suites.with_fixed_order(), known_seconds(request.lab.results))
    elif not suites.options.get("prerunmodifier"):  # what it makes of the suites is not known before
        suites.build()
    result = RunResult(new_run_folder(request.lab.results))
    result.profile = Profile(request.profile or request.lab.lab.profile)
    with StopSignals() as stop:
        try:
            if several is not None:
                several.run(result, stop)
            else:
                run_on_one_bench(request, suites, result, stop)
        except Stopped:
            _log.info("stopped by %s", stop.name)
        finally:
            with stop.held_off():
                result.stopped = stop.name
                result.exit_code = stop.exit_code or result.exit_code
                _require_coverage(request, result)
                write_summary(result)
    return result


def _require_coverage(request: RunRequest, result: RunResult) -> None:
    """A run that is clean else fails when it did not exercise what its plan lists."""
    if request.plan is not None:
        result.missing = missing(request.plan, result.exercises)
        if result.missing and result.exit_code == ExitCode.CLEAN:
            result.exit_code = ExitCode.FAILED


def _refuse_benches(request: RunRequest) -> None:
    """Raises: UsageError for benches that the lab does not have, or not so many of."""
    there = list(request.lab.lab.benches)
    for name in request.benches or (None,):
        refuse_unusable(request.lab, name, request.personality)
    if len(set(request.benches)) < len(request.benches):
        raise UsageError(f"a bench is named twice: {', '.join(request.benches)}")
    if request.benches and request.count != len(request.benches):
        raise UsageError("--bench names the benches of a run: give it once for each, without --benches")
    if request.count > len(there):
        raise UsageError(f"this lab has {len(there)} benches, not {request.count}: {', '.join(there)}")
