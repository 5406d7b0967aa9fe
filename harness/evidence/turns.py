"""What a capture gives becomes entries in the order of time, also where some of it is known only later."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import NamedTuple

from harness.evidence.timeline import Address, Entry, Event, Layer, Packet, Transport

_OVERHEAD = 500


class Found(NamedTuple):
    """Octets that will be a packet. place: of their frame in the capture, by time."""

    place: int
    time: float
    layer: Layer
    transport: Transport
    source: Address
    destination: Address
    data: bytes
    connection: int | None = None
    note: str = ""
    missing: int = 0


class Mark(NamedTuple):
    """The SYN or the end of a connection with MSRP: who opened and closed it matters there (RFC 4975 5.4)."""

    place: int
    time: float
    text: str
    field: str
    by: Address
    connection: int


class Turns:
    """Numbers entries. While `holding` it keeps them back; release() gives those whose turn it is.

    ready: entries to hand on. octets: memory taken by what is kept back.
    """

    def __init__(self) -> None:
        self.ready: list[Entry] = []
        self.holding = False
        self.octets = 0
        self._number = 0
        self._time = float("-inf")
        self._queue: list[tuple[int, int, Found | Mark]] = []
        self._queued = 0

    def put(self, found: Found | Mark) -> None:
        """Take what was found."""
        if not self.holding:
            self.ready.append(self._entry(found))
            return
        self._queued += 1
        heappush(self._queue, (found.place, self._queued, found))
        self.octets += _size(found)

    def release(self, before: int | None) -> None:
        """Hand on what is before a place of the capture; None: everything."""
        queue = self._queue
        while queue and (before is None or queue[0][0] < before):
            found = heappop(queue)[2]
            self.octets -= _size(found)
            self.ready.append(self._entry(found))
        self.holding = before is not None

    def _entry(self, found: Found | Mark) -> Entry:
        self._number += 1
        time = self._time = max(self._time, found.time)
        if isinstance(found, Mark):
            fields = {"connection": found.connection, found.field: str(found.by)}
            return Event(self._number, time, Layer.MSRP, "connection", found.text, fields)
        return Packet(self._number, time, *found[2:])

    def event(self, name: str, text: str, **fields: object) -> Event:
        """A remark of the reader, which is the next entry."""
        self._number += 1
        return Event(self._number, max(self._time, 0.0), Layer.LAB, name, text, fields)


def _size(found: Found | Mark) -> int:
    return _OVERHEAD + (len(found.data) if isinstance(found, Found) else 0)
