"""The windows of the messaging app: what is on them, where touches lead, that they can be drawn."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from devices.simulated.android_system import AndroidSystem, Front
from devices.simulated.baseband import Baseband
from devices.simulated.conversations import ChatState, OfferKind
from devices.simulated.screen import StatusBar, draw
from devices.simulated.ui_tree import Node
from tests.devices.stand_in_service import StandInService

ALICE, BOB, CAROL = "+15550101", "+15550102", "+15550103"
GROUP = "sip:a-1@focus.example"
BAR = StatusBar("13:00", "rcslab", 3, "LTE", False, 1)


@pytest.fixture
def service() -> StandInService:
    return StandInService()


@pytest.fixture
def android(service: StandInService) -> AndroidSystem:
    return opened(service)


def opened(service: StandInService) -> AndroidSystem:
    android = AndroidSystem(Baseband(), serial="S", clock=lambda: 1_795_352_400.0)
    android.app.service = service
    android.app.open_list()
    android.show(Front.MESSAGING)
    return android


def nodes(android: AndroidSystem) -> list[Node]:
    tree = android.tree()
    assert tree is not None
    return list(tree.walk())


def shown(android: AndroidSystem, name: str) -> list[str]:
    """The texts of the views of this id."""
    return [node.text for node in nodes(android) if node.resource_id.rpartition("/")[2] == name]


def tap(android: AndroidSystem, text: str) -> None:
    """Touch the view with this text or description."""
    (node,) = [node for node in nodes(android) if text in (node.text, node.description)]
    left, top, right, bottom = node.bounds
    android.touch((left + right) // 2, (top + bottom) // 2)


def test_a_group_is_founded_by_touch(android: AndroidSystem, service: StandInService) -> None:
    tap(android, "Start chat")
    for number in (ALICE, BOB):
        android.app.type_text(number)
        android.app.enter()
    assert shown(android, "contact_chip") == [ALICE, BOB]
    tap(android, "Create group")
    android.app.type_text("Trip")
    tap(android, "Done")
    assert service.asked == [("create_group", "Trip", (ALICE, BOB))]
    assert shown(android, "conversation_title") == ["Trip"]
    assert shown(android, "conversation_subtitle") == ["Not connected"]
    android.app.group_opened("g1", "Trip", [ALICE], [BOB])
    assert shown(android, "conversation_subtitle") == ["1 person"]


def test_one_picked_number_is_written_to(android: AndroidSystem) -> None:
    tap(android, "Start chat")
    android.app.type_text(ALICE)
    android.app.enter()
    tap(android, "Start chat")
    assert android.app.conversation_on_screen == ALICE


def test_group_details_by_touch(android: AndroidSystem, service: StandInService) -> None:
    android.app.group_opened(GROUP, "Trip", [ALICE], [BOB])
    tap_open(android, "Trip")
    tap(android, "More options")
    tap(android, "Group details")
    assert shown(android, "member_name") == [ALICE, f"{BOB} (invited)"]
    tap(android, "Add people")
    android.app.type_text(CAROL)
    android.app.enter()
    tap(android, "Add")
    tap(android, "More options")
    tap(android, "Group details")
    tap(android, "Leave group")
    assert service.asked == [("add_to_group", GROUP, CAROL), ("leave_group", GROUP)]
    assert shown(android, "compose_message_text") == []


def test_a_member_is_removed_by_touch(android: AndroidSystem, service: StandInService) -> None:
    android.app.group_opened(GROUP, "Trip", [ALICE], [BOB])
    tap_open(android, "Trip")
    tap(android, "More options")
    tap(android, "Group details")
    tap(android, f"{BOB} (invited)")
    android.app.back()  # closes the menu, not the page
    assert shown(android, "member_name") == [ALICE, f"{BOB} (invited)"]
    assert service.asked == []
    tap(android, ALICE)
    tap(android, "Remove from group")
    assert service.asked == [("remove_from_group", GROUP, ALICE)]
    assert shown(android, "member_name") == [ALICE, f"{BOB} (invited)"]
    assert shown(android, "title") == []


def tap_open(android: AndroidSystem, title: str) -> None:
    assert shown(android, "conversation_name") == [title]
    tap(android, title)


def test_a_hundred_members_leave_room_for_the_buttons(android: AndroidSystem) -> None:
    members = [f"+1555{number:04}" for number in range(100)]
    android.app.group_opened(GROUP, "Crowd", members)
    tap_open(android, "Crowd")
    tap(android, "More options")
    tap(android, "Group details")
    listed = [node for node in nodes(android) if node.resource_id.endswith("member_name")]
    (button,) = [node for node in nodes(android) if node.text == "Add people"]
    assert len(listed) == 12 and all(node.bounds.bottom < button.bounds.top for node in listed)
    assert any(node.text == "and 88 more" for node in nodes(android))


def test_the_menu_starts_and_ends_a_chat_and_closes(android: AndroidSystem, service: StandInService) -> None:
    android.app.open_conversation(ALICE)
    tap(android, "More options")
    tap(android, "Start chat")
    assert shown(android, "conversation_subtitle") == ["Chat"] and shown(android, "title") == []
    android.app.chat_state(ALICE, ChatState.OPEN)
    assert shown(android, "conversation_subtitle") == ["Chat • connected"]
    tap(android, "More options")
    assert shown(android, "title") == ["End chat"]
    android.back()
    assert shown(android, "title") == [] and android.app.conversation_on_screen == ALICE
    tap(android, "More options")
    tap(android, "End chat")
    assert shown(android, "conversation_subtitle") == [] and service.asked == [("end_chat", ALICE)]


@pytest.mark.parametrize(("word", "accepted"), [("Accept", True), ("Decline", False)])
@pytest.mark.parametrize("what", list(OfferKind))
def test_offers_are_answered_by_touch(
    android: AndroidSystem, service: StandInService, what: OfferKind, word: str, accepted: bool
) -> None:
    acceptance = android.app.acceptance
    acceptance.accept_chats = acceptance.accept_groups = acceptance.auto_download = 0
    key = GROUP if what is OfferKind.GROUP else ALICE
    android.app.offered(key, "o1", what, sender=ALICE, subject="Trip", name="a.txt", size=1)
    android.app.open_conversation(key)
    tap(android, word)
    assert service.asked == [("answer_offer", "o1", accepted)]
    assert shown(android, "accept_button") == []


def test_a_file_under_way_shows_how_far_it_is_and_can_be_cancelled(
    android: AndroidSystem, service: StandInService
) -> None:
    android.app.offered(ALICE, "f", OfferKind.FILE, name="a.pdf", type="application/pdf", size=2_000_000)
    android.app.open_conversation(ALICE)
    android.app.file_progress("f", 500_000, 2_000_000)
    assert shown(android, "attachment_status") == ["500.0 kB of 2.0 MB • Transferring…"]
    (bar,) = [node for node in nodes(android) if node.resource_id.endswith("attachment_progress")]
    assert (bar.description, bar.share) == ("25%", 0.25)
    tap(android, "Cancel a.pdf")
    assert service.asked[-1] == ("cancel", "f")
    assert shown(android, "attachment_status") == ["2.0 MB • Cancelled"]
    assert shown(android, "cancel_attachment") == []


def test_a_shared_file_waits_for_its_conversation(android: AndroidSystem, service: StandInService) -> None:
    android.app.files.write("/sdcard/Download/a.txt", b"a")
    android.app.group_opened(GROUP, "Trip", [ALICE])
    android.app.share(("/sdcard/Download/a.txt", "text/plain"))
    tap_open(android, "Trip")
    assert shown(android, "draft_attachment") == ["a.txt"]
    tap(android, "Remove attachment")
    assert shown(android, "draft_attachment") == []
    android.app.attach(GROUP, "/sdcard/Download/a.txt", "text/plain")
    tap(android, "Send message")
    assert service.asked == [("send_file", GROUP, "/sdcard/Download/a.txt", "text/plain")]


def test_what_the_app_says_goes_with_the_next_touch(android: AndroidSystem) -> None:
    android.app.service = None
    android.app.create_group("Trip", [ALICE])
    assert shown(android, "snackbar_text") == ["RCS is not available"]
    tap(android, "Start chat")
    assert shown(android, "snackbar_text") == []


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=300), st.integers(0, 10**12), st.integers(0, 10**12))
def test_any_group_and_file_can_be_drawn(text: str, octets: int, size: int) -> None:
    android = opened(StandInService())
    android.app.group_opened(GROUP, text, [text])
    android.app.offered(GROUP, "f", OfferKind.FILE, sender=text, name=text, type=text, size=0)
    android.app.file_progress("f", octets, size)
    android.app.composing(GROUP, text, True)
    for page in ("list", "conversation", "details"):
        if page == "conversation":
            android.app.open_conversation(GROUP)
        elif page == "details":
            android.app.touched("details", "")
        picture = Image.open(io.BytesIO(draw(android.tree(), BAR, android.metrics)))
        assert picture.size == (540, 1200)
