"""A run on two benches from outside: one result, and whatever ends, everything is cleaned."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from robot.api import ExecutionResult

from harness.lab.leases import acquire

HOME = Path(__file__).resolve().parents[3]
HEAD = f"*** Settings ***\nResource    {HOME}/robot/resources/bench.resource\n"
TALK = """
Test Setup    Start From A Registered Handset

*** Test Cases ***
Talks
    [Tags]    talk
    Send Text From Handset    hello
    Wait For Text From Handset    hello

Says Something
    Log To Console    said
"""
FINDING = """
Test Setup    Start From A Registered Handset
Test Teardown    Set Handset Property    debug.rcslab.defects    ${EMPTY}

*** Test Cases ***
Talks
    [Tags]    talk
    Set Handset Property    debug.rcslab.defects    no_max_forwards
    Send Text From Handset    hello
    Wait For Text From Handset    hello

Fails By A Keyword
    Wait For Text From Handset    another    timeout=100 ms
"""
WAITS = """
Suite Setup    Set Suite Variable    $prepared    ${True}

*** Test Cases ***
Before
    Handset Is Registered

Long
    Log To Console    waiting
    Wait For Text From Handset    never    timeout=40 s

After
    Should Be True    $prepared
    Handset Is Registered
"""
BOTH = ("run", "suites", "--benches", "2")


@pytest.fixture
def suites(own_lab):
    """Writes suites into a folder of the lab."""

    def write(**texts: str) -> None:
        (own_lab.folder / "suites").mkdir(exist_ok=True)
        for name, text in texts.items():
            (own_lab.folder / "suites" / f"{name}.robot").write_text(HEAD + text)

    return write


def met(suite: str, own: str, other: str) -> str:
    """A suite that begins when the other one has begun as well, on another bench."""
    meeting = f"Run Keywords    Create File    ${{CURDIR}}/{own}.met    AND\n..."
    meeting += f"    Wait Until Created    ${{CURDIR}}/{other}.met    timeout=30 s"
    return f"Library    OperatingSystem\nSuite Setup    {meeting}\n{suite.lstrip()}"


def wait_for_line(process: subprocess.Popen[str], words: str, count: int = 1) -> list[str]:
    """Read standard output up to the line that is the last of `count` with these words; returns those."""
    assert process.stdout is not None
    found = []
    for line in process.stdout:
        if words in line:
            found.append(line)
            if len(found) == count:
                return found
    raise AssertionError(f"{words!r} did not come so often, only {found}")


def wait_for_process(lab, words: str) -> None:
    until = time.monotonic() + 20
    while not any(words in command for command in lab.processes().values()):
        assert time.monotonic() < until, f"no process {words}"


def process_of(lab, bench: str) -> int:
    words = f"harness.run.bench_worker {bench} "
    (pid,) = [pid for pid, command in lab.processes().items() if words in command]
    return pid


def outcomes(lab) -> dict[str, tuple[str, str]]:
    result = ExecutionResult(str(lab.latest / "output.xml"))
    return {test.full_name: (test.status, test.message) for test in result.suite.all_tests}


def test_two_benches_leave_what_one_would(own_lab, suites):
    suites(one=met(TALK, "one", "two"), two=met(FINDING, "two", "one"))
    done = own_lab.run(*BOTH)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    progress = [line for line in lines if re.match(r"[ab]  \[\d/4\] ", line)]
    assert len(progress) == 4 and {line[0] for line in progress} == {"a", "b"}
    assert {"a: said", "b: said"} & set(lines)
    assert "1 finding" in done.stdout
    run, summary = own_lab.latest, own_lab.summary()
    assert {path.name for path in run.iterdir()} == {
        "output.xml",
        "log.html",
        "report.html",
        "junit.xml",
        "summary.json",
        "evidence",
        "lab",
        "robot-console.txt",
    }
    assert summary["tests"] == {"pass": 2, "fail": 2, "skip": 0}
    assert summary["verdicts"] == {"pass": 2, "fail": 2, "inconc": 0, "infra": 0}
    assert summary["seconds"].keys() == {"bring_up", "suites", "tear_down", "reports"}
    assert [bench["tests"]["pass"] for bench in summary["benches"].values()] in ([2, 0], [0, 2])
    both = [bench["transport"]["sip"]["connections-opened"] for bench in summary["benches"].values()]
    assert summary["transport"]["sip"]["connections-opened"] == sum(both)
    assert set(outcomes(own_lab)) == set(summary["test_seconds"])
    folders = {path.name for path in (run / "evidence").iterdir()}
    assert folders == {name.replace(" ", "-") for name in summary["test_seconds"]}
    messages = [message.text or "" for message in ElementTree.parse(run / "output.xml").iter("msg")]
    links = [link for text in messages for link in re.findall(r'(?:href|src)="(evidence/[^"]+)"', text)]
    # Capture, timeline, findings, ladder; two screens where it failed, and a page where there are findings.
    assert len(set(links)) == 4 * 4 + 2 + 1
    assert all((run / link).is_file() for link in links)
    junit = ElementTree.parse(run / "junit.xml").getroot()
    assert (junit.get("tests"), junit.get("failures")) == ("4", "2")
    assert {path.name for path in (run / "lab").iterdir()} == {"a", "b", "warden.log"}
    own_lab.wait_clean()


@pytest.mark.parametrize("benches", ["1", "2"])
def test_what_failed_in_the_last_run_is_run_again(own_lab, suites, benches):
    bad = "*** Test Cases ***\nGood\n    No Operation\n\nBad\n    Fail    no\n"
    suites(one=bad, two=bad, three=bad.replace("Fail", "Log"))
    assert own_lab.run(*BOTH).returncode == 1
    again = ("run", "suites", "--benches", benches, "--rerunfailed", "results/latest/output.xml")
    done = own_lab.run(*again)
    assert done.returncode == 1, done.stdout + done.stderr
    assert outcomes(own_lab) == {"Suites.One.Bad": ("FAIL", "no"), "Suites.Two.Bad": ("FAIL", "no")}
    own_lab.wait_clean()


@pytest.mark.parametrize("benches", ["1", "2"])
def test_a_run_fails_that_did_not_exercise_its_plan(own_lab, suites, benches):
    suites(one=TALK, two="*** Test Cases ***\nNothing    No Operation\n")
    (own_lab.folder / "plan.yaml").write_text("rules: [pager.no-contact, msrp.chunk-2048]\n")
    done = own_lab.run("run", "suites", "--benches", benches, "--require-coverage", "plan.yaml")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not exercised: rule msrp.chunk-2048: no MSRP request came" in done.stdout
    summary = own_lab.summary()
    assert summary["missing"] == ["rule msrp.chunk-2048: no MSRP request came"]
    assert summary["verdicts"]["fail"] == 0 and summary["exercised"]["pager.no-contact"] >= 2
    assert summary["not_exercised"]["msrp.chunk-2048"] == "no MSRP request came"


def test_a_known_finding_that_is_waived_fails_no_test(own_lab, suites):
    suites(one=FINDING.partition("Fails By")[0])
    waiver = "{rule: sip.max-forwards.present, reason: known, owner: lab, expires: 2099-01-01}"
    (own_lab.folder / "waivers.yaml").write_text(f"waivers: [{waiver}]\n")
    with own_lab.edited() as tree:
        tree["waivers"] = "waivers.yaml"
    done = own_lab.run("run", "suites", "--bench", "a")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {each["waived"] for each in own_lab.summary()["findings"]} == {"known (lab, until 2099-01-01)"}


def test_options_of_robot_go_to_every_bench(own_lab, suites):
    suites(one=TALK, two=FINDING, three=WAITS)
    done = own_lab.run(*BOTH, "--include", "talk", "--dryrun", "--debugfile", "debug.txt", "--name", "N")
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(own_lab) == {"N.One.Talks": ("PASS", ""), "N.Two.Talks": ("PASS", "")}
    debug = sorted(path.name for path in own_lab.latest.glob("debug*"))
    assert [re.sub("[ab]", "_", name) for name in debug] == ["debug-_-1.txt", "debug-_-2.txt"] or len(
        debug
    ) == 2
    own_lab.wait_clean()


def test_a_failure_in_exit_on_failure_mode_keeps_the_rest_from_running(own_lab, suites):
    quick = (
        "*** Test Cases ***\nFails\n    Handset Is Registered\n    Fail    no\n\nAfter\n    No Operation\n"
    )
    suites(**{f"s{n}": quick for n in range(6)})
    done = own_lab.run(*BOTH, "--exitonfailure")
    assert done.returncode == 1, done.stdout + done.stderr
    summary, statuses = own_lab.summary(), outcomes(own_lab)
    assert len(statuses) == 12 and {status for status, _ in statuses.values()} == {"FAIL"}
    failed = [name for name, (_, message) in statuses.items() if message == "no"]
    assert 1 <= len(failed) <= 2
    assert {message for _, message in statuses.values()} == {
        "no",
        "Failure occurred and exit-on-failure mode is in use.",
    }
    assert summary["verdicts"] == {"pass": 0, "fail": len(failed), "inconc": 12 - len(failed), "infra": 0}
    own_lab.wait_clean()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_both_benches_in_order(own_lab, suites, number):
    suites(one=WAITS, two=WAITS, three=TALK)
    process = own_lab.start(*BOTH)
    wait_for_line(process, ": waiting", 2)
    began = time.monotonic()
    os.killpg(process.pid, number)
    out, errors = process.communicate(timeout=20)
    assert time.monotonic() - began < 3
    assert process.returncode == 128 + number
    assert f"stopped by {number.name}" in errors
    assert "Traceback" not in out + errors
    summary, statuses = own_lab.summary(), outcomes(own_lab)
    assert summary["verdicts"] == {"pass": 2, "fail": 0, "inconc": 6, "infra": 0}
    assert (summary["stopped"], summary["exit_code"], summary["infra"]) == (number.name, 128 + number, None)
    assert len(statuses) == 8
    assert statuses["Suites.Three.Talks"] == ("FAIL", "Execution terminated by signal")
    own_lab.wait_clean(1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_benches_come_up_ends_the_run_in_order(own_lab, suites, number):
    suites(one=WAITS, two=WAITS)
    process = own_lab.start(*BOTH)
    wait_for_line(process, "bringing up benches a, b")
    wait_for_process(own_lab, "devices.simulated.handset")
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert errors == f"rcslab: stopped by {number.name}\n"
    summary = own_lab.summary()
    assert (summary["stopped"], summary["infra"]) == (number.name, None)
    own_lab.wait_clean(1)


def test_a_run_that_is_killed_leaves_nothing_of_any_bench(own_lab, suites):
    suites(one=WAITS, two=WAITS)
    process = own_lab.start(*BOTH)
    wait_for_line(process, ": waiting", 2)
    assert len(own_lab.processes()) >= 12
    process.kill()
    process.communicate()
    own_lab.wait_clean()


def test_a_run_killed_while_its_benches_are_leased_leaves_nothing(own_lab, suites):
    suites(one=WAITS, two=WAITS)
    process = own_lab.start(*BOTH)
    wait_for_line(process, "bringing up benches a, b")
    process.kill()
    process.communicate()
    own_lab.wait_clean()


def test_another_bench_takes_over_from_one_that_dies(own_lab, suites):
    suites(one=WAITS, two=TALK)
    process = own_lab.start(*BOTH)
    (line,) = wait_for_line(process, ": waiting")
    bench, other = ("a", "b") if line[0] == "a" else ("b", "a")
    os.kill(process_of(own_lab, bench), signal.SIGKILL)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 3, out + errors
    assert f"infra: bench {bench}: its process ended before its time with code -9" in errors
    statuses, summary = outcomes(own_lab), own_lab.summary()
    assert {name: status for name, (status, _) in statuses.items()} == {
        "Suites.One.Before": "PASS",
        "Suites.One.Long": "FAIL",
        "Suites.One.After": "PASS",
        "Suites.Two.Talks": "PASS",
        "Suites.Two.Says Something": "PASS",
    }
    why = f"infra: the process of bench {bench} ended before its time while this test ran"
    assert statuses["Suites.One.Long"][1] == why
    assert summary["verdicts"] == {"pass": 4, "fail": 0, "inconc": 0, "infra": 1}
    assert summary["benches"][bench]["verdicts"]["infra"] == 1
    assert summary["benches"][other]["verdicts"]["pass"] == 3
    assert re.search(rf"{other}  \[\d/5\] PASS   One\.After ", out)
    result = ExecutionResult(str(own_lab.latest / "output.xml"))
    (one,) = [suite for suite in result.suite.suites if suite.name == "One"]
    assert [test.name for test in one.tests] == ["Before", "Long", "After"]
    assert one.metadata["Bench"] == f"{bench}, {other}"
    junit = ElementTree.parse(own_lab.latest / "junit.xml").getroot()
    assert (junit.get("errors"), junit.get("failures")) == ("1", "0")
    own_lab.wait_clean()


def test_tests_no_bench_is_left_for_are_infra(own_lab, suites):
    suites(one=WAITS, two=WAITS, three=TALK)
    process = own_lab.start(*BOTH)
    wait_for_line(process, ": waiting", 2)
    for bench in "ab":
        os.kill(process_of(own_lab, bench), signal.SIGKILL)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 3, out + errors
    assert own_lab.summary()["verdicts"] == {"pass": 2, "fail": 0, "inconc": 0, "infra": 6}
    lost = [name for name, (_, message) in outcomes(own_lab).items() if "no bench was left" in message]
    assert sorted(lost) == [
        "Suites.One.After",
        "Suites.Three.Says Something",
        "Suites.Three.Talks",
        "Suites.Two.After",
    ]
    own_lab.wait_clean()


def test_the_others_work_when_a_bench_does_not_come_up(own_lab, suites):
    with own_lab.edited(at=1) as lab:
        lab["benches"]["b"]["handsets"]["dut"]["modem"] = "/dev/nothing"
    suites(one=TALK, two=TALK)
    done = own_lab.run(*BOTH)
    assert done.returncode == 3
    error = "bench b: modem port at /dev/nothing: expected the port to open"
    assert f"rcslab: infra: {error}" in done.stderr
    assert "bench b: infra: modem port at /dev/nothing" in done.stdout
    summary = own_lab.summary()
    assert summary["verdicts"] == {"pass": 4, "fail": 0, "inconc": 0, "infra": 0}
    assert summary["infra"].startswith(error)
    assert summary["benches"]["b"]["infra"].startswith("modem port at /dev/nothing")
    assert summary["benches"]["a"]["tests"]["pass"] == 4
    own_lab.wait_clean()


def test_when_no_bench_comes_up_each_says_why(own_lab, suites):
    with own_lab.edited(at=1) as lab:
        for bench in "ab":
            lab["benches"][bench]["handsets"]["dut"]["modem"] = f"/dev/nothing-{bench}"
    suites(one=TALK, two=TALK)
    done = own_lab.run(*BOTH)
    assert done.returncode == 3
    assert "/dev/nothing-a" in done.stderr and "/dev/nothing-b" in done.stderr
    assert own_lab.summary()["verdicts"]["infra"] == 1
    assert not (own_lab.latest / "log.html").exists()
    own_lab.wait_clean()


def test_too_few_free_benches_are_told_with_who_has_them(here, rcslab, suites):
    suites(one=TALK, two=TALK)
    lease = acquire(here.file, "b")
    said = rcslab(*BOTH)
    assert said.code == 3
    assert "benches a, b at" in said.errors
    assert (
        f"expected 2 free benches, got 1 (bench b: it is leased by process {os.getpid()} since" in said.errors
    )
    assert here.summary()["exit_code"] == 3
    lease.release()
    here.wait_clean()


def test_no_more_benches_are_brought_up_than_there_are_suites(own_lab, suites):
    suites(one=TALK)
    done = own_lab.run("run", "suites", "--bench", "b", "--bench", "a")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no more than 1 of 2 benches is needed: suites stay whole" in done.stdout
    assert own_lab.summary()["benches"].keys() == {"b"}
    own_lab.wait_clean()
