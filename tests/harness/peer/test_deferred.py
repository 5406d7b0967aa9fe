"""Deferred messages with a handset of sockets and wire text: SUBSCRIBE, NOTIFY, the fetch, IMDNs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.errors import NotSeen
from harness.msrp.session import SendOptions
from harness.peer.received import Carrier
from tests.harness.peer.msrp_handset import ICSI, IDS, MsrpClient, follow, path_of, sdp

SERVICE = "sip:deferred-messages@ims.example"
OWN = "msrp://127.0.0.1:9/ue1;tcp"


def subscribe(handset: Any, ue: str, *extra: str, target: str = SERVICE, to: str = "", cseq: int = 40) -> Any:
    rows = (f"P-Preferred-Identity: <{ue}>", "Event: deferred-messages", f"Contact: <{handset.contact}>")
    dialog = {"to": to or target, "call_id": "deferred-1", "cseq": cseq}
    return handset.ask("SUBSCRIBE", target, *rows, *extra, **dialog)


def told(handset: Any) -> Any:
    notify = handset.receive()
    assert notify.start == f"NOTIFY {handset.contact} SIP/2.0"
    handset.answer(notify)
    return notify


def fetch(handset: Any, invite: Any, **options: Any) -> Any:
    offer = sdp(OWN, "active", direction="recvonly")
    named = {"service": f"{ICSI}oma.cpm.deferred", "uri": SERVICE, "body": offer, "call_id": "fetch-1"}
    return invite(handset, *IDS, **(named | options))


def connected(handset: Any, accepted: Any) -> MsrpClient:
    follow(handset, accepted, "ACK", 1)
    msrp = MsrpClient(OWN, path_of(accepted))
    assert msrp.send() == "MSRP uesend1 200 OK"
    return msrp


def hung_up(handset: Any) -> None:
    bye = handset.receive()
    assert bye.start.startswith("BYE ")
    handset.answer(bye)


def test_a_handset_that_subscribed_is_told_without_a_body(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    accepted = subscribe(handset, ue, "Expires: 600")
    assert (accepted.status, accepted.header("Expires")) == (200, "600")
    first = told(handset)
    assert (first.header("Event"), first.header("Subscription-State")) == (
        "deferred-messages",
        "active;expires=600",
    )
    assert (first.header("Content-Type"), first.body) == (None, "")
    bench.call(peer.deferred_messages.store(ue, "hello"))
    assert told(handset).header("CSeq") == "2 NOTIFY"
    bench.call(peer.deferred_messages.store("+491719999999", "for somebody else"))
    assert handset.silence(0.05)
    assert bench.call(peer.deferred_messages.wait_subscribed(timeout=5)) == ue


def test_the_end_of_a_subscription_is_told_as_such(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    accepted = subscribe(handset, ue)
    told(handset)
    with pytest.raises(NotSeen, match="the end of a subscription"):
        bench.call(peer.deferred_messages.wait_unsubscribed(timeout=0.05))
    mark = bench.call(peer.deferred_messages.wait_subscribed(timeout=5)) and len(bench.timeline)
    subscribe(handset, ue, "Expires: 0", to=accepted.header("To"), cseq=41)
    assert bench.call(peer.deferred_messages.wait_unsubscribed(timeout=5, after=mark)) == ue
    assert told(handset).header("Subscription-State").startswith("terminated")
    with pytest.raises(NotSeen, match="a subscription to deferred-messages"):
        bench.call(peer.deferred_messages.wait_subscribed(timeout=0.05, after=mark))


def test_only_the_address_of_the_service_has_that_event(bench: Any, ue: str, far: str) -> None:
    bench.start()
    assert subscribe(bench.handset(), ue, target=far).status == 404


def test_messages_are_handed_out_as_they_were_sent(bench: Any, invite: Any, ue: str, far: str) -> None:
    peer, other = bench.start(), "sip:+491710000009@ims.example;user=phone"
    store = peer.deferred_messages.store
    then = datetime(2024, 2, 29, 12, 0, 0, tzinfo=UTC)
    bench.call(store(ue, "first", sender=far, message_id="one", sent_at=then, disposition=("display",)))
    bench.call(store(ue, "second", sender="+491710000009", message_id="two"))
    handset = bench.handset()
    handset.register()
    accepted = fetch(handset, invite)
    assert accepted.status == 200
    assert "oma.cpm.deferred" in accepted.header("Contact")
    assert "a=sendonly\r\n" in accepted.body and "a=setup:passive\r\n" in accepted.body
    msrp = connected(handset, accepted)
    first, heads = msrp.take()
    assert f"From: <{far}>\r\nTo: <{ue}>\r\nDateTime: 2024-02-29T12:00:00Z\r\n" in first
    assert "imdn.Message-ID: one\r\nimdn.Disposition-Notification: display\r\n" in first
    second, more = msrp.take()
    assert f"From: <{other}>" in second and second.endswith("\r\n\r\nsecond")
    ids = [re.search(r"\nMessage-ID: (\S+)", head)[1] for head in (*heads, *more)]
    assert len(set(ids)) == 2
    hung_up(handset)
    session = bench.call(peer.deferred_messages.wait_ended(timeout=5))
    assert ([each.message_id for each in session.sent], session.ending.by_us) == (["one", "two"], True)
    assert peer.deferred_messages.waiting(ue) == []
    handset.send(handset.imdn("displayed", "one"))
    seen = bench.call(peer.notifications.wait_notification("one", "displayed", timeout=5))
    assert seen.carrier is Carrier.MESSAGE
    msrp.close()


def test_what_comes_during_a_fetch_goes_with_it(bench: Any, invite: Any, ue: str) -> None:
    peer = bench.start()
    bench.call(peer.deferred_messages.store(ue, "first"))
    handset = bench.handset()
    handset.register()
    msrp = connected(handset, fetch(handset, invite))
    head = msrp.read()
    bench.call(peer.deferred_messages.store(ue, "second"))
    msrp.answer(head)
    assert msrp.take()[0].endswith("second")
    hung_up(handset)
    msrp.close()


def test_nothing_to_fetch(bench: Any, invite: Any) -> None:
    bench.start()
    assert fetch(bench.handset(), invite).start == "SIP/2.0 404 No messages wait"


def test_what_was_not_answered_is_handed_out_again(bench: Any, invite: Any, ue: str) -> None:
    peer = bench.start()
    store = peer.deferred_messages.store
    bench.call(store(ue, "first"))
    bench.call(store(ue, "x" * 3000, message_id="cut", options=SendOptions(pause_at=2048)))
    handset = bench.handset()
    handset.register()
    msrp = connected(handset, fetch(handset, invite))
    msrp.take()
    msrp.answer(msrp.read())
    msrp.close()
    bench.call(peer.deferred_messages.wait_failed(timeout=5))
    assert [each.message_id for each in peer.deferred_messages.waiting(ue)] == ["cut"]
    msrp = connected(handset, fetch(handset, invite, call_id="fetch-2"))
    assert msrp.take()[0].endswith("x" * 3000)
    hung_up(handset)
    msrp.close()


def test_a_message_the_handset_refuses_is_not_offered_again(bench: Any, invite: Any, ue: str) -> None:
    peer = bench.start()
    bench.call(peer.deferred_messages.store(ue, "{}", content_type="application/x-unknown"))
    bench.call(peer.deferred_messages.store(ue, "second"))
    handset = bench.handset()
    handset.register()
    msrp = connected(handset, fetch(handset, invite))
    msrp.take(iter(["415 Unknown"]))
    assert msrp.take()[0].endswith("second")
    hung_up(handset)
    assert peer.deferred_messages.waiting(ue) == []
    msrp.close()


def test_a_notify_nobody_asked_for(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    sending = bench.begin(peer.deferred_messages.notify_unasked(ue))
    notify = handset.receive()
    assert notify.start == f"NOTIFY {handset.contact} SIP/2.0"
    assert (notify.header("Event"), notify.header("Content-Type")) == ("deferred-messages", None)
    assert notify.header("Subscription-State") == "active;expires=3600"
    handset.answer(notify, "481 Subscription does not exist")
    assert sending().response.status == 481


def test_what_does_not_come_is_said(bench: Any) -> None:
    peer = bench.start()
    with pytest.raises(NotSeen, match="a subscription to deferred-messages"):
        bench.call(peer.deferred_messages.wait_subscribed(timeout=0.05))
