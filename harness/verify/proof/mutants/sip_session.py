"""Sessions set up wrongly: the 2xx and its ACK, PRACK, what the sides can do (RFC 3261 11, 13; RFC 3262)."""

from __future__ import annotations

from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script


def offer_of(script: Script) -> str:
    return script.steps[0].text.partition("\r\n\r\n")[2]


def never_acknowledged(script: Script) -> Script:
    """The 2xx again and again, without any ACK and without the BYE that is due then."""
    script.drop(3, 4, 5)
    for _ in range(4):
        script.copy(2, 3, after=1.0)
    return script.wait(40.0)


MUTANTS = [
    Mutant("sip.ack.2xx", HANDSET, "session_mo", lambda s: s.sub(4, "CSeq: 1 ACK", "CSeq: 2 ACK")),
    Mutant("sip.ack.2xx", HANDSET, "session_mo", lambda s: s.everywhere("tag=faransw42", "tag=wrong", 4)),
    Mutant(
        "sip.ack.2xx",
        HANDSET,
        "session_mo",
        lambda s: s.line(4, "Content-Type: application/sdp").body(4, offer_of(s)),
    ),
    Mutant(
        "sip.ack.2xx",
        HANDSET,
        "session_mo",
        lambda s: s.drop(4, 5, 6, 7, 8).copy(3, 4, after=0.5).wait(10).wait(22),
    ),
    Mutant("sip.invite.answer", HANDSET, "session_mt", lambda s: s.without(2, "Content-Type").body(2, "")),
    Mutant("sip.2xx.retransmit", HANDSET, "session_mt", lambda s: s.drop(3, 4, 5).wait(3)),
    Mutant(
        "sip.100rel.reliable-1xx",
        NETWORK,
        "reliable_mo",
        lambda s: s.sub(1, "RSeq: 1", "RSeq: 0").sub(2, "RAck: 1", "RAck: 0"),
    ),
    Mutant(
        "sip.100rel.reliable-1xx", NETWORK, "session_mo", lambda s: s.line(2, "Require: 100rel", "RSeq: 1")
    ),
    Mutant("sip.100rel.prack", HANDSET, "reliable_mo", lambda s: s.sub(2, "RAck: 1 1", "RAck: 2 1")),
    Mutant("sip.100rel.prack", HANDSET, "reliable_mo", lambda s: s.drop(2, 3, 4, 5, 6, 7).wait(10).wait(30)),
    Mutant("sip.allow.in-invite", HANDSET, "session_mo", lambda s: s.without(0, "Allow")),
    Mutant("sip.allow.in-invite", NETWORK, "session_mt", lambda s: s.without(0, "Allow")),
    Mutant("sip.allow.in-2xx", NETWORK, "session_mo", lambda s: s.without(3, "Allow")),
    Mutant("sip.allow.in-2xx", HANDSET, "session_mt", lambda s: s.without(2, "Allow")),
    Mutant(
        "sip.allow.in-2xx",
        HANDSET,
        "session_mt",
        lambda s: s.sub(2, "Allow: INVITE,ACK,CANCEL,BYE", "Allow: INVITE"),
    ),
    Mutant("sip.allow.in-2xx", HANDSET, "options_mt", lambda s: s.without(1, "Allow")),
    Mutant(
        "sip.supported.invite",
        NETWORK,
        "session_mt",
        lambda s: s.without(0, "Supported").sub(2, "=uac", "=uas").sub(2, "Require: timer\r\n", ""),
    ),
    Mutant("sip.supported.invite", HANDSET, "session_mt", lambda s: s.without(2, "Supported")),
    Mutant(
        "sip.ack.2xx",
        HANDSET,
        "session_mo",
        lambda s: s.line(4, 'Authorization: Digest username="u",realm="r",nonce="n"'),
    ),
    Mutant("sip.2xx.retransmit", HANDSET, "session_mt", never_acknowledged),
    Mutant(
        "sip.100rel.reliable-1xx",
        NETWORK,
        "reliable_mo",
        lambda s: (
            s.sub(0, "timer,100rel", "timer\r\nRequire: 100rel")
            .sub(1, "Require: 100rel\r\nRSeq: 1\r\n", "")
            .drop(2, 3)
            .sub(2, "Supported: timer", "Supported: timer,100rel")
            .everywhere("CSeq: 3 BYE", "CSeq: 2 BYE")
        ),
    ),
    Mutant("sip.allow.message", HANDSET, "options_mt", lambda s: s.sub(1, "MESSAGE,", "")),
    Mutant("sip.allow.message", HANDSET, "session_mo", lambda s: s.sub(0, "BYE,", "")),
    Mutant("sip.ack.2xx", NETWORK, "session_mt", lambda s: s.sub(3, "CSeq: 1 ACK", "CSeq: 2 ACK")),
    Mutant("sip.invite.answer", NETWORK, "session_mo", lambda s: s.without(3, "Content-Type").body(3, "")),
    Mutant("sip.2xx.retransmit", NETWORK, "session_mo", lambda s: s.drop(4, 5, 6, 7, 8).wait(3)),
    Mutant(
        "sip.100rel.reliable-1xx", HANDSET, "session_mt", lambda s: s.line(1, "Require: 100rel", "RSeq: 1")
    ),
]
