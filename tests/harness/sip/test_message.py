"""Whole messages: octets kept, offsets, faults, strict writing, changed copies, and any octets at all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SipSyntaxError, UsageError
from harness.sip.headers import Via
from harness.sip.message import (
    REASONS,
    Fault,
    Request,
    Response,
    SipMessage,
    build_request,
    build_response,
    parse_head,
    parse_message,
)

CORPUS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "corpus").glob("*.sip"))}
START = b"MESSAGE sip:b@example.com SIP/2.0\r\n"
HEADERS = [
    ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtop;rport, SIP/2.0/TCP h;branch=z9hG4bKlow"),
    ("Max-Forwards", "70"),
    ("From", "<sip:a@example.com>;tag=1"),
    ("To", "<sip:b@example.com>"),
    ("Call-ID", "c1@192.0.2.1"),
    ("CSeq", "1 MESSAGE"),
]


def message_request(body: bytes = b"") -> Request:
    return build_request("MESSAGE", "sip:b@example.com", HEADERS, body)


def read(*lines: bytes, body: bytes = b"") -> Request:
    message = parse_message(START + b"".join(lines) + b"\r\n" + body)
    assert isinstance(message, Request)
    return message


def one_fault(message: SipMessage) -> Fault:
    (fault,) = message.faults
    return fault


@pytest.mark.parametrize("name", CORPUS)
def test_a_message_is_its_octets(name: str) -> None:
    message = parse_message(CORPUS[name])
    assert bytes(message) == message.raw == CORPUS[name]
    for field in message.fields:
        assert message.raw[field.offset : field.offset + len(field.raw)] == field.raw
        assert field.raw.decode("utf-8").startswith(field.name)
    head = message.start_line + b"\r\n" + b"".join(field.raw for field in message.fields) + b"\r\n"
    assert message.raw[: message.body_offset] == head


def test_offsets_and_names_of_fields() -> None:
    message = read(b"v: SIP/2.0/UDP h\r\n", b"x-own :  a\r\n\tb  \r\n")
    via, own = message.fields
    assert (via.name, via.canonical, via.value, via.offset) == ("v", "Via", "SIP/2.0/UDP h", 35)
    assert (own.name, own.canonical, own.value, own.offset) == ("x-own", "x-own", "a b", 53)
    assert own.raw == b"x-own :  a\r\n\tb  \r\n"
    assert message.raw[own.octet() :].startswith(b"a\r\n\tb")
    assert message.raw[own.octet(2) :].startswith(b"b  \r\n")


def test_typed_errors_in_folded_values_point_at_the_octet() -> None:
    message = read(b"Route:  \r\n <sip:\xc3\xa4@h>\r\n")
    with pytest.raises(SipSyntaxError) as caught:
        _ = message.routes
    assert message.raw[caught.value.offset :].startswith(b"\xc3\xa4@h>")
    message = read(b'Contact: "\xc3\xa4",\r\n  <sip:a@h>\r\n\t;;\r\n')
    assert [
        message.raw[fault.offset :][:4] for fault in message.check() if fault.what == "header parameter"
    ] == []
    message = read(b'Contact: <sip:b@h>;x="\xc3\xa4",\r\n  <sip:a@h>\r\n\t;;\r\n')
    with pytest.raises(SipSyntaxError) as caught:
        _ = message.contacts
    assert message.raw[caught.value.offset :].strip() == b";;"


def test_values_are_found_by_any_name() -> None:
    message = read(b"k: timer, 100rel\r\n", b"SUPPORTED:\r\n", b"Supported: path\r\n")
    assert message.get("supported") == message.get("K") == "timer, 100rel"
    assert message.get_all("Supported") == ["timer, 100rel", "", "path"]
    assert message.values("Supported") == ["timer", "100rel", "path"]
    assert message.get("Require") is None
    assert message.values("Require") == []
    assert "k" in message
    assert "Require" not in message


def test_typed_values_are_made_once() -> None:
    message = message_request()
    assert message.vias is message.vias
    assert message.via == message.vias[0]
    assert message.from_ is message.from_


def test_the_top_via_is_read_though_one_below_is_broken() -> None:
    message = read(b"Via: SIP/2.0/UDP h;branch=a, nonsense\r\n")
    assert message.via.branch == "a"
    with pytest.raises(SipSyntaxError):
        _ = message.vias


def test_absent_headers() -> None:
    message = read()
    for name in ("via", "vias", "from_", "to", "cseq", "call_id"):
        with pytest.raises(SipSyntaxError) as caught:
            getattr(message, name)
        assert caught.value.offset == message.body_offset
    assert message.max_forwards is message.content_length is message.content_type is message.expires is None
    assert message.contacts == message.routes == message.record_routes == []


def test_contact_star() -> None:
    assert read(b"Contact: *\r\n").contact_star
    assert read(b"m: *\r\n").contacts == []
    mixed = read(b"Contact: <sip:a@h>, *\r\n")
    assert not mixed.contact_star
    assert any(fault.clause == "RFC 3261 10.2.2" for fault in mixed.check())


@pytest.mark.parametrize(
    ("field", "what", "octets"),
    [
        (b"no colon here\r\n", "header", b"no colon"),
        (b"bad name: x\r\n", "header", b"bad name"),
        (b": x\r\n", "header", b": x"),
        (b"X: a\x00b\r\n", "header", b"\x00b"),
        (b"Subject: \xff\r\n", "Subject", b"\xff"),
        (b"X: a\nY: b\r\n", "header", b"\nY: b"),
        (b"X: a\rb\r\n", "header", b"\rb"),
        (b" X: a\r\n", "header", b" X: a"),
        (b"To: <sip:a@h>\r\nt: <sip:b@h>\r\n", "To", b"t: "),
    ],
)
def test_faulty_header_lines(field: bytes, what: str, octets: bytes) -> None:
    message = read(field, b"Call-ID: kept\r\n")
    fault = next(fault for fault in message.faults if fault.what == what)
    assert message.raw[fault.offset :].startswith(octets)
    assert message.call_id == "kept"


def test_bare_line_feeds_are_line_ends_with_a_fault() -> None:
    message = parse_message(b"MESSAGE sip:b@h SIP/2.0\nTo: <sip:b@h>\nl: 2\n\nok")
    assert (message.to.uri.host, message.body) == ("h", b"ok")
    assert one_fault(message).text == "LF without CR"


def test_a_message_without_its_empty_line() -> None:
    message = parse_message(START + b"To: <sip:b@h>\r\nCall-ID: half")
    assert (message.to.uri.host, message.call_id, message.body) == ("h", "half", b"")
    assert one_fault(message) == Fault(
        "message", len(message.raw), "RFC 3261 7", "no empty line after the headers"
    )


def test_empty_lines_before_the_start_line() -> None:
    message = parse_message(b"\r\n\r\n" + START + b"Call-ID: a\r\n\r\n")
    assert isinstance(message, Request)
    assert one_fault(message).clause == "RFC 3261 7.5"
    assert message.fields[0].offset == 4 + len(START)
    assert message.request_uri.user == "b"


@pytest.mark.parametrize(
    ("length", "body", "kept", "what"),
    [(b"3", b"abc", b"abc", None), (b"4", b"abc", b"abc", "Content-Length"), (b"2", b"abc", b"ab", "body")],
)
def test_content_length_of_a_datagram(length: bytes, body: bytes, kept: bytes, what: str | None) -> None:
    message = read(b"l: " + length + b"\r\n", body=body)
    assert message.body == kept
    assert [fault.what for fault in message.faults] == ([what] if what else [])
    assert message.raw.endswith(b"abc")


def test_a_datagram_without_content_length_is_body_to_its_end() -> None:
    message = read(body="Grüße\r\n\r\n\x00".encode())
    assert message.body == "Grüße\r\n\r\n\x00".encode()
    assert message.faults == ()


def test_parse_head_keeps_whole_lines_only() -> None:
    head = parse_head(START + b"Call-ID: c1\r\nCSeq: 1 MESS")
    assert head.call_id == "c1"
    assert "CSeq" not in head


def test_requests_are_written_in_order_with_their_length_last() -> None:
    message = message_request("ä".encode())
    assert message.raw == (
        b"MESSAGE sip:b@example.com SIP/2.0\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtop;rport, SIP/2.0/TCP h;branch=z9hG4bKlow\r\n"
        b"Max-Forwards: 70\r\n"
        b"From: <sip:a@example.com>;tag=1\r\n"
        b"To: <sip:b@example.com>\r\n"
        b"Call-ID: c1@192.0.2.1\r\n"
        b"CSeq: 1 MESSAGE\r\n"
        b"Content-Length: 2\r\n"
        b"\r\n"
        b"\xc3\xa4"
    )
    assert message.check() == ()
    assert parse_message(message.raw) == message


@pytest.mark.parametrize(
    ("method", "uri", "headers"),
    [
        ("A B", "sip:h", []),
        ("", "sip:h", []),
        ("A", "sip:h x", []),
        ("A", "", []),
        ("A", "sip:h\r\nX: y", []),
        ("A", "sip:h", [("X", "a\r\nY: b")]),
        ("A", "sip:h", [("X", "a\nb")]),
        ("A", "sip:h", [("X", "a\x00b")]),
        ("A", "sip:h", [("X", "\ud800")]),
        ("A", "sip:h", [("X Y", "a")]),
        ("A", "sip:h", [("X:", "a")]),
        ("A", "sip:h", [("", "a")]),
        ("A", "sip:h", [("l", "1")]),
        ("A", "sip:h", [("To", "<sip:a@h>"), ("t", "<sip:b@h>")]),
    ],
)
def test_strict_writing_refuses_what_is_no_sip(method: str, uri: str, headers: list[tuple[str, str]]) -> None:
    with pytest.raises(UsageError):
        build_request(method, uri, headers)
    told = build_request(method, uri, headers, strict=False)
    assert told.raw.startswith(f"{method} ".encode())


def test_wrong_on_purpose_is_written_as_told() -> None:
    message = build_request(
        "MESSAGE", "sip:h", [("Content-Length", "99"), ("To", "nonsense")], b"x", strict=False
    )
    assert message.raw == b"MESSAGE sip:h SIP/2.0\r\nContent-Length: 99\r\nTo: nonsense\r\n\r\nx"
    assert one_fault(message).what == "Content-Length"


def test_a_response_copies_what_8_2_6_2_names() -> None:
    response = build_response(message_request(), 200, headers=[("Server", "s")], to_tag="t1")
    assert response.raw == (
        b"SIP/2.0 200 OK\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtop;rport, SIP/2.0/TCP h;branch=z9hG4bKlow\r\n"
        b"From: <sip:a@example.com>;tag=1\r\n"
        b"To: <sip:b@example.com>;tag=t1\r\n"
        b"Call-ID: c1@192.0.2.1\r\n"
        b"CSeq: 1 MESSAGE\r\n"
        b"Server: s\r\n"
        b"Content-Length: 0\r\n"
        b"\r\n"
    )
    assert (response.status, response.reason) == (200, "OK")


def test_the_to_tag_of_a_response() -> None:
    request = message_request()
    assert build_response(request, 100, to_tag="t1").to.tag is None
    assert build_response(request, 404).to.tag is None
    tagged = request.with_header("To", "<sip:b@example.com>;tag=old")
    assert build_response(tagged, 200, to_tag="t1").to.tag == "old"
    broken = request.with_header("To", "nonsense<;tag=old")
    assert build_response(broken, 400, to_tag="t1").get("To") == "nonsense<;tag=old"
    with pytest.raises(UsageError):
        build_response(request, 200, to_tag="a b")


def test_a_response_to_a_request_with_odd_octets_repeats_them() -> None:
    for name in ("intmeth", "wsinv", "badinv01", "insuf", "multi01", "longreq"):
        request = parse_message(CORPUS[name])
        assert isinstance(request, Request)
        response = build_response(request, 400, to_tag="t1")
        assert [via.raw for via in response.all_fields("Via")] == [
            via.raw for via in request.all_fields("Via")
        ]
        assert response.get("Call-ID") == request.get("Call-ID")
    odd = read(b"Via: SIP/2.0/UDP h\x01\r\n", b"From: \xff\r\n", b"To: a\rb\r\n")
    assert b"From: \xff\r\n" in build_response(odd, 400).raw


def test_reasons() -> None:
    assert build_response(message_request(), 599).reason == "Unknown"
    assert build_response(message_request(), 200, "").raw.startswith(b"SIP/2.0 200 \r\n")
    assert (REASONS[200], REASONS[404], REASONS[494]) == ("OK", "Not Found", "Security Agreement Required")
    for status, reason in ((99, "x"), (700, "x"), (200, "a\r\nb")):
        with pytest.raises(UsageError):
            build_response(message_request(), status, reason)
        told = build_response(message_request(), status, reason, strict=False)
        assert isinstance(told, Response)


def test_changed_copies() -> None:
    message = message_request(b"x")
    top = message.with_top_via(
        message.via.with_parameter("received", "192.0.2.9").with_parameter("rport", "7")
    )
    assert [via.branch for via in top.vias] == ["z9hG4bKtop", "z9hG4bKlow"]
    assert (top.via.received, top.via.rport, top.body) == ("192.0.2.9", 7, b"x")
    assert len(top.all_fields("Via")) == 1
    pushed = message.with_prepended("Via", str(Via("SIP/2.0", "UDP", "h")))
    assert [via.host for via in pushed.vias] == ["h", "192.0.2.1", "h"]
    several = message.with_header("Route", "<sip:a;lr>", "<sip:b;lr>")
    assert [route.uri.host for route in several.routes] == ["a", "b"]
    assert several.without("Route") == message
    assert message.with_header("max-forwards", "69").max_forwards == 69
    changed = message.with_body(b"hello", "text/plain")
    assert (changed.body, changed.content_length) == (b"hello", 5)
    assert changed.faults == ()
    assert message.with_uri("sip:c@h").request_uri.user == "c"
    assert message == message_request(b"x")


def test_copies_with_unwritable_values_are_refused() -> None:
    message = message_request()
    with pytest.raises(UsageError):
        message.with_header("X", "a\r\n\r\nb")
    with pytest.raises(UsageError):
        message.with_prepended("Via", "a\nb")
    with pytest.raises(UsageError):
        message.with_uri("sip:a b")


def test_repr_shows_no_headers() -> None:
    message = message_request().with_header("Authorization", 'Digest response="5ec4e7"')
    assert "5ec4e7" not in repr(message)
    assert "5ec4e7" not in repr(message.credentials)


TYPED = (
    "vias", "via", "from_", "to", "cseq", "call_id", "contacts", "routes", "record_routes", "max_forwards",
    "content_length", "content_type", "expires", "date", "challenges", "credentials", "accept_contacts",
)  # fmt: skip


def exercise(data: bytes) -> None:
    try:
        message = parse_message(data)
    except SipSyntaxError as error:
        assert 0 <= error.offset <= len(data)
        return
    assert message.raw == data
    for fault in message.check():
        assert 0 <= fault.offset <= len(data)
    for name in TYPED:
        with suppress(SipSyntaxError):
            getattr(message, name)
    for field in message.fields:
        message.values(field.name)
    if isinstance(message, Request):
        with suppress(SipSyntaxError):
            _ = message.request_uri
        answered = build_response(message, 400, to_tag="t")
        assert answered.status == 400
        assert message.with_top_via(Via("SIP/2.0", "UDP", "h")).via.host == "h"


@given(st.binary(max_size=300))
def test_any_octets(data: bytes) -> None:
    exercise(data)


_PIECES = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b";", b",", b'"', b"\\", b"<", b">", b"=", b"%", b"\x00",
     b"\xff", b"[", b"]", b"@", b"*", b"?", b"9" * 30, b"tag=", b"Via: ", b"SIP/2.0", "ä".encode()]
)  # fmt: skip


@given(
    st.sampled_from(sorted(CORPUS)),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), _PIECES), max_size=6),
)
def test_damaged_messages(name: str, edits: list[tuple[float, int, bytes]]) -> None:
    data = CORPUS[name]
    for place, removed, piece in edits:
        index = int(place * len(data))
        data = data[:index] + piece + data[index + removed :]
    exercise(data)


@given(
    st.lists(
        st.tuples(
            st.text(alphabet="abcXYZ-09", min_size=1), st.text(st.characters(exclude_categories=["C", "Z"]))
        )
    ),
    st.binary(max_size=50),
)
def test_written_messages_read_the_same(headers: list[tuple[str, str]], body: bytes) -> None:
    headers = [(f"X-{name}", value) for name, value in headers]
    message = build_request("MESSAGE", "sip:b@example.com", headers, body)
    again = parse_message(message.raw)
    assert again == message
    assert [(field.name, field.value) for field in again.fields[:-1]] == headers
    assert (again.body, again.faults) == (body, ())


@pytest.mark.parametrize(
    "value",
    [
        b'"' * 60000, b'"\\' * 30000, b"<" * 60000, b"," * 60000, b" \r\n " * 15000 + b"x", b";" * 60000,
        b";a" * 30000, b"a" * 60000, b"(" * 60000, b"sip:" + b"+1" * 30000 + b"x", b"a " * 30000 + b"!",
        b"tel:+" + b"1" * 60000 + b"x", b"\t" * 60000 + b"x", b"Digest " + b'a="' * 20000,
        b"<sip:a@h>" * 6000, b"sip:a@h?" + b"a=b&" * 15000,
    ],
)  # fmt: skip
@pytest.mark.timeout(10)
def test_long_hostile_values_are_read_in_linear_time(value: bytes) -> None:
    for name in (
        b"Via",
        b"From",
        b"Contact",
        b"CSeq",
        b"Call-ID",
        b"Content-Type",
        b"Authorization",
        b"a",
        b"Date",
    ):
        exercise(START + name + b": " + value + b"\r\n\r\n")
    exercise(b"A " + value + b" SIP/2.0\r\n\r\n")
    exercise(b"A" + b" " * 60000 + value + b"\r\r\n\r\n")
