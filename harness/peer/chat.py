"""1-1 chats of the far party with a handset: both sides write, notifications go in the session (OMA CPM)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.agent.msrp.services import COMPOSING, CPIM, Flow
from harness.agent.session.user import Content
from harness.bodies.cpim import build_cpim
from harness.bodies.sdp_attributes import Setup
from harness.cpm.tokens import new_id
from harness.peer.answers import HeaderChanges
from harness.peer.config import FarParty
from harness.peer.identities import ANONYMOUS_URI
from harness.peer.invitations import Invitations
from harness.peer.journal import EventKind
from harness.peer.msrp_service import MsrpService
from harness.peer.mt_invite import Invited
from harness.peer.mt_request import Target
from harness.peer.pager import DISPOSITION, cpim_rows
from harness.peer.service_session import (
    SentInSession,
    ServiceSession,
    SessionMessage,
    read_first_message,
)
from harness.peer.service_table import part_of
from harness.peer.wrong_chunks import WrongChunks, wrongly_cut
from harness.peer.wrong_sdp import WrongSdp

_PLAIN = "text/plain;charset=UTF-8"
LARGEST_MESSAGE = 1 << 20  # octets; what is larger belongs into a file transfer, and gets 413


@dataclass(frozen=True, slots=True)
class FirstText:
    """A text of ours that rode in the INVITE of its session. number: of the timeline when that was sent."""

    text: str
    message_id: str
    number: int


@dataclass(eq=False, slots=True, weakref_slot=True)
class Chat(ServiceSession):
    """A 1-1 session. first: what our INVITE said already."""

    first: FirstText | None = None


class Chats(MsrpService[Chat]):
    """Those the handset begins, and those begun from here.

    hidden: whether CPIM calls both sides anonymous, since the session tells who they are (by public clients);
    may be changed.
    """

    flows = (Flow.SESSION,)
    largest = LARGEST_MESSAGE
    notifies_inside = True

    def __init__(self, invitations: Invitations) -> None:
        super().__init__(invitations, Chat)
        self.hidden = True

    async def invite(
        self,
        target: Target,
        *,
        sender: FarParty | None = None,
        conversation_id: str | None = None,
        contribution_id: str | None = None,
        headers: HeaderChanges | None = None,
        setup: Setup = Setup.ACTPASS,
        lines: int = 1,
        sdp: WrongSdp | None = None,
        first: str | None = None,
        wait: bool = True,
    ) -> Chat:
        """Invite a handset to a chat and wait for its answer, which shows in the result.

        headers: SIP headers to change, add or leave out. setup: what the offer says of who connects. lines:
        how many m-lines it has, each a session. sdp: what is wrong with it, on purpose. first: a text
        that goes along (SIMPLE IM). wait: False returns as soon as the INVITE is under way: `answered` waits,
        `cancel` gives up.
        """
        chat = self.calling(
            Flow.SESSION,
            target,
            sender=sender,
            conversation_id=conversation_id,
            contribution_id=contribution_id,
        )
        self.prepare(chat, [self.offered(chat, setup) for _ in range(lines)])
        parts = [] if first is None else [self._first(chat, first)]
        return await self.call(chat, Invited(headers or {}, sdp=sdp, parts=parts), wait=wait)

    def _first(self, chat: Chat, text: str) -> Content:
        identifier = new_id()
        chat.first = FirstText(text, identifier, len(self._pcscf.timeline))
        return Content(CPIM, self._document(chat, text, identifier))

    def _document(self, chat: Chat, text: str, identifier: str) -> bytes:
        party = FarParty(ANONYMOUS_URI) if self.hidden else chat.party
        to = ANONYMOUS_URI if self.hidden else chat.handset
        rows = cpim_rows(self._pcscf.timeline.now(), party, to, identifier, DISPOSITION)
        octets = text.encode()
        mime = [("Content-Type", _PLAIN), ("Content-Length", str(len(octets)))]
        return build_cpim(rows, mime, octets)

    def begun(self, session: Chat) -> None:
        """What rode in the INVITE of the handset is its first text (SIMPLE IM)."""
        part = part_of(session.asked.parts, CPIM) if session.asked is not None else None
        if part is not None:
            timeline = self._pcscf.timeline
            self.take(session, read_first_message(session, part.content, len(timeline), timeline.now()))

    async def send_text(
        self,
        chat: Chat,
        text: str,
        *,
        disposition: Sequence[str] = DISPOSITION,
        content_type: str = _PLAIN,
        message_id: str | None = None,
        cpim: HeaderChanges | None = None,
    ) -> SentInSession:
        """Send a message in a chat and wait for its outcome. Raises UsageError, TransportFailed."""
        return await self.send(
            chat,
            text.encode(),
            content_type,
            disposition=disposition,
            message_id=message_id,
            sender=FarParty(ANONYMOUS_URI) if self.hidden else None,
            recipient=ANONYMOUS_URI if self.hidden else None,
            cpim=cpim,
            text=text,
        )

    async def send_chunks(self, chat: Chat, text: str, how: WrongChunks) -> SentInSession:
        """Send a text in chunks that are cut wrong, and wait for its outcome. Raises as `send_text`."""
        identifier, number = new_id(), len(self._pcscf.timeline)
        document = self._document(chat, text, identifier)
        handle = await self.opened(chat)
        outcome = await handle.send_as_written(wrongly_cut(document, how), CPIM)
        now = self._pcscf.timeline.now()
        size = len(text.encode())
        return self.told(SentInSession(chat, identifier, _PLAIN, size, outcome, number, now, text))

    async def send_composing(self, chat: Chat, document: bytes) -> SentInSession:
        """Send an isComposing document, bare (RFC 3994). Raises UsageError, TransportFailed."""
        return await self.send_bare(chat, document, COMPOSING)

    async def wait_composing(
        self, state: str | None = None, *, timeout: float, after: int = 0, session: Chat | None = None
    ) -> SessionMessage:
        """The first isComposing document of the handset in a chat, with this state. Raises NotSeen."""

        def wanted(message: SessionMessage) -> bool:
            told = message.composing
            return state is None or (told is not None and told.state == state)

        what = f"an isComposing document{f' that says {state}' if state else ''}"
        return await self._message(EventKind.COMPOSING, what, timeout, after, session, wanted)
