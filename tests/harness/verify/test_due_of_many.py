"""Who of several owes a notification: members of a group by what the focus told, those on a list.

And since when: a file is on its way for long.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.verify.due import due_notifications
from harness.verify.engine import Verifier
from harness.verify.finding import Party
from harness.verify.proof.flows.group import (
    FOCUS,
    GROUP_MO,
    THIRD,
    delivered,
    notify,
    talk,
    users,
)
from harness.verify.proof.flows.media import push_mo
from harness.verify.proof.flows.msrp import answered, content, opened, send
from harness.verify.proof.flows.sip import pager_list
from harness.verify.proof.messages import FAR, UE, answer, imdn_body, mt_message, text_body
from harness.verify.proof.script import Script

SECOND_NUMBER, THIRD_NUMBER = "491700000002", "491700000003"
TOLD, TEXT, OF_SECOND, OF_THIRD = 6, 11, slice(13, 15), slice(15, 17)


def silent(*members: slice, after: float = 31.0) -> Script:
    """The talk without what these tell, still going on, and time after it."""
    script = talk()
    steps = [step for place, step in enumerate(script.steps) if place < 17]
    for each in sorted(members, key=lambda each: each.start, reverse=True):
        del steps[each]
    return Script(steps).wait(after)


def tell(script: Script, place: int, number: int, document: str) -> Script:
    """A NOTIFY more, at this place."""
    notified = notify(number, document)
    script.steps[place:place] = [notified, answer(notified, "200 OK", "")]
    return script


def timeouts(script: Script) -> list[str]:
    verifier = Verifier()
    found = verifier.judge(script.timeline())
    rules = {finding.rule for finding in found}
    assert rules <= {"imdn.timeout"}, rules
    assert {finding.party for finding in found} <= {Party.NETWORK}
    return [finding.actual for finding in found]


def undecided(script: Script) -> list[str]:
    """Why nothing is said of a notification that did not come."""
    verifier = Verifier()
    verifier.judge(script.timeline())
    assert "imdn.timeout" not in {finding.rule for finding in verifier.findings}
    return [each.why for each in verifier.open if each.rule == "imdn.timeout"]


def owed(script: Script) -> list[tuple[str, tuple[str, ...], bool]]:
    verifier = Verifier()
    verifier.judge(script.timeline())
    found = due_notifications(verifier.assembly, owed_by=Party.NETWORK)
    return [(each.kind, each.recipients, each.open) for each in found]


def test_each_member_of_a_group_owes_what_a_message_asks_for():
    assert owed(silent(OF_THIRD, after=1.0)) == [
        ("delivery", (SECOND_NUMBER,), False),
        ("delivery", (THIRD_NUMBER,), True),
        ("display", (SECOND_NUMBER,), True),
        ("display", (THIRD_NUMBER,), True),
    ]


def test_who_of_a_group_does_not_tell_is_named():
    assert timeouts(silent()) == []
    assert timeouts(silent(OF_THIRD)) == [f"none of {THIRD_NUMBER}"]
    assert timeouts(silent(OF_SECOND, OF_THIRD)) == [f"none of {SECOND_NUMBER}, none of {THIRD_NUMBER}"]
    assert timeouts(silent(OF_THIRD, after=20.0)) == []


def test_a_notification_that_comes_too_late_did_not_come_in_time():
    late = silent(OF_THIRD)
    late.steps += talk().steps[OF_THIRD]
    assert timeouts(late) == [f"one of {THIRD_NUMBER} after 31 s"]


def test_many_that_do_not_tell_are_counted():
    members = [f"sip:+4917000001{number:02}@example.org;user=phone" for number in range(9)]
    everybody = users(1, (UE, "connected"), *((each, "connected") for each in members))
    script = silent(OF_SECOND, OF_THIRD).body(TOLD, everybody)
    (actual,) = timeouts(script)
    assert actual.startswith("none of ") and actual.endswith(" and 6 more") and actual.count(",") == 2


GONE = users(2, (THIRD, "disconnected"), state="partial")


@pytest.mark.parametrize("place", [8, 13, 15])
def test_who_left_before_or_since_owes_nothing(place: int):
    assert timeouts(tell(silent(OF_THIRD), place, 2, GONE)) == []


def test_who_joined_later_or_has_not_joined_owes_nothing():
    two = users(1, (UE, "connected"), (FAR, "connected"), (THIRD, "pending"))
    assert timeouts(silent(OF_THIRD).body(TOLD, two)) == []
    joined = users(2, (THIRD, "connected"), state="partial")
    assert timeouts(tell(silent(OF_THIRD).body(TOLD, two), 13, 2, joined)) == []
    before = tell(silent(OF_THIRD).body(TOLD, two), 8, 2, joined)
    assert timeouts(before) == [f"none of {THIRD_NUMBER}"]


def test_who_hears_and_may_not_speak_owes_too():
    for status in ("on-hold", "muted-via-focus"):
        everybody = users(1, (UE, "connected"), (FAR, "connected"), (THIRD, status))
        assert timeouts(silent(OF_THIRD).body(TOLD, everybody)) == [f"none of {THIRD_NUMBER}"]


def test_nobody_owes_anything_to_who_is_alone():
    alone = silent(OF_SECOND, OF_THIRD).body(TOLD, users(1, (UE, "connected")))
    assert (timeouts(alone), undecided(alone), owed(alone)) == ([], [], [])


def test_a_member_is_known_by_its_other_addresses():
    """RFC 4575 5.6.2."""
    other = "sip:third@example.org"
    named = users(1, (UE, "connected"), (FAR, "connected"), (other, "connected")).replace(
        f'<user entity="{other}" state="full">',
        f'<user entity="{other}" state="full"><associated-aors><entry><uri>tel:+{THIRD_NUMBER}</uri></entry>'
        "</associated-aors>",
    )
    everybody_told = silent().body(TOLD, named)
    assert (timeouts(everybody_told), undecided(everybody_told)) == ([], [])
    assert timeouts(silent(OF_THIRD).body(TOLD, named)) == ["none of third@example.org"]


def aggregate(*recipients: str) -> Script:
    """The focus tells for several at once (RFC 5438 8.3)."""
    xml = delivered(FOCUS, UE, "Agg1aB2cD3eF4gH5iJ6k", GROUP_MO).rpartition("\r\n\r\n")[2]
    parts = "".join(
        "--b1\r\nContent-Type: message/imdn+xml\r\n\r\n"
        + xml.replace("</datetime>", f"</datetime><recipient-uri>{each}</recipient-uri>")
        + "\r\n"
        for each in recipients
    )
    body = (
        f"From: <{FOCUS}>\r\nTo: <{UE}>\r\nDateTime: 2023-11-14T22:13:21Z\r\n"
        "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: Agg1aB2cD3eF4gH5iJ6k\r\n\r\n"
        "Content-Type: multipart/mixed;boundary=b1\r\nContent-Disposition: notification\r\n"
        f"Content-Length: {len(parts) + len('--b1--')}\r\n\r\n{parts}--b1--"
    )
    script = silent(OF_SECOND, OF_THIRD).sub(0, "types:text/plain", "types:multipart/mixed text/plain")
    script.steps[13:13] = answered(content(False, "cX9kS2mP9sLw", "Nw1kQ2mP9sLw", body))
    return script


def test_the_focus_may_tell_for_all():
    assert timeouts(aggregate(FAR, THIRD)) == []
    assert timeouts(aggregate(FAR)) == [f"none of {THIRD_NUMBER}"]


def test_nothing_is_said_where_the_members_are_not_seen():
    nobody_told = silent(OF_THIRD).drop(4, 5, 6, 7)
    assert undecided(silent(OF_SECOND, OF_THIRD).drop(4, 5, 6, 7)) == ["who was in the group is not seen"]
    assert undecided(nobody_told) == []  # one told, which is as much as can be asked for then
    gap = tell(silent(OF_THIRD), 8, 2, users(4, (FAR, "connected"), state="partial"))
    assert undecided(silent(OF_SECOND, OF_THIRD).drop(6, 7)) == ["who was in the group is not seen"]
    assert undecided(gap) == []
    later = tell(silent(OF_SECOND, OF_THIRD), 13, 2, users(4, (FAR, "connected"), state="partial"))
    assert undecided(later) == ["who was in the group is not seen"]


def test_what_the_focus_told_before_does_not_count_again():
    stale = users(1, (THIRD, "disconnected"), state="partial")
    found = Verifier().judge(tell(silent(OF_THIRD), 8, 2, stale).timeline())
    assert [each.rule for each in found] == ["session.group.notify.version", "imdn.timeout"]


def test_the_handset_alone_owes_what_comes_to_it():
    verifier = Verifier()
    verifier.judge(talk().timeline())
    found = due_notifications(verifier.assembly, owed_by=Party.HANDSET)
    assert [(each.kind, each.member, each.open) for each in found] == [
        ("delivery", (), False),
        ("display", (), True),
    ]


def test_nothing_is_said_once_the_subscription_is_over():
    for place in (8, 13):  # before the message, and while its notifications are due
        script = tell(silent(OF_SECOND, OF_THIRD), place, 2, "")
        ended = "Subscription-State: terminated;reason=timeout"
        script.sub(place, "Subscription-State: active;expires=600", ended).without(place, "Content-Type")
        assert undecided(script) == ["who was in the group is not seen"]
    short = silent(OF_SECOND, OF_THIRD).sub(TOLD, "active;expires=600", "active;expires=20")
    assert undecided(short) == ["who was in the group is not seen"]


def test_a_notification_that_hides_its_maker_may_be_of_any_member():
    script = silent(OF_THIRD)
    hidden = delivered("sip:anonymous@anonymous.invalid", UE, "Not1aB2cD3eF4gH5iJ6k", GROUP_MO)
    script.steps[13:15] = answered(content(False, "cX9kS2mP9sLw", "Nw1kQ2mP9sLw", hidden))
    assert undecided(script) == ["whose notification SEND #15 brings is not seen"]


# -- a list of recipients -----------------------------------------------------------------------------------


def to_list(*tellers: str) -> Script:
    """A text to two, of whom these tell."""
    script = pager_list().sub(0, "<list>", f'<list><entry uri="{FAR}" cp:copyControl="to"/>')
    script.sub(0, "iJ6k\r\n", "iJ6k\r\nimdn.Disposition-Notification: positive-delivery\r\n")
    message_id = script.steps[0].text.partition("imdn.Message-ID: ")[2].partition("\r\n")[0]
    for number, each in enumerate(tellers):
        told = imdn_body(each, UE, f"Lst{number}aB2cD3eF4gH5iJ6k", message_id, "delivery", "delivered")
        message = mt_message(f"l{number}", f"0b0f8f6e-1111-4aaa-8bbb-00000000006{number}", told)
        message = replace(message, text=message.text.replace(FAR, each))
        script.steps += [message, answer(message, "200 OK", f"uel{number}")]
    return script.wait(31)


def test_each_recipient_of_a_list_owes_what_a_message_asks_for():
    assert [each for each in owed(to_list(FAR)) if each[0] == "delivery"] == [
        ("delivery", (SECOND_NUMBER,), False),
        ("delivery", (THIRD_NUMBER,), True),
    ]
    shown = to_list().sub(0, "Disposition: recipient-list", "Disposition: attachment")
    assert [each[1] for each in owed(shown)] == [(SECOND_NUMBER,)]
    verifier = Verifier()
    found = [f.actual for f in verifier.judge(to_list(FAR).timeline()) if f.rule == "imdn.timeout"]
    assert found == [f"none of {THIRD_NUMBER}"]
    assert [f for f in Verifier().judge(to_list(FAR, THIRD).timeline()) if f.rule == "imdn.timeout"] == []


# -- a file -------------------------------------------------------------------------------------------------


def file_sent(slow: float, told: float | None, *, whole: bool = True) -> Script:
    """A file of the handset, whose last chunk is taken so many seconds after the INVITE, and told of then."""
    script = push_mo()
    sdp = script.steps[0].text.partition("\r\n\r\n")[2].replace("size:32349", "size:10")
    sdp = sdp.replace("1-32349", "1-10").replace(SHA1, "")
    head = text_body(UE, FAR, FILE_ID, "").replace("text/plain;charset=UTF-8", "image/jpeg")
    script.body(
        0,
        f"--b1\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b1\r\nContent-Type: message/cpim\r\n"
        f"Content-Disposition: render;handling=optional\r\n\r\n{head}\r\n--b1--\r\n",
    ).sub(0, "Content-Type: application/sdp", "Content-Type: multipart/mixed;boundary=b1")
    script.sub(3, "size:32349", "size:10").sub(3, "1-32349", "1-10").sub(3, SHA1, "")
    chunks = answered(
        send(True, "aX7kQ2mP9sLw", "Message-ID: 0pEn7kQ2mP9s", "Byte-Range: 1-0/0"),
        send(
            True, "bX8kR2mP9sLw", "Message-ID: Fil1k", "Byte-Range: 1-10/10", "Content-Type: image/jpeg",
            body="0123456789", flag="$" if whole else "#", after=slow,
        ),
    )  # fmt: skip
    steps = [*script.steps[:5], opened(), *chunks]
    if told is not None:
        notification = imdn_body(FAR, UE, "Not1aB2cD3eF4gH5iJ6k", FILE_ID, "delivery", "delivered")
        message = replace(mt_message("f", "0b0f8f6e-1111-4aaa-8bbb-000000000071", notification), after=told)
        steps += [message, answer(message, "200 OK", "uef1")]
    return Script(steps).wait(61)


FILE_ID = "Msg1aB2cD3eF4gH5iJ6k"
SHA1 = " hash:sha-1:72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E"


def told_late(script: Script) -> list[str]:
    found = Verifier().judge(script.timeline())
    return [finding.actual for finding in found if finding.rule == "imdn.timeout"]


def test_a_file_is_told_of_once_it_is_here_whole():
    assert told_late(file_sent(50.0, 5.0)) == []
    assert told_late(file_sent(50.0, None)) == ["none"]
    assert told_late(file_sent(1.0, None)) == ["none"]
    assert told_late(file_sent(1.0, 33.0)) == ["one after 33 s"]
    assert told_late(file_sent(1.0, None, whole=False)) == []
    verifier = Verifier()
    verifier.judge(Script(file_sent(5.0, None).steps[:8]).timeline())
    assert [each.open for each in due_notifications(verifier.assembly)] == [False, False]
