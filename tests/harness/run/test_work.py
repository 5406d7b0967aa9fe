"""Sharing work out: the units, the longest first, and what becomes of the work of a lost bench."""

from __future__ import annotations

from pathlib import Path

import pytest
from robot.api import TestSuite as Suite

from harness.run.work import Task, Unit, Work, in_order, only, units_of

PLAIN = "*** Test Cases ***\nOne\n    No Operation\n\nTwo\n    No Operation\n\nThree\n    No Operation\n"
INIT = "*** Settings ***\nSuite Setup    No Operation\n"


def unit(name: str, *tests: str) -> Unit:
    return Unit((), name, tuple(f"{name}.{test}" for test in tests))


@pytest.fixture
def tree(tmp_path: Path) -> Suite:
    """Files at the top, in a plain folder, and in a folder with a setup of its own."""
    for name in ("a.robot", "plain/b.robot", "plain/c.robot", "whole/d.robot", "whole/e.robot"):
        path = tmp_path / "suites" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PLAIN)
    (tmp_path / "suites" / "whole" / "__init__.robot").write_text(INIT)
    return Suite.from_file_system(tmp_path / "suites")


def test_a_file_is_a_unit_and_so_is_a_folder_with_a_setup(tree):
    units = list(units_of(tree))
    assert [each.name for each in units] == ["Suites.A", "Suites.Plain.B", "Suites.Plain.C", "Suites.Whole"]
    assert [each.path for each in units] == [(0,), (1, 0), (1, 1), (2,)]
    assert [len(each.tests) for each in units] == [3, 3, 3, 6]
    assert units[3].tests[3] == "Suites.Whole.E.One"


def test_the_outermost_folder_with_a_setup_is_one_unit(tree, tmp_path: Path):
    (tmp_path / "suites" / "__init__.robot").write_text(INIT)
    (whole,) = units_of(Suite.from_file_system(tmp_path / "suites"))
    assert (whole.path, len(whole.tests)) == ((), 15)


def test_a_task_leaves_nothing_else_in_the_suite(tree):
    units = list(units_of(tree))
    names = [test.full_name for test in in_order(only(tree, Task(1, units[1])))]
    assert names == list(units[1].tests)
    rest = only(tree, Task(1, units[3], first=4))
    assert [test.full_name for test in in_order(rest)] == ["Suites.Whole.E.Two", "Suites.Whole.E.Three"]
    assert [child.name for child in rest.suites[0].suites] == ["E"]
    assert rest.suites[0].has_setup
    assert tree.test_count == 15


def test_the_longest_unit_comes_first_by_what_is_known():
    units = [unit("many", "1", "2", "3"), unit("long", "1"), unit("short", "1", "2")]
    seconds = {"long.1": 9.0, "many.1": 1.0, "many.2": 1.0, "many.3": 1.0, "short.1": 0.1, "short.2": 0.1}
    work = Work(units, seconds)
    assert [work.take(bench).unit.name for bench in "abc"] == ["long", "many", "short"]
    assert work.take("d") is None


def test_a_test_nobody_timed_counts_as_much_as_the_usual_one():
    units = [unit("known", "1", "2"), unit("new", "1", "2", "3")]
    assert Work(units, {"known.1": 1.0, "known.2": 1.0}).take("a").unit.name == "new"
    assert (
        Work(units, {"known.1": 5.0, "known.2": 5.0, "new.1": 0.1, "new.2": 0.1}).take("a").unit.name
        == "known"
    )
    assert Work(units).take("a").unit.name == "new"


def test_what_a_lost_bench_had_not_begun_waits_for_another():
    work = Work([unit("s", "1", "2", "3", "4")])
    work.take("a")
    work.begin("a", "s.1")
    work.end("a")
    work.begin("a", "s.2")
    task, running, never = work.lose("a")
    assert (task.tests, running, never) == (("s.1", "s.2", "s.3", "s.4"), "s.2", ())
    assert not work.over
    assert work.take("b").tests == ("s.3", "s.4")
    work.begin("b", "s.3")
    task, running, never = work.lose("b")
    assert (task.first, running, never) == (2, "s.3", ())
    assert work.take("c").tests == ("s.4",)
    work.finish("c")
    assert work.over


def test_a_bench_lost_between_tests_or_in_the_last_one_loses_no_other():
    work = Work([unit("s", "1", "2")])
    work.take("a")
    work.begin("a", "s.1")
    work.end("a")
    assert work.lose("a")[1:] == (None, ())
    assert work.take("b").tests == ("s.2",)
    work.begin("b", "s.2")
    assert work.lose("b")[1:] == ("s.2", ())
    assert work.over and work.lose("b") is None


def test_a_suite_whose_setup_ends_its_bench_is_not_tried_on_the_next():
    work = Work([unit("s", "1", "2")])
    work.take("a")
    assert work.lose("a")[1:] == (None, ("s.1", "s.2"))
    assert work.take("b") is None and work.over


def test_what_is_given_up_is_named():
    work = Work([unit("s", "1"), unit("t", "1", "2")])
    work.take("a")
    assert [task.unit.name for task in work.give_up()] == ["s"]
    assert not work.over
    work.finish("a")
    assert work.over and work.test_count == 3
