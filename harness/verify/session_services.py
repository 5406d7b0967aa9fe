"""Which messaging service an INVITE sets up: by the service it names, and by the shape of its SDP.

The names are CPM's (harness.cpm.services), the shapes those of the media a service uses: a chat goes both
ways, a large message is sent once and announced by its size, a file has a selector that tells more than that.
"""

from __future__ import annotations

from harness.bodies.sdp_attributes import Direction
from harness.cpm.services import Service, service_of
from harness.sip.message import Request, Response
from harness.verify.comparison import accepted_icsis, contact_icsis, stated_services
from harness.verify.items import CpimItem, SipEntry, Transaction
from harness.verify.negotiation_items import Description, MsrpEnd, Role

# (direction of the offer, whether a size is announced) -> service.
_SHAPES = {
    (Direction.SENDRECV, False): Service.SESSION,
    (Direction.SENDONLY, True): Service.LARGE,
    (Direction.RECVONLY, False): Service.DEFERRED,
}


def live_ends(description: Description) -> list[MsrpEnd]:
    """The MSRP m-lines with which it offers or takes something: none of an OPTIONS, none with port 0."""
    if description.role is Role.CAPABILITY:
        return []
    return [end for end in description.ends if end.port]


def is_file(end: MsrpEnd) -> bool:
    """The m-line of a file transfer, not of a large message that is announced by its size alone."""
    selector = end.media.attribute("file-selector")
    if selector is None:
        return False
    if end.file is None or not end.file.selector:
        return True
    found = end.file.selector
    return bool(found.name or found.type or found.hashes)


def receives_file(end: MsrpEnd) -> bool:
    """The answer of who gets the file."""
    return end.description.role is Role.ANSWER and end.direction is Direction.RECVONLY and bool(end.port)


def initial_invite(entry: SipEntry) -> SipEntry | None:
    """The INVITE that made the session a message belongs to; None for anything else."""
    request = entry if entry.request is not None else entry.transaction.request if entry.transaction else None
    if request is not None and request.dialog is not None:
        request = request.dialog.creation.request
    return request if request is not None and request.method == "INVITE" and not request.to_tag else None


def focus_of(transaction: Transaction) -> str:
    """The URI of the focus in the Contact of an INVITE or its 2xx (RFC 4579 4); empty without isfocus."""
    for entry in (transaction.request, transaction.accepted):
        for contact in entry.contacts if entry is not None else ():
            if "isfocus" in contact.parameters:
                return contact.uri.text
    return ""


def group_of(item: CpimItem) -> str:
    """The URI of the focus in whose chat a CPIM object came; empty for any other."""
    carrier = item.carrier
    if isinstance(carrier, SipEntry) or carrier.session is None or carrier.dialog is None:
        return ""
    chat = service_of_session(carrier.session.exchanges[0].offer) is Service.SESSION
    return focus_of(carrier.dialog.creation) if chat else ""


def named_service(invite: SipEntry) -> Service | None:
    """The service an INVITE names: in its service header, else Accept-Contact, else its Contact.

    None where it names none, or several at the same place. Group forms count as their parent.
    """
    return invite.sip.once("verify named_service", lambda: _named(invite.sip))


def _named(message: Request | Response) -> Service | None:
    for urns in (stated_services(message), accepted_icsis(message), contact_icsis(message)):
        services = {service.announced for urn in urns if (service := service_of(urn)) is not None}
        if services:
            return services.pop() if len(services) == 1 else None
    return None


def shown_service(end: MsrpEnd) -> Service | None:
    """The service the m-line of an offer is for by its shape; None where that fits several."""
    if is_file(end):
        return Service.FILE_TRANSFER
    return _SHAPES.get((end.direction, "file-selector" in end.media))


def service_of_session(description: Description) -> Service | None:
    """The service a description negotiates for: the one the INVITE names, else the one its offer shows."""
    invite = initial_invite(description.entry)
    named = named_service(invite) if invite is not None else None
    if named is not None:
        return named
    offer = description.exchange.offer if description.exchange is not None else description
    shapes = {shown_service(end) for end in offer.ends}
    return shapes.pop() if len(shapes) == 1 else None


def is_chat(description: Description) -> bool:
    """Whether it negotiates for a chat session, 1-1 or group."""
    return service_of_session(description) is Service.SESSION
