"""Handset drivers by name: ours, and those another package brings by an entry point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devices.android import AndroidHandset
from devices.apps import load_app
from devices.drivers import GROUP, HandsetConnection, driver_named, drivers
from harness.errors import LabFileError, UsageError
from harness.evidence.timeline import Address, Timeline
from harness.lab.doctor import examine
from harness.lab.equipment import Equipment, Folders
from harness.lab.model import load_lab

SOURCE = '''
from types import SimpleNamespace

from devices.drivers import HandsetDriver
from devices.handset import HandsetIdentity
from harness.errors import HandsetLost


class Farm:
    """Handsets of a farm that is not reached by adb."""

    def __init__(self, to):
        self.serial, self.deadline, self.prepared = to.address, to.deadline, False
        self.log = SimpleNamespace(start=lambda: None, stop=lambda: None)

    def check(self):
        if self.serial != "shelf-3":
            raise HandsetLost("handset", self.serial, "a handset of the farm", "none", "name another")

    def wait_ready(self, timeout):
        self.check()

    def prepare(self):
        self.prepared = True

    def identify(self):
        return HandsetIdentity(self.serial, "Acme", "Nine", "7", 0, "acme/nine", "", None)


DRIVER = HandsetDriver(Farm, over_adb=False)
NO_DRIVER = Farm
'''


@pytest.fixture
def another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Install a distribution of one module with these entry points."""
    home = tmp_path / "site"
    info = home / "farm_handsets-1.0.dist-info"
    info.mkdir(parents=True)
    (home / "farm_handsets.py").write_text(SOURCE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: farm-handsets\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(home))

    def install(points: str) -> None:
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{points}\n")
        drivers.cache_clear()

    yield install
    drivers.cache_clear()


@pytest.fixture
def lab(here: Any) -> Any:
    """Bench a with one real handset of the farm and no network simulator."""
    with here.edited() as tree:
        tree["benches"] = {"a": tree["benches"]["a"]}
        del tree["benches"]["a"]["network_simulator"]
        dut = tree["benches"]["a"]["handsets"]["dut"]
        dut |= {"driver": "farm", "adb": "shelf-3"}
        del dut["modem"]
    return here


def test_a_driver_of_another_package_is_on_the_bench(another_package: Any, lab: Any, tmp_path: Path) -> None:
    another_package("farm = farm_handsets:DRIVER")
    parts = load_lab(lab.file).lab
    folders = Folders(tmp_path / "logs", tmp_path / "runtime")
    for folder in (folders.logs, folders.runtime):
        folder.mkdir()
    equipment = Equipment(parts, parts.benches["a"], Timeline(), folders, None)
    try:
        equipment.open(Address("127.0.0.1", 5060), None)
        handset: Any = equipment.handsets["dut"].android
        assert type(handset).__name__ == "Farm"
        assert (handset.serial, handset.deadline, handset.prepared) == ("shelf-3", 15, True)
        equipment.look_closely()
    finally:
        equipment.close()


def test_the_doctor_asks_a_driver_of_another_package(another_package: Any, lab: Any) -> None:
    another_package("farm = farm_handsets:DRIVER")
    (check,) = [check for check in examine(load_lab(lab.file)) if "dut" in check.part]
    assert (check.part, check.ok) == ("a: dut farm", True)
    assert check.text == "Acme Nine, release 7, acme/nine"
    with lab.edited() as tree:
        tree["benches"]["a"]["handsets"]["dut"]["adb"] = "shelf-4"
    (check,) = [check for check in examine(load_lab(lab.file)) if "dut" in check.part]
    assert not check.ok and "shelf-4: expected a handset of the farm" in check.text


def test_ours_keeps_its_name(another_package: Any) -> None:
    another_package("android = farm_handsets:DRIVER")
    made = driver_named("android").make(
        HandsetConnection("R5", Address("127.0.0.1", 1), load_app("google_messages"), Timeline(), 3.0, 9.0)
    )
    assert isinstance(made, AndroidHandset)
    assert (made.serial, made.link.deadline, made.ui_deadline) == ("R5", 3.0, 9.0)


def test_an_entry_point_that_is_no_driver_is_named(another_package: Any) -> None:
    another_package("farm = farm_handsets:NO_DRIVER")
    with pytest.raises(
        UsageError, match=r"entry point farm of rcslab\.devices: a HandsetDriver was expected"
    ):
        drivers()


def test_a_driver_nobody_brings_is_told_in_the_lab_file(lab: Any) -> None:
    drivers.cache_clear()
    with pytest.raises(LabFileError, match=r"driver: no handset driver 'farm'; there are: android"):
        load_lab(lab.file)


def test_a_simulated_handset_has_no_other_driver(another_package: Any, here: Any) -> None:
    another_package("farm = farm_handsets:DRIVER")
    with here.edited() as tree:
        tree["benches"]["a"]["handsets"]["dut"]["driver"] = "farm"
    with pytest.raises(LabFileError, match="leave `driver: farm` out"):
        load_lab(here.file)
