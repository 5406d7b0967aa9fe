"""What MSRP tests share: a wire of octets to one connection with sessions behind it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.msrp.connection import MsrpConnection
from harness.msrp.framing import MsrpFramer, MsrpLimits
from harness.msrp.message import MsrpRequest, MsrpResponse
from harness.msrp.reception import ReceivingRules
from harness.msrp.session import MsrpSession, SessionSettings

ALICE, BOB = "msrp://alice.example.com:7394/2s93i9ek2a;tcp", "msrp://bob.example.com:8493/si438dsaodes;tcp"


class Wire:
    """Bob's connection. What goes in and out are octets; time passes when a test says so."""

    def __init__(self, limits: MsrpLimits | None = None, window: int = 4096) -> None:
        self.now = 0.0
        self.known: dict[str, MsrpSession] = {}
        self.taken: set[str] = set()
        self.undecided: set[str] = set()
        self.connection = MsrpConnection(self, limits, window=window)

    def session_for(self, uri: str, connection: MsrpConnection) -> MsrpSession | int | None:
        if uri in self.undecided:
            return None
        return 506 if uri in self.taken else self.known.get(uri, 481)

    def session(self, own: str = BOB, *to_path: str, **settings: object) -> MsrpSession:
        """A session that waits for its first SEND."""
        rules = settings.pop("rules", ReceivingRules())
        session = MsrpSession(SessionSettings(own, to_path or (ALICE,), rules, **settings))
        self.known[own] = session
        return session

    def bound(self, own: str = BOB, *to_path: str, **settings: object) -> MsrpSession:
        """A session that lives on this connection."""
        session = self.session(own, *to_path, **settings)
        self.connection.attach(session)
        return session

    def give(self, *octets: bytes) -> list[MsrpRequest | MsrpResponse]:
        """Octets that come; returns the messages that leave because of them."""
        self.connection.receive(b"".join(octets))
        return self.take()

    def take(self, octets: int = 1_000_000) -> list[MsrpRequest | MsrpResponse]:
        """The messages that leave now."""
        framer = MsrpFramer()
        found = framer.receive(self.connection.output(octets, self.now))
        assert (framer.pending_octets, framer.broken) == (0, False)
        return found

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.connection.expire(self.now)


def chunk(
    body: bytes | None,
    covers: str | None,
    flag: str = "$",
    *lines: str,
    message_id: str = "12339sdqwer",
    tid: str = "d93kswow",
    to: str = BOB,
    source: str = ALICE,
    content_type: str = "text/plain",
) -> bytes:
    """A SEND, written without the code under test."""
    rows = [f"MSRP {tid} SEND", f"To-Path: {to}", f"From-Path: {source}", f"Message-ID: {message_id}"]
    rows += [f"Byte-Range: {covers}"] if covers is not None else []
    rows += lines
    rows += [f"Content-Type: {content_type}", ""] if body is not None else []
    head = "".join(f"{row}\r\n" for row in rows).encode()
    return head + (b"" if body is None else body + b"\r\n") + f"-------{tid}{flag}\r\n".encode()


def answer(request: MsrpRequest, status: int = 200) -> bytes:
    """A response, written without the code under test."""
    tid = request.transaction_id
    paths = f"To-Path: {request.from_path[0]}\r\nFrom-Path: {request.to_path[0]}\r\n"
    return f"MSRP {tid} {status} Whatever\r\n{paths}-------{tid}$\r\n".encode()


@pytest.fixture
def new_wire() -> type[Wire]:
    return Wire


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture(name="chunk")
def chunk_fixture() -> Callable[..., bytes]:
    return chunk


@pytest.fixture(name="answer")
def answer_fixture() -> Callable[..., bytes]:
    return answer
