"""IMS headers in other forms that are right, and what a profile sees otherwise."""

from __future__ import annotations

import pytest

from harness.evidence.timeline import Layer
from harness.verify.engine import Verifier
from harness.verify.proof.flows.registration import INSTANCE, UUID
from harness.verify.proof.messages import UE, UE_CONTACT
from harness.verify.proof.mutants.ims_identity import CELL, OTHER_UUID
from harness.verify.proof.mutants.ims_service import second_text


def test_two_texts_of_one_conversation_are_no_finding(flow, judged):
    assert judged(second_text(flow("pager_mo"))) == []


@pytest.mark.parametrize(
    "access",
    [
        "IEEE-802.11;i-wlan-node-id=00aabbccddee",
        "3GPP-NR-TDD;utran-cell-id-3gpp=00101000001000000001",
        "GSTN",
    ],
)
def test_other_accesses_are_no_finding(access, flow, judged):
    script = flow("pager_mo").sub(0, f"3GPP-E-UTRAN-FDD;{CELL}", access)
    assert judged(script) == []


def test_imei_outside_register_is_a_must_by_the_letter_only(flow, judged):
    found = {}
    for profile in ("ietf", "rcs51"):
        verifier = Verifier(profile)
        script = flow("options_mt").sub(1, "5060>;", f"5060>;{INSTANCE};")
        found[profile] = [(item.severity.value, item.fails) for item in verifier.judge(script.timeline())]
    assert found == {"ietf": [("MUST", True)], "rcs51": [("INFO", False)]}


def test_headers_of_cpm_are_not_asked_of_simple_im(flow, judged):
    names = ("P-Preferred-Service", "Accept-Contact", "Conversation-ID")
    missing = {f"ims.{name.lower()}.present" for name in names}
    script = flow("refused_mo")
    for name in names:
        script.without(0, name)
    assert missing <= {rule for rule, _ in judged(script)}
    script.line(0, "Accept-Contact: *;+g.oma.sip-im").sub(0, ";+g.3gpp.icsi-ref=", ";+g.oma.sip-im;x=")
    assert judged(script) == []


@pytest.mark.parametrize(
    ("told", "access"),
    [
        (7, "3GPP-NR-TDD;utran-cell-id-3gpp=00101000001000000001"),
        (7, "IEEE-802.11;i-wlan-node-id=00aabbccddee"),
        (13, CELL),
    ],
)
def test_a_modem_tells_of_one_radio_at_the_time_it_is_asked(told, access, flow, judged):
    command = {"command": "AT+COPS?", "lines": [f'+COPS: 0,2,"00101",{told}'], "final": "OK"}
    script = flow("pager_mo").saw(0.0, Layer.AT, "command", **command)
    if access != CELL:
        script.sub(0, f"3GPP-E-UTRAN-FDD;{CELL}", access)
    expected = [("ims.pani.access-type", "handset")] if "NR" in access else []
    assert judged(script) == expected
    assert judged(script.change(0, after=90.0)) == []


def test_two_devices_behind_one_address_have_instances_of_their_own(flow, judged):
    script = flow("restarted").everywhere("@10.0.0.5:5060>;+sip", "@10.0.0.5:5062>;+sip", 12, 14)
    script.sub(15, UE_CONTACT, UE_CONTACT.replace("5060", "5062")).everywhere(UUID, OTHER_UUID, 4)
    script.seen.clear()
    assert ("ims.sip-instance.consistent", "handset") in judged(script)
    script.sub(4, UE_CONTACT, UE_CONTACT.replace("5060", "5064"))
    assert "ims.sip-instance.consistent" not in dict(judged(script))


@pytest.mark.parametrize("written", [f"<{UUID.upper().replace('URN:UUID', 'urn:uuid')}>", f"<{UUID}>"])
def test_a_uuid_compares_without_case(written, flow, judged):
    assert judged(flow("restarted").sub(4, f"<{UUID}>", written)) == []


@pytest.mark.parametrize("identity", ["<tel:+491700000001>", f"<{UE}>, <tel:+49-1700-000001>"])
def test_a_registered_identity_may_be_named_in_its_other_form(identity, flow, judged):
    script = flow("capable").sub(10, f"P-Preferred-Identity: <{UE}>", f"P-Preferred-Identity: {identity}")
    assert judged(script) == []


def test_the_request_uri_may_have_parameters_of_its_own_or_be_a_gruu(flow, judged):
    for uri in (f"{UE_CONTACT};transport=tcp", "sip:+491700000001@example.org;user=phone;gr=1"):
        assert judged(flow("capable").sub(8, f"OPTIONS {UE_CONTACT}", f"OPTIONS {uri}")) == []


def test_the_network_has_taken_privacy_out(flow, judged):
    script = flow("pager_mt")
    script.steps = script.steps[:2]
    script.everywhere(
        "From: <sip:+491700000002@example.org;user=phone>", "From: <sip:anonymous@anonymous.invalid>"
    )
    script.body(0, script.steps[0].text.partition("\r\n\r\n")[2])
    asked = "imdn.Disposition-Notification: positive-delivery, display\r\n"
    assert judged(script) == [("ims.privacy.anonymous", "network")]
    assert judged(script.sub(0, asked, "")) == []


def test_handsets_behind_one_address_are_told_apart_by_who_they_are(flow, judged):
    """The registration of another handset says nothing about this one."""
    other = flow("registered_and_gone").everywhere("+491700000001", "+491700000009")
    other.steps = other.steps[:4]
    other.everywhere("reg9d8", "oth9d8").everywhere("z9hG4bKreg", "z9hG4bKoth").everywhere("scscf", "other")
    script = flow("capable")
    script.steps[4:4] = other.steps
    assert judged(script) == []


def test_a_user_agent_may_register_several_contacts(flow, judged):
    """Each has an instance, and both come again (RFC 3261 10.2.1)."""
    script = flow("restarted")
    script.steps = script.steps[:4]
    more = f', <sip:+491700000001@10.0.0.5:5070>;+sip.instance="<{OTHER_UUID}>";expires=600000'
    for index in (0, 2):
        script.sub(index, ";expires=600000", f";expires=600000{more}")
    script.seen.clear()
    assert judged(script) == []
