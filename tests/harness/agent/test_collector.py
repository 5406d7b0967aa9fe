"""Full collections wait for a quiet moment, and the collector is left as it was."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from harness.agent.collector import LOOK_SECONDS, CollectWhenQuiet


class Cycle:
    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def full() -> Iterator[list[int]]:
    """The full collections that took place."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            seen.append(info["generation"])

    gc.callbacks.append(note)
    try:
        yield seen
    finally:
        gc.callbacks.remove(note)


def test_cycles_are_collected_when_nothing_happens_and_only_then(clock: Any, full: list[int]) -> None:
    happened: list[int] = []
    quiet = CollectWhenQuiet(lambda: len(happened), clock)
    quiet.start()
    try:
        full.clear()
        old = [Cycle() for _ in range(10)]
        gone = weakref.ref(old[0])
        gc.collect(0)  # they have lasted
        del old
        for number in range(4):
            happened.append(number)
            clock.advance(LOOK_SECONDS)
        kept = [[] for _ in range(200_000)]  # type: ignore[var-annotated]
        assert not full, "a full collection under load"
        assert gone() is not None
        clock.advance(LOOK_SECONDS)
        assert (len(full), gone()) == (1, None)
        clock.advance(5 * LOOK_SECONDS)
        assert len(full) == 1, "nothing happened since"
        del kept
    finally:
        quiet.stop()


def test_each_object_is_looked_at_once_under_load(clock: Any) -> None:
    quiet = CollectWhenQuiet(lambda: 0, clock)
    quiet.start()
    try:
        before = gc.get_freeze_count()
        kept = [[] for _ in range(200_000)]  # type: ignore[var-annotated]
        assert gc.get_freeze_count() - before > 190_000
        assert len(gc.get_objects()) < 10_000
        del kept
        assert gc.get_freeze_count() - before < 10_000
    finally:
        quiet.stop()


def test_the_collector_is_left_as_it_was(clock: Any) -> None:
    before = gc.get_threshold()
    quiet = CollectWhenQuiet(lambda: 0, clock)
    quiet.start()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold() != before
    quiet.stop()
    quiet.stop()
    assert (gc.get_threshold(), gc.get_freeze_count(), clock.handles) == (before, 0, [])
