"""Octets that the parsers read: what the fuzzers start from. The messages stand in the corpora beside."""

from __future__ import annotations

import base64
import gzip
import struct
import zlib
from pathlib import Path

from harness.evidence.internet import Endpoints, udp_packet
from harness.sip.message import parse_message

TESTS = Path(__file__).parents[1]


def _corpus(pattern: str) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted(TESTS.glob(pattern)))


SIP = _corpus("harness/sip/corpus/*.sip")
STREAM = (b"\r\n\r\n".join(SIP[:6]), *SIP)
MSRP = (
    b"MSRP a786hjs2 SEND\r\nTo-Path: msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp\r\n"
    b"From-Path: msrp://atlanta.example.com:7654/jshA7weztas;tcp\r\nMessage-ID: 87652491\r\n"
    b"Byte-Range: 1-25/25\r\nContent-Type: text/plain\r\n\r\nHey Bob, are you there?\r\n\r\n"
    b"-------a786hjs2$\r\n",
    b"MSRP d93kswow SEND\r\nTo-Path: msrps://[2001:db8::1]:1/a;tcp msrp://h/b;tcp\r\n"
    b"From-Path: msrp://alice@h:2/c;tcp;x=y\r\nMessage-ID: 1\r\nByte-Range: 1-*/*\r\n"
    b"Success-Report: yes\r\nFailure-Report: partial\r\nContent-Type: message/cpim\r\n\r\nx\r\n"
    b"-------d93kswow+\r\n",
    b"MSRP d93kswow 200 OK\r\nTo-Path: msrp://a/b;tcp\r\nFrom-Path: msrp://c/d;tcp\r\n-------d93kswow$\r\n",
    b"MSRP dkei38sd REPORT\r\nTo-Path: msrp://a/b;tcp\r\nFrom-Path: msrp://c/d;tcp\r\n"
    b"Message-ID: 4564dpWd\r\nByte-Range: 1-106/106\r\nStatus: 000 200 OK\r\n-------dkei38sd$\r\n",
)
OWN_PATH = "msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp"
STUN = (
    bytes.fromhex("000100002112a442") + b"transaction1",
    bytes.fromhex("0101000c2112a442") + b"transaction2" + bytes.fromhex("002000080001a147e112a643"),
    bytes.fromhex("011100102112a442")
    + b"transaction3"
    + bytes.fromhex("0009000500000414610000000022000078797a00")[:16],
)
CPIM = (
    b"From: <sip:+491701234567@ims.example>\r\nTo: Bob <sip:bob@ims.example>\r\n"
    b"DateTime: 2015-02-17T06:54:27.5+01:00\r\nNS: imdn <urn:ietf:params:imdn>\r\nSubject:;lang=de a\\tb\r\n"
    b"imdn.Message-ID: 34jk324j\r\nimdn.Disposition-Notification: positive-delivery, display\r\n\r\n"
    b'Content-Type: text/plain; charset="utf-8"\r\nContent-Length: 5\r\n\r\nhello',
    b"From: anonymous <sip:a@b>\r\n\r\nContent-Type: text/plain\r\n\r\n",
)
IMDN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<imdn xmlns="urn:ietf:params:xml:ns:imdn">'
    b"<message-id>34jk324j</message-id><datetime>2015-02-17T06:54:27Z</datetime>"
    b"<recipient-uri>im:bob@example.com</recipient-uri><delivery-notification><status><delivered/>"
    b"</status></delivery-notification></imdn>",
    b"<imdn><!--x--><?y z?><message-id>&amp;&#65;</message-id><display-notification/></imdn>",
    b'<!DOCTYPE a [<!ENTITY b "cccccccc"><!ENTITY d "&b;&b;&b;&b;&b;&b;&b;&b;">]><imdn>&d;&d;</imdn>',
)
REGINFO = (
    b'<?xml version="1.0"?><reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full">'
    b'<registration aor="sip:u@example.com" id="as9" state="active"><contact id="76" state="active" '
    b'event="registered" duration-registered="7322" q="0.8"><uri>sip:u@192.0.2.1</uri>'
    b'<display-name xml:lang="en">U</display-name><unknown-param name="+g.x">"y"</unknown-param></contact>'
    b"</registration></reginfo>",
    b'<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="1" state="partial">'
    b'<registration aor="sip:u@example.com" id="as9" state="terminated"/></reginfo>',
)
CONFERENCE_INFO = (
    b'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:c@example.com" '
    b'state="full" version="1"><conference-description><subject>Talk</subject>'
    b"<maximum-user-count>9</maximum-user-count></conference-description><conference-state><user-count>1</user-count><active>true</active>"
    b'</conference-state><users><user entity="sip:b@example.com" state="full"><display-text>B</display-text>'
    b'<roles><entry>participant</entry></roles><endpoint entity="sip:b@192.0.2.1"><status>connected</status>'
    b"<joining-method>dialed-in</joining-method></endpoint></user></users></conference-info>",
    b'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:c@example.com" '
    b'state="partial" version="2"><users state="partial"><user entity="sip:b@example.com" state="deleted"/>'
    b"</users></conference-info>",
)
ENCODINGS = (
    b"deflate:\n" + zlib.compress(b"<imdn/>" * 9),
    b"gzip:base64\n" + base64.b64encode(gzip.compress(b"<imdn/>" * 9, mtime=0)),
    b"deflate, gzip:binary\n" + gzip.compress(zlib.compress(bytes(200_000)), mtime=0),
    b":quoted-printable\nGr=C3=BC=C3=9Fe=\r\n",
)
MULTIPART = (
    b"b\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b\r\nContent-ID: <1>\r\n\r\n"
    b"\x00\xff\r\n--b--\r\n",
)
DIGEST = (
    b'Digest realm="ims.example", nonce="bm9uY2U=", algorithm=AKAv1-MD5, qop="auth,auth-int", stale=FALSE',
    b'Digest username="u", realm="r", nonce="n", uri="sip:r", response="0", qop=auth, nc=1, cnonce="c"',
)
HEADERS = (
    *dict.fromkeys(row.raw.partition(b":")[2].strip() for data in SIP for row in parse_message(data).fields),
    *DIGEST, b'*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg";require;explicit',
    b"1800;refresher=uac", b"776656 1 INVITE", b'SIP;cause=200;text="Call completed"',
    b"12345@host;to-tag=a;from-tag=b;early-only", b"active;expires=3599", b"reg;id=1",
    b"3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000101", b"icid-value=1;orig-ioi=a",
)  # fmt: skip
URIS = (
    b"sip:alice:secret@[2001:db8::1]:5060;transport=tcp;lr?Subject=a%20b&To=c",
    b"sips:%61lice@atlanta.example.com;maddr=239.255.255.1;ttl=15;method=INVITE",
    b"tel:+49-170-1234567;phone-context=+49;ext=12", b"urn:ietf:params:imdn", b"im:bob@example.com",
)  # fmt: skip
PATHS = (
    b"msrps://alice@[2001:db8::1]:7654/jshA7weztas;tcp;x=%41 msrp://relay.example.com/a%2Fb;tcp",
    b"msrp://127.0.0.1:9/s1;tcp",
)
VALUES = (
    b'multipart/mixed; boundary="a \\"b\\""; charset=utf-8',
    b"2015-02-17T06:54:27.123456+01:00",
    b"sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB",
    b"message/cpim text/plain *",
    b"65536",
    b'name:"My cool picture.jpg" type:image/jpeg size:32349 hash:sha-1:72:24:5F:E8',
    b"1-*",
    b"cid:id2@a.example",
    b'creation:"Mon, 15 May 2006 15:01:31 +0300" read:"Mon, 15 May 2006 15:01:31 +0300"',
    b"nickname private-messages",
)
SDP = _corpus("corpora/sdp/*.sdp")


def _wrapped() -> bytes:
    """A big-endian capture of Ethernet: a VLAN tag, then GTP-U, then fragments, then ESP of no encryption."""
    ends = Endpoints.of(("192.0.2.1", 5060), ("192.0.2.2", 5060))
    inner = udp_packet(ends, SIP[0], 1)
    outer = Endpoints.of(("172.16.0.1", 2152), ("172.16.0.2", 2152))
    tunnel = udp_packet(outer, struct.pack(">BBHI", 0x30, 255, len(inner), 1) + inner, 2)
    payload, size = inner[20:], 8 * (len(inner) // 16)
    parts = [
        inner[:2] + struct.pack(">HHH", 20 + len(part), 3, field) + inner[8:20] + part
        for part, field in ((payload[:size], 0x2000), (payload[size:], size // 8))
    ]
    padding = -(len(payload) + 2) % 4
    secured = (
        struct.pack(">II", 1, 1) + payload + bytes(range(1, padding + 1)) + bytes((padding, 17)) + bytes(12)
    )
    esp = inner[:2] + struct.pack(">H", 20 + len(secured)) + inner[4:9] + b"\x32" + inner[10:20] + secured
    rows = [struct.pack(">IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for packet in (tunnel, *parts, esp):
        frame = bytes(12) + b"\x81\x00\x00\x05\x08\x00" + packet
        rows.append(struct.pack(">IIII", len(rows), 0, len(frame), len(frame)) + frame)
    return b"".join(rows)


_FRAME = "4500002000010000401100007f0000017f00000113c413c4000c0000"
CAPTURES = (
    *_corpus("corpora/seed/*.pcapng"),
    bytes.fromhex("d4c3b2a1020004000000000000000000ffff00006500000001000000020000002000000020000000" + _FRAME)
    + b"OPTI",
    gzip.compress(_corpus("corpora/seed/pager.pcapng")[0], mtime=0),
    _wrapped(),
)
