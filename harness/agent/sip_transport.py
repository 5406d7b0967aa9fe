"""The SIP transport layer on sockets (RFC 3261 18, RFC 3581, RFC 5626 keep-alives).

Octets become messages here and go on the timeline. Transactions are the affair of harness.agent.sip_agent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple, Protocol

from harness.agent.failures import TransportFailed
from harness.agent.listening_sockets import open_pair, source_towards
from harness.agent.tcp_connection import Scheduler, TcpConnection
from harness.agent.udp_endpoint import UdpEndpoint
from harness.agent.via_routing import datagram_target, same_host, stream_target
from harness.errors import RcsLabError, SipSyntaxError, UsageError
from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.sip.framing import KeepAlive, Limits, StreamFramer, is_keep_alive
from harness.sip.headers import COOKIE, Via
from harness.sip.message import parse_message

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 10.0
CLOSE_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Hop(NamedTuple):
    """Where a request goes next. host is an address literal or a local name."""

    transport: Transport
    host: str
    port: int


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


class TransportUser(Protocol):
    """Who gets what arrives: the transaction layer."""

    def received(self, found: object, arrival: Arrival) -> None:
        """A Request, a Response, or the SipSyntaxError of octets that are none."""

    def connection_lost(self, connection: TcpConnection, error: TransportFailed) -> None:
        """A connection broke: what waits on it fails. Not called for one that was closed in order."""


class SipTransport:
    """Listens, opens connections, and finds the way out for requests and responses.

    Args: connect_seconds bounds opening a connection, idle_seconds how long half a message may wait for the
    rest. scheduler: a clock for the timers (the loop by default).
    """

    def __init__(
        self,
        timeline: Timeline,
        user: TransportUser,
        *,
        limits: Limits | None = None,
        scheduler: Scheduler | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        part: str = "SIP agent",
    ) -> None:
        self.timeline, self.part = timeline, part
        self.addresses: list[Address] = []
        self._user, self._limits = user, limits or Limits()
        self._given_scheduler = scheduler
        self._connect_seconds, self._idle_seconds = connect_seconds, idle_seconds
        self._endpoints: list[UdpEndpoint] = []
        self._servers: list[asyncio.Server] = []
        self._connections: set[TcpConnection] = set()
        self._connecting: dict[tuple[str, int, str], asyncio.Task[TcpConnection]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def scheduler(self) -> Scheduler:
        """What calls back later."""
        return self._given_scheduler or asyncio.get_running_loop()

    # -- life

    async def listen(self, host: str, port: int = 0) -> Address:
        """Listen on UDP and TCP of one port. Raises AddressTaken, or LabError for an unusable address."""
        loop = asyncio.get_running_loop()
        pair = open_pair(self.part, host, port)
        _, endpoint = await loop.create_datagram_endpoint(
            partial(UdpEndpoint, self.timeline, Layer.SIP, pair.address, _inspect, self._datagram),
            sock=pair.datagram,
        )
        self._endpoints.append(endpoint)
        self._servers.append(
            await loop.create_server(partial(self._new_connection, accepted=True), sock=pair.stream)
        )
        self.addresses.append(pair.address)
        return pair.address

    async def close(self) -> None:
        """Stop listening and let what was written leave, all within about a second."""
        for server in self._servers:
            server.close()
        for task in tuple(self._tasks):
            task.cancel()
        for connection in tuple(self._connections):
            connection.close("the agent was closed")
        for endpoint in self._endpoints:
            endpoint.close()
        waiting = [each.closed for each in self._connections] + [each.closed for each in self._endpoints]
        if waiting:
            await asyncio.wait(waiting, timeout=CLOSE_SECONDS)
        for connection in tuple(self._connections):
            connection.abort("the other end did not take the rest")
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._servers.clear()
        self._endpoints.clear()
        self.addresses.clear()

    async def drop_connections(self) -> None:
        """Lose every connection at once. Listening goes on."""
        for task in tuple(self._connecting.values()):
            task.cancel()
        dropped = tuple(self._connections)
        for connection in dropped:
            connection.abort("dropped")
            self._lost(connection, "the connection was dropped")
        if dropped:
            await asyncio.wait([each.closed for each in dropped], timeout=CLOSE_SECONDS)

    # -- sending

    def via_for(self, hop: Hop, local: Address | None) -> str:
        """A Via value for a request to `hop`: our address, a new branch, rport (RFC 3261 8.1.1.7, RFC 3581
        3).

        Raises UsageError when nothing listens on an address of the hop's family.
        """
        host, port = self._sent_by(hop, local)
        shown = f"[{host}]" if ":" in host else host
        return f"SIP/2.0/{hop.transport} {shown}:{port};branch={COOKIE}{secrets.token_hex(12)};rport"

    async def line(self, hop: Hop, local: Address | None) -> Line:
        """The way to a hop: a UDP socket with its target, or a connection, open already or new.

        Raises TransportFailed.
        """
        host = await _literal(hop)
        target = Address(host, hop.port)
        if hop.transport is Transport.UDP:
            return Datagrams(self._endpoint_for(target, local), target)
        if hop.transport is not Transport.TCP:
            raise TransportFailed(hop.transport, target, "this transport is not supported")
        return Stream(await self._connection_to(target, local))

    def respond(
        self, data: bytes, via: Via, arrival: Arrival, failed: Callable[[TransportFailed], None]
    ) -> None:
        """Send a response the way RFC 3261 18.2.2 says: where its request came from, else where Via points.

        Raises TransportFailed; what fails only later, while a connection is opened, goes to `failed`.
        """
        connection, endpoint = arrival.connection, arrival.endpoint
        if endpoint is not None:
            endpoint.send(data, datagram_target(via))
        elif connection is not None and connection.open:
            connection.write(data)
        else:
            self._spawn(self._respond_anew(data, via, arrival, failed))

    async def _respond_anew(
        self, data: bytes, via: Via, arrival: Arrival, failed: Callable[[TransportFailed], None]
    ) -> None:
        """The connection of the request is gone: open one to the sender (18.2.2)."""
        try:
            connection = await self._connection_to(stream_target(via, arrival.transport), arrival.local)
            connection.write(data)
        except TransportFailed as error:
            failed(error)

    # -- receiving

    def _datagram(self, found: object, source: Address, endpoint: UdpEndpoint) -> None:
        if found is not None:
            self._user.received(found, Arrival(Transport.UDP, source, endpoint.local, endpoint, None))

    def connection_opened(self, connection: TcpConnection) -> None:
        """A connection is there, in either direction."""
        self._connections.add(connection)

    def connection_received(self, connection: TcpConnection, found: object) -> None:
        """A message, a keep-alive or an error of a connection."""
        if isinstance(found, KeepAlive):
            if found.ping and connection.open:  # RFC 5626 4.4.1
                connection.write(b"\r\n")
            return
        arrival = Arrival(Transport.TCP, connection.remote, connection.local, None, connection)
        self._user.received(found, arrival)

    def connection_closed(self, connection: TcpConnection, error: Exception | None) -> None:
        """A connection is gone. Closed in order, the response may still come on another one (18.2.2)."""
        self._connections.discard(connection)
        if error is not None:
            self._lost(connection, f"the connection was reset: {error}")

    def _lost(self, connection: TcpConnection, actual: str) -> None:
        error = TransportFailed(Transport.TCP, connection.remote, actual)
        self._user.connection_lost(connection, error)

    # -- the ways out

    def _endpoint_for(self, target: Address, local: Address | None) -> UdpEndpoint:
        family = [each for each in self._endpoints if _same_family(each.local.host, target.host)]
        exact = [each for each in family if each.local == local]
        if not family:
            raise TransportFailed(Transport.UDP, target, "the agent listens on no address of that family")
        return (exact or family)[0]

    async def _connection_to(self, target: Address, local: Address | None) -> TcpConnection:
        """The open connection to that address (RFC 3261 18: shared by both directions), or a new one."""
        source = self._source_for(target, local)
        for connection in self._connections:
            remote = connection.remote
            there = remote.port == target.port and same_host(remote.host, target.host)
            here = local is None or source is None or same_host(connection.local.host, source)
            if connection.open and there and here:
                return connection
        key = (target.host, target.port, source or "")
        task = self._connecting.get(key)
        if task is None:
            task = self._connecting[key] = self._spawn(self._connect(target, source))
            task.add_done_callback(lambda _: self._connecting.pop(key, None))
        try:
            # Others may wait for the same connection: a caller who gives up does not end it.
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise TransportFailed(Transport.TCP, target, "connecting was given up") from None
            raise

    async def _connect(self, target: Address, source: str | None) -> TcpConnection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, connection = await loop.create_connection(
                    partial(self._new_connection, accepted=False),
                    target.host,
                    target.port,
                    local_addr=(source, 0) if source else None,
                )
        except TimeoutError as error:
            actual = f"no connection within {self._connect_seconds:g} s"
            raise TransportFailed(Transport.TCP, target, actual) from error
        except OSError as error:
            # The loop's own text hides what the kernel said.
            actual = os.strerror(error.errno) if error.errno else str(error)
            raise TransportFailed(Transport.TCP, target, actual) from error
        return connection

    def _new_connection(self, *, accepted: bool) -> TcpConnection:
        return TcpConnection(
            self.timeline,
            Layer.SIP,
            StreamFramer(self._limits),
            self,
            self.scheduler,
            accepted=accepted,
            idle_seconds=self._idle_seconds,
        )

    def _source_for(self, target: Address, local: Address | None) -> str | None:
        """The host a connection is opened from: the one the other end knows us by, if it can be told."""
        for address in (local, *self.addresses):
            if address is not None and _same_family(address.host, target.host):
                return None if _is_wildcard(address.host) else address.host
        return None

    def _sent_by(self, hop: Hop, local: Address | None) -> Address:
        for address in (local, *self.addresses):
            if address is not None and _same_family(address.host, hop.host):
                wild = _is_wildcard(address.host)
                return Address(source_towards(hop.host), address.port) if wild else address
        raise UsageError(f"no Via for {hop.host}: the agent listens on no address of that family")

    def address_named(self, host: str, port: int | None) -> Address | None:
        """The listening address a Via names, if it is one of ours."""
        return next((a for a in self.addresses if a.port == port and same_host(a.host, host)), None)

    # -- background work

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run in the background; what it raises is logged when nobody else looks at it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned_ended)
        return task

    def _spawned_ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            error = task.exception()
            _log.log(logging.DEBUG if isinstance(error, RcsLabError) else logging.ERROR, "%s", error)


def _inspect(data: bytes) -> tuple[object, str]:
    """What a datagram holds, and the note for the timeline."""
    if is_keep_alive(data):
        return None, "keep-alive"
    try:
        return parse_message(data), ""
    except SipSyntaxError as error:
        return error, str(error)


def _same_family(one: str, other: str) -> bool:
    return (":" in one) == (":" in other)


def _is_wildcard(host: str) -> bool:
    return host in ("0.0.0.0", "::")


async def _literal(hop: Hop) -> str:
    """The address of a hop. Raises TransportFailed when a name has none."""
    host = hop.host.strip("[]")
    if ":" in host or host.replace(".", "").isdigit():
        return host
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, hop.port)
    except OSError as error:
        raise TransportFailed(hop.transport, Address(host, hop.port), str(error)) from error
    return str(found[0][4][0])
