"""The antenna of the simulated network simulator: where simulated handsets connect.

A private link, known to the two simulated sides only: JSON objects, one a line, over loopback TCP. Down come
cell, no-cell, attach-accept, attach-reject, detach and rrc; up go attach, detach, lost and ims.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any, Final

from instruments.simulated.cell import SimulatedCell
from instruments.simulated.stream_server import StreamServer

log = logging.getLogger(__name__)
LINE_OCTETS: Final = 64 * 1024


class _HandsetConnection:
    """One handset in range."""

    def __init__(self, cell: SimulatedCell, writer: asyncio.StreamWriter) -> None:
        self._cell, self._writer = cell, writer
        self._actions: dict[str, Callable[[dict[str, Any]], None]] = {
            "attach": lambda m: cell.attach(self, str(m["imsi"]), str(m["imei"])),
            "detach": lambda _: cell.forget(self),
            "lost": lambda _: cell.forget(self),
            "ims": lambda m: cell.ims(self, bool(m["registered"])),
        }

    def send(self, message: dict[str, Any]) -> None:
        """Queue one message to the handset."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    def receive(self, line: bytes) -> None:
        """Act on one message. Raises ValueError when it is none of ours."""
        try:
            message = json.loads(line)
            self._actions[message["type"]](message)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an air link message: {line[:200]!r}") from error


class AirLinkServer:
    """Listens for handsets on behalf of one cell."""

    def __init__(self, cell: SimulatedCell) -> None:
        self._cell = cell
        self._server = StreamServer("air link", self._serve, LINE_OCTETS)

    async def start(self, host: str, port: int = 0) -> int:
        """Listen, give the port. Raises OSError when it is taken."""
        return await self._server.start(host, port)

    async def close(self) -> None:
        """Stop listening and drop every handset."""
        await self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handset = _HandsetConnection(self._cell, writer)
        self._cell.join(handset)
        try:
            while line := await reader.readline():
                handset.receive(line)
        finally:
            self._cell.leave(handset)
