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
    "ims.p-asserted-service",
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
    practice = {"cpim.content-length.present"} if verifier.profile != "ietf" else set()
    assert rules_of(verifier, "handset") == HANDSET
    assert rules_of(verifier, "network") == NETWORK | practice
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


# Rule -> severity under rcs51, and under ietf where that differs ("": not evaluated).
SESSION = {
    "handset": {
        "sip.udp-1300": ("MUST",),
        "sdp.m.port9-active": ("INFO", "SHOULD"),
        "session.sdp.cosmetic": ("INFO",),
        "ims.p-early-media": ("INFO",),
        "ims.ids.uuid": ("INFO",),
        "ims.user-agent": ("INFO",),
        "sip.via.transport-param": ("INFO",),
    },
    "network": {
        "imdn.xml.datetime-value": ("INFO", "MUST fails"),
        "sdp.path.session-id-entropy": ("MUST",),
        "ims.ids.echo-in-2xx": ("SHOULD",),
        "sip.allow.in-2xx": ("SHOULD",),
        "sdp.cema.session-match": ("INFO",),
        "msrp.tid.pattern": ("INFO",),
    },
}
FILE_TRANSFER = {
    "handset": {
        "pager.no-contact": ("INFO", "MUST fails"),
        "ims.sip-instance.non-register": ("INFO", "MUST fails"),
        "sip.max-forwards.not-in-response": ("SHOULD",),
        "sip.100.no-pani": ("INFO",),
        "sip.contact.bye-response": ("INFO",),
        "sip.require.unlisted-accepted": ("INFO",),
        "imdn.same-conversation": ("SHOULD",),
        "imdn.feature-tag": ("INFO",),
        "ims.ppi.from-consistent": ("INFO",),
        "ims.imsi-derived": ("SHOULD",),
        "ims.ids.uuid": ("INFO",),
        "ims.user-agent": ("INFO",),
        "ft.range.answer-only": ("INFO",),
        "sdp.accept-types.cpim.ft": ("SHOULD",),
        "sip.via.transport-param": ("INFO",),
        "msrp.tid.entropy": ("MUST",),
    },
    "network": {
        "sip.udp-1300": ("MUST",),
        "sdp.setup.offer-values": ("MUST fails", "SHOULD"),
        "sdp.setup.offer-values.cema": ("", "MUST fails"),
        "sdp.path.session-id-entropy": ("MUST",),
        "session.group.require-misuse": ("INFO",),
        "ims.pai.present": ("INFO",),
        "ims.p-asserted-service": ("INFO",),
        "sip.allow.in-invite": ("SHOULD",),
        "sip.supported.invite": ("SHOULD",),
        "ims.contribution-id.entropy": ("INFO",),
        "imdn.request.message-id.entropy": ("SHOULD",),
        "sip.reason.text-matches": ("INFO",),
        "sip.record-route.misuse": ("INFO",),
        "sip.max-forwards.not-in-response": ("SHOULD",),
        "ims.ids.echo-in-2xx": ("SHOULD",),
        "msrp.tid.entropy": ("MUST",),
        "msrp.byte-range.end-total": ("MUST fails",),
        "ft.selector.hex-case": ("INFO",),
        "sip.via.transport-param": ("INFO",),
    },
}


@pytest.mark.parametrize("profile", ["rcs51", "ietf"])
@pytest.mark.parametrize(
    ("name", "card"), [("session", SESSION), ("filetransfer", FILE_TRANSFER)], ids=["session", "filetransfer"]
)
def test_a_session_gives_the_findings_of_its_score_card(name, card, profile):
    verifier = Verifier(profile)
    found: dict[str, dict[str, str]] = {"handset": {}, "network": {}}
    for finding in verifier.judge(capture_to_timeline(SEED / f"{name}.pcapng")):
        level = f"{finding.severity}{' fails' if finding.fails else ''}"
        found[finding.party.value][finding.rule] = level
    place = ("rcs51", "ietf").index(profile)
    expected = {
        party: {rule: levels[min(place, len(levels) - 1)] for rule, levels in rules.items()}
        for party, rules in card.items()
    }
    assert found == {
        party: {rule: level for rule, level in rules.items() if level} for party, rules in expected.items()
    }


def test_what_only_the_rest_of_the_capture_could_tell_is_not_verifiable():
    verifier = Verifier()
    verifier.judge(capture_to_timeline(SEED / "filetransfer.pcapng"))
    assert sorted((item.rule, item.where.label) for item in verifier.open) == [
        ("ft.selector.size", "MSRP message 4a041ca324, SEND #9"),
        ("msrp.response.tid", "200 to a request #11"),
        ("msrp.response.tid", "200 to a request #12"),
    ]


def test_msrp_of_the_traces_gives_the_findings_of_their_score_cards():
    found = {}
    for name in ("session", "filetransfer"):
        verifier = Verifier("ietf")
        for item in verifier.judge(capture_to_timeline(SEED / f"{name}.pcapng")):
            if item.where.layer == "msrp" and item.rule.startswith(("msrp.", "sdp.cema.")):
                level = f"{item.severity}{' fails' if item.fails else ''}"
                found[name, item.rule, item.party.value, item.where.label] = level
    assert found == {
        ("session", "sdp.cema.session-match", "network", "200 to SEND #9"): "INFO",
        ("session", "msrp.tid.pattern", "network", "SEND #12"): "INFO",
        ("filetransfer", "msrp.tid.entropy", "handset", "SEND #7"): "MUST",
        ("filetransfer", "msrp.tid.entropy", "network", "SEND #9"): "MUST",
        ("filetransfer", "msrp.byte-range.end-total", "network", "SEND #9"): "MUST fails",
    }
