"""Our own adb server: started, answered, ended; faults named."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import pytest

from devices.adb_server import AdbServer, ask_server, free_port
from harness.errors import ChildDied, LabError


def test_it_answers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    server = AdbServer(tmp_path)
    server.start()
    pid = server.pid
    assert pid is not None and server.port != 5037
    assert int(ask_server(server.port, "host:version", 5), 16) >= 41
    server.stop()
    assert server.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert (tmp_path / ".android" / "adbkey").exists()


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(ChildDied, match=r"adb server at 127\.0\.0\.1:\d+: expected a running process"):
            AdbServer(tmp_path, port=holder.getsockname()[1]).start(5)


def test_the_users_port_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="5037"):
        AdbServer(tmp_path, port=5037)


def test_a_binary_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="check the adb binary"):
        AdbServer(tmp_path, adb=tmp_path / "adb").start(2)


def test_a_binary_that_hangs_is_ended_at_the_deadline(tmp_path: Path) -> None:
    script = tmp_path / "adb"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o755)
    server = AdbServer(tmp_path, adb=script)
    began = time.monotonic()
    with pytest.raises(LabError, match="expected an answer to host:version"):
        server.start(0.5)
    assert time.monotonic() - began < 5
    assert server.pid is None


def test_the_command_can_be_wrapped(tmp_path: Path) -> None:
    wrapper = tmp_path / "wrap.py"
    wrapper.write_text(
        "import os, sys\n"
        "open('wrapped', 'w').write(' '.join(sys.argv[1:]))\nos.execv(sys.argv[1], sys.argv[1:])"
    )
    with AdbServer(tmp_path, prefix=[sys.executable, str(wrapper)]) as server:
        assert server.pid is not None
        assert (tmp_path / "wrapped").read_text().endswith(f"-P {server.port} nodaemon server")


def test_an_address_nobody_listens_on(tmp_path: Path) -> None:
    with AdbServer(tmp_path) as server, pytest.raises(LabError, match="is the handset's adbd listening"):
        server.connect(f"127.0.0.1:{free_port()}", 0.5)
