"""A process that a benchmark measures from outside: its addresses, its memory, its processor time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.frame import CannotRun

END_SECONDS = 20


class ChildProcess:
    """A Python module of ours in a process of its own, for the length of a `with`.

    It says where it is reached in one line of JSON (`ready`) and ends when its standard input does.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = [sys.executable, "-m", module, *arguments]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.says()
        if line is None:
            self._end()
            raise CannotRun(f"{' '.join(self._command[2:])} did not start")
        self.ready = line
        return self

    def says(self) -> dict[str, Any] | None:
        """The next line of JSON it writes; None when it has ended without."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found: dict[str, Any] | None = json.loads(line) if line else None
        return found

    @property
    def memory(self) -> float:
        """Resident memory now, megabytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return int(fields["VmRSS"].split()[0]) * 1024 / 1e6

    @property
    def processor_seconds(self) -> float:
        """Processor time used so far."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
