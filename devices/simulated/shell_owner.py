"""What the owner of the simulated handset arranges by its shell: default apps, screen lock, clock, storage.

Which services `cmd` reaches depends on the release: roles came with Android 10 (SDK 29), before that the
default app for SMS was a secure setting.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from devices.simulated.android_shell import Call, ShellCommand
from devices.simulated.android_system import AndroidSystem
from devices.simulated.shell_files import options

SMS_ROLE = "android.app.role.SMS"
_SINCE = {"role": 29, "alarm": 29}
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def services_of(android: AndroidSystem) -> frozenset[str]:
    """The services of this module that the release has."""
    sdk = int(android.properties.get("ro.build.version.sdk", "0"))
    return frozenset(name for name, since in _SINCE.items() if sdk >= since)


async def _role(call: Call, words: list[str]) -> int:
    operands = [word for word in words[1:] if word not in ("--user", "0")]
    match words[:1], operands:
        case ["get-role-holders"], [name, *_]:
            if name == SMS_ROLE and call.android.sms_app:
                await call.say(call.android.sms_app)
            return 0
        case ["add-role-holder"], [name, package, *_] if name == SMS_ROLE:
            if package not in call.android.packages:
                return await _threw(call, "add-role-holder", "java.util.concurrent.ExecutionException")
            call.android.sms_app = package
            return 0
        case ["remove-role-holder"], [name, package, *_] if name == SMS_ROLE:
            if call.android.sms_app == package:
                call.android.sms_app = ""
            return 0
        case [verb], [_, _, *_] if verb in ("add-role-holder", "remove-role-holder"):
            return 0
    return await call.complain(f"Unknown command: {words[0] if words else ''}", 255)


async def _threw(call: Call, verb: str, error: str) -> int:
    return await call.complain(f"\nException occurred while executing '{verb}':\n{error}", 255)


async def _alarm(call: Call, words: list[str]) -> int:
    match words:
        case ["set-time", milliseconds] if milliseconds.isdigit():
            call.android.set_clock(int(milliseconds) / 1000)
            return 0
        case ["set-time", bad]:
            error = f'java.lang.NumberFormatException: For input string: "{bad}"'
            return await _threw(call, "set-time", error)
    return await call.complain(f"Unknown command: {words[0] if words else ''}", 255)


SERVICES: Mapping[str, Callable[[Call, list[str]], Awaitable[int]]] = {"role": _role, "alarm": _alarm}


async def trim_caches(call: Call, wanted: str) -> int:
    """pm trim-caches SIZE: caches go until so much is free."""
    size = re.fullmatch(r"(\d+)([KMG]?)", wanted)
    if size is None:
        return await call.complain(f"Error: invalid suffix in {wanted}")
    storage, kib = call.android.storage, int(size[1]) * _UNITS[size[2]] // 1024
    taken = min(storage.caches, max(0, kib - storage.free))
    storage.used -= taken
    storage.caches -= taken
    return 0


async def _df(call: Call) -> int:
    """toybox df; of all mounts only the user's storage."""
    _, names = options(call.args[1:], "kha")
    for name in names:
        if not call.android.files.exists(name):
            return await call.complain(f"df: {name}: No such file or directory")
    storage = call.android.storage
    share = -(-storage.used * 100 // storage.total)
    await call.say("Filesystem      1K-blocks     Used Available Use% Mounted on")
    blocks = f"{storage.total:>9} {storage.used:>8} {storage.free:>9}"
    await call.say(f"/dev/fuse       {blocks} {share:>3}% /storage/emulated")
    return 0


async def _locksettings(call: Call) -> int:
    android, words = call.android, call.args[1:]
    old = ""
    if "--old" in words[:-1]:
        at = words.index("--old")
        old = words[at + 1]
        del words[at : at + 2]
    match words:
        case ["get-disabled"]:
            await call.say("false")
            return 0
        case ["set-pin" | "clear", *_] if old != android.pin:
            await call.say(f"Old password '{old or 'null'}' didn't match")
            return 0
        case ["set-pin", pin] if pin.isdigit() and len(pin) >= 4:
            android.pin = pin
            await call.say(f"Pin set to '{pin}'")
            return 0
        case ["clear"]:
            android.pin = ""
            await call.say("Lock credential cleared")
            return 0
    return await call.complain(f"Unknown command: {words[0] if words else ''}", 255)


COMMANDS: dict[str, ShellCommand] = {"df": _df, "locksettings": _locksettings}
