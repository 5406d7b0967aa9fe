"""What all sessions of a user agent share: the way out, the clock, their dialogs, and how they respond."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Container, Coroutine, Iterable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from harness.agent.background import Background
from harness.agent.scheduler import Scheduler, TimerHandle
from harness.agent.session.outgoing import Outgoing, ViaOf
from harness.agent.session.user import Content, Header
from harness.agent.sip.agent import SipAgent
from harness.errors import RcsLabError
from harness.evidence.timeline import Layer
from harness.sip.dialog import Dialog, Dialogs
from harness.sip.message import Request, Response, build_response
from harness.sip.session_timer import TimerPolicy
from harness.sip.transaction import Timers

if TYPE_CHECKING:
    from harness.agent.session.invite_session import InviteSession

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

ALLOW = ("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "INFO", "OPTIONS", "MESSAGE", "REFER", "NOTIFY")
SUPPORTED = ("100rel", "timer")
_WITHOUT_LOCATION = frozenset({"ACK", "CANCEL"})

# Given a 401 or 407 and the request it refuses: headers for the next attempt, None to give up.
Authorize = Callable[[Request, Response], "list[Header] | None"]


@dataclass(slots=True)
class SessionContext:
    """The part of a user agent its sessions work with.

    allow, supported: methods and option tags shown to the other end. headers: rows every message of ours
    carries (Server, User-Agent). location: rows of every message but ACK, CANCEL and the response to that
    (RFC 7976 3), asked for as each is made. via_of: our Via for a hop, that of the agent by default.
    understood: option tags a request may require, those shown by default. authorize: answers challenges.
    refresh_within: asked as each interval begins: seconds after which we refresh a session, where half of the
    interval is longer; None sees to no session timer at all. closing: nothing new is begun.
    """

    agent: SipAgent
    timers: Timers
    policy: TimerPolicy | None
    scheduler: Scheduler | None = None
    allow: tuple[str, ...] = ALLOW
    supported: tuple[str, ...] = SUPPORTED
    headers: tuple[Header, ...] = ()
    location: Callable[[], Iterable[Header]] = tuple
    via_of: ViaOf | None = None
    understood: Container[str] | None = None
    authorize: Authorize | None = None
    refresh_within: Callable[[], float | None] = lambda: inf
    randomness: random.Random = field(default_factory=random.Random)
    dialogs: Dialogs = field(default_factory=Dialogs)
    sessions: dict[Dialog, InviteSession] = field(default_factory=dict)
    closing: bool = False
    _background: Background = field(default_factory=Background)
    _clocks: set[_Clock] = field(default_factory=set)

    @property
    def outgoing(self) -> Outgoing:
        """What sends requests."""
        return Outgoing(self.agent, self.via_of)

    def own_rows(self, method: str) -> list[Header]:
        """The rows a message of ours carries, of this method or in response to it."""
        located = () if method in _WITHOUT_LOCATION else self.location()
        return [*self.headers, *located]

    # -- dialogs

    def register(self, session: InviteSession) -> None:
        """Requests in its dialog find the session from now on."""
        self.dialogs.add(session.dialog)
        self.sessions[session.dialog] = session

    def forget(self, session: InviteSession) -> None:
        """They get 481 from now on."""
        self.dialogs.discard(session.dialog)
        self.sessions.pop(session.dialog, None)

    # -- responses

    def response(
        self,
        request: Request,
        status: int,
        content: Content | None = None,
        headers: Iterable[Header] = (),
        *,
        to_tag: str | None,
        reason: str | None = None,
    ) -> Response:
        """A response with the rows every message of ours carries. Raises UsageError."""
        rows = [*headers, *self.own_rows(request.method), *(content.rows if content is not None else ())]
        body = content.body if content is not None else b""
        return build_response(request, status, reason, rows, body, to_tag=to_tag)

    def retry_after(self) -> Header:
        """0 to 10 seconds at random (RFC 3261 14.2, RFC 3311 5.2)."""
        return ("Retry-After", str(self.randomness.randint(0, 10)))

    @property
    def shown(self) -> list[Header]:
        """Allow and Supported, as an INVITE and its 2xx show them (13.2.1, 13.3.1.4)."""
        return [("Allow", ", ".join(self.allow)), *self.extensions]

    @property
    def extensions(self) -> list[Header]:
        """Supported, which every request shows (RFC 4028 7.1)."""
        return [("Supported", ", ".join(self.supported))] if self.supported else []

    # -- time and tasks

    def later(self, seconds: float, callback: Callable[[], None]) -> TimerHandle:
        """Call back after so many seconds of the clock in use, unless `stop_clocks` comes first."""
        clock = _Clock(self._clocks, callback)
        if self.closing:
            clock.cancel()
            return clock
        clock.handle = (self.scheduler or asyncio.get_running_loop()).call_later(seconds, clock.fire)
        return clock

    def stop_clocks(self) -> None:
        """Nothing is called back any more."""
        for clock in tuple(self._clocks):
            clock.cancel()

    async def pause(self, seconds: float) -> None:
        """Wait on the clock in use."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        handle = self.later(seconds, lambda: None if over.done() else over.set_result(None))
        try:
            await over
        finally:
            handle.cancel()

    def begin(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Run work somebody waits for; `close` ends it."""
        task = self._background.spawn(work)
        task.add_done_callback(lambda _: work.close())  # cancelled before it began, it would never be awaited
        return task

    def spawn(self, work: Coroutine[Any, Any, Any], what: str) -> asyncio.Task[None]:
        """Run in the background until `close`. An error of ours becomes a note, another one is logged."""
        task = self.begin(self._guarded(work, what))
        task.add_done_callback(lambda _: work.close())
        if self.closing:
            task.cancel()
        return task

    async def _guarded(self, work: Coroutine[Any, Any, Any], what: str) -> None:
        try:
            await work
        except RcsLabError as error:
            self.note(f"{what}: {error}")
        except Exception:  # noqa: BLE001 - a defect of ours must not pass in silence
            _log.exception("%s failed", what)

    def note(self, text: str) -> None:
        """Put a remark on the timeline."""
        self.agent.timeline.event(Layer.SIP, "note", text)

    async def cancel_tasks(self) -> None:
        """End what runs in the background."""
        self._background.cancel()
        await self._background.ended()


class _Clock:
    """A running timer that is known to its context until it fires or is cancelled."""

    def __init__(self, running: set[_Clock], callback: Callable[[], None]) -> None:
        self.handle: TimerHandle | None = None
        self._running, self._callback = running, callback
        running.add(self)

    def fire(self) -> None:
        self._running.discard(self)
        self._callback()

    def cancel(self) -> None:
        self._running.discard(self)
        if self.handle is not None:
            self.handle.cancel()
