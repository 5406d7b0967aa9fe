"""Evidence read by somebody else: tshark opens every capture of a run and finds nothing malformed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
FIELDS = [
    *("-e", "sip.Method", "-e", "sip.Status-Code"),
    *("-e", "_ws.malformed", "-e", "_ws.expert.severity"),
]
ERROR = str(0x800000)  # PI_ERROR
pytestmark = pytest.mark.interop
HEURISTICS = ["-o", "tcp.try_heuristic_first:TRUE", "-o", "udp.try_heuristic_first:TRUE"]


def tshark(capture: Path, *options: str) -> list[str]:
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")
    done = subprocess.run(
        [program, "-r", str(capture), *HEURISTICS, *options],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.splitlines()


def test_tshark_reads_the_evidence_of_a_suite(own_lab):
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    done = own_lab.run("run", HOME / "robot" / "suites" / "pager_mt.robot")
    assert done.returncode == 0, done.stdout + done.stderr
    captures = sorted((own_lab.latest / "evidence").glob("*/capture.pcapng"))
    assert len(captures) == own_lab.summary()["tests"]["pass"]
    methods: set[str] = set()
    for capture in captures:
        rows = [line.split("\t") for line in tshark(capture, "-T", "fields", *FIELDS)]
        assert [row for row in rows if row[2] or ERROR in row[3].split(",")] == [], capture
        assert any(row[0] or row[1] for row in rows), capture
        methods |= {row[0] for row in rows} - {""}
    assert methods >= {"MESSAGE"}
