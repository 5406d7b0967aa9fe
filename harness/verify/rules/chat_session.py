"""Rules on the SDP of chat sessions, 1-1 and group, and on TLS for any MSRP session.

RFC 4975 4, 6, 8.1 and 14.4, RFC 7701 5.2, RFC 8866 5.3, RFC 5009; what CPM clients put into their offers.
"""

from __future__ import annotations

import re

from harness.bodies.imdn import MEDIA_TYPE as IMDN_TYPE
from harness.bodies.is_composing import MEDIA_TYPE as COMPOSING
from harness.bodies.sdp_attributes import (
    Direction,
    Fingerprint,
    certificate_fingerprint,
    fingerprint_matches,
    parse_fingerprint,
    type_accepted,
)
from harness.cpm.services import CPM_ICSIS, Service
from harness.errors import BodySyntaxError
from harness.evidence.timeline import Layer, Transport
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import accepted_icsis, contact_icsis, covers, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Unverifiable, Violation
from harness.verify.items import EventItem, SipEntry
from harness.verify.msrp_items import MsrpEntry
from harness.verify.negotiation_items import Description, MsrpEnd, Role
from harness.verify.rules.ims_service import is_group
from harness.verify.rules.sdp_form import at, at_attribute
from harness.verify.session_services import initial_invite, is_chat, live_ends, named_service, shown_service

_VOICE = re.compile(r"\b(?:voip|volte|voice|audio|video|call)\b", re.IGNORECASE)
_WRAPPED = ("text/plain", IMDN_TYPE)
_WRAPPED_IN_GROUPS = (*_WRAPPED, COMPOSING)


def another_service(description: Description, service: Service) -> Outcomes:
    """For an offer that is made for a service: Accept-Contact, or else Contact, names another one of CPM.

    Where the two differ, ims.contact.feature-tag-match tells.
    """
    entry = description.entry
    if description.role is not Role.OFFER or initial_invite(entry) is not entry:
        return
    if {shown_service(end) for end in live_ends(description)} != {service}:
        return
    if named_service(entry) in (Service.LARGE, Service.DEFERRED) and service is Service.SESSION:
        return  # only the direction is wrong: their rules on that tell
    yield APPLIES
    header, named = "Accept-Contact", accepted_icsis(entry.sip) & CPM_ICSIS
    if not named:
        header, named = "Contact", contact_icsis(entry.sip) & CPM_ICSIS
    if named and not any(covers(service.icsi, urn) for urn in named):
        yield Violation(service.icsi, ", ".join(sorted(named)), header, item=entry)


@rule("session.icsi", on=Kind.SDP)
def service_of_chat(description: Description, flow: Flow) -> Outcomes:
    yield from another_service(description, Service.SESSION)


def is_group_chat(description: Description) -> bool:
    """A chat whose INVITE is for a group, or came from its focus; so is what the 2xx's Contact says."""
    invite = initial_invite(description.entry)
    if invite is None or not is_chat(description):
        return False
    focus = any("isfocus" in contact.parameters for contact in description.entry.contacts)
    return focus or is_group(invite) or _names_group(invite)


def _names_group(invite: SipEntry) -> bool:
    names = ("P-Preferred-Service", "P-Asserted-Service")
    return any(
        value.strip().lower() == Service.SESSION_GROUP.icsi
        for name in names
        for value in invite.sip.values(name)
    )


# -- what a chat takes --------------------------------------------------------------------------------------


def _takes(end: MsrpEnd, kind: str) -> bool:
    return type_accepted(end.accept_types, kind) or type_accepted(end.wrapped_types, kind)


@rule("session.sdp.accept-types", on=Kind.SDP)
def composing_accepted(description: Description, flow: Flow) -> Outcomes:
    """message/cpim itself is for sdp.accept-types.cpim."""
    if not is_chat(description) or is_group_chat(description):
        return
    for end in live_ends(description):
        if not end.accept_types:
            continue
        yield APPLIES
        if not _takes(end, COMPOSING):
            found = end.media.attribute("accept-types")
            yield at_attribute(end, found, f"{COMPOSING} too", " ".join(end.accept_types))


def _not_taken(end: MsrpEnd, kinds: tuple[str, ...]) -> Outcomes:
    if not end.accept_types:
        return
    yield APPLIES
    missing = [kind for kind in kinds if not _takes(end, kind)]
    if missing:
        found = end.media.attribute("accept-wrapped-types")
        listed = " ".join(end.wrapped_types) or "none"
        yield at_attribute(end, found, f"{', '.join(missing)} in accept-wrapped-types", listed)


@rule("session.sdp.wrapped-types", on=Kind.SDP)
def wrapped_accepted(description: Description, flow: Flow) -> Outcomes:
    if is_chat(description) and not is_group_chat(description):
        for end in live_ends(description):
            yield from _not_taken(end, _WRAPPED)


@rule("session.group.wrapped-types", on=Kind.SDP)
def wrapped_accepted_in_group(description: Description, flow: Flow) -> Outcomes:
    if is_group_chat(description):
        for end in live_ends(description):
            yield from _not_taken(end, _WRAPPED_IN_GROUPS)


@rule("session.group.accept-types", on=Kind.SDP)
def cpim_alone_in_group(description: Description, flow: Flow) -> Outcomes:
    """The focus lists CPIM alone; a handset that lists none at all is for sdp.accept-types.cpim."""
    if description.sender is not Party.NETWORK or not is_group_chat(description):
        return
    for end in live_ends(description):
        listed = [entry.lower() for entry in end.accept_types]
        if "message/cpim" not in listed:
            continue
        yield APPLIES
        if listed != ["message/cpim"]:
            found = end.media.attribute("accept-types")
            yield at_attribute(end, found, "message/cpim alone, from a focus", " ".join(end.accept_types))


@rule("session.sdp.direction", on=Kind.SDP)
def both_ways(description: Description, flow: Flow) -> Outcomes:
    invite = initial_invite(description.entry)
    request = description.entry if description.entry.request else None
    opening = request is invite if request is not None else _answers(description, invite)
    if invite is None or not opening or named_service(invite) is not Service.SESSION:
        return
    for end in live_ends(description):
        yield APPLIES
        if end.direction is not Direction.SENDRECV:
            yield at(description, end.media.offset, "sendrecv", end.direction)


def _answers(description: Description, invite: SipEntry | None) -> bool:
    transaction = description.entry.transaction
    return transaction is not None and transaction.request is invite


@rule("session.sdp.cosmetic", on=Kind.SDP)
def names_a_call(description: Description, flow: Flow) -> Outcomes:
    if description.sdp is None or not is_chat(description):
        return
    yield APPLIES
    for line in description.sdp.lines:
        if line.letter in "si" and _VOICE.search(line.value):
            yield at(
                description, line.offset, "a name that fits a chat, or s=-", f"{line.letter}={line.value}"
            )
            return


@rule("ims.p-early-media", on=Kind.REQUEST, methods=("INVITE",))
def early_media(entry: SipEntry, flow: Flow) -> Outcomes:
    found, description = entry.sip.get("P-Early-Media"), entry.description
    if description is None or description.sdp is None or not description.ends:
        return
    if len(description.ends) < len(description.sdp.media):
        return
    yield APPLIES
    if found is not None:
        yield Violation("no P-Early-Media, since MSRP has no early media", found, "P-Early-Media")


# -- TLS ----------------------------------------------------------------------------------------------------


def _scheme_mismatch(end: MsrpEnd) -> Outcomes:
    secure = "TLS" in end.media.protocol.upper().split("/")
    if end.path:
        yield APPLIES
    for uri in end.path:
        if uri.secure is not secure:
            found = end.media.attribute("path")
            wanted = "msrps" if secure else "msrp"
            yield at_attribute(end, found, f"{wanted} with {end.media.protocol}", f"{uri.scheme}:")
            return


@rule("session.tls", on=Kind.SDP)
def scheme_fits_protocol(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        if len(end.path) == 1:
            yield from _scheme_mismatch(end)


@rule("session.tls.other", on=Kind.SDP)
def scheme_fits_protocol_elsewhere(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        if len(end.path) > 1 or description.sender is not Party.HANDSET:
            yield from _scheme_mismatch(end)


@rule("sdp.fingerprint", on=Kind.MSRP)
def certificate_as_announced(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """Called for the first message of a side over a connection. RFC 4975 14.4, RFC 8122 5."""
    end, msrp = entry.own_end, flow.assembly.msrp
    if entry.transport is not Transport.TLS or end is None or len(end.path) != 1:
        return
    if next((known for known in msrp.entries_from(entry) if known.session is not None), None) is not entry:
        return
    shaken = [each for each in flow.assembly.events(Layer.MSRP, "tls") if _is_of(each, entry)]
    if not shaken:
        yield APPLIES
        yield Unverifiable("the TLS handshake with its certificate was not captured")
        return
    certificate = shaken[-1].fields.get("certificate")
    if certificate is None or shaken[-1].fields.get("remote") != str(entry.source):
        return  # a client may show none (RFC 6135 4.3); what this side showed is not on the timeline
    yield APPLIES
    octets = bytes.fromhex(str(certificate))
    announced = _announced(end)
    if not announced and shaken[-1].fields.get("self_signed"):
        yield at(end.description, end.media.offset, "a=fingerprint of its self-signed certificate", "none")
    elif announced and not fingerprint_matches(filter(None, map(_fingerprint, announced)), octets):
        expected = f"a certificate with the fingerprint {' or '.join(announced)}"
        yield Violation(shown(expected, 200), f"one with {certificate_fingerprint(octets)}", "start line")


def _announced(end: MsrpEnd) -> list[str]:
    """The fingerprints of its m-line, else those of the session (RFC 8122 5)."""
    of_session = [each for each in end.sdp.attributes if each.name == "fingerprint"]
    return [found.value or "" for found in end.media.all("fingerprint") or of_session]


def _is_of(handshake: EventItem, entry: MsrpEntry) -> bool:
    return handshake.fields.get("connection") == entry.connection


def _fingerprint(text: str) -> Fingerprint | None:
    try:
        return parse_fingerprint(text)
    except BodySyntaxError:
        return None


@rule("session.tls.fingerprint", on=Kind.SDP)
def fingerprint_present(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        if "TLS" not in end.media.protocol.upper().split("/"):
            continue
        yield APPLIES
        if end.attribute("fingerprint") is None:
            yield at(description, end.media.offset, "a=fingerprint of the certificate", "none")
