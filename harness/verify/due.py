"""Notifications that are due: for each message that asks, which, from whom, by which way, and what came.

RFC 5438 7.1.2 ties a notification to its message by the id alone, so one chain holds what came by MESSAGE, in
a session and with the INVITE of a file. A delivery notification is due once the message was taken, a display
notification when the user looks, which may be never (7.2.1.2). On a message of a chat it goes in the session
while that lives, and by MESSAGE after it; on others by MESSAGE. Who owes it is in owing.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from math import inf

from harness.bodies.imdn import MEDIA_TYPE as IMDN_TYPE
from harness.bodies.sdp_attributes import type_accepted
from harness.cpm.services import Service
from harness.verify.assembly import Assembly
from harness.verify.chains import ASKED
from harness.verify.conferences import Member
from harness.verify.finding import Party
from harness.verify.items import CpimItem, Notification, SipEntry
from harness.verify.msrp_items import MsrpEntry
from harness.verify.negotiation_items import MsrpSession
from harness.verify.owing import makers_of, owing, recipients
from harness.verify.session_services import service_of_session


class Way(StrEnum):
    """How a notification travels."""

    SESSION = "in the session"
    MESSAGE = "by MESSAGE"


@dataclass(frozen=True, eq=False)
class Due:
    """One notification a message asks for.

    message: as it was first taken, or first sent when nobody took it. kind: "delivery" or "display". owed_by:
    the side that received the message; member: who of it, where several did, by the names there are. since:
    seconds since the epoch when the message was taken, None when it was not, so that nothing is due. way: how
    the notification goes now. told: those that came, in order.
    """

    message: CpimItem
    kind: str
    owed_by: Party
    since: float | None
    way: Way
    told: tuple[Notification, ...]
    member: Member = ()

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
        return self.member[:1] or tuple(sorted(recipients(self.message)))

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


def due_of(item: CpimItem, assembly: Assembly, end: float | None = None) -> list[Due]:
    """What one message asks for; nothing for a notification.

    In a group by each member who was in it until `end` (default: now), where that is known.
    """
    if item.is_notification or not item.message_id:
        return []
    owed = owing(item, assembly, assembly.now if end is None else end)
    since, way = came_at(item, assembly), way_now(item, assembly)
    told = told_of(item, assembly)
    return [
        Due(
            item,
            kind,
            item.sender.other,
            since,
            way,
            tuple(
                each
                for each in told
                if each.imdn.notification == kind and (not member or makers_of(each) & set(member))
            ),
            member,
        )
        for token, kind in ASKED.items()
        if token in item.requested
        for member in (owed.members if owed.members is not None else ((),))
    ]


def told_of(item: CpimItem, assembly: Assembly) -> list[Notification]:
    """The notifications of the other side on a message, in order."""
    found = assembly.notifications(item.message_id)
    return [each for each in found if each.item.sender is item.sender.other]


def is_head(item: CpimItem) -> bool:
    """CPIM headers alone, in the INVITE of the session that brings the content: of a bare file, say."""
    carrier = item.carrier
    offers = isinstance(carrier, SipEntry) and carrier.method == "INVITE" and carrier.description is not None
    return offers and item.cpim is not None and not item.cpim.content


def came_at(item: CpimItem, assembly: Assembly) -> float | None:
    """When a message was here whole: for headers in an INVITE by its last chunk, else as `taken_at`."""
    if not is_head(item):
        return taken_at(item)
    transaction = item.carrier.transaction if isinstance(item.carrier, SipEntry) else None
    accepted = transaction.accepted if transaction is not None else None
    if accepted is None or accepted.dialog is None:
        return None
    for session in assembly.negotiations.sessions_of(accepted.dialog):
        for message in assembly.msrp.messages_of(session):
            taken = message.last.transaction.accepted if message.last.transaction is not None else None
            if message.complete and message.total and taken is not None:
                return taken.time
    return None


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


def way_now(item: CpimItem, assembly: Assembly, at: CpimItem | None = None) -> Way:
    """How a notification on the message goes as things stand, or stood when another came."""
    carrier = item.carrier
    if isinstance(carrier, SipEntry) or carrier.session is None:
        return Way.MESSAGE
    session = carrier.session
    chat = service_of_session(session.exchanges[0].offer) is Service.SESSION
    return (
        Way.SESSION
        if chat and session_lives(session, assembly, at) and _takes_notifications(carrier)
        else Way.MESSAGE
    )


def session_lives(session: MsrpSession, assembly: Assembly, at: CpimItem | None = None) -> bool:
    """No BYE came for it, no refusal, and the connection it used last stands: now, or before an item."""
    place = at.place if at is not None else inf
    dialog = session.dialog
    if dialog is None or any(bye.place < place for bye in dialog.byes):
        return False
    ends = [session.end(by_caller, at.place if at is not None else None) for by_caller in (True, False)]
    if any(end is None or not end.port for end in ends):
        return False
    used = [entry.connection for entry in assembly.msrp.entries_of(session) if entry.place < place]
    closing = assembly.msrp.closed.get(used[-1]) if used and used[-1] is not None else None
    return closing is None or (at is not None and closing.number > at.number)


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
