"""What a driver tells of the state of a handset: from the simulated one, and from what real builds print."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from devices.adb_server import AdbServer
from devices.android import AndroidHandset
from devices.handset import ClockOffset, ScreenLock, ShellResult
from harness.errors import HandsetError, HandsetLost

PACKAGE = "com.google.android.apps.messaging"
CALLS = ("app_version", "sms_app", "screen_lock", "clock_offset", "free_storage")


@pytest.fixture
def answering(handset: AndroidHandset, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let shell lines that start so answer so: (exit, stdout, stderr)."""

    def answer(answers: dict[str, tuple[int, str, str]]) -> None:
        def run(command: Any, timeout: float | None = None, *, record: bool = True) -> ShellResult:
            line = command if isinstance(command, str) else " ".join(command)
            return ShellResult(*next(said for start, said in answers.items() if line.startswith(start)))

        monkeypatch.setattr(handset.link, "run", run)

    return answer


def test_the_version_of_the_app(bench: Any, handset: AndroidHandset) -> None:
    assert handset.app_version() == "messages.android_20241118_00_RC00.phone_dynamic"
    bench.call(bench.android.packages.pop, PACKAGE)
    assert handset.app_version() is None


@pytest.mark.parametrize("exit_code", [0, 1])
def test_an_app_that_is_not_there_has_no_version(
    handset: AndroidHandset, answering: Any, exit_code: int
) -> None:
    answering({"pm path": (exit_code, "", "")})
    assert handset.app_version() is None


def test_of_an_updated_app_the_version_that_runs_counts(handset: AndroidHandset, answering: Any) -> None:
    updated = (
        f"Packages:\n  Package [{PACKAGE}] (1a2b):\n    versionCode=9 minSdk=26 targetSdk=34\n"
        "    versionName=10.2\n\nHidden system packages:\n"
        f"  Package [{PACKAGE}] (3c4d):\n    versionName=5.1\n"
    )
    answering({"pm path": (0, "package:/data/app/base.apk\n", ""), "dumpsys package": (0, updated, "")})
    assert handset.app_version() == "10.2"


def test_the_app_for_sms_by_role(bench: Any, handset: AndroidHandset) -> None:
    assert handset.sms_app() == PACKAGE
    handset.shell(f"cmd role remove-role-holder android.app.role.SMS {PACKAGE}")
    assert handset.sms_app() == ""
    assert handset.shell("cmd role add-role-holder android.app.role.SMS org.nothing").exit == 255
    handset.shell("cmd role add-role-holder android.app.role.SMS com.android.shell")
    assert handset.sms_app() == "com.android.shell"


def test_the_app_for_sms_by_setting_before_android_10(bench: Any, handset: AndroidHandset) -> None:
    bench.call(bench.android.properties.publish, "ro.build.version.sdk", "28")
    assert handset.shell("cmd role get-role-holders android.app.role.SMS").exit == 20
    assert handset.sms_app() == ""
    handset.shell(f"settings put secure sms_default_application {PACKAGE}")
    assert handset.sms_app() == PACKAGE


def test_the_screen_lock(bench: Any, handset: AndroidHandset) -> None:
    assert handset.screen_lock() == ScreenLock(showing=False, secure=False)
    handset.sleep()
    assert handset.screen_lock() == ScreenLock(showing=True, secure=False)
    assert "Pin set to '1234'" in handset.shell("locksettings set-pin 1234").stdout
    handset.wake()
    assert handset.screen_lock() == ScreenLock(showing=True, secure=True)
    assert "didn't match" in handset.shell("locksettings clear --old 4321").stdout
    assert handset.screen_lock().secure
    handset.shell("locksettings clear --old 1234")
    handset.wake()
    assert handset.screen_lock() == ScreenLock(showing=False, secure=False)


def test_the_clock_against_that_of_the_host(bench: Any, handset: AndroidHandset) -> None:
    near = handset.clock_offset()
    assert abs(near.seconds) <= near.uncertainty + 0.05
    bench.call(bench.android.set_clock, time.time() - 3600)
    behind = handset.clock_offset()
    assert behind.seconds == pytest.approx(-3600, abs=behind.uncertainty + 0.05)
    assert not behind.within(3000) and behind.within(3700)
    assert handset.clock().timestamp() == pytest.approx(time.time() - 3600, abs=5)


def test_a_clock_that_tells_whole_seconds_is_half_a_second_uncertain(
    handset: AndroidHandset, answering: Any
) -> None:
    answering({"date": (0, f"{int(time.time())}.N\n", "")})
    offset = handset.clock_offset()
    assert 0.5 <= offset.uncertainty < 0.6
    assert offset.within(0.1)


def test_uncertainty_speaks_for_the_handset() -> None:
    assert ClockOffset(2.4, 0.5).within(2.0)
    assert not ClockOffset(-2.6, 0.5).within(2.0)


def test_free_storage(bench: Any, handset: AndroidHandset) -> None:
    storage = bench.android.storage
    assert handset.free_storage() == storage.free * 1024
    bench.call(setattr, storage, "used", storage.total - 100)
    assert handset.free_storage() == 102_400
    handset.shell("pm trim-caches 500M")
    assert handset.free_storage() == 500 * 1024 * 1024


def test_free_storage_as_other_builds_print_it(handset: AndroidHandset, answering: Any) -> None:
    head = "Filesystem           1K-blocks      Used Available Use% Mounted on\n"
    wrapped = f"{head}/dev/block/dm-5\n 100 40 60 40% /data\n"
    answering({"df": (0, wrapped, "")})
    assert handset.free_storage() == 60 * 1024


@pytest.mark.parametrize(
    ("call", "answers", "words"),
    [
        ("app_version", {"pm path": (1, "", "cmd: Failure calling service package\n")}, "Failure calling"),
        ("app_version", {"pm": (0, "package:/x\n", ""), "dumpsys": (0, "\n", "")}, "versionName="),
        ("sms_app", {"cmd role": (255, "", "java.lang.SecurityException: no\n")}, "SecurityException"),
        ("screen_lock", {"dumpsys": (0, "Can't find service: window\n", "")}, "KeyguardServiceDelegate"),
        ("screen_lock", {"dumpsys": (0, "  KeyguardServiceDelegate\n    showing=true\n", "")}, "secure="),
        ("clock_offset", {"date": (0, "Wed Nov 25 2026\n", "")}, "SECONDS.NANOSECONDS"),
        (
            "free_storage",
            {"df": (0, "Filesystem  Size  Used  Free  Blksize\n/sdcard 12G 3G 9G 4096\n", "")},
            "Avail",
        ),
        ("free_storage", {"df": (0, "", "")}, "Available"),
    ],
)
def test_an_answer_that_says_something_else_is_an_error(
    handset: AndroidHandset, answering: Any, call: str, answers: Any, words: str
) -> None:
    answering(answers)
    with pytest.raises(HandsetError, match=words):
        getattr(handset, call)()


@pytest.mark.parametrize("call", CALLS)
def test_an_answer_cut_by_a_lost_transport_is_no_answer(
    bench: Any, handset: AndroidHandset, call: str
) -> None:
    """The link goes after the first octets of the reply, before its exit code."""
    handset.shell("true")
    run, lines = handset.link.run, []

    def slow(command: Any, timeout: float | None = None, *, record: bool = True) -> ShellResult:
        line = command if isinstance(command, str) else " ".join(command)
        lines.append(line)
        threading.Timer(0.2, lambda: bench.call(bench.daemon.drop_transports)).start()
        return run(f"{line}; sleep 100", timeout, record=record)

    handset.link.run = slow  # type: ignore[method-assign]
    with pytest.raises(HandsetLost, match="the connection ended"):
        getattr(handset, call)()
    assert len(lines) == 1


@pytest.mark.parametrize("call", CALLS)
def test_each_call_has_the_deadline_of_the_driver(
    bench: Any, adb_server: AdbServer, handset: AndroidHandset, call: str
) -> None:
    handset.shell("true")
    handset.link.deadline = 0.3
    run = handset.link.run
    handset.link.run = lambda command, *rest, **more: run("sleep 100", *rest, **more)  # type: ignore[method-assign]
    with pytest.raises(HandsetLost, match=r"within 0\.3 s, got silence"):
        getattr(handset, call)()


def test_where_it_is_plugged_in(handset: AndroidHandset) -> None:
    assert handset.link.bus_path() == ""
