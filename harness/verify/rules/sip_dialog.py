"""SIP rules on dialogs: tags, CSeq, routes, targets, BYE (RFC 3261 12, 15)."""

from __future__ import annotations

from dataclasses import replace

from harness.evidence.timeline import Layer
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import (
    same_route,
    same_uri,
    shown,
    uri_of,
)
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Severity, Unverifiable, Violation
from harness.verify.items import Dialog, SipEntry, reading
from harness.verify.rules.sip_transaction import PROMPT, TRANSACTION_TIMEOUT

BEFORE_START = "the dialog may have begun before the timeline"
_REFUSED_BY_RIGHT = frozenset({401, 403, 407})
_MAY_BE_REFUSED = frozenset({408, 481, 503})
"""By a handset that lost the dialog in a restart, or is overloaded: no proof against it."""
_NO_SEQUENCE = ("ACK", "CANCEL")


@rule("sip.from.tag", on=Kind.REQUEST)
def from_tag(entry: SipEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    if entry.from_ is not None and not entry.from_tag:
        yield Violation("a From tag", "none", "From")
    if not entry.to_tag or entry.method in ("ACK", "CANCEL"):
        return
    if entry.method == "REGISTER":
        yield Violation("no To tag in REGISTER", entry.to_tag, "To")
    elif entry.dialog is None and _repeats_with_tag(entry):
        yield Violation("no To tag in the repeat of a request outside a dialog", entry.to_tag, "To")
    elif entry.dialog is None and not flow.assembly.dialogs_of(entry.call_id) and not _tag_seen(entry, flow):
        if flow.from_start and not _may_outlive(entry, flow):
            yield Violation("no To tag outside a dialog", entry.to_tag, "To")
        else:
            yield Unverifiable(BEFORE_START)


def _repeats_with_tag(entry: SipEntry) -> bool:
    """A repeat after a refusal that takes the tag of the refusal, which made no dialog (8.1.1.2, 8.1.3.5)."""
    before = entry.transaction.retry_of if entry.transaction else None
    final = before.final if before else None
    outside = before is not None and not before.request.to_tag
    return outside and final is not None and final.to_tag == entry.to_tag and final.dialog is None


def _may_outlive(entry: SipEntry, flow: Flow) -> bool:
    """Only the lab knows that the handset held no dialog when the timeline began.

    A REGISTER that comes first may be a refresh; and a subscription may be as old as a registration that
    the timeline does not show.
    """
    known = flow.settings.from_start or flow.assembly.events(Layer.LAB, "test-start")
    return not known or (entry.method in ("NOTIFY", "SUBSCRIBE") and not flow.assembly.registrations)


def _tag_seen(entry: SipEntry, flow: Flow) -> bool:
    """The To tag came in an earlier message with this Call-ID, or is of a dialog with another Call-ID.

    Of a call that is over, and forgotten, it may have come.
    """
    if flow.assembly.remembered.call(entry.call_id) is not None:
        return True
    known = flow.assembly.transactions_of(entry.call_id)
    seen = [message for item in known for message in (item.request, *item.responses) if message is not entry]
    if any(entry.to_tag in (message.to_tag, message.from_tag) for message in seen):
        return True
    return _foreign_dialog(entry, flow) is not None


def _foreign_dialog(entry: SipEntry, flow: Flow) -> Dialog | None:
    """A dialog with exactly these two tags under another Call-ID."""
    return next(iter(flow.assembly.dialogs_tagged(entry.from_tag, entry.to_tag)), None)


@rule("sip.dialog.identity", on=Kind.REQUEST)
def dialog_identity(entry: SipEntry, flow: Flow) -> Outcomes:
    if not entry.to_tag or not entry.from_tag or entry.method in (*_NO_SEQUENCE, "REGISTER"):
        return
    yield APPLIES
    if entry.dialog is not None:
        return
    foreign = _foreign_dialog(entry, flow)
    if foreign is not None:
        yield Violation(shown(foreign.call_id), shown(str(entry.call_id)), "Call-ID")
        return
    dialogs = flow.assembly.dialogs_of(entry.call_id)
    if dialogs and (flow.assembly.incomplete or _may_be_a_fork(entry, dialogs)):
        yield Unverifiable("the dialog may be one of a fork that was not captured")
    elif dialogs:
        known = " / ".join(f"{item.caller_tag}, {item.callee_tag}" for item in dialogs)
        header = (
            "From" if any(entry.to_tag in (item.caller_tag, item.callee_tag) for item in dialogs) else "To"
        )
        yield Violation(f"tags {known}", f"tags {entry.from_tag}, {entry.to_tag}", header)


def _may_be_a_fork(entry: SipEntry, dialogs: list[Dialog]) -> bool:
    """The far side names itself by a tag not seen: another callee of the request that set up the dialog."""
    return any(entry.to_tag == item.caller_tag and entry.sender is Party.NETWORK for item in dialogs)


def _earlier_of_side(entry: SipEntry, dialog: Dialog) -> list[SipEntry]:
    """Requests the sender put into the dialog before, the creating one included."""
    own = [
        item
        for item in dialog.requests
        if item.place < entry.place and item.from_tag == entry.from_tag and item.method not in _NO_SEQUENCE
    ]
    return [dialog.creation.request, *own] if dialog.by_caller(entry) else own


@rule("sip.cseq.monotonic", on=Kind.REQUEST)
def cseq_monotonic(entry: SipEntry, flow: Flow) -> Outcomes:
    """Decided on one connection only: elsewhere a request may be lost or overtake another."""
    dialog, cseq = entry.dialog, entry.cseq
    if dialog is None or cseq is None or entry.method in _NO_SEQUENCE or _is_auth_repeat(entry):
        return
    before = [item for item in _earlier_of_side(entry, dialog) if item.cseq is not None]
    numbers = [item.cseq.number for item in before if item.cseq is not None]
    if not numbers:
        return
    yield APPLIES
    if cseq.number == numbers[-1] + 1:
        return
    in_order = entry.reliable and entry.connection is not None and entry.connection == before[-1].connection
    if cseq.number in numbers or (in_order and not flow.assembly.incomplete):
        yield Violation(str(numbers[-1] + 1), str(cseq.number), "CSeq")
    else:
        yield Unverifiable("a request in between may be lost, or on its way")


def _is_auth_repeat(entry: SipEntry) -> bool:
    before = entry.transaction.retry_of if entry.transaction else None
    return before is not None and before.final is not None and before.final.status in (401, 407)


@rule("sip.cseq.monotonic.network", on=Kind.REQUEST)
def cseq_monotonic_network(entry: SipEntry, flow: Flow) -> Outcomes:
    dialog, cseq = entry.dialog, entry.cseq
    if dialog is None or cseq is None or entry.method in _NO_SEQUENCE:
        return
    before = [item.cseq.number for item in _earlier_of_side(entry, dialog) if item.cseq is not None]
    if not before:
        return
    yield APPLIES
    if cseq.number <= max(before):
        yield Violation(f"more than {max(before)}", str(cseq.number), "CSeq")


@rule("sip.record-route.copy", on=Kind.RESPONSE, methods=("INVITE",))
def record_route_copy(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if transaction is None or transaction.request.to_tag or not 101 <= entry.status < 300 or not entry.to_tag:
        return
    asked = reading(lambda: transaction.request.sip.record_routes)
    given = reading(lambda: entry.sip.record_routes)
    if asked is None or given is None:
        return
    yield APPLIES
    if len(asked) != len(given) or not all(map(same_route, asked, given)):
        expected = ", ".join(str(route) for route in asked) or "none"
        yield Violation(shown(expected), shown(entry.sip.get("Record-Route") or "none"), "Record-Route")


@rule("sip.route.set", on=Kind.REQUEST)
def route_set(entry: SipEntry, flow: Flow) -> Outcomes:
    dialog, request = entry.dialog, entry.request
    if dialog is None or request is None or entry.method == "CANCEL" or _is_ack_of_refusal(entry):
        return
    routes = dialog.route_set(entry)
    if routes is None or (routes and "lr" not in routes[0].uri.parameters):
        return
    yield APPLIES
    sent = reading(lambda: request.routes) or []
    if len(sent) != len(routes) or not all(map(same_route, sent, routes)):
        expected = ", ".join(str(route) for route in routes) or "no Route"
        yield Violation(shown(expected), shown(", ".join(request.values("Route")) or "none"), "Route")
    targets = dialog.peer_targets(entry, settling=PROMPT)
    if targets and not any(_is_target(target, request.uri) for target in targets):
        yield Violation(f"the remote target {shown(targets[0])}", shown(request.uri), "start line")


def _is_target(contact: str, request_uri: str) -> bool:
    """The Request-URI is the URI of the Contact, without what a Request-URI may not have (19.1.1 Table 1)."""
    target, asked = uri_of(contact), uri_of(request_uri)
    if target is None or asked is None:
        return contact.strip() == request_uri.strip()
    bare = replace(target, headers="", parameters=target.parameters.without("method"))
    return same_uri(target, asked) or same_uri(bare, asked)


def _is_ack_of_refusal(entry: SipEntry) -> bool:
    final = entry.transaction.final if entry.method == "ACK" and entry.transaction else None
    return final is not None and final.status >= 300


def _wrong_contact(entry: SipEntry) -> Outcomes:
    """Not exactly one Contact with a sip or sips URI."""
    text = entry.sip.get("Contact")
    contacts = entry.contacts
    if len(contacts) == 1 and contacts[0].uri.scheme.lower() in ("sip", "sips"):
        return
    actual = "none" if text is None else shown(", ".join(entry.sip.get_all("Contact")))
    yield Violation("one Contact with a sip or sips URI", actual, "Contact")


@rule("sip.contact.dialog", on=Kind.SIP, methods=("INVITE", "SUBSCRIBE", "REFER"))
def contact_dialog(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.request is not None:
        due = not entry.to_tag
    else:
        outside = entry.transaction is not None and not entry.transaction.request.to_tag
        no_dialog = (entry.sip.get("Refer-Sub") or "").lower().startswith("false")  # RFC 4488 4
        due = 200 <= entry.status < 300 and (
            entry.method == "INVITE" or (entry.method == "REFER" and outside and not no_dialog)
        )
    if due:
        yield APPLIES
        yield from _wrong_contact(entry)


@rule("sip.contact.target-refresh", on=Kind.SIP, methods=("INVITE", "UPDATE", "SUBSCRIBE", "REFER"))
def contact_target_refresh(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.request is not None:
        due = bool(entry.to_tag) and entry.method in ("INVITE", "UPDATE")
    elif entry.method == "INVITE":
        due = 101 <= entry.status < 200 and bool(entry.to_tag)
    else:
        inside = entry.transaction is not None and bool(entry.transaction.request.to_tag)
        due = 200 <= entry.status < 300 and (
            entry.method == "SUBSCRIBE" or (entry.method in ("REFER", "UPDATE") and inside)
        )
    if due:
        yield APPLIES
        yield from _wrong_contact(entry)


@rule("sip.bye.once", on=Kind.REQUEST)
def bye_once(entry: SipEntry, flow: Flow) -> Outcomes:
    dialog = entry.dialog
    if dialog is None or dialog.method != "INVITE" or entry.method not in ("BYE", "INVITE", "UPDATE"):
        return
    yield APPLIES
    if entry.method == "BYE" and not dialog.by_caller(entry):
        acked = bool(dialog.creation.acks) or any(item.method == "ACK" for item in dialog.requests)
        if acked or dialog.creation.request.to_tag or flow.assembly.incomplete:
            pass
        elif dialog.confirmed is None:
            yield Violation("no BYE of the callee in an early dialog", "BYE")
        elif entry.time - dialog.confirmed.time < TRANSACTION_TIMEOUT:
            if entry.reliable or flow.assembly.witnessed:
                yield Violation("the ACK before a BYE of the callee", "no ACK yet")
            else:
                yield Unverifiable("the datagram of the ACK may be missing in the capture")
    if entry.method in ("INVITE", "UPDATE") and entry.sender is Party.HANDSET:
        ended = [bye for bye in dialog.byes if bye.place < entry.place and _over(bye, entry)]
        if ended:
            yield Violation(f"nothing new after {ended[0].label}", entry.method)


def _over(bye: SipEntry, entry: SipEntry) -> bool:
    """The BYE was sent by the same side before, or has been answered by it with 2xx, and nothing overtook it.

    Of one side the number tells the order; what crosses between two sides settles within seconds.
    """
    if bye.from_tag == entry.from_tag:
        return bye.cseq is not None and entry.cseq is not None and entry.cseq.number > bye.cseq.number
    answer = bye.transaction.accepted if bye.transaction else None
    return answer is not None and entry.time - answer.time > PROMPT


@rule("sip.bye.once", on=Kind.RESPONSE, methods=("BYE",))
def bye_answer(entry: SipEntry, flow: Flow) -> Outcomes:
    """The general checks of a request (8.2) may still refuse a BYE that is itself at fault."""
    dialog = entry.dialog
    if entry.sender is not Party.HANDSET or dialog is None or entry.transaction is None or entry.status < 200:
        return
    yield APPLIES
    if entry.status < 300:
        return
    request = entry.transaction.request
    earlier = [bye for bye in dialog.byes if bye.place < request.place or bye.from_tag != request.from_tag]
    if entry.status in _REFUSED_BY_RIGHT or dialog.confirmed is None or _is_faulty(request, dialog):
        return
    if entry.status == 481 and any(bye.place < entry.place for bye in earlier):
        return
    severity = Severity.SHOULD if entry.status in _MAY_BE_REFUSED else None
    yield Violation("2xx to the BYE of its dialog", str(entry.status), "start line", severity=severity)


def _is_faulty(request: SipEntry, dialog: Dialog) -> bool:
    before = [item.cseq.number for item in _earlier_of_side(request, dialog) if item.cseq is not None]
    in_order = request.cseq is not None and (not before or request.cseq.number > max(before))
    return bool(request.sip.check()) or "Require" in request.sip or not in_order


@rule("sip.bye.second", on=Kind.REQUEST, methods=("BYE",))
def bye_second(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.dialog is None or _is_auth_repeat(entry):
        return
    yield APPLIES
    earlier = [bye for bye in entry.dialog.byes if bye.place < entry.place and bye.from_tag == entry.from_tag]
    if earlier:
        yield Violation("one BYE of each side", f"another after {earlier[-1].label}")
