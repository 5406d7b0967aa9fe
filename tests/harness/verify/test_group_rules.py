"""Group chats: one slip, one finding. The flows are hand-written after RFC 5366, RFC 4575 and CPM."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.verify.engine import Verifier, VerifySettings
from tests.harness.verify.conftest import (
    ALLOW,
    FAR_SDP,
    ICSI,
    PANI,
    RECORD_ROUTE,
    TIMER_2XX,
    UE,
    UE_CONTACT,
    UE_INVITE_CONTACT,
    UE_SDP,
    Script,
    answer,
    crlf,
    h,
    hop_by_hop,
    in_dialog,
    measured,
    mo_invite,
    mt_invite,
    n,
)

H, N = "handset", "network"
FACTORY = "sip:conference-factory@example.org"
FOCUS = "sip:group1@10.0.0.1:5060"
FOCUS_CONTACT = f'Contact: <{FOCUS}>;+g.3gpp.icsi-ref="{ICSI}session";isfocus'
WRAPPED = "text/plain message/imdn+xml application/im-iscomposing+xml"


def group(sdp: str) -> str:
    """The SDP of a chat with CPIM alone, and all else in it."""
    sdp = sdp.replace("message/cpim application/im-iscomposing+xml", "message/cpim")
    return sdp.replace("types:text/plain message/imdn+xml", f"types:{WRAPPED}")


GROUP_UE_SDP, GROUP_FOCUS_SDP = group(UE_SDP), group(FAR_SDP)
ENTRIES = (
    '<entry uri="sip:+491700000002@example.org;user=phone" cp:copyControl="to"/>'
    '<entry uri="tel:+491700000003" cp:copyControl="to"/>'
)
LISTS = (
    '<?xml version="1.0" encoding="UTF-8"?>\r\n<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"'
    f' xmlns:cp="urn:ietf:params:xml:ns:copycontrol"><list>{ENTRIES}</list></resource-lists>'
)


def with_list(sdp: str, disposition: str = "recipient-list") -> str:
    return crlf(
        "--b1",
        "Content-Type: application/sdp",
        "",
        sdp,
        "--b1",
        "Content-Type: application/resource-lists+xml",
        f"Content-Disposition: {disposition}",
        "",
        LISTS,
        "--b1--",
    )


def adhoc() -> Script:
    """The handset makes a group: INVITE 0, 200 2, SUBSCRIBE 4, NOTIFY 6 and 8, each with its answer."""
    invite = mo_invite("Require: recipient-list-invite", body=with_list(GROUP_UE_SDP))
    text = invite.text.replace(
        "Content-Type: application/sdp", "Content-Type: multipart/mixed;boundary=b1", 1
    )
    text = text.replace("INVITE sip:+491700000002@example.org;user=phone", f"INVITE {FACTORY}", 1)
    text = text.replace("To: <sip:+491700000002@example.org;user=phone>", f"To: <{FACTORY}>", 1)
    text = text.replace("ims.icsi.oma.cpm.session\r\n", "ims.icsi.oma.cpm.session.group\r\n", 1)
    invite = replace(invite, text=text)
    accepted = answer(
        invite,
        "200 OK",
        "faransw42",
        (
            RECORD_ROUTE,
            FOCUS_CONTACT,
            ALLOW,
            "Supported: timer,recipient-list-invite",
            *TIMER_2XX[1:],
            "Content-Type: application/sdp",
        ),
        GROUP_FOCUS_SDP,
    )
    ack = in_dialog("ACK", 1, "ack")
    ack = replace(
        ack,
        text=ack.text.replace("sip:+491700000002@10.0.0.1:5060", FOCUS, 1).replace(
            "<sip:+491700000002@example.org;user=phone>", f"<{FACTORY}>"
        ),
    )
    return Script([invite, answer(invite, "100 Trying", ""), accepted, ack, *subscription()])


def subscription() -> list:
    """SUBSCRIBE to the focus, and two NOTIFYs."""
    subscribe = h(
        [
            f"SUBSCRIBE {FOCUS} SIP/2.0",
            "Via: SIP/2.0/TCP 10.0.0.5:5060;branch=z9hG4bKcon6f3a91c2;rport",
            "Max-Forwards: 70",
            "Route: <sip:10.0.0.1:5060;lr>, <sip:orig@scscf.example.org;lr>",
            f"From: <{UE}>;tag=con81c2",
            f"To: <{FOCUS}>",
            "Call-ID: con9d8f7e6a5b4c3d2e@10.0.0.5",
            "CSeq: 1 SUBSCRIBE",
            "Event: conference",
            "Accept: application/conference-info+xml",
            "Expires: 600",
            f"Contact: <{UE_CONTACT}>",
            f"P-Preferred-Identity: <{UE}>",
            PANI,
        ]
    )
    first = notify(1, document(1, "full"))
    second = notify(2, document(2, "partial"))
    accepted = answer(subscribe, "200 OK", "foc1", ("Expires: 600", f"Contact: <{FOCUS}>"))
    return [
        subscribe,
        accepted,
        first,
        answer(first, "200 OK", ""),
        second,
        answer(second, "200 OK", ""),
    ]


def notify(number: int, body: str):
    return n(
        [
            f"NOTIFY {UE_CONTACT} SIP/2.0",
            f"Via: SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bKcn{number}6f3a91c2;rport",
            "Max-Forwards: 70",
            f"From: <{FOCUS}>;tag=foc1",
            f"To: <{UE}>;tag=con81c2",
            "Call-ID: con9d8f7e6a5b4c3d2e@10.0.0.5",
            f"CSeq: {number} NOTIFY",
            "Event: conference",
            f"Contact: <{FOCUS}>",
            "Subscription-State: active;expires=600",
            "Content-Type: application/conference-info+xml",
        ],
        body,
    )


def document(version: int, state: str, more: str = "") -> str:
    """What the focus tells: RFC 4575 5, written by hand."""
    described = "<conference-description><subject>Lunch</subject></conference-description>"
    inside = f'<users state="{state}"><user entity="tel:+491700000003" state="full">' + (
        f'<endpoint entity="sip:x@10.9.9.9"><status>connected</status>{more}</endpoint></user></users>'
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        f'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="{FOCUS}" state="{state}"'
        f' version="{version}">{described if state == "full" else ""}{inside}</conference-info>'
    )


def invited() -> Script:
    """The handset is invited by a focus: INVITE 0, 200 1, ACK 2."""
    invite = mt_invite()
    head, _, _ = invite.text.partition("\r\n\r\n")
    head = head.replace("Content-Type: application/sdp", "Content-Type: multipart/mixed;boundary=b1")
    head = head.replace("Contact: <sip:+491700000002@10.0.0.1:5060>", f"Contact: <{FOCUS}>;isfocus")
    sdp = GROUP_FOCUS_SDP.replace("a=setup:passive", "a=setup:actpass")
    body = with_list(sdp, "recipient-list-history;handling=optional")
    invite = replace(invite, text=measured(f"{head}\r\n\r\n{body}"))
    accepted = answer(
        invite,
        "200 OK",
        "ueansw42",
        (RECORD_ROUTE, UE_INVITE_CONTACT, ALLOW, *TIMER_2XX, "Content-Type: application/sdp"),
        GROUP_UE_SDP,
    )
    return Script([invite, accepted, in_dialog("ACK", 1, "mtack", mo=False, handset=False)])


FLOWS = {"adhoc": adhoc, "invited": invited}


def judged_as(script, profile="rcs51", settings=None):
    verifier = Verifier(profile, settings)
    verifier.judge(script.timeline())
    return {(finding.rule, finding.party.value) for finding in verifier.findings}


@pytest.mark.parametrize("profile", ["ietf", "rcs51", "up2"])
@pytest.mark.parametrize("name", FLOWS)
def test_what_is_done_right_gives_nothing(name, profile):
    assert judged_as(FLOWS[name](), profile) == set()


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


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}-{row[5][:24]!r}")
def test_a_slip_gives_its_finding_alone(row):
    rule, party, name, index, old, new = row
    assert judged_as(FLOWS[name]().sub(index, old, new)) == {(rule, party)}


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


def test_a_group_is_made_anew_only_after_404():
    script = rejoining(contribution="000000000099", again=True)
    assert rejoin_findings(script) == {("session.group.rejoin", H)}
    refused = rejoining().steps[6]
    ended = answer(refused, "404 Not Found", "far404")
    ack = hop_by_hop(refused, "ACK", "far404")
    script.steps[6:6] = [refused, ended, ack]
    assert rejoin_findings(script) == set()


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
