"""The log of the simulated handset: ring buffers as logd keeps them, lines as logcat writes them.

Radio lines follow what RILJ of AOSP prints (`[0012]> RADIO_POWER`, `[UNSL]< ...`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

RING = 8192
DEFAULT_BUFFERS = ("main", "system", "crash")
ALL_BUFFERS = ("main", "system", "radio", "events", "crash")
PRIORITIES = "VDIWEFS"


class Format(StrEnum):
    """Line shapes of `logcat -v`."""

    BRIEF = "brief"
    TAG = "tag"
    PROCESS = "process"
    RAW = "raw"
    TIME = "time"
    THREADTIME = "threadtime"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One entry. `time` in seconds since the Unix epoch."""

    number: int
    time: float
    buffer: str
    priority: str
    tag: str
    text: str
    pid: int
    tid: int
    uid: int


@dataclass(frozen=True, slots=True)
class Layout:
    """How lines are written: a format and its adverbs (`-v threadtime -v epoch -v uid`)."""

    format: Format = Format.THREADTIME
    epoch: bool = False
    uid: bool = False
    year: bool = False


def write_line(line: LogLine, layout: Layout) -> str:
    """One line of logcat output, without line feed."""
    seconds, millis = divmod(int(line.time * 1000), 1000)  # cut off as logcat does, never rounded up
    pattern = "%Y-%m-%d %H:%M:%S" if layout.year else "%m-%d %H:%M:%S"
    stamp = f"{seconds}" if layout.epoch else time.strftime(pattern, time.gmtime(seconds))
    stamp = f"{stamp:>19}" if layout.epoch and layout.format is Format.THREADTIME else stamp
    when = f"{stamp}.{millis:03d}"
    uid = f"{line.uid:>5}:" if layout.uid else ""
    match layout.format:
        case Format.BRIEF:
            return f"{line.priority}/{line.tag:<8}({uid}{line.pid:>5}): {line.text}"
        case Format.TAG:
            return f"{line.priority}/{line.tag:<8}: {line.text}"
        case Format.PROCESS:
            return f"{line.priority}({uid}{line.pid:>5}) {line.text}  ({line.tag})"
        case Format.RAW:
            return line.text
        case Format.TIME:
            return f"{when} {line.priority}/{line.tag:<8}({uid}{line.pid:>5}): {line.text}"
        case Format.THREADTIME:
            owner = f"{line.uid:>5} " if layout.uid else ""
            return f"{when} {owner}{line.pid:>5} {line.tid:>5} {line.priority} {line.tag:<8}: {line.text}"


def passes(line: LogLine, filters: Iterable[str]) -> bool:
    """Does the line pass filter specifications such as `RILJ:D *:S`? Without any, everything passes."""
    threshold = ""
    for item in filters:
        tag, _, priority = item.partition(":")
        if tag == line.tag or (tag == "*" and not threshold):
            threshold = (priority or "V").upper()
    if not threshold:
        return True
    return threshold != "S" and PRIORITIES.find(line.priority) >= PRIORITIES.find(threshold[0])


class Logcat:
    """The buffers, and who follows them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rings: dict[str, deque[LogLine]] = {name: deque(maxlen=RING) for name in ALL_BUFFERS}
        self._count = 0
        self._followers: list[Callable[[LogLine], None]] = []

    def write(
        self,
        buffer: str,
        priority: str,
        tag: str,
        text: str,
        *,
        pid: int = 1000,
        tid: int = 0,
        uid: int = 1000,
    ) -> None:
        """Log one or more lines; each line of `text` becomes an entry."""
        for part in text.splitlines() or [""]:
            self._count += 1
            line = LogLine(self._count, self._clock(), buffer, priority, tag, part, pid, tid or pid, uid)
            self._rings[buffer].append(line)
            for follower in tuple(self._followers):
                follower(line)

    def lines(self, buffers: Iterable[str]) -> list[LogLine]:
        """What the buffers hold, oldest first."""
        return sorted((line for name in buffers for line in self._rings[name]), key=lambda line: line.number)

    def clear(self, buffers: Iterable[str]) -> None:
        """logcat -c."""
        for name in buffers:
            self._rings[name].clear()

    @property
    def followed(self) -> bool:
        """Somebody reads along."""
        return bool(self._followers)

    def follow(self, follower: Callable[[LogLine], None]) -> Callable[[], None]:
        """Call follower for each new line. Returns the way to stop."""
        self._followers.append(follower)
        return lambda: self._followers.remove(follower)


class RadioLog:
    """Writes what RILJ and the IMS service log about the radio."""

    PID = 1912

    def __init__(self, logcat: Logcat) -> None:
        self._logcat = logcat
        self._serial = 0

    def request(self, name: str, arguments: str = "", result: str = "") -> None:
        """A solicited request and its answer: `[0007]> RADIO_POWER on = true` and `[0007]< RADIO_POWER`."""
        self._serial += 1
        head = f"[{self._serial:04d}]"
        self._line(f"{head}> {name} {arguments}".rstrip() + " [PHONE0]")
        self._line(f"{head}< {name} {result}".rstrip() + " [PHONE0]")

    def unsolicited(self, name: str, value: str = "") -> None:
        """`[UNSL]< UNSOL_RESPONSE_NETWORK_STATE_CHANGED [PHONE0]`."""
        self._line(f"[UNSL]< {name} {value}".rstrip() + " [PHONE0]")

    def _line(self, text: str) -> None:
        self._logcat.write("radio", "D", "RILJ", text, pid=self.PID, tid=self.PID + 31, uid=1001)
