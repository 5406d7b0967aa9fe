"""The arrows of the house, held: who may import whom, what does no I/O, what prints, what lies in robot/."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[1]
PACKAGES = ("harness", "devices", "instruments")
FILES = sorted(path for package in PACKAGES for path in (HOME / package).rglob("*.py"))
SANS_IO = ("harness/sip", "harness/msrp", "harness/bodies", "harness/verify", "harness/cpm")
IO = {"asyncio", "socket", "threading", "robot", "subprocess", "selectors", "serial", "pyvisa", "adbutils"}

FLOOR = {"harness.errors", "harness.cpm"}
WIRE = {"harness.sip", "harness.msrp", "harness.bodies"}
EVIDENCE = {"harness.evidence"}
AGENT = {"harness.agent"}
REAL = {"devices", "instruments"}
ARROWS = {
    "harness.errors": set(),
    "harness.cpm": {"harness.errors"},
    "harness.sip": FLOOR,
    "harness.msrp": FLOOR,
    "harness.bodies": FLOOR,
    "harness.evidence": FLOOR,
    "harness.verify": FLOOR | WIRE | EVIDENCE,
    "harness.agent": FLOOR | WIRE | EVIDENCE,
    "harness.peer": FLOOR | WIRE | EVIDENCE | AGENT,
    "devices": FLOOR | WIRE | EVIDENCE | AGENT,
    "instruments": FLOOR | WIRE | EVIDENCE | AGENT,
    "harness.lab": FLOOR | WIRE | EVIDENCE | AGENT | REAL | {"harness.peer", "harness.verify"},
    "harness.keywords": FLOOR
    | WIRE
    | EVIDENCE
    | AGENT
    | REAL
    | {"harness.peer", "harness.verify", "harness.lab"},
}
TOP = {"harness.cli", "harness.run", "harness.RCS", "harness"}
PRINTERS = {"harness/cli.py"}


def name_of(path: Path) -> str:
    parts = path.relative_to(HOME).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room of the house a module is in."""
    parts = module.split(".")
    return parts[0] if parts[0] in REAL else ".".join(parts[:2])


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_arrows_point_one_way(path: Path):
    room = room_of(name_of(path))
    if room in TOP:
        return
    ours = {name for name in imports_of(path) if name.split(".")[0] in PACKAGES}
    rooms = {room_of(name) for name in ours}
    assert rooms - {"harness"} <= ARROWS[room] | {room}


@pytest.mark.parametrize("folder", SANS_IO)
def test_sans_io_packages_do_no_io(folder: str):
    for path in (HOME / folder).rglob("*.py"):
        assert not {name.split(".")[0] for name in imports_of(path)} & IO, path


def test_the_drivers_do_not_know_the_simulated_parts():
    for package in REAL:
        for path in (HOME / package).rglob("*.py"):
            if "simulated" not in path.parts:
                assert not [name for name in imports_of(path) if ".simulated" in name], path


def test_only_the_lab_knows_what_is_simulated():
    for path in (HOME / "harness").rglob("*.py"):
        if path.parent.name != "lab" and path.name != "cli.py":
            assert not [name for name in imports_of(path) if ".simulated" in name], path


def test_nothing_but_the_command_prints():
    for path in FILES:
        if str(path.relative_to(HOME)) in PRINTERS:
            continue
        calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], (
            path
        )


def test_robot_holds_suites_and_resources_only():
    strays = [
        path
        for path in (HOME / "robot").rglob("*")
        if path.is_file() and path.suffix not in (".robot", ".resource")
    ]
    assert strays == []
