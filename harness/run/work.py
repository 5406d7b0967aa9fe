"""The work of a run on several benches: its units, which bench has which, what is left when a bench is lost.

A unit stays whole on one bench: a suite file, whose tests may share state, or a folder with a setup or
teardown of its own. Pure bookkeeping, without processes and without time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

UNKNOWN_SECONDS = 1.0  # a test nobody has timed, where no other is known either


@dataclass(frozen=True, slots=True)
class Unit:
    """Tests that one bench runs in one go.

    path: the indexes that lead from the outermost suite to theirs.
    """

    path: tuple[int, ...]
    name: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A unit to run from its test number `first` on, counted from 0: another bench ran those before."""

    number: int
    unit: Unit
    first: int = 0

    @property
    def tests(self) -> tuple[str, ...]:
        """The full names of the tests to run, in order."""
        return self.unit.tests[self.first :]


@dataclass(slots=True)
class _Doing:
    task: Task
    ended: int = 0
    running: str | None = None


@dataclass(slots=True)
class Work:
    """Hands out the unit that takes longest first, so that no bench is left with a long one at the end.

    seconds: how long tests took the last time, by full name.
    """

    units: Sequence[Unit]
    seconds: Mapping[str, float] = field(default_factory=dict)
    _waiting: list[Task] = field(default_factory=list)
    _doing: dict[str, _Doing] = field(default_factory=dict)
    _numbers: int = 0

    def __post_init__(self) -> None:
        known = [self.seconds[name] for unit in self.units for name in unit.tests if name in self.seconds]
        usual = fmean(known) if known else UNKNOWN_SECONDS

        def longest(unit: Unit) -> float:
            return -sum(self.seconds.get(name, usual) for name in unit.tests)

        self._waiting = [self._task(unit) for unit in sorted(self.units, key=longest)]

    def _task(self, unit: Unit, first: int = 0) -> Task:
        self._numbers += 1
        return Task(self._numbers, unit, first)

    @property
    def over(self) -> bool:
        """Whether nothing waits and no bench has anything in hand."""
        return not self._waiting and not self._doing

    @property
    def test_count(self) -> int:
        """How many tests there are in all."""
        return sum(len(unit.tests) for unit in self.units)

    def take(self, bench: str) -> Task | None:
        """The next task for a bench that has none; None while there is nothing to hand out."""
        assert bench not in self._doing, f"bench {bench} is busy"
        if not self._waiting:
            return None
        task = self._waiting.pop(0)
        self._doing[bench] = _Doing(task)
        return task

    def begin(self, bench: str, test: str) -> None:
        """A test of the bench's task begins."""
        self._doing[bench].running = test

    def end(self, bench: str) -> None:
        """The test that ran ended."""
        doing = self._doing[bench]
        doing.ended, doing.running = doing.ended + 1, None

    def finish(self, bench: str) -> Task:
        """The bench has done its task."""
        return self._doing.pop(bench).task

    def lose(self, bench: str) -> tuple[Task, str | None, tuple[str, ...]] | None:
        """A bench is gone: its task, the test that ran, and tests that nobody will run.

        None when it had no task. What it had not begun waits for another bench. A unit that had not come to
        its first test may be what ended the bench, in its setup: it is not tried on the next one.
        """
        doing = self._doing.pop(bench, None)
        if doing is None:
            return None
        task = doing.task
        if doing.ended == 0 and doing.running is None:
            return task, None, task.tests
        rest = task.first + doing.ended + (doing.running is not None)
        if rest < len(task.unit.tests):
            self._waiting.insert(0, self._task(task.unit, rest))
        return task, doing.running, ()

    def give_up(self) -> list[Task]:
        """What waits is not going to be run; returns it."""
        left, self._waiting = self._waiting, []
        return left


def units_of(suite: Any) -> Iterator[Unit]:
    """The units of a suite of Robot that has been built and configured."""
    yield from _units(suite, ())


def _units(suite: Any, path: tuple[int, ...]) -> Iterator[Unit]:
    if suite.has_setup or suite.has_teardown or suite.tests or not suite.suites:
        tests = tuple(test.full_name for test in in_order(suite))
        if tests:
            yield Unit(path, suite.full_name, tests)
    else:
        for index, child in enumerate(suite.suites):
            yield from _units(child, (*path, index))


def in_order(suite: Any) -> Iterator[Any]:
    """The tests of a suite in the order Robot runs them: those of its child suites before its own."""
    for child in suite.suites:
        yield from in_order(child)
    yield from suite.tests


def only(suite: Any, task: Task) -> Any:
    """A copy of the outermost suite with nothing in it but a task."""
    copy = suite.deepcopy()
    node = copy
    for index in task.unit.path:
        node.tests, node.suites = [], [node.suites[index]]
        node = node.suites[0]
    for test in list(in_order(node))[: task.first]:
        test.parent.tests.remove(test)
    _drop_empty(node)
    return copy


def _drop_empty(suite: Any) -> None:
    for child in list(suite.suites):
        _drop_empty(child)
        if not child.suites and not child.tests:
            suite.suites.remove(child)
