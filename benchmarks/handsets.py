"""Handsets that register, over UDP from one socket or over TCP with a connection each."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count, repeat

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
def registered(address: str, numbers: list[str], transport: str = "UDP") -> Iterator[list[Handset]]:
    """Handsets of a peer, registered; over TCP all connections stay open until the end.

    A few at a time: a listener drops who connects while a hundred wait, and they try again a second later.
    """
    with ExitStack() as until_the_end:
        lines, found = _lines(address, transport, until_the_end), list[Handset]()
        while len(found) < len(numbers):
            batch = numbers[len(found) : len(found) + AT_ONCE]
            found += register_together([Handset(number, next(lines)) for number in batch])
        yield found


def _lines(address: str, transport: str, until_the_end: ExitStack) -> Iterator[socket.socket]:
    """A socket for each handset: always the same over UDP, a new one over TCP."""
    host, _, port = address.rpartition(":")
    far = host, int(port)
    if transport == "UDP":
        line = until_the_end.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        line.settimeout(_ANSWER_SECONDS)
        line.connect(far)
        yield from repeat(line)
    for place in count():
        source = f"127.0.1.{place // PER_SOURCE + 1}", 0
        yield until_the_end.enter_context(socket.create_connection(far, _ANSWER_SECONDS, source))


def register_together(batch: list[Handset]) -> list[Handset]:
    """Send the REGISTERs of all, then wait for the answers."""
    for handset in batch:
        handset.ask()
    for handset in batch:
        handset.registered()
    return batch


def allow_files(files: int) -> None:
    """Let this process and those it starts open so many files. Raises CannotRun where the system does not."""
    wanted = files + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise CannotRun(f"{wanted:,} open files are needed, {hard:,} are allowed (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
