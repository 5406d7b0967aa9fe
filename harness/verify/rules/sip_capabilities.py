"""SIP rules on what a side says it can do when a session is set up (RFC 3261 11.2, 13.2.1, 13.3.1.4)."""

from __future__ import annotations

from harness.cpm.services import Service
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import contact_icsis, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Violation
from harness.verify.items import SipEntry

_CORE = ("INVITE", "ACK", "CANCEL", "BYE")
_NEEDED = {Service.PAGER.icsi: ("MESSAGE",), Service.SESSION.icsi: _CORE}
"""What the announced services cannot do without."""


def _opens_session(entry: SipEntry) -> bool:
    """An INVITE outside a dialog, or a 2xx to one."""
    request = entry if entry.request is not None else entry.transaction.request if entry.transaction else None
    accepted = entry.request is not None or 200 <= entry.status < 300
    return accepted and request is not None and request.method == "INVITE" and not request.to_tag


@rule("sip.allow.in-invite", on=Kind.REQUEST, methods=("INVITE",))
def allow_in_invite(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _opens_session(entry):
        return
    yield APPLIES
    if entry.sip.get("Allow") is None:
        yield Violation("Allow", "none", "Allow")


@rule("sip.allow.in-2xx", on=Kind.RESPONSE, methods=("INVITE", "OPTIONS"))
def allow_in_2xx(entry: SipEntry, flow: Flow) -> Outcomes:
    if not 200 <= entry.status < 300 or entry.transaction is None:
        return
    if entry.method == "INVITE" and not _opens_session(entry):
        return
    if entry.method == "OPTIONS" and entry.sender is not Party.HANDSET and not entry.contacts:
        return  # a proxy answers for itself, and leaves Allow out (11.2)
    yield APPLIES
    if entry.sip.get("Allow") is None:
        yield Violation("Allow", "none", "Allow")
        return
    missing = [method for method in _CORE if method not in entry.sip.values("Allow")]
    if missing:
        yield Violation(
            f"{', '.join(_CORE)} among the methods", shown(entry.sip.get("Allow") or "empty"), "Allow"
        )


@rule("sip.allow.message", on=Kind.SIP)
def allow_for_its_services(entry: SipEntry, flow: Flow) -> Outcomes:
    """By what it shows in this message or has registered."""
    if entry.sip.get("Allow") is None or (entry.response is not None and not 200 <= entry.status < 300):
        return
    icsis = contact_icsis(entry.sip) or _registered(entry, flow)
    needed = [method for icsi, methods in _NEEDED.items() if icsi in icsis for method in methods]
    if not needed:
        return
    yield APPLIES
    allowed = entry.sip.values("Allow")
    missing = [method for method in needed if method not in allowed]
    if entry.response is not None:  # sip.allow.in-2xx
        missing = [method for method in missing if method not in _CORE]
    if missing:
        yield Violation(f"{', '.join(missing)} among the methods", shown(", ".join(allowed)), "Allow")


def _registered(entry: SipEntry, flow: Flow) -> frozenset[str]:
    state = flow.assembly.registration_of(entry)
    return contact_icsis(state.transaction.request.sip) if state else frozenset()


@rule("sip.supported.invite", on=Kind.SIP, methods=("INVITE",))
def supported_in_invite(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _opens_session(entry):
        return
    yield APPLIES
    if entry.sip.get("Supported") is None:
        yield Violation("Supported, empty where no extension is", "none", "Supported")
