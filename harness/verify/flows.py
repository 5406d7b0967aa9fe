"""Which user-level act each message belongs to: a text and its notifications, a chat with its MSRP, a file.

A flow is known by the Call-IDs of its dialogs, by the imdn.Message-IDs of what went through it, by the focus
of its group and the id of its file. Flows that turn out to be one are joined; names are asked for at the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from harness.cpm.services import Service
from harness.sip.uri import Uri
from harness.verify.comparison import party_of
from harness.verify.items import Item, SipEntry
from harness.verify.messages import message_of
from harness.verify.msrp_items import MsrpEntry
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
LEG_SECONDS = 5.0
"""How long after a session was last heard of its ids may be those of its other leg."""
MOST_FLOWS = 20_000
"""Flows told apart. Of more, those without findings that were silent longest are counted together."""
MOST_KEYS = 200_000
"""Ids by which flows are found again; of more, those that were not met for longest are forgotten."""


@dataclass(eq=False)
class UserFlow:
    """All messages of one user-level act. Use `final` of what was given out while messages still came in.

    number: among flows of its act, in order; given by Flows.all. place: of its first message. detail: what it
    is about, such as the name of a file. messages, findings: how many it has. exercised: the rules that
    applied in it, each a bit by its place in the catalogue. crowd: it stands for many.
    """

    act: Act
    place: int
    time: float
    caller: str = ""
    callee: str = ""
    detail: str = ""
    number: int = 0
    messages: int = 0
    findings: int = 0
    exercised: int = 0
    latest: int = 0
    """Place of its latest message."""
    heard: float = 0.0
    """When that came."""
    crowd: bool = False
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
        if known.crowd:
            return f"{known.act}: others, not told apart"
        number = f" {known.number}" if known.number else ""
        about = ", ".join(filter(None, (known.detail, known.ends)))
        return f"{known.act}{number} {about}".rstrip()

    @property
    def ends(self) -> str:
        """Who began it and with whom; of a group who made it or was invited."""
        if self.act is Act.GROUP:
            return f"by {self.caller}" if self.caller else ""
        if self.act in _ONE_SIDED:
            return self.callee
        return f"{self.caller} to {self.callee}" if self.caller else ""

    def take_in(self, other: UserFlow) -> None:
        """Be one with a flow that turns out to be part of this one."""
        if not self.crowd:
            self._describe_by(other)
        self.place, self.time = min((self.place, self.time), (other.place, other.time))
        self.latest, self.heard = max(self.latest, other.latest), max(self.heard, other.heard)
        self.messages += other.messages
        self.findings += other.findings
        self.exercised |= other.exercised
        other.joined = self

    def _describe_by(self, other: UserFlow) -> None:
        if _WEIGHT[other.act] < _WEIGHT[self.act]:
            self.act, self.detail = other.act, other.detail or self.detail
            if other.caller:
                self.caller, self.callee = other.caller, other.callee
        if not self.caller:
            self.caller, self.callee = other.caller, other.callee
        self.detail = self.detail or other.detail


_Key = tuple[str, object]
_Held = TypeVar("_Held")


class Flows:
    """`add` each message in order, when it has been linked; ask `of` for what is in it.

    Args: flows and keys are how many are held at most.
    """

    def __init__(self, flows: int = MOST_FLOWS, keys: int = MOST_KEYS) -> None:
        self._by_key: dict[_Key, UserFlow] = {}
        self._latest: dict[object, UserFlow] = {}
        self._flows: list[UserFlow] = []
        self._crowds: dict[Act, UserFlow] = {}
        self._most_flows, self._most_keys = flows, keys
        self._gather_at = flows

    def add(self, entry: SipEntry | MsrpEntry) -> UserFlow:
        """Put a message into its flow, which is `entry.flow` from now on."""
        if entry.message is None:
            flow = self._stray(entry)
        else:
            flow = self._of_sip(entry) if isinstance(entry, SipEntry) else self._of_msrp(entry)
        flow.messages += 1
        flow.latest, flow.heard = entry.place, max(flow.heard, entry.time)
        entry.flow = flow
        _hold(self._latest, _line(entry), flow, self._most_keys)
        return flow

    def of(self, item: Item) -> UserFlow:
        """The flow of an item whose message has been added; events are in one of their own."""
        message = message_of(item)
        if message is None:
            return self._joined([("events", "")], 0, item.time, Act.EVENTS)
        return message.flow.final if message.flow is not None else self.add(message)

    def all(self) -> list[UserFlow]:
        """All flows so far in the order of their first messages, numbered."""
        self._flows = [flow for flow in self._flows if flow.joined is None]
        self._flows.sort(key=lambda flow: flow.place)
        counted: dict[Act, int] = defaultdict(int)
        for flow in self._flows:
            if flow.crowd:
                continue
            counted[flow.act] += 1
            flow.number = counted[flow.act]
        return list(self._flows)

    def _of_sip(self, entry: SipEntry) -> UserFlow:
        known = self._by_key.get(("call", entry.call_id)) if _tells_nothing_new(entry) else None
        return known.final if known is not None else self._linked(entry)

    def _linked(self, entry: SipEntry) -> UserFlow:
        keys = [*_carrier_keys(entry), *_cpim_keys(entry), *self._focus_keys(entry)]
        if entry.description is not None:
            keys += [*_file_keys(entry.description), *self._leg_keys(entry)]
        opening = _opening(entry)
        telling = opening if opening is not None else entry if entry.request is not None else None
        known = opening is None and any(key in self._by_key for key in keys)
        flow = self._joined(keys, entry.place, entry.time, Act.OTHER if known else _act_of(entry))
        if telling is not None:
            _describe(flow, telling)
        if any("isfocus" in contact.parameters for contact in entry.contacts):
            flow.act = Act.GROUP
        return flow

    def _leg_keys(self, entry: SipEntry) -> Iterator[_Key]:
        """The session-ids an INVITE offers: on the far side of a border controller it has them again, soon.

        Later they are those of a client that uses them twice.
        """
        assert entry.description is not None, "asked for entries with a description"
        if entry.request is None or entry.to_tag:
            return
        for end in entry.description.ends:
            key = "path", end.session_id
            known = self._by_key.get(key)
            if end.session_id and known is not None and entry.time - known.final.heard > LEG_SECONDS:
                del self._by_key[key]
            if end.session_id:
                yield key

    def _of_msrp(self, entry: MsrpEntry) -> UserFlow:
        keys = [*_carrier_keys(entry), *_cpim_keys(entry)]
        return self._joined(keys, entry.place, entry.time, Act.SESSION)

    def _stray(self, entry: SipEntry | MsrpEntry) -> UserFlow:
        """Octets that are no message: of the flow of what they come behind, else of a flow of their own."""
        known = self._latest.get(_line(entry.follows or entry))
        if known is not None:
            return known.final
        return self._joined([("line", _line(entry))], entry.place, entry.time, Act.OTHER)

    def _focus_keys(self, entry: SipEntry) -> Iterator[_Key]:
        """The focus a message is to or from (RFC 4579): INVITE, REFER and SUBSCRIBE to it are one chat."""
        for contact in entry.contacts:
            if "isfocus" in contact.parameters:
                yield "focus", _address(contact.uri)
        if entry.request is not None and not entry.to_tag and entry.to is not None:
            key = ("focus", _address(entry.to.uri))
            if key in self._by_key:
                yield key

    def _joined(self, keys: Sequence[_Key], place: int, time: float, act: Act) -> UserFlow:
        """The one flow of all these keys, which is made when there is none."""
        known = {flow.final for key in keys if (flow := self._by_key.get(key)) is not None}
        if known:
            flow, *others = sorted(known, key=lambda flow: flow.place)
            for other in others:
                flow.take_in(other)
            if _WEIGHT[act] < _WEIGHT[flow.act]:
                flow.act = act
        else:
            flow = UserFlow(act, place, time, latest=place)
            self._flows.append(flow)
            if len(self._flows) > self._gather_at:
                self._gather()
        for key in keys:
            _hold(self._by_key, key, flow, self._most_keys)
        return flow

    def _gather(self) -> None:
        """Count together, by act, half of the flows: those without findings that were silent longest."""
        self._flows = [flow for flow in self._flows if flow.joined is None]
        clean = [flow for flow in self._flows[:-1] if not flow.findings and not flow.crowd]
        for flow in sorted(clean, key=lambda flow: flow.latest)[: self._most_flows // 2]:
            crowd = self._crowds.get(flow.act)
            if crowd is None:
                crowd = self._crowds[flow.act] = UserFlow(flow.act, flow.place, flow.time, crowd=True)
                self._flows.append(crowd)
            crowd.take_in(flow)
        self._flows = [flow for flow in self._flows if flow.joined is None]
        self._gather_at = max(self._most_flows, len(self._flows) * 5 // 4)


def _hold(known: dict[_Held, UserFlow], key: _Held, flow: UserFlow, most: int) -> None:
    """Put it at the end, and let go of the first when there are too many."""
    known.pop(key, None)
    known[key] = flow
    if len(known) > most:
        del known[next(iter(known))]


def _tells_nothing_new(entry: SipEntry) -> bool:
    """An answer, or a request in a dialog, that ties its flow to no other."""
    inside = entry.response is not None or bool(entry.to_tag)
    return inside and not entry.bodies and b"isfocus" not in entry.raw and not _offers(entry)


def _offers(entry: SipEntry) -> bool:
    return entry.request is not None and entry.description is not None


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


def _cpim_keys(entry: SipEntry | MsrpEntry) -> Iterator[_Key]:
    for item in entry.bodies:
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
    from_, to = request.from_, request.to
    notifies = any(item.is_notification for item in request.bodies)
    if not flow.caller and from_ is not None and to is not None and not notifies:
        flow.caller, flow.callee = _shown(from_.uri), _shown(to.uri)
    if not flow.detail:
        flow.detail = _detail(request, flow.act)


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


def _line(entry: SipEntry | MsrpEntry) -> object:
    """What both directions of a connection have in common."""
    if entry.connection is not None:
        return entry.layer, entry.connection
    return frozenset((entry.source, entry.destination))
