"""Challenges and what comes back: SIP Digest (RFC 3261 22, RFC 7616, RFC 8760) and AKA (RFC 3310, RFC 4169).

Decides nothing about registration; the registrar and the pager ask it. No secret and no expected response
appears in a log, an exception or a repr.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from harness.errors import SipSyntaxError, UsageError
from harness.peer.config import Authentication, PeerConfig, Subscriber
from harness.sip.aka import digest_password, make_nonce, resync
from harness.sip.digest import algorithm_of, build_challenge, digest_verify, is_aka, verify_credentials
from harness.sip.headers import Credentials
from harness.sip.message import Request
from harness.sip.milenage import Milenage

log = logging.getLogger(__name__)

_IND = 1 << 5  # TS 33.102 C.3.2: the low five bits of SQN are the index, the rest counts
_SQN = 1 << 48


class Outcome(StrEnum):
    """What credentials turned out to be."""

    ABSENT = "no credentials"
    RIGHT = "right"
    STALE = "right, but for a nonce that is unknown, too old or used before"
    WRONG = "wrong response"
    RESYNCHRONISED = "sequence number resynchronised"


@dataclass(slots=True)
class _Nonce:
    """A nonce that was given out.

    secrets: algorithm offered with it (lower case) -> password that answers it. count: the highest nc seen.
    """

    subscriber: Subscriber
    secrets: Mapping[str, bytes] = field(repr=False)
    issued: float
    rand: bytes | None = field(default=None, repr=False)
    count: int = 0


class Authenticator:
    """Gives challenges and checks their answers, for any method."""

    def __init__(self, config: PeerConfig, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._nonces: dict[str, _Nonce] = {}
        self._sqn: dict[str, int] = {subscriber.impi: subscriber.sqn for subscriber in config.subscribers}
        self.opaque = secrets.token_hex(8)

    def forget_sequence_numbers(self) -> None:
        """Start again from the configured SQN, as a new HSS would.

        A SIM that has seen later ones has to resynchronise (RFC 3310 3.4).
        """
        self._sqn = {subscriber.impi: subscriber.sqn for subscriber in self._config.subscribers}

    def challenge(self, subscriber: Subscriber, how: Authentication, *, stale: bool = False) -> list[str]:
        """Values for WWW-Authenticate or Proxy-Authenticate, one row for each algorithm of that method.

        Raises UsageError when the subscriber lacks the secret the method needs, or no algorithm is of it.
        """
        offered = [name for name in self._config.algorithms if is_aka(name) is (how is Authentication.AKA)]
        if not offered:
            raise UsageError(f"authentication {how}: none of {', '.join(self._config.algorithms)} is of it")
        if how is Authentication.AKA:
            return self._aka_challenge(subscriber, offered)
        if subscriber.password is None:
            raise UsageError(f"subscriber {subscriber.impi} has no password for SIP Digest")
        nonce, password = secrets.token_hex(16), subscriber.password.encode()
        self._remember(nonce, subscriber, dict.fromkeys(map(str.lower, offered), password))
        return [self._row(nonce, algorithm, stale) for algorithm in offered]

    def _aka_challenge(self, subscriber: Subscriber, offered: list[str]) -> list[str]:
        """One vector for all rows: the algorithms differ in what they make of RES, CK and IK."""
        milenage = _milenage(subscriber)
        sqn = self._sqn[subscriber.impi] = _next_sqn(self._sqn.get(subscriber.impi, subscriber.sqn))
        rand = secrets.token_bytes(16)
        nonce, xres, ck, ik = make_nonce(milenage, rand, sqn, subscriber.amf or b"\x80\x00")
        passwords = {name.lower(): digest_password(name, xres, ck, ik) for name in offered}
        self._remember(nonce, subscriber, passwords, rand)
        return [self._row(nonce, algorithm, False) for algorithm in offered]

    def _row(self, nonce: str, algorithm: str, stale: bool) -> str:
        return str(
            build_challenge(
                self._config.domain,
                nonce,
                algorithm=algorithm,
                qop=self._config.qop,
                opaque=self.opaque,
                stale=stale,
            )
        )

    def _remember(
        self,
        nonce: str,
        subscriber: Subscriber,
        passwords: Mapping[str, bytes],
        rand: bytes | None = None,
    ) -> None:
        now = self._clock()
        self._nonces = {
            text: known
            for text, known in self._nonces.items()
            if now - known.issued <= 2 * self._config.nonce_lifetime
        }
        self._nonces[nonce] = _Nonce(subscriber, passwords, now, rand)

    def check(self, request: Request, credentials: Credentials | None, subscriber: Subscriber) -> Outcome:
        """What the credentials in this request are worth."""
        if credentials is None or not credentials.parameters.get("nonce"):
            return Outcome.ABSENT
        nonce = credentials.parameters["nonce"] or ""
        known = self._nonces.get(nonce)
        if known is None or known.subscriber.impi != subscriber.impi:
            return self._unknown_nonce(request, credentials, subscriber)
        if credentials.parameters.get("auts"):
            return self._resynchronise(known, credentials.parameters["auts"] or "")
        if not self._right(request, credentials, known):
            return Outcome.WRONG
        if self._clock() - known.issued > self._config.nonce_lifetime:
            return Outcome.STALE
        return self._counted(known, credentials)

    def protects(self, request: Request, credentials: Credentials | None, server: str, verify: str) -> bool:
        """Whether digest-verify is right for the list the peer sent (RFC 3329 2.2).

        server: the value of Security-Server. Without credentials for a nonce of ours nothing is protected.
        """
        known = self._nonces.get(credentials.parameters.get("nonce") or "") if credentials else None
        password = self._password(credentials, known) if credentials and known else None
        if credentials is None or password is None:
            return False
        try:
            expected = digest_verify(credentials, request.method, password, server, request.body)
        except SipSyntaxError:
            return False
        return secrets.compare_digest(expected, verify)

    def _counted(self, known: _Nonce, credentials: Credentials) -> Outcome:
        """RFC 7616 3.4: a count that was seen before is a replay. Without qop nothing is counted."""
        if not credentials.parameters.get("qop"):
            return Outcome.RIGHT
        try:
            count = int(credentials.parameters.get("nc") or "", 16)
        except ValueError:
            return Outcome.WRONG
        if count <= known.count:
            return Outcome.STALE
        known.count = count
        return Outcome.RIGHT

    def _right(self, request: Request, credentials: Credentials, known: _Nonce) -> bool:
        password = self._password(credentials, known)
        return password is not None and verify_credentials(
            credentials, request.method, password, request.body
        )

    def _password(self, credentials: Credentials, known: _Nonce) -> bytes | None:
        """What answers a nonce with the algorithm of the credentials."""
        if (credentials.parameters.get("username") or "") != known.subscriber.impi:
            return None
        named = algorithm_of(credentials).lower()
        if known.rand is not None and not is_aka(named):
            # RFC 3310 3.3 example: a client may leave the algorithm out; the hash of AKAv1-MD5 is that of MD5
            named = f"akav1-{named}"
        return known.secrets.get(named)

    def _unknown_nonce(self, request: Request, credentials: Credentials, subscriber: Subscriber) -> Outcome:
        """RFC 7616 3.3: stale is true only when the response is right for the nonce that is not."""
        if subscriber.password is None or credentials.parameters.get("auts"):
            return Outcome.ABSENT
        right = verify_credentials(credentials, request.method, subscriber.password.encode(), request.body)
        return Outcome.STALE if right else Outcome.WRONG

    def _resynchronise(self, known: _Nonce, auts: str) -> Outcome:
        """RFC 3310 3.4: a valid AUTS gives the handset's SQN, from which the next vector is made."""
        if known.rand is None:
            return Outcome.WRONG
        try:
            sqn = resync(_milenage(known.subscriber), known.rand, auts)
        except SipSyntaxError:
            return Outcome.WRONG
        self._sqn[known.subscriber.impi] = sqn
        log.info("AKA sequence number of %s resynchronised", known.subscriber.impi)
        return Outcome.RESYNCHRONISED


def _next_sqn(sqn: int) -> int:
    """Both the count and the index go up by one (TS 33.102 C.1.1.3, C.3.2)."""
    count, index = divmod(sqn, _IND)
    return ((count + 1) * _IND + (index + 1) % _IND) % _SQN


def _milenage(subscriber: Subscriber) -> Milenage:
    if subscriber.k is None or subscriber.opc is None:
        raise UsageError(f"subscriber {subscriber.impi} has no K and OPc for AKA")
    return Milenage(subscriber.k, subscriber.opc)


def credentials_in(request: Request, header: str, realm: str) -> Credentials | None:
    """The Digest credentials for this realm in Authorization or Proxy-Authorization (RFC 3261 22.2)."""
    for value in request.get_all(header):
        try:
            credentials = Credentials.parse(value)
        except SipSyntaxError:
            continue
        if credentials.scheme.lower() == "digest" and credentials.parameters.get("realm") in (realm, None):
            return credentials
    return None
