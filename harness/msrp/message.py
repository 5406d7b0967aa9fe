"""MSRP messages: requests, responses and their headers with offsets (RFC 4975 sections 7 and 9).

Reading is tolerant: what is wrong is collected as faults. Only the start line and the end-line are read at
once; headers, typed values and faults on first use. Where a message of a stream ends is left to framing.py,
writing to building.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from harness.errors import MsrpSyntaxError

COMMENTS = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    408: "Timeout", 413: "Stop Sending", 415: "Unsupported Media Type", 423: "Parameter Out Of Bounds",
    424: "Malformed Nickname", 425: "Nickname Reserved Or In Use", 428: "Private Messages Not Supported",
    481: "Session Does Not Exist", 501: "Unknown Method", 506: "Session Bound To Another Connection",
}  # fmt: skip

IDENT = re.compile(rb"[A-Za-z0-9][A-Za-z0-9.\-+%=]{3,31}")
# Shorter ones are read too: the end-line is found by them all the same.
START_LINE = re.compile(rb"MSRP ([A-Za-z0-9.\-+%=]{1,32}) (?:([A-Z]+)|([0-9]{3})(?: ([^\r\n]*))?)\r\n")
HEADER = re.compile(rb"([A-Za-z][!#-'*+\-.0-9A-Z^-~]*):[ \t]*([^\r\n]*)")
_LINES = re.compile(rb"(?<=\r\n)" + HEADER.pattern + rb"(?=\r\n)")
BYTE_RANGE = re.compile(rb"([0-9]{1,19})-([0-9]{1,19}|\*)/([0-9]{1,19}|\*)")
_URI = re.compile(r"msrps?://[^\s/;]+(?:/[^\s;]+)?;[A-Za-z0-9]+(?:;\S+)?", re.IGNORECASE)
_STATUS = re.compile(r"([0-9]{3}) ([0-9]{3})(?: (.*))?")


StartLine = tuple[bytes, bytes | None, bytes | None, bytes | None]  # tid, method, status, comment
Place = tuple[bytes, int, int]  # octets with a message in them, where it begins and how many it has


class Flag(StrEnum):
    """What the end-line says about the message this chunk belongs to (RFC 4975 7.1)."""

    COMPLETE = "$"
    MORE = "+"
    ABORTED = "#"


FLAGS = {ord(flag): flag for flag in Flag}


class ByteRange(NamedTuple):
    """Byte-Range: octets counted from 1; None stands for `*` (RFC 4975 7.1.1)."""

    start: int
    end: int | None
    total: int | None

    def __str__(self) -> str:
        end, total = ("*" if value is None else value for value in (self.end, self.total))
        return f"{self.start}-{end}/{total}"


class ReportStatus(NamedTuple):
    """Status of a REPORT: namespace ("000"), code and comment (RFC 4975 7.1.2)."""

    namespace: str
    code: int
    comment: str


@dataclass(frozen=True, slots=True)
class MsrpHeader:
    """One header line. offset is the octet of the name from the start of the message; raw has its CRLF."""

    name: str
    value: str
    offset: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong that did not stop the parser."""

    what: str
    offset: int
    clause: str
    text: str


class MsrpMessage:
    """A request (one chunk) or a response, with its end-line.

    tid: the transaction identifier as octets. line_end: octet of the CRLF that ends the start line.
    body_offset is where the body starts, or where the end-line starts when there is none; body_end where it
    ends, without the CRLF of the end-line. All octets are counted from the start of the message.
    """

    __slots__ = (
        "_at",
        "_data",
        "_faults",
        "_fields",
        "_headers",
        "_octets",
        "_unclear",
        "body_end",
        "body_offset",
        "flag",
        "line_end",
        "tid",
    )

    def __init__(self, place: Place, tid: bytes, flag: Flag, line_end: int, end_line: int) -> None:
        """line_end: octet of the CRLF that ends the start line; end_line: of that before the end-line."""
        self._data, self._at, self._octets = data, at, _ = place
        self.tid, self.flag, self.line_end, self.body_end = tid, flag, line_end, end_line
        blank = data.find(b"\r\n\r\n", at + line_end, at + end_line + 2)
        self.body_offset = end_line + 2 if blank < 0 else min(blank + 4 - at, end_line + 2)
        self._fields: dict[bytes, bytes] | None = None
        self._headers: tuple[MsrpHeader, ...] | None = None
        self._faults: tuple[Fault, ...] | None = None

    def __repr__(self) -> str:
        line = self.raw[: self.line_end].decode("utf-8", "backslashreplace")
        return f"<{type(self).__name__} {line!r}, {len(self.raw)} octets, {self.flag}>"

    @property
    def raw(self) -> bytes:
        """The message as it came. It is copied out of what was read with it when it is first asked for."""
        if len(self._data) != self._octets:
            self._data, self._at = self._data[self._at : self._at + self._octets], 0
        return self._data

    def forget(self) -> None:
        """Let go of what was read of the headers: it is read again when it is asked for."""
        self._fields = self._headers = self._faults = None

    @property
    def transaction_id(self) -> str:
        """The transaction identifier."""
        return self.tid.decode("ascii")

    @property
    def has_body(self) -> bool:
        """Whether there is a body, which may be empty; a bodiless message has none (RFC 4975 7.1)."""
        return self.body_offset <= self.body_end

    @property
    def body(self) -> bytes | None:
        """The body: None for a bodiless message, b"" for an empty one."""
        return self.raw[self.body_offset : self.body_end] if self.has_body else None

    @property
    def payload(self) -> memoryview:
        """The body without a copy; empty where there is none."""
        start, end = self._at + self.body_offset, self._at + self.body_end
        return memoryview(self._data)[start : max(start, end)]

    def has_at(self, octets: bytes, offset: int) -> bool:
        """Whether these octets stand there."""
        return self._data.startswith(octets, self._at + offset)

    def match_at(self, pattern: re.Pattern[bytes], start: int, end: int) -> re.Match[bytes] | None:
        """A match of all octets from start to end."""
        return pattern.fullmatch(self._data, self._at + start, self._at + end)

    @property
    def fields(self) -> dict[bytes, bytes]:
        """The first value of each header by its name in lower case, as octets."""
        if self._fields is None:
            self._read_fields()
            assert self._fields is not None
        return self._fields

    @property
    def unclear(self) -> bool:
        """Whether a line is no header, the paths do not come first or there is neither body nor none."""
        if self._fields is None:
            self._read_fields()
        return self._unclear

    def _read_fields(self) -> None:
        end = self._head_end
        found = _LINES.findall(self.raw, self.line_end, end)
        self._fields = {name.lower(): value.rstrip(b" \t") for name, value in reversed(found)}
        all_read = len(found) == self.raw.count(b"\r\n", self.line_end, end) - 1
        names = [name.lower() for name, _ in found[:2]]
        bodied = self.has_body or not self._has_empty_line
        self._unclear = not (all_read and names == [b"to-path", b"from-path"] and bodied)

    @property
    def headers(self) -> tuple[MsrpHeader, ...]:
        """The header lines in their order; a line that is none is a fault and left out."""
        if self._headers is None:
            self._headers = tuple(
                MsrpHeader(
                    match[1].decode(),
                    match[2].decode("utf-8", "backslashreplace").rstrip(" \t"),
                    match.start(),
                    match[0] + b"\r\n",
                )
                for match in _LINES.finditer(self.raw, self.line_end, self._head_end)
            )
        return self._headers

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong: lines that are no headers, then the order of headers and their form."""
        if self._faults is None:
            self._faults = (*self._line_faults(), *self._form_faults())
        return self._faults

    def header(self, name: str) -> MsrpHeader | None:
        """The first header of that name, in any case (RFC 5234 2.3)."""
        return next((each for each in self.headers if each.name.lower() == name.lower()), None)

    def get(self, name: str) -> str | None:
        """The value of the first header of that name, or None."""
        found = self.fields.get(name.lower().encode())
        return None if found is None else found.decode("utf-8", "backslashreplace")

    def get_all(self, name: str) -> list[str]:
        """The value of each header of that name."""
        return [each.value for each in self.headers if each.name.lower() == name.lower()]

    @property
    def to_path(self) -> tuple[str, ...]:
        """The URIs of To-Path, the next hop first. Raises MsrpSyntaxError."""
        return self._path("To-Path")

    @property
    def from_path(self) -> tuple[str, ...]:
        """The URIs of From-Path, the previous hop first. Raises MsrpSyntaxError."""
        return self._path("From-Path")

    @property
    def message_id(self) -> str | None:
        """Message-ID, or None."""
        return self.get("Message-ID")

    @property
    def byte_range(self) -> ByteRange | None:
        """Byte-Range, or None when absent. Raises MsrpSyntaxError."""
        value = self.fields.get(b"byte-range")
        if value is None:
            return None
        match = BYTE_RANGE.fullmatch(value)
        if match is None:
            raise self._wrong("Byte-Range", "RFC 4975 9 Byte-Range")
        start, end, total = match.groups()
        return ByteRange(int(start), None if end == b"*" else int(end), None if total == b"*" else int(total))

    @property
    def _head_end(self) -> int:
        """Where the header lines stop, the CRLF of the last one included."""
        return self.body_offset - 2 if self._has_empty_line else self.body_offset

    @property
    def _has_empty_line(self) -> bool:
        return self.raw.endswith(b"\r\n\r\n", 0, min(self.body_offset, self.body_end + 2))

    def _path(self, name: str) -> tuple[str, ...]:
        found = self.header(name)
        if found is None:
            raise MsrpSyntaxError(name, "", self.body_offset, "RFC 4975 9", "absent")
        uris = tuple(found.value.split(" "))
        if not all(well_formed(uri) for uri in uris):
            raise self._wrong(name, "RFC 4975 9 MSRP-URI")
        return uris

    def _wrong(self, name: str, clause: str) -> MsrpSyntaxError:
        header = self.header(name)
        assert header is not None, "a value that was read has its header"
        place = header.offset + max(header.raw.find(header.value.encode()), 0)
        return MsrpSyntaxError(header.name, header.value, place, clause)

    def _line_faults(self) -> list[Fault]:
        faults, place = [], self.line_end + 2
        while place < self._head_end:
            line_end = self.raw.index(b"\r\n", place)
            line = self.raw[place:line_end]
            if HEADER.fullmatch(line) is None:
                faults.append(Fault("header", place, "RFC 4975 9", f"no header: {line[:60]!r}"))
            place = line_end + 2
        if self._has_empty_line and not self.has_body:
            text = "an empty line, then the end-line: neither bodiless nor an empty body"
            faults.append(Fault("message", place, "RFC 4975 7.1", text))
        return faults

    def _form_faults(self) -> list[Fault]:
        faults = []
        if IDENT.fullmatch(self.tid) is None:
            text = "not 4 to 32 characters that begin with a letter or a digit"
            faults.append(Fault("transaction id", 5, "RFC 4975 9 ident", text))
        if [each.name.lower() for each in self.headers[:2]] != ["to-path", "from-path"]:
            text = "To-Path and From-Path do not come first"
            faults.append(Fault("message", self.line_end + 2, "RFC 4975 9", text))
        for each in self.headers:
            if re.match(rb"[^:]*: (?![ \t])", each.raw) is None:
                faults.append(Fault(each.name, each.offset, "RFC 4975 9", "not one space after the colon"))
        return faults


class MsrpRequest(MsrpMessage):
    """SEND, REPORT or another request."""

    __slots__ = ("method",)

    def __init__(
        self, method: str, place: Place, tid: bytes, flag: Flag, line_end: int, end_line: int
    ) -> None:
        super().__init__(place, tid, flag, line_end, end_line)
        self.method = method

    @property
    def failure_report(self) -> str:
        """Failure-Report in lower case, "yes" when absent (RFC 4975 7.1.1)."""
        return (self.get("Failure-Report") or "yes").lower()

    @property
    def success_report(self) -> str:
        """Success-Report in lower case, "no" when absent (RFC 4975 7.1.1)."""
        return (self.get("Success-Report") or "no").lower()

    @property
    def status(self) -> ReportStatus | None:
        """Status of a REPORT, or None when absent. Raises MsrpSyntaxError."""
        value = self.get("Status")
        if value is None:
            return None
        match = _STATUS.fullmatch(value)
        if match is None:
            raise self._wrong("Status", "RFC 4975 9 Status")
        return ReportStatus(match[1], int(match[2]), match[3] or "")


class MsrpResponse(MsrpMessage):
    """A response; comment may be empty."""

    __slots__ = ("comment", "status")

    def __init__(
        self, status: int, comment: str, place: Place, tid: bytes, flag: Flag, line_end: int, end_line: int
    ) -> None:
        super().__init__(place, tid, flag, line_end, end_line)
        self.status, self.comment = status, comment


def parse_msrp(data: bytes) -> MsrpRequest | MsrpResponse:
    """One whole message, end-line included.

    Raises MsrpSyntaxError when the start line or the end-line is none; everything else becomes a fault.
    """
    start = START_LINE.match(data)
    if start is None:
        raise MsrpSyntaxError("start line", data[:80], 0, "RFC 4975 9")
    end = find_end_line(data, start[1], start.end() - 2)
    if end is None or end.end() != len(data):
        place = len(data) if end is None else end.end()
        raise MsrpSyntaxError("end-line", data[place:][:80], place, "RFC 4975 7.1", "no end-line at the end")
    return message_of(
        start_line_of(start), (data, 0, len(data)), FLAGS[data[end.end() - 3]], start.end() - 2, end.start()
    )


def message_of(
    start: StartLine, place: Place, flag: Flag, line_end: int, end_line: int
) -> MsrpRequest | MsrpResponse:
    """The message of which `start` are the groups of START_LINE; see MsrpMessage for the rest."""
    tid, method, status, comment = start
    if method is not None:
        return MsrpRequest(_method(method), place, tid, flag, line_end, end_line)
    assert status is not None, "START_LINE has a method or a status"
    text = (comment or b"").decode("utf-8", "backslashreplace")
    return MsrpResponse(int(status), text, place, tid, flag, line_end, end_line)


def start_line_of(start: re.Match[bytes]) -> StartLine:
    """The groups of a match of START_LINE."""
    tid, method, status, comment = start.groups()
    return tid, method, status, comment


def find_end_line(data: bytes | bytearray, transaction_id: bytes, start: int) -> re.Match[bytes] | None:
    """The end-line of a transaction from `start` on, with the CRLF before it; group 1 is the flag."""
    return re.compile(rb"\r\n-------" + re.escape(transaction_id) + rb"([$+#])\r\n").search(data, start)


_method = lru_cache(maxsize=64)(bytes.decode)
well_formed = lru_cache(maxsize=1024)(lambda uri: _URI.fullmatch(uri) is not None)
