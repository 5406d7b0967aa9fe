"""Answers to MESSAGE, and what goes with one, spoiled one by one (RFC 3428 4, 7); SMS over IP."""

from __future__ import annotations

from harness.evidence.timeline import Transport
from harness.verify.proof.messages import ICSI, PPS
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script


def delivered_before_stored(script: Script) -> Script:
    """The delivery notification comes before the 202."""
    script.steps[1:4] = [*script.steps[2:4], script.steps[1]]
    return script


def without_length(script: Script) -> Script:
    """The text alone over UDP, where a message ends without Content-Length too."""
    script.drop(2, 3, 4, 5).without(1, "Content-Length")
    script.change(0, transport=Transport.UDP).change(1, transport=Transport.UDP)
    return script.everywhere("SIP/2.0/TCP", "SIP/2.0/UDP", 0, 1)


MUTANTS = [
    Mutant(
        "pager.202",
        NETWORK,
        "pager_stored",
        delivered_before_stored,
        ("imdn.after-2xx",),
        "a notification before the answer is one of these two wrongs",
    ),
    Mutant("pager.final-response", HANDSET, "pager_mt", lambda s: s.change(1, after=6.0)),
    Mutant("pager.expires-date", HANDSET, "pager_expiring", lambda s: s.without(0, "Date")),
    Mutant(
        "pager.answer.ids",
        HANDSET,
        "pager_mt",
        without_length,
        ("sip.content-length.udp",),
        "the rule of all messages over UDP",
    ),
    Mutant(
        "pager.mt.accept-contact",
        NETWORK,
        "registered_pager_mt",
        lambda s: s.drop(10, 11, 12, 13).everywhere(f"{ICSI}msg,{ICSI}session", f"{ICSI}session", 0, 2),
    ),
    Mutant(
        "pager.legacy-sms",
        HANDSET,
        "sms_over_ip",
        lambda s: s.line(0, f"{PPS}msg"),
        (
            "ims.accept-contact.present",
            "ims.conversation-id.present",
            "ims.contribution-id.present",
            "pager.content-type.cpm",
            "pager.accept-contact.icsi",
        ),
        "what names the service of CPM is held to the rules of CPM",
    ),
]
