"""Requests that wait for their response, and the 30 seconds each of them waits (RFC 4975 7.1 and 7.1.1)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

ANSWER_SECONDS = 30.0  # from the last octet sent (7.1.1)
MOST_UNTIMED = 1024  # requests remembered only because an error might come


class Owner(Protocol):
    """Whose request it was."""

    def answered(self, transaction: Transaction, status: int, comment: str) -> None:
        """The response came; 408 for none in time (10.4)."""


@dataclass(slots=True)
class Transaction:
    """A request that was begun. timed: whether a missing answer is a failure (Failure-Report, 7.1.1).

    start, octets: of the content it carries, counted from 0. deadline: seconds of the caller's clock, None
    while the request is still being written. answered: there was a response, perhaps before its end.
    """

    tid: bytes
    owner: Owner
    timed: bool
    start: int = 0
    octets: int = 0
    deadline: float | None = None
    answered: bool = False


class TransactionIds:
    """New transaction identifiers of 96 random bits (7.1 asks for 64)."""

    _OCTETS, _AT_ONCE = 12, 256

    def __init__(self) -> None:
        self._ready: Iterator[bytes] = iter(())

    def __call__(self) -> bytes:
        """An identifier that was not given before."""
        found = next(self._ready, None)
        if found is None:
            digits, width = secrets.token_hex(self._OCTETS * self._AT_ONCE).encode(), 2 * self._OCTETS
            self._ready = iter([digits[place : place + width] for place in range(0, len(digits), width)])
            found = next(self._ready)
        return found


class Transactions:
    """What one connection waits for, oldest first: all wait equally long, so one running timer is enough."""

    def __init__(self, seconds: float = ANSWER_SECONDS) -> None:
        self._seconds = seconds
        self._timed: dict[bytes, Transaction] = {}
        self._untimed: dict[bytes, Transaction] = {}

    def __len__(self) -> int:
        return len(self._timed)

    def begin(self, transaction: Transaction) -> None:
        """The request is being written: an error may come before it ends."""
        self._of(transaction)[transaction.tid] = transaction

    def sent(self, transaction: Transaction, now: float) -> None:
        """The request was written to its last octet."""
        if transaction.answered:
            return
        transaction.deadline = now + self._seconds
        self._of(transaction)[transaction.tid] = transaction
        if len(self._untimed) > MOST_UNTIMED:
            del self._untimed[next(iter(self._untimed))]

    def take(self, tid: bytes) -> Transaction | None:
        """The transaction a response belongs to; it waits no more. None for a response to nothing."""
        found = self._timed.pop(tid, None) or self._untimed.pop(tid, None)
        if found is not None:
            found.answered = True
        return found

    def expired(self, now: float) -> list[Transaction]:
        """Those whose time is over; they wait no more."""
        found = []
        for transaction in self._timed.values():
            if transaction.deadline is not None:
                if transaction.deadline > now:
                    break
                found.append(transaction)
        for transaction in found:
            del self._timed[transaction.tid]
        return found

    @property
    def next_deadline(self) -> float | None:
        """When the next one's time is over."""
        return next((each.deadline for each in self._timed.values() if each.deadline is not None), None)

    def clear(self) -> list[Transaction]:
        """Give up waiting, as when the connection is gone. Returns those with a timer."""
        left = list(self._timed.values())
        self._timed.clear()
        self._untimed.clear()
        return left

    def _of(self, transaction: Transaction) -> dict[bytes, Transaction]:
        return self._timed if transaction.timed else self._untimed
