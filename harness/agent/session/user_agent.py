"""A user agent for sessions: takes INVITEs in, sends them out, and finds the session of a request.

RFC 3261 8.2 (what is checked of an INVITE), 9.2, 12.2.2, 13. It stands on a SipAgent; what is no affair of a
session goes back to whoever owns that.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Container, Iterable
from math import inf

from harness.agent.scheduler import Scheduler
from harness.agent.session.context import ALLOW, SUPPORTED, Authorize, SessionContext
from harness.agent.session.invite_client import Invitation, OutgoingInvite
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.invite_session import InviteSession
from harness.agent.session.outgoing import UriWay, ViaOf, Way
from harness.agent.session.requests import not_understood, serve
from harness.agent.session.user import Cause, Content, Ending, Header, SessionUser
from harness.agent.sip.agent import Incoming, SipAgent
from harness.cpm.tokens import new_tag
from harness.errors import SipSyntaxError
from harness.evidence.timeline import Transport
from harness.sip.dialog import Dialog, DialogState, needs_sips_contact
from harness.sip.message import Request
from harness.sip.session_timer import OPTION as TIMER
from harness.sip.session_timer import TimerPolicy
from harness.sip.transaction import Timers

_SHOWN_TRANSPORT = {Transport.TCP: ";transport=tcp", Transport.TLS: ";transport=tls"}
_Merged = tuple[str, str, int]


class UserAgent:
    """The sessions of one SipAgent.

    Args: on_invite is called with each initial INVITE that may be processed; it sets `invite.session.user`
    and answers, at once or later. contact_of, way_of: our Contact value and the way back for an INVITE that
    came (by default the address it came to, and straight to its Contact). policy: session timers, which are
    kept only when `timer` is supported. authorize:
    answers 401 and 407. allow, supported, headers: what every message of ours shows; location, via_of,
    understood, refresh_within: see SessionContext.
    """

    def __init__(
        self,
        agent: SipAgent,
        on_invite: Callable[[IncomingInvite], None],
        *,
        contact_of: Callable[[Incoming], str] | None = None,
        way_of: Callable[[Incoming], Way] | None = None,
        policy: TimerPolicy | None = None,
        authorize: Authorize | None = None,
        allow: tuple[str, ...] = ALLOW,
        supported: tuple[str, ...] = SUPPORTED,
        headers: tuple[Header, ...] = (),
        location: Callable[[], Iterable[Header]] = tuple,
        via_of: ViaOf | None = None,
        understood: Container[str] | None = None,
        refresh_within: Callable[[], float | None] = lambda: inf,
        timers: Timers | None = None,
        scheduler: Scheduler | None = None,
        randomness: random.Random | None = None,
    ) -> None:
        self._on_invite = on_invite
        self._contact_of = contact_of or _contact_of
        self._way_of = way_of or (lambda incoming: UriWay(incoming.local))
        self.context = SessionContext(
            agent,
            timers or Timers(),
            policy or TimerPolicy() if TIMER in supported else None,
            scheduler=scheduler,
            allow=allow,
            supported=supported,
            headers=headers,
            location=location,
            via_of=via_of,
            understood=understood,
            authorize=authorize,
            refresh_within=refresh_within,
            randomness=randomness or random.Random(),
        )
        self._outgoing: set[OutgoingInvite] = set()
        self._incoming: dict[_Merged, IncomingInvite] = {}

    @property
    def sessions(self) -> list[InviteSession]:
        """Those with a dialog, early or confirmed."""
        return list(self.context.sessions.values())

    # -- as caller

    def invite(
        self, invitation: Invitation, way: Way | None = None, user: SessionUser | None = None
    ) -> OutgoingInvite:
        """Send an INVITE; to be called in the loop. way: straight to its first Route or URI by default."""
        way, user = way or UriWay(), user or SessionUser()
        invite = OutgoingInvite(self.context, invitation, way, user, self._outgoing.discard)
        self._outgoing.add(invite)
        return invite

    # -- as callee

    def receive(self, incoming: Incoming) -> bool:
        """Take in a request. False when it is no affair of a session: the caller answers it.

        Those are requests outside dialogs other than INVITE, CANCEL and ACK, and those of dialogs not here.
        """
        request = incoming.message
        if request.method == "CANCEL":
            self._cancel(incoming)
            return True
        try:
            dialog = self.context.dialogs.find(request)
            if dialog is not None:
                serve(self.context.sessions[dialog], incoming)
                return True
            if request.method == "ACK":
                return True
            if request.method != "INVITE" or request.to.tag is not None:
                return False
            self._invited(incoming)
        except SipSyntaxError as error:
            self._refuse(incoming, 400, reason=f"{error.what} cannot be read")
        return True

    def _invited(self, incoming: Incoming) -> None:
        request = incoming.message
        key = _merged(request)
        unknown = not_understood(request, self.context)
        if key in self._incoming:
            self._refuse(incoming, 482)  # 8.2.2.2: the same request on another path
        elif unknown:
            self._refuse(incoming, 420, [("Unsupported", ", ".join(unknown))])
        else:
            self._process(incoming, key)

    def _process(self, incoming: Incoming, key: _Merged) -> None:
        request = incoming.message
        contact = self._contact_of(incoming)
        dialog = Dialog.as_callee(
            request, new_tag(), contact=contact, over_tls=incoming.transport is Transport.TLS
        )
        session = InviteSession(self.context, dialog, self._way_of(incoming))
        timer = session.timer.answer(request)
        if timer.status >= 300:
            self._refuse(incoming, timer.status, timer.headers)
            return
        session.learn(request)
        session.exchange.request(request, sent=False)
        invite = self._incoming[key] = IncomingInvite(self.context, incoming, session, initial=True)
        invite.over.add_done_callback(lambda _: self._settled(key))
        try:
            self._on_invite(invite)
        except Exception:
            invite.reject(500)
            raise

    def _settled(self, key: _Merged) -> None:
        """A copy on a longer path may still come while the transaction could (8.2.2.2)."""

        def forget() -> None:
            self._incoming.pop(key, None)

        self.context.later(self.context.timers.timeout, forget)

    def _cancel(self, incoming: Incoming) -> None:
        """9.2: the CANCEL is answered by itself; what it means is found by the transaction of its INVITE."""
        cancelled = self.context.agent.cancelled_by(incoming)
        if cancelled is None:
            self._refuse(incoming, 481)
            return
        invite = self._invite_of(cancelled)
        tag = new_tag() if invite is None else invite.session.dialog.id.local_tag
        response = self.context.response(incoming.message, 200, to_tag=tag)
        self.context.agent.respond(incoming, response)
        if invite is not None:
            invite.cancelled(incoming.message)

    def _invite_of(self, incoming: Incoming) -> IncomingInvite | None:
        return next((invite for invite in self._all_incoming() if invite.incoming is incoming), None)

    def _all_incoming(self) -> list[IncomingInvite]:
        """Initial ones and re-INVITEs."""
        return [*self._incoming.values(), *(each for s in self.sessions for each in s.served.values())]

    def _refuse(
        self,
        incoming: Incoming,
        status: int,
        headers: list[Header] | None = None,
        *,
        reason: str | None = None,
        content: Content | None = None,
    ) -> None:
        response = self.context.response(
            incoming.message, status, content, headers or [], to_tag=new_tag(), reason=reason
        )
        self.context.agent.respond(incoming, response)

    # -- the end

    async def hang_up(self) -> None:
        """End every session properly: CANCEL, 487 or BYE. Returns when each has its answer or time-out."""
        outgoing = tuple(self._outgoing)
        for ours in outgoing:
            ours.cancel()
        for theirs in tuple(self._incoming.values()):
            theirs.reject(487)
        confirmed = [each for each in self.sessions if each.dialog.state is DialogState.CONFIRMED]
        await asyncio.gather(*(each.outcome() for each in outgoing), *(each.bye() for each in confirmed))

    def start(self) -> None:
        """Go on after `close`; a new user agent has begun already."""
        self.context.closing = False

    def cut(self) -> None:
        """End everything this instant and send nothing, as when the network is gone; `close` is still due."""
        self.context.closing = True
        for invite in self._all_incoming():
            invite.stay_silent()
        self._end_all()

    async def abandon(self) -> None:
        """The same, and `close`."""
        self.cut()
        await self.close()

    async def close(self) -> None:
        """End everything at once: INVITEs that wait get 487, sessions no BYE. Nothing runs afterwards."""
        self.context.closing = True
        self._end_all()
        await self.context.cancel_tasks()

    def _end_all(self) -> None:
        for outgoing in tuple(self._outgoing):
            outgoing.close()
        for session in (*self.sessions, *(invite.session for invite in self._incoming.values())):
            session.end(Ending(Cause.CLOSED, by_us=True))
        self._outgoing.clear()
        self._incoming.clear()
        self.context.stop_clocks()


def _merged(request: Request) -> _Merged:
    return request.call_id, request.from_.tag or "", request.cseq.number


def _contact_of(incoming: Incoming) -> str:
    scheme = "sips" if needs_sips_contact(incoming.message) else "sip"
    transport = _SHOWN_TRANSPORT.get(incoming.transport, "") if scheme == "sip" else ""
    return f"<{scheme}:{incoming.local}{transport}>"
