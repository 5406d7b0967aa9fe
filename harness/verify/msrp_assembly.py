"""From chunks and responses to sessions, transactions and whole messages (RFC 4975 7.1 to 7.3).

A message belongs to the SIP session whose SDP has the session-ids of its paths; addresses take no part in
that. Who sent it is who sent that SDP, else who else spoke on its connection, else what addresses tell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from harness.evidence.timeline import Address
from harness.msrp.message import Flag
from harness.verify.alike import answers_alike, goes_on
from harness.verify.chains import cpim_of_msrp
from harness.verify.finding import Party
from harness.verify.items import CpimItem, EventItem
from harness.verify.msrp_items import ChunkedMessage, MsrpEntry, MsrpTransaction
from harness.verify.negotiation import Negotiations
from harness.verify.negotiation_items import MsrpSession
from harness.verify.parties import Parties

K = TypeVar("K")
V = TypeVar("V")
_Side = tuple[object, bool | Address | None]  # a sender in a session, else on a connection


class MsrpAssembly:
    """Takes each entry once, in order. What it has seen stays readable."""

    def __init__(self, negotiations: Negotiations, parties: Parties) -> None:
        self.entries: list[MsrpEntry] = []
        self.transactions: list[MsrpTransaction] = []
        self.messages: list[ChunkedMessage] = []
        """In the order of their first chunks, whether they became complete or not."""
        self.openings: dict[int, EventItem] = {}
        """By the number of a connection, the event of its being opened; known from the start."""
        self.closed: dict[int, EventItem] = {}
        """By the number of a connection, the event of its end."""
        self._negotiations = negotiations
        self._parties = parties
        self._by_tid: dict[tuple[object, Address, str], list[MsrpTransaction]] = defaultdict(list)
        self._early: dict[tuple[object, Address, str], list[MsrpEntry]] = defaultdict(list)
        self._messages: dict[tuple[_Side, str], ChunkedMessage] = {}
        self._spoke: dict[tuple[object, Address], tuple[MsrpSession, bool]] = {}
        self._of_session: dict[MsrpSession, list[MsrpEntry]] = defaultdict(list)
        self._messages_of: dict[MsrpSession, list[ChunkedMessage]] = defaultdict(list)
        self._answered: dict[tuple[object, Address], MsrpEntry] = {}
        self._of_sender: dict[tuple[object, Address], list[MsrpEntry]] = defaultdict(list)

    def opened(self, event: EventItem) -> None:
        """Learn of a connection that was opened (event: "connection", with opened_by)."""
        self.openings[int(event.fields.get("connection", event.number))] = event

    def ended(self, event: EventItem) -> None:
        """Take in the end of a connection (event: "connection", "closed: ...")."""
        self.closed[int(event.fields.get("connection", 0))] = event

    def link(self, entry: MsrpEntry) -> Iterator[ChunkedMessage | CpimItem]:
        """Link an entry; gives the message that became complete, or was aborted, and the CPIM in it."""
        self.entries.append(entry)
        self._of_sender[_line(entry), entry.source].append(entry)
        if entry.message is None:
            return
        self._bind(entry)
        if entry.cut:
            entry.part_of = self._messages.get((_side(entry), entry.message_id or ""))
            return
        if entry.response is not None:
            self._link_response(entry)
            return
        self._open(entry)
        if entry.method == "REPORT":
            self._link_report(entry)
        elif entry.method == "SEND" and entry.has_body and entry.message_id:
            yield from self._link_chunk(entry, entry.message_id)

    def entries_of(self, session: MsrpSession) -> Sequence[MsrpEntry]:
        """Requests and responses of a session, in order."""
        return self._of_session.get(session, ())

    def has_entries(self, session: MsrpSession) -> bool:
        """Whether anything of a session was seen."""
        return session in self._of_session

    def messages_of(self, session: MsrpSession) -> Sequence[ChunkedMessage]:
        """Messages of a session, in the order of their first chunks."""
        return self._messages_of.get(session, ())

    def transactions_with(self, entry: MsrpEntry) -> list[MsrpTransaction]:
        """Transactions with the id of a request, of its sender on its connection, in order."""
        return list(self._by_tid.get((_line(entry), entry.source, entry.tid), ()))

    def entries_from(self, entry: MsrpEntry) -> Sequence[MsrpEntry]:
        """All of the entry's sender on the entry's connection so far, in order."""
        return self._of_sender.get((_line(entry), entry.source), ())

    def entries_towards(self, entry: MsrpEntry) -> Sequence[MsrpEntry]:
        """All of the far end on the entry's connection so far, in order."""
        return self._of_sender.get((_line(entry), entry.destination), ())

    def session_on(self, entry: MsrpEntry) -> MsrpSession | None:
        """The session that one of both ends has used on the entry's connection last."""
        line = _line(entry)
        found = self._spoke.get((line, entry.source)) or self._spoke.get((line, entry.destination))
        return found[0] if found else None

    def sender(self, entry: MsrpEntry) -> Party:
        """Who sent an entry."""
        found = self._spoke.get((_line(entry), entry.source))
        if entry.session is not None and entry.by_caller is not None:
            found = entry.session, entry.by_caller
        elif found is None:
            far = self._spoke.get((_line(entry), entry.destination))
            found = (far[0], not far[1]) if far else None
        party = found[0].party(found[1]) if found else Party.UNKNOWN
        return party if party is not Party.UNKNOWN else self._parties.sender(entry)

    # -- forgetting ---------------------------------------------------------------------------------------

    def forget(self, sessions: set[MsrpSession], before: float) -> None:
        """Let these sessions go, and what belongs to none and is older than that time."""
        for session in sessions:
            self._of_session.pop(session, None)
            self._messages_of.pop(session, None)

        def stays(entry: MsrpEntry) -> bool:
            return entry.session not in sessions if entry.session is not None else entry.time >= before

        self.entries = [entry for entry in self.entries if stays(entry)]
        self.transactions = [each for each in self.transactions if stays(each.request)]
        self.messages = [message for message in self.messages if stays(message.last)]
        self._messages = {key: each for key, each in self._messages.items() if stays(each.last)}
        self._spoke = {key: each for key, each in self._spoke.items() if each[0] not in sessions}
        self._by_tid = _kept(self._by_tid, lambda transaction: stays(transaction.request))
        self._early = _kept(self._early, stays)
        self._answered = {key: entry for key, entry in self._answered.items() if stays(entry)}
        self._of_sender = _kept(self._of_sender, stays)
        in_use = {line for line, _ in self._of_sender}
        for known in (self.openings, self.closed):
            for line in [line for line, event in known.items() if line not in in_use and event.time < before]:
                del known[line]

    # -- linking ------------------------------------------------------------------------------------------

    def _bind(self, entry: MsrpEntry) -> None:
        found = self._negotiations.session_of(entry)
        if found is None:
            return
        entry.session, entry.by_caller = found
        self._spoke[_line(entry), entry.source] = found
        self._of_session[entry.session].append(entry)

    def _open(self, entry: MsrpEntry) -> None:
        transaction = entry.transaction = MsrpTransaction(entry)
        self.transactions.append(transaction)
        key = _line(entry), entry.source, entry.tid
        self._by_tid[key].append(transaction)
        for response in self._early.pop(key, ()):
            if response.time >= entry.began:
                response.transaction = transaction
                transaction.responses.append(response)

    def _link_response(self, entry: MsrpEntry) -> None:
        key = _line(entry), entry.destination, entry.tid
        known = self._by_tid.get(key)
        if known:
            waiting = next((each for each in known if not each.responses), known[-1])
            entry.transaction = waiting
            waiting.responses.append(entry)
            line = _line(entry), entry.source
            before, self._answered[line] = self._answered.get(line), entry
            if entry.session is None and waiting.request.session is not None:
                request = waiting.request
                entry.session, entry.by_caller = request.session, not request.by_caller
            entry.alike = answers_alike(entry, before)
        elif entry.amid:
            self._early[key].append(entry)  # it came before the end of its request (7.2)

    def _link_report(self, entry: MsrpEntry) -> None:
        message = self._messages.get((_far_side(entry), entry.message_id or ""))
        if message is not None:
            entry.part_of = message
            message.reports.append(entry)

    def _link_chunk(self, entry: MsrpEntry, message_id: str) -> Iterator[ChunkedMessage | CpimItem]:
        key = _side(entry), message_id
        message = self._messages.get(key)
        if message is None or message.complete or message.aborted:
            message = self._messages[key] = ChunkedMessage(message_id, entry.session, again=message)
            self.messages.append(message)
            if entry.session is not None:
                self._messages_of[entry.session].append(message)
        entry.part_of = message
        entry.alike = goes_on(entry, message)
        if message.chunks:
            entry.assumed = message.last.start + message.last.body.size
        message.chunks.append(entry)
        start = entry.start - 1
        if start >= 0 and message.coverage.fits(start):
            message.coverage.add(start, start + entry.body.size)
        if entry.flag is Flag.COMPLETE:
            message.total = start + entry.body.size
        if message.complete or message.aborted:
            yield message
            cpim = cpim_of_msrp(message)
            if cpim is not None:
                entry.bodies.append(cpim)
                yield cpim


def _kept(index: dict[K, list[V]], stays: Callable[[V], bool]) -> defaultdict[K, list[V]]:
    kept = ((key, [value for value in values if stays(value)]) for key, values in index.items())
    return defaultdict(list, {key: values for key, values in kept if values})


def opened_by(event: EventItem) -> Address | None:
    """The end that opened the connection an event tells of, where it does."""
    text = event.fields.get("opened_by")
    host, _, port = str(text or "").rpartition(":")
    return Address(host.strip("[]"), int(port)) if port.isdigit() else None


def _line(entry: MsrpEntry) -> object:
    """What both directions of a connection have in common."""
    if entry.connection is not None:
        return entry.connection
    return frozenset((entry.source, entry.destination))


def _side(entry: MsrpEntry) -> _Side:
    if entry.session is not None:
        return entry.session, entry.by_caller
    return _line(entry), entry.source


def _far_side(entry: MsrpEntry) -> _Side:
    if entry.session is not None:
        return entry.session, not entry.by_caller
    return _line(entry), entry.destination
