"""Session timers (RFC 4028): who refreshes a session, how often, and when it is given up.

A `SessionTimer` belongs to one dialog. It writes and reads Session-Expires and Min-SE; whoever owns it sends
the refreshes, keeps the clock and adds `timer` to Supported.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from harness.errors import SipSyntaxError, UsageError
from harness.sip.headers import canonical_name
from harness.sip.message import Request, Response, SipMessage
from harness.sip.session_headers import MinSE, Refresher, SessionExpires

OPTION = "timer"
REFRESH_METHODS = frozenset({"INVITE", "UPDATE"})  # RFC 4028 3
LEAST_SECONDS = 90  # RFC 4028 4 and 5
_MARGIN_SECONDS = 32.0  # RFC 4028 10

Header = tuple[str, str]


@dataclass(frozen=True, slots=True)
class TimerPolicy:
    """What we want of a session timer.

    interval: seconds we ask for or offer, None when we want no timer (one the other end asks for is still
    kept). least: shorter intervals are refused with 422, and asked for with this as Min-SE when above 90.
    shows_least: 90 is said too, which is the default (5). refresher: who is to refresh where the choice is
    ours, in the roles of the transaction; None leaves it to the other end, and to the UAC where the other end
    leaves it to us.
    """

    interval: int | None = None
    least: int = LEAST_SECONDS
    refresher: Refresher | None = None
    shows_least: bool = False

    def __post_init__(self) -> None:
        if self.least < LEAST_SECONDS:
            raise UsageError(f"least session interval {self.least} s: 90 s is the minimum (RFC 4028 5)")
        if self.interval is not None and self.interval < self.least:
            raise UsageError(f"session interval {self.interval} s is below {self.least} s (RFC 4028 7.1)")


def names_interval(headers: Iterable[Header]) -> bool:
    """Whether these headers name a session interval of their own."""
    return any(canonical_name(name) == SessionExpires.header for name, _ in headers)


class TimerAnswer(NamedTuple):
    """What a UAS says about the timer of a request: 422, or 200 where nothing is against it."""

    status: int
    headers: list[Header]


class SessionTimer:
    """The session timer of one dialog. interval: None while there is none. refreshing: whether it is us.

    policy: None for a user agent that does not do RFC 4028.
    """

    def __init__(self, policy: TimerPolicy | None = TimerPolicy()) -> None:
        self.policy = policy
        self.interval: int | None = None
        self.refreshing = False
        self._min_se: int | None = None

    # -- as UAC

    def request_headers(self, *, initial: bool) -> list[Header]:
        """Session-Expires and Min-SE of an INVITE or UPDATE of ours (7.1, 7.4).

        initial: the request is to make the dialog; later ones repeat what was agreed on.
        """
        if self.policy is None:
            return []
        least = self._least_to_ask(self.policy)
        shown = [] if least is None else [("Min-SE", str(MinSE(least)))]
        floor = least or LEAST_SECONDS
        if initial:
            if self.policy.interval is None:
                return shown
            value = SessionExpires(max(self.policy.interval, floor), self.policy.refresher)
        elif self.interval is None:
            return shown
        else:
            value = SessionExpires(
                max(self.interval, floor), Refresher.UAC if self.refreshing else Refresher.UAS
            )
        return [("Session-Expires", str(value)), *shown]

    def _least_to_ask(self, policy: TimerPolicy) -> int | None:
        shown = policy.least > LEAST_SECONDS or policy.shows_least
        return max(self._min_se or 0, policy.least if shown else 0) or None

    def too_small(self, request: Request, response: Response) -> bool:
        """Take in a 422. True when the request is worth repeating: with the headers it would have now (7.3).

        False when the Min-SE of the answer is absent, or not above what was asked for.
        """
        named = _read(response, MinSE)
        if named is None or self.policy is None:
            return False
        self._heard(named)
        asked = _read(request, SessionExpires)
        return asked is not None and named.seconds > asked.seconds

    def answered(self, request: Request, response: Response) -> None:
        """Take in the 2xx to an INVITE or UPDATE of ours (7.2): its interval counts from now.

        Without Session-Expires there is no timer any more, unless we had asked for one from an end that does
        not know of timers: then it is ours to refresh.
        """
        granted = _read(response, SessionExpires)
        if granted is None and not _names(response, "Require") and not _names(response, "Supported"):
            asked = _read(request, SessionExpires)
            granted = None if asked is None else SessionExpires(asked.seconds, Refresher.UAC)
        self._settle(granted, Refresher.UAC)

    # -- as UAS

    def answer(self, request: Request) -> TimerAnswer:
        """What to answer to an INVITE or UPDATE (9): 422 with Min-SE, or the headers of the 2xx.

        Raises SipSyntaxError for a Session-Expires or Min-SE that cannot be read.
        """
        if self.policy is None:
            return TimerAnswer(200, [])
        asked, least = request.typed(SessionExpires), request.typed(MinSE)
        supported = _names(request, "Supported") or _names(request, "Require")
        if least is not None:
            self._heard(least)
        if asked is not None and supported and asked.seconds < self.policy.least:
            return TimerAnswer(422, [("Min-SE", str(MinSE(self.policy.least)))])
        seconds = self._granted(self.policy.interval, asked, least, supported)
        if seconds is None:
            return TimerAnswer(200, [])
        refresher = self._refresher(self.policy.refresher, asked, supported)
        headers = [("Session-Expires", str(SessionExpires(seconds, refresher)))]
        return TimerAnswer(200, [*headers, ("Require", OPTION)] if supported else headers)

    @staticmethod
    def _granted(
        wanted: int | None, asked: SessionExpires | None, least: MinSE | None, supported: bool
    ) -> int | None:
        """Never more than was asked for, and less only down to the Min-SE of the request."""
        floor = max(LEAST_SECONDS, least.seconds if least is not None else 0)
        if asked is None:
            return max(wanted, floor) if wanted is not None and supported else None
        return asked.seconds if wanted is None else min(asked.seconds, max(wanted, floor))

    @staticmethod
    def _refresher(wish: Refresher | None, asked: SessionExpires | None, supported: bool) -> Refresher:
        """RFC 4028 table 2."""
        if not supported:
            return Refresher.UAS
        chosen = asked.refresher if asked is not None else None
        return chosen or wish or Refresher.UAC

    def accepted(self, response: Response) -> None:
        """We sent this 2xx to an INVITE or UPDATE: what it says counts from now (9)."""
        self._settle(_read(response, SessionExpires), Refresher.UAS)

    # -- the clock

    @property
    def refresh_after(self) -> float | None:
        """Seconds from the last 2xx until we refresh: half the interval; None when it is not for us (7.2)."""
        return self.interval / 2 if self.interval is not None and self.refreshing else None

    @property
    def give_up_after(self) -> float | None:
        """Seconds from the last 2xx until a session nobody refreshed is ended with BYE (10)."""
        if self.interval is None:
            return None
        return self.interval - min(_MARGIN_SECONDS, self.interval / 3)

    def _settle(self, granted: SessionExpires | None, we_are: Refresher) -> None:
        if granted is None or granted.seconds == 0 or self.policy is None:
            self.interval, self.refreshing = None, False
            return
        self.interval = granted.seconds
        self.refreshing = (granted.refresher or Refresher.UAC) is we_are

    def _heard(self, least: MinSE) -> None:
        self._min_se = max(self._min_se or 0, least.seconds)


_H = TypeVar("_H", SessionExpires, MinSE)


def _read(message: SipMessage, kind: type[_H]) -> _H | None:
    """A header of a response or of our own request; one that cannot be read counts as absent."""
    try:
        return message.typed(kind)
    except SipSyntaxError:
        return None


def _names(message: SipMessage, header: str) -> bool:
    return OPTION in (tag.lower() for tag in message.values(header))
