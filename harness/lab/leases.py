"""One bench, one lease: a lock file the kernel frees when its owner dies (flock).

The lock is named after the lab file and the bench, so two runs of one lab on one host exclude each other.
Its content says who holds it, for the message the other one reads; only the lock counts.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from harness.errors import LeaseTaken

TAKEN_SECONDS = 0.3  # how long a lock without a living holder is tried: a warden may just be removing it


def lease_folder() -> Path:
    """Where the lock files of this user live: the runtime folder of the session, else the temporary one."""
    root = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(root) / f"rcslab-{os.getuid()}"


class Lease:
    """A held lease of one bench. Release it, or die: both free it.

    Its file descriptor can be handed to a child process, which makes it its own with `claim`.
    """

    def __init__(self, path: Path, bench: str, descriptor: int) -> None:
        self.path, self.bench, self._descriptor = path, bench, descriptor

    @property
    def descriptor(self) -> int:
        """What holds the lock."""
        return self._descriptor

    def claim(self) -> None:
        """Say in the file that this process holds it."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps({"pid": os.getpid(), "since": time.time()}).encode(), 0)

    def hand_over(self) -> None:
        """Close our end of a lease that a child process was given: it is held as long as that lives."""
        os.close(self._descriptor)
        self._descriptor = -1

    def release(self) -> None:
        """Free the bench. Harmless when called twice."""
        if self._descriptor >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1
            with contextlib.suppress(OSError):  # not empty: another bench is leased
                self.path.parent.rmdir()


def lease_path(lab_file: Path, bench: str) -> Path:
    """The lock file of a bench, which need not exist."""
    key = hashlib.sha256(str(lab_file.resolve()).encode()).hexdigest()[:12]
    return lease_folder() / f"{bench}-{key}.lease"


def acquire(lab_file: Path, bench: str) -> Lease:
    """Lease a bench at once or not at all.

    Raises: LeaseTaken, naming the process that holds it and since when.
    """
    path = lease_path(lab_file, bench)
    until = time.monotonic() + TAKEN_SECONDS
    while True:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # the last holder removed the folder since
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 4096).decode("utf-8", "replace")
            os.close(descriptor)
            if not _is_alive(holder) and time.monotonic() < until:
                time.sleep(0.01)
                continue
            raise LeaseTaken(
                f"bench {bench}",
                str(lab_file),
                "a free bench",
                f"it is leased by {_describe(holder)}",
                "wait for that run, or name another bench with --bench",
            ) from None
        if _still_the_file(descriptor, path):
            break
        os.close(descriptor)  # its owner removed the file between open and lock
    lease = Lease(path, bench, descriptor)
    lease.claim()
    return lease


def acquire_free(lab_file: Path, benches: Sequence[str], count: int) -> list[Lease]:
    """Lease the first `count` of these benches that are free.

    Raises: LeaseTaken when so many are not, naming who holds the others; none is leased then.
    """
    leases: list[Lease] = []
    taken: list[LeaseTaken] = []
    for bench in benches:
        if len(leases) == count:
            break
        try:
            leases.append(acquire(lab_file, bench))
        except LeaseTaken as error:
            taken.append(error)
    if len(leases) == count:
        return leases
    for lease in leases:
        lease.release()
    if count == 1:
        raise taken[-1]
    held = ", ".join(f"{error.part}: {error.actual}" for error in taken)
    raise LeaseTaken(
        f"benches {', '.join(benches)}",
        str(lab_file),
        f"{count} free benches",
        f"{len(leases)} ({held})",
        "wait for those runs, or ask for fewer benches",
    )


def _still_the_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _is_alive(holder: str) -> bool:
    try:
        os.kill(json.loads(holder)["pid"], 0)
    except (ValueError, KeyError, TypeError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True


def _describe(holder: str) -> str:
    try:
        facts = json.loads(holder)
        since = time.strftime("%H:%M:%S", time.localtime(facts["since"]))
        return f"process {facts['pid']} since {since}"
    except (ValueError, KeyError, TypeError):
        return "another process"
