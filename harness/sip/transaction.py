"""The transaction layer: RFC 3261 17 as changed by RFC 6026 (Accepted state) and RFC 4320 (non-INVITE).

A transaction is a state machine and nothing else: a message, a fired timer or a transport failure goes in,
a list of actions comes out. Whoever runs it owns the sockets and the clock. The rules of the game are the
four tables below; each entry reads `(state, input): (next state, what to do)`. An input without an entry is
absorbed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import NamedTuple

from harness.sip.headers import COOKIE
from harness.sip.message import Request, Response, build_request, build_response

_COOKIE = COOKIE.lower()
Key = tuple[str | int | None, ...]


@dataclass(frozen=True, slots=True)
class Timers:
    """Timer values in seconds (RFC 3261 table 4).

    t1: estimate of the round trip. t2: longest interval between repeats of a non-INVITE request or an INVITE
    response. t4: how long the network keeps a message. d: how long repeated INVITE responses are acknowledged
    over UDP, at least 32 s whatever t1 is. trying: how long the user of an INVITE server transaction may
    think before 100 goes out (17.2.1).
    """

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    d: float = 32.0
    trying: float = 0.2

    @property
    def timeout(self) -> float:
        """64*T1: timers B, F, H, J, L, M."""
        return 64 * self.t1

    @property
    def non_invite_trying(self) -> float:
        """How long timer E of a client takes to be reset to T2: 3.5 s by default (RFC 4320 4.1)."""
        elapsed, interval = 0.0, self.t1
        while interval < self.t2:
            elapsed += interval
            interval *= 2
        return elapsed


class Timer(StrEnum):
    """Timers of RFC 3261 table 4 and RFC 6026, and two the texts ask for without a letter."""

    A = "A"
    B = "B"
    D = "D"
    E = "E"
    F = "F"
    G = "G"
    H = "H"
    I = "I"  # noqa: E741 - the letter the clause gives it
    J = "J"
    K = "K"
    L = "L"
    M = "M"
    TRYING = "trying"  # the user has not answered: 100 (RFC 3261 17.2.1, RFC 4320 4.1)
    EXPIRY = "expiry"  # the client has given up: no final response at all (RFC 4320 4.2)


class State(StrEnum):
    """States of the four machines."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    SILENT = "silent"  # told to stay silent: repeats are absorbed, nothing is ever sent
    TERMINATED = "terminated"


class Input(StrEnum):
    """What a machine is told, besides a fired `Timer`."""

    PROVISIONAL = auto()  # a 1xx: received by a client, given by the user of a server
    SUCCESS = auto()  # a 2xx
    FAILURE = auto()  # 300 to 699
    REQUEST = auto()  # the request once more
    ACK = auto()
    TRANSPORT = auto()  # what was sent could not be sent
    SILENCE = auto()  # the user will not answer


class Do(StrEnum):
    """What a step does."""

    SEND = auto()  # the request of a client
    ACK = auto()  # build (once) and send the ACK to a non-2xx (17.1.1.3)
    DELIVER = auto()  # hand the message to the user
    RESPOND = auto()  # send the response given by the user and keep it
    REPEAT = auto()  # send the kept response, if there is one
    TRYING = auto()  # send 100 unless a response is kept already
    DOUBLE = auto()  # the fired timer again, twice as long
    DOUBLE_TO_T2 = auto()  # the fired timer again, twice as long but at most T2
    AFTER_T2 = auto()  # the fired timer again, after T2
    TIMED_OUT = auto()  # tell the user
    UNSENT = auto()  # tell the user that the transport failed


Step = tuple[State, tuple[Do, ...]]
Table = Mapping[tuple[State, Input | Timer], Step]

_CALLING, _TRYING, _PROCEEDING, _ACCEPTED, _COMPLETED, _CONFIRMED, _SILENT, _TERMINATED = (
    State.CALLING,
    State.TRYING,
    State.PROCEEDING,
    State.ACCEPTED,
    State.COMPLETED,
    State.CONFIRMED,
    State.SILENT,
    State.TERMINATED,
)

# RFC 6026 figure 5. In Proceeding nothing is sent, so no transport failure; how long a call may ring is the
# user's affair (17.1.1.2), so no timer either.
CLIENT_INVITE: Table = {
    (_CALLING, Timer.A): (_CALLING, (Do.SEND, Do.DOUBLE)),
    (_CALLING, Timer.B): (_TERMINATED, (Do.TIMED_OUT,)),
    (_CALLING, Input.TRANSPORT): (_TERMINATED, (Do.UNSENT,)),
    (_CALLING, Input.PROVISIONAL): (_PROCEEDING, (Do.DELIVER,)),
    (_CALLING, Input.SUCCESS): (_ACCEPTED, (Do.DELIVER,)),
    (_CALLING, Input.FAILURE): (_COMPLETED, (Do.ACK, Do.DELIVER)),
    (_PROCEEDING, Input.PROVISIONAL): (_PROCEEDING, (Do.DELIVER,)),
    (_PROCEEDING, Input.SUCCESS): (_ACCEPTED, (Do.DELIVER,)),
    (_PROCEEDING, Input.FAILURE): (_COMPLETED, (Do.ACK, Do.DELIVER)),
    (_ACCEPTED, Input.SUCCESS): (_ACCEPTED, (Do.DELIVER,)),
    (_ACCEPTED, Timer.M): (_TERMINATED, ()),
    (_COMPLETED, Input.FAILURE): (_COMPLETED, (Do.ACK,)),
    (_COMPLETED, Input.TRANSPORT): (_TERMINATED, (Do.UNSENT,)),
    (_COMPLETED, Timer.D): (_TERMINATED, ()),
}

# RFC 3261 figure 6.
CLIENT_NON_INVITE: Table = {
    (_TRYING, Timer.E): (_TRYING, (Do.SEND, Do.DOUBLE_TO_T2)),
    (_TRYING, Timer.F): (_TERMINATED, (Do.TIMED_OUT,)),
    (_TRYING, Input.TRANSPORT): (_TERMINATED, (Do.UNSENT,)),
    (_TRYING, Input.PROVISIONAL): (_PROCEEDING, (Do.DELIVER,)),
    (_TRYING, Input.SUCCESS): (_COMPLETED, (Do.DELIVER,)),
    (_TRYING, Input.FAILURE): (_COMPLETED, (Do.DELIVER,)),
    (_PROCEEDING, Timer.E): (_PROCEEDING, (Do.SEND, Do.AFTER_T2)),
    (_PROCEEDING, Timer.F): (_TERMINATED, (Do.TIMED_OUT,)),
    (_PROCEEDING, Input.TRANSPORT): (_TERMINATED, (Do.UNSENT,)),
    (_PROCEEDING, Input.PROVISIONAL): (_PROCEEDING, (Do.DELIVER,)),
    (_PROCEEDING, Input.SUCCESS): (_COMPLETED, (Do.DELIVER,)),
    (_PROCEEDING, Input.FAILURE): (_COMPLETED, (Do.DELIVER,)),
    (_COMPLETED, Timer.K): (_TERMINATED, ()),
}

# RFC 6026 figure 7. A transport failure never ends the machine (7.1): repeats must still find it.
SERVER_INVITE: Table = {
    (_PROCEEDING, Timer.TRYING): (_PROCEEDING, (Do.TRYING,)),
    (_PROCEEDING, Input.REQUEST): (_PROCEEDING, (Do.REPEAT,)),
    (_PROCEEDING, Input.PROVISIONAL): (_PROCEEDING, (Do.RESPOND,)),
    (_PROCEEDING, Input.SUCCESS): (_ACCEPTED, (Do.RESPOND,)),
    (_PROCEEDING, Input.FAILURE): (_COMPLETED, (Do.RESPOND,)),
    (_PROCEEDING, Input.TRANSPORT): (_PROCEEDING, (Do.UNSENT,)),
    (_PROCEEDING, Input.SILENCE): (_SILENT, ()),
    (_ACCEPTED, Input.SUCCESS): (_ACCEPTED, (Do.RESPOND,)),
    (_ACCEPTED, Input.ACK): (_ACCEPTED, (Do.DELIVER,)),
    (_ACCEPTED, Input.TRANSPORT): (_ACCEPTED, (Do.UNSENT,)),
    (_ACCEPTED, Timer.L): (_TERMINATED, ()),
    (_COMPLETED, Input.REQUEST): (_COMPLETED, (Do.REPEAT,)),
    (_COMPLETED, Input.ACK): (_CONFIRMED, ()),
    (_COMPLETED, Input.TRANSPORT): (_COMPLETED, (Do.UNSENT,)),
    (_COMPLETED, Timer.G): (_COMPLETED, (Do.REPEAT, Do.DOUBLE_TO_T2)),
    (_COMPLETED, Timer.H): (_TERMINATED, (Do.TIMED_OUT,)),
    (_CONFIRMED, Timer.I): (_TERMINATED, ()),
    (_SILENT, Timer.EXPIRY): (_TERMINATED, ()),
}

# RFC 3261 figure 8 and RFC 4320 4. TRYING sends the 100 that RFC 4320 asks for; EXPIRY ends a machine whose
# user never answers once the client cannot be listening any more.
SERVER_NON_INVITE: Table = {
    (_TRYING, Timer.TRYING): (_PROCEEDING, (Do.TRYING,)),
    (_TRYING, Timer.EXPIRY): (_TERMINATED, ()),
    (_TRYING, Input.PROVISIONAL): (_PROCEEDING, (Do.RESPOND,)),
    (_TRYING, Input.SUCCESS): (_COMPLETED, (Do.RESPOND,)),
    (_TRYING, Input.FAILURE): (_COMPLETED, (Do.RESPOND,)),
    (_TRYING, Input.SILENCE): (_SILENT, ()),
    (_PROCEEDING, Timer.EXPIRY): (_TERMINATED, ()),
    (_PROCEEDING, Input.REQUEST): (_PROCEEDING, (Do.REPEAT,)),
    (_PROCEEDING, Input.PROVISIONAL): (_PROCEEDING, (Do.RESPOND,)),
    (_PROCEEDING, Input.SUCCESS): (_COMPLETED, (Do.RESPOND,)),
    (_PROCEEDING, Input.FAILURE): (_COMPLETED, (Do.RESPOND,)),
    (_PROCEEDING, Input.TRANSPORT): (_TERMINATED, (Do.UNSENT,)),
    (_PROCEEDING, Input.SILENCE): (_SILENT, ()),
    (_COMPLETED, Input.REQUEST): (_COMPLETED, (Do.REPEAT,)),
    (_COMPLETED, Input.TRANSPORT): (_TERMINATED, (Do.UNSENT,)),
    (_COMPLETED, Timer.J): (_TERMINATED, ()),
    (_SILENT, Timer.EXPIRY): (_TERMINATED, ()),
}


class Machine(StrEnum):
    """The four machines: where each starts and which timers run from entering a state."""

    CLIENT_INVITE = auto()
    CLIENT_NON_INVITE = auto()
    SERVER_INVITE = auto()
    SERVER_NON_INVITE = auto()


TABLES: Mapping[Machine, Table] = {
    Machine.CLIENT_INVITE: CLIENT_INVITE,
    Machine.CLIENT_NON_INVITE: CLIENT_NON_INVITE,
    Machine.SERVER_INVITE: SERVER_INVITE,
    Machine.SERVER_NON_INVITE: SERVER_NON_INVITE,
}
INITIAL: Mapping[Machine, State] = {
    Machine.CLIENT_INVITE: _CALLING,
    Machine.CLIENT_NON_INVITE: _TRYING,
    Machine.SERVER_INVITE: _PROCEEDING,
    Machine.SERVER_NON_INVITE: _TRYING,
}
ENTRY_TIMERS: Mapping[tuple[Machine, State], tuple[Timer, ...]] = {
    (Machine.CLIENT_INVITE, _CALLING): (Timer.A, Timer.B),
    (Machine.CLIENT_INVITE, _ACCEPTED): (Timer.M,),
    (Machine.CLIENT_INVITE, _COMPLETED): (Timer.D,),
    (Machine.CLIENT_NON_INVITE, _TRYING): (Timer.E, Timer.F),
    (Machine.CLIENT_NON_INVITE, _COMPLETED): (Timer.K,),
    (Machine.SERVER_INVITE, _PROCEEDING): (Timer.TRYING,),
    (Machine.SERVER_INVITE, _ACCEPTED): (Timer.L,),
    (Machine.SERVER_INVITE, _COMPLETED): (Timer.G, Timer.H),
    (Machine.SERVER_INVITE, _CONFIRMED): (Timer.I,),
    (Machine.SERVER_INVITE, _SILENT): (Timer.EXPIRY,),
    (Machine.SERVER_NON_INVITE, _TRYING): (Timer.TRYING, Timer.EXPIRY),
    (Machine.SERVER_NON_INVITE, _COMPLETED): (Timer.J,),
    (Machine.SERVER_NON_INVITE, _SILENT): (Timer.EXPIRY,),
}
# Repeating is the transport's work where it is reliable: these are not started over TCP.
UNRELIABLE_ONLY = frozenset({Timer.A, Timer.E, Timer.G})
# And these are zero there: nothing can come twice.
ZERO_IF_RELIABLE = frozenset({Timer.D, Timer.I, Timer.J, Timer.K})


class Send(NamedTuple):
    """Give these octets to the transport the transaction is bound to."""

    data: bytes


class StartTimer(NamedTuple):
    """Call `fire(timer)` after `seconds`. Replaces a running timer of that name."""

    timer: Timer
    seconds: float


class Deliver(NamedTuple):
    """Hand this message to the user of the transaction."""

    message: Request | Response


class Cause(StrEnum):
    """Why a transaction failed."""

    TIMEOUT = "timeout"
    TRANSPORT = "transport"


@dataclass(frozen=True, slots=True)
class Failed:
    """The user must know: no answer in time (B, F), no ACK in time (H), or nothing could be sent."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class Refused:
    """The user asked for a response that a clause forbids. Nothing was sent, the state is as before."""

    status: int
    clause: str


@dataclass(frozen=True, slots=True)
class Done:
    """The transaction has ended: forget it and its timers."""


Action = Send | StartTimer | Deliver | Failed | Refused | Done


class Transaction:
    """What client and server transactions share: the state, the table and the timers."""

    __slots__ = ("_intervals", "_kept", "_table", "machine", "reliable", "request", "state", "timers")

    def __init__(self, machine: Machine, request: Request, reliable: bool, timers: Timers) -> None:
        self.machine, self.request, self.reliable, self.timers = machine, request, reliable, timers
        self.state, self._table = INITIAL[machine], TABLES[machine]
        self._intervals: dict[Timer, float] = {}  # of those that may run again
        self._kept: bytes | None = None

    @property
    def done(self) -> bool:
        """Whether the transaction has ended."""
        return self.state is State.TERMINATED

    def fire(self, timer: Timer) -> list[Action]:
        """A timer started earlier has run out. A timer that means nothing in the state is absorbed."""
        return self._step(timer)

    def transport_failed(self) -> list[Action]:
        """What the last `Send` asked for could not be done (17.1.4, 17.2.4)."""
        return self._step(Input.TRANSPORT)

    def _step(
        self, event: Input | Timer, message: Request | Response | None = None, data: bytes = b""
    ) -> list[Action]:
        step = self._table.get((self.state, event))
        if step is None:
            return []
        before, (self.state, deeds) = self.state, step
        actions = [action for deed in deeds for action in self._do(deed, event, message, data)]
        if self.state is not before:
            actions += self._enter()
        return actions

    def _enter(self) -> list[Action]:
        """Start the timers of a state; a timer of no length fires at once."""
        if self.state is State.TERMINATED:
            return [_DONE]
        actions: list[Action] = []
        for timer in ENTRY_TIMERS.get((self.machine, self.state), ()):
            seconds = self._length(timer)
            if seconds is None:
                continue
            actions += [StartTimer(timer, seconds)] if seconds else self.fire(timer)
        return actions

    def _length(self, timer: Timer) -> float | None:
        """Seconds from entering the state; None when the timer is not used on this transport."""
        if self.reliable and timer in UNRELIABLE_ONLY:
            return None
        if self.reliable and timer in ZERO_IF_RELIABLE:
            return 0.0
        if timer is Timer.TRYING:
            invite = self.machine is Machine.SERVER_INVITE
            return self.timers.trying if invite else self.timers.non_invite_trying
        seconds = _LENGTHS.get(timer, _timeout)(self.timers)
        if timer in UNRELIABLE_ONLY:
            self._intervals[timer] = seconds
        return seconds

    def _do(
        self, deed: Do, event: Input | Timer, message: Request | Response | None, data: bytes
    ) -> Iterable[Action]:
        if deed is Do.DELIVER and message is not None:
            return [Deliver(message)]
        if deed in _AGAIN and isinstance(event, Timer):
            return [self._again(event, deed)]
        if deed is Do.TIMED_OUT:
            return [Failed(Cause.TIMEOUT)]
        if deed is Do.UNSENT:
            return [Failed(Cause.TRANSPORT)]
        return self._send(deed, message, data)

    def _again(self, timer: Timer, deed: Do) -> StartTimer:
        doubled = 2 * self._intervals[timer]
        seconds = {
            Do.DOUBLE: doubled,
            Do.DOUBLE_TO_T2: min(doubled, self.timers.t2),
            Do.AFTER_T2: self.timers.t2,
        }[deed]
        self._intervals[timer] = seconds
        return StartTimer(timer, seconds)

    def _send(self, deed: Do, message: Request | Response | None, data: bytes) -> Iterable[Action]:
        raise NotImplementedError


_DONE = Done()


def _timeout(timers: Timers) -> float:
    return timers.timeout


# Every other timer runs for 64*T1.
_LENGTHS: Mapping[Timer, Callable[[Timers], float]] = {
    Timer.A: lambda timers: timers.t1,
    Timer.E: lambda timers: timers.t1,
    Timer.G: lambda timers: timers.t1,
    Timer.D: lambda timers: timers.d,
    Timer.I: lambda timers: timers.t4,
    Timer.K: lambda timers: timers.t4,
}
_AGAIN = frozenset({Do.DOUBLE, Do.DOUBLE_TO_T2, Do.AFTER_T2})


class ClientTransaction(Transaction):
    """A request of ours and the responses to it (17.1). ACK has no transaction.

    Args: reliable whether the transport is TCP or TLS. The top Via must be in the request already.
    """

    __slots__ = ("key",)

    def __init__(self, request: Request, reliable: bool, timers: Timers) -> None:
        invite = request.method == "INVITE"
        super().__init__(
            Machine.CLIENT_INVITE if invite else Machine.CLIENT_NON_INVITE, request, reliable, timers
        )
        self.key = client_key(request)

    def start(self) -> list[Action]:
        """Send the request and start its timers."""
        return [Send(self.request.raw), *self._enter()]

    def receive(self, response: Response) -> list[Action]:
        """A response that matches (17.1.3)."""
        return self._step(_input_of(response.status), response)

    def _send(self, deed: Do, message: Request | Response | None, data: bytes) -> Iterable[Action]:
        if deed is Do.SEND:
            return [Send(self.request.raw)]
        if deed is Do.ACK and isinstance(message, Response):
            if self._kept is None:
                self._kept = build_ack(self.request, message).raw
            return [Send(self._kept)]
        return []


class ServerTransaction(Transaction):
    """A request of the other end and our responses to it (17.2)."""

    __slots__ = ("_response", "key")

    def __init__(self, request: Request, reliable: bool, timers: Timers, key: Key | None = None) -> None:
        invite = request.method == "INVITE"
        super().__init__(
            Machine.SERVER_INVITE if invite else Machine.SERVER_NON_INVITE, request, reliable, timers
        )
        self.key = server_key(request) if key is None else key
        self._response: Response | None = None

    def start(self) -> Iterator[Action]:
        """Deliver the request, then start the timers: a user who has answered by then needs none of them."""
        initial = self.state
        yield Deliver(self.request)
        if self.state is initial:
            yield from self._enter()
        elif (self.state, Timer.EXPIRY) in self._table and self.state is not State.SILENT:
            yield StartTimer(Timer.EXPIRY, self.timers.timeout)

    def receive(self, request: Request) -> list[Action]:
        """A request that matches (17.2.3): the same once more, or the ACK of an INVITE."""
        return self._step(Input.ACK if request.method == "ACK" else Input.REQUEST, request)

    def respond(self, response: Response) -> list[Action]:
        """A response of the user. What RFC 4320 forbids for non-INVITE comes back as `Refused`."""
        clause = self._forbidden(response.status)
        if clause:
            return [Refused(response.status, clause)]
        if self.machine is Machine.SERVER_INVITE:
            self._response = response
        return self._step(_input_of(response.status), response, response.raw)

    def respond_octets(self, data: bytes) -> list[Action]:
        """A response that is wrong on purpose: sent as it is, whatever a clause says.

        Its class is read from the status line; octets without one count as a final refusal.
        """
        status = re.match(rb"[^ ]* ([1-6])[0-9]{2}", data)
        return self._step(_input_of(int(status[1]) * 100 if status else 400), None, data)

    def let_go(self) -> bool:
        """Let go of the request when all that is left to do is to repeat the final response (17.2.2)."""
        if self.machine is Machine.SERVER_NON_INVITE and self.state is State.COMPLETED:
            del self.request
            return True
        return False

    def stay_silent(self) -> list[Action]:
        """Never answer: repeats are absorbed until the client has given up."""
        return self._step(Input.SILENCE)

    def acknowledged_by(self, ack: Request) -> bool:
        """Whether an ACK without the magic cookie belongs to the response sent here (17.2.3)."""
        if self.machine is not Machine.SERVER_INVITE or self._response is None:
            return False
        same = _old_key(ack, "INVITE", None) == _old_key(self.request, "INVITE", None)
        return same and _tag(ack, "To") == _tag(self._response, "To")

    def _forbidden(self, status: int) -> str:
        """The clause that forbids this response, or an empty string."""
        if self.machine is Machine.SERVER_INVITE:
            return ""
        if status == 408:
            return "RFC 4320 4.2"
        early = self.state is State.TRYING and not self.reliable
        if 100 < status < 200 or (status == 100 and early):
            return "RFC 4320 4.1"
        return ""

    def _send(self, deed: Do, message: Request | Response | None, data: bytes) -> Iterable[Action]:
        if deed is Do.RESPOND:
            self._kept = data
        elif deed is Do.TRYING and self._kept is None:
            self._kept = build_response(self.request, 100, strict=False).raw
        elif deed is not Do.REPEAT:
            return []
        return [] if self._kept is None else [Send(self._kept)]


class ServerTransactions:
    """The server transactions of a transport user, found by the requests that belong to them."""

    def __init__(self) -> None:
        self._by_key: dict[Key, ServerTransaction] = {}

    def __iter__(self) -> Iterator[ServerTransaction]:
        return iter(tuple(self._by_key.values()))

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, transaction: ServerTransaction) -> None:
        """Remember a transaction until it is discarded."""
        self._by_key[transaction.key] = transaction

    def discard(self, transaction: ServerTransaction) -> None:
        """Forget a transaction. One that took its key since then stays."""
        if self._by_key.get(transaction.key) is transaction:
            del self._by_key[transaction.key]

    def find(self, request: Request, key: Key | None = None) -> ServerTransaction | None:
        """The transaction this request repeats or acknowledges (17.2.3), or None.

        key is that of the request where it is known. Raises SipSyntaxError when Via or CSeq, or without the
        cookie From, To or Call-ID, cannot be read.
        """
        found = self._by_key.get(server_key(request) if key is None else key)
        if found is None and request.method == "ACK" and not has_cookie(request):
            return next((each for each in self if each.acknowledged_by(request)), None)
        return found

    def find_cancelled(self, cancel: Request) -> ServerTransaction | None:
        """The INVITE transaction a CANCEL names (9.2), or None."""
        return self._by_key.get(server_key(cancel, "INVITE"))


def has_cookie(message: Request | Response) -> bool:
    """Whether the branch of the top Via promises to be unique (8.1.1.7)."""
    return (message.via.branch or "").lower().startswith(_COOKIE)


def client_key(message: Request | Response) -> Key:
    """What a response and its request share: branch of the top Via and CSeq method (17.1.3).

    Raises SipSyntaxError when Via or CSeq cannot be read.
    """
    return ((message.via.branch or "").lower(), message.cseq.method)


def server_key(request: Request, method: str | None = None) -> Key:
    """What a request and its repeats share (17.2.3). An ACK shares the key of its INVITE.

    method: look for the transaction of this method instead (the INVITE of a CANCEL).
    Raises SipSyntaxError when a field that makes the key cannot be read.
    """
    wanted = method or ("INVITE" if request.method == "ACK" else request.method)
    via = request.via
    branch = (via.branch or "").lower()
    if branch.startswith(_COOKIE):
        return (branch, via.host.lower(), via.port, wanted)
    # An ACK carries the To tag of the response, its INVITE did not: see acknowledged_by.
    return _old_key(request, wanted, _tag(request, "To"))


def _old_key(request: Request, method: str, to_tag: str | None) -> Key:
    """The match of RFC 2543: the whole top Via as sent, without what the receiver added."""
    via = request.via
    sent = tuple(
        f"{name.lower()}={value}"
        for name, value in via.parameters.items()
        if name.lower() not in ("received", "rport")
    )
    return (
        request.uri,
        to_tag,
        _tag(request, "From"),
        request.call_id,
        request.cseq.number,
        method,
        via.transport.upper(),
        via.host.lower(),
        via.port,
        *sent,
    )


def build_ack(request: Request, response: Response) -> Request:
    """The ACK a client transaction sends for a response from 300 to 699 (17.1.1.3)."""
    vias = request.values("Via")
    headers = [
        ("Via", vias[0]),
        ("Max-Forwards", "70"),
        *(("Route", value) for value in request.get_all("Route")),
        ("From", request.get("From") or ""),
        ("To", response.get("To") or ""),
        ("Call-ID", request.call_id),
        ("CSeq", f"{request.cseq.number} ACK"),
    ]
    # The peer's To is repeated as it came, so it must not be held to our own rules for writing.
    return build_request("ACK", request.uri, headers, strict=False)


def build_cancel(request: Request, reason: str | None = None) -> Request:
    """The CANCEL of a request that is under way (9.1): to the same hop, with the same single Via.

    reason: value of a Reason header (RFC 3326 2). Raises UsageError.
    """
    headers = [
        ("Via", request.values("Via")[0]),
        ("Max-Forwards", "70"),
        *(("Route", value) for value in request.get_all("Route")),
        *((name, request.get(name) or "") for name in ("From", "To", "Call-ID")),
        ("CSeq", f"{request.cseq.number} CANCEL"),
        *([] if reason is None else [("Reason", reason)]),
    ]
    return build_request("CANCEL", request.uri, headers)


def _input_of(status: int) -> Input:
    if status < 200:
        return Input.PROVISIONAL
    return Input.SUCCESS if status < 300 else Input.FAILURE


def _tag(message: Request | Response, name: str) -> str | None:
    """The tag of From or To, lower case: tags are tokens."""
    field = message.from_ if name == "From" else message.to
    return field.tag.lower() if field.tag is not None else None
