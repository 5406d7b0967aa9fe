"""Runs a transaction machine: sends, starts timers and tells its user, as the actions of the machine say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from harness.agent.failures import TransportFailed
from harness.agent.scheduler import Scheduler, TimerHandle
from harness.sip.message import Request, Response
from harness.sip.transaction import (
    Action,
    Cause,
    Deliver,
    Done,
    Failed,
    Refused,
    Send,
    StartTimer,
    Timer,
    Transaction,
)


class TransactionUser(Protocol):
    """Who a transaction belongs to."""

    def send(self, data: bytes) -> None:
        """Send over the transport the transaction is bound to. Raises TransportFailed."""

    def deliver(self, message: Request | Response) -> None:
        """A message for the user of the transaction."""

    def failed(self, cause: Cause, error: TransportFailed | None) -> None:
        """The transaction failed; error says how when the transport did."""

    def refused(self, refusal: Refused) -> None:
        """A response was not sent because a clause forbids it."""

    def done(self) -> None:
        """The transaction has ended."""


class TransactionRun:
    """One machine with its running timers."""

    __slots__ = ("_error", "_machine", "_scheduler", "_timers", "_user")

    def __init__(self, machine: Transaction, scheduler: Scheduler, user: TransactionUser) -> None:
        self._machine, self._scheduler = machine, scheduler
        # It points back here; let go of at the end, so that no message waits for the collector of cycles.
        self._user: Any = user
        self._timers: dict[Timer, TimerHandle] | None = None
        self._error: TransportFailed | None = None

    def perform(self, actions: Iterable[Action]) -> None:
        """Do what the machine asked for, and what follows from it."""
        for action in actions:
            _PERFORM[type(action)](self, action)

    def transport_failed(self, error: TransportFailed) -> None:
        """What was sent did not get out."""
        self._error = error
        self.perform(self._machine.transport_failed())

    def abandon(self) -> None:
        """Forget the transaction: nobody waits for it any more."""
        timers, self._timers = self._timers, None
        for handle in (timers or {}).values():
            handle.cancel()
        user, self._user = self._user, None
        if user is not None:
            user.done()

    def _send(self, action: Send) -> None:
        try:
            self._user.send(action.data)
        except TransportFailed as error:
            self.transport_failed(error)

    def _start(self, action: StartTimer) -> None:
        if self._machine.done:  # a failed send may have ended it in the same breath
            return
        timer = action.timer
        if self._timers is None:
            self._timers = {}
        elif timer in self._timers:
            self._timers[timer].cancel()
        self._timers[timer] = self._scheduler.call_later(
            action.seconds, partial(TransactionRun._fired, self, timer)
        )

    def _fired(self, timer: Timer) -> None:
        if self._timers is not None:
            self._timers.pop(timer, None)
        self.perform(self._machine.fire(timer))


_PERFORM: Mapping[type[Action], Callable[[TransactionRun, Any], None]] = {
    Send: TransactionRun._send,
    StartTimer: TransactionRun._start,
    Deliver: lambda run, action: run._user.deliver(action.message),
    Failed: lambda run, action: run._user.failed(action.cause, run._error),
    Refused: lambda run, action: run._user.refused(action),
    Done: lambda run, _: run.abandon(),
}
