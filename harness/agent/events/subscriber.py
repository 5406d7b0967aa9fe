"""Runs subscribers: sends SUBSCRIBE, answers NOTIFY, refreshes, leaves, and asks again (RFC 6665 4.1).

What a NOTIFY says is told to whoever wished for it; bodies are not looked at here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from harness.agent.events.subscriptions import (
    Header,
    InDialog,
    RequestMaker,
    Respond,
    RunningTimers,
    Send,
    Spawn,
)
from harness.agent.scheduler import Scheduler, TimerHandle
from harness.agent.session.context import Authorize
from harness.agent.sip.agent import Incoming
from harness.cpm.tokens import new_call_id, new_tag
from harness.errors import RcsLabError
from harness.sip.dialog import Dialog, id_at_server
from harness.sip.event_headers import Event, SubscriptionState
from harness.sip.event_packages import EventPackage
from harness.sip.message import Request, Response, build_request
from harness.sip.subscriber import Subscriber
from harness.sip.subscription import Action, Ended, SendNotify, SendSubscribe
from harness.sip.transaction import Timers

Told = Callable[[Request, SubscriptionState], None]
_NONE = "Subscription does not exist"


@dataclass(frozen=True, slots=True)
class Wish:
    """What to subscribe to, and how.

    target: the Request-URI. local, remote: From and To without tags. contact: our Contact value. host: for
    the Call-ID. expires: seconds. headers: what every SUBSCRIBE carries besides; routes: Route values of the
    first one. again: subscribe anew when the notifier says that this is in order (RFC 6665 4.1.3). authorize:
    the rows that answer the challenge of a 401 or 407, None where nothing can (RFC 3261 22.2, 22.3).
    on_notify: called with each NOTIFY, after it was answered; on_end: when the subscription is over, and
    nothing follows by itself where again_after is None or `again` is False.
    """

    package: EventPackage
    target: str
    local: str
    remote: str
    contact: str
    host: str
    send: Send
    on_notify: Told
    on_end: Callable[[Ended], None]
    expires: int | None = None
    headers: tuple[Header, ...] = ()
    routes: tuple[str, ...] = ()
    again: bool = False
    authorize: Authorize = lambda *_: None

    @property
    def seconds(self) -> int:
        """What to ask for."""
        return self.package.default if self.expires is None else self.expires


@dataclass(eq=False, slots=True)
class Subscription:
    """One subscription of ours, or the attempt at one: dialog is None before the first NOTIFY.

    local_tag, call_id, cseq: of the request that asked for it. shared: its dialog has another owner, who sees
    to the order of requests. open_until: until when NOTIFYs of other
    dialogs belong to it (4.1.2.4).
    """

    wish: Wish
    event: Event
    call_id: str
    local_tag: str
    machine: Subscriber
    timers: RunningTimers
    open_until: float
    cseq: int = 0
    dialog: Dialog | None = None
    shared: bool = False

    def is_about(self, event: Event) -> bool:
        """Whether a NOTIFY with this Event belongs here; of REFERs the first may be named without id
        (RFC 3515 2.4.6)."""
        if event.package == self.event.package == "refer":
            return event.id is None or event.id == str(self.cseq)
        return self.event.matches(event)

    def is_named_by(self, notify: Request) -> bool:
        """Whether a NOTIFY answers the request that asked for this (4.4.1)."""
        named = id_at_server(notify).key
        return (named.call_id, named.local_tag) == (self.call_id, self.local_tag.lower())

    def is_in_dialog(self, notify: Request) -> bool:
        """Whether a NOTIFY came in the dialog of this one."""
        return self.dialog is not None and self.dialog.id.key == id_at_server(notify).key

    def is_party_to(self, notify: Request) -> bool:
        """Either of the two."""
        return self.is_in_dialog(notify) or self.is_named_by(notify)


class EventSubscriber:
    """The subscriptions we have with others. now: the time in seconds, of the clock of scheduler."""

    def __init__(
        self,
        respond: Respond,
        spawn: Spawn,
        scheduler: Scheduler,
        now: Callable[[], float],
        timers: Timers | None = None,
    ) -> None:
        self._respond, self._spawn = respond, spawn
        self._scheduler, self._now = scheduler, now
        self._timers = timers or Timers()
        self._subscriptions: list[Subscription] = []
        self._later: set[TimerHandle] = set()

    def __iter__(self) -> Iterator[Subscription]:
        return iter(tuple(self._subscriptions))

    # -- what the user wishes

    def subscribe(self, wish: Wish) -> Subscription:
        """Send SUBSCRIBE (4.1.2.1). What comes of it is told to the wish."""
        machine = Subscriber(wish.seconds, self._timers)
        subscription = self._new(wish, new_call_id(wish.host), new_tag(), machine)
        self._perform(subscription, machine.subscribe(self._now()))
        return subscription

    def referred(
        self, wish: Wish, call_id: str, local_tag: str, cseq: int, dialog: Dialog | None = None
    ) -> Subscription:
        """Expect the subscription that a REFER makes (RFC 3515 2.4.4); call it before the REFER is sent.

        dialog: the one the REFER is sent in. Its response is to be told to `answered`.
        """
        machine = Subscriber(None, self._timers)
        subscription = self._new(wish, call_id, local_tag, machine)
        subscription.cseq, subscription.dialog, subscription.shared = cseq, dialog, dialog is not None
        self._perform(subscription, machine.referred(self._now()))
        return subscription

    def answered(self, subscription: Subscription, response: Response) -> None:
        """The final response to the request that asked for a subscription, or refreshed it."""
        if subscription in self._subscriptions:
            self._perform(subscription, subscription.machine.answered(response, self._now()))

    def unanswered(self, subscription: Subscription) -> None:
        """That request got no final response."""
        if subscription in self._subscriptions:
            self._perform(subscription, subscription.machine.unanswered(self._now()))

    def refresh(self, subscription: Subscription) -> None:
        """Send SUBSCRIBE in the subscription now (4.1.2.2)."""
        self._perform(subscription, subscription.machine.subscribe(self._now()))

    def leave(self, subscription: Subscription) -> None:
        """Unsubscribe (4.1.2.3). The last NOTIFY and on_end follow."""
        self._perform(subscription, subscription.machine.unsubscribe(self._now()))

    def drop(self, subscription: Subscription) -> None:
        """Forget it without a word."""
        subscription.timers.stop()
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def forget(self) -> None:
        """Drop every subscription without a word, as when the network is lost."""
        for subscription in tuple(self._subscriptions):
            self.drop(subscription)
        for handle in self._later:
            handle.cancel()
        self._later.clear()

    def _new(self, wish: Wish, call_id: str, local_tag: str, machine: Subscriber) -> Subscription:
        subscription: Subscription
        timers = RunningTimers(
            self._scheduler, lambda timer: self._perform(subscription, machine.fired(timer, self._now()))
        )
        subscription = Subscription(
            wish,
            Event(wish.package.name),
            call_id,
            local_tag,
            machine,
            timers,
            open_until=self._now() + self._timers.timeout,
        )
        self._subscriptions.append(subscription)
        return subscription

    # -- NOTIFY

    def owns(self, notify: Request) -> bool:
        """Whether a NOTIFY is of one of these subscriptions, or answers an attempt at one (4.4.1).

        Raises SipSyntaxError.
        """
        return any(each.is_party_to(notify) for each in self._subscriptions)

    def on_notify(self, incoming: Incoming) -> None:
        """Answer a NOTIFY and tell of it (4.1.3). Raises SipSyntaxError for what cannot be read."""
        request = incoming.message
        event, state = request.typed(Event), request.typed(SubscriptionState)
        mine = [each for each in self._subscriptions if each.is_party_to(request)]
        if not mine:
            self._respond(incoming, 481, reason=_NONE)
        elif event is None or event.package not in {each.event.package for each in mine}:
            self._respond(incoming, 489)
        elif state is None:
            self._respond(incoming, 400, reason="Subscription-State is missing")
        else:
            self._take(incoming, event, state)

    def _take(self, incoming: Incoming, event: Event, state: SubscriptionState) -> None:
        request = incoming.message
        known = self._of_dialog(request, event)
        if known is not None and known.dialog is not None and not known.shared:
            status = known.dialog.receive(request)
            if status is not None:
                self._respond(incoming, status, reason="CSeq is not above the last one")
                return
        subscription = known or self._begun_by(request, event)
        if subscription is None or subscription.dialog is None:
            self._respond(incoming, 481, reason=_NONE)
            return
        self._respond(incoming, 200)
        subscription.dialog.accepted(request)
        subscription.event = Event(event.package, event.id)
        actions = subscription.machine.notified(state, self._now())
        over = [each for each in actions if isinstance(each, Ended)]
        # Who is told may refresh or leave, which sets timers of its own.
        self._perform(subscription, [each for each in actions if each not in over])
        try:
            subscription.wish.on_notify(request, state)
        finally:
            self._perform(subscription, over)

    def _of_dialog(self, notify: Request, event: Event) -> Subscription | None:
        """The subscription in the dialog of this NOTIFY."""
        return next(
            (each for each in self._subscriptions if each.is_in_dialog(notify) and each.is_about(event)), None
        )

    def _begun_by(self, notify: Request, event: Event) -> Subscription | None:
        """The subscription whose dialog this NOTIFY begins: the one asked for, or a fork (4.1.4, 4.4.1)."""
        asked = [each for each in self._subscriptions if each.is_named_by(notify) and each.is_about(event)]
        for each in asked:
            if each.dialog is None:
                each.dialog = _dialog_of(each, notify)
                return each
        for each in asked:
            if each.wish.package.forks and self._now() < each.open_until:
                machine = Subscriber.forked(each.machine.expires, self._timers)
                fork = self._new(each.wish, each.call_id, each.local_tag, machine)
                fork.cseq, fork.open_until = each.cseq, each.open_until
                fork.dialog = _dialog_of(fork, notify)
                return fork
        return None

    # -- what the machines say

    def _perform(self, subscription: Subscription, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case SendSubscribe(expires):
                    self._ask(subscription, expires)
                case Ended():
                    self.drop(subscription)
                    self._over(subscription.wish, action)
                case SendNotify():
                    raise AssertionError("a subscriber does not notify")
                case timer:
                    subscription.timers.perform(timer)

    def _over(self, wish: Wish, why: Ended) -> None:
        if wish.again and why.again_after is not None:
            handle: TimerHandle

            def again() -> None:
                self._later.discard(handle)
                self.subscribe(wish)

            # Not sooner than T1, lest a notifier that ends everything at once is asked without end.
            handle = self._scheduler.call_later(max(why.again_after, self._timers.t1), again)
            self._later.add(handle)
        wish.on_end(why)

    def _ask(self, subscription: Subscription, expires: int) -> None:
        wish = subscription.wish
        headers = [
            ("Event", str(subscription.event)),
            *([("Accept", wish.package.media_type)] if wish.package.media_type else []),
            ("Expires", str(expires)),
            *wish.headers,
        ]
        what = f"SUBSCRIBE {wish.target} to {subscription.event}"
        self._spawn(self._send(subscription, _Draft(subscription, headers), headers), what)

    async def _send(self, subscription: Subscription, draft: _Draft, headers: list[Header]) -> None:
        """Send a SUBSCRIBE, once more with credentials where it is challenged."""
        try:
            response = await draft.send()
            if response.status in (401, 407) and draft.request is not None:
                credentials = subscription.wish.authorize(draft.request, response)
                if credentials is not None:
                    response = await _Draft(subscription, [*headers, *credentials]).send()
        except RcsLabError:
            self.unanswered(subscription)
            raise
        self.answered(subscription, response)


class _Draft:
    """One SUBSCRIBE that is to be sent: in the dialog, or to make it. request: as it went."""

    def __init__(self, subscription: Subscription, headers: list[Header]) -> None:
        self.request: Request | None = None
        self._subscription, self._dialog = subscription, subscription.dialog
        if self._dialog is not None:
            self._make: RequestMaker = InDialog(self._dialog, "SUBSCRIBE", headers)
        else:
            subscription.cseq += 1
            self._make = partial(_first, subscription, subscription.cseq, headers)

    async def send(self) -> Response:
        """The final response. Raises as the way does."""
        response = await self._subscription.wish.send(self._made)
        if self._dialog is not None:
            self._dialog.answered(response)
        return response

    def _made(self, via: str) -> Request:
        self.request = self._make(via)
        return self.request


def _dialog_of(subscription: Subscription, notify: Request) -> Dialog:
    """The dialog a first NOTIFY makes: route set and target are those of the NOTIFY (4.4.1)."""
    return Dialog.as_callee(
        notify,
        subscription.local_tag,
        contact=subscription.wish.contact,
        confirmed=True,
        local_cseq=subscription.cseq,
    )


def _first(subscription: Subscription, cseq: int, headers: list[Header], via: str) -> Request:
    wish = subscription.wish
    return build_request(
        "SUBSCRIBE",
        wish.target,
        [
            ("Via", via),
            ("Max-Forwards", "70"),
            *(("Route", route) for route in wish.routes),
            ("From", f"{wish.local};tag={subscription.local_tag}"),
            ("To", wish.remote),
            ("Call-ID", subscription.call_id),
            ("CSeq", f"{cseq} SUBSCRIBE"),
            ("Contact", wish.contact),
            *headers,
        ],
    )
