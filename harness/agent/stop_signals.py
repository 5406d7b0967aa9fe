"""When a process of the lab has to end: SIGTERM, Ctrl-C, or the end of its input (its parent is gone)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading


def set_on_stop(stop: asyncio.Event, *, until_stdin_closes: bool) -> None:
    """Set `stop` on SIGTERM, on SIGINT and, when asked, at the end of standard input."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if not until_stdin_closes:
        return

    def read_to_the_end() -> None:
        # A thread, because standard input may be a file or /dev/null, which no event loop can watch.
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=read_to_the_end, name="stdin", daemon=True).start()
