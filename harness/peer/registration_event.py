"""The reg event package: SUBSCRIBE, and NOTIFY with reginfo (RFC 3680, RFC 6665, TS 24.229 5.4.2.1)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from harness.agent.sip_agent import Incoming
from harness.cpm.tokens import new_tag
from harness.peer.answers import Header
from harness.peer.flow import Flow, flow_of
from harness.peer.identities import canonical
from harness.peer.journal import EventKind
from harness.peer.pcscf import NoAnswer, Pcscf
from harness.peer.registrar import Binding, Change, Registrar
from harness.sip.message import Request, build_request

PACKAGE = "reg"
MEDIA_TYPE = "application/reginfo+xml"
NAMESPACE = "urn:ietf:params:xml:ns:reginfo"
_NAMESPACES: Any = {None: NAMESPACE}  # the stubs know no default namespace
_LONGEST = 600_000  # seconds, TS 24.229 5.1.1.3
_DEFAULT = 3761  # seconds, RFC 3680 4.4
_ENDED = frozenset({Change.UNREGISTERED, Change.EXPIRED, Change.DEACTIVATED, Change.REJECTED})


def reginfo(version: int, entries: Iterable[tuple[str, Binding | None, Change]]) -> bytes:
    """A full reginfo document: (identity, its binding or None, what last happened to it) each."""
    root = etree.Element(f"{{{NAMESPACE}}}reginfo", nsmap=_NAMESPACES)
    root.set("version", str(version))
    root.set("state", "full")
    for aor, binding, change in entries:
        state = "terminated" if change in _ENDED else "active"
        registration = etree.SubElement(root, f"{{{NAMESPACE}}}registration")
        registration.set("aor", aor)
        registration.set("id", _id("r", aor))
        registration.set("state", state if binding is not None else "init")
        if binding is None:
            continue
        contact = etree.SubElement(registration, f"{{{NAMESPACE}}}contact")
        contact.set("id", _id("c", aor + binding.contact))
        contact.set("state", state)
        contact.set("event", change.value)
        if state == "active":
            contact.set("expires", str(binding.expires))
        etree.SubElement(contact, f"{{{NAMESPACE}}}uri").text = binding.contact
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _id(prefix: str, text: str) -> str:
    """Ids are the same in every document of a subscription (RFC 3680 5.1)."""
    return prefix + hashlib.sha256(text.encode()).hexdigest()[:10]


@dataclass(eq=False, slots=True)
class Subscription:
    """The dialog of one subscription. cseq and version are those of the last NOTIFY."""

    aor: str
    call_id: str
    local_uri: str
    local_tag: str
    remote: str
    remote_tag: str
    target: str
    routes: tuple[str, ...]
    flow: Flow
    ends_at: float
    remote_cseq: int
    event: str = PACKAGE
    cseq: int = 0
    version: int = -1
    entries: tuple[tuple[str, Binding | None, Change], ...] = ()
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class RegistrationEvents:
    """Subscriptions to registration state and what they are told."""

    def __init__(self, pcscf: Pcscf, registrar: Registrar) -> None:
        self._pcscf = pcscf
        self._registrar = registrar
        self.subscriptions: dict[tuple[str, str], Subscription] = {}
        registrar.on_change(self._changed)

    def owns(self, call_id: str, local_tag: str) -> bool:
        """True when the dialog is one of these subscriptions."""
        return (call_id, local_tag) in self.subscriptions

    def on_subscribe(self, incoming: Incoming) -> None:
        """Answer SUBSCRIBE `Event: reg`, new or in its dialog, and notify at once (RFC 6665 4.2.1)."""
        request = incoming.message
        subscription = self._existing(request)
        if subscription is not None and request.cseq.number <= subscription.remote_cseq:
            self._pcscf.respond(incoming, 500, reason="CSeq is not above the last one")  # RFC 3261 12.2.2
            return
        if subscription is None and not request.contacts:
            self._pcscf.respond(incoming, 400, reason="Contact is missing")
            return
        expires = _expires(request.get("Expires"))
        if subscription is None:
            subscription = self._new(incoming)
        self._refresh(subscription, incoming, expires)
        self._accept(incoming, subscription, expires)
        self._pcscf.journal.add(
            EventKind.SUBSCRIBED, f"{subscription.aor} to {PACKAGE} for {expires} s", subscription
        )
        if expires == 0:
            self._end(subscription, "timeout")
        else:
            self._notify(subscription, f"active;expires={expires}")

    def _existing(self, request: Request) -> Subscription | None:
        return self.subscriptions.get((request.call_id, request.to.tag or ""))

    def _new(self, incoming: Incoming) -> Subscription:
        request = incoming.message
        aor = canonical(str(request.to.uri))
        subscription = Subscription(
            aor=aor,
            call_id=request.call_id,
            local_uri=str(request.to.uri),
            local_tag=new_tag(),
            remote=str(request.from_),
            remote_tag=request.from_.tag or "",
            target=str(request.contacts[0].uri),
            routes=tuple(request.values("Record-Route")),
            flow=flow_of(incoming, str(request.contacts[0].uri)),
            ends_at=0.0,
            remote_cseq=request.cseq.number,
            event=request.get("Event") or PACKAGE,
        )
        self.subscriptions[subscription.call_id, subscription.local_tag] = subscription
        return subscription

    def _refresh(self, subscription: Subscription, incoming: Incoming, expires: int) -> None:
        request = incoming.message
        subscription.remote_cseq = request.cseq.number
        subscription.ends_at = self._pcscf.timeline.now() + expires
        if request.contacts:  # RFC 3261 12.2.2: a target refresh
            subscription.target = str(request.contacts[0].uri)
            subscription.flow = flow_of(incoming, subscription.target)
        subscription.entries = self._state(subscription.aor)

    def _accept(self, incoming: Incoming, subscription: Subscription, expires: int) -> None:
        local = incoming.local
        headers: list[Header] = [("Record-Route", value) for value in incoming.message.values("Record-Route")]
        headers.insert(0, ("Record-Route", self._pcscf.route(local)))
        headers += [("Contact", f"<{self._pcscf.uri(local)}>"), ("Expires", str(expires))]
        self._pcscf.respond(incoming, 200, headers, to_tag=subscription.local_tag)

    def _state(self, aor: str) -> tuple[tuple[str, Binding | None, Change], ...]:
        binding = self._registrar.binding_of(aor)
        if binding is None:
            return ((aor, None, Change.REGISTERED),)
        return tuple((identity, binding, Change.REGISTERED) for identity in _identities(binding))

    def _changed(self, change: Change, bindings: tuple[Binding, ...]) -> None:
        """Tell those concerned; the subscription ends with the last contact (TS 24.229 5.4.2.1.2)."""
        for subscription in tuple(self.subscriptions.values()):
            mine = [binding for binding in bindings if binding.belongs_to(subscription.aor)]
            if not mine or self._over(subscription):
                continue
            entries = tuple((identity, mine[-1], change) for identity in _identities(mine[-1]))
            if change in _ENDED and self._registrar.binding_of(subscription.aor) is None:
                subscription.entries = entries
                self._end(subscription, "noresource")
            elif change not in _ENDED:
                subscription.flow = mine[-1].flow
                subscription.entries = entries
                self._notify(subscription, f"active;expires={self._left(subscription)}")

    def _over(self, subscription: Subscription) -> bool:
        if self._pcscf.timeline.now() < subscription.ends_at:
            return False
        self.subscriptions.pop((subscription.call_id, subscription.local_tag), None)
        return True

    def _left(self, subscription: Subscription) -> int:
        return max(0, round(subscription.ends_at - self._pcscf.timeline.now()))

    def _end(self, subscription: Subscription, reason: str) -> None:
        self.subscriptions.pop((subscription.call_id, subscription.local_tag), None)
        self._notify(subscription, f"terminated;reason={reason}")

    def _notify(self, subscription: Subscription, state: str) -> None:
        subscription.version += 1
        subscription.cseq += 1
        body = reginfo(subscription.version, subscription.entries)
        self._pcscf.spawn(
            self._send(subscription, subscription.cseq, state, body), f"NOTIFY {state} to {subscription.aor}"
        )

    async def _send(self, subscription: Subscription, cseq: int, state: str, body: bytes) -> None:
        async with subscription.turn:
            try:
                response = await self._pcscf.request(
                    lambda via: self._request(subscription, via, cseq, state, body), subscription.flow
                )
            except NoAnswer:
                self.subscriptions.pop((subscription.call_id, subscription.local_tag), None)
                raise
        # RFC 6665 4.2.2: these answers end the subscription
        if response.status in (404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604):
            self.subscriptions.pop((subscription.call_id, subscription.local_tag), None)
            self._pcscf.journal.add(
                EventKind.FAILED,
                f"NOTIFY to {subscription.aor}: refused with {response.status}",
                subscription,
            )

    def _request(self, subscription: Subscription, via: str, cseq: int, state: str, body: bytes) -> Request:
        headers: list[Header] = [
            ("Via", via),
            ("Max-Forwards", "70"),
            *(("Route", route) for route in subscription.routes),
            ("From", f"<{subscription.local_uri}>;tag={subscription.local_tag}"),
            ("To", subscription.remote),
            ("Call-ID", subscription.call_id),
            ("CSeq", f"{cseq} NOTIFY"),
            ("Contact", f"<{self._pcscf.uri(subscription.flow.local)}>"),
            ("Event", subscription.event),
            ("Subscription-State", state),
            ("User-Agent", self._pcscf.config.server),
            ("Content-Type", MEDIA_TYPE),
        ]
        return build_request("NOTIFY", subscription.target, headers, body)


def _identities(binding: Binding) -> tuple[str, ...]:
    return binding.associated or (binding.aor,)


def _expires(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdigit()):
        return _DEFAULT
    return min(int(text), _LONGEST)
