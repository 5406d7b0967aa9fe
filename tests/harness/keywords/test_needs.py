"""What a test needs of the network simulator is found in its keywords, wherever they are written."""

from __future__ import annotations

from pathlib import Path

import pytest
from robot import running
from robot.api import SkipExecution

from harness.keywords.needs import needed_by, needs
from harness.RCS import RCS, skip_instead
from instruments.capability import Operation


@needs(Operation.SERVICE)
def take_out() -> None:
    """A keyword that needs something."""


@needs(Operation.TAC, Operation.ECI)
def change_cell() -> None:
    """One that needs two things."""


def plain() -> None:
    """One that needs nothing."""


KEYWORDS = {"take_out": take_out, "change_cell": change_cell, "plain": plain}
RESOURCE = """\
*** Settings ***
Resource    deeper.resource

*** Keywords ***
Leave
    Go Deeper
"""
DEEPER = """\
*** Settings ***
Resource    suite.resource

*** Keywords ***
Go Deeper
    IF    True
        Take Out
    END
    Leave
"""
HEAD = "*** Settings ***\nResource    suite.resource\n{}\n*** Test Cases ***\nOne\n{}"


@pytest.fixture
def needed(tmp_path: Path):
    (tmp_path / "suite.resource").write_text(RESOURCE)
    (tmp_path / "deeper.resource").write_text(DEEPER)

    def found(steps: str, settings: str = "") -> dict[Operation, str]:
        file = tmp_path / "suite.robot"
        file.write_text(HEAD.format(settings, steps))
        return needed_by(running.TestSuite.from_file_system(file).tests[0], KEYWORDS)

    return found


def test_a_keyword_of_the_library(needed):
    assert needed("    Plain\n    harness.RCS.take out\n") == {Operation.SERVICE: "harness.RCS.take out"}


def test_keywords_of_resource_files_that_import_each_other(needed):
    assert needed("    Leave\n") == {Operation.SERVICE: "Take Out"}


def test_setup_teardown_blocks_and_keywords_given_as_arguments(needed):
    assert set(needed("    [Setup]    Take Out\n    Plain\n")) == {Operation.SERVICE}
    assert set(needed("    Plain\n", "Test Teardown    Change Cell")) == {Operation.TAC, Operation.ECI}
    assert set(needed("    Run Keyword And Ignore Error    Change Cell\n")) == {Operation.TAC, Operation.ECI}
    assert set(needed("    TRY\n        Change Cell\n    EXCEPT\n        Plain\n    END\n")) == {
        Operation.TAC,
        Operation.ECI,
    }


def test_what_needs_nothing(needed):
    assert needed("    Plain\n    Log    text\n") == {}


class Bench:
    """A bench whose network simulator can do nothing but switch its cell."""

    name, network_simulator_name = "a", "driver small"

    def offers(self, operation: Operation) -> bool:
        return operation is Operation.CELL


def test_a_test_that_needs_more_than_the_bench_has_is_skipped_before_its_first_step(tmp_path: Path):
    file = tmp_path / "suite.robot"
    steps = ("Fail    begun", "Switch Cell Off", "Take Cell Out Of Service")
    file.write_text("\n    ".join(["*** Test Cases ***\nOne", *steps]))
    suite = running.TestSuite.from_file_system(file)
    lacking = RCS()._lacking(suite.tests[0], Bench())
    assert lacking == (
        "Take Cell Out Of Service needs an operation that the network simulator of bench a has not: "
        "take the cell out of service, and back (driver small)"
    )
    skip_instead(suite.tests[0], lacking)
    (test,) = suite.run(output=None, console="none").suite.tests
    assert (test.status, test.message) == ("SKIP", lacking)


def test_a_keyword_nobody_could_find_before_is_skipped_when_it_runs():
    """Its name came from a variable, or it opened the bench."""
    library = RCS()
    library.use_bench(Bench())
    with pytest.raises(SkipExecution, match=r"take_cell_out_of_service needs an operation .*driver small"):
        library.run_keyword("take_cell_out_of_service", [])
