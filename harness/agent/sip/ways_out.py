"""Hops, and the lines that lead to them: a UDP socket with a target, or a connection (RFC 3261 18)."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from harness.agent.failures import TransportFailed
from harness.agent.sockets.tcp_connection import TcpConnection
from harness.agent.sockets.udp_endpoint import UdpEndpoint
from harness.evidence.timeline import Address, Transport


class Hop(NamedTuple):
    """Where a request goes next.

    host is an address literal or a local name. name is who a TLS server there has to be (RFC 5922 7.3: the
    domain the caller wanted before anything was looked up); the host where it is empty.
    """

    transport: Transport
    host: str
    port: int
    name: str = ""

    @property
    def address(self) -> Address:
        """Host and port."""
        return Address(self.host, self.port)


class Arrival(NamedTuple):
    """How a message came: over a socket for datagrams or over a connection."""

    transport: Transport
    source: Address
    local: Address
    endpoint: UdpEndpoint | None
    connection: TcpConnection | None

    @property
    def number(self) -> int | None:
        """The id of the connection on the timeline, None over UDP."""
        return self.connection.number if self.connection is not None else None


class Datagrams(NamedTuple):
    """The way to an address by UDP."""

    endpoint: UdpEndpoint
    target: Address

    def write(self, data: bytes) -> None:
        """Send one datagram. Raises TransportFailed."""
        self.endpoint.send(data, self.target)


class Stream(NamedTuple):
    """The way to an address by a connection."""

    connection: TcpConnection

    def write(self, data: bytes) -> None:
        """Send octets. Raises TransportFailed."""
        self.connection.write(data)


Line = Datagrams | Stream


async def literal(hop: Hop) -> Address:
    """The address of a hop. Raises TransportFailed when a name has none."""
    host = hop.host.strip("[]")
    if ":" in host or host.replace(".", "").isdigit():
        return Address(host, hop.port)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, hop.port)
    except OSError as error:
        raise TransportFailed(hop.transport, hop.address, str(error)) from error
    return Address(str(found[0][4][0]), hop.port)


def same_family(one: str, other: str) -> bool:
    """Whether two hosts are both IPv6 literals or both not."""
    return (":" in one) == (":" in other)
