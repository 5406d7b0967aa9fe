"""Group chats: one slip, one finding (flows of group_flows.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.evidence.timeline import Address, Packet, Timeline
from harness.verify.engine import Verifier, VerifySettings
from harness.verify.proof.flows.group import (
    ENTRIES,
    FACTORY,
    FOCUS,
    GROUP_FLOWS,
    GROUP_UE_SDP,
    LISTS,
    adhoc,
    document,
    invited,
    notify,
)
from harness.verify.proof.flows.sip import hop_by_hop
from harness.verify.proof.messages import PANI, UE, UE_CONTACT, answer, h, in_dialog
from harness.verify.proof.script import Script

H, N = "handset", "network"


def judged_as(script, profile="rcs51", settings=None):
    verifier = Verifier(profile, settings)
    verifier.judge(script.timeline())
    return {(finding.rule, finding.party.value) for finding in verifier.findings}


@pytest.mark.parametrize("profile", ["ietf", "rcs51", "up2"])
@pytest.mark.parametrize("name", GROUP_FLOWS)
def test_what_is_done_right_gives_nothing(name, profile):
    assert judged_as(GROUP_FLOWS[name](), profile) == set()


DTD = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\r\n'
XML = '<?xml version="1.0" encoding="UTF-8"?>\r\n'
ONE = '<entry uri="tel:+491700000003" cp:copyControl="to"/>'

# rule, party, flow, what is changed in which step to what
TABLE = [
    ("session.group.adhoc.require", H, "adhoc", 0, "Require: recipient-list-invite\r\n", ""),
    ("session.group.adhoc.body", H, "adhoc", 0, "Disposition: recipient-list", "Disposition: attachment"),
    ("session.group.adhoc.body", H, "adhoc", 0, "application/resource-lists+xml", "text/plain"),
    ("session.group.adhoc.body", H, "adhoc", 0, f"{XML}<resource", f"{XML}{DTD}<resource"),
    ("session.group.adhoc.body", H, "adhoc", 0, "</list>", "</lists>"),
    ("session.group.list.flat", H, "adhoc", 0, ONE, f"<list>{ONE}</list>"),
    ("session.group.list.flat", H, "adhoc", 0, ONE, f'{ONE}<entry-ref ref="resource-lists/x"/>'),
    (
        "session.group.list.copycontrol",
        H,
        "adhoc",
        0,
        f"{ONE}</list>",
        ONE.replace('"to"', '"all"') + "</list>",
    ),
    ("session.group.list.copycontrol", H, "adhoc", 0, "xml:ns:copycontrol", "xml:ns:copyControl"),
    ("session.group.list.unique", H, "adhoc", 0, ONE, f"{ONE}{ONE}"),
    ("session.group.list.unique", H, "adhoc", 0, "tel:+491700000003", "sip:+49-170-0000002@example.com"),
    ("session.group.list.unique", H, "adhoc", 0, "tel:+491700000003", "tel:+491700000001"),
    ("session.group.list.unique", H, "adhoc", 0, "tel:+491700000003", FACTORY),
    ("session.group.list.unique", H, "adhoc", 0, ENTRIES, ""),
    ("session.group.contact-isfocus", N, "adhoc", 2, ";isfocus", ""),
    (
        "session.group.wrapped-types",
        H,
        "adhoc",
        0,
        " application/im-iscomposing+xml\r\na=sendrecv",
        "\r\na=sendrecv",
    ),
    (
        "session.group.accept-types",
        N,
        "adhoc",
        2,
        "types:message/cpim\r\n",
        "types:message/cpim text/html\r\n",
    ),
    ("session.group.subscribe", H, "adhoc", 4, "application/conference-info+xml", "application/pidf+xml"),
    (
        "session.group.notify",
        N,
        "adhoc",
        6,
        "Content-Type: application/conference-info+xml",
        "Content-Type: text/xml",
    ),
    ("session.group.notify", N, "adhoc", 8, f"{XML}<conf", f"{XML}{DTD}<conf"),
    ("session.group.notify", N, "adhoc", 8, "</conference-info>", "</conference>"),
    ("session.group.notify.version", N, "adhoc", 8, 'version="2"', 'version="0"'),
    ("session.group.notify.version", N, "adhoc", 8, 'version="2"', 'version="1"'),
    ("session.group.notify.version", N, "adhoc", 8, 'version="2"', 'version="4"'),
    ("session.group.notify.full-parts", N, "adhoc", 8, FOCUS + '"', 'sip:other@example.org"'),
    ("session.group.notify.status", N, "adhoc", 8, "connected", "gone"),
    (
        "session.group.notify.status",
        N,
        "adhoc",
        8,
        "</status>",
        "</status><disconnection-method>left</disconnection-method>",
    ),
    ("session.group.history-handling", N, "invited", 0, ";handling=optional", ""),
    ("session.group.history-handling", N, "invited", 0, "=optional", "=required"),
    ("session.group.contact-isfocus", N, "invited", 0, ";isfocus", ""),
    (
        "session.group.accept-types",
        N,
        "invited",
        0,
        "types:message/cpim\r\n",
        "types:message/cpim text/html\r\n",
    ),
]


# Who accepts a list that nobody can read has to refuse it (RFC 5621 5): step, what it has, what is told.
BESIDE = [((0, "text/plain"), ("sip.multipart.disposition", N))]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}-{row[5][:24]!r}")
def test_a_slip_gives_its_finding_alone(row):
    rule, party, name, index, old, new = row
    beside = {each for given, each in BESIDE if given == (index, new)}
    assert judged_as(GROUP_FLOWS[name]().sub(index, old, new)) == {(rule, party)} | beside


def test_a_list_is_not_required_of_who_is_invited(flow):
    script = invited().line(0, "Require: recipient-list-invite")
    script.sub(1, "Supported: timer", "Supported: timer,recipient-list-invite")
    assert judged_as(script) == {("session.group.require-misuse", N)}


def test_ten_thousand_recipients_are_more_than_allowed():
    entries = "".join(f'<entry uri="tel:+4930{number:08}" cp:copyControl="to"/>' for number in range(10_000))
    script = adhoc().sub(0, ENTRIES, entries)
    assert judged_as(script) == {("session.group.list.unique", H)}
    assert judged_as(script, settings=VerifySettings(group_limit=10_000)) == set()


def test_the_first_document_is_a_full_one():
    script = adhoc().drop(6, 7).everywhere("CSeq: 2 NOTIFY", "CSeq: 1 NOTIFY")
    assert judged_as(script) == {("session.group.notify", N)}


def test_a_full_document_has_its_parts():
    script = adhoc().sub(6, "<conference-description><subject>Lunch</subject></conference-description>", "")
    assert judged_as(script) == {("session.group.notify.full-parts", N)}


def test_the_version_of_a_full_document_may_jump_and_may_stay_where_nothing_changed():
    jumping = adhoc().body(8, document(7, "full"))
    assert judged_as(jumping) == set()
    assert judged_as(adhoc().body(8, document(1, "full"))) == set()
    changed = document(1, "full", "<joining-method>dialed-in</joining-method>")
    assert judged_as(adhoc().body(8, changed)) == {("session.group.notify.version", N)}


def test_a_new_subscription_counts_anew():
    script = adhoc().sub(8, "active;expires=600", "terminated;reason=timeout")
    third = notify(3, document(1, "full"))
    script.steps += [third, answer(third, "200 OK", "")]
    assert {rule for rule, _ in judged_as(script)} <= {"sip.481.unknown-dialog"}


def test_a_notify_without_a_state():
    script = adhoc().without(8, "Subscription-State")
    assert judged_as(script) == {("session.group.notify", N)}


def test_a_notify_without_a_body_says_nothing():
    assert judged_as(adhoc().body(8, "").without(8, "Content-Type")) == set()


# -- coming back and bringing others in ---------------------------------------------------------------------


def rejoining(uri: str = FOCUS, contribution: str = "000000000010", again: bool = False) -> Script:
    """The group is made and dropped; then the handset calls the focus, or makes the group again."""
    made = adhoc()
    steps = made.steps[:4]
    bye = in_dialog("BYE", 2, "bye", "Supported: timer")
    bye = replace(
        bye,
        text=bye.text.replace("sip:+491700000002@10.0.0.1:5060", FOCUS, 1).replace(
            "<sip:+491700000002@example.org;user=phone>", f"<{FACTORY}>"
        ),
    )
    second = []
    for step in steps:
        text = step.text.replace("z9hG4bK", "z9hG4bKre").replace("Call-ID: inv", "Call-ID: re")
        text = text.replace("ueinv81c2", "uere81c2").replace("faransw42", "farre42")
        text = text.replace("000000000010\r\n", f"{contribution}\r\n")
        if not again:
            text = text.replace(FACTORY, uri)
        second.append(replace(step, text=text))
    script = Script([*steps, bye, answer(bye, "200 OK", ""), *second])
    if not again:
        script.body(6, GROUP_UE_SDP).sub(
            6, "Content-Type: multipart/mixed;boundary=b1", "Content-Type: application/sdp"
        )
        script.sub(6, "Require: recipient-list-invite\r\n", "")
        script.everywhere(OWN_ID, "h8Fd2Sa6Pq0Wm4Ec9Xz5", 6).body(
            6, script.steps[6].text.partition("\r\n\r\n")[2]
        )
    return script


OWN_ID = "k3Jx8Qw2Zr7Lt5Yv9Bn1"


def rejoin_findings(script):
    return {found for found in judged_as(script) if found[0].startswith("session.group")}


def test_a_handset_comes_back_by_the_uri_of_the_focus():
    assert rejoin_findings(rejoining()) == set()
    assert rejoin_findings(rejoining("sip:other@10.0.0.1")) == {("session.group.rejoin", H)}
    assert rejoin_findings(rejoining(contribution="000000000099")) == {("session.group.rejoin", H)}


def test_a_file_for_the_group_does_not_come_back_to_it():
    of_file = rejoining(contribution="000000000099").everywhere("cpm.session", "cpm.filetransfer", 6, 8)
    assert rejoin_findings(of_file) == set()
    joined = [
        replace(step, text=step.text.replace("z9hG4bKre", "z9hG4bKra").replace("Call-ID: re", "Call-ID: ra"))
        for step in rejoining().steps[6:]
    ]
    assert rejoin_findings(Script([*of_file.steps, *joined])) == set()


def test_a_group_is_made_anew_only_after_404():
    script = rejoining(contribution="000000000099", again=True)
    assert rejoin_findings(script) == {("session.group.rejoin", H)}
    refused = rejoining().steps[6]
    ended = answer(refused, "404 Not Found", "far404")
    ack = hop_by_hop(refused, "ACK", "far404")
    anew = script.steps
    script.steps = [*anew[:6], refused, ended, ack, *anew[6:]]
    assert rejoin_findings(script) == set()
    for other in (
        [*anew, refused, ended, ack],  # too late
        [*anew[:6], *refusing("403 Forbidden"), *anew[6:]],
        [*anew[:6], *refusing("404 Not Found", "sip:other@10.0.0.1"), *anew[6:]],
    ):
        assert ("session.group.rejoin", H) in rejoin_findings(Script(other))


def refusing(status: str, uri: str = FOCUS):
    invite = rejoining(uri).steps[6]
    return [invite, answer(invite, status, "far404"), hop_by_hop(invite, "ACK", "far404")]


def refer(target: str, *extra: str, body: str = "", kind: str = "") -> Script:
    request = h(
        [
            f"REFER {FOCUS} SIP/2.0",
            "Via: SIP/2.0/TCP 10.0.0.5:5060;branch=z9hG4bKref6f3a91c2;rport",
            "Max-Forwards: 70",
            "Route: <sip:10.0.0.1:5060;lr>, <sip:orig@scscf.example.org;lr>",
            f"From: <{UE}>;tag=ref81c2",
            f"To: <{FOCUS}>",
            "Call-ID: ref9d8f7e6a5b4c3d2e@10.0.0.5",
            "CSeq: 1 REFER",
            f"Refer-To: {target}",
            f"Contact: <{UE_CONTACT}>",
            f"P-Preferred-Identity: <{UE}>",
            PANI,
            *extra,
            *([kind] if kind else []),
        ],
        body,
    )
    accepted = answer(
        request,
        "200 OK",
        "foc2",
        (f"Contact: <{FOCUS}>", "Refer-Sub: false", "Supported: norefersub,multiple-refer"),
    )
    return Script([request, accepted])


SEVERAL = ("Require: multiple-refer,norefersub", "Refer-Sub: false")
LIST_PART = (
    "Content-Type: application/resource-lists+xml",
    "Content-Disposition: recipient-list",
    "Content-ID: <list1@x>",
)


@pytest.mark.parametrize(
    ("script", "faults"),
    [
        (lambda: refer("<sip:+491700000004@example.org;method=INVITE>", "Refer-Sub: false"), set()),
        (lambda: refer("<cid:list1%40x>", *SEVERAL, *LIST_PART, body=LISTS), set()),
        (lambda: refer("<cid:list2@x>", *SEVERAL, *LIST_PART, body=LISTS), {"session.group.refer"}),
        (
            lambda: refer("<sip:+491700000004@example.org>", *SEVERAL, *LIST_PART, body=LISTS),
            {"session.group.refer"},
        ),
        (
            lambda: refer(
                "<cid:list1@x>", SEVERAL[0].replace("multiple-refer,", ""), SEVERAL[1], *LIST_PART, body=LISTS
            ),
            {"session.group.refer"},
        ),
        (
            lambda: refer("<cid:list1@x>", "Require: multiple-refer", SEVERAL[1], *LIST_PART, body=LISTS),
            {"session.group.refer.norefersub"},
        ),
        (
            lambda: refer("<cid:list1@x>", SEVERAL[0], *LIST_PART, body=LISTS),
            {"session.group.refer.norefersub"},
        ),
    ],
)
def test_one_or_several_are_brought_in(script, faults):
    assert judged_as(script()) == {(rule, H) for rule in faults}


def test_a_subscription_goes_on_over_another_connection_of_the_notifier():
    """A NOTIFY above 1300 octets goes over TCP from a port of its own, the next one over UDP."""
    timeline = Timeline(clock=lambda: 0.0)
    for entry in adhoc().timeline():
        if not isinstance(entry, Packet):
            continue
        first = b"CSeq: 1 NOTIFY" in entry.data and entry.data.startswith(b"NOTIFY")
        source = Address(entry.source.host, 40001) if first else entry.source
        timeline.packet(
            entry.layer, entry.transport, source, entry.destination, entry.data, connection=1, at=entry.time
        )
    verifier = Verifier("rcs51")
    verifier.judge(timeline)
    assert "session.group.notify" not in {finding.rule for finding in verifier.findings}
