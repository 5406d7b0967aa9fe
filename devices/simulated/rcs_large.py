"""Large message mode of the RCS client: a text above the pager limit, in an MSRP session of its own.

OMA CPM over RFC 3261 and RFC 4975, file-selector:size of RFC 5547: INVITE, one message, BYE. What comes is
notified by MESSAGE once it is here whole.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from devices.simulated.conversations import MessageStatus
from devices.simulated.rcs_access import RcsSettings
from devices.simulated.rcs_group_lists import ListedWith, alone
from devices.simulated.rcs_notifications import Received
from devices.simulated.rcs_sessions import Arrival, Hooks, Media, RcsSessions, SessionCall
from devices.simulated.rcs_texts import PLAIN, TextShelf, WrittenText
from harness.agent.background import Background
from harness.agent.msrp.services import CPIM, Flow
from harness.agent.msrp.session import MsrpUser, ReceivedMessage
from harness.agent.session.user import Ending
from harness.bodies.cpim import parse_cpim
from harness.bodies.file_attributes import FileDescription, FileSelector
from harness.bodies.imdn import MEDIA_TYPE as NOTIFICATION
from harness.cpm.identity import Msisdn
from harness.cpm.services import Service
from harness.cpm.tokens import new_id
from harness.errors import BodySyntaxError, RcsLabError

_log = logging.getLogger(__name__)

LIST_INVITE = "recipient-list-invite"  # RFC 5366 3
LINGER_SECONDS = 30.0
"""How long a session may stay once its message is here, before we hang up for the sender."""


@dataclass(frozen=True, slots=True)
class _Letter:
    """A text on its way, and the URI it is for: a recipient, or a list service and its list."""

    target: str
    text: WrittenText
    listed: tuple[str, ...] = ()


class RcsLarge:
    """The large message mode of one client: one message at a time to a number, kept while not registered."""

    flows = (Flow.LARGE,)

    def __init__(self, shelf: TextShelf, settings: RcsSettings) -> None:
        self._shelf, self._app, self._settings = shelf, shelf.app, settings
        self._sessions: RcsSessions | None = None
        self._queues: dict[str, deque[_Letter]] = {}
        self._workers: set[str] = set()
        self._lingering: dict[SessionCall, asyncio.TimerHandle] = {}
        self._background = Background()

    # -- the client's connection

    def ready(self, sessions: RcsSessions) -> None:
        """Registered: what waits goes."""
        self._sessions = sessions
        for number in tuple(self._queues):
            self._work(number)

    def gone(self) -> None:
        """Texts wait from now on."""
        self._sessions = None

    def answer(self, offer_id: str, accept: bool) -> bool:
        """Nobody is asked about a text."""
        return False

    async def close(self) -> None:
        """Nothing more is sent."""
        for timer in self._lingering.values():
            timer.cancel()
        self._background.cancel()
        await self._background.ended()

    # -- MO

    def send(self, number: str, text: WrittenText) -> None:
        """Queue a text; it goes when the client is registered. Raises UsageError for what is no number."""
        self._put(number, _Letter(Msisdn.parse(number).sip(self._settings.domain), text))

    def send_to_several(self, key: str, text: WrittenText, uris: tuple[str, ...]) -> None:
        """Queue a text for these, which a list service sends to each (RFC 5363)."""
        self._put(key, _Letter(self._settings.lists, text, uris))

    def _put(self, number: str, letter: _Letter) -> None:
        self._queues.setdefault(number, deque()).append(letter)
        self._work(number)

    def _work(self, number: str) -> None:
        if self._sessions is not None and number in self._queues and number not in self._workers:
            self._workers.add(number)
            self._run(self._drain(number))

    async def _drain(self, number: str) -> None:
        """Send what waits, in order. What the loss of the connection cut short goes again over the next."""
        queue = self._queues[number]
        try:
            while queue and (sessions := self._sessions) is not None:
                sent = await self._transfer(sessions, number, queue[0])
                if not sent and self._sessions is not sessions:
                    break
                letter = queue.popleft()
                shown = MessageStatus.SENT if sent else MessageStatus.NOT_SENT
                self._app.outcome(letter.text.message_id, shown)
        finally:
            self._workers.discard(number)
            if not queue:
                del self._queues[number]
        self._work(number)

    async def _transfer(self, sessions: RcsSessions, number: str, letter: _Letter) -> bool:
        """One message in a session of its own. Whether all of it arrived."""
        shelf, size = self._shelf, len(letter.text.content)
        ids = shelf.conversations.id_of(number), shelf.personality.ids.make()
        file = FileDescription(FileSelector(size=size), transfer_id=new_id(32))
        call = sessions.invite(
            Flow.LARGE,
            letter.target,
            ids,
            Hooks(),
            Media(PLAIN, file),
            service=Service.LARGE_GROUP if letter.listed else None,
            headers=[("Require", LIST_INVITE)] if letter.listed else (),
            body=ListedWith(letter.listed) if letter.listed else alone,
        )
        outcome = await call.begun()
        if outcome.session is None:
            why = outcome.failure if outcome.response is None else str(outcome.response.status)
            _log.warning("a large message to %s was not taken: %s", number, why)
            return False
        try:
            return await self._deliver(call, letter)
        except RcsLabError as error:
            _log.warning("a large message to %s: %s", number, error)
            return False
        finally:
            self._run(call.hang_up())

    async def _deliver(self, call: SessionCall, letter: _Letter) -> bool:
        document = letter.text.document(call.identity, letter.target, self._shelf.defects)
        handle = await call.opened()
        limit = handle.plan.remote_max_size
        if limit is not None and len(document) > limit:
            _log.warning("%d octets, and %s takes %d (RFC 4975 8.6)", len(document), letter.target, limit)
            return False
        return (await handle.send(document, CPIM)).good

    # -- MT

    def invited(self, arrival: Arrival) -> None:
        """A message wants to come: nobody is asked, as for any text."""
        self._run(self._take(arrival))

    async def _take(self, arrival: Arrival) -> None:
        await arrival.accept(
            Hooks(
                msrp=lambda call: MsrpUser(message=lambda message: self._came(arrival, call, message)),
                ended=self._ended,
            ),
            Media(PLAIN),
        )

    def _came(self, arrival: Arrival, call: SessionCall, message: ReceivedMessage) -> None:
        """All of it is here. A repeat after a lost response counts once (RFC 4975 5.4)."""
        if call not in self._lingering:
            self._lingering[call] = asyncio.get_running_loop().call_later(
                LINGER_SECONDS, lambda: self._run(call.hang_up())
            )
        if message.again:
            return
        try:
            cpim = parse_cpim(message.content.read())
            kind, content = cpim.content_type.essence if cpim.content_type else "", cpim.decoded()
        except BodySyntaxError as error:
            _log.warning("an unreadable large message from %s: %s", arrival.number, error)
            return
        if kind == NOTIFICATION:
            self._shelf.notifications.take(content)
        elif kind == PLAIN:
            parties = call.parties
            received = Received.of(cpim, parties.target, parties.conversation, self._shelf.clock())
            self._shelf.came(arrival.number, cpim, content, received)

    def _ended(self, call: SessionCall, ending: Ending) -> None:
        timer = self._lingering.pop(call, None)
        if timer is not None:
            timer.cancel()

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._background.spawn(work)
