"""Ctrl-C and SIGTERM while a run is on the way: it ends in order, and says which signal it was.

Robot ends a suite gracefully at the first signal and hard at the second; everywhere else the signal raises.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal ended the run. No Exception: nothing that mends or retries may catch it."""


class StopSignals:
    """Handles the signals between `with` and its end. `number` is the first one that came.

    Only the main thread can handle signals; elsewhere this does nothing.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.patient = False
        """Whether the first signal is only noted, because what is under way ends soon by itself."""
        self.relay: Callable[[int], None] | None = None
        """Who is given each signal in place of us: the processes that do the work end, and we after them."""
        self._before: dict[int, Any] = {}

    @property
    def exit_code(self) -> int | None:
        """128 and the signal's number, as shells say it; None when none came."""
        return None if self.number is None else 128 + self.number

    @property
    def name(self) -> str:
        """SIGINT or SIGTERM; empty when none came."""
        return "" if self.number is None else signal.Signals(self.number).name

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def listen_in(self) -> None:
        """Take note of signals that somebody else handles from now on (Robot, while it runs a suite).

        One that came before, and was swallowed by somebody's bare `except`, is handed on to them.
        """
        for number in self._before:
            theirs = signal.getsignal(number)
            if callable(theirs) and theirs != self._handle:
                signal.signal(number, _noting(self, theirs))
                if self.number == number:
                    theirs(number, None)

    def check(self) -> None:
        """Raises: Stopped, again, when a signal came."""
        if self.number is not None:
            raise Stopped(self.name)

    @contextmanager
    def held_off(self) -> Iterator[None]:
        """Let nothing interrupt a tear-down; it is short."""
        handlers = {number: signal.signal(number, signal.SIG_IGN) for number in self._before}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def note(self, number: int) -> None:
        """Remember the first signal."""
        if self.number is None:
            self.number = number

    def _handle(self, number: int, frame: FrameType | None) -> None:
        first = self.number is None
        self.note(number)
        if self.relay is not None:
            self.relay(number)
        elif not (first and self.patient):
            raise Stopped(signal.Signals(number).name)


def _noting(signals: StopSignals, handler: Any) -> Any:
    def handle(number: int, frame: FrameType | None) -> None:
        signals.note(number)
        handler(number, frame)

    return handle
