"""A session border controller of a test: SIP passes through it, c= and m= are its own, MSRP octets pass too.

It knows of SDP only the c= and m= lines, and nothing of MSRP: what RFC 6714 calls a middlebox.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress

HOST = "127.0.0.1"


class _Side(asyncio.DatagramProtocol):
    """One UDP socket; what comes in leaves by the other."""

    def __init__(self, pass_on: Callable[[bytes], None]) -> None:
        self._pass_on = pass_on

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._pass_on(data)


class SessionBorder:
    """Between two ends. Offers with msrp-cema and their answers are anchored, others pass as they are.

    anchors: a port of ours for each address of theirs. carried: octets of MSRP that went through.
    """

    def __init__(self) -> None:
        self.anchors: dict[tuple[str, int], int] = {}
        self.carried = 0
        self._anchoring = False
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, near: tuple[str, int], far: tuple[str, int]) -> None:
        """near, far: the SIP addresses of the two ends."""
        loop = asyncio.get_running_loop()
        ends = ((near, far), (far, near))
        self._sides: list[_Side] = []
        for here, (_, there) in enumerate(ends):
            side = _Side(
                lambda data, here=here, there=there: self._spawn(self._forward(data, 1 - here, there))
            )
            await loop.create_datagram_endpoint(lambda side=side: side, local_addr=(HOST, 0))
            self._sides.append(side)

    @property
    def ports(self) -> tuple[int, int]:
        """Our SIP ports: that of the near end, that of the far end."""
        return self._sides[0].port, self._sides[1].port

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, data: bytes, side: int, to: tuple[str, int]) -> None:
        self._sides[side].transport.sendto(await self._anchored(data), to)

    async def _anchored(self, data: bytes) -> bytes:
        head, empty, body = data.partition(b"\r\n\r\n")
        if not data.startswith(b"SIP/2.0") and body:
            self._anchoring = b"a=msrp-cema" in body
        if not self._anchoring or not body:
            return data
        host = re.search(rb"c=IN IP4 (\S+)", body)
        port = re.search(rb"m=message (\d+)", body)
        assert host is not None and port is not None
        ours = await self._anchor((host[1].decode(), int(port[1])))
        body = body.replace(b"m=message " + port[1], b"m=message %d" % ours)
        head = re.sub(rb"(?im)^((?:Content-Length|l): *)\d+", rb"\g<1>%d" % len(body), head)
        return head + empty + body

    async def _anchor(self, target: tuple[str, int]) -> int:
        if target not in self.anchors:
            server = await asyncio.start_server(
                lambda reader, writer: self._carry(reader, writer, target), HOST, 0
            )
            self._servers.append(server)
            self.anchors[target] = server.sockets[0].getsockname()[1]
        return self.anchors[target]

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: tuple[str, int]
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection(*target)
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while octets := await reader.read(65536):
                self.carried += len(octets)
                writer.write(octets)
                await writer.drain()
        writer.close()

    async def close(self) -> None:
        """Nothing passes any more."""
        for server in self._servers:
            server.close()
        for side in self._sides:
            side.transport.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
