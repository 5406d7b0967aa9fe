"""The radio state of a simulated handset: SIM, functionality, serving cell, registration, PDN, IMS.

Follows TS 27.007 for the values (CFUN, CEREG, CIREG) and TS 24.301 for the order of things: a cell is heard,
the handset attaches, the network accepts or rejects. It holds state and calls back; the air link carries the
messages, the modem and the Android shell show the state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Protocol

ACCESS_E_UTRAN = "3GPP-E-UTRAN-FDD"
SENSITIVITY_DBM = -120.0


class Change(StrEnum):
    """What a subscriber is told has changed."""

    FUNCTIONALITY = "functionality"
    CELL = "cell"
    SIGNAL = "signal"
    REGISTRATION = "registration"
    PDN = "pdn"
    RRC = "rrc"
    IMS = "ims"
    SIM = "sim"


class Functionality(IntEnum):
    """AT+CFUN values this handset knows (TS 27.007 8.2)."""

    MINIMUM = 0
    FULL = 1
    RF_OFF = 4


class Registration(IntEnum):
    """EPS registration as AT+CEREG reports it (TS 27.007 10.1.22)."""

    NOT_SEARCHING = 0
    HOME = 1
    SEARCHING = 2
    DENIED = 3
    UNKNOWN = 4
    ROAMING = 5


@dataclass(frozen=True, slots=True)
class Identity:
    """What the handset and its SIM say they are.

    home_plmn_digits: digits of the IMSI that are the home PLMN, 5 or 6 (EF AD of the SIM, TS 31.102 4.2.18).
    """

    imei: str = "490154203237518"
    imsi: str = "001010123456789"
    msisdn: str = "+15550100"
    iccid: str = "8988211000000000018"
    manufacturer: str = "rcslab"
    model: str = "Simulated Handset"
    revision: str = "1.0"
    software_version: str = "01"
    sms_centre: str = "+15550199"
    home_plmn_digits: int = 5

    @property
    def home_plmn(self) -> str:
        """MCC and MNC of the SIM's home network, as digits."""
        return self.imsi[: self.home_plmn_digits]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as it is heard. power_dbm is the reference signal power (RSRP) in dBm."""

    mcc: str
    mnc: str
    tac: int
    eci: int
    power_dbm: float
    pcscf: tuple[str, ...] = ()
    access: str = ACCESS_E_UTRAN

    @property
    def plmn(self) -> str:
        """MCC and MNC as digits, "00101"."""
        return self.mcc + self.mnc

    @property
    def utran_cell_id(self) -> str:
        """The utran-cell-id-3gpp value of P-Access-Network-Info for E-UTRAN (TS 24.229 7.2A.4)."""
        return f"{self.plmn}{self.tac:04X}{self.eci:07X}"


@dataclass(frozen=True, slots=True)
class Pdn:
    """An active PDN connection. pcscf is what the network handed out with it (TS 24.008 10.5.6.3)."""

    apn: str
    address: str
    pcscf: tuple[str, ...]
    ipv6: str | None = None


class RadioLink(Protocol):
    """The way up to the network, as the air link offers it. Sending while there is no link does nothing."""

    def attach(self, identity: Identity) -> None:
        """Ask for registration and the default PDN connection."""

    def detach(self) -> None:
        """Say goodbye (switched off, airplane)."""

    def lost(self) -> None:
        """Coverage is gone: the network side drops what it holds for this handset."""

    def ims(self, registered: bool) -> None:
        """Report IMS registration."""


class Baseband:
    """The radio state shared by every part of one simulated handset. Used from one event loop only."""

    def __init__(
        self,
        identity: Identity | None = None,
        *,
        sim_present: bool = True,
        functionality: int = Functionality.FULL,
        sensitivity_dbm: float = SENSITIVITY_DBM,
    ) -> None:
        self.identity = identity or Identity()
        self.sensitivity_dbm = sensitivity_dbm
        self._sim_present = sim_present
        self._functionality = Functionality(functionality)
        self._link: RadioLink | None = None
        self._heard: Cell | None = None
        self._cell: Cell | None = None
        self._registration = Registration.NOT_SEARCHING
        self._reject_cause: int | None = None
        self._pdn: Pdn | None = None
        self._rrc_connected = False
        self._ims_registered = False
        self._subscribers: list[Callable[[str], None]] = []
        self.farewell: Callable[[], Awaitable[None]] | None = None
        """What is awaited between switching the radio off and its silence: IMS says goodbye first."""
        self._leaving: asyncio.Task[None] | None = None
        if self._radio_on:
            self._registration = Registration.SEARCHING

    # ---- what can be read

    @property
    def imei(self) -> str:
        """15 digits."""
        return self.identity.imei

    @property
    def imsi(self) -> str:
        """Up to 15 digits, of the SIM whether it is present or not."""
        return self.identity.imsi

    @property
    def msisdn(self) -> str:
        """E.164 with a leading +."""
        return self.identity.msisdn

    @property
    def model(self) -> str:
        """Model name as AT+CGMM and ro.product.model say it."""
        return self.identity.model

    @property
    def sim_present(self) -> bool:
        """A SIM is in its tray and usable."""
        return self._sim_present

    @property
    def functionality(self) -> Functionality:
        """AT+CFUN."""
        return self._functionality

    @property
    def airplane(self) -> bool:
        """Airplane mode: RF is off."""
        return self._functionality is Functionality.RF_OFF

    @property
    def cell(self) -> Cell | None:
        """The cell the handset camps on, None without coverage."""
        return self._cell

    @property
    def registration(self) -> Registration:
        """EPS registration."""
        return self._registration

    @property
    def reject_cause(self) -> int | None:
        """EMM cause of the last attach reject (TS 24.301 9.9.3.9), None when there was none."""
        return self._reject_cause

    @property
    def registered(self) -> bool:
        """Registered, at home or roaming."""
        return self._registration in (Registration.HOME, Registration.ROAMING)

    @property
    def roaming(self) -> bool:
        """Registered in a network that is not the SIM's home network."""
        return self._registration is Registration.ROAMING

    @property
    def pdn(self) -> Pdn | None:
        """The default PDN connection, None while not registered."""
        return self._pdn

    @property
    def rrc_connected(self) -> bool:
        """AT+CSCON: the radio connection is active."""
        return self._rrc_connected

    @property
    def signal_dbm(self) -> float | None:
        """RSRP of the serving cell in dBm, None without coverage."""
        return self._cell.power_dbm if self._cell else None

    @property
    def ims_registered(self) -> bool:
        """AT+CIREG. It falls with the PDN connection it rests on."""
        return self._ims_registered

    @ims_registered.setter
    def ims_registered(self, registered: bool) -> None:
        if registered != self._ims_registered:
            self._ims_registered = registered
            if self._link:
                self._link.ims(registered)
            self._tell(Change.IMS)

    # ---- who listens

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Call back with a Change after each one, in the event loop. Returns the way to stop."""
        self._subscribers.append(callback)

        def stop() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return stop

    async def wait_for(self, condition: Callable[[Baseband], bool], timeout: float) -> None:
        """Return as soon as condition holds. Raises TimeoutError after `timeout` seconds."""
        if condition(self):
            return
        reached = asyncio.get_running_loop().create_future()

        def look(_: str) -> None:
            if not reached.done() and condition(self):
                reached.set_result(None)

        stop = self.subscribe(look)
        try:
            async with asyncio.timeout(timeout):
                await reached
        finally:
            stop()

    # ---- what the user does

    def set_functionality(self, level: int) -> None:
        """AT+CFUN=<level>. Raises ValueError for a level other than 0, 1 and 4."""
        wanted = Functionality(level)
        if wanted is self._functionality:
            return
        was_on, self._functionality = self._radio_on, wanted
        self._tell(Change.FUNCTIONALITY)
        if was_on and self.farewell is not None and self._pdn is not None:
            self._leaving = asyncio.get_running_loop().create_task(self._leave_politely(self.farewell))
        elif self._leaving is None or self._leaving.done():
            self._radio_switched(was_on)

    def set_airplane(self, on: bool) -> None:
        """The airplane switch of the settings and the quick tile."""
        self.set_functionality(Functionality.RF_OFF if on else Functionality.FULL)

    def set_sim_present(self, present: bool) -> None:
        """Put the SIM in or take it out."""
        if present == self._sim_present:
            return
        was_on, self._sim_present = self._radio_on, present
        self._tell(Change.SIM)
        self._radio_switched(was_on)

    def reattach(self) -> None:
        """Detach and register again (AT+COPS=0, AT+CGATT=1)."""
        if self._radio_on:
            self.detach()
            self._set_registration(Registration.SEARCHING)
            self._camp()

    def detach(self) -> None:
        """Leave the network but keep the radio on (AT+COPS=2, AT+CGATT=0)."""
        if self._link and self._registration is not Registration.NOT_SEARCHING:
            self._link.detach()
        self._leave(Registration.NOT_SEARCHING)

    # ---- what the air link brings

    def connect(self, link: RadioLink | None) -> None:
        """Give the way up to the network; None when there is none."""
        self._link = link

    def heard(self, cell: Cell | None) -> None:
        """The cell in range, as broadcast now; None when nothing is received any more."""
        self._heard = cell
        if self._radio_on:
            self._camp()

    def attached(self, pdn: Pdn) -> None:
        """Attach accept with the default PDN connection."""
        if not self._radio_on or self._cell is None:
            return
        self._reject_cause = None
        self._set_pdn(pdn)
        home = self._cell.plmn == self.identity.home_plmn
        self._set_registration(Registration.HOME if home else Registration.ROAMING)

    def rejected(self, cause: int) -> None:
        """Attach reject with its EMM cause."""
        if self._radio_on:
            self._reject_cause = cause
            self._leave(Registration.DENIED)

    def network_detach(self, reattach: bool = True) -> None:
        """Detach request of the network; with `reattach` the handset registers again (TS 24.301 5.5.2.3)."""
        if not self._radio_on:
            return
        self._leave(Registration.SEARCHING if reattach else Registration.NOT_SEARCHING)
        if reattach:
            self._camp()

    def rrc(self, connected: bool) -> None:
        """RRC connection set up or released."""
        if connected != self._rrc_connected:
            self._rrc_connected = connected
            self._tell(Change.RRC)

    # ---- the procedure

    @property
    def _radio_on(self) -> bool:
        return self._functionality is Functionality.FULL and self._sim_present

    async def _leave_politely(self, farewell: Callable[[], Awaitable[None]]) -> None:
        """Radio off, a moment later; when it was switched on again meanwhile, register anew."""
        await farewell()
        if self._radio_on:
            self.reattach()
        else:
            self._radio_switched(True)

    def _receivable(self) -> Cell | None:
        cell = self._heard
        return cell if cell and cell.power_dbm >= self.sensitivity_dbm else None

    def _radio_switched(self, was_on: bool) -> None:
        if was_on and not self._radio_on:
            self.detach()
            self._set_cell(None)
        elif self._radio_on and not was_on:
            self._set_registration(Registration.SEARCHING)
            self._camp()

    def _camp(self) -> None:
        """Camp on what is in range and register where that is needed."""
        before, cell = self._cell, self._receivable()
        if cell is None:
            if before is not None and self._link:
                self._link.lost()
            if self._registration is not Registration.NOT_SEARCHING:
                self._leave(Registration.SEARCHING)
            self._set_cell(None)
            return
        self._set_cell(cell)
        if before is not None and before.plmn != cell.plmn and self.registered:
            self._leave(Registration.SEARCHING)
        if self._registration is Registration.SEARCHING and self._link:
            self._link.attach(self.identity)

    def _leave(self, registration: Registration) -> None:
        self.rrc(False)
        self._set_pdn(None)
        self._set_registration(registration)

    def _set_cell(self, cell: Cell | None) -> None:
        before, self._cell = self._cell, cell
        if before == cell:
            return
        if before and cell and replace(before, power_dbm=cell.power_dbm) == cell:
            self._tell(Change.SIGNAL)
        else:
            self._tell(Change.CELL)

    def _set_pdn(self, pdn: Pdn | None) -> None:
        if pdn == self._pdn:
            return
        self._pdn = pdn
        if pdn is None:
            self.ims_registered = False
        self._tell(Change.PDN)

    def _set_registration(self, registration: Registration) -> None:
        if registration is not self._registration:
            self._registration = registration
            self._tell(Change.REGISTRATION)

    def _tell(self, change: Change) -> None:
        for callback in tuple(self._subscribers):
            callback(change)
