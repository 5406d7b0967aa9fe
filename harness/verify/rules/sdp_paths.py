"""Rules on session URIs from one session to another, and on what comes of them: where a side connects to.

RFC 4975 8.2, 8.6 and 14.1, RFC 6714 4.2 and 4.3.
"""

from __future__ import annotations

import re

from harness.bodies.session_description import literal_address
from harness.verify.catalogue import Kind, rule
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Unverifiable, Violation
from harness.verify.msrp_assembly import opened_by
from harness.verify.msrp_items import ChunkedMessage, MsrpEntry
from harness.verify.negotiation_items import Description, MsrpEnd, MsrpSession
from harness.verify.parties import normal_host
from harness.verify.rules.sdp_form import SHORT_SESSION_ID, at_attribute
from harness.verify.session_services import is_file, live_ends

_LOOK_BACK = 20
"""Descriptions before this one in which a pattern is sought."""
_COUNTED = re.compile(r"(.*?)(\d{1,18})")
_NARROW = (
    (re.compile(r"[0-9]+"), 25, "digits"),
    (re.compile(r"[0-9a-f]+|[0-9A-F]+"), 20, "hexadecimal digits"),
)
"""Alphabets, and from how many characters on they hold 80 bits."""


@rule("sdp.path.unique", on=Kind.SDP)
def uri_of_one_session(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        if end.session_id is None:
            continue
        yield APPLIES
        for session in flow.assembly.negotiations.sessions_named(end.session_id):
            other = _other_use(session, end)
            if other is not None and not flow.from_start:
                yield Unverifiable(f"the end of the session of {other.label} may not have been captured")
                break
            if other is not None:
                found = end.media.attribute("path")
                yield at_attribute(
                    end, found, f"a URI that no session has, not that of {other.label}", str(end.uri)
                )
                break


def _other_use(session: MsrpSession, end: MsrpEnd) -> Description | None:
    """Where the same party uses the URI for another session that stands."""
    dialog, own = session.dialog, end.description
    if dialog is None or dialog is own.dialog or session.call_id == own.entry.call_id:
        return None
    if dialog.confirmed is None or dialog.byes or session.fork_of is not None:
        return None
    for known in session.ends:
        earlier = known.description.place < own.place and known.description.sender is own.sender
        if earlier and known.port and known.uri == end.uri:
            return known.description
    return None


@rule("sdp.path.session-id-pattern", on=Kind.SDP)
def session_ids_are_random(description: Description, flow: Flow) -> Outcomes:
    before = _session_ids_before(description, flow)
    for end in live_ends(description):
        session_id = end.session_id
        if not session_id or session_id in before or not before:
            continue
        yield APPLIES
        pattern = _pattern([*before, session_id])
        if pattern and not _pattern(before):
            found = end.media.attribute("path")
            yield at_attribute(end, found, "session-ids that show no pattern", pattern)


def _session_ids_before(description: Description, flow: Flow) -> list[str]:
    """Session-ids the same device wrote shortly before, each once."""
    known = flow.assembly.negotiations.descriptions[-_LOOK_BACK - 1 :]
    return list(
        dict.fromkeys(
            end.session_id
            for earlier in known
            if earlier.place < description.place
            and earlier.sender is description.sender
            and earlier.entry.source.host == description.entry.source.host
            for end in live_ends(earlier)
            if end.session_id
        )
    )


def _pattern(ids: list[str]) -> str:
    """What is regular about the last of some session-ids; empty when nothing is."""
    if len(ids) < 2:
        return ""
    one, other = (_COUNTED.fullmatch(each) for each in ids[-2:])
    if one and other and one[1] == other[1] and 0 < int(other[2]) - int(one[2]) < 10:
        return f"{ids[-1]} after {ids[-2]}: a counter"
    if len(ids) < 3 or min(map(len, ids)) <= SHORT_SESSION_ID:
        return ""
    for alphabet, enough, name in _NARROW:
        if all(alphabet.fullmatch(each) and len(each) < enough for each in ids):
            return f"{len(ids)} of {len(ids[-1])} {name}, {ids[-1]} the last"
    return ""


@rule("sdp.cema.connect-address", on=Kind.MSRP)
def connects_where_told(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """Called for the first message of who opened the connection."""
    session, msrp = entry.session, flow.assembly.msrp
    opening = msrp.openings.get(entry.connection or 0)
    if session is None or entry.by_caller is None or opening is None or opened_by(opening) != entry.source:
        return
    if next((known for known in msrp.entries_from(entry) if known.session is not None), None) is not entry:
        return
    own, far = (session.end(side, entry.place) for side in (entry.by_caller, not entry.by_caller))
    exchange = session.exchange_at(entry.place)
    if own is None or far is None or exchange is None or len(own.path) != 1 or not far.path:
        return
    if session.active_caller(entry.place) is not entry.by_caller:
        return  # it should not connect at all: msrp.open.direction tells
    yield APPLIES
    offers = exchange.offer.by_caller is entry.by_caller
    host, port = _target(own, far, offers=offers)
    if (normal_host(entry.destination.host), entry.destination.port) == (normal_host(host), port):
        return
    if literal_address(host.strip("[]")) is None:
        yield Unverifiable(f"whether {entry.destination} is {host} takes a DNS look-up")
    elif normal_host(entry.source.host) not in {normal_host(own.path[0].host), normal_host(own.host or "")}:
        yield Unverifiable("the connection was seen on another hop than the SDP")
    else:
        yield Violation(f"a connection to {host}:{port}", str(entry.destination), "start line")


def _target(own: MsrpEnd, far: MsrpEnd, *, offers: bool) -> tuple[str, int | None]:
    """Host and port to connect to (RFC 6714 4.2, 4.3; RFC 4975 8.3)."""
    relayed = offers and len(far.path) > 1 and not far.cema
    if own.cema and not relayed and far.host is not None:
        return far.host, far.port
    return far.path[0].host, far.path[0].port


@rule("sdp.max-size.other", on=Kind.MSRP_MESSAGE)
def not_above_max_size(message: ChunkedMessage, flow: Flow) -> Outcomes:
    """Of files ft.max-size tells."""
    own, far = message.first.own_end, message.first.far_end
    if far is None or far.max_size is None or any(end is not None and is_file(end) for end in (own, far)):
        return
    yield APPLIES
    if message.coverage.end > far.max_size:
        expected = f"not more than the max-size of the receiver, {far.max_size} octets"
        yield Violation(expected, f"{message.coverage.end} octets", "body", item=message.first)
