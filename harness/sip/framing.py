"""Messages out of a stream, sans-IO (RFC 3261 section 18.3), and the CRLF keep-alive (RFC 5626 3.5.1).

What comes out depends on the octets alone, never on how they were cut into reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.errors import SipSyntaxError
from harness.sip.grammar import parse_number
from harness.sip.head import HEADER_END, Head, read_head
from harness.sip.message import Request, Response, message_of, parse_head, parse_message


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message of a stream may have: octets before the body, octets of body, header fields."""

    header_octets: int = 64 * 1024
    body_octets: int = 4 * 1024 * 1024
    fields: int = 500

    def too_many_fields(self, message: Request | Response) -> FramingError | None:
        """The error of a whole message that has more header fields than it may."""
        count = message.field_count
        if count <= self.fields:
            return None
        text = f"{count} header fields, above the limit of {self.fields}"
        error = SipSyntaxError("header", message.raw[:80], 0, "RFC 3261 21.5.7", text)
        return FramingError(error, message.raw, message).above(Exceeded.FIELDS)


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """An empty line between messages (RFC 5626 3.5.1).

    ping is True for the second of two in a row, which asks for one CRLF in answer (4.4.1); a single one is a
    pong, the first half of a ping, or a stray line end.
    """

    ping: bool


class Exceeded(StrEnum):
    """Which limit a message is above."""

    HEAD = "head"
    BODY = "body"
    FIELDS = "fields"


class FramingError(SipSyntaxError):
    """Octets that are no message, or one above the limits.

    octets are those that were judged, partial the start line and headers that could be read (None when there
    is no usable start line), exceeded the limit that was met, cut whether the stream ended within a message.
    After it StreamFramer.broken tells whether the stream can go on.
    """

    def __init__(self, error: SipSyntaxError, octets: bytes, partial: Request | Response | None) -> None:
        Exception.__init__(self, *error.args)
        self.what, self.value, self.offset, self.clause = error.what, error.value, error.offset, error.clause
        self.octets, self.partial = octets, partial
        self.exceeded: Exceeded | None = None
        self.cut = False

    def above(self, limit: Exceeded) -> FramingError:
        """The same error, as that of a message above a limit."""
        self.exceeded = limit
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FramingError):
            return NotImplemented
        return (self.args, self.octets, self.partial) == (other.args, other.octets, other.partial)

    def __hash__(self) -> int:
        return hash((self.args, self.octets))


StreamEvent = Request | Response | KeepAlive | FramingError


def is_keep_alive(datagram: bytes) -> bool:
    """True for a datagram of nothing but line ends, which is no message."""
    return not datagram.strip(b"\r\n")


class StreamFramer:
    """Cuts a stream into messages. One for each direction of each connection."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._scanned = 0  # octets of the buffer in which no header end is
        self._needed = 0  # octets of the message whose head was read, 0 while its head is not complete
        self._head: Head | None = None
        self._refused: FramingError | None = None  # reported in place of the message being read
        self._line_checked = False
        self._empty_lines = 0
        self.broken = False
        self.position = 0  # octets of the stream before the buffer

    @property
    def pending(self) -> bytes:
        """Octets of a message that is not complete."""
        return bytes(self._buffer)

    def receive(self, data: bytes) -> list[StreamEvent]:
        """Take octets, give what became complete. After `broken` everything is ignored."""
        events: list[StreamEvent] = []
        if self.broken:
            return events
        self._buffer += data
        while self._buffer and not self.broken:
            event = self._next()
            if event is None:
                break
            events.append(event)
        return events

    def finish(self) -> FramingError | None:
        """The stream ended: the error for a message of which a part is missing, or None."""
        if self.broken or not self._buffer.strip(b"\r\n"):
            return None
        text = "the stream ended within the message"
        error = self._break("message", len(self._buffer), "RFC 3261 18.3", text, len(self._buffer))
        error.cut = True
        return error

    def _next(self) -> StreamEvent | None:
        if not self._needed:
            line = self._empty_line()
            if line is not None or not self._buffer or self._buffer == b"\r":
                return line
            error = self._read_head()
            if error is not None:
                return error
        if not self._needed or len(self._buffer) < self._needed:
            return None
        refused, head, raw = self._refused, self._head, self._take(self._needed)
        self._needed, self._refused, self._head = 0, None, None
        if refused is not None:
            return refused
        return None if head is None else message_of(head, raw)

    def _empty_line(self) -> KeepAlive | None:
        for line in (b"\r\n", b"\n"):
            if self._buffer.startswith(line):
                self._take(len(line))
                self._empty_lines += 1
                return KeepAlive(self._empty_lines % 2 == 0)
        return None

    def _take(self, count: int) -> bytes:
        raw = bytes(self._buffer[:count])
        del self._buffer[:count]
        self.position += count
        self._scanned, self._line_checked = 0, False
        if raw.strip(b"\r\n"):
            self._empty_lines = 0
        return raw

    def _read_head(self) -> FramingError | None:
        """Find the end of the head and how long the message is."""
        limit = self._limits.header_octets
        end = HEADER_END.search(self._buffer, max(self._scanned - 3, 0), limit)
        self._scanned = min(len(self._buffer), limit)
        error = self._check_line(limit)
        if error is not None or (end is None and len(self._buffer) < limit):
            return error
        if end is None:
            text = f"no empty line within {limit} octets"
            return self._break("message", limit, "RFC 3261 21.5.7", text, limit).above(Exceeded.HEAD)
        return self._measure(end.end())

    def _check_line(self, limit: int) -> FramingError | None:
        """Junk is told by its first line, before a head ends that may never end."""
        if self._line_checked:
            return None
        newline = self._buffer.find(b"\n", 0, limit)
        if newline < 0:
            return None
        line = bytes(self._buffer[: newline + 1])
        self._line_checked = True
        try:
            parse_message(line + b"\r\n")
        except SipSyntaxError as error:
            self.broken = True
            return FramingError(error, line, None)
        return None

    def _measure(self, head: int) -> FramingError | None:
        octets = bytes(self._buffer[:head])
        message = read_head(octets)
        rows = [field for field in message.fields if field.canonical == "Content-Length"]
        if not rows:
            text = "absent, and the message came over a stream"
            return self._break("Content-Length", head, "RFC 3261 18.3", text, head)
        try:
            lengths = {
                parse_number(row.value, "Content-Length", row.octet(), "RFC 3261 20.14") for row in rows
            }
        except SipSyntaxError as error:
            self.broken = True
            return FramingError(error, octets, message_of(message, octets))
        if len(lengths) > 1:
            text = "several that differ"
            return self._break("Content-Length", rows[1].offset, "RFC 3261 18.3", text, head)
        length = lengths.pop()
        if length > self._limits.body_octets:
            text = f"{length} octets of body, above the limit of {self._limits.body_octets}"
            large = self._break("Content-Length", rows[0].octet(), "RFC 3261 21.4.11", text, head)
            return large.above(Exceeded.BODY)
        self._needed, self._head = head + length, message
        if message.field_count > self._limits.fields:
            text = f"{message.field_count} header fields, above the limit of {self._limits.fields}"
            many = self._error("header", message.body_offset, "RFC 3261 21.5.7", text, head)
            self._refused = many.above(Exceeded.FIELDS)
        return None

    def _break(self, what: str, offset: int, clause: str, text: str, judged: int) -> FramingError:
        self.broken = True
        return self._error(what, offset, clause, text, judged)

    def _error(self, what: str, offset: int, clause: str, text: str, judged: int) -> FramingError:
        octets = bytes(self._buffer[:judged])
        error = SipSyntaxError(what, octets[:80], offset, clause, text)
        try:
            return FramingError(error, octets, parse_head(octets))
        except SipSyntaxError:
            return FramingError(error, octets, None)
