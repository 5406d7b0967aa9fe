"""Handsets that register, over UDP from one socket or over TCP with a connection each."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks.frame import CannotRun

PER_SOURCE = 500
"""Connections from one address: a peer limits how many one address may open."""
AT_ONCE = 20
_ANSWER_SECONDS = 10
_OTHER_FILES = 200
_FEATURES = (
    '+sip.instance="<urn:gsma:imei:35469106-056673-0>"'
    ';+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg,'
    'urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session";+g.oma.sip-im;+g.3gpp.smsip'
)
_REST = (
    "Supported: path, gruu, sec-agree\r\n"
    "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, NOTIFY, UPDATE, PRACK, REFER\r\n"
    "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000000\r\n"
    "User-Agent: IM-client/OMA1.0 RCS 5.1\r\nContent-Length: 0\r\n\r\n"
)


@dataclass(slots=True)
class Handset:
    """A number, the socket it registers from, and the REGISTERs it sent so far."""

    number: str
    line: socket.socket
    sent: int = 0

    def register(self) -> None:
        """Register, or refresh what is registered (RFC 3261 10.2.4), and wait for the 200."""
        self.ask()
        self.registered()

    def ask(self) -> None:
        """Send a REGISTER."""
        self.sent += 1
        self.line.sendall(self._request())

    def registered(self) -> None:
        """Wait for a 200. Raises RuntimeError for another answer."""
        answer = self.line.recv(4096)
        while not answer.endswith(b"\r\n\r\n"):
            more = self.line.recv(4096)
            if not more:
                raise RuntimeError(f"REGISTER of {self.number}: the peer closed the connection")
            answer += more
        if not answer.startswith(b"SIP/2.0 200"):
            raise RuntimeError(f"REGISTER of {self.number} was answered {answer[:40]!r}")

    def _request(self) -> bytes:
        transport = "UDP" if self.line.type == socket.SOCK_DGRAM else "TCP"
        local = "{}:{}".format(*self.line.getsockname())
        identity, branch = f"<sip:{self.number}@ims.example>", f"z9hG4bK{self.number[1:]}x{self.sent}"
        return (
            f"REGISTER sip:ims.example SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch={branch};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: {identity};tag=r\r\nTo: {identity}\r\nCall-ID: r{self.number[1:]}\r\n"
            f"CSeq: {self.sent} REGISTER\r\nContact: <sip:{self.number}@{local}>;{_FEATURES}\r\n"
            f"Expires: 600000\r\n{_REST}"
        ).encode()


def users(count: int) -> list[str]:
    """Numbers of handsets."""
    return [f"+4917{number:08d}" for number in range(count)]


@contextmanager
def connected(address: str, numbers: list[str], transport: str = "UDP") -> Iterator[list[Handset]]:
    """Handsets of a peer, none of them registered yet; over TCP all connections stay open until the end."""
    host, _, port = address.rpartition(":")
    far = host, int(port)
    with ExitStack() as open_until_the_end:
        if transport == "UDP":
            line = open_until_the_end.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            line.connect(far)
            lines = [line] * len(numbers)
        else:
            lines = [
                open_until_the_end.enter_context(
                    socket.create_connection(far, source_address=(f"127.0.1.{place // PER_SOURCE + 1}", 0))
                )
                for place in range(len(numbers))
            ]
        for each in lines:
            each.settimeout(_ANSWER_SECONDS)
        yield [Handset(number, each) for number, each in zip(numbers, lines, strict=True)]


def register_all(registering: list[Handset]) -> None:
    """Register each of them, several at once."""
    for first in range(0, len(registering), AT_ONCE):
        batch = registering[first : first + AT_ONCE]
        for handset in batch:
            handset.ask()
        for handset in batch:
            handset.registered()


def allow_files(count: int) -> None:
    """Let this process and those it starts open so many files. Raises CannotRun where the system does not."""
    wanted = count + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise CannotRun(f"{wanted:,} open files are needed, {hard:,} are allowed (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
