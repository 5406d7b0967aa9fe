"""The SIP agent against SIPp, a SIP stack of other origin."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.agent.sip.agent import Hop, Incoming, SipAgent
from harness.evidence.timeline import Packet, Timeline, Transport
from harness.sip.message import build_request, build_response

from .loopback import free_port

SIPP = shutil.which("sipp")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.usefixtures("network"),
    pytest.mark.skipif(SIPP is None, reason="SIPp is not installed (apt-get install sip-tester)"),
    pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning"),
]
SCENARIOS = Path(__file__).parent / "sipp"
MODES = {Transport.UDP: "u1", Transport.TCP: "t1"}
CALLS = 20
HOST = "127.0.0.1"


async def start_sipp(
    scenario: str, transport: Transport, folder: Path, port: int, *target: str, calls: int = CALLS
) -> asyncio.subprocess.Process:
    assert SIPP is not None
    return await asyncio.create_subprocess_exec(
        *(SIPP, "-sf", str(SCENARIOS / scenario), "-t", MODES[transport], "-i", HOST, "-p", str(port)),
        *("-m", str(calls), "-r", "100", "-nostdin", "-timeout", "20s", "-timeout_error", *target),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(sipp: asyncio.subprocess.Process) -> None:
    """SIPp says by its exit code whether every call went by its scenario."""
    try:
        async with asyncio.timeout(30):
            out, errors = await sipp.communicate()
    finally:
        if sipp.returncode is None:
            sipp.kill()
            await sipp.wait()
    assert sipp.returncode == 0, (out[-3000:] + errors[-3000:]).decode(errors="replace")


async def serve(
    scenario: str, transport: Transport, folder: Path, behaviour: Callable[[SipAgent, Incoming], None]
) -> tuple[list[Incoming], list[Packet]]:
    """Run SIPp as client against an agent: what the agent was handed, and its packets."""
    incoming: list[Incoming] = []

    def on_request(each: Incoming) -> None:
        incoming.append(each)
        behaviour(agent, each)

    timeline = Timeline()
    agent = SipAgent(timeline, on_request)
    address = await agent.listen(HOST)
    try:
        await ended(await start_sipp(scenario, transport, folder, free_port(), str(address)))
        assert {each.transport for each in incoming} == {transport}
    finally:
        await agent.close()
    return incoming, [each for each in timeline if isinstance(each, Packet)]


def accept(agent: SipAgent, incoming: Incoming) -> None:
    agent.respond(incoming, build_response(incoming.message, 200, to_tag="two"))


@pytest.mark.parametrize("transport", MODES)
def test_sipp_sends_messages(transport: Transport, tmp_path: Path) -> None:
    incoming, packets = asyncio.run(serve("message-from-sipp.xml", transport, tmp_path, accept))
    assert len({each.message.call_id for each in incoming}) == CALLS
    assert all(each.message.check() == () for each in incoming)
    assert all(b"hello" in each.message.body for each in incoming)
    assert not any(each.note for each in packets)
    if transport is Transport.UDP:
        assert all(each.message.via.rport == each.source.port for each in incoming)


def test_sipp_repeats_a_message_that_is_answered_late_and_sees_one_answer(tmp_path: Path) -> None:
    """The first answer is withheld until SIPp has repeated its request, which is not handed up again."""

    async def scenario() -> None:
        incoming: list[Incoming] = []
        timeline = Timeline()
        agent = SipAgent(timeline, incoming.append)
        address = await agent.listen(HOST)
        seen = asyncio.Event()
        timeline.listen(lambda entry: seen.set() if entry.number == 2 else None)
        try:
            port = free_port()
            sipp = await start_sipp(
                "message-from-sipp.xml", Transport.UDP, tmp_path, port, str(address), calls=1
            )
            async with asyncio.timeout(10):
                await seen.wait()
            assert len(incoming) == 1
            accept(agent, incoming[0])
            await ended(sipp)
        finally:
            await agent.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("transport", MODES)
def test_sipp_acknowledges_a_refused_invite_and_nothing_is_repeated(
    transport: Transport, tmp_path: Path
) -> None:
    def refuse(agent: SipAgent, incoming: Incoming) -> None:
        for status in (180, 486):
            agent.respond(incoming, build_response(incoming.message, status, to_tag="two"))

    incoming, packets = asyncio.run(serve("invite-refused.xml", transport, tmp_path, refuse))
    assert [each.message.method for each in incoming] == ["INVITE"] * CALLS
    octets = b"".join(each.data for each in packets)
    assert octets.count(b"SIP/2.0 486 ") == CALLS


@pytest.mark.parametrize("transport", MODES)
def test_sipp_receives_messages(transport: Transport, tmp_path: Path) -> None:
    async def scenario() -> None:
        agent = SipAgent(Timeline(), lambda incoming: None)
        await agent.listen(HOST)
        hop = Hop(transport, HOST, free_port())
        sipp = await start_sipp("message-to-sipp.xml", transport, tmp_path, hop.port)
        try:
            await until_listening(hop)
            answers = await asyncio.gather(*(ask(agent, hop, number) for number in range(CALLS)))
            assert [each.status for each in answers] == [202] * CALLS
            await ended(sipp)
        finally:
            await agent.close()
            if sipp.returncode is None:
                sipp.kill()
                await sipp.wait()

    asyncio.run(scenario())


async def ask(agent: SipAgent, hop: Hop, number: int):
    headers = [
        ("Via", agent.via_for(hop)),
        ("Max-Forwards", "70"),
        ("From", "<sip:alice@example.net>;tag=one"),
        ("To", "<sip:bob@example.net>"),
        ("Call-ID", f"{number}@{HOST}"),
        ("CSeq", "1 MESSAGE"),
        ("Content-Type", "text/plain"),
    ]
    return await agent.request(build_request("MESSAGE", "sip:bob@example.net", headers, b"hello"), hop)


def listens(port: int) -> bool:
    return f"{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()


async def until_listening(hop: Hop) -> None:
    """SIPp does not tell when it listens, and a connection to try would count as a call.

    Over UDP repeats bridge the gap.
    """
    async with asyncio.timeout(10):
        while hop.transport is Transport.TCP and not listens(hop.port):  # noqa: ASYNC110 - a foreign program
            await asyncio.sleep(0.05)
