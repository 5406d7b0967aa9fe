"""The timeline: numbered in order, heard by listeners, written as JSON lines."""

from __future__ import annotations

import gc
import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.timeline import (
    LOST,
    OCTETS_LOST,
    Address,
    Entry,
    Event,
    Layer,
    Packet,
    Timeline,
    Transport,
    write_jsonl,
)

A, B = Address("192.0.2.1", 1), Address("2001:db8::2", 2)


def test_entries_are_numbered_from_one_and_since_is_exclusive() -> None:
    timeline = Timeline(clock=lambda: 5.0)
    first = timeline.event(Layer.LAB, "note", "one")
    second = timeline.packet(Layer.SIP, Transport.UDP, A, B, b"x", at=7.0)
    assert [first.number, second] == [1, 2]
    assert [entry.time for entry in timeline] == [5.0, 7.0]
    assert timeline.since(1) == [Packet(2, 7.0, Layer.SIP, Transport.UDP, A, B, b"x")]


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


def numbered(number: int) -> bytes:
    """Octets that only this number has, of changing length."""
    return b"%d " % number * (1 + number % 97)


def fill(timeline: Timeline, count: int, first: int = 1) -> None:
    for number in range(first, first + count):
        timeline.packet(Layer.MSRP, Transport.TCP, A, B, numbered(number), connection=number % 7)


def octets_of(entry: Entry) -> bytes:
    assert isinstance(entry, Packet)
    return entry.data


def test_octets_beyond_what_memory_may_hold_are_read_back(tmp_path: Path) -> None:
    timeline = Timeline(memory=20_000, folder=tmp_path)
    fill(timeline, 3000)
    assert list(tmp_path.iterdir()) == [], "the file has a name"
    assert [octets_of(entry) for entry in timeline] == [numbered(number) for number in range(1, 3001)]
    assert octets_of(timeline.since(0)[1499]) == numbered(1500)
    assert [octets_of(entry) for entry in timeline.since(2995)[1:3]] == [numbered(2997), numbered(2998)]
    assert timeline.lost == 0


PRELUDE = """
import os, resource, signal, sys
from pathlib import Path
from harness.evidence.timeline import *
WAY = Layer.MSRP, Transport.TCP, Address("::1", 1), Address("::1", 2)
"""


def alone(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own."""
    command = [sys.executable, "-u", "-c", PRELUDE + script, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@given(
    pieces=st.lists(st.tuples(st.integers(0, 900), st.booleans()), max_size=40),
    memory=st.sampled_from([0, 1000, 5000, 100_000]),
)
def test_pieces_of_every_size_are_read_back(pieces: list[tuple[int, bool]], memory: int) -> None:
    timeline = Timeline(memory=memory)
    given_ = [bytes([number]) * size for number, (size, _) in enumerate(pieces)]
    for data, (_, mutable) in zip(given_, pieces, strict=True):
        timeline.packet(Layer.MSRP, Transport.TCP, A, B, bytearray(data) if mutable else data)
        assert octets_of(timeline.since(0)[-1]) == data
    assert [octets_of(entry) for entry in timeline] == given_
    assert [octets_of(entry) for entry in reversed(timeline.since(0))] == given_[::-1]


def test_a_large_timeline_needs_little_memory() -> None:
    done = alone("""
def most(): return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
timeline, data = Timeline(), bytes(65536)
before = most()
for _ in range(4000): timeline.packet(*WAY, data)
assert sum(len(entry.data) for entry in timeline) == 4000 * 65536
print(most() - before)
""")
    assert int(done.stdout) < 40, f"mebibytes for 250: {done.stderr}"


def test_packets_are_made_when_asked_for_and_stay_as_they_are() -> None:
    timeline = Timeline(memory=4096)
    data = bytearray(b"before")
    timeline.packet(Layer.SIP, Transport.UDP, A, B, data)
    data[:] = b"after "
    (packet,) = timeline
    fill(timeline, 1000)
    assert octets_of(packet) == b"before"
    assert packet == timeline.since(0)[0]
    assert packet != timeline.since(1)[0]
    assert replace(packet, number=9) == Packet(9, packet.time, Layer.SIP, Transport.UDP, A, B, b"before")
    with pytest.raises(AttributeError):
        packet.note = "other"


def test_a_stretch_of_the_timeline_is_a_sequence_that_does_not_grow() -> None:
    timeline = Timeline()
    timeline.event(Layer.LAB, "one")
    stretch = timeline.since(0)
    timeline.event(Layer.LAB, "two")
    assert len(stretch) == 1
    assert not timeline.since(2)
    assert not timeline.since(7)
    assert [entry.number for entry in timeline.since(0)[::-1]] == [2, 1]
    assert timeline.since(0)[-1].number == 2
    with pytest.raises(IndexError):
        timeline.since(2)[0]


def test_a_collection_of_garbage_has_nothing_to_look_at_in_a_packet() -> None:
    timeline = Timeline()
    fill(timeline, 10)
    before = len(gc.get_objects())
    fill(timeline, 5000, first=11)
    assert len(gc.get_objects()) - before < 50


def test_threads_append_at_once() -> None:
    timeline = Timeline(memory=10_000)
    threads = [threading.Thread(target=fill, args=(timeline, 500, 1 + 500 * at)) for at in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for entry in timeline.since(max(0, len(timeline) - 50)):
            assert octets_of(entry)
    for thread in threads:
        thread.join()
    assert [entry.number for entry in timeline] == list(range(1, 2001))
    seen = sorted(octets_of(entry) for entry in timeline)
    assert seen == sorted(numbered(number) for number in range(1, 2001))


def test_a_listener_may_append() -> None:
    timeline = Timeline()

    def answer(entry: Entry) -> None:
        if isinstance(entry, Packet):
            timeline.event(Layer.LAB, "heard", number=entry.number)

    timeline.listen(answer)
    timeline.packet(Layer.SIP, Transport.UDP, A, B, b"x")
    assert [entry.number for entry in timeline] == [1, 2]


def test_a_file_that_cannot_be_made_loses_octets_and_says_how_many(tmp_path: Path) -> None:
    timeline = Timeline(memory=50_000, folder=tmp_path / "gone")
    fill(timeline, 3000)
    told = [entry for entry in timeline if isinstance(entry, Event)]
    assert [event.name for event in told] == [OCTETS_LOST] * len(told)
    assert "No such file" in told[0].text
    assert 2 <= len(told) < 10
    packets = [entry for entry in timeline if isinstance(entry, Packet)]
    assert timeline.lost == sum(packet.missing for packet in packets) > 100_000
    for number, packet in enumerate(packets, 1):
        if packet.missing:
            assert (packet.data, packet.missing, packet.note) == (b"", len(numbered(number)), LOST)
        else:
            assert packet.data == numbered(number)


def test_a_full_disk_loses_what_does_not_fit_and_nothing_else(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: it fails the same call, in the middle of a file."""
    script = """
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
timeline = Timeline(memory=100_000, folder=Path(sys.argv[1]))
for number in range(2000): timeline.packet(*WAY, b"%04d" % number * 250)
packets = [entry for entry in timeline if isinstance(entry, Packet)]
assert len(packets) == 2000
for number, packet in enumerate(packets):
    assert packet.data == (b"" if packet.missing else b"%04d" % number * 250)
assert timeline.lost == sum(packet.missing for packet in packets)
print(timeline.lost, [entry.text for entry in timeline if isinstance(entry, Event)][0])
"""
    done = alone(script, str(tmp_path))
    assert done.returncode == 0, done.stderr
    lost, _, text = done.stdout.partition(" ")
    assert 850_000 < int(lost) < 1_000_000
    assert "File too large" in text


def test_nothing_is_left_behind_by_a_process_that_is_killed(tmp_path: Path) -> None:
    script = """
timeline = Timeline(memory=10_000, folder=Path(sys.argv[1]))
for _ in range(100): timeline.packet(*WAY, bytes(1000))
links = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")[:-1]]
print(sum(sys.argv[1] in link for link in links))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = alone(script, str(tmp_path))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert int(done.stdout) == 1, "there is no file to leave behind"
    assert list(tmp_path.iterdir()) == []
