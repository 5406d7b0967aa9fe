"""What rules are called with and look back on: messages, transactions, dialogs, CPIM, registrations, events.

The assembly makes and links them; to rules they are read-only. A property that reads a header gives None
where the header is absent or malformed, so that only the rule about that header has to deal with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

from harness.bodies.cpim import CpimMessage
from harness.bodies.imdn import Imdn
from harness.errors import BodySyntaxError, SipSyntaxError
from harness.evidence.timeline import Address, Layer, Transport
from harness.sip.headers import CSeq, MediaType, NameAddr, Via
from harness.sip.message import Request, Response, parse_message
from harness.verify.finding import Party

if TYPE_CHECKING:
    from harness.verify.flows import UserFlow
    from harness.verify.msrp_items import ChunkedMessage, MsrpEntry
    from harness.verify.negotiation_items import Description

T = TypeVar("T")


def reading(read: Callable[[], T]) -> T | None:
    """The header read, or None when it is malformed."""
    try:
        return read()
    except SipSyntaxError:
        return None


class read_once(Generic[T]):  # noqa: N801 - it is written as functools.cached_property is
    """A property of what does not change: read when first asked for, then an attribute.

    functools.cached_property of Python 3.11 takes a lock each time, which is most of what it costs.
    """

    def __init__(self, read: Callable[[Any], T]) -> None:
        self._read, self._name, self.__doc__ = read, read.__name__, read.__doc__

    @overload
    def __get__(self, item: None, kind: type) -> read_once[T]: ...
    @overload
    def __get__(self, item: object, kind: type) -> T: ...
    def __get__(self, item: object | None, kind: type) -> T | read_once[T]:
        if item is None:
            return self
        value = item.__dict__[self._name] = self._read(item)
        return value


@dataclass(eq=False)
class SipEntry:
    """A SIP message on the timeline: a datagram, or what the framing cut from one direction of a stream.

    number, time: of the packet that completed it. message: None when the octets cannot be parsed, then
    `error` says why; a message beside an error is the head of one that broke the framing of its stream.
    retransmission_of: the entry whose octets it repeats (rules are not called for repeats).
    """

    number: int
    time: float
    transport: Transport
    source: Address
    destination: Address
    connection: int | None
    raw: bytes
    message: Request | Response | None
    error: SipSyntaxError | None = None
    incomplete: bool = False
    """The capture lacks octets at its end: lengths and bodies cannot be judged."""
    place: int = 0
    """Order among all SIP and MSRP entries, from 1: messages of one packet share a number, never a place."""
    transaction: Transaction | None = None
    """Requests: the one they open (an ACK: the INVITE's). Responses: the one they answer, None if not
    seen.
    """
    dialog: Dialog | None = None
    """The dialog the message belongs to or, for the first response with a To tag, creates."""
    retransmission_of: SipEntry | None = None
    retransmissions: list[SipEntry] = field(default_factory=list)
    bodies: list[CpimItem] = field(default_factory=list)
    description: Description | None = None
    """The session description it carries."""
    follows: SipEntry | None = None
    """Octets that are no message: the message with a body that they come right behind in their stream."""
    flow: UserFlow | None = None
    """The user-level act it is part of, as known when it came (flows.py)."""
    role: Callable[[SipEntry], Party] = field(default=lambda entry: Party.UNKNOWN, repr=False)

    layer = Layer.SIP

    def alone(self) -> SipEntry:
        """The message linked to nothing: a copy that keeps no others in memory."""
        return SipEntry(
            self.number,
            self.time,
            self.transport,
            self.source,
            self.destination,
            self.connection,
            self.raw,
            parse_message(self.raw) if self.message is not None else None,
            self.error,
            self.incomplete,
            self.place,
            role=self.role,
        )

    @property
    def sender(self) -> Party:
        """Who sent it, as far as the addresses are known (parties.py)."""
        return self.role(self)

    @property
    def sip(self) -> Request | Response:
        """The message; only for entries that have one, as those of every kind but BROKEN."""
        if self.message is None:
            raise ValueError(f"{self.label} has no readable message")
        return self.message

    @property
    def reliable(self) -> bool:
        """Whether it came over a stream transport."""
        return self.transport is not Transport.UDP

    @read_once
    def request(self) -> Request | None:
        """The message when it is a request."""
        return self.message if isinstance(self.message, Request) else None

    @read_once
    def response(self) -> Response | None:
        """The message when it is a response."""
        return self.message if isinstance(self.message, Response) else None

    @read_once
    def status(self) -> int:
        """The status code, 0 for anything but a response."""
        return self.message.status if isinstance(self.message, Response) else 0

    @property
    def method(self) -> str:
        """The request's method; of a response that of its request, else of its CSeq; "" when unreadable."""
        if isinstance(self.message, Request):
            return self.message.method
        if self.transaction is not None:
            return self.transaction.method
        return self.cseq.method if self.cseq else ""

    @read_once
    def cseq(self) -> CSeq | None:
        message = self.message
        return reading(lambda: message.cseq) if message else None

    @read_once
    def call_id(self) -> str | None:
        message = self.message
        return reading(lambda: message.call_id) if message else None

    @read_once
    def via(self) -> Via | None:
        message = self.message
        return reading(lambda: message.via) if message else None

    @read_once
    def vias(self) -> list[Via]:
        message = self.message
        return (reading(lambda: message.vias) if message else None) or []

    @read_once
    def branch(self) -> str | None:
        return self.via.branch if self.via else None

    @read_once
    def from_(self) -> NameAddr | None:
        message = self.message
        return reading(lambda: message.from_) if message else None

    @read_once
    def to(self) -> NameAddr | None:
        message = self.message
        return reading(lambda: message.to) if message else None

    @read_once
    def from_tag(self) -> str | None:
        return self.from_.tag if self.from_ else None

    @read_once
    def to_tag(self) -> str | None:
        return self.to.tag if self.to else None

    @read_once
    def contacts(self) -> list[NameAddr]:
        message = self.message
        return (reading(lambda: message.contacts) if message else None) or []

    @read_once
    def content_type(self) -> MediaType | None:
        message = self.message
        return reading(lambda: message.content_type) if message else None

    @property
    def label(self) -> str:
        """ "MESSAGE #3", "200 to MESSAGE #4": the number is the one on the timeline."""
        if isinstance(self.message, Request):
            return f"{self.message.method} #{self.number}"
        if isinstance(self.message, Response):
            return f"{self.message.status} to {self.method or 'a request'} #{self.number}"
        return f"unreadable message #{self.number}"


@dataclass(eq=False)
class Transaction:
    """A request and its responses on one leg (RFC 3261 17), repeats left out."""

    request: SipEntry
    responses: list[SipEntry] = field(default_factory=list)
    acks: list[SipEntry] = field(default_factory=list)
    """ACKs of an INVITE: to its non-2xx final response, and to its 2xx (with a branch of their own)."""
    retry_of: Transaction | None = None
    """The earlier transaction this one repeats after 401, 407, 422 and the like (same Call-ID and method)."""
    retried_by: Transaction | None = None
    cancels: Transaction | None = None
    cancelled_by: Transaction | None = None

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def final(self) -> SipEntry | None:
        """The first final response so far."""
        return next((entry for entry in self.responses if entry.status >= 200), None)

    @property
    def accepted(self) -> SipEntry | None:
        """The first 2xx so far."""
        return next((entry for entry in self.responses if 200 <= entry.status < 300), None)

    @property
    def first(self) -> Transaction:
        """The start of the chain of repeats."""
        return self.retry_of.first if self.retry_of else self


@dataclass(eq=False)
class Dialog:
    """A dialog seen from its start (RFC 3261 12). Sides are named by who sent the creating request.

    caller_tag, callee_tag: From and To tag of the creating request's response. creation: that transaction.
    early: the response that made it known; confirmed: its first 2xx.
    """

    call_id: str
    caller_tag: str
    callee_tag: str
    creation: Transaction
    early: SipEntry
    confirmed: SipEntry | None = None
    requests: list[SipEntry] = field(default_factory=list)
    """Requests inside the dialog, both sides, in order, repeats left out."""
    caller_targets: list[SipEntry] = field(default_factory=list)
    """Messages of the caller whose Contact set or refreshed its target, oldest first."""
    callee_targets: list[SipEntry] = field(default_factory=list)

    @property
    def method(self) -> str:
        """The creating method: INVITE, SUBSCRIBE or REFER."""
        return self.creation.method

    @property
    def byes(self) -> list[SipEntry]:
        return [entry for entry in self.requests if entry.method == "BYE"]

    def by_caller(self, entry: SipEntry) -> bool:
        """Whether the request in the dialog was sent by the side that created it."""
        return entry.from_tag == self.caller_tag

    def peer_targets(self, entry: SipEntry, settling: float = 0.0) -> list[str]:
        """Contact URI texts of the far side that the sender of the request may hold, the newest first.

        settling: seconds for which a target may still be on its way to the sender, so that the one before
        counts too. Empty when no target was seen.
        """
        targets = self.callee_targets if self.by_caller(entry) else self.caller_targets
        before = [target for target in targets if target.place < entry.place]
        found: list[str] = []
        for target in reversed(before):
            found.append(target.contacts[0].uri.text)
            if target.time <= entry.time - settling:
                break
        return found

    def route_set(self, entry: SipEntry) -> list[NameAddr] | None:
        """Routes the sender of the request has to use (12.1.1, 12.1.2); None when they cannot be known."""
        if self.creation.request.to_tag:
            return None  # a request inside the dialog: what set it up came before the timeline
        if self.by_caller(entry) and self.method in ("SUBSCRIBE", "REFER"):
            # The first NOTIFY makes the dialog of a subscriber, who is its UAS then (RFC 6665 4.4.1).
            told = next((each for each in self.requests if each.method == "NOTIFY"), None)
            notify = told.message if told is not None else None
            return reading(lambda: notify.record_routes) if notify else None
        if self.by_caller(entry):
            made_by = (self.confirmed or self.early).message
            routes = reading(lambda: made_by.record_routes) if made_by else None
            return routes if routes is None else routes[::-1]
        request = self.creation.request.message
        return reading(lambda: request.record_routes) if request else None


@dataclass(eq=False)
class CpimItem:
    """A CPIM object and, when it is a notification, its IMDN documents (more than one in an aggregate).

    carrier: the SIP message that brought it, or the last chunk of the MSRP message. offset: octet of the CPIM
    object in the carrier's octets (of a message in chunks: in the first one's); add it to offsets of `cpim`.
    cpim is None when the octets cannot be parsed. beginning: it is too long to be read as a whole, `raw` is
    its beginning.
    """

    carrier: SipEntry | MsrpEntry
    offset: int
    raw: bytes
    cpim: CpimMessage | None
    error: BodySyntaxError | None = None
    imdns: list[Imdn] = field(default_factory=list)
    imdn_error: BodySyntaxError | None = None
    """Set when the content is called message/imdn+xml and cannot be read."""
    beginning: bool = False

    @property
    def number(self) -> int:
        return self.carrier.number

    @property
    def time(self) -> float:
        return self.carrier.time

    @property
    def place(self) -> int:
        return self.carrier.place

    @property
    def sender(self) -> Party:
        return self.carrier.sender

    @property
    def label(self) -> str:
        return self.carrier.label

    @property
    def layer(self) -> Layer:
        return self.carrier.layer

    @property
    def by_sip(self) -> SipEntry | None:
        """The SIP message that brought it, None when it came by MSRP."""
        return self.carrier if isinstance(self.carrier, SipEntry) else None

    @property
    def message_id(self) -> str | None:
        """imdn.Message-ID, whatever the prefix bound to the IMDN namespace."""
        return self.cpim.imdn("Message-ID") if self.cpim else None

    @property
    def requested(self) -> frozenset[str]:
        """Tokens of imdn.Disposition-Notification, all rows, without parameters."""
        values = self.cpim.imdn_all("Disposition-Notification") if self.cpim else []
        parts = (part for value in values for part in value.split(","))
        return frozenset(token for part in parts if (token := part.split(";")[0].strip()))

    @property
    def is_notification(self) -> bool:
        """Whether it carries an IMDN, readable or not."""
        return bool(self.imdns) or self.imdn_error is not None


@dataclass(eq=False, frozen=True)
class Notification:
    """One IMDN document in the chain of the message it reports on."""

    item: CpimItem
    imdn: Imdn


@dataclass(eq=False)
class RegistrationState:
    """What a 2xx to REGISTER established.

    aor: text of the To URI. asked: Contact values of the request. lifetime:
    seconds granted to the handset's Contact, 0 after a deregistration.
    """

    transaction: Transaction
    response: SipEntry
    aor: str
    call_id: str
    asked: list[NameAddr]
    lifetime: int
    associated: list[str]
    """URIs of P-Associated-URI, in order."""
    service_route: list[str]
    ended_at: float | None = None
    """When a later REGISTER replaced or removed it."""

    @property
    def since(self) -> float:
        return self.response.time

    def holds_at(self, time: float) -> bool:
        """Whether the binding stood at that time."""
        end = self.since + self.lifetime if self.ended_at is None else self.ended_at
        return self.lifetime > 0 and self.since <= time < end


@dataclass(eq=False, frozen=True)
class EventItem:
    """What a driver did or saw. Findings on it are the handset's."""

    number: int
    time: float
    layer: Layer
    name: str
    text: str
    fields: Mapping[str, Any]

    sender = Party.HANDSET

    @property
    def label(self) -> str:
        return f"{self.layer} {self.name} #{self.number}"


Item: TypeAlias = "SipEntry | Description | MsrpEntry | ChunkedMessage | CpimItem | EventItem"
