"""The process of a simulated handset: its ready line, its ends, its options, and what it never tells."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from adbutils import AdbClient

from devices.adb_server import AdbServer
from devices.simulated.defects import PROPERTY

K = "465b5ce8b199b49faa5f0a2ee238a6bc"
OPC = "cd63cb71954a9f4e48a5994e37a02baf"
SECRETS = {"RCSLAB_SIM_K": K, "RCSLAB_SIM_OPC": OPC, "RCSLAB_SIM_PASSWORD": "geheim-7731"}
COMMAND = [sys.executable, "-m", "harness.cli", "simulate", "handset"]
PROMPTLY = 0.5

Start = Callable[..., "Process"]


class Process:
    """One handset process and its ready line."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.link = folder / "ttyHANDSET"
        self.log = folder / "stderr.log"
        with self.log.open("wb") as log:
            self.child = subprocess.Popen(
                [*COMMAND, "--modem-link", str(self.link), "--log-level", "DEBUG", *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | SECRETS,
            )
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        assert line, self.logged
        self.ready = json.loads(line)

    @property
    def logged(self) -> str:
        return self.log.read_text(errors="replace")

    def ends_within(self, seconds: float) -> int:
        """Its exit status. Raises when it takes longer."""
        return self.child.wait(seconds)

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Process] = []

    def begin(*options: str) -> Process:
        started.append(Process(tmp_path, *options))
        return started[-1]

    yield begin
    for process in started:
        process.close()


def test_the_ready_line_names_adb_modem_and_serial(start: Start) -> None:
    process = start("--imei", "490154203237518")
    assert set(process.ready) == {"adb", "modem", "serial"}
    assert re.fullmatch(r"127\.0\.0\.1:\d+", process.ready["adb"])
    assert process.ready["modem"] == str(process.link)
    assert process.link.is_symlink()
    assert process.link.readlink().is_char_device()
    assert process.ready["serial"] == "SIM03237518"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_promptly_and_cleanly(start: Start, number: signal.Signals) -> None:
    process = start()
    began = time.monotonic()
    process.child.send_signal(number)
    assert process.ends_within(5) == 0
    assert time.monotonic() - began < PROMPTLY
    assert not process.link.is_symlink()
    assert "Traceback" not in process.logged


def test_the_end_of_stdin_ends_it_when_asked(start: Start) -> None:
    process = start("--until-stdin-closes")
    assert process.child.stdin is not None
    began = time.monotonic()
    process.child.stdin.close()
    assert process.ends_within(5) == 0
    assert time.monotonic() - began < PROMPTLY
    assert not process.link.is_symlink()


def test_the_end_of_stdin_means_nothing_otherwise(start: Start) -> None:
    process = start()
    assert process.child.stdin is not None
    process.child.stdin.close()
    with pytest.raises(subprocess.TimeoutExpired):
        process.ends_within(0.3)


def test_no_secret_is_told(start: Start) -> None:
    process = start("--name", "dut")
    argv = Path(f"/proc/{process.child.pid}/cmdline").read_text()
    process.child.terminate()
    process.ends_within(5)
    for secret in SECRETS.values():
        assert secret not in argv
        assert secret not in process.logged
        assert repr(bytes.fromhex(K))[2:-1] not in process.logged
    assert " dut " in process.logged


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--nonsense"], "--nonsense"),
        (["--transport", "sctp"], "sctp"),
        (["--personality", "nobody"], "reference, samsung-ims-5.0"),
        (["--defect", "nonsense"], "contact_in_message"),
        (["--air", "nowhere"], "HOST:PORT"),
        (["--pcscf-port", "70000"], "70000"),
        (["--imei", "12"], "IMEI"),
        (["--imsi", "x"], "IMSI"),
        (["--msisdn", "0170"], "E.164"),
        (["--log-level", "LOUD"], "LOUD"),
    ],
)
def test_a_wrong_option_is_status_2_and_says_why(tmp_path: Path, options: list[str], told: str) -> None:
    link = tmp_path / "tty"
    done = subprocess.run(
        [*COMMAND, "--modem-link", str(link), *options],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not link.is_symlink()


@pytest.mark.parametrize("name", list(SECRETS)[:2])
def test_a_key_that_is_none_is_refused_without_being_told(tmp_path: Path, name: str) -> None:
    environment = os.environ | SECRETS | {name: "465b5ce8-not-hex"}
    done = subprocess.run(
        [*COMMAND, "--modem-link", str(tmp_path / "tty")],
        capture_output=True, text=True, timeout=20, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 2
    assert name in done.stderr
    assert "465b5ce8" not in done.stderr


def test_defects_are_switched_by_setprop(start: Start, adb_server: AdbServer) -> None:
    process = start()
    adb_server.connect(process.ready["adb"])
    shell = AdbClient("127.0.0.1", adb_server.port).device(process.ready["adb"]).shell
    for value in ("imdn_twice,no_to_tag", "nonsense", ""):
        shell(["setprop", PROPERTY, value])
        assert shell(["getprop", PROPERTY]) == value
    process.child.terminate()
    process.ends_within(5)
    told = re.findall(r"defects: (.*)", process.logged)
    assert told == ["imdn_twice, no_to_tag", "imdn_twice, no_to_tag", "none"]
    assert "no defect nonsense" in process.logged
