"""Values of the SDP attributes that set up an MSRP session, one by one.

RFC 4975 8.6 (accept-types, max-size), RFC 6135 (setup), RFC 8122 (fingerprint), RFC 7701 8 (chatroom).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.bodies.mime import TOKEN
from harness.errors import BodySyntaxError


class Direction(StrEnum):
    """Which way regular messages go, seen from who wrote the SDP (RFC 8866 6.7, RFC 4975 8.9)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @classmethod
    def of(cls, *, sends: bool, receives: bool) -> Direction:
        """The direction of one who does these."""
        return next(each for each in cls if (each.sends, each.receives) == (sends, receives))

    @property
    def sends(self) -> bool:
        """Whether the writer of the SDP may send."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether the writer of the SDP may receive."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)


class Setup(StrEnum):
    """Who opens the connection (RFC 4145 4, RFC 6135 4.2)."""

    ACTIVE = "active"
    PASSIVE = "passive"
    ACTPASS = "actpass"
    HOLDCONN = "holdconn"


# RFC 8122 5, the strongest first; md5 and md2 are known and never used.
HASH_FUNCTIONS = ("sha-512", "sha-384", "sha-256", "sha-224", "sha-1")

_FINGERPRINT = re.compile(rf"({TOKEN.pattern}) ([0-9A-Fa-f]{{2}}(?::[0-9A-Fa-f]{{2}})*)")
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_FORMAT_ENTRY = re.compile(
    rf"\*|{TOKEN.pattern}/{TOKEN.pattern}(?:;{TOKEN.pattern}=(?:{TOKEN.pattern}|{_QUOTED}))*"
)
_FORMAT_WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[^ "])+')
_MAX_SIZE = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Hash of a certificate (RFC 8122 5). hash_function in lower case, digest in octets."""

    hash_function: str
    digest: bytes

    def __str__(self) -> str:
        return f"{self.hash_function} {self.digest.hex(':').upper()}"


def parse_fingerprint(text: str, offset: int = 0) -> Fingerprint:
    """Read the value of a=fingerprint, lower-case digits too. Raises BodySyntaxError."""
    match = _FINGERPRINT.fullmatch(text)
    if match is None:
        raise BodySyntaxError("fingerprint", text, offset, "RFC 8122 5")
    return Fingerprint(match[1].lower(), bytes.fromhex(match[2].replace(":", "")))


def certificate_fingerprint(certificate: bytes, hash_function: str = "sha-256") -> Fingerprint:
    """The fingerprint of a certificate in DER form. Raises BodySyntaxError for a hash RFC 8122 rules out."""
    if hash_function not in HASH_FUNCTIONS:
        raise BodySyntaxError("hash function", hash_function, 0, "RFC 8122 5")
    return Fingerprint(hash_function, hashlib.new(hash_function.replace("-", ""), certificate).digest())


def fingerprint_matches(fingerprints: Iterable[Fingerprint], certificate: bytes) -> bool:
    """Whether a certificate (DER) is one of those announced.

    Only the fingerprints of the strongest hash function among them count, and none of md5 or md2
    (RFC 8122 5, 5.1).
    """
    offered = list(fingerprints)
    strongest = next((name for name in HASH_FUNCTIONS if any(f.hash_function == name for f in offered)), None)
    return strongest is not None and certificate_fingerprint(certificate, strongest) in offered


def parse_format_list(text: str, offset: int = 0) -> tuple[str, ...]:
    """The media types of a=accept-types or a=accept-wrapped-types, as written.

    More than one space between them is read too. Raises BodySyntaxError for no entry or one that is none
    (RFC 4975 8.6).
    """
    entries = tuple(_FORMAT_WORD.findall(text))
    if not entries or not all(_FORMAT_ENTRY.fullmatch(entry) for entry in entries):
        raise BodySyntaxError("format list", text, offset, "RFC 4975 8.6")
    return entries


def type_accepted(formats: Iterable[str], media_type: str) -> bool:
    """Whether a format list lets a media type through: listed, `type/*` or `*` (RFC 4975 8.6).

    Parameters do not count, in the list as in the type.
    """
    wanted = media_type.partition(";")[0].strip().lower()
    family = wanted.partition("/")[0] + "/*"
    return any(entry.partition(";")[0].lower() in ("*", family, wanted) for entry in formats)


def parse_setup(text: str | None) -> Setup | None:
    """a=setup; None where it is absent, or a value RFC 4145 4 does not know."""
    return Setup(text) if text in frozenset(Setup) else None


def parse_max_size(text: str, offset: int = 0) -> int:
    """a=max-size in octets of a whole message (RFC 4975 8.6). Raises BodySyntaxError."""
    if not _MAX_SIZE.fullmatch(text):
        raise BodySyntaxError("max-size", text, offset, "RFC 4975 8.6")
    return int(text)


def parse_chatroom(text: str | None, offset: int = 0) -> frozenset[str]:
    """The tokens of a=chatroom: nickname, private-messages, others (RFC 7701 8). Raises BodySyntaxError."""
    tokens = [] if text is None else text.split(" ")
    if not all(TOKEN.fullmatch(token) for token in tokens) or len(set(tokens)) != len(tokens):
        raise BodySyntaxError("chatroom", text or "", offset, "RFC 7701 8")
    return frozenset(tokens)
