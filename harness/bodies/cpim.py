"""Message/CPIM (RFC 3862): a tolerant reader that keeps raw octets and faults, and a strict writer.

The layout printed in RFC 5438 (MIME headers among the CPIM headers, one empty line) is read too and marked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from harness.bodies.fault import Fault
from harness.bodies.mime import (
    Line,
    MimeField,
    encode_text,
    looks_like_field,
    mime_value,
    parse_mime_fields,
    read_line,
    write_mime_fields,
)
from harness.bodies.mime_content import MimeContent
from harness.bodies.timestamp import parse_timestamp
from harness.errors import BodySyntaxError

CORE_NAMESPACE = "urn:ietf:params:cpim-headers:"
IMDN_NAMESPACE = "urn:ietf:params:imdn"

Layout = Literal["rfc3862", "rfc5438"]


class CpimFault(StrEnum):
    """What can be wrong with a CPIM object that is still readable (values of Fault.what)."""

    LINE_END = "line end"
    NO_EMPTY_LINE = "empty line"
    LEADING_EMPTY_LINE = "empty line before the headers"
    NO_CONTENT_TYPE = "Content-Type"
    HEADER_LINE = "header line"
    HEADER_NAME = "header name"
    COLON_SPACE = "colon and space"
    FOLDING = "folding"
    UTF8 = "UTF-8"
    CONTROL = "control character"
    ESCAPE = "escape"
    PARAMETER = "parameter"
    MIME_HEADER = "MIME header"
    STRAY_MIME_HEADER = "MIME header among the CPIM headers"


_CLAUSES: Mapping[CpimFault, str] = {
    CpimFault.LINE_END: "RFC 3862 2.2",
    CpimFault.NO_EMPTY_LINE: "RFC 3862 2",
    CpimFault.LEADING_EMPTY_LINE: "RFC 3862 2",
    CpimFault.NO_CONTENT_TYPE: "RFC 3862 2.4",
    CpimFault.HEADER_LINE: "RFC 3862 3.6",
    CpimFault.HEADER_NAME: "RFC 3862 3.1",
    CpimFault.COLON_SPACE: "RFC 3862 2.2, 3.6",
    CpimFault.FOLDING: "RFC 3862 2.2",
    CpimFault.UTF8: "RFC 3862 2.2",
    CpimFault.CONTROL: "RFC 3862 2.2, 2.3",
    CpimFault.ESCAPE: "RFC 3862 2.3.1, 3.6",
    CpimFault.PARAMETER: "RFC 3862 3.6",
    CpimFault.MIME_HEADER: "RFC 2045 3",
    CpimFault.STRAY_MIME_HEADER: "RFC 3862 2",
}

_NAME = r"[!#-'*+\-0-9A-Z^_`a-z|~]+"
_HEADER_NAME = re.compile(rf"(?:{_NAME}\.)?{_NAME}")
# Lines in which nothing is wrong and nothing needs a closer look: no parameters, quotes, escapes or UTF-8.
_PLAIN_HEADER = rf"((?:{_NAME}\.)?{_NAME}): ([!#-\[\]-~](?:[ !#-\[\]-~]*[!#-\[\]-~])?)\r\n".encode()
_PLAIN_FIELD = rb"([!-9;-~]+): ([!-~](?:[ -~]*[!-~])?)\r\n"
_PLAIN_HEADERS, _PLAIN_FIELDS = (re.compile(b"(?:%b)++" % line) for line in (_PLAIN_HEADER, _PLAIN_FIELD))
_STRAY = re.compile(rb"^content-", re.MULTILINE | re.IGNORECASE)
_CONTENT_TYPE = re.compile(rb"^content-type:", re.MULTILINE | re.IGNORECASE)
_PARAMETER = re.compile(rf';({_NAME})=("(?:[^"\\]|\\.)*"|[^\s;"]*)')
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.)|\Z)", re.DOTALL)
_SPECIAL = {"\\": "\\", '"': '"', "'": "'", "b": "\b", "t": "\t", "n": "\n", "r": "\r"}
_ESCAPED = {"\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NEEDS_ESCAPE = re.compile(r"[\\\x00-\x1f\x7f]")
_NAMESPACE = re.compile(r"\s*+([^<\s]*+)\s*+<([^>]*+)>\s*+")
_WORD = r"[^\s()<>@,;:\\\"/\[\]?={}]+"
_ADDRESS = re.compile(rf'(?:(?P<quoted>".*")\s*|(?P<words>{_WORD}(?:\s+{_WORD})*)\s*)?<(?P<uri>[^<>\s]*)>')
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s<>]+")


class CpimHeader(NamedTuple):
    """One CPIM header.

    value: what stands after the space, as sent (escapes not undone). parameters: those between colon and
    space, in order. raw: the whole line (and lines wrongly folded into it) with line ends.
    """

    name: str
    value: str
    parameters: tuple[tuple[str, str], ...]
    offset: int
    raw: bytes

    @property
    def text(self) -> str:
        """The value with its escapes undone (RFC 3862 2.3)."""
        return unescape(self.value)


class CpimAddress(NamedTuple):
    """URI and display name of From, To and cc. well_formed: `[name] <absolute URI>` (RFC 3862 4.1)."""

    uri: str
    display: str | None
    well_formed: bool


@dataclass(frozen=True)
class CpimMessage(MimeContent):
    """A CPIM object with every octet accounted for. Offsets count from its first octet."""

    raw: bytes
    headers: tuple[CpimHeader, ...]
    mime: tuple[MimeField, ...]
    content: bytes
    content_offset: int
    faults: tuple[Fault, ...] = ()
    layout: Layout = "rfc3862"

    @classmethod
    def plain(
        cls, raw: bytes, block: bytes, mime: tuple[MimeField, ...], content: bytes, content_offset: int
    ) -> CpimMessage:
        """A faultless object; its headers are read from their block of plain lines when asked for."""
        message = object.__new__(cls)
        message.__dict__.update(
            raw=raw, _block=block, mime=mime, content=content, content_offset=content_offset
        )
        return message

    if not TYPE_CHECKING:  # a type checker would take any attribute for one that is there

        def __getattr__(self, name: str) -> tuple[CpimHeader, ...]:
            if name == "headers" and "_block" in self.__dict__:
                headers = tuple(
                    CpimHeader(name, value, (), place, raw)
                    for name, value, place, raw in _plain_lines(_PLAIN_HEADER, self._block)
                )
                self.__dict__["headers"] = headers
                return headers
            raise AttributeError(f"a CPIM object has no {name}")

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], list[CpimHeader]]:
        """The headers of each namespace and local name."""
        found: dict[tuple[str, str], list[CpimHeader]] = {}
        for header, resolved in zip(self.headers, self._resolved, strict=True):
            found.setdefault(resolved, []).append(header)
        return found

    @cached_property
    def _resolved(self) -> tuple[tuple[str, str], ...]:
        """The namespace and local name of each header."""
        resolve = _resolve_again if self.content_offset <= _LONGEST_KEPT else _resolve
        return resolve(tuple([(each.name, each.value if each.name == "NS" else "") for each in self.headers]))

    def get(self, name: str) -> str | None:
        """The value of the first header written exactly so."""
        return next((header.value for header in self.headers if header.name == name), None)

    def get_all(self, name: str) -> list[str]:
        """The values of all headers written exactly so."""
        return [header.value for header in self.headers if header.name == name]

    @property
    def namespaces(self) -> dict[str, str]:
        """prefix -> URN as declared by NS; the empty prefix where a default namespace is declared."""
        named = ((header.name, header.value) for header in self.headers)
        return {prefix: urn for _, prefix, urn in _declarations(named)}

    def fields(self, urn: str, name: str) -> list[CpimHeader]:
        """The headers of a name in a namespace, whatever the prefix (RFC 3862 3.4)."""
        return list(self._by_name.get((urn, name), ()))

    def imdn(self, name: str) -> str | None:
        """The value of the first header of that name in urn:ietf:params:imdn, whatever the prefix.

        A prefix `imdn` that was never declared is understood too; that it was not is a fault of the sender.
        """
        values = self.imdn_all(name)
        return values[0] if values else None

    def imdn_all(self, name: str) -> list[str]:
        """All values of a header of urn:ietf:params:imdn, in order."""
        return [header.value for header in self.fields(IMDN_NAMESPACE, name)]

    @property
    def from_(self) -> CpimAddress | None:
        """The first From, None when there is none."""
        return next(iter(self.addresses("From")), None)

    @property
    def to(self) -> CpimAddress | None:
        """The first To, None when there is none."""
        return next(iter(self.addresses("To")), None)

    def addresses(self, name: str) -> list[CpimAddress]:
        """All values of From, To or cc as addresses."""
        return [parse_cpim_address(header.value) for header in self.fields(CORE_NAMESPACE, name)]

    @property
    def datetime(self) -> datetime | None:
        """DateTime as an aware datetime, None when absent or no RFC 3339 date-time."""
        fields = self.fields(CORE_NAMESPACE, "DateTime")
        try:
            return parse_timestamp(fields[0].value).moment if fields else None
        except BodySyntaxError:
            return None

    @property
    def asks_for_imdn(self) -> bool:
        """Whether a Disposition-Notification with a value is present (RFC 5438 7.1.1.3)."""
        return any(value.strip() for value in self.imdn_all("Disposition-Notification"))


def parse_cpim(data: bytes) -> CpimMessage:
    """Read a CPIM object. Raises BodySyntaxError when its first line is no header at all."""
    return _read_plain(data) or _read_closely(data)


def _read_plain(data: bytes) -> CpimMessage | None:
    """An object of plain lines only, as most are; None for every other."""
    mime_offset = data.find(b"\r\n\r\n") + 4
    offset = data.find(b"\r\n\r\n", mime_offset) + 4
    block, mime_block = data[: mime_offset - 2], data[mime_offset : offset - 2]
    if _STRAY.search(block) is not None or _CONTENT_TYPE.search(mime_block) is None:
        return None
    if _PLAIN_HEADERS.fullmatch(block) is None:
        return None
    read = _plain_fields_again if len(mime_block) <= _LONGEST_FIELDS else _plain_fields
    mime = read(mime_block, mime_offset)
    return CpimMessage.plain(data, block, mime, data[offset:], offset) if mime else None


def _plain_fields(block: bytes, offset: int) -> tuple[MimeField, ...]:
    """The MIME headers of plain lines; none at all when one of them is not plain."""
    if _PLAIN_FIELDS.fullmatch(block) is None:
        return ()
    lines = _plain_lines(_PLAIN_FIELD, block)
    return tuple([MimeField(name, value, offset + place, raw) for name, value, place, raw in lines])


# A sender describes its texts alike in message after message.
_plain_fields_again = lru_cache(maxsize=256)(_plain_fields)
_LONGEST_FIELDS = 512  # octets


def _plain_lines(line: bytes, block: bytes) -> Iterator[tuple[str, str, int, bytes]]:
    """Name, value, place and octets of each line of a block of plain ones."""
    place = 0
    for name, value in re.findall(line, block):
        raw = b"%b: %b\r\n" % (name, value)
        yield name.decode(), value.decode(), place, raw
        place += len(raw)


def _read_closely(data: bytes) -> CpimMessage:
    faults: list[Fault] = []
    start = _skip_leading_empty(data, faults)
    first = read_line(data, start)
    if b":" not in first.text:
        raise BodySyntaxError("CPIM header", first.text[:80], start, "RFC 3862 3.6")
    block, offset, empty = _block(data, start)
    ends = [empty]
    stray = [index for index, line in enumerate(block) if line.text[:8].lower() == b"content-"]
    if stray and not _has_second_block(data, offset, block):
        headers_lines, mime_lines = _part(block, stray[0])
        layout: Layout = "rfc5438"
    else:
        headers_lines, layout = block, "rfc3862"
        faults += [_fault(CpimFault.STRAY_MIME_HEADER, block[i].offset, block[i].text) for i in stray]
        mime_lines, offset, empty = _mime_block(data, offset) if empty else ([], offset, None)
        ends.append(empty)
    if empty is None:
        faults.append(_fault(CpimFault.NO_EMPTY_LINE, offset, b""))
    faults += _line_faults([*headers_lines, *mime_lines, *(line for line in ends if line is not None)])
    headers = tuple(_headers(headers_lines, faults))
    mime, mime_faults = parse_mime_fields(mime_lines)
    faults += [Fault(CpimFault.MIME_HEADER, item.offset, item.clause, item.text) for item in mime_faults]
    if mime_value(mime, "Content-Type") is None:
        faults.append(_fault(CpimFault.NO_CONTENT_TYPE, offset, b""))
    faults.sort(key=lambda item: item.offset)
    return CpimMessage(data, headers, tuple(mime), data[offset:], offset, tuple(faults), layout)


def build_cpim(
    headers: Iterable[tuple[str, str]],
    mime: Iterable[tuple[str, str]],
    content: bytes,
    *,
    layout: Layout = "rfc3862",
    strict: bool = True,
) -> bytes:
    """Write a CPIM object. Values are written as given: escape() text that may hold control characters.

    A parameter goes with the name: ("Subject;lang=fr", "beau temps"). Nothing is added; Content-Length is the
    caller's. strict refuses what RFC 3862 refuses (names, control characters, outer spaces, broken escapes,
    no Content-Type) with BodySyntaxError; strict=False writes what it is told, for messages wrong on
    purpose.
    """
    mime = list(mime)
    if strict and not any(name.lower() == "content-type" for name, _ in mime):
        raise BodySyntaxError("Content-Type", "", 0, _CLAUSES[CpimFault.NO_CONTENT_TYPE])
    block = b"".join(_written(name, value, strict=strict) for name, value in headers)
    if strict and not block:
        raise BodySyntaxError("CPIM headers", "", 0, _CLAUSES[CpimFault.HEADER_LINE])
    between = b"\r\n" if layout == "rfc3862" else b""
    return block + between + write_mime_fields(mime, strict=strict) + b"\r\n" + content


def parse_cpim_address(value: str) -> CpimAddress:
    """Read `[display] <uri>`. A URI without brackets is taken as it is and marked as not well formed."""
    match = _ADDRESS.fullmatch(value)
    if match is None:
        inner = re.search(r"<([^<>]*)>", value)
        return CpimAddress(inner[1].strip() if inner else value.strip(), None, False)
    quoted, words, uri = match["quoted"], match["words"], match["uri"]
    display = unescape(quoted[1:-1]) if quoted else words
    return CpimAddress(uri, display, _ABSOLUTE_URI.fullmatch(uri) is not None)


def format_cpim_address(uri: str, display: str | None = None) -> str:
    """Write `<uri>` or `"display" <uri>`, the display name escaped."""
    return f"<{uri}>" if display is None else f"{quote(display)} <{uri}>"


def escape(text: str) -> str:
    """Escape backslash and control characters as RFC 3862 2.3.1 wants them in a header value."""
    return _NEEDS_ESCAPE.sub(lambda match: _ESCAPED.get(match[0], f"\\u{ord(match[0]):04x}"), text)


def quote(text: str) -> str:
    """A String of RFC 3862 3.6: quoted, with double quotes escaped too."""
    return '"' + escape(text).replace('"', '\\"') + '"'


def unescape(value: str) -> str:
    """Undo escapes; an unknown one stands for the character it escapes, a last backslash for nothing."""

    def undone(match: re.Match[str]) -> str:
        code, character = match[1], match[2]
        if code:
            return chr(int(code, 16))
        return _SPECIAL.get(character, character) if character else ""

    return _ESCAPE.sub(undone, value)


def _fault(what: CpimFault, offset: int, text: bytes) -> Fault:
    return Fault(what, offset, _CLAUSES[what], text[:80].decode("utf-8", "backslashreplace"))


def _skip_leading_empty(data: bytes, faults: list[Fault]) -> int:
    offset = 0
    while offset < len(data):
        line = read_line(data, offset)
        if line.text:
            break
        faults.append(_fault(CpimFault.LEADING_EMPTY_LINE, offset, b""))
        offset = line.next_offset
    return offset


def _block(data: bytes, offset: int) -> tuple[list[Line], int, Line | None]:
    """Lines up to the empty one, where the rest starts, and the empty line where there is one."""
    lines: list[Line] = []
    while offset < len(data):
        line = read_line(data, offset)
        offset = line.next_offset
        if not line.text:
            return lines, offset, line
        lines.append(line)
    return lines, offset, None


def _has_second_block(data: bytes, offset: int, block: list[Line]) -> bool:
    """Whether MIME headers stand where RFC 3862 puts them although one strayed among the CPIM headers."""
    if any(re.match(rb"content-type[ \t]*:", line.text, re.IGNORECASE) for line in block):
        return False
    second, _, empty = _block(data, offset)
    return empty is not None and any(
        re.match(rb"content-type[ \t]*:", line.text, re.IGNORECASE) for line in second
    )


def _part(block: list[Line], first: int) -> tuple[list[Line], list[Line]]:
    """CPIM lines and MIME lines of the one block of the RFC 5438 layout."""
    cpim, mime = block[:first], list[Line]()
    for line in block[first:]:
        folded = line.text[:1] in (b" ", b"\t")
        own = line.text[:8].lower() == b"content-" or line.text[:5].lower() == b"mime-"
        (mime if own or folded else cpim).append(line)
    return cpim, mime


def _mime_block(data: bytes, offset: int) -> tuple[list[Line], int, Line | None]:
    """The MIME headers after the first empty line; none when what stands there is no header."""
    lines, after, empty = _block(data, offset)
    if lines and not looks_like_field(lines[0].text):
        return [], offset, None
    return lines, after, empty


def _line_faults(lines: Iterable[Line]) -> Iterator[Fault]:
    for line in lines:
        if line.end == b"\n":
            yield _fault(CpimFault.LINE_END, line.offset, line.text)


def _headers(lines: Iterable[Line], faults: list[Fault]) -> Iterator[CpimHeader]:
    groups: list[list[Line]] = []
    for line in lines:
        if line.text[:1] in (b" ", b"\t"):
            faults.append(_fault(CpimFault.FOLDING, line.offset, line.text))
            if groups:
                groups[-1].append(line)
                continue
        groups.append([line])
    for group in groups:
        header = _header(group, faults)
        if header is not None:
            yield header


def _header(group: list[Line], faults: list[Fault]) -> CpimHeader | None:
    offset = group[0].offset
    octets = b" ".join([group[0].text, *(line.text.strip(b" \t") for line in group[1:])])
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        faults.append(_fault(CpimFault.UTF8, offset, octets))
        text = octets.decode("utf-8", "replace")
    name, colon, rest = text.partition(":")
    if not colon:
        faults.append(_fault(CpimFault.HEADER_LINE, offset, octets))
        return None
    if not _HEADER_NAME.fullmatch(name.strip(" \t")):
        faults.append(_fault(CpimFault.HEADER_NAME, offset, octets))
    parameters, rest = _parameters(rest)
    if rest.startswith(";"):
        faults.append(_fault(CpimFault.PARAMETER, offset, octets))
    value = rest.strip(" \t")
    if name != name.strip(" \t") or rest not in (f" {value}", "" if not value else f" {value}"):
        faults.append(_fault(CpimFault.COLON_SPACE, offset, octets))
    # A tab at either end is told as a space that should not be there, not a second time as a control
    # character.
    if _CONTROL.search(name.strip(" \t") + value):
        faults.append(_fault(CpimFault.CONTROL, offset, octets))
    if any(_bad_escapes(value)) or _bare_quote(value):
        faults.append(_fault(CpimFault.ESCAPE, offset, octets))
    raw = b"".join(line.text + line.end for line in group)
    return CpimHeader(name.strip(" \t"), value, parameters, offset, raw)


def _parameters(rest: str) -> tuple[tuple[tuple[str, str], ...], str]:
    found, position = [], 0
    while (match := _PARAMETER.match(rest, position)) is not None:
        quoted = match[2][:1] == '"'
        found.append((match[1], unescape(match[2][1:-1]) if quoted else match[2]))
        position = match.end()
    return tuple(found), rest[position:]


def _bad_escapes(value: str) -> Iterator[str]:
    """Escapes that RFC 3862 does not define, and \\u used for what has another spelling."""
    for match in _ESCAPE.finditer(value):
        code, character = match[1], match[2]
        if code is not None:
            written = chr(int(code, 16))
            if not _CONTROL.match(written) or written in _ESCAPED:
                yield match[0]
        elif character is None or character not in _SPECIAL:
            yield match[0]


def _bare_quote(value: str) -> bool:
    """Whether the quoted display name before a URI holds a double quote that is not escaped."""
    match = re.fullmatch(r'"(.*)"\s*<[^<>]*>', value)
    return match is not None and '"' in re.sub(r"\\.", "", match[1])


def _declarations(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[int, str, str]]:
    for index, (name, value) in enumerate(headers):
        if name == "NS" and (match := _NAMESPACE.fullmatch(value)) is not None:
            yield index, match[1], match[2]


def _resolve(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The namespace and local name of each header, of which only the values of NS are needed."""
    return tuple(_resolved_names(headers))


# A sender declares and uses the same names in message after message.
_resolve_again = lru_cache(maxsize=256)(_resolve)
_LONGEST_KEPT = 2048  # octets


def _resolved_names(headers: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    """A declaration that comes too late still counts."""
    declared = {index: (prefix, urn) for index, prefix, urn in _declarations(headers)}
    known: dict[str, str] = {}  # those before the header at hand
    first: dict[str, str] = {}
    for prefix, urn in declared.values():
        first.setdefault(prefix, urn)
    for index, (written, _) in enumerate(headers):
        prefix, dot, name = written.rpartition(".")
        if not dot:
            yield (CORE_NAMESPACE if written == "NS" else known.get("", CORE_NAMESPACE)), name
        elif prefix in first:
            yield known.get(prefix, first[prefix]), name
        else:
            yield (IMDN_NAMESPACE if prefix == "imdn" else ""), name if prefix == "imdn" else written
        if index in declared:
            known.update((declared[index],))


def _written(name: str, value: str, *, strict: bool) -> bytes:
    bare, semicolon, parameters = name.partition(";")
    if strict:
        _refuse(bare, semicolon + parameters, value)
    return encode_text(f"{bare}:{semicolon}{parameters} {value}", strict=strict) + b"\r\n"


def _refuse(name: str, parameters: str, value: str) -> None:
    if not _HEADER_NAME.fullmatch(name) or name.lower().startswith("content-"):
        raise BodySyntaxError("header name", name, 0, _CLAUSES[CpimFault.HEADER_NAME])
    if _parameters(parameters)[1]:
        raise BodySyntaxError(f"{name} parameters", parameters, 0, _CLAUSES[CpimFault.PARAMETER])
    if _CONTROL.search(parameters + value):
        raise BodySyntaxError(f"{name} value", value, 0, _CLAUSES[CpimFault.CONTROL], "escape it")
    if value != value.strip(" "):
        raise BodySyntaxError(f"{name} value", value, 0, _CLAUSES[CpimFault.COLON_SPACE])
    if any(_bad_escapes(value)):
        raise BodySyntaxError(f"{name} value", value, 0, _CLAUSES[CpimFault.ESCAPE])
