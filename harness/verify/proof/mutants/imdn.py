"""Notifications and what asks for them, spoiled one by one (RFC 5438 6, 7, 8, 12). XML is in imdn_xml.py."""

from __future__ import annotations

from harness.verify.proof.cpim_changes import in_chat
from harness.verify.proof.flows.msrp import answered, content
from harness.verify.proof.flows.sip import pager_mo
from harness.verify.proof.imdn_changes import (
    DATETIME,
    DISPLAYED,
    MO_ID,
    MT_ID,
    REQUEST,
    again,
    aggregated,
    answered_late,
    as_from_a_server,
    displayed_first,
    document,
    inserted,
    of_another_number,
    recorded,
    refused,
    rewritten,
    spoiled,
)
from harness.verify.proof.messages import ANONYMOUS, FAR, UE, answer, imdn_body, mo_message
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script, crlf

OTHER = FAR.replace("0002", "0009")
ONLY_DELIVERY = REQUEST.replace(", display", "")
NONE_ASKED = REQUEST.replace("positive-delivery, display", "")
ASKS = "imdn.Disposition-Notification: display\r\nimdn.Message-ID"
ANOTHER = ("hello, world", "another text")


def asks(rule: str, old: str, new: str) -> Mutant:
    """A text of the handset that asks in another way, alone with its answer."""
    return Mutant(rule, HANDSET, "pager_mo", spoiled(0, (old, new), only=2))


def reported(rule: str, index: int, old: str, new: str) -> Mutant:
    """Other text in a notification of the network (pager_mo)."""
    return Mutant(rule, NETWORK, "pager_mo", spoiled(index, (old, new)))


def reports(rule: str, index: int, old: str, new: str) -> Mutant:
    """Other text in a notification of the handset (pager_mt)."""
    return Mutant(rule, HANDSET, "pager_mt", spoiled(index, (old, new)))


def counted(script: Script) -> Script:
    """Both notifications of the network have ids that count."""
    script.sub(2, "Not1aB2cD3eF4gH5iJ6k", "NotaB2cD3eF4gH5iJ-0001")
    return script.sub(4, "Not2aB2cD3eF4gH5iJ6k", "NotaB2cD3eF4gH5iJ-0002")


def imdn_for_imdn(script: Script) -> Script:
    """The network reports on the handset's own notification."""
    script.steps += pager_mo().steps[2:4]
    return rewritten(
        rewritten(script, 6, "20Z</datetime>", "21Z</datetime>"), 6, MO_ID, "Not3aB2cD3eF4gH5iJ6k"
    )


def to_another(script: Script) -> Script:
    """Request-URI and To of the delivery notification, and the To of its answer."""
    script.sub(2, f"MESSAGE {FAR}", f"MESSAGE {OTHER}")
    script.sub(2, f"\r\nTo: <{FAR}>", f"\r\nTo: <{OTHER}>")
    return script.sub(3, f"\r\nTo: <{FAR}>", f"\r\nTo: <{OTHER}>")


def processing(script: Script) -> Script:
    """The handset says that it stored what it was told to."""
    script.sub(0, REQUEST, f"{REQUEST}, processing")
    stored = "<processing-notification><status><stored/></status></processing-notification>"
    return rewritten(script, 4, DISPLAYED, stored)


def by_message(script: Script) -> Script:
    """The delivery notification goes by MESSAGE though the session lives."""
    asked = mo_message(
        "k",
        "0b0f8f6e-1111-4aaa-8bbb-00000000000b",
        imdn_body(UE, ANONYMOUS, "Not5aB2cD3eF4gH5iJ6k", MT_ID, "delivery", "delivered"),
    )
    script.steps[16:18] = [asked, answer(asked, "200 OK", "netk1")]
    return script


def typing_asked_for(script: Script) -> Script:
    """The handset asks for notifications on a sign of typing."""
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">'
        "<state>active</state></isComposing>"
    )
    head = crlf(
        f"From: <{ANONYMOUS}>",
        f"To: <{ANONYMOUS}>",
        "DateTime: 2023-11-14T22:13:21Z",
        "NS: imdn <urn:ietf:params:imdn>",
        "imdn.Message-ID: Typ1aB2cD3eF4gH5iJ6k",
        REQUEST,
    )
    mime = crlf("Content-Type: application/im-iscomposing+xml", f"Content-Length: {len(xml)}")
    script.steps[20:20] = answered(
        content(True, "hA1kQ2mP9sL1", "Ue4kQ2mP9sLw", f"{head}\r\n{mime}\r\n{xml}")
    )
    return script


def in_session(message_id: str, own_id: str = "Not5aB2cD3eF4gH5iJ6k", at: int = 18) -> Mutant:
    """Another delivery notification of the handset in the chat."""
    body = imdn_body(ANONYMOUS, ANONYMOUS, own_id, message_id, "delivery", "delivered")
    rule = "imdn.once-per-type"
    if message_id != MT_ID:
        rule, body = "imdn.no-imdn-for-imdn", body.replace("20Z</datetime>", "21Z</datetime>")
    steps = answered(content(True, "hA1kQ2mP9sL1", "Ue4kQ2mP9sLw", body))
    return Mutant(rule, HANDSET, "chat", inserted(at, *steps))


ASKED = [
    asks("imdn.request.message-id", f"imdn.Message-ID: {MO_ID}\r\n", ""),
    asks("imdn.request.message-id", f"ID: {MO_ID}", "ID: a b"),
    asks("imdn.request.message-id.entropy", f"ID: {MO_ID}", "ID: 92c65678d0"),
    asks("imdn.request.message-id.entropy", f"ID: {MO_ID}", "ID: 1234567890"),
    Mutant("imdn.request.message-id.entropy", NETWORK, "pager_mo", counted),
    asks("imdn.request.values", REQUEST, f"{REQUEST},"),
    asks("imdn.request.values", REQUEST, REQUEST.replace(",", "")),
    asks("imdn.request.values.unknown-token", REQUEST, f"{REQUEST}, Display"),
    asks("imdn.request.values.unknown-token", REQUEST, f"{REQUEST}\r\n{REQUEST}"),
    asks("imdn.request.rcs", REQUEST, REQUEST.replace(", display", "")),
    asks("imdn.request.rcs", REQUEST, REQUEST.replace("positive-delivery, ", "")),
    Mutant(
        "imdn.request.not-on-iscomposing",
        HANDSET,
        "chat",
        typing_asked_for,
        ("iscomp.form",),
        "what asks is the CPIM round it, which a sign of typing between two does without",
    ),
]
IDS = [
    reported("imdn.message-id.unique", 4, "imdn.Message-ID: Not2", "imdn.Message-ID: Not1"),
    reported("imdn.message-id.unique", 2, "ID: Not1aB2cD3eF4gH5iJ6k", f"ID: {MO_ID}"),
    Mutant(
        "imdn.message-id.unique",
        HANDSET,
        "pager_mo",
        again(0, MO_ID, ANOTHER, only=2),
    ),
    Mutant("imdn.message-id.unique", HANDSET, "pager_mo", again(0, MO_ID, only=2)),
    Mutant("imdn.message-id.unique", HANDSET, "chat", in_chat(18, ("ID: Not4aB2", "ID: Not3aB2"))),
    reported("imdn.own-message-id", 2, "imdn.Message-ID: Not1aB2cD3eF4gH5iJ6k\r\n", ""),
]
WHEN = [
    reported(
        "imdn.no-imdn-for-imdn",
        2,
        "imdn.Message-ID",
        ASKS,
    ),
    Mutant("imdn.no-imdn-for-imdn", NETWORK, "pager_mt", imdn_for_imdn),
    in_session("Not2aB2cD3eF4gH5iJ6k", at=14),
    Mutant("imdn.only-requested", NETWORK, "pager_mo", spoiled(0, (REQUEST, NONE_ASKED))),
    Mutant("imdn.only-requested", HANDSET, "pager_mt", spoiled(0, (REQUEST, ONLY_DELIVERY))),
    Mutant("imdn.only-requested", HANDSET, "chat", in_chat(14, ("positive-delivery, display", "display"))),
    reports("imdn.only-requested", 2, "<delivered/>", "<failed/>"),
    Mutant("imdn.once-per-type", HANDSET, "pager_mt", again(4, "Not9aB2cD3eF4gH5iJ6k")),
    in_session(MT_ID),
    Mutant("imdn.once-per-type.network", NETWORK, "pager_mo", again(4, "Not9aB2cD3eF4gH5iJ6k")),
    Mutant("imdn.no-processing-from-ue", HANDSET, "pager_mt", processing),
    Mutant("imdn.order", HANDSET, "pager_mt", displayed_first),
    Mutant("imdn.order.network", NETWORK, "pager_mo", displayed_first),
    Mutant("imdn.order.network", NETWORK, "pager_mo", lambda s: s.drop(2, 3)),
    Mutant("imdn.after-2xx", HANDSET, "pager_mt", answered_late),
    Mutant("imdn.after-2xx", HANDSET, "pager_mt", refused),
    Mutant("imdn.timeout", HANDSET, "pager_mt", lambda s: s.drop(2, 3, 4, 5).wait(31.0)),
    Mutant("imdn.timeout", NETWORK, "pager_mo", lambda s: s.drop(2, 3, 4, 5).wait(31.0)),
    Mutant("imdn.timeout", HANDSET, "chat", lambda s: s.drop(*range(16, 23)).wait(31.0)),
]
WHOSE = [
    reports("imdn.addressing.cpim", 2, f"{UE}>\r\nTo: <{FAR}>", f"{UE}>\r\nTo: <sip:x@y.z>"),
    reported("imdn.addressing.cpim.network", 2, f"{FAR}>\r\nTo: <{UE}>", f"{FAR}>\r\nTo: <sip:x@y.z>"),
    Mutant("imdn.addressing.sip", HANDSET, "pager_mt", to_another),
    Mutant("imdn.record-route", HANDSET, "pager_mt", recorded("sip:b@example.org")),
    Mutant("imdn.record-route", HANDSET, "pager_mt", recorded()),
    reports(
        "imdn.record-route", 2, "imdn.Message-ID", "imdn.IMDN-Record-Route: <sip:a@b>\r\nimdn.Message-ID"
    ),
    Mutant("imdn.from-is-recipient", NETWORK, "pager_mo", of_another_number),
    reported(
        "imdn.from-is-recipient", 2, DATETIME, f"{DATETIME}<recipient-uri>tel:+491700000009</recipient-uri>"
    ),
    Mutant("imdn.no-network-positive", NETWORK, "pager_mo", as_from_a_server),
    Mutant(
        "imdn.same-conversation",
        HANDSET,
        "pager_mt",
        lambda s: s.everywhere("Conversation-ID: f81d", "Conversation-ID: f91d", 2, 3),
    ),
    Mutant(
        "imdn.contribution-id",
        HANDSET,
        "pager_mt",
        lambda s: s.without(2, "Contribution-ID").without(3, "Contribution-ID"),
        ("ims.contribution-id.present",),
        "the rule of all CPM requests",
    ),
    Mutant(
        "imdn.feature-tag",
        HANDSET,
        "pager_mt",
        lambda s: s.everywhere("oma.cpm.msg", "oma.cpm.filetransfer", 2),
    ),
    Mutant("imdn.route.session", HANDSET, "chat", by_message),
]
FORM = [
    reported("imdn.content-disposition", 2, "Content-Disposition: notification\r\n", ""),
    reports("imdn.content-disposition", 2, "Disposition: notification", "Disposition: render"),
    Mutant(
        "imdn.content-type",
        HANDSET,
        "pager_mt",
        spoiled(2, ("message/imdn+xml", "application/imdn+xml"), only=4),
    ),
    Mutant(
        "imdn.not-mixed-with-im",
        NETWORK,
        "pager_mo",
        aggregated(document("delivery", "delivered"), ("text/plain", "hello")),
    ),
    Mutant(
        "imdn.aggregate",
        NETWORK,
        "pager_mo",
        aggregated(document("delivery", "delivered"), document("display", "displayed"), end=""),
    ),
    Mutant(
        "imdn.content-type",
        NETWORK,
        "pager_mo",
        aggregated(document("delivery", "delivered"), kind="multipart/alternative"),
    ),
]
MUTANTS = [*ASKED, *IDS, *WHEN, *WHOSE, *FORM]
