"""Rules on the SDP of large messages and of fetching deferred messages (CPM, RFC 3264 6.1, RFC 5547 6)."""

from __future__ import annotations

from harness.bodies.offer_answer import ANSWER_DIRECTIONS
from harness.bodies.sdp_attributes import Direction, type_accepted
from harness.cpm.services import Service
from harness.verify.catalogue import Kind, rule
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes
from harness.verify.negotiation_items import Description, MsrpEnd, Role
from harness.verify.rules.chat_session import another_service
from harness.verify.rules.offer_answer import offer_of
from harness.verify.rules.sdp_form import at, at_attribute
from harness.verify.session_services import initial_invite, live_ends, named_service

_FOR_MESSAGES = ("name:", "type:", "hash:")


def _opens(description: Description, service: Service) -> bool:
    """The offer of an INVITE that names the service."""
    invite = initial_invite(description.entry)
    return (
        description.role is Role.OFFER
        and invite is description.entry
        and invite is not None
        and named_service(invite) is service
    )


def _answers(description: Description, service: Service) -> bool:
    invite = initial_invite(description.entry)
    return invite is not None and offer_of(description) is not None and named_service(invite) is service


def wrong_direction(description: Description, offered: Direction) -> Outcomes:
    """m-lines of an answer whose direction does not fit an offer of that direction (RFC 3264 6.1)."""
    offer = offer_of(description)
    for end in live_ends(description) if offer is not None else ():
        asked = offer.end(end.index) if offer is not None else None
        allowed = ANSWER_DIRECTIONS[offered]
        if asked is None or not asked.port or asked.direction is not offered:
            continue
        yield APPLIES
        if end.direction not in allowed:
            expected = " or ".join(allowed)
            yield at(description, end.media.offset, f"{expected} to {offered}", end.direction)


# -- large messages -----------------------------------------------------------------------------------------


@rule("large.invite.icsi", on=Kind.SDP)
def service_of_large(description: Description, flow: Flow) -> Outcomes:
    yield from another_service(description, Service.LARGE)


@rule("large.sdp.direction", on=Kind.SDP)
def large_is_sent(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description) if _opens(description, Service.LARGE) else ():
        yield APPLIES
        if end.direction is not Direction.SENDONLY:
            yield at(description, end.media.offset, "sendonly", end.direction)


@rule("large.sdp.direction.answer", on=Kind.SDP)
def large_is_received(description: Description, flow: Flow) -> Outcomes:
    if _answers(description, Service.LARGE):
        yield from wrong_direction(description, Direction.SENDONLY)


@rule("large.sdp.accept-types", on=Kind.SDP)
def types_of_large(description: Description, flow: Flow) -> Outcomes:
    """message/cpim alone is for sdp.accept-types.cpim; here what the handset lets into it."""
    if not (_opens(description, Service.LARGE) or _answers(description, Service.LARGE)):
        return
    for end in live_ends(description):
        if not end.accept_types:
            continue
        yield APPLIES
        if not _takes_text(end):
            found = end.media.attribute("accept-wrapped-types")
            yield at_attribute(end, found, "a type of content inside message/cpim", str(found or "none"))


def _takes_text(end: MsrpEnd) -> bool:
    listed = (*end.wrapped_types, *(kind for kind in end.accept_types if not _is_container(kind)))
    return bool(listed)


def _is_container(kind: str) -> bool:
    return type_accepted((kind,), "message/cpim") and kind != "*"


@rule("large.sdp.file-selector", on=Kind.SDP)
def announced_by_size(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description) if _opens(description, Service.LARGE) else ():
        yield APPLIES
        found = end.media.attribute("file-selector")
        value = (found.value if found else None) or ""
        if not value.startswith("size:") or any(name in value for name in _FOR_MESSAGES):
            yield at_attribute(end, found, "a=file-selector:size:<octets> alone", str(found or "none"))


@rule("pager.small-in-large", on=Kind.SDP)
def small_in_large(description: Description, flow: Flow) -> Outcomes:
    limit = flow.settings.pager_limit
    for end in live_ends(description) if _opens(description, Service.LARGE) else ():
        size = end.file.selector.size if end.file is not None else None
        if size is None:
            continue
        yield APPLIES
        if size <= limit:
            expected = f"content of up to {limit} octets in pager mode"
            yield at_attribute(end, end.media.attribute("file-selector"), expected, f"size:{size}")


# -- deferred messages --------------------------------------------------------------------------------------


@rule("deferred.icsi", on=Kind.SDP)
def service_of_deferred(description: Description, flow: Flow) -> Outcomes:
    yield from another_service(description, Service.DEFERRED)


@rule("deferred.direction", on=Kind.SDP)
def deferred_is_received(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description) if _opens(description, Service.DEFERRED) else ():
        yield APPLIES
        if end.direction is not Direction.RECVONLY:
            yield at(description, end.media.offset, "recvonly", end.direction)


@rule("deferred.direction.answer", on=Kind.SDP)
def deferred_is_sent(description: Description, flow: Flow) -> Outcomes:
    if _answers(description, Service.DEFERRED):
        yield from wrong_direction(description, Direction.RECVONLY)
