"""Registration of the RCS client: REGISTER with Digest or AKA, refresh, end, and the reg event.

RFC 3261 10 and 22, RFC 3310, RFC 3608, RFC 3680; TS 24.229 5.1.1. Without IPsec: the client asks for none.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from devices.simulated.defect import Stage
from devices.simulated.rcs_access import ALLOW, RcsAccess
from harness.agent.background import Background
from harness.agent.events.subscriber import EventSubscriber, Wish
from harness.agent.scheduler import RunningLoop
from harness.agent.sip.agent import Incoming
from harness.bodies.reginfo import ContactState, parse_reginfo
from harness.cpm.tokens import new_call_id, new_tag
from harness.errors import BodySyntaxError, RcsLabError, SipSyntaxError
from harness.sip import aka
from harness.sip.digest import algorithm_of, answer_challenge, first_supported, is_aka
from harness.sip.event_packages import REG
from harness.sip.headers import Challenge, NameAddr
from harness.sip.message import Request, Response
from harness.sip.subscription import Ended
from harness.sip.transaction import Timers

_log = logging.getLogger(__name__)

LONGEST_WAIT = 1800.0
ATTEMPTS_WITH_CREDENTIALS = 3
LAST_NOTIFY_SECONDS = 0.5
"""How long the client waits for the NOTIFY that ends its subscription before the radio goes."""
REGISTER_AGAIN = frozenset({"deactivated", "probation", "expired"})  # RFC 3680 5.1, TS 24.229 5.1.1.7
REFUSED_FOR_GOOD = frozenset({401, 403, 404})


class Rejected(Exception):
    """The network refuses the registration; trying again by oneself is no use."""


@dataclass(slots=True)
class SimCounter:
    """The highest sequence number a SIM accepted; it outlives registrations (TS 33.102 annex C)."""

    sqn: int = 0


@dataclass(slots=True)
class _Secret:
    """A challenge that was answered, the password for it, and how often it was used (RFC 7616 3.4, nc)."""

    challenge: Challenge
    password: bytes
    count: int = 0


class RcsRegistration:
    """Keeps one client registered from `run` until `end`, with the feature tags of its services.

    registered is True between a 200 with our Contact and whatever ends it; on_change is called with it at
    each change.
    """

    def __init__(
        self,
        access: RcsAccess,
        sim: SimCounter,
        on_change: Callable[[bool], None],
        features: Sequence[str],
    ) -> None:
        self.access, self.sim, self._features = access, sim, features
        self.registered = False
        self._on_change = on_change
        self._call_id = new_call_id(access.local.host)
        self._tag = new_tag()
        self._cseq = 0
        self._min_expires = 0
        self._secret: _Secret | None = None
        self._background = Background()
        self._events = EventSubscriber(
            access.respond,
            self._in_background,
            RunningLoop(),
            lambda: asyncio.get_running_loop().time(),
            Timers(t1=access.settings.t1),
        )
        self._subscription_over = asyncio.Event()
        self._again = asyncio.Event()
        self._forbidden = False

    # -- life

    async def run(self) -> None:
        """Register, stay registered, try again after failures; returns only when the network rejects."""
        failures = 0
        while not self._forbidden:
            self._again.clear()
            wait: float | None = None
            try:
                wait = self._settle(await self._register(self._expires()))
            except Rejected as refusal:
                _log.warning("registration rejected: %s", refusal)
                self._set(False)
                return
            except RcsLabError as error:
                _log.warning("registration failed: %s", error)
                self._set(False)
            failures = 0 if self.registered else failures + 1
            await self._pause(self._backoff(failures) if wait is None else wait)

    async def end(self) -> None:
        """Deregister: the same Contact with expires=0 (RFC 3261 10.2.2). What fails here is lost anyway."""
        if not self.registered:
            return
        try:
            await self._register(0)
        except (RcsLabError, Rejected) as error:
            _log.warning("deregistration failed: %s", error)
        self._set(False)
        if self._subscribed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._subscription_over.wait(), LAST_NOTIFY_SECONDS)

    def lost(self) -> None:
        """The IP connection is gone: registration and subscription with it."""
        self._events.forget()
        self._background.cancel()
        self._set(False)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._again.wait(), seconds)

    def _backoff(self, failures: int) -> float:
        """Seconds: doubling from the configured first wait, half of it random (RFC 5626 4.5)."""
        doublings = min(max(0, failures - 1), 30)
        longest = min(LONGEST_WAIT, self.access.settings.retry_seconds * 2.0**doublings)
        return longest * random.uniform(0.5, 1.0)

    def _set(self, registered: bool) -> None:
        if not registered:  # refused, over or lost
            self.access.forget_route()
        if registered != self.registered:
            self.registered = registered
            self._on_change(registered)

    def _expires(self) -> int:
        return max(self.access.settings.expires, self._min_expires)

    # -- REGISTER

    async def _register(self, expires: int) -> Response:
        """One registration with as many challenges as it takes. Returns the final response.

        Raises: Rejected, and what sending and reading raise.
        """
        tried = {_nonce_of(self._secret.challenge)} if self._secret is not None else set()
        refusable = False
        response = await self._attempt(expires, self._first_authorization())
        for _ in range(ATTEMPTS_WITH_CREDENTIALS):
            if response.status != 401:
                break
            challenge = first_supported(response.challenges)
            if challenge is None:
                raise Rejected("401 without a challenge this client can answer")
            # A password just refused is not right for another nonce either (RFC 7616 3.3, stale).
            hopeless = refusable and not is_aka(algorithm_of(challenge)) and not _is_stale(challenge)
            if hopeless or _nonce_of(challenge) in tried:
                raise Rejected("401 to the credentials of this subscription")
            tried.add(_nonce_of(challenge))
            refusable = True
            response = await self._answer_challenge(challenge, expires)
        return response

    async def _answer_challenge(self, challenge: Challenge, expires: int) -> Response:
        """RFC 3310 3.3 and 3.4: response from RES, or auts, or an empty response when AUTN is not genuine."""
        if self.access.defects.has("same_cseq_with_credentials"):
            self._cseq -= 1
        if not is_aka(algorithm_of(challenge)):
            if self.access.settings.password is None:
                raise Rejected("a Digest challenge, but no password is provisioned")
            self._secret = _Secret(challenge, self.access.settings.password.encode())
            return await self._attempt(expires, self._credentials(self._secret))
        milenage = self.access.settings.milenage
        if milenage is None:
            raise Rejected("an AKA challenge, but the SIM has no key")
        outcome = aka.answer(milenage, challenge.parameters.get("nonce") or "", self.sim.sqn)
        if isinstance(outcome, aka.AkaResult):
            self.sim.sqn = outcome.sqn
            password = aka.digest_password(algorithm_of(challenge), outcome.res, outcome.ck, outcome.ik)
            self._secret = _Secret(challenge, password)
            return await self._attempt(expires, self._credentials(self._secret))
        self._secret = None
        if isinstance(outcome, aka.SynchronisationFailure):
            return await self._attempt(expires, self._credentials(_Secret(challenge, b""), outcome.auts))
        await self._attempt(expires, self._empty_credentials(challenge))
        raise Rejected("the network could not prove itself: MAC of AUTN is wrong (TS 24.229 5.1.1.5.3)")

    async def _attempt(self, expires: int, authorization: str) -> Response:
        access = self.access
        self._cseq += 1
        contact = ";".join(
            [f"<{access.contact_uri}>", access.instance, *self._features, f"expires={expires}"]
        )
        headers = [
            ("Contact", contact),
            ("Supported", "timer,path,gruu"),
            ("Authorization", authorization),
        ]
        if 'nonce=""' not in authorization:  # TS 24.229 5.1.1.2: where it is only when protected
            headers += access.location
        request = access.request(
            "REGISTER",
            f"sip:{access.settings.domain}",
            sender=access.registering_identity,
            to=f"<{access.registering_identity}>",
            headers=headers,
            cseq=self._cseq,
            call_id=self._call_id,
            from_tag=self._tag,
        )
        return await access.send(access.defects.apply(Stage.REGISTER, request))

    def _first_authorization(self) -> str:
        """Credentials for the last nonce, or the empty ones that name the private identity (TS 24.229
        5.1.1.2).
        """
        if self._secret is not None:
            return self._credentials(self._secret)
        domain = self.access.settings.domain
        return (
            f'Digest username="{self.access.impi}",realm="{domain}",nonce="",uri="sip:{domain}",response=""'
        )

    def _empty_credentials(self, challenge: Challenge) -> str:
        realm, nonce = (challenge.parameters.get(name) or "" for name in ("realm", "nonce"))
        return (
            f'Digest username="{self.access.impi}",realm="{realm}",nonce="{nonce}",'
            f'uri="sip:{self.access.settings.domain}",response="",algorithm={algorithm_of(challenge)}'
        )

    def _credentials(self, secret: _Secret, auts: bytes | None = None) -> str:
        secret.count += 1
        uri, name = f"sip:{self.access.settings.domain}", self.access.impi
        return answer_challenge(
            secret.challenge, "REGISTER", uri, name, secret.password, nc=secret.count, auts=auts
        )

    def _settle(self, response: Response) -> float | None:
        """What a final response means. Returns seconds until the next REGISTER, None for a back-off.

        Raises: Rejected.
        """
        if 200 <= response.status < 300:
            return self._accepted(response)
        self._set(False)
        if response.status == 423:
            asked, self._min_expires = self._expires(), _number(response.get("Min-Expires")) or 0
            return 0.0 if self._min_expires > asked else None
        if response.status in REFUSED_FOR_GOOD:
            raise Rejected(f"{response.status} {response.reason}")
        return _number(response.get("Retry-After"))

    def _accepted(self, response: Response) -> float | None:
        granted = self._granted(response)
        if not granted:
            _log.warning("%d to REGISTER without our Contact", response.status)
            self._set(False)
            return None
        wait = granted - 600.0 if granted > 1200 else granted / 2  # TS 24.229 5.1.1.4.1
        self.access.learn(response)
        if not self._subscribed:
            self._subscribe()
        self._set(True)
        return wait

    def _granted(self, response: Response) -> int:
        """Seconds granted for our Contact; 0 when it is not bound."""
        for text in response.values("Contact"):
            try:
                contact = NameAddr.parse(text)
            except SipSyntaxError:
                continue  # of another device
            if self.access.is_own_contact(str(contact.uri)):
                return _number(contact.parameters.get("expires")) or _number(response.get("Expires")) or 0
        return 0

    # -- reg event (RFC 3680)

    def _in_background(self, work: Coroutine[Any, Any, None], what: str) -> None:
        self._background.spawn(work)

    @property
    def _subscribed(self) -> bool:
        return any(True for _ in self._events)

    def _subscribe(self) -> None:
        """Subscribe to our registration; from here on the subscription is kept by itself."""
        access = self.access
        self._subscription_over.clear()
        identity = access.associated[0] if access.associated else access.registering_identity
        wish = Wish(
            REG,
            target=identity,
            local=f"<{identity}>",
            remote=f"<{identity}>",
            contact=f"<{access.contact_uri}>",
            host=access.local.host,
            send=lambda make: access.send(access.addressed(make)),
            authorize=access.credentials,
            on_notify=lambda notify, _: self._notify_came(notify),
            on_end=self._ended,
            expires=access.settings.expires,
            routes=tuple(value for _, value in access.routes),
            headers=(
                ("Allow", ALLOW),
                ("Supported", "timer"),
                ("P-Preferred-Identity", f"<{identity}>"),
                *access.location,
                ("User-Agent", access.personality.user_agent),
            ),
        )
        self._events.subscribe(wish)

    def _ended(self, why: Ended) -> None:
        _log.info("the subscription to the reg event is over: %s", why.reason)
        self._subscription_over.set()

    def notified(self, incoming: Incoming) -> None:
        """Answer a NOTIFY and act on it. Raises SipSyntaxError for one that cannot be read."""
        self._events.on_notify(incoming)

    def _notify_came(self, notify: Request) -> None:
        asyncio.get_running_loop().call_soon(self._act_on, notify)

    def _act_on(self, notify: Request) -> None:
        event = self._end_of_own_contact(notify.body)
        if event is None or not self.registered:
            return
        _log.info("the network ended the registration: %s", event)
        self._events.forget()
        self._forbidden = event not in REGISTER_AGAIN
        self._set(False)
        self._again.set()

    def _end_of_own_contact(self, body: bytes) -> str | None:
        """The event that terminated our Contact (RFC 3680 5.1), None when it lives or is not told of."""
        try:
            document = parse_reginfo(body)
        except BodySyntaxError as error:
            _log.warning("reginfo that cannot be read: %s", error)
            return None
        for registration in document.registrations:
            for contact in registration.contacts:
                if contact.state is ContactState.TERMINATED and self.access.is_own_contact(contact.uri):
                    return contact.event
        return None


def _is_stale(challenge: Challenge) -> bool:
    return (challenge.parameters.get("stale") or "").strip('"').lower() == "true"


def _nonce_of(challenge: Challenge) -> str:
    return challenge.parameters.get("nonce") or ""


def _number(value: str | None) -> int | None:
    """delta-seconds at the head of a value, comment and parameters left aside (RFC 3261 20.33)."""
    found = re.match(r"[0-9]{1,10}(?![0-9])", (value or "").strip())
    return int(found[0]) if found else None
