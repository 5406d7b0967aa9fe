"""Messages and findings for the evidence tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Place:
    entry: int


@dataclass(frozen=True)
class StandInFinding:
    rule: str
    where: Place
    severity: str = "MUST"
    party: str = "handset"
    message: str = "what is wrong"
    expected: str = "this"
    actual: str = "that"
    clause: str = "RFC 3428 4"
    fails: bool = True

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@pytest.fixture
def finding() -> Callable[..., StandInFinding]:
    """Makes a finding on an entry."""

    def make(rule: str, entry: int, **values: Any) -> StandInFinding:
        return StandInFinding(rule, Place(entry), **values)

    return make


@pytest.fixture
def request_of() -> Callable[..., bytes]:
    """Makes a MESSAGE request."""

    def make(number: int, body: bytes = b"hello") -> bytes:
        head = (
            "MESSAGE sip:+12345678901@example.net SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 192.0.2.1:4000;branch=z9hG4bK{number}\r\n"
            "Max-Forwards: 70\r\nFrom: <sip:a@example.net>;tag=1\r\nTo: <sip:b@example.net>\r\n"
            f"Call-ID: {number}\r\nCSeq: {number} MESSAGE\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    return make


@pytest.fixture
def answer_of() -> Callable[[int], bytes]:
    """Makes the 200 to it."""

    def make(number: int) -> bytes:
        return (
            "SIP/2.0 200 OK\r\n"
            f"Via: SIP/2.0/UDP 192.0.2.1:4000;branch=z9hG4bK{number}\r\n"
            "From: <sip:a@example.net>;tag=1\r\nTo: <sip:b@example.net>;tag=2\r\n"
            f"Call-ID: {number}\r\nCSeq: {number} MESSAGE\r\nContent-Length: 0\r\n\r\n"
        ).encode()

    return make
