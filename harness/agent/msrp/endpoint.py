"""The MSRP side of the agent: one port for all sessions, connections opened and shared (RFC 4975 5.4, 7.3).

A session is matched by the session-id of the first SEND's To-Path and lives on that connection from then on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from harness.agent.background import Background
from harness.agent.failures import TransportFailed
from harness.agent.metrics import Counter, Metrics
from harness.agent.msrp.content import MEMORY_OCTETS, SpooledContent
from harness.agent.msrp.line import READ_OCTETS, MsrpLine, MsrpStream, MsrpTcp, MsrpTls
from harness.agent.msrp.plan import MsrpPlan, Role
from harness.agent.msrp.session import MsrpUser, SessionHandle
from harness.agent.msrp.terms import MsrpTerms
from harness.agent.scheduler import Scheduler
from harness.agent.sip.own_addresses import reached_at
from harness.agent.sockets.connection_watch import MSRP_LIMITS, ConnectionLimits
from harness.agent.sockets.connections import Connections
from harness.agent.sockets.connector import Connector, Wanted
from harness.agent.sockets.listening_sockets import address_of, open_stream
from harness.agent.sockets.tcp_connection import TcpConnection
from harness.agent.sockets.tls import TlsContext, client_context, fingerprint_context, own_fingerprints
from harness.agent.sockets.tls_session import TlsSession
from harness.agent.sockets.tls_settings import TlsSettings
from harness.bodies.sdp_attributes import Fingerprint, fingerprint_matches
from harness.errors import MsrpSyntaxError, UsageError
from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.msrp.connection import MsrpConnection
from harness.msrp.framing import Exceeded, FramingError, MsrpLimits
from harness.msrp.ids import RANDOM_IDS, MsrpIds
from harness.msrp.session import MsrpSession
from harness.msrp.uri import new_session_uri, parse_msrp_uri

CONNECT_SECONDS = 10.0
_LIMIT_COUNTERS = {
    Exceeded.HEAD: Counter.TOO_LARGE,
    Exceeded.FIELDS: Counter.TOO_MANY_HEADERS,
    Exceeded.MESSAGE: Counter.TOO_LARGE,
}


class MsrpEndpoint:
    """Every MSRP session of the peer or of a simulated handset.

    Args: limits bound a message on the wire, connection_limits a connection. tls: our certificate and whom we
    trust. memory_octets: of the content of a message before it goes to a file, in `folder`. ids: how session
    and transaction ids are made. alter: makes of octets those that are sent, wrong on purpose. scheduler and
    clock: timers for tests, and the seconds they run by (the loop's by default).
    """

    def __init__(
        self,
        timeline: Timeline,
        *,
        limits: MsrpLimits | None = None,
        connection_limits: ConnectionLimits = MSRP_LIMITS,
        tls: TlsSettings | None = None,
        memory_octets: int = MEMORY_OCTETS,
        folder: Path | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        ids: MsrpIds = RANDOM_IDS,
        alter: Callable[[bytes], bytes] | None = None,
        scheduler: Scheduler | None = None,
        clock: Callable[[], float] | None = None,
        part: str = "MSRP endpoint",
    ) -> None:
        self.timeline, self.part, self.metrics = timeline, part, Metrics()
        self.addresses: list[Address] = []
        self.tls_addresses: list[Address] = []
        self._limits, self._connection_limits = limits or MsrpLimits(), connection_limits
        self._tls = tls
        self._fingerprints: tuple[Fingerprint, ...] = ()
        self._ids, self._alter = ids, alter
        self._new_content = partial(SpooledContent, memory_octets, folder)
        self._given_scheduler, self._given_clock = scheduler, clock
        self._servers: list[asyncio.Server] = []
        self._connections = Connections(connection_limits.per_source)
        self._lines: dict[TcpConnection, MsrpLine] = {}
        self._line_of: dict[MsrpConnection, MsrpLine] = {}
        self._opened: dict[tuple[Wanted, bool], TcpConnection] = {}
        self._sessions: dict[str, SessionHandle] = {}
        self._expected: dict[str, list[MsrpLine]] = {}  # session-id offered -> lines that wait for the answer
        self._buffer = bytearray(READ_OCTETS)
        self._background = Background()
        self._connectors = {
            by_fingerprint: Connector(
                partial(self._connection_for, by_fingerprint), self._background, connect_seconds
            )
            for by_fingerprint in (False, True)
        }

    # -- life

    async def listen(self, host: str, port: int = 0) -> Address:
        """Listen on a TCP port, 0 for any. Raises AddressTaken, or LabError for an unusable address."""
        address = await self._listen(host, port, lambda: self._connection(accepted=True))
        self.addresses.append(address)
        return address

    async def listen_tls(self, host: str, port: int = 0) -> Address:
        """Listen for TLS, whose clients show a certificate that their SDP names (RFC 8122).

        Raises UsageError without a certificate of ours, otherwise as `listen`.
        """
        settings = self._tls or TlsSettings()
        context = fingerprint_context(settings, server=True)
        self._fingerprints = own_fingerprints(settings)
        address = await self._listen(
            host, port, lambda: self._connection(accepted=True, session=TlsSession(context))
        )
        self.tls_addresses.append(address)
        return address

    async def close(self) -> None:
        """Stop listening, end every session and close every connection, within about a second."""
        for server in self._servers:
            server.close()
        self._background.cancel()
        for handle in tuple(self._sessions.values()):
            self._end(handle, "the endpoint was closed")
        await self._connections.close("the endpoint was closed")
        await self._background.ended()
        self._servers.clear()
        self.addresses.clear()
        self.tls_addresses.clear()

    def cut(self) -> None:
        """From now on nothing leaves on any connection."""
        for connection in self._connections:
            connection.abort("dropped")

    async def drop_connections(self) -> None:
        """Lose every connection at once, as when the radio is lost, and wait until they are gone."""
        self.cut()
        await self._connections.ended()

    # -- sessions

    def terms(self, local: Address) -> MsrpTerms:
        """Terms of a new session here, over TLS as well where we listen for it (RFC 4975 14.4).

        local: our side of the SIP exchange, at a host the other end can reach. Raises UsageError when nothing
        listens on an address of its family.
        """
        plain = new_session_uri(*reached_at(self.addresses, local), session_id=self._ids.session())
        secure = (
            new_session_uri(
                *reached_at(self.tls_addresses, local), secure=True, session_id=self._ids.session()
            )
            if self.tls_addresses
            else None
        )
        return MsrpTerms(str(plain), str(secure) if secure else None, fingerprints=self._fingerprints)

    def open(self, plan: MsrpPlan, user: MsrpUser | None = None) -> SessionHandle:
        """Begin a session as offer and answer settled it.

        Active, we connect and send what is there, or a SEND without body; passive, we wait for the other
        side, connected to our relay where we have one (RFC 6135 4.5). What is sent before there is a
        connection waits for it. Raises UsageError for a session-id that is none or in use.
        """
        session_id = self._session_id(plan.own_uri)
        if session_id in self._sessions:
            raise UsageError(f"{plan.own_uri}: a session with this session-id is open (RFC 4975 8.2)")
        handle = SessionHandle(plan, user or MsrpUser(), self._new_content, self._ids.transaction, self._end)
        self._sessions[session_id] = handle
        self._let_on(session_id)
        if plan.role is Role.ACTIVE or plan.connect_to is not None:
            self._background.spawn(self._connect(handle))
        return handle

    def expect(self, uri: str) -> None:
        """We offered this session of ours and can be connected to: its first SEND may come before the answer.

        Such a connection is not read on until `open`, or `forget` when there will be no session (RFC 3264
        5.1: who offers is ready for what comes). Raises UsageError for a URI that names no session.
        """
        self._expected.setdefault(self._session_id(uri), [])

    def forget(self, uri: str) -> None:
        """No session is expected any more: a SEND for it gets 481."""
        self._let_on(self._session_id(uri))

    def _let_on(self, session_id: str) -> None:
        for line in self._expected.pop(session_id, ()):
            asyncio.get_running_loop().call_soon(self._read_on, line)

    def _read_on(self, line: MsrpLine) -> None:
        """What waited for a session to be settled goes on."""
        if line.connection not in self._lines:
            return
        line.connection.read_on(True)
        for found in (*line.sessions.resume(), line.connection.stream):
            self.connection_received(line.connection, found)

    def session_for(self, uri: str, connection: MsrpConnection) -> MsrpSession | int | None:
        """The session a first SEND is for, or the status to refuse it with (5.4, 7.3)."""
        try:
            session_id = self._session_id(uri)
        except UsageError:
            session_id = ""
        handle, line = self._sessions.get(session_id), self._line_of.get(connection)
        if handle is None and line is not None and session_id in self._expected:
            self._event(line.connection, "session-awaited", f"{uri}: the answer to our offer is not here yet")
            self._expected[session_id].append(line)
            line.connection.read_on(False)
            return None
        if handle is None or handle.failed or line is None:
            return 481
        if handle.line is not None and handle.line is not line:
            return 506
        refusal = self._why_not(handle, line)
        if refusal:
            self._event(line.connection, "session-refused", f"{uri}: {refusal}")
            if isinstance(line.connection, MsrpTls):  # RFC 8122 6.2: it ends, once it has its answer
                asyncio.get_running_loop().call_soon(self._close_unused, line.connection, refusal)
            return 403
        if parse_msrp_uri(uri) != parse_msrp_uri(handle.plan.own_uri):
            text = f"{uri} is for {handle.plan.own_uri}: only the session-id is the same"
            self._event(line.connection, "session-matched", text)
        self._bound(handle, line)
        return handle.session

    def _bound(self, handle: SessionHandle, line: MsrpLine) -> None:
        if handle.line is not line:
            handle.line = line
            line.handles.append(handle)
        if not handle.ready.done():
            handle.ready.set_result(None)

    def _why_not(self, handle: SessionHandle, line: MsrpLine) -> str:
        """Why a session may not live on a connection, empty when it may (RFC 4975 14.4, RFC 8122 6)."""
        connection, plan = line.connection, handle.plan
        if plan.tls != isinstance(connection, MsrpTls):
            return "it was negotiated with TLS" if plan.tls else "it was negotiated without TLS"
        return self._certificate_wrong(connection, plan) if isinstance(connection, MsrpTls) else ""

    def _certificate_wrong(self, connection: MsrpTls, plan: MsrpPlan) -> str:
        certificate = connection.session.certificate
        if not plan.fingerprints:
            return ""  # judged by name, where we connected
        if certificate is None or not fingerprint_matches(plan.fingerprints, certificate):
            return "the certificate has none of the fingerprints of the SDP"
        return ""

    async def _connect(self, handle: SessionHandle) -> None:
        """Open the connection of a session, or share one that leads there (5.4); the active side speaks."""
        plan = handle.plan
        try:
            connection = await self._connection_to(plan)
        except TransportFailed as error:
            self._not_connected(handle, error)
            return
        line = self._lines.get(connection)
        refusal = "the session was closed" if handle.failed else ""
        refusal = refusal or ("the connection was closed" if line is None else self._why_not(handle, line))
        if refusal or line is None:
            self._event(connection, "session-refused", f"{plan.own_uri}: {refusal}")
            self._not_connected(handle, TransportFailed(connection.kind, connection.remote, refusal))
            self._close_unused(connection, refusal)
            return
        if plan.role is Role.ACTIVE and not handle.session.waits:
            handle.session.send(None)
        line.sessions.attach(handle.session)
        self._bound(handle, line)
        handle.flush()

    async def _connection_to(self, plan: MsrpPlan) -> TcpConnection:
        if plan.connect_to is None:
            raise TransportFailed(Transport.TCP, Address("", 0), "the plan names no address to connect to")
        target = Address(*plan.connect_to)
        wanted = Wanted(Transport.TLS if plan.tls else Transport.TCP, target, None, target.host)
        key = wanted, bool(plan.fingerprints)
        known = self._opened.get(key)
        if known is not None and known.open:
            self.metrics.count(Counter.REUSED)
            return known
        connection = self._opened[key] = await self._connectors[bool(plan.fingerprints)].connect(wanted)
        return connection

    def _not_connected(self, handle: SessionHandle, error: TransportFailed) -> None:
        handle.session.unbind(str(error))
        if not handle.ready.done():
            handle.ready.set_exception(error)
            handle.ready.exception()  # marks it as looked at: not everybody waits for it
        handle.tell()

    def _end(self, handle: SessionHandle, reason: str) -> None:
        """A session is over."""
        self._sessions.pop(self._session_id(handle.plan.own_uri), None)
        line, handle.line = handle.line, None
        if line is None:
            target = Address(*(handle.plan.connect_to or ("", 0)))
            self._not_connected(handle, TransportFailed(Transport.TCP, target, reason))
            return
        line.handles.remove(handle)
        line.flush()
        line.sessions.detach(handle.session, reason)
        line.flush()
        self._close_unused(line.connection, reason)
        handle.tell()

    def _close_unused(self, connection: TcpConnection, reason: str) -> None:
        """A connection that no session uses any more ends (5.4)."""
        line = self._lines.get(connection)
        if line is not None and not line.sessions.sessions:
            connection.close(reason)

    # -- connections

    def connection_opened(self, connection: TcpConnection) -> None:
        """A connection is there, in either direction."""
        assert isinstance(connection, MsrpTcp | MsrpTls)
        loop = asyncio.get_running_loop()
        scheduler, clock = self._given_scheduler or loop, self._given_clock or loop.time
        line = self._lines[connection] = MsrpLine(connection, scheduler, clock, self._tell, self._alter)
        self._line_of[line.sessions] = line
        if not self._connections.add(connection):
            most = self._connections.per_source
            connection.refuse(
                Counter.TOO_MANY_CONNECTIONS, f"{connection.remote.host} has {most} connections already"
            )

    def connection_received(self, connection: TcpConnection, found: object) -> None:
        """Octets were read: send what they brought about, and tell of it."""
        if isinstance(found, FramingError):
            limit = Counter.UNREADABLE if found.exceeded is None else _LIMIT_COUNTERS[found.exceeded]
            self.metrics.count(limit)
            self._event(connection, limit.value, str(found))
        line = self._lines.get(connection)
        if line is not None:
            line.flush()
            self._tell(line)

    def connection_closed(self, connection: TcpConnection, error: Exception | None) -> None:
        """A connection is gone, and with it its sessions (5.4)."""
        self._connections.discard(connection)
        self._opened = {key: each for key, each in self._opened.items() if each is not connection}
        line = self._lines.pop(connection, None)
        if line is None:
            return
        self._line_of.pop(line.sessions, None)
        line.close("the connection was closed" if error is None else f"the connection was reset: {error}")
        for handle in line.handles:
            handle.line = None
            handle.tell()

    def _tell(self, line: MsrpLine) -> None:
        for name, text in line.sessions.notes:
            self._event(line.connection, name, text)
        line.sessions.notes.clear()
        for handle in tuple(line.handles):
            handle.tell()

    async def _listen(self, host: str, port: int, make: Callable[[], TcpConnection]) -> Address:
        bound = open_stream(self.part, host, port)
        address = address_of(bound)
        self._servers.append(await asyncio.get_running_loop().create_server(make, sock=bound))
        return address

    def _connection_for(self, by_fingerprint: bool, wanted: Wanted) -> TcpConnection:
        if wanted.transport is not Transport.TLS:
            return self._connection(accepted=False)
        settings = self._tls or TlsSettings()
        context: TlsContext = (
            fingerprint_context(settings, server=False) if by_fingerprint else client_context(settings)
        )
        return self._connection(accepted=False, session=TlsSession(context, wanted.name))

    def _connection(self, *, accepted: bool, session: TlsSession | None = None) -> TcpConnection:
        stream = MsrpStream(self, self._limits)
        kind = MsrpTcp if session is None else partial(MsrpTls, session=session)
        connection: MsrpTcp | MsrpTls = kind(
            self.timeline,
            Layer.MSRP,
            stream,
            self,
            self._given_scheduler or asyncio.get_running_loop(),
            accepted=accepted,
            limits=self._connection_limits,
            metrics=self.metrics,
        )
        connection.stream, connection.buffer = stream, self._buffer
        return connection

    def _event(self, connection: TcpConnection, name: str, text: str) -> None:
        self.timeline.event(
            Layer.MSRP,
            name,
            text,
            local=str(connection.local),
            remote=str(connection.remote),
            connection=connection.number,
        )

    def _session_id(self, uri: str) -> str:
        try:
            session_id = parse_msrp_uri(uri).session_id
        except MsrpSyntaxError as error:
            raise UsageError(str(error)) from error
        if session_id is None:
            raise UsageError(f"{uri} names no session (RFC 4975 6)")
        return session_id
