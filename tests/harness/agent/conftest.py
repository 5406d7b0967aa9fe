"""What agent tests share: a clock they drive, waiting for the timeline, and a loop that forgives nothing."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from harness.evidence.timeline import Entry, Event, Packet, Timeline


class ManualClock:
    """A scheduler whose time passes only when a test says so."""

    class Handle:
        def __init__(self, clock: ManualClock, when: float, callback: Callable[[], None]) -> None:
            self.clock, self.when, self.callback = clock, when, callback

        def cancel(self) -> None:
            if self in self.clock.handles:
                self.clock.handles.remove(self)

    def __init__(self) -> None:
        self.now = 0.0
        self.handles: list[ManualClock.Handle] = []

    def call_later(self, delay: float, callback: Callable[[], None], /) -> ManualClock.Handle:
        handle = self.Handle(self, self.now + delay, callback)
        self.handles.append(handle)
        return handle

    def time(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [each for each in self.handles if each.when <= end + 1e-9]:
            first = min(due, key=lambda each: each.when)
            self.handles.remove(first)
            self.now = first.when
            first.callback()
        self.now = end


class Watch:
    """Waits for entries of a timeline."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline

    async def until(self, what: Callable[[list[Entry]], Any], seconds: float = 5) -> Any:
        """What `what` returns for the entries, as soon as it is true."""
        changed = asyncio.Event()
        stop = self.timeline.listen(lambda _: changed.set())
        try:
            async with asyncio.timeout(seconds):
                while not (found := what(self.timeline.since(0))):
                    changed.clear()
                    await changed.wait()
                return found
        finally:
            stop()

    async def packets(self, count: int) -> list[Packet]:
        return await self.until(
            lambda entries: _of(Packet, entries) if len(_of(Packet, entries)) >= count else None
        )

    async def event(self, part: str) -> Event:
        found = await self.until(lambda entries: [each for each in _of(Event, entries) if part in each.text])
        return found[0]


def _of(kind: type[Any], entries: list[Entry]) -> list[Any]:
    return [each for each in entries if isinstance(each, kind)]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def watch() -> type[Watch]:
    return Watch


@pytest.fixture
def in_loop() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine and fails on anything the loop had to complain about."""

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        complaints: list[dict[str, Any]] = []

        async def watched() -> Any:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
            try:
                async with asyncio.timeout(20):
                    return await coroutine
            finally:
                gc.collect()

        result = asyncio.run(watched())
        gc.collect()
        assert complaints == []
        return result

    return run
