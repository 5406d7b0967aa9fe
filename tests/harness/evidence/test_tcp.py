"""TCP: streams come out of segments whole, in order and once, whatever the network did to them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.connections import Connections
from harness.evidence.internet import Datagram, Endpoints, read_ip
from harness.evidence.stream import Stream
from harness.evidence.tcp import (
    ACK,
    FIN,
    MOST_PAYLOAD,
    RST,
    SYN,
    Conversation,
    Segment,
    ends_of,
    read_tcp,
    way_back,
)
from harness.evidence.timeline import Address, Transport
from harness.evidence.turns import Found, Mark

A, B = Address("192.0.2.1", 40000), Address("192.0.2.2", 5060)
FORTH = Endpoints.of(A, B).source + Endpoints.of(A, B).destination + b"\x9c\x40\x13\xc4"
START = b"OPTIONS sip:a SIP/2.0\r\n"


def pieces(
    *segments: tuple[int, bytes, float], syn: int | None = 99, fin: int | None = None
) -> list[tuple[float, int, bytes]]:
    """Time, octets missing before and octets of what comes out of segments."""
    made, found = Stream(), []
    if syn is not None:
        made.open(syn)
    for place, (sequence, data, time) in enumerate(segments):
        found += made.receive(sequence, data, time, place)
    if fin is not None:
        made.close(fin, 2.0, 5)
    found += made.finish(9.0, 99)
    return [(piece.time, piece.missing, piece.data) for piece in found]


def test_out_of_order_waits_for_the_hole_to_close() -> None:
    assert pieces((103, b"def", 1.0), (100, b"abc", 2.0), (106, b"ghi", 3.0)) == [
        (2.0, 0, b"abc"),
        (2.0, 0, b"def"),
        (3.0, 0, b"ghi"),
    ]


def test_a_retransmission_adds_nothing() -> None:
    assert pieces((100, b"abc", 1.0), (100, b"abc", 2.0), (100, b"XYZdef", 3.0)) == [
        (1.0, 0, b"abc"),
        (3.0, 0, b"def"),
    ]


def test_an_overlap_keeps_what_came_first() -> None:
    found = pieces((103, b"def", 1.0), (100, b"abcXXXXgh", 2.0))
    assert b"".join(data for _, _, data in found) == b"abcdefXgh"


def test_a_hole_that_never_closes_is_counted_and_the_stream_goes_on() -> None:
    assert pieces((100, b"abc", 1.0), (110, b"klm", 2.0)) == [(1.0, 0, b"abc"), (2.0, 7, b"klm")]


def test_octets_missing_before_a_fin_are_a_last_piece_without_data() -> None:
    assert pieces((100, b"abc", 1.0), fin=110) == [(1.0, 0, b"abc"), (2.0, 7, b"")]
    assert pieces((100, b"abc", 1.0), fin=103) == [(1.0, 0, b"abc")]


def test_octets_the_other_end_has_and_the_capture_has_not_are_missing() -> None:
    stream = Stream()
    stream.open(99)
    assert stream.follows(100, 3)
    stream.acknowledged = 103
    assert stream.finish(3.0, 3) == []
    stream.acknowledged = 104  # a FIN that the capture has not
    assert stream.finish(3.0, 3) == []
    stream.acknowledged = 124
    assert [(piece.missing, piece.data) for piece in stream.finish(3.0, 3)] == [(20, b"")]


def test_what_the_other_end_has_is_waited_for_in_vain() -> None:
    stream = Stream()
    stream.open(99)
    stream.receive(110, b"klm", 1.0, 1)
    assert stream.waits and not stream.waits_in_vain and stream.waiting_since == (1.0, 1)
    stream.acknowledged = 100
    assert not stream.waits_in_vain
    stream.acknowledged = 113
    assert stream.waits_in_vain
    assert [(piece.missing, piece.data) for piece in stream.give_up()] == [(10, b"klm")]
    assert not stream.waits and stream.held_octets == 0


def test_a_missing_beginning_is_a_hole_only_when_the_syn_was_seen() -> None:
    assert pieces((105, b"f", 1.0)) == [(1.0, 5, b"f")]
    assert pieces((105, b"f", 1.0), syn=None) == [(1.0, 0, b"f")]


def test_a_keep_alive_probe_before_the_data_is_no_data() -> None:
    assert pieces((99, b"\0", 1.0), (100, b"abc", 2.0)) == [(2.0, 0, b"abc")]


def test_sequence_numbers_wrap() -> None:
    found = pieces((2**32 - 2, b"abcd", 1.0), (2, b"ef", 2.0), syn=2**32 - 3)
    assert b"".join(data for _, _, data in found) == b"abcdef"


@given(data=st.data())
def test_any_segmentation_in_any_order_gives_the_stream(data: st.DataObject) -> None:
    octets = data.draw(st.binary(min_size=1, max_size=200))
    initial = data.draw(st.integers(0, 2**32 - 1))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(octets)), max_size=8)) | {len(octets)})
    spans = list(zip([0, *cuts], cuts, strict=False))
    extra = data.draw(
        st.lists(st.tuples(st.integers(0, len(octets)), st.integers(0, len(octets))), max_size=4)
    )
    order = data.draw(st.permutations(spans + [(min(pair), max(pair)) for pair in extra]))
    found = pieces(
        *(((initial + 1 + a) % 2**32, octets[a:b], float(n)) for n, (a, b) in enumerate(order)), syn=initial
    )
    assert b"".join(each for _, _, each in found) == octets
    assert not any(missing for _, missing, _ in found)
    times = [time for time, _, _ in found]
    assert times == sorted(times)


class Capture:
    """Segments given to connections one by one."""

    def __init__(self) -> None:
        self.connections = Connections()
        self.found: list[Found | Mark] = []
        self.place = 0

    def packets(self, packets: list[bytes]) -> Capture:
        for packet in packets:
            datagram = read_ip(packet)
            assert isinstance(datagram, Datagram)
            segment = read_tcp(datagram)
            assert segment is not None
            self.segment(segment)
        return self

    def segment(self, segment: Segment) -> None:
        self.place += 1
        self.found += self.connections.receive(segment, Transport.TCP, float(self.place), self.place)

    def send(self, source: Address, flags: int, sequence: int, data: bytes = b"", ack: int = 0) -> None:
        self.segment(Segment(FORTH if source == A else way_back(FORTH), sequence, ack, flags, data))

    def end(self) -> list[Found]:
        self.found += self.connections.finish(float(self.place), self.place)
        return [each for each in self.found if isinstance(each, Found)]


def test_a_flow_is_known_by_octets_that_tell_its_ends() -> None:
    assert ends_of(FORTH) == (A, B)
    assert ends_of(way_back(FORTH)) == (B, A)


def test_a_conversation_that_skips_octets_reads_back_with_the_hole() -> None:
    ends = Endpoints.of(A, B)
    conversation = Conversation(ends, 1000)
    written = conversation.open() + conversation.data(ends, START)
    conversation.skip(ends, 50)
    written += conversation.data(ends, START)
    conversation.skip(ends.reverse(), 9)
    found = Capture().packets(written + conversation.close()).end()
    assert [(each.missing, each.data) for each in found] == [(0, START), (50, START), (9, b"")]


def test_a_new_syn_on_the_same_ports_is_a_new_connection() -> None:
    capture = Capture()
    for initial in (100, 5000):
        capture.send(A, SYN, initial)
        capture.send(A, SYN, initial)
        capture.send(B, SYN | ACK, initial + 7, ack=initial + 1)
        capture.send(A, ACK, initial + 1, START, initial + 8)
        capture.send(A, FIN | ACK, initial + 1 + len(START), ack=initial + 8)
    assert [(each.connection, each.data) for each in capture.end()] == [(1, START), (2, START)]


def test_copies_that_come_after_the_end_are_no_new_connection() -> None:
    ends = Endpoints.of(A, B)
    conversation = Conversation(ends, 1000)
    packets = conversation.open() + conversation.data(ends, START) + conversation.close()
    found = Capture().packets(packets + packets[1:]).end()
    assert [(each.connection, each.missing, each.data) for each in found] == [(1, 0, START)]


def test_what_came_after_a_hole_is_read_when_the_connection_is_reset() -> None:
    capture = Capture()
    capture.send(A, SYN, 100)
    capture.send(A, ACK, 101, START)
    capture.send(A, ACK, 201, START)
    assert len(capture.found) == 1 and capture.connections.waiting
    capture.send(B, RST, 1)
    assert not capture.connections.waiting
    assert [each.missing for each in capture.end()] == [0, 100 - len(START)]


def test_connections_without_number_take_no_more_memory_than_they_may() -> None:
    connections = Connections()
    for number in range(40_000):
        flow = number.to_bytes(4, "big") + FORTH[4:]
        list(connections.receive(Segment(flow, 1, 0, ACK, b"nothing known"), Transport.TCP, 1.0, number))
    assert connections.others > 40_000 - 20_000
    assert len(connections._directions) <= 2 * 16_384


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=50)), max_size=6), st.booleans())
def test_a_written_conversation_is_read_back(sent: list[tuple[bool, bytes]], newer: bool) -> None:
    sent = [(True, START), *sent]
    hosts = ("2001:db8::1", "2001:db8::2") if newer else ("192.0.2.1", "192.0.2.2")
    ends = Endpoints.of((hosts[0], 40000), (hosts[1], 5060))
    conversation = Conversation(ends, 2**32 - 10)
    packets = conversation.open()
    for forward, data in sent:
        packets += conversation.data(ends if forward else ends.reverse(), data)
    packets += conversation.close()
    found = Capture().packets(packets).end()
    assert {each.connection for each in found} <= {1}
    for forward, host in ((True, hosts[0]), (False, hosts[1])):
        read = b"".join(each.data for each in found if each.source.host == host)
        assert read == b"".join(data for way, data in sent if way is forward)


def test_long_data_is_cut_into_segments_that_fit_ip() -> None:
    ends = Endpoints.of(("192.0.2.1", 1), ("192.0.2.2", 2))
    conversation = Conversation(ends, 1)
    conversation.open()
    packets = conversation.data(ends, bytes(200_000))
    assert len(packets) == -(-200_000 // MOST_PAYLOAD)
    assert max(map(len, packets)) <= 65_535


@given(st.binary(max_size=60))
def test_no_octets_raise(octets: bytes) -> None:
    read_tcp(Datagram(bytes(4), bytes(4), 6, octets))
