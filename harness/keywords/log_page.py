"""What a test's evidence looks like in log.html: findings, ladder, links to the files."""

from __future__ import annotations

from html import escape
from pathlib import Path

from robot.api import logger

from harness.evidence.package import EvidenceFiles
from harness.keywords.test_record import REPORT
from harness.verify.finding import Finding

_STYLE = "border-collapse:collapse;font:13px sans-serif"
_CELL = "border:1px solid #ccc;padding:3px 8px;text-align:left;vertical-align:top"
_COLUMNS = ("rule", "severity", "against", "where", "expected", "got", "clause")


def show_evidence(files: EvidenceFiles, findings: list[Finding], output: Path) -> None:
    """Write findings, ladder and links into the log of the running test. output is the folder of log.html."""
    if findings:
        logger.info(_table(findings), html=True)
    ladder = files.ladder.read_text(encoding="utf-8")
    logger.info(ladder.replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1), html=True)
    for picture in files.screenshots:
        source = escape(str(picture.relative_to(output)))
        logger.info(f'<img src="{source}" alt="{escape(picture.stem)}" style="max-height:480px">', html=True)
    written = (files.capture, files.timeline, files.findings, files.ladder, *files.screenshots)
    report = files.folder / REPORT
    links = ", ".join(
        f'<a href="{escape(str(path.relative_to(output)))}">{escape(path.name)}</a>'
        for path in ((report, *written) if report.exists() else written)
    )
    logger.info(f"Evidence: {links}", html=True)


def failure_lines(findings: list[Finding]) -> list[str]:
    """Why a test failed: a count, then each rule once, with the first message that broke it.

    Robot cuts long messages in the middle, so the whole list stands in the log only.
    """
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule, []).append(finding)
    count = f"{len(findings)} findings fail" if len(findings) > 1 else "1 finding fails"
    lines = [f"{count} this test:"]
    for same in by_rule.values():
        more = f" (and {len(same) - 1} more of this rule)" if len(same) > 1 else ""
        lines.append(f"{same[0]}{more}")
    return lines


def _table(findings: list[Finding]) -> str:
    head = "".join(f'<th style="{_CELL}">{column}</th>' for column in _COLUMNS)
    rows = "".join(_row(finding) for finding in findings)
    return f'<table style="{_STYLE}"><tr>{head}</tr>{rows}</table>'


def _row(finding: Finding) -> str:
    values = (
        finding.rule,
        finding.severity + (" (fails)" if finding.fails else ""),
        finding.party,
        str(finding.where),
        finding.expected,
        finding.actual,
        finding.clause,
    )
    return "<tr>" + "".join(f'<td style="{_CELL}">{escape(str(value))}</td>' for value in values) + "</tr>"
