"""Rules on how sessions are taken, begun, taken over and begun anew, and who stands behind them (OMA CPM).

RFC 3892 2 (Referred-By), RFC 4579 4 (isfocus); what CPM clients do.
"""

from __future__ import annotations

from harness.bodies.resource_lists import MEDIA_TYPE, parse_resource_lists
from harness.cpm.services import Service
from harness.errors import BodySyntaxError
from harness.verify.body_parts import body_parts
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import party_of, shown, uri_of
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Unverifiable, Violation
from harness.verify.items import SipEntry
from harness.verify.rules.imdn_chain import at_item
from harness.verify.session_services import focus_of, initial_invite, named_service

REPLACES = "Session-Replaces"
_AFTER_RINGING = frozenset({480, 486, 487, 488, 600, 603})
"""What may come of an invitation a user was told of: no answer, busy, given up, not acceptable, declined."""


def _is_chat(entry: SipEntry) -> bool:
    return initial_invite(entry) is entry and named_service(entry) is Service.SESSION


# -- 1-1 chats ----------------------------------------------------------------------------------------------


@rule("session.accept-mode", on=Kind.RESPONSE, methods=("INVITE",))
def answered_as_a_user_would(entry: SipEntry, flow: Flow) -> Outcomes:
    """Whether it rings first is provisioned; who was told of it has a few answers."""
    transaction = entry.transaction
    if transaction is None or transaction.final is not entry or not _is_chat(transaction.request):
        return
    yield APPLIES
    rang = any(response.status == 180 for response in transaction.responses)
    if rang and entry.status >= 300 and entry.status not in _AFTER_RINGING:
        yield Violation("200, or 603 or 486 to decline, after 180", str(entry.status), "start line")


@rule("session.first-message", on=Kind.REQUEST, methods=("INVITE",))
def first_message_by_msrp(entry: SipEntry, flow: Flow) -> Outcomes:
    """Not as SIMPLE IM has it, in the INVITE."""
    if not _is_chat(entry) or entry.description is None:
        return
    yield APPLIES
    for item in entry.bodies:
        if item.cpim is not None and item.cpim.content:
            yield at_item(item, "the first message by MSRP", f"{len(item.cpim.content)} octets in the INVITE")


@rule("session.idle-close", on=Kind.REQUEST, methods=("INVITE",))
def begun_anew(entry: SipEntry, flow: Flow) -> Outcomes:
    """After the end of one chat the next has its Conversation-ID, and a Contribution-ID of its own."""
    conversation, own = entry.sip.get("Conversation-ID"), entry.sip.get("Contribution-ID")
    if not conversation or not own or not _is_chat(entry):
        return
    for known in reversed(flow.assembly.requests_with("Conversation-ID", conversation)):
        transaction = known.transaction
        if known.method != "INVITE" or known.place >= entry.place or transaction is None:
            continue
        if not _is_chat(known) or focus_of(transaction):
            continue
        accepted = transaction.accepted
        dialog = accepted.dialog if accepted is not None else None
        if dialog is not None and any(bye.place < entry.place for bye in dialog.byes):
            yield APPLIES
            if own == known.sip.get("Contribution-ID"):
                yield Violation(f"another Contribution-ID than that of {known.label}", own, "Contribution-ID")
            return


# -- sessions behind which stands another -------------------------------------------------------------------


@rule("ims.session-replaces", on=Kind.REQUEST, methods=("INVITE",))
def replaces_a_session(entry: SipEntry, flow: Flow) -> Outcomes:
    """In its header, or for one entry of a list."""
    named = [value for value in (entry.sip.get(REPLACES), *_in_list(entry)) if value]
    for value in named:
        known = flow.assembly.requests_with("Contribution-ID", value)
        if any(each.method == "INVITE" and each.place < entry.place for each in known):
            yield APPLIES
        elif not flow.from_start:
            yield Unverifiable("the session it replaces may be one of before the capture")
        else:
            yield APPLIES
            yield Violation("the Contribution-ID of the session it replaces", shown(value), REPLACES)


def _in_list(entry: SipEntry) -> list[str]:
    found: list[str] = []
    for part in body_parts(entry):
        if part.kind != MEDIA_TYPE:
            continue
        try:
            uris = [each.uri for each in parse_resource_lists(part.content).recipients]
        except BodySyntaxError:
            continue
        for uri in uris:
            headers = uri.partition("?")[2].split("&")
            found += [
                each.partition("=")[2] for each in headers if each.lower().startswith(f"{REPLACES.lower()}=")
            ]
    return found


@rule("ims.referred-by", on=Kind.REQUEST, methods=("INVITE",))
def names_who_invites(entry: SipEntry, flow: Flow) -> Outcomes:
    """Where From is the focus itself, and no user."""
    if entry.sender is not Party.NETWORK or initial_invite(entry) is not entry or entry.from_ is None:
        return
    focus = next((each for each in entry.contacts if "isfocus" in each.parameters), None)
    if focus is None or party_of(entry.from_.uri) != party_of(focus.uri):
        return
    yield APPLIES
    referrer = entry.sip.get("Referred-By")
    text = (referrer or "").partition("<")[2].partition(">")[0] or (referrer or "")
    if uri_of(text) is None:
        yield Violation("Referred-By, with who sends it", shown(referrer or "none"), "Referred-By")
