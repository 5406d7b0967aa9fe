"""The life of a bench: leased, brought up, judged, mended, torn down.

The first failure of a bring-up is kept and raised after everything that was started has been ended. A warden,
started before anything else, cleans up after a run that was killed.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from harness.agent.loop_thread import LoopThread
from harness.agent.sockets.tls import fingerprint_context, server_context
from harness.cpm.identity import Msisdn
from harness.cpm.profiles import Profile
from harness.cpm.services import Service
from harness.cpm.technology import TECHNOLOGIES, ImTechnology
from harness.errors import ChildDied, HandsetError, LabError, NotOnBench, UsageError
from harness.evidence.lanes import PEER
from harness.evidence.timeline import Address, Entry, Event, Layer, Timeline
from harness.lab.closing import close_all
from harness.lab.equipment import Equipment, Folders, HandsetOnBench
from harness.lab.leases import Lease, acquire_free, lease_path
from harness.lab.limits_part import LimitsPart
from harness.lab.model import BenchPart, HandsetPart, LabFile, Tolerances
from harness.lab.peer_part import MsrpTlsPart
from harness.lab.processes import Child, warden_process
from harness.lab.simulation import refuse_personality
from harness.peer.config import (
    FarParty,
    MsrpTlsListening,
    PeerAddresses,
    PeerConfig,
    Subscriber,
    TlsListening,
)
from harness.peer.peer import Peer
from harness.peer.personality import personality_named
from harness.peer.transferred_file import ReceivedFile
from harness.sip.security_agreement import SecurityServer
from harness.verify.coverage import Covered
from harness.verify.due import Due, due_notifications
from harness.verify.engine import Verifier, VerifySettings
from harness.verify.finding import Finding, Party
from harness.verify.judgement import Judgement
from harness.verify.transcript import Transcript
from harness.verify.waivers import waive
from instruments.capability import Operation
from instruments.network_simulator import NetworkSimulator
from instruments.visa import WAITING

PEER_SECONDS = 5.0
ATTEMPTS = 3  # a bench that could not be mended so many times in a row is given up
_log = logging.getLogger(__name__)


class Bench:
    """One bench. Make one with `lease_and_open`, end it with `close`;

    between them every part is connected.
    """

    def __init__(
        self,
        lab_file: LabFile,
        lease: Lease,
        guard: Child,
        folders: Folders,
        personality: str | None,
        profile: str | None,
    ) -> None:
        self.lab, self.name = lab_file.lab, lease.bench
        self.part = self.lab.benches[self.name]
        self.timeline, self.loop = Timeline(folder=folders.logs), LoopThread(uvloop=True)
        self._lab_path, self._lease, self._guard, self._folders = lab_file.path, lease, guard, folders
        self._profile = profile or self.lab.profile
        self._equipment = Equipment(self.lab, self.part, self.timeline, folders, personality)
        self._stack = ExitStack()
        self._peer: Peer | None = None
        self._addresses: PeerAddresses | None = None
        self._verifier: Verifier | None = None
        self._waivers = lab_file.waivers()
        self._covered_before = Covered()
        self._judged = 0
        self._judged_from = 0
        self._mending_failed: list[LabError] = []

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
        lease: Lease | None = None,
        on_wait: Callable[[str], None] = lambda text: None,
    ) -> Bench:
        """Lease the named bench, or the first free one, and bring it up. folder takes its logs.

        lease is that of the named bench where somebody leased it for us. on_wait is told of what takes long.

        Raises: LabError (infra) with what failed; UsageError for a bench or personality that does not exist.
        """
        refuse_unusable(lab_file, name, personality)
        candidates = [name] if name else list(lab_file.lab.benches)
        folders = Folders(folder, Path(tempfile.gettempdir()) / f"rcslab-{secrets.token_hex(6)}")
        leases = [lease_path(lab_file.path, each) for each in candidates]
        guard = warden_process(folders.logs / "warden.log", leases, folders.runtime)
        try:
            if lease is None:
                (lease,) = acquire_free(lab_file.path, candidates, 1)
            else:
                lease.claim()
        except BaseException:
            guard.stop()
            raise
        bench = cls(lab_file, lease, guard, folders, personality, profile)
        bench.timeline.listen(partial(_tell_waiting, on_wait))
        try:
            bench._open()
        except BaseException:
            bench.close()
            raise
        return bench

    def _open(self) -> None:
        self._folders.runtime.mkdir(mode=0o700)
        self._equipment.begin()
        self._open_peer()
        self._open_equipment()

    def _open_peer(self) -> None:
        self.loop.start()
        self._stack.callback(self.loop.close)
        self._peer = peer = Peer(peer_config(self.part, self.lab.limits), self.timeline)
        self._addresses = self.loop.call(peer.start(), PEER_SECONDS)
        self._stack.callback(lambda: self.loop.call(peer.stop(), PEER_SECONDS))

    def _open_equipment(self) -> None:
        """Raises: LabError; what a handset refuses before there is a test is the lab's fault as well."""
        self.timeline.event(Layer.LAB, "parties", network=self.roles[PEER])
        self.peer.config.im_technology = self.part.im_technology  # with which simulated handsets begin
        self._covered_before = self.covered
        self._verifier = Verifier(
            self._profile, verify_settings(self.part, self.lab.tolerances), Transcript()
        )
        try:
            assert self._addresses is not None, "the bench is not open"
            secured = self._addresses.sip_tls
            self._equipment.open(self.pcscf, secured[0].port if secured else None)
        except (HandsetError, OSError) as error:
            place, expected = f"bench {self.name}", "a bench that comes up"
            remedy = f"see the logs in {self._folders.logs}"
            raise LabError(place, str(self._lab_path), expected, str(error), remedy) from error

    def close(self) -> None:
        """End everything, last started first. Harmless when called twice.

        A part that does not end cleanly is logged: how a bench ended must not hide why.
        """
        try:
            self._equipment.close()
            close_all(self._stack)
            shutil.rmtree(self._folders.runtime, ignore_errors=True)
        finally:
            self._lease.release()
            self._guard.stop()

    # -- faults

    def watch(self) -> None:
        """See whether the processes of the bench run, which costs next to nothing. Raises: ChildDied."""
        self._equipment.watch()

    def look_closely(self) -> None:
        """Ask every part whether it is still there. Raises: LabError of the first that is not."""
        self._equipment.look_closely()

    def mend(self) -> None:
        """Look after the parts before a test: what died is started anew, a lost handset is waited for.

        Raises: LabError when that does not help; at once, when it did not three times in a row.
        """
        if len(self._mending_failed) == ATTEMPTS:
            raise self._mending_failed[-1]
        try:
            self._mend()
            self._mending_failed.clear()
        except LabError as error:
            self._mending_failed.append(error)
            raise

    def _mend(self) -> None:
        if not self.handsets:
            self._restart("the attempt before failed")
            return
        try:
            cell_began_anew = self._equipment.mend()
        except ChildDied as error:
            self._restart(str(error))
        else:
            if cell_began_anew:  # bindings from before are of a network that is gone
                self.loop.call(_forget(self.peer), PEER_SECONDS)

    def _restart(self, why: str) -> None:
        """End the equipment and begin it anew. The peer, its addresses and the timeline stay."""
        _log.warning("bench %s begins anew: %s", self.name, why)
        self._equipment.close()
        self.loop.call(_forget(self.peer), PEER_SECONDS)
        # What a killed part left undone is nobody's violation: judgement begins anew as well.
        self._judged_from = self.timeline.event(Layer.LAB, "restart", why, bench=self.name).number
        try:
            self._equipment.begin()
            self._open_equipment()
        except BaseException:
            self._equipment.close()
            raise

    def restore(self) -> None:
        """Peer and verifier as lab.yaml describes them, whatever a test before asked of them."""
        self.tolerate(self.lab.tolerances)
        fresh = peer_config(self.part)
        self.peer.registrar.authentication = fresh.authentication
        self.peer.registrar.min_expires = fresh.min_expires
        self.peer.config.max_expires = fresh.max_expires
        self.peer.answer_as_usual()
        self.peer.file_transfers.let_go()
        self.peer.notifications.policy(timedelta(0), timedelta(0))
        self.peer.notifications.aggregating = False
        self.peer.large_messages.largest = None
        self.peer.deferred_messages.empty()
        self.peer.groups.foci.members_join = True

    def use_technology(self, technology: ImTechnology) -> None:
        """Let peer and verifier know what the handsets are provisioned with from now on."""
        assert self._verifier is not None, "the bench is not open"
        self.judge(len(self.timeline))
        self.peer.config.im_technology = technology
        self._verifier.use(replace(self._verifier.settings, icsis=icsis_of(technology)))

    def tolerate(self, tolerances: Tolerances) -> None:
        """What the verifier allows between layers from now on."""
        assert self._verifier is not None, "the bench is not open"
        self.judge(len(self.timeline))
        self._verifier.use(tolerating(self._verifier.settings, tolerances))

    # -- parts

    @property
    def peer(self) -> Peer:
        """The peer. Its coroutines run in `loop`."""
        assert self._peer is not None, "the bench is not open"
        return self._peer

    def offers(self, operation: Operation) -> bool:
        """Whether the network simulator of this bench has a command for it; a bench without one has none."""
        simulator = self._equipment.network_simulator
        return simulator is not None and operation in simulator.operations

    @property
    def network_simulator_name(self) -> str:
        """Its driver, for people."""
        part = self.part.network_simulator
        return f"driver {part.driver}" if part is not None else "there is none"

    @property
    def network_simulator(self) -> NetworkSimulator:
        """The network simulator. Raises: NotOnBench on a bench without one."""
        simulator = self._equipment.network_simulator
        if simulator is None:
            raise NotOnBench(f"bench {self.name} has no network simulator; this keyword needs one")
        return simulator

    @property
    def handsets(self) -> dict[str, HandsetOnBench]:
        """The handsets by name; none while the bench is broken."""
        return self._equipment.handsets

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
        return {PEER: [str(address) for address in self._addresses.all]}

    # -- judgement

    def judge(self, since: int) -> list[Finding]:
        """Judge what the timeline holds; all findings on entries later than number `since`, waived or not."""
        assert self._verifier is not None, "the bench is not open"
        new = self.timeline.since(max(self._judged_from, self._verifier.seen))
        return waive(self._verifier.judge(new, since), self._waivers, date.today())

    def judgement(self, name: str, since: int) -> Judgement:
        """What a report says of entries later than number `since`, under this name."""
        assert self._verifier is not None, "the bench is not open"
        return Judgement.since(name, self._verifier, since).with_waivers(self._waivers, date.today())

    @property
    def covered(self) -> Covered:
        """What the tests on this bench have exercised, also before parts of it were started anew."""
        covered = Covered()
        covered.add(self._covered_before)
        if self._verifier is not None:
            covered.add(Covered.by(self._verifier))
        return covered

    @property
    def profile(self) -> Profile:
        """What findings are judged under."""
        return Profile(self._profile)

    def due(self, since: int, owed_by: Party) -> list[Due]:
        """The notifications that messages later than number `since` ask of a side, and what came of them."""
        self.judge(since)
        assert self._verifier is not None, "the bench is not open"
        found = due_notifications(self._verifier.assembly, owed_by=owed_by)
        return [due for due in found if due.message.number > since]

    def received_files(self, since: int) -> list[ReceivedFile]:
        """The files of handsets that were complete later than number `since` of the timeline."""
        arrived = list(self.peer.file_transfers.arrived)
        return [file for file in arrived if file.message.number > since]


_NO_LIMITS_SET = LimitsPart()


def peer_config(part: BenchPart, limits: LimitsPart = _NO_LIMITS_SET) -> PeerConfig:
    """What the peer is told: the bench's domain, addresses and subscribers, and the limits of the lab."""
    domain = part.peer.domain
    return PeerConfig(
        domain,
        tuple(subscriber(handset, domain) for handset in part.handsets.values()),
        part.peer.authentication,
        algorithms=part.peer.algorithms,
        listen=tuple((address, part.peer.port) for address in part.peer.addresses),
        tls=TlsListening(part.peer.tls.port, part.peer.tls.settings) if part.peer.tls else None,
        msrp_tls=_msrp_tls(part.peer.msrp_tls),
        far_party=FarParty.of(part.peer.number, domain),
        security_agreement=part.peer.security_agreement,
        mechanisms=tuple(map(SecurityServer.parse, part.peer.mechanisms)),
        limits=limits.peer,
        personality=personality_named(part.peer.personality),
        im_technology=part.im_technology,
    )


def _msrp_tls(part: MsrpTlsPart | None) -> MsrpTlsListening | None:
    return MsrpTlsListening(part.port, part.settings, part.offer) if part is not None else None


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


def icsis_of(technology: ImTechnology) -> frozenset[str]:
    """The ICSIs a handset that is provisioned so has to register."""
    return frozenset({Service.PAGER.icsi}) if TECHNOLOGIES[technology].standalone else frozenset()


def verify_settings(part: BenchPart, tolerances: Tolerances) -> VerifySettings:
    """What the verifier cannot read off the wire."""
    config = peer_config(part)
    settings = VerifySettings(
        icsis=icsis_of(part.im_technology),
        conference_factory=config.conference_factory,
        deferred_messages=config.deferred_messages,
        groups=frozenset(config.groups),
        from_start=True,  # the timeline of a bench begins before its handset is on the air
    )
    return tolerating(settings, tolerances)


def tolerating(settings: VerifySettings, tolerances: Tolerances) -> VerifySettings:
    """The same settings with these tolerances."""
    return replace(
        settings,
        clock_tolerance=tolerances.clock,
        cell_tolerance=tolerances.cell,
        registration_window=tolerances.ims,
    )


def refuse_unusable(lab_file: LabFile, bench: str | None, personality: str | None) -> None:
    """Raises: UsageError for a bench, personality, waivers or TLS files that are no use. Nothing runs yet."""
    lab_file.waivers()
    for part in [lab_file.bench(bench)] if bench is not None else lab_file.lab.benches.values():
        if part.peer.tls is not None:
            server_context(part.peer.tls.settings)
        if part.peer.msrp_tls is not None:
            fingerprint_context(part.peer.msrp_tls.settings, server=True)
    if personality is not None:
        refuse_personality(lab_file.lab, bench, personality)


def _tell_waiting(on_wait: Callable[[str], None], entry: Entry) -> None:
    """What a network simulator takes long for, to people."""
    if isinstance(entry, Event) and entry.layer is Layer.VISA and entry.name == WAITING:
        on_wait(f"waiting for the network simulator: {entry.text}")


async def _forget(peer: Peer) -> None:
    peer.registrar.forget()
    peer.event_notifier.forget()
    await peer.drop_connections()
