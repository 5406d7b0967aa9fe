"""Chats and invitations in the messaging app on an Android handset."""

from __future__ import annotations

import time

from devices.android_conversations import ConversationUi
from devices.android_screen import pauses
from devices.apps.dump import Dump, UiNode, as_dumped, belonging, is_one_of
from devices.handset import ClientSetting, OfferKind
from harness.errors import NotOnBench, NotSeen


class ChatUi(ConversationUi):
    """Sessions with one number, and what the app asks its user."""

    def start_chat(self, number: str) -> None:
        """Let texts to a number go in a session from now on. Nothing when they do already."""
        self._choose(number, "start_chat", "end_chat")

    def end_chat(self, number: str) -> None:
        """End the session with a number; texts go as standalone messages. Nothing when there is no chat."""
        self._choose(number, "end_chat", "start_chat")

    def ask_before_accepting(self, what: OfferKind, ask: bool) -> None:
        """Let the app ask its user before it accepts, or accept by itself.

        Raises NotOnBench where neither the app nor this handset has such a switch.
        """
        switch = self.app.asking.get(what)
        if switch is None or not self._ok(["getprop", switch.property], record=False).stdout.strip():
            raise NotOnBench(f"handset {self.serial}: no switch for what {self.app.app} accepts ({what})")
        self._ok(["setprop", switch.property, switch.asks if ask else switch.accepts])

    def change_setting(self, setting: ClientSetting, value: str) -> str:
        """Provision the RCS client otherwise; returns what it was.

        Raises NotOnBench where neither the app nor this handset has such a setting.
        """
        name = self.app.settings.get(setting)
        before = self._ok(["getprop", name], record=False).stdout.strip() if name else ""
        if name is None or not before:
            raise NotOnBench(f"handset {self.serial}: {setting} of {self.app.app} cannot be set here")
        self._ok(["setprop", name, value])
        return before

    def accept(self, timeout: float, file: str | None = None) -> None:
        """Accept the invitation of the open conversation, or the file of this name."""
        self._answer("accept", timeout, file)

    def decline(self, timeout: float, file: str | None = None) -> None:
        """Decline it."""
        self._answer("decline", timeout, file)

    def _choose(self, number: str, wanted: str, other: str) -> None:
        """The entry of the conversation's menu; where its opposite hangs there, it is so already."""
        either = [*self.elements(wanted), *self.elements(other)]
        self.conversation(number)
        until = time.monotonic() + self.ui_deadline
        menu = self._seek("menu", until)
        item = self._press(
            menu, "menu", lambda dump: dump.find(either), f"a menu with {wanted.replace('_', ' ')}", until
        )
        closed = "the conversation after its menu"

        def no_menu(dump: Dump) -> UiNode | None:
            return None if dump.find(either) else dump.find(self.app.elements.compose_box)

        if is_one_of(item, self.elements(wanted)):
            self._press(item, wanted, no_menu, closed, until)
        else:
            self._wait_screen(no_menu, closed, until, before="input keyevent KEYCODE_BACK; ")

    def _answer(self, act: str, timeout: float, file: str | None) -> None:
        """Touch the button and wait until it is gone."""
        self.elements(act)
        until, pause = time.monotonic() + timeout, pauses()
        while (button := self._button(self.dump(until=until + 1.0), act, file)) is None:
            if time.monotonic() >= until:
                what = f"an offer of {file}" if file else "an invitation"
                raise NotSeen(f"handset {self.serial}: {what} to {act} not on screen in {timeout:g} s")
            time.sleep(next(pause))
        self._press(
            button,
            act,
            lambda dump: None if self._button(dump, act, file) else dump.nodes[0],
            f"the {act} button to go",
            time.monotonic() + self.ui_deadline,
        )

    def _button(self, dump: Dump, act: str, file: str | None) -> UiNode | None:
        """The button after the line it belongs to: the invitation, or the name of the file."""
        elements = self.app.elements
        names, invitations = dump.find_all(elements.attachment_name), dump.find_all(elements.invitation)
        wanted = invitations if file is None else [node for node in names if node.text == as_dumped(file)]
        pairs = belonging(dump, names + invitations, dump.find_all(self.elements(act)))
        return next((button for owner, button in pairs if owner in wanted), None)
