"""Which notifications are due, from whom and by which way: over MESSAGE, in a session, for a file."""

from __future__ import annotations

from dataclasses import replace

from harness.evidence.timeline import Layer
from harness.verify.due import Way, due_notifications
from harness.verify.engine import Verifier
from harness.verify.finding import Party
from harness.verify.proof.flows.msrp import chat, content
from harness.verify.proof.flows.sip import pager_mo, pager_mt, register
from harness.verify.proof.imdn_changes import aggregated, document, inserted, spoiled
from harness.verify.proof.messages import (
    ANONYMOUS,
    FAR,
    UE,
    answer,
    imdn_body,
    mo_message,
    mt_message,
    text_body,
)
from harness.verify.proof.script import Script, Step
from tests.harness.verify.judging import found, rules_of

MO_ID, MT_ID = "Msg1aB2cD3eF4gH5iJ6k", "Msg7aB2cD3eF4gH5iJ6k"
CONTRIBUTION = "0b0f8f6e-1111-4aaa-8bbb-000000000011"


def due(script: Script, owed_by: Party | None = None):
    verifier = Verifier()
    verifier.judge(script.timeline())
    found = due_notifications(verifier.assembly, owed_by=owed_by)
    return [(each.message_id, each.kind, each.owed_by.value, each.way, each.open) for each in found]


def imdn(own_id: str, message_id: str, kind: str = "delivery", status: str = "delivered") -> str:
    return imdn_body(ANONYMOUS, ANONYMOUS, own_id, message_id, kind, status)


def test_each_message_that_asks_owes_what_it_asks_for():
    assert due(pager_mo()) == [
        (MO_ID, "delivery", "network", Way.MESSAGE, False),
        (MO_ID, "display", "network", Way.MESSAGE, False),
    ]
    assert due(pager_mo().drop(4, 5)) == [
        (MO_ID, "delivery", "network", Way.MESSAGE, False),
        (MO_ID, "display", "network", Way.MESSAGE, True),
    ]
    assert due(pager_mt().drop(2, 3, 4, 5), Party.HANDSET) == [
        (MT_ID, "delivery", "handset", Way.MESSAGE, True),
        (MT_ID, "display", "handset", Way.MESSAGE, True),
    ]


def test_nothing_is_due_for_a_message_that_was_refused_or_asks_for_nothing():
    script = pager_mo().drop(2, 3, 4, 5)
    refused = answer(script.steps[0], "486 Busy Here", "netA1")
    assert [each[-1] for each in due(Script([script.steps[0], refused]))] == [False, False]
    asking_nothing = (
        pager_mo()
        .drop(2, 3, 4, 5)
        .sub(0, "imdn.Disposition-Notification: positive-delivery, display\r\n", "")
    )
    assert due(asking_nothing) == []


def test_in_a_chat_notifications_go_in_the_session_while_it_lives():
    living = chat().drop(*range(10, 14), *range(16, 23))
    assert due(living) == [
        (MO_ID, "delivery", "network", Way.SESSION, True),
        (MO_ID, "display", "network", Way.SESSION, True),
        (MT_ID, "delivery", "handset", Way.SESSION, True),
        (MT_ID, "display", "handset", Way.SESSION, True),
    ]
    over = chat().drop(*range(10, 14), *range(16, 20))
    assert {each[3] for each in due(over)} == {Way.MESSAGE}
    assert {each[3] for each in due(over.drop(len(over.steps) - 1))} == {Way.MESSAGE}
    broken = living.insert(len(living.steps), chat().steps[-1])
    assert {each[3] for each in due(broken)} == {Way.MESSAGE}


def test_where_the_session_takes_no_notifications_they_go_by_message():
    script = chat().drop(*range(10, 14), *range(16, 23))
    script.sub(0, " message/imdn+xml", "")
    assert {each[:1] + each[3:4] for each in due(script)} == {(MO_ID, Way.MESSAGE), (MT_ID, Way.SESSION)}


def ways(script: Script) -> set[tuple[str, Way]]:
    return {(each[0], each[3]) for each in due(script)}


def test_a_session_that_is_not_seen_whole_does_not_carry_them():
    living = list(range(10, 14)), list(range(16, 23))
    dropped = [*living[0], *living[1]]
    by_message = {(MO_ID, Way.MESSAGE), (MT_ID, Way.MESSAGE)}
    assert ways(chat().drop(3, *dropped)) == by_message  # no answer
    assert ways(chat().drop(0, 1, 2, 3, 4, *dropped)) == set()  # no session: nobody knows who sends
    assert ways(chat().sub(3, "m=message 20000", "m=message 0").drop(*dropped)) == by_message
    bodiless = chat().drop(*dropped)
    bodiless.sub(0, "a=accept-types:message/cpim application/im-iscomposing+xml\r\n", "")
    assert ways(bodiless) == {(MO_ID, Way.SESSION), (MT_ID, Way.SESSION)}
    elsewhere = chat().drop(*dropped)
    elsewhere.sub(0, "a=accept-types:message/cpim ", "a=accept-types:")
    assert ways(elsewhere) == {(MO_ID, Way.MESSAGE), (MT_ID, Way.SESSION)}


def test_what_came_in_the_session_and_by_message_is_one_chain():
    told = mt_message(
        "b", CONTRIBUTION, imdn_body(FAR, ANONYMOUS, "Not2aB2cD3eF4gH5iJ6k", MO_ID, "display", "displayed")
    )
    script = chat().drop(12, 13)
    script.steps += [told, answer(told, "200 OK", "ueb1")]
    verifier = found(script)
    first, second, *_ = due_notifications(verifier.assembly)
    assert [each.item.label[:4] for each in first.told] == ["SEND"]
    assert [each.item.label[:4] for each in second.told] == ["MESS"]
    assert str(second).startswith(
        f"display of {MO_ID} (SEND #10) from network, by MESSAGE: displayed in MESSAGE"
    )
    assert [each for each in rules_of(verifier) if each[0].startswith("imdn.")] == []


def test_who_owes_is_told_where_the_message_says_it():
    verifier = found(pager_mo())
    assert [each.recipients for each in due_notifications(verifier.assembly)] == [("491700000002",)] * 2
    assert {each.recipients for each in due_notifications(found(chat()).assembly)} == {()}


def test_a_message_that_came_twice_counts_once():
    script = pager_mt().drop(2, 3, 4, 5)
    again = script.steps[0].text.replace("z9hG4bKmt", "z9hG4bKmtzz").replace("Call-ID: mt", "Call-ID: mtzz")
    script.steps += [Step(False, again), answer(Step(False, again), "200 OK", "ued2")]
    assert len(due(script)) == 2
    assert [rule for rule, _ in rules_of(found(script.wait(31)))].count("imdn.timeout") == 1
    told = [each for each in found(script).findings if each.rule == "imdn.timeout"]
    assert [each.where.label for each in told] == ["MESSAGE #2"]


def test_a_message_that_was_refused_at_first_is_due_once_it_is_taken():
    script = pager_mt().drop(2, 3, 4, 5)
    script.steps[1] = answer(script.steps[0], "480 Temporarily Unavailable", "ued1")
    again = script.steps[0].text.replace("z9hG4bKmt", "z9hG4bKmtzz").replace("Call-ID: mt", "Call-ID: mtzz")
    script.steps += [Step(False, again), answer(Step(False, again), "200 OK", "ued2")]
    assert [each[-1] for each in due(script)] == [True, True]


def test_a_message_of_a_session_that_failed_may_be_sent_again():
    """RFC 4975 5.4: with the ids of the first try."""
    again = [replace(step, msrp=2) for step in chat().steps[5:10]]
    script = chat().drop(*range(10, 23))
    script.steps += [chat().steps[-1], *again]
    assert "imdn.message-id.unique" not in dict(rules_of(found(script)))
    living = chat().drop(*range(10, 23))
    living.steps += chat().steps[8:10]
    assert ("imdn.message-id.unique", "handset") in rules_of(found(living))


# -- rules on them, in a session --------------------------------------------------------------------------

BY_MESSAGE = mo_message(
    "k", CONTRIBUTION, imdn_body(UE, FAR, "Not5aB2cD3eF4gH5iJ6k", MT_ID, "delivery", "delivered")
)


def test_after_the_session_a_notification_goes_by_message():
    after = chat().drop(16, 17, 18, 19)
    after.steps += [BY_MESSAGE, answer(BY_MESSAGE, "200 OK", "netk1")]
    assert "imdn.route.session" not in dict(rules_of(found(after)))


def test_who_may_have_lost_the_session_is_not_blamed_for_a_message():
    script = chat().drop(16, 17)
    script.steps[16:] = [
        *(replace(step) for step in register().steps[:4]),
        BY_MESSAGE,
        answer(BY_MESSAGE, "200 OK", "netk1"),
    ]
    again = Script([*script.steps, *(replace(step, msrp=2) for step in displayed_in_session())])
    for silent in (script, again):  # it says nothing more, or on another connection
        verifier = found(silent.wait(31))
        assert "imdn.route.session" not in dict(rules_of(verifier))
        assert "imdn.route.session" in {each.rule for each in verifier.open}


def displayed_in_session() -> list[Step]:
    return chat().steps[18:20]


def test_who_goes_on_in_the_session_had_not_lost_it():
    for begun in (True, False):
        script = chat().drop(16, 17)
        script.steps[16:] = [
            *(replace(step) for step in register().steps[:4]),
            BY_MESSAGE,
            answer(BY_MESSAGE, "200 OK", "netk1"),
            *(displayed_in_session() if begun else []),
            *([] if begun else [content(False, "eX5kU2mP9sLw", "Nw9kQ2mP9sLw", text_later())]),
        ]
        told = [
            (each.rule, each.where.label) for each in found(script.wait(31)).findings if "route" in each.rule
        ]
        assert told == ([("imdn.route.session", "MESSAGE #22")] if begun else [])


def text_later() -> str:
    return text_body(ANONYMOUS, ANONYMOUS, "Msg9aB2cD3eF4gH5iJ6k")


def test_a_session_that_ended_later_lived_when_the_message_came():
    script = inserted(16, BY_MESSAGE, answer(BY_MESSAGE, "200 OK", "netk1"))(chat().drop(16, 17))
    script.saw(0.2, Layer.AT, "command", command="AT+CFUN=0")
    assert script.steps[-1].event.startswith("closed")
    told = [each.rule for each in found(script.wait(31)).findings if "route" in each.rule]
    assert told == ["imdn.route.session"]


def test_a_delivery_notification_that_does_not_come_is_not_told_before_the_time_is_over():
    for script in (pager_mt(), pager_mo()):
        assert "imdn.timeout" not in dict(rules_of(found(script.drop(2, 3, 4, 5).wait(20))))
    assert rules_of(found(pager_mt().wait(31))) == []


def test_an_aggregate_is_read():
    whole = aggregated(document("delivery", "delivered"), document("display", "displayed"))(pager_mo())
    verifier = found(whole)
    assert rules_of(verifier) == []
    assert [len(each.told) for each in due_notifications(verifier.assembly)] == [1, 1]


def test_elements_of_other_namespaces_are_right():
    own = spoiled(2, ("<delivery-not", '<x:device xmlns:x="urn:x"/><delivery-not'))(pager_mt())
    assert rules_of(found(own)) == []
