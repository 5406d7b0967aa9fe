"""pcapng blocks, read and written (draft-ietf-opsawg-pcapng).

Reading takes several sections, interfaces, both byte orders and any time resolution. Writing knows one
section, interfaces of link type RAW and enhanced packets with comments. What is inside the frames is left to
link.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import BinaryIO

from harness.evidence.frame import MOST_FRAME, Damage, Frame

SECTION = b"\x0a\x0d\x0d\x0a"
LINKTYPE_RAW = 101

_BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_HEADS = {order: Struct(order + "II") for order in _BYTE_ORDERS.values()}
_LENGTHS = {order: Struct(order + "I") for order in _BYTE_ORDERS.values()}
_SECTION_BLOCK = int.from_bytes(SECTION, "big")  # the same in both byte orders
_INTERFACE_BLOCK, _PACKET_BLOCK, _SIMPLE_BLOCK, _ENHANCED_BLOCK = 1, 2, 3, 6
_READ_BLOCKS = frozenset((_SECTION_BLOCK, _INTERFACE_BLOCK, _PACKET_BLOCK, _SIMPLE_BLOCK, _ENHANCED_BLOCK))
_MOST_BLOCK = 2 * MOST_FRAME  # a frame and its options
_MOST_INTERFACES = 10_000
_OPT_COMMENT, _SHB_USERAPPL, _IF_NAME, _IF_DESCRIPTION, _IF_TSRESOL, _IF_TSOFFSET = 1, 4, 2, 3, 9, 14
_MICROSECONDS = 6
_COMMENT_OCTETS = 8000


@dataclass(slots=True)
class _Interface:
    link_type: int
    snap_length: int
    name: str = ""
    ticks_per_second: int = 10**_MICROSECONDS
    offset_seconds: int = 0


def read_pcapng(start: bytes, read: Callable[[], bytes]) -> Iterator[Frame]:
    """The frames of every section, in the order of the file. Raises Damage where it makes no sense any more.

    Args: start begins with SECTION and has at least twelve octets; read gives what follows it, b"" at the
    end.
    """
    blocks = _Blocks(start, read)
    section = _Section("<")
    for kind, body, offset in blocks:
        if kind == _SECTION_BLOCK:
            section = _Section(blocks.order)
        elif (handler := section.handlers.get(kind)) is not None:
            try:
                frame = handler(body)
            except (struct.error, IndexError):
                raise Damage(f"block at octet {offset} is too short or names no interface") from None
            if frame is not None:
                yield frame


class _Blocks:
    """Cuts the file into blocks. order: the byte order of the section they are in."""

    def __init__(self, start: bytes, read: Callable[[], bytes]) -> None:
        self.order = "<"
        self._octets, self._read = start, read
        self._at = self._offset = 0

    def __iter__(self) -> Iterator[tuple[int, bytes, int]]:
        """Type, body and place of each block of a type that is read here."""
        while self._have(12):
            offset = self._offset + self._at
            kind, length = self._head(offset)
            if length > _MOST_BLOCK and kind in _READ_BLOCKS:
                raise Damage(f"block at octet {offset} announces {length} octets")
            if kind not in _READ_BLOCKS:
                self._pass_over(length, offset)
                continue
            if not self._have(length):
                raise Damage(f"ends inside the block at octet {offset}")
            start, self._at = self._at, self._at + length
            self._check_end(length, offset)
            yield kind, self._octets[start + 8 : self._at - 4], offset
        if self._at < len(self._octets):
            raise Damage(f"ends inside the block at octet {self._offset + self._at}")

    def _head(self, offset: int) -> tuple[int, int]:
        octets, at = self._octets, self._at
        if octets.startswith(SECTION, at):
            order = _BYTE_ORDERS.get(octets[at + 8 : at + 12])
            if order is None:
                raise Damage(f"section header at octet {offset} has no byte-order magic")
            self.order = order
        kind, length = _HEADS[self.order].unpack_from(octets, at)
        if length < 12 or length % 4:
            raise Damage(f"block at octet {offset} has the impossible length {length}")
        return kind, length

    def _check_end(self, length: int, offset: int) -> None:
        """The length stands at the end of a block too."""
        (again,) = _LENGTHS[self.order].unpack_from(self._octets, self._at - 4)
        if again != length:
            raise Damage(f"block at octet {offset} has two different lengths")

    def _pass_over(self, length: int, offset: int) -> None:
        """Go to the end of a block that is not read, and may be too large to be held."""
        left = length - 4
        while left > len(self._octets) - self._at:
            left -= len(self._octets) - self._at
            self._at = len(self._octets)
            if not self._more():
                raise Damage(f"ends inside the block at octet {offset}")
        self._at += left
        if not self._have(4):
            raise Damage(f"ends inside the block at octet {offset}")
        self._at += 4
        self._check_end(length, offset)

    def _have(self, octets: int) -> bool:
        """Whether so many octets follow."""
        while len(self._octets) - self._at < octets:
            if not self._more():
                return False
        return True

    def _more(self) -> bool:
        following = self._read()
        if following:
            self._octets = self._octets[self._at :] + following
            self._offset += self._at
            self._at = 0
        return bool(following)


class _Section:
    """One section: its byte order and interfaces."""

    def __init__(self, order: str) -> None:
        self._interfaces: list[_Interface] = []
        self._order = order
        self._last_time = 0.0
        self._enhanced, self._obsolete = Struct(order + "IIIII"), Struct(order + "HHIIII")
        self.handlers: dict[int, Callable[[bytes], Frame | None]] = {
            _INTERFACE_BLOCK: self._interface,
            _PACKET_BLOCK: self._obsolete_packet,
            _SIMPLE_BLOCK: self._simple_packet,
            _ENHANCED_BLOCK: self._enhanced_packet,
        }

    def _interface(self, body: bytes) -> None:
        link_type, _, snap_length = struct.unpack_from(self._order + "HHI", body)
        interface = _Interface(link_type, snap_length)
        for code, value in _options(self._order, body[8:]):
            if code == _IF_TSRESOL and len(value) == 1:
                exponent = value[0] & 0x7F
                interface.ticks_per_second = 2**exponent if value[0] & 0x80 else 10**exponent
            elif code == _IF_TSOFFSET and len(value) == 8:
                (interface.offset_seconds,) = struct.unpack(self._order + "q", value)
            elif code == _IF_NAME:
                interface.name = value.rstrip(b"\0").decode("utf-8", "replace")
        if len(self._interfaces) == _MOST_INTERFACES:
            raise Damage(f"a section declares more than {_MOST_INTERFACES} interfaces")
        self._interfaces.append(interface)

    def _enhanced_packet(self, body: bytes) -> Frame:
        number, high, low, captured, length = self._enhanced.unpack_from(body)
        return self._frame(number, (high << 32) | low, body, 20, captured, length)

    def _obsolete_packet(self, body: bytes) -> Frame:
        number, _, high, low, captured, length = self._obsolete.unpack_from(body)
        return self._frame(number, (high << 32) | low, body, 20, captured, length)

    def _simple_packet(self, body: bytes) -> Frame:
        (length,) = struct.unpack_from(self._order + "I", body)
        snap_length = self._interfaces[0].snap_length or length
        captured = min(length, snap_length, len(body) - 4)
        return self._frame(0, None, body, 4, captured, length)

    def _frame(
        self, number: int, ticks: int | None, body: bytes, start: int, captured: int, length: int
    ) -> Frame:
        interface = self._interfaces[number]
        if start + captured > len(body):
            raise IndexError
        if ticks is not None:
            self._last_time = ticks / interface.ticks_per_second + interface.offset_seconds
        data = body[start : start + captured]
        return Frame(self._last_time, interface.link_type, data, length, interface.name)


def _options(order: str, octets: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + 4 <= len(octets):
        code, length = struct.unpack_from(order + "HH", octets, offset)
        if code == 0:
            return
        yield code, octets[offset + 4 : offset + 4 + length]
        offset += 4 + length + -length % 4


class PcapngWriter:
    """Writes a pcapng file block by block: one section, little-endian, microseconds."""

    def __init__(self, file: BinaryIO, application: str, comment: str = "") -> None:
        options = _option(_SHB_USERAPPL, application) + _comment(comment) + _option(0, "")
        body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options
        self._write = file.write
        self._write(_block(int.from_bytes(SECTION, "little"), body))
        self._interfaces = 0

    def interface(self, name: str, description: str) -> int:
        """Declare an interface whose frames are bare IP packets of either version; returns its number."""
        options = (
            _option(_IF_NAME, name)
            + _option(_IF_DESCRIPTION, description)
            + _option(_IF_TSRESOL, bytes([_MICROSECONDS]))
            + _option(0, "")
        )
        self._write(_block(_INTERFACE_BLOCK, struct.pack("<HHI", LINKTYPE_RAW, 0, 0) + options))
        self._interfaces += 1
        return self._interfaces - 1

    def packet(self, interface: int, time: float, packet: bytes, comment: str = "") -> None:
        """Add an IP packet. time: seconds since the Unix epoch."""
        ticks = min(max(round(time * 10**_MICROSECONDS), 0), 2**64 - 1)
        head = struct.pack("<IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(packet), len(packet))
        options = _comment(comment) + _option(0, "") if comment else b""
        self._write(_block(_ENHANCED_BLOCK, head + packet + bytes(-len(packet) % 4) + options))


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _option(code: int, value: str | bytes) -> bytes:
    octets = value.encode() if isinstance(value, str) else value
    return struct.pack("<HH", code, len(octets)) + octets + bytes(-len(octets) % 4)


def _comment(text: str) -> bytes:
    """opt_comment, or nothing for an empty text; cut between characters where it is too long."""
    return (
        _option(_OPT_COMMENT, text.encode("utf-8", "replace")[:_COMMENT_OCTETS].decode("utf-8", "ignore"))
        if text
        else b""
    )
