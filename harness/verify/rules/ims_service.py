"""IMS rules on the service a flow is of: P-Preferred-Service, P-Asserted-Service, the tags of Contact.

RFC 6050, RFC 3840 9, RFC 3841, TS 24.229 7.2A.8.2. The other rules on services take from here what is which.
"""

from __future__ import annotations

import re

from harness.cpm.services import CPM_ICSIS, ICSI_TAG, Service
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import (
    accepted_icsis,
    contact_icsis,
    covers,
    has_sdp,
    names_simple_im,
    option_tags,
    shown,
    stated_services,
)
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Severity, Violation
from harness.verify.items import SipEntry

INITIAL = ("INVITE", "MESSAGE")
PLAIN_URN = re.compile(r"urn:urn-7:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*", re.IGNORECASE)
_NO_SERVICE_IN = frozenset({"ACK", "BYE", "CANCEL", "PRACK", "NOTIFY", "UPDATE", "INFO", "REGISTER"})
_DIRECTIVES = (
    {"proxy", "redirect"},
    {"cancel", "no-cancel"},
    {"fork", "no-fork"},
    {"recurse", "no-recurse"},
    {"parallel", "sequential"},
    {"queue", "no-queue"},
)


def is_initial(entry: SipEntry) -> bool:
    """An INVITE or MESSAGE outside a dialog."""
    return entry.request is not None and entry.method in INITIAL and not entry.to_tag


def is_cpm(entry: SipEntry) -> bool:
    """Whether the request belongs to a CPM service: it says so, or carries CPIM or an MSRP offer.

    Those of SIMPLE IM do too, and say otherwise.
    """
    message = entry.sip
    named = accepted_icsis(message) | set(stated_services(message)) | contact_icsis(message)
    if any(covers(icsi, urn) for urn in named for icsi in CPM_ICSIS):
        return True
    if names_simple_im(message):
        return False
    return bool(entry.bodies) or b"TCP/MSRP" in message.body or b"TCP/TLS/MSRP" in message.body


def is_notification(entry: SipEntry) -> bool:
    """A MESSAGE that carries an IMDN."""
    return any(item.is_notification for item in entry.bodies)


def is_group(entry: SipEntry) -> bool:
    """To several recipients, or of a focus."""
    message = entry.sip
    tags = option_tags(message, "Require")
    focus = any("isfocus" in contact.parameters for contact in entry.contacts)
    return (
        focus
        or b"resource-lists+xml" in message.body
        or any(tag.startswith("recipient-list") for tag in tags)
    )


def services_of(entry: SipEntry) -> frozenset[Service]:
    """The services the contents of an initial request allow; empty when they cannot tell."""
    body, group = entry.sip.body, is_group(entry)
    if entry.method == "MESSAGE":
        return frozenset({Service.PAGER_GROUP if b"resource-lists+xml" in body and group else Service.PAGER})
    if not has_sdp(entry.sip):
        return frozenset()
    if b"a=sendonly" in body:
        named = re.search(rb"a=file-selector:[^\r\n]*(?:name|hash|type):", body)
        large = {Service.LARGE, Service.LARGE_GROUP} if group else {Service.LARGE}
        return frozenset({Service.FILE_TRANSFER}) if named else frozenset(large)
    if b"a=recvonly" in body:
        return frozenset({Service.DEFERRED, Service.FILE_TRANSFER})
    return (
        frozenset({Service.SESSION, Service.SESSION_GROUP})
        if not group
        else frozenset({Service.SESSION_GROUP})
    )


@rule("ims.p-preferred-service.present", on=Kind.REQUEST, methods=INITIAL)
def preferred_service_present(entry: SipEntry, flow: Flow) -> Outcomes:
    if not is_initial(entry) or not is_cpm(entry):
        return
    yield APPLIES
    if not stated_services(entry.sip):
        yield Violation("P-Preferred-Service", "none")


@rule("ims.p-preferred-service.plain-urn", on=Kind.REQUEST)
def preferred_service_plain(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.sip.get("P-Preferred-Service") is None:
        return
    yield APPLIES
    values = entry.sip.values("P-Preferred-Service")
    for value in values:
        if not PLAIN_URN.fullmatch(value.strip()):
            yield Violation("the plain URN", shown(value), "P-Preferred-Service")
    if len(values) > 1:  # the grammar of RFC 6050 4.2 has a list, its text wants one value
        yield Violation("one value", f"{len(values)}", "P-Preferred-Service")


@rule("ims.p-preferred-service.value", on=Kind.REQUEST, methods=INITIAL)
def preferred_service_value(entry: SipEntry, flow: Flow) -> Outcomes:
    if not is_initial(entry) or not is_cpm(entry) or is_notification(entry):
        return
    expected = {service.icsi for service in services_of(entry)}
    values = [value.strip().lower() for value in entry.sip.values("P-Preferred-Service")]
    plain = [value for value in values if PLAIN_URN.fullmatch(value)]
    if not expected or not plain:
        return
    yield APPLIES
    if not expected & set(plain):
        yield Violation(" or ".join(sorted(expected)), shown(plain[0]), "P-Preferred-Service")


@rule("ims.p-preferred-service.not-in-response", on=Kind.SIP)
def service_not_here(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.request is not None and entry.method not in _NO_SERVICE_IN:
        return
    yield APPLIES
    for name in ("P-Preferred-Service", "P-Asserted-Service"):
        if entry.sip.get(name) is not None:
            # "There is no usage in responses" (RFC 6050 5.2) is no prohibition.
            place, severity = ("a response", Severity.SHOULD) if entry.response else (entry.method, None)
            yield Violation(f"no {name} in {place}", entry.sip.get(name) or "", name, severity=severity)


def _service_icsis(entry: SipEntry) -> set[str]:
    """ICSIs the request of the flow names in Accept-Contact, or by its service header."""
    request = entry if entry.request is not None else entry.transaction.request if entry.transaction else None
    if request is None or not is_initial(request) or not is_cpm(request):
        return set()
    stated = {urn for urn in stated_services(request.sip) if PLAIN_URN.fullmatch(urn)}
    return set(accepted_icsis(request.sip) & CPM_ICSIS) or {urn.removesuffix(".group") for urn in stated}


def _contact_without_icsi(entry: SipEntry) -> Outcomes:
    if entry.response is not None and not (101 <= entry.status < 300 and entry.contacts):
        return
    icsis = _service_icsis(entry)
    if not icsis or not entry.contacts:
        return
    yield APPLIES
    if not contact_icsis(entry.sip):
        yield Violation(f"{ICSI_TAG} of {', '.join(sorted(icsis))}", "a Contact without it", "Contact")


@rule("ims.contact.feature-tag", on=Kind.SIP, methods=("INVITE",))
def contact_feature_tag(entry: SipEntry, flow: Flow) -> Outcomes:
    yield from _contact_without_icsi(entry)


@rule("ims.contact.feature-tag.network", on=Kind.SIP, methods=("INVITE",))
def contact_feature_tag_network(entry: SipEntry, flow: Flow) -> Outcomes:
    yield from _contact_without_icsi(entry)


@rule("ims.contact.feature-tag-match", on=Kind.SIP, methods=("INVITE",))
def contact_feature_tag_match(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.response is not None and not 200 <= entry.status < 300:
        return
    shown_icsis, expected = contact_icsis(entry.sip), _service_icsis(entry)
    if not shown_icsis or not expected:
        return
    yield APPLIES
    if not shown_icsis & expected:
        yield Violation(", ".join(sorted(expected)), ", ".join(sorted(shown_icsis)), "Contact")


@rule("imdn.feature-tag", on=Kind.REQUEST, methods=("MESSAGE",))
def service_of_notification(entry: SipEntry, flow: Flow) -> Outcomes:
    stated = set(stated_services(entry.sip)) & CPM_ICSIS
    named = stated or accepted_icsis(entry.sip) & CPM_ICSIS
    if not is_notification(entry) or not named:
        return
    yield APPLIES
    if not any(covers(Service.PAGER.icsi, urn) for urn in named):
        header = "P-Preferred-Service" if entry.sip.get("P-Preferred-Service") else "Accept-Contact"
        yield Violation(f"{Service.PAGER.icsi}, as for a text", ", ".join(sorted(named)), header)


@rule("ims.request-disposition", on=Kind.REQUEST, methods=("MESSAGE",))
def request_disposition(entry: SipEntry, flow: Flow) -> Outcomes:
    if not is_initial(entry) or not is_cpm(entry):
        return
    yield APPLIES
    values = [value.strip().lower() for value in entry.sip.values("Request-Disposition")]
    if "no-fork" not in values:
        yield Violation("no-fork", ", ".join(values) or "none", "Request-Disposition")
        return
    for directives in _DIRECTIVES:
        if len([value for value in values if value in directives]) > 1:
            yield Violation("one directive of a kind", ", ".join(values), "Request-Disposition")
    unknown = [value for value in values if not any(value in directives for directives in _DIRECTIVES)]
    if unknown:
        yield Violation("directives of RFC 3841", ", ".join(unknown), "Request-Disposition")


@rule("ims.p-asserted-service", on=Kind.REQUEST, methods=INITIAL)
def asserted_service(entry: SipEntry, flow: Flow) -> Outcomes:
    if not is_initial(entry) or not is_cpm(entry):
        return
    yield APPLIES
    preferred = entry.sip.get("P-Preferred-Service")
    if preferred is not None:
        expected = "P-Asserted-Service in place of P-Preferred-Service"
        yield Violation(expected, shown(preferred), "P-Preferred-Service")
    elif entry.sip.get("P-Asserted-Service") is None:
        # A proxy that does not identify the service leaves both out (RFC 6050 5.1.2).
        yield Violation("P-Asserted-Service", "none", severity=Severity.INFO)
