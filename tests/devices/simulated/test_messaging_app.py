"""The messaging app: what is sent, what is shown, what is announced."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from devices.simulated.app_pages import Page
from devices.simulated.conversations import (
    Attachment,
    AttachmentState,
    ChatState,
    MessageStatus,
    OfferKind,
    normal_number,
)
from devices.simulated.messaging_app import MessagingApp
from devices.simulated.messaging_service import NotServed
from tests.devices.stand_in_service import StandInService

ALICE, BOB = "+15550101", "+15550102"


class Service(StandInService):
    """With an app it is as quick as a client can be: the outcome comes before the call returns."""

    def __init__(self, app: MessagingApp | None = None) -> None:
        super().__init__()
        self.app = app

    def send_text(self, key: str, text: str, chat: bool) -> str:
        message_id = super().send_text(key, text, chat)
        if self.app is not None:
            self.app.outcome(message_id, MessageStatus.SENT)
        return message_id


class Poor(StandInService):
    """A client that has none of the newer services."""

    def send_text(self, key: str, text: str, chat: bool) -> str:
        if chat:
            raise NotServed("Chat is not available")
        return super().send_text(key, text, chat)

    def create_group(self, subject: str, members: Sequence[str]) -> str:
        raise NotServed("Group chat is not available")

    def send_file(self, key: str, path: str, type: str) -> str:
        raise NotServed("File transfer is not available")


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def app(service: Service) -> MessagingApp:
    app = MessagingApp(lambda: 1000.0, service)
    app.set_visible(True)
    return app


def statuses(app: MessagingApp, number: str = ALICE) -> list[MessageStatus | None]:
    return [message.status for message in app.conversations[number].messages]


def test_send_empties_the_compose_box(app: MessagingApp, service: Service) -> None:
    app.open_conversation(ALICE, "hello")
    app.press_send()
    assert service.sent == [(ALICE, "hello")]
    assert app.conversations[ALICE].draft == ""
    app.press_send()
    assert len(service.sent) == 1


def test_status_never_goes_back(app: MessagingApp) -> None:
    app.open_conversation(ALICE, "hello")
    app.press_send()
    for status, shown in [
        (MessageStatus.SENT, MessageStatus.SENT),
        (MessageStatus.READ, MessageStatus.READ),
        (MessageStatus.DELIVERED, MessageStatus.READ),
        (MessageStatus.NOT_SENT, MessageStatus.READ),
    ]:
        app.outcome("m1", status)
        assert statuses(app) == [shown]


def test_outcome_before_send_text_returns(app: MessagingApp) -> None:
    app.service = Service(app)
    app.open_conversation(ALICE, "hello")
    app.press_send()
    assert statuses(app) == [MessageStatus.SENT]


def test_without_a_client_nothing_is_sent_until_it_is_tried_again(
    app: MessagingApp, service: Service
) -> None:
    app.service = None
    app.open_conversation(ALICE, "hello")
    app.press_send()
    assert statuses(app) == [MessageStatus.NOT_SENT]
    app.service = service
    app.retry(0)
    assert statuses(app) == [MessageStatus.SENDING] and service.sent == [(ALICE, "hello")]
    app.outcome("m1", MessageStatus.SENT)
    assert statuses(app) == [MessageStatus.SENT]


def test_incoming_is_shown_at_once_only_on_screen(app: MessagingApp, service: Service) -> None:
    app.open_conversation(ALICE)
    service.shown.clear()
    app.incoming(ALICE, "one", "i1")
    assert service.shown == [ALICE] and app.notifications == {}
    app.incoming(BOB, "two", "i2")
    assert service.shown == [ALICE] and app.notifications[BOB].text == "two"
    app.set_visible(False)
    app.incoming(ALICE, "three", "i3")
    assert service.shown == [ALICE] and app.conversations[ALICE].unread == 1
    app.set_visible(True)
    assert service.shown == [ALICE, ALICE] and app.conversations[ALICE].unread == 0
    assert list(app.notifications) == [BOB]


def test_the_latest_conversation_is_first(app: MessagingApp) -> None:
    app.incoming(ALICE, "one", "i1")
    app.incoming(BOB, "two", "i2")
    app.incoming(ALICE, "three", "i3")
    assert list(app.conversations) == [ALICE, BOB]


def test_several_numbers_are_one_conversation(app: MessagingApp, service: Service) -> None:
    app.open_conversation(f"smsto:{ALICE};%2B1 555 0102", "hello")
    app.press_send()
    assert service.sent == [(f"{ALICE},{BOB}", "hello")]


@pytest.mark.parametrize(
    "text", ["smsto:+15550101", "sms:%2B15550101", "+1 (555) 0101", "smsto:+15550101?body=x"]
)
def test_numbers(text: str) -> None:
    assert normal_number(text) == ALICE


GROUP, CAROL = "sip:a-1@focus.example", "+15550103"
PHOTO = "/sdcard/Download/photo.jpg"


def lines(app: MessagingApp, key: str) -> list[str]:
    return [message.text for message in app.conversations[key].messages if message.note]


def file_of(app: MessagingApp, key: str) -> Attachment:
    (found,) = [message.attachment for message in app.conversations[key].messages if message.attachment]
    return found


def test_texts_go_in_a_session_from_start_chat_to_end_chat(app: MessagingApp, service: Service) -> None:
    app.open_conversation(ALICE)
    for act in ("send", "start-chat", "send", "end-chat", "send"):
        if act == "send":
            app.type_text("x")
            app.press_send()
        else:
            app.touched(act, "")
    assert service.by_session == [False, True, False]
    assert ("end_chat", ALICE) in service.asked


def test_an_open_session_means_chat_until_it_ends_but_not_until_it_pauses(app: MessagingApp) -> None:
    app.chat_state(ALICE, ChatState.OPEN)
    conversation = app.conversations[ALICE]
    app.composing(ALICE, ALICE, True)
    app.chat_state(ALICE, ChatState.PAUSED)
    assert conversation.chat and conversation.composing == []
    app.chat_state(ALICE, ChatState.ENDED, "the other side left")
    app.chat_state(ALICE, ChatState.ENDED, "again")
    assert not conversation.chat
    assert lines(app, ALICE) == ["Chat started", "Chat ended: the other side left"]


def test_typing_is_told_in_chats_and_groups_only(app: MessagingApp, service: Service) -> None:
    app.open_conversation(ALICE)
    app.type_text("a")
    assert service.asked == []
    app.start_chat()
    app.type_text("b")
    app.erase()
    app.erase()
    app.group_opened(GROUP, "Trip", [BOB])
    app.open_conversation(GROUP)
    app.type_text("c")
    assert service.asked == [
        ("typing", ALICE, True),
        ("typing", ALICE, True),
        ("typing", ALICE, False),
        ("typing", GROUP, True),
    ]


def test_who_composes_is_shown_until_the_text_comes(app: MessagingApp) -> None:
    app.group_opened(GROUP, "Trip", [ALICE, BOB])
    app.composing(GROUP, "tel:" + ALICE, True)
    app.composing(GROUP, ALICE, True)
    app.composing(GROUP, BOB, True)
    assert app.conversations[GROUP].composing == [ALICE, BOB]
    app.incoming(GROUP, "here", "i1", sender=ALICE)
    app.composing(GROUP, BOB, False)
    assert app.conversations[GROUP].composing == []
    assert app.conversations[GROUP].messages[-1].sender == ALICE


@pytest.mark.parametrize("what", [OfferKind.CHAT, OfferKind.GROUP])
def test_invitations_are_accepted_unless_the_settings_ask(
    app: MessagingApp, service: Service, what: OfferKind
) -> None:
    key = ALICE if what is OfferKind.CHAT else GROUP
    app.offered(key, "o1", what, sender=ALICE, subject="Trip")
    assert service.asked == [("answer_offer", "o1", True)]
    assert app.conversations[key].offers == [] and app.notifications == {}
    app.acceptance.accept_chats = app.acceptance.accept_groups = 0
    app.offered(key, "o2", what, sender=ALICE, subject="Trip")
    assert [offer.id for offer in app.conversations[key].offers] == ["o2"]
    assert app.notifications[key].text == f"{ALICE} invites you to the group Trip"
    app.touched("decline", "o2")
    assert service.asked[1:] == [("answer_offer", "o2", False)] and app.conversations[key].offers == []


def test_an_offer_that_was_withdrawn_cannot_be_accepted(app: MessagingApp) -> None:
    app.acceptance.accept_chats = 0
    app.offered(ALICE, "o1", OfferKind.CHAT)
    app.offer_over("o1", "the caller gave up")
    assert app.conversations[ALICE].offers == []
    assert lines(app, ALICE) == ["Invitation missed: the caller gave up"]


def test_a_group_is_created_opened_and_changed(app: MessagingApp, service: Service) -> None:
    app.pages.show(Page.NEW)
    for number in (ALICE, "+1 555 0102", ALICE):
        app.type_text(number)
        app.enter()
    app.touched("name-group", "")
    app.type_text("Trip")
    app.touched("create-group", "")
    assert service.asked == [("create_group", "Trip", (ALICE, BOB))]
    key = app.current
    assert key == "g1" and app.conversation_on_screen == key
    app.group_opened(key, "Trip", [ALICE], invited=[BOB])
    app.group_changed(key, members=[ALICE, BOB, CAROL], invited=[])
    app.group_changed(key, members=[BOB, CAROL])
    assert lines(app, key) == [f"{BOB} joined", f"{CAROL} joined", f"{ALICE} left"]
    group = app.conversations[key].group
    assert group is not None and (group.members, group.invited) == ((BOB, CAROL), ())


def test_people_are_added_and_the_group_is_left(app: MessagingApp, service: Service) -> None:
    app.group_opened(GROUP, "Trip", [ALICE])
    app.open_conversation(GROUP)
    app.touched("details", "")
    app.touched("add-people", "")
    assert app.conversation_on_screen is None
    app.type_text(BOB)
    app.enter()
    app.touched("add-picked", "")
    assert app.conversation_on_screen == GROUP
    app.touched("details", "")
    app.touched("leave-group", "")
    assert service.asked == [("add_to_group", GROUP, BOB), ("leave_group", GROUP)]
    group = app.conversations[GROUP].group
    assert group is not None and group.left and not group.open


def test_a_group_that_does_not_come_about_says_why(app: MessagingApp) -> None:
    app.create_group("Trip", [ALICE])
    app.group_closed("g1", "the factory refused")
    app.group_opened("g1", "Trip", [ALICE])
    app.group_closed("g1", "gone")
    app.group_closed("g1", "")
    assert lines(app, "g1") == ["Couldn't connect: the factory refused", "Group closed: gone"]


@pytest.mark.parametrize("accept", [True, False])
def test_a_declined_group_cannot_be_written_to(app: MessagingApp, service: Service, accept: bool) -> None:
    app.acceptance.accept_groups = 0
    app.offered(GROUP, "o1", OfferKind.GROUP, sender=ALICE, subject="Trip")
    app.answer("o1", accept)
    group = app.conversations[GROUP].group
    assert group is not None and group.left is not accept
    app.group_closed(GROUP, "declined")
    assert lines(app, GROUP) == (["Couldn't connect: declined"] if accept else [])


def test_what_the_client_does_not_serve_is_said(app: MessagingApp) -> None:
    app.service = Poor()
    app.files.write(PHOTO, b"1234")
    app.open_conversation(ALICE)
    app.start_chat()
    app.type_text("x")
    app.press_send()
    assert statuses(app) == [MessageStatus.NOT_SENT] and app.snackbar == "Chat is not available"
    app.attach(ALICE, PHOTO, "image/jpeg")
    app.press_send()
    assert statuses(app)[-1] is MessageStatus.NOT_SENT
    assert (file_of(app, ALICE).state, file_of(app, ALICE).why) == (
        AttachmentState.FAILED,
        "File transfer is not available",
    )
    app.create_group("Trip", [ALICE])
    assert app.current is None and app.snackbar == "Group chat is not available"


def test_a_file_leaves(app: MessagingApp, service: Service) -> None:
    app.files.write(PHOTO, b"1234")
    assert app.attach(ALICE, PHOTO, "image/jpeg")
    app.press_send()
    file = file_of(app, ALICE)
    assert service.asked == [("send_file", ALICE, PHOTO, "image/jpeg")]
    assert (file.name, file.size, file.state) == ("photo.jpg", 4, AttachmentState.WAITING)
    app.file_progress("f1", 3, 4)
    assert (file.state, file.octets) == (AttachmentState.MOVING, 3)
    app.file_done("f1")
    app.file_progress("f1", 1, 4)
    assert (file.state, file.octets, statuses(app)) == (AttachmentState.DONE, 4, [MessageStatus.SENT])
    app.outcome("f1", MessageStatus.READ)
    assert statuses(app) == [MessageStatus.READ]
    assert not app.attach(ALICE, "/sdcard/none", "image/jpeg")


def test_a_failed_file_may_be_sent_again(app: MessagingApp, service: Service) -> None:
    app.files.write(PHOTO, b"1234")
    app.attach(ALICE, PHOTO, "image/jpeg")
    app.press_send()
    app.file_failed("f1", "declined")
    file = file_of(app, ALICE)
    assert (file.state, file.why, statuses(app)) == (
        AttachmentState.FAILED,
        "declined",
        [MessageStatus.NOT_SENT],
    )
    app.touched("retry", "0")
    assert file.state is AttachmentState.WAITING and len(service.asked) == 2


def test_small_files_are_downloaded_and_large_ones_ask(app: MessagingApp, service: Service) -> None:
    app.acceptance.auto_download = 100
    app.offered(ALICE, "small", OfferKind.FILE, name="a.txt", type="text/plain", size=100)
    app.offered(BOB, "large", OfferKind.FILE, name="b.txt", type="text/plain", size=101)
    assert service.asked == [("answer_offer", "small", True)]
    assert file_of(app, ALICE).state is AttachmentState.WAITING
    assert file_of(app, BOB).state is AttachmentState.OFFERED
    app.touched("accept", "large")
    app.touched("decline", "large")
    assert service.asked[1:] == [("answer_offer", "large", True)]
    app.open_conversation(BOB)
    service.shown.clear()
    app.file_done("large", "/sdcard/Download/b.txt")
    assert file_of(app, BOB).path == "/sdcard/Download/b.txt" and service.shown == [BOB]


def test_what_the_user_cancelled_stays_cancelled(app: MessagingApp, service: Service) -> None:
    app.offered(ALICE, "o", OfferKind.FILE, name="a", type="text/plain", size=1)
    app.file_progress("o", 1, 2)
    app.touched("cancel", "o")
    app.file_failed("o", "aborted")
    app.file_done("o", "/sdcard/Download/a")
    assert file_of(app, ALICE).state is AttachmentState.CANCELLED
    assert service.asked[1:] == [("cancel", "o")]


def test_a_failed_file_may_be_resumed(app: MessagingApp) -> None:
    app.offered(ALICE, "o", OfferKind.FILE, name="a", type="text/plain", size=9)
    app.file_progress("o", 4, 9)
    app.file_failed("o", "no coverage")
    app.file_progress("o", 5, 9)
    file = file_of(app, ALICE)
    assert (file.state, file.octets, file.why) == (AttachmentState.MOVING, 5, "")
    app.file_failed("o", "no coverage")
    app.file_done("o", "/sdcard/Download/a")
    assert (file.state, file.octets, file.why) == (AttachmentState.DONE, 9, "")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("photo.jpg", "photo (1).jpg"),
        ("../../system/x.txt", "x.txt"),
        ("..", "file"),
        ("a\\b.txt", "b.txt"),
        ("x" * 255 + ".txt", "x" * 251 + ".txt"),
        ("a." + "y" * 300, "a." + "y" * 253),
        ("ü" * 200, "ü" * 127),
    ],
)
def test_a_download_gets_a_name_of_its_own_in_its_folder(app: MessagingApp, name: str, path: str) -> None:
    app.files.write(PHOTO, b"")
    assert app.new_download(name) == f"/sdcard/Download/{path}"
