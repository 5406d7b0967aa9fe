"""A file that has no name (or loses it at once): when the process ends, however it ends, it is gone."""

from __future__ import annotations

import os
import sys
import tempfile
import weakref
from pathlib import Path

AHEAD = 8 * 1024 * 1024
"""Octets of the disk asked for at once: the kernel then need not find room for every page by itself."""


class UnnamedFile:
    """Octets by their place. It is closed when nobody has it any more.

    Args: folder takes the file (that of temporary files when None). Everything raises OSError.
    """

    def __init__(self, folder: Path | None = None) -> None:
        file = tempfile.TemporaryFile(buffering=0, prefix="rcslab-", dir=folder)  # noqa: SIM115
        self.close = weakref.finalize(self, file.close)
        """Give up what is in it."""
        self._descriptor = file.fileno()
        self._end = 0  # of what is written without a gap
        self._reserved = 0

    def write(self, place: int, octets: bytes | bytearray | memoryview) -> None:
        """Put octets in place."""
        view = memoryview(octets)
        # Only for what continues: a place far away may be but claimed, and would take as much of the disk.
        if place <= self._end < place + len(view):
            self._end = place + len(view)
            if self._end > self._reserved:
                self._reserve(self._end + AHEAD)
        while view:
            done = os.pwrite(self._descriptor, view, place)
            view, place = view[done:], place + done

    def read(self, place: int, length: int) -> bytes:
        """Octets from a place on, less only at the end of the file."""
        parts = []
        while length > 0 and (part := os.pread(self._descriptor, length, place)):
            parts.append(part)
            place, length = place + len(part), length - len(part)
        return b"".join(parts)

    def truncate(self, octets: int) -> None:
        """Make it so long."""
        os.ftruncate(self._descriptor, octets)

    def _reserve(self, end: int) -> None:
        start, self._reserved = self._reserved, end
        if sys.platform == "linux":
            try:
                os.posix_fallocate(self._descriptor, start, end - start)
            except OSError:
                return  # no room, or no such thing on this file system: writing shows it
