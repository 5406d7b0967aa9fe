"""Messages written in other ways that the documents allow: names, subjects, encodings, several chunks."""

from __future__ import annotations

import base64
from collections.abc import Callable

from harness.verify.proof.flows.msrp import answered, chat, send
from harness.verify.proof.flows.sip import pager_mo
from harness.verify.proof.messages import ANONYMOUS, FAR, UE
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
    "pager_named": pager_named,
    "chat_in_chunks": chat_in_chunks,
}
