"""Rules on the SDP of files, large and deferred messages: one slip, one finding (flows of media_flows.py)."""

from __future__ import annotations

import pytest

from harness.verify.engine import Verifier
from harness.verify.proof.flows.media import MEDIA_FLOWS, SELECTOR, TRANSFER_ID

H, N = "handset", "network"
HASH = SELECTOR[SELECTOR.index("hash:") :]
RANGE = "a=file-range:1-32349\r\n"
DATE = 'a=file-date:creation:"Mon, 15 May 2006 15:01:31 +0300"'
CPIM = "a=accept-types:message/cpim\r\n"

# rule, party, flow, what is changed in which step to what
TABLE = [
    ("ft.push.direction", N, "push_mo", 3, "a=recvonly", "a=sendrecv"),
    ("ft.push.direction", H, "push_mt", 2, "a=recvonly", "a=sendonly"),
    ("ft.pull.direction", N, "pull_mo", 3, "a=sendonly", "a=recvonly"),
    ("ft.selector.present", N, "push_mo", 3, f"a={SELECTOR}\r\n", ""),
    ("ft.selector.present", N, "push_mo", 3, f"a={SELECTOR}\r\n", f"a={SELECTOR}\r\na={SELECTOR}\r\n"),
    ("ft.selector.rcs-set", N, "push_mt", 0, " size:32349", ""),
    ("ft.selector.syntax", N, "push_mo", 3, "type:image/jpeg", "type:image"),
    ("ft.selector.syntax", N, "push_mo", 3, "type:image/jpeg", "type:image/jpeg  "),
    ("ft.selector.syntax", N, "push_mo", 3, "size:32349", "size:32349 size:32349"),
    ("ft.selector.syntax", N, "push_mo", 3, "size:32349", "size:032349"),
    ("ft.selector.syntax", N, "pull_mo", 3, ":CE:2E", ":CE"),
    ("ft.selector.hex-case", N, "push_mo", 3, HASH, "hash:sha-1:" + HASH[11:].lower()),
    ("ft.selector.copied", N, "push_mo", 3, "size:32349", "size:32350"),
    ("ft.selector.copied", H, "push_mt", 2, "type:image/jpeg ", ""),
    ("ft.id.present", N, "push_mo", 3, f"a={TRANSFER_ID}\r\n", ""),
    ("ft.id.present", H, "push_mt", 2, "vBnG916bdberum2fFEABR1FR3ExZMUrd", "another"),
    ("ft.disposition", N, "push_mo", 3, "a=recvonly", "a=file-disposition:attachment\r\na=recvonly"),
    ("ft.disposition", H, "push_mo", 0, "disposition:attachment", "disposition:attachment; x"),
    ("ft.disposition.value", H, "push_mo", 0, "disposition:attachment", "disposition:icon"),
    ("ft.date", H, "push_mo", 0, "+0300", "GMT"),
    ("ft.date", H, "push_mo", 0, "Mon, 15", "Tue, 15"),
    ("ft.date", H, "push_mo", 0, "creation:", "made:"),
    ("ft.date", N, "push_mo", 3, "a=recvonly", f"{DATE}\r\na=recvonly"),
    ("ft.icon.push-answer", N, "push_mo", 3, "a=recvonly", "a=file-icon:cid:id2@example.com\r\na=recvonly"),
    ("ft.range.form", N, "push_mo", 3, RANGE, ""),
    ("ft.range.form", N, "push_mo", 3, RANGE, "a=file-range:1-32348\r\n"),
    ("ft.range.form", N, "push_mo", 3, RANGE, "a=file-range:0-32349\r\n"),
    ("ft.range.answer-only", H, "push_mt", 2, "a=recvonly", "a=file-range:1-32349\r\na=recvonly"),
    ("large.sdp.direction.answer", N, "large_mo", 3, "a=recvonly", "a=sendrecv"),
    ("large.sdp.accept-types", H, "large_mt", 2, "a=accept-wrapped-types:*\r\n", ""),
    ("large.sdp.file-selector", H, "large_mo", 0, "a=file-selector:size:2500\r\n", ""),
    ("deferred.direction.answer", N, "deferred_mo", 3, "a=sendonly", "a=sendrecv"),
]
# The same for both descriptions: the findings, flow, [(step, what, to what) ...]
SEVERAL = [
    ({("ft.push.direction", N)}, "push_mt", [(0, "a=sendonly", "a=sendrecv")]),
    (
        {("ft.selector.present", N), ("ft.selector.rcs-set", N)},
        "push_mt",
        [(0, f" type:image/jpeg size:32349 {HASH}", ""), (2, f" type:image/jpeg size:32349 {HASH}", "")],
    ),
    (
        {("ft.selector.name-safe", N)},
        "push_mt",
        [(0, "My cool picture.jpg", "../My cool.jpg"), (2, "My cool picture.jpg", "../My cool.jpg")],
    ),
    (
        {("ft.selector.on-reject", H)},
        "push_mt",
        [(2, "message 9", "message 0"), (2, "size:32349", "size:1")],
    ),
    (
        {("ft.id.random", N)},
        "push_mt",
        [(index, "vBnG916bdberum2fFEABR1FR3ExZMUrd", "0123456789") for index in (0, 2)],
    ),
    (
        {("ft.accept-types.value", H)},
        "push_mt",
        [(2, "a=accept-wrapped-types:*", "a=accept-wrapped-types:text/plain")],
    ),
    (
        {("large.sdp.direction", H), ("ims.p-preferred-service.value", H)},
        "large_mo",
        [(0, "a=sendonly", "a=sendrecv")],
    ),
    (
        {("deferred.direction", H), ("ims.p-preferred-service.value", H)},
        "deferred_mo",
        [(0, "a=recvonly", "a=sendrecv")],
    ),
]


def judged_as(script, profile="rcs51"):
    verifier = Verifier(profile)
    verifier.judge(script.timeline())
    return {(finding.rule, finding.party.value) for finding in verifier.findings}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}-{row[5][:24]!r}")
def test_a_slip_gives_its_finding_alone(row):
    rule, party, name, index, old, new = row
    assert judged_as(MEDIA_FLOWS[name]().sub(index, old, new)) == {(rule, party)}


@pytest.mark.parametrize("row", SEVERAL, ids=lambda row: "-".join(sorted(rule for rule, _ in row[0])))
def test_slips_in_several_places_give_their_findings_alone(row):
    expected, name, changes = row
    script = MEDIA_FLOWS[name]()
    for change in changes:
        script.sub(*change)
    assert judged_as(script) == expected


@pytest.mark.parametrize(
    ("rule", "name", "service", "party"),
    [
        ("ft.icsi", "push_mt", "filetransfer", N),
        ("large.invite.icsi", "large_mt", "largemsg", N),
        ("deferred.icsi", "deferred_mo", "deferred", H),
    ],
)
def test_a_session_under_the_name_of_another_service(rule, name, service, party):
    script = MEDIA_FLOWS[name]().everywhere(f"oma.cpm.{service}", "oma.cpm.msg", 0)
    assert (rule, party) in judged_as(script)


def test_a_chat_under_the_name_of_another_service(flow):
    script = flow("session_mt").everywhere("oma.cpm.session", "oma.cpm.systemmsg", 0, 1, 2)
    assert judged_as(script) == {("session.icsi", N)}


@pytest.mark.parametrize(
    ("selector", "faults"),
    [
        ("file-selector:size:32349", set()),
        ('file-selector:size:32349 name:"My cool picture.jpg"', {("ft.id.selector-change", H)}),
        (SELECTOR.replace("size:32349", "size:32350"), {("ft.id.selector-change", H)}),
    ],
)
def test_an_id_stands_for_one_file(selector, faults):
    script = MEDIA_FLOWS["push_mo"]()
    body = script.steps[0].text.partition("\r\n\r\n")[2].replace("o=- 1 1", "o=- 1 2")
    if faults and "name" in selector and "type" not in selector:
        selector = selector.replace("cool", "other")
    script.line(5, "Content-Type: application/sdp").body(5, body.replace(SELECTOR, selector))
    found = {(rule, party) for rule, party in judged_as(script) if rule.startswith("ft.id")}
    assert found == faults


LEGAL = [
    ("push_mt", 0, "name:", "x-new:1 name:"),
    ("push_mt", 0, "a=sendonly", "a=file-disposition:RENDER\r\na=sendonly"),
    (
        "push_mt",
        0,
        "a=sendonly",
        'a=file-date:read:"5 May 2006 15:01 +0300" creation:"Mon, 15 May 2006 15:01:31 -0000"\r\na=sendonly',
    ),
    ("push_mt", 2, f" {HASH}", ""),
    ("push_mt", 2, "a=recvonly", "a=inactive"),
    ("push_mt", 2, CPIM, "a=accept-types:message/cpim image/*\r\n"),
    ("push_mo", 3, RANGE, "a=file-range:1-32349\r\na=max-size:20971520\r\n"),
    ("large_mo", 0, "size:2500", "size:2500\r\na=file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd"),
    ("large_mo", 0, "a=accept-wrapped-types:*", "a=accept-wrapped-types:text/plain"),
]


@pytest.mark.parametrize("row", LEGAL, ids=lambda row: f"{row[0]}-{row[3][:30]!r}")
def test_what_the_documents_allow_gives_nothing(row):
    name, index, old, new = row
    assert judged_as(MEDIA_FLOWS[name]().sub(index, old, new)) == set()
