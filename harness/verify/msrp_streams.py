"""MSRP out of the packets of a timeline: chunks and responses; bodies stay where they are (RFC 4975 7.1).

A connection that ends within a message gives what had come of it. Where that holds a wrong end-line and then
other messages, these are read too.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, islice

from harness.errors import MsrpSyntaxError
from harness.evidence.timeline import Event, Packet
from harness.msrp.framing import ChunkBlock, ChunkEnd, ChunkHead, FramingError, MsrpFramer, MsrpLimits
from harness.msrp.message import START_LINE, Flag, MsrpRequest, MsrpResponse, message_of, start_line_of
from harness.verify.finding import Party
from harness.verify.msrp_items import Ending, MsrpEntry, Octets, Span

# What no rule forbids is judged, however large: these bound memory only.
LIMITS = MsrpLimits(
    start_line_octets=64 * 1024,
    head_octets=1024 * 1024,
    headers=10_000,
    message_octets=1 << 62,
    whole_octets=1024 * 1024 + 1,
)
_LEFT_OVER = 1024 * 1024  # octets of a message without end that are looked through for a wrong end-line
_FOLLOWED = re.compile(
    rb"\r?\n(?P<line>-{2,}[A-Za-z0-9.\-+%=]{0,40}[^\r\n]{0,2})\r?\n(?=MSRP [A-Za-z0-9.\-+%=]{1,32} [A-Z0-9])"
)
_NO_LINE_END = rb"[^\n](?P<line>-------%s[$+#])\r\n(?=\Z|MSRP )"


class EndLineError(MsrpSyntaxError):
    """A line meant to end a message that does not: what is "end-line" for a wrong one, "line end" for one
    that no CRLF stands before. offset counts from the start of the message.
    """


@dataclass(slots=True)
class _Stream:
    """One direction of a connection. position: octets of the stream that became messages."""

    framer: MsrpFramer = field(default_factory=lambda: MsrpFramer(LIMITS))
    packets: list[tuple[int, Packet]] = field(default_factory=list)
    """Those that hold octets from `position` on, each with the place of its first octet in the stream."""
    received: int = 0
    position: int = 0
    latest: bytes = b""
    """The octets of the last packet."""
    head: MsrpRequest | None = None
    """Of the chunk that comes in blocks."""
    body_octets: int = 0
    lost: bool = False
    """Its framing broke before: what follows may be a remainder."""
    before: MsrpEntry | None = None
    """The message the next octets follow."""

    def spans(self, start: int, end: int) -> Octets:
        """The octets of the stream from one place up to another."""
        found: list[Span] = []
        first = max(bisect_right(self.packets, start, key=lambda each: each[0]) - 1, 0)
        for place, packet in islice(self.packets, first, None):
            if place >= end:
                break
            low, high = max(start - place, 0), min(end - place, self._length(place))
            if low < high:
                found.append((packet, low, high))
        return Octets(tuple(found))

    def begins_with(self, octets: bytes) -> bool:
        """Whether these are what comes next."""
        place = self.position - self.packets[-1][0] if self.packets else -1
        if place >= 0:
            return self.latest.startswith(octets, place)
        return self.spans(self.position, self.position + len(octets)).read() == octets

    def packet_at(self, position: int) -> Packet:
        """The packet with that octet of the stream."""
        first = max(bisect_right(self.packets, position, key=lambda each: each[0]) - 1, 0)
        return self.packets[first][1]

    def advance(self, octets: int) -> None:
        """So many octets are done with."""
        self.position += octets
        keep = max(bisect_right(self.packets, self.position, key=lambda each: each[0]) - 1, 0)
        del self.packets[:keep]

    def _length(self, place: int) -> int:
        at = bisect_right(self.packets, place, key=lambda each: each[0])
        return (self.packets[at][0] if at < len(self.packets) else self.received) - place


class MsrpStreams:
    """Feed it packets of MSRP and the ends of connections.

    Args: places gives the order among all messages, role tells who sent an entry.
    """

    def __init__(self, places: count[int], role: Callable[[MsrpEntry], Party]) -> None:
        self._places = places
        self._role = role
        self._streams: dict[tuple[object, object], _Stream] = {}

    def receive(self, packet: Packet) -> Iterator[MsrpEntry]:
        """The messages that became complete with this packet."""
        key = packet.source, _line(packet)
        stream = self._streams.get(key)
        if stream is None or stream.framer.broken or packet.missing:
            stream = self._streams[key] = _Stream(lost=stream is not None)
        other = self._streams.get((packet.destination, _line(packet)))
        data = packet.data
        stream.packets.append((stream.received, packet))
        stream.received += len(data)
        stream.latest = data
        for event in stream.framer.receive(data):
            entry = self._entry_of(stream, packet, event)
            if entry is not None:
                entry.amid = other is not None and other.framer.pending_octets > 0
                stream.before = entry
                yield entry

    def ended(self, event: Event) -> Iterator[MsrpEntry]:
        """What a connection that ended leaves without its end (event: "connection", "closed: ...")."""
        number = event.fields.get("connection")
        for key in [key for key in self._streams if number is not None and key[1] == number]:
            yield from self._left_over(self._streams.pop(key), event)

    def _entry_of(self, stream: _Stream, packet: Packet, event: object) -> MsrpEntry | None:
        if isinstance(event, MsrpRequest | MsrpResponse):
            return self._whole(stream, packet, event)
        if isinstance(event, ChunkHead):
            self._pass_line_ends(stream)
            stream.head, stream.body_octets = event.request, 0
        elif isinstance(event, ChunkBlock):
            stream.body_octets += len(event.data)
        elif isinstance(event, ChunkEnd):
            return self._chunk(stream, packet, event)
        elif isinstance(event, FramingError):
            return self._broken(stream, packet, event)
        return None

    def _whole(self, stream: _Stream, packet: Packet, message: MsrpRequest | MsrpResponse) -> MsrpEntry:
        self._pass_line_ends(stream)
        octets = len(message.raw)
        if not message.has_body:
            entry = self._entry(stream, packet, message, Octets())
        else:
            start, end = stream.position + message.body_offset, stream.position + message.body_end
            head = message.raw[: message.body_offset]
            entry = self._entry(
                stream, packet, _head_of(head, message.flag), stream.spans(start, end), has_body=True
            )
        stream.advance(octets)
        return entry

    def _chunk(self, stream: _Stream, packet: Packet, end: ChunkEnd) -> MsrpEntry:
        assert stream.head is not None, "blocks follow a head"
        head = stream.head.raw
        start = stream.position + len(head)
        body = stream.spans(start, start + stream.body_octets)
        entry = self._entry(stream, packet, _head_of(head, end.flag), body, has_body=True)
        stream.advance(end.octets)
        stream.head = None
        return entry

    def _broken(self, stream: _Stream, packet: Packet, error: FramingError) -> MsrpEntry | None:
        """Octets that are no message. Behind a break they may be the rest of what broke it."""
        if stream.lost:
            return None
        self._pass_line_ends(stream)
        octets = stream.spans(stream.position, min(stream.received, stream.position + LIMITS.head_octets))
        entry = self._entry(stream, packet, None, octets, error=error)
        if stream.before is not None:
            entry.follows, stream.before.overrun = stream.before, True
        return entry

    def _left_over(self, stream: _Stream, end: Event) -> Iterator[MsrpEntry]:
        if stream.framer.broken or not stream.framer.pending_octets or not stream.packets:
            return
        self._pass_line_ends(stream)
        packet = stream.packets[-1][1]
        octets = stream.spans(stream.position, stream.received)
        raw = octets.read(_LEFT_OVER)
        start = START_LINE.match(raw)
        wrong = _wrong_end(raw, start) if start else None
        if wrong is not None:
            text = wrong["line"].decode("ascii", "backslashreplace")
            what = "line end" if wrong.re.pattern != _FOLLOWED.pattern else "end-line"
            error = EndLineError(what, text, wrong.start("line"), "RFC 4975 7.1")
            yield self._entry(stream, packet, None, octets, error=error)
            yield from self._behind(stream, wrong.end(), end)
            return
        yield self._unfinished(stream, packet, raw, end)

    def _behind(self, stream: _Stream, octets: int, end: Event) -> Iterator[MsrpEntry]:
        """The messages after a wrong end-line."""
        again = _Stream(packets=stream.packets, received=stream.received, position=stream.position)
        again.latest = stream.latest
        again.advance(octets)
        for piece in stream.spans(again.position, stream.received):
            for event in again.framer.receive(piece):
                entry = self._entry_of(again, again.packet_at(again.position), event)
                if entry is not None:
                    yield entry
        yield from self._left_over(again, end)

    def _unfinished(self, stream: _Stream, packet: Packet, raw: bytes, end: Event) -> MsrpEntry:
        head_end = raw.find(b"\r\n\r\n") + 4
        body_start = stream.position + (head_end if head_end >= 4 else len(raw))
        message = _head_of(raw[:head_end], Flag.MORE) if head_end >= 4 and START_LINE.match(raw) else None
        entry = self._entry(
            stream,
            packet,
            message,
            stream.spans(body_start, stream.received),
            has_body=message is not None,
            head=raw[: body_start - stream.position],
        )
        entry.cut = Ending(end.text, end.time, str(end.fields.get("closed_by", "")))
        return entry

    def _pass_line_ends(self, stream: _Stream) -> None:
        """Step over CRLF between messages, as the framing does."""
        while stream.begins_with(b"\r\n"):
            stream.advance(2)

    def _entry(
        self,
        stream: _Stream,
        packet: Packet,
        message: MsrpRequest | MsrpResponse | None,
        body: Octets,
        *,
        has_body: bool = False,
        error: MsrpSyntaxError | None = None,
        head: bytes = b"",
    ) -> MsrpEntry:
        return MsrpEntry(
            packet.number,
            packet.time,
            packet.transport,
            packet.source,
            packet.destination,
            packet.connection,
            message.raw if message else head,
            message,
            body,
            has_body=has_body,
            error=error,
            began=stream.packet_at(stream.position).time,
            place=next(self._places),
            role=self._role,
        )


def _line(packet: Packet) -> object:
    """What both directions of a connection have in common."""
    if packet.connection is not None:
        return packet.connection
    return frozenset((packet.source, packet.destination))


def _wrong_end(raw: bytes, start: re.Match[bytes]) -> re.Match[bytes] | None:
    """What was meant as the end of the message: the end-line behind no line end, or another line."""
    glued = re.compile(_NO_LINE_END % re.escape(start[1])).search(raw, start.end())
    return glued or _FOLLOWED.search(raw, start.end())


def _head_of(head: bytes, flag: Flag) -> MsrpRequest | MsrpResponse:
    """The message of which only start line, headers and empty line are kept."""
    start = START_LINE.match(head)
    assert start is not None, "the framing found its start line"
    return message_of(start_line_of(start), (head, 0, len(head)), flag, start.end() - 2, len(head))
