"""MSRP URIs (RFC 4975 6, 6.1 and 9)."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import MsrpSyntaxError, UsageError
from harness.msrp.uri import MsrpUri, new_session_uri, parse_msrp_uri, parse_path

EXAMPLE = "msrp://host.example.com:8493/asfd34;tcp"  # RFC 4975 6


def test_all_parts() -> None:
    uri = parse_msrp_uri("MSRPS://alice@[2001:db8::1]:2855/a/b+c=;TCP;x=1;y")
    assert (uri.scheme, uri.userinfo, uri.host, uri.port) == ("msrps", "alice", "2001:db8::1", 2855)
    assert (uri.session_id, uri.transport, uri.parameters) == ("a/b+c=", "TCP", ";x=1;y")
    assert uri.secure
    assert uri.is_numeric
    assert str(uri) == "MSRPS://alice@[2001:db8::1]:2855/a/b+c=;TCP;x=1;y"


def test_parts_that_may_be_absent() -> None:
    uri = parse_msrp_uri("msrp://relay.example.com;tcp")
    assert (uri.userinfo, uri.port, uri.session_id, uri.parameters) == (None, None, None, "")
    assert not uri.secure
    assert not uri.is_numeric
    assert parse_msrp_uri("msrp://relay.example.com:;tcp").port is None  # RFC 3986 3.2.3


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("", 10),
        ("sip:alice@example.com", 10),
        ("msrp:/host:1/x;tcp", 10),
        ("msrp://;tcp", 17),
        ("msrp://ho st:1/x;tcp", 17),
        ("msrp://[::1/x;tcp", 17),
        ("msrp://[1:2]:1/x;tcp", 18),
        ("msrp://host:x/y;tcp", 17),
        ("msrp://host:65536/y;tcp", 22),
        ("msrp://host:1/;tcp", 23),
        ("msrp://host:1/x", 25),
        ("msrp://host:1/x;", 25),
        ("msrp://host:1/x;t-p", 25),
        ("msrp://host:1/x;tcp;", 29),
        ("msrp://host:1/x;tcp;a=b c", 29),
    ],
)
def test_what_is_no_msrp_uri_is_told_with_its_octet(text: str, offset: int) -> None:
    with pytest.raises(MsrpSyntaxError) as caught:
        parse_msrp_uri(text, 10)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("msrp://host:1/a*b;tcp", 14),
        ("msrp://host:1/a%20b;tcp", 14),
        ("msrp://127.0.0.1/a;tcp", 7),
        ("msrp://a:secret@host:1/a;tcp", 7),
    ],
)
def test_what_breaks_the_letter_is_read_unless_strictness_is_asked(text: str, offset: int) -> None:
    assert str(parse_msrp_uri(text)) == text
    with pytest.raises(MsrpSyntaxError) as caught:
        parse_msrp_uri(text, strict=True)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (EXAMPLE, "MSRP://HOST.example.COM:8493/asfd34;TCP"),  # rules 1, 2 and 5
        (EXAMPLE, "msrp://h%6Fst.example.com:8493/asfd34;tcp"),  # percent-encoded unreserved
        ("msrp://a%2cb:1/x;tcp", "msrp://a%2Cb:1/x;tcp"),
        (EXAMPLE, "msrp://bob:pass@host.example.com:8493/asfd34;tcp"),  # userinfo is not considered
        (EXAMPLE, "msrp://host.example.com:08493/asfd34;tcp"),
        (EXAMPLE, EXAMPLE + ";x=1"),
        ("msrp://[2001:db8::1]:1/x;tcp", "msrp://[2001:0DB8:0:0:0:0:0:1]:1/x;tcp"),
        ("msrp://[::ffff:127.0.0.1]:1/x;tcp", "msrp://[::FFFF:7f00:1]:1/x;tcp"),
        ("msrp://%3127.0.0.1:1/x;tcp", "msrp://127.0.0.1:1/x;tcp"),
    ],
)
def test_the_same_uri_written_in_two_ways(one: str, other: str) -> None:
    assert parse_msrp_uri(one) == parse_msrp_uri(other)
    assert hash(parse_msrp_uri(one)) == hash(parse_msrp_uri(other))


@pytest.mark.parametrize(
    "other",
    [
        "msrps://host.example.com:8493/asfd34;tcp",
        "msrp://host.example.org:8493/asfd34;tcp",
        "msrp://host.example.com.:8493/asfd34;tcp",
        "msrp://host.example.com:8494/asfd34;tcp",
        "msrp://host.example.com/asfd34;tcp",
        "msrp://host.example.com:8493/ASFD34;tcp",
        "msrp://host.example.com:8493/./asfd34;tcp",  # path normalization is not relevant
        "msrp://host.example.com:8493;tcp",
        "msrp://host.example.com:8493/asfd34;sctp",
    ],
)
def test_uris_that_differ(other: str) -> None:
    assert parse_msrp_uri(EXAMPLE) != parse_msrp_uri(other)


def test_no_port_equals_none_not_even_the_registered_one() -> None:
    assert parse_msrp_uri("msrp://a:2855/x;tcp") != parse_msrp_uri("msrp://a/x;tcp")
    assert parse_msrp_uri("msrp://a/x;tcp") == parse_msrp_uri("msrp://A/x;tcp")
    assert parse_msrp_uri("msrp://a/x;tcp") != "msrp://a/x;tcp"


def test_what_shares_a_connection() -> None:
    one, other = parse_msrp_uri("msrp://[::1]:9/x;tcp"), parse_msrp_uri("msrp://[0:0::1]:9/y;tcp")
    assert one != other
    assert one.target == other.target
    assert parse_msrp_uri("msrps://[::1]:9/x;tcp").target != one.target


def test_a_path_of_several_hops() -> None:
    path = parse_path(f"msrp://relay.example.com:2855/r;tcp {EXAMPLE}")
    assert [uri.session_id for uri in path] == ["r", "asfd34"]
    with pytest.raises(MsrpSyntaxError) as caught:
        parse_path(f"{EXAMPLE} x", 9)
    assert caught.value.offset == 9 + len(EXAMPLE) + 1
    for text in ("", f"{EXAMPLE}  {EXAMPLE}", f" {EXAMPLE}"):
        with pytest.raises(MsrpSyntaxError):
            parse_path(text)


def test_a_new_session_has_enough_randomness() -> None:
    made = {str(new_session_uri("::1", 2855, secure=True)) for _ in range(100)}
    assert len(made) == 100
    uri = parse_msrp_uri(made.pop(), strict=True)
    assert (uri.scheme, uri.host, uri.port, len(uri.session_id or "")) == ("msrps", "::1", 2855, 32)
    for host, port in (("a b", 1), ("", 1), ("a", 99999)):
        with pytest.raises(UsageError):
            new_session_uri(host, port)


host = st.sampled_from(["a.example", "192.0.2.1", "2001:db8::1", "A%41", "h"])
session = st.none() | st.text(string.ascii_letters + string.digits + "-._~+=/", min_size=1, max_size=20)


@given(
    st.sampled_from(["msrp", "msrps"]),
    host,
    st.none() | st.integers(0, 65535),
    session,
    st.text(string.ascii_letters + string.digits, min_size=1, max_size=5),
    st.none() | st.sampled_from(["", "alice", "a%20b"]),
    st.sampled_from(["", ";a", ";a=b;c"]),
)
def test_what_is_written_is_read_back(
    scheme, host, port, session_id, transport, userinfo, parameters
) -> None:
    uri = MsrpUri(scheme, host, port, session_id, transport, userinfo, parameters)
    again = parse_msrp_uri(str(uri))
    assert again == uri
    assert (again.userinfo, again.parameters, again.host) == (userinfo, parameters, host)


@given(st.text(max_size=60) | st.text("msrp:/[]@;%1a ", max_size=40).map("msrp://".__add__))
def test_no_text_raises_anything_but_our_own_error(text: str) -> None:
    for strict in (False, True):
        try:
            parse_path(text, strict=strict)
        except MsrpSyntaxError:
            continue
