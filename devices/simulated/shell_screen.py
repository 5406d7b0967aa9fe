"""Shell commands on the screen: am, input, uiautomator, screencap, wm.

debug.rcslab.uiautomator switches the failures of `uiautomator dump` on: idle-error, null-root, wedged (it
hangs until pkill); a number and a colon before the word limit how often, e.g. "2:idle-error".
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from devices.simulated import system_windows, ui_tree
from devices.simulated.android_shell import Call, ShellCommand
from devices.simulated.android_system import AndroidSystem, Front
from devices.simulated.file_tree import FileTreeError
from devices.simulated.messaging_app import ACTIVITY, CONVERSATION_ACTIVITY, PACKAGE

SENDTO, SEND, VIEW, MAIN = (f"android.intent.action.{name}" for name in ("SENDTO", "SEND", "VIEW", "MAIN"))
STREAM, TEXT = "android.intent.extra.STREAM", "android.intent.extra.TEXT"
RECIPIENT = "address"
SHARE_ACTIVITY = f"{PACKAGE}/.ui.conversationlist.ShareIntentActivity"
UIAUTOMATOR = "debug.rcslab.uiautomator"
DUMP_FILE = "/sdcard/window_dump.xml"
_FAILURES = {
    "idle-error": "ERROR: could not get idle state.",
    "null-root": "ERROR: null root node returned by UiTestAutomationBridge.",
}


@dataclass(slots=True)
class Intent:
    """What `am start` was told."""

    action: str = ""
    data: str = ""
    component: str = ""
    package: str = ""
    mime: str = ""
    wait: bool = False
    strings: dict[str, str] = field(default_factory=dict)
    booleans: dict[str, bool] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f"act={self.action}"] if self.action else []
        scheme, _, _ = self.data.partition(":")
        if self.data:
            parts.append(
                f"dat={scheme}:xxxxxxxxx" if scheme in ("smsto", "sms", "tel") else f"dat={self.data}"
            )
        parts += [f"typ={self.mime}"] if self.mime else []
        parts += [f"pkg={self.package}"] if self.package else []
        parts += [f"cmp={self.component}"] if self.component else []
        parts += ["(has extras)"] if self.strings or self.booleans else []
        return f"Intent {{ {' '.join(parts)} }}"


def read_intent(words: list[str]) -> Intent:
    """The arguments of `am start`. Raises ValueError with the text am prints."""
    intent, rest = Intent(), list(words)

    def take(option: str) -> str:
        if not rest:
            raise ValueError(f'Argument expected after "{option}"')
        return rest.pop(0)

    while rest:
        word = rest.pop(0)
        match word:
            case "-a":
                intent.action = take(word)
            case "-d":
                intent.data = take(word)
            case "-n":
                intent.component = take(word)
            case "-p":
                intent.package = take(word)
            case "-t":
                intent.mime = take(word)
            case "-W":
                intent.wait = True
            case "--es" | "-e" | "--eu":
                name = take(word)
                intent.strings[name] = take(word)
            case "--ez":
                name = take(word)
                intent.booleans[name] = take(word) in ("true", "1")
            case "-c" | "-f" | "--user" | "--activity-flags":
                take(word)
            case _ if word.startswith("-"):
                if not word.startswith("--activity") and word not in ("-S", "-D", "-R"):
                    raise ValueError(f"Unknown option: {word}")
            case _ if "/" in word and ":" not in word:
                intent.component = word
            case _ if ":" in word:
                intent.data = word
            case _:
                intent.package = word
    return intent


async def _am(call: Call) -> int:
    match call.args[1:]:
        case ["start" | "start-activity", *words]:
            return await _start(call, words)
        case ["force-stop", package, *_]:
            if package == PACKAGE:
                call.android.app.stop()
                call.android.show(
                    Front.LAUNCHER if call.android.front is Front.MESSAGING else call.android.front
                )
            return 0
        case ["kill" | "stop-app", *_]:
            return 0
        case ["broadcast", *words]:
            await call.say(f"Broadcasting: {read_intent(words)}")
            await call.say("Broadcast completed: result=0")
            return 0
        case ["get-current-user"]:
            await call.say("0")
            return 0
    return await call.complain("Error: unknown command", 255)


async def _start(call: Call, words: list[str]) -> int:
    try:
        intent = read_intent(words)
    except ValueError as error:
        return await call.complain(f"Error: {error}", 255)
    await call.say(f"Starting: {intent}")
    running = call.android.app.running
    activity = _resolve(call.android, intent)
    if activity is None:
        what = "Activity class" if intent.component else "unable to resolve"
        text = f"{{{intent.component}}} does not exist." if intent.component else str(intent)
        return await call.complain(f"Error: Activity not started, {what} {text}", 1)
    if intent.wait:
        launch = "HOT" if running else "COLD"
        await call.say(
            f"Status: ok\nLaunchState: {launch}\nActivity: {activity}\n"
            "TotalTime: 143\nWaitTime: 152\nComplete"
        )
    return 0


def _resolve(android: AndroidSystem, intent: Intent) -> str | None:
    """Do what the intent says; the activity that took it, None when there is none."""
    ours = intent.package in ("", PACKAGE) and intent.component.partition("/")[0] in ("", PACKAGE)
    if intent.action == MAIN and not intent.component:
        android.show(Front.LAUNCHER)
        return None if intent.package else f"{system_windows.LAUNCHER}/.NexusLauncherActivity"
    if not ours:
        return None
    if intent.action in (SENDTO, VIEW) and re.match(r"(?i)(smsto|sms|mmsto):", intent.data):
        exit_on_sent = intent.booleans.get("exit_on_sent", False)
        android.app.open_conversation(intent.data, intent.strings.get("sms_body"), exit_on_sent=exit_on_sent)
        android.show(Front.MESSAGING)
        return CONVERSATION_ACTIVITY
    if intent.action == SEND and (STREAM in intent.strings or TEXT in intent.strings):
        _share(android, intent)
        return SHARE_ACTIVITY if android.app.current is None else CONVERSATION_ACTIVITY
    if intent.action == VIEW and re.match(r"(?i)sips?:", intent.data):
        android.app.join_group(intent.data)
        android.show(Front.MESSAGING)
        return CONVERSATION_ACTIVITY
    if intent.component and intent.component.split("/")[1] in (
        ".ui.ConversationListActivity",
        f"{PACKAGE}.ui.ConversationListActivity",
    ):
        android.app.open_list()
        android.show(Front.MESSAGING)
        return ACTIVITY
    return None


def _share(android: AndroidSystem, intent: Intent) -> None:
    """With a recipient it goes to the compose box, else the user picks one."""
    recipient = intent.strings.get(RECIPIENT)
    stream, text = intent.strings.get(STREAM), intent.strings.get(TEXT, "")
    path = unquote((stream or "").removeprefix("file://"))
    if recipient is None:
        android.app.share(text if stream is None else (path, intent.mime))
    elif stream is None:
        android.app.open_conversation(recipient, text)
    else:
        android.app.attach(recipient, path, intent.mime)
    android.show(Front.MESSAGING)


_KEYS = {
    "3": "HOME",
    "4": "BACK",
    "24": "VOLUME_UP",
    "25": "VOLUME_DOWN",
    "26": "POWER",
    "66": "ENTER",
    "67": "DEL",
    "82": "MENU",
    "123": "MOVE_END",
    "223": "SLEEP",
    "224": "WAKEUP",
}


async def _input(call: Call) -> int:
    words = call.args[1:]
    if words and words[0] in ("keyboard", "touchscreen", "mouse", "gamepad"):
        words = words[1:]
    match words:
        case ["tap", x, y]:
            call.android.touch(_coordinate(x), _coordinate(y))
        case ["swipe" | "draganddrop", x1, y1, x2, y2, *_]:
            call.android.swipe(*(_coordinate(value) for value in (x1, y1, x2, y2)))
        case ["text", text]:
            return await _type(call, text)
        case ["keyevent", *keys]:
            for key in keys:
                if not key.startswith("--"):
                    _press(call.android, key.removeprefix("KEYCODE_").upper())
        case _:
            return await call.complain("Error: Invalid arguments for command: " + " ".join(words), 255)
    return 0


def _coordinate(text: str) -> int:
    return round(float(text))


async def _type(call: Call, text: str) -> int:
    if not text.isascii():
        return await call.complain(
            "Exception occurred while executing 'text':\n"
            "java.lang.NullPointerException: Attempt to get length of null array\n"
            "\tat com.android.server.input.InputShellCommand.sendText(InputShellCommand.java:312)",
            255,
        )
    if call.android.front is Front.MESSAGING:
        call.android.app.type_text(text.replace("%s", " "))
    return 0


def _press(android: AndroidSystem, key: str) -> None:
    match _KEYS.get(key, key):
        case "HOME":
            android.show(Front.LAUNCHER)
        case "BACK":
            android.back()
        case "POWER":
            android.sleep() if android.awake else android.wake()
        case "WAKEUP":
            android.wake()
        case "SLEEP":
            android.sleep()
        case "MENU":
            android.unlock()
        case "ENTER":
            android.app.enter()
        case "DEL":
            android.app.erase()


async def _uiautomator(call: Call) -> int:
    match call.args[1:]:
        case ["dump", *words]:
            return await _dump(call, words)
    return await call.complain("Usage: uiautomator <subcommand> [options]")


async def _dump(call: Call, words: list[str]) -> int:
    compressed = "--compressed" in words
    target = next((word for word in words if not word.startswith("--")), DUMP_FILE)
    failure = await _failure(call.android)
    tree = call.android.tree()
    if failure or tree is None:
        await call.stderr.write(f"{failure or _FAILURES['null-root']}\n".encode())
        return 0
    xml = ui_tree.dump(tree, compressed=compressed).encode()
    if target == "/dev/tty":
        await call.stdout.write(xml)
    else:
        try:
            call.android.files.write(target, xml)
        except FileTreeError:
            return await call.complain(f"ERROR: could not write {target}", 0)
    await call.say(f"UI hierchary dumped to: {target}")
    return 0


async def _failure(android: AndroidSystem) -> str:
    """The failure switched on, used up by one when it is counted."""
    setting = android.properties.get(UIAUTOMATOR)
    count, _, name = setting.rpartition(":")
    if count:
        left = int(count) - 1 if count.isdigit() else 0
        android.properties.set(UIAUTOMATOR, f"{left}:{name}" if left > 0 else "")
    if name == "wedged":
        killed = asyncio.Event()
        stop = android.properties.subscribe(lambda name, value: killed.set() if name == UIAUTOMATOR else None)
        try:
            await killed.wait()
        finally:
            stop()
        return "Killed"
    return _FAILURES.get(name, "")


async def _screencap(call: Call) -> int:
    picture = await call.android.picture()
    names = [word for word in call.args[1:] if not word.startswith("-")]
    if names:
        call.android.files.write(names[0], picture)
    else:
        await call.stdout.write(picture)
    return 0


async def _wm(call: Call) -> int:
    metrics = call.android.metrics
    match call.args[1:]:
        case ["size"]:
            await call.say(f"Physical size: {metrics.width}x{metrics.height}")
        case ["density"]:
            await call.say("Physical density: 210")
        case ["dismiss-keyguard"]:
            call.android.unlock()
        case _:
            return await call.complain("Error: unknown command", 255)
    return 0


COMMANDS: dict[str, ShellCommand] = {
    "am": _am,
    "input": _input,
    "uiautomator": _uiautomator,
    "screencap": _screencap,
    "wm": _wm,
}
