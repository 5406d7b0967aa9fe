"""Numbers and identities."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cpm.identity import Msisdn, home_domain, imei_urn, impi_of
from harness.errors import UsageError


@pytest.mark.parametrize(
    "text",
    [
        "+491701234567",
        "+49 170 1234567",
        "tel:+49-170-123.45.67",
        "<sip:+491701234567@example.org;user=phone>",
    ],
)
def test_one_number_in_many_forms(text):
    assert Msisdn.parse(text) == Msisdn("491701234567")


def test_a_number_in_its_two_uris():
    number = Msisdn("491701234567")
    assert (number.tel, str(number)) == ("tel:+491701234567", "+491701234567")
    assert number.sip("example.org") == "sip:+491701234567@example.org;user=phone"


def test_a_keyword_argument_that_is_no_number_says_what_is_needed():
    with pytest.raises(ValueError, match=r"needs E\.164, e\.g\. \+491701234567"):
        Msisdn.from_robot("0170")


@given(st.text())
def test_any_text_is_a_number_or_a_usage_error(text):
    with suppress(UsageError):
        assert Msisdn.parse(Msisdn.parse(text).tel) == Msisdn.parse(text)


@pytest.mark.parametrize(
    "imei", ["490154203237518", "49015420323751", "49-015420-323751-8", "4901542032375101"]
)
def test_the_spare_digit_of_an_imei_urn_is_zero(imei):
    assert imei_urn(imei) == "urn:gsma:imei:49015420-323751-0"


@pytest.mark.parametrize(
    "call", [lambda: imei_urn("123"), lambda: home_domain("1", "01"), lambda: impi_of("12x")]
)
def test_what_is_no_identity_is_a_usage_error(call):
    with pytest.raises(UsageError):
        call()


def test_identities_made_of_an_imsi():
    assert home_domain("001", "01") == "ims.mnc001.mcc001.3gppnetwork.org"
    assert impi_of("001010123456789") == "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
    assert impi_of("310410123456789", 3) == "310410123456789@ims.mnc410.mcc310.3gppnetwork.org"
