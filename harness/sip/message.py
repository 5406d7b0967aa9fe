"""SIP messages: raw octets, header fields with offsets, typed values on first use (RFC 3261 sections 7, 20).

Reading is tolerant: what is wrong is collected as faults with octet and clause. Writing is strict unless
asked otherwise. Where a message of a stream ends is left to framing.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Self, TypeVar, cast

from harness.errors import SipSyntaxError, UsageError
from harness.sip.caller_preferences import AcceptContact
from harness.sip.fault import Fault, fault_of
from harness.sip.grammar import is_token, list_elements, parse_number, split_list
from harness.sip.head import Head, HeaderField, UnreadHead, name_of, read_head, value_of, written_head
from harness.sip.header_lines import (
    checked_line,
    checked_lines,
    demand,
    demand_uri,
    is_clean,
    line_of,
    lines_as_told,
)
from harness.sip.header_reader import Parse, Reader
from harness.sip.header_value import HeaderType, parse_token
from harness.sip.headers import (
    COOKIE,
    KNOWN_HEADERS,
    Challenge,
    Credentials,
    CSeq,
    MediaType,
    NameAddr,
    Via,
    header_key,
    parse_call_id,
    parse_date,
)
from harness.sip.start_line import REASONS, RequestLine, StartLine, StatusLine
from harness.sip.uri import Uri, parse_uri

_T = TypeVar("_T")
_H = TypeVar("_H", bound=HeaderType)
_LONGEST_HEAD = 4096  # octets: nothing of a longer one is kept for other messages


def _decimal(name: str, clause: str, limit: int = 2**32 - 1) -> Reader[int]:
    return Reader(lambda text, offset: parse_number(text, name, offset, clause, limit), again=True)


# From, Call-ID and Via hold ids of the message.
_VIAS, _FROM, _CALL_ID = Reader(Via.parse), Reader(NameAddr.parse), Reader(parse_call_id)
_ADDRESSES = Reader(NameAddr.parse, again=True)
_CSEQ = Reader(CSeq.parse, again=True)
_ACCEPT_CONTACTS = Reader(AcceptContact.parse, again=True)
_CONTENT_TYPE = Reader(MediaType.parse, again=True)
_CONTENT_LENGTH = _decimal("Content-Length", "RFC 3261 20.14")
_MAX_FORWARDS = _decimal("Max-Forwards", "RFC 3261 20.22", 255)
_EXPIRES = _decimal("Expires", "RFC 3261 20.19")
_DATE = Reader(parse_date)


class SipMessage:
    """A request or a response. Not to be changed: the with_... methods return changed copies.

    start_line is without its line end; body starts at body_offset, and what follows it in a datagram is not
    part of it.
    """

    __slots__ = ("_body", "_faults", "_head", "_raw", "_rest", "_typed")

    is_request = False

    def __init__(self, head: Head, raw: bytes | None, rest: bytes | None = None) -> None:
        """Of raw (the whole message) and rest (what follows the head) one is enough."""
        self._head, self._raw, self._rest = head, raw, rest
        self._body: bytes | None = None
        self._faults: tuple[Fault, ...] | None = None
        self._typed: dict[str, Any] = {}

    @property
    def raw(self) -> bytes:
        """The whole message as it is on the wire (in a datagram: the whole datagram)."""
        if self._raw is None:
            self._raw = b"".join((self._head.octets(), self._after_head()))
        return self._raw

    @property
    def start_line(self) -> bytes:
        """The first line that is not empty."""
        return self._head.start_line

    @property
    def fields(self) -> tuple[HeaderField, ...]:
        """The header fields in order."""
        return self._head.fields

    @property
    def field_count(self) -> int:
        """How many header fields there are."""
        return self._head.field_count

    @property
    def body_offset(self) -> int:
        """The octet of the message where the body starts."""
        return self._head.body_offset

    @property
    def body(self) -> bytes:
        """The body: as many octets as Content-Length declares, all there are without one (18.3)."""
        if self._body is None:
            declared = self._unless_malformed(lambda: self.content_length)
            self._body = self._after_head()[:declared]
        return self._body

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with start line, header rows and the length of the body."""
        if self._faults is None:
            self._faults = (*self._head.faults(), *self._length_faults())
        return self._faults

    def _after_head(self) -> bytes:
        if self._rest is None:
            self._rest = self.raw[self._head.body_offset :]
        return self._rest

    def _length_faults(self) -> list[Fault]:
        """What is missing or too much by Content-Length (RFC 3261 18.3)."""
        there = len(self._after_head())
        try:
            declared = self.content_length
        except SipSyntaxError as error:
            return [fault_of(error)]
        if declared is None or declared == there:
            return []
        if declared > there:
            text = f"declares {declared} octets, {there} are there"
            return [Fault("Content-Length", self._place("Content-Length"), "RFC 3261 18.3", text)]
        text = f"{there - declared} octets after the {declared} declared"
        return [Fault("body", self.body_offset + declared, "RFC 3261 18.3", text)]

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

    def _rows(self, name: str) -> Sequence[int]:
        rows = self._head.numbers.get(name)
        if rows is None and name not in KNOWN_HEADERS:  # those are keys as they stand
            rows = self._head.numbers.get(header_key(name))
        return rows or ()

    def lacks(self, names: Iterable[str]) -> list[str]:
        """Those of these headers, each by its long form, that are not there."""
        there = self._head.numbers
        return [name for name in names if name not in there]

    def __contains__(self, name: object) -> bool:
        return name in self._head.numbers or (isinstance(name, str) and bool(self._rows(name)))

    def field(self, name: str) -> HeaderField | None:
        """The first field of that name (any case, compact or long)."""
        number = self._head.first(header_key(name))
        return None if number is None else self._head.field(number)

    def all_fields(self, name: str) -> list[HeaderField]:
        """Every field of that name."""
        return [self._head.field(number) for number in self._rows(name)]

    def get(self, name: str) -> str | None:
        """The value of the first field of that name, or None."""
        numbers = self._rows(name)
        return self._head.text(numbers[0]) if numbers else None

    def get_all(self, name: str) -> list[str]:
        """The value of each field of that name."""
        return [self._head.text(number) for number in self._rows(name)]

    def values(self, name: str) -> list[str]:
        """The elements of a comma list, all rows joined, without empty ones."""
        elements: list[str] = []
        for number in self._rows(name):
            elements += split_list(self._head.text(number))
        return elements

    # -- typed values

    def once(self, key: str, make: Callable[[], _T]) -> _T:
        """What is made of the message, which does not change: made when first asked for, and kept by key.

        Keys of two words are for whoever reads messages; others are taken.
        """
        if key not in self._typed:
            self._typed[key] = make()
        value: _T = self._typed[key]
        return value

    def _located(self, number: int, index: int, text: str, parse: Parse[_T]) -> _T:
        """parse(text), which stands at a character of the value of a row; an error tells the place."""
        try:
            return parse(text, 0)
        except SipSyntaxError as error:
            within = max(error.offset, 0)
            character = len(text.encode("utf-8", "surrogatepass")[:within].decode("utf-8", "ignore"))
            place = self._head.field(number).octet(index + character)
            parse(text, place - within)  # fails again, now with the place in the message
            raise

    def _single(self, name: str, reader: Reader[_T], clause: str) -> _T:
        value = self._optional(name, reader)
        if value is None:
            raise SipSyntaxError(name, "", self.body_offset, clause, "absent")
        return value

    def _optional(self, name: str, reader: Reader[_T]) -> _T | None:
        typed = self._typed
        value: _T
        if name in typed:
            value = typed[name]
            return value
        head = self._head
        numbers = head.numbers.get(name)
        if not numbers:
            return None
        number = numbers[0]
        if head.body_offset > _LONGEST_HEAD:
            reader = Reader(reader.parse)
        try:
            value = typed[name] = reader.one(head.rows[number])
        except SipSyntaxError:
            value = self._located(number, 0, head.text(number), reader.parse)
        return value

    def _list(self, name: str, reader: Reader[_T], may_be_empty: bool = False) -> list[_T]:
        typed, key = self._typed, f"{name}*"
        values: list[_T] | None = typed.get(key)
        if values is None:
            head = self._head
            numbers = head.numbers.get(name, ())
            if may_be_empty:
                numbers = tuple(number for number in numbers if head.text(number))
            if head.body_offset > _LONGEST_HEAD:
                reader = Reader(reader.parse)
            try:
                values = []
                for number in numbers:
                    values += reader.every(head.rows[number])
            except SipSyntaxError:
                values = [
                    self._located(number, index, text, reader.parse)
                    for number in numbers
                    for index, text in list_elements(head.text(number))
                ]
            typed[key] = values
        return values

    def _required_list(self, name: str, reader: Reader[_T], clause: str) -> list[_T]:
        values = self._list(name, reader)
        if not values:
            raise SipSyntaxError(name, "", self.body_offset, clause, "absent")
        return values

    def typed(self, kind: type[_H]) -> _H | None:
        """The header whose type `kind` is (see header_value.py); None when absent. Raises SipSyntaxError."""
        return self._optional(header_key(kind.header), Reader(kind.parse))

    def typed_list(self, kind: type[_H]) -> list[_H]:
        """Every element of the comma list whose type `kind` is, all rows joined. Raises SipSyntaxError."""
        return self._list(header_key(kind.header), Reader(kind.parse), may_be_empty=True)

    def tokens(self, name: str) -> list[str]:
        """The elements of a list of tokens (Supported, Allow, Content-Encoding). Raises SipSyntaxError."""
        return self._list(header_key(name), Reader(partial(parse_token, name)), may_be_empty=True)

    @property
    def vias(self) -> list[Via]:
        """Every Via value as it was sent, the topmost first."""
        return self._required_list("Via", _VIAS, "RFC 3261 8.1.1.7")

    @property
    def via(self) -> Via:
        """The topmost Via value; those below may be malformed."""
        via: Via | None = self._typed.get("via")
        if via is None:
            number = self._head.first("Via")
            if number is None:
                raise SipSyntaxError("Via", "", self.body_offset, "RFC 3261 8.1.1.7", "absent")
            text = self._head.text(number)
            index, first = list_elements(text)[0] if "," in text else (0, text)
            via = self._typed["via"] = self._located(number, index, first, Via.parse)
        return via

    @property
    def from_(self) -> NameAddr:
        """From (RFC 3261 20.20)."""
        return self._typed.get("From") or self._single("From", _FROM, "RFC 3261 8.1.1.3")

    @property
    def to(self) -> NameAddr:
        """To (RFC 3261 20.39)."""
        return self._typed.get("To") or self._single("To", _ADDRESSES, "RFC 3261 8.1.1.2")

    @property
    def cseq(self) -> CSeq:
        """CSeq (RFC 3261 20.16)."""
        return self._typed.get("CSeq") or self._single("CSeq", _CSEQ, "RFC 3261 8.1.1.5")

    @property
    def call_id(self) -> str:
        """Call-ID (RFC 3261 20.8)."""
        return self._typed.get("Call-ID") or self._single("Call-ID", _CALL_ID, "RFC 3261 8.1.1.4")

    @property
    def contacts(self) -> list[NameAddr]:
        """Contact values; empty when absent or `*` (see contact_star)."""
        return [] if self.contact_star else self._list("Contact", _ADDRESSES)

    @property
    def contact_star(self) -> bool:
        """True for `Contact: *` (RFC 3261 10.2.2)."""
        rows = self._head.numbers.get("Contact", ())
        return len(rows) == 1 and b"*" in self._head.rows[rows[0]] and self._head.text(rows[0]) == "*"

    @property
    def routes(self) -> list[NameAddr]:
        """Route values in order."""
        return self._list("Route", _ADDRESSES)

    @property
    def record_routes(self) -> list[NameAddr]:
        """Record-Route values in order."""
        return self._list("Record-Route", _ADDRESSES)

    @property
    def paths(self) -> list[NameAddr]:
        """Path values in order (RFC 3327)."""
        return self._list("Path", _ADDRESSES)

    @property
    def service_routes(self) -> list[NameAddr]:
        """Service-Route values in order (RFC 3608)."""
        return self._list("Service-Route", _ADDRESSES)

    @property
    def asserted_identities(self) -> list[NameAddr]:
        """P-Asserted-Identity values (RFC 3325)."""
        return self._list("P-Asserted-Identity", _ADDRESSES)

    @property
    def preferred_identities(self) -> list[NameAddr]:
        """P-Preferred-Identity values (RFC 3325)."""
        return self._list("P-Preferred-Identity", _ADDRESSES)

    @property
    def accept_contacts(self) -> list[AcceptContact]:
        """Accept-Contact values (RFC 3841)."""
        return self._list(AcceptContact.header, _ACCEPT_CONTACTS)

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards, 0 to 255 (RFC 3261 20.22); None when absent."""
        return self._optional("Max-Forwards", _MAX_FORWARDS)

    @property
    def content_length(self) -> int | None:
        """Content-Length in octets as declared; None when absent."""
        return self._optional("Content-Length", _CONTENT_LENGTH)

    @property
    def expires(self) -> int | None:
        """Expires in seconds; None when absent."""
        return self._optional("Expires", _EXPIRES)

    @property
    def content_type(self) -> MediaType | None:
        """Content-Type; None when absent."""
        return self._optional("Content-Type", _CONTENT_TYPE)

    @property
    def date(self) -> datetime | None:
        """Date; None when absent."""
        return self._optional("Date", _DATE)

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
            rows = (number for name in names for number in self._rows(name))
            return [self._located(number, 0, self._head.text(number), parse) for number in rows]

        return self.once(names[0], make)

    # -- what is wrong

    def check(self) -> tuple[Fault, ...]:
        """faults, and those of every typed value: missing and malformed headers, in order of their octets."""
        return self.once("check", self._check)

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
        return self._replaced(name, [checked_line(name, value) for value in values])

    def without(self, name: str) -> Self:
        """A copy without the fields of that name."""
        return self._replaced(name, [])

    def with_prepended(self, name: str, value: str) -> Self:
        """A copy with this field before all others (Via, Record-Route of a hop). Raises UsageError."""
        line, head = checked_line(name, value), self._head.tidied()
        return self._copy(head.with_rows([line, *head.rows], [header_key(name), *head.keys]), self.body)

    def with_top_via(self, via: Via) -> Self:
        """A copy whose topmost Via value is this one; the others stay as they were."""
        head = self._head.tidied()
        top = head.first("Via")
        if top is None:
            return self.with_prepended("Via", str(via))
        rows = list(head.rows)
        rows[top] = _with_first(rows[top], via)
        return self._copy(head.with_rows(rows, head.keys), self.body)

    def with_body(self, body: bytes, content_type: str | None = None) -> Self:
        """A copy with another body; Content-Length follows, Content-Type where one is given."""
        copy = self if content_type is None else self.with_header("Content-Type", content_type)
        copy = copy.with_header("Content-Length", str(len(body)))
        return copy._copy(copy._head, body)

    def _replaced(self, name: str, lines: list[bytes]) -> Self:
        """These lines where the first field of that name was, or at the end; the others of it are gone."""
        key, head = header_key(name), self._head.tidied()
        first = head.first(key)
        place = len(head.rows) if first is None else first
        rest = [number for number in range(place, len(head.rows)) if head.keys[number] != key]
        rows = [*head.rows[:place], *lines, *(head.rows[number] for number in rest)]
        keys = [*head.keys[:place], *(key for _ in lines), *(head.keys[number] for number in rest)]
        return self._copy(head.with_rows(rows, keys), self.body)

    def _copy(self, head: Head, rest: bytes) -> Self:
        return cast(Self, _message(head, None, rest))


class Request(SipMessage):
    """A request. method and uri (the Request-URI) are as written."""

    __slots__ = ("_stamped", "method", "uri")

    is_request = True

    def __init__(self, line: RequestLine, head: Head, raw: bytes | None, rest: bytes | None = None) -> None:
        super().__init__(head, raw, rest)
        self.method, self.uri = line
        self._stamped: Via | None = None

    def stamp(self, via: Via) -> None:
        """Say what its receiver makes of the topmost Via value (18.2.1), before anybody else sees it.

        `via` is that from now on, and what responses repeat. Rows and octets stay as they were received.
        """
        self._typed["via"] = self._stamped = via

    @property
    def request_uri(self) -> Uri:
        """The Request-URI taken apart. Raises SipSyntaxError."""
        try:
            return parse_uri(self.uri)
        except SipSyntaxError:
            within = self.start_line.find(self.uri.encode(), len(self.method))
            parse_uri(self.uri, self.raw.find(self.start_line) + max(within, 0))
            raise

    def with_uri(self, uri: str) -> Request:
        """A copy with another Request-URI. Raises UsageError."""
        demand_uri(uri)
        head = self._head.tidied()
        line = f"{self.method} {uri} SIP/2.0".encode("utf-8", "surrogatepass")
        return self._copy(written_head(line, head.rows, head.keys), self.body)

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

    def __init__(self, line: StatusLine, head: Head, raw: bytes | None, rest: bytes | None = None) -> None:
        super().__init__(head, raw, rest)
        self.status, self.reason = line


_CHECKED = (
    "vias", "from_", "to", "call_id", "cseq", "max_forwards", "content_length", "content_type", "expires",
    "date", "contacts", "routes", "record_routes", "paths", "service_routes", "asserted_identities",
    "preferred_identities", "accept_contacts", "challenges", "credentials",
)  # fmt: skip


def _message(head: Head, raw: bytes | None, rest: bytes | None = None) -> Request | Response:
    if isinstance(head.line, RequestLine):
        return Request(head.line, head, raw, rest)
    return Response(head.line, head, raw, rest)


# -- reading


def parse_message(data: bytes) -> Request | Response:
    """One message that fills data (a datagram, or what framing.py cut out of a stream).

    Raises SipSyntaxError only when there is no usable start line; everything else becomes a fault.
    """
    return _message(read_head(data), data)


def message_of(head: Head, data: bytes) -> Request | Response:
    """The message whose head was read before, once data is all of it (the octets of the head first)."""
    return _message(head, data)


def parse_head(data: bytes) -> Request | Response:
    """The start line and the complete header fields of data that breaks off. Raises SipSyntaxError."""
    cut = max(data.rfind(b"\n") + 1, 0)
    return parse_message(data[:cut] + b"\r\n")


# -- writing

COPIED = ("Via", "From", "To", "Call-ID", "CSeq")  # what every response repeats (RFC 3261 8.2.6.2)


def build_request(
    method: str, uri: str, headers: Iterable[tuple[str, str]], body: bytes = b"", *, strict: bool = True
) -> Request:
    """A request with these headers in this order; Content-Length is added at the end when absent.

    Raises UsageError for anything that would not be SIP; strict=False writes what it is told, and what a
    receiver would find wrong is in faults.
    """
    start_line = f"{method} {uri} SIP/2.0"
    if not strict:
        raw = _as_told(start_line, lines_as_told(headers, body), body)
        told = _as_read(raw)
        if isinstance(told, Request):
            return told
        line = RequestLine(method, uri)
        return Request(line, _unread_head(line, told, len(raw) - len(body)), raw, body)
    demand(is_token(method), "method", method)
    demand_uri(uri)
    lines, keys = checked_lines(headers, body)
    message = cast(Request, _message(written_head(start_line.encode(), lines, keys), None, body))
    if message.faults:
        raise UsageError(f"cannot write {method}: {message.faults[0].what} {message.faults[0].text}")
    return message


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
    start_line = f"SIP/2.0 {status} {phrase}"
    lines = _copied(request, None if status == 100 else to_tag)
    if not strict:
        raw = _as_told(start_line, lines + lines_as_told(headers, body), body)
        told = _as_read(raw)
        if isinstance(told, Response):
            return told
        line = StatusLine(status, phrase)
        return Response(line, _unread_head(line, told, len(raw) - len(body)), raw, body)
    demand(100 <= status <= 699, "status", str(status))
    demand(is_clean(phrase), "reason phrase", phrase)
    demand(to_tag is None or is_token(to_tag), "To tag", to_tag or "")
    own_lines, _ = checked_lines(headers, body)
    raw = _as_told(start_line, lines + own_lines, body)
    return Response(StatusLine(status, phrase), UnreadHead(raw), raw, body)


def _copied(request: Request, tag: str | None) -> list[bytes]:
    """The rows every response repeats."""
    head = request._head.tidied()
    rows, numbers = head.rows, head.numbers
    copied = [
        _tagged(rows[number], tag) if name == "To" else rows[number]
        for name in COPIED
        for number in numbers.get(name, ())
    ]
    if request._stamped is not None:
        copied[0] = _with_first(copied[0], request._stamped)
    return copied


def _with_first(row: bytes, via: Via) -> bytes:
    """A row of Via with another value in place of its first."""
    others = [text for _, text in list_elements(value_of(row))[1:]] if b"," in row else []
    return line_of(name_of(row), ", ".join([str(via), *others]))


def _tagged(line: bytes, tag: str | None) -> bytes:
    """The line of To, with the tag where it has none."""
    if tag is None:
        return line
    try:
        read = _ADDRESSES if len(line) <= _LONGEST_HEAD else _FROM
        has_tag = read.one(line).tag is not None
    except SipSyntaxError:
        has_tag = re.search(r";[ \t]*tag[ \t]*=", value_of(line), re.I) is not None
    return line if has_tag else line.rstrip(b" \t\r\n") + f";tag={tag}\r\n".encode()


def _as_told(start_line: str, lines: list[bytes], body: bytes) -> bytes:
    return b"".join([start_line.encode("utf-8", "surrogatepass"), b"\r\n", *lines, b"\r\n", body])


def _as_read(raw: bytes) -> Request | Response | Fault:
    """What a receiver reads, or why it reads nothing."""
    try:
        return parse_message(raw)
    except SipSyntaxError as error:
        return fault_of(error)


def _unread_head(line: StartLine, told: SipMessage | Fault, body_offset: int) -> Head:
    """The head of a message no receiver can read as what it was meant to be."""
    text = "request line and status line taken for each other"
    fault = told if isinstance(told, Fault) else Fault("start line", 0, "RFC 3261 7", text)
    return Head(line, b"", 0, (), (), body_offset, proper=True, before=(fault,))
