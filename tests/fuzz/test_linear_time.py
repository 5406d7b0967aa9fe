"""No input takes a parser more than linear time: four times the octets cost about four times the work.

Measured in CPU time of this process, which other load does not count into. What is cheap in any case passes;
what is not is measured several times before it is called guilty, so that no verdict hangs on one hiccup.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator

import pytest

from .families import CAPTURES, FAMILIES
from .targets import TARGETS

SMALL, LARGE = 5 * 1024, 20 * 1024  # octets
CHEAP = 4e-3  # seconds: LARGE octets at this price are no attack
GROWTH = 8.0  # linear is 4, quadratic 16
ATTEMPTS = 5


@pytest.fixture(autouse=True)
def without_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def seconds(work: Callable[[bytes], None], data: bytes) -> float:
    begin = time.process_time()
    work(data)
    return time.process_time() - begin


def growth(work: Callable[[bytes], None], small: bytes, large: bytes) -> float:
    """How much more the large input costs than the small one, at its best."""
    cost = seconds(work, large)
    if cost < CHEAP:
        return 0.0
    least, ratio = float("inf"), 0.0
    for _ in range(ATTEMPTS):
        least, cost = min(least, seconds(work, small)), min(cost, seconds(work, large))
        ratio = cost / max(least, 1e-5)
        if ratio < GROWTH:
            break
    return ratio


@pytest.mark.parametrize("name", FAMILIES)
def test_what_grows_four_times_costs_about_four_times(name: str) -> None:
    work = TARGETS[name].fuzz_one
    guilty = {
        str(family): round(ratio, 1)
        for family in FAMILIES[name]()
        if (ratio := growth(work, family.make(SMALL), family.make(LARGE))) >= GROWTH
    }
    assert guilty == {}


@pytest.mark.parametrize("name", CAPTURES)
def test_a_capture_of_four_times_the_frames_costs_about_four_times(name: str) -> None:
    make = CAPTURES[name]
    assert growth(TARGETS["capture"].fuzz_one, make(1000), make(4000)) < GROWTH


def test_a_parser_that_goes_back_is_found_guilty() -> None:
    def quadratic(data: bytes) -> None:
        for place in range(0, len(data), 16):
            data[place:].count(b"x")

    assert growth(quadratic, b"x" * SMALL, b"x" * LARGE) >= GROWTH
