"""Where an MSRP message of a stream ends (RFC 4975 7.1)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import MsrpSyntaxError, UsageError
from harness.msrp.building import build_request, build_response
from harness.msrp.framing import ChunkBlock, ChunkEnd, ChunkHead, MsrpFramer, MsrpLimits
from harness.msrp.message import Flag

ALICE, BOB = "msrp://a.example:7394/one;tcp", "msrp://b.example:8493/two;tcp"


def shown(events) -> list[object]:
    """Events in a form that can be compared."""
    return [getattr(getattr(each, "request", each), "raw", each) for each in events]


def send(body: bytes | None, identifier: str = "abcd1234") -> bytes:
    rows = [("Message-ID", "12339sdqwer")] + ([("Content-Type", "text/plain")] if body is not None else [])
    return build_request("SEND", [BOB], [ALICE], rows, body, transaction_id=identifier, strict=False).raw


TRICKY = (
    b"\r\n-------abcd123$\r\n"  # a shorter identifier
    b"-------abcd1234\r\n"  # no flag
    b"-------abcd1234!\r\n"  # no such flag
    b"x-------abcd1234$\r\n"  # not at the start of a line
    b"-------abcd12345$\r\n"  # a longer identifier
    b"\n-------abcd1234$\r\n"  # LF alone does not start a line
)


def test_only_the_end_line_of_the_transaction_ends_the_message() -> None:
    (message,) = MsrpFramer().receive(send(TRICKY))
    assert message.body == TRICKY


@settings(deadline=None)
@given(st.data())
def test_what_comes_out_does_not_depend_on_how_the_octets_were_cut(data: st.DataObject) -> None:
    bodies = data.draw(st.lists(st.none() | st.binary(max_size=60) | st.just(TRICKY), max_size=4))
    stream = b"".join(
        send(body, f"abcd{number:04d}") + b"\r\n" * (number % 2) for number, body in enumerate(bodies)
    )
    framer, events = MsrpFramer(), []
    while stream:
        count = data.draw(st.integers(1, len(stream)))
        events += framer.receive(stream[:count])
        stream = stream[count:]
    assert [each.body for each in events] == bodies
    assert (framer.pending.strip(b"\r\n"), framer.broken) == (b"", False)


def test_octet_by_octet_requests_and_responses() -> None:
    (request,) = MsrpFramer().receive(send(b"hello"))
    stream = request.raw + build_response(request, 200).raw
    framer = MsrpFramer()
    events = [event for octet in stream for event in framer.receive(bytes([octet]))]
    assert [each.raw for each in events] == [request.raw, build_response(request, 200).raw]


@pytest.mark.parametrize(
    "junk",
    [b"GET / HTTP/1.1\r\n\r\n", b"X", b"MSRQ", b"MSRP a/c SEND\r\n", b"MSRP " + b"a" * 2000, b"\rX", b"\n"],
)
def test_junk_breaks_the_stream_as_soon_as_it_is_known(junk: bytes) -> None:
    framer = MsrpFramer()
    (good, error) = framer.receive(send(None) + junk)
    assert good.body is None
    assert isinstance(error, MsrpSyntaxError)
    assert framer.broken
    assert framer.receive(send(None)) == []


def test_a_message_above_the_limit_breaks_the_stream() -> None:
    framer = MsrpFramer(MsrpLimits(message_octets=1000))
    assert framer.receive(send(bytes(500)))[0].body == bytes(500)
    assert framer.receive(send(bytes(2000))[:900]) == []
    (error,) = framer.receive(bytes(200))
    assert "above 1000 octets" in str(error)


def test_a_large_chunk_comes_as_head_blocks_and_end() -> None:
    limits = MsrpLimits(head_octets=300, whole_octets=400, block_octets=100)
    stream = send(TRICKY + bytes(400))
    head, *blocks, end = MsrpFramer(limits).receive(stream)
    assert isinstance(head, ChunkHead)
    assert (head.request.method, head.request.message_id) == ("SEND", "12339sdqwer")
    assert head.request.raw + TRICKY + bytes(400) + b"\r\n-------abcd1234$\r\n" == stream
    assert [len(block.data) for block in blocks[:-1]] == [100] * (len(blocks) - 1)
    assert b"".join(block.data for block in blocks) == TRICKY + bytes(400)
    assert end == ChunkEnd(Flag.COMPLETE, len(stream))


@pytest.mark.parametrize("size", range(395, 406))
def test_whole_or_in_blocks_is_a_matter_of_size_alone(size: int) -> None:
    limits = MsrpLimits(head_octets=300, whole_octets=400, block_octets=16)
    stream = send(bytes(size - len(send(b""))))
    assert len(stream) == size
    events = MsrpFramer(limits).receive(stream)
    assert (len(events) == 1) == (size <= 400)
    for cut in range(1, size):
        framer = MsrpFramer(limits)
        assert shown(framer.receive(stream[:cut]) + framer.receive(stream[cut:])) == shown(events)
        assert (framer.pending_octets, framer.broken) == (0, False)
    framer = MsrpFramer(limits)
    assert shown(event for octet in stream for event in framer.receive(bytes([octet]))) == shown(events)


@settings(deadline=None)
@given(st.data())
def test_blocks_do_not_depend_on_how_the_octets_were_cut(data: st.DataObject) -> None:
    limits = MsrpLimits(head_octets=300, whole_octets=310, block_octets=data.draw(st.integers(1, 50)))
    bodies = data.draw(st.lists(st.binary(max_size=300) | st.just(TRICKY), min_size=1, max_size=4))
    stream = b"".join(send(body, f"abcd{number:04d}") for number, body in enumerate(bodies))
    whole = shown(MsrpFramer(limits).receive(stream))
    framer, events = MsrpFramer(limits), []
    while stream:
        count = data.draw(st.integers(1, len(stream)))
        events += framer.receive(stream[:count])
        stream = stream[count:]
    assert shown(events) == whole


def test_what_came_of_a_chunk_is_counted_with_its_blocks() -> None:
    framer = MsrpFramer(MsrpLimits(head_octets=300, whole_octets=400, block_octets=100))
    stream = send(bytes(1000))
    framer.receive(stream[:700])
    assert framer.pending_octets == 700
    assert len(framer.pending) < 400


@pytest.mark.parametrize(
    ("limits", "rows", "hint"),
    [
        (MsrpLimits(headers=5), 2, "above 5 header lines"),
        (MsrpLimits(head_octets=200), 30, "above 200 octets"),
        (MsrpLimits(headers=5, head_octets=250, whole_octets=260), 2, "above 5 header lines"),
        (MsrpLimits(head_octets=200, whole_octets=250), 30, "above 200 octets"),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_head_above_the_limits_breaks_the_stream(limits, rows: int, hint: str, step: int) -> None:
    headers = b"".join(b"X-%d: y\r\n" % number for number in range(rows))
    stream = send(bytes(300)).replace(b"Message-ID", headers + b"Message-ID")
    framer, events = MsrpFramer(limits), []
    for place in range(0, len(stream), step):
        events += framer.receive(stream[place : place + step])
    (error,) = events
    assert isinstance(error, MsrpSyntaxError)
    assert error.what == "headers"
    assert hint in str(error)
    assert framer.broken


def test_as_many_header_lines_as_the_limit_are_fine() -> None:
    for body in (None, b"", b"x"):
        stream = send(body)
        lines = 3 + (body is not None)
        assert not isinstance(MsrpFramer(MsrpLimits(headers=lines)).receive(stream)[0], MsrpSyntaxError)
        assert isinstance(MsrpFramer(MsrpLimits(headers=lines - 1)).receive(stream)[0], MsrpSyntaxError)


@pytest.mark.parametrize("step", [1, 64, 10_000])
def test_a_message_in_blocks_above_the_limit_breaks_the_stream_at_the_same_block(step: int) -> None:
    limits = MsrpLimits(head_octets=300, message_octets=600, whole_octets=400, block_octets=100)
    stream = send(bytes(500))
    head = stream.index(b"\r\n\r\n") + 4
    framer, events = MsrpFramer(limits), []
    for place in range(0, len(stream), step):
        events += framer.receive(stream[place : place + step])
    *good, error = events
    assert [type(event) for event in good] == [ChunkHead] + [ChunkBlock] * ((600 - head) // 100)
    assert "above 600 octets" in str(error)


def test_a_response_that_does_not_come_whole_breaks_the_stream() -> None:
    framer = MsrpFramer(MsrpLimits(head_octets=300, whole_octets=400))
    (request,) = MsrpFramer().receive(send(b"hello"))
    response = build_response(request, 200).raw.replace(b"\r\n---", b"\r\n\r\n" + bytes(500) + b"\r\n---")
    (error,) = framer.receive(response)
    assert error.what == "response"


def test_a_large_body_in_small_pieces_is_searched_once() -> None:
    body, framer, events = b"-------abcd1234" * 40_000, MsrpFramer(), []
    stream = send(body)
    for place in range(0, len(stream), 1400):
        events += framer.receive(stream[place : place + 1400])
    assert b"".join(event.data for event in events if isinstance(event, ChunkBlock)) == body


def test_time_does_not_grow_with_the_number_of_reads() -> None:
    framer, data = MsrpFramer(), send(bytes(200_000))
    begun = time.process_time()
    events = [event for octet in data for event in framer.receive(bytes([octet]))]
    assert events[0].body == bytes(200_000)
    assert time.process_time() - begun < 5  # octet by octet; a copy of all at each would take minutes


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_octets_raise(data: bytes) -> None:
    framer = MsrpFramer()
    for octets in (data, b"MSRP abcd1234 SEND\r\n" + data + b"\r\n-------abcd1234$\r\n"):
        framer.receive(octets)


def test_limits_that_cannot_hold_are_not_taken() -> None:
    with pytest.raises(UsageError):
        MsrpLimits(head_octets=300, whole_octets=300)
