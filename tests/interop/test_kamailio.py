"""Kamailio stands between a handset and the peer: what it puts into the messages must not break a flow.

The handset is the simulated one. What went over the wire is captured by dumpcap and judged by our verifier.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from devices.simulated.baseband import Baseband, Cell, Identity, Pdn
from devices.simulated.conversations import MessageStatus
from devices.simulated.defects import Defects
from devices.simulated.messaging_app import MessagingApp
from devices.simulated.personality import personality_named
from devices.simulated.rcs_access import RcsSettings
from devices.simulated.rcs_client import RcsClient
from harness.agent.session.invite_client import Invitation
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.invite_session import InviteSession
from harness.agent.session.outgoing import FixedWay
from harness.agent.session.user import Content, Ending, SessionUser
from harness.agent.session.user_agent import UserAgent
from harness.agent.sip.agent import Hop, Incoming, SipAgent
from harness.agent.sockets.tls_settings import TlsSettings
from harness.evidence.capture import capture_to_timeline, write_capture
from harness.evidence.timeline import Event, Timeline, Transport
from harness.peer.config import Authentication, PeerConfig, Subscriber, TlsListening
from harness.peer.peer import Peer
from harness.sip.message import Request, Response, build_request, build_response
from harness.sip.uri import parse_uri
from harness.verify.engine import Verifier

from .kamailio import KAMAILIO, Kamailio
from .loopback import free_port
from .wireshark import malformed, recording

pytestmark = [
    pytest.mark.interop,
    pytest.mark.usefixtures("network"),
    pytest.mark.skipif(KAMAILIO is None, reason="Kamailio is not installed (apt-get install kamailio)"),
]
IMSI, NUMBER, FAR = "001010123456789", "+12025550101", "+12025550199"
DOMAIN = "ims.example"
OWN = f"sip:{NUMBER}@{DOMAIN};user=phone"
SUBSCRIBER = Subscriber(f"{IMSI}@{DOMAIN}", (OWN, f"tel:{NUMBER}"), password="geheim-7731")
UDP, TCP, TLS = Transport.UDP, Transport.TCP, Transport.TLS
OFFER, ANSWER = (
    Content(
        "application/sdp",
        f"v=0\r\no=- {number} 1 IN IP4 192.0.2.{number}\r\ns=-\r\nc=IN IP4 192.0.2.{number}\r\nt=0 0\r\n"
        f"m=message 9 TCP/MSRP *\r\na=path:msrp://192.0.2.{number}:9/s;tcp\r\na=accept-types:*\r\n".encode(),
    )
    for number in (1, 2)
)
HANDSET = "127.0.0.2"
LOCAL = {4: "127.0.0.1", 6: "::1"}


class App(MessagingApp):
    """The messaging app of the handset, with something to wait for."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0)
        self.changed = asyncio.Event()

    def outcome(self, local_id: str, status: MessageStatus) -> None:
        super().outcome(local_id, status)
        self.changed.set()

    def incoming(self, key: str, text: str, message_id: str, sender: str | None = None) -> None:
        super().incoming(key, text, message_id, sender)
        self.changed.set()

    async def until_status(self, status: MessageStatus) -> None:
        async with asyncio.timeout(10):
            while self.conversations[FAR].messages[0].status is not status:
                self.changed.clear()
                await self.changed.wait()

    async def until_text(self, text: str) -> None:
        async with asyncio.timeout(10):
            while text not in [m.text for each in self.conversations.values() for m in each.messages]:
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Lab:
    """A handset that knows the proxy, the proxy, and the peer."""

    handset: RcsClient
    app: App
    baseband: Baseband
    proxy: Kamailio
    peer: Peer

    async def register(self) -> None:
        self.baseband.heard(Cell("001", "01", 1, 256, -85.0))
        host = self.proxy.hosts[0]
        address = HANDSET if ":" not in host else "127.0.0.1"
        self.baseband.attached(Pdn("ims", address, (host,), "::1" if ":" in host else None))
        await self.peer.registrar.wait_registered(OWN, timeout=10)


@asynccontextmanager
async def lab(
    folder: Path,
    hop: Transport,
    behind: Transport,
    version: int,
    authority: Any,
) -> AsyncIterator[Lab]:
    """hop: from the handset to the proxy; behind: from the proxy to the peer."""
    host = LOCAL[version]
    certificate = authority.issue(host, DOMAIN)
    tls = TlsListening(0, TlsSettings(*certificate, ca=authority.file))
    config = PeerConfig(DOMAIN, (SUBSCRIBER,), Authentication.DIGEST, listen=((host, 0),), tls=tls)
    peer = Peer(config, Timeline())
    peer.notifications.policy(timedelta(0), timedelta(milliseconds=20))
    addresses = await peer.start()
    at = (addresses.sip_tls if behind is TLS else addresses.sip_udp)[0]
    app, baseband = App(), Baseband(Identity(imsi=IMSI, msisdn=NUMBER))
    proxy = handset = None
    try:
        proxy = Kamailio(folder / "proxy", at, behind.lower(), DOMAIN, free_port(host), (host,), certificate)
        settings = RcsSettings(
            DOMAIN,
            transport=hop,
            pcscf_port=proxy.port + (hop is TLS),
            password="geheim-7731",
            tls=TlsSettings(ca=authority.file),
        )
        handset = RcsClient(baseband, app, settings, personality_named("reference"), Defects())
        handset.start()
        yield Lab(handset, app, baseband, proxy, peer)
    finally:
        if handset is not None:
            await handset.close()
        if proxy is not None:
            proxy.end()
        await peer.stop()


async def converse(each: Lab) -> None:
    """Register, a text there with both notifications back, a text back with both notifications there."""
    await each.register()
    each.app.set_visible(True)
    each.app.open_conversation(FAR, "through a proxy")
    each.app.press_send()
    await each.peer.pager.wait_message("through a proxy", timeout=10)
    await each.app.until_status(MessageStatus.READ)
    sent = await each.peer.pager.send_text(OWN, "and back", sender=FAR)
    assert sent.accepted, sent.failure
    await each.app.until_text("and back")
    for kind in ("delivered", "displayed"):
        await each.peer.notifications.wait_notification(sent.message_id, kind, timeout=10)


def findings(path: Path) -> list[str]:
    """What fails somebody in a capture; nobody did anything wrong in these."""
    verifier = Verifier()
    verifier.judge(capture_to_timeline(path))
    assert verifier.judged
    return [str(found) for found in verifier.findings if found.fails]


@pytest.mark.parametrize("version", LOCAL)
@pytest.mark.parametrize("behind", [UDP, TCP, TLS])
@pytest.mark.parametrize("hop", [UDP, TCP, TLS])
def test_a_conversation_through_a_foreign_proxy(
    tmp_path: Path, network: bool, authority: Any, hop: Transport, behind: Transport, version: int
) -> None:
    """And both hops, as they went over the wire, give no finding, nor does what the peer saw of it."""

    async def scenario() -> Peer:
        async with lab(tmp_path, hop, behind, version, authority) as each:
            await converse(each)
            (binding,) = each.peer.registrar.all_bindings()
            shown = f"[{LOCAL[version]}]" if version == 6 else LOCAL[version]
            port = each.proxy.port + (behind is TLS)
            assert binding.path[0].startswith(f"<sip:{shown}:{port};")
            assert binding.flow.transport is behind
            return each.peer

    with recording(tmp_path, network) as recorded:
        peer = asyncio.run(scenario())
    connections = [e.text for e in peer.timeline if isinstance(e, Event) and e.name == "connection"]
    assert not any(HANDSET in text for text in connections)  # nothing goes round the proxy
    write_capture(tmp_path / "peer.pcapng", peer.timeline)
    readable = recorded if (hop, behind) != (TLS, TLS) else None
    for path in filter(None, (tmp_path / "peer.pcapng", readable)):
        assert findings(path) == []
        assert malformed(path) == []


@pytest.mark.parametrize("hop", [UDP, TCP, TLS])
def test_options_finds_its_way_back_through_the_proxy(tmp_path: Path, authority: Any, hop: Transport) -> None:
    """A Via of another stack stands between ours and the answer (RFC 3261 18.2.2, RFC 3581 4)."""

    async def scenario() -> None:
        async with lab(tmp_path, UDP, UDP, 4, authority) as each:
            agent = SipAgent(Timeline(), lambda incoming: None, tls=TlsSettings(ca=authority.file))
            await agent.listen(LOCAL[4])
            await agent.listen_tls(LOCAL[4], 0, TlsSettings(*authority.issue(LOCAL[4])))
            way = Hop(hop, LOCAL[4], each.proxy.port + (hop is TLS))
            for number, (hops_left, status) in enumerate((("70", 200), ("0", 483)), 1):
                rows = [
                    ("Via", agent.via_for(way)),
                    ("Max-Forwards", hops_left),
                    ("From", f"<sip:a@{DOMAIN}>;tag=a"),
                    ("To", f"<sip:b@{DOMAIN}>"),
                    ("Call-ID", "options"),
                    ("CSeq", f"{number} OPTIONS"),
                ]
                answer = await agent.request(build_request("OPTIONS", f"sip:b@{DOMAIN}", rows), way)
                assert (answer.status, len(answer.vias)) == (status, 1)
            await agent.close()

    asyncio.run(scenario())


# -- sessions


class End(SessionUser):
    """One end of a session over a proxy."""

    def __init__(self, tls: TlsSettings | None = None) -> None:
        self.agent = SipAgent(Timeline(), self._on_request, tls=tls)
        self.ua = UserAgent(self.agent, self._on_invite)
        self.requests: list[Request] = []
        self.sessions: asyncio.Queue[InviteSession] = asyncio.Queue()
        self.over = asyncio.Event()

    def _on_request(self, incoming: Incoming) -> None:
        self.requests.append(incoming.message)
        if not self.ua.receive(incoming):
            self.agent.respond(incoming, build_response(incoming.message, 405, to_tag="x"))

    def _on_invite(self, invite: IncomingInvite) -> None:
        invite.session.user = self
        asyncio.get_running_loop().create_task(self._accept(invite))

    async def _accept(self, invite: IncomingInvite) -> None:
        await invite.ring()
        session = await invite.accept(ANSWER)
        if invite.initial and session is not None:
            self.sessions.put_nowait(session)

    def reinvited(self, session: InviteSession, invite: IncomingInvite) -> None:
        asyncio.get_running_loop().create_task(self._accept(invite))

    def answer_offer(self, session: InviteSession, message: Request | Response) -> Content | None:
        return ANSWER

    def ended(self, session: InviteSession, ending: Ending) -> None:
        self.over.set()


@pytest.mark.parametrize("behind", [UDP, TCP])
@pytest.mark.parametrize("hop", [UDP, TCP, TLS])
@pytest.mark.parametrize("version", LOCAL)
def test_a_session_keeps_its_route_set(
    tmp_path: Path, authority: Any, hop: Transport, behind: Transport, version: int
) -> None:
    """INVITE, re-INVITE and UPDATE from either side and BYE all go by the Record-Route of the proxy."""

    async def scenario() -> None:
        host = LOCAL[version]
        certificate = authority.issue(host)
        caller, callee = End(TlsSettings(ca=authority.file)), End()
        own = await caller.agent.listen(host)
        if hop is TLS:
            own = await caller.agent.listen_tls(host, 0, TlsSettings(*certificate))
        at = await callee.agent.listen(host)
        port = free_port(host)
        proxy = Kamailio(tmp_path / "proxy", at, behind.lower(), DOMAIN, port, (host,), certificate)
        try:
            invitation = Invitation(
                f"sip:b@{DOMAIN}",
                f"<sip:a@{DOMAIN}>",
                f"<sip:b@{DOMAIN}>",
                f"<sip:a@{own};transport={hop.lower()}>",
                OFFER,
            )
            way = FixedWay(Hop(hop, host, port + (hop is TLS)))
            outcome = await caller.ua.invite(invitation, way, caller).outcome()
            assert outcome.session is not None, outcome
            near, far = outcome.session, await asyncio.wait_for(callee.sessions.get(), 10)
            for session in (near, far):
                assert session.dialog.route_set
                assert {parse_uri(route).host for route in session.dialog.route_set} == {host}
            for session in (near, far):
                assert (await session.update(OFFER)).status == 200
                assert (await session.reinvite(OFFER)).status == 200
            assert (await near.bye()).status == 200
            await asyncio.wait_for(callee.over.wait(), 10)
            seen = [[each for each in end.requests if each.method != "ACK"] for end in (callee, caller)]
            methods = [[each.method for each in requests] for requests in seen]
            assert methods == [["INVITE", "UPDATE", "INVITE", "BYE"], ["UPDATE", "INVITE"]]
            assert all(len(each.vias) == 2 and each.routes == [] for requests in seen for each in requests)
        finally:
            proxy.end()
            await caller.agent.close()
            await callee.agent.close()

    asyncio.run(scenario())
