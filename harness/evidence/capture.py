"""Captures in and out: pcap or pcapng to a timeline, and a timeline to pcapng that Wireshark opens.

Written packets are bare IP (link type RAW, which mixes both versions): UDP datagrams as they were, TCP
streams as whole conversations. Ports the kernel chose need no setting in Wireshark: its SIP and MSRP
heuristics, on by default, go by content. Forty of the 28,000 belong to other dissectors there, where "try
heuristic sub-dissectors first" helps. Exported PDUs with a dissector tag would know no such exception, but
they have no transport to read back, no checksums and no streams to follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from harness.evidence.capture_reader import TLS_INTERFACE, read_capture
from harness.evidence.finding import Finding, finding_text, findings_by_entry
from harness.evidence.internet import Endpoints, udp_packet
from harness.evidence.pcapng import PcapngWriter
from harness.evidence.start_line import MessageCutter
from harness.evidence.tcp import Conversation
from harness.evidence.timeline import Address, Entry, Event, Packet, Timeline, Transport, by_time

APPLICATION = "rcslab"


def capture_to_timeline(path: Path | str) -> Timeline:
    """What read_capture gives, as a timeline. Raises CaptureError."""
    end = 0.0
    timeline = Timeline(clock=lambda: end)
    for entry in read_capture(path):
        end = entry.time
        if isinstance(entry, Event):
            timeline.event(entry.layer, entry.name, entry.text, at=entry.time, **entry.fields)
            continue
        timeline.packet(
            entry.layer,
            entry.transport,
            entry.source,
            entry.destination,
            entry.data,
            connection=entry.connection,
            note=entry.note,
            missing=entry.missing,
            at=entry.time,
        )
    return timeline


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
