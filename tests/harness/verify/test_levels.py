"""What each rule weighs and whom it judges: a campaign is decided by this, so no change of it goes unseen.

levels.txt was taken from the catalogue once and is kept by hand since. A rule that is added or given another
level, with a clause read for it, is changed in both.
"""

from __future__ import annotations

from pathlib import Path

from harness.cpm.profiles import Profile
from harness.verify.catalogue import Rule, load_catalogue, load_checks

LEVELS = Path(__file__).with_name("levels.txt")


def line_of(rule: Rule) -> str:
    """Rule, whom it judges, its level, whether it fails a run, and the profiles that see it otherwise."""
    words = [rule.id, rule.judged.value, rule.severity.value, "fails" if rule.hard_fail else "warns"]
    otherwise = {profile: rule.severity_under(profile) for profile in Profile}
    words += [f"{name}={level}" for name, level in otherwise.items() if level is not rule.severity]
    return " ".join(words)


def test_every_rule_that_judges_has_the_level_it_was_given_by_hand():
    catalogue = load_catalogue()
    judging = {check.id for check in load_checks()}
    lines = LEVELS.read_text("utf-8").splitlines()
    expected = {line.split()[0]: " ".join(line.split()) for line in lines if line and line[0] != "#"}
    assert {rule: line_of(catalogue[rule]) for rule in judging} == expected


def test_the_list_is_in_order():
    rules = [line.split()[0] for line in LEVELS.read_text("utf-8").splitlines() if line and line[0] != "#"]
    assert rules == sorted(set(rules))
