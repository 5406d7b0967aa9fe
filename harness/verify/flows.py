"""Which user-level act each message belongs to: a text and its notifications, a chat with its MSRP, a file.

A flow is known by the Call-IDs of its dialogs, by the imdn.Message-IDs of what went through it, by the focus
of its group and the id of its file. Flows that turn out to be one are joined; names are asked for at the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from harness.cpm.services import Service
from harness.sip.uri import Uri
from harness.verify.comparison import party_of
from harness.verify.items import CpimItem, EventItem, Item, SipEntry
from harness.verify.msrp_items import ChunkedMessage, MsrpEntry
from harness.verify.negotiation_items import Description
from harness.verify.session_services import initial_invite, is_file, service_of_session


class Act(StrEnum):
    """What a flow is for. Of two that are joined the earlier one here gives its name."""

    GROUP = "group chat"
    CHAT = "chat"
    FILE = "file"
    LARGE = "large message"
    DEFERRED = "deferred messages"
    TEXT = "text"
    REGISTRATION = "registration"
    SUBSCRIPTION = "subscription"
    CAPABILITIES = "capabilities"
    PUBLICATION = "publication"
    REFERENCE = "reference"
    SESSION = "session"
    NOTIFICATION = "notification"
    OTHER = "other"
    EVENTS = "events of the lab"


_WEIGHT = {act: place for place, act in enumerate(Act)}
_ACT_OF_METHOD = {
    "REGISTER": Act.REGISTRATION,
    "SUBSCRIBE": Act.SUBSCRIPTION,
    "NOTIFY": Act.SUBSCRIPTION,
    "OPTIONS": Act.CAPABILITIES,
    "MESSAGE": Act.TEXT,
    "INVITE": Act.SESSION,
    "PUBLISH": Act.PUBLICATION,
    "REFER": Act.REFERENCE,
}
_ACT_OF_SERVICE = {
    Service.PAGER: Act.TEXT,
    Service.LARGE: Act.LARGE,
    Service.DEFERRED: Act.DEFERRED,
    Service.SESSION: Act.CHAT,
    Service.FILE_TRANSFER: Act.FILE,
    Service.SYSTEM: Act.TEXT,
}
_ONE_SIDED = frozenset({Act.REGISTRATION, Act.PUBLICATION})


@dataclass(eq=False)
class UserFlow:
    """All messages of one user-level act. Use `final` of what was given out while messages still came in.

    number: among flows of its act, in order; given by Flows.all. place: of its first message. detail: what it
    is about, such as the name of a file. exercised: rules that applied in it, as bits.
    """

    act: Act
    place: int
    time: float
    ends: str = ""
    detail: str = ""
    number: int = 0
    messages: int = 0
    exercised: int = 0
    joined: UserFlow | None = None

    @property
    def final(self) -> UserFlow:
        """The flow that this one became part of."""
        flow = self
        while flow.joined is not None:
            flow = flow.joined
        return flow

    @property
    def name(self) -> str:
        """ "text 1 +491700000001 to +491700000002", "file 1 photo.jpg, +491700000001 to ..."."""
        known = self.final
        about = ", ".join(filter(None, (known.detail, known.ends)))
        return f"{known.act} {known.number or ''} {about}".replace("  ", " ").strip()

    def _take_in(self, other: UserFlow) -> None:
        if _WEIGHT[other.act] < _WEIGHT[self.act]:
            self.act, self.ends = other.act, other.ends or self.ends
            self.detail = other.detail or self.detail
        self.ends = self.ends or other.ends
        self.detail = self.detail or other.detail
        self.place, self.time = min((self.place, self.time), (other.place, other.time))
        self.messages += other.messages
        self.exercised |= other.exercised
        other.joined = self


_Key = tuple[str, object]


class Flows:
    """Ask `of` for each item in order, when it has been linked."""

    def __init__(self) -> None:
        self._by_key: dict[_Key, UserFlow] = {}
        self._latest: dict[object, UserFlow] = {}
        self._flows: list[UserFlow] = []

    def of(self, item: Item) -> UserFlow:
        """The flow of an item. A message is counted when it is asked for the first time."""
        if isinstance(item, EventItem):
            return self._joined(((("events", ""),)), item, Act.EVENTS)
        if isinstance(item, SipEntry):
            return self._of_sip(item)
        if isinstance(item, MsrpEntry):
            return self._of_msrp(item)
        if isinstance(item, CpimItem):
            return self._joined(tuple(_carrier_keys(item.carrier)) + tuple(_cpim_keys(item)), item.carrier)
        return self._of_part(item)

    def all(self) -> list[UserFlow]:
        """All flows so far in the order of their first messages, numbered."""
        self._flows = [flow for flow in self._flows if flow.joined is None]
        self._flows.sort(key=lambda flow: flow.place)
        counted: dict[Act, int] = defaultdict(int)
        for flow in self._flows:
            counted[flow.act] += 1
            flow.number = counted[flow.act]
        return list(self._flows)

    def _of_part(self, item: Description | ChunkedMessage) -> UserFlow:
        carrier = item.entry if isinstance(item, Description) else item.last
        return self._joined(tuple(_carrier_keys(carrier)), carrier)

    def _of_sip(self, entry: SipEntry) -> UserFlow:
        if entry.message is None:
            return self._stray(entry, entry.follows)
        keys = [*_carrier_keys(entry), *self._focus_keys(entry)]
        for item in entry.bodies:
            keys += _cpim_keys(item)
        opening = _opening(entry)
        if entry.description is not None:
            keys += _file_keys(entry.description)
        known = any(key in self._by_key for key in keys)
        flow = self._joined(tuple(keys), entry, Act.OTHER if known and opening is None else _act_of(entry))
        if opening is not None:
            _describe(flow, opening)
        if any("isfocus" in contact.parameters for contact in entry.contacts):
            flow.act = Act.GROUP
        flow.messages += 1
        self._latest[_line(entry)] = flow
        return flow

    def _of_msrp(self, entry: MsrpEntry) -> UserFlow:
        keys = tuple(_carrier_keys(entry))
        if not keys:
            return self._stray(entry, entry.follows)
        flow = self._joined(keys, entry, Act.SESSION)
        flow.messages += 1
        self._latest[_line(entry)] = flow
        return flow

    def _stray(self, entry: SipEntry | MsrpEntry, follows: SipEntry | MsrpEntry | None) -> UserFlow:
        """Octets that are no message: of the flow of what they come behind, else of a flow of their own."""
        known = self._latest.get(_line(follows or entry))
        flow = known.final if known else self._joined((("line", _line(entry)),), entry, Act.OTHER)
        flow.messages += 1
        return flow

    def _focus_keys(self, entry: SipEntry) -> Iterator[_Key]:
        """The focus a message is to or from (RFC 4579): INVITE, REFER and SUBSCRIBE to it are one chat."""
        for contact in entry.contacts:
            if "isfocus" in contact.parameters:
                yield "focus", _address(contact.uri)
        if entry.request is not None and not entry.to_tag and entry.to is not None:
            key = ("focus", _address(entry.to.uri))
            if key in self._by_key:
                yield key

    def _joined(self, keys: tuple[_Key, ...], item: Item, act: Act = Act.OTHER) -> UserFlow:
        """The one flow of all these keys, which is made when there is none."""
        found = sorted(
            {flow.final for key in keys if (flow := self._by_key.get(key)) is not None},
            key=lambda flow: flow.place,
        )
        if found:
            flow = found[0]
            for other in found[1:]:
                flow._take_in(other)
            if _WEIGHT[act] < _WEIGHT[flow.act]:
                flow.act = act
        else:
            flow = UserFlow(act, _place(item), item.time)
            self._flows.append(flow)
        for key in keys:
            self._by_key[key] = flow
        return flow


def _carrier_keys(entry: SipEntry | MsrpEntry) -> Iterator[_Key]:
    if isinstance(entry, SipEntry):
        yield "call", entry.call_id or _line(entry)
    elif entry.session is not None:
        yield "call", entry.session.call_id or id(entry.session)
    elif entry.transaction is not None and entry.transaction.request is not entry:
        yield from _carrier_keys(entry.transaction.request)
    elif entry.to_path and entry.from_path:
        yield "msrp", frozenset((entry.to_path[-1].session_id, entry.from_path[-1].session_id))
    else:
        yield "line", _line(entry)


def _cpim_keys(item: CpimItem) -> Iterator[_Key]:
    if item.message_id:
        yield "imdn", item.message_id
    for imdn in item.imdns:
        if imdn.message_id:
            yield "imdn", imdn.message_id


def _file_keys(description: Description) -> Iterator[_Key]:
    for end in description.ends:
        if is_file(end) and end.file is not None and end.file.transfer_id:
            yield "file", end.file.transfer_id


def _opening(entry: SipEntry) -> SipEntry | None:
    """The request outside a dialog that an entry is or answers: it tells what its flow is for."""
    request = entry if entry.request is not None else entry.transaction.request if entry.transaction else None
    opens = request is not None and request.method in _ACT_OF_METHOD and not request.to_tag
    return request if opens else None


def _act_of(entry: SipEntry) -> Act:
    request = _opening(entry)
    if request is None:
        return _ACT_OF_METHOD.get(entry.method, Act.OTHER)
    if request.method == "MESSAGE" and any(item.is_notification for item in request.bodies):
        return Act.NOTIFICATION
    invite = initial_invite(request)
    if invite is None or invite.description is None:
        return _ACT_OF_METHOD.get(request.method, Act.OTHER)
    service = service_of_session(invite.description)
    return _ACT_OF_SERVICE.get(service, Act.SESSION) if service is not None else Act.SESSION


def _describe(flow: UserFlow, request: SipEntry) -> None:
    """Who a flow is between and what it is about, as its opening request tells."""
    if not flow.ends and not any(item.is_notification for item in request.bodies):
        flow.ends = _ends(request, flow.act)
    if not flow.detail:
        flow.detail = _detail(request, flow.act)


def _ends(request: SipEntry, act: Act) -> str:
    from_, to = request.from_, request.to
    if act in _ONE_SIDED:
        return _shown(to.uri) if to else ""
    return f"{_shown(from_.uri)} to {_shown(to.uri)}" if from_ and to else ""


def _detail(request: SipEntry, act: Act) -> str:
    message = request.message
    if message is None:
        return ""
    if act is Act.SUBSCRIPTION:
        return (message.get("Event") or "").partition(";")[0].strip()
    if act in (Act.GROUP, Act.CHAT):
        subject = (message.get("Subject") or "").strip()
        return f'"{subject}"' if subject and act is Act.GROUP else ""
    if act is Act.FILE and request.description is not None:
        files = (end.file.selector.name for end in request.description.ends if end.file is not None)
        return next((name for name in files if name), "")
    return ""


def _shown(uri: Uri) -> str:
    party = party_of(uri)
    return f"+{party}" if party.isdigit() and len(party) > 6 and party[0] != "0" else party


def _address(uri: Uri) -> str:
    return f"{uri.user or ''}@{uri.host}".lower()


def _place(item: Item) -> int:
    return 0 if isinstance(item, EventItem) else item.place


def _line(entry: SipEntry | MsrpEntry) -> object:
    """What both directions of a connection have in common."""
    if entry.connection is not None:
        return entry.layer, entry.connection
    return frozenset((entry.source, entry.destination))
