"""The SIP agent's TLS against openssl s_client and s_server."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from harness.agent.sip.agent import Hop, Incoming, SipAgent, TransportFailed
from harness.agent.sockets.tls_settings import ClientCertificate, TlsSettings
from harness.evidence.timeline import Address, Event, Packet, Timeline, Transport
from harness.sip.message import build_request, build_response, parse_message

from .loopback import free_port

OPENSSL = shutil.which("openssl")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.usefixtures("network"),
    pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed (apt-get install openssl)"),
    pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning"),
]
HOST = "127.0.0.1"
VERSIONS = ["-tls1_2", "-tls1_3"]


def request(via: str) -> bytes:
    headers = {
        "Via": via,
        "Max-Forwards": "70",
        "From": "<sip:alice@example.net>;tag=one",
        "To": "<sip:bob@example.net>",
        "Call-ID": "call@192.0.2.1",
        "CSeq": "1 OPTIONS",
    }
    return build_request("OPTIONS", "sip:bob@example.net", headers.items()).raw


class Program:
    """openssl with its standard input and output as the octets inside TLS."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    async def read_message(self) -> bytes:
        assert self.process.stdout is not None
        async with asyncio.timeout(10):
            return await self.process.stdout.readuntil(b"\r\n\r\n")

    async def errors(self) -> str:
        """What it says in the end on its standard error."""
        assert self.process.stderr is not None
        async with asyncio.timeout(10):
            return (await self.process.stderr.read()).decode(errors="replace")


@asynccontextmanager
async def openssl(*arguments: str) -> AsyncIterator[Program]:
    assert OPENSSL is not None
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        OPENSSL, *arguments, "-quiet", stdin=pipe, stdout=pipe, stderr=pipe
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Listening:
    """An agent that answers 200 over TLS."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.agent = SipAgent(self.timeline, self._answer)

    def _answer(self, incoming: Incoming) -> None:
        self.agent.respond(incoming, build_response(incoming.message, 200, to_tag="two"))

    def named(self, name: str) -> list[str]:
        return [each.text for each in self.timeline if isinstance(each, Event) and each.name == name]


@asynccontextmanager
async def listening(settings: TlsSettings) -> AsyncIterator[tuple[Listening, Address]]:
    side = Listening()
    try:
        yield side, await side.agent.listen_tls(HOST, 0, settings)
    finally:
        await side.agent.close()


def client(address: Address, authority: Any, *more: str) -> tuple[str, ...]:
    checks = ("-CAfile", str(authority.file), "-verify_return_error", "-verify_hostname", "peer.example")
    return ("s_client", "-connect", str(address), *checks, *more)


@pytest.mark.parametrize("version", VERSIONS)
def test_s_client_verifies_the_agent_and_gets_its_answer(version: str, authority) -> None:
    async def scenario() -> None:
        async with (
            listening(TlsSettings(*authority.issue("peer.example"))) as (side, address),
            openssl(*client(address, authority, version)) as program,
        ):
            program.write(request(f"SIP/2.0/TLS {HOST};branch=z9hG4bKone"))
            answer = parse_message(await program.read_message())
            assert answer.status == 200
            wanted = "TLSv1.2" if version == "-tls1_2" else "TLSv1.3"
            assert side.named("tls")[0].startswith(wanted)
            packets = [each for each in side.timeline if isinstance(each, Packet)]
            assert [each.transport for each in packets] == [Transport.TLS, Transport.TLS]
            assert packets[1].data == answer.raw

    asyncio.run(scenario())


@pytest.mark.parametrize("version", VERSIONS)
def test_s_client_without_the_certificate_asked_for_is_turned_away(version: str, authority) -> None:
    async def scenario() -> None:
        settings = TlsSettings(
            *authority.issue("peer.example"),
            ca=authority.file,
            client_certificate=ClientCertificate.REQUIRED,
        )
        async with listening(settings) as (side, address):
            async with openssl(*client(address, authority, version)) as program:
                assert "alert" in await program.errors()
            assert "peer did not return a certificate" in side.named("tls-failed")[0]
            certificate, key = authority.issue("sip:handset.example")
            shown = ("-cert", str(certificate), "-key", str(key))
            async with openssl(*client(address, authority, version, *shown)) as program:
                program.write(request(f"SIP/2.0/TLS {HOST};branch=z9hG4bKtwo"))
                assert (await program.read_message()).startswith(b"SIP/2.0 200")
            assert "handset.example" in side.named("tls")[0]

    asyncio.run(scenario())


def test_s_client_with_another_authority_turns_the_agent_away(authority, tmp_path) -> None:
    async def scenario() -> None:
        other = type(authority)(tmp_path, "Other CA")
        async with listening(TlsSettings(*authority.issue("peer.example"))) as (side, address):
            async with openssl(*client(address, other)) as program:
                assert "verify error" in await program.errors()
            assert "unknown ca" in side.named("tls-failed")[0]

    asyncio.run(scenario())


async def reachable(port: int) -> None:
    """s_server says nothing when quiet: it listens once it takes a connection."""
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


@pytest.mark.parametrize("version", VERSIONS)
def test_s_server_verifies_the_agent_and_answers_it(version: str, authority) -> None:
    async def scenario() -> None:
        certificate, key = authority.issue("sip:peer.example", HOST)
        port = free_port()
        server = (
            "s_server",
            "-accept",
            f"{HOST}:{port}",
            "-cert",
            str(certificate),
            "-key",
            str(key),
            version,
        )
        asked = ("-CAfile", str(authority.file), "-Verify", "2", "-verify_return_error")
        own_certificate, own_key = authority.issue("handset.example")
        ours = TlsSettings(own_certificate, own_key, authority.file)
        async with openssl(*server, *asked) as program:
            await reachable(port)
            agent = SipAgent(Timeline(), lambda incoming: None, tls=ours)
            await agent.listen(HOST)
            hop = Hop(Transport.TLS, HOST, port, "peer.example")
            message = parse_message(request(agent.via_for(hop)))
            answered = asyncio.ensure_future(agent.request(message, hop))
            got = parse_message(await program.read_message())
            assert got.raw == message.raw
            program.write(build_response(got, 200, to_tag="two").raw)
            assert (await answered).status == 200
            await agent.close()

    asyncio.run(scenario())


def test_the_agent_turns_away_an_s_server_of_another_name(authority) -> None:
    async def scenario() -> None:
        certificate, key = authority.issue("*.example", "other.example")
        port = free_port()
        server = ("s_server", "-accept", f"{HOST}:{port}", "-cert", str(certificate), "-key", str(key))
        async with openssl(*server):
            await reachable(port)
            agent = SipAgent(Timeline(), lambda incoming: None, tls=TlsSettings(ca=authority.file))
            await agent.listen(HOST)
            hop = Hop(Transport.TLS, HOST, port, "peer.example")
            with pytest.raises(
                TransportFailed, match=r"names \*\.example, other\.example, not peer\.example"
            ):
                await agent.request(parse_message(request(agent.via_for(hop))), hop)
            await agent.close()

    asyncio.run(scenario())
