"""A run on one bench, in this process: leased, brought up, the suites run, torn down."""

from __future__ import annotations

import time

import robot

from harness.errors import LabError
from harness.keywords.test_record import RunVerdict
from harness.lab.bench import Bench
from harness.lab.stopping import StopSignals
from harness.run.listener import RunListener
from harness.run.request import Progress, RunRequest, RunResult, TestEnd, exit_code
from harness.run.result_files import CONSOLE, JUNIT, mark_infra
from harness.run.robot_suites import RobotSuites


def run_on_one_bench(request: RunRequest, suites: RobotSuites, result: RunResult, stop: StopSignals) -> None:
    """Run them and fill the result. Raises: Stopped when a signal came outside of a suite."""
    started = time.monotonic()
    request.on_phase("bringing up the bench")
    try:
        bench = Bench.lease_and_open(
            request.lab,
            next(iter(request.benches), None),
            result.folder / "lab",
            personality=request.personality,
            profile=request.profile,
            on_wait=request.on_phase,
        )
    except LabError as error:
        result.broke(str(error))
        result.verdicts[RunVerdict.INFRA.value] += 1
        return
    finally:
        result.seconds["bring_up"] = time.monotonic() - started
    try:
        stop.check()
        request.on_phase(f"bench {bench.name} is up ({result.seconds['bring_up']:.1f} s)")
        started = time.monotonic()
        code = _run_robot(request, suites, bench, result, stop)
        result.seconds["suites"] = time.monotonic() - started
        result.exit_code = exit_code(result, code)
    finally:
        started = time.monotonic()
        with stop.held_off():
            bench.close()
            own = result.bench(bench.name)
            own.covered = bench.covered
            own.transport = {protocol: counted.as_dict() for protocol, counted in bench.peer.metrics.items()}
        result.seconds["tear_down"] = time.monotonic() - started
        own.seconds = dict(result.seconds)


def _run_robot(
    request: RunRequest, suites: RobotSuites, bench: Bench, result: RunResult, stop: StopSignals
) -> int:
    def ended(end: TestEnd) -> None:
        result.count(end, bench.name)
        if not end.exited:
            request.on_test(Progress(result.tests.total(), listener.total, end))

    listener = RunListener(bench, stop, ended)
    fixed = {
        "outputdir": str(result.folder),
        "xunit": JUNIT,
        "console": "none",
        "listener": [*suites.options.get("listener", []), listener],
    }
    with (result.folder / CONSOLE).open("w", encoding="utf-8") as console:
        code = int(robot.run(*suites.datasources, stdout=console, stderr=console, **(suites.options | fixed)))
    mark_infra(result.folder / JUNIT, result.infra_tests)
    return code
