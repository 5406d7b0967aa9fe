"""Each defect of the simulated handset is reported by its one rule; without a defect nothing is reported.

Peer and client talk over loopback; what the drivers would tell of modem, instrument and screen is appended to
the timeline by hand.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from devices.simulated.baseband import Baseband, Cell, Identity, Pdn
from devices.simulated.defects import DEFECTS, Defects
from devices.simulated.messaging_app import MessagingApp
from devices.simulated.personality import personality_named
from devices.simulated.rcs_access import RcsSettings
from devices.simulated.rcs_client import RcsClient
from harness.errors import UsageError
from harness.evidence.timeline import Layer, Timeline, Transport, wall_clock
from harness.peer.config import Authentication, FarParty, PeerConfig, Subscriber
from harness.peer.peer import Peer
from harness.verify.catalogue import load_catalogue
from harness.verify.engine import Verifier
from harness.verify.finding import Finding

DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
OWN, FAR = "+12025550101", "+12025550199"
CELL = Cell("001", "01", 1, 256, -85.0)
SECRETS: dict[str, Any] = {
    "k": bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc"),
    "opc": bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf"),
    "password": "geheim",
}


class Exchange:
    """One run of everything the handset does in pager mode, on one timeline."""

    def __init__(
        self,
        *,
        transport: Transport = Transport.UDP,
        host: str = "127.0.0.1",
        authentication: Authentication = Authentication.AKA,
        personality: str = "reference",
    ) -> None:
        self.passed, clock = 0.0, wall_clock()
        self.timeline = Timeline(lambda: clock() + self.passed)
        numbers = (f"sip:{OWN}@{DOMAIN};user=phone", f"tel:{OWN}")
        self.peer = Peer(
            PeerConfig(
                DOMAIN,
                (Subscriber(f"001010123456789@{DOMAIN}", numbers, **SECRETS),),
                authentication,
                listen=((host, 0),),
                far_party=FarParty.of(FAR, DOMAIN),
            ),
            self.timeline,
        )
        self.host, self.transport, self.personality = host, transport, personality
        self.baseband = Baseband(Identity(msisdn=OWN))
        self.app = MessagingApp(self.timeline.now)
        self.defects = Defects()
        self.client: RcsClient

    async def run(self, *defects: str) -> list[Finding]:
        """Everything with these defects on; returns all findings under rcs51."""
        self.defects.switch(defects)
        await self.start()
        try:
            await self.register()
            await self.write("Hello")
            await self.write("Hello again", challenged=True)
            await self.read("Hi there")
            await self.read("Ask me nothing", disposition=())
            await self.refuse()
            self.tell_screen()
            await self.end_by_airplane()
        finally:
            await self.stop()
        self.passed += 60.0  # what was due later has had its time
        self.timeline.event(Layer.LAB, "note")
        return self.judge("rcs51")

    async def start(self) -> None:
        addresses = await self.peer.start()
        settings = RcsSettings(
            DOMAIN, self.transport, addresses.sip_udp[0].port, retry_seconds=0.05, **SECRETS
        )
        client = RcsClient(
            self.baseband, self.app, settings, personality_named(self.personality), self.defects
        )
        client.start()
        self.client = client

    async def stop(self) -> None:
        await self.client.close()
        await self.peer.stop()

    def judge(self, profile: str) -> list[Finding]:
        return Verifier(profile).judge(self.timeline)

    # -- the steps

    async def register(self) -> None:
        imei = self.baseband.imei
        self.timeline.event(
            Layer.AT, "command", port="modem", command="AT+CGSN=1", lines=[f'+CGSN: "{imei}"'], final="OK"
        )
        cell = {"mcc": CELL.mcc, "mnc": CELL.mnc, "tac": CELL.tac, "eci": CELL.eci}
        self.timeline.event(Layer.VISA, "cell", on=True, **cell)
        self.timeline.event(Layer.ADB, "open", serial="SIM", conversation="+12025550000")
        self.attach()
        await self.peer.registrar.wait_registered(timeout=5)
        await self.notified(1)

    def attach(self) -> None:
        self.baseband.heard(CELL)
        self.baseband.attached(Pdn("ims", "127.0.0.2", (self.host,), "::1"))

    async def notified(self, count: int) -> None:
        """The handset has answered so many NOTIFY requests."""
        await self.until(lambda: self.count(b"CSeq: ", b"NOTIFY", b"SIP/2.0 200") >= count)

    def count(self, *marks: bytes) -> int:
        return sum(
            all(mark in entry.data for mark in marks) for entry in self.timeline if hasattr(entry, "data")
        )

    async def write(self, text: str, *, challenged: bool = False) -> None:
        """An MO text with both notifications."""
        self.peer.notifications.policy(timedelta(0), timedelta(milliseconds=5))
        if challenged:
            self.peer.pager.answer_next(407)
        self.app.open_conversation(FAR, text)
        self.app.press_send()
        message = await self.peer.pager.wait_message(text, timeout=5)
        for kind in ("delivered", "displayed"):
            await self.peer.wait_event(
                lambda event, kind=kind: (
                    event.kind.value == "notification sent"
                    and event.subject.kind == kind
                    and event.subject.message_id == message.message_id
                ),
                5,
            )
        self.app.open_list()

    async def read(self, text: str, **options: Any) -> None:
        """An MT text, which the user opens."""
        before = self.count(b"message/imdn+xml", b"MESSAGE sip:+12025550199")
        sent = await self.peer.pager.send_text(OWN, text, **options)
        assert sent.accepted
        asked = options.get("disposition", ("positive-delivery", "display"))
        await self.quiet()
        self.passed += 3.0  # the user takes a while; clocks of handset and host may differ by 2 s
        self.timeline.event(Layer.ADB, "open", serial="SIM", conversation=FAR)
        self.app.set_visible(True)
        self.app.open_conversation(FAR)
        wanted = before + len(asked)
        await self.until(lambda: self.count(b"message/imdn+xml", b"MESSAGE sip:+12025550199") >= wanted)
        await self.quiet()
        self.app.set_visible(False)
        self.app.open_list()
        self.timeline.event(Layer.ADB, "open", serial="SIM", conversation="+12025550000")

    async def refuse(self) -> None:
        """What the handset has to refuse."""
        await self.peer.pager.send_text(OWN, "x", content_type="application/x-unknown", disposition=())
        await self.peer.pager.send_text(
            OWN, "Requiring", headers={"Require": "x-rcslab-unknown"}, disposition=()
        )

    def tell_screen(self) -> None:
        messages = [
            {"text": m.text, "outgoing": m.outgoing, "status": m.status.value if m.status else ""}
            for m in self.app.conversations[FAR].messages
        ]
        self.timeline.event(Layer.ADB, "screen", serial="SIM", conversation=FAR, messages=messages)

    async def end_by_airplane(self) -> None:
        await self.switch_off()
        self.baseband.set_airplane(False)
        mark = self.peer.mark()
        self.attach()
        await self.peer.registrar.wait_registered(timeout=5, after=mark)
        await self.notified(3)
        await self.switch_off()
        self.tell_ims()

    async def switch_off(self) -> None:
        self.baseband.set_airplane(True)
        await self.baseband.wait_for(lambda baseband: baseband.pdn is None, 3)
        await self.quiet()

    def tell_ims(self) -> None:
        """AT+CIREG? well after the registration has ended."""
        self.passed += 4.0
        line = f"+CIREG: 0,{int(self.baseband.ims_registered)}"
        self.timeline.event(Layer.AT, "command", port="modem", command="AT+CIREG?", lines=[line], final="OK")

    # -- waiting

    async def until(self, condition: Any) -> None:
        """Until the timeline holds it; a defect may keep it from ever coming."""
        if condition():
            return
        reached = asyncio.Event()
        stop = self.timeline.listen(lambda _: reached.set() if condition() else None)
        try:
            await asyncio.wait_for(reached.wait(), 3)
        finally:
            stop()

    async def quiet(self) -> None:
        """All the handset had to say has been said and answered."""
        for turn in range(5000):
            await asyncio.sleep(0)  # loopback delivers at once
            if turn > 80 and not self.client.outbox.busy:
                return
        raise AssertionError("the handset does not come to rest")


EXPECTED_OF_SAMSUNG = {
    "pager.no-contact",
    "ims.sip-instance.non-register",
    "ims.imsi-derived",
    "sip.via.transport-param",
    "ims.ids.uuid",
    "ims.user-agent",
    "imdn.same-conversation",
}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_samsung_ims_is_reported_as_the_field_trace_is(host: str) -> None:
    exchange = Exchange(host=host, personality="samsung-ims-5.0")
    for profile, must in (("rcs51", False), ("ietf", True)):
        findings = await exchange.run() if profile == "rcs51" else exchange.judge(profile)
        assert told(findings) == EXPECTED_OF_SAMSUNG, shown(findings)
        assert all(finding.party == "handset" for finding in findings), shown(findings)
        failing = {finding.rule for finding in findings if finding.fails}
        assert failing == ({"pager.no-contact", "ims.sip-instance.non-register"} if must else set())


def told(findings: list[Finding]) -> set[str]:
    return {finding.rule for finding in findings if finding.party == "handset"}


def shown(findings: list[Finding]) -> str:
    """The first finding of each rule."""
    return "\n".join(map(str, {finding.rule: finding for finding in reversed(findings)}.values()))


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
@pytest.mark.parametrize("name", DEFECTS)
async def test_defect_is_reported_by_its_rule_alone(name: str, transport: Transport) -> None:
    findings = await Exchange(transport=transport).run(name)
    assert told(findings) == {DEFECTS[name].rule}, shown(findings)


@pytest.mark.parametrize("authentication", [Authentication.AKA, Authentication.DIGEST])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
async def test_without_defects_nothing_is_reported(
    transport: Transport, host: str, authentication: Authentication
) -> None:
    exchange = Exchange(transport=transport, host=host, authentication=authentication)
    findings = await exchange.run()
    for profile in ("ietf", "up2"):
        findings += exchange.judge(profile)
    assert not findings, shown(findings)


async def test_switched_on_and_off_while_it_runs() -> None:
    exchange = Exchange()
    await exchange.start()
    try:
        await exchange.register()
        for defects in (["no_max_forwards"], [], ["imdn_no_datetime"], []):
            exchange.defects.switch(defects)
            mark = len(exchange.timeline)
            await exchange.write(f"with {defects}")
            await exchange.read(f"read with {defects}")
            rules = {DEFECTS[name].rule for name in defects}
            found = [finding for finding in exchange.judge("rcs51") if finding.where.entry > mark]
            assert told(found) == rules, shown(found)
    finally:
        await exchange.stop()


def test_there_are_many_and_each_names_a_rule_that_is_implemented() -> None:
    catalogue = load_catalogue()
    assert len(DEFECTS) >= 30
    for defect in DEFECTS.values():
        assert catalogue[defect.rule].implemented, defect


def test_an_unknown_name_changes_nothing() -> None:
    defects = Defects(["content_lenfth"])
    with pytest.raises(UsageError, match="no defect nonsense"):
        defects.switch(["imdn_twice", "nonsense"])
    assert defects.active == ("content_lenfth",)
    defects.switch([" imdn_twice ", ""])
    assert defects.active == ("imdn_twice",)
    defects.switch([""])
    assert defects.active == ()
