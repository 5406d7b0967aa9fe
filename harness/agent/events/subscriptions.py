"""What running a subscription takes at either end: timers, requests in its dialog, and ways to the outside.

notifier.py and subscriber.py run the machines of harness.sip with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Protocol

from harness.agent.scheduler import Scheduler, TimerHandle
from harness.agent.session.outgoing import Outgoing, Way
from harness.agent.sip.agent import Incoming, SipAgent
from harness.sip.dialog import Dialog
from harness.sip.message import Request, Response
from harness.sip.subscription import StartTimer, StopTimer, Timer

Header = tuple[str, str]

# A request is made once per hop that is tried: it gets the Via of that hop, the rest stays.
RequestMaker = Callable[[str], Request]
# How requests of one subscription reach the other end. Raises RcsLabError when no final response came.
Send = Callable[[RequestMaker], Awaitable[Response]]
# Runs work in the background; the text names it where it fails.
Spawn = Callable[[Coroutine[Any, Any, None], str], None]


class Respond(Protocol):
    """How a request is answered."""

    def __call__(
        self,
        incoming: Incoming,
        status: int,
        headers: Iterable[Header] = (),
        *,
        reason: str | None = None,
        to_tag: str | None = None,
    ) -> None:
        """Send the final response. reason: None is that of the status."""


_NO_VIA = "SIP/2.0/UDP draft.invalid;branch=z9hG4bKdraft"


def send_over(agent: SipAgent, way: Way) -> Send:
    """Requests straight from an agent by a way: to the top Route or the Request-URI, over TCP when large."""

    async def send(make: RequestMaker) -> Response:
        draft = make(_NO_VIA).without("Via")
        target = draft.routes[0].uri if draft.routes else draft.request_uri
        _, response = await Outgoing(agent).request(draft, target, way)
        return response

    return send


class InDialog:
    """One request in a dialog: the same number by whatever hop it goes."""

    def __init__(
        self, dialog: Dialog, method: str, headers: Iterable[Header] = (), body: bytes = b""
    ) -> None:
        self._dialog, self._method = dialog, method
        self._headers, self._body = tuple(headers), body
        self._number: int | None = None

    def __call__(self, via: str) -> Request:
        request = self._dialog.request(self._method, self._headers, self._body, via=via, cseq=self._number)
        self._number = request.cseq.number
        return request


class RunningTimers:
    """The timers of one machine that run now."""

    def __init__(self, scheduler: Scheduler, fired: Callable[[Timer], None]) -> None:
        self._scheduler, self._fired = scheduler, fired
        self._handles: dict[Timer, TimerHandle] = {}

    def perform(self, action: StartTimer | StopTimer) -> None:
        """Start or stop one."""
        handle = self._handles.pop(action.timer, None)
        if handle is not None:
            handle.cancel()
        if isinstance(action, StartTimer):
            timer = action.timer
            self._handles[timer] = self._scheduler.call_later(action.delay, lambda: self._run_out(timer))

    def stop(self) -> None:
        """Stop all."""
        for handle in self._handles.values():
            handle.cancel()
        self._handles.clear()

    def _run_out(self, timer: Timer) -> None:
        del self._handles[timer]
        self._fired(timer)
