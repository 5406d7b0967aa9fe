"""Flows as they go over the wire when both sides do it right, to be spoiled by a test.

Hand-written after the documents: a handset at 10.0.0.5, its network at 10.0.0.1, SIP over one TCP connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.verify.engine import Verifier

HANDSET = Address("10.0.0.5", 5060)
NETWORK = Address("10.0.0.1", 5060)
UE = "sip:+491700000001@example.org;user=phone"
FAR = "sip:+491700000002@example.org;user=phone"
UE_CONTACT = "sip:+491700000001@10.0.0.5:5060"
FAR_CONTACT = "sip:+491700000002@10.0.0.1:5060"
CONVERSATION = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
PANI = "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000001"
AGENT = "User-Agent: IM-client/OMA1.0 Acme/One-1.0 rcslab/1.0"
ALLOW = "Allow: INVITE,ACK,CANCEL,BYE,OPTIONS,UPDATE,INFO,REFER,NOTIFY,MESSAGE,PRACK"
ICSI = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm."
ROUTE = "Route: <sip:10.0.0.1:5060;lr>, <sip:orig@scscf.example.org;lr>"


@dataclass(frozen=True)
class Step:
    """One message. handset: who sends it. after: seconds since the step before. msrp: the number of the MSRP
    connection it goes over, 0 for SIP. event: no message but the end of that connection, with this text.
    """

    handset: bool
    text: str
    after: float = 0.1
    transport: Transport = Transport.TCP
    msrp: int = 0
    event: str = ""
    missing: int = 0


@dataclass
class Script:
    """Messages in order; tests change them by index."""

    steps: list[Step] = field(default_factory=list)
    start: bool = True

    def sub(self, index: int, old: str, new: str) -> Script:
        """Replace text of a message once; Content-Length follows a changed body."""
        text = self.steps[index].text
        assert old in text, f"{old!r} not in step {index}:\n{text}"
        changed = text.replace(old, new, 1)
        if changed.partition("\r\n\r\n")[2] != text.partition("\r\n\r\n")[2]:
            changed = measured(changed)
        self.steps[index] = replace(self.steps[index], text=changed)
        return self

    def everywhere(self, old: str, new: str, *indexes: int) -> Script:
        for index in indexes or range(len(self.steps)):
            self.steps[index] = replace(self.steps[index], text=self.steps[index].text.replace(old, new))
        return self

    def line(self, index: int, *lines: str) -> Script:
        """Add header lines below the start line."""
        first, _, rest = self.steps[index].text.partition("\r\n")
        self.steps[index] = replace(self.steps[index], text="\r\n".join((first, *lines, rest)))
        return self

    def without(self, index: int, name: str) -> Script:
        """Drop a header."""
        text, count = re.subn(rf"\r\n{re.escape(name)}:[^\r]*", "", self.steps[index].text, count=1)
        assert count, f"no {name} in step {index}"
        self.steps[index] = replace(self.steps[index], text=text)
        return self

    def body(self, index: int, body: str) -> Script:
        head = self.steps[index].text.partition("\r\n\r\n")[0]
        self.steps[index] = replace(self.steps[index], text=measured(f"{head}\r\n\r\n{body}"))
        return self

    def drop(self, *indexes: int) -> Script:
        self.steps = [step for index, step in enumerate(self.steps) if index not in indexes]
        return self

    def insert(self, index: int, step: Step) -> Script:
        self.steps.insert(index, step)
        return self

    def copy(self, source: int, index: int, **changes: object) -> Script:
        """Insert a copy of a message."""
        self.steps.insert(index, replace(self.steps[source], **changes))  # type: ignore[arg-type]
        return self

    def change(self, index: int, **changes: object) -> Script:
        self.steps[index] = replace(self.steps[index], **changes)  # type: ignore[arg-type]
        return self

    def wait(self, seconds: float) -> Script:
        """Let time pass at the end: a keep-alive long after."""
        self.steps.append(Step(True, "\r\n\r\n", seconds))
        return self

    def timeline(self, *, loopback: bool = False, start: bool | None = None) -> Timeline:
        now = 1_700_000_000.0
        trace = Timeline(clock=lambda: now)
        if self.start if start is None else start:
            trace.event(Layer.LAB, "test-start", name="flow", at=now)
        for step in self.steps:
            now += step.after
            if step.msrp:
                self._msrp(trace, step, now)
                continue
            own, far = HANDSET, NETWORK
            if step.transport is Transport.TCP:
                own = Address(own.host, 40000)
            if loopback:
                own, far = Address("127.0.0.1", own.port + 1), Address("127.0.0.1", far.port)
            source, destination = (own, far) if step.handset else (far, own)
            trace.packet(
                Layer.SIP,
                step.transport,
                source,
                destination,
                step.text.encode("utf-8", "surrogateescape"),
                connection=1 if step.transport is Transport.TCP else None,
                at=now,
            )
        return trace

    def _msrp(self, trace: Timeline, step: Step, now: float) -> None:
        own, far = Address("10.0.0.5", 50000 + step.msrp), Address("10.0.0.1", 20000)
        if step.event:
            ends = {"local": str(far), "remote": str(own), "connection": step.msrp}
            side = "opened_by" if step.event.startswith(("accepted", "opened")) else "closed_by"
            ends[side] = str(own if step.handset else far)
            trace.event(Layer.MSRP, "connection", step.event, at=now, **ends)
            return
        source, destination = (own, far) if step.handset else (far, own)
        trace.packet(
            Layer.MSRP,
            step.transport,
            source,
            destination,
            step.text.encode("utf-8", "surrogateescape"),
            connection=step.msrp,
            missing=step.missing,
            at=now,
        )


def measured(text: str) -> str:
    """The message with the Content-Length of its body."""
    head, _, body = text.partition("\r\n\r\n")
    return re.sub(r"Content-Length: \d+", f"Content-Length: {len(body.encode())}", head) + "\r\n\r\n" + body


def crlf(*lines: str) -> str:
    return "".join(f"{line}\r\n" for line in lines)


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


FLOWS: dict[str, Callable[[], Script]] = {
    "pager_mo": pager_mo,
    "pager_mt": pager_mt,
    "session_mo": session_mo,
    "session_mt": session_mt,
    "session_ended_by_network": session_ended_by_network,
    "cancelled_mo": lambda: cancelled(mo_invite()),
    "cancelled_mt": lambda: cancelled(mt_invite()),
    "refused_mo": refused_mo,
    "register": register,
    "options_mt": options_mt,
    "reliable_mo": reliable_mo,
}


@pytest.fixture(params=sorted(FLOWS))
def conformant(request: pytest.FixtureRequest) -> Script:
    """Every flow in turn."""
    return FLOWS[request.param]()


@pytest.fixture
def flow() -> Callable[[str], Script]:
    """A flow by name, fresh, to be changed."""
    return lambda name: FLOWS[name]()


@pytest.fixture
def judged() -> Callable[..., list[tuple[str, str]]]:
    """(rule, party) of the findings on a script, in order and without repeats."""

    def judge(script: Script, profile: str = "rcs51", **options: bool) -> list[tuple[str, str]]:
        verifier = Verifier(profile)
        found = verifier.judge(script.timeline(**options))
        return list(dict.fromkeys((finding.rule, finding.party.value) for finding in found))

    return judge
