"""Builds pager.pcapng: one standalone text (pager mode) and its two notifications, as seen at the handset.

Values are those of a published trace of a Samsung handset against an Anritsu RCS server. What the publication
leaves out is filled in; the declared body lengths (322, 490, 495) show that it is filled in at the right
length.
The slips of both sides are kept on purpose: they are what a verifier must find.

Run it to write the file anew: python tests/corpora/seed/pager.py
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from harness.evidence.capture import capture_octets
from harness.evidence.timeline import Address, Layer, Timeline, Transport

CAPTURE = Path(__file__).with_name("pager.pcapng")

DOMAIN = "example.net"
HANDSET = Address("2001::1:88fe:fccf:2870:5dee", 5060)
NETWORK = Address("2001:0:0:1::2", 5060)
HANDSET_URI = f"sip:001011234567890@{DOMAIN}"
RECIPIENT_URI = f"sip:+12345678901@{DOMAIN};user=phone"
FAR_URI = f"sip:+14448880011@{DOMAIN}"
CONVERSATION = "1710887c7ca47dc2c1274c11673eb0df5a604fd3"
ACCESS = "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000000"
ACCEPT_CONTACT = '*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"'
INSTANCE = "<urn:gsma:imei:35469106-056673-0>"

TEXT_VIA = f"SIP/2.0/TCP [{HANDSET.host}]:5060;branch=z9hG4bK2629405539smg;transport=TCP"
TEXT_FROM = f"<{HANDSET_URI}>;tag=1384874566"
TEXT_CALL = f"3712948749@{HANDSET.host}"


def crlf(*lines: str) -> str:
    return "".join(line + "\r\n" for line in lines)


def message(lines: list[str], body: str = "") -> bytes:
    return (crlf(*lines) + "\r\n" + body).encode("ascii")


def cpim(headers: list[str], content_headers: list[str], content: str) -> str:
    return crlf(*headers) + "\r\n" + crlf(*content_headers) + "\r\n" + content


def text() -> bytes:
    """P1, handset to network over TCP."""
    body = cpim(
        [
            f"From: <{HANDSET_URI}>",
            f"To: <{RECIPIENT_URI}>",
            "DateTime: 2015-02-17T06:54:27Z",
            "NS: imdn <urn:ietf:params:imdn>",
            "imdn.Message-ID: PH7qAIV8cgH5",
            "imdn.Disposition-Notification: positive-delivery, display",
        ],
        ["Content-type: text/plain;charset=UTF-8", "Content-Length: 15"],
        "123456789abcdef",
    )
    return message(
        [
            f"MESSAGE {RECIPIENT_URI} SIP/2.0",
            "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg",
            "Contribution-ID: 477b66ae9662e3ad18549bf5dabf9d26d5e707ca",
            f"Conversation-ID: {CONVERSATION}",
            f"P-Preferred-Identity: <{HANDSET_URI}>",
            "Request-Disposition: no-fork",
            "User-Agent: Samsung IMS 5.0",
            "CSeq: 1 MESSAGE",
            "Max-Forwards: 70",
            f"P-Access-Network-Info: {ACCESS}",
            f"Route: <sip:[{NETWORK.host}]:5060;lr>",
            f"Accept-Contact: {ACCEPT_CONTACT}",
            "Content-Type: message/cpim",
            f"From: {TEXT_FROM}",
            f"Call-ID: {TEXT_CALL}",
            "Content-Length: 322",
            f'Contact: <sip:001011234567890@[{HANDSET.host}]:5060>;+sip.instance="{INSTANCE}"',
            f"To: <{RECIPIENT_URI}>",
            f"Via: {TEXT_VIA}",
        ],
        body,
    )


def text_accepted() -> bytes:
    """P2, network to handset on the connection of P1."""
    return message(
        [
            "SIP/2.0 200 OK",
            "Max-Forwards: 70",
            f"Via: {TEXT_VIA}",
            f"From: {TEXT_FROM}",
            f"To: <{RECIPIENT_URI}>;tag=73335cbb32b744baaaf5097a34431c92",
            f"Call-ID: {TEXT_CALL}",
            "CSeq: 1 MESSAGE",
            "Server: Anritsu-RCS-serv/OMA1.0",
            "Content-Length: 0",
        ]
    )


class Notification:
    """An IMDN of the network (P3, P5) and the handset's answer to it (P4, P6), over UDP."""

    def __init__(
        self,
        *,
        branch: str,
        inner_branch: str,
        far_tag: str,
        own_tag: str,
        contribution: str,
        call: str,
        length: int,
        cpim_from: str,
        when: str,
        message_id: str,
        kind: str,
        status: str,
        content_length: str,
    ) -> None:
        self.branch, self.length, self.contribution, self.call = branch, length, contribution, call
        self.inner_via = f"SIP/2.0/TCP [{NETWORK.host}]:6062;branch={inner_branch}"
        self.from_ = f"<{FAR_URI}>;tag={far_tag}"
        self.own_tag, self.cpim_from, self.when, self.message_id = own_tag, cpim_from, when, message_id
        self.kind, self.status, self.content_length = kind, status, content_length

    def request(self) -> bytes:
        xml = "\r\n".join(
            [
                '<?xml version="1.0" encoding="utf-8"?>',
                '<imdn xmlns="urn:ietf:params:xml:ns:imdn">',
                "  <message-id>PH7qAIV8cgH5</message-id>",
                f"  <{self.kind}-notification>",
                "    <status>",
                f"      <{self.status} />",
                "    </status>",
                f"  </{self.kind}-notification>",
                "</imdn>",
            ]
        )
        body = cpim(
            [
                f"From: {self.cpim_from}",
                f"To: <{HANDSET_URI}>",
                f"DateTime: {self.when}",
                "NS: imdn <urn:ietf:params:imdn>",
                f"imdn.Message-ID: {self.message_id}",
            ],
            ["Content-Disposition: notification", "Content-Type: message/imdn+xml"],
            xml,
        )
        return message(
            [
                f"MESSAGE sip:001011234567890@[{HANDSET.host}]:5060 SIP/2.0",
                f"Via: SIP/2.0/UDP [{NETWORK.host}]:5060;branch={self.branch};rport;transport=udp",
                f"Via: {self.inner_via}",
                "Max-Forwards: 68",
                f"From: {self.from_}",
                f"To: <{HANDSET_URI}>",
                f"P-Asserted-Identity: <{FAR_URI}>",
                f"Accept-Contact: {ACCEPT_CONTACT}",
                f"Contribution-ID: {self.contribution}",
                f"Conversation-ID: {CONVERSATION}",
                "Content-Type: message/cpim",
                f"Content-Length: {self.length}",
                "CSeq: 1 MESSAGE",
                f"Call-ID: {self.call}",
                f"Record-Route: <sip:[{NETWORK.host}]:5060;lr>",
            ],
            body,
        )

    def accepted(self) -> bytes:
        top = (
            f"SIP/2.0/UDP [{NETWORK.host}]:5060;branch={self.branch};rport=5060;"
            f"received={NETWORK.host};transport=udp"
        )
        return message(
            [
                "SIP/2.0 200 OK",
                f"Contribution-ID: {self.contribution}",
                f"Conversation-ID: {CONVERSATION}",
                "CSeq: 1 MESSAGE",
                f"P-Access-Network-Info: {ACCESS}",
                f"From: {self.from_}",
                f"Call-ID: {self.call}",
                self.content_length,
                f"To: <{HANDSET_URI}>;tag={self.own_tag}",
                f"Via: {top},{self.inner_via}",
            ]
        )


DELIVERED = Notification(
    branch="z9hG4bK6b1f4e0d93c84a72b5d1730ea63cc18a",
    inner_branch="z9hG4bKe7c0830f56394c91985b32740e324dbf",
    far_tag="d1d79837cb9140e0a4b75cba91f40178",
    own_tag="1310629065",
    contribution="f415972d55",
    call="fb87fae7ea0f4eaebdd51c7bce64ccf8",
    length=490,
    cpim_from="<sip:anonymous@anonymous.invalid>",
    when="2015-02-17T06:54:27.8730740Z",
    message_id="92c65678d0",
    kind="delivery",
    status="delivered",
    content_length="Content-Lenfth: 0",
)
DISPLAYED = Notification(
    branch="z9hG4bK0f8a52d7c1e94b36a87e2d5940b1c18c",
    inner_branch="z9hG4bK266a90b1785b4b659ea8d0911bf4f48b",
    far_tag="c5305ca476f3456a904ca1a31cf2b091",
    own_tag="2700955583",
    contribution="70e1ec50d6",
    call="30210a9d7df84045a75c8b040d6395af",
    length=495,
    cpim_from=f'"No Chat" <{FAR_URI}>',
    when="2015-02-17T06:54:45.1650631Z",
    message_id="cef6f7fe6d",
    kind="display",
    status="displayed",
    content_length="Content-Length: 0",
)


def seconds(minute: int, second: float) -> float:
    whole = datetime(2015, 2, 17, 6, minute, tzinfo=UTC).timestamp()
    return whole + second


def timeline() -> Timeline:
    """The six messages in order, with times that fit their DateTime values."""
    trace = Timeline()
    steps = [
        (27.412508, Transport.TCP, HANDSET, NETWORK, text()),
        (27.655921, Transport.TCP, NETWORK, HANDSET, text_accepted()),
        (27.881342, Transport.UDP, NETWORK, HANDSET, DELIVERED.request()),
        (27.926817, Transport.UDP, HANDSET, NETWORK, DELIVERED.accepted()),
        (45.173206, Transport.UDP, NETWORK, HANDSET, DISPLAYED.request()),
        (45.219664, Transport.UDP, HANDSET, NETWORK, DISPLAYED.accepted()),
    ]
    for second, transport, source, destination, data in steps:
        trace.packet(
            Layer.SIP,
            transport,
            source,
            destination,
            data,
            connection=1 if transport is Transport.TCP else None,
            at=round(seconds(54, second), 6),
        )
    return trace


def capture() -> bytes:
    """The octets of pager.pcapng."""
    return capture_octets(list(timeline()))


if __name__ == "__main__":
    CAPTURE.write_bytes(capture())
