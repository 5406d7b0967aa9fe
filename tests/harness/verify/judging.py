"""A script judged: what the tests ask of the verifier."""

from __future__ import annotations

from harness.verify.engine import Verifier
from harness.verify.proof.script import Script


def found(script: Script, profile: str = "rcs51"):
    verifier = Verifier(profile)
    verifier.judge(script.timeline())
    return verifier


def rules_of(verifier: Verifier):
    return list(dict.fromkeys((each.rule, each.party.value) for each in verifier.findings))
