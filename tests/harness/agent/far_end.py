"""The other end of a session on a UDP socket: messages written out, and a user agent on a clock we drive."""

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
from harness.evidence.timeline import Address, Event, Timeline
from harness.sip.message import Request, Response, build_response, parse_message
from tests.harness.agent.conftest import ManualClock

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


class FarEnd(asyncio.DatagramProtocol):
    """Writes and reads messages; nothing here knows what a dialog is."""

    def __init__(self, near: Address) -> None:
        self.near = near
        self.messages: asyncio.Queue[Request | Response] = asyncio.Queue()
        self.branch = 0
        self.pings = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        host, port = transport.get_extra_info("sockname")
        self.address = Address(host, port)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.messages.put_nowait(parse_message(data))

    # -- out

    def send(self, text: str) -> None:
        self.transport.sendto(text.replace("\n", "\r\n").encode(), self.near)

    def request(
        self,
        method: str,
        cseq: int = 1,
        *headers: str,
        to: str = NEAR,
        from_: str = f"{FAR};tag=far",
        body: Content | None = None,
        branch: str = "",
        contact: bool = True,
        call_id: str = "call-1",
    ) -> str:
        """Send a request and return its branch."""
        self.branch += 1
        branch = branch or f"z9hG4bKfar{self.branch}"
        rows = [
            f"Via: SIP/2.0/UDP {self.address};branch={branch}",
            "Max-Forwards: 70",
            f"From: {from_}",
            f"To: {to}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            *([f"Contact: <sip:far@{self.address}>"] if contact else []),
            *headers,
            *([f"Content-Type: {body.type}"] if body else []),
            f"Content-Length: {len(body.body) if body else 0}",
        ]
        head = f"{method} sip:near@{self.near} SIP/2.0\r\n" + "\r\n".join(rows) + "\r\n\r\n"
        self.transport.sendto(head.encode() + (body.body if body else b""), self.near)
        return branch

    def answer(
        self, request: Request, status: str, *headers: str, tag: str = "far", body: Content | None = None
    ) -> None:
        """Answer a request; a tag where its To has none, a Contact where the status makes a dialog."""
        self.transport.sendto(self.written(request, status, *headers, tag=tag, body=body), self.near)

    def written(
        self, request: Request, status: str, *headers: str, tag: str = "far", body: Content | None = None
    ) -> bytes:
        """The octets of that answer."""
        to = request.get("To") or ""
        to = to if "tag=" in to or not tag else f"{to};tag={tag}"
        given = any(row.startswith("Contact:") for row in headers)
        makes_dialog = status[0] in "12" and not status.startswith("100") and not given
        rows = [
            *(f"Via: {value}" for value in request.get_all("Via")),
            f"From: {request.get('From')}",
            f"To: {to}",
            f"Call-ID: {request.call_id}",
            f"CSeq: {request.get('CSeq')}",
            *([f"Contact: <sip:far@{self.address}>"] if makes_dialog else []),
            *headers,
            *([f"Content-Type: {body.type}"] if body else []),
            f"Content-Length: {len(body.body) if body else 0}",
        ]
        head = f"SIP/2.0 {status}\r\n" + "\r\n".join(rows) + "\r\n\r\n"
        return head.encode() + (body.body if body else b"")

    # -- in

    async def next(self, start: str) -> Any:
        """The next message; its start line begins so."""
        async with asyncio.timeout(5):
            found = await self.messages.get()
        assert found.start_line.decode().startswith(start), f"{start} expected, got {found.start_line!r}"
        return found

    async def response(self, start: str) -> Response:
        found = await self.next(f"SIP/2.0 {start}")
        assert isinstance(found, Response)
        return found

    async def nothing(self) -> None:
        """A request outside everything is answered, and nothing came before that answer."""
        for _ in range(2):
            self.pings += 1
            call_id = f"ping-{self.pings}"
            self.request("OPTIONS", 1, call_id=call_id)
            found = await self.response("200")
            assert found.call_id == call_id, f"nothing expected, got {found!r}"


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
