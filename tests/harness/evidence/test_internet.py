"""IP and UDP: written with checksums that hold, read with fragments in any order."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.internet import UDP, Datagram, Defragmenter, Endpoints, read_udp, udp_packet

V4 = Endpoints.of(("192.0.2.1", 5060), ("192.0.2.2", 5062))
V6 = Endpoints.of(("2001:db8::1", 5060), ("2001:db8::2", 5062))


def ones_sum(octets: bytes) -> int:
    total = sum(struct.unpack(f">{(len(octets) + 1) // 2}H", octets + bytes(len(octets) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(st.binary(max_size=300), st.sampled_from([V4, V6]))
def test_udp_written_is_read_and_its_checksums_hold(data: bytes, ends: Endpoints) -> None:
    packet = udp_packet(ends, data, 7)
    header = 20 if ends is V4 else 40
    if ends is V4:
        assert ones_sum(packet[:20]) == 0xFFFF
    segment = packet[header:]
    assert (
        ones_sum(ends.source + ends.destination + struct.pack(">II", len(segment), UDP) + segment) == 0xFFFF
    )
    datagram = Defragmenter().receive(packet + b"padding")
    assert datagram is not None
    udp = read_udp(datagram)
    assert udp == (5060, 5062, data, 0)


def test_a_udp_checksum_that_computes_to_zero_is_sent_as_ones() -> None:
    for word in range(0x10000):
        segment = udp_packet(V4, word.to_bytes(2, "big"), 1)[20:]
        assert segment[6:8] != b"\0\0"


def test_mapped_and_mixed_addresses() -> None:
    assert Endpoints.of(("::ffff:192.0.2.1", 1), ("192.0.2.2", 2)).source == bytes([192, 0, 2, 1])
    assert len(Endpoints.of(("2001:db8::1", 1), ("192.0.2.2", 2)).destination) == 16
    assert len(Endpoints.of(("fe80::1%eth0", 1), ("fe80::2", 2)).source) == 16


def ipv4_fragments(payload: bytes, size: int) -> list[bytes]:
    pieces = []
    for start in range(0, len(payload), size):
        part = payload[start : start + size]
        more = 0x2000 if start + size < len(payload) else 0
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(part), 99, more | start // 8, 64, 17, 0)
        pieces.append(head + V4.source + V4.destination + part)
    return pieces


def ipv6_fragments(payload: bytes, size: int) -> list[bytes]:
    pieces = []
    for start in range(0, len(payload), size):
        part = payload[start : start + size]
        more = 1 if start + size < len(payload) else 0
        extension = struct.pack(">BBHI", 17, 0, start | more, 4711) + part
        head = struct.pack(">IHBB", 6 << 28, 8 + len(extension), 0, 64) + V6.source + V6.destination
        pieces.append(head + bytes([44, 0]) + bytes(6) + extension)
    return pieces


@pytest.mark.parametrize("cut", [ipv4_fragments, ipv6_fragments])
@given(data=st.data())
def test_fragments_in_any_order_and_repeated(cut, data) -> None:  # type: ignore[no-untyped-def]
    payload = data.draw(st.binary(min_size=20, max_size=400))
    fragments = cut(payload, 16)
    order = data.draw(st.permutations(fragments))
    defragmenter = Defragmenter()
    done = [found for packet in [*order[:-1], order[0], order[-1]] if (found := defragmenter.receive(packet))]
    assert [datagram.payload for datagram in done][:1] == [payload]


def test_a_missing_fragment_is_counted() -> None:
    defragmenter = Defragmenter()
    for packet in ipv4_fragments(bytes(64), 16)[:-1]:
        assert defragmenter.receive(packet) is None
    assert defragmenter.incomplete == 1


def test_ip_in_ip_is_opened() -> None:
    inner = udp_packet(V4, b"hello", 1)
    head = struct.pack(">IHBB", 6 << 28, len(inner), 4, 64) + V6.source + V6.destination
    datagram = Defragmenter().receive(head + inner)
    assert datagram is not None
    assert (datagram.source, datagram.protocol) == ("192.0.2.1", UDP)


def test_octets_the_capture_did_not_keep_are_counted() -> None:
    datagram = Defragmenter().receive(udp_packet(V4, b"0123456789", 1)[:-4])
    assert datagram is not None
    assert read_udp(datagram) == (5060, 5062, b"012345", 4)


@given(st.binary(max_size=120), st.sampled_from([0x45, 0x4F, 0x60, 0]))
def test_no_octets_raise(octets: bytes, first: int) -> None:
    datagram = Defragmenter().receive(bytes([first]) + octets)
    assert datagram is None or isinstance(datagram, Datagram)
