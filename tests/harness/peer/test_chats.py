"""Chats of the far party with a handset made of sockets and wire text: INVITE, MSRP, BYE, both ways."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from harness.agent.session.user import Cause
from harness.errors import NotSeen, UsageError
from harness.peer.config import FarParty
from harness.peer.journal import EventKind
from harness.peer.mt_request import Target
from harness.peer.notifications import NotificationKind
from harness.peer.received import Carrier
from harness.sip.session_headers import Reason
from tests.harness.peer.msrp_handset import (
    ICSI,
    IDS,
    SESSION,
    MsrpClient,
    accept,
    cpim,
    follow,
    imdn,
    path_of,
    sdp,
)


def test_a_chat_of_the_handset(bench: Any, invite: Any, ue: str, far: str) -> None:
    peer = bench.start()
    peer.notifications.policy(timedelta(0), timedelta(0))
    handset = bench.handset()
    accepted = invite(handset, *IDS, "Session-Expires: 1800", "Allow: INVITE,UPDATE,BYE")
    assert accepted.status == 200
    assert (accepted.header("Conversation-ID"), accepted.header("Contribution-ID")) == ("conv-7", "contrib-7")
    assert accepted.header("Session-Expires") == "1800;refresher=uac"
    assert "lr>" in accepted.header("Record-Route")
    assert "oma.cpm.session" in accepted.header("Contact")
    assert "a=setup:passive" in accepted.body
    follow(handset, accepted, "ACK", 1)
    chat = bench.call(peer.chats.wait_session(timeout=5))
    assert chat.conversation_id == "conv-7"

    msrp = MsrpClient("msrp://127.0.0.1:9/ue1;tcp", path_of(accepted))
    assert msrp.send() == "MSRP uesend1 200 OK"
    assert msrp.send(cpim("hi there", ue, far)) == "MSRP uesend2 200 OK"
    message = bench.call(peer.chats.wait_message("hi there", timeout=5))
    assert (message.message_id, message.sender, message.recipient) == ("mid-1", ue, far)
    for kind in ("delivered", "displayed"):
        notification = msrp.read()
        assert "Content-Type: message/imdn+xml" in notification
        assert f"<{kind}/>" in notification
        assert "<message-id>mid-1</message-id>" in notification
        msrp.answer(notification)

    sending = bench.begin(peer.chats.send_text(chat, "and hello to you"))
    text = msrp.read()
    assert "and hello to you" in text
    assert f"To-Path: {msrp.own}" in text
    msrp.answer(text)
    sent = sending()
    assert sent.status == 200
    assert msrp.send(imdn("delivered", sent.message_id, ue, far)) == "MSRP uesend3 200 OK"
    seen = bench.call(peer.notifications.wait_notification(sent.message_id, "delivered", timeout=5))
    assert (seen.carrier, seen.sender, seen.recipient) == (Carrier.MSRP, ue, far)
    assert [each.carrier for each in peer.notifications.sent] == [Carrier.MSRP] * 2

    follow(handset, accepted, "UPDATE", 2, "Supported: timer", "Session-Expires: 1800;refresher=uac")
    assert handset.receive().header("Session-Expires") == "1800;refresher=uac"
    follow(handset, accepted, "BYE", 3)
    assert handset.receive().status == 200
    bench.call(peer.wait_event(lambda event: event.kind is EventKind.SESSION_ENDED, 5))
    assert (chat.ending.cause, chat.ending.by_us) == (Cause.BYE, False)
    assert msrp.socket.recv(1) == b""  # no session uses the connection any more
    msrp.close()
    follow(handset, accepted, "INFO", 4)
    assert handset.receive().status == 481


@pytest.fixture
def chat_of(bench: Any, invite: Any) -> Callable[[], MsrpClient]:
    """The MSRP side of a chat a handset began."""

    def begin() -> MsrpClient:
        handset = bench.handset()
        accepted = invite(handset, *IDS)
        follow(handset, accepted, "ACK", 1)
        return MsrpClient("msrp://127.0.0.1:9/ue1;tcp", path_of(accepted))

    return begin


def test_compressed_messages_are_read(bench: Any, chat_of: Any, ue: str, far: str) -> None:
    peer = bench.start()
    msrp = chat_of()
    plain = cpim("hi there", ue, far, "display")
    assert msrp.send(zlib.compress(plain.encode()), "Content-Encoding: deflate") == "MSRP uesend1 200 OK"
    bench.call(peer.chats.wait_message("hi there", timeout=5))
    inner = plain.replace("Content-Type: text/plain", "Content-Encoding: deflate\r\nContent-Type: text/plain")
    head = re.sub("Content-Length.*\r\n", "", inner.removesuffix("hi there")).encode()
    assert msrp.send(head + zlib.compress(b"and again")) == "MSRP uesend2 200 OK"
    bench.call(peer.chats.wait_message("and again", timeout=5))
    assert msrp.send(zlib.compress(bytes(5_000_000)), "Content-Encoding: deflate") == "MSRP uesend3 200 OK"
    received = EventKind.MESSAGE_RECEIVED
    bomb = bench.call(peer.wait_event(lambda event: event.kind is received and event.subject.fault, 5))
    assert "more than 1048576 octets" in bomb.subject.fault
    msrp.close()


def test_a_message_above_the_limit_is_stopped(bench: Any, chat_of: Any) -> None:
    bench.start()
    msrp = chat_of()
    assert msrp.send(b"x" * ((1 << 20) + 1)) == "MSRP uesend1 413 Stop Sending"
    msrp.close()


def test_a_chat_the_far_party_gives_up(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    target = Target.of(peer.registrar.binding_of(ue))
    chat = bench.call(peer.chats.invite(target, wait=False))
    asked = handset.receive()
    handset.answer(asked, "180 Ringing", f"Contact: <{handset.contact}>")
    ending = bench.begin(peer.chats.cancel(chat, Reason("SIP", 200, "Call completed elsewhere")))
    cancel = handset.receive()
    assert cancel.start == f"CANCEL {handset.contact} SIP/2.0"
    assert cancel.header("Via") == asked.header("Via")
    handset.answer(cancel)
    handset.answer(asked, "487 Request Terminated")
    assert handset.receive().start.startswith("ACK ")
    assert ending() is chat
    assert (chat.status, chat.accepted) == (487, False)


def test_a_chat_of_the_far_party(bench: Any, ue: str) -> None:
    peer = bench.start(hops=1)
    handset = bench.handset()
    handset.register()
    target = Target.of(peer.registrar.binding_of(ue))
    inviting = bench.begin(peer.chats.invite(target))
    asked = handset.receive()
    assert asked.start == f"INVITE {handset.contact} SIP/2.0"
    assert len(asked.all("Via")) == 2
    assert asked.header("P-Asserted-Service") == SESSION
    assert asked.header("P-Called-Party-ID") == f"<{target.identity}>"
    assert "oma.cpm.session" in asked.header("Accept-Contact")
    assert "a=setup:actpass" in asked.body
    own = f"Contact: <{handset.contact}>"
    handset.answer(asked, "180 Ringing", own)
    answer = sdp("msrp://127.0.0.1:9/ue2;tcp", "active")
    ack = accept(handset, asked, answer)
    assert ack.start == f"ACK {handset.contact} SIP/2.0"
    assert ack.header("Route") is None  # the peer is the P-CSCF itself
    chat = inviting()
    assert chat.accepted
    assert chat.status == 200

    msrp = MsrpClient("msrp://127.0.0.1:9/ue2;tcp", path_of(asked))
    sending = bench.begin(peer.chats.send_text(chat, "knock knock"))
    assert msrp.send() == "MSRP uesend1 200 OK"  # nothing comes before the handset's first SEND
    text = msrp.read()
    assert "knock knock" in text
    anonymous = "<sip:anonymous@anonymous.invalid>\r\n"
    assert f"\r\n\r\nFrom: {anonymous}To: {anonymous}DateTime: " in text
    assert "imdn.Disposition-Notification: positive-delivery, display" in text
    msrp.answer(text)
    assert sending().status == 200

    peer.chats.hidden = False
    sending = bench.begin(peer.chats.send_text(chat, "it is me"))
    text = msrp.read()
    assert f"\r\n\r\nFrom: <{chat.party.sip}>\r\nTo: <{ue}>\r\n" in text
    msrp.answer(text)
    assert sending().accepted

    ending = bench.begin(peer.chats.end(chat, Reason("SIP", 200, "Call completed")))
    bye = handset.receive()
    assert bye.start == f"BYE {handset.contact} SIP/2.0"
    assert bye.header("Reason") == 'SIP;cause=200;text="Call completed"'
    handset.answer(bye)
    assert ending().status == 200
    with pytest.raises(UsageError):
        bench.call(peer.chats.send_text(chat, "too late"))


def test_a_handset_that_declines(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    target = Target.of(peer.registrar.binding_of(ue))
    inviting = bench.begin(peer.chats.invite(target, headers={"Conversation-ID": "mine", "Subject": "x"}))
    asked = handset.receive()
    assert (asked.header("Conversation-ID"), asked.header("Subject")) == ("mine", "x")
    handset.answer(asked, "603 Decline")
    assert handset.receive().start.startswith("ACK ")
    chat = inviting()
    assert (chat.accepted, chat.status) == (False, 603)
    with pytest.raises(UsageError, match="never became"):
        bench.call(peer.chats.end(chat))


def test_a_chat_is_offered_the_address_its_sip_came_to(bench: Any, invite: Any) -> None:
    peer = bench.start(listen=(("127.0.0.1", 0), ("::1", 0)))
    assert [each.host for each in peer.addresses.msrp] == ["127.0.0.1", "::1"]
    for family, (host, shown) in enumerate((("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"))):
        accepted = invite(bench.handset(address=family), call_id=f"chat{family}")
        assert accepted.status == 200
        assert f"c=IN IP{'6' if family else '4'} {host}\r\n" in accepted.body
        assert path_of(accepted).startswith(f"msrp://{shown}:{peer.addresses.msrp[family].port}/")


def test_answers_a_test_asks_for(bench: Any, invite: Any) -> None:
    peer = bench.start()
    peer.answer_next("INVITE", 486, {"Retry-After": "5"}, reason="Not now")
    peer.answer_next("INVITE", None)
    peer.answer_next("INVITE", 200, {"Contact": None, "X-Wrong": ["a", "b"]})
    refused = invite(bench.handset(), call_id="one")
    assert refused.start == "SIP/2.0 486 Not now"
    assert refused.header("Retry-After") == "5"

    silent = bench.handset()
    silent.send(silent.request("INVITE", "sip:x@y", f"Contact: <{silent.contact}>", cseq=1, call_id="two"))
    bench.call(peer.wait_event(lambda event: event.kind is EventKind.WITHHELD, 5))
    assert silent.silence(0.3)

    changed = invite(bench.handset(), call_id="three")
    assert changed.status == 200
    assert changed.header("Contact") is None
    assert changed.all("X-Wrong") == ["a", "b"]
    peer.answer_as_usual()


@pytest.mark.parametrize(
    ("service", "body", "reason"),
    [
        (f"{ICSI}oma.cpm.systemmsg", None, "oma.cpm.systemmsg"),
        (SESSION, sdp("msrp://127.0.0.1:9/u;tcp", "active", proto="RTP/AVP"), "RTP/AVP"),
        (
            SESSION,
            sdp("msrp://127.0.0.1:9/u;tcp", "active", types="application/pdf", wrapped="a/b"),
            "application/pdf",
        ),
    ],
)
def test_what_the_peer_does_not_want_is_488(
    bench: Any, invite: Any, service: str, body: str | None, reason: str
) -> None:
    bench.start()
    refused = invite(bench.handset(), service=service, body=body)
    assert refused.status == 488
    assert reason in refused.header("Warning")


def test_it_rings_until_the_handset_gives_up(bench: Any, invite: Any, far: str) -> None:
    peer = bench.start()
    peer.invitations.answer_next(200, delay=3600)
    handset = bench.handset()
    ringing = invite(handset, branch="same")
    assert ringing.status == 180
    assert "lr>" in ringing.header("Record-Route")
    handset.send(handset.request("CANCEL", far, to=far, cseq=1, call_id="chat-1", branch="same"))
    answers = sorted((handset.receive() for _ in range(2)), key=lambda answer: answer.status)
    assert [answer.status for answer in answers] == [200, 487]
    chat = bench.call(peer.chats.wait_cancelled(timeout=5))
    assert (chat.status, chat.ending.cause) == (487, Cause.CANCELLED)
    tags = {answer.header("To").partition("tag=")[2] for answer in (*answers, ringing)}
    assert len(tags) == 1
    bench.call(asyncio.sleep(0))  # what sent the 487 has returned to the loop of the peer
    assert peer.invitations.user_agent.sessions == []
    for _ in range(3):  # nor does what waited for the time to answer
        bench.call(asyncio.sleep(0))
    assert EventKind.ANSWERED not in {event.kind for event in peer.events}


def test_the_session_timer_of_the_peer(bench: Any, invite: Any) -> None:
    bench.start(session_interval=600, session_least=300)
    refused = invite(bench.handset(), *IDS, "Session-Expires: 200", call_id="one")
    assert (refused.status, refused.header("Min-SE")) == (422, "300")
    accepted = invite(bench.handset(), *IDS, "Session-Expires: 1800", call_id="two")
    assert accepted.header("Session-Expires") == "600;refresher=uac"
    offered = invite(bench.handset(), *IDS, call_id="three")
    assert offered.header("Session-Expires") == "600;refresher=uac"


def test_a_far_party_that_is_dialled_by_no_number(bench: Any, invite: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    accepted = invite(handset, to="tel:12345;phone-context=ims.example")
    assert accepted.status == 200
    chat = bench.call(peer.chats.wait_session(timeout=5))
    assert chat.party.sip == "tel:12345;phone-context=ims.example"


def test_a_far_party_that_wants_no_chats(bench: Any, invite: Any) -> None:
    peer = bench.start()
    peer.chats.accepting = False
    assert invite(bench.handset()).status == 488
    with pytest.raises(NotSeen):
        bench.call(peer.chats.wait_session(timeout=0.01))


def test_a_cancel_that_comes_too_late_changes_nothing(bench: Any, invite: Any, far: str) -> None:
    bench.start()
    handset = bench.handset()
    accepted = invite(handset, branch="same")
    assert accepted.status == 200
    follow(handset, accepted, "ACK", 1)
    cancelled = handset.ask("CANCEL", far, to=far, cseq=1, call_id="chat-1", branch="same")
    assert (cancelled.status, cancelled.header("CSeq")) == (200, "1 CANCEL")
    follow(handset, accepted, "OPTIONS", 2)
    assert handset.receive().status == 200


def test_stopping_the_peer_ends_its_chats(bench: Any, invite: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    accepted = invite(handset)
    follow(handset, accepted, "ACK", 1)
    chat = bench.call(peer.chats.wait_session(timeout=5))
    bench.call(peer.stop())
    assert chat.ending.cause is Cause.CLOSED
    bench.call(peer.start())
    assert invite(bench.handset(), call_id="again").status == 200


def test_notifications_after_the_chat_are_messages(bench: Any, invite: Any, ue: str, far: str) -> None:
    peer = bench.start()
    peer.notifications.policy(delivered=None)
    handset = bench.handset()
    accepted = invite(handset, *IDS)
    follow(handset, accepted, "ACK", 1)
    msrp = MsrpClient("msrp://127.0.0.1:9/ue1;tcp", path_of(accepted))
    assert msrp.send(cpim("read me later", ue, far)) == "MSRP uesend1 200 OK"
    message = bench.call(peer.chats.wait_message("read me later", timeout=5))
    member = FarParty("sip:member@ims.example")
    sending = bench.begin(peer.notifications.send(message, NotificationKind.DELIVERED, sender=member))
    inside = msrp.read()
    assert "From: <sip:member@ims.example>\r\n" in inside
    msrp.answer(inside)
    assert (sending().carrier, sending().status) == (Carrier.MSRP, 200)
    follow(handset, accepted, "BYE", 2)
    assert handset.receive().status == 200
    bench.call(peer.chats.wait_ended(timeout=5))
    sending = bench.begin(peer.notifications.send(message, NotificationKind.DISPLAYED))
    late = handset.receive()
    assert late.start == f"MESSAGE {handset.contact} SIP/2.0"
    assert (late.header("Conversation-ID"), late.header("To")) == ("conv-7", f"<{ue}>")
    assert "<message-id>mid-1</message-id>" in late.body
    handset.answer(late)
    assert (sending().carrier, sending().status) == (Carrier.MESSAGE, 200)
    msrp.close()


def test_who_is_writing(bench: Any, chat_of: Any) -> None:
    peer = bench.start()
    msrp = chat_of()
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">'
        "<state>active</state><contenttype>text/plain</contenttype><refresh>60</refresh></isComposing>"
    )
    kind = "application/im-iscomposing+xml"
    assert msrp.send(document, kind=kind) == "MSRP uesend1 200 OK"
    seen = bench.call(peer.chats.wait_composing(timeout=5))
    assert (seen.composing.state, seen.composing.refresh) == ("active", 60)
    assert msrp.send("<nonsense", kind=kind) == "MSRP uesend2 200 OK"
    odd = bench.call(peer.chats.wait_composing(timeout=5, after=seen.number + 1))
    assert odd.composing is None
    msrp.close()
