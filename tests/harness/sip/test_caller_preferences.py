"""Feature parameters, Accept-Contact, Reject-Contact and Request-Disposition."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SipSyntaxError, UsageError
from harness.sip.caller_preferences import (
    AcceptContact,
    Directive,
    FeatureTerm,
    NumberTerm,
    RejectContact,
    RequestDisposition,
    StringTerm,
    TokenTerm,
    feature_tags,
    feature_values,
    parse_feature,
    write_feature,
)
from harness.sip.grammar import unquote
from harness.sip.header_value import HeaderType
from harness.sip.headers import NameAddr
from harness.sip.message import parse_message
from tests.harness.sip.written_headers import TOKENS, assert_refused, parameters


def test_feature_tags_are_decoded() -> None:
    contact = NameAddr.parse(
        '<sip:a@h>;+sip.instance="<urn:gsma:imei:49015420-323751-0>";expires=600;q=0.5;isfocus'
        ';+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg,urn%3Aurn-7%3Aother"'
        ";+g.oma.sip-im;video"
    )
    assert feature_tags(contact.parameters) == {
        "+sip.instance": ("urn:gsma:imei:49015420-323751-0",),
        "isfocus": (),
        "+g.3gpp.icsi-ref": ("urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg", "urn:urn-7:other"),
        "+g.oma.sip-im": (),
        "video": (),
    }
    assert feature_values(contact.parameters, "+absent") == ()


def test_accept_contact() -> None:
    value = AcceptContact.parse('*;+g.oma.sip-im="<x>";require;explicit')
    assert value.require
    assert value.explicit
    assert value.features == {"+g.oma.sip-im": ("x",)}
    assert str(value) == '*;+g.oma.sip-im="<x>";require;explicit'
    with pytest.raises(SipSyntaxError):
        AcceptContact.parse("<sip:a@h>")


@pytest.mark.parametrize(
    ("value", "terms"),
    [
        ("TRUE", (TokenTerm("TRUE"),)),
        ("INVITE,!BYE", (TokenTerm("INVITE"), TokenTerm("BYE", negated=True))),
        ("<PC>", (StringTerm("PC"),)),
        ("<a,\\>b>", (StringTerm("a,\\>b"),)),
        ("#-4:+5.125", (NumberTerm(Decimal(-4), Decimal("5.125")),)),  # RFC 3840 7
        ("#>=4", (NumberTerm(Decimal(4), None),)),
        ("#<=4.", (NumberTerm(None, Decimal(4)),)),
        ("!#=20", (NumberTerm(Decimal(20), Decimal(20), negated=True),)),
        ("#=1,x", (NumberTerm(Decimal(1), Decimal(1)), TokenTerm("x"))),
        (
            "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg",
            (TokenTerm("urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"),),
        ),
    ],
)
def test_feature_parameters_are_read_term_by_term(value: str, terms: tuple[FeatureTerm, ...]) -> None:
    assert parse_feature(value) == terms


@pytest.mark.parametrize(
    ("value", "octet"),
    [
        ("", 0), ("a,,b", 2), ("a, b", 2), ("a,<x>", 2), ("<x", 0), ("<x>y", 0), ("#4", 0), ("a,#>4", 2),
        ("!!a", 0), ("#=1e9", 0), ("#=" + "9" * 310, 0),
    ],
)  # fmt: skip
def test_wrong_feature_parameters_are_told_with_their_octet(value: str, octet: int) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        parse_feature(value, 7)
    assert caught.value.offset == 7 + octet


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=3)
BOUNDS = st.tuples(st.none() | NUMBERS, st.none() | NUMBERS).filter(any)
TERMS = st.one_of(
    st.builds(TokenTerm, st.from_regex(r"[A-Za-z0-9\-.%*_+`'~]+", fullmatch=True), st.booleans()),
    st.builds(lambda bounds, negated: NumberTerm(*bounds, negated), BOUNDS, st.booleans()),
)


@given(st.lists(TERMS, min_size=1) | st.text("abc ,!#\\", max_size=5).map(lambda text: [text]))
def test_written_features_read_the_same(terms: list[FeatureTerm | str]) -> None:
    values = [StringTerm(term.replace("\\", "\\\\")) if isinstance(term, str) else term for term in terms]
    assert list(parse_feature(unquote(write_feature(values)))) == values


@pytest.mark.parametrize(
    "make",
    [
        lambda: write_feature([]),
        lambda: write_feature([StringTerm("a"), TokenTerm("b")]),
        lambda: TokenTerm("!a"),
        lambda: StringTerm("<a>"),
        lambda: NumberTerm(None, None),
        lambda: NumberTerm(Decimal("inf"), None),
    ],
)
def test_features_that_could_not_be_read_are_not_made(make: type[str]) -> None:
    with pytest.raises(UsageError):
        make()


def test_a_message_says_what_its_sender_prefers() -> None:
    message = parse_message(  # RFC 3841 8.1 and 9.1
        b"INVITE sip:u@example.com SIP/2.0\r\n"
        b'j: *;actor="msg-taker";video\r\n'
        b"Accept-Contact: *;audio;require, *;video;explicit\r\n"
        b"d: proxy, recurse\r\nRequest-Disposition: parallel\r\n\r\n"
    )
    (reject,) = message.typed_list(RejectContact)
    assert reject.features == {"actor": ("msg-taker",), "video": ()}
    audio, video = message.accept_contacts
    assert (audio.require, audio.explicit) == (True, False)
    assert (video.require, video.explicit) == (False, True)
    assert [value.directive for value in message.typed_list(RequestDisposition)] == [
        Directive.PROXY,
        Directive.RECURSE,
        Directive.PARALLEL,
    ]


@pytest.mark.parametrize(
    ("kind", "text", "octet"),
    [
        (AcceptContact, "", 0),
        (AcceptContact, "*;audio;;", 7),
        (RejectContact, "audio", 0),
        (RequestDisposition, "perhaps", 0),
    ],
)
def test_what_is_wrong_is_told_with_its_octet(kind: type[HeaderType], text: str, octet: int) -> None:
    assert_refused(kind, text, octet)


@given(
    st.builds(AcceptContact, parameters())
    | st.builds(RejectContact, parameters())
    | st.builds(RequestDisposition, st.sampled_from(Directive))
)
def test_what_is_written_reads_the_same(value: HeaderType) -> None:
    assert type(value).parse(str(value)) == value


@given(st.text() | st.text("<>,!#=:.0aT\\") | TOKENS)
def test_no_text_raises_anything_but_our_own_error(text: str) -> None:
    for read in (parse_feature, AcceptContact.parse, RejectContact.parse, RequestDisposition.parse):
        try:
            read(text)
        except SipSyntaxError as error:
            assert 0 <= error.offset <= len(text.encode("utf-8", "surrogatepass"))
