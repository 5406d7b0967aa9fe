"""One simulated LTE cell: its settings, its generator, and the handsets attached to it.

States follow the CMW500 (generator OFF/ON with PENDing/ADJusted, packet-switched states); procedures follow
TS 24.301. It knows no SCPI and no sockets: the dialect configures it, the air link brings handsets.
"""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CellSettings:
    """What the cell broadcasts and hands out. power_dbm is the reference signal level in dBm/15 kHz."""

    mcc: int = 1
    mnc: int = 1
    mnc_digits: int = 2
    tac: int = 1
    eci: int = 0x100
    physical_id: int = 0
    band: str = "OB1"
    channel: int = 300
    bandwidth: str = "B100"
    power_dbm: float = -85.0
    reject_cause: int | None = None
    external_ims: bool = False
    pcscf_ipv4: str = ""
    pcscf_ipv6: str = ""
    apn: str = "ims"

    @property
    def mcc_text(self) -> str:
        """MCC as broadcast, three digits."""
        return f"{self.mcc:03d}"

    @property
    def mnc_text(self) -> str:
        """MNC as broadcast, two or three digits."""
        return f"{self.mnc:0{self.mnc_digits}d}"

    @property
    def pcscf(self) -> tuple[str, ...]:
        """P-CSCF addresses handed to a handset that asks."""
        return tuple(a for a in (self.pcscf_ipv4, self.pcscf_ipv6) if a and self.external_ims)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take, in seconds."""

    cell_on: float = 0.06
    cell_off: float = 0.03
    attach: float = 0.02
    inactivity: float = 10.0


@dataclass(frozen=True, slots=True)
class UeAddresses:
    """Addresses of handsets: the first IPv4 address, counted up per handset, and one IPv6 address."""

    first_ipv4: str = "127.0.0.2"
    ipv6: str = "::1"


class PacketState(StrEnum):
    """Packet-switched state, in the CMW500's short forms."""

    OFF = "OFF"
    ON = "ON"
    SIGNALLING = "SIGN"
    ATTACHED = "ATT"
    CONNECTED = "CEST"


class HandsetPort(Protocol):
    """The way down to one handset."""

    def send(self, message: dict[str, Any]) -> None:
        """Queue one message to the handset; never blocks."""


@dataclass(slots=True)
class Ue:
    """A handset the network knows."""

    port: HandsetPort
    imsi: str
    imei: str
    ipv4: str
    ipv6: str
    rrc_connected: bool = True
    connected: bool = False
    ims_registered: bool = False


class Timer(Protocol):
    """What a scheduler gives back."""

    def cancel(self) -> None: ...


Later = Callable[[float, Callable[[], None]], Timer]


class SimulatedCell:
    """The cell. Every method is called in one event loop; `later` schedules (loop.call_later by default)."""

    def __init__(
        self,
        settings: CellSettings | None = None,
        timing: Timing | None = None,
        addresses: UeAddresses | None = None,
        later: Later | None = None,
    ) -> None:
        self.initial = settings or CellSettings()
        self.settings = self.initial
        self.timing = timing or Timing()
        self._addresses = addresses or UeAddresses()
        self._later: Later = later or (lambda delay, call: asyncio.get_running_loop().call_later(delay, call))
        self.switched_on = False
        self.adjusted = True
        self._barred = False
        self.run_number = 0
        self._transition: Timer | None = None
        self._settled = asyncio.Event()
        self._settled.set()
        self._ports: list[HandsetPort] = []
        self._attaching: dict[HandsetPort, Timer] = {}
        self._ues: dict[HandsetPort, Ue] = {}
        self._inactivity: dict[HandsetPort, Timer] = {}
        self._known_addresses: dict[str, str] = {}

    # ---- settings and generator

    def configure(self, **changes: Any) -> None:
        """Change settings; what is on the air changes at once."""
        before, self.settings = self.settings, replace(self.settings, **changes)
        if before == self.settings:
            return
        if (before.mcc_text, before.mnc_text) != (self.settings.mcc_text, self.settings.mnc_text):
            self._forget_all()
        self._broadcast()

    def reset(self) -> None:
        """*RST: cell off at once, settings as at power on."""
        self._cancel_transition()
        self.switched_on, self.adjusted, self._barred = False, True, False
        self._settled.set()
        self.settings = self.initial
        self._forget_all()
        self._broadcast()

    def switch(self, on: bool) -> None:
        """Turn the generator on or off; `on_air` and `adjusted` follow after the transition time."""
        if on == self.switched_on:
            return
        self._cancel_transition()
        was_on_air = self.on_air
        self.switched_on, self.adjusted = on, False
        self._settled.clear()
        if was_on_air and not self.on_air:
            self._forget_all()
            self._broadcast()
        delay = self.timing.cell_on if on else self.timing.cell_off
        self._transition = self._later(delay, self._adjust)

    def bar(self, barred: bool) -> None:
        """Take the cell out of service or back: no handset stays, or comes, while it is barred."""
        if barred == self._barred:
            return
        self._barred = barred
        if barred:
            self._forget_all()
        else:
            self.run_number += 1  # the handsets that were on it are known no longer
        self._broadcast()

    def _adjust(self) -> None:
        self._transition, self.adjusted = None, True
        self._settled.set()
        if self.switched_on:
            self.run_number += 1
        else:
            self._forget_all()
        log.info("cell %s", "on" if self.switched_on else "off")
        self._broadcast()

    def _cancel_transition(self) -> None:
        if self._transition:
            self._transition.cancel()
            self._transition = None

    async def settled(self) -> None:
        """Wait until no switching is in progress."""
        await self._settled.wait()

    @property
    def on_air(self) -> bool:
        """A signal can be received: on and adjusted, or off but not yet adjusted."""
        return self.switched_on == self.adjusted

    @property
    def packet_state(self) -> PacketState:
        """The most advanced state of any handset."""
        if not self.on_air:
            return PacketState.OFF
        if any(ue.connected for ue in self._ues.values()):
            return PacketState.CONNECTED
        if self._attaching:
            return PacketState.SIGNALLING
        return PacketState.ATTACHED if self._ues else PacketState.ON

    @property
    def rrc_connected(self) -> bool:
        """Some handset has an RRC connection."""
        return bool(self._attaching) or any(ue.rrc_connected for ue in self._ues.values())

    @property
    def ue(self) -> Ue | None:
        """The handset that attached last."""
        return next(reversed(self._ues.values()), None)

    # ---- what the instrument's user asks of the connection

    def connect(self) -> bool:
        """Page the handset and set up a connection. False when no handset is attached."""
        return self._set_connected(True)

    def disconnect(self) -> bool:
        """Release the connection. False when no handset is attached."""
        return self._set_connected(False)

    def _set_connected(self, connected: bool) -> bool:
        ue = self.ue
        if ue is None:
            return False
        ue.connected = connected
        self._set_rrc(ue, connected)
        return True

    def detach(self) -> bool:
        """Send every handset away, to attach again (TS 24.301 5.5.2.3.1). False when there is none."""
        ports = list(self._ues)
        for port in ports:
            self.forget(port)
            port.send({"type": "detach", "reattach": True})
        return bool(ports)

    # ---- what the air link brings

    def join(self, port: HandsetPort) -> None:
        """A handset is in range of the antenna, whether it registers or not."""
        self._ports.append(port)
        port.send(self._broadcast_message())

    def leave(self, port: HandsetPort) -> None:
        """The handset is gone."""
        if port in self._ports:
            self._ports.remove(port)
        self.forget(port)

    def attach(self, port: HandsetPort, imsi: str, imei: str) -> None:
        """Attach request. The answer follows after the signalling time."""
        if not self.on_air or self._barred:
            return
        self.forget(port)

        def answer() -> None:
            del self._attaching[port]
            self._answer_attach(port, imsi, imei)

        self._attaching[port] = self._later(self.timing.attach, answer)
        port.send({"type": "rrc", "connected": True})

    def _answer_attach(self, port: HandsetPort, imsi: str, imei: str) -> None:
        if self.settings.reject_cause is not None:
            log.info("attach of %s rejected with cause %d", imsi, self.settings.reject_cause)
            port.send({"type": "attach-reject", "cause": self.settings.reject_cause})
            port.send({"type": "rrc", "connected": False})
            return
        ue = Ue(port, imsi, imei, self._address_of(imsi), self._addresses.ipv6)
        self._ues[port] = ue
        log.info("handset %s attached at %s", imsi, ue.ipv4)
        port.send(
            {
                "type": "attach-accept",
                "apn": self.settings.apn,
                "address": ue.ipv4,
                "ipv6": ue.ipv6,
                "pcscf": list(self.settings.pcscf),
            }
        )
        self._inactivity[port] = self._later(self.timing.inactivity, lambda: self._set_rrc(ue, ue.connected))

    def forget(self, port: HandsetPort) -> None:
        """Drop what is held for the handset: it detached, or is out of reach."""
        for timers in (self._attaching, self._inactivity):
            if timer := timers.pop(port, None):
                timer.cancel()
        self._ues.pop(port, None)

    def ims(self, port: HandsetPort, registered: bool) -> None:
        """The handset says it is registered to the IMS, or no longer."""
        if ue := self._ues.get(port):
            ue.ims_registered = registered

    def _set_rrc(self, ue: Ue, connected: bool) -> None:
        if ue.rrc_connected != connected:
            ue.rrc_connected = connected
            ue.port.send({"type": "rrc", "connected": connected})

    def _forget_all(self) -> None:
        for port in self._ports:
            self.forget(port)

    def _address_of(self, imsi: str) -> str:
        """The same handset gets the same address again."""
        if imsi not in self._known_addresses:
            first = ipaddress.IPv4Address(self._addresses.first_ipv4)
            taken = set(self._known_addresses.values())
            free = (str(first + step) for step in itertools.count())
            self._known_addresses[imsi] = next(address for address in free if address not in taken)
        return self._known_addresses[imsi]

    def _broadcast_message(self) -> dict[str, Any]:
        if not self.on_air or self._barred:
            return {"type": "no-cell"}
        return {
            "type": "cell",
            "run": self.run_number,
            "mcc": self.settings.mcc_text,
            "mnc": self.settings.mnc_text,
            "tac": self.settings.tac,
            "eci": self.settings.eci,
            "power": self.settings.power_dbm,
            "pcscf": list(self.settings.pcscf),
        }

    def _broadcast(self) -> None:
        message = self._broadcast_message()
        for port in tuple(self._ports):
            port.send(message)
