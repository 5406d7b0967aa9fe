"""1-1 chats of the far party with a handset: both sides write, notifications go in the session (OMA CPM)."""

from __future__ import annotations

from collections.abc import Sequence

from harness.agent.msrp.services import COMPOSING, CPIM, Flow
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
from harness.peer.service_session import SentInSession, ServiceSession, SessionMessage
from harness.peer.wrong_chunks import WrongChunks, wrongly_cut
from harness.peer.wrong_sdp import WrongSdp

LARGEST_MESSAGE = 1 << 20  # octets; what is larger belongs into a file transfer, and gets 413
Chat = ServiceSession


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
        wait: bool = True,
    ) -> Chat:
        """Invite a handset to a chat and wait for its answer, which shows in the result.

        headers: SIP headers to change, add or leave out. setup: what the offer says of who connects. lines:
        how many m-lines it has, each a session. sdp: what is wrong with it, on purpose. wait: False returns
        as soon as the INVITE is under way: `answered` waits, `cancel` gives up.
        """
        chat = self.calling(
            Flow.SESSION,
            target,
            sender=sender,
            conversation_id=conversation_id,
            contribution_id=contribution_id,
        )
        self.prepare(chat, [self.offered(chat, setup) for _ in range(lines)])
        return await self.call(chat, Invited(headers or {}, sdp=sdp), wait=wait)

    async def send_text(
        self,
        chat: Chat,
        text: str,
        *,
        disposition: Sequence[str] = DISPOSITION,
        content_type: str = "text/plain;charset=UTF-8",
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
        party = FarParty(ANONYMOUS_URI) if self.hidden else chat.party
        to = ANONYMOUS_URI if self.hidden else chat.handset
        rows = cpim_rows(self._pcscf.timeline.now(), party, to, identifier, DISPOSITION)
        kind = "text/plain;charset=UTF-8"
        octets = text.encode()
        document = build_cpim(rows, [("Content-Type", kind), ("Content-Length", str(len(octets)))], octets)
        handle = await self.opened(chat)
        outcome = await handle.send_as_written(wrongly_cut(document, how), CPIM)
        now = self._pcscf.timeline.now()
        return self.told(SentInSession(chat, identifier, kind, len(octets), outcome, number, now, text))

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
