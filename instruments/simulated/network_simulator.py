"""The simulated network simulator as a process: its VISA ports and the air link over one cell.

It speaks as a CMW500 does (raw socket and HiSLIP), or as an MD8475 (a socket of its own).

It prints one JSON line with its addresses when it is ready, logs to stderr, and ends on SIGTERM or, when
asked, as soon as its standard input closes because its parent is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from harness.agent.part_process import Ready, add_process_options, log_to_stderr, port, serve
from instruments.simulated.air_link import AirLinkServer
from instruments.simulated.cell import CellSettings, SimulatedCell, Timing, UeAddresses
from instruments.simulated.cmw500 import Cmw500Dialect
from instruments.simulated.hislip import HislipServer
from instruments.simulated.md8475 import Md8475Dialect
from instruments.simulated.raw_socket import md8475_server, raw_socket_server

log = logging.getLogger(__name__)


class Dialect(StrEnum):
    """Whose language it speaks."""

    CMW500 = "cmw500"
    MD8475 = "md8475"


@dataclass(frozen=True, slots=True)
class Options:
    """Where to listen (port 0: the kernel chooses) and how the cell behaves."""

    dialect: Dialect = Dialect.CMW500
    host: str = "127.0.0.1"
    socket_port: int = 0
    hislip_port: int = 0
    air_port: int = 0
    settings: CellSettings = field(default_factory=CellSettings)
    timing: Timing = field(default_factory=Timing)
    addresses: UeAddresses = field(default_factory=UeAddresses)


class SimulatedNetworkSimulator:
    """The whole box: start it, read its addresses, close it."""

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self.cell = SimulatedCell(self._options.settings, self._options.timing, self._options.addresses)
        self._hislip: HislipServer | None = None
        if self._options.dialect is Dialect.CMW500:
            scpi = Cmw500Dialect(self.cell)
            self._raw = raw_socket_server(scpi.interpreter)
            self._hislip = HislipServer(scpi.interpreter, scpi.status)
        else:
            self._raw = md8475_server(Md8475Dialect(self.cell))
        self._air = AirLinkServer(self.cell)

    async def start(self) -> dict[str, str]:
        """Listen on all its ports; give the ready line. Raises OSError when a port is taken."""
        host = self._options.host
        raw = await self._raw.start(host, self._options.socket_port)
        ready = {"visa_socket": f"TCPIP::{host}::{raw}::SOCKET"}
        if self._hislip is not None:
            hislip = await self._hislip.start(host, self._options.hislip_port)
            ready["visa_hislip"] = f"TCPIP::{host}::hislip0,{hislip}::INSTR"
        air = await self._air.start(host, self._options.air_port)
        return ready | {"air": f"{host}:{air}"}

    async def close(self) -> None:
        """Drop every connection and stop."""
        await asyncio.gather(self._raw.close(), self._air.close())
        if self._hislip is not None:
            await self._hislip.close()


async def run(options: Options, ready: Ready, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. `ready` is called once with the addresses."""
    simulator = SimulatedNetworkSimulator(options)
    try:
        ready(await simulator.start())
        await stop.wait()
    finally:
        await simulator.close()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    timing = Timing()
    parser = argparse.ArgumentParser(
        prog="rcslab simulate network-simulator",
        description="A simulated network simulator: its VISA ports, and an air link for handsets.",
    )
    parser.add_argument("--dialect", type=Dialect, choices=list(Dialect), default=Dialect.CMW500)
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    for name, what in (("socket", "raw SCPI"), ("hislip", "HiSLIP"), ("air", "air link")):
        parser.add_argument(f"--{name}-port", type=port, default=0, help=f"{what} port, 0: kernel's choice")
    parser.add_argument("--cell-on-seconds", type=float, default=timing.cell_on)
    parser.add_argument("--cell-off-seconds", type=float, default=timing.cell_off)
    parser.add_argument("--attach-seconds", type=float, default=timing.attach)
    parser.add_argument("--first-handset-address", default=UeAddresses().first_ipv4)
    add_process_options(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the process. Exit status 0 after a clean end, 3 when a port is taken, 2 for a wrong option."""
    arguments = _arguments(argv)
    log_to_stderr(arguments.log_level)
    options = Options(
        dialect=arguments.dialect,
        host=arguments.host,
        socket_port=arguments.socket_port,
        hislip_port=arguments.hislip_port,
        air_port=arguments.air_port,
        timing=Timing(
            cell_on=arguments.cell_on_seconds,
            cell_off=arguments.cell_off_seconds,
            attach=arguments.attach_seconds,
        ),
        addresses=UeAddresses(first_ipv4=arguments.first_handset_address),
    )
    try:
        asyncio.run(serve(partial(run, options), until_stdin_closes=arguments.until_stdin_closes))
    except OSError as error:
        log.error("cannot listen on %s: %s", options.host, error)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
