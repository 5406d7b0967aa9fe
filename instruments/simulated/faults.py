"""What goes wrong at an instrument, on purpose: at the next messages of a raw socket.

A message `RCSLAB:FAULT KIND` on any connection arms one: the next message that is answered, wherever it came
from, meets it, and the one after is answered as ever.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Final

PREFIX: Final = b"RCSLAB:FAULT "
LATE_SECONDS: Final = 1.0


class Fault(StrEnum):
    """One way to fail."""

    LATE = "late"
    """The reply comes after LATE_SECONDS."""
    SILENT = "silent"
    """The message is carried out and no reply comes."""
    TERMINATOR = "terminator"
    """The reply has no end."""
    CLOSED = "closed"
    """The connection ends in the middle of the reply."""
    ERROR = "error"
    """The message is carried out, and an error told for it all the same."""


class Faults:
    """The faults that are armed, in order."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []

    def arm(self, message: bytes) -> bool:
        """Whether the message arms a fault; one of no kind there is arms nothing. It is never answered."""
        if not message.startswith(PREFIX):
            return False
        word = message[len(PREFIX) :].decode("latin-1").strip().lower()
        if word in list(Fault):
            self._armed.append(Fault(word))
        return True

    async def answer(self, writer: asyncio.StreamWriter, reply: bytes, error: bytes) -> None:
        """Write a reply as the armed fault has it. error: the reply that tells of an error.

        Raises ConnectionResetError when the connection is to end.
        """
        fault = self._armed.pop(0) if reply and self._armed else None
        if fault is Fault.LATE:
            await asyncio.sleep(LATE_SECONDS)
        if fault in (Fault.TERMINATOR, Fault.CLOSED):
            writer.write(reply[:-1])
        elif fault is Fault.ERROR:
            writer.write(error)
        elif fault is not Fault.SILENT:
            writer.write(reply)
        await writer.drain()
        if fault is Fault.CLOSED:
            raise ConnectionResetError("a fault that was asked for")
