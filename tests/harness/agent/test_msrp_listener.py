"""The MSRP port without sessions (RFC 4975 7.2, 7.3)."""

from __future__ import annotations

import asyncio
import socket

import pytest

from harness.agent.msrp_listener import MsrpListener, answer_without_session
from harness.errors import AddressTaken
from harness.evidence.timeline import Layer, Packet, Timeline
from harness.msrp.building import build_report, build_request
from harness.msrp.message import parse_msrp

ALICE, BOB, RELAY = (
    "msrp://127.0.0.1:9/one;tcp",
    "msrp://127.0.0.1:8493/two;tcp",
    "msrp://127.0.0.1:2855/relay;tcp",
)


def send(*headers: tuple[str, str], body: bytes | None = None, method: str = "SEND", **options: object):
    rows = [("Message-ID", "12339sdqwer"), *headers]
    if body is not None:
        rows.append(("Content-Type", "text/plain"))
    return build_request(method, [BOB], [RELAY, ALICE], rows, body, **options)


@pytest.mark.parametrize(
    "request_",
    [send(), send(body=b"hello"), send(("Failure-Report", "yes")), send(("Failure-Report", "partial"))],
)
def test_a_send_is_answered_481_to_the_previous_hop(request_) -> None:
    answer = answer_without_session(request_)
    assert (answer.status, answer.to_path, answer.from_path) == (481, (RELAY,), (BOB,))
    assert answer.transaction_id == request_.transaction_id


@pytest.mark.parametrize(
    "request_", [send(("Failure-Report", "no")), send(("failure-report", "NO")), build_report(send())]
)
def test_no_answer_to_report_and_where_none_is_wanted(request_) -> None:
    assert answer_without_session(request_) is None


def test_another_method_is_answered_all_the_way_back() -> None:
    answer = answer_without_session(send(method="AUTH"))
    assert (answer.status, answer.to_path) == (481, (RELAY, ALICE))


def test_what_cannot_be_understood_is_answered_400_if_its_paths_can() -> None:
    assert answer_without_session(send(("Byte-Range", "one"))).comment == "Bad Request: Byte-Range"
    raw = send(transaction_id="abcd1234").raw
    junk = parse_msrp(raw.replace(b"Message-ID: ", b"Message ID"))
    assert answer_without_session(junk).status == 400
    spaced = parse_msrp(raw.replace(b"Message-ID: ", b"Message-ID:"))
    assert answer_without_session(spaced).status == 481
    pathless = parse_msrp(raw.replace(b"From-Path", b"Form-Path"))
    assert answer_without_session(pathless) is None


class Wire(asyncio.Protocol):
    def __init__(self) -> None:
        self.got, self.ended, self.changed = b"", False, asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.got += data
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.changed.set()

    async def until(self, what) -> None:
        async with asyncio.timeout(5):
            while not what():
                self.changed.clear()
                await self.changed.wait()


def test_on_the_wire_and_on_the_timeline(in_loop) -> None:
    async def scenario() -> None:
        timeline = Timeline()
        listener = MsrpListener(timeline)
        address = await listener.listen("127.0.0.1")
        _, wire = await asyncio.get_running_loop().create_connection(Wire, *address)
        sent = build_report(send()).raw + send(("Failure-Report", "no")).raw + send(body=b"x").raw
        wire.transport.write(sent)
        await wire.until(lambda: wire.got.endswith(b"$\r\n"))
        packets = [each for each in timeline if isinstance(each, Packet)]
        assert {each.layer for each in packets} == {Layer.MSRP}
        assert b"".join(each.data for each in packets) == sent + wire.got
        assert wire.got.count(b" 481 ") == 1
        wire.transport.write(b"GET / HTTP/1.1\r\n\r\n")
        await wire.until(lambda: wire.ended)
        await listener.close()

    in_loop(scenario())


def test_half_a_message_is_closed_with_a_note_and_drop_ends_connections(in_loop, clock, watch) -> None:
    async def scenario() -> None:
        timeline = Timeline()
        listener = MsrpListener(timeline, scheduler=clock)
        address = await listener.listen("::1")
        loop = asyncio.get_running_loop()
        _, half = await loop.create_connection(Wire, *address)
        half.transport.write(send(body=b"x").raw[:50])
        await watch(timeline).packets(1)
        clock.advance(31)
        await half.until(lambda: half.ended)
        await watch(timeline).event("in the middle of a message (50 octets")
        _, other = await loop.create_connection(Wire, *address)
        await watch(timeline).until(lambda _: listener._connections)
        await listener.drop_connections()
        await other.until(lambda: other.ended)
        await watch(timeline).event("closed: dropped")
        _, last = await loop.create_connection(Wire, *address)
        await watch(timeline).until(lambda _: listener._connections)
        await listener.close()
        await last.until(lambda: last.ended)

    in_loop(scenario())


def test_a_taken_port_is_told(in_loop) -> None:
    async def scenario() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(AddressTaken):
                await MsrpListener(Timeline()).listen(*taken.getsockname())

    in_loop(scenario())
