"""Link layers: the IP packet under each header."""

from __future__ import annotations

import struct

import pytest

from harness.evidence.link import ip_place

IPV4, IPV6 = b"\x45" + bytes(19), b"\x60" + bytes(39)


@pytest.mark.parametrize(
    ("link_type", "header", "packet"),
    [
        (1, bytes(12) + b"\x08\x00", IPV4),
        (1, bytes(12) + b"\x86\xdd", IPV6),
        (1, bytes(12) + b"\x81\x00\x00\x05\x08\x00", IPV4),
        (1, bytes(12) + b"\x88\xa8\x00\x05\x81\x00\x00\x06\x86\xdd", IPV6),
        (1, bytes(12) + b"\x91\x00\x00\x05\x08\x00", IPV4),
        (1, bytes(12) + b"\x88\x64\x11\x00\x00\x01\x00\x16\x00\x21", IPV4),
        (1, bytes(12) + b"\x88\x64\x11\x00\x00\x01\x00\x16\x00\x57", IPV6),
        (1, bytes(12) + b"\x88\x47\x00\x01\x00\x40\x00\x02\x01\x40", IPV4),
        (1, bytes(12) + b"\x00\x30\xaa\xaa\x03\x00\x00\x00\x08\x00", IPV4),
        (113, bytes(14) + b"\x08\x00", IPV4),
        (113, bytes(14) + b"\x81\x00\x00\x05\x86\xdd", IPV6),
        (276, b"\x81\x00" + bytes(18) + b"\x00\x05\x08\x00", IPV4),
        (276, b"\x86\xdd" + bytes(18), IPV6),
        (0, b"\x02\x00\x00\x00", IPV4),
        (108, b"\x00\x00\x00\x1e", IPV6),
        (12, b"", IPV4),
        (101, b"", IPV6),
        (228, b"", IPV4),
        (229, b"", IPV6),
        (14, b"", IPV6),
        (109, bytes(12), IPV4),
        (9, b"\xff\x03\x00\x21", IPV4),
        (9, b"\x00\x57", IPV6),
        (9, b"\x21", IPV4),
        (104, b"\x0f\x00\x08\x00", IPV4),
        (258, struct.pack("<III", 16, 1, 1) + bytes(4 + 12) + b"\x86\xdd", IPV6),
        (258, struct.pack("<III", 12, 1, 12), IPV4),
    ],
)
def test_ip_packet_of_each_link_type(link_type: int, header: bytes, packet: bytes) -> None:
    assert ip_place(link_type, header + packet) == len(header)


@pytest.mark.parametrize(
    ("link_type", "frame"),
    [
        (1, bytes(12) + b"\x08\x06" + bytes(28)),
        (1, b"short"),
        (1, bytes(12) + b"\x81\x00\x00"),
        (1, bytes(12) + b"\x88\x47\x00\x01\x00\x40"),
        (1, bytes(12) + b"\x88\x64\x11\x00\x00\x01\x00\x16\xc0\x21" + IPV4),
        (101, b""),
        (101, b"\x30"),
        (105, IPV4),
        (113, bytes(15)),
        (9, b"\xc0\x21\x45"),
        (258, struct.pack("<III", 12, 1, 258) * 200),
        (258, struct.pack("<III", 4, 1, 1)),
        (258, b""),
    ],
)
def test_frames_without_ip(link_type: int, frame: bytes) -> None:
    assert ip_place(link_type, frame) == -1
