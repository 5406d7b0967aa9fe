"""Messages of one user-level act are one flow, and it has a name a reader knows it by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.verify.engine import Verifier
from harness.verify.flows import Act, Flows, UserFlow
from harness.verify.items import SipEntry
from harness.verify.proof.script import Script

UE, NET = Address("10.0.0.5", 5060), Address("10.0.0.1", 5060)


def names(script):
    verifier = Verifier()
    verifier.judge(script.timeline())
    return [flow.name for flow in verifier.flows.all()]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pager_mo", ["text 1 +491700000001 to +491700000002"]),
        ("session_mo", ["chat 1 +491700000001 to +491700000002"]),
        ("chat", ["chat 1 +491700000001 to +491700000002"]),
        ("push_mo", ["file 1 My cool picture.jpg, +491700000001 to +491700000002"]),
        ("large_mo", ["large message 1 +491700000001 to +491700000002"]),
        ("options_mt", ["capabilities 1 +491700000002 to +491700000001"]),
        ("cancelled_mo", ["chat 1 +491700000001 to +491700000002"]),
    ],
)
def test_all_messages_of_an_act_are_one_flow_with_a_name(flow, name, expected):
    assert names(flow(name)) == expected


def test_a_registration_and_the_subscription_to_its_state_are_two(flow):
    kinds = [name.split(" ")[0] for name in names(flow("register"))]
    assert kinds == ["registration", "subscription"]


def test_a_group_its_subscription_and_its_focus_are_one(flow):
    (name,) = names(flow("adhoc"))
    assert name.startswith("group chat 1")


def message(call: str, source: str, target: str, body: str, kind: str = "text/plain") -> bytes:
    octets = len(body.encode())
    return (
        f"MESSAGE sip:{target}@example.org SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK{call}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:{source}@example.org>;tag=1{call}\r\nTo: <sip:{target}@example.org>\r\n"
        f"Call-ID: {call}\r\nCSeq: 1 MESSAGE\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {octets}\r\n\r\n{body}"
    ).encode()


def cpim(message_id: str) -> str:
    return (
        "From: <sip:anonymous@anonymous.invalid>\r\nTo: <sip:anonymous@anonymous.invalid>\r\n"
        f"NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: {message_id}\r\n"
        "DateTime: 2026-01-01T00:00:00Z\r\nimdn.Disposition-Notification: positive-delivery\r\n\r\n"
        "Content-Type: text/plain\r\n\r\nHello"
    )


def notification(message_id: str) -> str:
    document = (
        '<?xml version="1.0"?><imdn xmlns="urn:ietf:params:xml:ns:imdn">'
        f"<message-id>{message_id}</message-id><datetime>2026-01-01T00:00:00Z</datetime>"
        "<delivery-notification><status><delivered/></status></delivery-notification></imdn>"
    )
    return (
        "From: <sip:anonymous@anonymous.invalid>\r\nTo: <sip:anonymous@anonymous.invalid>\r\n"
        f"NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: of-{message_id}\r\n"
        "DateTime: 2026-01-01T00:00:00Z\r\n\r\n"
        f"Content-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n\r\n{document}"
    )


def flows_of(*packets: tuple[Address, Address, bytes]):
    trace = Timeline(clock=lambda: 0.0)
    for number, (source, target, octets) in enumerate(packets):
        trace.packet(Layer.SIP, Transport.UDP, source, target, octets, at=float(number))
    verifier = Verifier()
    verifier.judge(trace)
    return verifier.flows.all()


def test_a_notification_belongs_to_the_text_it_reports_on_not_to_its_neighbour():
    flows = flows_of(
        (UE, NET, message("a", "+49171", "+49172", cpim("one"), "message/cpim")),
        (UE, NET, message("b", "+49171", "+49173", cpim("two"), "message/cpim")),
        (NET, UE, message("c", "+49172", "+49171", notification("one"), "message/cpim")),
    )
    assert [(flow.act, flow.messages) for flow in flows] == [(Act.TEXT, 2), (Act.TEXT, 1)]
    assert [flow.number for flow in flows] == [1, 2]


def test_a_notification_that_comes_before_its_text_is_joined_with_it_later():
    flows = flows_of(
        (NET, UE, message("c", "+49172555", "+49171555", notification("one"), "message/cpim")),
        (UE, NET, message("a", "+49171555", "+49172555", cpim("one"), "message/cpim")),
    )
    assert [flow.name for flow in flows] == ["text 1 +49171555 to +49172555"]
    assert flows[0].messages == 2


def test_a_notification_of_nothing_that_was_seen_is_a_flow_of_its_own():
    (flow,) = flows_of((NET, UE, message("c", "+49172", "+49171", notification("lost"), "message/cpim")))
    assert flow.act is Act.NOTIFICATION


def test_octets_that_are_no_message_are_a_flow_of_their_own():
    (flow,) = flows_of((NET, UE, b"MESSAGE sip:a@b\r\nVia"))
    assert flow.act is Act.OTHER and flow.messages == 1


def test_findings_and_rules_are_counted_in_their_flow(flow):
    verifier = Verifier("ietf")
    (found, *_) = verifier.judge(flow("pager_mo").line(0, "Contact: <sip:me@10.0.0.5>").timeline())
    (only,) = verifier.flows.all()
    assert found.flow is only and only.findings == len(verifier.findings)
    assert "pager.no-contact" in verifier.exercised_in(only)
    assert "msrp.uri.compare" not in verifier.exercised_in(only)


def legs(flow, seconds: float):
    """A chat as it was seen on both sides of a border controller, which lets session-ids pass."""
    near = flow("session_mo")
    far = Script([replace(step, text=step.text.replace("Call-ID: ", "Call-ID: far-")) for step in near.steps])
    far.everywhere("branch=z9hG4bK", "branch=z9hG4bKfar")
    far.steps[0] = replace(far.steps[0], after=seconds)
    return (
        Script([near.steps[0], *far.steps, *near.steps[1:]])
        if seconds < 1
        else Script([*near.steps, *far.steps])
    )


def test_both_legs_of_a_session_are_one_flow(flow):
    (name,) = names(legs(flow, 0.01))
    assert name == "chat 1 +491700000001 to +491700000002"


def test_a_client_that_uses_session_ids_again_has_another_flow(flow):
    assert len(names(legs(flow, 60.0))) == 2


def test_flows_beyond_a_number_are_counted_together_and_those_with_findings_stay():
    flows = Flows(flows=100)
    verifier = Verifier()
    verifier.flows = flows
    trace = Timeline(clock=lambda: 0.0)
    for number in range(300):
        octets = message(f"c{number}", "+49171555", "+49172555", cpim(f"m{number}"), "message/cpim")
        trace.packet(Layer.SIP, Transport.UDP, UE, NET, octets, at=float(number))
    marked = []
    for number, item in enumerate(verifier.assembly.feed(trace)):
        if isinstance(item, SipEntry):
            flow = flows.add(item)
            if number % 50 == 0:
                flow.findings += 1
                marked.append(flow)
    found = flows.all()
    assert len(found) <= 127 and sum(flow.messages for flow in found) == 300
    assert all(flow.final is flow for flow in marked)
    (crowd,) = (flow for flow in found if flow.crowd)
    assert crowd.name == "text: others, not told apart" and crowd.messages > 150


def test_ids_that_were_not_met_for_long_are_forgotten():
    flows = Flows(keys=10)
    verifier = Verifier()
    trace = Timeline(clock=lambda: 0.0)
    for number in range(50):
        octets = message(f"c{number}", "+49171555", "+49172555", "Hi")
        trace.packet(Layer.SIP, Transport.UDP, UE, NET, octets, at=float(number))
    for item in verifier.assembly.feed(trace):
        if isinstance(item, SipEntry):
            flows.add(item)
    assert len(flows._by_key) == 10 and len(flows.all()) == 50


def test_a_flow_that_another_becomes_part_of_takes_over_what_was_found_and_exercised_in_it():
    one, other = UserFlow(Act.TEXT, 1, 0.0), UserFlow(Act.TEXT, 2, 1.0)
    one.findings, one.exercised, one.messages = 1, 0b01, 2
    other.findings, other.exercised, other.messages = 2, 0b10, 3
    one.take_in(other)
    assert (one.findings, one.exercised, one.messages) == (3, 0b11, 5)
    assert other.final is one
