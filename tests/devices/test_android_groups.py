"""Groups through the real adb server, an RCS client stood in for behind the app."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from devices.android import AndroidHandset
from devices.handset import OfferKind, ScreenMessage, TextStatus
from devices.simulated import conversations
from harness.errors import HandsetError, NotOnBench

ALICE, BOB, CAROL = "+15550101", "+15550102", "+15550103"
GROUP = "sip:a-1@focus.example"


def opened(bench: Any, subject: str = "Trip", *members: str) -> None:
    bench.call(bench.android.app.group_opened, GROUP, subject, members or (ALICE, BOB))


def test_a_group_is_created(bench: Any, handset: AndroidHandset) -> None:
    handset.create_group("Trip to the sea", [ALICE, BOB])
    assert bench.service.asked == [("create_group", "Trip to the sea", (ALICE, BOB))]
    assert handset.conversation().conversation == "Trip to the sea"


def test_a_group_of_a_hundred_is_created(bench: Any, handset: AndroidHandset) -> None:
    members = [f"+1555{number:04}" for number in range(100)]
    handset.create_group("Crowd", members)
    assert bench.service.asked == [("create_group", "Crowd", tuple(members))]


def test_a_group_that_cannot_be_created_says_why(bench: Any, handset: AndroidHandset) -> None:
    bench.call(setattr, bench.android.app, "service", None)
    handset.ui_deadline = 1.0
    with pytest.raises(HandsetError, match=r"group 'Trip', got .* the words 'RCS is not available'"):
        handset.create_group("Trip", [ALICE])


def test_texts_of_a_group_name_their_writers(bench: Any, handset: AndroidHandset) -> None:
    opened(bench)
    bench.call(bench.android.app.incoming, GROUP, "hello all", "i1", ALICE)
    handset.open_group("Trip")
    handset.send_to_group("Trip", "Grüße 你好\nsecond line")
    assert bench.service.sent == [(GROUP, "Grüße 你好\nsecond line")]
    bench.call(bench.android.app.incoming, GROUP, "hello you", "i2", BOB)
    assert handset.conversation().messages == (
        ScreenMessage("hello all", False, TextStatus.NONE, ALICE),
        ScreenMessage("Grüße 你好\nsecond line", True, TextStatus.SENDING),
        ScreenMessage("hello you", False, TextStatus.NONE, BOB),
    )
    assert bench.service.shown[-1] == GROUP


def test_who_comes_and_goes_is_read(bench: Any, handset: AndroidHandset) -> None:
    opened(bench)
    handset.open_group("Trip")
    bench.call(partial(bench.android.app.group_changed, GROUP, members=[BOB, CAROL], invited=[ALICE]))
    assert handset.conversation().notes == (f"{CAROL} joined", f"{ALICE} left")
    assert handset.members_of_group("Trip") == (BOB, CAROL, ALICE)
    assert handset.conversation().conversation == "Trip"


def test_people_are_added_and_the_group_is_left(bench: Any, handset: AndroidHandset) -> None:
    opened(bench)
    handset.add_to_group("Trip", [CAROL])
    handset.leave_group("Trip")
    assert bench.service.asked == [("add_to_group", GROUP, CAROL), ("leave_group", GROUP)]
    with pytest.raises(HandsetError, match="expected 'Walk' in the list of conversations"):
        handset.ui_deadline = 0.3
        handset.open_group("Walk")


def test_a_member_is_removed(bench: Any, handset: AndroidHandset) -> None:
    opened(bench)
    bench.call(partial(bench.android.app.group_changed, GROUP, invited=[CAROL]))
    handset.remove_from_group("Trip", BOB)
    assert handset.conversation().conversation == "Trip"
    handset.remove_from_group("Trip", CAROL)  # "(invited)" stands behind it
    assert bench.service.asked == [("remove_from_group", GROUP, BOB), ("remove_from_group", GROUP, CAROL)]
    handset.ui_deadline = 0.3
    with pytest.raises(HandsetError, match=r"expected \+15550199 among the members of 'Trip'"):
        handset.remove_from_group("Trip", "+15550199")


def test_an_app_that_cannot_remove_anybody_is_not_on_the_bench(bench: Any, handset: AndroidHandset) -> None:
    opened(bench)
    bare = handset.app.elements.model_copy(update={"remove_member": ()})
    handset.app = handset.app.model_copy(update={"elements": bare})
    with pytest.raises(NotOnBench, match="has no remove member"):
        handset.remove_from_group("Trip", BOB)
    assert bench.service.asked == []


def test_an_invitation_to_a_group_is_accepted(bench: Any, handset: AndroidHandset) -> None:
    handset.ask_before_accepting(OfferKind.GROUP, True)
    kind = conversations.OfferKind.GROUP
    bench.call(partial(bench.android.app.offered, GROUP, "o1", kind, sender=ALICE, subject="Trip"))
    handset.open_group("Trip")
    assert handset.conversation().offers == (f"{ALICE} invites you to the group Trip",)
    handset.accept(5)
    assert bench.service.asked == [("answer_offer", "o1", True)]


def test_a_group_is_joined_by_its_uri(bench: Any, handset: AndroidHandset) -> None:
    handset.join_group("sip:team@groups.example")
    assert bench.service.asked == [("join_group", "sip:team@groups.example")]
