"""Where the content of a message goes to and comes from. What a file holds is the business of the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Protocol


class BodySink(Protocol):
    """Takes the content of one message that is received. Positions count from 0."""

    def write(self, position: int, data: bytes | memoryview) -> None:
        """Put octets in place, over what is there (RFC 4975 7.3.1: the last received takes precedence).

        An OSError means that they cannot be kept: the message is refused.
        """

    def finish(self, octets: int) -> None:
        """The message is complete and has so many octets; what lies beyond does not belong to it."""

    def discard(self) -> None:
        """The message will not be complete."""


class MemorySink:
    """Content in memory. It takes the room of what was written, whatever position was claimed for it."""

    def __init__(self) -> None:
        self.written = 0
        self._begun = bytearray()  # what came in order
        self._pieces: list[tuple[int, bytes]] = []  # all that came since something was missing
        self._octets = 0

    def write(self, position: int, data: bytes | memoryview) -> None:
        self.written += len(data)
        if self._pieces or position > len(self._begun):
            self._pieces.append((position, bytes(data)))
        else:
            self._begun[position : position + len(data)] = data

    def finish(self, octets: int) -> None:
        self._octets = octets

    def discard(self) -> None:
        self._begun.clear()
        self._pieces.clear()

    @property
    def parts(self) -> list[tuple[int, bytes | bytearray]]:
        """What was written, in that order: position and octets."""
        return [(0, self._begun), *self._pieces]

    @property
    def content(self) -> bytes:
        """The whole content, once it is complete."""
        if not self._pieces:
            return bytes(memoryview(self._begun)[: self._octets])
        whole = bytearray(self._octets)
        for position, data in self.parts:
            end = min(position + len(data), self._octets)
            if position < end:
                whole[position:end] = data[: end - position]
        return bytes(whole)


class NoSink:
    """Content nobody wants."""

    def write(self, position: int, data: bytes | memoryview) -> None:
        pass

    def finish(self, octets: int) -> None:
        pass

    def discard(self) -> None:
        pass


class ContentSource(Protocol):
    """Gives the content of one message that is sent, in order. size: in octets, None when not known."""

    @property
    def size(self) -> int | None:
        """Octets in all, or None."""

    def read(self, octets: int) -> bytes:
        """The next octets: as many, less only at the end, none after it. Never waits for anybody."""


class MemorySource:
    """Content that is in memory."""

    def __init__(self, content: bytes) -> None:
        self._content, self._place = content, 0

    @property
    def size(self) -> int:
        return len(self._content)

    def read(self, octets: int) -> bytes:
        piece = self._content[self._place : self._place + octets]
        self._place += octets
        return piece


class FileSource:
    """Content of an open file from where it stands. size: how much of it, None for all there is."""

    def __init__(self, file: BinaryIO, size: int | None = None) -> None:
        self._file, self._size, self._left = file, size, size

    @property
    def size(self) -> int | None:
        return self._size

    def read(self, octets: int) -> bytes:
        piece = _read(self._file.read, octets if self._left is None else min(octets, self._left))
        if self._left is not None:
            self._left -= len(piece)
        return piece


class PieceSource:
    """Content out of an iterator of pieces of any length."""

    def __init__(self, pieces: Iterable[bytes], size: int | None = None) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self._size = size
        self._rest = memoryview(b"")

    @property
    def size(self) -> int | None:
        return self._size

    def read(self, octets: int) -> bytes:
        return _read(self._some, octets)

    def _some(self, octets: int) -> memoryview:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest = memoryview(piece)
        some, self._rest = self._rest[:octets], self._rest[octets:]
        return some


def _read(some: Callable[[int], bytes | memoryview], octets: int) -> bytes:
    """So many octets of what gives some at a time; less only at the end."""
    found = some(octets)
    if len(found) == octets or not found:
        return bytes(found)
    pieces, missing = [found], octets - len(found)
    while missing and (found := some(missing)):
        pieces.append(found)
        missing -= len(found)
    return b"".join(pieces)
