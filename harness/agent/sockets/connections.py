"""The connections of one agent: found by where they lead, counted by where they come from, ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from harness.agent.sockets.tcp_connection import TcpConnection
from harness.evidence.timeline import Address
from harness.sip.uri import comparable_host

CLOSE_SECONDS = 1.0


class Connections:
    """A set of connections.

    Args: per_source is how many one address may have opened to us.
    """

    def __init__(self, per_source: int) -> None:
        self.per_source = per_source
        self._all: set[TcpConnection] = set()
        self._by_remote: dict[Address, list[TcpConnection]] = {}
        self._accepted: dict[str, int] = {}

    def __iter__(self) -> Iterator[TcpConnection]:
        return iter(tuple(self._all))

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: TcpConnection) -> bool:
        """Keep a connection. False when its source has too many; it is kept all the same, to be ended."""
        self._all.add(connection)
        self._by_remote.setdefault(_key(connection.remote), []).append(connection)
        if not connection.accepted:
            return True
        count = self._accepted[connection.remote.host] = self._accepted.get(connection.remote.host, 0) + 1
        return count <= self.per_source

    def discard(self, connection: TcpConnection) -> None:
        """Forget a connection."""
        if connection not in self._all:
            return
        self._all.remove(connection)
        for key in {_key(connection.remote), *map(_key, connection.aliases)}:
            there = self._by_remote.get(key, [])
            if connection in there:
                there.remove(connection)
            if not there:
                self._by_remote.pop(key, None)
        if connection.accepted:
            self._accepted[connection.remote.host] -= 1
            if not self._accepted[connection.remote.host]:
                del self._accepted[connection.remote.host]

    def alias(self, connection: TcpConnection, address: Address) -> None:
        """The connection also leads to an address its other end gave as its own (RFC 5923 8.2)."""
        if connection in self._all and address not in connection.aliases:
            connection.aliases.add(address)
            self._by_remote.setdefault(_key(address), []).append(connection)

    def towards(self, address: Address) -> list[TcpConnection]:
        """The connections that lead to an address and can be written to."""
        return [each for each in self._by_remote.get(_key(address), ()) if each.open]

    async def close(self, reason: str) -> None:
        """Close all in order, and those that do not end within a second at once."""
        for connection in self:
            connection.close(reason)
        await self.ended()
        for connection in self:
            connection.abort("the other end did not take the rest")

    async def ended(self) -> None:
        """Wait until those that are closing are closed, for a second at most."""
        if self._all:
            await asyncio.wait([each.closed for each in self._all], timeout=CLOSE_SECONDS)


def _key(address: Address) -> Address:
    return Address(comparable_host(address.host), address.port)
