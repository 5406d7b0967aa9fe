"""A message in CPIM as content to be sent: the headers, then what they wrap, from memory or from a file.

RFC 3862; the file is read as it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from harness.bodies.cpim import build_cpim
from harness.msrp.content import PieceSource

Header = tuple[str, str]
_PIECE_OCTETS = 256 * 1024


def size_of(content: bytes | Path) -> int:
    """Octets of a content. Raises OSError."""
    return content.stat().st_size if isinstance(content, Path) else len(content)


def cpim_source(
    headers: Iterable[Header],
    mime: Iterable[Header],
    content: bytes | Path,
    *,
    strict: bool = True,
    cut: int | None = None,
) -> PieceSource:
    """The object for one message. strict: see build_cpim.

    cut: octets of the object after which the message breaks off; MSRP then ends it as aborted ("#",
    RFC 4975 7.1), while its Byte-Range tells the whole. Raises BodySyntaxError, OSError.
    """
    head = build_cpim(headers, mime, b"", strict=strict)
    pieces = chain([head], pieces_of(content))
    return PieceSource(pieces if cut is None else first(pieces, cut), len(head) + size_of(content))


def pieces_of(content: bytes | Path, start: int = 0) -> Iterator[bytes]:
    """A content from an octet on, counted from 0. Raises OSError."""
    if isinstance(content, bytes):
        for place in range(start, len(content), _PIECE_OCTETS):
            yield content[place : place + _PIECE_OCTETS]
        return
    with content.open("rb") as file:
        file.seek(start)
        while piece := file.read(_PIECE_OCTETS):
            yield piece


def first(pieces: Iterable[bytes], octets: int) -> Iterator[bytes]:
    """So many octets of pieces."""
    for piece in pieces:
        if octets <= 0:
            return
        yield piece[:octets]
        octets -= len(piece)
