"""The evidence folder of a test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from harness.evidence.capture import capture_to_timeline
from harness.evidence.package import write_evidence

PAGER = Path(__file__).parents[2] / "corpora/seed/pager.pcapng"


def test_every_file_is_written_and_the_capture_reads_back(tmp_path: Path, finding: Callable) -> None:  # type: ignore[type-arg]
    entries = list(capture_to_timeline(PAGER))
    files = write_evidence(
        tmp_path / "a" / "test",
        entries,
        [finding("pager.no-contact", 1)],
        roles={"handset": ["2001::1:88fe:fccf:2870:5dee"]},
        screenshots={"dut": b"\x89PNG", "../../outside.png": b"\x89PNG"},
        title="Send A Text",
    )
    assert list(capture_to_timeline(files.capture)) == entries
    assert "Send A Text" in files.ladder.read_text(encoding="utf-8")
    assert len(files.timeline.read_text(encoding="utf-8").splitlines()) == len(entries)
    assert json.loads(files.findings.read_text(encoding="utf-8"))[0]["rule"] == "pager.no-contact"
    assert [path.name for path in files.screenshots] == ["dut.png", "outside.png"]
    assert {path.parent for path in files.screenshots} == {tmp_path / "a" / "test"}


def test_writing_twice_replaces(tmp_path: Path) -> None:
    for _ in range(2):
        files = write_evidence(tmp_path, [], [], roles={})
    assert list(capture_to_timeline(files.capture)) == []


def test_a_large_transfer_is_written_without_being_held(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from harness.evidence.package import write_evidence
from harness.evidence.timeline import *
def most(): return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
timeline, body = Timeline(), b"text " * 13000
before = most()
for number in range(1200):
    head = b"MSRP %08d SEND\\r\\nTo-Path: msrp://a.example:7394/2s93i9;tcp\\r\\n\\r\\n" % number
    chunk = head + body + b"\\r\\n-------%08d+\\r\\n" % number
    for part in (chunk[:40_000], chunk[40_000:]):
        timeline.packet(Layer.MSRP, Transport.TCP, Address("::1", 1), Address("::1", 2), part, connection=1)
files = write_evidence(Path(sys.argv[1]), timeline, roles={})
print(most() - before, files.capture.stat().st_size, files.timeline.stat().st_size)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    memory, capture, timeline = map(int, done.stdout.split())
    assert min(capture, timeline) > 78_000_000
    assert memory < 45, "mebibytes"
