"""CPIM objects by their ids, and the notifications on each, whatever carried them (RFC 5438 7.1.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import TypeVar

from harness.bodies.cpim import CpimMessage, parse_cpim
from harness.bodies.imdn import MEDIA_TYPE as IMDN_TYPE
from harness.bodies.imdn import parse_imdn
from harness.bodies.multipart import Part
from harness.errors import BodySyntaxError
from harness.verify.items import CpimItem, Notification, SipEntry
from harness.verify.msrp_items import ChunkedMessage
from harness.verify.sip_bodies import bodies_of, parts_of

K = TypeVar("K")
V = TypeVar("V")

CPIM = "message/cpim"
CPIM_OCTETS = 4 * 1024 * 1024
"""A CPIM object in MSRP up to this size is read as a whole, of a larger one the beginning only."""
_BEGINNING = 64 * 1024
# RFC 5438 6.2: token of Disposition-Notification -> the notification it asks for.
ASKED = {"positive-delivery": "delivery", "display": "display"}


class Chains:
    """Feed it CPIM objects in order."""

    def __init__(self) -> None:
        self._cpim: list[CpimItem] = []
        self._originals: dict[str, list[CpimItem]] = defaultdict(list)
        self._notifications: dict[str, list[Notification]] = defaultdict(list)
        self._of_call: dict[str, list[CpimItem]] = defaultdict(list)

    def add(self, item: CpimItem) -> None:
        """Take a CPIM object into the chains."""
        self._cpim.append(item)
        self._of_call[_call_of(item)].append(item)
        if item.message_id:
            self._originals[item.message_id].append(item)
        for imdn in item.imdns:
            self._notifications[imdn.message_id or ""].append(Notification(item, imdn))

    @property
    def items(self) -> list[CpimItem]:
        """All CPIM objects so far."""
        return list(self._cpim)

    def after(self, count: int) -> list[CpimItem]:
        """CPIM objects beside the first so many, in order."""
        return self._cpim[count:]

    def originals(self, message_id: str | None) -> list[CpimItem]:
        """CPIM messages (IMDNs too) that carry this imdn.Message-ID, oldest first."""
        return list(self._originals.get(message_id or "", ()))

    def notifications(self, message_id: str | None) -> list[Notification]:
        """IMDNs that report on this message-id, oldest first."""
        return list(self._notifications.get(message_id or "", ()))

    def carried_in(self, call_id: str) -> Sequence[CpimItem]:
        """CPIM objects of SIP messages with that Call-ID, and of MSRP sessions set up by them."""
        return self._of_call.get(call_id, ())

    def forget(self, calls: set[str]) -> list[CpimItem]:
        """Let the objects of these calls go; gives them."""
        gone = [item for call_id in calls for item in self._of_call.pop(call_id, ())]
        for item in gone:
            if item.message_id:
                let_go(self._originals, item.message_id, [item])
            for message_id in {imdn.message_id or "" for imdn in item.imdns}:
                told = [known for known in self._notifications.get(message_id, ()) if known.item is item]
                let_go(self._notifications, message_id, told)
        if gone:
            them = set(map(id, gone))
            self._cpim = [item for item in self._cpim if id(item) not in them]
        return gone


def _call_of(item: CpimItem) -> str:
    carrier = item.carrier
    if isinstance(carrier, SipEntry):
        return carrier.call_id or ""
    return (carrier.session.call_id if carrier.session is not None else None) or ""


def let_go(index: dict[K, list[V]], key: K, gone: Collection[V]) -> None:
    """Take out of the list of a key what is gone, and the key with its last value."""
    values = index.get(key)
    if values is None:
        return
    values[:] = [value for value in values if value not in gone]
    if not values:
        del index[key]


def cpim_of_sip(entry: SipEntry) -> Iterator[CpimItem]:
    """The CPIM objects of a SIP body."""
    for offset, raw in bodies_of(entry, CPIM):
        yield _read(CpimItem(entry, offset, raw, None))


def cpim_of_msrp(message: ChunkedMessage) -> CpimItem | None:
    """The CPIM object of a complete MSRP message, None for another content. Raises OSError."""
    if message.content_type != CPIM or not message.complete or not message.total:
        return None
    beginning = message.total > CPIM_OCTETS
    raw = message.read(_BEGINNING if beginning else CPIM_OCTETS)
    offset = len(message.first.raw)
    return _read(CpimItem(message.last, offset, raw, None, beginning=beginning))


def _read(item: CpimItem) -> CpimItem:
    try:
        item.cpim = parse_cpim(item.raw)
    except BodySyntaxError as error:
        item.error = error
    if not item.beginning:
        _read_imdns(item)
    return item


def _read_imdns(item: CpimItem) -> None:
    cpim = item.cpim
    kind = cpim.content_type if cpim else None
    if cpim is None or kind is None:
        return
    entities: list[CpimMessage | Part] = []
    if kind.essence == IMDN_TYPE:
        entities.append(cpim)
    elif kind.type == "multipart":
        parts = parts_of(cpim.content, kind.parameters.get("boundary"))
        entities += [each for each in parts if each.content_type and each.content_type.essence == IMDN_TYPE]
    for entity in entities:
        try:
            if entity.decodable:
                item.imdns.append(parse_imdn(entity.decoded()))
        except BodySyntaxError as error:
            item.imdn_error = error
