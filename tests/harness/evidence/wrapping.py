"""IP packets as they stand in captures from elsewhere: under other links, in tunnels, in fragments.

Written by hand after the documents named beside each, and not with what reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

ETHERNET, RAW, LINUX, LINUX_2 = 1, 101, 113, 276
MACS = bytes.fromhex("020000000001020000000002")
Frames = Callable[[bytes], list[bytes]]
"""The frames that carry an IP packet."""


def kind(packet: bytes) -> bytes:
    """The EtherType of an IP packet."""
    return b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"


def ones_sum(octets: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f">{(len(octets) + 1) // 2}H", octets + bytes(len(octets) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ipv4(protocol: int, payload: bytes, number: int = 1, field: int = 0, options: bytes = b"") -> bytes:
    """RFC 791 3.1, between two nodes of the network."""
    words = 5 + len(options) // 4
    head = struct.pack(">BBHHHBB", 0x40 | words, 0, words * 4 + len(payload), number, field, 64, protocol)
    ends = bytes((172, 16, 0, 1, 172, 16, 0, 2)) + options
    return head + struct.pack(">H", 0xFFFF - ones_sum(head + ends)) + ends + payload


def ipv6(protocol: int, payload: bytes) -> bytes:
    """RFC 8200 3."""
    ends = bytes.fromhex("fd000000000000000000000000000001fd000000000000000000000000000002")
    return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + ends + payload


def udp(port: int, data: bytes) -> bytes:
    """RFC 768, without a checksum, as user planes send it."""
    return struct.pack(">HHHH", port, port, 8 + len(data), 0) + data


def gtp(packet: bytes, *extensions: bytes, sequence: int | None = None) -> bytes:
    """3GPP TS 29.281 5.1, 5.2: a G-PDU. An extension is its type and its content of 2 octets more than a
    multiple of four.
    """
    optional = b""
    if extensions or sequence is not None:
        following = [each[0] for each in extensions] + [0]
        optional = struct.pack(">HBB", sequence or 0, 0, following[0])
        for extension, after in zip(extensions, following[1:], strict=True):
            words = (len(extension) - 1 + 2) // 4
            optional += bytes([words]) + extension[1:] + bytes([after])
    flags = 0x30 | (0x04 if extensions else 0) | (0x02 if sequence is not None else 0)
    return struct.pack(">BBHI", flags, 255, len(optional) + len(packet), 0x1234) + optional + packet


def esp(packet: bytes, check_value: int) -> bytes:
    """RFC 4303 2 with RFC 2410, transport mode, round the payload of an IP packet."""
    head, place = (20, 9) if packet[0] >> 4 == 4 else (40, 6)
    payload, protocol = packet[head:], packet[place]
    padding = -(len(payload) + 2) % 4
    trailer = bytes(range(1, padding + 1)) + bytes([padding, protocol])
    content = struct.pack(">II", 0x1001, 7) + payload + trailer + bytes(range(100, 100 + check_value))
    fixed = bytearray(packet[:head])
    fixed[place] = 50
    if head == 20:
        fixed[2:4] = struct.pack(">H", head + len(content))
    else:
        fixed[4:6] = struct.pack(">H", len(content))
    return bytes(fixed) + content


def fragments_of_4(packet: bytes, size: int = 104, order: int = 1) -> list[bytes]:
    """RFC 791 2.3, of an IPv4 packet."""
    payload, made = packet[20:], []
    for at in range(0, len(payload), size):
        part = payload[at : at + size]
        head = bytearray(packet[:20])
        head[2:4] = struct.pack(">H", 20 + len(part))
        head[6:8] = struct.pack(">H", at // 8 | (0x2000 if at + size < len(payload) else 0))
        made.append(bytes(head) + part)
    return made[::order]


def fragments_of_6(packet: bytes, size: int = 104, order: int = 1) -> list[bytes]:
    """RFC 8200 4.5, of an IPv6 packet."""
    payload, made = packet[40:], []
    number = ones_sum(payload)
    for at in range(0, len(payload), size):
        part = payload[at : at + size]
        field = struct.pack(">BBHI", packet[6], 0, at | (at + size < len(payload)), number)
        head = packet[:4] + struct.pack(">HB", 8 + len(part), 44) + packet[7:40]
        made.append(head + field + part)
    return made[::order]


def fragments(packet: bytes, size: int = 104, order: int = 1) -> list[bytes]:
    return (fragments_of_4 if packet[0] >> 4 == 4 else fragments_of_6)(packet, size, order)


def overlapping(packet: bytes) -> list[bytes]:
    """Fragments of two sizes, every other of each: each octet at least once, some twice."""
    small, large = fragments(packet, 104), fragments(packet, 208)
    return [*large[::2], *small] if len(small) > 1 else [packet]


def with_options(packet: bytes) -> bytes:
    """RFC 791 3.1: no-operation options. RFC 8200 4.3, 4.6: hop-by-hop and destination options."""
    if packet[0] >> 4 == 4:
        head = bytearray(packet[:20] + b"\x01\x01\x01\x00")
        head[0], head[2:4] = 0x46, struct.pack(">H", len(packet) + 4)
        return bytes(head) + packet[20:]
    headers = bytes([60, 0, 1, 4, 0, 0, 0, 0]) + bytes([packet[6], 1, 1, 12]) + bytes(12)
    length = struct.pack(">H", len(packet) - 40 + len(headers))
    return packet[:4] + length + b"\x00" + packet[7:40] + headers + packet[40:]


def ethernet(packet: bytes, *tags: bytes) -> bytes:
    return MACS + b"".join(tags) + kind(packet) + packet


def user_plane(packet: bytes, *extensions: bytes, sequence: int | None = None) -> bytes:
    return ipv4(17, udp(2152, gtp(packet, *extensions, sequence=sequence)))


_PDU_SESSION = b"\x85" + b"\x00\x09"
_DATA = b"\xc0" + b"\x12\x34"

WRAPPINGS: dict[str, tuple[int, Frames]] = {
    "raw IP": (RAW, lambda packet: [packet]),
    "raw IP of another number": (12, lambda packet: [packet]),
    "Ethernet": (ETHERNET, lambda packet: [ethernet(packet)]),
    "Ethernet with padding": (ETHERNET, lambda packet: [ethernet(packet) + bytes(6)]),
    "802.1Q": (ETHERNET, lambda packet: [ethernet(packet, b"\x81\x00\x00\x05")]),
    "QinQ": (ETHERNET, lambda packet: [ethernet(packet, b"\x88\xa8\x00\x05", b"\x81\x00\x00\x06")]),
    "Linux cooked": (LINUX, lambda packet: [struct.pack(">HHH8s", 0, 1, 6, b"\2") + kind(packet) + packet]),
    "Linux cooked, version 2": (
        LINUX_2,
        lambda packet: [kind(packet) + struct.pack(">HIHBB8s", 0, 3, 1, 0, 6, b"\2") + packet],
    ),
    "BSD loopback": (0, lambda packet: [struct.pack("<I", 2 if packet[0] >> 4 == 4 else 30) + packet]),
    "BSD loopback of the other byte order": (
        0,
        lambda packet: [struct.pack(">I", 2 if packet[0] >> 4 == 4 else 24) + packet],
    ),
    "OpenBSD loopback": (108, lambda packet: [struct.pack(">I", 2 if packet[0] >> 4 == 4 else 24) + packet]),
    "IP options": (RAW, lambda packet: [with_options(packet)]),
    "fragments": (RAW, lambda packet: fragments(packet)),
    "fragments in reverse": (RAW, lambda packet: fragments(packet, order=-1)),
    "fragments that overlap": (RAW, overlapping),
    "GTP-U": (ETHERNET, lambda packet: [ethernet(user_plane(packet))]),
    "GTP-U with a sequence number": (RAW, lambda packet: [user_plane(packet, sequence=9)]),
    "GTP-U with extension headers": (RAW, lambda packet: [user_plane(packet, _PDU_SESSION, _DATA)]),
    "GTP-U over IPv6": (RAW, lambda packet: [ipv6(17, udp(2152, gtp(packet)))]),
    "GTP-U in fragments": (RAW, lambda packet: fragments_of_4(user_plane(packet), 208)),
    "GTP-U in GTP-U": (RAW, lambda packet: [user_plane(user_plane(packet))]),
    "fragments in GTP-U": (RAW, lambda packet: [user_plane(part) for part in fragments(packet)]),
    "IP in IPv4": (RAW, lambda packet: [ipv4(4 if packet[0] >> 4 == 4 else 41, packet)]),
    "IP in IPv6": (RAW, lambda packet: [ipv6(4 if packet[0] >> 4 == 4 else 41, packet)]),
    "GRE": (RAW, lambda packet: [ipv4(47, b"\x00\x00" + kind(packet) + packet)]),
    "GRE with a key": (RAW, lambda packet: [ipv4(47, b"\x20\x00" + kind(packet) + b"key!" + packet)]),
    "ESP that does not encrypt, 96 bits": (RAW, lambda packet: [esp(packet, 12)]),
    "ESP that does not encrypt, 128 bits": (RAW, lambda packet: [esp(packet, 16)]),
    "ESP in GTP-U": (RAW, lambda packet: [user_plane(esp(packet, 12))]),
}
