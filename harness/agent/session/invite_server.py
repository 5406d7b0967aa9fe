"""An INVITE of the other end, initial or in a dialog, until it is answered and acknowledged.

RFC 3261 13.3 and 9.2, RFC 3262 3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from harness.agent.scheduler import TimerHandle
from harness.agent.session.user import Cause, Content, Ending, Header
from harness.agent.sip.agent import Incoming
from harness.errors import SipSyntaxError, UsageError
from harness.sip.dialog import dialog_headers
from harness.sip.headers import canonical_name
from harness.sip.message import Request, Response
from harness.sip.reliable_provisional import ReliableResponses, repeat_times, requires_reliable

if TYPE_CHECKING:
    from harness.agent.session.context import SessionContext
    from harness.agent.session.invite_session import InviteSession

_RINGING = 180
_AGAIN_SECONDS = 60.0  # RFC 3261 13.3.1.1: proxies give up on an INVITE after three minutes of silence
_AGAIN_RELIABLY_SECONDS = 150.0  # RFC 3262 3


class IncomingInvite:
    """An INVITE to be answered. session: the one it makes, or the one a re-INVITE is for.

    final: our final response, None before. over: done when nothing more is to come of it: refused, or a 2xx
    acknowledged (its result is the ACK) or never acknowledged (None). on_cancel: answers in place of the 487
    to a CANCEL, as an answer does that is on its way by then.
    """

    def __init__(
        self, context: SessionContext, incoming: Incoming, session: InviteSession, *, initial: bool
    ) -> None:
        self.context, self.incoming, self.session, self.initial = context, incoming, session, initial
        self.final: Response | None = None
        self.on_cancel: Callable[[], None] | None = None
        self.over: asyncio.Future[Request | None] = asyncio.get_running_loop().create_future()
        self._reliable = ReliableResponses(incoming.message)
        self._unacknowledged: tuple[Response, asyncio.Future[Request | None]] | None = None
        self._repeating: TimerHandle | None = None
        self._extending: TimerHandle | None = None
        self._expiring: TimerHandle | None = None
        session.served[incoming.message.cseq.number] = self
        if initial:
            self._start_expiring()

    @property
    def request(self) -> Request:
        """The INVITE as it came."""
        return self.incoming.message

    @property
    def _is_open(self) -> bool:
        """Whether a response can still be sent."""
        return self.final is None and not self.over.done()

    def _start_expiring(self) -> None:
        """13.3.1: a request with Expires is good for that long."""
        try:
            seconds = self.request.expires
        except SipSyntaxError:
            return
        if seconds is not None:
            self._expiring = self.context.later(seconds, self._expired)

    # -- answers

    async def ring(
        self,
        status: int = _RINGING,
        content: Content | None = None,
        *,
        reliable: bool | None = None,
        headers: Iterable[Header] = (),
    ) -> Request | None:
        """Send a provisional response from 101 to 199. A reliable one returns with its PRACK.

        reliable: None makes it so when the INVITE requires it. A reliable one waits for the PRACK of the one
        before. None is returned for an unreliable one, and when the INVITE ended meanwhile. Raises
        UsageError.
        """
        if reliable is None:
            reliable = requires_reliable(self.request)
        while reliable and self._unacknowledged is not None and self._is_open:
            await asyncio.shield(self._unacknowledged[1])
        if not self._is_open:
            return None
        response = self._response(status, content, headers)
        if reliable:
            response = self._reliable.numbered(response)
            self.session.exchange.response(response, sent=True)
            self.session.keep_content(content)
            self.session.dialog.accepted(self.request)
        elif not 100 < status < 200:
            raise UsageError(f"{status} is no provisional response that makes a dialog (RFC 3261 13.3.1.1)")
        if self.initial:
            self.context.register(self.session)
        self.context.agent.respond(self.incoming, response)
        self._extend(response, reliable)
        return await self._acknowledgement(response) if reliable else None

    async def _acknowledgement(self, response: Response) -> Request | None:
        """Repeat until the PRACK is there; without one for 64*T1 the INVITE is refused (RFC 3262 3)."""
        waiting: asyncio.Future[Request | None] = asyncio.get_running_loop().create_future()
        self._unacknowledged = (response, waiting)
        self._repeat(response, 0.0, repeat_times(self.context.timers))
        return await asyncio.shield(waiting)

    async def accept(
        self,
        content: Content | None = None,
        *,
        status: int = 200,
        headers: Iterable[Header] = (),
        alter: Callable[[Response], Response] | None = None,
    ) -> InviteSession | None:
        """Answer with a 2xx, repeated until its ACK comes; without one for 64*T1 the session gets a BYE.

        Waits for the PRACK of a session description (RFC 3262 3). alter: makes of the response the one that
        is sent, wrong on purpose. None when the INVITE ended meanwhile: cancelled, expired, hung up. Raises
        UsageError.
        """
        if not 200 <= status < 300:
            raise UsageError(f"a {status} accepts nothing (RFC 3261 13.3.1.4)")
        while self._reliable.holds_back_success and self._unacknowledged is not None and self._is_open:
            await asyncio.shield(self._unacknowledged[1])
        if not self._is_open:
            return None
        timer = self.session.timer.answer(self.request)
        response = self._response(status, content, [*self.context.shown, *timer.headers, *headers])
        response = response if alter is None else alter(response)
        self._final(response)
        self.session.dialog.accepted(self.request)
        self.session.dialog.confirm()
        self.session.keep_content(content)
        self.session.timer.accepted(response)
        if self.initial:
            self.context.register(self.session)
        self.context.agent.respond(self.incoming, response)
        self._repeat(response, 0.0, repeat_times(self.context.timers, self.context.timers.t2))
        self.session.refresh.restart()
        if not self.initial:
            self.session.user.refreshed(self.session, self.request)
        return self.session

    def reject(
        self,
        status: int,
        reason: str | None = None,
        headers: Iterable[Header] = (),
        content: Content | None = None,
        *,
        alter: Callable[[Response], Response] | None = None,
    ) -> None:
        """Refuse with a 300 to 699; nothing happens when it was answered before. alter: see `accept`.

        Raises UsageError.
        """
        self._refuse(status, Cause.REFUSED, reason=reason, headers=headers, content=content, alter=alter)

    def stay_silent(self) -> None:
        """Never answer: repeats are absorbed, a CANCEL gets its 200 and nothing more."""
        if self._is_open:
            self.context.agent.stay_silent(self.incoming)
            self._release(None)
            self._finish(None)
            if self.initial:
                self.session.end(Ending(Cause.REFUSED, by_us=True))

    def redirect(self, *contacts: str, status: int = 302) -> None:
        """Send the caller elsewhere: Contact values (13.3.1.2). Raises UsageError."""
        self.reject(status, headers=[("Contact", contact) for contact in contacts])

    def _refuse(
        self,
        status: int,
        cause: Cause,
        *,
        by_us: bool = True,
        message: Request | None = None,
        reason: str | None = None,
        headers: Iterable[Header] = (),
        content: Content | None = None,
        alter: Callable[[Response], Response] | None = None,
    ) -> None:
        if status < 300:
            raise UsageError(f"a {status} refuses nothing (RFC 3261 13.3.1.3)")
        if not self._is_open:
            return
        tag = self.session.dialog.id.local_tag
        response = self.context.response(self.request, status, content, headers, to_tag=tag, reason=reason)
        response = response if alter is None else alter(response)
        self._final(response)
        self.context.agent.respond(self.incoming, response)
        self._finish(None)
        if self.initial:
            self.session.end(Ending(cause, by_us, message or response))

    def _response(self, status: int, content: Content | None, headers: Iterable[Header]) -> Response:
        dialog, given = self.session.dialog, list(headers)
        contact = [("Contact", dialog.contact)]
        own = dialog_headers(self.request, dialog.contact) if self.initial else contact
        # Record-Route of ours: as if a proxy on this side of all others had put it into the INVITE
        routes = [row for row in given if canonical_name(row[0]) == "Record-Route"]
        others = [row for row in given if row not in routes]
        return self.context.response(
            self.request, status, content, [*routes, *own, *others], to_tag=dialog.id.local_tag
        )

    def _final(self, response: Response) -> None:
        self.final = response
        self._reliable.over()
        self.session.exchange.response(response, sent=True)
        self._release(None)
        self._stop_clocks()

    # -- what comes meanwhile

    def cancelled(self, cancel: Request) -> None:
        """A CANCEL for it: 487, unless it has its final response (9.2), or `on_cancel` gives it one."""
        crossing, self.on_cancel = self.on_cancel, None
        if crossing is not None and self._is_open:
            crossing()
            return
        self._refuse(487, Cause.CANCELLED, by_us=False, message=cancel)

    def acknowledged(self, ack: Request) -> bool:
        """An ACK with its number. False when it waits for none yet."""
        if self.final is None:
            return False
        self._finish(ack)
        return True

    def acknowledges(self, prack: Request) -> bool:
        """Whether a PRACK is for a response of this INVITE (RFC 3262 3). Raises SipSyntaxError."""
        return self._reliable.acknowledged(prack) is not None

    def pracked(self, prack: Request) -> None:
        """The PRACK was answered: go on, if it was for this INVITE."""
        if self._unacknowledged is not None and not self._reliable.is_unacknowledged(self._unacknowledged[0]):
            if self._repeating is not None:
                self._repeating.cancel()
            self._release(prack)

    def session_ended(self) -> None:
        """The session is over: 487 when there is no final response (15.1.2), nothing is repeated."""
        if self._is_open:
            tag = self.session.dialog.id.local_tag
            self.final = self.context.response(self.request, 487, to_tag=tag)
            self._reliable.over()
            self._release(None)
            self.context.agent.respond(self.incoming, self.final)
        self._finish(None)

    # -- time

    def _repeat(self, response: Response, last: float, moments: Iterator[float]) -> None:
        """Send it again at the next moment; when there is none left, give up at 64*T1."""
        moment = next(moments, None)
        if moment is None:
            left = self.context.timers.timeout - last
            self._repeating = self.context.later(left, lambda: self._unanswered(response))
            return

        def again() -> None:
            self.context.agent.respond(self.incoming, response)
            self._repeat(response, moment, moments)

        self._repeating = self.context.later(moment - last, again)

    def _unanswered(self, response: Response) -> None:
        if response.status < 200:
            self._refuse(504, Cause.NO_PRACK)
            return
        self.context.note(f"no ACK to {response.status} of {self.request.call_id} within 64*T1")
        self._finish(None)
        self.session.give_up(Cause.NO_ACK)

    def _expired(self) -> None:
        self._refuse(487, Cause.EXPIRED)

    def _extend(self, response: Response, reliable: bool) -> None:
        """13.3.1.1: say so again every minute, or reliably every two and a half (RFC 3262 3)."""
        if self._extending is not None:
            self._extending.cancel()

        def again() -> None:
            if reliable:
                self.context.spawn(self.ring(response.status, reliable=True), "provisional response")
                return
            self.context.agent.respond(self.incoming, response)
            self._extend(response, reliable)

        seconds = _AGAIN_RELIABLY_SECONDS if reliable else _AGAIN_SECONDS
        self._extending = self.context.later(seconds, again)

    def _release(self, prack: Request | None) -> None:
        waiting, self._unacknowledged = self._unacknowledged, None
        if waiting is not None and not waiting[1].done():
            waiting[1].set_result(prack)

    def _finish(self, ack: Request | None) -> None:
        self._stop_clocks()
        if not self.over.done():
            self.over.set_result(ack)
            del self.session.served[self.request.cseq.number]

    def _stop_clocks(self) -> None:
        for clock in (self._repeating, self._extending, self._expiring):
            if clock is not None:
                clock.cancel()
