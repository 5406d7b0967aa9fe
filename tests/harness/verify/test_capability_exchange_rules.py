"""Capabilities by OPTIONS: one slip, one finding."""

from __future__ import annotations

import pytest

from harness.verify.engine import Verifier, VerifySettings
from harness.verify.proof.flows.sip import options_mt, register
from harness.verify.proof.messages import ICSI
from harness.verify.proof.script import Script

H, N = "handset", "network"


def asked() -> Script:
    """The handset registers (0 to 7), then the network asks what it can do (8, 9)."""
    return Script([*register().steps, *options_mt().steps])


def judged_as(script, settings=None):
    verifier = Verifier("rcs51", settings)
    found = {(item.rule, item.party.value) for item in verifier.judge(script.timeline())}
    return found, [item.rule for item in verifier.open]


def test_an_answer_that_shows_what_was_registered_is_right():
    assert judged_as(asked()) == (set(), [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"{ICSI}msg,{ICSI}session", f"{ICSI}msg"),
        (f"{ICSI}msg,{ICSI}session", f"{ICSI}msg,{ICSI}session,{ICSI}filetransfer"),
        (f';+g.3gpp.icsi-ref="{ICSI}msg,{ICSI}session"', ""),
    ],
)
def test_an_answer_that_differs_from_what_was_registered(old, new):
    assert judged_as(asked().sub(9, old, new)) == ({("options.contact-tags", H)}, [])


def test_tags_for_the_network_and_those_the_lab_names_are_left_out():
    script = asked()
    for index in (0, 2):
        script.sub(index, ";expires=600000", ";+g.3gpp.smsip;+g.gsma.rcs.msgrevoke;expires=600000")
    assert judged_as(script)[0] == {("options.contact-tags", H)}
    settings = VerifySettings(not_exchanged=frozenset({"+g.gsma.rcs.msgrevoke"}))
    assert judged_as(script, settings) == (set(), [])


def test_without_the_registration_nothing_is_compared():
    script = options_mt()
    assert judged_as(script) == (set(), ["options.contact-tags"])
    assert judged_as(script.sub(1, f';+g.3gpp.icsi-ref="{ICSI}msg,{ICSI}session"', ""))[0] == {
        ("options.contact-tags", H)
    }


def test_an_unknown_tag_is_told():
    script = asked().sub(8, f"{ICSI}session", f"{ICSI}session,urn%3Aurn-7%3A3gpp-service.ims.icsi.acme.x")
    assert judged_as(script)[0] == {("options.tag-known", N)}


def test_an_options_without_tags_asks_nothing():
    script = asked().sub(8, f';+g.3gpp.icsi-ref="{ICSI}msg,{ICSI}session"', "")
    assert judged_as(script.sub(9, f';+g.3gpp.icsi-ref="{ICSI}msg,{ICSI}session"', "")) == (set(), [])
