"""Chunks that go on as those before are not asked everything again, and yet nothing wrong is missed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.flow_captures import SMALL_CHUNK, small_file
from harness.verify import msrp_assembly
from harness.verify.alike import SAME_AS_BEFORE
from harness.verify.catalogue import Kind, load_checks
from harness.verify.engine import Verifier

FIFTH, ITS_RESPONSE = 16, 17


def judged(script):
    verifier = Verifier("rcs51")
    return verifier, verifier.judge(script.timeline())


def test_only_rules_of_msrp_are_named():
    kinds = {Kind.MSRP, Kind.MSRP_REQUEST, Kind.MSRP_RESPONSE}
    assert {check.id for check in load_checks() if check.on in kinds} >= SAME_AS_BEFORE


def test_chunks_in_the_middle_of_a_file_and_their_responses_are_alike():
    verifier, findings = judged(small_file())
    assert findings == []
    entries = [entry for entry in verifier.assembly.msrp.entries if entry.method == "SEND"]
    chunks = [entry for entry in entries if entry.request is not None and entry.body.size == SMALL_CHUNK]
    assert [entry.alike for entry in chunks] == [False] * 3 + [True] * 4 + [False]
    assert [chunk.transaction.responses[0].alike for chunk in chunks] == [chunk.alike for chunk in chunks]


CHANGES = {
    "a gap": lambda script: script.sub(FIFTH, "Byte-Range: 8193-10240", "Byte-Range: 8194-10241"),
    "a wrong end": lambda script: script.sub(FIFTH, "8193-10240", "8193-10241"),
    "another total": lambda script: script.sub(FIFTH, "/16384", "/16385"),
    "no range": lambda script: script.without(FIFTH, "Byte-Range"),
    "a range that is none": lambda script: script.sub(FIFTH, "8193-10240", "8193+10240"),
    "another type": lambda script: script.sub(FIFTH, "image/jpeg", "text/html"),
    "another path": lambda script: script.sub(FIFTH, "To-Path: msrp://", "To-Path: msrp://x"),
    "a header behind the type": lambda script: script.sub(FIFTH, "image/jpeg", "image/jpeg\r\nX-A: b"),
    "a transfer encoding": lambda script: script.sub(
        FIFTH, "Content-Type", "Content-Transfer-Encoding: binary\r\nContent-Type"
    ),
    "another report": lambda script: script.sub(FIFTH, "Content-Type", "Success-Report: yes\r\nContent-Type"),
    "a bad transaction id": lambda script: tid_of(script, FIFTH, "a"),
    "given up": lambda script: script.change(FIFTH, text=script.steps[FIFTH].text[:-3] + "#\r\n"),
    "refused": lambda script: script.sub(ITS_RESPONSE, "200 OK", "413 Stop"),
    "an odd response": lambda script: script.sub(ITS_RESPONSE, "200 OK", "299 Fine"),
    "a response with a type": lambda script: script.sub(
        ITS_RESPONSE, "\r\n---", "\r\nContent-Type: a/b\r\n---"
    ),
    "a response with other paths": lambda script: script.sub(
        ITS_RESPONSE, "From-Path: msrp://", "From-Path: msrp://x"
    ),
    "two responses": lambda script: script.copy(ITS_RESPONSE, ITS_RESPONSE),
    "a response to nothing": lambda script: script.sub(ITS_RESPONSE, "MSRP t", "MSRP q"),
}


def tid_of(script, index, tid):
    old = script.steps[index].text.split(" ")[1]
    return script.everywhere(old, tid, index, index + 1)


QUIET = {"another type", "another path", "refused"}
"""Changes that no rule forbids in one chunk."""


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_wrong_with_one_is_found_all_the_same(name, monkeypatch):
    _, found = judged(CHANGES[name](small_file()).wait(60))
    monkeypatch.setattr(msrp_assembly, "goes_on", lambda entry, message: False)
    _, asked_everything = judged(CHANGES[name](small_file()).wait(60))
    assert [(each.rule, each.where.entry) for each in found] == [
        (each.rule, each.where.entry) for each in asked_everything
    ]
    assert bool(found) is (name not in QUIET)


def test_a_bye_in_the_middle_of_a_file_is_seen():
    script = small_file()
    bye = next(index for index, step in enumerate(script.steps) if step.text.startswith("BYE"))
    moved = [replace(step) for step in script.steps[bye : bye + 2]]
    script.drop(bye, bye + 1)
    script.steps[FIFTH:FIFTH] = moved
    script.change(FIFTH + 2, after=10.0)
    _, findings = judged(script)
    assert "msrp.close-after-bye" in {finding.rule for finding in findings}
