"""A peer and a simulated RCS client that exchange everything over loopback, and what the verifier finds.

What the drivers would tell of modem, instrument and screen is appended to the timeline by hand.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from devices.simulated.app_pages import Page
from devices.simulated.baseband import Baseband, Cell, Identity, Pdn
from devices.simulated.conversations import MessageStatus
from devices.simulated.defects import Defects
from devices.simulated.messaging_app import MessagingApp
from devices.simulated.personality import personality_named
from devices.simulated.rcs_access import RcsSettings
from devices.simulated.rcs_client import RcsClient
from harness.bodies.sdp_attributes import Setup
from harness.cpm.services import Service
from harness.evidence.timeline import Layer, Timeline, Transport, wall_clock
from harness.peer.config import Authentication, FarParty, PeerConfig, Subscriber
from harness.peer.mt_request import registered
from harness.peer.peer import Peer
from harness.peer.personality import PERSONALITIES as SERVERS
from harness.peer.transferred_file import OwnFile
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
        server: str = "reference",
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
                personality=SERVERS[server],
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
            DOMAIN,
            transport=self.transport,
            pcscf_port=addresses.sip_udp[0].port,
            retry_seconds=0.05,
            **SECRETS,
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


def told(findings: list[Finding]) -> set[str]:
    return {finding.rule for finding in findings if finding.party == "handset"}


def shown(findings: list[Finding]) -> str:
    """The first finding of each rule."""
    return "\n".join(map(str, {finding.rule: finding for finding in reversed(findings)}.values()))


LARGE = "large enough for a session of its own; " * 60  # 2340 octets: two chunks
FILE = bytes(range(256)) * 20  # 5120 octets: three chunks
PATH = "/sdcard/Download/octets.bin"


class SessionExchange(Exchange):
    """One run of the flows that have an MSRP session: chats, large messages, files, each way."""

    async def run_flows(self, *flows: str, defects: tuple[str, ...] = ()) -> list[Finding]:
        """These flows with these defects on; returns all findings under rcs51."""
        self.defects.switch(defects)
        await self.start()
        try:
            await self.register()
            self.timeline.event(Layer.ADB, "open", serial="SIM", conversation=FAR)
            self.app.set_visible(True)
            for flow in flows:
                await getattr(self, flow)()
                await self.quiet()
        finally:
            await self.stop()
        self.passed += 120.0  # what was due later has had its time
        self.timeline.event(Layer.LAB, "note")
        return self.judge("rcs51")

    def notify(self, displayed: timedelta | None = timedelta(milliseconds=5)) -> None:
        self.peer.notifications.policy(timedelta(0), displayed)

    async def heard(self, kind: str, message_id: str | None) -> None:
        """The far party has notified one of the handset's messages."""
        await self.peer.wait_event(
            lambda event: (
                event.kind.value == "notification sent"
                and event.subject.kind == kind
                and event.subject.message_id == message_id
            ),
            5,
        )

    async def chat(self) -> None:
        """Begun by the handset; a text each way, with their notifications, and the handset ends it."""
        self.notify()
        self.app.open_conversation(FAR, "Can we talk?")
        self.app.start_chat()
        mark = self.peer.mark()
        self.app.press_send()
        message = await self.peer.chats.wait_message("Can we talk?", timeout=5, after=mark)
        await self.heard("displayed", message.message_id)
        await self.answer(message.session)
        self.app.end_chat()
        await self.peer.chats.wait_ended(message.session, timeout=5)

    async def changed(self) -> None:
        """A chat of the handset that the far party refreshes by re-INVITE, and ends."""
        self.notify()
        self.write_in_chat()
        message = await self.peer.chats.wait_message(timeout=5)
        await self.heard("displayed", message.message_id)
        assert (await message.session.refresh("INVITE")).status == 200
        await self.peer.chats.end(message.session)

    async def unrefreshed(self) -> None:
        """A chat of the handset that the far party ends shortly before it expires."""
        self.notify()
        self.write_in_chat()
        message = await self.peer.chats.wait_message(timeout=5)
        await self.heard("displayed", message.message_id)
        self.passed += 1768.0
        await self.peer.chats.end(message.session)

    async def answer(self, chat: Any) -> None:
        """A text of the far party, and both notifications of the handset."""
        mark = self.peer.mark()
        sent = await self.peer.chats.send_text(chat, "We can")
        for state in ("delivered", "displayed"):
            await self.peer.notifications.wait_notification(sent.message_id, state, timeout=5, after=mark)

    async def called(self) -> None:
        """As `invited`, and the far party is the one to connect."""
        await self.invited(setup=Setup.ACTIVE)

    async def refused(self) -> None:
        """A chat of the handset that the far party refuses for what it offers."""
        self.write_in_chat()
        await self.not_sent()

    async def unsent(self) -> None:
        """A text in a chat that the far party does not take; then the handset ends the chat."""
        self.write_in_chat()
        chat = await self.peer.chats.wait_session(timeout=5)
        await self.not_sent()
        self.app.end_chat()
        await self.peer.chats.wait_ended(chat, timeout=5)

    def write_in_chat(self) -> None:
        self.app.open_conversation(FAR, "Can we talk?")
        self.app.start_chat()
        self.app.press_send()

    async def not_sent(self) -> None:
        """The last thing the user sent is shown as not sent."""
        message = self.app.conversations[FAR].messages[-1]
        for _ in range(20000):
            if message.status is MessageStatus.NOT_SENT:
                return
            await asyncio.sleep(0)
        raise AssertionError(f"it is shown as {message.status}")

    async def wrote(self) -> None:
        """A text in a chat, whatever becomes of it; then the handset ends the chat."""
        self.peer.notifications.policy(None, None)
        self.write_in_chat()
        chat = await self.peer.chats.wait_session(timeout=5)
        await self.quiet()
        self.app.end_chat()
        await self.peer.chats.wait_ended(chat, timeout=5)

    async def called_in_vain(self) -> None:
        """A chat the far party begins, and ends for the answer it gets."""
        self.app.open_conversation(FAR)
        chat = await self.peer.chats.invite(registered_handset(self.peer), setup=Setup.ACTIVE)
        await self.peer.chats.wait_ended(chat, timeout=5)

    async def unanswered(self) -> None:
        """A chat of the far party, whose text the handset does not answer while time goes by."""
        self.passed += 5.0  # the cell was switched on a while ago
        self.app.open_conversation(FAR)
        self.app.open_list()
        chat = await self.peer.chats.invite(registered_handset(self.peer))
        sending = asyncio.create_task(self.peer.chats.send_text(chat, "Are you there?", disposition=()))
        await self.quiet()
        self.passed += 40.0
        await self.peer.chats.end(chat)
        await sending

    async def group(self) -> None:
        """A group the handset founds, writes in, and leaves."""
        self.app.create_group("Trip", (FAR, "+12025550198"))
        session = await self.peer.groups.wait_session(timeout=5)
        self.app.pages.show(Page.CONVERSATION, self.app.current)
        self.app.type_text("Who comes along?")
        self.app.press_send()
        await self.peer.groups.wait_message("Who comes along?", timeout=5)
        await self.quiet()
        self.app.leave_group()
        await self.peer.groups.wait_ended(session, timeout=5)

    async def invited(self, setup: Setup = Setup.ACTPASS) -> None:
        """A chat the far party begins and ends."""
        self.app.open_conversation(FAR)
        chat = await self.peer.chats.invite(registered_handset(self.peer), setup=setup)
        assert chat.accepted, chat.status
        await self.answer(chat)
        await self.peer.chats.end(chat)
        self.app.end_chat()

    async def large(self) -> None:
        """A large message of the handset, and its notifications."""
        self.notify()
        self.app.open_conversation(FAR, LARGE)
        mark = self.peer.mark()
        self.app.press_send()
        message = await self.peer.large_messages.wait_message(LARGE, timeout=5, after=mark)
        await self.peer.large_messages.wait_ended(message.session, timeout=5)
        await self.heard("displayed", message.message_id)

    async def to_two(self) -> None:
        """A text of the handset to two, whose notifications come one after the other."""
        self.notify()
        self.app.open_conversation("+12025550171,+12025550172", "To you two")
        mark = self.peer.mark()
        self.app.press_send()
        message = await self.peer.pager.wait_message("To you two", timeout=5, after=mark)
        await self.heard("displayed", message.message_id)

    async def large_came(self) -> None:
        """A large message of the far party, and the handset's notifications."""
        self.app.open_conversation(FAR)
        mark = self.peer.mark()
        sent = await self.peer.large_messages.send_large(OWN, LARGE)
        for state in ("delivered", "displayed"):
            await self.peer.notifications.wait_notification(sent.message_id, state, timeout=5, after=mark)

    async def file(self) -> None:
        """A file of the handset, and its notifications."""
        self.notify()
        mark = self.peer.mark()
        self.share_file()
        came = await self.peer.file_transfers.wait_file(timeout=5, after=mark)
        assert came.as_announced, came.faults
        await self.peer.file_transfers.wait_ended(came.transfer, timeout=5, after=mark)
        await self.heard("displayed", came.message.message_id)

    async def file_left(self) -> None:
        """A file of the handset, whatever the far party makes of it."""
        mark = self.peer.mark()
        self.share_file()
        came = await self.peer.file_transfers.wait_file(timeout=5, after=mark)
        await self.peer.file_transfers.wait_ended(came.transfer, timeout=5, after=mark)
        if came.as_announced and came.message.message_id is not None:
            await self.heard("delivered", came.message.message_id)

    async def file_came(self, **options: Any) -> None:
        """A file of the far party, and the handset's notifications."""
        self.app.open_conversation(FAR)
        mark = self.peer.mark()
        file = OwnFile(FILE, "1MB.bin")
        transfer = await self.peer.file_transfers.push(OWN, file, **options)
        assert transfer.delivered, transfer.failure
        for state in ("delivered", "displayed"):
            await self.peer.notifications.wait_notification(transfer.message_id, state, timeout=5, after=mark)

    async def file_spoilt(self) -> None:
        """A file of the handset that does not arrive as it was announced."""
        self.share_file()
        await self.peer.file_transfers.wait_ended(timeout=5)

    async def file_refused(self) -> None:
        """A file of the handset that the far party refuses for what it offers."""
        self.share_file()
        await self.not_sent()

    def share_file(self) -> None:
        self.app.files.write(PATH, FILE, mtime=1_423_213_200)
        self.app.attach(FAR, PATH, "application/octet-stream")
        self.app.press_send()

    async def file_asked(self) -> None:
        """As `file_came`, and the user is asked first."""
        ringing = asyncio.create_task(
            self.peer.file_transfers.wait_ringing(timeout=5, after=self.peer.mark())
        )
        coming = asyncio.create_task(self.file_came())
        await ringing
        offer = self.app.conversations[FAR].messages[-1]
        self.app.touched("accept", offer.id)
        await coming


def registered_handset(peer: Peer) -> Any:
    """The handset as the target of an INVITE to a chat."""
    return registered(peer.registrar, OWN, Service.SESSION)
