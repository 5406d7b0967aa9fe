"""The committed file transfer is what its builder makes, and the builder keeps the lengths of the trace."""

from __future__ import annotations

import runpy
from pathlib import Path

from harness.evidence.capture import capture_to_timeline
from harness.evidence.timeline import Layer, Packet

HERE = Path(__file__).parent
BUILDER = runpy.run_path(str(HERE / "filetransfer.py"))


def packets(layer: Layer) -> list[bytes]:
    return [
        entry.data for entry in BUILDER["timeline"]() if isinstance(entry, Packet) and entry.layer is layer
    ]


def test_the_committed_capture_is_the_builders() -> None:
    assert (HERE / "filetransfer.pcapng").read_bytes() == BUILDER["capture"]()


def test_the_capture_reads_back_as_the_trace() -> None:
    assert list(capture_to_timeline(HERE / "filetransfer.pcapng")) == list(BUILDER["timeline"]())


def test_bodies_have_the_declared_lengths() -> None:
    sizes = [len(data.partition(b"\r\n\r\n")[2]) for data in packets(Layer.SIP)]
    assert sizes == [911, 0, 0, 514, 0, 0, 0, 568, 0]


def test_what_is_inside_has_the_declared_lengths() -> None:
    assert (len(BUILDER["about_the_file"]()), len(BUILDER["offer"]())) == (246, 550)
    assert len(BUILDER["notification"]().rpartition(b"\r\n\r\n")[2]) == 276


def test_the_first_chunk_has_the_octets_it_declares_and_ends_the_message_as_printed() -> None:
    chunk = packets(Layer.MSRP)[2]
    head, _, rest = chunk.partition(b"\r\n\r\n")
    assert b"\r\nByte-Range: 1-2048/1049274\r\n" in head
    assert len(rest.removesuffix(b"\r\n-------85c85b98$\r\n")) == 2048


def test_what_the_publication_leaves_out_is_a_hole_at_both_ends_of_the_connection() -> None:
    holes = [
        (str(entry.source), entry.missing)
        for entry in capture_to_timeline(HERE / "filetransfer.pcapng")
        if isinstance(entry, Packet) and entry.missing
    ]
    answers, chunks = BUILDER["octets_not_shown"]()[::-1]
    assert holes == [("[2001::1:88fe:fccf:2870:5dee]:8884", answers), ("[2001:0:0:1::2]:16012", chunks)]
