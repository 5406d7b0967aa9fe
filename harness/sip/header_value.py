"""One header value on its way to a type: `head *(;parameter)`, each piece with its octet (RFC 3261 25.1).

The types are in the modules of their subjects (session_headers.py and the like).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

from harness.errors import SipSyntaxError, UsageError
from harness.sip.grammar import TOKEN_CHARACTERS, Parameters, is_token, octets, parse_number, parse_parameters

TOKEN_HEAD = re.compile(rf"[{TOKEN_CHARACTERS}]+")
NUMBER_HEAD = re.compile(r"[0-9]+")
DELTA_LIMIT = 2**32 - 1  # seconds; RFC 3261 20.19 and 20.23 give this range

_PARAMETER_START = re.compile(
    rf"[ \t]*;[ \t]*([{TOKEN_CHARACTERS}\[\]/:&$]+)"
    r'(?:[ \t]*=[ \t]*((?:"(?:[^"\\]|\\.)*"|[^ \t;,"<>]+)))?',
    re.DOTALL,
)
_BLANK = re.compile(r"[ \t]*")


class HeaderType(Protocol):
    """What a typed header offers: SipMessage.typed and typed_list read it by these two."""

    header: ClassVar[str]

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        """The value of text, whose first octet is at offset. Raises SipSyntaxError."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """A value taken apart. start is the index of text where the parameters begin."""

    what: str
    clause: str
    text: str
    offset: int
    head: str
    start: int
    parameters: Parameters

    def wrong(self, hint: str, name: str | None = None) -> SipSyntaxError:
        """The error for the head, or for the parameter `name`, at its octet."""
        if name is None:
            return SipSyntaxError(self.what, self.text, self.offset, self.clause, hint)
        for match in _PARAMETER_START.finditer(self.text, self.start):
            if match[1].lower() == name.lower():
                index = match.start(1 if match[2] is None else 2)
                break
        else:
            index = self.start
        place = self.offset + octets(self.text[:index])
        return SipSyntaxError(self.what, self.text[index:] or self.text, place, self.clause, hint)

    def seconds(self) -> int:
        """The head as delta-seconds. Raises SipSyntaxError."""
        return parse_number(self.head, self.what, self.offset, self.clause, DELTA_LIMIT)

    def number(self, name: str, limit: int = DELTA_LIMIT) -> int | None:
        """The decimal number a parameter gives, None when it is absent. Raises SipSyntaxError."""
        if name not in self.parameters:
            return None
        value = self.parameters.raw(name) or ""
        try:
            return parse_number(value, self.what, 0, self.clause, limit)
        except SipSyntaxError:
            raise self.wrong(f"{name} is no decimal number up to {limit}", name) from None

    def quoted(self, name: str) -> str | None:
        """What the quoted-string of a parameter stands for, None when it is absent. Raises SipSyntaxError."""
        if name in self.parameters and not (self.parameters.raw(name) or "").startswith('"'):
            raise self.wrong(f"{name} is no quoted-string", name)
        return self.parameters.get(name)

    def token(self, name: str, *, required: bool = False) -> str | None:
        """The token a parameter gives, None when it is absent. Raises SipSyntaxError."""
        if name not in self.parameters:
            if required:
                raise self.wrong(f"no {name}")
            return None
        value = self.parameters.raw(name) or ""
        if not is_token(value):
            raise self.wrong(f"{name} is no token", name)
        return value

    def others(self, *names: str) -> Parameters:
        """The parameters without those that have a field of their own."""
        return Parameters(pair for pair in self.parameters.pairs if pair[0].lower() not in names)


def read_value(what: str, clause: str, text: str, offset: int, head: re.Pattern[str] = TOKEN_HEAD) -> Reading:
    """Text as one head and its parameters. Raises SipSyntaxError."""
    match = head.match(text)
    blank = _BLANK.match(text, match.end()) if match else None
    start = blank.end() if blank else 0
    if match is None or text[start : start + 1] not in ("", ";"):
        raise SipSyntaxError(what, text, offset + octets(text[:start]), clause)
    parameters = parse_parameters(text[start:], offset + octets(text[:start]), what, clause)
    return Reading(what, clause, text, offset, match[0], start, parameters)


def parse_token(what: str, text: str, offset: int = 0) -> str:
    """text, when it is a token and nothing else. Raises SipSyntaxError."""
    if not is_token(text):
        match = TOKEN_HEAD.match(text)
        place = offset + (match.end() if match else 0)
        raise SipSyntaxError(what, text, place, "RFC 3261 25.1 token")
    return text


def joined(head: str, named: Iterable[tuple[str, object]], others: Parameters) -> str:
    """The value as written: None leaves a parameter out, True writes its name alone."""
    pairs = [
        (name, None if value is True else str(value))
        for name, value in named
        if value is not None and value is not False
    ]
    return f"{head}{Parameters(pairs)}{others}"


def demand_token(text: str, what: str) -> None:
    """Raises UsageError for what a receiver would not read as one token."""
    if not is_token(text):
        raise UsageError(f"{what} {text[:80]!r} is no token (RFC 3261 25.1)")


def demand_number(number: int, what: str, limit: int = DELTA_LIMIT) -> None:
    """Raises UsageError for a number that cannot be written."""
    if not 0 <= number <= limit:
        raise UsageError(f"{what} {number} is not between 0 and {limit}")
