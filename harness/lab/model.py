"""lab.yaml as a checked model. Every error names file, line, column and field.

A real lab and a simulated one are the same file: where an address is the word `simulated`, the bench starts
the simulated part and uses the address that part reports.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from devices.apps import load_app
from devices.drivers import ANDROID
from devices.drivers import driver_named as handset_driver_named
from devices.simulated.defects import Defects
from devices.simulated.personality import personality_named
from harness.agent.sockets.tls_settings import ClientCertificate
from harness.cpm.profiles import DEFAULT_PROFILE, Profile
from harness.cpm.technology import ImTechnology
from harness.errors import LabFileError, UsageError
from harness.lab.lab_file_errors import dotted, first_error, place_of
from harness.lab.limits_part import LimitsPart
from harness.lab.part import E164, FOLDER, Part, in_form
from harness.lab.peer_part import PeerPart
from harness.lab.waiver_file import load_waivers
from harness.lab.yaml_file import read_yaml
from harness.peer.config import Authentication
from harness.verify.waivers import Waiver
from instruments.drivers import driver_named
from instruments.simulated.network_simulator import Dialect

SIMULATED = "simulated"
OWN = "own"
TLS = "tls"
_REFERENCE = re.compile(r"^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$")

Name = Annotated[str, in_form(r"[A-Za-z0-9][A-Za-z0-9_-]*", "a name of letters, digits, - and _")]
Seconds = Annotated[float, Field(gt=0, le=3600)]


@contextmanager
def _as_value_error() -> Iterator[None]:
    """What a part of the lab refuses is an error of the field that names it."""
    try:
        yield
    except UsageError as error:
        raise ValueError(str(error)) from None


def _driver(name: str) -> str:
    with _as_value_error():
        driver_named(name)
    return name


class Deadlines(Part):
    """How long each kind of wait may last, in seconds. silence: how long to watch for what must not come."""

    bring_up: Seconds = 20
    adb: Seconds = 15
    at: Seconds = 5
    visa: Seconds = 10
    cell: Seconds = 60
    registration: Seconds = 15
    message: Seconds = 15
    notification: Seconds = 15
    screen: Seconds = 10
    silence: Seconds = 3


class Tolerances(Part):
    """What the verifier allows between layers, in seconds.

    clock: between the clocks of handset, instrument and this host. cell: how long after a change the old cell
    may still be named. ims: how long the modem may take to follow the registrar.
    """

    clock: Annotated[float, Field(ge=0, le=60)] = 2.0
    cell: Annotated[float, Field(ge=0, le=60)] = 2.0
    ims: Annotated[float, Field(ge=0, le=60)] = 3.0


class CellSettings(Part):
    """The LTE cell a network simulator broadcasts: PLMN, tracking area, E-UTRAN cell identity."""

    mcc: Annotated[str, in_form(r"\d{3}", 'three digits in quotes, as "001"')] = "001"
    mnc: Annotated[str, in_form(r"\d{2,3}", 'two or three digits in quotes, as "01"')] = "01"
    tac: Annotated[int, Field(ge=0, le=0xFFFF)] = 1
    eci: Annotated[int, Field(ge=0, le=0xFFFFFFF)] = 0x101
    power_dbm: Annotated[float, Field(ge=-140, le=-30)] = -85.0


class NetworkSimulatorPart(Part):
    """A network simulator: its dialect, its VISA resource and the cell it is asked for."""

    driver: Annotated[str, AfterValidator(_driver)] = "cmw500"
    resource: str = SIMULATED
    scenario: str = ""
    cell: CellSettings = CellSettings()

    @model_validator(mode="after")
    def _has_a_stand_in(self) -> NetworkSimulatorPart:
        if self.resource == SIMULATED and self.driver not in list(Dialect):
            raise ValueError(f"no {self.driver} can be simulated: give its VISA resource")
        return self


class SimPart(Part):
    """The SIM of a handset: what AKA needs. The values come from the environment or the secrets file."""

    k: SecretStr | None = None
    opc: SecretStr | None = None
    amf: Annotated[str, in_form(r"[0-9a-fA-F]{4}", 'four hexadecimal digits, as "8000"')] = "8000"
    password: SecretStr | None = None

    @field_validator("k", "opc")
    @classmethod
    def _sixteen_octets(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[0-9a-fA-F]{32}", value.get_secret_value()):
            raise ValueError("expected 32 hexadecimal digits (16 octets)")
        return value

    def lacks(self, authentication: Authentication) -> str:
        """What this SIM would need to be authenticated so; empty when it has everything."""
        if authentication is Authentication.AKA and not (self.k and self.opc):
            return "`k` and `opc`"
        if authentication is Authentication.DIGEST and not self.password:
            return "`password`"
        return ""


class SimulatedHandsetPart(Part):
    """Settings of a simulated handset only; a real one ignores nothing because it must not have them."""

    personality: str = "reference"
    defects: tuple[str, ...] = ()
    transport: Literal["udp", "tcp", "tls"] = "udp"
    msrp: Literal["tcp", "tls"] = "tcp"

    @field_validator("personality")
    @classmethod
    def _known_personality(cls, value: str) -> str:
        with _as_value_error():
            personality_named(value)
        return value

    @field_validator("defects")
    @classmethod
    def _known_defects(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        with _as_value_error():
            Defects(value)
        return value


class HandsetPart(Part):
    """One handset: its driver, where adb and the modem are, its identities, its messaging app.

    adb: where its driver reaches it; a serial or host:port for the driver android.
    """

    driver: str = ANDROID
    adb: Annotated[str, Field(min_length=1)]
    modem: str | None = None
    app: str = "google_messages"
    msisdn: Annotated[str, E164]
    imsi: Annotated[str, in_form(r"\d{14,15}", "an IMSI of 14 or 15 digits in quotes")]
    imei: Annotated[str, in_form(r"\d{15}", "an IMEI of 15 digits in quotes")] | None = None
    sim: SimPart = SimPart()
    simulated: SimulatedHandsetPart | None = None

    @field_validator("driver")
    @classmethod
    def _known_driver(cls, value: str) -> str:
        with _as_value_error():
            handset_driver_named(value)
        return value

    @field_validator("app")
    @classmethod
    def _known_app(cls, value: str) -> str:
        with _as_value_error():
            load_app(value)
        return value

    @model_validator(mode="after")
    def _simulated_together(self) -> HandsetPart:
        if self.simulated is not None and self.adb != SIMULATED:
            raise ValueError("`simulated:` needs `adb: simulated`; a real handset has no such settings")
        if self.driver != ANDROID and self.adb == SIMULATED:
            raise ValueError(f"a simulated handset is an Android: leave `driver: {self.driver}` out")
        if self.modem == SIMULATED and self.adb != SIMULATED:
            raise ValueError("a simulated modem belongs to a simulated handset: set `adb: simulated` as well")
        return self


class BenchPart(Part):
    """One set of equipment tested together; the unit that is leased.

    im_technology: what its handsets are provisioned with, and its peer speaks.
    """

    im_technology: ImTechnology = ImTechnology.CPM
    peer: PeerPart
    handsets: Annotated[dict[Name, HandsetPart], Field(min_length=1)]
    network_simulator: NetworkSimulatorPart | None = None

    @model_validator(mode="after")
    def _simulated_together(self) -> BenchPart:
        simulated = [name for name, part in self.handsets.items() if part.adb == SIMULATED]
        if simulated and self.network_simulator is None:
            raise ValueError(
                f"{', '.join(simulated)} is simulated and has no other cell to camp on: "
                "add `network_simulator: {resource: simulated}`"
            )
        return self

    @model_validator(mode="after")
    def _tls_has_its_files(self) -> BenchPart:
        simulated = [(name, part.simulated) for name, part in self.handsets.items() if part.simulated]
        over_tls = ", ".join(name for name, part in simulated if part.msrp == TLS)
        if over_tls and self.peer.msrp_tls is None:
            raise ValueError(f"{over_tls} has MSRP over TLS and the peer has not: give it `msrp_tls:`")
        secured = ", ".join(name for name, part in simulated if part.transport == TLS)
        if secured and self.peer.tls is None:
            raise ValueError(f"{secured} speaks TLS and the peer does not: give it `tls:`")
        if secured and self.peer.tls and self.peer.tls.client_certificate is ClientCertificate.REQUIRED:
            raise ValueError(f"{secured} has no certificate: `client_certificate` may be optional at most")
        return self


class Lab(Part):
    """A whole lab.yaml."""

    benches: Annotated[dict[Name, BenchPart], Field(min_length=1)]
    profile: Profile = DEFAULT_PROFILE
    results: Path = Path("results")
    secrets: Path | None = None
    adb_server: Annotated[str, in_form(r"own|[^:\s]+:\d+", "`own` or HOST:PORT")] = OWN
    deadlines: Deadlines = Deadlines()
    tolerances: Tolerances = Tolerances()
    limits: LimitsPart = LimitsPart()
    waivers: Path | None = None


@dataclass(frozen=True, slots=True)
class LabFile:
    """A lab.yaml that was read: the model and where it came from."""

    path: Path
    lab: Lab

    @property
    def folder(self) -> Path:
        """Relative paths of the file start here."""
        return self.path.parent

    @property
    def results(self) -> Path:
        """Where runs are written."""
        return self.folder / self.lab.results

    def waivers(self) -> tuple[Waiver, ...]:
        """The known findings that do not count. Raises: LabFileError."""
        return load_waivers(self.folder / self.lab.waivers) if self.lab.waivers is not None else ()

    def bench(self, name: str) -> BenchPart:
        """The bench of that name; UsageError lists the names there are."""
        try:
            return self.lab.benches[name]
        except KeyError:
            known = ", ".join(self.lab.benches)
            raise UsageError(f"{self.path}: no bench {name!r}; this lab has: {known}") from None


def find_lab_file(start: Path | None = None) -> Path:
    """The lab.yaml of the working directory or of the nearest folder above it."""
    folder = (start or Path.cwd()).resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / "lab.yaml").is_file():
            return candidate / "lab.yaml"
    raise UsageError(f"no lab.yaml in {folder} or any folder above it; name one with --lab FILE")


def load_lab(path: Path | None = None, environment: Mapping[str, str] | None = None) -> LabFile:
    """Read and check a lab file.

    Args: path defaults to the lab.yaml found from the working directory upward; environment is where
    `${NAME}` is looked up before the secrets file.

    Raises: LabFileError with file, line, column and field; UsageError when there is no file.
    """
    file = find_lab_file() if path is None else path
    tree = read_yaml(file, "a mapping with `benches:`")
    environ = os.environ if environment is None else environment
    secrets = _read_secrets(file, tree, environ)
    resolved = _resolve(file, tree, tree, (), secrets)
    try:
        lab = Lab.model_validate(resolved, context={FOLDER: file.resolve().parent})
    except ValidationError as error:
        raise first_error(file, tree, error) from None
    _refuse_shared_equipment(file, tree, lab)
    _refuse_missing_secrets(file, tree, lab)
    return LabFile(file.resolve(), lab)


def _read_secrets(file: Path, tree: Any, environment: Mapping[str, str]) -> dict[str, str]:
    """NAME=value lines of the secrets file, overridden by the environment."""
    name = tree.get("secrets")
    if name is None:
        return dict(environment)
    try:
        lines = (file.parent / str(name)).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"{file.parent / str(name)} cannot be read ({reason}); create it or remove this line"
        raise LabFileError(file, *place_of(tree, ("secrets",)), "secrets", message) from None
    pairs = (line.partition("=") for line in lines if not line.lstrip().startswith("#"))
    return {key.strip(): value.strip() for key, equals, value in pairs if equals} | dict(environment)


def _resolve(file: Path, tree: Any, node: Any, loc: tuple[str | int, ...], secrets: Mapping[str, str]) -> Any:
    """A plain copy of the tree with every `${NAME}` replaced."""
    if isinstance(node, Mapping):
        return {key: _resolve(file, tree, value, (*loc, key), secrets) for key, value in node.items()}
    if isinstance(node, list):
        return [_resolve(file, tree, value, (*loc, index), secrets) for index, value in enumerate(node)]
    reference = _REFERENCE.match(node) if isinstance(node, str) else None
    if reference is None:
        return node
    if reference.group(1) not in secrets:
        line, column = place_of(tree, loc)
        source = tree.get("secrets") or "no secrets file named"
        raise LabFileError(
            file,
            line,
            column,
            dotted(loc),
            f"{reference.group(1)} is not set; set it in the environment or in the secrets file ({source})",
        )
    return secrets[reference.group(1)]


def _refuse_shared_equipment(file: Path, tree: Any, lab: Lab) -> None:
    """One handset, modem or instrument belongs to one bench only."""
    owners: dict[str, str] = {}
    for loc, address in _equipment(lab):
        if address == SIMULATED:
            continue
        if address in owners:
            line, column = place_of(tree, loc)
            raise LabFileError(
                file, line, column, dotted(loc), f"{address} is already used by {owners[address]}"
            )
        owners[address] = dotted(loc)


def _refuse_missing_secrets(file: Path, tree: Any, lab: Lab) -> None:
    """The registrar of a bench needs what the SIMs of its handsets are authenticated by."""
    for bench, part in lab.benches.items():
        how = part.peer.authentication
        for handset, settings in part.handsets.items():
            loc = ("benches", bench, "handsets", handset, "sim")
            if lacking := settings.sim.lacks(how):
                message = f"authentication {how} needs {lacking}; write them as ${{NAME}}"
                raise LabFileError(file, *place_of(tree, loc), dotted(loc), message)


def _equipment(lab: Lab) -> list[tuple[tuple[str | int, ...], str]]:
    found: list[tuple[tuple[str | int, ...], str]] = []
    for bench, part in lab.benches.items():
        if part.network_simulator:
            place = ("benches", bench, "network_simulator", "resource")
            found.append((place, part.network_simulator.resource))
        for handset, settings in part.handsets.items():
            owner = ("benches", bench, "handsets", handset)
            found.append(((*owner, "adb"), settings.adb))
            if settings.modem:
                found.append(((*owner, "modem"), settings.modem))
    return found
