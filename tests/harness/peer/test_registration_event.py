"""SUBSCRIBE Event: reg and what follows (RFC 3680, RFC 6665)."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

NS = "{urn:ietf:params:xml:ns:reginfo}"


def subscribe(handset: Any, *extra: str, to: str | None = None, expires: int = 600, cseq: int = 50) -> Any:
    target = "sip:+491701234567@ims.example;user=phone"
    return handset.ask(
        "SUBSCRIBE",
        target,
        "Event: reg",
        "Accept: application/reginfo+xml",
        f"Expires: {expires}",
        f"Contact: <{handset.contact}>",
        *extra,
        to=to or target,
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
    assert (answer.status, answer.header("Allow-Events")) == (489, "reg")


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
