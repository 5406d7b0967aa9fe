"""From a captured frame to the IP packet in it, by the link types of the tcpdump registry."""

from __future__ import annotations

from collections.abc import Callable

_IPV4, _IPV6, _PPPOE, _MPLS, _MPLS_MULTICAST = 0x0800, 0x86DD, 0x8864, 0x8847, 0x8848
_VLAN = frozenset((0x8100, 0x88A8, 0x9100, 0x9200))
_MOST_LENGTH = 1500  # a smaller "EtherType" is an IEEE 802.3 length
_SNAP = b"\xaa\xaa\x03\0\0\0"
_PPP_IP = (b"\x00\x21", b"\x00\x57", b"\x21", b"\x57")
_NOWHERE = -1
_ETHERNET, _PKTAP = 1, 258


def ip_place(link_type: int, frame: bytes) -> int:
    """Where in the frame its IP packet begins; -1 when it carries none."""
    find = _FINDERS.get(link_type)
    place = find(frame) if find else _NOWHERE
    return place if 0 <= place < len(frame) and frame[place] >> 4 in (4, 6) else _NOWHERE


def _ethernet(frame: bytes) -> int:
    kind = frame[12:14]
    return 14 if kind in (b"\x08\x00", b"\x86\xdd") else _behind(frame, 12, 14)


def _behind(frame: bytes, type_place: int, header: int) -> int:
    """Where the IP packet begins after an EtherType and what may lie between: tags, labels, PPPoE, SNAP."""
    kind = int.from_bytes(frame[type_place : type_place + 2], "big")
    if kind <= _MOST_LENGTH and frame.startswith(_SNAP, header):
        kind, header = int.from_bytes(frame[header + 6 : header + 8], "big"), header + 8
    while kind in _VLAN and len(frame) >= header + 4:
        kind = int.from_bytes(frame[header + 2 : header + 4], "big")
        header += 4
    if kind in (_IPV4, _IPV6):
        return header
    if kind == _PPPOE and frame[header + 6 : header + 8] in _PPP_IP:
        return header + 8
    return _behind_labels(frame, header) if kind in (_MPLS, _MPLS_MULTICAST) else _NOWHERE


def _behind_labels(frame: bytes, place: int) -> int:
    """RFC 3032 2.1: the last label has the bit for the bottom of the stack."""
    while place + 4 <= len(frame):
        place += 4
        if frame[place - 2] & 1:
            return place
    return _NOWHERE


def _ppp(frame: bytes) -> int:
    """RFC 1661 2, with the octets of RFC 1662 before it or not, and the protocol whole or compressed."""
    start = 2 if frame[:2] == b"\xff\x03" else 0
    return next((start + len(kind) for kind in _PPP_IP if frame.startswith(kind, start)), _NOWHERE)


def _pktap(frame: bytes) -> int:
    """What Apple's tools write: their own header, then a frame of the link type it names."""
    header, _, link_type = (int.from_bytes(frame[at : at + 4], "little") for at in (0, 4, 8))
    if header < 12 or link_type == _PKTAP:
        return _NOWHERE
    inner = ip_place(link_type, frame[header:])
    return header + inner if inner >= 0 else _NOWHERE


_FINDERS: dict[int, Callable[[bytes], int]] = {
    _ETHERNET: _ethernet,
    113: lambda frame: _behind(frame, 14, 16),  # Linux cooked
    276: lambda frame: _behind(frame, 0, 20),  # Linux cooked, version 2
    12: lambda _: 0,  # raw IP, by the number it has on most systems,
    14: lambda _: 0,  # on OpenBSD,
    101: lambda _: 0,  # and in files
    228: lambda _: 0,  # raw IPv4
    229: lambda _: 0,  # raw IPv6
    0: lambda _: 4,  # BSD loopback
    108: lambda _: 4,  # OpenBSD loopback
    109: lambda _: 12,  # OpenBSD encapsulation
    9: _ppp,
    50: _ppp,  # PPP in HDLC framing
    104: lambda frame: _behind(frame, 2, 4),  # Cisco HDLC
    _PKTAP: _pktap,
}

READABLE = frozenset(_FINDERS)
