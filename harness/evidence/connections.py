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
        connection, back = direction.connection, direction.back
        connection.seen_at = place
        back.stream.acknowledged = acknowledged
        if not data:
            return ()
        if direction.deferred or back.deferred or back.stream.lacks(acknowledged):
            return self._in_turn(direction, segment, time, place)
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
        return sum(each.held_octets for each in self.waiting if isinstance(each, Direction))

    def give_up(self, time: float, *, oldest: bool = False) -> Iterator[Found | Mark]:
        """What can be read since octets are not waited for any more. oldest: of one place at least."""
        for waiting in sorted(self.waiting, key=lambda each: each.waiting_since[1]):
            if waiting not in self.waiting:
                continue
            since = waiting.waiting_since[0]
            vain = isinstance(waiting, Direction) and waiting.waits_in_vain
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
        elif waiting.deferred and waiting.waiting_since == waiting.deferred[0][1:]:
            yield from self._excused(waiting)
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
        if segment.data or flags & FIN:
            yield from self._in_turn(direction, segment._replace(sequence=sequence), time, place)

    def _in_turn(
        self, direction: Direction, segment: Segment, time: float, place: int
    ) -> Iterator[Found | Mark]:
        """Read a segment, or defer it: what answers octets stands behind them, also where they were captured
        in another order.
        """
        back = direction.back
        if direction.deferred or (segment.flags & ACK and back.stream.lacks(segment.acknowledged)):
            direction.defer(segment, time, place)
            self._wait(direction, True)
            return
        yield from self._take(direction, segment, time, place)
        while back.deferred and not direction.stream.lacks(back.deferred[0][0].acknowledged):
            yield from self._take(back, back.next_deferred()[0], time, place)
        self._wait(back, back.waits)

    def _excused(self, direction: Direction) -> Iterator[Found | Mark]:
        """Read what was deferred: what its sender had seen does not come."""
        while direction.deferred:
            segment, time, place = direction.next_deferred()
            direction.back.stream.excuse(segment.acknowledged)
            yield from self._take(direction, segment, time, place)
            if direction.deferred and direction.back.stream.lacks(direction.deferred[0][0].acknowledged):
                break

    def _take(
        self, direction: Direction, segment: Segment, time: float, place: int
    ) -> Iterator[Found | Mark]:
        if segment.data:
            yield from self._octets(direction, segment.sequence, segment.data, time, place)
        if segment.flags & FIN:
            direction.stream.close(segment.sequence + len(segment.data), time, place)
            direction.connection.end(direction.source, time, place)
            self._wait(direction, direction.waits)
            yield from self._close_if_ended(direction.connection, time, place)

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
        self._wait(direction, direction.waits)
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
        if (
            ended
            and not any(each.deferred for each in connection.directions)
            and all(each.stream.ended for each in connection.directions)
        ):
            yield from self._close(connection, time, place)

    def _close(self, connection: Connection, time: float, place: int) -> Iterator[Found | Mark]:
        """Read what is left and tell that it is closed. Copies of its segments may still come."""
        connection.give_up_prelude()
        while deferred := [each for each in connection.directions if each.deferred]:
            yield from self._excused(min(deferred, key=lambda each: each.deferred[0][2]))
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
