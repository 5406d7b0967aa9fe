"""What the catalogue demands of the tool itself: directions, gaps in a capture, layouts, prefixes."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from harness.evidence.timeline import Packet, Transport
from harness.verify.engine import Verifier
from harness.verify.proof.flows import FLOWS as ALL
from harness.verify.proof.flows.group import GROUP_FLOWS, adhoc, document
from harness.verify.proof.flows.media import MEDIA_FLOWS
from harness.verify.proof.imdn_changes import rewritten
from harness.verify.proof.reading import shortened

GROUPS = ("reg.", "pager.", "cpim.", "imdn.", "x.")
FLOWS = ("pager_mo", "pager_mt", "register", "session_mo", "options_mt")


def own(verifier, trace):
    return [finding for finding in verifier.judge(trace) if finding.rule.startswith(GROUPS)]


@pytest.mark.parametrize("name", ["pager_mo", "pager_mt", "register"])
def test_a_direction_comes_from_the_message_and_never_from_a_label(flow, name):
    """x.mt-direction-label"""
    right, labelled = Verifier(), Verifier()
    script = flow(name).line(0, "Contact: <sip:a@10.0.0.5>")
    entries = list(script.timeline())
    labels = [replace(e, note="UE <- NW") if isinstance(e, Packet) else e for e in entries]
    expected = [(f.rule, f.party) for f in right.judge(entries)]
    assert [(f.rule, f.party) for f in labelled.judge(labels)] == expected
    assert [m.sender for m in labelled.assembly.messages] == [m.sender for m in right.assembly.messages]


@pytest.mark.parametrize("profile", ["ietf", "rcs51"])
@pytest.mark.parametrize("name", FLOWS)
def test_what_a_capture_has_lost_is_never_a_fail(flow, name, profile):
    """x.incomplete-capture"""
    length = len(flow(name).steps)
    lost = [*combinations(range(length), 1), *combinations(range(length), 2)]
    lost += [tuple(range(count)) for count in range(3, length)]
    for gap in lost:
        findings = own(Verifier(profile), flow(name).drop(*gap).timeline(start=False))
        assert [str(f) for f in findings if f.severity != "INFO"] == [], gap


SESSION_GROUPS = (
    *("sdp.", "ft.", "session.", "large.", "deferred.", "timer.", "iscomp.", "options.", "msrp."),
    *("cpim.", "imdn."),
)
SESSIONS = {
    **MEDIA_FLOWS,
    **GROUP_FLOWS,
    **{name: ALL[name] for name in ("chat", "reported_chat", "resent_chat", "files_mo", "remade")},
}
MOST_GAPS = 30


@pytest.mark.parametrize("name", SESSIONS)
def test_what_a_capture_of_a_session_has_lost_is_never_a_fail(name):
    """x.incomplete-capture"""
    length = len(SESSIONS[name]().steps)
    lost = [*combinations(range(length), 1), *combinations(range(length), 2)]
    lost = lost[:: len(lost) // MOST_GAPS + 1] + [tuple(range(count)) for count in range(3, length)]
    for gap in lost:
        found = Verifier("ietf").judge(SESSIONS[name]().drop(*gap).timeline(start=False))
        wrong = [str(f) for f in found if f.severity != "INFO" and f.rule.startswith(SESSION_GROUPS)]
        assert wrong == [], gap


def test_a_notify_that_was_not_captured_leaves_versions_open():
    script = adhoc().body(8, document(3, "partial")).everywhere("CSeq: 2 NOTIFY", "CSeq: 3 NOTIFY")
    verifier = Verifier("ietf")
    assert [item.rule for item in verifier.judge(script.timeline()) if item.rule.startswith("session.")] == []
    assert "session.group.notify.version" in {item.rule for item in verifier.open}


def test_an_answer_that_comes_after_the_next_message_shows_in_a_capture(flow):
    script = flow("pager_mt")
    script.steps[3], script.steps[4] = script.steps[4], script.steps[3]
    for start in (True, False):
        findings = own(Verifier(), script.timeline(start=start))
        assert [(f.rule, f.party, f.where.label) for f in findings] == [
            ("pager.one-outstanding", "handset", f"MESSAGE #{5 if start else 4}")
        ]


def test_the_layout_printed_in_rfc_5438_is_accepted(flow):
    """cpim.structure.rfc5438-form.receive"""
    script = flow("pager_mo").sub(0, "display\r\n\r\nContent-Type", "display\r\nContent-Type")
    verifier = Verifier()
    findings = own(verifier, script.timeline())
    assert [(f.rule, f.severity, f.fails) for f in findings] == [
        ("cpim.structure.rfc5438-form", "SHOULD", False)
    ]
    assert verifier.assembly.cpim_items()[0].cpim.content == b"hello, world"


def test_a_message_its_notifications_and_its_conversation_are_one_record(flow):
    """x.cpim-message-correlation"""
    verifier = Verifier()
    verifier.judge(flow("pager_mo").timeline())
    (original,) = verifier.assembly.originals("Msg1aB2cD3eF4gH5iJ6k")
    reports = verifier.assembly.notifications("Msg1aB2cD3eF4gH5iJ6k")
    assert [(report.imdn.notification, report.imdn.status) for report in reports] == [
        ("delivery", "delivered"),
        ("display", "displayed"),
    ]
    conversations = {
        item.carrier.sip.get("Conversation-ID") for item in (original, *(r.item for r in reports))
    }
    assert len(conversations) == 1


@pytest.mark.parametrize("mark", ["...", "[truncated]", "[...]", "\N{HORIZONTAL ELLIPSIS}", "... \r\n"])
@pytest.mark.parametrize("profile", ["ietf", "rcs51"])
def test_a_body_a_tracer_shortened_is_not_verifiable(flow, mark, profile):
    """x.elided-input"""
    verifier = Verifier(profile)
    verifier.judge(shortened(mark)(flow("pager_mo")).timeline())
    assert [str(each) for each in verifier.findings] == []
    assert ("sip.content-length.exact", "MESSAGE #2") in {(e.rule, e.where.label) for e in verifier.open}


def test_a_body_that_is_short_without_a_mark_is_a_finding(flow):
    for mark in ("and more", "wait... for it"):
        found = own_of_sip(shortened(mark)(flow("pager_mo")))
        assert found == {("sip.content-length.exact", "handset"), ("sip.content-length.exact", "network")}


def test_a_text_may_end_in_dots(flow):
    script = rewritten(flow("pager_mo"), 0, "hello, world", "to be continued...")
    script.everywhere("SIP/2.0/TCP", "SIP/2.0/UDP")
    for index in range(len(script.steps)):
        script.change(index, transport=Transport.UDP)
    verifier = Verifier()
    verifier.judge(script.timeline())
    assert not verifier.assembly.incomplete


def own_of_sip(script):
    found = Verifier().judge(script.timeline())
    return {(each.rule, each.party.value) for each in found if each.rule.startswith("sip.content-length")}
