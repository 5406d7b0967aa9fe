"""The SIP transport layer on sockets (RFC 3261 18, RFC 3581, RFC 5626 keep-alives, RFC 5923 reuse).

Octets become messages here and go on the timeline. Transactions are the affair of harness.agent.sip.agent.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from typing import Protocol

from harness.agent.background import Background
from harness.agent.failures import TransportFailed
from harness.agent.metrics import Counter, Metrics
from harness.agent.scheduler import Scheduler
from harness.agent.sip.keep_alive import FlowKeepAlive, KeptFlows
from harness.agent.sip.own_addresses import OwnAddresses, nearest
from harness.agent.sip.stun_bindings import StunBindings
from harness.agent.sip.via_routing import (
    DEFAULT_PORTS,
    choose_transport,
    same_host,
    with_transport,
)
from harness.agent.sip.ways_out import (
    Arrival,
    Datagrams,
    Hop,
    Line,
    Stream,
    literal,
    same_family,
)
from harness.agent.sockets.certificates import speaks_for
from harness.agent.sockets.connection_watch import DEFAULT_LIMITS, ConnectionLimits
from harness.agent.sockets.connections import Connections
from harness.agent.sockets.connector import Connector, Wanted
from harness.agent.sockets.listening_sockets import (
    address_of,
    open_pair,
    open_stream,
)
from harness.agent.sockets.tcp_connection import TcpConnection
from harness.agent.sockets.tls import TlsContext, client_context, server_context
from harness.agent.sockets.tls_connection import TlsConnection
from harness.agent.sockets.tls_session import TlsSession
from harness.agent.sockets.tls_settings import TlsSettings
from harness.agent.sockets.udp_endpoint import UdpEndpoint
from harness.errors import SipSyntaxError
from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.sip.framing import Exceeded, FramingError, KeepAlive, Limits, StreamFramer, is_keep_alive
from harness.sip.headers import COOKIE
from harness.sip.message import Request, parse_message
from harness.sip.stun import StunMessage, is_stun

CONNECT_SECONDS = 5.0
_LIMIT_COUNTERS = {
    Exceeded.HEAD: Counter.TOO_LARGE,
    Exceeded.BODY: Counter.TOO_LARGE,
    Exceeded.FIELDS: Counter.TOO_MANY_HEADERS,
}


class TransportUser(Protocol):
    """Who gets what arrives: the transaction layer."""

    def received(self, found: object, arrival: Arrival) -> None:
        """A Request, a Response, or the SipSyntaxError of octets that are none."""

    def connection_lost(self, connection: TcpConnection, error: TransportFailed) -> None:
        """A connection broke: what waits on it fails. Not called for one that was closed in order."""


class SipTransport:
    """Listens, opens connections, and finds the way out for requests and responses.

    Args: limits bound a message, connection_limits a connection. tls is our side of connections we open.
    connect_seconds bounds opening one. scheduler: a clock for the timers (the loop by default).
    """

    def __init__(
        self,
        timeline: Timeline,
        user: TransportUser,
        *,
        limits: Limits | None = None,
        connection_limits: ConnectionLimits | None = None,
        tls: TlsSettings | None = None,
        scheduler: Scheduler | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        part: str = "SIP agent",
    ) -> None:
        self.timeline, self.part, self.metrics = timeline, part, Metrics()
        self.own = OwnAddresses()
        self._user, self._limits = user, limits or Limits()
        self._connection_limits = connection_limits or DEFAULT_LIMITS
        self._given_scheduler = scheduler
        self._client_tls = client_context(tls) if tls is not None else None
        self._endpoints: list[UdpEndpoint] = []
        self._servers: list[asyncio.Server] = []
        self._connections = Connections(self._connection_limits.per_source)
        self._background = Background()
        self._connector = Connector(self._connection_for, self._background, connect_seconds)
        self._bindings = StunBindings(self.metrics)
        self._kept = KeptFlows(timeline, self.metrics, self._bindings)

    @property
    def scheduler(self) -> Scheduler:
        """What calls back later."""
        return self._given_scheduler or asyncio.get_running_loop()

    # -- life

    async def listen(self, host: str, port: int = 0) -> Address:
        """Listen on UDP and TCP of one port. Raises AddressTaken, or LabError for an unusable address."""
        loop = asyncio.get_running_loop()
        pair = open_pair(self.part, host, port)
        self._endpoints.append(
            UdpEndpoint(
                pair.datagram,
                self.timeline,
                Layer.SIP,
                pair.address,
                self._inspect,
                self._datagram,
                partial(self.metrics.count, Counter.DROPPED),
            )
        )
        self._servers.append(
            await loop.create_server(partial(self._connection, accepted=True), sock=pair.stream)
        )
        self.own.plain.append(pair.address)
        return pair.address

    async def listen_tls(self, host: str, port: int, settings: TlsSettings) -> Address:
        """Listen for TLS. Raises UsageError for files that are no use, otherwise as `listen`."""
        make = partial(self._accepted_by_tls, server_context(settings))
        bound = open_stream(self.part, host, port)
        address = address_of(bound)
        self._servers.append(await asyncio.get_running_loop().create_server(make, sock=bound))
        self.own.secured.append(address)
        return address

    async def close(self) -> None:
        """Stop listening and let what was written leave, all within about a second."""
        for server in self._servers:
            server.close()
        self._background.cancel()
        for endpoint in self._endpoints:
            endpoint.close()
        await self._connections.close("the agent was closed")
        await self._background.ended()
        if self._endpoints:
            await asyncio.wait([each.closed for each in self._endpoints], timeout=1.0)
        self._servers.clear()
        self._endpoints.clear()
        self.own.clear()

    async def drop_connections(self) -> None:
        """Lose every connection at once. Listening goes on."""
        self._connector.give_up()
        for connection in self._connections:
            connection.abort("dropped")
            self._lost(connection, "the connection was dropped")
        await self._connections.ended()

    # -- sending

    def via_for(self, hop: Hop, local: Address | None) -> str:
        """A Via value for a request to `hop`: our address, a new branch, rport (RFC 3261 8.1.1.7, RFC 3581
        3).

        Raises UsageError when nothing listens on an address of the hop's family.
        """
        host, port = self.own.sent_by(hop, local)
        shown = f"[{host}]" if ":" in host else host
        return f"SIP/2.0/{hop.transport} {shown}:{port};branch={COOKIE}{secrets.token_hex(12)};rport"

    async def way(
        self, request: Request, hop: Hop, local: Address | None, *, exact: bool = False
    ) -> tuple[Request, Line]:
        """A request as it goes out, and its way (18.1.1): above 1300 octets TCP instead of UDP.

        Where TCP is refused it goes over UDP after all. exact: by the hop's transport, whatever the size.
        Raises TransportFailed.
        """
        chosen = hop.transport if exact else choose_transport(request, hop.transport)
        if chosen is hop.transport:
            return request, await self.line(hop, local)
        try:
            line = await self.line(hop._replace(transport=chosen), local)
        except TransportFailed as error:
            if not error.refused:
                raise
            self.metrics.count(Counter.FELL_BACK)
            return request, await self.line(hop, local)
        self.metrics.count(Counter.SWITCHED)
        return with_transport(request, chosen), line

    async def line(self, hop: Hop, local: Address | None) -> Line:
        """The way to a hop: a UDP socket with its target, or a connection, open already or new.

        Raises TransportFailed.
        """
        target = await literal(hop)
        if hop.transport is Transport.UDP:
            return Datagrams(self._endpoint_for(target, local), target)
        return Stream(await self._connection_to(hop, target, local))

    async def keep_alive(
        self, hop: Hop, local: Address | None, failed: Callable[[str], None], flow_timer: float | None
    ) -> FlowKeepAlive:
        """Keep the flow to a hop alive (RFC 5626 4.4). Raises TransportFailed where there is none."""
        return self._kept.keep(await self.line(hop, local), failed, flow_timer, self.scheduler)

    def respond(
        self, data: bytes, back: Hop, arrival: Arrival, failed: Callable[[TransportFailed], None]
    ) -> None:
        """Send a response the way RFC 3261 18.2.2 says: where its request came from, else where its Via says.

        back: the latter (`via_routing.way_back`). Raises TransportFailed; what fails only later, while a
        connection is opened, goes to `failed`.
        """
        connection, endpoint = arrival.connection, arrival.endpoint
        if endpoint is not None:
            endpoint.send(data, back.address)
        elif connection is not None and connection.open:
            connection.write(data)
        else:
            self._background.spawn(self._respond_anew(data, back, arrival, failed))

    async def _respond_anew(
        self, data: bytes, back: Hop, arrival: Arrival, failed: Callable[[TransportFailed], None]
    ) -> None:
        """The connection of the request is gone: take another to the sender (18.2.2)."""
        try:
            line = await self.line(back, arrival.local)
            line.write(data)
            self.metrics.count(Counter.RESPONDED_ANEW)
        except TransportFailed as error:
            failed(error)

    # -- receiving

    def _datagram(self, found: object, source: Address, local: Address, endpoint: UdpEndpoint) -> None:
        if isinstance(found, StunMessage):
            self._bindings.received(found, source, endpoint)
        elif found is not None:
            self._hand_up(found, Arrival(Transport.UDP, source, local, endpoint, None))

    def _inspect(self, data: bytes) -> tuple[object, str]:
        """What a datagram holds, and the note for the timeline."""
        if is_keep_alive(data):
            return None, "keep-alive"
        if data[0] < 2 and is_stun(data):  # no SIP message begins so (RFC 5626 8)
            return self._bindings.inspect(data)
        try:
            message = parse_message(data)
        except SipSyntaxError as error:
            return error, str(error)
        above = self._limits.too_many_fields(message)
        return (above, str(above)) if above is not None else (message, "")

    def connection_opened(self, connection: TcpConnection) -> None:
        """A connection is there, in either direction."""
        if not self._connections.add(connection):
            most = self._connections.per_source
            connection.refuse(
                Counter.TOO_MANY_CONNECTIONS, f"{connection.remote.host} has {most} connections already"
            )

    def connection_received(self, connection: TcpConnection, found: object) -> None:
        """A message, a keep-alive or an error of a connection."""
        if isinstance(found, KeepAlive):
            if self._kept.pong(connection):
                return
            if found.ping and connection.open:  # RFC 5626 4.4.1
                self.metrics.count(Counter.PINGS)
                connection.write(b"\r\n")
            return
        if isinstance(found, Request) and connection.identities:
            self._learn_alias(connection, found)
        arrival = Arrival(connection.kind, connection.remote, connection.local, None, connection)
        self._hand_up(found, arrival)

    def _hand_up(self, found: object, arrival: Arrival) -> None:
        if isinstance(found, FramingError) and found.exceeded is not None:
            limit = _LIMIT_COUNTERS[found.exceeded]
            self.metrics.count(limit)
            self.timeline.event(
                Layer.SIP, limit.value, str(found), local=str(arrival.local), remote=str(arrival.source)
            )
        elif isinstance(found, SipSyntaxError):
            self.metrics.count(Counter.UNREADABLE)
        self._user.received(found, arrival)

    def connection_closed(self, connection: TcpConnection, error: Exception | None) -> None:
        """A connection is gone. Closed in order, the response may still come on another one (18.2.2)."""
        self._connections.discard(connection)
        self._kept.gone(connection)
        if error is not None:
            self._lost(connection, f"the connection was reset: {error}")

    def _lost(self, connection: TcpConnection, actual: str) -> None:
        error = TransportFailed(connection.kind, connection.remote, actual)
        self._user.connection_lost(connection, error)

    def _learn_alias(self, connection: TcpConnection, request: Request) -> None:
        """A client that proved who it is may be reached over its connection (RFC 5923 8.2, 9.2)."""
        try:
            via = request.via
        except SipSyntaxError:
            return
        if "alias" in via.parameters and speaks_for(connection.identities, via.host):
            port = via.port or DEFAULT_PORTS[Transport.TLS]
            self._connections.alias(connection, Address(connection.remote.host, port))

    # -- the ways out

    def _endpoint_for(self, target: Address, local: Address | None) -> UdpEndpoint:
        family = [each for each in self._endpoints if same_family(each.local.host, target.host)]
        if not family:
            raise TransportFailed(Transport.UDP, target, "the agent listens on no address of that family")
        best = nearest([each.local for each in family], local)
        return next(each for each in family if each.local == best)

    async def _connection_to(self, hop: Hop, target: Address, local: Address | None) -> TcpConnection:
        """The open connection to that address (RFC 3261 18: shared by both directions), or a new one."""
        source = self.own.source_for(target, local)
        wanted = Wanted(hop.transport, target, source, hop.name or hop.host)
        for connection in self._connections.towards(target):
            here = local is None or source is None or same_host(connection.local.host, source)
            if here and self._may_carry(connection, wanted):
                self.metrics.count(Counter.REUSED)
                return connection
        return await self._connector.connect(wanted)

    def _may_carry(self, connection: TcpConnection, wanted: Wanted) -> bool:
        """Whether a connection is one for that hop.

        One the other end opened leads back to that end alone, whatever it is called (RFC 5626 5.3); under an
        address it only gave as its own, and one we opened, it has to be who is wanted (RFC 5923 8.1, 8.2).
        """
        if connection.kind is not wanted.transport:
            return False
        if connection.kind is not Transport.TLS or not self._tls.identify:
            return True
        flow = connection.accepted and connection.remote == wanted.target
        return flow or speaks_for(connection.identities, wanted.name)

    @property
    def _tls(self) -> TlsContext:
        """Our side of TLS connections we open; made when the first one is."""
        if self._client_tls is None:
            self._client_tls = client_context(TlsSettings())
        return self._client_tls

    def _connection(self, *, accepted: bool, session: TlsSession | None = None) -> TcpConnection:
        kind = TcpConnection if session is None else partial(TlsConnection, session=session)
        return kind(
            self.timeline,
            Layer.SIP,
            StreamFramer(self._limits),
            self,
            self.scheduler,
            accepted=accepted,
            limits=self._connection_limits,
            metrics=self.metrics,
        )

    def _accepted_by_tls(self, context: TlsContext) -> TcpConnection:
        return self._connection(accepted=True, session=TlsSession(context))

    def _connection_for(self, wanted: Wanted) -> TcpConnection:
        session = TlsSession(self._tls, wanted.name) if wanted.transport is Transport.TLS else None
        return self._connection(accepted=False, session=session)
