"""What the SIP rules see beyond their mutants: repeats, what a 420 may name, where a capture begins."""

from __future__ import annotations

from harness.verify.engine import Verifier
from harness.verify.proof.mutants.sip_message import multipart, over_udp
from harness.verify.proof.mutants.sip_transaction import REQUIRE_ODD

H = "handset"


def test_a_repeat_does_not_take_the_tag_of_the_refusal(flow, judged):
    script = flow("pager_mo").drop(2, 3, 4, 5).copy(0, 2).copy(1, 3)
    script.sub(1, "200 OK", "401 Unauthorized").line(1, 'WWW-Authenticate: Digest realm="r",nonce="n"')
    script.everywhere("z9hG4bKmoa", "z9hG4bKmob", 2, 3).everywhere("CSeq: 1 ", "CSeq: 2 ", 2, 3)
    assert judged(script) == []
    script.sub(2, "\r\nCall-ID", ";tag=netA1\r\nCall-ID")
    assert ("sip.from.tag", H) in judged(script)


def test_what_a_420_may_name(flow, judged):
    script = flow("options_mt").line(0, f"{REQUIRE_ODD}, replaces").sub(1, "200 OK", "420 Bad Extension")
    assert judged(script.line(1, "Unsupported: replaces, rcslab-unknown")) == []
    assert judged(script.sub(1, "replaces, rcs", "other, rcs")) == [("sip.require.unknown-420", H)]


def test_a_multipart_offer_is_no_finding(flow, judged):
    assert judged(multipart(flow("refused_mo"))) == []


def test_a_retransmission_is_linked_and_not_judged_again(flow, judged):
    script = over_udp(flow("options_mt")).line(0, "Max-Forwards: 70").copy(0, 1, after=0.5)
    assert judged(script) == [("sip.header.duplicate-single", "network")]


def test_what_may_have_begun_before_the_capture_is_not_verifiable(flow):
    script = flow("session_ended_by_network").drop(0, 1, 2, 3)
    verifier = Verifier("ietf")
    assert verifier.judge(script.timeline(start=False)) == []
    assert {item.rule for item in verifier.open} == {"sip.from.tag", "sip.481.unknown-dialog"}
