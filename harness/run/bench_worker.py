"""One bench of a run on several, in a process of its own (harness.run.bench_work does the work).

    python -m harness.run.bench_worker BENCH EVENTS

Orders come on standard input, events leave on the file descriptor EVENTS (harness.run.bench_messages). When
the input ends before the last order the run was killed: this process ends as abruptly, and wardens clean up.
That holds from the start on: what takes long to import is imported when the input is watched. BENCH is for
whoever looks at a list of processes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import Any, BinaryIO

from harness.lab.stopping import Stopped, StopSignals
from harness.run.bench_messages import NO_MORE, Assignment


class Orders:
    """Reads orders in a thread of its own, so that the end of the run is noticed whatever a test is doing."""

    def __init__(self, stream: BinaryIO) -> None:
        self._queue: SimpleQueue[dict[str, Any]] = SimpleQueue()
        threading.Thread(target=self._read, args=(stream,), daemon=True, name="orders").start()

    def next(self) -> dict[str, Any]:
        """Wait for the next order."""
        return self._queue.get()

    def _read(self, stream: BinaryIO) -> None:
        for line in stream:
            order = json.loads(line)
            self._queue.put(order)
            if order == NO_MORE:
                return
        os.kill(os.getpid(), signal.SIGKILL)


def main(argv: list[str]) -> int:
    """Run as the process of a bench."""
    descriptor = int(argv[-1])
    os.set_inheritable(descriptor, False)
    with StopSignals() as stop, os.fdopen(descriptor, "w", encoding="utf-8") as events:
        orders = Orders(sys.stdin.buffer)
        try:
            assignment = Assignment(**orders.next())
            os.set_inheritable(assignment.descriptor, False)
            from harness.run.bench_work import BenchWork

            BenchWork(assignment, orders.next, events, stop).do()
        except Stopped:
            return stop.exit_code or 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
