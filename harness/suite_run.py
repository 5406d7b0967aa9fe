"""Running Robot suites on a bench: lease, bring up, run, tear down, and the files a run leaves.

results/<run>/ holds output.xml, log.html, report.html, junit.xml, summary.json, lab/ (logs of the lab's
processes) and evidence/<test>/; results/latest points at the newest run.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import robot
from robot.conf import RobotSettings
from robot.errors import DataError
from robot.run import RobotFramework
from robot.running.builder import TestSuiteBuilder

from harness.errors import ExitCode, LabError, UsageError
from harness.keywords.test_record import RunVerdict, TestRecord
from harness.lab.bench import Bench, refuse_unusable
from harness.lab.model import LabFile
from harness.lab.stopping import Stopped, StopSignals
from harness.RCS import RCS

FIXED_OPTIONS = frozenset({"outputdir", "xunit", "console"})
ROBOT_REFUSES, ROBOT_STOPPED, ROBOT_UNEXPECTED = 252, 253, 255
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TestDone:
    """One finished test, for whoever shows progress. seconds is its duration."""

    __test__ = False

    number: int
    total: int
    name: str
    verdict: RunVerdict
    seconds: float
    message: str
    findings: int


@dataclass(slots=True)
class RunRequest:
    """What to run. robot_options are passed on to Robot as they are."""

    lab: LabFile
    bench: str | None = None
    suites: Sequence[Path] = ()
    robot_options: Sequence[str] = ()
    personality: str | None = None
    profile: str | None = None
    on_phase: Callable[[str], None] = lambda text: None
    on_test: Callable[[TestDone], None] = lambda done: None


@dataclass(slots=True)
class RunResult:
    """How a run ended. seconds: bring_up, suites, tear_down."""

    folder: Path
    exit_code: int = ExitCode.INFRA
    tests: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    findings: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    transport: dict[str, dict[str, int]] = field(default_factory=dict)
    """What the peer's transports counted, by protocol (harness.agent.metrics)."""
    infra: str | None = None
    infra_tests: set[str] = field(default_factory=set)
    stopped: str = ""
    """The signal that ended the run before its time."""

    def as_dict(self) -> dict[str, Any]:
        """The content of summary.json."""
        return {
            "tests": {word: self.tests[word] for word in ("pass", "fail", "skip")},
            "verdicts": {verdict.value: self.verdicts[verdict.value] for verdict in RunVerdict},
            "findings": self.findings,
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "transport": self.transport,
            "infra": self.infra,
            "stopped": self.stopped or None,
            "exit_code": self.exit_code,
        }


class RunListener:
    """Robot listener: gives the bench to the library and reports each finished test."""

    ROBOT_LISTENER_API_VERSION = 3
    ROBOT_LISTENER_PRIORITY = -100  # after the library's own listener, which settles the status

    def __init__(self, bench: Bench, request: RunRequest, result: RunResult, stop: StopSignals) -> None:
        self._bench, self._request, self._result, self._stop = bench, request, result, stop
        self._total = 0
        self.libraries: list[RCS] = []

    def start_suite(self, data: Any, result: Any) -> None:
        """Learn how many tests there are from the outermost suite; Robot's signal handlers are set by now."""
        if not self._total:
            self._total = data.test_count
            self._stop.listen_in()

    def end_suite(self, data: Any, result: Any) -> None:
        """From the end of the outermost suite on Robot only writes its reports, which are wanted."""
        if data.parent is None:
            self._stop.patient = True

    def library_import(self, library: Any, importer: Any) -> None:
        """Put every imported RCS library on the bench of this run."""
        if isinstance(library.instance, RCS) and library.instance not in self.libraries:
            library.instance.use_bench(self._bench)
            self.libraries.append(library.instance)

    def end_test(self, data: Any, result: Any) -> None:
        """Count and report."""
        record = self._record(data.full_name)
        plain = RunVerdict.PASS if result.passed else RunVerdict.FAIL
        if result.skipped or result.tags.robot("exit"):
            plain = RunVerdict.INCONC
        verdict = record.verdict if record else plain
        self._result.tests[{"PASS": "pass", "FAIL": "fail"}.get(result.status, "skip")] += 1
        self._result.verdicts[verdict.value] += 1
        if verdict is RunVerdict.INFRA:
            self._result.infra_tests.add(data.full_name)
        findings = (
            [finding.as_dict() | {"test": data.full_name} for finding in record.findings] if record else []
        )
        self._result.findings += findings
        if result.tags.robot("exit"):
            return  # a signal ended the run before this test: there is no progress to show
        self._request.on_test(
            TestDone(
                self._result.tests.total(),
                self._total,
                data.full_name,
                verdict,
                result.elapsed_time.total_seconds(),
                result.message,
                len(findings),
            )
        )

    def _record(self, name: str) -> TestRecord | None:
        for library in self.libraries:
            if library.records and library.records[-1].name == name:
                return library.records[-1]
        return None


def run_suites(request: RunRequest) -> RunResult:
    """Run suites on a leased bench. Lab faults end in the result, not in an exception.

    Neither does a signal: the run ends in order, and the result names it.

    Raises: UsageError for suites or Robot options that cannot be used (before anything starts).
    """
    refuse_unusable(request.lab, request.bench, request.personality)
    datasources, options = _robot_arguments(request)
    _refuse_no_tests(datasources, options)
    folder = new_run_folder(request.lab.results)
    result = RunResult(folder)
    with StopSignals() as stop:
        try:
            _run_on_bench(request, datasources, options, result, stop)
        except Stopped:
            _log.info("stopped by %s", stop.name)
        finally:
            with stop.held_off():
                result.stopped = stop.name
                result.exit_code = stop.exit_code or result.exit_code
                _write_summary(result)
    return result


def _write_summary(result: RunResult) -> None:
    text = json.dumps(result.as_dict(), indent=1, ensure_ascii=False)
    (result.folder / "summary.json").write_text(text + "\n", encoding="utf-8")


def _run_on_bench(
    request: RunRequest,
    datasources: list[str],
    options: dict[str, Any],
    result: RunResult,
    stop: StopSignals,
) -> None:
    started = time.monotonic()
    request.on_phase("bringing up the bench")
    try:
        bench = Bench.lease_and_open(
            request.lab,
            request.bench,
            result.folder / "lab",
            personality=request.personality,
            profile=request.profile,
        )
    except LabError as error:
        result.infra = str(error)
        result.verdicts[RunVerdict.INFRA.value] += 1
        return
    finally:
        result.seconds["bring_up"] = time.monotonic() - started
    try:
        stop.check()
        request.on_phase(f"bench {bench.name} is up ({result.seconds['bring_up']:.1f} s)")
        started = time.monotonic()
        code = _run_robot(request, datasources, options, bench, result, stop)
        result.seconds["suites"] = time.monotonic() - started
        result.exit_code = _exit_code(result, code)
    finally:
        started = time.monotonic()
        with stop.held_off():
            bench.close()
            metrics = bench.peer.metrics
            result.transport = {protocol: counted.as_dict() for protocol, counted in metrics.items()}
        result.seconds["tear_down"] = time.monotonic() - started


def _run_robot(
    request: RunRequest,
    datasources: list[str],
    options: dict[str, Any],
    bench: Bench,
    result: RunResult,
    stop: StopSignals,
) -> int:
    fixed = {
        "outputdir": str(result.folder),
        "xunit": "junit.xml",
        "console": "none",
        "listener": [*options.pop("listener", []), RunListener(bench, request, result, stop)],
        "name": options.pop("name", None)
        or (None if request.suites[:1] and len(datasources) == 1 else "rcslab"),
    }
    log = result.folder / "robot-console.txt"
    with log.open("w", encoding="utf-8") as console:
        code = int(robot.run(*datasources, stdout=console, stderr=console, **(options | fixed)))
    mark_infra(result.folder / "junit.xml", result.infra_tests)
    return code


def mark_infra(junit: Path, tests: Collection[str]) -> None:
    """In junit.xml the tests the lab spoilt are errors, not failures: that is JUnit's word for them."""
    if not tests or not junit.is_file():
        return
    tree = ElementTree.parse(junit)
    for suite in tree.iter("testsuite"):
        spoilt = [
            case for case in suite.iter("testcase") if f"{case.get('classname')}.{case.get('name')}" in tests
        ]
        for failure in (failure for case in spoilt for failure in case.findall("failure")):
            failure.tag = "error"
            failure.set("type", "infra")
        errors = sum(case.find("error") is not None for case in suite.iter("testcase"))
        suite.set("errors", str(errors))
        suite.set("failures", str(int(suite.get("failures", "0")) - errors))
    tree.write(junit, encoding="utf-8", xml_declaration=True)


def _exit_code(result: RunResult, robot_code: int) -> int:
    if robot_code == ROBOT_REFUSES and result.tests.total() == 0:
        return ExitCode.UNUSABLE
    if result.verdicts[RunVerdict.FAIL.value]:
        return ExitCode.FAILED
    if result.verdicts[RunVerdict.INFRA.value] or robot_code in (ROBOT_STOPPED, ROBOT_UNEXPECTED):
        return ExitCode.INFRA
    return ExitCode.CLEAN if robot_code == 0 else ExitCode.FAILED


def _robot_arguments(request: RunRequest) -> tuple[list[str], dict[str, Any]]:
    """Robot's own parser takes its options; UsageError when it refuses them."""
    suites = [str(suite) for suite in request.suites]
    for suite in suites:
        if not Path(suite).exists():
            raise UsageError(f"no suite at {suite}; name a .robot file or a folder of them")
    try:
        # A stand-in suite lets the parser accept options that come without one.
        options, extra = RobotFramework().parse_arguments([*request.robot_options, "."])
    except Exception as error:  # noqa: BLE001  # Robot raises several of its own; all mean the same here
        raise UsageError(f"Robot refuses its options: {error}") from None
    given = [str(source) for source in extra[:-1]]
    explicit = {name: value for name, value in options.items() if value not in (None, [], ())}
    for ours in sorted(FIXED_OPTIONS & explicit.keys()):
        raise UsageError(f"--{ours} is set by the run; its folder is `results:` of lab.yaml")
    return suites + given or [str(default_suites())], explicit


def _refuse_no_tests(datasources: list[str], options: dict[str, Any]) -> None:
    """Raises: UsageError with Robot's words when a suite cannot be read or no test is left to run."""
    if options.get("prerunmodifier"):
        return  # what it makes of the suites is not known before
    try:
        settings = RobotSettings(options)
        suite = TestSuiteBuilder(
            custom_parsers=settings.parsers,
            included_extensions=settings.extension,
            included_files=settings.parse_include,
            rpa=settings.rpa,
            lang=settings.languages,
            allow_empty_suite=settings.run_empty_suite,
        ).build(*datasources)
        suite.configure(**settings.suite_config)
    except DataError as error:
        raise UsageError(f"Robot finds nothing to run: {error.message}") from None


def default_suites() -> Path:
    """The suites of the project, beside the packages in a checkout and inside the wheel elsewhere."""
    package = Path(__file__).resolve().parent
    for folder in (package / "_robot" / "suites", package.parent / "robot" / "suites"):
        if folder.is_dir():
            return folder
    raise UsageError("this installation holds no suites; name the ones to run")


def new_run_folder(results: Path) -> Path:
    """results/<time>, new, with results/latest pointing at it."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for suffix in ("", *(f"-{n}" for n in range(2, 1000))):
        folder = results / (stamp + suffix)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be made: {error.strerror}; set `results:` in lab.yaml"
            ) from None
        break
    link = results / f".latest-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name, target_is_directory=True)
    link.replace(results / "latest")
    return folder
