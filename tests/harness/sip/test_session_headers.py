"""Session timers, reliable provisionals, Replaces and Reason: read, written, refused at the octet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SipSyntaxError, UsageError
from harness.sip.grammar import Parameters
from harness.sip.header_value import HeaderType
from harness.sip.message import parse_message
from harness.sip.session_headers import MinSE, RAck, Reason, Refresher, Replaces, RSeq, SessionExpires
from tests.harness.sip.written_headers import PRINTABLE, TOKENS, assert_refused, parameters

# Text as sent, the value it has, and how it is written; from the examples of the RFCs named.
READ: list[tuple[str, HeaderType, str]] = [
    ("4000", SessionExpires(4000), "4000"),
    ("90;refresher=uas", SessionExpires(90, Refresher.UAS), "90;refresher=uas"),
    (
        "1800 ; x=1 ; Refresher = UAC",
        SessionExpires(1800, Refresher.UAC, Parameters([("x", "1")])),
        "1800;refresher=uac;x=1",
    ),
    ("3600;a", MinSE(3600, Parameters([("a", None)])), "3600;a"),
    ("988789", RSeq(988789), "988789"),  # RFC 3262 7.1
    ("776656 1 INVITE", RAck(776656, 1, "INVITE"), "776656 1 INVITE"),  # RFC 3262 7.2
    ("776656  1\tINVITE", RAck(776656, 1, "INVITE"), "776656 1 INVITE"),
    (  # RFC 3891 6.1
        "98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff",
        Replaces("98732@sip.example.com", "ff87ff", "r33th4x0r"),
        "98732@sip.example.com;to-tag=ff87ff;from-tag=r33th4x0r",
    ),
    (
        "12adf2f34456gs5 ;to-tag=12345;from-tag=54321; early-only",
        Replaces("12adf2f34456gs5", "12345", "54321", early_only=True),
        "12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only",
    ),
    (  # RFC 3326 2
        'SIP ;cause=200 ;text="Call completed elsewhere"',
        Reason("SIP", 200, "Call completed elsewhere"),
        'SIP;cause=200;text="Call completed elsewhere"',
    ),
    (
        'Q.850 ;cause=16 ;text="Terminated"',
        Reason("Q.850", 16, "Terminated"),
        'Q.850;cause=16;text="Terminated"',
    ),
    ("preemption;p", Reason("preemption", None, None, Parameters([("p", None)])), "preemption;p"),
]


@pytest.mark.parametrize(("text", "value", "written"), READ)
def test_values_are_read_and_written(text: str, value: HeaderType, written: str) -> None:
    assert type(value).parse(text) == value
    assert str(value) == written


@pytest.mark.parametrize(
    ("kind", "text", "octet"),
    [
        (SessionExpires, "", 0),
        (SessionExpires, "soon", 0),
        (SessionExpires, "90 seconds", 3),
        (SessionExpires, "4294967296", 0),
        (SessionExpires, "90;refresher=proxy", 13),
        (SessionExpires, "90;a=1;refresher", 7),
        (SessionExpires, "90;;", 2),
        (MinSE, "-1", 0),
        (RSeq, "0", 0),
        (RSeq, "4294967296", 0),
        (RSeq, "1;a", 0),
        (RAck, "776656 1", 0),
        (RAck, "x 1 INVITE", 0),
        (RAck, "776656 x INVITE", 7),
        (RAck, "776656 2147483648 INVITE", 7),
        (RAck, "776656 1 INVITE now", 9),
        (Replaces, "1@h;to-tag=a", 0),
        (Replaces, "1@h;to-tag=a;from-tag", 13),
        (Replaces, "1@h;to-tag=a;to-tag=b;from-tag=c", 11),
        (Replaces, ";to-tag=a;from-tag=b", 0),
        (Reason, "SIP;cause=4oo", 10),
        (Reason, "SIP;cause=200;text=OK", 19),
        (Reason, "SIP,Q.850", 3),
    ],
)
def test_what_is_wrong_is_told_with_its_octet(kind: type[HeaderType], text: str, octet: int) -> None:
    assert_refused(kind, text, octet)


def test_the_octet_counts_octets_not_characters() -> None:
    with pytest.raises(SipSyntaxError) as caught:
        Reason.parse('SIP;text="é";cause=x', 100)
    assert caught.value.offset == 120


@pytest.mark.parametrize(
    "make",
    [
        lambda: SessionExpires(-1),
        lambda: MinSE(2**32),
        lambda: RSeq(0),
        lambda: RAck(1, 1, "IN VITE"),
        lambda: Replaces("a b", "1", "2"),
        lambda: Replaces("a@b", "", "2"),
        lambda: Reason("SIP;x"),
    ],
)
def test_what_could_not_be_read_is_not_made(make: type[HeaderType]) -> None:
    with pytest.raises(UsageError):
        make()


NUMBERS = st.integers(0, 2**32 - 1)
SEQUENCES = st.integers(0, 2**31 - 1)


@given(
    st.one_of(
        st.builds(SessionExpires, NUMBERS, st.none() | st.sampled_from(Refresher), parameters()),
        st.builds(MinSE, NUMBERS, parameters()),
        st.builds(RSeq, st.integers(1, 2**32 - 1)),
        st.builds(RAck, NUMBERS, SEQUENCES, TOKENS),
        st.builds(Replaces, TOKENS, TOKENS, TOKENS, st.booleans(), parameters()),
        st.builds(Reason, TOKENS, st.none() | NUMBERS, st.none() | PRINTABLE, parameters()),
    )
)
def test_what_is_written_reads_the_same(value: HeaderType) -> None:
    assert type(value).parse(str(value)) == value


@given(st.sampled_from([SessionExpires, MinSE, RSeq, RAck, Replaces, Reason]), st.text())
def test_no_text_raises_anything_but_our_own_error(kind: type[HeaderType], text: str) -> None:
    try:
        kind.parse(text)
    except SipSyntaxError as error:
        assert 0 <= error.offset <= len(text.encode("utf-8", "surrogatepass"))


def test_a_message_reads_a_header_by_its_type() -> None:
    head = (
        b"BYE sip:b@h SIP/2.0\r\nCall-ID: a@h\r\nx: 90;refresher=uac\r\n"
        b'Reason: SIP;cause=480, Q.850;cause=16\r\nReason: x;text="a,b"\r\n'
    )
    message = parse_message(head + b"Min-SE: 90;\xc3\xa9\r\n\r\n")
    assert message.typed(SessionExpires) == SessionExpires(90, Refresher.UAC)
    assert message.typed(SessionExpires) is message.typed(SessionExpires)
    assert message.typed(RSeq) is None
    assert [reason.protocol for reason in message.typed_list(Reason)] == ["SIP", "Q.850", "x"]
    with pytest.raises(SipSyntaxError) as caught:
        message.typed(MinSE)
    assert caught.value.offset == len(head) + len("Min-SE: 90")


def test_a_list_without_elements_is_empty() -> None:
    message = parse_message(b"BYE sip:b@h SIP/2.0\r\nReason:\r\n\r\n")
    assert message.typed_list(Reason) == []
