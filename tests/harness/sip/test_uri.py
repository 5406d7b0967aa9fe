"""URIs of RFC 3261 19.1 and RFC 3966."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SipSyntaxError
from harness.sip.grammar import Parameters
from harness.sip.uri import Uri, parse_uri, unescape


def test_all_parts_of_a_sip_uri() -> None:
    text = "sip:alice;x=1:secret@[2001:db8::1]:5070;transport=tcp;lr?Subject=hi%20there&a="
    uri = parse_uri(text)
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == (
        "sip", "alice;x=1", "secret", "2001:db8::1", 5070,
    )  # fmt: skip
    assert dict(uri.parameters) == {"transport": "tcp", "lr": None}
    assert uri.headers == "Subject=hi%20there&a="
    assert str(uri) == text
    assert "secret" not in repr(Uri("sip", "a", "h", password="secret"))


def test_a_uri_built_of_parts_is_written() -> None:
    uri = Uri("sip", "+4917", "::1", 5060, Parameters([("user", "phone"), ("lr", None)]))
    assert str(uri) == "sip:+4917@[::1]:5060;user=phone;lr"
    assert (
        str(Uri("tel", "+4917", "", None, Parameters({"phone-context": "+49"})))
        == "tel:+4917;phone-context=+49"
    )
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("", 10),
        ("alice@example.com", 10),
        ("sip:", 14),
        ("sip:@example.com", 14),
        ("sip:a b@example.com", 14),
        ("sip:a@b@example.com", 14),
        ("sip:a@", 16),
        ("sip:a@exa mple.com", 16),
        ("sip:a@2001:db8::1", 16),
        ("sip:a@[2001:db8::1", 16),
        ("sip:a@[1:2]", 16),
        ("sip:a@h:65536", 18),
        ("sip:a@h:", 16),
        ("sip:a@h;", 17),
        ("sip:a@h;x=", 17),
        ("sip:a@h?x", 18),
        ("sip:%4@h", 14),
        ("sip:ä@h", 14),
        ("tel:", 14),
        ("tel:+", 14),
        ("tel:abc+1", 14),
        ("tel:+1;=x", 16),
        ("http://a b", 10),
        ("<sip:a@b>", 10),
    ],
)
def test_bad_uris_are_told_with_their_octet(text: str, offset: int) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        parse_uri(text, 10)
    assert caught.value.offset == offset


# RFC 3261 19.1.4, the examples
EQUIVALENT = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
    (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
    ("sip:a@[2001:db8:0::1]", "sip:a@[2001:DB8::1]"),
    ("tel:+1-201-555-0123", "tel:+12015550123"),
    ("tel:+1(201)5550123;isub=12;ext=1-2", "tel:+12015550123;ext=12;isub=12"),
    ("tel:7042;phone-context=Example.COM", "tel:7042;phone-context=example.com"),
    ("urn:service:sos", "urn:service:sos"),
]
DIFFERENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    ("sip:a@h", "sips:a@h"),
    ("sip:a@h", "sip:a@h;user=phone"),
    ("sip:a@h", "sip:h"),
    ("sip:a%40b@h", "sip:ab@h"),
    ("sip:a:x@h", "sip:a@h"),
    ("tel:+12015550123", "tel:2015550123;phone-context=+1"),
    ("tel:+1;ext=1", "tel:+1"),
    ("sip:+1@h;user=phone", "tel:+1"),
]


@pytest.mark.parametrize(("one", "other"), EQUIVALENT)
def test_equivalent_uris(one: str, other: str) -> None:
    assert parse_uri(one).equivalent(parse_uri(other))
    assert parse_uri(other).equivalent(parse_uri(one))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_uris(one: str, other: str) -> None:
    assert not parse_uri(one).equivalent(parse_uri(other))
    assert not parse_uri(other).equivalent(parse_uri(one))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("tel:+49-170-123(45)67", "+491701234567"),
        ("sip:+491701234567@ims.example.org;user=phone", "+491701234567"),
        ("sip:+49170;phone-context=x@h", "+49170"),
        ("sip:%2B49170@h", "+49170"),
        ("tel:0170;phone-context=+49", None),
        ("sip:alice@h", None),
        ("sip:h", None),
        ("sip:+1234567890123456@h", None),
        ("urn:service:sos", None),
    ],
)
def test_number(text: str, number: str | None) -> None:
    assert parse_uri(text).number == number


def test_unescape() -> None:
    assert unescape("%C3%A4%") == "ä%"
    assert unescape("%ff") == "\\xff"


_USERS = st.none() | st.text(alphabet="abcXY09-_.!~*'()&=+$,;?/", min_size=1)
_HOSTS = st.sampled_from(["example.com", "192.0.2.1", "::1", "2001:db8::7"])
_PAIRS = st.lists(
    st.tuples(
        st.text(alphabet="abc09-_[]/&+$", min_size=1), st.none() | st.text(alphabet="abc:09.", min_size=1)
    )
)


@given(st.sampled_from(["sip", "sips"]), _USERS, _HOSTS, st.none() | st.integers(0, 65535), _PAIRS)
def test_written_uris_read_the_same(
    scheme: str, user: str | None, host: str, port: int | None, pairs: list[tuple[str, str | None]]
) -> None:
    uri = Uri(scheme, user, host, port, Parameters(pairs))
    assert parse_uri(str(uri)) == uri
    assert uri.equivalent(uri) or uri.parameters.duplicates


@given(st.text() | st.text(alphabet="sip:tel+@[]:;=?&%.12af<>").map("sip:".__add__))
def test_nothing_but_a_syntax_error_comes_of_any_text(text: str) -> None:
    try:
        uri = parse_uri(text)
    except SipSyntaxError:
        return
    assert parse_uri(str(uri)) == uri
    assert uri.number is None or uri.number.startswith("+")
