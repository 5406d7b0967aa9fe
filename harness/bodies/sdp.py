"""SDP (RFC 8866, RFC 4566): a tolerant reader that keeps lines, offsets and faults, and a strict writer.

What attribute values mean is left to sdp_attributes.py and file_attributes.py, what an offer and its answer
owe each other to offer_answer.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from harness.bodies.fault import Fault
from harness.bodies.mime import TOKEN, encode_text
from harness.bodies.sdp_attributes import Direction
from harness.bodies.session_description import (
    Attribute,
    Connection,
    MediaDescription,
    Origin,
    SdpLine,
    SessionDescription,
    Time,
    literal_address,
)
from harness.errors import BodySyntaxError


class SdpFault(StrEnum):
    """What can be wrong with a session description that is still readable (values of Fault.what)."""

    LINE = "line"
    LINE_END = "line end"
    EMPTY_LINE = "empty line"
    LETTER = "type letter"
    ORDER = "order of lines"
    TWICE = "line given twice"
    MISSING = "missing line"
    VERSION = "v="
    ORIGIN = "o="
    SESSION_NAME = "s="
    CONNECTION = "c="
    BANDWIDTH = "b="
    TIME = "t="
    MEDIA = "m="
    ATTRIBUTE = "a="
    DIRECTION = "direction attribute"
    UTF8 = "UTF-8"
    CONTROL = "control character"


_CLAUSES: Mapping[SdpFault, str] = {
    SdpFault.LINE: "RFC 8866 5",
    SdpFault.LINE_END: "RFC 8866 5, 9",
    SdpFault.EMPTY_LINE: "RFC 8866 9",
    SdpFault.LETTER: "RFC 8866 5",
    SdpFault.ORDER: "RFC 8866 5, 9",
    SdpFault.TWICE: "RFC 8866 9",
    SdpFault.MISSING: "RFC 8866 5, 5.7, 9",
    SdpFault.VERSION: "RFC 8866 5.1",
    SdpFault.ORIGIN: "RFC 8866 5.2, RFC 3264 5",
    SdpFault.SESSION_NAME: "RFC 8866 5.3",
    SdpFault.CONNECTION: "RFC 8866 5.7",
    SdpFault.BANDWIDTH: "RFC 8866 5.8",
    SdpFault.TIME: "RFC 8866 5.9",
    SdpFault.MEDIA: "RFC 8866 5.14",
    SdpFault.ATTRIBUTE: "RFC 8866 5.13, 9",
    SdpFault.DIRECTION: "RFC 8866 6.7",
    SdpFault.UTF8: "RFC 8866 5",
    SdpFault.CONTROL: "RFC 8866 5, 9",
}

# The order of lines (RFC 8866 5); r= and z= stand among the t=.
_SESSION_RANKS = {letter: rank for rank, letter in enumerate("vosiuepcbtka")} | {"r": 9, "z": 9}
_MEDIA_RANKS = {letter: rank for rank, letter in enumerate("micbka")}
_SESSION_ONCE, _MEDIA_ONCE = frozenset("vosiuck"), frozenset("mik")
_REQUIRED = "vost"
_LETTERS = frozenset(_SESSION_RANKS) | frozenset(_MEDIA_RANKS)

_LINE = re.compile(rb"([^\n]*)(\n|\Z)")
_NUMBER = re.compile(r"[0-9]{1,19}")
_NUMBER_LIMIT = 2**63  # RFC 3264 5: a 64 bit signed integer
_TIME = re.compile(r"([0-9]{1,20}) ([0-9]{1,20})")
_PORT = re.compile(r"([0-9]{1,5})(?:/([1-9][0-9]{0,4}))?")
_PORT_LIMIT = 65535
_PROTOCOL = re.compile(rf"{TOKEN.pattern}(?:/{TOKEN.pattern})*")
_BANDWIDTH = re.compile(rf"{TOKEN.pattern}:[0-9]+")
_NOT_TEXT = re.compile(r"[\x00\r\n]")
_FAMILIES = {"IP4": 4, "IP6": 6}
_DIRECTIONS = frozenset(Direction)

_Value = TypeVar("_Value")


def parse_sdp(data: bytes) -> SessionDescription:
    """Read a session description.

    Raises BodySyntaxError when no line is `letter=value`, or when an m-line has no readable media, port and
    protocol: without it nobody can tell what is offered. All else that is wrong is a fault.
    """
    faults: list[Fault] = []
    lines = tuple(_lines(data, faults))
    if not lines:
        raise BodySyntaxError("session description", data[:80], 0, _CLAUSES[SdpFault.LINE], "no `v=` line")
    starts = [index for index, line in enumerate(lines) if line.letter == "m"]
    session = _session(lines[: starts[0]] if starts else lines, len(data), faults)
    ends = [*starts[1:], len(lines)]
    media = tuple(_media(lines[start:end], faults) for start, end in zip(starts, ends, strict=False))
    if session.connection is None:
        faults += [
            _fault(SdpFault.MISSING, each.offset, "c=")
            for each in media
            if each.port and not each.connections
        ]
    faults.sort(key=lambda item: item.offset)
    return replace(session, media=media, raw=data, lines=lines, faults=tuple(faults))


def write_sdp(description: SessionDescription, *, strict: bool = True) -> bytes:
    """Write a session description; raw, lines and faults of one that was read are not looked at.

    strict refuses with BodySyntaxError what RFC 8866 refuses. strict=False writes what it is told, for
    descriptions wrong on purpose.
    """
    lines = [*_session_lines(description)]
    for media in description.media:
        lines += _media_lines(media)
    if strict:
        _refuse(description, lines)
    return b"".join(encode_text(f"{letter}={value}", strict=strict) + b"\r\n" for letter, value in lines)


def _fault(what: SdpFault, offset: int, text: str | bytes) -> Fault:
    shown = text[:80].decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text[:80]
    return Fault(what, offset, _CLAUSES[what], shown)


# Reading


def _lines(data: bytes, faults: list[Fault]) -> Iterator[SdpLine]:
    """The lines that read as `letter=value`; faults for the others."""
    offset = 0
    while offset < len(data):
        match = _LINE.match(data, offset)
        assert match is not None  # the pattern matches the empty text too
        raw = match[0]
        text = raw.removesuffix(b"\n").removesuffix(b"\r")
        if not raw.endswith(b"\r\n"):
            faults.append(_fault(SdpFault.LINE_END, offset, text))
        if not text:
            faults.append(_fault(SdpFault.EMPTY_LINE, offset, text))
        elif text[1:2] != b"=" or not text[:1].isalpha():
            faults.append(_fault(SdpFault.LINE, offset, text))
        else:
            yield SdpLine(chr(text[0]), _text(text[2:], offset, faults), offset, raw)
        offset = match.end()


def _text(octets: bytes, offset: int, faults: list[Fault]) -> str:
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        faults.append(_fault(SdpFault.UTF8, offset, octets))
        text = octets.decode("utf-8", "backslashreplace")
    if _NOT_TEXT.search(text):
        faults.append(_fault(SdpFault.CONTROL, offset, octets))
    return text


def _check_order(
    lines: Sequence[SdpLine], ranks: Mapping[str, int], once: frozenset[str], faults: list[Fault]
) -> None:
    highest, seen = 0, set[str]()
    for line in lines:
        if line.letter not in _LETTERS:
            faults.append(_fault(SdpFault.LETTER, line.offset, line.letter))
            continue
        rank = ranks.get(line.letter, -1)
        untimed = line.letter in "rz" and "t" not in seen
        if rank < highest or untimed:
            faults.append(_fault(SdpFault.ORDER, line.offset, f"{line.letter}={line.value}"))
        if line.letter in once and line.letter in seen:
            faults.append(_fault(SdpFault.TWICE, line.offset, f"{line.letter}={line.value}"))
        highest = max(highest, rank)
        seen.add(line.letter)


def _session(lines: Sequence[SdpLine], end: int, faults: list[Fault]) -> SessionDescription:
    _check_order(lines, _SESSION_RANKS, _SESSION_ONCE, faults)
    found = _by_letter(lines)
    faults += [_fault(SdpFault.MISSING, end, f"{letter}=") for letter in _REQUIRED if letter not in found]
    for line in found.get("v", ()):
        if line.value != "0":
            faults.append(_fault(SdpFault.VERSION, line.offset, line.value))
    for line in found.get("s", ()):
        if not line.value:
            faults.append(_fault(SdpFault.SESSION_NAME, line.offset, line.value))
    return SessionDescription(
        origin=_first(found, "o", lambda line: _origin(line, faults)),
        connection=_first(found, "c", lambda line: _connection(line, faults)),
        name=_first(found, "s", _value),
        information=_first(found, "i", _value),
        uri=_first(found, "u", _value),
        emails=_values(found, "e"),
        phones=_values(found, "p"),
        bandwidths=_bandwidths(found, faults),
        times=tuple(_times(lines, faults)),
        key=_first(found, "k", _value),
        attributes=tuple(_attributes(found.get("a", ()), faults)),
    )


def _media(lines: Sequence[SdpLine], faults: list[Fault]) -> MediaDescription:
    _check_order(lines, _MEDIA_RANKS, _MEDIA_ONCE, faults)
    found = _by_letter(lines)
    head = lines[0]
    words = head.value.split(" ")
    fields = [word for word in words if word]
    port = _PORT.fullmatch(fields[1]) if len(fields) >= 3 else None
    known = port is not None and TOKEN.fullmatch(fields[0]) and _PROTOCOL.fullmatch(fields[2])
    if port is None or not known or int(port[1]) > _PORT_LIMIT:
        raise BodySyntaxError("m=", head.value, head.offset, _CLAUSES[SdpFault.MEDIA])
    odd = not all(TOKEN.fullmatch(text) for text in fields[3:])
    if len(words) != len(fields) or len(fields) == 3 or odd:
        faults.append(_fault(SdpFault.MEDIA, head.offset, head.value))
    connections = [_connection(line, faults) for line in found.get("c", ())]
    return MediaDescription(
        media=fields[0],
        port=int(port[1]),
        protocol=fields[2],
        formats=tuple(fields[3:]),
        port_count=int(port[2] or 1),
        title=_first(found, "i", _value),
        connections=tuple(each for each in connections if each is not None),
        bandwidths=_bandwidths(found, faults),
        key=_first(found, "k", _value),
        attributes=tuple(_attributes(found.get("a", ()), faults)),
        offset=head.offset,
    )


def _by_letter(lines: Sequence[SdpLine]) -> dict[str, list[SdpLine]]:
    found: dict[str, list[SdpLine]] = {}
    for line in lines:
        found.setdefault(line.letter, []).append(line)
    return found


def _first(
    found: Mapping[str, list[SdpLine]], letter: str, read: Callable[[SdpLine], _Value]
) -> _Value | None:
    lines = found.get(letter)
    return read(lines[0]) if lines else None


def _value(line: SdpLine) -> str:
    return line.value


def _values(found: Mapping[str, list[SdpLine]], letter: str) -> tuple[str, ...]:
    return tuple(line.value for line in found.get(letter, ()))


def _bandwidths(found: Mapping[str, list[SdpLine]], faults: list[Fault]) -> tuple[str, ...]:
    for line in found.get("b", ()):
        if not _BANDWIDTH.fullmatch(line.value):
            faults.append(_fault(SdpFault.BANDWIDTH, line.offset, line.value))
    return _values(found, "b")


def _origin(line: SdpLine, faults: list[Fault]) -> Origin | None:
    fields = line.value.split(" ")
    numbers = [int(text) for text in fields[1:3] if _NUMBER.fullmatch(text)]
    if len(fields) != 6 or len(numbers) != 2 or max(numbers) >= _NUMBER_LIMIT or "" in fields:
        faults.append(_fault(SdpFault.ORIGIN, line.offset, line.value))
        return None
    if not _family_fits(fields[4], fields[5]):
        faults.append(_fault(SdpFault.ORIGIN, line.offset, line.value))
    return Origin(fields[0], numbers[0], numbers[1], fields[3], fields[4], fields[5], line.offset)


def _connection(line: SdpLine, faults: list[Fault]) -> Connection | None:
    fields = line.value.split(" ")
    if len(fields) != 3 or "" in fields:
        faults.append(_fault(SdpFault.CONNECTION, line.offset, line.value))
        return None
    found = Connection(fields[0], fields[1], fields[2], offset=line.offset)
    if not _family_fits(found.address_type, found.host):
        faults.append(_fault(SdpFault.CONNECTION, line.offset, line.value))
    return found


def _family_fits(address_type: str, host: str) -> bool:
    address = literal_address(host)
    return address is None or _FAMILIES.get(address_type, address.version) == address.version


def _times(lines: Sequence[SdpLine], faults: list[Fault]) -> Iterator[Time]:
    starts = [index for index, line in enumerate(lines) if line.letter == "t"]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=False):
        match = _TIME.fullmatch(lines[start].value)
        if match is None:
            faults.append(_fault(SdpFault.TIME, lines[start].offset, lines[start].value))
            continue
        found = _by_letter(lines[start:end])
        yield Time(int(match[1]), int(match[2]), _values(found, "r"), _first(found, "z", _value))


def _attributes(lines: Sequence[SdpLine], faults: list[Fault]) -> Iterator[Attribute]:
    direction = ""
    for line in lines:
        name, colon, value = line.value.partition(":")
        if not TOKEN.fullmatch(name) or (colon and not value):
            faults.append(_fault(SdpFault.ATTRIBUTE, line.offset, line.value))
        if name in _DIRECTIONS:
            if direction:
                faults.append(_fault(SdpFault.DIRECTION, line.offset, line.value))
            direction = name
        yield Attribute(name, value if colon else None, offset=line.offset)


# Writing


def _session_lines(session: SessionDescription) -> Iterator[tuple[str, str]]:
    yield "v", "0"
    yield from _optional("o", session.origin)
    yield from _optional("s", session.name)
    yield from _optional("i", session.information)
    yield from _optional("u", session.uri)
    yield from (("e", text) for text in session.emails)
    yield from (("p", text) for text in session.phones)
    yield from _optional("c", session.connection)
    yield from (("b", text) for text in session.bandwidths)
    for time in session.times:
        yield "t", f"{time.start} {time.stop}"
        yield from (("r", text) for text in time.repeats)
        yield from _optional("z", time.zones)
    yield from _optional("k", session.key)
    yield from (("a", str(each)) for each in session.attributes)


def _media_lines(media: MediaDescription) -> Iterator[tuple[str, str]]:
    port = str(media.port) if media.port_count == 1 else f"{media.port}/{media.port_count}"
    yield "m", " ".join((media.media, port, media.protocol, *media.formats))
    yield from _optional("i", media.title)
    yield from (("c", str(each)) for each in media.connections)
    yield from (("b", text) for text in media.bandwidths)
    yield from _optional("k", media.key)
    yield from (("a", str(each)) for each in media.attributes)


def _optional(letter: str, value: object) -> Iterator[tuple[str, str]]:
    if value is not None:
        yield letter, str(value)


def _refuse(description: SessionDescription, lines: Sequence[tuple[str, str]]) -> None:
    """Raise for what the reader would call a fault, and for values that would read as others."""
    for letter, value in lines:
        if _NOT_TEXT.search(value) or not value:
            raise BodySyntaxError(f"{letter}=", value, 0, _CLAUSES[SdpFault.CONTROL])
    again = parse_sdp(b"".join(encode_text(f"{letter}={value}") + b"\r\n" for letter, value in lines))
    for fault in again.faults:
        raise BodySyntaxError(fault.what, fault.text, fault.offset, fault.clause)
    if again != description:
        raise BodySyntaxError(
            "session description", repr(description), 0, _CLAUSES[SdpFault.LINE], "ambiguous"
        )
