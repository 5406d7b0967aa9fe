"""What `rcslab rules ID` shows of each rule."""

from __future__ import annotations

import pytest

from harness.verify.catalogue import load_catalogue
from harness.verify.catalogue_text import rule_page
from harness.verify.proof.example import MOST, example_of
from harness.verify.proof.mutant import load_mutants


@pytest.mark.parametrize("rule", sorted({mutant.rule for mutant in load_mutants()}))
def test_a_rule_with_a_mutant_shows_what_passes_and_what_fails(rule):
    example = example_of(rule)
    assert example.finding.rule == rule
    assert example.passes != example.fails
    assert len(example.passes) <= MOST and len(example.fails) <= MOST
    page = rule_page(load_catalogue()[rule])
    assert example.finding.actual in page


def test_a_rule_without_a_mutant_shows_what_there_is():
    assert example_of("x.incomplete-capture") is None
    page = rule_page(load_catalogue()["x.incomplete-capture"])
    assert "severity:   ietf MUST" in page and "\nreads: flow " in page


def test_what_a_driver_saw_is_in_an_example():
    page = rule_page(load_catalogue()["x.displayed-after-screen"])
    assert " s from the start: " in page.partition("passes (flow ")[2].partition("fails:")[0]


def test_where_only_the_lab_decides_the_messages_are_said_to_be_the_same():
    page = rule_page(load_catalogue()["deferred.uri"])
    assert "passes (flow deferred_mo):\n      the same messages" in page
    assert "[the lab knows deferred_messages: " in page
