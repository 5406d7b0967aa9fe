"""The UDP datagrams of a capture that are SIP, or between endpoints that speak it; each of them once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from harness.evidence.internet import Datagram, UdpPayload
from harness.evidence.start_line import protocol_of
from harness.evidence.tcp import ends_of, way_back
from harness.evidence.timeline import Address, Layer, Transport
from harness.evidence.turns import Found

_MOST_PAIRS = 65_536
_MOST_BEFORE, _MOST_OF_A_PAIR = 512, 4
_BEFORE_SECONDS = 5.0
_MOST_COPIES = 2048
_NUMBERED_COPY_SECONDS, _COPY_SECONDS = 5.0, 0.02


class Datagrams:
    """Give it datagrams in the order of the capture.

    others: datagrams between endpoints that do not speak SIP, as far as was seen. copies: datagrams that the
    capture has twice, since it was made at two places of their way. A message that was sent again is no copy.
    """

    def __init__(self) -> None:
        self.others = self.copies = 0
        self._speaking: OrderedDict[bytes, tuple[Address, Address]] = OrderedDict()
        self._before: OrderedDict[bytes, list[Found]] = OrderedDict()
        self._recent: OrderedDict[tuple[bytes, int, bytes], float] = OrderedDict()

    def receive(self, datagram: Datagram, udp: UdpPayload, time: float, place: int) -> Iterable[Found]:
        """The datagram when it is SIP, or a keep-alive or a broken message among SIP."""
        flow = datagram.source + datagram.destination + datagram.payload[:4]
        if self._is_copy(flow, datagram, time):
            self.copies += 1
            return ()
        ends = self._speaking.get(flow)
        known = ends is not None
        note = f"the capture left out the last {udp.cut} octets" if udp.cut else ""
        found = Found(
            place, time, Layer.SIP, Transport.UDP, *(ends or ends_of(flow)), udp.data, None, note, udp.cut
        )
        if known:
            return (found,)
        if protocol_of(udp.data) is Layer.SIP:
            return (*self._began(flow, found), found)
        self.others += 1
        if udp.data[:1].isalpha():
            self._remember(flow, found)
        return ()

    def _began(self, flow: bytes, found: Found) -> Iterator[Found]:
        """The endpoints speak SIP. A message shortly before that is no SIP was meant to be."""
        back = way_back(flow)
        self._speaking[flow] = found.source, found.destination
        self._speaking[back] = found.destination, found.source
        if len(self._speaking) > _MOST_PAIRS:
            self._speaking.popitem(last=False)
        for earlier in self._before.pop(min(flow, back), ()):
            if earlier.time + _BEFORE_SECONDS >= found.time:
                self.others -= 1
                yield earlier

    def _remember(self, flow: bytes, found: Found) -> None:
        earlier = self._before.setdefault(min(flow, way_back(flow)), [])
        if len(earlier) < _MOST_OF_A_PAIR:
            earlier.append(found)
        if len(self._before) > _MOST_BEFORE:
            self._before.popitem(last=False)

    def _is_copy(self, flow: bytes, datagram: Datagram, time: float) -> bool:
        """IPv4 numbers datagrams, though not all (RFC 6864); others are told by coming at once."""
        key = flow, datagram.identification, datagram.payload
        before = self._recent.get(key)
        most = _NUMBERED_COPY_SECONDS if datagram.identification else _COPY_SECONDS
        if before is not None and time - before <= most:
            return True
        self._recent[key] = time
        if len(self._recent) > _MOST_COPIES:
            self._recent.popitem(last=False)
        return False
