"""IMS rules on +sip.instance: its form, where it stands, that it stays (RFC 5626 4.1, RFC 7255 5)."""

from __future__ import annotations

import re

from harness.evidence.timeline import Layer
from harness.sip.headers import NameAddr
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import same_uri, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Severity, Violation
from harness.verify.items import SipEntry

_IMEI = re.compile(r"urn:gsma:imei:\d{8}-\d{6}-\d(?:;svn=\d\d)?(?:;vers=0)?", re.IGNORECASE)
_OTHER_URN = re.compile(r"urn:(?!uuid:|gsma:)[a-z0-9][a-z0-9-]{1,31}:[^\s<>\"]+", re.IGNORECASE)
_UUID_URN = re.compile(r"urn:uuid:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def _instances(entry: SipEntry) -> list[str]:
    """+sip.instance values as written between the quotes."""
    return [
        value for contact in entry.contacts if (value := contact.parameters.get("+sip.instance")) is not None
    ]


@rule("ims.sip-instance.form", on=Kind.SIP)
def instance_form(entry: SipEntry, flow: Flow) -> Outcomes:
    for contact in entry.contacts:
        if "+sip.instance" not in contact.parameters:
            continue
        yield APPLIES
        raw = contact.parameters.raw("+sip.instance") or ""
        inner = raw[2:-2]
        enclosed = raw.startswith('"<') and raw.endswith('>"')
        if enclosed and (_IMEI.fullmatch(inner) or _UUID_URN.fullmatch(inner)):
            continue
        # Another scheme is legal where an RFC says how to use it here (5626 4.1), as 8464 does.
        other = enclosed and _OTHER_URN.fullmatch(inner) is not None
        severity = Severity.INFO if other else None
        expected = '"<urn:gsma:imei:8-6-1 digits>" or "<urn:uuid:...>"'
        yield Violation(expected, shown(raw), "Contact", severity=severity)


@rule("ims.sip-instance.spare-zero", on=Kind.SIP)
def instance_spare(entry: SipEntry, flow: Flow) -> Outcomes:
    for value in _instances(entry):
        found = re.match(r"<?urn:gsma:imei:\d{8}-\d{6}-(\d)", value, re.IGNORECASE)
        if found is None:
            continue
        yield APPLIES
        if found[1] != "0":
            yield Violation("spare digit 0", found[1], "Contact")


@rule("ims.sip-instance.non-register", on=Kind.SIP)
def instance_elsewhere(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.method == "REGISTER" or _is_emergency(entry):
        return
    if not entry.contacts:
        return
    yield APPLIES
    for value in _instances(entry):
        if "urn:gsma:imei:" in value.lower():
            yield Violation("the IMEI in REGISTER only", shown(value), "Contact")


def _is_emergency(entry: SipEntry) -> bool:
    """Related to an emergency session, in which the IMEI may be told (RFC 7255 5, 6)."""
    opening = entry.dialog.creation.request if entry.dialog else entry
    if opening.request is None and opening.transaction is not None:
        opening = opening.transaction.request
    texts = [opening.request.uri if opening.request else "", opening.sip.get("To") or ""]
    return any("urn:service:sos" in text.lower() for text in texts)


@rule("ims.sip-instance.no-svn", on=Kind.SIP)
def instance_without_version(entry: SipEntry, flow: Flow) -> Outcomes:
    for value in _instances(entry):
        if "urn:gsma:imei:" not in value.lower():
            continue
        yield APPLIES
        if re.search(r";\s*svn=", value, re.IGNORECASE):
            yield Violation("no svn, which changes with the software", shown(value), "Contact")


# -- that it stays ------------------------------------------------------------------------------------------


@rule("ims.sip-instance.identical", on=Kind.REQUEST, methods=("REGISTER",))
def instance_identical(entry: SipEntry, flow: Flow) -> Outcomes:
    """Of one user agent: by its Call-ID, since behind one address there may be several."""
    own = _instances(entry)
    earlier = (
        _instances(known.request)
        for known in flow.assembly.transactions_of(entry.call_id)
        if known.method == "REGISTER" and known.request.place < entry.place
    )
    before = next(filter(None, earlier), [])
    if not own or not before:
        return
    yield APPLIES
    if not set(own) & set(before):
        yield Violation(shown(before[0]), shown(own[0]), "Contact")


@rule("ims.sip-instance.uuid-alternative", on=Kind.REQUEST, methods=("REGISTER",))
def instance_lasts(entry: SipEntry, flow: Flow) -> Outcomes:
    """A handset that was seen to start again keeps its UUID, whatever else is new."""
    own = [value for value in _instances(entry) if value.lower().startswith("<urn:uuid:")]
    restarts = [event.time for event in flow.assembly.events(Layer.ADB, "reboot") if event.time < entry.time]
    if not own or not restarts or len({known.aor for known in flow.assembly.registrations}) > 1:
        return
    before = [
        value
        for known in flow.assembly.registrations
        if known.since < restarts[-1]
        for value in _instances(known.transaction.request)
    ]
    if not before:
        return
    yield APPLIES
    if own[0].lower() != before[-1].lower():
        yield Violation(f"{shown(before[-1])}, as before the restart", shown(own[0]), "Contact")


@rule("ims.sip-instance.consistent", on=Kind.SIP)
def instance_registered(entry: SipEntry, flow: Flow) -> Outcomes:
    """Where the Contact is the one registered, which tells this user agent from others at its address."""
    if entry.method == "REGISTER":
        return
    for contact in entry.contacts:
        own = contact.parameters.get("+sip.instance")
        bound = _bound(contact, entry, flow) if own is not None else None
        if own is None or bound is None:
            continue
        yield APPLIES
        if _urn(own) != _urn(bound):
            yield Violation(f"{shown(bound)}, as registered", shown(own), "Contact")


def _bound(contact: NameAddr, entry: SipEntry, flow: Flow) -> str | None:
    """The instance with which the Contact stands registered."""
    state = flow.assembly.registration_of(entry)
    for asked in state.asked if state is not None else ():
        if same_uri(asked.uri, contact.uri):
            return asked.parameters.get("+sip.instance")
    return None


def _urn(value: str) -> str:
    """A URN of IMEI or UUID, free of case and of parameters that tell nothing about the instance."""
    return value.strip("<>").partition(";")[0].lower()
