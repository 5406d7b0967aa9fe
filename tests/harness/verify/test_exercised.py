"""What is done right exercises the rules about it: each looks at something in a conformant or legal flow."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from harness.cpm.profiles import Profile
from harness.verify.catalogue import Judged, load_catalogue
from harness.verify.engine import Verifier
from harness.verify.proof.flows import FLOWS
from harness.verify.proof.mutant import load_mutants
from harness.verify.proof.prove import protocol_of
from tests.harness.verify.test_legal_variety import FLOWS as LEGAL

PROTOCOLS = frozenset(
    {
        "bot",
        "cpim",
        "deferred",
        "ft",
        "geo",
        "imdn",
        "ims",
        "iscomp",
        "large",
        "msrp",
        "options",
        "pager",
        "reg",
        "revoke",
        "sdp",
        "session",
        "sip",
        "timer",
        "x",
    }
)
"""Those whose rules say what they apply to."""
WRONG_BEFORE = {
    "iscomp.stop-after-415": "a sign of typing by MESSAGE, which iscomp.not-pager tells",
    "sdp.cema.fallback": "an answer that a middlebox changed without CEMA",
    "sip.481.unknown-dialog": "a To tag of no dialog, which is at fault itself or a test",
    "sip.message.whole": "a connection that ends within a message",
}
"""Rules about what is done after a fault: what comes before it, which a conformant flow never has."""


@cache
def exercised() -> Counter[str]:
    """How often each rule applied, over all flows and profiles, and with what a mutant of it has the lab
    know.
    """
    found: Counter[str] = Counter()
    for name, settings in {(each.flow, each.settings) for each in load_mutants()}:
        verifier = Verifier(settings=settings)
        verifier.judge(FLOWS[name]().wait(120.0).timeline())
        found += verifier.exercised
    for profile in Profile:
        for make in FLOWS.values():
            verifier = Verifier(profile)
            verifier.judge(make().wait(120.0).timeline())
            found += verifier.exercised
        for legal in LEGAL.values():
            verifier = Verifier(profile)
            verifier.judge(legal())
            found += verifier.exercised
    return found


def rules() -> list[str]:
    """The implemented rules of those protocols that judge messages."""
    found = (
        each for each in load_catalogue().values() if each.judged is not Judged.TOOL and each.implemented
    )
    return [rule.id for rule in found if protocol_of(rule.id) in PROTOCOLS]


@pytest.mark.parametrize("rule", rules())
def test_a_rule_is_exercised_by_what_is_done_right(rule):
    assert (exercised()[rule] > 0) is (rule not in WRONG_BEFORE)
