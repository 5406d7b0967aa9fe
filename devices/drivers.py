"""The handset drivers there are, by name.

Another package adds one by an entry point of the group `rcslab.devices`: its name is what `driver:` of a
handset says in lab.yaml, its value a `HandsetDriver`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points

from devices.adb_transport import lab_client
from devices.android import AndroidHandset
from devices.apps.definition import MessagingAppDefinition
from devices.handset import LabHandset
from harness.errors import UsageError
from harness.evidence.timeline import Address, Timeline

GROUP = "rcslab.devices"
ANDROID = "android"


@dataclass(frozen=True, slots=True)
class HandsetConnection:
    """What a driver is made of. address: `adb:` of lab.yaml. adb_server: runs, and has connected the address
    where that is host:port. deadline: seconds of one call; ui_deadline: of a whole act on the screen.
    """

    address: str
    adb_server: Address
    app: MessagingAppDefinition
    timeline: Timeline
    deadline: float
    ui_deadline: float


@dataclass(frozen=True, slots=True)
class HandsetDriver:
    """make: the driver; it reaches for the handset when it is first called, not before.

    over_adb: the address is one of adb, which has to have connected it.
    """

    make: Callable[[HandsetConnection], LabHandset]
    over_adb: bool = True


def _android(to: HandsetConnection) -> AndroidHandset:
    client = lab_client(to.adb_server.port, to.adb_server.host)
    limits = {"deadline": to.deadline, "ui_deadline": to.ui_deadline}
    return AndroidHandset(to.address, client, to.app, to.timeline, **limits)


_OWN: Mapping[str, HandsetDriver] = {ANDROID: HandsetDriver(_android)}


@cache
def drivers() -> Mapping[str, HandsetDriver]:
    """Every driver by its name, those of other packages too; none of them takes the name of ours."""
    found: dict[str, HandsetDriver] = {}
    for point in entry_points(group=GROUP):
        driver = point.load()
        if not isinstance(driver, HandsetDriver):
            what = f"entry point {point.name} of {GROUP}"
            raise UsageError(f"{what}: a HandsetDriver was expected, got {driver!r}")
        found[point.name] = driver
    return {**found, **_OWN}


def driver_named(name: str) -> HandsetDriver:
    """Raises: UsageError with the names there are."""
    try:
        return drivers()[name]
    except KeyError:
        known = ", ".join(sorted(drivers()))
        raise UsageError(f"no handset driver {name!r}; there are: {known}") from None
