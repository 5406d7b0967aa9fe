"""How a handset is reached: over the connection it opened, at the address it sends from, or at its Contact.

RFC 3261 18.1.1 (transport by size), RFC 3581 (a handset behind a translator), RFC 5626 (why a flow is kept).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from harness.agent.sip.agent import Hop, Incoming
from harness.agent.sip.via_routing import DEFAULT_PORTS, LARGEST_UDP_REQUEST
from harness.errors import SipSyntaxError
from harness.evidence.timeline import Address, Transport
from harness.peer.identities import uri_of
from harness.sip.message import Request
from harness.sip.uri import Uri


@dataclass(frozen=True, slots=True)
class Flow:
    """The way a request of the handset came, and where its Contact says it listens.

    symmetric: the handset listens at the port it sends from (it asked for rport, or its Contact is no address
    that can be reached from here). contact_transport: what its Contact asks for (RFC 3261 19.1.1: sips, or
    the transport parameter).
    """

    transport: Transport
    source: Address
    local: Address
    connection: int | None
    contact: Address | None
    symmetric: bool
    contact_transport: Transport = Transport.UDP

    @property
    def datagram(self) -> Hop:
        """Where a UDP request goes."""
        address = self.source if self.symmetric or self.contact is None else self.contact
        if self.transport is not Transport.UDP and self.contact is not None:
            address = self.contact  # the source port of a TCP connection says nothing about UDP
        return Hop(Transport.UDP, address.host, address.port)

    @property
    def stream(self) -> list[Hop]:
        """Where a TCP or TLS request goes, best first: the handset's own connection, then its Contact."""
        hops = []
        if self.transport is not Transport.UDP:
            hops.append(Hop(self.transport, self.source.host, self.source.port))
        if self.contact is not None:
            secured = Transport.TLS in (self.transport, self.contact_transport)
            hops.append(Hop(Transport.TLS if secured else Transport.TCP, *self.contact))
        elif self.transport is Transport.UDP:
            hops.append(Hop(Transport.TCP, self.source.host, self.source.port))
        return list(dict.fromkeys(hops))

    def hops(self, octets: int, asked: Transport | None = None) -> list[Hop]:
        """The hops to try for a request of this size.

        Without a transport asked for, a handset on UDP gets larger requests over TCP, and over UDP after all
        when it refuses the connection (RFC 3261 18.1.1).
        """
        if asked is Transport.UDP:
            return [self.datagram]
        if asked is not None or {self.transport, self.contact_transport} != {Transport.UDP}:
            return self.stream
        return [*self.stream, self.datagram] if octets > LARGEST_UDP_REQUEST else [self.datagram]


def flow_of(incoming: Incoming, contact: str | None) -> Flow:
    """The flow of a request; `contact` is the URI of its Contact or None."""
    uri = uri_of(contact) if contact else None
    address = _address(uri)
    return Flow(
        incoming.transport,
        incoming.source,
        incoming.local,
        incoming.connection,
        address,
        symmetric=address is None or address.host != incoming.source.host or asks_rport(incoming.message),
        contact_transport=_transport(uri),
    )


def _address(uri: Uri | None) -> Address | None:
    if uri is None or uri.scheme not in ("sip", "sips"):
        return None
    try:
        host = str(ipaddress.ip_address(uri.host))
    except ValueError:
        return None
    return Address(host, uri.port or DEFAULT_PORTS[_transport(uri)])


def _transport(uri: Uri | None) -> Transport:
    """The transport a URI asks for (RFC 3261 19.1.1), UDP where it asks for none we have."""
    asked = (uri.parameters.get("transport") or "").upper() if uri is not None else ""
    if asked == Transport.TLS or (uri is not None and uri.scheme == "sips"):
        return Transport.TLS
    return Transport.TCP if asked == Transport.TCP else Transport.UDP


def asks_rport(request: Request) -> bool:
    """True when the top Via asks for symmetric routing (RFC 3581 3)."""
    try:
        return "rport" in request.via.parameters
    except SipSyntaxError:
        return False


def on_the_way(path: tuple[str, ...]) -> Hop | None:
    """The hop a Path begins with, when it names one by address (RFC 3327 5.4)."""
    for value in path[:1]:
        uri = uri_of(value.partition("<")[2].partition(">")[0] or value)
        address = _address(uri)
        if uri is not None and address is not None:
            return Hop(_transport(uri), *address)
    return None


@dataclass(frozen=True, slots=True)
class FlowWay:
    """The way of a dialog with a handset: down its flow, whatever its Contact says (RFC 5626, RFC 3327)."""

    flow: Flow
    first: Hop | None = None

    @property
    def local(self) -> Address | None:
        """The address of the peer the handset knows."""
        return self.flow.local

    def hops(self, target: Uri, octets: int) -> Sequence[Hop]:
        """The first hop of its Path, then those of the flow."""
        return [*([] if self.first is None else [self.first]), *self.flow.hops(octets)]
