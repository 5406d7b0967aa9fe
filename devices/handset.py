"""What every handset driver offers to keywords and bench, whatever lies behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class TextStatus(StrEnum):
    """What a messaging app shows under an outgoing text, in one vocabulary for all apps."""

    NONE = ""
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    NOT_SENT = "not-sent"


class ComposeMode(StrEnum):
    """How the app would send a text now, told by the hint of its compose box."""

    CHAT = "chat"
    SMS = "sms"
    UNKNOWN = "unknown"


class FileState(StrEnum):
    """Where a file of a conversation is, in one vocabulary for all apps."""

    UNKNOWN = ""
    OFFERED = "offered"
    WAITING = "waiting"
    MOVING = "moving"
    DONE = "done"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    FAILED = "failed"


class OfferKind(StrEnum):
    """What an app may accept by itself or ask its user about."""

    CHAT = "chat"
    GROUP = "group"
    FILE = "file"


class ClientSetting(StrEnum):
    """What an RCS client is provisioned with and a test may want otherwise."""

    CHAT_IDLE = "chat_idle"
    """Seconds without a message after which a session is ended."""
    IM_TECHNOLOGY = "im_technology"
    """cpm or simple-im; the client registers anew."""
    CHAT_RING = "chat_ring"
    """Seconds an invitation waits for the user."""
    CHAT_REFRESH = "chat_refresh"
    """Seconds after which a session is refreshed, where half of its interval is longer."""
    TIMER_T1 = "timer_t1"
    """Seconds of the SIP timer T1 (RFC 3261 17.1.1.1; of the IMS management object in TS 24.167)."""


@dataclass(frozen=True, slots=True)
class HandsetIdentity:
    """Who the handset says it is. `imei` is None where the build does not let a shell read it."""

    serial: str
    manufacturer: str
    model: str
    release: str
    sdk: int
    fingerprint: str
    baseband: str
    imei: str | None


@dataclass(frozen=True, slots=True)
class ScreenLock:
    """The keyguard. showing: it is in front now. secure: only a PIN, pattern or password takes it away."""

    showing: bool
    secure: bool


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """How far the handset's clock is ahead of the host's, in seconds, give or take `uncertainty`."""

    seconds: float
    uncertainty: float

    def within(self, limit: float) -> bool:
        """May it be no more than `limit` seconds off?"""
        return abs(self.seconds) <= limit + self.uncertainty


@dataclass(frozen=True, slots=True)
class ScreenMessage:
    """One bubble with a text as the user sees it. `sender`: the member of a group who wrote it."""

    text: str
    outgoing: bool
    status: TextStatus
    sender: str = ""


@dataclass(frozen=True, slots=True)
class ScreenFile:
    """One bubble with a file. `line` is what the app says about it; `status` is of an outgoing one."""

    name: str
    outgoing: bool
    state: FileState
    line: str
    status: TextStatus = TextStatus.NONE


@dataclass(frozen=True, slots=True)
class Screen:
    """The conversation on screen. Messages scrolled away are not in it.

    `offers` are the invitations that wait for an answer, `composing` the line that tells who types, `notes`
    lines of the app itself, `in_chat` whether texts go in a session with the other side, `subtitle` what
    stands under its title, `said` what the app has just told its user.
    """

    conversation: str
    messages: tuple[ScreenMessage, ...]
    draft: str
    mode: ComposeMode
    files: tuple[ScreenFile, ...] = ()
    offers: tuple[str, ...] = ()
    composing: str = ""
    notes: tuple[str, ...] = ()
    in_chat: bool = False
    subtitle: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class HandsetNotification:
    """One entry of the notification shade."""

    package: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class ShellResult:
    """What a shell command of the handset gave."""

    exit: int
    stdout: str
    stderr: str


class LogStream(Protocol):
    """The handset's log, read all the time between start and stop."""

    def start(self) -> None:
        """Begin to read; lines go on the timeline."""

    def stop(self) -> None:
        """End the reader. Safe to call twice."""

    def excerpt(self, since: float = 0.0, until: float | None = None) -> list[str]:
        """The lines read between two timeline times (seconds)."""


class HandsetUi(Protocol):
    """A handset as its user has it: switches, screen and messaging app.

    Every call ends within the driver's deadline. HandsetLost: adb or the handset does not answer.
    HandsetError: the handset answers but did not do what was asked.
    """

    @property
    def serial(self) -> str:
        """The name the handset is reached by."""

    @property
    def log(self) -> LogStream:
        """The log of the handset."""

    def identify(self) -> HandsetIdentity:
        """Model, release, build and, where readable, IMEI."""

    def airplane(self, on: bool) -> None:
        """Switch airplane mode and wait until the handset says so."""

    def airplane_mode(self) -> bool:
        """Is airplane mode on?"""

    def send_text(self, number: str, text: str) -> None:
        """Write a text in the messaging app and press send. Returns when the compose box is empty."""

    def open_conversation(self, number: str) -> None:
        """Bring the conversation with a number on screen; its texts count as read from then on."""

    def conversation(self, number: str | None = None) -> Screen:
        """Read the conversation on screen; with a number, open that one first unless it is open."""

    def wait_for_screen(
        self, holds: Callable[[Screen], bool], expected: str, timeout: float, number: str | None = None
    ) -> Screen:
        """Wait until the conversation on screen is as `holds` wants it. NotSeen after `timeout` seconds.

        With a number, that conversation is opened first unless it is open.
        """

    def type_draft(self, number: str, text: str) -> None:
        """Type into the compose box of the conversation with a number, and do not send it."""

    def erase_draft(self, number: str) -> None:
        """Take everything out of the compose box again, key by key."""

    def send_draft(self) -> None:
        """Press send in the conversation that is open."""

    def send_again(self, what: str) -> None:
        """Touch "Not sent" under a text, or under a file by its name, of the open conversation."""

    def start_chat(self, number: str) -> None:
        """Let texts to a number go in a session from now on."""

    def end_chat(self, number: str) -> None:
        """End the session with a number; texts go as standalone messages. Nothing when there is no chat."""

    def ask_before_accepting(self, what: OfferKind, ask: bool) -> None:
        """Let the app ask its user before it accepts, or accept by itself."""

    def change_setting(self, setting: ClientSetting, value: str) -> str:
        """Provision the RCS client otherwise; returns what it was."""

    def accept(self, timeout: float, file: str | None = None) -> None:
        """Accept the invitation of the open conversation, or the file of this name.

        NotSeen when nothing is offered within `timeout` seconds.
        """

    def decline(self, timeout: float, file: str | None = None) -> None:
        """Decline it."""

    def create_group(self, subject: str, numbers: Sequence[str]) -> None:
        """Found a group with these members; its conversation is open then."""

    def join_group(self, uri: str) -> None:
        """Join a group by its URI."""

    def open_group(self, subject: str) -> None:
        """Bring the conversation of a group on screen."""

    def group_conversation(self, subject: str) -> Screen:
        """Read the conversation of a group; it is opened first unless it is on screen."""

    def send_to_group(self, subject: str, text: str) -> None:
        """Write a text to a group and press send."""

    def members_of_group(self, subject: str) -> tuple[str, ...]:
        """The members its details page lists."""

    def add_to_group(self, subject: str, numbers: Sequence[str]) -> None:
        """Bring more numbers into a group."""

    def remove_from_group(self, subject: str, number: str) -> None:
        """Have a member removed from a group; what comes of it is told by the list of its members."""

    def leave_group(self, subject: str) -> None:
        """Leave a group."""

    def send_file(self, number: str, file: Path, type: str, *, name: str | None = None) -> None:
        """Put a file on the handset and send it to a number, as `name` when it shall have another one."""

    def send_file_to_group(self, subject: str, file: Path, type: str, *, name: str | None = None) -> None:
        """Put a file on the handset and send it to a group."""

    def cancel_file(self, name: str) -> None:
        """Touch the X of a file that is under way in the open conversation."""

    def read_file(self, name: str, sink: Callable[[bytes], object]) -> str:
        """Pull a file the app stored, piece by piece into `sink`; returns where it lay.

        NotSeen when there is none of that name.
        """

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
        """Wait until the open conversation shows a text (with that status, of that member of a group).

        With a number, that conversation is opened first unless it is open. NotSeen after `timeout` seconds.
        """

    def notifications(self) -> tuple[HandsetNotification, ...]:
        """What the notification shade holds."""

    def home(self) -> None:
        """Go to the home screen: no conversation is on screen."""

    def screenshot(self) -> bytes:
        """The screen as PNG."""

    def property(self, name: str) -> str:
        """A system property, empty when unset."""

    def set_property(self, name: str, value: str) -> None:
        """Write a system property."""

    def shell(self, command: str | Sequence[str], *, timeout: float | None = None) -> ShellResult:
        """Run a shell command. `timeout` in seconds, the driver's deadline when absent."""

    def clock(self) -> datetime:
        """The handset's own time, UTC."""

    def reboot(self, timeout: float) -> None:
        """Restart and wait until the boot is finished."""


class LabHandset(HandsetUi, Protocol):
    """What a bench wants of a driver beside the user's acts."""

    def check(self) -> None:
        """Raises HandsetLost unless the handset is connected now."""

    def wait_ready(self, timeout: float) -> None:
        """Wait for the handset to be connected and booted. Raises HandsetLost."""

    def prepare(self) -> None:
        """Bring it into the state a test begins in: lit, unlocked, nothing moving on its screen."""

    def type_here(self, before: str, text: str) -> None:
        """Type into the compose box on screen, which holds `before`."""
