"""All TCP connections of a capture that are open: segments in, octets of SIP and MSRP out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from harness.evidence.connection import Connection, Direction, Reading
from harness.evidence.stream import Piece
from harness.evidence.tcp import ACK, FIN, RST, SYN, Segment, ends_of, way_back
from harness.evidence.timeline import Layer, Transport
from harness.evidence.turns import Found, Mark

_WAIT_SECONDS = 15.0
"""How long missing octets are waited for: longer than a retransmission takes that still helps."""
_VAIN_SECONDS = 1.0
"""The same when the other end has them, so that they can only be late in the capture."""
_MOST_CONNECTIONS = 16_384
_MOST_CLOSED = 2048
_CLOSED_SECONDS = 120.0


class Connections:
    """Give it segments in the order of the capture.

    waiting: where octets are missing before others. others: connections that turned out to speak something
    else.
    """

    def __init__(self) -> None:
        self.waiting: dict[Direction | Connection, None] = {}
        self.others = 0
        self._directions: dict[bytes, Direction] = {}
        self._closed: deque[Connection] = deque()
        self._numbered = 0

    def receive(
        self, segment: Segment, transport: Transport, time: float, place: int
    ) -> Iterable[Found | Mark]:
        """What can be read with this segment."""
        flow, sequence, acknowledged, flags, data = segment
        direction = self._directions.get(flow if transport is Transport.TCP else b"s" + flow)
        if direction is None or flags & (SYN | FIN | RST):
            return self._open_or_close(direction, segment, transport, time, place)
        connection = direction.connection
        connection.seen_at = place
        direction.back.stream.acknowledged = acknowledged
        if not data:
            return ()
        layer = connection.layer
        if layer is None or direction.searching or not direction.stream.follows(sequence, len(data)):
            return self._octets(direction, sequence, data, time, place)
        source, destination = direction.source, direction.destination
        return (Found(place, time, layer, transport, source, destination, data, connection.number),)

    @property
    def barrier(self) -> int | None:
        """Place in the capture of the oldest octets that wait."""
        return min((waiting.waiting_since[1] for waiting in self.waiting), default=None)

    @property
    def held_octets(self) -> int:
        """Memory taken by octets that wait."""
        return sum(each.stream.held_octets for each in self.waiting if isinstance(each, Direction))

    def give_up(self, time: float, *, oldest: bool = False) -> Iterator[Found | Mark]:
        """What can be read since octets are not waited for any more. oldest: of one place at least."""
        for waiting in sorted(self.waiting, key=lambda each: each.waiting_since[1]):
            since = waiting.waiting_since[0]
            vain = isinstance(waiting, Direction) and waiting.stream.waits_in_vain
            if oldest or time > since + (_VAIN_SECONDS if vain else _WAIT_SECONDS):
                oldest = False
                yield from self._given_up(waiting)
        while self._closed and (
            len(self._closed) > _MOST_CLOSED or self._closed[0].closed_at[0] + _CLOSED_SECONDS < time
        ):
            self._forget(self._closed.popleft())

    def finish(self, time: float, place: int) -> Iterator[Found | Mark]:
        """All that is left, at the end of the capture."""
        for connection in list(dict.fromkeys(each.connection for each in self._directions.values())):
            yield from self._retire(connection, time, place)

    def _given_up(self, waiting: Direction | Connection) -> Iterator[Found | Mark]:
        if isinstance(waiting, Connection):
            waiting.give_up_prelude()
            self._wait(waiting, False)
        else:
            yield from self._pieces(waiting, waiting.stream.give_up())
            yield from self._close_if_ended(waiting.connection, *waiting.connection.closed_at)

    def _open_or_close(
        self, direction: Direction | None, segment: Segment, transport: Transport, time: float, place: int
    ) -> Iterator[Found | Mark]:
        flags, sequence = segment.flags, segment.sequence
        if flags & RST:
            if direction is not None:
                direction.connection.end(direction.source, time, place)
                yield from self._close(direction.connection, time, place)
            return
        if direction is not None and flags & SYN and not direction.stream.is_start(sequence):
            yield from self._retire(direction.connection, time, place)
            direction = None
        if direction is None:
            if not segment.data and not flags & SYN:
                return
            direction = self._new(segment.flow, transport)
            yield from self._make_room(time, place)
        connection = direction.connection
        connection.seen_at = place
        if flags & SYN:
            opener = direction.destination if flags & ACK else direction.source
            connection.opened_by = connection.opened_by or opener
            direction.open(sequence)
            sequence += 1
        if flags & ACK:
            direction.back.stream.acknowledged = segment.acknowledged
        if segment.data:
            yield from self._octets(direction, sequence, segment.data, time, place)
        if flags & FIN:
            direction.stream.close(sequence + len(segment.data), time, place)
            connection.end(direction.source, time, place)
            self._wait(direction, direction.stream.waits)
            yield from self._close_if_ended(connection, time, place)

    def _new(self, flow: bytes, transport: Transport) -> Direction:
        source, destination = ends_of(flow)
        connection = Connection(source, destination, transport)
        secure = b"" if transport is Transport.TCP else b"s"
        connection.flows = secure + flow, secure + way_back(flow)
        self._directions.update(zip(connection.flows, connection.directions, strict=True))
        return connection.directions[0]

    def _octets(
        self, direction: Direction, sequence: int, data: bytes, time: float, place: int
    ) -> Iterator[Found | Mark]:
        pieces = direction.stream.receive(sequence, data, time, place)
        yield from self._pieces(direction, pieces)
        yield from self._close_if_ended(direction.connection, time, place)

    def _pieces(self, direction: Direction, pieces: Iterable[Piece]) -> Iterator[Found | Mark]:
        connection = direction.connection
        for piece in pieces:
            connection.read_at = piece[:2]
            for reading in connection.read(direction, piece):
                if not connection.number:
                    yield from self._recognised(connection, reading.piece)
                yield _found(reading)
        self._wait(direction, direction.stream.waits)
        self._wait(connection, connection.waits)

    def _recognised(self, connection: Connection, piece: Piece) -> Iterator[Mark]:
        self._numbered += 1
        connection.number = self._numbered
        opener = connection.opened_by
        if connection.layer is Layer.MSRP and opener is not None:
            other = next(each.source for each in connection.directions if each.source != opener)
            text = f"{opener} opened it to {other}"
            yield Mark(piece.place, piece.time, text, "opened_by", opener, connection.number)

    def _wait(self, waiting: Direction | Connection, waits: bool) -> None:
        if waits:
            self.waiting[waiting] = None
        else:
            self.waiting.pop(waiting, None)

    def _close_if_ended(self, connection: Connection, time: float, place: int) -> Iterator[Found | Mark]:
        ended = connection.closed_by is not None and not connection.over
        if ended and all(each.stream.ended for each in connection.directions):
            yield from self._close(connection, time, place)

    def _close(self, connection: Connection, time: float, place: int) -> Iterator[Found | Mark]:
        """Read what is left and tell that it is closed. Copies of its segments may still come."""
        connection.give_up_prelude()
        for direction in connection.directions:
            yield from self._pieces(direction, direction.stream.finish(time, place))
        if not connection.over and connection.closed_by is not None:
            connection.over = True
            self._closed.append(connection)
            if connection.layer is Layer.MSRP:
                at, closer = max(connection.closed_at, connection.read_at), connection.closed_by
                text = f"closed: by {closer}"
                yield Mark(at[1], at[0], text, "closed_by", closer, connection.number)

    def _retire(self, connection: Connection, time: float, place: int) -> Iterator[Found | Mark]:
        yield from self._close(connection, time, place)
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        known = False
        for flow, direction in zip(connection.flows, connection.directions, strict=True):
            if self._directions.get(flow) is direction:
                del self._directions[flow]
                known = True
        self.others += known and connection.layer is None and not connection.empty

    def _make_room(self, time: float, place: int) -> Iterator[Found | Mark]:
        """Retire a quarter of the connections when there are too many: those that were quiet for longest."""
        if len(self._directions) <= 2 * _MOST_CONNECTIONS:
            return
        connections = dict.fromkeys(each.connection for each in self._directions.values())
        for connection in sorted(connections, key=lambda each: each.seen_at)[: _MOST_CONNECTIONS // 4]:
            yield from self._retire(connection, time, place)


def _found(reading: Reading) -> Found:
    direction, piece, data, note, missing = reading
    connection = direction.connection
    assert connection.layer is not None
    return Found(
        piece.place,
        piece.time,
        connection.layer,
        connection.transport,
        direction.source,
        direction.destination,
        data,
        connection.number,
        note,
        missing,
    )
