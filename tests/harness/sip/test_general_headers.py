"""Headers about time, warnings and bodies: read, written, refused at the octet."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SipSyntaxError, UsageError
from harness.sip.general_headers import (
    Accept,
    ContentDisposition,
    FlowTimer,
    MinExpires,
    RetryAfter,
    SipWarning,
    Timestamp,
)
from harness.sip.grammar import Parameters
from harness.sip.header_value import HeaderType
from harness.sip.message import parse_message
from tests.harness.sip.written_headers import PRINTABLE, TOKENS, assert_refused, parameters

READ: list[tuple[str, HeaderType, str]] = [
    ("60", MinExpires(60), "60"),
    ("120", FlowTimer(120), "120"),
    ("18000;duration=3600", RetryAfter(18000, None, 3600), "18000;duration=3600"),  # RFC 3261 20.33
    ("120 (I'm in a meeting)", RetryAfter(120, "I'm in a meeting"), "120 (I'm in a meeting)"),
    ("0(a (b) \\) é) ;x", RetryAfter(0, "a (b) \\) é", None, Parameters([("x", None)])), "0 (a (b) \\) é);x"),
    (  # RFC 3261 20.43
        "307 isi.edu \"Session parameter 'foo' not understood\"",
        SipWarning(307, "isi.edu", "Session parameter 'foo' not understood"),
        "307 isi.edu \"Session parameter 'foo' not understood\"",
    ),
    ('399  [::1]:5060  "a \\"b\\""', SipWarning(399, "[::1]:5060", 'a "b"'), '399 [::1]:5060 "a \\"b\\""'),
    ("session;handling=optional", ContentDisposition("session", "optional"), "session;handling=optional"),
    ("Render", ContentDisposition("render"), "render"),
    ("text/html;level=1", Accept("text", "html", Parameters([("level", "1")])), "text/html;level=1"),
    ("54", Timestamp(Decimal(54)), "54"),
    ("54.50 .25", Timestamp(Decimal("54.50"), Decimal("0.25")), "54.50 0.25"),
]


@pytest.mark.parametrize(("text", "value", "written"), READ)
def test_values_are_read_and_written(text: str, value: HeaderType, written: str) -> None:
    assert type(value).parse(text) == value
    assert str(value) == written


@pytest.mark.parametrize(
    ("kind", "text", "octet"),
    [
        (MinExpires, "", 0),
        (MinExpires, "60 ", 0),
        (FlowTimer, "4294967296", 0),
        (RetryAfter, "soon", 0),
        (RetryAfter, "120 soon", 4),
        (RetryAfter, "120 (a", 4),
        (RetryAfter, "120 (a(b)", 4),
        (RetryAfter, "120 (é) x", 9),
        (RetryAfter, "120 (é);duration=x", 18),
        (SipWarning, "", 0),
        (SipWarning, '99 a "b"', 0),
        (SipWarning, '399 a/b "c"', 4),
        (SipWarning, '399 a "c', 6),
        (SipWarning, '399 a "c" d', 6),
        (ContentDisposition, "session;handling", 8),
        (ContentDisposition, "a/b", 1),
        (Accept, "text", 0),
        (Accept, "*/plain", 0),
        (Accept, "text/*;q=1.5", 9),
        (Accept, "text/*;q", 7),
        (Timestamp, "x", 0),
        (Timestamp, "54.5.5", 4),
        (Timestamp, "54 .", 2),
    ],
)
def test_what_is_wrong_is_told_with_its_octet(kind: type[HeaderType], text: str, octet: int) -> None:
    assert_refused(kind, text, octet)


def test_media_ranges_cover_types() -> None:
    message = parse_message(
        b"OPTIONS sip:b@h SIP/2.0\r\nAccept: message/*;q=0.5, application/sdp, text/plain;q=0\r\n\r\n"
    )
    message_types, sdp, plain = message.typed_list(Accept)
    assert message_types.covers("message/CPIM")
    assert message_types.q == Decimal("0.5")
    assert sdp.covers("Application/SDP")
    assert not sdp.covers("application/xml")
    assert not plain.covers("text/plain")
    assert Accept.parse("*/*").covers("a/b")


def test_a_body_must_be_understood_unless_it_is_said_otherwise() -> None:
    assert ContentDisposition.parse("session").required
    assert ContentDisposition.parse("session;handling=Required").required
    assert not ContentDisposition.parse("session;handling=optional").required


def test_lists_of_tokens() -> None:
    head = b"OPTIONS sip:b@h SIP/2.0\r\nk: 100rel,timer\r\nSupported:\r\nAllow:\r\n"
    message = parse_message(head + b"Require: a b\r\ne: gzip\r\n\r\n")
    assert message.tokens("Content-Encoding") == ["gzip"]
    assert message.tokens("Allow") == []
    assert message.tokens("Unsupported") == []
    with pytest.raises(SipSyntaxError) as caught:
        message.tokens("Require")
    assert caught.value.offset == len(head) + len("Require: a")


def test_an_empty_row_beside_others_adds_nothing_to_a_list() -> None:
    message = parse_message(b"OPTIONS sip:b@h SIP/2.0\r\nSupported: 100rel,timer\r\nSupported:\r\n\r\n")
    assert message.tokens("Supported") == ["100rel", "timer"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: MinExpires(-1),
        lambda: RetryAfter(1, "("),
        lambda: RetryAfter(1, ")("),
        lambda: RetryAfter(1, "\\"),
        lambda: RetryAfter(1, None, -1),
        lambda: SipWarning(99, "a", "b"),
        lambda: SipWarning(399, "a b", "c"),
        lambda: ContentDisposition("a b"),
        lambda: Timestamp(Decimal(-1)),
        lambda: Timestamp(Decimal("nan")),
    ],
)
def test_what_could_not_be_read_is_not_made(make: type[HeaderType]) -> None:
    with pytest.raises(UsageError):
        make()


SECONDS = st.integers(0, 2**32 - 1)
COMMENTS = st.recursive(
    st.text('ab é;,"', max_size=5),
    lambda inner: st.tuples(inner, inner).map(lambda two: f"{two[0]}({two[1]})"),
).map(lambda text: text.replace("a", "\\("))
TIMES = st.decimals(0, 10**12, allow_nan=False, allow_infinity=False).map(abs)


@given(
    st.one_of(
        st.builds(MinExpires, SECONDS),
        st.builds(FlowTimer, SECONDS),
        st.builds(RetryAfter, SECONDS, st.none() | COMMENTS, st.none() | SECONDS, parameters()),
        st.builds(SipWarning, st.integers(100, 999), TOKENS, PRINTABLE),
        st.builds(ContentDisposition, TOKENS.map(str.lower), st.none() | TOKENS.map(str.lower), parameters()),
        st.builds(Accept, TOKENS, TOKENS, parameters()).filter(lambda accept: accept.type != "*"),
        st.builds(Timestamp, TIMES, st.none() | TIMES),
    )
)
def test_what_is_written_reads_the_same(value: HeaderType) -> None:
    assert type(value).parse(str(value)) == value


KINDS: list[type[HeaderType]] = [
    MinExpires, FlowTimer, RetryAfter, SipWarning, ContentDisposition, Accept, Timestamp,
]  # fmt: skip


@given(st.sampled_from(KINDS), st.text() | st.text('0123 ().;\\"=a/*'))
def test_no_text_raises_anything_but_our_own_error(kind: type[HeaderType], text: str) -> None:
    try:
        kind.parse(text)
    except SipSyntaxError as error:
        assert 0 <= error.offset <= len(text.encode("utf-8", "surrogatepass"))
