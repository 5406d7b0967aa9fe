"""An agent of ours with what notifiers and subscribers need, and a far end made of text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from harness.agent.events.subscriptions import Header, RequestMaker
from harness.agent.sip.agent import Hop, Incoming, SipAgent
from harness.evidence.timeline import Timeline
from harness.sip.message import Response, build_response
from harness.sip.transaction import Timers
from tests.harness.agent.far_end import FarEnd


class Side:
    """An agent of ours and what its usages need: answers, a way to the foreign end, tasks."""

    def __init__(self, timers: Timers | None = None) -> None:
        self.agent = SipAgent(Timeline(), self._on_request, timers=timers)
        self.handlers: dict[str, Any] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.failures: list[str] = []

    def _on_request(self, incoming: Incoming) -> None:
        self.handlers[incoming.message.method](incoming)

    @property
    def contact(self) -> str:
        return f"<sip:ours@{self.agent.addresses[0]}>"

    def respond(
        self,
        incoming: Incoming,
        status: int,
        headers: tuple[Header, ...] = (),
        *,
        reason: str | None = None,
        to_tag: str | None = None,
    ) -> None:
        response = build_response(incoming.message, status, reason, headers, to_tag=to_tag or "ours")
        self.agent.respond(incoming, response)

    def send_to(self, hop: Hop) -> Any:
        async def send(make: RequestMaker) -> Response:
            return await self.agent.request(make(self.agent.via_for(hop)), hop)

        return send

    def spawn(self, work: Any, what: str) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(work, what))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _guarded(self, work: Any, what: str) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.failures.append(f"{what}: {error}")

    async def settled(self) -> None:
        """Whatever is under way has ended."""
        async with asyncio.timeout(5):
            while self.tasks:
                await asyncio.gather(*self.tasks)


@asynccontextmanager
async def _both() -> AsyncIterator[tuple[Side, FarEnd]]:
    side = Side()
    address = await side.agent.listen("127.0.0.1")
    loop = asyncio.get_running_loop()
    transport, foreign = await loop.create_datagram_endpoint(
        lambda: FarEnd.of_text(address), local_addr=("127.0.0.1", 0)
    )
    try:
        yield side, foreign
    finally:
        for task in side.tasks:
            task.cancel()
        await side.agent.close()
        transport.close()


@pytest.fixture
def both_ends() -> Any:
    return _both
