"""What the processes of simulated parts and the peer alone share: their log, their ready line, their end.

They end on SIGTERM, on Ctrl-C and, when asked, at the end of their standard input: then their parent is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping

from harness.agent.child_process import take_over

Ready = Callable[[Mapping[str, str]], None]
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def port(text: str) -> int:
    """A port number on the command line, 0 for the kernel's choice. Raises: ValueError."""
    number = int(text)
    if not 0 <= number < 65536:
        raise ValueError
    return number


def add_process_options(parser: argparse.ArgumentParser) -> None:
    """The options every part has."""
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input ends")
    parser.add_argument("--log-level", default="INFO", choices=LOG_LEVELS)


def log_to_stderr(level: str, name: str = "") -> None:
    """Log lines with their time on standard error; name stands in each."""
    who = f"{name.replace('%', '%%')} " if name else ""
    logging.basicConfig(
        stream=sys.stderr, level=level, format=f"%(asctime)s %(levelname)s {who}%(name)s %(message)s"
    )


def say_ready(addresses: Mapping[str, str]) -> None:
    """The one line on standard output: JSON with the addresses of a part that is ready."""
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()


async def serve(run: Callable[[Ready, asyncio.Event], Awaitable[None]], *, until_stdin_closes: bool) -> None:
    """Run a part: it calls back with its addresses and serves until the event is set."""
    stop = asyncio.Event()
    set_on_stop(stop, until_stdin_closes=until_stdin_closes)
    await run(say_ready, stop)


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

    take_over()
    threading.Thread(target=read_to_the_end, name="stdin", daemon=True).start()
