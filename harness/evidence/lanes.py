"""Which lifeline of a ladder an endpoint belongs to: as told, else as its messages suggest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.evidence.finding import Finding
from harness.evidence.timeline import Address, Entry, Event, Layer, Packet

HANDSET, PEER, NETWORK_SIMULATOR, LAB = "handset", "peer", "network simulator", "lab"
Roles = Mapping[str, Iterable[str]]
"""Lifeline -> addresses on it, each "host" or "host:port" ("[2001:db8::1]:5060" for IPv6)."""

_OTHER = {HANDSET: PEER, PEER: HANDSET}
_EVENT_LANES = {
    Layer.ADB: HANDSET,
    Layer.AT: HANDSET,
    Layer.LOGCAT: HANDSET,
    Layer.VISA: NETWORK_SIMULATOR,
}
# Only a handset registers, says where it camps, and prefers an identity (RFC 3261 10, RFC 7315 4.4,
# RFC 3325 9.2).
_HANDSET_SPEAKS = re.compile(
    rb"\AREGISTER |^(?:P-Access-Network-Info|P-Preferred-Identity)[ \t]*:", re.IGNORECASE | re.MULTILINE
)


def event_lane(event: Event) -> str:
    """The lifeline of an event."""
    return _EVENT_LANES.get(event.layer, LAB)


class Lanes:
    """Gives endpoints their lifelines. What nothing is known of stands opposite to its partner."""

    def __init__(self, entries: Sequence[Entry], findings: Iterable[Finding], roles: Roles) -> None:
        self._told: dict[tuple[str, int | None], str] = {}
        self._seen: dict[Address, str] = {}
        for entry in entries:
            if isinstance(entry, Event) and entry.layer is Layer.LAB and entry.name == "parties":
                self._tell({HANDSET: entry.fields.get("handset", ()), PEER: entry.fields.get("network", ())})
        self._tell(roles)
        self._learn(entries, findings)
        self._spread(entries)

    def of(self, address: Address) -> str:
        """The lifeline of an endpoint; its address where it could not be placed."""
        return self._told_of(address) or self._seen.get(address) or str(address)

    def _tell(self, roles: Roles) -> None:
        for lane, texts in roles.items():
            for text in texts:
                self._told[_endpoint(text)] = lane

    def _told_of(self, address: Address) -> str | None:
        return self._told.get((address.host, address.port)) or self._told.get((address.host, None))

    def _known(self, address: Address) -> str | None:
        return self._told_of(address) or self._seen.get(address)

    def _learn(self, entries: Sequence[Entry], findings: Iterable[Finding]) -> None:
        parties = {finding.where.entry: finding.party for finding in findings}
        for packet in _packets(entries):
            lane = {"handset": HANDSET, "network": PEER}.get(parties.get(packet.number, ""))
            if lane:
                self._seen.setdefault(packet.source, lane)
        for packet in _packets(entries):
            if not self._known(packet.source) and _HANDSET_SPEAKS.search(
                packet.data.partition(b"\r\n\r\n")[0]
            ):
                self._seen[packet.source] = HANDSET

    def _spread(self, entries: Sequence[Entry]) -> None:
        """Place partners of placed endpoints until all are; the first to speak counts as the handset."""
        pairs = list(dict.fromkeys((packet.source, packet.destination) for packet in _packets(entries)))
        while True:
            moved = True
            while moved:
                moved = sum(self._place(one, other) or self._place(other, one) for one, other in pairs) > 0
            unplaced = next(
                (one for one, other in pairs if not self._known(one) and not self._known(other)), None
            )
            if unplaced is None:
                return
            self._seen[unplaced] = self._host_lane(unplaced.host) or HANDSET

    def _place(self, known: Address, unknown: Address) -> bool:
        lane = _OTHER.get(self._known(known) or "")
        if lane is None or self._known(unknown):
            return False
        self._seen[unknown] = lane
        return True

    def _host_lane(self, host: str) -> str | None:
        lanes = {lane for address, lane in self._seen.items() if address.host == host}
        return lanes.pop() if len(lanes) == 1 else None


def _packets(entries: Iterable[Entry]) -> Iterator[Packet]:
    return (entry for entry in entries if isinstance(entry, Packet))


def _endpoint(text: str) -> tuple[str, int | None]:
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.startswith("[")):
        return host.strip("[]"), int(port)
    return text.strip("[]"), None
