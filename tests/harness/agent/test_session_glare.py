"""Both ends change the session at once: RFC 3261 14.1 and 14.2, RFC 3311 5.2 and 5.3."""

from __future__ import annotations

import asyncio

import pytest

from harness.agent.session.user import Cause, Content
from harness.errors import UsageError
from harness.sip.session_timer import TimerPolicy
from tests.harness.agent.session_bench import ANSWER, OFFER, User, session_bench


def test_reinvite_and_its_ack(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.calling()
            changing = asyncio.create_task(session.reinvite(OFFER))
            invite = await bench.far.next("INVITE")
            assert (invite.cseq.number, invite.to.tag, invite.body) == (2, "far", OFFER.body)
            assert invite.contacts
            bench.far.answer(invite, "200 OK", "Contact: <sip:moved@127.0.0.1:5999>", body=ANSWER)
            assert (await changing).status == 200
            assert session.dialog.remote_target == "sip:moved@127.0.0.1:5999"
            bench.far.answer(invite, "200 OK", body=ANSWER)  # the ACK went to the new target: it repeats
            await bench.far.nothing()
            assert session.dialog.remote_target == "sip:moved@127.0.0.1:5999"

    in_loop(scenario())


def test_a_repeated_2xx_of_a_reinvite_is_acknowledged_again(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.calling()
            changing = asyncio.create_task(session.reinvite(OFFER))
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "200 OK", body=ANSWER)
            ack = await bench.far.next("ACK")
            assert ack.cseq.number == 2
            await changing
            bench.far.answer(invite, "200 OK", body=ANSWER)
            assert (await bench.far.next("ACK")).raw == ack.raw

    in_loop(scenario())


def test_a_refused_reinvite_changes_nothing(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.calling()
            before, first = session.dialog.remote_target, session.content
            assert first is not None
            changing = asyncio.create_task(session.reinvite(ANSWER))
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "488 Not Acceptable Here", "Contact: <sip:x@y>")
            await bench.far.next("ACK")
            assert (await changing).status == 488
            assert (session.dialog.remote_target, session.has_ended()) == (before, False)
            assert session.exchange.may_offer
            assert session.content == first  # what a refresh would repeat

    in_loop(scenario())


def test_an_invite_that_meets_ours_is_491(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.calling()
            changing = asyncio.create_task(session.reinvite(OFFER))
            invite = await bench.far.next("INVITE")
            theirs = {"to": session.dialog.local, "from_": session.dialog.remote, "call_id": "call-2"}
            branch = bench.far.request("INVITE", 1, **theirs)
            await bench.far.response("491")
            bench.far.request("ACK", 1, branch=branch, **theirs)
            bench.far.request("UPDATE", 2, body=OFFER, **theirs)
            await bench.far.response("491")
            bench.far.answer(invite, "200 OK", body=ANSWER)
            await bench.far.next("ACK")
            await changing
            bench.far.request("UPDATE", 3, **theirs)
            await bench.far.response("200")

    in_loop(scenario())


@pytest.mark.parametrize("owner", [True, False])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_after_491_the_request_is_tried_once_more(in_loop, owner: bool, method: str) -> None:
    """14.1: the owner of the Call-ID after 2.1 to 4 seconds, the other end within 2."""

    async def scenario() -> None:
        async with session_bench() as bench:
            session = await (bench.calling() if owner else bench.called())
            change = session.reinvite if method == "INVITE" else session.update
            changing = asyncio.create_task(change(OFFER))
            first = await bench.far.next(method)
            bench.far.answer(first, "491 Request Pending")
            if method == "INVITE":
                await bench.far.next("ACK")
            await bench.far.nothing()
            low, high = (2.1, 4.0) if owner else (0.0, 2.0)
            bench.clock.advance(max(low - 0.005, 0.0))
            await bench.far.nothing()
            bench.clock.advance(high - low + 0.005)
            second = await bench.far.next(method)
            assert second.cseq.number == first.cseq.number + 1
            bench.far.answer(second, "491 Request Pending")
            assert (await changing).status == 491
            assert not session.has_ended()

    in_loop(scenario())


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_an_offer_that_is_made_is_made_anew_after_491(in_loop, method: str) -> None:
    """RFC 3264 8: what was sent meanwhile comes before it."""

    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.calling()
            offers = [OFFER, ANSWER]
            change = session.reinvite if method == "INVITE" else session.update
            changing = asyncio.create_task(change(lambda: offers.pop(0)))
            first = await bench.far.next(method)
            bench.far.answer(first, "491 Request Pending")
            if method == "INVITE":
                await bench.far.next("ACK")
            await bench.far.nothing()
            assert (first.body, offers) == (OFFER.body, [ANSWER])
            bench.clock.advance(4)
            second = await bench.far.next(method)
            assert second.body == ANSWER.body
            bench.far.answer(second, "488 Not Acceptable Here")
            assert (await changing).status == 488

    in_loop(scenario())


def test_a_refresh_that_waits_repeats_what_was_said_last(in_loop) -> None:
    """RFC 4028 7.4, RFC 3264 8: an answer of ours in between is the description in force."""

    async def scenario() -> None:
        async with session_bench(policy=TimerPolicy(interval=200, least=90)) as bench:
            user = User()
            session = await bench.calling("Session-Expires: 200;refresher=uac", "Require: timer", user=user)
            bench.far.request("INVITE", 7, to=session.dialog.local, from_=session.dialog.remote,
                              call_id="call-2", body=ANSWER)  # fmt: skip
            await bench.far.nothing()
            bench.clock.advance(100)
            await bench.far.response("100")
            await bench.far.nothing()  # ours waits for theirs
            said = Content("application/sdp", b"v=0\r\no=near 1 2 IN IP4 192.0.2.2\r\n")
            await user.reinvites[0].accept(said)
            await bench.far.response("200")
            bench.far.request(
                "ACK", 7, to=session.dialog.local, from_=session.dialog.remote, call_id="call-2"
            )
            refresh = await bench.far.next("INVITE")
            assert refresh.body == said.body
            bench.far.answer(refresh, "200 OK", body=ANSWER)
            await bench.far.next("ACK")

    in_loop(scenario())


def test_a_reinvite_after_glare_is_not_tried_when_the_session_has_ended(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.called()
            changing = asyncio.create_task(session.reinvite(OFFER))
            bench.far.answer(await bench.far.next("INVITE"), "491 Request Pending")
            await bench.far.next("ACK")
            bench.far.request("BYE", 2, to=bench.to_near(session))
            await bench.far.response("200")
            bench.clock.advance(2)
            assert (await changing).status == 491
            await bench.far.nothing()

    in_loop(scenario())


def test_our_reinvite_waits_for_theirs(in_loop) -> None:
    """14.1: no new INVITE while one is in progress in either direction."""

    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            session = await bench.called(user=user)
            bench.far.request("INVITE", 2, to=bench.to_near(session), body=OFFER)
            await bench.far.nothing()
            changing = asyncio.create_task(session.reinvite(OFFER))
            await bench.far.nothing()
            await user.reinvites[0].accept(ANSWER)
            await bench.far.response("200")
            await bench.far.nothing()  # not before the ACK
            bench.far.request("ACK", 2, to=bench.to_near(session))
            bench.far.answer(await bench.far.next("INVITE"), "200 OK", body=ANSWER)
            await bench.far.next("ACK")
            assert (await changing).status == 200

    in_loop(scenario())


def test_hanging_up_does_not_wait_for_the_answer_to_a_reinvite(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.called()
            bench.far.request("INVITE", 2, to=bench.to_near(session), body=OFFER)
            await bench.far.nothing()
            hanging_up = asyncio.create_task(session.bye())
            refused = await bench.far.response("487")
            assert refused.cseq.number == 2
            bench.far.answer(await bench.far.next("BYE"), "200 OK")
            assert (await hanging_up).status == 200

    in_loop(scenario())


def test_two_reinvites_of_ours_go_one_after_the_other(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.calling()
            both = asyncio.gather(session.reinvite(OFFER), session.reinvite(ANSWER))
            for body in (OFFER, ANSWER):
                invite = await bench.far.next("INVITE")
                assert invite.body == body.body
                await bench.far.nothing()
                bench.far.answer(invite, "200 OK", body=ANSWER)
                await bench.far.next("ACK")
            await both

    in_loop(scenario())


def test_a_reinvite_nobody_waits_for_any_more_is_cancelled(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.calling()
            changing = asyncio.create_task(session.reinvite(OFFER))
            invite = await bench.far.next("INVITE")
            changing.cancel()
            await bench.far.nothing()  # no provisional response yet
            bench.far.answer(invite, "100 Trying", tag="")
            cancel = await bench.far.next("CANCEL")
            assert cancel.values("Via") == invite.values("Via")
            assert (cancel.to.tag, cancel.cseq.number) == ("far", 2)
            bench.far.answer(cancel, "200 OK")
            bench.far.answer(invite, "487 Request Terminated")
            await bench.far.next("ACK")
            with pytest.raises(asyncio.CancelledError):
                await changing
            await bench.far.nothing()
            assert not session.has_ended()
            assert session.exchange.may_offer
            assert not session.inviting

    in_loop(scenario())


def test_a_2xx_that_crosses_the_cancel_of_a_reinvite_is_acknowledged(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.calling()
            changing = asyncio.create_task(session.reinvite(OFFER))
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "183 Session Progress")
            await bench.far.nothing()
            changing.cancel()
            bench.far.answer(await bench.far.next("CANCEL"), "200 OK")
            bench.far.answer(invite, "200 OK", body=ANSWER)
            await bench.far.next("ACK")
            assert not session.has_ended()

    in_loop(scenario())


def test_a_cancelled_reinvite_that_is_never_answered_is_forgotten(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.calling()
            changing = asyncio.create_task(session.reinvite(OFFER))
            bench.far.answer(await bench.far.next("INVITE"), "100 Trying", tag="")
            await bench.far.nothing()
            changing.cancel()
            bench.far.answer(await bench.far.next("CANCEL"), "200 OK")
            await bench.far.nothing()
            bench.clock.advance(32)
            await bench.far.nothing()
            assert session.exchange.may_offer
            assert not session.inviting
            assert not session.has_ended()

    in_loop(scenario())


def test_close_ends_a_reinvite_that_waits(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.calling()
            changing = asyncio.create_task(session.reinvite(OFFER))
            await bench.far.next("INVITE")
            await bench.ua.close()
            with pytest.raises(UsageError, match="closed"):
                await changing

    in_loop(scenario())


def test_no_reinvite_in_an_early_dialog(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            bench.ua.invite(bench.invitation())
            bench.far.answer(await bench.far.next("INVITE"), "180 Ringing")
            await bench.far.nothing()
            with pytest.raises(UsageError, match=r"14\.1"):
                await bench.ua.sessions[0].reinvite(OFFER)

    in_loop(scenario())


def test_a_reinvite_without_ack_ends_the_session(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            session = await bench.called(user=user)
            bench.far.request("INVITE", 2, to=bench.to_near(session), body=OFFER)
            await bench.far.nothing()
            await user.reinvites[0].accept(ANSWER)
            bench.clock.advance(32)
            for _ in range(11):
                await bench.far.response("200")
            bench.far.answer(await bench.far.next("BYE"), "200 OK")
            assert [each.cause for each in user.endings] == [Cause.NO_ACK]

    in_loop(scenario())
