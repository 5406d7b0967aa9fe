"""Files to and from a handset by the sync: service of adbd (packages/modules/adb/SYNC.TXT), with a deadline.

adbutils speaks it too, but without any timeout.
"""

from __future__ import annotations

import socket
import stat
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from devices.adb_transport import AdbTransportLink, Closing, exactly
from harness.errors import HandsetError
from harness.evidence.timeline import Layer, Timeline

if TYPE_CHECKING:
    from adbutils import AdbConnection

CHUNK = 64 * 1024
SLOWEST = 1_000_000
"""Octets per second a handset moves at least; the deadline grows by it."""
_HEAD = struct.Struct("<4sI")


class AdbFiles:
    """Push and pull over one link. Raises HandsetLost; HandsetError when the handset refuses a path."""

    def __init__(self, link: AdbTransportLink, timeline: Timeline) -> None:
        self._link, self._timeline = link, timeline

    def push(self, file: Path, path: str) -> None:
        """Write a local file to a path of the handset."""
        size = file.stat().st_size
        until = self._until(size)

        def send() -> None:
            with Closing(self._link.open("sync:", until)) as connection, file.open("rb") as data:
                target = f"{path},{stat.S_IFREG | 0o644}".encode()
                held = _HEAD.pack(b"SEND", len(target)) + target
                # A small file goes in one write: further ones would wait 40 ms for the ACK of the first.
                while part := data.read(CHUNK):
                    held += _HEAD.pack(b"DATA", len(part)) + part
                    if len(held) >= CHUNK:
                        _write(connection, held, until)
                        held = b""
                _write(connection, held + _HEAD.pack(b"DONE", int(file.stat().st_mtime)), until)
                answer, length = _HEAD.unpack(exactly(connection, _HEAD.size, until))
                if answer != b"OKAY":
                    raise self._refused("push", path, exactly(connection, length, until))

        self._link.guarded(send, f"{path} to be written")
        self._timeline.event(Layer.ADB, "push", serial=self._link.serial, path=path, octets=size)

    def pull(self, path: str, sink: Callable[[bytes], object], size: int = 0) -> int:
        """Read a file of the handset, piece by piece into `sink`; returns its octets.

        `size` is what it is expected to have: the deadline grows with it.
        """
        until, total = self._until(size), 0

        def receive() -> None:
            nonlocal total
            with Closing(self._link.open("sync:", until)) as connection:
                name = path.encode()
                _write(connection, _HEAD.pack(b"RECV", len(name)) + name, until)
                while True:
                    kind, length = _HEAD.unpack(exactly(connection, _HEAD.size, until))
                    if kind == b"DONE":
                        return
                    part = exactly(connection, length, until)
                    if kind != b"DATA":
                        raise self._refused("pull", path, part)
                    total += len(part)
                    sink(part)

        self._link.guarded(receive, f"{path} to be read")
        self._timeline.event(Layer.ADB, "pull", serial=self._link.serial, path=path, octets=total)
        return total

    def _until(self, size: int) -> float:
        return time.monotonic() + self._link.deadline + size / SLOWEST

    def _refused(self, act: str, path: str, text: bytes) -> HandsetError:
        said = text.decode("utf-8", "replace")
        return HandsetError(f"handset {self._link.serial}: {act} {path}: {said}")


def _write(connection: AdbConnection, octets: bytes, until: float) -> None:
    """Raises TimeoutError at the deadline."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    plain: socket.socket = connection.conn
    plain.settimeout(left)
    plain.sendall(octets)
