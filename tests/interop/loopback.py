"""What foreign programs of the interop tests need: a network of their own, ports, and time to get ready."""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CLONE_NEWNET = 0x40000000
ELSEWHERE = "192.0.2.1"  # on the loopback too, for programs that will not live on 127.0.0.1


@contextmanager
def own_network() -> Iterator[bool]:
    """A network namespace with a loopback for this thread, and for the threads and processes it starts.

    Where the kernel does not let us have one (no root), what runs shares the machine's loopback: False.
    """
    libc, ip = ctypes.CDLL(None, use_errno=True), shutil.which("ip")
    with Path("/proc/thread-self/ns/net").open("rb") as before:
        entered = ip is not None and libc.unshare(CLONE_NEWNET) == 0
        try:
            if entered and ip is not None:
                subprocess.run([ip, "link", "set", "lo", "up"], check=True)
                subprocess.run([ip, "address", "add", f"{ELSEWHERE}/24", "dev", "lo"], check=True)
            yield entered
        finally:
            if entered and libc.setns(before.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "cannot leave the network namespace")


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free for UDP and TCP."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(20):
        with socket.socket(family) as stream, socket.socket(family, socket.SOCK_DGRAM) as datagram:
            stream.bind((host, 0))
            port = int(stream.getsockname()[1])
            try:
                datagram.bind((host, port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free for UDP and TCP")


def is_taken(host: str, port: int, kind: socket.SocketKind) -> bool:
    """Whether somebody listens there; a connection to try would count as one of the test's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


class Program:
    """A foreign program in a folder of its own. It is ended by its process id, and what it said is kept."""

    def __init__(self, folder: Path, *command: str | Path, **environment: str) -> None:
        self.output = folder / f"{Path(command[0]).name}-{time.monotonic_ns()}.log"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.output.read_text("utf-8", "replace")

    def wait_for(self, text: str, seconds: float = 10) -> str:
        """What it said up to now, once the text is among it."""
        end = time.monotonic() + seconds
        while text not in self.said:
            self.linger(end, f"{text!r} in what it said")
        return self.said

    def wait_listening(self, host: str, port: int, kind: socket.SocketKind, seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not is_taken(host, port, kind):
            self.linger(end, f"it to listen on {host}:{port}")

    def linger(self, end: float, expected: str) -> None:
        """A moment for it to go on; AssertionError when it ended or took too long."""
        descriptor = os.pidfd_open(self.process.pid)
        try:
            ended = select.select([descriptor], [], [], 0.02)[0]
        finally:
            os.close(descriptor)
        late = time.monotonic() >= end
        if ended or late:
            self.end()
        assert not ended, f"waited for {expected}, but it ended\n{self.said[-3000:]}"
        assert not late, f"waited in vain for {expected}\n{self.said[-3000:]}"

    def write(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def ended(self, seconds: float = 20) -> int:
        """Its exit code, when it ends by itself."""
        return self.process.wait(seconds)

    def end(self, seconds: float = 5) -> None:
        """Ask it to end, and end it, with what it started: the group of processes is its own."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
