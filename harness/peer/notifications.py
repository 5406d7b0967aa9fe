"""Disposition notifications, both ways: those the handset sends, and those the far party sends (RFC 5438).

The far party keeps to RFC 5438 unless a test asks for a named wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from harness.agent.msrp.services import CPIM
from harness.bodies.cpim import build_cpim
from harness.bodies.imdn import MEDIA_TYPE, Kind, build_imdn
from harness.bodies.multipart import build_multipart
from harness.bodies.timestamp import format_timestamp, later_than
from harness.cpm.services import Service
from harness.cpm.tokens import new_id
from harness.errors import NotSeen, UsageError
from harness.evidence.timeline import Transport
from harness.msrp.chunking import Outcome
from harness.peer.answers import Header, HeaderChanges, changed
from harness.peer.config import FarParty
from harness.peer.conversations import Conversations
from harness.peer.identities import ANONYMOUS_URI, anonymous, same_user
from harness.peer.imdn_wrong import Wrong
from harness.peer.journal import EventKind, Recent
from harness.peer.mt_request import MtRequest, MtSender, Sending, Target
from harness.peer.passing import Passing
from harness.peer.pcscf import Pcscf
from harness.peer.received import (
    Carrier,
    HandsetMessage,
    ReceivedMessage,
)
from harness.peer.received_notifications import ReceivedNotifications
from harness.peer.registrar import Registrar

IMDN_NAMESPACE = "urn:ietf:params:imdn"
_Plan = list[tuple["NotificationKind", timedelta]]
_ON_THE_WIRE_SECONDS = 2.0


class NotificationKind(StrEnum):
    """A kind of notification by its status element."""

    DELIVERED = "delivered"
    DISPLAYED = "displayed"
    PROCESSED = "processed"
    FAILED = "failed"


# RFC 5438 7.2.1: element of the document, and the Disposition-Notification value that asks for it.
_ELEMENT: Mapping[NotificationKind, tuple[Kind, str]] = {
    NotificationKind.DELIVERED: ("delivery", "positive-delivery"),
    NotificationKind.DISPLAYED: ("display", "display"),
    NotificationKind.PROCESSED: ("processing", "processing"),
    NotificationKind.FAILED: ("delivery", "negative-delivery"),
}


@dataclass(frozen=True, slots=True)
class Policy:
    """What the far party notifies of a text it accepted, and when.

    delivered, displayed: delay after the 2xx, None for never. displayed never overtakes delivered.
    """

    delivered: timedelta | None = timedelta(0)
    displayed: timedelta | None = None
    wrong: frozenset[Wrong] = frozenset()


_NOTHING = Policy(delivered=None)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A notification before it is written down. later: now, but after the message in any case."""

    message_id: str
    datetime: str | None
    later: str
    kind: NotificationKind
    cpim: tuple[Header, ...]
    recipient_uri: str | None = None
    mime: tuple[Header, ...] = (("Content-Type", MEDIA_TYPE), ("Content-Disposition", "notification"))
    spoil: Callable[[bytes], bytes] = field(default=lambda document: document)

    @property
    def is_delivered(self) -> bool:
        """Whether it reports a delivery."""
        return self.kind is NotificationKind.DELIVERED

    @property
    def document(self) -> bytes:
        """The XML."""
        kind = _ELEMENT[self.kind][0]
        return self.spoil(
            build_imdn(
                self.message_id,
                self.datetime,
                kind,
                self.kind.value,
                recipient_uri=self.recipient_uri,
                strict=False,
            )
        )

    def octets(self) -> bytes:
        document = self.document
        mime = [*self.mime, ("Content-Length", str(len(document)))]
        return build_cpim(self.cpim, mime, document)


# How each wrong that is in the content spoils a draft.
_SPOILS: Mapping[Wrong, Callable[[_Draft], _Draft]] = {
    Wrong.NO_DATETIME: lambda draft: replace(draft, datetime=None),
    Wrong.NOW_DATETIME: lambda draft: replace(draft, datetime=draft.later),
    Wrong.WRONG_MESSAGE_ID: lambda draft: replace(draft, message_id=new_id()),
    Wrong.WITH_DISPOSITION_NOTIFICATION: lambda draft: replace(
        draft, cpim=(*draft.cpim, ("imdn.Disposition-Notification", "positive-delivery, display"))
    ),
    Wrong.MALFORMED_XML: lambda draft: replace(
        draft, spoil=lambda document: document.replace(b"</status>", b"", 1)
    ),
    Wrong.NO_CONTENT_DISPOSITION: lambda draft: replace(
        draft, mime=tuple(row for row in draft.mime if row[0] != "Content-Disposition")
    ),
    Wrong.ANONYMOUS_DELIVERED: lambda draft: replace(
        draft, cpim=tuple(changed(draft.cpim, {"From": f"<{ANONYMOUS_URI}>"} if draft.is_delivered else {}))
    ),
}


@dataclass(frozen=True, slots=True)
class SentNotification:
    """A notification of the far party and how it ended.

    sending: of the MESSAGE that carried it; outcome: of the SEND in a session.
    """

    kind: NotificationKind
    message_id: str
    sending: Sending | None = None
    outcome: Outcome | None = None

    @property
    def carrier(self) -> Carrier:
        """What carried it."""
        return Carrier.MSRP if self.sending is None else Carrier.MESSAGE

    @property
    def status(self) -> int | None:
        """Status of the handset's response, None without a final one."""
        if self.sending is not None and self.sending.response is not None:
            return self.sending.response.status
        return self.outcome.status if self.outcome is not None else None

    def __str__(self) -> str:
        failure = self.sending.failure if self.sending is not None else "no answer"
        end = self.status if self.status is not None else failure
        return f"{self.kind} for {self.message_id}: {end}"


class Notifications(ReceivedNotifications):
    """Sends the far party's notifications by the policy, and keeps those of the handset."""

    def __init__(self, pcscf: Pcscf, registrar: Registrar, sender: MtSender) -> None:
        super().__init__(pcscf)
        self._registrar = registrar
        self._sender = sender
        self._policy = Policy()
        self.conversations = Conversations()
        self.aggregating = False
        """Whether a list service reports on all recipients of a message at once (RFC 5438 8.3)."""
        self.sent: Recent[SentNotification] = Recent()

    def policy(
        self,
        delivered: timedelta | None = timedelta(0),
        displayed: timedelta | None = None,
        wrong: frozenset[Wrong] = frozenset(),
    ) -> Policy:
        """Set what texts of the handset bring from now on; returns the policy before."""
        before, self._policy = self._policy, Policy(delivered, displayed, frozenset(wrong))
        return before

    def comes_first(self, message: ReceivedMessage) -> bool:
        """True when a notification is to leave before the answer to this message."""
        return Wrong.BEFORE_ANSWER in self._policy.wrong and message.accepted and bool(self.plan(message))

    async def send_first(self, message: ReceivedMessage) -> None:
        """Return as soon as the first notification has left; the others follow by themselves."""
        plan = self.plan(message)
        plan[0] = (plan[0][0], timedelta(0))
        call_id = new_id()
        left = asyncio.Event()
        departure = Passing(self._pcscf.timeline, call_id, lambda _: left.set())
        self._start(message, plan, call_id)
        try:
            async with asyncio.timeout(_ON_THE_WIRE_SECONDS):
                await left.wait()
        except TimeoutError:
            raise NotSeen("the notification that was to leave before the answer did not leave") from None
        finally:
            departure.stop()

    def on_text(self, message: HandsetMessage, senders: Sequence[FarParty | None] = (None,)) -> None:
        """Notify of a message by the policy; of a refused one never (RFC 5438 12.1.3.1).

        senders: the members of a group, each of whom notifies; None is who the message was for, or everybody
        on its recipient list.
        """
        plan = self.plan(message) if message.accepted else []
        if plan:
            self._start(message, plan, senders=self._recipients(message) or senders)

    def _recipients(self, message: HandsetMessage) -> list[FarParty | None]:
        """Those on its list, but for the handset itself; none without a list."""
        uris = message.listed.uris if message.listed is not None else ()
        parties: list[FarParty | None] = []
        for uri in uris:
            if not same_user(uri, message.sender):
                with contextlib.suppress(UsageError):  # neither a number nor a SIP URI: nobody is there
                    parties.append(FarParty.of(uri, self._pcscf.config.domain))
        return parties

    def _start(
        self,
        message: HandsetMessage,
        plan: _Plan,
        call_id: str | None = None,
        senders: Sequence[FarParty | None] = (None,),
    ) -> None:
        self._pcscf.spawn(
            self._carry_out(message, plan, self._policy.wrong, call_id, senders),
            f"notifications for {message.message_id}",
        )

    def plan(self, message: HandsetMessage) -> list[tuple[NotificationKind, timedelta]]:
        """What the policy sends for a message and how long after it, in order."""
        policy = self._policy
        delays = {NotificationKind.DELIVERED: policy.delivered, NotificationKind.DISPLAYED: policy.displayed}
        plan: _Plan = []
        if policy == _NOTHING or message.message_id is None:
            return plan
        if Wrong.PROCESSING in policy.wrong:
            plan.append((NotificationKind.PROCESSED, policy.delivered or timedelta(0)))
        for kind, delay in delays.items():
            if delay is not None and _ELEMENT[kind][1] in message.dispositions:
                plan.append((kind, delay))
        if Wrong.NOT_REQUESTED in policy.wrong:
            plan.extend(
                (kind, delays.get(kind) or timedelta(0))
                for kind in (*delays, NotificationKind.PROCESSED)
                if _ELEMENT[kind][1] not in message.dispositions
            )
        if Wrong.TWICE in policy.wrong:
            plan = [step for step in plan for _ in range(2)]
        return plan

    async def _carry_out(
        self,
        message: HandsetMessage,
        plan: _Plan,
        wrong: frozenset[Wrong],
        call_id: str | None,
        senders: Sequence[FarParty | None],
    ) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        for kind, delay in plan:
            await asyncio.sleep(max(0.0, start + delay.total_seconds() - loop.time()))
            parties = [sender for sender in senders if sender is not None]
            if self.aggregating and message.listed is not None:
                await self.send_aggregate(message, kind, parties)
                continue
            sending = (
                self.send(message, kind, wrong=wrong, call_id=call_id, sender=sender) for sender in senders
            )
            await asyncio.gather(*sending)
            call_id = None

    async def send(
        self,
        message: HandsetMessage,
        kind: NotificationKind,
        *,
        wrong: frozenset[Wrong] = frozenset(),
        headers: HeaderChanges | None = None,
        cpim: HeaderChanges | None = None,
        transport: Transport | None = None,
        call_id: str | None = None,
        sender: FarParty | None = None,
        carrier: Carrier | None = None,
    ) -> SentNotification:
        """Notify the handset of one of its messages, whether asked for or not, and wait for its answer.

        In the session of the message while it lives and its service has it so (OMA CPM), else by MESSAGE;
        carrier MESSAGE sends it by that anyway. wrong: only those that are in the content matter here.
        headers, transport, call_id: SIP headers to change, and what a MESSAGE takes; cpim: CPIM headers.
        sender: who notifies, when it is not the one the message was for, as a member of a group does. A
        handset that gives no final response shows in the result.
        """
        body = self.document(message, kind, wrong=wrong, cpim=cpim or {}, sender=sender)
        handle = message.inside if carrier is not Carrier.MESSAGE else None
        if handle is not None:
            outcome = await handle.send(body, CPIM, anyway=True)
            sent = SentNotification(kind, message.message_id or "", outcome=outcome)
        else:
            party = sender or FarParty.of(message.recipient, self._pcscf.config.domain)
            request = self._request(message, party, body, headers or {}, call_id or new_id())
            sending = await self._sender.send(request, transport)
            sent = SentNotification(kind, message.message_id or "", sending)
        return self._note(sent)

    async def send_aggregate(
        self, message: HandsetMessage, kind: NotificationKind, parties: Sequence[FarParty]
    ) -> SentNotification:
        """Report on all these recipients at once, as a list service does (RFC 5438 8.3)."""
        drafts = [self._draft(message, kind, {}, party) for party in parties]
        boundary = new_id()
        whole = build_multipart(
            [([("Content-Type", MEDIA_TYPE)], draft.document) for draft in drafts], boundary
        )
        rows = changed(self._draft(message, kind, {}, None).cpim, {"From": f"<{message.recipient}>"})
        mime = [
            ("Content-Type", f"multipart/mixed;boundary={boundary}"),
            ("Content-Disposition", "notification"),
            ("Content-Length", str(len(whole))),
        ]
        request = self._request(
            message, FarParty(message.recipient), build_cpim(rows, mime, whole), {}, new_id()
        )
        return self._note(SentNotification(kind, message.message_id or "", await self._sender.send(request)))

    def _note(self, sent: SentNotification) -> SentNotification:
        self.sent.append(sent)
        self._pcscf.journal.add(EventKind.NOTIFICATION_SENT, str(sent), sent)
        return sent

    def document(
        self,
        message: HandsetMessage,
        kind: NotificationKind,
        *,
        wrong: frozenset[Wrong] | None = None,
        cpim: HeaderChanges | None = None,
        sender: FarParty | None = None,
    ) -> bytes:
        """The notification as a CPIM object, whatever carries it. wrong: that of the policy when None."""
        draft = self._draft(message, kind, cpim or {}, sender)
        wrongs = self._pcscf.config.personality.wrong | (self._policy.wrong if wrong is None else wrong)
        for spoil in Wrong:
            if spoil in wrongs and spoil in _SPOILS:
                draft = _SPOILS[spoil](draft)
        return draft.octets()

    def _draft(
        self, message: HandsetMessage, kind: NotificationKind, changes: HeaderChanges, sender: FarParty | None
    ) -> _Draft:
        """RFC 5438 7.2.1: To is the From of the message; routes of the message are copied in order."""
        cpim = message.cpim
        to = cpim.to if cpim is not None else None
        own = ANONYMOUS_URI if to is not None and anonymous(to.uri) else message.recipient
        own = own if sender is None else sender.sip
        back = (cpim.get("From") if cpim is not None else None) or f"<{message.sender}>"
        moment = datetime.fromtimestamp(self._pcscf.timeline.now(), UTC)
        now = format_timestamp(moment)
        rows: list[Header] = [
            ("From", f"<{own}>"),
            ("To", back),
            ("DateTime", now),
            ("NS", f"imdn <{IMDN_NAMESPACE}>"),
            ("imdn.Message-ID", self._pcscf.config.personality.message_ids()),
        ]
        routes = cpim.imdn_all("IMDN-Record-Route") if cpim is not None else []
        rows.extend(("imdn.IMDN-Route", route) for route in routes)
        return _Draft(
            message_id=message.message_id or "",
            datetime=message.date_time or now,
            later=later_than(message.date_time or now, moment),
            kind=kind,
            cpim=tuple(changed(rows, changes)),
            recipient_uri=sender.sip if sender is not None and message.listed is not None else None,
        )

    def _request(
        self, message: HandsetMessage, party: FarParty, body: bytes, headers: HeaderChanges, call_id: str
    ) -> MtRequest:
        config = self._pcscf.config
        binding = self._registrar.binding_of(message.sender)
        if binding is not None:
            target = Target.of(binding, message.sender)
        elif message.incoming is not None:
            target = Target.back(message.incoming, message.sender)
        else:
            raise NotSeen(f"{message.sender} was expected to be registered, to be notified of its message")
        return MtRequest(
            target=target,
            originator=party,
            service=Service.PAGER,
            conversation_id=message.conversation_id or self.conversations.of(message.sender, party.sip),
            contribution_id=config.personality.ids(),
            content_type="message/cpim",
            body=body,
            domain=config.domain,
            server=config.server,
            technology=config.technology,
            hops=config.hops,
            changes=headers,
            call_id=call_id,
        )
