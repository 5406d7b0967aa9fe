"""Deferred messages of the RCS client: told by the network that they wait, fetched, shown and notified.

RFC 6665 for the event package, OMA CPM for the rest: an INVITE that only receives, each message on its own in
CPIM with its original sender, and notifications by MESSAGE to that sender.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from devices.simulated.rcs_access import ALLOW, RcsSettings
from devices.simulated.rcs_conversations import number_of
from devices.simulated.rcs_notifications import Received
from devices.simulated.rcs_sessions import Arrival, Hooks, RcsSessions, SessionCall
from devices.simulated.rcs_texts import PLAIN, TextShelf
from harness.agent.background import Background
from harness.agent.events.subscriber import Subscription, Wish
from harness.agent.msrp.services import Flow
from harness.agent.msrp.session import MsrpUser, ReceivedMessage
from harness.agent.session.user import Ending
from harness.bodies.cpim import CpimMessage, parse_cpim
from harness.errors import BodySyntaxError, RcsLabError
from harness.sip.event_headers import SubscriptionState
from harness.sip.event_packages import DEFERRED_MESSAGES
from harness.sip.subscription import Ended

_log = logging.getLogger(__name__)

PATIENCE_SECONDS = 30.0
"""How long a fetch may stay without a message, before we hang up for the network."""


class RcsDeferred:
    """The deferred messages of one client. on: whether it is provisioned to fetch them."""

    def __init__(self, shelf: TextShelf, settings: RcsSettings) -> None:
        self._shelf, self._settings = shelf, settings
        self.on = False
        self._sessions: RcsSessions | None = None
        self._subscription: Subscription | None = None
        self._fetching = self._again = False
        self._patience: asyncio.TimerHandle | None = None
        self._background = Background()

    @property
    def flows(self) -> Sequence[Flow]:
        """What it announces; nobody invites it."""
        return (Flow.DEFERRED,) if self.on else ()

    def provision(self, on: bool) -> None:
        """Fetch them from now on, or no longer."""
        self.on = on
        sessions, subscription = self._sessions, self._subscription
        if sessions is not None and on:
            self.ready(sessions)
        elif sessions is not None and subscription is not None:
            self._subscription = None
            sessions.events.leave(subscription)

    # -- the client's connection

    def ready(self, sessions: RcsSessions) -> None:
        """Registered: ask to be told of messages, once for each connection."""
        if self._sessions is not sessions:
            self._sessions, self._subscription, self._fetching = sessions, None, False
        if self.on and self._subscription is None:
            self._subscription = sessions.events.subscribe(self._wish(sessions))

    def gone(self) -> None:
        """Nothing can be fetched until the network tells of it anew."""
        self._sessions, self._subscription = None, None

    def invited(self, arrival: Arrival) -> None:
        """The network hands nothing out unasked."""
        arrival.refuse(488)

    def answer(self, offer_id: str, accept: bool) -> bool:
        """Nobody is asked about a text."""
        return False

    async def close(self) -> None:
        """Nothing more is fetched."""
        self._wait_no_longer()
        self._background.cancel()
        await self._background.ended()

    # -- being told

    def _wish(self, sessions: RcsSessions) -> Wish:
        access, uri = sessions.access, self._settings.deferred
        return Wish(
            DEFERRED_MESSAGES,
            target=uri,
            local=f"<{access.identity}>",
            remote=f"<{uri}>",
            contact=f"<{access.contact_uri}>",
            host=access.local.host,
            send=lambda make: access.send(access.addressed(make)),
            authorize=access.credentials,
            on_notify=lambda _, state: self._told(sessions, state),
            on_end=self._unsubscribed,
            routes=tuple(value for _, value in access.routes),
            headers=(
                ("Allow", ALLOW),
                ("Supported", "timer"),
                ("P-Preferred-Identity", f"<{access.identity}>"),
                *access.location,
                ("User-Agent", access.personality.user_agent),
            ),
        )

    def _told(self, sessions: RcsSessions, state: SubscriptionState) -> None:
        """That it comes says that messages wait, unless it is the last one."""
        if state.state != "terminated":
            self._fetch(sessions)

    def _unsubscribed(self, why: Ended) -> None:
        """A network that does not have it is asked again with the next registration on a new connection."""
        _log.info("not told of deferred messages any more: %s", why.reason)

    # -- fetching

    def _fetch(self, sessions: RcsSessions) -> None:
        """Messages wait. One fetch at a time: what is told meanwhile may be fetched in it, or after it."""
        if self._sessions is not sessions or not self.on:
            return
        if self._fetching:
            self._again = True
            return
        self._fetching, self._again = True, False
        self._background.spawn(self._invite(sessions))

    async def _invite(self, sessions: RcsSessions) -> None:
        shelf, uri = self._shelf, self._settings.deferred
        ids = shelf.conversations.id_of(uri), shelf.personality.ids.make()
        hooks = Hooks(
            msrp=lambda call: MsrpUser(message=lambda message: self._came(call, message)),
            ended=lambda call, ending: self._ended(sessions, ending),
        )
        try:
            call = sessions.invite(Flow.DEFERRED, uri, ids, hooks)
            outcome = await call.begun()
        except RcsLabError as error:
            _log.warning("deferred messages cannot be fetched: %s", error)
            self._over(sessions)
            return
        if outcome.session is None:
            why = outcome.failure if outcome.response is None else str(outcome.response.status)
            _log.info("no deferred messages: %s", why)
            self._over(sessions)
        else:
            self._be_patient(call)

    def _came(self, call: SessionCall, message: ReceivedMessage) -> None:
        """One message of somebody. A repeat counts once (RFC 4975 5.4)."""
        self._be_patient(call)
        if message.again:
            return
        try:
            cpim = parse_cpim(message.content.read())
            kind, content = cpim.content_type.essence if cpim.content_type else "", cpim.decoded()
        except BodySyntaxError as error:
            _log.warning("an unreadable deferred message: %s", error)
            return
        if kind == PLAIN and cpim.from_ is not None:
            self._show(cpim, cpim.from_.uri, content)

    def _show(self, cpim: CpimMessage, sender: str, content: bytes) -> None:
        """In the conversation with its sender, whose Conversation-ID its notifications have."""
        shelf, key = self._shelf, number_of(sender)
        conversation = shelf.conversations.id_of(key)
        shelf.came(key, cpim, content, Received.of(cpim, sender, conversation, shelf.clock()))

    def _be_patient(self, call: SessionCall) -> None:
        self._wait_no_longer()
        self._patience = asyncio.get_running_loop().call_later(
            PATIENCE_SECONDS, lambda: self._background.spawn(call.hang_up())
        )

    def _wait_no_longer(self) -> None:
        if self._patience is not None:
            self._patience.cancel()

    def _ended(self, sessions: RcsSessions, ending: Ending) -> None:
        self._wait_no_longer()
        self._over(sessions)

    def _over(self, sessions: RcsSessions) -> None:
        """A fetch of an earlier connection has nothing to say any more."""
        if self._sessions is not sessions:
            return
        self._fetching = False
        if self._again:
            self._fetch(sessions)
