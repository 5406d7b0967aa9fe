"""The processes of a lab: started by the bench, one log each, ended with it.

Every child holds the reading end of a pipe whose writing end only we hold: when we die, however we die, it
reads end of file and ends itself.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ChildDied
from harness.lab import warden

GRACE_SECONDS = 1.5
LOG_TAIL_LINES = 5


class Child:
    """One process of the lab.

    Args: name is how messages call it; argv what to run; log the file its standard error goes to; environment
    is added to ours (secrets travel here, never in argv, which everybody can read).
    """

    def __init__(
        self, name: str, argv: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.argv, self.log = name, tuple(argv), log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def check(self) -> None:
        """Raises: ChildDied when it ended before its time."""
        code = self._process.poll()
        if code is not None:
            raise self._died(f"it ended with code {code}")

    def read_ready(self, seconds: float) -> dict[str, Any]:
        """The one JSON line a simulated part prints when it is ready.

        Raises: ChildDied when it ends or stays silent, with the end of its log.
        """
        assert self._process.stdout is not None
        deadline, line = time.monotonic() + seconds, b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise self._died(f"silence for {seconds:g} s")
                piece = os.read(self._process.stdout.fileno(), 65536)
                if not piece:
                    raise self._died(f"it ended with code {self._process.wait()}")
                line += piece
        try:
            ready = json.loads(line)
        except ValueError:
            raise self._died(f"the line {line[:80]!r}") from None
        if not isinstance(ready, dict):
            raise self._died(f"the line {line[:80]!r}")
        return ready

    def _died(self, actual: str) -> ChildDied:
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        tail = " | ".join(text.splitlines()[-LOG_TAIL_LINES:]) or "its log is empty"
        return ChildDied(
            self.name,
            f"pid {self.pid}",
            "a running process that reports ready",
            actual,
            f"see {self.log}: {tail}",
        )

    def stop(self) -> None:
        """End it: closed input, SIGTERM, and after a grace SIGKILL. Harmless when it is gone."""
        self.ask_to_stop()
        self.wait_stopped()

    def ask_to_stop(self) -> None:
        """Begin the end without waiting for it, so that several children end at the same time."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        if self.alive:
            self._process.terminate()

    def wait_stopped(self) -> None:
        """Wait out the grace, then kill."""
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def warden_process(log: Path, leases: Sequence[Path], *folders: Path) -> Child:
    """A process that removes folders and our leases when we are killed (harness.lab.warden)."""
    argv = [sys.executable, *warden.COMMAND, "--owner", str(os.getpid())]
    for folder in folders:
        argv += ["--remove", str(folder)]
    for lease in leases:
        argv += ["--unlock", str(lease)]
    return Child("warden", argv, log)
