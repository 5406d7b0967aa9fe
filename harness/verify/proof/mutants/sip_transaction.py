"""Requests answered, repeated, cancelled and challenged wrongly (RFC 3261 8, 9, 17, 22; RFC 3581)."""

from __future__ import annotations

from harness.verify.proof.flows.sip import hop_by_hop
from harness.verify.proof.messages import answer
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.mutants.sip_dialog import renumbered
from harness.verify.proof.script import Script

NONCE, OLD_NONCE = "dcd98b7102dd2f0e8b11d0f600bfb0c0", "0123456789abcdef0123456789abcdef"
REQUIRE_ODD = "Require: rcslab-unknown"


def cancelled_again_elsewhere(script: Script) -> Script:
    """Another CANCEL, of a request never sent, and the same answer to it."""
    script.copy(3, 7).copy(4, 8)
    script.everywhere("z9hG4bKmtinv", "z9hG4bKother", 7, 8).everywhere("mtinv9d8", "other9d8", 7, 8)
    return script.wait(10.0)


MUTANTS = [
    Mutant("sip.via.branch-unique", HANDSET, "pager_mt", lambda s: s.everywhere("z9hG4bKmof", "z9hG4bKmoe")),
    Mutant(
        "sip.via.branch-unique", HANDSET, "session_mo", lambda s: s.everywhere("z9hG4bKack", "z9hG4bKinv", 4)
    ),
    Mutant("sip.via.echo", NETWORK, "pager_mo", lambda s: s.sub(1, "z9hG4bKmoa", "z9hG4bKmox")),
    Mutant("sip.via.echo", HANDSET, "pager_mt", lambda s: s.sub(1, "10.0.0.1:5060;", "10.0.0.1;")),
    Mutant(
        "sip.via.echo",
        HANDSET,
        "pager_mt",
        lambda s: s.sub(1, "From:", "Via: SIP/2.0/TCP 10.9.9.9;branch=z9hG4bK1\r\nFrom:"),
    ),
    Mutant(
        "sip.via.rport-filled",
        NETWORK,
        "pager_mo",
        lambda s: s.sub(1, ";rport=40000;received=10.0.0.5", ";rport"),
    ),
    Mutant("sip.via.rport-filled", HANDSET, "pager_mt", lambda s: s.sub(1, ";received=10.0.0.1", "")),
    Mutant("sip.to.tag-in-response", NETWORK, "pager_mo", lambda s: s.sub(1, ";tag=netA1", "")),
    Mutant(
        "sip.to.tag-in-response", HANDSET, "session_ended_by_network", lambda s: s.sub(1, "ueansw42", "other")
    ),
    Mutant("sip.response.echo", NETWORK, "pager_mo", lambda s: s.sub(1, "Call-ID: calla", "Call-ID: Calla")),
    Mutant("sip.response.echo", NETWORK, "pager_mo", lambda s: s.sub(1, "CSeq: 1 ", "CSeq: 2 ")),
    Mutant("sip.response.echo", HANDSET, "pager_mt", lambda s: s.sub(1, "tag=fard", "tag=farx")),
    Mutant(
        "sip.response.echo",
        HANDSET,
        "pager_mt",
        lambda s: s.sub(1, "To: <sip:+491700000001", "To: <sip:+491700000009"),
    ),
    Mutant("sip.response.final-in-time", NETWORK, "pager_mt", lambda s: s.drop(5).wait(40)),
    Mutant("sip.response.final-in-time", HANDSET, "options_mt", lambda s: s.drop(1).wait(40)),
    Mutant(
        "sip.header.compact-forms.handset",
        HANDSET,
        "options_mt",
        lambda s: (
            s.sub(1, "200 OK", "400 Bad Request")
            .sub(0, "From:", "f:")
            .sub(0, "To:", "t:")
            .sub(0, "Call-ID:", "i:")
            .sub(0, "Via:", "v:")
            .sub(0, "Contact:", "m:")
        ),
    ),
    Mutant("sip.require.unknown-420", HANDSET, "options_mt", lambda s: s.line(0, REQUIRE_ODD)),
    Mutant(
        "sip.require.unknown-420",
        HANDSET,
        "options_mt",
        lambda s: s.line(0, REQUIRE_ODD).sub(1, "200 OK", "420 Bad Extension"),
    ),
    Mutant("sip.require.unlisted-accepted", HANDSET, "options_mt", lambda s: s.line(0, "Require: replaces")),
    Mutant(
        "sip.481.unknown-dialog",
        HANDSET,
        "session_ended_by_network",
        lambda s: s.drop(0, 1, 2, 3),
        ("sip.from.tag",),
        "the same To tag, on the side of who sent it",
    ),
    Mutant("sip.auth.challenge", NETWORK, "register", lambda s: s.without(1, "WWW-Authenticate")),
    Mutant("sip.auth.retry-cseq", HANDSET, "register", lambda s: renumbered(s, 2, 2, 4, "REGISTER")),
    Mutant(
        "sip.auth.no-reuse-rejected",
        HANDSET,
        "register",
        lambda s: s.sub(0, 'nonce=""', f'nonce="{OLD_NONCE}"').sub(2, NONCE, OLD_NONCE),
    ),
    Mutant(
        "sip.auth.retry",
        HANDSET,
        "register",
        lambda s: (
            s.drop(4, 5, 6, 7)
            .copy(0, 4)
            .copy(1, 5)
            .everywhere("reg9d8", "rex9d8", 4, 5)
            .everywhere("z9hG4bKreg1", "z9hG4bKrex1", 4, 5)
            .wait(60)
        ),
    ),
    Mutant("sip.ack.non-2xx", HANDSET, "refused_mo", lambda s: s.sub(3, ";tag=faransw42", ";tag=wrong")),
    Mutant("sip.ack.non-2xx", HANDSET, "refused_mo", lambda s: s.line(3, "Require: timer")),
    Mutant("sip.ack.non-2xx", HANDSET, "refused_mo", lambda s: s.without(3, "Route")),
    Mutant("sip.ack.non-2xx", HANDSET, "refused_mo", lambda s: s.sub(3, "z9hG4bKinv", "z9hG4bKoth")),
    Mutant("sip.cancel.form", HANDSET, "cancelled_mo", lambda s: s.without(3, "Route")),
    Mutant("sip.cancel.form", HANDSET, "cancelled_mo", lambda s: s.line(3, "Require: timer")),
    Mutant(
        "sip.cancel.form",
        NETWORK,
        "cancelled_mt",
        lambda s: s.everywhere("tag=farinv81c2", "tag=wrong", 3, 4),
    ),
    Mutant("sip.cancel.after-1xx", HANDSET, "cancelled_mo", lambda s: s.drop(1, 2)),
    Mutant(
        "sip.cancel.after-final",
        HANDSET,
        "refused_mo",
        lambda s: s.insert(4, hop_by_hop(s.steps[0], "CANCEL")).insert(5, answer(s.steps[4], "200 OK", "x1")),
    ),
    Mutant(
        "sip.cancel.answer",
        HANDSET,
        "cancelled_mt",
        lambda s: s.sub(4, "200 OK", "481 Call/Transaction Does Not Exist"),
    ),
    Mutant(
        "sip.cancel.487",
        HANDSET,
        "cancelled_mt",
        lambda s: s.sub(5, "487 Request Terminated", "480 Temporarily Unavailable").wait(10),
    ),
    Mutant("sip.callid.unique", HANDSET, "pager_mt", lambda s: s.everywhere("callf", "calle", 4, 5)),
    Mutant("sip.callid.unique", NETWORK, "pager_mo", lambda s: s.everywhere("mtc9", "mtb9", 4, 5)),
    Mutant(
        "sip.auth.challenge",
        NETWORK,
        "cancelled_mo",
        lambda s: s.sub(4, "200 OK", "401 Unauthorized").line(
            4, 'WWW-Authenticate: Digest realm="r",nonce="n"'
        ),
    ),
    Mutant(
        "sip.cancel.487",
        HANDSET,
        "cancelled_mt",
        cancelled_again_elsewhere,
    ),
    Mutant(
        "sip.via.branch-unique", NETWORK, "pager_mo", lambda s: s.everywhere("z9hG4bKmtc", "z9hG4bKmtb", 4, 5)
    ),
    Mutant("sip.ack.non-2xx", NETWORK, "cancelled_mt", lambda s: s.sub(6, ";tag=ueansw42", ";tag=wrong")),
]
