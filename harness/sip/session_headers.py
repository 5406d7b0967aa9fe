"""Headers of sessions: timers (RFC 4028), reliable provisionals (3262), Replaces (3891), Reason (3326)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Self

from harness.errors import SipSyntaxError, UsageError
from harness.sip.grammar import NO_PARAMETERS, Parameters, is_token, octets, parse_number, quote
from harness.sip.header_value import (
    NUMBER_HEAD,
    demand_number,
    demand_token,
    joined,
    read_value,
)
from harness.sip.headers import CALL_ID, parse_call_id

_SEQUENCE_LIMIT = 2**31 - 1  # RFC 3262 7.1 and RFC 3261 8.1.1.5
_LAST_RSEQ = 2**32 - 1
_RACK = re.compile(r"([^ \t]+)([ \t]+)([^ \t]+)([ \t]+)(.+)", re.DOTALL)


class Refresher(Enum):
    """Who refreshes the session (RFC 4028 4). The roles are those of the transaction that says it."""

    UAC = "uac"
    UAS = "uas"


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """The session interval in seconds and who refreshes it (RFC 4028 4); parameters are the others."""

    seconds: int
    refresher: Refresher | None = None
    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "Session-Expires"

    def __post_init__(self) -> None:
        demand_number(self.seconds, "session interval")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        reading = read_value(cls.header, "RFC 4028 4", text, offset, NUMBER_HEAD)
        refresher = None
        if "refresher" in reading.parameters:
            try:
                refresher = Refresher((reading.parameters["refresher"] or "").lower())
            except ValueError:
                raise reading.wrong("refresher is neither uac nor uas", "refresher") from None
        return cls(reading.seconds(), refresher, reading.others("refresher"))

    def __str__(self) -> str:
        refresher = self.refresher and self.refresher.value
        return joined(str(self.seconds), [("refresher", refresher)], self.parameters)


@dataclass(frozen=True, slots=True)
class MinSE:
    """The least session interval in seconds that is taken (RFC 4028 5)."""

    seconds: int
    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "Min-SE"

    def __post_init__(self) -> None:
        demand_number(self.seconds, "least session interval")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        reading = read_value(cls.header, "RFC 4028 5", text, offset, NUMBER_HEAD)
        return cls(reading.seconds(), reading.parameters)

    def __str__(self) -> str:
        return f"{self.seconds}{self.parameters}"


@dataclass(frozen=True, slots=True)
class RSeq:
    """The number of a reliable provisional response, 1 to 2**32 - 1 (RFC 3262 7.1)."""

    number: int

    header: ClassVar[str] = "RSeq"

    def __post_init__(self) -> None:
        demand_number(self.number - 1, "RSeq less one", _LAST_RSEQ - 1)

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        number = parse_number(text, cls.header, offset, "RFC 3262 7.1", _LAST_RSEQ)
        if number == 0:
            raise SipSyntaxError(cls.header, text, offset, "RFC 3262 7.1", "below 1")
        return cls(number)

    def __str__(self) -> str:
        return str(self.number)


@dataclass(frozen=True, slots=True)
class RAck:
    """Which provisional response a PRACK acknowledges: its RSeq, and CSeq of the request (RFC 3262 7.2)."""

    rseq: int
    cseq: int
    method: str

    header: ClassVar[str] = "RAck"

    def __post_init__(self) -> None:
        demand_number(self.rseq, "RSeq", _LAST_RSEQ)
        demand_number(self.cseq, "CSeq", _SEQUENCE_LIMIT)
        demand_token(self.method, "method")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        clause = "RFC 3262 10 RAck"
        match = _RACK.fullmatch(text)
        if match is None:
            raise SipSyntaxError(cls.header, text, offset, clause, "not three parts")
        if not is_token(match[5]):
            place = offset + octets(text[: match.start(5)])
            raise SipSyntaxError(cls.header, match[5], place, clause, "no method")
        cseq_place = offset + octets(text[: match.start(3)])
        return cls(
            parse_number(match[1], cls.header, offset, clause, _LAST_RSEQ),
            parse_number(match[3], cls.header, cseq_place, clause, _SEQUENCE_LIMIT),
            match[5],
        )

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


@dataclass(frozen=True, slots=True)
class Replaces:
    """The dialog an INVITE takes the place of (RFC 3891 6.1): tags as its receiver holds them.

    early_only: only a dialog that is not confirmed.
    """

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False
    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "Replaces"

    def __post_init__(self) -> None:
        try:
            parse_call_id(self.call_id)
        except SipSyntaxError as error:
            raise UsageError(str(error)) from None
        demand_token(self.to_tag, "to-tag")
        demand_token(self.from_tag, "from-tag")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        reading = read_value(cls.header, "RFC 3891 6.1", text, offset, CALL_ID)
        duplicates = reading.parameters.duplicates
        for name in ("to-tag", "from-tag"):
            if name in duplicates:
                raise reading.wrong(f"more than one {name}", name)
        to_tag = reading.token("to-tag", required=True) or ""
        from_tag = reading.token("from-tag", required=True) or ""
        early_only = "early-only" in reading.parameters
        others = reading.others("to-tag", "from-tag", "early-only")
        return cls(reading.head, to_tag, from_tag, early_only, others)

    def __str__(self) -> str:
        named = [("to-tag", self.to_tag), ("from-tag", self.from_tag), ("early-only", self.early_only)]
        return joined(self.call_id, named, self.parameters)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request was sent (RFC 3326 2). protocol as written; cause in its numbers; text without quotes."""

    protocol: str
    cause: int | None = None
    text: str | None = None
    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "Reason"

    def __post_init__(self) -> None:
        demand_token(self.protocol, "protocol of Reason")
        if self.cause is not None:
            demand_number(self.cause, "cause")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        reading = read_value(cls.header, "RFC 3326 2", text, offset)
        others = reading.others("cause", "text")
        return cls(reading.head, reading.number("cause"), reading.quoted("text"), others)

    def __str__(self) -> str:
        text = None if self.text is None else quote(self.text)
        return joined(self.protocol, [("cause", self.cause), ("text", text)], self.parameters)
