"""A bench whose lab file says MSRP over TLS, met by plain SIP and by openssl (RFC 4975 14.4, RFC 8122)."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import OwnLab

OPENSSL = shutil.which("openssl")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed (apt-get install openssl)"),
]
DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
ME, FAR = f"sip:+12025550101@{DOMAIN}", f"sip:+12025550199@{DOMAIN}"
OWN = "msrps://127.0.0.1:9/s_client;tcp"


def fingerprint_line(certificate: Path) -> str:
    """What openssl says of a certificate, as an SDP line."""
    assert OPENSSL is not None
    command = [OPENSSL, "x509", "-in", str(certificate), "-noout", "-fingerprint", "-sha256"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return f"a=fingerprint:sha-256 {told.strip().partition('=')[2]}"


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate and its key, made by openssl."""
    assert OPENSSL is not None
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "1", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(certificate)],
        capture_output=True, check=True,
    )  # fmt: skip
    return certificate, key


class HandMadeClient:
    """SIP over one UDP socket, in literal text."""

    def __init__(self, place: str) -> None:
        host, _, port = place.rpartition(":")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(5)
        self.socket.connect((host, int(port)))
        self.own = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def send(self, method: str, uri: str, to: str, cseq: int, *rows: str, body: str = "") -> None:
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.own};branch=z9hG4bK{method}{cseq};rport",
            "Max-Forwards: 70",
            f"From: <{ME}>;tag=me",
            f"To: {to}",
            "Call-ID: over-tls@client",
            f"CSeq: {cseq} {method}",
            *rows,
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        self.socket.send("\r\n".join(lines).encode())

    def invite(self, fingerprint: str) -> str:
        """The 200 to an INVITE for MSRP over TLS, acknowledged."""
        sdp = [
            "v=0", "o=- 7 7 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
            "m=message 9 TCP/TLS/MSRP *", f"a=path:{OWN}", "a=setup:active",
            "a=accept-types:message/cpim", "a=accept-wrapped-types:text/plain", "a=sendrecv", fingerprint, "",
        ]  # fmt: skip
        rows = (
            f"Contact: <sip:me@{self.own}>",
            f"P-Preferred-Identity: <{ME}>",
            "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session",
            "Content-Type: application/sdp",
        )
        self.send("INVITE", FAR, f"<{FAR}>", 1, *rows, body="\r\n".join(sdp))
        accepted = ""
        while not accepted.startswith("SIP/2.0 200"):
            accepted = self.socket.recv(65536).decode()
            assert accepted.startswith(("SIP/2.0 1", "SIP/2.0 200")), accepted
        self.tag = _found(r"(?m)^To: (.*?)\r$", accepted)
        self.send("ACK", _found("(?m)^Contact: <(.*?)>", accepted), self.tag, 1)
        return accepted

    def close(self) -> None:
        self.socket.close()


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, f"{pattern} in {text}"
    return found[1]


def exchanged(address: str, certificate: Path, key: Path, request: str) -> str:
    """What the server says to a request within TLS, up to an end-line, and its certificate."""
    assert OPENSSL is not None
    process = subprocess.Popen(
        [OPENSSL, "s_client", "-connect", address, "-cert", str(certificate), "-key", str(key), "-showcerts"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(request)
        process.stdin.flush()
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("-------"):
                break
        return "".join(said)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("right", [True, False])
def test_a_bench_with_msrp_over_tls(own_lab: OwnLab, tmp_path: Path, right: bool) -> None:
    of_peer, of_client, of_other = (self_signed(tmp_path, name) for name in ("peer", "client", "other"))
    with own_lab.edited() as lab:
        files: dict[str, Any] = {"certificate": str(of_peer[0]), "key": str(of_peer[1])}
        lab["benches"]["a"]["peer"]["msrp_tls"] = files
    evidence = tmp_path / "evidence"
    process = own_lab.start("peer", "--bench", "a", "--port", "0", "--evidence", evidence)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    client = HandMadeClient(ready["sip_udp"])

    accepted = client.invite(fingerprint_line(of_client[0]))
    path = _found(r"(?m)^a=path:(\S+)\r$", accepted)
    assert path.startswith(f"msrps://{ready['msrp_tls']}/")
    assert fingerprint_line(of_peer[0]) in accepted
    send = (
        f"MSRP abcd1234 SEND\r\nTo-Path: {path}\r\nFrom-Path: {OWN}\r\nMessage-ID: 1\r\n-------abcd1234$\r\n"
    )
    said = exchanged(ready["msrp_tls"], *(of_client if right else of_other), send)
    assert of_peer[0].read_text() in said
    assert f"MSRP abcd1234 {'200 OK' if right else '403 Forbidden'}" in said

    client.close()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    entries = [json.loads(line) for line in (evidence / "timeline.jsonl").read_text("utf-8").splitlines()]
    msrp = [each for each in entries if each["layer"] == "msrp" and "transport" in each]
    assert len(msrp) == 2 and {each["transport"] for each in msrp} == {"TLS"}
    refused = [each for each in entries if each.get("name") == "session-refused"]
    assert len(refused) == (0 if right else 1)
    counted = json.loads((evidence / "metrics.json").read_text("utf-8"))["msrp"]
    assert counted["tls-handshakes"] == 1
