"""The evidence folder of a test."""

from __future__ import annotations

import json
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
