"""JUnit reports have the form that readers know, and count right."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.evidence.capture import capture_to_timeline
from harness.verify import engine
from harness.verify.captures import judge_captures
from harness.verify.catalogue import Kind, load_checks, rule
from harness.verify.engine import Verifier
from harness.verify.finding import Open, Where
from harness.verify.judgement import Judgement
from harness.verify.report.as_junit import to_junit

SEED = Path(__file__).parents[2] / "corpora/seed"
# Of Jenkins' junit-10.xsd: the children and attributes of each element, the required ones in capitals there.
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase", "system-out", "system-err"},
    "properties": {"property"},
    "testcase": {"skipped", "error", "failure", "system-out", "system-err"},
}
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "time", "skipped", "timestamp", "hostname", "id"},
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time", "assertions", "status"},
    "failure": {"message", "type"},
    "skipped": {"message", "type"},
}
COUNTED = {"tests": "testcase", "failures": "testcase/failure", "skipped": "testcase/skipped"}
REQUIRED = {"testsuite": {"name"}, "testcase": {"name"}, "property": {"name", "value"}}


def checked(judgements):
    root = ElementTree.fromstring(to_junit(judgements))
    for element in root.iter():
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set()), element.tag
        assert set(element.keys()) <= ATTRIBUTES.get(element.tag, set()), element.tag
        assert set(element.keys()) >= REQUIRED.get(element.tag, set())
    for suite in root:
        for name, tag in (
            ("tests", "testcase"),
            ("failures", "testcase/failure"),
            ("skipped", "testcase/skipped"),
        ):
            assert int(suite.get(name)) == len(suite.findall(tag)), name
        named = [(case.get("classname"), case.get("name")) for case in suite.iter("testcase")]
        assert len(set(named)) == len(named)
    assert int(root.get("tests")) == len(root.findall("testsuite/testcase"))
    return root


@pytest.mark.parametrize("profile", ["ietf", "rcs51", "up2"])
def test_reports_of_field_traces_keep_to_the_form(profile):
    checked(judge_captures(sorted(SEED.glob("*.pcapng")), profile))


def test_there_is_a_case_for_each_rule_and_party():
    (judgement,) = judge_captures([SEED / "pager.pcapng"], "ietf")
    (suite,) = checked([judgement])
    cases = {(case.get("classname"), case.get("name")) for case in suite.iter("testcase")}
    assert ("handset IMEI 35469106-056673-0, 001011234567890", "pager.no-contact") in cases
    said = (*judgement.findings, *judgement.open)
    assert cases == {(each.whose.name.replace(".", "_"), each.rule) for each in said}


def test_what_cannot_be_decided_is_skipped_with_the_reason():
    verifier = Verifier()
    verifier.judge(capture_to_timeline(SEED / "session.pcapng"))
    verifier.open.append(Open("sip.some.rule", Where(1, 0.0, "sip", "BYE #1"), "the answer is not there"))
    (suite,) = checked([Judgement.of("x", verifier)])
    assert "the answer is not there" in {skipped.get("message") for skipped in suite.iter("skipped")}


def test_a_rule_that_broke_is_skipped(flow, monkeypatch):
    def broken(entry, flow):
        raise RuntimeError("no such thing \x00")

    rule("sip.via.echo", on=Kind.RESPONSE)(broken)
    checks = (*broken.checks, *load_checks())
    monkeypatch.setattr(engine, "load_checks", lambda: checks)
    verifier = Verifier()
    verifier.judge(flow("pager_mt").timeline())
    (suite,) = checked([Judgement.of("x", verifier)])
    (case,) = (case for case in suite.iter("testcase") if case.get("name") == "internal")
    assert case.get("classname") == "lab" and "sip.via.echo broke" in case.find("skipped").get("message")


def test_a_capture_with_nothing_to_judge_is_skipped():
    (suite,) = checked([Judgement.of("empty", Verifier())])
    assert suite.find("testcase/skipped").get("message") == "nothing to judge"


def test_hostile_octets_make_no_other_elements(flow):
    script = flow("pager_mo").line(0, 'Contact: <sip:x>]]></failure><testcase name="y"/>\x00\udcff')
    verifier = Verifier("ietf")
    verifier.judge(script.timeline())
    root = checked([Judgement.of("odd <name>\udcff", verifier)])
    assert "y" not in {case.get("name") for case in root.iter("testcase")}
