"""Parts that die or vanish while a test runs: that test is infra, the next ones run again or are infra."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

KILLER = """
import os, signal
from pathlib import Path

def kill_process(words):
    mark = f"TMPDIR={os.environ['TMPDIR']}".encode()
    for entry in Path("/proc").iterdir():
        try:
            own = entry.name.isdigit() and mark in (entry / "environ").read_bytes()
            if own and words in (entry / "cmdline").read_bytes().replace(b"\\0", b" ").decode():
                os.kill(int(entry.name), signal.SIGKILL)
                return
        except OSError:
            continue
    raise AssertionError(words)
"""
SUITE = """
Library    {folder}/Killer.py
Test Setup    Start From A Registered Handset

*** Test Cases ***
Handset Dies
    Kill Process    devices.simulated.handset
    Send Text To Handset    nobody is there

After The Handset
    Exchange A Text Each Way

Network Simulator Dies
    Send Text From Handset    before
    Wait For Text From Handset    before
    Kill Process    instruments.simulated.network_simulator
    Wait For Text From Handset    never

After The Network Simulator
    Exchange A Text Each Way

Adb Server Dies
    Kill Process    binaries/adb -P
    Send Text From Handset    never

After The Adb Server
    Exchange A Text Each Way
"""


@pytest.fixture
def faulty(own_lab):
    (own_lab.folder / "Killer.py").write_text(KILLER)
    return own_lab


def told(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The verdicts the command printed, test by test."""
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    return [line.split("]", 1)[1].split()[0] for line in lines]


def test_what_dies_is_infra_and_the_bench_mends_itself(faulty):
    faulty.suite(SUITE.format(folder=faulty.folder))
    done = faulty.run("run", "suite.robot")
    assert told(done) == ["INFRA", "PASS"] * 3, done.stdout
    assert done.returncode == 3
    assert done.stderr == ""
    summary = faulty.summary()
    assert summary["verdicts"] == {"pass": 3, "fail": 0, "inconc": 0, "infra": 3}
    assert summary["exit_code"] == 3
    assert [finding for finding in summary["findings"] if finding["fails"]] == []
    assert summary["seconds"]["suites"] < 12
    assert "infra: simulated handset dut at pid " in done.stdout
    assert "infra: simulated network simulator at pid " in done.stdout
    # Whether its end or a connection through it is noticed first is a matter of milliseconds.
    assert "infra: adb server at " in done.stdout or "(adb server 127.0.0.1:" in done.stdout
    evidence = sorted((faulty.latest / "evidence").iterdir())
    assert len(evidence) == 6
    assert all((folder / "capture.pcapng").stat().st_size for folder in evidence)
    assert all(json.loads((folder / "findings.json").read_text()) is not None for folder in evidence)
    faulty.wait_clean()


REAL_SUITE = """
Library    {folder}/Killer.py
Test Setup    Log    no setup

*** Test Cases ***
Works
    Start From A Registered Handset
    Exchange A Text Each Way

Handset Goes And Comes Back
    Kill Process    devices.simulated.handset
    Restart    handset
    Leave Conversation
    Network Simulator Should Know Handset

Handset Is Back
    Leave Conversation
    Modem Should Know P-CSCF    127.0.0.1

Instrument Goes And Comes Back
    Kill Process    instruments.simulated
    Restart    box
    Switch Cell On

Instrument Is Back
    Restore Cell

Handset Goes
    Kill Process    devices.simulated.handset
    Leave Conversation

Handset Stays Away
    Leave Conversation
    Fail    not reached
"""
RESTART = """
import json, subprocess, sys

def restart(name):
    started = json.loads(open(name + ".json").read())
    part = subprocess.Popen(started, stdin=open("held"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert part.stdout.readline()
"""


def test_a_real_lab_reconnects_to_what_comes_back(faulty):
    """The same parts as somebody else's: the bench knows addresses only and can restart nothing."""
    folder = faulty.folder
    (folder / "Killer.py").write_text(KILLER + RESTART)
    os.mkfifo(folder / "held")
    holder = os.open(folder / "held", os.O_RDWR)
    ports = free_ports(5)
    commands = {
        "box": [
            "instruments.simulated.network_simulator",
            *options(socket=ports[0], hislip=ports[1], air=ports[2]),
        ],
        "handset": [
            *("devices.simulated.handset", "--msisdn", "+12025550102", "--imsi", "001010123456790"),
            *("--imei", "356938035643809", "--domain", "rcs.example", "--modem-link", str(folder / "tty")),
            *("--air", f"127.0.0.1:{ports[2]}", "--pcscf-port", str(ports[4])),
            *options(adb=ports[3]),
        ],
    }
    for name, command in commands.items():
        (folder / f"{name}.json").write_text(json.dumps([sys.executable, "-m", *command]))
        part = faulty.start(*command[1:], module=[sys.executable, "-m", command[0]], env=SECRET)
        assert part.stdout is not None and part.stdout.readline()
    with faulty.edited(adb=2, at=2, visa=2) as lab:
        del lab["benches"]["a"]
        bench = lab["benches"]["b"]
        bench["peer"]["port"] = ports[4]
        bench["network_simulator"]["driver"] = "cmw500"
        bench["network_simulator"]["resource"] = f"TCPIP::127.0.0.1::{ports[0]}::SOCKET"
        bench["handsets"]["dut"].update(adb=f"127.0.0.1:{ports[3]}", modem=str(folder / "tty"))
    faulty.suite(REAL_SUITE.format(folder=folder))
    done = faulty.run("run", "suite.robot", env=SECRET)
    os.close(holder)
    assert told(done) == ["PASS", "INFRA", "PASS", "INFRA", "PASS", "INFRA", "INFRA"], (
        done.stdout + done.stderr
    )
    assert done.returncode == 3
    assert faulty.summary()["seconds"]["suites"] < 25


SECRET = {"RCSLAB_SIM_PASSWORD": "simulated-handset-b"}


def options(**ports: int) -> list[str]:
    return [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
