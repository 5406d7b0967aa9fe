"""The verdict matrix: what each rule said in each flow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum

from harness.verify.finding import INTERNAL
from harness.verify.flows import UserFlow
from harness.verify.judgement import Judgement


class Cell(StrEnum):
    """What a rule said in a flow. Where there is none it was not exercised."""

    FAIL = "fail"
    WARN = "warn"
    INCONC = "inconc"
    PASS = "pass"


_HEAVIEST_FIRST = list(Cell)


def matrix_of(judgement: Judgement) -> dict[UserFlow, dict[str, Cell]]:
    """By flow, the rules that were exercised in it or could not be decided, with the heaviest that was said.

    A rule that broke is inconc, under the id of such findings.
    """
    cells: dict[UserFlow, dict[str, Cell]] = defaultdict(dict)
    for finding in judgement.findings:
        said = Cell.FAIL if finding.fails else Cell.INCONC if finding.rule == INTERNAL else Cell.WARN
        _put(cells, finding.flow, finding.rule, said)
    for undecided in judgement.open:
        _put(cells, undecided.flow, undecided.rule, Cell.INCONC)
    for flow in judgement.flows:
        for rule in judgement.exercised.get(flow, ()):
            cells[flow].setdefault(rule, Cell.PASS)
    return {flow: cells.get(flow, {}) for flow in judgement.flows}


def counted_cells(cells: Mapping[str, Cell]) -> dict[str, int]:
    """How many rules of a flow said what."""
    found = dict.fromkeys(Cell, 0)
    for cell in cells.values():
        found[cell] += 1
    return {cell.value: number for cell, number in found.items()}


def _put(cells: dict[UserFlow, dict[str, Cell]], flow: UserFlow | None, rule: str, said: Cell) -> None:
    if flow is None:
        return
    row = cells[flow.final]
    known = row.get(rule)
    if known is None or _HEAVIEST_FIRST.index(said) < _HEAVIEST_FIRST.index(known):
        row[rule] = said
