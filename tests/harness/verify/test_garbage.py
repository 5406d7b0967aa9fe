"""What comes to a SIP port and is no SIP is its sender's fault, when the sender is known."""

from __future__ import annotations

import pytest

from harness.evidence.capture import write_capture
from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.verify.captures import judge_captures
from harness.verify.engine import Verifier
from harness.verify.report.as_text import to_text

HANDSET, PEER, STRAY = (Address("127.0.0.1", port) for port in (41000, 5060, 49999))
UDP, TCP = Transport.UDP, Transport.TCP
REGISTER = (
    b"REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/%s 127.0.0.1:41000;branch=z9hG4bK1;rport\r\n"
    b"Max-Forwards: 70\r\nFrom: <sip:a@example.org>;tag=1\r\nTo: <sip:a@example.org>\r\nCall-ID: 1\r\n"
    b"CSeq: 1 REGISTER\r\nContact: <sip:a@127.0.0.1:41000>\r\nContent-Length: 0\r\n\r\n"
)
TEXT = REGISTER.replace(b"REGISTER", b"MESSAGE").replace(b"z9hG4bK1", b"z9hG4bK2")
TEXT = TEXT.replace(b"Contact: <sip:a@127.0.0.1:41000>", b"Content-Type: text/plain")
DOUBLED = TEXT[:-2] + b"Content-Length: 0\r\n\r\n"


def judged(*sent: bytes, transport: Transport = UDP, source: Address = HANDSET, closed: bool = False):
    """(rule, party, fails) of what comes after a REGISTER of the handset, and what stayed open."""
    now = 1_700_000_000.0
    trace = Timeline(clock=lambda: now)
    trace.event(Layer.LAB, "parties", network=[str(PEER)])
    connection = 9 if transport is TCP else None
    name = str(transport).encode()
    trace.packet(Layer.SIP, transport, HANDSET, PEER, REGISTER % name, connection=connection)
    for data in sent:
        now += 0.01
        data = data.replace(b"SIP/2.0/%s", b"SIP/2.0/" + name)
        trace.packet(Layer.SIP, transport, source, PEER, data, connection=connection)
    if closed:
        trace.event(Layer.SIP, "connection", "closed: by the other end", connection=connection)
    verifier = Verifier()
    verifier.judge(trace)
    found = [
        (item.rule, item.party.value, item.fails) for item in verifier.findings if item.severity == "MUST"
    ]
    return found, [item.rule for item in verifier.open]


START = ("sip.start-line", "handset", True)


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        b"hello",
        b"\x00\x01\x02\x03binary",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"MSRP 1234 SEND\r\n",
        b"MESSAGE sip:a@example.org\r\n\r\n",
        b"MESSAGE sip:a@example.org sip/2.0\r\n" + TEXT.split(b"\r\n", 1)[1],
        b"MESSAGE sip:\xc3\xbc@example.org SIP/2.0\r\n" + TEXT.split(b"\r\n", 1)[1],
        TEXT.replace(b"\r\n", b"\n"),
        TEXT.replace(b"CSeq: 1 MESSAGE\r\n", b"CSeq: 1 MESSAGE\n"),
        TEXT[:-2],
        b"x" * 60_000,
    ],
)
def test_a_datagram_that_is_no_sip_fails_the_handset_that_sent_it(data):
    assert judged(data)[0] == [START]


def test_half_a_message_lacks_what_it_lacks():
    found, _ = judged(TEXT[: TEXT.index(b"CSeq")])
    assert set(found) == {START, ("sip.mandatory-headers", "handset", True)}


def test_of_a_stray_endpoint_nobody_is_accused():
    assert judged(b"hello\r\n\r\n", source=STRAY)[0] == [("sip.start-line", "unknown", False)]


@pytest.mark.parametrize(
    "data", [b"\r\n\r\n", b"\r\n", b"\0\0\0\0", bytes.fromhex("000100002112a442") + bytes(12)]
)
def test_keep_alives_are_no_garbage(data):
    assert judged(data) == judged()


@pytest.mark.parametrize(
    "data", [b"hello\r\n\r\n", b"\x00\x01\x02\r\n", b"x" * 3_000_000, b"GET / HTTP/1.1\r\n"]
)
def test_a_stream_that_is_no_sip(data):
    assert judged(data, transport=TCP)[0] == [START]


def test_a_stream_that_ends_without_a_line():
    assert judged(b"hello", transport=TCP)[0] == []
    assert judged(b"hello", transport=TCP, closed=True)[0] == [START]


def test_a_stream_that_ends_within_a_message_proves_nothing():
    for part in (TEXT[:20], TEXT[:100], TEXT.replace(b"Length: 0", b"Length: 9") + b"half"):
        found, undecided = judged(part, transport=TCP, closed=True)
        assert found == [] and "sip.start-line" in undecided


def test_a_connection_that_ends_within_a_message_is_a_finding_that_fails_nobody():
    for text in ("closed: reset ([Errno 104] Connection reset by peer)", "closed: by the other end"):
        trace = Timeline()
        trace.event(Layer.LAB, "parties", network=[str(PEER)])
        for data in (REGISTER % b"TCP", TEXT[:100]):
            trace.packet(Layer.SIP, TCP, HANDSET, PEER, data, connection=9)
        trace.event(Layer.SIP, "connection", text, connection=9)
        verifier = Verifier()
        verifier.judge(trace)
        (found,) = [item for item in verifier.findings if item.rule == "sip.message.whole"]
        assert (found.party, found.severity, found.fails) == ("handset", "INFO", False)
        assert (found.actual, found.where.entry) == ("100 octets of it", 3)


def test_a_connection_that_ends_between_messages_is_none():
    for octets in (b"", b"\r\n", b"\r\n\r\n", b"hello"):
        trace = Timeline()
        trace.event(Layer.LAB, "parties", network=[str(PEER)])
        trace.packet(Layer.SIP, TCP, HANDSET, PEER, REGISTER % b"TCP" + octets, connection=9)
        trace.event(Layer.SIP, "connection", "closed: by the other end", connection=9)
        verifier = Verifier()
        verifier.judge(trace)
        assert "sip.message.whole" not in {item.rule for item in verifier.findings}


@pytest.mark.parametrize(
    "data",
    [
        TEXT.replace(b"Content-Length: 0", b"Content-Length: 3") + b"hello\r\n\r\n",
        TEXT + b"hello\r\n\r\n",
        TEXT.replace(b"Content-Length: 0", b"Content-Length: many"),
        TEXT.replace(b"Content-Length: 0\r\n", b""),
    ],
)
def test_a_wrong_content_length_in_a_stream(data):
    assert judged(data, transport=TCP)[0] == [("sip.content-length.exact", "handset", True)]


def test_what_follows_broken_framing_is_not_judged_again():
    broken = TEXT.replace(b"Content-Length: 0\r\n", b"")
    found, _ = judged(broken, b"the body, in another piece\r\n", b"more\r\n", transport=TCP)
    assert found == [("sip.content-length.exact", "handset", True)]


def test_a_head_of_a_megabyte_is_read_and_a_larger_one_left_open():
    head = TEXT.replace(b"CSeq:", b"X-Filler: " + b"y" * 900_000 + b"\r\nCSeq:")
    assert judged(head, transport=TCP) == judged(TEXT, transport=TCP)
    found, undecided = judged(head.replace(b"yyy", b"yyyyyy"), transport=TCP)
    assert found == [] and "sip.start-line" in undecided


def test_two_content_lengths_that_agree_are_told_once():
    assert judged(DOUBLED, transport=TCP)[0] == [("sip.header.duplicate-single", "handset", True)]


def test_stun_beside_sip_is_counted_and_not_judged(tmp_path):
    trace = Timeline()
    request = bytes.fromhex("000100002112a442b7e7a701bc34d686fa87dfae")
    response = bytes.fromhex("0101000c2112a442b7e7a701bc34d686fa87dfae002000080001a147e112a643")
    trace.packet(Layer.SIP, UDP, HANDSET, PEER, REGISTER % b"UDP")
    trace.packet(Layer.SIP, UDP, HANDSET, PEER, request, note="STUN Binding request")
    trace.packet(Layer.SIP, UDP, PEER, HANDSET, response)
    path = tmp_path / "with-stun.pcapng"
    write_capture(path, trace)
    (judgement,) = judge_captures([path], "rcs51")
    assert "2 STUN messages beside SIP, which are not judged (RFC 5626 8)" in to_text([judgement])
    assert "sip.start-line" not in to_text([judgement])
