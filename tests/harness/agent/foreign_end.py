"""The other end of a SIP exchange over UDP, made of literal text: it shares no code with what it judges."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from harness.agent.events.subscriptions import Header, RequestMaker
from harness.agent.sip.agent import Hop, Incoming, SipAgent
from harness.evidence.timeline import Timeline, Transport
from harness.sip.message import Response, build_response
from harness.sip.transaction import Timers


class Text(str):
    """One message; its accessors are as dumb as can be."""

    __slots__ = ()

    @property
    def start(self) -> str:
        return self.split("\r\n", 1)[0]

    @property
    def status(self) -> int:
        return int(self.split(" ", 2)[1])

    @property
    def body(self) -> str:
        return self.split("\r\n\r\n", 1)[1]

    def all(self, name: str) -> list[str]:
        head = self.split("\r\n\r\n", 1)[0]
        return re.findall(rf"(?mi)^{re.escape(name)}: *(.*?)\r?$", head)

    def __getitem__(self, name: Any) -> str:
        return self.all(name)[0]

    def tag(self, name: str) -> str:
        found = re.search(r";tag=([^;\s]+)", self[name])
        assert found is not None, f"no tag in {name}: {self[name]}"
        return found[1]


class ForeignEnd(asyncio.DatagramProtocol):
    """A UDP socket that sends text and hands out what it got, in order."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[Text] = asyncio.Queue()
        self.seen: set[bytes] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.host, self.port = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.to = addr
        if data not in self.seen:  # the repeats of UDP are the affair of other tests
            self.seen.add(data)
            self.got.put_nowait(Text(data.decode()))

    @property
    def uri(self) -> str:
        return f"sip:foreign@{self.host}:{self.port}"

    @property
    def hop(self) -> Hop:
        return Hop(Transport.UDP, self.host, self.port)

    def send(self, *lines: str, body: str = "", to: tuple[str, int] | None = None) -> None:
        head = "".join(f"{line}\r\n" for line in (*lines, f"Content-Length: {len(body.encode())}"))
        self.transport.sendto(f"{head}\r\n{body}".encode(), to or self.to)

    def answer(self, request: Text, status: str, *extra: str, tag: str = "foreign") -> None:
        to = request["To"]
        self.send(
            f"SIP/2.0 {status}",
            *(f"Via: {via}" for via in request.all("Via")),
            f"From: {request['From']}",
            f"To: {to if ';tag=' in to else f'{to};tag={tag}'}",
            f"Call-ID: {request['Call-ID']}",
            f"CSeq: {request['CSeq']}",
            *extra,
        )

    async def next(self) -> Text:
        async with asyncio.timeout(5):
            return await self.got.get()

    async def request(self, start: str) -> Text:
        message = await self.next()
        assert message.start.startswith(start), message
        return message

    async def response(self, status: int) -> Text:
        message = await self.next()
        assert message.start.startswith(f"SIP/2.0 {status} "), message
        return message

    def nothing(self) -> bool:
        return self.got.empty()


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
async def _both() -> AsyncIterator[tuple[Side, ForeignEnd]]:
    side = Side()
    address = await side.agent.listen("127.0.0.1")
    loop = asyncio.get_running_loop()
    transport, foreign = await loop.create_datagram_endpoint(ForeignEnd, local_addr=("127.0.0.1", 0))
    foreign.to = (address.host, address.port)
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
