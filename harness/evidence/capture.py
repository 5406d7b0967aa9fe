"""Captures in and out: pcap or pcapng to a timeline, and a timeline to pcapng that Wireshark opens.

Written packets are bare IP (link type RAW, which mixes both versions): UDP datagrams as they were, TCP
streams as whole conversations. Ports the kernel chose need no setting in Wireshark: its SIP and MSRP
heuristics, on by default, go by content. Forty of the 28,000 belong to other dissectors there, where "try
heuristic sub-dissectors first" helps. Exported PDUs with a dissector tag would know no such exception, but
they have no transport to read back, no checksums and no streams to follow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from harness.errors import CaptureError
from harness.evidence.finding import Finding, finding_text, findings_by_entry
from harness.evidence.frame import Recording
from harness.evidence.internet import TCP, UDP, Defragmenter, Endpoints, read_udp, udp_packet
from harness.evidence.link import READABLE, ip_packet
from harness.evidence.pcap import HEADER_OCTETS, MAGICS, read_pcap
from harness.evidence.pcapng import SECTION, PcapngWriter, read_pcapng
from harness.evidence.start_line import MessageCutter, find_start, protocol_of
from harness.evidence.tcp import Connection, Connections, Conversation, read_tcp
from harness.evidence.timeline import Address, Entry, Event, Layer, Packet, Timeline, Transport, by_time

APPLICATION = "rcslab"
TLS_INTERFACE = "tls-decrypted"
"""Interface of packets whose octets travelled inside TLS; the reader knows it again by this name."""


def capture_to_timeline(path: Path | str) -> Timeline:
    """The SIP and MSRP of a pcap or pcapng file, told by content, in time order.

    A file that is cut short or damaged gives what is before that place and a LAB event "capture-truncated";
    what was left out because it is something else is counted in a LAB event "capture-ignored". Raises
    CaptureError.
    """
    recording = _read(Path(path))
    _refuse_unreadable_links(Path(path), recording)
    found = _Found()
    for index, frame in enumerate(recording.frames):
        found.frame(frame.link_type, frame.data, frame.interface == TLS_INTERFACE, (frame.time, index))
    end = max((frame.time for frame in recording.frames), default=0.0)
    timeline = Timeline(clock=lambda: end)
    for item in sorted(found.items(), key=lambda item: item.order):
        if isinstance(item, _Mark):
            given = {"connection": item.connection, item.field: str(item.by)}
            timeline.event(Layer.MSRP, "connection", item.text, at=item.order[0], **given)
            continue
        timeline.packet(
            item.layer,
            item.transport,
            item.source,
            item.destination,
            item.data,
            connection=item.connection,
            note=item.note,
            missing=item.missing,
            at=item.order[0],
        )
    if found.ignored:
        counts = ", ".join(f"{count} {what}" for what, count in sorted(found.ignored.items()))
        text = f"{path}: left aside: {counts}"
        timeline.event(Layer.LAB, "capture-ignored", text, file=str(path), counts=dict(found.ignored))
    if recording.fault:
        text = f"{path}: {recording.fault}; {len(recording.frames)} packets before it were read"
        timeline.event(Layer.LAB, "capture-truncated", text, file=str(path), packets=len(recording.frames))
    return timeline


def _read(path: Path) -> Recording:
    expected = "expected a pcap or pcapng capture"
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise CaptureError(f"{path}: {expected}, got {error.strerror or error}; check the path") from error
    if not octets:
        raise CaptureError(f"{path}: {expected}, got an empty file; capture again")
    if octets[:4] == SECTION:
        recording = read_pcapng(octets)
        if recording.fault and octets[8:12] not in (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"):
            raise CaptureError(f"{path}: {expected}, got a pcapng section header without byte-order magic")
        return recording
    if octets[:4] in MAGICS:
        if len(octets) < HEADER_OCTETS:
            raise CaptureError(
                f"{path}: {expected}, got {len(octets)} octets of a {HEADER_OCTETS}-octet header"
            )
        return read_pcap(octets)
    if octets[:2] == b"\x1f\x8b":
        raise CaptureError(f"{path}: {expected}, got a gzip file; unpack it first (gunzip)")
    raise CaptureError(f"{path}: {expected}, got a file that begins with octets {octets[:8].hex(' ')}")


def _refuse_unreadable_links(path: Path, recording: Recording) -> None:
    links = {frame.link_type for frame in recording.frames}
    if links and not links & READABLE:
        names = ", ".join(str(link) for link in sorted(links))
        raise CaptureError(
            f"{path}: expected link type Ethernet, Linux cooked, raw IP or loopback, got {names} of the "
            "tcpdump registry; convert the capture"
        )


@dataclass(frozen=True, slots=True)
class _Item:
    order: tuple[float, int]
    layer: Layer
    transport: Transport
    source: Address
    destination: Address
    data: bytes
    connection: int | None = None
    note: str = ""
    missing: int = 0


@dataclass(frozen=True, slots=True)
class _Mark:
    """The SYN or the end of a connection with MSRP: who opened and closed it matters there (RFC 4975 5.4)."""

    order: tuple[float, int]
    text: str
    field: str
    by: Address
    connection: int


class _Found:
    """Sorts the frames of a capture into datagrams and connections."""

    def __init__(self) -> None:
        self.ignored: Counter[str] = Counter()
        self._defragmenter = Defragmenter()
        self._datagrams: list[_Item] = []
        self._connections = {Transport.TCP: Connections(), Transport.TLS: Connections()}

    def frame(self, link_type: int, data: bytes, decrypted: bool, order: tuple[float, int]) -> None:
        packet = ip_packet(link_type, data)
        if packet is None:
            self.ignored["frames without IP"] += 1
            return
        datagram = self._defragmenter.receive(packet)
        if datagram is None:
            return
        if datagram.protocol == UDP and (udp := read_udp(datagram)):
            source = Address(datagram.source, udp.source_port)
            destination = Address(datagram.destination, udp.destination_port)
            note = f"the capture left out the last {udp.cut} octets" if udp.cut else ""
            self._datagrams.append(
                _Item(order, Layer.SIP, Transport.UDP, source, destination, udp.data, None, note, udp.cut)
            )
        elif datagram.protocol == TCP and (segment := read_tcp(datagram, order)):
            self._connections[Transport.TLS if decrypted else Transport.TCP].receive(segment)
        else:
            self.ignored[f"IP packets of protocol {datagram.protocol}"] += 1

    def items(self) -> Iterable[_Item | _Mark]:
        """What is SIP or MSRP; the rest goes to `ignored`."""
        yield from self._sip_datagrams()
        number = 0
        for transport, connections in self._connections.items():
            for connection in connections.all:
                layer = _protocol(connection)
                if layer is None:
                    if any(not half.empty for half in connection.halves.values()):
                        self.ignored["TCP connections of other protocols"] += 1
                    continue
                number += 1
                if layer is Layer.MSRP:
                    yield from _opening(connection, number)
                for source, destination, half in connection.streams():
                    lost = _Resynchroniser(layer, half.start is not None)
                    for piece in half.pieces():
                        data = lost.receive(piece.missing, piece.data)
                        if data or not piece.data:  # what is missing at the end has nothing behind it
                            note, missing = lost.explain()
                            yield _Item(
                                piece.order,
                                layer,
                                transport,
                                source,
                                destination,
                                data,
                                number,
                                note,
                                missing,
                            )
                if layer is Layer.MSRP:
                    yield from _closing(connection, number)
        if self._defragmenter.incomplete:
            self.ignored["IP datagrams with a missing fragment"] = self._defragmenter.incomplete

    def _sip_datagrams(self) -> Iterable[_Item]:
        """Datagrams between endpoints that exchange SIP at least once: keep-alives and broken ones too."""
        spoken = {
            frozenset((item.source, item.destination))
            for item in self._datagrams
            if protocol_of(item.data) is Layer.SIP
        }
        for item in self._datagrams:
            if frozenset((item.source, item.destination)) in spoken:
                yield item
            else:
                self.ignored["UDP datagrams of other protocols"] += 1


def _opening(connection: Connection, number: int) -> Iterator[_Mark]:
    if connection.opened is not None:
        opener, order = connection.opened
        other = next(end for end in connection.ends if end != opener)
        yield _Mark(order, f"{opener} opened it to {other}", "opened_by", opener, number)


def _closing(connection: Connection, number: int) -> Iterator[_Mark]:
    if connection.closed is not None:
        closer, order = connection.closed
        yield _Mark(order, f"closed: by {closer}", "closed_by", closer, number)


def _protocol(connection: Connection) -> Layer | None:
    """By the first octets of a direction, by the first of any piece, or, where the capture lacks the
    beginning, by a start line anywhere.
    """
    for _, _, half in connection.streams():
        pieces = [piece.data for piece in half.pieces()]
        for octets in (b"".join(pieces[:20]), *pieces):
            if layer := protocol_of(octets):
                return layer
        if half.start is None:
            for layer in (Layer.SIP, Layer.MSRP):
                if any(find_start(layer, octets) >= 0 for octets in pieces):
                    return layer
    return None


class _Resynchroniser:
    """Leaves out what follows a hole in a stream, up to the next start line."""

    def __init__(self, protocol: Layer, whole: bool) -> None:
        self._protocol = protocol
        self._searching = not whole
        self._missing = self._skipped = 0

    def receive(self, missing: int, data: bytes) -> bytes:
        """What of the piece can be read on; b"" when nothing."""
        self._searching |= missing > 0
        self._missing += missing
        if not self._searching:
            return data
        at = find_start(self._protocol, data)
        self._skipped += at if at >= 0 else len(data)
        self._searching = at < 0
        return data[at:] if at >= 0 else b""

    def explain(self) -> tuple[str, int]:
        """The note and the number of octets missing before the piece last received."""
        missing, skipped = self._missing, self._skipped
        self._missing = self._skipped = 0
        note = f"gap: the capture has not {missing} octets before this" if missing else ""
        if skipped and not missing:
            note = "the capture begins inside the stream"
        if skipped:
            note += f"; {skipped} octets up to this start line left out"
        return note, missing


def write_capture(
    path: Path, entries: Iterable[Entry], findings: Iterable[Finding] = (), comment: str = ""
) -> None:
    """Write a pcapng file of the packets among the entries, with notes and findings as packet comments."""
    with path.open("wb") as file:
        _write_packets(file, by_time(entries), findings, comment)


def capture_octets(entries: Iterable[Entry], findings: Iterable[Finding] = (), comment: str = "") -> bytes:
    """The file that write_capture writes."""
    file = BytesIO()
    _write_packets(file, by_time(entries), findings, comment)
    return file.getvalue()


def _write_packets(
    file: BinaryIO, entries: Sequence[Entry], findings: Iterable[Finding], comment: str
) -> None:
    """Goes over the entries twice and holds none of them."""
    writer = PcapngWriter(file, APPLICATION, comment)
    plain = writer.interface("rcslab", "what reached or left the sockets")
    last: dict[_StreamKey, int] = {}
    transports = set()
    for packet in _packets(entries):
        last[_stream(packet)] = packet.number
        transports.add(packet.transport)
    interfaces = {Transport.UDP: plain, Transport.TCP: plain}
    if Transport.TLS in transports:
        interfaces[Transport.TLS] = writer.interface(TLS_INTERFACE, "what TLS carried, decrypted")
    comments = {
        number: "\n".join(finding_text(finding) for finding in found)
        for number, found in findings_by_entry(findings).items()
    }
    streams = _Streams(last, _told(entries, "opened_by"), _told(entries, "closed_by"))
    for packet in _packets(entries):
        remarks = "\n".join(filter(None, (packet.note, comments.get(packet.number, ""))))
        for octets, comment in streams.write(packet, remarks):
            writer.packet(interfaces[packet.transport], packet.time, octets, comment)


def _told(entries: Iterable[Entry], field: str) -> dict[int | None, str]:
    """Who opened or closed the connections of which the timeline tells it, by connection."""
    return {
        event.fields.get("connection", event.number): str(event.fields[field])
        for event in entries
        if isinstance(event, Event) and field in event.fields
    }


def _packets(entries: Iterable[Entry]) -> Iterator[Packet]:
    return (entry for entry in entries if isinstance(entry, Packet))


_StreamKey = tuple[int | None, frozenset[Address]]


class _Streams:
    """Timeline packets as IP packets with their comments.

    Streams are cut where messages end, not where they were read from the socket: Wireshark's heuristics know
    only a segment that begins with a start line. A message that came in pieces so has the time of its last.

    Args: last is the number of the last packet of each stream; openers and closers who opened and closed a
    connection, by its number. Where the first is not known, the end that sends first is taken for it; where
    the second is not, the opener.
    """

    def __init__(
        self,
        last: Mapping[_StreamKey, int],
        openers: Mapping[int | None, str],
        closers: Mapping[int | None, str],
    ) -> None:
        self._last, self._openers, self._closers = last, openers, closers
        self._open: dict[_StreamKey, _Stream] = {}
        self._datagrams = 0

    def write(self, packet: Packet, remarks: str) -> list[tuple[bytes, str]]:
        """The IP packets to write now, each with its comment."""
        ends = Endpoints.of(packet.source, packet.destination)
        if packet.transport is Transport.UDP:
            self._datagrams += 1
            return [(udp_packet(ends, packet.data, self._datagrams), remarks)]
        key = _stream(packet)
        stream = self._open.get(key)
        opening: list[bytes] = []
        if stream is None:
            accepted = self._openers.get(packet.connection) == str(packet.destination)
            opened = ends.reverse() if accepted else ends
            opener = str(packet.destination if accepted else packet.source)
            stream = _Stream(Conversation(opened, (len(self._open) + 1) << 20), opener)
            self._open[key] = stream
            opening = stream.conversation.open()
        written = [(octets, "") for octets in opening]
        if packet.missing:
            written += stream.skip(ends, packet.missing)
        written += stream.write(ends, packet.data, remarks)
        if self._last[key] != packet.number:
            return written
        return written + stream.close(self._closers.get(packet.connection, ""))


def _stream(packet: Packet) -> _StreamKey:
    return packet.connection, frozenset((packet.source, packet.destination))


class _Stream:
    """One connection being written."""

    def __init__(self, conversation: Conversation, opener: str) -> None:
        self.conversation, self._opener = conversation, opener
        self._cutters: dict[Endpoints, MessageCutter] = {}
        self._remarks: dict[Endpoints, list[str]] = {}

    def write(self, ends: Endpoints, data: bytes, remarks: str) -> list[tuple[bytes, str]]:
        waiting = self._remarks.setdefault(ends, [])
        if remarks:
            waiting.append(remarks)
        cutter = self._cutters.setdefault(ends, MessageCutter())
        return [written for cut in cutter.receive(data) for written in self._segments(ends, cut.octets)]

    def skip(self, ends: Endpoints, octets: int) -> list[tuple[bytes, str]]:
        """Leave octets out, and give what was held back before them."""
        cutter = self._cutters.pop(ends, None)
        rest = self._segments(ends, cutter.rest()) if cutter else []
        self.conversation.skip(ends, octets)
        return rest

    def close(self, closer: str) -> list[tuple[bytes, str]]:
        rest = [
            written
            for ends, cutter in self._cutters.items()
            for written in self._segments(ends, cutter.rest())
        ]
        segments = self.conversation.close(by_opener=closer in ("", self._opener))
        return rest + [(segment, "") for segment in segments]

    def _segments(self, ends: Endpoints, part: bytes) -> list[tuple[bytes, str]]:
        segments = self.conversation.data(ends, part)
        if not segments:
            return []
        remarks = "\n".join(self._remarks[ends])
        self._remarks[ends] = []
        return [(segments[0], remarks), *((segment, "") for segment in segments[1:])]
