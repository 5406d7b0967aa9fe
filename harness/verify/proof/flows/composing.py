"""Signs of typing (RFC 3994 6.2): bare between two, in CPIM where a group takes that alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.evidence.timeline import Layer
from harness.verify.proof.flows.group import FOCUS, adhoc
from harness.verify.proof.flows.msrp import answered, chat, content, opened, send
from harness.verify.proof.messages import ANONYMOUS, FAR, UE, answer, mt_message
from harness.verify.proof.script import Script, Step, crlf

COMPOSING = "application/im-iscomposing+xml"
XML = '<?xml version="1.0" encoding="UTF-8"?>\r\n'
ACTIVE = (
    f'{XML}<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="urn:ietf:params:xml:ns:im-composing iscomposing.xsd">'
    "<state>active</state><contenttype>text/plain</contenttype><refresh>90</refresh></isComposing>"
)
IDLE = (
    f'{XML}<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state> idle </state>'
    "<lastactive>2003-01-27T10:43:00Z</lastactive><contenttype>audio</contenttype></isComposing>"
)


def bare(handset: bool, number: int, document: str, after: float = 0.1) -> list[Step]:
    """A document as it is, and its 200."""
    kind = "hX" if handset else "nX"
    asked = content(handset, f"{kind}{number}kX2mP9sLw", f"Ty{kind}{number}mP9sLw", document, COMPOSING)
    return answered(replace(asked, after=after))


def wrapped(
    handset: bool, number: int, document: str, party: str = ANONYMOUS, to: str = ANONYMOUS
) -> list[Step]:
    """A document in CPIM, and its 200."""
    head = crlf(f"From: <{party}>", f"To: <{to}>", "DateTime: 2023-11-14T22:13:21Z")
    mime = crlf(f"Content-Type: {COMPOSING}", f"Content-Length: {len(document)}")
    kind = "hW" if handset else "nW"
    body = f"{head}\r\n{mime}\r\n{document}"
    return answered(content(handset, f"{kind}{number}kX2mP9sLw", f"Ty{kind}{number}mP9sLw", body))


def chat_typing() -> Script:
    """A chat in which both type: active of the handset 20, idle 22 after 15 s; of the far end 24 and 26."""
    script = chat()
    signs = [
        *bare(True, 1, ACTIVE),
        *bare(True, 2, IDLE, 15.0),
        *bare(False, 1, ACTIVE),
        *bare(False, 2, IDLE),
    ]
    script.steps[20:20] = signs
    return script


def group_typing() -> Script:
    """A group chat in which the handset types: its bodiless SEND 5, active 7, each with its 200."""
    script = adhoc()
    first = answered(send(True, "aX7kQ2mP9sLw", "Message-ID: 0pEn7kQ2mP9s", "Byte-Range: 1-0/0"))
    script.steps[4:4] = [opened(), *first, *wrapped(True, 1, ACTIVE, UE, FOCUS)]
    return script


def typing_seen() -> Script:
    """As chat_typing, and the screen of the handset shows that the far party types (at 17.5 s)."""
    script = chat_typing()
    script.saw(0.3, Layer.ADB, "open", serial="s1", conversation="+491700000002")
    return script.saw(17.55, Layer.ADB, "screen", **seen("They are typing"))


def seen(composing: str) -> dict[str, object]:
    """What a screen of the chat holds."""
    bubbles = [
        {"text": "hello, world", "outgoing": True, "status": "read"},
        {"text": "hello, world", "outgoing": False, "status": ""},
    ]
    return {
        "serial": "s1",
        "conversation": "+491700000002",
        "messages": bubbles,
        "composing": composing,
    }


def typing_by_message() -> Script:
    """A sign of typing by MESSAGE, as RFC 3994 4 allows, to a handset that refuses it: 415, and no more."""
    head = crlf(f"From: <{FAR}>", f"To: <{UE}>", "DateTime: 2023-11-14T22:13:20Z")
    mime = crlf(f"Content-Type: {COMPOSING}", f"Content-Length: {len(ACTIVE)}")
    sent = mt_message("t", "0b0f8f6e-1111-4aaa-8bbb-000000000014", f"{head}\r\n{mime}\r\n{ACTIVE}")
    refused = answer(sent, "415 Unsupported Media Type", "uet1", ("Accept: text/plain",))
    return Script([sent, refused])


TYPING_FLOWS: dict[str, Callable[[], Script]] = {
    "typing_seen": typing_seen,
    "typing_by_message": typing_by_message,
    "chat_typing": chat_typing,
    "group_typing": group_typing,
}
