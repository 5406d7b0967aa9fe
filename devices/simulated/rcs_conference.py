"""What the RCS client hears of the conference behind a group, and what it asks its focus to do.

RFC 4575 over RFC 6665 (SUBSCRIBE in a dialog of its own, 4.5 there), RFC 3515 with RFC 7647 and RFC 4488
(REFER outside of any dialog, without a subscription), RFC 5368 (several at once).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from devices.simulated.rcs_access import Headers, RcsAccess
from devices.simulated.rcs_sessions import RcsSessions
from harness.agent.events.subscriber import Subscription, Wish
from harness.bodies.conference_info import (
    ConferenceInfo,
    ConferenceView,
    Extent,
    Status,
    Update,
    parse_conference_info,
)
from harness.bodies.resource_lists import MEDIA_TYPE as RESOURCE_LISTS
from harness.bodies.resource_lists import write_resource_lists
from harness.cpm.tokens import new_id
from harness.errors import BodySyntaxError, RcsLabError
from harness.sip.event_headers import SubscriptionState
from harness.sip.event_packages import CONFERENCE
from harness.sip.message import Request
from harness.sip.refer import NO_SUBSCRIPTION
from harness.sip.subscription import Ended

_log = logging.getLogger(__name__)

EXPIRES = 3600
_OUT = frozenset({Status.DISCONNECTED, Status.DISCONNECTING})


class ConferenceWatch:
    """One subscription to one conference. changed: called with the whole state whenever it is another."""

    def __init__(self, sessions: RcsSessions, focus: str, changed: Callable[[ConferenceInfo], None]) -> None:
        self._sessions, self._focus, self._changed = sessions, focus, changed
        self._view = ConferenceView()
        self._subscription: Subscription | None = None
        self._catching_up, self._wanted = False, True

    def start(self) -> None:
        """SUBSCRIBE, unless it is not wanted any more."""
        if not self._wanted:
            return
        self._view, self._catching_up = ConferenceView(), False
        access = self._sessions.access
        wish = Wish(
            CONFERENCE,
            target=self._focus,
            local=f"<{access.identity}>",
            remote=f"<{self._focus}>",
            contact=f"<{access.contact_uri}>",
            host=access.local.host,
            send=lambda make: access.send(access.addressed(make)),
            authorize=access.credentials,
            on_notify=self._notified,
            on_end=self._ended,
            expires=EXPIRES,
            headers=(*_own_headers(access, "timer"), ("User-Agent", access.personality.user_agent)),
            routes=tuple(value for _, value in access.routes),
        )
        self._subscription = self._sessions.events.subscribe(wish)

    def leave(self) -> None:
        """SUBSCRIBE with Expires: 0, where there is something to leave."""
        subscription = self._subscription
        self.forget()
        if subscription is not None:
            self._sessions.events.leave(subscription)

    def forget(self) -> None:
        """Nothing more is wanted: the conference is over, or the connection is gone."""
        self._wanted, self._subscription = False, None

    def _ended(self, why: Ended) -> None:
        """It is asked for again where the focus says that this is in order (RFC 6665 4.1.3)."""
        self._subscription = None
        if why.status is not None:
            _log.info("nothing is told of %s: %s", self._focus, why.reason)
        if self._wanted and why.again_after is not None:
            delay = max(why.again_after, self._sessions.access.settings.t1)
            asyncio.get_running_loop().call_later(delay, self.start)

    def _notified(self, notify: Request, _: SubscriptionState) -> None:
        if not (self._wanted and notify.body):
            return
        try:
            document = parse_conference_info(notify.body)
            update = self._view.apply(document)
        except BodySyntaxError as error:
            _log.warning("unreadable conference state of %s: %s", self._focus, error)
            return
        if document.extent is Extent.FULL:
            self._catching_up = False
        if update is Update.GAP:
            self._catch_up()
        elif update is Update.TAKEN and self._view.info is not None:
            self._changed(self._view.info)

    def _catch_up(self) -> None:
        """Something was missed: a refresh brings the full state (RFC 4575 4.6). Asked for once."""
        if not self._catching_up and self._subscription is not None:
            self._catching_up = True
            self._sessions.events.refresh(self._subscription)


def people_in(info: ConferenceInfo) -> tuple[list[str], list[str]]:
    """The URIs of those who have joined, and of those who are invited."""
    joined, invited = [], []
    for user in info.users:
        statuses = {endpoint.status for endpoint in user.endpoints} - _OUT
        if statuses & {Status.CONNECTED, Status.ON_HOLD, Status.MUTED}:
            joined.append(user.entity)
        elif statuses:
            invited.append(user.entity)
    return joined, invited


async def refer(access: RcsAccess, focus: str, targets: Sequence[str], method: str = "INVITE") -> int | None:
    """Ask the focus to send a request to these: INVITE brings them in, BYE puts them out.

    The status of its answer, None without one.
    """
    headers, body = _reference(targets, method)
    rows: Headers = [
        *access.routes,
        *headers,
        ("Refer-Sub", "false"),
        ("Contact", f"<{access.contact_uri}>"),
        *_own_headers(access, f"timer,{NO_SUBSCRIPTION}"),
    ]

    def request(credentials: Headers, call_id: str | None = None, tag: str | None = None) -> Request:
        return access.request(
            "REFER",
            focus,
            sender=access.identity,
            to=f"<{focus}>",
            headers=[*rows, *credentials],
            body=body,
            cseq=2 if credentials else 1,
            call_id=call_id,
            from_tag=tag,
        )

    first = request([])
    try:
        response = await access.send(first)
        credentials = access.credentials(first, response)
        if credentials is not None:
            response = await access.send(request(credentials, first.call_id, first.from_.tag))
    except RcsLabError as error:
        _log.warning("REFER to %s: %s", focus, error)
        return None
    return response.status


def _reference(targets: Sequence[str], method: str) -> tuple[Headers, bytes]:
    if len(targets) == 1:
        return [("Refer-To", f"<{targets[0]};method={method}>")], b""
    content_id = f"{new_id()}@handset.invalid"
    parameter = "" if method == "INVITE" else f";method={method}"
    entries = [(f"{target}{parameter}", "to" if method == "INVITE" else None) for target in targets]
    return [
        ("Refer-To", f"<cid:{content_id}>"),
        ("Require", f"multiple-refer,{NO_SUBSCRIPTION}"),
        ("Content-Type", RESOURCE_LISTS),
        ("Content-Disposition", "recipient-list"),
        ("Content-ID", f"<{content_id}>"),
    ], write_resource_lists(entries)


def _own_headers(access: RcsAccess, supported: str) -> Headers:
    return [
        ("Supported", supported),
        ("P-Preferred-Identity", f"<{access.identity}>"),
        *access.location,
    ]
