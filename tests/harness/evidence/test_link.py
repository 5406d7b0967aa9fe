"""Link layers: the IP packet under each header."""

from __future__ import annotations

import pytest

from harness.evidence.link import ip_packet

IPV4, IPV6 = b"\x45" + bytes(19), b"\x60" + bytes(39)


@pytest.mark.parametrize(
    ("link_type", "header", "packet"),
    [
        (1, bytes(12) + b"\x08\x00", IPV4),
        (1, bytes(12) + b"\x86\xdd", IPV6),
        (1, bytes(12) + b"\x81\x00\x00\x05\x08\x00", IPV4),
        (1, bytes(12) + b"\x88\xa8\x00\x05\x81\x00\x00\x06\x86\xdd", IPV6),
        (113, bytes(14) + b"\x08\x00", IPV4),
        (276, b"\x86\xdd" + bytes(18), IPV6),
        (0, b"\x02\x00\x00\x00", IPV4),
        (108, b"\x00\x00\x00\x1e", IPV6),
        (12, b"", IPV4),
        (101, b"", IPV6),
        (228, b"", IPV4),
        (229, b"", IPV6),
    ],
)
def test_ip_packet_of_each_link_type(link_type: int, header: bytes, packet: bytes) -> None:
    assert ip_packet(link_type, header + packet) == packet


@pytest.mark.parametrize(
    ("link_type", "frame"),
    [(1, bytes(12) + b"\x08\x06" + bytes(28)), (1, b"short"), (101, b""), (105, IPV4), (113, bytes(15))],
)
def test_frames_without_ip(link_type: int, frame: bytes) -> None:
    assert ip_packet(link_type, frame) is None
