"""TLS contexts and sessions: who is believed, who is not, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness.agent.sockets.certificates import SIP_DOMAIN, identities_of, speaks_for
from harness.agent.sockets.tls import TlsContext, client_context, fingerprint_context, server_context
from harness.agent.sockets.tls_session import TlsSession
from harness.agent.sockets.tls_settings import ClientCertificate, TlsSettings
from harness.bodies.sdp_attributes import certificate_fingerprint, fingerprint_matches
from harness.errors import UsageError

REQUIRED, OPTIONAL = ClientCertificate.REQUIRED, ClientCertificate.OPTIONAL


def talk(client: TlsSession, server: TlsSession) -> tuple[bytes, bytes]:
    """Carry octets between two sessions until both are silent; what each of them got."""
    client.begin()
    got = {client: b"", server: b""}
    moving = True
    while moving:
        moving = False
        for one, other in ((client, server), (server, client)):
            octets = one.outgoing()
            moving |= bool(octets)
            got[other] += other.receive(octets) if octets else b""
    return got[client], got[server]


def pair(
    client: TlsSettings | TlsContext, server: TlsSettings | TlsContext, name: str | None = "peer.example"
) -> tuple[TlsSession, TlsSession]:
    near = client if isinstance(client, TlsContext) else client_context(client)
    far = server if isinstance(server, TlsContext) else server_context(server)
    return TlsSession(near, name), TlsSession(far)


@pytest.fixture
def served(authority: Any) -> TlsSettings:
    return TlsSettings(*authority.issue("peer.example"))


@pytest.fixture
def trusting(authority: Any) -> TlsSettings:
    return TlsSettings(ca=authority.file)


def loaded(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


# -- the way of the octets


def test_octets_arrive_as_they_were_in_both_directions(served, trusting) -> None:
    client, server = pair(trusting, served)
    assert talk(client, server) == (b"", b"")
    assert client.secured and server.secured
    long = bytes(range(256)) * 1000
    client.write(long)
    server.write(b"answer")
    wire = client.outgoing()
    assert wire and long[:64] not in wire
    assert server.receive(wire) == long
    assert client.receive(server.outgoing()) == b"answer"
    assert "TLSv1.3" in client.describe() and "peer.example" in client.describe()


def test_every_cut_of_the_handshake_gives_the_same(served, trusting) -> None:
    client, server = pair(trusting, served)
    client.begin()
    for _ in range(4):
        for one, other in ((client, server), (server, client)):
            for octet in one.outgoing():
                other.receive(bytes([octet]))
    assert client.secured and server.secured


def test_the_end_in_order_is_told_from_an_octet_lost(served, trusting) -> None:
    client, server = pair(trusting, served)
    talk(client, server)
    client.end()
    server.receive(client.outgoing())
    assert server.ended and not server.failure
    server.write(b"too late to spoil")
    wire = bytearray(server.outgoing())
    wire[-1] ^= 1
    client.receive(bytes(wire))
    assert "bad record mac" in client.failure


@pytest.mark.parametrize(
    "octets",
    [b"OPTIONS sip:peer.example SIP/2.0\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(70_000), bytes(1000)],
    ids=["SIP", "too long a record", "zeros"],
)
def test_octets_that_are_no_tls_fail_and_do_not_raise(octets: bytes, served) -> None:
    server = TlsSession(server_context(served))
    assert server.receive(octets) == b""
    assert server.failure and not server.secured
    assert server.receive(b"more") == b""


# -- who is believed (RFC 5922 7.3)


@pytest.mark.parametrize(
    ("names", "host", "believed"),
    [
        (("peer.example",), "peer.example", True),
        (("peer.example",), "PEER.Example.", True),
        (("peer.example",), "sub.peer.example", False),
        (("*.example",), "peer.example", False),  # 7.2: no wildcard
        (("sip:peer.example", "dns.example"), "peer.example", True),
        (("sip:peer.example", "dns.example"), "dns.example", False),  # 7.1: DNS names only without sip URIs
        (("sip:alice@peer.example",), "peer.example", False),  # 7.1: a user is no domain
        (("sips:peer.example",), "peer.example", False),
        (("im:peer.example", "dns.example"), "dns.example", True),
        (("192.0.2.7",), "192.0.2.7", True),
        (("2001:db8::7",), "[2001:DB8:0::7]", True),
        (("peer.example",), "192.0.2.7", False),
        ((), "old.example", True),  # 7.1: the common name where there is no subjectAltName
        (("other.example",), "old.example", False),
    ],
)
def test_a_server_is_believed_by_its_names_alone(
    names: tuple[str, ...], host: str, believed: bool, authority, trusting
) -> None:
    files = authority.issue(*names, common_name="old.example")
    client, server = pair(trusting, TlsSettings(*files), host)
    talk(client, server)
    assert client.secured is believed
    if not believed:
        assert "RFC 5922 7.3" in client.failure and host in client.failure


@pytest.mark.parametrize(
    ("issue", "reason"),
    [
        ({"days": -1}, "cert has expired"),
        ({"self_signed": True}, "depth zero self signed cert"),
        ({"usage": ExtendedKeyUsageOID.CLIENT_AUTH}, "invalid purpose"),
    ],
)
def test_a_bad_chain_is_refused_with_its_reason_on_both_sides(
    issue: dict[str, Any], reason: str, authority, trusting
) -> None:
    client, server = pair(trusting, TlsSettings(*authority.issue("peer.example", **issue)))
    talk(client, server)
    assert reason in client.failure and "CN=test" in client.failure
    assert "alert" in server.failure
    assert not client.secured


def test_a_certificate_made_for_sip_needs_no_usage_for_tls(authority, trusting) -> None:
    client, server = pair(trusting, TlsSettings(*authority.issue("peer.example", usage=SIP_DOMAIN)))
    talk(client, server)
    assert client.secured and server.secured


def test_unverified_means_anybody(authority, trusting) -> None:
    files = authority.issue("other.example", self_signed=True)
    client, server = pair(replace(trusting, verify_server=False), TlsSettings(*files))
    talk(client, server)
    assert client.secured


# -- client certificates (RFC 5922 7.4)


@pytest.mark.parametrize("asked", list(ClientCertificate))
@pytest.mark.parametrize("shown", ["none", "good", "bad"])
def test_a_client_certificate_is_asked_for_as_the_settings_say(
    asked: ClientCertificate, shown: str, authority, trusting, served
) -> None:
    if shown != "none":
        files = authority.issue("sip:handset.example", self_signed=shown == "bad")
        trusting = replace(trusting, certificate=files[0], key=files[1])
    client, server = pair(trusting, replace(served, ca=authority.file, client_certificate=asked))
    talk(client, server)
    refused = {ClientCertificate.NONE: (), OPTIONAL: ("bad",), REQUIRED: ("none", "bad")}[asked]
    assert server.secured is (shown not in refused)
    seen = shown == "good" and asked is not ClientCertificate.NONE
    assert server.identities == ({"handset.example"} if seen else frozenset())
    if shown in refused:
        assert "alert" in client.failure  # TLS 1.3: the client learns it after its own handshake


# -- fingerprints (RFC 8122 6.2)


def test_by_fingerprint_anybody_may_come_who_shows_a_certificate(authority) -> None:
    ours, theirs = (TlsSettings(*authority.issue(common_name=who, self_signed=True)) for who in "ab")
    client, server = pair(
        fingerprint_context(ours, server=False), fingerprint_context(theirs, server=True), None
    )
    talk(client, server)
    assert client.secured and server.secured
    announced = certificate_fingerprint(loaded(ours.certificate).public_bytes(Encoding.DER))
    assert fingerprint_matches([announced], server.certificate)
    assert not fingerprint_matches([announced], client.certificate)


def test_by_fingerprint_a_client_without_a_certificate_is_refused(authority) -> None:
    theirs = TlsSettings(*authority.issue(self_signed=True))
    client, server = pair(TlsSettings(verify_server=False), fingerprint_context(theirs, server=True))
    talk(client, server)
    assert "peer did not return a certificate" in server.failure


# -- files


@pytest.mark.parametrize("which", ["certificate", "key", "ca"])
@pytest.mark.parametrize("fault", ["absent", "junk"])
def test_a_file_that_is_no_use_is_the_callers_affair(
    which: str, fault: str, authority, served, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.pem"
    if fault == "junk":
        file.write_text("-----BEGIN NOTHING-----\n")
    settings = replace(served, ca=authority.file, client_certificate=REQUIRED)
    with pytest.raises(UsageError, match=r"wrong\.pem: .*(cannot be read|no .* in PEM form)"):
        server_context(replace(settings, **{which: file}))


def test_a_key_of_another_certificate_is_told(authority, served) -> None:
    _, other = authority.issue("peer.example")
    with pytest.raises(UsageError, match="does not go with the certificate"):
        server_context(replace(served, key=other))


def test_a_key_with_a_password_is_told_and_nobody_is_asked(authority, served, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(served.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            Encoding.PEM,
            PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(UsageError, match="has a password"):
        server_context(replace(served, key=locked))


def test_a_server_needs_a_certificate() -> None:
    with pytest.raises(UsageError, match="needs a certificate"):
        server_context(TlsSettings())


def test_names_are_read_without_case_and_compared_whole(authority) -> None:
    file, _ = authority.issue("sip:Peer.Example", "2001:db8::1")
    identities = identities_of(loaded(file))
    assert identities == {"peer.example", "2001:db8::1"}
    assert not speaks_for(identities, "example")
