"""received, rport, response routes and the choice of TCP (RFC 3261 18, RFC 3581)."""

from __future__ import annotations

import pytest

from harness.agent.sip.via_routing import (
    choose_transport,
    datagram_target,
    stamp,
    stream_target,
    way_back,
    with_transport,
)
from harness.agent.sip.ways_out import Hop
from harness.evidence.timeline import Address, Transport
from harness.sip.headers import Via
from harness.sip.message import Request, build_request, build_response

SOURCE = Address("192.0.2.9", 40000)


def request(via: str, body: bytes = b"") -> Request:
    return build_request("MESSAGE", "sip:b@example.net", [("Via", via), ("v", "SIP/2.0/UDP second")], body)


@pytest.mark.parametrize(
    ("sent", "handed_up"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("192.0.2.9:5060;rport", "192.0.2.9:5060;rport=40000;received=192.0.2.9"),
        ("192.0.2.1;branch=1", "192.0.2.1;branch=1;received=192.0.2.9"),
        ("name.example", "name.example;received=192.0.2.9"),
        ("192.0.2.9;received=10.0.0.1", "192.0.2.9;received=192.0.2.9"),
        ("192.0.2.9;rport=7", "192.0.2.9;rport=7"),
    ],
)
def test_the_top_via_is_stamped_and_nothing_else_changes(sent: str, handed_up: str) -> None:
    received = request(f"SIP/2.0/UDP {sent}, SIP/2.0/UDP below", b"body")
    before = received.raw
    stamp(received, SOURCE)
    assert str(received.via) == f"SIP/2.0/UDP {handed_up}"
    assert received.raw == before
    answer = build_response(received, 200, to_tag="t")
    assert answer.get_all("Via") == [f"SIP/2.0/UDP {handed_up}, SIP/2.0/UDP below", "SIP/2.0/UDP second"]


def test_ipv6_hosts_are_compared_by_value() -> None:
    received = request("SIP/2.0/UDP [2001:DB8:0::1]:5060")
    stamp(received, Address("2001:db8::1", 5060))
    assert received.via.received is None
    stamp(received, Address("2001:db8::2", 5060))
    assert received.via.received == "2001:db8::2"


@pytest.mark.parametrize(
    ("via", "target"),
    [
        ("192.0.2.1", Address("192.0.2.1", 5060)),
        ("192.0.2.1:5080", Address("192.0.2.1", 5080)),
        ("192.0.2.1:5080;received=192.0.2.9", Address("192.0.2.9", 5080)),
        ("192.0.2.1:5080;received=192.0.2.9;rport=40000", Address("192.0.2.9", 40000)),
        ("192.0.2.1:5080;received=192.0.2.9;rport=40000;maddr=192.0.2.7", Address("192.0.2.7", 5080)),
        ("[2001:db8::1];received=2001:db8::2;rport=9", Address("2001:db8::2", 9)),
    ],
)
def test_responses_over_udp_follow_maddr_rport_received_sent_by_in_this_order(
    via: str, target: Address
) -> None:
    assert datagram_target(Via.parse(f"SIP/2.0/UDP {via}")) == target


def test_a_new_connection_for_a_response_goes_to_received_and_the_port_of_sent_by() -> None:
    via = Via.parse("SIP/2.0/TCP 192.0.2.1:5080;received=192.0.2.9;rport=40000")
    assert stream_target(via, Transport.TCP) == Address("192.0.2.9", 5080)
    assert stream_target(Via.parse("SIP/2.0/TLS 192.0.2.1"), Transport.TLS) == Address("192.0.2.1", 5061)


def test_the_way_back_is_over_the_transport_of_the_request_to_who_the_via_names() -> None:
    via = Via.parse("SIP/2.0/UDP far.example:5080;received=192.0.2.9;rport=40000")
    assert way_back(via, Transport.UDP) == Hop(Transport.UDP, "192.0.2.9", 40000, "far.example")
    assert way_back(via, Transport.TLS) == Hop(Transport.TLS, "192.0.2.9", 5080, "far.example")


def test_above_1300_octets_tcp_is_chosen() -> None:
    empty = len(request("SIP/2.0/UDP 192.0.2.1").raw) + 3  # Content-Length gets four digits
    fits = request("SIP/2.0/UDP 192.0.2.1", bytes(1300 - empty))
    above = request("SIP/2.0/UDP 192.0.2.1", bytes(1301 - empty))
    assert (len(fits.raw), len(above.raw)) == (1300, 1301)
    assert choose_transport(fits, Transport.UDP) is Transport.UDP
    assert choose_transport(above, Transport.UDP) is Transport.TCP
    assert choose_transport(fits, Transport.TCP) is Transport.TCP
    changed = with_transport(above, Transport.TCP)
    assert (str(changed.via), changed.body) == ("SIP/2.0/TCP 192.0.2.1", above.body)
