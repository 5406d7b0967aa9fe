"""SIP rules on a request with its responses, its repeats and its CANCEL (RFC 3261 8, 9, 17; RFC 3581)."""

from __future__ import annotations

from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import option_tags, same_route, same_uri, same_uri_text, same_via, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Severity, Unverifiable, Violation
from harness.verify.items import SipEntry, reading

TRANSACTION_TIMEOUT = 32.0
"""64*T1 in seconds (RFC 3261 17.1.2.2)."""
PROMPT = 4.0
"""Seconds within which what is due at once has surely come (T2)."""

# IANA "SIP Option Tags".
REGISTERED_OPTION_TAGS = frozenset(
    {
        *("100rel", "199", "answermode", "early-session", "eventlist", "explicitsub", "from-change"),
        *("geolocation-http", "geolocation-sip", "gin", "gruu", "histinfo", "ice", "join", "multiple-refer"),
        *("norefersub", "nosub", "outbound", "path", "policy", "precondition", "pref", "privacy"),
        *("recipient-list-invite", "recipient-list-message", "recipient-list-subscribe", "record-aware"),
        *("replaces", "resource-priority", "sdp-anat", "sec-agree", "siprec", "tdialog", "timer"),
        *("trickle-ice", "uui"),
    }
)
_INVENTED = "rcslab"
"""How option tags begin that this program invents to be refused."""
_FOR_PROXIES = frozenset({"sec-agree", "path", "outbound", "gin"})


@rule("sip.via.echo", on=Kind.RESPONSE)
def via_echo(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.transaction is None:
        return
    sent, received = entry.transaction.request.vias, entry.vias
    if not sent or entry.sip.get("Via") is None:
        return
    yield APPLIES
    if len(sent) != len(received):
        yield Violation(f"{len(sent)} Via values", f"{len(received)}", "Via")
        return
    for index, (before, after) in enumerate(zip(sent, received, strict=True)):
        if not same_via(before, after, top=index == 0):
            yield Violation(shown(str(before)), shown(str(after)), "Via")
            return


@rule("sip.via.rport-filled", on=Kind.RESPONSE)
def rport_filled(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.transaction is None or entry.via is None:
        return
    asked = entry.transaction.request.via
    if asked is None or not asked.wants_rport or asked.rport is not None:
        return
    yield APPLIES
    if entry.via.rport is None or not entry.via.received:
        yield Violation("received, and a port in rport", shown(str(entry.via)), "Via")


@rule("sip.to.tag-in-response", on=Kind.RESPONSE)
def to_tag_in_response(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.status == 100 or entry.to is None:
        return
    yield APPLIES
    if not entry.to_tag:
        yield Violation("a To tag", "none", "To")
        return
    if entry.transaction is None or entry.sender is not Party.HANDSET:
        return
    for earlier in entry.transaction.responses:
        if (
            earlier.place < entry.place
            and earlier.status != 100
            and earlier.to_tag not in (None, entry.to_tag)
        ):
            yield Violation(f"the tag {earlier.to_tag} of {earlier.label}", entry.to_tag, "To")
            return


@rule("sip.response.echo", on=Kind.RESPONSE)
def response_echo(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.transaction is None:
        return
    yield APPLIES
    request = entry.transaction.request
    if request.call_id != entry.call_id and entry.sip.get("Call-ID") is not None:
        yield Violation(shown(str(request.call_id)), shown(str(entry.call_id)), "Call-ID")
    if request.cseq != entry.cseq and entry.sip.get("CSeq") is not None:
        yield Violation(str(request.cseq), entry.sip.get("CSeq") or "", "CSeq")
    for name, sent, received in (("From", request.from_, entry.from_), ("To", request.to, entry.to)):
        if sent is None or entry.sip.get(name) is None:
            continue
        if received is None or not same_uri(sent.uri, received.uri):
            yield Violation(shown(sent.uri.text), shown(entry.sip.get(name) or ""), name)
        elif sent.tag and sent.tag != received.tag:
            yield Violation(f"tag {sent.tag}", f"tag {received.tag}", name)


@rule("sip.response.final-in-time", on=Kind.REQUEST, after=TRANSACTION_TIMEOUT, receiver=True)
def final_in_time(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if entry.method == "ACK" or transaction is None or transaction.cancelled_by is not None:
        return
    yield APPLIES
    final = transaction.final
    if final is not None and final.time - entry.time <= TRANSACTION_TIMEOUT:
        return
    if entry.method == "INVITE" and transaction.responses:
        return
    if not entry.reliable and not entry.retransmissions and not flow.assembly.witnessed:
        yield Unverifiable("it was not sent again, so its answer may be missing in the capture")
        return
    actual = "none" if final is None else f"one after {final.time - entry.time:.1f} s"
    yield Violation(f"a final response within {TRANSACTION_TIMEOUT:.0f} s", actual)


@rule("sip.header.compact-forms.handset", on=Kind.RESPONSE)
def compact_forms(entry: SipEntry, flow: Flow) -> Outcomes:
    """Seen only where the other side sent a request in short names."""
    if entry.transaction is None or entry.transaction.request.sip.check():
        return
    short = [field.name for field in entry.transaction.request.sip.fields if len(field.name) == 1]
    if len(short) < 5:
        return
    yield APPLIES
    if entry.status == 400:
        yield Violation("compact header names understood", "400", "start line")


@rule("sip.require.unknown-420", on=Kind.RESPONSE)
def require_unknown(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if transaction is None or transaction.method in ("ACK", "CANCEL") or entry.status == 100:
        return
    required = set(option_tags(transaction.request.sip, "Require"))
    named = set(option_tags(entry.sip, "Unsupported"))
    invented = {tag for tag in required if tag.startswith(_INVENTED)}
    unknown = required - REGISTERED_OPTION_TAGS
    if entry.status != 420 and not unknown:
        return
    yield APPLIES
    if entry.status == 420:
        if not named or not named <= required or not invented <= named:
            meant = ", ".join(sorted(invented)) or f"those not understood of {', '.join(sorted(required))}"
            yield Violation(f"Unsupported: {meant}", ", ".join(sorted(named)) or "none", "Unsupported")
    elif entry.status < 300:
        # A tag of a later document may be understood; one of our invention cannot.
        severity = None if invented else Severity.INFO
        expected = f"420 to Require: {', '.join(sorted(invented or unknown))}"
        yield Violation(expected, str(entry.status), "start line", severity=severity)


@rule("sip.require.unlisted-accepted", on=Kind.RESPONSE)
def require_unlisted(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if transaction is None or transaction.method in ("ACK", "CANCEL") or transaction.accepted is not entry:
        return
    required = set(option_tags(transaction.request.sip, "Require")) & REGISTERED_OPTION_TAGS - _FOR_PROXIES
    if not required:
        return
    yield APPLIES
    listed = flow.assembly.declared.option_tags(entry)
    missing = required - listed
    if missing and listed:
        yield Violation(f"{', '.join(sorted(missing))} in Supported", ", ".join(sorted(listed)), "Supported")


@rule("sip.481.unknown-dialog", on=Kind.RESPONSE)
def unknown_dialog(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if transaction is None or entry.status == 100:
        return
    request = transaction.request
    if not request.to_tag or request.dialog is not None:
        return
    yield APPLIES
    if not 200 <= entry.status < 300:
        return
    if not flow.from_start:
        yield Unverifiable("the dialog may have begun before the timeline")
        return
    yield Violation("481: no dialog has this To tag", str(entry.status), "start line")


@rule("sip.ack.non-2xx", on=Kind.REQUEST, methods=("ACK",))
def ack_non_2xx(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    final = transaction.final if transaction else None
    if transaction is None or final is None or final.status < 300:
        return
    yield APPLIES
    invite = transaction.request
    yield from _same_target(entry, invite)
    if (entry.cseq.number if entry.cseq else None) != (invite.cseq.number if invite.cseq else None):
        yield Violation(f"{invite.cseq}", f"{entry.cseq}", "CSeq")
    if entry.to_tag != final.to_tag:
        yield Violation(f"tag {final.to_tag} of {final.label}", f"tag {entry.to_tag}", "To")
    yield from _hop_by_hop(entry, invite)


@rule("sip.cancel.form", on=Kind.REQUEST, methods=("CANCEL",))
def cancel_form(entry: SipEntry, flow: Flow) -> Outcomes:
    target = entry.transaction.cancels if entry.transaction else None
    if target is None:
        yield Unverifiable("the request cancelled is not on the timeline")
        return
    yield APPLIES
    request = target.request
    yield from _same_target(entry, request)
    if (entry.cseq.number if entry.cseq else None) != (request.cseq.number if request.cseq else None):
        yield Violation(f"{request.cseq}", f"{entry.cseq}", "CSeq")
    if entry.to_tag != request.to_tag:
        yield Violation(f"tag {request.to_tag}", f"tag {entry.to_tag}", "To")
    yield from _hop_by_hop(entry, request)


def _same_target(entry: SipEntry, origin: SipEntry) -> Outcomes:
    """Request-URI, Call-ID, From and To URI of the request meant (9.1, 17.1.1.3)."""
    if entry.request is None or origin.request is None:
        return
    if not same_uri_text(entry.request.uri, origin.request.uri):
        yield Violation(shown(origin.request.uri), shown(entry.request.uri), "start line")
    if entry.call_id != origin.call_id:
        yield Violation(shown(str(origin.call_id)), shown(str(entry.call_id)), "Call-ID")
    for name, sent, meant in (("From", entry.from_, origin.from_), ("To", entry.to, origin.to)):
        if sent is not None and meant is not None and not same_uri(sent.uri, meant.uri):
            yield Violation(shown(meant.uri.text), shown(sent.uri.text), name)
    if entry.from_tag != origin.from_tag:
        yield Violation(f"tag {origin.from_tag}", f"tag {entry.from_tag}", "From")


def _hop_by_hop(entry: SipEntry, origin: SipEntry) -> Outcomes:
    """One Via equal to the top one, the Route copied, nothing required (9.1, 17.1.1.3, 8.2.2.3)."""
    if origin.via is not None and entry.vias:
        if len(entry.vias) != 1:
            yield Violation("one Via", str(len(entry.vias)), "Via")
        elif not same_via(origin.via, entry.vias[0], top=False):
            yield Violation(shown(str(origin.via)), shown(str(entry.vias[0])), "Via")
    meant = reading(lambda: origin.sip.routes) or []
    sent = reading(lambda: entry.sip.routes) or []
    if len(meant) != len(sent) or not all(map(same_route, meant, sent)):
        yield Violation("the Route of the request", entry.sip.get("Route") or "another or none", "Route")
    for name in ("Require", "Proxy-Require"):
        if entry.sip.get(name) is not None:
            yield Violation(f"no {name}", entry.sip.get(name) or "", name)


@rule("sip.cancel.after-1xx", on=Kind.REQUEST, methods=("CANCEL",))
def cancel_after_provisional(entry: SipEntry, flow: Flow) -> Outcomes:
    target = entry.transaction.cancels if entry.transaction else None
    if target is None:
        return
    yield APPLIES
    if not target.responses and flow.assembly.incomplete:
        yield Unverifiable("the provisional response may be in a gap of the capture")
    elif not target.responses:
        yield Violation(f"a provisional response to {target.request.label} first", "none yet")


@rule("sip.cancel.after-final", on=Kind.REQUEST, methods=("CANCEL",))
def cancel_after_final(entry: SipEntry, flow: Flow) -> Outcomes:
    target = entry.transaction.cancels if entry.transaction else None
    if target is None:
        return
    yield APPLIES
    if target.method != "INVITE":
        yield Violation("CANCEL of an INVITE", f"of {target.method}")
    elif target.final is not None:
        yield Violation("no CANCEL after the final response", f"{target.final.status} came before")


@rule("sip.cancel.answer", on=Kind.RESPONSE, methods=("CANCEL",))
def cancel_answer(entry: SipEntry, flow: Flow) -> Outcomes:
    target = entry.transaction.cancels if entry.transaction else None
    if target is None:
        return
    yield APPLIES
    if entry.status != 200:
        yield Violation("200 to a CANCEL that matches", str(entry.status), "start line")


@rule("sip.cancel.487", on=Kind.REQUEST, methods=("CANCEL",), after=PROMPT, receiver=True)
def cancelled_invite_answer(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if transaction is None:
        return
    yield APPLIES
    target = transaction.cancels
    if target is None:
        if flow.from_start and transaction.accepted is not None:
            yield Violation("481 to a CANCEL without its request", str(transaction.accepted.status))
        return
    final = target.final
    if target.method != "INVITE" or (
        final is not None and (final.status in (487, 401, 407) or final.status < 300)
    ):
        return
    if final is None or final.place > entry.place:
        yield Violation(f"487 to {target.request.label}", "nothing" if final is None else str(final.status))
