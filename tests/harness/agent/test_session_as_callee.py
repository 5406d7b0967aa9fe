"""Sessions the other end begins: RFC 3261 13.3, 9.2, 14.2, 15; RFC 3262 3; RFC 3311 5.2."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from harness.agent.session.user import Cause, Content
from harness.errors import UsageError
from harness.sip.dialog import DialogState
from tests.harness.agent.session_bench import ANSWER, OFFER, User, session_bench

RELIABLE = "Supported: 100rel"


def test_invite_180_200_ack_bye(in_loop) -> None:
    """The flow of RFC 3665 3.1."""

    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            invite = await bench.invited("Record-Route: <sip:p2.example;lr>, <sip:127.0.0.1;lr>")
            invite.session.user = user
            await invite.ring()
            ringing = await bench.far.response("180")
            assert ringing.to.tag
            assert ringing.values("Record-Route") == ["<sip:p2.example;lr>", "<sip:127.0.0.1;lr>"]
            assert invite.session.dialog.state is DialogState.EARLY

            session = await invite.accept(ANSWER)
            accepted = await bench.far.response("200")
            assert session is invite.session
            assert accepted.to.tag == ringing.to.tag
            assert accepted.body == ANSWER.body
            assert accepted.values("Record-Route") == ringing.values("Record-Route")
            assert [str(contact.uri) for contact in accepted.contacts] == [f"sip:{bench.far.near}"]
            assert "UPDATE" in accepted.values("Allow")
            assert "timer" in accepted.values("Supported")

            bench.far.request("ACK", 1, to=accepted.get("To"), contact=False)
            assert (await invite.over) is user.acks[0]
            bench.far.request("BYE", 2, 'Reason: Q.850;cause=16;text="Terminated"', to=accepted.get("To"))
            assert (await bench.far.response("200")).cseq.method == "BYE"
            ending = user.endings[0]
            assert (ending.cause, ending.by_us) == (Cause.BYE, False)
            assert ending.message.get("Reason") == 'Q.850;cause=16;text="Terminated"'
            bench.far.request("INFO", 3, to=accepted.get("To"))
            await bench.far.response("481")

    in_loop(scenario())


def test_a_callee_that_is_its_own_last_proxy_stands_before_the_others(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited("Record-Route: <sip:127.0.0.1:5999;lr>")
            await invite.accept(ANSWER, headers=[("Record-Route", "<sip:own;lr>"), ("Subject", "x")])
            accepted = await bench.far.response("200")
            assert accepted.values("Record-Route") == ["<sip:own;lr>", "<sip:127.0.0.1:5999;lr>"]
            assert invite.session.dialog.route_set == ("sip:127.0.0.1:5999;lr",)

    in_loop(scenario())


def test_the_2xx_is_repeated_until_the_ack(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited()
            await invite.accept(ANSWER)
            first = await bench.far.response("200")
            for interval in (0.5, 1.0, 2.0, 4.0, 4.0):
                bench.clock.advance(interval - 0.01)
                await bench.far.nothing()
                bench.clock.advance(0.01)
                assert (await bench.far.response("200")).raw == first.raw
            bench.far.request("ACK", 1, to=first.get("To"))
            await invite.over
            bench.clock.advance(40)
            await bench.far.nothing()
            assert not invite.session.has_ended()

    in_loop(scenario())


def test_a_2xx_that_is_never_acknowledged_ends_in_bye(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            invite = await bench.invited()
            invite.session.user = user
            await invite.accept(ANSWER)
            first = await bench.far.response("200")
            bench.clock.advance(31.9)
            for _ in range(10):  # 0.5 1.5 3.5 7.5 11.5 ... 31.5
                assert (await bench.far.response("200")).raw == first.raw
            await bench.far.nothing()
            bench.clock.advance(0.1)
            bye = await bench.far.next("BYE")
            assert (bye.to.tag, bye.from_.tag, bye.cseq.number) == ("far", first.to.tag, 1)
            bench.far.answer(bye, "200 OK")
            assert [each.cause for each in user.endings] == [Cause.NO_ACK]
            assert await invite.over is None

    in_loop(scenario())


def test_bye_waits_for_the_ack(in_loop) -> None:
    """RFC 3261 15: the callee must not send BYE before the ACK came."""

    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited()
            session = await invite.accept(ANSWER)
            accepted = await bench.far.response("200")
            hanging_up = asyncio.create_task(session.bye())
            await bench.far.nothing()
            bench.far.request("ACK", 1, to=accepted.get("To"))
            bye = await bench.far.next("BYE")
            bench.far.answer(bye, "200 OK")
            assert (await hanging_up).status == 200
            assert await session.bye() is None

    in_loop(scenario())


def test_cancel_gets_200_and_the_invite_487(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            invite = await bench.invited()
            invite.session.user = user
            await invite.ring()
            ringing = await bench.far.response("180")
            branch = invite.request.via.branch
            bench.far.request("CANCEL", 1, 'Reason: SIP;cause=200;text="Completed elsewhere"', branch=branch)
            cancelled = await bench.far.response("200")
            assert cancelled.cseq.method == "CANCEL"
            assert cancelled.to.tag == ringing.to.tag
            assert (await bench.far.response("487")).to.tag == ringing.to.tag
            bench.far.request("ACK", 1, to=ringing.get("To"), branch=branch)
            assert (user.endings[0].cause, user.endings[0].by_us) == (Cause.CANCELLED, False)
            assert user.endings[0].message.method == "CANCEL"
            assert await invite.accept(ANSWER) is None
            await bench.far.nothing()

    in_loop(scenario())


def test_a_cancel_after_the_2xx_changes_nothing(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited()
            await invite.accept(ANSWER)
            accepted = await bench.far.response("200")
            bench.far.request("CANCEL", 1, branch=invite.request.via.branch)
            assert (await bench.far.response("200")).cseq.method == "CANCEL"
            bench.far.request("ACK", 1, to=accepted.get("To"))
            await invite.over
            assert not invite.session.has_ended()
            bench.far.request("CANCEL", 1, branch="z9hG4bKunknown")
            await bench.far.response("481")

    in_loop(scenario())


def test_an_invite_that_expires_gets_487(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            invite = await bench.invited("Expires: 20")
            invite.session.user = user
            await invite.ring()
            await bench.far.response("180")
            bench.clock.advance(19.9)
            await bench.far.nothing()
            bench.clock.advance(0.1)
            await bench.far.response("487")
            bench.far.request("ACK", 1, to=invite.session.dialog.local, branch=invite.request.via.branch)
            assert user.endings[0].cause is Cause.EXPIRED

    in_loop(scenario())


def test_refusal_and_redirection(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited()
            invite.reject(486, headers=[("Retry-After", "30")])
            refused = await bench.far.response("486 Busy Here")
            assert refused.get("Retry-After") == "30"
            bench.far.request("ACK", 1, to=refused.get("To"), branch=invite.request.via.branch)
            assert bench.ua.sessions == []
            bench.far.request("INVITE", 1, call_id="other", body=OFFER)
            (await bench.invites.get()).redirect("<sip:a@b>", "<sip:c@d>")
            assert (await bench.far.response("302")).values("Contact") == ["<sip:a@b>", "<sip:c@d>"]

    in_loop(scenario())


def test_the_same_invite_on_another_path_is_482(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited()
            bench.far.request("INVITE", 1, body=OFFER)  # same From tag, Call-ID and CSeq, another branch
            await bench.far.response("482")
            await invite.ring()
            await bench.far.response("180")

    in_loop(scenario())


def test_what_is_required_and_not_known_is_420(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            bench.far.request("INVITE", 1, "Require: 100rel, precondition", body=OFFER)
            assert (await bench.far.response("420")).values("Unsupported") == ["precondition"]
            session = await bench.called()
            bench.far.request("INFO", 2, "Require: gruu", to=bench.to_near(session))
            assert (await bench.far.response("420")).values("Unsupported") == ["gruu"]

    in_loop(scenario())


def test_an_invite_without_a_usable_contact_is_400(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            bench.far.request("INVITE", 1, "Contact: <tel:+491701234567>", contact=False)
            await bench.far.response("400")
            assert bench.ua.sessions == []

    in_loop(scenario())


def test_an_answer_is_repeated_while_it_rings_for_long(in_loop) -> None:
    """13.3.1.1: every minute, or a proxy may cancel."""

    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited()
            await invite.ring()
            first = await bench.far.response("180")
            bench.clock.advance(60)
            assert (await bench.far.response("180")).raw == first.raw
            bench.clock.advance(60)
            await bench.far.response("180")

    in_loop(scenario())


# -- in the dialog


def test_requests_out_of_order_are_500(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.called()
            bench.far.request("INFO", 9, to=bench.to_near(session))
            await bench.far.response("501")
            bench.far.request("INFO", 8, to=bench.to_near(session))
            await bench.far.response("500")
            bench.far.request("OPTIONS", 10, to=bench.to_near(session))
            assert "INVITE" in (await bench.far.response("200")).values("Allow")
            bench.far.request("PUBLISH", 11, to=bench.to_near(session))
            await bench.far.response("405")

    in_loop(scenario())


def test_requests_for_the_user_are_answered_by_the_user(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:

            class Messages(User):
                def requested(self, request) -> None:
                    request.respond(200, Content("text/plain", b"yes"), [("Subject", "re")])

            session = await bench.called(user=Messages())
            bench.far.request("MESSAGE", 2, to=bench.to_near(session), body=Content("text/plain", b"there?"))
            answer = await bench.far.response("200")
            assert (answer.body, answer.get("Subject")) == (b"yes", "re")

    in_loop(scenario())


def test_a_reinvite_is_accepted_by_the_user_and_moves_the_target(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            session = await bench.called(user=user)
            bench.far.request(
                "INVITE",
                2,
                "Contact: <sip:moved@127.0.0.1:5999>",
                to=bench.to_near(session),
                body=OFFER,
                contact=False,
            )
            await bench.far.nothing()
            before = session.dialog.remote_target
            bench.far.request("INVITE", 3, to=bench.to_near(session), body=OFFER)
            refused = await bench.far.response("500")  # 14.2: the one before has no answer yet
            assert 0 <= int(refused.get("Retry-After") or "") <= 10
            assert session.dialog.remote_target == before
            await user.reinvites[0].accept(ANSWER)
            accepted = await bench.far.response("200")
            assert accepted.cseq.number == 2
            assert session.dialog.remote_target == "sip:moved@127.0.0.1:5999"
            bench.far.request("ACK", 2, to=bench.to_near(session))
            await user.reinvites[0].over
            assert len(user.acks) == 2

    in_loop(scenario())


def test_a_reinvite_nobody_wants_is_488_and_the_session_goes_on(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.called()
            session.user.reinvited = lambda session, invite: invite.reject(488)  # type: ignore[method-assign]
            branch = bench.far.request("INVITE", 2, to=bench.to_near(session), body=OFFER)
            await bench.far.response("488")
            bench.far.request("ACK", 2, to=bench.to_near(session), branch=branch)
            assert not session.has_ended()
            assert session.exchange.may_offer

    in_loop(scenario())


def test_bye_while_a_reinvite_waits_gets_200_and_the_reinvite_487(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            session = await bench.called(user=user)
            bench.far.request("INVITE", 2, to=bench.to_near(session), body=OFFER)
            await bench.far.nothing()
            bench.far.request("BYE", 3, to=bench.to_near(session))
            answers = {(await bench.far.response("")).status for _ in range(2)}
            assert answers == {200, 487}
            assert user.endings[0].cause is Cause.BYE

    in_loop(scenario())


def test_bye_in_the_early_dialog_ends_the_invite_too(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited()
            await invite.ring()
            ringing = await bench.far.response("180")
            bench.far.request("BYE", 2, to=ringing.get("To"))
            assert {(await bench.far.response("")).status for _ in range(2)} == {200, 487}

    in_loop(scenario())


def test_responses_of_the_wrong_class_are_the_callers_error(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited()
            with pytest.raises(UsageError, match="no provisional"):
                await invite.ring(200)
            with pytest.raises(UsageError, match="accepts nothing"):
                await invite.accept(status=180)
            with pytest.raises(UsageError, match="refuses nothing"):
                invite.reject(200)

    in_loop(scenario())


def test_the_callee_of_an_early_dialog_sends_no_bye(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited()
            with pytest.raises(UsageError, match="RFC 3261 15"):
                await invite.session.bye()

    in_loop(scenario())


@pytest.mark.parametrize(("answer", "status"), [(ANSWER, "200"), (None, "488")])
def test_update_with_an_offer_is_answered_at_once(in_loop, answer: Content | None, status: str) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User(answer)
            session = await bench.called(user=user)
            bench.far.request("UPDATE", 2, to=bench.to_near(session), body=OFFER)
            answered = await bench.far.response(status)
            assert answered.body == (ANSWER.body if answer else b"")
            assert [message.method for message in user.offers] == ["UPDATE"]
            bench.far.request("UPDATE", 3, to=bench.to_near(session))
            assert (await bench.far.response("200")).contacts

    in_loop(scenario())


def test_an_offer_while_another_is_open_is_refused(in_loop) -> None:
    """RFC 3311 5.2: the INVITE's offer is not answered yet: 500 with Retry-After."""

    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited()
            await invite.ring()
            ringing = await bench.far.response("180")
            bench.far.request("UPDATE", 2, to=ringing.get("To"), body=OFFER)
            refused = await bench.far.response("500")
            assert 0 <= int(refused.get("Retry-After") or "") <= 10

    in_loop(scenario())


def test_an_offer_in_our_2xx_is_answered_in_the_ack(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            invite = await bench.invited(body=None)
            invite.session.user = user
            session = await invite.accept(ANSWER)
            accepted = await bench.far.response("200")
            bench.far.request("UPDATE", 2, to=accepted.get("To"), body=OFFER)
            await bench.far.response("491")  # RFC 5407 3.1.5
            bench.far.request("ACK", 1, to=accepted.get("To"), body=OFFER)
            await invite.over
            assert user.acks[0].body == OFFER.body
            assert session.exchange.may_offer

    in_loop(scenario())


# -- reliable provisional responses (RFC 3262)


def test_a_reliable_183_waits_for_its_prack(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited(RELIABLE)
            ringing = asyncio.create_task(invite.ring(183, ANSWER, reliable=True))
            progress = await bench.far.response("183")
            assert "100rel" in progress.values("Require")
            accepting = asyncio.create_task(invite.accept())
            for interval in (0.5, 1.0, 2.0, 4.0, 8.0):  # doubles without bound
                bench.clock.advance(interval)
                assert (await bench.far.response("183")).raw == progress.raw
            await bench.far.nothing()  # no 2xx while the SDP is unacknowledged
            rack = f"RAck: {progress.get('RSeq')} 1 INVITE"
            bench.far.request("PRACK", 2, rack, to=progress.get("To"))
            answers = {(await bench.far.response("200")).cseq.method for _ in range(2)}
            assert answers == {"PRACK", "INVITE"}
            assert (await ringing).method == "PRACK"
            assert await accepting is invite.session
            bench.far.request("PRACK", 3, rack, to=progress.get("To"))
            await bench.far.response("481")

    in_loop(scenario())


def test_a_reliable_response_without_prack_ends_in_504(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            invite = await bench.invited("Require: 100rel")
            invite.session.user = user
            ringing = asyncio.create_task(invite.ring())  # must be reliable
            progress = await bench.far.response("180")
            assert progress.get("RSeq")
            bench.clock.advance(31.9)
            for _ in range(6):
                await bench.far.response("180")
            await bench.far.nothing()
            bench.clock.advance(0.1)
            await bench.far.response("504")
            assert await ringing is None
            assert user.endings[0].cause is Cause.NO_PRACK

    in_loop(scenario())


def test_an_offer_in_a_prack_is_answered_in_its_200(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited(RELIABLE)
            invite.session.user = User(ANSWER)
            ringing = asyncio.create_task(invite.ring(183, ANSWER, reliable=True))
            progress = await bench.far.response("183")
            rack = f"RAck: {progress.get('RSeq')} 1 INVITE"
            bench.far.request("PRACK", 2, rack, to=progress.get("To"), body=OFFER)
            answered = await bench.far.response("200")
            assert (answered.cseq.method, answered.body) == ("PRACK", ANSWER.body)
            assert (await ringing).body == OFFER.body

    in_loop(scenario())


def test_the_second_reliable_response_follows_the_prack_of_the_first(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited(RELIABLE)
            both = asyncio.gather(invite.ring(183, reliable=True), invite.ring(180, reliable=True))
            first = await bench.far.response("183")
            await bench.far.nothing()
            for cseq, progress in ((2, first), (3, None)):
                progress = progress or await bench.far.response("180")
                rack = f"RAck: {progress.get('RSeq')} 1 INVITE"
                bench.far.request("PRACK", cseq, rack, to=progress.get("To"))
                await bench.far.response("200")
            await both

    in_loop(scenario())


def test_a_session_that_is_held_costs_no_timer_and_no_memory_of_its_invite(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            await bench.called()
            outgoing = bench.ua.invite(bench.invitation())
            bench.far.answer(await bench.far.next("INVITE"), "200 OK", body=ANSWER)
            await bench.far.next("ACK")
            await outgoing.outcome()
            kept = [weakref.ref(outgoing), *(weakref.ref(each) for each in bench.ua.sessions)]
            del outgoing
            bench.clock.advance(64)
            await bench.far.nothing()
            bench.clock.advance(64)
            assert bench.clock.handles == []
            gc.collect()
            assert [found() is None for found in kept] == [True, False, False]

    in_loop(scenario())


def test_close_leaves_nothing_of_a_ringing_invite(in_loop) -> None:
    """session_bench asserts it: no timer, no task, no session."""

    async def scenario() -> None:
        async with session_bench() as bench:
            invite = await bench.invited(RELIABLE, "Expires: 100")
            ringing = asyncio.create_task(invite.ring(183, ANSWER, reliable=True))
            await bench.far.response("183")
            await bench.ua.close()
            assert await ringing is None
            await bench.far.response("487")

    in_loop(scenario())


def test_who_is_abandoned_by_the_network_says_nothing_more(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            confirmed, waiting = User(), User()
            session = await bench.called(user=confirmed)
            bench.far.request("INVITE", 7, body=OFFER, call_id="other")
            invite = await bench.invites.get()
            invite.session.user = waiting
            await bench.ua.abandon()
            assert [len(each.endings) for each in (confirmed, waiting)] == [1, 1]
            assert session.has_ended()
            await bench.far.nothing()  # no BYE, no 487

    in_loop(scenario())


def test_what_is_required_may_be_judged_by_the_user_agents_owner(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench(supported=("timer",), understood={"timer", "gruu"}) as bench:
            invite = await bench.invited("Require: gruu")
            await invite.accept(ANSWER)
            accepted = await bench.far.response("200")
            assert accepted.values("Supported") == ["timer"]
            bench.far.request("ACK", 1, to=accepted.get("To"), contact=False)
            bench.far.request("UPDATE", 2, "Require: gruu, 100rel", to=accepted.get("To"))
            assert (await bench.far.response("420")).values("Unsupported") == ["100rel"]

    in_loop(scenario())
