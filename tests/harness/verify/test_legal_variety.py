"""Messages the documents allow and handsets seldom send: no rule may fail a run over them.

Each flow is written as it goes over the wire. A line that begins with a space is folded; `%length%` stands
for the octets of the body. A false accusation is worse than a missed defect.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from harness.cpm.profiles import Profile
from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.verify.engine import Verifier
from harness.verify.finding import Party

UE, NW = Address("2001:db8::5", 5060), Address("2001:db8::1", 5060)
ELSEWHERE = Address("2001:db8::77", 5070)
UDP, TCP, TLS = Transport.UDP, Transport.TCP, Transport.TLS


@dataclass(frozen=True)
class Sent:
    source: Address
    destination: Address
    data: bytes
    transport: Transport = UDP
    after: float = 0.1
    missing: int = 0


def octets(head: str, body: str | bytes = "") -> bytes:
    content = body if isinstance(body, bytes) else body.replace("\n", "\r\n").encode()
    text = head.strip("\n").replace("\n", "\r\n").replace("%length%", str(len(content)))
    return text.encode() + b"\r\n\r\n" + content


def ue(head: str, body: str | bytes = "", **how: object) -> Sent:
    return Sent(UE, NW, octets(head, body), **how)  # type: ignore[arg-type]


def nw(head: str, body: str | bytes = "", **how: object) -> Sent:
    return Sent(NW, UE, octets(head, body), **how)  # type: ignore[arg-type]


def timeline(*sent: Sent, start: bool = True, wait: float = 60.0) -> Timeline:
    now = 1_700_000_000.0
    trace = Timeline(clock=lambda: now)
    trace.event(Layer.LAB, "parties", handset=[str(UE.host)], network=[str(NW), str(ELSEWHERE)])
    if start:
        trace.event(Layer.LAB, "test-start", name="legal")
    for item in sent:
        now += item.after
        connection = None if item.transport is UDP else 7
        trace.packet(
            Layer.SIP,
            item.transport,
            item.source,
            item.destination,
            item.data,
            connection=connection,
            missing=item.missing,
            at=now,
        )
    now += wait
    trace.event(Layer.LAB, "note", "the end")
    return trace


def swap(sent: Sent) -> Sent:
    return replace(sent, source=sent.destination, destination=sent.source)


FLOWS: dict[str, Callable[[], Timeline]] = {}


def legal(make: Callable[[], Timeline]) -> Callable[[], Timeline]:
    FLOWS[make.__name__] = make
    return make


# -- MESSAGE and how a message may be written ---------------------------------------------------------------

MESSAGE = """
MESSAGE sip:+491700000002@example.org;user=phone SIP/2.0
v: SIP / 2.0 / UDP [2001:DB8:0:0::5] : 5060 ;rport; branch = z9hG4bK-.!%66*_+`'~mo1
max-forwards : 0070
f:
 "A \\"quoted\\" <tag=no>, \u00dc" <sip:+49-170@example.org;user=phone?x=y>;x="a;tag=b,c";TAG=1928301774
T: sip:+491700000002@EXAMPLE.org
i: f81d4fae-7dec(11d0)%<a765>/"[?]{}"@[2001:db8::5]
CSEQ: 0001
	MESSAGE
c: Text/Plain ;	charset = "UTF-8"
X-Private: anything , at ; all
l :  %length%
"""
MESSAGE_200 = """
SIP/2.0 200
Via: SIP/2.0/udp [2001:db8::5]:5060;branch="z9hG4bK-.!%66*_+`'~mo1"
 ;received=2001:db8::5;rport=5060
From: "another display"   <sip:+49-170@example.org;user=phone?x=y>;tag=1928301774
To: <sip:+491700000002@example.org>;tag=a6c85cf
CSeq: 1 MESSAGE
Call-ID: f81d4fae-7dec(11d0)%<a765>/"[?]{}"@[2001:db8::5]
Content-Length: 0
""".replace("200\nVia", "200 \nVia").replace('"z9hG4bK-.!%66*_+`\'~mo1"', "z9hG4bK-.!%66*_+`'~mo1")


def with_lines(head: str, *lines: str) -> str:
    first, _, rest = head.strip("\n").partition("\n")
    return "\n".join((first, *lines, rest))


def message(body: str | bytes, kind: str = "message/cpim", *lines: str) -> tuple[Sent, Sent]:
    head = MESSAGE.replace('Text/Plain ;\tcharset = "UTF-8"', kind)
    return ue(with_lines(head, *lines), body), nw(MESSAGE_200)


def from_network(sent: tuple[Sent, Sent]) -> tuple[Sent, Sent]:
    return swap(sent[0]), swap(sent[1])


@legal
def compact_folded_and_spaced() -> Timeline:
    return timeline(ue(MESSAGE, "hello"), nw(MESSAGE_200))


@legal
def a_stream_cut_anywhere_with_keep_alives() -> Timeline:
    head = MESSAGE.replace("UDP", "tcp")
    data = (
        b"\r\n\r\n"
        + octets(head, "one")
        + b"\r\n"
        + octets(head.replace("mo1", "mo2").replace("0002@", "0003@"), "two")
    )
    pieces = [Sent(UE, NW, data[at : at + 7], TCP, 0.001) for at in range(0, len(data), 7)]
    answer = octets(MESSAGE_200.replace("/udp", "/tcp"))
    pieces.insert(120, Sent(NW, UE, b"\r\n" + answer, TCP, 0.001))
    return timeline(*pieces, Sent(UE, NW, b"\r\n\r\n", TCP))


@legal
def a_repeat_with_another_timestamp() -> Timeline:
    first, again = (with_lines(MESSAGE, f"Timestamp: {number}") for number in ("1.5", "2.0"))
    return timeline(ue(first, "a"), ue(again, "a", after=0.5), nw(MESSAGE_200))


@legal
def what_is_no_sip_at_a_sip_port() -> Timeline:
    stun = bytes.fromhex("000100002112a442") + bytes(12)
    old_stun = bytes.fromhex("00010000") + bytes(16)
    sent = [stun, old_stun, b"\r\n\r\n", b"\0", b"\xf8\x01compressed"]
    return timeline(ue(MESSAGE, "a"), nw(MESSAGE_200), *(Sent(UE, NW, data) for data in sent))


@legal
def a_large_head() -> Timeline:
    lines = (f"X-{number}: {'x' * 100}" for number in range(700))
    head = with_lines(MESSAGE.replace("UDP", "TCP"), *lines, f"Subject: {'long ' * 30_000}")
    return timeline(ue(head, "a", transport=TCP), nw(MESSAGE_200.replace("/udp", "/tcp"), transport=TCP))


@legal
def tls_that_ends_before_the_capture() -> Timeline:
    answer = nw(MESSAGE_200.replace("/udp", "/TLS"), transport=TCP)
    return timeline(ue(MESSAGE.replace("UDP", "TLS"), "a", transport=TCP), answer)


@legal
def a_datagram_the_capture_cut() -> Timeline:
    body = TEXT.replace("hello", "x" * 2000)
    whole, answer = message(body)
    cut = replace(whole, data=whole.data[:900], missing=len(whole.data) - 900)
    return timeline(cut, answer)


def an_answer_to_a_request_without_from() -> Timeline:
    lines = [line for line in MESSAGE_200.splitlines() if not line.startswith("From")]
    refusal = "\n".join(lines).replace("200 ", "400 Bad Request")
    request = MESSAGE[: MESSAGE.index("f:")] + MESSAGE[MESSAGE.index("T: sip") :]
    return timeline(nw(request, "a"), ue(refusal))


@legal
def several_vias_in_rows_and_lists() -> Timeline:
    request = """
MESSAGE sip:ue@[2001:db8::5] SIP/2.0
Via: SIP/2.0/UDP [2001:db8::1];branch=z9hG4bKa;lskpmc=P01 , SIP/2.0/TCP p.example.org;branch=z9hG4bKb
v: SIP/2.0/UDP 192.0.2.1:5080;received=192.0.2.9;rport=40000;branch=z9hG4bKc;i="x, y"
Max-Forwards: 68
From: <sip:anonymous@anonymous.invalid>;tag=1
To: <tel:+49-170-0000001;phone-context=+49>
Call-ID: rows
CSeq: 2147483647 MESSAGE
Content-Length: 0
"""
    answer = """
SIP/2.0 200 \u0414\u0430, OK
v: SIP/2.0/UDP [2001:DB8:0::1];LSKPMC=P01;branch=z9hG4bKa;received=2001:db8::1
v: SIP/2.0/tcp P.example.org;branch=z9hG4bKb, SIP/2.0/UDP 192.0.2.1:5080
 ;branch=z9hG4bKc;rport=40000;i="x, y";received=192.0.2.9
f: sip:anonymous@anonymous.invalid;tag=1
t: "me" <tel:+491700000001;phone-context=+49>;tag=2
i: rows
CSeq: 2147483647 MESSAGE
l: 0
"""
    return timeline(nw(request), ue(answer))


@legal
def answers_that_refuse() -> Timeline:
    unknown = with_lines(MESSAGE, "Require: rcslab-odd, replaces", "Require: 100-later")
    bad = MESSAGE_200.replace("200 ", "420 Bad Extension")
    bad = with_lines(bad, "Unsupported: replaces,rcslab-odd", "Unsupported: 100-LATER")
    later = with_lines(MESSAGE.replace("mo1", "mo2"), "Require: later-document")
    fine = MESSAGE_200.replace("mo1", "mo2")
    media = with_lines(MESSAGE_200.replace("200 ", "415 x").replace("mo1", "mo3"), "Accept-Encoding: gzip")
    return timeline(
        nw(unknown, "a"),
        ue(bad),
        nw(later, "a"),
        ue(fine),
        nw(MESSAGE.replace("mo1", "mo3"), "a"),
        ue(media),
    )


@legal
def headers_of_the_ims_at_their_widest() -> Timeline:
    head = with_lines(
        MESSAGE,
        'P-Access-Network-Info: 3GPP-E-UTRAN-FDD; utran-cell-id-3gpp="0010100010000001";[2001:db8::9];"x;y"',
        "P-Access-Network-Info: IEEE-802.11;i-wlan-node-id=00AABB;network-provided, token",
        "P-Preferred-Service: urn:urn-7:acme-service.messaging.v1",
        "P-Preferred-Identity: tel:+491700000001;phone-context=+49",
        'P-Preferred-Identity: "A, B" <sips:a@example.org>',
        'Accept-Contact: * ; +g.3gpp.icsi-ref = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg" ;require',
        ' ;explicit;x="a, b", *;methods="INVITE,BYE";+g.other="<a: b, c>"',
        'a: *;+g.3gpp.iari-ref="!urn%3Aurn-7%3A3gpp-application.ims.iari.x,urn%3Aurn-7%3A3gpp-application.y"',
        'Reason: SIP ;cause=200 ;text="a \\"b\\", c", Q.850;cause=0016;location=LN',
        "Reason: RELEASE_CAUSE;cause=6;x=[2001:db8::1]",
        "Reason: preemption ;cause=1, preemption;cause=2",
    )
    return timeline(ue(head, "a"), nw(MESSAGE_200))


@legal
def a_pending_message_given_up() -> Timeline:
    late = with_lines(MESSAGE.replace("mo1", "mo2").replace("f81d4fae", "g81d4fae"))
    answer = MESSAGE_200.replace("mo1", "mo2").replace("f81d4fae", "g81d4fae")
    return timeline(ue(MESSAGE, "a"), ue(late, "b", after=26.0), nw(answer))


@legal
def multipart_bodies() -> Timeline:
    body = (
        "a preamble\n--a b'()+_,-./:=?c \t\n\npart --a b'()+_,-./:=?\n--a b'()+_,-./:=?cx\n"
        "--a b'()+_,-./:=?c\nContent-Type: multipart/mixed;boundary=a\n\n--a\n\n\n--a--\n"
        "--a b'()+_,-./:=?c--  \nan epilogue\n"
    )
    first = message(body, 'multipart/mixed; boundary = "a b\'()+_,-./:=?c"')
    packed = message(gzip.compress(b"x"), "multipart/mixed;boundary=1", "Content-Encoding: gzip")
    second = tuple(replace(item, data=item.data.replace(b"mo1", b"mo2")) for item in packed)
    return timeline(*first, *second)


# -- CPIM and IMDN ------------------------------------------------------------------------------------------

TEXT = """From: "A \\"b\\", \\\\ c" <sip:+491700000001@example.org;user=phone>
To: \u5c71\u7530 \u592a\u90ce <tel:+491700000002>
cc: Mr. X-Y_Z <im:x@example.org>
To: <sip:anonymous@anonymous.invalid>
DateTime: 2016-12-31T23:59:60.123456789-00:00
Subject:;lang=de;x="a b" Gr\u00fc\u00dfe: \\t 'so' "und" so \\u0007 <x>
Subject:
NS: a-b <urn:ietf:params:imdn>
NS: other<mid:features@example.org>
Require: other.Vital,a-b.Message-ID
other.Vital: yes
a-b.Message-ID: 34jk324j\u00fcABCDEFG.~|
a-b.Disposition-Notification: positive-delivery;a=b ; c="d,e" , display,later
a-b.Disposition-Notification: negative-delivery
NS: <urn:x-elsewhere>
from: not the From of CPIM

content-type : text/plain;
 charset=utf-8
Content-ID: <1@a>

hello
"""
XML = """<?xml version='1.0'?>
<!-- a comment --><?and an="instruction"?>
<i:imdn xmlns:i="urn:ietf:params:xml:ns:imdn" xmlns:x="urn:x" xmlns:xml2="urn:y">
  <i:message-id>
    %id%
  </i:message-id><i:datetime>%time%</i:datetime>
  <i:recipient-uri>tel:%to%</i:recipient-uri>
  <i:original-recipient-uri>tel:+491700000002</i:original-recipient-uri>
  <i:%kind%-notification>
    <i:status><i:%status%/><x:more y="z">text<w/></x:more></i:status>
  </i:%kind%-notification>
  <x:extension><i:anything/></x:extension>
</i:imdn>
"""
LEAP = "2016-12-31T23:59:60.123456789-00:00"
ID = "34jk324j\u00fcABCDEFG.~|"
SIMPLE = """From: <sip:+491700000001@example.org;user=phone>
To: <tel:+491700000002>
DateTime: 2024-02-29T00:00:00+14:00
NS: imdn <urn:ietf:params:imdn>
imdn.Message-ID: Msg1aB2cD3eF4gH5iJ6k
imdn.Disposition-Notification: positive-delivery
imdn.Disposition-Notification: display

Content-Type: text/plain

hello
"""
MSG = "Msg1aB2cD3eF4gH5iJ6k"


def xml(kind: str, status: str, message_id: str = MSG, to: str = "+491700000002") -> str:
    text = XML.replace("%kind%", kind).replace("%status%", status)
    text = text.replace("%time%", "2024-02-29T00:00:00+14:00" if message_id == MSG else LEAP)
    return text.replace("%id%", message_id).replace("%to%", to)


def imdn(own_id: str, content: str | bytes, mime: str = "message/imdn+xml", *lines: str) -> bytes:
    head = "\n".join(
        (
            "From: <tel:+491700000002>",
            "To: <tel:+49-170-0000001>",
            "NS: n <urn:ietf:params:imdn>",
            f"n.Message-ID: {own_id}",
            "",
            f"Content-type: {mime}",
            "Content-Disposition: Notification;handling=optional",
            *lines,
        )
    )
    return octets(head, content)


def turned(sent: tuple[Sent, Sent], mark: str) -> tuple[Sent, Sent]:
    """The exchange as another one: of the other side, with ids of its own."""
    changed = [
        replace(
            item,
            data=item.data.replace(b"mo1", mark.encode())
            .replace(b"f81d4fae", mark.encode())
            .replace(b"+491700000002", b"+491700000009")
            .replace(b"tel:+491700000009", b"tel:+491700000002"),
        )
        for item in sent
    ]
    return swap(changed[0]), swap(changed[1])


@legal
def cpim_at_its_widest() -> Timeline:
    return timeline(*message(TEXT))


@legal
def cpim_with_all_kinds_of_times() -> Timeline:
    times = (
        "0000-01-01T00:00:00Z",
        "1985-04-12T23:20:50.52Z",
        "2024-12-31T23:59:60Z",
        "9999-12-31T23:59:59Z",
    )
    sent = []
    for number, stamp in enumerate(times):
        pair = message(SIMPLE.replace("2024-02-29T00:00:00+14:00", stamp).replace(MSG, f"{MSG}{stamp[:4]}x"))
        sent += turned(pair, f"t{number}")
    return timeline(*sent)


@legal
def notifications_at_their_widest() -> Timeline:
    body = imdn("Not1aB2cD3eF4gH5iJ6k", xml("delivery", "delivered", ID))
    again = imdn("Not2aB2cD3eF4gH5iJ6k", xml("display", "forbidden", ID))
    return timeline(*message(TEXT), *turned(message(body), "n1"), *turned(message(again), "n2"))


@legal
def a_notification_in_base64() -> Timeline:
    coded = base64.encodebytes(xml("delivery", "delivered").encode()).replace(b"\n", b"\r\n")
    body = imdn("Not1aB2cD3eF4gH5iJ6k", coded, "message/imdn+xml", "Content-Transfer-Encoding: base64")
    quoted = xml("display", "displayed").replace("=", "=3D")
    other = imdn(
        "Not2aB2cD3eF4gH5iJ6k",
        quoted,
        'MESSAGE/IMDN+XML; charset="utf-8"',
        "content-transfer-encoding: Quoted-Printable",
    )
    return timeline(*message(SIMPLE), *turned(message(body), "n1"), *turned(message(other), "n2"))


@legal
def a_notification_in_deflate() -> Timeline:
    coded = zlib.compress(xml("delivery", "delivered").encode())
    body = imdn("Not1aB2cD3eF4gH5iJ6k", coded, "message/imdn+xml", "Content-Encoding: deflate")
    return timeline(*message(SIMPLE), *turned(message(body), "n1"))


@legal
def a_notification_in_a_coding_nobody_knows() -> Timeline:
    body = imdn("Not1aB2cD3eF4gH5iJ6k", b"\x0b\x02\x80", "message/imdn+xml", "Content-Encoding: br")
    return timeline(*message(SIMPLE), *turned(message(body), "n1"))


@legal
def an_aggregate_of_two_recipients() -> Timeline:
    parts = "".join(
        f"--b\nContent-type: message/imdn+xml\n\n{xml('delivery', 'delivered', MSG, to)}\n"
        for to in ("+491700000002", "+491700000003")
    )
    body = imdn("Not1aB2cD3eF4gH5iJ6k", f"{parts}--b--\n", 'multipart/mixed;\n boundary="b"')
    return timeline(*message(SIMPLE), *turned(message(body), "n1"))


@legal
def a_signed_notification() -> Timeline:
    content = f"--s\nContent-Type: message/imdn+xml\n\n{xml('delivery', 'delivered')}\n--s--\n"
    body = imdn("Not1aB2cD3eF4gH5iJ6k", content, "multipart/signed;boundary=s;micalg=sha1;protocol=x")
    return timeline(*message(SIMPLE), *turned(message(body), "n1"))


@legal
def a_message_delivered_twice_and_confirmed_twice() -> Timeline:
    first = from_network(message(SIMPLE))
    second = tuple(replace(item, data=item.data.replace(b"mo1", b"mo8")) for item in first)
    sent: list[Sent] = [*first, *second]
    for mark in ("1", "2"):
        body = imdn(f"Not{mark}aB2cD3eF4gH5iJ6k", xml("delivery", "delivered"))
        pair = turned(message(body), f"n{mark}")
        sent += [swap(pair[0]), swap(pair[1])]
    return timeline(*sent)


@legal
def an_anonymous_sender_who_asks() -> Timeline:
    anonymous = SIMPLE.replace("sip:+491700000001@example.org;user=phone", "sip:anonymous@anonymous.invalid")
    nobody = SIMPLE.replace("From: <sip:+491700000001@example.org;user=phone>\n", "").replace(MSG, f"{MSG}2")
    return timeline(*from_network(message(anonymous)), *turned(message(nobody), "m2"))


@legal
def a_text_about_notifications() -> Timeline:
    about = "NS: imdn <urn:ietf:params:imdn>\nimdn.Message-ID: 1\n\n" + xml("display", "displayed")
    inside = SIMPLE.replace("hello", xml("display", "displayed"))
    return timeline(*message(about, "text/plain"), *turned(message(inside), "m2"))


@legal
def a_failure_reported_after_acceptance() -> Timeline:
    asked = SIMPLE.replace("positive-delivery", "negative-delivery")
    body = imdn("Not1aB2cD3eF4gH5iJ6k", xml("delivery", "failed"))
    other = imdn("Not2aB2cD3eF4gH5iJ6k", xml("display", "error"))
    return timeline(*message(asked), *turned(message(body), "n1"), *turned(message(other), "n2"))


@legal
def a_notification_that_overtakes_the_answer() -> Timeline:
    asked, answer = from_network(message(SIMPLE))
    pair = turned(message(imdn("Not1aB2cD3eF4gH5iJ6k", xml("delivery", "delivered"))), "n1")
    report, accepted = swap(pair[0]), swap(pair[1])
    return timeline(asked, report, answer, accepted)


@legal
def a_copy_from_another_device() -> Timeline:
    """What the user's other device sent comes as a copy, and so does the notification on it."""
    copy = message(
        SIMPLE.replace("+491700000001", "+491700000002").replace("tel:+491700000002", "tel:+49170")
    )
    report = imdn("Not1aB2cD3eF4gH5iJ6k", xml("delivery", "delivered", MSG, "+49170"))
    report = report.replace(b"To: <tel:+49-170-0000001>", b"To: <tel:+491700000002>")
    first = from_network(copy)
    second = tuple(
        replace(item, data=item.data.replace(b"mo1", b"mo2").replace(b"f81d", b"f82d"))
        for item in from_network(message(report))
    )
    return timeline(*first, *second)


# -- registration -------------------------------------------------------------------------------------------

REGISTER = """
REGISTER sip:ims.mnc001.mcc001.3gppnetwork.org SIP/2.0
Via: SIP/2.0/UDP [2001:db8::5]:5060;branch=z9hG4bKr%number%;rport
Max-Forwards: 70
From: <sip:001010000000001@example.org>;tag=r1
To: <sip:001010000000001@example.org>
Call-ID: registration
CSeq: %number% REGISTER
Contact: <sip:ue@[2001:db8::5]>%contact%
%more%
Content-Length: 0
"""
AKA = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(range(1, 49))).decode()
FIRST = 'Authorization: Digest username="u",realm="r",uri="sip:x",nonce="",response=""'
ANSWER = (
    f'Authorization: digest username="u" , realm="r",uri="sip:x",nonce="{AKA}"\n'
    ' ,algorithm=akav1-md5,response="6629fae49393a05397450978507c4ef1",qop="auth",nc=00000001,cnonce="1"'
)


def register(number: int, *more: str, contact: str = "") -> str:
    text = REGISTER.replace("%number%", str(number)).replace("%contact%", contact)
    return text.replace("%more%\n", "".join(f"{line}\n" for line in more))


def answered(request: str, status: str, *more: str) -> str:
    """The answer that copies what it has to."""
    lines = request.strip("\n").split("\n")
    kept = [line for line in lines if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
    kept = [f"{line};tag=n1" if line.startswith("To:") and ";tag=" not in line else line for line in kept]
    kept = [line.replace(";rport", ";rport=5060;received=2001:db8::5") for line in kept]
    return "\n".join((f"SIP/2.0 {status}", *kept, *more, "Content-Length: 0"))


def challenge(nonce: str = AKA, *, algorithm: str = "AKAv1-MD5", more: str = "") -> str:
    return (
        f'WWW-Authenticate: Digest realm="r", nonce="{nonce}",algorithm={algorithm},qop="auth,auth-int"{more}'
    )


@legal
def aka_answered_in_other_words() -> Timeline:
    one, two = register(1, FIRST), register(2, ANSWER)
    refusal = nw(answered(one, "401 Unauthorized", challenge()))
    return timeline(ue(one), refusal, ue(two), nw(answered(two, "200 OK")))


@legal
def aka_begun_anew_after_a_lost_challenge() -> Timeline:
    one, two, three = register(1, FIRST), register(2, FIRST), register(7)
    refusal = nw(answered(one, "401 Unauthorized", challenge()))
    other = nw(answered(two, "401 Unauthorized", challenge(OTHER)))
    return timeline(ue(one), refusal, ue(two, after=40.0), other, ue(three, after=40.0))


@legal
def aka_out_of_step() -> Timeline:
    """The response is one over an empty password (RFC 3310 3.4), worked out beside this program."""
    resync = ANSWER.replace("6629fae49393a05397450978507c4ef1", "50d03ae5f1b90d9fb69c72820fb46e52")
    auts = base64.b64encode(bytes(14)).decode()
    one, two = register(1, FIRST), register(2, f'{resync},auts="{auts}"')
    return timeline(ue(one), nw(answered(one, "401 Unauthorized", challenge())), ue(two))


@legal
def another_challenge_answered() -> Timeline:
    """Where AKA and MD5 are offered, MD5 may be taken."""
    md5 = ANSWER.replace(AKA, "md5nonce").replace("akav1-md5", "MD5")
    one, two = register(1, FIRST), register(2, md5)
    offers = (challenge(), challenge("md5nonce", algorithm="MD5"))
    return timeline(ue(one), nw(answered(one, "401 Unauthorized", *offers)), ue(two))


@legal
def security_agreement_begun_anew() -> Timeline:
    agree = (
        "Security-Client: ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1;spi-s=2;port-c=5062;port-s=5064",
        "Require: sec-agree",
        "Proxy-Require: sec-agree",
    )
    server = "Security-Server: tls;q=0.2 , ipsec-3gpp; q=0.1;alg=hmac-sha-1-96"
    verify = "Security-Verify: TLS; q=0.2\nSecurity-Verify:ipsec-3gpp;alg=hmac-sha-1-96;q=0.1"
    one, two = register(1, FIRST, *agree), register(2, FIRST, *agree)
    three = register(3, ANSWER.replace('nonce="' + AKA, 'nonce="' + OTHER), verify, *agree)
    return timeline(
        ue(one),
        nw(answered(one, "401 Unauthorized", challenge(), server)),
        ue(two),
        nw(answered(two, "401 Unauthorized", challenge(OTHER), server)),
        ue(three),
        nw(answered(three, "200 OK", "Contact: <sip:ue@[2001:db8::5]>;expires=600")),
    )


@legal
def a_stale_nonce() -> Timeline:
    old = 'Authorization: Digest username="u",realm="r",uri="sip:x",nonce="old",response="%s",qop=auth'
    one = register(1, old % "1")
    two = register(2, (old % "2").replace('"old"', '"new"'))
    md5 = challenge("new", algorithm="MD5", more=",stale=TRUE")
    return timeline(ue(one), nw(answered(one, "401 Unauthorized", md5)), ue(two), nw(answered(two, "200 OK")))


@legal
def credentials_of_two_realms() -> Timeline:
    """What one realm took stands beside the new credentials of the other."""
    own = 'Authorization: Digest username="u",realm="r",uri="sip:x",nonce="kept",response="1"'
    proxy = 'Proxy-Authorization: Digest username="u",realm="p",uri="sip:x",nonce="%s",response="2"'
    one, two = register(1, own, proxy % "a"), register(2, own, proxy % "b")
    asked = 'Proxy-Authenticate: Digest realm="p",nonce="b"'
    return timeline(ue(one), nw(answered(one, "407 Proxy", asked)), ue(two))


@legal
def a_repeated_nonce_with_another_password() -> Timeline:
    own = 'Authorization: Digest username="u",realm="r",uri="sip:x",nonce="same",response="%s"'
    one, two = register(1, own % "1"), register(2, own % "2")
    asked = 'WWW-Authenticate: Digest realm="r",nonce="same"'
    return timeline(ue(one), nw(answered(one, "401 Unauthorized", asked)), ue(two))


@legal
def instances_and_contacts() -> Timeline:
    contacts = (
        ';+sip.instance="<urn:gsma:imei:90420156-025763-0;svn=42;vers=0>";reg-id=1',
        ';+sip.instance="<URN:UUID:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6>";audio;methods="A,B"',
        ';+sip.instance="<urn:device-id:meid:a0-123456-78901-0>";expires=0',
        ";q=0.5",
    )
    sent = [
        ue(
            register(1 + number, "Supported: gruu,path", contact=contact).replace(
                "registration", f"r{number}"
            )
        )
        for number, contact in enumerate(contacts)
    ]
    third = register(9, "Supported: outbound").replace("From: <sip:001010000000001", "From: <sip:operator")
    return timeline(*sent, ue(third.replace("Call-ID: registration", "Call-ID: third")))


# -- sessions -----------------------------------------------------------------------------------------------

INVITE = """
INVITE sip:far@example.org SIP/2.0
Via: SIP/2.0/UDP [2001:db8::5]:5060;branch=z9hG4bKi%number%;rport
Max-Forwards: 70
From: <sip:ue@example.org>;tag=u1
To: <sip:far@example.org>
Call-ID: session
CSeq: %number% INVITE
Contact: <sip:ue@[2001:db8::5]>
Supported: 100rel
%more%
Content-Length: %length%
"""
SDP = "v=0\no=- 1 1 IN IP6 ::1\ns=-\nt=0 0\n"
SDP_TYPE = "Content-Type: application/sdp"
FAR = "Contact: <sip:far@[2001:db8::77]:5070;transport=UDP>"


def invite(number: int, *more: str, to: str = "") -> str:
    text = INVITE.replace("%number%", str(number)).replace("%more%\n", "".join(f"{line}\n" for line in more))
    return text.replace("To: <sip:far@example.org>", f"To: <sip:far@example.org>{to}")


def answer(request: str, status: str, tag: str, *more: str, body: str = "", **how: object) -> Sent:
    text = answered(request, status, *more).replace(";tag=n1", f";tag={tag}")
    return nw(text.replace("Content-Length: 0", "Content-Length: %length%"), body, **how)


def inside(method: str, number: int, tag: str, *more: str, uri: str = "sip:far@[2001:db8::77]:5070") -> str:
    uri = uri if "transport" in uri or "://" in uri else f"{uri};transport=udp"
    return "\n".join(
        (
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP [2001:db8::5]:5060;branch=z9hG4bK{method}{number}{tag};rport",
            "Max-Forwards: 70",
            "From: <sip:ue@example.org>;tag=u1",
            f"To: <sip:far@example.org>;tag={tag}",
            "Call-ID: session",
            f"CSeq: {number} {method}",
            *more,
            "Content-Length: 0",
        )
    )


def accepted(*more: str) -> list[Sent]:
    """INVITE 200 ACK with a dialog of tag f1."""
    asked = invite(1, SDP_TYPE, *more)
    return [
        ue(asked, SDP),
        answer(asked, "200 OK", "f1", FAR, SDP_TYPE, body=SDP),
        ue(inside("ACK", 1, "f1", *(line for line in more if "Authorization" in line))),
    ]


@legal
def forked_with_reliable_answers() -> Timeline:
    asked = invite(1, SDP_TYPE)
    rel = ("Require: 100rel", FAR)
    return timeline(
        ue(asked, SDP),
        answer(asked, "100 Trying", "any"),
        answer(asked, "183 Session Progress", "f1", "RSeq: 0008", *rel),
        answer(asked, "180 Ringing", "f2", "RSeq: 1", *rel),
        ue(inside("PRACK", 2, "f1", "RAck: 8 1  INVITE")),
        answer(inside("PRACK", 2, "f1"), "200 OK", "f1"),
        ue(inside("PRACK", 2, "f2", "RAck: 01 0001 INVITE")),
        answer(inside("PRACK", 2, "f2"), "200 OK", "f2"),
        answer(asked, "200 OK", "f2", FAR, SDP_TYPE, body=SDP),
        answer(asked, "200 OK", "f3", FAR, SDP_TYPE, body=SDP),
        ue(inside("ACK", 1, "f2")),
        ue(inside("ACK", 1, "f3")),
        ue(inside("BYE", 2, "f3")),
        answer(inside("BYE", 2, "f3"), "200 OK", "f3"),
    )


@legal
def an_ack_that_takes_the_straight_way() -> Timeline:
    asked, accept, ack = accepted()
    return timeline(asked, accept, replace(ack, destination=ELSEWHERE))


@legal
def an_ack_with_the_same_credentials_in_other_words() -> Timeline:
    first = (
        'Proxy-Authorization: Digest username="u",realm="r",nonce="n",uri="sip:x",response="1",nc=00000001'
    )
    asked, accept, _ = accepted(first)
    other = 'proxy-authorization: digest realm="r" , username="u",uri="sip:x",nc=00000001'
    other += ',\n response="1",nonce="n"'
    return timeline(asked, accept, ue(inside("ACK", 1, "f1", other)))


@legal
def a_2xx_the_handset_never_got() -> Timeline:
    asked, accept, _ = accepted()
    again = (replace(accept, after=after) for after in (0.5, 1.0, 2.0, 4.0, 4.0))
    return timeline(asked, accept, *again, wait=100.0)


@legal
def requests_that_overtake_each_other_or_get_lost() -> Timeline:
    sent = accepted()
    for number in (4, 3, 9):
        info = inside("INFO", number, "f1")
        sent += [ue(info), answer(info, "200 OK", "f1")]
    return timeline(*sent)


@legal
def a_bye_that_crosses_a_new_target() -> Timeline:
    sent = accepted()
    update = "\n".join(
        (
            "UPDATE sip:ue@[2001:db8::5] SIP/2.0",
            "Via: SIP/2.0/UDP [2001:db8::1];branch=z9hG4bKup",
            "Max-Forwards: 70",
            "From: <sip:far@example.org>;tag=f1",
            "To: <sip:ue@example.org>;tag=u1",
            "Call-ID: session",
            "CSeq: 100 UPDATE",
            "Contact: <sip:moved@[2001:db8::78]>",
            "Content-Length: 0",
        )
    )
    return timeline(*sent, nw(update, after=20.0), ue(inside("BYE", 2, "f1")))


@legal
def a_second_bye_from_the_network() -> Timeline:
    def bye(number: int) -> str:
        return "\n".join(
            (
                "BYE sip:ue@[2001:db8::5] SIP/2.0",
                f"Via: SIP/2.0/UDP [2001:db8::1];branch=z9hG4bKbye{number}",
                "Max-Forwards: 70",
                "From: <sip:far@example.org>;tag=f1",
                "To: <sip:ue@example.org>;tag=u1",
                "Call-ID: session",
                f"CSeq: {number} BYE",
                "Content-Length: 0",
            )
        )

    refused = answered(bye(51), "481 Call/Transaction Does Not Exist")
    return timeline(
        *accepted(), nw(bye(50)), ue(answered(bye(50), "200 OK")), nw(bye(51), after=5.0), ue(refused)
    )


@legal
def a_capture_that_begins_inside_a_session() -> Timeline:
    again = invite(71, SDP_TYPE, "Route: <sip:p1.example.org;lr>,<sip:p2.example.org;lr>", to=";tag=f1")
    route = "Route: <sip:p1.example.org;lr>\nRoute: <sip:p2.example.org;lr>"
    ack = inside("ACK", 71, "f1", route)
    bye = inside("BYE", 72, "f1", route)
    return timeline(
        ue(again, SDP),
        answer(again, "200 OK", "f1", FAR, SDP_TYPE, body=SDP),
        ue(ack),
        ue(bye),
        answer(bye, "200 OK", "f1"),
        start=False,
    )


@legal
def a_refresh_of_what_began_before_the_capture() -> Timeline:
    one = register(4)
    old = inside("BYE", 3, "long-ago").replace("Call-ID: session", "Call-ID: old")
    return timeline(
        ue(one),
        nw(answered(one, "200 OK", "Contact: <sip:ue@[2001:db8::5]>;expires=600")),
        ue(old),
        start=False,
    )


@legal
def routes_in_any_case() -> Timeline:
    asked = invite(1, SDP_TYPE)
    recorded = "Record-Route: <sip:P1.example.org;lr;transport=UDP;x=Y>, <sip:p2.example.org:5060;lr>"
    back = 'Route: <sip:p2.example.org:5060;LR>\nRoute: "p" <sip:p1.EXAMPLE.org;x=y;transport=udp;lr>'
    bye = inside("BYE", 2, "f1", back)
    return timeline(
        ue(asked, SDP),
        answer(asked, "200 OK", "f1", FAR, recorded, SDP_TYPE, body=SDP),
        ue(inside("ACK", 1, "f1", back)),
        ue(bye),
    )


@legal
def an_offer_that_cannot_be_seen() -> Timeline:
    asked = invite(1, "Content-Type: application/pkcs7-mime;smime-type=enveloped-data")
    secret = "Content-Type: application/pkcs7-mime"
    return timeline(
        ue(asked, "secret"),
        answer(asked, "200 OK", "f1", FAR, secret, body="secret"),
        ue(inside("ACK", 1, "f1")),
    )


@legal
def sdp_that_is_no_offer() -> Timeline:
    """SDP of disposition early-session beside none: the 2xx offers, the ACK answers (RFC 3959)."""
    part = f"--b\nContent-Type: application/sdp\nContent-Disposition: early-session\n\n{SDP}\n--b--\n"
    asked = invite(1, "Content-Type: multipart/mixed;boundary=b")
    ack = inside("ACK", 1, "f1", SDP_TYPE).replace("Content-Length: 0", "Content-Length: %length%")
    return timeline(ue(asked, part), answer(asked, "200 OK", "f1", FAR, SDP_TYPE, body=SDP), ue(ack, SDP))


@legal
def a_cancel_in_other_words() -> Timeline:
    asked = invite(1, SDP_TYPE, "Route: <sip:p1.example.org;lr>")
    cancel = "\n".join(
        (
            "CANCEL sip:f%61r@EXAMPLE.org SIP/2.0",
            "v: SIP / 2.0/udp [2001:db8:0::5]:5060 ;rport;branch=z9hG4bKi1",
            "Max-Forwards: 69",
            't: "x" <sip:far@example.org>',
            "f: sip:ue@example.org;tag=u1",
            "i: session",
            "CSeq: 01 CANCEL",
            "Route: <sip:P1.example.org;LR>",
            'Reason: SIP;cause=200;text="Call completed elsewhere"',
            "l: 0",
        )
    )
    ack = cancel.replace("CANCEL", "ACK").replace('"x" <sip:far@example.org>', "<sip:far@example.org>;tag=f9")
    return timeline(
        ue(asked, SDP),
        answer(asked, "183 Session Progress", "f1", FAR),
        ue(cancel),
        answer(asked.replace("INVITE", "CANCEL"), "200 OK", "f8"),
        answer(asked, "487 Request Terminated", "f9"),
        ue(ack),
    )


@legal
def a_notify_that_comes_first() -> Timeline:
    subscribe = "\n".join(
        (
            "SUBSCRIBE sip:ue@example.org SIP/2.0",
            "Via: SIP/2.0/UDP [2001:db8::5]:5060;branch=z9hG4bKs1;rport",
            "Max-Forwards: 70",
            "From: <sip:ue@example.org>;tag=u1",
            "To: <sip:ue@example.org>",
            "Call-ID: subscription",
            "CSeq: 1 SUBSCRIBE",
            "Event: reg",
            "Contact: <sip:ue@[2001:db8::5]>",
            "Content-Length: 0",
        )
    )
    recorded = "Record-Route: <sip:p1.example.org;lr>, <sip:p2.example.org;lr>"
    notify = "\n".join(
        (
            "NOTIFY sip:ue@[2001:db8::5] SIP/2.0",
            "Via: SIP/2.0/UDP [2001:db8::1];branch=z9hG4bKn1",
            "Max-Forwards: 70",
            "From: <sip:ue@example.org>;tag=f1",
            "To: <sip:ue@example.org>;tag=u1",
            "Call-ID: subscription",
            "CSeq: 1 NOTIFY",
            "Event: reg",
            "Contact: <sip:notifier@example.org>",
            recorded,
            "Subscription-State: active",
            "Content-Length: 0",
        )
    )
    refresh = subscribe.replace("z9hG4bKs1", "z9hG4bKs2").replace("CSeq: 1", "CSeq: 2")
    refresh = refresh.replace("To: <sip:ue@example.org>", "To: <sip:ue@example.org>;tag=f1")
    refresh = refresh.replace("SUBSCRIBE sip:ue@example.org", "SUBSCRIBE sip:notifier@example.org")
    refresh = refresh.replace(
        "Event: reg", "Event: reg\nRoute: <sip:p1.example.org;lr>,<sip:p2.example.org;lr>"
    )
    return timeline(ue(subscribe), nw(notify), ue(answered(notify, "200 OK")), ue(refresh))


@legal
def an_answer_on_another_branch_that_was_not_captured() -> Timeline:
    """Two forks reach one host; the request of the second was lost by the capture, its answer was not."""
    first, done = from_network((ue(MESSAGE, "a"), nw(MESSAGE_200)))
    second = replace(done, data=done.data.replace(b"mo1", b"mo2"))
    return timeline(first, done, second)


def test_what_cannot_be_copied_is_no_fault_of_the_answer() -> None:
    verifier = Verifier()
    verifier.judge(an_answer_to_a_request_without_from())
    assert {item.party for item in verifier.findings if item.fails} == {Party.NETWORK}


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("name", sorted(FLOWS))
def test_what_is_legal_fails_nobody(name: str, profile: Profile) -> None:
    verifier = Verifier(profile)
    verifier.judge(FLOWS[name]())
    wrong = [str(item) for item in verifier.findings if item.fails or item.rule == "internal"]
    assert wrong == []
    assert verifier.judged
