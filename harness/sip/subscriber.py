"""The subscriber of RFC 6665 4.1 as a machine: when to ask, to refresh, to give up, and to ask again.

The rules are the two tables: SUBSCRIBER reads `(state, input): (next state, what to do)`, an input without an
entry is absorbed; ADVICE says what follows an end. Dialogs and their matching are left to whoever runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from harness.errors import SipSyntaxError
from harness.sip.event_headers import SubscriptionState
from harness.sip.general_headers import MinExpires, RetryAfter
from harness.sip.message import Response
from harness.sip.subscription import (
    ENDS_SUBSCRIPTION,
    Action,
    Ended,
    SendSubscribe,
    StartTimer,
    State,
    StopTimer,
    Timer,
)
from harness.sip.transaction import Timers

_BRIEF_TRIES = 2  # how often a 423 is followed; a notifier that raises its minimum each time is left alone

# -- why a subscription ended, and what to do then (4.1.3)


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether to subscribe again, whether retry-after counts, and how long to wait without it (seconds)."""

    again: bool
    heeds_retry_after: bool = False
    wait: float = 0.0

    def again_after(self, retry_after: int | None) -> float | None:
        """The seconds to wait, None when no SUBSCRIBE should follow."""
        if not self.again:
            return None
        return self.wait if retry_after is None or not self.heeds_retry_after else float(retry_after)


_LATER = 60.0  # seconds; probation says "at some later time"
ADVICE: Mapping[str, Advice] = {
    "deactivated": Advice(again=True),
    "probation": Advice(again=True, heeds_retry_after=True, wait=_LATER),
    "rejected": Advice(again=False),
    "timeout": Advice(again=True),
    "giveup": Advice(again=True, heeds_retry_after=True),
    "noresource": Advice(again=False),
    "invariant": Advice(again=False),
}
_UNKNOWN_REASON = Advice(again=True, heeds_retry_after=True)


def ending(state: SubscriptionState) -> Ended:
    """What a NOTIFY with `terminated` means for its subscriber (4.1.3)."""
    advice = ADVICE.get(state.reason or "", _UNKNOWN_REASON)
    return Ended(state.reason or "terminated", advice.again_after(state.retry_after))


# -- the subscriber


class Told(Enum):
    """What a subscriber is told, besides a fired timer."""

    ASK = auto()  # the user wants to subscribe, or to refresh, or to leave
    REFERRED = auto()  # a REFER was sent, which subscribes by itself (RFC 3515 2.4.4)
    ACCEPTED = auto()  # a 2xx
    NO_NOTIFY = auto()  # a 204: no NOTIFY will follow (4.1.2.2, RFC 5839)
    TOO_BRIEF = auto()  # a 423 with a longer Min-Expires
    GONE = auto()  # a response of ENDS_SUBSCRIPTION
    FAILED = auto()  # any other failure, or none at all
    ACTIVE = auto()  # NOTIFY, by its Subscription-State
    PENDING = auto()
    TERMINATED = auto()


class Do(Enum):
    """What a step of a subscriber does."""

    ASK = auto()  # send SUBSCRIBE and wait for NOTIFY (timer N)
    WAIT = auto()  # timer N alone
    TAKE = auto()  # note how long it lasts
    SETTLE = auto()  # stop N, count the time from here; leave when the user wished that before
    RENEW = auto()  # count the time from here
    KEEP = auto()  # stop N; what was agreed before still holds
    END = auto()


_Step = tuple[State, tuple[Do, ...]]
_INIT, _WAIT, _PENDING, _ACTIVE, _OVER = (
    State.INIT,
    State.NOTIFY_WAIT,
    State.PENDING,
    State.ACTIVE,
    State.TERMINATED,
)

SUBSCRIBER: Mapping[tuple[State, Told | Timer], _Step] = {
    (_INIT, Told.ASK): (_WAIT, (Do.ASK,)),
    (_INIT, Told.REFERRED): (_WAIT, (Do.WAIT,)),
    (_WAIT, Told.ACCEPTED): (_WAIT, (Do.TAKE,)),
    (_WAIT, Told.TOO_BRIEF): (_WAIT, (Do.ASK,)),
    (_WAIT, Told.GONE): (_OVER, (Do.END,)),
    (_WAIT, Told.FAILED): (_OVER, (Do.END,)),
    (_WAIT, Timer.N): (_OVER, (Do.END,)),
    **{
        (state, told): (after, do)
        for state in (_WAIT, _PENDING, _ACTIVE)
        for told, after, do in (
            (Told.PENDING, _PENDING, (Do.SETTLE,)),
            (Told.ACTIVE, _ACTIVE, (Do.SETTLE,)),
            (Told.TERMINATED, _OVER, (Do.END,)),
        )
    },
    **{
        (state, told): (after, do)
        for state in (_PENDING, _ACTIVE)
        for told, after, do in (
            (Told.ASK, state, (Do.ASK,)),
            (Told.ACCEPTED, state, (Do.RENEW,)),
            (Told.NO_NOTIFY, state, (Do.KEEP, Do.RENEW)),
            (Told.TOO_BRIEF, state, (Do.ASK,)),
            (Told.FAILED, state, (Do.KEEP,)),
            (Told.GONE, _OVER, (Do.END,)),
            (Timer.REFRESH, state, (Do.ASK,)),
            (Timer.EXPIRY, _OVER, (Do.END,)),
            (Timer.N, _OVER, (Do.END,)),
        )
    },
}

_TOLD_BY_NOTIFY = {"active": Told.ACTIVE, "pending": Told.PENDING, "terminated": Told.TERMINATED}
_SILENCE = {Timer.N: "no NOTIFY came", Timer.EXPIRY: "not refreshed in time"}


class Subscriber:
    """One subscription, or the wish for one, at the end that asked for it.

    expires: seconds to ask for, None where a REFER asks for none. ends_at: when it ends unless refreshed, in
    the time given to the methods, None as long as that is not known.
    """

    def __init__(self, expires: int | None, timers: Timers | None = None) -> None:
        self.expires = expires
        self.state = State.INIT
        self.ends_at: float | None = None
        self._timers = timers or Timers()
        self._leaving = False
        self._granted: int | None = None
        self._ended = Ended("terminated")
        self._brief = 0

    @classmethod
    def forked(cls, expires: int | None, timers: Timers | None = None) -> Subscriber:
        """One more subscription that the same SUBSCRIBE brought; its first NOTIFY is there (4.1.4)."""
        fork = cls(expires, timers)
        fork.state = State.NOTIFY_WAIT
        return fork

    def subscribe(self, now: float) -> list[Action]:
        """Subscribe, or refresh at once."""
        return self._told(Told.ASK, now)

    def referred(self, now: float) -> list[Action]:
        """The REFER that makes this subscription is on its way."""
        return self._told(Told.REFERRED, now)

    def unsubscribe(self, now: float) -> list[Action]:
        """Leave: with SUBSCRIBE, for which the first NOTIFY is waited for; over when a NOTIFY says so."""
        if self._leaving:
            return []
        self._leaving = True
        return self._told(Told.ASK, now)

    def answered(self, response: Response, now: float) -> list[Action]:
        """The final response to our SUBSCRIBE or REFER."""
        told = self._meaning(response)
        self._ended = Ended(response.reason, _retry_after(response), response.status)
        return self._told(told, now)

    def unanswered(self, now: float) -> list[Action]:
        """No final response came, or the request could not be sent."""
        self._ended = Ended("no response")
        return self._told(Told.FAILED, now)

    def notified(self, state: SubscriptionState, now: float) -> list[Action]:
        """A NOTIFY of this subscription came. An unknown state changes nothing."""
        told = _TOLD_BY_NOTIFY.get(state.state)
        if told is None:
            return []
        if told is Told.TERMINATED:
            self._ended = ending(state)
        else:
            self._granted = self._within(state.expires)
        return self._told(told, now)

    def fired(self, timer: Timer, now: float) -> list[Action]:
        """A timer that was started has run out."""
        self._ended = Ended(_SILENCE.get(timer, timer), 0.0 if timer is Timer.EXPIRY else None)
        return self._told(timer, now)

    def _meaning(self, response: Response) -> Told:
        if 200 <= response.status < 300:
            self._granted = self._within(_seconds(response.get("Expires"), self.expires))
            self._brief = 0
            return Told.NO_NOTIFY if response.status == 204 else Told.ACCEPTED
        if response.status == 423 and self._follows(response):
            return Told.TOO_BRIEF
        return Told.GONE if response.status in ENDS_SUBSCRIPTION else Told.FAILED

    def _follows(self, response: Response) -> bool:
        """Whether a 423 is met with a longer time; self.expires is that then (RFC 3261 21.4.17)."""
        least = _least(response)
        if self._leaving or self.expires is None or least <= self.expires or self._brief == _BRIEF_TRIES:
            return False
        self.expires, self._brief = least, self._brief + 1
        return True

    def _within(self, seconds: int | None) -> int | None:
        """A notifier shortens, it does not lengthen (4.2.1.1, 4.2.2)."""
        if seconds is None or self.expires is None:
            return seconds
        return min(seconds, self.expires)

    def _told(self, told: Told | Timer, now: float) -> list[Action]:
        step = SUBSCRIBER.get((self.state, told))
        if step is None:
            return []
        before, (self.state, todo) = self.state, step
        actions: list[Action] = []
        for do in todo:
            actions += self._do(do, before, now)
        return actions

    def _do(self, do: Do, before: State, now: float) -> list[Action]:
        match do:
            case Do.ASK:
                return [SendSubscribe(0 if self._leaving else self.expires or 0), *self._waiting()]
            case Do.WAIT:
                return self._waiting()
            case Do.TAKE:
                self.ends_at = None if self._granted is None else now + self._granted
                return []
            case Do.SETTLE if self._leaving:
                return [SendSubscribe(0), *self._waiting()] if before is State.NOTIFY_WAIT else []
            case Do.SETTLE:
                return [StopTimer(Timer.N), *self._counted(now)]
            case Do.RENEW:
                return self._counted(now)
            case Do.KEEP if self._leaving:
                return []  # timer N ends it when no NOTIFY does
            case Do.KEEP:
                return [StopTimer(Timer.N), *self._refresh_again(now)]
            case Do.END:
                return [*map(StopTimer, Timer), self._ended]

    def _waiting(self) -> list[Action]:
        return [StopTimer(Timer.REFRESH), StartTimer(Timer.N, self._timers.timeout)]

    def _counted(self, now: float) -> list[Action]:
        """Timers for what was granted last; without that, for what was asked or agreed before."""
        granted = self._granted
        if granted is None and self.ends_at is None:
            granted = self.expires
        if granted is not None:
            self.ends_at = now + granted
        self._granted = None
        if self.ends_at is None or self._leaving:
            return []
        left = max(0.0, self.ends_at - now)
        return [StartTimer(Timer.EXPIRY, left), *self._refresh_in(left)]

    def _refresh_again(self, now: float) -> list[Action]:
        return [] if self.ends_at is None else self._refresh_in(self.ends_at - now)

    def _refresh_in(self, left: float) -> list[Action]:
        """When to refresh: TS 24.229 5.1.1.3. A subscription of a REFER is not refreshed unasked."""
        if self.expires is None or left < 1:
            return []
        return [StartTimer(Timer.REFRESH, left - 600 if left > 1200 else left / 2)]


def _seconds(text: str | None, otherwise: int | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else otherwise


def _least(response: Response) -> int:
    try:
        found = response.typed(MinExpires)
    except SipSyntaxError:
        return 0
    return 0 if found is None else found.seconds


def _retry_after(response: Response) -> float | None:
    try:
        found = response.typed(RetryAfter)
    except SipSyntaxError:
        return None
    return None if found is None else float(found.seconds)
