"""Opens connections for an agent: one for all who want the same, TCP or TLS."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from typing import NamedTuple

from harness.agent.background import Background
from harness.agent.failures import TransportFailed
from harness.agent.sockets.tcp_connection import TcpConnection
from harness.agent.sockets.tls_connection import TlsConnection
from harness.evidence.timeline import Address, Transport

# A reset, or ICMP Protocol Unreachable (RFC 3261 18.1.1).
_REFUSED = {errno.ECONNREFUSED, errno.ECONNRESET, errno.ENOPROTOOPT, errno.EPROTONOSUPPORT}


class Wanted(NamedTuple):
    """A connection somebody wants. source: host it is opened from, None for the kernel's choice; name: who a
    TLS server has to be.
    """

    transport: Transport
    target: Address
    source: str | None
    name: str


class Connector:
    """Opens connections.

    Args: make gives a connection without a socket. seconds bounds opening one, TLS included.
    """

    def __init__(
        self, make: Callable[[Wanted], TcpConnection], background: Background, seconds: float
    ) -> None:
        self._make, self._background, self._seconds = make, background, seconds
        self._under_way: dict[Wanted, asyncio.Task[TcpConnection]] = {}

    async def connect(self, wanted: Wanted) -> TcpConnection:
        """A new connection, or the one that is being opened already. Raises TransportFailed."""
        task = self._under_way.get(wanted)
        if task is None:
            task = self._under_way[wanted] = self._background.spawn(self._open(wanted))
            task.add_done_callback(lambda _: self._under_way.pop(wanted, None))
        try:
            # Others may wait for the same connection: a caller who gives up does not end it.
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise TransportFailed(wanted.transport, wanted.target, "connecting was given up") from None
            raise

    def give_up(self) -> None:
        """End every attempt."""
        for task in tuple(self._under_way.values()):
            task.cancel()

    async def _open(self, wanted: Wanted) -> TcpConnection:
        transport, target, source, _ = wanted
        try:
            async with asyncio.timeout(self._seconds):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: self._make(wanted),
                    target.host,
                    target.port,
                    local_addr=(source, 0) if source else None,
                )
        except TimeoutError as error:
            raise TransportFailed(transport, target, f"no connection within {self._seconds:g} s") from error
        except OSError as error:
            # The loop's own text hides what the kernel said.
            actual = os.strerror(error.errno) if error.errno else str(error)
            refused = error.errno in _REFUSED
            raise TransportFailed(transport, target, actual, refused=refused) from error
        if isinstance(connection, TlsConnection):
            await asyncio.shield(connection.ready)  # its own limit bounds the handshake
        return connection
