"""Builds filetransfer.pcapng: a file pushed to a handset, and the handset's notification by MESSAGE.

Values are those of a published trace of a Samsung handset against an Anritsu RCS server. What the
publication leaves out is filled in; the declared lengths (911 with 550 and 246 inside, 514, 568 with 276
inside) show that it is filled in at the right length. Of the file the publication shows the first chunk and
three answers: the capture has a hole in each direction where the others were. The slips of both sides are
kept.

Run it to write the file anew: python tests/corpora/seed/filetransfer.py
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path

from harness.evidence.capture import capture_octets
from harness.evidence.timeline import Address, Layer, Timeline, Transport

CAPTURE = Path(__file__).with_name("filetransfer.pcapng")

DOMAIN = "example.net"
HOST, FAR_HOST = "2001::1:88fe:fccf:2870:5dee", "2001:0:0:1::2"
HANDSET, NETWORK = Address(HOST, 5060), Address("2001:0:0:1::2", 5060)
HANDSET_MSRP, NETWORK_MSRP = Address(HOST, 8884), Address("2001:0:0:1::2", 16012)
OWN_URI, FAR_URI = f"sip:001011234567890@{DOMAIN}", f"sip:+14448880000@{DOMAIN}"
FROM = f"<{FAR_URI}>;tag=63dd4c0a35f44dd183f32220f73e4c3f"
OWN = f"<{OWN_URI}>;tag=2576813651"
CALL = "5c0a9a34d0d64f14b2801ba6bdb91f13"
CONVERSATION, CONTRIBUTION = "d923e595d9464e1a9d2830c279d2594f", "64919363f1"
ACCESS = "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000000"
SERVICE = '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.filetransfer"'
CONTACT = f"Contact: <sip:001011234567890@[{HOST}]:5060;transport=udp>;{SERVICE}"
ALLOW = "Allow: INVITE,ACK,OPTIONS,CANCEL,BYE,UPDATE,INFO,REFER,NOTIFY,MESSAGE,PRACK"
RECORD_ROUTE = f"Record-Route: <sip:[{FAR_HOST}]:5060;lr>"

OWN_PATH = f"msrp://[{HOST}]:8884/cOFNEcnwa8ymev7B0g3M7qUayrk4RR;tcp"
OWN_PATH_LONG = "msrp://[2001:0000:0000:0001:88FE:FCCF:2870:5DEE]:8884/cOFNEcnwa8ymev7B0g3M7qUayrk4RR;tcp"
FAR_PATH = "msrp://[2001:0000:0000:0001:0000:0000:0000:0002]:16012/e4a55405c2;tcp"
SIZE, CHUNK = 1049274, 2048
HASH = "ce:55:63:5a:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10"
SELECTOR = f'a=file-selector:name:"1MB.jpg" type:image/jpeg size:{SIZE} hash:sha-1:{HASH}'
TRANSFER_ID = "a=file-transfer-id:0dc99042ca5344798bbb19883d4f6bbf"
FILE_ID = "b7d02f6c19"
"""imdn.Message-ID of the file; the publication does not show it, the notification has room for ten."""
MSRP_ID = "4a041ca324"


def crlf(*lines: str) -> str:
    return "".join(line + "\r\n" for line in lines)


def message(lines: list[str], body: str = "") -> bytes:
    return (crlf(*lines) + "\r\n" + body).encode("ascii")


# SIP


class Hop:
    """Via values of one transaction of the network, as they left it and as they come back."""

    def __init__(self, branch: str, inner: str) -> None:
        self._inner = f"SIP/2.0/TCP [{FAR_HOST}]:6062;branch={inner}"
        self._outer = f"SIP/2.0/UDP [{FAR_HOST}]:5060;branch={branch};rport"

    @property
    def sent(self) -> tuple[str, str]:
        return f"Via: {self._outer};transport=udp", f"Via: {self._inner}"

    @property
    def returned(self) -> str:
        return f"Via: {self._outer}=5060;received={FAR_HOST};transport=udp,{self._inner}"


INVITED = Hop("z9hG4bK5d0c8f1b72e94a36ad61a7c40be9725d", "z9hG4bKccee441a0bf3476eadc23f3cdb38aea1")
CONFIRMED = Hop("z9hG4bK91b7e3a4c05d4f28b6e0d7c25fa81364", "z9hG4bK3e6fa0719c2d4b85a1f7d3e9046bc852")
ENDED = Hop("z9hG4bKa2f46c80e13b4d97985c0b7d2e61fa3p", "z9hG4bK70d1c5e8b9324fa6a8e4f19d6b02c735")


def offer() -> str:
    """The SDP of F1: 550 octets."""
    return crlf(
        "v=0",
        f"o=- 71519 91096 IN IP6 {FAR_HOST}",
        "s=-",
        f"c=IN IP6 {FAR_HOST}",
        "t=0 0",
        "m=message 16012 TCP/MSRP *",
        f"a=path:{FAR_PATH}",
        "a=msrp-cema",
        "a=setup:passive",
        "a=accept-types:message/cpim",
        "a=accept-wrapped-types:*",
        "a=sendonly",
        SELECTOR,
        TRANSFER_ID,
        "a=file-disposition:render",
        'a=file-date:creation:"Fri, 06 Feb 2015 06:48:12 +0900"',
    )


def about_the_file() -> str:
    """The CPIM part of F1: 246 octets. The publication shows no more of it than their number."""
    return crlf(
        "From: <tel:+14448880000>",
        f"To: <{OWN_URI}>",
        "DateTime: 2015-02-17T07:00:09.873074Z",
        "NS: imdn <urn:ietf:params:imdn>",
        f"imdn.Message-ID: {FILE_ID}",
        "imdn.Disposition-Notification: positive-delivery",
    ) + crlf("", "Content-Type: image/jpeg", "")


def invite() -> bytes:
    """F1, network to handset."""
    parts = (
        crlf("--da96a", "Content-Type: message/cpim", "")
        + crlf(about_the_file(), "--da96a", "Content-Type: application/sdp", "Content-Length: 550", "")
        + crlf(offer())
        + "--da96a--"
    )
    return message(
        [
            f"INVITE sip:001011234567890@[{HOST}]:5060 SIP/2.0",
            *INVITED.sent,
            "Max-Forwards: 69",
            f"From: {FROM}",
            f"To: <{OWN_URI}>",
            f"Accept-Contact: *;{SERVICE}",
            f"Contact: <sip:+14448880000@[{FAR_HOST}]:6062;transport=tcp>;{SERVICE}",
            "Content-Type: multipart/mixed;boundary=da96a",
            f'Referred-By: "Chat 00" <{FAR_URI}>',
            f"Conversation-ID: {CONVERSATION}",
            f"Contribution-ID: {CONTRIBUTION}",
            "Content-Length: 911",
            "Require: recipient-list-invite",
            "User-Agent: CPM-serv/OMA1.0",
            "CSeq: 1 INVITE",
            f"Call-ID: {CALL}",
            RECORD_ROUTE,
        ],
        parts,
    )


def trying() -> bytes:
    """F2, handset to network."""
    return message(
        [
            "SIP/2.0 100 Trying",
            "CSeq: 1 INVITE",
            ACCESS,
            f"From: {FROM}",
            f"Call-ID: {CALL}",
            "Content-Length: 0",
            f"To: <{OWN_URI}>",
            INVITED.returned,
        ]
    )


def ringing() -> bytes:
    """F3, handset to network."""
    return message(
        [
            "SIP/2.0 180 Ringing",
            "Max-Forwards: 70",
            ALLOW,
            "CSeq: 1 INVITE",
            RECORD_ROUTE,
            ACCESS,
            f"From: {FROM}",
            f"Call-ID: {CALL}",
            "Content-Length: 0",
            CONTACT,
            f"To: {OWN}",
            INVITED.returned,
        ]
    )


def accepted() -> bytes:
    """F4, handset to network."""
    body = crlf(
        "v=0",
        f"o=SAMSUNG-IMS-UE 12345611 0 IN IP6 {HOST}",
        "s=SS VOIP",
        f"c=IN IP6 {HOST}",
        "t=0 0",
        "m=message 8884 TCP/MSRP *",
        "a=accept-types:image/jpeg",
        f"a=path:{OWN_PATH}",
        "a=setup:active",
        SELECTOR,
        TRANSFER_ID,
        f"a=file-range:1-{SIZE}",
        "a=msrp-cema",
        "a=recvonly",
    )
    return message(
        [
            "SIP/2.0 200 OK",
            f"Contribution-ID: {CONTRIBUTION}",
            f"Conversation-ID: {CONVERSATION}",
            ALLOW,
            "Max-Forwards: 70",
            "User-Agent: Samsung IMS 5.0",
            "CSeq: 1 INVITE",
            RECORD_ROUTE,
            ACCESS,
            "Content-Type: application/sdp",
            f"From: {FROM}",
            f"Call-ID: {CALL}",
            "Supported: timer",
            "Content-Length: 514",
            CONTACT,
            f"To: {OWN}",
            INVITED.returned,
        ],
        body,
    )


def in_dialog(method: str, number: int, hop: Hop, *extra: str) -> bytes:
    """F5 and F12, network to handset."""
    end = [RECORD_ROUTE] if method == "BYE" else []
    return message(
        [
            f"{method} sip:001011234567890@[{HOST}]:5060;transport=udp SIP/2.0",
            *hop.sent,
            "Max-Forwards: 69",
            *extra,
            f"From: {FROM}",
            f"To: {OWN}",
            f"CSeq: {number} {method}",
            f"Call-ID: {CALL}",
            "Content-Length: 0",
            *end,
        ]
    )


def ended() -> bytes:
    """F13, handset to network."""
    return message(
        [
            "SIP/2.0 200 OK",
            "CSeq: 2 BYE",
            ACCESS,
            f"From: {FROM}",
            f"Call-ID: {CALL}",
            "Content-Length: 0",
            f"Contact: <sip:001011234567890@[{HOST}]:5060;transport=UDP>",
            f"To: {OWN}",
            ENDED.returned,
        ]
    )


NOTIFICATION_VIA = f"Via: SIP/2.0/TCP [{HOST}]:5060;branch=z9hG4bK3519527406smg;transport=TCP"
NOTIFICATION_TO = f"<{FAR_URI};user=phone>"
NOTIFICATION_CALL = f"4274126626@{HOST}"


def notification() -> bytes:
    """F14, handset to network."""
    xml = "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<imdn xmlns="urn:ietf:params:xml:ns:imdn">',
            f"  <message-id>{FILE_ID}</message-id>",
            "  <datetime>2015-02-17T07:00:09-00:00</datetime>",
            "  <delivery-notification>",
            "    <status>",
            "      <delivered/>",
            "    </status>",
            "  </delivery-notification>",
            "</imdn>\n",
        ]
    )
    headers = crlf(
        f"From: <{OWN_URI}>",
        f"To: {NOTIFICATION_TO}",
        "DateTime: 2015-02-17T07:00:21-00:00",
        "NS: imdn <urn:ietf:params:imdn>",
        "imdn.Message-ID: AmlDUxfsMzfq1sZld4HtbVU",
    )
    content = crlf(
        "Content-Disposition: notification", "Content-type: message/imdn+xml", "Content-Length: 276"
    )
    return message(
        [
            f"MESSAGE {NOTIFICATION_TO[1:-1]} SIP/2.0",
            "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.filetransfer",
            "Contribution-ID: ce98d4122a91c20a19170e2f090cba10fe75e339",
            "Conversation-ID: 7aef1aa18a6a82e9aff5b526b63d71f48761b0bf",
            f"P-Preferred-Identity: <sip:00101000101123456789@{DOMAIN}>",
            "Request-Disposition: no-fork",
            "User-Agent: Samsung IMS 5.0",
            "CSeq: 1 MESSAGE",
            "Max-Forwards: 70",
            ACCESS,
            f"Route: <sip:[{FAR_HOST}]:5060;lr>",
            f"Accept-Contact: *;{SERVICE}",
            "Content-Type: message/cpim",
            f"From: <{OWN_URI}>;tag=4190763951",
            f"Call-ID: {NOTIFICATION_CALL}",
            "Content-Length: 568",
            f'Contact: <sip:001011234567890@[{HOST}]:5060>;+sip.instance="<urn:gsma:imei:35469106-056673-0>"',
            f"To: {NOTIFICATION_TO}",
            NOTIFICATION_VIA,
        ],
        f"{headers}\r\n{content}\r\n{xml}",
    )


def notification_accepted() -> bytes:
    """F15, network to handset on the connection of F14."""
    return message(
        [
            "SIP/2.0 200 OK",
            "Max-Forwards: 70",
            NOTIFICATION_VIA,
            f"From: <{OWN_URI}>;tag=4190763951",
            f"To: {NOTIFICATION_TO};tag=2775a2bfe99e41debf004f959cfbfb75",
            f"Call-ID: {NOTIFICATION_CALL}",
            "CSeq: 1 MESSAGE",
            "Content-Length: 0",
        ]
    )


# MSRP


def msrp(
    tid: str, what: str, to_path: str, from_path: str, *headers: str, body: bytes | None = None
) -> bytes:
    """An MSRP message; what is the method, or the status and its comment."""
    lines = crlf(f"MSRP {tid} {what}", f"To-Path: {to_path}", f"From-Path: {from_path}", *headers)
    content = b"" if body is None else b"\r\n" + body + b"\r\n"
    return lines.encode() + content + f"-------{tid}$\r\n".encode()


def opening() -> bytes:
    """F6, handset to network."""
    headers = ("Message-ID: nQo6UlQ4u3p9kW", "Success-Report: no", "Failure-Report: yes")
    return msrp("gl0Y0", "SEND", FAR_PATH, OWN_PATH, *headers)


def chunk(tid: str, start: int, body: bytes) -> bytes:
    """F8, network to handset."""
    headers = (
        f"Message-ID: {MSRP_ID}",
        f"Byte-Range: {start}-{start + len(body) - 1}/{SIZE}",
        "Content-Type: image/jpeg",
    )
    return msrp(tid, "SEND", OWN_PATH_LONG, FAR_PATH, *headers, body=body)


def chunk_received(tid: str) -> bytes:
    """F9, F10 and F11, handset to network."""
    return msrp(tid, "200 OK", FAR_PATH, OWN_PATH, f"Message-ID: {MSRP_ID}")


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def jpeg() -> bytes:
    """The first 2,048 octets of the file: the segments the publication names, then scan data."""
    table = bytes(range(1, 65))
    head = b"\xff\xd8" + segment(0xE0, b"JFIF\0\x01\x01\x01\x00\x60\x00\x60\x00\x00")
    head += segment(0xDB, b"\x00" + table) + segment(0xDB, b"\x01" + table)
    head += segment(0xC0, bytes.fromhex("08 0900 0c00 03 01 22 00 02 11 01 03 11 01"))
    head += b"".join(segment(0xC4, bytes([number]) + bytes(16)) for number in (0x00, 0x10, 0x01, 0x11))
    head += segment(0xDA, bytes.fromhex("03 01 00 02 11 03 11 00 3f 00"))
    scan = bytes.fromhex("fcedbad3ee1e77da36a038037541fd17704f6cfd6bd92c12")
    more = count()
    while len(head + scan) < CHUNK:  # scan data never holds 255, which begins a marker
        scan += sha256(next(more).to_bytes(4, "big")).digest().replace(b"\xff", b"")
    return (head + scan)[:CHUNK]


def octets_not_shown() -> tuple[int, int]:
    """Octets of the chunks after the first, and of their answers after the second: 2,048 a chunk."""
    starts = range(CHUNK + 1, SIZE + 1, CHUNK)
    chunks = (chunk("00000000", start, bytes(min(CHUNK, SIZE - start + 1))) for start in starts)
    return sum(map(len, chunks)), (len(starts) - 2) * len(chunk_received("00000000"))


def seconds(second: float) -> float:
    return round(datetime(2015, 2, 17, 7, 0, tzinfo=UTC).timestamp() + second, 6)


def timeline() -> Timeline:
    """The fifteen messages in order, with times that fit their DateTime values."""
    trace = Timeline()

    def sip(second: float, by_handset: bool, data: bytes, transport: Transport = Transport.UDP) -> None:
        ends = (HANDSET, NETWORK) if by_handset else (NETWORK, HANDSET)
        number = 2 if transport is Transport.TCP else None
        trace.packet(Layer.SIP, transport, *ends, data, connection=number, at=seconds(second))

    def media(second: float, by_handset: bool, data: bytes, missing: int = 0) -> None:
        ends = (HANDSET_MSRP, NETWORK_MSRP) if by_handset else (NETWORK_MSRP, HANDSET_MSRP)
        note = f"gap: the capture has not {missing} octets before this" if missing else ""
        trace.packet(
            Layer.MSRP,
            Transport.TCP,
            *ends,
            data,
            connection=1,
            note=note,
            missing=missing,
            at=seconds(second),
        )

    sip(10.002718, False, invite())
    sip(10.041926, True, trying())
    sip(10.136402, True, ringing())
    sip(11.850233, True, accepted())
    sip(11.902877, False, in_dialog("ACK", 1, CONFIRMED))
    trace.event(
        Layer.MSRP,
        "connection",
        f"{HANDSET_MSRP} opened it to {NETWORK_MSRP}",
        at=seconds(11.981540),
        connection=1,
        opened_by=str(HANDSET_MSRP),
    )
    media(11.981540, True, opening())
    media(12.020116, False, msrp("gl0Y0", "200 OK", OWN_PATH, FAR_PATH))
    media(12.061385, False, chunk("85c85b98", 1, jpeg()))
    media(12.083972, True, chunk_received("85c85b98"))
    media(12.131054, True, chunk_received("855271f4"))
    media(12.178461, True, chunk_received("558ad697"))
    chunks, answers = octets_not_shown()
    media(20.413309, True, b"", answers)
    media(20.413309, False, b"", chunks)
    trace.event(
        Layer.MSRP,
        "connection",
        f"closed: by {HANDSET_MSRP}",
        at=seconds(20.413309),
        connection=1,
        closed_by=str(HANDSET_MSRP),
    )
    sip(20.502164, False, in_dialog("BYE", 2, ENDED, 'Reason: SIP;cause=200;text="Gone"'))
    sip(20.547731, True, ended())
    sip(21.204895, True, notification(), Transport.TCP)
    sip(21.263018, False, notification_accepted(), Transport.TCP)
    return trace


def capture() -> bytes:
    """The octets of filetransfer.pcapng."""
    return capture_octets(list(timeline()))


if __name__ == "__main__":
    CAPTURE.write_bytes(capture())
