"""What rules about notifications look back on: the messages reported on, who sent them and how (RFC 5438)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.bodies.imdn import STATUSES, Imdn
from harness.evidence.timeline import Layer
from harness.sip.uri import Uri
from harness.verify.comparison import party_of, shown, stated_services, uri_of
from harness.verify.due import taken_at
from harness.verify.engine import Flow
from harness.verify.finding import Party, Severity, Violation
from harness.verify.items import CpimItem, Notification, SipEntry

TOKEN = r"[!#-'*+\-.0-9A-Z^_`a-z|~\u0080-\U0010ffff]+"


def originals_of(item: CpimItem, imdn: Imdn, flow: Flow) -> list[CpimItem]:
    """Messages of the other side, seen before, that carry the reported id; none when sides are unknown."""
    if item.sender is Party.UNKNOWN:
        return []
    return [
        known
        for known in flow.assembly.originals(imdn.message_id)
        if known.sender is item.sender.other and known.place < item.place
    ]


def reported_before(item: CpimItem, imdn: Imdn, flow: Flow) -> list[Notification]:
    """Notifications of the same kind on the same message that the same side sent before."""
    return [
        known
        for known in flow.assembly.notifications(imdn.message_id)
        if known.item.sender is item.sender
        and known.item.place < item.place
        and imdn.notification is not None
        and known.imdn.notification == imdn.notification
    ]


def reports_of(item: CpimItem, imdn: Imdn, flow: Flow, status: str) -> Iterator[Notification]:
    """Notifications of a status on the same message that the same side sent before."""
    for known in flow.assembly.notifications(imdn.message_id):
        before = known.item.sender is item.sender and known.item.place < item.place
        if before and says(known.imdn, status):
            yield known


def says(imdn: Imdn, status: str) -> bool:
    """The plain success of its kind: delivered in a delivery notification, displayed in a display one."""
    return (
        imdn.status == status and imdn.notification is not None and STATUSES[imdn.notification][0] == status
    )


def final_of(item: CpimItem) -> SipEntry | None:
    """The final response to the SIP message that brought it."""
    transaction = item.by_sip.transaction if item.by_sip else None
    return transaction.final if transaction else None


def opening_of(item: CpimItem) -> SipEntry | None:
    """The SIP message that brought it, or the first of its MSRP session."""
    carrier = item.carrier
    if isinstance(carrier, SipEntry):
        return carrier
    return carrier.session.invite if carrier.session else None


def signalling_of(item: CpimItem) -> SipEntry | None:
    """The SIP message that names who sent it: its own, or the INVITE when its caller sent it."""
    carrier = item.carrier
    if isinstance(carrier, SipEntry):
        return carrier
    invite = carrier.session.invite if carrier.session and carrier.by_caller else None
    return invite if invite is not None and invite.request is not None else None


def request_uri(item: CpimItem) -> str:
    request = item.by_sip.request if item.by_sip else None
    return request.uri if request else ""


def was_accepted(item: CpimItem) -> bool:
    """Whether its receiver took it."""
    return taken_at(item) is not None


def accepted_copy(asked: CpimItem, notification: CpimItem, flow: Flow) -> bool:
    """The same message was accepted before in another transaction (a repeat, another device)."""
    return any(
        known is not asked and known.place < notification.place and was_accepted(known)
        for known in flow.assembly.originals(asked.message_id)
        if known.sender is asked.sender
    )


def by_message(item: CpimItem) -> bool:
    return item.layer is Layer.SIP and item.carrier.method == "MESSAGE"


def identities(carrier: SipEntry | None, names: tuple[str, ...]) -> set[str]:
    values = [value for name in names for value in carrier.sip.values(name)] if carrier else []
    return {party_of(uri) for value in values if (uri := uri_of(value)) is not None and not is_hidden(uri)}


def is_hidden(uri: Uri) -> bool:
    return uri.host.lower().endswith("anonymous.invalid") or (uri.user or "").lower() == "anonymous"


def senders_of(item: CpimItem) -> set[str]:
    found = identities(item.by_sip, ("From", "P-Asserted-Identity"))
    uri = uri_of(item.cpim.from_.uri) if item.cpim and item.cpim.from_ else None
    return found | ({party_of(uri)} if uri is not None and not is_hidden(uri) else set())


def addressees_of(item: CpimItem) -> set[str]:
    """Whom a MESSAGE was for: by its SIP headers and list, and by CPIM To."""
    uris = [uri_of(address.uri) for address in item.cpim.addresses("To")] if item.cpim else []
    return sip_addressees_of(item) | {party_of(uri) for uri in uris if uri is not None and not is_hidden(uri)}


def sip_addressees_of(item: CpimItem) -> set[str]:
    """Whom a MESSAGE was for: Request-URI, To, and the members of a list it carries."""
    texts = [request_uri(item), (item.by_sip.sip.get("To") if item.by_sip else None) or ""]
    texts += [uri.decode("utf-8", "replace") for uri in re.findall(rb'\buri="([^"]+)"', item.carrier.raw)]
    return {party_of(uri) for text in texts if (uri := uri_of(text)) is not None and not is_hidden(uri)}


def is_for_several(item: CpimItem) -> bool:
    """A message to a list or in a group, or one of which the SIP message that tells is not known."""
    opening = opening_of(item)
    if opening is None or opening.request is None:
        return True
    ends = [opening, *(opening.dialog.creation.responses if opening.dialog else ())]
    focus = any("isfocus" in contact.parameters for end in ends for contact in end.contacts)
    group = any(urn.endswith(".group") for urn in stated_services(opening.sip))
    return focus or group or (opening.content_type is not None and opening.content_type.type == "multipart")


def comparable(some: set[str], others: set[str]) -> bool:
    """Both sides name numbers, or both name users: a number is no proof against user@host."""
    return any(
        (left.isdigit() and right.isdigit()) or ("@" in left and "@" in right)
        for left in some
        for right in others
    )


def at_item(item: CpimItem, expected: str, actual: str, severity: Severity | None = None) -> Violation:
    return Violation(expected, shown(actual), "body", item.offset, severity=severity)


def at_carrier(
    item: CpimItem, expected: str, actual: str, header: str = "start line", severity: Severity | None = None
) -> Violation:
    return Violation(expected, shown(actual), header, severity=severity, item=item.carrier)


def requests_in(item: CpimItem) -> list[str]:
    return item.cpim.imdn_all("Disposition-Notification") if item.cpim else []


def imdn_headers(item: CpimItem, name: str) -> list[str]:
    return item.cpim.imdn_all(name) if item.cpim else []


def mime_value(item: CpimItem, name: str) -> str | None:
    return item.cpim.mime_get(name) if item.cpim else None


def disposition_of(item: CpimItem) -> str:
    return (mime_value(item, "Content-Disposition") or "").partition(";")[0].strip().lower()


def bare_uri(value: str) -> str:
    return value.partition("<")[2].partition(">")[0] if "<" in value else value.strip()
