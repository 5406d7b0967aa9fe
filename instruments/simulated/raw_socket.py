"""SCPI over a raw TCP socket (VISA `TCPIP::host::port::SOCKET`): messages end with a line feed both ways."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

from instruments.simulated.scpi import Interpreter, MessageFramer

log = logging.getLogger(__name__)
READ_OCTETS = 64 * 1024


class RawSocketServer:
    """One listening port; each connection has its own interpreter and runs its messages in order."""

    def __init__(self, interpreter: Callable[[], Interpreter]) -> None:
        self._interpreter = interpreter
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int = 0) -> int:
        """Listen, give the port. Raises OSError when it is taken."""
        self._server = await asyncio.start_server(self._serve, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server:
            self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        peer = writer.get_extra_info("peername")
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await self._converse(reader, writer)
        except OSError as error:
            log.info("visa connection of %s ended: %s", peer, error)
        except asyncio.CancelledError:
            log.debug("visa connection of %s closed by us", peer)
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        interpreter, framer = self._interpreter(), MessageFramer()
        while data := await reader.read(READ_OCTETS):
            for message in framer.receive(data):
                writer.write(await interpreter.run(message))
            await writer.drain()
