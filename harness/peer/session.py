"""1-1 chats of the far party, both ways: the INVITE, MSRP, messages and their notifications, BYE.

RFC 3261 13, RFC 4975, RFC 5438; OMA CPM as far as headers and types go. Every SEND is answered by the MSRP
endpoint; what the handset sends is kept here as it came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from harness.agent.msrp.endpoint import MsrpEndpoint
from harness.agent.msrp.negotiation import new_origin
from harness.agent.msrp.services import Flow as MediaFlow
from harness.agent.msrp.services import service_terms
from harness.agent.msrp.session import MsrpUser
from harness.agent.msrp.session import ReceivedMessage as MsrpMessage
from harness.agent.session.invite_client import Invitation
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.user import Ending
from harness.agent.session.user_agent import UserAgent
from harness.agent.sip.agent import Incoming
from harness.bodies.cpim import build_cpim, parse_cpim
from harness.bodies.encoding import decode_content
from harness.bodies.sdp_attributes import Setup
from harness.cpm.services import Service
from harness.cpm.tokens import new_id, new_uuid
from harness.errors import BodySyntaxError, SipSyntaxError, UsageError
from harness.evidence.timeline import Address
from harness.msrp.chunking import Outcome
from harness.peer.answers import Answer, AnswerQueue, Header, HeaderChanges, altered, changed
from harness.peer.chat import Chat, ChatCall, ChatMessage
from harness.peer.config import FarParty
from harness.peer.flow import FlowWay, flow_of, on_the_way
from harness.peer.journal import EventKind, PeerEvent, Recent
from harness.peer.mt_request import Target, hops_behind, service_headers
from harness.peer.notifications import NotificationKind, Notifications
from harness.peer.pager import DISPOSITION, cpim_rows
from harness.peer.pcscf import Pcscf
from harness.peer.received import sender_of, service_in
from harness.peer.registrar import Registrar
from harness.sip.dialog import needs_sips_contact
from harness.sip.message import Request, Response
from harness.sip.session_headers import Reason
from harness.sip.session_timer import TimerPolicy
from harness.sip.transaction import Timers

CPIM = "message/cpim"
ALLOW = ("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "OPTIONS")
SUPPORTED = ("100rel", "timer")
LARGEST_MESSAGE = 1 << 20  # octets; what is larger belongs into a file transfer, and gets 413


class Sessions:
    """The far party's chats: those the handset begins, and those begun from here.

    accepting: whether a chat nobody has said anything about is accepted; otherwise it gets 488.
    """

    def __init__(
        self,
        pcscf: Pcscf,
        registrar: Registrar,
        notifications: Notifications,
        msrp: MsrpEndpoint,
        timers: Timers | None = None,
    ) -> None:
        self._pcscf, self._registrar = pcscf, registrar
        self._notifications, self._msrp = notifications, msrp
        self._answers = AnswerQueue()
        self.accepting = True
        self.chats: Recent[Chat] = Recent()
        self.user_agent = UserAgent(
            pcscf.agent,
            self._invited,
            contact_of=self._contact_of,
            way_of=lambda incoming: FlowWay(flow_of(incoming, _contact_uri(incoming.message))),
            headers=(("Server", pcscf.config.server),),
            allow=ALLOW,
            supported=SUPPORTED,
            policy=TimerPolicy(pcscf.config.session_interval, pcscf.config.session_least),
            timers=timers,
        )

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods a session takes."""
        return ALLOW

    def start(self) -> None:
        """Take and begin sessions, also after `stop`."""
        self.user_agent.start()

    async def stop(self) -> None:
        """End every session at once; nothing is left."""
        await self.user_agent.close()

    # -- from the handset

    def answer_next(
        self,
        status: int | None,
        headers: HeaderChanges | None = None,
        count: int = 1,
        *,
        reason: str | None = None,
        delay: float = 0.0,
    ) -> None:
        """Answer the next `count` INVITEs with this status, or not at all (None).

        A 2xx accepts the chat, with these changes in the 200. delay: seconds it rings before the answer.
        """
        self._answers.add(Answer(status, headers or {}, reason, delay=delay), count)

    def answer_as_usual(self) -> None:
        """Forget the answers asked for and not given yet."""
        self._answers.clear()

    def in_session(self, incoming: Incoming) -> bool:
        """Take in ACK, CANCEL, or a request in the dialog of a session. False for anything else."""
        request = incoming.message
        if request.method not in ("ACK", "CANCEL") and request.to.tag is None:
            return False
        return self.user_agent.receive(incoming)

    def on_invite(self, incoming: Incoming) -> None:
        """Answer an INVITE outside of dialogs."""
        self.user_agent.receive(incoming)

    def _invited(self, invite: IncomingInvite) -> None:
        answer = self._answers.take() or self._usual(invite.request)
        if answer.delay:
            self._pcscf.spawn(self._answer_late(invite, answer), "late answer to an INVITE")
        else:
            self._give(invite, answer)

    async def _answer_late(self, invite: IncomingInvite, answer: Answer) -> None:
        """180 at once, the answer when the far party has made up its mind."""
        await invite.ring(headers=[("Record-Route", self._pcscf.route(invite.incoming.local))])
        await asyncio.sleep(answer.delay)
        self._give(invite, answer)

    def _give(self, invite: IncomingInvite, answer: Answer) -> None:
        if answer.accepts:
            chat = self._chat_of(invite)
            self._pcscf.spawn(self._accept(invite, chat, answer), f"answer to the INVITE of {chat.handset}")
        elif answer.status is None:
            invite.stay_silent()
            self._pcscf.journal.add(EventKind.WITHHELD, "answer to INVITE", invite.incoming)
        else:
            invite.reject(answer.status, answer.reason, alter=partial(altered, changes=answer.headers))
            self._answered(invite)

    def _usual(self, request: Request) -> Answer:
        """Chats are accepted, or not; sessions of other services are not served."""
        service = service_in(request)
        if self.accepting and service in (None, Service.SESSION):
            return Answer(200)
        text = "no session is wanted" if service is None else f"no session of {service.value} is wanted"
        return Answer(488, {"Warning": f'399 {self._pcscf.config.domain} "{text}"'})

    def _answered(self, invite: IncomingInvite) -> None:
        status = invite.final.status if invite.final is not None else None
        self._pcscf.journal.add(EventKind.ANSWERED, f"INVITE with {status}", status)

    def _chat_of(self, invite: IncomingInvite) -> Chat:
        request = invite.request
        return self._new_chat(
            sender_of(request),
            self._dialled(str(request.to.uri)),
            request.get("Conversation-ID") or new_uuid(),
            request.get("Contribution-ID") or new_uuid(),
            answers=True,
            local=invite.incoming.local,
        )

    def _dialled(self, identity: str) -> FarParty:
        try:
            return FarParty.of(identity, self._pcscf.config.domain)
        except UsageError:
            return FarParty(identity)  # neither a number nor a SIP URI: it is called what it was dialled as

    async def _accept(self, invite: IncomingInvite, chat: Chat, answer: Answer) -> None:
        request = invite.request
        ids = ("Conversation-ID", "Contribution-ID")
        headers: list[Header] = [
            ("Record-Route", self._pcscf.route(invite.incoming.local)),
            *((name, value) for name in ids for value in request.get_all(name)),
        ]
        alter = partial(altered, changes=answer.headers)
        session = await chat.call.accept(invite, headers, alter=alter)
        self._answered(invite)
        if session is not None:
            self._begun(chat)

    async def wait_chat(self, *, timeout: float, after: int = 0) -> Chat:
        """The first chat begun later than timeline number `after`, by either side. Raises NotSeen."""
        event = await self._pcscf.journal.wait(
            lambda event: event.kind is EventKind.CHAT_BEGUN,
            timeout,
            after=after,
            expected="a chat",
            kinds=(EventKind.CHAT_BEGUN, EventKind.ANSWERED, EventKind.WITHHELD),
        )
        assert isinstance(event.subject, Chat)
        return event.subject

    async def wait_message(self, text: str | None = None, *, timeout: float, after: int = 0) -> ChatMessage:
        """The first message in a chat with this text (any text when None). Raises NotSeen."""

        def wanted(event: PeerEvent) -> bool:
            if event.kind is not EventKind.CHAT_MESSAGE_RECEIVED:
                return False
            return event.subject.text is not None and text in (None, event.subject.text)

        event = await self._pcscf.journal.wait(
            wanted,
            timeout,
            after=after,
            expected="a chat message" if text is None else f"a chat message {text!r}",
            kinds=(EventKind.CHAT_BEGUN, EventKind.CHAT_MESSAGE_RECEIVED, EventKind.CHAT_ENDED),
        )
        assert isinstance(event.subject, ChatMessage)
        return event.subject

    # -- to the handset

    async def invite(
        self,
        target: Target,
        *,
        sender: FarParty | None = None,
        conversation_id: str | None = None,
        contribution_id: str | None = None,
        headers: HeaderChanges | None = None,
        setup: Setup = Setup.ACTPASS,
    ) -> Chat:
        """Invite a handset to a chat and wait for its answer, which shows in the result.

        headers: SIP headers to change, add or leave out. setup: what the offer says of who connects.
        """
        party = sender or self._pcscf.config.party
        ids = conversation_id or new_uuid(), contribution_id or new_uuid()
        chat = self._new_chat(
            target.identity, party, *ids, answers=False, local=target.flow.local, setup=setup
        )
        outgoing = self.user_agent.invite(
            self._invitation(chat, target, headers or {}),
            FlowWay(target.flow, on_the_way(target.path)),
            chat.call,
        )
        chat.outcome = await chat.call.outcome(outgoing)
        if chat.outcome.session is not None:
            self._begun(chat)
        return chat

    def _invitation(self, chat: Chat, target: Target, changes: HeaderChanges) -> Invitation:
        config, local = self._pcscf.config, target.flow.local
        headers: list[Header] = [
            *(("Via", via) for via in hops_behind(config.hops, config.domain, new_id())),
            ("Max-Forwards", str(70 - config.hops)),
            *(("Route", value) for value in target.path),
            ("Record-Route", self._pcscf.route(local)),
            *service_headers(chat.party, target, Service.SESSION, chat.conversation_id, chat.contribution_id),
        ]
        contact = f"<{self._pcscf.uri(local)}>;{Service.SESSION.feature_tag}"
        return Invitation(
            target.contact,
            chat.party.name_addr,
            f"<{target.identity}>",
            contact,
            chat.call.offer(),
            tuple(changed(headers, changes)),
        )

    async def send_text(
        self,
        chat: Chat,
        text: str,
        *,
        disposition: Sequence[str] = DISPOSITION,
        content_type: str = "text/plain;charset=UTF-8",
        message_id: str | None = None,
        cpim: HeaderChanges | None = None,
    ) -> Outcome:
        """Send a message in a chat and wait for its outcome. Raises UsageError, TransportFailed."""
        content = text.encode()
        identifier = message_id or new_id()
        headers = cpim_rows(self._pcscf.timeline.now(), chat.party, chat.handset, identifier, disposition)
        mime = [("Content-Type", content_type), ("Content-Length", str(len(content)))]
        octets = build_cpim(changed(headers, cpim or {}), mime, content, strict=not cpim)
        handle = await chat.call.opened()
        outcome = await handle.send(octets, CPIM)
        self._pcscf.journal.add(
            EventKind.CHAT_MESSAGE_SENT,
            f"{text!r} to {chat.handset}, {identifier}: {outcome.status}",
            outcome,
        )
        return outcome

    async def end(
        self, chat: Chat, reason: Reason | None = None, headers: Iterable[Header] = ()
    ) -> Response | None:
        """Hang up. None when it is over already, or the handset gave no answer. Raises UsageError."""
        if chat.call.session is None:
            raise UsageError(f"{chat} never became a session")
        return await chat.call.session.bye(reason, headers)

    # -- both

    def _new_chat(
        self,
        handset: str,
        party: FarParty,
        conversation_id: str,
        contribution_id: str,
        *,
        answers: bool,
        local: Address,
        setup: Setup = Setup.ACTIVE,
    ) -> Chat:
        secured = self._pcscf.config.msrp_tls
        wanted = replace(
            self._msrp.terms(local),
            setup=setup,
            secure=secured is not None and secured.offered,
            max_size=LARGEST_MESSAGE,
        )
        terms = service_terms(MediaFlow.SESSION, wanted, answers=answers)
        call = ChatCall(self._msrp, [terms], new_origin(local.host), lambda _: user)
        chat = Chat(handset, party, conversation_id, contribution_id, call)
        user = MsrpUser(message=lambda message: self._received(chat, message))
        call.on_ended = lambda ending: self._ended(chat, ending)
        return chat

    def _begun(self, chat: Chat) -> None:
        self.chats.append(chat)
        self._pcscf.journal.add(EventKind.CHAT_BEGUN, str(chat), chat)

    def _ended(self, chat: Chat, ending: Ending) -> None:
        chat.ending = ending
        who = "by the peer" if ending.by_us else "by the handset"
        self._pcscf.journal.add(EventKind.CHAT_ENDED, f"{chat}: {ending.cause} {who}", chat)

    def _received(self, chat: Chat, message: MsrpMessage) -> None:
        read = self._read(chat, message)
        chat.received.append(read)
        self._pcscf.journal.add(EventKind.CHAT_MESSAGE_RECEIVED, str(read), read)
        if not read.is_notification and not message.again:
            plan = self._notifications.plan(read)
            if plan:
                self._pcscf.spawn(self._notify(chat, read, plan), f"notifications for {read.message_id}")

    def _read(self, chat: Chat, message: MsrpMessage) -> ChatMessage:
        cpim, kind, content, fault = None, message.content_type, message.content.read(), ""
        try:
            content = decode_content(content, message.head.get("Content-Encoding"))
            if kind.partition(";")[0].strip().lower() == CPIM:
                cpim = parse_cpim(content)
                kind, content = cpim.mime_get("Content-Type") or "", cpim.decoded()
        except BodySyntaxError as error:
            fault = str(error)
        timeline = self._pcscf.timeline
        return ChatMessage(
            len(timeline), timeline.now(), cpim, kind, content, chat.handset, chat.party.sip, fault
        )

    async def _notify(
        self, chat: Chat, message: ChatMessage, plan: list[tuple[NotificationKind, timedelta]]
    ) -> None:
        """Inside the session while it lives (OMA CPM): one SEND for each."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for kind, delay in plan:
            await asyncio.sleep(max(0.0, start + delay.total_seconds() - loop.time()))
            outcome = await (await chat.call.opened()).send(self._notifications.document(message, kind), CPIM)
            self._pcscf.journal.add(
                EventKind.NOTIFICATION_SENT, f"{kind} for {message.message_id}: {outcome.status}", outcome
            )

    def _contact_of(self, incoming: Incoming) -> str:
        uri = self._pcscf.uri(incoming.local)
        if needs_sips_contact(incoming.message):
            uri = uri.replace("sip:", "sips:", 1)
        return f"<{uri}>;{Service.SESSION.feature_tag}"


def _contact_uri(request: Request) -> str | None:
    try:
        return str(request.contacts[0].uri) if request.contacts else None
    except SipSyntaxError:
        return None
