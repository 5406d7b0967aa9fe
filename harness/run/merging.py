"""One result out of the results of several benches: the suites as one bench would have left them.

What a bench did not live to write is put together from what it told when each test ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from robot.api import ExecutionResult
from robot.conf import RobotSettings
from robot.reporting import ResultWriter
from robot.result import Result, TestCase, TestSuite

from harness.keywords.test_record import RunVerdict
from harness.run.request import TestEnd
from harness.run.work import Task, in_order

BENCH = "Bench"


@dataclass(frozen=True, slots=True)
class Part:
    """What came of a task: the output of Robot, or, where there is none, how its tests ended.

    bench is empty when none ran it.
    """

    task: Task
    bench: str = ""
    output: Path | None = None
    ends: tuple[TestEnd, ...] = ()


def write_results(planned: Any, parts: Sequence[Part], settings: RobotSettings) -> int:
    """Write output.xml and the reports that the options ask for. planned is the suite as it was to be run.

    Returns Robot's exit code.
    """
    result = merged(planned, parts)
    result.configure(status_rc=settings.status_rc, stat_config=settings.statistics_config)
    if settings.output:
        result.save(settings.output, legacy_output=settings.legacy_output)
    # With a log Robot reads its output again, as it does after a run of its own.
    source = settings.output if settings.output and settings.log else result
    ResultWriter(source).write_results(settings.get_rebot_settings())
    return int(result.return_code)


def merged(planned: Any, parts: Sequence[Part]) -> Result:
    """The parts as one result, in the order of the suite as it was planned."""
    by_path: dict[tuple[int, ...], list[_Loaded]] = {}
    errors: list[Any] = []
    for part in sorted(parts, key=lambda part: part.task.first):
        loaded = _load(part, planned)
        errors += loaded.errors
        by_path.setdefault(part.task.unit.path, []).append(loaded)
    result = Result(suite=_assemble(planned, (), by_path), rpa=planned.rpa)
    result.errors.messages.extend(sorted(errors, key=lambda message: message.timestamp))
    return result


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A part as suites: the chain from the outermost one to that of its unit."""

    chain: list[TestSuite]
    errors: list[Any]


def _load(part: Part, planned: Any) -> _Loaded:
    errors: list[Any] = []
    if part.output is not None:
        result = ExecutionResult(str(part.output))
        suite, errors = result.suite, list(result.errors.messages)
    else:
        suite = _told(part, planned)
    chain = [suite]
    for _ in part.task.unit.path:
        chain.append(chain[-1].suites[0])
    if part.bench:
        chain[-1].metadata[BENCH] = part.bench
    return _Loaded(chain, errors)


def _assemble(planned: Any, path: tuple[int, ...], parts: dict[tuple[int, ...], list[_Loaded]]) -> TestSuite:
    if path in parts:
        whole, *later = [loaded.chain[-1] for loaded in parts[path]]
        for suite in later:
            whole = _joined(whole, suite)
        return whole
    below = [loaded for found, each in parts.items() if found[: len(path)] == path for loaded in each]
    same = [loaded.chain[len(path)] for loaded in below]
    suite = _shell(same[0] if same else planned)
    begun = [each.start_time for each in same if each.start_time]
    ended = [each.end_time for each in same if each.end_time]
    if begun and ended:
        suite.start_time, suite.end_time = min(begun), max(ended)
    for index, child in enumerate(planned.suites):
        inner = (*path, index)
        if any(found[: len(inner)] == inner for found in parts):
            suite.suites.append(_assemble(child, inner, parts))
    return suite


def _joined(earlier: TestSuite, later: TestSuite) -> TestSuite:
    """One suite whose tests two benches ran, the later one from where the earlier one ended."""
    known = {child.name: child for child in later.suites}
    both = [
        _joined(child, known.pop(child.name)) if child.name in known else child for child in earlier.suites
    ]
    later.suites = [*both, *(child for child in later.suites if child.name in known)]
    later.tests = [*earlier.tests, *later.tests]
    if earlier.start_time:
        later.start_time = earlier.start_time
    benches = [suite.metadata[BENCH] for suite in (earlier, later) if BENCH in suite.metadata]
    if benches:
        later.metadata[BENCH] = ", ".join(benches)
    return later


def _shell(like: Any) -> TestSuite:
    return TestSuite(like.name, like.doc, dict(like.metadata), like.source)


def _told(part: Part, planned: Any) -> TestSuite:
    """The suites of a part from what was told of its tests, which come in the order of the task."""
    outermost = suite = _shell(planned)
    for index in part.task.unit.path:
        planned = planned.suites[index]
        suite = suite.suites.append(_shell(planned))
    tests = list(in_order(planned))[part.task.first :]
    places: dict[int, TestSuite] = {id(planned): suite}
    for test, end in zip(tests, part.ends, strict=False):
        _place_of(test.parent, places).tests.append(_test(test, end))
    return outermost


def _place_of(planned: Any, places: dict[int, TestSuite]) -> TestSuite:
    if id(planned) not in places:
        places[id(planned)] = _place_of(planned.parent, places).suites.append(_shell(planned))
    return places[id(planned)]


def _test(planned: Any, end: TestEnd) -> TestCase:
    test = TestCase(planned.name, planned.doc, planned.tags, planned.timeout, planned.lineno)
    test.status, test.message, test.elapsed_time = end.status.upper(), end.message, end.seconds
    if end.verdict is RunVerdict.INFRA:
        test.tags.add("infra")
    if end.exited:
        test.tags.add("robot:exit")
    if end.evidence:
        link = f'Evidence: <a href="{escape(end.evidence)}/">{escape(end.evidence)}</a>'
        test.body.create_message(message=link, level="INFO", html=True)
    return test


def not_run(tests: Iterable[str], verdict: RunVerdict, message: str, *, exited: bool) -> tuple[TestEnd, ...]:
    """How tests ended that nobody ran."""
    return tuple(TestEnd(name, "fail", verdict, message=message, exited=exited) for name in tests)
