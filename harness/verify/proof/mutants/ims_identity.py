"""Who and where, told wrongly: identities, access, instance, addressing (RFC 3325, RFC 7315, RFC 7255)."""

from __future__ import annotations

from harness.evidence.timeline import Layer
from harness.verify.proof.flows.registration import INSTANCE, UUID
from harness.verify.proof.flows.sip import ASKS
from harness.verify.proof.messages import ANONYMOUS, FAR, ROUTE, UE, UE_CONTACT
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script

CELL = "utran-cell-id-3gpp=0010100010000001"
OTHER_UUID = "urn:uuid:11111111-2222-4333-8444-555555555555"
BY_NR = {"port": "p", "command": "AT+COPS?", "lines": ['+COPS: 0,2,"00101",11'], "final": "OK"}


def shown_as_anonymous(script: Script) -> Script:
    """A text of who is not shown, that asks for notifications all the same."""
    script.steps = script.steps[:2]
    script.everywhere(f"From: <{FAR}>", f"From: <{ANONYMOUS}>")
    return script.body(0, script.steps[0].text.partition("\r\n\r\n")[2])


MUTANTS = [
    Mutant(
        "ims.ppi.form",
        HANDSET,
        "pager_mo",
        lambda s: s.line(0, "P-Preferred-Identity: <sip:+491700000001@example.org;user=phone>"),
    ),
    Mutant(
        "ims.ppi.from-consistent",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, "Identity: <sip:+491700000001", "Identity: <sip:+491700000003"),
    ),
    Mutant("ims.pai.present", NETWORK, "pager_mt", lambda s: s.without(0, "P-Asserted-Identity")),
    Mutant(
        "ims.pai.present",
        NETWORK,
        "pager_mt",
        lambda s: s.sub(0, "<tel:+491700000002>", "<sip:a@example.org>"),
    ),
    Mutant("ims.pani.present", HANDSET, "pager_mo", lambda s: s.without(0, "P-Access-Network-Info")),
    Mutant("ims.pani.present", HANDSET, "pager_mt", lambda s: s.without(1, "P-Access-Network-Info")),
    Mutant(
        "ims.pani.not-allowed",
        HANDSET,
        "cancelled_mo",
        lambda s: s.line(3, f"P-Access-Network-Info: 3GPP-E-UTRAN-FDD;{CELL}"),
    ),
    Mutant(
        "ims.pani.not-allowed",
        HANDSET,
        "refused_mo",
        lambda s: s.line(3, f"P-Access-Network-Info: 3GPP-E-UTRAN-FDD;{CELL}"),
    ),
    Mutant(
        "ims.pani.unprotected",
        HANDSET,
        "register",
        lambda s: s.line(0, f"P-Access-Network-Info: 3GPP-E-UTRAN-FDD;{CELL}"),
    ),
    Mutant("ims.pani.syntax", HANDSET, "pager_mo", lambda s: s.sub(0, f";{CELL}", f";{CELL};=x")),
    Mutant(
        "ims.pani.syntax", HANDSET, "pager_mo", lambda s: s.sub(0, f";{CELL}", f";{CELL};local-time-zone=UTC")
    ),
    Mutant("ims.pani.ecgi-length", HANDSET, "pager_mo", lambda s: s.sub(0, CELL, CELL[:-2])),
    Mutant(
        "ims.sip-instance.form",
        HANDSET,
        "register",
        lambda s: s.everywhere("49015420-323751-0", "490154203237518", 0, 2),
    ),
    Mutant(
        "ims.sip-instance.spare-zero",
        HANDSET,
        "register",
        lambda s: s.everywhere("323751-0", "323751-8", 0, 2),
    ),
    Mutant(
        "ims.sip-instance.non-register",
        HANDSET,
        "options_mt",
        lambda s: s.sub(1, "5060>;", f"5060>;{INSTANCE};"),
    ),
    Mutant(
        "ims.request-uri.public",
        HANDSET,
        "refused_mo",
        lambda s: s.everywhere(
            "INVITE sip:+491700000002@example.org;user=phone",
            "INVITE sip:+491700000002@10.0.0.1;user=phone",
            0,
        ).everywhere(
            "ACK sip:+491700000002@example.org;user=phone", "ACK sip:+491700000002@10.0.0.1;user=phone", 3
        ),
    ),
    Mutant(
        "ims.request-uri.public",
        HANDSET,
        "refused_mo",
        lambda s: s.everywhere("INVITE sip:+491700000002", "INVITE sip:+491700000003", 0).everywhere(
            "ACK sip:+491700000002", "ACK sip:+491700000003", 3
        ),
    ),
    Mutant(
        "ims.user-phone",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(
            0,
            "Identity: <sip:+491700000001@example.org;user=phone>",
            "Identity: <sip:+491700000001@example.org>",
        ),
    ),
    Mutant(
        "ims.imsi-derived",
        HANDSET,
        "refused_mo",
        lambda s: s.everywhere(
            "<sip:+491700000001@example.org;user=phone>", "<sip:001010000000001@example.org>", 0, 1, 2, 3
        ),
    ),
    Mutant("ims.user-agent", HANDSET, "pager_mo", lambda s: s.sub(0, "IM-client/OMA1.0 ", "")),
    Mutant(
        "ims.sip-instance.form",
        HANDSET,
        "register",
        lambda s: s.everywhere(
            '"<urn:gsma:imei:49015420-323751-0>"', '"urn:gsma:imei:49015420-323751-0"', 0, 2
        ),
    ),
    Mutant(
        "ims.user-phone",
        HANDSET,
        "refused_mo",
        lambda s: s.everywhere(f"<{UE}>", "<sip:001010000000001@example.org;user=phone>", 0, 1, 2, 3),
        ("ims.imsi-derived",),
        "an IMSI where a public identity belongs",
    ),
    Mutant(
        "ims.ppi.registered",
        HANDSET,
        "capable",
        lambda s: s.everywhere(f"<{UE}>", "<sip:+491700000003@example.org;user=phone>", 10, 11),
    ),
    Mutant(
        "ims.pani.access-type", HANDSET, "pager_mo", lambda s: s.sub(0, "3GPP-E-UTRAN-FDD", "IEEE-802.11")
    ),
    Mutant("ims.pani.access-type", HANDSET, "pager_mo", lambda s: s.saw(0.0, Layer.AT, "command", **BY_NR)),
    Mutant(
        "ims.sip-instance.no-svn",
        HANDSET,
        "register",
        lambda s: s.everywhere("323751-0>", "323751-0;svn=01>", 0, 2),
    ),
    Mutant("ims.sip-instance.identical", HANDSET, "register", lambda s: s.sub(2, "323751-0>", "323752-0>")),
    Mutant(
        "ims.sip-instance.uuid-alternative",
        HANDSET,
        "restarted",
        lambda s: s.everywhere(UUID, OTHER_UUID, 12, 14),
    ),
    Mutant("ims.sip-instance.consistent", HANDSET, "restarted", lambda s: s.sub(4, UUID, OTHER_UUID)),
    Mutant("ims.privacy.anonymous", HANDSET, "anonymous_mo", lambda s: s.without(0, "Privacy")),
    Mutant(
        "ims.privacy.anonymous",
        HANDSET,
        "anonymous_mo",
        lambda s: s.everywhere("anonymous.invalid>;tag", "example.org>;tag", 0, 1),
    ),
    Mutant(
        "ims.privacy.anonymous", HANDSET, "anonymous_mo", lambda s: s.sub(0, "6k\r\n", f"6k\r\n{ASKS}\r\n")
    ),
    Mutant(
        "ims.privacy.anonymous",
        HANDSET,
        "anonymous_mo",
        lambda s: s.sub(0, "\r\n\r\nFrom: <sip:anonymous@anonymous.invalid>", f"\r\n\r\nFrom: <{UE}>"),
    ),
    Mutant(
        "ims.request-uri.contact-mt",
        NETWORK,
        "capable",
        lambda s: s.sub(8, f"OPTIONS {UE_CONTACT}", "OPTIONS sip:+491700000001@10.0.0.7:5060"),
    ),
    Mutant("ims.request-uri.contact-mt", NETWORK, "capable", lambda s: s.without(8, "P-Called-Party-ID")),
    Mutant(
        "ims.route.service-route",
        HANDSET,
        "capable",
        lambda s: s.sub(12, ROUTE, "Route: <sip:10.0.0.1:5060;lr>"),
    ),
    Mutant(
        "ims.route.service-route",
        HANDSET,
        "capable",
        lambda s: s.sub(12, ROUTE, "Route: <sip:orig@scscf.example.org;lr>, <sip:10.0.0.1:5060;lr>"),
    ),
    Mutant("ims.privacy.anonymous", NETWORK, "pager_mt", shown_as_anonymous),
    Mutant(
        "ims.user-phone",
        NETWORK,
        "options_mt",
        lambda s: s.everywhere(f"To: <{UE}>", "To: <sip:+491700000001@example.org>", 0, 1),
    ),
]
