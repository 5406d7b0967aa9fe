"""What was said, for a report that shows it: a light row for each message, and the octets of some.

Held to a size: of flows without findings octets go first, then rows. Chunks in the middle of an MSRP message
share a row, and so do the answers to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from harness.evidence.label import Kind, label_of
from harness.msrp.message import Flag
from harness.verify.excerpt import octets_of
from harness.verify.finding import Party
from harness.verify.flows import UserFlow
from harness.verify.items import Item, SipEntry
from harness.verify.messages import message_of
from harness.verify.msrp_items import MsrpEntry
from harness.verify.party_names import NamedParty

MOST_ROWS = 20_000
MOST_OCTETS = 16 * 1024 * 1024
_LOOKED_AT = 4096
"""Octets of a message in which its label is looked for."""


@dataclass(slots=True)
class Row:
    """A message. size: its octets on the wire; octets: those kept, secrets masked, None when let go.

    repeats: how often the same octets came again. chunks: of a middle chunk of an MSRP message, or of the
    answer to one, how many more of its kind it stands for.
    """

    place: int
    number: int
    time: float
    layer: str
    transport: str
    source: str
    destination: str
    party: Party
    sender: NamedParty
    receiver: NamedParty
    flow: UserFlow
    kind: Kind
    title: str
    hint: str
    size: int
    octets: bytes | None
    repeats: int = 0
    chunks: int = 0


class Transcript:
    """Takes each message in order. rows: by place; dropped: how many were let go.

    Args: rows and octets are how much of it is held; of rows with findings up to twice that.
    """

    def __init__(self, rows: int = MOST_ROWS, octets: int = MOST_OCTETS) -> None:
        self.rows: dict[int, Row] = {}
        self.dropped = 0
        self._most_rows, self._most_octets = rows, octets
        self._octets = 0
        self._stands_for: dict[tuple[int, bool], Row] = {}
        self._trim_at = rows

    def add(self, entry: SipEntry | MsrpEntry, sender: NamedParty, receiver: NamedParty) -> None:
        """Take in a message of a flow."""
        message = _continued(entry)
        known = self._stands_for.get(message) if message is not None else None
        if known is not None:
            known.chunks += 1
            known.size += _size(entry)
            return
        if len(self.rows) > 2 * self._most_rows:
            self.dropped += 1  # all that is held has findings, and there are too many
            return
        row = self._put(entry, sender, receiver)
        if message is not None:
            self._stands_for[message] = row
        if len(self.rows) > self._trim_at or self._octets > self._most_octets:
            self._trim()

    def repeat(self, entry: SipEntry) -> None:
        """Take in the repeat of a message."""
        first = entry.retransmission_of
        row = self.rows.get(first.place) if first is not None else None
        if row is not None:
            row.repeats += 1

    def since(self, entry: int) -> Transcript:
        """A transcript of what came later than an entry of the timeline."""
        found = Transcript(self._most_rows, self._most_octets)
        found.rows = {place: row for place, row in self.rows.items() if row.number > entry}
        return found

    def counted(self) -> Counter[NamedParty | UserFlow]:
        """How many messages each party sent and each flow has, repeats left out."""
        found: Counter[NamedParty | UserFlow] = Counter()
        for row in self.rows.values():
            found[row.sender.final] += 1 + row.chunks
            found[row.flow.final] += 1 + row.chunks
        return found

    def keep(self, item: Item, sender: NamedParty, receiver: NamedParty) -> None:
        """See that the message of an item, which has a finding, is there with its octets."""
        entry = message_of(item)
        if entry is None:
            return
        row = self.rows.get(entry.place)
        if row is None:
            if len(self.rows) > 2 * self._most_rows:
                return
            row = self._put(entry, sender, receiver)
        if row.octets is None:
            row.octets = octets_of(entry)
            self._octets += len(row.octets)

    def _put(self, entry: SipEntry | MsrpEntry, sender: NamedParty, receiver: NamedParty) -> Row:
        assert entry.flow is not None, "a message is put into its flow first"
        octets = octets_of(entry)
        label = label_of(octets[:_LOOKED_AT])
        row = self.rows[entry.place] = Row(
            place=entry.place,
            number=entry.number,
            time=entry.time,
            layer=entry.layer.value,
            transport=entry.transport.value,
            source=str(entry.source),
            destination=str(entry.destination),
            party=entry.sender,
            sender=sender,
            receiver=receiver,
            flow=entry.flow,
            kind=label.kind,
            title=label.title,
            hint=label.hint,
            size=_size(entry),
            octets=octets,
        )
        self._octets += len(octets)
        return row

    def _trim(self) -> None:
        clean = [row for row in self.rows.values() if not row.flow.final.findings]
        self._strip(clean, self._most_octets // 2)
        self._strip(list(self.rows.values()), 2 * self._most_octets)
        spare = len(self.rows) - self._most_rows
        for row in clean[: max(spare * 2, 0)]:
            self._octets -= len(row.octets or b"")
            del self.rows[row.place]
            self.dropped += 1
        self._trim_at = max(self._most_rows, len(self.rows) * 5 // 4)
        self._stands_for = {key: row for key, row in self._stands_for.items() if row.place in self.rows}

    def _strip(self, rows: Iterable[Row], down_to: int) -> None:
        """Let go of octets, the oldest first, until there are no more than so many."""
        for row in rows:
            if self._octets <= down_to:
                break
            self._octets -= len(row.octets or b"")
            row.octets = None


def _size(entry: SipEntry | MsrpEntry) -> int:
    return len(entry.raw) + (entry.body.size if isinstance(entry, MsrpEntry) else 0)


def _continued(entry: SipEntry | MsrpEntry) -> tuple[int, bool] | None:
    """Of a middle chunk of an MSRP message, or the 200 to one: the place of the first chunk, and which."""
    if not isinstance(entry, MsrpEntry) or entry.status not in (0, 200):
        return None
    asked = entry.transaction.request if entry.transaction is not None else None
    if asked is None or asked.part_of is None or asked.method != "SEND" or asked.flag is not Flag.MORE:
        return None
    first = asked.part_of.first
    return None if asked is first else (first.place, asked is not entry)
