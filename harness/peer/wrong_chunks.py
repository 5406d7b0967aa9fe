"""Chunks of a message as no sender may cut them, on purpose (RFC 4975 7.1.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from harness.msrp.as_written import WrittenChunk
from harness.msrp.message import Flag

_OCTETS = 10


class WrongChunks(StrEnum):
    """What is wrong with them."""

    PAST_THE_END = "more octets than the total says"
    SECOND_END = "a second chunk that ends the message"


def _past_the_end(content: bytes) -> list[WrittenChunk]:
    total = len(content) - _OCTETS
    return [
        WrittenChunk(f"1-{total}/{total}", content[:total], Flag.MORE),
        WrittenChunk(f"{total + 1}-{len(content)}/{total}", content[total:]),
    ]


def _second_end(content: bytes) -> list[WrittenChunk]:
    total = len(content)
    first = total - _OCTETS + 1
    return [
        WrittenChunk(f"1-{total}/{total}", content),
        WrittenChunk(f"{first}-{total}/{total}", content[-_OCTETS:]),
    ]


_CUTS: Mapping[WrongChunks, Callable[[bytes], Sequence[WrittenChunk]]] = {
    WrongChunks.PAST_THE_END: _past_the_end,
    WrongChunks.SECOND_END: _second_end,
}


def wrongly_cut(content: bytes, how: WrongChunks) -> Sequence[WrittenChunk]:
    """The content in chunks that are wrong in this way; it needs more than ten octets."""
    return _CUTS[how](content)
