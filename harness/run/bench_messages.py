"""What a run and the process of one of its benches tell each other: lines of JSON, both ways."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Said(StrEnum):
    """What the process of a bench tells; each line is an object whose `event` is one of these."""

    UP = "up"
    """The bench is up. seconds: how long that took."""
    BROKEN = "broken"
    """It did not come up. error: why."""
    BEGUN = "begun"
    """A test begins. test: its full name."""
    ENDED = "ended"
    """A test ended. end: a TestEnd."""
    DONE = "done"
    """The task is done. output: where Robot wrote it, empty when it refused; code: Robot's; error: why."""
    CLOSED = "closed"
    """The bench is torn down. seconds: how long that took; transport: what its peer counted;
    covered: what its tests exercised."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """The first order: which bench of which lab, leased by whom, and the suites that tasks are parts of.

    descriptor holds the lock of the lease; folder is that of the run; personality and profile are as in a
    RunRequest.
    """

    lab: str
    bench: str
    lease: str
    descriptor: int
    folder: str
    personality: str | None
    profile: str | None
    datasources: list[str]
    options: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


NO_MORE: dict[str, Any] = {"end": True}
"""The last order. The orders in between are tasks: number, path and first."""
