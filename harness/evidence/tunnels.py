"""What is inside tunnels that a mobile network puts round the user's packets.

GTP-U (3GPP TS 29.281 5), IP in IP (RFC 2003, RFC 2473), GRE (RFC 2784, RFC 2890) and ESP that does not
encrypt (RFC 4303 with RFC 2410), as handsets speak to the P-CSCF (3GPP TS 33.203).
"""

from __future__ import annotations

from collections import OrderedDict
from struct import Struct

from harness.evidence.internet import IPV4_IN_IP, IPV6_IN_IP, TCP, UDP, Datagram, checksum_holds

_GTP_PORT = b"\x08\x68"
_USER_DATA = 255
_GTP = Struct(">BBH4x")
_GRE_PROTOCOLS = {0x0800: IPV4_IN_IP, 0x86DD: IPV6_IN_IP}
_GRE, _ESP = 47, 50
_GRE_FIELDS = {0x8000: 4, 0x2000: 4, 0x1000: 4}  # checksum, key, sequence number
_CHECK_VALUES = (12, 16, 0, 20, 24, 32)
"""Octets of integrity check values: HMAC-SHA-1-96 and MD5-96, AES-GMAC and SHA-256-128, none, and others."""
_MOST_ASSOCIATIONS = 4096
_TRIES = 8


class Tunnels:
    """Opens what can be opened; remembers which security associations do not encrypt."""

    def __init__(self) -> None:
        self._associations: OrderedDict[tuple[bytes, bytes], int] = OrderedDict()

    def inside(self, datagram: Datagram) -> Datagram | None:
        """What the datagram carries through a tunnel: a datagram whose protocol is IP in IP, TCP or UDP. None
        when it is no tunnel that can be opened.
        """
        protocol = datagram.protocol
        if protocol == UDP:
            ports = datagram.payload[:4]
            return _gtp(datagram) if _GTP_PORT in (ports[:2], ports[2:]) else None
        if protocol == _GRE:
            return _gre(datagram)
        return self._esp(datagram) if protocol == _ESP else None

    def _esp(self, datagram: Datagram) -> Datagram | None:
        """ESP whose content can be proven: its padding and the checksum of what it carries are right.

        Keys are not needed for that; of what is encrypted no part fits by chance.
        """
        if datagram.cut:
            return None
        key = datagram.payload[:4], datagram.destination
        known = self._associations.get(key, 0)
        if known >= _TRIES:
            return None
        for octets in _CHECK_VALUES:
            if (found := _unencrypted(datagram, octets)) is not None:
                self._associations[key] = -_TRIES
                return found
        self._associations[key] = known + 1
        if len(self._associations) > _MOST_ASSOCIATIONS:
            self._associations.popitem(last=False)
        return None


def _gtp(datagram: Datagram) -> Datagram | None:
    octets = datagram.payload
    if len(octets) < 16:
        return None
    flags, kind, length = _GTP.unpack_from(octets, 8)
    if flags & 0xF0 != 0x30 or kind != _USER_DATA:  # version 1, not GTP'
        return None
    place, end = 16, 16 + length
    if flags & 0x07:
        following = octets[19] if len(octets) > 19 and flags & 0x04 else 0
        place += 4
        while following:
            if place >= len(octets) or not octets[place]:
                return None
            place += octets[place] * 4
            if place > len(octets):
                return None
            following = octets[place - 1]
    return _packet(datagram, octets[place:end])


def _gre(datagram: Datagram) -> Datagram | None:
    octets = datagram.payload
    flags, kind = int.from_bytes(octets[:2], "big"), int.from_bytes(octets[2:4], "big")
    if kind not in _GRE_PROTOCOLS or flags & 0x4FFF:  # routing, or a version that is not 0
        return None
    place = 4 + sum(size for flag, size in _GRE_FIELDS.items() if flags & flag)
    return _packet(datagram, octets[place:])


def _packet(datagram: Datagram, packet: bytes) -> Datagram | None:
    protocol = {4: IPV4_IN_IP, 6: IPV6_IN_IP}.get(packet[0] >> 4 if packet else 0)
    return None if protocol is None else datagram._replace(protocol=protocol, payload=packet, cut=0)


def _unencrypted(datagram: Datagram, check_octets: int) -> Datagram | None:
    octets = datagram.payload
    end = len(octets) - check_octets - 2
    if end < 8 + 8:
        return None
    padding, protocol = octets[end], octets[end + 1]
    start = end - padding
    if start < 16 or octets[start:end] != bytes(range(1, padding + 1)):
        return None
    found = datagram._replace(protocol=protocol, payload=octets[8:start])
    if protocol in (TCP, UDP):
        return found if checksum_holds(found) else None
    return _packet(found, found.payload) if _is_whole_packet(protocol, found.payload) else None


def _is_whole_packet(protocol: int, packet: bytes) -> bool:
    """Whether it is an IP packet of the version and with exactly the length it says."""
    if protocol == IPV4_IN_IP:
        return packet[0] >> 4 == 4 and int.from_bytes(packet[2:4], "big") == len(packet)
    if protocol == IPV6_IN_IP:
        return packet[0] >> 4 == 6 and int.from_bytes(packet[4:6], "big") == len(packet) - 40
    return False
