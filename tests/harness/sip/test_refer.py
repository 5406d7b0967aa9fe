"""What a REFER asks for, and the request that follows it (RFC 3515, 4488, 3892)."""

from __future__ import annotations

import pytest

from harness.errors import SipSyntaxError
from harness.sip.event_headers import ReferTo
from harness.sip.message import Request, parse_message
from harness.sip.refer import Referral


def refer(*lines: str) -> Request:
    message = parse_message("\r\n".join(("REFER sip:b@h SIP/2.0", *lines, "", "")).encode())
    assert isinstance(message, Request)
    return message


def test_a_refer_says_what_to_send_where() -> None:
    referral = Referral.of(refer("Refer-To: <sip:carol@cleveland.example.org;method=SUBSCRIBE;x=1>"))
    assert (referral.method, referral.uri) == ("SUBSCRIBE", "sip:carol@cleveland.example.org;x=1")
    assert (referral.headers, referral.body, referral.subscribe) == ((), b"", True)


def test_an_invite_is_meant_where_nothing_is_said() -> None:
    assert Referral.of(refer("r: sip:alice@atlanta.example.com")).method == "INVITE"


def test_a_tel_uri_is_taken_as_it_is() -> None:
    assert Referral.of(refer("r: <tel:+4915112345678>")).uri == "tel:+4915112345678"


def test_header_fields_of_the_uri_are_honoured_but_for_the_dangerous() -> None:
    referral = Referral.of(
        refer(
            "Refer-To: <sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3B"
            "from-tag%3D5FFE-3994&Subject=a%20b&From=sip:evil%40h&call-id=x&Via=y&Route=z&body=hi>",
            'b: "R" <sip:r@ref.example>;cid="2UWQFN309shb3@ref.example"',
        )
    )
    assert referral.uri == "sip:dave@denver.example.org"
    assert referral.headers == (
        ("Replaces", "12345@192.168.118.3;to-tag=12345;from-tag=5FFE-3994"),
        ("Subject", "a b"),
        ("Referred-By", '"R" <sip:r@ref.example>;cid="2UWQFN309shb3@ref.example"'),
    )
    assert referral.body == b"hi"


def test_a_refer_may_ask_for_no_subscription() -> None:
    assert not Referral.of(refer("Refer-To: <sip:c@h>", "Refer-Sub: false")).subscribe
    assert Referral.of(refer("Refer-To: <sip:c@h>", "Refer-Sub: true")).subscribe


@pytest.mark.parametrize(
    ("lines", "octet"),
    [
        ((), 25),
        (("Refer-To: <sip:c@h>", "Refer-To: <sip:d@h>"), 54),
        (("Refer-To: <sip:c@h>, <sip:d@h>",), 42),
        (("Refer-To: nobody",), 33),
        (("Refer-To: <sip:c@h>", "Referred-By: <sip:>"), 62),
        (("Refer-To: <sip:c@h>", "Refer-Sub: perhaps"), 55),
    ],
)
def test_exactly_one_target_is_needed(lines: tuple[str, ...], octet: int) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        Referral.of(refer(*lines))
    assert caught.value.offset == octet, str(caught.value)


def test_a_refer_of_ours_says_so() -> None:
    target = ReferTo.parse("<sip:c@example.com;method=INVITE>")
    assert Referral(target).rows == (("Refer-To", "<sip:c@example.com;method=INVITE>"),)
    assert Referral(target, "<sip:a@h>", subscribe=False).rows == (  # RFC 4488 6
        ("Refer-To", "<sip:c@example.com;method=INVITE>"),
        ("Referred-By", "<sip:a@h>"),
        ("Refer-Sub", "false"),
        ("Supported", "norefersub"),
    )
