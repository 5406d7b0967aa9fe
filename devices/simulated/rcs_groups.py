"""Groups of the RCS client: founded, joined, joined again, invited to, left (RFC 4579, RFC 5366; OMA CPM).

What goes and comes in a session is in rcs_group.py, the conference behind it in rcs_conference.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from devices.simulated.conversations import OfferKind
from devices.simulated.messaging_service import NotServed
from devices.simulated.rcs_access import Headers, RcsSettings
from devices.simulated.rcs_composing import OthersComposing, OwnComposing
from devices.simulated.rcs_conference import ConferenceWatch
from devices.simulated.rcs_conversations import number_of
from devices.simulated.rcs_flows import comes_from_focus
from devices.simulated.rcs_group import Group, GroupMessages
from devices.simulated.rcs_group_lists import ListedWith, alone, members_named
from devices.simulated.rcs_group_members import GroupMembers
from devices.simulated.rcs_sessions import Arrival, Hooks, RcsSessions, SessionCall
from devices.simulated.rcs_texts import TextShelf, WrittenText
from harness.agent.background import Background
from harness.agent.msrp.services import Flow
from harness.agent.msrp.session import MsrpUser
from harness.agent.session.user import Ending
from harness.cpm.identity import Msisdn
from harness.cpm.tokens import new_id
from harness.errors import RcsLabError, SipSyntaxError, UsageError
from harness.sip.message import Request, Response
from harness.sip.session_headers import Reason

_log = logging.getLogger(__name__)

DECLINED, BUSY, NO_ANSWER = 603, 486, 480
GONE = 410
NO_SUCH_GROUP = frozenset({404, GONE})
COMPLETED = Reason("SIP", 200, "Call completed")
LIST_TAG = "recipient-list-invite"


class RcsGroups:
    """The groups of one client. Outlives connections."""

    flows = (Flow.GROUP,)

    def __init__(self, shelf: TextShelf, settings: RcsSettings) -> None:
        self._shelf, self._app, self._settings = shelf, shelf.app, settings
        self._sessions: RcsSessions | None = None
        self._groups: dict[str, Group] = {}
        self._messages = GroupMessages(shelf, self._go_on)
        self._background = Background()
        self._members = GroupMembers(self._app, settings, self._background)

    def knows(self, key: str) -> bool:
        """Whether this is the key of a group."""
        return key in self._groups

    # -- what the user does

    def create(self, subject: str, members: Sequence[str]) -> str:
        """Found a group; its key. Raises NotServed for a member that is no number."""
        try:
            listed = tuple(Msisdn.parse(number).sip(self._settings.domain) for number in members)
        except UsageError as error:
            raise NotServed(str(error)) from None
        group = self._group(self._shelf.personality.ids.make(), subject)
        group.listed, group.joining = listed, True
        self._go_on(group)
        return group.key

    def join(self, uri: str) -> str:
        """Join a group that exists; its key."""
        known = next((each for each in self._groups.values() if each.focus == uri), None)
        group = known or self._group(self._shelf.personality.ids.make(), "")
        group.focus, group.left, group.joining = uri, False, True
        self._go_on(group)
        return group.key

    def send(self, key: str, text: WrittenText) -> None:
        """A text goes in the session of the group, which is joined again where it is gone."""
        group = self._groups[key]
        group.composing.over()
        group.waiting.append(text)
        self.answer(group.offer_id, True)  # who replies accepts
        self._go_on(group)

    def typing(self, key: str, on: bool) -> None:
        """The user changed the draft, or emptied it."""
        group = self._groups[key]
        if group.open and on:
            group.composing.changed()
        elif group.open:
            group.composing.stopped()

    def add(self, key: str, number: str) -> None:
        """Ask the focus to call somebody in. Raises NotServed for no number, and without a session."""
        self._members.add(*self._connected(key), number)

    def remove(self, key: str, number: str) -> None:
        """Ask the focus to put a member out. Raises NotServed for who is none, and without a session."""
        self._members.remove(*self._connected(key), number)

    def _connected(self, key: str) -> tuple[Group, RcsSessions]:
        group, sessions = self._groups.get(key), self._sessions
        if group is None or not group.open or sessions is None:
            raise NotServed("The group is not connected")
        return group, sessions

    async def joined(self, key: str) -> tuple[str, str] | None:
        """Focus and Conversation-ID of a group once there is a session with it; joined again if it is gone.

        None when that fails, or the user has left.
        """
        group = self._groups[key]
        if not group.open:
            if group.left:
                return None
            waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            group.wanted.append(waiter)
            group.joining = True
            self.answer(group.offer_id, True)  # who sends to it accepts
            self._go_on(group)
            if not await waiter:
                return None
        return group.focus, group.ids[0]

    def key_for(self, request: Request) -> str | None:
        """The group whose focus a request is from; None for any other."""
        focus = _contact_of(request) if comes_from_focus(request) else ""
        return next((group.key for group in self._groups.values() if focus and group.focus == focus), None)

    def leave(self, key: str) -> None:
        """The user leaves for good. Texts that did not leave yet are not sent."""
        group = self._groups.get(key)
        if group is not None:
            group.left = True
            group.settle(False)
            self._messages.drop_waiting(group)
            self._hang_up(group, COMPLETED)

    def answer(self, offer_id: str, accept: bool) -> bool:
        """The user answers an invitation. False when there is none of that id."""
        group = next((each for each in self._groups.values() if offer_id and each.offer_id == offer_id), None)
        if group is None or group.arrival is None:
            return False
        arrival = group.arrival
        self._stop_ringing(group)
        if accept:
            self._run(self._accept(group, arrival))
        else:
            group.arrival = None
            arrival.refuse(DECLINED)
        return True

    # -- the client's connection

    def ready(self, sessions: RcsSessions) -> None:
        """Registered: what waits may go."""
        self._sessions = sessions
        for group in self._groups.values():
            self._go_on(group)

    def gone(self) -> None:
        """What is to be sent waits from now on."""
        self._sessions = None

    async def close(self) -> None:
        """Nothing more is sent."""
        for group in self._groups.values():
            group.composing.over()
            self._stop_ringing(group)
        self._background.cancel()
        await self._background.ended()

    # -- our INVITE

    def _group(self, conversation: str, subject: str) -> Group:
        key = f"group:{conversation}"
        if key not in self._groups:
            composing = OwnComposing(lambda document: self._messages.tell_composing(group, document))
            others = OthersComposing(lambda who, on: self._app.composing(key, who, on))
            ids = conversation, self._shelf.personality.ids.make()
            group = self._groups[key] = Group(key, subject, ids, composing, others)
        return self._groups[key]

    def _go_on(self, group: Group) -> None:
        """Do what is wanted: send texts that wait, or begin a session."""
        if not (group.waiting or group.joining):
            return
        if group.open and group.call is not None and group.call.alive:
            self._flush(group, group.call)
        elif group.call is None and group.arrival is None and self._sessions is not None:
            self._invite(group, self._sessions)

    def _flush(self, group: Group, call: SessionCall) -> None:
        while group.waiting:
            task = self._run(self._messages.send(group, call, group.waiting.popleft()))
            group.under_way.add(task)
            task.add_done_callback(group.under_way.discard)

    def _invite(self, group: Group, sessions: RcsSessions) -> None:
        """To the focus when there is one, else to the factory with a list (RFC 5366 3)."""
        headers: Headers = [("Subject", group.subject)] if group.subject else []
        if group.focus:
            target, body = group.focus, alone
        else:
            target = self._settings.factory
            headers.append(("Require", LIST_TAG))
            body = ListedWith(group.listed)
        group.call = sessions.invite(
            Flow.GROUP, target, group.ids, self._hooks(group), headers=headers, body=body
        )
        self._run(self._begin(group, group.call, sessions))

    def _hooks(self, group: Group) -> Hooks:
        return Hooks(
            msrp=lambda call: MsrpUser(
                message=lambda message: self._messages.came(group, call, message),
                failed=lambda reason: self._failed(group, call, reason),
            ),
            ended=lambda call, ending: self._ended(group, call, ending),
        )

    async def _begin(self, group: Group, call: SessionCall, sessions: RcsSessions) -> None:
        """Wait for the answer to our INVITE. A refusal is one to the texts that wait too."""
        outcome = await call.begun()
        if outcome.session is not None:
            group.focus = _focus_of(outcome.response) or call.parties.target
        if group.call is not call:
            return
        if outcome.session is not None:
            await self._connect(group, call)
            return
        group.call = None
        if self._sessions is not sessions:
            return  # the connection is gone: all goes over the next one
        response = outcome.response
        if response is not None and response.status in NO_SUCH_GROUP and group.focus and group.listed:
            group.focus = ""
            self._go_on(group)
            return
        self._give_up(group, outcome.failure if response is None else response.reason)

    def _give_up(self, group: Group, why: str) -> None:
        _log.info("no session with the group %s: %s", group.focus or group.key, why)
        group.joining = False
        group.settle(False)
        self._messages.drop_waiting(group)
        self._app.group_closed(group.key, why)

    async def _connect(self, group: Group, call: SessionCall) -> None:
        """The session is there; when it has its MSRP connection too, it can be used."""
        try:
            await call.opened()
        except RcsLabError as error:
            if group.call is call:  # otherwise its end is told by itself
                self._give_up(group, str(error))
                self._hang_up(group)
            return
        sessions = self._sessions
        if group.call is not call or not call.alive or sessions is None:
            return
        group.open, group.joining = True, False
        shown = self._app.conversations.get(group.key)
        known = shown.group.members if shown is not None and shown.group is not None else ()
        invited = [number for number in group.numbers if number not in known]
        self._app.group_opened(group.key, group.subject, known, invited)
        own = sessions.access.identities
        group.watch = ConferenceWatch(
            sessions, group.focus, lambda info: self._messages.members_changed(group, own, info)
        )
        group.watch.start()
        group.settle(True)
        self._go_on(group)

    # -- theirs

    def invited(self, arrival: Arrival) -> None:
        """An invitation: the app's settings or its user answer it; one to a group we are in is taken."""
        conversation = arrival.request.get("Conversation-ID") or new_id()
        group = self._group(conversation, arrival.request.get("Subject") or "")
        if group.arrival is not None:
            arrival.refuse(BUSY)
            return
        group.ids = conversation, arrival.request.get("Contribution-ID") or group.ids[1]
        group.focus = _contact_of(arrival.request) or group.focus
        members = (arrival.target, *members_named(arrival.request))
        own = number_of(arrival.sessions.access.identity)
        others = (uri for uri in members if number_of(uri) != own)
        group.listed = tuple({number_of(uri): uri for uri in (*group.listed, *others)}.values())
        if group.call is not None:
            group.arrival = arrival
            self._run(self._accept(group, arrival))
        else:
            self._offer(group, arrival)

    def _offer(self, group: Group, arrival: Arrival) -> None:
        group.arrival, group.offer_id = arrival, new_id()
        arrival.on_over = lambda ending: self._withdrawn(group, arrival, ending)
        self._app.offered(
            group.key, group.offer_id, OfferKind.GROUP, sender=arrival.number, subject=group.subject
        )
        if group.arrival is arrival and group.offer_id:
            arrival.ring()
            loop = asyncio.get_running_loop()
            group.ringing = loop.call_later(self._settings.ring_seconds, arrival.refuse, NO_ANSWER)

    def _withdrawn(self, group: Group, arrival: Arrival, ending: Ending) -> None:
        """It ended before the user answered: given up by the other side, or by us for no answer."""
        if group.arrival is arrival:
            group.arrival, offer_id = None, group.offer_id
            self._stop_ringing(group)
            self._app.offer_over(offer_id, "no answer" if ending.by_us else str(ending.cause))
        self._go_on(group)

    def _stop_ringing(self, group: Group) -> None:
        group.offer_id = ""
        if group.ringing is not None:
            group.ringing.cancel()

    async def _accept(self, group: Group, arrival: Arrival) -> None:
        """Take theirs. A session there was before is the one they have lost."""
        before = group.call
        call = await arrival.accept(self._hooks(group))
        group.arrival = None
        if call is None:
            self._go_on(group)
            return
        group.call, group.open, group.left = call, False, False
        if before is not None:
            self._run(before.hang_up())
            self._unwatch(group)
        await self._connect(group, call)

    # -- the end

    def _hang_up(self, group: Group, reason: Reason | None = None) -> None:
        if group.call is not None:
            group.open = False
            self._run(group.call.hang_up(reason))

    def _failed(self, group: Group, call: SessionCall, reason: str) -> None:
        """MSRP is broken: so is the session, and the next text joins again (RFC 4975 5.4)."""
        ended = call.session is None or call.session.has_ended()
        if group.call is call and group.open and not ended:
            _log.info("the MSRP session with %s failed: %s", group.focus, reason)
            self._hang_up(group, Reason("SIP", 500, "MSRP connection lost"))

    def _ended(self, group: Group, call: SessionCall, ending: Ending) -> None:
        if group.call is not call:
            return
        was_open, group.call, group.open = group.watch is not None, None, False
        group.composing.over()
        group.others.over()
        why = _why(ending)
        self._unwatch(group, over=why is not None and why.cause == GONE)
        told = (why.text if why is not None else None) or ""
        if was_open or self._sessions is None:
            self._app.group_closed(group.key, told)
            self._go_on(group)
        else:
            self._give_up(group, told)  # it never carried anything: another one would not either

    def _unwatch(self, group: Group, *, over: bool = False) -> None:
        """The end of a session does not end the subscription: leave it, if there is a way and a need to.

        over: the focus ends it by itself.
        """
        watch, group.watch = group.watch, None
        if watch is None:
            return
        if over or self._sessions is None:
            watch.forget()
        else:
            watch.leave()

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._background.spawn(work)


def _focus_of(response: Response | None) -> str:
    """The conference URI in a 2xx (RFC 4579 4)."""
    return _contact_of(response) if response is not None else ""


def _contact_of(message: Request | Response) -> str:
    try:
        return str(message.contacts[0].uri) if message.contacts else ""
    except SipSyntaxError:
        return ""


def _why(ending: Ending) -> Reason | None:
    """The Reason the other side gave."""
    if ending.by_us or ending.message is None:
        return None
    try:
        return ending.message.typed(Reason)
    except SipSyntaxError:
        return None
