"""A peer in its loop thread, and a handset made of plain sockets and literal wire text.

The handset shares no code with the peer, so that what the peer writes is read by somebody else.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.agent.loop_thread import LoopThread
from harness.evidence.timeline import Timeline
from harness.peer.config import PeerConfig
from harness.peer.peer import Peer
from tests.harness.peer.msrp_handset import SESSION, sdp
from tests.sip_text import SipText

DOMAIN = "ims.example"
UE = f"sip:+491701234567@{DOMAIN};user=phone"
FAR = f"sip:+491709999999@{DOMAIN};user=phone"


class Wire(SipText):
    """One received message."""

    __slots__ = ()

    def header(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None


class Handset:
    """A SIP client of a few lines: UDP, or TCP with `stream`, or TLS with a context of Python's own ssl."""

    def __init__(
        self, peer: tuple[str, int], *, stream: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
        self.stream, self.peer = stream, peer
        self.listener: socket.socket | None = None
        if stream:
            self.socket = socket.socket(family, socket.SOCK_STREAM)
            self.socket.bind((peer[0], 0))
        else:
            self.socket, self.listener = _one_port(family, peer[0])
        self.socket.settimeout(5)
        if stream:
            self.socket.connect(peer)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=peer[0])
        host, self.port = self.socket.getsockname()[:2]
        self.host = f"[{host}]" if ":" in host else host
        self.contact = f"sip:ue@{self.host}:{self.port}"
        self.buffer = b""
        self.count = 0

    def close(self) -> None:
        self.socket.close()
        if self.listener is not None:
            self.listener.close()

    def listen_stream(self) -> None:
        """Listen for TCP on the port of the UDP socket; without it TCP is refused there."""
        assert self.listener is not None
        self.listener.listen()
        self.listener.settimeout(5)

    def accept(self) -> None:
        """Go on over the TCP connection the peer opens."""
        assert self.listener is not None
        self.socket.close()
        self.socket, _ = self.listener.accept()
        self.socket.settimeout(5)
        self.stream = True

    def send(self, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        if self.stream:
            self.socket.sendall(data)
        else:
            self.socket.sendto(data, self.peer)

    def receive(self) -> Wire:
        if not self.stream:
            return Wire(self.socket.recv(65535).decode())
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        found = re.search(rb"(?mi)^content-length: *(\d+)", head)
        assert found is not None, "a message on a stream needs Content-Length"
        length = int(found[1])
        while len(rest) < length:
            self._more()
            rest = self.buffer.partition(b"\r\n\r\n")[2]
        self.buffer = rest[length:]
        return Wire((head + b"\r\n\r\n" + rest[:length]).decode())

    def _more(self) -> None:
        piece = self.socket.recv(65535)
        if not piece:
            raise EOFError("the peer closed the connection")
        self.buffer += piece

    def silence(self, seconds: float) -> bool:
        """True when nothing comes for so long."""
        self.socket.settimeout(seconds)
        try:
            self.receive()
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(5)
        return False

    def request(
        self,
        method: str,
        uri: str,
        *extra: str,
        to: str = UE,
        sender: str = UE,
        body: str = "",
        call_id: str = "call-1",
        cseq: int | None = None,
        from_tag: str = "ue-tag",
        branch: str | None = None,
        rport: bool = True,
    ) -> str:
        """Wire text of a request."""
        self.count += 1
        branch = branch or f"{self.port}x{self.count}"
        secured = isinstance(self.socket, ssl.SSLSocket)
        transport = "TLS" if secured else "TCP" if self.stream else "UDP"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{transport} {self.host}:{self.port};branch=z9hG4bK{branch}{';rport' * rport}",
            "Max-Forwards: 70",
            f"From: <{sender}>;tag={from_tag}",
            f"To: <{to}>" if "<" not in to else f"To: {to}",
            f"Call-ID: {call_id}",
            f"CSeq: {self.count if cseq is None else cseq} {method}",
            *extra,
            f"Content-Length: {len(body.encode())}",
            "",
            body,
        ]
        return "\r\n".join(lines)

    def ask(self, method: str, uri: str, *extra: str, **options: Any) -> Wire:
        """Send a request and return what comes back first."""
        self.send(self.request(method, uri, *extra, **options))
        return self.receive()

    def register(self, *extra: str, contact: str | None = None, **options: Any) -> Wire:
        given = f"Contact: <{self.contact}>;expires=3600" if contact is None else f"Contact: {contact}"
        rows = (given, *extra) if given != "Contact: " else extra
        return self.ask("REGISTER", f"sip:{DOMAIN}", *rows, **options)

    def text(
        self,
        text: str = "hello",
        *extra: str,
        message_id: str = "mid-1",
        disposition: str | None = "positive-delivery, display",
        **options: Any,
    ) -> str:
        """Wire text of a pager message."""
        asked = f"imdn.Disposition-Notification: {disposition}\r\n" if disposition else ""
        body = (
            f"From: <{UE}>\r\nTo: <{FAR}>\r\nDateTime: 2015-02-17T06:54:27Z\r\n"
            f"NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: {message_id}\r\n{asked}\r\n"
            f"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len(text.encode())}\r\n\r\n{text}"
        )
        rows = (
            f"P-Preferred-Identity: <{UE}>",
            "Conversation-ID: conv-1",
            "Contribution-ID: contrib-1",
            *extra,
            "Content-Type: message/cpim",
        )
        options = {"call_id": f"call-{self.count}", "to": FAR} | options
        return self.request("MESSAGE", FAR, *rows, body=body, **options)

    def imdn(self, kind: str, message_id: str, **options: Any) -> str:
        """Wire text of a notification."""
        element = {"delivered": "delivery", "displayed": "display"}[kind]
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<imdn xmlns="urn:ietf:params:xml:ns:imdn">'
            f"<message-id>{message_id}</message-id><datetime>2015-02-17T06:54:27Z</datetime>"
            f"<{element}-notification><status><{kind}/></status></{element}-notification></imdn>"
        )
        body = (
            f"From: <{UE}>\r\nTo: <{FAR}>\r\nDateTime: 2015-02-17T06:54:28Z\r\n"
            f"NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: own-{kind}\r\n\r\n"
            "Content-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n"
            f"Content-Length: {len(xml)}\r\n\r\n{xml}"
        )
        rows = ("Conversation-ID: conv-1", "Contribution-ID: contrib-2", "Content-Type: message/cpim")
        options = {"call_id": f"call-{kind}-{message_id}", "to": FAR} | options
        return self.request("MESSAGE", FAR, *rows, body=body, **options)

    def answer(self, request: Wire, status: str = "200 OK", *extra: str) -> None:
        """Answer a request of the peer."""
        lines = [f"SIP/2.0 {status}"]
        lines += [f"Via: {value}" for value in request.all("Via")]
        to = request.header("To") or ""
        lines += [f"From: {request.header('From')}", f"To: {to}" + ("" if ";tag=" in to else ";tag=ue")]
        lines += [f"Call-ID: {request.header('Call-ID')}", f"CSeq: {request.header('CSeq')}", *extra]
        self.send("\r\n".join([*lines, "Content-Length: 0", "", ""]))


def _one_port(family: socket.AddressFamily, host: str) -> tuple[socket.socket, socket.socket]:
    """A UDP socket, and one for TCP on its port that nobody else can have."""
    for _ in range(64):
        datagram, stream = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_STREAM)
        datagram.bind((host, 0))
        try:
            stream.bind((host, datagram.getsockname()[1]))
        except OSError:
            datagram.close()
            stream.close()
            continue
        return datagram, stream
    raise AssertionError("no port is free for both UDP and TCP")


class Bench:
    """A peer that runs, and the handsets made for it."""

    def __init__(self, loop: LoopThread) -> None:
        self.loop = loop
        self.now = 0.0  # added to the clock of the timeline
        start = time.time() - time.monotonic()
        self.timeline = Timeline(lambda: start + time.monotonic() + self.now)
        self.peer = Peer(PeerConfig(DOMAIN), self.timeline)
        self.handsets: list[Handset] = []
        self.started = False

    def start(self, **settings: Any) -> Peer:
        timers = settings.pop("timers", None)
        self.peer = Peer(PeerConfig(settings.pop("domain", DOMAIN), **settings), self.timeline, timers)
        self.loop.call(self.peer.start(), 5)
        self.started = True
        return self.peer

    def handset(
        self, *, stream: bool = False, address: int = 0, tls: ssl.SSLContext | None = None
    ) -> Handset:
        assert self.peer.addresses is not None
        listening = self.peer.addresses.sip_udp if tls is None else self.peer.addresses.sip_tls
        handset = Handset(tuple(listening[address]), stream=stream or tls is not None, tls=tls)
        self.handsets.append(handset)
        return handset

    def call(self, coroutine: Any, timeout: float = 10) -> Any:
        return self.loop.call(coroutine, timeout)

    def begin(self, coroutine: Any) -> Callable[[], Any]:
        """Start a coroutine in the loop; the result is asked for later."""
        import asyncio

        loop = self.loop._loop
        assert loop is not None
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        return lambda: future.result(10)

    def close(self) -> None:
        for handset in self.handsets:
            handset.close()
        if self.started:
            self.loop.call(self.peer.stop(), 5)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with LoopThread("test-peer") as loop:
        found = Bench(loop)
        try:
            yield found
        finally:
            found.close()


@pytest.fixture
def far() -> str:
    return FAR


@pytest.fixture
def ue() -> str:
    return UE


@pytest.fixture
def invite(bench: Bench, ue: str, far: str) -> Callable[..., Wire]:
    """Sends an INVITE of a handset; what came first."""

    def ask(
        handset: Handset,
        *rows: str,
        uri: str = far,
        body: str | None = None,
        kind: str = "application/sdp",
        service: str | None = SESSION,
        **options: Any,
    ) -> Wire:
        named = [f"P-Preferred-Service: {service}"] if service else []
        return handset.ask(
            "INVITE",
            uri,
            f"Contact: <{handset.contact}>",
            f"P-Preferred-Identity: <{ue}>",
            *named,
            *rows,
            f"Content-Type: {kind}",
            body=sdp("msrp://127.0.0.1:9/ue1;tcp", "active") if body is None else body,
            **({"to": uri, "cseq": 1, "call_id": "chat-1"} | options),
        )

    return ask
