"""The message that the SIP benchmarks use: a pager-mode MESSAGE of RCS 5.1, 1,200 octets (CPIM in SIP)."""

from __future__ import annotations

LENGTH = 1200
_HEAD = (
    "MESSAGE sip:+491709999999@ims.example;user=phone SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.17:5060;branch=z9hG4bKs7f3a91c0d5e;rport;transport=UDP",
    "Max-Forwards: 70",
    "Route: <sip:192.0.2.1:5060;lr>",
    "From: <sip:+491701234567@ims.example>;tag=1384874566",
    "To: <sip:+491709999999@ims.example;user=phone>",
    "Call-ID: 3712948749@192.0.2.17",
    "CSeq: 1 MESSAGE",
    'Contact: <sip:+491701234567@192.0.2.17:5060>;+sip.instance="<urn:gsma:imei:35469106-056673-0>"',
    "P-Preferred-Identity: <sip:+491701234567@ims.example>",
    "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg",
    'Accept-Contact: *;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"',
    "Contribution-ID: 477b66ae9662e3ad18549bf5dabf9d26d5e707ca",
    "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000000",
    "User-Agent: IM-client/OMA1.0 RCS 5.1",
    "Content-Type: message/cpim",
)
_IDS = (b"z9hG4bKs7f3a91c0d5e", b"1384874566", b"3712948749")
_CPIM = (
    "From: <sip:anonymous@anonymous.invalid>",
    "To: <sip:anonymous@anonymous.invalid>",
    "DateTime: 2015-02-17T06:54:27Z",
    "NS: imdn <urn:ietf:params:imdn>",
    "imdn.Message-ID: PH7qAIV8cgH5",
    "imdn.Disposition-Notification: positive-delivery, display",
    "",
    "Content-Type: text/plain;charset=UTF-8",
    "",
)


def _lines(lines: tuple[str, ...]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def pager_message(number: int = 0) -> bytes:
    """The octets, filled to their length with the text of the message. number: makes branch, tag and Call-ID
    its own.
    """
    cpim = _lines(_CPIM)
    fixed = len(_lines(_HEAD)) + len(cpim) + len("Content-Length: 123\r\n\r\n")
    body = cpim + b"x" * (LENGTH - fixed)
    head = _lines(_HEAD)
    for written in _IDS:
        head = head.replace(written, written[:-5] + b"%05d" % number)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
