"""A UDP socket: what it takes at once, what waits for room, and what it says when it cannot keep up."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from harness.agent.metrics import Counter
from harness.agent.sip.agent import SipAgent
from harness.agent.sockets import listening_sockets
from harness.agent.sockets.udp_endpoint import READ_AT_ONCE, UdpEndpoint
from harness.evidence.timeline import DATAGRAMS_LOST, Address, Event, Layer, Packet, Timeline
from harness.verify.captures import notices

BURST = 400
DATAGRAM = b"OPTIONS sip:far@example.net SIP/2.0\r\n" + b"X: " + b"x" * 1000 + b"\r\n\r\n"


def test_datagrams_the_kernel_dropped_are_counted(in_loop: Any, monkeypatch: Any) -> None:
    """Nothing is read while the test sends, and the buffer holds a few datagrams only."""
    monkeypatch.setattr(listening_sockets, "RECEIVE_OCTETS", 16 * 1024)

    async def scenario() -> None:
        timeline = Timeline()
        agent = SipAgent(timeline, lambda incoming: None)
        address = await agent.listen("127.0.0.1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(BURST):
                sender.sendto(DATAGRAM, tuple(address))
        await agent.close()
        told = [each for each in timeline if isinstance(each, Event) and each.name == DATAGRAMS_LOST]
        read = sum(isinstance(each, Packet) for each in timeline)
        dropped = sum(each.fields["datagrams"] for each in told)
        in_the_buffer = 2 * 16 * 1024 // len(DATAGRAM)  # the kernel doubles what is asked for
        assert BURST - in_the_buffer <= dropped + read <= BURST
        assert agent.metrics[Counter.DROPPED] == dropped
        assert f"{dropped} datagrams to {address} were dropped" in " ".join(notices(timeline))

    in_loop(scenario())


def test_a_socket_that_keeps_up_says_nothing(in_loop: Any, watch: Any) -> None:
    async def scenario() -> None:
        timeline = Timeline()
        agent = SipAgent(timeline, lambda incoming: None)
        address = await agent.listen("127.0.0.1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(200):
                sender.sendto(DATAGRAM, tuple(address))
                await watch(timeline).packets(number + 1)
        await agent.close()
        assert not [each for each in timeline if isinstance(each, Event) and each.name == DATAGRAMS_LOST]

    in_loop(scenario())


class CrowdedSocket(socket.socket):
    """A datagram socket whose send buffer has no room for the next few datagrams."""

    no_room_for = 0

    def sendto(self, *args: Any) -> int:
        if self.no_room_for:
            self.no_room_for -= 1
            raise BlockingIOError
        return super().sendto(*args)


def _endpoint(bound: socket.socket, received: list[object]) -> UdpEndpoint:
    bound.setblocking(False)
    bound.bind(("127.0.0.1", 0))
    return UdpEndpoint(
        bound,
        Timeline(),
        Layer.SIP,
        Address(*bound.getsockname()),
        lambda data: (data, ""),
        lambda found, *_: received.append(found),
        lambda count: None,
    )


def test_what_finds_no_room_leaves_in_order_before_the_socket_closes(in_loop: Any) -> None:
    async def scenario() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
            far.bind(("127.0.0.1", 0))
            far.settimeout(5)
            near = CrowdedSocket(socket.AF_INET, socket.SOCK_DGRAM)
            endpoint = _endpoint(near, [])
            near.no_room_for = 2
            for number in range(3):
                endpoint.send(b"%d" % number, Address(*far.getsockname()))
            endpoint.close()
            assert not endpoint.closed.done()
            async with asyncio.timeout(5):
                await endpoint.closed
            assert [far.recv(9) for _ in range(3)] == [b"0", b"1", b"2"]
            assert near.fileno() == -1

    in_loop(scenario())


def test_the_loop_gets_its_turn_between_datagrams_that_keep_coming(in_loop: Any) -> None:
    async def scenario() -> None:
        received: list[object] = []
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        endpoint = _endpoint(bound, received)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(READ_AT_ONCE + 1):
                sender.sendto(b"%d" % number, bound.getsockname())
        at_each_turn = []
        async with asyncio.timeout(5):
            while len(received) <= READ_AT_ONCE:
                await asyncio.sleep(0)
                at_each_turn.append(len(received))
        assert READ_AT_ONCE in at_each_turn
        assert received == [b"%d" % number for number in range(READ_AT_ONCE + 1)]
        endpoint.close()

    in_loop(scenario())
