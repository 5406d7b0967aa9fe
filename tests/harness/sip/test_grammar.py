"""Tokens, quoted strings, parameters and comma lists of RFC 3261 25.1."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SipSyntaxError
from harness.sip.grammar import (
    Parameters,
    is_token,
    list_elements,
    parse_number,
    parse_parameters,
    quote,
    split_list,
    unquote,
)


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        ("", []),
        ("a", ["a"]),
        ("a, b ,c", ["a", "b", "c"]),
        (",a,,b,", ["a", "b"]),
        ('"x, \\" y" <sip:a@b;c,d>, <sip:e,f>;q="1,2"', ['"x, \\" y" <sip:a@b;c,d>', '<sip:e,f>;q="1,2"']),
        ('a, "unclosed, b', ["a", '"unclosed, b']),
        ("a, <unclosed, b", ["a", "<unclosed, b"]),
    ],
)
def test_commas_separate_outside_quotes_and_brackets(value: str, elements: list[str]) -> None:
    assert split_list(value) == elements


def test_list_elements_tell_where_each_starts() -> None:
    assert list_elements(' a,  "b,c" ,,d') == [(1, "a"), (5, '"b,c"'), (12, ""), (13, "d")]


@given(st.text())
def test_quote_and_unquote_are_inverse(text: str) -> None:
    assert unquote(quote(text)) == text


@given(st.lists(st.text(alphabet=st.characters(exclude_characters='",<>\\ \t'), min_size=1)))
def test_a_joined_list_splits_again(elements: list[str]) -> None:
    assert split_list(", ".join(elements)) == elements


def test_parameters_are_read_in_order_without_case() -> None:
    parameters = parse_parameters(' ; Tag = x1;lr ;+sip.instance="<urn:a;b>";v6=[2001:db8::1]')
    assert list(parameters) == ["tag", "lr", "+sip.instance", "v6"]
    assert parameters["TAG"] == "x1"
    assert parameters["lr"] is None
    assert "LR" in parameters
    assert "missing" not in parameters
    assert parameters.get("missing") is None
    assert parameters["+SIP.instance"] == "<urn:a;b>"
    assert parameters.raw("+sip.instance") == '"<urn:a;b>"'
    assert str(parameters) == ';Tag=x1;lr;+sip.instance="<urn:a;b>";v6=[2001:db8::1]'


def test_copies_with_one_parameter_changed() -> None:
    parameters = parse_parameters(";rport;branch=a;rport=2")
    assert parameters.duplicates == ("rport",)
    assert str(parameters.replaced("RPORT", "5060")) == ";rport=5060;branch=a"
    assert str(parameters.replaced("received", "::1")) == ";rport;branch=a;rport=2;received=::1"
    assert str(parameters.without("rport")) == ";branch=a"
    assert Parameters({"A": "b"}) == Parameters([("a", "b")])
    assert hash(Parameters({"A": "b"})) == hash(Parameters([("a", "b")]))


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        (";;", 100),
        (";a;", 102),
        (";a=", 100),
        (';a="x', 100),
        (";a b", 100),
        (";ä=1", 100),
        (";a;ö", 102),
        ("a;=b", 101),
    ],
)
def test_bad_parameters_are_told_with_their_octet(text: str, offset: int) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        parse_parameters(text, 100)
    assert caught.value.offset == offset


def test_offsets_count_octets_not_characters() -> None:
    with pytest.raises(SipSyntaxError) as caught:
        parse_parameters(';a="ää";;')
    assert caught.value.offset == 9


_NAMES = st.text(alphabet="abcXYZ019-.+_", min_size=1)
_VALUES = st.none() | st.text(alphabet="abc019-.:[]/%", min_size=1) | st.text().map(quote)


@given(st.lists(st.tuples(_NAMES, _VALUES)))
def test_written_parameters_read_the_same(pairs: list[tuple[str, str | None]]) -> None:
    parameters = Parameters(pairs)
    assert parse_parameters(str(parameters)) == parameters


@given(st.text())
def test_parameters_of_any_text(text: str) -> None:
    with suppress(SipSyntaxError):
        parse_parameters(text)


def test_numbers_are_ascii_digits_within_their_limit() -> None:
    assert parse_number("0068", "x", 0, "") == 68
    for bad in ("", "-1", "+1", "1.0", "²", "٣", " 1", "4294967296", "9" * 5000):
        with pytest.raises(SipSyntaxError):
            parse_number(bad, "x", 0, "")


def test_tokens() -> None:
    assert is_token("a-.!%*_+`'~9")
    assert not is_token("")
    assert not is_token("a b")
    assert not is_token("ä")


def test_names_given_twice_are_told_once_in_order() -> None:
    assert parse_parameters(";b;a=1;B;A=2;a;c").duplicates == ("b", "a")
    assert parse_parameters(";a;b").duplicates == ()
