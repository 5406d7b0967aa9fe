"""The process of a bench, seen from the run: started, given orders, read, ended."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from harness.lab.leases import Lease

LOG_TAIL_LINES = 5


class Lines:
    """The lines that come out of a file descriptor, as far as they are there."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.ended = descriptor, False
        self._begun = b""

    def read(self) -> list[str]:
        """What has come; this blocks unless there is something. A line that has begun waits for its end."""
        octets = os.read(self.descriptor, 1 << 20)
        self.ended = not octets
        *lines, self._begun = (self._begun + octets).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines]


class BenchProcess:
    """harness.run.bench_worker, started with a lease that it holds from then on; log takes its errors."""

    def __init__(self, lease: Lease, log: Path) -> None:
        self.bench, self.log = lease.bench, log
        log.parent.mkdir(parents=True, exist_ok=True)
        reading, writing = os.pipe()
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "harness.run.bench_worker", lease.bench, str(writing)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=(writing, lease.descriptor),
                start_new_session=True,  # Ctrl-C at a terminal is for the run, which passes it on
            )
        os.close(writing)
        lease.hand_over()
        self.events, self.console = Lines(reading), Lines(_open(self._process.stdout).fileno())

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def order(self, order: dict[str, Any]) -> None:
        """Give an order. One that ended takes none, which its events tell."""
        stream = _open(self._process.stdin)
        with contextlib.suppress(BrokenPipeError):
            stream.write(json.dumps(order).encode() + b"\n")
            stream.flush()

    def told(self) -> Iterator[dict[str, Any]]:
        """The events that have come."""
        for line in self.events.read():
            yield json.loads(line)

    def signal(self, number: int) -> None:
        """Pass a signal on."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def end(self) -> str:
        """Wait for its end; returns how it ended, for a message."""
        code = self._process.wait()
        os.close(self.events.descriptor)
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                _open(stream).close()
        tail = " | ".join(self.log.read_text("utf-8", "replace").splitlines()[-LOG_TAIL_LINES:])
        return f"code {code}; see {self.log}: {tail or 'it is empty'}"

    def kill(self) -> None:
        """End it at once; wardens clean up after it."""
        self._process.kill()


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None, "every stream of the process is a pipe"
    return stream
