"""IMS rules on the service of a flow: P-Preferred-Service, Accept-Contact, Contact, Conversation- and
Contribution-ID.

RFC 6050, RFC 3841, RFC 3840 9, TS 24.229 7.2A.8.2, OMA CPM conversation functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.cpm.services import CPM_ICSIS, IARI_TAG, ICSI_PREFIX, ICSI_TAG, Service, decode_urn
from harness.sip.caller_preferences import AcceptContact
from harness.sip.grammar import Parameters
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import (
    accepted_icsis,
    contact_icsis,
    covers,
    has_sdp,
    is_anonymous,
    names_simple_im,
    option_tags,
    shown,
    stated_services,
    tag_values,
)
from harness.verify.engine import Flow
from harness.verify.finding import Outcomes, Severity, Unverifiable, Violation
from harness.verify.items import SipEntry, reading

INITIAL = ("INVITE", "MESSAGE")

_PLAIN_URN = re.compile(r"urn:urn-7:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*", re.IGNORECASE)
_NO_SERVICE_IN = frozenset({"ACK", "BYE", "CANCEL", "PRACK", "NOTIFY", "UPDATE", "INFO", "REGISTER"})
_LOOK_ALIKES = re.compile(r"\+?g\.3gpp\.(?:icsi|iari|app)[-_.]?ref", re.IGNORECASE)
_TAG_VALUE = re.compile(r"!?[A-Za-z0-9.\-%*_+`'~]+")
_DIRECTIVES = (
    {"proxy", "redirect"},
    {"cancel", "no-cancel"},
    {"fork", "no-fork"},
    {"recurse", "no-recurse"},
    {"parallel", "sequential"},
    {"queue", "no-queue"},
)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]{32,}", re.IGNORECASE)


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
    if is_initial(entry) and is_cpm(entry) and not stated_services(entry.sip):
        yield Violation("P-Preferred-Service", "none")


@rule("ims.p-preferred-service.plain-urn", on=Kind.REQUEST)
def preferred_service_plain(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.sip.get("P-Preferred-Service") is None:
        return
    values = entry.sip.values("P-Preferred-Service")
    for value in values:
        if not _PLAIN_URN.fullmatch(value.strip()):
            yield Violation("the plain URN", shown(value), "P-Preferred-Service")
    if len(values) > 1:  # the grammar of RFC 6050 4.2 has a list, its text wants one value
        yield Violation("one value", f"{len(values)}", "P-Preferred-Service")


@rule("ims.p-preferred-service.value", on=Kind.REQUEST, methods=INITIAL)
def preferred_service_value(entry: SipEntry, flow: Flow) -> Outcomes:
    if not is_initial(entry) or not is_cpm(entry) or is_notification(entry):
        return
    expected = {service.icsi for service in services_of(entry)}
    values = [value.strip().lower() for value in entry.sip.values("P-Preferred-Service")]
    plain = [value for value in values if _PLAIN_URN.fullmatch(value)]
    if expected and plain and not expected & set(plain):
        yield Violation(" or ".join(sorted(expected)), shown(plain[0]), "P-Preferred-Service")


@rule("ims.p-preferred-service.not-in-response", on=Kind.SIP)
def service_not_here(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.request is not None and entry.method not in _NO_SERVICE_IN:
        return
    for name in ("P-Preferred-Service", "P-Asserted-Service"):
        if entry.sip.get(name) is not None:
            # "There is no usage in responses" (RFC 6050 5.2) is no prohibition.
            place, severity = ("a response", Severity.SHOULD) if entry.response else (entry.method, None)
            yield Violation(f"no {name} in {place}", entry.sip.get(name) or "", name, severity=severity)


def _accept_contact_missing(entry: SipEntry) -> Outcomes:
    if not is_initial(entry) or not is_cpm(entry):
        return
    if not any(
        covers(icsi, urn) for urn in accepted_icsis(entry.sip) for icsi in CPM_ICSIS
    ) and not _has_look_alike(entry):
        yield Violation(
            f"a value with {ICSI_TAG} of the service",
            entry.sip.get("Accept-Contact") or "none",
            "Accept-Contact",
        )


@rule("ims.accept-contact.present", on=Kind.REQUEST, methods=INITIAL)
def accept_contact_present(entry: SipEntry, flow: Flow) -> Outcomes:
    yield from _accept_contact_missing(entry)


@rule("ims.accept-contact.present.network", on=Kind.REQUEST, methods=INITIAL)
def accept_contact_present_network(entry: SipEntry, flow: Flow) -> Outcomes:
    yield from _accept_contact_missing(entry)


@rule("ims.accept-contact.grammar", on=Kind.REQUEST)
def accept_contact_grammar(entry: SipEntry, flow: Flow) -> Outcomes:
    for value in entry.sip.values("Accept-Contact"):
        parameters = _accept_parameters(value)
        if parameters is None:
            yield Violation("* and parameters", shown(value), "Accept-Contact")
        elif parameters.duplicates:
            yield Violation(f"{parameters.duplicates[0]} once in a value", shown(value), "Accept-Contact")


def _accept_parameters(value: str) -> Parameters | None:
    parsed = reading(lambda: AcceptContact.parse(value))
    return parsed.parameters if parsed else None


def _raw_urn_tags(entry: SipEntry) -> Iterator[tuple[str, str, str]]:
    """(header, tag name, value as written) of ICSI and IARI tags in Accept-Contact."""
    for value in entry.sip.values("Accept-Contact"):
        parameters = _accept_parameters(value)
        for name, text in parameters.pairs if parameters else ():
            if name.lower() in (ICSI_TAG, IARI_TAG):
                yield "Accept-Contact", name, text or ""


@rule("ims.accept-contact.icsi-encoding", on=Kind.REQUEST)
def icsi_encoding(entry: SipEntry, flow: Flow) -> Outcomes:
    for header, name, text in _raw_urn_tags(entry):
        inner = text[1:-1]
        if len(text) < 2 or text[0] != '"' or text[-1] != '"':
            yield Violation(f"{name} in quotes", shown(text), header)
        elif not inner.startswith("<") and not all(
            _TAG_VALUE.fullmatch(part.strip()) for part in inner.split(",")
        ):
            yield Violation("URNs with their colons as %3A", shown(text), header)


@rule("ims.accept-contact.icsi-encoding.needless", on=Kind.REQUEST)
def icsi_encoding_needless(entry: SipEntry, flow: Flow) -> Outcomes:
    for header, _, text in _raw_urn_tags(entry):
        if re.search("%2[DE]", text, re.IGNORECASE) or text.strip('"').startswith("<"):
            yield Violation("only the colons escaped", shown(text), header)


@rule("ims.accept-contact.list", on=Kind.REQUEST)
def icsi_list(entry: SipEntry, flow: Flow) -> Outcomes:
    for header, _, text in _raw_urn_tags(entry):
        if re.search(r"\s", text):
            yield Violation("commas without white space", shown(text), header)


def _look_alikes(entry: SipEntry) -> Iterator[tuple[str, str]]:
    """(name, URN) of tags that look like an ICSI or IARI tag and are none."""
    for value in entry.sip.values("Accept-Contact"):
        parameters = _accept_parameters(value)
        for name in parameters or ():
            if name in (ICSI_TAG, IARI_TAG) or not _LOOK_ALIKES.fullmatch(name) or parameters is None:
                continue
            for urn in tag_values(parameters, name):
                if "3gpp" in urn:
                    yield name, urn


def _has_look_alike(entry: SipEntry) -> bool:
    return any(True for _ in _look_alikes(entry))


def _proper_urns(entry: SipEntry) -> set[str]:
    return {decode_urn(part) for _, _, text in _raw_urn_tags(entry) for part in text.strip('"').split(",")}


@rule("ims.accept-contact.tag-name", on=Kind.REQUEST)
def tag_name(entry: SipEntry, flow: Flow) -> Outcomes:
    for name, urn in _look_alikes(entry):
        if urn not in _proper_urns(entry):
            yield Violation(f"{ICSI_TAG} or {IARI_TAG}", name, "Accept-Contact")


@rule("ims.accept-contact.tag-extra", on=Kind.REQUEST)
def tag_extra(entry: SipEntry, flow: Flow) -> Outcomes:
    for name, urn in _look_alikes(entry):
        if urn in _proper_urns(entry):
            yield Violation("the proper tag alone", f"{name} beside it", "Accept-Contact")


@rule("ims.accept-contact.equals-pps", on=Kind.REQUEST, methods=INITIAL)
def accept_contact_equals_service(entry: SipEntry, flow: Flow) -> Outcomes:
    asked = {urn for urn in accepted_icsis(entry.sip) if urn.startswith(ICSI_PREFIX)}
    stated = [urn for urn in stated_services(entry.sip) if _PLAIN_URN.fullmatch(urn)]
    if (
        is_initial(entry)
        and asked
        and stated
        and not any(covers(parent, urn) for parent in asked for urn in stated)
    ):
        yield Violation(f"the service {stated[0]} or its parent", ", ".join(sorted(asked)), "Accept-Contact")


def _service_icsis(entry: SipEntry) -> set[str]:
    """ICSIs the request of the flow names in Accept-Contact, or by its service header."""
    request = entry if entry.request is not None else entry.transaction.request if entry.transaction else None
    if request is None or not is_initial(request) or not is_cpm(request):
        return set()
    stated = {urn for urn in stated_services(request.sip) if _PLAIN_URN.fullmatch(urn)}
    return set(accepted_icsis(request.sip) & CPM_ICSIS) or {urn.removesuffix(".group") for urn in stated}


def _contact_without_icsi(entry: SipEntry) -> Outcomes:
    if entry.response is not None and not (101 <= entry.status < 300 and entry.contacts):
        return
    icsis = _service_icsis(entry)
    if icsis and entry.contacts and not contact_icsis(entry.sip):
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
    if shown_icsis and expected and not shown_icsis & expected:
        yield Violation(", ".join(sorted(expected)), ", ".join(sorted(shown_icsis)), "Contact")


@rule("imdn.feature-tag", on=Kind.REQUEST, methods=("MESSAGE",))
def service_of_notification(entry: SipEntry, flow: Flow) -> Outcomes:
    stated = set(stated_services(entry.sip)) & CPM_ICSIS
    named = stated or accepted_icsis(entry.sip) & CPM_ICSIS
    if is_notification(entry) and named and not any(covers(Service.PAGER.icsi, urn) for urn in named):
        header = "P-Preferred-Service" if entry.sip.get("P-Preferred-Service") else "Accept-Contact"
        yield Violation(f"{Service.PAGER.icsi}, as for a text", ", ".join(sorted(named)), header)


@rule("ims.request-disposition", on=Kind.REQUEST, methods=("MESSAGE",))
def request_disposition(entry: SipEntry, flow: Flow) -> Outcomes:
    if not is_initial(entry) or not is_cpm(entry):
        return
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


@rule("ims.conversation-id.present", on=Kind.REQUEST, methods=INITIAL)
def conversation_present(entry: SipEntry, flow: Flow) -> Outcomes:
    if not is_initial(entry) or not is_cpm(entry):
        return
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


def _joins(entry: SipEntry) -> bool:
    """A group keeps its id, whoever joins it again or is called in again."""
    named = (*entry.sip.values("P-Preferred-Service"), *entry.sip.values("P-Asserted-Service"))
    return is_group(entry) or any(value.strip().lower() == Service.SESSION_GROUP.icsi for value in named)


@rule("ims.contribution-id.entropy", on=Kind.REQUEST, methods=INITIAL)
def contribution_entropy(entry: SipEntry, flow: Flow) -> Outcomes:
    value = entry.sip.get("Contribution-ID")
    if value and is_initial(entry) and not _UUID.fullmatch(value) and not _HEX.fullmatch(value):
        yield Violation("a UUID or 32 hexadecimal digits", shown(value), "Contribution-ID")


@rule("ims.ids.uuid", on=Kind.REQUEST, methods=INITIAL)
def ids_uuid(entry: SipEntry, flow: Flow) -> Outcomes:
    for name in ("Conversation-ID", "Contribution-ID"):
        value = entry.sip.get(name)
        if value and is_initial(entry) and not _UUID.fullmatch(value):
            yield Violation("a UUID", shown(value), name)


@rule("ims.ids.echo-in-2xx", on=Kind.RESPONSE, methods=INITIAL)
def ids_echoed(entry: SipEntry, flow: Flow) -> Outcomes:
    request = entry.transaction.request if entry.transaction else None
    if request is None or not is_initial(request) or not 200 <= entry.status < 300:
        return
    for name in ("Conversation-ID", "Contribution-ID"):
        asked, given = request.sip.get(name), entry.sip.get(name)
        if asked and asked != given:
            yield Violation(f"{name}: {shown(asked)}", given or "none", name)


@rule("ims.inreplyto", on=Kind.REQUEST, methods=INITIAL)
def in_reply_to(entry: SipEntry, flow: Flow) -> Outcomes:
    value = entry.sip.get("InReplyTo-Contribution-ID")
    if value is None or not is_initial(entry):
        return
    if any(
        item.sender is entry.sender.other for item in flow.assembly.requests_with("Contribution-ID", value)
    ):
        return
    if flow.from_start:
        yield Violation("a Contribution-ID of the other party", shown(value), "InReplyTo-Contribution-ID")
    else:
        yield Unverifiable("the message replied to may be older than the timeline")
