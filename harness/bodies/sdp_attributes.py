"""Values of the SDP attributes that set up an MSRP session, read and written one by one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.errors import BodySyntaxError


class Direction(StrEnum):
    """Which way regular messages go, seen from who wrote the SDP (RFC 8866 6.7, RFC 4975 8.9)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

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

_FINGERPRINT = re.compile(r"([!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*)")


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
