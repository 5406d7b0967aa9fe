"""The SIP transport layer on loopback: TLS, limits, keep-alives, reuse of connections."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.agent.metrics import Counter
from harness.agent.sip.agent import Hop, Incoming, SipAgent, TransportFailed
from harness.agent.sockets.connection_watch import ConnectionLimits
from harness.agent.sockets.tls import client_context
from harness.agent.sockets.tls_session import TlsSession
from harness.agent.sockets.tls_settings import ClientCertificate, TlsSettings
from harness.errors import AddressTaken, UsageError
from harness.evidence.timeline import Address, Event, Packet, Timeline, Transport
from harness.sip.framing import Limits
from harness.sip.message import Request, Response, build_request, build_response, parse_message
from harness.sip.stun import binding_response, parse_stun, write_stun

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")

UDP, TCP, TLS = Transport.UDP, Transport.TCP, Transport.TLS
HOST = "127.0.0.1"


def message(via: str, method: str = "MESSAGE", body: bytes = b"hello") -> Request:
    headers = {
        "Via": via,
        "Max-Forwards": "70",
        "From": "<sip:alice@example.net>;tag=one",
        "To": "<sip:bob@example.net>",
        "Call-ID": "call@192.0.2.1",
        "CSeq": f"1 {method}",
    }
    return build_request(method, "sip:bob@example.net", headers.items(), body)


class Side:
    """An agent that answers 200, its timeline and what it was handed."""

    def __init__(self, **options: Any) -> None:
        self.timeline = Timeline()
        self.incoming: list[Incoming] = []
        self.answering = True
        self.agent = SipAgent(self.timeline, self._on_request, **options)

    def _on_request(self, incoming: Incoming) -> None:
        self.incoming.append(incoming)
        if self.answering:
            self.answer()

    def answer(self) -> None:
        response = build_response(self.incoming[-1].message, 200, to_tag="two")
        self.agent.respond(self.incoming[-1], response)

    async def ask(self, hop: Hop, **options: Any) -> Response:
        return await self.agent.request(message(self.agent.via_for(hop), **options), hop)

    @property
    def packets(self) -> list[Packet]:
        return [each for each in self.timeline if isinstance(each, Packet)]

    @property
    def events(self) -> list[Event]:
        return [each for each in self.timeline if isinstance(each, Event)]

    def named(self, name: str) -> list[str]:
        return [each.text for each in self.events if each.name == name]


@asynccontextmanager
async def running(*each: Side) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for side in each:
            await side.agent.close()


class Wire(asyncio.Protocol):
    """The other end without any SIP in it; with a session, inside TLS."""

    def __init__(self, session: TlsSession | None = None) -> None:
        self.session = session
        self.got = b""
        self.ended = False
        self.changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        if self.session is not None:
            self.session.begin()
            transport.write(self.session.outgoing())

    def data_received(self, data: bytes) -> None:
        if self.session is not None:
            data = self.session.receive(data)
            self.transport.write(self.session.outgoing())
        self.got += data
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.changed.set()

    def write(self, data: bytes) -> None:
        if self.session is not None:
            self.session.write(data)
            data = self.session.outgoing()
        self.transport.write(data)

    def reset(self) -> None:
        """Close so that the other end sees a reset."""
        linger = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()

    async def until(self, what: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not what():
                self.changed.clear()
                await self.changed.wait()


async def wire_to(address: Address, session: TlsSession | None = None) -> Wire:
    _, wire = await asyncio.get_running_loop().create_connection(lambda: Wire(session), *address)
    if session is not None:
        await wire.until(lambda: session.secured or wire.ended)
    return wire


@pytest.fixture
def served(authority: Any) -> TlsSettings:
    return TlsSettings(*authority.issue("peer.example", HOST, "::1"))


@pytest.fixture
def trusting(authority: Any) -> TlsSettings:
    return TlsSettings(ca=authority.file)


def trusting_session(settings: TlsSettings) -> TlsSession:
    return TlsSession(client_context(settings), "peer.example")


# -- TLS


@pytest.mark.parametrize("host", [HOST, "::1"])
def test_a_request_goes_over_tls_and_its_octets_are_recorded_decrypted(
    host: str, in_loop, served, trusting
) -> None:
    async def scenario() -> None:
        near, far = Side(tls=trusting), Side()
        async with running(near, far):
            address = await far.agent.listen_tls(host, 0, served)
            listening = await near.agent.listen(host)
            response = await near.ask(Hop(TLS, *address))
            assert response.status == 200
            assert far.incoming[0].transport is TLS
            for side in (near, far):
                assert {each.transport for each in side.packets} == {TLS}
                assert side.packets[0].data.startswith(
                    b"MESSAGE sip:bob@example.net SIP/2.0\r\nVia: SIP/2.0/TLS"
                )
                assert side.packets[0].connection == side.packets[1].connection is not None
                (secured,) = side.named("tls")
                assert "TLSv1.3" in secured
                assert side.agent.metrics[Counter.SECURED] == 1
            assert "127.0.0.1" in near.named("tls")[0]
            assert f":{listening.port};" in response.get("Via")

    in_loop(scenario())


def test_a_via_names_the_port_that_listens_for_tls(in_loop, served, trusting) -> None:
    async def scenario() -> None:
        near = Side(tls=trusting)
        async with running(near):
            plain = await near.agent.listen(HOST)
            secured = await near.agent.listen_tls(HOST, 0, served)
            hop = Hop(TLS, HOST, 5061)
            assert near.agent.via_for(hop).startswith(f"SIP/2.0/TLS {secured};branch=z9hG4bK")
            assert near.agent.via_for(hop, plain).startswith(f"SIP/2.0/TLS {secured};")
            assert near.agent.via_for(Hop(TCP, HOST, 5060), secured).startswith(f"SIP/2.0/TCP {plain};")

    in_loop(scenario())


def test_a_handshake_that_fails_is_an_event_with_its_reason_and_fails_the_request(
    in_loop, watch, served, authority, tmp_path: Path
) -> None:
    async def scenario() -> None:
        other = type(authority)(tmp_path, "Other CA")
        near, far = Side(tls=TlsSettings(ca=other.file)), Side()
        async with running(near, far):
            address = await far.agent.listen_tls(HOST, 0, served)
            await near.agent.listen(HOST)
            with pytest.raises(TransportFailed, match=r"TLS failed: unable to get issuer cert locally"):
                await near.ask(Hop(TLS, *address))
            await watch(far.timeline).event("alert")
            for side in (near, far):
                assert len(side.named("tls-failed")) == 1
                assert side.agent.metrics[Counter.TLS_FAILED] == 1
            assert not near.packets and not far.packets

    in_loop(scenario())


def test_a_server_is_who_the_caller_wanted_or_nobody(in_loop, served, trusting) -> None:
    async def scenario() -> None:
        near, far = Side(tls=trusting), Side()
        async with running(near, far):
            address = await far.agent.listen_tls(HOST, 0, served)
            await near.agent.listen(HOST)
            assert (await near.ask(Hop(TLS, *address, "peer.example"))).status == 200
            with pytest.raises(TransportFailed, match=r"not other\.example \(RFC 5922 7\.3\)"):
                await near.ask(Hop(TLS, *address, "other.example"))
            assert len(far.incoming) == 1

    in_loop(scenario())


def test_a_client_without_the_certificate_asked_for_gets_no_further(
    in_loop, served, trusting, authority
) -> None:
    async def scenario() -> None:
        asking = replace(served, ca=authority.file, client_certificate=ClientCertificate.REQUIRED)
        bare, known = Side(tls=trusting), Side(tls=replace(trusting, **own(authority)))
        far = Side()
        async with running(bare, known, far):
            address = await far.agent.listen_tls(HOST, 0, asking)
            for side in (bare, known):
                await side.agent.listen(HOST)
            with pytest.raises(TransportFailed, match="certificate required"):
                await bare.ask(Hop(TLS, *address))
            assert "peer did not return a certificate" in far.named("tls-failed")[0]
            assert (await known.ask(Hop(TLS, *address))).status == 200
            assert "handset.example" in far.named("tls")[0]

    in_loop(scenario())


def own(authority: Any) -> dict[str, Path]:
    return dict(zip(("certificate", "key"), authority.issue("sip:handset.example"), strict=True))


def test_no_key_is_on_the_timeline_or_in_a_repr(in_loop, served, trusting) -> None:
    async def scenario() -> None:
        near, far = Side(tls=trusting), Side()
        async with running(near, far):
            address = await far.agent.listen_tls(HOST, 0, served)
            await near.agent.listen(HOST)
            await near.ask(Hop(TLS, *address))
        secret = served.key.read_text().splitlines()[1]
        assert secret not in "".join(map(str, [*near.timeline, *far.timeline, served]))

    in_loop(scenario())


@pytest.mark.parametrize(
    "octets", [b"OPTIONS sip:peer SIP/2.0\r\n\r\n", bytes(20_000), b"\x16\x03\x01\xff\xff"]
)
def test_junk_on_the_tls_port_is_an_event_and_the_next_one_is_served(
    octets: bytes, in_loop, watch, clock, served, trusting
) -> None:
    async def scenario() -> None:
        near, far = Side(tls=trusting), Side(scheduler=clock)
        async with running(near, far):
            address = await far.agent.listen_tls(HOST, 0, served)
            await near.agent.listen(HOST)
            wire = await wire_to(address)
            wire.write(octets)
            event = await watch(far.timeline).until(
                lambda seen: [each for each in seen if isinstance(each, Event) and each.name == "tls-failed"]
            )
            assert octets.startswith(b"\x16") or f"it began with {octets[:16]!r}" in event[0].text
            assert (await near.ask(Hop(TLS, *address))).status == 200
            assert len(far.packets) == 2

    in_loop(scenario())


def test_junk_inside_tls_is_recorded_and_the_connection_ends(in_loop, watch, clock, served, trusting) -> None:
    async def scenario() -> None:
        far = Side(scheduler=clock)
        async with running(far):
            address = await far.agent.listen_tls(HOST, 0, served)
            wire = await wire_to(address, trusting_session(trusting))
            wire.write(b"junk that is no SIP\r\n\r\n")
            (packet,) = await watch(far.timeline).packets(1)
            assert packet.transport is TLS and packet.data == b"junk that is no SIP\r\n\r\n" and packet.note
            await wire.until(lambda: wire.session.ended)
            assert far.agent.metrics[Counter.UNREADABLE] == 1

    in_loop(scenario())


def test_tls_that_breaks_in_a_record_is_noted(in_loop, watch, served, trusting) -> None:
    async def scenario() -> None:
        far = Side()
        async with running(far):
            address = await far.agent.listen_tls(HOST, 0, served)
            wire = await wire_to(address, trusting_session(trusting))
            wire.transport.write(b"\x17\x03\x03\x00\x05wrong")
            await watch(far.timeline).event("closed: TLS failed:")
            assert far.named("tls-failed")

    in_loop(scenario())


def test_a_tls_port_that_is_taken_or_has_no_certificate_is_told(in_loop, served, tmp_path: Path) -> None:
    async def scenario() -> None:
        far = Side()
        async with running(far):
            address = await far.agent.listen_tls(HOST, 0, served)
            with pytest.raises(AddressTaken):
                await far.agent.listen_tls(*address, served)
            with pytest.raises(UsageError, match="cannot be read"):
                await far.agent.listen_tls(HOST, 0, TlsSettings(tmp_path / "absent.pem"))
            assert far.agent.tls_addresses == [address]

    in_loop(scenario())


# -- reuse of connections


def test_a_tls_connection_is_shared_by_both_directions(in_loop, served, trusting) -> None:
    async def scenario() -> None:
        near, far = Side(tls=trusting), Side(tls=trusting)
        async with running(near, far):
            address = await far.agent.listen_tls(HOST, 0, served)
            await near.agent.listen(HOST)
            await near.ask(Hop(TLS, *address))
            await far.agent.listen(HOST)
            assert (await far.ask(Hop(TLS, *far.incoming[0].source))).status == 200
            assert near.agent.metrics[Counter.OPENED] == far.agent.metrics[Counter.ACCEPTED] == 1
            assert far.agent.metrics[Counter.REUSED] == 1

    in_loop(scenario())


def test_a_tls_connection_is_not_reused_for_a_name_it_was_not_made_for(in_loop, authority, trusting) -> None:
    async def scenario() -> None:
        near, far = Side(tls=trusting), Side()
        async with running(near, far):
            both = TlsSettings(*authority.issue("sip:one.example", "sip:two.example"))
            address = await far.agent.listen_tls(HOST, 0, both)
            await near.agent.listen(HOST)
            await near.ask(Hop(TLS, *address, "one.example"))
            await near.ask(Hop(TLS, *address, "two.example"))  # the certificate names it as well
            assert near.agent.metrics[Counter.OPENED] == 1
            with pytest.raises(TransportFailed, match=r"not three\.example"):
                await near.ask(Hop(TLS, *address, "three.example"))
            assert near.agent.metrics[Counter.OPENED] == 2

    in_loop(scenario())


@pytest.mark.parametrize(
    ("shown", "via_host", "alias", "reused"),
    [
        (True, "handset.example", ";alias", True),
        (True, "handset.example", "", False),
        (True, "else.example", ";alias", False),  # not who its certificate says
        (False, "handset.example", ";alias", False),  # RFC 5923 9.2: nobody without a certificate
    ],
)
def test_an_alias_is_honoured_for_who_proved_to_be_it(
    shown: bool, via_host: str, alias: str, reused: bool, in_loop, served, trusting, authority
) -> None:
    async def scenario() -> None:
        ours = replace(trusting, **own(authority)) if shown else trusting
        far = Side(tls=trusting, connect_seconds=0.5)
        async with running(far):
            asking = replace(served, ca=authority.file, client_certificate=ClientCertificate.OPTIONAL)
            address = await far.agent.listen_tls(HOST, 0, asking)
            wire = await wire_to(address, trusting_session(ours))
            port = free_port()
            wire.write(message(f"SIP/2.0/TLS {via_host}:{port};branch=z9hG4bKa{alias}").raw)
            await wire.until(lambda: b"SIP/2.0 200" in wire.got)
            hop = Hop(TLS, HOST, port, "handset.example")
            await far.agent.listen(HOST)
            asked = asyncio.ensure_future(far.ask(hop, method="OPTIONS"))
            if reused:
                await wire.until(lambda: b"OPTIONS" in wire.got)
                asked.cancel()
            else:
                with pytest.raises(TransportFailed, match="refused"):
                    await asked

    in_loop(scenario())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def test_a_response_finds_another_way_when_its_tls_connection_is_gone(
    in_loop, watch, served, trusting
) -> None:
    async def scenario() -> None:
        near, far = Side(tls=trusting), Side(tls=trusting)
        far.answering = False
        async with running(near, far):
            address = await far.agent.listen_tls(HOST, 0, served)
            secured = await near.agent.listen_tls(HOST, 0, served)
            asked = asyncio.ensure_future(near.ask(Hop(TLS, *address)))
            await watch(far.timeline).until(lambda _: far.incoming)
            near_end = await watch(near.timeline).event("opened to")
            for connection in near.agent._transport._connections:
                assert connection.number == near_end.number
                connection.close()
            await watch(far.timeline).event("closed: by the other end")
            far.answer()
            assert (await asked).status == 200
            assert far.packets[-1].destination == secured
            assert far.agent.metrics[Counter.RESPONDED_ANEW] == 1

    in_loop(scenario())


# -- limits, each with an event and a counter of its own


def test_the_shortest_limits_are_no_trouble_for_who_keeps_them(in_loop, clock) -> None:
    async def scenario() -> None:
        near, far = Side(), Side(scheduler=clock, connection_limits=ConnectionLimits(quiet_seconds=10))
        async with running(near, far):
            hop = Hop(TCP, *await far.agent.listen(HOST))
            await near.agent.listen(HOST)
            for _ in range(5):
                await near.ask(hop)
                clock.advance(9)
            assert near.agent.metrics[Counter.OPENED] == 1
            assert not [each for each in far.events if each.name != "connection"]

    in_loop(scenario())


def test_a_quiet_connection_is_ended(in_loop, clock, watch) -> None:
    async def scenario() -> None:
        far = Side(scheduler=clock, connection_limits=ConnectionLimits(quiet_seconds=10))
        async with running(far):
            wire = await wire_to(await far.agent.listen(HOST))
            wire.write(b"\r\n\r\n")
            await watch(far.timeline).packets(2)
            clock.advance(19)
            assert not far.named("quiet-connection")
            clock.advance(1)
            await wire.until(lambda: wire.ended)
            assert far.named("quiet-connection") == ["nothing came or went for 10 s"]
            assert far.agent.metrics[Counter.QUIET] == 1

    in_loop(scenario())


@pytest.mark.parametrize("secured", [False, True], ids=["TCP", "TLS"])
def test_a_message_that_trickles_is_ended_although_octets_keep_coming(
    secured: bool, in_loop, clock, watch, served, trusting
) -> None:
    async def scenario() -> None:
        limits = ConnectionLimits(rest_seconds=10, message_seconds=60)
        far = Side(scheduler=clock, connection_limits=limits)
        async with running(far):
            if secured:
                wire = await wire_to(await far.agent.listen_tls(HOST, 0, served), trusting_session(trusting))
            else:
                wire = await wire_to(await far.agent.listen(HOST))
            raw = message("SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKslow").raw
            wire.write(raw)  # one in good time does not count
            await watch(far.timeline).packets(2)
            for count in range(10):
                wire.write(raw[count : count + 1])
                await watch(far.timeline).packets(3 + count)
                assert not wire.ended
                clock.advance(6)
            await wire.until(lambda: wire.ended)
            assert far.named("slow-writer") == ["a message was not complete after 60 s"]
            assert far.agent.metrics[Counter.SLOW_WRITER] == far.agent.metrics[Counter.CUT] == 1
            assert "in the middle of a message (10 octets" in far.named("connection")[-1]

    in_loop(scenario())


@pytest.mark.parametrize("secured", [False, True], ids=["TCP", "TLS"])
def test_many_that_trickle_hold_nobody_up_and_all_are_ended(
    secured: bool, in_loop, clock, watch, served, trusting
) -> None:
    async def scenario() -> None:
        near, far = Side(tls=trusting), Side(scheduler=clock)
        async with running(near, far):
            plain = await far.agent.listen(HOST)
            address = await far.agent.listen_tls(HOST, 0, served) if secured else plain
            await near.agent.listen(HOST)
            raw = message("SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKloris").raw
            session = partial(trusting_session, trusting) if secured else lambda: None
            wires = [await wire_to(address, session()) for _ in range(40)]
            for beat in range(7):
                for wire in wires:
                    wire.write(raw[beat : beat + 1])
                await watch(far.timeline).packets(40 * (beat + 1) + 2 * beat)
                assert (await near.ask(Hop(TLS if secured else TCP, *address))).status == 200
                clock.advance(9)
            for wire in wires:
                await wire.until(lambda w=wire: w.ended)
            assert len(far.named("slow-writer")) == far.agent.metrics[Counter.CUT] == 40
            assert (await near.ask(Hop(TLS if secured else TCP, *address))).status == 200

    in_loop(scenario())


def test_a_reader_that_takes_nothing_is_ended(in_loop, clock, watch) -> None:
    async def scenario() -> None:
        far = Side(scheduler=clock, connection_limits=ConnectionLimits(drain_seconds=30))
        far.answering = False
        async with running(far):
            wire = await wire_to(await far.agent.listen(HOST))
            wire.write(message("SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKr").raw)
            await watch(far.timeline).packets(1)
            wire.transport.pause_reading()
            hop = Hop(TCP, *far.incoming[0].source)
            await far.agent.send(bytes(12 * 1024 * 1024), hop)
            clock.advance(29)
            assert not far.named("slow-reader")
            clock.advance(31)
            assert "nothing of what is sent was taken for 30 s" in far.named("slow-reader")
            await watch(far.timeline).event("closed: nothing of what is sent")
            wire.transport.abort()

    in_loop(scenario())


def test_a_handshake_that_takes_too_long_is_ended(in_loop, clock, watch, served) -> None:
    async def scenario() -> None:
        far = Side(scheduler=clock, connection_limits=ConnectionLimits(handshake_seconds=5))
        async with running(far):
            wire = await wire_to(await far.agent.listen_tls(HOST, 0, served))
            wire.write(b"\x16\x03\x01\x02\x00\x01")
            await watch(far.timeline).event("accepted from")
            clock.advance(5)
            await wire.until(lambda: wire.ended)
            assert far.named("slow-handshake") == ["the TLS handshake was not done within 5 s"]
            assert far.agent.metrics[Counter.SLOW_HANDSHAKE] == far.agent.metrics[Counter.TLS_FAILED] == 1

    in_loop(scenario())


@pytest.mark.parametrize("secured", [False, True], ids=["TCP", "TLS"])
def test_one_source_has_only_so_many_connections(secured: bool, in_loop, watch, served) -> None:
    async def scenario() -> None:
        far = Side(connection_limits=ConnectionLimits(per_source=2))
        async with running(far):
            address = await (far.agent.listen_tls(HOST, 0, served) if secured else far.agent.listen(HOST))
            wires = [await wire_to(address) for _ in range(3)]
            await wires[2].until(lambda: wires[2].ended)
            assert not wires[0].ended and not wires[1].ended
            assert far.named("too-many-connections") == [f"{HOST} has 2 connections already"]
            wires[0].transport.close()
            await watch(far.timeline).until(lambda _: len(far.named("connection")) >= 5)
            again = await wire_to(address)
            await watch(far.timeline).until(lambda _: len(far.named("connection")) >= 6)
            assert not again.ended
            assert far.agent.metrics[Counter.TOO_MANY_CONNECTIONS] == 1

    in_loop(scenario())


def many_fields(raw: bytes) -> bytes:
    return raw.replace(b"\r\n\r\n", b"\r\n" + b"X: y\r\n" * 9 + b"\r\n")


def large_body(raw: bytes) -> bytes:
    return raw.replace(b"Length: 5", b"Length: 5000")


def long_head(raw: bytes) -> bytes:
    return raw[:-9] + b"X: " + b"y" * 1000


@pytest.mark.parametrize(
    ("spoil", "limits", "status", "name"),
    [
        (many_fields, Limits(fields=10), 513, "too-many-headers"),
        (large_body, Limits(body_octets=999), 413, "message-too-large"),
        (long_head, Limits(header_octets=600), 513, "message-too-large"),
    ],
)
def test_a_message_above_a_limit_is_refused_with_an_event(
    spoil: Callable[[bytes], bytes], limits: Limits, status: int, name: str, in_loop
) -> None:
    async def scenario() -> None:
        far = Side(limits=limits)
        async with running(far):
            wire = await wire_to(await far.agent.listen(HOST))
            wire.write(spoil(message("SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKl").raw))
            await wire.until(lambda: b"\r\n\r\n" in wire.got)
            assert parse_message(wire.got).status == status
            assert "above the limit" in far.named(name)[0] or "within 600 octets" in far.named(name)[0]
            assert not far.incoming
            assert far.agent.metrics[Counter(name)] == 1

    in_loop(scenario())


def test_a_datagram_with_too_many_headers_is_refused(in_loop) -> None:
    async def scenario() -> None:
        near, far = Side(), Side(limits=Limits(fields=6))
        async with running(near, far):
            hop = Hop(UDP, *await far.agent.listen(HOST))
            await near.agent.listen(HOST)
            assert (await near.ask(hop)).status == 513
            assert far.named("too-many-headers") and not far.incoming

    in_loop(scenario())


def test_a_reset_in_mid_message_is_counted_and_no_traceback(in_loop, watch, caplog) -> None:
    async def scenario() -> None:
        far = Side()
        async with running(far):
            wire = await wire_to(await far.agent.listen(HOST))
            wire.write(message("SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKcut").raw[:50])
            await watch(far.timeline).packets(1)
            wire.reset()
            event = await watch(far.timeline).event("closed: reset")
            assert "in the middle of a message (50 octets of it had come)" in event.text
            assert far.agent.metrics[Counter.RESET] == far.agent.metrics[Counter.CUT] == 1
        assert not caplog.records

    in_loop(scenario())


# -- keep-alive by CRLF (RFC 5626 4.4.1)


def test_a_ping_is_answered_by_one_line_end_inside_tls_too(in_loop, served, trusting) -> None:
    async def scenario() -> None:
        far = Side()
        async with running(far):
            for address, session in (
                (await far.agent.listen(HOST), None),
                (await far.agent.listen_tls(HOST, 0, served), trusting_session(trusting)),
            ):
                wire = await wire_to(address, session)
                for count in range(1, 4):
                    wire.write(b"\r\n\r\n")
                    await wire.until(lambda w=wire, n=count: len(w.got) >= 2 * n)
                assert wire.got == b"\r\n" * 3
            assert far.agent.metrics[Counter.PINGS] == 6

    in_loop(scenario())


# -- wildcard addresses


def test_on_all_addresses_the_one_that_was_meant_is_named(in_loop) -> None:
    async def scenario() -> None:
        near, far = Side(), Side()
        async with running(near, far):
            address = await far.agent.listen("0.0.0.0")
            await near.agent.listen(HOST)
            for transport in (UDP, TCP):
                await near.ask(Hop(transport, HOST, address.port))
                assert far.incoming[-1].local == Address(HOST, address.port)
            assert "0.0.0.0" not in "".join(f"{each.source}{each.destination}" for each in far.packets)
            assert far.agent.via_for(Hop(UDP, HOST, 5060)).startswith(f"SIP/2.0/UDP {HOST}:{address.port};")

    in_loop(scenario())


# -- the transport by size (RFC 3261 18.1.1)


LARGE = b"x" * 1200


def test_a_large_request_goes_over_tcp_and_its_via_says_so(in_loop) -> None:
    async def scenario() -> None:
        near, far = Side(), Side()
        async with running(near, far):
            hop = Hop(UDP, *await far.agent.listen(HOST))
            await near.agent.listen(HOST)
            request = message(near.agent.via_for(hop), body=LARGE)
            response = await near.agent.request(request, hop)
            assert {each.transport for each in far.packets} == {TCP}
            assert response.via == request.via._replace(transport="TCP", parameters=response.via.parameters)
            assert response.via.branch == request.via.branch
            await near.ask(hop, body=LARGE[:300])
            assert far.packets[-1].transport is UDP
            assert near.agent.metrics[Counter.SWITCHED] == 1

    in_loop(scenario())


@pytest.mark.parametrize(("octets", "transport"), [(1300, UDP), (1301, TCP)])
def test_1300_octets_is_the_last_size_for_udp(octets: int, transport: Transport, in_loop) -> None:
    async def scenario() -> None:
        near, far = Side(), Side()
        async with running(near, far):
            hop = Hop(UDP, *await far.agent.listen(HOST))
            await near.agent.listen(HOST)
            via = near.agent.via_for(hop)
            bare = len(message(via, body=b"x" * 1000).raw) - 1000
            request = message(via, body=b"x" * (octets - bare))
            assert len(request.raw) == octets
            await near.agent.request(request, hop)
            assert far.packets[0].transport is transport

    in_loop(scenario())


def test_where_tcp_is_refused_a_large_request_goes_over_udp_after_all(in_loop) -> None:
    async def scenario() -> None:
        near, far = Side(), Side()
        async with running(near, far):
            hop = Hop(UDP, *await far.agent.listen(HOST))
            await near.agent.listen(HOST)
            for server in far.agent._transport._servers:
                server.close()
            assert (await near.ask(hop, body=LARGE)).status == 200
            assert {each.transport for each in far.packets} == {UDP}
            assert near.agent.metrics[Counter.FELL_BACK] == 1

    in_loop(scenario())


def test_exactly_by_udp_means_by_udp(in_loop) -> None:
    async def scenario() -> None:
        near, far = Side(), Side()
        async with running(near, far):
            hop = Hop(UDP, *await far.agent.listen(HOST))
            await near.agent.listen(HOST)
            await near.agent.request(message(near.agent.via_for(hop), body=LARGE), hop, exact=True)
            assert {each.transport for each in far.packets} == {UDP}

    in_loop(scenario())


# -- STUN on the port of SIP (RFC 5626 8)


class Datagrams(asyncio.DatagramProtocol):
    """A bare UDP socket."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.changed = asyncio.Event()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.got.append(data)
        self.changed.set()

    async def until(self, count: int) -> list[bytes]:
        async with asyncio.timeout(5):
            while len(self.got) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.got


async def socket_at(host: str) -> tuple[asyncio.DatagramTransport, Datagrams]:
    loop = asyncio.get_running_loop()
    return await loop.create_datagram_endpoint(Datagrams, local_addr=(host, 0))


@pytest.mark.parametrize("host", [HOST, "::1"])
def test_a_binding_request_is_answered_with_the_address_it_came_from(host: str, in_loop, caplog) -> None:
    async def scenario() -> None:
        far = Side()
        async with running(far):
            address = await far.agent.listen(host)
            transport, wire = await socket_at(host)
            transport.sendto(bytes.fromhex("000100002112a442b7e7a701bc34d686fa87dfae"), tuple(address))
            (response,) = await wire.until(1)
            assert response[:2] == b"\x01\x01" and response[8:20].hex() == "b7e7a701bc34d686fa87dfae"
            assert parse_stun(response).mapped_address == transport.get_extra_info("sockname")[:2]
            mapped = Address(*transport.get_extra_info("sockname")[:2])
            assert [each.note for each in far.packets] == [
                "STUN Binding request",
                f"STUN Binding success: {mapped}",
            ]
            assert not far.incoming and far.agent.metrics[Counter.BINDINGS] == 1
            transport.close()
        assert not caplog.records

    in_loop(scenario())


def test_stun_that_is_broken_is_recorded_and_nobody_answers(in_loop, watch) -> None:
    async def scenario() -> None:
        near, far = Side(), Side()
        async with running(near, far):
            address = await far.agent.listen(HOST)
            await near.agent.listen(HOST)
            transport, wire = await socket_at(HOST)
            faulty = bytes.fromhex("000100042112a442b7e7a701bc34d686fa87dfae")
            indication = bytes.fromhex("001100002112a442b7e7a701bc34d686fa87dfae")
            unasked = bytes.fromhex("010100002112a442b7e7a701bc34d686fa87dfae")
            for octets in (faulty, indication, unasked):
                transport.sendto(octets, tuple(address))
            await watch(far.timeline).packets(3)
            assert (await near.ask(Hop(UDP, *address))).status == 200
            assert far.packets[0].note.startswith("STUN, discarded: STUN length at octet 2")
            assert not wire.got and far.agent.metrics[Counter.STUN_FAULTY] == 1
            transport.close()

    in_loop(scenario())


# -- the client's own keep-alives (RFC 5626 4.4)


@pytest.mark.parametrize("secured", [False, True], ids=["TCP", "TLS"])
def test_a_connection_is_pinged_until_no_pong_comes(
    secured: bool, in_loop, clock, watch, served, trusting
) -> None:
    async def scenario() -> None:
        near, far = Side(scheduler=clock, tls=trusting), Side()
        async with running(near, far):
            plain = await far.agent.listen(HOST)
            address = await far.agent.listen_tls(HOST, 0, served) if secured else plain
            await near.agent.listen(HOST)
            failures: list[str] = []
            hop = Hop(TLS if secured else TCP, *address)
            await near.agent.keep_alive(hop, failures.append, flow_timer=40)
            clock.advance(31.9)  # 80 to 100 % of the time
            assert not near.packets
            clock.advance(8.1)
            await watch(near.timeline).packets(2)
            for count in (2, 3):
                clock.advance(40)
                await watch(near.timeline).packets(2 * count)
            assert [each.data for each in near.packets] == [b"\r\n\r\n", b"\r\n"] * 3
            assert far.agent.metrics[Counter.PINGS] == 3 and near.agent.metrics[Counter.PINGS] == 0
            assert not failures
            for connection in far.agent._transport._connections:
                connection._transport.pause_reading()
            clock.advance(40)
            clock.advance(10)
            assert failures == ["no pong within 10 s (RFC 5626 4.4.1)"]
            assert near.named("flow-failed") == failures
            await watch(near.timeline).event("closed: no pong within 10 s")

    in_loop(scenario())


def test_a_ping_of_the_other_end_is_still_answered_by_who_pings_itself(in_loop, clock, watch) -> None:
    async def scenario() -> None:
        near, far = Side(scheduler=clock), Side(scheduler=clock)
        async with running(near, far):
            hop = Hop(TCP, *await far.agent.listen(HOST))
            await near.agent.listen(HOST)
            failures: list[str] = []
            await near.agent.keep_alive(hop, failures.append, flow_timer=40)
            clock.advance(40)
            await watch(near.timeline).packets(2)
            back = Hop(TCP, *far.packets[0].source)
            await far.agent.keep_alive(back, failures.append, flow_timer=10)
            clock.advance(10)  # before its own next: a ping and a pong may come as one piece
            await watch(near.timeline).packets(4)
            await watch(far.timeline).packets(4)
            assert [each.data for each in near.packets[2:]] == [b"\r\n\r\n", b"\r\n"]
            assert near.packets[2].source == far.packets[2].source
            assert not failures

    in_loop(scenario())


def test_a_udp_flow_is_asked_for_by_stun_until_nobody_answers(in_loop, clock, watch) -> None:
    async def scenario() -> None:
        near, far = Side(scheduler=clock), Side()
        async with running(near, far):
            hop = Hop(UDP, *await far.agent.listen(HOST))
            await near.agent.listen(HOST)
            failures: list[str] = []
            flow = await near.agent.keep_alive(hop, failures.append, flow_timer=0.5)
            clock.advance(0.39)
            assert not near.packets
            clock.advance(0.11)
            await watch(near.timeline).packets(2)
            assert flow.mapped == tuple(near.agent.addresses[0])
            await far.agent.close()
            before = len(near.packets)
            clock.advance(0.5)
            clock.advance(39.4)
            assert not failures
            clock.advance(0.2)
            assert len(near.packets) - before == 7
            assert len({each.data for each in near.packets[before:]}) == 1
            assert failures == ["no answer to 7 STUN Binding requests (RFC 5626 4.4.2)"]

    in_loop(scenario())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda asked: binding_response(asked, "192.0.2.9", 9), "changed to 192.0.2.9:9"),
        (lambda asked: replace(binding_response(asked, HOST, 1), attributes=()), "STUN Binding success"),
        (lambda asked: binding_response(replace(asked, attributes=((0x24, b""),)), HOST, 1), "error 420"),
    ],
)
def test_an_answer_that_tells_of_another_flow_ends_it(
    answer: Any, reason: str, in_loop, clock, watch
) -> None:
    async def scenario() -> None:
        near = Side(scheduler=clock)
        async with running(near):
            await near.agent.listen(HOST)
            transport, wire = await socket_at(HOST)
            ended = asyncio.get_running_loop().create_future()
            hop = Hop(UDP, *transport.get_extra_info("sockname"))
            flow = await near.agent.keep_alive(hop, ended.set_result, flow_timer=0.5)
            clock.advance(0.5)
            asked = parse_stun((await wire.until(1))[0])
            transport.sendto(write_stun(binding_response(asked, HOST, 1)), tuple(near.agent.addresses[0]))
            await watch(near.timeline).packets(2)
            assert flow.mapped == (HOST, 1)
            clock.advance(0.5)
            asked = parse_stun((await wire.until(2))[1])
            transport.sendto(write_stun(answer(asked)), tuple(near.agent.addresses[0]))
            async with asyncio.timeout(5):
                assert reason in await ended
            transport.close()

    in_loop(scenario())


def test_a_flow_that_is_stopped_is_silent(in_loop, clock) -> None:
    async def scenario() -> None:
        near, far = Side(scheduler=clock), Side()
        async with running(near, far):
            address = await far.agent.listen(HOST)
            await near.agent.listen(HOST)
            failures: list[str] = []
            for transport in (UDP, TCP):
                flow = await near.agent.keep_alive(Hop(transport, *address), failures.append)
                if transport is TCP:
                    with pytest.raises(UsageError, match="kept alive already"):
                        await near.agent.keep_alive(Hop(transport, *address), failures.append)
                flow.stop()
            clock.advance(1000)
            assert not near.packets and not failures

    in_loop(scenario())


@pytest.mark.parametrize(("transport", "least", "most"), [(UDP, 24, 29), (TCP, 95, 120)])
def test_without_a_flow_timer_the_times_are_those_of_the_text(
    transport: Transport, least: float, most: float, in_loop, clock
) -> None:
    async def scenario() -> None:
        near, far = Side(scheduler=clock), Side()
        async with running(near, far):
            address = await far.agent.listen(HOST)
            await near.agent.listen(HOST)
            await near.agent.keep_alive(Hop(transport, *address), lambda reason: None)
            clock.advance(least - 0.1)
            assert not near.packets
            clock.advance(most - least + 0.2)
            assert near.packets

    in_loop(scenario())
