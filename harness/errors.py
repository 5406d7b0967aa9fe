"""The error tree. Each branch says who has to act.

RcsLabError
├── UsageError              the caller: a file, an option or an argument is wrong (exit 2, nothing started)
│   ├── LabFileError        lab.yaml, with file, line, column and field
│   ├── CaptureError        a capture that cannot be read
│   └── NotOnBench          a test needs what its bench does not have (the test is skipped)
├── LabError                the lab: a part is absent, silent or taken (verdict infra, never the handset's)
│   ├── AddressTaken        a port or address is in use
│   ├── HandsetLost         adb or the handset behind it does not answer
│   ├── SerialPortLost      the modem port vanished or cannot be opened
│   ├── InstrumentLost      a VISA resource refuses or is silent
│   ├── InstrumentRefused   an error of the instrument's queue, or an operation its driver does not have
│   ├── LeaseTaken          the bench is in use by somebody else
│   └── ChildDied           a process of the lab ended before its time
├── WireError               the other end: octets that do not follow a document (value, offset, clause)
│   ├── SipSyntaxError
│   ├── MsrpSyntaxError
│   └── BodySyntaxError     CPIM, IMDN, multipart, SDP
└── HandsetError            the handset: it did not do what the procedure asks (verdict fail)
    ├── NotSeen             an expected message, notification or state did not come before the deadline
    └── FindingsFailed      rules that fail a run were violated by the handset
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """How a command of this project ends."""

    CLEAN = 0
    FAILED = 1
    """Failed tests, or findings that fail a run."""
    UNUSABLE = 2
    """The input cannot be used; nothing was started."""
    INFRA = 3
    """The lab broke, or this program did."""


class RcsLabError(Exception):
    """Root of every error this project raises on purpose."""


class UsageError(RcsLabError):
    """The caller gave something that cannot be used. Nothing was started."""


class LabFileError(UsageError):
    """lab.yaml is wrong at a place. `line` and `column` count from 1; 0 means the whole file."""

    def __init__(self, file: Path | str, line: int, column: int, field: str, message: str) -> None:
        self.file, self.line, self.column, self.field = Path(file), line, column, field
        place = f"{file}:{line}:{column}" if line else f"{file}"
        super().__init__(f"{place}: {field}: {message}" if field else f"{place}: {message}")


class CaptureError(UsageError):
    """A file that is no pcap or pcapng capture, or cannot be read at all."""


class NotOnBench(UsageError):
    """This bench does not have what a keyword needs: the test says nothing about the handset."""


class LabError(RcsLabError):
    """A part of the lab failed. The verdict of whatever ran is infra.

    Args: part is what failed ("adb server", "handset dut"), address where it was looked for, expected and
    actual what should have happened and what did, remedy what a person can do about it.
    """

    def __init__(self, part: str, address: str, expected: str, actual: str, remedy: str) -> None:
        self.part, self.address, self.expected, self.actual, self.remedy = (
            part,
            address,
            expected,
            actual,
            remedy,
        )
        super().__init__(f"{part} at {address}: expected {expected}, got {actual}; {remedy}")


class AddressTaken(LabError):
    """A port or address the lab needs is in use."""


class HandsetLost(LabError):
    """adb, or the handset behind it, does not answer."""


class SerialPortLost(LabError):
    """The modem port vanished or cannot be opened."""


class InstrumentLost(LabError):
    """A VISA resource refuses the connection or is silent."""


class InstrumentRefused(LabError):
    """The instrument put an error into its queue, or its driver declares no such operation."""


class LeaseTaken(LabError):
    """The bench is leased by somebody else."""


class ChildDied(LabError):
    """A process of the lab ended before its time."""


class WireError(RcsLabError):
    """Octets that do not follow a document.

    Args: what names the production ("Via", "start line"), value is the text met (shortened), offset the
    octet where it starts counted from the start of the message, clause the text it violates.
    """

    def __init__(self, what: str, value: str | bytes, offset: int, clause: str, hint: str = "") -> None:
        text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
        self.what, self.value, self.offset, self.clause = what, text, offset, clause
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        tail = f": {hint}" if hint else ""
        super().__init__(f"{what} at octet {offset}: {shown!r} does not follow {clause}{tail}")


class SipSyntaxError(WireError):
    """Not SIP (RFC 3261 and extensions)."""


class MsrpSyntaxError(WireError):
    """Not MSRP (RFC 4975)."""


class BodySyntaxError(WireError):
    """A body that does not follow its media type."""


class HandsetError(RcsLabError):
    """The handset did not do what the procedure asks."""


class NotSeen(HandsetError):
    """An expected message, notification or state did not come before its deadline."""


class FindingsFailed(HandsetError):
    """The handset violated rules that fail a run."""
