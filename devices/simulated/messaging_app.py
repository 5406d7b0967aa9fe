"""The messaging app of the simulated handset: what the user sees of the message store and does with it.

It looks like Google Messages to `uiautomator dump` (see the *_view modules) and leaves the wire to the RCS
client behind MessagingService. "Sent", "Delivered" and "Read" come from the client; "on screen" is decided
here. What the client tells is in message_store.py, where the user is in app_pages.py.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from functools import partial

from devices.simulated.app_pages import Page, Pages
from devices.simulated.conversations import (
    Attachment,
    AttachmentState,
    Conversation,
    Message,
    MessageStatus,
)
from devices.simulated.file_tree import FileTree
from devices.simulated.message_store import MessageStore
from devices.simulated.messaging_service import MessagingService

PACKAGE = "com.google.android.apps.messaging"
ACTIVITY = f"{PACKAGE}/.ui.ConversationListActivity"
CONVERSATION_ACTIVITY = f"{PACKAGE}/.ui.conversation.ConversationActivity"


class MessagingApp(MessageStore):
    """The app's state. Everything runs in the thread of the handset's event loop."""

    def __init__(
        self,
        clock: Callable[[], float],
        service: MessagingService | None = None,
        files: FileTree | None = None,
    ) -> None:
        super().__init__(clock, service, files)
        self.pages = Pages()
        self.running = False
        self.chat_mode = True
        self.scroll = 0
        self.exit_on_sent = False
        self._visible = False

    @property
    def current(self) -> str | None:
        """The conversation that is open, whatever page of it is shown."""
        return self.pages.key

    @property
    def conversation_on_screen(self) -> str | None:
        """The key of the conversation whose bubbles the user sees now."""
        return self.current if self._visible and self.pages.page is Page.CONVERSATION else None

    def scroll_to_latest(self) -> None:
        """A bubble came while its conversation is on screen."""
        self.scroll = 0

    # What the system and the user do

    def set_visible(self, visible: bool) -> None:
        """The window came to the front of a lit, unlocked screen, or left it."""
        came, self._visible = visible and not self._visible, visible
        if came:
            self.shown()

    def open_conversation(self, number: str, body: str | None = None, *, exit_on_sent: bool = False) -> None:
        """SENDTO: open the conversation with `body` in the compose box (a draft stays when body is None)."""
        conversation = self._conversation(number)
        self.running, self.exit_on_sent, self.scroll = True, exit_on_sent, 0
        self.pages.show(Page.CONVERSATION, conversation.key)
        if body is not None:
            conversation.draft = body
        self.shown()

    def attach(self, key: str, path: str, type: str) -> bool:
        """SEND: open the conversation with a file in its compose box. False when there is no such file."""
        self.open_conversation(key)
        if not self.files.exists(path):
            self.snackbar = "Couldn't load attachment"
            return False
        size = self.files.stat(path).size
        self._conversation(key).attached = Attachment(posixpath.basename(path), type, size, path)
        return True

    def share(self, what: str | tuple[str, str]) -> None:
        """SEND of a text, or a file by path and type, that names nobody: the user picks the conversation."""
        self.running = True
        self.pages.show(Page.SHARE)
        self.pages.shared = what

    def open_list(self) -> None:
        """The list of conversations."""
        self.running, self.scroll = True, 0
        self.pages.show(Page.LIST)

    def back(self) -> bool:
        """The back key: True when it leads to another page of the app, False when out of it."""
        if not self.pages.back():
            return False
        self.shown()
        return True

    def stop(self) -> None:
        """am force-stop: the process is gone, the message store stays."""
        self.running, self._visible = False, False
        self.pages.show(Page.LIST)

    def touched(self, what: str, argument: str) -> None:
        """A view of the app that is not of the system was touched: see the `touch` of the views."""
        self.snackbar = ""
        self.pages.menu = self.pages.menu and what == "menu"
        self.pages.member = argument if what == "member" else ""
        if (act := _TOUCHES.get(what)) is not None:
            act(self, argument)

    def type_text(self, text: str) -> None:
        """Text from the keyboard goes to the end of the field in front."""
        if self.pages.page is Page.CONVERSATION:
            self._edit(lambda draft: draft + text)
        else:
            self.pages.typed += text

    def erase(self) -> None:
        """The delete key takes the last character of the field in front."""
        if self.pages.page is Page.CONVERSATION:
            self._edit(lambda draft: draft[:-1])
        else:
            self.pages.typed = self.pages.typed[:-1]

    def enter(self) -> None:
        """The enter key: a new line in the compose box, one more number where people are picked."""
        if self.pages.picks_people:
            self.pages.pick()
        elif self.pages.page is Page.CONVERSATION:
            self.type_text("\n")

    def _edit(self, change: Callable[[str], str]) -> None:
        """In a chat or a group the others may know that the user types."""
        if self.current is None:
            return
        key, conversation = self.current, self.conversations[self.current]
        conversation.draft = change(conversation.draft)
        if conversation.by_session:
            self.asked(lambda service: service.typing(key, bool(conversation.draft)))

    def press_send(self) -> bool:
        """Send what the compose box holds. Returns True when the app closes itself afterwards."""
        if self.current is None:
            return False
        conversation = self.conversations[self.current]
        text, file = conversation.draft, conversation.attached
        if not text.strip() and file is None:
            return False
        conversation.draft, conversation.attached = "", None
        self.scroll = 0
        if file is not None:
            self._send(conversation, Message("", "", True, self._clock(), attachment=file))
        if text.strip():
            self._send(conversation, Message("", text, True, self._clock()))
        leaving, self.exit_on_sent = self.exit_on_sent, False
        return leaving

    def retry(self, index: int) -> None:
        """Touch a bubble of the open conversation that says it was not sent."""
        messages = self.conversations[self.current].messages if self.current is not None else []
        if self.current is not None and 0 <= index < len(messages):
            message = messages[index]
            if message.status is MessageStatus.NOT_SENT:
                self._submit(self.conversations[self.current], message)

    def start_chat(self) -> None:
        """From the conversation's menu: texts go in a session from now on."""
        if self.current is not None:
            self.conversations[self.current].chat = True

    def end_chat(self) -> None:
        """From the conversation's menu: the session ends, texts go as standalone messages."""
        if self.current is not None:
            number = self.current
            self.conversations[number].chat = False
            self.asked(lambda service: service.end_chat(number))

    def cancel(self, id: str) -> None:
        """Touch the X of a file that is under way."""
        attachment = self._attachment(id)
        if attachment is not None and not attachment.state.over:
            attachment.state = AttachmentState.CANCELLED
            self.asked(lambda service: service.cancel(id))

    def create_group(self, subject: str, members: Sequence[str]) -> None:
        """Found a group and open its conversation."""
        key = self.asked(lambda service: service.create_group(subject, tuple(members)))
        if key is None:
            self.pages.show(Page.LIST)
            return
        group = self._group(key, subject)
        if not group.open:
            group.invited = group.invited or tuple(members)
        self.open_conversation(key)

    def join_group(self, uri: str) -> None:
        """VIEW of a group's URI: join it and open its conversation."""
        key = self.asked(lambda service: service.join_group(uri))
        if key is None:
            self.open_list()
            return
        self._group(key, "")
        self.open_conversation(key)

    def add_picked(self) -> None:
        """Invite those picked to the group whose details are open."""
        key, picked = self.current, self.pages.picked
        if key is None:
            return
        for number in picked:
            self.asked(partial(_add, key, number))
        self.pages.show(Page.CONVERSATION)
        self.shown()

    def remove_member(self, number: str) -> None:
        """Have the network remove a member of the group whose details are open; the page stays."""
        if (key := self.current) is not None:
            self.asked(lambda service: service.remove_from_group(key, number))

    def leave_group(self) -> None:
        """Leave the group whose details are open: nothing can be sent to it any more."""
        key = self.current
        if key is None or (group := self.conversations[key].group) is None:
            return
        group.left, group.open = True, False
        self._note(self.conversations[key], "You left the group")
        self.asked(lambda service: service.leave_group(key))
        self.pages.show(Page.CONVERSATION)
        self.shown()

    def shown(self) -> None:
        """Whatever the open conversation holds is seen, if it is on screen."""
        key = self.conversation_on_screen
        if key is None:
            return
        for message in self.conversations[key].messages:
            message.unread = False
        self.notifications.pop(key, None)
        self._tell_shown(key)

    def _send(self, conversation: Conversation, message: Message) -> None:
        conversation.messages.append(message)
        self._bring_up(conversation.key)
        self._submit(conversation, message)

    def _submit(self, conversation: Conversation, message: Message) -> None:
        message.status = MessageStatus.SENDING
        key, file = conversation.key, message.attachment
        if conversation.capable is False:
            self.snackbar = "No SIM for SMS"  # how it would go to a number without RCS
            message.status = MessageStatus.NOT_SENT
            return
        if file is None:
            local_id = self.asked(
                lambda service: service.send_text(key, message.text, conversation.by_session)
            )
        else:
            file.state, file.octets, file.why = AttachmentState.WAITING, 0, ""
            local_id = self.asked(lambda service: service.send_file(key, file.path, file.type))
        if local_id is None:
            message.status = MessageStatus.NOT_SENT
            if file is not None:
                file.state, file.why = AttachmentState.FAILED, self.snackbar
            return
        message.id = local_id
        self._outgoing[local_id] = message
        if file is not None:
            self._files[local_id] = conversation, message
        if (early := self._early.pop(local_id, None)) is not None:
            message.status = early


def _add(key: str, number: str, service: MessagingService) -> None:
    service.add_to_group(key, number)


def _menu(app: MessagingApp, _: str) -> None:
    app.pages.menu = not app.pages.menu


def _start_with_picked(app: MessagingApp, _: str) -> None:
    app.open_conversation(app.pages.picked[0])


def _share_with(app: MessagingApp, key: str) -> None:
    shared = app.pages.shared
    if isinstance(shared, str):
        app.open_conversation(key, shared)
    elif shared is not None:
        app.attach(key, *shared)


def _detach(app: MessagingApp, key: str) -> None:
    app.conversations[key].attached = None


_TOUCHES: dict[str, Callable[[MessagingApp, str], object]] = {
    "retry": lambda app, index: app.retry(int(index)),
    "menu": _menu,
    "start-chat": lambda app, _: app.start_chat(),
    "end-chat": lambda app, _: app.end_chat(),
    "accept": lambda app, offer: app.answer(offer, True),
    "decline": lambda app, offer: app.answer(offer, False),
    "cancel": lambda app, file: app.cancel(file),
    "detach": _detach,
    "share-with": _share_with,
    "new": lambda app, _: app.pages.show(Page.NEW),
    "start-with-picked": _start_with_picked,
    "name-group": lambda app, _: app.pages.show(Page.NAME),
    "create-group": lambda app, _: app.create_group(app.pages.typed, app.pages.picked),
    "details": lambda app, _: app.pages.show(Page.DETAILS),
    "add-people": lambda app, _: app.pages.show(Page.ADD),
    "add-picked": lambda app, _: app.add_picked(),
    "remove-member": lambda app, number: app.remove_member(number),
    "leave-group": lambda app, _: app.leave_group(),
}
