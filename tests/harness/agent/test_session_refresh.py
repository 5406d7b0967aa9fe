"""Session timers on the wire, from either side (RFC 4028)."""

from __future__ import annotations

import asyncio

import pytest

from harness.agent.session.user import Cause
from harness.sip.session_headers import Refresher
from harness.sip.session_timer import TimerPolicy
from tests.harness.agent.session_bench import ANSWER, OFFER, User, session_bench

TIMER = "Supported: timer"


def test_a_too_short_interval_is_refused_and_a_longer_one_granted(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench(policy=TimerPolicy(least=600)) as bench:
            branch = bench.far.request("INVITE", 1, TIMER, "Session-Expires: 300", body=OFFER)
            refused = await bench.far.response("422")
            assert refused.get("Min-SE") == "600"
            bench.far.request("ACK", 1, to=refused.get("To"), branch=branch)
            bench.far.request("INVITE", 2, TIMER, "Session-Expires: 600", "Min-SE: 600", body=OFFER)
            invite = await bench.invites.get()
            await invite.accept(ANSWER)
            accepted = await bench.far.response("200")
            assert accepted.get("Session-Expires") == "600;refresher=uac"
            assert "timer" in accepted.values("Require")
            bench.far.request("ACK", 2, to=accepted.get("To"))
            await invite.over
            bench.far.request("UPDATE", 3, TIMER, "Session-Expires: 90", to=accepted.get("To"))
            assert (await bench.far.response("422")).get("Min-SE") == "600"

    in_loop(scenario())


def test_the_callers_refreshes_keep_the_session_and_their_absence_ends_it(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            session = await bench.called(TIMER, "Session-Expires: 1800;refresher=uac", user=user)
            bench.clock.advance(1700)
            refresh = (TIMER, "Session-Expires: 1800;refresher=uac")
            bench.far.request("UPDATE", 2, *refresh, to=bench.to_near(session))
            refreshed = await bench.far.response("200")
            assert refreshed.get("Session-Expires") == "1800;refresher=uac"
            bench.clock.advance(1767.9)  # 32 seconds before it expires
            await bench.far.nothing()
            bench.clock.advance(0.1)
            bye = await bench.far.next("BYE")
            assert bye.get("Reason") == 'SIP;cause=408;text="Session timer expired"'
            bench.far.answer(bye, "200 OK")
            assert [(each.cause, each.by_us) for each in user.endings] == [(Cause.EXPIRED, True)]

    in_loop(scenario())


def test_we_refresh_by_update_at_half_the_interval(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench(policy=TimerPolicy(interval=1800)) as bench:
            outgoing = bench.ua.invite(bench.invitation())
            invite = await bench.far.next("INVITE")
            assert invite.get("Session-Expires") == "1800"
            granted = ("Session-Expires: 1000;refresher=uac", "Require: timer", "Allow: INVITE, UPDATE")
            bench.far.answer(invite, "200 OK", *granted, body=ANSWER)
            await bench.far.next("ACK")
            session = (await outgoing.outcome()).session
            for number in (2, 3):
                bench.clock.advance(499.9)
                await bench.far.nothing()
                bench.clock.advance(0.1)
                update = await bench.far.next("UPDATE")
                assert (update.cseq.number, update.body) == (number, b"")
                assert update.get("Session-Expires") == "1000;refresher=uac"
                assert "timer" in update.values("Supported")
                bench.far.answer(update, "200 OK", "Session-Expires: 1000;refresher=uac")
                await bench.far.nothing()
            assert not session.has_ended()

    in_loop(scenario())


def test_without_update_we_refresh_by_reinvite_with_the_same_description(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench(policy=TimerPolicy(interval=90, refresher=Refresher.UAS)) as bench:
            session = await bench.called(TIMER, "Allow: INVITE, ACK, BYE, CANCEL")
            bench.clock.advance(45)
            invite = await bench.far.next("INVITE")
            assert invite.body == ANSWER.body  # the last description of ours, unchanged
            assert invite.get("Session-Expires") == "90;refresher=uac"
            bench.far.answer(invite, "200 OK", "Session-Expires: 90;refresher=uas", body=OFFER)
            await bench.far.next("ACK")
            await bench.far.nothing()
            assert not session.timer.refreshing  # the other end took it over

    in_loop(scenario())


def test_a_callee_without_timers_is_refreshed_all_the_same(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench(policy=TimerPolicy(interval=1800)) as bench:
            await bench.calling("Allow: INVITE, UPDATE")
            bench.clock.advance(900)
            update = await bench.far.next("UPDATE")
            assert update.get("Session-Expires") == "1800;refresher=uac"
            bench.far.answer(update, "200 OK")
            await bench.far.nothing()

    in_loop(scenario())


def test_a_session_may_be_refreshed_sooner_than_at_half(in_loop) -> None:
    async def scenario() -> None:
        settings = {"within": 1000.0}
        async with session_bench(refresh_within=lambda: settings["within"]) as bench:
            session = await bench.calling("Session-Expires: 900;refresher=uac", "Allow: UPDATE")
            for settings["within"], due in ((1000.0, 450), (100.0, 100), (20.0, 20)):
                session.refresh.reconsider()
                bench.clock.advance(due - 0.1)
                await bench.far.nothing()
                bench.clock.advance(0.1)
                update = await bench.far.next("UPDATE")
                bench.far.answer(update, "200 OK", "Session-Expires: 900;refresher=uac")
                await bench.far.nothing()

    in_loop(scenario())


def test_a_change_of_mind_does_not_put_off_the_end(in_loop) -> None:
    async def scenario() -> None:
        within = 1000.0
        async with session_bench(refresh_within=lambda: within) as bench:
            session = await bench.calling("Session-Expires: 900;refresher=uas", "Allow: UPDATE")
            bench.clock.advance(800)
            within = 5.0
            session.refresh.reconsider()
            bench.clock.advance(67.9)
            await bench.far.nothing()  # nor is it for us to refresh
            bench.clock.advance(0.1)
            bench.far.answer(await bench.far.next("BYE"), "200 OK")
            await bench.far.nothing()
            session.refresh.reconsider()
            bench.clock.advance(10)
            await bench.far.nothing()

    in_loop(scenario())


@pytest.mark.parametrize("refresher", ["uac", "uas"])
def test_who_sees_to_no_session_timer_neither_refreshes_nor_hangs_up(in_loop, refresher: str) -> None:
    async def scenario() -> None:
        async with session_bench(refresh_within=lambda: None) as bench:
            session = await bench.calling(f"Session-Expires: 90;refresher={refresher}", "Allow: UPDATE")
            session.refresh.reconsider()
            bench.clock.advance(1000)
            await bench.far.nothing()
            assert not session.has_ended()

    in_loop(scenario())


def test_a_422_for_a_refresh_is_tried_with_the_larger_interval(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench(policy=TimerPolicy(interval=1800)) as bench:
            session = await bench.calling("Session-Expires: 1800;refresher=uac", "Allow: UPDATE")
            bench.clock.advance(900)
            bench.far.answer(await bench.far.next("UPDATE"), "422 Too Small", "Min-SE: 3600")
            again = await bench.far.next("UPDATE")
            assert again.get("Session-Expires") == "3600;refresher=uac"
            assert again.get("Min-SE") == "3600"
            bench.far.answer(again, "200 OK", "Session-Expires: 3600;refresher=uac")
            await bench.far.nothing()
            assert session.timer.interval == 3600

    in_loop(scenario())


def test_a_422_for_the_invite_is_tried_with_the_larger_interval(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench(policy=TimerPolicy(interval=90)) as bench:
            outgoing = bench.ua.invite(bench.invitation())
            bench.far.answer(await bench.far.next("INVITE"), "422 Too Small", "Min-SE: 3600")
            await bench.far.next("ACK")
            second = await bench.far.next("INVITE")
            assert (second.cseq.number, second.get("Session-Expires")) == (2, "3600")
            bench.far.answer(second, "422 Too Small", "Min-SE: 3600")  # no better than before
            await bench.far.next("ACK")
            assert (await outgoing.outcome()).response.status == 422

    in_loop(scenario())


def test_a_refresh_that_fails_is_tried_once_more_and_then_the_session_ends(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            await bench.calling("Session-Expires: 900;refresher=uac", "Allow: UPDATE", user=user)
            bench.clock.advance(450)
            bench.far.answer(await bench.far.next("UPDATE"), "500 Oops")
            await bench.far.nothing()
            bench.clock.advance(208)  # half of what is left until 868
            await bench.far.nothing()
            bench.clock.advance(1)
            bench.far.answer(await bench.far.next("UPDATE"), "500 Oops")
            await bench.far.nothing()
            bench.clock.advance(208)
            await bench.far.nothing()
            bench.clock.advance(1)
            bench.far.answer(await bench.far.next("BYE"), "200 OK")
            assert [each.cause for each in user.endings] == [Cause.EXPIRED]
            assert not [note for note in bench.notes if "refresh" in note]  # no third one was begun

    in_loop(scenario())


def test_a_refresh_that_was_made_up_for_may_fail_again_later(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            session = await bench.calling("Session-Expires: 900;refresher=uac", "Allow: UPDATE", user=user)
            for _ in range(2):
                bench.clock.advance(450)
                bench.far.answer(await bench.far.next("UPDATE"), "500 Oops")
                await bench.far.nothing()
                bench.clock.advance(209)
                again = await bench.far.next("UPDATE")
                bench.far.answer(again, "200 OK", "Session-Expires: 900;refresher=uac")
                await bench.far.nothing()
            assert (user.endings, session.has_ended()) == ([], False)

    in_loop(scenario())


@pytest.mark.parametrize("status", ["481 Gone", "408 Late"])
def test_a_refresh_that_finds_no_session_ends_it(in_loop, status: str) -> None:
    """RFC 4028 10."""

    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            await bench.calling("Session-Expires: 900;refresher=uac", "Allow: UPDATE", user=user)
            bench.clock.advance(450)
            bench.far.answer(await bench.far.next("UPDATE"), status)
            bench.far.answer(await bench.far.next("BYE"), "481 Gone")
            await bench.far.nothing()
            assert [each.cause for each in user.endings] == [Cause.LOST]

    in_loop(scenario())


def test_a_change_of_the_session_is_a_refresh_too(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.calling("Session-Expires: 900;refresher=uac", "Allow: UPDATE")
            bench.clock.advance(400)
            changing = asyncio.create_task(session.reinvite(OFFER))
            bench.far.answer(
                await bench.far.next("INVITE"), "200 OK", "Session-Expires: 900;refresher=uas", body=ANSWER
            )
            await bench.far.next("ACK")
            await changing
            bench.clock.advance(860)
            await bench.far.nothing()
            bench.clock.advance(8)
            bench.far.answer(await bench.far.next("BYE"), "200 OK")

    in_loop(scenario())
