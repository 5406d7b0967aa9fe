"""SIP rules on the Reason header (RFC 3326 2)."""

from __future__ import annotations

from functools import partial

from harness.sip.session_headers import Reason
from harness.sip.start_line import REASONS
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Violation
from harness.verify.items import SipEntry, reading

# What the cause of a protocol may be (RFC 3326 2: status codes, and 7 bits of Q.850).
_CAUSES = {"SIP": range(100, 700), "Q.850": range(128)}
_RCS_REASONS = {200: "Call completed", 410: "Gone"}


@rule("sip.reason.syntax", on=Kind.REQUEST)
def reason_syntax(entry: SipEntry, flow: Flow) -> Outcomes:
    seen: set[str] = set()
    for value in entry.sip.values(Reason.header):
        yield APPLIES
        reason = reading(partial(Reason.parse, value))
        if reason is None:
            yield Violation("protocol;cause=digits;text=quoted", shown(value), Reason.header)
            continue
        protocol = reason.protocol.upper()
        causes = _CAUSES.get(protocol)
        if causes is not None and reason.cause is not None and reason.cause not in causes:
            expected = f"a cause of {protocol} from {causes[0]} to {causes[-1]}"
            yield Violation(expected, shown(value), Reason.header)
        if protocol in seen and protocol in _CAUSES:
            yield Violation(f"one reason for {protocol}", "more than one", Reason.header)
        seen.add(protocol)


@rule("sip.reason.text-matches", on=Kind.REQUEST, methods=("BYE",))
def reason_text(entry: SipEntry, flow: Flow) -> Outcomes:
    for value in entry.sip.values(Reason.header):
        reason = reading(partial(Reason.parse, value))
        if reason is None or reason.protocol.upper() != "SIP" or reason.cause not in _CAUSES["SIP"]:
            continue
        cause, text = reason.cause, reason.text
        if cause is None or not text:
            continue
        yield APPLIES
        own = {REASONS.get(cause, ""), _RCS_REASONS.get(cause, "")} - {""}
        if any(text.lower().startswith(phrase.lower()) for phrase in own):
            continue
        phrases = {**{phrase: status for status, phrase in REASONS.items()}, "Call completed": 200}
        other = [
            status
            for phrase, status in phrases.items()
            if len(phrase) > 2 and text.lower().startswith(phrase.lower())
        ]
        if other and other[0] != cause:
            yield Violation(
                f"the text of {cause}, or none of another status",
                f"{text!r}, which goes with {other[0]}",
                "Reason",
            )
