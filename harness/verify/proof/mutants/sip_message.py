"""SIP messages that are wrong by themselves: start line, headers, lengths, bodies (RFC 3261 7, 8.1.1, 20)."""

from __future__ import annotations

from dataclasses import replace

from harness.evidence.timeline import Layer, Transport
from harness.verify.proof.flows.sip import session_mt
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script, Step


def over_udp(script: Script) -> Script:
    """The whole flow over UDP, told so in Via."""
    script.steps = [replace(step, transport=Transport.UDP) for step in script.steps]
    return script.everywhere("SIP/2.0/TCP", "SIP/2.0/UDP").everywhere("rport=40000", "rport=5060")


def multipart(
    script: Script,
    part: str = "Content-Type: application/sdp",
    end: str = "--b1--",
    content_type: str = "multipart/mixed;boundary=b1",
) -> Script:
    """The offer of the INVITE inside a multipart body."""
    body = script.steps[0].text.partition("\r\n\r\n")[2]
    script.sub(0, "Content-Type: application/sdp", f"Content-Type: {content_type}")
    return script.body(0, f"--b1\r\n{part}\r\n\r\n{body}\r\n{end}")


def cut_at_the_end(script: Script) -> Script:
    """The connection ends within the last message."""
    last = script.steps[-1]
    script.change(-1, text=last.text[:200])
    return script.saw(5.0, Layer.SIP, "connection", text="closed: reset", connection=1)


def odd_part_taken(script: Script) -> Script:
    """The session is set up although a part of the INVITE is of a type nobody knows."""
    accepted, ack = session_mt().steps[2:4]
    script.steps[5:7] = [accepted, ack]
    return script


MUTANTS = [
    Mutant(
        "sip.via.branch-cookie",
        HANDSET,
        "pager_mo",
        lambda s: s.everywhere("branch=z9hG4bKmoa", "branch=1moa", 0, 1),
    ),
    Mutant(
        "sip.via.branch-cookie",
        NETWORK,
        "pager_mt",
        lambda s: s.everywhere(";branch=z9hG4bKmtd6f3a91c2", "", 0, 1),
    ),
    Mutant(
        "sip.via.transport",
        HANDSET,
        "pager_mo",
        lambda s: s.everywhere("SIP/2.0/TCP 10.0.0.5", "SIP/2.0/UDP 10.0.0.5", 0, 1),
    ),
    Mutant(
        "sip.via.transport-param",
        HANDSET,
        "pager_mo",
        lambda s: s.everywhere(";rport", ";transport=TCP;rport", 0, 1),
    ),
    Mutant("sip.start-line", HANDSET, "pager_mo", lambda s: s.sub(0, "MESSAGE sip", "MESSAGE  sip")),
    Mutant("sip.start-line", NETWORK, "pager_mo", lambda s: s.sub(1, "SIP/2.0 200 OK", "SIP/2.0  200 OK")),
    Mutant("sip.start-line", NETWORK, "pager_mo", lambda s: s.sub(1, "SIP/2.0 200 OK", "SIP/2.0 200")),
    Mutant("sip.mandatory-headers", HANDSET, "pager_mo", lambda s: s.without(0, "Call-ID").drop(1)),
    Mutant("sip.mandatory-headers", NETWORK, "pager_mo", lambda s: s.without(1, "From")),
    Mutant("sip.header.duplicate-single", HANDSET, "pager_mo", lambda s: s.line(0, "Max-Forwards: 70")),
    Mutant("sip.header.duplicate-single", HANDSET, "pager_mo", lambda s: s.line(0, "c: message/cpim")),
    Mutant("sip.max-forwards.present", HANDSET, "pager_mo", lambda s: s.without(0, "Max-Forwards")),
    Mutant(
        "sip.max-forwards.present",
        NETWORK,
        "pager_mt",
        lambda s: s.sub(0, "Max-Forwards: 70", "Max-Forwards: 300"),
    ),
    Mutant("sip.max-forwards.present", HANDSET, "session_mo", lambda s: s.without(4, "Max-Forwards")),
    Mutant(
        "sip.max-forwards.origin-70",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, "Max-Forwards: 70", "Max-Forwards: 69"),
    ),
    Mutant("sip.max-forwards.not-in-response", NETWORK, "pager_mo", lambda s: s.line(1, "Max-Forwards: 70")),
    Mutant(
        "sip.max-forwards.via-count",
        NETWORK,
        "pager_mt",
        lambda s: s.sub(0, "Max-Forwards: 70", "Max-Forwards: 68"),
    ),
    Mutant(
        "sip.cseq.method",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, "CSeq: 1 MESSAGE", "CSeq: 1 INFO").sub(1, "1 MESSAGE", "1 INFO"),
    ),
    Mutant(
        "sip.cseq.range", HANDSET, "pager_mo", lambda s: s.everywhere("CSeq: 1 ", "CSeq: 2147483648 ", 0, 1)
    ),
    Mutant(
        "sip.content-length.exact",
        HANDSET,
        "options_mt",
        lambda s: over_udp(s).sub(1, "Content-Length: 0", "Content-Length: 9"),
    ),
    Mutant("sip.content-length.exact", HANDSET, "options_mt", lambda s: s.without(1, "Content-Length")),
    Mutant(
        "sip.content-length.exact",
        HANDSET,
        "options_mt",
        lambda s: s.sub(1, "Content-Length: 0", "Content-Length: x"),
    ),
    Mutant(
        "sip.content-length.udp", HANDSET, "options_mt", lambda s: over_udp(s).without(1, "Content-Length")
    ),
    Mutant(
        "sip.content-type.present",
        HANDSET,
        "session_mt",
        lambda s: s.without(2, "Content-Type"),
        ("sip.invite.answer",),
        "a body of no type is no description",
    ),
    Mutant(
        "sip.header.name-spelling",
        HANDSET,
        "options_mt",
        lambda s: over_udp(s).sub(1, "Content-Length", "Content-Lenfth"),
    ),
    Mutant("sip.header.name-spelling", HANDSET, "pager_mo", lambda s: s.line(0, "Frobnicate: 1")),
    Mutant(
        "sip.uri.angle-brackets",
        HANDSET,
        "session_mo",
        lambda s: s.sub(0, "Route: <sip:10.0.0.1:5060;lr>", "Route: sip:10.0.0.1:5060"),
    ),
    Mutant(
        "sip.uri.angle-brackets",
        HANDSET,
        "session_mo",
        lambda s: s.line(7, "Referred-By: sip:a@b.example?Subject=x"),
    ),
    Mutant(
        "sip.uri.param-outside-brackets",
        HANDSET,
        "session_mo",
        lambda s: s.line(7, "Referred-By: <sip:a@b.example>;user=phone"),
    ),
    Mutant(
        "sip.405.allow",
        HANDSET,
        "options_mt",
        lambda s: s.sub(1, "200 OK", "405 Method Not Allowed").without(1, "Allow"),
    ),
    Mutant(
        "sip.415.accept",
        NETWORK,
        "pager_mo",
        lambda s: s.sub(1, "200 OK", "415 Unsupported Media Type").drop(2, 3, 4, 5),
    ),
    Mutant(
        "sip.record-route.misuse", NETWORK, "pager_mt", lambda s: s.line(0, "Record-Route: <sip:10.0.0.1;lr>")
    ),
    Mutant(
        "sip.record-route.register",
        HANDSET,
        "register",
        lambda s: s.line(0, "Record-Route: <sip:10.0.0.5;lr>"),
    ),
    Mutant(
        "sip.record-route.register",
        NETWORK,
        "register",
        lambda s: s.line(3, "Record-Route: <sip:10.0.0.1;lr>"),
    ),
    Mutant(
        "sip.contact.bye-response",
        HANDSET,
        "session_ended_by_network",
        lambda s: s.line(5, "Contact: <sip:+491700000001@10.0.0.5:5060>"),
    ),
    Mutant(
        "sip.reason.syntax", HANDSET, "session_mo", lambda s: s.sub(7, 'text="Call completed"', "text=Done")
    ),
    Mutant("sip.reason.syntax", HANDSET, "session_mo", lambda s: s.sub(7, "cause=200;", "cause=99;")),
    Mutant(
        "sip.reason.syntax",
        HANDSET,
        "session_mo",
        lambda s: s.sub(7, "Reason: SIP", "Reason: SIP;cause=200, SIP"),
    ),
    Mutant("sip.reason.text-matches", HANDSET, "session_mo", lambda s: s.sub(7, "Call completed", "Gone")),
    Mutant(
        "sip.100.no-pani",
        HANDSET,
        "cancelled_mt",
        lambda s: s.line(1, "P-Access-Network-Info: IEEE-802.11;i-wlan-node-id=00aabbccddee"),
    ),
    Mutant(
        "sip.100rel.require-only-invite",
        HANDSET,
        "session_mo",
        lambda s: s.line(7, "Require: 100rel"),
        ("sip.require.unlisted-accepted",),
        "the network takes it without saying that it supports it",
    ),
    Mutant("sip.multipart.boundary", HANDSET, "refused_mo", lambda s: multipart(s, end="--b2--")),
    Mutant(
        "sip.multipart.boundary",
        HANDSET,
        "refused_mo",
        lambda s: multipart(s, content_type="multipart/mixed"),
    ),
    Mutant(
        "sip.multipart.part-length",
        HANDSET,
        "refused_mo",
        lambda s: multipart(s, "Content-Type: application/sdp\r\nContent-Length: 5"),
    ),
    Mutant(
        "sip.via.branch-cookie",
        HANDSET,
        "pager_mo",
        lambda s: s.everywhere("=z9hG4bKmoa", "=z9hg4bkmoa", 0, 1),
    ),
    Mutant("sip.start-line", HANDSET, "pager_mo", lambda s: s.sub(0, "SIP/2.0\r\nVia", "SIP/2.0\nVia")),
    Mutant(
        "sip.start-line",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, "Max-Forwards: 70\r\n", "Max-Forwards: 70\n"),
    ),
    Mutant(
        "sip.start-line", HANDSET, "options_mt", lambda s: s.insert(2, Step(True, "HELLO\r\nVia: x\r\n\r\n"))
    ),
    Mutant("sip.message.whole", HANDSET, "options_mt", cut_at_the_end),
    Mutant("sip.header.duplicate-single", NETWORK, "pager_mt", lambda s: s.line(0, "Max-Forwards: 70")),
    Mutant("sip.cseq.range", HANDSET, "pager_mo", lambda s: s.everywhere("CSeq: 1 ", "CSeq: one ", 0, 1)),
    Mutant(
        "sip.content-length.exact",
        NETWORK,
        "session_mt",
        lambda s: s.change(0, text=f"{s.steps[0].text}odd octets\r\n\r\n"),
    ),
    Mutant("sip.udp-1300", HANDSET, "refused_mo", lambda s: over_udp(s).line(0, f"Subject: {'x' * 400}")),
    Mutant("sip.udp-1300", NETWORK, "cancelled_mt", lambda s: over_udp(s).line(0, f"Subject: {'x' * 400}")),
    Mutant(
        "sip.100.no-body",
        NETWORK,
        "refused_mo",
        lambda s: s.line(1, "Content-Type: text/plain").body(1, "wait"),
    ),
    Mutant(
        "sip.multipart.boundary",
        HANDSET,
        "refused_mo",
        lambda s: multipart(s, content_type="multipart/mixed;boundary=b2"),
    ),
    Mutant(
        "sip.multipart.disposition",
        HANDSET,
        "refused_mo",
        lambda s: multipart(s, "Content-Type: application/sdp\r\nContent-Disposition: render"),
    ),
    Mutant("sip.multipart.disposition", HANDSET, "refusals", odd_part_taken),
    Mutant(
        "sip.via.transport",
        NETWORK,
        "pager_mt",
        lambda s: s.everywhere("SIP/2.0/TCP 10.0.0.1", "SIP/2.0/UDP 10.0.0.1", 0, 1),
    ),
    Mutant(
        "sip.cseq.method",
        NETWORK,
        "options_mt",
        lambda s: s.sub(0, "1 OPTIONS", "1 INFO").sub(1, "1 OPTIONS", "1 INFO"),
    ),
    Mutant(
        "sip.cseq.range", NETWORK, "pager_mt", lambda s: s.everywhere("CSeq: 1 ", "CSeq: 2147483648 ", 0, 1)
    ),
    Mutant(
        "sip.content-type.present",
        NETWORK,
        "session_mo",
        lambda s: s.without(3, "Content-Type"),
        ("sip.invite.answer",),
        "a body of no type is no description",
    ),
    Mutant(
        "sip.uri.angle-brackets",
        NETWORK,
        "session_mt",
        lambda s: s.line(0, "Referred-By: sip:a@b.example?Subject=x"),
    ),
    Mutant("sip.max-forwards.not-in-response", HANDSET, "pager_mt", lambda s: s.line(1, "Max-Forwards: 70")),
    Mutant(
        "sip.reason.syntax", NETWORK, "session_ended_by_network", lambda s: s.line(4, "Reason: SIP;cause=99")
    ),
    Mutant("sip.415.accept", HANDSET, "refusals", lambda s: s.without(5, "Accept")),
    Mutant("sip.multipart.boundary", NETWORK, "refusals", lambda s: s.sub(4, "--b1--", "--b2--")),
]
