"""TCP streams (RFC 9293): put together from captured segments, and written as a whole conversation."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.evidence.internet import (
    MOST_PAYLOAD,
    TCP,
    Datagram,
    Endpoints,
    ip_header,
    transport_checksum,
)
from harness.evidence.timeline import Address

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
_WRAP = 1 << 32
_WINDOW_SCALE = 14
# Maximum segment size, no operation, window scale: a window that no stream of a test fills, since nobody
# acknowledges in between.
_SYN_OPTIONS = struct.pack(">BBHBBBB", 2, 4, MOST_PAYLOAD, 1, 3, 3, _WINDOW_SCALE)


class Segment(NamedTuple):
    """A captured segment. order: time and place in the capture."""

    source: Address
    destination: Address
    sequence: int
    flags: int
    data: bytes
    order: tuple[float, int]


class Piece(NamedTuple):
    """Octets of a stream, new and in order. missing: octets before them that the capture does not have."""

    order: tuple[float, int]
    missing: int
    data: bytes


def read_tcp(datagram: Datagram, order: tuple[float, int]) -> Segment | None:
    """The segment in an IP datagram; None when there is no whole header."""
    octets = datagram.payload
    if len(octets) < 20:
        return None
    source, destination, sequence, _, offset, flags = struct.unpack_from(">HHIIBB", octets)
    header = (offset >> 4) * 4
    if header < 20 or len(octets) < header:
        return None
    return Segment(
        Address(datagram.source, source),
        Address(datagram.destination, destination),
        sequence,
        flags,
        octets[header:],
        order,
    )


class _Chunk(NamedTuple):
    start: int
    data: bytes
    order: tuple[float, int]

    @property
    def end(self) -> int:
        return self.start + len(self.data)


class HalfStream:
    """One direction of a connection. Of octets that came twice, those that came first count."""

    def __init__(self) -> None:
        self._origin: int | None = None
        self._latest = 0
        self._chunks: list[_Chunk] = []
        self._end: tuple[int, tuple[float, int]] | None = None
        self.start: int | None = None

    @property
    def empty(self) -> bool:
        """Whether no octet was seen."""
        return not self._chunks

    def is_start(self, sequence: int) -> bool:
        """Whether a SYN with this number opens the stream as it is known."""
        return self.start == self._offset(sequence + 1) if self.start is not None else self.empty

    def open(self, sequence: int) -> None:
        """A SYN was seen: the first octet has the number after it."""
        self.start = self._offset(sequence + 1)

    def close(self, sequence: int, order: tuple[float, int]) -> None:
        """A FIN was seen: no octet has its number or a later one."""
        self._end = self._end or (self._offset(sequence), order)

    def receive(self, sequence: int, data: bytes, order: tuple[float, int]) -> None:
        """Keep what is new of a segment's octets."""
        start = self._offset(sequence)
        self._latest = max(self._latest, start)
        position, end = start, start + len(data)
        at = bisect_left(self._chunks, start, key=lambda chunk: chunk.end)
        while position < end:
            following = self._chunks[at] if at < len(self._chunks) else None
            stop = min(end, following.start) if following else end
            if position < stop:
                self._chunks.insert(at, _Chunk(position, data[position - start : stop - start], order))
                at += 1
            if following is None:
                return
            position = max(position, following.end)
            at += 1

    def _offset(self, sequence: int) -> int:
        """Place in the stream, beyond four gigabytes too, counted from the first number seen."""
        if self._origin is None:
            self._origin = sequence
        ahead = (sequence - self._origin - self._latest + _WRAP // 2) % _WRAP - _WRAP // 2
        return self._latest + ahead

    def pieces(self) -> Iterator[Piece]:
        """The stream in order. A piece that had to wait for an earlier one has the time the wait ended.

        Octets missing before a FIN come as a last piece without data.
        """
        position = self.start if self.start is not None else (self._chunks[0].start if self._chunks else 0)
        order = (float("-inf"), 0)
        for chunk in self._chunks:
            if chunk.end <= position:
                continue
            order = max(order, chunk.order)
            data = chunk.data[max(0, position - chunk.start) :]
            yield Piece(order, max(0, chunk.start - position), data)
            position = chunk.end
        if self._end is not None and self._end[0] > position:
            yield Piece(max(order, self._end[1]), self._end[0] - position, b"")


class Connection:
    """Both directions between two endpoints. opened, closed: by whom, where a SYN, a FIN or RST was captured.

    Who sent the first FIN or RST closed it; the place is that of the last one.
    """

    def __init__(self, one: Address, other: Address) -> None:
        self.halves = {one: HalfStream(), other: HalfStream()}
        self.ends = (one, other)
        self.opened: tuple[Address, tuple[float, int]] | None = None
        self.closed: tuple[Address, tuple[float, int]] | None = None

    def end(self, segment: Segment) -> None:
        """A FIN or RST was seen."""
        self.closed = self.closed[0] if self.closed else segment.source, segment.order

    def streams(self) -> Iterator[tuple[Address, Address, HalfStream]]:
        """Source, destination and stream of each direction."""
        one, other = self.ends
        yield one, other, self.halves[one]
        yield other, one, self.halves[other]


class Connections:
    """All TCP connections of a capture, in the order they were first seen."""

    def __init__(self) -> None:
        self.all: list[Connection] = []
        self._current: dict[frozenset[Address], Connection] = {}

    def receive(self, segment: Segment) -> None:
        """Give a segment to its connection. A SYN with another number begins a new one on the same ports."""
        if segment.source == segment.destination:
            return
        if segment.flags & RST:
            known = self._current.get(frozenset((segment.source, segment.destination)))
            if known is not None:
                known.end(segment)
            return
        connection = self._connection(segment)
        half = connection.halves[segment.source]
        sequence = segment.sequence
        if segment.flags & SYN:
            opener = segment.destination if segment.flags & ACK else segment.source
            connection.opened = connection.opened or (opener, segment.order)
            half.open(sequence)
            sequence += 1
        if segment.data:
            half.receive(sequence % _WRAP, segment.data, segment.order)
        if segment.flags & FIN:
            half.close((sequence + len(segment.data)) % _WRAP, segment.order)
            connection.end(segment)

    def _connection(self, segment: Segment) -> Connection:
        key = frozenset((segment.source, segment.destination))
        connection = self._current.get(key)
        if connection is None or (
            segment.flags & SYN and not connection.halves[segment.source].is_start(segment.sequence)
        ):
            connection = Connection(segment.source, segment.destination)
            self._current[key] = connection
            self.all.append(connection)
        return connection


@dataclass(slots=True)
class Conversation:
    """Writes a connection: handshake, data with right numbers and checksums, and the end.

    ends: from the one that opened it to the other.
    """

    ends: Endpoints
    initial: int
    _next: dict[bool, int] = field(default_factory=dict)
    _identification: int = 0

    def open(self) -> list[bytes]:
        """SYN, SYN/ACK, ACK."""
        self._next = {True: self.initial, False: self.initial + (1 << 31)}
        return [self._segment(True, SYN), self._segment(False, SYN | ACK), self._segment(True, ACK)]

    def data(self, ends: Endpoints, octets: bytes) -> list[bytes]:
        """The octets in as many segments as they need, from the source of `ends`."""
        forward = ends == self.ends
        parts = [octets[at : at + MOST_PAYLOAD] for at in range(0, len(octets), MOST_PAYLOAD)]
        return [self._segment(forward, ACK | (PSH if part is parts[-1] else 0), part) for part in parts]

    def skip(self, ends: Endpoints, octets: int) -> None:
        """Leave out as many octets from the source of `ends`: nobody has them."""
        self._next[ends == self.ends] += octets

    def close(self, *, by_opener: bool = True) -> list[bytes]:
        """FIN/ACK from both ends and the last ACK."""
        ends = (by_opener, FIN | ACK), (not by_opener, FIN | ACK), (by_opener, ACK)
        return [self._segment(forward, flags) for forward, flags in ends]

    def _segment(self, forward: bool, flags: int, data: bytes = b"") -> bytes:
        ends = self.ends if forward else self.ends.reverse()
        options = _SYN_OPTIONS if flags & SYN else b""
        header = struct.pack(
            ">HHIIBBH",
            ends.source_port,
            ends.destination_port,
            self._next[forward] % _WRAP,
            self._next[not forward] % _WRAP if flags & ACK else 0,
            (20 + len(options)) // 4 << 4,
            flags,
            0xFFFF,
        )
        self._next[forward] += len(data) + bool(flags & (SYN | FIN))
        self._identification += 1
        checksum = transport_checksum(ends, TCP, header + bytes(4) + options + data) or bytes(2)
        segment = header + checksum + bytes(2) + options + data
        return ip_header(ends, TCP, len(segment), self._identification) + segment
