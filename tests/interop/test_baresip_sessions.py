"""baresip, a user agent of other origin, calls ours, is called, put on hold, cancelled and hung up by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.agent.loop_thread import LoopThread
from harness.agent.session.invite_client import Invitation, OutgoingInvite
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.invite_session import InviteSession
from harness.agent.session.user import Cause, Content, Ending, SessionUser
from harness.agent.session.user_agent import UserAgent
from harness.agent.sip.agent import Incoming, SipAgent
from harness.evidence.timeline import Event, Timeline
from harness.sip.message import Request, Response, build_response

from .loopback import free_port, own_network
from .test_baresip import BARESIP, HOST, Baresip

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(BARESIP is None, reason="baresip is not installed (apt-get install baresip-core)"),
]
TRANSPORTS = ["udp", "tcp"]
_SOUND = (
    *("module g711.so", "module aubridge.so", "audio_source aubridge,in"),
    *("audio_player aubridge,out", "audio_alert aubridge,alert"),
)


def audio(version: int, direction: str = "sendrecv") -> Content:
    return Content(
        "application/sdp",
        f"v=0\r\no=near 7 {version} IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
        f"m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na={direction}\r\n".encode(),
    )


class Near(SessionUser):
    """Our end; it takes calls as `answering` says."""

    def __init__(self, loop: LoopThread) -> None:
        self.loop, self.timeline = loop, Timeline()
        self.agent = SipAgent(self.timeline, self._on_request)
        self.ua = UserAgent(self.agent, self._on_invite)
        self.answering: Callable[[IncomingInvite], Coroutine[Any, Any, Any]] = self.accept
        self.endings: list[Ending] = []
        self.answers: list[Response] = []

    async def start(self) -> None:
        self.sessions: asyncio.Queue[InviteSession] = asyncio.Queue()
        self.over = asyncio.Event()
        self.at = await self.agent.listen(HOST)

    async def close(self) -> None:
        await self.ua.close()
        await self.agent.close()

    def _on_request(self, incoming: Incoming) -> None:
        if not self.ua.receive(incoming):
            self.agent.respond(incoming, build_response(incoming.message, 405, to_tag="x"))

    def _on_invite(self, invite: IncomingInvite) -> None:
        invite.session.user = self
        self.ua.context.spawn(self.answering(invite), "answer")

    async def accept(self, invite: IncomingInvite) -> None:
        await invite.ring()
        session = await invite.accept(audio(1))
        assert session is not None
        assert await invite.over is not None
        self.sessions.put_nowait(session)

    async def ring(self, invite: IncomingInvite) -> None:
        await invite.ring()

    def answer_offer(self, session: InviteSession, message: Request | Response) -> Content | None:
        return audio(2)

    def reinvited(self, session: InviteSession, invite: IncomingInvite) -> None:
        self.ua.context.spawn(invite.accept(audio(2)), "answer to a re-INVITE")

    def answered(self, session: InviteSession, response: Response) -> None:
        self.answers.append(response)

    def ended(self, session: InviteSession, ending: Ending) -> None:
        self.endings.append(ending)
        self.over.set()

    # -- what tests do

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.call(coroutine, 20)

    async def taken(self) -> InviteSession:
        async with asyncio.timeout(10):
            return await self.sessions.get()

    async def ended_by(self) -> Ending:
        async with asyncio.timeout(10):
            await self.over.wait()
        return self.endings[0]

    async def invite(self, port: int, transport: str) -> OutgoingInvite:
        invitation = Invitation(
            f"sip:ue@{HOST}:{port};transport={transport}",
            f"<sip:near@{self.at}>",
            f"<sip:ue@{HOST}>",
            f"<sip:near@{self.at};transport={transport}>",
            audio(1),
        )
        return self.ua.invite(invitation, user=self)

    @property
    def notes(self) -> list[str]:
        return [each.text for each in self.timeline if isinstance(each, Event) and each.name == "note"]


class Far(Baresip):
    """A baresip that needs no registrar; with a codec, a source of sound and somewhere to put it."""

    def __init__(self, folder: Path, mode: str) -> None:
        self.port = free_port()
        account = f"<sip:ue@{HOST}>;regint=0;answermode={mode}"
        super().__init__(folder, account, sip_port=self.port, settings=_SOUND)


@pytest.fixture
def near(tmp_path: Path) -> Iterator[Near]:
    with own_network(), LoopThread("interop-sessions") as loop:
        found = Near(loop)
        loop.call(found.start(), 5)
        try:
            yield found
        finally:
            loop.call(found.close(), 5)


@pytest.fixture
def far(near: Near, tmp_path: Path) -> Iterator[Callable[[str], Far]]:
    begun: list[Far] = []

    def begin(mode: str) -> Far:
        begun.append(Far(tmp_path / f"baresip-{len(begun)}", mode))
        return begun[-1]

    yield begin
    for each in begun:
        each.end()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_baresip_calls_is_put_on_hold_and_hangs_up(near: Near, far: Any, transport: str) -> None:
    baresip = far("manual")
    baresip.do("dial", f"sip:near@{near.at};transport={transport}")
    session = near.call(near.taken())
    assert near.call(session.reinvite(audio(2, "sendonly"))).status == 200
    assert b"a=recvonly" in near.answers[-1].body
    assert near.call(session.reinvite(audio(3))).status == 200
    assert near.call(session.request("OPTIONS")).status == 200
    baresip.do("hangup")
    ending = near.call(near.ended_by())
    assert (ending.cause, ending.by_us) == (Cause.BYE, False)
    assert near.notes == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_baresip_gives_a_call_up(near: Near, far: Any, transport: str) -> None:
    near.answering = near.ring
    baresip = far("manual")
    baresip.do("dial", f"sip:near@{near.at};transport={transport}")
    baresip.wait_for("180 Ringing")
    baresip.do("hangup")
    assert near.call(near.ended_by()).cause is Cause.CANCELLED
    assert near.notes == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_baresip_is_called_and_hung_up(near: Near, far: Any, transport: str) -> None:
    baresip = far("auto")

    async def talk() -> None:
        outcome = await (await near.invite(baresip.port, transport)).outcome()
        assert outcome.session is not None, outcome
        assert (await outcome.session.reinvite(audio(2, "inactive"))).status == 200
        response = await outcome.session.bye()
        assert response is not None
        assert response.status == 200

    near.call(talk())
    assert near.notes == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_call_to_baresip_is_given_up(near: Near, far: Any, transport: str) -> None:
    baresip = far("manual")

    async def give_up() -> int | None:
        outgoing = await near.invite(baresip.port, transport)
        outgoing.cancel()
        response = (await outgoing.outcome()).response
        return response and response.status

    assert near.call(give_up()) == 487
    assert near.notes == []
