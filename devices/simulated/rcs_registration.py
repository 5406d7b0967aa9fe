"""Registration of the RCS client: REGISTER with Digest or AKA, refresh, end, and the reg event.

RFC 3261 10 and 22, RFC 3310, RFC 3608, RFC 3680; TS 24.229 5.1.1. Without IPsec: the client asks for none.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from devices.simulated.defects import Stage
from devices.simulated.rcs_access import RcsAccess
from harness.agent.failures import TransactionTimeout, TransportFailed
from harness.agent.sip_agent import Incoming
from harness.cpm.services import Service, iari_feature, icsi_feature
from harness.cpm.tokens import new_call_id, new_tag
from harness.errors import SipSyntaxError
from harness.sip import aka
from harness.sip.digest import algorithm_of, answer_challenge, first_supported
from harness.sip.headers import Challenge
from harness.sip.message import Request, Response

_log = logging.getLogger(__name__)

FEATURES = (icsi_feature(Service.PAGER.value), iari_feature("rcse.im"))
LONGEST_WAIT = 1800.0
ATTEMPTS_WITH_CREDENTIALS = 3
REGINFO = "{urn:ietf:params:xml:ns:reginfo}"


class Rejected(Exception):
    """The network refuses the registration; trying again by oneself is no use."""


@dataclass(slots=True)
class SimCounter:
    """The highest sequence number a SIM accepted; it outlives registrations (TS 33.102 annex C)."""

    sqn: int = 0


class RcsRegistration:
    """Keeps one client registered from `run` until `end`.

    registered is True between a 200 with our Contact and whatever ends it; on_change is called at each
    change.
    """

    def __init__(self, access: RcsAccess, sim: SimCounter, on_change: Callable[[], None]) -> None:
        self.access, self.sim = access, sim
        self.registered = False
        self._on_change = on_change
        self._call_id = new_call_id(access.local.host)
        self._tag = new_tag()
        self._cseq = 0
        self._nonce_count = 0
        self._min_expires = 0
        self._password: bytes | None = None
        self._subscription: tuple[str, str] | None = None
        self._subscribing: asyncio.Task[None] | None = None
        self._again = asyncio.Event()

    # -- life

    async def run(self) -> None:
        """Register, stay registered, try again after failures; returns only when the network rejects."""
        failures = 0
        while True:
            self._again.clear()
            try:
                response = await self._register(self._expires())
                wait = self._settle(response)
                failures = 0 if self.registered else failures + 1
            except (TransactionTimeout, TransportFailed, SipSyntaxError) as error:
                _log.warning("registration failed: %s", error)
                self._set(False)
                failures, wait = failures + 1, None
            except Rejected as refusal:
                _log.warning("registration rejected: %s", refusal)
                self._set(False)
                return
            await self._pause(self._backoff(failures) if wait is None else wait)

    async def end(self) -> None:
        """Deregister: the same Contact with expires=0 (RFC 3261 10.2.2). What fails here is lost anyway."""
        if not self.registered:
            return
        self._subscription = None
        try:
            await self._register(0)
        except (TransactionTimeout, TransportFailed, SipSyntaxError, Rejected) as error:
            _log.warning("deregistration failed: %s", error)
        if not self.access.defects.has("claims_ims"):
            self._set(False)

    def lost(self) -> None:
        """The IP connection is gone: the registration with it."""
        self._set(False)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._again.wait(), seconds)
        except TimeoutError:
            return

    def _backoff(self, failures: int) -> float:
        """Seconds: doubling from the configured first wait, half of it random (RFC 5626 4.5)."""
        longest = min(LONGEST_WAIT, self.access.settings.retry_seconds * 2 ** max(0, failures - 1))
        return longest * random.uniform(0.5, 1.0)

    def _set(self, registered: bool) -> None:
        if registered != self.registered:
            self.registered = registered
            self._on_change()

    def _expires(self) -> int:
        return max(self.access.settings.expires, self._min_expires)

    # -- REGISTER

    async def _register(self, expires: int) -> Response:
        """One registration with as many challenges as it takes. Returns the final response."""
        authorization = self._first_authorization()
        response = await self._attempt(expires, authorization)
        for _ in range(ATTEMPTS_WITH_CREDENTIALS):
            if response.status != 401:
                break
            challenge = first_supported(response.challenges)
            if challenge is None:
                raise Rejected("401 without a challenge this client can answer")
            if self._refused_for_good(challenge):
                raise Rejected("401 to the credentials of this subscription")
            self.access.challenge = challenge
            self._nonce_count = 0
            authorization = self._answer(challenge)
            if self.access.defects.has("same_cseq_with_credentials"):
                self._cseq -= 1
            response = await self._attempt(expires, authorization)
        return response

    def _refused_for_good(self, challenge: Challenge) -> bool:
        """A password just refused will not be right for another nonce (RFC 7616 3.3, stale)."""
        stale = (challenge.parameters.get("stale") or "").lower() == "true"
        return self._nonce_count > 0 and not self._is_aka(challenge) and not stale

    async def _attempt(self, expires: int, authorization: str | None) -> Response:
        access = self.access
        self._cseq += 1
        contact = ";".join([f"<{access.contact_uri}>", access.instance, *FEATURES, f"expires={expires}"])
        headers = [("Contact", contact), ("Supported", "path,gruu")]
        if authorization:
            headers.append(("Authorization", authorization))
        if access.challenge is not None:
            headers += access.location
        domain = access.settings.domain
        request = access.request(
            "REGISTER",
            f"sip:{domain}",
            sender=access.registering_identity,
            to=f"<{access.registering_identity}>",
            headers=headers,
            cseq=self._cseq,
            call_id=self._call_id,
            from_tag=self._tag,
        )
        return await access.send(access.defects.apply(Stage.REGISTER, request))

    def _first_authorization(self) -> str | None:
        """Credentials for the last nonce, or the empty ones that name the private identity (TS 24.229
        5.1.1.2)."""
        if self.access.challenge is not None and self._password is not None:
            return self._credentials(self.access.challenge, self._password)
        domain = self.access.settings.domain
        return (
            f'Digest username="{self.access.impi}",realm="{domain}",nonce="",uri="sip:{domain}",response=""'
        )

    @staticmethod
    def _is_aka(challenge: Challenge) -> bool:
        return algorithm_of(challenge).upper().startswith("AKA")

    def _answer(self, challenge: Challenge) -> str:
        if self._is_aka(challenge):
            return self._answer_aka(challenge)
        if self.access.settings.password is None:
            raise Rejected("a Digest challenge, but no password is provisioned")
        self._password = self.access.settings.password.encode()
        return self._credentials(challenge, self._password)

    def _answer_aka(self, challenge: Challenge) -> str:
        """RFC 3310 3.3 and 3.4: response from RES, or auts, or an empty response when AUTN is not genuine."""
        milenage = self.access.settings.milenage
        if milenage is None:
            raise Rejected("an AKA challenge, but the SIM has no key")
        outcome = aka.answer(milenage, challenge.parameters.get("nonce") or "", self.sim.sqn)
        if isinstance(outcome, aka.AkaResult):
            self.sim.sqn = outcome.sqn
            self._password = aka.digest_password(algorithm_of(challenge), outcome.res, outcome.ck, outcome.ik)
            return self._credentials(challenge, self._password)
        if isinstance(outcome, aka.SynchronisationFailure):
            return self._credentials(challenge, b"", outcome.auts)
        realm, nonce = challenge.parameters.get("realm"), challenge.parameters.get("nonce")
        return (
            f'Digest username="{self.access.impi}",realm="{realm}",nonce="{nonce}",'
            f'uri="sip:{self.access.settings.domain}",response="",algorithm={algorithm_of(challenge)}'
        )

    def _credentials(self, challenge: Challenge, password: bytes, auts: bytes | None = None) -> str:
        self._nonce_count += 1
        uri, name = f"sip:{self.access.settings.domain}", self.access.impi
        return answer_challenge(challenge, "REGISTER", uri, name, password, nc=self._nonce_count, auts=auts)

    def _settle(self, response: Response) -> float | None:
        """What a final response means. Returns seconds until the next REGISTER, None for a back-off.

        Raises: Rejected.
        """
        if 200 <= response.status < 300:
            return self._accepted(response)
        self._set(False)
        if response.status == 423:
            self._min_expires = int(response.get("Min-Expires") or 0)
            return 0.0
        if response.status in (401, 403, 404):
            raise Rejected(f"{response.status} {response.reason}")
        retry_after = (response.get("Retry-After") or "").split(";")[0].split("(")[0].strip()
        return float(retry_after) if retry_after.isdigit() else None

    def _accepted(self, response: Response) -> float:
        access = self.access
        granted = self._granted(response)
        if granted == 0:
            self._set(False)
            raise Rejected("200 without our Contact")
        access.service_route = tuple(str(route) for route in response.service_routes)
        access.associated = tuple(value.strip("<> ") for value in response.values("P-Associated-URI"))
        first = not self.registered
        self._set(True)
        if first:
            self._subscribing = asyncio.create_task(self._subscribe())
        return granted - 600.0 if granted > 1200 else granted / 2  # TS 24.229 5.1.1.4.1

    def _granted(self, response: Response) -> int:
        """Seconds granted for our Contact; 0 when it is not bound."""
        for contact in response.contacts:
            if str(contact.uri).startswith(self.access.contact_uri):
                value = contact.parameters.get("expires") or response.get("Expires") or "0"
                return int(value) if value.isdigit() else 0
        return 0

    # -- reg event (RFC 3680)

    async def _subscribe(self) -> None:
        access = self.access
        call_id, tag = new_call_id(access.local.host), new_tag()
        self._subscription = (call_id, tag)
        identity = access.associated[0] if access.associated else access.registering_identity
        headers = [
            *access.routes,
            ("Event", "reg"),
            ("Accept", "application/reginfo+xml"),
            ("Expires", str(access.settings.expires)),
            ("Contact", f"<{access.contact_uri}>"),
            ("Allow", "NOTIFY"),
            ("P-Preferred-Identity", f"<{identity}>"),
            *access.location,
        ]
        request = access.request(
            "SUBSCRIBE", identity, sender=identity, to=f"<{identity}>", headers=headers,
            call_id=call_id, from_tag=tag,
        )  # fmt: skip
        try:
            response = await access.send(request)
        except (TransactionTimeout, TransportFailed) as error:
            _log.warning("no subscription to the reg event: %s", error)
            return
        if response.status >= 300:
            self._subscription = None

    def notified(self, incoming: Incoming) -> Response:
        """Answer a NOTIFY of our subscription and act on it; 481 for any other."""
        message = incoming.message
        if (message.call_id, message.to.tag) != self._subscription:
            return self.access.response(message, 481)
        if (message.get("Event") or "").split(";")[0].strip() != "reg":
            return self.access.response(message, 489)
        asyncio.get_running_loop().call_soon(self._act_on, message)
        return self.access.response(message, 200)

    def _act_on(self, notify: Request) -> None:
        """RFC 3680 5.2: deactivated asks to register again, rejected forbids it (TS 24.229 5.1.1.7)."""
        try:
            tree = etree.fromstring(notify.body, etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError as error:
            _log.warning("reginfo that is no XML: %s", error)
            return
        for contact in tree.iter(f"{REGINFO}contact"):
            uri = (contact.findtext(f"{REGINFO}uri") or "").strip()
            ended = contact.get("state") == "terminated" and uri.startswith(self.access.contact_uri)
            if ended and self.registered:
                self._subscription = None
                self._set(False)
                if contact.get("event") in ("deactivated", "probation"):
                    self._again.set()
