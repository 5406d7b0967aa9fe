"""A session of the far party with a handset, of whatever service, and the messages that come in it.

What comes by MSRP is kept in a file once it is large (RFC 4975 leaves its size open): read it by pieces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.agent.msrp.call import MsrpCall
from harness.agent.msrp.content import SpooledContent
from harness.agent.msrp.endpoint import MsrpEndpoint
from harness.agent.msrp.negotiation import new_origin
from harness.agent.msrp.services import CPIM, Flow
from harness.agent.msrp.session import MsrpUser, SessionHandle
from harness.agent.msrp.session import ReceivedMessage as MsrpMessage
from harness.agent.msrp.terms import MsrpTerms
from harness.agent.session.invite_client import InviteOutcome, OutgoingInvite
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.invite_session import InviteSession
from harness.agent.session.user import Ending, Header, SessionRequest
from harness.agent.sip.agent import Incoming
from harness.bodies.cpim import CpimMessage, parse_cpim
from harness.bodies.encoding import DECODED_LIMIT, decode_content
from harness.errors import BodySyntaxError, UsageError
from harness.evidence.timeline import Address
from harness.msrp.chunking import Outcome
from harness.peer.config import FarParty
from harness.peer.identities import number_of
from harness.peer.journal import Recent
from harness.peer.listed_recipients import ListedRecipients, listed_in
from harness.peer.mt_request import Target
from harness.peer.received import Carrier, HandsetMessage
from harness.peer.service_table import Asked
from harness.sip.message import Request, Response

_HEAD_OCTETS = 64 * 1024  # of a CPIM object, in which its headers end
_PIECE_OCTETS = 1024 * 1024
_TO_SEVERAL = (Flow.LARGE, Flow.FILE_PUSH)
_PLAIN_ENCODINGS = ("", "identity", "7bit", "8bit", "binary")


@dataclass(eq=False, slots=True, weakref_slot=True)
class ServiceSession:
    """One session of the far party with a handset, from the INVITE on.

    flow: what it is for. handset, party: who takes part. local: the address of the peer the handset knows.
    target: where requests to the handset go, None when only its INVITE shows the way. invite: that of the
    handset, asked: what it shows; outgoing: ours. outcome: how ours ended. ending: how the session ended,
    None before. received: all that came in it.
    """

    flow: Flow
    handset: str
    party: FarParty
    conversation_id: str
    contribution_id: str
    local: Address
    target: Target | None = None
    invite: IncomingInvite | None = None
    asked: Asked | None = None
    outgoing: OutgoingInvite | None = None
    outcome: InviteOutcome | None = None
    ending: Ending | None = None
    notifies_inside: bool = False
    received: Recent[SessionMessage] = field(default_factory=Recent)
    _call: ServiceCall | None = None

    @property
    def call(self) -> ServiceCall:
        """Its SIP and MSRP sessions. Raises UsageError before there are terms for one."""
        if self._call is None:
            raise UsageError(f"{self} has not been accepted, nor sent")
        return self._call

    @call.setter
    def call(self, call: ServiceCall) -> None:
        self._call = call

    @property
    def accepted(self) -> bool:
        """True when there is, or was, a session."""
        if self._call is None or self._call.session is None:
            return False
        return self.outgoing is None or (self.outcome is not None and self.outcome.session is not None)

    @property
    def answer(self) -> Response | None:
        """The final response to the INVITE, None without one."""
        if self.invite is not None:
            return self.invite.final
        return self.outcome.response if self.outcome is not None else None

    @property
    def status(self) -> int | None:
        """Status of the final response to the INVITE, None without one."""
        return self.answer.status if self.answer is not None else None

    @property
    def problem(self) -> str | None:
        """Why there is no MSRP session, as far as SDP tells; None when nothing speaks against it."""
        found = self._call.problem if self._call is not None else None
        return found.reason if found is not None else None

    @property
    def inside(self) -> SessionHandle | None:
        """The MSRP session while it lives, where notifications of this service belong into it."""
        if not self.notifies_inside or self._call is None:
            return None
        handle = next((each for each in self._call.handles if each is not None), None)
        return None if handle is None or handle.failed else handle

    @property
    def dialog(self) -> InviteSession:
        """Its SIP session. Raises UsageError while there is none."""
        session = self.call.session
        if session is None:
            raise UsageError(f"{self} never became a session")
        return session

    async def refresh(self, method: str = "UPDATE", headers: Iterable[Header] = ()) -> Response:
        """Refresh it now, by UPDATE or by INVITE (RFC 4028 7.4); the final response.

        Raises UsageError, TransactionTimeout, TransportFailed.
        """
        dialog = self.dialog
        if method == "UPDATE":
            return await dialog.update(headers=headers)
        return await self.call.refresh(dialog, headers)

    async def stop_refreshing(self) -> None:
        """Neither refresh it nor end it for want of a refresh. Raises UsageError."""
        self.dialog.refresh.stop()

    def __str__(self) -> str:
        far, near = (number_of(uri) or uri for uri in (self.party.sip, self.handset))
        return f"{self.flow} of {far} with {near}, Conversation-ID {self.conversation_id}"


class ServiceCall(MsrpCall):
    """The call of a session, whose end is told."""

    def __init__(
        self,
        endpoint: MsrpEndpoint,
        terms: Sequence[MsrpTerms | None],
        host: str,
        user: ServiceUser,
        *,
        strict: bool = True,
    ) -> None:
        super().__init__(endpoint, terms, new_origin(host), user.of_line, strict=strict)
        self._user = user

    def progressed(self, session: InviteSession, response: Response) -> None:
        """Told to the user."""
        self._user.progressed(response)

    def refreshed(self, session: InviteSession, request: Request) -> None:
        """Told to the user."""
        self._user.refreshed(request)

    def reinvited(self, session: InviteSession, invite: IncomingInvite) -> None:
        """A re-INVITE of the handset."""
        if not self._user.reinvited(invite):
            super().reinvited(session, invite)

    def requested(self, request: SessionRequest) -> None:
        """Any other request in the dialog."""
        if not self._user.requested(request):
            super().requested(request)

    def ended(self, session: InviteSession, ending: Ending) -> None:
        """The session is over."""
        super().ended(session, ending)
        if self.session is session:
            self._user.ended(ending)


class ServiceUser:
    """Who is told of a call: its progress and end, and what MSRP brings on an m-line."""

    def progressed(self, response: Response) -> None:
        """A provisional response to our INVITE came."""
        raise NotImplementedError

    def refreshed(self, request: Request) -> None:
        """The handset refreshed the session with this, or changed it."""
        raise NotImplementedError

    def ended(self, ending: Ending) -> None:
        """The SIP session is over."""
        raise NotImplementedError

    def reinvited(self, invite: IncomingInvite) -> bool:
        """A re-INVITE; True when it was refused for what it is."""
        return False

    def requested(self, request: SessionRequest) -> bool:
        """A request in the dialog beside those of every session; True when it was answered."""
        return False

    def of_line(self, place: int) -> MsrpUser:
        """Who is told of the MSRP session of an m-line."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class SessionMessage(HandsetMessage):
    """A message of the handset in a session. What cannot be read is None; fault says why.

    msrp: the message as MSRP brought it, None for one in the INVITE of the session, which is decoded.
    start: octet of its content where that inside CPIM begins. decoded:
    the content without encodings, where there were any.
    """

    number: int
    time: float
    session: ServiceSession = field(repr=False)
    msrp: MsrpMessage | None = field(repr=False)
    cpim: CpimMessage | None
    content_type: str
    start: int = 0
    decoded: bytes | None = None
    fault: str = ""

    @property
    def carrier(self) -> Carrier:
        """MSRP, or the INVITE of the session."""
        return Carrier.INVITE if self.msrp is None else Carrier.MSRP

    @property
    def incoming(self) -> Incoming | None:
        """The INVITE of its session, None when that was ours."""
        return self.session.invite.incoming if self.session.invite is not None else None

    @property
    def accepted(self) -> bool:
        """True: one that is refused never becomes complete."""
        return True

    @property
    def sender(self) -> str:
        """Identity URI of the handset."""
        return self.session.handset

    @property
    def recipient(self) -> str:
        """Identity URI of the far party, or of the focus."""
        return self.session.party.sip

    @property
    def conversation_id(self) -> str | None:
        """That of the session."""
        return self.session.conversation_id

    @property
    def contribution_id(self) -> str | None:
        """That of the session."""
        return self.session.contribution_id

    @property
    def inside(self) -> SessionHandle | None:
        """The MSRP session its notifications go into, None when they go by MESSAGE."""
        return self.session.inside

    @property
    def listed(self) -> ListedRecipients | None:
        """The recipient list of a standalone message or a file: that of its INVITE."""
        asked = self.session.asked
        return listed_in(asked.request) if asked is not None and self.session.flow in _TO_SEVERAL else None

    @property
    def size(self) -> int:
        """Octets of the content."""
        return self._spooled.size - self.start if self.decoded is None else len(self.decoded)

    @property
    def content(self) -> bytes:
        """All of the content at once: for what is known to be small."""
        return self._spooled.read(self.start) if self.decoded is None else self.decoded

    @property
    def _spooled(self) -> SpooledContent:
        assert self.msrp is not None, "what came in an INVITE is decoded"
        return self.msrp.content

    def pieces(self) -> Iterator[bytes]:
        """The content in pieces of at most a mebibyte."""
        if self.decoded is not None:
            yield self.decoded
            return
        for position in range(self.start, self._spooled.size, _PIECE_OCTETS):
            yield self._spooled.read(position, _PIECE_OCTETS)

    def digest(self, algorithm: str = "sha1") -> bytes:
        """The hash of the content."""
        found = hashlib.new(algorithm)
        for piece in self.pieces():
            found.update(piece)
        return found.digest()

    def save(self, path: Path) -> None:
        """Write the content into a new file. Raises OSError, also when there is a file."""
        with path.open("xb") as file:
            for piece in self.pieces():
                file.write(piece)

    __str__ = HandsetMessage.__str__


def read_first_message(session: ServiceSession, octets: bytes, number: int, time: float) -> SessionMessage:
    """Take the CPIM object apart that came in the INVITE of a session."""
    read = SessionMessage(number, time, session, None, None, CPIM, decoded=octets)
    try:
        cpim = parse_cpim(octets)
        kind = cpim.mime_get("Content-Type") or ""
        return replace(read, cpim=cpim, content_type=kind, decoded=cpim.decoded())
    except BodySyntaxError as error:
        return replace(read, fault=str(error))


def read_session_message(
    session: ServiceSession, message: MsrpMessage, number: int, time: float
) -> SessionMessage:
    """Take a message that came by MSRP apart."""
    read = SessionMessage(number, time, session, message, None, message.content_type)
    try:
        if message.head.get("Content-Encoding") is not None:
            read = replace(read, decoded=_decoded(message))
        if read.content_type.partition(";")[0].strip().lower() == CPIM:
            return _unwrapped(read)
    except BodySyntaxError as error:
        return replace(read, fault=str(error))
    return read


def _decoded(message: MsrpMessage) -> bytes:
    """Content-Encoding undone; only of what is small, since it has to be undone in memory."""
    return decode_content(message.content.read(0, DECODED_LIMIT + 1), message.head.get("Content-Encoding"))


def _unwrapped(read: SessionMessage) -> SessionMessage:
    """The content inside CPIM. Raises BodySyntaxError."""
    if read.size > DECODED_LIMIT:
        return _unwrapped_in_file(read)
    cpim, decoded, fault = parse_cpim(read.content), read.decoded, ""
    kind, start = cpim.mime_get("Content-Type") or "", cpim.content_offset
    try:
        inner = cpim.decoded()
    except BodySyntaxError as error:
        inner, fault = cpim.content, str(error)
    if decoded is not None or inner != cpim.content:
        decoded, start = inner, 0
    return replace(read, cpim=cpim, content_type=kind, start=start, decoded=decoded, fault=fault)


def _unwrapped_in_file(read: SessionMessage) -> SessionMessage:
    """Only the headers are taken into memory, and no encoding is undone."""
    head = parse_cpim(next(read.pieces())[:_HEAD_OCTETS])
    cpim = replace(head, raw=head.raw[: head.content_offset], content=b"")
    encodings = [cpim.mime_get(name) for name in ("Content-Encoding", "Content-Transfer-Encoding")]
    coded = [each for each in encodings if (each or "").strip().lower() not in _PLAIN_ENCODINGS]
    fault = f"{coded[0]} is not undone in {read.size} octets" if coded else ""
    kind = cpim.mime_get("Content-Type") or ""
    return replace(read, cpim=cpim, content_type=kind, start=cpim.content_offset, fault=fault)


@dataclass(frozen=True, slots=True)
class SentInSession:
    """A message of the far party in a session, and its outcome.

    size: octets of the content inside CPIM. number: of the timeline when it was sent; ended_at: seconds since
    the Unix epoch.
    """

    session: ServiceSession = field(repr=False)
    message_id: str
    content_type: str
    size: int
    outcome: Outcome
    number: int
    ended_at: float
    text: str | None = None

    @property
    def status(self) -> int | None:
        """MSRP status of the outcome."""
        return self.outcome.status

    @property
    def accepted(self) -> bool:
        """True when nothing speaks against its arrival."""
        return self.outcome.good

    def __str__(self) -> str:
        what = f"{self.size} octets {self.content_type}" if self.text is None else repr(self.text)
        return f"{what} to {self.session.handset}, {self.message_id}: {self.outcome.status}"
