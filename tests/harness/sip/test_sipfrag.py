"""Fragments of SIP messages: the examples of RFC 3420 3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BodySyntaxError, UsageError
from harness.sip.message import Request
from harness.sip.sipfrag import parse_sipfrag, write_status


@pytest.mark.parametrize("end", ["", "\r\n"])
def test_a_start_line_may_be_all_there_is(end: str) -> None:
    response = parse_sipfrag(f"SIP/2.0 603 Declined{end}".encode())
    assert (response.status, response.reason, response.faults) == (603, "Declined", ())
    request = parse_sipfrag(f"INVITE sip:alice@atlanta.com SIP/2.0{end}".encode())
    assert isinstance(request.message, Request)
    assert (request.message.method, request.message.uri) == ("INVITE", "sip:alice@atlanta.com")
    assert (request.status, request.reason, request.faults) == (None, "", ())


def test_header_fields_may_follow() -> None:
    fragment = parse_sipfrag(
        b"REGISTER sip:atlanta.com SIP/2.0\r\n"
        b"To: sip:alice@atlanta.com\r\n"
        b"Contact: <sip:alicepc@atlanta.com>;q=0.9,\r\n"
        b"         <sip:alicemobile@atlanta.com>;q=0.1\r\n"
    )
    assert [str(each.uri) for each in fragment.message.contacts] == [
        "sip:alicepc@atlanta.com",
        "sip:alicemobile@atlanta.com",
    ]
    assert fragment.faults == ()


def test_header_fields_may_stand_alone() -> None:
    fragment = parse_sipfrag(
        b"From: Alice <sip:alice@atlanta.com>\r\nDate: Thu, 21 Feb 2002 13:02:03 GMT\r\n"
        b"Call-ID: a84b4c76e66710\r\nCseq: 314159 INVITE\r\n"
    )
    assert not fragment.has_start_line
    assert (fragment.status, fragment.reason) == (None, "")
    assert fragment.message.from_.display == "Alice"
    assert fragment.message.cseq.number == 314159


@pytest.mark.parametrize("start", [b"", b"SIP/2.0 200 OK\r\n"])
def test_a_body_may_be_there(start: bytes) -> None:
    fragment = parse_sipfrag(start + b"Content-Type: text/plain\r\nContent-Length: 9\r\n\r\nHi There!")
    assert fragment.message.body == b"Hi There!"
    assert fragment.faults == ()


def test_nothing_is_a_fragment() -> None:
    assert parse_sipfrag(b"").status is None


@pytest.mark.parametrize("data", [b"INVITE", b"SIP/2.0", b"404 Not Found\r\n", b"\xff\xfe"])
def test_a_start_line_must_be_whole(data: bytes) -> None:
    with pytest.raises(BodySyntaxError) as caught:
        parse_sipfrag(data)
    assert caught.value.offset == 0


def test_what_is_wrong_with_the_rest_is_a_fault() -> None:
    version = parse_sipfrag(b"INVITE sip:alice@atlanta.com SIP/1.09\r\n")
    assert [fault.what for fault in version.faults] == ["SIP-Version"]
    line = parse_sipfrag(b"To: <sip:a@h>\r\nHi There!\r\n")
    assert [(fault.what, fault.offset) for fault in line.faults] == [("header", 15)]


def test_a_status_is_written_as_a_notify_of_refer_tells_it() -> None:
    assert write_status(100, "Trying") == b"SIP/2.0 100 Trying\r\n"
    assert (
        write_status(503, "Service Unavailable", [("Retry-After", "5")])
        == b"SIP/2.0 503 Service Unavailable\r\nRetry-After: 5\r\n"
    )


@pytest.mark.parametrize(
    ("status", "reason", "headers"),
    [
        (99, "x", []),
        (700, "x", []),
        (200, "a\r\nb", []),
        (200, "OK", [("a b", "c")]),
        (200, "", [("a", "b\n")]),
    ],
)
def test_what_would_not_be_sip_is_not_written(
    status: int, reason: str, headers: list[tuple[str, str]]
) -> None:
    with pytest.raises(UsageError):
        write_status(status, reason, headers)


@given(st.integers(100, 699), st.text(st.characters(exclude_categories=("Cs", "Cc"))))
def test_what_is_written_reads_the_same(status: int, reason: str) -> None:
    fragment = parse_sipfrag(write_status(status, reason))
    assert (fragment.status, fragment.reason.strip(), fragment.faults) == (status, reason.strip(), ())


@given(st.binary() | st.text("SIP/2.0 OK:\r\nTo").map(str.encode))
def test_no_octets_raise_anything_but_our_own_error(data: bytes) -> None:
    try:
        fragment = parse_sipfrag(data)
    except BodySyntaxError as error:
        assert 0 <= error.offset <= len(data)
    else:
        assert all(0 <= fault.offset <= len(data) for fault in fragment.faults)
