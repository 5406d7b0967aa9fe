"""Rules on what a focus tells of its conference, and on who asks for it (RFC 4575, RFC 6665)."""

from __future__ import annotations

from collections.abc import Iterator

from harness.bodies.conference_info import MEDIA_TYPE, ConferenceInfo, Extent, Status, parse_conference_info
from harness.errors import BodySyntaxError
from harness.sip.event_headers import Event, SubscriptionState
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import is_encoded, same_uri_text, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Unverifiable, Violation
from harness.verify.items import SipEntry, reading

PACKAGE = "conference"
_STATUSES = frozenset(Status)
_DISCONNECTIONS = frozenset({"departed", "booted", "failed", "busy"})


def _event(entry: SipEntry) -> Event | None:
    text = entry.sip.get("Event") or entry.sip.get("o")
    return reading(lambda: Event.parse(text)) if text else None


def _is_notify(entry: SipEntry) -> bool:
    event = _event(entry)
    return entry.request is not None and event is not None and event.package.lower() == PACKAGE


def _has_document(entry: SipEntry) -> bool:
    kind = entry.content_type
    whole = bool(entry.sip.body) and not entry.incomplete and not is_encoded(entry.sip)
    return whole and kind is not None and kind.essence == MEDIA_TYPE


def _document(entry: SipEntry) -> ConferenceInfo | None:
    try:
        return parse_conference_info(entry.sip.body) if _has_document(entry) else None
    except BodySyntaxError:
        return None


def _earlier(entry: SipEntry) -> Iterator[SipEntry]:
    """The NOTIFYs of the same subscription before this one, the newest first."""
    event = _event(entry)
    for known in reversed(entry.dialog.requests if entry.dialog else ()):
        if known.place >= entry.place or known.method != "NOTIFY" or known.from_tag != entry.from_tag:
            continue
        other = _event(known)
        if event is None or other is None or not event.matches(other):
            continue
        if _has_ended(known):
            return
        yield known


def _before(entry: SipEntry) -> ConferenceInfo | None:
    """The document before this one in the subscription."""
    return next((found for known in _earlier(entry) if (found := _document(known)) is not None), None)


def _has_ended(entry: SipEntry) -> bool:
    state = _subscription_state(entry)
    return state is not None and state.state == "terminated"


def _subscription_state(entry: SipEntry) -> SubscriptionState | None:
    text = entry.sip.get("Subscription-State")
    return reading(lambda: SubscriptionState.parse(text)) if text else None


@rule("session.group.subscribe", on=Kind.REQUEST, methods=("SUBSCRIBE",))
def format_accepted(entry: SipEntry, flow: Flow) -> Outcomes:
    event = _event(entry)
    if event is None or event.package.lower() != PACKAGE or entry.sip.get("Accept") is None:
        return
    yield APPLIES
    listed = [value.partition(";")[0].strip().lower() for value in entry.sip.values("Accept")]
    if MEDIA_TYPE not in listed:
        yield Violation(f"{MEDIA_TYPE} in Accept", ", ".join(listed) or "an empty one", "Accept")


@rule("session.group.notify", on=Kind.REQUEST, methods=("NOTIFY",))
def notify_is_complete(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _is_notify(entry):
        return
    yield APPLIES
    if _subscription_state(entry) is None:
        found = entry.sip.get("Subscription-State")
        yield Violation("Subscription-State", found or "none", "Subscription-State")
    if not entry.sip.body or is_encoded(entry.sip) or entry.incomplete:
        return
    if not _has_document(entry):
        yield Violation(MEDIA_TYPE, entry.sip.get("Content-Type") or "no type", "Content-Type")
        return
    try:
        found_document = parse_conference_info(entry.sip.body)
    except BodySyntaxError as error:
        place = entry.sip.body_offset + error.offset
        yield Violation("a conference-info document", shown(str(error), 160), "body", place)
        return
    if found_document.extent is Extent.PARTIAL and not any(map(_has_document, _earlier(entry))):
        if entry.dialog is None or entry.dialog.creation.request.to_tag or not flow.from_start:
            yield Unverifiable("whether a full document came before is not seen", entry)
        else:
            yield Violation("a full document first", "a partial one", "body")


@rule("session.group.notify.version", on=Kind.REQUEST, methods=("NOTIFY",))
def version_goes_up(entry: SipEntry, flow: Flow) -> Outcomes:
    document = _document(entry) if _is_notify(entry) else None
    before = _before(entry) if document is not None else None
    if document is None or before is None:
        return
    yield APPLIES
    last, version = before.version, document.version
    if last is None or version is None or version == last + 1:
        return
    if document.extent is Extent.PARTIAL and version > last and _skips_one(entry):
        yield Unverifiable("a NOTIFY before it was not captured, as its CSeq tells", entry)
    elif document.extent is Extent.PARTIAL:
        yield Violation(f"version {last + 1} of a partial document after {last}", f"{version}", "body")
    elif version < last or (version == last and not _repeats(before, document)):
        yield Violation(f"a version above {last} for a change", f"{version}", "body")


def _skips_one(entry: SipEntry) -> bool:
    """Whether requests are missing between a NOTIFY and the one before it."""
    known = next(_earlier(entry), None)
    numbers = [each.cseq.number for each in (known, entry) if each is not None and each.cseq is not None]
    return len(numbers) == 2 and numbers[1] - numbers[0] > 1


def _repeats(before: ConferenceInfo, now: ConferenceInfo) -> bool:
    """A full document with the number of the one before, which may stand where nothing changed (5.2)."""
    if now.extent is not Extent.FULL:
        return False
    return before.extent is not Extent.FULL or before.node == now.node


@rule("session.group.notify.full-parts", on=Kind.REQUEST, methods=("NOTIFY",))
def full_means_full(entry: SipEntry, flow: Flow) -> Outcomes:
    document = _document(entry) if _is_notify(entry) else None
    if document is None:
        return
    yield APPLIES
    if document.extent is Extent.FULL:
        missing = [name for name in ("conference-description", "users") if document.node.child(name) is None]
        if missing:
            yield Violation(f"<{'> and <'.join(missing)}> in a full document", "none", "body")
    before = _before(entry)
    if before is not None and not same_uri_text(before.entity, document.entity):
        yield Violation(f"entity {before.entity}, as before", document.entity, "body")


@rule("session.group.notify.status", on=Kind.REQUEST, methods=("NOTIFY",))
def known_status(entry: SipEntry, flow: Flow) -> Outcomes:
    document = _document(entry) if _is_notify(entry) else None
    for user in document.users if document is not None else ():
        for endpoint in user.endpoints:
            values = (
                (endpoint.status, _STATUSES, "status"),
                (endpoint.disconnection_method, _DISCONNECTIONS, "disconnection-method"),
            )
            for value, known, name in values:
                if value is None:
                    continue
                yield APPLIES
                if value not in known:
                    yield Violation(f"a {name} of RFC 4575 ({', '.join(sorted(known))})", value, "body")
                    return
