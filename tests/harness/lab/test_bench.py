"""Bring-up on a broken lab: which part, where, what was expected, what came, what to do; and nothing left."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from harness.errors import AddressTaken, HandsetLost, InstrumentLost, LabError, SerialPortLost
from harness.lab.bench import Bench
from harness.lab.model import load_lab

SHORT = {"bring_up": 5, "adb": 1, "at": 1, "visa": 0.5, "cell": 2}


@contextmanager
def taken(kind: int) -> Iterator[int]:
    """A port that somebody else has."""
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        yield holder.getsockname()[1]


def open_bench(here) -> Bench:
    return Bench.lease_and_open(load_lab(here.file), "a", here.folder / "logs")


def refused(here, within: float = 6.0) -> LabError:
    """What bring-up raises; afterwards nothing of it is left."""
    began = time.monotonic()
    with pytest.raises(LabError) as caught:
        open_bench(here)
    assert time.monotonic() - began < within
    here.wait_clean()
    error = caught.value
    assert error.expected and error.actual and error.remedy
    assert str(error) == (
        f"{error.part} at {error.address}: expected {error.expected}, got {error.actual}; {error.remedy}"
    )
    return error


def dut(lab: dict[str, Any]) -> dict[str, Any]:
    part = lab["benches"]["a"]["handsets"]["dut"]
    assert isinstance(part, dict)
    return part


def test_a_bench_comes_up_and_goes_without_a_trace(here):
    with here.edited() as lab:
        lab["limits"] = {"sip": {"headers": 77}}
    bench = open_bench(here)
    try:
        assert bench.peer.config.limits.sip.fields == 77
        assert bench.handset().android.state() == "device"
        assert bench.handset().modem is not None
        bench.look_closely()
        assert len(here.files()) > 1
    finally:
        bench.close()
    bench.close()
    here.wait_clean()


@pytest.mark.parametrize(
    ("script", "actual"),
    [("echo cannot bind >&2; exit 1", "exit code 1: cannot bind"), ("exec sleep 60", "Connection refused")],
)
def test_an_adb_server_that_does_not_start(here, monkeypatch, script, actual):
    program = here.folder / "adb"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr("devices.adb_server.bundled_adb", lambda: program)
    with here.edited(**SHORT | {"bring_up": 1}):
        pass
    error = refused(here)
    assert error.part == "adb server"
    assert error.address.startswith("127.0.0.1:")
    assert actual in error.actual
    assert str(here.folder / "logs") in error.remedy


def test_an_adb_that_is_not_there(here, monkeypatch, tmp_path):
    monkeypatch.setattr("devices.adb_server.bundled_adb", lambda: tmp_path / "none")
    error = refused(here)
    assert error.part == "adb server"


def test_a_handset_that_is_not_there(here):
    with here.edited(**SHORT) as lab:
        dut(lab).update(adb="R58M000NONE", modem=None)
    error = refused(here)
    assert isinstance(error, HandsetLost)
    assert error.address.startswith("R58M000NONE (adb server 127.0.0.1:")
    assert (error.expected, error.actual) == ("state device", "absent for 1 s")
    assert "check cable, power" in error.remedy


def test_a_handset_over_tcp_that_nobody_answers_for(here):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with here.edited(**SHORT) as lab:
        dut(lab).update(adb=address, modem=None)
    error = refused(here)
    assert (error.part, error.address) == ("handset", address)
    assert "adbd" in error.remedy


def test_a_handset_that_never_gets_online(here):
    """A port that takes the connection and says nothing: adb calls that offline."""
    with taken(socket.SOCK_STREAM) as port:
        with here.edited(**SHORT) as lab:
            dut(lab).update(adb=f"127.0.0.1:{port}", modem=None)
        error = refused(here)
    assert error.part == "handset"
    assert error.address.startswith(f"127.0.0.1:{port}")


def test_a_modem_port_that_is_not_there(here):
    with here.edited(**SHORT) as lab:
        dut(lab).update(modem=str(here.folder / "ttyUSB9"))
    error = refused(here)
    assert isinstance(error, SerialPortLost)
    assert error.address == str(here.folder / "ttyUSB9")
    assert "No such file" in error.actual


def test_a_modem_port_that_says_nothing(here):
    leader, follower = os.openpty()
    try:
        with here.edited(**SHORT) as lab:
            dut(lab).update(modem=os.ttyname(follower))
        error = refused(here, within=15)
    finally:
        os.close(leader)
        os.close(follower)
    assert isinstance(error, SerialPortLost)
    assert "silence" in error.actual


def test_an_instrument_that_refuses(here):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        resource = f"TCPIP::127.0.0.1::{free.getsockname()[1]}::SOCKET"
    with here.edited(**SHORT) as lab:
        lab["benches"]["a"]["network_simulator"]["resource"] = resource
    error = refused(here)
    assert isinstance(error, InstrumentLost)
    assert error.address == resource


def test_an_instrument_that_is_silent(here):
    with taken(socket.SOCK_STREAM) as port:
        with here.edited(**SHORT) as lab:
            lab["benches"]["a"]["network_simulator"]["resource"] = f"TCPIP::127.0.0.1::{port}::SOCKET"
        error = refused(here)
    assert isinstance(error, InstrumentLost)
    assert (error.expected, error.actual) == ("a reply to *IDN? within 0.5 s", "silence")


@pytest.mark.parametrize(("kind", "name"), [(socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")])
def test_a_pcscf_port_that_is_taken(here, kind, name):
    with taken(kind) as port:
        with here.edited(**SHORT) as lab:
            lab["benches"]["a"]["peer"]["port"] = port
        error = refused(here)
    assert isinstance(error, AddressTaken)
    assert f"127.0.0.1:{port}" in error.address
    assert name in str(error)


def test_a_simulated_part_that_does_not_start(here, monkeypatch):
    monkeypatch.setattr(
        "harness.lab.simulation._module", lambda name: ["/bin/sh", "-c", "echo no >&2; exit 7"]
    )
    error = refused(here)
    assert error.part == "simulated network simulator"
    assert "code 7" in error.actual
    assert error.remedy.endswith(": no")


def test_a_bench_that_is_in_use(here):
    bench = open_bench(here)
    try:
        with pytest.raises(LabError, match=rf"leased by process {os.getpid()} since"):
            open_bench(here)
        bench.look_closely()
    finally:
        bench.close()
    here.wait_clean()


def test_the_run_of_a_broken_lab_is_infra(here, rcslab):
    with here.edited(**SHORT) as lab:
        dut(lab).update(modem="/dev/nothing")
    here.suite("*** Test Cases ***\nOne\n    Log    one\n")
    said = rcslab("run", "suite.robot")
    assert said.code == 3
    assert said.errors.startswith("rcslab: infra: modem port at /dev/nothing: expected the port to open, got")
    summary = here.summary()
    assert (summary["verdicts"]["infra"], summary["exit_code"]) == (1, 3)
    assert summary["infra"] in said.errors
    here.wait_clean()


def test_a_restart_gives_a_bench_that_works_again(here):
    bench = open_bench(here)
    try:
        before = bench.handset().android.serial
        pids = [pid for pid, command in here.processes().items() if "devices.simulated.handset" in command]
        for pid in pids:
            os.kill(pid, 9)
        with pytest.raises(LabError, match="simulated handset dut"):
            while True:
                bench.watch()
        bench.mend()
        assert bench.handset().android.serial != before
        bench.look_closely()
    finally:
        bench.close()
    here.wait_clean()


def test_a_bench_that_cannot_be_mended_is_given_up(here, monkeypatch):
    bench = open_bench(here)
    tries = []
    try:
        for pid, command in here.processes().items():
            if "network_simulator" in command:
                os.kill(pid, 9)
        monkeypatch.setattr(
            "harness.lab.simulation._module", lambda name: tries.append(name) or ["/bin/sh", "-c", "exit 7"]
        )
        with pytest.raises(LabError):
            while True:
                bench.watch()
        for _ in range(5):
            with pytest.raises(LabError, match="code 7"):
                bench.mend()
        assert len(tries) == 3
    finally:
        bench.close()
    here.wait_clean()
