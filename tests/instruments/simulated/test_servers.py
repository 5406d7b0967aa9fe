"""The ports of the simulated box against clients that do not follow the rules."""

from __future__ import annotations

import socket
import struct

import pytest

HEADER = struct.Struct("!2sBBIQ")


def address(resource: str) -> tuple[str, int]:
    host = resource.split("::")[1]
    return host, int(resource.replace("hislip0,", "").split("::")[2])


def hislip(box, *, initialise: bool = True) -> socket.socket:  # type: ignore[no-untyped-def]
    connection = socket.create_connection(address(box.addresses["visa_hislip"]), 5)
    if initialise:
        connection.sendall(HEADER.pack(b"HS", 0, 0, 0x0100_0000, 7) + b"hislip0")
        assert receive(connection)[0] == 1
    return connection


def exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        assert piece, f"the box hung up after {data!r}"
        data += piece
    return data


def receive(connection: socket.socket) -> tuple[int, int, int, bytes]:
    prologue, kind, control, parameter, length = HEADER.unpack(exactly(connection, HEADER.size))
    assert prologue == b"HS"
    return kind, control, parameter, exactly(connection, length)


class Pair:
    """Both channels of a HiSLIP client, written by hand."""

    def __init__(self, box) -> None:  # type: ignore[no-untyped-def]
        self.synchronous = socket.create_connection(address(box.addresses["visa_hislip"]), 5)
        self.synchronous.sendall(HEADER.pack(b"HS", 0, 0, 0x0100_0000, 7) + b"hislip0")
        number = receive(self.synchronous)[2] & 0xFFFF
        self.asynchronous = hislip(box, initialise=False)
        self.asynchronous.sendall(HEADER.pack(b"HS", 17, 0, number, 0))
        assert receive(self.asynchronous)[0] == 18

    def close(self) -> None:
        self.synchronous.close()
        self.asynchronous.close()


@pytest.fixture
def pair(box):  # type: ignore[no-untyped-def]
    pair = Pair(box)
    yield pair
    pair.close()


def test_raw_socket_survives_half_a_line_and_noise(box) -> None:  # type: ignore[no-untyped-def]
    for noise in (b"*IDN", b"\xff\xfe\x00\n", b"#\n;;;\n"):
        with socket.create_connection(address(box.addresses["visa_socket"]), 5) as connection:
            connection.sendall(noise)
    with socket.create_connection(address(box.addresses["visa_socket"]), 5) as connection:
        connection.sendall(b"*OPC?\n")
        assert connection.recv(16) == b"1\n"


def test_many_queries_without_reading_come_in_order(box) -> None:  # type: ignore[no-untyped-def]
    with socket.create_connection(address(box.addresses["visa_socket"]), 5) as connection:
        connection.sendall(b"*OPC?;SYST:VERS?\n" * 1000)
        expected = b"1;1999.0\n" * 1000
        assert exactly(connection, len(expected)) == expected


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"GET / HTTP/1.1\r\n", 1),
        (HEADER.pack(b"HS", 0, 0, 0, 7) + b"hislip9", 3),
        (HEADER.pack(b"HS", 17, 0, 999, 0), 3),
        (HEADER.pack(b"HS", 7, 0, 0, 0), 3),
    ],
)
def test_a_wrong_start_is_a_fatal_error(box, frame: bytes, code: int) -> None:  # type: ignore[no-untyped-def]
    with hislip(box, initialise=False) as connection:
        connection.sendall(frame)
        assert receive(connection)[:2] == (2, code)
        assert connection.recv(1) == b""


def test_data_before_both_channels_stand_is_a_fatal_error(box) -> None:  # type: ignore[no-untyped-def]
    with hislip(box) as connection:
        connection.sendall(HEADER.pack(b"HS", 7, 0, 1, 6) + b"*OPC?\n")
        assert receive(connection)[:2] == (2, 2)


def test_a_message_in_pieces_is_answered_under_the_last_id(pair: Pair) -> None:
    pair.synchronous.sendall(
        HEADER.pack(b"HS", 6, 0, 10, 3) + b"*OP" + HEADER.pack(b"HS", 7, 0, 12, 3) + b"C?\n"
    )
    assert receive(pair.synchronous) == (7, 0, 12, b"1\n")


def test_replies_respect_the_clients_message_size(pair: Pair) -> None:
    pair.asynchronous.sendall(HEADER.pack(b"HS", 15, 0, 0, 8) + (16 + 4).to_bytes(8, "big"))
    assert receive(pair.asynchronous)[0] == 16
    pair.synchronous.sendall(HEADER.pack(b"HS", 7, 0, 2, 11) + b"SYST:VERS?\n")
    assert [receive(pair.synchronous) for _ in range(2)] == [(6, 0, 2, b"1999"), (7, 0, 2, b".0\n")]


def test_unknown_and_oversized_messages_are_errors_and_the_session_goes_on(pair: Pair) -> None:
    pair.synchronous.sendall(HEADER.pack(b"HS", 99, 0, 0, 0))
    assert receive(pair.synchronous)[:2] == (3, 1)
    size = (1 << 20) + 1
    pair.synchronous.sendall(HEADER.pack(b"HS", 7, 0, 0, size) + bytes(size))
    assert receive(pair.synchronous)[:2] == (3, 4)
    pair.synchronous.sendall(HEADER.pack(b"HS", 7, 0, 4, 6) + b"*OPC?\n")
    assert receive(pair.synchronous) == (7, 0, 4, b"1\n")


def test_device_clear_ends_a_query_that_waits(slow_box) -> None:  # type: ignore[no-untyped-def]
    pair = Pair(slow_box)
    message = b"SOUR:LTE:SIGN:CELL:STAT ON;*OPC?\n"
    pair.synchronous.sendall(HEADER.pack(b"HS", 7, 0, 2, len(message)) + message)
    pair.asynchronous.sendall(HEADER.pack(b"HS", 19, 0, 0, 0))
    assert receive(pair.asynchronous)[0] == 23
    pair.synchronous.sendall(HEADER.pack(b"HS", 8, 0, 0, 0))
    pair.synchronous.sendall(HEADER.pack(b"HS", 7, 0, 4, 11) + b"SYST:VERS?\n")
    assert receive(pair.synchronous) == (9, 0, 0, b"")
    assert receive(pair.synchronous) == (7, 0, 4, b"1999.0\n")
    pair.close()


def test_status_lock_and_local(pair: Pair) -> None:
    for asked, answered in ((21, 22), (4, 5), (24, 25), (10, 11)):
        pair.asynchronous.sendall(HEADER.pack(b"HS", asked, 0, 0, 0))
        assert receive(pair.asynchronous)[0] == answered
    pair.asynchronous.sendall(HEADER.pack(b"HS", 98, 0, 0, 0))
    assert receive(pair.asynchronous)[:2] == (3, 1)


@pytest.mark.parametrize(
    "line", [b"not json\n", b"[]\n", b"1\n", b'{"type":"dance"}\n', b'{"type":"attach"}\n', b"x" * 70_000]
)
def test_noise_on_the_air_link_drops_that_handset_only(box, line: bytes) -> None:  # type: ignore[no-untyped-def]
    host, port = box.addresses["air"].rsplit(":", 1)
    with (
        socket.create_connection((host, int(port)), 5) as good,
        socket.create_connection((host, int(port)), 5) as bad,
        good.makefile("rb") as heard,
    ):
        assert heard.readline() == b'{"type": "no-cell"}\n'
        bad.sendall(line)
        while bad.recv(4096):
            pass
        box.run(box.simulator.cell.settled())
        with socket.create_connection(address(box.addresses["visa_socket"]), 5) as connection:
            connection.sendall(b"SOUR:LTE:SIGN:CELL:STAT ON\n")
            assert b'"type": "cell"' in heard.readline()
