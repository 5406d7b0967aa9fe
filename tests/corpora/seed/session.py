"""Builds session.pcapng: a 1-1 chat session with one text, its two notifications and one isComposing.

Values are those of a published trace of a Samsung handset against a Mavenir RCS server, SIP over UDP and
MSRP over a connection of the handset. What the publication leaves out is filled in; the declared lengths
(332, 380, 322, 546, 537, 256) show that it is filled in at the right length. From the second answer on, MSRP
shows the addresses of the far side of a border controller; that too is kept, as are the slips of both sides.

Run it to write the file anew: python tests/corpora/seed/session.py
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from harness.evidence.capture import capture_octets
from harness.evidence.timeline import Address, Layer, Timeline, Transport

CAPTURE = Path(__file__).with_name("session.pcapng")

DOMAIN = "example.net"
HANDSET = Address("172.16.80.82", 5060)
NETWORK = Address("172.16.138.68", 5060)
HANDSET_MSRP = Address("172.16.80.82", 8881)
NETWORK_MSRP = Address("172.16.139.157", 49488)
OWN, FAR = "<tel:+12893255769>", f"<sip:+12893255768@{DOMAIN};user=phone>"
FROM = f"{OWN};tag=3818778252"
FAR_TAG = "mavodi-1-cb-4a-5-0-_0000000000007f2c"
CALL = "3287620225@172.16.80.82"
SERVICE = '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session"'
CONTACT = f"Contact: <sip:+12893255769@172.16.80.82:5060>;{SERVICE}"
FAR_TARGET = f"sip:pcscflab210-gm.{DOMAIN};transport=tcp;priv=Y2FsbGVlLTEtY2ItNGEtNQ%3D%3D"
ALLOW = "INVITE,ACK,OPTIONS,CANCEL,BYE,UPDATE,INFO,REFER,NOTIFY,MESSAGE,PRACK"
INVITE_VIA = "SIP/2.0/UDP 172.16.80.82:5060;branch=z9hG4bK9265903smg;transport=UDP;rport"
ANSWERED_VIA = f"{INVITE_VIA}=5060;received=172.16.80.82"

OWN_PATH = "msrp://172.16.80.82:8881/vrhyu7FpMQRki1rQtp;tcp"
FAR_PATH = "msrp://172.16.139.157:49488/n04s00i7t0+42;tcp"
OWN_PATH_BEYOND = "msrp://172.16.139.4:55794/vrhyu7FpMQRki1rQtp;tcp"
FAR_PATH_BEYOND = "msrp://10.240.24.19:3541/n04s00i7t0+42;tcp"
TO_FAR, TO_OWN = (FAR_PATH, OWN_PATH), (OWN_PATH, FAR_PATH)
TO_OWN_BEYOND = (OWN_PATH_BEYOND, FAR_PATH_BEYOND)
"""To-Path and From-Path by direction; the last as they are beyond the border controller."""

ANONYMOUS = "<sip:anonymous@anonymous.invalid>"
NAMESPACE = "NS: imdn <urn:ietf:params:imdn>"
TEXT_ID = "2XTvyeM9M"


def crlf(*lines: str) -> str:
    return "".join(line + "\r\n" for line in lines)


def message(lines: list[str], body: str = "") -> bytes:
    return (crlf(*lines) + "\r\n" + body).encode("ascii")


def cpim(headers: list[str], content_headers: list[str], content: str) -> str:
    return crlf(*headers) + "\r\n" + crlf(*content_headers) + "\r\n" + content


def msrp(tid: str, what: str, paths: tuple[str, str], *headers: str, body: str | None = None) -> bytes:
    """An MSRP message; what is the method, or the status and its comment."""
    lines = [f"MSRP {tid} {what}", f"To-Path: {paths[0]}", f"From-Path: {paths[1]}", *headers]
    content = "" if body is None else f"\r\n{body}\r\n"
    return (crlf(*lines) + content + f"-------{tid}$\r\n").encode("ascii")


def send(tid: str, paths: tuple[str, str], message_id: str, kind: str = "", body: str | None = None) -> bytes:
    length = len(body or "")
    content = () if body is None else (f"Byte-Range: 1-{length}/{length}", f"Content-Type: {kind}")
    reports = ("Success-Report: no", "Failure-Report: yes")
    return msrp(tid, "SEND", paths, f"Message-ID: {message_id}", *reports, *content, body=body)


def sdp(*lines: str) -> str:
    return crlf("v=0", *lines)


# SIP


def invite() -> bytes:
    """S1, handset to network."""
    body = sdp(
        "o=SAMSUNG-IMS-UE 1234564 0 IN IP4 172.16.80.82",
        "s=SS VOIP",
        "i=A VOIP Session",
        "c=IN IP4 172.16.80.82",
        "t=0 0",
        "m=message 9 TCP/MSRP *",
        "a=accept-types:message/cpim application/im-iscomposing+xml",
        "a=accept-wrapped-types:text/plain message/imdn+xml",
        "a=setup:active",
        f"a=path:{OWN_PATH}",
        "a=sendrecv",
    )
    return message(
        [
            f"INVITE {FAR[1:-1]} SIP/2.0",
            "Supported: timer",
            "Conversation-ID: 750192017fe0025714ed411b84364ae39a12447d",
            "Contribution-ID: b1dcd3bac531c373dbe2edfe554137c5b6b603ec",
            "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session",
            f"P-Preferred-Identity: {OWN}",
            "P-Early-Media: supported",
            f"Allow: {ALLOW}",
            "User-Agent: Samsung IMS 5.0",
            f"Accept-Contact: *;{SERVICE}",
            "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=00101d6e5845db02",
            "Session-Expires: 3600;refresher=uac",
            "Min-SE: 90",
            "Content-Type: application/sdp",
            "Route: <sip:172.16.138.68:5060;lr>",
            f"From: {FROM}",
            f"To: {FAR}",
            f"Call-ID: {CALL}",
            "CSeq: 1 INVITE",
            "Max-Forwards: 70",
            CONTACT,
            f"Via: {INVITE_VIA}",
            "Content-Length: 332",
        ],
        body,
    )


def trying() -> bytes:
    """S2, network to handset."""
    return message(
        [
            "SIP/2.0 100 Trying",
            f"From:{FROM}",
            f"To:{FAR}",
            f"Call-ID:{CALL}",
            "CSeq:1 INVITE",
            f"Via:{ANSWERED_VIA}",
            "Content-Length:0",
        ]
    )


def accepted() -> bytes:
    """S3, network to handset."""
    body = sdp(
        f"o=Rms-1-206-26-5-466 12065264279238656 1370567776 IN IP4 {DOMAIN}",
        "s=SS VOIP",
        "i=A VOIP Session",
        "c=IN IP4 172.16.139.157",
        "t=0 0",
        "m=message 49488 TCP/MSRP *",
        "a=accept-types:message/cpim application/im-iscomposing+xml",
        "a=accept-wrapped-types:text/plain message/imdn+xml",
        "a=sendrecv",
        "a=max-size:20971520",
        f"a=path:{FAR_PATH}",
        "a=setup:passive",
    )
    return message(
        [
            "SIP/2.0 200 OK",
            f"Via:{ANSWERED_VIA}",
            "Record-Route:<sip:172.16.138.68;routing_id=pcscf_a_side;lskpmc=PE1;lr>",
            f"From:{FROM}",
            f"To:{FAR};tag={FAR_TAG}",
            f"Call-ID:{CALL}",
            "CSeq:1 INVITE",
            "Require:timer",
            "Session-Expires:1800;refresher=uac",
            "Supported:timer",
            f"Contact:<{FAR_TARGET}>;{SERVICE}",
            "P-Asserted-Identity:<tel:+12893255768>",
            "Server:IM-serv/OMA1.0 Mavenir Rms/v8.2R12041001o",
            "Content-Type:application/sdp",
            "Content-Length:380",
            f"P-Com.Siemens.Calling-Party-ID:{OWN}",
        ],
        body,
    )


def acknowledged() -> bytes:
    """S4, handset to network."""
    return message(
        [
            f"ACK {FAR_TARGET} SIP/2.0",
            f"From: {FROM}",
            f"To: {FAR};tag={FAR_TAG}",
            "CSeq: 1 ACK",
            f"Call-ID: {CALL}",
            "Max-Forwards: 70",
            "Route: <sip:172.16.138.68;lr;routing_id=pcscf_a_side;lskpmc=PE1>",
            CONTACT,
            "Via: SIP/2.0/UDP 172.16.80.82:5060;branch=z9hG4bK83393130smg;transport=UDP;rport",
            "Content-Length: 0",
        ]
    )


# MSRP


def text() -> str:
    """Body of S7."""
    return cpim(
        [
            f"From: {ANONYMOUS}",
            f"To: {ANONYMOUS}",
            "DateTime: 2014-11-11T19:00:05Z",
            NAMESPACE,
            f"imdn.Message-ID: {TEXT_ID}",
            "imdn.Disposition-Notification: positive-delivery, display",
        ],
        ["Content-type: text/plain;charset=UTF-8", "Content-Length: 26"],
        "I can't believe is working",
    )


def notification(own_id: str, when: str, kind: str, status: str, length: int) -> str:
    """Body of S9 and S11."""
    xml = "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<imdn xmlns="urn:ietf:params:xml:ns:imdn">',
            f"  <message-id>{TEXT_ID}</message-id>",
            f"  <datetime>{when}-00:00</datetime>",
            f"  <{kind}-notification>",
            "    <status>",
            f"      <{status}/>",
            "    </status>",
            f"  </{kind}-notification>",
            "</imdn>\n",
        ]
    )
    return cpim(
        [
            f"From: {ANONYMOUS}",
            NAMESPACE,
            f"imdn.Message-ID: {own_id}",
            f"DateTime: {when}Z",
            f"To: {ANONYMOUS}",
        ],
        [
            "Content-type: message/imdn+xml",
            "Content-Disposition: notification",
            f"Content-length: {length}",
        ],
        xml,
    )


DELIVERED = notification("u1vNTIhvFvXJcIN", "2014-11-11T19:00:06", "delivery", "delivered", 275)
DISPLAYED = notification("FuVVmvUk", "2014-11-11T19:00:18", "display", "displayed", 273)
COMPOSING = "\n".join(
    [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">',
        "  <state>active</state>",
        "  <contenttype>text/plain</contenttype>",
        "  <refresh>60</refresh>",
        "</isComposing>\n",
    ]
)


def msrp_steps() -> list[tuple[float, bool, bytes]]:
    """S5 to S14: second of the minute, whether the handset sends it, octets."""
    opening, saying = "rDc1STcUj6Tp75PZDcWy2Zvagw7dh7", "ZRDrmwWDFlKs7092FVTm6qMuh85"
    composing = "J0PnsL7Ob7eNcIwTZY"
    delivered, displayed = "FVHJnIOAVN++2++0", "9KAf7B0lqcdfvQfhixQuR7B++2++0"
    return [
        (4.214703, True, send(opening, TO_FAR, "Y4J0nw")),
        (4.309816, False, msrp(opening, "200 OK", TO_OWN)),
        (5.102447, True, send(saying, TO_FAR, "nC81JVwv8AyhH5fL2ATE2Tdw67c2A", "message/cpim", text())),
        (5.203918, False, msrp(saying, "200 OK", TO_OWN_BEYOND)),
        (6.341207, False, send("n04s00i7t0+94", TO_OWN_BEYOND, delivered, "message/cpim", DELIVERED)),
        (6.362115, True, msrp("n04s00i7t0+94", "200 OK", TO_FAR, f"Message-ID: {delivered}")),
        (18.402856, False, send("n04s00i7t0+95", TO_OWN_BEYOND, displayed, "message/cpim", DISPLAYED)),
        (18.425391, True, msrp("n04s00i7t0+95", "200 OK", TO_FAR, f"Message-ID: {displayed}")),
        (24.518062, True, send(composing, TO_FAR, "l81EIGC", "application/im-iscomposing+xml", COMPOSING)),
        (24.611734, False, msrp(composing, "200 OK", TO_OWN_BEYOND)),
    ]


def seconds(second: float) -> float:
    return round(datetime(2014, 11, 11, 19, 0, tzinfo=UTC).timestamp() + second, 6)


def timeline() -> Timeline:
    """The fourteen messages in order, with times that fit their DateTime values."""
    trace = Timeline()
    sip = [
        (2.101533, HANDSET, NETWORK, invite()),
        (2.180244, NETWORK, HANDSET, trying()),
        (3.912780, NETWORK, HANDSET, accepted()),
        (3.954126, HANDSET, NETWORK, acknowledged()),
    ]
    for second, source, destination, data in sip:
        trace.packet(Layer.SIP, Transport.UDP, source, destination, data, at=seconds(second))
    trace.event(
        Layer.MSRP,
        "connection",
        f"{HANDSET_MSRP} opened it to {NETWORK_MSRP}",
        at=seconds(msrp_steps()[0][0]),
        connection=1,
        opened_by=str(HANDSET_MSRP),
    )
    for second, by_handset, data in msrp_steps():
        source, destination = (HANDSET_MSRP, NETWORK_MSRP) if by_handset else (NETWORK_MSRP, HANDSET_MSRP)
        trace.packet(Layer.MSRP, Transport.TCP, source, destination, data, connection=1, at=seconds(second))
    trace.event(
        Layer.MSRP,
        "connection",
        f"closed: by {HANDSET_MSRP}",
        at=seconds(msrp_steps()[-1][0]),
        connection=1,
        closed_by=str(HANDSET_MSRP),
    )
    return trace


def capture() -> bytes:
    """The octets of session.pcapng."""
    return capture_octets(list(timeline()))


if __name__ == "__main__":
    CAPTURE.write_bytes(capture())
