"""The conformant flows as fixtures, to be spoiled by a test."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.verify.engine import Verifier
from harness.verify.proof.flows import FLOWS
from harness.verify.proof.script import Script


@pytest.fixture(params=sorted(FLOWS))
def conformant(request: pytest.FixtureRequest) -> Script:
    """Every flow in turn."""
    return FLOWS[request.param]()


@pytest.fixture
def flow() -> Callable[[str], Script]:
    """A flow by name, fresh, to be changed."""
    return lambda name: FLOWS[name]()


@pytest.fixture
def judged() -> Callable[..., list[tuple[str, str]]]:
    """(rule, party) of the findings on a script, in order and without repeats."""

    def judge(script: Script, profile: str = "rcs51", **options: bool) -> list[tuple[str, str]]:
        verifier = Verifier(profile)
        found = verifier.judge(script.timeline(**options))
        return list(dict.fromkeys((finding.rule, finding.party.value) for finding in found))

    return judge
