"""When a process that serves a peer looks for cyclic garbage: among all objects only while it is quiet.

A full collection looks at every object there is. With the transactions of 32 s of load alive (RFC 3261
17.2.2, timer J) it stops the loop for hundreds of milliseconds, while the kernel drops datagrams. Under load
each object is looked at once, soon after it was made, and set aside when it is still in use. What a message
leaves behind goes by its reference counts; cycles that have lasted are the exception and can wait.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

from harness.agent.scheduler import Scheduler, TimerHandle

LOOK_SECONDS = 5.0
"""How often it is looked whether nothing happens."""
_YOUNG = 5_000
"""Objects made and not gone again at which they are looked at: less than a millisecond."""
_NEVER = 2**31 - 1


class CollectWhenQuiet:
    """Keeps full collections for quiet moments, from `start` to `stop`. It sets the collector of the process.

    Args: activity counts what happens; where it stood still since the last look, all is quiet.
    """

    def __init__(self, activity: Callable[[], int], scheduler: Scheduler) -> None:
        self._activity, self._scheduler = activity, scheduler
        self._before: tuple[int, int, int] | None = None
        self._timer: TimerHandle | None = None
        self._seen = self._collected_at = 0

    def start(self) -> None:
        """Take what there is now (modules, configuration) out of the collector's sight, and begin to look."""
        self._before = gc.get_threshold()
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG, _NEVER, _NEVER)
        gc.callbacks.append(_set_survivors_aside)
        self._seen = self._collected_at = self._activity()
        self._look_later()

    def stop(self) -> None:
        """Leave the collector as it was."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._before is not None:
            gc.set_threshold(*self._before)
            gc.callbacks.remove(_set_survivors_aside)
            gc.unfreeze()
            self._before = None

    def _look_later(self) -> None:
        self._timer = self._scheduler.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        now = self._activity()
        if now == self._seen and now != self._collected_at:
            self._collected_at = now
            gc.unfreeze()
            gc.collect()
        self._seen = now
        self._look_later()


def _set_survivors_aside(phase: str, _: dict[str, int]) -> None:
    if phase == "stop":
        gc.freeze()
