"""The SIP transport and transaction layers on sockets (RFC 3261 17 and 18, RFC 3581, RFC 5626 keep-alives).

Messages come and go here, their meaning is the user's affair. Everything received or sent is on the timeline.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from harness.agent.bad_requests import Refusal, missing, refusal_of, refusal_of_error
from harness.agent.failures import TransactionTimeout, TransportFailed
from harness.agent.listening_sockets import open_pair, source_towards
from harness.agent.tcp_connection import Scheduler, TcpConnection
from harness.agent.transaction_run import TransactionRun
from harness.agent.udp_endpoint import UdpEndpoint
from harness.agent.via_routing import (
    choose_transport,
    datagram_target,
    same_host,
    stamped,
    stream_target,
    with_transport,
)
from harness.errors import RcsLabError, SipSyntaxError, UsageError
from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.sip.framing import FramingError, KeepAlive, Limits, StreamFramer, is_keep_alive
from harness.sip.headers import COOKIE
from harness.sip.message import REASONS, Request, Response, build_response, parse_message
from harness.sip.transaction import (
    Cause,
    ClientTransaction,
    Key,
    Refused,
    ServerTransaction,
    ServerTransactions,
    Timers,
    client_key,
)

__all__ = [
    "Hop",
    "Incoming",
    "SipAgent",
    "TransactionTimeout",
    "TransportFailed",
    "choose_transport",
    "with_transport",
]

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 10.0
CLOSE_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Hop(NamedTuple):
    """Where a request goes next. host is an address literal or a local name."""

    transport: Transport
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request that opened a server transaction, or an ACK for the user (RFC 3261 17.2.1, 13.3.1.4).

    message: as received, with `received` and `rport` in the top Via. local: where it arrived. connection:
    the id of the connection on the timeline, None over UDP.
    """

    message: Request
    transport: Transport
    source: Address
    local: Address
    connection: int | None


class SipAgent:
    """Listens on UDP and TCP, runs the transactions, answers what is no SIP.

    Args: on_request is called in the loop's thread with each new request and with each ACK to a 2xx; it
    must not block. What it raises is logged and answered 500. connect_seconds bounds opening a connection,
    idle_seconds how long half a message may wait for the rest. scheduler: a clock for the timers (the loop
    by default).
    """

    def __init__(
        self,
        timeline: Timeline,
        on_request: Callable[[Incoming], None],
        *,
        timers: Timers | None = None,
        limits: Limits | None = None,
        scheduler: Scheduler | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        part: str = "SIP agent",
    ) -> None:
        self.timeline, self.part = timeline, part
        self.addresses: list[Address] = []
        self._on_request = on_request
        self._timers, self._limits = timers or Timers(), limits or Limits()
        self._given_scheduler = scheduler
        self._connect_seconds, self._idle_seconds = connect_seconds, idle_seconds
        self._endpoints: list[UdpEndpoint] = []
        self._servers: list[asyncio.Server] = []
        self._connections: set[TcpConnection] = set()
        self._connecting: dict[tuple[str, int, str], asyncio.Task[TcpConnection]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._asked: dict[Key, _Exchange] = {}
        self._served = ServerTransactions()
        self._services: dict[ServerTransaction, _Service] = {}

    # -- life

    async def listen(self, host: str, port: int = 0) -> Address:
        """Listen on UDP and TCP of one port; may be called for several addresses, IPv4 and IPv6.

        Port 0 takes one that is free for both. Raises AddressTaken, or LabError for an address that is not
        ours.
        """
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
        """Stop listening, fail what waits, let what was written leave; all within about a second."""
        for server in self._servers:
            server.close()
        self._end_transactions("the agent was closed")
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
        """Lose every TCP connection at once, as when the radio is lost. Listening goes on."""
        for task in tuple(self._connecting.values()):
            task.cancel()
        dropped = tuple(self._connections)
        for connection in dropped:
            connection.abort("dropped")
            self._fail_exchanges(connection, "the connection was dropped")
        if dropped:
            await asyncio.wait([each.closed for each in dropped], timeout=CLOSE_SECONDS)

    # -- sending

    def via_for(self, hop: Hop, local: Address | None = None) -> str:
        """A Via value for a request to `hop`: our address, a new branch, rport (RFC 3261 8.1.1.7, RFC 3581
        3).

        Raises UsageError when the agent listens on no address of the hop's family.
        """
        host, port = self._sent_by(hop, local)
        shown = f"[{host}]" if ":" in host else host
        return f"SIP/2.0/{hop.transport} {shown}:{port};branch={COOKIE}{secrets.token_hex(12)};rport"

    async def request(
        self,
        message: Request,
        hop: Hop,
        *,
        local: Address | None = None,
        on_provisional: Callable[[Response], None] | None = None,
        on_further: Callable[[Response], None] | None = None,
    ) -> Response:
        """Send a request in a client transaction and return the final response.

        The top Via must be there already (`via_for`). on_provisional gets every 1xx, on_further every 2xx
        to an INVITE after the first (repeats and forks, RFC 6026 7.2). An ACK to a refused INVITE is sent
        from here, that to a 2xx is the caller's (`send`). Cancelling ends the repeats. Raises
        TransactionTimeout, TransportFailed, SipSyntaxError (no usable Via or CSeq), UsageError (that branch
        is in use).
        """
        machine = ClientTransaction(message, hop.transport is not Transport.UDP, self._timers)
        if message.method == "ACK" or machine.key in self._asked:
            raise UsageError(f"{message.method} with branch {message.via.branch}: no new transaction (17.1)")
        via = message.via
        line = await self._line(hop, local or self._address_named(via.host, via.port))
        exchange = _Exchange(self, machine, line, hop, on_provisional, on_further)
        self._asked[machine.key] = exchange
        exchange.run.perform(machine.start())
        try:
            return await exchange.final
        except asyncio.CancelledError:
            exchange.run.abandon()
            raise

    async def send(self, data: bytes, hop: Hop, *, local: Address | None = None) -> None:
        """Send octets as they are: an ACK to a 2xx, or a message that is wrong on purpose.

        Raises TransportFailed.
        """
        (await self._line(hop, local)).write(data)

    def respond(self, incoming: Incoming, response: Response | bytes) -> None:
        """Answer a request. Repeats of it are then answered from here (RFC 3261 17.2).

        Octets are sent as they are, wrong on purpose. A Response that RFC 4320 forbids (408 or 1xx to a
        non-INVITE) is not sent, which is logged. So is a response that comes after the transaction has ended.
        """
        service = self._service_of(incoming)
        if service is None:
            _log.warning("%s from %s: too late to answer", incoming.message.method, incoming.source)
            return
        machine = service.machine
        if isinstance(response, bytes):
            service.run.perform(machine.respond_octets(response))
        else:
            service.run.perform(machine.respond(response))

    def stay_silent(self, incoming: Incoming) -> None:
        """Never answer this request: repeats are recorded and absorbed."""
        service = self._service_of(incoming)
        if service is not None:
            service.run.perform(service.machine.stay_silent())

    def cancelled_by(self, cancel: Incoming) -> Incoming | None:
        """The INVITE a CANCEL means while its transaction lives (RFC 3261 9.2). The user answers both."""
        found = self._served.find_cancelled(cancel.message)
        return self._services[found].incoming if found is not None else None

    # -- receiving

    def _datagram(self, found: object, source: Address, endpoint: UdpEndpoint) -> None:
        arrival = _Arrival(Transport.UDP, source, endpoint.local, endpoint, None)
        self._received(found, arrival)

    def connection_opened(self, connection: TcpConnection) -> None:
        """A connection is there, in either direction."""
        self._connections.add(connection)

    def connection_received(self, connection: TcpConnection, found: object) -> None:
        """A message, a keep-alive or an error of a connection."""
        if isinstance(found, KeepAlive):
            if found.ping and connection.open:  # RFC 5626 4.4.1
                connection.write(b"\r\n")
            return
        self._received(found, _Arrival(Transport.TCP, connection.remote, connection.local, None, connection))

    def connection_closed(self, connection: TcpConnection, error: Exception | None) -> None:
        """A connection is gone. Closed in order, the response may still come on another one (18.2.2)."""
        self._connections.discard(connection)
        if error is not None:
            self._fail_exchanges(connection, f"the connection was reset: {error}")

    def _received(self, found: object, arrival: _Arrival) -> None:
        match found:
            case Response():
                self._received_response(found)
            case Request():
                self._received_request(found, arrival, refusal_of(found, arrival.transport))
            case FramingError(partial=Request() as request):
                self._received_request(request, arrival, refusal_of_error(found))

    def _received_response(self, response: Response) -> None:
        try:
            exchange = self._asked.get(client_key(response))
            ours = exchange is not None and exchange.sent_by == _sent_by(response)
        except SipSyntaxError as error:
            self._note(f"response {response.status} dropped: {error}")
            return
        if exchange is None or not ours:  # 18.1.2, RFC 6026 7.2
            what = "no transaction" if exchange is None else "a transaction, but not its sent-by"
            self._note(f"response {response.status} dropped: it matches {what}")
            return
        exchange.run.perform(exchange.machine.receive(response))

    def _received_request(self, request: Request, arrival: _Arrival, refusal: Refusal | None) -> None:
        """A new request, a repeat or an ACK. Without what a response needs it is dropped."""
        absent = missing(request)
        try:
            if absent:
                raise SipSyntaxError("request", request.start_line, 0, "RFC 3261 8.1.1", f"{absent} absent")
            request = stamped(request, arrival.source)
            found = self._served.find(request)
            if found is None and request.method != "ACK":
                machine = ServerTransaction(request, arrival.transport is not Transport.UDP, self._timers)
        except SipSyntaxError as error:
            self._note(f"{request.method} dropped, no response can be made: {error}")
            return
        incoming = Incoming(request, arrival.transport, arrival.source, arrival.local, arrival.number)
        if found is not None:
            self._services[found].run.perform(found.receive(request))
        elif request.method != "ACK":
            self._serve(machine, incoming, arrival, refusal)
        elif refusal is None:
            self._hand_up(incoming)

    def _serve(
        self, machine: ServerTransaction, incoming: Incoming, arrival: _Arrival, refusal: Refusal | None
    ) -> None:
        service = _Service(self, machine, incoming, arrival, refusal)
        self._served.add(machine)
        self._services[machine] = service
        service.run.perform(machine.start())

    def _hand_up(self, incoming: Incoming) -> None:
        """Call the user. What it raises is a defect of ours: answered 500, and the agent goes on."""
        try:
            self._on_request(incoming)
        except Exception:  # noqa: BLE001 - whatever it is, the other end gets its answer
            _log.exception("%s from %s: the handler failed", incoming.message.method, incoming.source)
            self._refuse(incoming, Refusal(500, REASONS[500]))

    def _refuse(self, incoming: Incoming, refusal: Refusal) -> None:
        if self._service_of(incoming) is not None:
            tag = secrets.token_hex(8)
            self.respond(incoming, build_response(incoming.message, *refusal, to_tag=tag, strict=False))

    # -- the ways out

    async def _line(self, hop: Hop, local: Address | None) -> _Line:
        """The way to a hop: a UDP socket with its target, or a connection, open already or new."""
        host = await _literal(hop)
        target = Address(host, hop.port)
        if hop.transport is Transport.UDP:
            return _Datagrams(self._endpoint_for(target, local), target)
        if hop.transport is not Transport.TCP:
            raise TransportFailed(hop.transport, target, "this transport is not supported")
        return _Stream(await self._connection_to(target, local))

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
            self._scheduler,
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

    def _address_named(self, host: str, port: int | None) -> Address | None:
        """The listening address a Via names, if it is one of ours."""
        return next((a for a in self.addresses if a.port == port and same_host(a.host, host)), None)

    # -- bookkeeping

    @property
    def _scheduler(self) -> Scheduler:
        return self._given_scheduler or asyncio.get_running_loop()

    def _service_of(self, incoming: Incoming) -> _Service | None:
        """The running service of a request that was handed up."""
        try:
            found = self._served.find(incoming.message)
        except SipSyntaxError:
            return None
        service = self._services.get(found) if found is not None else None
        return service if service is not None and service.incoming is incoming else None

    def _fail_exchanges(self, connection: TcpConnection, actual: str) -> None:
        for exchange in tuple(self._asked.values()):
            if isinstance(exchange.line, _Stream) and exchange.line.connection is connection:
                exchange.run.transport_failed(TransportFailed(Transport.TCP, connection.remote, actual))

    def _end_transactions(self, actual: str) -> None:
        for exchange in tuple(self._asked.values()):
            exchange.fail(TransportFailed(exchange.hop.transport, Address(*exchange.hop[1:]), actual))
            exchange.run.abandon()
        for service in tuple(self._services.values()):
            service.run.abandon()

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

    def _note(self, text: str) -> None:
        self.timeline.event(Layer.SIP, "note", text)

    def _forget_exchange(self, exchange: _Exchange) -> None:
        if self._asked.get(exchange.machine.key) is exchange:
            del self._asked[exchange.machine.key]

    def _forget_service(self, service: _Service) -> None:
        self._served.discard(service.machine)
        self._services.pop(service.machine, None)


class _Datagrams(NamedTuple):
    """The way to an address by UDP."""

    endpoint: UdpEndpoint
    target: Address

    def write(self, data: bytes) -> None:
        self.endpoint.send(data, self.target)


class _Stream(NamedTuple):
    """The way to an address by TCP."""

    connection: TcpConnection

    def write(self, data: bytes) -> None:
        self.connection.write(data)


_Line = _Datagrams | _Stream


class _Arrival(NamedTuple):
    """How a message came."""

    transport: Transport
    source: Address
    local: Address
    endpoint: UdpEndpoint | None
    connection: TcpConnection | None

    @property
    def number(self) -> int | None:
        return self.connection.number if self.connection is not None else None


class _Exchange:
    """The user side of a client transaction: whoever awaits the final response."""

    def __init__(
        self,
        agent: SipAgent,
        machine: ClientTransaction,
        line: _Line,
        hop: Hop,
        on_provisional: Callable[[Response], None] | None,
        on_further: Callable[[Response], None] | None,
    ) -> None:
        self.agent, self.machine, self.line, self.hop = agent, machine, line, hop
        self.on_provisional, self.on_further = on_provisional, on_further
        self.sent_by = _sent_by(machine.request)
        self.final: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.run = TransactionRun(machine, agent._scheduler, self)

    def send(self, data: bytes) -> None:
        self.line.write(data)

    def deliver(self, message: Request | Response) -> None:
        assert isinstance(message, Response)
        if message.status >= 200 and not self.final.done():
            self.final.set_result(message)
            return
        callback = self.on_provisional if message.status < 200 else self.on_further
        if callback is None:
            return
        try:
            callback(message)
        except Exception:  # noqa: BLE001 - the transaction must go on
            _log.exception("%s: the handler of %d failed", self.machine.request.method, message.status)

    def failed(self, cause: Cause, error: TransportFailed | None) -> None:
        request, hop = self.machine.request, self.hop
        if cause is Cause.TIMEOUT or error is None:
            where = f"{hop.transport} {Address(hop.host, hop.port)}"
            waited = f"{self.machine.timers.timeout:g} s"
            self.fail(TransactionTimeout(f"{request.method} to {where}: no final response within {waited}"))
        else:
            self.fail(error)

    def fail(self, error: RcsLabError) -> None:
        if not self.final.done():
            self.final.set_exception(error)

    def refused(self, refusal: Refused) -> None:
        raise AssertionError("a client transaction refuses nothing")

    def done(self) -> None:
        self.agent._forget_exchange(self)


class _Service:
    """The user side of a server transaction: hands the request up and finds the way back."""

    def __init__(
        self,
        agent: SipAgent,
        machine: ServerTransaction,
        incoming: Incoming,
        arrival: _Arrival,
        refusal: Refusal | None,
    ) -> None:
        self.agent, self.machine, self.incoming = agent, machine, incoming
        self.arrival, self.refusal = arrival, refusal
        self.run = TransactionRun(machine, agent._scheduler, self)

    def send(self, data: bytes) -> None:
        connection, endpoint = self.arrival.connection, self.arrival.endpoint
        via = self.incoming.message.via
        if endpoint is not None:
            endpoint.send(data, datagram_target(via))
        elif connection is not None and connection.open:
            connection.write(data)
        else:
            target = stream_target(via, self.incoming.transport)
            self.agent._spawn(self._send_anew(data, target))

    async def _send_anew(self, data: bytes, target: Address) -> None:
        """The connection of the request is gone: open one to the sender (18.2.2)."""
        try:
            connection = await self.agent._connection_to(target, self.incoming.local)
            connection.write(data)
        except TransportFailed as error:
            if self.machine.done:  # a non-INVITE over TCP ends with its response (timer J is zero)
                self.failed(Cause.TRANSPORT, error)
            self.run.transport_failed(error)

    def deliver(self, message: Request | Response) -> None:
        assert isinstance(message, Request)
        if message.method == "ACK":  # that of a 2xx with the branch of its INVITE
            self.agent._hand_up(replace(self.incoming, message=message))
        elif self.refusal is not None:
            self.agent._refuse(self.incoming, self.refusal)
        else:
            self.agent._hand_up(self.incoming)

    def failed(self, cause: Cause, error: TransportFailed | None) -> None:
        method, source = self.incoming.message.method, self.incoming.source
        what = "no ACK came" if cause is Cause.TIMEOUT else f"the response was not sent: {error}"
        self.agent._note(f"{method} from {source}: {what}")

    def refused(self, refusal: Refused) -> None:
        method = self.incoming.message.method
        _log.warning("%d to %s was not sent: %s forbids it", refusal.status, method, refusal.clause)

    def done(self) -> None:
        self.agent._forget_service(self)


def _inspect(data: bytes) -> tuple[object, str]:
    """What a datagram holds, and the note for the timeline."""
    if is_keep_alive(data):
        return None, "keep-alive"
    try:
        return parse_message(data), ""
    except SipSyntaxError as error:
        return error, str(error)


def _sent_by(message: Request | Response) -> tuple[str, int | None]:
    via = message.via
    return via.host.lower(), via.port


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
