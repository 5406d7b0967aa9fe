"""What a run exercised, by rule and by clause, and what a plan misses."""

from __future__ import annotations

import pytest

from harness.cpm.profiles import Profile
from harness.verify.catalogue import load_catalogue, load_checks
from harness.verify.clauses import Clause, clauses_of, parse_clause
from harness.verify.coverage import CoveragePlan, Covered, by_clause, exercised_documents, exercises, missing
from tests.harness.verify.judging import found


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("RFC 3261 8.2.6.2, 18.2.1; RFC 3581 4", ["RFC 3261 8.2.6.2", "RFC 3261 18.2.1", "RFC 3581 4"]),
        ("RFC 3841 9.1/9.2 (d a j); RFC 3892 (b)", ["RFC 3841 9.1", "RFC 3841 9.2", "RFC 3892"]),
        ("OMA CPM Conv App. C.1.2", ["OMA CPM Conv C.1.2"]),
        ("TS 24.229 5.1.2A.1.1", ["TS 24.229 5.1.2A.1.1"]),
        ("RFC 5438 12.1.1 and 7", ["RFC 5438 12.1.1", "RFC 5438 7"]),
        ("field trace; rcsjta", []),
    ],
)
def test_the_clauses_of_a_rule(text, clauses):
    assert [str(clause) for clause in clauses_of(text)] == clauses


def test_a_clause_covers_what_is_inside_it():
    assert parse_clause("RFC 4975 7.1").covers(Clause("RFC 4975", "7.1.2"))
    assert parse_clause("RFC 4975").covers(Clause("RFC 4975", "7.1.2"))
    assert not parse_clause("RFC 4975 7.1").covers(Clause("RFC 4975", "7.10"))
    assert not parse_clause("RFC 4975 7.1").covers(Clause("RFC 4976", "7.1"))
    assert parse_clause("field trace") is None


def test_sections_stand_in_their_order():
    sections = [
        clause.section for clause in by_clause(load_catalogue().values()) if clause.document == "RFC 4975"
    ]
    assert sections.index("8.9") < sections.index("10") < sections.index("14.1")


@pytest.fixture
def covered(flow):
    return Covered.by(found(flow("pager_mo")))


def test_a_rule_is_exercised_when_it_applied_and_else_says_why_not(covered):
    by_rule = {each.rule.id: each for each in exercises(covered, Profile.RCS51)}
    assert by_rule["pager.no-contact"].count == 6 and by_rule["pager.no-contact"].why == ""
    assert by_rule["msrp.chunk-2048"].why == "no MSRP request came"
    assert by_rule["pager.list.require"].why == "no MESSAGE that it is about came (pager to several)"
    assert by_rule["x.incomplete-capture"].why.startswith("a demand on the verifier itself")
    assert {bool(each.count) == (each.why == "") for each in by_rule.values()} == {True}


def test_what_a_plan_misses(covered):
    plan = CoveragePlan(
        ("pager.no-contact", "pager.list.*", "x.incomplete-capture"),
        (Clause("RFC 3428", ""), Clause("RFC 4975", "7.1")),
    )
    told = missing(plan, exercises(covered, Profile.RCS51))
    assert [each.partition(":")[0] for each in told] == [
        "rule pager.list.require",
        "rule pager.list.service",
        "clause RFC 4975 7.1",
    ]
    assert missing(CoveragePlan(("pager.no-contact",), ()), exercises(covered, Profile.RCS51)) == []


def test_documents_count_their_clauses(covered):
    documents = exercised_documents(exercises(covered, Profile.RCS51))
    assert documents["RFC 4575"][0] == 0 < documents["RFC 4575"][1]
    exercised, clauses = documents["RFC 3428"]
    assert 0 < exercised <= clauses


def test_several_timelines_add_up_and_travel_as_json(covered, flow):
    total = Covered.by(found(flow("register")))
    total.add(covered)
    assert total.applied["pager.no-contact"] == covered.applied["pager.no-contact"]
    assert Covered.from_dict(total.as_dict()) == total


def test_what_two_timelines_exercised_is_counted_together(covered):
    total = Covered()
    total.add(covered)
    total.add(covered)
    assert total.applied["pager.no-contact"] == 2 * covered.applied["pager.no-contact"]


def test_rules_on_all_of_sip_are_not_said_to_have_met_none_of_it(covered):
    by_rule = {each.rule.id: each for each in exercises(covered, Profile.RCS51)}
    assert by_rule["timer.min-se"].why.startswith("no INVITE or UPDATE that it is about came")


def test_a_rule_of_other_profiles_is_said_not_to_be_evaluated(covered):
    everywhere = set(Profile)
    elsewhere = [check for check in load_checks() if set(check.profiles) != everywhere]
    for check in elsewhere:
        others = [each for each in load_checks() if each.id == check.id]
        for profile in everywhere.difference(*(set(each.profiles) for each in others)):
            (told,) = [each for each in exercises(Covered(), profile) if each.rule.id == check.id]
            assert told.why == f"not evaluated under profile {profile}"
    assert elsewhere
