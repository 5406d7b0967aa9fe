"""Headers of RFC 3261 section 20 about time, warnings and bodies, and Flow-Timer (RFC 5626 11.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Self

from harness.errors import SipSyntaxError, UsageError
from harness.sip.grammar import (
    NO_PARAMETERS,
    QUOTED,
    TOKEN_CHARACTERS,
    Parameters,
    is_token,
    octets,
    parse_number,
    quote,
    unquote,
)
from harness.sip.header_value import DELTA_LIMIT, demand_number, demand_token, joined, read_value
from harness.sip.headers import MediaType

_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]*)?")
_DELAY = re.compile(r"(?=\.?[0-9])[0-9]*(?:\.[0-9]*)?")
_Q_VALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_SECONDS = re.compile(r"([0-9]+)[ \t]*")
_RANGE = re.compile(rf"[{TOKEN_CHARACTERS}]+[ \t]*/[ \t]*[{TOKEN_CHARACTERS}]+")
_COMMENT_MARK = re.compile(r"\\.|[()]", re.DOTALL)
_WARNING = re.compile(r"([0-9]{3})[ \t]+([^ \t\"]+)[ \t]+(?=\")")
_AGENT = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-]+)(?::[0-9]+)?")


@dataclass(frozen=True, slots=True)
class MinExpires:
    """The least time, in seconds, that a registrar or notifier takes (RFC 3261 20.23)."""

    seconds: int

    header: ClassVar[str] = "Min-Expires"
    clause: ClassVar[str] = "RFC 3261 20.23"

    def __post_init__(self) -> None:
        demand_number(self.seconds, self.header)

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        return cls(parse_number(text, cls.header, offset, cls.clause, DELTA_LIMIT))

    def __str__(self) -> str:
        return str(self.seconds)


@dataclass(frozen=True, slots=True)
class FlowTimer(MinExpires):
    """After how many seconds of silence a server takes a flow for dead (RFC 5626 4.4.1, 11.1)."""

    header: ClassVar[str] = "Flow-Timer"
    clause: ClassVar[str] = "RFC 5626 11.1"


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Seconds to wait, the comment without its parentheses, and how long it then holds (RFC 3261 20.33)."""

    seconds: int
    comment: str | None = None
    duration: int | None = None
    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "Retry-After"

    def __post_init__(self) -> None:
        demand_number(self.seconds, self.header)
        demand_number(self.duration or 0, "duration")
        if self.comment is not None and _comment_end(f"({self.comment})") != len(self.comment) + 2:
            raise UsageError(f"comment {self.comment[:80]!r} does not close what it opens (RFC 3261 25.1)")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        match = _SECONDS.match(text)
        if match is None:
            raise SipSyntaxError(cls.header, text, offset, "RFC 3261 20.33")
        comment, end = None, match.end()
        if text[end : end + 1] == "(":
            end = _comment_end(text, end)
            if end < 0:
                place = offset + match.end()
                raise SipSyntaxError(
                    cls.header, text[match.end() :], place, "RFC 3261 25.1 comment", "not closed"
                )
            comment = text[match.end() + 1 : end - 1]
        # the same value with the comment blanked out by as many octets keeps every place
        blank = " " * octets(text[len(match[1]) : end])
        reading = read_value(cls.header, "RFC 3261 20.33", f"{match[1]}{blank}{text[end:]}", offset)
        return cls(reading.seconds(), comment, reading.number("duration"), reading.others("duration"))

    def __str__(self) -> str:
        comment = "" if self.comment is None else f" ({self.comment})"
        return joined(f"{self.seconds}{comment}", [("duration", self.duration)], self.parameters)


def _comment_end(text: str, start: int = 0) -> int:
    """The index after the parenthesis that closes the one at start; -1 when none does."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(mark[0], 0)
        if depth == 0:
            return mark.end()
    return -1


@dataclass(frozen=True, slots=True)
class SipWarning:
    """One value of Warning: code, who warns, and the text without quotes (RFC 3261 20.43)."""

    code: int
    agent: str
    text: str

    header: ClassVar[str] = "Warning"

    def __post_init__(self) -> None:
        if not 100 <= self.code <= 999:
            raise UsageError(f"warn-code {self.code} has not three digits (RFC 3261 25.1)")
        if not _is_agent(self.agent):
            raise UsageError(f"warn-agent {self.agent[:80]!r} is neither host nor token (RFC 3261 25.1)")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        clause = "RFC 3261 25.1 warning-value"
        match = _WARNING.match(text)
        if match is None or match[1][0] == "0":
            raise SipSyntaxError(cls.header, text, offset, clause)
        if not _is_agent(match[2]):
            raise SipSyntaxError(
                cls.header, match[2], offset + match.start(2), clause, "no host and no token"
            )
        if QUOTED.fullmatch(text, match.end()) is None:
            place = offset + match.end()
            raise SipSyntaxError(cls.header, text[match.end() :], place, clause, "no quoted-string")
        return cls(int(match[1]), match[2], unquote(text[match.end() :]))

    def __str__(self) -> str:
        return f"{self.code} {self.agent} {quote(self.text)}"


def _is_agent(text: str) -> bool:
    return is_token(text) or _AGENT.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class ContentDisposition:
    """What a body is for, and whether it must be understood (RFC 3261 20.11). Both in lower case."""

    kind: str
    handling: str | None = None
    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "Content-Disposition"

    def __post_init__(self) -> None:
        demand_token(self.kind, "disposition")
        if self.handling is not None:
            demand_token(self.handling, "handling")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        reading = read_value(cls.header, "RFC 3261 20.11", text, offset)
        handling = reading.token("handling")
        return cls(reading.head.lower(), handling and handling.lower(), reading.others("handling"))

    @property
    def required(self) -> bool:
        """True when a receiver that does not know the type answers 415 (RFC 3261 20.11)."""
        return self.handling in (None, "required")

    def __str__(self) -> str:
        return joined(self.kind, [("handling", self.handling)], self.parameters)


@dataclass(frozen=True, slots=True)
class Accept(MediaType):
    """One media range that is taken; `*` stands for any (RFC 3261 20.1). Without Accept it is SDP."""

    header: ClassVar[str] = "Accept"

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        reading = read_value(cls.header, "RFC 3261 25.1 accept-range", text, offset, _RANGE)
        kind, subtype = (part.strip(" \t") for part in reading.head.split("/"))
        if kind == "*" and subtype != "*":
            raise reading.wrong("any type of one subtype")
        if not _Q_VALUE.fullmatch(reading.parameters.get("q", "1") or ""):
            raise reading.wrong("no qvalue", "q")
        return cls(kind, subtype, reading.parameters)

    @property
    def q(self) -> Decimal:
        """The preference, 0 to 1."""
        return Decimal(self.parameters.get("q") or "1")

    def covers(self, essence: str) -> bool:
        """True when the range holds this type/subtype and does not refuse it with q=0."""
        kind, _, subtype = essence.lower().partition("/")
        return self.type.lower() in ("*", kind) and self.subtype.lower() in ("*", subtype) and self.q > 0


@dataclass(frozen=True, slots=True)
class Timestamp:
    """When a request was sent, in seconds, and how long the server held it (RFC 3261 20.38)."""

    time: Decimal
    delay: Decimal | None = None

    header: ClassVar[str] = "Timestamp"

    def __post_init__(self) -> None:
        for number in (self.time, self.delay or Decimal(0)):
            if not number.is_finite() or number.is_signed():
                raise UsageError(f"{number} seconds cannot be written (RFC 3261 25.1)")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        match = _DECIMAL.match(text)
        rest = text[match.end() :] if match else ""
        delay = rest.strip(" \t")
        if match is None or (rest and (rest[0] not in " \t" or not _DELAY.fullmatch(delay))):
            place = offset + octets(text[: match.end() if match else 0])
            raise SipSyntaxError(cls.header, text, place, "RFC 3261 20.38")
        return cls(Decimal(match[0]), Decimal(delay) if delay else None)

    def __str__(self) -> str:
        delay = "" if self.delay is None else f" {self.delay:f}"
        return f"{self.time:f}{delay}"
