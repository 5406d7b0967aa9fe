"""RFC 3264 between descriptions: an answer to its offer, a description to the one before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.bodies.offer_answer import (
    ANSWER_DIRECTIONS,
    OfferAnswerFault,
    check_answer,
    check_revision,
    revised,
)
from harness.bodies.sdp import parse_sdp
from harness.bodies.sdp_attributes import Direction
from harness.bodies.session_description import Attribute, MediaDescription, SessionDescription

CORPUS = Path(__file__).parents[2] / "corpora" / "sdp"


def read(name: str) -> SessionDescription:
    return parse_sdp((CORPUS / f"{name}.sdp").read_bytes())


OFFER, ANSWER = read("plain_offer"), read("plain_answer")


@pytest.mark.parametrize(
    "pair",
    ["types", "plain", "file_push", "file_pull", "chatroom", "trace_chat", "trace_push"],
)
def test_the_answers_of_the_corpus_fit_their_offers(pair: str) -> None:
    assert check_answer(read(f"{pair}_offer"), read(f"{pair}_answer")) == ()


def test_an_offer_of_a_second_file_follows_the_first() -> None:
    assert check_revision(read("file_pull_offer"), read("file_second_offer")) == ()


def media(description: SessionDescription, **changes: object) -> SessionDescription:
    return replace(description, media=(replace(description.media[0], **changes),))  # type: ignore[arg-type]


def directed(description: SessionDescription, direction: Direction) -> SessionDescription:
    return media(description, attributes=(*description.media[0].attributes, Attribute(direction)))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (replace(ANSWER, media=()), [OfferAnswerFault.COUNT]),
        (replace(ANSWER, media=ANSWER.media * 2), [OfferAnswerFault.COUNT]),
        (replace(ANSWER, times=()), [OfferAnswerFault.TIME]),
        (replace(ANSWER, origin=OFFER.origin), [OfferAnswerFault.ORIGIN_COPIED]),
        (media(ANSWER, media="audio"), [OfferAnswerFault.MEDIA]),
        (media(ANSWER, formats=("wb",)), [OfferAnswerFault.FORMAT]),
        (media(ANSWER, media="audio", port=0), []),
        (OFFER, []),  # word for word the same may be the offer back (RFC 3264 6)
    ],
)
def test_an_answer_that_does_not_fit(answer: SessionDescription, expected: list[OfferAnswerFault]) -> None:
    assert [fault.what for fault in check_answer(OFFER, answer)] == expected


def test_a_stream_offered_with_port_0_stays_refused() -> None:
    assert [fault.what for fault in check_answer(media(OFFER, port=0), ANSWER)] == [OfferAnswerFault.REFUSED]
    assert check_answer(media(OFFER, port=0), media(ANSWER, port=0)) == ()


@pytest.mark.parametrize("offered", Direction)
@pytest.mark.parametrize("answered", Direction)
def test_directions_pair_as_rfc_3264_6_1_says(offered: Direction, answered: Direction) -> None:
    allowed = {
        "sendrecv": {"sendrecv", "sendonly", "recvonly", "inactive"},
        "sendonly": {"recvonly", "inactive"},
        "recvonly": {"sendonly", "inactive"},
        "inactive": {"inactive"},
    }[offered]
    faults = check_answer(directed(OFFER, offered), directed(ANSWER, answered))
    assert [fault.what for fault in faults] == ([] if answered in allowed else [OfferAnswerFault.DIRECTION])
    assert (answered in ANSWER_DIRECTIONS[offered]) is (answered in allowed)


def test_the_same_description_again_keeps_its_o_line() -> None:
    again = revised(OFFER, replace(OFFER, origin=None))
    assert again == OFFER
    assert check_revision(OFFER, again) == ()


def test_a_change_counts_the_version_up_by_one() -> None:
    changed = media(OFFER, port=9)
    later = revised(OFFER, changed)
    assert later.origin is not None and OFFER.origin is not None
    assert later.origin == replace(OFFER.origin, version=OFFER.origin.version + 1)
    assert check_revision(OFFER, later) == ()


@pytest.mark.parametrize(("version", "fits"), [(-1, False), (0, False), (1, True), (2, False)])
def test_a_change_with_another_version_is_a_fault(version: int, fits: bool) -> None:
    assert OFFER.origin is not None
    origin = replace(OFFER.origin, version=OFFER.origin.version + version)
    faults = check_revision(OFFER, replace(media(OFFER, port=9), origin=origin))
    assert [fault.what for fault in faults] == ([] if fits else [OfferAnswerFault.VERSION])


def test_another_origin_and_a_removed_m_line_are_faults() -> None:
    assert OFFER.origin is not None
    two = replace(OFFER, media=(*OFFER.media, MediaDescription("audio", 4000, "RTP/AVP", ("0",))))
    other = replace(OFFER.origin, session_id=1, version=OFFER.origin.version + 1)
    faults = check_revision(two, replace(OFFER, origin=other))
    assert [fault.what for fault in faults] == [OfferAnswerFault.ORIGIN_CHANGED, OfferAnswerFault.REMOVED]
