"""Groups in the messaging app on an Android handset."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from devices.android_conversations import ConversationUi
from devices.android_screen import typing_line
from devices.apps.dump import Dump, UiNode, as_dumped
from devices.handset import Screen
from harness.errors import NotOnBench
from harness.evidence.timeline import Layer

_BACK = "input keyevent KEYCODE_BACK; "


class GroupUi(ConversationUi):
    """A group is known by its subject; of several with one subject the latest counts."""

    def create_group(self, subject: str, numbers: Sequence[str]) -> None:
        """Found a group with these members; its conversation is open then.

        Raises HandsetError, with what the app tells its user, when it does not come about.
        """
        until = time.monotonic() + self.ui_deadline
        name = typing_line(subject)
        self._show_list()
        button = self._seek("new_conversation", until)
        box = self._press_for(button, "new_conversation", "recipient_box", until)
        create = self._pick(box, numbers, "create_group", until)
        field = self._press_for(create, "create_group", "group_name_box", until)
        self.tap(field)
        done = self._seek("group_name_done", until, before=f"{name}; ")
        titled = self._titled(subject)
        expected = f"the conversation of the group {subject!r}"
        self._press(done, "group_name_done", titled, expected, until)
        self._opened(subject)

    def join_group(self, uri: str) -> None:
        """Join a group by its URI; its conversation is open then."""
        intent = self.app.intents.join
        if intent is None:
            raise NotOnBench(f"handset {self.serial}: {self.app.app} cannot join a group by its URI")
        until = time.monotonic() + self.ui_deadline
        self._start(["-a", intent.action, "-d", uri], uri)
        self._seek("compose_box", until)
        self._opened(uri)

    def open_group(self, subject: str) -> None:
        """Bring the conversation of a group on screen. Raises HandsetError when it is not listed."""
        until = time.monotonic() + self.ui_deadline
        self._show_list()
        self._choose_listed(subject, until)
        self._opened(subject)

    def group_conversation(self, subject: str) -> Screen:
        """Read the conversation of a group and put it on the timeline; it is opened first if need be."""
        titled = self._titled(subject)
        dump = self.dump() if subject == self._open else None
        if dump is None or titled(dump) is None:
            self.open_group(subject)
            dump = self.dump()
        return self._seen(dump)

    def send_to_group(self, subject: str, text: str) -> None:
        """Share a text with a group, which may hold what no keyboard types, and press send."""
        intent = self.app.intents.share
        if intent is None:
            raise NotOnBench(f"handset {self.serial}: {self.app.app} takes no text from other apps")
        until = time.monotonic() + self.ui_deadline
        self._start(["-a", intent.action, "-t", "text/plain", "--es", intent.text_extra, text], subject)
        self._choose_listed(subject, until)
        self._opened(subject)
        self._send_when_taken(text, until)

    def members_of_group(self, subject: str) -> tuple[str, ...]:
        """The members its details page lists, without what stands in brackets."""
        until = time.monotonic() + self.ui_deadline
        self._details(subject, "group_member", until)
        members = self.dump(until=until).find_all(self.elements("group_member"))
        self._seek("compose_box", until, before=_BACK)
        return tuple(map(_member, members))

    def add_to_group(self, subject: str, numbers: Sequence[str]) -> None:
        """Bring more numbers into a group."""
        until = time.monotonic() + self.ui_deadline
        add = self._details(subject, "add_people", until)
        box = self._press_for(add, "add_people", "recipient_box", until)
        done = self._pick(box, numbers, "add_people_done", until)
        self._press_for(done, "add_people_done", "compose_box", until)

    def remove_from_group(self, subject: str, number: str) -> None:
        """Have a member put out of a group: its row on the details page, then Remove.

        Returns in the conversation, with what the network makes of it still to come. Raises HandsetError for
        who is not on the page.
        """
        until = time.monotonic() + self.ui_deadline
        ways = self.elements("group_member")
        self.elements("remove_member")  # an app without it is told before anything is touched

        def member(dump: Dump) -> UiNode | None:
            return next((node for node in dump.find_all(ways) if _member(node) == number), None)

        self._details(subject, "group_member", until)
        row = self._wait_screen(member, f"{number} among the members of {subject!r}", until)
        remove = self._press_for(row, "group_member", "remove_member", until)
        self._press_for(remove, "remove_member", "group_member", until)
        self._seek("compose_box", until, before=_BACK)

    def leave_group(self, subject: str) -> None:
        """Leave a group, and wait until there is nothing to write to any more."""
        until = time.monotonic() + self.ui_deadline
        leave = self._details(subject, "leave_group", until)

        def left(dump: Dump) -> UiNode | None:
            gone = dump.find(self.app.elements.compose_box) is None
            return self._titled(subject)(dump) if gone else None

        self._press(leave, "leave_group", left, f"{subject!r} without a compose box", until)

    # How it is done

    def _show_list(self) -> None:
        intent = self.app.intents.list
        if intent is None:
            raise NotOnBench(f"handset {self.serial}: {self.app.app} has no activity for its list")
        self._open = ""
        self._ok(["am", "start", "-W", "-n", intent.component])

    def _choose_listed(self, subject: str, until: float) -> None:
        """Touch the row of a conversation, and wait for its window."""
        ways, wanted = self.elements("conversation_name"), as_dumped(subject)

        def row(dump: Dump) -> UiNode | None:
            return next((node for node in dump.find_all(ways) if node.text == wanted), None)

        found = self._wait_screen(row, f"{subject!r} in the list of conversations", until)
        titled = self._titled(subject)
        self._press(found, "conversation_name", titled, f"the conversation {subject!r}", until)

    def _titled(self, subject: str) -> Callable[[Dump], UiNode | None]:
        ways, wanted = self.elements("conversation_title"), as_dumped(subject)

        def look(dump: Dump) -> UiNode | None:
            title = dump.find(ways)
            return title if title is not None and title.text == wanted else None

        return look

    def _opened(self, name: str) -> None:
        self._open = name
        self._timeline.event(Layer.ADB, "open", serial=self.serial, conversation=name)

    def _pick(self, box: UiNode, numbers: Sequence[str], done: str, until: float) -> UiNode:
        """Type each number and enter; the button that takes them all."""
        self.tap(box)
        keys = [f"{typing_line(number)}; input keyevent KEYCODE_ENTER" for number in numbers]
        return self._seek(done, until, before="; ".join(keys) + "; ")

    def _details(self, subject: str, wanted: str, until: float) -> UiNode:
        """Open the details page of a group; an element of it."""
        if self._open != subject:
            self.open_group(subject)
        menu = self._seek("menu", until)
        item = self._press_for(menu, "menu", "group_details", until)
        return self._press_for(item, "group_details", wanted, until)


def _member(row: UiNode) -> str:
    """A member without what stands in brackets."""
    return row.text.partition(" (")[0]
