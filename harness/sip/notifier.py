"""The notifier of RFC 6665 4.2 as a machine: NOTIFIER reads `(state, input): (next state, what to do)`.

An input without an entry is absorbed. Whether a SUBSCRIBE is taken, and what bodies say, is left to whoever
runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from harness.sip.event_headers import SubscriptionState
from harness.sip.subscription import (
    ENDS_SUBSCRIPTION,
    Action,
    Ended,
    SendNotify,
    StartTimer,
    State,
    StopTimer,
    Timer,
)


class Event(Enum):
    """What a notifier is told, besides the end of the time."""

    GRANTED = auto()  # a SUBSCRIBE, and its sender may know
    UNDECIDED = auto()  # a SUBSCRIBE, and somebody has yet to say whether its sender may know
    LEFT = auto()  # a SUBSCRIBE with Expires 0: a poll, or the end (4.2.1.4, 4.4.3)
    CHANGED = auto()  # the resource changed
    CLOSED = auto()  # we end it
    LOST = auto()  # the subscriber does not answer, or answered what ends a subscription


class Make(Enum):
    """What a step of a notifier does."""

    COUNT = auto()  # the time starts anew
    NOTIFY = auto()
    STOP = auto()
    LAST = auto()  # the NOTIFY that says `terminated`
    END = auto()


_INIT, _PENDING, _ACTIVE, _OVER = State.INIT, State.PENDING, State.ACTIVE, State.TERMINATED
_LAST = (_OVER, (Make.STOP, Make.LAST, Make.END))
NOTIFIER: Mapping[tuple[State, Event | Timer], tuple[State, tuple[Make, ...]]] = {
    (_INIT, Event.GRANTED): (_ACTIVE, (Make.COUNT, Make.NOTIFY)),
    (_INIT, Event.UNDECIDED): (_PENDING, (Make.COUNT, Make.NOTIFY)),
    (_INIT, Event.LEFT): _LAST,
    (_ACTIVE, Event.GRANTED): (_ACTIVE, (Make.COUNT, Make.NOTIFY)),
    (_ACTIVE, Event.UNDECIDED): (_ACTIVE, (Make.COUNT, Make.NOTIFY)),  # a refresh; it was decided before
    (_ACTIVE, Event.CHANGED): (_ACTIVE, (Make.NOTIFY,)),
    (_PENDING, Event.GRANTED): (_ACTIVE, (Make.NOTIFY,)),
    (_PENDING, Event.UNDECIDED): (_PENDING, (Make.COUNT, Make.NOTIFY)),
    **{
        (state, told): after
        for state in (_ACTIVE, _PENDING)
        for told, after in (
            (Event.LEFT, _LAST),
            (Event.CLOSED, _LAST),
            (Event.LOST, (_OVER, (Make.STOP, Make.END))),
            (Timer.EXPIRY, _LAST),
        )
    },
}


class Notifier:
    """One subscription at the end that tells. ends_at: when it ends, in the time given to the methods."""

    def __init__(self) -> None:
        self.state = State.INIT
        self.ends_at = 0.0
        self._reason = "timeout"
        self._retry_after: int | None = None
        self._status: int | None = None

    def subscribed(self, expires: int, now: float, *, granted: bool = True) -> list[Action]:
        """A SUBSCRIBE was accepted for so many seconds. granted: its sender may know the state."""
        self.ends_at = now + expires
        told = Event.LEFT if expires == 0 else Event.GRANTED if granted else Event.UNDECIDED
        return self._told(told, now)

    def grant(self, now: float) -> list[Action]:
        """It has been decided that the subscriber may know."""
        return self._told(Event.GRANTED, now) if self.state is State.PENDING else []

    def changed(self, now: float) -> list[Action]:
        """The state of the resource is another."""
        return self._told(Event.CHANGED, now)

    def close(self, reason: str, now: float, retry_after: int | None = None) -> list[Action]:
        """End it, with a reason of 4.1.3."""
        self._reason, self._retry_after = reason, retry_after
        return self._told(Event.CLOSED, now)

    def answered(self, status: int, now: float) -> list[Action]:
        """The final response to a NOTIFY (4.2.2)."""
        if status not in ENDS_SUBSCRIPTION:
            return []
        self._reason, self._status = f"NOTIFY refused with {status}", status
        return self._told(Event.LOST, now)

    def unanswered(self, now: float) -> list[Action]:
        """A NOTIFY got no answer (4.2.2)."""
        self._reason = "NOTIFY not answered"
        return self._told(Event.LOST, now)

    def fired(self, timer: Timer, now: float) -> list[Action]:
        """The time is over."""
        return self._told(timer, now)

    def _told(self, told: Event | Timer, now: float) -> list[Action]:
        step = NOTIFIER.get((self.state, told))
        if step is None:
            return []
        self.state, todo = step
        return [self._made(make, now) for make in todo]

    def _made(self, make: Make, now: float) -> Action:
        match make:
            case Make.COUNT:
                return StartTimer(Timer.EXPIRY, self.ends_at - now)
            case Make.NOTIFY:
                left = max(0, round(self.ends_at - now))
                return SendNotify(SubscriptionState(self.state, expires=left))
            case Make.STOP:
                return StopTimer(Timer.EXPIRY)
            case Make.LAST:
                return SendNotify(
                    SubscriptionState("terminated", self._reason, retry_after=self._retry_after)
                )
            case Make.END:
                return Ended(self._reason, status=self._status)
