"""One direction of a TCP connection, put in order segment by segment (RFC 9293 3.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import NamedTuple

WRAP = 1 << 32
_HALF = WRAP // 2
_OVERHEAD = 200


class Piece(NamedTuple):
    """Octets of a stream, new and in order. missing: octets before them that the capture does not have.

    time and place are where in the capture they are: of octets that had to wait for earlier ones, where the
    wait ended.
    """

    time: float
    place: int
    missing: int
    data: bytes


class _Chunk(NamedTuple):
    start: int
    data: bytes
    time: float
    place: int

    @property
    def end(self) -> int:
        return self.start + len(self.data)


class Stream:
    """Feed it segments. Of octets that came twice, those that came first count.

    opened: whether a SYN told where the stream begins. seen: whether any octet was. acknowledged: the last
    number the other end said it expects, which is for the reader of its segments to set. held_octets: memory
    taken by octets that wait.
    """

    __slots__ = (
        "_arrived", "_end", "_ended_at", "_excused", "_expected", "_first", "_held", "_last", "acknowledged",
        "held_octets", "opened", "seen",
    )  # fmt: skip

    def __init__(self) -> None:
        self.opened = self.seen = False
        self.acknowledged: int | None = None
        self.held_octets = 0
        self._expected: int | None = None  # number of the next octet, which goes on beyond 32 bits
        self._first: int | None = None
        self._held: list[_Chunk] = []  # in the order of the stream
        self._arrived: deque[_Chunk] = deque()  # and as they came
        self._last = (0.0, 0)
        self._end: int | None = None
        self._ended_at = (0.0, 0)
        self._excused = 0

    def is_start(self, sequence: int) -> bool:
        """Whether a SYN with this number opens the stream as it is known."""
        return self._first in (None, (sequence + 1) % WRAP)

    def open(self, sequence: int) -> None:
        """A SYN was seen: the first octet has the number after it."""
        self.opened = True
        if self._first is None:
            self._first = self._expected = self._excused = (sequence + 1) % WRAP

    def close(self, sequence: int, time: float, place: int) -> None:
        """A FIN was seen: no octet has its number or a later one."""
        if self._end is None:
            self._end, self._ended_at = self._number(sequence), (time, place)

    @property
    def waits(self) -> bool:
        """Whether octets are missing before others, or before a FIN, that are here."""
        return bool(self._held) or (self._end is not None and (self._expected or 0) < self._end)

    @property
    def waits_in_vain(self) -> bool:
        """Whether the other end has received what is missing here, so that it will not come again."""
        known = self.acknowledged
        return self.waits and known is not None and self._number(known) >= self._next_known()

    @property
    def waiting_since(self) -> tuple[float, int]:
        """Time and place of the oldest octets, or the FIN, that wait."""
        while self._arrived and self._arrived[0].end <= (self._expected or 0):
            self._arrived.popleft()
        oldest = [self._arrived[0][2:]] if self._arrived else []
        return min([*oldest, self._ended_at] if self._end is not None else oldest)

    @property
    def ended(self) -> bool:
        """Whether all octets up to a FIN are here."""
        return self._end is not None and not self._held and (self._expected or 0) >= self._end

    def lacks(self, number: int) -> bool:
        """Whether the other end, that expects this number, has octets that are not here yet."""
        if self._expected is None:
            return False
        expected = self._expected + (self._expected == self._end)  # a FIN takes a number too
        ahead = (number - expected) % WRAP
        return 0 < ahead < _HALF and (number - self._excused) % WRAP < _HALF

    def excuse(self, number: int) -> None:
        """What the other end has before this number is not waited for any more."""
        self._excused = (number + 1) % WRAP

    def follows(self, sequence: int, octets: int) -> bool:
        """Whether so many octets from this number on are just what comes next. If so they are taken."""
        expected = self._expected
        if expected is None or self._held or self._end is not None or sequence != expected % WRAP:
            return False
        self._expected = expected + octets
        self.seen = True
        return True

    def receive(self, sequence: int, data: bytes, time: float, place: int) -> list[Piece]:
        """What is in order with this segment."""
        start = self._number(sequence)
        assert self._expected is not None
        self.seen = True
        end = start + len(data)
        if end <= self._expected:
            return []
        if start < self._expected:
            data, start = data[self._expected - start :], self._expected
        if start == self._expected and not self._held:
            self._expected = end
            return [Piece(time, place, 0, data)]
        self._hold(start, data, time, place)
        return self._in_order((time, place))

    def give_up(self) -> list[Piece]:
        """Go on behind the first hole: what is missing there will not come. One at the end comes as a piece
        without data.
        """
        if not self.waits:
            return []
        assert self._expected is not None
        missing, self._expected = self._next_known() - self._expected, self._next_known()
        if not self._held:
            return [Piece(*max(self._ended_at, self._last), missing, b"")]
        pieces = self._in_order(None)
        return [pieces[0]._replace(missing=missing), *pieces[1:]]

    def finish(self, time: float, place: int) -> list[Piece]:
        """All there is, since nothing comes any more, and what the other end has received beyond it."""
        pieces = []
        while self.waits:
            pieces += self.give_up()
        if self._expected is None or self._end is not None or self.acknowledged is None:
            return pieces
        end = self._number(self.acknowledged) - 1  # a FIN that the capture has not takes a number too
        if end > self._expected:
            missing, self._expected = end - self._expected, end
            pieces.append(Piece(*max((time, place), self._last), missing, b""))
        return pieces

    def _next_known(self) -> int:
        """Number of the first octet behind the hole, or of the FIN."""
        if self._held:
            return self._held[0].start
        assert self._end is not None, "something waits"
        return self._end

    def _number(self, sequence: int) -> int:
        """Beyond four gigabytes too: the one that is next to what is expected."""
        if self._expected is None:
            self._first = self._expected = self._excused = sequence
        return self._expected + (sequence - self._expected + _HALF) % WRAP - _HALF

    def _hold(self, start: int, data: bytes, time: float, place: int) -> None:
        """Keep what is new of octets that come before their turn."""
        position, end = start, start + len(data)
        at = bisect_left(self._held, start + 1, key=lambda chunk: chunk.end)
        while position < end:
            following = self._held[at] if at < len(self._held) else None
            stop = min(end, following.start) if following else end
            if position < stop:
                chunk = _Chunk(position, data[position - start : stop - start], time, place)
                self._held.insert(at, chunk)
                self._arrived.append(chunk)
                self.held_octets += stop - position + _OVERHEAD
                at += 1
            if following is None:
                return
            position = max(position, following.end)
            at += 1

    def _in_order(self, since: tuple[float, int] | None) -> list[Piece]:
        """What follows without a hole. since: where the wait ended; None where it ended in vain."""
        pieces, at = [], 0
        for chunk in self._held:
            if chunk.start != self._expected:
                break
            time, place = since or max((chunk.time, chunk.place), self._last)
            self._last = (time, place)
            pieces.append(Piece(time, place, 0, chunk.data))
            self._expected = chunk.end
            self.held_octets -= len(chunk.data) + _OVERHEAD
            at += 1
        del self._held[:at]
        return pieces
