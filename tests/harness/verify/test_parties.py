"""Handset and network are told by what they say."""

from __future__ import annotations

import pytest

from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.verify.assembly import Assembly
from harness.verify.finding import Party
from harness.verify.items import SipEntry


def senders(entries):
    assembly = Assembly()
    return [item.sender.value for item in assembly.feed(entries) if isinstance(item, SipEntry)]


@pytest.mark.parametrize("loopback", [False, True])
@pytest.mark.parametrize("name", ["pager_mo", "pager_mt", "session_mt", "register", "options_mt"])
def test_every_message_of_a_flow_has_its_sender(name, loopback, flow):
    script = flow(name)
    expected = ["handset" if step.handset else "network" for step in script.steps]
    assert senders(script.timeline(loopback=loopback)) == expected


PLAIN = (
    "OPTIONS sip:a@b.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bK{}\r\n"
    "From: <sip:a@b.example>;tag=1\r\nTo: <sip:a@b.example>\r\nCall-ID: {}\r\nCSeq: 1 OPTIONS\r\n"
    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def plain(trace, source, destination, mark):
    data = PLAIN.format(source.port, mark, mark).encode()
    trace.packet(Layer.SIP, Transport.UDP, source, destination, data)


ONE, OTHER = Address("127.0.0.1", 40001), Address("127.0.0.1", 40002)


def test_without_a_sign_the_party_is_unknown():
    trace = Timeline(clock=lambda: 1.0)
    plain(trace, ONE, OTHER, "a")
    assert senders(trace) == ["unknown"]


@pytest.mark.parametrize("hint", [{"handset": ["127.0.0.1:40001"]}, {"network": ["127.0.0.1:40002"]}])
def test_the_lab_may_say_who_is_who(hint):
    trace = Timeline(clock=lambda: 1.0)
    trace.event(Layer.LAB, "parties", **hint)
    plain(trace, ONE, OTHER, "a")
    plain(trace, OTHER, ONE, "b")
    assert senders(trace) == ["handset", "network"]


def test_hosts_are_compared_as_addresses():
    trace = Timeline(clock=lambda: 1.0)
    trace.event(Layer.LAB, "parties", handset=["[2001:db8:0:0::1]:5060"])
    plain(trace, Address("2001:db8::1", 5060), Address("2001:db8::2", 5060), "a")
    assert senders(trace) == ["handset"]


def test_what_came_before_the_first_sign_is_known_by_it(flow):
    trace = Timeline(clock=lambda: 1.0)
    handset, network = Address("10.0.0.5", 40000), Address("10.0.0.1", 5060)
    plain(trace, network, handset, "early")
    for entry in flow("register").timeline(start=False):
        trace.packet(Layer.SIP, entry.transport, entry.source, entry.destination, entry.data, connection=1)
    assert senders(trace)[:2] == ["network", "handset"]


def test_one_wrong_header_does_not_turn_the_parties_round(flow):
    script = flow("register").line(4, "P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg")
    assert senders(script.timeline(loopback=True))[4] == "handset"


def test_the_far_end_of_a_party_is_the_other_one():
    assert (Party.HANDSET.other, Party.NETWORK.other, Party.UNKNOWN.other) == (
        "network",
        "handset",
        "unknown",
    )
