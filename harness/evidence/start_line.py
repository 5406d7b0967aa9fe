"""SIP and MSRP told by their start lines (RFC 3261 7.1, 7.2; RFC 4975 9), for captures and ladders.

Just enough to recognise and to cut a stream into messages; sip/ and msrp/ are the parsers.
"""

from __future__ import annotations

import re

from harness.evidence.timeline import Layer

_REQUEST = rb"[A-Za-z][\w.!%*+`'~-]{0,63} [^\r\n]{1,4000} SIP/\d{1,3}\.\d{1,3}[ \t]*"
_STATUS = rb"SIP/\d{1,3}\.\d{1,3} \d{3}(?: [^\r\n]*)?"
_SIP = rb"(?:" + _REQUEST + rb"|" + _STATUS + rb")\r?\n"
_MSRP = rb"MSRP [A-Za-z0-9][\w.+%=-]{1,31} (?:[A-Z]{1,32}|\d{3}(?: [^\r\n]*)?)[ \t]*\r?\n"
_AT_START = {
    Layer.SIP: re.compile(rb"[\r\n]*" + _SIP, re.IGNORECASE),
    Layer.MSRP: re.compile(rb"[\r\n]*" + _MSRP),
}
_METHODS = rb"ACK|BYE|CANCEL|INFO|INVITE|MESSAGE|NOTIFY|OPTIONS|PRACK|PUBLISH|REFER|REGISTER|SUBSCRIBE|UPDATE"
# A SIP body need not end with a line, so the next message may begin inside one. MSRP ends with a line.
_ANYWHERE = {
    Layer.SIP: re.compile(rb"(?:" + _METHODS + rb") [^\r\n ]{1,4000} SIP/2\.0\r?\n|" + _STATUS + rb"\r?\n"),
    Layer.MSRP: re.compile(rb"^" + _MSRP, re.MULTILINE),
}
_CONTENT_LENGTH = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*(\d{1,9})", re.IGNORECASE | re.MULTILINE)
_LINE_BEGUN = re.compile(rb"[A-Za-z][^\r\n]{0,4200}\r?")
_EMPTY_LINES = re.compile(rb"[\r\n]+")
_HEADER_END = re.compile(rb"\r?\n\r?\n")


def protocol_of(octets: bytes | bytearray) -> Layer | None:
    """The protocol whose start line the octets begin with, after empty lines."""
    return next((layer for layer, pattern in _AT_START.items() if pattern.match(octets)), None)


def find_start(protocol: Layer, octets: bytes, at: int = 0) -> int:
    """Place of the first start line of a registered method or a status; -1 when there is none."""
    match = _ANYWHERE[protocol].search(octets, at)
    return match.start() if match else -1


def _message_end(protocol: Layer, octets: bytearray, looked: int) -> int | None:
    """Where the message at the start of the octets ends; None when its end is not among them.

    looked: octets searched before, where an MSRP end-line was not.
    """
    if protocol is Layer.MSRP:
        marker = b"-------" + bytes(octets[:100]).split(b" ", 2)[1]
        at = octets.find(marker, max(0, looked - len(marker) - 3))
        end = octets.find(b"\n", at) if at >= 0 else -1
        return end + 1 if end >= 0 else None
    header = _HEADER_END.search(octets)
    if header is None:
        return None
    length = _CONTENT_LENGTH.search(octets, 0, header.start())
    end = header.end() + (int(length[1]) if length else 0)
    return end if end <= len(octets) else None


class MessageCutter:
    """Cuts one direction of a stream where messages end. What makes no sense to it is not held back."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._looked = 0

    def receive(self, octets: bytes) -> list[bytes]:
        """Whole messages, empty lines between them, and what is neither. Nothing is lost or changed."""
        self._held += octets
        done: list[bytes] = []
        while self._held and (end := self._next_end()):
            done.append(bytes(self._held[:end]))
            del self._held[:end]
            self._looked = 0
        self._looked = len(self._held)
        return done

    def _next_end(self) -> int | None:
        if lines := _EMPTY_LINES.match(self._held):
            return lines.end()
        protocol = protocol_of(self._held)
        if protocol:
            return _message_end(protocol, self._held, self._looked)
        return None if _LINE_BEGUN.fullmatch(self._held) else len(self._held)

    def rest(self) -> bytes:
        """What was held back, at the end of the stream."""
        held = bytes(self._held)
        self._held.clear()
        self._looked = 0
        return held
