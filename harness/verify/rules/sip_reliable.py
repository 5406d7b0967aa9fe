"""SIP rules on reliable provisional responses and PRACK (RFC 3262)."""

from __future__ import annotations

from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import option_tags
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Unverifiable, Violation
from harness.verify.items import SipEntry
from harness.verify.rules.sip_dialog import BEFORE_START
from harness.verify.rules.sip_transaction import PROMPT, TRANSACTION_TIMEOUT

NOT_RECEIVED = "the far end was silent afterwards: it may not have received it"


def received(entry: SipEntry, flow: Flow, end: float) -> bool:
    """The far end was there after the message had time to arrive, repeats included: it sent something."""
    return flow.assembly.heard_from(entry.destination.host, entry.time + PROMPT, end)


def is_reliable(entry: SipEntry) -> bool:
    """A provisional response that PRACK acknowledges."""
    return 100 <= entry.status < 200 and "100rel" in option_tags(entry.sip, "Require")


@rule("sip.100rel.reliable-1xx", on=Kind.RESPONSE, methods=("INVITE",))
def reliable_provisional(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if transaction is None or not 100 <= entry.status < 200:
        return
    invite = transaction.request.sip
    if not is_reliable(entry):
        if "100rel" in option_tags(invite, "Require") and entry.status > 100:
            yield Violation("a reliable provisional response, or 420", "no Require: 100rel", "Require")
        return
    yield APPLIES
    if entry.status == 100:
        yield Violation("100 is never reliable", "Require: 100rel", "Require")
    if "100rel" not in option_tags(invite, "Require") + option_tags(invite, "Supported"):
        yield Violation("Require: 100rel only where the INVITE allows it", "not in its Supported", "Require")
    yield from _wrong_rseq(entry, transaction.responses)


def _wrong_rseq(entry: SipEntry, responses: list[SipEntry]) -> Outcomes:
    text = entry.sip.get("RSeq") or ""
    if not text.isdigit() or not 1 <= int(text) < 2**31:
        yield Violation("RSeq from 1 to 2**31-1", text or "none", "RSeq")
        return
    before = [
        int(number)
        for item in responses
        if item.place < entry.place and item.to_tag == entry.to_tag and is_reliable(item)
        if (number := item.sip.get("RSeq") or "").isdigit()
    ]
    if before and int(text) != before[-1] + 1 and (entry.reliable or int(text) in before):
        yield Violation(f"RSeq {before[-1] + 1}", text, "RSeq")


def _rack_of(entry: SipEntry) -> tuple[int, int, str] | None:
    """What the RAck of a PRACK for this response holds; None when it cannot be told."""
    invite = entry.transaction.request if entry.transaction else None
    return _rack(f"{entry.sip.get('RSeq') or ''} {invite.cseq if invite else ''}")


def _rack(text: str) -> tuple[int, int, str] | None:
    parts = text.split()
    if len(parts) != 3 or not all(len(part) <= 10 and part.isdecimal() for part in parts[:2]):
        return None
    return int(parts[0]), int(parts[1]), parts[2]


@rule("sip.100rel.prack", on=Kind.REQUEST, methods=("PRACK",))
def prack(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.dialog is None or flow.assembly.incomplete:
        yield Unverifiable(BEFORE_START)
        return
    yield APPLIES
    invites = [item for item in flow.assembly.transactions_of(entry.call_id) if item.method == "INVITE"]
    reliable = [response for item in invites for response in item.responses if is_reliable(response)]
    known = [rack for response in reliable if (rack := _rack_of(response)) is not None]
    text = entry.sip.get("RAck") or ""
    if _rack(text) not in known:
        expected = " or ".join(" ".join(map(str, item)) for item in known) or "no PRACK"
        yield Violation(expected, text or "no RAck", "RAck")


@rule("sip.100rel.prack", on=Kind.RESPONSE, methods=("INVITE",), after=TRANSACTION_TIMEOUT, receiver=True)
def prack_missing(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if transaction is None or not is_reliable(entry) or entry.status == 100 or entry.dialog is None:
        return
    invite, rack = transaction.request.sip, _rack_of(entry)
    if rack is None or "100rel" not in option_tags(invite, "Require") + option_tags(invite, "Supported"):
        return
    yield APPLIES
    if any(
        item.method == "PRACK" and _rack(item.sip.get("RAck") or "") == rack for item in entry.dialog.requests
    ):
        return
    final = transaction.final
    end = entry.time + TRANSACTION_TIMEOUT if final is None else final.time
    if end - entry.time <= PROMPT:
        return
    if received(entry, flow, end):
        yield Violation(f"PRACK with RAck: {' '.join(map(str, rack))}", "none")
    else:
        yield Unverifiable(NOT_RECEIVED)
