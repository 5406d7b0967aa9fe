"""Who owes the notifications on a message: its receiver, each recipient of a list, or each member of a group.

A list service sends a message on to everybody on its list (RFC 5363 4.1, RFC 5365 7), a focus to who is in
the group; each of them notifies for itself (RFC 5438 7.2.1), or the service for all at once (8.3). Of a group
only who was in it all the time that the notification was due is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.bodies.resource_lists import MEDIA_TYPE, parse_resource_lists
from harness.cpm.services import Service
from harness.errors import BodySyntaxError
from harness.verify.assembly import Assembly
from harness.verify.body_parts import body_parts
from harness.verify.comparison import party_of, stated_services, uri_of
from harness.verify.conferences import Member
from harness.verify.finding import Party
from harness.verify.items import CpimItem, Notification, SipEntry, Transaction
from harness.verify.session_services import focus_of, initial_invite, named_service

LIST = "recipient-list"


@dataclass(frozen=True, slots=True)
class Owing:
    """members: the names of each who owes; None where it is one receiver, whoever that is, or nobody knows.

    unsure: why it is not known who they are, empty where it is.
    """

    members: tuple[Member, ...] | None = None
    unsure: str = ""


def owing(item: CpimItem, assembly: Assembly, end: float) -> Owing:
    """Who owes what a message asks for. end: until when they must have been in its group."""
    invite = _invite_of(item)
    if item.sender is not Party.HANDSET:
        return Owing()
    senders = set(_senders(item, invite))
    chat = invite is not None and named_service(invite) is Service.SESSION
    listed = () if chat else tuple(dict.fromkeys(_listed(item.by_sip or invite)))
    if listed:
        return Owing(tuple((each,) for each in listed if each not in senders))
    focus = _focus(item)
    if not focus:
        named = invite is not None and Service.SESSION_GROUP.icsi in stated_services(invite.sip)
        return Owing(unsure="the focus of the group was not seen") if named else Owing()
    members = assembly.conferences.members(focus, item.time, end)
    if members is None:
        return Owing(unsure="who was in the group is not seen")
    return Owing(tuple(sorted(member for member in members if not senders & set(member))))


def makers_of(notification: Notification) -> frozenset[str]:
    """Whose notification it is: by the document where that tells, else by who sent it; empty where it hides.

    In an aggregate only the document tells, since all came from who put them together.
    """
    imdn, item = notification.imdn, notification.item
    told = [text for text in (imdn.recipient_uri, imdn.original_recipient_uri) if text]
    if not told and item.cpim is not None and item.cpim.from_ is not None:
        told = [item.cpim.from_.uri]
    return frozenset(_parties(told))


def recipients(item: CpimItem) -> frozenset[str]:
    """Whom a message is for: those on the list it carries, else whom it is addressed to."""
    carrier = item.by_sip
    if item.sender is Party.HANDSET and (listed := frozenset(_listed(carrier or _invite_of(item)))):
        return listed
    texts = [carrier.sip.get("To") or ""] if carrier is not None and carrier.method == "MESSAGE" else []
    if not texts and item.cpim is not None:
        texts = [address.uri for address in item.cpim.addresses("To")]
    return frozenset(_parties(texts))


def _invite_of(item: CpimItem) -> SipEntry | None:
    """The INVITE of the session it came in, or that brought it."""
    carrier = item.carrier
    if isinstance(carrier, SipEntry):
        return initial_invite(carrier)
    return initial_invite(carrier.session.invite) if carrier.session is not None else None


def _focus(item: CpimItem) -> str:
    carrier = item.carrier
    transaction: Transaction | None
    if isinstance(carrier, SipEntry):
        transaction = carrier.transaction
    else:
        transaction = carrier.dialog.creation if carrier.dialog is not None else None
    return focus_of(transaction) if transaction is not None else ""


def _senders(item: CpimItem, invite: SipEntry | None) -> Iterator[str]:
    """The handset, by every name it goes under here."""
    if item.cpim is not None and item.cpim.from_ is not None:
        yield from _parties([item.cpim.from_.uri])
    for entry in (item.by_sip, invite):
        if entry is not None:
            names = ("From", "P-Preferred-Identity") if entry.sender is Party.HANDSET else ("To",)
            yield from _parties([value for name in names for value in entry.sip.values(name)])


def _listed(carrier: SipEntry | None) -> Iterator[str]:
    for part in body_parts(carrier) if carrier is not None and carrier.message is not None else ():
        if part.purpose != LIST or part.kind != MEDIA_TYPE:
            continue
        try:
            yield from _parties([each.uri for each in parse_resource_lists(part.content).recipients])
        except BodySyntaxError:
            return


def _parties(texts: list[str]) -> Iterator[str]:
    found = (party_of(uri) for text in texts if (uri := uri_of(text)) is not None)
    yield from (party for party in found if "anonymous" not in party)
