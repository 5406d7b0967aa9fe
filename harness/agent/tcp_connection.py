"""One TCP connection of the agent, accepted or opened. Every piece is put on the timeline here, once.

What cannot be seen from the octets (opened, closed, half a message, reset) is an event of the same layer. The
number of the "opened" event is the id of the connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, cast

from harness.agent.failures import TransportFailed
from harness.errors import WireError
from harness.evidence.timeline import Address, Layer, Timeline, Transport

LINGER_SECONDS = 1.0
LARGEST_BACKLOG = 16 * 1024 * 1024  # octets written and not taken by the other end before it is given up
_log = logging.getLogger(__name__)


class Framer(Protocol):
    """Cuts a stream into messages (harness.sip.framing, harness.msrp.framing)."""

    @property
    def broken(self) -> bool:
        """Whether the place of the next message is lost; what follows is ignored."""

    @property
    def pending(self) -> bytes:
        """Octets of a message that is not complete yet."""

    def receive(self, data: bytes) -> Sequence[object]:
        """Messages, keep-alives and WireErrors in the order of the stream."""


class TimerHandle(Protocol):
    """A running timer."""

    def cancel(self) -> None:
        """Do not call back."""


class Scheduler(Protocol):
    """What calls back later: an asyncio loop, or a clock that a test drives."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> TimerHandle:
        """Call `callback` after `delay` seconds."""


class ConnectionUser(Protocol):
    """Who uses connections: the SIP agent, the MSRP listener."""

    def connection_opened(self, connection: TcpConnection) -> None:
        """A connection is there, in either direction."""

    def connection_received(self, connection: TcpConnection, found: object) -> None:
        """Something a framer found. A WireError means octets that are no message."""

    def connection_closed(self, connection: TcpConnection, error: Exception | None) -> None:
        """The connection is gone. error is None when the other end or we closed it in order."""


class TcpConnection(asyncio.Protocol):
    """A recorded TCP connection.

    Args: accepted tells whether the other end opened it. idle_seconds is how long half a message may wait for
    its other half.
    """

    def __init__(
        self,
        timeline: Timeline,
        layer: Layer,
        framer: Framer,
        user: ConnectionUser,
        scheduler: Scheduler,
        *,
        accepted: bool,
        idle_seconds: float,
    ) -> None:
        self.accepted = accepted
        self.number = 0
        self.local = self.remote = Address("", 0)
        self._timeline, self._layer, self._framer, self._user = timeline, layer, framer, user
        self._scheduler, self._idle_seconds = scheduler, idle_seconds
        self._idle: TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._reason = ""
        self._lingering = False
        self.closed = asyncio.get_running_loop().create_future()

    @property
    def open(self) -> bool:
        """Whether octets can be written."""
        return self._transport is not None and not self._transport.is_closing() and not self._lingering

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Loops need not derive their transports from the abstract class.
        self._transport = cast(asyncio.Transport, transport)
        local, remote = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        # The other end may be gone already, then the kernel no longer tells who it was.
        self.local = Address(*local[:2]) if local else Address("", 0)
        self.remote = Address(*remote[:2]) if remote else Address("", 0)
        self.number = self._event(
            "connection", f"{'accepted from' if self.accepted else 'opened to'} {self.remote}"
        )
        self._user.connection_opened(self)

    def data_received(self, data: bytes) -> None:
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
            self._watch_for_the_rest()

    def eof_received(self) -> bool:
        return False  # no half-open connections: the answer would go nowhere useful

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._stop_idle()
        self._event("connection", f"closed: {self._reason or _how(exc)}{self._left_over()}")
        try:
            self._user.connection_closed(self, exc)
        finally:
            if not self.closed.done():
                self.closed.set_result(None)

    def write(self, data: bytes) -> None:
        """Send octets. Raises TransportFailed when closed or when the other end takes nothing."""
        if self._transport is None or not self.open:
            raise TransportFailed(Transport.TCP, self.remote, "the connection is closed")
        if self._transport.get_write_buffer_size() > LARGEST_BACKLOG:
            self.abort("the other end does not take what is sent")
            raise TransportFailed(Transport.TCP, self.remote, "the other end does not take what is sent")
        self._timeline.packet(
            self._layer, Transport.TCP, self.local, self.remote, data, connection=self.number
        )
        self._transport.write(data)

    def close(self, reason: str = "by us") -> None:
        """Close in order: what was written still leaves."""
        if self._transport is not None and not self._transport.is_closing():
            self._reason = self._reason or reason
            self._transport.close()

    def abort(self, reason: str) -> None:
        """Close at once: what was written may be lost."""
        if self._transport is not None:
            self._reason = self._reason or reason
            self._transport.abort()

    def _record_in(self, data: bytes, note: str) -> None:
        self._timeline.packet(
            self._layer, Transport.TCP, self.remote, self.local, data, connection=self.number, note=note
        )

    def _hand_up(self, found: object) -> None:
        try:
            self._user.connection_received(self, found)
        except TransportFailed as error:  # the answer did not get out; the end of the connection is noted
            _log.debug("connection %d: %s", self.number, error)
        except Exception:  # noqa: BLE001 - the next message may be a good one
            _log.exception("connection %d from %s: a message could not be handled", self.number, self.remote)

    def _stop_listening(self) -> None:
        """Framing is lost: let the refusal leave, and take what still comes until the other end has read it.

        Closing at once would reset the connection under the other end's feet, refusal included.
        """
        if self._lingering or self._transport is None or self._transport.is_closing():
            return
        self._lingering, self._reason = True, self._reason or "the place of the next message is lost"
        self._stop_idle()
        self._transport.write_eof()
        self._idle = self._scheduler.call_later(LINGER_SECONDS, partial(self.abort, self._reason))

    def _watch_for_the_rest(self) -> None:
        self._stop_idle()
        if self._framer.pending and self.open:
            self._idle = self._scheduler.call_later(self._idle_seconds, self._give_up)

    def _give_up(self) -> None:
        self.abort(f"nothing came for {self._idle_seconds:g} s")

    def _stop_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _left_over(self) -> str:
        pending = len(self._framer.pending)
        return f", in the middle of a message ({pending} octets of it had come)" if pending else ""

    def _event(self, name: str, text: str) -> int:
        known = {"connection": self.number} if self.number else {}
        entry = self._timeline.event(
            self._layer, name, text, local=str(self.local), remote=str(self.remote), **known
        )
        return entry.number


def _how(error: Exception | None) -> str:
    return "by the other end" if error is None else f"reset ({error})"
