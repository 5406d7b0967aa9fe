"""What the simulated messaging app holds: conversations, bubbles, attachments, groups and offers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote


class MessageStatus(StrEnum):
    """What stands under an outgoing bubble."""

    SENDING = "Sending…"
    SENT = "Sent"
    DELIVERED = "Delivered"
    READ = "Read"
    NOT_SENT = "Not sent. Touch to try again."

    def follows(self, shown: MessageStatus | None) -> bool:
        """May it take the place of what is shown? A late "Delivered" must not take a "Read" back."""
        return shown is None or _RANK[self] > _RANK[shown]


# A failed text may be sent again.
_RANK = {
    MessageStatus.SENDING: 0,
    MessageStatus.NOT_SENT: 1,
    MessageStatus.SENT: 2,
    MessageStatus.DELIVERED: 3,
    MessageStatus.READ: 4,
}


class AttachmentState(StrEnum):
    """Where a file is, in the words that stand in its bubble."""

    OFFERED = "Download?"
    WAITING = "Waiting…"
    MOVING = "Transferring…"
    DONE = "Complete"
    DECLINED = "Declined"
    CANCELLED = "Cancelled"
    FAILED = "Failed"

    @property
    def over(self) -> bool:
        """Nothing goes on, and nothing is asked."""
        return self.settled or self is AttachmentState.FAILED

    @property
    def settled(self) -> bool:
        """For good. What failed may be resumed."""
        return self in (AttachmentState.DONE, AttachmentState.DECLINED, AttachmentState.CANCELLED)


class OfferKind(StrEnum):
    """What waits for the user's Accept or Decline."""

    CHAT = "chat"
    GROUP = "group"
    FILE = "file"


class ChatState(StrEnum):
    """The session behind a conversation with one number.

    PAUSED: the session is gone, but not by anybody's will (idle, no coverage); the next text opens another.
    """

    NONE = "none"
    STARTING = "starting"
    OPEN = "open"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(slots=True)
class Attachment:
    """A file in a bubble.

    `size` and `octets` (across so far) in octets; `path` in the handset's file tree. `again`: it failed, and
    the user may have it fetched.
    """

    name: str
    type: str
    size: int
    path: str = ""
    octets: int = 0
    state: AttachmentState = AttachmentState.WAITING
    why: str = ""
    again: bool = False

    @property
    def asks(self) -> bool:
        """Whether the user is asked to accept it, for the first time or again."""
        return self.state is AttachmentState.OFFERED or (self.again and self.state is AttachmentState.FAILED)


@dataclass(slots=True)
class Message:
    """One bubble. `time` in seconds since the Unix epoch; `status` is None for incoming ones.

    `sender` is the member of a group who wrote it; a `note` is a line of the app itself: who came, who went.
    """

    id: str
    text: str
    outgoing: bool
    time: float
    status: MessageStatus | None = None
    unread: bool = False
    sender: str = ""
    attachment: Attachment | None = None
    note: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """An invitation that waits for the user, with the line that stands above its buttons."""

    id: str
    kind: OfferKind
    text: str


@dataclass(slots=True)
class Group:
    """What the user is told of a group.

    `invited` have not joined yet. `open`: there is a session; without one the next text rejoins, unless the
    user `left`.
    """

    subject: str
    members: tuple[str, ...] = ()
    invited: tuple[str, ...] = ()
    open: bool = False
    left: bool = False


@dataclass(slots=True)
class Conversation:
    """All that was exchanged with one number or group, oldest first, and what its compose box holds.

    `chat`: texts go in a session, not as standalone messages. `capable`: whether the number is known to be
    an RCS user, None where that is not known.
    """

    key: str
    messages: list[Message] = field(default_factory=list)
    draft: str = ""
    capable: bool | None = None
    attached: Attachment | None = None
    chat: bool = False
    session: ChatState = ChatState.NONE
    composing: list[str] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    group: Group | None = None

    @property
    def title(self) -> str:
        """The name it is listed under."""
        return self.key if self.group is None else self.group.subject or "Group"

    @property
    def by_session(self) -> bool:
        """Whether what is typed now would go in a session."""
        return self.chat or self.group is not None

    @property
    def unread(self) -> int:
        """How many incoming texts and offers were never on screen."""
        return sum(message.unread for message in self.messages)


@dataclass(frozen=True, slots=True)
class Notification:
    """What the status bar announces: one per conversation, with its latest text."""

    id: int
    key: str
    title: str
    text: str
    time: float


def normal_number(text: str) -> str:
    """The number of `smsto:`, `sms:` or `tel:` data, or as typed: separators and escapes removed.

    Several, separated by commas or semicolons, stay several.
    """
    bare = unquote(re.sub(r"(?i)^(smsto|sms|mmsto|mms|tel):(//)?", "", text)).partition("?")[0]
    return re.sub(r"[\s().\-/]", "", bare).replace(";", ",")
