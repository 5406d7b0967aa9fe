"""Conversations of the messaging app on an Android handset: opened, read, written to."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from typing import Any

from devices.android_screen import AndroidScreen, pauses, typing_line
from devices.apps.dump import (
    Dump,
    UiNode,
    as_dumped,
    belonging,
    is_hint,
    read_conversation,
    status_of,
)
from devices.handset import Screen, ScreenMessage, TextStatus
from harness.errors import HandsetError, NotSeen
from harness.evidence.timeline import Layer

_LIGHT = "input keyevent KEYCODE_WAKEUP; wm dismiss-keyguard; "
_ERASED_AT_ONCE = 40


class ConversationUi(AndroidScreen):
    """Texts with one number, and whatever else the conversation on screen shows."""

    # Writing

    def send_text(self, number: str, text: str) -> None:
        """Write a text to a number in the messaging app and press send.

        Returns when the compose box is empty again. Raises HandsetError when the app does not take it.
        """
        until = time.monotonic() + self.ui_deadline
        self._start_conversation(number, text)
        self._send_when_taken(text, until)

    def type_draft(self, number: str, text: str) -> None:
        """Type into the compose box, key by key as `input text` does, and do not send it."""
        self.type_here(self.conversation(number).draft, text)

    def type_here(self, before: str, text: str) -> None:
        """The same in the conversation on screen, whose compose box holds `before`."""
        line = typing_line(text)
        until = time.monotonic() + self.ui_deadline
        box = self._seek("compose_box", until)
        wanted = _folded(before + text)

        def typed(dump: Dump) -> UiNode | None:
            found = dump.find(self.app.elements.compose_box)
            return found if found is not None and _folded(found.text) == wanted else None

        self.tap(box)
        self._wait_screen(typed, f"the compose box with {wanted[:60]!r}", until, before=f"{line}; ")
        self._timeline.event(Layer.ADB, "type", serial=self.serial, conversation=self._open, text=text)

    def erase_draft(self, number: str) -> None:
        """Take everything out of the compose box again, key by key."""
        until = time.monotonic() + self.ui_deadline
        left = len(self.conversation(number).draft)
        box = self._seek("compose_box", until)
        self.tap(box)
        self._ok("input keyevent KEYCODE_MOVE_END")
        while left > 0:
            keys = " ".join(["KEYCODE_DEL"] * min(left, _ERASED_AT_ONCE))
            self._ok(f"input keyevent {keys}", record=False)
            left -= _ERASED_AT_ONCE
        self._wait_screen(self._compose_empty, "an empty compose box after the delete key", until)

    def send_draft(self) -> None:
        """Press send in the conversation that is open, and wait for an empty compose box."""
        until = time.monotonic() + self.ui_deadline
        self._send(self._seek("send_button", until), until)

    def send_again(self, what: str) -> None:
        """Touch "Not sent" under a text, or under a file by its name, of the open conversation.

        Of several that were not sent the latest counts. Raises HandsetError when there is none.
        """
        until, wanted = time.monotonic() + self.ui_deadline, _folded(as_dumped(what))

        def failed(dump: Dump) -> UiNode | None:
            elements = self.app.elements
            owners = dump.find_all(elements.message_text) + dump.find_all(elements.attachment_name)
            lines = belonging(dump, owners, dump.find_all(elements.message_status))
            unsent = [
                line
                for owner, line in lines
                if _folded(owner.text) == wanted and status_of(line.text, self.app) is TextStatus.NOT_SENT
            ]
            return unsent[-1] if unsent else None

        line = self._wait_screen(failed, f"{what[:60]!r} that was not sent", until)
        self._press(line, "message_status", lambda dump: dump.nodes[0], "a screen", until)

    def _send_when_taken(self, text: str, until: float) -> None:
        wanted = _folded(as_dumped(text))

        def ready(dump: Dump) -> UiNode | None:
            box = dump.find(self.app.elements.compose_box)
            taken = box is not None and _folded(box.text) == wanted
            return dump.find(self.app.elements.send_button) if taken else None

        expected = f"the compose box with {text[:60]!r} and a send button"
        self._send(self._wait_screen(ready, expected, until), until)

    def _send(self, button: UiNode, until: float) -> None:
        self._press(button, "send_button", self._compose_empty, "an empty compose box after send", until)

    # Opening and reading

    def open_conversation(self, number: str) -> None:
        """Bring the conversation with a number on screen. Raises HandsetError."""
        until = time.monotonic() + self.ui_deadline
        self._start_conversation(number, None)
        box = self.app.elements.compose_box
        self._wait_screen(lambda dump: dump.find(box), f"the conversation with {number}", until)
        self._timeline.event(Layer.ADB, "open", serial=self.serial, conversation=number)

    def conversation(self, number: str | None = None) -> Screen:
        """Read the conversation on screen and put it on the timeline.

        With a number, that one is opened if need be.
        """
        return self._seen(self._dump_of(number, None))

    def _dump_of(self, number: str | None, until: float | None) -> Dump:
        if number is not None and number != self._open:
            self.open_conversation(number)
        dump = self.dump(until=until)
        if number is not None and not self._in_conversation(dump):
            self.open_conversation(number)
            dump = self.dump(until=until)
        return dump

    def wait_for_text(
        self,
        text: str,
        timeout: float,
        *,
        outgoing: bool | None = None,
        status: TextStatus | None = None,
        sender: str | None = None,
        number: str | None = None,
    ) -> ScreenMessage:
        """Wait until the conversation on screen shows a text. The latest bubble with it counts: what stands
        under an older one of the same text says nothing.

        With a number, that conversation is opened first if need be. Raises NotSeen with what was on screen
        instead after `timeout` seconds.
        """
        wanted = _folded(as_dumped(text))

        def matching(screen: Screen) -> list[ScreenMessage]:
            bubbles = [
                message
                for message in screen.messages
                if outgoing in (None, message.outgoing)
                and _folded(message.text) == wanted
                and sender in (None, message.sender)
            ]
            return [message for message in bubbles[-1:] if status in (None, message.status)]

        expected = f"{text[:60]!r}" + (f" of {sender}" if sender else "")
        expected += f" with status {status.value}" if status else ""
        screen = self.wait_for_screen(lambda screen: bool(matching(screen)), expected, timeout, number)
        return matching(screen)[0]

    def wait_for_screen(
        self, holds: Callable[[Screen], bool], expected: str, timeout: float, number: str | None = None
    ) -> Screen:
        """Wait until the conversation on screen is as `holds` wants it.

        With a number, that one is opened first if need be. Raises NotSeen with what was on screen instead
        after `timeout` seconds.
        """
        until, seen = time.monotonic() + timeout, None
        for pause in pauses():
            dump = self._dump_of(number, max(until, time.monotonic() + 1.0))
            number, seen = None, self._seen(dump, unlike=seen)
            if holds(seen):
                return seen
            if time.monotonic() >= until:
                raise NotSeen(
                    f"handset {self.serial}: {expected} not on screen in {timeout:g} s; {_summary(seen)}"
                )
            time.sleep(min(pause, max(0.0, until - time.monotonic())))
        raise AssertionError("pauses do not end")

    # How it is done

    def _start_conversation(self, number: str, body: str | None) -> None:
        intent = self.app.intents.compose
        words = ["-a", intent.action, "-d", intent.data.format(number=number)]
        if body is not None:
            words += ["--es", intent.body_extra, body]
        self._start(words, number)
        self._open = number

    def _start(self, words: list[str], what: str) -> None:
        """Light the screen and send the app an intent. Raises HandsetError when it does not come up."""
        line = shlex.join(["am", "start", "-W", *words, self.app.package])
        self._open = ""
        result = self.link.run(_LIGHT + line)
        said = result.stdout + result.stderr
        if result.exit != 0 or re.search(r"^Error:", said, re.MULTILINE):
            raise HandsetError(
                f"handset {self.serial}: {self.app.app} did not open for {what}: {said.strip()[-300:]}"
            )

    def _compose_empty(self, dump: Dump) -> UiNode | None:
        box = dump.find(self.app.elements.compose_box)
        empty = box is not None and is_hint(box, self.app)
        return box if empty and dump.find(self.app.elements.draft_attachment) is None else None

    def _in_conversation(self, dump: Dump) -> bool:
        return dump.find(self.app.elements.compose_box) is not None

    def _seen(self, dump: Dump, unlike: Screen | None = None) -> Screen:
        """The conversation in a dump, on the timeline unless it is as it was."""
        name = self._open if self._in_conversation(dump) else ""
        screen = read_conversation(dump, self.app, name)
        if screen != unlike:
            fields = {"serial": self.serial, "conversation": screen.conversation} | _fields(screen)
            self._timeline.event(Layer.ADB, "screen", **fields)
        return screen


def _fields(screen: Screen) -> dict[str, Any]:
    """A screen as the timeline holds it; what is not there takes no room."""
    messages = [
        {"text": message.text, "outgoing": message.outgoing, "status": message.status.value}
        | ({"sender": message.sender} if message.sender else {})
        for message in screen.messages
    ]
    files = [
        {"name": file.name, "outgoing": file.outgoing, "state": file.state.value, "line": file.line}
        for file in screen.files
    ]
    beside = {
        "files": files,
        "offers": list(screen.offers),
        "composing": screen.composing,
        "notes": list(screen.notes),
        "said": screen.said,
    }
    return {"messages": messages, **{name: value for name, value in beside.items() if value}}


def _folded(text: str) -> str:
    """Blanks and line feeds alike: older dumps write line feeds of an attribute as blanks."""
    return " ".join(text.split())


def _shown(message: ScreenMessage) -> str:
    side = "out" if message.outgoing else "in"
    return f"{side} {message.text[:40]!r}" + (f" [{message.status.value}]" if message.status else "")


def _summary(screen: Screen) -> str:
    """The last things on screen, for an error message."""
    parts = [
        "last bubbles: " + ("; ".join(_shown(message) for message in screen.messages[-4:]) or "no bubble")
    ]
    if screen.files:
        parts.append("files: " + "; ".join(f"{file.name!r} [{file.line}]" for file in screen.files[-3:]))
    if screen.offers:
        parts.append("offers: " + "; ".join(screen.offers))
    if screen.notes:
        parts.append("notes: " + "; ".join(screen.notes[-3:]))
    parts += [screen.composing] if screen.composing else []
    parts += [f"the app says {screen.said!r}"] if screen.said else []
    return "; ".join(parts)
