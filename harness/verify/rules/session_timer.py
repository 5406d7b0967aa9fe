"""Session timer rules (RFC 4028): who says timer, what intervals are asked for and granted, who refreshes.

A proxy may add Session-Expires, Min-SE and Require to what it passes on (8.1), so of the network only what a
proxy may not write shows that a user agent uses the extension.
"""

from __future__ import annotations

from harness.sip.session_headers import MinSE, Refresher, SessionExpires
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import option_tags
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Violation
from harness.verify.items import SipEntry, Transaction, reading

REFRESHING = ("INVITE", "UPDATE")
LEAST, RECOMMENDED = 90, 1800
"""Seconds (4)."""


def _interval(entry: SipEntry) -> SessionExpires | None:
    text = entry.sip.get("Session-Expires")
    return reading(lambda: SessionExpires.parse(text)) if text else None


def _least(entry: SipEntry) -> int | None:
    """Min-SE in seconds."""
    text = entry.sip.get("Min-SE")
    found = reading(lambda: MinSE.parse(text)) if text else None
    return found.seconds if found else None


def _supports(entry: SipEntry) -> bool:
    return "timer" in option_tags(entry.sip, "Supported")


def _uses(entry: SipEntry) -> bool:
    """The message shows that its user agent uses the extension."""
    interval = _interval(entry)
    if interval is not None and interval.refresher is not None:
        return True
    added = interval is not None or _least(entry) is not None or "timer" in option_tags(entry.sip, "Require")
    return _supports(entry) or (added and entry.sender is Party.HANDSET)


def _used_before(entry: SipEntry) -> bool:
    """The same side has shown it in the dialog before: in a request, or in a 2xx to one."""
    dialog = entry.dialog
    if dialog is None:
        return False
    said = [dialog.creation.request, *dialog.requests]
    answers = (request.transaction.accepted for request in said if request.transaction is not None)
    known = [*said, *(answer for answer in answers if answer is not None)]
    return any(each.sender is entry.sender and each.method in REFRESHING and _uses(each) for each in known)


# -- what is asked for --------------------------------------------------------------------------------------


@rule("timer.supported", on=Kind.REQUEST, methods=REFRESHING)
def says_timer(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _uses(entry) and not _used_before(entry):
        return
    yield APPLIES
    if not _supports(entry):
        yield Violation("timer in Supported", entry.sip.get("Supported") or "none", "Supported")


@rule("timer.supported.other-methods", on=Kind.REQUEST, methods=("BYE", "INFO", "REFER", "MESSAGE"))
def says_timer_always(entry: SipEntry, flow: Flow) -> Outcomes:
    """In requests of the dialog; of the others RFC 4028 makes little sense."""
    if entry.dialog is None or not _used_before(entry):
        return
    yield APPLIES
    if not _supports(entry):
        yield Violation("timer in Supported", entry.sip.get("Supported") or "none", "Supported")


@rule("timer.se-range", on=Kind.REQUEST, methods=REFRESHING)
def interval_in_range(entry: SipEntry, flow: Flow) -> Outcomes:
    interval, least = _interval(entry), max(_least(entry) or LEAST, LEAST)
    if interval is None:
        return
    yield APPLIES
    if interval.seconds < least:
        yield Violation(f"{least} seconds or more", f"{interval.seconds}", "Session-Expires")


@rule("timer.se-recommended", on=Kind.REQUEST, methods=("INVITE",))
def interval_recommended(entry: SipEntry, flow: Flow) -> Outcomes:
    interval = _interval(entry)
    if interval is None or entry.to_tag:
        return
    yield APPLIES
    if LEAST <= interval.seconds < RECOMMENDED:
        yield Violation(f"{RECOMMENDED} seconds or more", f"{interval.seconds}", "Session-Expires")


@rule("timer.min-se", on=Kind.SIP, methods=REFRESHING)
def least_interval(entry: SipEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    found, least = entry.sip.get("Min-SE"), _least(entry)
    if entry.response is not None and entry.status != 422:
        if found is not None:
            yield Violation("no Min-SE in a response but 422", found, "Min-SE")
    elif entry.status == 422 and found is None:
        yield Violation("Min-SE in a 422", "none", "Min-SE")
    elif least is not None and least < LEAST:
        yield Violation(f"{LEAST} seconds or more", f"{least}", "Min-SE")


@rule("timer.retry-after-422", on=Kind.REQUEST, methods=REFRESHING)
def asks_for_more(entry: SipEntry, flow: Flow) -> Outcomes:
    """A UA may ask for a longer interval than it has to (7.4)."""
    due = _asked_of(entry, flow)
    if due is None:
        return
    yield APPLIES
    own = _least(entry)
    if own is None or own < due:
        yield Violation(f"Min-SE: {due} or more", str(own or "none"), "Min-SE")


def _asked_of(entry: SipEntry, flow: Flow) -> int | None:
    """The largest Min-SE a side was told: in 422s, and in refresh requests of its dialog."""
    told = []
    for transaction in flow.assembly.transactions_of(entry.call_id):
        request = transaction.request
        if request.method not in REFRESHING or request.dialog is not entry.dialog:
            continue
        if request.sender is entry.sender:
            told += [_least(answer) for answer in transaction.responses if answer.status == 422]
        elif _had_come(transaction, entry):
            told.append(_least(request))
    return max((least for least in told if least is not None), default=None)


def _had_come(transaction: Transaction, before: SipEntry) -> bool:
    """Whether a request had surely come to who sent an entry: it was answered. Requests may cross."""
    return any(answer.place < before.place for answer in transaction.responses)


# -- what is granted ----------------------------------------------------------------------------------------


def interval_granted(entry: SipEntry) -> tuple[SipEntry, SessionExpires] | None:
    """The request and the interval of a 2xx that grants one."""
    interval = _interval(entry) if 200 <= entry.status < 300 else None
    if interval is None or entry.transaction is None:
        return None
    return entry.transaction.request, interval


def _not_within(entry: SipEntry) -> Outcomes:
    granted = interval_granted(entry)
    if granted is None:
        return
    yield APPLIES
    request, interval = granted
    asked, least = _interval(request), max(_least(request) or LEAST, LEAST)
    if interval.seconds < least:
        yield Violation(f"{least} seconds or more", f"{interval.seconds}", "Session-Expires")
    elif asked is not None and interval.seconds > asked.seconds:
        yield Violation(f"{asked.seconds} seconds or less", f"{interval.seconds}", "Session-Expires")


@rule("timer.answer-not-larger", on=Kind.RESPONSE, methods=REFRESHING)
def grants_what_was_asked(entry: SipEntry, flow: Flow) -> Outcomes:
    yield from _not_within(entry)


@rule("timer.answer-not-larger.network", on=Kind.RESPONSE, methods=REFRESHING)
def network_grants_what_was_asked(entry: SipEntry, flow: Flow) -> Outcomes:
    yield from _not_within(entry)


@rule("timer.refresher-set", on=Kind.RESPONSE, methods=REFRESHING)
def names_refresher(entry: SipEntry, flow: Flow) -> Outcomes:
    granted = interval_granted(entry)
    if granted is None:
        return
    yield APPLIES
    if granted[1].refresher is None:
        yield Violation("refresher=uac or uas", entry.sip.get("Session-Expires") or "", "Session-Expires")


@rule("timer.refresher-equal", on=Kind.RESPONSE, methods=REFRESHING)
def keeps_refresher(entry: SipEntry, flow: Flow) -> Outcomes:
    granted = interval_granted(entry)
    named = granted[1].refresher if granted is not None else None
    if granted is None or named is None:
        return
    request, asked = granted[0], _interval(granted[0])
    wanted = asked.refresher if asked is not None else None
    if wanted is None and not _supports(request):
        wanted = Refresher.UAS
    if wanted is None:
        return
    yield APPLIES
    if named is not wanted:
        yield Violation(f"refresher={wanted.value}", f"refresher={named.value}", "Session-Expires")


@rule("timer.require", on=Kind.RESPONSE, methods=REFRESHING)
def requires_timer(entry: SipEntry, flow: Flow) -> Outcomes:
    granted = interval_granted(entry)
    if granted is None or granted[1].refresher is not Refresher.UAC:
        return
    yield APPLIES
    if "timer" not in option_tags(entry.sip, "Require"):
        yield Violation(
            "Require: timer, since the caller refreshes", entry.sip.get("Require") or "none", "Require"
        )


@rule("timer.where", on=Kind.SIP)
def where_it_stands(entry: SipEntry, flow: Flow) -> Outcomes:
    found = entry.sip.get("Session-Expires")
    proper = entry.method in REFRESHING and (entry.request is not None or 200 <= entry.status < 300)
    if proper or not entry.method:
        return
    yield APPLIES
    if found is not None:
        place = entry.method if entry.request is not None else f"{entry.status} to {entry.method}"
        yield Violation(f"no Session-Expires in {place}", found, "Session-Expires")
