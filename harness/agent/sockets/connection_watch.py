"""How much a connection may take: its limits, and the timers that hold the other end to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.agent.metrics import Counter
from harness.agent.scheduler import Scheduler, TimerHandle

_LINGER = "linger"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may take, in seconds; None: as long as it likes.

    rest_seconds: half a message waits for its next octets. message_seconds: from the first octets of a
    message to its last, however steadily they trickle. drain_seconds: octets we wrote wait to be taken, and
    none is. handshake_seconds: TLS. quiet_seconds: nothing comes or goes; after twice that at the latest the
    connection ends. per_source: connections one address may have opened to us.
    """

    rest_seconds: float = 10.0
    message_seconds: float | None = 60.0
    drain_seconds: float = 30.0
    handshake_seconds: float = 10.0
    quiet_seconds: float | None = 7200.0
    per_source: int = 1024


DEFAULT_LIMITS = ConnectionLimits()
# Of MSRP: a chunk may pause as long as its sender waits for an answer (RFC 4975 7.1.1), and take its time.
MSRP_LIMITS = ConnectionLimits(rest_seconds=30.0, message_seconds=None)


class ConnectionWatch:
    """The timers of one connection.

    Args: expired is called once a limit is met, with its name and what to say.
    """

    def __init__(
        self, limits: ConnectionLimits, scheduler: Scheduler, expired: Callable[[Counter, str], None]
    ) -> None:
        self.moved = False  # set by the connection whenever octets come or go
        self._limits, self._scheduler, self._expired = limits, scheduler, expired
        self._timers: dict[str, TimerHandle] = {}
        self._taken: Callable[[], int] = int
        self._taken_before = 0

    def opened(self) -> None:
        """The connection is there."""
        self._start(Counter.QUIET, self._limits.quiet_seconds, self._quiet)

    def handshake(self) -> None:
        """A TLS handshake begins."""
        seconds = self._limits.handshake_seconds
        self._start(Counter.SLOW_HANDSHAKE, seconds, self._too_slow_to_shake_hands)

    def secured(self) -> None:
        """The handshake is done."""
        self._stop(Counter.SLOW_HANDSHAKE)

    def received(self, *, pending: bool, completed: bool) -> None:
        """Octets came: whether half a message is left, and whether one was completed by them."""
        if not pending:
            if self._timers:
                self._stop(Counter.HALF_A_MESSAGE)
                self._stop(Counter.SLOW_WRITER)
            return
        self._start(Counter.HALF_A_MESSAGE, self._limits.rest_seconds, self._half_a_message)
        if completed or Counter.SLOW_WRITER not in self._timers:
            self._start(Counter.SLOW_WRITER, self._limits.message_seconds, self._slow_writer)

    def stuck(self, taken: Callable[[], int]) -> None:
        """What we write is piling up. taken: octets the other end has taken so far."""
        self._taken, self._taken_before = taken, taken()
        self._start(Counter.SLOW_READER, self._limits.drain_seconds, self._slow_reader)

    def flowing(self) -> None:
        """The pile is gone."""
        self._stop(Counter.SLOW_READER)

    def linger(self, seconds: float, over: Callable[[], None]) -> None:
        """The last thing to wait for."""
        self._start(_LINGER, seconds, over)

    def stop(self) -> None:
        """Nothing is waited for any more."""
        for handle in self._timers.values():
            handle.cancel()
        self._timers.clear()

    def _start(self, limit: str, seconds: float | None, over: Callable[[], None]) -> None:
        self._stop(limit)
        if seconds is not None:
            self._timers[limit] = self._scheduler.call_later(seconds, over)

    def _stop(self, limit: str) -> None:
        running = self._timers.pop(limit, None)
        if running is not None:
            running.cancel()

    def _quiet(self) -> None:
        if self.moved:
            self.moved = False
            self.opened()
        else:
            self._expired(Counter.QUIET, f"nothing came or went for {self._limits.quiet_seconds:g} s")

    def _too_slow_to_shake_hands(self) -> None:
        seconds = self._limits.handshake_seconds
        self._expired(Counter.SLOW_HANDSHAKE, f"the TLS handshake was not done within {seconds:g} s")

    def _half_a_message(self) -> None:
        self._expired(Counter.HALF_A_MESSAGE, f"nothing came for {self._limits.rest_seconds:g} s")

    def _slow_writer(self) -> None:
        seconds = self._limits.message_seconds
        self._expired(Counter.SLOW_WRITER, f"a message was not complete after {seconds:g} s")

    def _slow_reader(self) -> None:
        taken = self._taken()
        if taken > self._taken_before:  # slowly, but it reads
            self.stuck(self._taken)
            return
        seconds = self._limits.drain_seconds
        self._expired(Counter.SLOW_READER, f"nothing of what is sent was taken for {seconds:g} s")
