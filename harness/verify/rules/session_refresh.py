"""Rules on how a session goes on: it is refreshed in time (RFC 4028), and changes that met are tried again.

An interval runs from the newest 2xx to an INVITE or UPDATE (RFC 4028 7.2, 9). A refresher that is gone, for
want of coverage say, breaks nothing: what counts is a sign of it afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.sip.session_headers import Refresher
from harness.verify.catalogue import Kind, rule
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Unverifiable, Violation
from harness.verify.items import Dialog, SipEntry, Transaction
from harness.verify.msrp_items import ChunkedMessage
from harness.verify.rules.session_timer import REFRESHING, interval_granted

AFTER_HALF = 0.1
"""What of an interval may pass beyond its half before a refresh is late: no clause says how exact it is."""
UNDER_WAY = 2.0
"""Seconds a message may have been under way when an interval ended."""
OWNER_WAITS, OTHER_WAITS, LONGEST = 2.1, 2.0, 4.0
"""Seconds after a 491 (RFC 3261 14.1): the owner of the Call-ID at least, the other one at most."""
CLOCK_STEP = 0.01
"""Seconds: these times are chosen in steps of it."""
ROUND_TRIP = 0.5
"""Seconds a 491 and what follows it may take on the way, seen from the middle."""
_ENDS = frozenset({"BYE", "ACK", "CANCEL"})
_LOOKED_AT = 50
"""The latest messages of a session among which one of either side is looked for."""
_GAP = "what is missing may be in a gap of the capture"


@dataclass(frozen=True, slots=True)
class _Interval:
    """One that was granted in a dialog. since: seconds since the epoch."""

    since: float
    seconds: int
    refresher: Party

    @property
    def end(self) -> float:
        return self.since + self.seconds

    def after(self, time: float) -> str:
        return f"{time - self.since:.1f} s after the last one"


def _transactions(dialog: Dialog) -> Iterable[Transaction]:
    yield dialog.creation
    yield from (request.transaction for request in dialog.requests if request.transaction is not None)


def _interval(dialog: Dialog, place: int) -> _Interval | None:
    """The one that runs when the entry of this place comes; None without one, or without a refresher."""
    accepted = [each.accepted for each in _transactions(dialog) if each.method in REFRESHING]
    known = [answer for answer in accepted if answer is not None and answer.place < place]
    newest = max(known, key=lambda answer: answer.place, default=None)
    found = interval_granted(newest) if newest is not None else None
    if newest is None or found is None or not found[1].seconds or found[1].refresher is None:
        return None
    side = found[0] if found[1].refresher is Refresher.UAC else newest
    return _Interval(newest.time, found[1].seconds, side.sender)


def _refreshed(dialog: Dialog, interval: _Interval, place: int) -> bool:
    """Whether its refresher has sent a refresh in the interval, before the entry of this place."""
    return any(
        request.method in REFRESHING
        and request.sender is interval.refresher
        and request.time > interval.since
        and request.place < place
        for request in dialog.requests
    )


# -- in time ------------------------------------------------------------------------------------------------


@rule("timer.refresh-in-time", on=Kind.REQUEST)
def goes_on_refreshed(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.dialog is not None and entry.method not in _ENDS:
        yield from _in_time(entry, entry.dialog, flow)


@rule("timer.refresh-in-time", on=Kind.MSRP_MESSAGE)
def writes_refreshed(message: ChunkedMessage, flow: Flow) -> Outcomes:
    """Who goes on writing seeks to continue the session."""
    if message.session is not None and message.session.dialog is not None:
        yield from _in_time(message, message.session.dialog, flow)


def _in_time(item: SipEntry | ChunkedMessage, dialog: Dialog, flow: Flow) -> Outcomes:
    interval = _interval(dialog, item.place)
    if interval is None or interval.refresher is not item.sender:
        return
    yield APPLIES
    if item.time <= interval.end + UNDER_WAY or _refreshed(dialog, interval, item.place):
        return
    if _went_on_before(item, dialog, interval, flow):
        return
    if flow.assembly.incomplete:
        yield Unverifiable(_GAP)
    else:
        limit = f"a refresh within {interval.seconds} s, or the end of the session"
        yield Violation(limit, f"{item.label} {interval.after(item.time)}")


def _went_on_before(item: SipEntry | ChunkedMessage, dialog: Dialog, interval: _Interval, flow: Flow) -> bool:
    """Whether an earlier sign told already: an interval is let go once."""
    session = item.session if isinstance(item, ChunkedMessage) else None
    written = flow.assembly.msrp.messages_of(session) if session is not None else ()
    asked = [each for each in dialog.requests if each.method not in _ENDS]
    signs: list[SipEntry | ChunkedMessage] = [*asked, *written[-_LOOKED_AT:]]
    return any(
        each.sender is interval.refresher and each.time > interval.end + UNDER_WAY and each.place < item.place
        for each in signs
    )


# -- at half ------------------------------------------------------------------------------------------------


@rule("timer.refresh-half", on=Kind.REQUEST, methods=REFRESHING)
def refreshes_at_half(entry: SipEntry, flow: Flow) -> Outcomes:
    dialog = entry.dialog
    interval = _interval(dialog, entry.place) if dialog is not None else None
    if dialog is None or interval is None or interval.refresher is not entry.sender:
        return
    if _refreshed(dialog, interval, entry.place):
        return
    yield APPLIES
    if entry.time <= interval.end + UNDER_WAY:  # later is what timer.refresh-in-time is about
        yield from _at_half(interval, entry.time, "it came", flow)


@rule("timer.refresh-half", on=Kind.RESPONSE, methods=("BYE",))
def gives_no_cause_to_hang_up(entry: SipEntry, flow: Flow) -> Outcomes:
    """The other side ends the session, and who had to refresh it is there to answer."""
    bye = entry.transaction.request if entry.transaction is not None else None
    if bye is None or bye.dialog is None or entry.status >= 300:
        return
    interval = _interval(bye.dialog, bye.place)
    if interval is None or interval.refresher is not entry.sender:
        return
    yield APPLIES
    if not _refreshed(bye.dialog, interval, bye.place):
        yield from _at_half(interval, bye.time, "none came before BYE", flow)


def _at_half(interval: _Interval, time: float, how: str, flow: Flow) -> Outcomes:
    half = interval.seconds / 2
    if time - interval.since <= half + interval.seconds * AFTER_HALF:
        return
    if flow.assembly.incomplete:
        yield Unverifiable(_GAP)
    else:
        yield Violation(f"a refresh {half:g} s after the last one", f"{how} {interval.after(time)}")


# -- after 491 ----------------------------------------------------------------------------------------------


@rule("sip.491.retry", on=Kind.REQUEST, methods=REFRESHING)
def waits_after_491(entry: SipEntry, flow: Flow) -> Outcomes:
    """RFC 3311 5.3 says of UPDATE what RFC 3261 14.1 says of INVITE."""
    dialog = entry.dialog
    if dialog is None:
        return
    own = [each for each in _transactions(dialog) if _same_way(each.request, entry)]
    refused = max(own, key=lambda each: each.request.place, default=None)
    if refused is None or refused.final is None or refused.final.status != 491:
        return
    yield APPLIES
    waited = entry.time - refused.final.time
    owner = dialog.creation.request.sender is entry.sender
    if owner and waited < OWNER_WAITS - CLOCK_STEP:
        yield Violation(f"{OWNER_WAITS} s or more after 491, from who owns the Call-ID", f"{waited:.2f} s")
    elif not owner and OTHER_WAITS + ROUND_TRIP < waited <= LONGEST:
        yield Violation(f"{OTHER_WAITS:g} s or less after 491, from the other side", f"{waited:.2f} s")


def _same_way(request: SipEntry, entry: SipEntry) -> bool:
    return request.method == entry.method and request.sender is entry.sender and request.place < entry.place
