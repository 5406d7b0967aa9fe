"""Rules about answers to MESSAGE, what goes with one, and whom it reaches (RFC 3428 4, 7, RFC 3841 7.2)."""

from __future__ import annotations

from harness.cpm.services import CPM_ICSIS
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import accepted_icsis, contact_icsis, covers, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Severity, Violation
from harness.verify.items import SipEntry

AT_ONCE = 4.0
"""Seconds within which an answer needs no user: T2, the longest wait for a repeat (RFC 3261 17.1.2)."""
_SMS = "application/vnd.3gpp.sms"


@rule("pager.202", on=Kind.RESPONSE, methods=("MESSAGE",))
def stored_and_not_delivered(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if entry.status != 202 or transaction is None:
        return
    yield APPLIES
    for asked in transaction.request.bodies:
        for known in flow.assembly.notifications(asked.message_id):
            if known.imdn.status == "delivered" and known.item.place < entry.place:
                actual = f"delivered in {known.item.label}"
                yield Violation("no delivery before a 202, which says stored", actual, "start line")
                return


@rule("pager.final-response", on=Kind.RESPONSE, methods=("MESSAGE",))
def answered_at_once(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if transaction is None or transaction.final is not entry:
        return
    yield APPLIES
    took = entry.time - transaction.request.time
    if took > AT_ONCE:
        yield Violation(f"the answer within {AT_ONCE:.0f} s, without its user", f"{took:.0f} s", "start line")


@rule("pager.expires-date", on=Kind.REQUEST, methods=("MESSAGE",))
def date_with_expires(entry: SipEntry, flow: Flow) -> Outcomes:
    expires = (entry.sip.get("Expires") or "").strip()
    if not expires or not expires.strip("0"):
        return
    yield APPLIES
    if "Date" not in entry.sip:
        yield Violation("Date beside an Expires that is not 0", f"Expires: {shown(expires)} alone", "Expires")


@rule("pager.answer.ids", on=Kind.RESPONSE, methods=("MESSAGE",))
def length_in_answer(entry: SipEntry, flow: Flow) -> Outcomes:
    """Its Conversation-ID and Contribution-ID are for ims.ids.echo-in-2xx, a slip in the name for another."""
    if not 200 <= entry.status < 300 or entry.sip.body:
        return
    yield APPLIES
    meant = any(each.name.lower().startswith("content-l") for each in entry.sip.fields)
    if "Content-Length" not in entry.sip and not meant:
        yield Violation("Content-Length: 0", "none", "start line")


@rule("pager.mt.accept-contact", on=Kind.REQUEST, methods=("MESSAGE",))
def service_is_registered(entry: SipEntry, flow: Flow) -> Outcomes:
    """That Accept-Contact is there at all is ims.accept-contact.present.network."""
    asked = accepted_icsis(entry.sip) & CPM_ICSIS
    state = flow.assembly.registration_of(entry)
    if not asked or state is None or not state.holds_at(entry.time) or entry.to_tag:
        return
    registered = contact_icsis(state.transaction.request.sip)
    if not registered:
        return
    yield APPLIES
    if not any(covers(own, urn) for own in registered for urn in asked):
        expected = f"a service the handset registered: {', '.join(sorted(registered))}"
        yield Violation(expected, ", ".join(sorted(asked)), "Accept-Contact")


@rule("pager.legacy-sms", on=Kind.REQUEST, methods=("MESSAGE",))
def sms_names_no_service(entry: SipEntry, flow: Flow) -> Outcomes:
    """SMS over IP (TS 24.341): the rules of CPM leave it alone, and it names no service of CPM."""
    if entry.content_type is None or entry.content_type.essence != _SMS:
        return
    yield APPLIES
    for header, services in (
        ("P-Preferred-Service", entry.sip.values("P-Preferred-Service")),
        ("P-Asserted-Service", entry.sip.values("P-Asserted-Service")),
        ("Accept-Contact", accepted_icsis(entry.sip)),
    ):
        named = sorted({urn.strip().lower() for urn in services} & CPM_ICSIS)
        if named:
            expected = "no CPM service for SMS over IP"
            yield Violation(expected, ", ".join(named), header, severity=Severity.INFO)
            return
