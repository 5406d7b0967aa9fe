"""The classic pcap file, in microseconds or nanoseconds and either byte order (draft-ietf-opsawg-pcap)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import NamedTuple

from harness.evidence.frame import MOST_FRAME, Damage, Frame

HEADER_OCTETS = 24


class _Variant(NamedTuple):
    order: str
    ticks_per_second: int
    more: int = 0
    """Octets of a record's header beyond the usual sixteen."""


MAGICS = {
    b"\xd4\xc3\xb2\xa1": _Variant("<", 10**6),
    b"\xa1\xb2\xc3\xd4": _Variant(">", 10**6),
    b"\x4d\x3c\xb2\xa1": _Variant("<", 10**9),
    b"\xa1\xb2\x3c\x4d": _Variant(">", 10**9),
    # A patched libpcap of the nineties, still written by devices that carry it: index, protocol, packet type.
    b"\x34\xcd\xb2\xa1": _Variant("<", 10**6, 8),
    b"\xa1\xb2\xcd\x34": _Variant(">", 10**6, 8),
}
_EMPTY_IN_A_ROW = 32


def read_pcap(start: bytes, read: Callable[[], bytes]) -> Iterator[Frame]:
    """The frames of the file. Raises Damage where it makes no sense any more.

    Args: start begins with one of MAGICS and has the whole file header; read gives what follows it, b"" at
    the end.
    """
    order, ticks, more = MAGICS[start[:4]]
    link_type = Struct(order + "I").unpack_from(start, 20)[0] & 0xFFFF
    header = Struct(order + "IIII")
    octets, offset = start, 0
    at, empty = HEADER_OCTETS, 0
    head = header.size + more
    while True:
        last = len(octets) - head
        while at <= last:
            seconds, fraction, captured, length = header.unpack_from(octets, at)
            body = at + head
            if body + captured > len(octets):
                break
            empty = 0 if length else empty + 1
            if empty > _EMPTY_IN_A_ROW:
                raise Damage(f"has nothing but zeros before octet {offset + body}")
            at = body + captured
            yield Frame((seconds * ticks + fraction) / ticks, link_type, octets[body:at], length)
        if at <= last and captured > MOST_FRAME:
            raise Damage(f"has a record at octet {offset + at} that announces {captured} octets")
        following = read()
        if not following:
            break
        octets, offset, at = octets[at:] + following, offset + at, 0
    if at < len(octets):
        raise Damage(f"ends inside the record at octet {offset + at}{_announced(octets, at, head, header)}")


def _announced(octets: bytes, at: int, head: int, header: Struct) -> str:
    if at + head > len(octets):
        return ""
    captured = header.unpack_from(octets, at)[2]
    return f", which announces {captured} octets where {len(octets) - at - head} are left"
