"""1-1 chat sessions of the RCS client: the INVITE of the first text, texts both ways, their end.

OMA CPM over RFC 3261 and RFC 4975: both are anonymous in CPIM, a session is kept until it idles or somebody
hangs up, and one of two that were begun at once is enough. Texts that have no session wait here.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from devices.simulated.conversations import ChatState, MessageStatus, OfferKind
from devices.simulated.rcs_access import RcsSettings
from devices.simulated.rcs_composing import OthersComposing, OwnComposing
from devices.simulated.rcs_conversations import ANONYMOUS, Recent
from devices.simulated.rcs_notifications import Received
from devices.simulated.rcs_sessions import Arrival, Hooks, RcsSessions, SessionCall
from devices.simulated.rcs_texts import PLAIN, TextShelf, WrittenText, demand_text
from harness.agent.background import Background
from harness.agent.msrp.services import COMPOSING, CPIM, Flow
from harness.agent.msrp.session import MsrpUser, ReceivedMessage
from harness.agent.session.multipart_content import multipart_content, parts_of
from harness.agent.session.user import Cause, Content, Ending
from harness.bodies.cpim import parse_cpim
from harness.bodies.imdn import MEDIA_TYPE as NOTIFICATION
from harness.bodies.is_composing import parse_is_composing
from harness.bodies.multipart import Part
from harness.bodies.sdp_attributes import type_accepted
from harness.cpm.identity import Msisdn
from harness.cpm.tokens import new_id
from harness.errors import BodySyntaxError, RcsLabError
from harness.sip.session_headers import Reason

_log = logging.getLogger(__name__)

GLARE_SECONDS = 2.0  # at most, at random, before the INVITE is sent again after both were given up
DECLINED, BUSY, NO_ANSWER = 603, 486, 480
# How a session ended, to what the user is told; anything else is a pause, as nobody wanted it.
_ENDED_BY = {(Cause.BYE, False): "the other side left"}


@dataclass(eq=False, slots=True)
class Chat:
    """What there is with one number. target: the URI to invite. waiting: texts without a session.

    call: the session, or our attempt at one; open: it can carry texts. arrival: an invitation that waits, by
    offer_id. glare: both sides invited at once, and theirs was taken. leaving: what the user is told once we
    have hung up. under_way: texts that wait for their outcome.
    """

    number: str
    target: str
    composing: OwnComposing
    others: OthersComposing
    waiting: deque[WrittenText] = field(default_factory=deque)
    call: SessionCall | None = None
    open: bool = False
    arrival: Arrival | None = None
    offer_id: str = ""
    glare: bool = False
    leaving: ChatState | None = None
    under_way: set[asyncio.Task[None]] = field(default_factory=set)
    idle: asyncio.TimerHandle | None = None
    ringing: asyncio.TimerHandle | None = None


class RcsChat:
    """The 1-1 sessions of one client.

    idle_seconds: after which a session without messages is ended. ring_seconds: how long an invitation waits
    for the user; may be changed.
    """

    flows = (Flow.SESSION,)

    def __init__(self, shelf: TextShelf, settings: RcsSettings) -> None:
        self._shelf, self._app, self._settings = shelf, shelf.app, settings
        self.idle_seconds, self.ring_seconds = settings.idle_seconds, settings.ring_seconds
        self._sessions: RcsSessions | None = None
        self._chats: dict[str, Chat] = {}
        self._targets: Recent[str, str] = Recent()
        self._background = Background()

    # -- what the user does

    def send(self, number: str, text: WrittenText) -> None:
        """A text goes in the session with this number, which it begins where there is none.

        Raises UsageError for a number that is none.
        """
        target = self._targets.get(number) or Msisdn.parse(number).sip(self._settings.domain)
        chat = self._chat(number, target)
        chat.composing.over()
        chat.waiting.append(text)
        offer_id = chat.offer_id
        if self.answer(offer_id, True):  # who replies accepts
            self._app.offer_taken(offer_id)
        self._go_on(chat)

    def end(self, number: str) -> None:
        """The user ends the session. Texts that did not leave yet are not sent."""
        chat = self._chats.get(number)
        if chat is not None:
            self._drop_waiting(chat)
            self._leave(chat, ChatState.ENDED)

    def typing(self, number: str, on: bool) -> None:
        """The user changed the draft, or emptied it. Only a session tells."""
        chat = self._chats.get(number)
        if chat is not None and chat.open:
            if on:
                chat.composing.changed()
            else:
                chat.composing.stopped()

    def answer(self, offer_id: str, accept: bool) -> bool:
        """The user answers an invitation. False when there is none of that id."""
        chat = next((each for each in self._chats.values() if offer_id and each.offer_id == offer_id), None)
        if chat is None or chat.arrival is None:
            return False
        arrival = chat.arrival
        self._stop_ringing(chat)
        if accept:
            self._run(self._accept(chat, arrival))
        else:
            chat.arrival = None
            arrival.refuse(DECLINED)
            self._go_on(chat)
        return True

    def idle_after(self, seconds: float) -> None:
        """A setting of the client was written; chats that are open count from now on."""
        self.idle_seconds = seconds
        for chat in self._chats.values():
            if chat.open:
                self._touch(chat)

    # -- the client's connection

    def ready(self, sessions: RcsSessions) -> None:
        """Registered: texts that wait may go."""
        self._sessions = sessions
        for chat in tuple(self._chats.values()):
            self._go_on(chat)

    def gone(self) -> None:
        """Texts wait from now on."""
        self._sessions = None

    async def close(self) -> None:
        """Nothing more is sent."""
        for chat in self._chats.values():
            chat.composing.over()
            for timer in (chat.idle, chat.ringing):
                if timer is not None:
                    timer.cancel()
        self._background.cancel()
        await self._background.ended()

    # -- our INVITE

    def _chat(self, number: str, target: str) -> Chat:
        if number not in self._chats:
            composing = OwnComposing(lambda document: self._tell_composing(chat, document))
            others = OthersComposing(lambda who, on: self._app.composing(number, who, on))
            chat = self._chats[number] = Chat(number, target, composing, others)
        return self._chats[number]

    def _go_on(self, chat: Chat) -> None:
        """Do what texts that wait need: send them, or begin a session."""
        if not chat.waiting:
            over = chat.call is None and chat.arrival is None and not chat.under_way
            if over and self._chats.get(chat.number) is chat:  # a later one may be there already
                del self._chats[chat.number]
            return
        if chat.open and chat.call is not None and chat.call.alive:
            self._flush(chat, chat.call)
        elif chat.call is None and chat.arrival is None and self._sessions is not None:
            self._invite(chat, self._sessions)

    def _invite(self, chat: Chat, sessions: RcsSessions) -> None:
        ids = self._shelf.conversations.id_of(chat.number), self._shelf.personality.ids.make()
        first = chat.waiting[0] if sessions.access.technology.first_in_invite else None
        chat.call = sessions.invite(
            Flow.SESSION, chat.target, ids, self._hooks(chat), body=partial(self._with_first, first)
        )
        self._app.chat_state(chat.number, ChatState.STARTING)
        self._run(self._begin(chat, chat.call, sessions, first))

    def _with_first(self, text: WrittenText | None, offer: Content) -> Content:
        """The body of an INVITE, which takes the first text along where the technology has it so."""
        if text is None:
            return offer
        document = text.document(ANONYMOUS, ANONYMOUS, self._shelf.defects)
        return multipart_content([offer, Content(CPIM, document)])

    def _hooks(self, chat: Chat) -> Hooks:
        return Hooks(
            msrp=lambda call: MsrpUser(
                message=lambda message: self._came(chat, call, message),
                failed=lambda reason: self._failed(chat, call, reason),
            ),
            ended=lambda call, ending: self._ended(chat, call, ending),
        )

    async def _begin(
        self, chat: Chat, call: SessionCall, sessions: RcsSessions, first: WrittenText | None
    ) -> None:
        """Wait for the answer to our INVITE. A refusal is one to the texts that wait too.

        first: the text that went along.
        """
        outcome = await call.begun()
        if chat.call is not call:
            return  # theirs came meanwhile and was taken
        if outcome.session is not None:
            if first is not None and first in chat.waiting:
                chat.waiting.remove(first)
                self._app.outcome(first.message_id, MessageStatus.SENT)
            await self._connect(chat, call)
            return
        chat.call, chat.leaving = None, None
        if self._sessions is not sessions:
            self._app.chat_state(chat.number, ChatState.PAUSED)
            self._go_on(chat)  # the connection is gone: the texts go over the next, which may be there by now
            return
        why = outcome.failure if outcome.response is None else outcome.response.reason
        _log.info("no chat with %s: %s", chat.number, why)
        self._drop_waiting(chat)
        self._app.chat_state(chat.number, ChatState.ENDED, why)

    async def _connect(self, chat: Chat, call: SessionCall) -> None:
        """The session is there; when it has its MSRP connection too, texts go."""
        try:
            await call.opened()
        except RcsLabError as error:
            if chat.call is call:  # otherwise its end is told by itself
                _log.warning("no MSRP session with %s: %s", chat.number, error)
                self._drop_waiting(chat)
                self._leave(chat, ChatState.ENDED)
            return
        if chat.call is not call or not call.alive:
            return
        chat.open, chat.glare = True, False
        self._app.chat_state(chat.number, ChatState.OPEN)
        self._touch(chat)
        self._go_on(chat)

    # -- theirs

    def invited(self, arrival: Arrival) -> None:
        """An invitation: the app's settings or its user answer it; another one than ours is taken at once."""
        chat = self._chat(arrival.number, arrival.target)
        self._targets[arrival.number] = chat.target = arrival.target
        open_chats = sum(each.call is not None for each in self._chats.values())
        if chat.arrival is not None or (chat.call is None and open_chats >= self._settings.most_chats):
            arrival.refuse(BUSY)
        elif chat.call is not None:
            chat.arrival = arrival
            self._run(self._accept(chat, arrival))
        else:
            self._offer(chat, arrival)

    def _offer(self, chat: Chat, arrival: Arrival) -> None:
        chat.arrival, chat.offer_id = arrival, new_id()
        arrival.on_over = lambda ending: self._withdrawn(chat, arrival, ending)
        self._app.offered(chat.number, chat.offer_id, OfferKind.CHAT)
        if chat.arrival is arrival:
            arrival.ring()
            loop = asyncio.get_running_loop()
            chat.ringing = loop.call_later(self.ring_seconds, arrival.refuse, NO_ANSWER)

    def _withdrawn(self, chat: Chat, arrival: Arrival, ending: Ending) -> None:
        """It ended before the user answered: given up by the other side, or by us for no answer."""
        if chat.arrival is arrival:
            chat.arrival, offer_id = None, chat.offer_id
            self._stop_ringing(chat)
            self._app.offer_over(offer_id, "no answer" if ending.by_us else str(ending.cause))
        self._go_on(chat)

    def _stop_ringing(self, chat: Chat) -> None:
        chat.offer_id = ""
        if chat.ringing is not None:
            chat.ringing.cancel()

    async def _accept(self, chat: Chat, arrival: Arrival) -> None:
        """Take theirs. One session is enough: ours is given up, an older one ends when its texts are out."""
        before = chat.call
        call = await arrival.accept(self._hooks(chat))
        chat.arrival = None
        if call is None:
            self._again_later(chat)
            return
        chat.call, chat.open = call, False
        if before is not None:
            chat.glare = before.session is None
            self._run(self._retire(before, set(chat.under_way)))
        self._first_came(chat, call, arrival)
        await self._connect(chat, call)

    def _first_came(self, chat: Chat, call: SessionCall, arrival: Arrival) -> None:
        """What their INVITE said already: a CPIM object, or where there is none its Subject (SIMPLE IM)."""
        if not arrival.sessions.access.technology.first_in_invite:
            return
        documents = [part.content for part in parts_of(arrival.request) if _is_cpim(part)]
        for document in documents:
            try:
                self._cpim_came(chat, call, document)
            except BodySyntaxError as error:
                _log.warning("unreadable first text from %s: %s", chat.number, error)
        subject = arrival.request.get("Subject")
        if subject and not documents:
            self._shelf.show(chat.number, subject, "")

    def _again_later(self, chat: Chat) -> None:
        """Theirs was given up while we took it, maybe for ours, which we gave up too."""
        delay = random.uniform(0, GLARE_SECONDS)
        asyncio.get_running_loop().call_later(delay, self._go_on, chat)

    async def _retire(self, call: SessionCall, under_way: set[asyncio.Task[None]]) -> None:
        if under_way:
            await asyncio.wait(under_way)
        await call.hang_up()

    # -- texts

    def _flush(self, chat: Chat, call: SessionCall) -> None:
        self._touch(chat)
        while chat.waiting:
            task = self._run(self._send(chat, call, chat.waiting.popleft()))
            chat.under_way.add(task)
            task.add_done_callback(chat.under_way.discard)

    async def _send(self, chat: Chat, call: SessionCall, text: WrittenText) -> None:
        """One text. What did not leave at all goes in the next session, with the same id."""
        shown = MessageStatus.NOT_SENT
        try:
            if not call.alive:
                self._wait_again(chat, text)
                return
            demand_text(call.handle.plan)
            document = text.document(ANONYMOUS, ANONYMOUS, self._shelf.defects)
            outcome = await call.handle.send(document, CPIM)
        except RcsLabError as error:
            _log.warning("a text to %s cannot be sent: %s", chat.number, error)
        else:
            if outcome.aborted and not outcome.octets:
                self._wait_again(chat, text)
                return
            shown = MessageStatus.SENT if outcome.good else MessageStatus.NOT_SENT
        self._app.outcome(text.message_id, shown)

    def _wait_again(self, chat: Chat, text: WrittenText) -> None:
        chat.waiting.append(text)
        self._go_on(chat)

    def _drop_waiting(self, chat: Chat) -> None:
        while chat.waiting:
            self._app.outcome(chat.waiting.popleft().message_id, MessageStatus.NOT_SENT)

    def _came(self, chat: Chat, call: SessionCall, message: ReceivedMessage) -> None:
        """Something came in the session. A repeat after a lost response counts once (RFC 4975 5.4)."""
        if message.again:
            return
        kind, content = _essence(message.content_type), message.content.read()
        try:
            if kind == COMPOSING:
                chat.others.take(chat.number, parse_is_composing(content))
            elif kind == CPIM:
                self._cpim_came(chat, call, content)
        except BodySyntaxError as error:
            _log.warning("unreadable %s from %s: %s", kind, chat.number, error)

    def _cpim_came(self, chat: Chat, call: SessionCall, octets: bytes) -> None:
        cpim = parse_cpim(octets)
        kind, content = cpim.content_type.essence if cpim.content_type else "", cpim.decoded()
        if kind == COMPOSING:
            chat.others.take(chat.number, parse_is_composing(content))
        elif kind == NOTIFICATION:
            self._shelf.notifications.take(content)
        elif kind == PLAIN:
            self._touch(chat)
            chat.others.stopped(chat.number)
            now, parties = self._shelf.clock(), call.parties
            received = Received.of(cpim, parties.target, parties.conversation, now, carrier=call)
            self._shelf.came(chat.number, cpim, content, received)

    def _tell_composing(self, chat: Chat, document: bytes) -> None:
        call = chat.call
        if call is not None and call.alive and type_accepted(call.handle.plan.remote_accepts, COMPOSING):
            call.handle.post(document, COMPOSING)

    # -- the end

    def _touch(self, chat: Chat) -> None:
        """A message was sent or came: the session is not idle."""
        if chat.idle is not None:
            chat.idle.cancel()
        leave = partial(self._leave, chat, ChatState.PAUSED)
        chat.idle = asyncio.get_running_loop().call_later(self.idle_seconds, leave)

    def _leave(self, chat: Chat, state: ChatState) -> None:
        call = chat.call
        if call is not None:
            chat.leaving, chat.open = state, False
            self._run(call.hang_up())

    def _failed(self, chat: Chat, call: SessionCall, reason: str) -> None:
        """MSRP is broken: so is the session, and the next text begins another (RFC 4975 5.4)."""
        ended = call.session is None or call.session.has_ended()
        if chat.call is call and chat.open and not ended:
            chat.open, chat.leaving = False, ChatState.PAUSED
            _log.info("the MSRP session with %s failed: %s", chat.number, reason)
            self._run(call.hang_up(Reason("SIP", 500, "MSRP connection lost")))

    def _ended(self, chat: Chat, call: SessionCall, ending: Ending) -> None:
        if chat.call is not call:
            return
        was_open, state, glare = chat.open or chat.leaving, chat.leaving or ChatState.PAUSED, chat.glare
        chat.call, chat.open, chat.leaving, chat.glare = None, False, None, False
        chat.composing.over()
        chat.others.over()
        if chat.idle is not None:
            chat.idle.cancel()
        if glare:
            self._again_later(chat)
            return
        if not was_open and self._sessions is not None:
            self._drop_waiting(chat)  # it never carried anything: another one would not either
        why = _ENDED_BY.get((ending.cause, ending.by_us), "")
        self._app.chat_state(chat.number, ChatState.ENDED if why else state, why)
        self._go_on(chat)

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._background.spawn(work)


def _is_cpim(part: Part) -> bool:
    return part.content_type is not None and part.content_type.essence == CPIM


def _essence(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
