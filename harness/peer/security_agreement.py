"""What the peer answers to a security agreement (RFC 3329, TS 24.229 5.2.2). It has TLS and Digest, no IPsec.

Where the list names digest, 494 and 421 bring a challenge, as the 401 of the registrar does (2.3). A request
without TLS is protected by a digest-verify that is right (2.2): only who knows the password can make one.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.agent.sip.agent import Incoming
from harness.evidence.timeline import Transport
from harness.peer.answers import Header
from harness.peer.authentication import Authenticator, credentials_in
from harness.peer.config import PeerConfig, SecurityPolicy
from harness.peer.proxy_authentication import ProxyAuthentication
from harness.sip.message import Request
from harness.sip.security_agreement import DIGEST, OPTION_TAG, SecurityVerify, mirrored

_NEVER = frozenset({"ACK", "CANCEL"})  # the headers have no place there (RFC 3329 2.6)


class SecurityAgreement:
    """The policy of the peer, which may change while it runs."""

    def __init__(self, config: PeerConfig, authenticator: Authenticator) -> None:
        self._config, self._authenticator = config, authenticator
        self._challenges = ProxyAuthentication(config, authenticator)

    @property
    def understood(self) -> bool:
        """Whether sec-agree may stand in Require."""
        return self._config.security_agreement is not SecurityPolicy.UNSUPPORTED

    def refusal(self, incoming: Incoming) -> tuple[int, list[Header]] | None:
        """Why a request cannot be taken before its first hop is protected, None when it can."""
        policy, request = self._config.security_agreement, incoming.message
        if policy in (SecurityPolicy.UNSUPPORTED, SecurityPolicy.IGNORE) or request.method in _NEVER:
            return None
        if incoming.transport is not Transport.TLS and policy is not SecurityPolicy.CHALLENGE:
            return None if self._is_unchanged(request, digest=True) else self._unprotected(request)
        unchanged = "Security-Verify" not in request or self._is_unchanged(request, digest=False)
        return None if unchanged else self._required(request)

    def _is_unchanged(self, request: Request, *, digest: bool) -> bool:
        """Whether the list came back as it was sent. digest: a digest has to protect it (2.4)."""
        verify = request.typed_list(SecurityVerify)
        values = [value for each in verify if (value := each.parameters.get("d-ver")) is not None]
        if not mirrored(verify, self._config.mechanisms) or (digest and not values):
            return False
        return not values or self._are_right(request, values)

    def _are_right(self, request: Request, values: Sequence[str]) -> bool:
        """Whether these digest-verify were made with the credentials and the password of the subscriber."""
        headers = ("Proxy-Authorization", "Authorization")
        found = (credentials_in(request, header, self._config.domain) for header in headers)
        credentials = next((each for each in found if each is not None), None)
        server = ", ".join(map(str, self._config.mechanisms))
        return all(self._authenticator.protects(request, credentials, server, value) for value in values)

    def challenged(self, request: Request) -> list[Header]:
        """What a 401 says besides its challenge: the list, where the handset began an agreement."""
        asked = "Security-Client" in request or "Security-Verify" in request
        return self._list() if self._config.security_agreement is SecurityPolicy.CHALLENGE and asked else []

    def _unprotected(self, request: Request) -> tuple[int, list[Header]] | None:
        """2.3.1: who asks for an agreement is told the list. 2.3.2: so is everybody, where it is required."""
        if _names(request, "Require") or _names(request, "Proxy-Require"):
            return self._required(request)
        if self._config.security_agreement is not SecurityPolicy.REQUIRE:
            return None
        if len(request.vias) > 1:  # not its first hop
            return 502, []
        status = 494 if _names(request, "Supported") else 421
        return status, [("Require", OPTION_TAG), *self._initiation(request)]

    def _required(self, request: Request) -> tuple[int, list[Header]]:
        return 494, self._initiation(request)

    def _initiation(self, request: Request) -> list[Header]:
        """The list, and what the client needs to begin with a mechanism of it (2.3.1)."""
        return [*self._list(), *(self._challenges.offer(request) if self._names_digest else [])]

    @property
    def _names_digest(self) -> bool:
        return any(each.name.lower() == DIGEST for each in self._config.mechanisms)

    def _list(self) -> list[Header]:
        """A field for each, or one field where a digest is made of it: of several 2.2 does not say how."""
        values = [str(each) for each in self._config.mechanisms]
        if self._names_digest:
            values = [", ".join(values)]
        return [("Security-Server", value) for value in values]


def _names(request: Request, header: str) -> bool:
    return any(tag.strip().lower() == OPTION_TAG for tag in request.values(header))
