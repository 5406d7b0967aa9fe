"""The conference event package: what subscribers to a conference are told (RFC 4575).

Who holds a conference says what its state is; it goes out whole, or only what has changed of it.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.agent.events.notifier import Admission, EventNotifier, Subscription
from harness.agent.sip.agent import Incoming
from harness.agent.sip.bad_requests import Refusal
from harness.bodies.conference_info import ConferenceInfo, Extent, conference, write_conference_info
from harness.errors import UsageError
from harness.peer.flow import flow_of
from harness.peer.identities import bare, canonical, same_user
from harness.peer.journal import EventKind
from harness.peer.pcscf import Pcscf
from harness.sip.event_packages import CONFERENCE
from harness.sip.subscription import Ended

# The state of a conference, or a part of it, as a document of this version.
Describe = Callable[[int], ConferenceInfo]


class ConferenceEvents:
    """The topic `conference`. It is offered from the first conference on that is held."""

    package = CONFERENCE

    def __init__(self, pcscf: Pcscf, notifier: EventNotifier) -> None:
        self._pcscf, self._notifier = pcscf, notifier
        self._held: dict[str, Describe] = {}

    def hold(self, uri: str, describe: Describe) -> None:
        """Let others subscribe to this conference. Raises UsageError when it is held already."""
        if canonical(uri) in self._held:
            raise UsageError(f"the conference {uri} is held already")
        self._held[canonical(uri)] = describe
        self._notifier.add(self)

    def changed(self, uri: str, describe: Describe | None = None, *, skip: int = 0) -> None:
        """The state of the conference is another: tell everybody who subscribed.

        describe: gives what has changed, as a partial document (RFC 4575 4.4); None tells the whole state.
        skip: versions that are left out, as when a NOTIFY was lost; below 0 the version goes back, wrong on
        purpose, and later documents have theirs as if it had not.
        """
        for subscription in self.subscriptions(uri):
            before = subscription.version
            subscription.version += skip
            if describe is None:
                self._notifier.changed(subscription)
            else:
                body = write_conference_info(describe(subscription.next_version()))
                self._notifier.changed(subscription, body)
            subscription.version = max(subscription.version, before)

    def say(self, uri: str, body: bytes) -> None:
        """Tell everybody who subscribed this, which may be no document at all."""
        for subscription in self.subscriptions(uri):
            self._notifier.changed(subscription, body)

    def release(self, uri: str) -> None:
        """The conference is over: its subscriptions end with `noresource` (RFC 4575 3.3).

        Raises UsageError when it is not held.
        """
        if self._held.pop(canonical(uri), None) is None:
            raise UsageError(f"no conference {uri} is held")
        for subscription in self.subscriptions(uri):
            over = conference(uri, subscription.next_version(), state=Extent.DELETED)
            self._notifier.close(subscription, "noresource", write_conference_info(over))

    def expel(self, uri: str, subscriber: str) -> None:
        """Who was put out of a conference is told no more of it (RFC 6665 4.1.3, `rejected`)."""
        for subscription in self.subscriptions(uri):
            if same_user(bare(subscription.dialog.remote), subscriber):
                self._notifier.close(subscription, "rejected", b"")

    def subscriptions(self, uri: str) -> list[Subscription]:
        """Those to one conference."""
        return [each for each in self._notifier.of(self) if each.resource == canonical(uri)]

    # -- what the notifier asks

    def admit(self, incoming: Incoming) -> Admission | Refusal:
        """Everybody may know of a conference that is held."""
        request, local = incoming.message, incoming.local
        if request.to.tag is None and canonical(request.uri) not in self._held:
            return Refusal(404, "No such conference")
        target = str(request.contacts[0].uri) if request.contacts else None
        return Admission(
            canonical(request.uri),
            contact=f"<{self._pcscf.uri(local)}>",
            send=self._pcscf.way(flow_of(incoming, target), request.values("Record-Route")),
            record_routes=(self._pcscf.route(local),),
        )

    def document(self, subscription: Subscription) -> bytes:
        """The whole state."""
        describe = self._held.get(subscription.resource)
        if describe is None:
            return b""
        return write_conference_info(describe(subscription.next_version()))

    def subscribed(self, subscription: Subscription, expires: int) -> None:
        """Write it down."""
        text = f"{subscription.dialog.remote} to {CONFERENCE.name} {subscription.resource} for {expires} s"
        self._pcscf.journal.add(
            EventKind.SUBSCRIBED if expires else EventKind.UNSUBSCRIBED, text, subscription
        )

    def ended(self, subscription: Subscription, why: Ended) -> None:
        """Write down that the handset refused a NOTIFY."""
        if why.status is not None:
            text = f"{CONFERENCE.name} {subscription.resource}: {why.reason}"
            self._pcscf.journal.add(EventKind.FAILED, text, subscription)
