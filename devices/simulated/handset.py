"""The process of one simulated handset: baseband, air link, modem, Android, messaging app, RCS client.

It prints one JSON line with its addresses when it is ready. Secrets of the SIM come by the environment
(RCSLAB_SIM_K, RCSLAB_SIM_OPC, RCSLAB_SIM_PASSWORD), never by an argument, which everybody can read.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from devices.simulated import provisioned, shell_dumpsys, shell_files, shell_screen, shell_system
from devices.simulated.adbd import AdbDaemon
from devices.simulated.air_link import AirLink
from devices.simulated.android_shell import AndroidShell
from devices.simulated.android_system import AndroidSystem, Power
from devices.simulated.baseband import Baseband, Identity
from devices.simulated.defects import PROPERTY, Defects
from devices.simulated.modem import SimulatedModem
from devices.simulated.own_certificate import own_certificate
from devices.simulated.personality import PERSONALITIES, PERSONALITY_PROPERTY, personality_named
from devices.simulated.rcs_access import RcsSettings
from devices.simulated.rcs_client import RcsClient
from harness.agent.part_process import Ready, add_process_options, log_to_stderr, port, serve
from harness.agent.sockets.tls import client_context
from harness.agent.sockets.tls_settings import TlsSettings
from harness.cpm.identity import Msisdn, imei_urn, impi_of
from harness.cpm.technology import ImTechnology
from harness.errors import RcsLabError, UsageError
from harness.evidence.timeline import Transport

_log = logging.getLogger(__name__)

SHELL_COMMANDS = shell_files.COMMANDS | shell_system.COMMANDS | shell_screen.COMMANDS | shell_dumpsys.COMMANDS


@dataclass(frozen=True, slots=True)
class HandsetOptions:
    """What a simulated handset is started with.

    air: host and port of the air link, None for no coverage at all.
    """

    name: str
    identity: Identity
    rcs: RcsSettings = field(repr=False)
    modem_link: Path
    air: tuple[str, int] | None = None
    adb: tuple[str, int] = ("127.0.0.1", 0)
    personality: str = "reference"
    defects: tuple[str, ...] = ()


class SimulatedHandset:
    """All parts of one handset in one event loop."""

    def __init__(self, options: HandsetOptions) -> None:
        self.options = options
        self.baseband = Baseband(options.identity)
        self.android = AndroidSystem(self.baseband, serial=f"SIM{options.identity.imei[-8:]}")
        self.defects = Defects(options.defects)
        self.rcs = RcsClient(
            self.baseband,
            self.android.app,
            options.rcs,
            personality_named(options.personality),
            self.defects,
        )
        self.modem = SimulatedModem(self.baseband, options.modem_link)
        shell = AndroidShell(self.android, SHELL_COMMANDS)
        self.adbd = AdbDaemon(
            shell.run,
            self.android.files,
            product=self.android.properties.get("ro.product.name"),
            model=self.android.properties.get("ro.product.model"),
            reboot=self.android.reboot,
        )
        self._air: AirLink | None = None

    async def start(self) -> dict[str, str]:
        """Start every part; returns the ready line."""
        adb = await self.adbd.start(*self.options.adb)
        self.modem.start()
        self.android.properties.publish(PERSONALITY_PROPERTY, self.options.personality)
        for name, value in provisioned.properties(self.rcs).items():
            self.android.properties.publish(name, value)
        self.android.properties.subscribe(self._property_changed)
        self.android.subscribe_power(self._power_changed)
        self.rcs.start()
        if self.options.air is not None:
            self._air = AirLink(self.baseband, *self.options.air)
            self._air.start()
        return {"adb": str(adb), "modem": str(self.options.modem_link), "serial": self.android.serial}

    async def close(self) -> None:
        """End every part; the modem link is removed."""
        if self._air is not None:
            await self._air.close()
        await self.rcs.close()
        self.modem.close()
        await self.adbd.stop()

    def _property_changed(self, name: str, value: str) -> None:
        provisioned.property_changed(self.rcs, name, value)
        if name != PROPERTY:
            return
        try:
            self.defects.switch(value.split(","))
        except UsageError as error:
            _log.error("%s", error)
        _log.info("defects: %s", ", ".join(self.defects.active) or "none")
        self.rcs.show_registration()  # as it is, or as a defect claims it

    def _power_changed(self, power: Power) -> None:
        if power is Power.DOWN:
            self.adbd.go_down()
        else:
            self.adbd.come_up()


async def run(options: HandsetOptions, ready: Ready, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. `ready` is called once with the addresses."""
    handset = SimulatedHandset(options)
    try:
        ready(await handset.start())
        await stop.wait()
    finally:
        await handset.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the process. Exit status 0 after a clean end, 3 when it cannot start, 2 for a wrong option."""
    arguments = _arguments(argv)
    log_to_stderr(arguments.log_level, arguments.name)
    try:
        options = _options(arguments, os.environ)
        asyncio.run(serve(partial(run, options), until_stdin_closes=arguments.until_stdin_closes))
    except UsageError as error:
        _log.error("%s", error)
        return 2
    except (RcsLabError, OSError) as error:
        _log.error("cannot start: %s", error)
        return 3
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    identity = Identity()
    parser = argparse.ArgumentParser(
        prog="rcslab simulate handset",
        description="A simulated handset: adb over TCP, a modem on a pty, a messaging app and an RCS client.",
    )
    parser.add_argument("--name", default="handset", help="how log lines call it")
    parser.add_argument("--msisdn", default=identity.msisdn, help="its number, E.164")
    parser.add_argument("--imsi", default=identity.imsi)
    parser.add_argument("--imei", default=identity.imei)
    parser.add_argument("--air", metavar="HOST:PORT", help="air link of a simulated network simulator")
    parser.add_argument("--adb-port", type=port, default=0, help="adb port, 0: kernel's choice")
    parser.add_argument("--modem-link", type=Path, default=Path("ttyLAB0"), help="path of the modem")
    parser.add_argument("--domain", default="ims.mnc001.mcc001.3gppnetwork.org", help="home domain")
    parser.add_argument("--pcscf-port", type=port, default=5060, help="port of the P-CSCF the network names")
    parser.add_argument(
        "--capability-seconds",
        type=float,
        default=3600.0,
        help="how long what OPTIONS told of a number is good, 0: it asks nobody",
    )
    parser.add_argument(
        "--im-technology",
        type=ImTechnology,
        default=ImTechnology.CPM,
        choices=tuple(ImTechnology),
        help="what it is provisioned with for messaging",
    )
    parser.add_argument("--transport", choices=("udp", "tcp", "tls"), default="udp", help="preferred for SIP")
    parser.add_argument("--tls-ca", type=Path, help="whom it trusts over TLS (PEM; default: the system's)")
    parser.add_argument("--msrp-tls", action="store_true", help="MSRP over TLS, with a certificate it makes")
    parser.add_argument("--personality", default="reference", help="one of: " + ", ".join(PERSONALITIES))
    parser.add_argument("--defect", action="append", default=[], help="switch a defect on; may be repeated")
    add_process_options(parser)
    return parser.parse_args(argv)


def _options(arguments: argparse.Namespace, environment: Mapping[str, str]) -> HandsetOptions:
    """Raises: UsageError for values that cannot be used."""
    host, _, port = (arguments.air or "").rpartition(":")
    if arguments.air and not (host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError(f"--air {arguments.air}: expected HOST:PORT as the network simulator prints it")
    imei_urn(arguments.imei)
    Msisdn.parse(arguments.msisdn)
    impi_of(arguments.imsi)
    settings = RcsSettings(
        domain=arguments.domain,
        im_technology=arguments.im_technology,
        transport=Transport(arguments.transport.upper()),
        pcscf_port=arguments.pcscf_port,
        capability_seconds=arguments.capability_seconds,
        tls=_trusting(arguments.tls_ca) if arguments.transport == "tls" else None,
        msrp_tls=own_certificate(f"sip:{impi_of(arguments.imsi)}") if arguments.msrp_tls else None,
        k=_octets(environment, "RCSLAB_SIM_K"),
        opc=_octets(environment, "RCSLAB_SIM_OPC"),
        password=environment.get("RCSLAB_SIM_PASSWORD"),
    )
    return HandsetOptions(
        name=arguments.name,
        identity=Identity(imei=arguments.imei, imsi=arguments.imsi, msisdn=arguments.msisdn),
        rcs=settings,
        modem_link=arguments.modem_link,
        air=(host.strip("[]"), int(port)) if arguments.air else None,
        adb=("127.0.0.1", arguments.adb_port),
        personality=arguments.personality,
        defects=tuple(arguments.defect),
    )


def _trusting(ca: Path | None) -> TlsSettings:
    """Raises: UsageError for a file that is no use."""
    settings = TlsSettings(ca=ca)
    client_context(settings)
    return settings


def _octets(environment: Mapping[str, str], name: str) -> bytes | None:
    value = environment.get(name)
    if value is None:
        return None
    try:
        octets = bytes.fromhex(value)
    except ValueError:
        octets = b""
    if len(octets) != 16:
        raise UsageError(f"{name}: expected 32 hexadecimal digits")
    return octets


if __name__ == "__main__":
    sys.exit(main())
