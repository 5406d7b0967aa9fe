"""What a run remembers of the runs before it."""

from __future__ import annotations

import json
from pathlib import Path

from harness.keywords.test_record import RunVerdict
from harness.run.request import RunResult, TestEnd
from harness.run.result_files import known_seconds, write_summary


def summary(results: Path, name: str, *ends: TestEnd) -> None:
    (results / name).mkdir()
    result = RunResult(results / name)
    for end in ends:
        result.count(end, "a")
    write_summary(result)


def test_the_last_time_of_each_test_counts(tmp_path: Path):
    passed = RunVerdict.PASS
    summary(
        tmp_path, "20260101-000000", TestEnd("s.1", "pass", passed, 1.0), TestEnd("s.2", "pass", passed, 2.0)
    )
    summary(tmp_path, "20260102-000000", TestEnd("s.1", "fail", RunVerdict.FAIL, 5.0))
    skipped = TestEnd("s.2", "skip", RunVerdict.INCONC, 0.01)
    left = TestEnd("s.1", "fail", RunVerdict.INCONC, 0.0, exited=True)
    lost = TestEnd("s.1", "fail", RunVerdict.INFRA, 0.0)
    summary(tmp_path, "20260103-000000", skipped, left, lost)
    assert known_seconds(tmp_path) == {"s.1": 5.0, "s.2": 2.0}


def test_what_cannot_be_read_tells_nothing(tmp_path: Path):
    for number, text in enumerate(("", "[]", "{}", json.dumps({"test_seconds": {"s.1": "long"}}))):
        (tmp_path / f"2026-{number}").mkdir()
        (tmp_path / f"2026-{number}" / "summary.json").write_text(text)
    assert known_seconds(tmp_path) == {}
    assert known_seconds(tmp_path / "nothing") == {}
