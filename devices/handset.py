"""What every handset driver offers to keywords and bench, whatever lies behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
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
class ScreenMessage:
    """One bubble as the user sees it."""

    text: str
    outgoing: bool
    status: TextStatus


@dataclass(frozen=True, slots=True)
class Screen:
    """The conversation on screen. Messages scrolled away are not in it."""

    conversation: str
    messages: tuple[ScreenMessage, ...]
    draft: str
    mode: ComposeMode


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

    def wait_for_text(
        self, text: str, timeout: float, *, outgoing: bool | None = None, status: TextStatus | None = None
    ) -> ScreenMessage:
        """Wait until the open conversation shows a text (with that status).

        NotSeen after `timeout` seconds.
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
