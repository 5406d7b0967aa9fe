"""INVITEs both ways for every MSRP service of the far party: who serves which, the answers, what is common.

RFC 3261 13, RFC 4975; OMA CPM as far as headers and types go. Which flow an INVITE of the handset is for
stands in service_table.py.

How a service is added: derive from `MsrpService` (msrp_service.py) in a module of its own.
- `flows` names what it serves (`takes` where that does not suffice: a recipient list), `largest` bounds its
  messages, `notifies_inside` says where notifications go, `option_tags` what it understands of Require. Its
  sessions may be of a class derived from ServiceSession (service_session.py) that holds more.
- Handset originates: `session_of` makes the session of an INVITE, `usual` the answer when no test asked for
  another, `terms` the m-lines, `contact` and `answer_headers` what differs in the 200. What the INVITE shows
  (parts, offer, file) is `session.asked`. `begun`, `received`, `progress`, `ended` are told what follows;
  `begun` is where a service that sends at once spawns that. `read` makes messages of what MSRP brings,
  `notify` decides on their notifications. Content goes to a file by `SessionMessage.save`, or under the name
  the handset gave by evidence/kept_files.py.
- Handset terminates: make a session with `calling`, then `call` sends the INVITE (Subject, Referred-By, parts
  beside SDP) and waits for its answer; `cancel` gives it up. Then `send`, `end`.
- Peer makes one of it in `Peer.__init__`. URIs it makes up (a focus) go into `Invitations.addresses`.
Whatever it is, the journal tells INVITED, SESSION_BEGUN, MESSAGE_RECEIVED, NOTIFICATION_RECEIVED,
MESSAGE_SENT, SESSION_ENDED with the session or message as subject, and tests wait with `wait_...`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from harness.agent.msrp.endpoint import MsrpEndpoint
from harness.agent.msrp.services import Flow as MediaFlow
from harness.agent.msrp.services import service_terms
from harness.agent.msrp.terms import MsrpTerms
from harness.agent.session.invite_client import InviteOutcome
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.user_agent import UserAgent
from harness.agent.sip.agent import Incoming
from harness.bodies.file_attributes import FileDescription
from harness.bodies.sdp_attributes import Setup
from harness.cpm.services import Service
from harness.errors import SipSyntaxError, UsageError
from harness.evidence.timeline import Address
from harness.peer.answers import Answer, AnswerQueue, Header, HeaderChanges, accepted_with, altered
from harness.peer.conversations import Conversations
from harness.peer.crossing import Crossings
from harness.peer.flow import FlowWay, flow_of, on_the_way
from harness.peer.journal import EventKind
from harness.peer.mt_invite import Invited, invitation
from harness.peer.notifications import Notifications
from harness.peer.pcscf import Pcscf
from harness.peer.registrar import Registrar
from harness.peer.service_session import ServiceSession
from harness.peer.service_table import Asked, asked_of, configured_addresses
from harness.peer.wrong_sdp import WrongSdp
from harness.sip.dialog import needs_sips_contact
from harness.sip.message import Request
from harness.sip.session_headers import Reason
from harness.sip.session_timer import TimerPolicy
from harness.sip.transaction import Timers

if TYPE_CHECKING:
    from harness.peer.msrp_service import MsrpService

ALLOW = ("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "OPTIONS")
SUPPORTED = ("100rel", "timer")
_IDS = ("Conversation-ID", "Contribution-ID")


class Invitations:
    """The user agent of the far parties, and the services behind it.

    addresses: URIs of the network that are no users, in canonical form, and what they stand for. crossings:
    sessions in which both sides are to send a re-INVITE at once.
    """

    def __init__(
        self,
        pcscf: Pcscf,
        registrar: Registrar,
        notifications: Notifications,
        msrp: MsrpEndpoint,
        conversations: Conversations,
        timers: Timers | None = None,
    ) -> None:
        self.pcscf, self.registrar = pcscf, registrar
        self.notifications, self.msrp, self.conversations = notifications, msrp, conversations
        self.addresses = configured_addresses(pcscf.config)
        self._services: list[MsrpService[Any]] = []
        self._answers: dict[MediaFlow | None, AnswerQueue] = {None: AnswerQueue()}
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
        self.crossings = Crossings(pcscf, self.user_agent)

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods a session takes."""
        return ALLOW

    def register(self, service: MsrpService[Any]) -> None:
        """Serve what it takes from now on; the newest is asked first."""
        self._services.insert(0, service)
        context = self.user_agent.context
        context.supported = tuple(dict.fromkeys((*context.supported, *service.option_tags)))

    @property
    def option_tags(self) -> tuple[str, ...]:
        """Extensions understood in the Require of an INVITE."""
        return self.user_agent.context.supported

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
        flow: MediaFlow | None = None,
        streams: bool = True,
        refreshes: bool = True,
        sdp: WrongSdp | None = None,
    ) -> None:
        """Answer the next `count` INVITEs (of this flow, else any) with this status, or not at all (None).

        A 2xx accepts the session, with these changes in the 200. delay: seconds it rings before the answer.
        streams, refreshes, sdp: see Answer. An answer for a flow comes before one for any.
        """
        queue = self._queue(flow)
        queue.add(
            Answer(status, headers or {}, reason, delay=delay, streams=streams, refreshes=refreshes, sdp=sdp),
            count,
        )

    def ring_next(self, flow: MediaFlow | None = None, *, crossing: bool = False) -> None:
        """Answer the next INVITE with 180, and nothing more until `answer` says what.

        crossing: a CANCEL is met by a 200, as if that had been on its way.
        """
        self._queue(flow).add(Answer(200, delay=inf, crosses=crossing))

    async def answer(self, session: ServiceSession, answer: Answer) -> None:
        """Answer the INVITE of a session that rings; nothing happens when it is over already."""
        service, invite = self._service_for(session.asked) if session.asked else None, session.invite
        if service is None or invite is None:
            raise UsageError(f"{session} was not begun by the handset: there is nothing to answer")
        self._give(service, session, invite, answer)

    def _queue(self, flow: MediaFlow | None) -> AnswerQueue:
        return self._answers.setdefault(flow, AnswerQueue())

    def answer_as_usual(self) -> None:
        """Forget the answers asked for and not given yet."""
        for queue in self._answers.values():
            queue.clear()
        for service in self._services:
            service.answer_as_usual()

    def in_session(self, incoming: Incoming) -> bool:
        """Take in ACK, CANCEL, or a request in the dialog of a session. False for anything else."""
        request = incoming.message
        if request.method not in ("ACK", "CANCEL") and request.to.tag is None:
            return False
        return self.crossings.holds(incoming) or self.user_agent.receive(incoming)

    def on_invite(self, incoming: Incoming) -> None:
        """Answer an INVITE outside of dialogs."""
        self.user_agent.receive(incoming)

    def _service_for(self, asked: Asked) -> MsrpService[Any] | None:
        return next((service for service in self._services if service.takes(asked)), None)

    def _take_answer(self, flow: MediaFlow | None) -> Answer | None:
        own = self._answers.get(flow)
        answer = own.take() if own is not None else None
        return answer or self._answers[None].take()

    def _invited(self, invite: IncomingInvite) -> None:
        asked = asked_of(invite.request, self.addresses)
        service = self._service_for(asked)
        answer = self._take_answer(asked.flow)
        if service is None:
            self._not_served(invite, asked, answer)
            return
        session = service.session_of(invite, asked)
        session.invite, session.asked = invite, asked
        invite.over.add_done_callback(lambda _: self._settled(session, invite))
        self.pcscf.journal.add(EventKind.INVITED, str(session), session)
        answer = answer or service.usual(session)
        if answer.delay:
            work = self._answer_late(service, session, invite, answer)
            self.pcscf.spawn(work, f"late answer to the INVITE of {session.handset}")
        else:
            self._give(service, session, invite, answer)

    def _not_served(self, invite: IncomingInvite, asked: Asked, answer: Answer | None) -> None:
        """No service takes it: refused, however a test wants it."""
        refusal = answer if answer is not None and not answer.accepts else self.unwanted(asked.service)
        self._refuse(invite, refusal)

    def unwanted(self, service: Service | None) -> Answer:
        """The answer to an INVITE for a service that is not wanted."""
        text = "no session is wanted" if service is None else f"no session of {service.value} is wanted"
        return Answer(488, {"Warning": f'399 {self.pcscf.config.domain} "{text}"'})

    def _settled(self, session: ServiceSession, invite: IncomingInvite) -> None:
        """It was cancelled, or its time ran out, before it had an answer of ours."""
        ending = invite.session.ending
        if invite.final is not None and invite.final.status == 487 and ending is not None:
            session.ending = ending
            self.pcscf.journal.add(EventKind.CANCELLED, f"{session}: {ending.cause}", session)

    async def _answer_late(
        self, service: MsrpService[Any], session: ServiceSession, invite: IncomingInvite, answer: Answer
    ) -> None:
        """180 at once, the answer when the far party has made up its mind."""
        if answer.crosses:
            invite.on_cancel = partial(self._give, service, session, invite, answer)
        await invite.ring(headers=[("Record-Route", self.pcscf.route(invite.incoming.local))])
        timeout = answer.delay if isfinite(answer.delay) else None
        over, _ = await asyncio.wait({invite.over}, timeout=timeout)
        if not over:
            self._give(service, session, invite, answer)

    def _give(
        self, service: MsrpService[Any], session: ServiceSession, invite: IncomingInvite, answer: Answer
    ) -> None:
        if answer.accepts:
            work = self._accept(service, session, invite, answer)
            self.pcscf.spawn(work, f"answer to the INVITE of {session.handset}")
        else:
            self._refuse(invite, answer)

    def _refuse(self, invite: IncomingInvite, answer: Answer) -> None:
        if answer.status is None:
            invite.stay_silent()
            self.pcscf.journal.add(EventKind.WITHHELD, "answer to INVITE", invite.incoming)
        else:
            invite.reject(answer.status, answer.reason, alter=partial(altered, changes=answer.headers))
            self._answered(invite)

    def _answered(self, invite: IncomingInvite) -> None:
        status = invite.final.status if invite.final is not None else None
        self.pcscf.journal.add(EventKind.ANSWERED, f"INVITE with {status}", status)

    async def _accept(
        self, service: MsrpService[Any], session: ServiceSession, invite: IncomingInvite, answer: Answer
    ) -> None:
        request = invite.request
        service.prepare(session, service.terms(session))
        headers: list[Header] = [
            ("Record-Route", self.pcscf.route(invite.incoming.local)),
            *((name, value) for name in _IDS for value in request.get_all(name)),
            *service.answer_headers(session),
        ]
        alter = partial(accepted_with, answer)
        accepted = await session.call.accept(invite, headers, alter=alter, streams=answer.streams)
        self._answered(invite)
        if accepted is not None and not answer.refreshes:
            await session.stop_refreshing()
        if accepted is not None and answer.streams:
            service.begin(session)

    def _contact_of(self, incoming: Incoming) -> str:
        asked = asked_of(incoming.message, self.addresses)
        service = self._service_for(asked)
        uri = self.pcscf.uri(incoming.local)
        if needs_sips_contact(incoming.message):
            uri = uri.replace("sip:", "sips:", 1)
        return f"<{uri}>" if service is None else service.contact(asked, uri)

    # -- to the handset

    def invite(self, session: ServiceSession, invited: Invited) -> None:
        """Send the INVITE of a session that is prepared; `answered` waits for its end.

        To be called in the loop. Raises UsageError, BodySyntaxError for parts that cannot be written.
        """
        target = session.target
        if target is None:
            raise UsageError(f"{session} has no target: it was begun by the handset")
        offer = session.call.offer()
        content = invited.content(offer)
        if content is not offer:
            session.call.sdp = offer
        session.outgoing = self.user_agent.invite(
            invitation(self.pcscf, session, target, invited, content),
            FlowWay(target.flow, on_the_way(target.path)),
            session.call,
        )

    async def answered(self, session: ServiceSession) -> InviteOutcome:
        """Wait for the end of our INVITE. Raises UsageError when there is none."""
        if session.outgoing is None:
            raise UsageError(f"{session}: no INVITE was sent")
        session.outcome = await session.call.outcome(session.outgoing)
        return session.outcome

    def cancel(self, session: ServiceSession, reason: Reason | None = None) -> None:
        """Give our INVITE up, with CANCEL after a provisional response (RFC 3261 9.1). Raises UsageError."""
        if session.outgoing is None:
            raise UsageError(f"{session}: there is no INVITE of ours to be cancelled")
        session.outgoing.cancel(reason)

    # -- both

    def terms(
        self,
        flow: MediaFlow,
        local: Address,
        *,
        answers: bool,
        setup: Setup = Setup.ACTIVE,
        largest: int | None = None,
        content_type: str | None = None,
        file: FileDescription | None = None,
    ) -> MsrpTerms:
        """What a service puts into one m-line, on the address its SIP came to.

        largest: octets of the largest message taken, which max-size tells (RFC 4975 8.6). content_type, file:
        see service_terms.
        """
        secured, personality = self.pcscf.config.msrp_tls, self.pcscf.config.personality
        own = replace(
            self.msrp.terms(local),
            setup=personality.setup if setup is Setup.ACTPASS else setup,
            secure=secured is not None and secured.offered,
            max_size=largest,
        )
        kind = {} if content_type is None else {"content_type": content_type}
        return service_terms(flow, own, answers=answers, file=file, **kind)


def _contact_uri(request: Request) -> str | None:
    try:
        return str(request.contacts[0].uri) if request.contacts else None
    except SipSyntaxError:
        return None
