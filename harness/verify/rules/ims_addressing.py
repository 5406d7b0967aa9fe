"""IMS rules on addressing: Request-URI, user=phone, IMSI, Service-Route.

RFC 3261 8.1.1.1, RFC 3608 6.1, RFC 7315 4.2, TS 23.003, TS 24.229 5.1.2A.1.1, 5.4.3.3.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import replace

from harness.sip.grammar import NO_PARAMETERS
from harness.sip.headers import NameAddr
from harness.sip.uri import Uri
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import same_route, same_uri, shown, uri_of
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Severity, Violation
from harness.verify.items import SipEntry, reading
from harness.verify.rules.ims_identity import identities
from harness.verify.rules.ims_service import INITIAL, is_cpm, is_group, is_initial

_NOT_ROUTED_SO = frozenset({"REGISTER", "ACK", "CANCEL"})
_IMSI_USER = re.compile(r"\d{14,15}")


@rule("ims.request-uri.public", on=Kind.REQUEST, methods=INITIAL)
def request_uri_public(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.request is None or not is_initial(entry) or not is_cpm(entry) or is_group(entry):
        return
    uri = uri_of(entry.request.uri)
    if uri is None or "gr" in uri.parameters:
        return
    yield APPLIES
    number = re.fullmatch(r"\+?[\d\-.()]+", uri.user or "") is not None
    if uri.scheme.lower() in ("sip", "sips") and number and (_is_ip(uri.host) or not _is_phone(uri)):
        yield Violation("tel, or sip with a domain and user=phone", shown(entry.request.uri), "start line")
    elif number and entry.to is not None and not same_uri(uri, entry.to.uri):
        yield Violation(f"equal to To, {shown(entry.to.uri.text)}", shown(entry.request.uri), "start line")


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _is_phone(uri: Uri) -> bool:
    return (uri.parameters.get("user") or "").lower() == "phone"


@rule("ims.user-phone", on=Kind.REQUEST)
def user_phone(entry: SipEntry, flow: Flow) -> Outcomes:
    for name, uri in _addressed(entry):
        if uri.scheme.lower() not in ("sip", "sips"):
            continue
        yield APPLIES
        if re.fullmatch(r"\+\d+", uri.user or "") and not _is_phone(uri):
            yield Violation("user=phone beside a number", shown(uri.text), name)
        elif _IMSI_USER.fullmatch(uri.user or "") and _is_phone(uri):
            yield Violation("no user=phone beside an IMSI", shown(uri.text), name)


def _addressed(entry: SipEntry) -> Iterator[tuple[str, Uri]]:
    """Whom a request is for, and who the handset says it is.

    What a network shows as originator is left out: interworking units write it as they got it.
    """
    target = uri_of(entry.request.uri) if entry.request else None
    if target is not None and not _is_ip(target.host):
        yield "start line", target
    if entry.to is not None:
        yield "To", entry.to.uri
    if entry.sender == "handset":
        if entry.from_ is not None and not entry.to_tag:
            yield "From", entry.from_.uri
        for item in identities(entry, "P-Preferred-Identity") or ():
            yield "P-Preferred-Identity", item.uri


@rule("ims.imsi-derived", on=Kind.REQUEST, methods=INITIAL)
def imsi_derived(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.from_ is None or entry.to_tag:
        return
    yield APPLIES
    if _IMSI_USER.fullmatch(entry.from_.uri.user or ""):
        yield Violation("a public identity of the subscription", shown(entry.from_.uri.text), "From")


@rule("ims.request-uri.contact-mt", on=Kind.REQUEST, methods=(*INITIAL, "OPTIONS"))
def request_uri_contact(entry: SipEntry, flow: Flow) -> Outcomes:
    state = flow.assembly.registration_of(entry)
    bound = [contact.uri for contact in state.asked] if state is not None else []
    target = uri_of(entry.request.uri) if entry.request is not None else None
    if entry.to_tag or not bound or target is None or "gr" in target.parameters:
        return
    yield APPLIES
    if not any(same_uri(_bare(target), _bare(uri)) for uri in bound):
        expected = f"the Contact registered, {', '.join(uri.text for uri in bound)}"
        yield Violation(shown(expected, 160), shown(target.text), "start line")
    if entry.sip.get("P-Called-Party-ID") is None:
        yield Violation("P-Called-Party-ID, who was called", "none")


def _bare(uri: Uri) -> Uri:
    return replace(uri, parameters=NO_PARAMETERS, headers="")


@rule("ims.route.service-route", on=Kind.REQUEST)
def route_of_registration(entry: SipEntry, flow: Flow) -> Outcomes:
    state = flow.assembly.registration_of(entry)
    if state is None or not state.service_route or entry.to_tag or entry.method in _NOT_ROUTED_SO:
        return
    yield APPLIES
    values = entry.sip.values("Route")
    if values[-len(state.service_route) :] == state.service_route:
        return
    told = [reading(lambda text=text: NameAddr.parse(text)) for text in state.service_route]  # type: ignore[misc]
    service = [route for route in told if route is not None]
    routes = reading(lambda: entry.sip.routes) or []
    used = [route for route in routes if any(same_uri(route.uri, each.uri) for each in service)]
    expected = f"the P-CSCF and {', '.join(state.service_route)}"
    actual = shown(", ".join(values) or "none", 160)
    if not used:
        # A UA may leave it to its proxy (RFC 3608 6.1); a handset of IMS does not.
        yield Violation(expected, actual, "Route", severity=Severity.SHOULD)
    elif len(routes[-len(service) :]) != len(service) or not all(
        map(same_route, routes[-len(service) :], service)
    ):
        yield Violation(expected, actual, "Route")
