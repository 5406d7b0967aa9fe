"""Where an MSRP message of a stream ends (RFC 4975 7.1)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import MsrpSyntaxError
from harness.msrp.framing import MsrpFramer, MsrpLimits
from harness.msrp.message import build_request, build_response

ALICE, BOB = "msrp://a.example:7394/one;tcp", "msrp://b.example:8493/two;tcp"


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
    [b"GET / HTTP/1.1\r\n\r\n", b"X", b"MSRQ", b"MSRP abc SEND\r\n", b"MSRP " + b"a" * 2000, b"\rX", b"\n"],
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


def test_a_large_body_in_small_pieces_is_searched_once() -> None:
    body, framer, events = b"-------abcd1234" * 40_000, MsrpFramer(), []
    stream = send(body)
    for place in range(0, len(stream), 1400):
        events += framer.receive(stream[place : place + 1400])
    assert events[0].body == body


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_octets_raise(data: bytes) -> None:
    framer = MsrpFramer()
    for octets in (data, b"MSRP abcd1234 SEND\r\n" + data + b"\r\n-------abcd1234$\r\n"):
        framer.receive(octets)
