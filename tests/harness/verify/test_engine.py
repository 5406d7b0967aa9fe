"""The engine: live and offline alike, severities by profile, defects of rules kept apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cpm.profiles import Profile
from harness.evidence.timeline import Layer, Timeline, Transport
from harness.verify import engine
from harness.verify.assembly import Assembly
from harness.verify.catalogue import Judged, Kind, load_catalogue, load_checks, rule
from harness.verify.engine import Verifier
from harness.verify.finding import INTERNAL, Party, Severity, Verdict, Violation
from harness.verify.items import SipEntry


def spoiled(flow):
    return flow("pager_mt").line(1, "Max-Forwards: 70").line(2, "Max-Forwards: 70")


def test_findings_stand_in_the_order_of_their_messages_also_those_that_are_known_late(flow):
    script = flow("pager_mo").drop(1).wait(120.0).line(1, "Contact: <sip:a@10.0.0.1>")
    found = Verifier().judge(script.timeline())
    assert [each.rule for each in found] == ["sip.response.final-in-time", "pager.no-contact"]


def test_live_and_offline_give_the_same(flow):
    trace = list(spoiled(flow).timeline())
    live = Verifier()
    for count in range(len(trace) + 1):
        live.judge(trace[:count])
    assert live.findings == Verifier().judge(trace)
    assert live.findings != []


def test_judging_again_repeats_nothing(flow):
    trace = spoiled(flow).timeline()
    verifier = Verifier()
    first = verifier.judge(trace)
    assert verifier.judge(trace) == first


def test_only_items_newer_than_since_are_reported(flow):
    trace = spoiled(flow).timeline()
    assert [item.where.entry for item in Verifier().judge(trace, since=3)] == [4]
    assert [item.where.entry for item in Verifier().judge(trace)] == [3, 4]


def test_a_rule_that_breaks_is_a_finding_of_the_lab_and_loses_no_other(flow, monkeypatch):
    def broken(entry, flow):
        raise RuntimeError("no such thing")

    rule("sip.via.echo", on=Kind.RESPONSE)(broken)
    checks = (*broken.checks, *load_checks())
    monkeypatch.setattr(engine, "load_checks", lambda: checks)
    verifier = Verifier()
    found = verifier.judge(flow("pager_mt").line(1, "Max-Forwards: 70").timeline())
    internal = [item for item in found if item.rule == INTERNAL]
    assert {item.party for item in internal} == {Party.LAB} and not any(item.fails for item in internal)
    assert "sip.via.echo" in internal[0].message and "no such thing" in internal[0].actual
    assert "sip.max-forwards.not-in-response" in {item.rule for item in found}
    assert verifier.verdict() is Verdict.INCONC


def test_a_sub_case_is_reported_at_its_lower_level_and_never_higher(flow, monkeypatch):
    def sub_case(entry, flow):
        yield Violation("a", "b", severity=Severity.INFO)
        yield Violation("a", "c", severity=Severity.MUST)

    rule("sip.from.tag", on=Kind.REQUEST, methods=("MESSAGE",))(sub_case)
    rule("sip.max-forwards.not-in-response", on=Kind.RESPONSE)(sub_case)
    monkeypatch.setattr(engine, "load_checks", lambda: tuple(sub_case.checks))
    found = Verifier().judge(flow("pager_mt").drop(2, 3, 4, 5).timeline())
    assert [(item.rule, item.severity.value, item.fails) for item in found] == [
        ("sip.from.tag", "INFO", False),
        ("sip.from.tag", "MUST", True),
        ("sip.max-forwards.not-in-response", "INFO", False),
        ("sip.max-forwards.not-in-response", "SHOULD", False),
    ]


def test_a_network_defect_fails_the_network_only(flow):
    verifier = Verifier()
    verifier.judge(flow("pager_mo").sub(1, ";tag=netA1", "").timeline())
    assert verifier.verdict(Party.HANDSET) is Verdict.PASS
    assert verifier.verdict(Party.NETWORK) is verifier.verdict() is Verdict.FAIL


def test_nothing_to_judge_is_inconclusive():
    verifier = Verifier("ietf")
    assert verifier.judge([]) == []
    assert verifier.verdict() is Verdict.INCONC


def test_a_message_of_an_unknown_party_never_fails():
    trace = Timeline(clock=lambda: 1.0)
    text = (
        b"OPTIONS sip:a@b.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
        b"From: <sip:a@b.example>;tag=1\r\nTo: <sip:a@b.example>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    from harness.evidence.timeline import Address

    trace.packet(Layer.SIP, Transport.UDP, Address("192.0.2.1", 5060), Address("192.0.2.2", 5060), text)
    found = Verifier("ietf").judge(trace)
    assert [(item.rule, item.party.value, item.fails) for item in found] == [
        ("sip.max-forwards.present", "unknown", False)
    ]


def test_what_a_gap_may_hide_is_not_verifiable(flow):
    trace = Timeline(clock=lambda: 1.0)
    for entry in flow("session_mo").drop(8).wait(40).timeline(start=False):
        gap = 100 if b"BYE" in entry.data else 0
        trace.packet(
            Layer.SIP,
            entry.transport,
            entry.source,
            entry.destination,
            entry.data,
            connection=1,
            missing=gap,
            at=entry.time,
        )
    verifier = Verifier()
    assert verifier.judge(trace) == []
    assert {item.rule for item in verifier.open} == {"sip.response.final-in-time"}


def test_a_truncated_datagram_is_not_verifiable(flow):
    script = flow("options_mt")
    script.steps = [replace(step, transport=Transport.UDP) for step in script.steps]
    trace = Timeline(clock=lambda: 1.0)
    for entry in script.everywhere("/TCP", "/UDP").everywhere("rport=40000", "rport=5060").timeline():
        if hasattr(entry, "data"):
            data = entry.data.replace(b"Content-Length: 0", b"Content-Length: 99")
            trace.packet(Layer.SIP, entry.transport, entry.source, entry.destination, data, missing=99)
    verifier = Verifier()
    assert verifier.judge(trace) == []
    assert {item.rule for item in verifier.open} == {"options.contact-tags", "sip.content-length.exact"}


FLOW_NAMES = ["pager_mo", "pager_mt", "session_mo", "cancelled_mt", "register", "reliable_mo"]


@pytest.mark.parametrize("name", FLOW_NAMES)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_rule_breaks_on_a_damaged_flow(name, flow, data):
    script = flow(name)
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(script.steps) - 1))
        text = script.steps[index].text
        start = data.draw(st.integers(0, len(text) - 1))
        length = data.draw(st.integers(0, 30))
        junk = data.draw(
            st.sampled_from(
                ["", " ", ",", ";", '"', "<", "\r\n", "\x00", "é", "%", "=", ":", "*", "99999999999999999999"]
            )
        )
        script.change(index, text=text[:start] + junk + text[start + length :])
    if data.draw(st.booleans()):
        script.drop(data.draw(st.integers(0, len(script.steps) - 1)))
    if data.draw(st.booleans()):
        script.steps = [replace(step, transport=Transport.UDP) for step in script.steps]
    verifier = Verifier(data.draw(st.sampled_from(list(Profile))))
    found = verifier.judge(script.wait(60).timeline(start=data.draw(st.booleans())))
    assert [item.actual for item in found if item.rule == INTERNAL] == []


def test_the_catalogue_holds_every_rule_and_its_check_knows_it():
    catalogue = load_catalogue()
    assert len(catalogue) == 489
    assert all(entry.check and entry.clause for entry in catalogue.values())
    assert {check.id for check in load_checks()} <= set(catalogue)
    assert all(entry.severity is Severity.MUST for entry in catalogue.values() if entry.hard_fail)
    assert catalogue["pager.no-contact"].severity_under(Profile.RCS51) is Severity.INFO
    known = catalogue["sip.via.echo"]
    assert known.implemented and not replace(known, id="sip.of-nobody").implemented


def test_rules_of_one_party_are_declared_for_items_of_that_party():
    tool = {entry.id for entry in load_catalogue().values() if entry.judged is Judged.TOOL}
    assert not tool & {check.id for check in load_checks()}


def test_a_dialog_keeps_both_sides_apart(flow):
    assembly = Assembly()
    items = [item for item in assembly.feed(flow("session_mo").timeline()) if isinstance(item, SipEntry)]
    (dialog,) = assembly.dialogs
    bye = items[-2]
    assert (bye.method, bye.dialog, dialog.by_caller(bye)) == ("BYE", dialog, True)
    assert dialog.peer_targets(bye) == ["sip:+491700000002@10.0.0.1:5060"]
    assert [str(route.uri) for route in dialog.route_set(bye)] == ["sip:10.0.0.1:5060;lr"]
    assert [transaction.method for transaction in assembly.transactions] == ["INVITE", "UPDATE", "BYE"]


def test_a_registration_stands_from_its_2xx(flow):
    assembly = Assembly()
    list(assembly.feed(flow("register").timeline()))
    (state,) = assembly.registrations
    assert state.lifetime == 600000
    assert state.associated == ["sip:+491700000001@example.org;user=phone", "tel:+491700000001"]
    assert assembly.registration_at(state.since) is state
    assert assembly.registration_at(state.since - 1) is None
    assert state.transaction.retry_of is assembly.transactions[0]


def test_an_imdn_chain_is_one_record(flow):
    assembly = Assembly()
    list(assembly.feed(flow("pager_mo").timeline()))
    (original,) = assembly.originals("Msg1aB2cD3eF4gH5iJ6k")
    assert original.requested == {"positive-delivery", "display"}
    kinds = [note.imdn.notification for note in assembly.notifications("Msg1aB2cD3eF4gH5iJ6k")]
    assert kinds == ["delivery", "display"]
    assert (original.sender, assembly.notifications("Msg1aB2cD3eF4gH5iJ6k")[0].item.sender) == (
        "handset",
        "network",
    )
