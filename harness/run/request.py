"""What a run is asked for, what it tells while it is on the way, and how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.cpm.profiles import DEFAULT_PROFILE, Profile
from harness.errors import ExitCode
from harness.keywords.test_record import RunVerdict
from harness.lab.model import LabFile
from harness.verify.coverage import CoveragePlan, Covered, Exercise, exercises

ROBOT_REFUSES, ROBOT_STOPPED, ROBOT_UNEXPECTED = 252, 253, 255


@dataclass(frozen=True, slots=True)
class TestEnd:
    """How one test ended. status is Robot's: pass, fail or skip; seconds its duration.

    exited: something ended the run before this test could begin. evidence: its folder, relative to that of
    the run; empty when there is none.
    """

    __test__ = False

    name: str
    status: str
    verdict: RunVerdict
    seconds: float = 0.0
    message: str = ""
    findings: tuple[dict[str, Any], ...] = ()
    exited: bool = False
    evidence: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TestEnd:
        """The inverse of `as_dict`."""
        verdict, findings = RunVerdict(values["verdict"]), tuple(values["findings"])
        return cls(**{**values, "verdict": verdict, "findings": findings})


@dataclass(frozen=True, slots=True)
class Progress:
    """One more test has ended. bench is named where there are several."""

    number: int
    total: int
    end: TestEnd
    bench: str = ""


@dataclass(slots=True)
class RunRequest:
    """What to run, and where: on the named benches, or on `count` free ones.

    robot_options are passed on to Robot as they are.
    """

    lab: LabFile
    benches: Sequence[str] = ()
    count: int = 1
    suites: Sequence[Path] = ()
    robot_options: Sequence[str] = ()
    personality: str | None = None
    profile: str | None = None
    plan: CoveragePlan | None = None
    """What has to be exercised for the run to pass."""
    on_phase: Callable[[str], None] = lambda text: None
    on_test: Callable[[Progress], None] = lambda progress: None


@dataclass(slots=True)
class BenchResult:
    """What one bench did in a run."""

    tests: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    transport: dict[str, dict[str, int]] = field(default_factory=dict)
    covered: Covered = field(default_factory=Covered)
    infra: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON values for summary.json."""
        return {
            "tests": _statuses(self.tests),
            "verdicts": _verdicts(self.verdicts),
            "seconds": _rounded(self.seconds),
            "transport": self.transport,
            "infra": self.infra,
        }


@dataclass(slots=True)
class RunResult:
    """How a run ended. seconds: bring_up, suites, tear_down."""

    folder: Path
    exit_code: int = ExitCode.INFRA
    tests: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    findings: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    test_seconds: dict[str, float] = field(default_factory=dict)
    """How long each test took: what the next run on several benches shares the work out by."""
    benches: dict[str, BenchResult] = field(default_factory=dict)
    infra: str | None = None
    infra_tests: set[str] = field(default_factory=set)
    stopped: str = ""
    """The signal that ended the run before its time."""
    profile: Profile = DEFAULT_PROFILE
    missing: list[str] | None = None
    """What the plan lists and no test exercised; None without a plan."""

    def bench(self, name: str) -> BenchResult:
        """What is known of one bench."""
        return self.benches.setdefault(name, BenchResult())

    def count(self, end: TestEnd, bench: str | None) -> None:
        """Take up one test that ended; bench is None when none of them ran it."""
        for numbers in (self, self.bench(bench)) if bench is not None else (self,):
            numbers.tests[end.status] += 1
            numbers.verdicts[end.verdict.value] += 1
        if end.verdict is RunVerdict.INFRA:
            self.infra_tests.add(end.name)
        elif not end.exited and end.status != "skip":
            self.test_seconds[end.name] = end.seconds
        self.findings += [finding | {"test": end.name} for finding in end.findings]

    def broke(self, error: str, bench: str | None = None) -> None:
        """Note a fault of the lab that belongs to no single test; bench is named where there are several."""
        if bench is not None:
            self.bench(bench).infra = error
            error = f"bench {bench}: {error}"
        self.infra = f"{self.infra}; {error}" if self.infra else error

    @property
    def transport(self) -> dict[str, dict[str, int]]:
        """What the peers' transports counted, by protocol (harness.agent.metrics), all benches together."""
        total: dict[str, Counter[str]] = {}
        for bench in self.benches.values():
            for protocol, counted in bench.transport.items():
                total.setdefault(protocol, Counter()).update(counted)
        return {protocol: dict(counted) for protocol, counted in total.items()}

    @property
    def exercises(self) -> list[Exercise]:
        """Every rule: how often it applied to something on any bench, or why it did not."""
        covered = Covered()
        for bench in self.benches.values():
            covered.add(bench.covered)
        return exercises(covered, self.profile)

    def as_dict(self) -> dict[str, Any]:
        """The content of summary.json."""
        found = self.exercises
        return {
            "tests": _statuses(self.tests),
            "verdicts": _verdicts(self.verdicts),
            "findings": self.findings,
            "seconds": _rounded(self.seconds),
            "benches": {name: bench.as_dict() for name, bench in self.benches.items()},
            "transport": self.transport,
            "exercised": {each.rule.id: each.count for each in found if each.count},
            "not_exercised": {each.rule.id: each.why for each in found if not each.count},
            "missing": self.missing,
            "test_seconds": _rounded(self.test_seconds),
            "infra": self.infra,
            "stopped": self.stopped or None,
            "exit_code": self.exit_code,
        }


def exit_code(result: RunResult, robot_code: int) -> int:
    """A failure of the handset outweighs a fault of the lab, and neither is hidden.

    robot_code is what Robot would end with.
    """
    if robot_code == ROBOT_REFUSES and result.tests.total() == 0:
        return ExitCode.UNUSABLE
    if result.verdicts[RunVerdict.FAIL.value]:
        return ExitCode.FAILED
    broken = result.infra is not None or result.verdicts[RunVerdict.INFRA.value] > 0
    if broken or robot_code in (ROBOT_STOPPED, ROBOT_UNEXPECTED):
        return ExitCode.INFRA
    return ExitCode.CLEAN if robot_code == 0 else ExitCode.FAILED


def _statuses(counted: Counter[str]) -> dict[str, int]:
    return {word: counted[word] for word in ("pass", "fail", "skip")}


def _verdicts(counted: Counter[str]) -> dict[str, int]:
    return {verdict.value: counted[verdict.value] for verdict in RunVerdict}


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in seconds.items()}
