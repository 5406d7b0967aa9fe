"""Session timer rules: one slip, one finding (flows of conftest.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.verify.proof.flows.sip import hop_by_hop
from harness.verify.proof.messages import answer
from harness.verify.proof.script import Script

H, N = "handset", "network"
SE = "Session-Expires: 1800"
GRANTED = "Session-Expires: 1800;refresher=uac"

TABLE = [
    ("timer.supported", H, "session_mo", lambda s: s.sub(5, "Supported: timer", "Supported: path")),
    (
        "timer.supported",
        N,
        "session_mt",
        lambda s: (
            s.sub(0, "Supported: timer", "Supported: path")
            .sub(0, SE, f"{SE};refresher=uas")
            .sub(2, GRANTED, f"{SE};refresher=uas")
        ),
    ),
    (
        "timer.supported.other-methods",
        H,
        "session_mo",
        lambda s: s.sub(7, "Supported: timer", "Supported: path"),
    ),
    ("timer.se-range", H, "refused_mo", lambda s: s.sub(0, SE, "Session-Expires: 89")),
    ("timer.se-range", H, "refused_mo", lambda s: s.sub(0, "Min-SE: 90", "Min-SE: 2000")),
    ("timer.se-recommended", H, "refused_mo", lambda s: s.sub(0, SE, "Session-Expires: 1799")),
    ("timer.min-se", H, "refused_mo", lambda s: s.sub(0, "Min-SE: 90", "Min-SE: 60")),
    ("timer.min-se", N, "session_mo", lambda s: s.line(3, "Min-SE: 90")),
    ("timer.min-se", N, "refused_mo", lambda s: s.sub(2, "486 Busy Here", "422 Session Interval Too Small")),
    (
        "timer.answer-not-larger",
        H,
        "session_mt",
        lambda s: s.sub(2, GRANTED, "Session-Expires: 1801;refresher=uac"),
    ),
    (
        "timer.answer-not-larger",
        H,
        "session_mt",
        lambda s: s.sub(2, GRANTED, "Session-Expires: 89;refresher=uac"),
    ),
    (
        "timer.answer-not-larger.network",
        N,
        "session_mo",
        lambda s: s.sub(3, GRANTED, "Session-Expires: 3600;refresher=uac"),
    ),
    ("timer.refresher-set", H, "session_mt", lambda s: s.sub(2, GRANTED, SE)),
    ("timer.refresher-set", N, "session_mo", lambda s: s.sub(3, GRANTED, SE)),
    ("timer.refresher-equal", H, "session_mt", lambda s: s.sub(0, SE, f"{SE};refresher=uas")),
    ("timer.require", N, "session_mo", lambda s: s.sub(3, "Require: timer\r\n", "")),
    ("timer.where", H, "session_mo", lambda s: s.line(7, SE)),
    ("timer.where", N, "session_mo", lambda s: s.line(2, GRANTED)),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}-{row[2]}")
def test_a_slip_gives_its_finding_alone(row, flow, judged):
    rule, party, name, spoil = row
    assert judged(spoil(flow(name))) == [(rule, party)]


@pytest.mark.parametrize(
    ("least", "faults"), [("90", {("timer.retry-after-422", H)}), ("2000", set()), ("2400", set())]
)
def test_after_422_the_interval_asked_for_is_at_least_the_one_told(flow, judged, least, faults):
    script = flow("session_mo")
    invite = script.steps[0]
    refused = answer(invite, "422 Session Interval Too Small", "small1", ("Min-SE: 2000",))
    script.steps[0:0] = [invite, refused, hop_by_hop(invite, "ACK", "small1")]
    again = [replace(step, text=step.text.replace("z9hG4bKinv", "z9hG4bKsec")) for step in script.steps[3:7]]
    again = [
        replace(step, text=step.text.replace("CSeq: 1 ", "CSeq: 2 ")) for step in (*again, script.steps[7])
    ]
    script = Script([*script.steps[:3], *again])
    script.sub(3, SE, "Session-Expires: 3600").sub(3, "Min-SE: 90", f"Min-SE: {least}")
    script.sub(6, GRANTED, "Session-Expires: 3600;refresher=uac")
    assert set(judged(script)) == faults


def test_a_proxy_may_add_an_interval_for_who_knows_no_timers(flow, judged):
    script = flow("session_mt").sub(0, "Supported: timer", "Supported: path").sub(0, "Min-SE: 90\r\n", "")
    script.sub(2, GRANTED, f"{SE};refresher=uas").sub(2, "Require: timer\r\n", "")
    assert judged(script) == []


def test_the_interval_may_be_reduced_to_what_the_other_side_allows(flow, judged):
    assert judged(flow("session_mt").sub(2, GRANTED, "Session-Expires: 90;refresher=uas")) == []
    assert judged(flow("session_mt").sub(0, SE, "x: 1800").sub(2, GRANTED, "x: 1000;refresher=uac")) == []
