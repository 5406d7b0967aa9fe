"""Captures judged by all rules, processor time and memory, beside tshark that dissects the same file."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.flow_captures import write_files, write_mixed
from benchmarks.frame import CannotRun, Effort, Row, Target, run

MESSAGES = 10_000
OCTETS = 1_000_000_000
FILE_SIZE = 10_000_000
CHUNKS = (65_536, 2048)
SECONDS = 3.0
SECONDS_OF_FILES = 30.0

# The filter makes tshark dissect every packet to its last field; nothing is printed for each. To print (-V)
# takes it four times as long; without a filter it leaves out most of the work.
_TSHARK = ("tshark", "-q", "-z", "io,stat,0,sip||msrp", "-r")
_JUDGE = (sys.executable, "-m", "benchmarks.verify_capture", "--judge")


@dataclass(frozen=True, slots=True)
class Used:
    """What a process took: processor seconds, megabytes at most; and what it printed."""

    seconds: float
    memory: float
    output: str


def rows(effort: Effort) -> Iterator[Row]:
    """Mixed flows, and files in large and in small chunks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "capture.pcapng")
        messages = write_mixed(path, effort.times(MESSAGES))
        what = f"{messages:,} messages of mixed flows judged by all rules"
        yield from _beside_tshark(path, what, effort, SECONDS * messages / MESSAGES)
        for chunk in CHUNKS:
            write_files(path, effort.times(OCTETS), FILE_SIZE, chunk)
            octets = path.stat().st_size
            what = f"{octets / 1e9:.2g} GB of file transfers judged"
            setting = f"{chunk:,}-octet chunks"
            yield from _beside_tshark(path, what, Effort(1), SECONDS_OF_FILES * octets / OCTETS, setting)


def _beside_tshark(path: Path, what: str, effort: Effort, seconds: float, setting: str = "") -> Iterator[Row]:
    """The best of some runs of ours and of tshark, in turns."""
    both = [(_used((*_JUDGE, str(path))), _tshark(path)) for _ in range(min(effort.rounds, 3))]
    ours = min((own for own, _ in both), key=lambda used: used.seconds)
    said = json.loads(ours.output)
    note = (
        f"{said['reading']:.1f} s of it for reading, {ours.memory:,.0f} MB at most, {said['items']:,} items, "
        f"{said['findings']} findings"
    )
    target = Target(seconds, "ours", at_most=True)
    theirs = min((used for _, used in both if used), key=lambda used: used.seconds, default=None)
    if theirs is None:
        yield Row(what, "s", ours.seconds, target=target, setting=setting, note=f"{note}; no tshark here")
        return
    alternative = f"tshark, {theirs.memory:,.0f} MB"
    ratio = theirs.seconds / ours.seconds
    yield Row(what, "s", ours.seconds, alternative, theirs.seconds, ratio, target, setting, note)


def _tshark(path: Path) -> Used | None:
    return _used((*_TSHARK, str(path))) if shutil.which("tshark") else None


def _used(command: Sequence[str]) -> Used:
    """Run a program to its end. Raises CannotRun."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise CannotRun(f"{' '.join(command)} ended with {process.returncode}")
    return Used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, output)


def judge(path: Path) -> dict[str, float]:
    """Judge a capture as `rcslab verify` does, and say what it took."""
    from harness.evidence.capture import capture_to_timeline
    from harness.verify.engine import Verifier

    begun = time.process_time()
    timeline = capture_to_timeline(path)
    read = time.process_time()
    verifier = Verifier()
    findings = verifier.judge(timeline)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {
        "reading": read - begun,
        "judging": time.process_time() - read,
        "items": verifier.judged,
        "findings": len(findings),
        "memory": memory,
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--judge"]:
        print(json.dumps(judge(Path(sys.argv[2]))))
    else:
        sys.exit(run({"verify_capture": rows}))
