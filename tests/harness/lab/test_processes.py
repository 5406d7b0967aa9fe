"""Children of the lab: ready line, early death, stop, and the warden that outlives a killed parent."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import ChildDied
from harness.lab import warden
from harness.lab.processes import Child


def child(tmp_path: Path, code: str) -> Child:
    return Child("part", [sys.executable, "-c", code], tmp_path / "part.log")


def test_the_ready_line_is_read(tmp_path: Path):
    part = child(tmp_path, 'import sys; print(\'{"adb": "x"}\', flush=True); sys.stdin.read()')
    assert part.read_ready(10) == {"adb": "x"}
    part.check()
    part.stop()
    assert not part.alive


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; sys.exit('boom')", "ended with code 1.*boom"),
        ("print('hello', flush=True); input()", "hello"),
        ("print('[1]', flush=True); input()", r"\[1\]"),
        ("input()", "silence for 0.5 s"),
    ],
)
def test_a_part_that_does_not_get_ready_is_named_with_its_log(tmp_path: Path, code: str, words: str):
    part = child(tmp_path, code)
    with pytest.raises(ChildDied, match=words):
        part.read_ready(0.5 if "silence" in words else 10)
    part.stop()


def test_a_part_that_ignores_everything_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("harness.lab.processes.GRACE_SECONDS", 0.2)
    code = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('{}', flush=True)\nwhile True: signal.pause()"
    )
    part = child(tmp_path, code)
    part.read_ready(10)
    part.stop()
    assert not part.alive


def test_the_warden_ends_its_program_and_removes_the_folder_when_its_parent_is_killed(tmp_path: Path):
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "ttyLAB0").touch()
    lock = tmp_path / "a.lease"
    lock.touch()
    program = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]
    argv = [sys.executable, warden.__file__, "--remove", str(folder), "--unlock", str(lock), "--", *program]
    parent_code = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen({argv!r}, stdin=subprocess.PIPE)\n"
        "print(p.pid, flush=True)\ntime.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", parent_code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pids = [int(parent.stdout.readline()), int(parent.stdout.readline())]
    descriptors = [os.pidfd_open(pid) for pid in pids]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    for descriptor in descriptors:
        assert select.select([descriptor], [], [], 10)[0], "still running after its parent was killed"
        os.close(descriptor)
    assert not folder.exists()
    assert not lock.exists()
    parent.stdout.close()


def test_the_warden_returns_the_code_of_its_program(tmp_path: Path):
    guarded = [sys.executable, "-c", "raise SystemExit(3)"]
    done = subprocess.Popen([sys.executable, warden.__file__, "--", *guarded], stdin=subprocess.PIPE)
    assert done.wait(10) == 3
    assert done.stdin is not None
    done.stdin.close()
