"""A message as lines of text that are safe to show, and where its octets have gone in that text."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from harness.verify.visible import visible

SHOWN = 32 * 1024
"""Octets of a message that are shown; of more there is a word."""
DUMPED = 256
"""Octets of binary content that are shown, in hexadecimal."""
_LOOKED_AT = 512
_ODD = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x80-\xff]")


@dataclass(frozen=True, slots=True)
class ShownOctets:
    """text: lines with LF between them. place: the character of text that an octet is shown by."""

    text: str
    _octets: tuple[int, ...]
    _characters: tuple[int, ...]
    _source: bytes

    def place(self, octet: int) -> int:
        """For an octet behind the last one that is shown, the end."""
        index = bisect_right(self._octets, octet) - 1
        if index < 0:
            return 0
        if index == len(self._octets) - 1:
            return self._characters[index]
        begin = self._octets[index]
        length = len(visible(self._source[begin:octet]))
        return min(self._characters[index] + length, self._characters[index + 1] - 1)


def shown_octets(octets: bytes, size: int) -> ShownOctets:
    """The octets kept of a message that had so many; CR LF ends a line, a LF alone is shown as what it is."""
    source = octets[:SHOWN]
    begins, characters, lines = [0], [0], list[str]()
    at = character = 0
    head = True
    while at < len(source):
        if not head and _is_binary(source, at):
            dump = _dump(source, at, size)
            lines += dump
            at = len(source)
            character += sum(len(line) + 1 for line in dump)
        else:
            end = source.find(b"\n", at)
            stop = len(source) if end < 0 else end
            line = source[at:stop].removesuffix(b"\r") if end >= 0 else source[at:stop]
            alone = end >= 0 and source[end - 1 : end] != b"\r"
            head = head and bool(line)
            lines.append(visible(line) + ("\\n" if alone else ""))
            character += len(lines[-1]) + 1
            at = stop + 1
        begins.append(min(at, len(source)))
        characters.append(character)
    if size > len(source) and not (lines and lines[-1].startswith("…")):
        lines.append(f"… {size - len(source)} more octets")
    return ShownOctets("\n".join(lines), tuple(begins), tuple(characters), source)


def _is_binary(source: bytes, at: int) -> bool:
    """Whether what begins a line is no text: it has a NUL, or much that is neither text nor UTF-8."""
    beginning = source[at : at + _LOOKED_AT]
    odd = _ODD.search(beginning)
    end = beginning.find(b"\n")
    if odd is None or 0 <= end < odd.start():
        return False
    if b"\0" in beginning[: end if end >= 0 else None]:
        return True
    text = beginning.decode("utf-8", "surrogateescape")
    strange = sum("\udc80" <= each <= "\udcff" or (each < " " and each not in "\t\r\n\x1b") for each in text)
    return strange * 4 > len(text)


def _dump(source: bytes, at: int, size: int) -> list[str]:
    rows = []
    for begin in range(at, min(at + DUMPED, len(source)), 16):
        row = source[begin : min(begin + 16, at + DUMPED)]
        text = "".join(chr(each) if 0x20 <= each < 0x7F else "." for each in row)
        rows.append(f"{begin - at:08x}  {row.hex(' '):<47}  {text}")
    left = size - min(at + DUMPED, len(source))
    return [*rows, f"… {left} more octets of binary content"] if left > 0 else rows
