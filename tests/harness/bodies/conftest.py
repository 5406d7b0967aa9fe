"""What the tests of body parsers share: a judge of how time grows."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import pytest

from harness.errors import BodySyntaxError

Input = TypeVar("Input", str, bytes)


def best_seconds(parse: Callable[[Input], object], data: Input) -> float:
    """The least CPU seconds of three runs; our own error is an answer too."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        with suppress(BodySyntaxError):
            parse(data)
        best = min(best, time.process_time() - start)
    return best


def assert_linear(parse: Callable[[Input], object], make: Callable[[int], Input], size: int = 2_000) -> None:
    """Eight times the input may take up to 32 times as long; a square would take 64 times."""
    floor = 0.003  # below this the clock tells more of the machine than of the parser
    small = max(floor, best_seconds(parse, make(size)))
    assert best_seconds(parse, make(8 * size)) < 32 * small


@pytest.fixture(name="assert_linear")
def _assert_linear() -> Callable[..., None]:
    return assert_linear
