"""Chats and large messages of a whole bench: a handset process on adb, the peer, the verifier."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from devices.handset import TextStatus
from harness.agent.session.user import Cause
from harness.lab.bench import Bench
from harness.lab.model import load_lab
from harness.peer.mt_request import Target
from harness.peer.received import Carrier
from harness.verify.finding import Party

FAR = "+12025550199"
ANONYMOUS = "<sip:anonymous@anonymous.invalid>"
SECONDS = 10


class Desk:
    """A bench whose handset is registered, and shorthand for its two sides."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.peer = bench, bench.peer
        self.android = bench.handset().android
        self.binding = self.call(self.peer.registrar.wait_registered(timeout=SECONDS))
        self.since = len(bench.timeline)

    def call(self, work: Any) -> Any:
        return self.bench.loop.call(work, SECONDS + 5)

    @property
    def target(self) -> Target:
        return Target.of(self.binding)

    def notified(self, message_id: str, kind: str) -> Carrier:
        wait = self.peer.notifications.wait_notification(message_id, kind, timeout=SECONDS)
        carrier: Carrier = self.call(wait).carrier
        return carrier

    def wrong(self) -> list[str]:
        """What the verifier says of the handset, whatever its weight."""
        found = (each for each in self.bench.judge(self.since) if each.party is Party.HANDSET)
        return [f"{each.rule}: {each.actual}" for each in found]


@pytest.fixture
def desk(here: Any) -> Iterator[Desk]:
    bench = Bench.lease_and_open(load_lab(here.file), "a", here.folder / "logs")
    try:
        bench.peer.notifications.policy(timedelta(0), timedelta(0))
        yield Desk(bench)
    finally:
        bench.close()


def test_a_chat_the_user_begins(desk: Desk) -> None:
    peer, android = desk.peer, desk.android
    android.start_chat(FAR)
    android.send_text(FAR, "hello there")
    chat = desk.call(peer.chats.wait_session(timeout=SECONDS))
    message = desk.call(peer.chats.wait_message("hello there", timeout=SECONDS))
    assert message.cpim is not None
    assert message.cpim.get("From") == ANONYMOUS
    android.wait_for_text("hello there", SECONDS, outgoing=True, status=TextStatus.READ)
    sent = desk.call(peer.chats.send_text(chat, "and to you"))
    assert [desk.notified(sent.message_id, kind) for kind in ("delivered", "displayed")] == [Carrier.MSRP] * 2
    android.end_chat(FAR)
    desk.call(peer.chats.wait_ended(chat, timeout=SECONDS))
    assert (chat.ending.cause, chat.ending.by_us) == (Cause.BYE, False)
    assert desk.wrong() == []


def test_a_chat_the_far_party_begins(desk: Desk) -> None:
    peer, android = desk.peer, desk.android
    chat = desk.call(peer.chats.invite(desk.target))
    sent = desk.call(peer.chats.send_text(chat, "are you there"))
    assert desk.notified(sent.message_id, "delivered") is Carrier.MSRP
    desk.call(peer.chats.end(chat))
    android.open_conversation(FAR)
    assert desk.notified(sent.message_id, "displayed") is Carrier.MESSAGE
    assert desk.wrong() == []


def test_a_chat_that_lost_its_coverage(desk: Desk) -> None:
    peer, android = desk.peer, desk.android
    android.start_chat(FAR)
    android.send_text(FAR, "before")
    desk.call(peer.chats.wait_message("before", timeout=SECONDS))
    mark = len(desk.bench.timeline)
    desk.bench.network_simulator.cell_off(SECONDS)
    desk.bench.network_simulator.cell_on(SECONDS)
    desk.call(peer.registrar.wait_registered(timeout=SECONDS, after=mark))
    android.send_text(FAR, "after")
    desk.call(peer.chats.wait_message("after", timeout=SECONDS))
    assert desk.wrong() == []


LONG = " ".join(f"word {number}" for number in range(200))


def test_a_large_message_of_the_handset(desk: Desk) -> None:
    peer, android = desk.peer, desk.android
    android.send_text(FAR, LONG)
    desk.call(peer.large_messages.wait_message(LONG, timeout=SECONDS))
    session = desk.call(peer.large_messages.wait_ended(timeout=SECONDS))
    assert session.ending.by_us is False
    android.wait_for_text(LONG, SECONDS, outgoing=True, status=TextStatus.READ)
    assert desk.wrong() == []


def test_a_large_message_to_the_handset(desk: Desk) -> None:
    peer, android = desk.peer, desk.android
    large = desk.call(peer.large_messages.send_large(desk.binding.aor, LONG))
    assert large.failure == ""
    assert desk.notified(large.message_id, "delivered") is Carrier.MESSAGE
    android.open_conversation(FAR)
    assert desk.notified(large.message_id, "displayed") is Carrier.MESSAGE
    android.wait_for_text(LONG, SECONDS, outgoing=False)
    assert desk.wrong() == []
