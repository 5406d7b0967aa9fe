"""Pager mode both ways, as the handset sees it (RFC 3428, RFC 3862)."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Any

import pytest

from harness.errors import NotSeen, UsageError
from harness.evidence.timeline import Transport
from harness.peer.config import FarParty, Subscriber

UE = "sip:+491701234567@ims.example;user=phone"
TEL = "tel:+491701234567"


def quiet(bench: Any, **settings: Any) -> Any:
    """A peer whose far party notifies nobody."""
    peer = bench.start(**settings)
    peer.notifications.policy(None, None)
    return peer


# From the handset


@pytest.mark.parametrize("stream", [False, True])
def test_a_text_is_answered_and_recorded(bench: Any, far: str, stream: bool) -> None:
    peer = quiet(bench)
    handset = bench.handset(stream=stream)
    handset.send(handset.text("Grüße", message_id="id-7"))
    answer = handset.receive()
    assert answer.status == 200
    assert (answer.header("Conversation-ID"), answer.header("Contribution-ID")) == ("conv-1", "contrib-1")
    assert answer.header("Contact") is None
    assert answer.body == ""
    message = bench.call(peer.pager.wait_message("Grüße", timeout=1))
    assert message.text == "Grüße"
    assert (message.from_number, message.to_number) == ("+491701234567", "+491709999999")
    assert message.message_id == "id-7"
    assert message.dispositions == {"positive-delivery", "display"}
    assert message.content_type == "text/plain;charset=UTF-8"
    assert message.accepted
    assert peer.pager.received == [message]


@pytest.mark.parametrize("stream", [False, True])
def test_a_retransmission_is_answered_alike_and_counted_once(bench: Any, stream: bool) -> None:
    peer = quiet(bench)
    handset = bench.handset(stream=stream)
    text = handset.text()
    answers = []
    for _ in range(3):
        handset.send(text)
        answers.append(handset.receive())
    assert len(set(answers)) == 1
    assert len(peer.pager.received) == 1


@pytest.mark.parametrize(
    ("status", "headers"),
    [(202, {}), (404, {}), (480, {}), (486, {}), (603, {}), (503, {"Retry-After": "3"}), (415, {})],
)
def test_answers_a_test_asks_for(bench: Any, status: int, headers: dict[str, str]) -> None:
    peer = bench.start()
    peer.pager.answer_next(status, headers)
    handset = bench.handset()
    handset.register()
    handset.send(handset.text())
    answer = handset.receive()
    assert answer.status == status
    assert all(answer.header(name) == value for name, value in headers.items())
    if status == 415:
        assert answer.header("Accept") == "message/cpim, text/plain"
    message = bench.call(peer.pager.wait_message(timeout=1))
    assert message.status == status
    if status > 299:
        assert handset.silence(0.2)  # RFC 5438 12.1.3.1: none for a refused message


def test_silence(bench: Any) -> None:
    peer = quiet(bench)
    peer.pager.answer_next(None)
    handset = bench.handset()
    text = handset.text()
    handset.send(text)
    handset.send(text)
    assert handset.silence(0.3)
    assert [message.status for message in peer.pager.received] == [None]


def proxy_credentials(challenge: str, uri: str, password: str, method: str = "MESSAGE") -> str:
    realm = re.search(r'realm="([^"]*)"', challenge)[1]  # type: ignore[index]
    nonce = re.search(r'nonce="([^"]*)"', challenge)[1]  # type: ignore[index]

    def h(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    response = h(
        f"{h(f'ue@ims.example:{realm}:{password}')}:{nonce}:00000001:abc:auth:{h(f'{method}:{uri}')}"
    )
    return (
        f'Proxy-Authorization: Digest username="ue@ims.example",realm="{realm}",nonce="{nonce}",uri="{uri}",'
        f'response="{response}",algorithm=MD5,qop=auth,nc=00000001,cnonce="abc"'
    )


def test_407_and_the_repeat(bench: Any, far: str) -> None:
    peer = quiet(bench, subscribers=(Subscriber("ue@ims.example", (UE, TEL), password="pw"),))
    peer.pager.answer_next(407)
    handset = bench.handset()
    handset.send(handset.text(call_id="m", cseq=1))
    answer = handset.receive()
    assert answer.status == 407
    challenge = answer.header("Proxy-Authenticate") or ""
    handset.send(handset.text("hello", proxy_credentials(challenge, far, "pw"), call_id="m", cseq=2))
    assert handset.receive().status == 200
    assert [(each.status, each.challenged) for each in peer.pager.received] == [(407, True), (200, False)]
    assert bench.call(peer.pager.wait_message("hello", timeout=1)).accepted


def test_a_text_with_credentials_used_before_is_challenged_as_stale(bench: Any, far: str) -> None:
    peer = quiet(bench, subscribers=(Subscriber("ue@ims.example", (UE, TEL), password="pw"),))
    peer.pager.answer_next(407)
    handset = bench.handset()
    handset.send(handset.text(call_id="m", cseq=1))
    used = proxy_credentials(handset.receive().header("Proxy-Authenticate") or "", far, "pw")
    handset.send(handset.text("hello", used, call_id="m", cseq=2))
    assert handset.receive().status == 200
    handset.send(handset.text("again", used, call_id="n", cseq=1))
    replayed = handset.receive()
    assert replayed.status == 407
    assert "stale=true" in (replayed.header("Proxy-Authenticate") or "").lower()


def test_407_with_wrong_credentials_ends_in_403(bench: Any, far: str) -> None:
    peer = quiet(bench, subscribers=(Subscriber("ue@ims.example", (UE, TEL), password="pw"),))
    peer.pager.answer_next(407)
    handset = bench.handset()
    statuses = []
    rows: tuple[str, ...] = ()
    for cseq in range(1, 4):
        handset.send(handset.text("hello", *rows, call_id="m", cseq=cseq))
        answer = handset.receive()
        statuses.append(answer.status)
        rows = (proxy_credentials(answer.header("Proxy-Authenticate") or "", far, "no"),) if cseq < 3 else ()
    assert statuses == [407, 407, 403]


def test_407_needs_a_password_or_a_header_of_its_own(bench: Any) -> None:
    peer = quiet(bench)
    with pytest.raises(UsageError):
        peer.pager.answer_next(407)
    peer.pager.answer_next(407, {"Proxy-Authenticate": 'Digest realm="x", nonce="y"'})
    handset = bench.handset()
    handset.send(handset.text())
    assert handset.receive().header("Proxy-Authenticate") == 'Digest realm="x", nonce="y"'


def test_a_plain_text_body_is_a_message_too(bench: Any, far: str) -> None:
    peer = quiet(bench)
    handset = bench.handset()
    assert handset.ask("MESSAGE", far, "Content-Type: text/plain", to=far, body="plain").status == 200
    message = bench.call(peer.pager.wait_message("plain", timeout=1))
    assert (message.cpim, message.message_id) == (None, None)


def test_a_cpim_body_that_cannot_be_read_is_400_and_recorded(bench: Any, far: str) -> None:
    peer = quiet(bench)
    handset = bench.handset()
    answer = handset.ask("MESSAGE", far, "Content-Type: message/cpim", to=far, body="\x01\x02\r\n\r\n")
    assert answer.status == 400
    assert peer.pager.received[0].fault


def test_what_came_instead_is_told(bench: Any) -> None:
    peer = quiet(bench)
    handset = bench.handset()
    handset.send(handset.text("other"))
    with pytest.raises(NotSeen, match=r"message 'hello' was expected within 0.05 s; .*'other'"):
        bench.call(peer.pager.wait_message("hello", timeout=0.05))
    mark = peer.mark()
    with pytest.raises(NotSeen):
        bench.call(peer.pager.wait_message("other", timeout=0.05, after=mark))


# To the handset


def registered(bench: Any, *, stream: bool = False, **settings: Any) -> tuple[Any, Any]:
    peer = quiet(bench, **settings)
    handset = bench.handset(stream=stream)
    assert handset.register().status == 200
    return peer, handset


def test_the_template_of_a_mt_message(bench: Any) -> None:
    peer, handset = registered(bench, stream=True, hops=2)
    sending = bench.begin(peer.pager.send_text("+491701234567", "Grüße", sender="+491701112223"))
    request = handset.receive()
    assert request.start == f"MESSAGE {handset.contact} SIP/2.0"
    vias = request.all("Via")
    assert len(vias) == 3
    assert vias[0].startswith("SIP/2.0/TCP 127.0.0.1:")
    assert request.header("Max-Forwards") == "68"
    assert (request.header("From") or "").startswith("<sip:+491701112223@ims.example;user=phone>;tag=")
    assert request.header("To") == f"<{UE}>"
    assert request.header("P-Called-Party-ID") == f"<{UE}>"
    assert request.header("P-Asserted-Identity") == (
        "<sip:+491701112223@ims.example;user=phone>, <tel:+491701112223>"
    )
    assert request.header("P-Asserted-Service") == "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg"
    assert request.header("Accept-Contact") == (
        '*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"'
    )
    for absent in ("Contact", "Route", "Record-Route", "P-Preferred-Identity", "P-Access-Network-Info"):
        assert request.header(absent) is None
    handset.answer(request)
    sent = sending()
    assert sent.accepted
    assert (request.header("Conversation-ID"), request.header("Contribution-ID")) == (
        sent.conversation_id,
        sent.contribution_id,
    )
    head, content_head, content = request.body.split("\r\n\r\n")
    lines = head.split("\r\n")
    assert lines[:2] == ["From: <sip:+491701112223@ims.example;user=phone>", f"To: <{UE}>"]
    assert datetime.fromisoformat(lines[2].removeprefix("DateTime: ").replace("Z", "+00:00"))
    assert lines[3:] == [
        "NS: imdn <urn:ietf:params:imdn>",
        f"imdn.Message-ID: {sent.message_id}",
        "imdn.Disposition-Notification: positive-delivery, display",
    ]
    assert content_head == "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 7"
    assert content == "Grüße"
    assert sent.sent_at <= sent.ended_at


def test_a_conversation_keeps_its_id_in_both_directions(bench: Any) -> None:
    peer, handset = registered(bench, stream=True)
    handset.send(handset.text())
    handset.receive()
    sending = bench.begin(peer.pager.send_text(UE, "back", sender="+491709999999"))
    request = handset.receive()
    handset.answer(request)
    assert sending().conversation_id == "conv-1"
    assert request.header("Contribution-ID") != "contrib-1"


def test_a_notification_may_begin_a_conversation_and_changes_none(bench: Any) -> None:
    """What it is about may have come without an id, as a message does that was kept."""
    peer, handset = registered(bench, stream=True)
    for given, call in (("conv-1", "a"), ("conv-2", "b")):
        handset.send(handset.imdn("delivered", "kept", call_id=call).replace("conv-1", given))
        assert handset.receive().status == 200
        sending = bench.begin(peer.pager.send_text(UE, "back", sender="+491709999999"))
        handset.answer(handset.receive())
        assert sending().conversation_id == "conv-1"


@pytest.mark.parametrize(
    ("options", "present", "absent"),
    [
        ({"disposition": ()}, "imdn.Message-ID", "Disposition-Notification"),
        ({"disposition": ("display",)}, "imdn.Disposition-Notification: display\r\n", "positive-delivery"),
        ({"content_type": "application/x-new"}, "Content-Type: application/x-new\r\n", "text/plain"),
        ({"message_id": "twice"}, "imdn.Message-ID: twice\r\n", "\0"),
        ({"cpim": {"DateTime": None}}, "NS: ", "DateTime"),
        ({"mime": {"Content-Length": "9999"}}, "Content-Length: 9999\r\n", "\0"),
        (
            {"headers": {"P-Asserted-Service": None, "X-New": ("a", "b")}},
            "X-New: a\r\nX-New: b",
            "P-Asserted-Service",
        ),
        ({"headers": {"Content-Type": "application/x-odd"}, "body": b"raw"}, "\r\n\r\nraw", "imdn"),
        (
            {"sender": FarParty("sip:bot@chat.example", display="Bot")},
            '"Bot" <sip:bot@chat.example>',
            "tel:+491709",
        ),
        ({"in_reply_to": "before"}, "InReplyTo-Contribution-ID: before", "\0"),
    ],
)
def test_knobs_of_the_negative_variants(
    bench: Any, options: dict[str, Any], present: str, absent: str
) -> None:
    peer, handset = registered(bench, stream=True)
    sending = bench.begin(peer.pager.send_text(UE, "hello", **options))
    request = handset.receive()
    assert present in request
    assert absent not in request
    handset.answer(request, "415 Unsupported Media Type", "Accept: message/cpim")
    assert sending().status == 415


def test_a_large_request_goes_over_tcp_to_the_contact(bench: Any) -> None:
    peer, handset = registered(bench)
    handset.listen_stream()
    sending = bench.begin(peer.pager.send_text(UE, "x" * 1300))
    handset.accept()
    request = handset.receive()
    assert request.header(
        "Via",
    ).startswith("SIP/2.0/TCP")  # type: ignore[union-attr]
    handset.answer(request)
    assert sending().accepted


def test_a_large_request_goes_over_udp_when_tcp_is_refused(bench: Any) -> None:
    peer, handset = registered(bench)
    sending = bench.begin(peer.pager.send_text(UE, "x" * 1300))
    request = handset.receive()
    assert request.header("Via").startswith("SIP/2.0/UDP")  # type: ignore[union-attr]
    handset.answer(request)
    assert sending().accepted


def test_a_small_request_goes_over_udp(bench: Any) -> None:
    peer, handset = registered(bench)
    sending = bench.begin(peer.pager.send_text(UE, "", disposition=(), headers={"Accept-Contact": None}))
    request = handset.receive()
    assert len(request.encode()) <= 1300
    handset.answer(request)
    assert sending().accepted


def test_a_contact_that_asks_for_tcp_gets_tcp(bench: Any) -> None:
    peer = quiet(bench)
    handset = bench.handset()
    handset.listen_stream()
    handset.register(contact=f"<{handset.contact};transport=tcp>")
    sending = bench.begin(peer.pager.send_text(UE, "hi"))
    handset.accept()
    handset.answer(handset.receive())
    assert sending().accepted


@pytest.mark.parametrize("rport", [True, False])
def test_a_handset_behind_a_translator_is_reached_at_its_source(bench: Any, rport: bool) -> None:
    peer = quiet(bench)
    handset = bench.handset()
    handset.contact = "sip:ue@10.0.2.15:5060"
    handset.register(rport=rport)
    sending = bench.begin(peer.pager.send_text(UE, "hi", transport=Transport.UDP))
    request = handset.receive()
    assert request.start == "MESSAGE sip:ue@10.0.2.15:5060 SIP/2.0"
    handset.answer(request)
    assert sending().accepted


def test_a_handset_that_sends_from_another_port_is_reached_at_its_contact(bench: Any) -> None:
    peer = quiet(bench)
    sender, listener = bench.handset(), bench.handset()
    sender.contact = listener.contact
    sender.register(rport=False)
    sending = bench.begin(peer.pager.send_text(UE, "hi", transport=Transport.UDP))
    listener.answer(listener.receive())
    assert sending().accepted


def test_a_lost_connection_is_opened_again_to_the_contact(bench: Any) -> None:
    peer = quiet(bench)
    handset, listener = bench.handset(stream=True), bench.handset()
    handset.contact = listener.contact
    listener.listen_stream()
    handset.register()
    bench.call(peer.drop_connections())
    sending = bench.begin(peer.pager.send_text(UE, "hi"))
    listener.accept()
    listener.answer(listener.receive())
    assert sending().accepted


def test_one_message_at_a_time_to_a_contact(bench: Any) -> None:
    peer, handset = registered(bench, stream=True)
    first = bench.begin(peer.pager.send_text(UE, "first"))
    one = handset.receive()
    second = bench.begin(peer.pager.send_text(UE, "second"))
    assert handset.silence(0.2)
    handset.answer(one)
    two = handset.receive()
    assert "second" in two.body
    handset.answer(two)
    assert first().accepted
    assert second().accepted
    assert [sent.text for sent in peer.pager.sent] == ["first", "second"]


def test_a_handset_that_does_not_answer_shows_in_the_result(bench: Any) -> None:
    peer, handset = registered(bench, stream=True, request_timeout=0.2)
    sent = bench.call(peer.pager.send_text(UE, "hello"))
    handset.receive()
    assert (sent.status, sent.accepted) == (None, False)
    assert "no final response" in sent.failure


def test_a_handset_that_is_not_registered_gets_nothing(bench: Any) -> None:
    peer = quiet(bench)
    with pytest.raises(NotSeen, match="registered: nobody"):
        bench.call(peer.pager.send_text(UE, "hello"))


def test_path_is_written_as_route(bench: Any) -> None:
    peer = quiet(bench)
    handset = bench.handset()
    path = f"<sip:edge@127.0.0.1:{handset.port};lr>"
    answer = handset.register(f"Path: {path}", "Supported: path")
    assert answer.all("Path")[-1] == path
    sending = bench.begin(peer.pager.send_text(UE, "hi"))
    request = handset.receive()
    assert request.header("Route") == path
    handset.answer(request)
    assert sending().accepted


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_several_handsets_the_one_that_can_take_it_gets_the_text(
    bench: Any, order: tuple[int, ...]
) -> None:
    """RFC 3841 7.2.4: whoever shows the service of Accept-Contact, registered first or last."""
    peer = bench.start()
    features = ('+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"', "video")
    handsets = {number: bench.handset() for number in order}
    for number, handset in handsets.items():
        contact = f"<{handset.contact}>;{features[number]};expires=600"
        assert handset.register(contact=contact, call_id=f"register-{number}").status == 200
    sending = bench.begin(peer.pager.send_text(UE, "hello"))
    message = handsets[0].receive()
    assert message.start.startswith("MESSAGE ")
    handsets[0].answer(message)
    assert sending().status == 200
