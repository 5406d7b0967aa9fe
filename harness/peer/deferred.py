"""Deferred messages: stored while a handset is out of reach, told to it, and fetched by it (OMA CPM).

The handset invites to the URI of the service and only receives; each message goes as one MSRP message with
the original sender, DateTime and imdn.Message-ID in CPIM (RFC 3862, RFC 5438), then the peer hangs up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from harness.agent.failures import TransportFailed
from harness.agent.msrp.services import Flow
from harness.bodies.timestamp import format_timestamp
from harness.cpm.services import Service
from harness.cpm.tokens import new_id, new_uuid
from harness.errors import NotSeen, UsageError
from harness.msrp.session import SendOptions
from harness.peer.answers import Answer
from harness.peer.config import FarParty
from harness.peer.deferred_event import DeferredEvents
from harness.peer.identities import same_user
from harness.peer.invitations import Invitations
from harness.peer.journal import EventKind, PeerEvent
from harness.peer.msrp_service import MsrpService
from harness.peer.mt_request import MtRequest, MtSender, Sending, registered
from harness.peer.pager import DISPOSITION
from harness.peer.service_session import SentInSession, ServiceSession
from harness.sip.event_packages import DEFERRED_MESSAGES
from harness.sip.session_headers import Reason

_COMPLETED = Reason("SIP", 200, "Call completed")
_NOTHING = Answer(404, reason="No messages wait")
_AS_USUAL = SendOptions()
_NO_ANSWER = 408  # of MSRP, as RFC 4975 10.4 has it
TEXT = "text/plain;charset=UTF-8"


@dataclass(eq=False, slots=True)
class StoredMessage:
    """A message that waits for its handset.

    number: of the timeline when it was stored. options: of the first time it is sent.
    """

    handset: str
    party: FarParty
    text: str
    content_type: str
    message_id: str
    date_time: str
    disposition: tuple[str, ...]
    number: int
    options: SendOptions = _AS_USUAL

    def __str__(self) -> str:
        return f"{self.text[:80]!r} of {self.party.sip} for {self.handset}, {self.message_id}"


@dataclass(eq=False, slots=True, weakref_slot=True)
class Fetch(ServiceSession):
    """One session in which a handset fetches its messages. sent: those that went, in order."""

    sent: list[SentInSession] = field(default_factory=list)

    @property
    def paused(self) -> bool:
        """Whether a message pauses on its way (SendOptions.pause_at), and what went of it is answered."""
        return self.accepted and self.call.handle.paused


class DeferredMessages(MsrpService[Fetch]):
    """The store of the network, and how a handset empties it."""

    flows = (Flow.DEFERRED,)

    def __init__(self, invitations: Invitations, events: DeferredEvents, sender: MtSender) -> None:
        super().__init__(invitations, Fetch)
        self._events, self._sender = events, sender
        self._stored: deque[StoredMessage] = deque()

    # -- the store

    async def store(
        self,
        handset: str,
        text: str,
        *,
        sender: str | FarParty | None = None,
        disposition: Sequence[str] = DISPOSITION,
        content_type: str = TEXT,
        message_id: str | None = None,
        sent_at: datetime | None = None,
        options: SendOptions = _AS_USUAL,
    ) -> StoredMessage:
        """Keep a message for the handset of this identity or number, and notify it if it has subscribed.

        sent_at: what DateTime tells, now when None. options: how it is sent when it is first fetched.
        Raises UsageError for a sender that is none.
        """
        now = self._pcscf.timeline.now()
        identity = handset if ":" in handset else FarParty.of(handset, self._pcscf.config.domain).sip
        stored = StoredMessage(
            identity,
            self._pcscf.config.party_of(sender),
            text,
            content_type,
            message_id or new_id(),
            format_timestamp(sent_at or datetime.fromtimestamp(now, UTC)),
            tuple(disposition),
            len(self._pcscf.timeline),
            options,
        )
        self._stored.append(stored)
        self._pcscf.journal.add(EventKind.STORED, str(stored), stored)
        self._events.tell(lambda subscriber: self._same_handset(subscriber, identity))
        return stored

    def _same_handset(self, one: str, other: str) -> bool:
        """Whether two identities are of one user, or of one handset that registered both."""
        registrar = self.invitations.registrar
        binding = registrar.binding_of(one)
        return same_user(one, other) or (binding is not None and registrar.binding_of(other) is binding)

    def waiting(self, handset: str) -> list[StoredMessage]:
        """The messages that wait for the handset of this identity, the oldest first."""
        return [each for each in self._stored if self._same_handset(each.handset, handset)]

    def empty(self) -> None:
        """Forget all that waits."""
        self._stored.clear()

    async def notify_unasked(self, handset: str) -> Sending:
        """Send a NOTIFY that no subscription asked for, which gets 481 (RFC 6665 4.1.3).

        Raises NotSeen when the handset is not registered.
        """
        config, target = self._pcscf.config, registered(self.invitations.registrar, handset)
        request = MtRequest(
            target=target,
            originator=FarParty(config.deferred_messages),
            service=Service.DEFERRED,
            conversation_id=new_uuid(),
            contribution_id=new_uuid(),
            content_type="",
            body=b"",
            domain=config.domain,
            server=config.server,
            technology=config.technology,
            method="NOTIFY",
            hops=config.hops,
            changes={
                **dict.fromkeys(("P-Asserted-Service", "Accept-Contact", "Content-Type")),
                **dict.fromkeys(("Conversation-ID", "Contribution-ID", "P-Asserted-Identity")),
                "Event": DEFERRED_MESSAGES.name,
                "Subscription-State": f"active;expires={DEFERRED_MESSAGES.default}",
                "Contact": f"<{self._pcscf.uri(target.flow.local)}>",
            },
        )
        return await self._sender.send(request)

    async def wait_subscribed(self, *, timeout: float, after: int = 0) -> str:
        """The identity of the first handset that subscribes. Raises NotSeen."""
        return await self._subscriber(EventKind.SUBSCRIBED, "a subscription to", timeout, after)

    async def wait_unsubscribed(self, *, timeout: float, after: int = 0) -> str:
        """The identity of the first handset that wants to be told no longer. Raises NotSeen."""
        return await self._subscriber(EventKind.UNSUBSCRIBED, "the end of a subscription to", timeout, after)

    async def _subscriber(self, kind: EventKind, what: str, timeout: float, after: int) -> str:
        def fits(event: PeerEvent) -> bool:
            return event.kind is kind and getattr(event.subject, "topic", None) is self._events

        expected = f"{what} {DEFERRED_MESSAGES.name}"
        event = await self._pcscf.journal.wait(fits, timeout, after=after, expected=expected)
        resource: str = event.subject.resource
        return resource

    # -- the fetch

    def usual(self, session: Fetch) -> Answer:
        """Nothing is fetched where nothing waits."""
        return super().usual(session) if self.waiting(session.handset) else _NOTHING

    def begun(self, session: Fetch) -> None:
        """The handset is there: it gets what waits."""
        self._pcscf.spawn(self._hand_out(session), f"deferred messages in {session}")

    async def _hand_out(self, fetch: Fetch) -> None:
        """One after the other; what was not taken stays. BYE when nothing is left."""
        while fetch.ending is None and (waiting := self.waiting(fetch.handset)):
            if not await self._handed_out(fetch, waiting[0]):
                break
        if fetch.ending is None and not _has_failed(fetch):
            await self.end(fetch, _COMPLETED)

    async def _handed_out(self, fetch: Fetch, message: StoredMessage) -> bool:
        """Whether the handset took it. One that it refuses is not offered again."""
        try:
            sent = await self.send(
                fetch,
                message.text.encode(),
                message.content_type,
                sender=message.party,
                disposition=message.disposition,
                message_id=message.message_id,
                cpim={"DateTime": message.date_time},
                options=message.options,
                anyway=True,
                text=message.text,
            )
        except (NotSeen, TransportFailed, UsageError):
            return False  # the session is gone, which is told by itself
        finally:
            message.options = _AS_USUAL
        fetch.sent.append(sent)
        if sent.outcome.aborted or sent.status == _NO_ANSWER:
            return False
        self._stored.remove(message)
        return True


def _has_failed(fetch: Fetch) -> bool:
    try:
        return fetch.call.handle.failed
    except UsageError:
        return True
