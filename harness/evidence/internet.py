"""IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768): fragments put together, packets written with checksums."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

TCP, UDP = 6, 17
MOST_PAYLOAD = 65_000
"""Octets of one TCP segment or UDP datagram that fit either IP version with all headers."""

_IPV4_IN_IP, _IPV6_IN_IP = 4, 41
_EXTENSIONS = {0: 8, 43: 8, 60: 8, 51: 4}
"""IPv6 extension header -> unit of its length field: hop-by-hop, routing, destination, authentication."""
_FRAGMENT = 44
_TUNNELS = 4


@dataclass(frozen=True, slots=True)
class Datagram:
    """The payload of one IP packet. cut: octets at the end that the capture did not keep."""

    source: str
    destination: str
    protocol: int
    payload: bytes
    cut: int = 0


class _Fragment(NamedTuple):
    key: tuple[str, str, int, int]
    offset: int
    last: bool
    datagram: Datagram


class Defragmenter:
    """Gives whole datagrams; keeps fragments until their siblings come, in whatever order."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str, int, int], list[_Fragment]] = {}

    @property
    def incomplete(self) -> int:
        """Datagrams of which a fragment is missing."""
        return len(self._waiting)

    def receive(self, packet: bytes) -> Datagram | None:
        """The datagram this packet is or completes. None for what is no IP or not complete yet."""
        for _ in range(_TUNNELS):
            read = _read(packet)
            datagram = self._join(read) if isinstance(read, _Fragment) else read
            if datagram is None or datagram.protocol not in (_IPV4_IN_IP, _IPV6_IN_IP):
                return datagram
            packet = datagram.payload
        return None

    def _join(self, fragment: _Fragment) -> Datagram | None:
        fragments = self._waiting.setdefault(fragment.key, [])
        fragments.append(fragment)
        payload = bytearray()
        for piece in sorted(fragments, key=lambda each: each.offset):
            if piece.offset > len(payload):
                return None
            payload += piece.datagram.payload[len(payload) - piece.offset :]
            if piece.last:
                del self._waiting[fragment.key]
                first = min(fragments, key=lambda each: each.offset)
                return replace(first.datagram, payload=bytes(payload), cut=piece.datagram.cut)
        return None


def _read(packet: bytes) -> Datagram | _Fragment | None:
    version = packet[0] >> 4 if packet else 0
    if version == 4:
        return _read_ipv4(packet)
    return _read_ipv6(packet) if version == 6 else None


def _read_ipv4(packet: bytes) -> Datagram | _Fragment | None:
    header = (packet[0] & 0x0F) * 4
    if header < 20 or len(packet) < header:
        return None
    total, identification, flags = struct.unpack_from(">HHH", packet, 2)
    # A total length of zero is what a capture sees before the network card has cut the segment.
    total = total or len(packet)
    if total < header:
        return None
    source, destination = _ipv4(packet[12:16]), _ipv4(packet[16:20])
    payload = packet[header:total]
    datagram = Datagram(source, destination, packet[9], payload, total - header - len(payload))
    offset, more = (flags & 0x1FFF) * 8, bool(flags & 0x2000)
    if not offset and not more:
        return datagram
    return _Fragment((source, destination, packet[9], identification), offset, not more, datagram)


def _read_ipv6(packet: bytes) -> Datagram | _Fragment | None:
    if len(packet) < 40:
        return None
    (length,) = struct.unpack_from(">H", packet, 4)
    source, destination = _ipv6(packet[8:24]), _ipv6(packet[24:40])
    end = 40 + length if length else len(packet)
    protocol, offset = packet[6], 40
    while protocol in _EXTENSIONS or protocol == _FRAGMENT:
        if offset + 8 > min(end, len(packet)):
            return None
        following = packet[offset]
        if protocol == _FRAGMENT:
            field, identification = struct.unpack_from(">HI", packet, offset + 2)
            start, more = field & 0xFFF8, bool(field & 1)
            offset += 8
            if start or more:
                payload = packet[offset:end]
                piece = Datagram(source, destination, following, payload, end - offset - len(payload))
                return _Fragment((source, destination, 6, identification), start, not more, piece)
        else:
            unit = _EXTENSIONS[protocol]
            offset += 8 + packet[offset + 1] * unit
        protocol = following
    if offset > end:
        return None
    payload = packet[offset:end]
    return Datagram(source, destination, protocol, payload, end - offset - len(payload))


@lru_cache(maxsize=4096)
def _ipv4(octets: bytes) -> str:
    return str(IPv4Address(octets))


@lru_cache(maxsize=4096)
def _ipv6(octets: bytes) -> str:
    return str(IPv6Address(octets))


class UdpPayload(NamedTuple):
    """A UDP datagram: ports, data, and the octets the capture did not keep."""

    source_port: int
    destination_port: int
    data: bytes
    cut: int


def read_udp(datagram: Datagram) -> UdpPayload | None:
    """The UDP datagram in an IP datagram; None when there is no whole header."""
    if len(datagram.payload) < 8:
        return None
    source, destination, length = struct.unpack_from(">HHH", datagram.payload)
    data = datagram.payload[8:length] if length >= 8 else datagram.payload[8:]
    cut = min(datagram.cut, max(0, length - 8 - len(data)))
    return UdpPayload(source, destination, data, cut)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a written packet comes from and goes to, as octets of one IP version."""

    source: bytes
    source_port: int
    destination: bytes
    destination_port: int

    @classmethod
    def of(cls, source: tuple[str, int], destination: tuple[str, int]) -> Endpoints:
        """From address literals. IPv4-mapped IPv6 becomes IPv4; where versions differ both become IPv6."""
        ends = [_plain(source[0]), _plain(destination[0])]
        if ends[0].version != ends[1].version:
            ends = [IPv6Address(f"::ffff:{end}") if end.version == 4 else end for end in ends]
        return cls(ends[0].packed, source[1], ends[1].packed, destination[1])

    def reverse(self) -> Endpoints:
        """The way back."""
        return Endpoints(self.destination, self.destination_port, self.source, self.source_port)


def _plain(host: str) -> IPv4Address | IPv6Address:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return IPv4Address(0)
    return (address.version == 6 and address.ipv4_mapped) or address


def udp_packet(ends: Endpoints, data: bytes, identification: int) -> bytes:
    """An IP packet with one UDP datagram. Data beyond MOST_PAYLOAD is left out."""
    data = data[:MOST_PAYLOAD]
    header = struct.pack(">HHH", ends.source_port, ends.destination_port, len(data) + 8)
    checksum = transport_checksum(ends, UDP, header + b"\0\0" + data)
    # RFC 768: a computed zero is sent as all ones, zero means there is none.
    return ip_header(ends, UDP, len(data) + 8, identification) + header + (checksum or b"\xff\xff") + data


def transport_checksum(ends: Endpoints, protocol: int, segment: bytes) -> bytes:
    """RFC 768, RFC 9293 3.1, RFC 8200 8.1: over the pseudo header and the segment; b"" where it is zero."""
    pseudo = ends.source + ends.destination + struct.pack(">II", len(segment), protocol)
    checksum = _checksum(pseudo + segment)
    return checksum.to_bytes(2, "big") if checksum else b""


def ip_header(ends: Endpoints, protocol: int, length: int, identification: int) -> bytes:
    """The header before `length` octets of payload."""
    if len(ends.source) == 16:
        return struct.pack(">IHBB", 6 << 28, length, protocol, 64) + ends.source + ends.destination
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, identification & 0xFFFF, 0x4000, 64, protocol, 0)
    header += ends.source + ends.destination
    return header[:10] + _checksum(header).to_bytes(2, "big") + header[12:]


def _checksum(octets: bytes) -> int:
    """RFC 1071: the complement of the ones' complement sum, taken as a remainder modulo 65535."""
    total = int.from_bytes(octets + bytes(len(octets) % 2), "big")
    return 0xFFFF - (total % 0xFFFF or (0xFFFF if total else 0))
