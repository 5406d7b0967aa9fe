"""What the page draws: parties, flows with a cell for each rule, findings, messages. Indexes stand for names.

A page has to open quickly: beyond a size only flows with findings have their messages in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.verify.catalogue import load_catalogue
from harness.verify.finding import Finding
from harness.verify.flows import UserFlow
from harness.verify.judgement import Judgement
from harness.verify.matrix import Cell, matrix_of
from harness.verify.party_names import NamedParty
from harness.verify.report.beside import NOTHING_BESIDE, Beside
from harness.verify.report.octets import ShownOctets, shown_octets
from harness.verify.report.summary import by_party, clock, place, summary
from harness.verify.transcript import Row, Transcript
from harness.verify.visible import visible_text

MOST_OCTETS = 4 * 1024 * 1024
"""Octets of messages up to which all are in the page."""
MOST_OF_FINDINGS = 12 * 1024 * 1024
"""The same for flows with findings, which come first."""
MOST_FINDINGS = 20_000
_LETTERS = {Cell.FAIL: "f", Cell.WARN: "w", Cell.INCONC: "i", Cell.PASS: "p"}
_EMPTY = Transcript()


@dataclass(frozen=True, slots=True)
class PageData:
    """report: for all captures. flows: messages of each flow, by "capture-flow"."""

    report: dict[str, Any]
    flows: dict[str, list[dict[str, Any]]]


def page_data(judgements: Sequence[Judgement], beside: Beside = NOTHING_BESIDE) -> PageData:
    """The data of a page. Text of messages is made safe to show and secrets are masked."""
    captures, flows = list[dict[str, Any]](), dict[str, list[dict[str, Any]]]()
    for number, judgement in enumerate(judgements):
        capture = _CaptureData(judgement)
        captures.append(capture.as_dict())
        for index, messages in enumerate(capture.messages()):
            flows[f"{number}-{index}"] = messages
    parts = [
        {
            "title": part.title.removesuffix(":"),
            "fails": part.fails,
            "lines": [visible_text(line) for line in part.lines],
        }
        for part in beside.parts()
    ]
    return PageData({"captures": captures, "beside": parts}, flows)


class _CaptureData:
    """Gives names their indexes."""

    def __init__(self, judgement: Judgement) -> None:
        self._judgement = judgement
        self._transcript = judgement.transcript or _EMPTY
        self._rows: dict[UserFlow, list[Row]] = defaultdict(list)
        for row in sorted(self._transcript.rows.values(), key=lambda row: row.place):
            self._rows[row.flow.final].append(row)
        self._flows = {flow: index for index, flow in enumerate(judgement.flows)}
        self._parties: dict[NamedParty, int] = {}
        for party in judgement.parties:
            self._party(party)
        self._found = judgement.by_party()
        self._matrix = matrix_of(judgement)
        ids = dict.fromkeys(rule for cells in self._matrix.values() for rule in cells)
        ids |= dict.fromkeys(finding.rule for finding in judgement.findings)
        ids |= dict.fromkeys(undecided.rule for undecided in judgement.open)
        self._rules = {rule: index for index, rule in enumerate(ids)}
        self._shown: dict[int, ShownOctets] = {}
        for row in self._within_limits():
            self._shown[row.place] = shown_octets(row.octets or b"", row.size)

    def _party(self, party: NamedParty) -> int:
        return self._parties.setdefault(party.final, len(self._parties))

    def _within_limits(self) -> Iterator[Row]:
        """Rows whose octets are in the page."""
        total = sum(row.size for rows in self._rows.values() for row in rows)
        everything = total <= MOST_OCTETS and not self._transcript.dropped
        spent = 0
        for flow, rows in sorted(self._rows.items(), key=lambda item: not item[0].findings):
            for row in rows:
                if row.octets is None or not (everything or flow.findings):
                    continue
                spent += len(row.octets)
                if spent <= MOST_OF_FINDINGS:
                    yield row

    def as_dict(self) -> dict[str, Any]:
        judgement = self._judgement
        findings = _heaviest(judgement.findings)
        notices = [visible_text(notice) for notice in judgement.notices]
        if len(findings) < len(judgement.findings):
            notices.append(
                f"The page has the {len(findings)} heaviest of {len(judgement.findings)} findings."
            )
        said = [self._finding(finding) for finding in findings]
        flows = [self._flow(flow) for flow in judgement.flows]
        undecided = [
            {"rule": self._rules[item.rule], "label": item.where.label, "why": item.why}
            for item in judgement.open[:MOST_FINDINGS]
        ]
        return {
            "name": judgement.name,
            "verdict": judgement.verdict,
            "summary": summary(judgement),
            "sides": by_party(judgement),
            "notices": [*notices, *self._left_out()],
            "rules": [self._rule(rule) for rule in self._rules],
            "flows": flows,
            "findings": said,
            "undecided": undecided,
            "parties": [self._party_dict(party) for party in self._parties],
        }

    def _left_out(self) -> list[str]:
        if self._judgement.transcript is None:
            return ["This report was made without the messages."]
        left = self._transcript.dropped + sum(
            row.place not in self._shown for rows in self._rows.values() for row in rows
        )
        if not left:
            return []
        return [
            f"The octets of {left:,} messages are not in this page, which would be too large: those of flows "
            "without findings go first. The capture has them all."
        ]

    def _rule(self, rule: str) -> dict[str, str]:
        known = load_catalogue().get(rule)
        if known is None:
            return {"id": rule, "check": "", "clause": "", "confidence": ""}
        return {"id": rule, "check": known.check, "clause": known.clause, "confidence": known.confidence}

    def _party_dict(self, party: NamedParty) -> dict[str, Any]:
        found = self._found.get(party, [])
        return {
            "name": visible_text(party.name),
            "party": party.party,
            "verdict": self._judgement.verdict_of_named(party, found),
            "messages": self._judgement.messages_of(party),
            "findings": len(found),
            "fails": sum(finding.fails for finding in found),
            "identities": [visible_text(each) for each in party.identities],
            "product": visible_text(party.product),
            "addresses": list(party.addresses),
        }

    def _flow(self, flow: UserFlow) -> dict[str, Any]:
        cells = self._matrix[flow]
        kept = sum(1 + row.chunks for row in self._rows.get(flow, ()))
        messages = self._judgement.messages_of(flow)
        missing = messages - kept
        return {
            "name": visible_text(flow.name),
            "act": flow.act,
            "number": flow.number,
            "messages": messages,
            "left_out": f"{missing:,} messages of this flow are not in the page." if missing > 0 else "",
            "cells": "".join(_LETTERS[cells[rule]] if rule in cells else "." for rule in self._rules),
        }

    def _finding(self, finding: Finding) -> dict[str, Any]:
        rule = load_catalogue().get(finding.rule)
        asks = rule.check if rule is not None else ""
        return {
            "rule": self._rules[finding.rule],
            "severity": finding.severity,
            "fails": finding.fails,
            "waived": visible_text(finding.waived),
            "party": self._party(finding.whose) if finding.whose else None,
            "flow": self._flows.get(finding.flow.final) if finding.flow else None,
            "place": finding.where.place,
            "label": visible_text(finding.where.label),
            "where": place(finding),
            "message": "" if finding.message == asks else visible_text(finding.message),
            "expected": visible_text(finding.expected),
            "actual": visible_text(finding.actual),
            "mark": self._mark(finding),
        }

    def _mark(self, finding: Finding) -> tuple[int, int] | None:
        """Characters of the message's text that the finding means."""
        shown, excerpt = self._shown.get(finding.where.place), finding.excerpt
        if shown is None or excerpt is None or not (excerpt.octet or excerpt.octets):
            return None
        start = shown.place(excerpt.octet)
        return start, max(start, shown.place(excerpt.octet + excerpt.octets))

    def messages(self) -> list[list[dict[str, Any]]]:
        """Of each flow."""
        return [[self._message(row) for row in self._rows.get(flow, ())] for flow in self._judgement.flows]

    def _message(self, row: Row) -> dict[str, Any]:
        shown = self._shown.get(row.place)
        return {
            "place": row.place,
            "number": row.number,
            "time": row.time,
            "clock": clock(row.time),
            "from": self._party(row.sender),
            "to": self._party(row.receiver),
            "kind": row.kind,
            "title": visible_text(row.title),
            "hint": visible_text(row.hint),
            "size": row.size,
            "transport": row.transport,
            "source": row.source,
            "destination": row.destination,
            "repeats": row.repeats,
            "chunks": row.chunks,
            "text": None if shown is None else shown.text,
        }


def _heaviest(findings: Sequence[Finding]) -> Sequence[Finding]:
    """In their order; of too many those that weigh most."""
    if len(findings) <= MOST_FINDINGS:
        return findings
    ranked = sorted(findings, key=lambda finding: (-finding.fails, -finding.severity.rank))[:MOST_FINDINGS]
    return sorted(ranked, key=lambda finding: finding.where.entry)
