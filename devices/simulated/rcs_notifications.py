"""Notifications of the RCS client, for all services: made when a message came and when it is on screen, and
read when they come (RFC 5438, RFC 3862).

One goes inside the MSRP session its message came in while that lives, else as a MESSAGE (OMA CPM).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from devices.simulated.conversations import MessageStatus
from devices.simulated.defect import Stage
from devices.simulated.defects import Defects
from devices.simulated.messaging_app import MessagingApp
from devices.simulated.personality import Personality
from devices.simulated.rcs_access import Headers, RcsAccess
from devices.simulated.rcs_conversations import ANONYMOUS, MEMORY, Conversations, Recent, number_of
from devices.simulated.rcs_outbox import Outbox, Outgoing, Repeat, pager_message
from harness.agent.background import Background
from harness.bodies.cpim import CpimMessage, build_cpim
from harness.bodies.imdn import MEDIA_TYPE as NOTIFICATION
from harness.bodies.imdn import build_imdn, parse_imdn
from harness.bodies.multipart import split_multipart
from harness.bodies.timestamp import format_timestamp, later_than
from harness.cpm.services import Service
from harness.cpm.tokens import new_id
from harness.errors import BodySyntaxError
from harness.sip.message import Request

_log = logging.getLogger(__name__)

NAMESPACE = ("NS", "imdn <urn:ietf:params:imdn>")
SHOWN_AS = {"delivered": MessageStatus.DELIVERED, "displayed": MessageStatus.READ}


class Carrier(Protocol):
    """The MSRP session a message came in, as its notifications use it."""

    @property
    def identity(self) -> str:
        """The CPIM From of what we send in it."""

    async def carry(self, document: bytes) -> bool:
        """Send a CPIM object in the session. False when it is over, and nothing of it was sent."""


@dataclass(slots=True)
class Received:
    """A message that came: what is needed to notify its sender.

    target: the SIP URI to notify by MESSAGE. own: our identity as the CPIM To names it, for the CPIM From of
    notifications when the sender is not to know it (anonymous), else empty. carrier: the session it came in.
    file: it was about a file.
    turn: keeps its notifications in order.
    """

    message_id: str
    cpim_from: str
    target: str
    sent_at: str
    conversation: str | None
    asked: frozenset[str]
    routes: tuple[str, ...] = ()
    own: str = ""
    carrier: Carrier | None = None
    file: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def of(
        cls,
        cpim: CpimMessage,
        target: str,
        conversation: str | None,
        now: datetime,
        carrier: Carrier | None = None,
        *,
        file: bool = False,
    ) -> Received:
        """Of a message that came from this SIP URI."""
        asked = cpim.imdn("Disposition-Notification") or ""
        to = cpim.to.uri if cpim.to else ""
        return cls(
            cpim.imdn("Message-ID") or "",
            cpim.from_.uri if cpim.from_ else ANONYMOUS,
            target,
            cpim.get("DateTime") or format_timestamp(now),
            conversation,
            frozenset(token.split(";")[0].strip() for token in asked.split(",")),
            tuple(cpim.imdn_all("IMDN-Record-Route")),
            own=ANONYMOUS if to.lower() == ANONYMOUS else "",
            carrier=carrier,
            file=file,
        )


class RcsNotifications:
    """Notifications both ways. Outlives connections: it knows what was sent and what came."""

    def __init__(
        self,
        app: MessagingApp,
        outbox: Outbox,
        personality: Personality,
        defects: Defects,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.app, self._outbox = app, outbox
        self._personality, self._defects, self._clock = personality, defects, clock
        self._sent: Recent[str, _Awaited] = Recent()
        self._received: Recent[tuple[str, str], Received] = Recent()
        self._unseen: Recent[str, deque[Received]] = Recent()
        self._own_conversations = Conversations(personality.ids.make)
        self._background = Background()

    async def close(self) -> None:
        """What is under way in sessions ends."""
        self._background.cancel()
        await self._background.ended()

    # -- of the network, on what we sent

    def expect(self, message_id: str, recipients: Sequence[str] = ()) -> None:
        """A message of ours that notifications may come for. recipients: of one that goes to several."""
        self._sent[message_id] = _Awaited(frozenset(map(number_of, recipients)))

    def take_aggregate(self, cpim: CpimMessage) -> None:
        """A list service reports on several recipients at once (RFC 5438 8.3)."""
        for document in notifications_in(cpim):
            self.take(document)

    def take(self, content: bytes) -> None:
        """An IMDN came, by MESSAGE or MSRP: the bubble shows it. None is sent for it (RFC 5438 7.2.1)."""
        try:
            imdn = parse_imdn(content)
        except BodySyntaxError as error:
            _log.warning("unreadable IMDN: %s", error)
            return
        message_id, status = imdn.message_id or "", imdn.status or ""
        awaited = self._sent.get(message_id)
        if awaited is None:
            _log.warning("an IMDN for a message never sent: %s", message_id)
        elif status in SHOWN_AS and awaited.told_by_all(status, number_of(imdn.recipient_uri or "")):
            self.app.outcome(message_id, SHOWN_AS[status])

    # -- of ours, on what came

    def is_repeat(self, received: Received) -> bool:
        """Whether it was here before: a network that missed our answer sends again. It is noted now."""
        key = (received.cpim_from, received.message_id)
        if received.message_id and key in self._received:
            return True
        self._received[key] = received
        return False

    def delivered(self, key: str, received: Received) -> None:
        """It is here whole, in the conversation under this key: say so if asked, and when it is seen."""
        if not received.message_id:
            return
        if "positive-delivery" in received.asked or self._defects.has("imdn_unrequested"):
            self._notify(received, "delivery")
            if self._defects.has("imdn_twice"):
                self._notify(received, "delivery")
        if "display" in received.asked:
            unseen = self._unseen.get(key) or deque(maxlen=MEMORY)
            unseen.append(received)
            self._unseen[key] = unseen

    def shown(self, key: str) -> None:
        """The conversation is on screen: what asked for it is displayed now."""
        for received in self._unseen.pop(key, ()):
            self._notify(received, "display")

    def _notify(self, received: Received, kind: str) -> None:
        """An IMDN to whoever sent the message (RFC 5438 7.2.1); callers see that there is one per kind."""
        notification = self._notification(received, kind)
        if received.carrier is None:
            self._by_message(received, notification)
        else:
            self._background.spawn(self._in_session(received, received.carrier, notification))

    async def _in_session(self, received: Received, carrier: Carrier, notification: _Notification) -> None:
        """One after the other, so that delivered comes before displayed whichever way each goes."""
        async with received.turn:
            if not await carrier.carry(notification.document(received.own or carrier.identity)):
                self._by_message(received, notification)

    def _by_message(self, received: Received, notification: _Notification) -> None:
        target = _bare(received.routes[0]) if received.routes else received.target
        conversation = self._conversation_for(received)
        contribution = self._personality.ids.make()
        service = self._personality.about_files if received.file else Service.PAGER

        def build(access: RcsAccess, repeat: Repeat | None) -> Request:
            body = notification.document(received.own or access.identity)
            return pager_message(access, target, body, conversation, contribution, repeat, service)

        self._outbox.put(Outgoing(target, build, lambda response: None))

    def _notification(self, received: Received, kind: str) -> _Notification:
        now = self._clock()
        headers = [
            ("To", f"<{received.cpim_from}>"),
            ("DateTime", format_timestamp(now)),
            NAMESPACE,
            ("imdn.Message-ID", new_id(24)),
            *(("imdn.IMDN-Route", route) for route in received.routes),
        ]
        return _Notification(headers, self._xml(received, kind, now), self._defects)

    def _xml(self, received: Received, kind: str, now: datetime) -> bytes:
        when = received.sent_at
        if self._defects.has("imdn_now_datetime"):
            when = later_than(received.sent_at, now)
        xml = build_imdn(
            received.message_id, when, "delivery" if kind == "delivery" else "display", strict=False
        )
        changed: bytes = self._defects.apply(Stage.NOTIFICATION_XML, xml)
        return changed

    def _conversation_for(self, received: Received) -> str:
        """The Conversation-ID received, or the client's own where that is its habit or its defect."""
        own = self._personality.own_conversation or self._defects.has("imdn_other_conversation")
        if own or received.conversation is None:
            return self._own_conversations.id_of(received.target)
        return received.conversation


@dataclass(frozen=True, slots=True)
class _Awaited:
    """Whose notifications are awaited: several recipients', by number, or anybody's (none)."""

    recipients: frozenset[str] = frozenset()
    told: dict[str, set[str]] = field(default_factory=dict)

    def told_by_all(self, status: str, recipient: str) -> bool:
        """One more tells this status; whether all have now. Who displays it has got it."""
        if not self.recipients:
            return True
        for each in ("delivered", "displayed") if status == "displayed" else (status,):
            self.told.setdefault(each, set()).add(recipient)
        return self.told[status] >= self.recipients


def notifications_in(cpim: CpimMessage) -> list[bytes]:
    """The IMDN documents of an aggregate; none where it is no multipart of them. Raises BodySyntaxError."""
    kind = cpim.content_type
    if kind is None or kind.essence != "multipart/mixed":
        return []
    parts = split_multipart(cpim.decoded(), kind.parameters.get("boundary", "")).parts
    kinds = [part.content_type for part in parts]
    if not all(each is not None and each.essence == NOTIFICATION for each in kinds):
        return []
    return [part.decoded() for part in parts]


@dataclass(frozen=True, slots=True)
class _Notification:
    """An IMDN whose way is not settled yet, and with it who it is from."""

    headers: Headers
    xml: bytes
    defects: Defects

    def document(self, sender: str) -> bytes:
        """The CPIM object."""
        mime = [("Content-Type", NOTIFICATION), ("Content-Length", str(len(self.xml)))]
        if not self.defects.has("imdn_no_disposition"):
            mime.insert(1, ("Content-Disposition", "notification"))
        headers = self.defects.apply(Stage.CPIM_NOTIFICATION, [("From", f"<{sender}>"), *self.headers])
        return build_cpim(headers, mime, self.xml)


def _bare(value: str) -> str:
    """The URI of an IMDN-Record-Route: [name] <uri> (RFC 5438 6.2)."""
    return value.partition("<")[2].partition(">")[0] if "<" in value else value.strip()
