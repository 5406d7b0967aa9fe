"""Capabilities and caller preferences: feature parameters (RFC 3840 9), Accept-Contact, Reject-Contact and
Request-Disposition (RFC 3841 10)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import ClassVar, Self

from harness.errors import SipSyntaxError, UsageError
from harness.sip.grammar import NO_PARAMETERS, Parameters, octets, parse_parameters, quote, split_list
from harness.sip.uri import unescape

_TAG_TOKEN = re.compile(r"[A-Za-z0-9\-.%*_+`'~]+")  # token-nobang
_NUMBER = r"[+-]?[0-9]+(?:\.[0-9]*)?"
_NUMERIC = re.compile(rf"#(?:(>=|<=|=)({_NUMBER})|({_NUMBER}):({_NUMBER}))")
_STRING = re.compile(r"<((?:[^<>\\\x00-\x08\x0a-\x1f\x7f]|\\[\x00-\x7f])*+)>")
_DOUBLE_LIMIT = Decimal("1.797e308")  # "MUST be representable using an ANSI C double"

# Parameters of Contact, Accept-Contact and Reject-Contact that are feature tags without "+" (RFC 3840 9).
BASE_TAGS = frozenset(
    {
        "actor", "application", "audio", "automata", "class", "control", "data", "description", "duplex",
        "events", "extensions", "isfocus", "language", "methods", "mobility", "priority", "schemes", "text",
        "type", "video",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TokenTerm:
    """A token, or TRUE and FALSE; compared without case (RFC 3840 9, RFC 3841 7.2.4). text as written."""

    text: str
    negated: bool = False

    def __post_init__(self) -> None:
        if _TAG_TOKEN.fullmatch(self.text) is None:
            raise UsageError(f"feature value {self.text[:80]!r} is no token-nobang (RFC 3840 9)")

    def __str__(self) -> str:
        return f"{'!' if self.negated else ''}{self.text}"


@dataclass(frozen=True, slots=True)
class NumberTerm:
    """The numbers from low to high, both included; None is no bound (RFC 3840 9 numeric)."""

    low: Decimal | None
    high: Decimal | None
    negated: bool = False

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        if not bounds or not all(bound.is_finite() and abs(bound) <= _DOUBLE_LIMIT for bound in bounds):
            raise UsageError(f"{self.low} to {self.high} is no range of numbers (RFC 3840 9)")

    def __str__(self) -> str:
        bang = "!" if self.negated else ""
        low, high = (None if bound is None else f"{bound:f}" for bound in (self.low, self.high))
        if low is None:
            return f"{bang}#<={high}"
        if high is None:
            return f"{bang}#>={low}"
        return f"{bang}#={low}" if self.low == self.high else f"{bang}#{low}:{high}"


@dataclass(frozen=True, slots=True)
class StringTerm:
    """A string, compared with case; text without the angle brackets, escapes kept (RFC 3840 9)."""

    text: str

    def __post_init__(self) -> None:
        if _STRING.fullmatch(f"<{self.text}>") is None:
            raise UsageError(f"feature value {self.text[:80]!r} is no string-value (RFC 3840 9)")

    def __str__(self) -> str:
        return f"<{self.text}>"


FeatureTerm = TokenTerm | NumberTerm | StringTerm


def parse_feature(value: str, offset: int = 0) -> tuple[FeatureTerm, ...]:
    """The terms of a feature parameter, of which one has to hold; value is without its quotes.

    Raises SipSyntaxError with the octet of the term, as long as value had no escapes in its quotes.
    """
    string = _STRING.fullmatch(value)
    if string is not None:
        return (StringTerm(string[1]),)
    terms, place = [], offset
    for element in value.split(","):
        terms.append(_term(element, place))
        place += octets(element) + 1
    return tuple(terms)


def _term(element: str, offset: int) -> FeatureTerm:
    negated = element.startswith("!")
    bare = element[negated:]
    if _TAG_TOKEN.fullmatch(bare):
        return TokenTerm(bare, negated)
    match = _NUMERIC.fullmatch(bare)
    if match is None:
        raise SipSyntaxError("feature parameter", element, offset, "RFC 3840 9 tag-value")
    numbers = [None if text is None else Decimal(text) for text in match.group(2, 3, 4)]
    if any(number is not None and abs(number) > _DOUBLE_LIMIT for number in numbers):
        raise SipSyntaxError("feature parameter", element, offset, "RFC 3840 9", "not a C double")
    number, low, high = numbers
    if match[1] is not None:
        low, high = (None if match[1] == "<=" else number), (None if match[1] == ">=" else number)
    return NumberTerm(low, high, negated)


def write_feature(terms: Iterable[FeatureTerm]) -> str:
    """The quoted-string of a feature parameter. Raises UsageError for a string among other terms."""
    values = list(terms)
    if not values or (len(values) > 1 and any(isinstance(term, StringTerm) for term in values)):
        raise UsageError("a feature parameter has one string, or one or more tokens and numbers (RFC 3840 9)")
    return quote(",".join(map(str, values)))


def feature_values(parameters: Parameters, name: str) -> tuple[str, ...]:
    """The values of a feature tag, decoded: without quotes, angle brackets and percent escapes (RFC 3840 9).

    A tag without value gives an empty tuple, as does an absent one (ask `name in parameters`).
    """
    value = parameters.get(name)
    if value is None:
        return ()
    if value.startswith("<") and value.endswith(">"):
        return (value[1:-1],)
    return tuple(unescape(element) for element in split_list(value))


def feature_tags(parameters: Parameters) -> dict[str, tuple[str, ...]]:
    """All feature tags among the parameters (names in lower case) with their decoded values."""
    return {
        name: feature_values(parameters, name)
        for name in parameters
        if name.startswith("+") or name in BASE_TAGS
    }


@dataclass(frozen=True, slots=True)
class RejectContact:
    """One value of Reject-Contact: contacts that have these features are not wanted (RFC 3841 9.2)."""

    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "Reject-Contact"

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        clause = "RFC 3841 10"
        if text[:1] != "*":
            raise SipSyntaxError(cls.header, text, offset, clause, "does not start with *")
        return cls(parse_parameters(text[1:], offset + 1, cls.header, clause))

    @property
    def features(self) -> dict[str, tuple[str, ...]]:
        """Feature tags and their decoded values."""
        return feature_tags(self.parameters)

    def __str__(self) -> str:
        return f"*{self.parameters}"


@dataclass(frozen=True, slots=True)
class AcceptContact(RejectContact):
    """One value of Accept-Contact: contacts with these features are preferred (RFC 3841 9.2)."""

    header: ClassVar[str] = "Accept-Contact"

    @property
    def require(self) -> bool:
        """Contacts that do not match are not to be used."""
        return "require" in self.parameters

    @property
    def explicit(self) -> bool:
        """Contacts that do not name every feature are not a full match."""
        return "explicit" in self.parameters


class Directive(Enum):
    """What the caller asks of the servers on the way (RFC 3841 9.1)."""

    PROXY = "proxy"
    REDIRECT = "redirect"
    CANCEL = "cancel"
    NO_CANCEL = "no-cancel"
    FORK = "fork"
    NO_FORK = "no-fork"
    RECURSE = "recurse"
    NO_RECURSE = "no-recurse"
    PARALLEL = "parallel"
    SEQUENTIAL = "sequential"
    QUEUE = "queue"
    NO_QUEUE = "no-queue"


@dataclass(frozen=True, slots=True)
class RequestDisposition:
    """One directive of Request-Disposition (RFC 3841 9.1)."""

    directive: Directive

    header: ClassVar[str] = "Request-Disposition"

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        try:
            return cls(Directive(text.lower()))
        except ValueError:
            raise SipSyntaxError(cls.header, text, offset, "RFC 3841 10 directive") from None

    def __str__(self) -> str:
        return self.directive.value
