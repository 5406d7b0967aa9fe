"""RFC 3329: the headers of the examples (section 4) and of 3GPP, and what is none."""

from __future__ import annotations

import pytest

from harness.errors import SipSyntaxError, UsageError
from harness.sip.grammar import Parameters
from harness.sip.message import parse_message
from harness.sip.security_agreement import (
    SecurityClient,
    SecurityMechanism,
    SecurityServer,
    SecurityVerify,
    chosen,
    mirrored,
    preferences_clash,
)

OPTIONS = parse_message(
    b"OPTIONS sip:proxy.example.com SIP/2.0\r\nSecurity-Client: tls\r\nSecurity-Client: digest\r\n"
    b"Require: sec-agree\r\nProxy-Require: sec-agree\r\n\r\n"
)
REFUSED = parse_message(
    b"SIP/2.0 494 Security Agreement Required\r\nSecurity-Server: ipsec-ike;q=0.1\r\n"
    b"Security-Server: tls;q=0.2\r\n\r\n"
)
INVITE = parse_message(
    b"INVITE sip:proxy.example.com SIP/2.0\r\nSecurity-Verify: ipsec-ike;q=0.1\r\n"
    b"Security-Verify: tls;q=0.2\r\nRoute: sip:callee@domain.com\r\n\r\n"
)
# TS 24.229 style: the handset's offer of IPsec
IPSEC = (
    "ipsec-3gpp; alg=hmac-sha-1-96; ealg=aes-cbc; prot=esp; mod=trans; spi-c=4096; spi-s=4097; "
    "port-c=1357; port-s=1359"
)


def test_the_example_of_section_4_1_is_read() -> None:
    assert [each.name for each in OPTIONS.typed_list(SecurityClient)] == ["tls", "digest"]
    server = REFUSED.typed_list(SecurityServer)
    assert [(each.name, each.preference) for each in server] == [("ipsec-ike", 0.1), ("tls", 0.2)]
    assert chosen(server, {"tls", "digest"}).name == "tls"
    assert mirrored(INVITE.typed_list(SecurityVerify), server)


def test_of_several_known_the_most_preferred_is_chosen() -> None:
    server = [SecurityServer.parse(text) for text in ("tls;q=0.2", "ipsec-ike;q=0.3", "digest;q=0.1")]
    assert chosen(server, {"tls", "digest"}).name == "tls"
    assert chosen(server, {"tls", "ipsec-ike"}).name == "ipsec-ike"
    assert chosen(server, {"ipsec-man"}) is None


def test_the_parameters_of_3gpp_are_read_and_written() -> None:
    mechanism = SecurityClient.parse(IPSEC)
    assert mechanism.name == "ipsec-3gpp"
    assert mechanism.parameters["spi-s"] == "4097" and mechanism.parameters["port-c"] == "1357"
    assert str(mechanism) == IPSEC.replace("; ", ";")
    assert SecurityClient.parse(str(mechanism)) == mechanism


@pytest.mark.parametrize(
    ("verify", "same"),
    [
        (["tls;q=0.2", "digest;d-alg=MD5;q=0.1"], True),
        (["TLS ; q=0.2", "digest; q=0.1 ;d-alg=md5"], True),
        (["tls;q=0.2", 'digest;d-alg=MD5;q=0.1;d-ver="0123456789abcdef0123456789abcdef"'], True),
        (["digest;d-alg=MD5;q=0.1", "tls;q=0.2"], False),
        (["tls;q=0.2"], False),
        (["tls;q=0.1", "digest;d-alg=MD5;q=0.1"], False),
        (["tls;q=0.2", "digest;q=0.1"], False),
        ([], False),
    ],
)
def test_a_list_is_mirrored_in_order_with_the_same_values(verify: list[str], same: bool) -> None:
    server = [SecurityServer.parse(text) for text in ("tls;q=0.2", "digest;d-alg=MD5;q=0.1")]
    assert mirrored([SecurityVerify.parse(text) for text in verify], server) is same


@pytest.mark.parametrize(
    ("texts", "clash"),
    [
        (["tls"], False),
        (["tls;q=0.1", "digest;q=0.2"], False),
        (["tls;q=0.1", "digest;q=0.10"], True),
        (["tls", "digest"], True),
    ],
)
def test_two_mechanisms_must_not_be_preferred_alike(texts: list[str], clash: bool) -> None:
    assert preferences_clash([SecurityServer.parse(text) for text in texts]) is clash


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("", 0),
        (";q=0.1", 0),
        ("tls q=0.1", 4),
        ("tls;q=2", 6),
        ("tls;q=0.1234", 6),
        ("tls;q", 4),
        ("digest;d-ver=abc", 13),
        ('digest;d-ver="0123456789ABCDEF0123456789ABCDEF"', 13),
    ],
)
def test_what_is_no_mechanism_is_told_with_its_place(text: str, offset: int) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        SecurityServer.parse(text, 100)
    assert (caught.value.what, caught.value.clause) == ("Security-Server", "RFC 3329 2.2")
    assert caught.value.offset == 100 + offset


def test_nothing_is_written_that_cannot_be_read() -> None:
    with pytest.raises(UsageError):
        SecurityMechanism("two words")
    written = SecurityServer("tls", Parameters([("q", "0.5")]))
    assert str(written) == "tls;q=0.5" and SecurityServer.parse(str(written)) == written
