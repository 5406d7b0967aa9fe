"""An Android handset over ADB: its switches, its screen and its messaging app, driven as a user would.

The app is data (devices/apps). Looking and touching is in android_screen.py, the messaging app by topic in
android_conversations.py, android_chats.py, android_groups.py and android_files.py; what its owner has to have
arranged before a test is in android_upkeep.py.
"""

from __future__ import annotations

import re
import shlex
import struct
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from devices.android_chats import ChatUi
from devices.android_files import FileUi
from devices.android_screen import POLL
from devices.android_upkeep import HandsetUpkeep
from devices.apps.definition import MessagingAppDefinition
from devices.handset import HandsetIdentity, HandsetNotification, ShellResult
from devices.logcat import LogcatStream
from harness.errors import HandsetError, HandsetLost
from harness.evidence.timeline import Layer, Timeline

if TYPE_CHECKING:
    from adbutils import AdbClient

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


class AndroidHandset(ChatUi, FileUi, HandsetUpkeep):
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
        super().__init__(serial, client, app, timeline, deadline=deadline, ui_deadline=ui_deadline)
        self._log = LogcatStream(self.link, timeline)

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
            self._open = ""
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
            time.sleep(POLL)

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
            time.sleep(POLL)
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

    def reboot(self, timeout: float) -> None:
        """Restart and wait until the boot is finished. Raises HandsetLost."""
        until = time.monotonic() + timeout
        self.link.request_reboot()
        self._open = ""
        self.link.wait_state(lambda state: state != "device", "the handset to go down", min(timeout, 15.0))
        self.link.reconnect(max(0.1, until - time.monotonic()))
        self.wait_ready(max(0.1, until - time.monotonic()))

    # The screen

    def home(self) -> None:
        """Go to the home screen."""
        self._open = ""
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

    def notifications(self) -> tuple[HandsetNotification, ...]:
        """What the notification shade holds."""
        return read_notifications(self._ok("dumpsys notification --noredact", record=False).stdout)


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
