"""Known findings: waived for a while, compared with an earlier run."""

from __future__ import annotations

import json
from datetime import date

import pytest

from harness.errors import UsageError
from harness.verify.baseline import compare
from harness.verify.finding import Party
from harness.verify.judgement import Judgement
from harness.verify.report.as_json import to_json
from harness.verify.report.as_text import to_text
from harness.verify.waivers import Waiver, covers_rule
from tests.harness.verify.judging import found

TODAY = date(2026, 11, 25)


def waiver(rule="sip.max-forwards.origin-70", expires=TODAY, **how):
    return Waiver(rule, "ticket 12", "lab", expires, **how)


@pytest.fixture
def judgement(flow):
    """A handset that begins at 60 hops and sends a text with an answer that has a body."""
    script = flow("pager_mo").sub(0, "Max-Forwards: 70", "Max-Forwards: 60")
    script.line(1, "Content-Type: text/plain").body(1, "ok")
    return Judgement.of("flow", found(script))


def test_what_is_waived_fails_nothing_and_says_why(judgement):
    assert (judgement.verdict, judgement.verdict_of(Party.NETWORK)) == ("fail", "fail")
    waived = judgement.with_waivers([waiver("pager.2xx-no-body"), waiver("sip.*")], TODAY)
    assert waived.verdict == "pass" and waived.notices == ()
    by_rule = {finding.rule: (finding.fails, finding.waived) for finding in waived.findings}
    assert by_rule["pager.2xx-no-body"] == (False, "ticket 12 (lab, until 2026-11-25)")
    assert "waived: ticket 12 (lab, until 2026-11-25)" in to_text([waived])
    assert all(each["waived"] for each in json.loads(to_json([waived]))["findings"])


def test_an_expired_waiver_counts_again_and_is_told(judgement):
    expired = judgement.with_waivers([waiver("pager.2xx-no-body", date(2026, 11, 24))], TODAY)
    assert expired.verdict == "fail" and expired.findings == judgement.findings
    assert expired.notices == (
        "the waiver for pager.2xx-no-body expired on 2026-11-24 (lab): findings count",
    )


@pytest.mark.parametrize(
    "how", [{"party": Party.HANDSET}, {"text": "3 octets"}, {"rule": "pager.2xx"}, {"rule": "pagers.*"}]
)
def test_a_waiver_for_something_else_covers_nothing_and_is_told(judgement, how):
    other = judgement.with_waivers([waiver(**{"rule": "pager.2xx-no-body", **how})], TODAY)
    assert other.verdict == "fail"
    assert [notice.partition(" covers ")[2][:10] for notice in other.notices] == ["no finding"]


def test_a_waiver_may_name_the_party_and_words_of_the_finding(judgement):
    exact = judgement.with_waivers([waiver("pager.2xx-no-body", party=Party.NETWORK, text="2 OCTETS")], TODAY)
    assert exact.verdict_of(Party.NETWORK) == "pass"


def test_new_gone_and_staying_findings_whatever_their_place(judgement, flow):
    before = json.loads(to_json([judgement]))
    later = flow("options_mt")
    later.steps += flow("pager_mo").sub(0, "Max-Forwards: 70", "Max-Forwards: 60").steps
    later.line(2, "Contact: <sip:a@10.0.0.5>")
    now = Judgement.of("elsewhere/flow", found(later))
    told = compare([(now.name, finding) for finding in now.findings], before)
    assert [each.rule for each in told.new] == ["pager.no-contact"]
    assert [each.rule for each in told.gone] == ["pager.2xx-no-body"]
    assert [(each.rule, each.what, each.count) for each in told.stays] == [
        ("sip.max-forwards.origin-70", "MESSAGE", 1)
    ]


def test_how_often_counts(judgement):
    findings = [("flow", finding) for finding in judgement.findings]
    told = compare(findings + findings[:1], json.loads(to_json([judgement])))
    assert len(told.new) == 1 and told.gone == ()


@pytest.mark.parametrize("previous", [None, [], {}, {"findings": [{"rule": "x"}]}, {"findings": 3}])
def test_a_baseline_that_is_none_is_refused(previous):
    with pytest.raises(UsageError, match="rcslab verify --format json"):
        compare([], previous)


def test_a_beginning_ends_at_a_dot():
    assert covers_rule("msrp.*", "msrp.tid.unique") and covers_rule("msrp.tid.*", "msrp.tid.unique")
    assert not covers_rule("msrp.ti.*", "msrp.tid.unique") and not covers_rule("msrp", "msrp.tid.unique")
