"""baresip, a user agent of other origin, registers with the peer, writes to it, and is written to."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.agent.loop_thread import LoopThread
from harness.agent.sockets.tls_settings import TlsSettings
from harness.evidence.timeline import Timeline, Transport
from harness.peer.config import Authentication, PeerConfig, Subscriber, TlsListening
from harness.peer.peer import Peer
from harness.sip.message import build_request

from .loopback import Program, free_port, own_network

BARESIP = shutil.which("baresip")
MODULES = Path("/usr/lib/baresip/modules")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(BARESIP is None, reason="baresip is not installed (apt-get install baresip-core)"),
]
DOMAIN, HOST = "ims.example", "127.0.0.1"
OWN, FAR = f"sip:+12025550101@{DOMAIN}", f"sip:+12025550199@{DOMAIN}"
SUBSCRIBER = Subscriber(f"ue@{DOMAIN}", (OWN, "tel:+12025550101"), password="geheim-7731")


class Baresip(Program):
    """A baresip with one account, told what to do over its control socket (netstrings of JSON)."""

    def __init__(
        self, folder: Path, account: str, *modules: str, sip_port: int = 0, settings: tuple[str, ...] = ()
    ) -> None:
        assert BARESIP is not None
        folder.mkdir()
        port = free_port()
        loaded = ["account", "contact", "menu", "ctrl_tcp", *modules]
        lines = [f"sip_listen {HOST}:{sip_port}", f"module_path {MODULES}", f"ctrl_tcp_listen {HOST}:{port}"]
        lines += settings
        lines += [f"module_app {name}.so" for name in loaded]
        (folder / "config").write_text("\n".join([*lines, ""]))
        (folder / "accounts").write_text(f"{account}\n")
        (folder / "contacts").write_text(f'"far" <{FAR}>\n')
        super().__init__(folder, BARESIP, "-4", "-f", folder, "-s", "-v")
        self.wait_listening(HOST, port, socket.SOCK_STREAM)
        self.control = socket.create_connection((HOST, port), timeout=5)

    def do(self, command: str, parameters: str = "") -> None:
        """A command of its menu."""
        told = json.dumps({"command": command, "params": parameters}).encode()
        self.control.sendall(b"%d:%s," % (len(told), told))

    def end(self, seconds: float = 5) -> None:
        self.control.close()
        super().end(seconds)


class Bench:
    """A peer that asks for Digest, in a loop of its own, and one baresip."""

    def __init__(self, loop: LoopThread, folder: Path, tls: TlsSettings) -> None:
        self.loop, self.folder = loop, folder
        config = PeerConfig(DOMAIN, (SUBSCRIBER,), Authentication.DIGEST, tls=TlsListening(0, tls))
        self.peer = Peer(config, Timeline())
        self.peer.notifications.policy(None, None)
        self.baresip: Baresip | None = None

    def call(self, coroutine: Any) -> Any:
        return self.loop.call(coroutine, 20)

    def start(self, transport: Transport, password: str = "geheim-7731") -> Baresip:
        """Start baresip, which registers at once."""
        assert self.peer.addresses is not None
        at = self.peer.addresses.sip_tls if transport is Transport.TLS else self.peer.addresses.sip_udp
        proxy = f"sip:{at[0]};transport={transport.lower()}"
        account = f'<{OWN}>;auth_user=ue@{DOMAIN};auth_pass={password};outbound="{proxy}";regint=60'
        self.baresip = Baresip(self.folder / "baresip", account)
        return self.baresip

    def registered(self, transport: Transport) -> Baresip:
        """Start baresip, and wait for its registration."""
        baresip = self.start(transport)
        self.call(self.peer.registrar.wait_registered(OWN, timeout=10))
        baresip.wait_for("[1 binding]")
        return baresip


@pytest.fixture
def bench(tmp_path: Path, authority: Any) -> Iterator[Bench]:
    tls = TlsSettings(*authority.issue(HOST))
    with own_network(), LoopThread("interop-peer") as loop:
        found = Bench(loop, tmp_path, tls)
        loop.call(found.peer.start(), 5)
        try:
            yield found
        finally:
            if found.baresip is not None:
                found.baresip.end()
            loop.call(found.peer.stop(), 5)


TRANSPORTS = [Transport.UDP, Transport.TCP, Transport.TLS]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_registers_with_digest_and_leaves(bench: Bench, transport: Transport) -> None:
    baresip = bench.registered(transport)
    (binding,) = bench.peer.registrar.all_bindings()
    assert (binding.flow.transport, binding.expires) == (transport, 60)
    baresip.end()
    assert [line.change.value for line in bench.peer.registrar.history] == ["registered", "unregistered"]


def test_a_wrong_password_is_forbidden(bench: Bench) -> None:
    bench.start(Transport.UDP, password="another").wait_for("403 Forbidden")
    assert not bench.peer.bindings


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_texts_and_options_to_the_peer(bench: Bench, transport: Transport) -> None:
    baresip = bench.registered(transport)
    baresip.do("contact_next")
    baresip.do("message", "from baresip")
    message = bench.call(bench.peer.pager.wait_message(timeout=10))
    assert (message.request.body, message.accepted) == (b"from baresip", True)
    baresip.do("options", FAR)
    said = baresip.wait_for("----- OPTIONS of")
    assert "SIP/2.0 200 OK" in said.partition("----- OPTIONS of")[2]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_texts_and_options_from_the_peer(bench: Bench, transport: Transport) -> None:
    """Down the flow of its registration, as it came: baresip answers what it understands."""
    baresip = bench.registered(transport)
    (binding,) = bench.peer.registrar.all_bindings()
    hop = binding.flow.datagram if transport is Transport.UDP else binding.flow.stream[0]

    async def ask(method: str, body: bytes) -> int:
        agent = bench.peer.pcscf.agent
        rows = [
            ("Via", agent.via_for(hop)),
            ("Max-Forwards", "70"),
            ("From", f"<{FAR}>;tag=a"),
            ("To", f"<{OWN}>"),
            ("Call-ID", method),
            ("CSeq", f"1 {method}"),
            *([("Content-Type", "text/plain")] if body else []),
        ]
        return (await agent.request(build_request(method, binding.contact, rows, body), hop)).status

    assert bench.call(ask("OPTIONS", b"")) == 200
    assert bench.call(ask("MESSAGE", b"to baresip")) == 200
    baresip.wait_for("to baresip")
    sent = bench.call(bench.peer.pager.send_text(OWN, "a CPIM it does not know"))
    assert sent.status == 415
