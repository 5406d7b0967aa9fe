"""The life of a bench: leased, brought up, judged, mended, torn down.

Bring-up starts what can start at the same time, then connects the drivers. The first failure of a bring-up is
kept and raised after everything that was started has been ended.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from devices.adb_server import AdbServer
from devices.android import AndroidHandset
from devices.apps import load_app
from devices.modem import Modem
from harness.agent.loop_thread import LoopThread
from harness.cpm.identity import Msisdn
from harness.cpm.services import Service
from harness.errors import LeaseTaken, UsageError
from harness.evidence.lanes import PEER
from harness.evidence.timeline import Address, Layer, Timeline
from harness.lab import warden
from harness.lab.leases import Lease, acquire
from harness.lab.model import (
    OWN,
    SIMULATED,
    BenchPart,
    HandsetPart,
    Lab,
    LabFile,
    NetworkSimulatorDriver,
    Tolerances,
)
from harness.lab.processes import Child
from harness.lab.simulation import (
    handset_ready,
    network_simulator_ready,
    refuse_personality,
    start_handset,
    start_network_simulator,
)
from harness.peer.config import FarParty, PeerAddresses, PeerConfig, Subscriber
from harness.peer.peer import Peer
from harness.verify.engine import Verifier, VerifySettings
from harness.verify.finding import Finding
from instruments.cmw500 import Cmw500
from instruments.network_simulator import NetworkSimulator
from instruments.visa import VisaSession

PEER_SECONDS = 5.0
DRIVERS = {NetworkSimulatorDriver.CMW500: Cmw500}


@dataclass(slots=True)
class HandsetOnBench:
    """A handset under test with the drivers that reach it.

    modem is None where the handset shows no AT port.
    """

    name: str
    part: HandsetPart
    android: AndroidHandset
    modem: Modem | None = None


class Bench:
    """One bench. Make one with `lease_and_open`, end it with `close`;

    between them every part is connected.
    """

    def __init__(
        self, lab: Lab, name: str, lease: Lease, folder: Path, personality: str | None, profile: str
    ) -> None:
        self.lab, self.name, self.part = lab, name, lab.benches[name]
        self.timeline, self.loop = Timeline(), LoopThread()
        self.handsets: dict[str, HandsetOnBench] = {}
        self._lease, self._folder = lease, folder
        self._personality, self._profile = personality, profile
        self._children: list[Child] = []
        self._stack = ExitStack()
        self._peer: Peer | None = None
        self._addresses: PeerAddresses | None = None
        self._network_simulator: NetworkSimulator | None = None
        self._verifier: Verifier | None = None

    # -- life

    @classmethod
    def lease_and_open(
        cls,
        lab_file: LabFile,
        name: str | None,
        folder: Path,
        *,
        personality: str | None = None,
        profile: str | None = None,
    ) -> Bench:
        """Lease the named bench, or the first free one, and bring it up. folder takes its logs.

        Raises: LabError (infra) with what failed; UsageError for a bench or personality that does not exist.
        """
        if name is not None:
            lab_file.bench(name)
        if personality is not None:
            refuse_personality(lab_file.lab, name)
        lease = _lease(lab_file, name)
        lab = lab_file.lab
        bench = cls(lab, lease.bench, lease, folder, personality, profile or lab.profile)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            bench._open()
        except BaseException:
            bench.close()
            raise
        return bench

    def _open(self) -> None:
        seconds = self.lab.deadlines.bring_up
        runtime = Path(tempfile.mkdtemp(prefix="rcslab-"))
        self._stack.callback(shutil.rmtree, runtime, ignore_errors=True)
        air_child = self._begin_network_simulator()
        self._open_peer()
        # The adb server starts while the simulated parts do.
        adb = self._open_adb_server(runtime)
        air = self._open_network_simulator(air_child, seconds)
        begun = {
            name: self._begin_handset(name, part, runtime, air)
            for name, part in self.part.handsets.items()
            if part.adb == SIMULATED
        }
        for name, part in self.part.handsets.items():
            self.handsets[name] = self._open_handset(name, part, begun.get(name), adb, seconds)
        self._verifier = Verifier(self._profile, verify_settings(self.part, self.lab.tolerances))
        self._go_on_air()

    def close(self) -> None:
        """End everything, last started first. Harmless when called twice."""
        for child in self._children:
            child.ask_to_stop()
        self._stack.close()
        for child in self._children:
            child.wait_stopped()
        self._children.clear()
        self.handsets.clear()
        self._lease.release()

    def mend(self) -> None:
        """Look after the parts before a test. Raises: ChildDied for a part that ended; HandsetLost."""
        for child in self._children:
            child.check()
        for handset in self.handsets.values():
            if handset.android.state() != "device":
                handset.android.wait_ready(self.lab.deadlines.adb)

    def restore_peer(self) -> None:
        """The peer as lab.yaml describes it, whatever a test before asked of it."""
        fresh = peer_config(self.part)
        for name in ("authentication", "max_expires", "min_expires"):
            setattr(self.peer.config, name, getattr(fresh, name))
        self.peer.answer_as_usual()
        self.peer.notifications.policy(timedelta(0), timedelta(0))

    # -- parts

    @property
    def peer(self) -> Peer:
        """The peer. Its coroutines run in `loop`."""
        assert self._peer is not None, "the bench is not open"
        return self._peer

    @property
    def network_simulator(self) -> NetworkSimulator:
        """The network simulator. Raises: UsageError on a bench without one."""
        if self._network_simulator is None:
            raise UsageError(f"bench {self.name} has no network simulator; this keyword needs one")
        return self._network_simulator

    def handset(self, name: str | None = None) -> HandsetOnBench:
        """The handset of that name, the first one when no name is given. Raises: UsageError."""
        if name is None:
            return next(iter(self.handsets.values()))
        if name not in self.handsets:
            raise UsageError(f"bench {self.name} has no handset {name!r}; it has: {', '.join(self.handsets)}")
        return self.handsets[name]

    @property
    def pcscf(self) -> Address:
        """Where the P-CSCF of this bench listens; the first address when there are several."""
        assert self._addresses is not None, "the bench is not open"
        return self._addresses.sip_udp[0]

    @property
    def roles(self) -> dict[str, list[str]]:
        """The addresses of each lifeline of the ladder."""
        assert self._addresses is not None, "the bench is not open"
        own = [*self._addresses.sip_udp]
        if self._addresses.msrp is not None:
            own.append(self._addresses.msrp)
        return {PEER: [str(address) for address in own]}

    # -- judgement

    def judge(self, since: int) -> list[Finding]:
        """Judge what the timeline holds; the findings on entries later than number `since`, each once."""
        assert self._verifier is not None, "the bench is not open"
        return self._verifier.judge(self.timeline.since(0), since)

    # -- bring-up, part by part

    def _begin_network_simulator(self) -> Child | None:
        part = self.part.network_simulator
        if part is None or part.resource != SIMULATED:
            return None
        return self._adopt(start_network_simulator(self._folder))

    def _begin_handset(self, name: str, part: HandsetPart, runtime: Path, air: str | None) -> Child:
        child = start_handset(
            name,
            part,
            folder=self._folder,
            runtime=runtime,
            air=air,
            domain=self.part.peer.domain,
            pcscf_port=self.pcscf.port,
            personality=self._personality,
        )
        return self._adopt(child)

    def _adopt(self, child: Child) -> Child:
        self._children.append(child)
        return child

    def _open_peer(self) -> None:
        self.loop.start()
        self._stack.callback(self.loop.close)
        self._peer = peer = Peer(peer_config(self.part), self.timeline)
        self._addresses = self.loop.call(peer.start(), PEER_SECONDS)
        self._stack.callback(lambda: self.loop.call(peer.stop(), PEER_SECONDS))
        self.timeline.event(Layer.LAB, "parties", network=self.roles[PEER])

    def _open_adb_server(self, runtime: Path) -> AdbServer | Address:
        """Our own adb server under the warden, or the one the lab file names."""
        if self.lab.adb_server != OWN:
            host, _, port = self.lab.adb_server.rpartition(":")
            return Address(host, int(port))
        guard = [sys.executable, warden.__file__, "--remove", str(runtime)]
        guard += ["--unlock", str(self._lease.path), "--"]
        real = any(part.adb != SIMULATED for part in self.part.handsets.values())
        server = AdbServer(runtime / "adb", prefix=guard, usb=real)
        self._stack.callback(server.stop)
        server.start(self.lab.deadlines.bring_up)
        return server

    def _open_network_simulator(self, child: Child | None, seconds: float) -> str | None:
        """Connect its driver and set the cell; returns the air of a simulated one."""
        part = self.part.network_simulator
        if part is None:
            return None
        simulated = network_simulator_ready(child, seconds) if child else None
        resource = simulated.resource if simulated else part.resource
        session = VisaSession(resource, self.timeline, timeout=self.lab.deadlines.visa)
        self._network_simulator = simulator = DRIVERS[part.driver](session, self.timeline)
        self._stack.callback(simulator.close)
        simulator.open()
        cell = part.cell
        simulator.cell_off(self.lab.deadlines.cell)
        simulator.configure(mcc=cell.mcc, mnc=cell.mnc, tac=cell.tac, eci=cell.eci)
        simulator.power(cell.power_dbm)
        simulator.set_pcscf(self.pcscf.host)
        return simulated.air if simulated else None

    def _open_handset(
        self, name: str, part: HandsetPart, child: Child | None, adb: AdbServer | Address, seconds: float
    ) -> HandsetOnBench:
        simulated = handset_ready(child, seconds) if child else None
        serial = simulated.adb if simulated else part.adb
        if isinstance(adb, AdbServer) and ":" in serial:
            adb.connect(serial, self.lab.deadlines.adb)
        android = AndroidHandset(
            serial,
            adb.port,
            load_app(part.app),
            self.timeline,
            deadline=self.lab.deadlines.adb,
            ui_deadline=self.lab.deadlines.screen,
        )
        android.wait_ready(self.lab.deadlines.adb)
        android.prepare()
        android.log.start()
        self._stack.callback(android.log.stop)
        port = simulated.modem if simulated and part.modem == SIMULATED else part.modem
        return HandsetOnBench(name, part, android, self._open_modem(port) if port else None)

    def _open_modem(self, port: str) -> Modem:
        modem = Modem(port, self.timeline, default_seconds=self.lab.deadlines.at)
        self._stack.callback(modem.close)
        modem.open()
        return modem

    def _go_on_air(self) -> None:
        """The cell on, and the first handset registered: a bench that is up is ready for a test."""
        if self._network_simulator is not None:
            self._network_simulator.cell_on(self.lab.deadlines.cell)


def peer_config(part: BenchPart) -> PeerConfig:
    """What the peer is told: the bench's domain, addresses and subscribers."""
    domain = part.peer.domain
    return PeerConfig(
        domain,
        tuple(subscriber(handset, domain) for handset in part.handsets.values()),
        part.peer.authentication,
        listen=tuple((address, part.peer.port) for address in part.peer.addresses),
        far_party=FarParty.of(part.peer.number, domain),
    )


def subscriber(part: HandsetPart, domain: str) -> Subscriber:
    """The subscription of a handset. Its private identity is that of its IMSI in the home domain."""
    number, sim = Msisdn.parse(part.msisdn), part.sim
    return Subscriber(
        f"{part.imsi}@{domain}",
        (number.sip(domain), number.tel),
        password=sim.password.get_secret_value() if sim.password else None,
        k=bytes.fromhex(sim.k.get_secret_value()) if sim.k else None,
        opc=bytes.fromhex(sim.opc.get_secret_value()) if sim.opc else None,
        amf=bytes.fromhex(sim.amf),
    )


def verify_settings(part: BenchPart, tolerances: Tolerances) -> VerifySettings:
    """What the verifier cannot read off the wire."""
    return VerifySettings(
        icsis=frozenset({Service.PAGER.icsi}),
        home_domain=part.peer.domain,
        clock_tolerance=tolerances.clock,
        cell_tolerance=tolerances.cell,
        registration_window=tolerances.ims,
        from_start=True,  # the timeline of a bench begins before its handset is on the air
    )


def _lease(lab_file: LabFile, name: str | None) -> Lease:
    """The lease of the named bench, or of the first free one. Raises: LeaseTaken."""
    taken: LeaseTaken | None = None
    for candidate in [name] if name else lab_file.lab.benches:
        try:
            return acquire(lab_file.path, candidate)
        except LeaseTaken as error:
            taken = error
    assert taken is not None, "a lab has one bench or more"
    raise taken
