"""The RCS client of the simulated handset: it lives on the PDN connection and serves the messaging app.

A PDN connection with a P-CSCF brings it up; its loss takes it down, texts and notifications stay queued.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from devices.simulated.baseband import Baseband, Change, Pdn
from devices.simulated.conversations import MessageStatus
from devices.simulated.defects import Defects
from devices.simulated.messaging_app import MessagingApp
from devices.simulated.messaging_service import NotServed
from devices.simulated.personality import Personality
from devices.simulated.rcs_access import ALLOW, METHODS, RcsAccess, RcsSettings
from devices.simulated.rcs_addressees import Addressees
from devices.simulated.rcs_capabilities import RcsCapabilities
from devices.simulated.rcs_chat import RcsChat
from devices.simulated.rcs_conversations import Conversations
from devices.simulated.rcs_deferred import RcsDeferred
from devices.simulated.rcs_files import RcsFiles
from devices.simulated.rcs_flows import service_for
from devices.simulated.rcs_groups import RcsGroups
from devices.simulated.rcs_large import RcsLarge
from devices.simulated.rcs_lists import RcsLists
from devices.simulated.rcs_notifications import RcsNotifications
from devices.simulated.rcs_outbox import Outbox
from devices.simulated.rcs_registration import RcsRegistration, SimCounter
from devices.simulated.rcs_sessions import UNDERSTOOD, RcsSessions, SessionService
from devices.simulated.rcs_texts import ACCEPTED, RcsTexts, TextShelf, WrittenText
from devices.simulated.rcs_wire import HandsetAgent
from harness.agent.sip.agent import Incoming
from harness.cpm.services import Service
from harness.cpm.technology import TECHNOLOGIES, ImTechnology, Technology
from harness.errors import RcsLabError, UsageError
from harness.evidence.timeline import Address, Entry, Timeline
from harness.sip.grammar import is_token
from harness.sip.message import Request, Response
from harness.sip.transaction import Timers

_log = logging.getLogger(__name__)

SERVED = ("MESSAGE", "NOTIFY", "OPTIONS")
ONLY_IN_DIALOGS = frozenset({"BYE", "CANCEL", "INFO", "PRACK", "UPDATE"})
FAREWELL_SECONDS = 2.0

Answer = Callable[[Response], None]


class Unrecorded(Timeline):
    """A timeline that keeps nothing: the handset's own view is no evidence, and it may run for days."""

    def _append(self, entry: Entry) -> None:
        return


@dataclass(slots=True)
class Connection:
    """What lives as long as one PDN connection."""

    pdn: Pdn
    access: RcsAccess
    registration: RcsRegistration
    sessions: RcsSessions
    running: asyncio.Task[None]


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
        self.outbox = Outbox()
        self.notifications = RcsNotifications(app, self.outbox, personality, defects)
        self.conversations = Conversations(personality.ids.make)
        shelf = TextShelf(app, self.notifications, self.conversations, personality, defects)
        self.texts = RcsTexts(shelf, self.outbox, settings)
        self.chats = RcsChat(shelf, settings)
        self.large = RcsLarge(shelf, settings)
        self.lists = RcsLists(shelf, self.outbox, self.large, settings)
        self.groups = RcsGroups(shelf, settings)
        self.capabilities = RcsCapabilities(app, settings.capability_seconds, lambda: self.features, ACCEPTED)
        addressees = Addressees(self.conversations, self.lists, self.groups, settings)
        self.files = RcsFiles(shelf, settings, addressees, self.groups)
        self.deferred = RcsDeferred(shelf, settings)
        self.services: tuple[SessionService, ...] = (
            self.chats,
            self.large,
            self.deferred,
            self.files,
            self.groups,
        )
        self._shelf = shelf
        self._sim = SimCounter()
        self._connection: Connection | None = None
        self._was_registered = False
        self._turn = asyncio.Lock()
        self._turns: set[asyncio.Task[None]] = set()
        self._stop_listening: Callable[[], None] | None = None
        app.service = self

    @property
    def registered(self) -> bool:
        """Whether the network has our Contact, as far as the client knows."""
        return self._connection is not None and self._connection.registration.registered

    def start(self) -> None:
        """Follow the PDN connection from now on."""
        self._stop_listening = self.baseband.subscribe(self._baseband_changed)
        self.baseband.farewell = self._farewell
        self._follow()

    async def close(self) -> None:
        """Leave without a word, as when the battery is taken out."""
        if self._stop_listening is not None:
            self._stop_listening()
            self.baseband.farewell = None
        turns = tuple(self._turns)
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)
        await self._down()
        for service in self.services:
            await service.close()
        await self.notifications.close()

    # -- what the messaging app asks

    def send_text(self, key: str, text: str, chat: bool) -> str:
        """Queue a text; it waits while there is no registration. Returns its imdn.Message-ID."""
        written = self._shelf.write(text)
        try:
            self._carrier(key, written, chat).send(key, written)
        except UsageError as error:
            _log.warning("cannot send: %s", error)
            self.app.outcome(written.message_id, MessageStatus.NOT_SENT)
        return written.message_id

    def _carrier(
        self, key: str, written: WrittenText, chat: bool
    ) -> RcsGroups | RcsLists | RcsChat | RcsTexts | RcsLarge:
        """What a text goes by; a standalone one by the pager mode up to its limit."""
        if self.groups.knows(key):
            return self.groups
        if self.lists.knows(key):
            return self.lists
        if chat or not self.technology.standalone:
            return self.chats
        return self.large if len(written.content) > self.settings.pager_limit else self.texts

    def conversation_shown(self, key: str) -> None:
        """The conversation is on screen."""
        self.notifications.shown(key)
        self.capabilities.shown(key)

    def end_chat(self, number: str) -> None:
        """The user ends the chat with this number."""
        self.chats.end(number)

    def typing(self, key: str, on: bool) -> None:
        """The user types in a chat or a group."""
        (self.groups if self.groups.knows(key) else self.chats).typing(key, on)

    def answer_offer(self, offer_id: str, accept: bool) -> None:
        """The user, or a setting, answers an invitation."""
        if not any(service.answer(offer_id, accept) for service in self.services):
            raise NotServed("The invitation is over")

    def create_group(self, subject: str, members: Sequence[str]) -> str:
        """The user founds a group."""
        return self.groups.create(subject, members)

    def join_group(self, uri: str) -> str:
        """The user joins a group."""
        return self.groups.join(uri)

    def add_to_group(self, key: str, number: str) -> None:
        """The user brings somebody into a group."""
        self.groups.add(key, number)

    def remove_from_group(self, key: str, number: str) -> None:
        """The user has somebody put out of a group."""
        self.groups.remove(key, number)

    def leave_group(self, key: str) -> None:
        """The user leaves a group."""
        self.groups.leave(key)

    def send_file(self, key: str, path: str, type: str) -> str:
        """Queue a file; it waits while there is no registration. Returns its imdn.Message-ID."""
        try:
            return self.files.send(key, path, type)
        except UsageError as error:
            raise NotServed(str(error)) from None

    def cancel(self, id: str) -> None:
        """The user gives a file up."""
        self.files.cancel(id)

    # -- what the radio brings

    def _baseband_changed(self, change: str) -> None:
        if change == Change.PDN:
            if self._connection is not None and self._connection.pdn is not self.baseband.pdn:
                self._cut(self._connection)
            self._follow()

    def _cut(self, connection: Connection) -> None:
        """Without its bearer a connection neither sends nor hears, from this instant on; then it is cleared
        away.
        """
        connection.access.agent.bearer = False
        connection.running.cancel()
        connection.registration.lost()
        self._pause()
        connection.sessions.cut()

    def _follow(self) -> None:
        self._take_turn(self._settle())

    def _take_turn(self, work: Coroutine[Any, Any, None]) -> None:
        turn = asyncio.create_task(work)
        self._turns.add(turn)
        turn.add_done_callback(self._turns.discard)

    def provision(self, technology: ImTechnology) -> None:
        """Use this technology from now on: the client registers anew with its tags."""
        if technology is not self.settings.im_technology:
            self.settings = replace(self.settings, im_technology=technology)
            self._take_turn(self._begin_anew())

    def time_by(self, *, t1: float | None = None, refresh_seconds: float | None = None) -> None:
        """Use these settings, in seconds, from now on; what is not given stays."""
        before = self.settings
        self.settings = replace(
            before,
            t1=before.t1 if t1 is None else t1,
            refresh_seconds=before.refresh_seconds if refresh_seconds is None else refresh_seconds,
        )
        if self._connection is not None:
            self._connection.sessions.time_by(self.settings)

    async def _begin_anew(self) -> None:
        await self._farewell()
        async with self._turn:
            await self._down()
        await self._settle()

    async def _settle(self) -> None:
        """Bring the client to what the PDN connection is now; one turn at a time."""
        async with self._turn:
            pdn = self.baseband.pdn
            if self._connection is not None and self._connection.pdn is not pdn:
                await self._down()
            if self._connection is None and pdn is not None:
                await self._up(pdn)

    async def _up(self, pdn: Pdn) -> None:
        pcscf = next(filter(_is_address, pdn.pcscf), None)
        if pcscf is None:
            _log.warning("the PDN connection names no P-CSCF: %s", ", ".join(pdn.pcscf) or "none")
            return
        timers = Timers(t1=self.settings.t1)
        agent = HandsetAgent(
            Unrecorded(), self._received, timers=timers, tls=self.settings.tls, part="simulated RCS client"
        )
        agent.defects = self.defects
        try:
            local = await agent.listen((pdn.ipv6 or "::1") if ":" in pcscf else pdn.address, 0)
            access = self._access(agent, local, pcscf)
            sessions = RcsSessions(access, agent.timeline, self.services, self.texts.receive_in_session)
            await sessions.open()
        except (RcsLabError, OSError) as error:
            _log.error("no socket on the address of the PDN connection: %s", error)
            await agent.close()
            return
        registration = RcsRegistration(access, self._sim, lambda _: self.show_registration(), self.features)
        running = asyncio.create_task(registration.run())
        self._connection = Connection(pdn, access, registration, sessions, running)

    def _access(self, agent: HandsetAgent, local: Address, pcscf: str) -> RcsAccess:
        access = RcsAccess(agent, local, pcscf, self.baseband, self.settings, self.personality, self.defects)
        agent.habits = access.as_is_its_habit
        return access

    async def _down(self) -> None:
        connection = self._connection
        if connection is None:
            return
        await _cancelled(connection.running)
        await self.outbox.close()
        await self.capabilities.gone()
        connection.registration.lost()
        self._connection = None
        self.show_registration()
        await connection.sessions.lost()
        await connection.access.agent.close()

    async def _farewell(self) -> None:
        """The radio is about to be switched off: end sessions, then deregister (TS 24.229 5.1.1.6)."""
        async with self._turn:
            connection = self._connection
            if connection is None:
                return
            await _cancelled(connection.running)
            self._pause()
            for what, saying in (
                ("the end of sessions", connection.sessions.farewell()),
                ("the deregistration", connection.registration.end()),
            ):
                try:
                    await asyncio.wait_for(saying, FAREWELL_SECONDS)
                except TimeoutError:
                    _log.warning("no answer to %s", what)

    def show_registration(self) -> None:
        """Tell modem and outbox what the registration is now."""
        self._was_registered |= self.registered
        claimed = self._was_registered and self.defects.has("claims_ims")
        self.baseband.ims_registered = self.registered or claimed
        _log.info("IMS %s", "registered" if self.registered else "not registered")
        if self._connection is not None and self.registered:
            self.outbox.open(self._connection.access)
            self.capabilities.ready(self._connection.access)
            for service in self.services:
                service.ready(self._connection.sessions)
        else:
            self._pause()

    def _pause(self) -> None:
        """Nothing new begins for now."""
        self.outbox.pause()
        for service in self.services:
            service.gone()

    @property
    def features(self) -> tuple[str, ...]:
        """The feature tags of what there is, each once with all its URNs (RFC 3840 9)."""
        flows = [flow for service in self.services for flow in service.flows]
        return self.technology.announced([Service.PAGER, *map(service_for, flows)])

    @property
    def technology(self) -> Technology:
        """What it is provisioned with."""
        return TECHNOLOGIES[self.settings.im_technology]

    # -- what the network sends

    def _received(self, incoming: Incoming) -> None:
        connection = self._connection
        if connection is None or connection.pdn is not self.baseband.pdn:
            return  # whose radio is gone hears nothing any more
        access, answered = connection.access, False

        def answer(response: Response) -> None:
            nonlocal answered
            answered = True
            access.agent.respond(incoming, response)

        try:
            self._serve(connection, incoming, answer)
        except RcsLabError as error:
            _log.warning("%s from %s: %s", incoming.message.method, incoming.source, error)
            if not answered:
                answer(access.response(incoming.message, 400))

    def _serve(self, connection: Connection, incoming: Incoming, answer: Answer) -> None:
        access, message = connection.access, incoming.message
        if connection.sessions.receive(incoming):
            return
        refusal = self._refusal(access, message)
        if refusal is not None:
            answer(refusal)
        elif message.method == "MESSAGE":
            self.texts.receive(access, message, answer)
        elif message.method == "NOTIFY":
            connection.registration.notified(incoming)
        else:
            answer(self.capabilities.answer(access, message))

    def _refusal(self, access: RcsAccess, message: Request) -> Response | None:
        """RFC 3261 8.2: method, dialog, Require. None when the request may be served.

        REFER is declined, as nothing here follows one (RFC 3515 2.4.2).
        """
        if message.method not in SERVED:
            if message.to.tag or message.method in ONLY_IN_DIALOGS:
                return access.response(message, 481)
            status = 603 if message.method in METHODS else 405
            return access.response(message, status, [("Allow", ALLOW)])
        if message.to.tag and message.method != "NOTIFY":
            return access.response(message, 481)
        unknown = [tag for tag in message.values("Require") if tag.lower() not in UNDERSTOOD]
        if unknown and not self.defects.has("ignore_require"):
            named = ", ".join(filter(is_token, unknown))
            return access.response(message, 420, [("Unsupported", named)] if named else [])
        return None


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(task, return_exceptions=True)
