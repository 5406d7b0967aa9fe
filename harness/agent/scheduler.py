"""What calls back later. Every timer of the agent runs on one, so that a test can drive them."""

from __future__ import annotations

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
