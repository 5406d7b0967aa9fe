"""The timeline: numbered in order, heard by listeners, written as JSON lines."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from harness.evidence.timeline import Address, Entry, Layer, Timeline, Transport, write_jsonl

A, B = Address("192.0.2.1", 1), Address("2001:db8::2", 2)


def test_entries_are_numbered_from_one_and_since_is_exclusive() -> None:
    timeline = Timeline(clock=lambda: 5.0)
    first = timeline.event(Layer.LAB, "note", "one")
    second = timeline.packet(Layer.SIP, Transport.UDP, A, B, b"x", at=7.0)
    assert [first.number, second.number] == [1, 2]
    assert (first.time, second.time) == (5.0, 7.0)
    assert timeline.since(1) == [second]


def test_the_clock_tells_unix_time_and_does_not_step_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    timeline = Timeline()
    before = timeline.now()
    assert abs(before - time.time()) < 60
    monkeypatch.setattr(time, "time", lambda: before - 3600)
    assert before <= timeline.now() < before + 60


def test_a_field_may_be_called_name() -> None:
    event = Timeline().event(Layer.LAB, "test-start", "Send", name="Send A Text")
    assert (event.name, event.fields) == ("test-start", {"name": "Send A Text"})


def test_listeners_hear_new_entries_until_they_stop() -> None:
    timeline, heard = Timeline(), list[Entry]()
    stop = timeline.listen(heard.append)
    entry = timeline.event(Layer.LAB, "one")
    stop()
    timeline.event(Layer.LAB, "two")
    assert heard == [entry]


def test_jsonl_has_text_where_octets_are_text_and_base64_elsewhere(tmp_path: Path) -> None:
    timeline = Timeline()
    timeline.packet(Layer.SIP, Transport.TCP, A, B, "é".encode(), connection=3, note="n", at=1.5)
    timeline.packet(Layer.SIP, Transport.UDP, A, B, b"\xff", missing=4, at=2.0)
    timeline.event(Layer.ADB, "shell", "\ud800", output=b"odd", at=3.0)
    write_jsonl(tmp_path / "t.jsonl", timeline)
    one, two, three = map(json.loads, (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines())
    assert (one["data"], one["destination"], one["connection"], one["note"]) == (
        "é",
        "[2001:db8::2]:2",
        3,
        "n",
    )
    assert (two["base64"], two["missing"]) == ("/w==", 4)
    assert (three["text"], three["fields"]) == ("\ud800", {"output": "b'odd'"})
