"""Secrets are masked octet for octet; all else stays as it came."""

from __future__ import annotations

import pytest

from harness.verify.masking import masked, masked_text

DIGEST = (
    b'Digest username="a", realm="r", nonce="bm9uY2U=", uri="sip:x", '
    b'response="6629fae49393a05397450978507c4ef1", algorithm=AKAv1-MD5'
)


@pytest.mark.parametrize(
    ("octets", "secret"),
    [
        (b"Authorization: " + DIGEST, b"6629fae49393a05397450978507c4ef1"),
        (b"Proxy-Authorization : " + DIGEST, b"6629fae49393a05397450978507c4ef1"),
        (b"AUTHORIZATION: Digest a=1,\r\n response = abcdef0123456789", b"abcdef0123456789"),
        (b'Authorization: Digest auts="5PYxMuX2NOT2NeQ=", response=""', b"5PYxMuX2NOT2NeQ="),
        (b"Authorization: Basic dXNlcjpwYXNz", b"dXNlcjpwYXNz"),
        (b"Authorization: Bearer abc.def.ghi", b"abc.def.ghi"),
        (b'Authentication-Info: rspauth="0123456789abcdef"', b"0123456789abcdef"),
        (b'WWW-Authenticate: Digest nonce="n", ck="00112233", ik="44556677"', b"44556677"),
        (b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj", b"d0RmdmcmV"),
        (b"k=clear:geheim", b"geheim"),
    ],
)
def test_a_secret_becomes_as_many_asterisks(octets, secret):
    message = b"REGISTER sip:x SIP/2.0\r\n" + octets + b"\r\nContent-Length: 0\r\n\r\n"
    found = masked(message)
    assert secret not in found and b"*" * len(secret) in found
    assert len(found) == len(message)
    changed = [place for place, (old, new) in enumerate(zip(message, found, strict=True)) if old != new]
    assert all(found[place : place + 1] == b"*" for place in changed)


@pytest.mark.parametrize(
    "octets",
    [
        b'MESSAGE sip:x SIP/2.0\r\nX-Note: response="not a secret"\r\n\r\nresponse=abcdef0123456789',
        b'WWW-Authenticate: Digest nonce="abc", realm="response"\r\n',
        b"SIP/2.0 200 OK\r\nCall-ID: k=1\r\n\r\n",
    ],
)
def test_what_is_no_secret_stays(octets):
    assert masked(octets) == octets


def test_what_a_rule_quotes_is_masked_too():
    assert masked_text('Digest response="6629fae49393a05397450978507c4ef1"') == (
        'Digest response="********************************"'
    )
    assert masked_text("a response = late") == "a response = late"
