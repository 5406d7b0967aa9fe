"""MSRP over TLS between the peer and a handset on Python's own ssl (RFC 4975 14.4, RFC 8122)."""

from __future__ import annotations

import hashlib
import re
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes

from harness.agent.sockets.tls_settings import TlsSettings
from harness.errors import UsageError
from harness.evidence.timeline import Layer, Packet, Transport
from harness.peer.config import MsrpTlsListening
from harness.peer.mt_request import Target
from harness.verify.engine import Verifier
from tests.harness.peer.msrp_handset import MsrpClient, cpim, follow, path_of, sdp

OWN = "msrps://127.0.0.1:9/ue1;tcp"


def fingerprint(file: Path, name: str = "sha256") -> str:
    """As `openssl x509 -fingerprint` writes it."""
    digest = hashlib.new(name, ssl.PEM_cert_to_DER_cert(file.read_text())).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def secure_sdp(setup: str, file: Path, *, uri: str = OWN) -> str:
    return sdp(uri, setup, proto="TCP/TLS/MSRP") + f"a=fingerprint:SHA-256 {fingerprint(file)}\r\n"


class SecureMsrpClient(MsrpClient):
    """The MSRP side of a handset, inside TLS with this certificate; the server's is shown to the test."""

    def __init__(self, own: str, remote: str, certificate: Path, key: Path) -> None:
        super().__init__(own, remote)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket)
        self.server = hashlib.sha256(self.socket.getpeercert(binary_form=True)).digest()


@pytest.fixture
def served(authority: Any) -> MsrpTlsListening:
    files = authority.issue(common_name="peer", self_signed=True, digest=hashes.SHA384())
    return MsrpTlsListening(0, TlsSettings(*files))


@pytest.fixture
def own(authority: Any) -> tuple[Path, Path]:
    return authority.issue(common_name="handset", self_signed=True)


def fingerprints_in(body: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^a=fingerprint:(\S+) (\S+)\r?$", body))


def test_a_chat_of_the_handset_over_tls(bench, invite, served, own, ue, far) -> None:
    peer = bench.start(msrp_tls=served)
    peer.notifications.policy(timedelta(0), timedelta(0))
    handset = bench.handset()
    accepted = invite(handset, body=secure_sdp("active", own[0]))
    assert accepted.status == 200
    (address,) = peer.addresses.msrp_tls
    assert path_of(accepted).startswith(f"msrps://{address}/")
    assert f"m=message {address.port} TCP/TLS/MSRP *" in accepted.body
    told = fingerprints_in(accepted.body)  # RFC 8122 5.1: SHA-256, and the hash of the signature
    file = served.settings.certificate
    assert told == {"sha-256": fingerprint(file), "sha-384": fingerprint(file, "sha384")}
    follow(handset, accepted, "ACK", 1)

    msrp = SecureMsrpClient(OWN, path_of(accepted), *own)
    assert msrp.server.hex(":").upper() == told["sha-256"]
    assert msrp.send() == "MSRP uesend1 200 OK"
    assert msrp.send(cpim("whisper", ue, far, "display")) == "MSRP uesend2 200 OK"
    assert bench.call(peer.chats.wait_message("whisper", timeout=5)).sender == ue
    notification = msrp.read()
    assert "<displayed/>" in notification
    msrp.answer(notification)
    carried = [each for each in bench.timeline if isinstance(each, Packet) and each.layer is Layer.MSRP]
    assert {each.transport for each in carried} == {Transport.TLS}
    assert any(b"whisper" in each.data for each in carried)
    verifier = Verifier()
    verifier.judge(bench.timeline)
    assert verifier.exercised["sdp.fingerprint"] == 1
    assert "sdp.fingerprint" not in {finding.rule for finding in verifier.findings}
    msrp.close()


def test_a_handset_with_another_certificate_is_hung_up_on(bench, invite, served, own, authority) -> None:
    bench.start(msrp_tls=served)
    handset = bench.handset()
    accepted = invite(handset, body=secure_sdp("active", own[0]))
    follow(handset, accepted, "ACK", 1)
    other = SecureMsrpClient(OWN, path_of(accepted), *authority.issue(self_signed=True))
    assert other.send() == "MSRP uesend1 403 Forbidden"
    assert other.socket.recv(1) == b""
    other.close()
    right = SecureMsrpClient(OWN, path_of(accepted), *own)  # the session still waits for its own
    assert right.send() == "MSRP uesend1 200 OK"
    right.close()


def test_a_chat_without_tls_is_answered_without(bench, invite, served) -> None:
    peer = bench.start(msrp_tls=served)
    accepted = invite(bench.handset())
    assert accepted.status == 200
    assert path_of(accepted).startswith(f"msrp://{peer.addresses.msrp[0]}/")
    assert fingerprints_in(accepted.body) == {}


def test_tls_is_not_spoken_without_the_setting(bench, invite, own) -> None:
    bench.start()
    refused = invite(bench.handset(), body=secure_sdp("active", own[0]))
    assert refused.status == 488
    assert "TCP/TLS/MSRP is not spoken here" in refused.header("Warning")


@pytest.mark.parametrize("offered", [True, False])
def test_what_the_peer_offers_is_a_setting(bench, served, ue, offered) -> None:
    peer = bench.start(msrp_tls=MsrpTlsListening(0, served.settings, offered))
    handset = bench.handset()
    handset.register()
    inviting = bench.begin(peer.chats.invite(Target.of(peer.registrar.binding_of(ue))))
    asked = handset.receive()
    assert path_of(asked).startswith("msrps://" if offered else "msrp://")
    assert ("TCP/TLS/MSRP" in asked.body) is offered
    assert ("sha-256" in fingerprints_in(asked.body)) is offered
    handset.answer(asked, "486 Busy Here")
    assert handset.receive().start.startswith("ACK ")
    inviting()


def test_every_host_has_its_own_address_of_msrp_over_tls(bench, invite, served, own) -> None:
    peer = bench.start(msrp_tls=served, listen=(("127.0.0.1", 0), ("::1", 0)))
    assert [each.host for each in peer.addresses.msrp_tls] == ["127.0.0.1", "::1"]
    accepted = invite(bench.handset(address=1), body=secure_sdp("active", own[0]))
    assert path_of(accepted).startswith(f"msrps://{peer.addresses.msrp_tls[1]}/")


def test_a_peer_without_its_certificate_does_not_start(bench, tmp_path) -> None:
    with pytest.raises(UsageError, match="the certificate cannot be read"):
        bench.start(msrp_tls=MsrpTlsListening(0, TlsSettings(tmp_path / "absent.pem")))
