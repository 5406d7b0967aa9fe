"""Timers by the hundred thousand: one queue for each length, since timers of one length end in their order.

Starting and cancelling one takes the same short time however many run. The scheduler knows of one per queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from harness.agent.scheduler import Scheduler, TimerHandle

GRAIN = 0.01  # seconds between two looks at a queue: what ends within them ends together, with the latest
_ROUNDING = 1e-6  # seconds that a scheduler may call too early


class QueuedTimer:
    """A running timer."""

    __slots__ = ("_queue", "callback", "due")

    def __init__(self, queue: _Queue, due: float, callback: Callable[[], None]) -> None:
        self._queue, self.due = queue, due
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Do not call back."""
        if self.callback is not None:
            self.callback = None
            self._queue.tidy()


class TimerQueues:
    """A scheduler on top of another, for timers of which many have the same length."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._queues: dict[float, _Queue] = {}

    def time(self) -> float:
        """The clock of the scheduler below, in seconds."""
        return self._scheduler.time()

    def call_later(self, delay: float, callback: Callable[[], None], /) -> QueuedTimer:
        """Call `callback` after `delay` seconds."""
        queue = self._queues.get(delay)
        if queue is None:
            queue = self._queues[delay] = _Queue(self._scheduler, delay)
        return queue.add(callback)


class _Queue:
    """The timers of one length, the next to end first."""

    def __init__(self, scheduler: Scheduler, length: float) -> None:
        self._scheduler, self._length = scheduler, length
        self._timers: deque[QueuedTimer] = deque()
        self._handle: TimerHandle | None = None

    def add(self, callback: Callable[[], None]) -> QueuedTimer:
        timer = QueuedTimer(self, self._scheduler.time() + self._length, callback)
        self._timers.append(timer)
        if self._handle is None:
            self._handle = self._scheduler.call_later(self._length, self._look)
        return timer

    def tidy(self) -> None:
        """Drop cancelled timers from the front; with none left nothing is scheduled."""
        timers = self._timers
        while timers and timers[0].callback is None:
            timers.popleft()
        if not timers and self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _look(self) -> None:
        """Call back those that have ended, and look again when the next one ends."""
        timers, now = self._timers, self._scheduler.time()
        self._handle = None
        try:
            while timers and (timers[0].due <= now + _ROUNDING or timers[0].callback is None):
                callback, timers[0].callback = timers[0].callback, None
                timers.popleft()
                if callback is not None:
                    callback()
        finally:
            if timers and self._handle is None:
                wait = max(timers[0].due - now, GRAIN)
                self._handle = self._scheduler.call_later(wait, self._look)
