"""One slip, one finding: every IMS rule of the first release has a message that breaks it alone."""

from __future__ import annotations

import pytest

from harness.verify.catalogue import load_catalogue

H, N = "handset", "network"
PPS = "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm."
ICSI = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm."
TAG = f'+g.3gpp.icsi-ref="{ICSI}msg"'
CELL = "utran-cell-id-3gpp=0010100010000001"
INSTANCE = '+sip.instance="<urn:gsma:imei:49015420-323751-0>"'
OTHER = "11111111-2222-4333-8444-555555555555"


def second_text(script):
    """Another text of the handset later on, with an IMDN id of its own."""
    script.steps = [*script.steps[:2], *script.steps[:2]]
    for index in (2, 3):
        script.everywhere("z9hG4bKmoa", "z9hG4bKmoz", index).everywhere("calla", "callz", index)
        script.everywhere("Msg1aB2cD3eF4gH5iJ6k", "Msg9aB2cD3eF4gH5iJ6k", index)
        script.everywhere("000000000001\r\n", "000000000099\r\n", index)
    return script


TABLE = [
    ("ims.p-preferred-service.present", H, "pager_mo", lambda s: s.without(0, "P-Preferred-Service")),
    (
        "ims.p-preferred-service.plain-urn",
        H,
        "pager_mo",
        lambda s: s.sub(0, f"{PPS}msg", f"P-Preferred-Service: {ICSI}msg"),
    ),
    (
        "ims.p-preferred-service.plain-urn",
        H,
        "pager_mo",
        lambda s: s.sub(0, f"{PPS}msg", f'P-Preferred-Service: "{PPS[21:]}msg"'),
    ),
    (
        "ims.p-preferred-service.plain-urn",
        H,
        "pager_mo",
        lambda s: s.sub(0, f"{PPS}msg", f"{PPS}msg\r\n{PPS}msg"),
    ),
    (
        "ims.p-preferred-service.value",
        H,
        "session_mo",
        lambda s: s.sub(0, f"{PPS}session", f"{PPS}session.x"),
    ),
    ("ims.p-preferred-service.not-in-response", N, "pager_mo", lambda s: s.line(1, f"{PPS}msg")),
    ("ims.p-preferred-service.not-in-response", H, "session_mo", lambda s: s.line(7, f"{PPS}session")),
    (
        "ims.ppi.form",
        H,
        "pager_mo",
        lambda s: s.line(0, "P-Preferred-Identity: <sip:+491700000001@example.org;user=phone>"),
    ),
    (
        "ims.ppi.from-consistent",
        H,
        "pager_mo",
        lambda s: s.sub(0, "Identity: <sip:+491700000001", "Identity: <sip:+491700000003"),
    ),
    ("ims.pai.present", N, "pager_mt", lambda s: s.without(0, "P-Asserted-Identity")),
    ("ims.pai.present", N, "pager_mt", lambda s: s.sub(0, "<tel:+491700000002>", "<sip:a@example.org>")),
    ("ims.pani.present", H, "pager_mo", lambda s: s.without(0, "P-Access-Network-Info")),
    ("ims.pani.present", H, "pager_mt", lambda s: s.without(1, "P-Access-Network-Info")),
    (
        "ims.pani.not-allowed",
        H,
        "cancelled_mo",
        lambda s: s.line(3, "P-Access-Network-Info: 3GPP-E-UTRAN-FDD"),
    ),
    ("ims.pani.not-allowed", H, "refused_mo", lambda s: s.line(3, "P-Access-Network-Info: 3GPP-E-UTRAN-FDD")),
    (
        "ims.pani.unprotected",
        H,
        "register",
        lambda s: s.line(0, f"P-Access-Network-Info: 3GPP-E-UTRAN-FDD;{CELL}"),
    ),
    ("ims.pani.syntax", H, "pager_mo", lambda s: s.sub(0, f";{CELL}", f";{CELL};=x")),
    ("ims.pani.syntax", H, "pager_mo", lambda s: s.sub(0, f";{CELL}", f";{CELL};local-time-zone=UTC")),
    ("ims.pani.ecgi-length", H, "pager_mo", lambda s: s.sub(0, CELL, CELL[:-2])),
    (
        "ims.accept-contact.present",
        H,
        "pager_mo",
        lambda s: s.without(0, "Accept-Contact"),
        {("pager.accept-contact.icsi", H)},
    ),
    (
        "ims.accept-contact.present.network",
        N,
        "pager_mt",
        lambda s: s.without(0, "Accept-Contact"),
        {("pager.accept-contact.icsi", N)},
    ),
    ("ims.accept-contact.grammar", H, "pager_mo", lambda s: s.sub(0, TAG, f"{TAG};require;require")),
    ("ims.accept-contact.grammar", H, "pager_mo", lambda s: s.sub(0, TAG, f"{TAG};{TAG}")),
    (
        "ims.accept-contact.icsi-encoding",
        H,
        "pager_mo",
        lambda s: s.sub(
            0,
            'Accept-Contact: *;+g.3gpp.icsi-ref="urn%3Aurn-7%3A',
            'Accept-Contact: *;+g.3gpp.icsi-ref="urn:urn-7:',
        ),
    ),
    (
        "ims.accept-contact.icsi-encoding.needless",
        H,
        "pager_mo",
        lambda s: s.sub(0, TAG, TAG.replace("oma.cpm", "oma%2Ecpm")),
    ),
    (
        "ims.accept-contact.tag-name",
        H,
        "pager_mo",
        lambda s: s.sub(0, "+g.3gpp.icsi-ref", "+g.3gpp.icsi_ref"),
        {("pager.accept-contact.icsi", H)},
    ),
    (
        "ims.accept-contact.tag-extra",
        H,
        "pager_mo",
        lambda s: s.sub(0, TAG, f"{TAG};{TAG.replace('icsi-ref', 'app_ref')}"),
    ),
    ("ims.accept-contact.list", H, "pager_mo", lambda s: s.sub(0, TAG, TAG[:-1] + f', {ICSI}largemsg"')),
    (
        "ims.accept-contact.equals-pps",
        H,
        "pager_mo",
        lambda s: s.sub(0, TAG, TAG.replace("oma.cpm.msg", "oma.cpm.largemsg")),
        {("pager.accept-contact.icsi", H)},
    ),
    (
        "ims.contact.feature-tag",
        H,
        "refused_mo",
        lambda s: s.sub(0, f'5060>;+g.3gpp.icsi-ref="{ICSI}session"', "5060>"),
    ),
    (
        "ims.contact.feature-tag.network",
        N,
        "session_mo",
        lambda s: s.sub(2, f';+g.3gpp.icsi-ref="{ICSI}session"', ""),
    ),
    (
        "ims.contact.feature-tag-match",
        H,
        "refused_mo",
        lambda s: s.sub(
            0, f'5060>;+g.3gpp.icsi-ref="{ICSI}session"', f'5060>;+g.3gpp.icsi-ref="{ICSI}largemsg"'
        ),
    ),
    (
        "ims.sip-instance.form",
        H,
        "options_mt",
        lambda s: s.sub(1, "5060>;", '5060>;+sip.instance="urn:gsma:imei:49015420-323751-0";'),
        {("ims.sip-instance.non-register", H)},
    ),
    (
        "ims.sip-instance.form",
        H,
        "register",
        lambda s: s.everywhere("49015420-323751-0", "490154203237518", 0, 2),
    ),
    ("ims.sip-instance.spare-zero", H, "register", lambda s: s.everywhere("323751-0", "323751-8", 0, 2)),
    ("ims.sip-instance.non-register", H, "options_mt", lambda s: s.sub(1, "5060>;", f"5060>;{INSTANCE};")),
    ("ims.request-disposition", H, "pager_mo", lambda s: s.without(0, "Request-Disposition")),
    ("ims.request-disposition", H, "pager_mo", lambda s: s.sub(0, "no-fork", "no-fork, fork")),
    ("ims.conversation-id.present", H, "refused_mo", lambda s: s.without(0, "Conversation-ID")),
    (
        "ims.conversation-id.stable",
        H,
        "pager_mo",
        lambda s: second_text(s).everywhere("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", OTHER, 2, 3),
    ),
    ("ims.contribution-id.present", H, "refused_mo", lambda s: s.without(0, "Contribution-ID")),
    (
        "ims.contribution-id.present",
        H,
        "pager_mo",
        lambda s: second_text(s).everywhere("000000000099\r\n", "000000000001\r\n", 2, 3),
    ),
    (
        "ims.contribution-id.entropy",
        N,
        "pager_mt",
        lambda s: s.everywhere("0b0f8f6e-1111-4aaa-8bbb-00000000000d", "f415972d55", 0, 1),
    ),
    (
        "ims.ids.uuid",
        H,
        "pager_mo",
        lambda s: s.everywhere(
            "0b0f8f6e-1111-4aaa-8bbb-000000000001", "0b0f8f6e11114aaa8bbb000000000001", 0, 1
        ),
    ),
    ("ims.ids.echo-in-2xx", N, "session_mo", lambda s: s.without(3, "Contribution-ID")),
    ("ims.ids.echo-in-2xx", H, "pager_mt", lambda s: s.without(1, "Conversation-ID")),
    ("ims.inreplyto", H, "pager_mt", lambda s: s.line(2, f"InReplyTo-Contribution-ID: {OTHER}")),
    (
        "ims.request-uri.public",
        H,
        "refused_mo",
        lambda s: s.everywhere(
            "INVITE sip:+491700000002@example.org;user=phone",
            "INVITE sip:+491700000002@10.0.0.1;user=phone",
            0,
        ).everywhere(
            "ACK sip:+491700000002@example.org;user=phone", "ACK sip:+491700000002@10.0.0.1;user=phone", 3
        ),
    ),
    (
        "ims.request-uri.public",
        H,
        "refused_mo",
        lambda s: s.everywhere("INVITE sip:+491700000002", "INVITE sip:+491700000003", 0).everywhere(
            "ACK sip:+491700000002", "ACK sip:+491700000003", 3
        ),
    ),
    (
        "ims.user-phone",
        H,
        "pager_mo",
        lambda s: s.sub(
            0,
            "Identity: <sip:+491700000001@example.org;user=phone>",
            "Identity: <sip:+491700000001@example.org>",
        ),
    ),
    (
        "ims.imsi-derived",
        H,
        "refused_mo",
        lambda s: s.everywhere(
            "<sip:+491700000001@example.org;user=phone>", "<sip:001010000000001@example.org>", 0, 1, 2, 3
        ),
    ),
    ("ims.user-agent", H, "pager_mo", lambda s: s.sub(0, "IM-client/OMA1.0 ", "")),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}-{row[2]}")
def test_a_slip_gives_its_finding_alone(row, flow, judged):
    rule, party, name, spoil, *others = row
    assert set(judged(spoil(flow(name)))) == {(rule, party), *(others[0] if others else ())}


def test_every_ims_rule_of_the_first_release_has_a_mutant():
    due = {rule.id for rule in load_catalogue().values() if rule.id.startswith("ims.") and rule.priority == 1}
    assert due <= {row[0] for row in TABLE}


def test_two_texts_of_one_conversation_are_no_finding(flow, judged):
    assert judged(second_text(flow("pager_mo"))) == []


def test_an_answer_to_a_message_may_name_its_contribution_id(flow, judged):
    script = flow("pager_mt").line(2, "InReplyTo-Contribution-ID: 0b0f8f6e-1111-4aaa-8bbb-00000000000d")
    assert judged(script) == []


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
    from harness.verify.engine import Verifier

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
