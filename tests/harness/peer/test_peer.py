"""What the peer checks before any service, and its life (RFC 3261 8.2)."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest

from harness.errors import AddressTaken, NotSeen, UsageError
from harness.evidence.timeline import Address, Event, Packet, Timeline
from harness.peer.config import PeerConfig
from harness.peer.peer import Peer

METHODS = "REGISTER, MESSAGE, OPTIONS, SUBSCRIBE, INVITE, REFER, ACK, CANCEL, BYE, PRACK, UPDATE"


@pytest.mark.parametrize(("method", "status"), [("PUBLISH", 405), ("FANCY", 501)])
def test_other_methods_are_refused_with_allow(bench: Any, far: str, method: str, status: int) -> None:
    bench.start()
    answer = bench.handset().ask(method, far, to=far)
    if answer.status == 100:
        pytest.fail("no provisional response was due")
    assert (answer.status, answer.header("Allow")) == (status, METHODS)


@pytest.mark.parametrize("method", ["BYE", "MESSAGE", "INVITE", "INFO", "SUBSCRIBE", "UPDATE", "NOTIFY"])
def test_a_to_tag_of_no_dialog_is_481(bench: Any, far: str, method: str) -> None:
    bench.start()
    assert bench.handset().ask(method, far, to=f"<{far}>;tag=unknown").status == 481


@pytest.mark.parametrize("header", ["Require", "Proxy-Require"])
def test_an_unknown_extension_is_420(bench: Any, far: str, header: str) -> None:
    bench.start()
    answer = bench.handset().ask("MESSAGE", far, f"{header}: timer, sec-agree, x-y", to=far)
    assert (answer.status, answer.header("Unsupported")) == (420, "sec-agree, x-y")


def test_a_request_uri_that_cannot_be_read_is_400(bench: Any, far: str) -> None:
    bench.start()
    assert bench.handset().ask("OPTIONS", "sip:2001:db8::10", to=far).status == 400


def test_another_scheme_is_416(bench: Any, far: str) -> None:
    bench.start()
    handset = bench.handset()
    assert handset.ask("MESSAGE", "mailto:somebody@ims.example", to=far).status == 416
    assert handset.ask("OPTIONS", "tel:+491709999999", to=far).status == 200


@pytest.mark.parametrize(
    ("rows", "name", "value"),
    [
        (("Content-Type: application/x-unknown",), "Accept", "message/cpim, text/plain"),
        ((), "Accept", "message/cpim, text/plain"),
        (("Content-Type: text/plain", "Content-Encoding: gzip"), "Accept-Encoding", "identity"),
    ],
)
def test_a_body_nobody_understands_is_415(
    bench: Any, far: str, rows: tuple[str, ...], name: str, value: str
) -> None:
    bench.start()
    answer = bench.handset().ask("MESSAGE", far, *rows, to=far, body="abc")
    assert (answer.status, answer.header(name)) == (415, value)


def test_options_shows_what_the_far_party_can_do(bench: Any, far: str) -> None:
    bench.start(capabilities=('+g.3gpp.iari-ref="urn%3Aurn-7%3A3gpp-application.ims.iari.rcse.im"',))
    answer = bench.handset().ask("OPTIONS", far, to=far)
    assert answer.status == 200
    assert "iari.rcse.im" in (answer.header("Contact") or "")
    assert (answer.header("Allow"), answer.header("Supported")) == (
        METHODS,
        "100rel, path, recipient-list-message, timer",
    )


def test_options_can_be_refused(bench: Any, far: str) -> None:
    peer = bench.start()
    peer.answer_next("OPTIONS", 404)
    handset = bench.handset()
    assert handset.ask("OPTIONS", far, to=far).status == 404
    assert handset.ask("OPTIONS", far, to=far).status == 200
    with pytest.raises(UsageError):
        peer.answer_next("PUBLISH", 404)


def test_a_header_that_cannot_be_read_is_400_and_the_peer_goes_on(bench: Any, far: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    answer = handset.ask("REGISTER", "sip:ims.example", "Contact: <sip:un balanced")
    assert answer.status == 400
    assert not peer.bindings
    assert handset.register().status == 200


def test_ipv4_and_ipv6_udp_and_tcp(bench: Any) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback")
    peer = bench.start(listen=(("127.0.0.1", 0), ("::1", 0)))
    for address in (0, 1):
        for stream in (False, True):
            handset = bench.handset(stream=stream, address=address)
            answer = handset.register(call_id=f"c{address}{stream}", from_tag=f"t{address}{stream}")
            assert answer.status == 200
            at = peer.addresses.sip_udp[address]
            assert answer.header("Service-Route") == f"<sip:orig@{at};lr>"
    assert len(peer.registrar.all_bindings()) == 4


def test_everything_is_on_the_timeline_once(bench: Any) -> None:
    bench.start()
    bench.handset().register()
    packets = [entry for entry in bench.timeline if isinstance(entry, Packet)]
    assert [packet.data.split()[0] for packet in packets] == [b"REGISTER", b"SIP/2.0"]


def test_msrp_answers_481(bench: Any) -> None:
    peer = bench.start()
    with socket.create_connection(peer.addresses.msrp[0], timeout=5) as connection:
        connection.sendall(
            b"MSRP abcd1234 SEND\r\nTo-Path: msrp://127.0.0.1:9/s1;tcp\r\n"
            b"From-Path: msrp://127.0.0.1:9/s2;tcp\r\nMessage-ID: m1\r\n"
            b"Byte-Range: 1-0/0\r\n-------abcd1234$\r\n"
        )
        assert connection.recv(4096).startswith(b"MSRP abcd1234 481")


def test_a_taken_port_is_told_and_nothing_stays_open(bench: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        peer = Peer(PeerConfig("ims.example", listen=(("127.0.0.1", 0), ("127.0.0.1", port))), Timeline())
        with pytest.raises(AddressTaken):
            bench.call(peer.start())
        assert peer.pcscf.agent.addresses == []


def test_a_taken_msrp_port_is_told(bench: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = taken.getsockname()
        peer = Peer(PeerConfig("ims.example", msrp=at), Timeline())
        with pytest.raises(AddressTaken):
            bench.call(peer.start())
        assert peer.pcscf.agent.addresses == []


def test_stop_is_quick_and_quiet_with_work_under_way(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    peer = bench.start()
    silent, other = bench.handset(), bench.handset(stream=True)
    silent.register()
    other.register(call_id="other")
    sending = bench.begin(peer.pager.send_text("+491701234567", "never answered"))
    waiting = bench.begin(peer.pager.wait_message("never sent", timeout=60))
    other.receive()  # newest binding: the text is on its way
    begin = time.monotonic()
    bench.call(peer.stop())
    assert time.monotonic() - begin < 0.5
    with pytest.raises(NotSeen):
        waiting()
    assert sending().status is None

    async def others() -> set[str]:
        return {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}

    bench.call(asyncio.sleep(0))
    assert not bench.call(others())
    assert "never retrieved" not in caplog.text


def test_a_request_that_comes_by_two_ways_is_482(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.send(handset.text(call_id="same", cseq=7, branch="one"))
    assert handset.receive().status == 200
    handset.send(handset.text(call_id="same", cseq=7, branch="two"))
    found = handset.receive()
    while not found.startswith("SIP/2.0"):  # the notification for the first
        found = handset.receive()
    assert found.status == 482
    assert len(peer.pager.received) == 1


def test_answers_asked_for_are_forgotten_together(bench: Any, far: str) -> None:
    peer = bench.start()
    for method in ("REGISTER", "MESSAGE", "OPTIONS", "SUBSCRIBE"):
        peer.answer_next(method, 503)
    peer.notifications.answer_next(503)
    peer.answer_as_usual()
    handset = bench.handset(stream=True)
    assert handset.register().status == 200
    assert handset.ask("OPTIONS", far, to=far).status == 200
    handset.send(handset.imdn("delivered", "m1"))
    assert handset.receive().status == 200


def test_a_peer_can_be_started_again(bench: Any) -> None:
    peer = bench.start()
    bench.call(peer.stop())
    bench.call(peer.start())
    handset = bench.handset(stream=True)
    handset.register()
    handset.send(handset.text())
    assert handset.receive().status == 200
    assert handset.receive().start.startswith("MESSAGE ")


def test_events_are_numbered_and_awaited(bench: Any) -> None:
    peer = bench.start()
    bench.handset().register()
    bench.call(peer.wait_event(lambda event: event.number == 2, 1))
    assert [event.number for event in peer.events] == [1, 2]
    event = bench.call(peer.wait_event(lambda event: "REGISTER" in event.text, 1))
    assert event.text == "REGISTER with 200 OK"
    with pytest.raises(NotSeen):
        bench.call(peer.wait_event(lambda event: True, 0.05, after=peer.mark()))


def test_on_all_addresses_the_peer_names_the_one_it_was_reached_at(bench) -> None:
    peer = bench.start(listen=(("0.0.0.0", 0),))
    port = peer.addresses.sip_udp[0].port
    bench.peer.addresses.sip_udp[0] = Address("127.0.0.1", port)
    handset = bench.handset()
    registered = handset.register()
    assert registered.header("Service-Route") == f"<sip:orig@127.0.0.1:{port};lr>"
    handset.register()
    said = [each for each in bench.timeline if isinstance(each, Event) and each.name == "parties"]
    assert [each.fields["network"] for each in said] == [[f"127.0.0.1:{port}"]]
