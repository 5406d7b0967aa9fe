"""Sessions over TCP and TLS between two user agents: SIPS, large requests, and connections that are lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from harness.agent.session.invite_client import Invitation
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.invite_session import InviteSession
from harness.agent.session.user import Content
from harness.agent.session.user_agent import UserAgent
from harness.agent.sip.agent import Incoming, SipAgent
from harness.agent.sockets.tls_settings import TlsSettings
from harness.evidence.timeline import Address, Packet, Timeline, Transport
from tests.harness.agent.session_bench import ANSWER, OFFER, session_bench

HOST = "127.0.0.1"


class End:
    """One user agent; it accepts what comes."""

    def __init__(self, tls: TlsSettings | None = None) -> None:
        self.timeline = Timeline()
        self.agent = SipAgent(self.timeline, self._on_request, tls=tls)
        self.ua = UserAgent(self.agent, self._on_invite)
        self.sessions: asyncio.Queue[InviteSession] = asyncio.Queue()

    def _on_request(self, incoming: Incoming) -> None:
        assert self.ua.receive(incoming)

    def _on_invite(self, invite: IncomingInvite) -> None:
        self.ua.context.spawn(self._accept(invite), "answer")

    async def _accept(self, invite: IncomingInvite) -> None:
        session = await invite.accept(ANSWER)
        assert session is not None
        assert await invite.over is not None
        self.sessions.put_nowait(session)

    def transports(self) -> set[Transport]:
        return {each.transport for each in self.timeline if isinstance(each, Packet)}


@asynccontextmanager
async def ends(*each: End) -> AsyncIterator[None]:
    for end in each:
        await end.agent.listen(HOST)
    try:
        yield
    finally:
        for end in each:
            await end.ua.close()
            await end.agent.close()


async def session_between(
    near: End, far: End, uri: str, contact: str, content: Content = OFFER
) -> tuple[InviteSession, InviteSession]:
    invitation = Invitation(uri, "<sip:near@example.net>", "<sip:far@example.net>", contact, content)
    outcome = await near.ua.invite(invitation).outcome()
    assert outcome.session is not None, outcome
    return outcome.session, await asyncio.wait_for(far.sessions.get(), 5)


def at(end: End) -> Address:
    return end.agent.addresses[0]


def test_a_sips_session_is_secure_at_both_ends(in_loop: Callable[..., Any], authority: Any) -> None:
    async def scenario() -> None:
        settings = TlsSettings(*authority.issue(HOST), ca=authority.file)
        near, far = End(settings), End(settings)
        async with ends(near, far):
            addresses = [await end.agent.listen_tls(HOST, 0, settings) for end in (near, far)]
            one, other = await session_between(
                near, far, f"sips:far@{addresses[1]}", f"<sips:near@{addresses[0]}>"
            )
            assert one.dialog.secure
            assert other.dialog.secure
            assert one.dialog.remote_target.startswith("sips:")
            assert (await one.update()).status == 200
            assert (await other.update()).status == 200
            assert (await other.bye()).status == 200
            assert one.has_ended()
            assert near.transports() == {Transport.TLS}

    in_loop(scenario())


def test_a_session_outlives_its_connection(in_loop: Callable[..., Any]) -> None:
    async def scenario() -> None:
        near, far = End(), End()
        async with ends(near, far):
            one, other = await session_between(
                near, far, f"sip:far@{at(far)};transport=tcp", f"<sip:near@{at(near)};transport=tcp>"
            )
            await near.agent.drop_connections()
            assert (await other.update()).status == 200
            await far.agent.drop_connections()
            assert (await one.bye()).status == 200
            assert other.has_ended()
            assert near.transports() == {Transport.TCP}

    in_loop(scenario())


def test_a_large_invite_goes_by_tcp_and_so_does_its_cancel(in_loop: Callable[..., Any]) -> None:
    """18.1.1; 9.1: a CANCEL goes where and how its request went."""

    async def scenario() -> None:
        near, far = End(), End()
        async with ends(near, far):
            rung = asyncio.Event()

            async def ring(invite: IncomingInvite) -> None:
                await invite.ring()
                rung.set()

            far._accept = ring  # type: ignore[method-assign]
            large = Content("application/sdp", OFFER.body + b"a=x\r\n" * 300)
            outgoing = near.ua.invite(
                Invitation(f"sip:far@{at(far)}", "<sip:n@e>", "<sip:f@e>", f"<sip:near@{at(near)}>", large)
            )
            await asyncio.wait_for(rung.wait(), 5)
            outgoing.cancel()
            outcome = await outgoing.outcome()
            assert outcome.response is not None
            assert outcome.response.status == 487
            vias = [
                each.data for each in near.timeline if isinstance(each, Packet) and b"CANCEL sip" in each.data
            ]
            assert len(vias) == 1
            assert b"Via: SIP/2.0/TCP" in vias[0]
            assert near.transports() == {Transport.TCP}

    in_loop(scenario())


def test_a_large_invite_goes_by_udp_where_tcp_is_refused(in_loop: Callable[..., Any]) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:  # its far end knows UDP only
            large = Content("application/sdp", OFFER.body + b"a=x\r\n" * 300)
            outgoing = bench.ua.invite(bench.invitation(content=large))
            invite = await bench.far.next("INVITE")
            assert (invite.via.transport, invite.body) == ("UDP", large.body)
            bench.far.answer(invite, "200 OK", body=ANSWER)
            await bench.far.next("ACK")
            assert (await outgoing.outcome()).session

    in_loop(scenario())
