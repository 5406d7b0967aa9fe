"""Rules about the paths of MSRP requests, relays among them (RFC 4975 7.1, 7.2 and 8.3; RFC 4976 5.1)."""

from __future__ import annotations

from harness.msrp.uri import MsrpUri
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, IN_A_GAP, Outcomes, Party, Unverifiable, Violation
from harness.verify.msrp_items import MsrpEntry
from harness.verify.negotiation_items import MsrpSession

_SETTLED = 1.0
"""Seconds for which a path before a new offer and answer may still be in use."""


@rule("msrp.to-path.matches-sdp", on=Kind.MSRP_REQUEST)
def paths_match(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """By session-ids; what differs at an address alone is told by sdp.cema.session-match."""
    session = entry.session
    if entry.method == "AUTH" or not entry.to_path or not entry.from_path:
        return
    yield APPLIES
    if session is None or entry.by_caller is None:
        yield from _paths_of_nobody(entry, flow)
        return
    for name, path, by_caller in (
        ("To-Path", entry.to_path, not entry.by_caller),
        ("From-Path", entry.from_path, entry.by_caller),
    ):
        named = _session_uris(session, by_caller, entry)
        if not flow.from_start and _answer_may_be_lost(session, entry):
            yield Unverifiable("an answer that names its paths may not have been captured")
            return
        if named and path[-1].session_id not in {uri.session_id for uri in named}:
            if flow.assembly.incomplete:
                yield IN_A_GAP
                return
            expected = f"{name} with the path of the SDP: {named[-1]}"
            yield Violation(shown(expected, 200), shown(str(path[-1]), 200), name)
        elif len(path) > 1 and named and not uses_relays(session):
            yield Violation(f"one URI in {name}, for no SDP names a relay", str(len(path)), name)


@rule("msrp.relay.use-path", on=Kind.MSRP_REQUEST)
def goes_through_the_relays(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """A request on its first hop: behind that each relay takes itself from To-Path (RFC 4976 5.1, 6.4)."""
    dues = [due for due in _due_paths(entry) if len(due) > 1]
    if not dues or len(entry.from_path) != 1:
        return
    yield APPLIES
    taken = [_place(uri) for uri in entry.to_path]
    if taken not in [[_place(uri) for uri in due] for due in _due_paths(entry)]:
        expected = f"the own relays, then the path of the SDP: {' '.join(map(str, dues[-1]))}"
        yield Violation(shown(expected, 200), shown(entry.msrp.get("To-Path") or "", 200), "To-Path")


def _due_paths(entry: MsrpEntry) -> list[tuple[MsrpUri, ...]]:
    """To-Path by what both sides have said of the session so far; an offer under way may change it."""
    if entry.session is None or entry.by_caller is None:
        return []
    own, far = (
        [end.path for end in entry.session.ends_of(side) if end.path and end.description.place < entry.place]
        for side in (entry.by_caller, not entry.by_caller)
    )
    return [(*ours[-2::-1], *theirs) for ours in own for theirs in far]


def _place(uri: MsrpUri) -> str:
    """What a middlebox leaves as it is of a URI."""
    return uri.session_id or uri.host.lower()


def _paths_of_nobody(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """That no SDP was captured is told once for a connection."""
    if flow.assembly.msrp.session_on(entry) is not None:
        expected = "To-Path with a path of the session on this connection"
        yield Violation(expected, shown(str(entry.to_path[-1]), 200), "To-Path")
    elif flow.assembly.msrp.entries_from(entry)[0] is entry:
        yield Unverifiable("the SDP that names its paths was not captured")


def _answer_may_be_lost(session: MsrpSession, entry: MsrpEntry) -> bool:
    """An offer before the entry has neither an answer nor a refusal."""
    return any(
        each.offer.place < entry.place and not each.complete and each.refused is None
        for each in session.exchanges
    )


def _session_uris(session: MsrpSession, by_caller: bool, entry: MsrpEntry) -> list[MsrpUri]:
    """What a side's SDP calls the session, or called it before an offer and answer that have just ended."""
    ends = [end for end in session.ends_of(by_caller) if end.description.place < entry.place]
    exchange = session.exchange_at(entry.place)
    if exchange is not None and exchange.answer is not None and exchange.answer.time + _SETTLED < entry.began:
        current = {exchange.offer, exchange.answer}
        since = (
            min(end.description.place for end in ends if end.description in current)
            if any(end.description in current for end in ends)
            else 0
        )
        ends = [end for end in ends if end.description.place >= since]
    return [end.uri for end in ends if end.uri is not None]


def uses_relays(session: MsrpSession) -> bool:
    return any(len(end.path) > 1 for end in session.ends)


@rule("sdp.cema.session-match", on=Kind.MSRP)
def session_match(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """Told once for a session, of the network's messages: who writes addresses anew is a middlebox of it."""
    session = entry.session
    if session is None or entry.by_caller is None or entry.sender is Party.HANDSET:
        return
    yield APPLIES
    elsewhere = moved(entry, session)
    if not elsewhere:
        return
    for known in flow.assembly.msrp.entries_of(session):
        if known is entry:
            break
        if known.sender is not Party.HANDSET and moved(known, session):
            return
    written, named = elsewhere
    yield Violation(
        f"the address of the SDP: {named.host_port}",
        f"{written.host_port}, of the same session-id",
        "To-Path",
    )


def moved(entry: MsrpEntry, session: MsrpSession) -> tuple[MsrpUri, MsrpUri] | None:
    """A URI of the paths whose session-id is in the SDP with another address."""
    for uri in (*entry.to_path, *entry.from_path):
        named = [end.uri for end in session.ends if end.uri is not None and end.session_id == uri.session_id]
        if named and not any(known.target == uri.target for known in named):
            return uri, named[-1]
    return None
