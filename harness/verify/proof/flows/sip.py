"""SIP flows after the documents: pager messages, sessions, registration, capability exchange."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.verify.proof.messages import (
    AGENT,
    ALLOW,
    ANONYMOUS,
    FAR,
    FAR_CONTACT,
    FAR_INVITE_CONTACT,
    FAR_SDP,
    ICSI,
    PANI,
    PPS,
    RECORD_ROUTE,
    ROUTE,
    TIMER_2XX,
    UE,
    UE_CONTACT,
    UE_INVITE_CONTACT,
    UE_SDP,
    answer,
    h,
    imdn_body,
    in_dialog,
    message,
    mo_invite,
    mo_message,
    mt_invite,
    mt_message,
    n,
    text_body,
)
from harness.verify.proof.script import Script, Step

ASKS = "imdn.Disposition-Notification: positive-delivery, display"


def pager_mo() -> Script:
    text = mo_message("a", "0b0f8f6e-1111-4aaa-8bbb-000000000001", text_body(UE, FAR, "Msg1aB2cD3eF4gH5iJ6k"))
    script = Script([text, answer(text, "200 OK", "netA1")])
    for mark, own, kind, status in (
        ("b", "Not1aB2cD3eF4gH5iJ6k", "delivery", "delivered"),
        ("c", "Not2aB2cD3eF4gH5iJ6k", "display", "displayed"),
    ):
        contribution = f"0b0f8f6e-1111-4aaa-8bbb-00000000000{mark}"
        body = imdn_body(FAR, UE, own, "Msg1aB2cD3eF4gH5iJ6k", kind, status)
        request = mt_message(mark, contribution, body)
        script.steps += [request, answer(request, "200 OK", f"ue{mark}1")]
    return script


def pager_mt() -> Script:
    text = mt_message("d", "0b0f8f6e-1111-4aaa-8bbb-00000000000d", text_body(FAR, UE, "Msg7aB2cD3eF4gH5iJ6k"))
    script = Script([text, answer(text, "200 OK", "ued1")])
    for mark, own, kind, status in (
        ("e", "Not3aB2cD3eF4gH5iJ6k", "delivery", "delivered"),
        ("f", "Not4aB2cD3eF4gH5iJ6k", "display", "displayed"),
    ):
        contribution = f"0b0f8f6e-1111-4aaa-8bbb-00000000000{mark}"
        body = imdn_body(UE, FAR, own, "Msg7aB2cD3eF4gH5iJ6k", kind, status)
        request = mo_message(mark, contribution, body)
        script.steps += [request, answer(request, "200 OK", f"net{mark}1")]
    return script


LIST_BODY = (
    "--b1\r\nContent-Type: message/cpim\r\n\r\n"
    f"From: <{UE}>\r\nTo: <sip:list@example.org>\r\nDateTime: 2023-11-14T22:13:20Z\r\n"
    "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: Msg1aB2cD3eF4gH5iJ6k\r\n"
    "\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi\r\n"
    "--b1\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n"
    '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"'
    ' xmlns:cp="urn:ietf:params:xml:ns:copycontrol"><list>'
    '<entry uri="sip:+491700000003@example.org" cp:copyControl="to"/></list></resource-lists>\r\n'
    "--b1--"
)


def pager_list() -> Script:
    """The handset sends a text to a list of recipients: MESSAGE 0, 200 1."""
    script = pager_mo().drop(2, 3, 4, 5)
    script.sub(0, "Content-Type: message/cpim", "Content-Type: multipart/mixed;boundary=b1")
    script.sub(0, f"{PPS}msg", f"{PPS}msg.group").line(0, "Require: recipient-list-message")
    return script.body(0, LIST_BODY)


def replied_mo() -> Script:
    """As pager_mt, and then pager_mo in reply: steps 6 to 11."""
    script = Script([*pager_mt().steps, *pager_mo().steps])
    return script.line(6, "InReplyTo-Contribution-ID: 0b0f8f6e-1111-4aaa-8bbb-00000000000d")


def anonymous_mo() -> Script:
    """The first text of pager_mo from who does not want to be known (RFC 3323 4, RFC 5438 12.1.1)."""
    script = Script(pager_mo().steps[:2]).line(0, "Privacy: id")
    script.everywhere(f"From: <{UE}>", f"From: <{ANONYMOUS}>")
    body = text_body(ANONYMOUS, FAR, "Msg1aB2cD3eF4gH5iJ6k")
    return script.body(0, body.replace(f"{ASKS}\r\n", ""))


def session_mo() -> Script:
    """INVITE 100 180 200 ACK, UPDATE 200, BYE 200: steps 0 to 8."""
    invite = mo_invite()
    update = in_dialog(
        "UPDATE",
        2,
        "upd",
        "Supported: timer",
        "Session-Expires: 1800;refresher=uac",
        "Min-SE: 90",
        ALLOW,
        UE_INVITE_CONTACT,
    )
    bye = in_dialog("BYE", 3, "bye", 'Reason: SIP;cause=200;text="Call completed"', "Supported: timer")
    return Script(
        [
            invite,
            answer(invite, "100 Trying", ""),
            answer(invite, "180 Ringing", "faransw42", (RECORD_ROUTE, FAR_INVITE_CONTACT)),
            answer(
                invite,
                "200 OK",
                "faransw42",
                (RECORD_ROUTE, FAR_INVITE_CONTACT, ALLOW, *TIMER_2XX, "Content-Type: application/sdp"),
                FAR_SDP,
            ),
            in_dialog("ACK", 1, "ack"),
            update,
            answer(update, "200 OK", "", (FAR_INVITE_CONTACT, *TIMER_2XX)),
            bye,
            answer(bye, "200 OK", ""),
        ]
    )


def session_mt() -> Script:
    """INVITE 180 200 ACK, BYE of the handset 200: steps 0 to 5."""
    invite = mt_invite()
    bye = in_dialog("BYE", 1, "mtbye", "Supported: timer", mo=False)
    return Script(
        [
            invite,
            answer(invite, "180 Ringing", "ueansw42", (RECORD_ROUTE, UE_INVITE_CONTACT)),
            answer(
                invite,
                "200 OK",
                "ueansw42",
                (RECORD_ROUTE, UE_INVITE_CONTACT, ALLOW, *TIMER_2XX, "Content-Type: application/sdp"),
                UE_SDP,
            ),
            in_dialog("ACK", 1, "mtack", mo=False, handset=False),
            bye,
            answer(bye, "200 OK", ""),
        ]
    )


def session_ended_by_network() -> Script:
    """As session_mt, but the network sends the BYE."""
    script = session_mt()
    bye = in_dialog("BYE", 2, "netbye", "Supported: timer", mo=False, handset=False)
    script.steps[4:] = [bye, answer(bye, "200 OK", "")]
    return script


def hop_by_hop(invite: Step, method: str, to_tag: str = "") -> Step:
    """CANCEL, or ACK to a refusal: one Via, Route, From, To, Call-ID and CSeq number of the INVITE."""
    lines = invite.text.split("\r\n\r\n")[0].split("\r\n")
    kept = [lines[0].replace("INVITE", method, 1)]
    for line in lines[1:]:
        name = line.split(":")[0]
        if name in ("Via", "Max-Forwards", "Route", "From", "Call-ID"):
            kept.append(line)
        elif name == "To":
            kept.append(f"{line};tag={to_tag}" if to_tag else line)
        elif name == "CSeq":
            kept.append(f"CSeq: 1 {method}")
    return Step(invite.handset, message(kept))


def cancelled(invite: Step) -> Script:
    """INVITE 100 180 CANCEL 200 487 ACK: steps 0 to 6."""
    tag, contact = ("faransw42", FAR_INVITE_CONTACT) if invite.handset else ("ueansw42", UE_INVITE_CONTACT)
    cancel = hop_by_hop(invite, "CANCEL")
    return Script(
        [
            invite,
            answer(invite, "100 Trying", ""),
            answer(
                invite,
                "180 Ringing",
                tag,
                (RECORD_ROUTE, contact),
            ),
            cancel,
            answer(cancel, "200 OK", tag),
            answer(invite, "487 Request Terminated", tag),
            hop_by_hop(invite, "ACK", tag),
        ]
    )


def refused_mo() -> Script:
    """INVITE 100 486 ACK."""
    invite = mo_invite()
    return Script(
        [
            invite,
            answer(invite, "100 Trying", ""),
            answer(invite, "486 Busy Here", "faransw42"),
            hop_by_hop(invite, "ACK", "faransw42"),
        ]
    )


def register() -> Script:
    """REGISTER 401 REGISTER 200, then the reg event: SUBSCRIBE 200 NOTIFY 200: steps 0 to 7."""
    credentials = (
        'Digest username="001010000000001@example.org",realm="example.org",nonce="{}",uri="sip:example.org"'
    )

    def attempt(number: int, *extra: str) -> Step:
        return h(
            [
                "REGISTER sip:example.org SIP/2.0",
                f"Via: SIP/2.0/TCP 10.0.0.5:5060;branch=z9hG4bKreg{number}6f3a91c2;rport",
                "Max-Forwards: 70",
                f"From: <{UE}>;tag=reg81c2",
                f"To: <{UE}>",
                "Call-ID: reg9d8f7e6a5b4c3d2e@10.0.0.5",
                f"CSeq: {number} REGISTER",
                f'Contact: <{UE_CONTACT}>;+sip.instance="<urn:gsma:imei:49015420-323751-0>"'
                f';+g.3gpp.icsi-ref="{ICSI}msg,{ICSI}session";expires=600000',
                "Supported: timer,path,gruu",
                *extra,
                AGENT,
            ]
        )

    first = attempt(1, f'Authorization: {credentials.format("")},response=""')
    second = attempt(
        2,
        f"Authorization: {credentials.format('dcd98b7102dd2f0e8b11d0f600bfb0c0')},"
        'response="6629fae49393a05397450978507c4ef1",algorithm=MD5,qop=auth,cnonce="0a4f113b",nc=00000001,'
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"',
        PANI,
    )
    subscribe = h(
        [
            f"SUBSCRIBE {UE} SIP/2.0",
            "Via: SIP/2.0/TCP 10.0.0.5:5060;branch=z9hG4bKsub6f3a91c2;rport",
            "Max-Forwards: 70",
            ROUTE,
            f"From: <{UE}>;tag=sub81c2",
            f"To: <{UE}>",
            "Call-ID: sub9d8f7e6a5b4c3d2e@10.0.0.5",
            "CSeq: 1 SUBSCRIBE",
            "Event: reg",
            "Accept: application/reginfo+xml",
            "Expires: 600000",
            f"Contact: <{UE_CONTACT}>",
            f"P-Preferred-Identity: <{UE}>",
            PANI,
            AGENT,
        ]
    )
    notify = n(
        [
            f"NOTIFY {UE_CONTACT} SIP/2.0",
            "Via: SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bKnot6f3a91c2;rport",
            "Max-Forwards: 70",
            f"From: <{UE}>;tag=netsub1",
            f"To: <{UE}>;tag=sub81c2",
            "Call-ID: sub9d8f7e6a5b4c3d2e@10.0.0.5",
            "CSeq: 1 NOTIFY",
            "Event: reg",
            "Contact: <sip:10.0.0.1:5060>",
            "Subscription-State: active;expires=600000",
            "Content-Type: application/reginfo+xml",
        ],
        '<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full"/>',
    )
    return Script(
        [
            first,
            answer(
                first,
                "401 Unauthorized",
                "netreg1",
                (
                    'WWW-Authenticate: Digest realm="example.org",nonce="dcd98b7102dd2f0e8b11d0f600bfb0c0",'
                    'algorithm=MD5,qop="auth",opaque="5ccc069c403ebaf9f0171e9517f40e41"',
                ),
            ),
            second,
            answer(
                second,
                "200 OK",
                "netreg1",
                (
                    f"Contact: <{UE_CONTACT}>;expires=600000",
                    f"P-Associated-URI: <{UE}>, <tel:+491700000001>",
                    "Service-Route: <sip:orig@scscf.example.org;lr>",
                ),
            ),
            subscribe,
            answer(subscribe, "200 OK", "netsub1", ("Expires: 600000", "Contact: <sip:10.0.0.1:5060>")),
            notify,
            answer(notify, "200 OK", ""),
        ]
    )


def options_mt() -> Script:
    request = n(
        [
            f"OPTIONS {UE_CONTACT} SIP/2.0",
            "Via: SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bKopt6f3a91c2;rport",
            "Max-Forwards: 70",
            f"From: <{FAR}>;tag=opt81c2",
            f"To: <{UE}>",
            "Call-ID: opt9d8f7e6a5b4c3d2e",
            "CSeq: 1 OPTIONS",
            f"P-Asserted-Identity: <{FAR}>",
            f"P-Called-Party-ID: <{UE}>",
            f'Contact: <{FAR_CONTACT}>;+g.3gpp.icsi-ref="{ICSI}msg,{ICSI}session"',
            "Accept: application/sdp",
            ALLOW,
        ]
    )
    contact = f'Contact: <{UE_CONTACT}>;+g.3gpp.icsi-ref="{ICSI}msg,{ICSI}session"'
    return Script([request, answer(request, "200 OK", "ueopt1", (contact, ALLOW, "Supported: timer"))])


def reliable_mo() -> Script:
    """INVITE 183 (reliable) PRACK 200 200 ACK BYE 200: steps 0 to 7."""
    invite = mo_invite()
    invite = replace(invite, text=invite.text.replace("Supported: timer", "Supported: timer,100rel", 1))
    prack = in_dialog("PRACK", 2, "pra", "RAck: 1 1 INVITE")
    bye = in_dialog("BYE", 3, "bye", "Supported: timer")
    return Script(
        [
            invite,
            answer(
                invite,
                "183 Session Progress",
                "faransw42",
                (RECORD_ROUTE, FAR_INVITE_CONTACT, "Require: 100rel", "RSeq: 1"),
            ),
            prack,
            answer(prack, "200 OK", ""),
            answer(
                invite,
                "200 OK",
                "faransw42",
                (RECORD_ROUTE, FAR_INVITE_CONTACT, ALLOW, *TIMER_2XX, "Content-Type: application/sdp"),
                FAR_SDP,
            ),
            in_dialog("ACK", 1, "ack"),
            bye,
            answer(bye, "200 OK", ""),
        ]
    )


def refreshed_mt() -> Script:
    """As session_mt, with an UPDATE of the network, which refreshes, before the BYE: steps 4, 5."""
    update = in_dialog(
        "UPDATE",
        2,
        "netupd",
        "Supported: timer",
        "Session-Expires: 1800;refresher=uac",
        "Min-SE: 90",
        ALLOW,
        FAR_INVITE_CONTACT,
        mo=False,
        handset=False,
    )
    script = session_mt().insert(4, update)
    return script.insert(5, answer(update, "200 OK", "", (UE_INVITE_CONTACT, *TIMER_2XX)))


def interval_too_small() -> Script:
    """INVITE 422 ACK, INVITE with more 100 180 200 ACK, BYE 200: steps 0 to 9 (RFC 4028 7.3, 7.4)."""
    first = mo_invite()
    refused = answer(first, "422 Session Interval Too Small", "small1", ("Min-SE: 2000",))
    steps = [first, refused, hop_by_hop(first, "ACK", "small1")]
    session = session_mo().drop(5, 6)
    session.everywhere("z9hG4bKinv", "z9hG4bKsec").everywhere("CSeq: 1 ", "CSeq: 2 ")
    session.sub(0, "Session-Expires: 1800", "Session-Expires: 3600").sub(0, "Min-SE: 90", "Min-SE: 2000")
    session.sub(3, "Session-Expires: 1800", "Session-Expires: 3600")
    return Script(steps + session.steps)


SIP_FLOWS: dict[str, Callable[[], Script]] = {
    "pager_mo": pager_mo,
    "pager_mt": pager_mt,
    "pager_list": pager_list,
    "replied_mo": replied_mo,
    "anonymous_mo": anonymous_mo,
    "session_mo": session_mo,
    "session_mt": session_mt,
    "session_ended_by_network": session_ended_by_network,
    "cancelled_mo": lambda: cancelled(mo_invite()),
    "cancelled_mt": lambda: cancelled(mt_invite()),
    "refused_mo": refused_mo,
    "register": register,
    "options_mt": options_mt,
    "reliable_mo": reliable_mo,
    "refreshed_mt": refreshed_mt,
    "interval_too_small": interval_too_small,
}
