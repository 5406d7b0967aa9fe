"""SIP rules on the 2xx to an INVITE: its ACK, its offer or answer, its repeats (RFC 3261 13)."""

from __future__ import annotations

from harness.sip.headers import Credentials
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import has_sdp, is_opaque, parameter_map
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Unverifiable, Violation
from harness.verify.items import SipEntry, Transaction, reading
from harness.verify.rules.sip_reliable import NOT_RECEIVED, is_reliable, received
from harness.verify.rules.sip_transaction import PROMPT, TRANSACTION_TIMEOUT


@rule("sip.ack.2xx", on=Kind.REQUEST, methods=("ACK",))
def ack_2xx(entry: SipEntry, flow: Flow) -> Outcomes:
    dialogs = flow.assembly.dialogs_of(entry.call_id)
    transaction = entry.transaction
    if transaction is None:
        confirmed = [item for item in dialogs if item.method == "INVITE" and item.confirmed]
        if confirmed and (flow.assembly.incomplete or _answer_seen(entry, flow)):
            yield Unverifiable("the INVITE was not captured")
        elif confirmed:
            yield Violation(f"the number of {confirmed[-1].creation.request.cseq}", str(entry.cseq), "CSeq")
        return
    accepted = transaction.accepted
    if accepted is None:
        return
    yield APPLIES
    if entry.dialog is None and accepted.to_tag and not flow.assembly.incomplete:
        expected = f"tags {accepted.from_tag}, {accepted.to_tag}"
        header = "To" if entry.from_tag == accepted.from_tag else "From"
        yield Violation(expected, f"tags {entry.from_tag}, {entry.to_tag}", header)
    invite = transaction.request
    if entry.cseq is not None and invite.cseq is not None and entry.cseq.number != invite.cseq.number:
        yield Violation(str(invite.cseq.number), str(entry.cseq.number), "CSeq")
    if entry.sender is Party.HANDSET:  # a proxy may take off credentials that are for itself (22.3)
        yield from _other_credentials(entry, invite)
    yield from _wrong_ack_body(entry, transaction, accepted)


def _answer_seen(ack: SipEntry, flow: Flow) -> bool:
    """A response to an INVITE of the ACK's Call-ID and number was seen, so the ACK means that one."""
    number = ack.cseq.number if ack.cseq else None
    return any(
        item.cseq is not None and (item.cseq.number, item.cseq.method) == (number, "INVITE")
        for item in flow.assembly.responses_of(ack.call_id)
    )


def _other_credentials(ack: SipEntry, invite: SipEntry) -> Outcomes:
    for name in ("Authorization", "Proxy-Authorization"):
        if _credentials(invite, name) != _credentials(ack, name):
            yield Violation(f"the {name} of the INVITE", ack.sip.get(name) or "none", name)


def _credentials(entry: SipEntry, name: str) -> list[tuple[str, list[tuple[str, str | None]]]] | None:
    """The credentials free of order, white space and quoting; None when one is malformed."""
    found = []
    for text in entry.sip.get_all(name):
        parsed = reading(lambda value=text: Credentials.parse(value))  # type: ignore[misc]
        if parsed is None:
            return None
        found.append((parsed.scheme.lower(), sorted(parameter_map(parsed.parameters).items(), key=str)))
    return sorted(found, key=str)


def _wrong_ack_body(ack: SipEntry, transaction: Transaction, accepted: SipEntry) -> Outcomes:
    invite = transaction.request
    if any(item.incomplete or is_opaque(item.sip) for item in (invite, accepted, ack)):
        return
    answer_due = has_sdp(accepted.sip) and not has_sdp(invite.sip)
    if has_sdp(invite.sip) and has_sdp(ack.sip):
        yield Violation("no SDP: offer and answer are exchanged", "SDP", "body")
    elif answer_due and not has_sdp(ack.sip) and not _answered_before(transaction):
        yield Violation(f"the answer to the offer of {accepted.label}", "no SDP", "body")


def _answered_before(transaction: Transaction) -> bool:
    """Offer and answer may be in a reliable provisional response and its PRACK, seen or not."""
    if _reliable_answers(transaction.responses):
        return True
    dialogs = {item.dialog for item in transaction.responses if item.dialog is not None}
    return any(item.method == "PRACK" for dialog in dialogs for item in dialog.requests)


def _reliable_answers(responses: list[SipEntry]) -> list[SipEntry]:
    return [item for item in responses if is_reliable(item) and has_sdp(item.sip)]


@rule("sip.ack.2xx", on=Kind.RESPONSE, methods=("INVITE",), after=TRANSACTION_TIMEOUT, receiver=True)
def ack_2xx_missing(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if transaction is None or not 200 <= entry.status < 300 or not entry.to_tag:
        return
    yield APPLIES
    if any(item.to_tag == entry.to_tag for item in transaction.acks):
        return
    alone = [item for item in transaction.responses if 200 <= item.status < 300] == [entry]
    if alone and transaction.acks:
        return
    if received(entry, flow, entry.time + TRANSACTION_TIMEOUT):
        yield Violation(f"an ACK with tag {entry.to_tag}", f"none within {TRANSACTION_TIMEOUT:.0f} s")
    else:
        yield Unverifiable(NOT_RECEIVED)


@rule("sip.invite.answer", on=Kind.RESPONSE, methods=("INVITE",))
def invite_answer(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if transaction is None or not 200 <= entry.status < 300:
        return
    if any(item.incomplete or is_opaque(item.sip) for item in (transaction.request, entry)):
        return
    yield APPLIES
    if has_sdp(entry.sip) or _answered_before(transaction):
        return
    what = "the answer" if has_sdp(transaction.request.sip) else "an offer"
    yield Violation(f"{what} in SDP", "no SDP", "body")


@rule("sip.2xx.retransmit", on=Kind.RESPONSE, methods=("INVITE",), after=2.0)
def repeat_2xx(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if transaction is None or not 200 <= entry.status < 300:
        return
    yield APPLIES
    if transaction.acks or entry.retransmissions:
        return
    if not entry.reliable and not flow.assembly.witnessed:
        yield Unverifiable("the datagram of the ACK may be missing in the capture")
        return
    yield Violation("the 2xx again until the ACK comes", "not repeated within 2 s, no ACK")


@rule("sip.2xx.retransmit", on=Kind.RESPONSE, methods=("INVITE",), after=TRANSACTION_TIMEOUT + PROMPT)
def give_up_2xx(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if transaction is None or not 200 <= entry.status < 300 or transaction.acks or not entry.retransmissions:
        return
    yield APPLIES
    if entry.dialog is not None and not entry.dialog.byes:
        yield Violation("BYE when no ACK came within 32 s", "no BYE")
