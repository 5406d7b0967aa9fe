"""Session timers: the flow of RFC 4028 13, its table 2, and what each side remembers (RFC 4028 7, 9, 10)."""

from __future__ import annotations

import pytest

from harness.errors import SipSyntaxError, UsageError
from harness.sip.message import Request, Response, build_request, build_response
from harness.sip.session_headers import Refresher
from harness.sip.session_timer import SessionTimer, TimerPolicy


def request(*headers: tuple[str, str], method: str = "INVITE", cseq: int = 1) -> Request:
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


def response(to: Request, status: int, *headers: tuple[str, str]) -> Response:
    return build_response(to, status, headers=headers, to_tag="b")


SUPPORTED = ("Supported", "100rel, Timer")


def test_the_flow_of_rfc_4028_13() -> None:
    """Two proxies ask for more, the third INVITE is granted, and it is the UAC who refreshes by UPDATE."""
    alice = SessionTimer(TimerPolicy(interval=90))
    first = request(*alice.request_headers(initial=True))
    assert first.get("Session-Expires") == "90"
    assert "Min-SE" not in first
    assert alice.too_small(first, response(first, 422, ("Min-SE", "3600")))
    second = request(*alice.request_headers(initial=True), cseq=2)
    assert (second.get("Session-Expires"), second.get("Min-SE")) == ("3600", "3600")
    assert alice.too_small(second, response(second, 422, ("Min-SE", "4000")))
    third = request(*alice.request_headers(initial=True), cseq=3)
    assert (third.get("Session-Expires"), third.get("Min-SE")) == ("4000", "4000")

    granted = response(third, 200, ("Session-Expires", "4000;refresher=uac"), ("Require", "timer"))
    alice.answered(third, granted)
    assert (alice.interval, alice.refreshing) == (4000, True)
    assert alice.refresh_after == 2000
    update = request(*alice.request_headers(initial=False), method="UPDATE", cseq=4)
    assert update.get("Session-Expires") == "4000;refresher=uac"
    assert update.get("Min-SE") == "4000"


@pytest.mark.parametrize(
    ("supported", "asked", "wish", "given"),
    [
        (False, "1800", None, "uas"),
        (False, "1800;refresher=uac", None, "uas"),  # not allowed to be asked for
        (False, "1800", Refresher.UAC, "uas"),
        (True, "1800", None, "uac"),
        (True, "1800", Refresher.UAS, "uas"),
        (True, "1800;refresher=uac", Refresher.UAS, "uac"),
        (True, "1800;refresher=UAS", Refresher.UAC, "uas"),
    ],
)
def test_table_2(supported: bool, asked: str, wish: Refresher | None, given: str) -> None:
    asking = request(("Session-Expires", asked), *([SUPPORTED] if supported else []))
    answer = SessionTimer(TimerPolicy(refresher=wish)).answer(asking)
    assert answer.status == 200
    assert answer.headers[0] == ("Session-Expires", f"1800;refresher={given}")
    assert (("Require", "timer") in answer.headers) is supported


def test_too_short_an_interval_is_422_with_our_minimum() -> None:
    bob = SessionTimer(TimerPolicy(least=600))
    assert bob.answer(request(("x", "599"), SUPPORTED)) == (422, [("Min-SE", "600")])
    assert bob.answer(request(("x", "600"), SUPPORTED)).status == 200
    # a UAC without support would not understand the 422; the interval must not be raised either
    assert bob.answer(request(("x", "599"))).headers == [("Session-Expires", "599;refresher=uas")]


@pytest.mark.parametrize(
    ("wanted", "asked", "least", "granted"),
    [
        (None, "1800", None, 1800),
        (300, "1800", None, 300),
        (300, "1800", "900", 900),
        (300, "200", None, 200),
        (300, "200", "900", 200),  # never more than was asked for
        (300, None, None, 300),
        (300, None, "900", 900),
        (None, None, "900", None),
    ],
)
def test_the_interval_a_uas_grants(
    wanted: int | None, asked: str | None, least: str | None, granted: int | None
) -> None:
    headers = [("Session-Expires", asked), ("Min-SE", least)]
    asking = request(SUPPORTED, *((name, value) for name, value in headers if value is not None))
    bob = SessionTimer(TimerPolicy(interval=wanted))
    answer = bob.answer(asking)
    bob.accepted(response(asking, 200, *answer.headers))
    assert bob.interval == granted


def test_a_timer_of_ours_is_not_forced_on_a_uac_that_knows_none() -> None:
    assert SessionTimer(TimerPolicy(interval=300)).answer(request()) == (200, [])


def test_what_was_sent_counts_whatever_the_timer_proposed() -> None:
    asking = request(("Session-Expires", "1800"), SUPPORTED)
    bob = SessionTimer()
    bob.answer(asking)
    bob.accepted(response(asking, 200, ("Session-Expires", "100;refresher=uas")))
    assert (bob.interval, bob.refreshing, bob.refresh_after) == (100, True, 50)
    bob.accepted(response(asking, 200))
    assert (bob.interval, bob.refresh_after, bob.give_up_after) == (None, None, None)


def test_the_other_end_ends_the_session_a_little_before_it_expires() -> None:
    asking = request(("Session-Expires", "90"), SUPPORTED)
    bob = SessionTimer()
    bob.accepted(response(asking, 200, ("Session-Expires", "90;refresher=uac")))
    assert not bob.refreshing
    assert bob.refresh_after is None
    assert bob.give_up_after == 60  # a third of the interval
    bob.accepted(response(asking, 200, ("Session-Expires", "1800;refresher=uac")))
    assert bob.give_up_after == 1768  # 32 seconds


def test_a_callee_that_knows_no_timers_leaves_the_refreshing_to_us() -> None:
    alice = SessionTimer(TimerPolicy(interval=1800, refresher=Refresher.UAS))
    asking = request(*alice.request_headers(initial=True))
    assert asking.get("Session-Expires") == "1800;refresher=uas"
    alice.answered(asking, response(asking, 200))
    assert (alice.interval, alice.refreshing) == (1800, True)


def test_a_callee_that_knows_timers_can_turn_them_off() -> None:
    alice = SessionTimer(TimerPolicy(interval=1800))
    asking = request(*alice.request_headers(initial=True))
    alice.answered(asking, response(asking, 200, ("Session-Expires", "1800;refresher=uas")))
    assert (alice.interval, alice.refreshing) == (1800, False)
    assert alice.request_headers(initial=False) == [("Session-Expires", "1800;refresher=uas")]
    alice.answered(asking, response(asking, 200, ("Supported", "timer")))
    assert alice.interval is None
    assert alice.request_headers(initial=False) == []


def test_a_timer_nobody_here_asked_for_is_kept() -> None:
    alice = SessionTimer()
    asking = request(*alice.request_headers(initial=True))
    assert "Session-Expires" not in asking
    alice.answered(asking, response(asking, 200, ("Session-Expires", "600;refresher=uac")))
    assert alice.refresh_after == 300


def test_the_largest_min_se_heard_on_the_dialog_is_kept() -> None:
    """7.4: from refused requests of ours and from requests of the other end alike."""
    timer = SessionTimer()
    asking = request(("Session-Expires", "1000"), ("Min-SE", "700"), SUPPORTED)
    answer = timer.answer(asking)
    timer.accepted(response(asking, 200, *answer.headers))
    timer.answer(request(("Session-Expires", "1000"), ("Min-SE", "500"), SUPPORTED))
    refresh = request(*timer.request_headers(initial=False), method="UPDATE")
    assert refresh.get("Session-Expires") == "1000;refresher=uas"
    assert refresh.get("Min-SE") == "700"
    assert timer.too_small(refresh, response(refresh, 422, ("Min-SE", "2000")))
    assert timer.request_headers(initial=False) == [
        ("Session-Expires", "2000;refresher=uas"),
        ("Min-SE", "2000"),
    ]
    assert timer.interval == 1000  # only a 2xx changes it (10)


def test_our_own_minimum_is_shown_when_it_is_above_90() -> None:
    timer = SessionTimer(TimerPolicy(interval=600, least=300))
    assert timer.request_headers(initial=True) == [("Session-Expires", "600"), ("Min-SE", "300")]


def test_the_default_minimum_is_shown_when_that_is_wanted() -> None:
    timer = SessionTimer(TimerPolicy(interval=1800, shows_least=True))
    assert timer.request_headers(initial=True) == [("Session-Expires", "1800"), ("Min-SE", "90")]
    first = request(*timer.request_headers(initial=True))
    assert timer.too_small(first, response(first, 422, ("Min-SE", "3600")))
    assert timer.request_headers(initial=True) == [("Session-Expires", "3600"), ("Min-SE", "3600")]


@pytest.mark.parametrize("least", [None, "90", "x"])
def test_a_422_that_does_not_help_is_not_followed(least: str | None) -> None:
    alice = SessionTimer(TimerPolicy(interval=90))
    asking = request(*alice.request_headers(initial=True))
    refused = response(asking, 422, *([("Min-SE", least)] if least else []))
    assert not alice.too_small(asking, refused)


def test_an_interval_that_cannot_be_read_is_the_other_ends_error() -> None:
    with pytest.raises(SipSyntaxError, match="RFC 4028 4"):
        SessionTimer().answer(request(("Session-Expires", "soon"), SUPPORTED))


def test_a_user_agent_without_timers_neither_asks_for_one_nor_keeps_one() -> None:
    alice = SessionTimer(None)
    asking = request(("Session-Expires", "50"), ("Min-SE", "90"), SUPPORTED)
    assert alice.request_headers(initial=True) == []
    assert alice.answer(asking) == (200, [])
    alice.answered(request(), response(request(), 200, ("Session-Expires", "600;refresher=uac")))
    assert (alice.interval, alice.refresh_after) == (None, None)
    assert not alice.too_small(asking, response(asking, 422, ("Min-SE", "3600")))


@pytest.mark.parametrize(("interval", "least"), [(89, 90), (300, 600), (None, 60)])
def test_policies_rfc_4028_forbids(interval: int | None, least: int) -> None:
    with pytest.raises(UsageError, match="RFC 4028"):
        TimerPolicy(interval=interval, least=least)
