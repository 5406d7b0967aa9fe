"""A client's keep-alives on its flow (RFC 5626 4.4): CRLF on a connection, STUN Binding over UDP.

Only towards a server that says it supports them: a Path with `ob`, a Flow-Timer, or the lab's own word (8).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from harness.agent.failures import TransportFailed
from harness.agent.metrics import Counter, Metrics
from harness.agent.scheduler import Scheduler, TimerHandle
from harness.agent.sip.stun_bindings import StunBindings, described
from harness.agent.sip.ways_out import Datagrams, Line, Stream
from harness.agent.sockets.tcp_connection import TcpConnection
from harness.errors import UsageError
from harness.evidence.timeline import Address, Layer, Timeline
from harness.sip.stun import Kind, StunMessage, binding_request, write_stun

PONG_SECONDS = 10.0  # 4.4.1
STREAM_SECONDS = (95.0, 120.0)  # 4.4.1
DATAGRAM_SECONDS = (24.0, 29.0)  # 4.4.2
RTO_SECONDS = 0.5  # RFC 5389 7.2.1
REQUESTS = 7  # Rc there
LAST_WAIT = 16  # Rm there, in RTO

Failed = Callable[[str], None]


def interval(flow_timer: float | None, default: tuple[float, float]) -> tuple[float, float]:
    """Bounds of the random time between keep-alives: 80 to 100 % of what Flow-Timer says (4.4)."""
    return default if flow_timer is None else (0.8 * flow_timer, flow_timer)


class FlowKeepAlive:
    """Keeps one flow alive until `stop`, or until the flow fails, which `failed` is told once.

    Args: seconds bound the random time between two keep-alives.
    """

    def __init__(self, scheduler: Scheduler, seconds: tuple[float, float], failed: Failed) -> None:
        self._scheduler, self._seconds, self._failed = scheduler, seconds, failed
        self._timer: TimerHandle | None = None
        self.running = False

    def start(self) -> None:
        """Begin: the first keep-alive is sent after the first interval."""
        self.running = True
        self._wait()

    def stop(self) -> None:
        """No more keep-alives."""
        self.running = False
        self._cancel()

    def fail(self, reason: str) -> None:
        """The flow is gone."""
        if self.running:
            self.stop()
            self._failed(reason)

    def _ping(self) -> None:
        raise NotImplementedError

    def _wait(self) -> None:
        self._later(random.uniform(*self._seconds), self._ping_now)

    def _ping_now(self) -> None:
        try:
            self._ping()
        except TransportFailed as error:
            self.fail(error.actual)

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self._cancel()
        self._timer = self._scheduler.call_later(seconds, what)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class StreamKeepAlive(FlowKeepAlive):
    """Pings a connection with two CRLF and waits for one (4.4.1)."""

    def __init__(
        self, line: Stream, scheduler: Scheduler, seconds: tuple[float, float], failed: Failed
    ) -> None:
        super().__init__(scheduler, seconds, failed)
        self.connection = line.connection
        self._awaiting = False

    def pong(self) -> bool:
        """A CRLF came. True when it is the answer to our ping, else it is part of one of theirs."""
        if not (self.running and self._awaiting):
            return False
        self._awaiting = False
        self._wait()
        return True

    def _ping(self) -> None:
        self.connection.write(b"\r\n\r\n")
        self._awaiting = True
        self._later(PONG_SECONDS, self._no_pong)

    def _no_pong(self) -> None:
        if self.connection.receiving:  # 4.4.1: a message that is under way comes first
            self._later(PONG_SECONDS, self._no_pong)
        else:
            self.fail(f"no pong within {PONG_SECONDS:g} s (RFC 5626 4.4.1)")


class DatagramKeepAlive(FlowKeepAlive):
    """Asks by STUN how the other end sees us; an answer that changes is a flow that failed (4.4.2)."""

    def __init__(
        self,
        line: Datagrams,
        bindings: StunBindings,
        scheduler: Scheduler,
        seconds: tuple[float, float],
        failed: Failed,
    ) -> None:
        super().__init__(scheduler, seconds, failed)
        self.mapped: tuple[str, int] | None = None
        self._line, self._bindings = line, bindings
        self._request: StunMessage | None = None
        self._sent = 0

    def stop(self) -> None:
        super().stop()
        self._forget()

    def _forget(self) -> None:
        if self._request is not None:
            self._bindings.forget(self._request)
            self._request = None

    def _ping(self) -> None:
        self._request, self._sent = binding_request(), 0
        self._bindings.expect(self._request, self._line.target, self._answered)
        self._send()

    def _send(self) -> None:
        """One more time: after RTO, 2 RTO, 4 RTO ... and at last 16 RTO (RFC 5389 7.2.1)."""
        assert self._request is not None
        if self._sent == REQUESTS:
            self.fail(f"no answer to {REQUESTS} STUN Binding requests (RFC 5626 4.4.2)")
            return
        self._line.endpoint.send(write_stun(self._request), self._line.target, note=described(self._request))
        self._sent += 1
        wait = LAST_WAIT if self._sent == REQUESTS else 2 ** (self._sent - 1)
        self._later(wait * RTO_SECONDS, self._send_again)

    def _send_again(self) -> None:
        try:
            self._send()
        except TransportFailed as error:
            self.fail(error.actual)

    def _answered(self, response: StunMessage, source: Address) -> None:
        mapped = response.mapped_address
        self._forget()
        if response.kind is Kind.ERROR or response.unknown or mapped is None:
            self.fail(f"the answer was {described(response)} (RFC 5626 4.4.2)")
        elif self.mapped not in (None, mapped):
            self.fail(f"our address as seen by {source} changed to {Address(*mapped)} (RFC 5626 4.4.2)")
        else:
            self.mapped = mapped
            self._wait()


class KeptFlows:
    """The flows one agent keeps alive, and what is said when one fails."""

    def __init__(self, timeline: Timeline, metrics: Metrics, bindings: StunBindings) -> None:
        self._timeline, self._metrics, self._bindings = timeline, metrics, bindings
        self._streams: dict[TcpConnection, StreamKeepAlive] = {}

    def keep(
        self, line: Line, failed: Failed, flow_timer: float | None, scheduler: Scheduler
    ) -> FlowKeepAlive:
        """Begin with a flow. Raises UsageError for a connection that is kept alive already."""
        told = partial(self._flow_failed, line, failed)
        flow: FlowKeepAlive
        if isinstance(line, Datagrams):
            seconds = interval(flow_timer, DATAGRAM_SECONDS)
            flow = DatagramKeepAlive(line, self._bindings, scheduler, seconds, told)
        else:
            if (kept := self._streams.get(line.connection)) is not None and kept.running:
                raise UsageError(f"the connection to {line.connection.remote} is kept alive already")
            stream = StreamKeepAlive(line, scheduler, interval(flow_timer, STREAM_SECONDS), told)
            flow = self._streams[line.connection] = stream
        flow.start()
        return flow

    def pong(self, connection: TcpConnection) -> bool:
        """A CRLF came on a connection. True when it answers a ping of ours."""
        kept = self._streams.get(connection)
        return kept is not None and kept.pong()

    def gone(self, connection: TcpConnection) -> None:
        """A connection ended."""
        kept = self._streams.pop(connection, None)
        if kept is not None:
            kept.fail("the connection is gone")

    def _flow_failed(self, line: Line, failed: Failed, reason: str) -> None:
        remote = line.target if isinstance(line, Datagrams) else line.connection.remote
        self._metrics.count(Counter.FLOW_FAILED)
        self._timeline.event(Layer.SIP, Counter.FLOW_FAILED.value, reason, remote=str(remote))
        if isinstance(line, Stream):
            line.connection.abort(reason)
        failed(reason)
