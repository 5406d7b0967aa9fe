"""A way on which datagrams get lost, by a rule that is the same every time."""

from __future__ import annotations

import asyncio
from typing import Any

from harness.evidence.timeline import Address


class LossyRelay(asyncio.DatagramProtocol):
    """Between two ends, for both the other one. Drops the first copy of everything.

    far: the end that is not `near`; when it is not given, whoever sends first from elsewhere.
    """

    def __init__(self, near: Address, far: Address | None = None) -> None:
        self.near, self.far = near, far
        self.seen: dict[bytes, int] = {}
        self.changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.address = Address(*transport.get_extra_info("sockname"))

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.seen[data] = self.seen.get(data, 0) + 1
        if addr != self.near:
            self.far = addr
        if self.seen[data] > 1 and (target := self.near if addr != self.near else self.far):
            self.transport.sendto(data, target)
            self.changed.set()

    async def passed(self, line: bytes) -> None:
        """Until a message with this header line got through."""
        async with asyncio.timeout(10):
            while not any(line in data for data, count in self.seen.items() if count > 1):
                self.changed.clear()
                await self.changed.wait()

    @property
    def came_again(self) -> set[bytes]:
        """First words of what had to be sent more than once."""
        return {data.split(b" SIP")[0].split(b" ")[0] for data, count in self.seen.items() if count > 1}
