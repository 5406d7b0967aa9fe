"""Keywords for the cell that the network simulator broadcasts."""

from __future__ import annotations

from datetime import timedelta

from robot.api.deco import keyword

from harness.errors import HandsetError
from harness.keywords.needs import needs
from harness.keywords.topic import Topic
from instruments.capability import Operation
from instruments.network_simulator import CellState


class Network(Topic):
    """The cell and the handset on it, over VISA."""

    @needs(Operation.CELL)
    @keyword
    def switch_cell_off(self) -> None:
        """Takes the cell off the air: the handset loses coverage."""
        self.act()
        self.bench.network_simulator.cell_off(self.bench.lab.deadlines.cell)

    @needs(Operation.CELL)
    @keyword
    def switch_cell_on(self) -> None:
        """Puts the cell on the air and waits until it is."""
        self.act()
        self.bench.network_simulator.cell_on(self.bench.lab.deadlines.cell)

    @needs(Operation.TAC, Operation.ECI)
    @keyword
    def change_cell(self, tac: int | None = None, eci: int | None = None, on_air: bool = False) -> None:
        """Lets the network simulator broadcast another tracking area or cell identity.

        The cell goes off for the change and comes on again: the handset attaches anew. With ``on_air`` it
        stays on and the handset attached, as one that moves into another cell is.
        """
        self.act()
        simulator, seconds = self.bench.network_simulator, self.bench.lab.deadlines.cell
        if on_air:
            simulator.configure(tac=tac, eci=eci)
            return
        simulator.cell_off(seconds)
        simulator.configure(tac=tac, eci=eci)
        simulator.cell_on(seconds)

    @needs(Operation.POWER)
    @keyword
    def set_cell_power(self, dbm: float) -> None:
        """Sets the reference signal power in dBm per 15 kHz; far below -120 dBm no handset hears the cell."""
        self.act()
        self.bench.network_simulator.power(dbm)

    @needs(Operation.PCSCF_IPV4)
    @keyword("Network Names P-CSCF")
    def network_names_pcscf(self, address: str) -> None:
        """Sets the P-CSCF address the handset gets at its next attach, IPv4 or IPv6, and lets it attach
        anew."""
        self.act()
        simulator, seconds = self.bench.network_simulator, self.bench.lab.deadlines.cell
        simulator.cell_off(seconds)
        simulator.set_pcscf(address)
        simulator.cell_on(seconds)

    @keyword("Addresses Of P-CSCF")
    def addresses_of_pcscf(self) -> list[str]:
        """Returns the addresses the peer of this bench listens on; the handset is given the first one."""
        return list(self.bench.part.peer.addresses)

    @needs(Operation.SERVICE)
    @keyword
    def take_cell_out_of_service(self) -> None:
        """Lets the cell run on and be of no service to any handset."""
        self.act()
        self.bench.network_simulator.out_of_service()

    @needs(Operation.SERVICE)
    @keyword
    def put_cell_into_service(self) -> None:
        """Ends what Take Cell Out Of Service began."""
        self.act()
        self.bench.network_simulator.recover()

    @needs(Operation.DETACH)
    @keyword
    def network_detaches_handset(self) -> None:
        """Lets the network end the attachment of the handset, which may attach again at once."""
        self.act()
        self.bench.network_simulator.detach()

    @needs(Operation.UE_STATE)
    @keyword
    def handset_attaches(self, timeout: timedelta | None = None) -> None:
        """Waits until the network simulator says that a handset is attached."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.cell)
        self.bench.network_simulator.wait_state(CellState.ATTACHED, CellState.CONNECTED, timeout=seconds)

    @needs(Operation.UE_IMSI, Operation.UE_IMEI)
    @keyword
    def network_simulator_should_know_handset(self, handset: str | None = None) -> None:
        """Fails unless the network simulator reports the IMSI of lab.yaml and the IMEI of the handset.

        The IMEI is the one the modem gives, else that of lab.yaml; it is not compared where neither tells it.
        """
        simulator, own = self.bench.network_simulator, self.handset(handset)
        found = (simulator.ue_imsi(), simulator.ue_imei())
        imei = own.modem.imei() if own.modem else own.part.imei
        expected = (own.part.imsi, imei or found[1])
        if found != expected:
            raise HandsetError(f"expected IMSI and IMEI {expected} at the network simulator, got {found}")

    @keyword
    def restore_cell(self) -> None:
        """Puts the cell back as lab.yaml describes it, on the air.

        When something had to be changed for that, it also waits until the handset has registered anew: the
        binding from before the change is not worth anything.
        """
        self.act()
        part = self.bench.part.network_simulator
        if part is None:
            return
        simulator, seconds = self.bench.network_simulator, self.bench.lab.deadlines.cell
        if not {Operation.MCC, Operation.MNC, Operation.TAC, Operation.ECI} <= simulator.operations:
            if simulator.state() is CellState.OFF:
                simulator.cell_on(seconds)
            return
        wanted, now = part.cell, simulator.cell_identity()
        changed = (now.mcc, now.mnc, now.tac, now.eci) != (wanted.mcc, wanted.mnc, wanted.tac, wanted.eci)
        state = simulator.state()
        was_on = state is not CellState.OFF
        if state is CellState.OUT_OF_SERVICE:
            simulator.recover()
        if changed:
            simulator.cell_off(seconds)
            simulator.configure(wanted.mcc, wanted.mnc, wanted.tac, wanted.eci)
        if Operation.POWER in simulator.operations:
            simulator.power(wanted.power_dbm)
        if changed or not was_on:
            simulator.cell_on(seconds)
            registration = self.bench.lab.deadlines.registration
            waiting = self.bench.peer.registrar.wait_registered(timeout=registration, after=self.access.mark)
            self.call(waiting, registration)
