"""Standalone messages in pager mode, both ways (RFC 3428, RFC 3862, RFC 5438)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from harness.agent.session.multipart_content import multipart_content
from harness.agent.session.user import Content
from harness.agent.sip.agent import Incoming
from harness.bodies.cpim import build_cpim, format_cpim_address
from harness.bodies.timestamp import format_timestamp
from harness.cpm.services import Service
from harness.evidence.timeline import Transport
from harness.peer.answers import Answer, AnswerQueue, Header, HeaderChanges, changed
from harness.peer.authentication import Authenticator
from harness.peer.config import FarParty
from harness.peer.journal import EventKind, PeerEvent, Recent
from harness.peer.listed_recipients import LIST_MESSAGE, history_part
from harness.peer.mt_request import MtRequest, MtSender, Sending, Target, registered
from harness.peer.notifications import IMDN_NAMESPACE, Notifications
from harness.peer.pcscf import Pcscf
from harness.peer.proxy_authentication import ProxyAuthentication
from harness.peer.received import ReceivedMessage, read_message
from harness.peer.registrar import Registrar
from harness.sip.message import Request, Response

log = logging.getLogger(__name__)

DISPOSITION = ("positive-delivery", "display")
_ACCEPTED, _TO_EACH = Answer(200), Answer(202)


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message of the far party to the handset, and how it ended.

    response is None when the handset gave no final response; `failure` then says why. sent_at, ended_at:
    seconds since the Unix epoch; number: the timeline when it was sent.
    """

    text: str | bytes
    sender: str
    recipient: str
    message_id: str
    conversation_id: str
    contribution_id: str
    request: Request
    response: Response | None
    failure: str
    sent_at: float
    ended_at: float
    number: int

    @property
    def status(self) -> int | None:
        """Status of the response, None without one."""
        return self.response.status if self.response is not None else None

    @property
    def accepted(self) -> bool:
        """True when the handset answered with a 2xx."""
        return self.status is not None and 200 <= self.status < 300


class Pager:
    """The far party's standalone messages: what it gets, what it answers, what it sends."""

    def __init__(
        self,
        pcscf: Pcscf,
        registrar: Registrar,
        authenticator: Authenticator,
        notifications: Notifications,
        sender: MtSender,
    ) -> None:
        self._pcscf = pcscf
        self._registrar = registrar
        self._proxy = ProxyAuthentication(pcscf.config, authenticator)
        self._notifications = notifications
        self._sender = sender
        self._answers = AnswerQueue()
        self.conversations = notifications.conversations
        self.received: Recent[ReceivedMessage] = Recent()
        self.sent: Recent[SentMessage] = Recent()

    # From the handset

    def answer_next(
        self,
        status: int | None,
        headers: HeaderChanges | None = None,
        count: int = 1,
        *,
        reason: str | None = None,
        delay: float = 0.0,
    ) -> None:
        """Answer the next `count` texts of the handset with this status, or not at all (None).

        407 without a Proxy-Authenticate of your own brings a challenge, and the repeat is checked: right
        credentials get the usual answer, wrong ones 407 once more and then 403. 415 gets Accept. UsageError
        for a status no server may send, and for 407 when no subscriber has a password. delay: seconds the
        answer is held back.
        """
        answer = Answer(status, headers or {}, reason, delay=delay)
        self._proxy.demand_possible(answer)
        self._answers.add(answer, count)

    def answer_as_usual(self) -> None:
        """Forget the answers asked for and not given yet."""
        self._answers.clear()

    def on_message(self, incoming: Incoming) -> None:
        """Answer a MESSAGE of the handset and record it."""
        timeline = self._pcscf.timeline
        message = read_message(incoming, len(timeline), timeline.now())
        if message.is_notification:
            self.conversations.begun(message.sender, message.recipient, message.conversation_id)
            self._notifications.on_notification(message)
            return
        answer, challenge = self._decide(message)
        message.settle(answer.status, bool(challenge))
        if message.accepted:
            self.conversations.remember(message.sender, message.recipient, message.conversation_id)
        self.received.append(message)
        self._pcscf.journal.add(EventKind.MESSAGE_RECEIVED, "{}, answer {}", message, message, answer.status)
        if self._notifications.comes_first(message):
            self._pcscf.spawn(self._answer_second(message, answer), "notification before the answer")
        elif answer.delay:
            self._pcscf.spawn(self._answer_late(message, answer, challenge), "late answer")
        else:
            self._settle(message, answer, challenge)

    async def _answer_second(self, message: ReceivedMessage, answer: Answer) -> None:
        await self._notifications.send_first(message)
        self._give(message, answer, [])

    async def _answer_late(self, message: ReceivedMessage, answer: Answer, challenge: list[Header]) -> None:
        await asyncio.sleep(answer.delay)
        self._settle(message, answer, challenge)

    def _settle(self, message: ReceivedMessage, answer: Answer, challenge: list[Header]) -> None:
        self._give(message, answer, challenge)
        self._notifications.on_text(message)

    def _give(self, message: ReceivedMessage, answer: Answer, challenge: list[Header]) -> None:
        self._pcscf.answer(message.incoming, answer, [*self._headers(message, answer), *challenge])

    def _headers(self, message: ReceivedMessage, answer: Answer) -> list[Header]:
        if answer.accepts:
            ids = (("Conversation-ID", message.conversation_id), ("Contribution-ID", message.contribution_id))
            return [(name, value) for name, value in ids if value]
        if answer.status == 415:
            return [("Accept", ", ".join(self._pcscf.config.accepted_bodies))]
        return []

    def _decide(self, message: ReceivedMessage) -> tuple[Answer, list[Header]]:
        """The answer, and the challenge that goes with it."""
        refused = self._proxy.refusal(message.request)
        if refused is not None:
            return refused
        answer = self._answers.take() or self._usual(message)
        return answer, self._proxy.challenge(answer, message.request)

    def _usual(self, message: ReceivedMessage) -> Answer:
        if message.fault:
            return Answer(400, reason="the message/cpim body cannot be read")
        listed = message.listed
        if listed is not None:  # RFC 5365 7: it is accepted, and then sent to each
            return Answer(400, reason="The recipient list cannot be read") if listed.fault else _TO_EACH
        if LIST_MESSAGE in map(str.lower, message.request.values("Require")):
            return Answer(400, reason="There is no recipient list")
        return _ACCEPTED

    async def wait_message(
        self,
        text: str | None = None,
        *,
        timeout: float,
        after: int = 0,
        predicate: Callable[[ReceivedMessage], bool] | None = None,
    ) -> ReceivedMessage:
        """The first message later than timeline number `after` with this text (any text when None).

        Attempts that were only challenged do not count, refused ones do. Raises NotSeen after `timeout`
        seconds.
        """

        def wanted(event: PeerEvent) -> bool:
            message = event.subject
            return (
                event.kind is EventKind.MESSAGE_RECEIVED
                and isinstance(message, ReceivedMessage)
                and not message.challenged
                and (text is None or message.text == text)
                and (predicate is None or predicate(message))
            )

        event = await self._pcscf.journal.wait(
            wanted,
            timeout,
            after=after,
            expected="a message" if text is None else f"a message {text!r}",
            kinds=(EventKind.MESSAGE_RECEIVED, EventKind.ANSWERED, EventKind.WITHHELD),
        )
        message = event.subject
        assert isinstance(message, ReceivedMessage)
        return message

    # To the handset

    async def send_text(
        self,
        to_aor: str,
        text: str | bytes,
        *,
        sender: str | FarParty | None = None,
        disposition: Sequence[str] = DISPOSITION,
        content_type: str = "text/plain;charset=UTF-8",
        message_id: str | None = None,
        conversation_id: str | None = None,
        contribution_id: str | None = None,
        in_reply_to: str | None = None,
        cpim: HeaderChanges | None = None,
        mime: HeaderChanges | None = None,
        headers: HeaderChanges | None = None,
        body: bytes | None = None,
        shown: bytes | None = None,
        service: Service = Service.PAGER,
        transport: Transport | None = None,
    ) -> SentMessage:
        """Send a message to a registered handset and wait for its answer.

        to_aor: identity or number of the handset. sender: number, URI or party, the configured far party
        when None. disposition: values of Disposition-Notification, empty for none. cpim, mime, headers:
        CPIM headers, headers of the content, SIP headers to change, add or leave out. body: octets in place
        of the whole CPIM object. shown: the document with the other recipients, as `history` writes it, of a
        message that went to several (RFC 5365 7.3). transport: UDP or TCP, chosen by size when
        None. Waits its turn behind other MESSAGE requests. Raises NotSeen when the handset is not registered;
        a handset that does not answer shows in the result.
        """
        target = self.target(to_aor, service)
        party = self._pcscf.config.party_of(sender)
        identifier = message_id if message_id is not None else self._pcscf.config.personality.message_ids()
        content = text.encode("utf-8") if isinstance(text, str) else text
        rows = cpim_rows(self._pcscf.timeline.now(), party, target.identity, identifier, disposition)
        mime_rows = [("Content-Type", content_type), ("Content-Length", str(len(content)))]
        checked = not (cpim or mime)  # what a test changes is written as told
        built = build_cpim(changed(rows, cpim or {}), changed(mime_rows, mime or {}), content, strict=checked)
        request = self._request(
            target,
            party,
            self.conversations.of(target.identity, party.sip, conversation_id),
            contribution_id or self._pcscf.config.personality.ids(),
            body if body is not None else built,
        )
        if shown is not None:
            whole = multipart_content([Content(request.content_type, request.body), history_part(shown)])
            request = replace(request, content_type=whole.type, body=whole.body)
        request = replace(request, service=service, in_reply_to=in_reply_to, changes=headers or {})
        sending = await self._sender.send(request, transport)
        return self._sent(text, identifier, request, sending)

    def target(self, identity: str, service: Service = Service.PAGER) -> Target:
        """A registered handset, of several the one that can do most of the service.

        Raises NotSeen when nothing is bound to the identity.
        """
        return registered(self._registrar, identity, service)

    def _request(
        self, target: Target, party: FarParty, conversation_id: str, contribution_id: str, body: bytes
    ) -> MtRequest:
        config = self._pcscf.config
        return MtRequest(
            target=target,
            originator=party,
            service=Service.PAGER,
            conversation_id=conversation_id,
            contribution_id=contribution_id,
            content_type="message/cpim",
            body=body,
            domain=config.domain,
            server=config.server,
            technology=config.technology,
            hops=config.hops,
        )

    def _sent(self, text: str | bytes, message_id: str, request: MtRequest, sending: Sending) -> SentMessage:
        sent = SentMessage(
            text=text,
            sender=request.originator.sip,
            recipient=request.target.identity,
            message_id=message_id,
            conversation_id=request.conversation_id,
            contribution_id=request.contribution_id,
            request=sending.request,
            response=sending.response,
            failure=sending.failure,
            sent_at=sending.sent_at,
            ended_at=sending.ended_at,
            number=sending.number,
        )
        self.sent.append(sent)
        outcome = sent.status if sent.status is not None else sent.failure
        self._pcscf.journal.add(
            EventKind.MESSAGE_SENT, f"{text!r} to {sent.recipient}, {message_id}: {outcome}", sent
        )
        return sent


def cpim_rows(
    now: float, party: FarParty, identity: str, message_id: str, disposition: Sequence[str]
) -> list[Header]:
    """CPIM headers of a message of a party to a handset, which asks for these notifications (RFC 5438).

    now: seconds since the Unix epoch.
    """
    rows: list[Header] = [
        ("From", format_cpim_address(party.sip, party.display or None)),
        ("To", format_cpim_address(identity)),
        ("DateTime", format_timestamp(datetime.fromtimestamp(now, UTC))),
        ("NS", f"imdn <{IMDN_NAMESPACE}>"),
        ("imdn.Message-ID", message_id),
    ]
    if disposition:
        rows.append(("imdn.Disposition-Notification", ", ".join(disposition)))
    return rows
