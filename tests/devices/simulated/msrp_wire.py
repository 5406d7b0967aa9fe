"""The far end of MSRP and SDP as literal wire text, for tests of the simulated RCS client."""

from __future__ import annotations

import asyncio
import re
from typing import Any


class MsrpWire(str):
    """One MSRP message as text."""

    __slots__ = ()

    @property
    def method(self) -> str:
        """SEND or REPORT, or the status of a response."""
        return self.split(" ", 2)[2].split("\r\n")[0].split(" ")[0]

    @property
    def tid(self) -> str:
        return self.split(" ", 2)[1]

    @property
    def flag(self) -> str:
        return self.rstrip("\r\n")[-1]

    def header(self, name: str) -> str:
        values = re.findall(rf"(?m)^{re.escape(name)}: (.*?)\r?$", self.head)
        assert len(values) == 1, f"{name}: {len(values)} times in\n{self}"
        return str(values[0])

    @property
    def head(self) -> str:
        return self.split("\r\n\r\n", 1)[0].split("\r\n-------")[0]

    @property
    def body(self) -> str:
        """What stands between the empty line and the end-line; empty without one."""
        text = self.rpartition(f"\r\n-------{self.tid}")[0]
        return text.split("\r\n\r\n", 1)[1] if "\r\n\r\n" in text else ""

    def cpim(self, name: str) -> str:
        found = re.findall(rf"(?m)^{re.escape(name)}: (.*?)\r?$", self.body)
        assert len(found) == 1, f"{name}: {len(found)} times in\n{self.body}"
        return str(found[0])


class FarMsrp:
    """Listens, or connects, and says only what a test tells it to. session: of our URI."""

    def __init__(self, host: str = "127.0.0.1", session: str = "farsession123456789012") -> None:
        self.host, self.session = host, session
        self.port = 0
        self.remote = ""
        self.inbox: asyncio.Queue[MsrpWire] = asyncio.Queue()
        self.closed = asyncio.Event()
        self.writer: asyncio.StreamWriter
        self._server: asyncio.Server | None = None
        self._reading: asyncio.Task[None] | None = None
        self._number = 0

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._read, self.host)
        self.port = self._server.sockets[0].getsockname()[1]

    async def connect(self, host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        self._reading = asyncio.get_running_loop().create_task(self._read(reader, writer))

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if hasattr(self, "writer"):
            self.writer.close()

    @property
    def path(self) -> str:
        return f"msrp://{self.host}:{self.port or 9}/{self.session};tcp"

    def sdp(self, setup: str, direction: str = "sendrecv", *extra: str, accept: str = "*") -> str:
        """A description of this end."""
        lines = [
            "v=0",
            f"o=- 1 1 IN IP4 {self.host}",
            "s=-",
            f"c=IN IP4 {self.host}",
            "t=0 0",
            f"m=message {self.port or 9} TCP/MSRP *",
            f"a=path:{self.path}",
            f"a=setup:{setup}",
            f"a=accept-types:{accept}",
            "a=accept-wrapped-types:*",
            f"a={direction}",
            *extra,
        ]
        return "".join(f"{line}\r\n" for line in lines)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        try:
            while True:
                start = await reader.readuntil(b"\r\n")
                end = b"-------" + start.split(b" ")[1]
                data = start
                while not data.rstrip(b"\r\n+$#").endswith(end):
                    data += await reader.readuntil(b"\r\n")
                self.inbox.put_nowait(MsrpWire(data.decode("utf-8", "backslashreplace")))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()

    async def receive(self, method: str = "SEND", *, answered: bool = True) -> MsrpWire:
        """The next message. A SEND is answered with 200."""
        wire = await asyncio.wait_for(self.inbox.get(), 5)
        assert wire.method == method, f"expected {method}, got\n{wire}"
        if method == "SEND":
            self.remote = wire.header("From-Path")
            if answered:
                self.answer(wire)
        return wire

    def answer(self, wire: MsrpWire, status: str = "200 OK") -> None:
        to, own = wire.header("From-Path").split(" ")[0], wire.header("To-Path").split(" ")[0]
        self.write(f"MSRP {wire.tid} {status}\r\nTo-Path: {to}\r\nFrom-Path: {own}\r\n-------{wire.tid}$\r\n")

    def write(self, text: str) -> None:
        self.writer.write(text.encode())

    def send(self, body: str, content_type: str = "message/cpim", message_id: str = "") -> str:
        """Write a SEND of one chunk; returns its transaction id."""
        self._number += 1
        tid = f"fartid{self._number:06}"
        octets = len(body.encode())
        self.write(
            f"MSRP {tid} SEND\r\nTo-Path: {self.remote}\r\nFrom-Path: {self.path}\r\n"
            f"Message-ID: {message_id or f'farmessage{self._number}'}\r\nByte-Range: 1-{octets}/{octets}\r\n"
            f"Content-Type: {content_type}\r\n\r\n{body}\r\n-------{tid}$\r\n"
        )
        return tid

    async def deliver(self, body: str, content_type: str = "message/cpim", **options: Any) -> MsrpWire:
        """A SEND, and its response."""
        tid = self.send(body, content_type, **options)
        answer = await self.receive("200")
        assert answer.tid == tid
        return answer

    async def nothing(self) -> None:
        """What was sent up to now has come; there is no more."""
        for _ in range(60):
            await asyncio.sleep(0)
        assert self.inbox.empty(), f"expected nothing, got\n{self.inbox.get_nowait()}"
