"""Which URIs name the same user: address-of-record (RFC 3261 10.3 step 5) and telephone number (RFC 3966)."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import SipSyntaxError
from harness.sip.uri import Uri, parse_uri, unescape

ANONYMOUS_URI = "sip:anonymous@anonymous.invalid"  # RFC 3323 4.1.1.3
ANONYMOUS = frozenset({"anonymous.invalid", "unavailable.invalid"})


def bare(text: str) -> str:
    """The URI inside `"Display" <uri>;tag=x`, or the text itself without parameters of the header."""
    if "<" in text:
        return text.partition("<")[2].partition(">")[0].strip()
    return text.partition(";")[0].strip()


def uri_of(text: str) -> Uri | None:
    """The URI, None where the text is none."""
    try:
        return parse_uri(text.strip())
    except SipSyntaxError:
        return None


def canonical(text: str) -> str:
    """The text a binding is kept under: no parameters, host in lower case, escapes resolved."""
    uri = uri_of(text)
    if uri is None:
        return text.strip()
    if uri.scheme == "tel":
        return f"tel:{uri.number or uri.user}"
    if uri.user is None:
        return f"{uri.scheme}:{uri.host.lower()}"
    return f"{uri.scheme}:{unescape(uri.user)}@{uri.host.lower()}"


def number_of(text: str) -> str | None:
    """The E.164 number of a tel URI, of a SIP URI's user part, or of a bare `+49170...`; None without one."""
    uri = uri_of(text if ":" in text else f"tel:{text}")
    return uri.number if uri is not None else None


def same_user(one: str, other: str) -> bool:
    """True when two identities name one user: the same number, else the same address-of-record."""
    if canonical(one) == canonical(other):
        return True
    number = number_of(one)
    return number is not None and number == number_of(other)


def names(identity: str, others: Iterable[str]) -> bool:
    """True when the identity is one of the others."""
    return any(same_user(identity, other) for other in others)


def anonymous(text: str) -> bool:
    """True for sip:anonymous@anonymous.invalid and its kin (RFC 3323 4.1.1.3)."""
    uri = uri_of(text)
    return uri is not None and uri.host.lower() in ANONYMOUS
