"""Typed header values: read, asked, written back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SipSyntaxError
from harness.sip.grammar import Parameters, quote
from harness.sip.headers import (
    COMPACT_FORMS,
    KNOWN_HEADERS,
    SINGLE_HEADERS,
    Challenge,
    Credentials,
    CSeq,
    MediaType,
    NameAddr,
    Via,
    canonical_name,
    parse_date,
)
from harness.sip.uri import Uri

# RFC 3261 7.3.3, 3515, 3841, 3892, 4028, 6665
LONG_FORMS = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition",
    "e": "Content-Encoding", "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported",
    "l": "Content-Length", "m": "Contact", "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To",
    "u": "Allow-Events", "v": "Via", "x": "Session-Expires",
}  # fmt: skip


@pytest.mark.parametrize(("short", "long"), list(LONG_FORMS.items()))
def test_compact_forms(short: str, long: str) -> None:
    assert canonical_name(short) == canonical_name(short.upper()) == long


def test_names_get_their_registered_capitalisation() -> None:
    assert canonical_name("CALL-id") == "Call-ID"
    assert canonical_name("www-authenticate") == "WWW-Authenticate"
    assert canonical_name("conversation-id") == "Conversation-ID"
    assert canonical_name("X-Own") == "X-Own"
    assert set(COMPACT_FORMS.values()) | SINGLE_HEADERS <= KNOWN_HEADERS


def test_via() -> None:
    via = Via.parse("SIP / 2.0 / TCP [2001:db8::1] : 5070 ;branch=z9hG4bKx;rport=1234;received=[::1]")
    assert (via.protocol, via.transport, via.host, via.port) == ("SIP/2.0", "TCP", "2001:db8::1", 5070)
    assert (via.branch, via.rport, via.wants_rport, via.received) == ("z9hG4bKx", 1234, True, "::1")
    assert str(via) == "SIP/2.0/TCP [2001:db8::1]:5070;branch=z9hG4bKx;rport=1234;received=[::1]"
    filled = Via.parse("SIP/2.0/UDP h;rport;branch=a").with_parameter("rport", "9")
    assert str(filled) == "SIP/2.0/UDP h;rport=9;branch=a"
    assert Via.parse("SIP/2.0/UDP h").branch is None


@pytest.mark.parametrize(
    "text", ["", "SIP/2.0/UDP", "SIP/2.0 h", "SIP/2.0/UDP h:99999", "SIP/2.0/UDP h;", "SIP/2.0/UDP ::1"]
)
def test_bad_vias(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        Via.parse(text)


@pytest.mark.parametrize(
    ("text", "display", "user", "tag", "written"),
    [
        ("<sip:a@h>;tag=1", None, "a", "1", "<sip:a@h>;tag=1"),
        ("sip:a@h;tag=1", None, "a", "1", "sip:a@h;tag=1"),
        ("sip:a@h ; tag = 1", None, "a", "1", "sip:a@h;tag=1"),
        ("<sip:a@h;lr?x=y>", None, "a", None, "<sip:a@h;lr?x=y>"),
        ("Bob B. <sip:a@h>", "Bob B.", "a", None, '"Bob B." <sip:a@h>'),
        ('"B, \\"b\\" \\\\"   <sip:a@h> ;tag=x', 'B, "b" \\', "a", "x", '"B, \\"b\\" \\\\" <sip:a@h>;tag=x'),
        ('"" <sip:a@h>', "", "a", None, '"" <sip:a@h>'),
        ('"Ünï" <tel:+1>', "Ünï", "+1", None, '"Ünï" <tel:+1>'),
        ('sip:a@h;x="<y>"', None, "a", None, 'sip:a@h;x="<y>"'),
    ],
)
def test_name_addr(text: str, display: str | None, user: str, tag: str | None, written: str) -> None:
    value = NameAddr.parse(text)
    assert (value.display, value.uri.user, value.tag) == (display, user, tag)
    assert str(value) == written
    assert NameAddr.parse(written) == value


def test_a_bare_addr_spec_keeps_its_parameters_as_header_parameters() -> None:
    value = NameAddr.parse("sip:a@h;lr;expires=5")
    assert not value.uri.parameters
    assert list(value.parameters) == ["lr", "expires"]
    assert str(value) == "sip:a@h;lr;expires=5"


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("", 50),
        ("Bob", 50),
        ("<sip:a@h", 50),
        ('"Bob <sip:a@h>', 50),
        ('"Bob" sip:a@h', 56),
        ("<sip:a@h>x", 59),
        ("<sip:a@>", 57),
        ("<sip:a@h>;", 59),
        ("sip:a@h,b", 57),
        ("sip:a@h?x=y", 57),
        ('"Ü" <sip:a b@h>', 60),
        ("B@b <sip:a@h>", 50),
    ],
)
def test_bad_name_addrs_are_told_with_their_octet(text: str, offset: int) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        NameAddr.parse(text, 50)
    assert caught.value.offset == offset


def test_cseq() -> None:
    assert CSeq.parse("0009   INVITE") == CSeq(9, "INVITE")
    assert CSeq.parse("1\tX") == CSeq(1, "X")
    assert str(CSeq(7, "MESSAGE")) == "7 MESSAGE"
    for bad in ("", "1", "INVITE", "-1 A", "1 A B", "2147483648 A"):
        with pytest.raises(SipSyntaxError):
            CSeq.parse(bad)


def test_media_type() -> None:
    media = MediaType.parse('Multipart / Mixed ; Boundary="a;b"')
    assert (media.essence, media.parameters["boundary"]) == ("multipart/mixed", "a;b")
    assert str(media) == 'Multipart/Mixed;Boundary="a;b"'
    for bad in ("", "text", "text/", "text/plain;charset=", "text/plain x"):
        with pytest.raises(SipSyntaxError):
            MediaType.parse(bad)


def test_challenge_and_credentials() -> None:
    text = 'Digest realm="a, \\"b\\"", nonce="n=", algorithm=AKAv1-MD5, qop="auth,auth-int"'
    challenge = Challenge.parse(text)
    assert challenge.scheme == "Digest"
    assert challenge.parameters["realm"] == 'a, "b"'
    assert challenge.parameters["qop"] == "auth,auth-int"
    assert str(challenge) == text
    credentials = Credentials.parse('Digest username="u",response="5ec4e7"')
    assert isinstance(credentials, Credentials)
    assert "5ec4e7" not in repr(credentials)
    assert str(Challenge.parse("Negotiate")) == "Negotiate"
    for bad in ("", "Digest a", "Digest a=", 'Digest a="b', "Digest a=b,,c=d", "Digest a=b c=d"):
        with pytest.raises(SipSyntaxError):
            Challenge.parse(bad)


def test_date() -> None:
    assert parse_date("Sat, 13 Nov 2010 23:29:00 GMT") == datetime(2010, 11, 13, 23, 29, tzinfo=UTC)
    for bad in ("Sat, 13 Nov 2010 23:29:00 UTC", "13 Nov 2010 23:29:00 GMT", "Sat, 31 Feb 2010 23:29:00 GMT"):
        with pytest.raises(SipSyntaxError):
            parse_date(bad)


_TOKENS = st.text(alphabet="abcXYZ09-.!%*_+`'~", min_size=1)
_PARAMETERS = st.lists(st.tuples(_TOKENS, st.none() | _TOKENS | st.text().map(quote))).map(Parameters)
_HOSTS = st.sampled_from(["h.example", "192.0.2.1", "::1"])
_PORTS = st.none() | st.integers(0, 65535)


@given(st.builds(Via, _TOKENS.map("SIP/".__add__), _TOKENS, _HOSTS, _PORTS, _PARAMETERS))
def test_written_vias_read_the_same(via: Via) -> None:
    assert Via.parse(str(via)) == via


@given(st.none() | st.text(), _HOSTS, _PARAMETERS)
def test_written_name_addrs_read_the_same(display: str | None, host: str, parameters: Parameters) -> None:
    value = NameAddr(display, Uri("sip", "a", host), parameters)
    assert NameAddr.parse(str(value)) == value


@given(st.builds(MediaType, _TOKENS, _TOKENS, _PARAMETERS))
def test_written_media_types_read_the_same(media: MediaType) -> None:
    assert MediaType.parse(str(media)) == media


_AUTH = st.lists(st.tuples(_TOKENS, _TOKENS | st.text().map(quote))).map(Parameters)


@given(st.builds(Challenge, _TOKENS, _AUTH))
def test_written_challenges_read_the_same(challenge: Challenge) -> None:
    assert Challenge.parse(str(challenge)) == challenge


@given(st.text() | st.text(alphabet='ab "<>;,=\\:@/.1*[]'))
def test_nothing_but_a_syntax_error_comes_of_any_text(text: str) -> None:
    for read in (
        Via.parse, NameAddr.parse, CSeq.parse, MediaType.parse, Challenge.parse, parse_date,
    ):  # fmt: skip
        try:
            read(text)
        except SipSyntaxError as error:
            assert 0 <= error.offset <= len(text.encode("utf-8", "surrogatepass"))
