"""What every keyword module is given: the bench, opened at first need, and the record of the running test."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from harness.cpm.identity import Msisdn
from harness.errors import HandsetError, NotOnBench, NotSeen, UsageError
from harness.keywords.test_record import TestRecord
from harness.lab.bench import Bench
from harness.lab.equipment import HandsetOnBench
from harness.peer.config import Authentication

T = TypeVar("T")
GRACE_SECONDS = 2.0
POLL_SECONDS = 0.02


class BenchAccess:
    """The bench the library works on. It is given by `rcslab run`, else opened by the first keyword."""

    def __init__(self, open_bench: Callable[[], Bench]) -> None:
        self._open = open_bench
        self._bench: Bench | None = None
        self.record: TestRecord | None = None
        self.mark = 0
        """Number of the timeline's last entry before the last action; what comes later is its effect."""

    @property
    def is_open(self) -> bool:
        """Whether there is a bench already."""
        return self._bench is not None

    @property
    def bench(self) -> Bench:
        """The bench, brought up when this is the first use."""
        if self._bench is None:
            self._bench = self._open()
        return self._bench

    def use(self, bench: Bench) -> None:
        """Work on this bench, which somebody else opened and will close."""
        self._bench = bench


class Topic:
    """A keyword module: one topic of the procedure."""

    def __init__(self, access: BenchAccess) -> None:
        self.access = access

    @property
    def bench(self) -> Bench:
        """The bench under the keywords."""
        return self.access.bench

    @property
    def record(self) -> TestRecord:
        """The record of the running test.

        Raises: UsageError outside a test (a suite setup has no findings of its own).
        """
        if self.access.record is None:
            raise UsageError("this keyword belongs into a test: outside one there are no findings to look at")
        return self.access.record

    def handset(self, name: str | None = None) -> HandsetOnBench:
        """The handset of that name; the first of the bench when no name is given."""
        return self.bench.handset(name)

    def need_credentials(self, authentication: Authentication) -> None:
        """Raises: NotOnBench when the SIM of a handset, as lab.yaml has it, lacks what that takes."""
        for handset in self.bench.handsets.values():
            if lacking := handset.part.sim.lacks(authentication):
                raise NotOnBench(
                    f"handset {handset.name}: its SIM in lab.yaml has no {lacking} for {authentication}"
                )

    def act(self) -> None:
        """An action of the procedure begins: what it brings about is looked for after this point."""
        self.access.mark = len(self.bench.timeline)

    def call(self, coroutine: Coroutine[Any, Any, T], seconds: float) -> T:
        """Run a coroutine of the peer, which ends by itself within `seconds`, and return its result."""
        return self.bench.loop.call(coroutine, seconds + GRACE_SECONDS, watch=self.bench.watch)

    def expect_silence(self, waiting: Coroutine[Any, Any, object], seconds: float, message: str) -> None:
        """Run a wait of the peer that must not succeed. Raises: HandsetError when it does."""
        try:
            came = self.call(waiting, seconds)
        except NotSeen:
            return
        raise HandsetError(f"{message}: {came}")

    def poll(self, read: Callable[[], T], good: Callable[[T], bool], seconds: float) -> T:
        """Read a state that tells nobody when it changes until it is good; returns the last one read."""
        until = time.monotonic() + seconds
        while not good(last := read()) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        return last

    def far_number(self, given: Msisdn | None) -> str:
        """The number of the far party: the one given, else that of the bench."""
        return str(given) if given is not None else self.bench.part.peer.number

    @staticmethod
    def headers(given: Mapping[str, str]) -> dict[str, str]:
        """SIP header names of keyword arguments: an underscore stands for a dash."""
        return {name.replace("_", "-"): value for name, value in given.items()}

    def deadline(self, given: timedelta | None, default: float) -> float:
        """Seconds: what the keyword was given, else the lab's deadline."""
        return default if given is None else given.total_seconds()
