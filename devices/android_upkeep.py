"""What the owner of an Android handset has to have arranged: app, default app, screen lock, clock, storage.

Nothing here changes anything on the handset. Each call has the driver's deadline; an answer that a lost
transport cut is HandsetLost, one that says something else than it should is HandsetError.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from devices.android_screen import AndroidScreen
from devices.handset import ClockOffset, ScreenLock
from harness.errors import HandsetError

SMS_ROLE = "android.app.role.SMS"
_NO_SERVICE = "Can't find service: role"
_PACKAGE = re.compile(r"[A-Za-z]\w*(\.\w+)+")
_KEYGUARD = re.compile(r"KeyguardServiceDelegate\n(?P<lines>(?:[ \t]+\S.*\n?)+)")
_LOOKS_AT_CLOCK = 3


class HandsetUpkeep(AndroidScreen):
    """The state of a handset that a run relies on."""

    def app_version(self) -> str | None:
        """versionName of the messaging app; None where it is not installed."""
        package = self.app.package
        found = self.link.run(["pm", "path", package])
        if not found.stdout.startswith("package:"):
            if not (found.stdout + found.stderr).strip():  # old builds end with 0 all the same
                return None
            raise self._unreadable(f"pm path {package}", "package:PATH", found.stdout + found.stderr)
        line = f"dumpsys package {package}"
        # Of an app that was updated the release it came with stands further down.
        said = self._ok(line, record=False).stdout
        version = re.search(r"^\s*versionName=(\S+)", said, re.MULTILINE)
        if version is None:
            raise self._unreadable(line, "versionName=", said)
        return version[1]

    def sms_app(self) -> str:
        """The package that holds the role for SMS, empty when none does. Before Android 10: its setting."""
        line = f"cmd role get-role-holders {SMS_ROLE}"
        found = self.link.run(line)
        if _NO_SERVICE in found.stdout + found.stderr:
            line = "settings get secure sms_default_application"
            found = self._ok(line)
        said = (found.stdout + found.stderr).strip()
        if said in ("", "null") and found.exit == 0:
            return ""
        if found.exit != 0 or not _PACKAGE.fullmatch(said):
            raise self._unreadable(line, "a package", said)
        return said

    def screen_lock(self) -> ScreenLock:
        """The keyguard, as the window policy sees it."""
        line = "dumpsys window policy"
        said = self._ok(line, record=False).stdout
        keyguard = _KEYGUARD.search(said)
        told = dict(re.findall(r"\b(showing|secure)=(true|false)\b", keyguard["lines"])) if keyguard else {}
        if told.keys() != {"showing", "secure"}:
            raise self._unreadable(line, "showing= and secure= of KeyguardServiceDelegate", said)
        return ScreenLock(told["showing"] == "true", told["secure"] == "true")

    def clock(self) -> datetime:
        """The handset's own time, UTC."""
        return datetime.fromtimestamp(self._time()[0], UTC)

    def clock_offset(self) -> ClockOffset:
        """How far its clock is from ours: of a few looks the one that took least."""
        looks = []
        for _ in range(_LOOKS_AT_CLOCK):
            began, asked = time.time(), time.monotonic()
            told, half_step = self._time()
            took = time.monotonic() - asked
            looks.append(ClockOffset(told + half_step - (began + took / 2), took / 2 + half_step))
        return min(looks, key=lambda look: look.uncertainty)

    def _time(self) -> tuple[float, float]:
        """Unix time, and half of the step it is told in: old builds know no %N and tell whole seconds."""
        line = "date +%s.%N"
        said = self._ok(line, record=False).stdout.strip()
        told = re.fullmatch(r"(\d{9,11})\.(\d{9}|N|%N)", said)
        if told is None:
            raise self._unreadable(line, "SECONDS.NANOSECONDS", said)
        return (float(said), 0.0) if told[2].isdigit() else (float(told[1]), 0.5)

    def free_storage(self) -> int:
        """Octets free where files of the user go."""
        line = "df -k /sdcard"
        said = self._ok(line, record=False).stdout
        head, _, rows = said.partition("\n")
        columns, row = head.split(), rows.split()
        at = columns.index("Available") if "Available" in columns else len(row)
        if at >= len(row) or not row[at].isdigit():
            raise self._unreadable(line, "a column Available", said)
        return int(row[at]) * 1024

    def _unreadable(self, line: str, expected: str, said: str) -> HandsetError:
        got = said.strip()[-300:]
        return HandsetError(f"handset {self.serial}: `{line}`: expected {expected}, got {got!r}")
