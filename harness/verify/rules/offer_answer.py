"""SDP rules on an offer with its answer, and on one description after another of the same side.

RFC 3264 5, 6 and 8, RFC 4145 4.1, RFC 6135 4.2, RFC 4975 8.4 and 8.6.
"""

from __future__ import annotations

from harness.bodies.offer_answer import OfferAnswerFault, check_answer, check_revision
from harness.bodies.sdp_attributes import Setup, type_accepted
from harness.cpm.services import Service
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes
from harness.verify.negotiation_items import Description, Role
from harness.verify.rules.sdp_connection import effective_setup
from harness.verify.rules.sdp_form import at, at_attribute
from harness.verify.session_services import is_file, live_ends, service_of_session

# RFC 4145 4.1: what may answer what.
_SETUP_ANSWERS = {
    Setup.ACTIVE: (Setup.PASSIVE,),
    Setup.PASSIVE: (Setup.ACTIVE,),
    Setup.ACTPASS: (Setup.ACTIVE, Setup.PASSIVE),
}


def offer_of(description: Description) -> Description | None:
    """The offer a description answers; None for all but the answer of an exchange, both readable."""
    exchange = description.exchange
    if description.role is not Role.ANSWER or exchange is None or exchange.answer is not description:
        return None
    return exchange.offer if description.sdp is not None and exchange.offer.sdp is not None else None


def _answer_faults(description: Description, what: OfferAnswerFault, expected: str) -> Outcomes:
    offer = offer_of(description)
    if offer is None or offer.sdp is None or description.sdp is None:
        return
    yield APPLIES
    for fault in check_answer(offer.sdp, description.sdp):
        if fault.what == what:
            yield at(description, fault.offset, expected, fault.text)


@rule("sdp.t-equal", on=Kind.SDP)
def same_times(description: Description, flow: Flow) -> Outcomes:
    yield from _answer_faults(description, OfferAnswerFault.TIME, "t= of the offer")


@rule("sdp.m-count", on=Kind.SDP)
def same_count(description: Description, flow: Flow) -> Outcomes:
    yield from _answer_faults(description, OfferAnswerFault.COUNT, "an m-line for each of the offer")


@rule("sdp.direction-pair", on=Kind.SDP)
def directions_fit(description: Description, flow: Flow) -> Outcomes:
    """Files, large and deferred messages have rules of their own for this."""
    offer = offer_of(description)
    one_way = service_of_session(description) in (Service.LARGE, Service.DEFERRED, Service.FILE_TRANSFER)
    if offer is None or one_way or any(is_file(end) for end in offer.ends):
        return
    yield from _answer_faults(
        description,
        OfferAnswerFault.DIRECTION,
        "a direction the offer allows (sendonly and recvonly, or less)",
    )


@rule("sdp.o-differs", on=Kind.SDP)
def own_origin(description: Description, flow: Flow) -> Outcomes:
    yield from _answer_faults(description, OfferAnswerFault.ORIGIN_COPIED, "an o-line of its own")


@rule("sdp.m-proto-equal", on=Kind.SDP)
def same_protocol(description: Description, flow: Flow) -> Outcomes:
    offer = offer_of(description)
    if offer is None or offer.sdp is None or description.sdp is None:
        return
    yield APPLIES
    for offered, answered in zip(offer.sdp.media, description.sdp.media, strict=False):
        if (offered.media, offered.protocol) != (answered.media, answered.protocol):
            yield at(
                description,
                answered.offset,
                f"{offered.media} over {offered.protocol}, as offered",
                f"{answered.media} over {answered.protocol}",
            )


@rule("sdp.setup.pair", on=Kind.SDP)
def setups_fit(description: Description, flow: Flow) -> Outcomes:
    offer = offer_of(description)
    for end in live_ends(description) if offer is not None else ():
        offered = offer.end(end.index) if offer is not None else None
        asked = effective_setup(offered) if offered and offered.port else None
        if offered is None or asked is None or offered.setup is Setup.HOLDCONN:
            continue  # how to answer what may not be offered, RFC 4145 and RFC 6135 say differently
        yield APPLIES
        allowed = _SETUP_ANSWERS[asked]
        if effective_setup(end) in allowed:
            continue
        found = end.attribute("setup")
        words = " or ".join(f"setup:{value}" for value in allowed)
        actual = str(found) if found else "none, which is passive"
        yield at_attribute(
            end, found, f"{words} to {offered.attribute('setup') or 'no a=setup'} of the offer", actual
        )


@rule("sdp.types.intersection", on=Kind.SDP)
def a_type_in_common(description: Description, flow: Flow) -> Outcomes:
    offer = offer_of(description)
    for end in live_ends(description) if offer is not None else ():
        offered = offer.end(end.index) if offer is not None else None
        if offered is None or not offered.accept_types or not end.accept_types:
            continue
        if not (offered.direction.sends and offered.direction.receives):
            continue  # who only sends says little about what it can send
        yield APPLIES
        if not _in_common(offered.accept_types, end.accept_types):
            found = end.media.attribute("accept-types")
            yield at_attribute(
                end,
                found,
                f"a type of the offer ({shown(' '.join(offered.accept_types))}), or 488",
                " ".join(end.accept_types),
            )


def _in_common(ours: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    return any(
        type_accepted(accepting, entry)
        for entries, accepting in ((ours, theirs), (theirs, ours))
        for entry in entries
    ) or any(_families(ours) & _families(theirs))


def _families(entries: tuple[str, ...]) -> frozenset[str]:
    return frozenset(entry.lower() for entry in entries if entry.endswith("/*"))


# -- one after another --------------------------------------------------------------------------------------


@rule("sdp.o-version", on=Kind.SDP)
def version(description: Description, flow: Flow) -> Outcomes:
    before = _before(description, flow)
    if before is None or before.sdp is None or description.sdp is None:
        return
    yield APPLIES
    expected = {
        OfferAnswerFault.ORIGIN_CHANGED: "the o-line of before, but for its version",
        OfferAnswerFault.VERSION: "the version of before for the same content, else one more",
    }
    for fault in check_revision(before.sdp, description.sdp):
        if fault.what in expected:
            yield at(description, fault.offset, expected[OfferAnswerFault(fault.what)], fault.text)


def _before(description: Description, flow: Flow) -> Description | None:
    """What the same side said last in the same dialog, when the timeline has all of it."""
    dialog = description.dialog
    if dialog is None or description.role not in (Role.OFFER, Role.ANSWER) or flow.assembly.incomplete:
        return None
    said = [
        end.description
        for session in flow.assembly.negotiations.sessions_of(dialog)
        for end in session.ends_of(description.by_caller)
        if end.description.place < description.place and end.description.role is not Role.PREVIEW
    ]
    return max(said, key=lambda each: each.place, default=None)
