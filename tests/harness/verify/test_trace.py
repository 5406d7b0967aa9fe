"""The published traces, rebuilt as captures, give exactly the findings of their score cards."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.evidence.capture import capture_to_timeline
from harness.verify.engine import Verifier

SEED = Path(__file__).parents[2] / "corpora/seed"
PAGER = SEED / "pager.pcapng"

HANDSET = {
    "pager.no-contact",
    "ims.sip-instance.non-register",
    "ims.imsi-derived",
    "ims.ids.uuid",
    "ims.user-agent",
    "sip.via.transport-param",
    "sip.header.name-spelling",
}
NETWORK = {
    "imdn.xml.datetime-present",
    "imdn.request.message-id.entropy",
    "cpim.anonymous-mixed",
    "ims.contribution-id.entropy",
    "ims.ids.echo-in-2xx",
    "sip.max-forwards.not-in-response",
    "sip.max-forwards.via-count",
    "sip.record-route.misuse",
    "sip.via.transport-param",
}


@pytest.fixture(params=["rcs51", "ietf"])
def verifier(request):
    made = Verifier(request.param)
    made.judge(capture_to_timeline(PAGER))
    return made


def rules_of(verifier, party):
    return {finding.rule for finding in verifier.findings if finding.party == party}


def test_findings_by_party_are_those_of_the_score_card(verifier):
    assert rules_of(verifier, "handset") == HANDSET
    assert rules_of(verifier, "network") == NETWORK
    assert rules_of(verifier, "unknown") == rules_of(verifier, "lab") == set()


def test_what_fails_a_run_depends_on_the_profile(verifier):
    failing = {(finding.rule, finding.party.value) for finding in verifier.findings if finding.fails}
    expected = {("imdn.xml.datetime-present", "network")}
    if verifier.profile == "ietf":
        expected |= {("pager.no-contact", "handset"), ("ims.sip-instance.non-register", "handset")}
    assert failing == expected


def test_severities_are_those_of_the_score_card(verifier):
    heavy = {
        finding.rule: finding.severity.value for finding in verifier.findings if finding.severity != "INFO"
    }
    by_letter = {"pager.no-contact": "MUST", "ims.sip-instance.non-register": "MUST"}
    assert heavy == {
        "ims.imsi-derived": "SHOULD",
        "imdn.xml.datetime-present": "MUST",
        "imdn.request.message-id.entropy": "SHOULD",
        "ims.ids.echo-in-2xx": "SHOULD",
        "sip.max-forwards.not-in-response": "SHOULD",
        **(by_letter if verifier.profile == "ietf" else {}),
    }


def test_a_finding_points_at_header_and_octet(verifier):
    finding = next(item for item in verifier.findings if item.rule == "pager.no-contact")
    assert (finding.where.label, finding.where.header) == ("MESSAGE #1", "Contact")
    packet = next(iter(capture_to_timeline(PAGER)))
    assert packet.data[finding.where.octet :].startswith(b"Contact: <sip:00101")
