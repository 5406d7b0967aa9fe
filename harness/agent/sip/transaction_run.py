"""Runs a transaction machine: sends, starts timers and tells its user, as the actions of the machine say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

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

_Machine = TypeVar("_Machine", bound=Transaction)


class TransactionRun(ABC, Generic[_Machine]):
    """One machine with its running timers. What becomes of its actions is said by who it belongs to."""

    __slots__ = ("_error", "_scheduler", "_timers", "machine")

    def __init__(self, machine: _Machine, scheduler: Scheduler) -> None:
        self.machine, self._scheduler = machine, scheduler
        self._timers: dict[Timer, TimerHandle] | None = None
        self._error: TransportFailed | None = None

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Send over the transport the transaction is bound to. Raises TransportFailed."""

    @abstractmethod
    def deliver(self, message: Request | Response) -> None:
        """A message for the user of the transaction."""

    @abstractmethod
    def failed(self, cause: Cause, error: TransportFailed | None) -> None:
        """The transaction failed; error says how when the transport did."""

    @abstractmethod
    def refused(self, refusal: Refused) -> None:
        """A response was not sent because a clause forbids it."""

    @abstractmethod
    def done(self) -> None:
        """The transaction has ended."""

    def perform(self, actions: Iterable[Action]) -> None:
        """Do what the machine asked for, and what follows from it."""
        for action in actions:
            _PERFORM[type(action)](self, action)

    def transport_failed(self, error: TransportFailed) -> None:
        """What was sent did not get out."""
        self._error = error
        self.perform(self.machine.transport_failed())

    def abandon(self) -> None:
        """Forget the transaction: nobody waits for it any more."""
        timers, self._timers = self._timers, None
        for handle in (timers or {}).values():
            handle.cancel()
        self.done()

    def _send(self, action: Send) -> None:
        try:
            self.send(action.data)
        except TransportFailed as error:
            self.transport_failed(error)

    def _start(self, action: StartTimer) -> None:
        if self.machine.done:  # a failed send may have ended it in the same breath
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
        self.perform(self.machine.fire(timer))


_PERFORM: Mapping[type[Action], Callable[[TransactionRun[Any], Any], None]] = {
    Send: TransactionRun._send,
    StartTimer: TransactionRun._start,
    Deliver: lambda run, action: run.deliver(action.message),
    Failed: lambda run, action: run.failed(action.cause, run._error),
    Refused: lambda run, action: run.refused(action),
    Done: lambda run, _: run.abandon(),
}
