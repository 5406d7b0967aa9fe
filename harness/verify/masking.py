"""Secrets in messages, masked octet for octet so that every place in the message stays what it was.

Digest responses and their AKA kin (RFC 3261 22.4, RFC 3310, RFC 7616, TS 33.203 keys in a challenge), other
credentials, keys of SDP (RFC 4568, RFC 4566 5.12).
"""

from __future__ import annotations

import re

_HEADER = re.compile(
    rb"^(?:(?:proxy-)?authentication-info[ \t]*:|[\w-]{1,40}[ \t]*:\s*(?:digest|basic|bearer)\s)"
    rb"[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)
"""Credentials and challenges by their scheme, so that a misspelt header gives nothing away."""
_VALUE = re.compile(
    rb"\b(?:response|rspauth|auts|ik|ck|password)\s*=\s*(?P<secret>\"[^\"\r\n]*\"?|[^\s,;\"]+)", re.IGNORECASE
)
_TOKEN = re.compile(rb"^[^:]*:\s*(?:basic|bearer)\s+(?P<secret>[^\r\n]+)", re.IGNORECASE)
_SDP_KEY = re.compile(
    rb"^(?:a=(?:crypto:[^\r\n]*?inline:|key-mgmt:)|k=[a-z0-9]+:)(?P<secret>[^\r\n|]+)",
    re.IGNORECASE | re.MULTILINE,
)
_NO_QUOTE = re.compile(rb"[^\"]")
_IN_TEXT = re.compile(
    r"\b(?P<name>(?:response|rspauth|auts|ik|ck)\s*=\s*\"?)(?P<bare>[0-9A-Za-z+/=]{8,})", re.IGNORECASE
)


def masked(octets: bytes) -> bytes:
    """The octets of a message, as many as they were, with an asterisk for each octet of a secret."""
    found = _HEADER.sub(lambda match: _TOKEN.sub(_starred, _VALUE.sub(_starred, match[0])), octets)
    return _SDP_KEY.sub(_starred, found)


def masked_text(text: str) -> str:
    """The same for what a rule quotes of a message."""
    if "=" not in text:
        return text
    return _IN_TEXT.sub(lambda match: match["name"] + "*" * len(match["bare"]), text)


def _starred(match: re.Match[bytes]) -> bytes:
    low, high = (place - match.start() for place in match.span("secret"))
    return match[0][:low] + _NO_QUOTE.sub(b"*", match[0][low:high]) + match[0][high:]
