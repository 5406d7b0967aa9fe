"""SDP rules: one slip, one finding. Offers and answers are those of chat sessions (conftest)."""

from __future__ import annotations

import pytest

from harness.verify.engine import Verifier
from harness.verify.proof.flows.media import MEDIA_FLOWS

H, N = "handset", "network"
UE_PATH = "a=path:msrp://10.0.0.5:9/k3Jx8Qw2Zr7Lt5Yv9Bn1;tcp\r\n"
FAR_PATH = "a=path:msrp://10.0.0.1:20000/p4Mz6Hs8Dc2Vf0Gk7Ja3;tcp\r\n"
TYPES = "a=accept-types:message/cpim application/im-iscomposing+xml\r\n"
WRAPPED = "a=accept-wrapped-types:text/plain message/imdn+xml\r\n"


SECOND = (
    "m=message 9 TCP/MSRP *\r\na=path:msrp://10.0.0.5:9/h8Fd2Sa6Pq0Wm4Ec9Xz5;tcp\r\na=setup:active\r\n"
    "a=accept-types:message/cpim application/im-iscomposing+xml\r\n"
    "a=accept-wrapped-types:text/plain message/imdn+xml\r\n"
)
REFUSED = "m=message 0 TCP/MSRP *\r\n"
AUDIO = "a=sendrecv\r\nm=audio {} RTP/AVP 0\r\n"

# rule, party, flow, what is changed in which step to what
TABLE = [
    ("sdp.order", H, "session_mo", 0, "s=-\r\nc=IN IP4 10.0.0.5\r\n", "c=IN IP4 10.0.0.5\r\ns=-\r\n"),
    ("sdp.order", N, "session_mo", 3, "a=sendrecv\r\n", "x=1\r\na=sendrecv\r\n"),
    ("sdp.order", H, "session_mo", 0, "a=sendrecv\r\n", "\r\na=sendrecv\r\n"),
    ("sdp.order", H, "session_mo", 0, "m=message", "i=one\r\ni=two\r\nm=message"),
    ("sdp.required", H, "session_mo", 0, "t=0 0\r\n", ""),
    ("sdp.required", N, "session_mt", 0, "v=0\r\n", "v=1\r\n"),
    ("sdp.required", H, "session_mo", 0, "s=-\r\n", "s=-\r\ns=x\r\n"),
    ("sdp.required", H, "session_mo", 0, "c=IN IP4 10.0.0.5\r\n", ""),
    ("sdp.s-not-empty", H, "session_mo", 0, "s=-\r\n", "s=\r\n"),
    ("sdp.crlf", H, "session_mo", 0, "t=0 0\r\n", "t=0 0\n"),
    ("sdp.o-numeric", H, "session_mo", 0, "o=- 1 1 IN IP4", "o=- 1a 1 IN IP4"),
    ("sdp.o-numeric", N, "session_mo", 3, "o=- 1 1 IN IP4", "o=- 1 1 IN IP6"),
    ("sdp.o-numeric", N, "session_mo", 3, "o=- 1 1 IN IP4", "o=- 9223372036854775808 1 IN IP4"),
    ("sdp.direction-once", H, "session_mo", 0, "a=sendrecv\r\n", "a=sendrecv\r\na=sendrecv\r\n"),
    ("sdp.m.message", H, "session_mo", 0, "TCP/MSRP *", "TCP/MSRP 0"),
    ("sdp.m.message", N, "session_mt", 0, "TCP/MSRP *", "TCP/MSRP * 0"),
    ("sdp.m.message", N, "session_mt", 0, "m=message 20000", "m=message twenty"),
    ("sdp.path.present", H, "session_mo", 0, UE_PATH, ""),
    ("sdp.path.present", H, "session_mo", 0, UE_PATH, "a=path\r\n"),
    ("sdp.path.present", N, "session_mo", 3, FAR_PATH, ""),
    ("sdp.path.one-line", H, "session_mo", 0, UE_PATH, UE_PATH + UE_PATH),
    ("sdp.path.uri", H, "session_mo", 0, "10.0.0.5:9/k3Jx8Qw2Zr7Lt5Yv9Bn1;tcp", "10.0.0.5:9;tcp"),
    ("sdp.path.uri", H, "session_mo", 0, "10.0.0.5:9/", "10.0.0.5/"),
    ("sdp.path.uri", N, "session_mo", 3, "Ja3;tcp", "Ja3"),
    ("sdp.path.uri", N, "session_mo", 3, "Ja3;tcp", "Ja3;udp"),
    ("sdp.path.uri", N, "session_mo", 3, "a=path:msrp://", "a=path:http://"),
    ("sdp.path.uri", N, "session_mo", 3, "a=path:msrp://10", "a=path:msrp://me:secret@10"),
    (
        "sdp.path.uri",
        N,
        "session_mo",
        3,
        "a=path:msrp://10.0.0.1:20000/p4Mz",
        "a=path:msrp://10.0.0.1:20000/p4M$",
    ),
    ("sdp.path.session-id-entropy", H, "session_mo", 0, "k3Jx8Qw2Zr7Lt5Yv9Bn1", "k3Jx8Qw2Zr7Lt"),
    ("sdp.path.session-id-entropy", N, "session_mt", 0, "p4Mz6Hs8Dc2Vf0Gk7Ja3", "iau39soe2843z"),
    ("sdp.accept-types.present", H, "session_mo", 0, TYPES, ""),
    ("sdp.accept-types.present", H, "session_mo", 0, "message/cpim app", "message/cpim, app"),
    ("sdp.accept-types.present", H, "session_mo", 0, "message/cpim app", "message/cpim  app"),
    (
        "sdp.accept-types.cpim",
        H,
        "session_mo",
        0,
        "types:message/cpim application",
        "types:multipart/mixed application",
    ),
    (
        "sdp.accept-wrapped.needs-container",
        N,
        "session_mo",
        3,
        "types:text/plain",
        "types:message/cpim text/plain",
    ),
    ("sdp.max-size", N, "session_mo", 3, "a=sendrecv", "a=max-size:2 MB\r\na=sendrecv"),
    ("sdp.setup.present", H, "session_mo", 0, "a=setup:active\r\n", ""),
    ("sdp.setup.present", N, "session_mo", 3, "a=setup:passive\r\n", ""),
    ("sdp.setup.offer-values", N, "session_mt", 0, "a=setup:actpass", "a=setup:passive"),
    ("sdp.setup.offer-values", N, "session_mt", 0, "a=setup:actpass", "a=setup:holdconn"),
    ("sdp.setup.offer-values", N, "session_mt", 0, "a=setup:actpass", "a=setup:both"),
    ("sdp.setup.pair", N, "session_mo", 3, "a=setup:passive", "a=setup:active"),
    ("sdp.setup.pair", N, "session_mo", 3, "a=setup:passive", "a=setup:both"),
    ("sdp.setup.connection-attr", H, "session_mo", 0, "a=sendrecv", "a=connection:new\r\na=sendrecv"),
    ("sdp.m.port-path", N, "session_mo", 3, "m=message 20000", "m=message 20001"),
    ("sdp.m.port9-active", H, "session_mo", 0, "10.0.0.5:9/", "10.0.0.5:8881/"),
    ("sdp.c.matches-path", N, "session_mo", 3, "c=IN IP4 10.0.0.1", "c=IN IP4 10.0.0.2"),
    ("sdp.c.matches-path", H, "session_mo", 0, "msrp://10.0.0.5", "msrp://[2001:db8::5]"),
    ("sdp.cema.attr", H, "session_mo", 0, "a=sendrecv", "a=msrp-cema:yes\r\na=sendrecv"),
    ("sdp.cema.attr", H, "session_mo", 0, "a=setup:active\r\n", "a=msrp-cema\r\n"),
    ("sdp.t-equal", N, "session_mo", 3, "t=0 0", "t=1 0"),
    ("sdp.o-differs", N, "session_mo", 3, "o=- 1 1 IN IP4 10.0.0.1", "o=- 1 1 IN IP4 10.0.0.5"),
    ("sdp.m-count", N, "session_mo", 3, "a=sendrecv\r\n", "a=sendrecv\r\nm=audio 0 RTP/AVP 0\r\n"),
    ("session.sdp.accept-types", H, "session_mo", 0, " application/im-iscomposing+xml", ""),
    ("session.sdp.wrapped-types", H, "session_mo", 0, " message/imdn+xml", ""),
    ("session.sdp.direction", N, "session_mo", 3, "a=sendrecv", "a=recvonly"),
    ("session.sdp.cosmetic", H, "session_mo", 0, "s=-", "s=SS VOIP"),
    ("session.tls", H, "session_mo", 0, "a=path:msrp:", "a=path:msrps:"),
    ("session.tls.other", N, "session_mo", 3, "a=path:msrp:", "a=path:msrps:"),
]
# The same where one change does not do: the findings of each party, flow, (step, what, to what) ...
SEVERAL = [
    (
        {("sdp.path.real-address", N)},
        "session_mo",
        [(3, "message 20000", "message 9"), (3, "msrp://10.0.0.1:20000", "msrp://10.0.0.1:9")],
    ),
    (
        {("sdp.path.real-address", N)},
        "session_mo",
        [(3, "msrp://10.0.0.1", "msrp://0.0.0.0"), (3, "c=IN IP4 10.0.0.1", "c=IN IP4 0.0.0.0")],
    ),
    (
        {("sdp.setup.pair", H)},
        "session_mt",
        [
            (2, "a=setup:active", "a=setup:actpass"),
            (2, "message 9", "message 8881"),
            (2, "10.0.0.5:9/", "10.0.0.5:8881/"),
        ],
    ),
    (
        {("sdp.m-proto-equal", H)},
        "session_mt",
        [
            (2, "TCP/MSRP", "TCP/TLS/MSRP"),
            (2, "msrp://", "msrps://"),
            (2, "a=setup", f"a=fingerprint:sha-1 {':'.join(['4A'] * 20)}\r\na=setup"),
        ],
    ),
    (
        {("session.tls.fingerprint", H)},
        "refused_mo",
        [(0, "TCP/MSRP", "TCP/TLS/MSRP"), (0, "msrp://", "msrps://")],
    ),
    (
        {("sdp.types.intersection", N), ("sdp.accept-types.cpim", N)},
        "session_mo",
        [
            (3, TYPES, "a=accept-types:text/plain message/imdn+xml application/im-iscomposing+xml\r\n"),
            (3, WRAPPED, ""),
            (0, " application/im-iscomposing+xml", ""),
            (0, "types:text/plain", "types:application/im-iscomposing+xml text/plain"),
        ],
    ),
    ({("session.sdp.media", H)}, "refused_mo", [(0, "TCP/MSRP *", "TCP/BFCP *")]),
    (
        {("session.sdp.media.single", H)},
        "session_mo",
        [(0, "a=sendrecv\r\n", AUDIO.format(4000)), (3, "a=sendrecv\r\n", AUDIO.format(0))],
    ),
    (
        {("session.sdp.media.single", H)},
        "session_mo",
        [(0, "a=sendrecv\r\n", f"a=sendrecv\r\n{SECOND}"), (3, "a=sendrecv\r\n", f"a=sendrecv\r\n{REFUSED}")],
    ),
    (
        {("session.sdp.media.single", H), ("sdp.m-count", N)},
        "session_mo",
        [(0, "a=sendrecv\r\n", f"a=sendrecv\r\n{SECOND}")],
    ),
    (
        {("sdp.direction-pair", N), ("session.sdp.direction", N), ("session.sdp.direction", H)},
        "session_mo",
        [(0, "a=sendrecv", "a=inactive"), (3, "a=sendrecv", "a=sendonly")],
    ),
    (
        {("sdp.m.port-nonzero", H)},
        "refused_mo",
        [(0, "message 9", "message 0")],
    ),
    (
        {("sdp.cema.answerer-mismatch", H), ("sdp.c.matches-path", N)},
        "session_mt",
        [
            (0, "c=IN IP4 10.0.0.1", "c=IN IP4 10.0.0.99"),
            (2, "a=sendrecv", "a=msrp-cema\r\na=sendrecv"),
        ],
    ),
]


def judged_as(script, profile="rcs51"):
    verifier = Verifier(profile)
    verifier.judge(script.timeline())
    return {(finding.rule, finding.party.value) for finding in verifier.findings}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}-{row[5][:20]!r}")
def test_a_slip_gives_its_finding_alone(row, flow):
    rule, party, name, index, old, new = row
    assert judged_as(flow(name).sub(index, old, new)) == {(rule, party)}


@pytest.mark.parametrize("row", SEVERAL, ids=lambda row: "-".join(sorted(rule for rule, _ in row[0])))
def test_slips_in_several_places_give_their_findings_alone(row, flow):
    expected, name, changes = row
    script = flow(name)
    for change in changes:
        script.sub(*change)
    assert judged_as(script) == expected


@pytest.mark.parametrize("profile", ["ietf", "rcs51", "up2"])
@pytest.mark.parametrize("name", MEDIA_FLOWS)
def test_what_is_done_right_gives_nothing(name, profile):
    assert judged_as(MEDIA_FLOWS[name](), profile) == set()


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
    ("old", "new", "faults"),
    [
        ("o=- 1 1", "o=- 1 1", set()),
        ("o=- 1 1", "o=- 1 2", set()),
        ("o=- 1 1", "o=- 1 3", {("sdp.o-version", H)}),
        ("o=- 1 1", "o=- 2 1", {("sdp.o-version", H)}),
        ("a=sendrecv", "a=sendonly", {("sdp.o-version", H), ("sdp.direction-pair", N)}),
        ("o=- 1 1 IN IP4 10.0.0.5\r\ns=-", "o=- 1 2 IN IP4 10.0.0.5\r\ns=chat", set()),
    ],
)
def test_a_later_offer_counts_up_when_it_changes_something(flow, old, new, faults):
    script = flow("session_mo")
    for index, source in ((5, 0), (6, 3)):
        script.line(index, "Content-Type: application/sdp")
        script.body(index, script.steps[source].text.partition("\r\n\r\n")[2])
    assert judged_as(script.sub(5, old, new)) == faults


def test_a_session_id_that_a_refresh_repeats_is_reported_once(flow):
    script = flow("session_mo").sub(0, "k3Jx8Qw2Zr7Lt5Yv9Bn1", "k3Jx8Qw2")
    script.line(5, "Content-Type: application/sdp")
    script.body(5, script.steps[0].text.partition("\r\n\r\n")[2])
    script.line(6, "Content-Type: application/sdp")
    script.body(6, script.steps[3].text.partition("\r\n\r\n")[2])
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
