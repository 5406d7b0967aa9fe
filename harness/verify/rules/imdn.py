"""Rules about notifications as messages: what comes back, to whom and when (RFC 5438 7, 12)."""

from __future__ import annotations

import re

from harness.bodies.imdn import IMDN_XML_NAMESPACE, MEDIA_TYPE, STATUSES, Imdn
from harness.bodies.multipart import split_multipart
from harness.errors import BodySyntaxError
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import is_anonymous, party_of, same_uri_text, uri_of
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, IN_A_GAP, Outcomes, Party, Severity, Unverifiable, Violation
from harness.verify.items import CpimItem, SipEntry
from harness.verify.rules.cpim import misspelled
from harness.verify.rules.imdn_chain import (
    TOKEN,
    accepted_copy,
    at_carrier,
    at_item,
    bare_uri,
    by_message,
    disposition_of,
    final_of,
    identities,
    imdn_headers,
    mime_value,
    originals_of,
    reported_before,
    reports_of,
    request_uri,
    requests_in,
    says,
    signalling_of,
    was_accepted,
)
from harness.verify.session_services import group_of

_SECURED = ("multipart/signed", "multipart/encrypted", "application/pkcs7", "application/x-pkcs7")
# RFC 5438 5, 7.1.1.3: (notification, status) -> one of these must have been asked for.
_NEEDED: dict[tuple[str, str], frozenset[str]] = {
    ("delivery", "delivered"): frozenset({"positive-delivery"}),
    ("delivery", "failed"): frozenset({"negative-delivery"}),
    ("delivery", "forbidden"): frozenset({"positive-delivery", "negative-delivery"}),
    ("delivery", "error"): frozenset({"positive-delivery", "negative-delivery"}),
    **{("display", status): frozenset({"display"}) for status in STATUSES["display"]},
    **{("processing", status): frozenset({"processing"}) for status in STATUSES["processing"]},
}


@rule("imdn.no-imdn-for-imdn", on=Kind.CPIM)
def no_imdn_for_imdn(item: CpimItem, flow: Flow) -> Outcomes:
    if not item.is_notification:
        return
    yield APPLIES
    if requests_in(item):
        yield at_item(item, "no Disposition-Notification in an IMDN", f"{requests_in(item)[0]}")
    for imdn in item.imdns:
        reported = originals_of(item, imdn, flow)
        if reported and all(known.is_notification for known in reported):
            yield at_item(item, "no IMDN for an IMDN", f"an IMDN for {reported[0].label}")


@rule("imdn.only-requested", on=Kind.CPIM)
def only_requested(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn in item.imdns:
        needed = _NEEDED.get((imdn.notification or "", imdn.status or ""))
        originals = [known for known in originals_of(item, imdn, flow) if not known.is_notification]
        if needed is None:
            continue
        if not originals:
            yield Unverifiable(f"the message {imdn.message_id} it reports on was not captured")
            continue
        if not originals[-1].requested and group_of(originals[-1]) and item.sender is Party.HANDSET:
            continue  # imdn.request.group-stripped tells
        yield APPLIES
        asked = frozenset().union(*(known.requested for known in originals))
        if not asked & needed:
            yield at_item(
                item,
                f"what {originals[0].label} asks for: {', '.join(sorted(asked)) or 'nothing'}",
                f"{imdn.notification}: {imdn.status}",
            )


@rule("imdn.once-per-type", on=Kind.CPIM)
def once_per_type(item: CpimItem, flow: Flow) -> Outcomes:
    told: set[tuple[str | None, str, str]] = set()
    for imdn in item.imdns:
        key = imdn.message_id, imdn.notification or "", imdn.recipient_uri or ""
        if not key[1]:
            continue
        yield APPLIES
        expected = f"one {key[1]} notification for {key[0]}"
        if key in told:
            yield at_item(item, expected, "two in one aggregate")
        told.add(key)
        earlier = [
            known
            for known in reported_before(item, imdn, flow)
            if known.item.message_id != item.message_id and was_accepted(known.item)
        ]
        copies = [known for known in originals_of(item, imdn, flow) if not known.is_notification]
        if earlier and not copies:
            yield Unverifiable(f"how often {key[0]} was delivered was not captured")
        elif earlier and len(earlier) >= len(copies):  # delivered again, it may be confirmed again
            yield at_item(item, expected, f"another after {earlier[0].item.label}")


@rule("imdn.once-per-type.network", on=Kind.CPIM)
def once_per_type_network(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn in item.imdns:
        yield APPLIES
        for known in reported_before(item, imdn, flow):
            same_maker = _maker(known.item, known.imdn) == _maker(item, imdn)
            if same_maker and known.item.message_id != item.message_id and was_accepted(known.item):
                yield at_item(
                    item,
                    f"one {imdn.notification} notification for {imdn.message_id} from one recipient",
                    f"another after {known.item.label}",
                )
                break


@rule("imdn.no-processing-from-ue", on=Kind.CPIM)
def no_processing(item: CpimItem, flow: Flow) -> Outcomes:
    if item.imdns:
        yield APPLIES
    if any(imdn.notification == "processing" for imdn in item.imdns):
        yield at_item(item, "no processing-notification from an endpoint", "processing-notification")


@rule("imdn.order", on=Kind.CPIM)
def order(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn in item.imdns:
        if not says(imdn, "delivered"):
            continue
        yield APPLIES
        for known in reports_of(item, imdn, flow, "displayed"):
            yield at_item(
                item, "delivered before displayed", f"delivered after displayed in {known.item.label}"
            )
            break


@rule("imdn.order.network", on=Kind.CPIM)
def order_network(item: CpimItem, flow: Flow) -> Outcomes:
    delivered_here = {imdn.message_id for imdn in item.imdns if says(imdn, "delivered")}
    for imdn in item.imdns:
        if not says(imdn, "displayed") or imdn.message_id in delivered_here:
            continue
        asked = any("positive-delivery" in known.requested for known in originals_of(item, imdn, flow))
        if not asked:
            continue
        yield APPLIES
        if any(reports_of(item, imdn, flow, "delivered")):
            continue
        datagram = item.by_sip is not None and not item.by_sip.reliable and not flow.assembly.witnessed
        if flow.assembly.incomplete or datagram:
            yield IN_A_GAP
        else:
            yield at_item(item, "delivered before displayed", "displayed alone so far")


@rule("imdn.after-2xx", on=Kind.CPIM)
def after_refusal(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn in item.imdns:
        originals = [known for known in originals_of(item, imdn, flow) if by_message(known)]
        finals = [final_of(known) for known in originals]
        if any(finals):
            yield APPLIES
        if finals and all(final is not None and final.status >= 300 for final in finals):
            # The MUST NOT is on negative delivery; the others MAY follow a 2xx.
            negative = imdn.notification == "delivery" and imdn.status != "delivered"
            severity = None if negative else Severity.SHOULD
            actual = finals[-1].label if finals[-1] else ""
            yield at_item(item, "no IMDN for a message that was refused", actual, severity)


@rule("imdn.after-2xx", on=Kind.RESPONSE, methods=("MESSAGE",))
def before_2xx(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if transaction is None or entry.status < 200 or transaction.final is not entry:
        return
    for asked in transaction.request.bodies:
        for known in flow.assembly.notifications(asked.message_id) if asked.message_id else ():
            if not by_message(known.item) or known.item.sender is not entry.sender:
                continue
            yield APPLIES
            if asked.place < known.item.place < entry.place and not accepted_copy(asked, known.item, flow):
                # On two ways the one may overtake the other; and that it MAY follow a 2xx forbids nothing.
                one_way = entry.reliable and entry.connection == known.item.carrier.connection
                yield Violation(
                    f"the 2xx to {transaction.request.label} before the IMDN",
                    f"{entry.label} after it",
                    "start line",
                    severity=Severity.SHOULD if one_way else Severity.INFO,
                    item=known.item.carrier,
                )


@rule("imdn.content-disposition", on=Kind.CPIM)
def content_disposition(item: CpimItem, flow: Flow) -> Outcomes:
    if not item.is_notification:
        return
    yield APPLIES
    if disposition_of(item) != "notification":
        yield at_item(
            item, "Content-Disposition: notification", mime_value(item, "Content-Disposition") or "none"
        )


@rule("imdn.content-type", on=Kind.CPIM)
def content_type(item: CpimItem, flow: Flow) -> Outcomes:
    kind = item.cpim.content_type if item.cpim else None
    if item.cpim is None or kind is None:  # cpim.content-type.present has that
        return
    meant = disposition_of(item) == "notification"
    if item.is_notification or meant:
        yield APPLIES
    if kind.essence == MEDIA_TYPE or kind.essence.startswith(_SECURED):
        return
    if kind.essence == "multipart/mixed" and item.is_notification:
        return
    if meant or IMDN_XML_NAMESPACE.encode() in item.cpim.content:
        # Without the disposition it may be an IM about IMDNs.
        severity = None if meant else Severity.SHOULD
        expected = f"Content-Type: {MEDIA_TYPE}, or multipart/mixed of such"
        yield at_item(item, expected, kind.essence, severity)


@rule("imdn.own-message-id", on=Kind.CPIM)
def own_message_id(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None or not item.is_notification or misspelled(item.cpim, "Message-ID"):
        return
    yield APPLIES
    value = item.message_id
    if value is None or not re.fullmatch(TOKEN, value):
        yield at_item(item, "imdn.Message-ID of the IMDN itself, a token", value or "none")


@rule("imdn.addressing.sip", on=Kind.CPIM)
def addressing_sip(item: CpimItem, flow: Flow) -> Outcomes:
    if not by_message(item):
        return
    for imdn in item.imdns:
        originals = [known for known in originals_of(item, imdn, flow) if signalling_of(known) is not None]
        if not originals:
            continue
        yield APPLIES
        original = originals[-1]
        route = imdn_headers(original, "IMDN-Record-Route")
        if route:
            target = request_uri(item)
            if not same_uri_text(bare_uri(route[0]), target):
                yield at_carrier(item, f"the topmost IMDN-Record-Route: {bare_uri(route[0])}", target)
            continue
        yield from _sip_target(item, original)


@rule("imdn.addressing.cpim", on=Kind.CPIM)
@rule("imdn.addressing.cpim.network", on=Kind.CPIM)
def addressing_cpim(item: CpimItem, flow: Flow) -> Outcomes:
    own = item.cpim.to if item.cpim else None
    if own is None:
        return
    for imdn in item.imdns:
        senders = [known.cpim.from_ for known in originals_of(item, imdn, flow) if known.cpim]
        wanted = [address.uri for address in senders if address is not None]
        if not wanted:
            yield Unverifiable(f"the message {imdn.message_id} it reports on was not captured")
            continue
        yield APPLIES
        if not any(_same_party(uri, own.uri) for uri in wanted):
            yield at_item(item, f"CPIM To: the CPIM From of the message, {wanted[-1]}", own.uri)


@rule("imdn.record-route", on=Kind.CPIM)
def record_route(item: CpimItem, flow: Flow) -> Outcomes:
    if not item.is_notification:
        return
    yield APPLIES
    if imdn_headers(item, "IMDN-Record-Route"):
        yield at_item(item, "no IMDN-Record-Route in an IMDN", "IMDN-Record-Route")
    routes = [bare_uri(value) for value in imdn_headers(item, "IMDN-Route")]
    for imdn in item.imdns:
        copies = [
            [bare_uri(value) for value in imdn_headers(original, "IMDN-Record-Route")]
            for original in originals_of(item, imdn, flow)
        ]
        same = [
            len(recorded) == len(routes) and all(map(same_uri_text, recorded, routes)) for recorded in copies
        ]
        if copies and copies[-1] and not any(same):
            yield at_item(item, f"IMDN-Route: {', '.join(copies[-1])}", ", ".join(routes) or "none")


@rule("imdn.not-mixed-with-im", on=Kind.CPIM)
def not_mixed(item: CpimItem, flow: Flow) -> Outcomes:
    if not item.is_notification:
        return
    yield APPLIES
    beside = item.by_sip.bodies if item.by_sip else []
    others = [known for known in beside if not known.is_notification and known.cpim is not None]
    foreign = [kind for kind in _part_types(item) if kind != MEDIA_TYPE]
    if others or foreign:
        yield at_item(item, "an IMDN alone in its message", f"{', '.join(foreign) or 'an IM'} beside it")


def _sip_target(item: CpimItem, original: CpimItem) -> Outcomes:
    """Request-URI and To of the IMDN against who sent the original (RFC 5438 12.1.3.1)."""
    carrier = signalling_of(original)
    wanted = identities(carrier, ("From", "P-Asserted-Identity", "Referred-By"))
    if carrier is None or not wanted:
        return
    unsure = is_anonymous(carrier.from_) or any(
        "isfocus" in contact.parameters for contact in carrier.contacts
    )
    severity = Severity.INFO if unsure else None
    to = item.by_sip.sip.get("To") if item.by_sip else None
    targets = (("start line", request_uri(item)), ("To", to or ""))
    for header, text in targets:
        uri = uri_of(text)
        if uri is not None and party_of(uri) not in wanted:
            yield at_carrier(
                item, f"the sender of the message: {', '.join(sorted(wanted))}", text, header, severity
            )


def _same_party(one: str, other: str) -> bool:
    """One URI, or two that name one number (sip with user=phone, tel)."""
    left, right = uri_of(one), uri_of(other)
    numbers = left is not None and right is not None and party_of(left) == party_of(right)
    return numbers or same_uri_text(one, other)


def _maker(item: CpimItem, imdn: Imdn) -> str:
    if imdn.recipient_uri:
        uri = uri_of(imdn.recipient_uri)
        return party_of(uri) if uri else imdn.recipient_uri
    address = item.cpim.from_ if item.cpim else None
    uri = uri_of(address.uri) if address else None
    return party_of(uri) if uri else ""


def _part_types(item: CpimItem) -> list[str]:
    kind = item.cpim.content_type if item.cpim else None
    if item.cpim is None or kind is None or kind.type != "multipart":
        return []
    try:
        parts = split_multipart(item.cpim.content, kind.parameters.get("boundary", "")).parts
    except BodySyntaxError:
        return []
    return [part.content_type.essence if part.content_type else "text/plain" for part in parts]
