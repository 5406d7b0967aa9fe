"""The MSRP side of a handset made of sockets and wire text, and the bodies it writes."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any

ICSI = "urn:urn-7:3gpp-service.ims.icsi."
SESSION, LARGE = f"{ICSI}oma.cpm.session", f"{ICSI}oma.cpm.largemsg"
IDS = ("Supported: timer", "Conversation-ID: conv-7", "Contribution-ID: contrib-7")


def sdp(
    uri: str,
    setup: str,
    *rows: str,
    proto: str = "TCP/MSRP",
    types: str = "message/cpim",
    wrapped: str = "text/plain message/imdn+xml",
    direction: str = "sendrecv",
) -> str:
    """An offer or answer of one m-line. rows: attributes at its end."""
    return (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=message 9 {proto} *\r\na=path:{uri}\r\na=setup:{setup}\r\na=accept-types:{types}\r\n"
        f"a=accept-wrapped-types:{wrapped}\r\na={direction}\r\n" + "".join(f"a={row}\r\n" for row in rows)
    )


class MsrpClient:
    """The MSRP side of a handset that connects."""

    def __init__(self, own: str, remote: str) -> None:
        self.own, self.remote = own, remote
        found = re.match(r"msrps?://([^:/]+):(\d+)/", remote)
        assert found is not None
        self.socket = socket.create_connection((found[1], int(found[2])), 5)
        self.buffer = b""
        self.count = 0

    def close(self) -> None:
        self.socket.close()

    def read(self) -> str:
        """One request or response."""
        while (end := re.search(rb"-------(\S+?)[$+#]\r\n", self.buffer)) is None:
            piece = self.socket.recv(65535)
            assert piece, "the peer closed the connection"
            self.buffer += piece
        found, self.buffer = self.buffer[: end.end()], self.buffer[end.end() :]
        return found.decode()

    def send(self, body: str | bytes = "", *rows: str, kind: str = "message/cpim") -> str:
        """A SEND in one chunk, bodiless without a body; the status line of its response."""
        octets = body.encode() if isinstance(body, str) else body
        return self.chunk(octets, 1, len(octets), *rows, kind=kind, message=self.count + 1)

    def chunk(
        self,
        octets: bytes,
        start: int,
        total: int,
        *rows: str,
        kind: str = "message/cpim",
        message: int = 0,
        flag: str = "$",
    ) -> str:
        """A SEND of one chunk, the octet `start` (from 1) first; the status line of its response."""
        self.post(octets, start, total, *rows, kind=kind, message=message, flag=flag)
        return self.read().split("\r\n")[0]

    def post(
        self,
        octets: bytes,
        start: int,
        total: int,
        *rows: str,
        kind: str = "message/cpim",
        message: int = 0,
        flag: str = "$",
    ) -> None:
        """The same, whether or not there will be a response."""
        self.count += 1
        identifier = f"uesend{self.count}"
        lines = [
            f"MSRP {identifier} SEND",
            f"To-Path: {self.remote}",
            f"From-Path: {self.own}",
            f"Message-ID: m{message}",
            f"Byte-Range: {start}-{start + len(octets) - 1}/{total}",
            *rows,
            *([f"Content-Type: {kind}", ""] if octets else []),
        ]
        content = b"\r\n" + octets if octets else b""
        end = f"\r\n-------{identifier}{flag}\r\n".encode()
        self.socket.sendall("\r\n".join(lines).encode() + content + end)

    def take(self, statuses: Iterator[str] | None = None) -> tuple[str, list[str]]:
        """A message of the peer, its chunks answered with these or 200: content, heads with flags."""
        content, heads = "", []
        while True:
            head, _, rest = self.read().partition("\r\n\r\n")
            tid, flag = head.split(" ")[1], rest[-3]
            content += rest[: rest.rindex(f"\r\n-------{tid}")]
            heads.append(f"{head}\r\nFlag: {flag}")
            self.answer(head, "200 OK" if statuses is None else next(statuses))
            if flag in "$#":
                return content, heads

    def answer(self, request: str, status: str = "200 OK") -> None:
        identifier = request.split(" ")[1]
        self.socket.sendall(
            f"MSRP {identifier} {status}\r\nTo-Path: {self.remote}\r\nFrom-Path: {self.own}\r\n"
            f"-------{identifier}$\r\n".encode()
        )


def cpim(
    text: str,
    ue: str,
    far: str,
    disposition: str = "positive-delivery, display",
    kind: str = "text/plain;charset=UTF-8",
) -> str:
    """A message as an object of CPIM."""
    return (
        f"From: <{ue}>\r\nTo: <{far}>\r\nDateTime: 2015-02-17T06:54:27Z\r\n"
        "NS: imdn <urn:ietf:params:imdn>\r\n"
        f"imdn.Message-ID: mid-1\r\nimdn.Disposition-Notification: {disposition}\r\n\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(text.encode())}\r\n\r\n{text}"
    )


def imdn(kind: str, message_id: str, ue: str, far: str) -> str:
    """A notification as an object of CPIM."""
    element = {"delivered": "delivery", "displayed": "display"}[kind]
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<imdn xmlns="urn:ietf:params:xml:ns:imdn">'
        f"<message-id>{message_id}</message-id><datetime>2015-02-17T06:54:27Z</datetime>"
        f"<{element}-notification><status><{kind}/></status></{element}-notification></imdn>"
    )
    return (
        f"From: <{ue}>\r\nTo: <{far}>\r\nDateTime: 2015-02-17T06:54:28Z\r\n"
        f"NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: own-{kind}\r\n\r\n"
        "Content-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n"
        f"Content-Length: {len(xml)}\r\n\r\n{xml}"
    )


def follow(handset: Any, accepted: Any, method: str, cseq: int, *rows: str) -> None:
    """A request of the handset in the dialog of this 200."""
    target = re.search("<(.*?)>", accepted.header("Contact"))[1]
    text = handset.request(
        method, target, *rows, to=accepted.header("To"), cseq=cseq, call_id=accepted.header("Call-ID")
    )
    handset.send(text)


def accept(handset: Any, asked: Any, answer: str) -> Any:
    """Answer an INVITE of the peer with a 200 and this SDP; the ACK."""
    lines = [
        "SIP/2.0 200 OK",
        *(f"Via: {value}" for value in asked.all("Via")),
        f"From: {asked.header('From')}",
        f"To: {asked.header('To')};tag=ue",
        f"Call-ID: {asked.header('Call-ID')}",
        f"CSeq: {asked.header('CSeq')}",
        f"Contact: <{handset.contact}>",
        *(f"Record-Route: {value}" for value in asked.all("Record-Route")),
        "Content-Type: application/sdp",
        f"Content-Length: {len(answer)}",
        "",
        answer,
    ]
    handset.send("\r\n".join(lines))
    return handset.receive()


def path_of(message: Any) -> str:
    """The a=path of a body."""
    return re.search("(?m)^a=path:(.*?)\r?$", message.body)[1]


class Receiver:
    """A registered handset that is offered content by the peer: an INVITE, a connection it opens, a BYE."""

    own = "msrp://127.0.0.1:9/ue2;tcp"

    def __init__(self, bench: Any, ue: str) -> None:
        self.bench, self.ue = bench, ue
        self.handset = bench.handset(stream=True)
        self.handset.register()

    def asked_by(self, work: Any) -> Any:
        """The INVITE that this work of the peer sends."""
        self.result = self.bench.begin(work)
        self.asked = self.handset.receive()
        assert self.asked.start.startswith("INVITE ")
        return self.asked

    def connect(self, answer: str) -> MsrpClient:
        """Accept with this description, and open the connection."""
        assert accept(self.handset, self.asked, answer).start.startswith("ACK ")
        msrp = MsrpClient(self.own, path_of(self.asked))
        assert msrp.send() == "MSRP uesend1 200 OK"
        return msrp

    def bye(self) -> Any:
        """Answer the BYE of the peer; what became of its work."""
        bye = self.handset.receive()
        assert bye.start.startswith("BYE ")
        self.handset.answer(bye)
        return self.result()
