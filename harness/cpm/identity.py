"""Identities of a handset and its subscription: MSISDN, IMPU, IMEI URN, home domain.

TS 23.003 (numbers and domain names), RFC 7254 (IMEI URN), RFC 3966 (tel URI).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.errors import UsageError

_SEPARATORS = re.compile(r"[\s().-]")
_E164 = re.compile(r"\+[1-9]\d{4,14}")


@dataclass(frozen=True, slots=True)
class Msisdn:
    """A number in E.164 form. `digits` leaves out the plus sign."""

    digits: str

    def __post_init__(self) -> None:
        if not _E164.fullmatch(f"+{self.digits}"):
            raise UsageError(f"{self.digits!r} is no E.164 number: needs 5 to 15 digits, first not 0")

    @classmethod
    def parse(cls, text: str) -> Msisdn:
        """Read "+49 170 1234567", "tel:+49-170-1234567" or "sip:+491701234567@host"; UsageError otherwise."""
        bare = text.strip().strip("<>")
        scheme, colon, rest = bare.partition(":")
        if colon and scheme.lower() in ("tel", "sip", "sips"):
            bare = re.split("[;@?]", rest)[0]
        number = _SEPARATORS.sub("", bare)
        if not _E164.fullmatch(number):
            raise UsageError(f"{text!r} is no E.164 number, e.g. +491701234567")
        return cls(number[1:])

    @classmethod
    def from_robot(cls, value: str) -> Msisdn:
        """The same for a keyword argument: ValueError, which Robot shows beside the argument's name."""
        try:
            return cls.parse(value)
        except UsageError:
            raise ValueError("needs E.164, e.g. +491701234567") from None

    @property
    def tel(self) -> str:
        """`tel:+491701234567`."""
        return f"tel:+{self.digits}"

    def sip(self, domain: str) -> str:
        """`sip:+491701234567@domain;user=phone` (RFC 3261 19.1.1)."""
        return f"sip:+{self.digits}@{domain};user=phone"

    def __str__(self) -> str:
        return f"+{self.digits}"


def imei_urn(imei: str) -> str:
    """`urn:gsma:imei:TAC-SNR-spare` of a 14 or 15 digit IMEI (or a 16 digit IMEISV).

    The spare digit is always 0: neither check digit nor software version is sent (RFC 7254 4.2.3).
    """
    digits = _SEPARATORS.sub("", imei)
    if not re.fullmatch(r"\d{14,16}", digits):
        raise UsageError(f"{imei!r} is no IMEI: needs 14 to 16 digits")
    return f"urn:gsma:imei:{digits[:8]}-{digits[8:14]}-0"


def home_domain(mcc: str, mnc: str) -> str:
    """`ims.mncXXX.mccXXX.3gppnetwork.org`, a two-digit MNC padded with a zero (TS 23.003 13.2)."""
    if not (re.fullmatch(r"\d{3}", mcc) and re.fullmatch(r"\d{2,3}", mnc)):
        raise UsageError(f"MCC {mcc!r} and MNC {mnc!r} need three, and two or three, digits")
    return f"ims.mnc{mnc.zfill(3)}.mcc{mcc}.3gppnetwork.org"


def impi_of(imsi: str, mnc_digits: int = 2) -> str:
    """The private identity made of an IMSI (TS 23.003 13.3)."""
    return f"{imsi}@{_domain_of(imsi, mnc_digits)}"


def _domain_of(imsi: str, mnc_digits: int) -> str:
    if not re.fullmatch(r"\d{6,15}", imsi) or mnc_digits not in (2, 3):
        raise UsageError(f"{imsi!r} is no IMSI, or its MNC has neither 2 nor 3 digits")
    return home_domain(imsi[:3], imsi[3 : 3 + mnc_digits])
