"""Captures: a timeline written and read is the same, and no file brings anything but CaptureError."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import CaptureError, UsageError
from harness.evidence.capture import capture_octets, capture_to_timeline, write_capture
from harness.evidence.capture_file import CaptureFile
from harness.evidence.internet import Endpoints, udp_packet
from harness.evidence.pcapng import PcapngWriter, read_pcapng
from harness.evidence.tcp import ACK, SYN, Conversation
from harness.evidence.timeline import Address, Entry, Event, Layer, Packet, Timeline, Transport

PAGER = Path(__file__).parents[2] / "corpora/seed/pager.pcapng"
A, B = Address("192.0.2.1", 40000), Address("192.0.2.2", 41234)
A6, B6 = Address("2001:db8::1", 40001), Address("2001:db8::2", 41235)
ENDS = Endpoints.of(A, B)

Make = Callable[..., bytes]


def packets(entries: Timeline | list[Entry]) -> list[Packet]:
    return [entry for entry in entries if isinstance(entry, Packet)]


def events(timeline: Timeline) -> dict[str, Event]:
    return {entry.name: entry for entry in timeline if isinstance(entry, Event)}


def raw(path: Path, *frames: tuple[float, bytes]) -> Path:
    writer = PcapngWriter(file := BytesIO(), "test")
    number = writer.interface("any", "")
    for time, packet in frames:
        writer.packet(number, time, packet)
    path.write_bytes(file.getvalue())
    return path


def segments(data: bytes, size: int) -> tuple[list[bytes], list[bytes]]:
    """Handshake, and the data in segments of `size` octets."""
    conversation = Conversation(ENDS, 1000)
    handshake = conversation.open()
    return handshake, [conversation.data(ENDS, data[at : at + size])[0] for at in range(0, len(data), size)]


def test_a_timeline_survives_the_capture(tmp_path: Path, request_of: Make, answer_of: Make) -> None:
    msrp = (
        b"MSRP d93kswow SEND\r\nTo-Path: msrp://a.example:7394/2s93i9;tcp\r\n\r\nhi\r\n-------d93kswow$\r\n"
    )
    timeline = Timeline()
    timeline.packet(Layer.SIP, Transport.UDP, A, B, request_of(1), at=1.25)
    timeline.packet(Layer.SIP, Transport.UDP, B, A, answer_of(1), at=1.5)
    timeline.packet(Layer.SIP, Transport.UDP, B, A, b"\r\n\r\n", at=1.5)
    timeline.packet(Layer.SIP, Transport.TCP, A6, B6, request_of(2), connection=1, at=2.0)
    timeline.event(
        Layer.MSRP, "connection", f"{A} opened it to {B}", at=2.125, connection=2, opened_by=str(A)
    )
    timeline.packet(Layer.MSRP, Transport.TCP, A, B, msrp, connection=2, at=2.125)
    timeline.event(Layer.MSRP, "connection", f"closed: by {B}", at=2.125, connection=2, closed_by=str(B))
    timeline.packet(Layer.SIP, Transport.TCP, B6, A6, answer_of(2), connection=1, at=2.25)
    write_capture(tmp_path / "a.pcapng", list(timeline))
    assert list(capture_to_timeline(tmp_path / "a.pcapng")) == list(timeline)


def test_what_tls_carried_is_read_back_as_tls(tmp_path: Path, request_of: Make) -> None:
    timeline = Timeline()
    timeline.packet(Layer.SIP, Transport.TLS, A, B, request_of(1), connection=1, at=1.0)
    write_capture(tmp_path / "a.pcapng", list(timeline))
    assert list(capture_to_timeline(tmp_path / "a.pcapng")) == list(timeline)


def test_events_do_not_become_packets_and_findings_become_comments(
    request_of: Make, finding: Callable
) -> None:  # type: ignore[type-arg]
    timeline = Timeline()
    timeline.event(Layer.AT, "command", command="AT+CIREG?", at=1.0)
    sent = timeline.packet(Layer.SIP, Transport.UDP, A, B, request_of(1), note="a remark", at=1.0)
    octets = capture_octets(list(timeline), [finding("pager.no-contact", sent)])
    assert len(list(read_pcapng(octets, bytes))) == 1
    assert b"a remark\nMUST pager.no-contact (handset)" in octets
    assert b"CIREG" not in octets


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(data=st.data())
def test_streams_keep_their_octets_however_they_were_read(
    tmp_path: Path, request_of: Make, data: st.DataObject
) -> None:
    octets = request_of(1) + b"\r\n\r\n" + request_of(2, b"x" * 70_000)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(octets) - 1), max_size=5)))
    timeline = Timeline()
    for index, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(octets)], strict=True)):
        timeline.packet(Layer.SIP, Transport.TCP, A, B, octets[start:end], connection=4, at=float(index))
    write_capture(tmp_path / "a.pcapng", list(timeline))
    back = capture_to_timeline(tmp_path / "a.pcapng")
    assert b"".join(packet.data for packet in packets(back)) == octets
    assert events(back) == {}


def test_segments_out_of_order_are_put_in_order_and_time_never_steps_back(
    tmp_path: Path, request_of: Make
) -> None:
    octets = request_of(1, b"x" * 200)
    handshake, parts = segments(octets, 100)
    parts[0], parts[2] = parts[2], parts[0]
    frames = [(1.0, packet) for packet in handshake]
    frames += [(2.0 + index, packet) for index, packet in enumerate([*parts, parts[1]])]
    back = packets(capture_to_timeline(raw(tmp_path / "a", *frames)))
    assert b"".join(packet.data for packet in back) == octets
    assert [packet.time for packet in back] == sorted(packet.time for packet in back)
    assert {packet.connection for packet in back} == {1}


def test_a_hole_in_a_stream_is_noted_and_reading_goes_on_at_the_next_start_line(
    tmp_path: Path, request_of: Make
) -> None:
    octets = request_of(1, b"x" * 100) + request_of(2) + request_of(3)
    handshake, parts = segments(octets, 100)
    del parts[1]
    back = packets(capture_to_timeline(raw(tmp_path / "a", *((1.0, each) for each in handshake + parts))))
    after = next(packet for packet in back if packet.missing)
    assert after.missing == 100
    assert after.note.startswith("gap: the capture has not 100 octets before this; ")
    assert after.data.startswith(b"MESSAGE ")
    whole = b"".join(packet.data for packet in back)
    assert whole.endswith(request_of(2) + request_of(3))


def test_holes_of_a_timeline_are_written_and_read_back(tmp_path: Path, request_of: Make) -> None:
    timeline = Timeline(clock=lambda: 1e9)

    def add(source: Address, destination: Address, data: bytes, missing: int = 0) -> None:
        note = f"gap: the capture has not {missing} octets before this" if missing else ""
        timeline.packet(
            Layer.SIP, Transport.TCP, source, destination, data, connection=1, note=note, missing=missing
        )

    one, other = Address("192.0.2.1", 40000), Address("192.0.2.2", 5060)
    add(one, other, request_of(1))
    add(one, other, request_of(2), 700)
    add(other, one, b"", 300)
    write_capture(tmp_path / "holes.pcapng", timeline)
    assert packets(capture_to_timeline(tmp_path / "holes.pcapng")) == packets(timeline)


def test_who_opened_an_msrp_connection_is_written_and_read_back(tmp_path: Path) -> None:
    """The end that accepted it sends first."""
    paths = b"To-Path: msrp://a:1/x;tcp\r\nFrom-Path: msrp://b:1/y;tcp\r\n"
    answer = b"MSRP a786hjs2 200 OK\r\n" + paths + b"-------a786hjs2$\r\n"
    timeline = Timeline(clock=lambda: 1e9)
    opened = timeline.event(Layer.MSRP, "connection", "accepted from there", opened_by=str(B))
    timeline.packet(Layer.MSRP, Transport.TCP, A, B, answer, connection=opened.number)
    write_capture(tmp_path / "opened.pcapng", timeline)
    found = capture_to_timeline(tmp_path / "opened.pcapng")
    back = next(entry for entry in found if isinstance(entry, Event) and "opened_by" in entry.fields)
    assert back.text == f"{B} opened it to {A}"
    assert dict(back.fields) == {"connection": 1, "opened_by": str(B)}


def test_who_ended_an_msrp_connection_is_read_from_fin_and_reset(tmp_path: Path) -> None:
    start = b"MSRP a786hjs2 SEND\r\nTo-Path: msrp://a:1/x;tcp\r\nFrom-Path: msrp://b:1/y;tcp\r\n"
    conversation = Conversation(ENDS, 1000)
    frames = [*conversation.open(), *conversation.data(ENDS, start)]
    ended = [*frames, *conversation.close(by_opener=False)]
    reset = bytearray(frames[-1][:40])
    reset[2:4] = (40).to_bytes(2, "big")
    reset[33] = 0x04
    for name, packets, closer in (("fin", ended, B), ("rst", [*frames, bytes(reset)], A)):
        path = raw(tmp_path / f"{name}.pcapng", *((float(at), packet) for at, packet in enumerate(packets)))
        found = [
            each
            for each in capture_to_timeline(path)
            if isinstance(each, Event) and "closed_by" in each.fields
        ]
        assert [(each.text, each.time) for each in found] == [
            (f"closed: by {closer}", len(packets) - 1.0 - (name == "fin"))
        ]


def test_a_capture_that_begins_inside_a_stream_begins_at_a_start_line(
    tmp_path: Path, request_of: Make
) -> None:
    conversation = Conversation(ENDS, 1000)
    conversation.open()
    first, second = request_of(1), request_of(2)
    conversation.data(ENDS, first[:-10])
    (seen,) = conversation.data(ENDS, first[-10:] + second)
    (back,) = packets(capture_to_timeline(raw(tmp_path / "a", (1.0, seen))))
    assert (back.data, back.missing) == (second, 0)
    assert back.note == "the capture begins inside the stream; 10 octets up to this start line left out"


def test_other_traffic_is_left_out_and_counted(tmp_path: Path, request_of: Make) -> None:
    handshake, parts = segments(b"GET / HTTP/1.1\r\nHost: example.net\r\n\r\n", 1000)
    dns = udp_packet(Endpoints.of(A, ("192.0.2.53", 53)), b"query", 1)
    esp = struct.pack(">BBHHHBBH", 0x45, 0, 28, 1, 0, 64, 50, 0) + ENDS.source + ENDS.destination + bytes(8)
    sip = udp_packet(ENDS, request_of(1), 1)
    path = raw(tmp_path / "a", *((1.0, each) for each in [*handshake, *parts, dns, esp, sip, b"\0"]))
    timeline = capture_to_timeline(path)
    assert [packet.data for packet in packets(timeline)] == [request_of(1)]
    assert events(timeline)["capture-ignored"].fields["counts"] == {
        "TCP connections of other protocols": 1,
        "UDP datagrams of other protocols": 1,
        "IP packets of protocol 50": 1,
        "frames without IP": 1,
    }


def test_port_5060_alone_is_not_sip_and_sip_needs_no_port(tmp_path: Path, request_of: Make) -> None:
    junk = udp_packet(Endpoints.of(("192.0.2.1", 5060), ("192.0.2.9", 5060)), b"junk", 1)
    sip = udp_packet(Endpoints.of(("192.0.2.1", 53), ("192.0.2.2", 443)), request_of(1), 1)
    back = packets(capture_to_timeline(raw(tmp_path / "a", (1.0, junk), (2.0, sip))))
    assert [(packet.source.port, packet.layer) for packet in back] == [(53, Layer.SIP)]


def test_a_datagram_the_capture_cut_says_so(tmp_path: Path, request_of: Make) -> None:
    packet = udp_packet(ENDS, request_of(1), 1)[:-20]
    (back,) = packets(capture_to_timeline(raw(tmp_path / "a", (1.0, packet))))
    assert back.missing == 20
    assert back.note == "the capture left out the last 20 octets"


def test_packets_come_in_time_order(tmp_path: Path, request_of: Make) -> None:
    frames = [(time, udp_packet(ENDS, request_of(int(time)), 1)) for time in (3.0, 1.0, 2.0)]
    assert [each.time for each in capture_to_timeline(raw(tmp_path / "a", *frames))] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("octets_kept", [-1, -40, -700])
def test_a_file_cut_short_gives_what_is_there_and_an_event(tmp_path: Path, octets_kept: int) -> None:
    path = tmp_path / "cut.pcapng"
    path.write_bytes(PAGER.read_bytes()[:octets_kept])
    timeline = capture_to_timeline(path)
    whole = packets(capture_to_timeline(PAGER))
    assert packets(timeline) == whole[: len(packets(timeline))]
    event = events(timeline)["capture-truncated"]
    assert str(path) in event.text
    assert "ends inside the block at octet" in event.text


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "an empty file"),
        (b"%PDF-1.7 and so on", "begins with octets 25 50 44 46"),
        (b"\x1f\x8b\x08\x00", "the gzip data end too early"),
        (gzip.compress(b""), "an empty file in gzip"),
        (gzip.compress(b"a tape archive"), "a file in gzip that begins with octets 61 20 74 61"),
        (b"\x28\xb5\x2f\xfd\x00", "a zstd file; unpack it first"),
        (b"\xd4\xc3\xb2\xa1\x02", "5 octets of a 24-octet header"),
        (b"\x0a\x0d\x0d\x0a" + bytes(20), "byte-order magic"),
        (b"\xd4\xc3\xb2\xa1" + struct.pack("<HHiIII", 2, 4, 0, 0, 9, 105) + bytes(16), "got 105"),
    ],
)
def test_what_is_no_capture_is_refused_by_name(tmp_path: Path, octets: bytes, words: str) -> None:
    path = tmp_path / "thing.pcapng"
    path.write_bytes(octets)
    with pytest.raises(CaptureError, match=r"thing\.pcapng: expected") as caught:
        capture_to_timeline(path)
    assert words in str(caught.value)
    assert isinstance(caught.value, UsageError)


def test_a_path_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pcap", tmp_path):
        with pytest.raises(CaptureError, match="expected a pcap or pcapng capture"):
            capture_to_timeline(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(data=st.data())
def test_no_octets_raise_anything_but_capture_error(tmp_path: Path, data: st.DataObject) -> None:
    octets = bytearray(data.draw(st.sampled_from([PAGER.read_bytes(), as_pcap(PAGER)])))
    for _ in range(data.draw(st.integers(0, 8))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "mutant"
    path.write_bytes(octets[: data.draw(st.integers(0, len(octets)))])
    try:
        timeline = capture_to_timeline(path)
    except CaptureError:
        return
    times = [entry.time for entry in packets(timeline)]
    assert times == sorted(times)


def as_pcap(path: Path) -> bytes:
    """The same frames as a classic pcap, behind an Ethernet header."""
    octets = b"\xd4\xc3\xb2\xa1" + struct.pack("<HHiIII", 2, 4, 0, 0, 0, 1)
    for frame in CaptureFile(path):
        data = bytes(12) + b"\x86\xdd" + frame.data
        ticks = round(frame.time * 1e6)
        octets += struct.pack("<IIII", ticks // 10**6, ticks % 10**6, len(data), len(data)) + data
    return octets


def test_pcap_and_pcapng_of_the_same_frames_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "pager.pcap"
    path.write_bytes(as_pcap(PAGER))
    assert list(capture_to_timeline(path)) == list(capture_to_timeline(PAGER))


def test_a_syn_that_carries_data_counts_it_from_the_number_after(tmp_path: Path, request_of: Make) -> None:
    conversation = Conversation(ENDS, 500)
    conversation._next = {True: 500, False: 0}
    first = conversation._segment(True, SYN, request_of(1)[:50])
    rest = conversation._segment(True, ACK, request_of(1)[50:])
    back = packets(capture_to_timeline(raw(tmp_path / "a", (1.0, first), (2.0, rest))))
    assert b"".join(packet.data for packet in back) == request_of(1)


def test_what_comes_while_octets_are_waited_for_stands_behind_them(tmp_path: Path, request_of: Make) -> None:
    """Also when it is much, and when the wait is in vain."""
    handshake, parts = segments(request_of(1) + request_of(2) + request_of(3), len(request_of(1)))
    beside = [udp_packet(Endpoints.of(A6, B6), request_of(100 + number), number) for number in range(200)]
    frames = [(1.0, each) for each in [*handshake, parts[0], parts[2]]]
    frames += [(2.0 + at / 1000, packet) for at, packet in enumerate(beside)]
    for name, late in (("filled", [(3.0, parts[1])]), ("in vain", [(60.0, beside[0]), (61.0, beside[1])])):
        back = packets(capture_to_timeline(raw(tmp_path / name, *frames, *late)))
        times = [packet.time for packet in back]
        assert times == sorted(times)
        streamed = [packet for packet in back if packet.transport is Transport.TCP]
        assert [packet.time for packet in streamed] == ([1.0, 3.0, 3.0] if name == "filled" else [1.0, 1.0])
        assert back[1].time == (2.0 if name == "filled" else 1.0)


def test_what_answers_octets_stands_behind_them(tmp_path: Path, request_of: Make, answer_of: Make) -> None:
    conversation = Conversation(ENDS, 1000)
    handshake = conversation.open()
    asked = conversation.data(ENDS, request_of(1))
    answered = conversation.data(ENDS.reverse(), answer_of(1))
    frames = [(1.0, each) for each in handshake] + [(2.0, answered[0]), (2.25, asked[0])]
    back = packets(capture_to_timeline(raw(tmp_path / "a", *frames)))
    assert [packet.data for packet in back] == [request_of(1), answer_of(1)]
    assert [packet.time for packet in back] == [2.25, 2.25]
    back = packets(capture_to_timeline(raw(tmp_path / "b", *frames[:-1], (9.0, handshake[0]))))
    assert [(packet.time, packet.data) for packet in back][:1] == [(2.0, answer_of(1))]


def test_gzip_that_expands_as_no_capture_does_is_left(tmp_path: Path, request_of: Make) -> None:
    octets = raw(tmp_path / "a", (1.0, udp_packet(ENDS, request_of(1), 1))).read_bytes()
    block = struct.pack("<II", 99, 150_000_000) + bytes(150_000_000 - 12) + struct.pack("<I", 150_000_000)
    (tmp_path / "bomb").write_bytes(gzip.compress(octets + block, 9))
    timeline = capture_to_timeline(tmp_path / "bomb")
    assert [packet.data for packet in packets(timeline)] == [request_of(1)]
    assert "which no capture does" in events(timeline)["capture-truncated"].text
