"""Giving up an INVITE of ours while it is under way (RFC 3261 9.1)."""

from __future__ import annotations

from collections.abc import Callable

from harness.agent.scheduler import TimerHandle
from harness.agent.session.context import SessionContext
from harness.agent.session.outgoing import Sent, Way
from harness.sip.session_headers import Reason
from harness.sip.transaction import build_cancel


class Cancellation:
    """The CANCEL of one INVITE and its repeats with credentials. wanted: whether it was asked for.

    never_answered is called when the INVITE has no final response 64*T1 after its CANCEL: a server of
    RFC 2543 may send none.
    """

    def __init__(self, context: SessionContext, way: Way, never_answered: Callable[[], None]) -> None:
        self.wanted = False
        self.sent: Sent | None = None
        self._context, self._way, self._never_answered = context, way, never_answered
        self._heard = False
        self._reason: Reason | None = None
        self._clock: TimerHandle | None = None

    def left(self, sent: Sent) -> None:
        """The INVITE was sent, by another hop or with another number than before."""
        self.sent, self._heard = sent, False

    def heard(self) -> None:
        """A provisional response came: only now may a CANCEL go."""
        first, self._heard = not self._heard, True
        if first and self.wanted:
            self._send()

    def begin(self, reason: Reason | None = None) -> None:
        """Give the INVITE up: CANCEL now, or with the first provisional response."""
        if self.wanted:
            return
        self.wanted, self._reason = True, reason
        if self._heard:
            self._send()

    def over(self) -> None:
        """The INVITE has its final response."""
        if self._clock is not None:
            self._clock.cancel()

    def _send(self) -> None:
        assert self.sent is not None
        self._context.spawn(self._cancel(self.sent), f"CANCEL of {self.sent.request.call_id}")
        self._clock = self._context.later(self._context.timers.timeout, self._never_answered)

    async def _cancel(self, sent: Sent) -> None:
        cancel = build_cancel(sent.request, None if self._reason is None else str(self._reason))
        await self._context.agent.request(cancel, sent.hop, local=self._way.local, exact=True)
