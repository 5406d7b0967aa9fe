"""The chunks of one message put together again, in any order (RFC 4975 7.3.1)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from harness.msrp.content import BodySink
from harness.msrp.message import Flag, MsrpRequest

MOST_SPANS = 1024  # pieces with gaps between them; more is no message but an attack (14.5)


class Coverage:
    """Which octets are there, as spans from a start up to an end that is not part of it."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, start: int, end: int) -> None:
        """These octets are there, perhaps again."""
        if start >= end:
            return
        ends = self._ends
        if ends and ends[-1] == start:
            ends[-1] = end
            return
        first, last = bisect_left(ends, start), bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, ends[last - 1])
        self._starts[first:last] = [start]
        ends[first:last] = [end]

    def covers(self, octets: int) -> bool:
        """Whether the first `octets` are all there."""
        return octets == 0 or (bool(self._starts) and self._starts[0] == 0 and self._ends[0] >= octets)

    def fits(self, start: int) -> bool:
        """Whether a piece may begin there without making too many spans."""
        return len(self._ends) < MOST_SPANS or self._ends[-1] == start

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The spans in their order."""
        return list(zip(self._starts, self._ends, strict=True))

    @property
    def octets(self) -> int:
        """How many are there."""
        return sum(self._ends) - sum(self._starts)

    @property
    def end(self) -> int:
        """The end of the last span."""
        return self._ends[-1] if self._ends else 0


class IncomingMessage:
    """A message while its chunks come. Positions count from 0, Byte-Range from 1.

    head: the request of the first chunk that came. total: octets of the whole message as the chunk with "$"
    has it, None before; announced: as Byte-Range has it. again: the same Message-ID was complete before.
    """

    __slots__ = ("again", "announced", "coverage", "faults", "head", "message_id", "sink", "total")

    def __init__(self, message_id: str, head: MsrpRequest, sink: BodySink, again: bool = False) -> None:
        self.message_id, self.head, self.sink, self.again = message_id, head, sink, again
        self.coverage = Coverage()
        self.total: int | None = None
        self.announced: int | None = None
        self.faults: list[str] = []

    @property
    def content_type(self) -> str:
        """Content-Type as written."""
        return self.head.get("Content-Type") or ""

    @property
    def complete(self) -> bool:
        """Whether every octet up to the end is there."""
        return self.total is not None and self.coverage.covers(self.total)

    def write(self, position: int, data: bytes | memoryview) -> None:
        """Octets of a chunk."""
        self.sink.write(position, data)
        self.coverage.add(position, position + len(data))

    def end(self, position: int, flag: Flag) -> None:
        """A chunk ended before `position`. The last "$" defines the length of the message."""
        if flag is Flag.COMPLETE:
            self.total = position
            if self.announced is not None and self.announced != position:
                self.fault(f"the last chunk ends at octet {position} of {self.announced} announced")

    def fault(self, text: str) -> None:
        """Something was odd and the message is taken all the same. Each is kept once."""
        if text not in self.faults and len(self.faults) < 16:
            self.faults.append(text)
