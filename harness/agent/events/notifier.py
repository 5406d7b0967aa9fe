"""Runs notifiers: answers SUBSCRIBE, sends NOTIFY in order, ends what is over (RFC 6665 4.2).

What a package tells, and to whom, is its Topic's affair.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from harness.agent.events.subscriptions import Header, InDialog, Respond, RunningTimers, Send, Spawn
from harness.agent.scheduler import Scheduler
from harness.agent.sip.agent import Incoming
from harness.agent.sip.bad_requests import Refusal
from harness.cpm.tokens import new_tag
from harness.errors import RcsLabError, SipSyntaxError
from harness.sip.dialog import Dialog, DialogId, dialog_headers, id_at_server
from harness.sip.event_headers import Event, SubscriptionState
from harness.sip.event_packages import EventPackage
from harness.sip.general_headers import Accept
from harness.sip.message import Request
from harness.sip.notifier import Notifier
from harness.sip.subscription import ENDS_SUBSCRIPTION, Action, Ended, SendNotify, SendSubscribe, Timer


@dataclass(frozen=True, slots=True)
class Admission:
    """A SUBSCRIBE that is taken.

    resource: what is subscribed to, as the topic names it. contact: our Contact value. send: the way to the
    subscriber. record_routes: values a proxy of ours adds to the 2xx and to every NOTIFY (RFC 6665 4.3).
    granted: False while somebody has yet to decide whether the subscriber may know (4.2.1.3).
    """

    resource: str
    contact: str
    send: Send
    record_routes: tuple[str, ...] = ()
    granted: bool = True

    @property
    def routing(self) -> tuple[Header, ...]:
        """Their rows."""
        return tuple(("Record-Route", route) for route in self.record_routes)


class Topic(Protocol):
    """What a notifier tells about one event package."""

    package: EventPackage

    def admit(self, incoming: Incoming) -> Admission | Refusal:
        """Whether a SUBSCRIBE, new or in its dialog, is taken."""

    def document(self, subscription: Subscription) -> bytes:
        """The body that tells the whole state; without `granted`, what anybody may know, or nothing."""

    def subscribed(self, subscription: Subscription, expires: int) -> None:
        """A SUBSCRIBE was taken, for so many seconds."""

    def ended(self, subscription: Subscription, why: Ended) -> None:
        """The subscription is over."""


@dataclass(eq=False, slots=True)
class Subscription:
    """One subscription at our end.

    shared: its dialog has another owner, who sees to the order of requests. granted: its subscriber may know
    the state. lost: the subscriber is gone, nothing more is sent. version:
    of the last document made for it, -1 before the first.
    """

    topic: Topic
    resource: str
    event: Event
    dialog: Dialog
    send: Send
    timers: RunningTimers
    machine: Notifier = field(default_factory=Notifier)
    routing: tuple[Header, ...] = ()
    shared: bool = False
    granted: bool = False
    lost: bool = False
    version: int = -1
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def next_version(self) -> int:
        """The version of a new document: one more than that of the last."""
        self.version += 1
        return self.version


class EventNotifier:
    """The subscriptions others have with us.

    now: the time in seconds, of the clock of scheduler. headers: what every NOTIFY carries besides.
    """

    def __init__(
        self,
        respond: Respond,
        spawn: Spawn,
        scheduler: Scheduler,
        now: Callable[[], float],
        headers: Iterable[Header] = (),
    ) -> None:
        self._respond, self._spawn = respond, spawn
        self._scheduler, self._now = scheduler, now
        self._headers = tuple(headers)
        self._topics: dict[str, Topic] = {}
        self._subscriptions: dict[DialogId, list[Subscription]] = {}

    def add(self, topic: Topic) -> None:
        """Notify about one more package."""
        self._topics[topic.package.name] = topic

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages others may subscribe to, as Allow-Events lists them (RFC 6665 4.4.4)."""
        return tuple(name for name, topic in self._topics.items() if topic.package.subscribable)

    def of(self, topic: Topic) -> Iterator[Subscription]:
        """The subscriptions to one package."""
        return iter([each for each in self._all() if each.topic is topic])

    def _all(self) -> list[Subscription]:
        return [each for found in self._subscriptions.values() for each in found]

    def owns(self, request: Request) -> bool:
        """Whether the request is in a dialog that one of these subscriptions has for itself.

        Raises SipSyntaxError.
        """
        return any(not each.shared for each in self._in_dialog(request))

    # -- SUBSCRIBE

    def on_subscribe(self, incoming: Incoming) -> None:
        """Answer a SUBSCRIBE and notify at once (4.2.1). Raises SipSyntaxError for what cannot be read."""
        request = incoming.message
        event = request.typed(Event)
        topic = self._topics.get(event.package) if event is not None else None
        if event is None or topic is None:
            self._respond(incoming, 489, [("Allow-Events", ", ".join(self.packages))])
        elif request.to.tag is None:
            self._on_new(incoming, topic, event)
        else:
            self._on_refresh(incoming, event)

    def _on_new(self, incoming: Incoming, topic: Topic, event: Event) -> None:
        request = incoming.message
        if not topic.package.subscribable:
            self._respond(incoming, 403, reason="Only a REFER subscribes to that")  # RFC 3515 2.4.4
        elif not topic.package.is_accepted(request.typed_list(Accept), present="Accept" in request):
            self._respond(incoming, 406, [("Accept", topic.package.media_type)])
        elif not request.contacts:
            self._respond(incoming, 400, reason="Contact is missing")
        else:
            admission = self._admitted(incoming, topic)
            if admission is not None:
                expires = topic.package.granted(_expires(request))
                self.begin(incoming, topic, event, admission, 200, expires)

    def _on_refresh(self, incoming: Incoming, event: Event) -> None:
        subscription = self._find(incoming.message, event)
        if subscription is None:
            self._respond(incoming, 481)
            return
        status = None if subscription.shared else subscription.dialog.receive(incoming.message)
        if status is not None:
            self._respond(incoming, status, reason="CSeq is not above the last one")
            return
        admission = self._admitted(incoming, subscription.topic)
        if admission is None:
            return
        subscription.dialog.accepted(incoming.message)
        subscription.dialog.contact, subscription.send = admission.contact, admission.send
        expires = subscription.topic.package.granted(_expires(incoming.message))
        self._accept(incoming, subscription, admission, 200, expires)

    def _admitted(self, incoming: Incoming, topic: Topic) -> Admission | None:
        """The admission of a SUBSCRIBE; None when it was refused here."""
        if topic.package.is_too_brief(_expires(incoming.message)):
            self._respond(incoming, 423, [("Min-Expires", str(topic.package.shortest))])
            return None
        verdict = topic.admit(incoming)
        if isinstance(verdict, Refusal):
            self._respond(incoming, verdict.status, reason=verdict.reason)
            return None
        return verdict

    def begin(
        self,
        incoming: Incoming,
        topic: Topic,
        event: Event,
        admission: Admission,
        status: int,
        expires: int,
        dialog: Dialog | None = None,
        begun: Callable[[Subscription], None] = lambda _: None,
    ) -> Subscription:
        """Make a subscription of a request, answer it with this 2xx, and notify.

        For a REFER too (RFC 3515 2.4.4); dialog: the one it came in, which has another owner, None when the
        2xx begins one. expires: 0 tells once. begun is called before the answer.
        """
        request = incoming.message
        shared = dialog is not None
        if dialog is None:
            dialog = Dialog.as_callee(request, new_tag(), contact=admission.contact, confirmed=True)
        subscription: Subscription
        timers = RunningTimers(
            self._scheduler, lambda timer: self._perform(subscription, self._fired(subscription, timer))
        )
        subscription = Subscription(topic, admission.resource, event, dialog, admission.send, timers)
        subscription.shared = shared
        self._subscriptions.setdefault(dialog.id.key, []).append(subscription)
        begun(subscription)
        self._accept(incoming, subscription, admission, status, expires)
        return subscription

    def _accept(
        self, incoming: Incoming, subscription: Subscription, admission: Admission, status: int, expires: int
    ) -> None:
        subscription.routing = admission.routing
        headers = [*admission.routing, *dialog_headers(incoming.message, admission.contact)]
        if incoming.message.method == "SUBSCRIBE":
            headers.append(("Expires", str(expires)))
        self._respond(incoming, status, headers, to_tag=subscription.dialog.id.local_tag)
        subscription.granted |= admission.granted
        subscription.topic.subscribed(subscription, expires)
        actions = subscription.machine.subscribed(expires, self._now(), granted=admission.granted)
        self._perform(subscription, actions)

    def _find(self, request: Request, event: Event) -> Subscription | None:
        return next((each for each in self._in_dialog(request) if each.event.matches(event)), None)

    def _in_dialog(self, request: Request) -> list[Subscription]:
        return self._subscriptions.get(id_at_server(request).key, [])

    # -- what the topics say

    def changed(self, subscription: Subscription, body: bytes | None = None) -> None:
        """Tell this subscriber. body: instead of the whole state."""
        self._perform(subscription, subscription.machine.changed(self._now()), body)

    def grant(self, subscription: Subscription) -> None:
        """A subscriber that waited may know."""
        subscription.granted = True
        self._perform(subscription, subscription.machine.grant(self._now()))

    def close(
        self,
        subscription: Subscription,
        reason: str,
        body: bytes | None = None,
        *,
        retry_after: int | None = None,
    ) -> None:
        """End a subscription with a last NOTIFY; reason is one of RFC 6665 4.1.3."""
        self._perform(subscription, subscription.machine.close(reason, self._now(), retry_after), body)

    def forget(self) -> None:
        """Drop every subscription without a word to its subscriber."""
        for subscription in self._all():
            self._end(subscription, Ended("forgotten"))

    # -- what the machines say

    def _fired(self, subscription: Subscription, timer: Timer) -> list[Action]:
        return subscription.machine.fired(timer, self._now())

    def _perform(self, subscription: Subscription, actions: list[Action], body: bytes | None = None) -> None:
        for action in actions:
            match action:
                case SendNotify(state):
                    self._notify(subscription, state, body)
                case Ended():
                    self._end(subscription, action)
                case SendSubscribe():
                    raise AssertionError("a notifier does not subscribe")
                case timer:
                    subscription.timers.perform(timer)

    def _end(self, subscription: Subscription, why: Ended) -> None:
        subscription.timers.stop()
        key = subscription.dialog.id.key
        self._subscriptions[key].remove(subscription)
        if not self._subscriptions[key]:
            del self._subscriptions[key]
        subscription.topic.ended(subscription, why)

    def _notify(self, subscription: Subscription, state: SubscriptionState, body: bytes | None) -> None:
        """Send NOTIFY after those before it."""
        if body is None:
            body = subscription.topic.document(subscription)
        headers = [
            ("Event", str(subscription.event)),
            ("Subscription-State", str(state)),
            *subscription.routing,
            *self._headers,
        ]
        if body:
            headers.append(("Content-Type", subscription.topic.package.media_type))
        self._spawn(self._send(subscription, headers, body), f"NOTIFY {state} to {subscription.resource}")

    async def _send(self, subscription: Subscription, headers: list[Header], body: bytes) -> None:
        async with subscription.turn:
            if subscription.lost:
                return
            try:
                response = await subscription.send(InDialog(subscription.dialog, "NOTIFY", headers, body))
            except RcsLabError:
                subscription.lost = True
                self._perform(subscription, subscription.machine.unanswered(self._now()))
                raise
            subscription.lost = response.status in ENDS_SUBSCRIPTION
        subscription.dialog.answered(response)
        self._perform(subscription, subscription.machine.answered(response.status, self._now()))


def _expires(request: Request) -> int | None:
    """What is asked for, in seconds; what is no number asks for nothing."""
    try:
        return request.expires
    except SipSyntaxError:
        return None
