"""Large message mode both ways with a handset of sockets and wire text: INVITE, one message, BYE, IMDNs."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from harness.agent.msrp.services import Flow
from harness.agent.session.user import Cause
from harness.bodies.file_attributes import FileDescription, FileSelector
from harness.bodies.sdp_attributes import Setup
from harness.errors import NotSeen, UsageError
from harness.evidence.timeline import Packet
from harness.msrp.session import SendOptions
from harness.peer.config import FarParty
from harness.peer.large_message import LargeMessage
from harness.peer.received import Carrier
from harness.peer.texts import Mode
from tests.harness.peer.msrp_handset import (
    IDS,
    LARGE,
    MsrpClient,
    Receiver,
    accept,
    cpim,
    follow,
    path_of,
    sdp,
)

OWN = "msrp://127.0.0.1:9/ue1;tcp"
TEXT = "".join(f"line {number} of a long text\r\n" for number in range(100))


@pytest.fixture
def large(bench: Any, invite: Any) -> Callable[..., tuple[Any, Any, MsrpClient]]:
    """A large message of the handset up to the MSRP connection: the handset, the 200, its MSRP side."""

    def begin(size: int = len(TEXT)) -> tuple[Any, Any, MsrpClient]:
        handset = bench.handset()
        handset.register()
        offer = sdp(OWN, "active", f"file-selector:size:{size}", "file-transfer-id:t1", direction="sendonly")
        accepted = invite(handset, *IDS, service=LARGE, body=offer)
        assert accepted.status == 200
        follow(handset, accepted, "ACK", 1)
        return handset, accepted, MsrpClient(OWN, path_of(accepted))

    return begin


def test_a_large_message_of_the_handset(bench: Any, large: Any, ue: str, far: str) -> None:
    peer = bench.start()
    peer.notifications.policy(timedelta(0), timedelta(0))
    handset, accepted, msrp = large()
    assert "oma.cpm.largemsg" in accepted.header("Contact")
    for row in ("recvonly", "setup:passive", f"file-selector:size:{len(TEXT)}", "file-transfer-id:t1"):
        assert f"a={row}\r\n" in accepted.body
    octets = cpim(TEXT, ue, far).encode()
    for start in range(0, len(octets), 1000):
        piece, last = octets[start : start + 1000], start + 1000 >= len(octets)
        flag = "$" if last else "+"
        status = msrp.chunk(piece, start + 1, len(octets), message=1, flag=flag)
        assert status == f"MSRP uesend{msrp.count} 200 OK"
    message = bench.call(peer.large_messages.wait_message(TEXT, timeout=5))
    assert (message.carrier, message.sender, message.recipient) == (Carrier.MSRP, ue, far)
    assert (message.message_id, message.conversation_id, message.size) == ("mid-1", "conv-7", len(TEXT))
    for kind in ("delivered", "displayed"):
        notification = handset.receive()
        assert notification.start.startswith("MESSAGE ")
        assert notification.header("Conversation-ID") == "conv-7"
        assert notification.header("Contribution-ID") != "contrib-7"
        assert notification.header("P-Asserted-Service").endswith("oma.cpm.msg")
        assert f"<{kind}/>" in notification.body
        assert "<message-id>mid-1</message-id>" in notification.body
        handset.answer(notification)
    follow(handset, accepted, "BYE", 2)
    assert handset.receive().status == 200
    session = bench.call(peer.large_messages.wait_ended(timeout=5))
    assert (session.flow, session.ending.cause) == (Flow.LARGE, Cause.BYE)
    assert session.received == [message]
    last_answer, first_imdn = (
        next(each.number for each in bench.timeline if isinstance(each, Packet) and mark in each.data)
        for mark in (f"uesend{msrp.count} 200".encode(), b"Content-Type: message/imdn+xml")
    )
    assert last_answer < first_imdn
    msrp.close()


def test_a_large_message_the_handset_breaks_off(bench: Any, large: Any, ue: str, far: str) -> None:
    peer = bench.start()
    handset, accepted, msrp = large()
    octets = cpim(TEXT, ue, far).encode()
    assert msrp.chunk(octets[:1000], 1, len(octets), message=1, flag="+") == "MSRP uesend1 200 OK"
    assert msrp.chunk(octets[1000:1500], 1001, len(octets), message=1, flag="#") == "MSRP uesend2 200 OK"
    session = bench.call(peer.large_messages.wait_lost(timeout=5))
    follow(handset, accepted, "BYE", 2)
    assert handset.receive().status == 200
    assert bench.call(peer.large_messages.wait_ended(session, timeout=5)).received == []
    assert peer.notifications.sent == []
    msrp.close()


def test_messages_the_far_party_refuses(bench: Any, large: Any, ue: str, far: str) -> None:
    peer = bench.start()
    peer.large_messages.answer_next_message(413)
    peer.large_messages.answer_next_message(403)
    _, _, msrp = large()
    octets = cpim(TEXT, ue, far).encode()
    assert msrp.chunk(octets[:1000], 1, len(octets), message=1, flag="+") == "MSRP uesend1 413 Stop Sending"
    assert msrp.chunk(octets[1000:], 1001, len(octets), message=1) == "MSRP uesend2 413 Stop Sending"
    assert msrp.send(octets).startswith("MSRP uesend3 403")
    assert msrp.send(b"bare", kind="text/plain").startswith("MSRP uesend4 415")
    assert peer.large_messages.sessions[0].received == []
    msrp.close()


def test_a_message_none_of_whose_chunks_is_answered(bench: Any, large: Any, ue: str, far: str) -> None:
    peer = bench.start()
    peer.large_messages.answer_next_message(None)
    _, _, msrp = large()
    octets = cpim(TEXT, ue, far).encode()
    msrp.post(octets[:1000], 1, len(octets), message=1, flag="+")
    msrp.post(octets[1000:], 1001, len(octets), message=1)
    assert bench.call(peer.large_messages.wait_message(TEXT, timeout=5)).message_id == "mid-1"
    assert msrp.chunk(octets, 1, len(octets), message=2) == "MSRP uesend3 200 OK"
    peer.large_messages.answer_next_message(413)
    peer.answer_as_usual()
    assert msrp.chunk(octets, 1, len(octets), message=3).endswith(" 200 OK")
    msrp.close()


def test_the_size_an_invitation_tells(bench: Any, large: Any) -> None:
    peer = bench.start()
    _, _, msrp = large(2600)
    session = bench.call(peer.large_messages.wait_session(timeout=5))
    assert (session.announced_size, session.number) == (2600, 0)
    msrp.close()


@pytest.mark.parametrize("mode", [None, Mode.LARGE, Mode.PAGER])
def test_a_text_is_a_text_whichever_mode_brought_it(
    bench: Any, large: Any, ue: str, far: str, mode: Mode | None
) -> None:
    peer = bench.start()
    peer.notifications.policy(None, None)
    handset, _, msrp = large()
    assert msrp.send(cpim(TEXT, ue, far).encode()).endswith("200 OK")
    mark = peer.mark()
    handset.send(handset.text("short"))
    assert handset.receive().status == 200
    if mode is not Mode.PAGER:
        assert bench.call(peer.texts.wait(TEXT, mode, timeout=5)).carrier is Carrier.MSRP
    if mode is not Mode.LARGE:
        assert bench.call(peer.texts.wait("short", mode, timeout=5)).carrier is Carrier.MESSAGE
    unwanted = {None: "never", Mode.LARGE: "short", Mode.PAGER: TEXT}[mode]
    with pytest.raises(NotSeen, match="a message "):
        bench.call(peer.texts.wait(unwanted, mode, timeout=0.05))
    if mode is None:
        assert bench.call(peer.texts.wait(timeout=5, after=mark)).text == "short"
    msrp.close()


def test_the_rest_of_a_message_is_refused(bench: Any, large: Any, ue: str, far: str) -> None:
    peer = bench.start()
    _, _, msrp = large()
    octets = cpim(TEXT, ue, far).encode()
    assert msrp.chunk(octets[:1000], 1, len(octets), message=7, flag="+") == "MSRP uesend1 200 OK"
    (session,) = peer.large_messages.sessions

    async def stop() -> None:
        session.call.handle.stop("m7")
        session.call.handle.stop("unknown")

    bench.call(stop())
    assert msrp.chunk(octets[1000:2000], 1001, len(octets), message=7) == "MSRP uesend2 413 Stop Sending"
    assert bench.call(peer.large_messages.wait_lost(timeout=5)) is session
    msrp.close()


def test_an_invite_for_a_large_message_is_refused(bench: Any, invite: Any) -> None:
    peer = bench.start()
    peer.invitations.answer_next(480, flow=Flow.LARGE)
    assert invite(bench.handset(), service=LARGE, call_id="one").status == 480
    peer.large_messages.accepting = False
    refused = invite(bench.handset(), service=LARGE, call_id="two")
    assert (refused.status, refused.header("Warning")) == (
        488,
        '399 ims.example "no session of oma.cpm.largemsg is wanted"',
    )


def test_a_session_accepted_without_its_stream(bench: Any, invite: Any) -> None:
    peer = bench.start()
    peer.invitations.answer_next(200, flow=Flow.LARGE, streams=False)
    handset = bench.handset()
    offer = sdp(OWN, "active", "file-selector:size:9", "file-transfer-id:t1", direction="sendonly")
    accepted = invite(handset, service=LARGE, body=offer)
    assert accepted.status == 200
    assert "m=message 0 TCP/MSRP *\r\n" in accepted.body
    assert "a=file-selector:size:9\r\na=file-transfer-id:t1\r\n" in accepted.body
    follow(handset, accepted, "ACK", 1)
    follow(handset, accepted, "BYE", 2)
    assert handset.receive().status == 200
    bench.call(peer.large_messages.wait_ended(timeout=5))
    assert peer.large_messages.sessions == []


def test_a_handset_that_never_connects_is_hung_up_on(bench: Any, invite: Any) -> None:
    peer = bench.start()
    peer.large_messages.connect_seconds = 0.05
    handset = bench.handset()
    accepted = invite(handset, service=LARGE)
    follow(handset, accepted, "ACK", 1)
    bye = handset.receive()
    assert bye.start.startswith("BYE ")
    assert bye.header("Reason") == 'SIP;cause=480;text="No MSRP connection"'
    handset.answer(bye)
    session = bench.call(peer.large_messages.wait_failed(timeout=5))
    assert bench.call(peer.large_messages.wait_ended(session, timeout=5)).ending.by_us


def test_a_session_that_loses_its_connection(bench: Any, large: Any) -> None:
    peer = bench.start()
    _, _, msrp = large()
    assert msrp.send() == "MSRP uesend1 200 OK"
    msrp.close()
    session = bench.call(peer.large_messages.wait_failed(timeout=5))
    assert session.ending is None


# -- to the handset


class TextReceiver(Receiver):
    """A registered handset that is sent a large message."""

    def begin(self, content: Any = TEXT, **options: Any) -> Any:
        return self.asked_by(self.bench.peer.large_messages.send_large(self.ue, content, **options))

    def accept(self, setup: str = "active") -> MsrpClient:
        return self.connect(sdp(self.own, setup, wrapped="*", direction="recvonly"))


@pytest.fixture
def receiver(bench: Any, ue: str) -> TextReceiver:
    bench.start()
    return TextReceiver(bench, ue)


def test_a_large_message_of_the_far_party(bench: Any, receiver: TextReceiver, ue: str, far: str) -> None:
    peer = bench.peer
    asked = receiver.begin(sender=far, message_id="ours-1", in_reply_to="c0", headers={"Subject": "long"})
    assert asked.header("P-Asserted-Service").endswith("oma.cpm.largemsg")
    assert "oma.cpm.largemsg" in asked.header("Accept-Contact")
    assert "oma.cpm.largemsg" in asked.header("Contact")
    assert (asked.header("InReplyTo-Contribution-ID"), asked.header("Subject")) == ("c0", "long")
    rows = asked.body.split("\r\n")
    for row in ("setup:actpass", "sendonly", "accept-types:message/cpim", "accept-wrapped-types:text/plain"):
        assert f"a={row}" in rows
    assert f"a=file-selector:size:{len(TEXT)}" in rows
    assert re.search(r"\r\na=file-transfer-id:\w{20,32}\r\n", asked.body)
    msrp = receiver.accept()
    content, heads = msrp.take()
    assert content.endswith(f"\r\n\r\n{TEXT}")
    assert "imdn.Message-ID: ours-1\r\n" in content
    assert "imdn.Disposition-Notification: positive-delivery, display\r\n" in content
    assert f"Content-Length: {len(TEXT)}\r\n" in content
    ranges = [re.search(r"Byte-Range: (\S+)", head)[1] for head in heads]
    assert ranges == [f"1-2048/{len(content)}", f"2049-{len(content)}/{len(content)}"]
    assert [head[-1] for head in heads] == ["+", "$"]
    assert len({re.search(r"Message-ID: (\S+)", head)[1] for head in heads}) == 1
    sent = receiver.bye()
    assert (sent.delivered, sent.status, sent.sent.status, sent.failure) == (True, 200, 200, "")
    receiver.handset.send(receiver.handset.imdn("delivered", "ours-1"))
    seen = bench.call(peer.notifications.wait_notification("ours-1", "delivered", timeout=5))
    assert (seen.carrier, seen.sender) == (Carrier.MESSAGE, ue)
    msrp.close()


def test_a_large_message_out_of_a_file(receiver: TextReceiver, tmp_path: Any) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(bytes(range(128)) * 30000)
    asked = receiver.begin(file, content_type="image/jpeg", options=SendOptions(chunk_octets=1 << 20))
    assert "a=accept-wrapped-types:image/jpeg\r\n" in asked.body
    assert "a=file-selector:size:3840000\r\n" in asked.body
    msrp = receiver.accept()
    content, heads = msrp.take()
    assert len(heads) == 4
    assert hashlib.sha1(content.partition("\r\n\r\n")[2].partition("\r\n\r\n")[2].encode()).digest() == (
        hashlib.sha1(file.read_bytes()).digest()
    )
    assert receiver.bye().delivered
    msrp.close()


def test_a_large_message_that_is_broken_off(receiver: TextReceiver) -> None:
    receiver.begin(cut=2500)
    msrp = receiver.accept()
    content, heads = msrp.take()
    assert (len(content), heads[-1][-1]) == (2500, "#")
    sent = receiver.bye()
    assert (sent.delivered, sent.failure) == (False, "no answer: the source ended early")
    msrp.close()


def test_a_large_message_that_goes_twice_in_its_session(receiver: TextReceiver) -> None:
    receiver.begin(times=2)
    msrp = receiver.accept()
    (first, heads), (second, more) = msrp.take(), msrp.take()
    assert first == second
    ids = {re.search(r"\nMessage-ID: (\S+)", head)[1] for head in (*heads, *more)}
    assert (len(ids), [head[-1] for head in more]) == (1, ["+", "$"])
    assert receiver.bye().delivered
    msrp.close()


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(100_000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


def test_a_large_message_that_pauses_and_goes_on(bench: Any, receiver: TextReceiver) -> None:
    receiver.begin(wait=False, options=SendOptions(pause_at=2048))
    msrp = receiver.accept()
    begun = receiver.result()
    msrp.answer(msrp.read())
    bench.call(until(lambda: begun.paused))
    finishing = bench.begin(bench.peer.large_messages.finish(begun))
    msrp.take()
    bye = receiver.handset.receive()
    assert bye.start.startswith("BYE ")
    receiver.handset.answer(bye)
    assert finishing().delivered
    msrp.close()


def test_a_large_message_that_pauses_when_the_handset_goes(bench: Any, receiver: TextReceiver) -> None:
    receiver.begin(wait=False, options=SendOptions(pause_at=2048))
    msrp = receiver.accept()
    begun = receiver.result()
    msrp.answer(msrp.read())
    bench.call(until(lambda: begun.paused))
    msrp.close()
    bench.call(bench.peer.large_messages.wait_failed(timeout=5))
    left = bench.call(bench.peer.large_messages.finish(begun))
    assert (left.delivered, left.failure.partition(":")[0]) == (False, "no answer")
    with pytest.raises(UsageError, match="nothing left to be sent"):
        whole = bench.peer.large_messages
        bench.call(whole.finish(LargeMessage(Flow.LARGE, "h", FarParty("sip:f@x"), "c", "t", begun.local)))


@pytest.mark.parametrize("status", ["413 Stop Sending", "403 Forbidden"])
def test_a_handset_that_takes_no_more(receiver: TextReceiver, status: str) -> None:
    receiver.begin(TEXT * 10, options=SendOptions(chunk_octets=1000))
    msrp = receiver.accept()
    first = msrp.read()
    msrp.answer(first, status)
    sent = receiver.bye()
    assert (sent.delivered, sent.failure) == (False, status.replace(" ", ": ", 1))
    msrp.close()


@pytest.mark.parametrize("status", ["480 Temporarily Unavailable", "488 Not Acceptable Here", "603 Decline"])
def test_a_handset_that_refuses_a_large_message(receiver: TextReceiver, status: str) -> None:
    asked = receiver.begin()
    receiver.handset.answer(asked, status)
    assert receiver.handset.receive().start.startswith("ACK ")
    sent = receiver.result()
    assert (sent.accepted, sent.delivered, sent.status, sent.sent) == (False, False, int(status[:3]), None)


def test_a_handset_that_declines_the_stream(receiver: TextReceiver) -> None:
    asked = receiver.begin()
    answer = sdp("msrp://127.0.0.1:9/u;tcp", "active").replace("m=message 9 ", "m=message 0 ")
    assert accept(receiver.handset, asked, answer).start.startswith("ACK ")
    sent = receiver.bye()
    assert (sent.status, sent.delivered, sent.sent) == (200, False, None)
    assert "declined (RFC 3264 6)" in sent.failure


def test_a_handset_that_accepts_and_never_connects(bench: Any, receiver: TextReceiver) -> None:
    bench.peer.large_messages.connect_seconds = 0.05
    asked = receiver.begin()
    answer = sdp("msrp://127.0.0.1:9/u;tcp", "active", direction="recvonly")
    assert accept(receiver.handset, asked, answer).start.startswith("ACK ")
    sent = receiver.bye()
    assert "was expected to connect within 0.05 s" in sent.failure


def test_an_offer_wrong_on_purpose(receiver: TextReceiver) -> None:
    lie = FileDescription(FileSelector(size=5), transfer_id="t9")
    asked = receiver.begin(
        setup=Setup.PASSIVE,
        strict=False,
        alter=lambda terms: replace(terms, file=lie, accepts=("text/plain",)),
    )
    for row in ("a=setup:passive", "a=file-selector:size:5", "a=accept-types:text/plain"):
        assert f"{row}\r\n" in asked.body
    msrp = receiver.accept()
    assert len(msrp.take()[0]) > len(TEXT)
    assert receiver.bye().delivered
    msrp.close()


def test_nobody_to_send_a_large_message_to(bench: Any, ue: str) -> None:
    peer = bench.start()
    with pytest.raises(NotSeen, match="was expected to be registered"):
        bench.call(peer.large_messages.send_large(ue, TEXT))


def test_messages_of_two_parties_are_one_conversation(bench: Any, receiver: TextReceiver, far: str) -> None:
    bench.peer.notifications.policy(delivered=None)
    receiver.handset.send(receiver.handset.text("short"))
    assert receiver.handset.receive().status == 200
    asked = receiver.begin(sender="tel:+491709999999")
    assert asked.header("Conversation-ID") == "conv-1"
    receiver.handset.answer(asked, "486 Busy Here")
    assert receiver.handset.receive().start.startswith("ACK ")
    assert receiver.result().conversation_id == "conv-1"
    other = receiver.begin(sender="+491708888888")
    assert other.header("Conversation-ID") != "conv-1"
    receiver.handset.answer(other, "486 Busy Here")
    assert receiver.handset.receive().start.startswith("ACK ")
    receiver.result()
