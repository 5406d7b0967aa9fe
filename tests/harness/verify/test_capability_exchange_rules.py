"""Capabilities by OPTIONS: what need not be compared, and what is right in another form."""

from __future__ import annotations

import pytest

from harness.verify.engine import Verifier, VerifySettings
from harness.verify.proof.flows.capability import CHAT_TAG, TAGS, capable
from harness.verify.proof.flows.sip import options_mt
from harness.verify.proof.messages import FAR

H, N = "handset", "network"


def judged_as(script, settings=None, profile="rcs51"):
    verifier = Verifier(profile, settings)
    found = {(item.rule, item.party.value) for item in verifier.judge(script.timeline())}
    return found, {item.rule for item in verifier.open}


def test_tags_for_the_network_and_those_the_lab_names_are_left_out():
    script = capable()
    for index in (0, 2):
        script.sub(index, ";expires=600000", ";+g.3gpp.smsip;+g.gsma.rcs.msgrevoke;expires=600000")
    assert judged_as(script)[0] == {("options.contact-tags", H)}
    settings = VerifySettings(not_exchanged=frozenset({"+g.gsma.rcs.msgrevoke"}))
    assert judged_as(script, settings) == (set(), set())


def test_without_the_registration_nothing_is_compared():
    script = options_mt()
    assert judged_as(script) == (set(), {"options.contact-tags"})
    assert judged_as(script.sub(1, f";{TAGS}", ""))[0] == {("options.contact-tags", H)}


def test_an_options_without_tags_asks_nothing():
    assert judged_as(capable().sub(8, f";{TAGS}", "").sub(9, f";{TAGS}", "")) == (set(), set())


@pytest.mark.parametrize("target", ["tel:+491700000002", "sip:bob@example.org;gr=urn:uuid:1"])
def test_whom_options_may_ask(target):
    script = capable().everywhere(FAR, target, 10, 11)
    script.sub(10, f"To: <{target}>", "To: <tel:+491700000002>").sub(
        11, f"To: <{target}>", "To: <tel:+491700000002>"
    )
    assert judged_as(script)[0] == set()


def test_any_tag_of_rcs_asks_for_rcs():
    assert judged_as(capable().sub(10, CHAT_TAG, TAGS))[0] == set()


@pytest.mark.parametrize("status", ["480 Temporarily Unavailable", "486 Busy Here", "200 OK"])
def test_what_a_user_of_rcs_may_answer(status):
    assert judged_as(capable().sub(9, "200 OK", status))[0] == set()


def test_who_registered_nothing_of_rcs_may_say_that_it_has_none():
    script = capable().drop(*range(10, 18)).everywhere(f";{TAGS}", "", 0, 2)
    script.sub(9, "200 OK", "404 Not Found").without(9, "Contact")
    assert judged_as(script)[0] == set()


@pytest.mark.parametrize("profile", ["ietf", "rcs51"])
def test_the_tag_of_simple_im_beside_those_of_cpm_is_a_matter_of_the_profile(profile):
    script = options_mt().sub(1, TAGS, f"{TAGS};+g.oma.sip-im")
    assert judged_as(script, profile=profile)[0] == set()
