"""The share of one test in what a bench's verifier has judged."""

from __future__ import annotations

import json

from harness.evidence.timeline import Layer
from harness.verify.engine import Verifier
from harness.verify.finding import Verdict
from harness.verify.judgement import Judgement
from harness.verify.proof.script import Script
from harness.verify.report.as_html import to_html
from harness.verify.report.as_json import to_json
from harness.verify.transcript import Transcript


def test_a_test_has_its_own_messages_flows_and_findings_alone(flow):
    first = flow("pager_mo").line(0, "Contact: <sip:first@10.0.0.5>")
    mark = len(list(first.timeline()))
    second = flow("options_mt")
    both = Script([*first.steps, *second.steps])
    verifier = Verifier("ietf", transcript=Transcript())
    verifier.judge(both.timeline())
    whole, share = Judgement.of("both", verifier), Judgement.since("second", verifier, mark)
    assert len(whole.flows) == 2 and whole.verdict is Verdict.FAIL
    assert [each.act for each in share.flows] == ["capabilities"] and share.verdict is Verdict.PASS
    assert share.judged == len(second.steps) == share.messages_of(share.flows[0])
    assert sum(share.messages_of(party) for party in share.parties) == share.judged
    assert whole.messages_of(whole.parties[0]) > share.messages_of(whole.parties[0])
    assert "first@" not in to_html([share]) and "first@" in to_html([whole])
    told = json.loads(to_json([share]))["captures"][0]
    assert told["flows"][0]["messages"] == len(second.steps)


def test_a_finding_on_what_a_driver_saw_is_in_the_share(flow):
    verifier = Verifier(transcript=Transcript())
    trace = flow("pager_mo").timeline()
    verifier.judge(trace)
    mark = trace.event(Layer.LAB, "test-start", "x", name="x", at=1_700_000_100.0)
    share = Judgement.since("empty", verifier, mark.number)
    assert share.verdict is Verdict.INCONC and share.flows == () and share.parties == ()
