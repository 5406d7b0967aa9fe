"""The MSRP port of an endpoint that has no session (RFC 4975 7.2, 7.3).

Every request is for a session that does not exist: 481, unless it wants no answer. REPORT is never answered.
"""

from __future__ import annotations

import asyncio

from harness.agent.connection_watch import ConnectionLimits
from harness.agent.listening_sockets import address_of, open_stream
from harness.agent.scheduler import Scheduler
from harness.agent.tcp_connection import TcpConnection
from harness.errors import MsrpSyntaxError
from harness.evidence.timeline import Address, Layer, Timeline
from harness.msrp.building import build_response
from harness.msrp.framing import MsrpFramer, MsrpLimits
from harness.msrp.message import MsrpRequest, MsrpResponse

CLOSE_SECONDS = 1.0
IDLE_SECONDS = 30.0  # a chunk may pause as long as its sender waits for an answer (7.1.1)

# What faults name when the request itself is in doubt; a missing space after a colon is not.
_UNCLEAR = ("message", "header")


class MsrpListener:
    """One TCP port that speaks MSRP and knows no session.

    Args: idle_seconds is how long half a message may wait for the rest. scheduler: a clock for tests.
    """

    def __init__(
        self,
        timeline: Timeline,
        *,
        limits: MsrpLimits | None = None,
        scheduler: Scheduler | None = None,
        idle_seconds: float = IDLE_SECONDS,
        part: str = "MSRP listener",
    ) -> None:
        self.timeline, self.part = timeline, part
        self.addresses: list[Address] = []
        self._limits, self._scheduler, self._idle_seconds = limits or MsrpLimits(), scheduler, idle_seconds
        self._servers: list[asyncio.Server] = []
        self._connections: set[TcpConnection] = set()

    async def listen(self, host: str, port: int = 0) -> Address:
        """Listen on a port (0: any free one). Raises AddressTaken, or LabError for an unusable address."""
        bound = open_stream(self.part, host, port)
        address = address_of(bound)
        server = await asyncio.get_running_loop().create_server(self._new_connection, sock=bound)
        self._servers.append(server)
        self.addresses.append(address)
        return address

    async def close(self) -> None:
        """Stop listening and close every connection, within about a second."""
        for server in self._servers:
            server.close()
        connections = tuple(self._connections)
        for connection in connections:
            connection.close("the listener was closed")
        if connections:
            await asyncio.wait([each.closed for each in connections], timeout=CLOSE_SECONDS)
        for connection in tuple(self._connections):
            connection.abort("the other end did not take the rest")
        self._servers.clear()
        self.addresses.clear()

    async def drop_connections(self) -> None:
        """Lose every connection at once, as when the radio is lost."""
        for connection in tuple(self._connections):
            connection.abort("dropped")

    def connection_opened(self, connection: TcpConnection) -> None:
        """A connection is there."""
        self._connections.add(connection)

    def connection_received(self, connection: TcpConnection, found: object) -> None:
        """A message, or octets that are none (then the connection closes itself)."""
        if isinstance(found, MsrpRequest):
            answer = answer_without_session(found)
            if answer is not None and connection.open:
                connection.write(answer.raw)

    def connection_closed(self, connection: TcpConnection, error: Exception | None) -> None:
        """A connection is gone."""
        self._connections.discard(connection)

    def _new_connection(self) -> TcpConnection:
        return TcpConnection(
            self.timeline,
            Layer.MSRP,
            MsrpFramer(self._limits),
            self,
            self._scheduler or asyncio.get_running_loop(),
            accepted=True,
            limits=ConnectionLimits(rest_seconds=self._idle_seconds, message_seconds=None),
        )


def answer_without_session(request: MsrpRequest) -> MsrpResponse | None:
    """The answer of an endpoint that has no session, or None where there must be none.

    400 for what cannot be understood, else 481 (7.3). Nothing to a REPORT (7.1.2), to `Failure-Report: no`
    (7.2), or when the paths cannot be read.
    """
    if request.method == "REPORT" or request.failure_report == "no":
        return None
    try:
        _ = request.byte_range
        unclear = any(fault.what in _UNCLEAR for fault in request.faults)
        return build_response(request, 400 if unclear else 481)
    except MsrpSyntaxError as error:
        try:
            return build_response(request, 400, f"Bad Request: {error.what}")
        except MsrpSyntaxError:
            return None
