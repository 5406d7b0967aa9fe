"""The sync: service of adbd (packages/modules/adb/SYNC.TXT): STAT LIST SEND RECV and the v2 forms of stat
and list.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Awaitable, Callable
from typing import Protocol

from devices.simulated.file_tree import Entry, FileTree, FileTreeError
from devices.simulated.pipes import Reader, Writer

CHUNK = 64 * 1024
PATH_MAX = 1024
_WORD = struct.Struct("<I")
_STAT_V1 = struct.Struct("<III")
_STAT_V2 = struct.Struct("<IQQIIIIQqqq")
_ERRNO = {
    "No such file or directory": errno.ENOENT,
    "Is a directory": errno.EISDIR,
    "Not a directory": errno.ENOTDIR,
    "Read-only file system": errno.EROFS,
    "No space left on device": errno.ENOSPC,
}


class SyncEnded(Exception):
    """The host closed the stream or broke the protocol."""


class SyncSession:
    """One sync: stream. Requests are answered in order until QUIT."""

    def __init__(self, reader: Reader, writer: Writer, files: FileTree) -> None:
        self._reader, self._writer, self._files = reader, writer, files
        self._held = b""

    async def run(self) -> None:
        """Serve until the host leaves."""
        try:
            while True:
                name = await self._exactly(4)
                length = await self._word()
                if name == b"QUIT":
                    return
                handler = self._handlers().get(name)
                if handler is None or length > PATH_MAX:
                    await self._fail(f"unknown command {name.hex()}" if handler is None else "path too long")
                    return
                await handler((await self._exactly(length)).decode("utf-8", "replace"))
        except SyncEnded:
            return

    def _handlers(self) -> dict[bytes, Callable[[str], Awaitable[None]]]:
        return {
            b"STAT": self._stat_v1,
            b"LST2": lambda path: self._stat_v2(b"LST2", path),
            b"STA2": lambda path: self._stat_v2(b"STA2", path),
            b"LIST": self._list_v1,
            b"LIS2": self._list_v2,
            b"RECV": self._receive,
            b"SEND": self._send,
        }

    async def _exactly(self, size: int) -> bytes:
        while len(self._held) < size:
            data = await self._reader.read()
            if not data:
                raise SyncEnded
            self._held += data
        part, self._held = self._held[:size], self._held[size:]
        return part

    async def _word(self) -> int:
        return int.from_bytes(await self._exactly(4), "little")

    async def _fail(self, text: str) -> None:
        octets = text.encode()
        await self._writer.write(b"FAIL" + _WORD.pack(len(octets)) + octets)

    async def _stat_v1(self, path: str) -> None:
        try:
            entry = self._files.stat(path)
            body = _STAT_V1.pack(entry.mode, entry.size, entry.mtime)
        except FileTreeError:
            body = _STAT_V1.pack(0, 0, 0)
        await self._writer.write(b"STAT" + body)

    async def _stat_v2(self, name: bytes, path: str) -> None:
        try:
            body = _pack_v2(self._files.stat(path))
        except FileTreeError as error:
            body = _STAT_V2.pack(_ERRNO.get(str(error), errno.EIO), *(0,) * 10)
        await self._writer.write(name + body)

    async def _list_v1(self, path: str) -> None:
        out = b""
        for name, entry in self._directory(path):
            octets = name.encode()
            out += (
                b"DENT"
                + _STAT_V1.pack(entry.mode, entry.size, entry.mtime)
                + _WORD.pack(len(octets))
                + octets
            )
        await self._writer.write(out + b"DONE" + bytes(16))

    async def _list_v2(self, path: str) -> None:
        out = b""
        for name, entry in self._directory(path):
            octets = name.encode()
            out += b"DNT2" + _pack_v2(entry) + _WORD.pack(len(octets)) + octets
        await self._writer.write(out + b"DONE" + bytes(_STAT_V2.size + 4))

    def _directory(self, path: str) -> list[tuple[str, Entry]]:
        try:
            return self._files.listing(path) if self._files.stat(path).data is None else []
        except FileTreeError:
            return []

    async def _receive(self, path: str) -> None:
        try:
            data = self._files.read(path)
        except FileTreeError as error:
            await self._fail(f"open failed: {error}")
            return
        held = b""
        for start in range(0, len(data), CHUNK):
            await self._writer.write(held)
            part = data[start : start + CHUNK]
            held = b"DATA" + _WORD.pack(len(part)) + part
        await self._writer.write(held + b"DONE" + bytes(4))

    async def _send(self, specification: str) -> None:
        path, _, mode = specification.rpartition(",")
        parts: list[bytes] = []
        while (name := await self._exactly(4)) == b"DATA":
            length = await self._word()
            if length > CHUNK:
                await self._fail("oversize data message")
                raise SyncEnded
            parts.append(await self._exactly(length))
        if name != b"DONE":
            await self._fail("invalid data message")
            raise SyncEnded
        mtime = await self._word()
        try:
            above = self._files.resolve(path).rpartition("/")[0]
            self._files.make_directory(above or "/", parents=True)
            self._files.write(path, b"".join(parts), mode=int(mode) if mode.isdigit() else 0o644, mtime=mtime)
        except FileTreeError as error:
            await self._fail(f"couldn't create file: {error}")
            return
        await self._writer.write(b"OKAY" + bytes(4))


def _pack_v2(entry: Entry) -> bytes:
    times = (entry.mtime, entry.mtime, entry.mtime)
    return _STAT_V2.pack(0, 1, 1, entry.mode, 1, 2000, 2000, entry.size, *times)


class Duplex(Reader, Writer, Protocol):
    """What serve needs: both directions of a stream."""


async def serve(stream: Duplex, files: FileTree) -> None:
    """Run a sync session on an ADB stream."""
    await SyncSession(stream, stream, files).run()
