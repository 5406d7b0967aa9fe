"""Runs a transaction machine: sends, starts timers and tells its user, as the actions of the machine say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

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

    def __init__(self, machine: Transaction, scheduler: Scheduler, user: TransactionUser) -> None:
        self._machine, self._scheduler, self._user = machine, scheduler, user
        self._timers: dict[Timer, TimerHandle] = {}
        self._error: TransportFailed | None = None

    def perform(self, actions: Iterable[Action]) -> None:
        """Do what the machine asked for, and what follows from it."""
        for action in actions:
            self._perform(action)

    def transport_failed(self, error: TransportFailed) -> None:
        """What was sent did not get out."""
        self._error = error
        self.perform(self._machine.transport_failed())

    def abandon(self) -> None:
        """Forget the transaction: nobody waits for it any more."""
        for handle in self._timers.values():
            handle.cancel()
        self._timers.clear()
        self._user.done()

    def _perform(self, action: Action) -> None:
        match action:
            case Send(data):
                try:
                    self._user.send(data)
                except TransportFailed as error:
                    self.transport_failed(error)
            case StartTimer(timer, seconds):
                self._start(timer, seconds)
            case Deliver(message):
                self._user.deliver(message)
            case Failed(cause):
                self._user.failed(cause, self._error)
            case Refused():
                self._user.refused(action)
            case Done():
                self.abandon()

    def _start(self, timer: Timer, seconds: float) -> None:
        running = self._timers.pop(timer, None)
        if running is not None:
            running.cancel()
        if not self._machine.done:  # a failed send may have ended it in the same breath
            self._timers[timer] = self._scheduler.call_later(seconds, lambda: self._fired(timer))

    def _fired(self, timer: Timer) -> None:
        self._timers.pop(timer, None)
        self.perform(self._machine.fire(timer))
