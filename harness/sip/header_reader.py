"""How rows of a header become typed values. What a sender writes in message after message is read once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Generic, TypeVar

from harness.sip.grammar import list_elements
from harness.sip.head import value_of

_T = TypeVar("_T")
Parse = Callable[[str, int], _T]
"""Makes a value of its text, whose first octet is at that offset. Raises SipSyntaxError."""
_KEPT = 512  # texts of a header


class Reader(Generic[_T]):
    """Reads the rows of one header.

    again: its texts come again, so each is parsed once for all. Not for a header with an id of the message in
    it, nor for one that holds what a secret made.
    """

    __slots__ = ("every", "one", "parse")

    def __init__(self, parse: Parse[_T], *, again: bool = False) -> None:
        def one(row: bytes) -> _T:
            return parse(value_of(row), 0)

        def every(row: bytes) -> tuple[_T, ...]:
            text = value_of(row)
            if "," not in text:
                return (parse(text, 0),)
            return tuple([parse(element, 0) for _, element in list_elements(text)])

        self.parse = parse
        self.one: Callable[[bytes], _T] = lru_cache(maxsize=_KEPT)(one) if again else one
        """The value of a row. Raises SipSyntaxError, which tells no place in the message."""
        self.every: Callable[[bytes], tuple[_T, ...]] = lru_cache(maxsize=_KEPT)(every) if again else every
        """The values of a row that is a comma list, likewise."""
