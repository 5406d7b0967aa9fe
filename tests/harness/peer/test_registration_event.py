"""SUBSCRIBE Event: reg and what follows (RFC 3680, RFC 6665)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from lxml import etree

from harness.errors import UsageError
from harness.peer.config import Subscriber
from tests.harness.peer.test_pager import proxy_credentials

TARGET = "sip:+491701234567@ims.example;user=phone"
SUBSCRIBER = Subscriber("ue@ims.example", (TARGET, "tel:+491701234567"), password="pw")
NS = "{urn:ietf:params:xml:ns:reginfo}"


def subscribe(handset: Any, *extra: str, to: str | None = None, expires: int = 600, cseq: int = 50) -> Any:
    return handset.ask(
        "SUBSCRIBE",
        TARGET,
        "Event: reg",
        "Accept: application/reginfo+xml",
        f"Expires: {expires}",
        f"Contact: <{handset.contact}>",
        *extra,
        to=to or TARGET,
        call_id="sub-1",
        cseq=cseq,
    )


def notified(handset: Any, status: str = "200 OK") -> tuple[Any, etree._Element]:
    notify = handset.receive()
    assert notify.start == f"NOTIFY {handset.contact} SIP/2.0"
    handset.answer(notify, status)
    return notify, etree.fromstring(notify.body.encode())


def test_subscription_is_accepted_and_notified_at_once(bench: Any, ue: str) -> None:
    bench.start()
    handset = bench.handset()
    handset.register()
    accepted = subscribe(handset)
    assert accepted.status == 200
    assert accepted.header("Expires") == "600"
    assert accepted.header("Contact")
    notify, root = notified(handset)
    assert notify.header("Event") == "reg"
    assert notify.header("Subscription-State") == "active;expires=600"
    assert notify.header("Call-ID") == "sub-1"
    assert (
        re.search(r";tag=(\S+)", notify.header("From") or "")[1]
        == re.search(  # type: ignore[index]
            r";tag=(\S+)", accepted.header("To") or ""
        )[1]
    )
    assert (notify.header("To") or "").endswith(";tag=ue-tag")
    assert (root.get("version"), root.get("state")) == ("0", "full")
    assert [each.get("aor") for each in root] == [ue, "tel:+491701234567"]
    contact = root.find(f"{NS}registration/{NS}contact")
    assert contact is not None
    assert (contact.get("state"), contact.get("event")) == ("active", "registered")
    assert contact.findtext(f"{NS}uri") == handset.contact


def test_a_refresh_of_the_registration_is_told(bench: Any) -> None:
    bench.start()
    handset = bench.handset()
    handset.register()
    subscribe(handset)
    notified(handset)
    handset.register()
    notify, root = notified(handset)
    assert root.get("version") == "1"
    assert root.find(f"{NS}registration/{NS}contact").get("event") == "refreshed"  # type: ignore[union-attr]
    assert notify.header("CSeq") == "2 NOTIFY"


def test_only_the_user_concerned_is_told(bench: Any) -> None:
    bench.start()
    handset, other = bench.handset(), bench.handset()
    handset.register()
    subscribe(handset)
    notified(handset)
    another = "sip:+491707654321@ims.example"
    assert other.register(to=another, sender=another, call_id="other").status == 200
    assert handset.register("User-Agent: again").status == 200
    _, root = notified(handset)
    assert root.get("version") == "1", "the registration of another user was told"


def test_deregistration_by_the_handset_ends_the_subscription(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    subscribe(handset)
    notified(handset)
    handset.register(contact=f"<{handset.contact}>;expires=0")
    notify, root = notified(handset)
    assert notify.header("Subscription-State") == "terminated;reason=noresource"
    assert {each.get("state") for each in root} == {"terminated"}
    assert root.find(f"{NS}registration/{NS}contact").get("event") == "unregistered"  # type: ignore[union-attr]
    assert not peer.registration_events.subscriptions


def test_deregistration_by_the_network(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    subscribe(handset)
    notified(handset)
    bench.call(peer.registrar.deregister(rejected=True))
    notify, root = notified(handset)
    assert notify.header("Subscription-State") == "terminated;reason=noresource"
    assert root.find(f"{NS}registration/{NS}contact").get("event") == "rejected"  # type: ignore[union-attr]
    assert not peer.bindings


def test_unsubscribing_brings_a_last_notify(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    tag = re.search(r";tag=(\S+)", subscribe(handset).header("To") or "")
    assert tag is not None
    notified(handset)
    last = subscribe(handset, to=f"<{ue}>;tag={tag[1]}", expires=0, cseq=51)
    assert (last.status, last.header("Expires")) == (200, "0")
    notify, _ = notified(handset)
    assert notify.header("Subscription-State") == "terminated;reason=timeout"
    assert not peer.registration_events.subscriptions
    assert subscribe(handset, to=f"<{ue}>;tag={tag[1]}", cseq=52).status == 481


def test_481_to_a_notify_ends_the_subscription(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    subscribe(handset)
    notified(handset, "481 Call/Transaction Does Not Exist")
    bench.call(peer.wait_event(lambda event: "refused with 481" in event.text, 1))
    handset.register()
    assert handset.silence(0.2)
    assert not peer.registration_events.subscriptions


def test_nobody_registered_is_init(bench: Any, ue: str) -> None:
    bench.start()
    handset = bench.handset()
    assert subscribe(handset).status == 200
    _, root = notified(handset)
    assert [each.get("state") for each in root] == ["init"]


def test_other_packages_are_489(bench: Any, ue: str) -> None:
    bench.start()
    handset = bench.handset()
    answer = handset.ask("SUBSCRIBE", ue, "Event: presence", f"Contact: <{handset.contact}>")
    assert (answer.status, answer.header("Allow-Events")) == (489, "reg, deferred-messages")


def test_a_refused_notify_is_written_down_with_what_refused_it(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    subscribe(handset)
    notified(handset, "489 Bad Event")
    event = bench.call(peer.wait_event(lambda event: "refused with 489" in event.text, 1))
    assert event.text.startswith("reg of ")


def test_subscriptions_that_were_forgotten_are_told_nothing(bench: Any) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    subscribe(handset)
    notified(handset)
    bench.call(forgotten(peer))
    assert handset.register(contact=f"<{handset.contact}>;expires=0").status == 200
    assert handset.ask("OPTIONS", "sip:x@ims.example", call_id="next").status == 200  # and nothing before
    assert not peer.registration_events.subscriptions


async def forgotten(peer: Any) -> None:
    peer.event_notifier.forget()


def test_a_subscribe_is_challenged_where_a_test_asks_for_it(bench: Any) -> None:
    """RFC 3261 22.3: the repeat with credentials is taken, and so is a refresh with the next nonce count."""
    peer = bench.start(subscribers=(SUBSCRIBER,))
    peer.answer_next("SUBSCRIBE", 407)
    handset = bench.handset()
    handset.register()
    challenged = subscribe(handset)
    assert challenged.status == 407
    challenge = challenged.header("Proxy-Authenticate")
    credentials = proxy_credentials(challenge, TARGET, "pw", "SUBSCRIBE")
    accepted = subscribe(handset, credentials, cseq=51)
    assert (accepted.status, accepted.header("Expires")) == (200, "600")
    notified(handset)
    again = subscribe(handset, credentials, to=accepted.header("To"), cseq=52)
    assert again.status == 407
    assert "stale=true" in again.header("Proxy-Authenticate").lower()


def test_a_subscribe_with_wrong_credentials_is_challenged_once_more_and_then_refused(bench: Any) -> None:
    peer = bench.start(subscribers=(SUBSCRIBER,))
    peer.answer_next("SUBSCRIBE", 407)
    handset = bench.handset()
    handset.register()
    rows: tuple[str, ...] = ()
    statuses = []
    for cseq in (50, 51, 52):
        answer = subscribe(handset, *rows, cseq=cseq)
        statuses.append(answer.status)
        if answer.status == 407:
            challenge = answer.header("Proxy-Authenticate")
            rows = (proxy_credentials(challenge, TARGET, "no", "SUBSCRIBE"),)
    assert statuses == [407, 407, 403]
    assert subscribe(handset, cseq=53).status == 200  # nobody asked for another challenge


def test_a_challenge_of_a_subscribe_needs_a_password_or_a_header_of_its_own(bench: Any) -> None:
    peer = bench.start()
    with pytest.raises(UsageError, match="needs a subscriber with a password"):
        peer.answer_next("SUBSCRIBE", 407)
    own = 'Digest realm="x", nonce="y"'
    peer.answer_next("SUBSCRIBE", 407, {"Proxy-Authenticate": own})
    handset = bench.handset()
    handset.register()
    assert subscribe(handset).header("Proxy-Authenticate") == own
