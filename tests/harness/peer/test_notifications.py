"""Disposition notifications both ways (RFC 5438), and each named wrong on the wire."""

from __future__ import annotations

import re
import zlib
from datetime import timedelta
from typing import Any

import pytest

from harness.errors import HandsetError, NotSeen
from harness.peer.imdn_wrong import Wrong
from harness.peer.notifications import NotificationKind

NOW = timedelta(0)


def talk(bench: Any, *, disposition: str | None = "positive-delivery, display", **policy: Any) -> Any:
    """A registered handset that has sent a text under this policy."""
    peer = bench.start()
    peer.notifications.policy(**policy)
    handset = bench.handset(stream=True)
    handset.register()
    handset.send(handset.text(message_id="mid-1", disposition=disposition))
    return handset


def notification(handset: Any) -> Any:
    request = handset.receive()
    assert request.start.startswith("MESSAGE ")
    handset.answer(request)
    return request


def test_delivered_and_displayed_in_their_form(bench: Any, ue: str, far: str) -> None:
    handset = talk(bench, delivered=NOW, displayed=timedelta(milliseconds=50))
    assert handset.receive().status == 200
    delivered = notification(handset)
    assert delivered.start == f"MESSAGE {handset.contact} SIP/2.0"
    assert (delivered.header("From") or "").startswith(f"<{far}>")
    assert delivered.header("To") == f"<{ue}>"
    assert delivered.header("Conversation-ID") == "conv-1"
    assert delivered.header("Contribution-ID") != "contrib-1"
    assert delivered.header("Contact") is None
    head, mime, xml = delivered.body.split("\r\n\r\n")
    lines = head.split("\r\n")
    assert lines[:2] == [f"From: <{far}>", f"To: <{ue}>"]
    assert lines[3] == "NS: imdn <urn:ietf:params:imdn>"
    assert lines[4].startswith("imdn.Message-ID: ")
    assert "mid-1" not in lines[4]
    assert len(lines) == 5
    assert mime.split("\r\n") == [
        "Content-Type: message/imdn+xml",
        "Content-Disposition: notification",
        f"Content-Length: {len(xml)}",
    ]
    assert xml == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<imdn xmlns="urn:ietf:params:xml:ns:imdn">'
        "<message-id>mid-1</message-id><datetime>2015-02-17T06:54:27Z</datetime>"
        "<delivery-notification><status><delivered/></status></delivery-notification></imdn>"
    )
    displayed = notification(handset)
    assert "<display-notification><status><displayed/></status></display-notification>" in displayed.body


def test_it_goes_to_the_cpim_from_of_the_message_as_written_there(bench: Any, ue: str, far: str) -> None:
    """RFC 5438 7.2.1: not to the sender SIP names, which a network may have rewritten."""
    peer = bench.start()
    peer.notifications.policy(delivered=NOW)
    handset = bench.handset(stream=True)
    handset.register()
    plain, named = f"\r\n\r\nFrom: <{ue}>", '\r\n\r\nFrom: "Ute" <tel:+491701234567>'
    text = handset.text(message_id="mid-1").replace(plain, named)
    body = text.partition("\r\n\r\n")[2]
    length = len(body.encode())
    handset.send(re.sub(r"Content-Length: \d+", f"Content-Length: {length}", text, count=1))
    assert handset.receive().status == 200
    assert notification(handset).body.split("\r\n")[:2] == [
        f"From: <{far}>",
        'To: "Ute" <tel:+491701234567>',
    ]


@pytest.mark.parametrize(
    ("disposition", "expected"), [("display", "<displayed/>"), ("positive-delivery", "<delivered/>")]
)
def test_only_what_was_asked_for(bench: Any, disposition: str, expected: str) -> None:
    handset = talk(bench, disposition=disposition, delivered=NOW, displayed=NOW)
    handset.receive()
    assert expected in notification(handset).body
    assert handset.silence(0.2)


@pytest.mark.parametrize(
    ("disposition", "policy"),
    [
        (None, {"delivered": NOW, "displayed": NOW}),
        ("display", {"delivered": NOW}),
        ("display", {"delivered": None}),
    ],
)
def test_nothing_asked_for_or_nothing_in_the_policy(
    bench: Any, disposition: str | None, policy: dict[str, Any]
) -> None:
    handset = talk(bench, disposition=disposition, **policy)
    assert handset.receive().status == 200
    assert handset.silence(0.2)


def test_displayed_waits_until_delivered_is_answered(bench: Any) -> None:
    handset = talk(bench, delivered=NOW, displayed=NOW)
    handset.receive()
    delivered = handset.receive()
    assert handset.silence(0.2)
    handset.answer(delivered)
    assert "<displayed/>" in notification(handset).body


@pytest.mark.parametrize(
    ("wrong", "present", "absent"),
    [
        (Wrong.NO_DATETIME, "<delivered/>", "<datetime>"),
        (Wrong.WRONG_MESSAGE_ID, "<message-id>", "<message-id>mid-1<"),
        (
            Wrong.WITH_DISPOSITION_NOTIFICATION,
            "imdn.Disposition-Notification: positive-delivery, display",
            "\0",
        ),
        (Wrong.MALFORMED_XML, "<delivered/>", "</status>"),
        (Wrong.NO_CONTENT_DISPOSITION, "<delivered/>", "Content-Disposition"),
    ],
)
def test_wrongs_in_the_content(bench: Any, wrong: Wrong, present: str, absent: str) -> None:
    handset = talk(bench, delivered=NOW, wrong=frozenset({wrong}))
    assert handset.receive().status == 200
    body = notification(handset).body
    assert present in body
    assert absent not in body


def test_wrong_twice(bench: Any) -> None:
    handset = talk(bench, delivered=NOW, wrong=frozenset({Wrong.TWICE}))
    handset.receive()
    bodies = [notification(handset).body for _ in range(2)]
    assert all("<delivered/>" in body for body in bodies)
    assert bodies[0] != bodies[1]  # its own Message-ID each
    assert handset.silence(0.2)


def test_wrong_processing(bench: Any) -> None:
    handset = talk(bench, delivered=NOW, wrong=frozenset({Wrong.PROCESSING}))
    handset.receive()
    assert "<processing-notification><status><processed/>" in notification(handset).body
    assert "<delivered/>" in notification(handset).body


def test_wrong_not_requested(bench: Any) -> None:
    handset = talk(
        bench, disposition="positive-delivery", delivered=None, wrong=frozenset({Wrong.NOT_REQUESTED})
    )
    handset.receive()
    assert "<displayed/>" in notification(handset).body
    assert "<processed/>" in notification(handset).body


def test_wrong_before_the_2xx(bench: Any) -> None:
    handset = talk(bench, delivered=NOW, wrong=frozenset({Wrong.BEFORE_ANSWER}))
    first = handset.receive()
    assert "<delivered/>" in first.body
    assert handset.receive().status == 200
    handset.answer(first)


def test_the_far_party_reads_when_a_test_says_so(bench: Any) -> None:
    handset = talk(bench, delivered=None)
    handset.receive()
    message = bench.call(bench.peer.pager.wait_message(timeout=1))
    sending = bench.begin(bench.peer.notifications.send(message, NotificationKind.DISPLAYED))
    assert "<displayed/>" in notification(handset).body
    assert sending().status == 200
    assert [each.kind for each in bench.peer.notifications.sent] == [NotificationKind.DISPLAYED]


def test_a_handset_that_never_registered_is_reached_the_way_it_came(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset(stream=True)
    handset.send(handset.text())
    assert handset.receive().status == 200
    request = notification(handset)
    assert request.start == f"MESSAGE sip:+491701234567@{handset.host}:{handset.port} SIP/2.0"
    bench.call(peer.wait_event(lambda event: event.kind == "notification sent", 1))


def test_record_route_of_the_message_comes_back_in_order(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset(stream=True)
    handset.register()
    text = handset.text()
    head, _, body = text.partition("\r\n\r\n")
    routes = "imdn.IMDN-Record-Route: <sip:a@x>\r\nimdn.IMDN-Record-Route: <sip:b@x>\r\n"
    body = body.replace("\r\n\r\n", f"\r\n{routes}\r\n", 1)
    head = head[: head.rindex("Content-Length")] + f"Content-Length: {len(body)}"
    handset.send(f"{head}\r\n\r\n{body}")
    assert handset.receive().status == 200
    request = notification(handset)
    assert "imdn.IMDN-Route: <sip:a@x>\r\nimdn.IMDN-Route: <sip:b@x>\r\n" in request.body
    assert "IMDN-Record-Route" not in request.body
    assert peer.pager.received[0].message_id == "mid-1"


def test_anonymous_stays_anonymous(bench: Any, far: str) -> None:
    bench.start()
    handset = bench.handset(stream=True)
    handset.register()
    nobody = "sip:anonymous@anonymous.invalid"
    head, _, body = handset.text().partition("\r\n\r\n")
    body = body.replace(f"To: <{far}>", f"To: <{nobody}>")
    head = head[: head.rindex("Content-Length")] + f"Content-Length: {len(body)}"
    handset.send(f"{head}\r\n\r\n{body}")
    handset.receive()
    request = notification(handset)
    assert request.body.startswith(f"From: <{nobody}>\r\n")
    assert (request.header("From") or "").startswith(f"<{far}>")


# The handset's


def test_notifications_of_the_handset_are_answered_and_awaited(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    waiting = bench.begin(peer.notifications.wait_notification("m1", "displayed", timeout=5))
    for kind in ("delivered", "displayed"):
        handset.send(handset.imdn(kind, "m1"))
        answer = handset.receive()
        assert (answer.status, answer.header("Conversation-ID")) == (200, "conv-1")
    assert waiting().message_id == "m1"
    assert [each.kind for each in peer.notifications.of("m1")] == ["delivered", "displayed"]
    assert not peer.pager.received


def test_a_retransmitted_notification_counts_once(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    text = handset.imdn("delivered", "m1")
    for _ in range(2):
        handset.send(text)
        handset.receive()
    assert len(peer.notifications.received) == 1


def test_what_came_instead_is_told(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.send(handset.imdn("delivered", "m1"))
    handset.receive()
    with pytest.raises(NotSeen, match=r"displayed for m1 was expected .*seen instead: .*delivered for m1"):
        bench.call(peer.notifications.wait_notification("m1", "displayed", timeout=0.05))


def test_expect_none(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.send(handset.imdn("delivered", "m1"))
    handset.receive()
    bench.call(peer.notifications.expect_none("m1", "displayed", seconds=0.05))
    bench.call(peer.notifications.expect_none("m2", seconds=0.05))
    with pytest.raises(HandsetError, match=r"no notification was expected.*delivered for m1"):
        bench.call(peer.notifications.expect_none("m1", seconds=5))


def test_notifications_can_be_refused(bench: Any) -> None:
    peer = bench.start()
    peer.notifications.answer_next(503, {"Retry-After": "1"})
    handset = bench.handset()
    handset.send(handset.imdn("delivered", "m1"))
    assert handset.receive().status == 503
    assert peer.notifications.received[0].status == 503


def test_a_document_that_cannot_be_read_is_kept_with_its_fault(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.send(handset.imdn("delivered", "m1").replace("</imdn>", "</xmdn>"))
    assert handset.receive().status == 200
    assert peer.notifications.received[0].kind is None
    assert peer.notifications.received[0].fault


def deflated(text: str, content: bytes | None = None) -> bytes:
    """The notification with its document (or another) in `Content-Encoding: deflate`."""
    head, cpim, mime, document = text.split("\r\n\r\n")
    coded = zlib.compress(document.encode() if content is None else content)
    mime = re.sub(r"Content-Length: \d+", f"Content-Length: {len(coded)}\r\nContent-Encoding: deflate", mime)
    body = f"{cpim}\r\n\r\n{mime}\r\n\r\n".encode() + coded
    return re.sub(r"Content-Length: \d+", f"Content-Length: {len(body)}", head).encode() + b"\r\n\r\n" + body


def test_a_deflated_document_is_read(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.send(deflated(handset.imdn("displayed", "m1")))
    assert handset.receive().status == 200
    (notification,) = peer.notifications.received
    assert (notification.message_id, notification.kind, notification.fault) == ("m1", "displayed", "")


def test_a_document_that_would_inflate_beyond_the_limit_is_kept_with_its_fault(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.send(deflated(handset.imdn("displayed", "m1"), bytes(20_000_000)))
    assert handset.receive().status == 200
    (notification,) = peer.notifications.received
    assert notification.kind is None
    assert "more than" in notification.fault


def test_an_aggregate_is_taken_apart(bench: Any, far: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    document = (
        '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>{}</message-id><datetime>x</datetime>'
        "<delivery-notification><status><delivered/></status></delivery-notification></imdn>"
    )
    parts = "".join(
        f"--b\r\nContent-Type: message/imdn+xml\r\n\r\n{document.format(each)}\r\n" for each in ("m1", "m2")
    )
    body = (
        f"From: <sip:list@x>\r\nTo: <{far}>\r\n\r\n"
        "Content-Type: multipart/mixed;boundary=b\r\nContent-Disposition: notification\r\n\r\n"
        f"{parts}--b--\r\n"
    )
    handset.send(handset.request("MESSAGE", far, "Content-Type: message/cpim", to=far, body=body))
    assert handset.receive().status == 200
    assert [each.message_id for each in peer.notifications.received] == ["m1", "m2"]
