"""MSRP messages read and written (RFC 4975)."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import MsrpSyntaxError, UsageError
from harness.msrp.building import build_report, build_request, build_response, new_transaction_id
from harness.msrp.message import (
    ByteRange,
    Flag,
    MsrpRequest,
    MsrpResponse,
    ReportStatus,
    parse_msrp,
)

ALICE, BOB, RELAY = (
    "msrp://alice.example.com:7394/2s93i9ek2a;tcp",
    "msrp://bob.example.com:8493/si438dsaodes;tcp",
    "msrp://relay.example.com:2855/r1;tcp",
)
# RFC 4975 11.1, the body from 11.1 too
SEND = (
    b"MSRP d93kswow SEND\r\n"
    b"To-Path: msrp://bob.example.com:8888/9di4eae923wzd;tcp\r\n"
    b"From-Path: msrp://alicepc.example.com:7777/iau39soe2843z;tcp\r\n"
    b"Message-ID: 12339sdqwer\r\n"
    b"Byte-Range: 1-16/16\r\n"
    b"Content-Type: text/plain\r\n"
    b"\r\n"
    b"Hi, I'm Alice!\r\n"
    b"\r\n"
    b"-------d93kswow$\r\n"
)


def send(body: bytes | None = None, *headers: tuple[str, str], **options: object) -> MsrpRequest:
    rows = [("Message-ID", "12339sdqwer"), *headers]
    if body is not None:
        rows.append(("Content-Type", "text/plain"))
    return build_request("SEND", [BOB], [ALICE], rows, body, **options)


def test_a_send_is_taken_apart() -> None:
    message = parse_msrp(SEND)
    assert isinstance(message, MsrpRequest)
    assert (message.method, message.transaction_id, message.flag) == ("SEND", "d93kswow", Flag.COMPLETE)
    assert message.to_path == ("msrp://bob.example.com:8888/9di4eae923wzd;tcp",)
    assert message.byte_range == ByteRange(1, 16, 16)
    assert message.body == b"Hi, I'm Alice!\r\n"
    assert SEND[message.body_offset :].startswith(message.body)
    assert (message.message_id, message.failure_report, message.success_report) == (
        "12339sdqwer",
        "yes",
        "no",
    )
    assert message.faults == ()
    field = message.header("message-id")
    assert field is not None
    assert SEND[field.offset :].startswith(field.raw)


def test_the_crlf_before_the_end_line_is_not_body_and_bodiless_differs_from_empty() -> None:
    assert (send(b"x").body, send(b"").body, send(None).body) == (b"x", b"", None)
    assert b"\r\n\r\n" not in send(None).raw
    assert send(b"").raw.count(b"\r\n\r\n") == 1


def test_an_empty_line_before_the_end_line_of_a_bodiless_request_is_a_fault() -> None:
    message = parse_msrp(send(None, transaction_id="abcd1234").raw.replace(b"-------", b"\r\n-------"))
    assert (message.body, [fault.what for fault in message.faults]) == (None, ["message"])


def test_a_response_is_taken_apart() -> None:
    message = parse_msrp(build_response(send(b"x"), 481).raw)
    assert isinstance(message, MsrpResponse)
    assert (message.status, message.comment, message.body) == (481, "Session Does Not Exist", None)
    bare = parse_msrp(b"MSRP d93kswow 200\r\nTo-Path: x\r\n-------d93kswow$\r\n")
    assert isinstance(bare, MsrpResponse)
    assert bare.comment == ""


def test_the_response_to_send_goes_to_the_previous_hop_others_all_the_way_back() -> None:
    sent = build_request("SEND", [BOB], [RELAY, ALICE], [("Message-ID", "12339sdqwer")])
    response = build_response(sent, 200)
    assert (response.to_path, response.from_path) == ((RELAY,), (BOB,))
    assert (response.transaction_id, response.flag) == (sent.transaction_id, Flag.COMPLETE)
    other = build_request("AUTH", [BOB], [RELAY, ALICE])
    assert build_response(other, 501).to_path == (RELAY, ALICE)


def test_a_report_goes_all_the_way_back_with_status_and_range() -> None:
    sent = build_request(
        "SEND", [BOB], [RELAY, ALICE], [("Message-ID", "12339sdqwer"), ("Byte-Range", "1-0/0")]
    )
    report = build_report(sent)
    assert (report.to_path, report.from_path) == ((RELAY, ALICE), (BOB,))
    assert report.status == ReportStatus("000", 200, "OK")
    assert (report.message_id, report.byte_range) == ("12339sdqwer", ByteRange(1, 0, 0))
    assert report.transaction_id != sent.transaction_id
    assert build_report(sent, 413, byte_range=ByteRange(1, None, None)).get("Byte-Range") == "1-*/*"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MSRP",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"MSRP a/c SEND\r\n-------a/c$\r\n",
        b"MSRP d93kswow send\r\n-------d93kswow$\r\n",
        b"MSRP d93kswow SEND\r\nTo-Path: x\r\n-------d93kswox$\r\n",
        SEND[:-2],
        SEND + b"x",
        SEND.replace(b"d93kswow$", b"d93kswow!"),
    ],
)
def test_what_has_no_start_line_or_end_line_is_an_error(data: bytes) -> None:
    with pytest.raises(MsrpSyntaxError):
        parse_msrp(data)


def test_faults_are_collected_with_their_place() -> None:
    message = parse_msrp(
        b"MSRP d93kswow SEND\r\nFrom-Path:  a\r\nno header\r\nMessage-ID:x\r\n-------d93kswow$\r\n"
    )
    assert [(fault.what, fault.offset) for fault in message.faults] == [
        ("header", 35),
        ("message", 20),
        ("From-Path", 20),
        ("Message-ID", 46),
    ]
    for read in ("to_path", "from_path"):
        with pytest.raises(MsrpSyntaxError):
            getattr(message, read)


@pytest.mark.parametrize(
    ("name", "value", "read"), [("Byte-Range", "0x1-2/3", "byte_range"), ("Status", "ok", "status")]
)
def test_a_malformed_value_is_told_with_its_octet(name: str, value: str, read: str) -> None:
    message = send(None, (name, value))
    with pytest.raises(MsrpSyntaxError) as caught:
        getattr(message, read)
    assert message.raw[caught.value.offset :].startswith(value.encode())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: build_request("send", [BOB], [ALICE]),
        lambda: build_request("SEND", ["sip:bob"], [ALICE]),
        lambda: build_request("SEND", [BOB], []),
        lambda: build_request("SEND", [BOB], [ALICE], [("X", "a\r\nb")]),
        lambda: build_request("SEND", [BOB], [ALICE], [], b"body"),
        lambda: build_request("SEND", [BOB], [ALICE], [("Content-Type", "a/b"), ("X", "y")], b"body"),
        lambda: build_request("SEND", [BOB], [ALICE], [("Content-Type", "text/plain")]),
        lambda: send(b"a-------abcd1234$", transaction_id="abcd1234"),
        lambda: send(b"", transaction_id="abc"),
    ],
)
def test_what_would_not_be_msrp_is_not_written(wrong) -> None:
    with pytest.raises(UsageError):
        wrong()


def test_a_wrong_message_can_be_written_on_purpose() -> None:
    message = build_request("SEND", ["sip:bob"], [ALICE], [("Content-Type", "a/b")], strict=False)
    assert message.get("To-Path") == "sip:bob"


def test_a_transaction_id_has_enough_randomness_and_is_not_in_the_body() -> None:
    ids = {new_transaction_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(each) == 24 for each in ids)


ident = st.text(string.ascii_letters + string.digits, min_size=4, max_size=31)
value = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_characters="\x7f")).map(
    str.strip
)


@settings(deadline=None)
@given(st.none() | st.binary(max_size=300), ident, value, st.sampled_from(Flag))
def test_what_is_written_is_read_back(body: bytes | None, message_id: str, text: str, flag: Flag) -> None:
    text = text.strip(" \t")
    message = send(body, ("X-Text", text), ("Byte-Range", "1-*/*"), flag=flag)
    again = parse_msrp(message.raw)
    assert isinstance(again, MsrpRequest)
    assert (again.body, again.flag, again.get("x-text"), again.faults) == (body, flag, text, ())


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_octets_raise_anything_but_our_own_error(data: bytes) -> None:
    for octets in (data, SEND[:60] + data, SEND[:20] + data + b"\r\n-------d93kswow$\r\n"):
        try:
            message = parse_msrp(octets)
        except MsrpSyntaxError:
            continue
        for name in ("to_path", "from_path", "byte_range", "status"):
            with contextlib.suppress(MsrpSyntaxError):
                getattr(message, name, None)


def test_a_path_of_many_parameters_is_refused_at_once() -> None:
    """Each may be taken for the value of the one before: a reader that tries them all never ends."""
    message = parse_msrp(
        b"MSRP aaaa1234 SEND\r\nTo-Path: msrp://h/a;tcp" + b";t" * 100 + b"\tx\r\n"
        b"From-Path: msrp://c/d;tcp\r\n-------aaaa1234$\r\n"
    )
    with pytest.raises(MsrpSyntaxError, match="To-Path"):
        _ = message.to_path


@pytest.mark.parametrize("identifier", ["a", "abc", "-abcd"])
def test_a_transaction_id_that_is_none_is_read_with_a_fault(identifier: str) -> None:
    head = f"MSRP {identifier} SEND\r\nTo-Path: msrp://h/a;tcp\r\nFrom-Path: msrp://c/d;tcp\r\n"
    message = parse_msrp(f"{head}-------{identifier}$\r\n".encode())
    assert message.transaction_id == identifier
    assert [(fault.what, fault.offset) for fault in message.faults] == [("transaction id", 5)]
