"""Calls into a loop of another thread, and how they end early."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import threading
import time
import warnings

import pytest

from harness.agent.loop_thread import LoopThread

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")


class Forever:
    """A coroutine that tells whether it runs and whether it was cancelled."""

    def __init__(self) -> None:
        self.started, self.cancelled = threading.Event(), threading.Event()

    async def run(self) -> None:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def value() -> str:
    return threading.current_thread().name


async def failure() -> None:
    raise KeyError("mine")


def test_a_call_returns_or_raises_what_the_coroutine_does_in_the_other_thread() -> None:
    with LoopThread("bench-1") as loop:
        assert loop.call(value(), 1) == "bench-1"
        with pytest.raises(KeyError, match="mine"):
            loop.call(failure(), 1)


def test_a_timeout_of_the_coroutine_itself_is_not_ours() -> None:
    async def own() -> None:
        raise TimeoutError("its own")

    with LoopThread() as loop, pytest.raises(TimeoutError, match="its own"):
        loop.call(own(), 1)


def test_after_the_timeout_the_coroutine_is_cancelled() -> None:
    with LoopThread() as loop:
        forever = Forever()
        with pytest.raises(TimeoutError, match=r"Forever\.run did not end within 0\.05 s"):
            loop.call(forever.run(), 0.05)
        assert forever.cancelled.is_set()


def test_a_coroutine_that_fails_while_cancelled_leaves_nothing_behind() -> None:
    async def spiteful() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("while cleaning up")

    with LoopThread() as loop:
        with pytest.raises(TimeoutError):
            loop.call(spiteful(), 0.05)
        assert loop.call(value(), 1)
        gc.collect()


def test_an_exception_injected_into_the_waiting_thread_cancels_the_coroutine() -> None:
    """As Robot's [Timeout] does: a signal handler that raises in the main thread."""

    def strike(number: int, frame: object) -> None:
        raise InterruptedError("Test timeout 50 milliseconds exceeded.")

    before = signal.signal(signal.SIGALRM, strike)
    try:
        with LoopThread() as loop:
            forever = Forever()
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(InterruptedError):
                loop.call(forever.run(), 30)
            assert forever.cancelled.is_set()
            assert loop.call(value(), 1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_exception_before_the_loop_took_the_coroutine_closes_it_unstarted() -> None:
    with LoopThread() as loop, warnings.catch_warnings():
        warnings.simplefilter("error")
        hold, release = threading.Event(), threading.Event()

        async def block() -> None:
            hold.set()
            release.wait(5)

        blocker = threading.Thread(target=loop.call, args=(block(), 5))
        blocker.start()
        hold.wait(5)
        forever = Forever()
        with pytest.raises(TimeoutError):
            loop.call(forever.run(), 0.01)
        release.set()
        blocker.join()
        assert loop.call(value(), 1)
        gc.collect()
        assert forever.started.is_set() is forever.cancelled.is_set()


def test_close_cancels_what_is_left_and_joins_within_a_second() -> None:
    loop = LoopThread()
    loop.start()
    forever = Forever()
    raised: list[BaseException] = []

    def call() -> None:
        try:
            loop.call(forever.run(), 30)
        except BaseException as error:  # noqa: BLE001 - which one it is, is the question
            raised.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    forever.started.wait(5)
    began = time.monotonic()
    loop.close()
    assert time.monotonic() - began < 1
    caller.join(5)
    assert forever.cancelled.is_set()
    assert isinstance(raised[0], asyncio.CancelledError | RuntimeError)
    loop.close()


def test_close_leaves_a_task_behind_that_does_not_let_itself_be_cancelled(caplog) -> None:
    async def stubborn() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    loop = LoopThread()
    loop.start()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        loop.call(stubborn(), 0.01)
    loop.close()
    assert time.monotonic() - began < 2
    assert "does not let itself be cancelled" in caplog.text


def test_a_call_needs_a_running_loop_and_another_thread() -> None:
    loop = LoopThread()
    with pytest.raises(RuntimeError):
        loop.call(value(), 1)
    with loop:

        async def within() -> None:
            loop.call(value(), 1)

        with pytest.raises(RuntimeError, match="another thread"):
            loop.call(within(), 1)
        loop.start()
        assert loop.call(value(), 1)
    with pytest.raises(RuntimeError):
        loop.call(value(), 1)


def test_a_loop_can_be_started_again_and_asks_for_uvloop_in_vain(caplog) -> None:
    loop = LoopThread(uvloop=True)
    for _ in range(2):
        with loop:
            assert loop.call(value(), 1)
