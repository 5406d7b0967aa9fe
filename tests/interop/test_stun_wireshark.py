"""STUN on the SIP port as tshark reads it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.agent.sip.agent import Hop, SipAgent
from harness.evidence.capture import write_capture
from harness.evidence.timeline import Packet, Timeline, Transport
from harness.sip.stun import StunMessage, Type, binding_request, binding_response, write_stun

from .wireshark import TSHARK, malformed, tshark

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(TSHARK is None, reason="tshark is not installed (apt-get install tshark)"),
]


async def keep_alive(host: str, timeline: Timeline) -> None:
    """One binding asked for and answered, both by us."""
    near, far = SipAgent(timeline, lambda incoming: None), SipAgent(Timeline(), lambda incoming: None)
    answered = asyncio.Event()
    timeline.listen(lambda entry: answered.set() if "success" in getattr(entry, "note", "") else None)
    hop = Hop(Transport.UDP, *await far.listen(host))
    await near.listen(host)
    await near.keep_alive(hop, lambda reason: None, flow_timer=0.01)
    async with asyncio.timeout(5):
        await answered.wait()
    await near.close()
    await far.close()


@pytest.mark.parametrize(("host", "field"), [("127.0.0.1", "stun.att.ipv4"), ("::1", "stun.att.ipv6")])
def test_tshark_reads_our_binding_and_the_address_in_it(host: str, field: str, tmp_path: Path) -> None:
    timeline = Timeline()
    asyncio.run(keep_alive(host, timeline))
    sent = [each for each in timeline if isinstance(each, Packet)][:2]
    capture = tmp_path / "stun.pcapng"
    write_capture(capture, sent)
    assert not malformed(capture)
    lines = tshark(capture, "-T", "fields", "-e", "stun.type", "-e", field, "-e", "stun.att.port")
    port = str(sent[0].source.port)
    assert [line.split("\t") for line in lines] == [["0x0001", "", ""], ["0x0101", host, port]]


def test_tshark_finds_our_fingerprint_right_and_reads_our_420(tmp_path: Path) -> None:
    async def scenario() -> Timeline:
        timeline = Timeline()
        agent = SipAgent(timeline, lambda incoming: None)
        target = await agent.listen("127.0.0.1")
        asked = binding_request(fingerprint=True)
        odd = StunMessage(
            asked.kind, 1, asked.transaction, ((0x0024, bytes(4)), (int(Type.FINGERPRINT), b""))
        )
        for message in (
            asked,
            binding_response(asked, "192.0.2.1", 5060),
            binding_response(odd, "192.0.2.1", 1),
        ):
            await agent.send(write_stun(message), Hop(Transport.UDP, *target))
        await agent.close()
        return timeline

    capture = tmp_path / "stun.pcapng"
    timeline = asyncio.run(scenario())
    write_capture(capture, [each for each in timeline if isinstance(each, Packet)][:3])
    assert not malformed(capture)
    lines = tshark(
        capture,
        "-T",
        "fields",
        "-e",
        "stun.att.crc32.status",
        "-e",
        "stun.att.error",
        "-e",
        "stun.att.unknown",
    )
    read = [line.split("\t") for line in lines]
    assert [each[0] for each in read] == ["1", "1", "1"]  # 1: good
    assert read[2][1] == "20" and int(read[2][2], 16) == 0x24
