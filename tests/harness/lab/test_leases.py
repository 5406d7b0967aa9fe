"""Leases: one holder, freed by release and by death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import LeaseTaken
from harness.lab.leases import Lease, acquire, acquire_free, lease_folder

HOLD = """
import sys, pathlib
from harness.lab.leases import acquire
acquire(pathlib.Path(sys.argv[1]), "a")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def test_a_bench_is_leased_once_and_free_after_release(tmp_path: Path):
    lab = tmp_path / "lab.yaml"
    lease = acquire(lab, "a")
    with pytest.raises(LeaseTaken, match=f"process {os.getpid()} since .*--bench"):
        acquire(lab, "a")
    acquire(lab, "b").release()
    lease.release()
    acquire(lab, "a").release()
    assert not lease_folder().exists()


def test_the_kernel_frees_the_lease_of_a_killed_process(tmp_path: Path):
    lab = tmp_path / "lab.yaml"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lab)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    with pytest.raises(LeaseTaken, match=f"process {holder.pid}"):
        acquire(lab, "a")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    acquire(lab, "a").release()
    holder.stdout.close()
    assert holder.stdin is not None
    holder.stdin.close()


def test_so_many_free_benches_are_leased_and_no_more(tmp_path: Path):
    lab = tmp_path / "lab.yaml"
    taken = acquire(lab, "a")
    leases = acquire_free(lab, ["a", "b", "c", "d"], 2)
    assert [lease.bench for lease in leases] == ["b", "c"]
    acquire(lab, "d").release()
    for lease in (taken, *leases):
        lease.release()


def test_too_few_free_benches_are_told_and_none_stays_leased(tmp_path: Path):
    lab = tmp_path / "lab.yaml"
    taken = acquire(lab, "b")
    words = (
        rf"benches a, b at .* expected 2 free benches, got 1 \(bench b: it is leased by process {os.getpid()}"
    )
    with pytest.raises(LeaseTaken, match=words):
        acquire_free(lab, ["a", "b"], 2)
    acquire(lab, "a").release()
    taken.release()


TAKE_OVER = """
import sys, pathlib
from harness.lab.leases import Lease
lease = Lease(pathlib.Path(sys.argv[1]), "a", int(sys.argv[2]))
lease.claim()
print("mine", flush=True)
sys.stdin.read()
lease.release()
"""


def test_a_lease_that_is_handed_over_is_held_and_named_by_the_child(tmp_path: Path):
    lab = tmp_path / "lab.yaml"
    lease = acquire(lab, "a")
    child = subprocess.Popen(
        [sys.executable, "-c", TAKE_OVER, str(lease.path), str(lease.descriptor)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[lease.descriptor],
    )
    lease.hand_over()
    assert child.stdout is not None and child.stdin is not None
    child.stdout.readline()
    with pytest.raises(LeaseTaken, match=f"process {child.pid} since"):
        acquire(lab, "a")
    child.communicate()
    again = acquire(lab, "a")
    assert isinstance(again, Lease)
    again.release()
