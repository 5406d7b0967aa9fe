"""Both sides of a session border controller in one capture: nothing is told twice, or of the wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cpm.profiles import Profile
from harness.evidence.capture import write_capture
from harness.evidence.timeline import Address, Layer, Packet, Timeline, Transport
from harness.verify.captures import judge_captures
from harness.verify.engine import Verifier
from harness.verify.judgement import Judgement
from harness.verify.proof.flows import FLOWS
from harness.verify.proof.script import START
from tests.harness.verify.border import both_sides

KINDS = {
    "a proxy": (False, False),
    "a proxy with one address": (False, True),
    "calls of its own": (True, False),
    "calls of its own, one address": (True, True),
}


def judged(path: Path) -> Judgement:
    (judgement,) = judge_captures([path], Profile.RCS51)
    return judgement


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_on_both_sides_of_a_border_is_judged_as_on_one(name: str, kind: str, tmp_path: Path) -> None:
    timeline = FLOWS[name]().timeline()
    write_capture(tmp_path / "one", timeline)
    new_calls, one_address = KINDS[kind]
    write_capture(tmp_path / "both", both_sides(timeline, new_calls=new_calls, one_address=one_address))
    one, both = judged(tmp_path / "one"), judged(tmp_path / "both")
    assert [(item.rule, item.party) for item in both.findings] == [
        (item.rule, item.party) for item in one.findings
    ]
    assert both.judged == one.judged


@pytest.mark.parametrize("kind", KINDS)
def test_a_defect_seen_on_both_sides_is_told_once_and_of_the_handset(kind: str, tmp_path: Path) -> None:
    script = FLOWS["pager_mo"]().line(0, "Contact: <sip:a@10.0.0.5>")
    new_calls, one_address = KINDS[kind]
    both = both_sides(script.timeline(), new_calls=new_calls, one_address=one_address)
    write_capture(tmp_path / "both", both)
    found = [(item.rule, item.party.value, item.where.source) for item in judged(tmp_path / "both").findings]
    assert found == [("pager.no-contact", "handset", "10.0.0.5:40000")]


def test_what_is_not_judged_is_told(tmp_path: Path) -> None:
    write_capture(
        tmp_path / "both", both_sides(FLOWS["chat"]().timeline(), new_calls=True, one_address=False)
    )
    (judgement,) = judge_captures([tmp_path / "both"], "rcs51")
    assert judgement.notices == (
        "21 messages between 192.0.2.1, 192.0.2.20 are those of the handset's side once more: not judged",
    )


def passed_through(timeline: Timeline, *hosts: tuple[str, str]) -> Timeline:
    """The octets as they are, once more between other hosts."""
    moved = dict(hosts)
    both = Timeline(clock=lambda: START)
    for entry in timeline:
        if isinstance(entry, Packet):
            ends = [
                Address(moved.get(end.host, end.host), end.port) for end in (entry.source, entry.destination)
            ]
            for at, (source, destination) in enumerate(((entry.source, entry.destination), ends)):
                connection = None if entry.connection is None else entry.connection + 100 * at
                time = entry.time + 0.004 * at
                both.packet(
                    entry.layer,
                    entry.transport,
                    source,
                    destination,
                    entry.data,
                    connection=connection,
                    at=time,
                )
    return both


@pytest.mark.parametrize("name", FLOWS)
def test_both_sides_of_a_nat_are_judged_as_one(name: str, tmp_path: Path) -> None:
    write_capture(tmp_path / "one", FLOWS[name]().timeline())
    write_capture(tmp_path / "both", passed_through(FLOWS[name]().timeline(), ("10.0.0.5", "198.51.100.7")))
    one, both = judged(tmp_path / "one"), judged(tmp_path / "both")
    assert [item.rule for item in both.findings] == [item.rule for item in one.findings]
    assert both.judged == one.judged


def test_a_request_tried_again_at_another_proxy_is_judged_too(tmp_path: Path) -> None:
    """RFC 3261 8.1.2, RFC 3263 4.3: the same but for its branch, from the same source."""
    script = FLOWS["pager_mo"]()
    text = script.steps[0].text.replace("branch=z9hG4bK", "branch=z9hG4bKother")
    trace = script.timeline()
    trace.packet(
        Layer.SIP,
        Transport.TCP,
        Address("10.0.0.5", 40001),
        Address("10.0.0.2", 5060),
        text.encode(),
        connection=2,
        at=START + 2,
    )
    verifier = Verifier()
    verifier.judge(trace)
    assert verifier.assembly.legs.passed_over == 0


def test_a_text_passed_on_to_another_handset_is_judged_on_both_legs() -> None:
    """Where the capture shows both handsets register."""
    trace = Timeline(clock=lambda: START)
    text = FLOWS["pager_mo"]().steps[0].text
    register = FLOWS["register"]().steps[0].text
    for number, host in enumerate(("10.0.0.5", "10.0.0.6")):
        octets = register.replace("10.0.0.5", host).replace("Call-ID: ", f"Call-ID: {number}")
        octets = octets.replace("+491700000001", f"+49170000000{1 + number}")
        ends = Address(host, 40000), Address("10.0.0.1", 5060)
        trace.packet(Layer.SIP, Transport.TCP, *ends, octets.encode(), connection=number, at=START + number)
    ends = Address("10.0.0.5", 40000), Address("10.0.0.1", 5060)
    trace.packet(Layer.SIP, Transport.TCP, *ends, text.encode(), connection=0, at=START + 3)
    ends = Address("10.0.0.1", 5060), Address("10.0.0.6", 40000)
    onward = text.replace("Via: SIP/2.0/TCP 10.0.0.5", "Via: SIP/2.0/TCP 10.0.0.1").replace("bK", "bKx")
    trace.packet(Layer.SIP, Transport.TCP, *ends, onward.encode(), connection=1, at=START + 3.1)
    verifier = Verifier()
    verifier.judge(trace)
    assert verifier.assembly.legs.passed_over == 0
    assert verifier.judged == 6


def test_a_handset_that_goes_on_over_another_address_is_judged_there_too(tmp_path: Path) -> None:
    """Its next text, and its registration from there, say who speaks to whom as those before did."""
    one = FLOWS["pager_mo"]().drop(2, 3, 4, 5)
    other = FLOWS["pager_mo"]().drop(2, 3, 4, 5).line(0, "Contact: <sip:a@10.0.0.5>")
    other.everywhere("z9hG4bKmoa", "z9hG4bKmoz").everywhere("Call-ID: calla", "Call-ID: callz")
    other.everywhere("Msg1", "Msg9").everywhere("0b0f8f6e", "1b0f8f6e")
    timeline = Timeline(clock=lambda: START)
    for moved, script in enumerate((one, other)):
        for entry in script.timeline():
            if isinstance(entry, Packet):
                swap = {"10.0.0.5": "2001:db8::5", "10.0.0.1": "2001:db8::1"} if moved else {}
                ends = (Address(swap.get(e.host, e.host), e.port) for e in (entry.source, entry.destination))
                timeline.packet(
                    Layer.SIP, entry.transport, *ends, entry.data, connection=1 + moved, at=entry.time + moved
                )
    verifier = Verifier()
    verifier.judge(timeline)
    assert verifier.judged == 6  # four messages, two texts
    assert "pager.no-contact" in {finding.rule for finding in verifier.findings}


@pytest.mark.parametrize(("later", "passed_over"), [(0.1, 1), (6.0, 0)])
def test_an_element_passes_a_message_on_soon_or_it_is_another(later: float, passed_over: int) -> None:
    trace = Timeline(clock=lambda: START)
    text = FLOWS["pager_mo"]().steps[0].text
    ends = Address("10.0.0.5", 40000), Address("10.0.0.1", 5060)
    trace.packet(Layer.SIP, Transport.TCP, *ends, text.encode(), connection=0, at=START)
    onward = text.replace("Via: SIP/2.0/TCP 10.0.0.5", "Via: SIP/2.0/TCP 10.0.0.1").replace("bK", "bKx")
    ends = Address("10.0.0.1", 5070), Address("192.0.2.1", 5060)
    trace.packet(Layer.SIP, Transport.TCP, *ends, onward.encode(), connection=1, at=START + later)
    verifier = Verifier()
    verifier.judge(trace)
    assert verifier.assembly.legs.passed_over == passed_over
