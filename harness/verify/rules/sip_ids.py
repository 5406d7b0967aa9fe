"""SIP rules on what may be used once: branches and Call-IDs (RFC 3261 8.1.1.4, 8.1.1.7, 17.1.1.3)."""

from __future__ import annotations

from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import same_uri, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Violation
from harness.verify.items import SipEntry

_KEEPS_ITS_CALL_ID = ("REGISTER", "PUBLISH", "ACK", "CANCEL")
"""Methods whose requests outside dialogs belong together by their Call-ID (10.2, 9.1, 17.1.1.3)."""


@rule("sip.via.branch-unique", on=Kind.REQUEST)
def branch_unique(entry: SipEntry, flow: Flow) -> Outcomes:
    branch = entry.branch
    if not branch or not branch.startswith("z9hG4bK") or entry.method == "CANCEL":
        return
    yield APPLIES
    if entry.method == "ACK":
        invite = entry.transaction
        if invite is not None and invite.accepted is not None and branch == invite.request.branch:
            yield Violation(
                "a branch of its own in the ACK to a 2xx", f"that of {invite.request.label}", "Via"
            )
        return
    for known in flow.assembly.transactions_on(branch):
        earlier = known.request
        if (
            known.method == "CANCEL"
            or earlier.place >= entry.place
            or earlier.source.host != entry.source.host
            or _is_same_request(earlier, entry)
        ):
            continue
        yield Violation("a branch not used before", f"{shown(branch)}, as in {earlier.label}", "Via")
        return
    before = flow.assembly.remembered.branch(entry)
    if before is not None:
        yield Violation("a branch not used before", f"{shown(branch)}, as in {before}", "Via")


def _is_same_request(one: SipEntry, other: SipEntry) -> bool:
    """By its ids no new transaction, but a repeat whose octets differ (a Timestamp, a hop that rewrites)."""
    return (one.method, one.cseq, one.call_id) == (other.method, other.cseq, other.call_id)


@rule("sip.callid.unique", on=Kind.REQUEST)
def call_id_unique(entry: SipEntry, flow: Flow) -> Outcomes:
    """A request sent again, amended or not, is the same one: by its method, its tag and whom it is for."""
    if entry.to_tag or not entry.call_id or entry.method in _KEEPS_ITS_CALL_ID:
        return
    yield APPLIES
    for known in flow.assembly.transactions_of(entry.call_id):
        earlier = known.request
        if (
            earlier.place < entry.place
            and earlier.source.host == entry.source.host
            and known.method not in _KEEPS_ITS_CALL_ID
            and not earlier.to_tag
            and not _is_related(earlier, entry)
        ):
            actual = f"{shown(entry.call_id)}, as in {earlier.label}"
            yield Violation("a Call-ID not used before", actual, "Call-ID")
            return
    before = flow.assembly.remembered.new_call(entry)
    if before is not None:
        yield Violation("a Call-ID not used before", f"{shown(entry.call_id)}, as in {before}", "Call-ID")


def _is_related(earlier: SipEntry, entry: SipEntry) -> bool:
    chain = entry.transaction is not None and earlier.transaction is not None
    if chain and entry.transaction.first is earlier.transaction.first:  # type: ignore[union-attr]
        return True
    to_same = earlier.to is None or entry.to is None or same_uri(earlier.to.uri, entry.to.uri)
    return (earlier.method, earlier.from_tag) == (entry.method, entry.from_tag) and to_same
