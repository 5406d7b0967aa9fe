"""Whose turn it is: the six patterns of RFC 6337 table 1, and what must be refused (RFC 3311 5.2)."""

from __future__ import annotations

import pytest

from harness.sip.message import Request, Response, build_request, build_response
from harness.sip.offer_answer import OfferAnswer, Turn, carries_session

SDP = b"v=0\r\n"
TYPE = ("Content-Type", "application/sdp")


def request(method: str, cseq: int = 1, body: bytes = b"", *headers: tuple[str, str]) -> Request:
    return build_request(
        method,
        "sip:bob@b.example",
        [
            ("Via", "SIP/2.0/UDP a.example;branch=z9hG4bK1"),
            ("From", "<sip:alice@a.example>;tag=a"),
            ("To", "<sip:bob@b.example>;tag=b"),
            ("Call-ID", "1"),
            ("CSeq", f"{cseq} {method}"),
            *(headers or [TYPE] if body else []),
        ],
        body,
    )


def response(to: Request, status: int, body: bytes = b"") -> Response:
    return build_response(to, status, headers=[TYPE] if body else [], body=body)


@pytest.mark.parametrize("ours", [True, False])
def test_the_six_patterns(ours: bool) -> None:
    """ours: whether we send the requests."""
    turns = (Turn.OFFER_SENT, Turn.OFFER_RECEIVED) if ours else (Turn.OFFER_RECEIVED, Turn.OFFER_SENT)
    patterns: list[tuple[Request, list[tuple[int, bytes]], Request | None]] = [
        (request("INVITE", 1, SDP), [(200, SDP)], request("ACK", 1)),
        (request("INVITE", 1), [(200, SDP)], request("ACK", 1, SDP)),
        (request("INVITE", 1, SDP), [(183, SDP), (200, SDP)], request("ACK", 1)),
        (request("INVITE", 1), [(183, SDP)], request("PRACK", 2, SDP)),
        (request("PRACK", 2, SDP), [(200, SDP)], None),
        (request("UPDATE", 3, SDP), [(200, SDP)], None),
    ]
    for asked, responses, last in patterns:
        exchange = OfferAnswer()
        exchange.request(asked, sent=ours)
        assert exchange.turn is (turns[0] if asked.body else Turn.FREE)
        for status, body in responses:
            exchange.response(response(asked, status, body), sent=not ours)
            assert exchange.turn is (Turn.FREE if asked.body else turns[1])
        if last is not None:
            exchange.request(last, sent=ours)
        assert exchange.may_offer
        assert exchange.established


def test_a_description_after_the_answer_is_passed_over() -> None:
    """RFC 6337 figure 1: SDP in F9 and F12 is no new offer, even after an UPDATE in between."""
    exchange, invite, update = OfferAnswer(), request("INVITE", 1, SDP), request("UPDATE", 2, SDP)
    exchange.request(invite, sent=True)
    exchange.response(response(invite, 183, SDP), sent=False)
    exchange.request(update, sent=True)
    exchange.response(response(update, 200, SDP), sent=False)
    exchange.response(response(invite, 200, SDP), sent=False)
    assert exchange.turn is Turn.FREE


def test_the_numbers_of_both_ends_are_apart() -> None:
    exchange = OfferAnswer()
    theirs = request("INVITE", 1, SDP)
    exchange.request(theirs, sent=False)
    exchange.response(response(theirs, 200, SDP), sent=True)
    ours = request("INVITE", 1)
    exchange.request(ours, sent=True)
    exchange.response(response(ours, 200, SDP), sent=False)
    assert exchange.turn is Turn.OFFER_RECEIVED


def test_a_refusal_takes_the_offer_back() -> None:
    exchange, invite, update = OfferAnswer(), request("INVITE", 1, SDP), request("UPDATE", 2, SDP)
    exchange.request(invite, sent=True)
    exchange.response(response(update, 500), sent=False)
    assert exchange.turn is Turn.OFFER_SENT
    exchange.response(response(invite, 488), sent=False)
    assert exchange.turn is Turn.FREE
    assert not exchange.established


def test_an_answer_that_never_comes_does_not_block_the_next_offer() -> None:
    exchange = OfferAnswer()
    exchange.request(request("INVITE", 1, SDP), sent=True)
    exchange.response(response(request("INVITE", 1), 200), sent=False)
    assert exchange.may_offer
    exchange.response(response(request("INVITE", 2), 200, SDP), sent=False)
    assert not exchange.may_offer
    exchange.request(request("ACK", 2), sent=True)
    assert exchange.may_offer
    assert not exchange.established


def test_an_offer_while_one_waits_is_refused() -> None:
    update = request("UPDATE", 7, SDP)
    exchange = OfferAnswer()
    assert exchange.refusal(update) is None
    exchange.request(request("INVITE", 1, SDP), sent=True)
    assert exchange.refusal(update) == 491
    assert exchange.refusal(request("UPDATE", 7)) is None
    exchange = OfferAnswer()
    exchange.request(request("INVITE", 1, SDP), sent=False)
    assert exchange.refusal(update) == 500


@pytest.mark.parametrize(
    ("headers", "body", "carries"),
    [
        ([TYPE], SDP, True),
        ([TYPE], b"", False),
        ([TYPE, ("Content-Disposition", "session;handling=optional")], SDP, True),
        ([TYPE, ("Content-Disposition", "early-session")], SDP, False),
        ([("Content-Type", "application/x"), ("Content-Disposition", "session")], b"x", True),
        ([("Content-Type", "application/resource-lists+xml")], b"<x/>", False),
        (
            [("Content-Type", "multipart/mixed;boundary=b")],
            b"--b\r\nContent-Type: Application/SDP\r\n\r\n",
            True,
        ),
        (
            [("Content-Type", "multipart/mixed;boundary=b")],
            b"--b\r\nContent-Type: message/cpim\r\n\r\n",
            False,
        ),
        ([("Content-Type", "sdp")], b"x", False),
    ],
)
def test_what_carries_a_session_description(
    headers: list[tuple[str, str]], body: bytes, carries: bool
) -> None:
    assert carries_session(request("INVITE", 1, body, *headers)) is carries
