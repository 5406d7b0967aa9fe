"""The work of one bench: brought up, one Robot run for each task it is given, torn down."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from robot.conf import RobotSettings
from robot.errors import DataError
from robot.utils import text as robot_text

from harness.errors import LabError
from harness.lab.bench import Bench
from harness.lab.leases import Lease
from harness.lab.model import load_lab
from harness.lab.stopping import StopSignals
from harness.run.bench_messages import NO_MORE, Assignment, Said
from harness.run.listener import RunListener
from harness.run.request import ROBOT_REFUSES
from harness.run.robot_suites import RobotSuites
from harness.run.work import Task, Unit, only

PARTS = "parts"
"""Folder of the run for what Robot writes of each task, until it is merged."""
NOT_OURS = frozenset({"log", "report", "xunit", "output", "timestampoutputs", "prerunmodifier"})
"""Options for when all is done, or that were obeyed when the suites were built."""


class BenchWork:
    """next_order waits for an order; events takes what is told of it."""

    def __init__(
        self,
        assignment: Assignment,
        next_order: Callable[[], dict[str, Any]],
        events: TextIO,
        stop: StopSignals,
    ) -> None:
        self._assignment, self._next_order, self._events, self._stop = assignment, next_order, events, stop
        self._folder = Path(assignment.folder)
        self._suites = RobotSuites(assignment.datasources, assignment.options)

    def do(self) -> None:
        """Do everything. Raises: Stopped when a signal came and the bench is torn down."""
        assignment, started = self._assignment, time.monotonic()
        lease = Lease(Path(assignment.lease), assignment.bench, assignment.descriptor)
        try:
            bench = Bench.lease_and_open(
                load_lab(Path(assignment.lab)),
                assignment.bench,
                self._folder / "lab" / assignment.bench,
                personality=assignment.personality,
                profile=assignment.profile,
                lease=lease,
                on_wait=partial(print, flush=True),
            )
        except LabError as error:
            self._say(Said.BROKEN, error=str(error))
            return
        try:
            self._say(Said.UP, seconds=time.monotonic() - started)
            self._do_tasks(bench)
        finally:
            started = time.monotonic()
            with self._stop.held_off():
                bench.close()
                transport = {protocol: counted.as_dict() for protocol, counted in bench.peer.metrics.items()}
                told = {"transport": transport, "covered": bench.covered.as_dict()}
                self._say(Said.CLOSED, seconds=time.monotonic() - started, **told)

    def _do_tasks(self, bench: Bench) -> None:
        planned = self._suites.build()
        self._stop.check()
        while (order := self._next_order()) != NO_MORE:
            task = Task(order["number"], Unit(tuple(order["path"]), "", ()), order["first"])
            self._do(task, planned, bench)
            self._stop.patient = False
            self._stop.check()

    def _do(self, task: Task, planned: Any, bench: Bench) -> None:
        output = self._folder / PARTS / f"{task.number}.xml"
        listener = RunListener(
            bench,
            self._stop,
            lambda end: self._say(Said.ENDED, end=end.as_dict()),
            lambda name: self._say(Said.BEGUN, test=name),
        )
        options = {name: value for name, value in self._suites.options.items() if name not in NOT_OURS}
        if "debugfile" in options:
            debug = Path(options["debugfile"])
            options["debugfile"] = str(debug.with_stem(f"{debug.stem}-{bench.name}-{task.number}"))
        options |= {
            "outputdir": str(self._folder),
            "output": str(output),
            "console": "none",
            "listener": [*options.get("listener", []), listener],
        }
        settings = RobotSettings(options)
        robot_text.MAX_ERROR_LINES = settings.max_error_lines
        robot_text.MAX_ASSIGN_LENGTH = settings.max_assign_length
        try:
            code = only(planned, task).run(**options, stdout=sys.stderr, stderr=sys.stderr).return_code
        except DataError as error:
            self._say(Said.DONE, output="", code=ROBOT_REFUSES, error=error.message)
        else:
            self._say(Said.DONE, output=str(output), code=code, error="")

    def _say(self, event: Said, **facts: Any) -> None:
        self._events.write(json.dumps({"event": event} | facts) + "\n")
        self._events.flush()
