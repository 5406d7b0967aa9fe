"""The octets of a file piece by piece, unpacked where it is gzip (RFC 1952)."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from harness.evidence.frame import Damage

PIECE = 256 * 1024
"""Octets given at once."""
GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's number for "a gzip header, and the largest window"
_FREE = 64 * 1024 * 1024
_MOST_TIMES = 300
"""Octets that may come of anything, and how many times the packed ones beyond them. Captures of text shrink
to a tenth or a thirtieth; what shrinks to a thousandth was made to fill memory."""


class PackedFile:
    """Gives the octets of a file in order; little of it is in memory. packed: whether it is gzip."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = file.read(PIECE)
        self.packed = self._start[:2] == GZIP
        self._taken = self._given = 0
        self._unpacker = zlib.decompressobj(_GZIP_WINDOW)
        self._waiting = b""
        self._damaged = ""

    def read(self) -> bytes:
        """The next octets, PIECE of them or less; b"" at the end.

        Raises: OSError; Damage when what is packed cannot be unpacked any further.
        """
        if self._damaged:
            raise Damage(self._damaged)
        if self.packed:
            return self._unpack()
        return self._next()

    def _next(self) -> bytes:
        piece, self._start = self._start or self._file.read(PIECE), b""
        self._taken += len(piece)
        return piece

    def _unpack(self) -> bytes:
        octets = b""
        while not octets and (packed := self._packed()):
            try:
                octets = self._unpacker.decompress(packed, PIECE)
            except zlib.error as error:
                raise self._damage(
                    f"the gzip data are damaged before octet {self._taken}: {error}"
                ) from error
            self._waiting = self._unpacker.unconsumed_tail or self._unpacker.unused_data
            self._given += len(octets)
            if self._given > _FREE + _MOST_TIMES * self._taken:
                text = f"{self._taken} octets of gzip become more than {self._given}, which no capture does"
                raise self._damage(text)
        return octets

    def _packed(self) -> bytes:
        """The next packed octets; b"" behind the last member."""
        packed = self._waiting or self._next()
        if not self._unpacker.eof:
            if not packed:
                raise self._damage(f"the gzip data end too early, after {self._taken} octets")
            return packed
        while packed and not packed.strip(b"\0"):  # padding
            packed = self._next()
        packed = packed.lstrip(b"\0")
        if packed.startswith(GZIP[:1]):
            self._unpacker = zlib.decompressobj(_GZIP_WINDOW)
            return packed
        return b""

    def _damage(self, text: str) -> Damage:
        self._damaged = text
        return Damage(text)
