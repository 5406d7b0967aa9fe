"""Digest authentication against the examples of RFC 2617 3.5 and RFC 7616 3.9."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SipSyntaxError
from harness.sip.digest import (
    answer_challenge,
    build_challenge,
    digest_response,
    first_supported,
    response_auth,
    verify_credentials,
)
from harness.sip.headers import Challenge, Credentials

RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_examples(algorithm: str, response: str) -> None:
    challenge = Challenge.parse(RFC_7616.format(algorithm))
    value = answer_challenge(challenge, "GET", "/dir/index.html", "Mufasa", b"Circle of Life", cnonce=CNONCE)
    assert value == (
        'Digest username="Mufasa", realm="http-auth@example.org", '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", uri="/dir/index.html", '
        f'response="{response}", algorithm={algorithm}, qop=auth, nc=00000001, cnonce="{CNONCE}", '
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    credentials = Credentials.parse(value)
    assert verify_credentials(credentials, "GET", b"Circle of Life", uri="/dir/index.html")
    assert not verify_credentials(credentials, "POST", b"Circle of Life")
    assert not verify_credentials(credentials, "GET", b"Circle Of Life")
    assert not verify_credentials(credentials, "GET", b"Circle of Life", uri="/other")
    assert not verify_credentials(credentials, "GET", b"Circle of Life", nonce="other")
    assert not verify_credentials(credentials, "GET", b"Circle of Life", realm="other")


RFC_2617 = ("Mufasa", "testrealm@host.com", b"Circle Of Life", "GET", "/dir/index.html")
NONCE_2617 = "dcd98b7102dd2f0e8b11d0f600bfb0c093"


def test_rfc_2617_example() -> None:
    response = digest_response("MD5", *RFC_2617, NONCE_2617, qop="auth", nc="00000001", cnonce="0a4f113b")
    assert response == "6629fae49393a05397450978507c4ef1"


def test_without_qop_the_old_form_is_used() -> None:
    assert digest_response("MD5", *RFC_2617, NONCE_2617) == "670fd8c2df070c60b045671b8b24ff02"
    value = answer_challenge(build_challenge("r", "n", qop=()), "REGISTER", "sip:r", "u", b"p")
    assert "qop" not in value
    assert "cnonce" not in value
    assert verify_credentials(Credentials.parse(value), "REGISTER", b"p")


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_auth_int_covers_the_body() -> None:
    challenge = build_challenge("r", "n", qop=("auth-int",))
    value = answer_challenge(challenge, "MESSAGE", "sip:b@r", "u", b"p", b"hello", cnonce="c", nc=10)
    secret, request = md5("u:r:p"), md5(f"MESSAGE:sip:b@r:{md5('hello')}")
    expected = md5(f"{secret}:n:0000000a:c:auth-int:{request}")
    credentials = Credentials.parse(value)
    assert credentials.parameters["response"] == expected
    assert credentials.parameters["qop"] == "auth-int"
    assert verify_credentials(credentials, "MESSAGE", b"p", b"hello")
    assert not verify_credentials(credentials, "MESSAGE", b"p", b"hallo")


def test_rspauth_leaves_the_method_out() -> None:
    value = answer_challenge(build_challenge("r", "n"), "REGISTER", "sip:r", "u", b"p", cnonce="c")
    expected = md5(f"{md5('u:r:p')}:n:00000001:c:auth:{md5(':sip:r')}")
    assert response_auth(Credentials.parse(value), b"p") == expected


def test_challenges() -> None:
    challenge = build_challenge(
        'a "b"', "n=", algorithm="SHA-256", qop=("auth", "auth-int"), opaque="o", stale=True
    )
    assert str(challenge) == (
        'Digest realm="a \\"b\\"", nonce="n=", algorithm=SHA-256, qop="auth,auth-int", opaque="o", stale=true'
    )


def test_the_topmost_supported_challenge_is_chosen() -> None:
    values = ['Basic realm="r"', 'Digest realm="r", nonce="n", algorithm=NEW', RFC_7616.format("SHA-512-256")]
    challenges = [Challenge.parse(value) for value in [*values, RFC_7616.format("MD5")]]
    assert first_supported(challenges) is challenges[2]
    assert first_supported(challenges[:2]) is None


def test_akav2_goes_before_akav1_wherever_it_stands() -> None:
    """RFC 4169 4.1."""
    rows = [Challenge.parse(RFC_7616.format(name)) for name in ("AKAv1-MD5", "AKAv2-MD5", "MD5")]
    assert first_supported(rows) is rows[1]
    assert first_supported(rows[::-1]) is rows[2]


def test_passwords_are_octets() -> None:
    password = bytes(range(256))
    value = answer_challenge(build_challenge("r", "n"), "REGISTER", "sip:r", "u", password)
    assert verify_credentials(Credentials.parse(value), "REGISTER", password)


def test_cnonces_differ() -> None:
    answers = {answer_challenge(build_challenge("r", "n"), "REGISTER", "sip:r", "u", b"p") for _ in range(5)}
    assert len(answers) == 5


@pytest.mark.parametrize(
    "challenge",
    [
        "Digest",
        'Digest realm="r"',
        'Digest nonce="n"',
        'Digest realm="r", nonce="n", algorithm=X',
        'Digest realm="r", nonce="n", qop="other"',
    ],
)
def test_challenges_that_cannot_be_answered(challenge: str) -> None:
    with pytest.raises(SipSyntaxError):
        answer_challenge(Challenge.parse(challenge), "REGISTER", "sip:r", "u", b"p")


@pytest.mark.parametrize(
    "credentials",
    [
        'Digest username="u", realm="r", nonce="", uri="sip:r", response=""',
        'Digest username="u", realm="r", uri="sip:r", response="x"',
        'Digest username="u", realm="r", nonce="n", uri="sip:r"',
        'Digest username="u", realm="r", nonce="n", uri="sip:r", response="ä"',
        'Digest username="u", realm="r", nonce="n", uri="sip:r", response="x", algorithm=X',
        'Digest username="u", realm="r", nonce="n", uri="sip:r", response="x", qop=other',
        "Basic QWxhZGRpbg==",
    ],
)
def test_credentials_that_prove_nothing(credentials: str) -> None:
    try:
        parsed = Credentials.parse(credentials)
    except SipSyntaxError:
        assert credentials.startswith("Basic")
        return
    assert not verify_credentials(parsed, "REGISTER", b"p")


def test_another_algorithm_than_asked_is_refused() -> None:
    value = answer_challenge(build_challenge("r", "n", algorithm="MD5"), "REGISTER", "sip:r", "u", b"p")
    assert not verify_credentials(Credentials.parse(value), "REGISTER", b"p", algorithm="SHA-256")
    assert verify_credentials(Credentials.parse(value), "REGISTER", b"p", algorithm="md5")


@given(st.text(), st.text(), st.binary(), st.binary())
def test_what_is_answered_is_verified(username: str, realm: str, password: bytes, body: bytes) -> None:
    challenge = Challenge.parse(str(build_challenge(realm, "n", qop=("auth-int",))))
    value = answer_challenge(challenge, "MESSAGE", "sip:b@h", username, password, body)
    assert verify_credentials(Credentials.parse(value), "MESSAGE", password, body, realm=realm)
    assert not verify_credentials(Credentials.parse(value), "MESSAGE", password + b"x", body)
