"""Results of several benches made one: as if one bench had run it all."""

from __future__ import annotations

from pathlib import Path

import pytest
from robot.api import ExecutionResult
from robot.api import TestSuite as Suite
from robot.conf import RobotSettings

from harness.keywords.test_record import RunVerdict
from harness.run.merging import Part, merged, not_run, write_results
from harness.run.request import TestEnd
from harness.run.work import Task, only, units_of

SUITE = """*** Settings ***
Suite Setup    Log    begins
Metadata    Kind    ${{'made' + ' up'}}

*** Test Cases ***
One
    [Tags]    smoke
    Log    one
    Log    look here    WARN

Two
    Fail    not good

Three
    Log    three
"""


@pytest.fixture
def tree(tmp_path: Path) -> Suite:
    for name in ("a", "b", "inner/c"):
        path = tmp_path / "suites" / f"{name}.robot"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SUITE)
    return Suite.from_file_system(tmp_path / "suites")


def ran(tree: Suite, task: Task, bench: str, folder: Path) -> Part:
    output = folder / f"{task.number}.xml"
    with (folder / "console").open("w") as console:
        only(tree, task).run(output=str(output), console="none", stdout=console, stderr=console)
    return Part(task, bench, output)


def names(suite) -> list[str]:
    return [test.full_name for test in suite.all_tests]


def test_parts_in_any_order_make_the_suite_as_it_was_planned(tree, tmp_path: Path):
    parts = [
        ran(tree, Task(number, unit), bench, tmp_path)
        for number, (unit, bench) in enumerate(zip(reversed(list(units_of(tree))), "aba", strict=True))
    ]
    result = merged(tree, parts)
    assert names(result.suite) == names(tree)
    assert [suite.name for suite in result.suite.suites] == ["A", "B", "Inner"]
    assert result.suite.suites[0].metadata == {"Bench": "a", "Kind": "made up"}
    assert result.suite.suites[1].metadata["Bench"] == "b"
    assert "Bench" not in result.suite.metadata
    assert result.suite.suites[0].setup.body[0].message == "begins"
    stats = result.statistics.total
    assert (stats.passed, stats.failed) == (6, 3)
    assert [message.message for message in result.errors.messages] == ["look here"] * 3
    times = [message.timestamp for message in result.errors.messages]
    assert times == sorted(times)
    assert result.suite.start_time <= min(suite.start_time for suite in result.suite.suites)
    assert result.suite.end_time >= max(suite.end_time for suite in result.suite.suites)


def test_the_tests_of_a_unit_that_two_benches_ran_stand_in_one_suite(tree, tmp_path: Path):
    unit = next(units_of(tree))
    died = Part(
        Task(1, unit),
        "a",
        None,
        (
            TestEnd(unit.tests[0], "pass", RunVerdict.PASS, 1.5, evidence='evidence/One"&'),
            TestEnd(unit.tests[1], "fail", RunVerdict.INFRA, message="infra: gone"),
        ),
    )
    result = merged(tree, [ran(tree, Task(2, unit, first=2), "b", tmp_path), died])
    (suite,) = result.suite.suites
    assert names(suite) == list(unit.tests)
    assert suite.metadata["Bench"] == "a, b"
    one, two, three = suite.tests
    assert (one.status, one.elapsed_time.total_seconds(), list(one.tags)) == ("PASS", 1.5, ["smoke"])
    assert one.body[0].message == 'Evidence: <a href="evidence/One&quot;&amp;/">evidence/One&quot;&amp;</a>'
    assert (two.status, two.message, list(two.tags)) == ("FAIL", "infra: gone", ["infra"])
    assert three.body[0].body[0].message == "three"


def test_tests_that_nobody_ran_are_in_the_result(tree, tmp_path: Path):
    units = list(units_of(tree))
    left = [
        Part(Task(n, unit), ends=not_run(unit.tests, RunVerdict.INCONC, "stopped", exited=True))
        for n, unit in enumerate(units[1:])
    ]
    result = merged(tree, [ran(tree, Task(9, units[0]), "a", tmp_path), *left])
    assert names(result.suite) == names(tree)
    assert {(test.status, test.message) for test in result.suite.suites[2].all_tests} == {("FAIL", "stopped")}
    assert all(test.tags.robot("exit") for test in result.suite.suites[1].tests)


def test_the_files_are_those_the_options_ask_for(tree, tmp_path: Path):
    parts = [ran(tree, Task(n, unit), "a", tmp_path) for n, unit in enumerate(units_of(tree))]
    out = tmp_path / "out"
    out.mkdir()
    options = {"outputdir": str(out), "xunit": "junit.xml", "console": "none", "report": "NONE"}
    assert write_results(tree, parts, RobotSettings(options)) == 3
    assert {path.name for path in out.iterdir()} == {"output.xml", "junit.xml", "log.html"}
    again = ExecutionResult(str(out / "output.xml"))
    assert names(again.suite) == names(tree)
    assert write_results(tree, parts, RobotSettings(options | {"statusrc": False, "log": "NONE"})) == 0
