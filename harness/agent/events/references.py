"""Takes REFERs in and sends them out (RFC 3515, RFC 7647, RFC 4488).

The implicit subscription is run by notifier.py and subscriber.py; following a reference is the
user's affair, who tells how it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from harness.agent.events.notifier import Admission, EventNotifier, Subscription
from harness.agent.events.subscriber import EventSubscriber, Wish
from harness.agent.events.subscriber import Subscription as Watch
from harness.agent.events.subscriptions import Header, InDialog, RequestMaker, Respond
from harness.agent.sip.agent import Incoming
from harness.agent.sip.bad_requests import Refusal
from harness.cpm.tokens import new_call_id, new_tag
from harness.errors import BodySyntaxError, RcsLabError, SipSyntaxError, UsageError
from harness.sip.dialog import Dialog
from harness.sip.event_headers import Event, ReferSub, SubscriptionState
from harness.sip.event_packages import REFER
from harness.sip.message import Request, Response, build_request
from harness.sip.refer import Referral
from harness.sip.sipfrag import Sipfrag, parse_sipfrag, write_status
from harness.sip.start_line import REASONS
from harness.sip.subscription import Ended

_TRYING = write_status(100, "Trying")
_SCHEMES = ("sip", "sips", "tel")


# -- receiving


class Reference:
    """A REFER that was taken, and what is told of it. subscription: None when nothing is to be told."""

    def __init__(self, notifier: EventNotifier, incoming: Incoming, referral: Referral) -> None:
        self._notifier = notifier
        self.incoming, self.referral = incoming, referral
        self.subscription: Subscription | None = None
        self.fragment = _TRYING
        self.done = False

    def progress(self, status: int, reason: str | None = None, headers: Iterable[Header] = ()) -> None:
        """Tell the referrer how the request that follows goes; a final status ends the subscription.

        headers: of the response, as far as the referrer may know them (RFC 3515 2.4.5). Raises UsageError
        after a final status, and for what would not be SIP.
        """
        if self.done:
            raise UsageError("the reference has come to its end, nothing more is to be told of it")
        self.fragment = write_status(status, reason or REASONS.get(status, "Unknown"), headers)
        self.done = status >= 200
        if self.subscription is None:
            return
        if self.done:
            self._notifier.close(self.subscription, "noresource", self.fragment)
        else:
            self._notifier.changed(self.subscription, self.fragment)


Decide = Callable[[Referral, Incoming], Refusal | None]


class ReferenceTaker:
    """The topic `refer`: takes REFERs in.

    Args: admission gives Contact and way back for a REFER, or for a SUBSCRIBE in its subscription. decide
    refuses what is not wanted (603, 403, 429), None takes it. follow is called with each reference that was
    taken, after its answer. status: of that answer; RFC 7647 5 has 200, older documents 202. schemes: of the
    URIs that can be followed. supported: extensions the answer names.
    """

    package = REFER

    def __init__(
        self,
        notifier: EventNotifier,
        respond: Respond,
        admission: Callable[[Incoming], Admission],
        decide: Decide,
        follow: Callable[[Reference], None],
        *,
        status: int = 200,
        schemes: Iterable[str] = _SCHEMES,
        supported: Iterable[str] = (),
    ) -> None:
        self._notifier, self._respond = notifier, respond
        self._admission, self._decide, self._follow = admission, decide, follow
        self._status, self._schemes = status, frozenset(schemes)
        self._supported = ", ".join(supported)
        self._references: dict[Subscription, Reference] = {}
        notifier.add(self)

    def on_refer(self, incoming: Incoming, dialog: Dialog | None = None) -> None:
        """Answer a REFER. dialog: the one it came in, whose owner has seen to its order.

        Raises SipSyntaxError for one that cannot be read, or without exactly one Refer-To: 400.
        """
        request = incoming.message
        referral = Referral.of(request)
        refusal = self._refusal(request, referral, incoming)
        if refusal is not None:
            self._respond(incoming, refusal.status, reason=refusal.reason)
            return
        reference = Reference(self._notifier, incoming, referral)
        admission = self._admission(incoming)
        if referral.subscribe:
            self._begin(reference, admission, dialog)
        else:
            rows = [(ReferSub.header, "false"), ("Contact", admission.contact)]
            if self._supported:
                rows.append(("Supported", self._supported))
            self._respond(incoming, self._status, rows, to_tag=dialog.id.local_tag if dialog else None)
        if dialog is not None:
            dialog.accepted(request)
        self._follow(reference)

    def _refusal(self, request: Request, referral: Referral, incoming: Incoming) -> Refusal | None:
        if referral.target.uri.scheme not in self._schemes:
            return Refusal(416, REASONS[416])
        if not request.contacts:
            return Refusal(400, "Contact is missing")
        return self._decide(referral, incoming)

    def _begin(self, reference: Reference, admission: Admission, dialog: Dialog | None) -> None:
        incoming = reference.incoming
        request = incoming.message
        # The second and later REFERs of a dialog must be told apart (RFC 3515 2.4.6); the first may be.
        event = Event(REFER.name, None if dialog is None else str(request.cseq.number))
        expires = REFER.granted(request.expires)

        def begun(subscription: Subscription) -> None:
            reference.subscription = subscription
            self._references[subscription] = reference

        self._notifier.begin(incoming, self, event, admission, self._status, expires, dialog, begun)

    # -- what the notifier asks

    def admit(self, incoming: Incoming) -> Admission:
        """A SUBSCRIBE in the subscription: to refresh or to end it."""
        return self._admission(incoming)

    def document(self, subscription: Subscription) -> bytes:
        """How the reference goes."""
        return self._references[subscription].fragment

    def subscribed(self, subscription: Subscription, expires: int) -> None:
        """Nothing to add."""

    def ended(self, subscription: Subscription, why: Ended) -> None:
        """The referrer is told no more; the request that follows goes on (RFC 3515 2.4.4)."""
        self._references.pop(subscription).subscription = None


# -- sending

# How the request that follows goes: the fragment told (None when it cannot be read), and the subscription.
Told = Callable[[Sipfrag | None, SubscriptionState], None]


@dataclass(frozen=True, slots=True)
class Reported:
    """The answer to a REFER of ours; watch: the subscription it made, None when it made none."""

    response: Response
    watch: Watch | None


class ReferenceSender:
    """Sends REFERs and passes on what is told of them."""

    def __init__(self, subscriber: EventSubscriber) -> None:
        self._subscriber = subscriber

    async def refer(
        self, referral: Referral, wish: Wish, told: Told, *, dialog: Dialog | None = None
    ) -> Reported:
        """Send a REFER and return its answer; NOTIFYs may come before that.

        wish: parties, Contact, way and headers; its package, time and on_notify do not count. dialog: the
        one to send it in, which RFC 7647 4 allows only where the other end has no GRUU, or when no
        subscription can come of it. Raises what sending raises, after the wish was told of the end.
        """
        wish = replace(wish, package=REFER, on_notify=_reader(told), again=False)
        sending = _Sending(self._subscriber, referral, wish, dialog)
        try:
            response = await wish.send(sending)
        except RcsLabError:
            if sending.watch is not None:
                self._subscriber.unanswered(sending.watch)
            raise
        watch = sending.watch
        assert watch is not None  # something was sent
        if dialog is not None:
            dialog.answered(response)
        if 200 <= response.status < 300 and _declines(response):
            self._subscriber.drop(watch)
        else:
            self._subscriber.answered(watch, response)
        return Reported(response, watch if watch in self._subscriber else None)


class _Sending:
    """Makes the REFER, and expects its NOTIFYs before it leaves."""

    def __init__(
        self, subscriber: EventSubscriber, referral: Referral, wish: Wish, dialog: Dialog | None
    ) -> None:
        self._subscriber, self._wish, self._dialog = subscriber, wish, dialog
        self.watch: Watch | None = None
        rows = [*referral.rows, *wish.headers]
        tag, call_id = new_tag(), new_call_id(wish.host)
        self._make: RequestMaker = (
            InDialog(dialog, "REFER", rows)
            if dialog is not None
            else lambda via: _out_of_dialog(wish, rows, via, call_id, tag)
        )

    def __call__(self, via: str) -> Request:
        request = self._make(via)
        if self.watch is None:
            self.watch = self._subscriber.referred(
                self._wish, request.call_id, request.from_.tag or "", request.cseq.number, self._dialog
            )
        return request


def _out_of_dialog(wish: Wish, rows: list[Header], via: str, call_id: str, tag: str) -> Request:
    return build_request(
        "REFER",
        wish.target,
        [
            ("Via", via),
            ("Max-Forwards", "70"),
            *(("Route", route) for route in wish.routes),
            ("From", f"{wish.local};tag={tag}"),
            ("To", wish.remote),
            ("Call-ID", call_id),
            ("CSeq", "1 REFER"),
            ("Contact", wish.contact),
            *rows,
        ],
    )


def _reader(told: Told) -> Callable[[Request, SubscriptionState], None]:
    def read(notify: Request, state: SubscriptionState) -> None:
        try:
            fragment = parse_sipfrag(notify.body)
        except BodySyntaxError:
            fragment = None  # the timeline has it, and rules to judge it
        told(fragment, state)

    return read


def _declines(response: Response) -> bool:
    """Whether the other end makes no subscription (RFC 4488 4)."""
    try:
        found = response.typed(ReferSub)
    except SipSyntaxError:
        return False
    return found is not None and not found.wanted
