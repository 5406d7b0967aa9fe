"""Our subscriber on loopback, judged by a notifier made of text (RFC 6665 4.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.agent.events.subscriber import EventSubscriber, Subscription, Wish
from harness.sip.event_headers import SubscriptionState
from harness.sip.event_packages import EventPackage
from harness.sip.message import Request, Response
from harness.sip.subscription import Ended, State
from tests.harness.agent.conftest import ManualClock
from tests.harness.agent.event_side import Side, both_ends
from tests.harness.agent.far_end import FarEnd, Text

__all__ = ["both_ends"]

WEATHER = EventPackage("weather", "text/plain", default=1000, longest=5000)


class Lab:
    def __init__(self, side: Side, foreign: FarEnd, clock: ManualClock) -> None:
        self.side, self.foreign, self.clock = side, foreign, clock
        self.subscriber = EventSubscriber(side.respond, side.spawn, clock, lambda: clock.now)
        side.handlers["NOTIFY"] = self.subscriber.on_notify
        self.told: list[str] = []
        self.ended: list[Ended] = []
        self.wish = Wish(
            WEATHER,
            target="sip:town@foreign.example",
            local="<sip:ours@example.net>",
            remote="<sip:town@foreign.example>",
            contact=side.contact,
            host="127.0.0.1",
            send=side.send_to(foreign.hop),
            on_notify=self._on_notify,
            on_end=self.ended.append,
            headers=(("User-Agent", "ours"),),
        )

    def _on_notify(self, notify: Request, state: SubscriptionState) -> None:
        self.told.append(f"{state.state} {notify.body.decode()}")

    async def subscribe(self, **changes: Any) -> tuple[Subscription, Text]:
        subscription = self.subscriber.subscribe(replace(self.wish, **changes))
        return subscription, await self.foreign.next("SUBSCRIBE ")

    async def subscribed(self, **changes: Any) -> tuple[Subscription, Text]:
        """One that is active for 1000 seconds."""
        subscription, request = await self.subscribe(**changes)
        self.foreign.answer(request, "200 OK", "Expires: 1000", f"Contact: <{self.foreign.uri}>")
        self.notify(request, "active;expires=1000", 1, body="sun")
        await self.foreign.response(200)
        await self.side.settled()
        return subscription, request

    def notify(
        self,
        request: Text,
        state: str,
        cseq: int,
        *extra: str,
        tag: str = "foreign",
        event: str = "weather",
        body: str = "",
    ) -> None:
        """The NOTIFY that answers a SUBSCRIBE."""
        branch = f"z9hG4bKn{cseq}{tag}{request.tag('From')}"
        self.foreign.send(
            f"NOTIFY sip:ours@{self.side.agent.addresses[0]} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.foreign.address};branch={branch}",
            "Max-Forwards: 70",
            f"From: <sip:town@foreign.example>;tag={tag}",
            f"To: {request['From']}",
            f"Call-ID: {request['Call-ID']}",
            f"CSeq: {cseq} NOTIFY",
            f"Contact: <{self.foreign.uri}>",
            *([f"Event: {event}"] if event else []),
            *([f"Subscription-State: {state}"] if state else []),
            *extra,
            body=body,
        )


@pytest.fixture
def run(both_ends: Any, in_loop: Any, clock: ManualClock) -> Callable[[Any], None]:
    def run(test: Any) -> None:
        async def inside() -> None:
            async with both_ends() as (side, foreign):
                await test(Lab(side, foreign, clock))

        in_loop(inside())

    return run


def test_a_subscribe_says_what_is_wanted(run: Any) -> None:
    async def test(lab: Lab) -> None:
        _, request = await lab.subscribe(expires=600, routes=("<sip:p.example;lr>",))
        assert request.start == "SUBSCRIBE sip:town@foreign.example SIP/2.0"
        assert request["Event"] == "weather"
        assert request["Accept"] == "text/plain"
        assert request["Expires"] == "600"
        assert request["Contact"] == lab.side.contact
        assert request["To"] == "<sip:town@foreign.example>"
        assert request["From"].startswith("<sip:ours@example.net>;tag=")
        assert request["CSeq"] == "1 SUBSCRIBE"
        assert request["Max-Forwards"] == "70"
        assert request["Route"] == "<sip:p.example;lr>"
        assert request["User-Agent"] == "ours"

    run(test)


@pytest.mark.parametrize("status", ["401 Unauthorized", "407 Proxy Authentication Required"])
def test_a_challenged_subscribe_is_sent_again_with_credentials(run: Any, status: str) -> None:
    """RFC 3261 22.2 and 22.3: under the next number, once; a refresh in its dialog as well."""

    async def test(lab: Lab) -> None:
        answers = iter([[("Authorization", "Digest one")], [("Authorization", "Digest two")], None])
        asked: list[str] = []

        def authorize(request: Request, response: Response) -> list[tuple[str, str]] | None:
            asked.append(f"{request.cseq.number} {response.status}")
            return next(answers)

        subscription, first = await lab.subscribe(authorize=authorize)
        lab.foreign.answer(first, status)
        again = await lab.foreign.next("SUBSCRIBE ")
        assert (again["CSeq"], again["Authorization"]) == ("2 SUBSCRIBE", "Digest one")
        assert (again["Call-ID"], again["From"]) == (first["Call-ID"], first["From"])
        lab.foreign.answer(again, "200 OK", "Expires: 900")
        lab.notify(again, "active;expires=900", 1, body="sun")
        await lab.foreign.response(200)
        await lab.side.settled()

        lab.subscriber.refresh(subscription)
        lab.foreign.answer(await lab.foreign.next("SUBSCRIBE "), status)
        refreshed = await lab.foreign.next("SUBSCRIBE ")
        assert (refreshed["CSeq"], refreshed["Authorization"]) == ("4 SUBSCRIBE", "Digest two")
        assert refreshed.tag("To") == "foreign"
        lab.foreign.answer(refreshed, "200 OK", "Expires: 900")
        await lab.side.settled()

        lab.subscriber.refresh(subscription)
        lab.foreign.answer(await lab.foreign.next("SUBSCRIBE "), status)
        await lab.side.settled()
        assert lab.foreign.idle and lab.ended == []  # what was agreed on before still holds
        assert [each.split(" ")[0] for each in asked] == ["1", "3", "5"]

    run(test)


def test_a_subscribe_that_stays_challenged_is_over(run: Any) -> None:
    async def test(lab: Lab) -> None:
        _, first = await lab.subscribe(authorize=lambda *_: [("Authorization", "Digest wrong")])
        lab.foreign.answer(first, "401 Unauthorized")
        lab.foreign.answer(await lab.foreign.next("SUBSCRIBE "), "401 Unauthorized")
        await lab.side.settled()
        assert lab.foreign.idle and [each.status for each in lab.ended] == [401]

    run(test)


def test_who_refreshes_when_told_waits_for_another_notify(run: Any) -> None:
    """RFC 6665 4.1.2.2: timer N runs for a refresh too, also when the 2xx before it is still to come."""

    async def test(lab: Lab) -> None:
        wish = replace(lab.wish, on_notify=lambda *_: lab.subscriber.refresh(subscription))
        subscription = lab.subscriber.subscribe(wish)
        request = await lab.foreign.next("SUBSCRIBE ")
        lab.notify(request, "active;expires=900", 1, body="sun")
        await lab.foreign.response(200)
        refresh = await lab.foreign.next("SUBSCRIBE ")
        for each in (request, refresh):
            lab.foreign.answer(each, "200 OK", "Expires: 900")
        await lab.side.settled()
        lab.clock.advance(31)
        assert lab.ended == []
        lab.clock.advance(2)
        assert [each.reason for each in lab.ended] == ["no NOTIFY came"]

    run(test)


def test_a_notify_before_the_2xx_is_taken(run: Any) -> None:
    async def test(lab: Lab) -> None:
        subscription, request = await lab.subscribe()
        lab.notify(request, "active;expires=900", 1, body="sun")
        await lab.foreign.response(200)
        lab.foreign.answer(request, "200 OK", "Expires: 950")
        await lab.side.settled()
        assert lab.told == ["active sun"]
        assert (subscription.machine.state, subscription.machine.ends_at) == (State.ACTIVE, 950)

    run(test)


def test_the_route_is_that_of_the_notify(run: Any) -> None:
    async def test(lab: Lab) -> None:
        subscription, request = await lab.subscribe()
        lab.foreign.answer(request, "200 OK", "Expires: 1000", "Record-Route: <sip:wrong.example;lr>")
        lab.notify(
            request, "active;expires=1000", 7, "Record-Route: <sip:one.example;lr>, <sip:two.example;lr>"
        )
        await lab.foreign.response(200)
        lab.subscriber.refresh(subscription)
        again = await lab.foreign.next("SUBSCRIBE ")
        assert again.start == f"SUBSCRIBE {lab.foreign.uri} SIP/2.0"
        assert again.get_all("Route") == ["<sip:one.example;lr>", "<sip:two.example;lr>"]
        assert again.tag("To") == "foreign"
        assert again["Call-ID"] == request["Call-ID"]
        assert again.tag("From") == request.tag("From")
        assert again["CSeq"] == "2 SUBSCRIBE"
        assert again["Contact"] == lab.side.contact

    run(test)


def test_it_is_refreshed_at_half_time_and_ends_without_notify(run: Any) -> None:
    async def test(lab: Lab) -> None:
        await lab.subscribed()
        lab.clock.advance(499)
        assert lab.foreign.idle
        lab.clock.advance(1)
        again = await lab.foreign.next("SUBSCRIBE ")
        assert again["Expires"] == "1000"
        lab.foreign.answer(again, "200 OK", "Expires: 1000")
        await lab.side.settled()
        lab.clock.advance(32)
        assert [each.reason for each in lab.ended] == ["no NOTIFY came"]
        assert not lab.clock.handles
        assert list(lab.subscriber) == []

    run(test)


def test_leaving_is_over_with_the_last_notify(run: Any) -> None:
    async def test(lab: Lab) -> None:
        subscription, _ = await lab.subscribed()
        lab.subscriber.leave(subscription)
        last = await lab.foreign.next("SUBSCRIBE ")
        assert last["Expires"] == "0"
        lab.foreign.answer(last, "200 OK", "Expires: 0")
        lab.notify(last, "terminated;reason=timeout", 2, body="rain")
        await lab.foreign.response(200)
        assert lab.told == ["active sun", "terminated rain"]
        assert lab.ended == [Ended("timeout", 0.0)]
        lab.notify(last, "active", 3)
        await lab.foreign.response(481)

    run(test)


def test_the_notifier_may_end_it_and_be_asked_again(run: Any) -> None:
    async def test(lab: Lab) -> None:
        _, request = await lab.subscribed(again=True)
        lab.notify(request, "terminated;reason=probation;retry-after=20", 2)
        await lab.foreign.response(200)
        lab.clock.advance(19.9)
        assert lab.foreign.idle
        lab.clock.advance(0.1)
        again = await lab.foreign.next("SUBSCRIBE ")
        assert again["Call-ID"] != request["Call-ID"]
        assert again.tag("From") != request.tag("From")
        assert ";tag=" not in again["To"]

    run(test)


@pytest.mark.parametrize("reason", ["rejected", "noresource", "invariant;retry-after=1"])
def test_or_not_be_asked_again(run: Any, reason: str) -> None:
    async def test(lab: Lab) -> None:
        _, request = await lab.subscribed(again=True)
        lab.notify(request, f"terminated;reason={reason}", 2)
        await lab.foreign.response(200)
        assert not lab.clock.handles
        assert len(lab.ended) == 1

    run(test)


def test_a_423_is_followed(run: Any) -> None:
    async def test(lab: Lab) -> None:
        _, request = await lab.subscribe(expires=60)
        lab.foreign.answer(request, "423 Interval Too Brief", "Min-Expires: 300")
        again = await lab.foreign.next("SUBSCRIBE ")
        assert (again["Expires"], again["CSeq"]) == ("300", "2 SUBSCRIBE")
        assert again["Call-ID"] == request["Call-ID"]
        assert again.tag("From") == request.tag("From")

    run(test)


def test_a_refusal_is_told(run: Any) -> None:
    async def test(lab: Lab) -> None:
        _, request = await lab.subscribe()
        lab.foreign.answer(request, "489 Bad Event", "Allow-Events: tides")
        await lab.side.settled()
        assert lab.ended == [Ended("Bad Event", None, 489)]
        assert not lab.clock.handles
        lab.notify(request, "active", 1)
        await lab.foreign.response(481)

    run(test)


def test_a_second_fork_is_refused_where_the_package_wants_one(run: Any) -> None:
    async def test(lab: Lab) -> None:
        _, request = await lab.subscribed()
        lab.notify(request, "active;expires=1000", 1, tag="other", body="snow")
        await lab.foreign.response(481)
        assert lab.told == ["active sun"]

    run(test)


def test_forks_are_subscriptions_of_their_own_until_timer_n(run: Any) -> None:
    async def test(lab: Lab) -> None:
        _, request = await lab.subscribed(package=replace(WEATHER, forks=True))
        lab.clock.advance(31)
        lab.notify(request, "active;expires=100", 1, tag="other", body="snow")
        await lab.foreign.response(200)
        assert lab.told == ["active sun", "active snow"]
        first, second = lab.subscriber
        assert (first.machine.ends_at, second.machine.ends_at) == (1000, 131)
        lab.subscriber.refresh(second)
        assert (await lab.foreign.next("SUBSCRIBE ")).tag("To") == "other"
        lab.clock.advance(1)
        lab.notify(request, "active;expires=100", 1, tag="late", body="hail")
        await lab.foreign.response(481)

    run(test)


@pytest.mark.parametrize(
    ("state", "event", "status"),
    [("active", "tides", 489), ("active", "", 489), ("", "weather", 400), ("active", "weather;id=3", 481)],
)
def test_a_notify_that_does_not_fit_is_refused(run: Any, state: str, event: str, status: int) -> None:
    async def test(lab: Lab) -> None:
        _, request = await lab.subscribed()
        lab.notify(request, state, 2, event=event)
        await lab.foreign.response(status)
        assert lab.told == ["active sun"]

    run(test)


def test_an_old_notify_is_500(run: Any) -> None:
    async def test(lab: Lab) -> None:
        _, request = await lab.subscribed()
        lab.notify(request, "active;expires=900", 5, body="rain")
        await lab.foreign.response(200)
        lab.notify(request, "active;expires=900", 4, body="sun")
        await lab.foreign.response(500)
        assert lab.told == ["active sun", "active rain"]

    run(test)


def test_tags_compare_without_case(run: Any) -> None:
    async def test(lab: Lab) -> None:
        _, request = await lab.subscribe()
        tag = request.tag("From")
        lab.notify(Text(request.replace(tag, tag.swapcase())), "active;expires=9", 1, body="sun")
        await lab.foreign.response(200)
        assert lab.told == ["active sun"]

    run(test)


def test_a_notify_of_nobody_is_481(run: Any) -> None:
    async def test(lab: Lab) -> None:
        lab.notify(Text("NOTIFY\r\nFrom: <sip:x@y>;tag=1\r\nCall-ID: none\r\n\r\n"), "active", 1)
        await lab.foreign.response(481)

    run(test)


def test_a_network_that_is_lost_is_forgotten(run: Any) -> None:
    async def test(lab: Lab) -> None:
        _, request = await lab.subscribed(again=True)
        lab.notify(request, "terminated;reason=probation", 2)
        await lab.foreign.response(200)
        await lab.subscribed()
        lab.subscriber.forget()
        assert not lab.clock.handles
        assert list(lab.subscriber) == []

    run(test)
