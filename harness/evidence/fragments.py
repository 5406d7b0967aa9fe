"""IP fragments put together (RFC 791 3.2, RFC 8200 4.5), in whatever order and however often they came."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from harness.evidence.internet import Datagram, Fragment, behind_extensions

SECONDS = 15.0
"""How long fragments wait for their siblings. RFC 1122 3.3.2 lets them wait longer; none has come then."""
_MOST_OCTETS = 8 * 1024 * 1024
_MOST_WAITING = 4096
_MOST_DATAGRAM = 65_535
_OVERHEAD = 300
_Key = tuple[bytes, bytes, int, int]


@dataclass(slots=True)
class Part:
    """A datagram of which fragments are missing. place: where in the capture the first of them was seen."""

    time: float
    place: int
    fragments: list[Fragment] = field(default_factory=list)
    octets: int = 0
    total: int = _MOST_DATAGRAM + 1
    """Octets of the whole, once its last fragment is there."""

    def add(self, fragment: Fragment) -> None:
        self.fragments.append(fragment)
        self.octets += len(fragment.datagram.payload)
        if fragment.last:
            self.total = fragment.offset + len(fragment.datagram.payload)

    def join(self) -> tuple[bytes, int]:
        """The octets from the beginning up to the first that is missing, and how many the capture cut at the
        end. Where fragments overlap, the one that begins first counts, and of two the one that came first.
        """
        payload, cut = bytearray(), 0
        for fragment in sorted(self.fragments, key=lambda each: each.offset):
            if fragment.offset > len(payload):
                break
            payload += fragment.datagram.payload[len(payload) - fragment.offset :]
            if fragment.last:
                cut = fragment.datagram.cut
        return bytes(payload), cut

    def beginning(self) -> Datagram | None:
        """What there is of a datagram that stays without its end; None when the beginning is missing too."""
        first = min(self.fragments, key=lambda each: each.offset)
        if first.offset:
            return None
        payload, _ = self.join()
        missing = self.total - len(payload) if self.total <= _MOST_DATAGRAM else 1
        return first.datagram._replace(payload=payload, cut=max(missing, 1))


class Defragmenter:
    """Keeps fragments until their siblings come, for SECONDS, and not more than memory should hold."""

    def __init__(self) -> None:
        self.incomplete = 0
        """Datagrams given up since a fragment of them did not come."""
        self._parts: OrderedDict[_Key, Part] = OrderedDict()
        self._octets = 0
        self._done: OrderedDict[_Key, float] = OrderedDict()

    def receive(self, fragment: Fragment, time: float, place: int) -> Datagram | None:
        """The datagram that is complete with this fragment."""
        part = self._parts.get(fragment.key)
        if part is None:
            part = self._parts[fragment.key] = Part(time, place)
        part.add(fragment)
        self._octets += len(fragment.datagram.payload) + _OVERHEAD
        if part.octets < part.total:
            return None
        payload, cut = part.join()
        if len(payload) < part.total:
            return None
        self._drop(fragment.key)
        self._done[fragment.key] = time
        if len(self._done) > _MOST_WAITING:
            self._done.popitem(last=False)
        first = next(each for each in part.fragments if not each.offset).datagram
        return behind_extensions(first._replace(payload=payload[:_MOST_DATAGRAM], cut=cut))

    @property
    def waiting_since(self) -> int | None:
        """Place of the first fragment that still waits."""
        return next(iter(self._parts.values())).place if self._parts else None

    def given_up(self, time: float = float("inf")) -> list[tuple[Part, Datagram]]:
        """What is there of datagrams that are not waited for any longer at this time."""
        found = []
        while self._parts:
            key, part = next(iter(self._parts.items()))
            full = self._octets > _MOST_OCTETS or len(self._parts) > _MOST_WAITING
            if part.time + SECONDS >= time and not full:
                break
            self._drop(key)
            if key in self._done and self._done[key] >= part.time - SECONDS:
                continue  # a copy of a fragment whose datagram is read
            self.incomplete += 1
            if (beginning := part.beginning()) is not None:
                found.append((part, behind_extensions(beginning)))
        return found

    def _drop(self, key: _Key) -> None:
        part = self._parts.pop(key)
        self._octets -= part.octets + _OVERHEAD * len(part.fragments)
