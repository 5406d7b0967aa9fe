"""The screen of an Android handset over ADB: dumped, waited for and touched.

`uiautomator dump` is slow and at times refuses: several tries, then the compressed form, then its helper is
killed. ADB has no events, so waits look at the screen again and again, each wait with its own end.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from devices.adb_transport import AdbTransportLink
from devices.apps.definition import Match, MessagingAppDefinition
from devices.apps.dump import Dump, DumpError, UiNode, parse_dump
from devices.handset import ShellResult
from harness.errors import HandsetError, HandsetLost, NotOnBench, UsageError
from harness.evidence.timeline import Layer, Timeline

if TYPE_CHECKING:
    from adbutils import AdbClient

DUMP_FILE = "/sdcard/window_dump.xml"
DUMP_TIMEOUT = 8.0
POLL = 0.1
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25
_DUMP = f"rm -f {DUMP_FILE}; uiautomator dump {{options}}{DUMP_FILE} 2>&1; cat {DUMP_FILE} 2>/dev/null"
_TRIES = ("", "", "", "--compressed ", "--compressed ")


class AndroidScreen:
    """Looks and touches, with the elements of one messaging app.

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
        self._open = ""
        """The number or group whose conversation we brought on screen last, empty when it may be gone."""

    @property
    def serial(self) -> str:
        """The adb serial."""
        return self.link.serial

    # Looking

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
            time.sleep(min(POLL * (attempt + 1), max(0.0, until - time.monotonic())))
        remedy = "end other UI automation (Appium, uiautomator2), switch animations off, look at a screenshot"
        raise HandsetLost(
            "uiautomator", self.link.where, "a view hierarchy", failure or "no time left", remedy
        )

    def elements(self, name: str) -> Sequence[Match]:
        """The ways to find an element of the app. Raises NotOnBench when its definition has none."""
        ways: Sequence[Match] = getattr(self.app.elements, name)
        if not ways:
            raise NotOnBench(f"handset {self.serial}: {self.app.app} has no {name.replace('_', ' ')}")
        return ways

    def _wait_screen(
        self, look: Callable[[Dump], UiNode | None], expected: str, until: float, *, before: str = ""
    ) -> UiNode:
        """Dump until `look` finds what it wants, else HandsetError. `before` is a shell line to run first."""
        for pause in pauses():
            # The last look may take its time: a handset that is late is not a lost one.
            dump = self.dump(before=before, until=max(until, time.monotonic() + 1.0))
            before = ""
            if (found := look(dump)) is not None:
                return found
            if time.monotonic() >= until:
                raise HandsetError(
                    f"handset {self.serial}: {self.app.app}: expected {expected}, got {self._described(dump)}"
                )
            time.sleep(min(pause, max(0.0, until - time.monotonic())))
        raise AssertionError("pauses do not end")

    def _seek(self, name: str, until: float, *, before: str = "") -> UiNode:
        """Wait for an element of the app."""
        ways = self.elements(name)
        return self._wait_screen(lambda dump: dump.find(ways), name.replace("_", " "), until, before=before)

    def _described(self, dump: Dump) -> str:
        """What is on screen instead, in a few words: also what the app tells its user."""
        elements = self.app.elements
        box, said = dump.find(elements.compose_box), dump.find(elements.snackbar)
        words = [f"window of {dump.package}"]
        words.append(f"compose box {box.text[:60]!r}" if box else "no compose box")
        words += [f"the words {said.text!r}"] if said else []
        return ", ".join(words)

    # Touching

    def tap(self, node: UiNode) -> None:
        """Touch the middle of a view."""
        self._ok(_tap_line(node), record=False)

    def _press(
        self, node: UiNode, name: str, look: Callable[[Dump], UiNode | None], expected: str, until: float
    ) -> UiNode:
        """Touch a view and wait for what comes of it, in one call to the handset when it comes at once."""
        self._timeline.event(Layer.ADB, "tap", serial=self.serial, element=name, place=list(node.centre))
        return self._wait_screen(look, expected, until, before=f"{_tap_line(node)}; ")

    def _press_for(self, node: UiNode, name: str, wanted: str, until: float) -> UiNode:
        """Touch a view and wait for an element of the app."""
        ways = self.elements(wanted)
        return self._press(node, name, lambda dump: dump.find(ways), wanted.replace("_", " "), until)

    def _ok(self, command: str | Sequence[str], *, record: bool = True) -> ShellResult:
        result = self.link.run(command, record=record)
        if result.exit != 0:
            said = (result.stderr or result.stdout).strip()[-300:]
            raise HandsetError(f"handset {self.serial}: `{command}` ended with {result.exit}: {said}")
        return result


def pauses() -> Iterator[float]:
    """Seconds between two looks: what comes at once is seen at once, what takes long is not hunted for."""
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _tap_line(node: UiNode) -> str:
    x, y = node.centre
    return f"input tap {x} {y}"


def typing_line(text: str) -> str:
    """The shell line that types a text. Raises UsageError: `input text` types printable ASCII only."""
    if not (text.isascii() and text.isprintable()) or "%s" in text:
        raise UsageError(f"{text[:60]!r} cannot be typed with `input text`: only ASCII without %s can")
    return "input text " + shlex.quote(text.replace(" ", "%s"))
