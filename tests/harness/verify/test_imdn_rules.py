"""IMDN rules: what is right, what cannot be decided, and levels of sub-cases (mutants are in the proof)."""

from __future__ import annotations

import pytest

from harness.verify.engine import Verifier, VerifySettings
from harness.verify.proof.flows.msrp import answered, content, opened
from harness.verify.proof.imdn_changes import (
    DATETIME,
    DELIVERED,
    MO_ID,
    MT_ID,
    REQUEST,
    again,
    aggregated,
    document,
    recorded,
    rewritten,
    spoiled,
)
from harness.verify.proof.messages import FAR, UE, text_body
from harness.verify.proof.script import Script

NONE_ASKED = "imdn.Disposition-Notification: "


def own(found):
    return [(rule, party) for rule, party in found if rule.startswith("imdn.")]


def test_the_time_of_the_notification_fails_only_under_the_letter(flow):
    for profile, severity in (("ietf", "MUST"), ("rcs51", "INFO"), ("up2", "INFO")):
        script = rewritten(flow("pager_mt"), 2, "20Z</datetime>", "21Z</datetime>")
        found = [f for f in Verifier(profile).judge(script.timeline()) if f.rule.startswith("imdn.")]
        assert [(f.rule, f.severity, f.fails) for f in found] == [
            ("imdn.xml.datetime-value", severity, profile == "ietf")
        ]


def test_a_copy_is_only_remarked(flow):
    script = again(0, MO_ID, only=2)(flow("pager_mo"))
    (found,) = [f for f in Verifier("rcs51").judge(script.timeline()) if f.rule.startswith("imdn.")]
    assert (found.rule, found.severity) == ("imdn.message-id.unique", "INFO")


RIGHT = [
    lambda flow: flow("pager_mo").drop(0, 1),
    lambda flow: flow("pager_mt").drop(0, 1),
    lambda flow: flow("pager_mt").drop(2, 3),
    lambda flow: flow("pager_mt").drop(1),
    lambda flow: again(0, MO_ID, only=2)(flow("pager_mo")).sub(
        1, "200 OK", "407 Proxy Authentication Required"
    ),
    lambda flow: again(4, "Not9aB2cD3eF4gH5iJ6k")(flow("pager_mt")).sub(
        5, "200 OK", "480 Temporarily Unavailable"
    ),
    lambda flow: spoiled(2, (f"<message-id>{MO_ID}", f"<message-id>\r\n  {MO_ID}\r\n"))(flow("pager_mo")),
    lambda flow: spoiled(0, (REQUEST, "imdn.Disposition-Notification: "), only=2)(flow("pager_mo")),
    lambda flow: spoiled(0, (REQUEST, f'{REQUEST} ;a=b , negative-delivery;c="d"'), only=2)(flow("pager_mo")),
    lambda flow: spoiled(2, ("22:13:20Z</datetime>", "23:13:20.500+01:00</datetime>"))(flow("pager_mo")),
    lambda flow: spoiled(2, (DELIVERED, f'{DELIVERED}<n xmlns="urn:x:y">more</n>'))(flow("pager_mo")),
    lambda flow: spoiled(2, ("<delivered/>", '<delivered></delivered><n xmlns="urn:x:y"/>'))(
        flow("pager_mo")
    ),
    lambda flow: spoiled(2, (DATETIME, f"{DATETIME}<recipient-uri>tel:+49-170-0000002</recipient-uri>"))(
        flow("pager_mo")
    ),
    lambda flow: aggregated(document("delivery", "delivered"), document("display", "displayed"))(
        flow("pager_mo")
    ),
    lambda flow: recorded("sip:a@example.org")(flow("pager_mt")),
    lambda flow: flow("pager_mo").everywhere("2023-11-14T22:13:20Z", "2023-11-14T22:13:20+", 0, 2, 4),
]


@pytest.mark.parametrize(
    ("headers", "wrong"),
    [
        ((f"\r\n\r\nFrom: <{FAR}>", "\r\n\r\nFrom: <sip:im.example.org>"), True),
        ((f"\r\n\r\nFrom: <{FAR}>", "\r\n\r\nFrom: <tel:+491700000002>"), False),
        ((f"\r\n\r\nFrom: <{FAR}>", "\r\n\r\nFrom: <sip:anonymous@anonymous.invalid>"), False),
    ],
)
def test_delivered_is_what_the_recipient_says(flow, judged, headers, wrong):
    told = "imdn.no-network-positive" in {rule for rule, _ in judged(spoiled(2, headers)(flow("pager_mo")))}
    assert told is wrong
    list_server = (DATETIME, f"{DATETIME}<recipient-uri>{FAR}</recipient-uri>")
    script = spoiled(2, headers, list_server)(flow("pager_mo"))
    assert "imdn.no-network-positive" not in {rule for rule, _ in judged(script)}


@pytest.mark.parametrize("value", [NONE_ASKED, f"{REQUEST}, processing", f"{REQUEST}, negative-delivery"])
def test_a_text_that_asks_for_more_or_for_nothing_is_right(flow, judged, value):
    assert own(judged(spoiled(0, (REQUEST, value), only=2)(flow("pager_mo")))) == []


@pytest.mark.parametrize("declaration", ["", "<?xml version='1.0' encoding='utf-8'?>", "\ufeff"])
def test_the_declaration_of_xml_may_be_missing(flow, judged, declaration):
    whole = '<?xml version="1.0" encoding="UTF-8"?>\r\n'
    assert own(judged(spoiled(2, (whole, declaration))(flow("pager_mo")))) == []


@pytest.mark.parametrize("make", RIGHT)
@pytest.mark.parametrize("profile", ["ietf", "rcs51"])
def test_what_is_right_or_cannot_be_decided_is_no_finding(flow, judged, make, profile):
    assert own(judged(make(flow), profile)) == []


def test_an_unknown_message_id_is_open_not_a_finding(flow):
    verifier = Verifier("rcs51")
    verifier.judge(flow("pager_mt").drop(0, 1).timeline())
    assert {"imdn.xml.message-id", "imdn.only-requested"} <= {item.rule for item in verifier.open}
    assert verifier.findings == []


def unknown_id(flow, name: str, index: int, own: str, *, at: str = "22:14:20Z"):
    """A notification on a message nobody has, which was sent a minute after the timeline began."""
    script = rewritten(flow(name), index, f">{own}<", ">Nowhere1B2cD3eF4gH5i<")
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


def test_an_id_of_no_message_since_the_start_is_a_finding(flow):
    assert about_ids(unknown_id(flow, "pager_mt", 2, MT_ID)) == (["handset"], [])
    of_before = unknown_id(flow, "pager_mt", 2, MT_ID, at="22:13:22Z")
    assert about_ids(of_before) == ([], ["Nowhere1B2cD3eF4gH5i may be of before the capture"])
    assert about_ids(unknown_id(flow, "pager_mt", 2, MT_ID, at="some time")) == (
        [],
        ["Nowhere1B2cD3eF4gH5i may be of before the capture"],
    )
    assert about_ids(unknown_id(flow, "pager_mt", 2, MT_ID), from_start=False)[0] == []


def test_an_id_of_another_device_of_the_user_is_left_open(flow):
    """What the network tells of may have been sent elsewhere, unless the registrar knows of one device."""
    alone = unknown_id(flow, "pager_mo", 2, MO_ID).drop(4, 5)
    assert about_ids(alone) == ([], ["Nowhere1B2cD3eF4gH5i may be one of another device of the user"])
    one = flow("register").steps[:4]
    assert about_ids(Script([*one, *alone.steps])) == (["network"], [])
    two = flow("register").sub(3, "Contact: ", "Contact: <sip:other@10.0.0.6:5060>;expires=600, ").steps[:4]
    assert about_ids(Script([*two, *alone.steps]))[0] == []


def test_an_id_may_be_of_what_cannot_be_read(flow):
    script = unknown_id(flow, "pager_mt", 2, MT_ID)
    unreadable = flow("pager_mt").everywhere("mtd", "mtz").steps[:2]
    unreadable[0] = Script([unreadable[0]]).body(0, "no headers").steps[0]
    assert about_ids(Script([*unreadable, *script.steps])) == (
        [],
        ["Nowhere1B2cD3eF4gH5i may be one that cannot be read"],
    )
    session = flow("session_mo").steps[:5]
    assert about_ids(Script([*session, *script.steps])) == (
        [],
        ["Nowhere1B2cD3eF4gH5i may have come in a session that was not captured"],
    )


def test_a_sender_the_network_hides_elsewhere_proves_nothing(flow, judged):
    """One IMDN anonymous, the other of a number the text was not for: no verdict on who made it."""
    script = flow("pager_mo").everywhere(FAR, FAR.replace("0002", "0009"), 2, 4)
    script.everywhere("tel:+491700000002", "tel:+491700000009", 2, 4)
    script.sub(
        2, f"\r\n\r\nFrom: <{FAR.replace('0002', '0009')}>", "\r\n\r\nFrom: <sip:anonymous@anonymous.invalid>"
    )
    assert own(judged(script)) == []


@pytest.mark.parametrize(("service", "wrong"), [("deferred", []), ("session", ["imdn.same-conversation"])])
def test_a_fetch_of_deferred_messages_is_not_their_conversation(flow, judged, service, wrong):
    session = flow("session_mo").everywhere("oma.cpm.session", f"oma.cpm.{service}").steps[:5]
    brought = answered(content(False, "eX2kU2mP9sLw", "Nw3kQ2mP9sLw", text_body(FAR, UE, MT_ID)))
    script = flow("pager_mt").drop(0, 1).everywhere("Conversation-ID: f81d", "Conversation-ID: f91d", 0, 2)
    script.steps = [*session, opened(), *brought, *script.steps]
    assert sorted({rule for rule, _ in own(judged(script))} & {"imdn.same-conversation"}) == wrong
