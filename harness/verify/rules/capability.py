"""Rules on capabilities exchanged by OPTIONS: tags, whom it asks, its answer and media (RFC 3840, RCC.07)."""

from __future__ import annotations

from dataclasses import replace

from harness.cpm.profiles import Profile
from harness.cpm.services import (
    CPM_ICSIS,
    FEATURE_TAGS,
    IARI_TAG,
    ICSI_TAG,
    Service,
    encode_urn,
    iari_feature,
)
from harness.cpm.technology import SIP_IM_TAG
from harness.sip.grammar import Parameters
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import contact_icsis, shown, tag_values, uri_of
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Severity, Unverifiable, Violation
from harness.verify.items import SipEntry, reading
from harness.verify.negotiation_items import Description, Role
from harness.verify.rules.ims_service import INITIAL, is_initial
from harness.verify.rules.sdp_form import at, at_attribute

KNOWN = frozenset(tag.text.lower() for tag in FEATURE_TAGS)
_FOR_THE_NETWORK = frozenset(
    {"+g.3gpp.smsip", "+g.3gpp.nw-init-ussi", "+g.3gpp.mid-call", "+g.3gpp.srvcc-alerting"}
    | {"+g.3gpp.ps2cs-srvcc-orig-pre-alerting"}
)
"""Tags that are told to the network in REGISTER and to nobody else."""
_CHAT = iari_feature("rcse.im").lower()
_NOT_RCS = frozenset({404, 405, 501, 604})
"""Statuses by which an answer to OPTIONS says that its user has no RCS (RCC.07 2.6.1.1)."""
_OF_ONE_FILE = ("file-transfer-id", "file-disposition", "file-date", "file-icon", "file-range")


def _tags(parameters: Parameters) -> frozenset[str]:
    """Feature tags of a Contact as harness.cpm.services writes them, one for each URN, in lower case."""
    found = set()
    for name in parameters:
        lower = name.lower()
        if lower in (ICSI_TAG, IARI_TAG):
            found |= {f'{lower}="{encode_urn(urn)}"'.lower() for urn in tag_values(parameters, name)}
        elif lower.startswith("+g."):
            found.add(lower)
    return frozenset(found)


def _shown_by(entry: SipEntry) -> frozenset[str]:
    return frozenset().union(*(_tags(contact.parameters) for contact in entry.contacts))


def _exchanges(entry: SipEntry) -> bool:
    """A query outside dialogs that shows what its sender can do, or a 2xx to one."""
    request = entry if entry.request is not None else entry.transaction.request if entry.transaction else None
    accepted = entry.request is not None or 200 <= entry.status < 300
    return accepted and request is not None and not request.to_tag and bool(_shown_by(request))


@rule("options.contact-tags", on=Kind.SIP, methods=("OPTIONS",))
def shows_what_it_can_do(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _exchanges(entry):
        return
    yield APPLIES
    own = _shown_by(entry)
    if not own:
        yield Violation("a Contact with the feature tags of the handset", "none", "Contact")
        return
    registered = _registered(entry, flow)
    if registered is None:
        yield Unverifiable("what the handset has registered was not seen")
        return
    leave_out = _FOR_THE_NETWORK | {text.lower() for text in flow.settings.not_exchanged}
    missing, extra = registered - own - leave_out, own - registered
    if missing:
        yield Violation("the tags of its REGISTER", f"no {', '.join(sorted(missing))}", "Contact")
    if extra:
        yield Violation("the tags of its REGISTER", f"{', '.join(sorted(extra))} besides", "Contact")


def _registered(entry: SipEntry, flow: Flow) -> frozenset[str] | None:
    state = flow.assembly.registration_of(entry)
    return None if state is None else frozenset().union(*(_tags(each.parameters) for each in state.asked))


@rule("options.tag-known", on=Kind.SIP, methods=("OPTIONS",))
def tags_are_known(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _exchanges(entry):
        return
    yield APPLIES
    unknown = sorted(_shown_by(entry) - KNOWN)
    if unknown:
        yield Violation("tags of RCS (harness/cpm/services.py)", ", ".join(unknown), "Contact")


# -- the request --------------------------------------------------------------------------------------------


@rule("options.accept-contact", on=Kind.REQUEST, methods=("OPTIONS",))
def asks_for_rcs(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _exchanges(entry):
        return
    yield APPLIES
    asked = (reading(lambda: entry.sip.accept_contacts) or []) if "Accept-Contact" in entry.sip else []
    if not any(_tags(value.parameters) for value in asked):
        expected = "a value with a feature tag of RCS"
        yield Violation(expected, shown(entry.sip.get("Accept-Contact") or "none"), "Accept-Contact")


@rule("options.request-uri", on=Kind.REQUEST, methods=("OPTIONS",))
def asks_a_number(entry: SipEntry, flow: Flow) -> Outcomes:
    target = uri_of(entry.request.uri) if entry.request is not None else None
    if not _exchanges(entry) or target is None or "gr" in target.parameters:
        return  # a GRUU asks one device of a contact
    yield APPLIES
    by_number = target.scheme.lower() == "tel" or (target.parameters.get("user") or "").lower() == "phone"
    if not by_number:
        yield Violation("tel, or sip with user=phone", shown(target.text), "start line")


@rule("options.sip-im-tag", on=Kind.SIP, methods=("OPTIONS",), profiles=(Profile.RCS51,))
def shows_simple_im(entry: SipEntry, flow: Flow) -> Outcomes:
    """A handset whose chat is not that of CPM."""
    own = _shown_by(entry)
    if not _exchanges(entry) or contact_icsis(entry.sip) & CPM_ICSIS or not own & {_CHAT, SIP_IM_TAG}:
        return
    yield APPLIES
    if SIP_IM_TAG not in own:
        yield Violation(f"{SIP_IM_TAG} beside {_CHAT}", "none", "Contact")


@rule("options.sip-im-tag", on=Kind.SIP, methods=("OPTIONS",), profiles=(Profile.UP2,))
def shows_no_simple_im(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _exchanges(entry) or not contact_icsis(entry.sip) & CPM_ICSIS:
        return
    yield APPLIES
    if SIP_IM_TAG in _shown_by(entry):
        yield Violation("the tags of CPM alone", SIP_IM_TAG, "Contact")


# -- the answer ---------------------------------------------------------------------------------------------


@rule("options.result-mapping", on=Kind.RESPONSE, methods=("OPTIONS",))
def means_what_rcs_says(entry: SipEntry, flow: Flow) -> Outcomes:
    request = entry.transaction.request if entry.transaction else None
    if request is None or entry.status < 200 or not _exchanges(request):
        return
    yield APPLIES
    if entry.status == 408:
        # Networks answer so for a contact that is out of reach, as RCC.07 reads it.
        severity = Severity.INFO if entry.sender is not Party.HANDSET else None
        yield Violation("no 408 to a request other than INVITE", "408", "start line", severity=severity)
    elif entry.status in _NOT_RCS and entry.sender is Party.HANDSET and _registered(entry, flow):
        yield Violation("200, or another status of a user of RCS", str(entry.status), "start line")


@rule("options.sdp-ft", on=Kind.SDP)
def media_without_an_offer(description: Description, flow: Flow) -> Outcomes:
    if description.role is not Role.CAPABILITY or description.entry.response is None:
        return
    files = Service.FILE_TRANSFER.icsi in contact_icsis(description.entry.sip)
    for end in description.ends:
        yield APPLIES
        if end.port:
            yield at(description, end.media.offset, "port 0", str(end.port))
        for name in _OF_ONE_FILE:
            found = end.media.attribute(name)
            if found is not None:
                yield at_attribute(end, found, "file-selector alone", str(found))
    selectors = [end for end in description.ends if end.media.attribute("file-selector") is not None]
    if files and description.ends and not selectors:
        missing = at_attribute(
            description.ends[0], None, "an empty a=file-selector of who sends files", "none"
        )
        yield replace(missing, severity=Severity.SHOULD)


# -- what is used -------------------------------------------------------------------------------------------


@rule("options.consistency", on=Kind.REQUEST, methods=INITIAL)
def uses_what_it_announced(entry: SipEntry, flow: Flow) -> Outcomes:
    """What it shows in OPTIONS is compared by options.contact-tags."""
    state = flow.assembly.registration_of(entry)
    registered = contact_icsis(state.transaction.request.sip) & CPM_ICSIS if state else frozenset()
    stated = CPM_ICSIS & {value.strip().lower() for value in entry.sip.values("P-Preferred-Service")}
    if not is_initial(entry) or not registered or not stated:
        return
    yield APPLIES
    parents = {service.announced.icsi for service in Service if service.icsi in stated}
    if not (stated | parents) & registered:
        expected = f"a service it registered, of {', '.join(sorted(registered))}"
        yield Violation(expected, ", ".join(sorted(stated)), "P-Preferred-Service")
