"""The antenna of the simulated handset: the client of the network simulator's private air link.

It turns what is received into calls of the baseband and carries the baseband's requests up. Coverage that
goes away is told to the baseband after a short delay, as a radio link failure timer would (TS 36.331 5.3.11).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any, Final

from devices.simulated.baseband import Baseband, Cell, Identity, Pdn

log = logging.getLogger(__name__)
LINE_OCTETS: Final = 64 * 1024


class AirLink:
    """One handset's link. Start it in the event loop the baseband lives in.

    loss_delay: seconds from the last signal to the loss of coverage. retry: seconds between attempts to reach
    a network simulator that is not there.
    """

    def __init__(
        self, baseband: Baseband, host: str, port: int, *, loss_delay: float = 0.1, retry: float = 0.2
    ) -> None:
        self._baseband = baseband
        self._host, self._port = host, port
        self._loss_delay, self._retry = loss_delay, retry
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._loss: asyncio.TimerHandle | None = None
        self._run: int | None = None
        self._actions: dict[str, Callable[[dict[str, Any]], None]] = {
            "cell": self._on_cell,
            "no-cell": lambda _: self._no_signal(),
            "attach-accept": self._on_accept,
            "attach-reject": lambda m: baseband.rejected(int(m["cause"])),
            "detach": lambda m: baseband.network_detach(bool(m["reattach"])),
            "rrc": lambda m: baseband.rrc(bool(m["connected"])),
        }

    def start(self) -> None:
        """Connect, and connect again whenever the network simulator returns."""
        self._baseband.connect(self)
        self._task = asyncio.get_running_loop().create_task(self._keep_connected())

    async def close(self) -> None:
        """Leave for good; the baseband loses coverage."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._cancel_loss()
        self._baseband.heard(None)
        self._baseband.connect(None)

    # ---- up

    def attach(self, identity: Identity) -> None:
        """Ask for registration."""
        self._send({"type": "attach", "imsi": identity.imsi, "imei": identity.imei})

    def detach(self) -> None:
        """Say goodbye."""
        self._send({"type": "detach"})

    def lost(self) -> None:
        """Stand-in for the timers by which a network forgets a handset that it cannot reach any more."""
        self._send({"type": "lost"})

    def ims(self, registered: bool) -> None:
        """Report IMS registration."""
        self._send({"type": "ims", "registered": registered})

    def _send(self, message: dict[str, Any]) -> None:
        if self._writer and not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    # ---- down

    async def _keep_connected(self) -> None:
        while True:
            try:
                await self._listen()
            except (OSError, ValueError) as error:
                log.debug("air link to %s:%d: %s", self._host, self._port, error)
            self._no_signal()
            self._run = None
            await asyncio.sleep(self._retry)

    async def _listen(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=LINE_OCTETS)
        self._writer = writer
        try:
            while line := await reader.readline():
                self._receive(line)
        finally:
            self._writer = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _receive(self, line: bytes) -> None:
        message = json.loads(line)
        try:
            self._actions[message["type"]](message)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an air link message: {line[:200]!r}") from error

    def _on_cell(self, message: dict[str, Any]) -> None:
        self._cancel_loss()
        if self._run != message["run"]:
            # The network started anew and knows this handset no longer, however short the gap was.
            self._baseband.heard(None)
            self._run = message["run"]
        self._baseband.heard(
            Cell(
                mcc=str(message["mcc"]),
                mnc=str(message["mnc"]),
                tac=int(message["tac"]),
                eci=int(message["eci"]),
                power_dbm=float(message["power"]),
                pcscf=tuple(message["pcscf"]),
            )
        )

    def _on_accept(self, message: dict[str, Any]) -> None:
        self._baseband.attached(
            Pdn(
                apn=str(message["apn"]),
                address=str(message["address"]),
                pcscf=tuple(message["pcscf"]),
                ipv6=message["ipv6"],
            )
        )

    def _no_signal(self) -> None:
        if self._loss is None and self._baseband.cell is not None:
            self._loss = asyncio.get_running_loop().call_later(self._loss_delay, self._lose)

    def _lose(self) -> None:
        self._loss = None
        self._baseband.heard(None)

    def _cancel_loss(self) -> None:
        if self._loss:
            self._loss.cancel()
            self._loss = None
