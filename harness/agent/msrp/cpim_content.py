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
    pieces = chain([head], _pieces(content))
    return PieceSource(pieces if cut is None else _first(pieces, cut), len(head) + size_of(content))


def _pieces(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while piece := file.read(_PIECE_OCTETS):
            yield piece


def _first(pieces: Iterable[bytes], octets: int) -> Iterator[bytes]:
    """So many octets of pieces."""
    for piece in pieces:
        if octets <= 0:
            return
        yield piece[:octets]
        octets -= len(piece)
