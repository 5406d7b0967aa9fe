"""The doctor: everything a lab file names is looked at, one check each, without changing anything.

Real equipment is asked who it is; of simulated equipment the programs it needs are looked at.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from cryptography import x509

from devices.adb_server import bundled_adb
from devices.android import AndroidHandset
from devices.apps import load_app
from devices.drivers import HandsetConnection, driver_named
from devices.handset import LabHandset
from harness.agent.sockets.certificates import fingerprints_of, identities_of
from harness.agent.sockets.tls import fingerprint_context, server_context
from harness.errors import LabError, RcsLabError, UsageError
from harness.evidence.timeline import Address, Timeline
from harness.lab.check import Check
from harness.lab.equipment import guarded_adb_server
from harness.lab.handset_checks import Commands, look_at, look_at_modem
from harness.lab.leases import acquire
from harness.lab.model import OWN, SIMULATED, BenchPart, HandsetPart, LabFile, NetworkSimulatorPart
from harness.lab.peer_part import MsrpTlsPart, TlsPart
from instruments.drivers import open_session

PACKAGES = (
    "adbutils",
    "pyserial",
    "pyvisa",
    "pyvisa-py",
    "robotframework",
    "robotframework-pythonlibcore",
    "lxml",
)
OURS = ("harness", "devices", "instruments")
OPTIONAL_PROGRAMS = {
    "tshark": "reads captures in interop tests",
    "sipp": "a foreign SIP stack in interop tests",
}


def examine(lab_file: LabFile, bench: str | None = None) -> Iterator[Check]:
    """Yield a check for each thing the lab needs, as it is made.

    Raises: UsageError for a bench that does not exist.
    """
    parts = {bench: lab_file.bench(bench)} if bench else lab_file.lab.benches
    summary = f"{len(lab_file.lab.benches)} benches, profile {lab_file.lab.profile}"
    yield Check("lab file", True, f"{lab_file.path}: {summary}")
    yield from _installation()
    yield _results(lab_file)
    for name, part in parts.items():
        yield from _bench(lab_file, name, part)


def _installation() -> Iterator[Check]:
    version = platform.python_version()
    yield Check("python", sys.version_info >= (3, 11), f"{version} at {sys.executable}")
    for package in PACKAGES:
        yield _attempt(f"package {package}", partial(importlib.metadata.version, package))
    yield Check("imports", *_own_packages())
    yield _attempt("adb", lambda: str(bundled_adb()))
    for program, use in OPTIONAL_PROGRAMS.items():
        found = shutil.which(program)
        yield Check(program, True, found or f"not installed (optional: {use})")


def _own_packages() -> tuple[bool, str]:
    """Another distribution may own a package of the same name (instrumentkit has `instruments`)."""
    home = Path(__file__).resolve().parents[2]
    foreign = []
    for name in OURS:
        file = Path(__import__(name).__file__ or "").resolve()
        if file.parent.parent != home:
            foreign.append(f"{name} comes from {file.parent}")
    suites = home / "robot"
    installed = Path(str(importlib.metadata.distribution("robotframework").locate_file("robot")))
    shadows = sorted(suites.glob("**/*.py")) if suites != installed.resolve() else []
    if shadows:
        foreign.append(f"{shadows[0]} hides Robot Framework: robot/ must hold no Python")
    return not foreign, "; ".join(foreign) or f"{', '.join(OURS)} from {home}"


def _results(lab_file: LabFile) -> Check:
    folder = lab_file.results
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    ok = os.access(existing, os.W_OK)
    mend = f"{existing} is not writable; set `results:` in lab.yaml"
    return Check("results", ok, str(folder) if ok else mend)


def _bench(lab_file: LabFile, name: str, part: BenchPart) -> Iterator[Check]:
    yield _attempt(f"{name}: lease", partial(_lease, lab_file, name))
    for address in part.peer.addresses:
        yield _attempt(f"{name}: P-CSCF {address}", partial(_listen, address, part.peer.port))
    if part.peer.tls is not None:
        yield _attempt(f"{name}: TLS", partial(_tls, part.peer.tls))
    if part.peer.msrp_tls is not None:
        yield _attempt(f"{name}: MSRP over TLS", partial(_msrp_tls, part.peer.msrp_tls))
    if part.network_simulator is not None:
        look = partial(_instrument, lab_file, part.network_simulator)
        yield _attempt(f"{name}: {part.network_simulator.driver}", look)
    for handset, settings in part.handsets.items():
        yield from _handset(lab_file, name, handset, settings)


def _attempt(part: str, look: Callable[[], str]) -> Check:
    """A check that holds unless looking raises one of our errors, or the system's."""
    try:
        return Check(part, True, look())
    except (RcsLabError, OSError, importlib.metadata.PackageNotFoundError) as error:
        return Check(part, False, str(error) or type(error).__name__)


def _lease(lab_file: LabFile, bench: str) -> str:
    acquire(lab_file.path, bench).release()
    return "free"


def _listen(address: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for kind, name in ((socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")):
        with socket.socket(family, kind) as probe:
            try:
                probe.bind((address, port))
            except OSError as error:
                remedy = "end what listens there, or change `peer.port` in lab.yaml"
                where = f"{address} port {port} {name}"
                actual = error.strerror or str(error)
                raise LabError("P-CSCF", where, "a free port", actual, remedy) from None
    return f"UDP and TCP port {port} free" if port else "any free UDP and TCP port"


def _tls(part: TlsPart) -> str:
    server_context(part.settings)
    certificate, until = _valid(part.certificate)
    names = ", ".join(sorted(identities_of(certificate))) or "nobody"
    return f"{part.certificate} for {names}, good until {until}"


def _msrp_tls(part: MsrpTlsPart) -> str:
    fingerprint_context(part.settings, server=True)
    certificate, until = _valid(part.certificate)
    return f"{part.certificate}, fingerprint {fingerprints_of(certificate)[-1]}, good until {until}"


def _valid(file: Path) -> tuple[x509.Certificate, str]:
    """A certificate and its last day. Raises: UsageError when that is past."""
    certificate = x509.load_pem_x509_certificates(file.read_bytes())[0]
    until = certificate.not_valid_after_utc
    if until < datetime.now(UTC):
        raise UsageError(f"{file}: the certificate expired on {until:%Y-%m-%d}; make a new one")
    return certificate, f"{until:%Y-%m-%d}"


def _instrument(lab_file: LabFile, part: NetworkSimulatorPart) -> str:
    """Who it is, asked as its driver speaks; nothing is set."""
    if part.resource == SIMULATED:
        return "simulated"
    _, session = open_session(part.driver, part.resource, lab_file.lab.deadlines.visa)
    try:
        return f"{session.open()} at {part.resource}"
    finally:
        session.close()


def _app(name: str) -> str:
    return f"{name}: {load_app(name).package}"


def _handset(lab_file: LabFile, bench: str, name: str, part: HandsetPart) -> Iterator[Check]:
    """The checks of one handset; of a simulated one there is nothing to look at before it runs."""
    label = f"{bench}: {name}"
    if part.adb == SIMULATED:
        yield Check(f"{label} adb", True, "simulated")
        yield _attempt(f"{label} app", partial(_app, part.app))
    else:
        try:
            yield from _over_adb(lab_file, label, part)
        except RcsLabError as error:  # the adb server itself
            yield Check(f"{label} adb", False, str(error), "adb kill-server")
    if part.modem == SIMULATED:
        yield Check(f"{label} modem", True, "simulated")
    elif part.modem:
        yield look_at_modem(label, part.modem, part.imei, lab_file.lab.deadlines.at)


def _over_adb(lab_file: LabFile, label: str, part: HandsetPart) -> Iterator[Check]:
    """Through the adb server the lab file names, or one of our own for as long as it takes."""
    if lab_file.lab.adb_server != OWN:
        host, _, port = lab_file.lab.adb_server.rpartition(":")
        commands = Commands(part.adb, f"adb -H {host} -P {port}")
        yield from _look(lab_file, label, part, Address(host, int(port)), commands)
        return
    folder = Path(tempfile.mkdtemp(prefix="rcslab-doctor-"))
    try:
        over_adb = driver_named(part.driver).over_adb
        with guarded_adb_server(folder, folder, usb=over_adb) as server:
            commands = Commands(part.adb)
            if over_adb and ":" in part.adb:
                try:
                    server.connect(part.adb, lab_file.lab.deadlines.adb)
                except LabError as error:
                    state = "unauthorized" if "auth" in error.actual else "absent"
                    yield Check(f"{label} adb", False, str(error), commands.for_state(state))
                    return
            yield from _look(lab_file, label, part, Address(server.host, server.port), commands)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _look(
    lab_file: LabFile, label: str, part: HandsetPart, adb: Address, commands: Commands
) -> Iterator[Check]:
    deadlines, app = lab_file.lab.deadlines, load_app(part.app)
    to = HandsetConnection(part.adb, adb, app, Timeline(), deadlines.adb, deadlines.screen)
    handset = driver_named(part.driver).make(to)
    if isinstance(handset, AndroidHandset):
        yield from look_at(label, handset, lab_file.lab.tolerances.clock, commands)
    else:
        yield _attempt(f"{label} {part.driver}", partial(_of_another_package, handset))


def _of_another_package(handset: LabHandset) -> str:
    """What every driver can tell."""
    handset.check()
    found = handset.identify()
    return f"{found.manufacturer} {found.model}, release {found.release}, {found.fingerprint}"
