"""SIP rules on how addresses are written and where Record-Route and Contact may stand (RFC 3261 20)."""

from __future__ import annotations

import re

from harness.sip.grammar import split_list
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Violation
from harness.verify.items import SipEntry

_ADDRESS_HEADERS = (
    "Contact",
    "From",
    "To",
    "P-Preferred-Identity",
    "P-Asserted-Identity",
    "Refer-To",
    "Referred-By",
)
_ADDRESS_LISTS = ("Contact", "P-Preferred-Identity", "P-Asserted-Identity")
_ROUTE_HEADERS = ("Route", "Record-Route", "Path", "Service-Route")
_URI_PARAMETERS = frozenset(
    {"user", "lr", "transport", "maddr", "ttl", "method", "phone-context", "ext", "isub", "comp", "ob", "gr"}
)


def _bare(value: str) -> str:
    """The value without its quoted strings."""
    return re.sub(r'"(?:[^"\\]|\\.)*"', "", value)


@rule("sip.uri.angle-brackets", on=Kind.SIP)
def angle_brackets(entry: SipEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    for name in _ADDRESS_HEADERS:
        for field in entry.sip.all_fields(name):
            values = split_list(field.value) if name in _ADDRESS_LISTS else [field.value]
            for value in values:
                bare = _bare(value)
                uri = bare.split(";")[0]
                if "<" not in bare and ("?" in uri or "," in uri):
                    yield Violation("the URI in <>", shown(value), name, field.offset)
    for name in _ROUTE_HEADERS:
        for field in entry.sip.all_fields(name):
            if any("<" not in _bare(value) for value in split_list(field.value)):
                yield Violation("each URI in <>", shown(field.value), name, field.offset)


@rule("sip.uri.param-outside-brackets", on=Kind.SIP)
def parameter_outside_brackets(entry: SipEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    for name in _ADDRESS_HEADERS:
        for field in entry.sip.all_fields(name):
            for value in split_list(field.value) if name in _ADDRESS_LISTS else [field.value]:
                bare = _bare(value)
                behind = bare.rpartition(">")[2] if ">" in bare else bare
                names = [part.partition("=")[0].strip().lower() for part in behind.split(";")[1:]]
                for wrong in [name for name in names if name in _URI_PARAMETERS]:
                    yield Violation(f"{wrong} inside <>", shown(value), name, field.offset)


@rule("sip.record-route.misuse", on=Kind.REQUEST)
def record_route_misuse(entry: SipEntry, flow: Flow) -> Outcomes:
    value = entry.sip.get("Record-Route")
    # The NOTIFY of a subscription makes the dialog of its subscriber (RFC 6665 4.3, 4.4.1).
    without = entry.method == "MESSAGE" or (entry.to_tag and entry.method != "NOTIFY")
    if not without:
        return
    yield APPLIES
    if value is not None:
        yield Violation("no Record-Route here", shown(value), "Record-Route")


@rule("sip.record-route.register", on=Kind.SIP, methods=("REGISTER",))
def record_route_register(entry: SipEntry, flow: Flow) -> Outcomes:
    value = entry.sip.get("Record-Route")
    if entry.request is not None and entry.sender != "handset":
        return
    yield APPLIES
    if value is not None:
        yield Violation("no Record-Route with REGISTER", shown(value), "Record-Route")


@rule("sip.contact.bye-response", on=Kind.RESPONSE, methods=("BYE",))
def contact_in_bye_response(entry: SipEntry, flow: Flow) -> Outcomes:
    value = entry.sip.get("Contact")
    if entry.status >= 300:
        return
    yield APPLIES
    if value is not None:
        yield Violation("no Contact", shown(value), "Contact")
