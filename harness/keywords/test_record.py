"""What a test leaves: its findings, its verdict, its evidence folder. Written when the test ends.

The library's listener calls this; keywords read the findings of the running test from it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, count
from pathlib import Path
from typing import Any

from harness.errors import ChildDied, HandsetLost, LabError
from harness.evidence.kept_files import keep_files
from harness.evidence.package import EvidenceFiles, write_evidence
from harness.evidence.timeline import Layer
from harness.lab.bench import Bench
from harness.verify.due import Due
from harness.verify.finding import Finding, Party
from harness.verify.report.as_html import to_html

REPORT = "report.html"
"""The page about a test's findings, in its folder."""
LONGEST_NAME = 200  # octets; file systems take 255


class RunVerdict(StrEnum):
    """The verdict of a test: TTCN-3 words, and infra when the lab broke."""

    PASS = "pass"
    FAIL = "fail"
    INCONC = "inconc"
    INFRA = "infra"


@dataclass
class TestRecord:
    """One test: where it begins on the timeline, what was found in it, what broke the lab."""

    __test__ = False  # not a test class for pytest

    name: str
    bench: Bench
    since: int
    findings: list[Finding] = field(default_factory=list)
    expected_rules: set[str] = field(default_factory=set)
    infra: LabError | None = None
    misused: bool = False
    """A keyword was given what it cannot use, which tells nothing of the handset."""
    screenshots: dict[str, bytes] = field(default_factory=dict)
    evidence: EvidenceFiles | None = None
    verdict: RunVerdict = RunVerdict.INCONC

    @classmethod
    def begin(cls, name: str, bench: Bench) -> TestRecord:
        """Mark the start of a test on the timeline."""
        mark = bench.timeline.event(Layer.LAB, "test-start", name, name=name)
        return cls(name, bench, mark.number - 1)

    def judge(self) -> list[Finding]:
        """Judge what came so far; returns all findings of this test up to now."""
        self.findings = self.bench.judge(self.since)
        return self.findings

    def due(self, owed_by: Party = Party.HANDSET) -> list[Due]:
        """The notifications that messages of this test ask of a side, whatever carries them."""
        return self.bench.due(self.since, owed_by)

    @property
    def failing(self) -> list[Finding]:
        """The findings that fail this test: hard rules the handset broke and the test did not expect."""
        return [
            finding
            for finding in self.findings
            if finding.fails and finding.party is Party.HANDSET and finding.rule not in self.expected_rules
        ]

    def end(self, passed: bool, skipped: bool, folder: Path, *, stopped: bool = False) -> RunVerdict:
        """Judge the rest, settle the verdict and write the evidence into `folder`.

        stopped: somebody ended the run during this test, so nothing can be said about the handset.
        """
        self.judge()
        self.bench.timeline.event(Layer.LAB, "test-end", self.name, name=self.name)
        if not skipped and not stopped and (not passed or self.failing):
            self._look_for_faults()
            self._photograph()
        try:
            self._write(folder)
        except OSError as error:
            remedy = "make room, or set `results:` in lab.yaml"
            self.infra = LabError("evidence", str(folder), "a folder to write to", str(error), remedy)
        self.verdict = self._settle(passed, skipped or stopped)
        return self.verdict

    def _write(self, folder: Path) -> None:
        self.evidence = write_evidence(
            folder,
            self.bench.timeline.since(self.since),
            self.findings,
            roles=self.bench.roles,
            screenshots=self.screenshots,
        )
        if self.findings:
            page = to_html([self.bench.judgement(self.name, self.since)])
            (folder / REPORT).write_text(page, encoding="utf-8")
        keep_files(folder, self.bench.received_files(self.since))

    def _settle(self, passed: bool, undecided: bool) -> RunVerdict:
        if self.infra is not None:
            return RunVerdict.INFRA
        # A keyword that was given what it cannot use tells nothing of the handset.
        if undecided or (self.misused and not self.failing):
            return RunVerdict.INCONC
        return RunVerdict.PASS if passed and not self.failing else RunVerdict.FAIL

    def _look_for_faults(self) -> None:
        """What a handset did not do may be the doing of a part of the lab that is gone.

        A process that died is the cause of what was noticed first, such as a handset that adb has lost.
        """
        try:
            if self.infra is None:
                self.bench.look_closely()
            else:
                self.bench.watch()
        except LabError as error:
            self.infra = error

    def _photograph(self) -> None:
        """A picture of each handset's screen.

        A handset that cannot give one must not hide why the test failed, and one that is gone is not asked.
        """
        if isinstance(self.infra, ChildDied | HandsetLost):
            return
        for name, handset in self.bench.handsets.items():
            try:
                self.screenshots[name] = handset.android.screenshot()
            except LabError as error:
                self.bench.timeline.event(Layer.LAB, "note", f"no screenshot of {name}: {error}")

    def as_dict(self) -> dict[str, Any]:
        """JSON values for summary.json."""
        return {
            "test": self.name,
            "verdict": self.verdict.value,
            "infra": str(self.infra) if self.infra else None,
            "findings": [finding.as_dict() for finding in self.findings],
        }


def folder_name(test: str, taken: Container[str] = ()) -> str:
    """A test's name as a folder name that is not taken: letters and digits of any script, dots and dashes."""
    return next(free for free in _folder_names(test) if free not in taken)


def claim_folder(parent: Path, test: str) -> Path:
    """The folder of a test, made at once: benches that write into the same parent never share one.

    Where none can be made, writing the evidence says so.
    """
    for name in _folder_names(test):
        try:
            (parent / name).mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError:
            pass
        return parent / name
    raise AssertionError("names do not end")


def _folder_names(test: str) -> Iterator[str]:
    readable = re.sub(r"[^\w.]+", "-", test).strip("-")
    name = readable.encode()[:LONGEST_NAME].decode(errors="ignore") or "test"
    return chain([name], (f"{name}-{number}" for number in count(2)))
