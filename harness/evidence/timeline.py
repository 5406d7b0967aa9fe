"""The timeline: one clock over SIP, MSRP, ADB, AT, VISA and logcat.

Octets that reach or leave a socket are packets; what drivers do and see are events. Both are numbered in the
order they were appended. Writers are agent/, devices/ and instruments/; verify/ reads nothing else.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple


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


@dataclass(frozen=True, slots=True)
class Packet:
    """Octets at a socket: one datagram, or one piece of a stream in the order of the stream.

    number: place on the timeline, from 1. time: seconds since the Unix epoch. connection: an id of the stream
    that is the same in both directions (None for datagrams). note: a remark such as a syntax error met by the
    receiver; never a secret. missing: octets a capture does not have, before this piece of a stream (which
    then begins with a start line) or at the end of this datagram.
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


class Timeline:
    """An append-only list of entries that any thread may append to."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or wall_clock()
        self._entries: list[Entry] = []
        self._listeners: list[Listener] = []
        self._lock = threading.RLock()

    def now(self) -> float:
        """The time an entry appended now would carry."""
        return self._clock()

    def packet(
        self,
        layer: Layer,
        transport: Transport,
        source: Address,
        destination: Address,
        data: bytes,
        *,
        connection: int | None = None,
        note: str = "",
        missing: int = 0,
        at: float | None = None,
    ) -> Packet:
        """Append octets seen at a socket. `at` overrides the clock (reading a capture)."""
        with self._lock:
            entry = Packet(
                len(self._entries) + 1,
                self._clock() if at is None else at,
                layer,
                transport,
                source,
                destination,
                data,
                connection,
                note,
                missing,
            )
            self._append(entry)
            return entry

    def event(
        self, layer: Layer, name: str, /, text: str = "", *, at: float | None = None, **fields: Any
    ) -> Event:
        """Append an event. Field values must be JSON values."""
        with self._lock:
            when = self._clock() if at is None else at
            entry = Event(len(self._entries) + 1, when, layer, name, text, fields)
            self._append(entry)
            return entry

    def _append(self, entry: Entry) -> None:
        self._entries.append(entry)
        for listener in tuple(self._listeners):
            listener(entry)

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
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.since(0))

    def since(self, number: int) -> list[Entry]:
        """The entries whose number is larger than `number`."""
        with self._lock:
            return self._entries[number:]


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
