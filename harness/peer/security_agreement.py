"""What the peer answers to a security agreement (RFC 3329, TS 24.229 5.2.2). It has TLS and Digest, no IPsec.

Digest begins with the 401 of the registrar (policy `challenge`): 494 and 421 bring no challenge, since there
only TLS counts as protection. With either, a digest-verify that comes has to be right (2.2).
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.agent.sip.agent import Incoming
from harness.evidence.timeline import Transport
from harness.peer.answers import Header
from harness.peer.authentication import Authenticator, credentials_in
from harness.peer.config import PeerConfig, SecurityPolicy
from harness.sip.message import Request
from harness.sip.security_agreement import DIGEST, OPTION_TAG, SecurityVerify, mirrored

_NEVER = frozenset({"ACK", "CANCEL"})  # the headers have no place there (RFC 3329 2.6)


class SecurityAgreement:
    """The policy of the peer, which may change while it runs."""

    def __init__(self, config: PeerConfig, authenticator: Authenticator) -> None:
        self._config, self._authenticator = config, authenticator

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
            return self._unprotected(request)
        verify = request.typed_list(SecurityVerify)
        if not verify or (mirrored(verify, self._config.mechanisms) and self._protected(request, verify)):
            return None
        return self._required()

    def _protected(self, request: Request, verify: Sequence[SecurityVerify]) -> bool:
        """Whether every digest-verify is right; the client adds it to the digest mechanism (2.4)."""
        values = [value for each in verify if (value := each.parameters.get("d-ver")) is not None]
        if not values:
            return True
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
            return self._required()
        if self._config.security_agreement is not SecurityPolicy.REQUIRE:
            return None
        if len(request.vias) > 1:  # not its first hop
            return 502, []
        status = 494 if _names(request, "Supported") else 421
        return status, [("Require", OPTION_TAG), *self._list()]

    def _required(self) -> tuple[int, list[Header]]:
        return 494, self._list()

    def _list(self) -> list[Header]:
        """A field for each, or one field where a digest is made of it: of several 2.2 does not say how."""
        values = [str(each) for each in self._config.mechanisms]
        if any(each.name.lower() == DIGEST for each in self._config.mechanisms):
            values = [", ".join(values)]
        return [("Security-Server", value) for value in values]


def _names(request: Request, header: str) -> bool:
    return any(tag.strip().lower() == OPTION_TAG for tag in request.values(header))
