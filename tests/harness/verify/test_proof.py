"""The proof: no rule reports a conformant flow, and every mutant is reported by its own rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.cpm.profiles import Profile
from harness.verify.proof.flows import FLOWS, named_once
from harness.verify.proof.mutant import load_mutants
from harness.verify.proof.prove import (
    FlowResult,
    MutantResult,
    Proof,
    ReadingResult,
    judge_flow,
    judge_mutant,
    judge_reading,
    prove,
)
from harness.verify.proof.reading import READINGS


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("name", FLOWS)
def test_no_rule_reports_a_conformant_flow(name, profile):
    assert judge_flow(name, profile).reported == ()


@pytest.mark.parametrize("mutant", load_mutants(), ids=lambda mutant: mutant.name)
def test_a_mutant_is_reported_by_its_own_rule_and_by_those_told_beside(mutant):
    result = judge_mutant(mutant)
    assert result.error == ""
    assert (result.caught, set(result.beside)) == (True, set(mutant.beside))


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_another_form_is_read_like_the_flow(reading):
    result = judge_reading(reading)
    assert set(result.reported) == set(reading.reported)
    assert reading.lost is None or set(result.lost) == set(reading.lost)


def test_a_mutant_that_breaks_nothing_is_not_caught():
    spoiled = load_mutants()[0]
    harmless = type(spoiled)(spoiled.rule, spoiled.party, spoiled.flow, lambda script: script)
    proof = prove([harmless], flows=(), readings=())
    assert not proof.whole and proof.mutants[0].beside == ()
    assert proof.as_dict()["protocols"] == {spoiled.rule.split(".")[0]: {"caught": 0, "mutants": 1}}


def test_what_only_another_rule_reports_is_not_caught():
    told = next(mutant for mutant in load_mutants() if mutant.rule == "pager.no-contact")
    assert judge_mutant(told).caught
    other = judge_mutant(replace(told, rule="sip.via.echo"))
    assert not other.caught and "pager.no-contact" in other.beside


def test_a_proof_is_whole_only_when_all_is_as_told():
    mutant, reading = load_mutants()[0], READINGS[0]
    flow = FlowResult("chat", Profile.RCS51, ())
    right = MutantResult(mutant, True, mutant.beside)
    read = ReadingResult(reading, reading.reported, reading.lost or ())
    assert Proof((flow,), (right,), (read,), ()).whole
    for spoiled in (
        Proof((replace(flow, reported=("sip.via.echo",)),), (right,), (read,), ()),
        Proof((flow,), (replace(right, caught=False),), (read,), ()),
        Proof((flow,), (replace(right, beside=(*mutant.beside, "sip.via.echo")),), (read,), ()),
        Proof((flow,), (replace(right, error="ValueError"),), (read,), ()),
        Proof((flow,), (right,), (replace(read, reported=("sip.via.echo",)),), ()),
        Proof((flow,), (right,), (replace(read, lost=("sip.via.echo",)),), ()),
        Proof((flow,), (right,), (read,), ("sip.via.echo",)),
    ):
        assert not spoiled.whole


def test_two_flows_of_one_name_are_refused():
    with pytest.raises(ValueError, match="called chat"):
        named_once({"chat": FLOWS["chat"]}, {"chat": FLOWS["chat"]})
