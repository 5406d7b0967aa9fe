"""A run on several benches at once: a process each, which pull the work from here, and one result.

A bench that does not come up, or whose process dies, leaves its work to the others.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any, ClassVar

from robot.conf import RobotSettings
from robot.output import LOGGER

from harness.errors import LeaseTaken
from harness.keywords.test_record import RunVerdict
from harness.lab.leases import acquire_free, lease_path
from harness.lab.processes import warden_process
from harness.lab.stopping import StopSignals
from harness.run.bench_messages import NO_MORE, Assignment, Said
from harness.run.bench_process import BenchProcess, Lines
from harness.run.bench_work import PARTS
from harness.run.merging import Part, not_run, write_results
from harness.run.request import Progress, RunRequest, RunResult, TestEnd, exit_code
from harness.run.result_files import CONSOLE, JUNIT, mark_infra
from harness.run.robot_suites import RobotSuites
from harness.run.work import Task, Work, units_of
from harness.verify.coverage import Covered

SIGNALLED = "Execution terminated by signal"
EXIT_ON_FAILURE = "Failure occurred and exit-on-failure mode is in use."
"""The words Robot has for tests that it did not come to."""


@dataclass(slots=True)
class _Worker:
    """One bench at work. ends: of the tests of the task in hand."""

    process: BenchProcess
    up: bool = False
    task: Task | None = None
    ends: list[TestEnd] = field(default_factory=list)
    broken: str = ""
    dismissed: bool = False
    closed: bool = False

    @property
    def bench(self) -> str:
        return self.process.bench

    @property
    def idle(self) -> bool:
        return self.up and self.task is None and not self.dismissed


class SeveralBenches:
    """known: how long tests took the last time, by full name.

    Raises: UsageError when Robot finds nothing to run.
    """

    def __init__(self, request: RunRequest, suites: RobotSuites, known: Mapping[str, float]) -> None:
        self._request, self._suites = request, suites
        self._planned = suites.build()
        self._work = Work(list(units_of(self._planned)), known)
        self._parts: list[Part] = []
        self._workers: list[_Worker] = []
        self._exit = ""
        """Why nothing more is begun: words for the tests that are left."""
        self._refused = 0

    def run(self, result: RunResult, stop: StopSignals) -> None:
        """Run everything and fill the result."""
        self._result, self._stop = result, stop
        started = time.monotonic()
        (result.folder / PARTS).mkdir()
        with ExitStack() as stack:
            try:
                self._start(stack)
            except LeaseTaken as error:
                result.broke(str(error))
                result.verdicts[RunVerdict.INFRA.value] += 1
                return
            ready = self._until_up()
            result.seconds["bring_up"] = ready - started
            self._until_over()
            over = time.monotonic()
            result.seconds["suites"] = over - ready
            self._until_closed()
            result.seconds["tear_down"] = time.monotonic() - over
        stop.relay, stop.patient = None, True
        started = time.monotonic()
        self._write()
        result.seconds["reports"] = time.monotonic() - started

    # -- processes

    def _start(self, stack: ExitStack) -> None:
        """Lease the benches and start a process for each. Raises: LeaseTaken."""
        request, lab = self._request, self._request.lab
        names = list(request.benches or lab.lab.benches)
        count = min(request.count, len(self._work.units))
        if count < request.count:
            request.on_phase(f"no more than {count} of {request.count} benches is needed: suites stay whole")
        logs = self._result.folder / "lab"
        guard = warden_process(logs / "warden.log", [lease_path(lab.path, name) for name in names])
        stack.callback(guard.stop)
        self._selector = stack.enter_context(DefaultSelector())
        stack.callback(self._kill_all)
        leases = acquire_free(lab.path, names, count)
        self._stop.relay = self._pass_on
        request.on_phase(f"bringing up benches {', '.join(lease.bench for lease in leases)}")
        for lease in leases:
            path, descriptor = lease.path, lease.descriptor
            self._result.bench(lease.bench)
            worker = _Worker(BenchProcess(lease, logs / lease.bench / "run.log"))
            self._workers.append(worker)
            for lines, read in (
                (worker.process.events, self._read_events),
                (worker.process.console, self._read_console),
            ):
                self._selector.register(lines.descriptor, EVENT_READ, (worker, read))
            worker.process.order(self._assignment(worker.bench, path, descriptor).as_dict())
        if self._stop.number is not None:
            self._pass_on(self._stop.number)

    def _assignment(self, bench: str, lease: Path, descriptor: int) -> Assignment:
        request, suites = self._request, self._suites
        folder = str(self._result.folder.resolve())
        lab, of = str(request.lab.path), (request.personality, request.profile)
        return Assignment(lab, bench, str(lease), descriptor, folder, *of, suites.datasources, suites.options)

    def _pass_on(self, number: int) -> None:
        """A signal is for the processes of the benches; this one ends after them."""
        self._exit = self._exit or SIGNALLED
        for worker in self._workers:
            worker.process.signal(number)

    def _kill_all(self) -> None:
        """Only where this process failed itself: every process is gone at the end of a run."""
        for worker in self._workers:
            worker.process.kill()

    # -- events

    def _until_up(self) -> float:
        """Read on until a bench is up, or none is left; returns when that was."""
        while self._workers and not any(worker.up for worker in self._workers):
            self._read()
        return time.monotonic()

    def _until_over(self) -> None:
        while self._workers and not (self._work.over or (self._exit and all(w.idle for w in self._workers))):
            self._read()

    def _until_closed(self) -> None:
        while self._workers:
            for worker in self._workers:
                if worker.idle:
                    worker.process.order(NO_MORE)
                    worker.dismissed = True
            self._read()

    def _read(self) -> None:
        for key, _ in self._selector.select():
            worker, read = key.data
            read(worker)

    def _read_console(self, worker: _Worker) -> None:
        """What tests print."""
        for line in worker.process.console.read():
            self._request.on_phase(f"{worker.bench}: {line}")
        self._see_end(worker, worker.process.console)

    def _read_events(self, worker: _Worker) -> None:
        for event in worker.process.told():
            self._take_in[Said(event.pop("event"))](self, worker, **event)
        self._see_end(worker, worker.process.events)

    def _see_end(self, worker: _Worker, lines: Lines) -> None:
        if lines.ended:
            self._selector.unregister(lines.descriptor)
            if worker.process.events.ended and worker.process.console.ended:
                self._ended(worker)

    def _up(self, worker: _Worker, seconds: float) -> None:
        worker.up = True
        self._result.bench(worker.bench).seconds["bring_up"] = seconds
        self._request.on_phase(f"bench {worker.bench} is up ({seconds:.1f} s)")
        self._hand_out()

    def _broken(self, worker: _Worker, error: str) -> None:
        worker.broken = error

    def _begun(self, worker: _Worker, test: str) -> None:
        self._work.begin(worker.bench, test)

    def _test_ended(self, worker: _Worker, end: dict[str, Any]) -> None:
        self._work.end(worker.bench)
        self._count(worker, TestEnd.from_dict(end))

    def _done(self, worker: _Worker, output: str, code: int, error: str) -> None:
        task = self._work.finish(worker.bench)
        if output:
            self._parts.append(Part(task, worker.bench, Path(output)))
        else:
            self._exit, self._refused = f"Robot refuses to run {task.unit.name}: {error}", code
            self._request.on_phase(f"bench {worker.bench}: {self._exit}")
            self._leave(task, task.tests, worker.bench)
        worker.task, worker.ends = None, []
        self._hand_out()

    def _closed(
        self,
        worker: _Worker,
        seconds: float,
        transport: dict[str, dict[str, int]],
        covered: dict[str, dict[str, int]],
    ) -> None:
        worker.closed = True
        own = self._result.bench(worker.bench)
        own.seconds["tear_down"], own.transport = seconds, transport
        own.covered = Covered.from_dict(covered)

    _take_in: ClassVar[dict[Said, Callable[..., None]]] = {
        Said.UP: _up,
        Said.BROKEN: _broken,
        Said.BEGUN: _begun,
        Said.ENDED: _test_ended,
        Said.DONE: _done,
        Said.CLOSED: _closed,
    }

    def _ended(self, worker: _Worker) -> None:
        """The process is gone: in order, or its work is for the others."""
        self._workers.remove(worker)
        ended = worker.process.end()
        if not worker.closed and self._exit != SIGNALLED:
            error = worker.broken or f"its process ended before its time with {ended}"
            self._result.broke(error, worker.bench)
            self._request.on_phase(f"bench {worker.bench}: infra: {error}")
        lost = self._work.lose(worker.bench)
        if lost is not None:
            self._lose(worker, *lost)
        self._hand_out()

    # -- work

    def _hand_out(self) -> None:
        for worker in self._workers:
            if worker.idle and not self._exit and (task := self._work.take(worker.bench)):
                worker.task = task
                order = {"number": task.number, "path": task.unit.path, "first": task.first}
                worker.process.order(order)

    def _count(self, worker: _Worker, end: TestEnd) -> None:
        worker.ends.append(end)
        self._result.count(end, worker.bench)
        if end.exited:
            self._exit = self._exit or end.message
            return
        if end.status == "fail" and self._suites.options.get("exitonfailure"):
            self._exit = self._exit or EXIT_ON_FAILURE
        number, total = self._result.tests.total(), self._work.test_count
        self._request.on_test(Progress(number, total, end, worker.bench))

    def _lose(self, worker: _Worker, task: Task, running: str | None, never: tuple[str, ...]) -> None:
        """What a lost bench had in hand: what ended keeps its verdict, what ran is the lab's fault."""
        bench, stopped = worker.bench, self._exit == SIGNALLED
        verdict = RunVerdict.INCONC if stopped else RunVerdict.INFRA
        why = SIGNALLED if stopped else f"infra: the process of bench {bench} ended before its time"
        for name in [running] if running else []:
            self._count(worker, TestEnd(name, "fail", verdict, message=f"{why} while this test ran"))
        for end in not_run(never, verdict, f"{why}, in the setup of this suite", exited=stopped):
            self._count(worker, end)
        self._parts.append(Part(task, bench, None, tuple(worker.ends)))

    def _leave(self, task: Task, tests: tuple[str, ...], bench: str | None = None) -> None:
        """Tests nobody is going to run."""
        verdict, why = RunVerdict.INFRA, "infra: not run: no bench was left for it"
        if self._exit:
            verdict, why = RunVerdict.INCONC, self._exit
        ends = not_run(tests, verdict, why, exited=bool(self._exit))
        for end in ends:
            self._result.count(end, None)
        self._parts.append(Part(task, bench or "", None, ends))

    # -- results

    def _write(self) -> None:
        if not any("bring_up" in bench.seconds for bench in self._result.benches.values()):
            if not self._exit:
                self._result.verdicts[RunVerdict.INFRA.value] += 1
            return  # no bench came up: there is nothing to write of
        for task in self._work.give_up():
            self._leave(task, task.tests)
        folder = self._result.folder
        options = self._suites.options | {"outputdir": str(folder), "xunit": JUNIT, "console": "none"}
        with (folder / CONSOLE).open("w", encoding="utf-8") as console:
            settings = RobotSettings(options | {"stdout": console, "stderr": console})
            LOGGER.register_console_logger(**settings.console_output_config)
            code = write_results(self._planned, self._parts, settings)
        mark_infra(folder / JUNIT, self._result.infra_tests)
        self._result.exit_code = exit_code(self._result, self._refused or code)
        shutil.rmtree(folder / PARTS)
