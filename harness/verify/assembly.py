"""From a timeline to linked items: messages, transactions, dialogs, CPIM and IMDN chains, registrations.

Reads octets and addresses only, so that a capture and a live lab give the same. Streams are cut by
harness.sip.framing (RFC 3261 18.3); responses meet their requests as in RFC 3261 17.1.3, or by Call-ID and
CSeq where a broken message would be lost otherwise; dialogs follow RFC 3261 12.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from harness.bodies.cpim import CpimMessage, parse_cpim
from harness.bodies.imdn import MEDIA_TYPE as IMDN_TYPE
from harness.bodies.imdn import parse_imdn
from harness.bodies.multipart import Part, split_multipart
from harness.errors import BodySyntaxError, SipSyntaxError
from harness.evidence.timeline import DATAGRAMS_LOST, OCTETS_LOST, Entry, Event, Layer, Packet, Transport
from harness.sip.framing import FramingError, Limits, StreamFramer
from harness.sip.message import Request, Response, parse_message
from harness.sip.uri import Uri
from harness.verify.comparison import is_encoded, party_of
from harness.verify.items import (
    CpimItem,
    Dialog,
    EventItem,
    Item,
    Notification,
    RegistrationState,
    SipEntry,
    Transaction,
    reading,
)
from harness.verify.parties import Parties, normal_host

RETRIED_STATUSES = frozenset(
    {401, 407, 413, 415, 416, 420, 422, 423, 488, 494, 500, 503, 504} | {*range(300, 400)}
)
DIALOG_METHODS = frozenset({"INVITE", "SUBSCRIBE", "REFER"})
TARGET_REFRESH = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})

# What no rule forbids is judged, however large: these bound memory only.
_INCOMPLETE = ("capture-truncated", OCTETS_LOST, DATAGRAMS_LOST)
LIMITS = Limits(header_octets=1024 * 1024, body_octets=64 * 1024 * 1024, fields=20_000)

_MEANT_AS_SIP = re.compile(rb"SIP/\d|(?:\A|\n)(?:via|v|cseq|call-id)[ \t]*:", re.IGNORECASE)
_STUN_TYPES = frozenset({0x0001, 0x0101, 0x0111, 0x0011})


@dataclass(slots=True)
class _Stream:
    """One direction of a connection. lost: its framing broke before, so what follows may be a remainder."""

    framer: StreamFramer
    last: Packet
    lost: bool = False
    before: SipEntry | None = None
    """The message the next octets follow."""


class Assembly:
    """Feed it entries of one timeline in order; what it has seen stays readable.

    from_start: the timeline shows the handset from the start (an event of the lab or its first REGISTER came
    before any other request), so that what was not seen did not happen. incomplete: octets are missing from
    the capture somewhere, so that this no longer holds.
    """

    def __init__(self) -> None:
        self.parties = Parties()
        self.items: list[Item] = []
        self.messages: list[SipEntry] = []
        self.transactions: list[Transaction] = []
        self.dialogs: list[Dialog] = []
        self.registrations: list[RegistrationState] = []
        self.now = 0.0
        self.from_start: bool | None = None
        self.incomplete = False
        self._streams: dict[tuple[object, object], _Stream] = {}
        self._heard: dict[str, list[float]] = defaultdict(list)
        self._places = count(1)
        self._by_branch: dict[str, list[Transaction]] = defaultdict(list)
        self._by_call: dict[str, list[Transaction]] = defaultdict(list)
        self._dialogs: dict[tuple[str, frozenset[str]], Dialog] = {}
        self._by_id: dict[tuple[str, str], list[SipEntry]] = defaultdict(list)
        self._by_pair: dict[frozenset[str], list[SipEntry]] = defaultdict(list)
        self._repeats: dict[tuple[bytes, str, str], SipEntry] = {}
        self._events: dict[tuple[Layer, str], list[EventItem]] = defaultdict(list)
        self._cpim: list[CpimItem] = []
        self._originals: dict[str, list[CpimItem]] = defaultdict(list)
        self._notifications: dict[str, list[Notification]] = defaultdict(list)

    # -- reading ------------------------------------------------------------------------------------------

    def feed(self, entries: Iterable[Entry]) -> Iterator[Item]:
        """Cut all entries into items, learn who is who, then hand the items out in order.

        Each item is linked when it is handed out: while it is being judged, nothing later is linked yet.
        """
        cut = [item for entry in entries for item in self._cut(entry)]
        for item in cut:
            self.now = max(self.now, item.time)
            yield from self._link(item)

    def heard_from(self, host: str, start: float, end: float) -> bool:
        """Whether any octets, keep-alives included, came from the host from start to end."""
        times = self._heard.get(normal_host(host), [])
        place = bisect_left(times, start)
        return place < len(times) and times[place] <= end

    def transactions_of(self, call_id: str | None) -> list[Transaction]:
        """Transactions with that Call-ID, in order."""
        return list(self._by_call.get(call_id or "", ()))

    def transactions_on(self, branch: str | None) -> list[Transaction]:
        """Transactions whose request has that branch, in order."""
        return list(self._by_branch.get(branch or "", ()))

    def requests_with(self, name: str, value: str) -> list[SipEntry]:
        """Requests whose Conversation-ID or Contribution-ID (the name) is the value, in order."""
        return list(self._by_id.get((name, value), ()))

    def requests_between(self, one: Uri, other: Uri) -> list[SipEntry]:
        """Requests outside dialogs between two parties (From and To, either way round), in order."""
        return list(self._by_pair.get(frozenset((party_of(one), party_of(other))), ()))

    def dialog(self, call_id: str | None, one_tag: str | None, other_tag: str | None) -> Dialog | None:
        """The dialog with that Call-ID and those tags, whichever side is which."""
        return self._dialogs.get((call_id or "", frozenset((one_tag or "", other_tag or ""))))

    def dialogs_of(self, call_id: str | None) -> list[Dialog]:
        """Dialogs with that Call-ID (more than one when the request forked)."""
        return [dialog for dialog in self.dialogs if dialog.call_id == call_id]

    def cpim_items(self) -> list[CpimItem]:
        """All CPIM objects so far."""
        return list(self._cpim)

    def originals(self, message_id: str | None) -> list[CpimItem]:
        """CPIM messages (IMDNs too) that carry this imdn.Message-ID, oldest first."""
        return list(self._originals.get(message_id or "", ()))

    def notifications(self, message_id: str | None) -> list[Notification]:
        """IMDNs that report on this message-id, oldest first."""
        return list(self._notifications.get(message_id or "", ()))

    def registration_at(self, time: float, aor: str | None = None) -> RegistrationState | None:
        """The registration that stood at that time (of that address of record), the newest first."""
        for state in reversed(self.registrations):
            if state.holds_at(time) and aor in (None, state.aor, *state.associated):
                return state
        return None

    def events(self, layer: Layer, name: str) -> list[EventItem]:
        """Events of a layer by name, oldest first."""
        return list(self._events.get((layer, name), ()))

    # -- cutting ------------------------------------------------------------------------------------------

    def _cut(self, entry: Entry) -> Iterator[SipEntry | EventItem]:
        if isinstance(entry, Event):
            yield from self._cut_event(entry)
            return
        self.incomplete |= entry.missing > 0
        if entry.layer is not Layer.SIP:
            return
        self._heard[normal_host(entry.source.host)].append(entry.time)
        for found in self._messages_of(entry):
            yield self._learnt(found)

    def _cut_event(self, event: Event) -> Iterator[SipEntry | EventItem]:
        self.parties.hint(event)
        self.incomplete |= event.name in _INCOMPLETE
        if event.layer is Layer.LAB and event.name in ("test-start", "parties") and self.from_start is None:
            self.from_start = True
        if event.layer is Layer.SIP and event.name == "connection" and event.text.startswith("closed"):
            for found in self._broken_off(event.fields.get("connection")):
                yield self._learnt(found)
        yield EventItem(event.number, event.time, event.layer, event.name, event.text, event.fields)

    def _learnt(self, found: SipEntry) -> SipEntry:
        self.parties.learn(found)
        if self.from_start is None and found.request is not None:
            self.from_start = found.method == "REGISTER"
        return found

    def _messages_of(self, packet: Packet) -> Iterator[SipEntry]:
        if packet.transport is Transport.UDP:
            yield from self._datagram(packet)
            return
        key = packet.source, packet.connection if packet.connection is not None else packet.destination
        stream = self._streams.get(key)
        if stream is None or stream.framer.broken or packet.missing:
            lost = stream is not None
            stream = self._streams[key] = _Stream(StreamFramer(LIMITS), packet, lost)
        stream.last = packet
        for piece in stream.framer.receive(packet.data):
            if isinstance(piece, Request | Response):
                stream.before = self._entry(packet, piece.raw, piece)
                yield stream.before
            elif isinstance(piece, FramingError):
                yield from self._no_message(stream, piece)

    def _no_message(self, stream: _Stream, error: FramingError) -> Iterator[SipEntry]:
        """Octets of a stream that are no message. Behind a break they may be the rest of what broke it."""
        octets = error.octets
        meant = _MEANT_AS_SIP.search(octets) is not None
        if not meant and (stream.lost or _is_another_protocol(octets)):
            return
        entry = self._entry(stream.last, octets, _head(error), error)
        before = stream.before
        if not meant and before is not None and "Content-Type" in before.sip:
            entry.follows = before
        yield entry

    def _broken_off(self, connection: object) -> Iterator[SipEntry]:
        """What a closed connection leaves behind without the end of a message."""
        for (_, key), stream in self._streams.items():
            error = stream.framer.finish() if connection is not None and key == connection else None
            if error is not None and not _is_another_protocol(error.octets):
                yield from self._no_message(stream, error)

    def _datagram(self, packet: Packet) -> Iterator[SipEntry]:
        data = packet.data
        if not data.strip(b"\r\n\0 \t") or _is_another_protocol(data):
            return
        try:
            yield self._entry(packet, data, parse_message(data))
        except SipSyntaxError as error:
            yield self._entry(packet, data, None, error)

    def _entry(
        self,
        packet: Packet,
        raw: bytes,
        message: Request | Response | None,
        error: SipSyntaxError | None = None,
    ) -> SipEntry:
        return SipEntry(
            packet.number,
            packet.time,
            packet.transport,
            packet.source,
            packet.destination,
            packet.connection,
            raw,
            message,
            error,
            incomplete=packet.missing > 0 and packet.transport is Transport.UDP,
            place=next(self._places),
            role=self.parties.sender,
        )

    # -- linking ------------------------------------------------------------------------------------------

    def _link(self, item: SipEntry | EventItem) -> Iterator[Item]:
        self.items.append(item)
        if isinstance(item, EventItem):
            self._events[item.layer, item.name].append(item)
        if isinstance(item, SipEntry):
            self.messages.append(item)
            if not self._is_repeat(item):
                if item.request is not None:
                    self._link_request(item, item.request)
                elif item.response is not None:
                    self._link_response(item)
                self._read_bodies(item)
        yield item
        if isinstance(item, SipEntry):
            self.items += item.bodies
            yield from item.bodies

    def _is_repeat(self, entry: SipEntry) -> bool:
        """Same octets on the same way: a retransmission (17.1.1.2, 17.1.2.2, 13.3.1.4), linked to the
        first.
        """
        if entry.message is None:
            return False
        key = entry.raw, normal_host(entry.source.host), normal_host(entry.destination.host)
        first = self._repeats.setdefault(key, entry)
        if first is entry:
            return False
        entry.retransmission_of, entry.transaction, entry.dialog = first, first.transaction, first.dialog
        first.retransmissions.append(entry)
        return True

    def _link_request(self, entry: SipEntry, request: Request) -> None:
        if request.method == "ACK":
            self._link_ack(entry)
            return
        transaction = entry.transaction = Transaction(entry)
        if request.method == "CANCEL":
            target = self._cancelled(entry)
            if target is not None:
                transaction.cancels, target.cancelled_by = target, target.cancelled_by or transaction
        else:
            self._link_retry(entry, transaction)
        self.transactions.append(transaction)
        self._by_branch[entry.branch or ""].append(transaction)
        self._by_call[entry.call_id or ""].append(transaction)
        for name in ("Conversation-ID", "Contribution-ID"):
            self._by_id[name, request.get(name) or ""].append(entry)
        if entry.from_ is not None and entry.to is not None and not entry.to_tag:
            self._by_pair[frozenset((party_of(entry.from_.uri), party_of(entry.to.uri)))].append(entry)
        self._link_in_dialog(entry)

    def _link_ack(self, entry: SipEntry) -> None:
        invites = [known for known in self._by_branch.get(entry.branch or "", ()) if known.method == "INVITE"]
        if not invites:
            invites = self._numbered_invites(entry)
        if invites:
            entry.transaction = invites[-1]
            invites[-1].acks.append(entry)
        self._link_in_dialog(entry)

    def _numbered_invites(self, ack: SipEntry) -> list[Transaction]:
        """INVITEs of the ACK's Call-ID and number, on its way or, since the ACK to a 2xx goes to the Contact
        where no proxy recorded a route (12.2.1.1), from its source.
        """
        number = ack.cseq.number if ack.cseq else None
        invites = [
            known
            for known in self._by_call.get(ack.call_id or "", ())
            if known.method == "INVITE" and known.request.cseq and known.request.cseq.number == number
        ]
        same_way = [known for known in invites if _same_way(known.request, ack)]
        same_source = [known for known in invites if _same_source(known.request, ack)]
        return same_way or same_source

    def _cancelled(self, entry: SipEntry) -> Transaction | None:
        """The transaction a CANCEL means: same branch, else same Call-ID and CSeq number (9.1)."""
        same_branch = [
            known for known in self._by_branch.get(entry.branch or "", ()) if known.method != "CANCEL"
        ]
        if same_branch:
            return same_branch[-1]
        number = entry.cseq.number if entry.cseq else None
        for known in reversed(self._by_call.get(entry.call_id or "", ())):
            cseq = known.request.cseq
            if known.method not in ("CANCEL", "ACK") and cseq and cseq.number == number:
                return known
        return None

    def _link_retry(self, entry: SipEntry, transaction: Transaction) -> None:
        for known in reversed(self._by_call.get(entry.call_id or "", ())):
            if known.method != entry.method or not _same_way(known.request, entry):
                continue
            final = known.final
            if final is not None and final.status in RETRIED_STATUSES and known.retried_by is None:
                transaction.retry_of, known.retried_by = known, transaction
            return

    def _link_in_dialog(self, entry: SipEntry) -> None:
        if not entry.to_tag:
            return
        dialog = self.dialog(entry.call_id, entry.from_tag, entry.to_tag) or self._early_notify(entry)
        if dialog is None:
            return
        entry.dialog = dialog
        dialog.requests.append(entry)
        if entry.method in TARGET_REFRESH and entry.contacts:
            targets = dialog.caller_targets if dialog.by_caller(entry) else dialog.callee_targets
            targets.append(entry)

    def _early_notify(self, entry: SipEntry) -> Dialog | None:
        """A NOTIFY that overtakes the 2xx to SUBSCRIBE makes the dialog (RFC 6665 4.4.1)."""
        if entry.method != "NOTIFY":
            return None
        for known in reversed(self._by_call.get(entry.call_id or "", ())):
            asked = known.request
            if known.method in ("SUBSCRIBE", "REFER") and asked.from_tag == entry.to_tag and entry.from_tag:
                return self._new_dialog(known, entry, entry.from_tag)
        return None

    def _link_response(self, entry: SipEntry) -> None:
        transaction = entry.transaction = self._answered(entry)
        if transaction is None:
            return
        transaction.responses.append(entry)
        request = transaction.request
        entry.dialog = request.dialog
        if request.dialog is None and transaction.method in DIALOG_METHODS:
            self._establish(transaction, entry)
        elif request.dialog is not None and 200 <= entry.status < 300:
            self._refresh(request.dialog, request, entry)
        if transaction.method == "REGISTER" and 200 <= entry.status < 300:
            self._register(transaction, entry)

    def _answered(self, entry: SipEntry) -> Transaction | None:
        """The request a response answers: branch, Call-ID and method, then less of them, then Call-ID and
        CSeq alone, on its leg. A request that has its final response does not take one of another branch.
        """
        cseq = entry.cseq
        on_leg = [
            known
            for known in self._by_branch.get(entry.branch or "", ())
            if _answers_way(known.request, entry)
        ]
        exact = [known for known in on_leg if cseq and known.method == cseq.method]
        closest = [
            known for known in exact if known.request.call_id == entry.call_id and known.request.cseq == cseq
        ]
        if on_leg:
            return (closest or exact or on_leg)[-1]
        same = [
            known
            for known in self._by_call.get(entry.call_id or "", ())
            if cseq
            and known.request.cseq == cseq
            and _answers_way(known.request, entry)
            and not (known.final is not None and known.final.branch == known.request.branch)
        ]
        return same[-1] if same else None

    def _establish(self, transaction: Transaction, entry: SipEntry) -> None:
        if not 101 <= entry.status < 300 or not entry.to_tag or not entry.call_id:
            return
        dialog = self.dialog(entry.call_id, entry.from_tag, entry.to_tag)
        if dialog is None:
            if transaction.method != "INVITE" and entry.status < 200:
                return
            dialog = self._new_dialog(transaction, entry, entry.to_tag)
        if dialog is None:
            return
        entry.dialog = dialog
        if entry.contacts:
            dialog.callee_targets.append(entry)
        if entry.status >= 200 and dialog.confirmed is None:
            dialog.confirmed = entry

    def _new_dialog(self, transaction: Transaction, entry: SipEntry, callee_tag: str) -> Dialog | None:
        request = transaction.request
        if not request.from_tag or not request.call_id:
            return None
        dialog = Dialog(request.call_id, request.from_tag, callee_tag, transaction, entry)
        if request.contacts:
            dialog.caller_targets.append(request)
        self._dialogs[request.call_id, frozenset((request.from_tag, callee_tag))] = dialog
        self.dialogs.append(dialog)
        return dialog

    def _refresh(self, dialog: Dialog, request: SipEntry, entry: SipEntry) -> None:
        if request.method in TARGET_REFRESH and entry.contacts:
            targets = dialog.callee_targets if dialog.by_caller(request) else dialog.caller_targets
            targets.append(entry)

    def _register(self, transaction: Transaction, entry: SipEntry) -> None:
        request, message = transaction.request, entry.message
        if message is None or request.message is None or request.to is None:
            return
        for known in self.registrations:
            if known.call_id == request.call_id and known.ended_at is None:
                known.ended_at = entry.time
        asked = request.contacts
        star = (request.message.get("Contact") or "").strip() == "*"
        self.registrations.append(
            RegistrationState(
                transaction,
                entry,
                request.to.uri.text,
                request.call_id or "",
                asked,
                entry.contacts,
                0 if star else _lifetime(request, entry),
                [value.strip("<> ") for value in message.values("P-Associated-URI")],
                message.values("Service-Route"),
            )
        )

    # -- bodies -------------------------------------------------------------------------------------------

    def _read_bodies(self, entry: SipEntry) -> None:
        message = entry.message
        if message is None or not message.body or entry.incomplete or is_encoded(message):
            return
        for offset, raw in _cpim_objects(entry, message):
            item = CpimItem(entry, offset, raw, None)
            try:
                item.cpim = parse_cpim(raw)
            except BodySyntaxError as error:
                item.error = error
            _read_imdns(item)
            entry.bodies.append(item)
            self.add_cpim(item)

    def add_cpim(self, item: CpimItem) -> None:
        """Take a CPIM object into the chains (an MSRP assembly calls this too)."""
        self._cpim.append(item)
        if item.message_id:
            self._originals[item.message_id].append(item)
        for imdn in item.imdns:
            self._notifications[imdn.message_id or ""].append(Notification(item, imdn))


def _head(error: FramingError) -> Request | Response | None:
    """The head of a message that broke the framing; None where its end is missing, or it is none."""
    if error.what != "Content-Length":
        return None
    try:
        return parse_message(error.octets)
    except SipSyntaxError:
        return None


def _same_way(one: SipEntry, other: SipEntry) -> bool:
    return normal_host(one.source.host) == normal_host(other.source.host) and normal_host(
        one.destination.host
    ) == normal_host(other.destination.host)


def _same_source(one: SipEntry, other: SipEntry) -> bool:
    return normal_host(one.source.host) == normal_host(other.source.host)


def _answers_way(request: SipEntry, response: SipEntry) -> bool:
    """Whether the response runs against the request on one leg; a port of theirs must meet where hosts are
    equal.
    """
    hosts = normal_host(request.source.host), normal_host(request.destination.host)
    if hosts != (normal_host(response.destination.host), normal_host(response.source.host)):
        return False
    if request.connection is not None and request.connection == response.connection:
        return request.source == response.source.__class__(*response.destination)
    return True


def _lifetime(request: SipEntry, response: SipEntry) -> int:
    """Seconds granted: `expires` of the handset's Contact in the 2xx, else Expires; 0 when it is not
    bound.
    """
    message = response.message
    general = _seconds(message.get("Expires")) if message else None
    own = [contact.uri for contact in request.contacts]
    for contact in response.contacts:
        if any(contact.uri.equivalent(uri) for uri in own):
            value = _seconds(contact.parameters.get("expires"))
            return value if value is not None else general if general is not None else 3600
    return 0


def _seconds(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdigit() else None


def _cpim_objects(entry: SipEntry, message: Request | Response) -> Iterator[tuple[int, bytes]]:
    """CPIM objects of the body with the octet in the message where each starts."""
    kind = entry.content_type
    if kind is None:
        return
    if kind.essence == "message/cpim":
        yield message.body_offset, message.body
    elif kind.type.lower() == "multipart":
        for part in _parts(message.body, kind.parameters.get("boundary")):
            if part.content_type is not None and part.content_type.essence == "message/cpim":
                yield message.body_offset + part.content_offset, part.content


def _parts(body: bytes, boundary: str | None) -> tuple[Part, ...]:
    try:
        return split_multipart(body, boundary or "").parts
    except BodySyntaxError:
        return ()


def _read_imdns(item: CpimItem) -> None:
    cpim = item.cpim
    kind = cpim.content_type if cpim else None
    if cpim is None or kind is None:
        return
    entities: list[CpimMessage | Part] = []
    if kind.essence == IMDN_TYPE:
        entities.append(cpim)
    elif kind.type == "multipart":
        parts = _parts(cpim.content, kind.parameters.get("boundary"))
        entities += [each for each in parts if each.content_type and each.content_type.essence == IMDN_TYPE]
    for entity in entities:
        try:
            if entity.decodable:
                item.imdns.append(parse_imdn(entity.decoded()))
        except BodySyntaxError as error:
            item.imdn_error = error


def _is_another_protocol(octets: bytes) -> bool:
    """STUN (RFC 5626 4.4.2), SigComp (RFC 3320 7) or a TLS record, which may come to a SIP port."""
    if len(octets) >= 20 and octets[0] < 0x40:
        declared = int.from_bytes(octets[2:4], "big")
        kind = int.from_bytes(octets[:2], "big")
        if octets[4:8] == b"\x21\x12\xa4\x42" or (kind in _STUN_TYPES and declared == len(octets) - 20):
            return True
    return octets[:1] >= b"\xf8" or octets[:2] == b"\x16\x03"


__all__ = ["Assembly", "reading"]
