"""What every MSRP service of the far party has: its sessions from the INVITE to the BYE, and their messages.

invitations.py tells how a service is added. A service overrides what it does otherwise than this.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Generic

from harness.agent.failures import TransportFailed
from harness.agent.msrp.content import Content as MsrpContent
from harness.agent.msrp.cpim_content import cpim_source, size_of
from harness.agent.msrp.services import CPIM, Flow
from harness.agent.msrp.session import MsrpUser, SessionHandle
from harness.agent.msrp.session import ReceivedMessage as MsrpMessage
from harness.agent.msrp.terms import MsrpTerms
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.user import Ending, SessionRequest
from harness.bodies.sdp_attributes import Setup
from harness.errors import NotSeen, UsageError
from harness.evidence.timeline import Address
from harness.msrp.message import MsrpRequest
from harness.msrp.session import SendOptions
from harness.peer.answers import Answer, Header, HeaderChanges, changed
from harness.peer.config import FarParty
from harness.peer.invitations import Invitations
from harness.peer.journal import EventKind, Recent
from harness.peer.mt_invite import Invited
from harness.peer.mt_request import Target
from harness.peer.pager import DISPOSITION, cpim_rows
from harness.peer.received import sender_of
from harness.peer.service_session import (
    SentInSession,
    ServiceCall,
    ServiceUser,
    SessionMessage,
    read_session_message,
)
from harness.peer.service_table import SERVICE_OF, Asked
from harness.peer.session_waits import S, SessionWaits
from harness.sip.message import Request, Response
from harness.sip.session_headers import Reason

log = logging.getLogger(__name__)

_AS_USUAL = SendOptions()
_NOT_CONNECTED = Reason("SIP", 480, "No MSRP connection")
CONNECT_SECONDS = 30.0


class MsrpService(SessionWaits[S]):
    """One service.

    Args: make makes a session of this service of the arguments of ServiceSession.

    flows: what it serves, for INVITEs of the handset. largest: octets of the largest message taken, None for
    any; may be changed. notifies_inside: whether notifications go into the session while it lives.
    option_tags: extensions it understands. accepting: whether an INVITE nobody has said anything about is
    accepted; else 488. connect_seconds: how long the handset has for its MSRP connection; may be changed.
    """

    flows: ClassVar[tuple[Flow, ...]] = ()
    largest: int | None = None
    notifies_inside: ClassVar[bool] = False
    option_tags: ClassVar[tuple[str, ...]] = ()
    connect_seconds: float = CONNECT_SECONDS

    def __init__(self, invitations: Invitations, make: Callable[..., S]) -> None:
        super().__init__(invitations.pcscf.journal, " or ".join(self.flows))
        self.invitations = invitations
        self.accepting = True
        self.sessions: Recent[S] = Recent()
        self._pcscf, self._make = invitations.pcscf, make
        self._refusals: deque[int | None] = deque()
        self._ignored: set[str] = set()
        invitations.register(self)

    # -- what a service says otherwise

    def takes(self, asked: Asked) -> bool:
        """Whether an INVITE of the handset is for it."""
        return asked.flow in self.flows

    def usual(self, session: S) -> Answer:
        """The answer to an INVITE of the handset when no test asked for another."""
        return Answer(200) if self.accepting else self.invitations.unwanted(SERVICE_OF[session.flow])

    def session_of(self, invite: IncomingInvite, asked: Asked) -> S:
        """The session an INVITE of the handset asks for."""
        assert asked.flow is not None, "a service takes INVITEs of its flows"
        request = invite.request
        return self._new(
            asked.flow,
            sender_of(request),
            self.dialled(str(request.to.uri)),
            request.get("Conversation-ID"),
            request.get("Contribution-ID"),
            invite.incoming.local,
        )

    def terms(self, session: S) -> Sequence[MsrpTerms | None]:
        """What it wants of each m-line when it answers."""
        return [self.invitations.terms(session.flow, session.local, answers=True, largest=self.largest)]

    def contact(self, asked: Asked, uri: str) -> str:
        """The Contact of its answers. uri: that of the peer where the INVITE came to."""
        assert asked.flow is not None, "a service takes INVITEs of its flows"
        return f"<{uri}>;{self._pcscf.config.technology.feature_tag(SERVICE_OF[asked.flow])}"

    def answer_headers(self, session: S) -> list[Header]:
        """What its 200 shows besides what all do."""
        return []

    def begun(self, session: S) -> None:
        """A session was accepted, by either side."""

    def received(self, session: S, message: SessionMessage) -> None:
        """A message came; it is in the journal, and its notifications follow by themselves."""

    def progress(self, session: S, message_id: str, octets: int, total: int | None) -> None:
        """So much of a message came; `SessionHandle.stop` refuses the rest (MSRP Message-ID)."""

    def ended(self, session: S) -> None:
        """A session is over."""

    def reinvited(self, session: S, invite: IncomingInvite) -> bool:
        """A re-INVITE; True when it was refused for what it is."""
        return False

    def requested(self, session: S, request: SessionRequest) -> bool:
        """A request in the dialog, none of those every session has; True when it was answered."""
        return False

    def read(self, session: S, message: MsrpMessage, number: int, time: float) -> SessionMessage:
        """What came as a message of the handset: its content, and the CPIM headers that go with it."""
        return read_session_message(session, message, number, time)

    def notify(self, session: S, message: SessionMessage) -> None:
        """Let the notifications of a message follow: by the policy."""
        self.invitations.notifications.on_text(message)

    def user(self, session: S, place: int) -> MsrpUser:
        """Who is told of the MSRP session of an m-line."""
        return MsrpUser(
            message=lambda message: self._received(session, message),
            accept=self._refusal_of,
            silent=lambda identifier: identifier in self._ignored,
            progress=lambda identifier, octets, total: self.progress(session, identifier, octets, total),
            lost=lambda identifier, reason: self._lost(session, identifier, reason),
            failed=lambda reason: self._failed(session, reason),
        )

    # -- sessions

    def dialled(self, identity: str) -> FarParty:
        """The far party the handset calls so."""
        try:
            return FarParty.of(identity, self._pcscf.config.domain)
        except UsageError:
            return FarParty(identity)  # neither a number nor a SIP URI: it is called what it was dialled as

    def calling(
        self,
        flow: Flow,
        target: Target,
        *,
        sender: FarParty | None = None,
        conversation_id: str | None = None,
        contribution_id: str | None = None,
    ) -> S:
        """A session the far party is to begin; nothing is sent yet. sender: the configured one when None.

        conversation_id: None for that of the two parties.
        """
        party = sender or self._pcscf.config.party
        session = self._new(flow, target.identity, party, conversation_id, contribution_id, target.flow.local)
        session.target = target
        return session

    def _new(
        self,
        flow: Flow,
        handset: str,
        party: FarParty,
        conversation_id: str | None,
        contribution_id: str | None,
        local: Address,
    ) -> S:
        session = self._make(
            flow,
            handset,
            party,
            self.invitations.conversations.of(handset, party.sip, conversation_id),
            contribution_id or self._pcscf.config.personality.ids(),
            local,
            notifies_inside=self.notifies_inside,
        )
        self._own.add(session)
        return session

    def prepare(self, session: S, terms: Sequence[MsrpTerms | None], *, strict: bool = True) -> None:
        """Give it what it wants of each m-line. strict: see MsrpCall."""
        strict = strict and self._pcscf.config.personality.setup is Setup.ACTPASS
        session.call = ServiceCall(
            self.invitations.msrp, terms, session.local.host, _Told(self, session), strict=strict
        )

    def offered(self, session: S, setup: Setup = Setup.ACTPASS) -> MsrpTerms:
        """What its INVITE offers."""
        return self.invitations.terms(
            session.flow, session.local, answers=False, setup=setup, largest=self.largest
        )

    async def call(self, session: S, invited: Invited | None = None, *, wait: bool = True) -> S:
        """Send the INVITE of a prepared session and wait for its answer, which shows in the session.

        wait: False leaves that to `answered`. Raises UsageError.
        """
        self.invitations.invite(session, invited or Invited())
        return await self.answered(session) if wait else session

    async def answered(self, session: S) -> S:
        """Wait for the end of our INVITE. Raises UsageError when there is none."""
        known = session.outcome is not None
        outcome = await self.invitations.answered(session)
        if outcome.session is not None and not known:
            self.begin(session)
        return session

    async def cancel(self, session: S, reason: Reason | None = None) -> S:
        """Give up our INVITE and wait for its end; a 2xx that crosses gets a BYE. Raises UsageError."""
        self.invitations.cancel(session, reason)
        await self.answered(session)
        if session.accepted:  # it was here before the CANCEL could leave
            await self.end(session, reason)
        return session

    def begin(self, session: S) -> None:
        """A session was accepted."""
        self.sessions.append(session)
        self._pcscf.journal.add(EventKind.SESSION_BEGUN, str(session), session)
        self._pcscf.spawn(self._connect(session), f"MSRP connection of {session}")
        self.begun(session)

    async def _connect(self, session: S) -> None:
        """A session without its MSRP connection is of no use: it is hung up."""
        try:
            await self.opened(session)
        except UsageError as error:
            log.info("%s", error)  # without an MSRP session the call hangs up by itself
        except (NotSeen, TransportFailed) as error:
            if session.ending is None:
                self._failed(session, str(error))
                await self.end(session, _NOT_CONNECTED)

    def tell(self, kind: EventKind, session: S, how: str) -> None:
        """Put what happened to a session into the journal."""
        self._pcscf.journal.add(kind, f"{session}: {how}", session)

    def end_with(self, session: S, ending: Ending) -> None:
        """A session is over."""
        session.ending = ending
        who = "by the peer" if ending.by_us else "by the handset"
        self._pcscf.journal.add(EventKind.SESSION_ENDED, f"{session}: {ending.cause} {who}", session)
        self.ended(session)

    async def end(
        self, session: S, reason: Reason | None = None, headers: Iterable[Header] = ()
    ) -> Response | None:
        """Hang up. None when it is over already, or the handset gave no answer. Raises UsageError."""
        if not session.accepted:
            raise UsageError(f"{session} never became a session")
        return await session.dialog.bye(reason, headers)

    # -- messages

    def answer_next_message(self, status: int | None, count: int = 1) -> None:
        """Refuse the next `count` messages of the handset in its sessions at their first chunk (RFC 4975 10).

        403, 413, 415 and the like; None takes the message and answers none of its chunks, as when the
        responses are lost on the way. `SessionHandle.stop` refuses the rest of one that is coming.
        """
        self._refusals.extend([status] * count)

    def answer_as_usual(self) -> None:
        """Forget the refusals asked for and not given yet."""
        self._refusals.clear()

    def _refusal_of(self, first: MsrpRequest) -> int | None:
        """What a test wants the message to be answered whose first chunk this is."""
        if not self._refusals:
            return None
        status = self._refusals.popleft()
        if status is None:
            self._ignored.add(first.message_id or "")
        return status

    def _lost(self, session: S, identifier: str, reason: str) -> None:
        self._pcscf.journal.add(EventKind.MESSAGE_LOST, f"{identifier} in {session}: {reason}", session)

    def _failed(self, session: S, reason: str) -> None:
        if session.ending is None and session.accepted:
            self._pcscf.journal.add(EventKind.SESSION_FAILED, f"{session}: {reason}", session)

    def _received(self, session: S, message: MsrpMessage) -> None:
        timeline = self._pcscf.timeline
        self.take(session, self.read(session, message, len(timeline), timeline.now()), again=message.again)

    def take(self, session: S, read: SessionMessage, *, again: bool = False) -> None:
        """A message of the handset that was read: kept, told and notified of, unless it came again."""
        notifications = self.invitations.notifications
        session.received.append(read)
        if read.is_notification:
            notifications.came_inside(read)
        elif read.is_composing:
            self._pcscf.journal.add(EventKind.COMPOSING, str(read), read)
        else:
            self._pcscf.journal.add(EventKind.MESSAGE_RECEIVED, str(read), read)
            if not again:
                self.notify(session, read)
        self.received(session, read)

    async def opened(self, session: S) -> SessionHandle:
        """Wait for its MSRP connection, `connect_seconds` at most.

        Raises UsageError when there is no MSRP session, TransportFailed when the handset cannot be connected
        to, NotSeen when it does not connect.
        """
        try:
            async with asyncio.timeout(self.connect_seconds):
                return await session.call.opened()
        except TimeoutError:
            raise NotSeen(
                f"{session}: the handset was expected to connect within {self.connect_seconds:g} s"
            ) from None

    async def send(
        self,
        session: S,
        content: bytes | Path,
        content_type: str,
        *,
        disposition: Sequence[str] = DISPOSITION,
        message_id: str | None = None,
        sender: FarParty | None = None,
        recipient: str | None = None,
        cpim: HeaderChanges | None = None,
        mime: HeaderChanges | None = None,
        options: SendOptions = _AS_USUAL,
        anyway: bool = False,
        cut: int | None = None,
        text: str | None = None,
    ) -> SentInSession:
        """Send a message in CPIM and wait for its outcome. content: octets, or a file.

        sender, recipient: who CPIM says it is from and to, those of the session when None. cpim, mime: CPIM
        headers and headers of the content to change, add or leave out. options: chunks, reports. anyway: also
        a type the handset did not say it takes. cut: octets of the CPIM object after which it is aborted with
        "#". text: what the content says, for who reads the journal. Raises as `opened`, OSError.
        """
        identifier, size = message_id or self._pcscf.config.personality.message_ids(), size_of(content)
        party, to = sender or session.party, recipient or session.handset
        rows = cpim_rows(self._pcscf.timeline.now(), party, to, identifier, disposition)
        kind = [("Content-Type", content_type), ("Content-Length", str(size))]
        source = cpim_source(
            changed(rows, cpim or {}),
            changed(kind, mime or {}),
            content,
            strict=not (cpim or mime),
            cut=cut,
        )
        number = len(self._pcscf.timeline)
        handle = await self.opened(session)
        outcome = await handle.send(source, CPIM, options, anyway=anyway)
        return self.told(
            SentInSession(
                session,
                identifier,
                content_type,
                size,
                outcome,
                number,
                self._pcscf.timeline.now(),
                text,
            )
        )

    async def send_bare(
        self,
        session: S,
        content: MsrpContent,
        content_type: str,
        *,
        options: SendOptions = _AS_USUAL,
        anyway: bool = False,
    ) -> SentInSession:
        """Send content without CPIM, as files and isComposing go; the size in the result is what was written.

        Raises as `opened`, OSError.
        """
        number = len(self._pcscf.timeline)
        handle = await self.opened(session)
        outcome = await handle.send(content, content_type, options, anyway=anyway)
        now = self._pcscf.timeline.now()
        return self.told(SentInSession(session, "", content_type, outcome.octets, outcome, number, now))

    def told(self, sent: SentInSession) -> SentInSession:
        """Put a message of ours into the journal."""
        self._pcscf.journal.add(EventKind.MESSAGE_SENT, str(sent), sent)
        return sent


class _Told(ServiceUser, Generic[S]):
    """Tells a service what happens in one of its sessions."""

    def __init__(self, service: MsrpService[S], session: S) -> None:
        self._service, self._session = service, session

    def progressed(self, response: Response) -> None:
        self._service.tell(EventKind.RINGING, self._session, str(response.status))

    def refreshed(self, request: Request) -> None:
        self._service.tell(EventKind.SESSION_REFRESHED, self._session, request.method)

    def ended(self, ending: Ending) -> None:
        self._service.end_with(self._session, ending)

    def reinvited(self, invite: IncomingInvite) -> bool:
        return self._service.reinvited(self._session, invite)

    def requested(self, request: SessionRequest) -> bool:
        return self._service.requested(self._session, request)

    def of_line(self, place: int) -> MsrpUser:
        return self._service.user(self._session, place)
