"""IMDN rules (RFC 5438): what is asked, what comes back, to whom, when, and what the XML says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from harness.bodies.cpim import CORE_NAMESPACE
from harness.bodies.imdn import IMDN_XML_NAMESPACE, STATUSES, Imdn, ImdnFault, XmlElement
from harness.bodies.multipart import split_multipart
from harness.bodies.timestamp import Timestamp, parse_timestamp
from harness.errors import BodySyntaxError
from harness.evidence.timeline import Layer
from harness.sip.uri import Uri
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import is_anonymous, party_of, same_uri_text, shown, uri_of
from harness.verify.engine import Flow
from harness.verify.finding import Party, Severity, Unverifiable, Violation
from harness.verify.items import CpimItem, Notification, SipEntry
from harness.verify.msrp_items import MsrpEntry
from harness.verify.rules.cpim import ANONYMOUS, misspelled

MEDIA_TYPE = "message/imdn+xml"
_SECURED = ("multipart/signed", "multipart/encrypted", "application/pkcs7", "application/x-pkcs7")
KNOWN_REQUESTS = frozenset({"positive-delivery", "negative-delivery", "processing", "display"})

# RFC 5438 5, 7.1.1.3: (notification, status) -> one of these must have been asked for.
_NEEDED: dict[tuple[str, str], frozenset[str]] = {
    ("delivery", "delivered"): frozenset({"positive-delivery"}),
    ("delivery", "failed"): frozenset({"negative-delivery"}),
    ("delivery", "forbidden"): frozenset({"positive-delivery", "negative-delivery"}),
    ("delivery", "error"): frozenset({"positive-delivery", "negative-delivery"}),
    **{("display", status): frozenset({"display"}) for status in STATUSES["display"]},
    **{("processing", status): frozenset({"processing"}) for status in STATUSES["processing"]},
}
_TOKEN = r"[!#-'*+\-.0-9A-Z^_`a-z|~\u0080-\U0010ffff]+"
_PARAMETER = rf' *; *[!#-\'*+\-0-9A-Z^_`a-z|~]+=(?:{_TOKEN}|"(?:[^"\\]|\\.)*")'
_REQUEST = re.compile(rf"(?:{_TOKEN}(?:{_PARAMETER})*(?: *, *{_TOKEN}(?:{_PARAMETER})*)*)?")
_COUNTED = re.compile(r"(.*?)(\d+)")
_NARROW = (
    (re.compile(r"[0-9]+"), 10, "digits"),
    (re.compile(r"[0-9a-f]+|[0-9A-F]+"), 16, "hexadecimal digits"),
)

Both = Iterator[Violation | Unverifiable]


# -- the message that asks ----------------------------------------------------------------------------------


@rule("imdn.request.message-id", on=Kind.CPIM)
def request_message_id(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    cpim = item.cpim
    if cpim is None or not cpim.asks_for_imdn or item.is_notification or misspelled(cpim, "Message-ID"):
        return
    value = item.message_id
    if value is None:
        yield _at(item, "imdn.Message-ID in a message that asks for a notification", "none")
    elif not re.fullmatch(_TOKEN, value):
        yield _at(item, "imdn.Message-ID: a token", value or "nothing")


@rule("imdn.request.message-id.entropy", on=Kind.CPIM)
def message_id_entropy(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    value = item.message_id
    if not value:
        return
    for alphabet, size, name in _NARROW:
        if alphabet.fullmatch(value):
            if size ** len(value) < 2**64:
                yield _at(item, "64 random bits in imdn.Message-ID", f"{value}: {len(value)} {name}")
                return
            break
    before = next(
        (
            known.message_id
            for known in reversed(flow.assembly.cpim_items())
            if known.place < item.place and known.sender is item.sender and known.message_id
        ),
        None,
    )
    if _counts_on(before, value):
        yield _at(item, "64 random bits in imdn.Message-ID", f"{value} after {before}: a counter")


@rule("imdn.message-id.unique", on=Kind.CPIM)
def message_id_unique(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    value = item.message_id
    if not value or item.cpim is None or not item.cpim.content:
        return
    if any(imdn.message_id == value for imdn in item.imdns):
        yield _at(item, "an imdn.Message-ID of its own", f"{value}, the id of the message it reports on")
    for known in flow.assembly.originals(value):
        if known is item or known.place >= item.place or not _same_sender(known, item):
            continue
        if known.cpim is None or not known.cpim.content or not _written_alike(known, item):
            continue
        if _content(known) != _content(item):
            yield _at(item, "a unique imdn.Message-ID", f"{value} with other content in {known.label}")
        elif _same_leg(known.carrier, item.carrier) and _was_accepted(known):
            yield _at(item, "a unique imdn.Message-ID", f"{value} as in {known.label}", Severity.INFO)
        return


@rule("imdn.request.values", on=Kind.CPIM)
def request_values(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    for value in _requests(item):
        if not _REQUEST.fullmatch(value):
            yield _at(item, "a comma list of tokens", value)


@rule("imdn.request.values.unknown-token", on=Kind.CPIM)
def unknown_token(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    requests = _requests(item)
    if len(requests) > 1:
        yield _at(item, "Disposition-Notification once", f"{len(requests)} times")
    for value in requests:
        tokens = (part.partition(";")[0].strip() for part in value.split(",")) if value.strip() else ()
        for token in tokens:
            if re.fullmatch(_TOKEN, token) and token not in KNOWN_REQUESTS:
                near = f" (meant: {token.lower()})" if token.lower() in KNOWN_REQUESTS else ""
                yield _at(item, f"one of {', '.join(sorted(KNOWN_REQUESTS))}", token + near)


# -- the notification as a message --------------------------------------------------------------------------


@rule("imdn.no-imdn-for-imdn", on=Kind.CPIM)
def no_imdn_for_imdn(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    if not item.is_notification:
        return
    if _requests(item):
        yield _at(item, "no Disposition-Notification in an IMDN", f"{_requests(item)[0]}")
    for imdn in item.imdns:
        reported = _originals(item, imdn, flow)
        if reported and all(known.is_notification for known in reported):
            yield _at(item, "no IMDN for an IMDN", f"an IMDN for {reported[0].label}")


@rule("imdn.only-requested", on=Kind.CPIM)
def only_requested(item: CpimItem, flow: Flow) -> Both:
    for imdn in item.imdns:
        needed = _NEEDED.get((imdn.notification or "", imdn.status or ""))
        originals = [known for known in _originals(item, imdn, flow) if not known.is_notification]
        if needed is None:
            continue
        if not originals:
            yield Unverifiable(f"the message {imdn.message_id} it reports on was not captured")
            continue
        asked = frozenset().union(*(known.requested for known in originals))
        if not asked & needed:
            yield _at(
                item,
                f"what {originals[0].label} asks for: {', '.join(sorted(asked)) or 'nothing'}",
                f"{imdn.notification}: {imdn.status}",
            )


@rule("imdn.once-per-type", on=Kind.CPIM)
def once_per_type(item: CpimItem, flow: Flow) -> Both:
    told: set[tuple[str | None, str, str]] = set()
    for imdn in item.imdns:
        key = imdn.message_id, imdn.notification or "", imdn.recipient_uri or ""
        if not key[1]:
            continue
        expected = f"one {key[1]} notification for {key[0]}"
        if key in told:
            yield _at(item, expected, "two in one aggregate")
        told.add(key)
        earlier = [
            known
            for known in _earlier(item, imdn, flow)
            if known.item.message_id != item.message_id and _was_accepted(known.item)
        ]
        copies = [known for known in _originals(item, imdn, flow) if not known.is_notification]
        if earlier and not copies:
            yield Unverifiable(f"how often {key[0]} was delivered was not captured")
        elif earlier and len(earlier) >= len(copies):  # delivered again, it may be confirmed again
            yield _at(item, expected, f"another after {earlier[0].item.label}")


@rule("imdn.once-per-type.network", on=Kind.CPIM)
def once_per_type_network(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    for imdn in item.imdns:
        for known in _earlier(item, imdn, flow):
            same_maker = _maker(known.item, known.imdn) == _maker(item, imdn)
            if same_maker and known.item.message_id != item.message_id and _was_accepted(known.item):
                yield _at(
                    item,
                    f"one {imdn.notification} notification for {imdn.message_id} from one recipient",
                    f"another after {known.item.label}",
                )
                break


@rule("imdn.no-processing-from-ue", on=Kind.CPIM)
def no_processing(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    if any(imdn.notification == "processing" for imdn in item.imdns):
        yield _at(item, "no processing-notification from an endpoint", "processing-notification")


@rule("imdn.order", on=Kind.CPIM)
def order(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    for imdn in item.imdns:
        if not _says(imdn, "delivered"):
            continue
        for known in _reports(item, imdn, flow, "displayed"):
            yield _at(item, "delivered before displayed", f"delivered after displayed in {known.item.label}")
            break


@rule("imdn.order.network", on=Kind.CPIM)
def order_network(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    delivered_here = {imdn.message_id for imdn in item.imdns if _says(imdn, "delivered")}
    for imdn in item.imdns:
        if not _says(imdn, "displayed") or imdn.message_id in delivered_here:
            continue
        asked = any("positive-delivery" in known.requested for known in _originals(item, imdn, flow))
        if asked and not any(_reports(item, imdn, flow, "delivered")):
            yield _at(item, "delivered before displayed", "displayed alone so far")


@rule("imdn.after-2xx", on=Kind.CPIM)
def after_refusal(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    for imdn in item.imdns:
        originals = [known for known in _originals(item, imdn, flow) if _by_message(known)]
        finals = [_final(known) for known in originals]
        if finals and all(final is not None and final.status >= 300 for final in finals):
            # The MUST NOT is on negative delivery; the others MAY follow a 2xx.
            negative = imdn.notification == "delivery" and imdn.status != "delivered"
            severity = None if negative else Severity.SHOULD
            actual = finals[-1].label if finals[-1] else ""
            yield _at(item, "no IMDN for a message that was refused", actual, severity)


@rule("imdn.after-2xx", on=Kind.RESPONSE, methods=("MESSAGE",))
def before_2xx(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    transaction = entry.transaction
    if transaction is None or entry.status < 200 or transaction.final is not entry:
        return
    for asked in transaction.request.bodies:
        for known in flow.assembly.notifications(asked.message_id) if asked.message_id else ():
            if not _by_message(known.item) or known.item.sender is not entry.sender:
                continue
            if asked.place < known.item.place < entry.place and not _accepted_copy(asked, known.item, flow):
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
def content_disposition(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    if item.is_notification and _disposition(item) != "notification":
        yield _at(item, "Content-Disposition: notification", _mime(item, "Content-Disposition") or "none")


@rule("imdn.content-type", on=Kind.CPIM)
def content_type(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    kind = item.cpim.content_type if item.cpim else None
    if item.cpim is None or kind is None:  # cpim.content-type.present has that
        return
    if kind.essence == MEDIA_TYPE or kind.essence.startswith(_SECURED):
        return
    if kind.essence == "multipart/mixed" and item.is_notification:
        return
    meant = _disposition(item) == "notification"
    if meant or IMDN_XML_NAMESPACE.encode() in item.cpim.content:
        # Without the disposition it may be an IM about IMDNs.
        severity = None if meant else Severity.SHOULD
        expected = f"Content-Type: {MEDIA_TYPE}, or multipart/mixed of such"
        yield _at(item, expected, kind.essence, severity)


@rule("imdn.own-message-id", on=Kind.CPIM)
def own_message_id(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    if item.cpim is None or not item.is_notification or misspelled(item.cpim, "Message-ID"):
        return
    value = item.message_id
    if value is None or not re.fullmatch(_TOKEN, value):
        yield _at(item, "imdn.Message-ID of the IMDN itself, a token", value or "none")


@rule("imdn.addressing.sip", on=Kind.CPIM)
def addressing_sip(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    if not _by_message(item):
        return
    for imdn in item.imdns:
        originals = [known for known in _originals(item, imdn, flow) if _signalled(known) is not None]
        if not originals:
            continue
        original = originals[-1]
        route = _imdn_headers(original, "IMDN-Record-Route")
        if route:
            target = _request_uri(item)
            if not same_uri_text(_bare(route[0]), target):
                yield _carrier(item, f"the topmost IMDN-Record-Route: {_bare(route[0])}", target)
            continue
        yield from _sip_target(item, original)


@rule("imdn.addressing.cpim", on=Kind.CPIM)
@rule("imdn.addressing.cpim.network", on=Kind.CPIM)
def addressing_cpim(item: CpimItem, flow: Flow) -> Both:
    own = item.cpim.to if item.cpim else None
    if own is None:
        return
    for imdn in item.imdns:
        senders = [known.cpim.from_ for known in _originals(item, imdn, flow) if known.cpim]
        wanted = [address.uri for address in senders if address is not None]
        if not wanted:
            yield Unverifiable(f"the message {imdn.message_id} it reports on was not captured")
        elif not any(_same_party(uri, own.uri) for uri in wanted):
            yield _at(item, f"CPIM To: the CPIM From of the message, {wanted[-1]}", own.uri)


@rule("imdn.record-route", on=Kind.CPIM)
def record_route(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    if not item.is_notification:
        return
    if _imdn_headers(item, "IMDN-Record-Route"):
        yield _at(item, "no IMDN-Record-Route in an IMDN", "IMDN-Record-Route")
    routes = [_bare(value) for value in _imdn_headers(item, "IMDN-Route")]
    for imdn in item.imdns:
        copies = [
            [_bare(value) for value in _imdn_headers(original, "IMDN-Record-Route")]
            for original in _originals(item, imdn, flow)
        ]
        same = [
            len(recorded) == len(routes) and all(map(same_uri_text, recorded, routes)) for recorded in copies
        ]
        if copies and copies[-1] and not any(same):
            yield _at(item, f"IMDN-Route: {', '.join(copies[-1])}", ", ".join(routes) or "none")


@rule("imdn.from-is-recipient", on=Kind.CPIM)
def from_is_recipient(item: CpimItem, flow: Flow) -> Both:
    """The recipient-uri of the document decides; without one the sender, when nothing in the chain hides it.

    A network that writes anonymous into one IMDN of a message and a number into the other shows that its From
    is not the recipient's identity, so it proves nothing (RFC 5438 7.1.2 matches by the XML alone).
    """
    for imdn in item.imdns:
        originals = [known for known in _originals(item, imdn, flow) if _by_message(known)]
        addressed = {party for known in originals for party in _addressed(known)}
        if not addressed:
            continue
        stated = imdn.original_recipient_uri or imdn.recipient_uri
        makers = {party_of(uri)} if stated and (uri := uri_of(stated)) else _senders(item)
        if not stated and _hidden(item, imdn, flow):
            yield Unverifiable("the IMDNs of this message do not show who made them")
        elif makers and not makers & addressed and _comparable(makers, addressed):
            yield _at(
                item, f"an IMDN of {', '.join(sorted(addressed))}", f"one of {', '.join(sorted(makers))}"
            )


@rule("imdn.same-conversation", on=Kind.CPIM)
def same_conversation(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    own = item.by_sip.sip.get("Conversation-ID") if item.by_sip and _by_message(item) else None
    for imdn in item.imdns if own else ():
        carriers = [carrier for known in _originals(item, imdn, flow) if (carrier := _opening(known))]
        ids = [value for carrier in carriers if (value := carrier.sip.get("Conversation-ID"))]
        if ids and own not in ids:
            yield Violation(
                f"Conversation-ID: {ids[-1]}", own or "none", "Conversation-ID", item=item.carrier
            )


@rule("imdn.not-mixed-with-im", on=Kind.CPIM)
def not_mixed(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    if not item.is_notification:
        return
    beside = item.by_sip.bodies if item.by_sip else []
    others = [known for known in beside if not known.is_notification and known.cpim is not None]
    foreign = [kind for kind in _part_types(item) if kind != MEDIA_TYPE]
    if others or foreign:
        yield _at(item, "an IMDN alone in its message", f"{', '.join(foreign) or 'an IM'} beside it")


# -- the XML ------------------------------------------------------------------------------------------------


@rule("imdn.xml.wellformed", on=Kind.CPIM)
def wellformed(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    if item.imdn_error is not None:
        yield _at(item, "well-formed XML", str(item.imdn_error))
    wanted = {ImdnFault.ENCODING: "XML in UTF-8", ImdnFault.VERSION: "XML 1.0"}
    for imdn in item.imdns:
        for fault in imdn.faults:
            if fault.what in wanted:
                yield _at(item, wanted[ImdnFault(fault.what)], fault.text)
            elif fault.what == ImdnFault.DOCTYPE:  # no rule against it; nobody has to expand its entities
                found = _at(item, "no document type, whose entities are not read", fault.text)
                yield replace(found, severity=Severity.SHOULD)


@rule("imdn.xml.namespace", on=Kind.CPIM)
def namespace(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    for imdn in item.imdns:
        if (imdn.root.namespace, imdn.root.name) != (IMDN_XML_NAMESPACE, "imdn"):
            yield _at(
                item, f"imdn in {IMDN_XML_NAMESPACE}", f"{imdn.root.name} in {imdn.root.namespace or 'none'}"
            )


@rule("imdn.xml.message-id", on=Kind.CPIM)
def xml_message_id(item: CpimItem, flow: Flow) -> Both:
    for imdn in item.imdns:
        value = imdn.message_id
        if not value:
            yield _at(item, "message-id of the reported message", "none")
        elif item.sender is Party.UNKNOWN:
            yield Unverifiable("who sent the IMDN is not known")
        elif not _originals(item, imdn, flow):
            yield _unknown_id(item, value, flow)


@rule("imdn.xml.datetime-present", on=Kind.CPIM)
def xml_datetime_present(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    for imdn in item.imdns:
        if imdn.datetime is None:
            yield _at(item, "datetime of the reported message", "none")


@rule("imdn.xml.datetime-value", on=Kind.CPIM)
def xml_datetime_value(item: CpimItem, flow: Flow) -> Both:
    for imdn in item.imdns:
        own = _stamp(imdn.datetime)
        if own is None:
            continue
        stamps = [stamp for known in _originals(item, imdn, flow) if (stamp := _sent_at(known)) is not None]
        if not stamps:
            yield Unverifiable(f"the DateTime of {imdn.message_id} was not captured")
        elif not any(own.same_instant(stamp) for stamp in stamps):
            yield _at(item, f"datetime: {stamps[-1].text}, when the message was sent", own.text)


@rule("imdn.xml.datetime-form", on=Kind.CPIM)
def xml_datetime_form(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    """A form copied from the message is the fault of the message (cpim.datetime.rfc3339)."""
    for imdn in item.imdns:
        sources = [known.cpim.get("DateTime") for known in _originals(item, imdn, flow) if known.cpim]
        if imdn.datetime is not None and imdn.datetime not in sources and _stamp(imdn.datetime) is None:
            yield _at(item, "datetime: an RFC 3339 date-time", imdn.datetime or "nothing")


@rule("imdn.xml.one-type", on=Kind.CPIM)
def one_type(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    for imdn in item.imdns:
        names = [element.name for element in imdn.notifications]
        if len(names) > 1:
            yield _at(item, "one notification element", ", ".join(names))
        elif not names and not imdn.foreign:
            yield _at(item, "one notification element", "none")


@rule("imdn.xml.one-type.extension", on=Kind.CPIM)
def one_type_extension(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    for imdn in item.imdns:
        if not imdn.notifications and imdn.foreign:
            yield _at(item, "a notification element of RFC 5438", f"only {_named(imdn.foreign[0])}")


@rule("imdn.xml.status", on=Kind.CPIM)
def xml_status(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    for imdn, element in _single_notifications(item):
        statuses = [child for child in element.children if _is(child, imdn, "status")]
        if len(statuses) != 1:
            yield _at(item, f"one status in {element.name}", str(len(statuses)))
            continue
        children = statuses[0].children
        if children and all(_is_foreign(child, imdn) for child in children):
            continue  # imdn.xml.status.extension
        fault = _status_fault(statuses[0], imdn, element.name.removesuffix("-notification"))
        if fault:
            yield _at(item, fault[0], fault[1])


@rule("imdn.xml.status.extension", on=Kind.CPIM)
def xml_status_extension(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    for imdn, element in _single_notifications(item):
        for status in element.children:
            foreign = [child for child in status.children if _is_foreign(child, imdn)]
            if _is(status, imdn, "status") and foreign and len(foreign) == len(status.children):
                yield _at(item, "a status of RFC 5438", f"only {_named(foreign[0])}")


# -- looking back -------------------------------------------------------------------------------------------


def _originals(item: CpimItem, imdn: Imdn, flow: Flow) -> list[CpimItem]:
    """Messages of the other side, seen before, that carry the reported id; none when sides are unknown."""
    if item.sender is Party.UNKNOWN:
        return []
    return [
        known
        for known in flow.assembly.originals(imdn.message_id)
        if known.sender is item.sender.other and known.place < item.place
    ]


def _earlier(item: CpimItem, imdn: Imdn, flow: Flow) -> list[Notification]:
    """Notifications of the same kind on the same message that the same side sent before."""
    return [
        known
        for known in flow.assembly.notifications(imdn.message_id)
        if known.item.sender is item.sender
        and known.item.place < item.place
        and imdn.notification is not None
        and known.imdn.notification == imdn.notification
    ]


def _reports(item: CpimItem, imdn: Imdn, flow: Flow, status: str) -> Iterator[Notification]:
    """Notifications of a status on the same message that the same side sent before."""
    for known in flow.assembly.notifications(imdn.message_id):
        before = known.item.sender is item.sender and known.item.place < item.place
        if before and _says(known.imdn, status):
            yield known


def _says(imdn: Imdn, status: str) -> bool:
    """The plain success of its kind: delivered in a delivery notification, displayed in a display one."""
    return (
        imdn.status == status and imdn.notification is not None and STATUSES[imdn.notification][0] == status
    )


def _unknown_id(item: CpimItem, value: str, flow: Flow) -> Violation | Unverifiable:
    """An id no message of the other side has: a fail where the original must be in the capture."""
    expected = "message-id: an imdn.Message-ID the other side sent"
    same_side = [known for known in flow.assembly.originals(value) if known is not item]
    if any(_senders(known) & _addressed(item) for known in same_side):
        # What another device of the user sent comes from the network as a copy, as the IMDN for it does.
        return Unverifiable(f"the message {value} may be one of another device of the user")
    if same_side and all(known.sender is item.sender for known in same_side):
        return _at(item, expected, f"{value}, of {same_side[-1].label} in the same direction")
    for known in flow.assembly.cpim_items():
        if known.sender is not item.sender.other or known.place >= item.place or not known.message_id:
            continue
        if _nearly(value, known.message_id):
            return _at(item, f"message-id: {known.message_id}", value)
        if not known.is_notification and _by_message(known) and _same_contribution(item.by_sip, known.by_sip):
            expected = f"message-id: {known.message_id}, of {known.label} (same Contribution-ID)"
            return _at(item, expected, value, Severity.SHOULD)  # no clause ties the two ids together
    return Unverifiable(f"the message {value} it reports on was not captured")


def _nearly(value: str, known: str) -> bool:
    cut = len(value) >= 4 and len(value) < len(known) and known.startswith(value)
    return cut or re.sub(r"\s", "", value).lower() == re.sub(r"\s", "", known).lower()


def _same_contribution(one: SipEntry | None, other: SipEntry | None) -> bool:
    if one is None or other is None:
        return False
    names = ("Contribution-ID", "InReplyTo-Contribution-ID")
    ids = {one.sip.get(name) for name in names} - {None}
    return other.sip.get("Contribution-ID") in ids


def _final(item: CpimItem) -> SipEntry | None:
    """The final response to the SIP message that brought it."""
    transaction = item.by_sip.transaction if item.by_sip else None
    return transaction.final if transaction else None


def _opening(item: CpimItem) -> SipEntry | None:
    """The SIP message that brought it, or the first of its MSRP session."""
    carrier = item.carrier
    if isinstance(carrier, SipEntry):
        return carrier
    return carrier.session.invite if carrier.session else None


def _signalled(item: CpimItem) -> SipEntry | None:
    """The SIP message that names who sent it: its own, or the INVITE when its caller sent it."""
    carrier = item.carrier
    if isinstance(carrier, SipEntry):
        return carrier
    invite = carrier.session.invite if carrier.session and carrier.by_caller else None
    return invite if invite is not None and invite.request is not None else None


def _request_uri(item: CpimItem) -> str:
    request = item.by_sip.request if item.by_sip else None
    return request.uri if request else ""


def _was_accepted(item: CpimItem) -> bool:
    transaction = item.carrier.transaction
    if item.by_sip is None and (transaction is None or transaction.final is None):
        return True  # with Failure-Report other than yes nobody answers (RFC 4975 7.1.1)
    return transaction is not None and transaction.accepted is not None


def _accepted_copy(asked: CpimItem, notification: CpimItem, flow: Flow) -> bool:
    """The same message was accepted before in another transaction (a repeat, another device)."""
    return any(
        known is not asked and known.place < notification.place and _was_accepted(known)
        for known in flow.assembly.originals(asked.message_id)
        if known.sender is asked.sender
    )


def _by_message(item: CpimItem) -> bool:
    return item.layer is Layer.SIP and item.carrier.method == "MESSAGE"


def _same_leg(one: SipEntry | MsrpEntry, other: SipEntry | MsrpEntry) -> bool:
    return one.layer is other.layer and (one.source.host, one.destination.host) == (
        other.source.host,
        other.destination.host,
    )


def _same_sender(one: CpimItem, other: CpimItem) -> bool:
    """One side, and of the network one far party: CPIM From equal or hidden."""
    if one.sender is not other.sender:
        return False
    left, right = (item.cpim.from_ if item.cpim else None for item in (one, other))
    if left is None or right is None or ANONYMOUS in (left.uri.lower(), right.uri.lower()):
        return True
    return same_uri_text(left.uri, right.uri)


def _content(item: CpimItem) -> tuple[str, bytes]:
    assert item.cpim is not None
    kind = item.cpim.content_type
    return (kind.essence if kind else ""), item.cpim.content


def _written_alike(one: CpimItem, other: CpimItem) -> bool:
    """One Content-Transfer-Encoding: only then do the octets tell whether the content is the same."""
    name = "Content-Transfer-Encoding"
    return (_mime(one, name) or "").lower() == (_mime(other, name) or "").lower()


def _counts_on(before: str | None, value: str) -> bool:
    one, other = _COUNTED.fullmatch(before or ""), _COUNTED.fullmatch(value)
    return one is not None and other is not None and one[1] == other[1] and int(other[2]) - int(one[2]) == 1


# -- identities ---------------------------------------------------------------------------------------------


def _sip_target(item: CpimItem, original: CpimItem) -> Iterator[Violation]:
    """Request-URI and To of the IMDN against who sent the original (RFC 5438 12.1.3.1)."""
    carrier = _signalled(original)
    wanted = _identities(carrier, ("From", "P-Asserted-Identity", "Referred-By"))
    if carrier is None or not wanted:
        return
    unsure = is_anonymous(carrier.from_) or any(
        "isfocus" in contact.parameters for contact in carrier.contacts
    )
    severity = Severity.INFO if unsure else None
    to = item.by_sip.sip.get("To") if item.by_sip else None
    targets = (("start line", _request_uri(item)), ("To", to or ""))
    for header, text in targets:
        uri = uri_of(text)
        if uri is not None and party_of(uri) not in wanted:
            yield _carrier(
                item, f"the sender of the message: {', '.join(sorted(wanted))}", text, header, severity
            )


def _identities(carrier: SipEntry | None, names: tuple[str, ...]) -> set[str]:
    values = [value for name in names for value in carrier.sip.values(name)] if carrier else []
    return {party_of(uri) for value in values if (uri := uri_of(value)) is not None and not _is_hidden(uri)}


def _same_party(one: str, other: str) -> bool:
    """One URI, or two that name one number (sip with user=phone, tel)."""
    left, right = uri_of(one), uri_of(other)
    numbers = left is not None and right is not None and party_of(left) == party_of(right)
    return numbers or same_uri_text(one, other)


def _is_hidden(uri: Uri) -> bool:
    return uri.host.lower().endswith("anonymous.invalid") or (uri.user or "").lower() == "anonymous"


def _senders(item: CpimItem) -> set[str]:
    found = _identities(item.by_sip, ("From", "P-Asserted-Identity"))
    uri = uri_of(item.cpim.from_.uri) if item.cpim and item.cpim.from_ else None
    return found | ({party_of(uri)} if uri is not None and not _is_hidden(uri) else set())


def _addressed(item: CpimItem) -> set[str]:
    """Whom a MESSAGE was for: Request-URI, To, CPIM To, and the members of a list it carries."""
    texts = [_request_uri(item), (item.by_sip.sip.get("To") if item.by_sip else None) or ""]
    texts += [address.uri for address in item.cpim.addresses("To")] if item.cpim else []
    texts += [uri.decode("utf-8", "replace") for uri in re.findall(rb'\buri="([^"]+)"', item.carrier.raw)]
    return {party_of(uri) for text in texts if (uri := uri_of(text)) is not None and not _is_hidden(uri)}


def _hidden(item: CpimItem, imdn: Imdn, flow: Flow) -> bool:
    """Somewhere in the IMDNs on this message its sender is anonymous."""
    chain = [known.item for known in flow.assembly.notifications(imdn.message_id)]
    return any(_is_anonymous(known) for known in (*chain, item) if known.sender is item.sender)


def _is_anonymous(item: CpimItem) -> bool:
    address = item.cpim.from_ if item.cpim else None
    hidden = item.by_sip is not None and is_anonymous(item.by_sip.from_)
    return hidden or (address is not None and address.uri.lower() == ANONYMOUS)


def _comparable(makers: set[str], addressed: set[str]) -> bool:
    """Both sides name numbers, or both name users: a number is no proof against user@host."""
    return any(
        (left.isdigit() and right.isdigit()) or ("@" in left and "@" in right)
        for left in makers
        for right in addressed
    )


def _maker(item: CpimItem, imdn: Imdn) -> str:
    if imdn.recipient_uri:
        uri = uri_of(imdn.recipient_uri)
        return party_of(uri) if uri else imdn.recipient_uri
    address = item.cpim.from_ if item.cpim else None
    uri = uri_of(address.uri) if address else None
    return party_of(uri) if uri else ""


# -- small readings -----------------------------------------------------------------------------------------


def _at(item: CpimItem, expected: str, actual: str, severity: Severity | None = None) -> Violation:
    return Violation(expected, shown(actual), "body", item.offset, severity=severity)


def _carrier(
    item: CpimItem, expected: str, actual: str, header: str = "start line", severity: Severity | None = None
) -> Violation:
    return Violation(expected, shown(actual), header, severity=severity, item=item.carrier)


def _requests(item: CpimItem) -> list[str]:
    return item.cpim.imdn_all("Disposition-Notification") if item.cpim else []


def _imdn_headers(item: CpimItem, name: str) -> list[str]:
    return item.cpim.imdn_all(name) if item.cpim else []


def _mime(item: CpimItem, name: str) -> str | None:
    return item.cpim.mime_get(name) if item.cpim else None


def _disposition(item: CpimItem) -> str:
    return (_mime(item, "Content-Disposition") or "").partition(";")[0].strip().lower()


def _bare(value: str) -> str:
    return value.partition("<")[2].partition(">")[0] if "<" in value else value.strip()


def _part_types(item: CpimItem) -> list[str]:
    kind = item.cpim.content_type if item.cpim else None
    if item.cpim is None or kind is None or kind.type != "multipart":
        return []
    try:
        parts = split_multipart(item.cpim.content, kind.parameters.get("boundary", "")).parts
    except BodySyntaxError:
        return []
    return [part.content_type.essence if part.content_type else "text/plain" for part in parts]


def _stamp(text: str | None) -> Timestamp | None:
    try:
        return parse_timestamp(text) if text is not None else None
    except BodySyntaxError:
        return None


def _sent_at(item: CpimItem) -> Timestamp | None:
    fields = item.cpim.fields(CORE_NAMESPACE, "DateTime") if item.cpim else []
    return _stamp(fields[0].value) if fields else None


def _single_notifications(item: CpimItem) -> Iterator[tuple[Imdn, XmlElement]]:
    """The notification element of each document that has just one."""
    for imdn in item.imdns:
        if len(imdn.notifications) == 1:
            yield imdn, imdn.notifications[0]


def _is(element: XmlElement, imdn: Imdn, name: str) -> bool:
    return element.name == name and element.namespace == imdn.root.namespace


def _is_foreign(element: XmlElement, imdn: Imdn) -> bool:
    return bool(element.namespace) and element.namespace != imdn.root.namespace


def _named(element: XmlElement) -> str:
    return f"{element.name} in {element.namespace}"


def _status_fault(status: XmlElement, imdn: Imdn, kind: str) -> tuple[str, str] | None:
    """What is wrong with the children of a status element: (expected, actual)."""
    allowed = STATUSES[kind]
    expected = f"one of {', '.join(allowed)}, empty, in status of {kind}-notification"
    if not status.children:
        return expected, status.text.strip() or "nothing"
    first, rest = status.children[0], status.children[1:]
    if first.namespace != imdn.root.namespace or first.name not in allowed:
        return expected, first.name
    if not first.empty or status.text.strip():
        return expected, f"{first.name} with text, attributes or children"
    if not all(_is_foreign(child, imdn) for child in rest):
        return expected, ", ".join(child.name for child in status.children)
    return None
