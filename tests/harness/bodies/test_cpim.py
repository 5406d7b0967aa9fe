"""message/cpim: RFC 3862 and RFC 5438 examples, declared lengths of field traces, faults, round trips."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bodies.cpim import (
    CpimFault,
    _read_closely,
    _read_plain,
    build_cpim,
    escape,
    format_cpim_address,
    parse_cpim,
    parse_cpim_address,
    quote,
    unescape,
)
from harness.bodies.imdn import parse_imdn
from harness.errors import BodySyntaxError

DOMAIN = "d" * 11
USER = "0" * 15

PAGER = (
    f"From: <sip:{USER}@{DOMAIN}>\r\n"
    f"To: <sip:+12345678901@{DOMAIN};user=phone>\r\n"
    "DateTime: 2015-02-17T06:54:27Z\r\n"
    "NS: imdn <urn:ietf:params:imdn>\r\n"
    "imdn.Message-ID: PH7qAIV8cgH5\r\n"
    "imdn.Disposition-Notification: positive-delivery, display\r\n"
    "\r\n"
    "Content-type: text/plain;charset=UTF-8\r\n"
    "Content-Length: 15\r\n"
    "\r\n"
    "123456789abcdef"
).encode()

RFC3862_EXAMPLE = (
    b"From: MR SANDERS <im:piglet@100akerwood.com>\r\n"
    b"To: Depressed Donkey <im:eeyore@100akerwood.com>\r\n"
    b"DateTime: 2000-12-13T13:40:00-08:00\r\n"
    b"Subject: the weather will be fine today\r\n"
    b"Subject:;lang=fr beau temps prevu pour aujourd'hui\r\n"
    b"NS: MyFeatures <mid:MessageFeatures@id.foo.com>\r\n"
    b"Require: MyFeatures.VitalMessageOption\r\n"
    b"MyFeatures.VitalMessageOption: Confirmation-requested\r\n"
    b"MyFeatures.WackyMessageOption: Use-silly-font\r\n"
    b"\r\n"
    b"Content-type: text/xml; charset=utf-8\r\n"
    b"Content-ID: <1234567890@foo.com>\r\n"
    b"\r\n"
    b"<body>\r\nHere is the text of my message.\r\n</body>\r\n"
)

RFC5438_EXAMPLE = (
    b"From: Alice <im:alice@example.com>\r\n"
    b"To: Bob <im:bob@example.com>\r\n"
    b"NS: imdn <urn:ietf:params:imdn>\r\n"
    b"imdn.Message-ID: 34jk324j\r\n"
    b"DateTime: 2006-04-04T12:16:49-05:00\r\n"
    b"imdn.Disposition-Notification: positive-delivery, negative-delivery\r\n"
    b"Content-type: text/plain\r\n"
    b"Content-length: 12\r\n"
    b"\r\n"
    b"Hello World\n"
)

RFC5438_AGGREGATE_HEAD = (
    b"From: Bob <im:bob@example.com>\r\n"
    b"To: Alice <im:alice@example.com>\r\n"
    b"NS: imdn <urn:ietf:params:imdn>\r\n"
    b"imdn.Message-ID: d834jied93rf\r\n"
    b"Content-type: multipart/mixed;\r\n"
    b'                   boundary="imdn-boundary"\r\n'
    b"Content-Disposition: notification\r\n"
    b"\r\n"
    b"--imdn-boundary\r\n"
)


def kinds(data: bytes) -> list[str]:
    return [fault.what for fault in parse_cpim(data).faults]


def test_the_example_of_rfc_3862_is_read_without_fault() -> None:
    message = parse_cpim(RFC3862_EXAMPLE)
    assert message.faults == ()
    assert message.layout == "rfc3862"
    assert message.from_ == ("im:piglet@100akerwood.com", "MR SANDERS", True)
    assert message.to is not None and message.to.display == "Depressed Donkey"
    assert message.datetime == datetime(2000, 12, 13, 21, 40, tzinfo=UTC)
    assert message.get_all("Subject") == [
        "the weather will be fine today",
        "beau temps prevu pour aujourd'hui",
    ]
    assert message.headers[4].parameters == (("lang", "fr"),)
    assert message.namespaces == {"MyFeatures": "mid:MessageFeatures@id.foo.com"}
    assert [h.value for h in message.fields("mid:MessageFeatures@id.foo.com", "WackyMessageOption")] == [
        "Use-silly-font"
    ]
    assert str(message.content_type) == "text/xml;charset=utf-8"
    assert message.mime_get("content-id") == "<1234567890@foo.com>"
    assert message.content.startswith(b"<body>\r\n")


def test_offsets_and_raw_octets_point_into_the_object() -> None:
    message = parse_cpim(PAGER)
    for header in (*message.headers, *message.mime):
        assert message.raw[header.offset : header.offset + len(header.raw)] == header.raw
        assert header.raw.startswith(header.name.encode())
    assert message.raw[message.content_offset :] == message.content == b"123456789abcdef"


def test_the_pager_message_of_the_field_trace_has_its_declared_length() -> None:
    assert len(PAGER) == 322
    message = parse_cpim(PAGER)
    assert message.faults == ()
    assert message.imdn("Message-ID") == "PH7qAIV8cgH5"
    assert message.asks_for_imdn
    assert build_cpim(
        [(h.name, h.value) for h in message.headers],
        [(h.name, h.value) for h in message.mime],
        message.content,
    ) == (PAGER)


@pytest.mark.parametrize(
    ("sender", "stamp", "own", "kind", "status", "length"),
    [
        (
            "<sip:anonymous@anonymous.invalid>",
            "27.8730740Z",
            "92c65678d0",
            "delivery",
            "delivered",
            490,
        ),
        (
            f'"No Chat" <sip:+14448880011@{DOMAIN}>',
            "45.1650631Z",
            "cef6f7fe6d",
            "display",
            "displayed",
            495,
        ),
    ],
)
def test_notifications_of_the_field_trace_have_their_declared_length(
    sender: str, stamp: str, own: str, kind: str, status: str, length: int
) -> None:
    body = (
        f"From: {sender}\r\n"
        f"To: <sip:{USER}@{DOMAIN}>\r\n"
        f"DateTime: 2015-02-17T06:54:{stamp}\r\n"
        "NS: imdn <urn:ietf:params:imdn>\r\n"
        f"imdn.Message-ID: {own}\r\n"
        "\r\n"
        "Content-Disposition: notification\r\n"
        "Content-Type: message/imdn+xml\r\n"
        "\r\n"
        '<?xml version="1.0" encoding="utf-8"?>\r\n'
        '<imdn xmlns="urn:ietf:params:xml:ns:imdn">\r\n'
        "  <message-id>PH7qAIV8cgH5</message-id>\r\n"
        f"  <{kind}-notification>\r\n"
        "    <status>\r\n"
        f"      <{status} />\r\n"
        "    </status>\r\n"
        f"  </{kind}-notification>\r\n"
        "</imdn>"
    ).encode()
    assert len(body) == length
    message = parse_cpim(body)
    assert message.faults == ()
    notification = parse_imdn(message.content)
    assert (notification.message_id, notification.notification, notification.status) == (
        "PH7qAIV8cgH5",
        kind,
        status,
    )
    assert notification.datetime is None


def test_the_layout_printed_in_rfc_5438_is_read_and_marked() -> None:
    message = parse_cpim(RFC5438_EXAMPLE)
    assert message.layout == "rfc5438"
    assert message.faults == ()
    assert message.mime_get("Content-Length") == "12"
    assert message.content == b"Hello World\n"
    assert message.imdn("Disposition-Notification") == "positive-delivery, negative-delivery"


def test_folded_mime_headers_are_unfolded_in_the_printed_layout_too() -> None:
    message = parse_cpim(RFC5438_AGGREGATE_HEAD)
    assert message.layout == "rfc5438"
    assert message.content_type is not None
    assert message.content_type.parameters["boundary"] == "imdn-boundary"
    assert message.mime_get("CONTENT-DISPOSITION") == "notification"


def test_the_printed_layout_can_be_written() -> None:
    data = build_cpim([("From", "<im:a@b>")], [("Content-type", "text/plain")], b"x", layout="rfc5438")
    assert data == b"From: <im:a@b>\r\nContent-type: text/plain\r\n\r\nx"


@pytest.mark.parametrize(
    ("declaration", "prefix"),
    [
        (b"NS: imdn <urn:ietf:params:imdn>\r\n", b"imdn."),
        (b"NS: zz <urn:ietf:params:imdn>\r\n", b"zz."),
        (b"NS: <urn:ietf:params:imdn>\r\n", b""),
        (b"", b"imdn."),
    ],
)
def test_imdn_headers_are_found_by_urn(declaration: bytes, prefix: bytes) -> None:
    data = b"From: <im:a@b>\r\n" + declaration + prefix + b"Message-ID: m1\r\n\r\nContent-Type: a/b\r\n\r\n"
    assert parse_cpim(data).imdn("Message-ID") == "m1"


def test_a_prefix_bound_to_another_urn_is_not_imdn() -> None:
    data = b"NS: imdn <urn:example:x>\r\nimdn.Message-ID: m1\r\n\r\nContent-Type: a/b\r\n\r\n"
    assert parse_cpim(data).imdn("Message-ID") is None


def test_cpim_names_match_exactly_and_mime_names_in_any_case() -> None:
    message = parse_cpim(b"from: <im:a@b>\r\n\r\nCONTENT-TYPE: a/b\r\n\r\n")
    assert message.get("From") is None
    assert message.get("from") == "<im:a@b>"
    assert message.mime_get("content-type") == "a/b"


HEAD = b"From: <im:a@b>\r\n"
TAIL = b"\r\nContent-Type: text/plain\r\n\r\nhi"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (HEAD + TAIL, []),
        (HEAD + b"Subject: \r\n" + TAIL, []),
        (HEAD + b"Subject:\r\n" + TAIL, []),
        (HEAD + b"Subject:x\r\n" + TAIL, [CpimFault.COLON_SPACE]),
        (HEAD + b"Subject:  x\r\n" + TAIL, [CpimFault.COLON_SPACE]),
        (HEAD + b"Subject: x \r\n" + TAIL, [CpimFault.COLON_SPACE]),
        (HEAD + b"Subject : x\r\n" + TAIL, [CpimFault.COLON_SPACE]),
        (HEAD + b"Subject: x\r\n y\r\n" + TAIL, [CpimFault.FOLDING]),
        (HEAD + b"Subject: x\x07\r\n" + TAIL, [CpimFault.CONTROL]),
        (HEAD + b"Subject: x\x7f\r\n" + TAIL, [CpimFault.CONTROL]),
        (HEAD + b"Subject: \xff\r\n" + TAIL, [CpimFault.UTF8]),
        (HEAD + b"Subject: \xc3\xa9\r\n" + TAIL, []),
        (HEAD + b"Sub(ject: x\r\n" + TAIL, [CpimFault.HEADER_NAME]),
        (HEAD + b"a.b.c: x\r\n" + TAIL, [CpimFault.HEADER_NAME]),
        (HEAD + b"no header\r\n" + TAIL, [CpimFault.HEADER_LINE]),
        (HEAD + b"Subject: a\\\\b \\u0007 \\t\r\n" + TAIL, []),
        (HEAD + b"Subject: a\\x\r\n" + TAIL, [CpimFault.ESCAPE]),
        (HEAD + b"Subject: a\\\r\n" + TAIL, [CpimFault.ESCAPE]),
        (HEAD + b"Subject: \\u0041\r\n" + TAIL, [CpimFault.ESCAPE]),
        (HEAD + b"Subject: \\u0009\r\n" + TAIL, [CpimFault.ESCAPE]),
        (b'From: "a"b" <im:a@b>\r\n' + TAIL, [CpimFault.ESCAPE]),
        (b'From: "a\\"b" <im:a@b>\r\n' + TAIL, []),
        (HEAD + b"Subject:;lang x\r\n" + TAIL, [CpimFault.PARAMETER, CpimFault.COLON_SPACE]),
        (HEAD + b"Subject: x\n" + TAIL, [CpimFault.LINE_END]),
        (HEAD + b"\n" + TAIL[2:], [CpimFault.LINE_END]),
        (b"\r\n" + HEAD + TAIL, [CpimFault.LEADING_EMPTY_LINE]),
        (HEAD + b"\r\nhello, no headers", [CpimFault.NO_EMPTY_LINE, CpimFault.NO_CONTENT_TYPE]),
        (HEAD, [CpimFault.NO_EMPTY_LINE, CpimFault.NO_CONTENT_TYPE]),
        (HEAD + b"\r\nContent-Type: a/b\r\n", [CpimFault.NO_EMPTY_LINE]),
        (HEAD + b"\r\nContent-ID: <x>\r\n\r\nhi", [CpimFault.NO_CONTENT_TYPE]),
        (HEAD + b"Content-Length: 2\r\n" + TAIL, [CpimFault.STRAY_MIME_HEADER]),
    ],
)
def test_faults_are_collected_with_their_kind(data: bytes, expected: list[CpimFault]) -> None:
    assert kinds(data) == expected


def test_a_fault_tells_where_and_which_clause() -> None:
    fault = parse_cpim(HEAD + b"Subject:x\r\n" + TAIL).faults[0]
    assert (fault.offset, fault.clause, fault.text) == (len(HEAD), "RFC 3862 2.2, 3.6", "Subject:x")


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"hello", b"\x00\xff"])
def test_what_begins_with_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(BodySyntaxError):
        parse_cpim(data)


@pytest.mark.parametrize(
    ("text", "uri", "display", "well_formed"),
    [
        ("<sip:a@b>", "sip:a@b", None, True),
        ('"No Chat" <sip:+1444@d>', "sip:+1444@d", "No Chat", True),
        ("Winnie the Pooh <im:p@h>", "im:p@h", "Winnie the Pooh", True),
        ('"a\\"b\\u0007" <im:p@h>', "im:p@h", 'a"b\x07', True),
        ("sip:a@b", "sip:a@b", None, False),
        ("<a@b>", "a@b", None, False),
        ("", "", None, False),
    ],
)
def test_addresses(text: str, uri: str, display: str | None, well_formed: bool) -> None:
    assert parse_cpim_address(text) == (uri, display, well_formed)


@pytest.mark.parametrize(
    ("headers", "mime"),
    [
        ([("From", "a\r\nb")], [("Content-Type", "a/b")]),
        ([("From", "a\x00b")], [("Content-Type", "a/b")]),
        ([("From", " a")], [("Content-Type", "a/b")]),
        ([("From", "a\\x")], [("Content-Type", "a/b")]),
        ([("Fr om", "a")], [("Content-Type", "a/b")]),
        ([("", "a")], [("Content-Type", "a/b")]),
        ([("Content-Type", "a/b")], [("Content-Type", "a/b")]),
        ([("Subject;lang", "a")], [("Content-Type", "a/b")]),
        ([("From", "\ud800")], [("Content-Type", "a/b")]),
        ([("From", "a")], [("Content-Type", "a\r\nb")]),
        ([("From", "a")], [("Content Type", "a/b"), ("Content-Type", "a/b")]),
        ([("From", "a")], []),
        ([], [("Content-Type", "a/b")]),
    ],
)
def test_the_writer_refuses_what_rfc_3862_forbids(
    headers: list[tuple[str, str]], mime: list[tuple[str, str]]
) -> None:
    with pytest.raises(BodySyntaxError):
        build_cpim(headers, mime, b"")
    assert build_cpim(headers, mime, b"", strict=False)


def test_wrong_on_purpose_is_written_as_told() -> None:
    assert build_cpim([("From", " x\x07")], [], b"c", strict=False) == b"From:  x\x07\r\n\r\n\r\nc"


NAMES = st.text("ABCXYZabcxyz0189!#$%&'*+-^_`|~", min_size=1, max_size=8).filter(
    lambda name: not name.lower().startswith("content-")
)
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
VALUES = TEXT.map(lambda text: escape(text).strip(" ")).filter(lambda text: not text.endswith("\\"))
HEADERS = st.lists(st.tuples(st.one_of(NAMES, st.tuples(NAMES, NAMES).map(".".join)), VALUES), min_size=1)
MIME_VALUES = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20).map(
    lambda text: text.strip(" \t")
)
MIME = st.lists(st.tuples(NAMES.map("X-".__add__), MIME_VALUES), max_size=3)


@given(HEADERS, MIME, st.binary(max_size=60))
def test_what_is_written_is_read_back(
    headers: list[tuple[str, str]], mime: list[tuple[str, str]], content: bytes
) -> None:
    mime = [*mime, ("Content-Type", "text/plain")]
    message = parse_cpim(build_cpim(headers, mime, content))
    assert [(header.name, header.value) for header in message.headers] == headers
    assert [(header.name, header.value) for header in message.mime] == mime
    assert message.content == content
    assert not [f for f in message.faults if f.what != CpimFault.ESCAPE]


@given(TEXT)
def test_escapes_are_undone(text: str) -> None:
    assert unescape(escape(text)) == text
    assert unescape(quote(text)[1:-1]) == text
    assert not set(escape(text)) & {chr(code) for code in (*range(32), 127)}


@given(TEXT.filter(lambda text: "<" not in text and ">" not in text))
def test_a_written_address_is_read_back(display: str) -> None:
    assert parse_cpim_address(format_cpim_address("sip:a@b", display)) == ("sip:a@b", display, True)


@pytest.mark.parametrize(
    ("display", "written"),
    [(None, "<sip:a@b>"), ("Ann", '"Ann" <sip:a@b>'), ('A "B"', '"A \\"B\\"" <sip:a@b>')],
)
def test_an_address_is_written_in_angle_brackets(display: str | None, written: str) -> None:
    assert format_cpim_address("sip:a@b", display) == written


@pytest.mark.parametrize(("value", "asks"), [("display", True), ("", False), ("  ", False)])
def test_a_blank_request_asks_for_nothing(value: str, asks: bool) -> None:
    headers = (
        f"From: <sip:a@b>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Disposition-Notification: {value}\r\n"
    )
    body = parse_cpim(f"{headers}\r\nContent-Type: text/plain\r\n\r\nhi".encode())
    assert body.asks_for_imdn is asks


PIECES = st.sampled_from(
    [
        b"From",
        b":",
        b" ",
        b"\r\n",
        b"\n",
        b"\r",
        b"Content-Type: a/b",
        b"\t",
        b";",
        b"=",
        b'"',
        b"\\",
        b"<",
        b">",
        b"NS: imdn <urn:ietf:params:imdn>\r\n",
        b"imdn.Message-ID: x",
        b"\\u00",
        b"\xff",
        b"\x00",
        b"MIME-Version: 1",
    ]
)


@given(st.integers(0, len(PAGER)), st.integers(0, 3), PIECES)
def test_plain_objects_read_as_closely_read_ones(place: int, removed: int, piece: bytes) -> None:
    data = PAGER
    for damaged in (data, data[:place] + piece + data[place + removed :]):
        with suppress(BodySyntaxError):
            assert parse_cpim(damaged) == _read_closely(damaged)
    assert _read_plain(data) is not None


@given(st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=30).map(b"".join)))
def test_no_octets_raise_anything_but_our_own_error(data: bytes) -> None:
    try:
        message = parse_cpim(data)
    except BodySyntaxError:
        return
    assert message.raw.endswith(message.content)
    assert (message.from_, message.to, message.datetime, message.content_type, message.namespaces) is not None
    assert isinstance(message.asks_for_imdn, bool)
