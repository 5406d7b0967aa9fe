"""The event package deferred-messages: a handset is told that messages wait for it (RFC 6665, OMA CPM).

A notification has no body; the messages are fetched (deferred.py).
"""

from __future__ import annotations

from collections.abc import Callable

from harness.agent.events.notifier import Admission, EventNotifier, Subscription
from harness.agent.sip.agent import Incoming
from harness.agent.sip.bad_requests import Refusal
from harness.peer.flow import flow_of
from harness.peer.identities import canonical
from harness.peer.journal import EventKind
from harness.peer.pcscf import Pcscf
from harness.peer.received import sender_of
from harness.sip.event_packages import DEFERRED_MESSAGES
from harness.sip.subscription import Ended


class DeferredEvents:
    """The topic."""

    package = DEFERRED_MESSAGES

    def __init__(self, pcscf: Pcscf, notifier: EventNotifier) -> None:
        self._pcscf, self._notifier = pcscf, notifier
        notifier.add(self)

    def tell(self, whom: Callable[[str], bool]) -> None:
        """Notify the handsets of the identities that this holds for."""
        for subscription in self._notifier.of(self):
            if whom(subscription.resource):
                self._notifier.changed(subscription)

    # -- what the notifier asks

    def admit(self, incoming: Incoming) -> Admission | Refusal:
        """Each handset may know of its own messages."""
        request, local = incoming.message, incoming.local
        wanted = canonical(self._pcscf.config.deferred_messages)
        if request.to.tag is None and canonical(request.uri) != wanted:
            return Refusal(404, "No deferred messages here")
        target = str(request.contacts[0].uri) if request.contacts else None
        return Admission(
            sender_of(request),
            contact=f"<{self._pcscf.uri(local)}>",
            send=self._pcscf.way(flow_of(incoming, target), request.values("Record-Route")),
            record_routes=(self._pcscf.route(local),),
        )

    def document(self, subscription: Subscription) -> bytes:
        """Nothing: that it comes says all."""
        return b""

    def subscribed(self, subscription: Subscription, expires: int) -> None:
        """Write it down."""
        text = f"{subscription.resource} to {DEFERRED_MESSAGES.name} for {expires} s"
        self._pcscf.journal.add(
            EventKind.SUBSCRIBED if expires else EventKind.UNSUBSCRIBED, text, subscription
        )

    def ended(self, subscription: Subscription, why: Ended) -> None:
        """Write down that the handset refused a NOTIFY."""
        if why.status is not None:
            text = f"{DEFERRED_MESSAGES.name} {subscription.resource}: {why.reason}"
            self._pcscf.journal.add(EventKind.FAILED, text, subscription)
