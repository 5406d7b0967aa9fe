"""A test's evidence folder: what was seen, in files that stand on their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.evidence.capture import write_capture
from harness.evidence.finding import Finding
from harness.evidence.ladder import ladder_svg
from harness.evidence.lanes import Roles
from harness.evidence.timeline import Entry, by_time, write_jsonl


@dataclass(frozen=True, slots=True)
class EvidenceFiles:
    """Where everything was written."""

    folder: Path
    capture: Path
    ladder: Path
    timeline: Path
    findings: Path
    screenshots: tuple[Path, ...]


def write_evidence(
    folder: Path,
    entries: Iterable[Entry],
    findings: Iterable[Finding] = (),
    *,
    roles: Roles,
    screenshots: Mapping[str, bytes] | None = None,
    title: str = "",
) -> EvidenceFiles:
    """Write capture.pcapng, ladder.svg, timeline.jsonl, findings.json and screenshots (name -> PNG octets).

    roles: addresses of each lifeline, as for ladder_svg. The folder is made; files of an earlier run in it
    are replaced. Raises OSError when the folder cannot be written.
    """
    entries, findings = by_time(entries), list(findings)
    folder.mkdir(parents=True, exist_ok=True)
    capture, ladder = folder / "capture.pcapng", folder / "ladder.svg"
    timeline, found = folder / "timeline.jsonl", folder / "findings.json"
    write_capture(capture, entries, findings, title)
    ladder.write_text(ladder_svg(entries, findings, roles=roles, title=title), encoding="utf-8")
    write_jsonl(timeline, entries)
    values = [finding.as_dict() for finding in findings]
    found.write_text(
        json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", errors="backslashreplace"
    )
    pictures = []
    for name, octets in (screenshots or {}).items():
        picture = folder / f"{_file_name(name)}.png"
        picture.write_bytes(octets)
        pictures.append(picture)
    return EvidenceFiles(folder, capture, ladder, timeline, found, tuple(pictures))


def _file_name(name: str) -> str:
    """The name with nothing in it that could leave the folder."""
    return re.sub(r"[^\w-]+", "-", name.removesuffix(".png")).strip("-") or "screenshot"
