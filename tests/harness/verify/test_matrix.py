"""What each rule said in each flow: the heaviest of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from harness.verify.engine import Verifier
from harness.verify.finding import INTERNAL, Open
from harness.verify.judgement import Judgement
from harness.verify.matrix import Cell, counted_cells, matrix_of


@pytest.fixture
def judgement(flow):
    verifier = Verifier("ietf")
    verifier.judge(flow("pager_mo").line(0, "Contact: <sip:x>").timeline())
    return Judgement.of("x", verifier)


def cell_of(judgement, findings, undecided=()):
    (cells,) = matrix_of(replace(judgement, findings=tuple(findings), open=tuple(undecided))).values()
    return cells.get("pager.no-contact")


def test_the_heaviest_finding_counts_in_whatever_order_they_came(judgement):
    (fails,) = (finding for finding in judgement.findings if finding.rule == "pager.no-contact")
    warns = replace(fails, fails=False)
    for order in permutations((fails, warns, warns)):
        assert cell_of(judgement, order) is Cell.FAIL
    assert cell_of(judgement, [warns]) is Cell.WARN


def test_a_finding_outweighs_what_could_not_be_decided_and_that_a_pass(judgement):
    (fails,) = (finding for finding in judgement.findings if finding.rule == "pager.no-contact")
    item = Open("pager.no-contact", fails.where, "a gap", fails.whose, fails.flow)
    assert cell_of(judgement, [replace(fails, fails=False)], [item]) is Cell.WARN
    assert cell_of(judgement, [], [item]) is Cell.INCONC
    assert cell_of(judgement, []) is Cell.PASS


def test_what_was_not_exercised_has_no_cell_and_cells_are_counted(judgement):
    (cells,) = matrix_of(judgement).values()
    assert "msrp.uri.compare" not in cells
    counted = counted_cells(cells)
    assert counted["fail"] == 1 and counted["warn"] == counted["inconc"] == 0
    assert sum(counted.values()) == len(cells)


def test_a_rule_that_broke_is_not_decided(judgement):
    (fails,) = (finding for finding in judgement.findings if finding.rule == "pager.no-contact")
    (cells,) = matrix_of(replace(judgement, findings=(replace(fails, rule=INTERNAL, fails=False),))).values()
    assert cells[INTERNAL] is Cell.INCONC
