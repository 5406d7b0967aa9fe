"""What a side may do by RFC 4028: ask for more than it has to, grant less, add for who knows no timers.

And on what a rule looks back: who has shown to use timers, which least interval it was told in the dialog.
"""

from __future__ import annotations

import pytest

from harness.verify.engine import Verifier
from harness.verify.proof.flows import FLOWS
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


def test_what_is_granted_is_no_less_than_the_request_allowed(flow, judged):
    script = flow("session_mt").sub(0, "Min-SE: 90", "Min-SE: 1000")
    script.sub(2, GRANTED, "Session-Expires: 900;refresher=uac")
    assert judged(script) == [("timer.answer-not-larger", "handset")]


def test_a_proxy_may_add_an_interval_for_who_knows_no_timers(flow, judged):
    script = flow("session_mt").sub(0, "Supported: timer", "Supported: path").sub(0, "Min-SE: 90\r\n", "")
    script.sub(2, GRANTED, f"{SE};refresher=uas").sub(2, "Require: timer\r\n", "")
    assert judged(script) == []


def test_the_interval_may_be_reduced_to_what_the_other_side_allows(flow, judged):
    assert judged(flow("session_mt").sub(2, GRANTED, "Session-Expires: 90;refresher=uas")) == []
    assert judged(flow("session_mt").sub(0, SE, "x: 1800").sub(2, GRANTED, "x: 1000;refresher=uac")) == []


# -- who has shown in the dialog that it uses timers ------------------------------------------------------

SAYS = ("Supported: timer",)


def request(method, number, *rows, handset=True, mo=True, status="200 OK", told=()):
    """A request in the dialog, and its answer."""
    near = UE_INVITE_CONTACT if handset else FAR_INVITE_CONTACT
    far = FAR_INVITE_CONTACT if handset else UE_INVITE_CONTACT
    mark = f"{method.lower()}{number}{handset:d}"
    asked = in_dialog(method, number, mark, ALLOW, near, *rows, mo=mo, handset=handset)
    return [asked, answer(asked, status, "", (far, *told))]


def parties(script, rule):
    """Whom the rule reports, in order."""
    return [each.party.value for each in Verifier().judge(script.timeline()) if each.rule == rule]


def timeless(script):
    """Neither side of session_mo speaks of timers."""
    script = script.drop(5, 6)
    for name in ("Supported", "Session-Expires", "Min-SE"):
        script.without(0, name)
    for name in ("Supported", "Session-Expires", "Require"):
        script.without(3, name)
    return script


def session(name, *steps, of=lambda script: script.drop(5, 6)):
    """The flow with these requests and answers in front of its BYE."""
    script = of(FLOWS[name]())
    script.steps[-2:-2] = [step for pair in steps for step in pair]
    return script


SHOWN = {
    "in the INVITE": (session("session_mo", request("UPDATE", 2)), ["handset"]),
    "in the 200": (session("session_mt", request("UPDATE", 1, mo=False), of=lambda s: s), ["handset"]),
    "in an earlier UPDATE": (
        session("session_mo", request("UPDATE", 2, *SAYS), request("UPDATE", 3), of=timeless),
        ["handset"],
    ),
    "never": (session("session_mo", request("UPDATE", 2), of=timeless), []),
    "by the other side": (
        session("session_mo", request("UPDATE", 1, *SAYS, handset=False), request("UPDATE", 2), of=timeless),
        [],
    ),
    "in an INFO, which refreshes nothing": (
        session("session_mo", request("INFO", 2, *SAYS), request("UPDATE", 3), of=timeless),
        [],
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_timers_are_to_be_named_by_who_has_shown_to_use_them(name):
    script, told = SHOWN[name]
    assert parties(script, "timer.supported") == told


# -- the least interval a side was told -------------------------------------------------------------------


def least(seconds):
    return (*SAYS, "Session-Expires: 3600;refresher=uac", f"Min-SE: {seconds}")


def small(number, asked, told):
    """An UPDATE of the handset that is refused with 422."""
    return request("UPDATE", number, *least(asked), status="422 Too Small", told=(f"Min-SE: {told}",))


TOLD = {
    "by 422 in the dialog": ([small(2, 90, 2000), request("UPDATE", 3, *least(1999))], ["handset"]),
    "by the larger of two": (
        [small(2, 90, 3000), small(3, 3000, 2000), request("UPDATE", 4, *least(2500))],
        ["handset"],
    ),
    "by a refresh of the other side": (
        [request("UPDATE", 1, *least(2000), handset=False), request("UPDATE", 2, *least(90))],
        ["handset"],
    ),
    "by an INFO, which refreshes nothing": (
        [request("INFO", 1, "Min-SE: 2000", handset=False), request("UPDATE", 2, *least(90))],
        [],
    ),
    "by a 200": (
        [request("UPDATE", 2, *least(90), told=("Min-SE: 2000",)), request("UPDATE", 3, *least(90))],
        [],
    ),
    "by itself": ([request("UPDATE", 2, *least(2000)), request("UPDATE", 3, *least(90))], []),
}


@pytest.mark.parametrize("name", TOLD)
def test_the_largest_least_interval_told_counts(name):
    steps, told = TOLD[name]
    assert parties(session("session_mo", *steps), "timer.retry-after-422") == told


def test_what_was_told_before_the_dialog_is_over_with_it():
    """RFC 4028 7.4: effectively cleared once the dialog is established."""
    update = request("UPDATE", 3, *least(90))
    script = session("interval_too_small", update, of=lambda s: s.everywhere("CSeq: 3 BYE", "CSeq: 4 BYE"))
    assert parties(script, "timer.retry-after-422") == []
