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
        self._clocks: list[TimerHandle] = []
        self._failed = False

    def restart(self) -> None:
        """A 2xx to an INVITE or UPDATE went or came: the interval counts from now."""
        self.stop()
        self._failed = False
        session, timer = self._session, self._session.timer
        if session.has_ended():
            return
        if timer.refresh_after is not None:
            self._clocks.append(session.context.later(timer.refresh_after, self._due))
        if timer.give_up_after is not None:
            self._clocks.append(session.context.later(timer.give_up_after, self._expired))

    def stop(self) -> None:
        """The session is over."""
        for clock in self._clocks:
            clock.cancel()
        self._clocks.clear()

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
        if response.status >= 300 and not self._failed and after is not None and until is not None:
            self._failed = True
            self._clocks.append(session.context.later((until - after) / 2, self._due))

    def _expired(self) -> None:
        self._session.give_up(Cause.EXPIRED, _EXPIRED)
