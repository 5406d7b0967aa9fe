"""The timeline: one clock over SIP, MSRP, ADB, AT, VISA and logcat.

Octets that reach or leave a socket are packets; what drivers do and see are events. Both are numbered in the
order they were appended. Writers are agent/, devices/ and instruments/; verify/ reads nothing else.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import pairwise
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from harness.evidence.spool import Spool

OCTETS_IN_MEMORY = 16 * 1024 * 1024
"""Octets of packets that a timeline holds in memory; older ones are in a file."""
OCTETS_LOST = "octets-lost"
DATAGRAMS_LOST = "datagrams-lost"
LOST = "the octets are lost: temporary files could not be written"


class Layer(StrEnum):
    """Where an entry was seen."""

    SIP = "sip"
    MSRP = "msrp"
    ADB = "adb"
    AT = "at"
    VISA = "visa"
    LOGCAT = "logcat"
    LAB = "lab"


class Transport(StrEnum):
    """Transport of a packet as seen on the wire."""

    UDP = "UDP"
    TCP = "TCP"
    TLS = "TLS"


class Address(NamedTuple):
    """An IP endpoint. `host` is a literal without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Way(NamedTuple):
    """What packets have in common: where they were seen, between whom, in which stream."""

    layer: Layer
    transport: Transport
    source: Address
    destination: Address
    connection: int | None


@dataclass(frozen=True, slots=True)
class Packet:
    """Octets at a socket: one datagram, or one piece of a stream in the order of the stream.

    number: place on the timeline, from 1. time: seconds since the Unix epoch. data: of a packet that a
    timeline gives, the octets are read from where they are kept each time they are asked for (OSError when
    that is a file and cannot be read). connection: an id of the stream that is the same in both directions
    (None for datagrams). note: a remark such as a syntax error met by the receiver; never a secret. missing:
    octets that nobody has any more, before this piece of a stream (which then begins with a start line) or at
    the end of this datagram.
    """

    number: int
    time: float
    layer: Layer
    transport: Transport
    source: Address
    destination: Address
    data: bytes
    connection: int | None = None
    note: str = ""
    missing: int = 0
    _read: Callable[[], bytes] | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def kept(
        cls, number: int, time: float, way: Way, read: Callable[[], bytes], note: str, missing: int
    ) -> Packet:
        """A packet whose octets are read when they are asked for."""
        packet = object.__new__(cls)
        put = object.__setattr__
        put(packet, "number", number)
        put(packet, "time", time)
        put(packet, "layer", way.layer)
        put(packet, "transport", way.transport)
        put(packet, "source", way.source)
        put(packet, "destination", way.destination)
        put(packet, "connection", way.connection)
        put(packet, "note", note)
        put(packet, "missing", missing)
        put(packet, "_read", read)
        return packet

    if not TYPE_CHECKING:  # a type checker would take any attribute for one that is there

        def __getattr__(self, name: str) -> bytes:
            if name == "data" and self._read is not None:  # its slot was left empty
                return self._read()
            raise AttributeError(f"a packet has no {name}")


@dataclass(frozen=True, slots=True)
class Event:
    """What a driver did or saw, or a mark of the lab (test start, cell off, finding)."""

    number: int
    time: float
    layer: Layer
    name: str
    text: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


Entry = Packet | Event
Listener = Callable[[Entry], None]


def wall_clock() -> Callable[[], float]:
    """A clock that reads Unix time but never steps: one wall reading, advanced by the monotonic clock."""
    start = time.time() - time.monotonic()
    return lambda: start + time.monotonic()


# A packet as it is kept: time, where its octets begin, how many they are, its way. Entries are kept as octets
# since a collection of garbage looks at every object: with millions of packets it would stop the loop.
_RECORD = Struct("<dQIi")
_RECORDS_AT_ONCE = 512


class Timeline:
    """An append-only list of entries that any thread may append to.

    Args: memory is how many octets of packets stay out of a file, folder where that file is (the folder of
    temporary files when None). The file has no name and ends with the process.
    """

    def __init__(
        self,
        clock: Callable[[], float] | None = None,
        *,
        memory: int = OCTETS_IN_MEMORY,
        folder: Path | None = None,
    ) -> None:
        self._clock = clock or wall_clock()
        self._listeners: list[Listener] = []
        self._lock = threading.RLock()
        self._count = 0
        self._records = Spool(memory // 4, folder)
        self._octets = Spool(memory, folder, self._give_up)
        self._ways: list[Way] = []
        self._places: dict[Way, int] = {}
        self._latest: dict[tuple[Address, Address, int | None], int] = {}
        self._remarks: dict[int, tuple[str, int]] = {}
        self._events: list[Event] = []
        self._lost_told = 0

    def now(self) -> float:
        """The time an entry appended now would carry."""
        return self._clock()

    @property
    def lost(self) -> int:
        """Octets of packets that are gone because the file could not be written; 0 unless a disk is full.

        The packets stay on the timeline, with that many octets missing.
        """
        return self._octets.lost

    def packet(
        self,
        layer: Layer,
        transport: Transport,
        source: Address,
        destination: Address,
        data: bytes | bytearray | memoryview,
        *,
        connection: int | None = None,
        note: str = "",
        missing: int = 0,
        at: float | None = None,
    ) -> int:
        """Append octets seen at a socket; returns the number. `at`: not now but then (reading a capture)."""
        with self._lock:
            self._count = number = self._count + 1
            try:
                way = self._latest[source, destination, connection]
                known = self._ways[way]
                if known[0] is not layer or known[1] is not transport:
                    way = self._way(layer, transport, source, destination, connection)
            except KeyError:
                way = self._way(layer, transport, source, destination, connection)
            time = self._clock() if at is None else at
            octets = self._octets
            self._records.append(_RECORD.pack(time, octets.end, len(data), way))
            if note or missing:
                self._remarks[number] = note, missing
            octets.append(data)
            if self._listeners:
                self._tell(Packet(number, time, *self._ways[way][:4], bytes(data), connection, note, missing))
            return number

    def event(
        self, layer: Layer, name: str, /, text: str = "", *, at: float | None = None, **fields: Any
    ) -> Event:
        """Append an event. Field values must be JSON values."""
        with self._lock:
            when = self._clock() if at is None else at
            self._count += 1
            entry = Event(self._count, when, layer, name, text, fields)
            self._events.append(entry)
            self._records.append(_RECORD.pack(when, 0, 0, -len(self._events)))
            self._tell(entry)
            return entry

    def _way(self, *way: Any) -> int:
        new = Way(*way)
        place = self._places.setdefault(new, len(self._ways))
        if place == len(self._ways):
            self._ways.append(new)
        self._latest[new[2:]] = place
        return place

    def _tell(self, entry: Entry) -> None:
        for listener in tuple(self._listeners):
            listener(entry)

    def _give_up(self, error: OSError) -> None:
        """Octets are lost. That is told when it begins, and again whenever it has become twice as much."""
        lost = self._octets.lost
        if lost >= 2 * self._lost_told:
            self._lost_told = lost
            text = f"{lost} octets of earlier packets are lost: {error}; make room for temporary files"
            self.event(Layer.LAB, OCTETS_LOST, text, octets=lost)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call listener for each new entry, in the appending thread and quickly. Returns the way to stop."""
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.since(0))

    def since(self, number: int) -> Sequence[Entry]:
        """The entries there are now whose number is larger than `number`. They are made when asked for."""
        return _Entries(self, min(max(number, 0), self._count), self._count)

    def _read(self, start: int, stop: int) -> list[Entry]:
        """Entries with numbers from start + 1 to stop."""
        with self._lock:
            records = self._records.read(start * _RECORD.size, (stop - start) * _RECORD.size)
            return [
                self._entry(number, *record)
                for number, record in enumerate(_RECORD.iter_unpack(records), start + 1)
            ]

    def _entry(self, number: int, time: float, start: int, length: int, way: int) -> Entry:
        if way < 0:
            return self._events[-way - 1]
        note, missing = self._remarks.get(number, ("", 0))
        if length and self._octets.has_lost(start):
            note, missing = f"{note}; {LOST}" if note else LOST, missing + length
        data = partial(self._data, start, length)
        return Packet.kept(number, time, self._ways[way], data, note, missing)

    def _data(self, start: int, length: int) -> bytes:
        with self._lock:
            return self._octets.read(start, length)


class _Entries(Sequence[Entry]):
    """A stretch of a timeline."""

    def __init__(self, timeline: Timeline, start: int, stop: int) -> None:
        self._timeline, self._start, self._stop = timeline, start, stop

    def __len__(self) -> int:
        return self._stop - self._start

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | Sequence[Entry]:
        places = range(self._start, self._stop)[index]
        if isinstance(places, int):
            return self._timeline._read(places, places + 1)[0]
        if places.step == 1:
            return _Entries(self._timeline, places.start, max(places.start, places.stop))
        return [self._timeline._read(place, place + 1)[0] for place in places]

    def __iter__(self) -> Iterator[Entry]:
        for start in range(self._start, self._stop, _RECORDS_AT_ONCE):
            yield from self._timeline._read(start, min(start + _RECORDS_AT_ONCE, self._stop))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<entries {self._start + 1} to {self._stop}>"


def by_time(entries: Iterable[Entry]) -> Sequence[Entry]:
    """The entries by time, then number. Those of a timeline are so already, and stay where they are kept."""
    if isinstance(entries, Timeline):
        entries = entries.since(0)
    elif not isinstance(entries, Sequence):
        entries = list(entries)
    places = ((entry.time, entry.number) for entry in entries)
    if all(one <= other for one, other in pairwise(places)):
        return entries
    return sorted(entries, key=lambda entry: (entry.time, entry.number))


def to_json(entry: Entry) -> str:
    """One line of timeline.jsonl. Octets are text where they are UTF-8, else base64."""
    if isinstance(entry, Event):
        value: dict[str, Any] = {"name": entry.name, "text": entry.text, "fields": dict(entry.fields)}
    else:
        value = {
            "transport": entry.transport,
            "source": str(entry.source),
            "destination": str(entry.destination),
            "connection": entry.connection,
            "note": entry.note,
        }
        if entry.missing:
            value["missing"] = entry.missing
        try:
            value["data"] = entry.data.decode("utf-8")
        except UnicodeDecodeError:
            value["base64"] = base64.b64encode(entry.data).decode("ascii")
    head = {"number": entry.number, "time": round(entry.time, 6), "layer": entry.layer}
    return json.dumps(head | value, ensure_ascii=False, default=str)


def write_jsonl(path: Path, entries: Iterable[Entry]) -> None:
    """Write timeline.jsonl, one entry a line."""
    # Half a surrogate pair, as a driver may read from a broken console, becomes its JSON escape.
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for entry in entries:
            file.write(to_json(entry) + "\n")
