"""The peer over TLS, met by a client on Python's own ssl."""

from __future__ import annotations

import socket
import ssl
from dataclasses import replace
from typing import Any

import pytest

from harness.agent.sockets.tls_settings import ClientCertificate, TlsSettings
from harness.errors import AddressTaken, UsageError
from harness.evidence.timeline import Packet, Transport
from harness.peer.config import TlsListening
from harness.peer.journal import EventKind

HOST = "127.0.0.1"


@pytest.fixture
def trusting(authority: Any) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.file))


@pytest.fixture
def served(authority: Any) -> TlsListening:
    return TlsListening(0, TlsSettings(*authority.issue("ims.example", HOST, "::1"), ca=authority.file))


def test_a_handset_registers_over_tls_and_is_written_to_over_the_same_connection(
    bench, served, trusting, ue
) -> None:
    peer = bench.start(tls=served)
    (secured,) = peer.addresses.sip_tls
    handset = bench.handset(tls=trusting)
    registered = handset.register(contact=f"<sip:ue@{handset.host}:{handset.port};transport=tls>;expires=60")
    assert registered.status == 200
    assert registered.header("Service-Route") == f"<sip:orig@{secured};transport=tls;lr>"
    sent = bench.begin(peer.pager.send_text(ue, "hello over TLS"))
    asked = handset.receive()
    assert asked.start.startswith("MESSAGE sip:ue@")
    assert asked.header("Via").startswith(f"SIP/2.0/TLS {secured};branch=z9hG4bK")
    handset.answer(asked)
    sent()
    packets = [each for each in bench.timeline if isinstance(each, Packet)]
    assert {each.transport for each in packets} == {Transport.TLS}
    assert len({each.connection for each in packets}) == 1


def test_one_port_of_tls_serves_every_host(bench, served, trusting) -> None:
    peer = bench.start(tls=served, listen=((HOST, 0), ("::1", 0)))
    assert [each.host for each in peer.addresses.sip_tls] == [HOST, "::1"]
    assert len({each.port for each in peer.addresses.sip_tls}) == 1
    assert bench.handset(tls=trusting, address=1).register().status == 200


def test_a_handset_without_the_certificate_asked_for_does_not_register(
    bench, served, trusting, authority
) -> None:
    asking = replace(served.settings, client_certificate=ClientCertificate.REQUIRED)
    bench.start(tls=replace(served, settings=asking))
    with pytest.raises((OSError, EOFError)):
        bench.handset(tls=trusting).register()
    trusting.load_cert_chain(*map(str, authority.issue("sip:handset.example")))
    assert bench.handset(tls=trusting).register().status == 200
    assert [each.kind for each in bench.peer.events].count(EventKind.REGISTERED) == 1


def test_a_tls_port_that_is_taken_leaves_nothing_open(bench, served) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        with pytest.raises(AddressTaken):
            bench.start(tls=replace(served, port=taken.getsockname()[1]))
    agent = bench.peer.pcscf.agent
    assert agent.addresses == agent.tls_addresses == []


def test_files_that_are_no_use_leave_nothing_open(bench, tmp_path) -> None:
    with pytest.raises(UsageError, match="absent"):
        bench.start(tls=TlsListening(0, TlsSettings(tmp_path / "absent.pem")))
    assert bench.peer.pcscf.agent.addresses == []
