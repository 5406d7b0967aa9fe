"""Registration rules: each is broken by one spoiled message and by nothing else of its group."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.cpm.services import Service
from harness.evidence.timeline import Layer, Transport
from harness.verify.engine import Verifier, VerifySettings

OLD = "dcd98b7102dd2f0e8b11d0f600bfb0c0"
# RAND 00..0f and AUTN 10..1f.
AKA = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
AUTS = "AAECAwQFBgcICQoLDA0="
SERVER = (
    "ipsec-3gpp;q=0.9;alg=hmac-sha-1-96;ealg=null;prot=esp;mod=trans;spi-c=11;spi-s=12;port-c=31;port-s=32"
)
CLIENT = "ipsec-3gpp;alg=hmac-sha-1-96;ealg=null;prot=esp;mod=trans;spi-c=1;spi-s=2;port-c=21;port-s=22"
TAGS = ("Require: sec-agree", "Proxy-Require: sec-agree")


def own(found):
    return [(rule, party) for rule, party in found if rule.startswith("reg.")]


def aka(script):
    script.everywhere(OLD, AKA, 1, 2)
    script.everywhere("algorithm=MD5", "algorithm=AKAv1-MD5", 1, 2)
    return script


def ipsec(script):
    script = aka(script)
    script.line(0, f"Security-Client: {CLIENT}", *TAGS)
    script.line(1, f"Security-Server: {SERVER}")
    script.line(2, f"Security-Client: {CLIENT}", f"Security-Verify: {SERVER}", *TAGS)
    return script.line(4, f"Security-Verify: {SERVER}", *TAGS)


SPOILED = [
    (
        "reg.contact.one-instance-of-tag",
        "handset",
        lambda s: s.sub(0, ";expires=600000", ';+G.3GPP.ICSI-REF="x";expires=600000'),
    ),
    (
        "reg.sip-instance",
        "handset",
        lambda s: s.sub(0, ';+sip.instance="<urn:gsma:imei:49015420-323751-0>"', ""),
    ),
    (
        "reg.sip-instance.other-register",
        "handset",
        lambda s: s.sub(0, ';+sip.instance="<urn:gsma:imei:49015420-323751-0>"', "").sub(0, ",gruu", ""),
    ),
    ("reg.aka.algorithm", "network", lambda s: aka(s).everywhere(AKA, AKA[:40] + "=", 1, 2)),
    ("reg.aka.algorithm", "network", lambda s: aka(s).everywhere(AKA, "*" * 44, 1, 2)),
    ("reg.aka.algorithm", "handset", lambda s: aka(s).sub(2, AKA, OLD)),
    ("reg.aka.algorithm", "handset", lambda s: aka(s).sub(2, "algorithm=AKAv1-MD5", "algorithm=MD5")),
    ("reg.aka.algorithm", "handset", lambda s: aka(s).sub(2, 'opaque="5ccc', 'opaque="6ccc')),
    ("reg.aka.algorithm", "handset", lambda s: aka(s).sub(2, "qop=auth,", "")),
    ("reg.aka.algorithm", "handset", lambda s: aka(s).sub(2, "nc=00000001,", 'nc=00000001,auts="AAEC",')),
    ("reg.aka.algorithm", "handset", lambda s: aka(s).without(2, "Authorization")),
    ("reg.sec-agree", "handset", lambda s: ipsec(s).without(0, "Proxy-Require")),
    ("reg.sec-agree", "handset", lambda s: ipsec(s).without(2, "Security-Verify")),
    (
        "reg.sec-agree",
        "handset",
        lambda s: ipsec(s).sub(2, f"Security-Verify: {SERVER}", "Security-Verify: tls"),
    ),
    ("reg.sec-agree", "handset", lambda s: ipsec(s).without(4, "Security-Verify")),
    ("reg.sec-agree", "handset", lambda s: ipsec(s).without(4, "Require")),
    (
        "reg.sec-agree.client-preference",
        "handset",
        lambda s: ipsec(s).sub(0, f"Security-Client: {CLIENT}", f"Security-Client: {CLIENT};q=0.5"),
    ),
]


@pytest.mark.parametrize(("rule", "party", "spoil"), SPOILED, ids=[case[0] for case in SPOILED])
def test_a_spoiled_message_breaks_exactly_this_rule(flow, judged, rule, party, spoil):
    assert own(judged(spoil(flow("register")))) == [(rule, party)]


@pytest.mark.parametrize("prepare", [lambda s: s, aka, ipsec])
@pytest.mark.parametrize("profile", ["ietf", "rcs51"])
def test_a_right_registration_is_clean(flow, judged, prepare, profile):
    assert own(judged(prepare(flow("register")), profile)) == []


def test_the_order_of_parameters_in_security_verify_is_free(flow, judged):
    other = SERVER.replace(";q=0.9;alg=hmac-sha-1-96", "; alg=hmac-sha-1-96 ;q=0.9")
    script = ipsec(flow("register"))
    assert own(judged(script.sub(2, f"Security-Verify: {SERVER}", f"Security-Verify: {other}"))) == []


def test_a_synchronisation_failure_is_right(flow, judged):
    script = aka(flow("register")).sub(2, "nc=00000001,", f'nc=00000001,auts="{AUTS}",')
    assert own(judged(script)) == []


def test_a_rejected_network_is_answered_with_an_empty_response(flow, judged):
    script = aka(flow("register")).sub(2, 'response="6629fae49393a05397450978507c4ef1"', 'response=""')
    assert own(judged(script)) == []


def test_the_icsis_of_the_configuration_are_announced(flow):
    wanted = frozenset({Service.PAGER.icsi, Service.SESSION.icsi})
    for icsis, expected in ((wanted, []), (wanted | {Service.LARGE.icsi}, ["reg.contact.icsi"] * 2)):
        found = Verifier("rcs51", VerifySettings(icsis=icsis)).judge(flow("register").timeline())
        assert [f.rule for f in found if f.rule.startswith("reg.")] == expected


def test_sec_agree_asked_for_by_the_configuration(flow):
    for prepare, expected in ((lambda s: s, ["reg.sec-agree.absent"]), (ipsec, [])):
        found = Verifier("rcs51", VerifySettings(ipsec=True)).judge(prepare(flow("register")).timeline())
        assert [f.rule for f in found if f.rule.startswith("reg.")] == expected


def test_no_sec_agree_is_asked_for_over_tls(flow):
    script = flow("register")
    for index in range(len(script.steps)):
        script.change(index, transport=Transport.TLS)
    found = Verifier("rcs51", VerifySettings(ipsec=True)).judge(script.timeline())
    assert [f.rule for f in found if f.rule.startswith("reg.")] == []


def test_a_uuid_of_a_handset_that_has_an_imei_is_remarked(flow):
    script = flow("register").everywhere(
        "urn:gsma:imei:49015420-323751-0", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    )
    script.everywhere("REGISTER sip:example.org", "REGISTER sip:ims.mnc001.mcc001.3gppnetwork.org")
    for asked, expected in ((False, []), (True, [("reg.sip-instance", "INFO")] * 2)):
        trace = script.timeline()
        entries = list(trace)
        if asked:
            event = trace.event(
                Layer.AT,
                "command",
                port="p",
                command="AT+CGSN",
                lines=["490154203237518"],
                final="OK",
                at=0.0,
            )
            entries = [_renumbered(event, 1), *(_renumbered(entry, entry.number + 1) for entry in entries)]
        found = Verifier("rcs51").judge(entries)
        assert [(f.rule, f.severity) for f in found if f.rule.startswith("reg.")] == expected


def _renumbered(entry, number):
    return replace(entry, number=number)
