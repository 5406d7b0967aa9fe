"""IMDN rules: each is broken by one spoiled message and by nothing else of its group."""

from __future__ import annotations

import re

import pytest

from harness.verify.engine import Verifier, VerifySettings
from harness.verify.proof.flows.msrp import answered, content, opened
from harness.verify.proof.messages import text_body
from harness.verify.proof.script import Script

UE = "sip:+491700000001@example.org;user=phone"
FAR = "sip:+491700000002@example.org;user=phone"
MO_ID, MT_ID = "Msg1aB2cD3eF4gH5iJ6k", "Msg7aB2cD3eF4gH5iJ6k"
DELIVERED = "<delivery-notification><status><delivered/></status></delivery-notification>"
DISPLAYED = "<display-notification><status><displayed/></status></display-notification>"
REQUEST = "imdn.Disposition-Notification: positive-delivery, display"
DATETIME = "<datetime>2023-11-14T22:13:20Z</datetime>"


def own(found):
    return [(rule, party) for rule, party in found if rule.startswith("imdn.")]


def spoil(name, index, old, new):
    """Change text of a body and keep the inner Content-Length right."""

    def change(flow):
        return changed(flow(name), index, old, new)

    return change


def changed(script, index, old, new):
    script.sub(index, old, new)
    body = script.steps[index].text.partition("\r\n\r\n")[2]
    inner = body.rpartition("\r\n\r\n")[2] if "--b1" not in body else None
    if inner is not None and "Content-Length" in body:
        body = re.sub(r"Content-Length: \d+", f"Content-Length: {len(inner.encode())}", body)
    return script.body(index, body)


def again(name, index, own_id, *changes):
    """The notification of a step once more, later, with another id of its own."""

    def change(flow):
        return repeated(flow(name), index, own_id, *changes)

    return change


def repeated(script, index, own_id, *changes):
    for source, at in ((index, len(script.steps)), (index + 1, len(script.steps) + 1)):
        text = script.steps[source].text
        for mark in ("z9hG4bKmo", "z9hG4bKmt", "\r\nCall-ID: call", "\r\nCall-ID: mt"):
            text = text.replace(mark, f"{mark}zz")
        script.copy(source, at, text=text)
    at = len(script.steps) - 2
    script.sub(
        at, re.search(r"imdn\.Message-ID: \S+", script.steps[at].text)[0], f"imdn.Message-ID: {own_id}"
    )
    for old, new in changes:
        changed(script, at, old, new)
    return script


def aggregate(*documents):
    """A notification of the network as an aggregate of documents."""

    def change(flow):
        script = flow("pager_mo").drop(4, 5)
        body = script.steps[2].text.partition("\r\n\r\n")[2]
        head = body.partition("\r\n\r\n")[0]
        parts = "".join(f"--b1\r\nContent-Type: {kind}\r\n\r\n{text}\r\n" for kind, text in documents)
        mime = "Content-Type: multipart/mixed;boundary=b1\r\nContent-Disposition: notification"
        return script.body(2, f"{head}\r\n\r\n{mime}\r\n\r\n{parts}--b1--")

    return change


def xml(kind, status, message_id=MO_ID):
    return (
        "message/imdn+xml",
        f'<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>{message_id}</message-id>{DATETIME}'
        f"<{kind}-notification><status><{status}/></status></{kind}-notification></imdn>",
    )


def recorded(*routes):
    """MT text with IMDN-Record-Route; its IMDNs answer with these routes and go to the first."""

    def change(flow):
        script = flow("pager_mt")
        script.sub(0, REQUEST, f"{REQUEST}\r\nimdn.IMDN-Record-Route: <sip:a@example.org>")
        for index in (2, 4):
            lines = "".join(f"imdn.IMDN-Route: <{route}>\r\n" for route in routes)
            own_id = re.search(r"imdn\.Message-ID: \S+\r\n", script.steps[index].text)[0]
            script.sub(index, own_id, own_id + lines)
            script.sub(index, f"MESSAGE {FAR}", "MESSAGE sip:a@example.org")
        return script

    return change


def answered_late(flow):
    """The handset reports before its 200 to the text."""
    script = flow("pager_mt")
    script.steps[1], script.steps[2] = script.steps[2], script.steps[1]
    return script


def refused(flow):
    script = flow("pager_mt").drop(4, 5)
    return script.sub(1, "200 OK", "486 Busy Here")


def displayed_first(name):
    def change(flow):
        script = flow(name)
        script.steps[2:6] = [*script.steps[4:6], *script.steps[2:4]]
        return script

    return change


def imdn_for_imdn(flow):
    """The network reports on the handset's own notification."""
    script = flow("pager_mt")
    source = flow("pager_mo")
    script.steps += source.steps[2:4]
    changed(script, 6, "20Z</datetime>", "21Z</datetime>")
    return changed(script, 6, MO_ID, "Not3aB2cD3eF4gH5iJ6k")


def reused_id(flow):
    script = flow("pager_mo")
    return script.sub(4, "imdn.Message-ID: Not2aB2cD3eF4gH5iJ6k", "imdn.Message-ID: Not1aB2cD3eF4gH5iJ6k")


SPOILED = [
    ("imdn.request.message-id", "handset", spoil("pager_mo_alone", 0, f"imdn.Message-ID: {MO_ID}\r\n", "")),
    ("imdn.request.message-id", "handset", spoil("pager_mo_alone", 0, f"ID: {MO_ID}", "ID: a b")),
    (
        "imdn.request.message-id.entropy",
        "handset",
        spoil("pager_mo_alone", 0, f"ID: {MO_ID}", "ID: 92c65678d0"),
    ),
    (
        "imdn.request.message-id.entropy",
        "handset",
        spoil("pager_mo_alone", 0, f"ID: {MO_ID}", "ID: 1234567890"),
    ),
    (
        "imdn.request.message-id.entropy",
        "network",
        lambda flow: (
            flow("pager_mo")
            .sub(2, "Not1aB2cD3eF4gH5iJ6k", "NotaB2cD3eF4gH5iJ-0001")
            .sub(4, "Not2aB2cD3eF4gH5iJ6k", "NotaB2cD3eF4gH5iJ-0002")
        ),
    ),
    ("imdn.message-id.unique", "network", reused_id),
    ("imdn.message-id.unique", "network", spoil("pager_mo", 2, "ID: Not1aB2cD3eF4gH5iJ6k", f"ID: {MO_ID}")),
    (
        "imdn.message-id.unique",
        "handset",
        again("pager_mo_alone", 0, MO_ID, ("hello, world", "another text")),
    ),
    ("imdn.message-id.unique", "handset", again("pager_mo_alone", 0, MO_ID)),
    ("imdn.request.values", "handset", spoil("pager_mo_alone", 0, REQUEST, f"{REQUEST},")),
    ("imdn.request.values", "handset", spoil("pager_mo_alone", 0, REQUEST, REQUEST.replace(",", ""))),
    (
        "imdn.request.values.unknown-token",
        "handset",
        spoil("pager_mo_alone", 0, REQUEST, f"{REQUEST}, Display"),
    ),
    (
        "imdn.request.values.unknown-token",
        "handset",
        spoil("pager_mo_alone", 0, REQUEST, f"{REQUEST}\r\n{REQUEST}"),
    ),
    (
        "imdn.no-imdn-for-imdn",
        "network",
        spoil("pager_mo", 2, "imdn.Message-ID", "imdn.Disposition-Notification: display\r\nimdn.Message-ID"),
    ),
    ("imdn.no-imdn-for-imdn", "network", imdn_for_imdn),
    ("imdn.only-requested", "network", spoil("pager_mo", 0, REQUEST, REQUEST.replace(", display", ""))),
    ("imdn.only-requested", "handset", spoil("pager_mt", 0, REQUEST, REQUEST.replace(", display", ""))),
    ("imdn.only-requested", "handset", spoil("pager_mt", 2, "<delivered/>", "<failed/>")),
    ("imdn.once-per-type", "handset", again("pager_mt", 4, "Not9aB2cD3eF4gH5iJ6k")),
    ("imdn.once-per-type.network", "network", again("pager_mo", 4, "Not9aB2cD3eF4gH5iJ6k")),
    ("imdn.order", "handset", displayed_first("pager_mt")),
    ("imdn.order.network", "network", displayed_first("pager_mo")),
    ("imdn.order.network", "network", lambda flow: flow("pager_mo").drop(2, 3)),
    ("imdn.after-2xx", "handset", answered_late),
    ("imdn.after-2xx", "handset", refused),
    (
        "imdn.content-disposition",
        "network",
        spoil("pager_mo", 2, "Content-Disposition: notification\r\n", ""),
    ),
    (
        "imdn.content-disposition",
        "handset",
        spoil("pager_mt", 2, "Disposition: notification", "Disposition: render"),
    ),
    (
        "imdn.content-type",
        "handset",
        spoil("pager_mt_delivered", 2, "message/imdn+xml", "application/imdn+xml"),
    ),
    ("imdn.own-message-id", "network", spoil("pager_mo", 2, "imdn.Message-ID: Not1aB2cD3eF4gH5iJ6k\r\n", "")),
    (
        "imdn.addressing.sip",
        "handset",
        lambda flow: flow("pager_mt").sub(2, f"MESSAGE {FAR}", f"MESSAGE {UE}"),
    ),
    ("imdn.addressing.sip", "handset", lambda flow: flow("pager_mt").sub(2, f"To: <{FAR}>", f"To: <{UE}>")),
    (
        "imdn.addressing.cpim",
        "handset",
        spoil("pager_mt", 2, f"{UE}>\r\nTo: <{FAR}>", f"{UE}>\r\nTo: <sip:x@y.z>"),
    ),
    (
        "imdn.addressing.cpim.network",
        "network",
        spoil("pager_mo", 2, f"{FAR}>\r\nTo: <{UE}>", f"{FAR}>\r\nTo: <sip:x@y.z>"),
    ),
    ("imdn.record-route", "handset", recorded("sip:b@example.org")),
    ("imdn.record-route", "handset", recorded()),
    (
        "imdn.record-route",
        "handset",
        spoil("pager_mt", 2, "imdn.Message-ID", "imdn.IMDN-Record-Route: <sip:a@b>\r\nimdn.Message-ID"),
    ),
    (
        "imdn.from-is-recipient",
        "network",
        lambda flow: (
            flow("pager_mo")
            .everywhere(FAR, FAR.replace("0002", "0009"), 2, 4)
            .everywhere("tel:+491700000002", "tel:+491700000009", 2, 4)
        ),
    ),
    (
        "imdn.from-is-recipient",
        "network",
        spoil("pager_mo", 2, DATETIME, f"{DATETIME}<recipient-uri>tel:+491700000009</recipient-uri>"),
    ),
    (
        "imdn.same-conversation",
        "handset",
        lambda flow: flow("pager_mt").sub(2, "Conversation-ID: f81d", "Conversation-ID: f91d"),
    ),
    ("imdn.not-mixed-with-im", "network", aggregate(xml("delivery", "delivered"), ("text/plain", "hello"))),
    ("imdn.xml.wellformed", "network", spoil("pager_mo_delivered", 2, "</imdn>", "")),
    (
        "imdn.xml.wellformed",
        "network",
        spoil("pager_mo_delivered", 2, 'encoding="UTF-8"', 'encoding="ISO-8859-1"'),
    ),
    (
        "imdn.xml.wellformed",
        "network",
        spoil("pager_mo_delivered", 2, "<imdn ", '<!DOCTYPE imdn [<!ENTITY a "aaaaaaaaaa">]><imdn '),
    ),
    ("imdn.xml.namespace", "network", spoil("pager_mo", 2, "xml:ns:imdn", "xml:ns:imdnx")),
    ("imdn.xml.namespace", "handset", spoil("pager_mt", 2, ' xmlns="urn:ietf:params:xml:ns:imdn"', "")),
    (
        "imdn.xml.message-id",
        "network",
        spoil("pager_mo_delivered", 2, f"<message-id>{MO_ID}</message-id>", ""),
    ),
    ("imdn.xml.message-id", "network", spoil("pager_mo_delivered", 2, f">{MO_ID}<", f">{MO_ID.lower()}<")),
    ("imdn.xml.message-id", "network", spoil("pager_mo_delivered", 2, f">{MO_ID}<", f">{MO_ID[:12]}<")),
    ("imdn.xml.message-id", "network", spoil("pager_mo", 4, f">{MO_ID}<", ">Not1aB2cD3eF4gH5iJ6k<")),
    ("imdn.xml.datetime-present", "network", spoil("pager_mo", 2, DATETIME, "")),
    ("imdn.xml.datetime-value", "handset", spoil("pager_mt", 2, "20Z</datetime>", "21Z</datetime>")),
    ("imdn.xml.datetime-form", "handset", spoil("pager_mt", 2, "T22:13:20Z</datetime>", " 22:13</datetime>")),
    ("imdn.xml.one-type", "network", spoil("pager_mo", 2, DELIVERED, DELIVERED + DISPLAYED)),
    ("imdn.xml.one-type", "network", spoil("pager_mo_delivered", 2, DELIVERED, "")),
    (
        "imdn.xml.one-type.extension",
        "network",
        spoil("pager_mo_delivered", 2, DELIVERED, '<n xmlns="urn:x:y"/>'),
    ),
    ("imdn.xml.status", "network", spoil("pager_mo_delivered", 2, "<delivered/>", "<displayed/>")),
    ("imdn.xml.status", "network", spoil("pager_mo_delivered", 2, "<delivered/>", "")),
    (
        "imdn.xml.status",
        "network",
        spoil("pager_mo_delivered", 2, "<delivered/>", "<delivered>yes</delivered>"),
    ),
    ("imdn.xml.status", "network", spoil("pager_mo_delivered", 2, "<delivered/>", "<delivered/><error/>")),
    (
        "imdn.xml.status.extension",
        "network",
        spoil("pager_mo_delivered", 2, "<delivered/>", '<n xmlns="urn:x:y"/>'),
    ),
]

SHORT = {
    "pager_mo_alone": ("pager_mo", 2),
    "pager_mo_delivered": ("pager_mo", 4),
    "pager_mt_delivered": ("pager_mt", 4),
}


@pytest.fixture
def flows(flow):
    """Flows by name, also cut short where later messages would be spoiled with the first."""

    def make(name):
        whole, length = SHORT.get(name, (name, None))
        script = flow(whole)
        script.steps = script.steps[:length]
        return script

    return make


@pytest.mark.parametrize(("rule", "party", "make"), SPOILED, ids=[case[0] for case in SPOILED])
def test_a_spoiled_message_breaks_exactly_this_rule(flows, judged, rule, party, make):
    assert own(judged(make(flows))) == [(rule, party)]


def test_a_processing_notification_of_the_handset(flows, judged):
    script = flows("pager_mt").sub(0, REQUEST, f"{REQUEST}, processing")
    changed(
        script, 4, DISPLAYED, "<processing-notification><status><stored/></status></processing-notification>"
    )
    assert own(judged(script)) == [("imdn.no-processing-from-ue", "handset")]


def test_the_time_of_the_notification_fails_only_under_the_letter(flows):
    for profile, severity in (("ietf", "MUST"), ("rcs51", "INFO"), ("up2", "INFO")):
        script = changed(flows("pager_mt"), 2, "20Z</datetime>", "21Z</datetime>")
        found = [f for f in Verifier(profile).judge(script.timeline()) if f.rule.startswith("imdn.")]
        assert [(f.rule, f.severity, f.fails) for f in found] == [
            ("imdn.xml.datetime-value", severity, profile == "ietf")
        ]


def test_a_copy_is_only_remarked(flows):
    script = again("pager_mo_alone", 0, MO_ID)(flows)
    (found,) = [f for f in Verifier("rcs51").judge(script.timeline()) if f.rule.startswith("imdn.")]
    assert (found.rule, found.severity) == ("imdn.message-id.unique", "INFO")


RIGHT = [
    lambda flow: flow("pager_mo").drop(0, 1),
    lambda flow: flow("pager_mt").drop(0, 1),
    lambda flow: flow("pager_mt").drop(2, 3),
    lambda flow: flow("pager_mt").drop(1),
    lambda flow: again("pager_mo_alone", 0, MO_ID)(flow).sub(
        1, "200 OK", "407 Proxy Authentication Required"
    ),
    lambda flow: again("pager_mt", 4, "Not9aB2cD3eF4gH5iJ6k")(flow).sub(
        5, "200 OK", "480 Temporarily Unavailable"
    ),
    spoil("pager_mo", 2, f"<message-id>{MO_ID}", f"<message-id>\r\n  {MO_ID}\r\n"),
    spoil("pager_mo_alone", 0, REQUEST, "imdn.Disposition-Notification: "),
    spoil("pager_mo_alone", 0, REQUEST, f'{REQUEST} ;a=b , negative-delivery;c="d"'),
    spoil("pager_mo", 2, "22:13:20Z</datetime>", "23:13:20.500+01:00</datetime>"),
    spoil("pager_mo", 2, DELIVERED, f'{DELIVERED}<n xmlns="urn:x:y">more</n>'),
    spoil("pager_mo", 2, "<delivered/>", '<delivered></delivered><n xmlns="urn:x:y"/>'),
    spoil("pager_mo", 2, DATETIME, f"{DATETIME}<recipient-uri>tel:+49-170-0000002</recipient-uri>"),
    aggregate(xml("delivery", "delivered"), xml("display", "displayed")),
    recorded("sip:a@example.org"),
    lambda flow: flow("pager_mo").everywhere("2023-11-14T22:13:20Z", "2023-11-14T22:13:20+", 0, 2, 4),
]


@pytest.mark.parametrize("make", RIGHT)
@pytest.mark.parametrize("profile", ["ietf", "rcs51"])
def test_what_is_right_or_cannot_be_decided_is_no_finding(flows, judged, make, profile):
    assert own(judged(make(flows), profile)) == []


def test_an_unknown_message_id_is_open_not_a_finding(flows):
    verifier = Verifier("rcs51")
    verifier.judge(flows("pager_mt").drop(0, 1).timeline())
    assert {"imdn.xml.message-id", "imdn.only-requested"} <= {item.rule for item in verifier.open}
    assert verifier.findings == []


def unknown_id(flows, name: str, index: int, own: str, *, at: str = "22:14:20Z"):
    """A notification on a message nobody has, which was sent a minute after the timeline began."""
    script = changed(flows(name), index, f">{own}<", ">Nowhere1B2cD3eF4gH5i<")
    return script.everywhere("<datetime>2023-11-14T22:13:20Z", f"<datetime>2023-11-14T{at}", index)


def about_ids(script, **settings):
    verifier = Verifier("rcs51", VerifySettings(**settings))
    verifier.judge(script.timeline())
    found = [each for each in verifier.findings if each.rule == "imdn.xml.message-id"]
    return [each.party.value for each in found], [
        each.why.partition(" ")[2].partition(" ")[2]
        for each in verifier.open
        if each.rule == "imdn.xml.message-id"
    ]


def test_an_id_of_no_message_since_the_start_is_a_finding(flows):
    assert about_ids(unknown_id(flows, "pager_mt", 2, MT_ID)) == (["handset"], [])
    of_before = unknown_id(flows, "pager_mt", 2, MT_ID, at="22:13:22Z")
    assert about_ids(of_before) == ([], ["Nowhere1B2cD3eF4gH5i may be of before the capture"])
    assert about_ids(unknown_id(flows, "pager_mt", 2, MT_ID, at="some time")) == (
        [],
        ["Nowhere1B2cD3eF4gH5i may be of before the capture"],
    )
    assert about_ids(unknown_id(flows, "pager_mt", 2, MT_ID), from_start=False)[0] == []


def test_an_id_of_another_device_of_the_user_is_left_open(flows):
    """What the network tells of may have been sent elsewhere, unless the registrar knows of one device."""
    alone = unknown_id(flows, "pager_mo_delivered", 2, MO_ID)
    assert about_ids(alone) == ([], ["Nowhere1B2cD3eF4gH5i may be one of another device of the user"])
    one = flows("register").steps[:4]
    assert about_ids(Script([*one, *alone.steps])) == (["network"], [])
    two = flows("register").sub(3, "Contact: ", "Contact: <sip:other@10.0.0.6:5060>;expires=600, ").steps[:4]
    assert about_ids(Script([*two, *alone.steps]))[0] == []


def test_an_id_may_be_of_what_cannot_be_read(flows):
    script = unknown_id(flows, "pager_mt", 2, MT_ID)
    unreadable = flows("pager_mt").everywhere("mtd", "mtz").steps[:2]
    unreadable[0] = Script([unreadable[0]]).body(0, "no headers").steps[0]
    assert about_ids(Script([*unreadable, *script.steps])) == (
        [],
        ["Nowhere1B2cD3eF4gH5i may be one that cannot be read"],
    )
    session = flows("session_mo").steps[:5]
    assert about_ids(Script([*session, *script.steps])) == (
        [],
        ["Nowhere1B2cD3eF4gH5i may have come in a session that was not captured"],
    )


def test_a_sender_the_network_hides_elsewhere_proves_nothing(flows, judged):
    """One IMDN anonymous, the other of a number the text was not for: no verdict on who made it."""
    script = flows("pager_mo").everywhere(FAR, FAR.replace("0002", "0009"), 2, 4)
    script.everywhere("tel:+491700000002", "tel:+491700000009", 2, 4)
    script.sub(
        2, f"\r\n\r\nFrom: <{FAR.replace('0002', '0009')}>", "\r\n\r\nFrom: <sip:anonymous@anonymous.invalid>"
    )
    assert own(judged(script)) == []


@pytest.mark.parametrize(("service", "wrong"), [("deferred", []), ("session", ["imdn.same-conversation"])])
def test_a_fetch_of_deferred_messages_is_not_their_conversation(flows, judged, service, wrong):
    session = flows("session_mo").everywhere("oma.cpm.session", f"oma.cpm.{service}").steps[:5]
    brought = answered(content(False, "eX2kU2mP9sLw", "Nw3kQ2mP9sLw", text_body(FAR, UE, MT_ID)))
    script = flows("pager_mt").drop(0, 1).everywhere("Conversation-ID: f81d", "Conversation-ID: f91d", 0, 2)
    script.steps = [*session, opened(), *brought, *script.steps]
    assert sorted({rule for rule, _ in own(judged(script))} & {"imdn.same-conversation"}) == wrong
