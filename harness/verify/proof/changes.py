"""Ways to spoil a flow: a message of any, or what is said over MSRP in the flow `chat`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.verify.proof.flows.msrp import FAR_PATH, UE_PATH, answered, content, ok, send
from harness.verify.proof.script import Script, Step

# The steps of chat(): the opening SEND of the handset, its text, a text of the far end.
OPEN, TEXT, FAR_TEXT = 6, 8, 14
Change = Callable[[Script], Script]


def sub(index: int, old: str, new: str) -> Change:
    """Text of a message, whatever its body."""

    def change(script: Script) -> Script:
        text = script.steps[index].text
        assert old in text, f"{old!r} not in {text}"
        return script.change(index, text=text.replace(old, new, 1))

    return change


def edit(index: int, old: str, new: str) -> Change:
    """Text of a SIP message; Content-Length follows."""
    return lambda script: script.sub(index, old, new)


def edits(*changes: tuple[int, str, str]) -> Change:
    """The same in several places."""
    return both(*(edit(*each) for each in changes))


def path(index: int, old: str, new: str) -> Change:
    """Other text in the paths of a request and its response."""
    return lambda script: script.everywhere(old, new, index, index + 1)


def tid(index: int, new: str) -> Change:
    """Another transaction id for a request and its response."""

    def change(script: Script) -> Script:
        old = script.steps[index].text.split(" ", 2)[1]
        return script.everywhere(old, new, index, index + 1)

    return change


def instead(*steps: Step) -> Change:
    """These in place of what is said in the chat after its opening."""

    def change(script: Script) -> Script:
        script.steps[8:20] = steps
        return script

    return change


def at(index: int, *steps: Step) -> Change:
    def change(script: Script) -> Script:
        script.steps[index:index] = steps
        return script

    return change


def both(*changes: Change) -> Change:
    def change(script: Script) -> Script:
        for each in changes:
            script = each(script)
        return script

    return change


def silent(seconds: float = 31.0) -> Change:
    return lambda script: script.wait(seconds)


def chunk(
    number: int, start: int, size: int, total: str, flag: str, *headers: str, end: str = "", **how: Any
) -> Step:
    """A chunk of a text message of the handset."""
    last = end or str(start + size - 1)
    lines = [
        f"Message-ID: {how.pop('message_id', 'BigkQ2mP9sLw')}",
        f"Byte-Range: {start}-{last}/{total}",
        *headers,
    ]
    body = how.pop("body", "x" * size)
    return send(
        how.pop("handset", True),
        f"hA{number}kQ2mP9sL1",
        *lines,
        "Content-Type: message/cpim",
        body=body,
        flag=flag,
        **how,
    )


def text_of(size: int) -> str:
    """A CPIM object of so many octets."""
    head = (
        "From: <sip:anonymous@anonymous.invalid>\r\nTo: <sip:anonymous@anonymous.invalid>\r\n\r\n"
        "Content-Type: text/plain\r\nContent-Length: 000000\r\n\r\n"
    )
    length = size - len(head)
    return head.replace("000000", f"{length:06d}") + "x" * length


def chunked(*sizes: int) -> list[Step]:
    """A message of the handset in chunks of these sizes, each with its 200."""
    whole, steps, start = text_of(sum(sizes)), [], 1
    for number, size in enumerate(sizes):
        last = start + size - 1
        flag = "$" if last == len(whole) else "+"
        steps.append(chunk(number, start, size, str(len(whole)), flag, body=whole[start - 1 : last]))
        start = last + 1
    return answered(*steps)


def uninterrupted(seconds: float) -> list[Step]:
    """A long chunk of the handset, which goes on for so long after a message of the far end has come."""
    long = chunk(1, 1, 300_000, "300000", "$", end="*", body=text_of(300_000))
    asked = content(False, "nX1kS2mP9sLw", "Nw9kQ2mP9sLw", text_of(200))
    begun, rest = Step(True, long.text[:1000], msrp=1), Step(True, long.text[1000:], seconds, msrp=1)
    return [begun, asked, rest, ok(long), ok(asked)]


REPORT = (
    f"MSRP rX4kW2mP9sLw REPORT\r\nTo-Path: {UE_PATH}\r\nFrom-Path: {FAR_PATH}\r\nMessage-ID: Ue1kQ2mP9sLw\r\n"
    "Byte-Range: 1-319/319\r\nStatus: 000 200 OK\r\n-------rX4kW2mP9sLw$\r\n"
)
report = Step(False, REPORT, msrp=1)
asking = sub(TEXT, "Content-Type", "Success-Report: yes\r\nContent-Type")
