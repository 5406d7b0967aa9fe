"""SUBSCRIBE Event: conference and what follows (RFC 4575, RFC 6665)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness.bodies.conference_info import ConferenceInfo, Status, conference, endpoint, user
from harness.errors import UsageError

FOCUS = "sip:focus@ims.example"


class Roster:
    """Who is in the conference."""

    def __init__(self) -> None:
        self.users = ["sip:a@ims.example"]

    def describe(self, version: int) -> ConferenceInfo:
        there = (user(each, endpoint(each, Status.CONNECTED)) for each in self.users)
        return conference(FOCUS, version, *there, user_count=len(self.users))


def subscribe(handset: Any, *extra: str, target: str = FOCUS, to: str = FOCUS, cseq: int = 50) -> Any:
    return handset.ask(
        "SUBSCRIBE",
        target,
        "Event: conference",
        "Accept: application/conference-info+xml",
        f"Contact: <{handset.contact}>",
        *extra,
        to=to,
        call_id="conference-1",
        cseq=cseq,
    )


def notified(handset: Any) -> Any:
    notify = handset.receive()
    assert notify.start == f"NOTIFY {handset.contact} SIP/2.0"
    handset.answer(notify)
    return notify


async def begin(peer: Any, roster: Roster) -> None:
    peer.conference_events.hold(FOCUS, roster.describe)


async def tell(peer: Any) -> None:
    peer.conference_events.changed(FOCUS)


async def end(peer: Any) -> None:
    peer.conference_events.release(FOCUS)


def test_a_conference_is_told_whole_each_time(bench: Any) -> None:
    peer, roster = bench.start(), Roster()
    bench.call(begin(peer, roster))
    handset = bench.handset()
    accepted = subscribe(handset)
    assert (accepted.status, accepted.header("Expires")) == (200, "3600")
    notify = notified(handset)
    assert notify.header("Event") == "conference"
    assert notify.header("Subscription-State") == "active;expires=3600"
    assert notify.header("Content-Type") == "application/conference-info+xml"
    assert 'entity="sip:focus@ims.example" state="full" version="0"' in notify.body
    assert re.findall('<user entity="(.*?)"', notify.body) == ["sip:a@ims.example"]
    roster.users.append("sip:b@ims.example")
    bench.call(tell(peer))
    notify = notified(handset)
    assert 'version="1"' in notify.body
    assert re.findall('<user entity="(.*?)"', notify.body) == ["sip:a@ims.example", "sip:b@ims.example"]
    assert notify.header("CSeq") == "2 NOTIFY"


def test_the_end_of_a_conference_ends_its_subscriptions(bench: Any) -> None:
    peer = bench.start()
    bench.call(begin(peer, Roster()))
    handset = bench.handset()
    tag = re.search(r";tag=(\S+)", subscribe(handset).header("To") or "")
    assert tag is not None
    notified(handset)
    bench.call(end(peer))
    notify = notified(handset)
    assert notify.header("Subscription-State") == "terminated;reason=noresource"
    assert 'state="deleted" version="1"' in notify.body
    assert subscribe(handset, to=f"<{FOCUS}>;tag={tag[1]}", cseq=51).status == 481
    assert subscribe(handset, cseq=52).status == 404


def test_a_conference_nobody_holds_is_404(bench: Any) -> None:
    peer = bench.start()
    bench.call(begin(peer, Roster()))
    assert subscribe(bench.handset(), target="sip:other@ims.example").status == 404


def test_the_package_is_offered_once_there_is_a_conference(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    assert subscribe(handset).status == 489
    bench.call(begin(peer, Roster()))
    assert (
        handset.ask("OPTIONS", ue, call_id="o").header("Allow-Events") == "reg, deferred-messages, conference"
    )


def test_other_bodies_are_not_to_be_had(bench: Any) -> None:
    peer = bench.start()
    bench.call(begin(peer, Roster()))
    handset = bench.handset()
    answer = handset.ask(
        "SUBSCRIBE",
        FOCUS,
        "Event: conference",
        "Accept: text/plain",
        f"Contact: <{handset.contact}>",
        to=FOCUS,
    )
    assert (answer.status, answer.header("Accept")) == (406, "application/conference-info+xml")


def test_a_conference_is_held_once(bench: Any) -> None:
    peer = bench.start()
    bench.call(begin(peer, Roster()))
    with pytest.raises(UsageError):
        bench.call(begin(peer, Roster()))
    bench.call(end(peer))
    with pytest.raises(UsageError):
        bench.call(end(peer))
