"""Rules on the sessions of a group: where it is founded and joined, under which name, how it is left.

RFC 5366 3 (the factory), RFC 4579; what CPM clients do. What is provisioned stands in the settings.
"""

from __future__ import annotations

from functools import partial

from harness.cpm.services import ICSI_PREFIX, Service
from harness.evidence.timeline import Layer
from harness.sip.session_headers import Reason
from harness.verify.body_parts import body_parts
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import (
    accepted_icsis,
    contact_icsis,
    option_tags,
    party_of,
    same_uri_text,
    shown,
    stated_services,
    uri_of,
)
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Violation
from harness.verify.items import EventItem, SipEntry, Transaction, reading
from harness.verify.session_services import focus_of, named_service

LIST, TAG = "recipient-list", "recipient-list-invite"
_COMPLETED, _GONE = 200, 410
_LEAVING_SECONDS, _TOLD_SECONDS = 10.0, 5.0
_LEAVE = "leave_group"


def _founds(entry: SipEntry) -> bool:
    """The INVITE of a chat with a list of whom to call in."""
    return not entry.to_tag and _is_chat(entry) and any(part.purpose == LIST for part in body_parts(entry))


def _is_chat(entry: SipEntry) -> bool:
    return named_service(entry) is Service.SESSION


# -- made, and joined ---------------------------------------------------------------------------------------


@rule("session.group.adhoc.uri", on=Kind.REQUEST, methods=("INVITE",))
def made_at_the_factory(entry: SipEntry, flow: Flow) -> Outcomes:
    """A user is no factory, whatever the handset is provisioned with."""
    request, factory = entry.request, flow.settings.conference_factory
    if request is None or not _founds(entry):
        return
    yield APPLIES
    if factory is not None and not same_uri_text(request.uri, factory):
        yield Violation(f"the conference factory, {factory}", shown(request.uri), "start line")
    elif factory is None and (uri := uri_of(request.uri)) is not None and party_of(uri).isdigit():
        yield Violation("the conference factory", shown(request.uri), "start line")


@rule("session.group.predef", on=Kind.REQUEST, methods=("INVITE",))
def joined_without_a_list(entry: SipEntry, flow: Flow) -> Outcomes:
    request = entry.request
    if request is None or entry.to_tag:
        return
    if not any(same_uri_text(request.uri, known) for known in flow.settings.groups):
        return
    yield APPLIES
    if any(part.purpose == LIST for part in body_parts(entry)):
        yield Violation("no list for a group that has its members", "a list of recipients", "body")
    if TAG in option_tags(entry.sip, "Require"):
        yield Violation(f"no Require: {TAG}", TAG, "Require")


@rule("session.group.pps", on=Kind.REQUEST, methods=("INVITE",))
def states_the_group(entry: SipEntry, flow: Flow) -> Outcomes:
    """The service header has the group form, which Accept-Contact and Contact never show."""
    if not _founds(entry):
        return
    yield APPLIES
    stated, group = stated_services(entry.sip), Service.SESSION_GROUP.icsi
    if stated and group not in stated:
        yield Violation(group, ", ".join(stated), "P-Preferred-Service")
    shown_in = (("Accept-Contact", accepted_icsis(entry.sip)), ("Contact", contact_icsis(entry.sip)))
    for header, urns in shown_in:
        if group in urns:
            session = Service.SESSION.icsi.removeprefix(ICSI_PREFIX)
            yield Violation(f"{session} in {header}", group.removeprefix(ICSI_PREFIX), header)


@rule("session.group.subject", on=Kind.REQUEST, methods=("INVITE",))
def subject_stays(entry: SipEntry, flow: Flow) -> Outcomes:
    conversation = entry.sip.get("Conversation-ID")
    if entry.to_tag or not conversation or not _is_chat(entry):
        return
    for known in reversed(flow.assembly.groups_joined(conversation)):
        before = known.request.sip.get("Subject")
        if before and known.request.place < entry.place:
            yield APPLIES
            now = entry.sip.get("Subject")
            if now is not None and now != before:
                yield Violation(f"Subject: {before}, as before", shown(now), "Subject")
            return


# -- left, and closed ---------------------------------------------------------------------------------------


def _group_of(entry: SipEntry) -> str:
    """The focus of the chat a BYE ends."""
    creation: Transaction | None = entry.dialog.creation if entry.dialog is not None else None
    if creation is None or creation.method != "INVITE" or not _is_chat(creation.request):
        return ""
    return focus_of(creation)


def _cause(entry: SipEntry) -> int | None:
    """Of the Reason with a SIP status (RFC 3326)."""
    for text in entry.sip.values("Reason"):
        found = reading(partial(Reason.parse, text))
        if found is not None and found.protocol.upper() == "SIP":
            return found.cause
    return None


@rule("session.group.leave", on=Kind.REQUEST, methods=("BYE",))
def leaves_for_good(entry: SipEntry, flow: Flow) -> Outcomes:
    """What the user meant is seen at the screen alone: a BYE without a Reason may be for a while."""
    if not _group_of(entry) or not _user_left(entry, flow):
        return
    yield APPLIES
    if _cause(entry) != _COMPLETED:
        expected = f'Reason: SIP;cause={_COMPLETED};text="Call completed" of who leaves for good'
        yield Violation(expected, shown(entry.sip.get("Reason") or "none"), "Reason")


def _user_left(entry: SipEntry, flow: Flow) -> bool:
    """The first BYE, after the touch, of a group that was there before it."""
    begun = entry.dialog.confirmed if entry.dialog is not None else None
    taps = [tap for tap in flow.assembly.events(Layer.ADB, "tap") if tap.fields.get("element") == _LEAVE]
    last = taps[-1] if taps else None
    if begun is None or last is None or not 0 <= entry.time - last.time <= _LEAVING_SECONDS:
        return False
    return begun.time <= last.time and not any(
        _is_bye_since(known.request, entry, last) for known in flow.assembly.transactions_by("BYE")
    )


def _is_bye_since(known: SipEntry, entry: SipEntry, tap: EventItem) -> bool:
    return known.sender is entry.sender and tap.time <= known.time and known.place < entry.place


@rule("session.group.closed", on=Kind.REQUEST, methods=("BYE",), after=_TOLD_SECONDS)
def closes_with_a_word(entry: SipEntry, flow: Flow) -> Outcomes:
    """That it is closed, and not the member put out, is told by the conference, before or after."""
    focus = _group_of(entry)
    if not focus or entry.sender is not Party.NETWORK or not flow.assembly.conferences.is_over(focus):
        return
    yield APPLIES
    if _cause(entry) != _GONE:
        expected = f'Reason: SIP;cause={_GONE};text="Gone" for a group that is closed'
        yield Violation(expected, shown(entry.sip.get("Reason") or "none"), "Reason")
