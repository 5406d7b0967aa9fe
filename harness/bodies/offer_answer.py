"""What an offer, its answer and the next offer owe each other (RFC 3264)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum

from harness.bodies.fault import Fault
from harness.bodies.sdp_attributes import Direction
from harness.bodies.session_description import MediaDescription, SessionDescription


class OfferAnswerFault(StrEnum):
    """What can be wrong between two descriptions that are each readable (values of Fault.what)."""

    COUNT = "number of m-lines"
    TIME = "t= of the answer"
    ORIGIN_COPIED = "o= of the answer"
    REFUSED = "port of a stream offered with port 0"
    MEDIA = "media type of the answer"
    FORMAT = "formats of the answer"
    DIRECTION = "direction of the answer"
    ORIGIN_CHANGED = "o= of a later description"
    VERSION = "version of a later description"
    REMOVED = "m-line removed"


_CLAUSES: Mapping[OfferAnswerFault, str] = {
    OfferAnswerFault.COUNT: "RFC 3264 6",
    OfferAnswerFault.TIME: "RFC 3264 6",
    OfferAnswerFault.ORIGIN_COPIED: "RFC 3264 6",
    OfferAnswerFault.REFUSED: "RFC 3264 8.2",
    OfferAnswerFault.MEDIA: "RFC 3264 6.1",
    OfferAnswerFault.FORMAT: "RFC 3264 6.1",
    OfferAnswerFault.DIRECTION: "RFC 3264 6.1",
    OfferAnswerFault.ORIGIN_CHANGED: "RFC 3264 8",
    OfferAnswerFault.VERSION: "RFC 3264 8",
    OfferAnswerFault.REMOVED: "RFC 3264 8",
}

# RFC 3264 6.1: what may answer what, the best answer first.
ANSWER_DIRECTIONS: Mapping[Direction, tuple[Direction, ...]] = {
    Direction.SENDRECV: (Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY, Direction.INACTIVE),
    Direction.SENDONLY: (Direction.RECVONLY, Direction.INACTIVE),
    Direction.RECVONLY: (Direction.SENDONLY, Direction.INACTIVE),
    Direction.INACTIVE: (Direction.INACTIVE,),
}


def check_answer(offer: SessionDescription, answer: SessionDescription) -> tuple[Fault, ...]:
    """What an answer does that its offer does not allow; offsets are of the answer."""
    return tuple(_answer_faults(offer, answer))


def check_revision(previous: SessionDescription, current: SessionDescription) -> tuple[Fault, ...]:
    """What is wrong with a description after another of the same party; offsets are of the later one."""
    return tuple(_revision_faults(previous, current))


def revised(previous: SessionDescription, current: SessionDescription) -> SessionDescription:
    """current with the o-line it must have after previous: the same for no change, else one version up.

    RFC 3264 8, RFC 4975 8.4. A previous description without a readable o-line leaves current as it is.
    """
    if previous.origin is None:
        return current
    unchanged = replace(current, origin=previous.origin)
    if unchanged == previous:
        return unchanged
    return replace(current, origin=replace(previous.origin, version=previous.origin.version + 1))


def _fault(what: OfferAnswerFault, offset: int, text: str) -> Fault:
    return Fault(what, offset, _CLAUSES[what], text[:80])


def _answer_faults(offer: SessionDescription, answer: SessionDescription) -> Iterator[Fault]:
    if len(offer.media) != len(answer.media):
        yield _fault(OfferAnswerFault.COUNT, 0, f"{len(answer.media)} for {len(offer.media)}")
    asked, given = ([(each.start, each.stop) for each in side.times] for side in (offer, answer))
    if asked and asked != given:
        yield _fault(OfferAnswerFault.TIME, 0, str(given))
    if answer.origin is not None and answer.origin == offer.origin and answer != offer:
        yield _fault(OfferAnswerFault.ORIGIN_COPIED, answer.origin.offset, str(answer.origin))
    for offered, answered in zip(offer.media, answer.media, strict=False):
        if answered.port:
            yield from _stream_faults(offered, answered)
            if offered.port:
                yield from _direction_faults(offer, offered, answer, answered)


def _stream_faults(offered: MediaDescription, answered: MediaDescription) -> Iterator[Fault]:
    if not offered.port:
        yield _fault(OfferAnswerFault.REFUSED, answered.offset, str(answered.port))
    if offered.media != answered.media:
        yield _fault(OfferAnswerFault.MEDIA, answered.offset, answered.media)
    elif not set(offered.formats) & set(answered.formats):
        yield _fault(OfferAnswerFault.FORMAT, answered.offset, " ".join(answered.formats))


def _direction_faults(
    offer: SessionDescription,
    offered: MediaDescription,
    answer: SessionDescription,
    answered: MediaDescription,
) -> Iterator[Fault]:
    ours, theirs = offer.direction_of(offered), answer.direction_of(answered)
    if theirs not in ANSWER_DIRECTIONS[ours]:
        yield _fault(OfferAnswerFault.DIRECTION, answered.offset, f"{theirs} to {ours}")


def _revision_faults(previous: SessionDescription, current: SessionDescription) -> Iterator[Fault]:
    before, after = previous.origin, current.origin
    if before is not None and after is not None:
        if replace(before, version=after.version) != after:
            yield _fault(OfferAnswerFault.ORIGIN_CHANGED, after.offset, str(after))
        changed = replace(current, origin=before) != previous
        if after.version - before.version not in ((1,) if changed else (0, 1)):
            yield _fault(OfferAnswerFault.VERSION, after.offset, f"{after.version} after {before.version}")
    if len(current.media) < len(previous.media):
        yield _fault(OfferAnswerFault.REMOVED, 0, f"{len(current.media)} of {len(previous.media)}")
