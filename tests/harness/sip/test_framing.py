"""A stream gives the same messages however it arrives; what cannot be framed is told with what was read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import SipSyntaxError
from harness.sip.framing import FramingError, KeepAlive, Limits, StreamEvent, StreamFramer, is_keep_alive
from harness.sip.message import Request, Response, build_request

CORPUS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "corpus").glob("*.sip"))}
NEXT = b"SIP/2.0 200 OK\r\nl: 2\r\n\r\nok"
HEAD = (
    b"MESSAGE sip:b@example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKone\r\n"
    b"From: <sip:a@example.com>;tag=1\r\n"
    b"To: <sip:b@example.com>\r\n"
    b"Call-ID: c1\r\n"
    b"CSeq: 1 MESSAGE\r\n"
)


def events_of(pieces: list[bytes], limits: Limits | None = None) -> tuple[list[StreamEvent], bool, bytes]:
    framer = StreamFramer(limits or Limits())
    events = [event for piece in pieces for event in framer.receive(piece)]
    return events, framer.broken, b"" if framer.broken else framer.pending


def octets(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


@pytest.mark.parametrize("name", CORPUS)
def test_every_split_gives_the_same_events(name: str) -> None:
    data = b"\r\n\r\n" + CORPUS[name] + NEXT
    whole = events_of([data])
    assert events_of(octets(data)) == whole
    for cut in range(1, len(data)):
        assert events_of([data[:cut], data[cut:]]) == whole


@pytest.mark.parametrize(
    "name", ["wsinv", "intmeth", "esc01", "longreq", "mpart01", "unreason", "trws", "handset"]
)
def test_whole_messages_are_given_octet_by_octet_as_they_were(name: str) -> None:
    events, broken, rest = events_of([CORPUS[name] + NEXT])
    assert [event.raw for event in events if isinstance(event, Request | Response)] == [CORPUS[name], NEXT]
    assert (len(events), broken, rest) == (2, False, b"")


@given(
    st.lists(st.sampled_from([*CORPUS.values(), NEXT, b"\r\n", b"\r\n\r\n", b"junk\r\n"]), max_size=4),
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_any_sequence_in_any_pieces(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert events_of(pieces) == events_of([stream])


@given(st.binary(max_size=400))
def test_nothing_but_events_comes_of_any_octets(data: bytes) -> None:
    framer = StreamFramer(Limits(header_octets=64))
    for event in framer.receive(data):
        assert isinstance(event, Request | Response | KeepAlive | FramingError)
    framer.finish()


def test_two_messages_in_one_read() -> None:
    events, _, _ = events_of([NEXT + NEXT])
    assert [event.body for event in events if isinstance(event, Response)] == [b"ok", b"ok"]


def test_a_ping_is_two_empty_lines_and_a_pong_one() -> None:
    assert events_of([b"\r\n\r\n"])[0] == [KeepAlive(ping=False), KeepAlive(ping=True)]
    assert events_of([b"\r\n", NEXT, b"\r\n\r\n"])[0][::2] == [KeepAlive(ping=False), KeepAlive(ping=False)]
    assert events_of([b"\r\n", NEXT, b"\r\n\r\n"])[0][-1] == KeepAlive(ping=True)
    assert is_keep_alive(b"\r\n\r\n")
    assert not is_keep_alive(NEXT)


def only_error(data: bytes, limits: Limits | None = None) -> FramingError:
    framer = StreamFramer(limits or Limits())
    events = framer.receive(data)
    assert len(events) == 1
    assert isinstance(events[0], FramingError)
    assert isinstance(events[0], SipSyntaxError)
    assert framer.broken
    assert framer.receive(NEXT) == []
    return events[0]


def test_content_length_is_mandatory_in_a_stream() -> None:
    error = only_error(HEAD + b"\r\nhello")
    assert (error.what, error.clause) == ("Content-Length", "RFC 3261 18.3")
    assert error.octets == HEAD + b"\r\n"
    assert isinstance(error.partial, Request)
    assert error.partial.call_id == "c1"


@pytest.mark.parametrize(
    "value", [b"-999", b"five", b"", b"1.0", b"99999999999999999999999999", b"0x10", "²".encode()]
)
def test_an_unusable_content_length_breaks_the_stream(value: bytes) -> None:
    error = only_error(HEAD + b"Content-Length: " + value + b"\r\n\r\n")
    assert error.what == "Content-Length"
    assert isinstance(error.partial, Request)


def test_content_lengths_that_differ_break_the_stream_and_equal_ones_do_not() -> None:
    assert only_error(HEAD + b"l: 1\r\nContent-Length: 2\r\n\r\nab").what == "Content-Length"
    events, broken, _ = events_of([HEAD + b"l: 2\r\nContent-Length: 2\r\n\r\nab"])
    assert not broken
    assert isinstance(events[0], Request)
    assert [fault.text for fault in events[0].faults] == ["occurs more than once"]


def test_a_content_length_that_is_too_small_leaves_junk_that_breaks_the_stream() -> None:
    events, broken, _ = events_of([HEAD + b"l: 2\r\n\r\nhello\r\n" + NEXT])
    assert broken
    message, error = events
    assert isinstance(message, Request)
    assert message.body == b"he"
    assert isinstance(error, FramingError)
    assert (error.what, error.octets) == ("start line", b"llo\r\n")


def test_a_content_length_that_is_too_large_waits() -> None:
    framer = StreamFramer()
    assert framer.receive(HEAD + b"l: 9\r\n\r\nhello") == []
    error = framer.finish()
    assert error is not None
    assert isinstance(error.partial, Request)
    assert error.offset == len(HEAD + b"l: 9\r\n\r\nhello")


def test_half_a_head_is_told_when_the_stream_ends() -> None:
    framer = StreamFramer()
    assert framer.receive(HEAD[:-9]) == []
    error = framer.finish()
    assert error is not None
    assert isinstance(error.partial, Request)
    assert error.partial.call_id == "c1"
    assert "CSeq" not in error.partial


def test_finish_is_silent_between_messages() -> None:
    framer = StreamFramer()
    framer.receive(NEXT)
    assert framer.finish() is None


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\n", b"MSRP abcd SEND\r\n"])
def test_junk_is_told_by_its_first_line(data: bytes) -> None:
    error = only_error(data)
    assert (error.what, error.octets, error.partial) == ("start line", data, None)


def test_a_megabyte_of_header_is_refused_with_what_was_readable() -> None:
    data = HEAD + b"Subject: " + b"x" * 2**20 + b"\r\nl: 0\r\n\r\n"
    error = only_error(data)
    assert "no empty line within 65536 octets" in str(error)
    assert error.octets == data[: 64 * 1024]
    assert isinstance(error.partial, Request)
    assert error.partial.cseq.method == "MESSAGE"
    assert error.partial.via.branch == "z9hG4bKone"
    assert only_error(b"x" * 2**20).partial is None


def test_the_header_limit_does_not_depend_on_the_reads() -> None:
    limits = Limits(header_octets=len(HEAD) + 8)
    fits, too_long = HEAD + b"l: 0\r\n\r\n", HEAD + b"l: 00\r\n\r\n"
    assert not events_of([fits], limits)[1]
    assert events_of([too_long], limits) == events_of(octets(too_long), limits)
    assert events_of([too_long], limits)[1]


def test_a_body_above_the_limit_is_refused_at_its_head() -> None:
    error = only_error(HEAD + b"l: 11\r\n\r\n", Limits(body_octets=10))
    assert "above the limit of 10" in str(error)
    assert isinstance(error.partial, Request)


def test_too_many_fields_are_refused_and_the_stream_goes_on() -> None:
    data = HEAD + b"X: y\r\n" * 20 + b"l: 2\r\n\r\nab"
    events, broken, _ = events_of([data + NEXT], Limits(fields=10))
    assert not broken
    assert isinstance(events[0], FramingError)
    assert isinstance(events[0].partial, Request)
    assert isinstance(events[1], Response)


def test_positions_count_the_octets_of_the_stream() -> None:
    framer = StreamFramer()
    framer.receive(b"\r\n" + NEXT + HEAD)
    assert framer.position == 2 + len(NEXT)


def test_what_we_write_is_what_is_framed() -> None:
    message = build_request("MESSAGE", "sip:b@example.com", [("Subject", "ä")], "Grüße".encode())
    assert events_of([message.raw])[0] == [message]
