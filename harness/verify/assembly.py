"""From a timeline to linked items: messages, transactions, dialogs, CPIM and IMDN chains, registrations.

Reads octets and addresses only, so that a capture and a live lab give the same. Streams are cut by
sip_streams.py and msrp_streams.py, and put together by sip_assembly.py and msrp_assembly.py; offers and
answers are matched by negotiation.py, and chains.py ties notifications to messages.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count

from harness.evidence.timeline import DATAGRAMS_LOST, OCTETS_LOST, Entry, Event, Layer
from harness.verify.chains import Chains, cpim_of_sip
from harness.verify.conferences import Conferences
from harness.verify.conversations import Conversations
from harness.verify.items import (
    CpimItem,
    EventItem,
    Item,
    Notification,
    SipEntry,
)
from harness.verify.legs import Legs
from harness.verify.msrp_assembly import MsrpAssembly
from harness.verify.msrp_items import ChunkedMessage, MsrpEntry
from harness.verify.msrp_streams import MsrpStreams
from harness.verify.negotiation import Negotiations
from harness.verify.over import KEPT, calls_over
from harness.verify.parties import Parties, normal_host
from harness.verify.sip_assembly import SipAssembly
from harness.verify.sip_streams import SipStreams

_INCOMPLETE = ("capture-truncated", OCTETS_LOST, DATAGRAMS_LOST)
_Cut = SipEntry | MsrpEntry | EventItem
_LOOK_AHEAD = 2000  # items
_OCTETS_AHEAD = 4 * 1024 * 1024
_SWEPT = 2000
_SWEPT_SHARE = 0.5
"""So many messages come before what is over is looked for again, or that share of those held if it is more:
then looking at all that is held costs the same for each message."""


class Assembly(SipAssembly):
    """Feed it entries of one timeline in order; what it has seen stays readable.

    from_start: the timeline shows the handset from the start (an event of the lab or its first REGISTER came
    before any other request), so that what was not seen did not happen. began: time of the first item,
    seconds since the epoch. incomplete: octets are missing from the capture somewhere, so that this no longer
    holds. has_unseen: of what was let go something could not be read, or was a session of which nothing came.
    witnessed: the lab itself was there, and no datagram is missing unseen. forgets: what is over (over.py) is
    let go; else all that was seen stays.
    """

    def __init__(self, *, forgets: bool = False) -> None:
        super().__init__()
        self.forgets = forgets
        self._linked, self._next_sweep = 0, _SWEPT
        self.on_forget: Callable[[], None] = lambda: None
        """Called when something was let go."""
        self.parties = Parties()
        self.legs = Legs(self.parties.of_host)
        self.now = 0.0
        self.began: float | None = None
        self.has_unseen = False
        self.from_start: bool | None = None
        self.witnessed = False
        self.incomplete = False
        self.chains = Chains()
        self.negotiations = Negotiations()
        self.msrp = MsrpAssembly(self.negotiations, self.parties)
        self.conferences = Conferences()
        self.conversations = Conversations(self.chains, self.negotiations, self.msrp)
        places = count(1)
        self._sip_streams = SipStreams(places, self.parties.sender)
        self._msrp_streams = MsrpStreams(places, self.msrp.sender)
        self._heard: dict[str, list[float]] = defaultdict(list)
        self._events: dict[tuple[Layer, str], list[EventItem]] = defaultdict(list)
        self._events_of: dict[Layer, list[EventItem]] = defaultdict(list)

    # -- reading ------------------------------------------------------------------------------------------

    def feed(self, entries: Iterable[Entry]) -> Iterator[Item]:
        """Cut entries into items, learn who is who, and hand the items out in order.

        Who is who is learnt from all entries before the first item is handed out; an assembly that forgets
        looks only a bounded number of entries ahead.

        Each item is linked when it is handed out: while it is being judged, nothing later is linked yet.
        """
        ahead: deque[_Cut] = deque()
        octets = 0
        for entry in entries:
            for item in self._cut(entry):
                ahead.append(item)
                octets += _octets_of(item)
            while self.forgets and (len(ahead) > _LOOK_AHEAD or octets > _OCTETS_AHEAD) and ahead:
                item = ahead.popleft()
                octets -= _octets_of(item)
                yield from self._hand_out(item)
        while ahead:
            yield from self._hand_out(ahead.popleft())

    def _hand_out(self, item: _Cut) -> Iterator[Item]:
        self.now = max(self.now, item.time)
        self.began = item.time if self.began is None else self.began
        self._linked += 1
        if self.forgets and self._linked > self._next_sweep:
            self._forget()
            held = len(self.messages) + len(self.msrp.entries)
            self._next_sweep = self._linked + max(_SWEPT, int(held * _SWEPT_SHARE))
        yield from self._link(item)

    def _forget(self) -> None:
        """Let go of what is over."""
        calls = calls_over(self, self.chains, self.now)
        for item in self.chains.forget(calls):
            self.remembered.take_cpim(item)
            self.has_unseen |= item.cpim is None
        self._forget_sip(calls, self.now)
        gone = self.negotiations.forget(calls)
        self.has_unseen |= any(not self.msrp.has_entries(session) for session in gone)
        self.msrp.forget(gone, self.now - KEPT)
        self.conferences.forget(calls)
        self.conversations.begin_anew()
        self.on_forget()
        for host, times in self._heard.items():
            self._heard[host] = times[bisect_left(times, self.now - KEPT) :]
        for events in (*self._events.values(), *self._events_of.values()):
            events[:] = [each for each in events if each.name != "connection" or each.time > self.now - KEPT]

    def heard_from(self, host: str, start: float, end: float) -> bool:
        """Whether any octets, keep-alives included, came from the host from start to end."""
        times = self._heard.get(normal_host(host), [])
        place = bisect_left(times, start)
        return place < len(times) and times[place] <= end

    def cpim_items(self) -> list[CpimItem]:
        """All CPIM objects so far."""
        return self.chains.items

    def originals(self, message_id: str | None) -> list[CpimItem]:
        """CPIM messages (IMDNs too) that carry this imdn.Message-ID, oldest first."""
        return self.chains.originals(message_id)

    def notifications(self, message_id: str | None) -> list[Notification]:
        """IMDNs that report on this message-id, oldest first."""
        return self.chains.notifications(message_id)

    def events(self, layer: Layer, name: str) -> list[EventItem]:
        """Events of a layer by name, oldest first."""
        return list(self._events.get((layer, name), ()))

    def events_of(self, layer: Layer) -> Sequence[EventItem]:
        """All events of a layer, oldest first."""
        return self._events_of.get(layer, ())

    # -- cutting ------------------------------------------------------------------------------------------

    def _cut(self, entry: Entry) -> Iterator[_Cut]:
        if isinstance(entry, Event):
            yield from self._cut_event(entry)
            return
        self.incomplete |= entry.missing > 0
        if entry.layer is Layer.MSRP:
            for message in self._msrp_streams.receive(entry):
                self.legs.learn_msrp(message)
                yield message
        elif entry.layer is Layer.SIP:
            self._heard[normal_host(entry.source.host)].append(entry.time)
            for found in self._sip_streams.receive(entry):
                self.incomplete |= found.incomplete
                yield self._learnt(found)

    def _cut_event(self, event: Event) -> Iterator[_Cut]:
        self.parties.hint(event)
        self.incomplete |= event.name in _INCOMPLETE
        if event.layer is Layer.LAB and event.name in ("test-start", "parties"):
            self.witnessed = True
            self.from_start = True if self.from_start is None else self.from_start
        if event.name == "connection" and event.text.startswith("closed"):
            if event.layer is Layer.MSRP:
                yield from self._msrp_streams.ended(event)
            else:
                for found in self._sip_streams.ended(event.fields.get("connection")):
                    yield self._learnt(found)
        item = EventItem(event.number, event.time, event.layer, event.name, event.text, event.fields)
        if event.layer is Layer.MSRP and "opened_by" in event.fields:
            self.msrp.opened(item)
        yield item

    def _learnt(self, found: SipEntry) -> SipEntry:
        if not self.legs.learn_sip(found):
            self.parties.learn(found)
        if self.from_start is None and found.request is not None:
            self.from_start = found.method == "REGISTER"
        return found

    # -- linking ------------------------------------------------------------------------------------------

    def _link(self, item: _Cut) -> Iterator[Item]:
        if not isinstance(item, EventItem) and self.legs.repeats(item):
            return
        if isinstance(item, MsrpEntry):
            yield from self._link_msrp(item)
            return
        if isinstance(item, EventItem):
            self._events[item.layer, item.name].append(item)
            self._events_of[item.layer].append(item)
            if item.layer is Layer.MSRP and item.text.startswith("closed"):
                self.msrp.ended(item)
            yield item
            return
        if self._link_sip(item):
            self._read_bodies(item)
            self.conferences.read(item)
            self._miss_what_was_answered(item)
        yield item
        if item.description is not None:
            yield item.description
        yield from item.bodies

    def _miss_what_was_answered(self, entry: SipEntry) -> None:
        """An answer to what a capture has not: a datagram was lost, which leaves no other trace."""
        answers = entry.response is not None and entry.transaction is None and not entry.reliable
        self.incomplete |= answers and bool(self.from_start) and not self.witnessed

    def _link_msrp(self, entry: MsrpEntry) -> Iterator[Item]:
        made = list(self.msrp.link(entry))
        found = [item for item in made if isinstance(item, CpimItem)]
        for item in found:
            self.chains.add(item)
        if entry.session is not None:
            self.last_heard[entry.session.call_id or ""] = entry.time
        yield entry
        yield from (item for item in made if isinstance(item, ChunkedMessage))
        yield from found

    def _read_bodies(self, entry: SipEntry) -> None:
        self.negotiations.read(entry)
        for item in cpim_of_sip(entry):
            entry.bodies.append(item)
            self.chains.add(item)


def _octets_of(item: _Cut) -> int:
    if isinstance(item, EventItem):
        return 0
    return len(item.raw) + (item.body.size if isinstance(item, MsrpEntry) else 0)
