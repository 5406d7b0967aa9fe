"""Chats that ring until a test answers them, and sessions refreshed by either side, in wire text."""

from __future__ import annotations

import random
from itertools import count
from typing import Any

import pytest

from harness.agent.session.user import Cause
from harness.errors import NotSeen, UsageError
from harness.peer.answers import Answer
from harness.peer.mt_request import Target
from tests.harness.peer.msrp_handset import IDS, accept, follow, sdp


@pytest.fixture
def ringing(bench: Any, invite: Any, far: str) -> tuple[Any, Any, Any, str]:
    """A chat of the handset that rings: the peer, the handset, the chat, whom it calls."""
    peer = bench.start()
    peer.invitations.ring_next()
    handset = bench.handset()
    assert invite(handset, *IDS, branch="same").status == 180
    return peer, handset, bench.call(peer.chats.wait_invited(timeout=5)), far


@pytest.mark.parametrize(
    ("answer", "status"), [(Answer(486), 486), (Answer(200), 200), (Answer(200, streams=False), 200)]
)
def test_it_rings_until_it_is_answered(bench: Any, ringing: Any, answer: Answer, status: int) -> None:
    peer, handset, chat, far = ringing
    bench.call(peer.invitations.answer(chat, answer))
    answered = handset.receive()
    assert answered.status == status
    if status == 200:
        assert ("m=message 0 " in answered.body) is not answer.streams
        follow(handset, answered, "ACK", 1)
    bench.call(peer.invitations.answer(chat, Answer(603)))
    cancel = handset.request("CANCEL", far, to=far, cseq=1, call_id="chat-1", branch="same")
    handset.send(cancel)
    assert handset.receive().header("CSeq") == "1 CANCEL"  # the second answer left nothing before that


def test_an_answer_that_crosses_a_cancel(bench: Any, invite: Any, far: str) -> None:
    peer = bench.start()
    peer.invitations.ring_next(crossing=True)
    handset = bench.handset()
    invite(handset, *IDS, branch="same")
    handset.send(handset.request("CANCEL", far, to=far, cseq=1, call_id="chat-1", branch="same"))
    answers = {answer.header("CSeq"): answer for answer in (handset.receive(), handset.receive())}
    assert {answer.status for answer in answers.values()} == {200}
    assert "m=message" in answers["1 INVITE"].body
    follow(handset, answers["1 INVITE"], "ACK", 1)
    chat = bench.call(peer.chats.wait_session(timeout=5))
    follow(handset, answers["1 INVITE"], "BYE", 2)
    assert handset.receive().status == 200
    assert bench.call(peer.chats.wait_ended(chat, timeout=5)).ending.cause is Cause.BYE


def test_only_what_the_handset_began_is_answered(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    chat = bench.call(peer.chats.invite(Target.of(peer.registrar.binding_of(ue)), wait=False))
    with pytest.raises(UsageError, match="not begun by the handset"):
        bench.call(peer.invitations.answer(chat, Answer(200)))


def test_the_handset_rings(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    chat = bench.call(peer.chats.invite(Target.of(peer.registrar.binding_of(ue)), wait=False))
    asked = handset.receive()
    handset.answer(asked, "100 Trying")
    with pytest.raises(NotSeen):
        bench.call(peer.chats.wait_ringing(timeout=0.05))
    handset.answer(asked, "180 Ringing", f"Contact: <{handset.contact}>")
    assert bench.call(peer.chats.wait_ringing(timeout=5)) is chat


def test_an_invite_given_up_when_it_was_accepted_already(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    chat = bench.call(peer.chats.invite(Target.of(peer.registrar.binding_of(ue)), wait=False))
    accept(handset, handset.receive(), sdp("msrp://127.0.0.1:9/ue2;tcp", "active"))
    ending = bench.begin(peer.chats.cancel(chat))
    bye = handset.receive()
    assert bye.start == f"BYE {handset.contact} SIP/2.0"
    handset.answer(bye)
    assert (ending().status, chat.ending.by_us) == (200, True)


def test_the_handset_refreshes(bench: Any, invite: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    accepted = invite(handset, *IDS, "Session-Expires: 1800")
    follow(handset, accepted, "ACK", 1)
    chat = bench.call(peer.chats.wait_session(timeout=5))
    with pytest.raises(NotSeen):
        bench.call(peer.chats.wait_refreshed(chat, timeout=0.05))
    before = peer.mark()
    follow(handset, accepted, "UPDATE", 2, "Supported: timer", "Session-Expires: 1800;refresher=uac")
    assert handset.receive().status == 200
    assert bench.call(peer.chats.wait_refreshed(chat, timeout=5, after=before)) is chat
    before = peer.mark()
    follow(handset, accepted, "UPDATE", 3, "Supported: timer", "Session-Expires: 30")
    assert handset.receive().status == 422
    with pytest.raises(NotSeen):
        bench.call(peer.chats.wait_refreshed(chat, timeout=0.05, after=before))


def test_the_peer_refreshes_at_once(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    inviting = bench.begin(peer.chats.invite(Target.of(peer.registrar.binding_of(ue))))
    asked = handset.receive()
    accept(handset, asked, sdp("msrp://127.0.0.1:9/ue2;tcp", "active"))
    chat = inviting()

    refreshing = bench.begin(chat.refresh("UPDATE", [("Session-Expires", "60")]))
    update = handset.receive()
    assert update.start == f"UPDATE {handset.contact} SIP/2.0"
    assert update.all("Session-Expires") == ["60"]
    handset.answer(update, "422 Session Interval Too Small", "Min-SE: 90")
    assert refreshing().status == 422  # what a test asks for is not put right

    refreshing = bench.begin(chat.refresh("INVITE"))
    again = handset.receive()
    assert again.start == f"INVITE {handset.contact} SIP/2.0"
    assert again.body == asked.body  # the same offer, the version of its o-line too (RFC 4028 7.4)
    handset.answer(again, "488 Not Acceptable Here")
    assert handset.receive().start.startswith("ACK ")
    assert refreshing().status == 488


def waits_10_ms(seed: int) -> bool:
    """Of two seconds, in steps of ten milliseconds."""
    return random.Random(seed).randint(0, 200) == 1


def test_reinvites_that_cross(bench: Any, invite: Any, ue: str) -> None:
    """RFC 3261 14.1: the peer does not own the Call-ID, and tries again within two seconds."""
    peer = bench.start()
    peer.invitations.user_agent.context.randomness.seed(next(filter(waits_10_ms, count())))
    handset = bench.handset()
    accepted = invite(handset, *IDS, "Session-Expires: 1800")
    follow(handset, accepted, "ACK", 1)
    chat = bench.call(peer.chats.wait_session(timeout=5))
    crossing = bench.call(peer.invitations.crossings.cross_next(chat))
    follow(handset, accepted, "UPDATE", 2)  # which is no re-INVITE
    assert handset.receive().status == 200
    with pytest.raises(NotSeen, match="re-INVITE of the handset"):
        bench.call(crossing.met(0.01))

    follow(handset, accepted, "INVITE", 3)
    theirs = handset.receive()
    assert theirs.start.startswith("INVITE ")
    handset.answer(theirs, "100 Trying")
    handset.answer(theirs, "491 Request Pending")
    came = {message.start.split(" ")[0]: message for message in (handset.receive(), handset.receive())}
    refused, ack = came["SIP/2.0"], came["ACK"]
    assert (refused.status, refused.header("CSeq")) == (491, "3 INVITE")
    assert ack.header("CSeq") == theirs.header("CSeq").replace("INVITE", "ACK")
    assert bench.call(crossing.met(5)).status == 491
    follow(handset, accepted, "ACK", 3)

    again = handset.receive()
    assert again.start.startswith("INVITE ")
    assert int(again.header("CSeq").split()[0]) == int(theirs.header("CSeq").split()[0]) + 1
    handset.answer(again, "488 Not Acceptable Here")
    assert handset.receive().start.startswith("ACK ")
    assert bench.call(crossing.settled(5)).status == 488

    follow(handset, accepted, "INVITE", 4)  # the next one is taken as any other
    answered = handset.receive()
    assert (answered.status, answered.header("CSeq")) == (200, "4 INVITE")


def test_an_interval_of_an_invite_is_not_put_right(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    target = Target.of(peer.registrar.binding_of(ue))
    wrong = {"Session-Expires": "60", "Content-Type": "text/html"}
    inviting = bench.begin(peer.chats.invite(target, headers=wrong))
    asked = handset.receive()
    assert (asked.all("Session-Expires"), asked.all("Content-Type")) == (["60"], ["text/html"])
    handset.answer(asked, "422 Session Interval Too Small", "Min-SE: 90")
    assert handset.receive().start.startswith("ACK ")
    assert inviting().status == 422


def test_a_body_that_is_no_offer(bench: Any, invite: Any) -> None:
    bench.start()
    refused = invite(bench.handset(), "Accept: */*", body="hello", kind="text/plain")
    assert (refused.status, refused.header("Accept")) == (415, "application/sdp")
