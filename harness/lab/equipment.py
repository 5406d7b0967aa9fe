"""What a bench is made of beside the peer: network simulator, adb server, handsets with their modems.

All of it can be ended and begun anew while the peer, its addresses and the timeline stay.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from devices.adb_server import AdbServer
from devices.apps import load_app
from devices.drivers import HandsetConnection, driver_named
from devices.handset import LabHandset
from devices.modem import AtError, Modem
from harness.errors import ChildDied, LabError
from harness.evidence.timeline import Address, Entry, Event, Layer, Timeline
from harness.lab import warden
from harness.lab.closing import close_all
from harness.lab.model import OWN, SIMULATED, TLS, BenchPart, HandsetPart, Lab
from harness.lab.processes import Child
from harness.lab.simulation import (
    handset_ready,
    network_simulator_ready,
    start_handset,
    start_network_simulator,
)
from instruments.capability import Operation
from instruments.drivers import open_driver
from instruments.network_simulator import NetworkSimulator


@dataclass(frozen=True, slots=True)
class Folders:
    """logs: where the processes of the lab write theirs. runtime: removed at the end, however it comes."""

    logs: Path
    runtime: Path


@dataclass(slots=True)
class HandsetOnBench:
    """A handset under test with the drivers that reach it.

    modem is None where the handset shows no AT port.
    """

    name: str
    part: HandsetPart
    android: LabHandset
    modem: Modem | None = None


class Equipment:
    """The equipment of one bench, closed until `open`. Opening again after `close` starts everything anew."""

    def __init__(
        self, lab: Lab, part: BenchPart, timeline: Timeline, folders: Folders, personality: str | None
    ) -> None:
        self.handsets: dict[str, HandsetOnBench] = {}
        self.network_simulator: NetworkSimulator | None = None
        self._lab, self._part, self._timeline = lab, part, timeline
        self._folders, self._personality = folders, personality
        self._children: list[Child] = []
        self._adb_server: AdbServer | None = None
        self._network_simulator_child: Child | None = None
        self._pcscf: Address | None = None
        self._instrument_lost = False
        self._stack = ExitStack()
        timeline.listen(self._note_loss)

    # -- life

    def begin(self) -> None:
        """Start what takes its time and needs nobody else; `open` waits for it."""
        part = self._part.network_simulator
        if part is not None and part.resource == SIMULATED:
            self._network_simulator_child = self._adopt(
                start_network_simulator(part.driver, self._folders.logs)
            )

    def open(self, pcscf: Address, tls_port: int | None) -> None:
        """Start and connect everything, and put the cell on the air.

        pcscf: what the network hands out; tls_port: where the same host speaks TLS.

        Raises: LabError. Whatever was started stays until `close`.
        """
        self._pcscf, self._instrument_lost = pcscf, False
        # The adb server starts while the simulated parts do.
        adb = self._open_adb_server()
        air = self._open_network_simulator()
        begun = {
            name: self._begin_handset(name, part, air, _port_for(part, pcscf, tls_port))
            for name, part in self._part.handsets.items()
            if part.adb == SIMULATED
        }
        for name, part in self._part.handsets.items():
            self.handsets[name] = self._open_handset(name, part, begun.get(name), adb)
        if self.network_simulator is not None:
            self.network_simulator.cell_on(self._lab.deadlines.cell)

    def close(self) -> None:
        """End everything, last opened first, the processes at the same time."""
        for child in self._children:
            child.ask_to_stop()
        try:
            close_all(self._stack)
        finally:
            for child in self._children:
                child.wait_stopped()
            self._children.clear()
            self.handsets.clear()
            self.network_simulator = self._adb_server = self._network_simulator_child = None

    # -- faults

    def watch(self) -> None:
        """See whether every process of ours runs. Raises: ChildDied."""
        for child in self._children:
            child.check()
        if self._adb_server is not None:
            self._adb_server.check()

    def look_closely(self) -> None:
        """See whether every process runs, and ask every handset, modem and instrument a question.

        Raises: ChildDied for a process of ours, else the LabError of the first that does not answer.
        """
        self.watch()
        for ask in self._questions():
            ask()

    def _questions(self) -> Iterator[Callable[[], object]]:
        for handset in self.handsets.values():
            yield handset.android.check
            if handset.modem is not None:
                yield partial(_ask_modem, handset.modem)
        if self.network_simulator is not None:
            yield self.network_simulator.state

    def mend(self) -> bool:
        """Wait for lost handsets, let drivers open lost ports anew, set up an instrument that was lost.

        Returns whether the cell began anew. Raises: ChildDied for a process of ours, which only closing and
        opening brings back; LabError for what does not come back within its deadline.
        """
        try:
            self.look_closely()
        except ChildDied:
            raise
        except LabError as error:
            self._timeline.event(Layer.LAB, "note", f"reconnecting: {error}")
            self._reconnect()
        lost, self._instrument_lost = self._instrument_lost, False
        if lost and self.network_simulator is not None:
            self._set_up_cell(self.network_simulator)
            self.network_simulator.cell_on(self._lab.deadlines.cell)
        return lost

    def _note_loss(self, entry: Entry) -> None:
        """An instrument that was lost may have been switched off and on: it knows nothing of us any more."""
        if isinstance(entry, Event) and entry.layer is Layer.VISA and entry.name == "lost":
            self._instrument_lost = True

    def _reconnect(self) -> None:
        for handset in self.handsets.values():
            handset.android.wait_ready(self._lab.deadlines.adb)
        for ask in self._questions():
            with suppress(LabError):  # the first question after a loss may still tell of the loss
                ask()
        self.look_closely()

    # -- part by part

    def _adopt(self, child: Child) -> Child:
        self._children.append(child)
        return child

    def _begin_handset(self, name: str, part: HandsetPart, air: str | None, pcscf_port: int) -> Child:
        child = start_handset(
            name,
            part,
            folder=self._folders.logs,
            runtime=self._folders.runtime,
            air=air,
            domain=self._part.peer.domain,
            im_technology=self._part.im_technology,
            pcscf_port=pcscf_port,
            # The certificate of the peer vouches for itself: nobody else has to be told.
            tls_ca=self._part.peer.tls.certificate if self._part.peer.tls else None,
            personality=self._personality,
        )
        return self._adopt(child)

    def _open_adb_server(self) -> AdbServer | Address:
        """Our own adb server under a warden, or the one the lab file names."""
        if self._lab.adb_server != OWN:
            host, _, port = self._lab.adb_server.rpartition(":")
            return Address(host, int(port))
        # Looking for USB takes adb seconds where there is none; host:port is reached without.
        usb = any(
            part.adb != SIMULATED and ":" not in part.adb and driver_named(part.driver).over_adb
            for part in self._part.handsets.values()
        )
        server = guarded_adb_server(self._folders.runtime / "adb", self._folders.logs, usb=usb)
        self._stack.callback(server.stop)
        server.start(self._lab.deadlines.bring_up)
        self._adb_server = server
        return server

    def _open_network_simulator(self) -> str | None:
        """Connect its driver and set the cell; returns the air of a simulated one."""
        part, deadlines = self._part.network_simulator, self._lab.deadlines
        if part is None:
            return None
        child = self._network_simulator_child
        simulated = network_simulator_ready(child, deadlines.bring_up) if child else None
        resource = simulated.resource if simulated else part.resource
        simulator = open_driver(part.driver, resource, self._timeline, deadlines.visa)
        self.network_simulator = simulator
        self._stack.callback(simulator.close)
        simulator.open()
        self._set_up_cell(simulator)
        return simulated.air if simulated else None

    def _set_up_cell(self, simulator: NetworkSimulator) -> None:
        """The cell as lab.yaml describes it, off the air."""
        assert self._part.network_simulator is not None and self._pcscf is not None
        part, deadlines = self._part.network_simulator, self._lab.deadlines
        if part.scenario:
            simulator.load_scenario(part.scenario, deadlines.cell)
        simulator.cell_off(deadlines.cell)
        identity = {name: getattr(part.cell, name) for name in ("mcc", "mnc", "tac", "eci")}
        told = {name: value for name, value in identity.items() if Operation(name) in simulator.operations}
        if told:
            simulator.configure(**told)
        if Operation.POWER in simulator.operations:
            simulator.power(part.cell.power_dbm)
        if Operation.PCSCF_IPV4 in simulator.operations:
            simulator.set_pcscf(self._pcscf.host)
        wanted = (*(Operation(name) for name in identity), Operation.POWER, Operation.PCSCF_IPV4)
        if lacking := [operation.value for operation in wanted if operation not in simulator.operations]:
            text = (
                f"{part.driver} has no command for {', '.join(lacking)}: they are as its scenario sets them"
            )
            self._timeline.event(Layer.LAB, "note", text)

    def _open_handset(
        self, name: str, part: HandsetPart, child: Child | None, adb: AdbServer | Address
    ) -> HandsetOnBench:
        deadlines = self._lab.deadlines
        simulated = handset_ready(child, deadlines.bring_up) if child else None
        serial = simulated.adb if simulated else part.adb
        driver = driver_named(part.driver)
        if isinstance(adb, AdbServer) and driver.over_adb and ":" in serial:
            adb.connect(serial, deadlines.adb)
        server, app = Address(adb.host, adb.port), load_app(part.app)
        android = driver.make(
            HandsetConnection(serial, server, app, self._timeline, deadlines.adb, deadlines.screen)
        )
        android.wait_ready(deadlines.adb)
        android.prepare()
        android.log.start()
        self._stack.callback(android.log.stop)
        port = simulated.modem if simulated and part.modem == SIMULATED else part.modem
        return HandsetOnBench(name, part, android, self._open_modem(port) if port else None)

    def _open_modem(self, port: str) -> Modem:
        modem = Modem(port, self._timeline, default_seconds=self._lab.deadlines.at)
        self._stack.callback(modem.close)
        modem.open()
        return modem


def _ask_modem(modem: Modem) -> None:
    with suppress(AtError):  # a refusal is an answer
        modem.command("AT")


def guarded_adb_server(folder: Path, logs: Path, *, usb: bool) -> AdbServer:
    """An adb server that a warden ends when we die: adb itself would not notice."""
    prefix = [sys.executable, *warden.COMMAND, "--"]
    return AdbServer(folder, output=logs / "adb-server.log", prefix=prefix, usb=usb)


def _port_for(part: HandsetPart, pcscf: Address, tls_port: int | None) -> int:
    """The port of the P-CSCF for the transport a simulated handset prefers."""
    secured = part.simulated is not None and part.simulated.transport == TLS
    return tls_port if secured and tls_port is not None else pcscf.port
