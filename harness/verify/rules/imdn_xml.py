"""Rules about the XML of a notification (RFC 5438 11.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from harness.bodies.cpim import CORE_NAMESPACE
from harness.bodies.imdn import IMDN_XML_NAMESPACE, STATUSES, Imdn, ImdnFault, XmlElement
from harness.bodies.timestamp import Timestamp, parse_timestamp
from harness.errors import BodySyntaxError
from harness.verify.catalogue import Kind, rule
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Severity, Unverifiable, Violation
from harness.verify.items import CpimItem, SipEntry
from harness.verify.rules.imdn_chain import (
    addressees_of,
    at_item,
    by_message,
    originals_of,
    senders_of,
)

_DECLARATION = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml[^>]*>")
_ENCODING = re.compile(rb"\sencoding\s*=")
# The order of the schema (RFC 5438 11.1.9).
_PLACES = {
    "message-id": 0,
    "datetime": 1,
    "recipient-uri": 2,
    "original-recipient-uri": 3,
    "subject": 4,
    **{f"{kind}-notification": 5 for kind in STATUSES},
}


@rule("imdn.xml.wellformed", on=Kind.CPIM)
def wellformed(item: CpimItem, flow: Flow) -> Outcomes:
    if item.is_notification:
        yield APPLIES
    if item.imdn_error is not None:
        yield at_item(item, "well-formed XML", str(item.imdn_error))
    wanted = {ImdnFault.ENCODING: "XML in UTF-8", ImdnFault.VERSION: "XML 1.0"}
    for imdn in item.imdns:
        for fault in imdn.faults:
            if fault.what in wanted:
                yield at_item(item, wanted[ImdnFault(fault.what)], fault.text)
            elif fault.what == ImdnFault.DOCTYPE:  # no rule against it; nobody has to expand its entities
                found = at_item(item, "no document type, whose entities are not read", fault.text)
                yield replace(found, severity=Severity.SHOULD)


@rule("imdn.xml.namespace", on=Kind.CPIM)
def namespace(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn in item.imdns:
        yield APPLIES
        if (imdn.root.namespace, imdn.root.name) != (IMDN_XML_NAMESPACE, "imdn"):
            yield at_item(
                item, f"imdn in {IMDN_XML_NAMESPACE}", f"{imdn.root.name} in {imdn.root.namespace or 'none'}"
            )


@rule("imdn.xml.message-id", on=Kind.CPIM)
def xml_message_id(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn in item.imdns:
        value = imdn.message_id
        yield APPLIES
        if not value:
            yield at_item(item, "message-id of the reported message", "none")
        elif item.sender is Party.UNKNOWN:
            yield Unverifiable("who sent the IMDN is not known")
        elif not originals_of(item, imdn, flow):
            yield _unknown_id(item, imdn, value, flow)


@rule("imdn.xml.datetime-present", on=Kind.CPIM)
def xml_datetime_present(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn in item.imdns:
        yield APPLIES
        if imdn.datetime is None:
            yield at_item(item, "datetime of the reported message", "none")


@rule("imdn.xml.datetime-value", on=Kind.CPIM)
def xml_datetime_value(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn in item.imdns:
        own = _stamp(imdn.datetime)
        if own is None:
            continue
        stamps = [stamp for known in originals_of(item, imdn, flow) if (stamp := _sent_at(known)) is not None]
        if not stamps:
            yield Unverifiable(f"the DateTime of {imdn.message_id} was not captured")
            continue
        yield APPLIES
        if not any(own.same_instant(stamp) for stamp in stamps):
            yield at_item(item, f"datetime: {stamps[-1].text}, when the message was sent", own.text)


@rule("imdn.xml.datetime-form", on=Kind.CPIM)
def xml_datetime_form(item: CpimItem, flow: Flow) -> Outcomes:
    """A form copied from the message is the fault of the message (cpim.datetime.rfc3339)."""
    for imdn in item.imdns:
        if imdn.datetime is None:
            continue
        yield APPLIES
        sources = [known.cpim.get("DateTime") for known in originals_of(item, imdn, flow) if known.cpim]
        if imdn.datetime not in sources and _stamp(imdn.datetime) is None:
            yield at_item(item, "datetime: an RFC 3339 date-time", imdn.datetime or "nothing")


@rule("imdn.xml.one-type", on=Kind.CPIM)
def one_type(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn in item.imdns:
        yield APPLIES
        names = [element.name for element in imdn.notifications]
        if len(names) > 1:
            yield at_item(item, "one notification element", ", ".join(names))
        elif not names and not imdn.foreign:
            yield at_item(item, "one notification element", "none")


@rule("imdn.xml.one-type.extension", on=Kind.CPIM)
def one_type_extension(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn in item.imdns:
        yield APPLIES
        if not imdn.notifications and imdn.foreign:
            yield at_item(item, "a notification element of RFC 5438", f"only {_named(imdn.foreign[0])}")


@rule("imdn.xml.status", on=Kind.CPIM)
def xml_status(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn, element in _single_notifications(item):
        yield APPLIES
        statuses = [child for child in element.children if _is(child, imdn, "status")]
        if len(statuses) != 1:
            yield at_item(item, f"one status in {element.name}", str(len(statuses)))
            continue
        children = statuses[0].children
        if children and all(_is_foreign(child, imdn) for child in children):
            continue  # imdn.xml.status.extension
        fault = _status_fault(statuses[0], imdn, element.name.removesuffix("-notification"))
        if fault:
            yield at_item(item, fault[0], fault[1])


@rule("imdn.xml.status.extension", on=Kind.CPIM)
def xml_status_extension(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn, element in _single_notifications(item):
        yield APPLIES
        for status in element.children:
            foreign = [child for child in status.children if _is_foreign(child, imdn)]
            if _is(status, imdn, "status") and foreign and len(foreign) == len(status.children):
                yield at_item(item, "a status of RFC 5438", f"only {_named(foreign[0])}")


@rule("imdn.xml.order", on=Kind.CPIM)
def xml_order(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn in item.imdns:
        yield APPLIES
        names = [_PLACES[name] for name in imdn.order if name in _PLACES]
        if names != sorted(names):
            expected = "message-id, datetime, recipient-uri, original-recipient-uri, subject, notification"
            yield at_item(item, expected, ", ".join(name for name in imdn.order if name in _PLACES))


@rule("imdn.xml.foreign-ns", on=Kind.CPIM)
def xml_foreign(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn in item.imdns:
        yield APPLIES
        unqualified = [child.name for child in imdn.foreign if not child.namespace]
        for name in (*(child.name for child in imdn.unknown), *unqualified):
            yield at_item(item, "elements of RFC 5438, others in a namespace of their own", name)


@rule("imdn.xml.encoding-decl", on=Kind.CPIM)
def encoding_declared(item: CpimItem, flow: Flow) -> Outcomes:
    """An encoding other than UTF-8 is what imdn.xml.wellformed reports; without one XML is in UTF-8."""
    for imdn in item.imdns:
        declaration = _DECLARATION.match(imdn.raw)
        if declaration is None:
            continue
        yield APPLIES
        if _ENCODING.search(declaration[0]) is None:
            yield at_item(item, 'encoding="UTF-8" in the XML declaration', declaration[0].decode("latin-1"))


@rule("imdn.xml.original-recipient", on=Kind.CPIM)
def xml_original_recipient(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn in item.imdns:
        copies = originals_of(item, imdn, flow)
        if not copies or not all(map(_original_to, copies)):
            continue
        yield APPLIES
        if imdn.original_recipient_uri is None:
            expected = f"original-recipient-uri, from Original-To: {_original_to(copies[-1])}"
            yield at_item(item, expected, "none")


def _original_to(item: CpimItem) -> str | None:
    return item.cpim.imdn("Original-To") if item.cpim else None


def _unknown_id(item: CpimItem, imdn: Imdn, value: str, flow: Flow) -> Violation | Unverifiable:
    """An id no message of the other side has: a fail where the original must be in the capture."""
    expected = "message-id: an imdn.Message-ID the other side sent"
    same_side = [known for known in flow.assembly.originals(value) if known is not item]
    if any(senders_of(known) & addressees_of(item) for known in same_side):
        # What another device of the user sent comes from the network as a copy, as the IMDN for it does.
        return Unverifiable(f"the message {value} may be one of another device of the user")
    if not same_side and flow.assembly.remembered.message(value) is not None:
        return Unverifiable(f"the message {value} was long over")
    if same_side and all(known.sender is item.sender for known in same_side):
        return at_item(item, expected, f"{value}, of {same_side[-1].label} in the same direction")
    for known in flow.assembly.cpim_items():
        if known.sender is not item.sender.other or known.place >= item.place or not known.message_id:
            continue
        if _nearly(value, known.message_id):
            return at_item(item, f"message-id: {known.message_id}", value)
        if not known.is_notification and by_message(known) and _same_contribution(item.by_sip, known.by_sip):
            expected = f"message-id: {known.message_id}, of {known.label} (same Contribution-ID)"
            return at_item(item, expected, value, Severity.SHOULD)  # no clause ties the two ids together
    why = _may_be_unseen(item, imdn, flow)
    return Unverifiable(f"the message {value} {why}") if why else at_item(item, expected, f"{value}, of none")


def _may_be_unseen(item: CpimItem, imdn: Imdn, flow: Flow) -> str:
    """Why there may be such a message that is not on the timeline; empty when there cannot.

    The document says when its message was sent (RFC 5438 11.1.1): one sent since the timeline began is on it.
    """
    sent, began = _stamp(imdn.datetime), flow.assembly.began
    if not flow.from_start or began is None:
        return "it reports on was not captured"
    if sent is None or sent.instant.timestamp() <= began + flow.settings.clock_tolerance:
        return "may be of before the capture"
    if item.sender is Party.NETWORK and _devices(flow) != 1:
        return "may be one of another device of the user"
    if any(known.cpim is None and known.sender is not item.sender for known in flow.assembly.cpim_items()):
        return "may be one that cannot be read"
    assembly = flow.assembly
    if assembly.has_unseen or any(
        not assembly.msrp.has_entries(session) for session in assembly.negotiations.sessions
    ):
        return "may have come in a session that was not captured"
    return ""


def _devices(flow: Flow) -> int:
    """Bindings of the user, as the registrar told last; 0 where it has not."""
    told = flow.assembly.registrations
    return len(told[-1].response.contacts) if told else 0


def _nearly(value: str, known: str) -> bool:
    cut = len(value) >= 4 and len(value) < len(known) and known.startswith(value)
    return cut or re.sub(r"\s", "", value).lower() == re.sub(r"\s", "", known).lower()


def _same_contribution(one: SipEntry | None, other: SipEntry | None) -> bool:
    if one is None or other is None:
        return False
    names = ("Contribution-ID", "InReplyTo-Contribution-ID")
    ids = {one.sip.get(name) for name in names} - {None}
    return other.sip.get("Contribution-ID") in ids


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
