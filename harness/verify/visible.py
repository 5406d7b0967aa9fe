"""Octets as text that is safe to look at: on a terminal, in a page, in a log."""

from __future__ import annotations

import re
import unicodedata

_PLAIN = re.compile(r"[\x20-\x7e]*")


def visible(octets: bytes) -> str:
    """UTF-8 as it reads; what is no UTF-8, a control, or would change how its surroundings look, escaped.

    Tab, CR and LF become \\t, \\r and \\n, other controls and octets \\x1b, direction marks \\u202e.
    """
    return visible_text(octets.decode("utf-8", "surrogateescape"))


def visible_text(text: str) -> str:
    """The same for text; a lone surrogate is the octet that it stands for (PEP 383)."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(character if _shows(character) else _escaped(character) for character in text)


def _shows(character: str) -> bool:
    return " " <= character <= "~" or unicodedata.category(character)[0] not in "CZ"


def _escaped(character: str) -> str:
    code = ord(character)
    named = {9: "\\t", 10: "\\n", 13: "\\r"}.get(code)
    if named:
        return named
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(character) == "Zs" or character == "\u200d":
        return character if character != "\xa0" else "\\xa0"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
