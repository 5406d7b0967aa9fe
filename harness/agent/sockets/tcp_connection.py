"""One TCP connection of the agent, accepted or opened. Every piece is put on the timeline here, once.

What cannot be seen from the octets (opened, closed, half a message, reset) is an event of the same layer; its
opened_by or closed_by is the end that did it. The number of the "opened" event is the id of the connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence, Sized
from typing import Any, ClassVar, Protocol, cast

from harness.agent.failures import TransportFailed
from harness.agent.metrics import Counter, Metrics
from harness.agent.scheduler import Scheduler
from harness.agent.sockets.connection_watch import DEFAULT_LIMITS, ConnectionLimits, ConnectionWatch
from harness.errors import WireError
from harness.evidence.timeline import Address, Layer, Timeline, Transport

LINGER_SECONDS = 1.0
LARGEST_BACKLOG = 16 * 1024 * 1024  # octets written and not taken by the other end before it is given up
LARGEST_FLOW = 64 * 1024  # octets of them that are nothing to watch
BY_THE_OTHER_END = "by the other end"
_log = logging.getLogger(__name__)


class Framer(Protocol):
    """Cuts a stream into messages (harness.sip.framing, harness.msrp.framing)."""

    @property
    def broken(self) -> bool:
        """Whether the place of the next message is lost; what follows is ignored."""

    @property
    def pending(self) -> Sized:
        """Octets of a message that is not complete yet."""

    def receive(self, data: bytes) -> Sequence[object]:
        """Messages, keep-alives and WireErrors in the order of the stream."""


class ConnectionUser(Protocol):
    """Who uses connections: the SIP transport, the MSRP endpoint."""

    def connection_opened(self, connection: TcpConnection) -> None:
        """A connection is there, in either direction."""

    def connection_received(self, connection: TcpConnection, found: object) -> None:
        """Something a framer found. A WireError means octets that are no message."""

    def connection_closed(self, connection: TcpConnection, error: Exception | None) -> None:
        """The connection is gone. error is None when the other end or we closed it in order."""


# No asyncio.Protocol: uvloop would not use the buffer of a subclass that has one.
class TcpConnection(asyncio.BaseProtocol):
    """A recorded TCP connection.

    Args: accepted tells whether the other end opened it. limits: see ConnectionLimits.

    aliases: addresses it also leads to (RFC 5923). identities: whom the other end has proved to be, nobody
    without TLS.
    """

    kind: ClassVar[Transport] = Transport.TCP

    def __init__(
        self,
        timeline: Timeline,
        layer: Layer,
        framer: Framer,
        user: ConnectionUser,
        scheduler: Scheduler,
        *,
        accepted: bool,
        limits: ConnectionLimits = DEFAULT_LIMITS,
        metrics: Metrics | None = None,
    ) -> None:
        self.accepted = accepted
        self.number = 0
        self.local = self.remote = Address("", 0)
        self._timeline, self._layer, self._framer, self._user = timeline, layer, framer, user
        self.aliases: set[Address] = set()
        self.identities: frozenset[str] = frozenset()
        self._metrics = metrics or Metrics()
        self._watch = ConnectionWatch(limits, scheduler, self.refuse)
        self._transport: asyncio.Transport | None = None
        self._written = 0
        self._reason = ""
        self._lingering = False
        self.closed = asyncio.get_running_loop().create_future()

    @property
    def open(self) -> bool:
        """Whether octets can be written."""
        return self._transport is not None and not self._transport.is_closing() and not self._lingering

    @property
    def receiving(self) -> bool:
        """Whether half a message has come."""
        return bool(self._framer.pending)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Loops need not derive their transports from the abstract class.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=LARGEST_FLOW)
        local, remote = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        # The other end may be gone already, then the kernel no longer tells who it was.
        self.local = Address(*local[:2]) if local else Address("", 0)
        self.remote = Address(*remote[:2]) if remote else Address("", 0)
        self.number = self._event(
            "connection",
            f"{'accepted from' if self.accepted else 'opened to'} {self.remote}",
            opened_by=str(self.remote if self.accepted else self.local),
        )
        self._metrics.count(Counter.ACCEPTED if self.accepted else Counter.OPENED)
        self._watch.opened()
        self._user.connection_opened(self)

    def data_received(self, data: bytes) -> None:
        self._watch.moved = True
        try:
            found = self._framer.receive(data)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not take the listener down
            _log.exception("connection %d: the framer failed", self.number)
            self._record_in(data, f"not understood: {error!r}")
            self.abort("the framer failed")
            return
        self._record_in(data, "; ".join(str(each) for each in found if isinstance(each, WireError)))
        for each in found:
            self._hand_up(each)
        if self._framer.broken:
            self._stop_listening()
        else:
            pending = self.open and bool(self._framer.pending)
            self._watch.received(pending=pending, completed=bool(found))

    def eof_received(self) -> bool:
        return False  # no half-open connections: the answer would go nowhere useful

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._watch.stop()
        if self._framer.pending and not self._framer.broken:
            self._metrics.count(Counter.CUT)
        if exc is not None:
            self._metrics.count(Counter.RESET)
        ours = self._reason not in ("", BY_THE_OTHER_END)
        self._event(
            "connection",
            f"closed: {self._reason or _how(exc)}{self._left_over()}",
            closed_by=str(self.local if ours else self.remote),
        )
        try:
            self._user.connection_closed(self, self._broken_by(exc))
        finally:
            if not self.closed.done():
                self.closed.set_result(None)

    def write(self, data: bytes) -> None:
        """Send octets. Raises TransportFailed when closed or when the other end takes nothing."""
        if self._transport is None or not self.open:
            why = f": {self._reason}" if self._reason else ""
            raise TransportFailed(self.kind, self.remote, f"the connection is closed{why}")
        backlog = self._transport.get_write_buffer_size()
        if backlog > LARGEST_BACKLOG:
            actual = "the other end does not take what is sent"
            self.refuse(Counter.SLOW_READER, f"{actual}: {backlog} octets wait")
            raise TransportFailed(self.kind, self.remote, actual)
        self._timeline.packet(self._layer, self.kind, self.local, self.remote, data, connection=self.number)
        self._transmit(data)

    def pause_writing(self) -> None:
        """The other end takes less than we write."""
        self._watch.stuck(self._taken)

    def resume_writing(self) -> None:
        """It has caught up."""
        self._watch.flowing()

    def _transmit(self, data: bytes) -> None:
        """Put octets on the wire."""
        assert self._transport is not None
        self._watch.moved = True
        self._written += len(data)
        self._transport.write(data)

    def _say_last(self) -> None:
        """Say what the protocol below wants said before the end: plain TCP nothing."""

    def _taken(self) -> int:
        """Octets the other end has taken, or the kernel on its behalf."""
        return self._written - (self._transport.get_write_buffer_size() if self._transport else 0)

    def close(self, reason: str = "by us") -> None:
        """Close in order: what was written still leaves."""
        if self._transport is not None and not self._transport.is_closing():
            self._reason = self._reason or reason
            self._say_last()
            self._transport.close()

    def abort(self, reason: str) -> None:
        """Close at once: what was written may be lost."""
        if self._transport is not None:
            self._reason = self._reason or reason
            self._transport.abort()

    def refuse(self, limit: Counter, text: str) -> None:
        """A limit was met: an event of its own, and the end."""
        self._metrics.count(limit)
        self._event(limit.value, text)
        self.abort(text)

    def _record_in(self, data: bytes, note: str) -> None:
        self._timeline.packet(
            self._layer, self.kind, self.remote, self.local, data, connection=self.number, note=note
        )

    def _hand_up(self, found: object) -> None:
        try:
            self._user.connection_received(self, found)
        except TransportFailed as error:  # the answer did not get out; the end of the connection is noted
            _log.debug("connection %d: %s", self.number, error)
        except Exception:  # noqa: BLE001 - the next message may be a good one
            _log.exception("connection %d from %s: a message could not be handled", self.number, self.remote)

    def _stop_listening(self, reason: str = "the place of the next message is lost") -> None:
        """Let the refusal leave, and take what still comes until the other end has read it.

        Closing at once would reset the connection under the other end's feet, refusal included.
        """
        if self._lingering or self._transport is None or self._transport.is_closing():
            return
        self._lingering, self._reason = True, self._reason or reason
        self._watch.stop()
        self._say_last()
        self._transport.write_eof()
        self._watch.linger(LINGER_SECONDS, self._linger_over)

    def _linger_over(self) -> None:
        self.abort(self._reason)

    def _broken_by(self, error: Exception | None) -> Exception | None:
        """What broke the connection, None when it ended in order."""
        return error

    def _left_over(self) -> str:
        pending = len(self._framer.pending)
        return f", in the middle of a message ({pending} octets of it had come)" if pending else ""

    def _event(self, name: str, text: str, **fields: Any) -> int:
        if self.number:
            fields["connection"] = self.number
        fields |= {"local": str(self.local), "remote": str(self.remote)}
        return self._timeline.event(self._layer, name, text, **fields).number


def _how(error: Exception | None) -> str:
    return BY_THE_OTHER_END if error is None else f"reset ({error})"
