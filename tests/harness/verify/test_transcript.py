"""What is held of a timeline for a report that shows it: what has findings goes last."""

from __future__ import annotations

from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.verify.engine import Verifier
from harness.verify.flows import Flows
from harness.verify.items import SipEntry
from harness.verify.msrp_items import MsrpEntry
from harness.verify.party_names import PartyNames
from harness.verify.transcript import Transcript

UE, NET = Address("10.0.0.5", 5060), Address("10.0.0.1", 5060)


def text(number: int) -> bytes:
    return (
        f"MESSAGE sip:b@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK{number}\r\n"
        f"From: <sip:a@example.org>;tag=1\r\nTo: <sip:b@example.org>\r\nP-Access-Network-Info: X\r\n"
        f"Call-ID: c{number}\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def transcript_of(count: int, blamed: set[int], **limits: int) -> Transcript:
    """Of so many texts, some of which have a finding."""
    trace = Timeline(clock=lambda: 0.0)
    for number in range(1, count + 1):
        trace.packet(Layer.SIP, Transport.UDP, UE, NET, text(number), at=float(number))
    return fed(trace, blamed, Transcript(**limits))


def fed(trace: Timeline, blamed: set[int], transcript: Transcript) -> Transcript:
    flows, names = Flows(), PartyNames()
    for item in Verifier().assembly.feed(trace):
        if isinstance(item, SipEntry | MsrpEntry):
            flow = flows.add(item)
            ends = names.sender(item), names.receiver(item)
            transcript.add(item, *ends)
            if item.place in blamed:
                flow.findings += 1
                transcript.keep(item, *ends)
    return transcript


def held(transcript: Transcript) -> int:
    return sum(len(row.octets or b"") for row in transcript.rows.values())


def test_every_message_has_a_row_with_its_octets():
    transcript = transcript_of(3, set())
    assert [row.title for row in transcript.rows.values()] == ["MESSAGE"] * 3
    assert transcript.rows[1].octets == text(1) and transcript.rows[1].size == len(text(1))


def test_a_repeat_is_counted_at_the_first():
    trace = Timeline(clock=lambda: 0.0)
    for at in range(4):
        trace.packet(Layer.SIP, Transport.UDP, UE, NET, text(1), at=float(at))
    verifier = Verifier(transcript=Transcript())
    verifier.judge(trace)
    (row,) = verifier.transcript.rows.values()
    assert row.repeats == 3


def chunk(number: int, flag: str, length: int = 10) -> bytes:
    start = number * length + 1
    return (
        f"MSRP t{number}x SEND\r\nTo-Path: msrp://10.0.0.1:9/far;tcp\r\nFrom-Path: msrp://10.0.0.5:9/own;tcp\r\n"
        f"Message-ID: m\r\nByte-Range: {start}-{start + length - 1}/*\r\nContent-Type: text/plain\r\n\r\n"
        f"{'x' * length}\r\n-------t{number}x{flag}\r\n"
    ).encode()


def answer(number: int) -> bytes:
    return (
        f"MSRP t{number}x 200 OK\r\nTo-Path: msrp://10.0.0.5:9/own;tcp\r\n"
        f"From-Path: msrp://10.0.0.1:9/far;tcp\r\n-------t{number}x$\r\n"
    ).encode()


def test_chunks_in_the_middle_and_their_answers_share_a_row():
    trace = Timeline(clock=lambda: 0.0)
    for number in range(20):
        octets = chunk(number, "$" if number == 19 else "+")
        trace.packet(Layer.MSRP, Transport.TCP, UE, NET, octets, connection=1)
        trace.packet(Layer.MSRP, Transport.TCP, NET, UE, answer(number), connection=1)
    rows = list(fed(trace, set(), Transcript()).rows.values())
    assert [(row.title, row.chunks) for row in rows] == [
        ("SEND", 0),
        ("200 OK", 0),
        ("SEND", 17),
        ("200 OK", 17),
        ("SEND", 0),
        ("200 OK", 0),
    ]
    assert rows[2].size > 17 * rows[0].size
    rows = list(fed(trace, {9}, Transcript()).rows.values())
    assert [row.place for row in rows if row.place == 9], "a chunk with a finding has a row of its own"


def test_of_too_many_octets_those_without_findings_go_first():
    transcript = transcript_of(200, {20, 21}, octets=20_000)
    assert held(transcript) <= 20_000 and len(transcript.rows) == 200
    assert transcript.rows[20].octets and transcript.rows[21].octets and not transcript.rows[22].octets


def test_of_too_many_rows_those_without_findings_go_first():
    transcript = transcript_of(300, {20, 21}, rows=50)
    assert len(transcript.rows) <= 50 * 5 // 4 and transcript.dropped == 300 - len(transcript.rows)
    assert {20, 21, 300} <= set(transcript.rows)


def test_what_has_findings_has_an_end_too():
    transcript = transcript_of(300, set(range(1, 301)), rows=50)
    assert len(transcript.rows) <= 101
    transcript = transcript_of(300, set(range(1, 301)), octets=10_000)
    assert held(transcript) <= 20_500 and len(transcript.rows) == 300


def test_no_secret_is_held():
    secret = b"6629fae49393a05397450978507c4ef1"
    octets = text(1).replace(b"Max-F", b'Authorization: Digest response="' + secret + b'"\r\nMax-F')
    trace = Timeline(clock=lambda: 0.0)
    trace.packet(Layer.SIP, Transport.UDP, UE, NET, octets)
    verifier = Verifier(transcript=Transcript())
    verifier.judge(trace)
    (row,) = verifier.transcript.rows.values()
    assert secret not in row.octets and len(row.octets) == len(octets)
