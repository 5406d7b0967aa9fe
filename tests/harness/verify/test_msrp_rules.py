"""MSRP rules: what they point at, and what is nobody's fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.evidence.capture import capture_to_timeline, write_capture
from harness.evidence.timeline import Entry, Event, Layer
from harness.verify.engine import Verifier
from harness.verify.proof.changes import (
    TEXT,
    chunk,
    chunked,
    instead,
    sub,
    text_of,
)
from harness.verify.proof.flows.msrp import (
    answered,
    chat,
    closed,
    content,
)
from harness.verify.proof.messages import answer, in_dialog, sdp
from harness.verify.proof.script import Script, Step
from tests.harness.verify.judging import found, rules_of


def test_of_whom_is_the_octet_told():
    (finding,) = found(sub(TEXT, "1-319/319", "1-*/400")(chat())).findings
    assert (finding.where.label, finding.where.layer, finding.where.source) == (
        "SEND #10",
        "msrp",
        "10.0.0.5:50001",
    )
    (finding,) = found(sub(TEXT, "1-319/319", "1-319")(chat())).findings
    assert finding.where.octet == chat().steps[TEXT].text.index("Byte-Range")


def cut(handset: bool) -> Script:
    half = content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200))
    script = instead(Step(True, half.text[:-30], msrp=1))(chat())
    return script.drop(len(script.steps) - 1).insert(len(script.steps), closed(handset, "closed: reset"))


def test_a_message_cut_by_its_receiver_is_nobodys_fault():
    assert rules_of(found(cut(handset=True))) == [("msrp.message.whole", "handset")]
    verifier = found(cut(handset=False))
    assert rules_of(verifier) == [] and "msrp.message.whole" in {each.rule for each in verifier.open}


@pytest.mark.parametrize("handset", [True, False])
def test_a_capture_says_of_a_cut_message_what_the_live_lab_says(handset, tmp_path):
    live = found(cut(handset))
    write_capture(tmp_path / "cut.pcapng", cut(handset).timeline())
    offline = Verifier()
    offline.judge(capture_to_timeline(tmp_path / "cut.pcapng"))
    assert rules_of(offline) == rules_of(live)
    whole = [each.rule for each in offline.open if each.rule == "msrp.message.whole"]
    assert len(whole) == (not handset)


def with_the_cell_off(script: Script, before: Callable[[Entry], bool]) -> Verifier:
    """The script with a cell switched off before the first entry that is meant."""
    entries = list(script.timeline())
    place = next(entry.number for entry in entries if before(entry))
    off = Event(place, entries[place - 1].time, Layer.VISA, "cell", "off", {})
    moved = [replace(entry, number=entry.number + 1) if entry.number >= place else entry for entry in entries]
    verifier = Verifier()
    verifier.judge([*moved[: place - 1], off, *moved[place - 1 :]])
    return verifier


def test_a_message_cut_while_the_lab_switched_the_radio_is_nobodys_fault():
    verifier = with_the_cell_off(cut(handset=True), lambda each: getattr(each, "text", "")[:6] == "closed")
    assert rules_of(verifier) == [] and "msrp.message.whole" in {each.rule for each in verifier.open}


def test_a_response_that_did_not_come_while_the_lab_switched_the_radio_is_nobodys_fault():
    script = chat().drop(15, *range(16, 23)).wait(20).wait(11)
    assert ("msrp.response.required", "handset") in rules_of(found(script))
    verifier = with_the_cell_off(script, lambda each: each.number == len(script.steps))
    assert "msrp.response.required" not in dict(rules_of(verifier))
    assert "msrp.response.required" in {each.rule for each in verifier.open}


@pytest.mark.parametrize(("other", "severity"), [("", "INFO"), ("other", "MUST")])
def test_several_chunks_that_come_again(other, severity):
    whole = text_of(2248)
    begun = other + whole[len(other) : 2048]
    again = answered(
        chunk(2, 1, 2048, "2248", "+", body=begun), chunk(3, 2049, 200, "2248", "$", body=whole[2048:])
    )
    verifier = found(instead(*chunked(2048, 200), *again)(chat()))
    told = [each for each in verifier.findings if each.rule == "msrp.message-id.same-over-chunks"]
    assert [each.severity for each in told] == [severity]


def test_a_path_is_over_soon_after_another_was_agreed_on():
    update = in_dialog("UPDATE", 2, "upd", "Content-Type: application/sdp")
    reply = answer(update, "200 OK", "", ("Content-Type: application/sdp",))
    for after, expected in ((0.1, []), (3.0, [("msrp.to-path.matches-sdp", "handset")])):
        script = chat().drop(*range(10, 22))
        script.steps[8:8] = [update, reply]
        script.body(8, sdp("10.0.0.5", "active", 9, "k3Jx8Qw2Zr7Lt5Yv9Bn2").replace("1 1 IN", "1 2 IN"))
        script.body(9, sdp("10.0.0.1", "passive", 20000, "p4Mz6Hs8Dc2Vf0Gk7Ja4").replace("1 1 IN", "1 2 IN"))
        script.change(10, after=after)
        assert [each for each in rules_of(found(script)) if each[0].startswith("msrp.")] == expected


def test_content_against_the_direction():
    verifier = found(chat().sub(3, "a=sendrecv", "a=sendonly"))
    against = [(each.rule, each.where.label) for each in verifier.findings if each.rule == "msrp.direction"]
    assert against == [("msrp.direction", "SEND #10")]  # notifications may go either way (RFC 4975 8.9)


def test_what_a_capture_has_lost_is_never_a_fail():
    for index in range(6, 20):
        script = chat().drop(index)
        script.start = False
        script.steps = [step for step in script.steps if not step.event]
        if index + 1 < len(script.steps) and script.steps[index].msrp:
            script.change(index, missing=900)
        verifier = found(script)
        assert [str(each) for each in verifier.findings if each.severity != "INFO"] == []


def test_a_response_that_never_came_before_the_connection_ended_is_nobodys_fault():
    script = chat().drop(9)
    assert rules_of(found(script.wait(40))) == []
