"""MSRP messages out of a stream, by their end-lines, sans-IO (RFC 4975 7.1 and 7.3.1).

A message up to a set size comes whole. A larger one comes as its head, blocks of its body and its end, so
memory stays bounded. What comes out depends on the octets alone, never on how they were cut into reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.errors import MsrpSyntaxError, UsageError
from harness.msrp.message import (
    FLAGS,
    START_LINE,
    Flag,
    MsrpRequest,
    MsrpResponse,
    StartLine,
    message_of,
    start_line_of,
)

_FLAG_AND_CRLF = 3
_SHORTEST_HEADER = 4  # a letter, a colon, CRLF


@dataclass(frozen=True, slots=True)
class MsrpLimits:
    """What one message of a stream may have: octets of start line, head and whole message, header lines.

    head_octets counts start line, headers and the empty line. whole_octets: up to here a message comes in one
    piece, and it is larger than a head. block_octets: of the body of one that does not.
    """

    start_line_octets: int = 1024
    head_octets: int = 16 * 1024
    headers: int = 128
    message_octets: int = 8 * 1024 * 1024 * 1024
    whole_octets: int = 256 * 1024
    block_octets: int = 64 * 1024

    def __post_init__(self) -> None:
        if self.whole_octets <= self.head_octets:
            raise UsageError("a message that comes whole must have room for a head")


class Exceeded(StrEnum):
    """Which limit a message is above."""

    HEAD = "head"
    FIELDS = "fields"
    MESSAGE = "message"


class FramingError(MsrpSyntaxError):
    """Octets that are no message, or one above the limits: exceeded is the limit, None for no MSRP at all."""

    exceeded: Exceeded | None = None


@dataclass(frozen=True, slots=True)
class ChunkHead:
    """A chunk too large to come whole begins. request has its head only, and no meaning in its flag."""

    request: MsrpRequest


@dataclass(frozen=True, slots=True)
class ChunkBlock:
    """The next octets of the body: as many as a block has, less only in the last one."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ChunkEnd:
    """The end-line of the chunk. octets: of the whole message on the wire."""

    flag: Flag
    octets: int


MsrpEvent = MsrpRequest | MsrpResponse | ChunkHead | ChunkBlock | ChunkEnd | FramingError


class MsrpFramer:
    """Cuts a stream into messages. One for each direction of each connection.

    A CRLF between messages is a keep-alive of some clients and is passed over. `broken` is True when the
    place of the next message is lost; what follows is ignored.
    """

    def __init__(self, limits: MsrpLimits = MsrpLimits()) -> None:
        self._limits = limits
        self._at_once = min(limits.whole_octets, limits.message_octets)
        self._kept = bytearray()  # octets that did not complete anything yet
        self._data, self._place = b"", 0  # octets at hand, and how many of them are done with
        self._start: StartLine | None = None  # of the message being read
        self._line_end = 0  # octets of its start line, without CRLF
        self._needle = b""  # CRLF and what its end-line begins with
        self._searched = 0  # octets from _place in which no end-line begins
        self._passed = 0  # octets of it that left as head and blocks; 0 while it may come whole
        self.broken = False

    @property
    def pending(self) -> bytes:
        """Octets kept of a message that is not complete."""
        return bytes(self._kept)

    @property
    def pending_octets(self) -> int:
        """How many octets of an incomplete message came, those that left as blocks included."""
        return self._passed + len(self._kept)

    def receive(self, data: bytes) -> list[MsrpEvent]:
        """Take octets, give what became complete, in the order of the stream."""
        events: list[MsrpEvent] = []
        if self.broken:
            return events
        place = self._join(data, events) if self._kept else 0
        if place < len(data) and not self.broken:
            self._read(data, place, events)
        return events

    def _join(self, data: bytes, events: list[MsrpEvent]) -> int:
        """Put octets behind those kept, and read them. Returns how many were used.

        No more of them than the message needs, when its end is in sight: what follows is read where it is.
        """
        end = data.find(self._needle) if self._start is not None else -1
        used = end + len(self._needle) + _FLAG_AND_CRLF if end >= 0 else len(data)
        self._read_kept(memoryview(data)[:used], events)
        if self._kept and used < len(data) and not self.broken:  # it was no end
            self._read_kept(memoryview(data)[used:], events)
            used = len(data)
        return used

    def _read_kept(self, more: memoryview, events: list[MsrpEvent]) -> None:
        self._kept += more
        if self._something_ready():
            octets = bytes(self._kept)
            self._kept.clear()
            self._read(octets, 0, events)

    def _read(self, data: bytes, place: int, events: list[MsrpEvent]) -> None:
        """Put out every event in the octets from `place` on, and keep the rest."""
        self._data, self._place = data, place
        while not self.broken and self._step(events):
            pass
        if self._place < len(data):
            self._kept += memoryview(data)[self._place :]
        self._data = b""

    def _something_ready(self) -> bool:
        """Whether looking at what is kept gives an event; keeps octets that trickle in from being copied."""
        if self._start is None:
            return True
        if self._passed:
            return self._find_end(self._kept, 0, len(self._kept)) >= 0 or (
                self._searched >= self._limits.block_octets
            )
        return len(self._kept) >= self._at_once or self._find_end(self._kept, 0, self._at_once) >= 0

    def _step(self, events: list[MsrpEvent]) -> bool:
        """Put out the next event. False when there is none."""
        if self._passed:
            return self._read_body(events)
        if self._start is None and not self._read_start_line(events):
            return False
        return self._read_message(events)

    def _read_start_line(self, events: list[MsrpEvent]) -> bool:
        data = self._data
        while data.startswith(b"\r\n", self._place):
            self._place += 2
        match = START_LINE.match(data, self._place)
        limit = self._place + self._limits.start_line_octets
        if match is not None and match.end() <= limit:
            self._start = start_line_of(match)
            self._line_end = match.end() - 2 - self._place
            self._needle = b"\r\n-------" + match[1]
            self._searched = self._line_end  # its CRLF may be the one before the end-line
            return True
        line = data[self._place : limit]
        if b"\r\n" in line or len(line) == self._limits.start_line_octets or not _may_become_msrp(line):
            events.append(self._break("start line", line[:80], "RFC 4975 9", "no MSRP start line"))
        return False

    def _read_message(self, events: list[MsrpEvent]) -> bool:
        data, place = self._data, self._place
        end = self._find_end(data, place, self._at_once)
        if end < 0:
            return len(data) - place >= self._at_once and self._begin_blocks(events)
        after = end + len(self._needle) + _FLAG_AND_CRLF
        assert self._start is not None
        octets = (data, place, after - place)
        message = message_of(self._start, octets, FLAGS[data[after - 3]], self._line_end, end - place)
        if self._head_fits(message.body_offset, events):
            events.append(message)
            self._place = after
            self._forget()
        return True

    def _begin_blocks(self, events: list[MsrpEvent]) -> bool:
        """What comes is too large to come whole: put out its head."""
        data, place = self._data, self._place
        if self._limits.message_octets <= self._limits.whole_octets:
            events.append(self._break_message())
            return False
        end = data.find(b"\r\n\r\n", place, place + self._limits.head_octets)
        if not self._head_fits(end + 4 - place if end >= 0 else self._at_once, events):
            return False
        assert self._start is not None
        raw = data[place : end + 4]
        head = message_of(self._start, (raw, 0, len(raw)), Flag.MORE, self._line_end, len(raw))
        if isinstance(head, MsrpResponse):
            events.append(self._break("response", raw[:80], "RFC 4975 7.2", "a response with a body"))
            return False
        events.append(ChunkHead(head))
        self._pass(len(raw))
        return True

    def _read_body(self, events: list[MsrpEvent]) -> bool:
        data, place = self._data, self._place
        end = self._find_end(data, place, len(data))
        if end == place:
            return self._end_blocks(events)
        octets = min(end - place, self._limits.block_octets) if end >= 0 else self._limits.block_octets
        if end < 0 and self._searched < octets:
            return False
        if self._passed + octets > self._limits.message_octets:
            events.append(self._break_message())
            return False
        events.append(ChunkBlock(data[place : place + octets]))
        self._pass(octets)
        return True

    def _end_blocks(self, events: list[MsrpEvent]) -> bool:
        after = self._place + len(self._needle) + _FLAG_AND_CRLF
        octets = self._passed + after - self._place
        if octets > self._limits.message_octets:
            events.append(self._break_message())
            return False
        events.append(ChunkEnd(FLAGS[self._data[after - 3]], octets))
        self._place = after
        self._forget()
        return True

    def _find_end(self, data: bytes | bytearray, place: int, octets: int) -> int:
        """Where a whole end-line is within so many octets from `place`, its CRLF included; -1 for nowhere."""
        needle, stop = self._needle, min(len(data), place + octets)
        found = data.find(needle, place + self._searched, stop)
        while found >= 0:
            after = found + len(needle)
            if after + _FLAG_AND_CRLF > stop:
                break
            if data[after] in FLAGS and data.startswith(b"\r\n", after + 1):
                self._searched = found - place
                return found
            found = data.find(needle, after, stop)
        self._searched = max(self._searched, (found if found >= 0 else stop - len(needle) + 1) - place)
        return -1

    def _head_fits(self, octets: int, events: list[MsrpEvent]) -> bool:
        """Whether start line and headers, so many octets, are within the limits."""
        limits = self._limits
        if octets > limits.head_octets:
            events.append(self._break_head(Exceeded.HEAD, f"above {limits.head_octets} octets"))
        elif octets > _SHORTEST_HEADER * limits.headers and self._header_lines(octets) > limits.headers:
            events.append(self._break_head(Exceeded.FIELDS, f"above {limits.headers} header lines"))
        return not self.broken

    def _header_lines(self, octets: int) -> int:
        end = self._place + octets
        others = 2 if self._data.startswith(b"\r\n\r\n", end - 4) else 1  # start line, empty line
        return self._data.count(b"\r\n", self._place, end) - others

    def _pass(self, octets: int) -> None:
        self._place += octets
        self._passed += octets
        self._searched = max(0, self._searched - octets)

    def _forget(self) -> None:
        self._start, self._searched, self._passed = None, 0, 0

    def _break_head(self, limit: Exceeded, hint: str) -> FramingError:
        return self._break("headers", self._needle[9:], "RFC 4975 9", hint, limit)

    def _break_message(self) -> FramingError:
        hint = f"above {self._limits.message_octets} octets"
        return self._break("message", self._needle[9:], "RFC 4975 7.1", hint, Exceeded.MESSAGE)

    def _break(
        self, what: str, value: bytes, clause: str, hint: str, exceeded: Exceeded | None = None
    ) -> FramingError:
        self.broken = True
        error = FramingError(what, value, 0, clause, hint)
        error.exceeded = exceeded
        return error


def _may_become_msrp(line: bytes) -> bool:
    """Whether the first octets of a message are those of a start line so far."""
    return line == b"\r" or b"MSRP ".startswith(line[:5])
