"""The RCS client of the simulated handset: it lives on the PDN connection and serves the messaging app.

A PDN connection with a P-CSCF brings it up; its loss takes it down, texts and notifications stay queued.
"""

from __future__ import annotations

import asyncio
import logging
from ipaddress import ip_address

from devices.simulated.baseband import Baseband, Change
from devices.simulated.defects import Defects, Stage
from devices.simulated.messaging_app import MessageStatus, MessagingApp
from devices.simulated.personality import Personality
from devices.simulated.rcs_access import ALLOW, RcsAccess, RcsSettings
from devices.simulated.rcs_registration import FEATURES, RcsRegistration, SimCounter
from devices.simulated.rcs_texts import ACCEPTED, RcsTexts
from harness.agent.sip_agent import Incoming, SipAgent
from harness.cpm.tokens import new_id
from harness.errors import RcsLabError
from harness.evidence.timeline import Entry, Timeline
from harness.sip.message import Response

_log = logging.getLogger(__name__)

UNDERSTOOD = frozenset({"path", "gruu", "timer"})
FAREWELL_SECONDS = 2.0


class Unrecorded(Timeline):
    """A timeline that keeps nothing: the handset's own view is no evidence, and it may run for days."""

    def _append(self, entry: Entry) -> None:
        return


class RcsClient:
    """One RCS client. `start` ties it to the baseband, `close` ends it."""

    def __init__(
        self,
        baseband: Baseband,
        app: MessagingApp,
        settings: RcsSettings,
        personality: Personality,
        defects: Defects,
    ) -> None:
        self.baseband, self.app, self.settings = baseband, app, settings
        self.personality, self.defects = personality, defects
        self.texts = RcsTexts(app)
        self.access: RcsAccess | None = None
        self.registration: RcsRegistration | None = None
        self._sim = SimCounter()
        self._running: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._turns: set[asyncio.Task[None]] = set()
        self._waiting: list[tuple[str, str, str]] = []
        app.service = self

    def start(self) -> None:
        """Follow the PDN connection from now on."""
        self.baseband.subscribe(self._baseband_changed)
        self.baseband.farewell = self._farewell
        self._follow()

    async def close(self) -> None:
        """Leave without a word, as when the battery is taken out."""
        for turn in tuple(self._turns):
            turn.cancel()
        await self._down()

    # -- what the messaging app asks

    def send_text(self, to: str, text: str) -> str:
        """Queue a text; it waits while there is no IP connection."""
        if self.access is None:
            message_id = new_id(24)
            self._waiting.append((to, text, message_id))
            return message_id
        message_id = self.texts.new_message_id(self.access)
        self.texts.send_text(self.access, to, text, message_id)
        return message_id

    def conversation_shown(self, number: str) -> None:
        """The conversation is on screen."""
        if self.access is not None:
            self.texts.shown(self.access, number)

    # -- what the radio brings

    def _baseband_changed(self, change: str) -> None:
        if change == Change.PDN:
            self._follow()

    def _follow(self) -> None:
        turn = asyncio.create_task(self._settle())
        self._turns.add(turn)
        turn.add_done_callback(self._turns.discard)

    async def _settle(self) -> None:
        """Bring the client to what the PDN connection is now; one turn at a time."""
        async with self._turn:
            pdn = self.baseband.pdn
            wanted = pdn.pcscf[0] if pdn and pdn.pcscf else None
            if self.access is not None and self.access.pcscf != wanted:
                await self._down()
            if self.access is None and wanted is not None and pdn is not None:
                await self._up(wanted, pdn.address, pdn.ipv6)

    async def _up(self, pcscf: str, ipv4: str, ipv6: str | None) -> None:
        agent = SipAgent(Unrecorded(), self._received, part="simulated RCS client")
        own = (ipv6 or "::1") if ip_address(pcscf).version == 6 else ipv4
        try:
            local = await agent.listen(own, 0)
        except RcsLabError as error:
            _log.error("no socket on the address of the PDN connection: %s", error)
            await agent.close()
            return
        self.access = RcsAccess(
            agent, local, pcscf, self.baseband, self.settings, self.personality, self.defects
        )
        self.registration = RcsRegistration(self.access, self._sim, self._registration_changed)
        self._running = asyncio.create_task(self.registration.run())
        waiting, self._waiting = self._waiting, []
        for to, text, message_id in waiting:
            self.texts.send_text(self.access, to, text, message_id)

    async def _down(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._running = None
        await self.texts.outbox.close()
        if self.registration is not None:
            self.registration.lost()
            self.registration = None
        if self.access is not None:
            access, self.access = self.access, None
            await access.agent.close()

    async def _farewell(self) -> None:
        """The radio is about to be switched off: deregister first (TS 24.229 5.1.1.6)."""
        async with self._turn:
            if self._running is not None:
                self._running.cancel()
                await asyncio.gather(self._running, return_exceptions=True)
                self._running = None
            if self.registration is not None:
                try:
                    await asyncio.wait_for(self.registration.end(), FAREWELL_SECONDS)
                except TimeoutError:
                    _log.warning("no answer to the deregistration")

    def _registration_changed(self) -> None:
        registration, access = self.registration, self.access
        registered = registration is not None and registration.registered
        self.baseband.ims_registered = registered
        _log.info("IMS %s", "registered" if registered else "not registered")
        if registered and access is not None:
            self.texts.outbox.open(access)

    # -- what the network sends

    def _received(self, incoming: Incoming) -> None:
        access = self.access
        if access is None or incoming.message.method == "ACK":
            return

        def answer(response: Response) -> None:
            access.agent.respond(incoming, access.defects.apply(Stage.RESPONSE, response))

        refusal = self._refusal(access, incoming)
        if refusal is not None:
            answer(refusal)
        elif incoming.message.method == "MESSAGE":
            self.texts.receive(access, incoming, answer)
        elif incoming.message.method == "NOTIFY" and self.registration is not None:
            answer(self.registration.notified(incoming))
        else:
            headers = [
                ("Contact", ";".join([f"<{access.contact_uri}>", *FEATURES])),
                ("Allow", ALLOW),
                ("Accept", ACCEPTED),
                ("Supported", ", ".join(sorted(UNDERSTOOD))),
            ]
            answer(access.response(incoming.message, 200, headers))

    def _refusal(self, access: RcsAccess, incoming: Incoming) -> Response | None:
        """RFC 3261 8.2: method, Require, dialog. None when the request may be served."""
        message = incoming.message
        if message.method not in ("MESSAGE", "NOTIFY", "OPTIONS"):
            status = 481 if message.to.tag or message.method == "CANCEL" else 405
            return access.response(message, status, [("Allow", ALLOW)] if status == 405 else [])
        unknown = [tag for tag in message.values("Require") if tag.lower() not in UNDERSTOOD]
        if unknown and not access.defects.has("ignore_require"):
            return access.response(message, 420, [("Unsupported", ", ".join(unknown))])
        if message.to.tag and message.method != "NOTIFY":
            return access.response(message, 481)
        return None


__all__ = ["MessageStatus", "RcsClient"]
