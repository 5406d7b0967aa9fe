"""Work nobody waits for: kept alive while it runs, heard of when it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from harness.errors import RcsLabError

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Background:
    """Tasks of one agent."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run in the background; what it raises is logged when nobody else looks at it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def cancel(self) -> None:
        """End all of it."""
        for task in tuple(self._tasks):
            task.cancel()

    async def ended(self) -> None:
        """Wait for the end of what was cancelled."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            error = task.exception()
            _log.log(logging.DEBUG if isinstance(error, RcsLabError) else logging.ERROR, "%s", error)
