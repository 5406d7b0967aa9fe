"""What is right in a registration and may look wrong, and what only the lab knows."""

from __future__ import annotations

import pytest

from harness.cpm.services import Service
from harness.evidence.timeline import Layer
from harness.verify.engine import Verifier, VerifySettings
from harness.verify.proof.flows.registration import (
    SERVER,
    register_aka,
    register_ipsec,
    register_outbound,
    register_over_tls,
    registered_and_gone,
)
from harness.verify.proof.flows.sip import register
from harness.verify.proof.mutants.registration import uuid_beside_imei


def found(script, **known):
    verifier = Verifier("rcs51", VerifySettings(**known))
    return [(f.rule, f.severity) for f in verifier.judge(script.timeline()) if f.rule.startswith("reg.")]


def test_the_order_of_parameters_in_security_verify_is_free():
    other = SERVER.replace(";q=0.9;alg=hmac-sha-1-96", "; alg=hmac-sha-1-96 ;q=0.9")
    assert found(register_ipsec().sub(2, f"Security-Verify: {SERVER}", f"Security-Verify: {other}")) == []


def test_a_rejected_network_is_answered_with_an_empty_response():
    script = register_aka().sub(2, 'response="6629fae49393a05397450978507c4ef1"', 'response=""')
    assert found(script) == []


def test_the_icsis_of_the_configuration_are_announced():
    wanted = frozenset({Service.PAGER.icsi, Service.SESSION.icsi})
    assert found(register(), icsis=wanted) == []
    assert found(register(), icsis=wanted | {Service.LARGE.icsi}) == [("reg.contact.icsi", "SHOULD")] * 2


def test_sec_agree_asked_for_by_the_configuration():
    assert found(register_ipsec(), ipsec=True) == []
    assert found(register_over_tls(), ipsec=True) == []


def test_a_uuid_of_a_handset_that_has_an_imei_is_remarked():
    untold = uuid_beside_imei(register())
    untold.seen.clear()
    assert found(untold) == []
    assert found(uuid_beside_imei(register())) == [("reg.sip-instance", "INFO")] * 2


def test_a_flow_begun_anew_takes_its_number_again():
    """After a restart the numbers are those of before, under another Call-ID (RFC 5626 4.2.1)."""
    script = register_outbound()
    script.steps += script.steps[2:4]
    script.everywhere("reg9d8", "anew9d8", 8, 9).everywhere("z9hG4bKreg2", "z9hG4bKanew2", 8, 9)
    assert found(script.everywhere("CSeq: 2", "CSeq: 1", 8, 9)) == []


@pytest.mark.parametrize(("expires", "rules"), [("0", []), ("600000", ["reg.deregister"])])
def test_all_contacts_at_once_are_only_removed(expires, rules):
    script = registered_and_gone()
    contact = next(line for line in script.steps[10].text.split("\r\n") if line.startswith("Contact"))
    script.sub(10, contact, f"Contact: *\r\nExpires: {expires}")
    assert [rule for rule, _ in found(script)] == rules


def test_who_was_deregistered_is_not_asked_to_when_switched_off():
    script = registered_and_gone().saw(700.0, Layer.AT, "command", command="AT+CFUN=0").wait(100.0)
    assert found(script) == []
    script = registered_and_gone().saw(630.0, Layer.AT, "command", command="AT+CFUN=0").wait(100.0)
    assert found(script) == []  # told just before it takes the registration back


def test_a_late_refresh_of_a_handset_that_was_away_is_no_finding():
    script = registered_and_gone().change(8, after=900.0)
    assert found(script) == []
