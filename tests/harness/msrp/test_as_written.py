"""Messages in chunks as somebody wants them: the octets on the wire, and what their answers make of them."""

from __future__ import annotations

import re

from harness.msrp.as_written import WrittenChunk
from harness.msrp.connection import MsrpConnection
from harness.msrp.message import Flag
from harness.msrp.session import MsrpSession, SessionSettings

OWN, FAR = "msrp://192.0.2.1:2855/own;tcp", "msrp://192.0.2.2:2855/far;tcp"


class Nobody:
    """A directory without sessions."""

    def session_for(self, uri: str, connection: MsrpConnection) -> None:
        return None


def attached() -> tuple[MsrpSession, MsrpConnection]:
    session, connection = MsrpSession(SessionSettings(OWN, (FAR,))), MsrpConnection(Nobody())
    connection.attach(session)
    return session, connection


def answered(connection: MsrpConnection, wire: bytes, *statuses: str) -> None:
    for tid, status in zip(re.findall(rb"MSRP (\w+) SEND", wire), statuses, strict=True):
        name = tid.decode()
        connection.receive(
            f"MSRP {name} {status}\r\nTo-Path: {OWN}\r\nFrom-Path: {FAR}\r\n-------{name}$\r\n".encode()
        )


def test_chunks_are_written_as_given() -> None:
    session, connection = attached()
    chunks = [WrittenChunk("1-4/2", b"abcd", Flag.MORE), WrittenChunk("9-9/2", b"x")]
    message = session.send_as_written(chunks, "text/plain")
    wire = connection.output(65536, 0.0)
    first, second = re.findall(rb"MSRP (\w+) SEND\r\n", wire)
    for tid, byte_range, body, flag in ((first, b"1-4/2", b"abcd", b"+"), (second, b"9-9/2", b"x", b"$")):
        head = b"MSRP %b SEND\r\nTo-Path: %b\r\nFrom-Path: %b\r\n" % (tid, FAR.encode(), OWN.encode())
        rest = b"Message-ID: %b\r\nByte-Range: %b\r\nContent-Type: text/plain\r\n\r\n%b\r\n-------%b%b\r\n"
        assert head + rest % (message.message_id.encode(), byte_range, body, tid, flag) in wire
    assert first != second
    answered(connection, wire, "200 OK", "200 OK")
    assert message.outcome is not None
    assert (message.outcome.status, message.outcome.octets) == (200, 5)


def test_a_refusal_is_its_outcome() -> None:
    session, connection = attached()
    message = session.send_as_written(
        [WrittenChunk("1-1/1", b"a"), WrittenChunk("1-1/1", b"a")], "text/plain"
    )
    answered(connection, connection.output(65536, 0.0), "200 OK", "400 Bad Request")
    assert message.outcome is not None
    assert message.outcome.status == 400


def test_it_waits_for_its_connection() -> None:
    session, connection = MsrpSession(SessionSettings(OWN, (FAR,))), MsrpConnection(Nobody())
    session.send_as_written([WrittenChunk("1-1/1", b"a")], "text/plain")
    connection.attach(session)
    assert b"Byte-Range: 1-1/1\r\n" in connection.output(65536, 0.0)
