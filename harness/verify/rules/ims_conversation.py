"""IMS rules on Conversation-ID, Contribution-ID and InReplyTo-Contribution-ID (OMA CPM)."""

from __future__ import annotations

import re

from harness.cpm.services import Service
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import is_anonymous, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Unverifiable, Violation
from harness.verify.items import SipEntry
from harness.verify.rules.ims_service import INITIAL, is_cpm, is_group, is_initial, is_notification

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]{32,}", re.IGNORECASE)


@rule("ims.conversation-id.present", on=Kind.REQUEST, methods=INITIAL)
def conversation_present(entry: SipEntry, flow: Flow) -> Outcomes:
    if not is_initial(entry) or not is_cpm(entry):
        return
    yield APPLIES
    values = entry.sip.get_all("Conversation-ID")
    if len(values) != 1 or not re.fullmatch(r"\S+", values[0]):
        yield Violation("one Conversation-ID", ", ".join(values) or "none", "Conversation-ID")


def _is_earlier(request: SipEntry, entry: SipEntry) -> bool:
    """Another initial CPM request before this one, and not one that this repeats."""
    own = entry.transaction.first if entry.transaction else None
    its = request.transaction.first if request.transaction else None
    return request.place < entry.place and its is not own and is_initial(request) and is_cpm(request)


@rule("ims.conversation-id.stable", on=Kind.REQUEST, methods=INITIAL)
def conversation_stable(entry: SipEntry, flow: Flow) -> Outcomes:
    value = entry.sip.get("Conversation-ID")
    if not value or not is_initial(entry) or not is_cpm(entry) or is_notification(entry):
        return
    if entry.from_ is None or entry.to is None or is_anonymous(entry.from_) or is_group(entry):
        return
    yield APPLIES
    last = None
    for request in reversed(flow.assembly.requests_between(entry.from_.uri, entry.to.uri)):
        known = request.sip.get("Conversation-ID")
        if not known or not _is_earlier(request, entry) or is_group(request):
            continue
        if known == value:
            return
        last = last or request
    if last is not None:
        expected = f"{last.sip.get('Conversation-ID')} of {last.label}"
        yield Violation(expected, shown(value), "Conversation-ID")


@rule("ims.contribution-id.present", on=Kind.REQUEST, methods=INITIAL)
def contribution_present(entry: SipEntry, flow: Flow) -> Outcomes:
    if not is_initial(entry) or not is_cpm(entry):
        return
    yield APPLIES
    value = entry.sip.get("Contribution-ID")
    if not value:
        yield Violation("Contribution-ID", "none", "Contribution-ID")
        return
    if entry.method == "INVITE" and (_joins(entry) or b"file-range" in entry.sip.body):
        return
    for request in flow.assembly.requests_with("Contribution-ID", value):
        accepted = request.transaction is not None and request.transaction.accepted is not None
        same_talk = request.sip.get("Conversation-ID") == entry.sip.get("Conversation-ID")
        if accepted and same_talk and _is_earlier(request, entry):
            yield Violation("a new value", f"that of {request.label}", "Contribution-ID")
            return
    before = flow.assembly.remembered.taken(value, entry.sip.get("Conversation-ID"))
    if before is not None:
        yield Violation("a new value", f"that of {before}", "Contribution-ID")


def _joins(entry: SipEntry) -> bool:
    """A group keeps its id, whoever joins it again or is called in again."""
    named = (*entry.sip.values("P-Preferred-Service"), *entry.sip.values("P-Asserted-Service"))
    return is_group(entry) or any(value.strip().lower() == Service.SESSION_GROUP.icsi for value in named)


@rule("ims.contribution-id.entropy", on=Kind.REQUEST, methods=INITIAL)
def contribution_entropy(entry: SipEntry, flow: Flow) -> Outcomes:
    value = entry.sip.get("Contribution-ID")
    if not value or not is_initial(entry):
        return
    yield APPLIES
    if not _UUID.fullmatch(value) and not _HEX.fullmatch(value):
        yield Violation("a UUID or 32 hexadecimal digits", shown(value), "Contribution-ID")


@rule("ims.ids.uuid", on=Kind.REQUEST, methods=INITIAL)
def ids_uuid(entry: SipEntry, flow: Flow) -> Outcomes:
    for name in ("Conversation-ID", "Contribution-ID"):
        value = entry.sip.get(name)
        if not value or not is_initial(entry):
            continue
        yield APPLIES
        if not _UUID.fullmatch(value):
            yield Violation("a UUID", shown(value), name)


@rule("ims.ids.echo-in-2xx", on=Kind.RESPONSE, methods=INITIAL)
def ids_echoed(entry: SipEntry, flow: Flow) -> Outcomes:
    request = entry.transaction.request if entry.transaction else None
    if request is None or not is_initial(request) or not 200 <= entry.status < 300:
        return
    for name in ("Conversation-ID", "Contribution-ID"):
        asked, given = request.sip.get(name), entry.sip.get(name)
        if not asked:
            continue
        yield APPLIES
        if asked != given:
            yield Violation(f"{name}: {shown(asked)}", given or "none", name)


@rule("ims.inreplyto", on=Kind.REQUEST, methods=INITIAL)
def in_reply_to(entry: SipEntry, flow: Flow) -> Outcomes:
    value = entry.sip.get("InReplyTo-Contribution-ID")
    if value is None or not is_initial(entry):
        return
    yield APPLIES
    if any(
        item.sender is entry.sender.other for item in flow.assembly.requests_with("Contribution-ID", value)
    ):
        return
    if flow.assembly.remembered.contribution(value, entry.sender.other) is not None:
        return
    if flow.from_start:
        yield Violation("a Contribution-ID of the other party", shown(value), "InReplyTo-Contribution-ID")
    else:
        yield Unverifiable("the message replied to may be older than the timeline")
