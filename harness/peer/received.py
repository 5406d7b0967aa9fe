"""What the handset sent, as tests ask for it. What cannot be read is None, never an error."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.agent.msrp.services import COMPOSING, CPIM
from harness.agent.msrp.session import SessionHandle
from harness.agent.session.multipart_content import parts_of
from harness.agent.sip.agent import Incoming
from harness.bodies.cpim import CpimMessage, parse_cpim
from harness.bodies.encoding import DECODED_LIMIT
from harness.bodies.imdn import MEDIA_TYPE as IMDN_TYPE
from harness.bodies.imdn import Imdn, parse_imdn
from harness.bodies.is_composing import IsComposing, parse_is_composing
from harness.bodies.multipart import Part, split_multipart
from harness.cpm.services import Service, service_of
from harness.cpm.technology import services_in
from harness.errors import BodySyntaxError, SipSyntaxError
from harness.peer.identities import bare, number_of
from harness.peer.listed_recipients import LIST, ListedRecipients, listed_in
from harness.sip.message import Request

_SHOWN_OCTETS = 1000  # of a text, in what is said of it


class Carrier(StrEnum):
    """What carried a message or a notification."""

    MESSAGE = "MESSAGE"
    MSRP = "MSRP"
    INVITE = "INVITE"


class HandsetMessage:
    """A message of the handset, whatever carried it.

    number: of the timeline when it was complete; time: seconds since the Unix epoch. incoming: the MESSAGE,
    or the INVITE of its session, None when that was ours. content_type, content: those inside CPIM, where it
    is CPIM, without encodings. sender, recipient: identity URIs of the handset and of the far party.
    """

    __slots__ = ()

    if TYPE_CHECKING:  # a field or a property of each kind of message

        @property
        def carrier(self) -> Carrier: ...
        @property
        def number(self) -> int: ...
        @property
        def time(self) -> float: ...
        @property
        def incoming(self) -> Incoming | None: ...
        @property
        def cpim(self) -> CpimMessage | None: ...
        @property
        def content_type(self) -> str: ...
        @property
        def content(self) -> bytes: ...
        @property
        def fault(self) -> str: ...
        @property
        def accepted(self) -> bool: ...
        @property
        def sender(self) -> str: ...
        @property
        def recipient(self) -> str: ...
        @property
        def conversation_id(self) -> str | None: ...
        @property
        def contribution_id(self) -> str | None: ...

    @property
    def inside(self) -> SessionHandle | None:
        """The MSRP session its notifications go into, None when they go by MESSAGE."""
        return None

    @property
    def listed(self) -> ListedRecipients | None:
        """The recipient list it came with, None without one."""
        return None

    @property
    def size(self) -> int:
        """Octets of the content."""
        return len(self.content)

    @property
    def text(self) -> str | None:
        """The content decoded, None when it is no text."""
        if not self.content_type.strip().lower().startswith("text/"):
            return None
        return self.content.decode("utf-8", "replace")

    @property
    def message_id(self) -> str | None:
        """imdn.Message-ID."""
        return self.cpim.imdn("Message-ID") if self.cpim is not None else None

    @property
    def dispositions(self) -> frozenset[str]:
        """Values of imdn.Disposition-Notification in lower case."""
        rows = self.cpim.imdn_all("Disposition-Notification") if self.cpim is not None else []
        tokens = (token.partition(";")[0].strip().lower() for row in rows for token in row.split(","))
        return frozenset(filter(None, tokens))

    @property
    def date_time(self) -> str | None:
        """DateTime of the CPIM object as it was written."""
        return self.cpim.get("DateTime") if self.cpim is not None else None

    @property
    def from_number(self) -> str | None:
        """E.164 number of the sender, None when its identity has none."""
        return number_of(self.sender)

    @property
    def to_number(self) -> str | None:
        """E.164 number of the far party."""
        return number_of(self.recipient)

    @property
    def is_notification(self) -> bool:
        """True for an IMDN, single or aggregated (RFC 5438 8.3)."""
        essence = self.content_type.partition(";")[0].strip().lower()
        if essence == IMDN_TYPE:
            return True
        several = essence == "multipart/mixed" and self.size <= DECODED_LIMIT
        return several and b"imdn+xml" in self.content.lower()

    @property
    def is_composing(self) -> bool:
        """True for an isComposing document (RFC 3994)."""
        return self.content_type.partition(";")[0].strip().lower() == COMPOSING

    @property
    def composing(self) -> IsComposing | None:
        """An isComposing document as read, None for anything else."""
        try:
            return parse_is_composing(self.content) if self.is_composing else None
        except BodySyntaxError:
            return None

    def __str__(self) -> str:
        is_text = self.content_type.strip().lower().startswith("text/") and self.size <= _SHOWN_OCTETS
        what = repr(self.text) if is_text else f"{self.size} octets {self.content_type}"
        return f"{what} from {self.sender} to {self.recipient}, imdn.Message-ID {self.message_id}"


@dataclass(frozen=True, slots=True)
class ReceivedMessage(HandsetMessage):
    """A MESSAGE that carries no notification.

    status: what it was answered, None for silence; challenged: it was only asked for credentials and is to
    come again. All else is read from request and CPIM object when it is asked for.
    """

    number: int
    time: float
    incoming: Incoming
    cpim: CpimMessage | None
    content_type: str
    content: bytes
    fault: str = ""
    status: int | None = None
    challenged: bool = False

    def settle(self, status: int | None, challenged: bool) -> None:
        """Say what it is answered: once, before anybody else sees the message."""
        object.__setattr__(self, "status", status)
        object.__setattr__(self, "challenged", challenged)

    @property
    def carrier(self) -> Carrier:
        """A MESSAGE."""
        return Carrier.MESSAGE

    @property
    def request(self) -> Request:
        """The request as received."""
        return self.incoming.message

    @property
    def sender(self) -> str:
        """Identity URI of the handset (P-Preferred-Identity, else From)."""
        return sender_of(self.request)

    @property
    def recipient(self) -> str:
        """Identity URI of the far party (To)."""
        return str(self.request.to.uri)

    @property
    def conversation_id(self) -> str | None:
        """Conversation-ID of the request."""
        return self.request.get("Conversation-ID")

    @property
    def contribution_id(self) -> str | None:
        """Contribution-ID of the request."""
        return self.request.get("Contribution-ID")

    @property
    def listed(self) -> ListedRecipients | None:
        """The recipient list in its body (RFC 5365 6)."""
        return listed_in(self.request)

    @property
    def accepted(self) -> bool:
        """True when it was answered with a 2xx."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class ReceivedNotification:
    """One IMDN of the handset. message_id: of the message reported; kind: its status ("delivered", ...).

    carrier: how it came. incoming: the MESSAGE, or the INVITE of its session, None when that was ours.
    recipient: identity URI of the far party it came to.
    """

    number: int
    time: float
    carrier: Carrier
    incoming: Incoming | None
    cpim: CpimMessage | None
    imdn: Imdn | None
    message_id: str | None
    kind: str | None
    sender: str
    recipient: str
    conversation_id: str | None
    fault: str = ""
    status: int | None = None

    def __str__(self) -> str:
        return (
            f"{self.kind} for {self.message_id} from {self.sender}{f' ({self.fault})' if self.fault else ''}"
        )


def read_message(incoming: Incoming, number: int, time: float) -> ReceivedMessage:
    """Take a MESSAGE apart, whose To and From can be read."""
    content_type, content, fault = _message_in(incoming.message)
    cpim = None
    if not fault and content_type.partition(";")[0].strip().lower() == CPIM:
        try:
            cpim = parse_cpim(content)
            content, fault = _decoded(cpim)
            content_type = cpim.mime_get("Content-Type") or ""
        except BodySyntaxError as error:
            fault = str(error)
    return ReceivedMessage(
        number=number,
        time=time,
        incoming=incoming,
        cpim=cpim,
        content_type=content_type,
        content=content,
        fault=fault,
    )


def _message_in(request: Request) -> tuple[str, bytes, str]:
    """Type and octets of the message itself, and why they could not be decoded.

    It is the body, or the first part beside a recipient list (RFC 5365 6).
    """
    beside = [part for part in parts_of(request) if part.disposition != LIST]
    if not beside:
        return request.get("Content-Type") or "", request.body, ""
    return beside[0].mime_get("Content-Type") or "text/plain", *_decoded(beside[0])


def _decoded(entity: CpimMessage | Part) -> tuple[bytes, str]:
    """The content without its encodings; as it came, and why, where they cannot be undone."""
    try:
        return entity.decoded(), ""
    except BodySyntaxError as error:
        return entity.content, str(error)


def sender_of(request: Request) -> str:
    """The identity a request of the handset is made under (TS 24.229 5.2.6.3: preferred, else From)."""
    for value in (*request.values("P-Preferred-Identity"), *request.values("P-Asserted-Identity")):
        return bare(value)
    return str(request.from_.uri)


def service_in(request: Request) -> Service | None:
    """The CPM service a first request is for: P-Preferred-Service, else what Accept-Contact asks for."""
    stated = service_of(request.get("P-Preferred-Service") or "")
    if stated is not None:
        return stated
    named: list[Service] = []
    with contextlib.suppress(SipSyntaxError):
        named = [found for each in request.accept_contacts for found in services_in(each.features)]
    return next(iter(named), None)


def notifications_in(message: HandsetMessage, status: int | None) -> list[ReceivedNotification]:
    """The notifications a message carries; one that cannot be read has a fault instead of an Imdn."""
    found: list[ReceivedNotification] = []
    for document, undecoded in _documents(message):
        imdn, fault = (None, undecoded) if undecoded else _imdn(document)
        found.append(
            ReceivedNotification(
                number=message.number,
                time=message.time,
                carrier=message.carrier,
                incoming=message.incoming,
                cpim=message.cpim,
                imdn=imdn,
                message_id=imdn.message_id if imdn else None,
                kind=imdn.status if imdn else None,
                sender=message.sender,
                recipient=message.recipient,
                conversation_id=message.conversation_id,
                fault=fault,
                status=status,
            )
        )
    return found


def _documents(message: HandsetMessage) -> list[tuple[bytes, str]]:
    """The octets of each document, and why they could not be decoded."""
    whole = [(message.content, message.fault)]
    kind = message.cpim.content_type if message.cpim is not None else None
    if kind is None or kind.essence.lower() != "multipart/mixed":
        return whole
    try:
        parts = split_multipart(message.content, kind.parameters.get("boundary", "")).parts
    except BodySyntaxError:
        return whole
    return [_decoded(part) for part in parts]


def _imdn(document: bytes) -> tuple[Imdn | None, str]:
    try:
        return parse_imdn(document), ""
    except (BodySyntaxError, SipSyntaxError) as error:
        return None, str(error)
