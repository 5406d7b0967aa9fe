"""A run from outside: what it leaves, how it is ended, and that nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.agent.metrics import Counter

HOME = Path(__file__).resolve().parents[3]
SUITE = """
Test Setup    Start From A Registered Handset

*** Test Cases ***
Passes
    Exchange A Text Each Way

Fails By A Keyword
    Send Text From Handset    one
    Wait For Text From Handset    another    timeout=200 ms

Fails By A Finding
    Set Handset Property    debug.rcslab.defects    no_max_forwards
    Send Text From Handset    two
    Wait For Text From Handset    two

Is Skipped
    Skip    not today
"""
LONG = """
*** Test Cases ***
First
    Handset Is Registered
    Send Text From Handset    first
    Wait For Text From Handset    first

Long
    Log To Console    waiting
    Wait For Text From Handset    never    timeout=40 s
    [Teardown]    Leave Conversation

After
    Log    not reached
"""
SECRETS = HOME / "devices" / "simulated" / "sim.env"


def secrets() -> list[str]:
    lines = SECRETS.read_text("utf-8").splitlines()
    return [line.partition("=")[2] for line in lines if "=" in line and not line.startswith("#")]


def wait_for_line(process: subprocess.Popen[str], words: str) -> None:
    """Read standard output up to a line with these words."""
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"{words!r} did not come")


def test_what_a_run_leaves(own_lab):
    own_lab.suite(SUITE)
    done = own_lab.run("run", "suite.robot", "--variable", "UNUSED:1")
    assert done.returncode == 1, done.stdout + done.stderr
    run = own_lab.latest
    assert {path.name for path in run.iterdir()} >= {
        "output.xml",
        "log.html",
        "report.html",
        "junit.xml",
        "summary.json",
        "evidence",
        "lab",
    }
    summary = own_lab.summary()
    assert summary["tests"] == {"pass": 1, "fail": 2, "skip": 1}
    assert summary["verdicts"] == {"pass": 1, "fail": 2, "inconc": 1, "infra": 0}
    assert summary["seconds"].keys() == {"bring_up", "suites", "tear_down"}
    assert summary["transport"].keys() == {"sip", "msrp"}
    assert summary["transport"]["sip"].keys() == {counter.value for counter in Counter}
    assert summary["exit_code"] == 1
    failing = [finding for finding in summary["findings"] if finding["fails"]]
    assert {finding["rule"] for finding in failing} == {"sip.max-forwards.present"}, failing
    assert all(finding["test"].endswith("Fails By A Finding") for finding in failing)
    evidence = {path.name.partition(".")[2]: path for path in (run / "evidence").iterdir()}
    assert set(evidence) == {"Passes", "Fails-By-A-Keyword", "Fails-By-A-Finding", "Is-Skipped"}
    for folder in evidence.values():
        names = {path.name for path in folder.iterdir()}
        assert names >= {"capture.pcapng", "ladder.svg", "timeline.jsonl", "findings.json"}
    for name in ("Fails-By-A-Keyword", "Fails-By-A-Finding"):
        assert (evidence[name] / "dut.png").read_bytes().startswith(b"\x89PNG")
    assert not list(evidence["Passes"].glob("*.png"))
    assert ElementTree.parse(run / "junit.xml").getroot().get("failures") == "2"
    log = (run / "log.html").read_text("utf-8")
    assert "evidence/" in log and "svg" in log
    told = [path for path in run.rglob("*") if path.is_file()]
    for secret in secrets():
        assert [path for path in told if secret.encode() in path.read_bytes()] == []
    own_lab.wait_clean()


def test_two_runs_take_two_benches_and_a_third_hears_who_has_them(own_lab):
    own_lab.suite(LONG)
    first = own_lab.start("run", "suite.robot")
    wait_for_line(first, "bench a is up")
    second = own_lab.start("run", "suite.robot")
    wait_for_line(second, "bench b is up")
    third = own_lab.run("run", "suite.robot")
    assert third.returncode == 3
    assert f"expected a free bench, got it is leased by process {second.pid} since" in third.stderr
    for process in (first, second):
        process.send_signal(signal.SIGINT)
    for process in (first, second):
        process.communicate(timeout=10)
        assert process.returncode == 130
    assert len({path.resolve() for path in own_lab.results.iterdir()}) == 3
    own_lab.wait_clean()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_suite_ends_the_run_in_order(own_lab, number):
    own_lab.suite(LONG)
    process = own_lab.start("run", "suite.robot")
    wait_for_line(process, "[1/3] PASS")
    began = time.monotonic()
    os.killpg(process.pid, number)  # a terminal sends Ctrl-C to the whole group
    out, errors = process.communicate(timeout=20)
    assert time.monotonic() - began < 2
    assert process.returncode == 128 + number
    assert f"stopped by {number.name}" in errors
    assert "Traceback" not in out + errors
    summary = own_lab.summary()
    assert summary["verdicts"] == {"pass": 1, "fail": 0, "inconc": 2, "infra": 0}
    assert (summary["stopped"], summary["exit_code"]) == (number.name, 128 + number)
    assert (own_lab.latest / "log.html").stat().st_size > 1000
    own_lab.wait_clean(1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_bring_up_ends_the_run_in_order(own_lab, number):
    own_lab.suite(LONG)
    process = own_lab.start("run", "suite.robot")
    wait_for_line(process, "bringing up the bench")
    wait_for_process(own_lab, "devices.simulated.handset")
    began = time.monotonic()
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - began < 2
    assert process.returncode == 128 + number
    assert errors == f"rcslab: stopped by {number.name}\n"
    assert own_lab.summary()["stopped"] == number.name
    own_lab.wait_clean(1)


@pytest.mark.parametrize(("dialect", "waits"), [("cmw500", "starting, 29"), ("md8475", "no reply yet, 29")])
def test_a_signal_ends_the_wait_for_a_slow_cell_in_order(own_lab, dialect, waits):
    """The cell takes ten minutes to come on: the run says that it waits, and ends when it is told to."""
    box = own_lab.start("simulate", "network-simulator", "--dialect", dialect, "--cell-on-seconds", "600")
    ready = json.loads(box.stdout.readline())
    with own_lab.edited(cell=300) as lab:
        part = lab["benches"]["a"]["network_simulator"]
        part |= {"driver": dialect, "resource": ready["visa_socket"]}
    own_lab.suite(LONG)
    process = own_lab.start("run", "suite.robot", "--bench", "a")
    wait_for_line(process, f"waiting for the network simulator: {waits}")
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - began < 2
    assert (process.returncode, errors) == (130, "rcslab: stopped by SIGINT\n")
    assert own_lab.summary()["stopped"] == "SIGINT"
    box.terminate()
    box.communicate(timeout=10)
    own_lab.wait_clean(1)


def wait_for_process(lab, words: str) -> None:
    until = time.monotonic() + 15
    while time.monotonic() < until:
        if any(words in command for command in lab.processes().values()):
            return
    raise AssertionError(f"no process {words}")


@pytest.mark.parametrize("words", ["warden", "network_simulator", "adb -P", "devices.simulated.handset"])
def test_a_run_killed_during_bring_up_leaves_nothing(own_lab, words):
    own_lab.suite(LONG)
    process = own_lab.start("run", "suite.robot")
    wait_for_line(process, "bringing up the bench")
    wait_for_process(own_lab, words)
    process.kill()
    process.communicate()
    own_lab.wait_clean()


def test_a_run_killed_in_a_suite_leaves_nothing(own_lab):
    own_lab.suite(LONG)
    process = own_lab.start("run", "suite.robot")
    wait_for_line(process, "[1/3] PASS")
    assert len(own_lab.processes()) >= 6
    ports = listening(own_lab)
    assert len(ports) >= 5
    process.kill()
    process.communicate()
    own_lab.wait_clean()
    assert not ports & listening_ports()


def listening_ports() -> set[int]:
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return {int(row.split()[1].rpartition(":")[2], 16) for row in rows if row.split()[3] == "0A"}


def listening(lab) -> set[int]:
    """TCP ports the processes of this lab listen on."""
    inodes = set()
    for pid in lab.processes():
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
            except OSError:
                continue
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in inodes}


ROBOT = [sys.executable, "-m", "robot"]


def test_robot_alone_opens_and_closes_a_bench_of_its_own(own_lab):
    own_lab.suite(LONG.replace("never    timeout=40 s", "never    timeout=100 ms"))
    done = own_lab.run("--outputdir", "out", "--exclude", "none", "suite.robot", module=ROBOT)
    assert done.returncode == 1, done.stdout
    assert "3 tests, 2 passed, 1 failed" in done.stdout
    names = sorted(path.name for path in (own_lab.folder / "out" / "evidence").iterdir())
    assert names == ["Suite.After", "Suite.First", "Suite.Long"]
    own_lab.wait_clean()


def test_robot_alone_cleans_up_when_it_is_ended(own_lab):
    own_lab.suite(LONG)
    process = own_lab.start("--outputdir", "out", "suite.robot", module=ROBOT)
    wait_for_line(process, "waiting")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert (own_lab.folder / "out" / "log.html").exists()
    own_lab.wait_clean()


def test_robot_alone_on_a_broken_lab_is_infra_and_tried_once(own_lab):
    with own_lab.edited(at=1) as lab:
        lab["benches"]["a"]["handsets"]["dut"]["modem"] = "/dev/nothing"
    own_lab.suite("*** Test Cases ***\nOne\n    Handset Is Registered\n\nTwo\n    Handset Is Registered\n")
    began = time.monotonic()
    done = own_lab.run("--outputdir", "out", "suite.robot", module=ROBOT)
    assert time.monotonic() - began < 8
    assert done.returncode == 2
    output = ElementTree.parse(own_lab.folder / "out" / "output.xml")
    statuses = [test.find("status") for test in output.iter("test")]
    assert len(statuses) == 2
    for status in statuses:
        assert status is not None and (status.text or "").startswith("infra: modem port at /dev/nothing")
    assert [[tag.text for tag in test.iter("tag")] for test in output.iter("test")] == [["infra"]] * 2
    own_lab.wait_clean()


def test_a_run_over_tls(own_lab, authority):
    certificate, key = authority.issue("ims.mnc001.mcc001.3gppnetwork.org")
    with own_lab.edited() as lab:
        lab["benches"]["a"]["peer"]["tls"] = {"port": 0, "certificate": str(certificate), "key": str(key)}
        lab["benches"]["a"]["handsets"]["dut"]["simulated"] = {"transport": "tls"}
    suite = own_lab.suite(SUITE.partition("Fails By A Keyword")[0])
    done = own_lab.run("run", suite, "--bench", "a")
    assert done.returncode == 0, done.stdout + done.stderr
    counted = own_lab.summary()["transport"]["sip"]
    assert counted["tls-handshakes"] == 1 and counted["connections-reused"] > 0
    (evidence,) = (own_lab.latest / "evidence").iterdir()
    entries = [json.loads(line) for line in (evidence / "timeline.jsonl").read_text("utf-8").splitlines()]
    sip = [entry for entry in entries if entry["layer"] == "sip" and "transport" in entry]
    assert sip and {entry["transport"] for entry in sip} == {"TLS"}
    judged = own_lab.run("verify", evidence / "capture.pcapng")
    assert judged.returncode == 0, judged.stdout
