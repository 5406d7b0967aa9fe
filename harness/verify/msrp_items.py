"""What rules see of MSRP: chunks and responses, transactions, messages put together again (RFC 4975)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.errors import MsrpSyntaxError
from harness.evidence.timeline import Address, Layer, Packet, Transport
from harness.msrp.message import ByteRange, Flag, MsrpRequest, MsrpResponse
from harness.msrp.reassembly import Coverage
from harness.msrp.uri import MsrpUri, parse_path
from harness.verify.finding import Party
from harness.verify.items import CpimItem, Dialog, SipEntry
from harness.verify.negotiation_items import MsrpEnd, MsrpSession

if TYPE_CHECKING:
    from harness.verify.flows import UserFlow

BEGINNING = 1024 * 1024
"""Octets of the content of a message that are held after it was judged."""
Span = tuple[Packet, int, int]  # from one octet of a packet up to another


class Octets:
    """A stretch of a stream. Its octets stay where the timeline keeps them until they are asked for."""

    __slots__ = ("_spans", "size")

    def __init__(self, spans: tuple[Span, ...] = ()) -> None:
        self._spans = spans
        self.size = sum(end - start for _, start, end in spans)

    def __iter__(self) -> Iterator[bytes]:
        """The octets, packet by packet. OSError when the timeline cannot read them any more."""
        for packet, start, end in self._spans:
            yield packet.data[start:end]

    def let_go(self) -> None:
        """Hold the octets no more; how many they were stays known."""
        self._spans = ()

    def read(self, most: int | None = None) -> bytes:
        """The octets, or the first so many of them. Raises OSError."""
        found = bytearray()
        for piece in self:
            found += piece
            if most is not None and len(found) >= most:
                return bytes(found[:most])
        return bytes(found)


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a connection: how, when, and by which end (as its address is written; "" not known)."""

    text: str
    time: float
    by: str = ""


@dataclass(eq=False, repr=False, slots=True)
class MsrpEntry:
    """A chunk, another request or a response: what the framing cut from one direction of a stream.

    number, time: of the packet that completed it; began: of the packet with its first octet. raw: start line
    and headers, up to the body. message: those parsed, None when the octets are no MSRP, then `error` says
    why; in one that was cut by the end of its connection `body` is what had come. assumed: where its body
    begins, when it is a later chunk that does not say so.
    """

    number: int
    time: float
    transport: Transport
    source: Address
    destination: Address
    connection: int | None
    raw: bytes
    message: MsrpRequest | MsrpResponse | None
    body: Octets
    has_body: bool = False
    error: MsrpSyntaxError | None = None
    cut: Ending | None = None
    """How its connection ended within it."""
    began: float = 0.0
    assumed: int = 1
    place: int = 0
    """Order among all SIP and MSRP entries."""
    amid: bool = False
    """A message of the other direction was under way when it came."""
    follows: MsrpEntry | None = None
    """Octets that are no message: the message they come right behind in their stream."""
    alike: bool = False
    """It is a chunk that goes on as the one before, or the response to one (alike.py)."""
    overrun: bool = False
    """Octets that are no message come right behind it."""
    session: MsrpSession | None = None
    """By the session-ids of its paths; None when no SDP named them."""
    by_caller: bool | None = None
    """Which side of the session sent it."""
    transaction: MsrpTransaction | None = None
    """Requests: the one they open. Responses: the one they answer, None if not seen."""
    part_of: ChunkedMessage | None = None
    """SENDs with a Message-ID: the message they are a chunk of. REPORTs: the one they report on."""
    bodies: list[CpimItem] = field(default_factory=list)
    flow: UserFlow | None = None
    """The user-level act it is part of, as known when it came (flows.py)."""
    _span: ByteRange | None = None
    _span_read: bool = False
    role: Callable[[MsrpEntry], Party] = field(default=lambda entry: Party.UNKNOWN, repr=False)

    @property
    def layer(self) -> Layer:
        return Layer.MSRP

    @property
    def sender(self) -> Party:
        """The party of its side of the session, else by addresses as far as they are known."""
        return self.role(self)

    @property
    def msrp(self) -> MsrpRequest | MsrpResponse:
        """The message; only for entries that have one, as those of every kind but BROKEN_MSRP."""
        if self.message is None:
            raise ValueError(f"{self.label} has no readable message")
        return self.message

    @property
    def request(self) -> MsrpRequest | None:
        return self.message if isinstance(self.message, MsrpRequest) else None

    @property
    def response(self) -> MsrpResponse | None:
        return self.message if isinstance(self.message, MsrpResponse) else None

    @property
    def status(self) -> int:
        """The status code of a response, else 0."""
        return self.message.status if isinstance(self.message, MsrpResponse) else 0

    @property
    def method(self) -> str:
        """The request's method; of a response that of its request, "" when that was not seen."""
        if isinstance(self.message, MsrpRequest):
            return self.message.method
        return self.transaction.method if self.transaction is not None else ""

    @property
    def tid(self) -> str:
        return self.message.transaction_id if self.message else ""

    @property
    def flag(self) -> Flag | None:
        """Of the end-line; None when that did not come."""
        return self.message.flag if self.message and not self.cut else None

    @property
    def message_id(self) -> str | None:
        return self.message.message_id if self.message else None

    @property
    def byte_range(self) -> ByteRange | None:
        """None when it is absent or malformed."""
        if not self._span_read:
            self._span_read = True
            try:
                self._span = self.message.byte_range if self.message else None
            except MsrpSyntaxError:
                self._span = None
        return self._span

    @property
    def start(self) -> int:
        """The place of its body in the message, from 1 (7.1.1)."""
        return self.byte_range.start if self.byte_range else self.assumed

    @property
    def to_path(self) -> tuple[MsrpUri, ...]:
        """The URIs of To-Path; empty when it is absent or malformed."""
        return self._path("To-Path")

    @property
    def from_path(self) -> tuple[MsrpUri, ...]:
        """The URIs of From-Path; empty when it is absent or malformed."""
        return self._path("From-Path")

    @property
    def content_type(self) -> str:
        """Content-Type without parameters, in lower case; "" when absent."""
        value = self.message.get("Content-Type") if self.message else None
        return (value or "").partition(";")[0].strip().lower()

    @property
    def dialog(self) -> Dialog | None:
        """The dialog of its session."""
        return self.session.dialog if self.session else None

    @property
    def own_end(self) -> MsrpEnd | None:
        """What its sender's SDP said of the session."""
        return self._end(own=True)

    @property
    def far_end(self) -> MsrpEnd | None:
        """What its receiver's SDP said of the session."""
        return self._end(own=False)

    @property
    def label(self) -> str:
        """ "SEND #3", "200 to SEND #4": the number is the one on the timeline."""
        if self.request is not None:
            return f"{self.method} #{self.number}"
        if self.response is not None:
            return f"{self.status} to {self.method or 'a request'} #{self.number}"
        return f"unreadable message #{self.number}"

    def _end(self, own: bool) -> MsrpEnd | None:
        if self.session is None or self.by_caller is None:
            return None
        return self.session.end(self.by_caller is own, self.place)

    def _path(self, name: str) -> tuple[MsrpUri, ...]:
        value = self.message.get(name) if self.message else None
        try:
            return parse_path(value) if value else ()
        except MsrpSyntaxError:
            return ()


@dataclass(eq=False, repr=False, slots=True)
class MsrpTransaction:
    """A request and what answered it on its connection (RFC 4975 7.1, 7.2)."""

    request: MsrpEntry
    responses: list[MsrpEntry] = field(default_factory=list)

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def final(self) -> MsrpEntry | None:
        """The first response so far."""
        return self.responses[0] if self.responses else None

    @property
    def accepted(self) -> MsrpEntry | None:
        """The first 200 so far."""
        return next((entry for entry in self.responses if entry.status == 200), None)


@dataclass(eq=False, repr=False)
class ChunkedMessage:
    """An MSRP message: the chunks of one sender in one session with one Message-ID, in the order they came.

    again: the message before it with the same Message-ID of the same sender in the session. reports: REPORTs
    on it.
    """

    message_id: str
    session: MsrpSession | None
    chunks: list[MsrpEntry] = field(default_factory=list)
    again: ChunkedMessage | None = None
    reports: list[MsrpEntry] = field(default_factory=list)
    total: int | None = None
    """Octets of the whole message, as the place of the chunk with "$" tells; None before that came."""
    coverage: Coverage = field(default_factory=Coverage)
    shape: object = None
    """What the next chunk has in common with the last when it goes on as that one (alike.py)."""
    due: int = 0
    """Where the next chunk begins then."""

    layer = Layer.MSRP

    @property
    def first(self) -> MsrpEntry:
        return self.chunks[0]

    @property
    def last(self) -> MsrpEntry:
        return self.chunks[-1]

    @property
    def number(self) -> int:
        return self.last.number

    @property
    def time(self) -> float:
        return self.last.time

    @property
    def place(self) -> int:
        return self.last.place

    @property
    def sender(self) -> Party:
        return self.first.sender

    @property
    def by_caller(self) -> bool | None:
        return self.first.by_caller

    @property
    def label(self) -> str:
        return f"MSRP message {self.message_id}, {self.last.label}"

    @property
    def content_type(self) -> str:
        """Of its first chunk, without parameters, in lower case."""
        return self.first.content_type

    @property
    def complete(self) -> bool:
        """Whether the chunk with "$" and every octet before it came."""
        return self.total is not None and self.coverage.covers(self.total)

    @property
    def aborted(self) -> bool:
        """Whether its sender gave it up with "#" (7.1)."""
        return self.last.flag is Flag.ABORTED

    @property
    def size(self) -> int:
        """Octets that came of it, each counted once."""
        return self.coverage.octets

    def let_go(self) -> None:
        """Hold no more of the content than its beginning, which tells it from that of another message."""
        for chunk in self.chunks:
            if chunk.start > BEGINNING:
                chunk.body.let_go()

    def pieces(self) -> Iterator[bytes]:
        """The whole content in its order. Of octets that came twice the last ones count (7.3.1). OSError."""
        for chunk, start, end in self._layout():
            place = 0
            for piece in chunk.body:
                low, high = max(start - place, 0), min(end - place, len(piece))
                if low < high:
                    yield piece[low:high]
                place += len(piece)

    def read(self, most: int) -> bytes:
        """The first octets of the content, not more than so many. Raises OSError."""
        found = bytearray()
        for piece in self.pieces():
            found += piece
            if len(found) >= most:
                break
        return bytes(found[:most])

    def _layout(self) -> Iterator[tuple[MsrpEntry, int, int]]:
        """Chunks with the part of their body that counts, in the order of the content."""
        kept: list[tuple[int, int, MsrpEntry]] = []  # by start, never overlapping
        for chunk in self.chunks:
            start, end = chunk.start - 1, chunk.start - 1 + chunk.body.size
            if self.total is not None:
                end = min(end, self.total)
            if start < end:
                _lay_over(kept, start, end, chunk)
        for start, end, chunk in kept:
            yield chunk, start - (chunk.start - 1), end - (chunk.start - 1)


def _lay_over(kept: list[tuple[int, int, MsrpEntry]], start: int, end: int, chunk: MsrpEntry) -> None:
    """Put a chunk over what is there."""
    if not kept or kept[-1][1] <= start:
        kept.append((start, end, chunk))
        return
    at = bisect_right(kept, start, key=lambda each: each[1])
    stop, rest = at, list[tuple[int, int, MsrpEntry]]()
    while stop < len(kept) and kept[stop][0] < end:
        low, high, other = kept[stop]
        if low < start:
            rest.append((low, start, other))
        if high > end:
            rest.append((end, high, other))
        stop += 1
    kept[at:stop] = sorted([*rest, (start, end, chunk)], key=lambda each: each[:2])


Carrier = SipEntry | MsrpEntry
