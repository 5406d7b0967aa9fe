"""The running session timer of a session: refreshes when it is our turn, BYE when nobody did (RFC 4028)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.agent.scheduler import TimerHandle
from harness.agent.session.user import Cause
from harness.sip.session_headers import Reason

if TYPE_CHECKING:
    from harness.agent.session.invite_session import InviteSession

_EXPIRED = Reason("SIP", 408, "Session timer expired")


class SessionRefresh:
    """The clocks of one session; what was agreed on is in its `timer`."""

    def __init__(self, session: InviteSession) -> None:
        self._session = session
        self._ours: TimerHandle | None = None
        self._end: TimerHandle | None = None
        self._failed = False

    def restart(self) -> None:
        """A 2xx to an INVITE or UPDATE went or came: the interval counts from now."""
        self.stop()
        self._failed = False
        session, until = self._session, self._session.timer.give_up_after
        if until is not None and session.context.refresh_within() is not None and not session.has_ended():
            self._end = session.context.later(until, self._expired)
            self.reconsider()

    def reconsider(self) -> None:
        """How soon sessions are refreshed is another matter from now on; when they end is not."""
        if self._ours is not None:
            self._ours.cancel()
        after, within = self._session.timer.refresh_after, self._session.context.refresh_within()
        if self._end is not None and after is not None and within is not None:
            self._ours = self._session.context.later(min(after, within), self._due)

    def stop(self) -> None:
        """The session is over."""
        for clock in (self._ours, self._end):
            if clock is not None:
                clock.cancel()
        self._ours = self._end = None

    def _due(self) -> None:
        self._session.context.spawn(self._refresh(), "session refresh")

    async def _refresh(self) -> None:
        """By UPDATE where the other end takes it, else by re-INVITE with the same offer (7.4).

        One that is refused is tried once more, half way to the end.
        """
        session, timer = self._session, self._session.timer
        if session.remote_methods is not None and "UPDATE" in session.remote_methods:
            response = await session.update()
        else:
            response = await session.user.refresh(session)
        after, until = timer.refresh_after, timer.give_up_after
        if response.status < 300 or self._failed or session.has_ended():
            return
        if after is not None and until is not None:
            self._failed = True
            self._ours = session.context.later((until - after) / 2, self._due)

    def _expired(self) -> None:
        self._session.give_up(Cause.EXPIRED, _EXPIRED)
