"""Chats of a handset with the peer, and Kamailio in the way of their signalling (RFC 3261 16, 3327, 4975)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from harness.agent.msrp.call import MsrpCall
from harness.agent.msrp.endpoint import MsrpEndpoint
from harness.agent.msrp.negotiation import new_origin
from harness.agent.msrp.plan import Role
from harness.agent.msrp.services import Flow, service_terms
from harness.agent.msrp.session import MsrpUser, ReceivedMessage
from harness.agent.msrp.terms import MsrpTerms
from harness.agent.session.invite_client import Invitation
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.outgoing import FixedWay
from harness.agent.session.user_agent import UserAgent
from harness.agent.sip.agent import Hop, Incoming, SipAgent
from harness.bodies.cpim import build_cpim
from harness.evidence.timeline import Timeline, Transport
from harness.msrp.uri import new_session_uri
from harness.peer.config import PeerConfig
from harness.peer.mt_request import Target
from harness.peer.peer import Peer
from harness.sip.message import build_request

from .kamailio import KAMAILIO, Kamailio
from .loopback import free_port

pytestmark = [
    pytest.mark.interop,
    pytest.mark.usefixtures("network"),
    pytest.mark.skipif(KAMAILIO is None, reason="Kamailio is not installed (apt-get install kamailio)"),
]
DOMAIN, HOST = "ims.example", "127.0.0.1"
OWN, FAR = f"sip:+12025550101@{DOMAIN};user=phone", f"sip:+12025550199@{DOMAIN};user=phone"
UDP, TCP = Transport.UDP, Transport.TCP


class Handset:
    """The SIP and MSRP of a handset behind a proxy; it connects, as handsets do."""

    def __init__(self) -> None:
        self.agent = SipAgent(Timeline(), self._on_request)
        self.ua = UserAgent(self.agent, self._on_invite, way_of=lambda _: self.way)
        self.msrp = MsrpEndpoint(Timeline())
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.calls: asyncio.Queue[MsrpCall] = asyncio.Queue()

    async def start(self, proxy: Hop) -> None:
        self.way = FixedWay(proxy)
        self.at = await self.agent.listen(HOST)
        self.contact = f"<sip:ue@{self.at};transport={proxy.transport.lower()}>"

    async def close(self) -> None:
        await self.ua.close()
        await asyncio.gather(self.agent.close(), self.msrp.close())

    def _on_request(self, incoming: Incoming) -> None:
        assert self.ua.receive(incoming), incoming.message

    def _on_invite(self, invite: IncomingInvite) -> None:
        call = self.call(answers=True)
        self.ua.context.spawn(call.accept(invite), "answer")
        self.calls.put_nowait(call)

    def call(self, *, answers: bool) -> MsrpCall:
        terms = MsrpTerms(str(new_session_uri(HOST, 9)), answers=Role.ACTIVE)
        user = MsrpUser(message=self._message)
        terms = service_terms(Flow.SESSION, terms, answers=answers)
        return MsrpCall(self.msrp, [terms], new_origin(HOST), lambda _: user)

    def _message(self, message: ReceivedMessage) -> None:
        self.received.put_nowait(message.content.read())

    async def register(self) -> None:
        rows = [
            ("Via", self.agent.via_for(self.way.hop)),
            ("Max-Forwards", "70"),
            ("From", f"<{OWN}>;tag=r"),
            ("To", f"<{OWN}>"),
            ("Call-ID", "register"),
            ("CSeq", "1 REGISTER"),
            ("Supported", "path"),
            ("Contact", self.contact),
        ]
        request = build_request("REGISTER", f"sip:{DOMAIN}", rows)
        assert (await self.agent.request(request, self.way.hop)).status == 200

    async def next(self, text: bytes) -> None:
        async with asyncio.timeout(10):
            while text not in await self.received.get():
                pass


@asynccontextmanager
async def lab(folder: Path, hop: Transport, behind: Transport) -> AsyncIterator[tuple[Handset, Peer]]:
    peer, handset = Peer(PeerConfig(DOMAIN), Timeline()), Handset()
    peer.notifications.policy(timedelta(0), timedelta(0))
    at = (await peer.start()).sip_udp[0]
    proxy = None
    try:
        port = free_port()
        proxy = Kamailio(folder / "proxy", at, behind.lower(), DOMAIN, port)
        await handset.start(Hop(hop, HOST, port))
        yield handset, peer
    finally:
        await handset.close()
        if proxy is not None:
            proxy.end()
        await peer.stop()


@pytest.mark.parametrize("behind", [UDP, TCP])
@pytest.mark.parametrize("hop", [UDP, TCP])
def test_a_chat_of_the_handset(tmp_path: Path, hop: Transport, behind: Transport) -> None:
    async def scenario() -> None:
        async with lab(tmp_path, hop, behind) as (handset, peer):
            call = handset.call(answers=False)
            invitation = Invitation(FAR, f"<{OWN}>", f"<{FAR}>", handset.contact, call.offer())
            outcome = await handset.ua.invite(invitation, handset.way, call).outcome()
            assert outcome.session is not None, outcome
            assert len(outcome.session.dialog.route_set) >= 2  # the proxy first, then the P-CSCF
            assert str(handset.way.hop.port) in outcome.session.dialog.route_set[0]
            chat = await peer.chats.wait_session(timeout=10)

            handle = await asyncio.wait_for(call.opened(), 10)
            cpim = [("From", f"<{OWN}>"), ("To", f"<{FAR}>"), ("NS", "imdn <urn:ietf:params:imdn>")]
            cpim += [("imdn.Message-ID", "m1"), ("imdn.Disposition-Notification", "positive-delivery")]
            text = build_cpim(cpim, [("Content-Type", "text/plain")], b"through a proxy")
            assert (await handle.send(text, "message/cpim")).good
            await peer.chats.wait_message("through a proxy", timeout=10)
            await handset.next(b"<delivered/>")
            assert (await peer.chats.send_text(chat, "and back")).status == 200
            await handset.next(b"and back")

            assert (await outcome.session.update()).status == 200
            session = chat.call.session
            assert session is not None
            assert (await session.update()).status == 200
            response = await peer.chats.end(chat)
            assert response is not None
            assert response.status == 200
            assert outcome.session.has_ended()

    asyncio.run(scenario())


@pytest.mark.parametrize("behind", [UDP, TCP])
@pytest.mark.parametrize("hop", [UDP, TCP])
def test_a_chat_of_the_far_party(tmp_path: Path, hop: Transport, behind: Transport) -> None:
    async def scenario() -> None:
        async with lab(tmp_path, hop, behind) as (handset, peer):
            await handset.register()
            binding = peer.registrar.binding_of(OWN)
            assert binding is not None
            assert binding.path
            chat = await peer.chats.invite(Target.of(binding))
            assert chat.accepted, chat.outcome
            call = await asyncio.wait_for(handset.calls.get(), 10)
            await asyncio.wait_for(call.opened(), 10)
            assert (await peer.chats.send_text(chat, "knock knock")).status == 200
            await handset.next(b"knock knock")
            assert call.session is not None
            assert (await call.session.update()).status == 200
            response = await call.session.bye()
            assert response is not None
            assert response.status == 200
            assert chat.ending is not None

    asyncio.run(scenario())
