"""The committed capture is what its builder makes, and the builder keeps the lengths of the trace."""

from __future__ import annotations

import runpy
from pathlib import Path

from harness.evidence.capture import capture_to_timeline
from harness.evidence.timeline import Packet

HERE = Path(__file__).parent
BUILDER = runpy.run_path(str(HERE / "pager.py"))


def test_the_committed_capture_is_the_builders() -> None:
    assert (HERE / "pager.pcapng").read_bytes() == BUILDER["capture"]()


def test_the_capture_reads_back_as_the_trace() -> None:
    assert list(capture_to_timeline(HERE / "pager.pcapng")) == list(BUILDER["timeline"]())


def test_bodies_have_the_declared_lengths() -> None:
    bodies = [
        entry.data.partition(b"\r\n\r\n")[2] for entry in BUILDER["timeline"]() if isinstance(entry, Packet)
    ]
    assert [len(body) for body in bodies] == [322, 0, 490, 0, 495, 0]


def test_what_goes_over_udp_stays_below_1300_octets() -> None:
    sizes = [len(entry.data) for entry in BUILDER["timeline"]() if entry.transport == "UDP"]
    assert max(sizes) < 1300


def test_the_misspelt_header_is_kept() -> None:
    fourth = list(BUILDER["timeline"]())[3].data
    assert b"\r\nContent-Lenfth: 0\r\n" in fourth
    assert b"Content-Length" not in fourth
