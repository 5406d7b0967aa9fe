"""Rules about MSRP and its session: who opens, what may be sent (RFC 4975 5.4, 7.3, 8; RFC 6135)."""

from __future__ import annotations

from collections.abc import Iterable

from harness.bodies.cpim import CpimMessage
from harness.bodies.imdn import MEDIA_TYPE as IMDN_TYPE
from harness.bodies.is_composing import MEDIA_TYPE as COMPOSING
from harness.bodies.multipart import Part, split_multipart
from harness.bodies.sdp_attributes import type_accepted
from harness.errors import BodySyntaxError
from harness.evidence.timeline import Transport
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Unverifiable, Violation
from harness.verify.items import CpimItem, EventItem
from harness.verify.msrp_assembly import opened_by
from harness.verify.msrp_items import ChunkedMessage, MsrpEntry
from harness.verify.negotiation_items import MsrpEnd, MsrpSession
from harness.verify.rules.msrp_paths import uses_relays
from harness.verify.session_services import is_file

FIRST_SEND_SECONDS = 2.0
_LAST_WORD = 1.0
"""Seconds in which a message may cross a BYE."""
_LINE_ENDS = 4
"""Octets a keep-alive has at most, as in RFC 5626 4.4.1."""
CONTROL = frozenset({IMDN_TYPE, COMPOSING})
_OPAQUE = ("multipart/encrypted", "multipart/signed", "application/pkcs7", "application/x-pkcs7")


# -- opening ------------------------------------------------------------------------------------------------


@rule("msrp.open.first-send", on=Kind.MSRP_REQUEST)
def first_send(entry: MsrpEntry, flow: Flow) -> Outcomes:
    session = entry.session
    if (
        session is None
        or entry.method == "AUTH"
        or entry.transport is Transport.TLS
        or _first(entry, flow) is not entry
    ):
        return
    active = session.active_caller(entry.place)
    if active is None or entry.by_caller is None:
        return
    yield APPLIES
    if active is entry.by_caller and entry.method == "SEND":
        return
    if not flow.from_start:
        yield Unverifiable("the beginning of the session may not have been captured")
    elif active is not entry.by_caller:
        yield Violation(
            "the first request of a session from its active side", "one of the passive side", "start line"
        )
    else:
        yield Violation("a SEND as the first request of a session", entry.method, "start line")


@rule("msrp.open.first-send.delay", on=Kind.MSRP_REQUEST, methods=("SEND",))
def first_send_delay(entry: MsrpEntry, flow: Flow) -> Outcomes:
    session, opening = entry.session, _opening(entry, flow)
    if session is None or opening is None or _first(entry, flow) is not entry:
        return
    exchange = session.exchange_at(entry.place)
    if (
        exchange is None
        or exchange.answer is None
        or session.active_caller(entry.place) is not entry.by_caller
    ):
        return
    yield APPLIES
    seconds = entry.began - max(opening.time, exchange.answer.time)
    if seconds > FIRST_SEND_SECONDS:
        expected = f"the first SEND within {FIRST_SEND_SECONDS:.0f} s of the connection and the answer"
        yield Violation(expected, f"after {seconds:.1f} s", "start line")


@rule("msrp.open.direction", on=Kind.MSRP)
def direction_of_opening(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """Called for the first message on the connection of the side that opened it."""
    session, msrp = entry.session, flow.assembly.msrp
    if session is None or entry.by_caller is None or uses_relays(session):
        return
    if next((known for known in msrp.entries_from(entry) if known.session is not None), None) is not entry:
        return
    opening = _opening(entry, flow)
    active = session.active_caller(entry.place)
    if opening is None:
        if not msrp.entries_towards(entry):
            yield Unverifiable("who opened the connection was not captured")
        return
    if active is None or opened_by(opening) != entry.source:
        return
    yield APPLIES
    if active is not entry.by_caller:
        yield Violation("a connection opened by the active side", "one opened by the passive side")


@rule("msrp.open.session-bound", on=Kind.MSRP_RESPONSE, methods=("SEND",))
def session_bound(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """A 200 for a session that does not exist, or is bound to another connection."""
    request = entry.transaction.request if entry.transaction else None
    if request is None or entry.status != 200 or not request.to_path or not flow.from_start:
        return
    yield APPLIES
    if request.session is None and flow.assembly.negotiations.sessions:
        yield Violation("481 for a session no SDP names", f"200 to {request.label}", "start line")
        return
    session = request.session
    bound = _binding(session, request, flow) if session is not None else None
    if bound is not None and bound.connection != request.connection:
        expected = f"506, for {bound.label} has bound the session to another connection"
        yield Violation(expected, "200", "start line")


def _binding(session: MsrpSession, request: MsrpEntry, flow: Flow) -> MsrpEntry | None:
    """What has bound the session to a connection that still stands, with no offer in between (5.4)."""
    for known in flow.assembly.msrp.entries_of(session):
        if known.place >= request.place:
            break
        renewed = any(known.place < end.description.place < request.place for end in session.ends)
        if known.connection is not None and not renewed and known.connection not in flow.assembly.msrp.closed:
            return known
    return None


def _first(entry: MsrpEntry, flow: Flow) -> MsrpEntry | None:
    """The first request of the entry's session."""
    assert entry.session is not None
    found = flow.assembly.msrp.entries_of(entry.session)
    return next((known for known in found if known.request is not None and known.method != "AUTH"), None)


def _opening(entry: MsrpEntry, flow: Flow) -> EventItem | None:
    """The event of the entry's connection being opened: its number is that of the connection."""
    return flow.assembly.msrp.openings.get(entry.connection or 0)


@rule("msrp.keepalive", on=Kind.MSRP_REQUEST, methods=("SEND",))
def keeps_alive_without_content(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """A SEND without a body, or CRLF between messages, is none; line ends in a body are one for the user."""
    if entry.session is None or _first(entry, flow) is entry:
        return
    if not entry.has_body:
        yield APPLIES
    elif 0 < entry.body.size <= _LINE_ENDS and not entry.body.read().strip(b"\r\n"):
        text = f"{entry.body.size} octets of line ends as {entry.content_type or 'content'}"
        yield Violation("a SEND without a body to keep the connection alive", text, "body")


# -- content ------------------------------------------------------------------------------------------------


@rule("msrp.type.allowed", on=Kind.MSRP_REQUEST, methods=("SEND",))
def root_type(entry: MsrpEntry, flow: Flow) -> Outcomes:
    end = entry.far_end
    first = entry.part_of is not None and entry.part_of.first is entry
    if end is None or not first or not entry.content_type or _is_file(entry):
        return
    if entry.content_type != COMPOSING:  # iscomp.media-type
        yield from not_accepted(entry.content_type, end, entry)


@rule("msrp.type.allowed", on=Kind.MSRP_MESSAGE)
def inner_types(message: ChunkedMessage, flow: Flow) -> Outcomes:
    if not _is_file(message.first) and COMPOSING not in inside(message):
        yield from wrapped_not_accepted(message)


def not_accepted(media_type: str, end: MsrpEnd, entry: MsrpEntry) -> Outcomes:
    """A root type that the receiver's SDP does not list."""
    if not end.accept_types:
        return
    yield APPLIES
    if not _accepts(entry, media_type, end.accept_types):
        yield Violation(
            f"a type of accept-types: {shown(' '.join(end.accept_types))}", media_type, "Content-Type"
        )


def wrapped_not_accepted(message: ChunkedMessage) -> Outcomes:
    """Types inside a container that the receiver's SDP lists nowhere."""
    end = message.first.far_end
    if end is None or not end.accept_types:
        return
    allowed = (*end.accept_types, *end.wrapped_types)
    for media_type in inside(message):
        if media_type.startswith(_OPAQUE):
            continue
        yield APPLIES
        if not _accepts(message.first, media_type, allowed):
            expected = f"a type of accept-types or accept-wrapped-types: {shown(' '.join(allowed))}"
            yield Violation(
                expected, f"{media_type} in {message.content_type}", "Content-Type", item=message.first
            )


def _accepts(entry: MsrpEntry, media_type: str, allowed: Iterable[str]) -> bool:
    """Listed now, or in the SDP before: an answer under way may change the list."""
    if type_accepted(allowed, media_type):
        return True
    ends = entry.session.ends_of(not entry.by_caller) if entry.session else []
    return len(ends) > 1 and any(
        type_accepted((*end.accept_types, *end.wrapped_types), media_type) for end in ends
    )


def inside(message: ChunkedMessage) -> list[str]:
    """The media types in a container, in lower case, without those inside what is encrypted."""
    bodies = message.last.bodies
    if bodies:
        return _in_cpim(bodies[0])
    if message.content_type.startswith("multipart/") and message.complete and message.total:
        if message.total > _MOST_OCTETS:
            return []
        value = message.first.msrp.get("Content-Type") or ""
        return _in_multipart(message.read(_MOST_OCTETS), value)
    return []


_MOST_OCTETS = 1024 * 1024


def _in_cpim(item: CpimItem) -> list[str]:
    cpim = item.cpim
    kind = cpim.content_type if cpim else None
    if cpim is None or kind is None:
        return []
    found = [kind.essence]
    if kind.type == "multipart" and not item.beginning:
        found += _types(cpim, kind.parameters.get("boundary", ""))
    return found


def _types(cpim: CpimMessage, boundary: str) -> list[str]:
    try:
        return [_type_of(part) for part in split_multipart(cpim.content, boundary).parts]
    except BodySyntaxError:
        return []


def _in_multipart(octets: bytes, content_type: str) -> list[str]:
    boundary = content_type.partition("boundary=")[2].partition(";")[0].strip().strip('"')
    try:
        return [_type_of(part) for part in split_multipart(octets, boundary).parts]
    except BodySyntaxError:
        return []


def _type_of(part: Part) -> str:
    return part.content_type.essence if part.content_type else "text/plain"


@rule("msrp.direction", on=Kind.MSRP_MESSAGE)
def direction(message: ChunkedMessage, flow: Flow) -> Outcomes:
    own, far = message.first.own_end, message.first.far_end
    types = {message.content_type, *inside(message)}
    if own is None or far is None or types & CONTROL:
        return
    yield APPLIES
    if not own.direction.sends or not far.direction.receives:
        text = f"{own.direction} of the sender, {far.direction} of the receiver"
        yield Violation("content only in a direction that was negotiated", text, "body", item=message.first)


@rule("msrp.close-after-bye", on=Kind.MSRP_REQUEST, methods=("SEND",))
def after_bye(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if entry.dialog is None:
        return
    yield APPLIES
    for bye in entry.dialog.byes:
        answer = bye.transaction.final if bye.transaction else None
        over = bye.time if bye.sender is entry.sender else answer.time if answer else None
        if over is not None and over + _LAST_WORD < entry.began:
            yield Violation(f"nothing in the session after {bye.label}", entry.label, "start line")
            return


def _is_file(entry: MsrpEntry) -> bool:
    return entry.session is not None and any(is_file(end) for end in entry.session.ends)
