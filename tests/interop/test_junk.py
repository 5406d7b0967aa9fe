"""What scanners and broken clients send to the peer: it stands on the timeline, and the peer goes on."""

from __future__ import annotations

import os
import random
import shutil
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from harness.agent.loop_thread import LoopThread
from harness.evidence.timeline import Address, Entry, Event, Packet, Timeline
from harness.peer.config import Authentication, PeerConfig, Subscriber
from harness.peer.peer import Peer

from .loopback import Program

SIPSAK = shutil.which("sipsak")
pytestmark = pytest.mark.interop
MALFORMED_ON_PURPOSE = True
DOMAIN = "ims.example"
REQUEST = (
    "OPTIONS sip:{domain} SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1;branch=z9hG4bK{branch};rport\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:a@ims.example>;tag=a\r\nTo: <sip:b@ims.example>\r\nCall-ID: {branch}\r\n"
    "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
SEND = (
    b"MSRP abcd1234 SEND\r\nTo-Path: msrp://127.0.0.1:9/s1;tcp\r\nFrom-Path: msrp://127.0.0.1:9/s2;tcp\r\n"
    b"Message-ID: m1\r\nByte-Range: 1-0/0\r\n-------abcd1234$\r\n"
)
CLIENT_HELLO = bytes.fromhex(
    "16030100a5010000a10303" + "5a" * 32 + "00001ec02bc02fc02cc030cca9cca8c013c014009c009d002f0035000a00ff"
    "01000100"
) + bytes(40)
DNS_QUERY = bytes.fromhex("abcd01000001000000000000076578616d706c6503636f6d0000010001")
HEAD = b"MESSAGE sip:a@ims.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKhalf\r\n"
NOISE = random.Random(5118).randbytes(1200)

# name -> octets. None of them is a whole message of the protocol of its port.
JUNK: dict[str, bytes] = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: probe\r\n\r\n",
    "HTTP proxy": b"CONNECT example.com:443 HTTP/1.1\r\n\r\n",
    "TLS to a plain port": CLIENT_HELLO,
    "RTSP": b"OPTIONS rtsp://127.0.0.1/ RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    "DNS": DNS_QUERY,
    "DNS over TCP": struct.pack(">H", len(DNS_QUERY)) + DNS_QUERY,
    "NUL flood": bytes(8192),
    "0xff flood": b"\xff" * 8192,
    "line ends and text": b"help\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "SMB": bytes.fromhex("00000054ff534d4272000000001801280000000000000000000000000000"),
    "LDAP": bytes.fromhex("300c020101600702010304008000"),
    "RDP": bytes.fromhex("0300000b06e00000000000"),
    "half a start line": b"MESSAGE sip:",
    "half a request": HEAD + b"From: <sip:a@",
    "a request without an end": HEAD + b"Content-Length: 100\r\n\r\nshort",
    "noise": NOISE,
    "noise in a request": HEAD + NOISE,
    "a header without end": HEAD + b"X: " + b"a" * 40_000,
    "ten thousand headers": HEAD + b"X: a\r\n" * 8_000,
    "half an MSRP start line": b"MSRP abcd",
    "half an MSRP chunk": SEND[:-20],
    "an MSRP start line without end": b"MSRP " + b"a" * 40_000,
}


class Bench:
    """A peer in a loop of its own, and its timeline."""

    def __init__(self, loop: LoopThread, config: PeerConfig | None = None) -> None:
        self.loop = loop
        self.timeline = Timeline()
        self.peer = Peer(config or PeerConfig(DOMAIN), self.timeline)
        self.count = 0

    @property
    def sip(self) -> Address:
        assert self.peer.addresses is not None
        return self.peer.addresses.sip_udp[0]

    @property
    def msrp(self) -> Address:
        assert self.peer.addresses is not None
        return self.peer.addresses.msrp[0]

    def serves(self) -> None:
        """Both protocols are answered, over every transport."""
        self.count += 1
        for kind, name in ((socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")):
            with socket.socket(type=kind) as client:
                client.settimeout(5)
                client.connect(self.sip)
                branch = f"{name}{self.count}"
                client.send(REQUEST.format(domain=DOMAIN, transport=name, branch=branch).encode())
                assert client.recv(65535).startswith(b"SIP/2.0 200 OK\r\n")
        with socket.create_connection(self.msrp, timeout=5) as client:
            client.sendall(SEND)
            assert client.recv(65535).startswith(b"MSRP abcd1234 481")

    def until(self, seen: Callable[[list[Entry]], bool]) -> list[Entry]:
        """The entries, as soon as they hold what is looked for."""
        end = time.monotonic() + 5
        while not seen(entries := list(self.timeline)):
            assert time.monotonic() < end, "\n".join(map(str, entries[-5:]))
            self.loop.call(_turn(), 5)
        return entries


async def _turn() -> None:
    """Let the loop look at its sockets once."""


@pytest.fixture
def bench() -> Iterator[Bench]:
    with LoopThread("junk-peer") as loop:
        found = Bench(loop)
        loop.call(found.peer.start(), 5)
        try:
            yield found
        finally:
            loop.call(found.peer.stop(), 5)


@pytest.mark.parametrize("name", JUNK)
def test_a_datagram_of_junk(bench: Bench, name: str) -> None:
    data = JUNK[name]
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as client:
        client.sendto(data, bench.sip)
        bench.serves()
    (packet,) = [e for e in bench.timeline if isinstance(e, Packet) and e.data == data]
    notes = [e.text for e in bench.timeline if isinstance(e, Event)]
    told = packet.note or any("refused" in note or "dropped" in note for note in notes)
    answered = any(isinstance(e, Packet) and e.data.startswith(b"SIP/2.0 400") for e in bench.timeline)
    assert told or answered


@pytest.mark.parametrize("port", ["sip", "msrp"])
@pytest.mark.parametrize("name", JUNK)
def test_a_connection_of_junk(bench: Bench, name: str, port: str) -> None:
    """It is recorded whole, noted, and the connection ends; nothing stays behind."""
    data = JUNK[name]
    with closing(socket.create_connection(getattr(bench, port), timeout=5)) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        while client.recv(65535):
            pass
        source = Address(*client.getsockname())
    entries = bench.until(lambda found: any("closed" in e.text for e in found if isinstance(e, Event)))
    pieces = [e for e in entries if isinstance(e, Packet) and e.source == source]
    assert data.startswith(b"".join(e.data for e in pieces))
    notes = [e.note for e in pieces] + [e.text for e in entries if isinstance(e, Event)]
    assert any(word in note for note in notes for word in ("does not follow", "in the middle of a message"))
    bench.serves()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def resident() -> int:
    """Octets of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_a_flood_of_junk_leaves_neither_sockets_nor_memory_behind(bench: Bench) -> None:
    """Ten rounds over both ports; the timeline alone may grow, by what it has to keep."""

    def attack() -> int:
        sent = 0
        for data in JUNK.values():
            with closing(socket.socket(type=socket.SOCK_DGRAM)) as client:
                client.sendto(data, bench.sip)
            for port in (bench.sip, bench.msrp):
                reset = suppress(ConnectionResetError, BrokenPipeError)
                with closing(socket.create_connection(port, timeout=5)) as client, reset:
                    client.sendall(data)
            sent += 3 * len(data)
        bench.serves()
        return sent

    attack()
    before = descriptors(), resident()
    sent = sum(attack() for _ in range(10))
    bench.until(lambda found: _open(found) == 0)
    assert descriptors() <= before[0]
    assert resident() - before[1] < 2 * sent + 16 * 1024 * 1024


def _open(entries: list[Entry]) -> int:
    """Connections that were accepted and not closed."""
    texts = [e.text for e in entries if isinstance(e, Event) and e.name == "connection"]
    return sum(t.startswith("accepted") for t in texts) - sum(t.startswith("closed") for t in texts)


# -- sipsak, the swiss army knife of SIP operators

needs_sipsak = pytest.mark.skipif(SIPSAK is None, reason="sipsak is not installed (apt-get install sipsak)")


def sipsak(folder: Path, bench: Bench, *arguments: str) -> Program:
    assert SIPSAK is not None
    return Program(folder, SIPSAK, "-H", "127.0.0.1", "-s", f"sip:ue@{bench.sip}", *arguments)


@needs_sipsak
def test_sipsak_finds_the_peer_alive(bench: Bench, tmp_path: Path) -> None:
    program = sipsak(tmp_path, bench, "-vv")
    assert program.ended() == 0, program.said
    assert "SIP/2.0 200 OK" in program.said


@needs_sipsak
def test_sipsak_registers_with_digest(tmp_path: Path) -> None:
    """It knows MD5 only; its Contact is where a later fetch finds it."""
    subscriber = Subscriber("ue", ("sip:ue@127.0.0.1",), password="geheim-7731")
    config = PeerConfig("127.0.0.1", (subscriber,), Authentication.DIGEST, algorithms=("MD5",))
    with LoopThread("sipsak-peer") as loop:
        bench = Bench(loop, config)
        loop.call(bench.peer.start(), 5)
        contact = ("-C", "sip:ue@127.0.0.1:5099", "-x", "120")
        program = sipsak(tmp_path, bench, "-U", *contact, "-u", "ue", "-a", "geheim-7731", "-vv")
        assert program.ended() == 0, program.said
        (binding,) = bench.peer.registrar.all_bindings()
        assert (binding.contact, binding.expires) == ("sip:ue@127.0.0.1:5099", 120)
        loop.call(bench.peer.stop(), 5)


@needs_sipsak
def test_sipsak_floods_and_every_request_that_arrives_is_answered(bench: Bench, tmp_path: Path) -> None:
    program = sipsak(tmp_path, bench, "-F", "-e", "300")
    assert program.ended() == 0, program.said
    bench.serves()
    packets = [e.data for e in bench.timeline if isinstance(e, Packet)]
    requests = [data for data in packets if data.startswith(b"OPTIONS sip:ue@")]
    assert len(requests) > 100
    assert sum(b"sip:ue@" in data for data in packets if data.startswith(b"SIP/2.0 200")) == len(requests)


@needs_sipsak
def test_sipsak_sends_trash_and_nothing_breaks(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests with characters replaced at random, until it misses an answer or has sent enough."""
    program = sipsak(tmp_path, bench, "-R", "-t", "40")
    bench.until(lambda found: len(found) > 300 or program.process.poll() is not None)
    program.end()
    bench.serves()
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []
