"""The subscriber of RFC 6665 4.1: NOTIFY and 2xx in either order, refresh, leaving, ends and what follows."""

from __future__ import annotations

import pytest

from harness.sip.event_headers import SubscriptionState
from harness.sip.message import Request, Response, build_request, build_response
from harness.sip.subscriber import SUBSCRIBER, Do, Subscriber
from harness.sip.subscription import Action, Ended, SendSubscribe, StartTimer, State, StopTimer, Timer

N = StartTimer(Timer.N, 32.0)  # 64*T1
ALL_STOPPED = [StopTimer(Timer.N), StopTimer(Timer.REFRESH), StopTimer(Timer.EXPIRY)]


def response(status: int, *headers: tuple[str, str]) -> Response:
    request = build_request(
        "SUBSCRIBE",
        "sip:b@h",
        [
            ("Via", "SIP/2.0/UDP h;branch=z9hG4bKa"),
            ("From", "<sip:a@h>;tag=1"),
            ("To", "<sip:b@h>"),
            ("Call-ID", "c"),
            ("CSeq", "1 SUBSCRIBE"),
        ],
    )
    assert isinstance(request, Request)
    return build_response(request, status, None, headers, to_tag="2")


def notify(text: str) -> SubscriptionState:
    return SubscriptionState.parse(text)


def timed(expiry: float, refresh: float) -> list[Action]:
    return [StartTimer(Timer.EXPIRY, expiry), StartTimer(Timer.REFRESH, refresh)]


def active(expires: int = 3600) -> Subscriber:
    machine = Subscriber(expires)
    machine.subscribe(0)
    machine.answered(response(200, ("Expires", str(expires))), 0)
    machine.notified(notify(f"active;expires={expires}"), 0)
    assert machine.state is State.ACTIVE
    return machine


def test_subscribing_waits_for_a_notify() -> None:
    machine = Subscriber(3600)
    assert machine.subscribe(0) == [SendSubscribe(3600), StopTimer(Timer.REFRESH), N]
    assert machine.state is State.NOTIFY_WAIT
    assert machine.answered(response(200, ("Expires", "1800")), 1) == []
    assert machine.ends_at == 1801
    assert machine.notified(notify("active;expires=1799"), 2) == [StopTimer(Timer.N), *timed(1799, 1199)]
    assert (machine.state, machine.ends_at) == (State.ACTIVE, 1801)


def test_the_notify_may_come_first() -> None:
    machine = Subscriber(600)
    machine.subscribe(0)
    assert machine.notified(notify("pending"), 1) == [StopTimer(Timer.N), *timed(600, 300)]
    assert machine.state is State.PENDING
    assert machine.answered(response(202, ("Expires", "300")), 2) == timed(300, 150)
    assert machine.notified(notify("active"), 10) == [StopTimer(Timer.N), *timed(292, 146)]
    assert machine.state is State.ACTIVE


def test_a_notifier_does_not_lengthen() -> None:
    machine = Subscriber(100)
    machine.subscribe(0)
    machine.answered(response(200, ("Expires", "5000")), 0)
    assert machine.ends_at == 100
    machine.notified(notify("active;expires=4000"), 0)
    assert machine.ends_at == 100


def test_without_a_notify_it_is_over() -> None:
    machine = Subscriber(3600)
    machine.subscribe(0)
    machine.answered(response(200), 0)
    assert machine.fired(Timer.N, 32) == [*ALL_STOPPED, Ended("no NOTIFY came")]
    assert machine.state is State.TERMINATED
    assert machine.notified(notify("active"), 33) == []


@pytest.mark.parametrize("status", [302, 403, 404, 481, 489, 503, 603])
def test_a_refusal_ends_the_wish(status: int) -> None:
    machine = Subscriber(3600)
    machine.subscribe(0)
    refused = response(status, ("Retry-After", "7"))
    assert machine.answered(refused, 1) == [*ALL_STOPPED, Ended(refused.reason, 7.0, status)]


def test_no_response_ends_the_wish() -> None:
    machine = Subscriber(3600)
    machine.subscribe(0)
    assert machine.unanswered(32) == [*ALL_STOPPED, Ended("no response")]


def test_423_is_met_with_the_least_that_is_taken() -> None:
    machine = Subscriber(60)
    machine.subscribe(0)
    brief = response(423, ("Min-Expires", "600"))
    assert machine.answered(brief, 1) == [SendSubscribe(600), StopTimer(Timer.REFRESH), N]
    assert machine.answered(response(200, ("Expires", "600")), 2) == []
    assert machine.ends_at == 602


@pytest.mark.parametrize("least", [(), (("Min-Expires", "60"),), (("Min-Expires", "soon"),)])
def test_423_that_asks_for_nothing_longer_is_a_refusal(least: tuple[tuple[str, str], ...]) -> None:
    machine = Subscriber(60)
    machine.subscribe(0)
    assert machine.answered(response(423, *least), 1)[-1] == Ended("Interval Too Brief", None, 423)


def test_a_notifier_that_is_never_content_is_left_alone() -> None:
    machine = Subscriber(60)
    machine.subscribe(0)
    machine.answered(response(423, ("Min-Expires", "61")), 1)
    machine.answered(response(423, ("Min-Expires", "62")), 2)
    assert machine.answered(response(423, ("Min-Expires", "63")), 3)[-1] == Ended(
        "Interval Too Brief", None, 423
    )


def test_it_is_refreshed_before_it_ends() -> None:
    machine = active(3600)
    assert machine.fired(Timer.REFRESH, 3000) == [SendSubscribe(3600), StopTimer(Timer.REFRESH), N]
    assert machine.answered(response(200, ("Expires", "3600")), 3000) == timed(3600, 3000)
    assert machine.notified(notify("active;expires=3600"), 3001) == [StopTimer(Timer.N), *timed(3600, 3000)]
    assert machine.ends_at == 6601


def test_a_refresh_without_notify_ends_it() -> None:
    machine = active()
    machine.fired(Timer.REFRESH, 3000)
    machine.answered(response(200), 3000)
    assert machine.fired(Timer.N, 3032)[-1] == Ended("no NOTIFY came")


def test_204_says_that_no_notify_follows() -> None:
    machine = active()
    machine.fired(Timer.REFRESH, 3000)
    actions = machine.answered(response(204, ("Expires", "3600")), 3000)
    assert StopTimer(Timer.N) in actions
    assert actions[-2:] == timed(3600, 3000)


@pytest.mark.parametrize("status", [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604])
def test_a_refresh_that_is_answered_so_ends_it(status: int) -> None:
    machine = active()
    machine.fired(Timer.REFRESH, 3000)
    assert isinstance(machine.answered(response(status), 3001)[-1], Ended)
    assert machine.state is State.TERMINATED


@pytest.mark.parametrize("status", [400, 403, 500, 503, 600])
def test_a_refresh_that_fails_otherwise_leaves_what_was_agreed(status: int) -> None:
    machine = active()
    machine.fired(Timer.REFRESH, 3000)
    assert machine.answered(response(status), 3000) == [StopTimer(Timer.N), StartTimer(Timer.REFRESH, 300)]
    assert (machine.state, machine.ends_at) == (State.ACTIVE, 3600)
    machine.fired(Timer.REFRESH, 3300)
    assert machine.unanswered(3332) == [StopTimer(Timer.N), StartTimer(Timer.REFRESH, 134)]
    assert machine.fired(Timer.EXPIRY, 3600) == [*ALL_STOPPED, Ended("not refreshed in time", 0.0)]


def test_leaving_waits_for_the_last_notify() -> None:
    machine = active()
    assert machine.unsubscribe(10) == [SendSubscribe(0), StopTimer(Timer.REFRESH), N]
    assert machine.unsubscribe(10) == []
    assert machine.answered(response(200, ("Expires", "0")), 11) == []
    assert machine.notified(notify("active;expires=3000"), 12) == []  # one that crossed
    assert machine.state is State.ACTIVE
    assert machine.notified(notify("terminated;reason=timeout"), 13) == [*ALL_STOPPED, Ended("timeout", 0.0)]


def test_leaving_ends_even_when_nobody_answers() -> None:
    machine = active()
    machine.unsubscribe(10)
    assert machine.unanswered(42) == []
    assert machine.fired(Timer.N, 42)[-1] == Ended("no NOTIFY came")


def test_leaving_before_the_first_notify_waits_for_it() -> None:
    machine = Subscriber(3600)
    machine.subscribe(0)
    assert machine.unsubscribe(1) == []
    machine.answered(response(200, ("Expires", "3600")), 2)
    assert machine.notified(notify("active;expires=3598"), 2) == [
        SendSubscribe(0),
        StopTimer(Timer.REFRESH),
        N,
    ]


def test_a_poll_is_over_with_its_notify() -> None:
    machine = Subscriber(0)
    assert machine.subscribe(0)[0] == SendSubscribe(0)
    machine.answered(response(200, ("Expires", "0")), 0)
    assert machine.notified(notify("terminated;reason=timeout"), 1)[-1] == Ended("timeout", 0.0)


@pytest.mark.parametrize(
    ("text", "again_after"),  # RFC 6665 4.1.3
    [
        ("terminated;reason=deactivated;retry-after=9", 0.0),
        ("terminated;reason=probation", 60.0),
        ("terminated;reason=probation;retry-after=9", 9.0),
        ("terminated;reason=rejected;retry-after=9", None),
        ("terminated;reason=timeout;retry-after=9", 0.0),
        ("terminated;reason=giveup", 0.0),
        ("terminated;reason=giveup;retry-after=9", 9.0),
        ("terminated;reason=noresource;retry-after=9", None),
        ("terminated;reason=invariant;retry-after=9", None),
        ("terminated;reason=unheard-of;retry-after=9", 9.0),
        ("terminated;expires=100", 0.0),
    ],
)
def test_the_reason_says_whether_to_subscribe_again(text: str, again_after: float | None) -> None:
    ended = active().notified(notify(text), 5)[-1]
    assert isinstance(ended, Ended)
    assert ended.again_after == again_after


def test_an_unknown_state_changes_nothing() -> None:
    machine = Subscriber(60)
    machine.subscribe(0)
    assert machine.notified(notify("dormant;expires=10"), 1) == []
    assert machine.state is State.NOTIFY_WAIT


def test_a_refer_subscribes_without_asking_for_a_time() -> None:
    machine = Subscriber(None)
    assert machine.referred(0) == [StopTimer(Timer.REFRESH), N]
    assert machine.answered(response(202), 0) == []
    assert machine.notified(notify("active;expires=180"), 1) == [
        StopTimer(Timer.N),
        StartTimer(Timer.EXPIRY, 180),
    ]
    assert machine.unsubscribe(2)[0] == SendSubscribe(0)


def test_a_fork_begins_with_its_notify() -> None:
    fork = Subscriber.forked(600)
    assert fork.notified(notify("active;expires=500"), 0) == [StopTimer(Timer.N), *timed(500, 250)]


def test_every_state_that_lives_has_a_way_out() -> None:
    for state in (State.NOTIFY_WAIT, State.PENDING, State.ACTIVE):
        assert SUBSCRIBER[state, Timer.N] == (State.TERMINATED, (Do.END,))
    assert not any(state is State.TERMINATED for state, _ in SUBSCRIBER)
