"""A user agent on a clock we drive, with a far end made of a socket and messages written out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from harness.agent.session.invite_client import Invitation
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.invite_session import InviteSession
from harness.agent.session.user import Content, Ending, SessionRequest, SessionUser
from harness.agent.session.user_agent import UserAgent
from harness.agent.sip.agent import Incoming, SipAgent
from harness.evidence.timeline import Event, Timeline
from harness.sip.message import Request, Response, build_response
from tests.harness.agent.conftest import ManualClock
from tests.harness.agent.far_end import FarEnd

OFFER = Content("application/sdp", b"v=0\r\no=far 1 1 IN IP4 192.0.2.1\r\n")
ANSWER = Content("application/sdp", b"v=0\r\no=near 1 1 IN IP4 192.0.2.2\r\n")
FAR = "<sip:far@example.net>"
NEAR = "<sip:near@example.net>"


class User(SessionUser):
    """Notes what it is told, and answers offers when it has an answer."""

    def __init__(self, answer: Content | None = None) -> None:
        self.answer = answer
        self.progress: list[Response] = []
        self.answers: list[tuple[InviteSession, Response]] = []
        self.acks: list[Request] = []
        self.reinvites: list[IncomingInvite] = []
        self.endings: list[Ending] = []
        self.offers: list[Request | Response] = []
        self.requests: list[SessionRequest] = []

    def progressed(self, session: InviteSession, response: Response) -> None:
        self.progress.append(response)

    def answer_offer(self, session: InviteSession, message: Request | Response) -> Content | None:
        self.offers.append(message)
        return self.answer

    def answered(self, session: InviteSession, response: Response) -> None:
        self.answers.append((session, response))

    def acknowledged(self, session: InviteSession, ack: Request) -> None:
        self.acks.append(ack)

    def reinvited(self, session: InviteSession, invite: IncomingInvite) -> None:
        self.reinvites.append(invite)

    def requested(self, request: SessionRequest) -> None:
        self.requests.append(request)
        super().requested(request)

    def ended(self, session: InviteSession, ending: Ending) -> None:
        self.endings.append(ending)


class Bench:
    """A user agent, its clock and the far end. invites: those that came."""

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock()
        self.timeline = Timeline()
        self.invites: asyncio.Queue[IncomingInvite] = asyncio.Queue()
        self.agent = SipAgent(self.timeline, self._on_request, scheduler=self.clock)
        self.ua = UserAgent(
            self.agent, self._on_invite, scheduler=self.clock, randomness=random.Random(7), **options
        )
        self.far: FarEnd

    def _on_invite(self, invite: IncomingInvite) -> None:
        self.invites.put_nowait(invite)

    def _on_request(self, incoming: Incoming) -> None:
        if not self.ua.receive(incoming):
            status = 481 if incoming.message.to.tag else 200
            self.agent.respond(incoming, build_response(incoming.message, status, to_tag="x"))

    async def invited(self, *headers: str, body: Content | None = OFFER) -> IncomingInvite:
        """The INVITE the far end sends now."""
        self.far.request("INVITE", 1, *headers, body=body)
        return await self.invites.get()

    async def called(self, *headers: str, user: SessionUser | None = None) -> InviteSession:
        """A session the far end began and has acknowledged."""
        invite = await self.invited(*headers)
        invite.session.user = user or User()
        assert await invite.accept(ANSWER) is invite.session
        accepted = await self.far.response("200")
        self.far.request("ACK", 1, to=accepted.get("To") or "", contact=False)
        async with asyncio.timeout(5):
            assert await invite.over is not None
        return invite.session

    def invitation(self, **changes: Any) -> Invitation:
        values: dict[str, Any] = {
            "uri": f"sip:far@{self.far.address}",
            "from_": NEAR,
            "to": FAR,
            "contact": f"<sip:near@{self.agent.addresses[0]}>",
            "content": OFFER,
            "call_id": "call-2",
            "from_tag": "near",
        }
        return Invitation(**(values | changes))

    async def calling(
        self, *headers: str, user: SessionUser | None = None, body: Content | None = ANSWER
    ) -> InviteSession:
        """A session we began and the far end accepted, with these headers in its 200."""
        outgoing = self.ua.invite(self.invitation(), user=user)
        invite = await self.far.next("INVITE")
        self.far.answer(invite, "200 OK", *headers, body=body)
        await self.far.next("ACK")
        session = (await outgoing.outcome()).session
        assert session is not None
        return session

    def to_near(self, session: InviteSession) -> str:
        """To of a request of the far end in this session."""
        return session.dialog.local

    @property
    def notes(self) -> list[str]:
        return [each.text for each in self.timeline if isinstance(each, Event)]


@asynccontextmanager
async def session_bench(**options: Any) -> AsyncIterator[Bench]:
    """Everything on loopback. Afterwards nothing runs and nothing is left."""
    bench = Bench(**options)
    address = await bench.agent.listen("127.0.0.1")
    loop = asyncio.get_running_loop()
    transport, bench.far = await loop.create_datagram_endpoint(
        lambda: FarEnd(address), local_addr=("127.0.0.1", 0)
    )
    try:
        yield bench
    finally:
        transport.close()
        await bench.ua.close()
        await bench.agent.close()
        assert bench.clock.handles == []
        assert bench.ua.sessions == []
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


def tags(messages: Iterable[Request | Response]) -> list[str | None]:
    return [message.to.tag for message in messages]
