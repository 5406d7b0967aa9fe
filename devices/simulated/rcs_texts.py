"""Pager-mode texts and their notifications, as the RCS client sends and receives them.

RFC 3428 (MESSAGE, one outstanding per target), RFC 3862 (CPIM), RFC 5438 (IMDN), OMA CPM headers.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from devices.simulated.defects import Stage
from devices.simulated.messaging_app import MessageStatus, MessagingApp
from devices.simulated.rcs_access import RcsAccess
from harness.agent.failures import TransactionTimeout, TransportFailed
from harness.agent.sip_agent import Incoming
from harness.bodies.cpim import CpimMessage, build_cpim, parse_cpim
from harness.bodies.imdn import build_imdn, parse_imdn
from harness.bodies.timestamp import format_timestamp
from harness.cpm.services import Service
from harness.cpm.tokens import new_id
from harness.errors import BodySyntaxError, SipSyntaxError, UsageError
from harness.sip.digest import answer_challenge, first_supported
from harness.sip.message import Request, Response
from harness.sip.uri import parse_uri

_log = logging.getLogger(__name__)

NAMESPACE = ("NS", "imdn <urn:ietf:params:imdn>")
TEXT_TYPE = "text/plain;charset=UTF-8"
ACCEPTED = "message/cpim, text/plain"
WRAPPED_TEXT, WRAPPED_NOTIFICATION = "text/plain", "message/imdn+xml"
SHOWN_AS = {"delivered": MessageStatus.DELIVERED, "displayed": MessageStatus.READ}

Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Outgoing:
    """A MESSAGE that waits for its turn. build is called when it is sent, so that location and route are
    those of that moment; ended is told the final response, None when the network never took it."""

    target: str
    build: Callable[[RcsAccess, str | None], Request]
    ended: Callable[[Response | None], None]


class Outbox:
    """MESSAGEs of this client:

    one at a time to a target (RFC 3428 8), kept while there is no registration.
    """

    def __init__(self) -> None:
        self._queues: defaultdict[str, list[Outgoing]] = defaultdict(list)
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._access: RcsAccess | None = None

    def put(self, outgoing: Outgoing) -> None:
        """Queue a message; it goes at once when the client is registered."""
        self._queues[outgoing.target].append(outgoing)
        self._work(outgoing.target)

    def open(self, access: RcsAccess) -> None:
        """The client is registered over this access: send what waits."""
        self._access = access
        for target in tuple(self._queues):
            self._work(target)

    async def close(self) -> None:
        """The registration is gone: what has no final response yet stays queued."""
        self._access = None
        workers = tuple(self._workers.values())
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    def _work(self, target: str) -> None:
        if self._access is not None and self._queues[target] and target not in self._workers:
            worker = asyncio.create_task(self._drain(target, self._access))
            self._workers[target] = worker
            worker.add_done_callback(lambda _: self._workers.pop(target, None))

    async def _drain(self, target: str, access: RcsAccess) -> None:
        queue = self._queues[target]
        while queue:
            outgoing = queue[0]
            try:
                response: Response | None = await self._exchange(outgoing, access)
            except TransactionTimeout:
                response = None
            except (TransportFailed, SipSyntaxError) as error:
                _log.warning("MESSAGE to %s waits for a connection: %s", target, error)
                return
            queue.pop(0)
            outgoing.ended(response)

    async def _exchange(self, outgoing: Outgoing, access: RcsAccess) -> Response:
        """Send, and once more with credentials when challenged (RFC 3261 22.2, 22.3)."""
        request = access.defects.apply(Stage.MESSAGE, outgoing.build(access, None))
        response = await access.send(request)
        challenge = first_supported(response.challenges) if response.status in (401, 407) else None
        password = access.settings.password
        if challenge is None or password is None:
            return response
        name = "Proxy-Authorization" if response.status == 407 else "Authorization"
        value = answer_challenge(
            challenge, "MESSAGE", request.uri, access.impi, password.encode(), request.body
        )
        again = outgoing.build(access, request.call_id).with_header("From", request.get("From") or "")
        again = again.with_header("CSeq", f"{request.cseq.number + 1} MESSAGE").with_header(name, value)
        return await access.send(access.defects.apply(Stage.MESSAGE, again))


@dataclass(slots=True)
class Received:
    """A text that came: what is needed to notify its sender, and whether that is still due."""

    message_id: str
    content: tuple[str, bytes]
    cpim_from: str
    target: str
    datetime: str
    conversation: str | None
    asked: frozenset[str]
    routes: tuple[str, ...] = ()
    notified: set[str] = field(default_factory=set)


class RcsTexts:
    """The texting of one client. Outlives registrations: it holds what was sent and what came."""

    def __init__(self, app: MessagingApp, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.app, self.outbox = app, Outbox()
        self._clock = clock
        self._sent: dict[str, str] = {}
        self._received: dict[tuple[str, str], Received] = {}
        self._unseen: defaultdict[str, list[Received]] = defaultdict(list)
        self._conversations: dict[str, str] = {}
        self._own_conversations: dict[str, str] = {}

    # -- MO

    def send_text(self, access: RcsAccess, number: str, text: str, message_id: str) -> None:
        """Queue a text. What became of it shows in the app."""
        if len(text.encode()) > access.settings.pager_limit:
            # Such a text leaves as a large message (RCC.07), which this client does not have.
            _log.warning("%d octets are no pager-mode message", len(text.encode()))
            self.app.outcome(message_id, MessageStatus.NOT_SENT)
            return
        try:
            target = access.target(number)
        except UsageError as error:
            _log.warning("cannot send: %s", error)
            self.app.outcome(message_id, MessageStatus.NOT_SENT)
            return
        contribution, when = access.new_conversation_id(), format_timestamp(self._clock())
        self._sent[message_id] = message_id

        def build(access: RcsAccess, call_id: str | None) -> Request:
            headers = [
                ("From", f"<{access.identity}>"),
                ("To", f"<{target}>"),
                ("DateTime", when),
                NAMESPACE,
                ("imdn.Message-ID", message_id),
                ("imdn.Disposition-Notification", "positive-delivery, display"),
            ]
            content = text.encode()
            mime = [("Content-Type", TEXT_TYPE), ("Content-Length", str(len(content)))]
            body = build_cpim(access.defects.apply(Stage.CPIM_TEXT, headers), mime, content)
            conversation = self._conversation(access, number)
            return self._message(access, target, body, conversation, contribution, call_id)

        def ended(response: Response | None) -> None:
            taken = response is not None and 200 <= response.status < 300
            self.app.outcome(message_id, MessageStatus.SENT if taken else MessageStatus.NOT_SENT)

        self.outbox.put(Outgoing(target, build, ended))

    def new_message_id(self, access: RcsAccess) -> str:
        """An imdn.Message-ID: 24 letters and digits hold more than the 64 bits of RFC 5438 6.3."""
        return new_id(8).encode().hex()[:8] if access.defects.has("short_message_id") else new_id(24)

    def _conversation(self, access: RcsAccess, number: str) -> str:
        """One Conversation-ID for all that is written with a number."""
        return self._conversations.setdefault(number, access.new_conversation_id())

    @staticmethod
    def _message(
        access: RcsAccess,
        target: str,
        body: bytes,
        conversation: str,
        contribution: str,
        call_id: str | None = None,
    ) -> Request:
        """A MESSAGE of the pager service, out of any dialog (RFC 3428 4)."""
        headers: Headers = [
            *access.routes,
            ("P-Preferred-Identity", f"<{access.identity}>"),
            ("P-Preferred-Service", Service.PAGER.icsi),
            *access.location,
            ("Accept-Contact", Service.PAGER.accept_contact),
            ("Request-Disposition", "no-fork"),
            ("Conversation-ID", conversation),
            ("Contribution-ID", contribution),
        ]
        if access.personality.contact_in_message:
            headers.append(("Contact", f"<{access.contact_uri}>;{access.instance}"))
        headers.append(("Content-Type", "message/cpim"))
        return access.request(
            "MESSAGE",
            target,
            sender=access.identity,
            to=f"<{target}>",
            headers=headers,
            body=body,
            call_id=call_id,
        )

    # -- MT

    def receive(self, access: RcsAccess, incoming: Incoming, answer: Callable[[Response], None]) -> None:
        """Answer a MESSAGE, and after a 2xx show it and notify its sender."""
        message = incoming.message
        status, headers, then = self._judge(access, message)
        answer(access.response(message, status, headers))
        if then is not None:
            then()

    def _judge(self, access: RcsAccess, message: Request) -> tuple[int, Headers, Callable[[], None] | None]:
        """Status and headers of the answer, and what follows a 2xx."""
        refusal: tuple[int, Headers, None] = (415, [("Accept", ACCEPTED)], None)
        if message.content_type is None or message.content_type.essence != "message/cpim":
            return refusal
        try:
            cpim = parse_cpim(message.body)
        except BodySyntaxError as error:
            _log.warning("unreadable CPIM: %s", error)
            return 400, [("Warning", '399 handset "unreadable CPIM"')], None
        kind = cpim.content_type.essence if cpim.content_type else ""
        echo = [
            (name, message.get(name) or "")
            for name in ("Conversation-ID", "Contribution-ID")
            if message.get(name) is not None
        ]
        if kind == WRAPPED_NOTIFICATION:
            return 200, echo, lambda: self._notified(cpim)
        if kind == WRAPPED_TEXT:
            return 200, echo, lambda: self._text(access, message, cpim)
        return refusal

    def _notified(self, cpim: CpimMessage) -> None:
        """An IMDN came: the bubble shows it. None is sent for it (RFC 5438 7.2.1)."""
        try:
            imdn = parse_imdn(cpim.content)
        except BodySyntaxError as error:
            _log.warning("unreadable IMDN: %s", error)
            return
        message_id, status = imdn.message_id or "", imdn.status or ""
        if message_id not in self._sent:
            _log.warning("an IMDN for a message never sent: %s", message_id)
        elif status in SHOWN_AS:
            self.app.outcome(message_id, SHOWN_AS[status])

    def _text(self, access: RcsAccess, message: Request, cpim: CpimMessage) -> None:
        received = self._note(message, cpim)
        key = (received.cpim_from, received.message_id)
        if received.message_id and key in self._received:
            return  # sent again by a network that missed our 200: shown and notified once
        self._received[key] = received
        number = _number_of(received.target)
        if received.conversation:
            self._conversations[number] = received.conversation
        wanted = "positive-delivery" in received.asked or access.defects.has("imdn_unrequested")
        if wanted and received.message_id:
            self._notify(access, received, "delivery")
            if access.defects.has("imdn_twice"):
                received.notified.clear()
                self._notify(access, received, "delivery")
        self._unseen[number].append(received)
        text = cpim.content.decode("utf-8", "replace")
        shown = text[::-1] if access.defects.has("other_text_on_screen") else text
        self.app.incoming(number, shown, received.message_id)
        if access.defects.has("displayed_unseen"):
            self.shown(access, number)

    def _note(self, message: Request, cpim: CpimMessage) -> Received:
        asked = cpim.imdn("Disposition-Notification") or ""
        cpim_from = cpim.from_.uri if cpim.from_ else ""
        return Received(
            cpim.imdn("Message-ID") or "",
            (cpim.mime_get("Content-Type") or "", cpim.content),
            cpim_from,
            _sender_of(message),
            cpim.get("DateTime") or "",
            message.get("Conversation-ID"),
            frozenset(token.split(";")[0].strip() for token in asked.split(",")),
            tuple(cpim.imdn_all("IMDN-Record-Route")),
        )

    def shown(self, access: RcsAccess, number: str) -> None:
        """The conversation is on screen: what asked for it is displayed now."""
        for received in self._unseen.pop(number, []):
            if "display" in received.asked and received.message_id:
                self._notify(access, received, "display")

    def _notify(self, access: RcsAccess, received: Received, kind: str) -> None:
        """One IMDN per kind and message, to whoever sent it (RFC 5438 7.2.1, 12.1.3.1)."""
        if kind in received.notified:
            return
        received.notified.add(kind)
        target = received.routes[0].strip("<>") if received.routes else received.target
        own_id, contribution, now = new_id(24), access.new_conversation_id(), format_timestamp(self._clock())

        def build(access: RcsAccess, call_id: str | None) -> Request:
            late = access.defects.has("imdn_now_datetime")
            xml = build_imdn(
                received.message_id, _a_second_later(self._clock()) if late else received.datetime,
                "delivery" if kind == "delivery" else "display", strict=False,
            )  # fmt: skip
            headers: Headers = [
                ("From", f"<{access.identity}>"),
                ("To", f"<{received.cpim_from}>"),
                ("DateTime", now),
                NAMESPACE,
                ("imdn.Message-ID", own_id),
                *(("imdn.IMDN-Route", route) for route in received.routes),
            ]
            content = access.defects.apply(Stage.NOTIFICATION_XML, xml)
            mime = [("Content-Type", WRAPPED_NOTIFICATION), ("Content-Length", str(len(content)))]
            if not access.defects.has("imdn_no_disposition"):
                mime.insert(1, ("Content-Disposition", "notification"))
            body = build_cpim(access.defects.apply(Stage.CPIM_NOTIFICATION, headers), mime, content)
            conversation = self._notification_conversation(access, received)
            return self._message(access, target, body, conversation, contribution, call_id)

        self.outbox.put(Outgoing(target, build, lambda response: None))

    def _notification_conversation(self, access: RcsAccess, received: Received) -> str:
        """The Conversation-ID received, or the client's own where that is its habit or its defect."""
        own = access.personality.own_conversation or access.defects.has("imdn_other_conversation")
        if own or received.conversation is None:
            return self._own_conversations.setdefault(received.target, access.new_conversation_id())
        return received.conversation


def _sender_of(message: Request) -> str:
    """The SIP URI to answer to: From, or P-Asserted-Identity when From is anonymous (RFC 3323 4.1)."""
    sender = str(message.from_.uri)
    asserted = [str(identity.uri) for identity in message.asserted_identities]
    if "anonymous" in sender and asserted:
        return asserted[0]
    return sender


def _number_of(uri: str) -> str:
    """The number of a URI, else its user part: what the app lists the conversation under."""
    parsed = parse_uri(uri)
    return parsed.number or parsed.user or uri


def _a_second_later(now: datetime) -> str:
    return format_timestamp(now.replace(year=now.year + 1))


Answer = Callable[[Response], Awaitable[None]]
