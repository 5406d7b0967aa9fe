"""Event notification and REFER against SIPp, as either end (RFC 6665, RFC 3515)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.agent.events.notifier import Admission, EventNotifier
from harness.agent.events.references import Reference, ReferenceSender, ReferenceTaker
from harness.agent.events.subscriber import EventSubscriber, Wish
from harness.agent.sip.agent import Hop, Incoming
from harness.bodies.reginfo import parse_reginfo
from harness.evidence.timeline import Timeline, Transport
from harness.peer.config import PeerConfig
from harness.peer.peer import Peer
from harness.sip.event_headers import ReferTo, SubscriptionState
from harness.sip.event_packages import REFER, REG, EventPackage
from harness.sip.message import Request
from harness.sip.refer import Referral
from harness.sip.sipfrag import Sipfrag
from harness.sip.subscription import Ended
from harness.sip.transaction import Timers
from tests.harness.agent.event_side import Side
from tests.interop.loopback import free_port
from tests.interop.test_sipp_agent import HOST, MODES, SIPP, ended, start_sipp, until_listening

pytestmark = [
    pytest.mark.interop,
    pytest.mark.usefixtures("network"),
    pytest.mark.skipif(SIPP is None, reason="SIPp is not installed (apt-get install sip-tester)"),
]
CALLS = 5
# SIPp knows a repeat only of what it received last, so that on a slow machine nothing may be repeated early.
PATIENT = Timers(t1=4.0)


@pytest.mark.parametrize("transport", MODES)
def test_sipp_subscribes_to_the_peer(transport: Transport, tmp_path: Path) -> None:
    async def scenario() -> None:
        peer = Peer(PeerConfig("ims.example"), Timeline(), PATIENT)
        await peer.start()
        try:
            address = peer.pcscf.agent.addresses[0]
            sipp = await start_sipp(
                "subscribe-from-sipp.xml", transport, tmp_path, free_port(), str(address), calls=CALLS
            )
            await ended(sipp)
            assert not peer.registration_events.subscriptions
        finally:
            await peer.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("transport", MODES)
def test_sipp_refers(transport: Transport, tmp_path: Path) -> None:
    async def scenario() -> None:
        side, loop = Side(PATIENT), asyncio.get_running_loop()
        address = await side.agent.listen(HOST)
        notifier = EventNotifier(side.respond, side.spawn, loop, loop.time)
        followed: list[str] = []

        def admission(incoming: Incoming) -> Admission:
            back = side.send_to(Hop(incoming.transport, incoming.source.host, incoming.source.port))
            return Admission("refer", side.contact, back)

        def follow(reference: Reference) -> None:
            followed.append(f"{reference.referral.method} {reference.referral.uri}")
            reference.progress(180)
            reference.progress(200)

        taker = ReferenceTaker(notifier, side.respond, admission, lambda *_: None, follow)
        side.handlers["REFER"] = taker.on_refer
        try:
            sipp = await start_sipp(
                "refer-from-sipp.xml", transport, tmp_path, free_port(), str(address), calls=CALLS
            )
            await ended(sipp)
            assert followed == ["INVITE sip:carol@example.net"] * CALLS
            await side.settled()
            assert side.failures == []
        finally:
            notifier.forget()
            await side.agent.close()

    asyncio.run(scenario())


class Asking:
    """Our side as subscriber of SIPp, and what it was told."""

    def __init__(self, side: Side, hop: Hop) -> None:
        loop = asyncio.get_running_loop()
        self.side, self.hop = side, hop
        self.subscriber = EventSubscriber(side.respond, side.spawn, loop, loop.time)
        side.handlers["NOTIFY"] = self.subscriber.on_notify
        self.over: asyncio.Queue[Ended] = asyncio.Queue()

    def wish(self, package: EventPackage, told: Callable[[Request, SubscriptionState], None]) -> Wish:
        return Wish(
            package,
            target=f"sip:sipp@{HOST}:{self.hop.port}",
            local="<sip:ours@example.net>",
            remote="<sip:sipp@example.net>",
            contact=self.side.contact,
            host=HOST,
            send=self.side.send_to(self.hop),
            on_notify=told,
            on_end=self.over.put_nowait,
            expires=600,
        )


def is_bound(port: int) -> bool:
    return f":{port:04X} " in Path("/proc/net/udp").read_text()


async def until_bound(hop: Hop) -> None:
    """SIPp has its port; looking for it must not take it away."""
    await until_listening(hop)
    async with asyncio.timeout(10):
        while hop.transport is Transport.UDP and not is_bound(hop.port):  # noqa: ASYNC110 - a foreign program
            await asyncio.sleep(0.02)


@asynccontextmanager
async def asking(scenario: str, transport: Transport, folder: Path, calls: int) -> AsyncIterator[Asking]:
    side = Side(PATIENT)
    await side.agent.listen(HOST)
    hop = Hop(transport, HOST, free_port())
    sipp = await start_sipp(scenario, transport, folder, hop.port, calls=calls)
    try:
        await until_bound(hop)
        lab = Asking(side, hop)
        yield lab
        await ended(sipp)
        await side.settled()
        assert side.failures == []
        assert list(lab.subscriber) == []
    finally:
        await side.agent.close()
        if sipp.returncode is None:
            sipp.kill()
            await sipp.wait()


async def subscribe_refresh_and_leave(lab: Asking) -> None:
    told: list[tuple[str, int]] = []

    def on_notify(notify: Request, state: SubscriptionState) -> None:
        told.append((state.state, parse_reginfo(notify.body).version))
        step = {1: lab.subscriber.refresh, 2: lab.subscriber.leave}.get(len(told))
        if step is not None:
            step(subscription)

    subscription = lab.subscriber.subscribe(lab.wish(REG, on_notify))
    async with asyncio.timeout(15):
        over = await lab.over.get()
    assert told == [("active", 0), ("active", 1), ("terminated", 2)]
    assert over == Ended("timeout", 0.0)


@pytest.mark.parametrize("transport", MODES)
def test_sipp_is_subscribed_to(transport: Transport, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking("subscribe-to-sipp.xml", transport, tmp_path, CALLS) as lab:
            for _ in range(CALLS):
                await subscribe_refresh_and_leave(lab)

    asyncio.run(scenario())


async def refer(lab: Asking) -> None:
    told: list[tuple[Any, str]] = []

    def on_progress(fragment: Sipfrag | None, state: SubscriptionState) -> None:
        told.append((fragment and fragment.status, state.state))

    referral = Referral(ReferTo.parse("<sip:carol@example.net>"))
    wish = lab.wish(REFER, lambda *_: None)
    reported = await ReferenceSender(lab.subscriber).refer(referral, wish, on_progress)
    assert reported.response.status == 202
    async with asyncio.timeout(15):
        over = await lab.over.get()
    assert told == [(100, "active"), (180, "active"), (200, "terminated")]
    assert over == Ended("noresource", None)


@pytest.mark.parametrize("transport", MODES)
def test_sipp_is_referred(transport: Transport, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking("refer-to-sipp.xml", transport, tmp_path, CALLS) as lab:
            for _ in range(CALLS):
                await refer(lab)

    asyncio.run(scenario())
