"""Whatever comes over an MSRP connection, and however it was read, no rule breaks down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cpm.profiles import Profile
from harness.evidence.timeline import Layer, Packet
from harness.verify.engine import Verifier
from harness.verify.finding import INTERNAL
from harness.verify.proof.changes import asking, at, chunked, instead, report
from harness.verify.proof.flows.files import PICTURE, chunks, push
from harness.verify.proof.flows.msrp import chat
from harness.verify.proof.script import Script
from tests.harness.verify.judging import found, rules_of

FLOWS: dict[str, Callable[[], Script]] = {
    "chat": chat,
    "chunked": lambda: instead(*chunked(2048, 2048, 100))(chat()),
    "reported": lambda: at(10, report)(asking(chat())),
    "file": lambda: push(*chunks(PICTURE)),
}
JUNK = [
    "",
    " ",
    ",",
    ";",
    "\r\n",
    "\x00",
    "\u00e9",
    "-------",
    "$",
    "+",
    "#",
    "/",
    "*",
    "0",
    "99999999999999999999",
]


def damage(script: Script, data: st.DataObject) -> Script:
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(script.steps) - 1))
        text = script.steps[index].text or " "
        start, length = data.draw(st.integers(0, len(text) - 1)), data.draw(st.integers(0, 40))
        script.change(index, text=text[:start] + data.draw(st.sampled_from(JUNK)) + text[start + length :])
    for _ in range(data.draw(st.integers(0, 2))):
        script.drop(data.draw(st.integers(0, len(script.steps) - 1)))
    if data.draw(st.booleans()):
        script.change(data.draw(st.integers(0, len(script.steps) - 1)), missing=700)
    return script


@pytest.mark.parametrize("name", FLOWS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_no_rule_breaks_on_a_damaged_flow(name: str, data: st.DataObject) -> None:
    script = damage(FLOWS[name](), data)
    verifier = Verifier(data.draw(st.sampled_from(list(Profile))))
    seen = verifier.judge(script.wait(60).timeline(start=data.draw(st.booleans())))
    assert [each.actual for each in seen if each.rule == INTERNAL] == []


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_stream_cut_anywhere_is_judged_as_a_whole_one(data: st.DataObject) -> None:
    script = FLOWS[data.draw(st.sampled_from(list(FLOWS)))]()
    whole, pieces = Verifier(), Verifier()
    whole.judge(script.timeline())
    cut = []
    for entry in script.timeline():
        if not isinstance(entry, Packet) or entry.layer is not Layer.MSRP or len(entry.data) < 2:
            cut.append((entry, None))
            continue
        places = sorted(data.draw(st.sets(st.integers(1, len(entry.data) - 1), max_size=3)))
        cut += [(entry, entry.data[a:b]) for a, b in zip([0, *places], [*places, None], strict=True)]

    entries = [
        replace(entry, number=number)
        if data_ is None
        else Packet(
            number,
            entry.time,
            entry.layer,
            entry.transport,
            entry.source,
            entry.destination,
            data_,
            entry.connection,
        )
        for number, (entry, data_) in enumerate(cut, 1)
    ]
    pieces.judge(entries)
    assert [(each.rule, each.actual) for each in pieces.findings] == [
        (each.rule, each.actual) for each in whole.findings
    ]
    assert [each.read(9000) for each in pieces.assembly.msrp.messages] == [
        each.read(9000) for each in whole.assembly.msrp.messages
    ]


def test_the_paths_nobody_named_are_told_once_of_a_connection() -> None:
    script = chat()
    script.steps[:5] = []
    verifier = found(script)
    assert [each for each in rules_of(verifier) if each[0] == "msrp.to-path.matches-sdp"] == []
    told = [each for each in verifier.open if each.rule == "msrp.to-path.matches-sdp"]
    assert len(told) == 1
