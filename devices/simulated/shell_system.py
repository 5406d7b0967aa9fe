"""Shell commands on the system: properties, settings, packages, radio switches, log, clock, processes."""

from __future__ import annotations

import asyncio
import re
import struct
import time

from devices.simulated.android_shell import Call, ShellCommand
from devices.simulated.android_system import Front
from devices.simulated.logcat import (
    ALL_BUFFERS,
    DEFAULT_BUFFERS,
    Format,
    Layout,
    LogLine,
    passes,
    write_line,
)
from devices.simulated.messaging_app import PACKAGE
from devices.simulated.properties import PropertyRefused
from devices.simulated.shell_owner import SERVICES, services_of, trim_caches

APP_PID = 7421
APP_VERSION = "messages.android_20241118_00_RC00.phone_dynamic"


async def _getprop(call: Call) -> int:
    if len(call.args) > 1:
        default = call.args[2] if len(call.args) > 2 else ""
        await call.say(call.android.properties.get(call.args[1], default))
        return 0
    for name, value in call.android.properties:
        await call.say(f"[{name}]: [{value}]")
    return 0


async def _setprop(call: Call) -> int:
    if len(call.args) != 3:
        return await call.complain("usage: setprop NAME VALUE")
    try:
        call.android.properties.set(call.args[1], call.args[2])
    except PropertyRefused as refused:
        return await call.complain(str(refused))
    return 0


async def _settings(call: Call) -> int:
    settings = call.android.settings
    match call.args[1:]:
        case ["get", space, name]:
            await call.say(settings.get((space, name), "null"))
        case ["put", space, name, value]:
            settings[space, name] = value
        case ["delete", space, name]:
            await call.say(f"Deleted {int(settings.pop((space, name), None) is not None)} rows")
        case ["list", space]:
            for (held, name), value in sorted(settings.items()):
                if held == space:
                    await call.say(f"{name}={value}")
        case _:
            return await call.complain("Invalid command", 255)
    return 0


async def _date(call: Call) -> int:
    now = call.android.clock()
    spec = next((word[1:] for word in call.args[1:] if word.startswith("+")), "%a %b %e %H:%M:%S UTC %Y")
    text = spec.replace("%s", str(int(now))).replace("%N", f"{int(now % 1 * 1e9):09d}")
    await call.say(time.strftime(text, time.gmtime(now)))
    return 0


async def _pm(call: Call) -> int:
    match call.args[1:]:
        case ["path", name]:
            if name not in call.android.packages:
                return 1
            await call.say(f"package:{call.android.packages[name]}")
        case ["list", "packages", *rest]:
            for name in sorted(call.android.packages):
                if all(word in name for word in rest if not word.startswith("-")):
                    await call.say(f"package:{name}")
        case ["grant" | "revoke", *_]:
            return 0
        case ["trim-caches", wanted, *_]:
            return await trim_caches(call, wanted)
        case _:
            return await call.complain("Unknown command", 255)
    return 0


async def _cmd(call: Call) -> int:
    match call.args[1:]:
        case ["connectivity", "airplane-mode", *state]:
            return await _airplane(call, state)
        case ["phone", *words]:
            return await _phone(call, words)
        case ["package", *words]:
            call.args = ["pm", *words]
            return await _pm(call)
        case ["role" | "alarm" as service, *words] if service in services_of(call.android):
            return await SERVICES[service](call, words)
        case ["statusbar", "expand-notifications"]:
            call.android.show(Front.SHADE)
            return 0
        case ["statusbar", "collapse"]:
            if call.android.front is Front.SHADE:
                call.android.back()
            return 0
        case ["wifi", "status"]:
            on = call.android.settings.get(("global", "wifi_on")) == "1"
            await call.say(f"Wifi is {'enabled' if on else 'disabled'}")
            return 0
        case [service, *_]:
            return await call.complain(f"cmd: Can't find service: {service}", 20)
    return await call.complain("cmd: No service specified; use -l to list all running services.", 20)


async def _airplane(call: Call, state: list[str]) -> int:
    match state:
        case ["enable" | "disable" as wanted]:
            call.android.set_airplane(wanted == "enable")
        case []:
            await call.say("enabled" if call.android.baseband.airplane else "disabled")
        case _:
            return await call.complain("Invalid argument", 255)
    return 0


async def _phone(call: Call, words: list[str]) -> int:
    android = call.android
    match words:
        case ["get-imei", *_]:
            if android.properties.get("debug.rcslab.imei") == "denied":
                return await call.complain("Device IMEI: Permission denied.", 255)
            await call.say(f"Device IMEI: {android.baseband.imei}")
        case ["ims", "enable" | "disable", *_]:
            return 0
        case ["ims", "get-ims-service", *_]:
            await call.say("com.shannon.imsservice")
        case ["src", "get-device-enabled" | "get-carrier-enabled" | "get-test-enabled" as what, *_]:
            await call.say(android.settings.get(("phone", what.removeprefix("get-")), "false"))
        case ["src", "set-device-enabled" | "set-carrier-enabled" | "set-test-enabled" as what, *rest]:
            android.settings["phone", what.removeprefix("set-")] = rest[-1] if rest else "null"
            await call.say("true")
        case ["uce", "get-device-enabled"]:
            await call.say("false")
        case _:
            return await call.complain(f"Unknown command: {words[0] if words else ''}", 255)
    return 0


async def _service(call: Call) -> int:
    """`service call iphonesubinfo 1`: the IMEI as a parcel of UTF-16 words."""
    match call.args[1:]:
        case ["call", "iphonesubinfo", "1", *_]:
            await call.say(parcel(call.android.baseband.imei))
            return 0
        case ["check", name]:
            await call.say(f"Service {name}: not found")
            return 0
    return await call.complain("service: Unknown command")


def parcel(text: str) -> str:
    """A reply parcel with one string, as `service call` prints it."""
    raw = struct.pack("<II", 0, len(text)) + text.encode("utf-16-le") + bytes(2)
    raw += bytes(-len(raw) % 4)
    rows = []
    for at in range(0, len(raw), 16):
        part = raw[at : at + 16]
        words = " ".join(f"{word:08x}" for word in struct.unpack(f"<{len(part) // 4}I", part))
        shown = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in part)
        rows.append(f"  0x{at:08x}: {words:<35} '{shown}'")
    return "Result: Parcel(\n" + "\n".join(rows) + ")"


async def _svc(call: Call) -> int:
    match call.args[1:]:
        case ["data", "enable" | "disable" as state]:
            call.android.settings["global", "mobile_data"] = str(int(state == "enable"))
        case ["wifi", "enable" | "disable" as state]:
            call.android.settings["global", "wifi_on"] = str(int(state == "enable"))
        case ["power", "stayon", _]:
            return 0
        case ["power", "reboot", *_]:
            call.android.reboot()
        case _:
            return await call.complain("Available commands:\n    power\n    data\n    wifi")
    return 0


async def _reboot(call: Call) -> int:
    call.android.reboot()
    return 0


async def _id(call: Call) -> int:
    await call.say(
        "uid=2000(shell) gid=2000(shell) groups=2000(shell),1004(input),1007(log) context=u:r:shell:s0"
    )
    return 0


async def _whoami(call: Call) -> int:
    await call.say("shell")
    return 0


async def _uptime(call: Call) -> int:
    seconds = int(call.android.clock() - call.android.started)
    await call.say(
        f" {time.strftime('%H:%M:%S', time.gmtime(call.android.clock()))} up {seconds // 60} min,  0 users"
    )
    return 0


async def _pidof(call: Call) -> int:
    if PACKAGE in call.args[1:] and call.android.app.running:
        await call.say(str(APP_PID))
        return 0
    return 1


async def _pkill(call: Call) -> int:
    """Processes of the shell user: a wedged uiautomator is the one that gets killed in practice."""
    property_name = "debug.rcslab.uiautomator"
    if "uiautomator" in call.args[-1] and call.android.properties.get(property_name) == "wedged":
        call.android.properties.set(property_name, "")
        return 0
    return 1


class _Request:
    """The options of one logcat call."""

    def __init__(self, words: list[str]) -> None:
        self.buffers: list[str] = []
        self.filters: list[str] = []
        self.layout = Layout()
        self.count: int | None = None
        self.since: float | None = None
        self.dump = self.clear = self.sizes = False
        self._words = list(words)
        while self._words:
            self._take(self._words.pop(0))
        self.buffers = self.buffers or list(DEFAULT_BUFFERS)

    def _take(self, word: str) -> None:
        match word:
            case "-d":
                self.dump = True
            case "-c" | "--clear":
                self.clear = True
            case "-g":
                self.sizes = True
            case "-s":
                self.filters.append("*:S")
            case "-t" | "-T":
                self.dump = self.dump or word == "-t"
                self._start(self._value())
            case "-b" | "--buffer":
                self._buffers(self._value())
            case "-v" | "--format":
                self._layout(self._value())
            case _ if word.startswith("--buffer="):
                self._buffers(word.partition("=")[2])
            case _ if re.match(r"-[bvtT].", word):
                self._words.insert(0, word[2:])
                self._take(word[:2])
            case _ if word.startswith("-"):
                raise ValueError(f"Unrecognized option {word}")
            case _:
                self.filters.append(word)

    def _value(self) -> str:
        if not self._words:
            raise ValueError("option requires an argument")
        return self._words.pop(0)

    def _buffers(self, text: str) -> None:
        for name in text.split(","):
            names = {"all": ALL_BUFFERS, "default": DEFAULT_BUFFERS}.get(name, (name,))
            if unknown := set(names) - set(ALL_BUFFERS):
                raise ValueError(f"unknown buffer {unknown.pop()}")
            self.buffers += [each for each in names if each not in self.buffers]

    def _layout(self, text: str) -> None:
        old = self.layout
        for word in text.split(","):
            if word in list(Format):
                old = Layout(Format(word), old.epoch, old.uid, old.year)
            elif word in ("epoch", "uid", "year"):
                old = Layout(
                    old.format,
                    old.epoch or word == "epoch",
                    old.uid or word == "uid",
                    old.year or word == "year",
                )
            elif word not in ("printable", "color", "usec", "UTC", "zone", "descriptive", "long"):
                raise ValueError(f'Invalid parameter "{word}" to -v')
        self.layout = old

    def _start(self, text: str) -> None:
        if re.fullmatch(r"\d+", text):
            self.count = int(text)
        elif re.fullmatch(r"\d+\.\d+", text):
            self.since = float(text)
        else:
            raise ValueError(f'-T/-t: "{text}" is neither a count nor a time')

    def choose(self, lines: list[LogLine]) -> list[LogLine]:
        """The lines held that this call prints."""
        wanted = [line for line in lines if passes(line, self.filters)]
        if self.since is not None:
            wanted = [line for line in wanted if line.time >= self.since]
        if self.count is not None:
            wanted = wanted[-self.count :] if self.count else []
        return wanted


class _Printer:
    """Writes lines; each buffer is announced before its first."""

    def __init__(self, call: Call, layout: Layout) -> None:
        self._call, self._layout = call, layout
        self._begun: set[str] = set()

    async def print(self, line: LogLine) -> None:
        if line.buffer not in self._begun:
            self._begun.add(line.buffer)
            await self._call.say(f"--------- beginning of {line.buffer}")
        await self._call.say(write_line(line, self._layout))


async def _logcat(call: Call) -> int:
    try:
        request = _Request(call.args[1:])
    except ValueError as error:
        return await call.complain(f"logcat: {error}")
    log = call.android.logcat
    if request.clear:
        log.clear(request.buffers)
        return 0
    if request.sizes:
        for name in request.buffers:
            await call.say(f"{name}: ring buffer is 256 KiB (0 B consumed), max entry is 5120 B")
        return 0
    printer = _Printer(call, request.layout)
    queue: asyncio.Queue[LogLine] = asyncio.Queue(maxsize=8192)

    def keep(line: LogLine) -> None:
        if line.buffer in request.buffers and passes(line, request.filters) and not queue.full():
            queue.put_nowait(line)

    stop = log.follow(keep)
    try:
        for line in request.choose(log.lines(request.buffers)):
            await printer.print(line)
        while not request.dump:
            await printer.print(await queue.get())
    finally:
        stop()
    return 0


async def _log(call: Call) -> int:
    flags, words = [], call.args[1:]
    while words and words[0] in ("-p", "-t"):
        flags.append((words.pop(0), words.pop(0)))
    settings = dict(flags)
    priority = settings.get("-p", "i")[:1].upper()
    call.android.logcat.write(
        "main", priority, settings.get("-t", "log"), " ".join(words), pid=9000, uid=2000
    )
    return 0


COMMANDS: dict[str, ShellCommand] = {
    "getprop": _getprop,
    "setprop": _setprop,
    "settings": _settings,
    "date": _date,
    "pm": _pm,
    "cmd": _cmd,
    "service": _service,
    "svc": _svc,
    "reboot": _reboot,
    "id": _id,
    "whoami": _whoami,
    "uptime": _uptime,
    "pidof": _pidof,
    "pkill": _pkill,
    "logcat": _logcat,
    "log": _log,
}
