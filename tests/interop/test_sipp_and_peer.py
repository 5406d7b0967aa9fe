"""SIPp judges the peer: registration with Digest and AKA, and pager messages both ways, over UDP and TCP."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.agent.loop_thread import LoopThread
from harness.evidence.timeline import Address, Timeline
from harness.peer.config import Authentication, PeerConfig, Subscriber
from harness.peer.journal import EventKind
from harness.peer.peer import Peer

from .loopback import free_port
from .lossy_relay import LossyRelay

SIPP = shutil.which("sipp")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.usefixtures("network"),
    pytest.mark.skipif(SIPP is None, reason="SIPp is not installed"),
]

SCENARIOS = Path(__file__).parent / "sipp"
UE = "sip:+491701234567@ims.example"
TRANSPORTS = {"udp": "u1", "tcp": "t1"}
# K, OPc and RAND of TS 35.208 4.3 test set 3. SIPp reads octets of a key and of RES as scenario text: there
# must be no [ and no NUL among them, which one random RES in sixteen has.
RAND = bytes.fromhex("9f7c8d021accf4db213ccff0c7f71a6a")
SUBSCRIBER = Subscriber(
    "ue@ims.example",
    (UE, "tel:+491701234567"),
    password="geheim-7731",
    k=bytes.fromhex("fec86ba6eb707ed08905757b1bb44b8f"),
    opc=bytes.fromhex("1006020f0a478bf6b699f15c062e42b3"),
)


class Bench:
    """A peer, and SIPp processes that talk to it."""

    def __init__(self, loop: LoopThread, directory: Path) -> None:
        self.loop, self.directory = loop, directory
        self.peer = Peer(PeerConfig("ims.example", subscribers=(SUBSCRIBER,)), Timeline())
        self.children: list[subprocess.Popen[str]] = []

    @property
    def address(self) -> Address:
        assert self.peer.addresses is not None
        return self.peer.addresses.sip_udp[0]

    def call(self, coroutine: Any) -> Any:
        return self.loop.call(coroutine, 20)

    def begin(
        self, scenario: str, transport: str, *, calls: int = 1, port: int = 0, target: Address | None = None
    ) -> subprocess.Popen[str]:
        """Start SIPp; without a port of its own it takes any, without a target it talks to the peer."""
        assert SIPP is not None
        port = port or free_port()
        child = subprocess.Popen(
            [
                *(SIPP, str(target or self.address), "-sf", str(SCENARIOS / f"{scenario}.xml")),
                *("-t", TRANSPORTS[transport], "-i", "127.0.0.1", "-p", str(port), "-m", str(calls)),
                *("-l", "1", "-timeout", "20s", "-timeout_error", "-recv_timeout", "5000", "-nostdin"),
                *("-trace_err", "-error_file", str(self.directory / f"{scenario}.err")),
            ],
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.children.append(child)
        return child

    def run(self, scenario: str, transport: str, **options: Any) -> None:
        self.end(self.begin(scenario, transport, **options))

    def end(self, child: subprocess.Popen[str]) -> None:
        """Wait for SIPp's verdict: 0 when every call followed its scenario."""
        output, _ = child.communicate(timeout=30)
        errors = "".join(path.read_text(errors="replace") for path in self.directory.glob("*.err"))
        assert child.returncode == 0, f"SIPp ended with {child.returncode}\n{errors}\n{output[-1500:]}"

    def register_at(self, port: int, transport: str) -> None:
        """Bind the handset's identity to SIPp's address."""
        with contextlib.closing(socket.socket(type=socket.SOCK_DGRAM)) as client:
            client.settimeout(5)
            client.connect(self.address)
            local = client.getsockname()[1]
            client.send(
                (
                    "REGISTER sip:ims.example SIP/2.0\r\n"
                    f"Via: SIP/2.0/UDP 127.0.0.1:{local};branch=z9hG4bKr\r\nMax-Forwards: 70\r\n"
                    f"From: <{UE}>;tag=r\r\nTo: <{UE}>\r\nCall-ID: r\r\nCSeq: 1 REGISTER\r\n"
                    f"Contact: <sip:ue@127.0.0.1:{port};transport={transport}>\r\nContent-Length: 0\r\n\r\n"
                ).encode()
            )
            assert client.recv(4096).startswith(b"SIP/2.0 200")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with LoopThread("interop-peer") as loop:
        found = Bench(loop, tmp_path)
        loop.call(found.peer.start(), 5)
        try:
            yield found
        finally:
            for child in found.children:
                if child.poll() is None:
                    child.kill()
                    child.wait()
            loop.call(found.peer.stop(), 5)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_registration_with_digest(bench: Bench, transport: str) -> None:
    bench.peer.registrar.authentication = Authentication.DIGEST
    bench.run("register-digest", transport)
    assert [line.change.value for line in bench.peer.registrar.history] == ["registered", "unregistered"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_registration_with_aka(bench: Bench, transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.peer.authentication.secrets.token_bytes", lambda _: RAND)
    bench.peer.registrar.authentication = Authentication.AKA
    bench.run("register-aka", transport)
    assert bench.peer.registrar.binding_of("+491701234567") is not None


def test_a_wrong_password_ends_in_403(bench: Bench) -> None:
    bench.peer.registrar.authentication = Authentication.DIGEST
    bench.run("register-wrong-password", "udp")
    assert not bench.peer.bindings


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_message_after_proxy_authentication(bench: Bench, transport: str) -> None:
    bench.peer.notifications.policy(None, None)
    bench.peer.pager.answer_next(407)
    bench.run("message-proxy-authentication", transport)
    message = bench.call(bench.peer.pager.wait_message("sent by SIPp\r\n", timeout=1))
    assert message.accepted
    assert message.dispositions == {"positive-delivery", "display"}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_message_to_sipp(bench: Bench, transport: str) -> None:
    port = free_port()
    sipp = bench.begin("message-received", transport, port=port)
    wait_until_open(sipp, port, transport)
    bench.register_at(port, transport)
    sent = bench.call(bench.peer.pager.send_text(UE, "to SIPp"))
    assert sent.accepted, sent.failure
    assert sent.request.via.transport == transport.upper()
    bench.end(sipp)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_notifications_reach_sipp(bench: Bench, transport: str) -> None:
    port = free_port()
    bench.peer.notifications.policy(timedelta(0), timedelta(milliseconds=20))
    sipp = bench.begin("message-received", transport, port=port, calls=2)
    wait_until_open(sipp, port, transport)
    bench.register_at(port, transport)
    bench.peer.pager.answer_next(407)
    bench.run("message-proxy-authentication", "udp")
    bench.end(sipp)
    for kind in ("delivered", "displayed"):
        event = bench.call(
            bench.peer.wait_event(
                lambda event, kind=kind: (
                    event.kind is EventKind.NOTIFICATION_SENT and event.subject.kind == kind
                ),
                5,
            )
        )
        assert event.subject.status == 200


# -- where every datagram is lost once


@pytest.fixture
def relay(bench: Bench) -> Iterator[LossyRelay]:
    found = bench.call(opened(LossyRelay(bench.address)))
    yield found
    bench.call(closed(found))


async def opened(relay: LossyRelay) -> LossyRelay:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: relay, local_addr=("127.0.0.1", 0))
    return relay


async def closed(relay: LossyRelay) -> None:
    relay.transport.close()


def test_a_registration_where_every_datagram_is_lost_once(bench: Bench, relay: LossyRelay) -> None:
    """SIPp repeats what is lost, and the peer the answers it gave: each request is taken once."""
    bench.peer.registrar.authentication = Authentication.DIGEST
    bench.run("register-digest", "udp", target=relay.address)
    assert [line.change.value for line in bench.peer.registrar.history] == ["registered", "unregistered"]
    assert relay.came_again == {b"REGISTER", b"SIP/2.0"}


def test_a_message_where_every_datagram_is_lost_once(bench: Bench, relay: LossyRelay) -> None:
    bench.peer.notifications.policy(None, None)
    bench.peer.pager.answer_next(407)
    bench.run("message-proxy-authentication", "udp", target=relay.address)
    assert [message.accepted for message in bench.peer.pager.received if message.accepted] == [True]
    assert relay.came_again >= {b"MESSAGE", b"SIP/2.0"}


def test_a_message_to_sipp_where_every_datagram_is_lost_once(bench: Bench, relay: LossyRelay) -> None:
    """The peer repeats (timer E) until the answer to one of the copies comes."""
    port = free_port()
    relay.far = Address("127.0.0.1", port)
    sipp = bench.begin("message-received-lossy", "udp", port=port)
    wait_until_open(sipp, port, "udp")
    bench.register_at(relay.address.port, "udp")
    sent = bench.call(bench.peer.pager.send_text(UE, "to SIPp"))
    assert sent.accepted, sent.failure
    bench.end(sipp)
    assert relay.came_again == {b"MESSAGE", b"SIP/2.0"}


# -- integrity protection (RFC 7616 3.4.3)


def test_a_registration_with_auth_int(bench: Bench) -> None:
    bench.peer.registrar.authentication = Authentication.DIGEST
    bench.peer.config.qop = ("auth-int",)
    bench.run("register-digest", "udp")
    assert [line.change.value for line in bench.peer.registrar.history] == ["registered", "unregistered"]


def test_a_message_with_auth_int_covers_its_body(bench: Bench) -> None:
    bench.peer.notifications.policy(None, None)
    bench.peer.config.qop = ("auth-int",)
    bench.peer.pager.answer_next(407)
    bench.run("message-proxy-authentication", "udp")
    message = bench.call(bench.peer.pager.wait_message("sent by SIPp\r\n", timeout=1))
    assert message.accepted
    (credentials,) = message.request.credentials
    assert credentials.parameters["qop"] == "auth-int"


def wait_until_open(child: subprocess.Popen[str], port: int, transport: str) -> None:
    """SIPp needs a moment to listen; then its port is taken."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    for _ in range(250):
        with contextlib.closing(socket.socket(type=kind)) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.02)
            break
    raise AssertionError("SIPp did not begin to listen")
