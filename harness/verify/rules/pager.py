"""Pager mode rules: MESSAGE as RFC 3428 has it, with CPIM and IMDN (RFC 5438 12) and lists (RFC 5365)."""

from __future__ import annotations

import re

from harness.bodies.imdn import IMDN_XML_NAMESPACE
from harness.bodies.imdn import MEDIA_TYPE as IMDN_TYPE
from harness.bodies.multipart import Part, split_multipart
from harness.bodies.resource_lists import MEDIA_TYPE as LIST_TYPE
from harness.bodies.resource_lists import parse_resource_lists
from harness.cpm.services import Service
from harness.errors import BodySyntaxError
from harness.evidence.timeline import Layer, Transport
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import (
    accepted_icsis,
    contact_icsis,
    covers,
    is_encoded,
    is_opaque,
    option_tags,
    same_uri_text,
    shown,
    stated_services,
)
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Severity, Violation
from harness.verify.items import SipEntry, Transaction

_PAGER = Service.PAGER.icsi
_CPM = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm"
_CPIM = "message/cpim"
_IMDN_HEADER = re.compile(rb"^NS:[^\r\n]*<urn:ietf:params:imdn>|^imdn\.Message-ID:", re.MULTILINE)
_IMDN_ROOT = IMDN_XML_NAMESPACE.encode()
_TEXT = "text/"
_NOT_OPENING = frozenset({"ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "INFO", "NOTIFY", "REGISTER"})
TIMER_F = 32.0
"""Seconds after which an unanswered MESSAGE is no longer pending (RFC 3261 17.1.2.2)."""
LATE = 8.0
"""Seconds by which the first copy seen may be later than the first sent, three of which got lost."""


@rule("pager.method", on=Kind.REQUEST)
def method(entry: SipEntry, flow: Flow) -> Outcomes:
    if any(covers(_PAGER, urn) for urn in stated_services(entry.sip)):
        yield APPLIES
        if entry.method != "MESSAGE" and entry.method not in _NOT_OPENING and not entry.to_tag:
            yield Violation("MESSAGE for the service of standalone messages", entry.method, "start line")
    if entry.method == "MESSAGE" and "Event" in entry.sip and _is_cpm(entry):
        yield Violation("no Event in MESSAGE", f"Event: {entry.sip.get('Event')}", "Event")
    if entry.to_tag and entry.dialog is None and _tags_of_a_message(entry, flow):
        yield Violation("no dialog made of a MESSAGE", "a request with the tags of MESSAGE and its 2xx", "To")


@rule("pager.method.out-of-dialog", on=Kind.REQUEST, methods=("MESSAGE",))
def out_of_dialog(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _is_cpm(entry):
        return
    yield APPLIES
    if entry.to_tag:
        yield Violation("a standalone MESSAGE without To tag", f"tag={entry.to_tag}", "To")


@rule("pager.no-contact", on=Kind.SIP, methods=("MESSAGE",))
def no_contact(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.request is None and not 200 <= entry.status < 300:
        return
    yield APPLIES
    if "Contact" in entry.sip:
        place = "MESSAGE" if entry.request is not None else "a 2xx to MESSAGE"
        yield Violation(f"no Contact in {place}", shown(entry.sip.get("Contact") or ""), "Contact")


@rule("pager.2xx-no-body", on=Kind.RESPONSE, methods=("MESSAGE",))
def no_body_in_2xx(entry: SipEntry, flow: Flow) -> Outcomes:
    if not 200 <= entry.status < 300:
        return
    yield APPLIES
    if entry.sip.body:
        yield Violation("no body in a 2xx to MESSAGE", f"{len(entry.sip.body)} octets", "body")


@rule("pager.size-limit", on=Kind.REQUEST, methods=("MESSAGE",))
def size_limit(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _large_mode_known(flow):
        yield from _too_large(entry, flow, "as the configuration allows in pager mode")


@rule("pager.switch-to-large", on=Kind.REQUEST, methods=("MESSAGE",))
def switch_to_large(entry: SipEntry, flow: Flow) -> Outcomes:
    if _large_mode_known(flow):
        yield from _too_large(entry, flow, "more going as large message")


@rule("pager.size-limit.whole-request", on=Kind.REQUEST, methods=("MESSAGE",))
def whole_request(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.transport is not Transport.UDP or entry.to_tag:
        return
    yield APPLIES
    if len(entry.raw) > 1300:
        yield Violation("at most 1300 octets over UDP", f"{len(entry.raw)} octets", "start line")


@rule("pager.one-outstanding", on=Kind.REQUEST, methods=("MESSAGE",))
def one_outstanding(entry: SipEntry, flow: Flow) -> Outcomes:
    """On a timeline of the lab, which misses nothing, an answer not seen was not sent."""
    if not flow.assembly.events(Layer.LAB, "test-start"):
        return
    yield APPLIES
    for known in reversed(flow.assembly.transactions_by("MESSAGE")):
        if known.request.time < entry.time - (TIMER_F - LATE):
            return
        pending = known.final is None and not _way_gone(known.request, entry, flow)
        if pending and _overlap(known.request, entry):
            yield _too_early(known, entry)
            return


@rule("pager.one-outstanding", on=Kind.RESPONSE, methods=("MESSAGE",), receiver=True)
def one_outstanding_in_a_capture(entry: SipEntry, flow: Flow) -> Outcomes:
    """A capture may have lost the answer: the first MESSAGE was pending only if its answer comes later."""
    known = entry.transaction
    in_a_lab = flow.assembly.events(Layer.LAB, "test-start")
    if known is None or known.final is not entry or in_a_lab:
        return
    yield APPLIES
    for other in reversed(flow.assembly.transactions_by("MESSAGE")):
        if other.request.place < known.request.place or entry.time - known.request.time > TIMER_F:
            return
        if _overlap(known.request, other.request):
            yield _too_early(known, other.request)


@rule("pager.content-type", on=Kind.REQUEST, methods=("MESSAGE",))
def content_type(entry: SipEntry, flow: Flow) -> Outcomes:
    essence = _essence(entry)
    if entry.incomplete or is_opaque(entry.sip) or not _carries_imdn(entry):
        return
    yield APPLIES
    if essence == _CPIM:
        return
    if essence.startswith("multipart/"):
        parts = _parts(entry)
        kinds = {part.content_type.essence for part in parts if part.content_type}
        if essence == "multipart/mixed" and _CPIM in kinds and any(_is_list(part) for part in parts):
            return
        yield Violation(
            "message/cpim, or multipart/mixed of message/cpim and a recipient list",
            f"{essence} of {', '.join(sorted(kinds)) or 'nothing'}",
            "Content-Type",
        )
        return
    # A text that looks so may quote it.
    severity = Severity.SHOULD if essence.startswith(_TEXT) else None
    yield Violation("Content-Type: message/cpim", essence or "none", "Content-Type", severity=severity)


@rule("pager.content-type.cpm", on=Kind.REQUEST, methods=("MESSAGE",))
def content_type_cpm(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _is_pager(entry) or (_carries_imdn(entry) and _essence(entry) != _CPIM):
        return
    yield APPLIES
    essence = _essence(entry)
    if essence != _CPIM and not any(
        part.content_type and part.content_type.essence == _CPIM for part in _parts(entry)
    ):
        yield Violation(
            "Content-Type: message/cpim in a CPM pager message", essence or "none", "Content-Type"
        )


@rule("pager.accept-contact.icsi", on=Kind.REQUEST, methods=("MESSAGE",))
def accept_contact(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _is_cpm(entry) or any(item.is_notification for item in entry.bodies):
        return
    yield APPLIES
    accepted = accepted_icsis(entry.sip)
    if not accepted & {_PAGER, Service.SYSTEM.icsi}:
        yield Violation(
            f"Accept-Contact with the ICSI {_PAGER}",
            shown(", ".join(sorted(accepted)) or entry.sip.get("Accept-Contact") or "none"),
            "Accept-Contact",
        )


@rule("pager.list.require", on=Kind.REQUEST, methods=("MESSAGE",))
def list_require(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.incomplete:
        return
    parts = _parts(entry)
    alone = _disposition(entry) == "recipient-list"
    required = "recipient-list-message" in option_tags(entry.sip, "Require")
    if not alone and not any(part.disposition == "recipient-list" for part in parts):
        if required and not parts and not is_encoded(entry.sip):
            yield Violation(f"a part {LIST_TYPE} with Content-Disposition: recipient-list", "none", "body")
        return
    yield APPLIES
    if not required:
        yield Violation("Require: recipient-list-message", entry.sip.get("Require") or "none", "Require")
    if alone or all(part.disposition == "recipient-list" for part in parts):
        yield Violation("a multipart body of the list and the message", "only the list", "body")
    for part in parts:
        if part.disposition == "recipient-list" and part.decodable:
            yield from _unreadable_list(part)


def _unreadable_list(part: Part) -> Outcomes:
    """A document type is allowed by XML, and refused by every careful reader."""
    try:
        parse_resource_lists(part.decoded())
    except BodySyntaxError as error:
        severity = Severity.SHOULD if b"<!DOCTYPE" in part.content else None
        place = part.content_offset + error.offset
        yield Violation("a list that can be read", shown(str(error), 160), "body", place, severity=severity)


@rule("pager.list.service", on=Kind.REQUEST, methods=("MESSAGE",))
def list_service(entry: SipEntry, flow: Flow) -> Outcomes:
    stated = [value.strip().lower() for value in entry.sip.values("P-Preferred-Service")]
    lists = any(part.disposition == "recipient-list" for part in _parts(entry))
    if not lists or not stated:
        return
    yield APPLIES
    if Service.PAGER_GROUP.icsi not in stated:
        yield Violation(
            f"P-Preferred-Service: {Service.PAGER_GROUP.icsi}",
            shown(", ".join(stated)),
            "P-Preferred-Service",
        )


def _essence(entry: SipEntry) -> str:
    return entry.content_type.essence if entry.content_type else ""


def _disposition(entry: SipEntry) -> str:
    return (entry.sip.get("Content-Disposition") or "").partition(";")[0].strip().lower()


def _parts(entry: SipEntry) -> tuple[Part, ...]:
    kind = entry.content_type
    if kind is None or kind.type.lower() != "multipart":
        return ()
    try:
        return split_multipart(entry.sip.body, kind.parameters.get("boundary") or "").parts
    except BodySyntaxError:
        return ()


def _is_list(part: Part) -> bool:
    return part.disposition in ("recipient-list", "recipient-list-history")


def _is_pager(entry: SipEntry) -> bool:
    """The request names the service of standalone messages; SMS over IP and other services do not."""
    return any(covers(_PAGER, urn) for urn in (*stated_services(entry.sip), *accepted_icsis(entry.sip)))


def _is_cpm(entry: SipEntry) -> bool:
    """CPIM, or any CPM service named."""
    if entry.bodies or _essence(entry) == _CPIM:
        return True
    return any(covers(_CPM, urn) for urn in (*stated_services(entry.sip), *accepted_icsis(entry.sip)))


def _carries_imdn(entry: SipEntry) -> bool:
    """IMDN headers or an IMDN document in the body, whatever the Content-Type calls it.

    Of a multipart body the parts count that are no text: a text may quote anything.
    """
    if _essence(entry) == IMDN_TYPE:
        return True
    parts = [part for part in _parts(entry) if part.content_type and part.content_type.type != "text"]
    bodies = [part.content for part in parts] if _parts(entry) else [entry.sip.body]
    return any(_IMDN_ROOT in body or _IMDN_HEADER.search(body) is not None for body in bodies)


def _too_large(entry: SipEntry, flow: Flow, what: str) -> Outcomes:
    limit = flow.settings.pager_limit
    if entry.to_tag:
        return
    for item in entry.bodies:
        if item.cpim is None:
            continue
        yield APPLIES
        if len(item.cpim.content) > limit:
            yield Violation(
                f"at most {limit} octets of content, {what}", f"{len(item.cpim.content)} octets", "body"
            )


def _large_mode_known(flow: Flow) -> bool:
    """The handset can send large messages: its configuration or its registration says so."""
    if Service.LARGE.icsi in (flow.settings.icsis or ()):
        return True
    states = flow.assembly.registrations[-1:]
    return any(Service.LARGE.icsi in contact_icsis(state.transaction.request.sip) for state in states)


def _overlap(earlier: SipEntry, later: SipEntry) -> bool:
    """Both are out-of-dialog MESSAGE requests on one way to one URI, the first sent first."""
    one, other = earlier.request, later.request
    return (
        one is not None
        and other is not None
        and earlier.method == later.method == "MESSAGE"
        and earlier.place < later.place
        and (earlier.branch, earlier.cseq, earlier.call_id) != (later.branch, later.cseq, later.call_id)
        and not (earlier.to_tag or later.to_tag)
        and not _passed_on(earlier, later)
        and (earlier.source.host, earlier.destination.host) == (later.source.host, later.destination.host)
        and same_uri_text(one.uri, other.uri)
    )


def _passed_on(earlier: SipEntry, later: SipEntry) -> bool:
    """The later is the earlier one after a proxy that lives on the same host (RFC 3261 16.6 step 8)."""
    return earlier.call_id == later.call_id and earlier.branch in [via.branch for via in later.vias[1:]]


def _way_gone(pending: SipEntry, later: SipEntry, flow: Flow) -> bool:
    """The earlier request has no way left for its answer: its transaction ended by that (RFC 3261 17.1.4).

    Its connection was closed, or the sender has registered from another address since, as after a loss of
    coverage.
    """
    closed = any(
        event.fields.get("connection") == pending.connection is not None
        and event.text.startswith("closed")
        and pending.time <= event.time <= later.time
        for event in flow.assembly.events(Layer.SIP, "connection")
    )
    moved = any(
        pending.place < known.request.place < later.place and _sent_by(known.request) != _sent_by(pending)
        for known in reversed(flow.assembly.transactions_by("REGISTER"))
        if known.request.source.host == pending.source.host
    )
    return closed or moved


def _sent_by(entry: SipEntry) -> str:
    return entry.sip.via.sent_by


def _too_early(known: Transaction, entry: SipEntry) -> Violation:
    expected = f"the final response to {known.request.label} first"
    return Violation(expected, "another MESSAGE to that URI", "start line", item=entry)


def _tags_of_a_message(entry: SipEntry, flow: Flow) -> bool:
    tags = {entry.from_tag, entry.to_tag}
    return any(
        known.accepted is not None and {known.accepted.from_tag, known.accepted.to_tag} == tags
        for known in flow.assembly.transactions_of(entry.call_id)
        if known.method == "MESSAGE" and known.request is not entry
    )
