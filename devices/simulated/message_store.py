"""The message store of the simulated handset: conversations, attachments and offers as the RCS client tells
them.

What it holds is in conversations.py; what the user sees and does of it is MessagingApp.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from typing import TypeVar

from devices.simulated.acceptance import Acceptance
from devices.simulated.conversations import (
    Attachment,
    AttachmentState,
    ChatState,
    Conversation,
    Group,
    Message,
    MessageStatus,
    Notification,
    Offer,
    OfferKind,
    normal_number,
)
from devices.simulated.file_tree import FileTree
from devices.simulated.messaging_service import MessagingService, NotServed

DOWNLOADS = "/sdcard/Download"
LONGEST_NAME, LONGEST_TYPE = 255, 20  # octets of a name, and of what follows its last dot

T = TypeVar("T")


class MessageStore:
    """Everything runs in the thread of the handset's event loop.

    A conversation is known by its key: a number, or what the client calls a group. `files` are those of the
    handset.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        service: MessagingService | None = None,
        files: FileTree | None = None,
    ) -> None:
        self.service = service
        self.files = FileTree(clock) if files is None else files
        self.acceptance = Acceptance()
        self.conversations: dict[str, Conversation] = {}
        self.notifications: dict[str, Notification] = {}
        self.snackbar = ""
        self._clock = clock
        self._outgoing: dict[str, Message] = {}
        self._early: dict[str, MessageStatus] = {}
        self._files: dict[str, tuple[Conversation, Message]] = {}
        self._notification_id = 0

    @property
    def conversation_on_screen(self) -> str | None:
        """The key of the conversation whose bubbles the user sees now; none without an app in front."""
        return None

    def scroll_to_latest(self) -> None:
        """A bubble came while its conversation is on screen."""

    # What the RCS client tells: whom it reaches

    def capable(self, key: str, rcs: bool) -> None:
        """This number is an RCS user, or is none: the compose box says how a text would go."""
        if (conversation := self.conversations.get(normal_number(key))) is not None:
            conversation.capable = rcs

    # What the RCS client tells: texts

    def incoming(self, key: str, text: str, message_id: str, sender: str | None = None) -> None:
        """A text arrived, in a group from this member.

        It is shown at once when its conversation is on screen, else it raises a notification.
        """
        conversation = self._conversation(key)
        author = normal_number(sender) if sender and conversation.group else ""
        self._stops_composing(conversation, author or conversation.key)
        self._arrived(conversation, Message(message_id, text, False, self._clock(), sender=author), text)

    def outcome(self, local_id: str, status: MessageStatus) -> None:
        """What became of a text or file. A status lower than the one shown is ignored."""
        message = self._outgoing.get(local_id)
        if message is None:
            self._early[local_id] = status  # the client answered before its send method returned
        elif status.follows(message.status):
            message.status = status

    def composing(self, key: str, sender: str, on: bool) -> None:
        """Somebody writes, or stopped to."""
        conversation, who = self._conversation(key), normal_number(sender)
        self._stops_composing(conversation, who)
        if on:
            conversation.composing.append(who)

    # What the RCS client tells: chats, groups, offers

    def chat_state(self, number: str, state: ChatState, why: str = "") -> None:
        """The session with this number began, paused or ended.

        An open session brings the conversation into chat mode, the end of it (not a pause) out of it.
        """
        conversation = self._conversation(number)
        if conversation.session is state:
            return
        conversation.session = state
        if state is ChatState.OPEN:
            conversation.chat = True
            self._note(conversation, "Chat started")
            return
        conversation.composing.clear()
        if state is ChatState.ENDED:
            conversation.chat = False
            self._note(conversation, "Chat ended" + (f": {why}" if why else ""))

    def offered(
        self,
        key: str,
        offer_id: str,
        what: OfferKind,
        *,
        sender: str | None = None,
        subject: str = "",
        name: str = "",
        type: str = "",
        size: int = 0,
    ) -> None:
        """An invitation to a chat or group (with its subject), or a file (with name, type, octets) came in.

        What the settings accept is answered before this returns, else the user is asked.
        """
        if what is OfferKind.GROUP:
            self._group(key, subject)
        conversation = self._conversation(key)
        who = normal_number(sender or key)
        if what is OfferKind.FILE:
            attachment = Attachment(name, type, size, state=AttachmentState.OFFERED)
            author = who if conversation.group else ""
            message = Message(offer_id, "", False, self._clock(), sender=author, attachment=attachment)
            self._files[offer_id] = conversation, message
            self._arrived(conversation, message, name)
        elif not self.acceptance.covers(what, size):
            line = f"{who} invites you to " + (f"the group {subject}" if subject else f"a {what.value}")
            conversation.offers.append(Offer(offer_id, what, line))
            self._bring_up(conversation.key)
            self._announce(conversation, line)
        if self.acceptance.covers(what, size):
            self.answer(offer_id, True)

    def offer_over(self, offer_id: str, why: str) -> None:
        """What was offered is no longer to be had: withdrawn, or answered too late."""
        if offer_id in self._files:
            self.file_failed(offer_id, why)
            return
        for conversation in self._forget_offer(offer_id):
            self._note(conversation, f"Invitation missed: {why}" if why else "Invitation missed")

    def offer_taken(self, offer_id: str) -> None:
        """The client accepted it, since the user replied: nobody is asked any more."""
        self._forget_offer(offer_id)

    def group_opened(
        self, key: str, subject: str, members: Sequence[str], invited: Sequence[str] = ()
    ) -> None:
        """There is a session with the group: created, joined or rejoined."""
        group = self._group(key, subject)
        group.open, group.left = True, False
        group.members = tuple(normal_number(number) for number in members)
        group.invited = tuple(normal_number(number) for number in invited)

    def group_changed(
        self,
        key: str,
        *,
        members: Sequence[str] | None = None,
        invited: Sequence[str] | None = None,
        subject: str | None = None,
    ) -> None:
        """Who is in the group now; who came and who went becomes a line of the conversation.

        None leaves a part as it is.
        """
        group, conversation = self._group(key, subject or ""), self._conversation(key)
        if subject:
            group.subject = subject
        if invited is not None:
            group.invited = tuple(normal_number(number) for number in invited)
        if members is None:
            return
        now = tuple(normal_number(number) for number in members)
        before, group.members = group.members, now
        for number in now:
            if number not in before:
                self._note(conversation, f"{number} joined")
        for number in before:
            if number not in now:
                self._stops_composing(conversation, number)
                self._note(conversation, f"{number} left")

    def group_closed(self, key: str, why: str) -> None:
        """The session with the group is gone. A text of the user asks the client to rejoin."""
        conversation = self._conversation(key)
        conversation.composing.clear()
        group = conversation.group
        if group is None or group.left:
            return
        if group.open:
            self._note(conversation, f"Group closed: {why}" if why else "Group closed")
        elif why:
            self._note(conversation, f"Couldn't connect: {why}")
        group.open = False

    # What the RCS client tells: files

    def new_download(self, name: str) -> str:
        """A path under Download where nothing lies yet, for a file of this name.

        Only the last part of the name counts, without what a file system does not take.
        """
        bare = name.replace("\\", "/").rpartition("/")[2].replace("\0", "").strip()
        bare = "file" if bare in ("", ".", "..") else bare
        stem, dot = posixpath.splitext(bare)
        if len(dot.encode()) > LONGEST_TYPE:
            stem, dot = bare, ""
        ending, number = dot, 0
        while True:
            kept = stem.encode()[: LONGEST_NAME - len(ending.encode())].decode("utf-8", "ignore")
            if not self.files.exists(path := f"{DOWNLOADS}/{kept}{ending}"):
                return path
            number += 1
            ending = f" ({number}){dot}"

    def file_progress(self, id: str, octets: int, of: int) -> None:
        """So many octets of so many are across."""
        if (found := self._attachment(id)) is not None and not found.state.settled:
            found.state, found.octets, found.size, found.why = AttachmentState.MOVING, octets, of, ""

    def file_done(self, id: str, path: str = "") -> None:
        """All of it is across; an incoming file lies under `path` now."""
        if (attachment := self._attachment(id)) is None or attachment.state.settled:
            return
        conversation, message = self._files[id]
        attachment.state, attachment.octets, attachment.why = AttachmentState.DONE, attachment.size, ""
        if message.outgoing:
            self.outcome(id, MessageStatus.SENT)
            return
        attachment.path = path
        if self.conversation_on_screen == conversation.key:
            self._tell_shown(conversation.key)

    def file_failed(self, id: str, why: str, again: bool = False) -> None:
        """It did not arrive, or did not leave. What the user ended already stays as it is.

        again: the user may accept it once more, so that it is fetched.
        """
        if (attachment := self._attachment(id)) is None or attachment.state.over:
            return
        attachment.state, attachment.why, attachment.again = AttachmentState.FAILED, why, again
        self.outcome(id, MessageStatus.NOT_SENT)

    def _attachment(self, id: str) -> Attachment | None:
        return self._files[id][1].attachment if id in self._files else None

    def answer(self, offer_id: str, accept: bool) -> None:
        """Accept or decline an invitation or a file."""
        for conversation in self._forget_offer(offer_id):
            if conversation.group is not None:
                conversation.group.left = not accept
        attachment = self._attachment(offer_id)
        if attachment is not None:
            if not attachment.asks:
                return
            attachment.again = False
            attachment.state = AttachmentState.WAITING if accept else AttachmentState.DECLINED
        self.asked(lambda service: service.answer_offer(offer_id, accept))

    def asked(self, act: Callable[[MessagingService], T]) -> T | None:
        """Ask the client; what it does not serve is told the user, and gives None."""
        if self.service is None:
            self.snackbar = "RCS is not available"
            return None
        try:
            return act(self.service)
        except NotServed as error:
            self.snackbar = str(error)
            return None

    # How it is kept

    def _conversation(self, key: str) -> Conversation:
        known = key if key in self.conversations else normal_number(key)
        return self.conversations.setdefault(known, Conversation(known))

    def _group(self, key: str, subject: str) -> Group:
        """The group of this key, made when it is new: a key of the client is no number and stays as it is."""
        conversation = self.conversations.setdefault(key, Conversation(key))
        if conversation.group is None:
            conversation.group = Group(subject)
            self._bring_up(key)
        conversation.group.subject = conversation.group.subject or subject
        return conversation.group

    def _arrived(self, conversation: Conversation, message: Message, line: str) -> None:
        message.unread = self.conversation_on_screen != conversation.key
        conversation.messages.append(message)
        self._bring_up(conversation.key)
        if message.unread:
            self._announce(conversation, line)
            return
        self.scroll_to_latest()
        self._tell_shown(conversation.key)

    def _announce(self, conversation: Conversation, line: str) -> None:
        key = conversation.key
        if self.conversation_on_screen != key:
            self._notification_id += 1
            title = conversation.title
            self.notifications[key] = Notification(self._notification_id, key, title, line, self._clock())

    def _note(self, conversation: Conversation, text: str) -> None:
        conversation.messages.append(Message("", text, False, self._clock(), note=True))

    def _forget_offer(self, offer_id: str) -> list[Conversation]:
        """The invitation is gone; the conversations it stood in."""
        found = []
        for conversation in self.conversations.values():
            kept = [offer for offer in conversation.offers if offer.id != offer_id]
            if len(kept) < len(conversation.offers):
                conversation.offers = kept
                found.append(conversation)
        return found

    def _stops_composing(self, conversation: Conversation, who: str) -> None:
        conversation.composing = [other for other in conversation.composing if other != who]

    def _bring_up(self, key: str) -> None:
        """The list shows the conversation with the latest text first."""
        self.conversations = {key: self.conversations.pop(key), **self.conversations}

    def _tell_shown(self, key: str) -> None:
        if self.service is not None:
            self.service.conversation_shown(key)
