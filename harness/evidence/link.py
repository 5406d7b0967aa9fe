"""From a captured frame to the IP packet in it, by the link types of the tcpdump registry."""

from __future__ import annotations

import struct

_IP = {0x0800, 0x86DD}
_VLAN = {0x8100, 0x88A8, 0x9100}
_PROTOCOL_FIRST = {276: (0, 20), 113: (14, 16), 1: (12, 14)}
"""Link type -> (offset of the EtherType, octets of the header): Linux cooked v2, v1, Ethernet."""
_BARE = {12: 0, 14: 0, 101: 0, 228: 0, 229: 0, 0: 4, 108: 4}
"""Link type -> octets before the IP packet: RAW in its three numbers, IPv4, IPv6, BSD NULL and LOOP."""

READABLE = frozenset(_PROTOCOL_FIRST) | frozenset(_BARE)


def ip_packet(link_type: int, frame: bytes) -> bytes | None:
    """The IP packet of a frame, with whatever padding follows it; None when it carries none."""
    if link_type in _BARE:
        packet = frame[_BARE[link_type] :]
    elif link_type in _PROTOCOL_FIRST:
        packet = _by_ethertype(frame, *_PROTOCOL_FIRST[link_type])
    else:
        return None
    return packet if packet and packet[0] >> 4 in (4, 6) else None


def _by_ethertype(frame: bytes, type_offset: int, header: int) -> bytes:
    if len(frame) < header:
        return b""
    (kind,) = struct.unpack_from(">H", frame, type_offset)
    while kind in _VLAN and len(frame) >= header + 4:
        (kind,) = struct.unpack_from(">H", frame, header + 2)
        header += 4
    return frame[header:] if kind in _IP else b""
