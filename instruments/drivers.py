"""The drivers there are, by name, and how each is reached.

Another package adds one by an entry point of the group `rcslab.instruments`: its name is the name in
lab.yaml, its value a `Driver`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
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


def drivers() -> Mapping[str, Driver]:
    """Every driver by its name, those of other packages too. Raises: UsageError as driver_named."""
    return {**_OWN, **{name: _load(point) for name, point in _of_others().items()}}


def driver_named(name: str) -> Driver:
    """Raises: UsageError with the names there are, or with why that one does not load."""
    if name in _OWN:
        return _OWN[name]
    if name not in _of_others():
        known = ", ".join(sorted({*_OWN, *_of_others()}))
        raise UsageError(f"no network simulator driver {name!r}; there are: {known}")
    return _load(_of_others()[name])


@cache
def _of_others() -> Mapping[str, EntryPoint]:
    """The entry points of other packages; none of them takes the name of ours."""
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in _OWN}


def _load(point: EntryPoint) -> Driver:
    what = f"driver {point.name!r} of another package ({point.value})"
    try:
        driver = point.load()
    except Exception as error:  # what a foreign module raises when it is imported is not ours to say
        raise UsageError(f"{what}: it does not load: {type(error).__name__}: {error}") from error
    if not isinstance(driver, Driver):
        raise UsageError(f"{what}: expected a Driver of instruments.drivers, got {driver!r}")
    return driver


def open_session(name: str, resource: str, timeout: float) -> tuple[CapabilityTable, VisaSession]:
    """A driver's table, and a session to the instrument that is not opened yet."""
    driver = driver_named(name)
    return driver.table, VisaSession(resource, Timeline(), timeout=timeout, **driver.link)


def open_driver(name: str, resource: str, timeline: Timeline, timeout: float) -> NetworkSimulator:
    """The driver over a session that is not opened yet. timeout: seconds of one exchange."""
    driver = driver_named(name)
    return driver.make(VisaSession(resource, timeline, timeout=timeout, **driver.link), timeline)
