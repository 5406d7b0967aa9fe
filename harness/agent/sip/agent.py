"""The SIP transaction layer on a transport (RFC 3261 17, 18.1.2 and 18.2.1).

Messages come and go here, their meaning is the user's affair. Sockets are in harness.agent.sip.transport.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import NamedTuple

from harness.agent.failures import TransactionTimeout, TransportFailed
from harness.agent.metrics import Metrics
from harness.agent.scheduler import RunningLoop, Scheduler
from harness.agent.sip.bad_requests import Refusal, missing, refusal_of, refusal_of_error, stateless_refusal
from harness.agent.sip.keep_alive import FlowKeepAlive
from harness.agent.sip.timer_queues import TimerQueues
from harness.agent.sip.transaction_run import TransactionRun
from harness.agent.sip.transport import CONNECT_SECONDS, SipTransport
from harness.agent.sip.via_routing import answer_target, choose_transport, stamp, way_back, with_transport
from harness.agent.sip.ways_out import Arrival, Hop, Line, Stream
from harness.agent.sockets.connection_watch import ConnectionLimits
from harness.agent.sockets.tcp_connection import TcpConnection
from harness.agent.sockets.tls_settings import TlsSettings
from harness.errors import RcsLabError, SipSyntaxError, UsageError
from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.sip.framing import FramingError, Limits
from harness.sip.message import Request, Response, build_response
from harness.sip.start_line import REASONS
from harness.sip.transaction import (
    Cause,
    ClientTransaction,
    Key,
    Refused,
    ServerTransaction,
    ServerTransactions,
    Timers,
    client_key,
    server_key,
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

_log = logging.getLogger(__name__)


class Incoming(NamedTuple):
    """A request that opened a server transaction, or an ACK for the user (RFC 3261 17.2.1, 13.3.1.4).

    message: as received; its `via` and the responses to it have `received` and `rport`. local: where it
    arrived. connection: the id of the connection on the timeline, None over UDP.
    """

    message: Request
    transport: Transport
    source: Address
    local: Address
    connection: int | None
    key: Key = ()
    """Of the transaction."""


class SipAgent:
    """Listens on UDP, TCP and TLS, runs the transactions, answers what is no SIP.

    Args: on_request is called in the loop's thread with each new request and with each ACK to a 2xx; it
    must not block. What it raises is logged and answered 500. connect_seconds bounds opening a connection,
    limits a message, connection_limits what a connection may take. tls: our side of the TLS connections we
    open (the certificates the system trusts and none of our own by default). scheduler: a clock for the
    timers (the loop by default).
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
        connection_limits: ConnectionLimits | None = None,
        tls: TlsSettings | None = None,
        part: str = "SIP agent",
    ) -> None:
        self.timeline, self.part = timeline, part
        self._on_request = on_request
        self.timers = timers or Timers()
        self._transport = SipTransport(
            timeline,
            self,
            limits=limits,
            scheduler=scheduler,
            connect_seconds=connect_seconds,
            connection_limits=connection_limits,
            tls=tls,
            part=part,
        )
        self._timer_queues = TimerQueues(scheduler or RunningLoop())
        self._asked: dict[Key, _Exchange] = {}
        self._served = ServerTransactions()
        self._services: dict[Key, _Service] = {}

    # -- life

    @property
    def addresses(self) -> list[Address]:
        """Where the agent listens on UDP and TCP."""
        return self._transport.own.plain

    @property
    def tls_addresses(self) -> list[Address]:
        """Where the agent listens for TLS."""
        return self._transport.own.secured

    def is_tls(self, local: Address) -> bool:
        """Whether an address, as a request names where it arrived, is one for TLS."""
        return self._transport.own.is_secured(local)

    @property
    def metrics(self) -> Metrics:
        """What its transports have counted."""
        return self._transport.metrics

    async def listen(self, host: str, port: int = 0) -> Address:
        """Listen on UDP and TCP of one port; may be called for several addresses, IPv4 and IPv6.

        Port 0 takes one that is free for both. Raises AddressTaken, or LabError for an address that is not
        ours.
        """
        return await self._transport.listen(host, port)

    async def listen_tls(self, host: str, port: int, settings: TlsSettings) -> Address:
        """Listen for TLS, beside `listen` or alone; 5061 is the default port of SIP over TLS.

        Raises UsageError for files that are no use, and as `listen`.
        """
        return await self._transport.listen_tls(host, port, settings)

    async def close(self) -> None:
        """Stop listening, fail what waits, let what was written leave; all within about a second."""
        self._end_transactions("the agent was closed")
        await self._transport.close()

    async def drop_connections(self) -> None:
        """Lose every connection at once, as when the radio is lost. Listening goes on."""
        await self._transport.drop_connections()

    # -- sending

    def via_for(self, hop: Hop, local: Address | None = None) -> str:
        """A Via value for a request to `hop`: our address, a new branch, rport (RFC 3261 8.1.1.7, RFC 3581
        3).

        Raises UsageError when the agent listens on no address of the hop's family.
        """
        return self._transport.via_for(hop, local)

    async def request(
        self,
        message: Request,
        hop: Hop,
        *,
        local: Address | None = None,
        exact: bool = False,
        on_provisional: Callable[[Response], None] | None = None,
        on_further: Callable[[Response], None] | None = None,
    ) -> Response:
        """Send a request in a client transaction and return the final response.

        The top Via must be there already (`via_for`). Above 1300 octets TCP takes the place of UDP, in Via
        too, and UDP comes back where TCP is refused (18.1.1); exact keeps the transport of the hop.
        on_provisional gets every 1xx, on_further every 2xx to an INVITE after the first (repeats and forks,
        RFC 6026 7.2). An ACK to a refused INVITE is sent from here, that to a 2xx is the caller's (`send`).
        Cancelling ends the repeats. Raises TransactionTimeout, TransportFailed, SipSyntaxError (no usable Via
        or CSeq), UsageError (that branch is in use).
        """
        via = message.via
        local = local or self._transport.own.named(via.host, via.port)
        message, line = await self._transport.way(message, hop, local, exact=exact)
        machine = ClientTransaction(message, isinstance(line, Stream), self.timers)
        if message.method == "ACK" or machine.key in self._asked:
            raise UsageError(f"{message.method} with branch {via.branch}: no new transaction (17.1)")
        exchange = _Exchange(self, machine, line, hop, on_provisional, on_further)
        self._asked[machine.key] = exchange
        exchange.perform(machine.start())
        try:
            return await exchange.final
        except asyncio.CancelledError:
            exchange.abandon()
            raise

    async def send(self, data: bytes, hop: Hop, *, local: Address | None = None) -> None:
        """Send octets as they are: an ACK to a 2xx, or a message that is wrong on purpose.

        Raises TransportFailed.
        """
        (await self._transport.line(hop, local)).write(data)

    async def keep_alive(
        self,
        hop: Hop,
        failed: Callable[[str], None],
        *,
        local: Address | None = None,
        flow_timer: float | None = None,
    ) -> FlowKeepAlive:
        """Keep the flow to a hop alive until it is stopped (RFC 5626 4.4).

        failed is told once why the flow failed; its connection is closed then. flow_timer: seconds of the
        Flow-Timer header. Only for a server that says it supports it (RFC 5626 8). Raises TransportFailed,
        UsageError for a connection that is kept alive already.
        """
        return await self._transport.keep_alive(hop, local, failed, flow_timer)

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
            service.perform(machine.respond_octets(response))
        else:
            service.perform(machine.respond(response))
        service.answered()

    def stay_silent(self, incoming: Incoming) -> None:
        """Never answer this request: repeats are recorded and absorbed."""
        service = self._service_of(incoming)
        if service is not None:
            service.perform(service.machine.stay_silent())

    def cancelled_by(self, cancel: Incoming) -> Incoming | None:
        """The INVITE a CANCEL means while its transaction lives (RFC 3261 9.2). The user answers both."""
        found = self._served.find_cancelled(cancel.message)
        return self._services[found.key].incoming if found is not None else None

    # -- receiving

    def received(self, found: object, arrival: Arrival) -> None:
        """A message from the transport, or octets that are none."""
        match found:
            case Response():
                self._received_response(found)
            case Request():
                self._received_request(found, arrival, refusal_of(found, arrival.transport))
            case FramingError(partial=Request() as request):
                if absent := missing(request):  # they may stand where the head was not read any more
                    self._note(f"{request.method} dropped, {absent} not seen: {found}")
                else:
                    self._received_request(request, arrival, refusal_of_error(found))

    def connection_lost(self, connection: TcpConnection, error: TransportFailed) -> None:
        """A connection broke: the requests that went over it fail."""
        for exchange in tuple(self._asked.values()):
            if isinstance(exchange.line, Stream) and exchange.line.connection is connection:
                exchange.transport_failed(error)

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
        exchange.perform(exchange.machine.receive(response))

    def _received_request(self, request: Request, arrival: Arrival, refusal: Refusal | None) -> None:
        """A new request, a repeat or an ACK. Without what a transaction needs it is refused at once."""
        try:
            # What is not refused has them all, or no Via, which `stamp` tells.
            if refusal is not None and (absent := missing(request)):
                raise SipSyntaxError("request", request.start_line, 0, "RFC 3261 8.1.1", f"{absent} absent")
            stamp(request, arrival.source)
            key = server_key(request)
            found = self._served.find(request, key)
            if found is None and request.method != "ACK":
                reliable = arrival.transport is not Transport.UDP
                machine = ServerTransaction(request, reliable, self.timers, key)
        except SipSyntaxError as error:
            self._refuse_statelessly(request, arrival, error)
            return
        if found is not None:
            self._services[found.key].perform(found.receive(request))
        elif request.method != "ACK":
            self._serve(machine, arrival, refusal)
        elif refusal is None:
            self._hand_up(_incoming(request, arrival))

    def _refuse_statelessly(self, request: Request, arrival: Arrival, error: SipSyntaxError) -> None:
        """400 without a transaction: that needs headers this request does not have (8.2.7)."""
        if request.method == "ACK" or "Via" not in request:
            self._note(f"{request.method} dropped, no response can be made: {error}")
            return
        self._note(f"{request.method} refused without a transaction: {error}")
        data = stateless_refusal(request, error).raw
        if arrival.endpoint is not None:
            arrival.endpoint.send(data, answer_target(request, arrival.source))
        elif arrival.connection is not None and arrival.connection.open:
            arrival.connection.write(data)

    def _serve(self, machine: ServerTransaction, arrival: Arrival, refusal: Refusal | None) -> None:
        incoming = _incoming(machine.request, arrival, machine.key)
        service = _Service(self, machine, incoming, arrival, refusal)
        self._served.add(machine)
        self._services[machine.key] = service
        service.perform(machine.start())

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

    # -- bookkeeping

    def _service_of(self, incoming: Incoming) -> _Service | None:
        """The running service of a request that was handed up."""
        service = self._services.get(incoming.key)
        return service if service is not None and service.incoming is incoming else None

    def _end_transactions(self, actual: str) -> None:
        for exchange in tuple(self._asked.values()):
            exchange.fail(TransportFailed(exchange.hop.transport, exchange.hop.address, actual))
            exchange.abandon()
        for service in tuple(self._services.values()):
            service.abandon()

    def _note(self, text: str) -> None:
        self.timeline.event(Layer.SIP, "note", text)

    def _forget_exchange(self, exchange: _Exchange) -> None:
        if self._asked.get(exchange.machine.key) is exchange:
            del self._asked[exchange.machine.key]

    def _forget_service(self, service: _Service) -> None:
        self._served.discard(service.machine)
        if self._services.get(service.machine.key) is service:
            del self._services[service.machine.key]


class _Exchange(TransactionRun[ClientTransaction]):
    """The user side of a client transaction: whoever awaits the final response."""

    def __init__(
        self,
        agent: SipAgent,
        machine: ClientTransaction,
        line: Line,
        hop: Hop,
        on_provisional: Callable[[Response], None] | None,
        on_further: Callable[[Response], None] | None,
    ) -> None:
        super().__init__(machine, agent._timer_queues)
        self.agent, self.line, self.hop = agent, line, hop
        self.on_provisional, self.on_further = on_provisional, on_further
        self.sent_by = _sent_by(machine.request)
        self.final: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

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


class _Service(TransactionRun[ServerTransaction]):
    """The user side of a server transaction: hands the request up and finds the way back.

    incoming: None once only repeats are answered. Thousands of a load are kept so, for 32 s (timer J).
    """

    __slots__ = ("agent", "arrival", "back", "incoming", "method", "refusal")

    def __init__(
        self,
        agent: SipAgent,
        machine: ServerTransaction,
        incoming: Incoming,
        arrival: Arrival,
        refusal: Refusal | None,
    ) -> None:
        super().__init__(machine, agent._timer_queues)
        self.agent = agent
        self.incoming: Incoming | None = incoming
        self.method = incoming.message.method
        self.back = way_back(incoming.message.via, arrival.transport)
        self.arrival, self.refusal = arrival, refusal

    def answered(self) -> None:
        if self.machine.let_go():
            self.incoming = None

    def send(self, data: bytes) -> None:
        self.agent._transport.respond(data, self.back, self.arrival, self._not_sent)

    def _not_sent(self, error: TransportFailed) -> None:
        if self.machine.done:  # a non-INVITE over TCP ends with its response (timer J is zero)
            self.failed(Cause.TRANSPORT, error)
        self.transport_failed(error)

    def deliver(self, message: Request | Response) -> None:
        assert isinstance(message, Request)
        assert self.incoming is not None
        if message.method == "ACK":  # that of a 2xx with the branch of its INVITE
            self.agent._hand_up(self.incoming._replace(message=message))
        elif self.refusal is not None:
            self.agent._refuse(self.incoming, self.refusal)
        else:
            self.agent._hand_up(self.incoming)

    def failed(self, cause: Cause, error: TransportFailed | None) -> None:
        what = "no ACK came" if cause is Cause.TIMEOUT else f"the response was not sent: {error}"
        self.agent._note(f"{self.method} from {self.arrival.source}: {what}")

    def refused(self, refusal: Refused) -> None:
        _log.warning("%d to %s was not sent: %s forbids it", refusal.status, self.method, refusal.clause)

    def done(self) -> None:
        self.agent._forget_service(self)


def _incoming(request: Request, arrival: Arrival, key: Key = ()) -> Incoming:
    return Incoming(request, arrival.transport, arrival.source, arrival.local, arrival.number, key)


def _sent_by(message: Request | Response) -> tuple[str, int | None]:
    via = message.via
    return via.host.lower(), via.port
