"""What happened at the peer, in order, and waiting for it.

Keywords wait here instead of polling. The journal is no evidence: findings come from the timeline alone.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from harness.errors import NotSeen
from harness.evidence.timeline import Timeline

log = logging.getLogger(__name__)

KEPT = 5000
"""Events, messages and the like that a peer remembers at least."""
_SHOWN = 8  # events quoted in an error; the rest is in the journal


class EventKind(StrEnum):
    """What a journal entry tells."""

    REGISTERED = "registered"
    REFRESHED = "refreshed"
    DEREGISTERED = "deregistered"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    MESSAGE_RECEIVED = "message received"
    MESSAGE_SENT = "message sent"
    NOTIFICATION_RECEIVED = "notification received"
    NOTIFICATION_SENT = "notification sent"
    INVITED = "invited"
    CANCELLED = "cancelled"
    RINGING = "ringing"
    SESSION_BEGUN = "session begun"
    SESSION_REFRESHED = "session refreshed"
    SESSION_FAILED = "session failed"
    SESSION_ENDED = "session ended"
    FILE_RECEIVED = "file received"
    MESSAGE_LOST = "message lost"
    STORED = "message stored"
    COMPOSING = "composing"
    MEMBERS_CHANGED = "members changed"
    REFERRED = "referred"
    CAPABILITIES_ASKED = "capabilities asked"
    ANSWERED = "answered"
    WITHHELD = "withheld"
    FAILED = "failed"


class PeerEvent(NamedTuple):
    """One thing that happened.

    number: place in the journal, from 1. time: seconds since the Unix epoch. timeline: number of the last
    entry of the timeline when it happened. subject: the value it is about (Binding, ReceivedMessage, ...).
    told: what it says, with {} for each of the values if there are any: few events of a load are ever read.
    """

    number: int
    time: float
    timeline: int
    kind: EventKind
    told: str
    subject: Any = None
    values: tuple[object, ...] = ()

    @property
    def text(self) -> str:
        """What it says, for people."""
        return self.told.format(*self.values) if self.values else self.told

    def __str__(self) -> str:
        return f"{self.kind} {self.text}"


_T = TypeVar("_T")
Predicate = Callable[[PeerEvent], bool]


@dataclass(eq=False, slots=True)
class _Waiter:
    predicate: Predicate
    after: int
    seen: asyncio.Future[PeerEvent]


class Recent(list[_T]):
    """A list that lets go of its oldest half when it has grown to twice KEPT: what is remembered of a load.

    Nothing that is judged goes with it; the timeline keeps all octets.
    """

    def append(self, each: _T) -> None:
        """Add one at the end."""
        super().append(each)
        if len(self) >= 2 * KEPT:
            del self[:-KEPT]


class Journal:
    """The newest events, and who waits for one. Belongs to the loop of the peer."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._waiters: list[_Waiter] = []
        self.events: Recent[PeerEvent] = Recent()
        self._count = 0

    @property
    def timeline_number(self) -> int:
        """Number of the last entry of the timeline: what `after` takes to mean "from now on"."""
        return len(self._timeline)

    def add(self, kind: EventKind, told: str, subject: Any = None, *values: object) -> PeerEvent:
        """Append an event, log it, and wake who waits for it."""
        self._count += 1
        timeline = self._timeline
        event = PeerEvent(self._count, timeline.now(), len(timeline), kind, told, subject, values)
        self.events.append(event)
        if log.isEnabledFor(logging.INFO):
            log.info("%s", event, extra={"peer_event": event.number, "kind": kind.value})
        for waiter in self._waiters:
            if not waiter.seen.done() and event.timeline > waiter.after and waiter.predicate(event):
                waiter.seen.set_result(event)
        return event

    def since(self, after: int, *kinds: EventKind) -> list[PeerEvent]:
        """Events later than timeline number `after`, of these kinds (all kinds when none is given)."""
        events = self.events
        later = events[bisect_right(events, after, key=lambda event: event.timeline) :]
        return [event for event in later if event.kind in kinds] if kinds else later

    async def wait(
        self,
        predicate: Predicate,
        timeout: float,
        *,
        after: int = 0,
        expected: str = "an event",
        kinds: tuple[EventKind, ...] = (),
    ) -> PeerEvent:
        """The first event later than timeline number `after` that the predicate accepts.

        Raises NotSeen after `timeout` seconds; it says what was expected and which events (of `kinds`) came.
        """
        event = next((event for event in self.since(after) if predicate(event)), None)
        if event is not None:
            return event
        waiter = _Waiter(predicate, after, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                return await waiter.seen
        except TimeoutError:
            raise NotSeen(
                f"{expected} was expected within {timeout:g} s; {self._instead(after, kinds)}"
            ) from None
        finally:
            self._waiters.remove(waiter)

    def _instead(self, after: int, kinds: tuple[EventKind, ...]) -> str:
        seen = self.since(after, *kinds)
        if not seen:
            return "nothing of the kind was seen"
        older = f"{len(seen) - _SHOWN} older and " if len(seen) > _SHOWN else ""
        return f"seen instead: {older}" + "; ".join(str(event) for event in seen[-_SHOWN:])

    def close(self) -> None:
        """Wake every waiter with NotSeen: nothing more will happen."""
        for waiter in self._waiters:
            if not waiter.seen.done():
                waiter.seen.set_exception(NotSeen("the peer was stopped while an event was awaited"))
