"""The simulated network simulator as a process: start, ready line, ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time

import pytest

from instruments.simulated.network_simulator import main


def start(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "instruments.simulated.network_simulator", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ready_line_names_three_ports_that_answer() -> None:
    with start() as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        assert set(addresses) == {"visa_socket", "visa_hislip", "air"}
        host, port = addresses["air"].rsplit(":", 1)
        with socket.create_connection((host, int(port)), 5) as connection:
            assert connection.recv(100) == b'{"type": "no-cell"}\n'
        process.terminate()
        process.communicate(timeout=5)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "stdin"])
def test_it_ends_cleanly_and_at_once(how: str) -> None:
    process = start("--until-stdin-closes")
    assert process.stdout is not None and process.stdin is not None
    addresses = json.loads(process.stdout.readline())
    host, port = addresses["air"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.recv(100)
        begin = time.monotonic()
        if how == "stdin":
            process.stdin.close()
            process.stdin = None
        else:
            process.send_signal(getattr(signal, how))
        assert process.wait(5) == 0
        assert time.monotonic() - begin < 0.5
    _, errors = process.communicate(timeout=5)
    assert "Traceback" not in errors


def test_a_taken_port_is_said_and_nothing_is_printed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start("--socket-port", str(taken.getsockname()[1]))
        out, errors = process.communicate(timeout=10)
    assert process.returncode == 3
    assert out == ""
    assert "cannot listen" in errors


def test_it_needs_neither_pyvisa_nor_robot() -> None:
    program = (
        "import sys, instruments.simulated.network_simulator\n"
        "print([m for m in ('pyvisa', 'robot', 'serial', 'lxml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_wrong_option_is_exit_status_two() -> None:
    with pytest.raises(SystemExit) as end:
        main(["--no-such-option"])
    assert end.value.code == 2
