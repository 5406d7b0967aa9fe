"""What the peer answers to a security agreement (RFC 3329, TS 24.229 5.2.2). It has TLS, and no IPsec."""

from __future__ import annotations

from harness.agent.sip.agent import Incoming
from harness.evidence.timeline import Transport
from harness.peer.answers import Header
from harness.peer.config import PeerConfig, SecurityPolicy
from harness.sip.message import Request
from harness.sip.security_agreement import OPTION_TAG, SecurityVerify, mirrored

_NEVER = frozenset({"ACK", "CANCEL"})  # the headers have no place there (RFC 3329 2.6)


class SecurityAgreement:
    """The policy of the peer, which may change while it runs."""

    def __init__(self, config: PeerConfig) -> None:
        self._config = config

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
        return self._required() if verify and not mirrored(verify, self._config.mechanisms) else None

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
        return [("Security-Server", str(each)) for each in self._config.mechanisms]


def _names(request: Request, header: str) -> bool:
    return any(tag.strip().lower() == OPTION_TAG for tag in request.values(header))
