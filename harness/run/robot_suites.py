"""What Robot is to run: its options, its suites, and what is refused before anything starts."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robot.conf import RobotSettings
from robot.errors import DataError
from robot.model import ModelModifier
from robot.output import LOGGER
from robot.run import RobotFramework
from robot.running import TestSuite
from robot.running.builder import TestSuiteBuilder

from harness.errors import UsageError
from harness.run.request import RunRequest

FIXED_OPTIONS = frozenset({"outputdir", "xunit", "console"})
PROJECT_NAME = "rcslab"
OF_EARLIER_RUNS = frozenset({"rerunfailed", "rerunfailedsuites"})


@dataclass(frozen=True, slots=True)
class RobotSuites:
    """The datasources and options of Robot, named as its command line names them."""

    datasources: list[str]
    options: dict[str, Any]

    def build(self) -> TestSuite:
        """Parse the suites and leave what the options select.

        Raises: UsageError with Robot's words when a suite cannot be read or no test is left to run.
        """
        try:
            settings = RobotSettings(self.options)
            sys.path[:0] = [folder for folder in settings.pythonpath if folder not in sys.path]
            suite = TestSuiteBuilder(
                custom_parsers=settings.parsers,
                included_extensions=settings.extension,
                included_files=settings.parse_include,
                rpa=settings.rpa,
                lang=settings.languages,
                allow_empty_suite=settings.run_empty_suite,
            ).build(*self.datasources)
            if settings.pre_run_modifiers:
                suite.visit(ModelModifier(settings.pre_run_modifiers, settings.run_empty_suite, LOGGER))
            suite.configure(**settings.suite_config)
            suite.validate_execution_mode()
        except DataError as error:
            raise UsageError(f"Robot finds nothing to run: {error.message}") from None
        return suite

    def with_fixed_order(self) -> RobotSuites:
        """The same, with a seed for a random order where one is asked for: all processes agree on it then."""
        wanted = str(self.options.get("randomize", ""))
        if not wanted or ":" in wanted:
            return self
        seeded = f"{wanted}:{random.randrange(sys.maxsize)}"
        return RobotSuites(self.datasources, self.options | {"randomize": seeded})


def robot_suites(request: RunRequest) -> RobotSuites:
    """What is asked for, read by Robot's own parser.

    Raises: UsageError when it refuses the options, or a suite is not there.
    """
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
    for name in OF_EARLIER_RUNS & explicit.keys():
        # results/latest is about to point elsewhere
        explicit[name] = str(Path(explicit[name]).resolve())
    datasources = suites + given or [str(default_suites())]
    if not (suites and len(datasources) == 1):
        explicit.setdefault("name", PROJECT_NAME)
    return RobotSuites(datasources, explicit)


def default_suites() -> Path:
    """The suites of the project, beside the packages in a checkout and inside the wheel elsewhere."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_robot" / "suites", package.parent / "robot" / "suites"):
        if folder.is_dir():
            return folder
    raise UsageError("this installation holds no suites; name the ones to run")
