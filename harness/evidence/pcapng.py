"""pcapng blocks, read and written (draft-ietf-opsawg-pcapng).

Reading takes several sections, interfaces, both byte orders and any time resolution. Writing knows one
section, interfaces of link type RAW and enhanced packets with comments. What is inside the frames is left to
link.py.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from harness.evidence.frame import Frame, Recording

SECTION = b"\x0a\x0d\x0d\x0a"
LINKTYPE_RAW = 101

_BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_INTERFACE_BLOCK, _PACKET_BLOCK, _SIMPLE_BLOCK, _ENHANCED_BLOCK = 1, 2, 3, 6
_OPT_COMMENT, _SHB_USERAPPL, _IF_NAME, _IF_DESCRIPTION, _IF_TSRESOL, _IF_TSOFFSET = 1, 4, 2, 3, 9, 14
_MICROSECONDS = 6
_COMMENT_OCTETS = 8000


class Damage(Exception):
    """The file stops making sense at an octet. What came before stays."""


@dataclass(slots=True)
class _Interface:
    link_type: int
    snap_length: int
    name: str = ""
    ticks_per_second: int = 10**_MICROSECONDS
    offset_seconds: int = 0


def read_pcapng(octets: bytes) -> Recording:
    """The frames of every section. A file that is cut short or damaged gives what is before that place."""
    recording = Recording([], "")
    section = _Section("<", recording)
    try:
        for order, kind, body, offset in _blocks(octets):
            if kind is None:
                section = _Section(order, recording)
            else:
                section.block(kind, body, offset)
    except Damage as damage:
        recording.fault = str(damage)
    return recording


def _blocks(octets: bytes) -> Iterator[tuple[str, int | None, bytes, int]]:
    """Byte order, block type (None for a section header), body and place of each block."""
    order, offset = "<", 0
    while offset < len(octets):
        head = octets[offset : offset + 12]
        if len(head) < 12:
            raise Damage(f"ends inside the block at octet {offset}")
        is_section = head[:4] == SECTION
        if is_section:
            if head[8:12] not in _BYTE_ORDERS:
                raise Damage(f"section header at octet {offset} has no byte-order magic")
            order = _BYTE_ORDERS[head[8:12]]
        kind, length = struct.unpack_from(order + "II", head)
        if length < 12 or length % 4:
            raise Damage(f"block at octet {offset} has the impossible length {length}")
        if offset + length > len(octets):
            raise Damage(f"ends inside the block at octet {offset}")
        if struct.unpack_from(order + "I", octets, offset + length - 4)[0] != length:
            raise Damage(f"block at octet {offset} has two different lengths")
        yield order, None if is_section else kind, octets[offset + 8 : offset + length - 4], offset
        offset += length


class _Section:
    """One section: its byte order and interfaces."""

    def __init__(self, order: str, recording: Recording) -> None:
        self._order, self._recording = order, recording
        self._interfaces: list[_Interface] = []
        self._last_time = 0.0

    def block(self, kind: int, body: bytes, offset: int) -> None:
        handler = {
            _INTERFACE_BLOCK: self._interface,
            _PACKET_BLOCK: self._obsolete_packet,
            _SIMPLE_BLOCK: self._simple_packet,
            _ENHANCED_BLOCK: self._enhanced_packet,
        }.get(kind)
        if handler is None:
            return
        try:
            handler(body)
        except (struct.error, IndexError):
            raise Damage(f"block at octet {offset} is too short or names no interface") from None

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
        self._interfaces.append(interface)

    def _enhanced_packet(self, body: bytes) -> None:
        number, high, low, captured, length = struct.unpack_from(self._order + "IIIII", body)
        self._frame(number, (high << 32) | low, body[20:], captured, length)

    def _obsolete_packet(self, body: bytes) -> None:
        number, _, high, low, captured, length = struct.unpack_from(self._order + "HHIIII", body)
        self._frame(number, (high << 32) | low, body[20:], captured, length)

    def _simple_packet(self, body: bytes) -> None:
        (length,) = struct.unpack_from(self._order + "I", body)
        snap_length = self._interfaces[0].snap_length or length
        captured = min(length, snap_length, len(body) - 4)
        self._frame(0, None, body[4:], captured, length)

    def _frame(self, number: int, ticks: int | None, body: bytes, captured: int, length: int) -> None:
        interface = self._interfaces[number]
        if captured > len(body):
            raise IndexError
        if ticks is not None:
            self._last_time = ticks / interface.ticks_per_second + interface.offset_seconds
        self._recording.frames.append(
            Frame(self._last_time, interface.link_type, body[:captured], length, interface.name)
        )


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
