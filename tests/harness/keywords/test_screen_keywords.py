"""Keywords for chats, groups and files over real adb: what the user does reaches the RCS client, and back."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from devices.handset import FileState, OfferKind, TextStatus
from devices.simulated import conversations
from devices.simulated.conversations import ChatState, MessageStatus
from harness.cpm.identity import Msisdn
from harness.errors import HandsetError, NotSeen, UsageError
from harness.keywords.chat_screen import ChatScreen
from harness.keywords.file_screen import FileScreen
from harness.keywords.group_screen import GroupScreen
from harness.keywords.handset import HandsetKeywords
from harness.keywords.topic import BenchAccess

FAR, BOB, CAROL = "+15550101", "+15550102", "+15550103"
GROUP = "sip:a-1@focus.example"
SOON = timedelta(seconds=0.2)


@pytest.fixture
def chats(access: BenchAccess) -> ChatScreen:
    return ChatScreen(access)


@pytest.fixture
def groups(access: BenchAccess) -> GroupScreen:
    return GroupScreen(access)


@pytest.fixture
def files(access: BenchAccess) -> FileScreen:
    return FileScreen(access)


def offered(bench: Any, key: str, offer_id: str, what: conversations.OfferKind, **fields: Any) -> None:
    bench.call(partial(bench.android.app.offered, key, offer_id, what, **fields))


def test_a_chat_from_start_to_end(bench: Any, chats: ChatScreen) -> None:
    chats.start_chat_on_handset()
    chats.type_on_handset("hello")
    chats.send_draft_on_handset()
    chats.type_on_handset("never sent")
    chats.erase_draft_on_handset()
    chats.handset_shows_chat()
    chats.end_chat_on_handset()
    chats.handset_shows_no_chat()
    assert bench.service.sent == [(FAR, "hello")] and bench.service.by_session == [True]
    assert bench.service.asked[-1] == ("end_chat", FAR)


def test_an_action_marks_what_comes_after_it(bench: Any, chats: ChatScreen, access: BenchAccess) -> None:
    chats.start_chat_on_handset()
    marked = access.mark
    chats.type_on_handset("x")
    assert access.mark > marked


@pytest.mark.parametrize("accepted", [True, False])
def test_an_invitation_waits_for_the_user(bench: Any, chats: ChatScreen, accepted: bool) -> None:
    chats.handset_asks_before_accepting(OfferKind.CHAT)
    offered(bench, FAR, "o1", conversations.OfferKind.CHAT)
    assert chats.handset_shows_invitation() == f"{FAR} invites you to a chat"
    (chats.accept_on_handset if accepted else chats.decline_on_handset)()
    chats.handset_accepts_by_itself(OfferKind.CHAT)
    offered(bench, FAR, "o2", conversations.OfferKind.CHAT)
    assert bench.service.asked == [("answer_offer", "o1", accepted), ("answer_offer", "o2", True)]
    with pytest.raises(NotSeen, match="an invitation"):
        chats.handset_shows_invitation(timeout=SOON)


def test_who_is_composing(bench: Any, chats: ChatScreen) -> None:
    chats.handset_shows_nobody_composing()
    bench.call(bench.android.app.composing, FAR, FAR, True)
    assert chats.handset_shows_composing() == f"{FAR} is typing…"
    with pytest.raises(NotSeen, match="that nobody types"):
        chats.handset_shows_nobody_composing(timeout=SOON)
    bench.call(bench.android.app.composing, FAR, FAR, False)
    with pytest.raises(NotSeen, match="that somebody types"):
        chats.handset_shows_composing(timeout=SOON)


def test_what_was_not_sent_is_sent_again(bench: Any, chats: ChatScreen, files: FileScreen) -> None:
    handset = HandsetKeywords(chats.access)
    for text in ("one", "two"):
        chats.type_on_handset(text)
        chats.send_draft_on_handset()
    files.send_file_from_handset(files.file_of_octets(10, "a.txt"))
    bench.outcome("m1", MessageStatus.NOT_SENT)
    bench.call(bench.android.app.file_failed, "f3", "no coverage")
    handset.handset_shows_status(TextStatus.NOT_SENT, of="one")
    chats.send_again_on_handset("one")
    chats.send_again_on_handset("a.txt")
    handset.handset_shows_status(TextStatus.SENDING, of="one")
    files.handset_shows_file("a.txt", FileState.WAITING)
    assert bench.service.sent == [(FAR, "one"), (FAR, "two"), (FAR, "one")]
    assert len(bench.service.asked) == 2
    chats.access.bench.handset().android.ui_deadline = 0.2
    with pytest.raises(HandsetError, match="expected 'two' that was not sent"):
        chats.send_again_on_handset("two")


def test_one_text_for_several(bench: Any, access: BenchAccess) -> None:
    handset, several = HandsetKeywords(access), [Msisdn.parse(FAR), Msisdn.parse(BOB)]
    handset.send_text_to_several_from_handset("hello both", *several)
    assert bench.service.sent == [(f"{FAR},{BOB}", "hello both")]
    bench.outcome("m1", MessageStatus.SENT)
    handset.handset_shows_status_of_several(TextStatus.SENT, "hello both", *several)
    bench.incoming("to you", BOB)
    handset.handset_shows_text("to you", number=Msisdn.parse(BOB))
    with pytest.raises(UsageError, match="at least one number"):
        handset.send_text_to_several_from_handset("x")


def test_notes_of_the_app(bench: Any, chats: ChatScreen) -> None:
    bench.call(bench.android.app.chat_state, FAR, ChatState.OPEN)
    bench.call(bench.android.app.chat_state, FAR, ChatState.ENDED, "no answer")
    assert chats.handset_shows_note("ended") == "Chat ended: no answer"
    with pytest.raises(NotSeen, match="a note with 'joined'"):
        chats.handset_shows_note("joined", timeout=SOON)


def test_a_group_from_its_creation_to_leaving_it(bench: Any, chats: ChatScreen, groups: GroupScreen) -> None:
    app = bench.android.app
    groups.create_group_on_handset("Trip", Msisdn.parse(FAR), Msisdn.parse(BOB))
    bench.call(partial(app.group_opened, "g1", "Trip", [FAR], invited=[BOB]))
    groups.send_text_to_group_from_handset("Trip", "hello")
    bench.outcome("m2", MessageStatus.DELIVERED)
    groups.handset_shows_status_in_group(TextStatus.DELIVERED, of="hello", group="Trip")
    bench.call(app.incoming, "g1", "hi", "i1", FAR)
    assert groups.handset_shows_text_in_group("hi", "Trip", sender=Msisdn.parse(FAR)).sender == FAR
    with pytest.raises(NotSeen, match=rf"'hi' of \{BOB}"):
        groups.handset_shows_text_in_group("hi", "Trip", sender=Msisdn.parse(BOB), timeout=SOON)
    groups.add_to_group_on_handset("Trip", Msisdn.parse(CAROL))
    bench.call(partial(app.group_changed, "g1", members=[FAR, CAROL], invited=[BOB]))
    assert chats.handset_shows_note("joined", group="Trip") == f"{CAROL} joined"
    assert groups.members_of_group_on_handset("Trip") == [FAR, CAROL, BOB]
    groups.handset_shows_people_in_group(2, "Trip")
    with pytest.raises(NotSeen, match="12 people in Trip not on screen"):
        groups.handset_shows_people_in_group(12, "Trip", timeout=SOON)
    groups.remove_from_group_on_handset("Trip", Msisdn.parse(BOB))
    groups.leave_group_on_handset("Trip")
    assert [asked for asked in bench.service.asked if asked[0] != "typing"] == [
        ("create_group", "Trip", (FAR, BOB)),
        ("add_to_group", "g1", CAROL),
        ("remove_from_group", "g1", BOB),
        ("leave_group", "g1"),
    ]


def test_an_invitation_to_a_group(bench: Any, chats: ChatScreen, groups: GroupScreen) -> None:
    chats.handset_asks_before_accepting(OfferKind.GROUP)
    offered(bench, GROUP, "o1", conversations.OfferKind.GROUP, sender=BOB, subject="Walk")
    chats.accept_on_handset(group="Walk")
    groups.join_group_on_handset("sip:team@groups.example")
    assert bench.service.asked == [
        ("answer_offer", "o1", True),
        ("join_group", "sip:team@groups.example"),
    ]


@pytest.mark.parametrize("octets", [0, 1, 2048, 2049, 200_000])
def test_a_file_from_the_handset(bench: Any, files: FileScreen, octets: int) -> None:
    file = files.file_of_octets(octets, "photo.jpg")
    assert file.stat().st_size == octets
    files.send_file_from_handset(file)
    path = "/sdcard/Download/photo.jpg"
    assert bench.service.asked == [("send_file", FAR, path, "image/jpeg")]
    assert bench.android.files.read(path) == file.read_bytes()
    files.handset_shows_file("photo.jpg", FileState.WAITING)
    bench.call(bench.android.app.file_done, "f1")
    bench.outcome("f1", MessageStatus.READ)
    assert files.handset_shows_file("photo.jpg", status=TextStatus.READ).outgoing
    with pytest.raises(NotSeen, match=r"photo\.jpg done and delivered"):
        files.handset_shows_file("photo.jpg", status=TextStatus.DELIVERED, timeout=SOON)
    with pytest.raises(NotSeen, match=r"photo\.jpg failed"):
        files.handset_shows_file("photo.jpg", FileState.FAILED, timeout=SOON)


def test_a_file_to_a_group_is_cancelled(bench: Any, files: FileScreen) -> None:
    bench.call(bench.android.app.group_opened, GROUP, "Trip", [FAR])
    files.send_file_from_handset(files.file_of_octets(10), group="Trip", name="notes.txt")
    files.cancel_file_on_handset("notes.txt", group="Trip")
    files.handset_shows_file("notes.txt", FileState.CANCELLED, group="Trip")
    assert bench.service.asked == [
        ("send_file", GROUP, "/sdcard/Download/notes.txt", "text/plain"),
        ("cancel", "f1"),
    ]


def test_a_file_to_the_handset_is_stored_as_it_was_sent(
    bench: Any, chats: ChatScreen, files: FileScreen
) -> None:
    app, file = bench.android.app, files.file_of_octets(150_000, "report.pdf")
    chats.handset_asks_before_accepting(OfferKind.FILE)
    offered(
        bench, FAR, "f", conversations.OfferKind.FILE, name="report.pdf", type="application/pdf", size=150_000
    )
    files.handset_shows_file("report.pdf", FileState.OFFERED)
    chats.accept_on_handset("report.pdf")
    path = bench.call(app.new_download, "report.pdf")
    bench.call(bench.android.files.write, path, file.read_bytes())
    bench.call(app.file_done, "f", path)
    files.handset_shows_file("report.pdf")
    assert files.handset_has_file(file) == path
    bench.call(bench.android.files.write, path, file.read_bytes()[:-1] + b"?")
    with pytest.raises(HandsetError, match=r"expected 150000 octets with SHA-256 \w{64}, got 150000 with"):
        files.handset_has_file(file)


def test_a_file_that_is_not_there_is_the_callers_mistake(files: FileScreen) -> None:
    with pytest.raises(UsageError, match="no such file"):
        files.send_file_from_handset(Path("/none"))
    with pytest.raises(UsageError, match="can be made"):
        files.file_of_octets(1, "../up")
