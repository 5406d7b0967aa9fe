"""The reg event package: what subscribers to registration state are told (RFC 3680, TS 24.229 5.4.2.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from harness.agent.events.notifier import Admission, EventNotifier, Subscription
from harness.agent.sip.agent import Incoming
from harness.bodies.reginfo import (
    Contact,
    ContactEvent,
    ContactState,
    Reginfo,
    Registration,
    RegistrationState,
    write_reginfo,
)
from harness.peer.bindings import Binding, names_of, names_of_all
from harness.peer.flow import flow_of
from harness.peer.identities import canonical
from harness.peer.journal import EventKind
from harness.peer.pcscf import Pcscf
from harness.peer.registrar import Change, Registrar
from harness.sip.event_packages import REG
from harness.sip.subscription import Ended

_ENDED = frozenset({Change.UNREGISTERED, Change.EXPIRED, Change.DEACTIVATED, Change.REJECTED})

Entry = tuple[str, Binding | None, Change]


def reginfo(version: int, entries: Iterable[Entry]) -> bytes:
    """A full reginfo document: (identity, its binding or None, what last happened to it) each."""
    return write_reginfo(Reginfo(version, tuple(_registration(*entry) for entry in entries)))


def _registration(aor: str, binding: Binding | None, change: Change) -> Registration:
    if binding is None:
        return Registration(aor, _id("r", aor), RegistrationState.INIT)
    over = change in _ENDED
    contact = Contact(
        _id("c", aor + binding.contact),
        binding.contact,
        ContactState.TERMINATED if over else ContactState.ACTIVE,
        ContactEvent(change.value),
        expires=None if over else binding.expires,
    )
    state = RegistrationState.TERMINATED if over else RegistrationState.ACTIVE
    return Registration(aor, _id("r", aor), state, (contact,))


def _id(prefix: str, text: str) -> str:
    """Ids are the same in every document of a subscription (RFC 3680 5.1)."""
    return prefix + hashlib.sha256(text.encode()).hexdigest()[:10]


class RegistrationEvents:
    """The topic `reg`: registration state as the registrar knows it."""

    package = REG

    def __init__(self, pcscf: Pcscf, registrar: Registrar, notifier: EventNotifier) -> None:
        self._pcscf, self._registrar, self._notifier = pcscf, registrar, notifier
        self._concerned: dict[str, list[Subscription]] = {}  # name of a user -> who asked about it
        registrar.on_change(self._changed)

    @property
    def subscriptions(self) -> list[Subscription]:
        """Those in force."""
        return list(self._notifier.of(self))

    def admit(self, incoming: Incoming) -> Admission:
        """Everybody may know, as every subscriber of this lab is one of its handsets."""
        request, local = incoming.message, incoming.local
        target = str(request.contacts[0].uri) if request.contacts else None
        return Admission(
            canonical(str(request.to.uri)),
            contact=f"<{self._pcscf.uri(local)}>",
            send=self._pcscf.way(flow_of(incoming, target), request.values("Record-Route")),
            record_routes=(self._pcscf.route(local),),
        )

    def document(self, subscription: Subscription) -> bytes:
        """The registrations of the subscriber as they are."""
        aor = subscription.resource
        binding = self._registrar.binding_of(aor)
        if binding is None:
            return reginfo(subscription.next_version(), [(aor, None, Change.REGISTERED)])
        return reginfo(subscription.next_version(), _entries(binding, Change.REGISTERED))

    def subscribed(self, subscription: Subscription, expires: int) -> None:
        """Write it down."""
        for name in names_of(subscription.resource):
            concerned = self._concerned.setdefault(name, [])
            if subscription not in concerned:
                concerned.append(subscription)
        text = f"{subscription.resource} to {REG.name} for {expires} s"
        self._pcscf.journal.add(
            EventKind.SUBSCRIBED if expires else EventKind.UNSUBSCRIBED, text, subscription
        )

    def ended(self, subscription: Subscription, why: Ended) -> None:
        """Forget it, and write down when the handset refused a NOTIFY."""
        for name in names_of(subscription.resource):
            concerned = self._concerned.get(name, [])
            if subscription in concerned:
                concerned.remove(subscription)
            if not concerned:
                self._concerned.pop(name, None)
        if why.status is not None:
            text = f"{REG.name} of {subscription.resource}: {why.reason}"
            self._pcscf.journal.add(EventKind.FAILED, text, subscription)

    def _changed(self, change: Change, bindings: tuple[Binding, ...]) -> None:
        """Tell those concerned; the subscription ends with the last contact (TS 24.229 5.4.2.1.2)."""
        names = names_of_all(bindings)
        concerned = dict.fromkeys(each for name in names for each in self._concerned.get(name, ()))
        for subscription in concerned:
            mine = [binding for binding in bindings if binding.belongs_to(subscription.resource)]
            if not mine:
                continue
            over = change in _ENDED
            if over and self._registrar.binding_of(subscription.resource) is not None:
                continue
            body = reginfo(subscription.next_version(), _entries(mine[-1], change))
            if over:
                self._notifier.close(subscription, "noresource", body)
            else:
                subscription.send = self._pcscf.way(mine[-1].flow, mine[-1].path)
                self._notifier.changed(subscription, body)


def _entries(binding: Binding, change: Change) -> list[Entry]:
    return [(identity, binding, change) for identity in binding.associated or (binding.aor,)]
