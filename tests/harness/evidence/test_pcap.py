"""Classic pcap in its four kinds, whole and cut."""

from __future__ import annotations

import struct

import pytest

from harness.evidence.pcap import MAGICS, read_pcap


def pcap(magic: bytes, *packets: bytes) -> bytes:
    order, ticks = MAGICS[magic]
    octets = magic + struct.pack(order + "HHiIII", 2, 4, 0, 0, 65535, 101)
    for packet in packets:
        octets += struct.pack(order + "IIII", 7, ticks // 2, len(packet), len(packet) + 1) + packet
    return octets


@pytest.mark.parametrize("magic", list(MAGICS))
def test_each_kind_reads_the_same(magic: bytes) -> None:
    recording = read_pcap(pcap(magic, b"abc", b"d"))
    assert recording.fault == ""
    assert [(f.time, f.link_type, f.data, f.length) for f in recording.frames] == [
        (7.5, 101, b"abc", 4),
        (7.5, 101, b"d", 2),
    ]


@pytest.mark.parametrize("octets_off", [1, 3, 10, 18])
def test_a_file_cut_short_gives_the_whole_packets(octets_off: int) -> None:
    recording = read_pcap(pcap(b"\xd4\xc3\xb2\xa1", b"abc", b"def")[:-octets_off])
    assert [frame.data for frame in recording.frames] == [b"abc"]
    assert "ends inside the record at octet 43" in recording.fault
