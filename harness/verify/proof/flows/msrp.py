"""MSRP as it goes over the wire, hand-written after RFC 4975: a chat session of the handset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from harness.verify.proof.flows.sip import session_mo
from harness.verify.proof.messages import ANONYMOUS, answer, imdn_body, in_dialog, text_body
from harness.verify.proof.script import Script, Step

UE_PATH = "msrp://10.0.0.5:9/k3Jx8Qw2Zr7Lt5Yv9Bn1;tcp"
FAR_PATH = "msrp://10.0.0.1:20000/p4Mz6Hs8Dc2Vf0Gk7Ja3;tcp"


def send(
    handset: bool, tid: str, *headers: str, body: str | None = None, flag: str = "$", **how: Any
) -> Step:
    """A SEND of one side; headers stand between From-Path and the empty line."""
    return request("SEND", handset, tid, *headers, body=body, flag=flag, **how)


def request(
    method: str, handset: bool, tid: str, *headers: str, body: str | None = None, flag: str = "$", **how: Any
) -> Step:
    to, from_ = (FAR_PATH, UE_PATH) if handset else (UE_PATH, FAR_PATH)
    lines = [f"MSRP {tid} {method}", f"To-Path: {to}", f"From-Path: {from_}", *headers]
    content = [] if body is None else ["", body]
    return Step(handset, "\r\n".join([*lines, *content, f"-------{tid}{flag}", ""]), msrp=1, **how)


def content(
    handset: bool, tid: str, message_id: str, body: str, kind: str = "message/cpim", *headers: str
) -> Step:
    """A message in one chunk."""
    octets = len(body.encode())
    lines = [f"Message-ID: {message_id}", f"Byte-Range: 1-{octets}/{octets}", *headers]
    return send(handset, tid, *lines, f"Content-Type: {kind}", body=body)


def ok(asked: Step, status: str = "200 OK") -> Step:
    """The response to a request: one hop back (RFC 4975 7.2)."""
    lines = asked.text.split("\r\n")
    tid = lines[0].split(" ")[1]
    paths = {name: value.split(" ")[0] for name, _, value in (line.partition(": ") for line in lines[1:3])}
    text = (
        f"MSRP {tid} {status}\r\nTo-Path: {paths['From-Path']}\r\nFrom-Path: {paths['To-Path']}\r\n"
        f"-------{tid}$\r\n"
    )
    return replace(asked, handset=not asked.handset, text=text, after=0.1)


def answered(*asked: Step) -> list[Step]:
    return [step for request in asked for step in (request, ok(request))]


def opened(handset: bool = True) -> Step:
    return Step(handset, "", msrp=1, event="accepted from there" if handset else "opened to there")


def closed(handset: bool = True, text: str = "closed: by the other end") -> Step:
    return Step(handset, "", msrp=1, event=text)


def chat() -> Script:
    """A session of the handset: steps 0 to 4 set it up, 5 opens the connection.

    6 the bodiless SEND, 8 a text of the handset, 10 and 12 its delivered and displayed, 14 a text of the far
    end, 16 and 18 the handset's delivered and displayed; each with its 200. Then BYE, 200 and the end.
    """
    setup = session_mo()
    mo, mt = "Msg1aB2cD3eF4gH5iJ6k", "Msg7aB2cD3eF4gH5iJ6k"

    def text(message_id: str) -> str:
        return text_body(ANONYMOUS, ANONYMOUS, message_id)

    def imdn(own_id: str, message_id: str, kind: str, status: str) -> str:
        return imdn_body(ANONYMOUS, ANONYMOUS, own_id, message_id, kind, status)

    messages = answered(
        send(True, "aX7kQ2mP9sLw", "Message-ID: 0pEn7kQ2mP9s", "Byte-Range: 1-0/0"),
        content(True, "bX8kR2mP9sLw", "Ue1kQ2mP9sLw", text(mo)),
        content(
            False, "cX9kS2mP9sLw", "Nw1kQ2mP9sLw", imdn("Not1aB2cD3eF4gH5iJ6k", mo, "delivery", "delivered")
        ),
        content(
            False, "dX1kT2mP9sLw", "Nw2kQ2mP9sLw", imdn("Not2aB2cD3eF4gH5iJ6k", mo, "display", "displayed")
        ),
        content(False, "eX2kU2mP9sLw", "Nw3kQ2mP9sLw", text(mt)),
        content(
            True, "fX3kV2mP9sLw", "Ue2kQ2mP9sLw", imdn("Not3aB2cD3eF4gH5iJ6k", mt, "delivery", "delivered")
        ),
        content(
            True, "gX4kW2mP9sLw", "Ue3kQ2mP9sLw", imdn("Not4aB2cD3eF4gH5iJ6k", mt, "display", "displayed")
        ),
    )
    bye = in_dialog("BYE", 2, "bye", 'Reason: SIP;cause=200;text="Call completed"', "Supported: timer")
    return Script([*setup.steps[:5], opened(), *messages, bye, answer(bye, "200 OK", ""), closed()])


RELAY = "msrp://10.0.0.1:20000/jUi787sQ2wE4rT6yU8iO;tcp"
RELAYED_PATH = FAR_PATH.replace("10.0.0.1:20000", "10.0.0.9:30000")


def relayed_chat() -> Script:
    """The chat through a relay of the network: requests name the whole path, responses go back one hop.

    RFC 4976 5.1, 6.4.
    """
    script = chat()
    script.sub(3, f"a=path:{FAR_PATH}", f"a=path:{RELAY} {RELAYED_PATH}")
    script.sub(3, "message 20000", "message 30000").sub(3, "c=IN IP4 10.0.0.1", "c=IN IP4 10.0.0.9")
    for index in range(6, 20, 2):
        asked, reply = script.steps[index], script.steps[index + 1]
        name, back = ("To-Path", "From-Path") if asked.handset else ("From-Path", "To-Path")
        whole = asked.text.replace(f"{name}: {FAR_PATH}", f"{name}: {RELAY} {RELAYED_PATH}")
        script.change(index, text=whole)
        script.change(index + 1, text=reply.text.replace(f"{back}: {FAR_PATH}", f"{back}: {RELAY}"))
    return script


def reported_chat() -> Script:
    """The chat, the handset's text (8) with a success report (10)."""
    script = chat()
    text = script.steps[8].text.replace("Content-Type", "Success-Report: yes\r\nContent-Type", 1)
    octets = "1-319/319"
    lines = ["Message-ID: Ue1kQ2mP9sLw", f"Byte-Range: {octets}", "Status: 000 200 OK"]
    return (
        script.change(8, text=text)
        .insert(10, request("REPORT", False, "rX4kW2mP9sLw", *lines))
        .change(21, after=3.0)
    )


def _replaced(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        text = text.replace(old, new)
    return text


def resent_chat() -> Script:
    """The text of the handset (8) has no response when the connection ends (9): a new offer (10) and answer
    make the session anew, over another connection, and the text is sent again (15) under its ids.
    """
    script, refresh = chat(), session_mo().steps[5:7]
    ids = (("k3Jx8Qw2Zr7Lt5Yv9Bn1", "h8Fd2Sa6Pq0Wm4Ec9Xz5"), ("p4Mz6Hs8Dc2Vf0Gk7Ja3", "w2Rt9Yb4Nc7Lx1Vq6Ks8"))
    again = [
        replace(step, msrp=2, text=_replaced(step.text, *ids, ("0pEn7kQ2mP9s", "1pEn7kQ2mP9s")))
        for step in script.steps[6:20]
    ]
    for index, step in enumerate(again):
        tid = step.text.split(" ")[1]
        again[index] = replace(step, text=step.text.replace(tid, f"{tid[:-2]}Zq"))
    bye = [
        replace(step, text=step.text.replace("CSeq: 2 BYE", "CSeq: 3 BYE")) for step in script.steps[20:22]
    ]
    script.steps[9:] = [
        closed(),
        *refresh,
        replace(opened(), msrp=2),
        *again,
        *bye,
        replace(closed(), msrp=2),
    ]
    for index, source in ((10, 0), (11, 3)):
        description = script.steps[source].text.partition("\r\n\r\n")[2]
        script.line(index, "Content-Type: application/sdp")
        script.body(index, _replaced(description, *ids, ("o=- 1 1", "o=- 1 2")))
    return script


def kept_alive_chat() -> Script:
    """The chat with CRLF (20) and a SEND without a body (21) before its end."""
    script = chat()
    empty = send(True, "kX1kS2mP9sLw", "Message-ID: 2pEn7kQ2mP9s", "Byte-Range: 1-0/0")
    return script.insert(20, Step(True, "\r\n\r\n", msrp=1)).insert(21, empty).insert(22, ok(empty))


MSRP_FLOWS: dict[str, Callable[[], Script]] = {
    "chat": chat,
    "relayed_chat": relayed_chat,
    "reported_chat": reported_chat,
    "resent_chat": resent_chat,
    "kept_alive_chat": kept_alive_chat,
}
