"""MSRP messages out of a stream, by their end-lines, sans-IO (RFC 4975 7.1 and 7.3.1).

What comes out depends on the octets alone, never on how they were cut into reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import MsrpSyntaxError
from harness.msrp.message import START_LINE, MsrpRequest, MsrpResponse, find_end_line, parse_msrp

# Before the end-line of a message may begin, this much of what was searched may belong to it:
# CRLF, seven hyphens, 32 characters, flag, CRLF.
_LONGEST_END_LINE = 2 + 7 + 32 + 1 + 2


@dataclass(frozen=True, slots=True)
class MsrpLimits:
    """What one message of a stream may have: octets of the start line, octets of the whole message."""

    start_line_octets: int = 1024
    message_octets: int = 64 * 1024 * 1024


class MsrpFramer:
    """Cuts a stream into messages. One for each direction of each connection.

    A CRLF between messages is a keep-alive of some clients and is passed over. `broken` is True when the
    place of the next message is lost; what follows is ignored.
    """

    def __init__(self, limits: MsrpLimits = MsrpLimits()) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._identifier: bytes | None = None  # of the message being read
        self._searched = 0  # octets of the buffer in which no end-line begins
        self.broken = False

    @property
    def pending(self) -> bytes:
        """Octets of a message that is not complete."""
        return bytes(self._buffer)

    def receive(self, data: bytes) -> list[MsrpRequest | MsrpResponse | MsrpSyntaxError]:
        """Take octets, give what became complete, in the order of the stream."""
        events: list[MsrpRequest | MsrpResponse | MsrpSyntaxError] = []
        if self.broken:
            return events
        self._buffer += data
        while not self.broken:
            event = self._next()
            if event is None:
                break
            events.append(event)
        return events

    def _next(self) -> MsrpRequest | MsrpResponse | MsrpSyntaxError | None:
        if self._identifier is None:
            error = self._read_start_line()
            if error is not None or self._identifier is None:
                return error
        end = find_end_line(self._buffer, self._identifier, self._searched)
        length = len(self._buffer) if end is None else end.end()
        if length > self._limits.message_octets:
            return self._break("message", 0, "RFC 4975 7.1", f"above {self._limits.message_octets} octets")
        if end is None:
            self._searched = max(self._searched, len(self._buffer) - _LONGEST_END_LINE)
            return None
        raw = bytes(self._buffer[: end.end()])
        del self._buffer[: end.end()]
        self._identifier, self._searched = None, 0
        return parse_msrp(raw)

    def _read_start_line(self) -> MsrpSyntaxError | None:
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
        limit = self._limits.start_line_octets
        end = self._buffer.find(b"\r\n", 0, limit)
        line = bytes(self._buffer[: end if end >= 0 else limit])
        if end < 0 and _may_become_msrp(line) and len(line) < limit:
            return None
        match = START_LINE.fullmatch(line)
        if end < 0 or match is None:
            return self._break("start line", 0, "RFC 4975 9", "no MSRP start line")
        # The CRLF of the start line may be the one before the end-line.
        self._identifier, self._searched = match[1], end
        return None

    def _break(self, what: str, offset: int, clause: str, hint: str) -> MsrpSyntaxError:
        self.broken = True
        return MsrpSyntaxError(what, bytes(self._buffer[:80]), offset, clause, hint)


def _may_become_msrp(line: bytes) -> bool:
    """Whether the first octets of a message are those of a start line so far."""
    return line == b"\r" or b"MSRP ".startswith(line[:5])
