"""Sessions that are refreshed late or not at all, and changes that are tried again too soon or too late."""

from __future__ import annotations

from harness.verify.proof.changes import TEXT, both
from harness.verify.proof.messages import answer, in_dialog
from harness.verify.proof.mutant import HANDSET, NETWORK, Change, Mutant
from harness.verify.proof.script import Script


def after(index: int, seconds: float) -> Change:
    """So many seconds after the step before."""
    return lambda script: script.change(index, after=seconds)


def written_after_the_end(script: Script) -> Script:
    """The texts of the chat come 1900 seconds later, and say so."""
    return after(TEXT, 1900)(script.everywhere("T22:13:2", "T22:45:0"))


def hung_up_by_the_network(script: Script) -> Script:
    """In place of the UPDATE, the BYE of the handset and their answers."""
    bye = in_dialog("BYE", 1, "net", "Supported: timer", handset=False)
    script.steps[5:] = [bye, answer(bye, "200 OK", "")]
    return script


MUTANTS = [
    Mutant("timer.refresh-half", HANDSET, "session_mo", after(5, 1100)),
    Mutant("timer.refresh-half", HANDSET, "session_mo", both(hung_up_by_the_network, after(5, 1768))),
    Mutant("timer.refresh-half", NETWORK, "session_mt", after(4, 1768)),
    Mutant("timer.refresh-half", NETWORK, "refreshed_mt", after(4, 1100)),
    Mutant("timer.refresh-in-time", HANDSET, "session_mo", after(5, 1900)),
    Mutant("timer.refresh-in-time", HANDSET, "chat", written_after_the_end),
    Mutant("sip.491.retry", HANDSET, "reinvites_met_mo", after(8, 1.9)),
    Mutant("sip.491.retry", HANDSET, "reinvites_met_mt", after(7, 3.0)),
]
