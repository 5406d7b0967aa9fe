"""A driver that another package brings: installed by its metadata alone, as a stranger would do it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).resolve().parents[2]
MODULE = r"""
from instruments.capability import Capability, CapabilityTable, Confidence, Operation
from instruments.drivers import Driver
from instruments.network_simulator import CellState
from instruments.table_driver import TableDriver

CELL = Capability(
    Operation.CELL, "start and stop", "its manual", Confidence.A,
    command="{value}", query="STAT?", replies={"NOTRUN": CellState.OFF, "RUNNING": CellState.ON},
)
TABLE = CapabilityTable("My box", [CELL])


class MyBox(TableDriver):
    TABLE = TABLE

    def _turn(self, value, timeout):
        if (self._generator() is CellState.ON) != (value == "ON"):
            self._do(Operation.CELL, "START" if value == "ON" else "STOP")


DRIVER = Driver(TABLE, MyBox, {"termination": "\0", "error_suffix": ";ERROR?", "no_error": "0"})
"""
SUITE = """
*** Test Cases ***
Cell Goes Off And Comes On
    Switch Cell Off
    Switch Cell On

What The Box Cannot Do
    Take Cell Out Of Service
"""


@pytest.fixture
def install(own_lab: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Put a package with an entry point on the path of every command of the lab."""

    def install(value: str = "mylab_box:DRIVER", module: str = MODULE) -> Path:
        site = own_lab.folder / "site"
        information = site / "mylab_box-1.0.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: mylab-box\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[rcslab.instruments]\nmybox = {value}\n")
        (site / "mylab_box.py").write_text(module)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(HOME), str(site))))
        return site

    return install


@pytest.fixture
def resource(own_lab: Any) -> str:
    """A box that speaks what the stranger's driver does."""
    box = own_lab.start("simulate", "network-simulator", "--dialect", "md8475")
    return str(json.loads(box.stdout.readline())["visa_socket"])


def test_a_lab_of_a_stranger_works_from_its_lab_file_on(
    own_lab: Any, install: Callable[..., Path], resource: str
) -> None:
    install()
    with own_lab.edited() as lab:
        lab["benches"]["a"]["network_simulator"] = {"driver": "mybox", "resource": resource}
    assert "mybox |" in own_lab.run("instruments").stdout.splitlines()[0]
    examined = own_lab.run("doctor", "--bench", "a").stdout.splitlines()
    assert [line for line in examined if "a: mybox" in line and line.startswith("ok") and "MD8475A" in line]
    report = own_lab.folder / "probe.json"
    assert own_lab.run("instrument-probe", "mybox", resource, "--report", report).returncode == 0
    assert [each["answer"] for each in json.loads(report.read_text())["probed"]] == ["understood"]
    own_lab.suite(SUITE)
    done = own_lab.run("run", "suite.robot", "--bench", "a")
    assert "PASS   Cell Goes Off And Comes On" in done.stdout, done.stdout + done.stderr
    assert "Take Cell Out Of Service needs an operation that the network simulator of bench a has not" in (
        done.stdout
    )
    assert own_lab.summary()["verdicts"] == {"pass": 1, "fail": 0, "inconc": 1, "infra": 0}


@pytest.mark.parametrize(
    ("value", "module", "words"),
    [
        ("mylab_box:DRIVER", "import nothing_of_that_name", "it does not load: ModuleNotFoundError"),
        ("mylab_box:TABLE", MODULE, "expected a Driver of instruments.drivers, got"),
    ],
)
def test_a_package_that_is_broken_is_told_by_name_and_hurts_nobody_else(
    own_lab: Any, install: Callable[..., Path], value: str, module: str, words: str
) -> None:
    install(value, module)
    assert own_lab.run("doctor", "--bench", "a").returncode == 0
    with own_lab.edited() as lab:
        lab["benches"]["a"]["network_simulator"] = {
            "driver": "mybox",
            "resource": "TCPIP::127.0.0.1::9::SOCKET",
        }
    broken = own_lab.run("doctor", "--bench", "a")
    assert broken.returncode == 2
    assert f"driver 'mybox' of another package ({value})" in broken.stderr and words in broken.stderr
