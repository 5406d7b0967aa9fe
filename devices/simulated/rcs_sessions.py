"""The MSRP sessions of the RCS client: where they live, how they begin, which service an INVITE is for.

RFC 3261 13, RFC 4028, RFC 4975, RFC 6135 4.2; OMA CPM headers. `RcsSessions` lives as long as one connection
to the network, the services outlive it.

A service is added so:

1. A module rcs_<service>.py holds a class with what `SessionService` lists. It outlives connections: it keeps
   what waits to be sent, and no RcsSessions of before `gone`.
2. `RcsClient` makes it and lists it in `services`. The feature tag of its flows is in REGISTER and OPTIONS
   from then on.
3. It begins a session with `sessions.invite(flow, target, ...)` and waits for `call.begun()`. It answers an
   INVITE with `arrival.accept(...)` or `arrival.refuse(...)`, after `arrival.ring()` as long as it likes.
   Either way it has a `SessionCall`: `opened()` gives the MSRP session once it is connected, `carry` takes
   notifications, `hang_up()` says CANCEL or BYE, and its `Hooks` are told what happens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from devices.simulated.defect import Stage
from devices.simulated.personality import MsrpPort
from devices.simulated.rcs_access import METHODS, Headers, RcsAccess, RcsSettings
from devices.simulated.rcs_conversations import ids_of, number_of, referrer_of, sender_of
from devices.simulated.rcs_flows import comes_from_focus, first_msrp_line, flow_in, offer_in, service_for
from devices.simulated.rcs_wire import altered_msrp
from harness.agent.events.subscriber import EventSubscriber
from harness.agent.msrp.call import MsrpCall
from harness.agent.msrp.endpoint import MsrpEndpoint
from harness.agent.msrp.negotiation import new_origin
from harness.agent.msrp.plan import Role
from harness.agent.msrp.services import CPIM, TEXT, Flow, service_terms
from harness.agent.msrp.session import MsrpUser
from harness.agent.msrp.terms import DISCARD_PORT, MsrpTerms
from harness.agent.scheduler import RunningLoop
from harness.agent.session.invite_client import Invitation, InviteOutcome, OutgoingInvite
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.invite_session import InviteSession
from harness.agent.session.outgoing import FixedWay
from harness.agent.session.user import Content, Ending, Header, SessionRequest, SessionUser
from harness.agent.session.user_agent import UserAgent
from harness.agent.sip.agent import Incoming
from harness.bodies.file_attributes import FileDescription
from harness.bodies.sdp import write_sdp
from harness.bodies.sdp_attributes import Setup, parse_setup
from harness.bodies.session_description import SessionDescription
from harness.cpm.services import Service
from harness.errors import RcsLabError
from harness.evidence.timeline import Timeline
from harness.msrp.uri import new_session_uri
from harness.sip.dialog import DialogState
from harness.sip.message import Request, Response
from harness.sip.session_headers import Reason
from harness.sip.transaction import Timers

_log = logging.getLogger(__name__)

SUPPORTED = ("timer",)
UNDERSTOOD = frozenset({"path", "gruu", "timer"})
_UNANSWERED = (None, 408)  # status of an MSRP message whose response never came


class SessionService(Protocol):
    """One service over MSRP, as the client has it."""

    @property
    def flows(self) -> Sequence[Flow]:
        """What it takes INVITEs for, and announces."""

    def invited(self, arrival: Arrival) -> None:
        """An INVITE for one of its flows came: answer it, now or later."""

    def ready(self, sessions: RcsSessions) -> None:
        """The client is registered, over these sessions: what waits may go. May be told again."""

    def gone(self) -> None:
        """Nothing can be sent until `ready` is told again: not registered, or not connected any more."""

    def answer(self, offer_id: str, accept: bool) -> bool:
        """The user answers what MessagingApp.offered told. False when it is no offer of this service."""

    async def close(self) -> None:
        """The handset is switched off: stop timers and tasks."""


@dataclass(frozen=True, slots=True)
class Media:
    """What a session is to carry, as its SDP tells. max_size: octets of one message that we take."""

    content_type: str = TEXT
    file: FileDescription | None = None
    max_size: int | None = None


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the service is told of a session.

    msrp: makes who is told of its MSRP session. ended: once it is over; `begun` tells of an INVITE of ours
    that made none. progressed: provisional responses. requested: a request in the dialog; True when it was
    answered.
    """

    msrp: Callable[[SessionCall], MsrpUser] = lambda _: MsrpUser()
    ended: Callable[[SessionCall, Ending], None] = lambda *_: None
    progressed: Callable[[SessionCall, Response], None] = lambda *_: None
    requested: Callable[[SessionCall, SessionRequest], bool] = lambda *_: False


@dataclass(frozen=True, slots=True)
class Parties:
    """Who a session is between. target: whom we call, or answer to by MESSAGE. identity: ours, public.

    conversation: its Conversation-ID, None where the other side named none.
    """

    target: str
    identity: str
    conversation: str | None
    contribution: str


class SessionCall(MsrpCall):
    """A SIP session with MSRP of the client. invite: ours, None where the other side invited.

    on_message: who answers a MESSAGE in the dialog (RFC 3428 4). worded: writes a description of ours, told
    whether it offers, and whether our first one did.
    """

    def __init__(
        self,
        endpoint: MsrpEndpoint,
        terms: MsrpTerms,
        host: str,
        parties: Parties,
        hooks: Hooks,
        on_message: Callable[[SessionRequest], None],
        worded: Callable[[SessionDescription, bool, bool], bytes],
    ) -> None:
        super().__init__(endpoint, [terms], new_origin(host), lambda _: hooks.msrp(self))
        self.parties, self.hooks, self._on_message, self._worded = parties, hooks, on_message, worded
        self._began: bool | None = None
        """Whether our first description was an offer; None before there is one."""
        self.invite: OutgoingInvite | None = None
        self.sdp: Content | None = None
        """The offer alone, when our INVITE carries other parts beside it."""

    def written(self, description: SessionDescription, *, offers: bool) -> bytes:
        if self._began is None:
            self._began = offers
        return self._worded(description, offers, self._began)

    @property
    def identity(self) -> str:
        """Whom CPIM names as the sender of what we send in it; services that hide it say otherwise."""
        return self.parties.identity

    @property
    def alive(self) -> bool:
        """Whether something can be sent in the MSRP session, at once or when it is connected."""
        over = self.session is None or self.session.has_ended()
        handle = next((each for each in self.handles if each is not None), None)
        return not over and handle is not None and not handle.failed

    async def begun(self) -> InviteOutcome:
        """Wait for the end of our INVITE."""
        assert self.invite is not None, "we invited"
        return await self.outcome(self.invite)

    async def carry(self, document: bytes) -> bool:
        """Send a CPIM object. False when it did not go; one whose answer never came may have arrived."""
        if not self.alive:
            return False
        try:
            outcome = await self.handle.send(document, CPIM, control=True)
        except RcsLabError as error:
            _log.info("not sent in the session with %s: %s", self.parties.target, error)
            return False
        return outcome.good or bool(outcome.octets and outcome.status in _UNANSWERED)

    async def hang_up(self, reason: Reason | None = None) -> None:
        """CANCEL or BYE, whichever is due. Nothing happens when it is over."""
        session = self.session
        if session is not None and session.dialog.state is DialogState.CONFIRMED:
            await session.bye(reason)
        elif self.invite is not None:
            self.invite.cancel(reason)

    def progressed(self, session: InviteSession, response: Response) -> None:
        self.hooks.progressed(self, response)

    def answered(self, session: InviteSession, response: Response) -> None:
        """Refreshes repeat the offer, not what was sent beside it."""
        if self.sdp is not None:
            session.keep_content(self.sdp)
            self.sdp = None
        super().answered(session, response)

    def requested(self, request: SessionRequest) -> None:
        if self.hooks.requested(self, request):
            return
        if request.message.method == "MESSAGE":
            self._on_message(request)
        else:
            super().requested(request)

    def ended(self, session: InviteSession, ending: Ending) -> None:
        super().ended(session, ending)
        if self.session is session:
            self.hooks.ended(self, ending)


class Arrival(SessionUser):
    """An INVITE of the network that waits for the answer of its service.

    on_over: told when it ends before it is accepted: cancelled, expired, the connection lost.
    """

    def __init__(self, flow: Flow, invite: IncomingInvite, sessions: RcsSessions) -> None:
        self.flow, self.invite, self.sessions = flow, invite, sessions
        self.on_over: Callable[[Ending], None] = lambda _: None

    @property
    def request(self) -> Request:
        """The INVITE as it came."""
        return self.invite.request

    @property
    def target(self) -> str:
        """The URI its sender is answered at by MESSAGE (Referred-By or P-Asserted-Identity of a focus)."""
        behind = referrer_of(self.request) if comes_from_focus(self.request) else None
        return behind or sender_of(self.request)

    @property
    def number(self) -> str:
        """The number of the target."""
        return number_of(self.target)

    def ring(self) -> None:
        """180, which makes the dialog."""
        self.sessions.user_agent.context.spawn(self.invite.ring(), "180 to an INVITE")

    def refuse(self, status: int, *headers: Header) -> None:
        """Refuse it with a 300 to 699; nothing happens when it is over already."""
        self.invite.reject(status, headers=headers)

    async def accept(
        self, hooks: Hooks, media: Media = Media(), headers: Iterable[Header] = ()
    ) -> SessionCall | None:
        """Answer 200, or refuse what is offered (488 and the like). None when there is no session."""
        request, sessions = self.request, self.sessions
        parties = Parties(
            self.target,
            sessions.access.identity,
            request.get("Conversation-ID"),
            request.get("Contribution-ID") or sessions.access.personality.ids.make(),
        )
        call = sessions.call(sessions.answering(self.flow, request, media), parties, hooks)
        session = await call.accept(self.invite, [*ids_of(request), *headers])
        return None if session is None else call

    def ended(self, session: InviteSession, ending: Ending) -> None:
        self.on_over(ending)


class _Understood:
    """Option tags a request may require: those the client knows, or all when it looks away."""

    def __init__(self, access: RcsAccess) -> None:
        self._access = access

    def __contains__(self, tag: object) -> bool:
        own = UNDERSTOOD | self._access.personality.understands
        return tag in own or self._access.defects.has("ignore_require")


class RcsSessions:
    """The user agent and the MSRP endpoint of one connection.

    events: subscriptions of the services, whose NOTIFYs find their way.
    """

    def __init__(
        self,
        access: RcsAccess,
        timeline: Timeline,
        services: Iterable[SessionService],
        on_message: Callable[[SessionRequest], None],
    ) -> None:
        self.access, self._on_message = access, on_message
        self._services = {flow: service for service in services for flow in service.flows}
        self.endpoint = MsrpEndpoint(
            timeline,
            tls=access.settings.msrp_tls,
            ids=access.personality.new_msrp_ids(),
            alter=lambda octets: altered_msrp(octets, access.defects),
            part="simulated RCS client",
        )
        self._listening = access.local
        self.user_agent = UserAgent(
            access.agent,
            self._invited,
            contact_of=lambda incoming: self.contact(flow_in(incoming.message)),
            way_of=lambda _: self._way,
            policy=access.personality.timer,
            authorize=access.credentials,
            allow=METHODS,
            supported=SUPPORTED,
            headers=(("User-Agent", access.personality.user_agent),),
            location=lambda: access.location,
            via_of=access.via_for,
            understood=_Understood(access),
            refresh_within=self._refresh_within,
            timers=Timers(t1=access.settings.t1),
        )
        self.events = EventSubscriber(
            access.respond,
            self._in_background,
            RunningLoop(),
            lambda: asyncio.get_running_loop().time(),
            Timers(t1=access.settings.t1),
        )

    def _in_background(self, work: Coroutine[Any, Any, None], what: str) -> None:
        self.user_agent.context.spawn(work, what)

    def _refresh_within(self) -> float | None:
        never = self.access.defects.has("never_refreshes")
        return None if never else self.access.settings.refresh_seconds

    # -- life

    def time_by(self, settings: RcsSettings) -> None:
        """Use the timers of these settings: for transactions from now on, and for refreshes that are due."""
        self.access.settings = settings
        timers = Timers(t1=settings.t1)
        self.access.agent.timers = self.user_agent.context.timers = timers
        for session in self.user_agent.sessions:
            session.refresh.reconsider()

    async def open(self) -> None:
        """Be there for the other side of MSRP. Raises as MsrpEndpoint.listen."""
        self._listening = await self.endpoint.listen(self.access.local.host)
        if self.access.settings.msrp_tls is not None:
            await self.endpoint.listen_tls(self.access.local.host)

    async def farewell(self) -> None:
        """End every session properly: BYE or CANCEL, and wait for the answers."""
        await self.user_agent.hang_up()

    def cut(self) -> None:
        """The connection is gone: all ends this instant, and nothing can be sent. `lost` is still due."""
        self.endpoint.cut()
        self.events.forget()
        self.user_agent.cut()

    async def lost(self) -> None:
        """The same, and all is cleared away."""
        self.cut()
        await self.user_agent.close()
        await self.endpoint.close()

    # -- what the network sends

    def receive(self, incoming: Incoming) -> bool:
        """Take in what belongs to sessions and their events. False for anything else: the caller answers it.

        Raises SipSyntaxError for a NOTIFY that cannot be read.
        """
        if incoming.message.method == "NOTIFY" and self.events.owns(incoming.message):
            self.events.on_notify(incoming)
            return True
        return self.user_agent.receive(incoming)

    def _invited(self, invite: IncomingInvite) -> None:
        if self.access.personality.trying_at_once:
            self.access.respond(invite.incoming, 100)
        flow = flow_in(invite.request)
        service = None if flow is None else self._services.get(flow)
        if flow is None or service is None:
            _log.warning("an INVITE for %s, which is not served", flow or "no service known here")
            invite.reject(488, headers=[("Warning", '399 handset "no such service here"')])
            return
        arrival = Arrival(flow, invite, self)
        invite.session.user = arrival
        service.invited(arrival)

    # -- sessions of ours

    def invite(
        self,
        flow: Flow,
        target: str,
        ids: tuple[str, str],
        hooks: Hooks,
        media: Media = Media(),
        *,
        service: Service | None = None,
        headers: Iterable[Header] = (),
        body: Callable[[Content], Content] = lambda offer: offer,
    ) -> SessionCall:
        """Send an INVITE for a service; `begun` of the call is how it went.

        ids: Conversation-ID and Contribution-ID. service: what P-Preferred-Service names, by default that of
        the flow. body: makes the body of the offer, where more goes along. Raises UsageError.
        """
        identity = self.access.identity
        call = self.call(self._offering(flow, media), Parties(target, identity, *ids), hooks)
        offer = call.offer()
        content = body(offer)
        if content is not offer:
            call.sdp = offer
        invitation = Invitation(
            target,
            f"<{identity}>",
            f"<{target}>",
            self.contact(flow),
            content,
            (*self._service_headers(service or service_for(flow), ids), *headers),
        )
        call.invite = self.user_agent.invite(invitation, self._way, call)
        return call

    def _service_headers(self, service: Service, ids: tuple[str, str]) -> Headers:
        access = self.access
        return [
            *access.routes,
            ("P-Preferred-Identity", f"<{access.identity}>"),
            *access.technology.service_rows("P-Preferred-Service", service),
            ("Accept-Contact", access.technology.accept_contact(service)),
            *access.technology.conversation_rows(*ids),
            *access.personality.invite_headers,
        ]

    def call(self, terms: MsrpTerms, parties: Parties, hooks: Hooks) -> SessionCall:
        """A call on these terms that has no session yet."""
        return SessionCall(
            self.endpoint, terms, self._listening.host, parties, hooks, self._on_message, self._worded
        )

    def contact(self, flow: Flow | None) -> str:
        """Our Contact value in a session of a flow."""
        tag = [] if flow is None else [self.access.technology.feature_tag(service_for(flow))]
        return ";".join([f"<{self.access.contact_uri}>", *tag])

    # -- SDP

    def _worded(self, description: SessionDescription, offers: bool, began: bool) -> bytes:
        """As this client writes it, and goes on writing it: other words are another version (RFC 3264 8).

        began: whether its first description in the session was an offer.
        """
        written = write_sdp(self.access.personality.sdp.worded(description, offers=began))
        stage = Stage.SDP_OFFER if offers else Stage.SDP_ANSWER
        changed: bytes = self.access.defects.apply(stage, written)
        return changed

    def _offering(self, flow: Flow, media: Media) -> MsrpTerms:
        return self._terms(flow, media, self.access.personality.offered_port, answers=False)

    def answering(self, flow: Flow, invite: Request, media: Media = Media()) -> MsrpTerms:
        """Our terms for an INVITE: we connect, as a handset does, unless the other side is about to.

        Which it is without a=setup too (RFC 6135 4.2.1). An INVITE without an offer gets ours.
        """
        offer = offer_in(invite)
        line = None if offer is None else first_msrp_line(offer)
        if offer is None or line is None:
            return self._offering(flow, media)
        setup = offer.attribute_of(line, "setup")
        waits = parse_setup(setup.value if setup else None) not in (Setup.ACTPASS, Setup.PASSIVE)
        habit = MsrpPort.REAL if waits else self.access.personality.answered_port
        return self._terms(flow, media, habit, answers=True)

    def _terms(self, flow: Flow, media: Media, habit: MsrpPort, *, answers: bool) -> MsrpTerms:
        own = self.endpoint.terms(self._listening)
        base = replace(
            _unreachable(own, self._listening.host) if habit is MsrpPort.DISCARD else own,
            secure=own.secure_uri is not None,
            setup=Setup.ACTIVE,
            answers=Role.ACTIVE,
            max_size=media.max_size,
            m_port=DISCARD_PORT if habit is MsrpPort.DISCARD_ON_M_LINE else None,
        )
        return service_terms(flow, base, content_type=media.content_type, file=media.file, answers=answers)

    @property
    def _way(self) -> FixedWay:
        return FixedWay(self.access.hop(), self.access.local)


def _unreachable(terms: MsrpTerms, host: str) -> MsrpTerms:
    """The terms of who only connects: port 9 in the path (RFC 6135 4.2.2)."""
    uri = str(new_session_uri(host, DISCARD_PORT))
    secure = str(new_session_uri(host, DISCARD_PORT, secure=True)) if terms.secure_uri else None
    return replace(terms, uri=uri, secure_uri=secure)
