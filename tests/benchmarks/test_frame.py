"""The frame of the benchmarks: ratios in turns, targets, the table and its JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from benchmarks.frame import CannotRun, Effort, Row, Target, as_table, collect, compare, run

QUICK = Effort(rounds=3, scale=0.02)


def test_the_ratio_is_ours_to_theirs() -> None:
    (row,) = compare(
        QUICK,
        "counting",
        {"ours": lambda: sum(range(100)), "ten times as far": lambda: sum(range(1000))},
        Target(2.0),
    )
    assert row.alternative == "ten times as far"
    assert row.ratio is not None
    assert row.ratio > 2
    assert row.met


def test_only_the_named_alternative_has_a_target() -> None:
    runners = {"ours": int, "one": int, "other": int}
    found = list(compare(QUICK, "nothing", runners, Target(0.1), target_against="other"))
    assert [row.target for row in found] == [None, Target(0.1)]
    assert [row.met for row in found] == [None, True]


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target(2.0), False),
        (Target(1.5), True),
        (Target(300, "ours"), True),
        (Target(301, "ours"), False),
        (Target(300, "ours", at_most=True), True),
        (Target(299, "ours", at_most=True), False),
    ],
)
def test_targets(target: Target, met: bool) -> None:
    assert Row("what", "/s", 300.0, "other", 200.0, 1.5, target).met is met


def test_the_table_names_what_was_measured_and_the_machine() -> None:
    row = Row("parse", "/s", 55_000.0, "other", 22_000.0, 2.5, Target(2.0), setting="uvloop", note="remark")
    lines = as_table([row]).splitlines()
    shown = " ".join(lines[2].split())
    assert shown == "parse [uvloop] 55,000 /s other 22,000 /s 2.50 x at least 2 x yes remark"
    assert "CPython" in lines[-1] or "PyPy" in lines[-1]


def test_what_cannot_run_says_why() -> None:
    def rows(_: Effort) -> Iterator[Row]:
        raise CannotRun("sipp is not installed")
        yield

    assert [row.note for row in collect("load", rows, QUICK)] == ["not run: sipp is not installed"]


def test_json_and_the_exit_code_of_a_missed_target(capsys: pytest.CaptureFixture[str]) -> None:
    def rows(effort: Effort) -> Iterator[Row]:
        assert effort.rounds == 2
        yield Row("slow", "/s", 1.0, target=Target(2.0, "ours"))

    assert run({"slow": rows}, ["--json", "--rounds", "2"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["machine"]
    assert (said["rows"][0]["what"], said["rows"][0]["met"]) == ("slow", False)
    assert run({"slow": rows}, ["--check", "--rounds", "2"]) == 1
