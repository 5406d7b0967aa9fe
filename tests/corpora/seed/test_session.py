"""The committed session capture is what its builder makes, and the builder keeps the lengths of the trace."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from harness.evidence.capture import capture_to_timeline
from harness.evidence.timeline import Layer, Packet

HERE = Path(__file__).parent
BUILDER = runpy.run_path(str(HERE / "session.py"))


def packets(layer: Layer) -> list[bytes]:
    return [
        entry.data for entry in BUILDER["timeline"]() if isinstance(entry, Packet) and entry.layer is layer
    ]


def test_the_committed_capture_is_the_builders() -> None:
    assert (HERE / "session.pcapng").read_bytes() == BUILDER["capture"]()


def test_the_capture_reads_back_as_the_trace() -> None:
    assert list(capture_to_timeline(HERE / "session.pcapng")) == list(BUILDER["timeline"]())


def test_sdp_has_the_declared_lengths() -> None:
    assert [len(data.partition(b"\r\n\r\n")[2]) for data in packets(Layer.SIP)] == [332, 0, 380, 0]


def test_msrp_has_the_declared_lengths() -> None:
    declared = []
    for data in packets(Layer.MSRP):
        if ranged := re.search(rb"Byte-Range: 1-(\d+)/(\d+)\r\n", data):
            body = data.partition(b"\r\n\r\n")[2].rpartition(b"\r\n-------")[0]
            assert len(body) == int(ranged[1]) == int(ranged[2])
            declared.append(len(body))
    assert declared == [322, 546, 537, 256]


def test_what_is_inside_cpim_has_the_declared_lengths() -> None:
    inner = [BUILDER["text"](), BUILDER["DELIVERED"], BUILDER["DISPLAYED"]]
    assert [len(text.split("\r\n\r\n", 2)[2]) for text in inner] == [26, 275, 273]
