"""What the doctor looks at of one handset: its transport, then what a run relies on. Nothing is changed."""

from __future__ import annotations

import getpass
import grp
import os
import shlex
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from devices.android import AndroidHandset
from devices.modem import Modem
from harness.errors import HandsetLost, LabError, RcsLabError, SerialPortLost
from harness.evidence.timeline import Timeline
from harness.lab.check import Check

FREE_STORAGE = 512 * 1024 * 1024  # octets: recordings, logs and received files of a day
ANDROID_10 = 29  # the SDK that brought roles
_NETWORK = "network"
_UDEV = "sudo apt-get install android-sdk-platform-tools-common && sudo udevadm trigger"
_ASK_ANEW = "{adb} reconnect offline"
_CONNECT_ANEW = "{adb} disconnect {serial}; {adb} connect {serial}"
# The adb state, and the command that mends it: by USB, by network.
_STATES: Mapping[str, tuple[str, str]] = {
    "unauthorized": (_ASK_ANEW, _CONNECT_ANEW),
    "authorizing": (_ASK_ANEW, _CONNECT_ANEW),
    "offline": (_ASK_ANEW, _CONNECT_ANEW),
    "absent": ("adb kill-server", "{adb} connect {serial}"),
    "no permissions": (_UDEV, _UDEV),
}
_OTHER_STATE = ("{handset} reconnect", _CONNECT_ANEW)


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands a person types about one handset. adb: the program, with the server when it is not its
    default.
    """

    serial: str
    adb: str = "adb"

    @property
    def handset(self) -> str:
        """adb for this handset only."""
        return f"{self.adb} -s {shlex.quote(self.serial)}"

    def shell(self, line: str) -> str:
        """A line for the handset's shell."""
        return f"{self.handset} shell {line}"

    def for_state(self, state: str) -> str:
        """What brings a handset in this adb state back."""
        by_usb, by_network = _STATES.get(state, _OTHER_STATE)
        line = by_network if ":" in self.serial else by_usb
        return line.format(adb=self.adb, serial=shlex.quote(self.serial), handset=self.handset)


Look = Callable[[], Check]


def look_at(name: str, android: AndroidHandset, clock: float, commands: Commands) -> Iterator[Check]:
    """The checks of a handset behind a running adb server. clock: seconds its clock may be off.

    A handset that is lost half-way ends them: what else it has cannot be known.
    """
    checks = _Handset(name, android, clock, commands)
    for part, look, asked in checks.all():
        try:
            yield look()
        except HandsetLost as lost:
            state = _state(android)
            yield Check(f"{name} {part}", False, str(lost), commands.for_state(state))
            return
        except RcsLabError as error:
            yield Check(f"{name} {part}", False, str(error), commands.shell(asked))


def _state(android: AndroidHandset) -> str:
    try:
        return android.state()
    except HandsetLost:
        return ""


@dataclass(frozen=True, slots=True)
class _Handset:
    name: str
    android: AndroidHandset
    clock: float
    commands: Commands

    def all(self) -> Iterator[tuple[str, Look, str]]:
        """Part, look, and the shell line whose answer shows what is wrong when we cannot read it."""
        yield "adb", self._transport, "getprop sys.boot_completed"
        yield "build", self._build, "getprop"
        yield "app", self._app, f"dumpsys package {self.android.app.package}"
        yield "SMS role", self._sms_role, "cmd role get-role-holders android.app.role.SMS"
        yield "screen lock", self._screen_lock, "dumpsys window policy"
        yield "clock", self._clock, "date +%s.%N"
        yield "storage", self._storage, "df -k /sdcard"

    def _check(self, part: str, ok: bool, text: str, mend: str) -> Check:
        return Check(f"{self.name} {part}", ok, text, "" if ok else mend)

    def _transport(self) -> Check:
        """Where it is connected, that it lets this computer in, and that it is up."""
        self.android.check()
        path = self.android.link.bus_path() or _NETWORK
        booted = self.android.property("sys.boot_completed") == "1"
        text = f"{self.android.serial} by {path}, authorised"
        if not booted:
            text += ", but its boot is not finished: expected sys.boot_completed 1"
        return self._check("adb", booted, text, f"{self.commands.handset} reboot")

    def _build(self) -> Check:
        found = self.android.identify()
        text = f"{found.manufacturer} {found.model}, Android {found.release}, {found.fingerprint}"
        return self._check("build", True, text, "")

    def _app(self) -> Check:
        app = self.android.app
        version = self.android.app_version()
        if version is None:
            text = f"{app.package}: not installed; install it, or name another app with `app:` in lab.yaml"
            return self._check("app", False, text, f"{self.commands.handset} install {app.package}.apk")
        text = f"{app.package} {version}, described for {app.versions}"
        if not app.versions.hold(version):
            text += (
                ": no description matches this release; see which of its elements moved,"
                " and name the file that has them with `app:` in lab.yaml"
            )
            mend = f"rcslab app-probe --serial {shlex.quote(self.android.serial)}"
            return self._check("app", False, text, mend)
        return self._check("app", True, text, "")

    def _sms_role(self) -> Check:
        package, holder = self.android.app.package, self.android.sms_app()
        text = f"{holder or 'no app'} is the default app for SMS"
        if holder != package:
            text += f": expected {package}"
        sdk = self.android.property("ro.build.version.sdk")
        before_roles = sdk.isdigit() and int(sdk) < ANDROID_10
        by_setting = f"settings put secure sms_default_application {package}"
        by_role = f"cmd role add-role-holder android.app.role.SMS {package}"
        mend = self.commands.shell(by_setting if before_roles else by_role)
        return self._check("SMS role", holder == package, text, mend)

    def _screen_lock(self) -> Check:
        lock = self.android.screen_lock()
        if lock.secure:
            text = (
                "a PIN, pattern or password locks the screen: no run could unlock it; its owner takes it off"
            )
            mend = self.commands.shell('locksettings clear --old "$PIN"')
            return self._check("screen lock", False, text, mend)
        text = "none that asks" + ("; the keyguard shows and a run takes it away" if lock.showing else "")
        return self._check("screen lock", True, text, "")

    def _clock(self) -> Check:
        offset = self.android.clock_offset()
        side = "ahead of" if offset.seconds >= 0 else "behind"
        text = f"{abs(offset.seconds):.2f} s {side} this host, give or take {offset.uncertainty:.2f} s"
        good = offset.within(self.clock)
        if not good:
            text += f": expected {self.clock:g} s at most (`tolerances.clock` in lab.yaml)"
        off, now = "settings put global auto_time 0", "cmd alarm set-time $(date +%s%3N)"
        return self._check("clock", good, text, f"{self.commands.shell(off)}; {self.commands.shell(now)}")

    def _storage(self) -> Check:
        free = self.android.free_storage()
        good = free >= FREE_STORAGE
        text = f"{free / 1024**2:.0f} MiB free"
        if not good:
            text += f": expected {FREE_STORAGE // 1024**2} MiB at least"
        return self._check("storage", good, text, self.commands.shell("pm trim-caches 1G"))


# The AT port


def look_at_modem(name: str, port: str, imei: str | None, deadline: float) -> Check:
    """The AT port of a handset: there, ours to open, answering, and of the handset lab.yaml means."""
    part = f"{name} modem"
    if (refused := _permissions(port)) is not None:
        return Check(part, False, *refused)
    modem = Modem(port, Timeline(), default_seconds=deadline)
    try:
        modem.open()
        found = modem.imei()
    except (RcsLabError, OSError) as error:
        return Check(part, False, str(error), _mend_port(port, error))
    finally:
        modem.close()
    if imei and imei != found:
        expected = f"IMEI {imei} as in lab.yaml"
        wrong = LabError("modem", port, expected, found, "name the port of the right handset as `modem:`")
        return Check(part, False, str(wrong), _NAMES_OF_PORTS)
    access = "" if "://" in port else f", {_access(Path(port).stat())}"
    return Check(part, True, f"{port}{access}, IMEI {found}")


_NAMES_OF_PORTS = "ls -l /dev/serial/by-id/"


def _mend_port(port: str, error: Exception) -> str:
    if "://" in port:
        return f"python3 -m serial.tools.miniterm {shlex.quote(port)}"
    if isinstance(error, SerialPortLost) and not Path(port).exists():
        return _NAMES_OF_PORTS
    return f"sudo fuser -v {shlex.quote(port)}"


def _permissions(port: str) -> tuple[str, str] | None:
    """What is wrong with the permissions of a port and the command that mends it; None when nothing is."""
    if "://" in port or not Path(port).exists() or os.access(port, os.R_OK | os.W_OK):
        return None
    found = Path(port).stat()
    text = f"{port} is {_access(found)}: {getpass.getuser()} may not read and write it"
    if found.st_mode & 0o060 == 0o060 and found.st_gid != 0:
        mend = f"sudo usermod -aG {_group(found)} {getpass.getuser()}"
        return f"{text}; log in anew after the command", mend
    return text, f"sudo chmod a+rw {shlex.quote(port)}"


def _access(found: os.stat_result) -> str:
    return f"{stat.filemode(found.st_mode)} group {_group(found)}"


def _group(found: os.stat_result) -> str:
    try:
        return grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        return str(found.st_gid)
