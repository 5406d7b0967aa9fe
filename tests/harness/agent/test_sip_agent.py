"""The SIP agent on loopback sockets."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from harness.agent.sip.agent import Hop, Incoming, SipAgent, TransactionTimeout, TransportFailed
from harness.agent.sockets.connection_watch import ConnectionLimits
from harness.errors import AddressTaken, LabError, UsageError
from harness.evidence.timeline import Address, Event, Packet, Timeline, Transport
from harness.sip.framing import Limits
from harness.sip.message import Request, Response, build_request, build_response, parse_message
from harness.sip.transaction import Timers

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")

UDP, TCP = Transport.UDP, Transport.TCP


def message(
    via: str, method: str = "MESSAGE", body: bytes = b"hello", number: int = 1, **more: str
) -> Request:
    headers = {
        "Via": via,
        "Max-Forwards": "70",
        "From": "<sip:alice@example.net>;tag=one",
        "To": "<sip:bob@example.net>",
        "Call-ID": "call@192.0.2.1",
        "CSeq": f"{number} {method}",
    } | more
    return build_request(method, "sip:bob@example.net", headers.items(), body)


def answering(status: int = 200) -> Callable[[SipAgent, Incoming], None]:
    return lambda agent, incoming: agent.respond(
        incoming, build_response(incoming.message, status, to_tag="two")
    )


class Side:
    """An agent, its timeline and what it was handed."""

    def __init__(
        self, behaviour: Callable[[SipAgent, Incoming], None] | None = None, **options: object
    ) -> None:
        self.timeline = Timeline()
        self.incoming: list[Incoming] = []
        self.behaviour = behaviour or answering()
        self.agent = SipAgent(self.timeline, self._on_request, **options)

    def _on_request(self, incoming: Incoming) -> None:
        self.incoming.append(incoming)
        self.behaviour(self.agent, incoming)

    @property
    def packets(self) -> list[Packet]:
        return [each for each in self.timeline if isinstance(each, Packet)]

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.timeline if isinstance(each, Event)]

    def hop(self, transport: Transport) -> Hop:
        return Hop(transport, *self.agent.addresses[0])

    def message(self, hop: Hop, **options: object) -> Request:
        return message(self.agent.via_for(hop), **options)


@asynccontextmanager
async def sides(*each: Side, host: str = "127.0.0.1") -> AsyncIterator[None]:
    for side in each:
        await side.agent.listen(host)
    try:
        yield
    finally:
        for side in each:
            await side.agent.close()


class Wire(asyncio.Protocol, asyncio.DatagramProtocol):
    """The other end without any SIP in it."""

    def __init__(self) -> None:
        self.got = b""
        self.datagrams: list[bytes] = []
        self.changed = asyncio.Event()
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.got += data
        self.changed.set()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.datagrams.append(data)
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.changed.set()

    async def until(self, what: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not what():
                self.changed.clear()
                await self.changed.wait()

    async def responses(self, count: int) -> list[Response]:
        await self.until(lambda: self.got.count(b"SIP/2.0 ") + len(self.datagrams) >= count)
        parts = [b"SIP/2.0 " + part for part in (b"\r\n" + self.got).split(b"\r\nSIP/2.0 ")[1:]]
        return [parse_message(part) for part in parts + self.datagrams]


async def stream_to(side: Side) -> Wire:
    _, wire = await asyncio.get_running_loop().create_connection(Wire, *side.agent.addresses[0])
    return wire


async def datagrams_to(side: Side) -> tuple[Wire, int]:
    loop = asyncio.get_running_loop()
    transport, wire = await loop.create_datagram_endpoint(Wire, remote_addr=side.agent.addresses[0])
    return wire, transport.get_extra_info("sockname")[1]


def closings(side: Side) -> int:
    return sum("closed: " in text for text in side.texts)


def reset(wire: Wire) -> None:
    """Close so that the other end sees a reset."""
    wire.transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    wire.transport.abort()


# -- the way there and back


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("transport", [UDP, TCP])
def test_a_request_is_answered_and_each_octet_is_on_both_timelines_once(in_loop, host, transport) -> None:
    async def scenario() -> None:
        near, far = Side(), Side()
        async with sides(near, far, host=host):
            hop = far.hop(transport)
            request = near.message(hop)
            response = await near.agent.request(request, hop)
            assert (response.status, response.via.branch) == (200, request.via.branch)
        for side in (near, far):
            assert [each.data for each in side.packets] == [request.raw, response.raw]
            assert {each.transport for each in side.packets} == {transport}
            ids = {each.connection for each in side.packets}
            assert len(ids) == 1
            assert (ids == {None}) is (transport is UDP)
        there, back = far.packets
        assert (there.source, there.destination) == (back.destination, back.source)

    in_loop(scenario())


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_received_and_rport_are_filled_into_the_message_handed_up(in_loop, transport) -> None:
    async def scenario() -> None:
        near, far = Side(), Side()
        async with sides(near, far):
            hop = far.hop(transport)
            await near.agent.request(near.message(hop), hop)
            (incoming,) = far.incoming
            via = incoming.message.via
            assert (via.received, via.rport) == incoming.source
            assert incoming.local == far.agent.addresses[0]
            assert incoming.connection == far.packets[0].connection

    in_loop(scenario())


def test_without_rport_a_response_goes_to_the_port_of_sent_by(in_loop) -> None:
    async def scenario() -> None:
        far = Side()
        async with sides(far):
            loop = asyncio.get_running_loop()
            asking, _ = await datagrams_to(far)
            transport, waiting = await loop.create_datagram_endpoint(Wire, ("127.0.0.1", 0))
            port = transport.get_extra_info("sockname")[1]
            asking.transport.sendto(message(f"SIP/2.0/UDP name.example:{port};branch=z9hG4bKx").raw)
            (response,) = await waiting.responses(1)
            assert (response.via.received, asking.datagrams) == ("127.0.0.1", [])
            asking.transport.close(), transport.close()

    in_loop(scenario())


def test_a_connection_is_used_again_for_both_directions(in_loop) -> None:
    async def scenario() -> None:
        near, far = Side(), Side()
        async with sides(near, far):
            hop = far.hop(TCP)
            for _ in range(3):
                await near.agent.request(near.message(hop), hop)
            source = far.incoming[0].source
            back = Hop(TCP, *source)
            assert (await far.agent.request(far.message(back), back)).status == 200
            assert len({each.connection for each in far.packets}) == 1

    in_loop(scenario())


def test_a_connection_comes_from_the_address_the_agent_listens_on(in_loop) -> None:
    """Else the other end, or a capture, takes it for somebody else's."""

    async def scenario() -> None:
        near, far = Side(), Side()
        async with sides(near, host="127.0.0.2"), sides(far):
            hop = far.hop(TCP)
            await near.agent.request(near.message(hop), hop)
            assert far.incoming[0].source.host == "127.0.0.2"

    in_loop(scenario())


def test_simultaneous_requests_share_one_new_connection(in_loop) -> None:
    async def scenario() -> None:
        near, far = Side(), Side()
        async with sides(near, far):
            hop = far.hop(TCP)
            await asyncio.gather(*(near.agent.request(near.message(hop), hop) for _ in range(20)))
            assert len({each.connection for each in far.packets}) == 1
            assert len(far.incoming) == 20

    in_loop(scenario())


def test_a_response_goes_over_a_new_connection_when_that_of_the_request_is_gone(in_loop, watch) -> None:
    async def scenario() -> None:
        near, far = Side(), Side(lambda agent, incoming: None)
        async with sides(near, far):
            local = near.agent.addresses[0]
            wire = await stream_to(far)
            request = message(f"SIP/2.0/TCP {local};branch=z9hG4bKgone;rport")
            wire.transport.write(request.raw)
            await watch(far.timeline).packets(1)
            wire.transport.close()
            await watch(far.timeline).event("closed: by the other end")
            answering()(far.agent, far.incoming[0])
            (got,) = await watch(near.timeline).packets(1)
            assert got.data.startswith(b"SIP/2.0 200")
            assert far.packets[1].destination == local

    in_loop(scenario())


def test_a_response_that_finds_no_way_back_is_noted_and_nothing_breaks(in_loop, watch) -> None:
    async def scenario() -> None:
        far = Side(lambda agent, incoming: None)
        async with sides(far):
            for count, method in enumerate(("MESSAGE", "INVITE"), 1):
                wire = await stream_to(far)
                via = f"SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bK{method}"
                wire.transport.write(message(via, method).raw)
                await watch(far.timeline).packets(count)
                reset(wire)
                await watch(far.timeline).until(lambda _, n=count: closings(far) == n)
                answering()(far.agent, far.incoming[-1])
                note = await watch(far.timeline).event(f"{method} from")
                assert "the response was not sent" in note.text

    in_loop(scenario())


# -- transactions on the clock


def test_a_message_is_repeated_over_udp_and_times_out(in_loop, clock, watch) -> None:
    async def scenario() -> None:
        near, far = Side(scheduler=clock), Side(lambda agent, incoming: agent.stay_silent(incoming))
        async with sides(near, far):
            hop = far.hop(UDP)
            task = asyncio.ensure_future(near.agent.request(near.message(hop), hop))
            await watch(near.timeline).packets(1)
            clock.advance(40)
            with pytest.raises(
                TransactionTimeout, match=r"MESSAGE to UDP 127\.0\.0\.1:\d+: no final response"
            ):
                await task
            assert len(near.packets) == 11
            assert not near.agent._asked

    in_loop(scenario())


def test_a_repeat_is_answered_by_the_agent_and_handed_up_once(in_loop) -> None:
    async def scenario() -> None:
        far = Side()
        async with sides(far):
            wire, port = await datagrams_to(far)
            data = message(f"SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKx").raw
            for _ in range(3):
                wire.transport.sendto(data)
            responses = await wire.responses(3)
            assert len({each.raw for each in responses}) == 1
            assert len(far.incoming) == 1
            wire.transport.close()

    in_loop(scenario())


def test_a_message_nobody_answers_gets_100_after_3_5_s_and_never_408(in_loop, clock, watch) -> None:
    async def scenario() -> None:
        far = Side(answering(408), scheduler=clock)
        async with sides(far):
            wire, port = await datagrams_to(far)
            wire.transport.sendto(message(f"SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKx").raw)
            await watch(far.timeline).packets(1)
            clock.advance(3.4)
            assert len(far.packets) == 1
            clock.advance(60)
            (response,) = await wire.responses(1)
            assert (response.status, len(far.packets)) == (100, 2)
            assert not far.agent._services
            wire.transport.close()

    in_loop(scenario())


def test_provisional_responses_are_told_and_a_refused_invite_is_acknowledged(in_loop, watch) -> None:
    async def scenario() -> None:
        def behaviour(agent: SipAgent, incoming: Incoming) -> None:
            if incoming.message.method == "INVITE":
                answering(180)(agent, incoming)
                answering(486)(agent, incoming)

        near, far = Side(), Side(behaviour)
        async with sides(near, far):
            hop, early = far.hop(UDP), []
            response = await near.agent.request(
                near.message(hop, method="INVITE"), hop, on_provisional=early.append
            )
            assert ([each.status for each in early], response.status) == ([180], 486)
            packets = await watch(far.timeline).packets(4)
            assert packets[-1].data.startswith(b"ACK ")
            assert [each.message.method for each in far.incoming] == ["INVITE"]

    in_loop(scenario())


def test_further_2xx_to_an_invite_and_the_ack_of_the_user_pass(in_loop, watch) -> None:
    async def scenario() -> None:
        def behaviour(agent: SipAgent, incoming: Incoming) -> None:
            if incoming.message.method == "INVITE":
                answering()(agent, incoming)
                answering()(agent, incoming)

        near, far = Side(), Side(behaviour)
        async with sides(near, far):
            hop, further = far.hop(UDP), []
            request = near.message(hop, method="INVITE")
            await near.agent.request(request, hop, on_further=further.append)
            await watch(near.timeline).packets(3)
            assert [each.status for each in further] == [200]
            await near.agent.send(near.message(hop, method="ACK").raw, hop)
            await watch(far.timeline).packets(4)
            assert [each.message.method for each in far.incoming] == ["INVITE", "ACK"]

    in_loop(scenario())


def test_cancel_names_its_invite(in_loop, watch) -> None:
    async def scenario() -> None:
        far = Side(lambda agent, incoming: None)
        async with sides(far):
            wire, port = await datagrams_to(far)
            via = f"SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKx"
            for method in ("INVITE", "CANCEL"):
                wire.transport.sendto(message(via, method).raw)
            await watch(far.timeline).packets(2)
            invite, cancel = far.incoming
            assert far.agent.cancelled_by(cancel) is invite
            answering()(far.agent, cancel)
            answering(487)(far.agent, invite)
            assert {each.status for each in await wire.responses(2)} == {200, 487}
            assert far.agent.cancelled_by(invite) is invite
            wire.transport.close()

    in_loop(scenario())


def test_giving_up_ends_the_repeats_and_a_late_response_is_only_noted(in_loop, clock, watch) -> None:
    async def scenario() -> None:
        near, far = Side(scheduler=clock), Side(lambda agent, incoming: None)
        async with sides(near, far):
            hop = far.hop(UDP)
            task = asyncio.ensure_future(near.agent.request(near.message(hop), hop))
            await watch(far.timeline).packets(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            clock.advance(40)
            assert (len(near.packets), clock.handles) == (1, [])
            answering()(far.agent, far.incoming[0])
            await watch(near.timeline).event("response 200 dropped: it matches no transaction")

    in_loop(scenario())


def test_a_response_with_another_sent_by_is_not_ours(in_loop, watch) -> None:
    def behaviour(agent: SipAgent, incoming: Incoming) -> None:
        raw = build_response(incoming.message, 200, to_tag="two").raw
        port = str(incoming.message.via.port).encode()
        agent.respond(incoming, raw.replace(b"127.0.0.1:" + port, b"192.0.2.5:9", 1))

    async def scenario() -> None:
        near, far = Side(), Side(behaviour)
        async with sides(near, far):
            hop = far.hop(UDP)
            task = asyncio.ensure_future(near.agent.request(near.message(hop), hop))
            await watch(near.timeline).event("not its sent-by")
            assert not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    in_loop(scenario())


# -- when things fail


def test_a_refused_connection_and_a_silent_address_are_transport_failures(in_loop) -> None:
    async def scenario() -> None:
        near = Side(connect_seconds=0.05)
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            fill = [socket.socket() for _ in range(4)]  # the queue of the listener is full: SYNs are dropped
            for each in fill:
                each.setblocking(False)
                each.connect_ex(full.getsockname())
            async with sides(near):
                for hop, how in (
                    (Hop(TCP, "127.0.0.1", 1), "refused"),
                    (Hop(TCP, *full.getsockname()), "0.05 s"),
                ):
                    with pytest.raises(TransportFailed, match=how):
                        await near.agent.request(near.message(hop), hop)
                with pytest.raises(TransportFailed, match="no address of that family"):
                    await near.agent.send(b"x", Hop(UDP, "::1", 5060))
                with pytest.raises(TransportFailed, match="do not fit"):
                    await near.agent.send(bytes(70_000), Hop(UDP, "127.0.0.1", 9))
            for each in fill:
                each.close()

    in_loop(scenario())


def test_a_connection_that_is_reset_fails_what_waits_on_it(in_loop, watch) -> None:
    async def scenario() -> None:
        near = Side()
        loop = asyncio.get_running_loop()
        accepted: list[Wire] = []

        def accept() -> Wire:
            accepted.append(Wire())
            return accepted[-1]

        server = await loop.create_server(accept, "127.0.0.1", 0)
        async with sides(near):
            hop = Hop(TCP, *server.sockets[0].getsockname())
            task = asyncio.ensure_future(near.agent.request(near.message(hop), hop))
            await watch(near.timeline).packets(1)
            await accepted[0].until(lambda: accepted[0].got)
            reset(accepted[0])
            with pytest.raises(TransportFailed, match="reset"):
                await task
        server.close()

    in_loop(scenario())


def test_dropped_connections_fail_what_waits_and_the_next_request_opens_a_new_one(in_loop, watch) -> None:
    async def scenario() -> None:
        near, far = Side(), Side(lambda agent, incoming: None)
        async with sides(near, far):
            hop = far.hop(TCP)
            task = asyncio.ensure_future(near.agent.request(near.message(hop), hop))
            await watch(far.timeline).packets(1)
            await near.agent.drop_connections()
            with pytest.raises(TransportFailed, match="dropped"):
                await task
            far.behaviour = answering()
            assert (await near.agent.request(near.message(hop), hop)).status == 200
            assert "closed: dropped" in near.texts

    in_loop(scenario())


def test_dropping_ends_connecting_too(in_loop) -> None:
    async def scenario() -> None:
        near = Side()
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            fill = [socket.socket() for _ in range(4)]
            for each in fill:
                each.setblocking(False)
                each.connect_ex(full.getsockname())
            async with sides(near):
                hop = Hop(TCP, *full.getsockname())
                task = asyncio.ensure_future(near.agent.request(near.message(hop), hop))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                await near.agent.drop_connections()
                with pytest.raises(TransportFailed, match="given up"):
                    await task
            for each in fill:
                each.close()

    in_loop(scenario())


def test_closing_fails_what_waits_and_can_be_done_twice(in_loop, watch) -> None:
    async def scenario() -> None:
        near, far = Side(), Side(lambda agent, incoming: None)
        async with sides(near, far):
            tasks = []
            for transport in (UDP, TCP):
                hop = far.hop(transport)
                tasks.append(asyncio.ensure_future(near.agent.request(near.message(hop), hop)))
            await watch(far.timeline).packets(2)
            await near.agent.close()
            for task in tasks:
                with pytest.raises(TransportFailed, match="closed"):
                    await task

    in_loop(scenario())


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_a_handler_that_raises_is_answered_500_and_the_agent_goes_on(in_loop, caplog, transport) -> None:
    def broken(agent: SipAgent, incoming: Incoming) -> None:
        raise RuntimeError("defect")

    async def scenario() -> None:
        near, far = Side(), Side(broken)
        async with sides(near, far):
            hop = far.hop(transport)
            assert (await near.agent.request(near.message(hop), hop)).status == 500
            assert "defect" in caplog.text
            far.behaviour = answering()
            assert (await near.agent.request(near.message(hop), hop)).status == 200

    in_loop(scenario())


def test_a_response_after_the_end_of_the_transaction_is_logged(in_loop, caplog) -> None:
    async def scenario() -> None:
        near, far = Side(), Side()
        async with sides(near, far):
            hop = far.hop(TCP)
            await near.agent.request(near.message(hop), hop)
            answering()(far.agent, far.incoming[0])
            assert "too late to answer" in caplog.text

    in_loop(scenario())


# -- bad input

GOOD = "SIP/2.0/{} 127.0.0.1:{};branch=z9hG4bK{}"


def bad(transport: Transport, port: int) -> dict[str, tuple[bytes, bytes]]:
    """Octets, and what the reason text of the 400 names."""
    good = message(GOOD.format(transport, port, "bad")).raw
    return {
        "From": (good.replace(b"From: <sip:", b"From: <<sip:"), b"From"),
        "CSeq": (good.replace(b"CSeq: 1 MESSAGE", b"CSeq: one MESSAGE"), b"CSeq"),
        "method": (good.replace(b"CSeq: 1 MESSAGE", b"CSeq: 1 OPTIONS"), b"CSeq names OPTIONS"),
        "length": (good.replace(b"Content-Length: 5", b"Content-Length: five"), b"Content-Length"),
    }


@pytest.mark.parametrize("what", ["From", "CSeq", "method", "length"])
@pytest.mark.parametrize("transport", [UDP, TCP])
def test_a_malformed_request_is_answered_400_naming_the_fault(in_loop, transport, what) -> None:
    async def scenario() -> None:
        far = Side()
        async with sides(far):
            if transport is UDP:
                wire, port = await datagrams_to(far)
            else:
                wire, port = await stream_to(far), 5060
            data, named = bad(transport, port)[what]
            write = wire.transport.sendto if transport is UDP else wire.transport.write
            write(data)
            (response,) = await wire.responses(1)
            assert (response.status, far.incoming) == (400, [])
            assert named in response.start_line
            assert response.to.tag
            assert [each.data for each in far.packets] == [data, response.raw]
            wire.transport.close()
            other = await stream_to(far)
            other.transport.write(message(GOOD.format(TCP, 5060, "next")).raw)
            assert (await other.responses(1))[0].status == 200

    in_loop(scenario())


def test_a_datagram_that_ends_before_its_body_is_answered_400_and_a_longer_one_is_served(in_loop) -> None:
    async def scenario() -> None:
        far = Side()
        async with sides(far):
            wire, port = await datagrams_to(far)
            wire.transport.sendto(message(GOOD.format(UDP, port, "a")).raw[:-2])
            (response,) = await wire.responses(1)
            assert b"declares 5 octets, 3 are there" in response.start_line
            wire.transport.sendto(message(GOOD.format(UDP, port, "b")).raw + b"more")
            assert (await wire.responses(2))[1].status == 200
            assert far.incoming[0].message.body == b"hello"
            wire.transport.close()

    in_loop(scenario())


def test_another_version_is_answered_505(in_loop) -> None:
    async def scenario() -> None:
        far = Side()
        async with sides(far):
            wire, port = await datagrams_to(far)
            raw = message(GOOD.format(UDP, port, "a")).raw
            wire.transport.sendto(raw.replace(b" SIP/2.0\r\n", b" SIP/7.0\r\n", 1))
            assert (await wire.responses(1))[0].status == 505
            wire.transport.close()

    in_loop(scenario())


def test_a_request_without_via_is_noted_and_dropped(in_loop, watch) -> None:
    async def scenario() -> None:
        far = Side()
        async with sides(far):
            wire, port = await datagrams_to(far)
            wire.transport.sendto(message(GOOD.format(UDP, port, "a")).raw.replace(b"\r\nVia:", b"\r\nX:", 1))
            await watch(far.timeline).event("no response can be made")
            assert (len(far.packets), far.incoming) == (1, [])
            wire.transport.close()

    in_loop(scenario())


@pytest.mark.parametrize("transport", [UDP, TCP])
@pytest.mark.parametrize("header", [b"From", b"To", b"Call-ID", b"CSeq"])
def test_a_request_without_a_header_of_every_response_is_400_with_the_others(
    in_loop, watch, header, transport
) -> None:
    """And the same again when it is repeated: no transaction remembers it (RFC 3261 8.2.7)."""

    async def scenario() -> None:
        far = Side()
        async with sides(far):
            wire, port = await datagrams_to(far) if transport is UDP else (await stream_to(far), 5060)
            raw = message(GOOD.format(transport, port, "a")).raw.replace(
                b"\r\n" + header + b":", b"\r\nX:", 1
            )
            send = wire.transport.sendto if transport is UDP else wire.transport.write
            send(raw)
            first = (await watch(far.timeline).packets(2))[1].data
            send(raw)
            second = (await watch(far.timeline).packets(4))[3].data
            assert first == second
            assert first.startswith(b"SIP/2.0 400 Bad Request: ")
            assert header + b" absent" in first.partition(b"\r\n")[0]
            others = {b"Via", b"From", b"To", b"Call-ID", b"CSeq"} - {header}
            assert {line.partition(b":")[0] for line in first.split(b"\r\n")} >= others
            assert far.incoming == []
            wire.transport.close()

    in_loop(scenario())


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00\x01\x00\x00", b"hello"]
)
def test_what_is_not_sip_is_recorded_with_a_note_and_dropped(in_loop, watch, junk) -> None:
    async def scenario() -> None:
        far = Side()
        async with sides(far):
            wire, _ = await datagrams_to(far)
            wire.transport.sendto(junk)
            (packet,) = await watch(far.timeline).packets(1)
            assert packet.data == junk
            assert "does not follow RFC 3261" in packet.note
            wire.transport.close()
            near = Side()
            async with sides(near):
                hop = far.hop(UDP)
                assert (await near.agent.request(near.message(hop), hop)).status == 200

    in_loop(scenario())


def test_http_on_a_connection_closes_it(in_loop, watch) -> None:
    async def scenario() -> None:
        far = Side()
        async with sides(far):
            wire = await stream_to(far)
            wire.transport.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await wire.until(lambda: wire.ended)
            await watch(far.timeline).event("closed: the place of the next message is lost")
            assert "start line" in far.packets[0].note

    in_loop(scenario())


def test_a_megabyte_of_header_is_answered_513_recorded_and_the_connection_closed(in_loop, watch) -> None:
    async def scenario() -> None:
        far = Side(limits=Limits(header_octets=64 * 1024))
        async with sides(far):
            wire = await stream_to(far)
            head = message(GOOD.format(TCP, 5060, "big")).raw.split(b"\r\n\r\n")[0]
            sent = head + b"\r\n" + b"X-Long: " + b"a" * 100 + b"\r\n" + b"X: " + b"b" * 1_000_000
            wire.transport.write(sent)
            (response,) = await wire.responses(1)
            assert response.status == 513
            assert b"no empty line within 65536 octets" in response.start_line
            await wire.until(lambda: wire.ended)
            await watch(far.timeline).event("closed")
            got = b"".join(each.data for each in far.packets if each.destination == far.agent.addresses[0])
            assert sent.startswith(got)
            assert len(got) >= 65536

    in_loop(scenario())


def test_half_a_message_is_closed_after_the_idle_time_with_a_note(in_loop, clock, watch) -> None:
    async def scenario() -> None:
        far = Side(scheduler=clock, connection_limits=ConnectionLimits(rest_seconds=10))
        async with sides(far):
            wire = await stream_to(far)
            raw = message(GOOD.format(TCP, 5060, "half")).raw
            wire.transport.write(raw[:40])
            await watch(far.timeline).packets(1)
            clock.advance(9)
            wire.transport.write(raw[40:80])
            await watch(far.timeline).packets(2)
            clock.advance(9)
            assert not wire.ended
            clock.advance(2)
            await wire.until(lambda: wire.ended)
            note = await watch(far.timeline).event("closed: nothing came for 10 s")
            assert "in the middle of a message (80 octets of it had come)" in note.text

    in_loop(scenario())


def test_a_quiet_connection_between_messages_stays_open(in_loop, clock, watch) -> None:
    async def scenario() -> None:
        far = Side(scheduler=clock)
        async with sides(far):
            wire = await stream_to(far)
            wire.transport.write(message(GOOD.format(TCP, 5060, "one")).raw)
            await wire.responses(1)
            clock.advance(3600)
            wire.transport.write(message(GOOD.format(TCP, 5060, "two")).raw)
            await wire.responses(2)

    in_loop(scenario())


@pytest.mark.parametrize("octets", [0, 40])
def test_a_reset_leaves_a_note_and_no_traceback(in_loop, watch, caplog, octets) -> None:
    async def scenario() -> None:
        far = Side()
        async with sides(far):
            wire = await stream_to(far)
            if octets:
                wire.transport.write(message(GOOD.format(TCP, 5060, "half")).raw[:octets])
                await watch(far.timeline).packets(1)
            else:
                await watch(far.timeline).event("accepted")
            reset(wire)
            note = await watch(far.timeline).event("closed: reset")
            assert ("in the middle of a message (40 octets" in note.text) is bool(octets)

    in_loop(scenario())
    assert caplog.records == []


def test_a_double_crlf_is_answered_with_one(in_loop) -> None:
    async def scenario() -> None:
        far = Side()
        async with sides(far):
            wire = await stream_to(far)
            wire.transport.write(b"\r\n\r\n")
            await wire.until(lambda: wire.got == b"\r\n")
            wire.transport.write(message(GOOD.format(TCP, 5060, "one")).raw)
            await wire.until(lambda: b"SIP/2.0 200" in wire.got)
            assert wire.got.startswith(b"\r\nSIP/2.0 200")

    in_loop(scenario())


def test_requests_in_one_piece_and_one_request_in_many_are_served(in_loop) -> None:
    async def scenario() -> None:
        far = Side()
        async with sides(far):
            wire = await stream_to(far)
            raw = b"".join(message(GOOD.format(TCP, 5060, number)).raw for number in range(3))
            wire.transport.write(raw)
            await wire.responses(3)
            wire.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in message(GOOD.format(TCP, 5060, "slow")).raw:
                wire.transport.write(bytes([octet]))
                await asyncio.sleep(0)
            await wire.responses(4)
            assert len(far.incoming) == 4

    in_loop(scenario())


def mutants(count: int, transport: Transport) -> list[bytes]:
    """A request and a response with octets changed, cut out and put in, the same ones every time."""
    chance = random.Random(3261)
    request = message(GOOD.format(transport, 5060, "m"))
    originals = (request.raw, build_response(request, 200, to_tag="two").raw)
    changed = []
    for number in range(count):
        data = bytearray(chance.choice(originals).replace(b"z9hG4bKm", b"z9hG4bKm%d" % number))
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[place] = chance.randrange(256)
                case 1:
                    del data[place : place + chance.randint(1, 30)]
                case _:
                    data[place:place] = chance.randbytes(chance.randint(1, 8))
        changed.append(bytes(data))
    return changed


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_no_octets_make_the_agent_fail_and_it_goes_on_serving(in_loop, watch, caplog, transport) -> None:
    async def scenario() -> None:
        near, far = Side(), Side()
        async with sides(near, far):
            hop = far.hop(transport)
            for data in mutants(300, transport):
                if transport is UDP:
                    await near.agent.send(data, hop)
                    continue
                wire = await stream_to(far)
                wire.transport.write(data)
                wire.transport.close()
            assert (await near.agent.request(near.message(hop), hop)).status == 200
            if transport is TCP:
                await watch(far.timeline).until(lambda entries: _ends(entries) >= 300)

    in_loop(scenario())
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


def _ends(entries: list[object]) -> int:
    return sum(isinstance(each, Event) and each.text.startswith("closed") for each in entries)


# -- addresses


def test_one_free_port_for_both_transports_and_addresses_of_both_families(in_loop) -> None:
    async def scenario() -> None:
        side = Side()
        four = await side.agent.listen("127.0.0.1")
        six = await side.agent.listen("::1")
        assert side.agent.addresses == [four, six]
        assert f"127.0.0.1:{four.port};branch=z9hG4bK" in side.agent.via_for(Hop(UDP, "127.0.0.1", 9))
        assert f"[::1]:{six.port};branch=z9hG4bK" in side.agent.via_for(Hop(TCP, "::1", 9))
        await side.agent.close()
        again = Side()
        assert await again.agent.listen(*four) == four
        await again.agent.close()

    in_loop(scenario())


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_taken_port_is_told_with_part_address_and_remedy(in_loop, kind) -> None:
    async def scenario() -> None:
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind(("127.0.0.1", 0))
            if kind == socket.SOCK_STREAM:
                taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(AddressTaken) as caught:
                await Side(part="peer").agent.listen("127.0.0.1", port)
            error = caught.value
            assert (error.part, str(port) in error.address) == ("peer", True)
            assert "ss -lntup" in error.remedy

    in_loop(scenario())


@contextmanager
def port_taken_for_udp() -> Iterator[int]:
    """A port that UDP has not free and TCP has.

    A socket that is bound and does not listen keeps it so: whoever reuses addresses may listen there.
    """
    for _ in range(64):
        with socket.socket(type=socket.SOCK_DGRAM) as taken, socket.socket() as kept:
            taken.bind(("127.0.0.1", 0))
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                kept.bind(taken.getsockname())
            except OSError:
                continue
            yield taken.getsockname()[1]
            return
    raise AssertionError("no port is free for TCP")


def test_port_0_passes_over_ports_that_udp_has_not_free(in_loop, monkeypatch) -> None:
    from harness.agent.sockets import listening_sockets

    async def scenario() -> None:
        with port_taken_for_udp() as half_free:
            offered = itertools.chain([half_free], itertools.repeat(0))
            original = listening_sockets.open_stream
            monkeypatch.setattr(
                listening_sockets, "open_stream", lambda part, host, port: original(part, host, next(offered))
            )
            side = Side()
            assert (await side.agent.listen("127.0.0.1")).port != half_free
            await side.agent.close()

    in_loop(scenario())


def test_an_address_that_is_not_ours_is_a_lab_error(in_loop) -> None:
    async def scenario() -> None:
        for host in ("192.0.2.1", "no such host"):
            with pytest.raises(LabError, match="an address to listen on"):
                await Side().agent.listen(host)

    in_loop(scenario())


def test_a_wildcard_address_is_written_as_the_one_towards_the_hop(in_loop) -> None:
    async def scenario() -> None:
        near, far = Side(), Side()
        await near.agent.listen("0.0.0.0")
        async with sides(far):
            hop = far.hop(TCP)
            assert f" 127.0.0.1:{near.agent.addresses[0].port};" in near.agent.via_for(hop)
            assert (await near.agent.request(near.message(hop), hop)).status == 200
        await near.agent.close()

    in_loop(scenario())


def test_without_an_address_and_with_a_branch_in_use_the_caller_is_told(in_loop) -> None:
    async def scenario() -> None:
        near, far = Side(), Side(lambda agent, incoming: None, timers=Timers(t1=0.01))
        with pytest.raises(UsageError):
            near.agent.via_for(Hop(UDP, "127.0.0.1", 5060))
        async with sides(near, far):
            hop = far.hop(UDP)
            request = near.message(hop)
            task = asyncio.ensure_future(near.agent.request(request, hop))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            with pytest.raises(UsageError, match="branch"):
                await near.agent.request(request, hop)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    in_loop(scenario())


def test_a_name_is_looked_up(in_loop) -> None:
    async def scenario() -> None:
        near, far = Side(), Side()
        async with sides(near, far):
            port = far.agent.addresses[0].port
            hop = Hop(UDP, "localhost", port)
            via = near.agent.via_for(Hop(UDP, "127.0.0.1", port))
            try:
                first = (await asyncio.get_running_loop().getaddrinfo("localhost", port))[0][4][0]
            except OSError:
                pytest.skip("localhost is not known here")
            if ":" in first:
                pytest.skip("localhost is IPv6 here and the agent listens on IPv4")
            assert (await near.agent.request(message(via), hop)).status == 200
            with pytest.raises(TransportFailed):
                await near.agent.send(b"x", Hop(UDP, "no such host", 5060))

    in_loop(scenario())


def test_addresses_are_named_tuples() -> None:
    assert Hop(UDP, "127.0.0.1", 5060).address == Address("127.0.0.1", 5060)
