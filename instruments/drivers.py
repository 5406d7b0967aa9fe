"""The drivers there are, by name, and how each is reached.

Another package adds one by an entry point of the group `rcslab.instruments`: its name is the name in
lab.yaml, its value a `Driver`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from harness.errors import UsageError
from harness.evidence.timeline import Timeline
from instruments import cmw500, cmx500, md8475, mt8821c, uxm
from instruments.capability import CapabilityTable
from instruments.network_simulator import NetworkSimulator
from instruments.table_driver import Connection
from instruments.visa import VisaSession

GROUP = "rcslab.instruments"


@dataclass(frozen=True, slots=True)
class Driver:
    """make: the driver over an open session. link: how VisaSession speaks to the instrument."""

    table: CapabilityTable
    make: Callable[[Connection, Timeline], NetworkSimulator]
    link: Mapping[str, Any] = field(default_factory=dict)


_OWN: Mapping[str, Driver] = {
    "cmw500": Driver(cmw500.TABLE, cmw500.Cmw500),
    "md8475": Driver(
        md8475.TABLE,
        md8475.Md8475,
        {
            "termination": md8475.TERMINATION,
            "error_suffix": md8475.ERROR_SUFFIX,
            "no_error": md8475.NO_ERROR,
        },
    ),
    "mt8821c": Driver(
        mt8821c.TABLE,
        mt8821c.Mt8821c,
        {"error_query": mt8821c.ERROR_QUERY, "no_error": mt8821c.NO_ERROR},
    ),
    "uxm": Driver(uxm.TABLE, uxm.Uxm),
    "cmx500": Driver(cmx500.TABLE, cmx500.Cmx500, {"error_query": cmx500.ERROR_QUERY}),
}


@cache
def drivers() -> Mapping[str, Driver]:
    """Every driver by its name, those of other packages too; none of them takes the name of ours."""
    found: dict[str, Driver] = {}
    for point in entry_points(group=GROUP):
        driver = point.load()
        if not isinstance(driver, Driver):
            raise UsageError(f"entry point {point.name} of {GROUP}: a Driver was expected, got {driver!r}")
        found[point.name] = driver
    return {**found, **_OWN}


def driver_named(name: str) -> Driver:
    """Raises: UsageError with the names there are."""
    try:
        return drivers()[name]
    except KeyError:
        known = ", ".join(sorted(drivers()))
        raise UsageError(f"no network simulator driver {name!r}; there are: {known}") from None


def open_session(name: str, resource: str, timeout: float) -> tuple[CapabilityTable, VisaSession]:
    """A driver's table, and a session to the instrument that is not opened yet."""
    driver = driver_named(name)
    return driver.table, VisaSession(resource, Timeline(), timeout=timeout, **driver.link)


def open_driver(name: str, resource: str, timeline: Timeline, timeout: float) -> NetworkSimulator:
    """The driver over a session that is not opened yet. timeout: seconds of one exchange."""
    driver = driver_named(name)
    return driver.make(VisaSession(resource, timeline, timeout=timeout, **driver.link), timeline)
