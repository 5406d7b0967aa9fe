"""Headers of event notification and REFER (RFC 6665 8.4, 3515 2.1, 4488 4, 3892 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Self

from harness.errors import UsageError
from harness.sip.grammar import NO_PARAMETERS, Parameters, quote
from harness.sip.header_value import demand_number, demand_token, joined, read_value
from harness.sip.headers import NameAddr
from harness.sip.session_headers import Replaces
from harness.sip.uri import unescape

_PART = r"[A-Za-z0-9\-!%*_+`'~]+"  # token-nodot
_EVENT_TYPE = re.compile(rf"{_PART}(?:\.{_PART})*")
_ATOM = r"[A-Za-z0-9\-!%*_+'`~]+"
_DOT_ATOM = rf"{_ATOM}(?:\.{_ATOM})*"
_CONTENT_ID = re.compile(rf"{_DOT_ATOM}@(?:{_DOT_ATOM}|\[[0-9A-Fa-f:.]+\])")


@dataclass(frozen=True, slots=True)
class Event:
    """An event package, with its templates after dots, and the id (RFC 6665 8.2.1, 8.4)."""

    package: str
    id: str | None = None
    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "Event"

    def __post_init__(self) -> None:
        if _EVENT_TYPE.fullmatch(self.package) is None:
            raise UsageError(f"{self.package[:80]!r} is no event-type (RFC 6665 8.4)")
        if self.id is not None:
            demand_token(self.id, "id of Event")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        reading = read_value(cls.header, "RFC 6665 8.4", text, offset, _EVENT_TYPE)
        return cls(reading.head, reading.token("id"), reading.others("id"))

    def matches(self, other: Event) -> bool:
        """True for the same package and id; other parameters do not count (RFC 6665 8.2.1)."""
        return (self.package, self.id) == (other.package, other.id)

    def __str__(self) -> str:
        return joined(self.package, [("id", self.id)], self.parameters)


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """Where a subscription stands (RFC 6665 8.2.3): state and reason in lower case, expires and retry_after
    in seconds."""

    state: str
    reason: str | None = None
    expires: int | None = None
    retry_after: int | None = None
    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "Subscription-State"

    def __post_init__(self) -> None:
        demand_token(self.state, "subscription state")
        if self.reason is not None:
            demand_token(self.reason, "reason")
        for seconds in (self.expires, self.retry_after):
            if seconds is not None:
                demand_number(seconds, "seconds")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        reading = read_value(cls.header, "RFC 6665 8.4", text, offset)
        reason = reading.token("reason")
        return cls(
            reading.head.lower(),
            reason and reason.lower(),
            reading.number("expires"),
            reading.number("retry-after"),
            reading.others("reason", "expires", "retry-after"),
        )

    def __str__(self) -> str:
        named = [("reason", self.reason), ("expires", self.expires), ("retry-after", self.retry_after)]
        return joined(self.state, named, self.parameters)


@dataclass(frozen=True, slots=True)
class ReferTo(NameAddr):
    """What a REFER points at (RFC 3515 2.1)."""

    header: ClassVar[str] = "Refer-To"

    @property
    def method(self) -> str:
        """The method to send there: that of the URI, else INVITE (RFC 3261 19.1.5, RFC 3515 2.4.1)."""
        return self.uri.parameters.get("method") or "INVITE"

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The header fields the URI asks for, unescaped, in order (RFC 3261 19.1.1)."""
        pairs = (piece.partition("=") for piece in self.uri.headers.split("&") if piece)
        return tuple((unescape(name), unescape(value)) for name, _, value in pairs)

    @property
    def replaces(self) -> Replaces | None:
        """The dialog to take the place of (RFC 3891 4). Raises SipSyntaxError."""
        values = [value for name, value in self.headers if name.lower() == "replaces"]
        return Replaces.parse(values[0]) if values else None


@dataclass(frozen=True, slots=True)
class ReferSub:
    """Whether a REFER is to make a subscription, or has made one (RFC 4488 4)."""

    wanted: bool
    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "Refer-Sub"

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        reading = read_value(cls.header, "RFC 4488 4", text, offset)
        if reading.head.lower() not in ("true", "false"):
            raise reading.wrong("neither true nor false")
        return cls(reading.head.lower() == "true", reading.parameters)

    def __str__(self) -> str:
        return f"{'true' if self.wanted else 'false'}{self.parameters}"


@dataclass(frozen=True, slots=True)
class ReferredBy(NameAddr):
    """Who sent the REFER that a request follows (RFC 3892 3)."""

    header: ClassVar[str] = "Referred-By"

    @property
    def content_id(self) -> str | None:
        """The Content-ID, without angle brackets, of the body that proves it."""
        return self.parameters.get("cid")

    def with_content_id(self, content_id: str) -> Self:
        """A copy that names the body with this Content-ID."""
        if _CONTENT_ID.fullmatch(content_id) is None:
            raise UsageError(f"cid {content_id[:80]!r} is no dot-atom@host (RFC 3892 4)")
        parameters = self.parameters.replaced("cid", quote(content_id))
        return type(self)(self.display, self.uri, parameters, self.bracketed)
