"""Group chats: the peer is focus and far members; handsets found groups, are invited, join, write and leave.

RFC 4579 (ad-hoc conferences), RFC 5366 (founded with a list), RFC 7701 6 (messages). Who is in a group is in
foci.py, who is added or removed by REFER in group_references.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from harness.agent.failures import TransportFailed
from harness.agent.msrp.services import COMPOSING, CPIM, Flow
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.user import Cause, Ending, SessionRequest
from harness.agent.sip.agent import Incoming
from harness.bodies.conference_info import Status
from harness.bodies.sdp_attributes import Setup
from harness.cpm.services import Service
from harness.errors import BodySyntaxError, NotSeen, UsageError
from harness.peer.answers import Answer, Header, HeaderChanges
from harness.peer.chat import LARGEST_MESSAGE
from harness.peer.conference_event import ConferenceEvents
from harness.peer.config import FarParty
from harness.peer.foci import Foci, Parties
from harness.peer.focus import Focus, GroupSession, focus_uri, member_list
from harness.peer.identities import canonical, same_user
from harness.peer.invitations import ALLOW, Invitations
from harness.peer.journal import EventKind
from harness.peer.listed_recipients import LIST_INVITE, recipients_in
from harness.peer.msrp_service import MsrpService
from harness.peer.mt_invite import Invited
from harness.peer.mt_request import Target, registered
from harness.peer.pager import DISPOSITION
from harness.peer.received import sender_of
from harness.peer.roster import BOOTED, BUSY, DEPARTED, DIALED_IN, DIALED_OUT, FAILED
from harness.peer.service_session import SentInSession, SessionMessage
from harness.peer.service_table import SERVICE_OF, Asked, ServiceAddress
from harness.sip.dialog import Dialog
from harness.sip.event_packages import CONFERENCE
from harness.sip.session_headers import Reason

log = logging.getLogger(__name__)

MOST_RECIPIENTS = 500
GONE = Reason("SIP", 410, "Gone")
_REMOVED = Reason("SIP", 410, "Removed from the group")
_WITHOUT_IMDN: HeaderChanges = {"NS": None, "imdn.Message-ID": None}
_BUSY = frozenset({486, 600, 603})


class Groups(MsrpService[GroupSession]):
    """Those handsets found, those they are invited to, and pre-defined ones.

    most: recipients a list may name; more are refused with 403 (RFC 5363 5.3 leaves the limit to us).
    It may be changed. foci: the groups there are. refer: takes a REFER in the dialog of a session.
    """

    flows = (Flow.GROUP,)
    largest = LARGEST_MESSAGE
    notifies_inside = True
    option_tags = (LIST_INVITE,)

    def __init__(self, invitations: Invitations, events: ConferenceEvents) -> None:
        super().__init__(invitations, GroupSession)
        self.foci = Foci(invitations, events)
        self.most = MOST_RECIPIENTS
        self.refer: Callable[[Incoming, Dialog], None] | None = None

    # -- the end of a group, and of a membership

    async def close(self, focus: Focus, reason: Reason = GONE) -> None:
        """The group ends: it is forgotten, and every handset in it gets a BYE."""
        if focus.held:
            await self.foci.forget(focus)
        for session in tuple(focus.sessions):
            await self.end(session, reason)

    async def close_all(self, seconds: float) -> None:
        """Every group ends, as by `close`; who gives no answer is waited for so long at most."""
        closing = [asyncio.ensure_future(self.close(focus)) for focus in self.foci]
        if closing:
            _, silent = await asyncio.wait(closing, timeout=seconds)
            for each in silent:
                each.cancel()

    async def remove(self, focus: Focus, *members: str | FarParty) -> None:
        """The focus removes members; a handset of the bench gets a BYE."""
        for member in members:
            self.put_out(focus, self.foci.party(member))

    def put_out(self, focus: Focus, party: FarParty) -> None:
        """The same for one, to be called in the loop. Nothing happens to who is no member."""
        member = focus.roster.find(party.sip)
        if member is None or member.status is Status.DISCONNECTED:
            return
        self.foci.say(focus, [party], Status.DISCONNECTED, left=BOOTED)
        self.foci.expel(focus, party)
        for session in focus.sessions_of(party.sip):
            self._pcscf.spawn(self._hang_up(session), f"BYE to {session.handset}")

    async def _hang_up(self, session: GroupSession) -> None:
        if session.ending is None:
            await self.end(session, _REMOVED)

    # -- INVITEs of a handset

    def session_of(self, invite: IncomingInvite, asked: Asked) -> GroupSession:
        """The session an INVITE asks for: with a group there is, or with one it founds."""
        request = invite.request
        ids = request.get("Conversation-ID"), request.get("Contribution-ID")
        focus = self.foci.at(request.uri)
        if focus is None:
            uri = focus_uri(request, self._pcscf.config.domain) if _founds(asked) else request.uri
            focus = self.foci.made(uri, request.get("Subject") or "", ids)
        handset = sender_of(request)
        session = self._new(Flow.GROUP, handset, focus.party, *ids, invite.incoming.local)
        session.focus_or_none, focus.last = focus, session
        try:
            listed = [self.dialled(uri) for uri in recipients_in(asked.parts)]
        except BodySyntaxError as error:
            session.fault = str(error)
        else:
            unique = {canonical(party.sip): party for party in listed if not same_user(party.sip, handset)}
            session.listed = tuple(unique.values())
        return session

    def usual(self, session: GroupSession) -> Answer:
        """200, or what the documents have for what is wrong with it."""
        return self._refusal(session) or super().usual(session)

    def _refusal(self, session: GroupSession) -> Answer | None:
        asked, focus = session.asked, session.focus
        assert asked is not None, "an INVITE came"
        if focus.held:
            if asked.listed:
                return Answer(420, {"Unsupported": LIST_INVITE})
            member = focus.roster.find(session.handset)
            return Answer(403) if member is not None and member.left == BOOTED else None
        if not _founds(asked):
            return Answer(404, reason="No such group")
        if session.fault:
            log.info("%s: %s", session, session.fault)
            return Answer(400, reason="The recipient list cannot be read")
        if len(session.listed) > self.most:
            text = f"{len(session.listed)} recipients, {self.most} at most"
            return Answer(403, {"Warning": f'399 {self._pcscf.config.domain} "{text}"'})
        return None

    def answer_headers(self, session: GroupSession) -> list[Header]:
        """What a focus can do besides (RFC 4579 4)."""
        return [("Allow", "REFER"), ("Allow-Events", CONFERENCE.name)]

    def contact(self, asked: Asked, uri: str) -> str:
        """The focus, and that it is one (RFC 4579 4)."""
        request = asked.request
        held = self.foci.at(request.uri)
        founded = focus_uri(request, self._pcscf.config.domain) if _founds(asked) else request.uri
        return self._contact(held.uri if held is not None else founded)

    def _contact(self, uri: str) -> str:
        tag = self._pcscf.config.technology.feature_tag(SERVICE_OF[Flow.GROUP])
        return f"<{uri}>;{tag};isfocus"

    # -- to a handset

    async def invite(
        self,
        target: Target,
        subject: str = "",
        members: Parties = (),
        *,
        focus: Focus | None = None,
        inviter: str | FarParty | None = None,
        headers: HeaderChanges | None = None,
        setup: Setup = Setup.ACTPASS,
        listed: bool = True,
        wait: bool = True,
    ) -> GroupSession:
        """Bring a handset into a group and wait for its answer, which shows in the result.

        subject, members: of a new group, who are in it already, the inviter with them; focus: a group there
        is. inviter: the configured far party when None. headers: SIP headers to change, add or leave out.
        listed: whether the INVITE tells who else there is. wait: see `MsrpService.call`.
        """
        host = self._pcscf.config.party_of(inviter)
        focus = focus or self._founded(host, subject, members)
        party = self.dialled(target.identity)
        self.foci.say(focus, [party], Status.PENDING)
        session = self.calling(
            Flow.GROUP,
            target,
            sender=focus.party,
            conversation_id=focus.conversation_id,
            contribution_id=focus.contribution_id,
        )
        session.focus_or_none, focus.last = focus, session
        self.prepare(session, [self.offered(session, setup)])
        shown = {
            "Referred-By": f"<{host.sip}>",
            "Subject": focus.subject or None,
            "Allow": ", ".join((*ALLOW, "REFER")),
            "Allow-Events": CONFERENCE.name,
        }
        others = [each for each in focus.roster.present if not same_user(each.party.sip, party.sip)]
        parts = [member_list(others)] if listed and others else []
        invited = Invited({**shown, **(headers or {})}, self._contact(focus.uri), parts)
        return await self.call(session, invited, wait=wait)

    def _founded(self, host: FarParty, subject: str, members: Parties) -> Focus:
        """A group of a far member."""
        focus = self.foci.made(None, subject)
        focus.inviter = host
        focus.roster.put(host, Status.CONNECTED, joined=DIALED_IN)
        for member in members:
            focus.roster.put(self.foci.party(member), Status.CONNECTED, joined=DIALED_OUT)
        self.foci.hold(focus)
        return focus

    async def answered(self, session: GroupSession) -> GroupSession:
        """Wait for the end of our INVITE; who refused it is told to the others."""
        await super().answered(session)
        if not session.accepted:
            how = BUSY if session.status in _BUSY else FAILED
            await self.foci.leave(session.focus, session.handset, how)
        return session

    # -- sessions

    def begun(self, session: GroupSession) -> None:
        """A handset is in: whoever is not yet is called in, too."""
        focus = session.focus
        self.foci.hold(focus)
        for before in focus.sessions_of(session.handset):
            self._replace(before)
        focus.sessions.append(session)
        joined = DIALED_OUT if session.outgoing is not None else DIALED_IN
        self.foci.say(focus, [self.dialled(session.handset)], Status.CONNECTED, joined=joined)
        parties = session.listed
        if focus.permanent:
            parties = tuple(each.party for each in focus.roster if each.left is None and not each.connected)
        if parties:
            focus.inviter = self.dialled(session.handset)
            self.foci.say(focus, parties, Status.PENDING)
            self._pcscf.spawn(self._gather(session, parties), f"members of {focus}")

    async def _gather(self, session: GroupSession, parties: Sequence[FarParty]) -> None:
        """Call the others in, once the handset can hear them."""
        try:
            await self.opened(session)
        except (NotSeen, TransportFailed, UsageError) as error:
            log.info("nobody is called into %s: %s", session.focus, error)
            return
        waiting = {member.party for member in session.focus.roster if member.status is Status.PENDING}
        self.call_in(session.focus, [party for party in parties if party in waiting])

    def call_in(self, focus: Focus, parties: Sequence[FarParty]) -> None:
        """Call these in: far members by saying so, handsets of the bench by INVITE."""
        registrar = self.invitations.registrar
        handsets = [party for party in parties if registrar.binding_of(party.sip) is not None]
        self.foci.call_in(focus, [party for party in parties if party not in handsets])
        for party in handsets:
            if not focus.sessions_of(party.sip):
                self._pcscf.spawn(self._call_in_handset(focus, party), f"INVITE for {party.sip}")

    async def _call_in_handset(self, focus: Focus, party: FarParty) -> None:
        target = registered(self.invitations.registrar, party.sip, Service.SESSION)
        await self.invite(target, focus=focus, inviter=focus.inviter)

    @staticmethod
    def _replace(session: GroupSession) -> None:
        """The handset has joined anew: what it had before was lost with its coverage."""
        if session.call.session is not None:
            session.call.session.end(Ending(Cause.LOST, by_us=True))

    def ended(self, session: GroupSession) -> None:
        """A handset is out."""
        focus, ending = session.focus, session.ending
        if session not in focus.sessions:
            return
        focus.sessions.remove(session)
        member = focus.roster.find(session.handset)
        if focus.sessions_of(session.handset) or member is None or not member.connected:
            return
        left = ending is not None and ending.cause is Cause.BYE and not ending.by_us
        how = DEPARTED if left else FAILED
        self.foci.say(focus, [member.party], Status.DISCONNECTED, left=how)

    def reinvited(self, session: GroupSession, invite: IncomingInvite) -> bool:
        """One with a list: a conference does not know the extension, its factory does (RFC 5366 5.1)."""
        if LIST_INVITE not in (tag.lower() for tag in invite.request.values("Require")):
            return False
        invite.reject(420, headers=[("Unsupported", LIST_INVITE)])
        return True

    def requested(self, session: GroupSession, request: SessionRequest) -> bool:
        """A REFER in the dialog, as handsets do that know of no GRUU (RFC 7647 4)."""
        if request.message.method != "REFER" or self.refer is None:
            return False
        self.refer(request.incoming, request.session.dialog)
        return True

    # -- messages

    def notify(self, session: GroupSession, message: SessionMessage) -> None:
        """Each far member notifies for itself (RFC 5438 7.2.1)."""
        senders = [member.party for member in session.focus.far_members]
        if senders:
            self.invitations.notifications.on_text(message, senders)

    def received(self, session: GroupSession, message: SessionMessage) -> None:
        """What a handset says goes to the other handsets: a notification to its recipient alone."""
        for other in session.focus.sessions:
            if message.msrp is None or other is session or not _is_for(other, message):
                continue
            work = self._pass_on(other, message.msrp.content.read())
            self._pcscf.spawn(work, f"{message.content_type} to {other.handset}")

    async def _pass_on(self, session: GroupSession, document: bytes) -> None:
        handle = await self.opened(session)
        await handle.send(document, CPIM, anyway=True)

    async def send_text(
        self,
        session: GroupSession,
        text: str,
        sender: str | FarParty | None = None,
        *,
        disposition: Sequence[str] = DISPOSITION,
        content_type: str = "text/plain;charset=UTF-8",
        message_id: str | None = None,
        cpim: HeaderChanges | None = None,
    ) -> SentInSession:
        """Write to a handset as a member of the group, and wait for the outcome.

        sender: the configured far party when None. Raises UsageError, TransportFailed.
        """
        return await self.send(
            session,
            text.encode(),
            content_type,
            disposition=disposition,
            message_id=message_id,
            sender=self._pcscf.config.party_of(sender),
            recipient=session.focus.uri,
            cpim=cpim,
            text=text,
        )

    async def send_composing(
        self, session: GroupSession, document: bytes, sender: str | FarParty | None = None
    ) -> SentInSession:
        """Send an isComposing document of a member, inside CPIM. Raises UsageError, TransportFailed."""
        party = self._pcscf.config.party_of(sender)
        return await self.send(
            session,
            document,
            COMPOSING,
            disposition=(),
            sender=party,
            recipient=session.focus.uri,
            cpim=_WITHOUT_IMDN,
        )

    async def wait_composing(
        self,
        state: str | None = None,
        *,
        timeout: float,
        after: int = 0,
        session: GroupSession | None = None,
    ) -> SessionMessage:
        """The first isComposing document of the handset in a group, with this state. Raises NotSeen."""

        def wanted(message: SessionMessage) -> bool:
            told = message.composing
            return state is None or (told is not None and told.state == state)

        what = f"an isComposing document {state or ''}".rstrip()
        return await self._message(EventKind.COMPOSING, what, timeout, after, session, wanted)


def _founds(asked: Asked) -> bool:
    """Whether an INVITE founds a group: it is for the conference factory, or names members."""
    return asked.address is ServiceAddress.FACTORY or (asked.address is None and asked.listed)


def _is_for(session: GroupSession, message: SessionMessage) -> bool:
    """Whether a message in the group is for this handset."""
    to = message.cpim.to if message.cpim is not None else None
    return not message.is_notification or (to is not None and same_user(to.uri, session.handset))
