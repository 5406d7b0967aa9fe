"""Reliable provisional responses and PRACK (RFC 3262): numbering, matching, and what may be sent when.

Each side of one INVITE transaction keeps one of the two classes here; whoever owns it sends and keeps time.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from enum import Enum, auto

from harness.errors import SipSyntaxError, UsageError
from harness.sip.message import Request, Response, SipMessage
from harness.sip.offer_answer import carries_session
from harness.sip.session_headers import RAck, RSeq
from harness.sip.transaction import Timers

OPTION = "100rel"


def supports_reliable(request: Request) -> bool:
    """Whether provisional responses to this INVITE may be reliable (3)."""
    return _names(request, "Supported") or requires_reliable(request)


def requires_reliable(request: Request) -> bool:
    """Whether those above 100 must be reliable (3)."""
    return _names(request, "Require")


def is_reliable(response: Response) -> bool:
    """Whether a response asks for a PRACK (4): 101 to 199, 100rel required, with a number to name."""
    return 100 < response.status < 200 and _names(response, "Require") and "RSeq" in response


def _names(message: SipMessage, header: str) -> bool:
    return OPTION in (tag.lower() for tag in message.values(header))


def repeat_times(timers: Timers, longest: float | None = None) -> Iterator[float]:
    """When a response is sent again, in seconds after the first time; all before 64*T1.

    The interval starts at T1 and doubles: without bound for a reliable provisional response (RFC 3262 3), up
    to T2 (`longest`) for a 2xx (RFC 3261 13.3.1.4).
    """
    interval = moment = timers.t1
    while moment < timers.timeout:
        yield moment
        interval = 2 * interval if longest is None else min(2 * interval, longest)
        moment += interval


class ReliableResponses:
    """The UAS side (3): numbers the reliable provisional responses to one INVITE, and matches PRACKs.

    first: number of the first, by default any from 1 to 2**31 - 1.
    """

    def __init__(self, invite: Request, first: int | None = None) -> None:
        self._invite = invite
        self._next = 1 + secrets.randbelow(2**31 - 1) if first is None else first
        self._unacknowledged: dict[int, Response] = {}
        self._started = self._over = False

    @property
    def may_send(self) -> bool:
        """Whether another one may be sent: after a final response never, before a PRACK not (3)."""
        return not self._unacknowledged and not self._over

    @property
    def holds_back_success(self) -> bool:
        """Whether a 2xx must wait: a session description has not been acknowledged yet (3, 5)."""
        return any(carries_session(response) for response in self._unacknowledged.values())

    def numbered(self, response: Response) -> Response:
        """The response as a reliable one: with RSeq, and 100rel in Require. It is unacknowledged from now.

        Raises UsageError when RFC 3262 3 forbids it: a 100 or a final response, a UAC that does not know
        100rel, one before the last was acknowledged, one after the final response.
        """
        if not 100 < response.status < 200:
            raise UsageError(f"a {response.status} cannot be sent reliably (RFC 3262 3)")
        if not supports_reliable(self._invite):
            raise UsageError(
                f"the INVITE does not support 100rel: no reliable {response.status} (RFC 3262 3)"
            )
        if not self.may_send:
            before = "the final response" if self._over else "the PRACK of the one before"
            raise UsageError(f"no reliable {response.status} after {before} (RFC 3262 3)")
        number, self._next = self._next, self._next + 1
        required = [*(tag for tag in response.values("Require") if tag.lower() != OPTION), OPTION]
        reliable = response.with_header("Require", ", ".join(required)).with_header("RSeq", str(RSeq(number)))
        self._unacknowledged[number] = reliable
        return reliable

    def acknowledged(self, prack: Request) -> Response | None:
        """The response a PRACK of the same dialog acknowledges; None when it matches none: 481 (3).

        Raises SipSyntaxError when its RAck is absent or cannot be read.
        """
        rack = prack.typed(RAck)
        if rack is None:
            raise SipSyntaxError("RAck", "", prack.body_offset, "RFC 3262 7.2", "absent")
        cseq = self._invite.cseq
        if (rack.cseq, rack.method) != (cseq.number, cseq.method):
            return None
        return self._unacknowledged.pop(rack.rseq, None)

    def is_unacknowledged(self, response: Response) -> bool:
        """Whether this response still waits for its PRACK."""
        return response in self._unacknowledged.values()

    def over(self) -> None:
        """The final response was sent: PRACKs are still taken, nothing else (3)."""
        self._over = True


class Arrival(Enum):
    """What a provisional response is to the UAC (4)."""

    UNRELIABLE = auto()
    NEW = auto()  # to be acknowledged with PRACK
    REPEATED = auto()  # acknowledged before, or being acknowledged
    OUT_OF_ORDER = auto()  # one before it is missing: neither used nor acknowledged


class ReceivedInOrder:
    """The UAC side (4): order of the reliable provisional responses of one dialog to one INVITE."""

    def __init__(self) -> None:
        self._last: int | None = None

    def take(self, response: Response) -> Arrival:
        """What this response is. One whose RSeq cannot be read is out of order."""
        if not is_reliable(response):
            return Arrival.UNRELIABLE
        try:
            number = _number(response)
        except SipSyntaxError:
            return Arrival.OUT_OF_ORDER
        if self._last is not None and number != self._last + 1:
            return Arrival.REPEATED if number <= self._last else Arrival.OUT_OF_ORDER
        self._last = number
        return Arrival.NEW


def rack_of(response: Response) -> RAck:
    """The RAck of the PRACK for a reliable provisional response (7.2). Raises SipSyntaxError."""
    return RAck(_number(response), response.cseq.number, response.cseq.method)


def _number(response: Response) -> int:
    found = response.typed(RSeq)
    if found is None:
        raise SipSyntaxError("RSeq", "", response.body_offset, "RFC 3262 7.1", "absent")
    return found.number
