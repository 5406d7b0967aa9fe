"""Findings as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from harness.verify.finding import Finding
from harness.verify.judgement import Judgement, overall
from harness.verify.report.beside import NOTHING_BESIDE, Beside
from harness.verify.report.printable import printable
from harness.verify.report.summary import by_message, by_party, clock, place, summary


def to_html(judgements: Sequence[Judgement], *, beside: Beside = NOTHING_BESIDE) -> str:
    """One page without anything remote."""
    body = "".join(_html_section(judgement) for judgement in judgements)
    body += f"<pre>{_html(chr(10).join(beside.lines()).strip())}</pre>"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>rcslab verify</title>'
        f"<style>{_STYLE}</style><h1>rcslab verify: {overall(judgements)}</h1>{body}</html>\n"
    )


_STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2em;max-width:100em}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3em .6em;"
    "border-bottom:1px solid #ccc}th,td:nth-child(-n+4){white-space:nowrap}td:nth-child(n+5)"
    "{overflow-wrap:anywhere;min-width:8em}td:nth-child(5){min-width:15em}.fails{background:#fdd}.MUST{font-weight:bold}"
    ".INFO{color:#555}code{font-size:13px}"
)
_COLUMNS = ("message", "time", "party", "severity", "rule", "where", "expected", "got", "clause")


def _html_section(judgement: Judgement) -> str:
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    rows = "".join(_html_row(finding) for _, group in by_message(judgement.findings) for finding in group)
    table = f"<table><tr>{head}</tr>{rows}</table>" if rows else "<p>No findings.</p>"
    undecided = "".join(
        f"<li>{_html(item.where.label)}: <code>{_html(item.rule)}</code>: {_html(item.why)}</li>"
        for item in judgement.open
    )
    tail = f"<h3>Not verifiable</h3><ul>{undecided}</ul>" if undecided else ""
    notices = "".join(f"<p><b>{_html(notice)}</b></p>" for notice in judgement.notices)
    head = f"<h2>{_html(summary(judgement))}</h2><p>{_html(by_party(judgement))}</p>"
    return f"{head}{notices}{table}{tail}"


def _html_row(finding: Finding) -> str:
    cells = (
        finding.where.label,
        clock(finding.where.time),
        finding.party.value,
        finding.severity.value,
        f"{finding.rule}: {finding.message}",
        place(finding),
        finding.expected,
        finding.actual,
        f"{finding.clause} [{finding.confidence}]",
    )
    marks = f"{finding.severity}{' fails' if finding.fails else ''}"
    return f'<tr class="{marks}">' + "".join(f"<td>{_html(cell)}</td>" for cell in cells) + "</tr>"


def _html(text: str) -> str:
    return escape(printable(text))
