"""What the two ends of a subscription have in common (RFC 6665 4.1.2, 4.2.2): states, timers, actions.

subscriber.py and notifier.py hold a machine each, without clock and socket: a message, a fired timer or a
wish of the user goes in, with the time in seconds; a list of actions comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto

from harness.sip.event_headers import SubscriptionState

# Responses to SUBSCRIBE in a subscription, and to NOTIFY, that end it (4.1.2.2, 4.2.2).
ENDS_SUBSCRIPTION = frozenset({404, 405, 410, 416, *range(480, 486), 489, 501, 604})


class Timer(StrEnum):
    """What is waited for: N the NOTIFY after a SUBSCRIBE (4.1.2.4), the time to refresh, the end."""

    N = "N"
    REFRESH = "refresh"
    EXPIRY = "expiry"


class State(StrEnum):
    """States of 4.1.2 and 4.2.2. resp_wait of a notifier is over before anything can come in."""

    INIT = auto()
    NOTIFY_WAIT = auto()
    PENDING = auto()
    ACTIVE = auto()
    TERMINATED = auto()


# -- what goes out


@dataclass(frozen=True, slots=True)
class SendSubscribe:
    """Send SUBSCRIBE with this Expires, in seconds; 0 ends the subscription (4.1.2.3)."""

    expires: int


@dataclass(frozen=True, slots=True)
class SendNotify:
    """Send NOTIFY with this Subscription-State, and the state of the resource."""

    state: SubscriptionState


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Call fired(timer) after delay seconds, and no more for an earlier start of the same timer."""

    timer: Timer
    delay: float


@dataclass(frozen=True, slots=True)
class StopTimer:
    """Do not call fired(timer)."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class Ended:
    """The subscription is over.

    reason: that of Subscription-State, or what happened here. again_after: the seconds after which a new
    SUBSCRIBE is in order, None when none is (4.1.3). status: of the response that ended it.
    """

    reason: str
    again_after: float | None = None
    status: int | None = None


Action = SendSubscribe | SendNotify | StartTimer | StopTimer | Ended
