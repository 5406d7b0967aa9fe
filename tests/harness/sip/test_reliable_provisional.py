"""Reliable provisional responses: the numbers, the order and the schedule of RFC 3262 3 and 4."""

from __future__ import annotations

import pytest

from harness.errors import SipSyntaxError, UsageError
from harness.sip.message import Request, Response, build_request, build_response
from harness.sip.reliable_provisional import (
    Arrival,
    ReceivedInOrder,
    ReliableResponses,
    is_reliable,
    rack_of,
    repeat_times,
    requires_reliable,
    supports_reliable,
)
from harness.sip.transaction import Timers


def request(method: str = "INVITE", cseq: int = 1, *headers: tuple[str, str]) -> Request:
    return build_request(
        method,
        "sip:bob@b.example",
        [
            ("Via", "SIP/2.0/UDP a.example;branch=z9hG4bK1"),
            ("From", "<sip:alice@a.example>;tag=a"),
            ("To", "<sip:bob@b.example>"),
            ("Call-ID", "1"),
            ("CSeq", f"{cseq} {method}"),
            *headers,
        ],
    )


INVITE = request("INVITE", 1, ("k", "timer, 100Rel"))


def response(status: int, *headers: tuple[str, str], body: bytes = b"") -> Response:
    return build_response(INVITE, status, headers=headers, to_tag="b", body=body)


def reliable(number: int) -> Response:
    return response(183, ("Require", "100rel"), ("RSeq", str(number)))


def prack(rack: str) -> Request:
    return request("PRACK", 2, ("RAck", rack))


# -- UAS


def test_who_supports_and_who_requires_them() -> None:
    assert supports_reliable(INVITE)
    assert not requires_reliable(INVITE)
    assert requires_reliable(request("INVITE", 1, ("Require", "100rel")))
    assert supports_reliable(request("INVITE", 1, ("Require", "100rel")))
    assert not supports_reliable(request())


def test_responses_are_numbered_one_by_one_and_matched_by_their_rack() -> None:
    sent = ReliableResponses(INVITE, first=776656)
    first = sent.numbered(response(183, ("Require", "precondition")))
    assert (first.get("RSeq"), first.get("Require")) == ("776656", "precondition, 100rel")
    assert not sent.may_send
    assert sent.is_unacknowledged(first)
    assert sent.acknowledged(prack("776656 1 INVITE")) == first
    assert sent.acknowledged(prack("776656 1 INVITE")) is None  # 481: it was acknowledged before
    assert sent.numbered(response(180)).get("RSeq") == "776657"


@pytest.mark.parametrize("rack", ["776657 1 INVITE", "776656 2 INVITE", "776656 1 invite", "776656 1 UPDATE"])
def test_a_prack_that_matches_nothing(rack: str) -> None:
    sent = ReliableResponses(INVITE, first=776656)
    first = sent.numbered(response(183))
    assert sent.acknowledged(prack(rack)) is None
    assert sent.is_unacknowledged(first)


def test_a_prack_without_rack_cannot_be_read() -> None:
    with pytest.raises(SipSyntaxError, match=r"RFC 3262 7\.2"):
        ReliableResponses(INVITE).acknowledged(request("PRACK", 2))


def test_the_first_number_is_between_1_and_2_31() -> None:
    numbers = {int(ReliableResponses(INVITE).numbered(response(183)).get("RSeq") or 0) for _ in range(20)}
    assert len(numbers) > 1
    assert all(1 <= number < 2**31 for number in numbers)


@pytest.mark.parametrize("status", [100, 200, 486])
def test_only_101_to_199_can_be_reliable(status: int) -> None:
    with pytest.raises(UsageError, match="RFC 3262 3"):
        ReliableResponses(INVITE).numbered(response(status))


def test_not_to_a_uac_that_does_not_know_it_nor_before_the_prack_nor_after_the_end() -> None:
    with pytest.raises(UsageError, match="100rel"):
        ReliableResponses(request()).numbered(response(183))
    sent = ReliableResponses(INVITE, first=1)
    sent.numbered(response(183))
    with pytest.raises(UsageError, match="PRACK"):
        sent.numbered(response(180))
    sent.over()
    assert sent.acknowledged(prack("1 1 INVITE")) is not None  # still taken after the final response
    with pytest.raises(UsageError, match="final response"):
        sent.numbered(response(180))


def test_a_2xx_waits_while_a_session_description_is_unacknowledged() -> None:
    sent = ReliableResponses(INVITE, first=1)
    sent.numbered(response(183, ("Content-Type", "text/plain"), body=b"hold on"))
    assert not sent.holds_back_success
    sent.acknowledged(prack("1 1 INVITE"))
    sent.numbered(response(183, ("Content-Type", "application/sdp"), body=b"v=0\r\n"))
    assert sent.holds_back_success
    sent.acknowledged(prack("2 1 INVITE"))
    assert not sent.holds_back_success


def test_repeats_double_without_bound_and_end_before_64_t1() -> None:
    assert list(repeat_times(Timers())) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert list(repeat_times(Timers(), longest=4.0)) == [
        0.5,
        1.5,
        3.5,
        7.5,
        11.5,
        15.5,
        19.5,
        23.5,
        27.5,
        31.5,
    ]


# -- UAC


def test_what_asks_for_a_prack() -> None:
    assert is_reliable(reliable(1))
    assert not is_reliable(response(100, ("Require", "100rel"), ("RSeq", "1")))
    assert not is_reliable(response(200, ("Require", "100rel"), ("RSeq", "1")))
    assert not is_reliable(response(183, ("RSeq", "1")))
    assert not is_reliable(response(183, ("Require", "100rel")))


def test_responses_are_taken_in_order_and_each_once() -> None:
    order = ReceivedInOrder()
    taken = [order.take(reliable(number)) for number in (988789, 988789, 988791, 988790, 988791, 988790)]
    assert taken == [
        Arrival.NEW,
        Arrival.REPEATED,
        Arrival.OUT_OF_ORDER,
        Arrival.NEW,
        Arrival.NEW,
        Arrival.REPEATED,
    ]
    assert order.take(response(180)) is Arrival.UNRELIABLE
    assert order.take(response(180, ("Require", "100rel"), ("RSeq", "0"))) is Arrival.OUT_OF_ORDER


def test_the_rack_names_the_response_and_its_request() -> None:
    assert str(rack_of(reliable(776656))) == "776656 1 INVITE"
    with pytest.raises(SipSyntaxError):
        rack_of(response(183))
