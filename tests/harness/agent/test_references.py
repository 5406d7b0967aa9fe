"""REFER in and out of a dialog on loopback, judged by an end made of text (RFC 3515, 7647, 4488)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from harness.agent.events.notifier import Admission, EventNotifier
from harness.agent.events.references import Reference, ReferenceSender, ReferenceTaker
from harness.agent.events.subscriber import EventSubscriber, Wish
from harness.agent.sip.agent import Incoming
from harness.agent.sip.bad_requests import Refusal
from harness.errors import UsageError
from harness.sip.dialog import Dialog
from harness.sip.event_headers import ReferTo, SubscriptionState
from harness.sip.event_packages import REFER
from harness.sip.message import Request, parse_message
from harness.sip.refer import Referral
from harness.sip.sipfrag import Sipfrag
from harness.sip.subscription import Ended
from tests.harness.agent.conftest import ManualClock
from tests.harness.agent.event_side import Side, both_ends
from tests.harness.agent.far_end import FarEnd, Text

__all__ = ["both_ends"]


class Lab:
    def __init__(self, side: Side, foreign: FarEnd, clock: ManualClock) -> None:
        self.side, self.foreign, self.clock = side, foreign, clock
        self.notifier = EventNotifier(side.respond, side.spawn, clock, lambda: clock.now)
        self.subscriber = EventSubscriber(side.respond, side.spawn, clock, lambda: clock.now)
        self.refusal: Refusal | None = None
        self.followed: list[Reference] = []
        self.taker = ReferenceTaker(
            self.notifier,
            side.respond,
            self._admission,
            lambda referral, incoming: self.refusal,
            self.followed.append,
        )
        self.dialog: Dialog | None = None
        side.handlers["REFER"] = self._on_refer
        side.handlers["SUBSCRIBE"] = self.notifier.on_subscribe
        side.handlers["NOTIFY"] = self.subscriber.on_notify
        self.told: list[tuple[int | None, str]] = []
        self.ended: list[Ended] = []

    def _on_refer(self, incoming: Incoming) -> None:
        self.taker.on_refer(incoming, self.dialog)

    def _admission(self, incoming: Incoming) -> Admission:
        return Admission("refer", self.side.contact, self.side.send_to(self.foreign.hop))

    # -- the foreign end refers

    def refer(self, *extra: str, cseq: int = 1, tag: str = "", method: str = "REFER") -> None:
        self.foreign.send(
            f"{method} sip:ours@{self.side.agent.addresses[0]} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.foreign.address};branch=z9hG4bKr{cseq}{method}",
            "Max-Forwards: 70",
            "From: <sip:foreign@example.net>;tag=theirs",
            f"To: <sip:ours@example.net>{tag and f';tag={tag}'}",
            "Call-ID: refer@example.net",
            f"CSeq: {cseq} {method}",
            f"Contact: <{self.foreign.uri}>",
            *extra,
        )

    async def notified(self) -> Text:
        notify = await self.foreign.next("NOTIFY ")
        self.foreign.answer(notify, "200 OK")
        await self.side.settled()
        return notify

    async def taken(self) -> tuple[Text, Reference]:
        self.refer("Refer-To: <sip:carol@example.net>")
        accepted = await self.foreign.response(200)
        notify = await self.notified()
        assert notify["Subscription-State"] == "active;expires=180"
        assert notify.body == "SIP/2.0 100 Trying\r\n"
        (reference,) = self.followed
        return accepted, reference

    # -- we refer

    def send(self, referral: Referral, dialog: Dialog | None = None) -> Any:
        wish = Wish(
            REFER,
            target="sip:bob@foreign.example",
            local="<sip:ours@example.net>",
            remote="<sip:bob@foreign.example>",
            contact=self.side.contact,
            host="127.0.0.1",
            send=self.side.send_to(self.foreign.hop),
            on_notify=lambda request, state: None,
            on_end=self.ended.append,
            headers=(("User-Agent", "ours"),),
        )
        return ReferenceSender(self.subscriber).refer(referral, wish, self._told, dialog=dialog)

    def _told(self, fragment: Sipfrag | None, state: SubscriptionState) -> None:
        self.told.append((fragment and fragment.status, state.state))

    def notify(self, request: Text, state: str, cseq: int, body: str, *, event: str = "refer") -> None:
        self.foreign.send(
            f"NOTIFY sip:ours@{self.side.agent.addresses[0]} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.foreign.address};branch=z9hG4bKn{cseq}{event}",
            "Max-Forwards: 70",
            "From: <sip:bob@foreign.example>;tag=foreign",
            f"To: {request['From']}",
            f"Call-ID: {request['Call-ID']}",
            f"CSeq: {cseq} NOTIFY",
            f"Contact: <{self.foreign.uri}>",
            f"Event: {event}",
            f"Subscription-State: {state}",
            "Content-Type: message/sipfrag",
            body=body,
        )

    async def tell(self, *of: Any, **named: Any) -> None:
        self.notify(*of, **named)
        await self.foreign.response(200)


@pytest.fixture
def run(both_ends: Any, in_loop: Any, clock: ManualClock) -> Callable[[Any], None]:
    def run(test: Any) -> None:
        async def inside() -> None:
            async with both_ends() as (side, foreign):
                await test(Lab(side, foreign, clock))

        in_loop(inside())

    return run


CAROL = Referral(ReferTo.parse("<sip:carol@example.net>"))


# -- receiving


def test_a_reference_is_told_of_from_trying_to_its_end(run: Any) -> None:
    async def test(lab: Lab) -> None:
        accepted, reference = await lab.taken()
        assert accepted["Contact"] == lab.side.contact
        assert reference.referral.uri == "sip:carol@example.net"
        reference.progress(180)
        notify = await lab.notified()
        assert (notify.body, notify["Subscription-State"]) == (
            "SIP/2.0 180 Ringing\r\n",
            "active;expires=180",
        )
        assert notify["Content-Type"] == "message/sipfrag"
        assert notify["Event"] == "refer"
        assert notify.tag("From") == accepted.tag("To")
        reference.progress(503, headers=[("Warning", '399 h "no way"')])
        notify = await lab.notified()
        assert notify.body == 'SIP/2.0 503 Service Unavailable\r\nWarning: 399 h "no way"\r\n'
        assert notify["Subscription-State"] == "terminated;reason=noresource"
        with pytest.raises(UsageError):
            reference.progress(200)
        assert not lab.clock.handles

    run(test)


def test_unsubscribing_does_not_end_the_reference(run: Any) -> None:
    async def test(lab: Lab) -> None:
        accepted, reference = await lab.taken()
        lab.refer("Event: refer", "Expires: 0", cseq=2, tag=accepted.tag("To"), method="SUBSCRIBE")
        await lab.foreign.response(200)
        assert (await lab.notified())["Subscription-State"] == "terminated;reason=timeout"
        reference.progress(200)
        assert lab.foreign.idle
        assert reference.done

    run(test)


def test_a_subscription_to_refer_begins_with_a_refer_only(run: Any) -> None:
    async def test(lab: Lab) -> None:
        lab.refer("Event: refer", method="SUBSCRIBE")
        await lab.foreign.response(403)

    run(test)


def test_without_a_subscription_nothing_is_told(run: Any) -> None:
    async def test(lab: Lab) -> None:
        lab.refer("Refer-To: <sip:carol@example.net>", "Refer-Sub: false", "Supported: norefersub")
        accepted = await lab.foreign.response(200)
        assert accepted["Refer-Sub"] == "false"
        (reference,) = lab.followed
        reference.progress(200)
        await lab.side.settled()
        assert lab.foreign.idle

    run(test)


@pytest.mark.parametrize("refusal", [Refusal(603, "Decline"), Refusal(429, "Provide Referrer Identity")])
def test_the_user_may_decline(run: Any, refusal: Refusal) -> None:
    async def test(lab: Lab) -> None:
        lab.refusal = refusal
        lab.refer("Refer-To: <sip:carol@example.net>")
        assert (await lab.foreign.response(refusal.status)).start.endswith(refusal.reason)
        assert not lab.followed

    run(test)


def test_what_cannot_be_followed_is_416(run: Any) -> None:
    async def test(lab: Lab) -> None:
        lab.refer("Refer-To: <http://www.ietf.org>")
        await lab.foreign.response(416)

    run(test)


def test_in_a_dialog_each_reference_has_the_number_of_its_refer(run: Any) -> None:
    async def test(lab: Lab) -> None:
        lab.dialog = Dialog.as_callee(
            dialog_of(lab, "theirs"), "mine", contact=lab.side.contact, confirmed=True
        )
        for cseq in (2, 3):
            lab.refer("Refer-To: <sip:carol@example.net>", cseq=cseq, tag="mine")
            await lab.foreign.response(200)
            notify = await lab.notified()
            assert notify["Event"] == f"refer;id={cseq}"
            assert notify["CSeq"] == f"{cseq - 1} NOTIFY"
        first, second = lab.followed
        second.progress(200)
        assert (await lab.notified())["Event"] == "refer;id=3"
        lab.refer("Event: refer;id=2", "Expires: 60", cseq=4, tag="mine", method="SUBSCRIBE")
        await lab.foreign.response(200)
        assert (await lab.notified())["Event"] == "refer;id=2"
        assert first.subscription is not None

    run(test)


# -- sending


def test_a_refer_of_ours_is_reported_until_it_is_over(run: Any) -> None:
    async def test(lab: Lab) -> None:
        async def foreign() -> Text:
            request = await lab.foreign.next("REFER sip:bob@foreign.example")
            await lab.tell(request, "active;expires=60", 1, "SIP/2.0 100 Trying\r\n")  # before the 202
            lab.foreign.answer(request, "202 Accepted", f"Contact: <{lab.foreign.uri}>")
            return request

        reported, request = await gathered(lab.send(CAROL), foreign())
        assert request["Refer-To"] == "<sip:carol@example.net>"
        assert request["CSeq"] == "1 REFER"
        assert request["Contact"] == lab.side.contact
        assert request["User-Agent"] == "ours"
        assert reported.response.status == 202
        assert reported.watch is not None
        await lab.tell(request, "active;expires=50", 2, "SIP/2.0 180 Ringing\r\n")
        await lab.tell(request, "terminated;reason=noresource", 3, "SIP/2.0 200 OK\r\n")
        assert lab.told == [(100, "active"), (180, "active"), (200, "terminated")]
        assert lab.ended == [Ended("noresource", None)]
        assert not lab.clock.handles

    run(test)


def test_a_refer_that_is_refused_leaves_nothing(run: Any) -> None:
    async def test(lab: Lab) -> None:
        async def foreign() -> None:
            lab.foreign.answer(await lab.foreign.next("REFER "), "603 Decline")

        reported, _ = await gathered(lab.send(CAROL), foreign())
        assert (reported.response.status, reported.watch) == (603, None)
        assert lab.ended == [Ended("Decline", None, 603)]
        assert not lab.clock.handles

    run(test)


@pytest.mark.parametrize(("answer", "watched"), [(["Refer-Sub: false"], False), ([], True)])
def test_whether_there_is_a_subscription_is_for_the_other_end_to_say(
    run: Any, answer: list[str], watched: bool
) -> None:
    async def test(lab: Lab) -> None:
        async def foreign() -> Text:
            request = await lab.foreign.next("REFER ")
            lab.foreign.answer(request, "200 OK", f"Contact: <{lab.foreign.uri}>", *answer)
            return request

        quiet = Referral(CAROL.target, subscribe=False)
        reported, request = await gathered(lab.send(quiet), foreign())
        assert request["Refer-Sub"] == "false"
        assert (reported.watch is not None) is watched
        assert bool(lab.clock.handles) is watched  # timer N
        assert not lab.ended

    run(test)


def test_a_refer_without_a_notify_is_given_up(run: Any) -> None:
    async def test(lab: Lab) -> None:
        async def foreign() -> None:
            lab.foreign.answer(await lab.foreign.next("REFER "), "200 OK")

        await gathered(lab.send(CAROL), foreign())
        lab.clock.advance(32)
        assert [each.reason for each in lab.ended] == ["no NOTIFY came"]

    run(test)


def test_two_refers_in_a_dialog_are_told_apart(run: Any) -> None:
    async def test(lab: Lab) -> None:
        dialog = Dialog.as_callee(
            dialog_of(lab), "mine", contact=lab.side.contact, confirmed=True, local_cseq=6
        )

        async def foreign() -> Text:
            request = await lab.foreign.next(f"REFER {lab.foreign.uri} ")
            lab.foreign.answer(request, "200 OK", f"Contact: <{lab.foreign.uri}>")
            return request

        _, first = await gathered(lab.send(CAROL, dialog), foreign())
        _, second = await gathered(lab.send(CAROL, dialog), foreign())
        assert (first["CSeq"], second["CSeq"]) == ("7 REFER", "8 REFER")
        assert first.tag("To") == "foreign"
        await lab.tell(second, "terminated;reason=noresource", 9, "SIP/2.0 200 OK\r\n", event="refer;id=8")
        assert [each.cseq for each in lab.subscriber] == [7]
        await lab.tell(first, "active;expires=9", 10, "SIP/2.0 180 Ringing\r\n")  # the first needs no id
        assert lab.told == [(200, "terminated"), (180, "active")]

    run(test)


def test_a_report_that_cannot_be_read_is_told_as_such(run: Any) -> None:
    async def test(lab: Lab) -> None:
        async def foreign() -> Text:
            request = await lab.foreign.next("REFER ")
            lab.foreign.answer(request, "200 OK")
            return request

        _, request = await gathered(lab.send(CAROL), foreign())
        await lab.tell(request, "active;expires=9", 1, "200 OK")
        assert lab.told == [(None, "active")]

    run(test)


def dialog_of(lab: Lab, tag: str = "foreign") -> Request:
    """The INVITE that began a dialog."""
    invite = parse_message(
        f"INVITE sip:ours@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKi\r\nCall-ID: refer@example.net\r\n"
        f"From: <sip:bob@foreign.example>;tag={tag}\r\nTo: <sip:ours@example.net>\r\nCSeq: 1 INVITE\r\n"
        f"Contact: <{lab.foreign.uri}>\r\n\r\n".encode()
    )
    assert isinstance(invite, Request)
    return invite


async def gathered(*work: Any) -> Any:
    async with asyncio.timeout(5):
        return await asyncio.gather(*work)
