"""Capability discovery of the RCS client by OPTIONS, both ways (RFC 3261 11, RFC 3840; RCC.07 2.6.1).

It asks about a number whose conversation comes on screen, unless what it knows is still good. What it learns,
also from the OPTIONS of others, shows in the app.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from devices.simulated.message_store import MessageStore
from devices.simulated.rcs_access import ALLOW, Headers, RcsAccess
from devices.simulated.rcs_conversations import Recent, number_of, sender_of
from devices.simulated.rcs_sessions import UNDERSTOOD
from harness.cpm.identity import Msisdn
from harness.cpm.services import IARI_TAG, ICSI_PREFIX, ICSI_TAG, decode_urn, iari_feature
from harness.errors import RcsLabError, SipSyntaxError, UsageError
from harness.sip.caller_preferences import feature_tags
from harness.sip.message import Request, Response

_log = logging.getLogger(__name__)

NOT_RCS = frozenset({404, 405, 501, 604})
"""Answers that tell: no RCS user (RCC.07 2.6.1.1). Others, 480 above all, change nothing."""
_SIMPLE_IM = "+g.oma.sip-im"


class RcsCapabilities:
    """What the client tells of itself, and what it knows of others.

    seconds: how long what it knows of a number is good; 0 when it asks nobody. features: its own tags.
    """

    def __init__(
        self,
        app: MessageStore,
        seconds: float,
        features: Callable[[], Sequence[str]],
        accepted: str,
    ) -> None:
        self._app, self._seconds = app, seconds
        self._features, self._accepted = features, accepted
        self._known_until: Recent[str, float] = Recent()
        self._queries: dict[str, asyncio.Task[None]] = {}
        self._access: RcsAccess | None = None

    # -- life

    def ready(self, access: RcsAccess) -> None:
        """The client is registered over this access: the number on screen may be asked about by now."""
        self._access = access
        if (key := self._app.conversation_on_screen) is not None:
            self.shown(key)

    async def gone(self) -> None:
        """The connection is gone: what was asked has no answer."""
        self._access = None
        queries = tuple(self._queries.values())
        for query in queries:
            query.cancel()
        await asyncio.gather(*queries, return_exceptions=True)

    # -- what others can do

    def shown(self, key: str) -> None:
        """The conversation is on screen: ask, unless what is known is still good."""
        now = asyncio.get_running_loop().time()
        if self._access is None or not self._seconds or key in self._queries:
            return
        if self._known_until.get(key, now) > now:
            return
        try:
            target = Msisdn.parse(key).sip(self._access.settings.domain)
        except UsageError:
            return  # a group, or a service that is no number
        query = self._queries[key] = asyncio.create_task(self._ask(self._access, key, target))
        query.add_done_callback(lambda _: self._queries.pop(key))

    async def _ask(self, access: RcsAccess, key: str, target: str) -> None:
        request = self._request(access, target)
        try:
            response = await access.send(request)
            credentials = access.credentials(request, response)
            if credentials is not None:
                response = await access.send(
                    self._request(access, target, credentials, request.call_id, request.from_.tag)
                )
        except RcsLabError as error:
            _log.info("capabilities of %s are not known: %s", key, error)
            return
        self._learn(key, response)

    def _request(
        self,
        access: RcsAccess,
        target: str,
        credentials: Headers | None = None,
        call_id: str | None = None,
        from_tag: str | None = None,
    ) -> Request:
        headers: Headers = [
            *access.routes,
            *(credentials or []),
            ("Contact", self._contact(access)),
            ("Supported", "timer"),
            ("P-Preferred-Identity", f"<{access.identity}>"),
            *access.location,
            ("Accept-Contact", f"*;{iari_feature('rcse.im')}"),
            ("Accept", "application/sdp"),
            ("Allow", ALLOW),
        ]
        return access.request(
            "OPTIONS",
            target,
            sender=access.identity,
            to=f"<{target}>",
            headers=headers,
            cseq=2 if credentials else 1,
            call_id=call_id,
            from_tag=from_tag,
        )

    def _learn(self, key: str, answer: Response) -> None:
        _log.info("capabilities of %s: %s", key, answer.status)
        self._known_until[key] = asyncio.get_running_loop().time() + self._seconds
        if 200 <= answer.status < 300:
            self._app.capable(key, _shows_rcs(answer))
        elif answer.status in NOT_RCS:
            self._app.capable(key, False)

    # -- what we can do

    def answer(self, access: RcsAccess, request: Request) -> Response:
        """The 200 to an OPTIONS; who asks shows what they can do in the same way."""
        if self._seconds and _shows_rcs(request):
            self._app.capable(number_of(sender_of(request)), True)
        headers = [
            ("Contact", self._contact(access)),
            ("Allow", ALLOW),
            ("Accept", self._accepted),
            ("Supported", ", ".join(sorted(UNDERSTOOD))),
        ]
        return access.response(request, 200, headers)

    def _contact(self, access: RcsAccess) -> str:
        return ";".join([f"<{access.contact_uri}>", *self._features()])


def _shows_rcs(message: Request | Response) -> bool:
    """Whether its Contact has a tag of an RCS service."""
    try:
        contact = next(iter(message.contacts), None)
    except SipSyntaxError:
        return False
    tags = feature_tags(contact.parameters) if contact is not None else {}
    messaging = any(decode_urn(urn).startswith(f"{ICSI_PREFIX}oma.") for urn in tags.get(ICSI_TAG, ()))
    return messaging or IARI_TAG in tags or _SIMPLE_IM in tags
