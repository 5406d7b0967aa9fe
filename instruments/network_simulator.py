"""What every network simulator driver offers, in neutral words (no dialect)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from instruments.capability import Operation


class CellState(StrEnum):
    """State of the cell and of the handset on it, from one end to the other.

    STARTING: switched on, no signal yet. ON: signal, no handset. REGISTERING: signalling with a handset.
    ATTACHED: a handset is registered. CONNECTED: it has a connection. OUT_OF_SERVICE: on, but barred.
    """

    OFF = "off"
    STARTING = "starting"
    ON = "on"
    REGISTERING = "registering"
    ATTACHED = "attached"
    CONNECTED = "connected"
    OUT_OF_SERVICE = "out of service"


@dataclass(frozen=True, slots=True)
class CellIdentity:
    """What the cell broadcasts about itself, as the instrument reports it."""

    mcc: str
    mnc: str
    tac: int
    eci: int


class NetworkSimulator(Protocol):
    """A network simulator with one LTE cell.

    What a driver can do is in `operations`; asking for more is refused by name before anything is sent.
    Every call has a deadline. InstrumentLost: the box is unreachable or silent. InstrumentRefused: it put an
    error into its queue, answered what its driver does not know, or the driver has no such operation.
    """

    def open(self) -> None:
        """Connect and identify."""

    def close(self) -> None:
        """Release the connection; the cell stays as it is."""

    def identify(self) -> str:
        """Maker, model, serial number, firmware."""

    @property
    def operations(self) -> frozenset[Operation]:
        """What this driver has a documented command for."""

    def reset(self) -> None:
        """Cell off, settings as after *RST."""

    def load_scenario(self, path: str, timeout: float) -> None:
        """Load a scenario or settings file that lies on the instrument; may take minutes."""

    def cell_on(self, timeout: float) -> None:
        """Switch the cell on and return when its signal is available."""

    def cell_off(self, timeout: float) -> None:
        """Switch the cell off and return when its signal is gone."""

    def state(self) -> CellState:
        """State of the cell and the handset on it; of the cell alone where the box tells no more."""

    def wait_state(self, *states: CellState, timeout: float) -> CellState:
        """Return as soon as the state is one of `states`. Raises NotSeen at the deadline."""

    def configure(
        self,
        mcc: str | None = None,
        mnc: str | None = None,
        tac: int | None = None,
        eci: int | None = None,
    ) -> None:
        """Set what the cell broadcasts. mnc has two or three digits, eci is the 28-bit cell identity."""

    def cell_identity(self) -> CellIdentity:
        """What the cell broadcasts."""

    def physical_cell(
        self, identity: int | None = None, band: int | None = None, channel: int | None = None
    ) -> None:
        """Physical cell identity (0 to 503), operating band and downlink EARFCN."""

    def bandwidth(self, megahertz: float) -> None:
        """Downlink bandwidth: 1.4, 3, 5, 10, 15 or 20 MHz."""

    def power(self, dbm: float) -> None:
        """Reference signal power in dBm per 15 kHz."""

    def out_of_service(self) -> None:
        """Take the cell out of service for the handset, and leave it running."""

    def recover(self) -> None:
        """Put the cell back into service."""

    def bar(self, barred: bool) -> None:
        """Bar the cell for every handset, or end that; it stays on the air."""

    def set_pcscf(self, *addresses: str) -> None:
        """The P-CSCF addresses handed to the handset at its next attach: one of a family, none but these."""

    def ue_imsi(self) -> str | None:
        """IMSI of the attached handset, None when no handset is known."""

    def ue_imei(self) -> str | None:
        """IMEI of the attached handset, None when no handset is known."""

    def ue_addresses(self) -> tuple[str, ...]:
        """IP addresses the handset was given."""

    def rrc_connected(self) -> bool:
        """The handset has an RRC connection."""

    def connect(self) -> None:
        """Page the handset and set up a connection."""

    def release(self) -> None:
        """Release the connection of the handset."""

    def detach(self) -> None:
        """Send the handset away; it may attach again at once."""

    def reject_attach(self, cause: int | None) -> None:
        """Reject attach requests with this EMM cause (TS 24.301 9.9.3.9); None accepts them."""

    def ims_server(self, on: bool) -> None:
        """The instrument's own IMS server; ours stands in its place while it is off."""

    def ims_deregister(self) -> None:
        """End the registration of the handset at the instrument's own IMS server."""

    def ims_registered(self) -> bool:
        """The handset is registered at the instrument's own IMS server."""

    def subscriber(self, key: str, opc: str) -> None:
        """K and OPc of the SIM in the handset, 32 hexadecimal digits each. Neither reaches a log."""

    def send_sms(self, text: str, sender: str, timeout: float) -> None:
        """Send an SMS to the handset, as from this number, and wait until it was sent."""

    def received_sms(self) -> str | None:
        """Text of the last SMS from the handset, None when there is none."""

    def save_log(self, path: str) -> None:
        """Save the instrument's own log as a file on the instrument."""
