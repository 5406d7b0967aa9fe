"""pcapng: what is written is read, and every variant of the format gives the same frames."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import NamedTuple

import pytest

from harness.evidence.frame import Damage, Frame
from harness.evidence.pcapng import LINKTYPE_RAW, PcapngWriter, read_pcapng


class Recording(NamedTuple):
    frames: list[Frame]
    fault: str


def recorded(octets: bytes, piece: int = 7) -> Recording:
    """What is read of a file that comes in small pieces."""
    rest = BytesIO(octets)
    start, frames = rest.read(24), []
    try:
        for frame in read_pcapng(start, lambda: rest.read(piece)):
            frames.append(frame)
    except Damage as damage:
        return Recording(frames, str(damage))
    return Recording(frames, "")


def block(order: str, kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack(order + "II", kind, length) + body + struct.pack(order + "I", length)


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str, options: bytes = b"", link_type: int = 1) -> bytes:
    return block(order, 1, struct.pack(order + "HHI", link_type, 0, 0) + options)


def enhanced(order: str, ticks: int, data: bytes, number: int = 0) -> bytes:
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(order, 6, head + data + bytes(-len(data) % 4))


def test_written_packets_are_read_back() -> None:
    writer = PcapngWriter(file := BytesIO(), "rcslab", "a test")
    number = writer.interface("lab", "sockets")
    writer.packet(number, 1424156067.412508, b"abc", "a note")
    writer.packet(number, 1424156067.5, b"defg")
    recording = recorded(file.getvalue())
    assert recording.fault == ""
    assert [(frame.time, frame.data) for frame in recording.frames] == [
        (1424156067.412508, b"abc"),
        (1424156067.5, b"defg"),
    ]
    assert {(frame.link_type, frame.interface) for frame in recording.frames} == {(LINKTYPE_RAW, "lab")}


def test_comments_and_the_application_stand_in_their_options() -> None:
    writer = PcapngWriter(file := BytesIO(), "rcslab")
    writer.packet(writer.interface("lab", ""), 0.0, b"abc", "Contact in MESSAGE")
    octets = file.getvalue()
    assert struct.pack("<HH", 4, 6) + b"rcslab" in octets
    assert struct.pack("<HH", 1, 18) + b"Contact in MESSAGE" in octets


def test_a_comment_that_is_too_long_is_cut_between_characters() -> None:
    writer = PcapngWriter(file := BytesIO(), "rcslab")
    writer.packet(writer.interface("lab", ""), 0.0, b"abc", "é" * 40_000)
    assert recorded(file.getvalue()).fault == ""


@pytest.mark.parametrize("order", ["<", ">"])
def test_either_byte_order(order: str) -> None:
    recording = recorded(section(order) + interface(order) + enhanced(order, 2_500_000, b"xy"))
    assert [(frame.time, frame.data, frame.link_type) for frame in recording.frames] == [(2.5, b"xy", 1)]


def test_sections_have_their_own_byte_order_and_interfaces() -> None:
    octets = section("<") + interface("<", link_type=1) + enhanced("<", 1_000_000, b"a")
    octets += section(">") + interface(">", link_type=101) + enhanced(">", 2_000_000, b"b")
    frames = recorded(octets).frames
    assert [(frame.time, frame.link_type, frame.data) for frame in frames] == [
        (1.0, 1, b"a"),
        (2.0, 101, b"b"),
    ]


@pytest.mark.parametrize(
    ("resolution", "ticks", "seconds"),
    [(9, 1_500_000_000, 1.5), (3, 1500, 1.5), (0x80 | 10, 1536, 1.5), (0, 7, 7.0)],
)
def test_time_resolution_of_the_interface(resolution: int, ticks: int, seconds: float) -> None:
    options = struct.pack("<HHB3x", 9, 1, resolution) + bytes(4)
    frames = recorded(section("<") + interface("<", options) + enhanced("<", ticks, b"a")).frames
    assert frames[0].time == seconds


def test_time_offset_of_the_interface() -> None:
    options = struct.pack("<HHq", 14, 8, 1000) + bytes(4)
    frames = recorded(section("<") + interface("<", options) + enhanced("<", 1_000_000, b"a")).frames
    assert frames[0].time == 1001.0


def test_simple_and_obsolete_packets() -> None:
    simple = block("<", 3, struct.pack("<I", 2) + b"ab\0\0")
    obsolete = block("<", 2, struct.pack("<HHIIII", 0, 0, 0, 3_000_000, 1, 1) + b"c\0\0\0")
    frames = recorded(section("<") + interface("<") + obsolete + simple).frames
    assert [(frame.time, frame.data) for frame in frames] == [(3.0, b"c"), (3.0, b"ab")]


def test_blocks_of_other_kinds_are_passed_over() -> None:
    octets = section("<") + interface("<") + block("<", 0x0BAD, b"four" * 3) + enhanced("<", 0, b"a")
    assert len(recorded(octets).frames) == 1


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (enhanced("<", 0, b"abc")[:-3], "ends inside the block"),
        (struct.pack("<II", 6, 13) + bytes(8), "impossible length"),
        (struct.pack("<II", 6, 16) + bytes(8), "two different lengths"),
        (enhanced("<", 0, b"abc", number=4), "names no interface"),
        (block("<", 6, b"short\0\0\0"), "too short"),
    ],
)
def test_damage_is_named_and_what_came_before_stays(octets: bytes, words: str) -> None:
    recording = recorded(section("<") + interface("<") + enhanced("<", 0, b"whole") + octets)
    assert [frame.data for frame in recording.frames] == [b"whole"]
    assert words in recording.fault


def test_a_block_of_another_kind_may_be_larger_than_memory_should_hold() -> None:
    big = block("<", 0x0BAD, bytes(40_000))
    recording = recorded(section("<") + interface("<") + big + enhanced("<", 0, b"a"), piece=1000)
    assert [frame.data for frame in recording.frames] == [b"a"] and recording.fault == ""
    assert recorded(section("<") + big[:-9]).fault == "ends inside the block at octet 28"
    assert recorded(section("<") + big[:-4] + b"abcd").fault == "block at octet 28 has two different lengths"


def test_a_packet_block_that_announces_four_gigabytes_is_damage_and_not_read() -> None:
    octets = section("<") + interface("<") + struct.pack("<II", 6, 0xFFFFFFFC) + bytes(100)
    assert recorded(octets).fault == "block at octet 48 announces 4294967292 octets"


def test_options_that_say_they_are_longer_than_their_block_are_read_as_far_as_they_are_there() -> None:
    options = struct.pack("<HH", 2, 60_000) + b"eth0"
    frames = recorded(section("<") + interface("<", options) + enhanced("<", 0, b"a")).frames
    assert frames[0].interface == "eth0"
