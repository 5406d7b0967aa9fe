"""A run of octets that grows without bound: the newest part in memory, the rest in an unnamed file.

Once there is a file a large piece goes there at once, with all that is before it: octets that just came are
in the cache of the processor, and their memory is free for the next ones.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from harness.evidence.unnamed_file import UnnamedFile

BLOCK = 256 * 1024
"""Octets written to the file at once."""


_Block = BytesIO | bytes


class Spool:
    """Append, and read what was appended. Not thread-safe: who owns it has the lock.

    Args: memory is how many octets stay out of the file. folder takes the file (that of temporary files when
    None). on_loss: called when octets were given up because the file could not be written; without it they
    stay in memory.
    """

    def __init__(
        self, memory: int, folder: Path | None = None, on_loss: Callable[[OSError], None] | None = None
    ) -> None:
        self.end = 0
        """Octets appended so far: where the next ones begin."""
        self.lost = 0
        """Octets given up."""
        self._memory, self._folder, self._on_loss = memory, folder, on_loss
        self._block_size = max(512, min(BLOCK, memory // 8))
        self._file: UnnamedFile | None = None
        self._filed = 0  # octets before this place are in the file, or lost
        self._holes: list[tuple[int, int]] = []
        # Where each block in memory begins, and the block: collected octets up to its position, or one large
        # piece as it was given. A buffer that is in the file is used again: its memory is there already.
        self._newest = BytesIO()
        self._starts: list[int] = [0]
        self._blocks: list[_Block] = [self._newest]
        self._next_at = self._block_size
        self._large = self._block_size // 16

    def append(self, octets: bytes | bytearray | memoryview) -> None:
        """Add octets. An OSError is not raised but told to on_loss."""
        if len(octets) >= self._large:
            if self._file is not None and self._write_through(octets):
                return
            if isinstance(octets, bytes):
                self._adopt(octets)
                return
        self.end += self._newest.write(octets)
        if self.end >= self._next_at:
            self._next_block(BytesIO())

    def read(self, start: int, length: int) -> bytes:
        """Octets from a place on; those given up are left out.

        Raises: OSError when the file cannot be read.
        """
        if start >= self._filed:
            return self._remembered(start, length)
        if self.has_lost(start):
            return b""
        filed = min(length, self._filed - start)
        octets = self._open().read(start, filed)
        if len(octets) < filed:
            raise OSError(f"the spool ends {filed - len(octets)} octets too early")
        return octets + self._remembered(self._filed, length - filed) if filed < length else octets

    def _remembered(self, start: int, length: int) -> bytes:
        at = bisect_right(self._starts, start) - 1
        place = start - self._starts[at]
        octets = self._in_block(at, place, length)
        while len(octets) < length:
            at += 1
            octets += self._in_block(at, 0, length - len(octets))
        return octets

    def _in_block(self, at: int, place: int, length: int) -> bytes:
        return bytes(_octets_of(self._blocks[at])[place : place + length])

    def has_lost(self, place: int) -> bool:
        """Whether the octets there were given up."""
        at = bisect_right(self._holes, (place, self.end)) - 1
        return at >= 0 and place < self._holes[at][1]

    def _adopt(self, octets: bytes) -> None:
        """Take a large piece as a block of its own, without a copy."""
        if self.end == self._starts[-1]:  # the newest block has nothing in it
            del self._starts[-1], self._blocks[-1]
            free = self._newest
        else:
            free = BytesIO()
        self._starts.append(self.end)
        self._blocks.append(octets)
        self.end += len(octets)
        self._next_block(free)

    def _write_through(self, octets: bytes | bytearray | memoryview) -> bool:
        """Write a large piece, and all that is in memory before it. False when not all could be written."""
        try:
            while self._filed < self.end:
                self._file_oldest()
            self._begin_anew()
            self._open().write(self.end, octets)
        except OSError:
            return False
        self.end += len(octets)
        self._filed = self.end
        self._begin_anew()
        return True

    def _begin_anew(self) -> None:
        """Nothing is in memory any more."""
        self._starts.clear()
        self._blocks.clear()
        self._begin_block(self._newest)

    def _next_block(self, free: BytesIO) -> None:
        while self.end - self._filed > self._memory and (oldest := self._write_oldest()) is not None:
            if isinstance(oldest, BytesIO):
                free = oldest
        self._begin_block(free)

    def _begin_block(self, free: BytesIO) -> None:
        free.seek(0)
        self._newest = free
        self._next_at = self.end + self._block_size
        self._starts.append(self.end)
        self._blocks.append(free)

    def _write_oldest(self) -> _Block | None:
        """The block that is in the file (or given up) from now on; None when it stays in memory."""
        try:
            return self._file_oldest()
        except OSError as error:
            if self._on_loss is None:
                return None
            start, block = self._starts[0], self._take_oldest()
            self._give_up(start, self._filed)
            self._on_loss(error)
            return block

    def _file_oldest(self) -> _Block:
        """The block that is in the file from now on. Raises OSError when it could not be written."""
        with _octets_of(self._blocks[0]) as octets:
            self._open().write(self._starts[0], octets)
        return self._take_oldest()

    def _take_oldest(self) -> _Block:
        """The oldest block, which is no longer in memory."""
        start, block = self._starts.pop(0), self._blocks.pop(0)
        with _octets_of(block) as octets:
            self._filed = start + len(octets)
        return block

    def _open(self) -> UnnamedFile:
        if self._file is None:
            self._file = UnnamedFile(self._folder)
        return self._file

    def _give_up(self, start: int, end: int) -> None:
        self.lost += end - start
        if self._holes and self._holes[-1][1] == start:
            start = self._holes.pop()[0]
        self._holes.append((start, end))


def _octets_of(block: _Block) -> memoryview:
    return memoryview(block) if isinstance(block, bytes) else block.getbuffer()[: block.tell()]
