"""Pager-mode texts, as the RCS client sends and receives them.

RFC 3428 (MESSAGE), RFC 3862 (CPIM), OMA CPM headers. Notifications are in rcs_notifications.py.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from devices.simulated.conversations import MessageStatus
from devices.simulated.defect import Stage
from devices.simulated.defects import Defects
from devices.simulated.messaging_app import MessagingApp
from devices.simulated.personality import Personality
from devices.simulated.rcs_access import Headers, RcsAccess, RcsSettings
from devices.simulated.rcs_conversations import Conversations, ids_of, number_of, sender_of
from devices.simulated.rcs_notifications import NAMESPACE, RcsNotifications, Received, notifications_in
from devices.simulated.rcs_outbox import CPIM, Outbox, Outgoing, Repeat, pager_message
from harness.agent.msrp.plan import MsrpPlan
from harness.agent.session.multipart_content import parts_of
from harness.agent.session.user import SessionRequest
from harness.bodies.cpim import CpimMessage, build_cpim, parse_cpim
from harness.bodies.imdn import MEDIA_TYPE as NOTIFICATION
from harness.bodies.multipart import Part
from harness.bodies.sdp_attributes import type_accepted
from harness.bodies.timestamp import format_timestamp
from harness.cpm.identity import Msisdn
from harness.cpm.tokens import new_id
from harness.errors import BodySyntaxError, SipSyntaxError, UsageError
from harness.sip.headers import MediaType
from harness.sip.message import Request, Response

_log = logging.getLogger(__name__)

TEXT_TYPE = "text/plain;charset=UTF-8"
PLAIN = "text/plain"
MIXED = "multipart/mixed"
ACCEPTED = ", ".join((CPIM, PLAIN, NOTIFICATION, MIXED))
POSITIVE = ("positive-delivery", "display")


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer to a MESSAGE, and what follows it."""

    status: int
    headers: Headers = field(default_factory=list)
    then: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class WrittenText:
    """A text of the user with what its CPIM object says of it, made when the user sent it."""

    message_id: str
    content: bytes
    when: str
    asks: Sequence[str] = POSITIVE

    def document(self, sender: str, recipient: str, defects: Defects) -> bytes:
        """The CPIM object that asks for notifications (RFC 5438 6.3)."""
        headers = [
            ("From", f"<{sender}>"),
            ("To", f"<{recipient}>"),
            ("DateTime", self.when),
            NAMESPACE,
            ("imdn.Message-ID", self.message_id),
            ("imdn.Disposition-Notification", ", ".join(self.asks)),
        ]
        mime = [("Content-Type", TEXT_TYPE), ("Content-Length", str(len(self.content)))]
        return build_cpim(defects.apply(Stage.CPIM_TEXT, headers), mime, self.content)


class TextShelf:
    """What all services that carry texts share: how a text is written, and how one that came is shown."""

    def __init__(
        self,
        app: MessagingApp,
        notifications: RcsNotifications,
        conversations: Conversations,
        personality: Personality,
        defects: Defects,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.app, self.notifications, self.conversations = app, notifications, conversations
        self.personality, self.defects, self.clock = personality, defects, clock

    def write(self, text: str) -> WrittenText:
        """A text the user sends now. Notifications for it are expected from here on."""
        # 24 letters and digits hold more than the 64 bits of RFC 5438 6.3.
        message_id = secrets.token_hex(4) if self.defects.has("short_message_id") else new_id(24)
        self.notifications.expect(message_id)
        return WrittenText(message_id, text.encode("utf-8", "replace"), format_timestamp(self.clock()))

    def came(
        self, key: str, cpim: CpimMessage, content: bytes, received: Received, sender: str | None = None
    ) -> None:
        """Show a text in the conversation under this key and notify its sender, once if it comes twice.

        sender: the number of the member who wrote it to a group.
        """
        if self.notifications.is_repeat(received):
            return
        if not self.personality.own_conversation:
            self.conversations.learn(key, received.conversation)
        self.notifications.delivered(key, received)
        kind = _media_type(cpim.mime_get("Content-Type"))
        text = decoded(content, kind.parameters.get("charset") if kind else None)
        self.show(key, text, received.message_id, sender)
        if self.defects.has("displayed_unseen"):
            self.notifications.shown(key)

    def show(self, key: str, text: str, message_id: str, sender: str | None = None) -> None:
        """Put it on the screen."""
        altered = self.defects.has("other_text_on_screen")
        self.app.incoming(key, f"{text}…" if altered else text, message_id, sender)


class RcsTexts:
    """The pager mode of one client. Outlives connections."""

    def __init__(self, shelf: TextShelf, outbox: Outbox, settings: RcsSettings) -> None:
        self._shelf, self._outbox, self._settings = shelf, outbox, settings

    # -- MO

    def send(self, number: str, text: WrittenText) -> None:
        """Queue a text; it goes when the client is registered. What became of it shows in the app.

        Raises UsageError for a number that is none.
        """
        shelf, target = self._shelf, Msisdn.parse(number).sip(self._settings.domain)
        conversation = shelf.conversations.id_of(number)
        contribution = shelf.personality.ids.make()

        def build(access: RcsAccess, repeat: Repeat | None) -> Request:
            body = text.document(access.identity, target, shelf.defects)
            return pager_message(access, target, body, conversation, contribution, repeat)

        def ended(response: Response | None) -> None:
            taken = response is not None and 200 <= response.status < 300
            shelf.app.outcome(text.message_id, MessageStatus.SENT if taken else MessageStatus.NOT_SENT)

        self._outbox.put(Outgoing(target, build, ended))

    # -- MT

    def receive(self, access: RcsAccess, message: Request, answer: Callable[[Response], None]) -> None:
        """Answer a MESSAGE, and after a 2xx show it and notify its sender."""
        judgement = self._judge(message)
        answer(access.response(message, judgement.status, judgement.headers))
        if judgement.then is not None:
            judgement.then()

    def receive_in_session(self, request: SessionRequest) -> None:
        """The same for a MESSAGE in the dialog of a session."""
        judgement = self._judge(request.message)
        request.respond(judgement.status, None, judgement.headers)
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
                return Judgement(200, ids_of(message), lambda: self._plain_text(message))
            body = message.body if kind == CPIM else cpim_among(message)
            if body is None:
                return Judgement(415, [("Accept", ACCEPTED)])
            cpim = parse_cpim(body)
            aggregate = notifications_in(cpim)
            content = cpim.decoded()
            wrapped = cpim.content_type.essence if cpim.content_type else ""
        except (SipSyntaxError, BodySyntaxError) as error:
            _log.warning("unreadable MESSAGE: %s", error)
            return unreadable
        if wrapped == NOTIFICATION:
            return Judgement(200, ids_of(message), lambda: self._shelf.notifications.take(content))
        if aggregate:
            return Judgement(200, ids_of(message), lambda: self._shelf.notifications.take_aggregate(cpim))
        if wrapped == PLAIN:
            return Judgement(200, ids_of(message), lambda: self._text(message, cpim, content))
        return Judgement(415, [("Accept", ACCEPTED)])

    def _plain_text(self, message: Request) -> None:
        """Every MESSAGE client takes text/plain (RFC 3428 7); it asks for nothing."""
        kind = message.content_type
        text = decoded(message.body, kind.parameters.get("charset") if kind else None)
        self._shelf.show(number_of(sender_of(message)), text, "")

    def _text(self, message: Request, cpim: CpimMessage, content: bytes) -> None:
        target = sender_of(message)
        received = Received.of(cpim, target, message.get("Conversation-ID"), self._shelf.clock())
        self._shelf.came(number_of(target), cpim, content, received)


def cpim_among(message: Request) -> bytes | None:
    """The CPIM object of a MESSAGE with a list of others who got it (RFC 5365 8). Raises BodySyntaxError.

    None where there is none, or beside it something that is not known and not optional (RFC 5621 4).
    """
    parts = parts_of(message) if message.content_type and message.content_type.essence == MIXED else ()
    found = [part for part in parts if part.content_type is not None and part.content_type.essence == CPIM]
    others = [part for part in parts if part not in found[:1]]
    if not found or not all(map(_may_be_ignored, others)):
        return None
    return found[0].decoded()


def _may_be_ignored(part: Part) -> bool:
    handling = (part.mime_get("Content-Disposition") or "").replace(" ", "").lower()
    return part.disposition == "recipient-list-history" or ";handling=optional" in handling


def demand_text(plan: MsrpPlan) -> None:
    """Raises UsageError when the other side takes no text in CPIM (RFC 4975 8.6)."""
    taken = (*plan.remote_accepts, *plan.remote_accepts_wrapped)
    if not type_accepted(taken, PLAIN):
        raise UsageError(f"the other side takes {' '.join(taken)}, not {PLAIN} (RFC 4975 8.6)")


def _media_type(value: str | None) -> MediaType | None:
    try:
        return MediaType.parse(value) if value else None
    except SipSyntaxError:
        return None


def decoded(content: bytes, charset: str | None) -> str:
    """The text, in UTF-8 unless its type names another charset this platform knows."""
    try:
        return content.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")
