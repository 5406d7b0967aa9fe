"""Dialogs with wrong tags, numbers, routes and targets, and their end (RFC 3261 12, 15)."""

from __future__ import annotations

from harness.verify.proof.flows.sip import hop_by_hop, session_mo
from harness.verify.proof.messages import answer, in_dialog
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script


def renumbered(script: Script, index: int, old: int, new: int, method: str) -> Script:
    """Another CSeq number in a request and the response behind it."""
    for place in (index, index + 1):
        script.sub(place, f"CSeq: {old} {method}", f"CSeq: {new} {method}")
    return script


def bye_of_an_early_dialog(script: Script) -> Script:
    """The callee, here the network, ends a session of the handset that it has not accepted."""
    mo = session_mo()
    script.steps = [*mo.steps[:3], in_dialog("BYE", 1, "early", "Supported: timer", handset=False)]
    bye = script.steps[3]
    refused = answer(mo.steps[0], "487 Request Terminated", "faransw42")
    script.steps += [answer(bye, "200 OK", ""), refused, hop_by_hop(mo.steps[0], "ACK", "faransw42")]
    return script


def update_after_bye(script: Script) -> Script:
    """BYE before the UPDATE, the numbers in order."""
    script.steps[5:9] = script.steps[7:9] + script.steps[5:7]
    script.everywhere("CSeq: 3 BYE", "CSeq: 2 BYE", 5, 6)
    return script.everywhere("CSeq: 2 UPDATE", "CSeq: 3 UPDATE", 7, 8)


MUTANTS = [
    Mutant("sip.from.tag", HANDSET, "pager_mo", lambda s: s.everywhere(";tag=froma81c2", "", 0, 1)),
    Mutant("sip.from.tag", NETWORK, "pager_mt", lambda s: s.everywhere(";tag=fard81c2", "", 0, 1)),
    Mutant("sip.from.tag", HANDSET, "register", lambda s: s.sub(0, "\r\nCall-ID", ";tag=netreg1\r\nCall-ID")),
    Mutant("sip.cseq.monotonic", HANDSET, "session_mo", lambda s: renumbered(s, 7, 3, 5, "BYE")),
    Mutant("sip.cseq.monotonic", HANDSET, "session_mo", lambda s: renumbered(s, 7, 3, 2, "BYE")),
    Mutant(
        "sip.cseq.monotonic.network",
        NETWORK,
        "session_ended_by_network",
        lambda s: renumbered(s, 4, 2, 1, "BYE"),
    ),
    Mutant(
        "sip.dialog.identity",
        HANDSET,
        "session_mo",
        lambda s: s.everywhere("tag=faransw42", "tag=wrong", 7, 8),
    ),
    Mutant(
        "sip.dialog.identity",
        NETWORK,
        "session_ended_by_network",
        lambda s: s.everywhere("tag=farinv81c2", "tag=wrong", 4, 5).sub(5, "200 OK", "481 No"),
    ),
    Mutant(
        "sip.dialog.identity",
        HANDSET,
        "session_mo",
        lambda s: s.everywhere("Call-ID: inv", "Call-ID: xinv", 7, 8),
    ),
    Mutant("sip.record-route.copy", HANDSET, "session_mt", lambda s: s.without(2, "Record-Route")),
    Mutant("sip.record-route.copy", HANDSET, "session_mt", lambda s: s.sub(1, "5060;lr>", "5060;lr;x=1>")),
    Mutant("sip.route.set", HANDSET, "session_mo", lambda s: s.without(4, "Route")),
    Mutant(
        "sip.route.set",
        HANDSET,
        "session_mo",
        lambda s: s.sub(7, "BYE sip:+491700000002@10.0.0.1:5060", "BYE sip:+491700000002@10.0.0.9:5060"),
    ),
    Mutant("sip.contact.dialog", HANDSET, "refused_mo", lambda s: s.without(0, "Contact")),
    Mutant(
        "sip.contact.dialog",
        HANDSET,
        "refused_mo",
        lambda s: s.line(0, "m: <sip:+491700000001@10.0.0.5:5061>"),
    ),
    Mutant("sip.contact.target-refresh", HANDSET, "session_mo", lambda s: s.without(5, "Contact")),
    Mutant("sip.bye.once", HANDSET, "session_mt", lambda s: s.drop(3)),
    Mutant(
        "sip.bye.once",
        HANDSET,
        "session_ended_by_network",
        lambda s: s.sub(5, "200 OK", "500 Server Internal Error"),
    ),
    Mutant(
        "sip.bye.second",
        HANDSET,
        "session_mo",
        lambda s: (
            s.copy(7, 9)
            .copy(8, 10)
            .everywhere("z9hG4bKbye", "z9hG4bKbyf", 9, 10)
            .everywhere("CSeq: 3", "CSeq: 4", 9, 10)
        ),
    ),
    Mutant("sip.contact.dialog", NETWORK, "session_mo", lambda s: s.without(3, "Contact")),
    Mutant("sip.contact.target-refresh", NETWORK, "session_mo", lambda s: s.without(2, "Contact")),
    Mutant("sip.bye.once", HANDSET, "session_mo", update_after_bye),
    Mutant("sip.bye.once", NETWORK, "session_ended_by_network", bye_of_an_early_dialog),
]
