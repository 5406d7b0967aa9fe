"""Group chats, hand-written after RFC 5366, RFC 4575 and CPM: one made, one invited to, one that is used."""

from __future__ import annotations

from dataclasses import replace

from harness.evidence.timeline import Layer
from harness.verify.proof.flows.msrp import answered, closed, content, opened, request, send
from harness.verify.proof.messages import (
    ALLOW,
    FAR,
    FAR_SDP,
    ICSI,
    PANI,
    RECORD_ROUTE,
    TIMER_2XX,
    UE,
    UE_CONTACT,
    UE_INVITE_CONTACT,
    UE_SDP,
    answer,
    h,
    imdn_body,
    in_dialog,
    mo_invite,
    mt_invite,
    n,
    text_body,
)
from harness.verify.proof.script import Script, Step, crlf, measured

FACTORY = "sip:conference-factory@example.org"
FOCUS = "sip:group1@10.0.0.1:5060"
FOCUS_CONTACT = f'Contact: <{FOCUS}>;+g.3gpp.icsi-ref="{ICSI}session";isfocus'
THIRD = "sip:+491700000003@example.org;user=phone"
GROUP_MO, GROUP_MT = "Grp1aB2cD3eF4gH5iJ6k", "Grp7aB2cD3eF4gH5iJ6k"
WRAPPED = "text/plain message/imdn+xml application/im-iscomposing+xml"


def group(sdp: str) -> str:
    """The SDP of a chat with CPIM alone, and all else in it."""
    sdp = sdp.replace("message/cpim application/im-iscomposing+xml", "message/cpim")
    return sdp.replace("types:text/plain message/imdn+xml", f"types:{WRAPPED}")


GROUP_UE_SDP, GROUP_FOCUS_SDP = group(UE_SDP), group(FAR_SDP)
ENTRIES = (
    '<entry uri="sip:+491700000002@example.org;user=phone" cp:copyControl="to"/>'
    '<entry uri="tel:+491700000003" cp:copyControl="to"/>'
)
LISTS = (
    '<?xml version="1.0" encoding="UTF-8"?>\r\n<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"'
    f' xmlns:cp="urn:ietf:params:xml:ns:copycontrol"><list>{ENTRIES}</list></resource-lists>'
)


def with_list(sdp: str, disposition: str = "recipient-list") -> str:
    return crlf(
        "--b1",
        "Content-Type: application/sdp",
        "",
        sdp,
        "--b1",
        "Content-Type: application/resource-lists+xml",
        f"Content-Disposition: {disposition}",
        "",
        LISTS,
        "--b1--",
    )


def adhoc() -> Script:
    """The handset makes a group: INVITE 0, 200 2, SUBSCRIBE 4, NOTIFY 6 and 8, each with its answer."""
    invite = mo_invite("Require: recipient-list-invite", body=with_list(GROUP_UE_SDP))
    text = invite.text.replace(
        "Content-Type: application/sdp", "Content-Type: multipart/mixed;boundary=b1", 1
    )
    text = text.replace("INVITE sip:+491700000002@example.org;user=phone", f"INVITE {FACTORY}", 1)
    text = text.replace("To: <sip:+491700000002@example.org;user=phone>", f"To: <{FACTORY}>", 1)
    text = text.replace("ims.icsi.oma.cpm.session\r\n", "ims.icsi.oma.cpm.session.group\r\n", 1)
    invite = replace(invite, text=text)
    accepted = answer(
        invite,
        "200 OK",
        "faransw42",
        (
            RECORD_ROUTE,
            FOCUS_CONTACT,
            ALLOW,
            "Supported: timer,recipient-list-invite",
            *TIMER_2XX[1:],
            "Content-Type: application/sdp",
        ),
        GROUP_FOCUS_SDP,
    )
    ack = in_dialog("ACK", 1, "ack")
    ack = replace(
        ack,
        text=ack.text.replace("sip:+491700000002@10.0.0.1:5060", FOCUS, 1).replace(
            "<sip:+491700000002@example.org;user=phone>", f"<{FACTORY}>"
        ),
    )
    return Script([invite, answer(invite, "100 Trying", ""), accepted, ack, *subscription()])


def subscription() -> list[Step]:
    """SUBSCRIBE to the focus, and two NOTIFYs."""
    subscribe = h(
        [
            f"SUBSCRIBE {FOCUS} SIP/2.0",
            "Via: SIP/2.0/TCP 10.0.0.5:5060;branch=z9hG4bKcon6f3a91c2;rport",
            "Max-Forwards: 70",
            "Route: <sip:10.0.0.1:5060;lr>, <sip:orig@scscf.example.org;lr>",
            f"From: <{UE}>;tag=con81c2",
            f"To: <{FOCUS}>",
            "Call-ID: con9d8f7e6a5b4c3d2e@10.0.0.5",
            "CSeq: 1 SUBSCRIBE",
            "Event: conference",
            "Accept: application/conference-info+xml",
            "Expires: 600",
            f"Contact: <{UE_CONTACT}>",
            f"P-Preferred-Identity: <{UE}>",
            PANI,
        ]
    )
    first = notify(1, document(1, "full"))
    second = notify(2, document(2, "partial"))
    accepted = answer(subscribe, "200 OK", "foc1", ("Expires: 600", f"Contact: <{FOCUS}>"))
    return [
        subscribe,
        accepted,
        first,
        answer(first, "200 OK", ""),
        second,
        answer(second, "200 OK", ""),
    ]


def notify(number: int, body: str) -> Step:
    return n(
        [
            f"NOTIFY {UE_CONTACT} SIP/2.0",
            f"Via: SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bKcn{number}6f3a91c2;rport",
            "Max-Forwards: 70",
            f"From: <{FOCUS}>;tag=foc1",
            f"To: <{UE}>;tag=con81c2",
            "Call-ID: con9d8f7e6a5b4c3d2e@10.0.0.5",
            f"CSeq: {number} NOTIFY",
            "Event: conference",
            f"Contact: <{FOCUS}>",
            "Subscription-State: active;expires=600",
            "Content-Type: application/conference-info+xml",
        ],
        body,
    )


def document(version: int, state: str, more: str = "") -> str:
    """What the focus tells: RFC 4575 5, written by hand."""
    described = "<conference-description><subject>Lunch</subject></conference-description>"
    inside = f'<users state="{state}"><user entity="tel:+491700000003" state="full">' + (
        f'<endpoint entity="sip:x@10.9.9.9"><status>connected</status>{more}</endpoint></user></users>'
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        f'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="{FOCUS}" state="{state}"'
        f' version="{version}">{described if state == "full" else ""}{inside}</conference-info>'
    )


def users(version: int, *statuses: tuple[str, str], state: str = "full") -> str:
    """A document of the focus with these users and the status of each."""
    described = "<conference-description><subject>Lunch</subject></conference-description>"
    told = "".join(
        f'<user entity="{uri}" state="full"><endpoint entity="{uri}"><status>{status}</status>'
        "</endpoint></user>"
        for uri, status in statuses
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        f'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="{FOCUS}" state="{state}"'
        f' version="{version}">{described if state == "full" else ""}<users state="{state}">{told}</users>'
        "</conference-info>"
    )


def talk() -> Script:
    """The handset makes a group of three and writes; both members have it. One of them writes.

    INVITE 0, 200 2, SUBSCRIBE 4, NOTIFY 6 (all are in it), MSRP from 8: 9 the bodiless SEND, 11 the text of
    the handset, 13 and 15 delivered of the members, 17 a text of one, 19 delivered of the handset; each with
    its 200. Then BYE 21, and the end.
    """
    setup = adhoc()
    everybody = notify(1, users(1, (UE, "connected"), (FAR, "connected"), (THIRD, "connected")))
    messages = answered(
        send(True, "aX7kQ2mP9sLw", "Message-ID: 0pEn7kQ2mP9s", "Byte-Range: 1-0/0"),
        content(True, "bX8kR2mP9sLw", "Ue1kQ2mP9sLw", text_body(UE, FOCUS, GROUP_MO)),
        content(False, "cX9kS2mP9sLw", "Nw1kQ2mP9sLw", delivered(FAR, UE, "Not1aB2cD3eF4gH5iJ6k", GROUP_MO)),
        content(
            False, "dX1kT2mP9sLw", "Nw2kQ2mP9sLw", delivered(THIRD, UE, "Not2aB2cD3eF4gH5iJ6k", GROUP_MO)
        ),
        content(False, "eX2kU2mP9sLw", "Nw3kQ2mP9sLw", text_body(FAR, FOCUS, GROUP_MT)),
        content(True, "fX3kV2mP9sLw", "Ue2kQ2mP9sLw", delivered(UE, FAR, "Not3aB2cD3eF4gH5iJ6k", GROUP_MT)),
    )
    bye = in_dialog("BYE", 2, "bye", 'Reason: SIP;cause=200;text="Call completed"', "Supported: timer")
    bye = replace(
        bye,
        text=bye.text.replace("sip:+491700000002@10.0.0.1:5060", FOCUS, 1).replace(
            "<sip:+491700000002@example.org;user=phone>", f"<{FACTORY}>"
        ),
    )
    steps = [*setup.steps[:6], everybody, answer(everybody, "200 OK", ""), opened(), *messages]
    return Script([*steps, bye, answer(bye, "200 OK", ""), closed()])


def chatroom() -> Script:
    """The talk in a chat room with nicknames and private messages: NICKNAME 11, its 200 12 (RFC 7701)."""
    script = talk()
    for place in (0, 2):
        script.sub(place, "a=sendrecv", "a=sendrecv\r\na=chatroom:nickname private-messages")
    script.steps[11:11] = answered(
        request("NICKNAME", True, "nX9kS2mP9sLw", 'Use-Nickname: "Alice the great"')
    )
    return script


def rejoined() -> Script:
    """The handset makes a group, hangs up, and joins it again, with the Subject it had: INVITE 6."""
    script = Script(adhoc().line(0, "Subject: Lunch").steps[:4])
    bye = in_dialog("BYE", 2, "bye", "Supported: timer")
    text = bye.text.replace("sip:+491700000002@10.0.0.1:5060", FOCUS, 1)
    bye = replace(bye, text=text.replace("<sip:+491700000002@example.org;user=phone>", f"<{FACTORY}>"))
    again = []
    for step in script.steps:
        text = step.text.replace("z9hG4bK", "z9hG4bKre").replace("Call-ID: inv", "Call-ID: re")
        text = text.replace("ueinv81c2", "uere81c2").replace("faransw42", "farre42").replace(FACTORY, FOCUS)
        again.append(replace(step, text=text))
    script.steps += [bye, answer(bye, "200 OK", ""), *again]
    script.sub(6, "Content-Type: multipart/mixed;boundary=b1", "Content-Type: application/sdp")
    script.sub(6, "Require: recipient-list-invite\r\n", "")
    return script.body(6, GROUP_UE_SDP.replace("k3Jx8Qw2Zr7Lt5Yv9Bn1", "h8Fd2Sa6Pq0Wm4Ec9Xz5"))


def ended() -> Script:
    """The focus closes the group of the talk: NOTIFY 21 with its end, BYE 23."""
    script = talk().drop(21, 22)
    over = notify(2, conference_over(2))
    over = replace(over, text=over.text.replace("active;expires=600", "terminated;reason=noresource"))
    bye = in_dialog("BYE", 1, "fbye", 'Reason: SIP;cause=410;text="Gone"', "Supported: timer", handset=False)
    bye = replace(bye, text=bye.text.replace("<sip:+491700000002@example.org;user=phone>", f"<{FACTORY}>"))
    script.steps[21:21] = [over, answer(over, "200 OK", ""), bye, answer(bye, "200 OK", "")]
    return script


def conference_over(version: int) -> str:
    """What is told last of a conference (RFC 4575 4.4)."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        f'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="{FOCUS}" state="deleted"'
        f' version="{version}"/>'
    )


def left() -> Script:
    """The talk, which the user leaves for good at the screen."""
    script = talk()
    before = sum(step.after for step in script.steps[:21])
    return script.saw(before, Layer.ADB, "tap", element="leave_group", serial="h1")


def delivered(sender: str, recipient: str, own_id: str, message_id: str) -> str:
    """The delivery notification of a member."""
    return imdn_body(sender, recipient, own_id, message_id, "delivery", "delivered")


def invited() -> Script:
    """The handset is invited by a focus: INVITE 0, 200 1, ACK 2."""
    invite = mt_invite()
    head, _, _ = invite.text.partition("\r\n\r\n")
    head = head.replace("Content-Type: application/sdp", "Content-Type: multipart/mixed;boundary=b1")
    head = head.replace("Contact: <sip:+491700000002@10.0.0.1:5060>", f"Contact: <{FOCUS}>;isfocus")
    sdp = GROUP_FOCUS_SDP.replace("a=setup:passive", "a=setup:actpass")
    body = with_list(sdp, "recipient-list-history;handling=optional")
    invite = replace(invite, text=measured(f"{head}\r\n\r\n{body}"))
    accepted = answer(
        invite,
        "200 OK",
        "ueansw42",
        (RECORD_ROUTE, UE_INVITE_CONTACT, ALLOW, *TIMER_2XX, "Content-Type: application/sdp"),
        GROUP_UE_SDP,
    )
    return Script([invite, accepted, in_dialog("ACK", 1, "mtack", mo=False, handset=False)])


GROUP_FLOWS = {
    "adhoc": adhoc,
    "invited": invited,
    "talk": talk,
    "chatroom": chatroom,
    "rejoined": rejoined,
    "ended": ended,
    "left": left,
}
