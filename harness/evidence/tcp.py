"""TCP segments (RFC 9293): read, and written as a whole conversation. stream.py puts them together."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

from harness.evidence.internet import (
    MOST_PAYLOAD,
    TCP,
    Datagram,
    Endpoints,
    host,
    ip_header,
    transport_checksum,
)
from harness.evidence.timeline import Address

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
_WRAP = 1 << 32
_WINDOW_SCALE = 14
# Maximum segment size, no operation, window scale: a window that no stream of a test fills, since nobody
# acknowledges in between.
_SYN_OPTIONS = struct.pack(">BBHBBBB", 2, 4, MOST_PAYLOAD, 1, 3, 3, _WINDOW_SCALE)


class Segment(NamedTuple):
    """A captured segment. flow: the octets of source, destination and ports, which tell its direction."""

    flow: bytes
    sequence: int
    acknowledged: int
    flags: int
    data: bytes


_TCP = Struct(">4xIIBB")


def read_tcp(datagram: Datagram) -> Segment | None:
    """The segment in an IP datagram; None when there is no whole header."""
    source, destination, _, octets, _, _ = datagram
    if len(octets) < 20:
        return None
    sequence, acknowledged, offset, flags = _TCP.unpack_from(octets)
    header = (offset >> 4) * 4
    if header < 20 or len(octets) < header:
        return None
    return Segment(source + destination + octets[:4], sequence, acknowledged, flags, octets[header:])


def ends_of(flow: bytes) -> tuple[Address, Address]:
    """Source and destination."""
    size = (len(flow) - 4) // 2
    ports = flow[-4:]
    source = Address(host(flow[:size]), int.from_bytes(ports[:2], "big"))
    return source, Address(host(flow[size : 2 * size]), int.from_bytes(ports[2:], "big"))


def way_back(flow: bytes) -> bytes:
    """The flow of the other direction."""
    size = (len(flow) - 4) // 2
    return flow[size : 2 * size] + flow[:size] + flow[-2:] + flow[-4:-2]


@dataclass(slots=True)
class Conversation:
    """Writes a connection: handshake, data with right numbers and checksums, and the end.

    ends: from the one that opened it to the other.
    """

    ends: Endpoints
    initial: int
    _next: dict[bool, int] = field(default_factory=dict)
    _identification: int = 0

    def open(self) -> list[bytes]:
        """SYN, SYN/ACK, ACK."""
        self._next = {True: self.initial, False: self.initial + (1 << 31)}
        return [self._segment(True, SYN), self._segment(False, SYN | ACK), self._segment(True, ACK)]

    def data(self, ends: Endpoints, octets: bytes) -> list[bytes]:
        """The octets in as many segments as they need, from the source of `ends`."""
        forward = ends == self.ends
        parts = [octets[at : at + MOST_PAYLOAD] for at in range(0, len(octets), MOST_PAYLOAD)]
        return [self._segment(forward, ACK | (PSH if part is parts[-1] else 0), part) for part in parts]

    def skip(self, ends: Endpoints, octets: int) -> None:
        """Leave out as many octets from the source of `ends`: nobody has them."""
        self._next[ends == self.ends] += octets

    def close(self, *, by_opener: bool = True) -> list[bytes]:
        """FIN/ACK from both ends and the last ACK."""
        ends = (by_opener, FIN | ACK), (not by_opener, FIN | ACK), (by_opener, ACK)
        return [self._segment(forward, flags) for forward, flags in ends]

    def _segment(self, forward: bool, flags: int, data: bytes = b"") -> bytes:
        ends = self.ends if forward else self.ends.reverse()
        options = _SYN_OPTIONS if flags & SYN else b""
        header = struct.pack(
            ">HHIIBBH",
            ends.source_port,
            ends.destination_port,
            self._next[forward] % _WRAP,
            self._next[not forward] % _WRAP if flags & ACK else 0,
            (20 + len(options)) // 4 << 4,
            flags,
            0xFFFF,
        )
        self._next[forward] += len(data) + bool(flags & (SYN | FIN))
        self._identification += 1
        checksum = transport_checksum(ends, TCP, header + bytes(4) + options + data) or bytes(2)
        segment = header + checksum + bytes(2) + options + data
        return ip_header(ends, TCP, len(segment), self._identification) + segment
