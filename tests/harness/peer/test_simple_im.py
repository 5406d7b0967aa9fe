"""Chats of the far party with SIMPLE IM, in wire text: the first text in the INVITE, either way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from harness.cpm.technology import ImTechnology
from harness.peer.mt_request import Target
from harness.peer.received import Carrier
from tests.harness.peer.msrp_handset import MsrpClient, accept, cpim, follow, path_of, sdp


def test_the_first_text_of_the_handset(bench: Any, ue: str, far: str) -> None:
    peer = bench.start(im_technology=ImTechnology.SIMPLE_IM)
    peer.notifications.policy(timedelta(0), timedelta(0))
    handset = bench.handset()
    body = (
        f"--b\r\nContent-Type: application/sdp\r\n\r\n{sdp('msrp://127.0.0.1:9/ue1;tcp', 'active')}\r\n"
        f"--b\r\nContent-Type: message/cpim\r\n\r\n{cpim('knock knock', ue, far)}\r\n--b--\r\n"
    )
    accepted = handset.ask(
        "INVITE",
        far,
        f"Contact: <{handset.contact}>;+g.oma.sip-im",
        f"P-Preferred-Identity: <{ue}>",
        "Accept-Contact: *;+g.oma.sip-im",
        "Contribution-ID: contrib-7",
        "Content-Type: multipart/mixed;boundary=b",
        body=body,
        to=far,
        cseq=1,
        call_id="chat-1",
    )
    assert accepted.status == 200
    assert accepted.header("Contact").endswith(";+g.oma.sip-im")
    assert (accepted.header("Contribution-ID"), accepted.header("Conversation-ID")) == ("contrib-7", None)
    follow(handset, accepted, "ACK", 1)
    first = bench.call(peer.chats.wait_message("knock knock", timeout=5))
    assert (first.carrier, first.message_id, first.size) == (Carrier.INVITE, "mid-1", 11)

    msrp = MsrpClient("msrp://127.0.0.1:9/ue1;tcp", path_of(accepted))
    assert msrp.send() == "MSRP uesend1 200 OK"
    for kind in ("delivered", "displayed"):
        notification = msrp.read()
        assert f"<{kind}/>" in notification
        assert "<message-id>mid-1</message-id>" in notification
        msrp.answer(notification)
    msrp.close()


def test_the_first_text_of_the_far_party(bench: Any, ue: str) -> None:
    peer = bench.start(im_technology=ImTechnology.SIMPLE_IM)
    handset = bench.handset()
    handset.register()
    target = Target.of(peer.registrar.binding_of(ue))
    inviting = bench.begin(peer.chats.invite(target, first="who is there"))
    asked = handset.receive()
    assert asked.header("Accept-Contact") == "*;+g.oma.sip-im"
    assert asked.header("Contact").endswith(";+g.oma.sip-im")
    for absent in ("Conversation-ID", "P-Asserted-Service"):
        assert asked.header(absent) is None
    assert asked.header("Content-Type").startswith("multipart/mixed;boundary=")
    assert "\r\n\r\nwho is there\r\n--" in asked.body
    accept(handset, asked, sdp("msrp://127.0.0.1:9/ue2;tcp", "active"))
    chat = inviting()
    assert chat.first.text == "who is there"
    assert f"imdn.Message-ID: {chat.first.message_id}\r\n" in asked.body

    refreshing = bench.begin(chat.refresh("INVITE"))
    again = handset.receive()
    assert again.header("Content-Type") == "application/sdp"  # it is not said twice
    handset.answer(again, "488 Not Acceptable Here")
    handset.receive()
    assert refreshing().status == 488
