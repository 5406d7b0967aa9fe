"""Notifications that are due: for each message that asks, which, from whom, by which way, and what came.

RFC 5438 7.1.2 ties a notification to its message by the id alone, so one chain holds what came by MESSAGE, in
a session and with the INVITE of a file. A delivery notification is due once the message was taken, a display
notification when the user looks, which may be never (7.2.1.2). On a message of a chat it goes in the session
while that lives, and by MESSAGE after it; on others by MESSAGE.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from harness.bodies.imdn import MEDIA_TYPE as IMDN_TYPE
from harness.bodies.resource_lists import MEDIA_TYPE, parse_resource_lists
from harness.bodies.sdp_attributes import type_accepted
from harness.cpm.services import Service
from harness.errors import BodySyntaxError
from harness.verify.assembly import Assembly
from harness.verify.comparison import party_of, uri_of
from harness.verify.finding import Party
from harness.verify.items import CpimItem, Notification, SipEntry
from harness.verify.msrp_items import MsrpEntry
from harness.verify.negotiation_items import MsrpSession
from harness.verify.session_services import service_of_session
from harness.verify.sip_bodies import bodies_of

# RFC 5438 6.2: token of Disposition-Notification -> the notification it asks for.
ASKED = {"positive-delivery": "delivery", "display": "display"}


class Way(StrEnum):
    """How a notification travels."""

    SESSION = "in the session"
    MESSAGE = "by MESSAGE"


@dataclass(frozen=True, eq=False)
class Due:
    """One notification a message asks for.

    message: as it was first taken, or first sent when nobody took it. kind: "delivery" or "display". owed_by:
    the side that received the message. since: seconds since the epoch when the message was taken, None when
    it was not, so that nothing is due. way: how the notification goes now. told: those that came, in order.
    """

    message: CpimItem
    kind: str
    owed_by: Party
    since: float | None
    way: Way
    told: tuple[Notification, ...]

    @property
    def message_id(self) -> str:
        """The imdn.Message-ID of the message."""
        return self.message.message_id or ""

    @property
    def open(self) -> bool:
        """The message was taken and nothing was told of it yet."""
        return self.since is not None and not self.told

    @cached_property
    def recipients(self) -> tuple[str, ...]:
        """Who owes it, as numbers or user@host; empty where the message does not tell (anonymous)."""
        return tuple(sorted(_recipients(self.message)))

    def __str__(self) -> str:
        came = ", ".join(f"{each.imdn.status} in {each.item.label}" for each in self.told)
        state = came or ("open" if self.open else "not due")
        whom = f" ({', '.join(self.recipients)})" if self.recipients else ""
        message = f"{self.message_id} ({self.message.label})"
        return f"{self.kind} of {message} from {self.owed_by}{whom}, {self.way}: {state}"


def due_notifications(assembly: Assembly, *, owed_by: Party | None = None) -> list[Due]:
    """What all messages so far ask for (of one side), in their order.

    A message that came several times counts once.
    """
    return [
        due
        for item in assembly.cpim_items()
        if owed_by in (None, item.sender.other)
        and item.sender is not Party.UNKNOWN
        and is_first_taken(item, assembly)
        for due in due_of(item, assembly)
    ]


def due_of(item: CpimItem, assembly: Assembly) -> list[Due]:
    """What one message asks for; nothing for a notification."""
    if item.is_notification or not item.message_id:
        return []
    told = [each for each in assembly.notifications(item.message_id) if each.item.sender is item.sender.other]
    return [
        Due(
            item,
            kind,
            item.sender.other,
            taken_at(item),
            way_now(item, assembly),
            tuple(each for each in told if each.imdn.notification == kind),
        )
        for token, kind in ASKED.items()
        if token in item.requested
    ]


def taken_at(item: CpimItem) -> float | None:
    """When the message was taken: by a 2xx, or a 200 to its last chunk. None when it was refused, or not yet.

    Where no response is due (Failure-Report, RFC 4975 7.1.1) a whole MSRP message is taken when it came.
    """
    carrier = item.carrier
    if isinstance(carrier, SipEntry):
        accepted = carrier.transaction.accepted if carrier.transaction else None
        return accepted.time if accepted else None
    transaction = carrier.transaction
    if transaction is None or carrier.request is None:
        return None
    if transaction.accepted is not None:
        return transaction.accepted.time
    return None if transaction.responses or carrier.request.failure_report == "yes" else carrier.time


def way_now(item: CpimItem, assembly: Assembly) -> Way:
    """How a notification on the message goes as things stand."""
    carrier = item.carrier
    if isinstance(carrier, SipEntry) or carrier.session is None:
        return Way.MESSAGE
    session = carrier.session
    chat = service_of_session(session.exchanges[0].offer) is Service.SESSION
    return (
        Way.SESSION
        if chat and session_lives(session, assembly) and _takes_notifications(carrier)
        else Way.MESSAGE
    )


def session_lives(session: MsrpSession, assembly: Assembly) -> bool:
    """No BYE came for it, no refusal, and the connection it used last stands."""
    dialog = session.dialog
    if dialog is None or dialog.byes:
        return False
    ends = [session.end(True), session.end(False)]
    if any(end is None or not end.port for end in ends):
        return False
    entries = assembly.msrp.entries_of(session)
    used = entries[-1].connection if entries else None
    return used is None or used not in assembly.msrp.closed


def _takes_notifications(carrier: MsrpEntry) -> bool:
    """The sender of the message takes IMDNs in the session."""
    end = carrier.own_end
    if end is None or not end.accept_types:
        return True
    wrapped = (*end.accept_types, *end.wrapped_types)
    return type_accepted(end.accept_types, "message/cpim") and type_accepted(wrapped, IMDN_TYPE)


def is_first_taken(item: CpimItem, assembly: Assembly) -> bool:
    """Of the copies of a message it is the first that was taken, else the first."""
    copies = [
        known
        for known in assembly.originals(item.message_id)
        if known.sender is item.sender and not known.is_notification
    ]
    taken = [known for known in copies if taken_at(known) is not None]
    return (taken or copies or [item])[0] is item


def _recipients(item: CpimItem) -> Iterator[str]:
    """Members of the list it carries, else whom it is addressed to."""
    carrier = item.by_sip
    texts: list[str] = []
    if carrier is not None and carrier.message is not None:
        texts = list(_listed(carrier))
        if not texts and carrier.method == "MESSAGE":
            texts = [carrier.sip.get("To") or ""]
    if not texts and item.cpim is not None:
        texts = [address.uri for address in item.cpim.addresses("To")]
    found = {party_of(uri) for text in texts if (uri := uri_of(text)) is not None}
    yield from (party for party in found if "anonymous" not in party)


def _listed(carrier: SipEntry) -> Iterator[str]:
    for _, part in bodies_of(carrier, MEDIA_TYPE):
        try:
            yield from (each.uri for each in parse_resource_lists(part).recipients)
        except BodySyntaxError:
            return
