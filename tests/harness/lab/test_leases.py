"""Leases: one holder, freed by release and by death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import LeaseTaken
from harness.lab.leases import acquire, lease_folder

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
