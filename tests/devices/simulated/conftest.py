"""A network of raw sockets and literal wire text for the simulated RCS client, on a clock that tests drive.

It shares no code with the client or the peer, so that neither judges itself. Tests that are coroutines run in
a loop of their own.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from devices.simulated.baseband import Baseband, Cell, Identity, Pdn
from devices.simulated.conversations import MessageStatus
from devices.simulated.defects import Defects
from devices.simulated.messaging_app import MessagingApp
from devices.simulated.personality import personality_named
from devices.simulated.rcs_access import RcsSettings
from devices.simulated.rcs_client import RcsClient
from harness.evidence.timeline import Transport
from tests.sip_text import SipText

DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
IMSI = "001010123456789"
IMPI = f"{IMSI}@{DOMAIN}"
OWN = f"sip:+12025550101@{DOMAIN};user=phone"
FAR = f"sip:+12025550199@{DOMAIN};user=phone"
FAR_NUMBER = "+12025550199"
PANI = "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000100"
ROUTE = "<sip:orig@scscf.example;lr>"


class DrivenLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock a test moves on."""

    offset = 0.0

    def time(self) -> float:
        return super().time() + self.offset


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names if name in pyfuncitem.funcargs}
    with asyncio.Runner(loop_factory=DrivenLoop) as runner:
        runner.run(pyfuncitem.obj(**arguments))
    return True


class Wire(SipText):
    """One message. reply_to: sends a response the way it came."""

    __slots__ = ("reply_to",)

    def header(self, name: str) -> str:
        values = self.all(name)
        assert len(values) == 1, f"{name}: {len(values)} times in\n{self}"
        return values[0]

    def cpim(self, name: str) -> str:
        found = re.findall(rf"(?m)^{re.escape(name)}: (.*?)\r?$", self.body)
        assert len(found) == 1, f"{name}: {len(found)} times in\n{self.body}"
        return str(found[0])

    def directive(self, header: str, name: str) -> str | None:
        """The value of name=value in a header, without quotes."""
        found = re.search(rf'[ ,]{name}=("([^"]*)"|[^, ]+)', self.header(header))
        return None if found is None else found[1].strip('"')

    @property
    def tag(self) -> str:
        return self.header("From").partition(";tag=")[2]

    @property
    def cseq(self) -> int:
        return int(self.header("CSeq").split()[0])


class Network:
    """A P-CSCF on UDP and TCP of one port that says only what a test tells it to."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.port = 0
        self.inbox: asyncio.Queue[Wire] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []
        self._ids = itertools.count(1)
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        self._tcp = await asyncio.start_server(self._connected, self.host, port)
        self.port = self._tcp.sockets[0].getsockname()[1]
        loop, network = asyncio.get_running_loop(), self

        class Datagrams(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, source: tuple[Any, ...]) -> None:
                network._put(data, lambda reply: network.udp.sendto(reply, source))

        self._udp, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=(self.host, self.port))

    @property
    def udp(self) -> asyncio.DatagramTransport:
        assert self._udp is not None
        return self._udp

    def close(self) -> None:
        self.udp.close()
        for writer in self.writers:
            writer.close()
        if self._tcp is not None:
            self._tcp.close()

    def drop_connections(self) -> None:
        """Reset every TCP connection."""
        for writer in self.writers:
            linger = struct.pack("ii", 1, 0)  # no FIN, a RST
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        self.writers.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?mi)^content-length: *(\d+)", head)
                assert length is not None, "a message on a stream needs Content-Length"
                self._put(head + await reader.readexactly(int(length[1])), writer.write)
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    def _put(self, data: bytes, reply_to: Callable[[bytes], Any]) -> None:
        wire = Wire(data.decode("utf-8", "backslashreplace"))
        wire.reply_to = reply_to
        self.inbox.put_nowait(wire)

    async def receive(self, method: str | None = None) -> Wire:
        """The next message, which has to be this request (or a response)."""
        wire = await asyncio.wait_for(self.inbox.get(), 5)
        assert method is None or wire.method == method, f"expected {method}, got\n{wire}"
        return wire

    async def nothing(self) -> None:
        """What was sent up to now has come; there is no more."""
        await settled()
        assert self.inbox.empty(), f"expected nothing, got\n{self.inbox.get_nowait()}"

    def answer(self, request: Wire, status: str, *headers: str, body: str = "") -> None:
        """Answer in the way every server has to (RFC 3261 8.2.6)."""
        to = request.header("To")
        lines = [f"SIP/2.0 {status}"]
        lines += [f"Via: {value}" for value in request.all("Via")]
        lines += [f"From: {request.header('From')}", f"To: {to}" + ("" if ";tag=" in to else ";tag=net")]
        lines += [f"Call-ID: {request.header('Call-ID')}", f"CSeq: {request.header('CSeq')}", *headers]
        lines += [f"Content-Length: {len(body.encode())}", "", body]
        request.reply_to("\r\n".join(lines).encode())

    def accept(self, register: Wire, *headers: str, expires: int = 600_000) -> None:
        """200 to a REGISTER that binds its Contact."""
        contact = register.header("Contact").split(";")[0]
        self.answer(
            register,
            "200 OK",
            f"Contact: {contact};expires={expires}",
            f"P-Associated-URI: <{OWN}>, <tel:+12025550101>",
            f"Service-Route: {ROUTE}",
            *headers,
        )

    def send(self, client: str, data: str | bytes) -> None:
        """A datagram to the client, named by the URI of its Contact."""
        host, _, port = client.rpartition("@")[2].rpartition(":")
        octets = data.encode() if isinstance(data, str) else data
        self.udp.sendto(octets, (host.strip("[]"), int(port)))

    def request(
        self,
        method: str,
        client: str,
        *extra: str,
        body: str = "",
        call_id: str = "",
        sender: str = f"<{FAR}>;tag=far",
        to: str = f"<{OWN}>",
        cseq: int = 1,
        branch: str = "",
    ) -> str:
        """Wire text of a request to the client."""
        number = next(self._ids)
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [
            f"{method} {client} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{self.port};branch=z9hG4bK{branch or f'net{number}'};rport",
            "Max-Forwards: 70",
            f"From: {sender}",
            f"To: {to}",
            f"Call-ID: {call_id or f'net-{number}'}",
            f"CSeq: {cseq} {method}",
            *extra,
            f"Content-Length: {len(body.encode())}",
            "",
            body,
        ]
        return "\r\n".join(lines)

    async def ask(self, method: str, client: str, *extra: str, **options: Any) -> Wire:
        """Send a request to the client and return what comes next."""
        self.send(client, self.request(method, client, *extra, **options))
        return await self.receive("SIP/2.0")

    def text(
        self,
        client: str,
        text: str = "hi",
        *extra: str,
        message_id: str | None = "mid-1",
        disposition: str | None = "positive-delivery, display",
        cpim_from: str = FAR,
        cpim_to: str = OWN,
        cpim: tuple[str, ...] = (),
        inner: str = "text/plain;charset=UTF-8",
        content_type: str = "message/cpim",
        **options: Any,
    ) -> str:
        """Wire text of a pager message."""
        lines = [f"From: <{cpim_from}>", f"To: <{cpim_to}>", "DateTime: 2015-02-17T06:54:27Z"]
        lines.append("NS: imdn <urn:ietf:params:imdn>")
        lines += [f"imdn.Message-ID: {message_id}"] if message_id else []
        lines += [f"imdn.Disposition-Notification: {disposition}"] if disposition else []
        lines += [*cpim, "", f"Content-Type: {inner}", f"Content-Length: {len(text.encode())}", "", text]
        rows = (
            f"P-Asserted-Identity: <{FAR}>, <tel:{FAR_NUMBER}>",
            "Conversation-ID: conv-1",
            "Contribution-ID: contrib-1",
            *extra,
            f"Content-Type: {content_type}",
        )
        return self.request("MESSAGE", client, *rows, body="\r\n".join(lines), **options)

    def notification(self, client: str, message_id: str, status: str, **options: Any) -> str:
        """Wire text of an IMDN about a text of the handset."""
        kind = {"delivered": "delivery", "displayed": "display"}[status]
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<imdn xmlns="urn:ietf:params:xml:ns:imdn">'
            f"<message-id>{message_id}</message-id><datetime>2015-02-17T06:54:27Z</datetime>"
            f"<{kind}-notification><status><{status}/></status></{kind}-notification></imdn>"
        )
        options = {"disposition": None, "message_id": f"own-{status}"} | options
        return self.text(client, xml, inner="message/imdn+xml", **options)

    def invite(
        self, client: str, sdp: str, service: str = "oma.cpm.session", *extra: str, **options: Any
    ) -> str:
        """Wire text of an INVITE to the client."""
        tag = service.removesuffix(".group")
        rows = (
            f"Contact: <sip:far@{self.host}:{self.port}>",
            f"P-Asserted-Identity: <{FAR}>, <tel:{FAR_NUMBER}>",
            f"P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.{service}",
            f'Accept-Contact: *;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.{tag}"',
            f"Record-Route: <sip:{self.host}:{self.port};lr>",
            "Supported: timer",
            "Allow: INVITE, ACK, CANCEL, BYE, UPDATE",
            "Conversation-ID: conv-1",
            "Contribution-ID: contrib-1",
            "Session-Expires: 1800",
            *extra,
            *(["Content-Type: application/sdp"] if sdp else []),
        )
        return self.request("INVITE", client, *rows, body=sdp, **options)

    def reginfo(self, subscribe: Wire, contact: str, event: str, *, state: str = "terminated") -> str:
        """Wire text of a NOTIFY in the dialog of that SUBSCRIBE."""
        body = (
            '<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="1" state="full">'
            f'<registration aor="{OWN}" id="r1" state="{state}"><contact id="c1" state="{state}" '
            f'event="{event}"><uri>{contact}</uri></contact></registration></reginfo>'
        )
        return self.request(
            "NOTIFY",
            contact,
            "Event: reg",
            "Subscription-State: " + ("terminated;reason=noresource" if state == "terminated" else state),
            "Content-Type: application/reginfo+xml",
            body=body,
            call_id=subscribe.header("Call-ID"),
            sender=f"<{OWN}>;tag=net",
            to=f"<{OWN}>;tag={subscribe.tag}",
        )

    async def notified(self, rig: Rig, state: str = "active") -> None:
        """Tell the client that it is registered, and take its answer."""
        text = self.reginfo(rig.subscribe, rig.contact, "registered", state="active")
        way = f"Contact: <{rig.contact}>\r\nRecord-Route: <sip:127.0.0.1:9;lr>"
        self.send(rig.contact, text.replace("State: active", f"State: {state}\r\n{way}"))
        assert (await self.receive("SIP/2.0")).status == 200


class Rig:
    """The client on a baseband that a test drives, and the network it meets."""

    def __init__(
        self, host: str, settings: dict[str, Any], personality: str, defects: tuple[str, ...]
    ) -> None:
        self.network = Network(host)
        self.baseband = Baseband(Identity(msisdn="+12025550101"))
        self.app = MessagingApp(lambda: 0.0)
        self.defects = Defects(defects)
        transport = Transport(settings.pop("transport", "UDP"))
        self._settings, self._personality = settings | {"transport": transport}, personality
        self.contact = ""
        self.subscribe: Wire
        self.client: RcsClient

    async def start(self) -> None:
        await self.network.start()
        settings = RcsSettings(DOMAIN, **({"pcscf_port": self.network.port} | self._settings))
        self.client = RcsClient(
            self.baseband, self.app, settings, personality_named(self._personality), self.defects
        )
        self.client.start()

    async def close(self) -> None:
        await self.client.close()
        self.network.close()

    async def network_on_port(self, port: int) -> None:
        """Listen again, on a port of another network."""
        self.network.close()
        self.network = Network(self.network.host)
        await self.network.start(port)

    def attach(self, pcscf: str | None = None, *, cell: Cell | None = None) -> None:
        """Coverage, and a PDN connection whose P-CSCF is the network (or another)."""
        self.baseband.heard(cell or Cell("001", "01", 1, 256, -85.0))
        pdn = Pdn("ims", "127.0.0.2", (pcscf or self.network.host,), "::1")
        self.baseband.attached(pdn)

    def lose_radio(self) -> None:
        self.baseband.heard(None)

    async def register(self, **options: Any) -> Wire:
        """Attach and be registered without authentication. Returns the SUBSCRIBE, which is accepted."""
        self.attach()
        return await self.be_registered(**options)

    async def be_registered(self, **options: Any) -> Wire:
        register = await self.network.receive("REGISTER")
        self.contact = register.header("Contact").split(">")[0].strip("<")
        self.network.accept(register, **options)
        others = []
        while (subscribe := await self.network.receive()).method != "SUBSCRIBE":
            others.append(subscribe)  # texts that waited go at once
        for other in others:
            self.network.inbox.put_nowait(other)
        self.network.answer(subscribe, "200 OK", "Expires: 600000", "Contact: <sip:net@127.0.0.1>")
        await settled()
        assert self.baseband.ims_registered
        self.subscribe = subscribe
        return subscribe

    def write(self, text: str, number: str = FAR_NUMBER) -> None:
        self.app.open_conversation(number, text)
        self.app.press_send()

    @property
    def statuses(self) -> list[MessageStatus | None]:
        """What stands under the texts written to the far party."""
        messages = self.app.conversations[FAR_NUMBER].messages
        return [message.status for message in messages if message.outgoing]

    @property
    def shown(self) -> list[str]:
        """The texts that came, of all conversations."""
        held = self.app.conversations.values()
        return [text.text for one in held for text in one.messages if not (text.outgoing or text.note)]

    async def text(self, *arguments: Any, **options: Any) -> Wire:
        """Send a text to the client and return its answer."""
        self.network.send(self.contact, self.network.text(self.contact, *arguments, **options))
        return await self.network.receive("SIP/2.0")


async def settled() -> None:
    """Everything that can happen without time passing has happened: loopback delivers at once."""
    for _ in range(60):
        await asyncio.sleep(0)


async def advance(seconds: float) -> None:
    """Move the clock on, in steps in which every timer that falls due is run."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, DrivenLoop)
    left = seconds
    while left > 0:
        step = min(left, 0.5)
        loop.offset += step
        left -= step
        await settled() if seconds < 100 or left < 5 else await asyncio.sleep(0)
    await settled()


class Toolbox:
    """What tests take from here, since test modules do not import each other."""

    DOMAIN, IMSI, IMPI, OWN, FAR, FAR_NUMBER = DOMAIN, IMSI, IMPI, OWN, FAR, FAR_NUMBER
    PANI, ROUTE = PANI, ROUTE
    advance, settled = staticmethod(advance), staticmethod(settled)
    loop = DrivenLoop

    @staticmethod
    @asynccontextmanager
    async def rig(
        host: str = "127.0.0.1",
        *,
        personality: str = "reference",
        defects: tuple[str, ...] = (),
        **settings: Any,
    ) -> AsyncIterator[Rig]:
        rig = Rig(host, settings, personality, defects)
        await rig.start()
        try:
            yield rig
        finally:
            await rig.close()

    @staticmethod
    def other_cell(cell: Cell, **changes: Any) -> Cell:
        return replace(cell, **changes)


@pytest.fixture
def tools() -> Toolbox:
    return Toolbox()
