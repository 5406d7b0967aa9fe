"""IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768): packets read, and written with checksums."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import NamedTuple

TCP, UDP = 6, 17
IPV4_IN_IP, IPV6_IN_IP = 4, 41
MOST_PAYLOAD = 65_000
"""Octets of one TCP segment or UDP datagram that fit either IP version with all headers."""

_EXTENSIONS = {0: 8, 43: 8, 60: 8, 135: 8, 139: 8, 140: 8, 51: 4}
"""IPv6 extension header -> unit of its length field: hop-by-hop, routing, destination, mobility, host
identity, shim, authentication."""
_FRAGMENT = 44
_AUTHENTICATION = 51
_IPV4 = Struct(">BxHHHxBxx4s4s")
_IPV6 = Struct(">IHBx16s16s")


class Datagram(NamedTuple):
    """The payload of one IP packet between two addresses, which are octets. cut: octets at the end that the
    capture did not keep. identification: the number its sender gave it, 0 for none.
    """

    source: bytes
    destination: bytes
    protocol: int
    payload: bytes
    cut: int = 0
    identification: int = 0


class Fragment(NamedTuple):
    """A part of a datagram. key: what all its parts have in common; offset: of its payload, in octets."""

    key: tuple[bytes, bytes, int, int]
    offset: int
    last: bool
    datagram: Datagram


def read_ip(packet: bytes, at: int = 0) -> Datagram | Fragment | None:
    """What an IP packet carries that begins at a place of the octets. None for what is no IP."""
    version = packet[at] >> 4 if at < len(packet) else 0
    try:
        if version == 4:
            return _read_ipv4(packet, at)
        return _read_ipv6(packet, at) if version == 6 else None
    except struct.error:  # the header is cut
        return None


def _read_ipv4(packet: bytes, at: int) -> Datagram | Fragment | None:
    first, total, identification, flags, protocol, source, destination = _IPV4.unpack_from(packet, at)
    header = (first & 0x0F) * 4
    # A total length of zero is what a capture sees before the network card has cut the segment.
    total = total or len(packet) - at
    if header < 20 or total < header or len(packet) < at + header:
        return None
    payload = packet[at + header : at + total]
    cut = total - header - len(payload)
    if protocol == _AUTHENTICATION and not flags & 0x3FFF:
        protocol, payload = _behind_authentication(payload)
    datagram = Datagram(source, destination, protocol, payload, cut, identification)
    if not flags & 0x3FFF:
        return datagram
    offset, more = (flags & 0x1FFF) * 8, bool(flags & 0x2000)
    return Fragment((source, destination, protocol, identification), offset, not more, datagram)


def _behind_authentication(payload: bytes) -> tuple[int, bytes]:
    """RFC 4302 2: what follows an authentication header, whose length is in words beyond two."""
    if len(payload) < 12:
        return _AUTHENTICATION, payload
    return payload[0], payload[(payload[1] + 2) * 4 :]


def _read_ipv6(packet: bytes, at: int) -> Datagram | Fragment | None:
    _, length, protocol, source, destination = _IPV6.unpack_from(packet, at)
    offset = at + 40
    end = offset + length if length else len(packet)
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
                return Fragment((source, destination, 6, identification), start, not more, piece)
        else:
            offset += 8 + packet[offset + 1] * _EXTENSIONS[protocol]
        protocol = following
    if offset > end:
        return None
    payload = packet[offset:end]
    return Datagram(source, destination, protocol, payload, end - offset - len(payload))


def behind_extensions(datagram: Datagram) -> Datagram:
    """A datagram put together from IPv6 fragments, whose extension headers came with the fragments."""
    protocol, payload = datagram.protocol, datagram.payload
    while protocol in _EXTENSIONS and len(payload) >= 8:
        protocol, payload = payload[0], payload[8 + payload[1] * _EXTENSIONS[protocol] :]
    return datagram._replace(protocol=protocol, payload=payload)


@lru_cache(maxsize=4096)
def host(octets: bytes) -> str:
    """An address as text."""
    return str(IPv4Address(octets) if len(octets) == 4 else IPv6Address(octets))


class UdpPayload(NamedTuple):
    """A UDP datagram: ports, data, and the octets the capture did not keep."""

    source_port: int
    destination_port: int
    data: bytes
    cut: int


_UDP = Struct(">HHH")


def read_udp(datagram: Datagram) -> UdpPayload | None:
    """The UDP datagram in an IP datagram; None when there is no whole header."""
    payload = datagram.payload
    if len(payload) < 8:
        return None
    source, destination, length = _UDP.unpack_from(payload)
    data = payload[8:length] if length >= 8 else payload[8:]
    cut = min(datagram.cut, max(0, length - 8 - len(data))) if datagram.cut else 0
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


def checksum_holds(datagram: Datagram) -> bool:
    """Whether the checksum of a TCP segment or a UDP datagram is right. A UDP one of zero proves nothing."""
    segment = datagram.payload
    place = 16 if datagram.protocol == TCP else 6
    if len(segment) < place + 2 or (datagram.protocol == UDP and segment[6:8] == b"\0\0"):
        return False
    pseudo = datagram.source + datagram.destination + struct.pack(">II", len(segment), datagram.protocol)
    return _checksum(pseudo + segment) == 0


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
