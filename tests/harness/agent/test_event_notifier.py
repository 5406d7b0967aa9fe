"""Our notifier on loopback, judged by a subscriber made of text (RFC 6665 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.agent.events.notifier import Admission, EventNotifier, Subscription
from harness.agent.sip.agent import Incoming, TransactionTimeout
from harness.agent.sip.bad_requests import Refusal
from harness.sip.event_packages import EventPackage
from harness.sip.subscription import Ended
from tests.harness.agent.conftest import ManualClock
from tests.harness.agent.event_side import Side, both_ends
from tests.harness.agent.far_end import FarEnd, Text

__all__ = ["both_ends"]

WEATHER = EventPackage("weather", "text/plain", default=1000, longest=5000, shortest=60)


class Weather:
    """A topic whose state is a word and how often it was told."""

    package = WEATHER

    def __init__(self, side: Side, foreign: FarEnd) -> None:
        self.side, self.foreign = side, foreign
        self.granted = True
        self.routes: tuple[str, ...] = ()
        self.refusal: Refusal | None = None
        self.said: list[str] = []

    def admit(self, incoming: Incoming) -> Admission | Refusal:
        if self.refusal is not None:
            return self.refusal
        return Admission(
            "town", self.side.contact, self.side.send_to(self.foreign.hop), self.routes, self.granted
        )

    def document(self, subscription: Subscription) -> bytes:
        return f"sun {subscription.next_version()}".encode() if subscription.granted else b""

    def subscribed(self, subscription: Subscription, expires: int) -> None:
        self.said.append(f"subscribed {expires}")

    def ended(self, subscription: Subscription, why: Ended) -> None:
        self.said.append(f"ended {why.reason}")


class Lab:
    def __init__(self, side: Side, foreign: FarEnd, clock: ManualClock) -> None:
        self.side, self.foreign, self.clock = side, foreign, clock
        self.notifier = EventNotifier(side.respond, side.spawn, clock, lambda: clock.now)
        self.topic = Weather(side, foreign)
        self.notifier.add(self.topic)
        side.handlers["SUBSCRIBE"] = self.notifier.on_subscribe
        self.cseq = 0

    def subscribe(self, *extra: str, tag: str = "", contact: bool = True, cseq: int | None = None) -> None:
        self.cseq = self.cseq + 1 if cseq is None else cseq
        self.foreign.send(
            "SUBSCRIBE sip:town@ours.example SIP/2.0",
            f"Via: SIP/2.0/UDP {self.foreign.address};branch=z9hG4bKs{self.cseq}{tag}",
            "Max-Forwards: 70",
            "From: <sip:foreign@example.net>;tag=theirs",
            f"To: <sip:town@ours.example>{tag and f';tag={tag}'}",
            "Call-ID: weather@example.net",
            f"CSeq: {self.cseq} SUBSCRIBE",
            *([f"Contact: <{self.foreign.uri}>"] if contact else []),
            *extra,
        )

    async def subscribed(self, *extra: str, tag: str = "", answer: str = "200 OK") -> tuple[Text, Text]:
        self.subscribe("Event: weather", *extra, tag=tag)
        accepted = await self.foreign.response(200)
        notify = await self.foreign.next("NOTIFY ")
        self.foreign.answer(notify, answer)
        await self.side.settled()
        return accepted, notify

    async def notified(self, answer: str = "200 OK") -> Text:
        notify = await self.foreign.next("NOTIFY ")
        self.foreign.answer(notify, answer)
        await self.side.settled()
        return notify


@pytest.fixture
def run(both_ends: Any, in_loop: Any, clock: ManualClock) -> Callable[[Any], None]:
    def run(test: Any) -> None:
        async def inside() -> None:
            async with both_ends() as (side, foreign):
                await test(Lab(side, foreign, clock))

        in_loop(inside())

    return run


def test_a_subscriber_is_told_at_once(run: Any) -> None:
    async def test(lab: Lab) -> None:
        accepted, notify = await lab.subscribed(
            "Expires: 600", "Record-Route: <sip:127.0.0.1:9;lr>, <sip:p2.example>"
        )
        assert accepted["Expires"] == "600"
        assert accepted["Contact"] == lab.side.contact
        assert accepted.get_all("Record-Route") == ["<sip:127.0.0.1:9;lr>, <sip:p2.example>"]
        assert notify.start == f"NOTIFY {lab.foreign.uri} SIP/2.0"
        assert notify.get_all("Route") == ["<sip:127.0.0.1:9;lr>", "<sip:p2.example>"]
        assert notify.tag("From") == accepted.tag("To")
        assert notify.tag("To") == "theirs"
        assert notify["Event"] == "weather"
        assert notify["Subscription-State"] == "active;expires=600"
        assert (notify["Content-Type"], notify.body) == ("text/plain", "sun 0")
        assert notify["Contact"] == lab.side.contact
        assert lab.topic.said == ["subscribed 600"]

    run(test)


def test_without_expires_the_package_says_how_long(run: Any) -> None:
    async def test(lab: Lab) -> None:
        accepted, notify = await lab.subscribed()
        assert accepted["Expires"] == "1000"
        assert notify["Subscription-State"] == "active;expires=1000"

    run(test)


def test_each_change_is_told_in_order(run: Any) -> None:
    async def test(lab: Lab) -> None:
        await lab.subscribed("Expires: 600")
        (subscription,) = lab.notifier.of(lab.topic)
        lab.clock.advance(100)
        lab.notifier.changed(subscription)
        lab.notifier.changed(subscription, b"rain")
        first = await lab.foreign.next("NOTIFY ")
        assert lab.foreign.idle  # the next one waits for the answer to this
        lab.foreign.answer(first, "200 OK")
        second = await lab.notified()
        assert (first.body, first["CSeq"]) == ("sun 1", "2 NOTIFY")
        assert (second.body, second["CSeq"]) == ("rain", "3 NOTIFY")
        assert second["Subscription-State"] == "active;expires=500"

    run(test)


def test_it_ends_when_it_is_not_refreshed(run: Any) -> None:
    async def test(lab: Lab) -> None:
        await lab.subscribed("Expires: 600")
        lab.clock.advance(600)
        assert (await lab.notified())["Subscription-State"] == "terminated;reason=timeout"
        assert lab.topic.said == ["subscribed 600", "ended timeout"]
        assert not list(lab.notifier.of(lab.topic))
        assert not lab.clock.handles

    run(test)


def test_a_refresh_counts_anew_and_moves_the_target(run: Any) -> None:
    async def test(lab: Lab) -> None:
        accepted, _ = await lab.subscribed("Expires: 600")
        lab.clock.advance(500)
        moved = f"Contact: <sip:moved@{lab.foreign.address}>"
        lab.subscribe("Event: weather", "Expires: 300", moved, tag=accepted.tag("To"), contact=False)
        assert (await lab.foreign.response(200))["Expires"] == "300"
        notify = await lab.notified()
        assert notify.start.startswith("NOTIFY sip:moved@")
        assert notify["Subscription-State"] == "active;expires=300"
        lab.clock.advance(299)
        assert lab.foreign.idle
        lab.clock.advance(1)
        assert (await lab.notified())["Subscription-State"] == "terminated;reason=timeout"

    run(test)


def test_unsubscribing_brings_the_last_notify(run: Any) -> None:
    async def test(lab: Lab) -> None:
        accepted, _ = await lab.subscribed()
        last, notify = await lab.subscribed("Expires: 0", tag=accepted.tag("To"))
        assert last["Expires"] == "0"
        assert notify["Subscription-State"] == "terminated;reason=timeout"
        assert notify.body == "sun 1"
        lab.subscribe("Event: weather", tag=accepted.tag("To"))
        await lab.foreign.response(481)

    run(test)


def test_a_poll_is_one_notify(run: Any) -> None:
    async def test(lab: Lab) -> None:
        accepted, notify = await lab.subscribed("Expires: 0")
        assert accepted["Expires"] == "0"
        assert (notify["Subscription-State"], notify.body) == ("terminated;reason=timeout", "sun 0")

    run(test)


def test_what_is_not_decided_is_not_told(run: Any) -> None:
    async def test(lab: Lab) -> None:
        lab.topic.granted = False
        _, notify = await lab.subscribed("Expires: 600")
        assert (notify["Subscription-State"], notify.body) == ("pending;expires=600", "")
        assert not notify.get_all("Content-Type")
        (subscription,) = lab.notifier.of(lab.topic)
        lab.notifier.changed(subscription)
        lab.notifier.grant(subscription)
        notify = await lab.notified()
        assert (notify["Subscription-State"], notify.body) == ("active;expires=600", "sun 0")

    run(test)


def test_a_subscriber_who_is_declined_learns_no_state(run: Any) -> None:
    async def test(lab: Lab) -> None:
        lab.topic.granted = False
        await lab.subscribed("Expires: 600")
        (subscription,) = lab.notifier.of(lab.topic)
        lab.notifier.close(subscription, "rejected")
        notify = await lab.notified()
        assert (notify["Subscription-State"], notify.body) == ("terminated;reason=rejected", "")

    run(test)


@pytest.mark.parametrize("answer", ["481 Subscription does not exist", "489 Bad Event", "404 Not Found"])
def test_an_answer_that_ends_it_ends_it(run: Any, answer: str) -> None:
    async def test(lab: Lab) -> None:
        await lab.subscribed(answer=answer)
        assert lab.topic.said[-1] == f"ended NOTIFY refused with {answer[:3]}"
        assert not lab.clock.handles

    run(test)


def test_any_other_answer_does_not(run: Any) -> None:
    async def test(lab: Lab) -> None:
        await lab.subscribed(answer="500 Server Internal Error")
        (subscription,) = lab.notifier.of(lab.topic)
        lab.notifier.changed(subscription)
        assert (await lab.notified()).body == "sun 1"

    run(test)


def test_what_waits_for_a_subscriber_who_is_gone_is_not_sent(run: Any) -> None:
    async def test(lab: Lab) -> None:
        await lab.subscribed()
        (subscription,) = lab.notifier.of(lab.topic)
        lab.notifier.changed(subscription)
        lab.notifier.changed(subscription)
        await lab.notified("481 Gone")
        assert lab.foreign.idle

    run(test)


@pytest.mark.parametrize(
    ("headers", "status", "shown"),
    [
        (("Event: tides",), 489, ("Allow-Events", "weather")),
        ((), 489, ("Allow-Events", "weather")),
        (("Event: weather", "Accept: text/html, audio/*"), 406, ("Accept", "text/plain")),
        (("Event: weather", "Accept:"), 406, ("Accept", "text/plain")),
        (("Event: weather", "Expires: 59"), 423, ("Min-Expires", "60")),
    ],
)
def test_what_cannot_be_taken_is_refused(
    run: Any, headers: tuple[str, ...], status: int, shown: tuple[str, str]
) -> None:
    async def test(lab: Lab) -> None:
        lab.subscribe(*headers)
        answer = await lab.foreign.response(status)
        assert answer[shown[0]] == shown[1]
        assert lab.foreign.idle
        assert not lab.topic.said

    run(test)


def test_a_subscriber_without_contact_cannot_be_told(run: Any) -> None:
    async def test(lab: Lab) -> None:
        lab.subscribe("Event: weather", contact=False)
        await lab.foreign.response(400)

    run(test)


def test_the_topic_may_refuse(run: Any) -> None:
    async def test(lab: Lab) -> None:
        lab.topic.refusal = Refusal(403, "Not you")
        lab.subscribe("Event: weather")
        assert (await lab.foreign.response(403)).start == "SIP/2.0 403 Not you"

    run(test)


@pytest.mark.parametrize(("tag", "event"), [("none", "weather"), ("", "weather;id=7")])
def test_a_subscription_that_is_not_there_is_481(run: Any, tag: str, event: str) -> None:
    async def test(lab: Lab) -> None:
        accepted, _ = await lab.subscribed()
        lab.subscribe(f"Event: {event}", tag=tag or accepted.tag("To"))
        await lab.foreign.response(481)

    run(test)


def test_an_old_number_is_500(run: Any) -> None:
    async def test(lab: Lab) -> None:
        accepted, _ = await lab.subscribed()
        lab.subscribe("Event: weather", tag=accepted.tag("To"), cseq=1)
        await lab.foreign.response(500)
        (subscription,) = lab.notifier.of(lab.topic)
        assert subscription.dialog.remote_cseq == 1

    run(test)


def test_a_dead_subscriber_is_forgotten(run: Any) -> None:
    async def test(lab: Lab) -> None:
        async def dead(make: Any) -> Any:
            make("SIP/2.0/UDP h;branch=z9hG4bKx")
            raise TransactionTimeout("no answer")

        await lab.subscribed()
        (subscription,) = lab.notifier.of(lab.topic)
        subscription.send = dead
        lab.notifier.changed(subscription)
        await lab.side.settled()
        assert lab.topic.said[-1] == "ended NOTIFY not answered"
        assert lab.side.failures == ["NOTIFY active;expires=1000 to town: no answer"]

    run(test)


def test_forgetting_stops_the_clock(run: Any) -> None:
    async def test(lab: Lab) -> None:
        await lab.subscribed()
        lab.notifier.forget()
        assert lab.topic.said[-1] == "ended forgotten"
        assert not lab.clock.handles
        assert not list(lab.notifier.of(lab.topic))

    run(test)


def test_a_proxy_of_ours_is_on_the_way_of_both(run: Any) -> None:
    async def test(lab: Lab) -> None:
        lab.topic.routes = ("<sip:proxy.example;lr>",)
        accepted, notify = await lab.subscribed("Record-Route: <sip:p1.example;lr>")
        assert accepted.get_all("Record-Route") == ["<sip:proxy.example;lr>", "<sip:p1.example;lr>"]
        assert notify.get_all("Record-Route") == ["<sip:proxy.example;lr>"]
        assert notify.get_all("Route") == ["<sip:p1.example;lr>"]

    run(test)
