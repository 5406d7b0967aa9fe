"""One slip, one finding: every SIP rule of the first release has a message that breaks it alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.evidence.timeline import Transport
from harness.verify.catalogue import MET_BY_THE_TOOL, load_catalogue
from harness.verify.engine import Verifier

H, N = "handset", "network"
UDP = Transport.UDP
NONCE, OLD_NONCE = "dcd98b7102dd2f0e8b11d0f600bfb0c0", "0123456789abcdef0123456789abcdef"
REQUIRE_ODD = "Require: rcslab-unknown"


def renumbered(script, index, old, new, method):
    """Another CSeq number in a request and the response behind it."""
    for place in (index, index + 1):
        script.sub(place, f"CSeq: {old} {method}", f"CSeq: {new} {method}")
    return script


def multipart(
    script, part="Content-Type: application/sdp", end="--b1--", content_type="multipart/mixed;boundary=b1"
):
    """The offer of the INVITE inside a multipart body."""
    body = script.steps[0].text.partition("\r\n\r\n")[2]
    script.sub(0, "Content-Type: application/sdp", f"Content-Type: {content_type}")
    return script.body(0, f"--b1\r\n{part}\r\n\r\n{body}\r\n{end}")


def offer_of(script):
    return script.steps[0].text.partition("\r\n\r\n")[2]


def udp(script):
    script.steps = [replace(step, transport=UDP) for step in script.steps]
    return script.everywhere("SIP/2.0/TCP", "SIP/2.0/UDP").everywhere("rport=40000", "rport=5060")


TABLE = [
    (
        "sip.via.branch-cookie",
        H,
        "pager_mo",
        lambda s: s.everywhere("branch=z9hG4bKmoa", "branch=1moa", 0, 1),
    ),
    ("sip.via.branch-cookie", N, "pager_mt", lambda s: s.everywhere(";branch=z9hG4bKmtd6f3a91c2", "", 0, 1)),
    (
        "sip.via.transport",
        H,
        "pager_mo",
        lambda s: s.everywhere("SIP/2.0/TCP 10.0.0.5", "SIP/2.0/UDP 10.0.0.5", 0, 1),
    ),
    (
        "sip.via.transport-param",
        H,
        "pager_mo",
        lambda s: s.everywhere(";rport", ";transport=TCP;rport", 0, 1),
    ),
    ("sip.start-line", H, "pager_mo", lambda s: s.sub(0, "MESSAGE sip", "MESSAGE  sip")),
    ("sip.start-line", N, "pager_mo", lambda s: s.sub(1, "SIP/2.0 200 OK", "SIP/2.0  200 OK")),
    ("sip.start-line", N, "pager_mo", lambda s: s.sub(1, "SIP/2.0 200 OK", "SIP/2.0 200")),
    ("sip.mandatory-headers", H, "pager_mo", lambda s: s.without(0, "Call-ID").drop(1)),
    ("sip.mandatory-headers", N, "pager_mo", lambda s: s.without(1, "From")),
    ("sip.header.duplicate-single", H, "pager_mo", lambda s: s.line(0, "Max-Forwards: 70")),
    ("sip.header.duplicate-single", H, "pager_mo", lambda s: s.line(0, "c: message/cpim")),
    ("sip.via.branch-unique", H, "pager_mt", lambda s: s.everywhere("z9hG4bKmof", "z9hG4bKmoe")),
    ("sip.via.branch-unique", H, "session_mo", lambda s: s.everywhere("z9hG4bKack", "z9hG4bKinv", 4)),
    ("sip.via.echo", N, "pager_mo", lambda s: s.sub(1, "z9hG4bKmoa", "z9hG4bKmox")),
    ("sip.via.echo", H, "pager_mt", lambda s: s.sub(1, "10.0.0.1:5060;", "10.0.0.1;")),
    (
        "sip.via.echo",
        H,
        "pager_mt",
        lambda s: s.sub(1, "From:", "Via: SIP/2.0/TCP 10.9.9.9;branch=z9hG4bK1\r\nFrom:"),
    ),
    ("sip.via.rport-filled", N, "pager_mo", lambda s: s.sub(1, ";rport=40000;received=10.0.0.5", ";rport")),
    ("sip.via.rport-filled", H, "pager_mt", lambda s: s.sub(1, ";received=10.0.0.1", "")),
    ("sip.max-forwards.present", H, "pager_mo", lambda s: s.without(0, "Max-Forwards")),
    ("sip.max-forwards.present", N, "pager_mt", lambda s: s.sub(0, "Max-Forwards: 70", "Max-Forwards: 300")),
    ("sip.max-forwards.present", H, "session_mo", lambda s: s.without(4, "Max-Forwards")),
    ("sip.max-forwards.origin-70", H, "pager_mo", lambda s: s.sub(0, "Max-Forwards: 70", "Max-Forwards: 69")),
    ("sip.max-forwards.not-in-response", N, "pager_mo", lambda s: s.line(1, "Max-Forwards: 70")),
    ("sip.max-forwards.via-count", N, "pager_mt", lambda s: s.sub(0, "Max-Forwards: 70", "Max-Forwards: 68")),
    ("sip.from.tag", H, "pager_mo", lambda s: s.everywhere(";tag=froma81c2", "", 0, 1)),
    ("sip.from.tag", N, "pager_mt", lambda s: s.everywhere(";tag=fard81c2", "", 0, 1)),
    ("sip.from.tag", H, "register", lambda s: s.sub(0, "\r\nCall-ID", ";tag=netreg1\r\nCall-ID")),
    ("sip.to.tag-in-response", N, "pager_mo", lambda s: s.sub(1, ";tag=netA1", "")),
    ("sip.to.tag-in-response", H, "session_ended_by_network", lambda s: s.sub(1, "ueansw42", "other")),
    ("sip.response.echo", N, "pager_mo", lambda s: s.sub(1, "Call-ID: calla", "Call-ID: Calla")),
    ("sip.response.echo", N, "pager_mo", lambda s: s.sub(1, "CSeq: 1 ", "CSeq: 2 ")),
    ("sip.response.echo", H, "pager_mt", lambda s: s.sub(1, "tag=fard", "tag=farx")),
    (
        "sip.response.echo",
        H,
        "pager_mt",
        lambda s: s.sub(1, "To: <sip:+491700000001", "To: <sip:+491700000009"),
    ),
    ("sip.response.final-in-time", N, "pager_mt", lambda s: s.drop(5).wait(40)),
    ("sip.response.final-in-time", H, "options_mt", lambda s: s.drop(1).wait(40)),
    (
        "sip.cseq.method",
        H,
        "pager_mo",
        lambda s: s.sub(0, "CSeq: 1 MESSAGE", "CSeq: 1 INFO").sub(1, "1 MESSAGE", "1 INFO"),
    ),
    ("sip.cseq.range", H, "pager_mo", lambda s: s.everywhere("CSeq: 1 ", "CSeq: 2147483648 ", 0, 1)),
    ("sip.cseq.monotonic", H, "session_mo", lambda s: renumbered(s, 7, 3, 5, "BYE")),
    ("sip.cseq.monotonic", H, "session_mo", lambda s: renumbered(s, 7, 3, 2, "BYE")),
    ("sip.cseq.monotonic.network", N, "session_ended_by_network", lambda s: renumbered(s, 4, 2, 1, "BYE")),
    ("sip.dialog.identity", H, "session_mo", lambda s: s.everywhere("tag=faransw42", "tag=wrong", 7, 8)),
    (
        "sip.dialog.identity",
        N,
        "session_ended_by_network",
        lambda s: s.everywhere("tag=farinv81c2", "tag=wrong", 4, 5).sub(5, "200 OK", "481 No"),
    ),
    ("sip.dialog.identity", H, "session_mo", lambda s: s.everywhere("Call-ID: inv", "Call-ID: xinv", 7, 8)),
    (
        "sip.content-length.exact",
        H,
        "options_mt",
        lambda s: udp(s).sub(1, "Content-Length: 0", "Content-Length: 9"),
    ),
    ("sip.content-length.exact", H, "options_mt", lambda s: s.without(1, "Content-Length")),
    (
        "sip.content-length.exact",
        H,
        "options_mt",
        lambda s: s.sub(1, "Content-Length: 0", "Content-Length: x"),
    ),
    ("sip.content-length.udp", H, "options_mt", lambda s: udp(s).without(1, "Content-Length")),
    (
        "sip.content-type.present",
        H,
        "session_mt",
        lambda s: s.without(2, "Content-Type"),
        {("sip.invite.answer", H)},
    ),
    (
        "sip.header.name-spelling",
        H,
        "options_mt",
        lambda s: udp(s).sub(1, "Content-Length", "Content-Lenfth"),
    ),
    ("sip.header.name-spelling", H, "pager_mo", lambda s: s.line(0, "Frobnicate: 1")),
    (
        "sip.header.compact-forms.handset",
        H,
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
    (
        "sip.uri.angle-brackets",
        H,
        "session_mo",
        lambda s: s.sub(0, "Route: <sip:10.0.0.1:5060;lr>", "Route: sip:10.0.0.1:5060"),
    ),
    (
        "sip.uri.angle-brackets",
        H,
        "session_mo",
        lambda s: s.line(7, "Referred-By: sip:a@b.example?Subject=x"),
    ),
    (
        "sip.uri.param-outside-brackets",
        H,
        "session_mo",
        lambda s: s.line(7, "Referred-By: <sip:a@b.example>;user=phone"),
    ),
    ("sip.require.unknown-420", H, "options_mt", lambda s: s.line(0, REQUIRE_ODD)),
    (
        "sip.require.unknown-420",
        H,
        "options_mt",
        lambda s: s.line(0, REQUIRE_ODD).sub(1, "200 OK", "420 Bad Extension"),
    ),
    ("sip.require.unlisted-accepted", H, "options_mt", lambda s: s.line(0, "Require: replaces")),
    (
        "sip.405.allow",
        H,
        "options_mt",
        lambda s: s.sub(1, "200 OK", "405 Method Not Allowed").without(1, "Allow"),
    ),
    (
        "sip.415.accept",
        N,
        "pager_mo",
        lambda s: s.sub(1, "200 OK", "415 Unsupported Media Type").drop(2, 3, 4, 5),
    ),
    (
        "sip.481.unknown-dialog",
        H,
        "session_ended_by_network",
        lambda s: s.drop(0, 1, 2, 3),
        {("sip.from.tag", N)},
    ),
    ("sip.auth.challenge", N, "register", lambda s: s.without(1, "WWW-Authenticate")),
    ("sip.auth.retry-cseq", H, "register", lambda s: renumbered(s, 2, 2, 4, "REGISTER")),
    (
        "sip.auth.no-reuse-rejected",
        H,
        "register",
        lambda s: s.sub(0, 'nonce=""', f'nonce="{OLD_NONCE}"').sub(2, NONCE, OLD_NONCE),
    ),
    (
        "sip.auth.retry",
        H,
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
    ("sip.record-route.copy", H, "session_mt", lambda s: s.without(2, "Record-Route")),
    ("sip.record-route.copy", H, "session_mt", lambda s: s.sub(1, "5060;lr>", "5060;lr;x=1>")),
    ("sip.route.set", H, "session_mo", lambda s: s.without(4, "Route")),
    (
        "sip.route.set",
        H,
        "session_mo",
        lambda s: s.sub(7, "BYE sip:+491700000002@10.0.0.1:5060", "BYE sip:+491700000002@10.0.0.9:5060"),
    ),
    ("sip.record-route.misuse", N, "pager_mt", lambda s: s.line(0, "Record-Route: <sip:10.0.0.1;lr>")),
    ("sip.record-route.register", H, "register", lambda s: s.line(0, "Record-Route: <sip:10.0.0.5;lr>")),
    ("sip.record-route.register", N, "register", lambda s: s.line(3, "Record-Route: <sip:10.0.0.1;lr>")),
    ("sip.contact.dialog", H, "refused_mo", lambda s: s.without(0, "Contact")),
    ("sip.contact.dialog", H, "refused_mo", lambda s: s.line(0, "m: <sip:+491700000001@10.0.0.5:5061>")),
    ("sip.contact.target-refresh", H, "session_mo", lambda s: s.without(5, "Contact")),
    (
        "sip.contact.bye-response",
        H,
        "session_ended_by_network",
        lambda s: s.line(5, "Contact: <sip:+491700000001@10.0.0.5:5060>"),
    ),
    ("sip.ack.2xx", H, "session_mo", lambda s: s.sub(4, "CSeq: 1 ACK", "CSeq: 2 ACK")),
    ("sip.ack.2xx", H, "session_mo", lambda s: s.everywhere("tag=faransw42", "tag=wrong", 4)),
    (
        "sip.ack.2xx",
        H,
        "session_mo",
        lambda s: s.line(4, "Content-Type: application/sdp").body(4, offer_of(s)),
    ),
    ("sip.ack.2xx", H, "session_mo", lambda s: s.drop(4, 5, 6, 7, 8).copy(3, 4, after=0.5).wait(10).wait(22)),
    ("sip.ack.non-2xx", H, "refused_mo", lambda s: s.sub(3, ";tag=faransw42", ";tag=wrong")),
    ("sip.ack.non-2xx", H, "refused_mo", lambda s: s.line(3, "Require: timer")),
    ("sip.ack.non-2xx", H, "refused_mo", lambda s: s.without(3, "Route")),
    ("sip.ack.non-2xx", H, "refused_mo", lambda s: s.sub(3, "z9hG4bKinv", "z9hG4bKoth")),
    ("sip.invite.answer", H, "session_mt", lambda s: s.without(2, "Content-Type").body(2, "")),
    ("sip.2xx.retransmit", H, "session_mt", lambda s: s.drop(3, 4, 5).wait(3)),
    ("sip.bye.once", H, "session_mt", lambda s: s.drop(3)),
    (
        "sip.bye.once",
        H,
        "session_ended_by_network",
        lambda s: s.sub(5, "200 OK", "500 Server Internal Error"),
    ),
    (
        "sip.bye.second",
        H,
        "session_mo",
        lambda s: (
            s.copy(7, 9)
            .copy(8, 10)
            .everywhere("z9hG4bKbye", "z9hG4bKbyf", 9, 10)
            .everywhere("CSeq: 3", "CSeq: 4", 9, 10)
        ),
    ),
    ("sip.cancel.form", H, "cancelled_mo", lambda s: s.without(3, "Route")),
    ("sip.cancel.form", H, "cancelled_mo", lambda s: s.line(3, "Require: timer")),
    ("sip.cancel.form", N, "cancelled_mt", lambda s: s.everywhere("tag=farinv81c2", "tag=wrong", 3, 4)),
    ("sip.cancel.after-1xx", H, "cancelled_mo", lambda s: s.drop(1, 2)),
    (
        "sip.cancel.after-final",
        H,
        "refused_mo",
        lambda s: s.insert(4, cancel_of(s.steps[0])).insert(5, ok_of(s.steps[4])),
    ),
    (
        "sip.cancel.answer",
        H,
        "cancelled_mt",
        lambda s: s.sub(4, "200 OK", "481 Call/Transaction Does Not Exist"),
    ),
    (
        "sip.cancel.487",
        H,
        "cancelled_mt",
        lambda s: s.sub(5, "487 Request Terminated", "480 Temporarily Unavailable").wait(10),
    ),
    ("sip.reason.syntax", H, "session_mo", lambda s: s.sub(7, 'text="Call completed"', "text=Done")),
    ("sip.reason.syntax", H, "session_mo", lambda s: s.sub(7, "cause=200;", "cause=99;")),
    ("sip.reason.syntax", H, "session_mo", lambda s: s.sub(7, "Reason: SIP", "Reason: SIP;cause=200, SIP")),
    ("sip.reason.text-matches", H, "session_mo", lambda s: s.sub(7, "Call completed", "Gone")),
    (
        "sip.100.no-pani",
        H,
        "cancelled_mt",
        lambda s: s.line(1, "P-Access-Network-Info: IEEE-802.11;i-wlan-node-id=00aabbccddee"),
    ),
    (
        "sip.100rel.require-only-invite",
        H,
        "session_mo",
        lambda s: s.line(7, "Require: 100rel"),
        {("sip.require.unlisted-accepted", N)},
    ),
    (
        "sip.100rel.reliable-1xx",
        N,
        "reliable_mo",
        lambda s: s.sub(1, "RSeq: 1", "RSeq: 0").sub(2, "RAck: 1", "RAck: 0"),
    ),
    ("sip.100rel.reliable-1xx", N, "session_mo", lambda s: s.line(2, "Require: 100rel", "RSeq: 1")),
    ("sip.100rel.prack", H, "reliable_mo", lambda s: s.sub(2, "RAck: 1 1", "RAck: 2 1")),
    ("sip.100rel.prack", H, "reliable_mo", lambda s: s.drop(2, 3, 4, 5, 6, 7).wait(10).wait(30)),
    ("sip.multipart.boundary", H, "refused_mo", lambda s: multipart(s, end="--b2--")),
    ("sip.multipart.boundary", H, "refused_mo", lambda s: multipart(s, content_type="multipart/mixed")),
    (
        "sip.multipart.part-length",
        H,
        "refused_mo",
        lambda s: multipart(s, "Content-Type: application/sdp\r\nContent-Length: 5"),
    ),
]


def cancel_of(invite):
    lines = invite.text.partition("\r\n\r\n")[0].split("\r\n")
    names = ("Via", "Max-Forwards", "Route", "From", "To", "Call-ID")
    kept = [lines[0].replace("INVITE", "CANCEL")] + [line for line in lines if line.split(":")[0] in names]
    return replace(invite, text="\r\n".join([*kept, "CSeq: 1 CANCEL", "Content-Length: 0", "", ""]))


def ok_of(request):
    lines = request.text.partition("\r\n\r\n")[0].split("\r\n")
    kept = [line for line in lines if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
    kept = [f"{line};tag=x1" if line.startswith("To:") else line for line in kept]
    kept[0] = kept[0].replace(";rport", ";rport=40000;received=10.0.0.5")
    lines = ["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]
    return replace(request, handset=not request.handset, text="\r\n".join(lines))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}-{row[2]}")
def test_a_slip_gives_its_finding_alone(row, flow, judged):
    rule, party, name, spoil, *others = row
    script = spoil(flow(name))
    assert set(judged(script)) == {(rule, party), *(others[0] if others else ())}


def test_every_sip_rule_of_the_first_release_has_a_mutant():
    due = {rule.id for rule in load_catalogue().values() if rule.id.startswith("sip.") and rule.priority == 1}
    assert due - MET_BY_THE_TOOL <= {row[0] for row in TABLE}


def test_a_repeat_does_not_take_the_tag_of_the_refusal(flow, judged):
    script = flow("pager_mo").drop(2, 3, 4, 5).copy(0, 2).copy(1, 3)
    script.sub(1, "200 OK", "401 Unauthorized").line(1, 'WWW-Authenticate: Digest realm="r",nonce="n"')
    script.everywhere("z9hG4bKmoa", "z9hG4bKmob", 2, 3).everywhere("CSeq: 1 ", "CSeq: 2 ", 2, 3)
    assert judged(script) == []
    script.sub(2, "\r\nCall-ID", ";tag=netA1\r\nCall-ID")
    assert ("sip.from.tag", H) in judged(script)


def test_what_a_420_may_name(flow, judged):
    script = flow("options_mt").line(0, f"{REQUIRE_ODD}, replaces").sub(1, "200 OK", "420 Bad Extension")
    assert judged(script.line(1, "Unsupported: replaces, rcslab-unknown")) == []
    assert judged(script.sub(1, "replaces, rcs", "other, rcs")) == [("sip.require.unknown-420", H)]


def test_a_multipart_offer_is_no_finding(flow, judged):
    assert judged(multipart(flow("refused_mo"))) == []


def test_a_retransmission_is_linked_and_not_judged_again(flow, judged):
    script = udp(flow("options_mt")).line(0, "Max-Forwards: 70").copy(0, 1, after=0.5)
    assert judged(script) == [("sip.header.duplicate-single", "network")]


def test_what_may_have_begun_before_the_capture_is_not_verifiable(flow):
    script = flow("session_ended_by_network").drop(0, 1, 2, 3)
    verifier = Verifier("ietf")
    assert verifier.judge(script.timeline(start=False)) == []
    assert {item.rule for item in verifier.open} == {"sip.from.tag", "sip.481.unknown-dialog"}
