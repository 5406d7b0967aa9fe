"""Byte pipes inside the simulated handset: between adbd, the shell and its commands."""

from __future__ import annotations

import asyncio
from typing import Protocol

LIMIT = 1024 * 1024


class BrokenPipe(Exception):
    """Nobody reads any more (SIGPIPE in a real shell)."""


class Writer(Protocol):
    """Where a command writes."""

    async def write(self, data: bytes) -> None:
        """Hand over octets; waits while the reader is behind. Raises BrokenPipe when there is none left."""


class Reader(Protocol):
    """Where a command reads."""

    async def read(self) -> bytes:
        """Some octets; b"" at the end."""


class Pipe:
    """A bounded pipe with one writer and one reader."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._held = 0
        self._ended = False
        self._broken = False
        self._changed = asyncio.Condition()

    async def write(self, data: bytes) -> None:
        """Append; waits while more than LIMIT octets are unread."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._held < LIMIT or self._broken)
            if self._broken or self._ended:
                raise BrokenPipe
            if data:
                self._chunks.append(bytes(data))
                self._held += len(data)
                self._changed.notify_all()

    async def read(self) -> bytes:
        """All that is there, waiting for the first octet; b"" at the end."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._chunks or self._ended or self._broken)
            data = b"".join(self._chunks)
            self._chunks, self._held = [], 0
            self._changed.notify_all()
            return data

    async def finish(self) -> None:
        """No more will be written."""
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def abandon(self) -> None:
        """No more will be read."""
        async with self._changed:
            self._broken = True
            self._changed.notify_all()


class Memory:
    """A writer that keeps everything."""

    def __init__(self) -> None:
        self.data = bytearray()

    async def write(self, data: bytes) -> None:
        """Append."""
        self.data += data


class Nothing:
    """/dev/null: reads as empty, swallows what is written."""

    async def write(self, data: bytes) -> None:
        """Swallow."""

    async def read(self) -> bytes:
        """Always the end."""
        return b""


class Fixed:
    """A reader over octets already at hand."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self) -> bytes:
        """Everything once, then the end."""
        data, self._data = self._data, b""
        return data


async def read_all(reader: Reader) -> bytes:
    """Everything up to the end."""
    parts: list[bytes] = []
    while data := await reader.read():
        parts.append(data)
    return b"".join(parts)
