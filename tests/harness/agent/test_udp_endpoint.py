"""A UDP socket that cannot keep up says how many datagrams the kernel dropped."""

from __future__ import annotations

import socket
from typing import Any

from harness.agent.metrics import Counter
from harness.agent.sip.agent import SipAgent
from harness.agent.sockets import listening_sockets
from harness.evidence.timeline import DATAGRAMS_LOST, Event, Packet, Timeline
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
