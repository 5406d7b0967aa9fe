"""Pager rules: each is broken by one spoiled message and by nothing else of its group."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.cpm.services import Service
from harness.evidence.timeline import Address, Packet
from harness.verify.engine import Verifier, VerifySettings
from harness.verify.proof.flows.sip import LIST_BODY
from harness.verify.proof.messages import FAR, ICSI, PPS
from harness.verify.proof.mutants.pager import with_text


def own(found):
    return [(rule, party) for rule, party in found if rule.startswith("pager.")]


def test_a_contact_fails_only_under_the_letter(flow):
    for profile, severity, fails in (
        ("rcs51", "INFO", False),
        ("ietf", "MUST", True),
        ("up2", "INFO", False),
    ):
        script = flow("pager_mo").line(0, "Contact: <sip:a@10.0.0.5>")
        found = [f for f in Verifier(profile).judge(script.timeline()) if f.rule == "pager.no-contact"]
        assert [(finding.severity, finding.fails) for finding in found] == [(severity, fails)]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("P-Asserted-Service", "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg"),
        ("Accept-Contact", '*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"'),
    ],
)
def test_of_sms_over_ip_the_header_is_told_that_names_the_service(flow, header, value):
    script = flow("sms_over_ip").line(0, f"{header}: {value}")
    found = [each for each in Verifier().judge(script.timeline()) if each.rule == "pager.legacy-sms"]
    assert [(each.where.header, each.actual) for each in found] == [
        (header, "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg")
    ]


def test_a_message_to_a_list_is_clean(flow, judged):
    assert own(judged(flow("pager_list"))) == []


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE resource-lists SYSTEM "http://far.invalid/x.dtd">',
        '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
    ],
)
def test_a_list_with_a_document_type_is_told_and_never_followed(flow, declared):
    script = flow("pager_list").sub(0, "<resource-lists ", f"{declared}<resource-lists ")
    found = [each for each in Verifier("rcs51").judge(script.timeline()) if each.rule == "pager.list.require"]
    assert [(each.severity, each.fails) for each in found] == [("SHOULD", False)]


@pytest.mark.parametrize(
    ("disposition", "wrong"), [(";handling=optional", 0), ("", 1), (";handling=required", 1)]
)
def test_a_list_shown_to_a_receiver_is_optional(flow, judged, disposition, wrong):
    script = flow("pager_mt")
    script.steps = script.steps[:2]
    shown = LIST_BODY.replace("recipient-list\r", f"recipient-list-history{disposition}\r")
    script.sub(0, "Content-Type: message/cpim", "Content-Type: multipart/mixed;boundary=b1").body(0, shown)
    rules = [rule for rule, _ in judged(script)]
    assert rules.count("session.group.history-handling") == wrong


@pytest.mark.parametrize("size", [1299, 1300])
def test_content_up_to_the_limit_is_clean(flow, judged, size):
    assert own(judged(with_text(flow("pager_mo"), size))) == []


def test_content_above_the_limit_of_a_handset_that_registered_large_mode(flow):
    """What the lab knows to be enabled is the least there is: the registration tells more."""
    script, text = flow("register"), with_text(flow("pager_mo"), 1301)
    for place in (0, 2):
        script.sub(place, f"{ICSI}session", f"{ICSI}largemsg")
    script.steps += text.steps
    settings = VerifySettings(icsis=frozenset({Service.PAGER.icsi}))
    findings = Verifier("rcs51", settings).judge(script.timeline())
    assert [f.rule for f in findings if f.rule.startswith("pager.")] == ["pager.switch-to-large"]


def test_large_content_in_large_mode_is_clean(flow, judged):
    script = flow("session_mo").sub(0, f"{PPS}session", f"{PPS}largemsg")
    script.sub(0, "a=sendrecv", "a=sendonly\r\na=file-selector:size:1301")
    assert own(judged(script)) == []


def second_message(script, at):
    copy = script.steps[0].text
    for old, new in (("z9hG4bKmoa", "z9hG4bKmoz"), ("calla9d8f", "callz9d8f"), ("froma81c2", "fromz81c2")):
        copy = copy.replace(old, new)
    copy = copy.replace("Msg1aB2cD3eF4gH5iJ6k", "Msg9aB2cD3eF4gH5iJ6k").replace(
        "hello, world", "hullo, world"
    )
    return script.copy(0, at, text=copy)


def test_a_message_after_the_answer(flow, judged):
    assert own(judged(second_message(flow("pager_mo"), 2))) == []


def test_a_message_after_the_first_timed_out(flow, judged):
    script = second_message(flow("pager_mo"), 1).change(1, after=33.0)
    assert own(judged(script)) == []


def test_a_message_elsewhere_while_one_is_pending(flow, judged):
    script = second_message(flow("pager_mo"), 1).sub(1, f"MESSAGE {FAR}", "MESSAGE tel:+491700000003")
    assert own(judged(script)) == []


def test_a_message_passed_on_by_a_proxy_on_the_same_host_is_the_same_message(flow, judged):
    """RFC 3261 16.6 step 8: the proxy's Via is on top, the earlier one below it."""
    script = flow("pager_mo")
    passed_on = script.steps[0].text.replace(
        "\r\nVia: ", "\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKproxy\r\nVia: ", 1
    )
    assert passed_on.count("Via: ") == script.steps[0].text.count("Via: ") + 1
    assert own(judged(script.copy(0, 1, text=passed_on))) == []


def test_sms_over_ip_is_none_of_these_rules(flow, judged):
    script = flow("pager_mo").sub(0, "message/cpim", "application/vnd.3gpp.sms").body(0, "\x00\x01")
    script.without(0, "P-Preferred-Service").without(0, "Accept-Contact")
    assert own(judged(script)) == []


@pytest.mark.parametrize(("after", "wrong"), [(0.1, False), (3.9, False), (4.5, True)])
def test_a_message_is_answered_without_its_user(flow, judged, after, wrong):
    rules = judged(flow("pager_mt").change(1, after=after))
    assert (("pager.final-response", "handset") in rules) is wrong


@pytest.mark.parametrize("lines", [("Expires: 0",), ("Expires: 60", "Date: Tue, 14 Nov 2023 22:13:20 GMT")])
def test_an_expires_of_zero_needs_no_date(flow, judged, lines):
    assert own(judged(flow("pager_mo").line(0, *lines))) == []


def test_a_service_is_looked_for_only_where_a_registration_was_seen(flow, judged):
    assert own(judged(flow("pager_mt"))) == []
    long_ago = flow("registered_pager_mt").everywhere("expires=600000", "expires=5", 0, 2, 3)
    long_ago.everywhere(f"{ICSI}msg,", "", 0, 2).change(8, after=60.0)
    assert "pager.mt.accept-contact" not in {rule for rule, _ in judged(long_ago)}


def test_what_another_handset_registered_says_nothing(flow):
    """A text to B, whose registration nobody saw, while A registered chats alone."""
    script = flow("registered_pager_mt").everywhere(f"{ICSI}msg,", "", 0, 2)
    other = flow("pager_mt").everywhere("+491700000001", "+491700000007").everywhere("10.0.0.5", "10.0.0.7")
    script.steps[8:] = other.steps
    verifier = Verifier()
    verifier.judge(
        replace(entry, source=moved(entry.source), destination=moved(entry.destination))
        if isinstance(entry, Packet) and entry.number > 9
        else entry
        for entry in script.timeline()
    )
    assert "pager.mt.accept-contact" not in {each.rule for each in verifier.findings}
    assert verifier.exercised["pager.final-response"] > 0


def moved(address):
    return Address("10.0.0.7", address.port) if address.host == "10.0.0.5" else address


def test_a_revocation_of_what_was_not_captured_is_left_open(flow):
    script = flow("revoked_mo")
    script.steps = [*script.steps[:8], *script.steps[14:]]
    verifier = Verifier("up2")
    verifier.judge(script.timeline())
    assert "revoke.type" in {each.rule for each in verifier.open}
    assert [each for each in verifier.findings if each.rule.startswith("revoke.")] == []


def test_a_text_about_locations_is_none(flow, judged):
    text = "see urn:gsma:params:xml:ns:rcs:rcs:geolocation"
    script = (
        flow("pager_mo")
        .sub(0, "hello, world", text)
        .sub(0, "Content-Length: 12", f"Content-Length: {len(text)}")
    )
    assert "geo.push.type" not in {rule for rule, _ in judged(script)}
