"""One group of the RCS client: what is known of it, and what goes and comes in its session (RFC 7701 6.1)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from devices.simulated.conversations import MessageStatus
from devices.simulated.rcs_composing import OthersComposing, OwnComposing
from devices.simulated.rcs_conference import ConferenceWatch, people_in
from devices.simulated.rcs_conversations import number_of
from devices.simulated.rcs_notifications import Received
from devices.simulated.rcs_sessions import Arrival, SessionCall
from devices.simulated.rcs_texts import PLAIN, TextShelf, WrittenText, demand_text
from harness.agent.msrp.services import COMPOSING, CPIM
from harness.agent.msrp.session import ReceivedMessage
from harness.bodies.conference_info import ConferenceInfo
from harness.bodies.cpim import CpimMessage, build_cpim, parse_cpim
from harness.bodies.imdn import MEDIA_TYPE as NOTIFICATION
from harness.bodies.is_composing import parse_is_composing
from harness.bodies.sdp_attributes import type_accepted
from harness.bodies.timestamp import format_timestamp
from harness.errors import BodySyntaxError, RcsLabError

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Group:
    """What there is with one group.

    key: what the app calls it. ids: Conversation-ID and Contribution-ID. focus: the URI to join it at, empty
    where it has to be founded. listed: URIs of the others, as far as they are known: whom a new focus is to
    call in. left: by the user, for good. call: the session, or our attempt at one; open: it can carry texts.
    arrival: an invitation that waits, by offer_id. waiting: texts without a session; under_way: those that
    wait for their outcome. joining: a session is wanted though nothing waits; wanted: by whom, to be told
    whether there is one. adding: whom the focus is to be
    asked to call in.
    """

    key: str
    subject: str
    ids: tuple[str, str]
    composing: OwnComposing
    others: OthersComposing
    focus: str = ""
    listed: tuple[str, ...] = ()
    left: bool = False
    joining: bool = False
    call: SessionCall | None = None
    open: bool = False
    adding: list[str] = field(default_factory=list)
    watch: ConferenceWatch | None = None
    arrival: Arrival | None = None
    offer_id: str = ""
    ringing: asyncio.TimerHandle | None = None
    waiting: deque[WrittenText] = field(default_factory=deque)
    wanted: list[asyncio.Future[bool]] = field(default_factory=list)
    under_way: set[asyncio.Task[None]] = field(default_factory=set)

    def settle(self, joined: bool) -> None:
        """Tell whoever wants a session whether there is one."""
        for waiter in self.wanted:
            if not waiter.done():
                waiter.set_result(joined)
        self.wanted.clear()

    @property
    def numbers(self) -> list[str]:
        """Of the others, as the app knows them."""
        return [number_of(uri) for uri in self.listed]


class GroupMessages:
    """What goes and comes in the sessions of all groups.

    again: called with a group whose texts wait for another session.
    """

    def __init__(self, shelf: TextShelf, again: Callable[[Group], None]) -> None:
        self._shelf, self._app, self._again = shelf, shelf.app, again

    async def send(self, group: Group, call: SessionCall, text: WrittenText) -> None:
        """One text. What did not leave at all goes in the next session, with the same id."""
        shown = MessageStatus.NOT_SENT
        try:
            if not call.alive:
                self._wait_again(group, text)
                return
            demand_text(call.handle.plan)
            document = text.document(call.identity, group.focus, self._shelf.defects)
            outcome = await call.handle.send(document, CPIM)
        except RcsLabError as error:
            _log.warning("a text to %s cannot be sent: %s", group.focus, error)
        else:
            if outcome.aborted and not outcome.octets:
                self._wait_again(group, text)
                return
            shown = MessageStatus.SENT if outcome.good else MessageStatus.NOT_SENT
        self._app.outcome(text.message_id, shown)

    def _wait_again(self, group: Group, text: WrittenText) -> None:
        group.waiting.append(text)
        self._again(group)

    def drop_waiting(self, group: Group) -> None:
        """They are not sent."""
        while group.waiting:
            self._app.outcome(group.waiting.popleft().message_id, MessageStatus.NOT_SENT)

    def tell_composing(self, group: Group, document: bytes) -> None:
        """The user writes, or stopped to: inside CPIM, and nobody is asked to notify."""
        call = group.call
        if not group.open or call is None or not call.alive:
            return
        if not type_accepted(call.handle.plan.remote_accepts_wrapped, COMPOSING):
            return
        headers = [
            ("From", f"<{call.identity}>"),
            ("To", f"<{group.focus}>"),
            ("DateTime", format_timestamp(self._shelf.clock())),
        ]
        mime = [("Content-Type", COMPOSING), ("Content-Length", str(len(document)))]
        call.handle.post(build_cpim(headers, mime, document), CPIM)

    def came(self, group: Group, call: SessionCall, message: ReceivedMessage) -> None:
        """Something came in the session. A repeat after a lost response counts once (RFC 4975 5.4)."""
        if message.again or message.content_type.partition(";")[0].strip().lower() != CPIM:
            return
        try:
            cpim = parse_cpim(message.content.read())
            self._take(group, call, cpim, cpim.decoded())
        except BodySyntaxError as error:
            _log.warning("an unreadable message in %s: %s", group.focus, error)

    def _take(self, group: Group, call: SessionCall, cpim: CpimMessage, content: bytes) -> None:
        kind = cpim.content_type.essence if cpim.content_type else ""
        sender = cpim.from_.uri if cpim.from_ else ""
        if kind == COMPOSING:
            group.others.take(number_of(sender), parse_is_composing(content))
        elif kind == NOTIFICATION:
            self._shelf.notifications.take(content)
        elif kind == PLAIN:
            group.others.stopped(number_of(sender))
            now = self._shelf.clock()
            received = Received.of(cpim, sender, call.parties.conversation, now, carrier=call)
            self._shelf.came(group.key, cpim, content, received, sender=number_of(sender))

    def members_changed(self, group: Group, own: Collection[str], info: ConferenceInfo) -> None:
        """The focus says who is in it now. own: identities of ours, one of which it may know us by."""
        ours = {number_of(uri) for uri in own}
        joined, invited = ([uri for uri in uris if number_of(uri) not in ours] for uris in people_in(info))
        group.listed = tuple(dict.fromkeys((*joined, *invited))) or group.listed
        group.subject = info.subject or group.subject
        self._app.group_changed(
            group.key,
            members=[number_of(uri) for uri in joined],
            invited=[number_of(uri) for uri in invited],
            subject=info.subject,
        )
