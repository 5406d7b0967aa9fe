"""What comes out of the sockets that are listened on."""

from __future__ import annotations

import asyncio
import socket

import pytest

from harness.agent.sockets.listening_sockets import open_stream


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_accepted_connection_sends_at_once(host: str) -> None:
    """Nagle's algorithm would keep an answer back until the octets before it are acknowledged."""

    async def accepted() -> int:
        options: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            taken = writer.get_extra_info("socket")
            options.set_result(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listening = open_stream("peer", host, 0)
        async with await asyncio.start_server(connected, sock=listening) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            found = await asyncio.wait_for(options, 5)
            writer.close()
        return found

    assert asyncio.run(accepted()) == 1
