"""MSRP messages: requests, responses and their headers with offsets (RFC 4975 sections 7 and 9).

Reading is tolerant: what is wrong is collected as faults. Where a message of a stream ends is left to
framing.py.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from harness.errors import MsrpSyntaxError, UsageError

COMMENTS = {
    200: "OK", 400: "Bad Request", 403: "Forbidden", 408: "Timeout", 413: "Stop Sending",
    415: "Unsupported Media Type", 423: "Parameter Out Of Bounds", 481: "Session Does Not Exist",
    501: "Unknown Method", 506: "Session Bound To Another Connection",
}  # fmt: skip

IDENT = rb"[A-Za-z0-9][A-Za-z0-9.\-+%=]{3,31}"
START_LINE = re.compile(rb"MSRP (" + IDENT + rb") (?:([A-Z]+)|([0-9]{3})(?: ([^\r\n]*))?)")
_HEADER = re.compile(rb"([A-Za-z][!#-'*+\-.0-9A-Z^-~]*):[ \t]*([^\r\n]*)")
_BYTE_RANGE = re.compile(r"([0-9]{1,19})-([0-9]{1,19}|\*)/([0-9]{1,19}|\*)")
_URI = re.compile(r"msrps?://[^\s/;]+(?:/[^\s;]+)?;[A-Za-z0-9]+(?:;\S+)*", re.IGNORECASE)
_STATUS = re.compile(r"([0-9]{3}) ([0-9]{3})(?: (.*))?")


class Flag(StrEnum):
    """What the end-line says about the message this chunk belongs to (RFC 4975 7.1)."""

    COMPLETE = "$"
    MORE = "+"
    ABORTED = "#"


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

    body is None for a bodiless message, b"" for an empty body; body_offset is where it starts, or where the
    end-line starts when there is none.
    """

    __slots__ = ("body", "body_offset", "faults", "flag", "headers", "raw", "transaction_id")

    def __init__(
        self,
        raw: bytes,
        transaction_id: str,
        headers: tuple[MsrpHeader, ...],
        body: bytes | None,
        body_offset: int,
        flag: Flag,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        self.raw, self.transaction_id, self.headers = raw, transaction_id, headers
        self.body, self.body_offset, self.flag, self.faults = body, body_offset, flag, faults

    def __repr__(self) -> str:
        line = self.raw.split(b"\r\n", 1)[0].decode("utf-8", "backslashreplace")
        return f"<{type(self).__name__} {line!r}, {len(self.raw)} octets, {self.flag}>"

    def header(self, name: str) -> MsrpHeader | None:
        """The first header of that name, in any case (RFC 5234 2.3)."""
        return next((each for each in self.headers if each.name.lower() == name.lower()), None)

    def get(self, name: str) -> str | None:
        """The value of the first header of that name, or None."""
        found = self.header(name)
        return None if found is None else found.value

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
        found = self.header("Byte-Range")
        if found is None:
            return None
        match = _BYTE_RANGE.fullmatch(found.value)
        if match is None:
            raise _wrong(found, "RFC 4975 9 Byte-Range")
        start, end, total = (None if text == "*" else int(text) for text in match.groups())
        return ByteRange(start or 0, end, total)

    def _path(self, name: str) -> tuple[str, ...]:
        found = self.header(name)
        if found is None:
            raise MsrpSyntaxError(name, "", self.body_offset, "RFC 4975 9", "absent")
        uris = tuple(found.value.split(" "))
        if not all(_URI.fullmatch(uri) for uri in uris):
            raise _wrong(found, "RFC 4975 9 MSRP-URI")
        return uris


class MsrpRequest(MsrpMessage):
    """SEND, REPORT or another request."""

    __slots__ = ("method",)

    def __init__(self, method: str, *message: object) -> None:
        super().__init__(*message)  # type: ignore[arg-type]
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
        found = self.header("Status")
        if found is None:
            return None
        match = _STATUS.fullmatch(found.value)
        if match is None:
            raise _wrong(found, "RFC 4975 9 Status")
        return ReportStatus(match[1], int(match[2]), match[3] or "")


class MsrpResponse(MsrpMessage):
    """A response; comment may be empty."""

    __slots__ = ("comment", "status")

    def __init__(self, status: int, comment: str, *message: object) -> None:
        super().__init__(*message)  # type: ignore[arg-type]
        self.status, self.comment = status, comment


def parse_msrp(data: bytes) -> MsrpRequest | MsrpResponse:
    """One whole message, end-line included.

    Raises MsrpSyntaxError when the start line or the end-line is none; everything else becomes a fault.
    """
    line_end = data.find(b"\r\n")
    match = START_LINE.fullmatch(data[: max(line_end, 0)])
    if match is None:
        raise MsrpSyntaxError("start line", data[:80], 0, "RFC 4975 9")
    end = find_end_line(data, match[1], line_end)
    if end is None or end.end() != len(data):
        place = len(data) if end is None else end.end()
        raise MsrpSyntaxError("end-line", data[place:][:80], place, "RFC 4975 7.1", "no end-line at the end")
    faults: list[Fault] = []
    headers, place = _headers(data, line_end + 2, end.start() + 2, faults)
    body, body_offset = _body(data, place, end.start(), faults)
    _check(match, headers, faults)
    rest = (data, match[1].decode(), headers, body, body_offset, Flag(end[1].decode()), tuple(faults))
    if match[2] is not None:
        return MsrpRequest(match[2].decode(), *rest)
    return MsrpResponse(int(match[3]), (match[4] or b"").decode("utf-8", "backslashreplace"), *rest)


def find_end_line(data: bytes | bytearray, transaction_id: bytes, start: int) -> re.Match[bytes] | None:
    """The end-line of a transaction from `start` on, with the CRLF before it; group 1 is the flag."""
    return re.compile(rb"\r\n-------" + re.escape(transaction_id) + rb"([$+#])\r\n").search(data, start)


def new_transaction_id(body: bytes = b"") -> str:
    """A transaction identifier of 96 random bits whose end-line does not occur in body (RFC 4975 7.1)."""
    while True:
        found = secrets.token_hex(12)
        if f"-------{found}".encode() not in body:
            return found


def build_request(
    method: str,
    to_path: Iterable[str],
    from_path: Iterable[str],
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    *,
    flag: Flag = Flag.COMPLETE,
    transaction_id: str | None = None,
    strict: bool = True,
) -> MsrpRequest:
    """A request: paths first, then these headers; Content-Type must be the last of them when there is a body.

    body None makes a bodiless request without an empty line. Raises UsageError for anything that would not be
    MSRP; strict=False writes what it is told, as long as it can be read again.
    """
    rows = [("To-Path", " ".join(to_path)), ("From-Path", " ".join(from_path)), *headers]
    identifier = transaction_id or new_transaction_id(body or b"")
    if strict:
        _demand_request(method, rows, body, identifier)
    message = parse_msrp(_write(f"MSRP {identifier} {method}", rows, body, identifier, flag))
    assert isinstance(message, MsrpRequest)
    return message


def build_response(request: MsrpRequest, status: int, comment: str | None = None) -> MsrpResponse:
    """The response to a request (RFC 4975 7.2).

    To-Path is the leftmost URI of From-Path for SEND and the whole From-Path for other methods; From-Path is
    the URI the request was for, the leftmost of its To-Path. Raises MsrpSyntaxError when a path is
    unreadable.
    """
    back = request.from_path[:1] if request.method == "SEND" else request.from_path
    rows = [("To-Path", " ".join(back)), ("From-Path", request.to_path[0])]
    text = COMMENTS.get(status, "") if comment is None else comment
    start = f"MSRP {request.transaction_id} {status:03d}{' ' if text else ''}{text}"
    message = parse_msrp(_write(start, rows, None, request.transaction_id, Flag.COMPLETE))
    assert isinstance(message, MsrpResponse)
    return message


def build_report(
    request: MsrpRequest, code: int = 200, comment: str | None = None, byte_range: ByteRange | None = None
) -> MsrpRequest:
    """The REPORT on a SEND: to its whole From-Path, with Status and Byte-Range (RFC 4975 7.1.2, 7.1.3)."""
    text = COMMENTS.get(code, "") if comment is None else comment
    covered = byte_range or request.byte_range
    rows = [("Message-ID", request.message_id or "")]
    rows += [("Byte-Range", str(covered))] if covered is not None else []
    rows.append(("Status", f"000 {code:03d} {text}".rstrip()))
    return build_request("REPORT", request.from_path, request.to_path[:1], rows)


def _headers(data: bytes, start: int, end: int, faults: list[Fault]) -> tuple[tuple[MsrpHeader, ...], int]:
    """The header lines up to an empty line or the end-line, and where they stop."""
    headers, place = [], start
    while place < end and not data.startswith(b"\r\n", place):
        line_end = data.index(b"\r\n", place) + 2
        raw = data[place:line_end]
        match = _HEADER.fullmatch(raw[:-2])
        if match is None:
            faults.append(Fault("header", place, "RFC 4975 9", f"no header: {raw[:60]!r}"))
        else:
            value = match[2].decode("utf-8", "backslashreplace").rstrip(" \t")
            headers.append(MsrpHeader(match[1].decode(), value, place, raw))
        place = line_end
    return tuple(headers), place


def _body(data: bytes, place: int, end: int, faults: list[Fault]) -> tuple[bytes | None, int]:
    """The octets between the empty line and the CRLF of the end-line."""
    if place == end + 2:
        return None, place
    start = place + 2  # after the empty line
    if start <= end:
        return data[start:end], start
    text = "an empty line, then the end-line: neither bodiless nor an empty body"
    faults.append(Fault("message", place, "RFC 4975 7.1", text))
    return None, place


def _check(start: re.Match[bytes], headers: tuple[MsrpHeader, ...], faults: list[Fault]) -> None:
    names = [each.name.lower() for each in headers]
    if names[:2] != ["to-path", "from-path"]:
        text = "To-Path and From-Path do not come first"
        faults.append(Fault("message", start.end() + 2, "RFC 4975 9", text))
    for each in headers:
        if re.match(rb"[^:]*: (?![ \t])", each.raw) is None:
            faults.append(Fault(each.name, each.offset, "RFC 4975 9", "not one space after the colon"))


def _write(
    start: str, rows: Iterable[tuple[str, str]], body: bytes | None, identifier: str, flag: Flag
) -> bytes:
    head = "".join(f"{line}\r\n" for line in (start, *(f"{name}: {value}" for name, value in rows)))
    content = b"" if body is None else b"\r\n" + body + b"\r\n"
    return head.encode() + content + f"-------{identifier}{flag}\r\n".encode()


def _demand_request(method: str, rows: list[tuple[str, str]], body: bytes | None, identifier: str) -> None:
    _demand(re.fullmatch("[A-Z]+", method) is not None, "method", method)
    _demand(re.fullmatch(IDENT.decode(), identifier) is not None, "transaction id", identifier)
    for name, value in rows:
        line = f"{name}: {value}"
        readable = _HEADER.fullmatch(line.encode()) is not None and value == value.strip(" \t")
        _demand(readable, "header", line)
    for name, value in rows[:2]:
        _demand(all(_URI.fullmatch(uri) for uri in value.split(" ")), name, value)
    _demand(f"-------{identifier}".encode() not in (body or b""), "body with the end-line of", identifier)
    types = [name.lower().startswith("content-") for name, _ in rows]
    last = rows[-1][0].lower() == "content-type"
    _demand(last if body is not None else not any(types), "content headers (7.1), last is", rows[-1][0])


def _demand(good: bool, what: str, text: str) -> None:
    if not good:
        raise UsageError(f"cannot write {what} {text[:80]!r}: it would not be MSRP (RFC 4975 9)")


def _wrong(header: MsrpHeader, clause: str) -> MsrpSyntaxError:
    place = header.offset + max(header.raw.find(header.value.encode()), 0)
    return MsrpSyntaxError(header.name, header.value, place, clause)
