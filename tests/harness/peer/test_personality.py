"""Personalities of the peer: what a handset sees of them, and what the verifier finds in it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from harness.errors import UsageError
from harness.evidence.timeline import Layer
from harness.peer.personality import PERSONALITIES, personality_named
from harness.verify.engine import Verifier, VerifySettings
from harness.verify.finding import Party
from tests.harness.peer.msrp_handset import IDS, MsrpClient, cpim

ANRITSU, MAVENIR = PERSONALITIES["anritsu-rcs"], PERSONALITIES["mavenir-rms"]
# What the score card of the field traces lists for each server, by rule; only what shows on the wire here.
PAGER_OF_ANRITSU = {
    "imdn.xml.datetime-present",
    "sip.record-route.misuse",
    "sip.max-forwards.not-in-response",
    "sip.max-forwards.via-count",
    "ims.contribution-id.entropy",
    "imdn.request.message-id.entropy",
    "cpim.anonymous-mixed",
    "ims.ids.echo-in-2xx",
}
CHAT_OF_MAVENIR = {
    "imdn.xml.datetime-value",
    "msrp.tid.pattern",
    "sdp.path.session-id-entropy",
    "ims.ids.echo-in-2xx",
    "sip.allow.in-2xx",
}


def found(bench: Any, profile: str = "rcs51") -> dict[str, Any]:
    """The findings against the network, by rule."""
    own = [str(address) for address in bench.peer.addresses.all]
    bench.timeline.event(Layer.LAB, "parties", network=own)
    findings = Verifier(profile, VerifySettings()).judge(bench.timeline)
    return {each.rule: each for each in findings if each.party is Party.NETWORK}


def text_with_notifications(bench: Any) -> list[Any]:
    """A text of the handset and the two MESSAGEs that notify it."""
    bench.peer.notifications.policy(timedelta(0), timedelta(0))
    handset = bench.handset()
    handset.register()
    handset.send(handset.text())
    notified = []
    answer = handset.receive()
    for _ in range(2):
        request = handset.receive()
        handset.answer(request)
        notified.append(request)
    return [answer, *notified]


def test_the_reference_gives_none_of_the_findings(bench: Any) -> None:
    bench.start()
    text_with_notifications(bench)
    assert not (PAGER_OF_ANRITSU | CHAT_OF_MAVENIR) & found(bench).keys()


def test_anritsu_notifies_as_in_its_trace(bench: Any) -> None:
    bench.start(personality=ANRITSU)
    answer, delivered, displayed = text_with_notifications(bench)
    assert (answer.header("Max-Forwards"), answer.header("Conversation-ID")) == ("70", None)
    assert answer.header("Server") == "Anritsu-RCS-serv/OMA1.0"
    for notification in (delivered, displayed):
        assert notification.header("Max-Forwards") == "68"
        assert len(notification.all("Via")) == 2
        assert (notification.header("Record-Route") or "").startswith("<sip:127.0.0.1:")
        assert re.fullmatch("[0-9a-f]{10}", notification.header("Contribution-ID") or "")
        assert "<datetime>" not in notification.body
        assert re.search(r"imdn\.Message-ID: [0-9a-f]{10}\r\n", notification.body)
    assert "From: <sip:anonymous@anonymous.invalid>" in delivered.body
    assert "From: <sip:anonymous@anonymous.invalid>" not in displayed.body


@pytest.mark.parametrize("profile", ["rcs51", "ietf"])
def test_the_verifier_finds_what_the_traces_of_anritsu_show(bench: Any, profile: str) -> None:
    bench.start(personality=ANRITSU)
    text_with_notifications(bench)
    findings = found(bench, profile)
    assert findings.keys() >= PAGER_OF_ANRITSU
    assert findings["imdn.xml.datetime-present"].fails


def test_anritsu_begins_a_chat_as_the_passive_side(bench: Any, ue: str) -> None:
    peer = bench.start(personality=ANRITSU)
    handset = bench.handset(stream=True)
    handset.register()
    target = peer.pager.target(ue)
    begun = bench.begin(peer.chats.invite(target))
    request = handset.receive()
    assert request.start.startswith("INVITE")
    missing = ("P-Asserted-Identity", "Allow", "Supported", "Session-Expires", "Min-SE")
    assert [request.header(name) for name in missing] == [None] * 5
    assert request.header("Require") is None  # that is of its file transfers
    assert "a=setup:passive\r\n" in request.body
    assert re.search(r"a=path:msrp://127\.0\.0\.1:\d+/[0-9a-f]{10};tcp\r\n", request.body)
    handset.answer(request, "486 Busy Here")
    begun()


def test_mavenir_chats_as_in_its_trace(bench: Any, invite: Any, ue: str, far: str) -> None:
    peer = bench.start(personality=MAVENIR)
    peer.notifications.policy(timedelta(0), timedelta(0))
    handset = bench.handset()
    answer = invite(handset, *IDS)
    while answer.status < 200:
        answer = handset.receive()
    assert (answer.header("Conversation-ID"), answer.header("Allow")) == (None, None)
    path = re.search(r"a=path:(\S+)", answer.body)
    assert path is not None and re.search(r"/[a-z0-9]{10}\+42;tcp$", path[1])
    tag = re.search(r"tag=(\S+)", answer.header("To") or "")
    assert tag is not None
    handset.send(
        handset.request("ACK", far, to=f"<{far}>;tag={tag[1]}", cseq=1, call_id="chat-1", branch="ack1")
    )
    msrp = MsrpClient("msrp://127.0.0.1:9/ue1;tcp", path[1])
    try:
        msrp.send()
        assert msrp.send(cpim("hi", ue, far)).endswith("200 OK")
        documents = [msrp.take() for _ in range(2)]
    finally:
        msrp.close()
    tids = [head.split(" ")[1] for _, heads in documents for head in heads]
    numbers = [int(tid.rpartition("+")[2]) for tid in tids]
    assert numbers == sorted(numbers) and numbers[0] >= 94
    assert all("<datetime>2015-02-17T06:54:27Z</datetime>" not in content for content, _ in documents)
    findings = found(bench)
    assert findings.keys() >= CHAT_OF_MAVENIR
    assert not findings["imdn.xml.datetime-value"].fails


def test_an_unknown_personality_is_told_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="reference, anritsu-rcs, mavenir-rms"):
        personality_named("nobody")
