"""Sessions we begin: RFC 3261 13.2, 9.1, 15; RFC 3262 4; forks, CANCEL, challenges, refusals."""

from __future__ import annotations

import asyncio

import pytest

from harness.agent.failures import TransactionTimeout
from harness.agent.session.outgoing import FixedWay
from harness.agent.session.user import Cause, Content
from harness.agent.sip.agent import Hop
from harness.agent.sip.transport import Arrival
from harness.errors import UsageError
from harness.evidence.timeline import Transport
from harness.sip.dialog import DialogState
from harness.sip.headers import Credentials
from harness.sip.message import Request, Response, parse_message
from harness.sip.session_headers import Reason
from tests.harness.agent.session_bench import ANSWER, OFFER, User, session_bench


def reliable(number: int) -> tuple[str, str]:
    return "Require: 100rel", f"RSeq: {number}"


def test_invite_180_200_ack_bye(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench(headers=(("User-Agent", "rcslab"),)) as bench:
            user = User()
            outgoing = bench.ua.invite(bench.invitation(headers=(("Subject", "hello"),)), user=user)
            invite = await bench.far.next("INVITE")
            assert (invite.cseq.number, invite.max_forwards, invite.body) == (1, 70, OFFER.body)
            assert "UPDATE" in invite.values("Allow")
            assert invite.values("Supported") == ["100rel", "timer"]
            assert (invite.get("Subject"), invite.get("User-Agent")) == ("hello", "rcslab")

            bench.far.answer(invite, "100 Trying", tag="")
            bench.far.answer(invite, "180 Ringing")
            bench.far.answer(invite, "200 OK", "Record-Route: <sip:127.0.0.1;lr>", body=ANSWER)
            session = (await outgoing.outcome()).session
            assert session is not None
            assert session.dialog.state is DialogState.CONFIRMED
            assert session.dialog.route_set == ("sip:127.0.0.1;lr",)
            assert [response.status for response in user.progress] == [180]
            assert session.exchange.established

    in_loop(scenario())


def test_the_ack_goes_to_the_contact_and_comes_again_with_each_2xx(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            outgoing = bench.ua.invite(bench.invitation())
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "200 OK", body=ANSWER)
            ack = await bench.far.next("ACK")
            assert (ack.uri, ack.cseq.number, ack.to.tag) == (f"sip:far@{bench.far.address}", 1, "far")
            assert ack.via.branch != invite.via.branch
            session = (await outgoing.outcome()).session
            for _ in range(2):
                bench.far.answer(invite, "200 OK", body=ANSWER)
                assert (await bench.far.next("ACK")).raw == ack.raw
            hanging_up = asyncio.create_task(session.bye(Reason("SIP", 200, "Done")))
            bye = await bench.far.next("BYE")
            assert (bye.cseq.number, bye.get("Reason")) == (2, 'SIP;cause=200;text="Done"')
            bench.far.answer(bye, "200 OK")
            assert (await hanging_up).status == 200
            bench.far.answer(invite, "200 OK", body=ANSWER)  # even now
            assert (await bench.far.next("ACK")).raw == ack.raw

    in_loop(scenario())


def test_the_user_is_told_of_each_answer_to_an_offer_of_ours_once(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            outgoing = bench.ua.invite(bench.invitation(), user=user)
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "183 Session Progress", *reliable(1), body=ANSWER)
            bench.far.answer(await bench.far.next("PRACK"), "200 OK")
            bench.far.answer(invite, "200 OK", body=ANSWER)  # the same again, which is no second answer
            await bench.far.next("ACK")
            session = (await outgoing.outcome()).session
            assert [(each, response.status) for each, response in user.answers] == [(session, 183)]

            updating = asyncio.create_task(session.update(OFFER))
            bench.far.answer(await bench.far.next("UPDATE"), "200 OK", body=ANSWER)
            assert (await updating).status == 200
            changing = asyncio.create_task(session.reinvite(OFFER))
            bench.far.answer(await bench.far.next("INVITE"), "488 Not Acceptable Here")
            await bench.far.next("ACK")
            assert (await changing).status == 488
            assert [response.cseq.method for _, response in user.answers] == ["INVITE", "UPDATE"]

    in_loop(scenario())


@pytest.mark.parametrize("status", ["486 Busy Here", "603 Decline", "302 Moved Temporarily"])
def test_a_refusal_or_redirection_is_the_outcome(in_loop, status: str) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            outgoing = bench.ua.invite(bench.invitation(), user=user)
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "180 Ringing")
            bench.far.answer(invite, status, "Contact: <sip:elsewhere@example.net>")
            assert (await bench.far.next("ACK")).via.branch == invite.via.branch
            outcome = await outgoing.outcome()
            assert outcome.session is None
            assert outcome.response.status == int(status[:3])
            assert str(outcome.response.contacts[0].uri) == "sip:elsewhere@example.net"
            assert user.endings[0].cause is Cause.REFUSED
            assert bench.ua.sessions == []

    in_loop(scenario())


def test_nobody_answers(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            outgoing = bench.ua.invite(bench.invitation())
            await bench.far.next("INVITE")
            bench.clock.advance(32)
            outcome = await outgoing.outcome()
            assert (outcome.session, outcome.response) == (None, None)
            assert "no final response" in outcome.failure

    in_loop(scenario())


def test_a_challenge_is_answered_by_the_hook_and_the_ack_has_the_same_credentials(in_loop) -> None:
    def authorize(request: Request, response: Response) -> list[tuple[str, str]] | None:
        assert response.challenges[0].scheme == "Digest"
        assert request.method == "INVITE"
        return [("Proxy-Authorization", 'Digest username="near", response="1"')]

    async def scenario() -> None:
        async with session_bench(authorize=authorize) as bench:
            outgoing = bench.ua.invite(bench.invitation())
            first = await bench.far.next("INVITE")
            bench.far.answer(first, "407 No", 'Proxy-Authenticate: Digest realm="r", nonce="n"')
            await bench.far.next("ACK")
            second = await bench.far.next("INVITE")
            assert (second.cseq.number, second.call_id, second.from_.tag) == (2, first.call_id, "near")
            assert second.via.branch != first.via.branch
            assert isinstance(second.credentials[0], Credentials)
            bench.far.answer(second, "200 OK", body=ANSWER)
            ack = await bench.far.next("ACK")
            assert ack.cseq.number == 2
            assert ack.get("Proxy-Authorization") == second.get("Proxy-Authorization")
            assert (await outgoing.outcome()).session

    in_loop(scenario())


def test_a_challenge_nobody_can_answer_is_the_outcome(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench(authorize=lambda request, response: None) as bench:
            outgoing = bench.ua.invite(bench.invitation())
            bench.far.answer(await bench.far.next("INVITE"), "401 Unauthorized")
            await bench.far.next("ACK")
            assert (await outgoing.outcome()).response.status == 401

    in_loop(scenario())


# -- forks


def test_each_fork_has_its_early_dialog_and_only_the_first_2xx_is_kept(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            outgoing = bench.ua.invite(bench.invitation(), user=user)
            invite = await bench.far.next("INVITE")
            for fork in ("one", "two", "three"):
                bench.far.answer(invite, "183 Session Progress", tag=fork)
            await bench.far.nothing()
            assert [session.dialog.id.remote_tag for session in bench.ua.sessions] == ["one", "two", "three"]

            bench.far.answer(invite, "200 OK", tag="two", body=ANSWER)
            assert (await bench.far.next("ACK")).to.tag == "two"
            session = (await outgoing.outcome()).session
            assert session.dialog.id.remote_tag == "two"

            bench.far.answer(invite, "200 OK", tag="one", body=ANSWER)  # it was quick, too
            assert (await bench.far.next("ACK")).to.tag == "one"
            bye = await bench.far.next("BYE")
            assert (bye.to.tag, bye.cseq.number) == ("one", 2)
            bench.far.answer(bye, "200 OK")
            bench.far.answer(invite, "200 OK", tag="four", body=ANSWER)  # one that never rang
            assert (await bench.far.next("ACK")).to.tag == "four"
            bench.far.answer(await bench.far.next("BYE"), "200 OK")
            bench.far.answer(invite, "200 OK", tag="one", body=ANSWER)  # its ACK was lost
            assert (await bench.far.next("ACK")).to.tag == "one"
            await bench.far.nothing()

            bench.clock.advance(32)  # 13.2.2.4: fork three will not answer any more
            assert [each.dialog.id.remote_tag for each in bench.ua.sessions] == ["two"]
            assert [each.cause for each in user.endings] == [Cause.FORK] * 3
            assert not session.has_ended()

    in_loop(scenario())


def test_two_2xx_at_once_are_told_apart(in_loop) -> None:
    """Both are read before anybody who waits can run; the second is the other fork, not a repeat."""

    async def scenario() -> None:
        async with session_bench() as bench:
            outgoing = bench.ua.invite(bench.invitation())
            invite = await bench.far.next("INVITE")
            way = Arrival(Transport.UDP, bench.far.address, bench.far.near, None, None)
            for tag in ("one", "one", "two"):
                octets = bench.far.written(invite, "200 OK", tag=tag, body=ANSWER)
                bench.agent.received(parse_message(octets), way)
            assert (await outgoing.outcome()).session.dialog.id.remote_tag == "one"
            found = [await bench.far.next("") for _ in range(4)]
            assert sorted((message.method, message.to.tag) for message in found) == [
                ("ACK", "one"),
                ("ACK", "one"),
                ("ACK", "two"),
                ("BYE", "two"),
            ]
            bench.far.answer(next(each for each in found if each.method == "BYE"), "200 OK")
            await bench.far.nothing()

    in_loop(scenario())


def test_199_ends_one_early_dialog(in_loop) -> None:
    """RFC 6228."""

    async def scenario() -> None:
        async with session_bench() as bench:
            bench.ua.invite(bench.invitation())
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "183 Session Progress", tag="one")
            bench.far.answer(invite, "183 Session Progress", tag="two")
            bench.far.answer(invite, "199 Early Dialog Terminated", tag="one")
            await bench.far.nothing()
            assert [each.dialog.id.remote_tag for each in bench.ua.sessions] == ["two"]

    in_loop(scenario())


def test_a_peer_of_rfc_2543_answers_without_a_tag(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            outgoing = bench.ua.invite(bench.invitation())
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "200 OK", tag="", body=ANSWER)
            assert (await bench.far.next("ACK")).to.tag is None
            session = (await outgoing.outcome()).session
            bench.far.request(
                "BYE", 1, to=session.dialog.local, from_=session.dialog.remote, call_id="call-2"
            )
            await bench.far.response("200")
            assert session.has_ended()

    in_loop(scenario())


# -- CANCEL


def test_cancel_waits_for_a_provisional_response(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            outgoing = bench.ua.invite(
                bench.invitation(headers=(("Route", f"<sip:{bench.far.address};lr>"),))
            )
            invite = await bench.far.next("INVITE")
            outgoing.cancel(Reason("SIP", 200, "Call completed elsewhere"))
            outgoing.cancel()
            await bench.far.nothing()
            bench.far.answer(invite, "180 Ringing")
            cancel = await bench.far.next("CANCEL")
            assert (cancel.uri, cancel.call_id, cancel.get("To")) == (
                invite.uri,
                invite.call_id,
                invite.get("To"),
            )
            assert cancel.values("Via") == invite.values("Via")
            assert cancel.values("Route") == invite.values("Route")
            assert (str(cancel.cseq), "Require" in cancel) == ("1 CANCEL", False)
            assert cancel.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
            bench.far.answer(invite, "180 Ringing")
            bench.far.answer(cancel, "200 OK")
            bench.far.answer(invite, "487 Request Terminated")
            await bench.far.next("ACK")
            assert (await outgoing.outcome()).response.status == 487
            await bench.far.nothing()
            assert bench.notes == []

    in_loop(scenario())


def test_a_2xx_that_crosses_the_cancel_is_acknowledged_and_ended(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            outgoing = bench.ua.invite(bench.invitation(), user=user)
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "180 Ringing")
            await bench.far.nothing()
            outgoing.cancel()
            cancel = await bench.far.next("CANCEL")
            bench.far.answer(invite, "200 OK", body=ANSWER)
            await bench.far.next("ACK")
            bye = await bench.far.next("BYE")
            bench.far.answer(cancel, "200 OK")
            bench.far.answer(bye, "200 OK")
            outcome = await outgoing.outcome()
            assert (outcome.session, outcome.response.status) == (None, 200)
            assert "crossed" in outcome.failure
            assert user.endings[0].cause is Cause.CANCELLED

    in_loop(scenario())


def test_a_cancelled_invite_that_is_never_answered_is_given_up(in_loop) -> None:
    """9.1: RFC 2543 servers send no 487."""

    async def scenario() -> None:
        async with session_bench() as bench:
            outgoing = bench.ua.invite(bench.invitation())
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "180 Ringing")
            await bench.far.nothing()
            outgoing.cancel()
            bench.far.answer(await bench.far.next("CANCEL"), "200 OK")
            await bench.far.nothing()
            bench.clock.advance(32)
            outcome = await outgoing.outcome()
            assert "after the CANCEL" in outcome.failure
            assert bench.ua.sessions == []

    in_loop(scenario())


def test_an_invite_whose_expires_has_passed_is_cancelled(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            outgoing = bench.ua.invite(bench.invitation(headers=(("Expires", "30"),)))
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "180 Ringing")
            await bench.far.nothing()
            bench.clock.advance(30)
            bench.far.answer(await bench.far.next("CANCEL"), "200 OK")
            bench.far.answer(invite, "487 Request Terminated")
            await bench.far.next("ACK")
            assert (await outgoing.outcome()).response.status == 487

    in_loop(scenario())


# -- reliable provisional responses


def test_reliable_responses_are_acknowledged_in_order_and_once(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            outgoing = bench.ua.invite(bench.invitation(), user=user)
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "183 Session Progress", *reliable(4711), body=ANSWER)
            prack = await bench.far.next("PRACK")
            assert (prack.get("RAck"), prack.cseq.number, prack.to.tag) == ("4711 1 INVITE", 2, "far")
            bench.far.answer(prack, "200 OK")
            bench.far.answer(invite, "183 Session Progress", *reliable(4711), body=ANSWER)
            bench.far.answer(invite, "180 Ringing", *reliable(4713))
            await bench.far.nothing()
            bench.far.answer(invite, "180 Ringing", *reliable(4712))
            prack = await bench.far.next("PRACK")
            assert (prack.get("RAck"), prack.cseq.number) == ("4712 1 INVITE", 3)
            bench.far.answer(prack, "200 OK")
            assert [response.status for response in user.progress] == [183, 180]
            bench.far.answer(invite, "200 OK")
            await bench.far.next("ACK")
            session = (await outgoing.outcome()).session
            assert session.exchange.established

    in_loop(scenario())


def test_an_offer_in_a_reliable_response_is_answered_in_its_prack(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User(ANSWER)
            bench.ua.invite(bench.invitation(content=None), user=user)
            invite = await bench.far.next("INVITE")
            assert invite.body == b""
            bench.far.answer(invite, "183 Session Progress", *reliable(1), body=OFFER)
            prack = await bench.far.next("PRACK")
            assert (prack.body, prack.get("Content-Type")) == (ANSWER.body, "application/sdp")
            bench.far.answer(prack, "200 OK")
            bench.far.answer(invite, "200 OK")
            assert (await bench.far.next("ACK")).body == b""

    in_loop(scenario())


def test_a_prack_without_an_answer_does_not_end_the_call(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            bench.ua.invite(bench.invitation())
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "183 Session Progress", *reliable(1), body=ANSWER)
            await bench.far.next("PRACK")
            bench.clock.advance(32)
            for _ in range(10):
                await bench.far.next("PRACK")
            await bench.far.nothing()
            assert not bench.ua.sessions[0].has_ended()

    in_loop(scenario())


@pytest.mark.parametrize("answer", [ANSWER, None])
def test_an_offer_in_the_2xx_is_answered_in_the_ack_or_the_session_ends(
    in_loop, answer: Content | None
) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            bench.ua.invite(bench.invitation(content=None), user=User(answer))
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "200 OK", body=OFFER)
            ack = await bench.far.next("ACK")
            assert ack.body == (answer.body if answer else b"")
            if answer is None:
                bench.far.answer(await bench.far.next("BYE"), "200 OK")
            await bench.far.nothing()

    in_loop(scenario())


def test_update_in_the_early_dialog(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            user = User(ANSWER)
            outgoing = bench.ua.invite(bench.invitation(), user=user)
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "183 Session Progress", *reliable(1), body=ANSWER)
            bench.far.answer(await bench.far.next("PRACK"), "200 OK")
            await bench.far.nothing()
            early = bench.ua.sessions[0]
            updating = asyncio.create_task(early.update(OFFER))
            update = await bench.far.next("UPDATE")
            assert (update.cseq.number, update.body) == (3, OFFER.body)
            with pytest.raises(UsageError, match="RFC 3311"):
                await early.request("INFO", OFFER)
            bench.far.request(
                "UPDATE", 1, to=early.dialog.local, from_=early.dialog.remote, call_id="call-2", body=OFFER
            )
            await bench.far.response("491")  # ours is not answered yet
            bench.far.answer(update, "200 OK", body=ANSWER)
            assert (await updating).status == 200
            bench.far.answer(invite, "200 OK")
            ack = await bench.far.next("ACK")
            assert ack.cseq.number == 1
            assert (await outgoing.outcome()).session is early

    in_loop(scenario())


# -- in the dialog


def test_requests_in_the_dialog_answer_challenges_too_but_not_for_ever(in_loop) -> None:
    asked: list[str] = []

    def authorize(request: Request, response: Response) -> list[tuple[str, str]] | None:
        asked.append(request.method)
        return [("Authorization", f'Digest nonce="{len(asked)}"')]

    async def scenario() -> None:
        async with session_bench(authorize=authorize) as bench:
            session = await bench.calling()
            updating = asyncio.create_task(session.update())
            first = await bench.far.next("UPDATE")
            bench.far.answer(first, "401 No", 'WWW-Authenticate: Digest realm="r", nonce="n"')
            second = await bench.far.next("UPDATE")
            assert (second.cseq.number, second.get("Authorization")) == (3, 'Digest nonce="1"')
            bench.far.answer(second, "200 OK")
            assert (await updating).status == 200
            hanging_up = asyncio.create_task(session.bye())
            for _ in range(4):
                bench.far.answer(await bench.far.next("BYE"), "401 No")
            assert (await hanging_up).status == 401
            await bench.far.nothing()
            assert asked == ["UPDATE", "BYE", "BYE", "BYE", "BYE"]

    in_loop(scenario())


@pytest.mark.parametrize(("status", "byes"), [("481 Gone", True), ("408 Late", True), ("404 No", False)])
def test_what_a_refusal_in_the_dialog_does_to_the_session(in_loop, status: str, byes: bool) -> None:
    """RFC 3261 12.2.1.2, RFC 5057 5.1."""

    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            session = await bench.calling(user=user)
            asking = asyncio.create_task(session.request("INFO", Content("text/plain", b"x")))
            bench.far.answer(await bench.far.next("INFO"), status)
            assert (await asking).status == int(status[:3])
            if byes:
                bench.far.answer(await bench.far.next("BYE"), "481 Gone")
            await bench.far.nothing()
            assert [each.cause for each in user.endings] == [Cause.LOST]
            with pytest.raises(UsageError, match="has ended"):
                await session.request("INFO")

    in_loop(scenario())


def test_a_request_that_is_never_answered_ends_the_session(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.calling()
            asking = asyncio.create_task(session.request("INFO"))
            await bench.far.next("INFO")
            bench.clock.advance(32)
            with pytest.raises(TransactionTimeout):
                await asking
            for _ in range(10):
                await bench.far.next("INFO")
            bench.far.answer(await bench.far.next("BYE"), "200 OK")
            await bench.far.nothing()
            assert session.has_ended()

    in_loop(scenario())


def test_a_refusal_of_one_request_leaves_the_session_alone(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            session = await bench.calling()
            asking = asyncio.create_task(session.request("REFER", None, [("Refer-To", "<sip:a@b>")]))
            refer = await bench.far.next("REFER")
            assert refer.contacts
            bench.far.answer(refer, "603 Decline")
            assert (await asking).status == 603
            assert not session.has_ended()
            with pytest.raises(UsageError, match="no request of the session's user"):
                await session.request("BYE")

    in_loop(scenario())


def test_both_ends_hang_up_at_once(in_loop) -> None:
    """RFC 5407 3.2.1: each BYE gets its 200."""

    async def scenario() -> None:
        async with session_bench() as bench:
            user = User()
            session = await bench.calling(user=user)
            hanging_up = asyncio.create_task(session.bye())
            bye = await bench.far.next("BYE")
            dialog = session.dialog
            bench.far.request("INFO", 1, to=dialog.local, from_=dialog.remote, call_id="call-2")
            await bench.far.response("481")
            bench.far.request("BYE", 2, to=dialog.local, from_=dialog.remote, call_id="call-2")
            assert (await bench.far.response("200")).cseq.number == 2
            bench.far.answer(bye, "200 OK")
            await hanging_up
            assert len(user.endings) == 1
            assert bench.ua.sessions == []

    in_loop(scenario())


def test_a_contact_that_leads_nowhere_fails_what_is_sent_there_and_no_more(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            outgoing = bench.ua.invite(bench.invitation())
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "200 OK", "Contact: <sip:far@127.0.0.1;transport=pigeon>", body=ANSWER)
            session = (await outgoing.outcome()).session
            assert await session.bye() is None
            await bench.far.nothing()
            assert session.has_ended()
            assert [note.split(":")[0] for note in bench.notes] == ["ACK", "BYE"]

    in_loop(scenario())


def test_a_fixed_way_ignores_where_the_contact_points(in_loop) -> None:
    """A handset behind a translator: its Contact cannot be reached, its flow can."""

    async def scenario() -> None:
        async with session_bench() as bench:
            way = FixedWay(Hop(Transport.UDP, *bench.far.address))
            outgoing = bench.ua.invite(bench.invitation(uri="sip:far@192.0.2.99"), way)
            invite = await bench.far.next("INVITE sip:far@192.0.2.99")
            bench.far.answer(invite, "200 OK", "Contact: <sip:far@192.0.2.99>", body=ANSWER)
            await bench.far.next("ACK")
            assert (await outgoing.outcome()).session

    in_loop(scenario())


def test_hang_up_ends_everything_properly(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            await bench.calling()
            waiting = await bench.invited()
            ringing = bench.ua.invite(bench.invitation(call_id="call-3"))
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "180 Ringing")
            await bench.far.nothing()
            ending = asyncio.create_task(bench.ua.hang_up())
            found = {
                message.start_line.split()[0]: message
                for message in [await bench.far.next("") for _ in range(3)]
            }
            assert set(found) == {b"BYE", b"CANCEL", b"SIP/2.0"}
            assert found[b"SIP/2.0"].status == 487
            bench.far.answer(found[b"BYE"], "200 OK")
            bench.far.answer(found[b"CANCEL"], "200 OK")
            bench.far.answer(invite, "487 Request Terminated")
            await ending
            assert waiting.final.status == 487
            assert (await ringing.outcome()).response.status == 487
            assert bench.ua.sessions == []

    in_loop(scenario())


def test_close_tells_who_waits(in_loop) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            outgoing = bench.ua.invite(bench.invitation())
            await bench.far.next("INVITE")
            waiting = asyncio.create_task(outgoing.outcome())
            await bench.ua.close()
            assert (await waiting).failure == "the user agent was closed"

    in_loop(scenario())


def test_where_we_are_is_told_in_all_but_ack_and_cancel(in_loop) -> None:
    """RFC 7976 3: asked for as each message is made."""
    cell = [1]

    async def scenario() -> None:
        async with session_bench(location=lambda: [("P-Access-Network-Info", f"x;cell={cell[0]}")]) as bench:
            outgoing = bench.ua.invite(bench.invitation())
            invite = await bench.far.next("INVITE")
            assert invite.get("P-Access-Network-Info") == "x;cell=1"
            cell[0] = 2
            bench.far.answer(invite, "200 OK", body=ANSWER)
            assert "P-Access-Network-Info" not in await bench.far.next("ACK")
            session = (await outgoing.outcome()).session
            assert session is not None
            hanging_up = asyncio.ensure_future(session.bye())
            bye = await bench.far.next("BYE")
            assert bye.get("P-Access-Network-Info") == "x;cell=2"
            bench.far.answer(bye, "200 OK")
            await hanging_up

            given_up = bench.ua.invite(bench.invitation(call_id="call-3"))
            invite = await bench.far.next("INVITE")
            bench.far.answer(invite, "180 Ringing")
            given_up.cancel()
            cancel = await bench.far.next("CANCEL")
            assert "P-Access-Network-Info" not in cancel
            bench.far.answer(cancel, "200 OK")
            bench.far.answer(invite, "487 Request Terminated")
            await given_up.outcome()

    in_loop(scenario())
