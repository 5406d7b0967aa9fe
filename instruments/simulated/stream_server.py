"""A listening TCP port of the simulated instrument: its connections, and their end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class StreamServer:
    """One port. serve is awaited for each connection; what it raises of the system ends that connection only.

    name stands in log lines. line_octets limits `readline`.
    """

    def __init__(self, name: str, serve: Serve, line_octets: int = 64 * 1024) -> None:
        self._name, self._serve, self._line_octets = name, serve, line_octets
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int = 0) -> int:
        """Listen, give the port. Raises OSError when it is taken."""
        self._server = await asyncio.start_server(self._connected, host, port, limit=self._line_octets)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server:
            self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        client = writer.get_extra_info("peername")
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await self._serve(reader, writer)
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            log.info("%s connection of %s ended: %s", self._name, client, error)
        except asyncio.CancelledError:
            log.debug("%s connection of %s closed by us", self._name, client)
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
