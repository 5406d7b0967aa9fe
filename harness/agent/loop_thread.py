"""An event loop in a thread of its own, called from threads that have none (Robot's keywords)."""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
CLOSE_SECONDS = 1.0  # how long close() takes at most
CANCEL_SECONDS = 0.6  # how long a cancelled coroutine may take to clean up
# A caller wakes this often, so that an exception injected into its thread is raised although it waits.
WAKE_SECONDS = 0.05
_log = logging.getLogger(__name__)


class LoopThread:
    """A daemon thread that runs one event loop.

    Args: name of the thread. uvloop asks for that loop where it is installed.
    """

    def __init__(self, name: str = "rcslab-loop", *, uvloop: bool = False) -> None:
        self._name, self._uvloop = name, uvloop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def running(self) -> bool:
        """Whether calls can be made."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread. Does nothing when it runs already."""
        if self.running:
            return
        self._loop = new_loop(self._uvloop)
        self._thread = threading.Thread(target=_run, args=(self._loop,), name=self._name, daemon=True)
        self._thread.start()

    def call(
        self, coroutine: Coroutine[Any, Any, T], timeout: float, *, watch: Callable[[], None] | None = None
    ) -> T:
        """Run a coroutine in the loop and return what it returns; raise what it raises.

        After `timeout` seconds the coroutine is cancelled and TimeoutError raised. Any other exception that
        strikes the waiting thread (Robot's [Timeout], Ctrl-C) cancels it too; watch is called now and then
        while it waits and may raise one. Raises RuntimeError when the loop does not run or when called from
        its own thread.
        """
        loop = self._loop
        if loop is None or not self.running or threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError(f"{self._name}: a call needs a running loop and another thread")
        job = _Job(coroutine)
        try:
            loop.call_soon_threadsafe(job.start)
            if not self._wait(job, timeout, watch):
                raise TimeoutError(f"{_name_of(coroutine)} did not end within {timeout:g} s")
        except BaseException:
            self._cancel(loop, job)
            raise
        return job.result()

    def close(self) -> None:
        """Cancel what still runs and end the thread, within a second. May be called twice."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = self._thread = None
        if thread is threading.current_thread():
            raise RuntimeError(f"{self._name} cannot be closed from its own thread")
        if thread.is_alive():
            loop.call_soon_threadsafe(loop.stop)
            thread.join(CLOSE_SECONDS)
        if thread.is_alive():
            _log.error("%s: a callback blocks the loop; the thread is left behind", self._name)

    def _wait(self, job: _Job[Any], timeout: float, watch: Callable[[], None] | None) -> bool:
        """Whether the job ended in time."""
        deadline = time.monotonic() + timeout
        while not job.ended.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if not self.running:
                raise RuntimeError(f"{self._name} was closed")
            if not job.ended.wait(min(left, WAKE_SECONDS)) and watch is not None:
                watch()
        return True

    def _cancel(self, loop: asyncio.AbstractEventLoop, job: _Job[Any]) -> None:
        """Cancel a job and give it a moment to clean up."""
        if job.ended.is_set():
            return
        try:
            loop.call_soon_threadsafe(job.cancel)
        except RuntimeError:  # the loop is closed: it has cancelled what had started
            job.discard()
        job.ended.wait(CANCEL_SECONDS)


class _Job(Generic[T]):
    """A coroutine on its way into the loop. It exists before the loop knows of it: cancel() always works."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None
        self._cancelled = False
        self.ended = threading.Event()

    def start(self) -> None:
        if self._cancelled:
            return
        self._task = asyncio.get_running_loop().create_task(self._coroutine)
        self._task.add_done_callback(self._done)

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        else:
            self.discard()

    def discard(self) -> None:
        """Close a coroutine that has not started."""
        self._cancelled = True
        if self._task is None:
            self._coroutine.close()
        self.ended.set()

    def result(self) -> T:
        assert self._task is not None
        return self._task.result()

    def _done(self, task: asyncio.Task[T]) -> None:
        if not task.cancelled():
            task.exception()  # marks it as looked at: a caller who gave up does not ask for it
        self.ended.set()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        _cancel_all(loop)
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        _, stubborn = loop.run_until_complete(asyncio.wait(tasks, timeout=CANCEL_SECONDS))
        for task in stubborn:
            _log.error("a task does not let itself be cancelled: %r", task)


def new_loop(uvloop: bool) -> asyncio.AbstractEventLoop:
    """An event loop: that of uvloop when asked for and installed, else that of asyncio."""
    if uvloop:
        try:
            loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
        except ImportError:
            _log.info("uvloop is not installed, the loop of asyncio is used")
        else:
            return loop
    return asyncio.new_event_loop()


def _name_of(coroutine: Coroutine[Any, Any, Any]) -> str:
    return getattr(coroutine, "__qualname__", repr(coroutine))
