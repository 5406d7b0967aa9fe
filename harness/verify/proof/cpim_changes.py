"""Ways to spoil a CPIM object, in a MESSAGE or in a chat, with the lengths round it kept right."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.verify.proof.script import Script

Change = Callable[[Script], Script]


def in_text(*changes: tuple[str, str], index: int = 0) -> Change:
    """A text of a pager flow alone with its answer, and other octets in it."""

    def change(script: Script) -> Script:
        script.steps = script.steps[index : index + 2]
        for old, new in changes:
            script.sub(0, old, new)
        return script

    return change


def in_pager(index: int, *changes: tuple[str, str]) -> Change:
    """Other octets in a message of a pager flow, the rest of it kept."""

    def change(script: Script) -> Script:
        for old, new in changes:
            script.sub(index, old, new)
        return script

    return change


def in_chat(index: int, *changes: tuple[str, str]) -> Change:
    """Other octets in the body of a SEND that is one chunk."""

    def change(script: Script) -> Script:
        for old, new in changes:
            in_send(script, index, old, new)
        return script

    return change


def in_send(script: Script, index: int, old: str, new: str) -> Script:
    """Replace text in the body of a SEND that is one chunk; its Byte-Range follows."""
    head, _, rest = script.steps[index].text.partition("\r\n\r\n")
    body, _, end = rest.rpartition("\r\n-------")
    if old not in body:
        raise ValueError(f"{old!r} is not in the body of step {index}:\n{body}")
    body = body.replace(old, new, 1)
    size = len(body.encode("utf-8", "surrogateescape"))
    head = re.sub(r"Byte-Range: \S+", f"Byte-Range: 1-{size}/{size}", head)
    return script.change(index, text=f"{head}\r\n\r\n{body}\r\n-------{end}")
