"""The exit code of a run: a failure of the handset outweighs a fault of the lab, and neither is hidden."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from harness.run.request import RunResult, exit_code


@pytest.mark.parametrize(
    ("verdicts", "robot", "code"),
    [
        ({"pass": 3}, 0, 0),
        ({"pass": 2, "fail": 1}, 1, 1),
        ({"pass": 2, "infra": 1}, 1, 3),
        ({"pass": 1, "infra": 1, "fail": 1}, 2, 1),
        ({"pass": 2, "inconc": 1}, 0, 0),
        ({"pass": 3}, 1, 1),
        ({"pass": 1}, 253, 3),
        ({"pass": 1}, 255, 3),
        ({}, 252, 2),
    ],
)
def test_the_exit_code_tells_the_worst(verdicts: dict[str, int], robot: int, code: int) -> None:
    result = RunResult(Path(), verdicts=Counter(verdicts), tests=Counter(pass_=sum(verdicts.values())))
    assert exit_code(result, robot) == code
