"""What every keyword module is given: the bench, opened at first need, and the record of the running test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from harness.errors import UsageError
from harness.keywords.test_record import TestRecord
from harness.lab.bench import Bench, HandsetOnBench


class BenchAccess:
    """The bench the library works on. It is given by `rcslab run`, else opened by the first keyword."""

    def __init__(self, open_bench: Callable[[], Bench]) -> None:
        self._open = open_bench
        self._bench: Bench | None = None
        self.record: TestRecord | None = None

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

    def deadline(self, given: timedelta | None, default: float) -> float:
        """Seconds: what the keyword was given, else the lab's deadline."""
        return default if given is None else given.total_seconds()
