"""A call transferred by REFER in its dialog (RFC 3515 4.1, RFC 5589 6.1): three user agents on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from harness.agent.background import Background
from harness.agent.events.notifier import Admission, EventNotifier
from harness.agent.events.references import Reference, ReferenceSender, ReferenceTaker
from harness.agent.events.subscriber import EventSubscriber, Wish
from harness.agent.events.subscriptions import send_over
from harness.agent.session.invite_client import Invitation
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.invite_session import InviteSession
from harness.agent.session.outgoing import UriWay
from harness.agent.session.user import SessionRequest, SessionUser
from harness.agent.session.user_agent import UserAgent
from harness.agent.sip.agent import Incoming, SipAgent
from harness.evidence.timeline import Packet, Timeline
from harness.sip.event_headers import ReferTo, SubscriptionState
from harness.sip.event_packages import REFER
from harness.sip.message import Response, build_response
from harness.sip.refer import Referral
from harness.sip.sipfrag import Sipfrag
from harness.sip.subscription import Ended


class Phone(SessionUser):
    """A user agent that takes calls, and refers and is referred in them."""

    def __init__(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        self.name, self.timeline, self.background = name, Timeline(), Background()
        self.agent = SipAgent(self.timeline, self._on_request)
        self.calls = UserAgent(self.agent, self._on_invite)
        self.notifier = EventNotifier(self._respond, self._spawn, loop, loop.time)
        self.subscriber = EventSubscriber(self._respond, self._spawn, loop, loop.time)
        self.references = ReferenceTaker(
            self.notifier, self._respond, self._admission, lambda *_: None, self._follow
        )
        self.status = 200
        self.invited: list[IncomingInvite] = []
        self.talking: asyncio.Queue[InviteSession] = asyncio.Queue()
        self.handlers: dict[str, Callable[[Incoming, InviteSession], None]] = {
            "REFER": lambda incoming, session: self.references.on_refer(incoming, session.dialog),
            "NOTIFY": lambda incoming, session: self.subscriber.on_notify(incoming),
            "SUBSCRIBE": lambda incoming, session: self.notifier.on_subscribe(incoming),
        }

    @property
    def uri(self) -> str:
        return f"sip:{self.name}@{self.agent.addresses[0]}"

    @property
    def sent_and_got(self) -> list[str]:
        return [each.data.decode() for each in self.timeline if isinstance(each, Packet)]

    def call(self, uri: str, user: SessionUser | None = None, *headers: tuple[str, str]) -> Any:
        invitation = Invitation(uri, f"<{self.uri}>", f"<{uri}>", f"<{self.uri}>", headers=headers)
        return self.calls.invite(invitation, user=user or self)

    # -- what comes in

    def _on_request(self, incoming: Incoming) -> None:
        if not self.calls.receive(incoming) and incoming.message.method != "ACK":
            self._respond(incoming, 481)

    def _on_invite(self, invite: IncomingInvite) -> None:
        invite.session.user = self
        self.invited.append(invite)
        self._spawn(self._answer(invite), "answer")

    async def _answer(self, invite: IncomingInvite) -> None:
        await invite.ring()
        if self.status >= 300:
            invite.reject(self.status)
            return
        session = await invite.accept()
        assert session is not None
        self.talking.put_nowait(session)

    def requested(self, request: SessionRequest) -> None:
        self.handlers[request.message.method](request.incoming, request.session)

    # -- what references need

    def _admission(self, incoming: Incoming) -> Admission:
        return Admission("refer", f"<{self.uri}>", send_over(self.agent, UriWay()))

    def _follow(self, reference: Reference) -> None:
        self._spawn(self._followed(reference), "follow")

    async def _followed(self, reference: Reference) -> None:
        referral = reference.referral
        outcome = await self.call(referral.uri, Reporting(reference), *referral.headers).outcome()
        final = 200 if outcome.response is None else outcome.response.status
        reference.progress(final)

    def _respond(
        self, incoming: Incoming, status: int, headers: Any = (), *, reason: Any = None, to_tag: Any = None
    ) -> None:
        response = build_response(incoming.message, status, reason, headers, to_tag=to_tag or "none")
        self.agent.respond(incoming, response)

    def _spawn(self, work: Any, what: str) -> None:
        self.background.spawn(work)


class Reporting(SessionUser):
    """The user of the session a reference leads to."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference

    def progressed(self, session: InviteSession, response: Response) -> None:
        self.reference.progress(response.status)


@asynccontextmanager
async def phones(*names: str) -> AsyncIterator[list[Phone]]:
    found = [Phone(name) for name in names]
    try:
        for phone in found:
            await phone.agent.listen("127.0.0.1")
        yield found
    finally:
        for phone in found:
            await phone.calls.hang_up()
            phone.notifier.forget()
            phone.subscriber.forget()
            phone.background.cancel()
            await phone.background.ended()
            await phone.agent.close()


@pytest.mark.parametrize(("status", "told"), [(200, [100, 180, 200]), (486, [100, 180, 486])])
def test_a_call_is_transferred(in_loop: Any, status: int, told: list[int]) -> None:
    async def scenario() -> None:
        async with phones("alice", "bob", "carol") as (alice, bob, carol):
            carol.status = status
            outcome = await alice.call(bob.uri).outcome()
            session = outcome.session
            assert session is not None
            await bob.talking.get()

            heard: list[int | None] = []
            over: asyncio.Queue[Ended] = asyncio.Queue()

            def on_progress(fragment: Sipfrag | None, state: SubscriptionState) -> None:
                heard.append(fragment and fragment.status)

            wish = Wish(
                REFER, bob.uri, f"<{alice.uri}>", f"<{bob.uri}>", f"<{alice.uri}>", "127.0.0.1",
                send=send_over(alice.agent, UriWay()), on_notify=lambda *_: None, on_end=over.put_nowait,
            )  # fmt: skip
            referral = Referral(ReferTo.parse(f"<{carol.uri}>"), f"<{alice.uri}>")
            reported = await ReferenceSender(alice.subscriber).refer(
                referral, wish, on_progress, dialog=session.dialog
            )
            assert reported.response.status == 200
            ended = await over.get()
            assert ended.reason == "noresource"
            assert heard == told

            (invite,) = carol.invited
            assert invite.request.get("Referred-By") == f"<{alice.uri}>"
            notifies = [text for text in alice.sent_and_got if text.startswith("NOTIFY ")]
            number = session.dialog.local_cseq
            assert [text.count(f"\r\nEvent: refer;id={number}\r\n") for text in notifies] == [1, 1, 1]

            await session.bye()  # the dialog goes on counting where REFER and NOTIFY left it
            byes = [text for text in alice.sent_and_got if text.startswith("BYE ")]
            assert f"\r\nCSeq: {number + 1} BYE\r\n" in byes[0]

    in_loop(scenario())
