"""How a session goes on: what may differ in when it is refreshed, and in what is tried again after 491."""

from __future__ import annotations

import pytest

from harness.verify.engine import Verifier
from harness.verify.proof.changes import TEXT, both
from harness.verify.proof.flows.msrp import chat
from harness.verify.proof.flows.session_change import reinvites_met_mo, reinvites_met_mt
from harness.verify.proof.flows.sip import session_mo
from harness.verify.proof.messages import ALLOW, FAR_INVITE_CONTACT, UE_INVITE_CONTACT, answer, in_dialog
from harness.verify.proof.mutants.session_refresh import (
    after,
    hung_up_by_the_network,
    written_after_the_end,
)
from harness.verify.proof.script import Script

H = "handset"
HALF, IN_TIME, RETRY = "timer.refresh-half", "timer.refresh-in-time", "sip.491.retry"


def found_in(script: Script) -> list[tuple[str, str, str]]:
    """Rule, party and message of the findings, in order."""
    return [(each.rule, each.party.value, each.where.label) for each in Verifier().judge(script.timeline())]


def update(number, mark, *, handset=True):
    """A refresh in session_mo by UPDATE, and its 200."""
    granted = f"Session-Expires: 1800;refresher={'uac' if handset else 'uas'}"
    near, far = (UE_INVITE_CONTACT, FAR_INVITE_CONTACT)[:: 1 if handset else -1]
    asked = in_dialog(
        *("UPDATE", number, mark, "Supported: timer", granted, "Min-SE: 90", ALLOW, near), handset=handset
    )
    taken = ("Supported: timer", granted, "Require: timer", ALLOW, far)
    return [asked, answer(asked, "200 OK", "", taken)]


def refreshed(*seconds, handset=True, status=""):
    """UPDATEs before the text of the chat, each so long after what was before; answered so, or 200."""

    def change(script):
        for number, wait in enumerate(seconds):
            asked, taken = update(2 + number, f"up{number}", handset=handset)
            taken = answer(asked, status, "") if status else taken
            script.insert(TEXT + 2 * number, asked).insert(TEXT + 2 * number + 1, taken)
            script.change(TEXT + 2 * number, after=wait)
        last = 2 + len(seconds) if handset else 2
        return script.everywhere("CSeq: 2 BYE", f"CSeq: {last} BYE")

    return change


def without_interval(script):
    """The 200 to the UPDATE in front of the text has no Session-Expires: the timer is off (RFC 4028 7.2)."""
    return script.without(TEXT + 1, "Session-Expires").without(TEXT + 1, "Require")


def unrefreshed(script):
    return script.drop(5, 6).everywhere("CSeq: 3 BYE", "CSeq: 2 BYE")


def refreshed_and_hung_up(script):
    bye = in_dialog("BYE", 1, "net", "Supported: timer", handset=False)
    script.steps[7:] = [bye, answer(bye, "200 OK", "")]
    return script


def hung_up_in_vain(script):
    """The handset is no longer there: it knows nothing of the session."""
    script.steps[6] = answer(script.steps[5], "481 Call/Transaction Does Not Exist", "")
    return script


def refused(script):
    """The refresh at half is refused, and the other side hangs up."""
    asked = update(2, "up", handset=True)[0]
    script.steps[5:5] = [asked, answer(asked, "500 Oops", "")]
    return script.change(5, after=890).change(7, after=870)


def another_method(script):
    """After the re-INVITE that was refused comes an UPDATE."""
    return script.everywhere("INVITE", "UPDATE", 8, 9).drop(10)


def otherwise_refused(script):
    return script.sub(6, "491 Request Pending", "500 Oops")


LEGAL = {
    "sooner than at half": (session_mo, after(5, 300)),
    "about at half": (session_mo, after(5, 1070)),
    "again and again": (chat, both(refreshed(890, 890, 890), after(TEXT + 6, 890))),
    "ended by who would have to refresh it": (session_mo, both(unrefreshed, after(5, 1750))),
    "ended by the other side before half": (session_mo, both(hung_up_by_the_network, after(5, 1000))),
    "ended by the other side after a refresh": (session_mo, both(refreshed_and_hung_up, after(7, 1000))),
    "a refresh that is refused": (chat, both(refreshed(890, status="500 Oops"), after(TEXT + 2, 1000))),
    "a change by the other side": (chat, both(refreshed(1700, handset=False), after(TEXT + 2, 1700))),
    "no timer any more": (chat, both(refreshed(890), without_interval, after(TEXT + 2, 4000))),
    "an interval of nothing": (chat, both(lambda s: s.sub(3, "1800;", "0;"), after(TEXT, 4000))),
    "ended by the other side after it was refused": (session_mo, both(hung_up_by_the_network, refused)),
    "ended by the other side when nobody was there": (
        session_mo,
        both(hung_up_by_the_network, after(5, 1768), hung_up_in_vain),
    ),
    "nobody there any more": (session_mo, lambda s: s.drop(5, 6, 7, 8).wait(4000)),
    "tried again by the owner after 2.1 s": (reinvites_met_mo, after(8, 2.1)),
    "tried again by the owner late": (reinvites_met_mo, after(8, 9.0)),
    "tried again by the other side at once": (reinvites_met_mt, after(7, 0.0)),
    "tried again by the other side after 2 s": (reinvites_met_mt, after(7, 2.4)),
    "tried again after another refusal": (reinvites_met_mo, both(after(8, 1.0), otherwise_refused)),
    "another change after 491": (reinvites_met_mo, both(after(8, 1.0), another_method)),
    "changed by the other side later": (reinvites_met_mt, after(7, 60.0)),
}


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_legal_is_not_reported(name):
    flow, change = LEGAL[name]
    found = found_in(change(flow()))
    assert [each for each in found if each[0] in (HALF, IN_TIME, RETRY)] == []


@pytest.mark.parametrize(
    "change",
    [
        both(refreshed(890), after(TEXT + 2, 1900)),
        both(refreshed(890, handset=False, status="488 No"), after(TEXT + 2, 1000)),
    ],
    ids=["of the interval before", "of the other side, refused"],
)
def test_what_does_not_count_as_a_refresh(change):
    assert (IN_TIME, H) in [(rule, party) for rule, party, _ in found_in(change(chat()))]


def test_who_has_not_to_refresh_may_write_on():
    """The far end writes late; the handset, which has to refresh, says nothing but its BYE."""
    of_the_handset = (*range(TEXT, TEXT + 6), *range(TEXT + 8, TEXT + 12))
    assert found_in(written_after_the_end(chat().drop(*of_the_handset))) == []


@pytest.mark.parametrize("late", [1082, 1799])
def test_a_refresh_after_half_is_late(late):
    assert found_in(after(5, late)(session_mo())) == [(HALF, H, "UPDATE #7")]


def test_an_interval_is_let_go_once():
    assert [rule for rule, _, _ in found_in(written_after_the_end(chat()))] == [IN_TIME]


def test_a_refresh_that_may_be_in_a_gap_is_left_open():
    script = written_after_the_end(chat()).change(TEXT - 2, missing=10)
    verifier = Verifier()
    verifier.judge(script.timeline())
    assert IN_TIME not in {each.rule for each in verifier.findings}
    assert IN_TIME in {each.rule for each in verifier.open}
