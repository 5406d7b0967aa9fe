"""SDP rules: what is legal, and what weighs otherwise by profile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.bodies.sdp_attributes import certificate_fingerprint
from harness.verify.engine import Verifier
from harness.verify.proof.flows.negotiation import CERTIFICATES, chat_over_tls, offered_again

FAR_PATH = "a=path:msrp://10.0.0.1:20000/p4Mz6Hs8Dc2Vf0Gk7Ja3;tcp\r\n"
TYPES = "a=accept-types:message/cpim application/im-iscomposing+xml\r\n"
WRAPPED = "a=accept-wrapped-types:text/plain message/imdn+xml\r\n"


def judged_as(script, profile="rcs51"):
    verifier = Verifier(profile)
    verifier.judge(script.timeline())
    return {(finding.rule, finding.party.value) for finding in verifier.findings}


def test_what_may_not_be_offered_with_cema_weighs_more_by_the_letter(flow):
    script = flow("session_mt").sub(0, "a=setup:actpass", "a=setup:passive\r\na=msrp-cema")
    script.sub(2, "a=sendrecv", "a=msrp-cema\r\na=sendrecv")
    for profile, expected in (
        ("rcs51", {("sdp.setup.offer-values", "MUST", True)}),
        (
            "ietf",
            {("sdp.setup.offer-values", "SHOULD", False), ("sdp.setup.offer-values.cema", "MUST", True)},
        ),
    ):
        verifier = Verifier(profile)
        found = verifier.judge(script.timeline())
        assert {(item.rule, item.severity.value, item.fails) for item in found} == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("o=- 1 1", "o=- 1 1"),
        ("o=- 1 1", "o=- 1 2"),
        ("o=- 1 1 IN IP4 10.0.0.5\r\ns=-", "o=- 1 2 IN IP4 10.0.0.5\r\ns=chat"),
    ],
)
def test_a_later_offer_counts_up_when_it_changes_something(flow, old, new):
    assert judged_as(offered_again(flow("session_mo")).sub(5, old, new)) == set()


def test_a_session_id_that_a_refresh_repeats_is_reported_once(flow):
    script = offered_again(flow("session_mo").sub(0, "k3Jx8Qw2Zr7Lt5Yv9Bn1", "k3Jx8Qw2"))
    verifier = Verifier()
    assert [item.rule for item in verifier.judge(script.timeline())] == ["sdp.path.session-id-entropy"]


def test_a_host_name_of_the_path_is_not_compared_with_an_address(flow):
    script = flow("session_mo").sub(3, "msrp://10.0.0.1:", "msrp://bob.example.com:")
    verifier = Verifier()
    assert verifier.judge(script.timeline()) == []
    assert [item.rule for item in verifier.open] == ["sdp.c.matches-path"]


IPV6 = [
    ("10.0.0.1", "2001:0:0:1::2"),
    ("msrp://2001:0:0:1::2", "msrp://[2001:0000:0000:0001:0000:0000:0000:0002]"),
]


def test_ipv6_literals_are_compared_as_addresses(flow):
    script = flow("session_mo")
    body = script.steps[3].text.partition("\r\n\r\n")[2]
    for old, new in (("IP4", "IP6"), *IPV6):
        body = body.replace(old, new)
    assert "2001:0000" in body
    assert judged_as(script.body(3, body)) == set()


LEGAL = [
    ("session_mo", 0, "a=setup:active\r\n", "a=msrp-cema\r\na=setup:active\r\n"),
    ("session_mo", 0, "a=sendrecv\r\n", ""),
    ("session_mo", 0, "t=0 0\r\n", "t=0 0\r\na=setup:active\r\na=tool:x\r\n"),
    ("session_mo", 0, "message 9", "message 8881"),
    ("session_mo", 3, "a=sendrecv", "a=max-size:20971520\r\na=chatroom\r\na=x-any:thing\r\na=sendrecv"),
    ("session_mo", 3, TYPES + WRAPPED, "a=accept-types:*\r\n"),
    ("session_mo", 3, TYPES + WRAPPED, "a=accept-types:message/* text/*;charset=utf-8 application/*\r\n"),
    ("session_mo", 3, FAR_PATH, f"a=path:msrp://relay.example.com:2855/x1;tcp {FAR_PATH[len('a=path:') :]}"),
    ("session_mo", 3, "Ja3;tcp", "Ja3;TCP;some=thing"),
    ("session_mo", 3, "a=path:msrp:", "a=path:MSRP:"),
    ("session_mt", 0, "a=setup:actpass", "a=setup:active"),
    ("session_mt", 0, "s=-", "s= "),
    ("session_mt", 0, "c=IN IP4", "i=Chat with voicemail@example.com\r\nu=http://example.com\r\nc=IN IP4"),
]


@pytest.mark.parametrize("row", LEGAL, ids=lambda row: repr(row[3][:30]))
def test_what_the_documents_allow_gives_nothing(row, flow):
    name, index, old, new = row
    script = flow(name).sub(index, old, new)
    if "8881" in new:
        script.sub(0, "10.0.0.5:9/", "10.0.0.5:8881/")
    if row[3].startswith("a=setup:active") and name == "session_mt":
        script.sub(2, "a=setup:active", "a=setup:passive")
        script.sub(2, "message 9", "message 8881").sub(2, "10.0.0.5:9/", "10.0.0.5:8881/")
    assert judged_as(script) == set()


def test_a_refused_stream_needs_neither_path_nor_setup(flow):
    script = flow("session_mo").body(
        3, "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nt=0 0\r\nm=message 0 TCP/MSRP *\r\n"
    )
    assert judged_as(script) == set()


def test_without_the_handshake_a_certificate_is_not_judged():
    script = chat_over_tls()
    script.seen.clear()
    verifier = Verifier()
    assert verifier.judge(script.timeline()) == []
    assert {item.rule for item in verifier.open} == {"sdp.fingerprint"}


@pytest.mark.parametrize(
    "lines",
    [
        [certificate_fingerprint(CERTIFICATES[0], "sha-1")],
        [str(certificate_fingerprint(CERTIFICATES[0])).lower()],
        [certificate_fingerprint(b"another one"), certificate_fingerprint(CERTIFICATES[0])],
    ],
)
def test_a_certificate_may_be_announced_in_other_ways(lines):
    """RFC 8122 5, 5.1: by several hash functions, and for several certificates."""
    own = f"a=fingerprint:{certificate_fingerprint(CERTIFICATES[0])}\r\n"
    script = chat_over_tls().sub(0, own, "".join(f"a=fingerprint:{line}\r\n" for line in lines))
    assert judged_as(script) == set()


def test_a_fingerprint_may_stand_for_the_session():
    own = f"a=fingerprint:{certificate_fingerprint(CERTIFICATES[0])}\r\n"
    script = chat_over_tls().sub(0, own, "").sub(0, "t=0 0\r\n", f"t=0 0\r\n{own}")
    assert judged_as(script) == set()


def test_a_client_may_show_no_certificate():
    """RFC 6135 4.3: without mutual authentication the server tells its client by the session."""
    script = chat_over_tls()
    fields = {name: value for name, value in script.seen[0].fields.items() if name != "certificate"}
    script.seen[0] = replace(script.seen[0], fields=fields)
    assert judged_as(script) == set()


def test_an_address_that_stun_told_is_reachable(flow):
    """RFC 6135 4.2.2: from behind a NAT a handset may offer to listen at the address outside."""
    script = flow("session_mo").everywhere("10.0.0.5:5060;branch", "192.168.1.7:5060;branch")
    for old, new in (("active", "actpass"), ("message 9", "message 8881"), ("10.0.0.5:9/", "10.0.0.5:8881/")):
        script.sub(0, old, new)
    assert judged_as(script) == set()
