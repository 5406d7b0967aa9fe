"""Chats, typing and offers through the real adb server, an RCS client stood in for behind the app."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from devices.android import AndroidHandset
from devices.apps import load_app
from devices.handset import ClientSetting, FileState, OfferKind, ScreenMessage, TextStatus
from devices.simulated import conversations
from devices.simulated.conversations import ChatState
from harness.errors import NotOnBench, NotSeen, UsageError
from harness.evidence.timeline import Event, Timeline

ALICE, BOB = "+15550101", "+15550102"
SIMULATED = {what: conversations.OfferKind(what.value) for what in OfferKind}


def offer(bench: Any, what: OfferKind, offer_id: str, key: str = ALICE, **fields: Any) -> None:
    bench.call(partial(bench.android.app.offered, key, offer_id, SIMULATED[what], **fields))


def test_a_chat_is_started_and_ended_in_the_menu(bench: Any, handset: AndroidHandset) -> None:
    handset.start_chat(ALICE)
    handset.send_text(ALICE, "in the session")
    assert handset.conversation(ALICE).in_chat
    handset.start_chat(ALICE)  # it is so already
    handset.end_chat(ALICE)
    handset.send_text(ALICE, "standalone")
    assert not handset.conversation(ALICE).in_chat
    assert bench.service.by_session == [True, False]
    handset.end_chat(ALICE)
    assert bench.service.asked == [("end_chat", ALICE)]


def test_a_chat_the_other_side_ended_is_over_on_screen(bench: Any, handset: AndroidHandset) -> None:
    handset.open_conversation(ALICE)
    bench.call(bench.android.app.chat_state, ALICE, ChatState.OPEN)
    assert handset.wait_for_screen(lambda screen: screen.in_chat, "a chat", 5).notes == ("Chat started",)
    bench.call(bench.android.app.chat_state, ALICE, ChatState.ENDED, "far end left")
    screen = handset.wait_for_screen(lambda screen: not screen.in_chat, "no chat", 5)
    assert screen.notes == ("Chat started", "Chat ended: far end left")


def test_typing_reaches_the_service_without_anything_being_sent(bench: Any, handset: AndroidHandset) -> None:
    handset.start_chat(ALICE)
    handset.type_draft(ALICE, 'it\'s "me" & you; $HOME')
    handset.type_draft(ALICE, " too")
    assert handset.conversation(ALICE).draft == 'it\'s "me" & you; $HOME too'
    assert bench.service.asked == [("typing", ALICE, True)] * 2 and bench.service.sent == []
    handset.erase_draft(ALICE)
    assert handset.conversation(ALICE).draft == ""
    assert bench.service.asked[-1] == ("typing", ALICE, False)
    handset.type_draft(ALICE, "now")
    handset.send_draft()
    assert bench.service.sent == [(ALICE, "now")]


def test_only_what_a_keyboard_has_can_be_typed(handset: AndroidHandset) -> None:
    with pytest.raises(UsageError, match="cannot be typed"):
        handset.type_draft(ALICE, "grüße")


def test_who_composes_is_read(bench: Any, handset: AndroidHandset, timeline: Timeline) -> None:
    handset.open_conversation(ALICE)
    bench.call(bench.android.app.composing, ALICE, ALICE, True)
    assert handset.conversation().composing == f"{ALICE} is typing…"
    (event,) = [entry for entry in timeline if isinstance(entry, Event) and entry.name == "screen"]
    assert event.fields["composing"] == f"{ALICE} is typing…"
    bench.incoming("here")
    assert handset.conversation().composing == ""


@pytest.mark.parametrize(("act", "accepted"), [("accept", True), ("decline", False)])
def test_a_chat_invitation_is_answered(bench: Any, handset: AndroidHandset, act: str, accepted: bool) -> None:
    handset.ask_before_accepting(OfferKind.CHAT, True)
    offer(bench, OfferKind.CHAT, "o1")
    (notification,) = handset.notifications()
    assert notification.text == f"{ALICE} invites you to a chat"
    assert handset.conversation(ALICE).offers == (f"{ALICE} invites you to a chat",)
    getattr(handset, act)(5)
    assert bench.service.asked == [("answer_offer", "o1", accepted)]
    assert handset.conversation(ALICE).offers == ()


def test_what_is_not_asked_is_accepted_at_once(bench: Any, handset: AndroidHandset) -> None:
    for ask in (True, False):
        handset.ask_before_accepting(OfferKind.CHAT, ask)
        handset.ask_before_accepting(OfferKind.FILE, ask)
    offer(bench, OfferKind.CHAT, "o1")
    offer(bench, OfferKind.FILE, "f1", name="a.txt", type="text/plain", size=10)
    assert bench.service.asked == [("answer_offer", "o1", True), ("answer_offer", "f1", True)]


def test_the_file_that_was_named_is_accepted(bench: Any, handset: AndroidHandset) -> None:
    handset.ask_before_accepting(OfferKind.FILE, True)
    for offer_id, name in (("f1", "one.txt"), ("f2", "two.txt")):
        offer(bench, OfferKind.FILE, offer_id, name=name, type="text/plain", size=10)
    handset.open_conversation(ALICE)
    handset.accept(5, "one.txt")
    handset.decline(5, "two.txt")
    assert bench.service.asked == [("answer_offer", "f1", True), ("answer_offer", "f2", False)]
    states = {file.name: file.state for file in handset.conversation(ALICE).files}
    assert states == {"one.txt": FileState.WAITING, "two.txt": FileState.DECLINED}


def test_an_offer_that_does_not_come_is_not_seen(bench: Any, handset: AndroidHandset) -> None:
    handset.open_conversation(ALICE)
    with pytest.raises(NotSeen, match="an invitation to accept not on screen"):
        handset.accept(0.1)
    handset.ask_before_accepting(OfferKind.FILE, True)
    offer(bench, OfferKind.FILE, "f1", name="one.txt", type="text/plain", size=10)
    with pytest.raises(NotSeen, match=r"an offer of two\.txt to decline"):
        handset.decline(0.1, "two.txt")


def test_a_handset_without_the_switch_cannot_be_told_to_ask(bench: Any, handset: AndroidHandset) -> None:
    bench.call(bench.android.properties.publish, "debug.rcslab.accept_chats", "")
    with pytest.raises(NotOnBench, match="no switch for what Google Messages accepts"):
        handset.ask_before_accepting(OfferKind.CHAT, True)


def test_a_setting_of_the_client_is_changed(bench: Any, handset: AndroidHandset) -> None:
    publish = bench.android.properties.publish
    with pytest.raises(NotOnBench, match="chat_idle of Google Messages cannot be set here"):
        handset.change_setting(ClientSetting.CHAT_IDLE, "0.5")
    bench.call(publish, "debug.rcslab.chat_idle", "300")
    assert handset.change_setting(ClientSetting.CHAT_IDLE, "0.5") == "300"
    assert handset.change_setting(ClientSetting.CHAT_IDLE, "300") == "0.5"


def test_an_app_without_chats_is_said_to_have_none(bench: Any, handset: AndroidHandset) -> None:
    samsung = AndroidHandset(
        bench.address, handset.link.client, load_app("samsung_messages"), Timeline(), ui_deadline=1
    )
    with pytest.raises(NotOnBench, match="Samsung Messages has no start chat"):
        samsung.start_chat(ALICE)
    with pytest.raises(NotOnBench, match="Samsung Messages has no accept"):
        samsung.accept(0.1)
    with pytest.raises(NotOnBench, match="has no activity for its list"):
        samsung.create_group("Trip", [ALICE])


def test_a_service_that_is_not_there_is_told_in_the_failure(bench: Any, handset: AndroidHandset) -> None:
    bench.call(setattr, bench.android.app, "service", None)
    handset.start_chat(ALICE)
    handset.send_text(ALICE, "nobody")
    screen = handset.conversation(ALICE)
    assert screen.messages == (ScreenMessage("nobody", True, TextStatus.NOT_SENT),)
    with pytest.raises(NotSeen, match="the app says 'RCS is not available'"):
        handset.wait_for_text("nobody", 0.1, status=TextStatus.SENT)
