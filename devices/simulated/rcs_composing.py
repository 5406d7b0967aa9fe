"""Who is writing, both ways: the state machines of RFC 3994 3.2 and 3.3 with their timers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from harness.bodies.is_composing import ASSUMED_REFRESH, IsComposing, write_is_composing

IDLE_SECONDS = 15.0
_TEXT = "text/plain"


class OwnComposing:
    """Our user writes in one session. send: gives a document to the other side."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._active = False
        self._refreshing: asyncio.TimerHandle | None = None
        self._ending: asyncio.TimerHandle | None = None

    def changed(self) -> None:
        """The user typed something."""
        if not self._active:
            self._active = True
            self._tell_active()
        _stop(self._ending)
        self._ending = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.stopped)

    def stopped(self) -> None:
        """The user gave up, or has typed nothing for a while."""
        if self._active:
            self.over()
            self._send(write_is_composing(IsComposing("idle")))

    def over(self) -> None:
        """The text was sent, which says enough, or the session has ended."""
        self._active = False
        _stop(self._refreshing)
        _stop(self._ending)

    def _tell_active(self) -> None:
        self._send(write_is_composing(IsComposing("active", None, _TEXT, ASSUMED_REFRESH)))
        loop = asyncio.get_running_loop()
        self._refreshing = loop.call_later(ASSUMED_REFRESH, self._tell_active)


class OthersComposing:
    """Those on the other side. tell: who, and whether they write now; called at each change."""

    def __init__(self, tell: Callable[[str, bool], None]) -> None:
        self._tell = tell
        self._active: dict[str, asyncio.TimerHandle] = {}

    def take(self, who: str, status: IsComposing) -> None:
        """A status message came."""
        if not status.active:
            self.stopped(who)
            return
        held = self._active.pop(who, None)
        _stop(held)
        self._active[who] = asyncio.get_running_loop().call_later(status.lasts, self.stopped, who)
        if held is None:
            self._tell(who, True)

    def stopped(self, who: str) -> None:
        """A message of theirs came, they say so, or nothing was heard for too long."""
        held = self._active.pop(who, None)
        _stop(held)
        if held is not None:
            self._tell(who, False)

    def over(self) -> None:
        """The session has ended: nobody writes any more."""
        for who in tuple(self._active):
            self.stopped(who)


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
