"""Registrations that show, prove, keep and end themselves wrongly (RFC 3310, RFC 3329, RFC 5626)."""

from __future__ import annotations

from dataclasses import replace

from harness.cpm.services import IARI_PREFIX, Service, iari_feature
from harness.evidence.timeline import Layer
from harness.verify.engine import VerifySettings
from harness.verify.proof.flows.registration import (
    AKA_NONCE,
    AUTS,
    CLIENT,
    DIGEST_NONCE,
    DIGEST_RESPONSE,
    EMPTY_PASSWORD,
    SERVER,
    register_aka,
)
from harness.verify.proof.flows.sip import pager_mo
from harness.verify.proof.messages import ICSI, UE, UE_CONTACT
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script, Step

CHAT = f"{IARI_PREFIX}rcse.im"
IMEI = "urn:gsma:imei:49015420-323751-0"
INSTANCE = f';+sip.instance="<{IMEI}>"'


def uuid_beside_imei(script: Script) -> Script:
    """A handset whose modem has told its IMEI registers a UUID."""
    script.everywhere(IMEI, "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
    script.everywhere("REGISTER sip:example.org", "REGISTER sip:ims.mnc001.mcc001.3gppnetwork.org")
    told = {"port": "p", "command": "AT+CGSN", "lines": ["490154203237518"], "final": "OK"}
    return script.saw(0.0, Layer.AT, "command", **told)


def one_number_for_two_flows(script: Script) -> Script:
    """Another flow registers under the number of the first, which is refreshed all the same."""
    attempt, granted = script.steps[2:4]
    script.steps += [attempt, granted, attempt, granted]
    script.everywhere("reg9d8", "other9d8", 8, 9).everywhere("z9hG4bKreg2", "z9hG4bKoth2", 8, 9)
    script.everywhere("z9hG4bKreg2", "z9hG4bKreg3", 10, 11).everywhere("CSeq: 2", "CSeq: 3", 10, 11)
    return script


def gruu_no_longer_supported(script: Script) -> Script:
    """A GRUU is given, and the next REGISTER does not support them."""
    script.sub(3, f"Contact: <{UE_CONTACT}>", f'Contact: <{UE_CONTACT}>;pub-gruu="{UE};gr=urn:gsma:imei"')
    attempt, granted = script.steps[2:4]
    script.steps += [attempt, granted]
    script.everywhere("z9hG4bKreg2", "z9hG4bKreg3", 8, 9).everywhere("CSeq: 2", "CSeq: 3", 8, 9)
    return script.sub(8, ",gruu", "")


def text_when_it_is_over(script: Script) -> Script:
    """The registration ends without a refresh, and the handset sends a text as if nothing were."""
    text, accepted = pager_mo().steps[:2]
    script.steps[8:] = [replace(text, after=1300.0), accepted]
    script.sub(8, "DateTime: 2023-11-14T22:13:20Z", "DateTime: 2023-11-14T22:35:00Z")
    return script


def challenged_with_the_same_vector(script: Script) -> Script:
    """A refresh is challenged with the vector of the registration, and answered as if it were new."""
    script.steps += script.steps[:4]
    script.everywhere("z9hG4bKreg1", "z9hG4bKreg3", 8, 9).everywhere("CSeq: 1", "CSeq: 3", 8, 9)
    return script.everywhere("z9hG4bKreg2", "z9hG4bKreg4", 10, 11).everywhere("CSeq: 2", "CSeq: 4", 10, 11)


MUTANTS = [
    Mutant(
        "reg.contact.one-instance-of-tag",
        HANDSET,
        "register",
        lambda s: s.sub(0, ";expires=600000", ';+G.3GPP.ICSI-REF="x";expires=600000'),
    ),
    Mutant(
        "reg.sip-instance",
        HANDSET,
        "register",
        lambda s: s.sub(0, ';+sip.instance="<urn:gsma:imei:49015420-323751-0>"', ""),
    ),
    Mutant(
        "reg.sip-instance.other-register",
        HANDSET,
        "register",
        lambda s: s.sub(0, ';+sip.instance="<urn:gsma:imei:49015420-323751-0>"', "").sub(0, ",gruu", ""),
    ),
    Mutant(
        "reg.aka.algorithm",
        NETWORK,
        "register_aka",
        lambda s: s.everywhere(AKA_NONCE, AKA_NONCE[:40] + "=", 1, 2),
    ),
    Mutant("reg.aka.algorithm", NETWORK, "register_aka", lambda s: s.everywhere(AKA_NONCE, "*" * 44, 1, 2)),
    Mutant("reg.aka.algorithm", HANDSET, "register_aka", lambda s: s.sub(2, AKA_NONCE, DIGEST_NONCE)),
    Mutant(
        "reg.aka.algorithm",
        HANDSET,
        "register_aka",
        lambda s: s.sub(2, "algorithm=AKAv1-MD5", "algorithm=MD5"),
    ),
    Mutant("reg.aka.algorithm", HANDSET, "register_aka", lambda s: s.sub(2, 'opaque="5ccc', 'opaque="6ccc')),
    Mutant("reg.aka.algorithm", HANDSET, "register_aka", lambda s: s.sub(2, "qop=auth,", "")),
    Mutant(
        "reg.aka.algorithm",
        HANDSET,
        "register_out_of_step",
        lambda s: s.sub(2, AUTS, "AAEC"),
    ),
    Mutant(
        "reg.aka.algorithm",
        HANDSET,
        "register_aka",
        lambda s: s.without(2, "Authorization").without(2, "P-Access-Network-Info"),
    ),
    Mutant("reg.sec-agree", HANDSET, "register_ipsec", lambda s: s.without(0, "Proxy-Require")),
    Mutant("reg.sec-agree", HANDSET, "register_ipsec", lambda s: s.without(2, "Security-Verify")),
    Mutant(
        "reg.sec-agree",
        HANDSET,
        "register_ipsec",
        lambda s: s.sub(2, f"Security-Verify: {SERVER}", "Security-Verify: tls"),
    ),
    Mutant("reg.sec-agree", HANDSET, "register_ipsec", lambda s: s.without(4, "Security-Verify")),
    Mutant("reg.sec-agree", HANDSET, "register_ipsec", lambda s: s.without(4, "Require")),
    Mutant(
        "reg.sec-agree.client-preference",
        HANDSET,
        "register_ipsec",
        lambda s: s.sub(0, f"Security-Client: {CLIENT}", f"Security-Client: {CLIENT};q=0.5"),
    ),
    Mutant(
        "reg.contact.icsi",
        HANDSET,
        "register",
        lambda s: s.everywhere(f"{ICSI}msg,", "", 0, 2),
        settings=VerifySettings(icsis=frozenset({Service.PAGER.icsi})),
    ),
    Mutant("reg.sip-instance", HANDSET, "register_outbound", lambda s: s.everywhere(INSTANCE, "", 0, 2)),
    Mutant("reg.sip-instance", HANDSET, "register", uuid_beside_imei),
    Mutant(
        "reg.sec-agree.absent",
        HANDSET,
        "register_ipsec",
        lambda s: register_aka(),
        settings=VerifySettings(ipsec=True),
    ),
    Mutant(
        "reg.contact.iari", HANDSET, "register", lambda s: s, settings=VerifySettings(iaris=frozenset({CHAT}))
    ),
    Mutant(
        "reg.contact.iari",
        HANDSET,
        "register",
        lambda s: s.everywhere(";expires=600000", f";{iari_feature('rcs.geopush')};expires=600000", 0, 2),
        settings=VerifySettings(iaris=frozenset()),
    ),
    Mutant("reg.reg-id", HANDSET, "register_outbound", lambda s: s.everywhere(";reg-id=1", "", 0, 2)),
    Mutant(
        "reg.reg-id", HANDSET, "register_outbound", lambda s: s.everywhere(";reg-id=1", ";reg-id=0", 0, 2)
    ),
    Mutant("reg.reg-id", HANDSET, "register_outbound", lambda s: s.everywhere(",outbound", "", 0, 2)),
    Mutant("reg.reg-id", HANDSET, "register_outbound", one_number_for_two_flows),
    Mutant("reg.supported", HANDSET, "register_outbound", lambda s: s.everywhere("path,", "", 0, 2)),
    Mutant("reg.supported.gruu", HANDSET, "register", lambda s: s.everywhere("path,", "", 0, 2)),
    Mutant("reg.supported.gruu", HANDSET, "register", gruu_no_longer_supported),
    Mutant(
        "reg.expires", HANDSET, "register", lambda s: s.everywhere(";expires=600000", ";expires=3600", 0, 2)
    ),
    Mutant(
        "reg.expires",
        HANDSET,
        "registered_and_gone",
        lambda s: s.change(8, after=60.0).insert(8, Step(True, "\r\n\r\n", 650.0)),
    ),
    Mutant("reg.expires", HANDSET, "registered_and_gone", text_when_it_is_over),
    Mutant(
        "reg.aka.auts", HANDSET, "register_out_of_step", lambda s: s.sub(2, EMPTY_PASSWORD, DIGEST_RESPONSE)
    ),
    Mutant("reg.aka.auts", HANDSET, "register_aka", challenged_with_the_same_vector),
    Mutant(
        "reg.digest-alternative",
        HANDSET,
        "register_over_tls",
        lambda s: s.drop(2, 3, 4, 5, 6, 7).wait(33.0),
        ("sip.auth.retry",),
        "the same silence, whatever the access",
    ),
    Mutant("reg.event-package", HANDSET, "register", lambda s: s.drop(4, 5, 6, 7).wait(20.0).wait(20.0)),
    Mutant(
        "reg.event-package",
        HANDSET,
        "register",
        lambda s: s.sub(4, "application/reginfo+xml", "application/pidf+xml"),
    ),
    Mutant(
        "reg.deregister",
        HANDSET,
        "registered_and_gone",
        lambda s: s.sub(10, f"Contact: <{UE_CONTACT}>", "Contact: <sip:+491700000001@10.0.0.7:5060>"),
    ),
    Mutant(
        "reg.deregister",
        HANDSET,
        "registered_and_gone",
        lambda s: s.sub(10, f"Contact: <{UE_CONTACT}>", "Contact: *\r\nX-Was: <a>"),
    ),
    Mutant(
        "reg.deregister",
        HANDSET,
        "register",
        lambda s: s.saw(60.0, Layer.ADB, "reboot", serial="a").wait(120.0),
    ),
]
