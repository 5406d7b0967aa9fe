"""Each keyword that checks fails when what it checks is not so: a suite of its own, on a simulated bench."""

from __future__ import annotations

from pathlib import Path

import pytest

SUITE = Path(__file__).with_name("keywords.robot")


@pytest.mark.timeout(180)
def test_keywords_that_check_can_fail(own_lab):
    done = own_lab.run("run", SUITE)
    assert done.returncode == 0, done.stdout
    assert own_lab.summary()["tests"]["fail"] == 0
