"""The verdict of a test: whose finding fails it, and what is the lab's fault rather than the handset's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.cpm.profiles import Profile
from harness.errors import ChildDied, HandsetLost, InstrumentLost, LabError
from harness.evidence.timeline import Layer, Timeline
from harness.keywords.test_record import RunVerdict, TestRecord
from harness.verify.finding import Finding, Party, Severity, Where
from harness.verify.judgement import Judgement

LOST = HandsetLost("handset", "here", "an answer", "silence", "replug it")


def finding(rule: str = "pager.no-contact", *, party: Party = Party.HANDSET, fails: bool = True) -> Finding:
    where = Where(1, 0.0, "sip", "MESSAGE #1")
    return Finding(rule, Severity.MUST, "T", party, "", where, "one", "another", "RFC 3428 4", fails)


@dataclass
class Lab:
    """A bench that finds what it is told to find, and is as broken as it is told to be."""

    found: list[Finding] = field(default_factory=list)
    broken: LabError | None = None
    asked_since: list[int] = field(default_factory=list)
    timeline: Timeline = field(default_factory=Timeline)
    roles: dict[str, list[str]] = field(default_factory=dict)
    handsets: dict[str, Any] = field(default_factory=dict)
    died: LabError | None = None
    looked: int = 0
    files: list[Any] = field(default_factory=list)

    def received_files(self, since: int) -> list[Any]:
        return self.files

    def judge(self, since: int) -> list[Finding]:
        self.asked_since.append(since)
        return list(self.found)

    def judgement(self, name: str, since: int) -> Judgement:
        assert since == self.asked_since[-1]
        return Judgement(name, Profile.RCS51, tuple(self.found), (), 1)

    def watch(self) -> None:
        if self.died is not None:
            raise self.died

    def look_closely(self) -> None:
        self.looked += 1
        if self.broken is not None:
            raise self.broken


class Photo:
    """A file of a handset."""

    name = "../photo.jpg"

    def pieces(self) -> list[bytes]:
        return [b"pho", b"to"]

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name}


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def record(lab: Lab) -> TestRecord:
    lab.timeline.event(Layer.LAB, "note", "of the test before")
    return TestRecord.begin("Suite.Test", lab)  # type: ignore[arg-type]


def test_a_page_about_the_findings_is_with_the_evidence_where_there_are_any(lab, record, tmp_path):
    record.end(True, False, tmp_path / "clean")
    lab.found = [finding()]
    record.end(True, False, tmp_path / "found")
    assert not (tmp_path / "clean" / "report.html").exists()
    assert "Suite.Test" in (tmp_path / "found" / "report.html").read_text("utf-8")


def test_a_rule_that_fails_broken_by_the_handset_fails_the_test(lab, record, tmp_path):
    lab.found = [finding()]
    assert record.end(True, False, tmp_path / "t") is RunVerdict.FAIL
    assert [each.rule for each in record.failing] == ["pager.no-contact"]


@pytest.mark.parametrize(
    "harmless",
    [
        finding(fails=False),
        finding(party=Party.NETWORK),
        finding(party=Party.UNKNOWN),
    ],
    ids=["of a softer rule", "of the network", "of nobody known"],
)
def test_any_other_finding_is_shown_and_fails_nothing(lab, record, tmp_path, harmless):
    lab.found = [harmless]
    assert record.end(True, False, tmp_path / "t") is RunVerdict.PASS
    assert record.as_dict()["findings"] == [harmless.as_dict()]


def test_only_the_rule_a_test_expects_is_forgiven(lab, record, tmp_path):
    record.expected_rules.add("pager.no-contact")
    lab.found = [finding(), finding("sip.from.tag")]
    assert record.end(True, False, tmp_path / "t") is RunVerdict.FAIL
    assert [each.rule for each in record.failing] == ["sip.from.tag"]
    record.expected_rules.add("sip.from.tag")
    assert record.end(True, False, tmp_path / "t") is RunVerdict.PASS


def test_what_came_after_the_last_keyword_is_judged_too(lab, record, tmp_path):
    assert record.judge() == []
    lab.found = [finding()]
    assert record.end(True, False, tmp_path / "t") is RunVerdict.FAIL


def test_a_test_is_judged_from_its_own_start(lab, record, tmp_path):
    record.end(True, False, tmp_path / "t")
    assert lab.asked_since == [1]


def test_a_keyword_that_failed_fails_the_test(record, tmp_path):
    assert record.end(False, False, tmp_path / "t") is RunVerdict.FAIL


def test_a_failure_in_a_broken_lab_is_infra(lab, record, tmp_path):
    lab.broken = InstrumentLost("instrument", "there", "a reply", "silence", "switch it on")
    assert record.end(False, False, tmp_path / "t") is RunVerdict.INFRA
    assert record.infra is lab.broken


def test_a_finding_in_a_broken_lab_is_infra(lab, record, tmp_path):
    lab.found, lab.broken = [finding()], LOST
    assert record.end(True, False, tmp_path / "t") is RunVerdict.INFRA


def test_a_lab_error_a_keyword_met_is_infra_and_not_looked_for_again(lab, record, tmp_path):
    record.infra = LOST
    assert record.end(False, False, tmp_path / "t") is RunVerdict.INFRA
    assert lab.looked == 0


def test_a_process_that_died_is_the_cause_of_what_was_noticed_first(lab, record, tmp_path):
    record.infra = LOST
    lab.died = ChildDied("simulated handset dut", "pid 7", "a process that runs", "signal 9", "see its log")
    assert record.end(False, False, tmp_path / "t") is RunVerdict.INFRA
    assert record.infra is lab.died and lab.looked == 0


def test_a_test_that_passed_is_not_looked_at_closely(lab, record, tmp_path):
    assert record.end(True, False, tmp_path / "t") is RunVerdict.PASS
    assert lab.looked == 0


def test_a_skipped_or_stopped_test_says_nothing(lab, record, tmp_path):
    lab.found = [finding()]
    assert record.end(False, True, tmp_path / "t") is RunVerdict.INCONC
    assert record.end(False, False, tmp_path / "t", stopped=True) is RunVerdict.INCONC


def test_evidence_that_cannot_be_written_is_infra(record, tmp_path):
    (tmp_path / "t").write_text("in the way")
    assert record.end(True, False, tmp_path / "t") is RunVerdict.INFRA
    assert "make room" in str(record.infra)


def test_files_of_the_handset_are_kept_with_the_evidence(lab, record, tmp_path):
    lab.files = [Photo()]
    assert record.end(True, False, tmp_path / "t") is RunVerdict.PASS
    assert (tmp_path / "t" / "files" / "_._photo.jpg").read_bytes() == b"photo"
    assert (tmp_path / "t" / "files.json").exists()
