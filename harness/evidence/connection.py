"""A TCP connection of a capture: what it speaks, told by content, and what of its two streams can be read."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from harness.evidence.start_line import find_start, protocol_of
from harness.evidence.stream import Piece, Stream
from harness.evidence.tcp import Segment
from harness.evidence.timeline import Address, Layer, Transport

_LONGEST_LINE, _MOST_PIECES = 4200, 64  # of a start line
_MAY_BEGIN = re.compile(rb"[\r\n]*(?:[A-Za-z][^\r\n]*\r?)?")
_OVERHEAD = 400
_TAIL = 1024  # octets kept while a start line is looked for: one may have begun there


class Reading(NamedTuple):
    """What can be read of a piece. note, missing: what is not there before it."""

    direction: Direction
    piece: Piece
    data: bytes
    note: str = ""
    missing: int = 0


class Direction:
    """One direction of a connection. back: the other one; searching: whether octets are left out up to the
    next start line, as they are behind a hole and where the capture begins inside the stream.
    """

    __slots__ = (
        "_missing", "_skipped", "_tail", "back", "connection", "deferred", "deferred_octets", "destination",
        "searching", "source", "stream",
    )  # fmt: skip

    back: Direction

    def __init__(self, connection: Connection, source: Address, destination: Address) -> None:
        self.connection, self.source, self.destination = connection, source, destination
        self.stream = Stream()
        self.deferred: deque[tuple[Segment, float, int]] = deque()
        """Segments, with time and place, whose sender had seen what the capture has not yet."""
        self.deferred_octets = 0
        self.searching = True
        self._missing = self._skipped = 0
        self._tail = b""

    def open(self, sequence: int) -> None:
        """A SYN was seen: the stream is known from its beginning."""
        if not self.stream.seen:
            self.searching = False
        self.stream.open(sequence)

    def defer(self, segment: Segment, time: float, place: int) -> None:
        """Keep a segment for later."""
        self.deferred.append((segment, time, place))
        self.deferred_octets += len(segment.data) + _OVERHEAD

    def next_deferred(self) -> tuple[Segment, float, int]:
        """The oldest segment that was kept."""
        found = self.deferred.popleft()
        self.deferred_octets -= len(found[0].data) + _OVERHEAD
        return found

    @property
    def held_octets(self) -> int:
        """Memory taken by what waits."""
        return self.stream.held_octets + self.deferred_octets

    def protocol(self, piece: Piece, before: bytes) -> Layer | None:
        """The protocol that shows by a start line at the beginning of the stream or of a piece or, where the
        capture has not the beginning, anywhere. before: the octets before the piece that may begin one.
        """
        octets = (self._tail if self.searching else before) + piece.data
        layer = protocol_of(octets) or protocol_of(piece.data)
        if layer is None and not self.stream.opened:
            layer = next((each for each in (Layer.SIP, Layer.MSRP) if find_start(each, octets) >= 0), None)
        return layer

    @property
    def waits(self) -> bool:
        """Whether there are octets that wait for earlier ones."""
        return self.stream.waits or bool(self.deferred)

    @property
    def waiting_since(self) -> tuple[float, int]:
        """Time and place of the oldest of them."""
        deferred = [self.deferred[0][1:]] if self.deferred else []
        return min([*deferred, self.stream.waiting_since] if self.stream.waits else deferred)

    @property
    def waits_in_vain(self) -> bool:
        """Whether what they wait for has reached its end, so that it can only be late in the capture."""
        return bool(self.deferred) or self.stream.waits_in_vain

    def pass_over(self, piece: Piece) -> None:
        """Nothing of it can be read."""
        self._missing += piece.missing
        self._skip(piece.data if piece.missing else self._tail + piece.data, len(piece.data))

    def read(self, layer: Layer, piece: Piece) -> Iterator[Reading]:
        """What can be read of the piece: nothing, all, or what comes from a start line on."""
        if not self.searching and not piece.missing:
            yield Reading(self, piece, piece.data)
            return
        tail = b"" if piece.missing else self._tail
        self._missing += piece.missing
        at = self._start(layer, tail, piece.data)
        if at < 0:
            self._skip(tail + piece.data, len(piece.data))
            if piece.data:
                return
            at = len(tail)  # what is missing at the end has nothing behind it
        else:
            self._skipped += at - len(tail)
        note, missing = self._explained()
        self.searching, self._tail = False, b""
        self._missing = self._skipped = 0
        yield Reading(self, piece, (tail + piece.data)[at:], note, missing)

    def _skip(self, octets: bytes, new: int) -> None:
        self.searching = True
        self._skipped += new
        self._tail = octets[octets.rfind(b"\n") + 1 :][-_TAIL:]

    def _start(self, layer: Layer, tail: bytes, data: bytes) -> int:
        """Where in both together a start line begins; -1 when none does."""
        if self.stream.opened and not self._missing and protocol_of(data) is layer:
            return len(tail)  # after something else
        return find_start(layer, tail + data)

    def _explained(self) -> tuple[str, int]:
        """The note, and the number of octets missing."""
        missing, skipped = self._missing, self._skipped
        note = f"gap: the capture has not {missing} octets before this" if missing else ""
        if skipped and not missing:
            opened = self.stream.opened
            note = "octets of something else" if opened else "the capture begins inside the stream"
        if skipped:
            note += f"; {skipped} octets up to this start line left out"
        return note, missing


class Connection:
    """Both directions between two endpoints.

    number: the connection's on the timeline, 0 before it is known to speak SIP or MSRP. opened_by, closed_by:
    who sent a SYN, and the first FIN or RST, where the capture has it.
    """

    def __init__(self, source: Address, destination: Address, transport: Transport) -> None:
        self.transport = transport
        self.layer: Layer | None = None
        self.number = 0
        self.opened_by: Address | None = None
        self.closed_by: Address | None = None
        self.closed_at = self.read_at = (0.0, 0)
        """Time and place of the last FIN or RST, and of the last octets that had to be put in order."""
        self.over = False
        """Whether its end was told."""
        self.seen_at = 0
        """Place of its last segment in the capture."""
        self.flows: tuple[bytes, bytes]
        """What the segments of its directions are known by."""
        one, other = Direction(self, source, destination), Direction(self, destination, source)
        one.back, other.back = other, one
        self.directions = one, other
        self._prelude: list[tuple[Direction, Piece]] = []

    @property
    def waits(self) -> bool:
        """Whether there are octets that may be the beginning of a start line."""
        return bool(self._prelude)

    @property
    def waiting_since(self) -> tuple[float, int]:
        """Time and place of the oldest of them."""
        return self._prelude[0][1][:2]

    @property
    def empty(self) -> bool:
        """Whether no octet was seen."""
        return not any(direction.stream.seen for direction in self.directions)

    def end(self, by: Address, time: float, place: int) -> None:
        """A FIN or RST was seen. Who sent the first closed it; the place is that of the last."""
        self.closed_by = self.closed_by or by
        self.closed_at = time, place

    def read(self, direction: Direction, piece: Piece) -> Iterator[Reading]:
        """What can be read with this piece. Sets `layer` when that shows."""
        if self.layer is not None:
            yield from direction.read(self.layer, piece)
        elif piece.data:
            yield from self._recognise(direction, piece)

    def give_up_prelude(self) -> None:
        """What may have been the beginning of a start line is none."""
        for direction, piece in self._prelude:
            direction.pass_over(piece)
        self._prelude.clear()

    def _recognise(self, direction: Direction, piece: Piece) -> Iterator[Reading]:
        before = b"".join(earlier.data for each, earlier in self._prelude if each is direction)
        self.layer = direction.protocol(piece, before)
        self._prelude.append((direction, piece))
        if self.layer is not None:
            for each, earlier in self._prelude:
                yield from each.read(self.layer, earlier)
            self._prelude.clear()
        elif direction.searching or len(self._prelude) > _MOST_PIECES or not _may_begin(before + piece.data):
            self.give_up_prelude()


def _may_begin(octets: bytes) -> bool:
    return len(octets) < _LONGEST_LINE and _MAY_BEGIN.fullmatch(octets) is not None
