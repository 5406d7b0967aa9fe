"""The messaging app of the simulated handset: conversations, bubbles, notifications and what the user
touches.

It looks like Google Messages to `uiautomator dump` (see ui_tree.py) and leaves the wire to the RCS client
behind TextService. "Sent", "Delivered" and "Read" come from the client; "on screen" is decided here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from urllib.parse import unquote

PACKAGE = "com.google.android.apps.messaging"
ACTIVITY = f"{PACKAGE}/.ui.ConversationListActivity"
CONVERSATION_ACTIVITY = f"{PACKAGE}/.ui.conversation.ConversationActivity"


class MessageStatus(StrEnum):
    """What stands under an outgoing bubble."""

    SENDING = "Sending…"
    SENT = "Sent"
    DELIVERED = "Delivered"
    READ = "Read"
    NOT_SENT = "Not sent. Touch to try again."


# A late delivery notification must not take a "Read" back; a failed text may be sent again.
_RANK = {
    MessageStatus.SENDING: 0,
    MessageStatus.NOT_SENT: 1,
    MessageStatus.SENT: 2,
    MessageStatus.DELIVERED: 3,
    MessageStatus.READ: 4,
}


class TextService(Protocol):
    """What the messaging app asks of the RCS client."""

    def send_text(self, to: str, text: str) -> str:
        """Take a text for a number; returns a local id at once, the outcome comes by MessagingApp.outcome."""

    def conversation_shown(self, number: str) -> None:
        """The conversation with this number is on screen: its texts count as displayed."""


@dataclass(slots=True)
class Message:
    """One bubble. `time` in seconds since the Unix epoch; `status` is None for incoming texts."""

    id: str
    text: str
    outgoing: bool
    time: float
    status: MessageStatus | None = None
    unread: bool = False


@dataclass(slots=True)
class Conversation:
    """All texts with one number, oldest first, and the draft in its compose box."""

    number: str
    messages: list[Message] = field(default_factory=list)
    draft: str = ""

    @property
    def unread(self) -> int:
        """How many incoming texts were never on screen."""
        return sum(message.unread for message in self.messages)


@dataclass(frozen=True, slots=True)
class Notification:
    """What the status bar announces: one per conversation, with its latest text."""

    id: int
    title: str
    text: str
    time: float


def normal_number(text: str) -> str:
    """The number of `smsto:`, `sms:` or `tel:` data, or as typed: separators and escapes removed."""
    bare = unquote(re.sub(r"(?i)^(smsto|sms|mmsto|mms|tel):(//)?", "", text)).partition("?")[0]
    return re.sub(r"[\s().\-/]", "", bare)


class MessagingApp:
    """The app's state. Everything runs in the thread of the handset's event loop."""

    def __init__(self, clock: Callable[[], float], service: TextService | None = None) -> None:
        self.service = service
        self.conversations: dict[str, Conversation] = {}
        self.notifications: dict[str, Notification] = {}
        self.current: str | None = None
        self.running = False
        self.chat_mode = True
        self.scroll = 0
        self.exit_on_sent = False
        self._clock = clock
        self._visible = False
        self._outgoing: dict[str, Message] = {}
        self._early: dict[str, MessageStatus] = {}
        self._notification_id = 0

    @property
    def conversation_on_screen(self) -> str | None:
        """The number whose conversation the user sees now."""
        return self.current if self._visible else None

    # What the RCS client tells

    def incoming(self, number: str, text: str, message_id: str) -> None:
        """A text arrived.

        It is shown at once when its conversation is on screen, else it raises a notification.
        """
        number = normal_number(number)
        conversation = self._conversation(number)
        seen = self.conversation_on_screen == number
        now = self._clock()
        conversation.messages.append(Message(message_id, text, False, now, unread=not seen))
        self._bring_up(number)
        if seen:
            self.scroll = 0
            self._tell_shown(number)
            return
        self._notification_id += 1
        self.notifications[number] = Notification(self._notification_id, number, text, now)

    def outcome(self, local_id: str, status: MessageStatus) -> None:
        """What became of a text. A status lower than the one shown is ignored."""
        message = self._outgoing.get(local_id)
        if message is None:
            self._early[local_id] = status  # the client answered before send_text returned
        elif message.status is None or _RANK[status] > _RANK[message.status]:
            message.status = status

    # What the system and the user do

    def set_visible(self, visible: bool) -> None:
        """The window came to the front of a lit, unlocked screen, or left it."""
        came, self._visible = visible and not self._visible, visible
        if came and self.current is not None:
            self._shown(self.current)

    def open_conversation(self, number: str, body: str | None = None, *, exit_on_sent: bool = False) -> None:
        """SENDTO: open the conversation with `body` in the compose box (a draft stays when body is None)."""
        self.running = True
        self.exit_on_sent = exit_on_sent
        self.current = normal_number(number)
        self.scroll = 0
        conversation = self._conversation(self.current)
        if body is not None:
            conversation.draft = body
        if self._visible:
            self._shown(self.current)

    def open_list(self) -> None:
        """The list of conversations."""
        self.running = True
        self.current, self.scroll = None, 0

    def back(self) -> bool:
        """The back key: from a conversation to the list (True), from the list out of the app (False)."""
        if self.current is None:
            return False
        self.open_list()
        return True

    def stop(self) -> None:
        """am force-stop: the process is gone, the message store stays."""
        self.running, self._visible = False, False
        self.current, self.scroll = None, 0

    def type_text(self, text: str) -> None:
        """Text from the keyboard goes to the end of the compose box."""
        if self.current is not None:
            self._conversation(self.current).draft += text

    def erase(self) -> None:
        """The delete key takes the last character of the compose box."""
        if self.current is not None:
            conversation = self._conversation(self.current)
            conversation.draft = conversation.draft[:-1]

    def press_send(self) -> bool:
        """Send the draft. Returns True when the app closes itself afterwards (exit_on_sent)."""
        if self.current is None:
            return False
        conversation = self._conversation(self.current)
        text = conversation.draft
        if not text.strip():
            return False
        conversation.draft = ""
        self.scroll = 0
        message = Message("", text, True, self._clock(), MessageStatus.SENDING)
        conversation.messages.append(message)
        self._bring_up(self.current)
        self._submit(self.current, message)
        leaving, self.exit_on_sent = self.exit_on_sent, False
        return leaving

    def retry(self, index: int) -> None:
        """Touch a bubble of the open conversation that says it was not sent."""
        if self.current is None:
            return
        messages = self._conversation(self.current).messages
        if 0 <= index < len(messages) and messages[index].status is MessageStatus.NOT_SENT:
            messages[index].status = MessageStatus.SENDING
            self._submit(self.current, messages[index])

    def _submit(self, number: str, message: Message) -> None:
        if self.service is None:
            message.status = MessageStatus.NOT_SENT
            return
        message.id = self.service.send_text(number, message.text)
        self._outgoing[message.id] = message
        if (early := self._early.pop(message.id, None)) is not None:
            message.status = early

    def _conversation(self, number: str) -> Conversation:
        return self.conversations.setdefault(number, Conversation(number))

    def _bring_up(self, number: str) -> None:
        """The list shows the conversation with the latest text first."""
        self.conversations = {number: self.conversations.pop(number), **self.conversations}

    def _shown(self, number: str) -> None:
        for message in self._conversation(number).messages:
            message.unread = False
        self.notifications.pop(number, None)
        self._tell_shown(number)

    def _tell_shown(self, number: str) -> None:
        if self.service is not None:
            self.service.conversation_shown(number)
