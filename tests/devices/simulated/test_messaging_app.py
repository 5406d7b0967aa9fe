"""The messaging app: what is sent, what is shown, what is announced."""

from __future__ import annotations

import pytest

from devices.simulated.messaging_app import MessageStatus, MessagingApp, normal_number

ALICE, BOB = "+15550101", "+15550102"


class Service:
    def __init__(self, app: MessagingApp | None = None) -> None:
        self.app = app
        self.sent: list[tuple[str, str]] = []
        self.shown: list[str] = []

    def send_text(self, to: str, text: str) -> str:
        self.sent.append((to, text))
        if self.app is not None:
            self.app.outcome(f"m{len(self.sent)}", MessageStatus.SENT)
        return f"m{len(self.sent)}"

    def conversation_shown(self, number: str) -> None:
        self.shown.append(number)


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


@pytest.mark.parametrize(
    "text", ["smsto:+15550101", "sms:%2B15550101", "+1 (555) 0101", "smsto:+15550101?body=x"]
)
def test_numbers(text: str) -> None:
    assert normal_number(text) == ALICE
