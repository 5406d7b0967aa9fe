"""Starting the simulated parts of a bench: processes of their own, reached by the addresses they report.

This is the one place of the lab that knows a part is simulated. What it gives back are addresses, which the
drivers use as they use those of real equipment.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from devices.simulated.personality import personality_named
from harness.agent.child_process import COMMAND
from harness.cpm.technology import ImTechnology
from harness.errors import UsageError
from harness.lab.model import SIMULATED, TLS, HandsetPart, Lab, SimulatedHandsetPart
from harness.lab.processes import Child


@dataclass(frozen=True, slots=True)
class SimulatedNetworkSimulator:
    """A running simulated network simulator. air is where simulated handsets hear its cell."""

    child: Child
    resource: str
    air: str


@dataclass(frozen=True, slots=True)
class SimulatedHandset:
    """A running simulated handset."""

    child: Child
    adb: str
    modem: str


def refuse_personality(lab: Lab, bench: str | None, personality: str) -> None:
    """Raises: UsageError, for one that does not exist or is asked of a bench whose handsets are real."""
    personality_named(personality)
    for name in [bench] if bench else lab.benches:
        real = [handset for handset, part in lab.benches[name].handsets.items() if part.adb != SIMULATED]
        if real:
            raise UsageError(
                f"bench {name}: {', '.join(real)} is a real handset with a personality of its own"
            )


def start_network_simulator(dialect: str, folder: Path) -> Child:
    """Begin a simulated network simulator; read its addresses with `network_simulator_ready`."""
    argv = [*_module("instruments.simulated.network_simulator"), "--until-stdin-closes", "--dialect", dialect]
    return Child("simulated network simulator", argv, folder / "network-simulator.log")


def network_simulator_ready(child: Child, seconds: float) -> SimulatedNetworkSimulator:
    """Wait for its ready line. Raises: ChildDied."""
    ready = child.read_ready(seconds)
    return SimulatedNetworkSimulator(child, str(ready["visa_socket"]), str(ready["air"]))


def start_handset(
    name: str,
    part: HandsetPart,
    *,
    folder: Path,
    runtime: Path,
    air: str | None,
    domain: str,
    im_technology: ImTechnology,
    pcscf_port: int,
    tls_ca: Path | None,
    personality: str | None,
) -> Child:
    """Begin a simulated handset; read its addresses with `handset_ready`. Its secrets go by the environment.

    runtime is the folder its modem link lives in, tls_ca whom it trusts when it speaks TLS.
    """
    settings = part.simulated or SimulatedHandsetPart()
    argv = [*_module("devices.simulated.handset"), "--until-stdin-closes", "--name", name]
    argv += ["--msisdn", part.msisdn, "--imsi", part.imsi, "--domain", domain]
    argv += ["--modem-link", str(runtime / f"tty-{name}"), "--pcscf-port", str(pcscf_port)]
    argv += ["--im-technology", im_technology.value]
    argv += ["--transport", settings.transport, "--personality", personality or settings.personality]
    if settings.transport == TLS and tls_ca is not None:
        argv += ["--tls-ca", str(tls_ca)]
    if settings.msrp == TLS:
        argv += ["--msrp-tls"]
    for defect in settings.defects:
        argv += ["--defect", defect]
    if part.imei:
        argv += ["--imei", part.imei]
    if air:
        argv += ["--air", air]
    secrets = {"K": part.sim.k, "OPC": part.sim.opc, "PASSWORD": part.sim.password}
    environment = {
        f"RCSLAB_SIM_{key}": secret.get_secret_value()
        for key, secret in secrets.items()
        if secret is not None
    }
    return Child(f"simulated handset {name}", argv, folder / f"handset-{name}.log", environment)


def handset_ready(child: Child, seconds: float) -> SimulatedHandset:
    """Wait for its ready line. Raises: ChildDied."""
    ready = child.read_ready(seconds)
    return SimulatedHandset(child, str(ready["adb"]), str(ready["modem"]))


def _module(name: str) -> list[str]:
    """The same as `rcslab simulate`, without the time the command line takes to load."""
    return [sys.executable, *COMMAND, name]
