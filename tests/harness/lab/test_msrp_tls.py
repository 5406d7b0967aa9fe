"""MSRP over TLS through a whole bench: the simulated handset and the peer, each with its own certificate."""

from __future__ import annotations

from typing import Any

import pytest

from harness.evidence.timeline import Layer, Packet, Transport
from harness.lab.bench import Bench
from harness.lab.model import load_lab
from harness.peer.mt_request import Target


@pytest.fixture
def secured(here: Any, authority: Any) -> Any:
    certificate, key = authority.issue(common_name="peer", self_signed=True)
    with here.edited() as lab:
        part = lab["benches"]["a"]
        part["peer"]["msrp_tls"] = {"certificate": str(certificate), "key": str(key)}
        part["handsets"]["dut"]["simulated"] = {"msrp": "tls"}
    return here


def open_bench(here: Any) -> Bench:
    return Bench.lease_and_open(load_lab(here.file), "a", here.folder / "logs")


def transports_of_msrp(bench: Bench, begun: int = 0) -> set[Transport]:
    packets = (each for each in bench.timeline.since(begun) if isinstance(each, Packet))
    return {each.transport for each in packets if each.layer is Layer.MSRP}


def test_chats_of_both_sides_go_over_tls(secured: Any) -> None:
    bench = open_bench(secured)
    try:
        peer, number = bench.peer, bench.part.peer.number
        msisdn = bench.part.handsets["dut"].msisdn
        bench.loop.call(peer.registrar.wait_registered(msisdn, timeout=15), 15)
        android = bench.handset().android
        android.start_chat(number)
        android.send_text(number, "said in private")
        message = bench.loop.call(peer.chats.wait_message("said in private", timeout=15), 15)
        assert message.text == "said in private"
        chat = bench.loop.call(peer.chats.wait_session(timeout=15), 15)
        sent = bench.loop.call(peer.chats.send_text(chat, "and answered"), 15)
        assert sent.outcome.status == 200
        assert chat.call.handle.plan.tls
        bench.loop.call(peer.chats.end(chat), 15)

        target = Target.of(peer.registrar.binding_of(msisdn))
        ours = bench.loop.call(peer.chats.invite(target), 15)
        assert ours.status == 200
        sent = bench.loop.call(peer.chats.send_text(ours, "begun by the far party"), 15)
        assert (sent.outcome.status, ours.call.handle.plan.tls) == (200, True)
        assert transports_of_msrp(bench) == {Transport.TLS}
        assert not [finding for finding in bench.judge(0) if finding.fails]
    finally:
        bench.close()
    secured.wait_clean()


def test_a_handset_without_it_declines_what_the_peer_offers(secured: Any) -> None:
    with secured.edited() as lab:
        del lab["benches"]["a"]["handsets"]["dut"]["simulated"]
    bench = open_bench(secured)
    try:
        peer, msisdn = bench.peer, bench.part.handsets["dut"].msisdn
        bench.loop.call(peer.registrar.wait_registered(msisdn, timeout=15), 15)
        target = Target.of(peer.registrar.binding_of(msisdn))
        chat = bench.loop.call(peer.chats.invite(target), 15)
        assert (chat.status, chat.accepted) == (488, False)
    finally:
        bench.close()
    secured.wait_clean()


def test_a_handset_with_it_needs_a_peer_with_it(secured: Any, rcslab: Any) -> None:
    with secured.edited() as lab:
        del lab["benches"]["a"]["peer"]["msrp_tls"]
    said = rcslab("doctor")
    assert said.code == 2
    assert "benches.a: dut has MSRP over TLS and the peer has not: give it `msrp_tls:`" in said.errors
