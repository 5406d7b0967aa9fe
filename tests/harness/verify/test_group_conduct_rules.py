"""Groups and sessions: what is legal, or cannot be told, of how they are founded, used and left."""

from __future__ import annotations

import pytest

from harness.evidence.timeline import Layer
from harness.verify.engine import Verifier, VerifySettings
from harness.verify.proof.flows import FLOWS
from harness.verify.proof.flows.conduct import FIRST, OTHER
from harness.verify.proof.flows.group import FACTORY, FOCUS, GROUP_MO, GROUP_MT, THIRD, talk, users
from harness.verify.proof.flows.msrp import answered, content, request
from harness.verify.proof.messages import ANONYMOUS, FAR, UE, answer, text_body
from harness.verify.proof.script import Script

ENDS = 21  # the BYE of the talk


def rules(script: Script, *prefixes: str, **settings: object) -> list[str]:
    verifier = Verifier("rcs51", VerifySettings(**settings))  # type: ignore[arg-type]
    found = verifier.judge(script.wait(31).timeline())
    return list(dict.fromkeys(each.rule for each in found if each.rule.startswith((*prefixes, "internal"))))


def left_open(script: Script, rule: str) -> list[str]:
    verifier = Verifier()
    verifier.judge(script.wait(31).timeline())
    return [each.why for each in verifier.open if each.rule == rule]


def bare_bye() -> Script:
    return talk().without(ENDS, "Reason")


def before_the_bye(script: Script) -> float:
    return sum(step.after for step in script.steps[:ENDS])


# -- left, and closed ---------------------------------------------------------------------------------------


def test_a_bye_without_a_reason_may_be_for_a_while():
    assert rules(bare_bye(), "session.group.leave") == []


def test_a_touch_of_before_the_group_was_there_is_for_another():
    assert rules(bare_bye().saw(0.0, Layer.ADB, "tap", element="leave_group"), "session.group.leave") == []
    script = bare_bye()
    touched = script.saw(before_the_bye(script), Layer.ADB, "tap", element="leave_group")
    assert rules(touched, "session.group.leave") == ["session.group.leave"]


def test_another_touch_leaves_nothing():
    script = bare_bye()
    touched = script.saw(before_the_bye(script), Layer.ADB, "tap", element="send_button")
    assert rules(touched, "session.group.leave") == []


def test_a_touch_of_long_before_is_over():
    script = bare_bye()
    at = before_the_bye(script)
    script.change(ENDS, after=20.0)
    assert rules(script.saw(at, Layer.ADB, "tap", element="leave_group"), "session.group.leave") == []


def test_who_is_put_out_is_told_so_while_the_group_goes_on():
    script = FLOWS["ended"]().drop(21, 22).sub(21, "cause=410", "cause=200")
    assert rules(script, "session.group.closed") == []


# -- who writes, and to whom --------------------------------------------------------------------------------


def says(script: Script, index: int, body: str) -> Script:
    tid, mid = ("bX8kR2mP9sLw", "Ue1kQ2mP9sLw") if index == 11 else ("eX2kU2mP9sLw", "Nw3kQ2mP9sLw")
    return script.change(index, text=content(index == 11, tid, mid, body).text)


def test_a_private_message_goes_to_one_member():
    """RFC 7701 6.2."""
    private = says(talk(), 11, text_body(UE, THIRD, GROUP_MO))
    assert rules(private, "session.group.cpim") == []


def test_who_hides_its_name_may_be_a_member_that_does():
    body = text_body(ANONYMOUS, FOCUS, GROUP_MT)
    hiding = says(talk(), 17, body).drop(19, 20)
    hiding.body(6, users(1, (UE, "connected"), (FAR, "connected"), (ANONYMOUS, "connected")))
    assert rules(hiding, "cpim.group-from") == []
    assert rules(says(talk(), 17, body).drop(19, 20), "cpim.group-from") == ["cpim.group-from"]


def test_a_member_may_be_told_of_a_little_later():
    script = talk().body(6, users(1, (UE, "connected"), (THIRD, "connected")))
    assert rules(script, "cpim.group-from") == ["cpim.group-from"]
    late = users(2, (FAR, "connected"), state="partial")
    notified = FLOWS["ended"]().steps[21]
    notified = Script([notified]).body(0, late).sub(0, "terminated;reason=noresource", "active").steps[0]
    script = talk().body(6, users(1, (UE, "connected"), (THIRD, "connected")))
    script.steps[19:19] = [notified, answer(notified, "200 OK", "")]
    assert rules(script, "cpim.group-from") == []


def test_the_focus_may_speak_for_itself():
    assert rules(says(talk(), 17, text_body(FOCUS, FOCUS, GROUP_MT)).drop(19, 20), "cpim.group-from") == []


# -- chat rooms ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", ":nickname", ":com.example.chat.foo nickname", ":private-messages"])
def test_chat_rooms_may_have_what_others_define(value: str):
    script = FLOWS["chatroom"]().sub(0, "chatroom:nickname private-messages", f"chatroom{value}")
    assert rules(script, "session.group.chatroom") == []


@pytest.mark.parametrize("value", ['""', '"a \\"b\\" c"', f'"{"é" * 511}"'])
def test_nicknames_that_can_be(value: str):
    script = FLOWS["chatroom"]()
    script.steps[11:13] = answered(request("NICKNAME", True, "nX9kS2mP9sLw", f"Use-Nickname: {value}"))
    assert rules(script, "session.group.nickname") == []


@pytest.mark.parametrize(
    ("status", "parties"), [("424 Malformed", ["handset"]), ("200 OK", ["handset", "network"])]
)
def test_a_nickname_that_cannot_be_is_answered_424(status: str, parties: list[str]):
    script = FLOWS["chatroom"]()
    asked, reply = answered(request("NICKNAME", True, "nX9kS2mP9sLw", f'Use-Nickname: "{"é" * 512}"'))
    script.steps[11:13] = [asked, reply]
    script.everywhere("nX9kS2mP9sLw 200 OK", f"nX9kS2mP9sLw {status}", 12)
    verifier = Verifier()
    found = verifier.judge(script.timeline())
    assert [each.party.value for each in found if each.rule == "session.group.nickname"] == parties


# -- founded, begun anew, taken over ------------------------------------------------------------------------


def test_what_is_provisioned_decides_where_groups_are_founded():
    assert rules(FLOWS["adhoc"](), "session.group.adhoc.uri", conference_factory=FACTORY) == []
    elsewhere = rules(FLOWS["adhoc"](), "session.group.adhoc.uri", conference_factory="sip:other@example.org")
    assert elsewhere == ["session.group.adhoc.uri"]


def test_a_group_that_has_its_members_is_joined_without_a_list():
    plain = FLOWS["session_mo"]()
    assert rules(plain, "session.group.predef", groups=frozenset({FAR})) == []
    assert rules(FLOWS["adhoc"](), "session.group.predef", groups=frozenset({"sip:x@example.org"})) == []


def test_a_subject_may_be_left_out_when_a_group_is_joined_again():
    assert rules(FLOWS["rejoined"]().without(6, "Subject"), "session.group.subject") == []


def test_a_session_that_is_replaced_may_be_named_in_the_list():
    entry = "sip:+491700000002@example.org;user=phone"
    for name, expected in ((FIRST, []), ("0b0f8f6e-1111-4aaa-8bbb-0000000000ff", ["ims.session-replaces"])):
        script = FLOWS["extended"]().without(9, "Session-Replaces")
        script.sub(9, f'uri="{entry}"', f'uri="{entry}?Session-Replaces={name}"')
        assert rules(script, "ims.session-replaces") == expected


def test_the_session_that_is_replaced_may_be_of_before_the_capture():
    script = FLOWS["extended"]()
    script.start = False
    script.steps = script.steps[9:]
    assert rules(script, "ims.session-replaces") == []
    assert left_open(script, "ims.session-replaces") == [
        "the session it replaces may be one of before the capture"
    ]


def test_two_chats_at_once_may_not_be_one_after_the_other():
    """Without the end of the first its id may come again: a group is joined so, and glare makes two."""
    script = FLOWS["chat_again"]().everywhere(OTHER, FIRST).drop(7, 8)
    assert rules(script, "session.idle-close") == []


def test_a_user_of_the_focus_needs_no_other_name():
    assert rules(FLOWS["invited"](), "ims.referred-by") == []


def test_what_is_not_told_of_the_configuration_is_left_open():
    assert left_open(FLOWS["deferred_mo"](), "deferred.uri") == [
        "the URI the handset is provisioned with is not told"
    ]
