"""STUN Binding on the SIP port over UDP, sans-IO: RFC 5389 as far as RFC 5626 8 uses it.

No credentials: MESSAGE-INTEGRITY is read over, never checked.
"""

from __future__ import annotations

import ipaddress
import secrets
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from harness.errors import SipSyntaxError

COOKIE = 0x2112A442
HEADER_OCTETS = 20
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_BINDING = 0x001
_FINGERPRINT_XOR = 0x5354554E


class Kind(IntEnum):
    """Classes of messages (RFC 5389 6)."""

    REQUEST = 0b00
    INDICATION = 0b01
    SUCCESS = 0b10
    ERROR = 0b11


class Type(IntEnum):
    """Attributes by number (RFC 5389 18.2)."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    REALM = 0x0014
    NONCE = 0x0015
    XOR_MAPPED_ADDRESS = 0x0020
    SOFTWARE = 0x8022
    ALTERNATE_SERVER = 0x8023
    FINGERPRINT = 0x8028


_KNOWN = frozenset(Type)
_FIRST_OPTIONAL = 0x8000
_FAMILIES = {4: 1, 6: 2}
_ADDRESS_OCTETS = {1: 4, 2: 16}


@dataclass(frozen=True, slots=True)
class StunMessage:
    """A message taken apart.

    method: 1 is Binding. transaction: 12 octets. attributes: (number, value) in order, padding left out; what
    stands behind MESSAGE-INTEGRITY and is no FINGERPRINT is not among them (RFC 5389 15.4).
    """

    kind: Kind
    method: int
    transaction: bytes
    attributes: tuple[tuple[int, bytes], ...] = ()

    def value(self, number: int) -> bytes | None:
        """The value of the first attribute of that number."""
        return next((value for each, value in self.attributes if each == number), None)

    @property
    def is_binding(self) -> bool:
        """Whether the method is Binding."""
        return self.method == _BINDING

    @property
    def unknown(self) -> tuple[int, ...]:
        """Numbers of the attributes that have to be understood and are not (RFC 5389 7.3.1)."""
        numbers = (number for number, _ in self.attributes)
        return tuple(dict.fromkeys(each for each in numbers if each < _FIRST_OPTIONAL and each not in _KNOWN))

    @property
    def has_fingerprint(self) -> bool:
        """Whether it ends with a FINGERPRINT; a wrong one is no message at all."""
        return self.value(Type.FINGERPRINT) is not None

    @property
    def mapped_address(self) -> tuple[str, int] | None:
        """Host and port of XOR-MAPPED-ADDRESS, None without a usable one (RFC 5389 15.2)."""
        value = self.value(Type.XOR_MAPPED_ADDRESS)
        if value is None or len(value) < 4 or len(value) - 4 != _ADDRESS_OCTETS.get(value[1]):
            return None
        port = int.from_bytes(value[2:4], "big") ^ COOKIE >> 16
        return str(ipaddress.ip_address(_masked(value[4:], self.transaction))), port

    @property
    def error(self) -> tuple[int, str] | None:
        """Code and reason of ERROR-CODE, None without a usable one (RFC 5389 15.6)."""
        value = self.value(Type.ERROR_CODE)
        if value is None or len(value) < 4:
            return None
        return (value[2] & 0b111) * 100 + value[3], value[4:].decode("utf-8", "replace")


def is_stun(datagram: bytes) -> bool:
    """Whether a datagram means to be STUN: two zero bits and the magic cookie (RFC 5389 6, RFC 5626 8)."""
    return (
        len(datagram) >= HEADER_OCTETS and datagram[0] < 0x40 and datagram[4:8] == COOKIE.to_bytes(4, "big")
    )


def parse_stun(datagram: bytes) -> StunMessage:
    """Read a message. Raises SipSyntaxError for octets that follow RFC 5389 6 or 15 nowhere near enough.

    A FINGERPRINT must be right and the last (15.5).
    """
    if not is_stun(datagram):
        raise SipSyntaxError("STUN header", datagram[:HEADER_OCTETS], 0, "RFC 5389 6", "no magic cookie")
    number, length, _, transaction = _HEADER.unpack_from(datagram)
    if length % 4 or length != len(datagram) - HEADER_OCTETS:
        hint = f"{length} octets announced, {len(datagram) - HEADER_OCTETS} there"
        raise SipSyntaxError("STUN length", datagram[2:4].hex(), 2, "RFC 5389 6", hint)
    kind = Kind((number & 0x0100) >> 7 | (number & 0x0010) >> 4)
    method = number & 0x000F | (number & 0x00E0) >> 1 | (number & 0x3E00) >> 2
    return StunMessage(kind, method, transaction, tuple(_attributes(datagram)))


def binding_request(*, fingerprint: bool = False) -> StunMessage:
    """A Binding request with a new transaction id; it needs no attributes (RFC 5626 8)."""
    attributes = ((int(Type.FINGERPRINT), b""),) if fingerprint else ()
    return StunMessage(Kind.REQUEST, _BINDING, secrets.token_bytes(12), attributes)


def binding_response(request: StunMessage, host: str, port: int) -> StunMessage:
    """The answer to a Binding request from that address: its address, or 420 (RFC 5389 7.3.1).

    With FINGERPRINT where the request had one. host: an address literal.
    """
    if request.unknown:
        numbers = b"".join(number.to_bytes(2, "big") for number in request.unknown)
        code = b"\x00\x00\x04\x14" + b"Unknown Attribute"
        attributes = [(int(Type.ERROR_CODE), code), (int(Type.UNKNOWN_ATTRIBUTES), numbers)]
        kind = Kind.ERROR
    else:
        address = ipaddress.ip_address(host)
        shown = bytes([0, _FAMILIES[address.version]]) + (port ^ COOKIE >> 16).to_bytes(2, "big")
        masked = _masked(address.packed, request.transaction)
        attributes, kind = [(int(Type.XOR_MAPPED_ADDRESS), shown + masked)], Kind.SUCCESS
    if request.has_fingerprint:
        attributes.append((int(Type.FINGERPRINT), b""))
    return StunMessage(kind, request.method, request.transaction, tuple(attributes))


def write_stun(message: StunMessage) -> bytes:
    """The octets of a message. The value of a FINGERPRINT is computed here; it has to be the last."""
    number = (
        (message.kind & 0b10) << 7
        | (message.kind & 0b01) << 4
        | message.method & 0x000F
        | (message.method & 0x0070) << 1
        | (message.method & 0x0F80) << 2
    )
    body = b"".join(_written(each, value) for each, value in message.attributes if each != Type.FINGERPRINT)
    length = len(body) + (8 if message.has_fingerprint else 0)
    octets = _HEADER.pack(number, length, COOKIE, message.transaction) + body
    return octets + (_written(Type.FINGERPRINT, _fingerprint(octets)) if message.has_fingerprint else b"")


def _attributes(datagram: bytes) -> Iterable[tuple[int, bytes]]:
    at, protected = HEADER_OCTETS, False
    while at < len(datagram):
        number, length = _ATTRIBUTE.unpack_from(datagram, at)
        value = datagram[at + 4 : at + 4 + length]
        after = at + 4 + length + -length % 4
        if after > len(datagram):
            hint = f"attribute 0x{number:04x} is {length} octets long and the message ends before"
            raise SipSyntaxError("STUN attribute", datagram[at : at + 4].hex(), at, "RFC 5389 15", hint)
        if number == Type.FINGERPRINT:
            _check_fingerprint(datagram, at, value, last=after == len(datagram))
        if not protected or number == Type.FINGERPRINT:
            yield number, value
        protected |= number == Type.MESSAGE_INTEGRITY
        at = after


def _check_fingerprint(datagram: bytes, at: int, value: bytes, *, last: bool) -> None:
    if not last or value != _fingerprint(datagram[:at]):
        hint = "wrong" if last else "not the last attribute"
        raise SipSyntaxError("STUN FINGERPRINT", value.hex(), at, "RFC 5389 15.5", hint)


def _fingerprint(before: bytes) -> bytes:
    return (zlib.crc32(before) ^ _FINGERPRINT_XOR).to_bytes(4, "big")


def _written(number: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(number, len(value)) + value + bytes(-len(value) % 4)


def _masked(address: bytes, transaction: bytes) -> bytes:
    """An address XORed with cookie and transaction id; the way there is the way back."""
    mask = COOKIE.to_bytes(4, "big") + transaction
    return bytes(octet ^ other for octet, other in zip(address, mask, strict=False))
