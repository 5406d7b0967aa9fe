"""Bodies of SIP messages, whatever they are wrapped in (RFC 3261 7.4, RFC 5621)."""

from __future__ import annotations

from collections.abc import Iterator

from harness.bodies.multipart import Part, split_multipart
from harness.errors import BodySyntaxError
from harness.verify.comparison import is_encoded
from harness.verify.items import SipEntry

_MOST_NESTED = 4


def bodies_of(entry: SipEntry, essence: str) -> Iterator[tuple[int, bytes]]:
    """Every body of a type (lower case, without parameters) with the octet of the message where it starts.

    None of a message that is compressed, or of which the capture lacks the end.
    """
    message, kind = entry.message, entry.content_type
    if message is None or kind is None or not message.body or entry.incomplete or is_encoded(message):
        return
    boundary = kind.parameters.get("boundary")
    yield from _within(message.body, kind.essence, boundary, message.body_offset, essence)


def parts_of(body: bytes, boundary: str | None) -> tuple[Part, ...]:
    """The parts of a multipart body; none where it cannot be split."""
    try:
        return split_multipart(body, boundary or "").parts
    except BodySyntaxError:
        return ()


def _within(
    octets: bytes, essence: str, boundary: str | None, offset: int, wanted: str, depth: int = 0
) -> Iterator[tuple[int, bytes]]:
    if essence == wanted:
        yield offset, octets
    if not essence.startswith("multipart/") or depth == _MOST_NESTED:
        return
    for part in parts_of(octets, boundary):
        kind = part.content_type
        if kind is not None:
            inner, place = kind.parameters.get("boundary"), offset + part.content_offset
            yield from _within(part.content, kind.essence, inner, place, wanted, depth + 1)
