"""Messages written in other ways that the documents allow: names, subjects, encodings, several chunks."""

from __future__ import annotations

import base64
from collections.abc import Callable

from harness.verify.proof.flows.msrp import answered, chat, send
from harness.verify.proof.flows.sip import pager_mo, pager_mt
from harness.verify.proof.imdn_changes import DATETIME, MT_ID, aggregated, document, recorded, rewritten
from harness.verify.proof.messages import ANONYMOUS, FAR, UE, answer, imdn_body, mo_message
from harness.verify.proof.script import Script, Step, crlf

TEXT = "hello, world"
WRAPPER = crlf(f"From: <{ANONYMOUS}>", f"To: <{ANONYMOUS}>", "DateTime: 2023-11-14T22:13:20Z")


def pager_named() -> Script:
    """As pager_mo, but its text has names, a subject, a courtesy copy, a required header and base64."""
    script = pager_mo()
    encoded = base64.b64encode(TEXT.encode()).decode()
    mime = f"Content-Transfer-Encoding: base64\r\nContent-Length: {len(encoded)}"
    script.sub(0, f"\r\n\r\nFrom: <{UE}>\r\n", f'\r\n\r\nFrom: "A \\"B\\" C" <{UE}>\r\n')
    script.sub(0, f"\r\nTo: <{FAR}>\r\nDate", f"\r\nTo: D. E <{FAR}>\r\ncc: <tel:+491700000003>\r\nDate")
    script.sub(0, "NS: imdn", "Subject:;lang=fr beau temps\r\nNS: imdn")
    script.sub(0, "imdn.Message-ID: ", "Require: imdn.Message-ID\r\nimdn.Message-ID: ")
    return script.sub(0, f"Content-Length: {len(TEXT)}\r\n\r\n{TEXT}", f"{mime}\r\n\r\n{encoded}")


def chat_in_chunks() -> Script:
    """A chat in which the handset sends one text in two chunks: steps 8 and 10."""
    content = "x" * 2500
    whole = f"{WRAPPER}\r\n{crlf('Content-Type: text/plain', f'Content-Length: {len(content)}')}\r\n{content}"
    script = chat()
    script.steps[8:20] = in_chunks(whole[:2048], whole[2048:])
    return script


def pager_aggregated() -> Script:
    """As pager_mo, but one MESSAGE brings both notifications: steps 2 and 3."""
    return aggregated(document("delivery", "delivered"), document("display", "displayed"))(pager_mo())


def pager_recorded() -> Script:
    """As pager_mt, but its text came by a list server that stays on the way of the notifications."""
    script = recorded("sip:a@example.org")(pager_mt())
    script.sub(0, "imdn.Message-ID", f"imdn.Original-To: <{UE}>\r\nimdn.Message-ID")
    uris = f"<recipient-uri>{UE}</recipient-uri><original-recipient-uri>{UE}</original-recipient-uri>"
    for index in (2, 4):
        rewritten(script, index, DATETIME, DATETIME + uris)
    return script


def chat_reported_later() -> Script:
    """A chat that ends before the handset has reported; its notifications follow by MESSAGE."""
    script = chat().drop(*range(16, 20))
    for mark, own, kind, status in (
        ("a", "Not5aB2cD3eF4gH5iJ6k", "delivery", "delivered"),
        ("b", "Not6aB2cD3eF4gH5iJ6k", "display", "displayed"),
    ):
        body = imdn_body(UE, ANONYMOUS, own, MT_ID, kind, status)
        sent = mo_message(mark, f"0b0f8f6e-1111-4aaa-8bbb-00000000001{mark}", body)
        script.steps += [sent, answer(sent, "200 OK", f"net{mark}1")]
    return script


def in_chunks(*pieces: str) -> list[Step]:
    """One message of the handset in these pieces, each with its 200."""
    total, start, steps = sum(map(len, pieces)), 1, []
    for number, piece in enumerate(pieces):
        last = start + len(piece) - 1
        lines = [
            "Message-ID: BigkQ2mP9sLw",
            f"Byte-Range: {start}-{last}/{total}",
            "Content-Type: message/cpim",
        ]
        flag = "$" if last == total else "+"
        steps.append(send(True, f"hA{number}kQ2mP9sL1", *lines, body=piece, flag=flag))
        start = last + 1
    return answered(*steps)


WRITTEN_FLOWS: dict[str, Callable[[], Script]] = {
    "pager_aggregated": pager_aggregated,
    "pager_recorded": pager_recorded,
    "chat_reported_later": chat_reported_later,
    "pager_named": pager_named,
    "chat_in_chunks": chat_in_chunks,
}
