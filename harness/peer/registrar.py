"""The registrar: RFC 3261 10.3, Path (RFC 3327), Service-Route (RFC 3608), P-Associated-URI (RFC 7315 4.1).

What a REGISTER is worth is decided here; what a handset did wrong is not: that is for verify/.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from enum import StrEnum

from harness.agent.sip.agent import Incoming
from harness.cpm.services import Service
from harness.errors import UsageError
from harness.peer.answers import Answer, AnswerQueue, Header, HeaderChanges
from harness.peer.authentication import Authenticator, Outcome, credentials_in
from harness.peer.bindings import Binding, Bindings
from harness.peer.config import Authentication, Subscriber
from harness.peer.flow import flow_of
from harness.peer.identities import canonical, names, number_of, uri_of
from harness.peer.journal import EventKind, PeerEvent, Recent
from harness.peer.pcscf import Pcscf
from harness.peer.security_agreement import SecurityAgreement
from harness.sip.caller_preferences import AcceptContact, feature_tags
from harness.sip.contact_choice import ordered
from harness.sip.headers import NameAddr
from harness.sip.message import Request
from harness.sip.uri import parse_uri

log = logging.getLogger(__name__)

_HOUR = 3600  # RFC 3261 10.3 step 7: nothing of an hour or more is too brief
_GIVES_UP = 2  # wrong responses in a row before 403
_LARGEST = 2**32 - 1


class Change(StrEnum):
    """What happened to a binding, in the words of the event attribute of RFC 3680 5.1."""

    REGISTERED = "registered"
    REFRESHED = "refreshed"
    UNREGISTERED = "unregistered"
    EXPIRED = "expired"
    DEACTIVATED = "deactivated"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class RegistrationEvent:
    """One line of the registration history. `timeline` is the number of its last entry at that time."""

    time: float
    timeline: int
    change: Change
    binding: Binding


_KINDS = {
    Change.REGISTERED: EventKind.REGISTERED,
    Change.REFRESHED: EventKind.REFRESHED,
}
_REGISTRATION = (EventKind.REGISTERED, EventKind.REFRESHED, EventKind.DEREGISTERED)
_EXPECTED = (*_REGISTRATION, EventKind.ANSWERED, EventKind.WITHHELD)

ChangeListener = Callable[[Change, tuple[Binding, ...]], None]


class _Refused(Exception):
    """The REGISTER ends with this answer."""

    def __init__(self, status: int, headers: list[Header] | None = None, reason: str | None = None) -> None:
        super().__init__(status)
        self.status, self.headers, self.reason = status, headers or [], reason


class Registrar:
    """Bindings of the domain, and who is told when they change."""

    def __init__(self, pcscf: Pcscf, authenticator: Authenticator) -> None:
        self._pcscf = pcscf
        self._config = pcscf.config
        self._authenticator = authenticator
        self._agreement = SecurityAgreement(pcscf.config, authenticator)
        self._bindings = Bindings()
        self._wrong: dict[str, int] = {}
        self._listeners: list[ChangeListener] = []
        self._expiry: asyncio.TimerHandle | None = None
        self._expiry_at: float | None = None
        self._answers = AnswerQueue()
        self.history: Recent[RegistrationEvent] = Recent()

    # What tests set and ask

    @property
    def authentication(self) -> Authentication:
        """How REGISTER is authenticated; may be set at any time."""
        return self._config.authentication

    @authentication.setter
    def authentication(self, how: Authentication) -> None:
        self._config.authentication = how

    @property
    def min_expires(self) -> int:
        """Shortest lifetime accepted, seconds (only lifetimes below one hour are ever refused)."""
        return self._config.min_expires

    @min_expires.setter
    def min_expires(self, seconds: int) -> None:
        self._config.min_expires = seconds

    @property
    def bindings(self) -> dict[str, Binding]:
        """The newest binding of each identity that has one."""
        return {binding.aor: binding for binding in self.all_bindings()}

    def all_bindings(self, identity: str | None = None) -> tuple[Binding, ...]:
        """Every binding in force, or those of one identity (URI or number), newest last."""
        now = self._pcscf.timeline.now()
        held = self._bindings.all() if identity is None else self._bindings.named(identity)
        return tuple(binding for binding in held if binding.expires_at > now)

    def binding_of(self, identity: str, service: Service | None = None) -> Binding | None:
        """The newest binding of an identity, None when it has none.

        service: where there are several, the one that shows most of what a request of it asks for (RFC 3841).
        """
        bound = self.all_bindings(identity)
        if service is None or len(bound) < 2:
            return bound[-1] if bound else None
        by_contact = {binding.address: binding for binding in reversed(bound)}
        chosen = ordered(
            list(by_contact), [AcceptContact.parse(self._config.technology.accept_contact(service))]
        )
        return by_contact[chosen[0]]

    def answer_next(
        self,
        status: int | None,
        headers: HeaderChanges | None = None,
        count: int = 1,
        *,
        reason: str | None = None,
    ) -> None:
        """Answer the next `count` REGISTER requests with this status, or not at all (None).

        A refusal skips authentication and leaves the bindings alone; 2xx registers as usual and changes the
        headers of the answer (None leaves one out).
        """
        self._answers.add(Answer(status, headers or {}, reason), count)

    def forget_sequence_numbers(self) -> None:
        """Lose the AKA sequence numbers: the next challenge is out of step with the SIM."""
        self._authenticator.forget_sequence_numbers()

    def answer_as_usual(self) -> None:
        """Forget the answers asked for and not given yet."""
        self._answers.clear()

    def forget(self) -> None:
        """Lose all bindings without a word to anybody, as a registrar that restarts does."""
        self._bindings.clear()
        self._wrong.clear()

    def on_change(self, listener: ChangeListener) -> None:
        """Call the listener with each change of bindings, after the answer to the REGISTER has gone."""
        self._listeners.append(listener)

    async def wait_registered(
        self, aor: str | None = None, *, timeout: float, after: int | None = None
    ) -> Binding:
        """The binding of an identity (any identity when None).

        after None: a binding that is in force counts; otherwise a REGISTER later than that timeline number is
        awaited. Raises NotSeen after `timeout` seconds.
        """
        if after is None:
            bound = self.all_bindings(aor)
            if bound:
                return bound[-1]
            after = self._pcscf.journal.timeline_number
        event = await self._wait(
            (EventKind.REGISTERED, EventKind.REFRESHED), aor, timeout, after, "a registration"
        )
        binding = event.subject
        assert isinstance(binding, Binding)
        return binding

    async def wait_deregistered(
        self, aor: str | None = None, *, timeout: float, after: int | None = None
    ) -> Binding | None:
        """The binding that went away; None at once when after is None and there is no binding left."""
        if after is None:
            if not self.all_bindings(aor):
                return None
            after = self._pcscf.journal.timeline_number
        event = await self._wait((EventKind.DEREGISTERED,), aor, timeout, after, "a deregistration")
        binding = event.subject
        assert isinstance(binding, Binding)
        return binding

    async def _wait(
        self, kinds: tuple[EventKind, ...], aor: str | None, timeout: float, after: int, what: str
    ) -> PeerEvent:
        def wanted(event: PeerEvent) -> bool:
            return event.kind in kinds and (aor is None or event.subject.belongs_to(aor))

        whose = f"{what} of {aor}" if aor else what
        return await self._pcscf.journal.wait(wanted, timeout, after=after, expected=whose, kinds=_EXPECTED)

    async def deregister(self, aor: str | None = None, *, rejected: bool = False) -> tuple[Binding, ...]:
        """End registrations from the network side: the handset is told by NOTIFY when it has subscribed.

        Event `deactivated` asks it to register again, `rejected` tells it not to (RFC 3680 5.1). Returns
        what was removed; UsageError when there was nothing to remove.
        """
        gone = self.all_bindings(aor)
        if not gone:
            raise UsageError(f"nothing is registered{f' under {aor}' if aor else ''}")
        for binding in gone:
            self._bindings.remove(binding)
        change = Change.REJECTED if rejected else Change.DEACTIVATED
        self._record(change, gone)
        self._tell(change, gone)
        return gone

    # REGISTER

    def on_register(self, incoming: Incoming) -> None:
        """Answer a REGISTER."""
        answer = self._answers.take()
        if answer is not None and not answer.accepts:
            self._pcscf.answer(incoming, answer)
            return
        try:
            self._register(incoming, answer or Answer(200))
        except _Refused as refused:
            self._pcscf.respond(incoming, refused.status, refused.headers, reason=refused.reason)

    def _register(self, incoming: Incoming, answer: Answer) -> None:
        request = incoming.message
        if request.to.uri.scheme not in ("sip", "sips"):  # 10.2: an address-of-record is one of these
            raise _Refused(400, reason="To is no SIP or SIPS URI")
        aor = canonical(str(request.to.uri))
        subscriber = self._subscriber(request, aor)
        if self.authentication is not Authentication.NONE:
            self._authenticate(request, aor, subscriber)
        change, changed = self._bind(incoming, aor, self._associated(request, subscriber))
        changes = [
            (kind, bindings)
            for kind, bindings in ((change, changed[0]), (Change.UNREGISTERED, changed[1]))
            if bindings
        ]
        for kind, bindings in changes:
            self._record(kind, bindings)
        self._pcscf.respond(
            incoming,
            answer.status or 200,
            self._accepted(incoming, aor),
            changes=answer.headers,
            reason=answer.reason,
        )
        for kind, bindings in changes:
            self._tell(kind, bindings)

    def _subscriber(self, request: Request, aor: str) -> Subscriber | None:
        credentials = credentials_in(request, "Authorization", self._config.domain)
        username = (credentials.parameters.get("username") or "") if credentials else ""
        for subscriber in self._config.subscribers:
            # TS 23.003 13.4B: the temporary public identity is "sip:" and the private one
            if names(aor, (*subscriber.impus, f"sip:{subscriber.impi}")):
                return subscriber
        return next((known for known in self._config.subscribers if known.impi == username), None)

    def _authenticate(self, request: Request, aor: str, subscriber: Subscriber | None) -> None:
        """RFC 3261 10.3 steps 3 to 5. Raises _Refused unless the credentials are right."""
        uri = uri_of(request.uri)
        if uri is None or uri.host.lower() != self._config.domain.lower():
            raise _Refused(404)
        if subscriber is None or not names(aor, (*subscriber.impus, f"sip:{subscriber.impi}")):
            raise _Refused(403)
        credentials = credentials_in(request, "Authorization", self._config.domain)
        outcome = self._authenticator.check(request, credentials, subscriber)
        log.info("REGISTER of %s: %s", aor, outcome)
        if outcome is Outcome.RIGHT:
            self._wrong.pop(subscriber.impi, None)
            return
        if outcome is Outcome.WRONG and self._gives_up(subscriber):
            raise _Refused(403)
        stale = outcome is Outcome.STALE
        rows = self._authenticator.challenge(subscriber, self.authentication, stale=stale)
        challenge = [("WWW-Authenticate", row) for row in rows]
        raise _Refused(401, [*challenge, *self._agreement.challenged(request)])

    def _gives_up(self, subscriber: Subscriber) -> bool:
        wrong = self._wrong.get(subscriber.impi, 0) + 1
        self._wrong[subscriber.impi] = wrong % _GIVES_UP
        return wrong >= _GIVES_UP

    def _associated(self, request: Request, subscriber: Subscriber | None) -> tuple[str, ...]:
        """The identities of the registration: the subscriber's, or the registered one in both its forms."""
        if subscriber is not None:
            return subscriber.impus
        if self._config.associated is not None:
            return self._config.associated
        identity = str(request.to.uri)
        number = number_of(identity)
        uri = uri_of(identity)
        if number is None or uri is None:
            return (identity,)
        if uri.scheme == "tel":
            return (f"sip:{number}@{self._config.domain};user=phone", identity)
        return (identity, f"tel:{number}")

    def _bind(
        self, incoming: Incoming, aor: str, associated: tuple[str, ...]
    ) -> tuple[Change, tuple[tuple[Binding, ...], tuple[Binding, ...]]]:
        """Steps 6 and 7: all contacts or none. Returns the change, what was bound and what was removed."""
        request = incoming.message
        self.purge()
        before = list(self._bindings.of(aor))
        if any(value.strip() == "*" for value in request.values("Contact")):
            return Change.UNREGISTERED, ((), self._unbind_all(request, aor, before))
        after = list(before)
        bound: list[Binding] = []
        removed: list[Binding] = []
        for contact in request.contacts:
            expires = self._lifetime(contact, request)
            old = next((held for held in after if _replaces(contact, held)), None)
            if old is not None:
                _in_order(old, request)
                after.remove(old)
            if expires == 0:
                removed.extend([old] if old else [])
                continue
            new = self._binding(incoming, aor, associated, contact, expires, old)
            after.append(new)
            bound.append(new)
        self._bindings.put(aor, after)
        self._schedule()
        known = {held.contact for held in before}
        fresh = any(new.contact not in known for new in bound)
        return (Change.REGISTERED if fresh else Change.REFRESHED), (tuple(bound), tuple(removed))

    def _unbind_all(self, request: Request, aor: str, before: list[Binding]) -> tuple[Binding, ...]:
        if len(request.values("Contact")) != 1 or _seconds(request.get("Expires")) != 0:
            raise _Refused(400, reason="Contact * needs Expires 0 and no other Contact")
        for held in before:
            _in_order(held, request)
        self._bindings.put(aor, ())
        return tuple(before)

    def _lifetime(self, contact: NameAddr, request: Request) -> int:
        """Step 7, in seconds. Raises _Refused with 423 when it is too brief."""
        asked = _seconds(contact.parameters.get("expires"))
        if asked is None:
            asked = _seconds(request.get("Expires"))
        if asked is None:
            asked = self._config.default_expires
        if 0 < asked < min(self.min_expires, _HOUR):
            raise _Refused(423, [("Min-Expires", str(self.min_expires))])
        return min(asked, self._config.max_expires)

    def _binding(
        self,
        incoming: Incoming,
        aor: str,
        associated: tuple[str, ...],
        contact: NameAddr,
        expires: int,
        old: Binding | None,
    ) -> Binding:
        request = incoming.message
        now = self._pcscf.timeline.now()
        instance = contact.parameters.get("+sip.instance")
        return Binding(
            aor=aor,
            contact=str(contact.uri),
            address=contact,
            features=feature_tags(contact.parameters),
            instance=instance.strip('"<>') if instance else None,
            associated=associated,
            flow=flow_of(incoming, str(contact.uri)),
            call_id=request.call_id,
            cseq=request.cseq.number,
            expires=expires,
            expires_at=now + expires,
            registered_at=old.registered_at if old else now,
            path=tuple(request.values("Path")),
            user_agent=request.get("User-Agent") or "",
            access_network=request.get("P-Access-Network-Info") or "",
            number=len(self._pcscf.timeline),
        )

    def _accepted(self, incoming: Incoming, aor: str) -> list[Header]:
        """Step 8, and what IMS adds. A query (no Contact) is answered with what is bound."""
        now = self._pcscf.timeline.now()
        bound = self._bindings.of(aor)
        headers: list[Header] = []
        for binding in bound:
            left = max(0, round(binding.expires_at - now))
            address = replace(
                binding.address,
                parameters=binding.address.parameters.replaced("expires", str(left)),
                bracketed=True,
            )
            headers.append(("Contact", str(address)))
        if bound:
            headers.extend(self._network_headers(incoming, bound[-1]))
        headers.append(("Date", formatdate(now, usegmt=True)))
        return headers

    def _network_headers(self, incoming: Incoming, binding: Binding) -> list[Header]:
        supported = {tag.lower() for tag in incoming.message.values("Supported")}
        headers: list[Header] = []
        if "path" in supported or binding.path:
            headers.extend(("Path", value) for value in (*self._own_path(incoming), *binding.path))
        route = self._config.service_route
        if route is None:
            # RFC 3608 6.3: a query is told what the registration was told, wherever it comes in.
            route = (self._pcscf.route(binding.flow.local, "orig"),)
        headers.extend(("Service-Route", value) for value in route)
        headers.append(("P-Associated-URI", ", ".join(f"<{uri}>" for uri in binding.associated)))
        return headers

    def _own_path(self, incoming: Incoming) -> tuple[str, ...]:
        """The P-CSCF puts itself into Path on the way to the registrar (TS 24.229 5.2.2)."""
        return (self._pcscf.route(incoming.local, "term"),)

    # Lifetime

    def purge(self) -> None:
        """Remove the bindings whose time is over."""
        for over in self._bindings.take_overdue(self._pcscf.timeline.now()).values():
            self._record(Change.EXPIRED, over)
            self._tell(Change.EXPIRED, over)

    def _schedule(self) -> None:
        """Wake up when the next binding ends."""
        end = self._bindings.next_end()
        if end == self._expiry_at:
            return
        self.stop()
        self._expiry_at = end
        if end is not None:
            delay = max(0.0, end - self._pcscf.timeline.now())
            self._expiry = asyncio.get_running_loop().call_later(delay, self._wake)

    def _wake(self) -> None:
        self.stop()
        self.purge()
        self._schedule()

    def stop(self) -> None:
        """Forget the timer."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = self._expiry_at = None

    def _record(self, change: Change, bindings: tuple[Binding, ...]) -> None:
        for binding in bindings:
            kind = _KINDS.get(change, EventKind.DEREGISTERED)
            event = self._pcscf.journal.add(kind, f"{binding.aor} at {binding.contact} ({change})", binding)
            self.history.append(RegistrationEvent(event.time, event.timeline, change, binding))

    def _tell(self, change: Change, bindings: tuple[Binding, ...]) -> None:
        for listener in tuple(self._listeners):
            listener(change, bindings)


def _replaces(contact: NameAddr, held: Binding) -> bool:
    """Equal URIs (RFC 3261 10.3 step 7), or the same instance on the same flow id (RFC 5626 6)."""
    if parse_uri(held.contact).equivalent(contact.uri):
        return True
    instance = contact.parameters.get("+sip.instance")
    reg_id = contact.parameters.get("reg-id")
    return (
        instance is not None
        and instance == held.address.parameters.get("+sip.instance")
        and reg_id == held.address.parameters.get("reg-id")
    )


def _in_order(held: Binding, request: Request) -> None:
    """RFC 3261 10.3 steps 6 and 7: an older request of the same Call-ID changes nothing."""
    if held.call_id == request.call_id and request.cseq.number <= held.cseq:
        raise _Refused(500, reason="CSeq is not above that of the binding")


def _seconds(text: str | None) -> int | None:
    """A lifetime; what is no number counts as 3600 (RFC 3261 20.19 and 20.10), None when there is none."""
    if text is None:
        return None
    try:
        return min(int(text), _LARGEST) if text.isascii() and text.isdigit() else _HOUR
    except ValueError:
        return _HOUR
