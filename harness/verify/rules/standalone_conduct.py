"""Rules on how large messages are sent and taken, and deferred ones fetched.

OMA CPM as its clients have it; RFC 4975 8.8 (sessions that are taken without asking anybody).
"""

from __future__ import annotations

from harness.cpm.profiles import Profile
from harness.cpm.services import Service
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import contact_icsis, same_uri_text, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Unverifiable, Violation
from harness.verify.items import CpimItem, SipEntry
from harness.verify.msrp_items import MsrpEntry
from harness.verify.rules.imdn_chain import at_item, originals_of
from harness.verify.session_services import initial_invite, named_service

BOTH_MODES = "+g.gsma.rcs.cpm.pager-large"
_OF_A_USER = frozenset({480, 486, 600, 603})
"""What is answered when somebody declines, is busy, or does not answer (RFC 3261 21.4.18, 21.4.24, 21.6)."""


def _is_of(entry: SipEntry, service: Service) -> bool:
    return initial_invite(entry) is entry and named_service(entry) is service


# -- large messages -----------------------------------------------------------------------------------------


@rule("large.body.cpim-part", on=Kind.CPIM)
def headers_alone(item: CpimItem, flow: Flow) -> Outcomes:
    carrier = item.by_sip
    if carrier is None or item.cpim is None or not _is_of(carrier, Service.LARGE):
        return
    yield APPLIES
    if item.cpim.content:
        yield at_item(item, "CPIM headers alone, the content by MSRP", f"{len(item.cpim.content)} octets")


@rule("large.imdn-route", on=Kind.CPIM)
def comes_back_its_way(item: CpimItem, flow: Flow) -> Outcomes:
    """Not in a session of something else."""
    carrier = item.carrier
    for imdn in item.imdns:
        for known in originals_of(item, imdn, flow)[-1:]:
            asked = known.carrier
            if not isinstance(asked, MsrpEntry) or asked.session is None:
                continue
            invite = initial_invite(asked.session.invite)
            if invite is None or named_service(invite) is not Service.LARGE:
                continue
            yield APPLIES
            if isinstance(carrier, MsrpEntry) and carrier.session is not asked.session:
                expected = f"by MESSAGE, or in the session of {known.label}"
                yield at_item(item, expected, "in another session")


@rule("large.auto-accept", on=Kind.RESPONSE, methods=("INVITE",))
def nobody_is_asked(entry: SipEntry, flow: Flow) -> Outcomes:
    request = entry.transaction.request if entry.transaction is not None else None
    if request is None or entry.status < 200 or not _is_of(request, Service.LARGE):
        return
    yield APPLIES
    if entry.status in _OF_A_USER:
        yield Violation("a large message taken as any text is", f"{entry.status}, of a user", "start line")


@rule("large.pager-large-tag", on=Kind.REQUEST, methods=("REGISTER", "OPTIONS"), profiles=(Profile.UP2,))
def both_modes_by_one_tag(entry: SipEntry, flow: Flow) -> Outcomes:
    modes = {Service.PAGER.icsi, Service.LARGE.icsi}
    if not modes <= contact_icsis(entry.sip):
        return
    yield APPLIES
    if not any(BOTH_MODES in contact.parameters for contact in entry.contacts):
        yield Violation(f"{BOTH_MODES} beside the tags of both modes", "none", "Contact")


# -- deferred messages --------------------------------------------------------------------------------------


@rule("deferred.uri", on=Kind.REQUEST, methods=("INVITE",))
def fetched_where_it_is_provisioned(entry: SipEntry, flow: Flow) -> Outcomes:
    request, known = entry.request, flow.settings.deferred_messages
    if request is None or not _is_of(entry, Service.DEFERRED) or entry.sender is not Party.HANDSET:
        return
    if known is None:
        yield Unverifiable("the URI the handset is provisioned with is not told")
        return
    yield APPLIES
    if not same_uri_text(request.uri, known):
        yield Violation(f"the provisioned URI, {known}", shown(request.uri), "start line")


@rule("deferred.event", on=Kind.REQUEST, methods=("INVITE",))
def no_event_in_invite(entry: SipEntry, flow: Flow) -> Outcomes:
    """RFC 6665 8.2.1 defines Event for SUBSCRIBE and NOTIFY, others do for PUBLISH; nobody for INVITE."""
    if not _is_of(entry, Service.DEFERRED):
        return
    yield APPLIES
    event = entry.sip.get("Event")
    if event is not None:
        yield Violation("no Event in INVITE", shown(event), "Event")
