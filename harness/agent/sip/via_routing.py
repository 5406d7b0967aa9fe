"""What a transport does with the top Via: RFC 3261 18.1.1, 18.2.1, 18.2.2 and RFC 3581. No sockets here."""

from __future__ import annotations

import ipaddress

from harness.agent.sip.ways_out import Hop
from harness.errors import SipSyntaxError
from harness.evidence.timeline import Address, Transport
from harness.sip.headers import Via
from harness.sip.message import Request

LARGEST_UDP_REQUEST = 1300  # octets, where the path MTU is not known (RFC 3261 18.1.1)
DEFAULT_PORTS = {Transport.UDP: 5060, Transport.TCP: 5060, Transport.TLS: 5061}


def choose_transport(message: Request, preferred: Transport) -> Transport:
    """The transport for a request: TCP instead of UDP above 1300 octets (RFC 3261 18.1.1).

    The Via of the message must then name TCP too: `with_transport`.
    """
    if preferred is Transport.UDP and len(message.raw) > LARGEST_UDP_REQUEST:
        return Transport.TCP
    return preferred


def with_transport(request: Request, transport: Transport) -> Request:
    """The same request with another transport in its top Via. Raises SipSyntaxError without a usable Via."""
    via = request.via
    return request.with_top_via(Via(via.protocol, transport, via.host, via.port, via.parameters))


def stamp(request: Request, source: Address) -> None:
    """Fill `received` and `rport` into the top Via of a request that came from there.

    `received` is added when sent-by is a name or another address than the source (18.2.1), and always when
    rport was asked for (RFC 3581 4). A `received` the sender wrote itself is replaced: responses go to the
    source. Raises SipSyntaxError when the top Via cannot be read.
    """
    via = request.via
    asked = via.parameters.get("rport", "") is None
    if asked or "received" in via.parameters or not same_host(via.host, source.host):
        values = {"received": source.host} | ({"rport": str(source.port)} if asked else {})
        request.stamp(via.with_parameters(values))


def datagram_target(via: Via) -> Address:
    """Where a response over UDP goes (18.2.2 with the step RFC 3581 4 adds)."""
    port = via.port or DEFAULT_PORTS[Transport.UDP]
    maddr = via.parameters.get("maddr")
    if maddr:
        return Address(maddr.strip("[]"), port)
    received = via.received
    return Address(received, via.rport or port) if received else Address(via.host, port)


def way_back(via: Via, transport: Transport) -> Hop:
    """The hop that the top Via of a request names for its responses. name: who is to be there."""
    if transport is Transport.UDP:
        return Hop(transport, *datagram_target(via), name=via.host)
    return Hop(transport, *stream_target(via, transport), name=via.host)


def answer_target(request: Request, source: Address) -> Address:
    """Where a response over UDP goes when the top Via may be unreadable: then back to where it came from."""
    try:
        stamp(request, source)
        return datagram_target(request.via)
    except SipSyntaxError:
        return source


def stream_target(via: Via, transport: Transport) -> Address:
    """Where a response goes when the connection of its request is gone (18.2.2, first bullet)."""
    return Address(via.received or via.host, via.port or DEFAULT_PORTS[transport])


def same_host(one: str, other: str) -> bool:
    """Whether two hosts are the same: addresses by value, names without case."""
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return one.lower() == other.lower()
