"""What a ladder says of a message, read from its octets: start line, CSeq and the gist of the body."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from harness.evidence.start_line import protocol_of
from harness.evidence.timeline import Layer


class Kind(StrEnum):
    """How a message is drawn."""

    REQUEST = "request"
    PROVISIONAL = "provisional"
    SUCCESS = "success"
    FAILURE = "failure"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Label:
    """title: "MESSAGE" or "200 OK". hint: a few words more. start_line: in full, for who points at it."""

    kind: Kind
    title: str
    hint: str
    start_line: str


_BODY_HINTS = (
    (re.compile(rb"<(?:\w+:)?delivered\b"), "delivered"),
    (re.compile(rb"<(?:\w+:)?displayed\b"), "displayed"),
    (re.compile(rb"<(?:\w+:)?processed\b"), "processed"),
    (re.compile(rb"<(?:\w+:)?(?:forbidden|failed|error)\b"), "not delivered"),
    (re.compile(rb"<(?:\w+:)?isComposing\b"), "is composing"),
    (re.compile(rb"<(?:\w+:)?reginfo\b"), "registration state"),
    (re.compile(rb"<(?:\w+:)?conference-info\b"), "conference state"),
    (re.compile(rb"^content-type[ \t]*:[ \t]*text/plain", re.IGNORECASE | re.MULTILINE), "text"),
    (re.compile(rb"^m=message ", re.MULTILINE), "SDP"),
)
_CREDENTIALS = re.compile(
    rb"^(?:proxy-)?authorization[ \t]*:.*\bresponse[ \t]*=[ \t]*\"[^\"]", re.IGNORECASE | re.MULTILINE
)
_EXPIRES_ZERO = re.compile(
    rb"^expires[ \t]*:[ \t]*0+[ \t]*\r?$|;[ \t]*expires=0+\b", re.IGNORECASE | re.MULTILINE
)
_STUN_COOKIE = b"\x21\x12\xa4\x42"  # RFC 5389 6
_STATUS_KINDS = {"1": Kind.PROVISIONAL, "2": Kind.SUCCESS}


def label_of(octets: bytes) -> Label:
    """The label of one message, or of what is no message."""
    message = octets.lstrip(b"\r\n")
    if not message:
        return Label(Kind.OTHER, "keep-alive", "", f"{len(octets)} octets of empty lines")
    if octets[:1] < b"\x02" and octets[4:8] == _STUN_COOKIE:
        return Label(Kind.OTHER, "STUN", f"{len(octets)} octets", "STUN (RFC 5389)")
    start_line = message.split(b"\n", 1)[0].rstrip(b"\r").decode("utf-8", "replace")
    protocol = protocol_of(message)
    if protocol is Layer.SIP:
        return _sip(message, start_line)
    if protocol is Layer.MSRP:
        return _msrp(message, start_line)
    return Label(Kind.OTHER, "not a message", f"{len(octets)} octets", start_line[:200])


def _sip(message: bytes, start_line: str) -> Label:
    number, _, method = _header(message, "CSeq").partition(" ")
    first, _, rest = start_line.partition(" ")
    if first.upper().startswith("SIP/"):
        hint = f"{method.strip()}, CSeq {number}" if method else ""
        return Label(_STATUS_KINDS.get(rest[:1], Kind.FAILURE), rest.strip(), hint, start_line)
    hints = [_body_hint(message)]
    if first == "REGISTER":
        hints += ["expires 0"] if _EXPIRES_ZERO.search(message) else []
    hints += ["with credentials"] if _CREDENTIALS.search(message) else []
    hints += [f"CSeq {number}"] if number else []
    return Label(Kind.REQUEST, first, ", ".join(filter(None, hints)), start_line)


def _msrp(message: bytes, start_line: str) -> Label:
    word, _, comment = start_line.split(" ", 2)[2].strip().partition(" ")
    if word.isdigit():
        return Label(
            _STATUS_KINDS.get(word[:1], Kind.FAILURE), f"{word} {comment}".strip(), "MSRP", start_line
        )
    ranges = _header(message, "Byte-Range")
    hints = ["MSRP", _header(message, "Status") if word == "REPORT" else _body_hint(message), ranges]
    return Label(Kind.REQUEST, word, ", ".join(filter(None, hints)), start_line)


def _body_hint(message: bytes) -> str:
    return next((hint for pattern, hint in _BODY_HINTS if pattern.search(message)), "")


def _header(message: bytes, name: str) -> str:
    pattern = rb"^" + name.encode() + rb"[ \t]*:[ \t]*([^\r\n]*)"
    match = re.search(pattern, message.partition(b"\r\n\r\n")[0], re.IGNORECASE | re.MULTILINE)
    return match[1].decode("utf-8", "replace").strip() if match else ""
