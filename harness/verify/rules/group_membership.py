"""Rules on how a handset comes back to a group, and how it brings others in.

RFC 3515, RFC 5368 4 to 7, RFC 4488; what CPM clients do when they rejoin.
"""

from __future__ import annotations

from urllib.parse import unquote

from harness.cpm.services import Service
from harness.sip.event_headers import ReferTo
from harness.verify.body_parts import body_parts
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import option_tags, same_uri_text, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Unverifiable, Violation
from harness.verify.items import SipEntry, Transaction, reading
from harness.verify.session_services import focus_of, named_service

LIST = "recipient-list"


# -- coming back --------------------------------------------------------------------------------------------


@rule("session.group.rejoin", on=Kind.REQUEST, methods=("INVITE",))
def comes_back_to_the_focus(entry: SipEntry, flow: Flow) -> Outcomes:
    request = entry.request
    before = _group_before(entry, flow) if request is not None and _joins(entry) else None
    if before is None or request is None:
        return
    yield APPLIES
    focus = focus_of(before)
    anew = any(part.purpose == LIST for part in body_parts(entry))
    if anew:
        if _refused_at(focus, entry, flow):
            return
        if not flow.from_start:
            yield Unverifiable("that the focus was asked before may not have been captured")
        else:
            yield Violation(
                f"INVITE to the focus, {focus}, before a list again", "a list of recipients", "body"
            )
        return
    if not same_uri_text(request.uri, focus):
        yield Violation(f"the focus, {focus}", shown(request.uri), "start line")
    contribution = before.request.sip.get("Contribution-ID")
    if contribution and entry.sip.get("Contribution-ID") != contribution:
        actual = entry.sip.get("Contribution-ID") or "none"
        yield Violation(f"Contribution-ID: {contribution}", actual, "Contribution-ID")


def _joins(entry: SipEntry) -> bool:
    """It is to make a chat; a file goes to the focus too, in a session of its own."""
    return not entry.to_tag and named_service(entry) in (Service.SESSION, None)


def _group_before(entry: SipEntry, flow: Flow) -> Transaction | None:
    """The INVITE by which the group with that Conversation-ID was joined last, and that has ended."""
    conversation = entry.sip.get("Conversation-ID")
    for known in reversed(flow.assembly.groups_joined(conversation) if conversation else ()):
        if known.request.place < entry.place and _joins(known.request):
            return known
    return None


def _refused_at(focus: str, entry: SipEntry, flow: Flow) -> bool:
    """Whether an INVITE to the focus was answered 404 before: then the group is made anew."""
    for known in flow.assembly.requests_with("Conversation-ID", entry.sip.get("Conversation-ID") or ""):
        request, transaction = known.request, known.transaction
        if request is None or transaction is None or known.place >= entry.place:
            continue
        refused = any(response.status == 404 for response in transaction.responses)
        if refused and same_uri_text(request.uri, focus):
            return True
    return False


# -- bringing others in -------------------------------------------------------------------------------------


def _names_list(entry: SipEntry) -> bool:
    """Several targets: Refer-To points at a part of the body."""
    return (entry.sip.get("Refer-To") or entry.sip.get("r") or "").strip("< ").lower().startswith("cid:")


@rule("session.group.refer", on=Kind.REQUEST, methods=("REFER",))
def refers_to_a_list(entry: SipEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    text = entry.sip.get("Refer-To") or ""
    lists = [part for part in body_parts(entry) if part.purpose == LIST]
    if not _names_list(entry):
        if lists:
            yield Violation("a cid: URL of the list of recipients", shown(text) or "none", "Refer-To")
        elif reading(lambda: ReferTo.parse(text)) is None:
            yield Violation("one target", shown(text) or "none", "Refer-To")
        return
    content_id = unquote(text.strip("<> ")[len("cid:") :].partition(">")[0])
    if content_id not in {unquote(part.content_id) for part in lists}:
        yield Violation(f"a part of disposition {LIST} with Content-ID <{content_id}>", "none", "Refer-To")
    elif "multiple-refer" not in option_tags(entry.sip, "Require"):
        yield Violation("Require: multiple-refer", entry.sip.get("Require") or "none", "Require")


@rule("session.group.refer.norefersub", on=Kind.REQUEST, methods=("REFER",))
def wants_no_subscription(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _names_list(entry):
        return
    yield APPLIES
    if "norefersub" not in option_tags(entry.sip, "Require"):
        yield Violation("Require: norefersub", entry.sip.get("Require") or "none", "Require")
    if (entry.sip.get("Refer-Sub") or "").partition(";")[0].strip().lower() != "false":
        yield Violation("Refer-Sub: false", entry.sip.get("Refer-Sub") or "none", "Refer-Sub")
