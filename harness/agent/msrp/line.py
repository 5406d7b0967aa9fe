"""One MSRP connection of the endpoint: a recorded TCP or TLS connection and the sessions on it.

Sending follows what the other end takes: messages are cut into chunks only when there is room for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.agent.failures import TransportFailed
from harness.agent.scheduler import Scheduler, TimerHandle
from harness.agent.sockets.tcp_connection import TcpConnection
from harness.agent.sockets.tls_connection import TlsConnection
from harness.errors import WireError
from harness.msrp.connection import Directory, MsrpConnection
from harness.msrp.framing import MsrpLimits

READ_OCTETS = 1024 * 1024  # taken from a socket at a time
WRITE_OCTETS = 256 * 1024  # of messages, taken at a time
ROOM = 512 * 1024  # octets written and not taken, from where no chunk is cut any more
MOST_ANSWERS = 4 * 1024 * 1024  # octets not taken, from where nothing is read any more
_AGAIN_SECONDS = 1.0

if TYPE_CHECKING:
    from harness.agent.msrp.session import SessionHandle

    _Base = TcpConnection
else:
    _Base = object


class MsrpStream:
    """What a connection takes for its framer: octets go to the sessions at once.

    What is found is told once for each read, as the stream itself, after the errors in it.
    """

    def __init__(self, directory: Directory, limits: MsrpLimits) -> None:
        self.sessions = MsrpConnection(directory, limits)

    @property
    def broken(self) -> bool:
        """Whether the place of the next message is lost."""
        return self.sessions.broken

    @property
    def pending(self) -> range:
        """As long as what came of a message that is not complete."""
        return range(self.sessions.pending_octets)

    def receive(self, data: bytes) -> Sequence[object]:
        """Octets of the stream."""
        errors: list[WireError] = list(self.sessions.receive(data))
        return [*errors, self] if self.sessions.progressed else errors


class _Flow(_Base):
    """Reads much at a time; tells when the other end takes what is written, and when not.

    buffer: where the octets of a read come, shared by connections: they are taken from there at once.
    """

    stream: MsrpStream
    buffer: bytearray
    flow_changed: Callable[[bool], None]

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(memoryview(self.buffer)[:nbytes]))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=ROOM, low=ROOM // 4)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.flow_changed(False)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.flow_changed(True)

    @property
    def backlog(self) -> int:
        """Octets written that the kernel has not taken."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def read_on(self, wanted: bool) -> None:
        """Read what comes, or leave it to the kernel to hold the other end back."""
        if self._transport is None or self._transport.is_closing():
            return
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()


class MsrpTcp(_Flow, TcpConnection, asyncio.BufferedProtocol):
    """MSRP over TCP."""


class MsrpTls(_Flow, TlsConnection, asyncio.BufferedProtocol):
    """MSRP over TLS."""


class MsrpLine:
    """A connection and its sessions, and the two timers they share: answers due, and room to write.

    Args: clock gives the seconds by which the scheduler's timers run. happened is called when sessions may
    have events. alter: makes of octets those that are sent.
    """

    def __init__(
        self,
        connection: MsrpTcp | MsrpTls,
        scheduler: Scheduler,
        clock: Callable[[], float],
        happened: Callable[[MsrpLine], None],
        alter: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self.sessions, self.connection = connection.stream.sessions, connection
        self._scheduler, self._clock, self._happened, self._alter = scheduler, clock, happened, alter
        self.handles: list[SessionHandle] = []
        self._timer: TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._room = self._reading = True
        self._held = False
        connection.flow_changed = self._flow_changed

    def flush(self) -> None:
        """Write what is urgent, and of messages what there is room for; others get their turn between."""
        sessions, connection = self.sessions, self.connection
        if not sessions.has_output or not connection.open:
            return
        octets = sessions.output(WRITE_OCTETS if self._room and not self._held else 0, self._clock())
        if not octets:
            return
        try:
            connection.write(octets if self._alter is None else self._alter(octets))
        except TransportFailed:
            return  # its end is noted, and told to the sessions, when the connection is lost
        if not self._room and connection.backlog > MOST_ANSWERS and self._reading:
            self._reading = False
            connection.read_on(False)
        if self._timer is None:
            self._wait_for_answers()
        if self._room and not self._held and self._turn is None and sessions.has_output:
            self._turn = asyncio.get_running_loop().call_soon(self._next_turn)

    def hold(self, on: bool) -> None:
        """Let it stand still, as on a network that moves nothing: no content leaves, nothing is read."""
        self._held = on
        self.connection.read_on(not on)
        if not on:
            self._reading = True
            self.flush()
            self._happened(self)

    def close(self, reason: str) -> None:
        """The connection is gone."""
        for handle in (self._timer, self._turn):
            if handle is not None:
                handle.cancel()
        self._timer = self._turn = None
        self.sessions.close(reason)

    def _next_turn(self) -> None:
        self._turn = None
        self.flush()
        self._happened(self)

    def _flow_changed(self, room: bool) -> None:
        self._room = room
        if room:
            if not self._reading:
                self._reading = True
                self.connection.read_on(True)
            self.flush()
            self._happened(self)

    def _wait_for_answers(self) -> None:
        deadline = self.sessions.transactions.next_deadline
        if deadline is not None:
            self._timer = self._scheduler.call_later(max(0.0, deadline - self._clock()), self._answers_due)

    def _answers_due(self) -> None:
        self._timer = None
        if self.connection.backlog:  # the last octet has not left: its 30 seconds did not begin (7.1.1)
            self._timer = self._scheduler.call_later(_AGAIN_SECONDS, self._answers_due)
            return
        self.sessions.expire(self._clock())
        self._wait_for_answers()
        self._happened(self)
