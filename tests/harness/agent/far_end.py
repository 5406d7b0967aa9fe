"""The other end of a SIP exchange over UDP: a socket, and messages written out. It knows no dialog."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from typing import Any

from harness.agent.session.user import Content
from harness.agent.sip.agent import Hop
from harness.evidence.timeline import Address, Transport
from harness.sip.message import parse_message


class Text(str):
    """One message, for an end that shares no code with what it judges: its accessors are dumb."""

    __slots__ = ()

    @property
    def start(self) -> str:
        return self.split("\r\n", 1)[0]

    @property
    def start_line(self) -> bytes:
        return self.start.encode()

    @property
    def status(self) -> int:
        return int(self.split(" ", 2)[1])

    @property
    def body(self) -> str:
        return self.split("\r\n\r\n", 1)[1]

    def get_all(self, name: str) -> list[str]:
        head = self.split("\r\n\r\n", 1)[0]
        return re.findall(rf"(?mi)^{re.escape(name)}: *(.*?)\r?$", head)

    def __getitem__(self, name: Any) -> str:
        return self.get_all(name)[0]

    def tag(self, name: str) -> str:
        found = re.search(r";tag=([^;\s]+)", self[name])
        assert found is not None, f"no tag in {name}: {self[name]}"
        return found[1]


def text_of(data: bytes) -> Text:
    return Text(data.decode())


class FarEnd(asyncio.DatagramProtocol):
    """Writes and reads messages.

    near: whom it writes to. name: its user part and its tag. read: what is made of a datagram. once: repeats
    of UDP are passed over. contact: whether its answers that make a dialog carry its Contact.
    """

    def __init__(
        self,
        near: Address,
        *,
        name: str = "far",
        read: Callable[[bytes], Any] = parse_message,
        once: bool = False,
        contact: bool = True,
    ) -> None:
        self.near, self.name = near, name
        self.messages: asyncio.Queue[Any] = asyncio.Queue()
        self._read, self._once, self._contact = read, once, contact
        self._seen: set[bytes] = set()
        self._branches = self._pings = 0

    @classmethod
    def of_text(cls, near: Address) -> FarEnd:
        """One that shares no code with what it judges."""
        return cls(near, name="foreign", read=text_of, once=True, contact=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.address = Address(*transport.get_extra_info("sockname")[:2])

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self._once and data in self._seen:
            return
        self._seen.add(data)
        self.messages.put_nowait(self._read(data))

    @property
    def uri(self) -> str:
        return f"sip:{self.name}@{self.address}"

    @property
    def hop(self) -> Hop:
        return Hop(Transport.UDP, *self.address)

    # -- out

    def send(self, start: str, *rows: str, body: str | bytes = b"") -> None:
        """Send a message of these lines."""
        octets = body.encode() if isinstance(body, str) else body
        self.transport.sendto(_written(start, rows, octets), self.near)

    def request(
        self,
        method: str,
        cseq: int = 1,
        *headers: str,
        to: str = "<sip:near@example.net>",
        from_: str = "<sip:far@example.net>;tag=far",
        body: Content | None = None,
        branch: str = "",
        contact: bool = True,
        call_id: str = "call-1",
    ) -> str:
        """Send a request and return its branch."""
        self._branches += 1
        branch = branch or f"z9hG4bKfar{self._branches}"
        self.send(
            f"{method} sip:near@{self.near} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address};branch={branch}",
            "Max-Forwards: 70",
            f"From: {from_}",
            f"To: {to}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            *([f"Contact: <{self.uri}>"] if contact else []),
            *headers,
            *([f"Content-Type: {body.type}"] if body else []),
            body=body.body if body else b"",
        )
        return branch

    def answer(
        self,
        request: Any,
        status: str,
        *headers: str,
        tag: str | None = None,
        body: Content | None = None,
    ) -> None:
        """Answer a request; a tag where its To has none, a Contact where the status makes a dialog."""
        self.transport.sendto(self.written(request, status, *headers, tag=tag, body=body), self.near)

    def written(
        self,
        request: Any,
        status: str,
        *headers: str,
        tag: str | None = None,
        body: Content | None = None,
    ) -> bytes:
        """The octets of that answer. tag: its own name when None, "" for no tag."""
        tag = self.name if tag is None else tag
        from_, to, call_id, cseq = (request.get_all(name)[0] for name in ("From", "To", "Call-ID", "CSeq"))
        given = any(row.startswith("Contact:") for row in headers)
        makes_dialog = status[0] in "12" and not status.startswith("100") and not given
        rows = [
            *(f"Via: {value}" for value in request.get_all("Via")),
            f"From: {from_}",
            f"To: {to if ';tag=' in to or not tag else f'{to};tag={tag}'}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq}",
            *([f"Contact: <{self.uri}>"] if makes_dialog and self._contact else []),
            *headers,
            *([f"Content-Type: {body.type}"] if body else []),
        ]
        return _written(f"SIP/2.0 {status}", rows, body.body if body else b"")

    # -- in

    @property
    def idle(self) -> bool:
        """Whether nothing has come that was not looked at."""
        return self.messages.empty()

    async def next(self, start: str = "") -> Any:
        """The next message; its start line begins so."""
        async with asyncio.timeout(5):
            found = await self.messages.get()
        assert found.start_line.decode().startswith(start), f"{start} expected, got {found.start_line!r}"
        return found

    async def response(self, start: str | int) -> Any:
        """The next message, a response whose status begins so."""
        return await self.next(f"SIP/2.0 {start}")

    async def nothing(self) -> None:
        """A request outside everything is answered, and nothing came before that answer."""
        for _ in range(2):
            self._pings += 1
            call_id = f"ping-{self._pings}"
            self.request("OPTIONS", 1, call_id=call_id)
            found = await self.response("200")
            assert found.call_id == call_id, f"nothing expected, got {found!r}"


def _written(start: str, rows: Iterable[str], body: bytes) -> bytes:
    lines = [start, *rows, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body
