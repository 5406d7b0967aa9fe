"""The parsers of harness/msrp under attack."""

from __future__ import annotations

from harness.errors import WireError
from harness.msrp.connection import MsrpConnection
from harness.msrp.framing import MsrpFramer
from harness.msrp.message import parse_msrp
from harness.msrp.session import MsrpSession, SessionSettings
from harness.msrp.uri import parse_path

from . import seeds
from .attack import pieces, properties, shown, text


def msrp_message(data: bytes) -> None:
    try:
        message = parse_msrp(data)
    except WireError:
        return
    properties(message)


def msrp_stream(data: bytes) -> None:
    whole, cut = MsrpFramer(), MsrpFramer()
    events = whole.receive(data)
    assert shown(events) == shown([event for piece in pieces(data) for event in cut.receive(piece)])
    assert whole.broken == cut.broken


class _Sessions:
    """A directory of one session, which lives on every connection that asks for it."""

    def __init__(self) -> None:
        self.session = MsrpSession(
            SessionSettings(seeds.OWN_PATH, ("msrp://atlanta.example.com:7654/x;tcp",))
        )

    def session_for(self, uri: str, connection: MsrpConnection) -> MsrpSession | int | None:
        return self.session if uri == seeds.OWN_PATH else 481


def msrp_connection(data: bytes) -> None:
    """A connection with a session answers what comes by whole messages of its own."""
    sessions = _Sessions()
    connection = MsrpConnection(sessions)
    connection.attach(sessions.session)
    framer = MsrpFramer()
    for number, piece in enumerate(pieces(data)):
        connection.receive(piece)
        events = framer.receive(connection.output(4096, float(number)))
        assert not any(isinstance(event, WireError) for event in events)
        sessions.session.take_events()
    connection.expire(1e6)
    assert not framer.broken


def msrp_path(data: bytes) -> None:
    try:
        path = parse_path(text(data), 3)
    except WireError:
        return
    assert parse_path(" ".join(map(str, path))) == path
