"""The rows of a ladder: messages with repeats folded, notes of what drivers did, and the folded middle."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.evidence.finding import Finding, findings_by_entry
from harness.evidence.label import Label, label_of
from harness.evidence.lanes import LAB, Lanes, Roles, event_lane
from harness.evidence.start_line import MessageCutter
from harness.evidence.timeline import Address, Entry, Event, Layer, Packet, Transport, by_time

MOST_ROWS = 120
"""Rows drawn; beyond that the middle is folded, except for rows that have findings."""
_NOTE_LINES = 3
_MOST_HELD = 8 * MOST_ROWS
_LOOKED_AT = 16 * 1024
"""Octets of a message in which its label is looked for."""


@dataclass(slots=True, kw_only=True)
class Row:
    """What all rows share: the entry they begin with and the findings beside them."""

    number: int
    time: float
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Message(Row):
    """An arrow. repeats: further times the same octets were sent, the last at `last_time`.

    beginning: what of the message is looked at for its label. folded: no longer drawn.
    """

    source: Address
    destination: Address
    source_lane: str
    destination_lane: str
    transport: Transport
    octets: int
    beginning: bytes
    remark: str
    repeats: int = 0
    last_time: float = 0.0
    folded: bool = False

    @property
    def label(self) -> Label:
        """What is written on the arrow."""
        return label_of(self.beginning)


@dataclass(slots=True, kw_only=True)
class Note(Row):
    """Events of one layer in a row on one lifeline; `more` of them are not spelled out."""

    lane: str
    layer: Layer
    lines: list[str]
    more: int = 0


@dataclass(slots=True, kw_only=True)
class Fold(Row):
    """Rows left out."""

    rows: int


@dataclass(frozen=True, slots=True)
class Ladder:
    """All rows, the lifelines from left to right, and findings whose entry is not drawn."""

    rows: list[Row]
    lanes: list[str]
    addresses: dict[str, list[Address]]
    loose: list[Finding]


_LANE_ORDER = ("network simulator", "handset", "peer")


def ladder_of(entries: Iterable[Entry], findings: Iterable[Finding], roles: Roles) -> Ladder:
    """Lay out a ladder."""
    entries, findings = by_time(entries), list(findings)
    lanes = Lanes(entries, findings, roles)
    builder = _Builder(lanes, findings_by_entry(findings))
    places: dict[str, dict[Address, None]] = {}
    for entry in entries:
        if isinstance(entry, Packet):
            builder.packet(entry)
            for address in (entry.source, entry.destination):
                places.setdefault(lanes.of(address), {})[address] = None
        else:
            builder.event(entry)
    builder.end()
    names = list(dict.fromkeys([*_used_lanes(builder.rows)]))
    names.sort(key=lambda name: _LANE_ORDER.index(name) if name in _LANE_ORDER else len(_LANE_ORDER))
    addresses: dict[str, list[Address]] = {name: [] for name in names}
    addresses.update((name, list(found)) for name, found in places.items())
    loose = [finding for found in builder.unplaced.values() for finding in found]
    return Ladder(_fold_middle(builder.rows), names, addresses, loose)


def _used_lanes(rows: Sequence[Row]) -> Iterable[str]:
    for row in rows:
        if isinstance(row, Message):
            yield from (row.source_lane, row.destination_lane)
        elif isinstance(row, Note) and row.lane != LAB:
            yield row.lane


_Direction = tuple[int | None, Address, Address]


class _Builder:
    """Takes packets and events in the order of time."""

    def __init__(self, lanes: Lanes, findings: dict[int, list[Finding]]) -> None:
        self.rows: list[Row] = []
        self.unplaced = findings
        self._lanes = lanes
        self._cutters: dict[_Direction, MessageCutter] = {}
        self._last_piece: dict[_Direction, Packet] = {}
        self._last_row: dict[_Direction, Message] = {}
        self._datagrams: dict[tuple[Address, Address, bytes], Message] = {}
        self._left_by_fold = 0

    def packet(self, packet: Packet) -> None:
        if packet.transport is Transport.UDP:
            self._datagram(packet)
            return
        key = (packet.connection, packet.source, packet.destination)
        cutter = self._cutters.setdefault(key, MessageCutter())
        self._last_piece[key] = packet
        for cut in cutter.receive(packet.data):
            if cut.goes_on:
                self._longer(key, packet, cut.octets)
            else:
                self._last_row[key] = self._message(packet, cut.octets, packet.note)

    def _longer(self, key: _Direction, packet: Packet, octets: bytes) -> None:
        """More of a message that is too long to be held."""
        row = self._last_row[key]
        row.octets += len(octets)
        row.findings += self.unplaced.pop(packet.number, [])

    def _datagram(self, packet: Packet) -> None:
        data = packet.data
        key = (packet.source, packet.destination, data)
        first = self._datagrams.get(key)
        if first is None or first.folded:
            self._datagrams[key] = self._message(packet, data, packet.note)
            return
        first.repeats += 1
        first.last_time = packet.time
        first.findings += self.unplaced.pop(packet.number, [])

    def _message(self, packet: Packet, octets: bytes, remark: str) -> Message:
        row = Message(
            number=packet.number,
            time=packet.time,
            findings=self.unplaced.pop(packet.number, []),
            source=packet.source,
            destination=packet.destination,
            source_lane=self._lanes.of(packet.source),
            destination_lane=self._lanes.of(packet.destination),
            transport=packet.transport,
            octets=len(octets),
            beginning=octets[:_LOOKED_AT],
            remark=remark,
        )
        self._add(row)
        return row

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        if len(self.rows) > _MOST_HELD + self._left_by_fold:
            self._fold()

    def _fold(self) -> None:
        """Let go of rows that will not be drawn: a load test has millions."""
        keep = len(self.rows) - MOST_ROWS
        self.rows[MOST_ROWS:keep] = _folded(self.rows[MOST_ROWS:keep], lambda row: bool(row.findings))
        self._left_by_fold = len(self.rows)
        self._datagrams = {key: row for key, row in self._datagrams.items() if not row.folded}

    def event(self, event: Event) -> None:
        lane, line = event_lane(event), _event_line(event)
        found = self.unplaced.pop(event.number, [])
        last = self.rows[-1] if self.rows else None
        if lane != LAB and isinstance(last, Note) and (last.lane, last.layer) == (lane, event.layer):
            last.findings += found
            if len(last.lines) < _NOTE_LINES:
                last.lines.append(line)
            else:
                last.more += 1
        elif event.name != "parties":
            note = Note(
                number=event.number,
                time=event.time,
                findings=found,
                lane=lane,
                layer=event.layer,
                lines=[line],
            )
            self._add(note)

    def end(self) -> None:
        """What streams hold back is drawn as what it is: the beginning of a message."""
        for key, cutter in self._cutters.items():
            if rest := cutter.rest():
                self._message(self._last_piece[key], rest, "incomplete")
        self.rows.sort(key=lambda row: row.time)


def _event_line(event: Event) -> str:
    fields = event.fields
    if event.name == "cell":
        plmn = f"{fields.get('mcc', '')}/{fields.get('mnc', '')} TAC {fields.get('tac', '')}"
        return f"cell on {plmn}" if fields.get("on") else "cell off"
    if event.name == "screen":
        shown = fields.get("messages") or []
        last = shown[-1] if shown and isinstance(shown, list | tuple) else {}
        state = (
            f": {last.get('text', '')!r} {last.get('status') or ''}"
            if isinstance(last, dict) and last
            else ""
        )
        return f"screen, {len(shown)} messages{state}{_beside(fields)}"
    asked = str(fields.get("command") or fields.get("line") or "")
    answer = fields.get("final") or fields.get("reply") or ""
    if isinstance(lines := fields.get("lines"), list | tuple) and lines:
        answer = f"{lines[0]} {answer}".strip()
    text = event.text or str(fields.get("name", "")) or (f"{asked} → {answer}" if asked and answer else asked)
    if not text and fields:
        text = json.dumps(dict(fields), ensure_ascii=False, default=str)
    return f"{event.name}: {text}" if event.layer is Layer.LAB and text else text or event.name


def _beside(fields: Mapping[str, Any]) -> str:
    """What a screen shows beside its texts: the latest file, offers, who types, what the app says."""
    files, offers = fields.get("files") or (), fields.get("offers") or ()
    parts = [f"{file.get('name')!r} {file.get('line')}" for file in files[-1:] if isinstance(file, dict)]
    parts += [f"asks {offer!r}" for offer in offers]
    parts += [str(fields[name]) for name in ("composing", "said") if fields.get(name)]
    return "".join(f"; {part}" for part in parts)


def _fold_middle(rows: list[Row]) -> list[Row]:
    if len(rows) <= MOST_ROWS:
        return rows
    side = MOST_ROWS * 2 // 5
    spare = MOST_ROWS - 2 * side
    middle = [index for index in range(side, len(rows) - side) if rows[index].findings]
    middle.sort(key=lambda index: not any(finding.fails for finding in rows[index].findings))
    keep = {id(row) for row in (*rows[:side], *rows[-side:], *(rows[index] for index in middle[:spare]))}
    return _folded(rows, lambda row: id(row) in keep)


def _folded(rows: Iterable[Row], keep: Callable[[Row], bool]) -> list[Row]:
    """The rows to keep, and folds in place of the others."""
    kept: list[Row] = []
    for row in rows:
        if keep(row) and not isinstance(row, Fold):
            kept.append(row)
            continue
        count = row.rows if isinstance(row, Fold) else 1
        if isinstance(row, Message):
            row.folded = True
        if kept and isinstance(last := kept[-1], Fold):
            last.rows += count
            last.findings += row.findings
        else:
            kept.append(Fold(number=row.number, time=row.time, findings=list(row.findings), rows=count))
    return kept
