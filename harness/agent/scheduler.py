"""What calls back later. Every timer of the agent runs on one, so that a test can drive them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class TimerHandle(Protocol):
    """A running timer."""

    def cancel(self) -> None:
        """Do not call back."""


class Scheduler(Protocol):
    """What calls back later: an asyncio loop, or a clock that a test drives."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> TimerHandle:
        """Call `callback` after `delay` seconds."""

    def time(self) -> float:
        """Seconds on a clock that never steps."""


class RunningLoop:
    """The loop that runs when it is asked, for parts that are made before their loop."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> TimerHandle:
        """Call `callback` after `delay` seconds."""
        return asyncio.get_running_loop().call_later(delay, callback)

    def time(self) -> float:
        """Seconds on a clock that never steps."""
        return asyncio.get_running_loop().time()
