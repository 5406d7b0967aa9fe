"""The process that outlives a killed run just long enough to clean up after it.

    python warden.py [--remove DIR] [--unlock FILE --owner PID] [-- PROGRAM ARGUMENT...]

It runs a program that cannot notice by itself that its parent is gone (the adb server), waits for its own
standard input to end (the parent died, however it died) or for SIGTERM, then ends the program, removes the
folder of the bench and the lease files the owner left. It imports the standard library only, to start fast.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

COMMAND = ("-I", "-S", __file__)
"""What a Python interpreter is given to be a warden: without site packages it starts sooner."""
GRACE_SECONDS = 2.0
PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> int:
    """Guard one program; returns its exit code, or 0 when there was none."""
    parser = argparse.ArgumentParser(prog="warden")
    parser.add_argument("--remove", type=Path, action="append", default=[])
    parser.add_argument("--unlock", type=Path, action="append", default=[])
    parser.add_argument("--owner", type=int, default=0)
    parser.add_argument("program", nargs="*")
    options = parser.parse_args(argv)
    # Ctrl-C reaches the whole foreground group; the parent decides when we end, by closing our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = _start(options.program) if options.program else None
    try:
        _wait_for_the_end(child)
    finally:
        code = _end(child)
        for lock in options.unlock:
            _remove_lock_of(options.owner, lock)
        for folder in options.remove:
            _remove(folder)
    return code


def _start(program: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(program, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)


def _die_with_parent() -> None:
    """A warden that is killed takes its program with it, where the kernel can do that (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_for_the_end(child: subprocess.Popen[bytes] | None) -> None:
    """Return on end of input, SIGTERM, or the death of the child."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while child is None or child.poll() is None:
            for key, _ in selector.select():
                octets = os.read(key.fd, 4096)
                if key.fd != wake and not octets:
                    return
                if key.fd == wake and signal.SIGTERM in octets:
                    return


def _end(child: subprocess.Popen[bytes] | None) -> int:
    if child is None:
        return 0
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.wait()


def _remove(folder: Path) -> None:
    """Remove a folder that others, ending at the same time, may still write to."""
    until = time.monotonic() + GRACE_SECONDS
    while folder.exists() and time.monotonic() < until:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.02)


def _remove_lock_of(owner: int, path: Path) -> None:
    """Remove the lock file that its owner left, or one that was made and not written to.

    Of a dying owner the kernel closes our pipe before its lock, so the lock may be held a moment longer.
    """
    until = time.monotonic() + GRACE_SECONDS
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR)
        try:
            while not (holder := os.read(descriptor, 4096)) or f'"pid": {owner},'.encode() in holder:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                    return
                if time.monotonic() > until:
                    return
                time.sleep(0.01)
                os.lseek(descriptor, 0, os.SEEK_SET)
        finally:
            os.close(descriptor)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
