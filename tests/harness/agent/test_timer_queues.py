"""Timers in queues end when timers of a loop would, and cost the same however many there are."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.agent.sip.timer_queues import GRAIN, TimerQueues
from tests.harness.agent.conftest import ManualClock


def test_timers_of_one_length_end_in_their_order_and_on_time(clock: ManualClock) -> None:
    queues, ended = TimerQueues(clock), list[tuple[str, float]]()
    for name, start in (("first", 0.0), ("second", 1.0), ("third", 1.5)):
        clock.advance(start - clock.now)
        queues.call_later(4.0, lambda name=name: ended.append((name, clock.now)))
    assert len(clock.handles) == 1
    clock.advance(10)
    assert ended == [("first", 4.0), ("second", 5.0), ("third", 5.5)]
    assert clock.handles == []


def test_a_cancelled_timer_does_not_call_and_leaves_nothing_scheduled(clock: ManualClock) -> None:
    queues, ended = TimerQueues(clock), list[str]()
    one, other = (queues.call_later(1.0, partial(ended.append, name)) for name in ("one", "other"))
    one.cancel()
    clock.advance(1)
    assert ended == ["other"]
    last = queues.call_later(1.0, partial(ended.append, "last"))
    last.cancel()
    last.cancel()
    other.cancel()
    assert clock.handles == []


def test_a_timer_may_start_and_cancel_others(clock: ManualClock) -> None:
    queues, ended = TimerQueues(clock), list[str]()

    def first() -> None:
        ended.append("first")
        second.cancel()
        queues.call_later(1.0, partial(ended.append, "third"))

    queues.call_later(1.0, first)
    second = queues.call_later(1.0, partial(ended.append, "second"))
    clock.advance(2)
    assert ended == ["first", "third"]
    assert clock.handles == []


def test_what_a_timer_raises_keeps_no_other_from_its_end(clock: ManualClock) -> None:
    queues, ended = TimerQueues(clock), list[str]()
    queues.call_later(1.0, partial([].remove, "absent"))
    queues.call_later(1.0, partial(ended.append, "after"))
    with pytest.raises(ValueError, match="not in list"):
        clock.advance(1)
    clock.advance(GRAIN)
    assert ended == ["after"]


_STEPS = st.lists(
    st.tuples(st.sampled_from(["start", "cancel", "wait"]), st.integers(0, 400), st.integers(0, 3)),
    max_size=60,
)


@given(_STEPS)
def test_they_end_when_those_of_the_clock_do(steps: list[tuple[str, int, int]]) -> None:
    from_clock, from_queues = _played(steps, lambda clock: clock), _played(steps, TimerQueues)
    assert [name for name, _ in sorted(from_clock)] == [name for name, _ in sorted(from_queues)]
    for (_, due), (_, ended) in zip(sorted(from_clock), sorted(from_queues), strict=True):
        assert due - 1e-6 <= ended <= due + GRAIN + 1e-6


def _played(steps: list[tuple[str, int, int]], scheduler: Callable[[Any], Any]) -> list[tuple[int, float]]:
    """Which timers ended when."""
    clock = ManualClock()
    timers, ended, running = scheduler(clock), list[tuple[int, float]](), list[Any]()
    for number, (step, amount, kind) in enumerate(steps):
        if step == "wait":
            clock.advance(amount / 1000)
        elif step == "start":
            length = (0.1, 0.5, 0.5, 2.0)[kind]
            running.append(timers.call_later(length, lambda number=number: ended.append((number, clock.now))))
        elif running:
            running.pop(amount % len(running)).cancel()
    clock.advance(10)
    return ended


@pytest.fixture
def _no_collector() -> Iterator[None]:
    """What the collector takes depends on all that the other tests left behind."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collector")
def test_a_hundred_thousand_timers_cost_each_as_much_as_a_thousand() -> None:
    few, many = (_seconds(count) for count in (1_000, 100_000))
    assert many < 100 * few * 4 + 0.05  # what grows with the square takes 10,000 times as long


def _seconds(count: int) -> float:
    """Processor time for starting as many, cancelling every second one and ending the rest; best of 3."""
    best = float("inf")
    for _ in range(3):
        clock = ManualClock()
        queues, ended = TimerQueues(clock), list[int]()
        start = time.process_time()
        timers = [queues.call_later(32.0, partial(ended.append, number)) for number in range(count)]
        for timer in timers[::-2]:
            timer.cancel()
        clock.advance(33)
        best = min(best, time.process_time() - start)
        assert len(ended) == count // 2
    return best
