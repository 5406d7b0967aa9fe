"""SIP rules on dialogs: tags, CSeq, routes, targets, ACK to 2xx, BYE (RFC 3261 12-15), 1xx (RFC 3262)."""

from __future__ import annotations

from collections.abc import Iterator

from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import has_sdp, option_tags, same_route, same_uri_text, shown
from harness.verify.engine import Flow
from harness.verify.finding import Party, Unverifiable, Violation
from harness.verify.items import Dialog, SipEntry, reading
from harness.verify.rules.sip_transaction import PROMPT, TRANSACTION_TIMEOUT

_BEFORE_START = "the dialog may have begun before the timeline"
_NO_SEQUENCE = ("ACK", "CANCEL")


@rule("sip.from.tag", on=Kind.REQUEST)
def from_tag(entry: SipEntry, flow: Flow) -> Iterator[Violation | Unverifiable]:
    if entry.from_ is not None and not entry.from_tag:
        yield Violation("a From tag", "none", "From")
    if not entry.to_tag or entry.method in ("ACK", "CANCEL"):
        return
    if entry.method == "REGISTER":
        yield Violation("no To tag in REGISTER", entry.to_tag, "To")
    elif entry.dialog is None and not flow.assembly.dialogs_of(entry.call_id) and not _tag_seen(entry, flow):
        if flow.from_start and not _may_outlive(entry, flow):
            yield Violation("no To tag outside a dialog", entry.to_tag, "To")
        else:
            yield Unverifiable(_BEFORE_START)


def _may_outlive(entry: SipEntry, flow: Flow) -> bool:
    """A subscription may be as old as a registration that the timeline does not show."""
    return entry.method in ("NOTIFY", "SUBSCRIBE") and not flow.assembly.registrations


def _tag_seen(entry: SipEntry, flow: Flow) -> bool:
    """The To tag came in an earlier message with this Call-ID, or is of a dialog with another Call-ID."""
    known = flow.assembly.transactions_of(entry.call_id)
    seen = [message for item in known for message in (item.request, *item.responses) if message is not entry]
    if any(entry.to_tag in (message.to_tag, message.from_tag) for message in seen):
        return True
    return _foreign_dialog(entry, flow) is not None


def _foreign_dialog(entry: SipEntry, flow: Flow) -> Dialog | None:
    """A dialog with exactly these two tags under another Call-ID."""
    tags = {entry.from_tag, entry.to_tag}
    return next((item for item in flow.assembly.dialogs if {item.caller_tag, item.callee_tag} == tags), None)


@rule("sip.dialog.identity", on=Kind.REQUEST)
def dialog_identity(entry: SipEntry, flow: Flow) -> Iterator[Violation | Unverifiable]:
    if (
        not entry.to_tag
        or not entry.from_tag
        or entry.dialog is not None
        or entry.method in (*_NO_SEQUENCE, "REGISTER")
    ):
        return
    foreign = _foreign_dialog(entry, flow)
    if foreign is not None:
        yield Violation(shown(foreign.call_id), shown(str(entry.call_id)), "Call-ID")
        return
    dialogs = flow.assembly.dialogs_of(entry.call_id)
    if dialogs:
        known = " / ".join(f"{item.caller_tag}, {item.callee_tag}" for item in dialogs)
        header = (
            "From" if any(entry.to_tag in (item.caller_tag, item.callee_tag) for item in dialogs) else "To"
        )
        yield Violation(f"tags {known}", f"tags {entry.from_tag}, {entry.to_tag}", header)


def _earlier_of_side(entry: SipEntry, dialog: Dialog) -> list[SipEntry]:
    """Requests the sender put into the dialog before, the creating one included."""
    own = [
        item
        for item in dialog.requests
        if item.place < entry.place and item.from_tag == entry.from_tag and item.method not in _NO_SEQUENCE
    ]
    return [dialog.creation.request, *own] if dialog.by_caller(entry) else own


@rule("sip.cseq.monotonic", on=Kind.REQUEST)
def cseq_monotonic(entry: SipEntry, flow: Flow) -> Iterator[Violation | Unverifiable]:
    dialog, cseq = entry.dialog, entry.cseq
    if dialog is None or cseq is None or entry.method in _NO_SEQUENCE or _is_auth_repeat(entry):
        return
    before = [item.cseq.number for item in _earlier_of_side(entry, dialog) if item.cseq is not None]
    if not before or cseq.number == before[-1] + 1:
        return
    if cseq.number > before[-1] and not flow.from_start:
        yield Unverifiable("a request in between may be missing from the capture")
    else:
        yield Violation(str(before[-1] + 1), str(cseq.number), "CSeq")


def _is_auth_repeat(entry: SipEntry) -> bool:
    before = entry.transaction.retry_of if entry.transaction else None
    return before is not None and before.final is not None and before.final.status in (401, 407)


@rule("sip.cseq.monotonic.network", on=Kind.REQUEST)
def cseq_monotonic_network(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    dialog, cseq = entry.dialog, entry.cseq
    if dialog is None or cseq is None or entry.method in _NO_SEQUENCE:
        return
    before = [item.cseq.number for item in _earlier_of_side(entry, dialog) if item.cseq is not None]
    if before and cseq.number <= max(before):
        yield Violation(f"more than {max(before)}", str(cseq.number), "CSeq")


@rule("sip.record-route.copy", on=Kind.RESPONSE, methods=("INVITE",))
def record_route_copy(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    transaction = entry.transaction
    if transaction is None or transaction.request.to_tag or not 101 <= entry.status < 300 or not entry.to_tag:
        return
    asked = reading(lambda: transaction.request.sip.record_routes)
    given = reading(lambda: entry.sip.record_routes)
    if asked is None or given is None:
        return
    if len(asked) != len(given) or not all(map(same_route, asked, given)):
        expected = ", ".join(str(route) for route in asked) or "none"
        yield Violation(shown(expected), shown(entry.sip.get("Record-Route") or "none"), "Record-Route")


@rule("sip.route.set", on=Kind.REQUEST)
def route_set(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    dialog, request = entry.dialog, entry.request
    if dialog is None or request is None or entry.method == "CANCEL" or _is_ack_of_refusal(entry):
        return
    routes = dialog.route_set(entry)
    if routes is None or (routes and "lr" not in routes[0].uri.parameters):
        return
    sent = reading(lambda: request.routes) or []
    if len(sent) != len(routes) or not all(map(same_route, sent, routes)):
        expected = ", ".join(str(route) for route in routes) or "no Route"
        yield Violation(shown(expected), shown(", ".join(request.values("Route")) or "none"), "Route")
    target = dialog.peer_target(entry)
    if target is not None and not same_uri_text(target, request.uri):
        yield Violation(f"the remote target {shown(target)}", shown(request.uri), "start line")


def _is_ack_of_refusal(entry: SipEntry) -> bool:
    final = entry.transaction.final if entry.method == "ACK" and entry.transaction else None
    return final is not None and final.status >= 300


def _wrong_contact(entry: SipEntry) -> Violation | None:
    """Not exactly one Contact with a sip or sips URI."""
    text = entry.sip.get("Contact")
    contacts = entry.contacts
    if len(contacts) == 1 and contacts[0].uri.scheme.lower() in ("sip", "sips"):
        return None
    actual = "none" if text is None else shown(", ".join(entry.sip.get_all("Contact")))
    return Violation("one Contact with a sip or sips URI", actual, "Contact")


@rule("sip.contact.dialog", on=Kind.SIP, methods=("INVITE", "SUBSCRIBE", "REFER"))
def contact_dialog(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    if entry.request is not None:
        due = not entry.to_tag
    else:
        outside = entry.transaction is not None and not entry.transaction.request.to_tag
        due = 200 <= entry.status < 300 and (
            entry.method == "INVITE" or (entry.method == "REFER" and outside)
        )
    wrong = _wrong_contact(entry) if due else None
    if wrong is not None:
        yield wrong


@rule("sip.contact.target-refresh", on=Kind.SIP, methods=("INVITE", "UPDATE", "SUBSCRIBE", "REFER"))
def contact_target_refresh(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    if entry.request is not None:
        due = bool(entry.to_tag) and entry.method in ("INVITE", "UPDATE")
    elif entry.method == "INVITE":
        due = 101 <= entry.status < 200 and bool(entry.to_tag)
    else:
        inside = entry.transaction is not None and bool(entry.transaction.request.to_tag)
        due = 200 <= entry.status < 300 and (
            entry.method == "SUBSCRIBE" or (entry.method in ("REFER", "UPDATE") and inside)
        )
    wrong = _wrong_contact(entry) if due else None
    if wrong is not None:
        yield wrong


@rule("sip.ack.2xx", on=Kind.REQUEST, methods=("ACK",))
def ack_2xx(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    dialogs = flow.assembly.dialogs_of(entry.call_id)
    transaction = entry.transaction
    if transaction is None:
        if any(item.method == "INVITE" and item.confirmed for item in dialogs):
            numbers = [str(item.creation.request.cseq) for item in dialogs]
            yield Violation(f"the number of {numbers[-1]}", str(entry.cseq), "CSeq")
        return
    accepted = transaction.accepted
    if accepted is None:
        return
    invite = transaction.request
    if entry.dialog is None:
        expected = f"tags {accepted.from_tag}, {accepted.to_tag}"
        header = "To" if entry.from_tag == accepted.from_tag else "From"
        yield Violation(expected, f"tags {entry.from_tag}, {entry.to_tag}", header)
    if entry.cseq is not None and invite.cseq is not None and entry.cseq.number != invite.cseq.number:
        yield Violation(str(invite.cseq.number), str(entry.cseq.number), "CSeq")
    for name in ("Authorization", "Proxy-Authorization"):
        if invite.sip.get_all(name) != entry.sip.get_all(name):
            yield Violation(f"the {name} of the INVITE", entry.sip.get(name) or "none", name)
    offered, answer_due = has_sdp(invite.sip), has_sdp(accepted.sip) and not has_sdp(invite.sip)
    if offered and has_sdp(entry.sip):
        yield Violation("no SDP: offer and answer are exchanged", "SDP", "body")
    elif answer_due and not has_sdp(entry.sip) and not _reliable_answers(transaction.responses):
        yield Violation(f"the answer to the offer of {accepted.label}", "no SDP", "body")


def _reliable_answers(responses: list[SipEntry]) -> list[SipEntry]:
    return [item for item in responses if _is_reliable(item) and has_sdp(item.sip)]


def _is_reliable(entry: SipEntry) -> bool:
    return 100 <= entry.status < 200 and "100rel" in option_tags(entry.sip, "Require")


@rule("sip.ack.2xx", on=Kind.RESPONSE, methods=("INVITE",), after=PROMPT, receiver=True)
def ack_2xx_missing(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    transaction = entry.transaction
    if transaction is None or not 200 <= entry.status < 300:
        return
    if not any(item.to_tag == entry.to_tag for item in transaction.acks):
        alone = [item for item in transaction.responses if 200 <= item.status < 300] == [entry]
        if not (alone and transaction.acks):
            yield Violation(f"an ACK with tag {entry.to_tag}", f"none within {PROMPT:.0f} s")


@rule("sip.invite.answer", on=Kind.RESPONSE, methods=("INVITE",))
def invite_answer(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    transaction = entry.transaction
    if transaction is None or not 200 <= entry.status < 300 or has_sdp(entry.sip):
        return
    if _reliable_answers(transaction.responses):
        return
    what = "the answer" if has_sdp(transaction.request.sip) else "an offer"
    yield Violation(f"{what} in SDP", "no SDP", "body")


@rule("sip.2xx.retransmit", on=Kind.RESPONSE, methods=("INVITE",), after=2.0)
def repeat_2xx(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    transaction = entry.transaction
    if transaction is None or not 200 <= entry.status < 300 or transaction.acks or entry.retransmissions:
        return
    yield Violation("the 2xx again until the ACK comes", "not repeated within 2 s, no ACK")


@rule("sip.2xx.retransmit", on=Kind.RESPONSE, methods=("INVITE",), after=TRANSACTION_TIMEOUT + PROMPT)
def give_up_2xx(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    transaction = entry.transaction
    if transaction is None or not 200 <= entry.status < 300 or transaction.acks or not entry.retransmissions:
        return
    if entry.dialog is not None and not entry.dialog.byes:
        yield Violation("BYE when no ACK came within 32 s", "no BYE")


@rule("sip.bye.once", on=Kind.REQUEST)
def bye_once(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    dialog = entry.dialog
    if dialog is None or dialog.method != "INVITE":
        return
    if entry.method == "BYE" and not dialog.by_caller(entry):
        acked = bool(dialog.creation.acks)
        if dialog.confirmed is None:
            yield Violation("no BYE of the callee in an early dialog", "BYE")
        elif not acked and entry.time - dialog.confirmed.time < TRANSACTION_TIMEOUT:
            yield Violation("the ACK before a BYE of the callee", "no ACK yet")
    if entry.method in ("INVITE", "UPDATE") and entry.sender is Party.HANDSET:
        ended = [bye for bye in dialog.byes if bye.place < entry.place and _over(bye, entry)]
        if ended:
            yield Violation(f"nothing new after {ended[0].label}", entry.method)


def _over(bye: SipEntry, entry: SipEntry) -> bool:
    """The BYE was sent by the same side, or has been answered by it with 2xx."""
    answered = bye.transaction is not None and bye.transaction.accepted is not None
    return bye.from_tag == entry.from_tag or answered


@rule("sip.bye.once", on=Kind.RESPONSE, methods=("BYE",))
def bye_answer(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    dialog = entry.dialog
    if entry.sender is not Party.HANDSET or dialog is None or entry.transaction is None or entry.status < 200:
        return
    request = entry.transaction.request
    own = [bye for bye in dialog.byes if bye.from_tag != request.from_tag and bye.place < entry.place]
    if entry.status < 300 or (entry.status == 481 and own):
        return
    yield Violation("2xx to the BYE of its dialog", str(entry.status), "start line")


@rule("sip.bye.second", on=Kind.REQUEST, methods=("BYE",))
def bye_second(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    if entry.dialog is None or _is_auth_repeat(entry):
        return
    earlier = [bye for bye in entry.dialog.byes if bye.place < entry.place and bye.from_tag == entry.from_tag]
    if earlier:
        yield Violation("one BYE of each side", f"another after {earlier[-1].label}")


@rule("sip.100rel.reliable-1xx", on=Kind.RESPONSE, methods=("INVITE",))
def reliable_provisional(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    transaction = entry.transaction
    if transaction is None or not 100 <= entry.status < 200:
        return
    invite = transaction.request.sip
    if not _is_reliable(entry):
        if "100rel" in option_tags(invite, "Require") and entry.status > 100:
            yield Violation("a reliable provisional response, or 420", "no Require: 100rel", "Require")
        return
    if entry.status == 100:
        yield Violation("100 is never reliable", "Require: 100rel", "Require")
    if "100rel" not in option_tags(invite, "Require") + option_tags(invite, "Supported"):
        yield Violation("Require: 100rel only where the INVITE allows it", "not in its Supported", "Require")
    yield from _wrong_rseq(entry, transaction.responses)


def _wrong_rseq(entry: SipEntry, responses: list[SipEntry]) -> Iterator[Violation]:
    text = entry.sip.get("RSeq") or ""
    if not text.isdigit() or not 1 <= int(text) < 2**31:
        yield Violation("RSeq from 1 to 2**31-1", text or "none", "RSeq")
        return
    before = [
        int(number)
        for item in responses
        if item.place < entry.place and item.to_tag == entry.to_tag and _is_reliable(item)
        if (number := item.sip.get("RSeq") or "").isdigit()
    ]
    if before and int(text) != before[-1] + 1:
        yield Violation(f"RSeq {before[-1] + 1}", text, "RSeq")


def _rack_of(entry: SipEntry) -> list[str]:
    """What the RAck of a PRACK for this response holds."""
    invite = entry.transaction.request if entry.transaction else None
    number = invite.cseq.number if invite and invite.cseq else ""
    return [entry.sip.get("RSeq") or "", str(number), "INVITE"]


@rule("sip.100rel.prack", on=Kind.REQUEST, methods=("PRACK",))
def prack(entry: SipEntry, flow: Flow) -> Iterator[Violation | Unverifiable]:
    dialog = entry.dialog
    if dialog is None:
        yield Unverifiable(_BEFORE_START)
        return
    known = [_rack_of(item) for item in dialog.creation.responses if _is_reliable(item)]
    text = entry.sip.get("RAck") or ""
    if text.split() not in known:
        yield Violation(
            " or ".join(" ".join(item) for item in known) or "no PRACK", text or "no RAck", "RAck"
        )


@rule("sip.100rel.prack", on=Kind.RESPONSE, methods=("INVITE",), after=PROMPT, receiver=True)
def prack_missing(entry: SipEntry, flow: Flow) -> Iterator[Violation]:
    transaction = entry.transaction
    if transaction is None or not _is_reliable(entry) or entry.status == 100 or transaction.final is not None:
        return
    rack = _rack_of(entry)
    requests = entry.dialog.requests if entry.dialog else []
    if not any(item.method == "PRACK" and (item.sip.get("RAck") or "").split() == rack for item in requests):
        yield Violation(f"PRACK with RAck: {' '.join(rack)}", f"none within {PROMPT:.0f} s")
