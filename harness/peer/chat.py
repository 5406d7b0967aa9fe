"""A chat of the far party with a handset, and the messages the handset sends in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.agent.msrp.call import MsrpCall
from harness.agent.session.invite_client import InviteOutcome
from harness.agent.session.invite_session import InviteSession
from harness.agent.session.user import Ending
from harness.bodies.cpim import CpimMessage
from harness.bodies.imdn import MEDIA_TYPE as IMDN_TYPE
from harness.peer.config import FarParty
from harness.peer.journal import Recent


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message of the handset in a chat. What cannot be read is None; fault says why.

    number: of the timeline when it was complete; time: seconds since the Unix epoch. sender, recipient:
    identity URIs of the handset and of the far party. content_type, content, text: those inside CPIM, where
    it is CPIM.
    """

    number: int
    time: float
    cpim: CpimMessage | None
    content_type: str
    content: bytes
    sender: str
    recipient: str
    fault: str = ""

    @property
    def text(self) -> str | None:
        """The content decoded, None when it is no text."""
        is_text = self.content_type.strip().lower().startswith("text/")
        return self.content.decode("utf-8", "replace") if is_text else None

    @property
    def message_id(self) -> str | None:
        """The imdn.Message-ID."""
        return self.cpim.imdn("Message-ID") if self.cpim is not None else None

    @property
    def date_time(self) -> str | None:
        """The DateTime as written."""
        return self.cpim.get("DateTime") if self.cpim is not None else None

    @property
    def dispositions(self) -> frozenset[str]:
        """Values of imdn.Disposition-Notification in lower case."""
        values = self.cpim.imdn_all("Disposition-Notification") if self.cpim is not None else []
        tokens = (token.strip().lower() for value in values for token in value.split(","))
        return frozenset(token for token in tokens if token)

    @property
    def is_notification(self) -> bool:
        """True for an IMDN."""
        return self.content_type.partition(";")[0].strip().lower() == IMDN_TYPE

    def __str__(self) -> str:
        what = repr(self.text) if self.text is not None else f"{len(self.content)} octets {self.content_type}"
        return f"{what} from {self.sender} to {self.recipient}, imdn.Message-ID {self.message_id}"


@dataclass(eq=False, slots=True)
class Chat:
    """One chat of the far party with a handset.

    handset, party: identity URIs. call: its SIP and MSRP sessions. outcome: of our INVITE, None for one the
    handset sent. ending: how it ended, None before.
    """

    handset: str
    party: FarParty
    conversation_id: str
    contribution_id: str
    call: MsrpCall
    outcome: InviteOutcome | None = None
    ending: Ending | None = None
    received: Recent[ChatMessage] = field(default_factory=Recent)

    @property
    def accepted(self) -> bool:
        """True when there is, or was, a session."""
        return self.call.session is not None and (self.outcome is None or self.outcome.session is not None)

    @property
    def status(self) -> int | None:
        """Status of the handset's answer to our INVITE, None without one."""
        response = self.outcome.response if self.outcome is not None else None
        return response.status if response is not None else None

    def __str__(self) -> str:
        return f"chat of {self.party.sip} with {self.handset}, Conversation-ID {self.conversation_id}"


class ChatCall(MsrpCall):
    """The call of a chat: tells when it has ended."""

    on_ended: Callable[[Ending], None] = staticmethod(lambda _: None)

    def ended(self, session: InviteSession, ending: Ending) -> None:
        """The session is over."""
        super().ended(session, ending)
        if self.session is session:
            self.on_ended(ending)
