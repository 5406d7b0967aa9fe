"""Registration rules on the binding: flows (RFC 5626), path and gruu, its lifetime, events and end."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.evidence.timeline import Layer
from harness.sip.headers import NameAddr
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import option_tags, same_uri, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Severity, Unverifiable, Violation
from harness.verify.items import EventItem, RegistrationState, SipEntry
from harness.verify.rules.registration import INSTANCE, registering, uris
from harness.verify.rules.sip_reliable import NOT_RECEIVED, received
from harness.verify.rules.sip_transaction import TRANSACTION_TIMEOUT

USUAL_LIFETIME = 600_000
"""Seconds a handset asks for (TS 24.229 5.1.1.2.1)."""
LONG_LIFETIME, EARLY = 1200, 600
"""Seconds: above the first a registration is refreshed the second before its end, else at half of it."""
_REGINFO = "application/reginfo+xml"
_SWITCHES_OFF = re.compile(r"\+CFUN=0|\+CPOF|\breboot\b|\bsvc power (?:shutdown|reboot)\b", re.IGNORECASE)


# -- flows, path, gruu --------------------------------------------------------------------------------------


@rule("reg.reg-id", on=Kind.REQUEST, methods=("REGISTER",))
def flow_number(entry: SipEntry, flow: Flow) -> Outcomes:
    outbound = "outbound" in option_tags(entry.sip, "Supported")
    for contact in uris(entry):
        number = contact.parameters.get("reg-id")
        if number is None and not outbound:
            continue
        yield APPLIES
        if number is None:
            # A UA may leave it out where it wants no flow (4.2.1, note).
            yield Violation("reg-id, for outbound", "none", "Contact", severity=Severity.SHOULD)
        elif not number.isdecimal() or not 0 < int(number[:11]) < 2**31:
            yield Violation("reg-id from 1 to 2**31-1", shown(number), "Contact")
        elif not outbound:
            actual = entry.sip.get("Supported") or "none"
            yield Violation("outbound in Supported beside reg-id", actual, "Supported")
        else:
            yield from _number_of_another_flow(entry, contact, flow)


def _number_of_another_flow(entry: SipEntry, contact: NameAddr, flow: Flow) -> Outcomes:
    """A flow registered under the same number since, while this one is still refreshed: both live."""
    made = [known for known in _before(entry, flow) if known.lifetime]
    same = [known for known in made if any(_flow_of(asked) == _flow_of(contact) for asked in known.asked)]
    calls = [known.call_id for known in same]
    if entry.call_id in calls and calls[-1] != entry.call_id:
        label = same[-1].transaction.request.label
        yield Violation("a reg-id no other flow has", f"that of {label}, another flow", "Contact")


def _before(entry: SipEntry, flow: Flow) -> Sequence[RegistrationState]:
    """What was registered for the same address of record."""
    return flow.assembly.registrations_of(entry.to.uri.text if entry.to else "")


def _flow_of(contact: NameAddr) -> tuple[str | None, str | None]:
    return contact.parameters.get(INSTANCE), contact.parameters.get("reg-id")


@rule("reg.supported", on=Kind.REQUEST, methods=("REGISTER",))
def path_for_outbound(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _is_outbound(entry):
        return
    yield APPLIES
    supported = option_tags(entry.sip, "Supported")
    if "path" not in supported:
        yield Violation("path in Supported", ", ".join(supported) or "none", "Supported")


@rule("reg.supported.gruu", on=Kind.REQUEST, methods=("REGISTER",))
def path_and_gruu(entry: SipEntry, flow: Flow) -> Outcomes:
    if not registering(entry):
        return
    yield APPLIES
    supported = option_tags(entry.sip, "Supported")
    if "path" not in supported and not _is_outbound(entry):
        yield Violation("path in Supported", ", ".join(supported) or "none", "Supported")
    if "gruu" not in supported and _has_gruu(entry, flow):
        yield Violation("gruu in Supported, since one was given", ", ".join(supported) or "none", "Supported")


def _is_outbound(entry: SipEntry) -> bool:
    tagged = "outbound" in option_tags(entry.sip, "Supported")
    return tagged or any("reg-id" in contact.parameters for contact in uris(entry))


def _has_gruu(entry: SipEntry, flow: Flow) -> bool:
    """Its last registration gave one, which it gets for asking alone (RFC 5627 4.2)."""
    given = [known.response for known in _before(entry, flow) if known.call_id == entry.call_id]
    return any("pub-gruu" in contact.parameters for last in given[-1:] for contact in last.contacts)


# -- lifetime -----------------------------------------------------------------------------------------------


@rule("reg.expires", on=Kind.REQUEST, methods=("REGISTER",))
def asks_for_usual_lifetime(entry: SipEntry, flow: Flow) -> Outcomes:
    general = entry.sip.get("Expires")
    for contact in registering(entry):
        yield APPLIES
        asked = (contact.parameters.get("expires") or general or "").strip()
        if asked.lstrip("0") != str(USUAL_LIFETIME):
            yield Violation(f"{USUAL_LIFETIME} seconds", shown(asked or "none asked for"), "Contact")
    before = [known for known in _before(entry, flow) if known.call_id == entry.call_id]
    if registering(entry) and before and before[-1].holds_at(entry.time):
        yield from _late(before[-1], entry, flow)


def _late(state: RegistrationState, entry: SipEntry, flow: Flow) -> Outcomes:
    """Refreshed long after it was due, although the handset was on the air then."""
    life = state.lifetime
    due = state.since + (life - EARLY if life > LONG_LIFETIME else life / 2) + TRANSACTION_TIMEOUT
    if entry.time > due and flow.assembly.heard_from(entry.source.host, due, entry.time - 1.0):
        expected = f"a refresh within {due - state.since:.0f} s of {life}"
        yield Violation(expected, f"after {entry.time - state.since:.0f} s", "start line")


@rule("reg.expires", on=Kind.REQUEST, methods=("INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE", "REFER"))
def registered_when_it_sends(entry: SipEntry, flow: Flow) -> Outcomes:
    last = flow.assembly.newest_registration(entry)
    if entry.to_tag or last is None or not last.lifetime or entry.sender is not Party.HANDSET:
        return
    yield APPLIES
    if last.ended_at is None and not last.holds_at(entry.time):
        passed = entry.time - last.since
        yield Violation(f"a REGISTER within the {last.lifetime} s granted", f"none for {passed:.0f} s")


# -- event package ------------------------------------------------------------------------------------------


@rule(
    "reg.event-package",
    on=Kind.RESPONSE,
    methods=("REGISTER",),
    after=TRANSACTION_TIMEOUT,
    receiver=True,
)
def subscribes_to_its_state(entry: SipEntry, flow: Flow) -> Outcomes:
    made = next((known for known in reversed(flow.assembly.registrations) if known.response is entry), None)
    due = entry.time + TRANSACTION_TIMEOUT
    if made is None or not made.holds_at(due) or _is_refresh(made, flow):
        return
    yield APPLIES
    subscribed = any(
        _is_of_registration(known.request) and known.request.source.host == entry.destination.host
        for known in flow.assembly.transactions_by("SUBSCRIBE")
    )
    if subscribed:
        return
    if received(entry, flow, due):
        yield Violation("SUBSCRIBE with Event: reg after the registration", "none")
    else:
        yield Unverifiable(NOT_RECEIVED)


def _is_refresh(made: RegistrationState, flow: Flow) -> bool:
    before = flow.assembly.registrations_of(made.aor)
    return any(known.response.place < made.response.place and known.lifetime for known in before)


@rule("reg.event-package", on=Kind.REQUEST, methods=("SUBSCRIBE",))
def asks_for_reginfo(entry: SipEntry, flow: Flow) -> Outcomes:
    """Without Accept it is application/reginfo+xml that is accepted (RFC 3680 4.5)."""
    if not _is_of_registration(entry):
        return
    yield APPLIES
    accepted = [value.partition(";")[0].strip().lower() for value in entry.sip.values("Accept")]
    if accepted and not {_REGINFO, "application/*", "*/*"} & set(accepted):
        yield Violation(f"Accept: {_REGINFO}", shown(", ".join(accepted)), "Accept")


def _is_of_registration(entry: SipEntry) -> bool:
    return (entry.sip.get("Event") or "").partition(";")[0].strip().lower() == "reg"


# -- its end ------------------------------------------------------------------------------------------------


@rule("reg.deregister", on=Kind.REQUEST, methods=("REGISTER",))
def ends_its_own_binding(entry: SipEntry, flow: Flow) -> Outcomes:
    text = (entry.sip.get("Contact") or "").strip()
    if text.startswith("*"):
        yield APPLIES
        expires = entry.sip.get("Expires") or "none"
        if expires.strip() != "0":
            yield Violation("Expires: 0 beside Contact: *", shown(expires), "Expires")
        if text != "*":
            yield Violation("* without parameters", shown(text), "Contact")
        return
    state = flow.assembly.registration_of(entry)
    if not _removes(entry) or state is None:
        return
    yield APPLIES
    bound = [contact.uri for contact in state.asked]
    for contact in uris(entry):
        if not any(same_uri(contact.uri, uri) for uri in bound):
            expected = f"the Contact registered, {shown(', '.join(uri.text for uri in bound))}"
            yield Violation(expected, shown(contact.uri.text), "Contact")


def _removes(entry: SipEntry) -> bool:
    return entry.method == "REGISTER" and bool(uris(entry)) and not registering(entry)


@rule("reg.deregister", on=Kind.EVENT, after="registration_window")
def deregisters_when_switched_off(event: EventItem, flow: Flow) -> Outcomes:
    command = f"{event.name} {event.fields.get('command', '')}"
    if event.layer not in (Layer.ADB, Layer.AT) or _SWITCHES_OFF.search(command) is None:
        return
    window = flow.settings.registration_window
    since = event.time - window
    standing = [known for known in flow.assembly.registrations if known.holds_at(since)]
    if len({known.aor for known in standing}) != 1:
        return
    yield APPLIES
    ended = any(
        known.request.sender is Party.HANDSET
        and abs(known.request.time - event.time) <= window
        and (_removes(known.request) or (known.request.sip.get("Contact") or "").strip() == "*")
        for known in flow.assembly.transactions_by("REGISTER")
    )
    if not ended:
        yield Violation("REGISTER with expires=0 when it is switched off", "none")
