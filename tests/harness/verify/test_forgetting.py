"""What is over is forgotten: memory is that of what is open. Ids that must not come again stay known."""

from __future__ import annotations

import gc
import tracemalloc
from itertools import islice

import pytest

from benchmarks.flow_captures import fresh, write_files, write_mixed
from harness.evidence.capture_reader import read_capture
from harness.verify import assembly
from harness.verify.engine import Verifier
from harness.verify.proof.flows import FLOWS
from harness.verify.proof.script import START

LONG_AFTER = 7200.0
GROWTH = 2500
"""Octets that may stay of a message: ids that must not come again, groups, what a report says of its flow.
Without forgetting it is 9,000."""


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Looks for what is over after every message."""
    monkeypatch.setattr(assembly, "_SWEPT", 0)
    monkeypatch.setattr(assembly, "_SWEPT_SHARE", 0.0)


def judged(script, *, forgets=True):
    verifier = Verifier("rcs51", forgets=forgets)
    verifier.judge(script.timeline())
    return verifier


def twice(name, change=lambda script: script, pause=LONG_AFTER):
    """A flow, and long after it the same with other ids."""
    first, again = FLOWS[name](), change(fresh(FLOWS[name](), "again"))
    again.change(0, after=pause)
    first.steps += again.steps
    return first


def test_memory_is_that_of_what_is_open(tmp_path, monkeypatch):
    monkeypatch.setattr(assembly, "_SWEPT", 100)
    path = tmp_path / "capture.pcapng"
    messages = write_mixed(path, 900, pause=100.0, handsets=3)
    entries = read_capture(path)
    verifier, held = Verifier("rcs51", forgets=True), []
    tracemalloc.start()
    for part in (islice(entries, messages // 2), entries):
        verifier.judge(part)
        gc.collect()
        held.append((tracemalloc.get_traced_memory()[0], verifier.judged))
    tracemalloc.stop()
    (before, half), (after, whole) = held
    assert whole >= messages
    assert (after - before) / (whole - half) < GROWTH
    assert len(verifier.assembly.transactions) < 100


def test_a_verifier_that_does_not_forget_holds_everything():
    verifier = judged(twice("pager_mo"), forgets=False)
    assert len(verifier.assembly.transactions) == 6


@pytest.mark.parametrize("name", ["pager_mo", "chat", "session_ended_by_network", "cancelled_mt", "push_mo"])
def test_calls_that_are_over_are_let_go(name):
    verifier = judged(twice(name))
    assembled = verifier.assembly
    assert len(assembled.remembered) > 0
    assert all(entry.time > START + LONG_AFTER for entry in (*assembled.messages, *assembled.msrp.entries))
    assert all(transaction.request in assembled.messages for transaction in assembled.transactions)
    assert all(dialog.creation in assembled.transactions for dialog in assembled.dialogs)
    assert all(session.invite in assembled.messages for session in assembled.negotiations.sessions)
    assert all(item.time > START + LONG_AFTER for item in assembled.cpim_items())


def test_a_session_that_goes_on_is_kept():
    script = FLOWS["session_mo"]()
    bye, answer = script.steps[-2:]
    script.steps[-2:] = []
    for _ in range(60):
        script.wait(10.0)
    script.steps += [bye, answer]
    verifier = judged(script)
    assert [dialog.byes[0].method for dialog in verifier.assembly.dialogs] == ["BYE"]
    assert "sip.from.tag" not in {finding.rule for finding in verifier.findings}


def test_a_message_that_is_not_displayed_yet_is_kept():
    script = FLOWS["pager_mo"]()
    displayed = script.steps[4:]
    script.steps[4:] = []
    for _ in range(60):
        script.wait(10.0)
    script.steps += displayed
    verifier = judged(script)
    assert {finding.rule for finding in verifier.findings} <= {"cpim.datetime.plausible"}
    assert [each.rule for each in verifier.open] == []


def test_ids_that_must_not_come_again_are_known_long_after():
    def same_branch(script):
        return script.everywhere(fresh_branch(script), fresh_branch(FLOWS["pager_mo"]()))

    verifier = judged(twice("pager_mo", same_branch))
    assert "sip.via.branch-unique" in {finding.rule for finding in verifier.findings}


def test_a_call_id_is_known_long_after():
    def same_call(script):
        return script.everywhere(call_id(script), call_id(FLOWS["pager_mo"]()), 0, 1)

    verifier = judged(twice("pager_mo", same_call))
    assert "sip.callid.unique" in {finding.rule for finding in verifier.findings}


def test_other_content_under_an_old_message_id_is_reported():
    def same_id(script):
        own, old = (message_id(each) for each in (script, FLOWS["pager_mo"]()))
        return script.everywhere(own, old, 0).sub(0, "hello, world", "hello, moon!")

    verifier = judged(twice("pager_mo", same_id))
    assert "imdn.message-id.unique" in {finding.rule for finding in verifier.findings}


def test_a_request_in_a_dialog_long_over_is_not_one_outside_dialogs():
    late = FLOWS["session_mo"]().steps[-2:]
    script = twice("session_mo")
    script.steps += late
    verifier = judged(script)
    assert "sip.from.tag" not in {finding.rule for finding in verifier.findings}


def fresh_branch(script):
    return script.steps[0].text.partition("branch=")[2].partition(";")[0]


def call_id(script):
    return script.steps[0].text.partition("Call-ID: ")[2].partition("\r\n")[0]


def message_id(script):
    return script.steps[0].text.partition("imdn.Message-ID: ")[2].partition("\r\n")[0]


def test_what_was_let_go_unread_may_have_been_the_message_an_id_is_of():
    """Without it the id of no message is a finding (RFC 5438 7.1.2)."""

    def about_nobody(script):
        at = "<datetime>2023-11-14T22:13:20Z"
        told = [index for index, step in enumerate(script.steps) if at in step.text]
        script.everywhere(at, "<datetime>2023-11-15T22:13:20Z", *told)
        return script.everywhere(
            f"<message-id>{script_id(script)}", "<message-id>Nowhere1B2cD3eF4gH5i", *told
        )

    def script_id(script):
        return script.steps[2].text.partition("<message-id>")[2].partition("<")[0]

    def ids_told(script):
        return {each.rule for each in judged(script).findings} & {"imdn.xml.message-id"}

    assert ids_told(twice("pager_mt", about_nobody)) == {"imdn.xml.message-id"}
    unread = twice("pager_mt", about_nobody)
    unread.steps[:6] = [*unread.body(0, "no headers at all").steps[:2]]
    assert ids_told(unread) == set()


def test_of_a_file_that_was_judged_the_beginning_stays(tmp_path):
    path = tmp_path / "capture.pcapng"
    write_files(path, 8_000_000, 4_000_000, 65_536)
    verifier = Verifier("rcs51", forgets=True)
    assert verifier.judge(read_capture(path)) == []
    held = [sum(map(len, entry.body)) for entry in verifier.assembly.msrp.entries]
    sizes = [entry.body.size for entry in verifier.assembly.msrp.entries]
    assert sum(sizes) == 8_000_000
    assert sum(held) < 2 * 1_200_000
