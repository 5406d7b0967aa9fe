"""SIP and MSRP told by their start lines (RFC 3261 7.1, 7.2; RFC 4975 9), for captures and ladders.

Just enough to recognise and to cut a stream into messages; sip/ and msrp/ are the parsers.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from harness.evidence.timeline import Layer

_REQUEST = rb"[A-Za-z][\w.!%*+`'~-]{0,63} [^\r\n]{1,4000} SIP/\d{1,3}\.\d{1,3}[ \t]*"
_STATUS = rb"SIP/\d{1,3}\.\d{1,3} \d{3}(?: [^\r\n]{0,4000})?"
_SIP = rb"(?:" + _REQUEST + rb"|" + _STATUS + rb")\r?\n"
_MSRP = rb"MSRP [A-Za-z0-9][\w.+%=-]{1,31} (?:[A-Z]{1,32}|\d{3}(?: [^\r\n]{0,4000})?)[ \t]*\r?\n"
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
_SIGN = {Layer.SIP: b"SIP/", Layer.MSRP: b"MSRP "}
_CONTENT_LENGTH = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*(\d{1,9})", re.IGNORECASE | re.MULTILINE)
_LINE_BEGUN = re.compile(rb"[A-Za-z][^\r\n]{0,4200}\r?")
_LONGEST_END_LINE = 64
_EMPTY_LINES = re.compile(rb"[\r\n]+")
_HEADER_END = re.compile(rb"\r?\n\r?\n")


def protocol_of(octets: bytes | bytearray) -> Layer | None:
    """The protocol whose start line the octets begin with, after empty lines."""
    return next((layer for layer, pattern in _AT_START.items() if pattern.match(octets)), None)


def find_start(protocol: Layer, octets: bytes, at: int = 0) -> int:
    """Place of the first start line of a registered method or a status; -1 when there is none."""
    if octets.find(_SIGN[protocol], at) < 0:
        return -1
    match = _ANYWHERE[protocol].search(octets, at)
    return match.start() if match else -1


class Cut(NamedTuple):
    """What MessageCutter gives: a message, empty lines between messages, or what is neither.

    goes_on: the octets belong to the message of the cut before, which was too long to be held.
    """

    octets: bytes
    goes_on: bool = False


class MessageCutter:
    """Cuts one direction of a stream where messages end. What makes no sense to it is not held back.

    Args: most is the number of octets held at once; a longer message comes in several cuts.
    """

    def __init__(self, most: int = 1024 * 1024) -> None:
        self._most = most
        self._held = bytearray()
        self._looked = 0  # held octets in which the end of the header or of an MSRP message is not
        self._found: bytes | int | None = None  # how the held message ends, once that can be told
        self._passing: bytes | int | None = None  # inside a message: its MSRP end-line, or the octets to come

    def receive(self, octets: bytes) -> list[Cut]:
        """What is complete. Nothing is lost or changed."""
        self._held += octets
        done: list[Cut] = []
        while self._held and (end := self._next_end()):
            done.append(self._cut(end))
            self._passing = None
        self._looked = len(self._held)
        if len(self._held) > self._most:
            done.append(self._cut_inside())
        return done

    def rest(self) -> bytes:
        """What was held back, at the end of the stream."""
        return self._cut(len(self._held)).octets

    def _cut(self, end: int) -> Cut:
        cut = Cut(bytes(self._held[:end]), self._passing is not None)
        del self._held[:end]
        self._looked, self._found = 0, None
        return cut

    def _next_end(self) -> int | None:
        if self._passing is not None:
            return self._end_of(self._passing)
        if self._found is None:
            if lines := _EMPTY_LINES.match(self._held):
                return lines.end()
            if protocol_of(self._held) is None:
                return None if _LINE_BEGUN.fullmatch(self._held) else len(self._held)
            self._found = self._ending()
        return None if self._found is None else self._end_of(self._found)

    def _ending(self) -> bytes | int | None:
        """How the message at the start ends: its MSRP end-line, or the number of its octets, once known."""
        if protocol_of(self._held) is Layer.MSRP:
            return b"-------" + bytes(self._held[:100]).split(b" ", 2)[1]
        header = _HEADER_END.search(self._held, max(0, self._looked - 3))
        if header is None:
            return None
        length = _CONTENT_LENGTH.search(self._held, 0, header.start())
        return header.end() + (int(length[1]) if length else 0)

    def _end_of(self, ending: bytes | int) -> int | None:
        if isinstance(ending, int):
            return ending if ending <= len(self._held) else None
        at = self._held.find(ending, max(0, self._looked - len(ending) - 3))
        end = self._held.find(b"\n", at) if at >= 0 else -1
        return end + 1 if end >= 0 else None

    def _cut_inside(self) -> Cut:
        """Part of a message that is too long. What may be the beginning of its end-line stays."""
        ending = self._passing if self._passing is not None else self._found
        cut = self._cut(len(self._held) - (_LONGEST_END_LINE if isinstance(ending, bytes) else 0))
        self._passing = ending - len(cut.octets) if isinstance(ending, int) else ending
        return cut
