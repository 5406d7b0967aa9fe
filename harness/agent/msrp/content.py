"""Content of MSRP messages outside of memory: what is received goes to a file once it is large."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from harness.evidence.unnamed_file import UnnamedFile
from harness.msrp.content import ContentSource, FileSource, MemorySink, MemorySource, PieceSource

MEMORY_OCTETS = 1024 * 1024

Content = bytes | Path | BinaryIO | Iterable[bytes] | ContentSource
"""What can be sent: octets, a file by its name or open (sent from where it stands), pieces, or a source."""


class SpooledContent:
    """The content of one received message: in memory up to `memory` octets, else in a file without a name."""

    def __init__(self, memory: int = MEMORY_OCTETS, folder: Path | None = None) -> None:
        self.size = 0
        """Octets, once the message is complete."""
        self._memory, self._folder = memory, folder
        self._sink = MemorySink()
        self._file: UnnamedFile | None = None

    @property
    def in_file(self) -> bool:
        """Whether it outgrew memory."""
        return self._file is not None

    def write(self, position: int, data: bytes | memoryview) -> None:
        if self._file is None and self._sink.written + len(data) > self._memory:
            self._move()
        if self._file is None:
            self._sink.write(position, data)
        else:
            self._file.write(position, data)

    def finish(self, octets: int) -> None:
        self.size = octets
        if self._file is None:
            self._sink.finish(octets)
        else:
            self._file.truncate(octets)

    def discard(self) -> None:
        """Nothing more comes. What there is goes with its last user, who may go on with it another time."""

    def let_go(self) -> None:
        """Nobody wants it any more: memory and file are given back, and nothing can be read."""
        self.size, self._sink = 0, MemorySink()
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self, position: int = 0, octets: int | None = None) -> bytes:
        """Octets from a position, to the end for None."""
        count = self.size - position if octets is None else min(octets, self.size - position)
        if self._file is None:
            return self._sink.content[position : position + count]
        return self._file.read(position, count)

    def _move(self) -> None:
        self._file = UnnamedFile(self._folder)
        for position, data in self._sink.parts:
            self._file.write(position, data)
        self._sink.discard()


def source_of(content: Content) -> ContentSource:
    """What sends a content. Raises OSError for a file that cannot be opened."""
    if isinstance(content, bytes):
        return MemorySource(content)
    if isinstance(content, Path):
        file = content.open("rb")
        source = FileSource(file, content.stat().st_size)
        weakref.finalize(source, file.close)
        return source
    if isinstance(content, PieceSource | FileSource | MemorySource):
        return content
    if isinstance(content, Iterable) and not hasattr(content, "read"):
        return PieceSource(content)
    return FileSource(content)  # type: ignore[arg-type]
