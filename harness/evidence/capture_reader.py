"""The SIP and MSRP of a capture, told by content, as entries of a timeline: read as a stream.

What is held in memory is what is open: segments and fragments that came before their turn, and a few words
for each connection. Entries come in the order of time: while octets are waited for, later entries wait too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.errors import CaptureError
from harness.evidence.capture_file import CaptureFile
from harness.evidence.connections import Connections
from harness.evidence.datagrams import Datagrams
from harness.evidence.fragments import Defragmenter
from harness.evidence.frame import Frame
from harness.evidence.internet import IPV4_IN_IP, IPV6_IN_IP, TCP, UDP, Datagram, Fragment, read_ip, read_udp
from harness.evidence.link import READABLE, ip_place
from harness.evidence.tcp import read_tcp
from harness.evidence.timeline import Entry, Event, Transport
from harness.evidence.tunnels import Tunnels
from harness.evidence.turns import Found, Mark, Turns

TLS_INTERFACE = "tls-decrypted"
"""Interface of packets whose octets travelled inside TLS; the reader knows it again by this name."""

_TUNNELS = 8  # one in another
_IP_IN_IP = (IPV4_IN_IP, IPV6_IN_IP)
_MOST_WAITING = 24 * 1024 * 1024  # octets
_LOOK_EVERY = 32  # frames


def read_capture(path: Path | str) -> Iterator[Entry]:
    """The entries of a capture's timeline, numbered from 1, in time order.

    A file that is cut short or damaged gives what is before that place and a LAB event "capture-truncated";
    what was left out because it is something else is counted in a LAB event "capture-ignored". Both come at
    the end. Raises CaptureError.
    """
    file = CaptureFile(Path(path))
    reader = _Reader()
    ready = reader.turns.ready
    for frame in file:
        reader.frame(frame)
        if ready:
            yield from ready
            ready.clear()
    reader.finish()
    yield from ready
    if reader.links and not reader.links & READABLE:
        raise _unreadable(file.path, reader.links)
    yield from reader.remarks(file)


def _unreadable(path: Path, links: set[int]) -> CaptureError:
    names = ", ".join(str(link) for link in sorted(links))
    return CaptureError(
        f"{path}: expected link type Ethernet, Linux cooked, raw IP, PPP or loopback, got {names} of the "
        "tcpdump registry; convert the capture"
    )


class _Reader:
    """Takes frames in the order of time. turns: has the entries. links: link types of the frames."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.links: set[int] = set()
        self._ignored: Counter[str] = Counter()
        self._fragments, self._tunnels = Defragmenter(), Tunnels()
        self._connections, self._datagrams = Connections(), Datagrams()
        self._place = 0
        self._time = 0.0

    def frame(self, frame: Frame) -> None:
        """Read a frame."""
        time, link_type, data, _, interface = frame
        self._place += 1
        self._time = time
        if link_type not in self.links:
            self.links.add(link_type)
        at = ip_place(link_type, data)
        if at < 0:
            self._ignored["frames without IP"] += 1
        else:
            secure = interface == TLS_INTERFACE
            self._packet(data, at, Transport.TLS if secure else Transport.TCP, time, self._place)
        if not self._place % _LOOK_EVERY:
            self._look(time)

    def finish(self) -> None:
        """The capture is over."""
        for part, datagram in self._fragments.given_up():
            self._datagram(datagram, Transport.TCP, part.time, part.place)
        self.turns.holding = True
        self._put(self._connections.finish(self._time, self._place))
        self.turns.release(None)

    def remarks(self, file: CaptureFile) -> Iterator[Event]:
        """What there is to say about the capture itself."""
        ignored = self._ignored
        ignored["TCP connections of other protocols"] = self._connections.others
        ignored["UDP datagrams of other protocols"] = self._datagrams.others
        ignored["copies of datagrams"] = self._datagrams.copies
        ignored["IP datagrams with a missing fragment"] = self._fragments.incomplete
        ignored["frames whose time is before that of frames long before them"] = file.late
        counts = {what: count for what, count in ignored.items() if count}
        path = str(file.path)
        if counts:
            listed = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
            text = f"{path}: left aside: {listed}"
            yield self.turns.event("capture-ignored", text, file=path, counts=counts)
        if file.fault:
            text = f"{path}: {file.fault}; {file.frames} packets before it were read"
            yield self.turns.event("capture-truncated", text, file=path, packets=file.frames)

    def _packet(self, packet: bytes, at: int, stream: Transport, time: float, place: int) -> None:
        """Read an IP packet and those in it. stream: what a TCP connection in it is."""
        for _ in range(_TUNNELS):
            read = read_ip(packet, at)
            if isinstance(read, Fragment):
                read = self._fragments.receive(read, time, place)
                self.turns.holding = True
            if read is None:
                return
            if read.protocol not in _IP_IN_IP:
                inside = self._tunnels.inside(read) if read.protocol != TCP else None
                if inside is None:
                    self._datagram(read, stream, time, place)
                    return
                read = inside
            if read.protocol not in _IP_IN_IP:
                self._datagram(read, stream, time, place)
                return
            packet, at = read.payload, 0
        self._ignored["IP packets in too many others"] += 1

    def _datagram(self, datagram: Datagram, stream: Transport, time: float, place: int) -> None:
        protocol = datagram.protocol
        if protocol == TCP and (segment := read_tcp(datagram)) is not None:
            self._put(self._connections.receive(segment, stream, time, place))
        elif protocol == UDP and (udp := read_udp(datagram)) is not None:
            self._put(self._datagrams.receive(datagram, udp, time, place))
        else:
            self._ignored[f"IP packets of protocol {protocol}"] += 1

    def _put(self, found: Iterable[Found | Mark]) -> None:
        turns, waiting = self.turns, self._connections.waiting
        for each in found:
            turns.put(each)
        if waiting:
            turns.holding = True
        elif turns.holding and self._fragments.waiting_since is None:
            turns.release(None)

    def _look(self, time: float) -> None:
        """Give up what need not be waited for, and hand on what does not wait for it."""
        turns, connections = self.turns, self._connections
        if turns.holding:
            for part, datagram in self._fragments.given_up(time):
                self._datagram(datagram, Transport.TCP, part.time, part.place)
        self._put(connections.give_up(time))
        while (
            turns.holding and turns.octets + connections.held_octets > _MOST_WAITING and connections.waiting
        ):
            self._put(connections.give_up(time, oldest=True))
            turns.release(self._barrier())
        if turns.holding:
            turns.release(self._barrier())

    def _barrier(self) -> int | None:
        """The place in the capture from which on entries have to wait."""
        places = (self._connections.barrier, self._fragments.waiting_since)
        return min((place for place in places if place is not None), default=None)
