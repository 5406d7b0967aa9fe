"""The probe of a messaging app on a handset of a bench, or on one that is just plugged in."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from devices.adb_transport import lab_client
from devices.android import AndroidHandset
from devices.app_probe import AppProbeReport, ProbedHandset, Walked, walk
from devices.apps import load_app
from harness.errors import UsageError
from harness.evidence.timeline import Address, Timeline
from harness.lab.bench import Bench
from harness.lab.equipment import guarded_adb_server
from harness.lab.model import load_lab

BRING_UP, CALL = 20.0, 15.0


@dataclass(frozen=True, slots=True)
class AppProbeRequest:
    """bench and handset: of the lab file; or serial, with app, number and perhaps an adb server that runs.

    screen: seconds for an act on the screen. incoming: seconds to wait for what the far party offers.
    """

    lab: Path | None = None
    bench: str | None = None
    handset: str | None = None
    serial: str | None = None
    app: str | None = None
    number: str | None = None
    adb_server: Address | None = None
    send: bool = False
    incoming: float | None = None
    screen: float = 20.0
    on_action: Callable[[Walked], None] = lambda walked: None


def probe_app(request: AppProbeRequest) -> AppProbeReport:
    """Raises: UsageError; LabError when the bench does not come up or the handset is gone."""
    return _on_bench(request) if request.serial is None else _plugged_in(request, request.serial)


def _on_bench(request: AppProbeRequest) -> AppProbeReport:
    """The bench is leased and brought up, so that its peer is the far party."""
    own = load_app(request.app) if request.app else None
    with tempfile.TemporaryDirectory(prefix="rcslab-app-probe-") as folder:
        bench = Bench.lease_and_open(load_lab(request.lab), request.bench, Path(folder))
        try:
            found = bench.handset(request.handset)
            driver = found.android
            if not isinstance(driver, AndroidHandset):
                raise UsageError(
                    f"handset {found.name}: its driver {found.part.driver} has no screen to probe"
                )
            app = own or driver.app
            deadline, client = driver.link.deadline, driver.link.client
            handset = ProbedHandset(
                driver.serial, client, app, bench.timeline, deadline=deadline, ui_deadline=request.screen
            )
            number = request.number or bench.part.peer.number
            return _walk(handset, replace(request, number=number))
        finally:
            bench.close()


def _plugged_in(request: AppProbeRequest, serial: str) -> AppProbeReport:
    if request.number is None:
        raise UsageError("--serial needs --number: whose conversation may be opened")
    if request.adb_server is not None:
        return _over(request, serial, request.adb_server)
    with tempfile.TemporaryDirectory(prefix="rcslab-app-probe-") as name:
        folder = Path(name)
        with guarded_adb_server(folder, folder, usb=":" not in serial) as server:
            if ":" in serial:
                server.connect(serial, BRING_UP)
            return _over(request, serial, Address(server.host, server.port))


def _over(request: AppProbeRequest, serial: str, adb: Address) -> AppProbeReport:
    handset = ProbedHandset(
        serial,
        lab_client(adb.port, adb.host),
        load_app(request.app or "google_messages"),
        Timeline(),
        deadline=CALL,
        ui_deadline=request.screen,
    )
    handset.wait_ready(BRING_UP)
    return _walk(handset, request)


def _walk(handset: ProbedHandset, request: AppProbeRequest) -> AppProbeReport:
    number = request.number or ""
    if not (number.startswith("+") and number[1:].isdigit()):
        raise UsageError(f"--number: expected an E.164 number such as +12025550100, got {number!r}")
    near = [f"{number[:-1]}{digit}" for digit in "0123456789" if digit != number[-1]]
    numbers = (number, near[0], near[1])
    return walk(handset, numbers, send=request.send, incoming=request.incoming, on_action=request.on_action)
