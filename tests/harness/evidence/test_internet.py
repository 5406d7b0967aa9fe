"""IP and UDP: written with checksums that hold, read with fragments in any order."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.fragments import SECONDS, Defragmenter
from harness.evidence.internet import UDP, Datagram, Endpoints, Fragment, host, read_ip, read_udp, udp_packet

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
    datagram = read_ip(packet + b"padding")
    assert isinstance(datagram, Datagram)
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


def received(defragmenter: Defragmenter, packets: list[bytes], time: float = 1.0) -> list[Datagram]:
    found = []
    for place, packet in enumerate(packets):
        fragment = read_ip(packet)
        assert isinstance(fragment, Fragment)
        if (datagram := defragmenter.receive(fragment, time, place)) is not None:
            found.append(datagram)
    return found


@pytest.mark.parametrize("cut", [ipv4_fragments, ipv6_fragments])
@given(data=st.data())
def test_fragments_in_any_order_and_repeated(cut, data) -> None:  # type: ignore[no-untyped-def]
    payload = data.draw(st.binary(min_size=20, max_size=400))
    fragments = cut(payload, 16)
    order = data.draw(st.permutations(fragments))
    done = received(Defragmenter(), [*order[:-1], order[0], order[-1]])
    assert [datagram.payload for datagram in done][:1] == [payload]


def test_fragments_that_overlap_give_each_octet_once() -> None:
    payload = bytes(range(64))
    even, odd = ipv4_fragments(payload, 16), ipv4_fragments(payload, 24)
    (done,) = received(Defragmenter(), [even[0], odd[1], even[1], odd[2]])
    assert done.payload == payload


def test_a_missing_fragment_is_waited_for_and_then_counted() -> None:
    defragmenter = Defragmenter()
    assert received(defragmenter, ipv4_fragments(bytes(64), 16)[:-1]) == []
    assert defragmenter.waiting_since == 0
    assert defragmenter.given_up(1.0 + SECONDS) == [] and defragmenter.incomplete == 0
    ((_, datagram),) = defragmenter.given_up(1.1 + SECONDS)
    assert (datagram.payload, datagram.cut) == (bytes(48), 1)
    assert (defragmenter.incomplete, defragmenter.waiting_since) == (1, None)


def test_what_is_behind_a_missing_fragment_is_not_given_but_how_much_it_is_is_known() -> None:
    defragmenter = Defragmenter()
    first, _, third, last = ipv4_fragments(bytes(60), 16)
    received(defragmenter, [last, third, first])
    ((_, datagram),) = defragmenter.given_up()
    assert (datagram.payload, datagram.cut) == (bytes(16), 44)


def test_without_its_first_fragment_a_datagram_is_counted_only() -> None:
    defragmenter = Defragmenter()
    received(defragmenter, ipv6_fragments(bytes(64), 16)[1:])
    assert defragmenter.given_up() == [] and defragmenter.incomplete == 1


def test_a_copy_of_a_fragment_is_no_datagram_that_misses_others() -> None:
    defragmenter = Defragmenter()
    fragments = ipv4_fragments(bytes(64), 16)
    assert len(received(defragmenter, [*fragments, fragments[0]])) == 1
    assert defragmenter.given_up() == [] and defragmenter.incomplete == 0


def test_fragments_without_end_take_no_more_memory_than_they_may() -> None:
    defragmenter = Defragmenter()
    for number in range(20_000):
        key = b"a", b"b", 17, number
        defragmenter.receive(Fragment(key, 0, False, Datagram(b"a", b"b", 17, bytes(1000))), 1.0, number)
        defragmenter.given_up(1.0)
    assert defragmenter.incomplete > 10_000


def test_ipv6_extension_headers_are_passed_over_in_whole_packets_and_in_fragments() -> None:
    udp = udp_packet(V6, b"hello", 1)[40:]
    options = bytes([60, 0, 1, 4, 0, 0, 0, 0]) + bytes([17, 1]) + bytes(14)
    head = struct.pack(">IHBB", 6 << 28, len(options + udp), 0, 64) + V6.source + V6.destination
    datagram = read_ip(head + options + udp)
    assert isinstance(datagram, Datagram)
    assert (datagram.protocol, datagram.payload) == (UDP, udp)
    rest = options[8:] + udp
    packets = []
    for start in (0, 16):
        part = rest[start : start + 16] if start == 0 else rest[start:]
        field = struct.pack(">BBHI", 60, 0, start | (start == 0), 99)
        outer = struct.pack(">IHBB", 6 << 28, len(field + part), 44, 64) + V6.source + V6.destination
        packets.append(outer + field + part)
    (joined,) = received(Defragmenter(), packets)
    assert (joined.protocol, joined.payload) == (UDP, udp)


def test_an_authentication_header_is_passed_over() -> None:
    udp = udp_packet(V4, b"hello", 1)[20:]
    header = bytes([17, 4]) + bytes(22)
    packet = bytearray(udp_packet(V4, header + udp, 1)[:20] + header + udp)
    packet[9], packet[2:4] = 51, len(packet).to_bytes(2, "big")
    datagram = read_ip(bytes(packet))
    assert isinstance(datagram, Datagram)
    assert (datagram.protocol, datagram.payload) == (UDP, udp)


def test_octets_the_capture_did_not_keep_are_counted() -> None:
    datagram = read_ip(udp_packet(V4, b"0123456789", 1)[:-4])
    assert isinstance(datagram, Datagram)
    assert read_udp(datagram) == (5060, 5062, b"012345", 4)
    assert host(datagram.source) == "192.0.2.1"


@given(st.binary(max_size=120), st.sampled_from([0x45, 0x4F, 0x60, 0]))
def test_no_octets_raise(octets: bytes, first: int) -> None:
    read = read_ip(bytes([first]) + octets)
    if isinstance(read, Fragment):
        Defragmenter().receive(read, 1.0, 1)
