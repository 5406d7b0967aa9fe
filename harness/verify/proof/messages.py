"""Messages as both sides write them when they do it right: SIP, SDP, CPIM and IMDN of hand-written flows.

A handset at 10.0.0.5, its network at 10.0.0.1, SIP over one TCP connection.
"""

from __future__ import annotations

from harness.verify.proof.script import HANDSET, NETWORK, Step, crlf

UE = "sip:+491700000001@example.org;user=phone"
FAR = "sip:+491700000002@example.org;user=phone"
UE_CONTACT = "sip:+491700000001@10.0.0.5:5060"
FAR_CONTACT = "sip:+491700000002@10.0.0.1:5060"
ANONYMOUS = "sip:anonymous@anonymous.invalid"
CONVERSATION = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
PANI = "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000001"
AGENT = "User-Agent: IM-client/OMA1.0 Acme/One-1.0 rcslab/1.0"
ALLOW = "Allow: INVITE,ACK,CANCEL,BYE,OPTIONS,UPDATE,INFO,REFER,NOTIFY,MESSAGE,PRACK"
ICSI = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm."
PPS = "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm."
ROUTE = "Route: <sip:10.0.0.1:5060;lr>, <sip:orig@scscf.example.org;lr>"


def message(lines: list[str], body: str = "") -> str:
    return crlf(*lines, f"Content-Length: {len(body.encode())}") + "\r\n" + body


def h(lines: list[str], body: str = "") -> Step:
    return Step(True, message(lines, body))


def n(lines: list[str], body: str = "") -> Step:
    return Step(False, message(lines, body))


def answer(request: Step, status: str, to_tag: str, extra: tuple[str, ...] = (), body: str = "") -> Step:
    """A response as both sides write it, with the id headers and access network where they belong."""
    lines = request.text.partition("\r\n\r\n")[0].split("\r\n")[1:]
    kept = [line for line in lines if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
    far = HANDSET if request.handset else NETWORK
    kept[0] = kept[0].replace(
        ";rport", f";rport={40000 if request.handset else far.port};received={far.host}"
    )
    if to_tag:
        kept = [
            f"{line};tag={to_tag}" if line.startswith("To:") and ";tag=" not in line else line
            for line in kept
        ]
    method = request.text.split(" ")[0]
    if not request.handset and status != "100 Trying" and method != "CANCEL":
        kept.append(PANI)
    if method in ("MESSAGE", "INVITE") and status.startswith("2") and ";tag=" not in _to(lines):
        kept += [line for line in lines if line.startswith(("Conversation-ID", "Contribution-ID"))]
    return Step(not request.handset, message([f"SIP/2.0 {status}", *kept, *extra], body))


def _to(lines: list[str]) -> str:
    return next(line for line in lines if line.startswith("To:"))


# -- CPIM -------------------------------------------------------------------------------------------------


def text_body(sender: str, recipient: str, message_id: str, text: str = "hello, world") -> str:
    return (
        crlf(
            f"From: <{sender}>",
            f"To: <{recipient}>",
            "DateTime: 2023-11-14T22:13:20Z",
            "NS: imdn <urn:ietf:params:imdn>",
            f"imdn.Message-ID: {message_id}",
            "imdn.Disposition-Notification: positive-delivery, display",
        )
        + "\r\n"
        + crlf("Content-Type: text/plain;charset=UTF-8", f"Content-Length: {len(text)}")
        + "\r\n"
        + text
    )


def imdn_body(sender: str, recipient: str, own_id: str, message_id: str, kind: str, status: str) -> str:
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n<imdn xmlns="urn:ietf:params:xml:ns:imdn">'
        f"<message-id>{message_id}</message-id><datetime>2023-11-14T22:13:20Z</datetime>"
        f"<{kind}-notification><status><{status}/></status></{kind}-notification></imdn>"
    )
    return (
        crlf(
            f"From: <{sender}>",
            f"To: <{recipient}>",
            "DateTime: 2023-11-14T22:13:21Z",
            "NS: imdn <urn:ietf:params:imdn>",
            f"imdn.Message-ID: {own_id}",
        )
        + "\r\n"
        + crlf(
            "Content-Type: message/imdn+xml",
            "Content-Disposition: notification",
            f"Content-Length: {len(xml)}",
        )
        + "\r\n"
        + xml
    )


# -- requests ---------------------------------------------------------------------------------------------


def mo_message(mark: str, contribution: str, body: str) -> Step:
    return h(
        [
            f"MESSAGE {FAR} SIP/2.0",
            f"Via: SIP/2.0/TCP 10.0.0.5:5060;branch=z9hG4bKmo{mark}6f3a91c2;rport",
            "Max-Forwards: 70",
            ROUTE,
            f"From: <{UE}>;tag=from{mark}81c2",
            f"To: <{FAR}>",
            f"Call-ID: call{mark}9d8f7e6a5b4c3d2e@10.0.0.5",
            "CSeq: 1 MESSAGE",
            "Supported: timer",
            f"P-Preferred-Identity: <{UE}>",
            "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg",
            PANI,
            f'Accept-Contact: *;+g.3gpp.icsi-ref="{ICSI}msg"',
            "Request-Disposition: no-fork",
            f"Conversation-ID: {CONVERSATION}",
            f"Contribution-ID: {contribution}",
            AGENT,
            "Content-Type: message/cpim",
        ],
        body,
    )


def mt_message(mark: str, contribution: str, body: str) -> Step:
    return n(
        [
            f"MESSAGE {UE_CONTACT} SIP/2.0",
            f"Via: SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bKmt{mark}6f3a91c2;rport",
            "Max-Forwards: 70",
            f"From: <{FAR}>;tag=far{mark}81c2",
            f"To: <{UE}>",
            f"Call-ID: mt{mark}9d8f7e6a5b4c3d2e",
            "CSeq: 1 MESSAGE",
            f"P-Asserted-Identity: <{FAR}>, <tel:+491700000002>",
            "P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg",
            f"P-Called-Party-ID: <{UE}>",
            f'Accept-Contact: *;+g.3gpp.icsi-ref="{ICSI}msg"',
            f"Conversation-ID: {CONVERSATION}",
            f"Contribution-ID: {contribution}",
            "Content-Type: message/cpim",
        ],
        body,
    )


def sdp(host: str, setup: str, port: int, session: str) -> str:
    return crlf(
        "v=0",
        f"o=- 1 1 IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=message {port} TCP/MSRP *",
        f"a=path:msrp://{host}:{port}/{session};tcp",
        f"a=setup:{setup}",
        "a=accept-types:message/cpim application/im-iscomposing+xml",
        "a=accept-wrapped-types:text/plain message/imdn+xml",
        "a=sendrecv",
    )


UE_SDP = sdp("10.0.0.5", "active", 9, "k3Jx8Qw2Zr7Lt5Yv9Bn1")
FAR_SDP = sdp("10.0.0.1", "passive", 20000, "p4Mz6Hs8Dc2Vf0Gk7Ja3")
RECORD_ROUTE = "Record-Route: <sip:10.0.0.1:5060;lr>"


def mo_invite(*extra: str, body: str = UE_SDP) -> Step:
    return h(
        [
            f"INVITE {FAR} SIP/2.0",
            "Via: SIP/2.0/TCP 10.0.0.5:5060;branch=z9hG4bKinv6f3a91c2;rport",
            "Max-Forwards: 70",
            ROUTE,
            f"From: <{UE}>;tag=ueinv81c2",
            f"To: <{FAR}>",
            "Call-ID: inv9d8f7e6a5b4c3d2e@10.0.0.5",
            "CSeq: 1 INVITE",
            "Supported: timer",
            "Session-Expires: 1800",
            "Min-SE: 90",
            ALLOW,
            f'Contact: <{UE_CONTACT}>;+g.3gpp.icsi-ref="{ICSI}session"',
            f"P-Preferred-Identity: <{UE}>",
            "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session",
            PANI,
            f'Accept-Contact: *;+g.3gpp.icsi-ref="{ICSI}session"',
            f"Conversation-ID: {CONVERSATION}",
            "Contribution-ID: 0b0f8f6e-1111-4aaa-8bbb-000000000010",
            *extra,
            AGENT,
            *(["Content-Type: application/sdp"] if body else []),
        ],
        body,
    )


def mt_invite(*extra: str) -> Step:
    return n(
        [
            f"INVITE {UE_CONTACT} SIP/2.0",
            "Via: SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bKmtinv6f3a91c2;rport",
            "Max-Forwards: 70",
            RECORD_ROUTE,
            f"From: <{FAR}>;tag=farinv81c2",
            f"To: <{UE}>",
            "Call-ID: mtinv9d8f7e6a5b4c3d2e",
            "CSeq: 1 INVITE",
            "Supported: timer",
            "Session-Expires: 1800",
            "Min-SE: 90",
            ALLOW,
            f'Contact: <{FAR_CONTACT}>;+g.3gpp.icsi-ref="{ICSI}session"',
            f"P-Asserted-Identity: <{FAR}>",
            "P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session",
            f"P-Called-Party-ID: <{UE}>",
            f'Accept-Contact: *;+g.3gpp.icsi-ref="{ICSI}session"',
            f"Conversation-ID: {CONVERSATION}",
            "Contribution-ID: 0b0f8f6e-1111-4aaa-8bbb-000000000011",
            *extra,
            "Content-Type: application/sdp",
        ],
        sdp("10.0.0.1", "actpass", 20000, "p4Mz6Hs8Dc2Vf0Gk7Ja3"),
    )


FAR_INVITE_CONTACT = f'Contact: <{FAR_CONTACT}>;+g.3gpp.icsi-ref="{ICSI}session"'
UE_INVITE_CONTACT = f'Contact: <{UE_CONTACT}>;+g.3gpp.icsi-ref="{ICSI}session"'
TIMER_2XX = ("Supported: timer", "Session-Expires: 1800;refresher=uac", "Require: timer")


def in_dialog(
    method: str, number: int, branch: str, *extra: str, mo: bool = True, handset: bool = True
) -> Step:
    """A request in the dialog of the MO (or MT) INVITE, by the handset or the network."""
    own, far = (f"<{UE}>;tag=", f"<{FAR}>;tag=")
    ue_tag, far_tag = ("ueinv81c2", "faransw42") if mo else ("ueansw42", "farinv81c2")
    call = "inv9d8f7e6a5b4c3d2e@10.0.0.5" if mo else "mtinv9d8f7e6a5b4c3d2e"
    host = "10.0.0.5" if handset else "10.0.0.1"
    lines = [
        f"{method} {FAR_CONTACT if handset else UE_CONTACT} SIP/2.0",
        f"Via: SIP/2.0/TCP {host}:5060;branch=z9hG4bK{branch}6f3a91c2;rport",
        "Max-Forwards: 70",
        *(["Route: <sip:10.0.0.1:5060;lr>"] if handset else []),
        f"From: {own + ue_tag if handset else far + far_tag}",
        f"To: {far + far_tag if handset else own + ue_tag}",
        f"Call-ID: {call}",
        f"CSeq: {number} {method}",
        *([PANI] if handset and method not in ("ACK", "CANCEL") else []),
        *extra,
    ]
    return h(lines) if handset else n(lines)


# -- flows ------------------------------------------------------------------------------------------------
