"""The peer alone, met by a client that speaks plain octets: what is right and what is not."""

from __future__ import annotations

import base64
import contextlib
import json
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.lab.peer_alone import LINES_PER_SECOND, LiveLadder

DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
ME, FAR = f"sip:+12025550101@{DOMAIN}", f"sip:+12025550199@{DOMAIN}"


def request(
    method: str, number: int, *, uri: str = FAR, more: str = "", body: bytes = b"", length: int = -1
) -> bytes:
    head = (
        f"{method} {uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK{method}{number};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <{ME}>;tag=me\r\nTo: <{ME if method == 'REGISTER' else FAR}>\r\n"
        f"Call-ID: {method}-{number}@client\r\nCSeq: {number} {method}\r\n{more}"
        f"Content-Length: {len(body) if length < 0 else length}\r\n\r\n"
    )
    return head.encode() + body


def message(number: int) -> bytes:
    return request("MESSAGE", number, more="Content-Type: text/plain\r\n", body=b"hello")


class Served:
    """A running `rcslab peer` and a client's sockets to it."""

    def __init__(self, process: subprocess.Popen[str], ready: dict[str, str], folder: Path) -> None:
        self.process, self.ready, self.folder = process, ready, folder
        host, _, port = ready["sip_udp"].rpartition(":")
        self.place = (host, int(port))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.settimeout(5)

    def ask(self, data: bytes) -> bytes:
        """A datagram and the answer to it."""
        self.udp.sendto(data, self.place)
        return self.udp.recv(65536)

    def tcp(self) -> socket.socket:
        return socket.create_connection(self.place, timeout=5)

    def end(self) -> int:
        self.udp.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=10)
        return self.process.returncode

    def timeline(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.folder / "timeline.jsonl").read_text("utf-8").splitlines()]

    def rules(self) -> set[str]:
        return {finding["rule"] for finding in json.loads((self.folder / "findings.json").read_text("utf-8"))}


@pytest.fixture
def served(own_lab) -> Iterator[Served]:
    folder = own_lab.folder / "evidence"
    process = own_lab.start("peer", "--address", "127.0.0.1", "--port", "0", "--evidence", folder)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert ready.keys() == {"sip_udp", "sip_tcp", "msrp"}
    yield Served(process, ready, folder)


def test_a_client_registers_and_sends_a_text(served):
    contact = "Contact: <sip:+12025550101@127.0.0.1:5062>\r\nExpires: 600\r\n"
    registered = served.ask(request("REGISTER", 1, uri=f"sip:{DOMAIN}", more=contact))
    assert registered.startswith(b"SIP/2.0 200 ")
    assert b"rport=" in registered
    assert served.ask(message(2)).startswith((b"SIP/2.0 200 ", b"SIP/2.0 202 "))
    code = served.end()
    names = {path.name for path in served.folder.iterdir()}
    assert names >= {"capture.pcapng", "ladder.svg", "timeline.jsonl", "findings.json"}
    failing = [f for f in json.loads((served.folder / "findings.json").read_text()) if f["fails"]]
    assert code == (1 if failing else 0)


BAD = {
    "junk": b"\x00\xff hello, is anybody there\r\n\r\n",
    "half a message": message(20)[:90],
    "content-length too long": message(21).replace(b"Content-Length: 5", b"Content-Length: 50"),
    "content-length no number": message(22).replace(b"Content-Length: 5", b"Content-Length: five"),
    "content-length negative": message(23).replace(b"Content-Length: 5", b"Content-Length: -5"),
    "no via": message(24).replace(b"Via: ", b"X-Via: "),
    "no call-id": message(25).replace(b"Call-ID: ", b"X-Call-ID: "),
    "wrong version": message(26).replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia"),
    "header without colon": message(27).replace(b"Max-Forwards: 70", b"Max-Forwards 70"),
    "nothing but line ends": b"\r\n" * 40,
    "zero octets": b"\0" * 1000,
}
ANSWERS = {  # over UDP and over TCP; None: nothing that could be answered, "end": the connection is closed
    "junk": (None, "end"),
    "half a message": (None, None),
    "content-length too long": ("400", None),
    "content-length no number": ("400", "400"),
    "content-length negative": ("400", "400"),
    "no via": (None, None),
    "no call-id": ("400", "400"),
    "wrong version": ("505", "505"),
    "header without colon": ("200", "200"),
    "nothing but line ends": (None, None),
    "zero octets": (None, None),
}


def code_of(answer: bytes) -> str:
    return answer[8:11].decode() if answer.startswith(b"SIP/2.0 ") else "end"


def octets_of(entry: dict[str, object]) -> bytes:
    coded = entry.get("base64")
    return base64.b64decode(str(coded)) if coded else str(entry.get("data", "")).encode()


def over_tcp(data: bytes) -> bytes:
    """The same request as another transaction, for a stream."""
    return (
        data.replace(b"/UDP", b"/TCP").replace(b"z9hG4bK", b"z9hG4bKt").replace(b"Call-ID: ", b"Call-ID: t")
    )


def test_bad_octets_are_seen_judged_and_survived(served):
    for name, data in BAD.items():
        expected_udp, expected_tcp = ANSWERS[name]
        served.udp.sendto(data, served.place)
        if expected_udp is not None:
            assert code_of(served.udp.recv(65536)) == expected_udp, name
        with served.tcp() as stream:
            stream.sendall(over_tcp(data))
            if expected_tcp is not None:
                assert code_of(stream.recv(65536)) == expected_tcp, name
    assert code_of(served.ask(message(2))) == "200"
    with served.tcp() as stream:
        stream.sendall(over_tcp(message(3)))
        assert code_of(stream.recv(65536)) == "200"
    assert served.end() == 1
    seen = {octets_of(entry) for entry in served.timeline()}
    assert seen >= set(BAD.values())
    assert served.rules() >= {"sip.start-line", "sip.content-length.exact", "sip.mandatory-headers"}


def test_a_header_of_a_megabyte_ends_its_connection_only(served):
    line = b"X-Long: " + b"a" * 1_000_000 + b"\r\n"
    with served.tcp() as stream, contextlib.suppress(ConnectionError):
        stream.sendall(over_tcp(message(4)).replace(b"Max-Forwards", line + b"Max-Forwards"))
        assert code_of(stream.recv(65536)) in ("end", "400", "513")
    with served.tcp() as stream:
        stream.sendall(over_tcp(message(5)))
        assert code_of(stream.recv(65536)) == "200"
    assert served.end() == 0  # no text limits a header: what is too long for the peer fails nobody
    assert any("no empty line within" in str(entry.get("note", "")) for entry in served.timeline())


def test_what_was_served_is_reported_as_a_page_too(served):
    assert code_of(served.ask(message(6))) == "200"
    served.end()
    page = (served.folder / "report.html").read_text("utf-8")
    assert page.startswith("<!doctype html>") and '"title":"MESSAGE"' in page.replace(": ", ":")


def test_the_limits_of_the_lab_file_hold(own_lab):
    with own_lab.edited() as lab:
        lab["limits"] = {"sip": {"headers": 16}, "msrp": {"headers": 16}}
    folder = own_lab.folder / "evidence"
    process = own_lab.start("peer", "--lab", own_lab.file, "--port", "0", "--evidence", folder)
    served = Served(process, json.loads(process.stdout.readline()), folder)
    many = request("OPTIONS", 1, more="".join(f"X-{number}: x\r\n" for number in range(10)))
    assert code_of(served.ask(many)) == "513"
    with served.tcp() as stream:
        stream.sendall(over_tcp(many))
        assert code_of(stream.recv(65536)) == "513"
    host, _, port = served.ready["msrp"].rpartition(":")
    paths = b"To-Path: msrp://127.0.0.1:9/nobody;tcp\r\nFrom-Path: msrp://127.0.0.1:9/me;tcp\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as stream:
        stream.sendall(b"MSRP abcd SEND\r\n" + paths + b"X: y\r\n" * 15 + b"-------abcd$\r\n")
        assert stream.recv(65536) == b""
    served.end()
    counted = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert [counted[each]["too-many-headers"] for each in ("sip", "msrp")] == [2, 1]


# TLS


def test_a_client_registers_over_tls_and_the_counters_are_told(own_lab, authority):
    certificate, key = authority.issue("127.0.0.1")
    files = ("--tls-certificate", certificate, "--tls-key", key, "--tls-port", "0")
    folder = own_lab.folder / "evidence"
    process = own_lab.start("peer", "--port", "0", "--evidence", folder, *files)
    ready = json.loads(process.stdout.readline())
    host, _, port = ready["sip_tls"].rpartition(":")
    context = ssl.create_default_context(cafile=str(authority.file))
    plain = socket.create_connection((host, int(port)), timeout=5)
    with context.wrap_socket(plain, server_hostname=host) as client:
        client.sendall(message(1).replace(b"SIP/2.0/UDP", b"SIP/2.0/TLS"))
        assert code_of(client.recv(65536)) == "200"
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=10)
    assert "sip tls-handshakes: 1" in errors.splitlines()
    assert json.loads((folder / "metrics.json").read_text("utf-8"))["sip"]["tls-handshakes"] == 1
    lines = (folder / "timeline.jsonl").read_text("utf-8").splitlines()
    assert {entry["transport"] for entry in map(json.loads, lines) if "transport" in entry} == {"TLS"}


def test_msrp_over_tls_is_a_matter_of_options(own_lab, authority):
    certificate, key = authority.issue(self_signed=True)
    files = ("--msrp-tls-certificate", certificate, "--msrp-tls-key", key)
    process = own_lab.start("peer", "--port", "0", *files)
    ready = json.loads(process.stdout.readline())
    host, _, port = ready["msrp_tls"].rpartition(":")
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False
    context.load_cert_chain(certificate, key)
    with context.wrap_socket(socket.create_connection((host, int(port)), timeout=5)) as client:
        paths = b"To-Path: msrps://127.0.0.1:9/nobody;tcp\r\nFrom-Path: msrps://127.0.0.1:9/me;tcp\r\n"
        client.sendall(b"MSRP abcd SEND\r\n" + paths + b"Message-ID: 1\r\n-------abcd$\r\n")
        assert client.recv(65536).startswith(b"MSRP abcd 481 ")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=10)
    assert "msrp tls-handshakes: 1" in errors.splitlines()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tls-certificate", "absent.pem"), "absent.pem: the certificate cannot be read"),
        (("--tls-key", "some.key"), "need --tls-certificate"),
        (("--msrp-tls-certificate", "absent.pem"), "absent.pem: the certificate cannot be read"),
        (("--msrp-tls-key", "some.key"), "needs --msrp-tls-certificate"),
    ],
)
def test_tls_options_that_are_no_use_end_before_anything_starts(own_lab, options, words):
    done = own_lab.run("peer", "--port", "0", *options)
    assert done.returncode == 2
    assert words in done.stderr and done.stdout == ""


def test_a_live_ladder_under_load_says_how_much_it_leaves_out() -> None:
    lines: list[str] = []
    ladder = LiveLadder(10.0, lines.append)
    timeline = Timeline()
    timeline.listen(ladder.show)
    way = Layer.SIP, Transport.UDP, Address("192.0.2.1", 5060), Address("192.0.2.2", 5060)
    for number in range(250):
        timeline.packet(*way, message(number), at=10.0 + number / 1000)
    timeline.event(Layer.LAB, "note", at=11.0)
    timeline.packet(*way, message(1), at=11.5)
    ladder.end()
    assert len(lines) == LINES_PER_SECOND + 2
    assert " ".join(lines[0].split()) == "0.000 192.0.2.1:5060 -> 192.0.2.2:5060 MESSAGE text, CSeq 0"
    assert "150 more in this second" in lines[-2]
    assert "MESSAGE" in lines[-1]
