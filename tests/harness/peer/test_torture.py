"""What the peer answers to the traps of RFC 4475 and RFC 5118, sent as octets over UDP and TCP.

The tables hold, for each message of the corpus, the section that describes it and what must come back. What
stops nobody is handed up by the agent: `HANDED_UP` is what the agent's user here answers to everything.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.agent.sip.agent import Incoming, SipAgent
from harness.agent.sockets.connection_watch import ConnectionLimits
from harness.evidence.timeline import Event, Packet, Timeline
from harness.peer.config import Authentication, Subscriber
from harness.sip.message import build_response

CORPUS = Path(__file__).parents[1] / "sip" / "corpus"
# Answers go to port 5060 (RFC 3261 18.2.2): an address of its own keeps other programs out of the way.
HOST = f"127.{os.getpid() >> 16 & 127 | 64}.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
HANDED_UP = 299

# message -> (section of RFC 4475 or 5118, status)
AGENT: dict[str, tuple[str, int]] = {
    "wsinv": ("4475 3.1.1.1", HANDED_UP),
    "intmeth": ("4475 3.1.1.2", HANDED_UP),
    "esc01": ("4475 3.1.1.3", HANDED_UP),
    "escnull": ("4475 3.1.1.4", HANDED_UP),
    "esc02": ("4475 3.1.1.5", HANDED_UP),
    "lwsdisp": ("4475 3.1.1.6", HANDED_UP),
    "longreq": ("4475 3.1.1.7", HANDED_UP),
    "dblreq": ("4475 3.1.1.8", HANDED_UP),
    "semiuri": ("4475 3.1.1.9", HANDED_UP),
    "transports": ("4475 3.1.1.10", HANDED_UP),
    "mpart01": ("4475 3.1.1.11", HANDED_UP),
    "badinv01": ("4475 3.1.2.1", 400),
    "clerr": ("4475 3.1.2.2", 400),
    "ncl": ("4475 3.1.2.3", 400),
    "scalar02": ("4475 3.1.2.4", 400),
    "quotbal": ("4475 3.1.2.6", 400),
    # The next four may be refused or read as what they meant; a Request-URI is judged by who serves it.
    "ltgtruri": ("4475 3.1.2.7", HANDED_UP),
    "lwsruri": ("4475 3.1.2.8", HANDED_UP),
    "lwsstart": ("4475 3.1.2.9", HANDED_UP),
    "trws": ("4475 3.1.2.10", HANDED_UP),
    "escruri": ("4475 3.1.2.11", HANDED_UP),
    # Not to be refused unless the Date is needed.
    "baddate": ("4475 3.1.2.12", HANDED_UP),
    "badaspec": ("4475 3.1.2.14", 400),
    "baddn": ("4475 3.1.2.15", 400),
    "badvers": ("4475 3.1.2.16", 505),
    "mismatch01": ("4475 3.1.2.17", 400),
    "mismatch02": ("4475 3.1.2.18", 400),
    # Falls back to what RFC 2543 knew a transaction by.
    "badbranch": ("4475 3.2.1", HANDED_UP),
    "insuf": ("4475 3.3.1", 400),
    "invut": ("4475 3.3.6", HANDED_UP),
    "multi01": ("4475 3.3.8", 400),
    "mcl01": ("4475 3.3.9", 400),
    "sdp01": ("4475 3.3.15", HANDED_UP),
    "inv2543": ("4475 3.4.1", HANDED_UP),
    "ipv6-good": ("5118 4.1", HANDED_UP),
    "port-ambiguous": ("5118 4.3", HANDED_UP),
    "port-unambiguous": ("5118 4.4", HANDED_UP),
    "via-received-param-with-delim": ("5118 4.5", HANDED_UP),
    "via-received-param-no-delim": ("5118 4.5", HANDED_UP),
    "ipv6-in-sdp": ("5118 4.6", HANDED_UP),
    "mult-ip-in-header": ("5118 4.7", HANDED_UP),
    "mult-ip-in-sdp": ("5118 4.8", HANDED_UP),
    "ipv4-mapped-ipv6": ("5118 4.9", HANDED_UP),
    "ipv6-bug-abnf-3-colons": ("5118 4.10", HANDED_UP),
    "ipv6-correct-abnf-2-colons": ("5118 4.10", HANDED_UP),
}

# What the peer, which is registrar and server of the domain, decides by itself.
PEER: dict[str, tuple[str, int]] = {
    "intmeth": ("4475 3.1.1.2", 501),
    "escnull": ("4475 3.1.1.4", 200),
    "esc02": ("4475 3.1.1.5", 501),
    "lwsdisp": ("4475 3.1.1.6", 200),
    "dblreq": ("4475 3.1.1.8", 200),
    "semiuri": ("4475 3.1.1.9", 200),
    "transports": ("4475 3.1.1.10", 200),
    "mpart01": ("4475 3.1.1.11", 415),
    "scalar02": ("4475 3.1.2.4", 400),
    "trws": ("4475 3.1.2.10", 200),
    "regbadct": ("4475 3.1.2.13", 400),
    "badbranch": ("4475 3.2.1", 200),
    "unkscm": ("4475 3.3.2", 416),
    "novelsc": ("4475 3.3.3", 416),
    "unksm2": ("4475 3.3.4", 400),
    "bext01": ("4475 3.3.5", 420),
    "regaut01": ("4475 3.3.7", 200),
    "zeromf": ("4475 3.3.11", 200),
    "cparam01": ("4475 3.3.12", 200),
    "cparam02": ("4475 3.3.13", 200),
    "regescrt": ("4475 3.3.14", 200),
    # Sessions of voice are no chats (488); those that are refused before anybody looks at the session.
    "wsinv": ("4475 3.1.1.1", 481),
    "esc01": ("4475 3.1.1.3", 488),
    "longreq": ("4475 3.1.1.7", 488),
    "ltgtruri": ("4475 3.1.2.7", 400),
    "lwsruri": ("4475 3.1.2.8", 400),
    "lwsstart": ("4475 3.1.2.9", 488),
    "escruri": ("4475 3.1.2.11", 488),
    "baddate": ("4475 3.1.2.12", 488),
    "invut": ("4475 3.3.6", 415),
    "sdp01": ("4475 3.3.15", 406),
    "inv2543": ("4475 3.4.1", 488),
    "via-received-param-with-delim": ("5118 4.5", 481),
    "ipv6-in-sdp": ("5118 4.6", 488),
    "mult-ip-in-header": ("5118 4.7", 481),
    "mult-ip-in-sdp": ("5118 4.8", 488),
    "ipv4-mapped-ipv6": ("5118 4.9", 488),
    "ipv6-bad": ("5118 4.2", 400),
    "ipv6-bug-abnf-3-colons": ("5118 4.10", 200),
    "ipv6-correct-abnf-2-colons": ("5118 4.10", 200),
}

# Octets -> why they are dropped. They come over UDP, where a wrong response is told from its absence by what
# comes after it.
BIGCODE = b"SIP/2.0 4294967496 OK and then some\r\nVia: SIP/2.0/UDP 198.51.100.43\r\n\r\n"
DROPPED = {
    "unreason": "no transaction",
    "noreason": "no transaction",
    "scalarlg": "larger than 2147483647",
    "bcast": "no transaction",
}

BARRIER = (
    "OPTIONS sip:home.example SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bKbarrier\r\n"
    "From: <sip:a@home.example>;tag=a\r\nTo: <sip:b@home.example>\r\nCall-ID: barrier\r\nCSeq: 1 OPTIONS\r\n"
    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def octets(name: str) -> bytes:
    return (CORPUS / f"{name}.sip").read_bytes()


def sent_by_port(data: bytes) -> int:
    """Where the sender of a message expects the answer: at the port of its first Via.

    An unreadable Via leaves the source of the datagram, which is the same socket here.
    """
    via = re.search(
        rb"(?mi)^v(?:ia)?[ \t]*:\s*SIP\s*/\s*\d.\d\s*/\s*\w+\s+(\[[^]]*\]|[\w.-]+)(?::(\d+))?", data
    )
    return int(via[2]) if via and via[2] else 5060


@contextmanager
def datagrams(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind((HOST, port))
        client.settimeout(5)
        yield client


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


class Everything:
    """An agent whose user answers every request alike, in the loop of the peer that is not started."""

    def __init__(self, bench: Any) -> None:
        self.bench, self.timeline = bench, Timeline()
        self.agent = SipAgent(self.timeline, self._on_request)
        self.incoming: list[Incoming] = []

    def _on_request(self, incoming: Incoming) -> None:
        self.incoming.append(incoming)
        self.agent.respond(incoming, build_response(incoming.message, HANDED_UP, to_tag="two"))

    @property
    def address(self) -> tuple[str, int]:
        return tuple(self.agent.addresses[0])  # type: ignore[return-value]


@pytest.fixture
def agent(bench: Any) -> Iterator[Everything]:
    found = Everything(bench)
    bench.call(found.agent.listen("127.0.0.1"))
    yield found
    bench.call(found.agent.close())


def test_every_message_of_the_corpus_has_its_outcome() -> None:
    judged = {*AGENT, *PEER, *DROPPED}
    assert {path.stem for path in CORPUS.glob("*.sip")} - judged == {"handset"}


@pytest.mark.parametrize("name", AGENT)
def test_the_agent_over_udp(agent: Everything, name: str) -> None:
    data = octets(name)
    with datagrams(sent_by_port(data)) as client:
        client.sendto(data, agent.address)
        assert status_of(client.recv(65535)) == AGENT[name][1]
    assert bool(agent.incoming) is (AGENT[name][1] == HANDED_UP)


WAITS = {"clerr"}  # the body may still come
CLOSED = {"ncl", "mcl01", "inv2543"}  # where the next message starts is not known


@pytest.mark.parametrize("name", sorted(set(AGENT) - WAITS - {"dblreq"}))
def test_the_agent_over_tcp(agent: Everything, name: str) -> None:
    expected = 400 if name == "inv2543" else AGENT[name][1]
    with socket.create_connection(agent.address, timeout=5) as client:
        client.sendall(octets(name))
        assert status_of(client.recv(65535)) == expected
        if name in CLOSED:
            assert client.recv(65535) == b""
            return
        client.sendall(BARRIER.format(host=HOST, port=5060).encode())
        answer = client.recv(65535)
    assert status_of(answer) == HANDED_UP
    assert b"barrier" in answer


def test_over_tcp_what_follows_a_message_is_the_next_one(agent: Everything) -> None:
    with socket.create_connection(agent.address, timeout=5) as client:
        client.sendall(octets("dblreq"))
        answers = b""
        while answers.count(b"\r\n\r\n") < 2:
            answers += client.recv(65535)
    assert re.findall(rb"CSeq: 31 (\w+)", answers) == [b"REGISTER", b"INVITE"]


def test_over_tcp_a_body_that_never_ends_is_waited_for_and_given_up(bench: Any) -> None:
    """RFC 4475 3.1.2.2: close the connection if none is forthcoming."""
    timeline = Timeline()
    agent = SipAgent(timeline, lambda incoming: None, connection_limits=ConnectionLimits(rest_seconds=0.05))
    address = bench.call(agent.listen("127.0.0.1"))
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(octets("clerr"))
        assert client.recv(1) == b""
    bench.call(agent.close())
    assert "in the middle of a message" in "".join(e.text for e in timeline if isinstance(e, Event))


@pytest.mark.parametrize("name", [*DROPPED, "bigcode"])
def test_a_response_nobody_asked_for_is_dropped_with_a_note(agent: Everything, name: str) -> None:
    with datagrams(5060) as client:
        client.sendto(BIGCODE if name == "bigcode" else octets(name), agent.address)
        client.sendto(BARRIER.format(host=HOST, port=5060).encode(), agent.address)
        assert b"barrier" in client.recv(65535)
    notes = [e.note if isinstance(e, Packet) else e.text for e in agent.timeline]
    assert any(DROPPED.get(name, "neither request line nor status line") in note for note in notes)


@pytest.fixture
def example(bench: Any) -> Any:
    return bench.start(domain="home.example")


def asked(peer: Any, name: str) -> bytes:
    """The final response of the peer."""
    data = octets(name)
    with datagrams(sent_by_port(data)) as client:
        client.sendto(data, peer.addresses.sip_udp[0])
        while (answer := client.recv(65535)).startswith(b"SIP/2.0 1"):
            pass
        return answer


@pytest.mark.parametrize("name", PEER)
def test_the_peer(example: Any, name: str) -> None:
    assert status_of(asked(example, name)) == PEER[name][1]


# The media of the INVITEs, as a chat would have them.
CHAT = (
    b"m=message 49217 TCP/MSRP *\r\na=path:msrp://192.0.2.1:49217/s1;tcp\r\na=accept-types:message/cpim\r\n"
    b"a=accept-wrapped-types:text/plain\r\na=setup:active\r\n"
)


CHATS = ["esc01", "longreq", "lwsstart", "escruri", "baddate", "inv2543", "ipv6-in-sdp"]


@pytest.mark.parametrize("name", CHATS)
def test_what_is_unusual_about_an_invite_keeps_nobody_from_chatting(example: Any, name: str) -> None:
    head, _, body = octets(name).partition(b"\r\n\r\n")
    body = re.sub(rb"(?s)m=.*", CHAT, body, count=1)
    head = re.sub(rb"(?m)^(Content-Length|l): \d+", b"Content-Length: %d" % len(body), head)
    with datagrams(sent_by_port(head)) as client:
        client.sendto(head + b"\r\n\r\n" + body, example.addresses.sip_udp[0])
        while (answer := client.recv(65535)).startswith(b"SIP/2.0 1"):
            pass
    assert status_of(answer) == 200
    assert b"m=message " in answer


def test_an_unknown_method_is_told_the_known_ones(example: Any) -> None:
    assert re.search(rb"\r\nAllow: REGISTER, MESSAGE, ", asked(example, "intmeth"))


def test_an_unknown_extension_is_told_by_role(example: Any) -> None:
    """RFC 4475 3.3.5: the proxy in the peer comes before its server."""
    answer = asked(example, "bext01")
    assert b"\r\nUnsupported: noSuchRelay, norThisOne\r\n" in answer


def test_an_unknown_authorization_scheme_is_challenged_with_a_known_one(example: Any) -> None:
    example.config.subscribers = (Subscriber("sam", ("sip:sam@home.example",), password="p"),)
    example.registrar.authentication = Authentication.DIGEST
    answer = asked(example, "regaut01")
    assert status_of(answer) == 401
    assert b"\r\nWWW-Authenticate: Digest " in answer


def test_two_contacts_with_escaped_nulls_are_two_bindings(example: Any) -> None:
    asked(example, "escnull")
    assert [binding.contact for binding in example.registrar.all_bindings()] == [
        "sip:nil%00@client4.home.example",
        "sip:nil%00%00@client4.home.example",
    ]


@pytest.mark.parametrize(
    ("name", "contact"),
    [
        ("cparam01", b"<sip:+493055501@gate.home.example>"),
        ("cparam02", b"<sip:+493055501@gate.home.example;strange>"),
        ("regescrt", b"<sip:ralf@client30.home.example?Route=%3Csip:relay.home.example%3Blr%3E>"),
    ],
)
def test_a_binding_keeps_its_contact_as_a_later_fetch_shows(example: Any, name: str, contact: bytes) -> None:
    data = octets(name)
    fetch = re.sub(rb"(?m)^(?:Contact|M): .*\r\n", b"", data).replace(b"z9hG4bK", b"z9hG4bKfetch")
    fetch = re.sub(rb"CSeq: (\d+)", lambda match: b"CSeq: %d" % (int(match[1]) + 1), fetch)
    with datagrams(5060) as client:
        for request in (data, fetch):
            client.sendto(request, example.addresses.sip_udp[0])
            assert b"\r\nContact: " + contact in client.recv(65535)
