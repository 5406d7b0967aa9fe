"""SIP messages: raw octets, header fields with offsets, typed values on first use (RFC 3261 sections 7, 20).

Reading is tolerant: what is wrong is collected as faults with octet and clause. Writing is strict unless
asked otherwise. Where a message of a stream ends is left to framing.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Self, TypeVar, cast

from harness.errors import SipSyntaxError, UsageError
from harness.sip.caller_preferences import AcceptContact
from harness.sip.grammar import is_token, list_elements, octets, parse_number, split_list
from harness.sip.header_value import HeaderType, parse_token
from harness.sip.headers import (
    COOKIE,
    SINGLE_HEADERS,
    Challenge,
    Credentials,
    CSeq,
    MediaType,
    NameAddr,
    Via,
    canonical_name,
    parse_call_id,
    parse_date,
)
from harness.sip.uri import Uri, parse_uri

REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    199: "Early Dialog Terminated", 200: "OK", 202: "Accepted", 204: "No Notification",
    300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy",
    380: "Alternative Service", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
    407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone",
    412: "Conditional Request Failed", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 417: "Unknown Resource-Priority",
    420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small",
    423: "Interval Too Brief", 424: "Bad Location Information", 425: "Bad Alert Message",
    428: "Use Identity Header", 429: "Provide Referrer Identity", 430: "Flow Failed",
    433: "Anonymity Disallowed", 436: "Bad Identity Info", 437: "Unsupported Credential",
    438: "Invalid Identity Header", 439: "First Hop Lacks Outbound Support", 440: "Max-Breadth Exceeded",
    469: "Bad Info Package", 470: "Consent Needed", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
    484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated",
    488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending", 493: "Undecipherable",
    494: "Security Agreement Required", 500: "Server Internal Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported",
    513: "Message Too Large", 555: "Push Notification Service Not Supported", 580: "Precondition Failure",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
    607: "Unwanted", 608: "Rejected",
}  # fmt: skip

HEADER_END = re.compile(rb"\r?\n\r?\n")
_BLANK = re.compile(rb"(?:\r?\n)+")
_REQUEST = re.compile(rb"([A-Za-z0-9\-.!%*_+`'~]+) ([^\s<>\"]+) SIP/2\.0")
_RESPONSE = re.compile(rb"SIP/2\.0 ([1-6][0-9][0-9]) ([^\r\n]*)")
_LOOSE_REQUEST = re.compile(
    rb"[ \t]*+([A-Za-z0-9\-.!%*_+`'~]++)[ \t]++([^\r\n]*?[^\s])[ \t]++"
    rb"(SIP)[ \t]*+/[ \t]*+([0-9]++\.[0-9]++)[ \t]*+",
    re.I,
)
_LOOSE_RESPONSE = re.compile(rb"[ \t]*+(SIP)/([0-9]++\.[0-9]++)[ \t]++([0-9]{3})(?:[ \t]++([^\r\n]*)|)", re.I)
_FIELD_END = re.compile(rb"\r\n(?![ \t])")
_LOOSE_FIELD_END = re.compile(rb"\r?\n(?![ \t])")
_FOLD = re.compile(rb"(?<![ \t])[ \t]*+\r?\n[ \t]++")
_LEADING = re.compile(rb"[ \t\r\n]*+")
_ANY_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROL = re.compile(rb"(?<!\\)[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_T = TypeVar("_T")
_H = TypeVar("_H", bound=HeaderType)


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One header field row.

    name is as sent, canonical the long form in registered capitalisation when known; value is unfolded and
    trimmed; offset is the octet of the name from the start of the message; raw is the whole field with its
    line ends and folded lines.
    """

    name: str
    canonical: str
    value: str
    offset: int
    raw: bytes

    def octet(self, index: int = 0) -> int:
        """The octet of the message where the character `index` of value stands, folding accounted for."""
        leading = _LEADING.match(self.raw, self.raw.find(b":") + 1)
        place = leading.end() if leading else 0
        wanted = octets(self.value[:index])
        for fold in _FOLD.finditer(self.raw, place):
            if fold.start() - place >= wanted:
                break
            wanted -= fold.start() - place + 1  # a fold counts as one space
            place = fold.end()
            wanted = max(wanted, 0)
        return self.offset + min(place + wanted, len(self.raw))


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong that did not stop the parser: what names the production, offset its octet."""

    what: str
    offset: int
    clause: str
    text: str


class SipMessage:
    """A request or a response. Not to be changed: the with_... methods return changed copies.

    raw is the whole message as it was on the wire (in a datagram: the whole datagram); start_line is without
    its line end; body starts at body_offset.
    """

    __slots__ = ("_index", "_typed", "body", "body_offset", "faults", "fields", "raw", "start_line")

    is_request = False

    def __init__(
        self,
        raw: bytes,
        start_line: bytes,
        fields: tuple[HeaderField, ...],
        body: bytes,
        body_offset: int,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        self.raw, self.start_line, self.fields = raw, start_line, fields
        self.body, self.body_offset, self.faults = body, body_offset, faults
        self._index: dict[str, list[HeaderField]] = {}
        self._typed: dict[str, Any] = {}
        for field in fields:
            self._index.setdefault(field.canonical.lower(), []).append(field)

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, SipMessage) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)

    def __bytes__(self) -> bytes:
        return self.raw

    def __repr__(self) -> str:
        line = self.start_line.decode("utf-8", "backslashreplace")
        return f"<{type(self).__name__} {line!r}, {len(self.fields)} fields, body {len(self.body)} octets>"

    # -- header fields as text

    def _rows(self, name: str) -> list[HeaderField]:
        return self._index.get(canonical_name(name).lower(), [])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._rows(name))

    def field(self, name: str) -> HeaderField | None:
        """The first field of that name (any case, compact or long)."""
        rows = self._rows(name)
        return rows[0] if rows else None

    def all_fields(self, name: str) -> list[HeaderField]:
        """Every field of that name."""
        return list(self._rows(name))

    def get(self, name: str) -> str | None:
        """The value of the first field of that name, or None."""
        rows = self._rows(name)
        return rows[0].value if rows else None

    def get_all(self, name: str) -> list[str]:
        """The value of each field of that name."""
        return [row.value for row in self._rows(name)]

    def values(self, name: str) -> list[str]:
        """The elements of a comma list, all rows joined, without empty ones."""
        return [element for row in self._rows(name) for element in split_list(row.value)]

    # -- typed values

    def _cached(self, key: str, make: Callable[[], _T]) -> _T:
        try:
            return cast(_T, self._typed[key])
        except KeyError:
            value = self._typed[key] = make()
            return value

    def _typed_at(self, row: HeaderField, index: int, text: str, parse: Callable[[str, int], _T]) -> _T:
        try:
            return parse(text, index)
        except SipSyntaxError as error:
            within = max(error.offset - index, 0)
            character = len(text.encode("utf-8", "surrogatepass")[:within].decode("utf-8", "ignore"))
            place = row.octet(index + character)
            parse(text, place - within)  # fails again, now with the place in the message
            raise

    def _single(self, name: str, parse: Callable[[str, int], _T], clause: str) -> _T:
        value = self._optional(name, parse)
        if value is None:
            raise SipSyntaxError(name, "", self.body_offset, clause, "absent")
        return value

    def _optional(self, name: str, parse: Callable[[str, int], _T]) -> _T | None:
        row = self.field(name)
        if row is None:
            return None
        return self._cached(name, lambda: self._typed_at(row, 0, row.value, parse))

    def _list(self, name: str, parse: Callable[[str, int], _T], may_be_empty: bool = False) -> list[_T]:
        def make() -> list[_T]:
            return [
                self._typed_at(row, index, text, parse)
                for row in self._rows(name)
                if row.value or not may_be_empty
                for index, text in list_elements(row.value)
            ]

        return self._cached(f"{name}*", make)

    def _required_list(self, name: str, parse: Callable[[str, int], _T], clause: str) -> list[_T]:
        values = self._list(name, parse)
        if not values:
            raise SipSyntaxError(name, "", self.body_offset, clause, "absent")
        return values

    def _number(self, name: str, clause: str, limit: int = 2**32 - 1) -> int | None:
        return self._optional(name, lambda text, offset: parse_number(text, name, offset, clause, limit))

    def typed(self, kind: type[_H]) -> _H | None:
        """The header whose type `kind` is (see header_value.py); None when absent. Raises SipSyntaxError."""
        return self._optional(kind.header, kind.parse)

    def typed_list(self, kind: type[_H]) -> list[_H]:
        """Every element of the comma list whose type `kind` is, all rows joined. Raises SipSyntaxError."""
        return self._list(kind.header, kind.parse, may_be_empty=True)

    def tokens(self, name: str) -> list[str]:
        """The elements of a list of tokens (Supported, Allow, Content-Encoding). Raises SipSyntaxError."""
        return self._list(name, partial(parse_token, name), may_be_empty=True)

    @property
    def vias(self) -> list[Via]:
        """Every Via value, the topmost first."""
        return self._required_list("Via", Via.parse, "RFC 3261 8.1.1.7")

    @property
    def via(self) -> Via:
        """The topmost Via value; those below may be malformed."""
        row = self.field("Via")
        if row is None:
            raise SipSyntaxError("Via", "", self.body_offset, "RFC 3261 8.1.1.7", "absent")
        index, text = list_elements(row.value)[0]
        return self._cached("via", lambda: self._typed_at(row, index, text, Via.parse))

    @property
    def from_(self) -> NameAddr:
        """From (RFC 3261 20.20)."""
        return self._single("From", NameAddr.parse, "RFC 3261 8.1.1.3")

    @property
    def to(self) -> NameAddr:
        """To (RFC 3261 20.39)."""
        return self._single("To", NameAddr.parse, "RFC 3261 8.1.1.2")

    @property
    def cseq(self) -> CSeq:
        """CSeq (RFC 3261 20.16)."""
        return self._single("CSeq", CSeq.parse, "RFC 3261 8.1.1.5")

    @property
    def call_id(self) -> str:
        """Call-ID (RFC 3261 20.8)."""
        return self._single("Call-ID", parse_call_id, "RFC 3261 8.1.1.4")

    @property
    def contacts(self) -> list[NameAddr]:
        """Contact values; empty when absent or `*` (see contact_star)."""
        return [] if self.contact_star else self._list("Contact", NameAddr.parse)

    @property
    def contact_star(self) -> bool:
        """True for `Contact: *` (RFC 3261 10.2.2)."""
        return self.get_all("Contact") == ["*"]

    @property
    def routes(self) -> list[NameAddr]:
        """Route values in order."""
        return self._list("Route", NameAddr.parse)

    @property
    def record_routes(self) -> list[NameAddr]:
        """Record-Route values in order."""
        return self._list("Record-Route", NameAddr.parse)

    @property
    def paths(self) -> list[NameAddr]:
        """Path values in order (RFC 3327)."""
        return self._list("Path", NameAddr.parse)

    @property
    def service_routes(self) -> list[NameAddr]:
        """Service-Route values in order (RFC 3608)."""
        return self._list("Service-Route", NameAddr.parse)

    @property
    def asserted_identities(self) -> list[NameAddr]:
        """P-Asserted-Identity values (RFC 3325)."""
        return self._list("P-Asserted-Identity", NameAddr.parse)

    @property
    def preferred_identities(self) -> list[NameAddr]:
        """P-Preferred-Identity values (RFC 3325)."""
        return self._list("P-Preferred-Identity", NameAddr.parse)

    @property
    def accept_contacts(self) -> list[AcceptContact]:
        """Accept-Contact values (RFC 3841)."""
        return self._list(AcceptContact.header, AcceptContact.parse)

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards, 0 to 255 (RFC 3261 20.22); None when absent."""
        return self._number("Max-Forwards", "RFC 3261 20.22", 255)

    @property
    def content_length(self) -> int | None:
        """Content-Length in octets as declared; None when absent."""
        return self._number("Content-Length", "RFC 3261 20.14")

    @property
    def expires(self) -> int | None:
        """Expires in seconds; None when absent."""
        return self._number("Expires", "RFC 3261 20.19")

    @property
    def content_type(self) -> MediaType | None:
        """Content-Type; None when absent."""
        return self._optional("Content-Type", MediaType.parse)

    @property
    def date(self) -> datetime | None:
        """Date; None when absent."""
        return self._optional("Date", parse_date)

    @property
    def challenges(self) -> list[Challenge]:
        """WWW-Authenticate and Proxy-Authenticate, one per row."""
        return self._rows_of(("WWW-Authenticate", "Proxy-Authenticate"), Challenge.parse)

    @property
    def credentials(self) -> list[Credentials]:
        """Authorization and Proxy-Authorization, one per row."""
        return self._rows_of(("Authorization", "Proxy-Authorization"), Credentials.parse)

    def _rows_of(self, names: tuple[str, ...], parse: Callable[[str, int], _T]) -> list[_T]:
        def make() -> list[_T]:
            rows = (row for name in names for row in self._rows(name))
            return [self._typed_at(row, 0, row.value, parse) for row in rows]

        return self._cached(names[0], make)

    # -- what is wrong

    def check(self) -> tuple[Fault, ...]:
        """faults, and those of every typed value: missing and malformed headers, in order of their octets."""
        return self._cached("check", self._check)

    def _check(self) -> tuple[Fault, ...]:
        found = list(self.faults)
        for read in _CHECKED:
            try:
                getattr(self, read)
            except SipSyntaxError as error:
                found.append(fault_of(error))
        found += self._inconsistencies()
        return tuple(sorted(dict.fromkeys(found), key=lambda fault: fault.offset))

    def _inconsistencies(self) -> list[Fault]:
        found = []
        stars = [text for text in self.values("Contact") if text.startswith("*")]
        if stars and not self.contact_star:
            text = "* must be the only Contact"
            found.append(Fault("Contact", self._place("Contact"), "RFC 3261 10.2.2", text))
        found += self._contact_faults()
        via = self._unless_malformed(lambda: self.via)
        if via is not None and via.branch == COOKIE:
            text = "branch is the magic cookie and nothing else"
            found.append(Fault("Via", self._place("Via"), "RFC 3261 8.1.1.7", text))
        return found

    def _contact_faults(self) -> list[Fault]:
        found, place = [], self._place("Contact")
        for contact in self._unless_malformed(lambda: self.contacts) or []:
            try:
                parse_number(contact.parameters.get("expires", "0") or "", "expires", place, "RFC 3261 25.1")
            except SipSyntaxError as error:
                found.append(fault_of(error))
        return found

    @staticmethod
    def _unless_malformed(read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except SipSyntaxError:
            return None  # _check reports it

    def _place(self, name: str) -> int:
        row = self.field(name)
        return self.body_offset if row is None else row.octet()

    # -- changed copies

    def with_header(self, name: str, *values: str) -> Self:
        """A copy where these values, one row each, replace the fields of that name. Raises UsageError."""
        return self._replaced(name, [_checked_line(name, value) for value in values])

    def without(self, name: str) -> Self:
        """A copy without the fields of that name."""
        return self._replaced(name, [])

    def with_prepended(self, name: str, value: str) -> Self:
        """A copy with this field before all others (Via, Record-Route of a hop). Raises UsageError."""
        return self._rewritten([_checked_line(name, value), *map(_line, self.fields)], self.body)

    def with_top_via(self, via: Via) -> Self:
        """A copy whose topmost Via value is this one; the others stay as they were."""
        rows = self._rows("Via")
        if not rows:
            return self.with_prepended("Via", str(via))
        others = [text for _, text in list_elements(rows[0].value)[1:]]
        first = _line_of(rows[0].name, ", ".join([str(via), *others]))
        return self._replaced("Via", [first, *map(_line, rows[1:])])

    def with_body(self, body: bytes, content_type: str | None = None) -> Self:
        """A copy with another body; Content-Length follows, Content-Type where one is given."""
        copy = self if content_type is None else self.with_header("Content-Type", content_type)
        copy = copy.with_header("Content-Length", str(len(body)))
        return copy._rewritten([_line(field) for field in copy.fields], body)

    def _replaced(self, name: str, lines: list[bytes]) -> Self:
        """These lines where the first field of that name was, or at the end; the others of it are gone."""
        key = canonical_name(name).lower()
        old = self._rows(name)
        place = self.fields.index(old[0]) if old else len(self.fields)
        others = [
            [_line(field) for field in part if field.canonical.lower() != key]
            for part in (self.fields[:place], self.fields[place:])
        ]
        return self._rewritten([*others[0], *lines, *others[1]], self.body)

    def _rewritten(self, rows: list[bytes], body: bytes) -> Self:
        raw = b"\r\n".join([self.start_line, *(row.rstrip(b"\r\n") for row in rows), b"", b""]) + body
        return cast(Self, parse_message(raw))


class Request(SipMessage):
    """A request. uri is the Request-URI as written."""

    __slots__ = ("method", "uri")

    is_request = True

    def __init__(self, method: str, uri: str, *message: Any) -> None:
        super().__init__(*message)
        self.method, self.uri = method, uri

    @property
    def request_uri(self) -> Uri:
        """The Request-URI taken apart. Raises SipSyntaxError."""
        offset = self.raw.find(self.start_line)
        offset += max(self.start_line.find(self.uri.encode(), len(self.method)), 0)
        return self._cached("request_uri", lambda: parse_uri(self.uri, offset))

    def with_uri(self, uri: str) -> Request:
        """A copy with another Request-URI. Raises UsageError."""
        _demand_uri(uri)
        raw = _joined(f"{self.method} {uri} SIP/2.0", [_line(field) for field in self.fields], self.body)
        return cast(Request, parse_message(raw))

    def _inconsistencies(self) -> list[Fault]:
        found = super()._inconsistencies()
        cseq = self._unless_malformed(lambda: self.cseq)
        if cseq is not None and cseq.method != self.method:
            text = f"method {cseq.method} is not that of the request line, {self.method}"
            found.append(Fault("CSeq", self._place("CSeq"), "RFC 3261 8.1.1.5", text))
        if "Max-Forwards" not in self:
            found.append(Fault("Max-Forwards", self.body_offset, "RFC 3261 8.1.1.6", "absent"))
        try:
            headers = self.request_uri.headers
        except SipSyntaxError as error:
            found.append(fault_of(error))
        else:
            if headers:
                place = self.raw.find(b"?")
                found.append(Fault("Request-URI", place, "RFC 3261 19.1.1", "headers are not allowed here"))
        return found


class Response(SipMessage):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, *message: Any) -> None:
        super().__init__(*message)
        self.status, self.reason = status, reason


_CHECKED = (
    "vias", "from_", "to", "call_id", "cseq", "max_forwards", "content_length", "content_type", "expires",
    "date", "contacts", "routes", "record_routes", "paths", "service_routes", "asserted_identities",
    "preferred_identities", "accept_contacts", "challenges", "credentials",
)  # fmt: skip


def fault_of(error: SipSyntaxError) -> Fault:
    """The fault that tells what an error tells."""
    return Fault(error.what, error.offset, error.clause, str(error))


# -- reading

_Make = Callable[..., "Request | Response"]


def parse_message(data: bytes) -> Request | Response:
    """One message that fills data (a datagram, or what framing.py cut out of a stream).

    Raises SipSyntaxError only when there is no usable start line; everything else becomes a fault.
    """
    return read_head(data).complete(data)


@dataclass(frozen=True, slots=True)
class Head:
    """Start line and header fields, read before the body is there."""

    make: _Make
    start_line: bytes
    fields: tuple[HeaderField, ...]
    body_offset: int
    faults: tuple[Fault, ...]

    def complete(self, data: bytes) -> Request | Response:
        """The message, once data is all of it (the octets of the head first)."""
        faults: list[Fault] = []
        body = _body(data, self.body_offset, self.fields, faults)
        faults[:0] = self.faults
        return self.make(data, self.start_line, self.fields, body, self.body_offset, tuple(faults))


def read_head(data: bytes) -> Head:
    """The head of the message that data starts with. Raises SipSyntaxError without a usable start line."""
    faults: list[Fault] = []
    start = _skip_blank(data, faults)
    end = HEADER_END.search(data, start)
    if end is None:
        head_end = body_offset = len(data)
        faults.append(Fault("message", len(data), "RFC 3261 7", "no empty line after the headers"))
    else:
        head_end, body_offset = _after_line(data, end.start()), end.end()
    line_end = data.find(b"\n", start, head_end)
    line_end = head_end if line_end < 0 else line_end + 1
    start_line = data[start:line_end].rstrip(b"\r\n")
    make = _start_line(start_line, start, faults)
    fields = _fields(data, line_end, head_end, faults)
    return Head(make, start_line, fields, body_offset, tuple(faults))


def parse_head(data: bytes) -> Request | Response:
    """The start line and the complete header fields of data that breaks off. Raises SipSyntaxError."""
    cut = max(data.rfind(b"\n") + 1, 0)
    return parse_message(data[:cut] + b"\r\n")


def _skip_blank(data: bytes, faults: list[Fault]) -> int:
    blank = _BLANK.match(data)
    if blank is None:
        return 0
    faults.append(Fault("start line", 0, "RFC 3261 7.5", "empty lines before the start line"))
    return blank.end()


def _after_line(data: bytes, index: int) -> int:
    return data.index(b"\n", index) + 1


def _start_line(line: bytes, offset: int, faults: list[Fault]) -> _Make:
    match = _REQUEST.fullmatch(line)
    if match:
        return _request(match[1], match[2], offset + match.start(2), faults)
    match = _RESPONSE.fullmatch(line)
    if match:
        return _response(match[1], match[2])
    return _loose_start_line(line, offset, faults)


def _request(method: bytes, uri: bytes, place: int, faults: list[Fault]) -> _Make:
    text = uri.decode("utf-8", "backslashreplace")
    if not uri.isascii():
        faults.append(Fault("Request-URI", place, "RFC 3261 25.1", "octets above 127"))
    name = method.decode("ascii")
    return lambda *message: Request(name, text, *message)


def _response(status: bytes, reason: bytes) -> _Make:
    text = reason.decode("utf-8", "backslashreplace")
    return lambda *message: Response(int(status), text, *message)


def _loose_start_line(line: bytes, offset: int, faults: list[Fault]) -> _Make:
    """A start line with something wrong that leaves its parts recognisable."""

    def fault(what: str, clause: str, text: str) -> None:
        faults.append(Fault(what, offset, clause, text))

    match = _LOOSE_RESPONSE.fullmatch(line)
    request = None if match else _LOOSE_REQUEST.fullmatch(line)
    if match is None and request is None:
        raise SipSyntaxError("start line", line, offset, "RFC 3261 7", "neither request line nor status line")
    name, version = (match[1], match[2]) if match else cast(re.Match[bytes], request).group(3, 4)
    if version != b"2.0":
        fault("SIP-Version", "RFC 3261 7.1", f"version {version.decode()[:20]} is not 2.0")
    elif name != b"SIP":
        fault("SIP-Version", "RFC 3261 7.1", "SIP must be sent in upper case")
    if match:
        if not b"1" <= match[3][:1] <= b"6":
            fault("status code", "RFC 3261 7.2", "not between 100 and 699")
        if match[4] is None or line.split(b" ")[:2] != [b"SIP/" + version, match[3]]:
            fault("status line", "RFC 3261 7.2", "not exactly one space between parts")
        return _response(match[3], match[4] or b"")
    assert request is not None
    uri = request[2]
    if line != b" ".join((request[1], uri, b"%b/%b" % (name, version))):
        fault(
            "request line",
            "RFC 3261 7.1",
            "not exactly one space between parts, or text after the version",
        )
    place = offset + request.start(2)
    if re.search(rb"[\s<>\"]", uri):
        faults.append(Fault("Request-URI", place, "RFC 3261 7.1", "white space, angle brackets or quotes"))
    return _request(request[1], uri, place, faults)


# name as sent -> (name, canonical); filled with the registered spellings, other names are looked at each time
_SPELLINGS: dict[bytes, tuple[str, str]] = {}


def _spelling(name: bytes) -> tuple[str, str] | None:
    text = name.decode("utf-8", "backslashreplace")
    if not is_token(text):
        return None
    pair = (text, canonical_name(text))
    if len(_SPELLINGS) < 512 and len(name) < 64:
        _SPELLINGS[name] = pair
    return pair


def _fields(data: bytes, start: int, end: int, faults: list[Fault]) -> tuple[HeaderField, ...]:
    block = data[start:end]
    if not block:
        return ()
    _line_faults(block, start, faults)
    lines = block.count(b"\r\n")
    strict = lines == block.count(b"\n")
    fields: list[HeaderField] = []
    seen: set[str] = set()
    place = 0
    for match in (_FIELD_END if strict else _LOOSE_FIELD_END).finditer(block):
        raw = block[place : match.end()]
        _field(raw, start + place, fields, seen, faults)
        place = match.end()
    if place < len(block):
        _field(block[place:], start + place, fields, seen, faults)
    return tuple(fields)


def _line_faults(block: bytes, start: int, faults: list[Fault]) -> None:
    control = _ANY_CONTROL.search(block) and _CONTROL.search(block)  # "\\" before it makes a quoted-pair
    if control:
        place = start + control.start()
        faults.append(Fault("header", place, "RFC 3261 25.1", f"control character {control[0]!r}"))
    pairs = block.count(b"\r\n")
    for octet, name in ((b"\n", "LF without CR"), (b"\r", "CR without LF")):
        if block.count(octet) != pairs:
            pattern = rb"(?<!\r)\n" if octet == b"\n" else rb"\r(?!\n)"
            bare = re.search(pattern, block)
            place = start + (bare.start() if bare else 0)
            faults.append(Fault("header", place, "RFC 3261 7", name))
    if block[:1] in (b" ", b"\t"):
        faults.append(Fault("header", start, "RFC 3261 7.3.1", "first header line starts with white space"))


def _field(raw: bytes, offset: int, fields: list[HeaderField], seen: set[str], faults: list[Fault]) -> None:
    name, colon, rest = raw.partition(b":")
    pair = _SPELLINGS.get(name) or _spelling(name.rstrip(b" \t"))
    if not colon or pair is None:
        faults.append(Fault("header", offset, "RFC 3261 7.3.1", f"no header field: {_shown(raw)}"))
        return
    value = rest.strip(b" \t\r\n")
    if b"\n" in value:
        value = _FOLD.sub(b" ", value)
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        place = offset + _first_not_utf8(raw)
        faults.append(Fault(pair[1], place, "RFC 3261 7.3.1", "not UTF-8"))
        text = value.decode("utf-8", "backslashreplace")
    canonical = pair[1]
    if canonical in SINGLE_HEADERS:
        if canonical in seen:
            faults.append(Fault(canonical, offset, "RFC 3261 7.3.1", "occurs more than once"))
        seen.add(canonical)
    fields.append(HeaderField(pair[0], canonical, text, offset, raw))


def _first_not_utf8(raw: bytes) -> int:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _shown(raw: bytes) -> str:
    return repr(raw[:60].decode("utf-8", "backslashreplace"))


def _body(data: bytes, start: int, fields: tuple[HeaderField, ...], faults: list[Fault]) -> bytes:
    """The body by Content-Length (RFC 3261 18.3): what is missing or too much is a fault."""
    body = data[start:]
    row = next((field for field in fields if field.canonical == "Content-Length"), None)
    if row is None:
        return body
    try:
        declared = parse_number(row.value, "Content-Length", row.octet(), "RFC 3261 20.14")
    except SipSyntaxError as error:
        faults.append(fault_of(error))
        return body
    if declared > len(body):
        text = f"declares {declared} octets, {len(body)} are there"
        faults.append(Fault("Content-Length", row.octet(), "RFC 3261 18.3", text))
    elif declared < len(body):
        text = f"{len(body) - declared} octets after the {declared} declared"
        faults.append(Fault("body", start + declared, "RFC 3261 18.3", text))
    return body[:declared]


# -- writing

COPIED = ("Via", "From", "To", "Call-ID", "CSeq")  # what every response repeats (RFC 3261 8.2.6.2)


def _line(field: HeaderField) -> bytes:
    """The field as it was received when its line ends are proper, else written anew."""
    raw = field.raw
    if raw.endswith(b"\r\n") and raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n"):
        return raw
    return _line_of(field.name, re.sub(r"[\r\n]+", " ", field.value))


def _line_of(name: str, value: str) -> bytes:
    return f"{name}: {value}\r\n".encode("utf-8", "surrogatepass")


def _demand(good: bool, what: str, text: str) -> None:
    if not good:
        raise UsageError(f"cannot write {what} {text[:80]!r}: it would not be SIP (RFC 3261 25.1)")


def _is_clean(text: str) -> bool:
    """No line ends, no other control characters, nothing that UTF-8 cannot carry."""
    return re.search(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]", text) is None


def _demand_uri(uri: str) -> None:
    _demand(_is_clean(uri) and re.fullmatch(r"[^\s<>\"]+", uri) is not None, "Request-URI", uri)


def _checked_line(name: str, value: str) -> bytes:
    _demand(is_token(name), "header name", name)
    _demand(_is_clean(value), f"value of {name}", value)
    return _line_of(name, value)


def _lines(headers: Iterable[tuple[str, str]], body: bytes, strict: bool) -> list[bytes]:
    rows = list(headers)
    if not any(canonical_name(name) == "Content-Length" for name, _ in rows):
        rows.append(("Content-Length", str(len(body))))
    if not strict:
        return [_line_of(name, value) for name, value in rows]
    for name, value in rows:
        if canonical_name(name) == "Content-Length":
            _demand(value == str(len(body)), f"Content-Length beside a body of {len(body)} octets", value)
    return [_checked_line(name, value) for name, value in rows]


def _joined(start_line: str, lines: list[bytes], body: bytes) -> bytes:
    return b"".join((start_line.encode("utf-8", "surrogatepass"), b"\r\n", *lines, b"\r\n", body))


def build_request(
    method: str, uri: str, headers: Iterable[tuple[str, str]], body: bytes = b"", *, strict: bool = True
) -> Request:
    """A request with these headers in this order; Content-Length is added at the end when absent.

    Raises UsageError for anything that would not be SIP; strict=False writes what it is told, and what a
    receiver would find wrong is in faults.
    """
    if strict:
        _demand(is_token(method), "method", method)
        _demand_uri(uri)
    raw = _joined(f"{method} {uri} SIP/2.0", _lines(headers, body, strict), body)
    message = _as_read(raw)
    if isinstance(message, Request):
        if strict and message.faults:
            raise UsageError(f"cannot write {method}: {message.faults[0].what} {message.faults[0].text}")
        return message
    return Request(method, uri, raw, b"", (), body, len(raw) - len(body), (message,))


def build_response(
    request: Request,
    status: int,
    reason: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    to_tag: str | None = None,
    *,
    strict: bool = True,
) -> Response:
    """A response with Via, From, To, Call-ID and CSeq of the request, as they were (RFC 3261 8.2.6.2).

    to_tag is added when the To has none, except in a 100. Raises UsageError for what would not be SIP in
    anything but the copied fields.
    """
    phrase = REASONS.get(status, "Unknown") if reason is None else reason
    if strict:
        _demand(100 <= status <= 699, "status", str(status))
        _demand(_is_clean(phrase), "reason phrase", phrase)
        _demand(to_tag is None or is_token(to_tag), "To tag", to_tag or "")
    tag = None if status == 100 else to_tag
    copied = [field for name in COPIED for field in request.all_fields(name)]
    lines = [_tagged(field, tag) if field.canonical == "To" else _line(field) for field in copied]
    raw = _joined(f"SIP/2.0 {status} {phrase}", [*lines, *_lines(headers, body, strict)], body)
    message = _as_read(raw)
    if isinstance(message, Response):
        return message
    return Response(status, phrase, raw, b"", (), body, len(raw) - len(body), (message,))


def _tagged(field: HeaderField, tag: str | None) -> bytes:
    """The line of To, with the tag where it has none."""
    line = _line(field)
    if tag is None:
        return line
    try:
        has_tag = NameAddr.parse(field.value).tag is not None
    except SipSyntaxError:
        has_tag = re.search(r";[ \t]*tag[ \t]*=", field.value, re.I) is not None
    return line if has_tag else line.rstrip(b" \t\r\n") + f";tag={tag}\r\n".encode()


def _as_read(raw: bytes) -> Request | Response | Fault:
    """What a receiver reads, or why it reads nothing."""
    try:
        return parse_message(raw)
    except SipSyntaxError as error:
        return fault_of(error)
