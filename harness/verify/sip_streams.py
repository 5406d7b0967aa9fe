"""SIP out of the packets of a timeline: datagrams, and what is cut from streams (RFC 3261 18.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from harness.errors import SipSyntaxError
from harness.evidence.timeline import Packet, Transport
from harness.sip.framing import FramingError, Limits, StreamFramer
from harness.sip.message import Request, Response, parse_message
from harness.verify.finding import Party
from harness.verify.items import SipEntry

# What no rule forbids is judged, however large: these bound memory only.
LIMITS = Limits(header_octets=1024 * 1024, body_octets=64 * 1024 * 1024, fields=20_000)

_MEANT_AS_SIP = re.compile(rb"SIP/\d|(?:\A|\n)(?:via|v|cseq|call-id)[ \t]*:", re.IGNORECASE)
# What tracers write in place of the rest: dots, an ellipsis, a word in brackets.
_MARK = rb"(?:\.\.\.|\xe2\x80\xa6|\[(?:\.\.\.|\xe2\x80\xa6|truncated|snip|cut)\])"
_SHORTENED = re.compile(_MARK + rb"[ \t]*(?:\r?\n|\Z)", re.IGNORECASE)
_STUN_TYPES = frozenset({0x0001, 0x0101, 0x0111, 0x0011})


@dataclass(slots=True)
class _Stream:
    """One direction of a connection. lost: its framing broke before, so what follows may be a remainder."""

    framer: StreamFramer
    last: Packet
    lost: bool = False
    before: SipEntry | None = None
    """The message the next octets follow."""


class SipStreams:
    """Feed it packets of SIP and the ends of connections.

    Args: places gives the order among all messages, role tells who sent an entry.
    """

    def __init__(self, places: count[int], role: Callable[[SipEntry], Party]) -> None:
        self._places = places
        self._role = role
        self._streams: dict[tuple[object, object], _Stream] = {}

    def receive(self, packet: Packet) -> Iterator[SipEntry]:
        """The messages that became complete with this packet."""
        if packet.transport is Transport.UDP:
            yield from self._datagram(packet)
            return
        key = packet.source, packet.connection if packet.connection is not None else packet.destination
        stream = self._streams.get(key)
        if stream is None or stream.framer.broken or packet.missing:
            lost = stream is not None
            stream = self._streams[key] = _Stream(StreamFramer(LIMITS), packet, lost)
        stream.last = packet
        for piece in stream.framer.receive(packet.data):
            if isinstance(piece, Request | Response):
                stream.before = self._entry(packet, piece.raw, piece)
                yield stream.before
            elif isinstance(piece, FramingError):
                yield from self._no_message(stream, piece)

    def _no_message(self, stream: _Stream, error: FramingError) -> Iterator[SipEntry]:
        """Octets of a stream that are no message. Behind a break they may be the rest of what broke it."""
        octets = error.octets
        meant = _MEANT_AS_SIP.search(octets) is not None
        if not meant and (stream.lost or _is_another_protocol(octets)):
            return
        entry = self._entry(stream.last, octets, _head(error), error)
        before = stream.before
        if not meant and before is not None and "Content-Type" in before.sip:
            entry.follows = before
        yield entry

    def ended(self, connection: object) -> Iterator[SipEntry]:
        """What a closed connection leaves behind without the end of a message."""
        for (_, key), stream in self._streams.items():
            error = stream.framer.finish() if connection is not None and key == connection else None
            if error is not None and not _is_another_protocol(error.octets):
                yield from self._no_message(stream, error)

    def _datagram(self, packet: Packet) -> Iterator[SipEntry]:
        data = packet.data
        if not data.strip(b"\r\n\0 \t") or _is_another_protocol(data):
            return
        try:
            yield self._entry(packet, data, parse_message(data))
        except SipSyntaxError as error:
            yield self._entry(packet, data, None, error)

    def _entry(
        self,
        packet: Packet,
        raw: bytes,
        message: Request | Response | None,
        error: SipSyntaxError | None = None,
    ) -> SipEntry:
        return SipEntry(
            packet.number,
            packet.time,
            packet.transport,
            packet.source,
            packet.destination,
            packet.connection,
            raw,
            message,
            error,
            incomplete=packet.transport is Transport.UDP and (packet.missing > 0 or _is_shortened(message)),
            place=next(self._places),
            role=self._role,
        )


def _head(error: FramingError) -> Request | Response | None:
    """The head of a message that broke the framing; None where its end is missing, or it is none."""
    if error.what != "Content-Length":
        return None
    try:
        return parse_message(error.octets)
    except SipSyntaxError:
        return None


def _is_shortened(message: Request | Response | None) -> bool:
    """The body has fewer octets than declared, and a mark that its writer left some out."""
    if message is None or not any(fault.what == "Content-Length" for fault in message.faults):
        return False
    return _SHORTENED.search(message.body) is not None


def _is_another_protocol(octets: bytes) -> bool:
    """STUN (RFC 5626 4.4.2), SigComp (RFC 3320 7) or a TLS record, which may come to a SIP port."""
    if len(octets) >= 20 and octets[0] < 0x40:
        declared = int.from_bytes(octets[2:4], "big")
        kind = int.from_bytes(octets[:2], "big")
        if octets[4:8] == b"\x21\x12\xa4\x42" or (kind in _STUN_TYPES and declared == len(octets) - 20):
            return True
    return octets[:1] >= b"\xf8" or octets[:2] == b"\x16\x03"
