"""The line of a message that a finding is about, and the octets in it: what a reader looks at first."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.verify.items import CpimItem, EventItem, Item, SipEntry
from harness.verify.masking import masked
from harness.verify.msrp_items import ChunkedMessage, MsrpEntry
from harness.verify.negotiation_items import Description
from harness.verify.visible import visible

AROUND = 400
"""Octets of a line that are kept on each side of what is marked."""
BODY_KEPT = 16 * 1024
"""Octets of a body in MSRP that are looked at."""
_WORTH_FINDING = 4
"""Octets from which on a quoted text is looked for in its line: a shorter one may be there by chance."""
_VALUE_WORTH_FINDING = 8
"""The same for a value of which something is told."""
_BEGINNING = 64
_WORD = re.compile(rb"[^\s;,\"<>]+")
_HEADER = re.compile(rb"^([A-Za-z.-]+)[ \t]*:", re.MULTILINE)
_XML_DECLARATION = re.compile(rb"<\?xml[^>]*\?>\r?\n(?=<)")
_LINE_END = re.compile(rb"\r?\n")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A line of a message as text that is safe to show.

    line: number of the line in the message, from 1. text: the line, or what of a long one is round the mark.
    start, end: characters of text to mark; the same when nothing is. before, after: octets of the line that
    were cut off. octet, octets: the marked place in the message and its length.
    """

    line: int
    text: str
    start: int
    end: int
    before: int = 0
    after: int = 0
    octet: int = 0
    octets: int = 0


def excerpt_of(
    item: Item, header: str, octet: int | None, actual: str = "", expected: str = ""
) -> Excerpt | None:
    """The excerpt for a place in an item's message; without a place its first line, unmarked.

    None for an event, and for a message without octets.
    """
    octets = octets_of(item)
    if not octets:
        return None
    if octet is None or (header == "body" and isinstance(item, CpimItem) and octet == item.offset):
        octet = _found_in_cpim(item, header, octets, actual, expected)
    if octet is None:
        return _cut(octets, 0, 0)
    place, length = _marked(octets, min(octet, len(octets)), header, actual)
    return _cut(octets, place, length)


def octets_of(item: Item) -> bytes:
    """The octets that places in an item are counted in, secrets masked; b"" for an event.

    Of a message in chunks: the head of the first chunk, and as much of the content as is looked at.
    """
    if isinstance(item, EventItem):
        return b""
    if isinstance(item, Description):
        return masked(item.entry.raw)
    if isinstance(item, CpimItem):
        if isinstance(item.carrier, SipEntry):
            return masked(item.carrier.raw)
        part_of = item.carrier.part_of
        head = part_of.first.raw if part_of is not None and part_of.chunks else item.carrier.raw
        return masked(head[: item.offset] + item.raw[:BODY_KEPT])
    if isinstance(item, ChunkedMessage):
        return octets_of(item.last)
    if isinstance(item, MsrpEntry):
        return masked(item.raw + _body(item))
    return masked(item.raw)


def _marked(octets: bytes, place: int, header: str, actual: str) -> tuple[int, int]:
    """Where what a finding means begins, and how many octets it has: what it quotes, a header, or a word."""
    quoted = actual.removesuffix("...").encode("utf-8", "surrogateescape")
    if header == "body" and (declaration := _XML_DECLARATION.match(octets, place)):
        place = declaration.end()  # it says nothing of what follows
    end = _line_end(octets, place)
    if quoted and octets.startswith(quoted, place):
        return place, min(len(quoted), end - place)
    at_line_start = place == 0 or octets[place - 1 : place] == b"\n"
    names_line = header == "start line" or octets[place:end].lower().startswith(_name(header))
    if at_line_start and (names_line or header == "body"):
        found = octets.find(quoted, place, end) if len(quoted) >= _WORTH_FINDING else -1
        whole = end - found if actual.endswith("...") else len(quoted)
        return (found, whole) if found >= 0 else (place, end - place)
    word = _WORD.match(octets, place, end)
    return place, len(word[0]) if word else min(1, end - place)


def _name(header: str) -> bytes:
    return header.lower().encode("utf-8", "replace") or b"\0"


def _body(entry: MsrpEntry) -> bytes:
    try:
        return entry.body.read(BODY_KEPT)
    except OSError:
        return b""  # the file that kept them is gone; the head is still worth showing


def _found_in_cpim(item: Item, header: str, octets: bytes, actual: str, expected: str) -> int | None:
    """Where a header begins in a CPIM object, whose rules name the header alone, or what a finding quotes."""
    if not isinstance(item, CpimItem) or not header:
        return None
    if header == "body":
        return _meant_in_cpim(item, octets, actual, expected)
    pattern = rb"^" + re.escape(header.encode("utf-8", "replace")) + rb"[ \t]*:"
    match = re.compile(pattern, re.IGNORECASE | re.MULTILINE).search(octets, item.offset)
    return match.start() if match else None


def _meant_in_cpim(item: CpimItem, octets: bytes, actual: str, expected: str) -> int:
    """What is quoted of the content, else of the headers; else the header that should be otherwise; else
    where the content begins.
    """
    content = octets.find(item.cpim.content[:_BEGINNING], item.offset) if item.cpim is not None else -1
    if content < 0:
        found = _found(actual, octets, item.offset)
        return found if found >= 0 else min(item.offset, len(octets))
    headers = sorted(_HEADER.finditer(octets, item.offset, content), key=lambda match: -len(match[0]))
    places = (
        _found(actual, octets, content),
        _found(actual, octets, item.offset),
        next((match.start() for match in headers if _names(expected, match[1].decode())), -1),
    )
    return next((place for place in places if place >= 0), content)


def _names(text: str, header: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(header)}(?![\w-])", text) is not None


def _found(actual: str, octets: bytes, start: int) -> int:
    """Where what came is quoted, or the value of which it tells something ("a1b2c3d4: 8 digits"); else -1."""
    quoted = actual.removesuffix("...").encode("utf-8", "surrogateescape")
    value = re.split(rb": | after ", quoted, maxsplit=1)[0]
    worth = ((quoted, _WORTH_FINDING), (value, _VALUE_WORTH_FINDING))
    places = (octets.find(text, start) for text, least in worth if len(text) >= least)
    return next((place for place in places if place >= 0), -1)


def _line_end(octets: bytes, place: int) -> int:
    match = _LINE_END.search(octets, place)
    return match.start() if match else len(octets)


def _cut(octets: bytes, place: int, length: int) -> Excerpt:
    start = octets.rfind(b"\n", 0, place) + 1
    end = _line_end(octets, max(place, start))
    if place and octets[place - 1 : place + 1] == b"\r\n":
        end = place
    low, high = max(start, place - AROUND), min(end, place + min(length, AROUND) + AROUND)
    stop = min(place + length, high)
    shown, marked = visible(octets[low:place]), visible(octets[place:stop])
    text = shown + marked + visible(octets[stop:high])
    return Excerpt(
        line=octets.count(b"\n", 0, start) + 1,
        text=text,
        start=len(shown),
        end=len(shown) + len(marked),
        before=low - start,
        after=end - high,
        octet=place,
        octets=length,
    )
