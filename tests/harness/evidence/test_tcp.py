"""TCP: streams come out of segments whole, in order and once, whatever the network did to them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.internet import Datagram, Defragmenter, Endpoints
from harness.evidence.tcp import (
    ACK,
    FIN,
    MOST_PAYLOAD,
    SYN,
    Connections,
    Conversation,
    HalfStream,
    Segment,
    read_tcp,
)
from harness.evidence.timeline import Address

A, B = Address("192.0.2.1", 40000), Address("192.0.2.2", 5060)


def stream(*segments: tuple[int, bytes, float], syn: int | None = 99) -> HalfStream:
    half = HalfStream()
    if syn is not None:
        half.open(syn)
    for index, (sequence, data, time) in enumerate(segments):
        half.receive(sequence, data, (time, index))
    return half


def pieces(half: HalfStream) -> list[tuple[float, int, bytes]]:
    return [(piece.order[0], piece.missing, piece.data) for piece in half.pieces()]


def test_out_of_order_waits_for_the_hole_to_close() -> None:
    assert pieces(stream((103, b"def", 1.0), (100, b"abc", 2.0), (106, b"ghi", 3.0))) == [
        (2.0, 0, b"abc"),
        (2.0, 0, b"def"),
        (3.0, 0, b"ghi"),
    ]


def test_a_retransmission_adds_nothing() -> None:
    assert pieces(stream((100, b"abc", 1.0), (100, b"abc", 2.0), (100, b"XYZdef", 3.0))) == [
        (1.0, 0, b"abc"),
        (3.0, 0, b"def"),
    ]


def test_an_overlap_keeps_what_came_first() -> None:
    half = stream((103, b"def", 1.0), (100, b"abcXXXXgh", 2.0))
    assert b"".join(piece.data for piece in half.pieces()) == b"abcdefXgh"


def test_a_hole_that_never_closes_is_counted_and_the_stream_goes_on() -> None:
    assert pieces(stream((100, b"abc", 1.0), (110, b"klm", 2.0))) == [(1.0, 0, b"abc"), (2.0, 7, b"klm")]


def test_octets_missing_before_a_fin_are_a_last_piece_without_data() -> None:
    half = stream((100, b"abc", 1.0))
    half.close(110, (2.0, 5))
    assert pieces(half) == [(1.0, 0, b"abc"), (2.0, 7, b"")]
    whole = stream((100, b"abc", 1.0))
    whole.close(103, (2.0, 5))
    assert pieces(whole) == [(1.0, 0, b"abc")]


def test_a_conversation_that_skips_octets_reads_back_with_the_hole() -> None:
    ends = Endpoints.of(A, B)
    conversation = Conversation(ends, 1000)
    written = conversation.open() + conversation.data(ends, b"before")
    conversation.skip(ends, 50)
    written += conversation.data(ends, b"after")
    conversation.skip(ends.reverse(), 9)
    connections = Connections()
    for index, octets in enumerate(written + conversation.close()):
        datagram = Defragmenter().receive(octets)
        assert datagram is not None
        segment = read_tcp(datagram, (float(index), index))
        assert segment is not None
        connections.receive(segment)
    (found,) = connections.all
    assert [piece[1:] for _, _, half in found.streams() for piece in half.pieces()] == [
        (0, b"before"),
        (50, b"after"),
        (9, b""),
    ]


def test_a_missing_beginning_is_a_hole_only_when_the_syn_was_seen() -> None:
    assert pieces(stream((105, b"f", 1.0))) == [(1.0, 5, b"f")]
    assert pieces(stream((105, b"f", 1.0), syn=None)) == [(1.0, 0, b"f")]


def test_a_keep_alive_probe_before_the_data_is_no_data() -> None:
    assert pieces(stream((99, b"\0", 1.0), (100, b"abc", 2.0))) == [(2.0, 0, b"abc")]


def test_sequence_numbers_wrap() -> None:
    half = stream((2**32 - 2, b"abcd", 1.0), (2, b"ef", 2.0), syn=2**32 - 3)
    assert b"".join(piece.data for piece in half.pieces()) == b"abcdef"


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
    half = stream(
        *(((initial + 1 + a) % 2**32, octets[a:b], float(n)) for n, (a, b) in enumerate(order)), syn=initial
    )
    found = list(half.pieces())
    assert b"".join(piece.data for piece in found) == octets
    assert not any(piece.missing for piece in found)
    assert [piece.order for piece in found] == sorted(piece.order for piece in found)


def segment(source: Address, flags: int, sequence: int, data: bytes = b"") -> Segment:
    return Segment(source, B if source == A else A, sequence, flags, data, (0.0, 0))


def test_a_new_syn_on_the_same_ports_is_a_new_connection() -> None:
    connections = Connections()
    for initial in (100, 5000):
        connections.receive(segment(A, SYN, initial))
        connections.receive(segment(A, SYN, initial))
        connections.receive(segment(B, SYN | ACK, initial + 7))
        connections.receive(segment(A, ACK, initial + 1, b"hello"))
        connections.receive(segment(A, FIN | ACK, initial + 6))
    assert len(connections.all) == 2
    for connection in connections.all:
        assert [piece.data for piece in connection.halves[A].pieces()] == [b"hello"]


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=50)), max_size=6), st.booleans())
def test_a_written_conversation_is_read_back(sent: list[tuple[bool, bytes]], newer: bool) -> None:
    hosts = ("2001:db8::1", "2001:db8::2") if newer else ("192.0.2.1", "192.0.2.2")
    ends = Endpoints.of((hosts[0], 40000), (hosts[1], 5060))
    conversation = Conversation(ends, 2**32 - 10)
    packets = conversation.open()
    for forward, data in sent:
        packets += conversation.data(ends if forward else ends.reverse(), data)
    packets += conversation.close()
    connections = Connections()
    for index, packet in enumerate(packets):
        datagram = Defragmenter().receive(packet)
        assert datagram is not None
        read = read_tcp(datagram, (0.0, index))
        assert read is not None
        connections.receive(read)
    (connection,) = connections.all
    for forward, host in ((True, hosts[0]), (False, hosts[1])):
        (half,) = (stream for source, _, stream in connection.streams() if source.host == host)
        assert b"".join(piece.data for piece in half.pieces()) == b"".join(d for f, d in sent if f is forward)


def test_long_data_is_cut_into_segments_that_fit_ip() -> None:
    ends = Endpoints.of(("192.0.2.1", 1), ("192.0.2.2", 2))
    conversation = Conversation(ends, 1)
    conversation.open()
    packets = conversation.data(ends, bytes(200_000))
    assert len(packets) == -(-200_000 // MOST_PAYLOAD)
    assert max(map(len, packets)) <= 65_535


@given(st.binary(max_size=60))
def test_no_octets_raise(octets: bytes) -> None:
    read_tcp(Datagram("192.0.2.1", "192.0.2.2", 6, octets), (0.0, 0))
