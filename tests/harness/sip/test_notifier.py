"""The notifier of RFC 6665 4.2, and what event packages grant."""

from __future__ import annotations

import pytest

from harness.sip.event_headers import SubscriptionState
from harness.sip.event_packages import CONFERENCE, REFER, REG, EventPackage
from harness.sip.general_headers import Accept
from harness.sip.notifier import NOTIFIER, Notifier
from harness.sip.subscription import Action, Ended, SendNotify, StartTimer, State, StopTimer, Timer

STOP = StopTimer(Timer.EXPIRY)


def told(text: str) -> SendNotify:
    return SendNotify(SubscriptionState.parse(text))


def last(text: str, reason: str) -> list[Action]:
    return [STOP, told(text), Ended(reason)]


def test_a_subscription_is_told_of_at_once_and_at_each_change() -> None:
    machine = Notifier()
    assert machine.subscribed(600, 0) == [StartTimer(Timer.EXPIRY, 600), told("active;expires=600")]
    assert machine.changed(100.4) == [told("active;expires=500")]
    assert machine.subscribed(300, 200) == [StartTimer(Timer.EXPIRY, 300), told("active;expires=300")]
    assert machine.ends_at == 500


def test_it_ends_when_it_is_not_refreshed() -> None:
    machine = Notifier()
    machine.subscribed(600, 0)
    assert machine.fired(Timer.EXPIRY, 600) == last("terminated;reason=timeout", "timeout")
    assert machine.changed(601) == []
    assert machine.close("rejected", 601) == []


def test_it_ends_when_the_subscriber_leaves() -> None:
    machine = Notifier()
    machine.subscribed(600, 0)
    assert machine.subscribed(0, 10) == last("terminated;reason=timeout", "timeout")


def test_a_poll_is_answered_with_one_notify() -> None:
    assert Notifier().subscribed(0, 0) == last("terminated;reason=timeout", "timeout")


def test_nothing_is_told_while_nobody_has_decided() -> None:
    machine = Notifier()
    assert machine.subscribed(60, 0, granted=False)[-1] == told("pending;expires=60")
    assert machine.changed(1) == []
    assert machine.subscribed(60, 10, granted=False)[-1] == told("pending;expires=60")
    assert machine.grant(20) == [told("active;expires=50")]
    assert machine.grant(20) == []
    assert machine.changed(30) == [told("active;expires=40")]


def test_a_refresh_does_not_undo_a_grant() -> None:
    machine = Notifier()
    machine.subscribed(60, 0)
    assert machine.subscribed(60, 5, granted=False)[-1] == told("active;expires=60")


def test_it_may_be_declined_later() -> None:
    machine = Notifier()
    machine.subscribed(60, 0, granted=False)
    assert machine.close("rejected", 1) == last("terminated;reason=rejected", "rejected")


def test_an_end_may_say_when_to_come_again() -> None:
    machine = Notifier()
    machine.subscribed(60, 0)
    assert machine.close("probation", 1, 30) == last(
        "terminated;reason=probation;retry-after=30", "probation"
    )


@pytest.mark.parametrize("status", [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604])
def test_a_notify_answered_so_removes_the_subscription(status: int) -> None:
    machine = Notifier()
    machine.subscribed(60, 0)
    assert machine.answered(status, 1) == [STOP, Ended(f"NOTIFY refused with {status}", status=status)]
    assert machine.state is State.TERMINATED


@pytest.mark.parametrize("status", [200, 202, 401, 500, 503, 600])
def test_any_other_answer_leaves_it(status: int) -> None:
    machine = Notifier()
    machine.subscribed(60, 0)
    assert machine.answered(status, 1) == []
    assert machine.changed(2) == [told("active;expires=58")]


def test_a_notify_without_answer_removes_it() -> None:
    machine = Notifier()
    machine.subscribed(60, 0)
    assert machine.unanswered(32) == [STOP, Ended("NOTIFY not answered")]


def test_nothing_leads_out_of_the_end() -> None:
    assert not any(state is State.TERMINATED for state, _ in NOTIFIER)


def test_packages_grant_what_they_say() -> None:
    assert REG.granted(None) == 3761  # RFC 3680 4.4
    assert CONFERENCE.granted(None) == 3600  # RFC 4575 3.3
    assert REG.granted(600) == 600
    assert REG.granted(2**32 - 1) == 600_000
    assert not REFER.subscribable


def test_423_is_for_less_than_the_least_and_less_than_an_hour() -> None:
    package = EventPackage("x", "a/b", default=7200, longest=7200, shortest=5000)
    assert package.is_too_brief(1)
    assert package.is_too_brief(3599)
    assert not package.is_too_brief(3600)
    assert not package.is_too_brief(0)
    assert not package.is_too_brief(None)
    assert not REG.is_too_brief(1)


def test_bodies_are_those_that_are_accepted() -> None:
    accept = [Accept.parse("application/reginfo+xml;q=0.1")]
    assert REG.is_accepted(accept, present=True)
    assert REG.is_accepted([], present=False)
    assert not REG.is_accepted([], present=True)
    assert not CONFERENCE.is_accepted(accept, present=True)
