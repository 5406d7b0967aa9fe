"""What the peer keeps for each handset and each message, while their transactions live."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.peer import journal

COUNT = 400
FEATURES = (
    '+sip.instance="<urn:gsma:imei:35469106-053673-0>";+g.oma.sip-im;+g.3gpp.smsip;+g.3gpp.icsi-ref='
    '"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg,urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session"'
)


@pytest.fixture
def kept() -> Iterator[Callable[[], int]]:
    """Octets allocated since the fixture was made."""
    gc.collect()
    tracemalloc.start()
    try:
        yield lambda: (gc.collect(), tracemalloc.get_traced_memory()[0])[1]
    finally:
        tracemalloc.stop()


def identity(number: int) -> str:
    return f"sip:+4917{number:08d}@ims.example"


def test_a_registered_handset_costs_less_than_twenty_kilobytes(bench: Any, kept: Callable[[], int]) -> None:
    bench.start()
    handset = bench.handset()

    def register(number: int) -> None:
        who = identity(number)
        contact = f"<sip:ue{number}@{handset.host}:{handset.port}>;{FEATURES}"
        row = "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000000"
        answer = handset.register(row, contact=contact, to=who, sender=who, call_id=f"call-{number}")
        assert answer.status == 200

    register(0)
    before = kept()
    for number in range(1, 1 + COUNT):
        register(number)
    assert len(bench.peer.registrar.bindings) == 1 + COUNT
    assert (kept() - before) / COUNT < 20_000


def test_an_answered_message_costs_less_than_six_kilobytes_while_repeats_may_come(
    bench: Any, kept: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over UDP its transaction lives for 32 s more (RFC 3261 17.2.2, timer J)."""
    monkeypatch.setattr(journal, "KEPT", 20)
    bench.start().notifications.policy(None, None)
    handset = bench.handset()

    def send(count: int) -> None:
        for _ in range(count):
            handset.send(text := handset.text(text="x" * 500))
            assert handset.receive().status == 200
        handset.send(text)
        assert handset.receive().status == 200, "a repeat is no longer answered"

    send(60)
    before = kept()
    send(COUNT)
    assert (kept() - before) / COUNT < 6_000


def test_messages_beyond_those_remembered_are_let_go(
    bench: Any, kept: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over TCP, where nothing waits for repeats of the transaction (RFC 3261 17.2.2)."""
    monkeypatch.setattr(journal, "KEPT", 20)
    bench.start().notifications.policy(None, None)
    handset = bench.handset(stream=True)

    def send(count: int) -> None:
        for _ in range(count):
            handset.send(handset.text())
            assert handset.receive().status == 200

    send(60)
    before = kept()
    send(COUNT)
    assert len(bench.peer.pager.received) < 40
    assert (kept() - before) / COUNT < 6_000


@pytest.mark.parametrize("method", ["MESSAGE", "REGISTER", "OPTIONS"])
def test_what_a_request_leaves_behind_does_not_wait_for_the_collector(bench: Any, method: str) -> None:
    """Cycles would pile up until a full collection, which stops the loop under load."""
    bench.start().notifications.policy(None, None)
    handset = bench.handset(stream=True)

    def ask(number: int) -> None:
        if method == "REGISTER":
            answer = handset.register(call_id=f"call-{number}")
        else:
            row, far = "Content-Type: text/plain", "sip:+491709999999@ims.example"
            answer = handset.ask(method, far, row, to=far, body="hello", call_id=f"call-{number}")
        assert answer.status == 200

    for number in range(10):
        ask(number)
    gc.collect()
    gc.disable()
    try:
        for number in range(10, 110):
            ask(number)
        found = gc.collect()
    finally:
        gc.enable()
    assert found < 100
