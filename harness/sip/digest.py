"""Digest authentication (RFC 7616 as SIP uses it: RFC 3261 section 22, RFC 8760), hashes of AKA included.

Passwords are octets: those of AKA are no text (RFC 3310 section 3.3).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

from harness.errors import SipSyntaxError
from harness.sip.grammar import Parameters, quote
from harness.sip.headers import Challenge, Credentials

# algorithm -> name of its hash in hashlib. AKA: RFC 3310 3.1, RFC 4169 2; the others RFC 7616 6.1.
HASHES = {
    "MD5": "md5",
    "SHA-256": "sha256",
    "SHA-512-256": "sha512_256",
    "AKAV1-MD5": "md5",
    "AKAV2-MD5": "md5",
    "AKAV1-SHA-256": "sha256",
    "AKAV2-SHA-256": "sha256",
}
DEFAULT_ALGORITHM = "MD5"  # of a challenge that names none (RFC 7616 3.3)


def algorithm_of(message: Challenge) -> str:
    """The algorithm of a challenge or credentials as written, MD5 when none is."""
    return message.parameters.get("algorithm") or DEFAULT_ALGORITHM


def is_supported(challenge: Challenge) -> bool:
    """True for a Digest challenge with a known algorithm and, where qop is offered, a known qop."""
    offered = _qop_offered(challenge)
    return (
        challenge.scheme.lower() == "digest"
        and algorithm_of(challenge).upper() in HASHES
        and (not offered or bool({"auth", "auth-int"} & set(offered)))
    )


def is_aka(algorithm: str) -> bool:
    """Whether the password of this algorithm comes from AKA (RFC 3310, RFC 4169)."""
    return algorithm.upper().startswith("AKA")


def first_supported(challenges: Iterable[Challenge]) -> Challenge | None:
    """The topmost challenge that can be answered (RFC 8760 2.4), or None.

    AKAv1 gives way to an AKAv2 anywhere below it (RFC 4169 4.1).
    """
    supported = [challenge for challenge in challenges if is_supported(challenge)]
    top = next(iter(supported), None)
    if top is None or not algorithm_of(top).upper().startswith("AKAV1"):
        return top
    return next((each for each in supported if algorithm_of(each).upper().startswith("AKAV2")), top)


def build_challenge(
    realm: str,
    nonce: str,
    *,
    algorithm: str = DEFAULT_ALGORITHM,
    qop: Iterable[str] = ("auth",),
    opaque: str | None = None,
    stale: bool = False,
) -> Challenge:
    """The value of WWW-Authenticate or Proxy-Authenticate. No qop gives the form of RFC 2069."""
    pairs = [("realm", quote(realm)), ("nonce", quote(nonce)), ("algorithm", algorithm)]
    offered = ",".join(qop)
    if offered:
        pairs.append(("qop", quote(offered)))
    if opaque is not None:
        pairs.append(("opaque", quote(opaque)))
    if stale:
        pairs.append(("stale", "true"))
    return Challenge("Digest", Parameters(pairs))


def digest_response(
    algorithm: str,
    username: str,
    realm: str,
    password: bytes,
    method: str,
    uri: str,
    nonce: str,
    *,
    qop: str | None = None,
    nc: str = "",
    cnonce: str = "",
    body: bytes = b"",
    security_server: str | None = None,
) -> str:
    """The response directive in lower-case hexadecimal (RFC 7616 3.4.1); nc as it is written, 8 digits.

    security_server: the value of that header field, for the digest-verify that protects it (RFC 3329 2.2).
    An empty method gives the rspauth of Authentication-Info (3.5). Raises SipSyntaxError for an unknown
    algorithm or qop.
    """
    secret = _hash(algorithm, f"{username}:{realm}:".encode() + password)
    request = f"{method}:{uri}".encode()
    kind = None if qop is None else qop.lower()
    if kind not in (None, "auth", "auth-int"):
        raise SipSyntaxError("qop", str(qop), 0, "RFC 7616 3.4", "neither auth nor auth-int")
    if kind == "auth-int":
        request += b":" + _hash(algorithm, body).encode()
    if security_server is not None:
        request += b":" + security_server.encode()
    if kind is None:
        return _hash(algorithm, f"{secret}:{nonce}:{_hash(algorithm, request)}".encode())
    text = f"{secret}:{nonce}:{nc}:{cnonce}:{qop}:{_hash(algorithm, request)}"
    return _hash(algorithm, text.encode())


def answer_challenge(
    challenge: Challenge,
    method: str,
    uri: str,
    username: str,
    password: bytes,
    body: bytes = b"",
    cnonce: str | None = None,
    nc: int = 1,
    *,
    auts: bytes | None = None,
) -> str:
    """The value of Authorization or Proxy-Authorization for a challenge (RFC 7616 3.4).

    auth is preferred to auth-int. With auts the password must be empty (RFC 3310 3.4). Raises SipSyntaxError
    when the challenge lacks realm or nonce or wants something unknown.
    """
    realm, nonce = (_directive(challenge, name) for name in ("realm", "nonce"))
    algorithm = algorithm_of(challenge)
    qop, count, client_nonce = _choose_qop(challenge), f"{nc:08x}", cnonce or secrets.token_hex(12)
    response = digest_response(
        algorithm, username, realm, password, method, uri, nonce,
        qop=qop, nc=count, cnonce=client_nonce, body=body,
    )  # fmt: skip
    named = [("username", username), ("realm", realm), ("nonce", nonce), ("uri", uri), ("response", response)]
    pairs = [(name, quote(value)) for name, value in named]
    if "algorithm" in challenge.parameters:
        pairs.append(("algorithm", algorithm))
    if qop is not None:
        pairs += [("qop", qop), ("nc", count), ("cnonce", quote(client_nonce))]
    opaque = challenge.parameters.get("opaque")
    if opaque is not None:
        pairs.append(("opaque", quote(opaque)))
    if auts is not None:
        pairs.append(("auts", quote(base64.b64encode(auts).decode("ascii"))))
    return str(Credentials("Digest", Parameters(pairs)))


def verify_credentials(
    credentials: Challenge,
    method: str,
    password: bytes,
    body: bytes = b"",
    *,
    realm: str | None = None,
    nonce: str | None = None,
    uri: str | None = None,
    algorithm: str | None = None,
) -> bool:
    """True when the response directive was made with this password.

    What is given of realm, nonce, uri and algorithm must be what the credentials carry. Whether the nonce is
    one of ours, and nc is new, is the caller's to know. Never raises.
    """
    expected = {"realm": realm, "nonce": nonce, "uri": uri}
    if any(
        value is not None and credentials.parameters.get(name) != value for name, value in expected.items()
    ):
        return False
    used = algorithm_of(credentials)
    if credentials.scheme.lower() != "digest" or (algorithm and used.upper() != algorithm.upper()):
        return False
    try:
        wanted = _response_to(credentials, method, password, body)
        given = _directive(credentials, "response")
    except SipSyntaxError:
        return False
    return hmac.compare_digest(wanted.encode(), given.lower().encode("utf-8", "backslashreplace"))


def digest_verify(
    credentials: Challenge, method: str, password: bytes, security_server: str, body: bytes = b""
) -> str:
    """The d-ver of Security-Verify in a request with these credentials (RFC 3329 2.2).

    security_server: the value of that header field, white space as single spaces. Raises SipSyntaxError for
    credentials that lack what goes into it.
    """
    return _response_to(credentials, method, password, body, security_server)


def response_auth(credentials: Challenge, password: bytes, body: bytes = b"") -> str:
    """The rspauth directive of Authentication-Info that answers these credentials (RFC 7616 3.5)."""
    return _response_to(credentials, "", password, body)


def _response_to(
    credentials: Challenge, method: str, password: bytes, body: bytes, security_server: str | None = None
) -> str:
    username, realm, uri, nonce = (
        _directive(credentials, name) for name in ("username", "realm", "uri", "nonce")
    )
    return digest_response(
        algorithm_of(credentials),
        username,
        realm,
        password,
        method,
        uri,
        nonce,
        qop=credentials.parameters.get("qop"),
        nc=credentials.parameters.get("nc") or "",
        cnonce=credentials.parameters.get("cnonce") or "",
        body=body,
        security_server=security_server,
    )


def _hash(algorithm: str, data: bytes) -> str:
    name = HASHES.get(algorithm.upper())
    if name is None:
        raise SipSyntaxError("algorithm", algorithm, 0, "RFC 8760 2.1", f"not one of {', '.join(HASHES)}")
    return hashlib.new(name, data, usedforsecurity=False).hexdigest()


def _directive(message: Challenge, name: str) -> str:
    value = message.parameters.get(name)
    if value is None:
        raise SipSyntaxError(message.production, name, 0, "RFC 7616 3.3", f"no {name}")
    return value


def _qop_offered(challenge: Challenge) -> tuple[str, ...]:
    value = challenge.parameters.get("qop") or ""
    return tuple(option.strip().lower() for option in value.split(",") if option.strip())


def _choose_qop(challenge: Challenge) -> str | None:
    offered = _qop_offered(challenge)
    if not offered:
        return None
    chosen = next((qop for qop in ("auth", "auth-int") if qop in offered), None)
    if chosen is None:
        raise SipSyntaxError("qop", ",".join(offered), 0, "RFC 7616 3.4", "neither auth nor auth-int")
    return chosen
