"""Requests of a user agent on their way out: which hops are tried (RFC 3261 8.1.2, 18.1.1, RFC 3263 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from harness.agent.failures import TransportFailed
from harness.agent.sip.agent import Hop, SipAgent
from harness.agent.sip.via_routing import DEFAULT_PORTS, LARGEST_UDP_REQUEST
from harness.errors import UsageError
from harness.evidence.timeline import Address, Transport
from harness.sip.message import Request, Response
from harness.sip.uri import Uri

_VIA_OCTETS = 100  # about what a Via of ours adds to a request that has none yet
_TRANSPORTS = {"udp": Transport.UDP, "tcp": Transport.TCP, "tls": Transport.TLS}


# Our Via for a request to a hop from an address of ours, None for any.
ViaOf = Callable[[Hop, Address | None], str]


class Way(Protocol):
    """How the requests of a dialog leave."""

    @property
    def local(self) -> Address | None:
        """The address of ours they leave from; None lets the agent choose."""

    def hops(self, target: Uri, octets: int) -> Sequence[Hop]:
        """Where to send a request of this size, best first. target: top Route or Request-URI."""


@dataclass(frozen=True, slots=True)
class UriWay:
    """Straight to where the URI points: its host, port and transport (RFC 3263 4.1 without DNS records)."""

    local: Address | None = None

    def hops(self, target: Uri, octets: int) -> Sequence[Hop]:
        """One hop; two for a UDP request above 1300 octets: TCP, and UDP after all (RFC 3261 18.1.1).

        Raises TransportFailed for a URI that is not SIP or names a transport that is not known: it may be the
        Contact of the other end.
        """
        named = (target.parameters.get("transport") or "udp").lower()
        transport = Transport.TLS if target.scheme == "sips" else _TRANSPORTS.get(named)
        host = (target.parameters.get("maddr") or target.host).strip("[]")
        if target.scheme not in ("sip", "sips") or transport is None:
            address = Address(host, target.port or 0)
            raise TransportFailed(Transport.UDP, address, f"{target} is no way for SIP (RFC 3261 8.1.2)")
        hop = Hop(transport, host, target.port or DEFAULT_PORTS[transport])
        return _grown([hop], octets)


@dataclass(frozen=True, slots=True)
class FixedWay:
    """Always to the same hop, whatever the URI says: an outbound proxy, or the flow of a handset."""

    hop: Hop
    local: Address | None = None

    def hops(self, target: Uri, octets: int) -> Sequence[Hop]:
        """The hop; above 1300 octets over TCP first where it is one for UDP (RFC 3261 18.1.1)."""
        return _grown([self.hop], octets)


def _grown(hops: list[Hop], octets: int) -> list[Hop]:
    first = hops[0]
    if first.transport is Transport.UDP and octets > LARGEST_UDP_REQUEST:
        return [first._replace(transport=Transport.TCP), *hops]
    return hops


class Sent(NamedTuple):
    """A request as it left, and where it went."""

    request: Request
    hop: Hop


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Sends the drafts of a user agent, requests without a Via, in transactions or (ACK) without."""

    agent: SipAgent
    via_of: ViaOf | None = None

    async def request(
        self,
        draft: Request,
        target: Uri,
        way: Way,
        *,
        on_sent: Callable[[Sent], None] | None = None,
        on_provisional: Callable[[Response], None] | None = None,
        on_further: Callable[[Response], None] | None = None,
    ) -> tuple[Sent, Response]:
        """Send a draft and return the final response. The next hop is tried while the transport fails.

        on_sent is told before each attempt. Raises TransportFailed for the last hop, TransactionTimeout,
        UsageError where the way has no hop.
        """
        failure: TransportFailed | None = None
        for hop in way.hops(target, len(draft.raw) + _VIA_OCTETS):
            sent = Sent(self._addressed(draft, hop, way), hop)
            answers = _Heard(on_provisional)
            if on_sent is not None:
                on_sent(sent)
            try:
                response = await self.agent.request(
                    sent.request,
                    hop,
                    local=way.local,
                    exact=True,  # a CANCEL has to go by the same transport (9.1), so it is chosen here
                    on_provisional=answers.provisional,
                    on_further=on_further,
                )
            except TransportFailed as error:
                failure = error
                if answers.any:  # it did arrive there: elsewhere it would be a second request
                    break
            else:
                return sent, response
        raise failure or UsageError(f"no hop for {draft.method} to {target}")

    async def send(self, draft: Request, target: Uri, way: Way) -> Sent:
        """Send an ACK: no transaction, no answer. Raises TransportFailed for the last hop, UsageError."""
        failure: TransportFailed | None = None
        for hop in way.hops(target, len(draft.raw) + _VIA_OCTETS):
            sent = Sent(self._addressed(draft, hop, way), hop)
            try:
                await self.again(sent, way)
            except TransportFailed as error:
                failure = error
            else:
                return sent
        raise failure or UsageError(f"no hop for {draft.method} to {target}")

    async def again(self, sent: Sent, way: Way) -> None:
        """Send the same octets to the same hop once more. Raises TransportFailed."""
        await self.agent.send(sent.request.raw, sent.hop, local=way.local)

    def _addressed(self, draft: Request, hop: Hop, way: Way) -> Request:
        return draft.with_prepended("Via", (self.via_of or self.agent.via_for)(hop, way.local))


class _Heard:
    """Notes whether any provisional response came."""

    def __init__(self, on_provisional: Callable[[Response], None] | None) -> None:
        self.any = False
        self._on_provisional = on_provisional

    def provisional(self, response: Response) -> None:
        self.any = True
        if self._on_provisional is not None:
            self._on_provisional(response)
