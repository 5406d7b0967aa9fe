"""What a side may do by RFC 4028: ask for more than it has to, grant less, add for who knows no timers."""

from __future__ import annotations

import pytest

from harness.verify.proof.messages import ALLOW, FAR_INVITE_CONTACT, UE_INVITE_CONTACT, answer, in_dialog
from harness.verify.proof.mutants.session_timer import GRANTED, SE


@pytest.mark.parametrize("least", ["2000", "2400"])
def test_after_422_more_may_be_asked_for_than_has_to_be(flow, judged, least):
    assert judged(flow("interval_too_small").sub(3, "Min-SE: 2000", f"Min-SE: {least}")) == []


@pytest.mark.parametrize(("place", "faults"), [(6, []), (7, [("timer.retry-after-422", "network")])])
def test_a_least_interval_is_known_once_its_request_was_answered(flow, judged, place, faults):
    """UPDATEs may cross on the way: who sent one has not read the other."""
    granted = "Session-Expires: 1800;refresher=uas"
    update = in_dialog(
        "UPDATE", 1, "net", "Supported: timer", granted, ALLOW, FAR_INVITE_CONTACT, handset=False
    )
    answered = answer(update, "200 OK", "", (UE_INVITE_CONTACT, ALLOW, granted, "Require: timer"))
    script = flow("session_mo").insert(place, update)
    assert judged(script.insert(8, answered)) == faults


def test_a_proxy_may_add_an_interval_for_who_knows_no_timers(flow, judged):
    script = flow("session_mt").sub(0, "Supported: timer", "Supported: path").sub(0, "Min-SE: 90\r\n", "")
    script.sub(2, GRANTED, f"{SE};refresher=uas").sub(2, "Require: timer\r\n", "")
    assert judged(script) == []


def test_the_interval_may_be_reduced_to_what_the_other_side_allows(flow, judged):
    assert judged(flow("session_mt").sub(2, GRANTED, "Session-Expires: 90;refresher=uas")) == []
    assert judged(flow("session_mt").sub(0, SE, "x: 1800").sub(2, GRANTED, "x: 1000;refresher=uac")) == []
