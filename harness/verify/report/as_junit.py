"""Findings as JUnit XML, as pipelines read it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree

from harness.verify.finding import Finding, Party, Verdict
from harness.verify.judgement import Judgement
from harness.verify.report.printable import printable


def to_junit(judgements: Sequence[Judgement]) -> str:
    """A suite per capture, a case per violated rule and party; only what fails a run is a failure."""
    root = ElementTree.Element("testsuites")
    for judgement in judgements:
        suite = ElementTree.SubElement(root, "testsuite", name=judgement.name)
        cases = _cases(judgement.findings)
        for (party, rule), findings in cases:
            _junit_case(suite, party, rule, findings)
        if not cases:
            case = ElementTree.SubElement(suite, "testcase", classname="rcslab", name="all rules")
            if judgement.verdict is not Verdict.PASS:
                ElementTree.SubElement(case, "skipped", message="nothing to judge")
        if judgement.notices:
            notices = ElementTree.SubElement(suite, "system-out")
            notices.text = printable("\n".join(judgement.notices))
        suite.set("tests", str(len(cases) or 1))
        suite.set("failures", str(sum(any(item.fails for item in found) for _, found in cases)))
        suite.set("errors", str(sum(party is Party.LAB for (party, _), _ in cases)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _cases(findings: Sequence[Finding]) -> list[tuple[tuple[Party, str], list[Finding]]]:
    def key(finding: Finding) -> tuple[Party, str]:
        return finding.party, finding.rule

    return [(name, list(group)) for name, group in groupby(sorted(findings, key=key), key=key)]


def _junit_case(suite: ElementTree.Element, party: Party, rule: str, findings: list[Finding]) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=party.value, name=rule)
    text = "\n".join(printable(str(finding)) for finding in findings)
    if any(finding.fails for finding in findings):
        failure = ElementTree.SubElement(case, "failure", message=printable(findings[0].message))
        failure.text = text
    elif party is Party.LAB:
        ElementTree.SubElement(case, "error", message=printable(findings[0].message)).text = text
    else:
        ElementTree.SubElement(case, "system-out").text = text
