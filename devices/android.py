"""An Android handset over ADB: its switches, its screen and its messaging app, driven as a user would.

The app is data (devices/apps). The screen is read with `uiautomator dump`, which is slow and at times
refuses: several tries, then the compressed form, then its helper is killed. ADB has no events, so waits look
at the state again and again, each wait with its own end.
"""

from __future__ import annotations

import re
import shlex
import struct
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from devices.adb_transport import AdbTransportLink
from devices.apps.definition import MessagingAppDefinition
from devices.apps.dump import Dump, DumpError, UiNode, as_dumped, is_hint, parse_dump, read_conversation
from devices.handset import (
    HandsetIdentity,
    HandsetNotification,
    Screen,
    ScreenMessage,
    ShellResult,
    TextStatus,
)
from devices.logcat import LogcatStream
from harness.errors import HandsetError, HandsetLost, NotSeen
from harness.evidence.timeline import Layer, Timeline

if TYPE_CHECKING:
    from adbutils import AdbClient

DUMP_FILE = "/sdcard/window_dump.xml"
DUMP_TIMEOUT = 8.0
_POLL = 0.1
_DUMP = f"rm -f {DUMP_FILE}; uiautomator dump {{options}}{DUMP_FILE} 2>&1; cat {DUMP_FILE} 2>/dev/null"
_TRIES = ("", "", "", "--compressed ", "--compressed ")
_IDENTITY = (
    "ro.serialno",
    "ro.product.manufacturer",
    "ro.product.model",
    "ro.build.version.release",
    "ro.build.version.sdk",
    "ro.build.fingerprint",
    "gsm.version.baseband",
)
_IMEI = re.compile(r"\b\d{14,16}\b")
_MOVES = re.compile(r"\b(am|input|monkey|reboot)\b")
_PARCEL_ROW = re.compile(r"0x[0-9a-f]{8}: ((?:[0-9a-f]{8} ?)+)")
_NOTIFICATION = re.compile(r"NotificationRecord\(")
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


class AndroidHandset:
    """A handset under test behind an adb server.

    client is an adbutils client or the port of an adb server on this host. deadline holds for each single
    call, ui_deadline for a whole act on the screen (seconds).
    """

    def __init__(
        self,
        serial: str,
        client: AdbClient | int,
        app: MessagingAppDefinition,
        timeline: Timeline,
        *,
        deadline: float = 10.0,
        ui_deadline: float = 30.0,
    ) -> None:
        self.app = app
        self.link = AdbTransportLink(serial, client, timeline, deadline=deadline)
        self.ui_deadline = ui_deadline
        self._timeline = timeline
        self._log = LogcatStream(self.link, timeline)
        self._open_number = ""

    @property
    def serial(self) -> str:
        """The adb serial."""
        return self.link.serial

    @property
    def log(self) -> LogcatStream:
        """The handset's logcat; lines go on the timeline while it runs."""
        return self._log

    # The handset

    def shell(self, command: str | Sequence[str], *, timeout: float | None = None) -> ShellResult:
        """Run a shell line. A sequence is quoted for the device's shell. Raises HandsetLost.

        A line that touches the screen may lead anywhere: the next conversation is opened anew.
        """
        if _MOVES.search(command if isinstance(command, str) else " ".join(command)):
            self._open_number = ""
        return self.link.run(command, timeout)

    def state(self) -> str:
        """The adb state: device, offline, unauthorized, absent..."""
        return self.link.state()

    def check(self) -> None:
        """Raises HandsetLost unless the handset is connected now."""
        self.link.wait_state(lambda state: state == "device", "state device", 0)

    def wait_ready(self, timeout: float) -> None:
        """Wait for the handset to be connected and booted. Raises HandsetLost."""
        until = time.monotonic() + timeout
        if self.link.state() != "device":
            self.link.reconnect(timeout)
        while self.property("sys.boot_completed") != "1":
            if time.monotonic() >= until:
                what = f"still booting after {timeout:g} s"
                raise HandsetLost(
                    "handset", self.link.where, "sys.boot_completed 1", what, "look at its screen"
                )
            time.sleep(_POLL)

    def prepare(self) -> None:
        """Lit, unlocked, no animations: what uiautomator needs to see a quiet screen."""
        scales = ("window_animation_scale", "transition_animation_scale", "animator_duration_scale")
        settings = "; ".join(f"settings put global {name} 0" for name in scales)
        self.link.run(
            f"input keyevent KEYCODE_WAKEUP; wm dismiss-keyguard; svc power stayon true; {settings}"
        )

    def identify(self) -> HandsetIdentity:
        """Who the handset is. The IMEI is None where a user build hides it from the shell."""
        line = "; ".join(f"getprop {name}" for name in _IDENTITY)
        values = [value.strip() for value in self._ok(line, record=False).stdout.split("\n")]
        serial, manufacturer, model, release, sdk, fingerprint, baseband, *_ = values + [""] * len(_IDENTITY)
        return HandsetIdentity(
            serial=serial or self.serial,
            manufacturer=manufacturer,
            model=model,
            release=release,
            sdk=int(sdk) if sdk.isdigit() else 0,
            fingerprint=fingerprint,
            baseband=baseband,
            imei=self._imei(),
        )

    def _imei(self) -> str | None:
        newer = self.link.run("cmd phone get-imei")
        if newer.exit == 0 and (match := _IMEI.search(newer.stdout)):
            return match.group()
        older = self.link.run("service call iphonesubinfo 1 s16 com.android.shell")
        match = _IMEI.search(parcel_text(older.stdout))
        return match.group() if match else None

    def airplane(self, on: bool) -> None:
        """Switch airplane mode (Android 11 and later) and wait until it is so. Raises HandsetError."""
        wanted = "enabled" if on else "disabled"
        switch = f"cmd connectivity airplane-mode {'enable' if on else 'disable'}"
        said = self.link.run(f"{switch} && cmd connectivity airplane-mode")
        until = time.monotonic() + self.link.deadline
        while said.exit == 0 and said.stdout.strip() != wanted and time.monotonic() < until:
            time.sleep(_POLL)
            said = self.link.run("cmd connectivity airplane-mode", record=False)
        if said.exit != 0 or said.stdout.strip() != wanted:
            text = (said.stdout + said.stderr).strip()
            raise HandsetError(
                f"handset {self.serial}: `{switch}`: expected airplane mode {wanted}, got {text!r}"
            )

    def airplane_mode(self) -> bool:
        """Is airplane mode on?"""
        return self._ok("cmd connectivity airplane-mode").stdout.strip() == "enabled"

    def property(self, name: str) -> str:
        """A system property, empty when unset."""
        return self._ok(["getprop", name], record=False).stdout.rstrip("\n")

    def set_property(self, name: str, value: str) -> None:
        """Write a system property and read it back. Raises HandsetError when the handset refuses."""
        name_, value_ = shlex.quote(name), shlex.quote(value)
        result = self.link.run(f"setprop {name_} {value_}; getprop {name_}")
        if result.stdout.rstrip("\n") != value:
            said = (result.stderr or result.stdout).strip()
            raise HandsetError(f"handset {self.serial}: setprop {name}: expected {value!r}, got {said!r}")

    def clock(self) -> datetime:
        """The handset's own time, UTC."""
        return datetime.fromtimestamp(int(self._ok("date +%s", record=False).stdout), UTC)

    def reboot(self, timeout: float) -> None:
        """Restart and wait until the boot is finished. Raises HandsetLost."""
        until = time.monotonic() + timeout
        self.link.request_reboot()
        self._open_number = ""
        self.link.wait_state(lambda state: state != "device", "the handset to go down", min(timeout, 15.0))
        self.link.reconnect(max(0.1, until - time.monotonic()))
        self.wait_ready(max(0.1, until - time.monotonic()))

    # The screen

    def home(self) -> None:
        """Go to the home screen."""
        self._open_number = ""
        self._ok("input keyevent KEYCODE_HOME")

    def sleep(self) -> None:
        """Switch the screen off."""
        self._ok("input keyevent KEYCODE_SLEEP")

    def wake(self) -> None:
        """Switch the screen on and dismiss the keyguard."""
        self._ok("input keyevent KEYCODE_WAKEUP; wm dismiss-keyguard")

    def screenshot(self) -> bytes:
        """The screen as PNG. Raises HandsetLost when the picture does not come whole."""
        data = self.link.raw("screencap -p")
        if data.startswith(_PNG_START) and data.endswith(_PNG_END):
            self._timeline.event(Layer.ADB, "screenshot", serial=self.serial, octets=len(data))
            return data
        got = f"{len(data)} octets starting {data[:8]!r}"
        raise HandsetLost(
            "handset", self.link.where, "a whole PNG of screencap", got, "is its screen protected?"
        )

    def tap(self, node: UiNode) -> None:
        """Touch the middle of a view."""
        self._ok(self._tap_line(node), record=False)

    def dump(self, *, before: str = "", until: float | None = None) -> Dump:
        """The views on screen; `before` is a shell line to run in the same call. Raises HandsetLost.

        uiautomator refuses while something moves, while another UI automation is connected, and sometimes
        hangs.
        """
        until = time.monotonic() + self.ui_deadline if until is None else until
        failure = ""
        for attempt, options in enumerate(_TRIES):
            left = until - time.monotonic()
            if left <= 0:
                break
            line = before + _DUMP.format(options=options)
            try:
                result = self.link.run(line, min(DUMP_TIMEOUT, left), record=False)
                return parse_dump(result.stdout)
            except DumpError as error:
                failure = str(error)
            except HandsetLost as error:
                if error.actual != "silence":
                    raise
                failure = f"no end within {min(DUMP_TIMEOUT, left):.1f} s"
            before = ""
            if attempt >= 1 or failure.startswith("no end"):
                self.link.run("pkill uiautomator", record=False)
            time.sleep(min(_POLL * (attempt + 1), max(0.0, until - time.monotonic())))
        remedy = "end other UI automation (Appium, uiautomator2), switch animations off, look at a screenshot"
        raise HandsetLost(
            "uiautomator", self.link.where, "a view hierarchy", failure or "no time left", remedy
        )

    def notifications(self) -> tuple[HandsetNotification, ...]:
        """What the notification shade holds."""
        return read_notifications(self._ok("dumpsys notification --noredact", record=False).stdout)

    # The messaging app

    def send_text(self, number: str, text: str) -> None:
        """Write a text to a number in the messaging app and press send.

        Returns when the compose box is empty again. Raises HandsetError when the app does not take it.
        """
        until = time.monotonic() + self.ui_deadline
        self._start_conversation(number, text)
        wanted = _folded(as_dumped(text))

        def ready(dump: Dump) -> UiNode | None:
            box = dump.find(self.app.elements.compose_box)
            taken = box is not None and _folded(box.text) == wanted
            return dump.find(self.app.elements.send_button) if taken else None

        button = self._wait_screen(ready, f"the compose box with {text[:60]!r} and a send button", until)
        self._timeline.event(
            Layer.ADB, "tap", serial=self.serial, element="send_button", place=list(button.centre)
        )
        self._wait_screen(
            self._compose_empty,
            "an empty compose box after send",
            until,
            before=f"{self._tap_line(button)}; ",
        )

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
        if number is not None and number != self._open_number:
            self.open_conversation(number)
        dump = self.dump()
        if number is not None and not self._in_conversation(dump):
            self.open_conversation(number)
            dump = self.dump()
        return self._seen(dump)

    def wait_for_text(
        self, text: str, timeout: float, *, outgoing: bool | None = None, status: TextStatus | None = None
    ) -> ScreenMessage:
        """Wait until the conversation on screen shows a text. The latest such bubble counts.

        Raises NotSeen with what was on screen instead after `timeout` seconds.
        """
        until = time.monotonic() + timeout
        wanted, seen = _folded(as_dumped(text)), None
        while True:
            screen = self._seen(self.dump(until=max(until, time.monotonic() + 1.0)), unlike=seen)
            seen = screen
            for message in reversed(screen.messages):
                same_side = outgoing is None or message.outgoing is outgoing
                if same_side and _folded(message.text) == wanted and status in (None, message.status):
                    return message
            if time.monotonic() >= until:
                expected = f"{text[:60]!r}" + (f" with status {status.value}" if status else "")
                shown = "; ".join(_shown(message) for message in screen.messages[-4:]) or "no bubble"
                raise NotSeen(
                    f"handset {self.serial}: {expected} not on screen in {timeout:g} s; last bubbles: {shown}"
                )
            time.sleep(min(_POLL, max(0.0, until - time.monotonic())))

    def _start_conversation(self, number: str, body: str | None) -> None:
        intent = self.app.intents.compose
        words = ["am", "start", "-W", "-a", intent.action, "-d", intent.data.format(number=number)]
        if body is not None:
            words += ["--es", intent.body_extra, body]
        words.append(self.app.package)
        self._open_number = ""
        result = self.link.run(f"input keyevent KEYCODE_WAKEUP; wm dismiss-keyguard; {shlex.join(words)}")
        said = result.stdout + result.stderr
        if result.exit != 0 or re.search(r"^Error:", said, re.MULTILINE):
            raise HandsetError(
                f"handset {self.serial}: {self.app.app} did not open for {number}: {said.strip()[-300:]}"
            )
        self._open_number = number

    def _wait_screen(
        self, look: Callable[[Dump], UiNode | None], expected: str, until: float, *, before: str = ""
    ) -> UiNode:
        while True:
            dump = self.dump(before=before, until=until)
            before = ""
            if (found := look(dump)) is not None:
                return found
            if time.monotonic() >= until:
                box = dump.find(self.app.elements.compose_box)
                got = f"window of {dump.package}" + (
                    f", compose box {box.text[:60]!r}" if box else ", no compose box"
                )
                raise HandsetError(f"handset {self.serial}: {self.app.app}: expected {expected}, got {got}")
            time.sleep(_POLL)

    def _compose_empty(self, dump: Dump) -> UiNode | None:
        box = dump.find(self.app.elements.compose_box)
        return box if box is not None and is_hint(box, self.app) else None

    def _in_conversation(self, dump: Dump) -> bool:
        return dump.find(self.app.elements.compose_box) is not None

    def _seen(self, dump: Dump, unlike: Screen | None = None) -> Screen:
        """The conversation in a dump, on the timeline unless it is as it was."""
        number = self._open_number if self._in_conversation(dump) else ""
        screen = read_conversation(dump, self.app, number)
        if screen != unlike:
            messages = [
                {"text": m.text, "outgoing": m.outgoing, "status": m.status.value} for m in screen.messages
            ]
            self._timeline.event(
                Layer.ADB, "screen", serial=self.serial, conversation=screen.conversation, messages=messages
            )
        return screen

    def _tap_line(self, node: UiNode) -> str:
        x, y = node.centre
        return f"input tap {x} {y}"

    def _ok(self, command: str | Sequence[str], *, record: bool = True) -> ShellResult:
        result = self.link.run(command, record=record)
        if result.exit != 0:
            said = (result.stderr or result.stdout).strip()[-300:]
            raise HandsetError(f"handset {self.serial}: `{command}` ended with {result.exit}: {said}")
        return result


def _folded(text: str) -> str:
    """Blanks and line feeds alike: older dumps write line feeds of an attribute as blanks."""
    return " ".join(text.split())


def _shown(message: ScreenMessage) -> str:
    side = "out" if message.outgoing else "in"
    return f"{side} {message.text[:40]!r}" + (f" [{message.status.value}]" if message.status else "")


def parcel_text(output: str) -> str:
    """The UTF-16 string in what `service call` prints; empty when there is none."""
    words = [int(word, 16) for row in _PARCEL_ROW.findall(output) for word in row.split()]
    if len(words) < 3 or words[0] != 0:
        return ""
    raw = struct.pack(f"<{len(words) - 2}I", *words[2:])
    return raw[: words[1] * 2].decode("utf-16-le", "replace")


def read_notifications(output: str) -> tuple[HandsetNotification, ...]:
    """The records of `dumpsys notification --noredact` that have a title."""
    found: list[HandsetNotification] = []
    for record in _NOTIFICATION.split(output)[1:]:
        package = re.search(r"\bpkg=(\S+)", record)
        title, text = (_extra(record, name) for name in ("title", "text"))
        if package and title is not None:
            found.append(HandsetNotification(package.group(1), title, text or ""))
    return tuple(found)


def _extra(record: str, name: str) -> str | None:
    """A text extra: `android.text=String (...)`, over several lines when the text has several."""
    match = re.search(rf"android\.{name}=\w+ \((.*?)\)\n\s*(?:android\.|\w+=|\}})", record, re.DOTALL)
    return match.group(1) if match else None
