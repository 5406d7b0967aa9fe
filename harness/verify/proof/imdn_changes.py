"""Ways to spoil notifications and what asks for them: in pager flows, and in the chat."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.verify.proof.messages import FAR
from harness.verify.proof.script import Script, Step

Change = Callable[[Script], Script]

MO_ID, MT_ID = "Msg1aB2cD3eF4gH5iJ6k", "Msg7aB2cD3eF4gH5iJ6k"
DELIVERED = "<delivery-notification><status><delivered/></status></delivery-notification>"
DISPLAYED = "<display-notification><status><displayed/></status></display-notification>"
REQUEST = "imdn.Disposition-Notification: positive-delivery, display"
DATETIME = "<datetime>2023-11-14T22:13:20Z</datetime>"


def spoiled(index: int, *changes: tuple[str, str], only: int = 0) -> Change:
    """Other text in the body of a MESSAGE. only: so many steps of the flow, the others left out."""

    def change(script: Script) -> Script:
        if only:
            script.steps = script.steps[:only]
        for old, new in changes:
            rewritten(script, index, old, new)
        return script

    return change


def rewritten(script: Script, index: int, old: str, new: str) -> Script:
    """Change text in the body of a MESSAGE and keep the inner Content-Length right."""
    script.sub(index, old, new)
    body = script.steps[index].text.partition("\r\n\r\n")[2]
    if "--b1" not in body and "Content-Length" in body:
        inner = body.rpartition("\r\n\r\n")[2]
        body = re.sub(r"Content-Length: \d+", f"Content-Length: {len(inner.encode())}", body)
    return script.body(index, body)


def again(index: int, own_id: str, *changes: tuple[str, str], only: int = 0) -> Change:
    """A MESSAGE and its answer once more at the end, with another imdn.Message-ID."""

    def change(script: Script) -> Script:
        if only:
            script.steps = script.steps[:only]
        at = len(script.steps)
        for source, place in ((index, at), (index + 1, at + 1)):
            text = script.steps[source].text
            for mark in ("z9hG4bKmo", "z9hG4bKmt", "\r\nCall-ID: call", "\r\nCall-ID: mt", ";tag=f"):
                text = text.replace(mark, f"{mark}zz")
            text = re.sub(r"(Contribution-ID: \S{35})\S", r"\g<1>9", text, count=1)
            script.copy(source, place, text=text)
        own = re.search(r"imdn\.Message-ID: \S+", script.steps[at].text)
        assert own, f"no imdn.Message-ID in step {index}"
        script.sub(at, own[0], f"imdn.Message-ID: {own_id}")
        for old, new in changes:
            rewritten(script, at, old, new)
        return script

    return change


def aggregated(*documents: tuple[str, str], kind: str = "multipart/mixed", end: str = "--b1--") -> Change:
    """The first notification of the network in pager_mo as an aggregate of these (type, text)."""

    def change(script: Script) -> Script:
        script.drop(4, 5)
        head = script.steps[2].text.partition("\r\n\r\n")[2].partition("\r\n\r\n")[0]
        parts = "".join(f"--b1\r\nContent-Type: {each}\r\n\r\n{text}\r\n" for each, text in documents) + end
        mime = (
            f"Content-Type: {kind};boundary=b1\r\nContent-Disposition: notification\r\n"
            f"Content-Length: {len(parts)}"
        )
        return script.body(2, f"{head}\r\n\r\n{mime}\r\n\r\n{parts}")

    return change


def document(kind: str, status: str, message_id: str = MO_ID) -> tuple[str, str]:
    """A part of an aggregate."""
    return (
        "message/imdn+xml",
        f'<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>{message_id}</message-id>{DATETIME}'
        f"<{kind}-notification><status><{status}/></status></{kind}-notification></imdn>",
    )


def recorded(*routes: str) -> Change:
    """The text of pager_mt with IMDN-Record-Route; its IMDNs answer with these routes and go to the first."""

    def change(script: Script) -> Script:
        script.sub(0, REQUEST, f"{REQUEST}\r\nimdn.IMDN-Record-Route: <sip:a@example.org>")
        for index in (2, 4):
            lines = "".join(f"imdn.IMDN-Route: <{route}>\r\n" for route in routes)
            own = re.search(r"imdn\.Message-ID: \S+\r\n", script.steps[index].text)
            assert own, f"no imdn.Message-ID in step {index}"
            script.sub(index, own[0], own[0] + lines)
            script.sub(index, f"MESSAGE {FAR}", "MESSAGE sip:a@example.org")
        return script

    return change


def inserted(index: int, *steps: Step) -> Change:
    """These steps before that one."""

    def change(script: Script) -> Script:
        script.steps[index:index] = steps
        return script

    return change


def displayed_first(script: Script) -> Script:
    """The two notifications of a pager flow the other way round."""
    script.steps[2:6] = [*script.steps[4:6], *script.steps[2:4]]
    return script


def of_another_number(script: Script) -> Script:
    """The notifications of pager_mo come from a number the text did not go to."""
    script.everywhere(FAR, FAR.replace("0002", "0009"), 2, 3, 4, 5)
    return script.everywhere("tel:+491700000002", "tel:+491700000009", 2, 4)


def answered_late(script: Script) -> Script:
    """The handset reports before its 200 to the text."""
    script.steps[1], script.steps[2] = script.steps[2], script.steps[1]
    return script


def refused(script: Script) -> Script:
    """The handset refuses the text and reports it delivered."""
    return script.drop(4, 5).sub(1, "200 OK", "486 Busy Here")


def as_from_a_server(script: Script) -> Script:
    """The first notification of pager_mo says that a host made it."""
    return script.sub(2, f"\r\n\r\nFrom: <{FAR}>", "\r\n\r\nFrom: <sip:im.example.org>")
