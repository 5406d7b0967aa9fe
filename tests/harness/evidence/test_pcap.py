"""Classic pcap in its kinds, whole and cut."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import NamedTuple

import pytest

from harness.evidence.frame import Damage, Frame
from harness.evidence.pcap import MAGICS, read_pcap


class Recording(NamedTuple):
    frames: list[Frame]
    fault: str


def recorded(octets: bytes, piece: int = 7) -> Recording:
    """What is read of a file that comes in small pieces."""
    rest = BytesIO(octets)
    start, frames = rest.read(24), []
    try:
        for frame in read_pcap(start, lambda: rest.read(piece)):
            frames.append(frame)
    except Damage as damage:
        return Recording(frames, str(damage))
    return Recording(frames, "")


def pcap(magic: bytes, *packets: bytes) -> bytes:
    order, ticks, more = MAGICS[magic]
    octets = magic + struct.pack(order + "HHiIII", 2, 4, 0, 0, 65535, 101)
    for packet in packets:
        octets += (
            struct.pack(order + "IIII", 7, ticks // 2, len(packet), len(packet) + 1) + bytes(more) + packet
        )
    return octets


@pytest.mark.parametrize("magic", list(MAGICS))
def test_each_kind_reads_the_same(magic: bytes) -> None:
    recording = recorded(pcap(magic, b"abc", b"d"))
    assert recording.fault == ""
    assert [(f.time, f.link_type, f.data, f.length) for f in recording.frames] == [
        (7.5, 101, b"abc", 4),
        (7.5, 101, b"d", 2),
    ]


@pytest.mark.parametrize("octets_off", [1, 3, 10, 18])
def test_a_file_cut_short_gives_the_whole_packets(octets_off: int) -> None:
    recording = recorded(pcap(b"\xd4\xc3\xb2\xa1", b"abc", b"def")[:-octets_off])
    assert [frame.data for frame in recording.frames] == [b"abc"]
    assert "ends inside the record at octet 43" in recording.fault


def test_a_record_that_announces_four_gigabytes_is_damage_and_not_read() -> None:
    octets = pcap(b"\xd4\xc3\xb2\xa1", b"abc") + struct.pack("<IIII", 7, 0, 0xFFFFFFFF, 60) + bytes(100)
    recording = recorded(octets)
    assert [frame.data for frame in recording.frames] == [b"abc"]
    assert recording.fault == "has a record at octet 43 that announces 4294967295 octets"


def test_a_file_that_ends_in_zeros_ends_where_they_begin() -> None:
    recording = recorded(pcap(b"\xd4\xc3\xb2\xa1", b"abc") + bytes(4096))
    assert [frame.data for frame in recording.frames if frame.data] == [b"abc"]
    assert recording.fault.startswith("has nothing but zeros before octet")


def test_what_stands_above_the_link_type_is_left_aside() -> None:
    """The upper half of that field tells the length of the frame check sequence."""
    octets = bytearray(pcap(b"\xd4\xc3\xb2\xa1", b"abc"))
    octets[20:24] = struct.pack("<I", 0x2400_0000 | 101)
    (frame,) = recorded(bytes(octets)).frames
    assert frame.link_type == 101
