"""Findings as JUnit XML, as pipelines read it (the form of Jenkins' xUnit plugin)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree

from harness.verify.finding import INTERNAL, Finding, Open, Party, Verdict
from harness.verify.judgement import Judgement
from harness.verify.report.beside import NOTHING_BESIDE, Beside
from harness.verify.report.printable import printable


@dataclass(slots=True)
class _Case:
    """A rule and who it is about."""

    whose: str
    rule: str
    findings: list[Finding] = field(default_factory=list)
    undecided: list[Open] = field(default_factory=list)

    @property
    def fails(self) -> bool:
        return any(finding.fails for finding in self.findings)

    @property
    def skipped(self) -> str:
        """Why nothing is said, "" when something is: a rule that broke, or one that could not be decided."""
        if self.rule == INTERNAL:
            return self.findings[0].message
        return "" if self.findings else self.undecided[0].why


def to_junit(judgements: Sequence[Judgement], *, beside: Beside = NOTHING_BESIDE) -> str:
    """A suite per capture, a case per rule and party that has something to say.

    Only what fails a run is a failure; other findings are the output of a case that passes. What could not be
    decided is skipped, with the reason.
    """
    root = ElementTree.Element("testsuites", name="rcslab verify")
    for judgement in judgements:
        _suite(root, judgement)
    if beside.missing is not None:
        _coverage_suite(root, beside.missing)
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _coverage_suite(root: ElementTree.Element, missing: Sequence[str]) -> None:
    """A suite of one case: what a plan requires and was not exercised fails it."""
    counts = {"tests": "1", "failures": str(int(bool(missing))), "errors": "0", "skipped": "0", "time": "0"}
    suite = ElementTree.SubElement(root, "testsuite", {"name": "coverage"} | counts)
    case = ElementTree.SubElement(suite, "testcase", classname="rcslab", name="required coverage", time="0")
    if missing:
        failure = ElementTree.SubElement(
            case, "failure", message=f"{len(missing)} not exercised", type="coverage"
        )
        failure.text = printable("\n".join(missing))


def _suite(root: ElementTree.Element, judgement: Judgement) -> None:
    cases = _cases(judgement)
    nothing = not cases and judgement.verdict is not Verdict.PASS
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=printable(judgement.name),
        tests=str(len(cases) or 1),
        failures=str(sum(case.fails for case in cases)),
        errors="0",
        skipped=str(sum(bool(case.skipped) for case in cases) + nothing),
        time="0",
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("profile", judgement.profile.value), ("verdict", judgement.verdict.value)):
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for case in cases:
        _case(suite, case)
    if not cases:
        element = ElementTree.SubElement(suite, "testcase", classname="rcslab", name="all rules", time="0")
        if nothing:
            ElementTree.SubElement(element, "skipped", message="nothing to judge")
    if judgement.notices:
        ElementTree.SubElement(suite, "system-out").text = printable("\n".join(judgement.notices))


def _cases(judgement: Judgement) -> list[_Case]:
    cases: dict[tuple[str, str], _Case] = {}

    def case(item: Finding | Open, party: Party | None) -> _Case:
        whose = item.whose.name if item.whose else str(party or "unknown")
        return cases.setdefault((whose, item.rule), _Case(whose, item.rule))

    for finding in judgement.findings:
        case(finding, finding.party).findings.append(finding)
    for undecided in judgement.open:
        case(undecided, None).undecided.append(undecided)
    return [cases[key] for key in sorted(cases)]


def _case(suite: ElementTree.Element, case: _Case) -> None:
    element = ElementTree.SubElement(
        suite, "testcase", classname=_class_name(case.whose), name=case.rule, time="0"
    )
    if case.skipped:
        ElementTree.SubElement(element, "skipped", message=printable(case.skipped))
        return
    text = _text(case.findings)
    if case.fails:
        failing = next(finding for finding in case.findings if finding.fails)
        failure = ElementTree.SubElement(
            element, "failure", message=printable(failing.message), type=failing.severity.value
        )
        failure.text = text
    else:
        ElementTree.SubElement(element, "system-out").text = text


def _class_name(whose: str) -> str:
    """Readers take a dot for the end of a package: one of an address must not count as such."""
    return printable(whose).replace(".", "_")


def _text(findings: Iterable[Finding]) -> str:
    return "\n".join(printable(str(finding)) for finding in findings)
