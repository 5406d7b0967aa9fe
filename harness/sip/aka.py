"""AKA inside digest authentication (RFC 3310, RFC 4169) over Milenage (3GPP TS 33.102 section 6.3).

The network makes nonces and resynchronises, the handset answers. SQN is a number of 48 bits here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field

from harness.errors import SipSyntaxError, UsageError
from harness.sip.milenage import Milenage

RESYNCHRONISATION_AMF = bytes(2)  # TS 33.102 6.3.3: dummy AMF of all zeros in MAC-S
SQN_LIMIT = 2**48


@dataclass(frozen=True, slots=True)
class AkaResult:
    """The network is genuine and the SQN new: what the handset derives. sqn is the one to remember."""

    res: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)
    sqn: int


@dataclass(frozen=True, slots=True)
class SynchronisationFailure:
    """The network is genuine, its SQN is not new. auts (14 octets) tells it the SQN of the handset."""

    auts: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MacFailure:
    """AUTN was not made with the key of the subscriber (TS 33.102 6.3.3: authentication reject)."""


def _sqn_octets(sqn: int | bytes) -> bytes:
    number = int.from_bytes(sqn, "big") if isinstance(sqn, bytes) else sqn
    if not 0 <= number < SQN_LIMIT:
        raise UsageError("SQN does not fit 48 bits (TS 33.102 6.3)")
    return number.to_bytes(6, "big")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def make_nonce(
    milenage: Milenage, rand: bytes, sqn: int | bytes, amf: bytes, server_data: bytes = b""
) -> tuple[str, bytes, bytes, bytes]:
    """A challenge: nonce (base64 of RAND, AUTN and server data, RFC 3310 3.2), XRES, CK and IK.

    rand has 16 octets, amf 2. Raises UsageError for other sizes.
    """
    number = _sqn_octets(sqn)
    xres, ck, ik, ak = milenage.f2345(rand)
    autn = _xor(number, ak) + amf + milenage.f1(rand, number, amf)
    return base64.b64encode(rand + autn + server_data).decode("ascii"), xres, ck, ik


def split_nonce(nonce: str) -> tuple[bytes, bytes]:
    """RAND and AUTN (16 octets each) of a nonce. Raises SipSyntaxError."""
    try:
        octets = base64.b64decode(nonce, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SipSyntaxError("nonce", nonce, 0, "RFC 3310 3.2", "not base64") from error
    if len(octets) < 32:
        raise SipSyntaxError("nonce", nonce, 0, "RFC 3310 3.2", "shorter than RAND and AUTN")
    return octets[:16], octets[16:32]


def answer(
    milenage: Milenage, nonce: str, sqn_ms: int | bytes
) -> AkaResult | SynchronisationFailure | MacFailure:
    """What the handset makes of a challenge (TS 33.102 6.3.3): the MAC is judged before the SQN.

    sqn_ms is the highest SQN accepted so far; a new one must be larger. Raises SipSyntaxError when the nonce
    is no AKA nonce.
    """
    rand, autn = split_nonce(nonce)
    res, ck, ik, ak = milenage.f2345(rand)
    sqn, amf, mac = _xor(autn[:6], ak), autn[6:8], autn[8:]
    if not hmac.compare_digest(milenage.f1(rand, sqn, amf), mac):
        return MacFailure()
    highest = _sqn_octets(sqn_ms)
    if sqn <= highest:
        concealed = _xor(highest, milenage.f5_star(rand))
        mac_s = milenage.f1_star(rand, highest, RESYNCHRONISATION_AMF)
        return SynchronisationFailure(concealed + mac_s)
    return AkaResult(res, ck, ik, int.from_bytes(sqn, "big"))


def resync(milenage: Milenage, rand: bytes, auts: bytes | str) -> int:
    """The SQN of the handset out of AUTS (octets, or base64 as in the directive) for the challenge's rand.

    Raises SipSyntaxError when AUTS has not 14 octets or its MAC-S is not this subscriber's (TS 33.102 6.3.5).
    """
    octets = _auts_octets(auts)
    sqn = _xor(octets[:6], milenage.f5_star(rand))
    if not hmac.compare_digest(milenage.f1_star(rand, sqn, RESYNCHRONISATION_AMF), octets[6:]):
        raise SipSyntaxError("auts", "", 0, "TS 33.102 6.3.5", "MAC-S does not match")
    return int.from_bytes(sqn, "big")


def _auts_octets(auts: bytes | str) -> bytes:
    try:
        octets = base64.b64decode(auts, validate=True) if isinstance(auts, str) else auts
    except (binascii.Error, ValueError) as error:
        raise SipSyntaxError("auts", "", 0, "RFC 3310 3.4", "not base64") from error
    if len(octets) != 14:
        raise SipSyntaxError("auts", "", 0, "RFC 3310 3.4", f"{len(octets)} octets instead of 14")
    return octets


def digest_password(algorithm: str, res: bytes, ck: bytes, ik: bytes) -> bytes:
    """The digest password of AKAv1 (RES itself, RFC 3310 3.3) or AKAv2 (RFC 4169 2.1), as algorithm says."""
    version, _, name = algorithm.upper().partition("-")
    if version == "AKAV1":
        return res
    if version != "AKAV2" or name not in ("MD5", "SHA-256"):
        raise SipSyntaxError("algorithm", algorithm, 0, "RFC 4169 2", "neither AKAv1 nor AKAv2")
    digest = hmac.new(res + ik + ck, b"http-digest-akav2-password", name.replace("-", "").lower())
    return base64.b64encode(digest.digest())


def session_keys(algorithm: str, ck: bytes, ik: bytes) -> tuple[bytes, bytes]:
    """CK and IK for use outside digest: as they are for AKAv1, masked for AKAv2 (RFC 4169 2.2)."""
    if not algorithm.upper().startswith("AKAV2"):
        return ck, ik
    name = algorithm.upper().partition("-")[2].replace("-", "").lower()
    if name not in hashlib.algorithms_available:
        raise SipSyntaxError("algorithm", algorithm, 0, "RFC 4169 2", "unknown hash")
    return (
        hmac.new(ck, b"http-digest-akav2-cipherkey", name).digest(),
        hmac.new(ik, b"http-digest-akav2-integritykey", name).digest(),
    )
