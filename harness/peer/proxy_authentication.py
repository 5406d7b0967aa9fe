"""407 to requests that are no REGISTER, where a test asks for it (RFC 3261 22.3, RFC 7616)."""

from __future__ import annotations

import logging

from harness.errors import UsageError
from harness.peer.answers import Answer, Header
from harness.peer.authentication import Authenticator, Outcome, credentials_in
from harness.peer.config import Authentication, PeerConfig, Subscriber
from harness.peer.identities import names
from harness.peer.received import sender_of
from harness.sip.message import Request

log = logging.getLogger(__name__)

_CHALLENGE = 407

Refused = tuple[Answer, list[Header]]


class ProxyAuthentication:
    """Challenges the requests of one service and checks what comes back.

    Right credentials let the request through, wrong ones get 407 once more and then 403.
    """

    def __init__(self, config: PeerConfig, authenticator: Authenticator) -> None:
        self._config, self._authenticator = config, authenticator
        self._wrong: set[str] = set()

    def demand_possible(self, answer: Answer) -> None:
        """Raises UsageError for a 407 there can be no challenge for."""
        if _challenges(answer) and self._with_password() is None:
            raise UsageError("407 needs a subscriber with a password, or a Proxy-Authenticate header")

    def challenge(self, answer: Answer, request: Request) -> list[Header]:
        """What goes with an answer a test asked for: a challenge with a 407 that has none of its own."""
        return self.offer(request) if _challenges(answer) else []

    def offer(self, request: Request) -> list[Header]:
        """A challenge for who sent this; nothing where nobody has a password."""
        subscriber = self._subscriber(request)
        return self._rows(subscriber) if subscriber is not None else []

    def refusal(self, request: Request) -> Refused | None:
        """What speaks against credentials that came with the request; None when nothing does."""
        credentials = credentials_in(request, "Proxy-Authorization", self._config.domain)
        subscriber = self._subscriber(request) if credentials is not None else None
        if credentials is None or subscriber is None:
            return None
        outcome = self._authenticator.check(request, credentials, subscriber)
        log.info("%s of %s: %s", request.method, subscriber.impi, outcome)
        if outcome in (Outcome.RIGHT, Outcome.ABSENT):
            self._wrong.discard(subscriber.impi)
            return None
        if outcome is Outcome.WRONG:
            if subscriber.impi in self._wrong:
                self._wrong.discard(subscriber.impi)
                return Answer(403), []
            self._wrong.add(subscriber.impi)
        return Answer(_CHALLENGE), self._rows(subscriber, stale=outcome is Outcome.STALE)

    def _rows(self, subscriber: Subscriber, *, stale: bool = False) -> list[Header]:
        rows = self._authenticator.challenge(subscriber, Authentication.DIGEST, stale=stale)
        return [("Proxy-Authenticate", row) for row in rows]

    def _subscriber(self, request: Request) -> Subscriber | None:
        sender = sender_of(request)
        for subscriber in self._config.subscribers:
            if subscriber.password and names(sender, (*subscriber.impus, f"sip:{subscriber.impi}")):
                return subscriber
        return self._with_password()

    def _with_password(self) -> Subscriber | None:
        return next((known for known in self._config.subscribers if known.password), None)


def _challenges(answer: Answer) -> bool:
    """A 407 that does not bring a Proxy-Authenticate of its own."""
    given = {name.lower() for name in answer.headers}
    return answer.status == _CHALLENGE and "proxy-authenticate" not in given
