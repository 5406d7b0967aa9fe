"""Pager-mode texts and their notifications, as the RCS client sends and receives them.

RFC 3428 (MESSAGE, one outstanding per target), RFC 3862 (CPIM), RFC 5438 (IMDN), OMA CPM headers.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from devices.simulated.conversations import MessageStatus, normal_number
from devices.simulated.defects import Defects, Stage
from devices.simulated.messaging_app import MessagingApp
from devices.simulated.personality import Personality
from devices.simulated.rcs_access import Headers, RcsAccess, RcsSettings
from harness.agent.failures import TransactionTimeout, TransportFailed
from harness.bodies.cpim import CpimMessage, build_cpim, parse_cpim
from harness.bodies.imdn import build_imdn, parse_imdn
from harness.bodies.timestamp import format_timestamp, parse_timestamp
from harness.cpm.identity import Msisdn
from harness.cpm.services import Service
from harness.cpm.tokens import new_id
from harness.errors import BodySyntaxError, RcsLabError, SipSyntaxError, UsageError
from harness.sip.digest import answer_challenge, first_supported
from harness.sip.headers import MediaType, NameAddr
from harness.sip.message import Request, Response
from harness.sip.uri import parse_uri

_log = logging.getLogger(__name__)

NAMESPACE = ("NS", "imdn <urn:ietf:params:imdn>")
TEXT_TYPE = "text/plain;charset=UTF-8"
CPIM, PLAIN, NOTIFICATION = "message/cpim", "text/plain", "message/imdn+xml"
ACCEPTED = ", ".join((CPIM, PLAIN, NOTIFICATION))
ANONYMOUS = "sip:anonymous@anonymous.invalid"
SHOWN_AS = {"delivered": MessageStatus.DELIVERED, "displayed": MessageStatus.READ}
MEMORY = 1000
"""How many messages, conversations or targets are remembered for notifications and duplicates."""
ATTEMPTS_TO_CONNECT = 3

K = TypeVar("K")
V = TypeVar("V")


class Recent(dict[K, V]):
    """A dict that forgets its oldest entries: a handset may run for days."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        while len(self) > MEMORY:
            del self[next(iter(self))]


@dataclass(frozen=True, slots=True)
class Repeat:
    """What a request that is repeated with credentials keeps or gets (RFC 3261 22.2, 22.3)."""

    call_id: str
    from_tag: str | None
    cseq: int
    credentials: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A MESSAGE that waits for its turn. build is called when it is sent, so that location and route are
    those of that moment; ended is told the final response, None when the network never took it.
    """

    target: str
    build: Callable[[RcsAccess, Repeat | None], Request]
    ended: Callable[[Response | None], None]


class Outbox:
    """MESSAGEs of this client: one at a time to a target (RFC 3428 8), kept while it is not registered."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Outgoing]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._access: RcsAccess | None = None

    @property
    def busy(self) -> bool:
        """Something is under way now."""
        return bool(self._workers)

    def put(self, outgoing: Outgoing) -> None:
        """Queue a message; it goes at once when the client is registered."""
        self._queues.setdefault(outgoing.target, deque()).append(outgoing)
        self._work(outgoing.target)

    def open(self, access: RcsAccess) -> None:
        """The client is registered over this access: send what waits."""
        self._access = access
        for target in tuple(self._queues):
            self._work(target)

    def pause(self) -> None:
        """Not registered now: what is under way may end, nothing new begins."""
        self._access = None

    async def close(self) -> None:
        """The connection is gone: what has no final response yet stays queued."""
        self._access = None
        workers = tuple(self._workers.values())
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        self._workers.clear()

    def _work(self, target: str) -> None:
        if self._access is not None and target in self._queues and target not in self._workers:
            self._workers[target] = asyncio.create_task(self._drain(target, self._access))

    async def _drain(self, target: str, access: RcsAccess) -> None:
        try:
            while self._access is access and target in self._queues:
                queue = self._queues[target]
                outgoing, response = queue[0], await self._deliver(queue[0], access)
                queue.popleft()
                if not queue:
                    del self._queues[target]
                outgoing.ended(response)
        finally:
            self._workers.pop(target, None)
            self._work(target)

    async def _deliver(self, outgoing: Outgoing, access: RcsAccess) -> Response | None:
        """The final response; None when none came or the message cannot be sent at all."""
        for attempt in range(1, ATTEMPTS_TO_CONNECT + 1):
            try:
                return await self._exchange(outgoing, access)
            except TransactionTimeout as error:
                _log.warning("%s", error)
                return None
            except TransportFailed as error:
                _log.warning("MESSAGE to %s, attempt %d: %s", outgoing.target, attempt, error)
                if attempt < ATTEMPTS_TO_CONNECT:
                    await asyncio.sleep(access.settings.retry_seconds)
            except RcsLabError as error:
                _log.warning("MESSAGE to %s cannot be sent: %s", outgoing.target, error)
                return None
        return None

    async def _exchange(self, outgoing: Outgoing, access: RcsAccess) -> Response:
        """Send, and once more with credentials when challenged (RFC 3261 22.2, 22.3)."""
        request = outgoing.build(access, None)
        response = await access.send(access.defects.apply(Stage.MESSAGE, request))
        password = access.settings.password
        if response.status not in (401, 407) or password is None:
            return response
        challenge = first_supported(response.challenges)
        if challenge is None:
            return response
        name = "Proxy-Authorization" if response.status == 407 else "Authorization"
        value = answer_challenge(
            challenge, "MESSAGE", request.uri, access.impi, password.encode(), request.body
        )
        repeat = Repeat(request.call_id, request.from_.tag, request.cseq.number + 1, (name, value))
        return await access.send(access.defects.apply(Stage.MESSAGE, outgoing.build(access, repeat)))


@dataclass(slots=True)
class Received:
    """A text that came: what is needed to notify its sender.

    own: our identity as the CPIM To names it, for the CPIM From of notifications when the sender is not to
    know it (anonymous), else empty.
    """

    message_id: str
    cpim_from: str
    target: str
    datetime: str
    conversation: str | None
    asked: frozenset[str]
    routes: tuple[str, ...] = ()
    own: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer to a MESSAGE, and what follows it."""

    status: int
    headers: Headers = field(default_factory=list)
    then: Callable[[], None] | None = None


class RcsTexts:
    """The texting of one client. Outlives connections: it holds what was sent and what came."""

    def __init__(
        self,
        app: MessagingApp,
        settings: RcsSettings,
        personality: Personality,
        defects: Defects,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.app, self.outbox = app, Outbox()
        self._settings, self._personality, self._defects = settings, personality, defects
        self._clock = clock
        self._sent: Recent[str, None] = Recent()
        self._received: Recent[tuple[str, str], Received] = Recent()
        self._unseen: Recent[str, deque[Received]] = Recent()
        self._conversations: Recent[str, str] = Recent()
        self._own_conversations: Recent[str, str] = Recent()

    # -- MO

    def send_text(self, number: str, text: str) -> str:
        """Queue a text; it goes when the client is registered. What became of it shows in the app.

        Returns its imdn.Message-ID.
        """
        message_id = self._new_message_id()
        content = text.encode("utf-8", "replace")
        try:
            if len(content) > self._settings.pager_limit:
                # Such a text leaves as a large message (RCC.07), which this client does not have.
                raise UsageError(f"{len(content)} octets are no pager-mode message")
            target = Msisdn.parse(number).sip(self._settings.domain)
        except UsageError as error:
            _log.warning("cannot send: %s", error)
            self.app.outcome(message_id, MessageStatus.NOT_SENT)
            return message_id
        self._sent[message_id] = None
        when = format_timestamp(self._clock())
        conversation = _kept(self._conversations, number, self._personality.ids.make)
        contribution = self._personality.ids.make()

        def build(access: RcsAccess, repeat: Repeat | None) -> Request:
            headers = [
                ("From", f"<{access.identity}>"),
                ("To", f"<{target}>"),
                ("DateTime", when),
                NAMESPACE,
                ("imdn.Message-ID", message_id),
                ("imdn.Disposition-Notification", "positive-delivery, display"),
            ]
            mime = [("Content-Type", TEXT_TYPE), ("Content-Length", str(len(content)))]
            body = build_cpim(self._defects.apply(Stage.CPIM_TEXT, headers), mime, content)
            return _message(access, target, body, conversation, contribution, repeat)

        def ended(response: Response | None) -> None:
            taken = response is not None and 200 <= response.status < 300
            self.app.outcome(message_id, MessageStatus.SENT if taken else MessageStatus.NOT_SENT)

        self.outbox.put(Outgoing(target, build, ended))
        return message_id

    def _new_message_id(self) -> str:
        """24 letters and digits hold more than the 64 bits of RFC 5438 6.3."""
        return secrets.token_hex(4) if self._defects.has("short_message_id") else new_id(24)

    # -- MT

    def receive(self, access: RcsAccess, message: Request, answer: Callable[[Response], None]) -> None:
        """Answer a MESSAGE, and after a 2xx show it and notify its sender."""
        judgement = self._judge(message)
        answer(access.response(message, judgement.status, judgement.headers))
        if judgement.then is not None:
            judgement.then()

    def _judge(self, message: Request) -> Judgement:
        unreadable = Judgement(400, [("Warning", '399 handset "unreadable body"')])
        coding = (message.get("Content-Encoding") or "identity").strip().lower()
        if coding != "identity":
            return Judgement(415, [("Accept-Encoding", "identity")])
        try:
            kind = message.content_type.essence if message.content_type else ""
            if kind == PLAIN:
                return Judgement(200, _ids(message), lambda: self._plain_text(message))
            if kind != CPIM:
                return Judgement(415, [("Accept", ACCEPTED)])
            cpim = parse_cpim(message.body)
            content = cpim.decoded()
            wrapped = cpim.content_type.essence if cpim.content_type else ""
        except (SipSyntaxError, BodySyntaxError) as error:
            _log.warning("unreadable MESSAGE: %s", error)
            return unreadable
        if wrapped == NOTIFICATION:
            return Judgement(200, _ids(message), lambda: self._notified(content))
        if wrapped == PLAIN:
            return Judgement(200, _ids(message), lambda: self._text(message, cpim, content))
        return Judgement(415, [("Accept", ACCEPTED)])

    def _notified(self, content: bytes) -> None:
        """An IMDN came: the bubble shows it. None is sent for it (RFC 5438 7.2.1)."""
        try:
            imdn = parse_imdn(content)
        except BodySyntaxError as error:
            _log.warning("unreadable IMDN: %s", error)
            return
        message_id, status = imdn.message_id or "", imdn.status or ""
        if message_id not in self._sent:
            _log.warning("an IMDN for a message never sent: %s", message_id)
        elif status in SHOWN_AS:
            self.app.outcome(message_id, SHOWN_AS[status])

    def _plain_text(self, message: Request) -> None:
        """Every MESSAGE client takes text/plain (RFC 3428 7); it asks for nothing."""
        kind = message.content_type
        text = _decoded(message.body, kind.parameters.get("charset") if kind else None)
        self._show(_number_of(_sender_of(message)), text, "")

    def _text(self, message: Request, cpim: CpimMessage, content: bytes) -> None:
        received = self._note(message, cpim)
        key = (received.cpim_from, received.message_id)
        if received.message_id and key in self._received:
            return  # sent again by a network that missed our 200: shown and notified once
        self._received[key] = received
        number = _number_of(received.target)
        if received.conversation and not self._personality.own_conversation:
            self._conversations[number] = received.conversation
        if received.message_id:
            self._delivered(number, received)
        kind = _media_type(cpim.mime_get("Content-Type"))
        self._show(number, _decoded(content, kind.parameters.get("charset") if kind else None),
                   received.message_id)  # fmt: skip
        if self._defects.has("displayed_unseen"):
            self.shown(number)

    def _delivered(self, number: str, received: Received) -> None:
        if "positive-delivery" in received.asked or self._defects.has("imdn_unrequested"):
            self._notify(received, "delivery")
            if self._defects.has("imdn_twice"):
                self._notify(received, "delivery")
        if "display" in received.asked:
            unseen = self._unseen.get(number) or deque(maxlen=MEMORY)
            unseen.append(received)
            self._unseen[number] = unseen

    def _show(self, number: str, text: str, message_id: str) -> None:
        altered = self._defects.has("other_text_on_screen")
        self.app.incoming(number, f"{text}…" if altered else text, message_id)

    def _note(self, message: Request, cpim: CpimMessage) -> Received:
        asked = cpim.imdn("Disposition-Notification") or ""
        to = cpim.to.uri if cpim.to else ""
        return Received(
            cpim.imdn("Message-ID") or "",
            cpim.from_.uri if cpim.from_ else ANONYMOUS,
            _sender_of(message),
            cpim.get("DateTime") or format_timestamp(self._clock()),
            message.get("Conversation-ID"),
            frozenset(token.split(";")[0].strip() for token in asked.split(",")),
            tuple(cpim.imdn_all("IMDN-Record-Route")),
            own=ANONYMOUS if to.lower() == ANONYMOUS else "",
        )

    def shown(self, number: str) -> None:
        """The conversation is on screen: what asked for it is displayed now."""
        for received in self._unseen.pop(number, ()):
            self._notify(received, "display")

    def _notify(self, received: Received, kind: str) -> None:
        """An IMDN to whoever sent the message (RFC 5438 7.2.1); callers see that there is one per kind."""
        target = _bare(received.routes[0]) if received.routes else received.target
        own_id, contribution, now = new_id(24), self._personality.ids.make(), self._clock()
        conversation = self._notification_conversation(received)
        xml = self._notification_xml(received, kind, now)

        def build(access: RcsAccess, repeat: Repeat | None) -> Request:
            headers: Headers = [
                ("From", f"<{received.own or access.identity}>"),
                ("To", f"<{received.cpim_from}>"),
                ("DateTime", format_timestamp(now)),
                NAMESPACE,
                ("imdn.Message-ID", own_id),
                *(("imdn.IMDN-Route", route) for route in received.routes),
            ]
            mime = [("Content-Type", NOTIFICATION), ("Content-Length", str(len(xml)))]
            if not self._defects.has("imdn_no_disposition"):
                mime.insert(1, ("Content-Disposition", "notification"))
            body = build_cpim(self._defects.apply(Stage.CPIM_NOTIFICATION, headers), mime, xml)
            return _message(access, target, body, conversation, contribution, repeat)

        self.outbox.put(Outgoing(target, build, lambda response: None))

    def _notification_xml(self, received: Received, kind: str, now: datetime) -> bytes:
        when = received.datetime
        if self._defects.has("imdn_now_datetime"):
            when = _later_than(received.datetime, now)
        xml = build_imdn(
            received.message_id, when, "delivery" if kind == "delivery" else "display", strict=False
        )
        changed: bytes = self._defects.apply(Stage.NOTIFICATION_XML, xml)
        return changed

    def _notification_conversation(self, received: Received) -> str:
        """The Conversation-ID received, or the client's own where that is its habit or its defect."""
        own = self._personality.own_conversation or self._defects.has("imdn_other_conversation")
        if own or received.conversation is None:
            return _kept(self._own_conversations, received.target, self._personality.ids.make)
        return received.conversation


def _message(
    access: RcsAccess,
    target: str,
    body: bytes,
    conversation: str,
    contribution: str,
    repeat: Repeat | None,
) -> Request:
    """A MESSAGE of the pager service, out of any dialog (RFC 3428 4)."""
    headers: Headers = [
        *access.routes,
        *([repeat.credentials] if repeat else []),
        ("Supported", "timer"),
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
    headers.append(("Content-Type", CPIM))
    return access.request(
        "MESSAGE",
        target,
        sender=access.identity,
        to=f"<{target}>",
        headers=headers,
        body=body,
        cseq=repeat.cseq if repeat else 1,
        call_id=repeat.call_id if repeat else None,
        from_tag=repeat.from_tag if repeat else None,
    )


def _kept(known: Recent[str, str], key: str, make: Callable[[], str]) -> str:
    if key not in known:
        known[key] = make()
    return known[key]


def _ids(message: Request) -> Headers:
    """The ids of the conversation, repeated in a 2xx as they came."""
    names = ("Conversation-ID", "Contribution-ID")
    return [(name, value) for name in names if (value := message.get(name)) is not None]


def _sender_of(message: Request) -> str:
    """The URI to answer to: From, or Referred-By or P-Asserted-Identity when From is anonymous (RFC 3323
    4.1) or a focus.
    """
    sender = message.from_.uri
    hidden = (sender.host or "").lower().endswith("anonymous.invalid")
    if not hidden:
        return str(sender)
    for name in ("Referred-By", "P-Asserted-Identity"):
        for text in message.values(name):
            try:
                return str(NameAddr.parse(text).uri)
            except SipSyntaxError:
                continue
    return str(sender)


def _number_of(uri: str) -> str:
    """The number of a URI, else its user part: what the app lists the conversation under."""
    try:
        parsed = parse_uri(uri)
    except SipSyntaxError:
        return normal_number(uri)
    return normal_number(parsed.number or parsed.user or uri)


def _bare(value: str) -> str:
    """The URI of an IMDN-Record-Route: [name] <uri> (RFC 5438 6.2)."""
    return value.partition("<")[2].partition(">")[0] if "<" in value else value.strip()


def _media_type(value: str | None) -> MediaType | None:
    try:
        return MediaType.parse(value) if value else None
    except SipSyntaxError:
        return None


def _decoded(content: bytes, charset: str | None) -> str:
    """The text, in UTF-8 unless its type names another charset this platform knows."""
    try:
        return content.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def _later_than(datetime_: str, now: datetime) -> str:
    """Now, and in any case a second later than the message says it is from."""
    try:
        moment = parse_timestamp(datetime_).moment + timedelta(seconds=1)
    except (BodySyntaxError, OverflowError):
        moment = now
    return format_timestamp(max(now, moment))
