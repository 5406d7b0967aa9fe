"""The doctor on a handset: what a run relies on is broken, told, and mended by the very command it names."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devices.adb_server import AdbServer, bundled_adb
from devices.simulated import shell_dumpsys, shell_owner
from harness.lab import handset_checks
from harness.lab.check import Check
from harness.lab.doctor import examine
from harness.lab.handset_checks import Commands, look_at_modem
from harness.lab.model import load_lab
from tests.devices.conftest import Bench

PACKAGE = "com.google.android.apps.messaging"
PARTS = ["adb", "build", "app", "SMS role", "screen lock", "clock", "storage"]


@pytest.fixture(scope="module")
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdbServer]:
    with AdbServer(tmp_path_factory.mktemp("adb")) as server:
        yield server


@pytest.fixture
def android() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


@pytest.fixture
def look(here: Any, android: Bench, adb_server: AdbServer) -> Callable[[], dict[str, Check]]:
    """The checks of bench a's handset by part, through the server of the lab file."""
    adb_server.connect(android.address)
    with here.edited() as lab:
        lab["adb_server"] = f"127.0.0.1:{adb_server.port}"
        lab["deadlines"]["adb"] = 3
        lab["benches"] = {"a": lab["benches"]["a"]}
        lab["benches"]["a"]["handsets"]["dut"] |= {"adb": android.address, "modem": None}

    def run() -> dict[str, Check]:
        head = "a: dut "
        found = [check for check in examine(load_lab(here.file)) if check.part.startswith(head)]
        return {check.part.removeprefix(head): check for check in found}

    return run


def typed(command: str, **variables: str) -> str:
    """What a person types, in a shell of the host, with the adb of this project."""
    folder = str(bundled_adb().parent)
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"} | variables
    done = subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, text=True, timeout=20, check=False
    )
    return done.stdout + done.stderr


def test_a_handset_with_all_arranged(look: Any, android: Bench) -> None:
    checks = look()
    assert list(checks) == PARTS
    assert all(check.ok and not check.mend for check in checks.values()), checks
    assert checks["adb"].text == f"{android.address} by network, authorised"
    assert "Simulated Handset, Android 15" in checks["build"].text
    assert checks["app"].text.endswith("_RC00.phone_dynamic, described for 5.0 and later")
    assert checks["SMS role"].text == f"{PACKAGE} is the default app for SMS"
    assert checks["storage"].text == "86026 MiB free"


def set_pin(android: Bench) -> None:
    android.android.pin = "2468"


def fill_storage(android: Bench) -> None:
    android.android.storage.used = android.android.storage.total - 1000


ILLS: list[tuple[str, Callable[[Bench], None], str]] = [
    (
        "SMS role",
        lambda it: setattr(it.android, "sms_app", ""),
        "no app is the default app for SMS: expected",
    ),
    (
        "SMS role",
        lambda it: setattr(it.android, "sms_app", "com.android.shell"),
        f"com.android.shell is the default app for SMS: expected {PACKAGE}",
    ),
    ("screen lock", set_pin, "a PIN, pattern or password locks the screen"),
    ("clock", lambda it: it.android.set_clock(time.time() + 90), "s ahead of this host"),
    ("clock", lambda it: it.android.set_clock(time.time() - 9000), "s behind this host"),
    ("storage", fill_storage, "1 MiB free: expected 512 MiB at least"),
]


@pytest.mark.parametrize(("part", "break_it", "words"), ILLS)
def test_what_is_wrong_is_mended_by_the_command_named(
    look: Any, android: Bench, part: str, break_it: Callable[[Bench], None], words: str
) -> None:
    android.call(break_it, android)
    before = look()
    assert [name for name, check in before.items() if not check.ok] == [part]
    assert words in before[part].text
    said = typed(before[part].mend, PIN="2468")
    assert look()[part].ok, said


def test_before_android_10_the_setting_is_mended(look: Any, android: Bench) -> None:
    android.call(android.android.properties.publish, "ro.build.version.sdk", "28")
    before = look()["SMS role"]
    assert not before.ok and "sms_default_application" in before.mend
    typed(before.mend)
    assert look()["SMS role"].ok


def test_an_app_of_a_release_the_ids_are_not_of(look: Any, here: Any) -> None:
    own = here.folder / "own.yaml"
    own.write_text(
        (Path(handset_checks.__file__).parents[2] / "devices/apps/google_messages.yaml")
        .read_text("utf-8")
        .replace('minimum: "5.0"', 'minimum: "20250101"'),
        "utf-8",
    )
    with here.edited() as lab:
        lab["benches"]["a"]["handsets"]["dut"]["app"] = str(own)
    app = look()["app"]
    assert not app.ok
    assert "20241118_00_RC00.phone_dynamic, described for 20250101 and later: no description" in app.text
    assert app.mend.startswith("rcslab app-probe --serial 127.0.0.1:")


def test_an_app_that_is_not_there(look: Any, android: Bench) -> None:
    android.call(android.android.packages.pop, PACKAGE)
    app = look()["app"]
    assert not app.ok and f"{PACKAGE}: not installed" in app.text
    assert app.mend.endswith(f" install {PACKAGE}.apk")


def test_a_boot_that_is_not_finished(look: Any, android: Bench) -> None:
    android.call(android.android.properties.publish, "sys.boot_completed", "")
    adb = look()["adb"]
    assert not adb.ok and "expected sys.boot_completed 1" in adb.text


def test_an_answer_nobody_can_read_names_the_line_to_look_at(
    look: Any, android: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_dumpsys, "_policy", lambda android: "vendor text")
    checks = look()
    assert [name for name, check in checks.items() if not check.ok] == ["screen lock"]
    assert "KeyguardServiceDelegate, got 'vendor text'" in checks["screen lock"].text
    assert typed(checks["screen lock"].mend).strip() == "vendor text"


def test_a_handset_nobody_allowed_ends_the_checks(look: Any, android: Bench, adb_server: AdbServer) -> None:
    def forget() -> None:
        android.daemon.authorized = False
        android.daemon.drop_transports()

    android.call(forget)
    until = time.monotonic() + 10
    while "unauthorized" not in (checks := look())["adb"].text:
        assert time.monotonic() < until, checks
    assert list(checks) == ["adb"]
    assert "allow this computer" in checks["adb"].text
    mend = checks["adb"].mend
    adb = f"adb -H 127.0.0.1 -P {adb_server.port}"
    assert mend == f"{adb} disconnect {android.address}; {adb} connect {android.address}"
    android.call(setattr, android.daemon, "authorized", True)
    typed(mend)
    while not (checks := look())["adb"].ok:
        assert time.monotonic() < until, checks


def test_a_handset_that_is_not_there(look: Any, here: Any) -> None:
    with here.edited() as lab:
        lab["benches"]["a"]["handsets"]["dut"]["adb"] = "R5CT0000000"
    checks = look()
    assert list(checks) == ["adb"] and not checks["adb"].ok
    assert "expected state device, got absent" in checks["adb"].text
    assert checks["adb"].mend == "adb kill-server"


def test_a_handset_that_is_lost_half_way_ends_the_checks(
    look: Any, android: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unplugged(call: Any, words: list[str]) -> int:
        android.daemon.drop_transports()
        return 0

    monkeypatch.setitem(shell_owner.SERVICES, "role", unplugged)  # type: ignore[arg-type]
    checks = look()
    assert list(checks) == PARTS[:4]
    assert not checks["SMS role"].ok and "the connection ended" in checks["SMS role"].text
    assert checks["SMS role"].mend


@pytest.mark.parametrize("state", ["unauthorized", "authorizing", "offline", "absent", "no permissions", "?"])
def test_every_state_has_a_command(state: str) -> None:
    for serial in ("R5CT0000000", "10.0.0.7:5555"):
        command = Commands(serial).for_state(state)
        assert command.startswith(("adb ", "sudo ")) and "{" not in command


# The AT port


@pytest.fixture
def port() -> Iterator[str]:
    master, slave = pty.openpty()
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)


def test_a_port_its_group_may_use(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(port).chmod(0o660)
    os.chown(port, os.getuid(), 20)
    monkeypatch.setattr(handset_checks.os, "access", lambda *_: False)
    monkeypatch.setattr(handset_checks.getpass, "getuser", lambda: "tester")
    check = look_at_modem("a: dut", port, None, 0.3)
    assert not check.ok
    assert f"{port} is crw-rw---- group dialout: tester may not read and write it" in check.text
    assert check.mend == "sudo usermod -aG dialout tester"


def test_a_port_nobody_else_may_use(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(port).chmod(0o600)
    monkeypatch.setattr(handset_checks.os, "access", lambda *_: False)
    check = look_at_modem("a: dut", port, None, 0.3)
    assert not check.ok and check.mend == f"sudo chmod a+rw {port}"
    monkeypatch.undo()
    typed(check.mend.removeprefix("sudo "))
    assert stat.S_IMODE(Path(port).stat().st_mode) == 0o666


def test_a_port_that_is_silent(port: str) -> None:
    check = look_at_modem("a: dut", port, None, 0.2)
    assert not check.ok and check.mend == f"sudo fuser -v {port}"


def test_a_port_that_is_not_there() -> None:
    check = look_at_modem("a: dut", "/dev/nothing", None, 0.2)
    assert not check.ok and check.mend == "ls -l /dev/serial/by-id/"
