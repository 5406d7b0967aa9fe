"""A network simulator driver is a table and the little that a table cannot say.

`TableDriver` does every operation of the protocol as its table declares it, in neutral values; a dialect's
class gives the table and what differs. An operation that the table lacks is refused by name.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Protocol

from harness.errors import InstrumentRefused, NotSeen, UsageError
from harness.evidence.timeline import Layer, Timeline
from instruments.capability import CapabilityTable, Operation
from instruments.network_simulator import CellIdentity, CellState
from instruments.visa import PROGRESS_SECONDS, WAITING

POLL_FIRST: Final = 0.02
POLL_LONGEST: Final = 0.25
ECI_HIGHEST: Final = (1 << 28) - 1


class Connection(Protocol):
    """What a driver needs of its VISA session."""

    resource: str
    identity: str

    def open(self) -> str: ...
    def close(self) -> None: ...
    def query(self, text: str, timeout: float | None = None) -> str: ...
    def command(self, text: str, timeout: float | None = None, *, shown: str | None = None) -> None: ...


class TableDriver:
    """The NetworkSimulator protocol over a VISA session. See that protocol for the meaning of each call.

    clock and sleep are those of the waiting for states.
    """

    TABLE: ClassVar[CapabilityTable]

    def __init__(
        self,
        session: Connection,
        timeline: Timeline,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session, self._timeline = session, timeline
        self._clock, self._sleep = clock, sleep

    def open(self) -> None:
        self._session.open()

    def close(self) -> None:
        self._session.close()

    def identify(self) -> str:
        return self._session.query("*IDN?")

    @property
    def operations(self) -> frozenset[Operation]:
        return self.TABLE.operations

    def reset(self) -> None:
        self._do(Operation.RESET)

    def load_scenario(self, path: str, timeout: float) -> None:
        self._do(Operation.SCENARIO, path, timeout=timeout)

    # ---- cell

    def cell_on(self, timeout: float) -> None:
        self._switch("ON", frozenset(CellState) - {CellState.OFF, CellState.STARTING}, timeout)

    def cell_off(self, timeout: float) -> None:
        self._switch("OFF", frozenset({CellState.OFF}), timeout)

    def _switch(self, value: str, wanted: frozenset[CellState], timeout: float) -> None:
        deadline = self._clock() + timeout
        self._announce_change()
        self._turn(value, timeout)
        last = self._poll(self._generator, wanted, deadline)
        if last not in wanted:
            raise InstrumentRefused(
                f"{self.TABLE.instrument} cell",
                self._session.resource,
                f"{self.TABLE.query(Operation.CELL, '')} to say that it is {value} within {timeout:g} s",
                last.value,
                "look at the instrument's front panel; raise the cell timeout in lab.yaml if it is only slow",
            )
        self._report_cell(on=CellState.OFF not in wanted)

    def _turn(self, value: str, timeout: float) -> None:
        """Switch the cell; its state is polled afterwards."""
        self._do(Operation.CELL, value)

    def _generator(self) -> CellState:
        """Whether the cell is on, whatever a handset does."""
        state: CellState = self._value(Operation.CELL)
        return state

    def state(self) -> CellState:
        generator = self._generator()
        if generator is not CellState.ON or Operation.UE_STATE not in self.TABLE:
            return generator
        state: CellState = self._value(Operation.UE_STATE)
        return state

    def wait_state(self, *states: CellState, timeout: float) -> CellState:
        last = self._poll(self.state, frozenset(states), self._clock() + timeout)
        if last not in states:
            wanted = " or ".join(state.value for state in states)
            raise NotSeen(
                f"network simulator at {self._session.resource}: expected {wanted} within {timeout:g} s, "
                f"got {last.value}"
            )
        return last

    def configure(
        self,
        mcc: str | None = None,
        mnc: str | None = None,
        tac: int | None = None,
        eci: int | None = None,
    ) -> None:
        _check_identity(mcc, mnc, tac, eci)
        self._require({Operation.MCC: mcc, Operation.MNC: mnc, Operation.TAC: tac, Operation.ECI: eci})
        self._announce_change()
        if mcc is not None:
            self._set_mcc(mcc)
        if mnc is not None:
            self._set_mnc(mnc)
        if tac is not None:
            self._do(Operation.TAC, tac)
        if eci is not None:
            self._do(Operation.ECI, self._eci_text(eci))
        self._apply()
        if self._generator() is CellState.ON:
            self._report_cell(on=True)

    def _set_mcc(self, mcc: str) -> None:
        self._do(Operation.MCC, mcc)

    def _set_mnc(self, mnc: str) -> None:
        self._do(Operation.MNC, mnc)

    def _eci_text(self, eci: int) -> object:
        return eci

    def _apply(self) -> None:
        """Take over what was set, where that is a step of its own."""

    def cell_identity(self) -> CellIdentity:
        return CellIdentity(
            self._ask(Operation.MCC),
            self._ask(Operation.MNC),
            self._number(Operation.TAC),
            self._number(Operation.ECI),
        )

    def physical_cell(
        self, identity: int | None = None, band: int | None = None, channel: int | None = None
    ) -> None:
        _check_within("physical cell identity", identity, 0, 503)
        _check_within("band", band, 1, 88)
        _check_within("EARFCN", channel, 0, 262143)
        self._require({Operation.PHYSICAL_ID: identity, Operation.BAND: band, Operation.CHANNEL: channel})
        self._announce_change()
        if identity is not None:
            self._do(Operation.PHYSICAL_ID, identity)
        if band is not None:
            self._do(Operation.BAND, self._band_text(band))
        if channel is not None:
            self._do(Operation.CHANNEL, channel)
        self._apply()
        self._report_cell(on=self._generator() is not CellState.OFF)

    def _band_text(self, band: int) -> object:
        return band

    def bandwidth(self, megahertz: float) -> None:
        if megahertz not in (1.4, 3, 5, 10, 15, 20):
            raise UsageError(f"bandwidth {megahertz:g} MHz: 1.4, 3, 5, 10, 15 or 20 was expected")
        self._announce_change()
        self._do(Operation.BANDWIDTH, self._bandwidth_text(megahertz))
        self._apply()
        self._report_cell(on=self._generator() is not CellState.OFF)

    def _bandwidth_text(self, megahertz: float) -> str:
        return f"{megahertz:g}"

    def power(self, dbm: float) -> None:
        self._do(Operation.POWER, f"{dbm:g}")

    def out_of_service(self) -> None:
        self._announce_change()
        self._do(Operation.SERVICE, self._service_text(out=True))
        self._report_cell(on=False)

    def recover(self) -> None:
        self._announce_change()
        self._do(Operation.SERVICE, self._service_text(out=False))
        self._report_cell(on=True)

    def bar(self, barred: bool) -> None:
        self._announce_change()
        self._do(Operation.BARRED, self._barred_text(barred))
        self._report_cell(on=not barred)

    def _barred_text(self, barred: bool) -> str:
        return "ON" if barred else "OFF"

    def _service_text(self, out: bool) -> str:
        return "OUT" if out else "IN"

    # ---- handset

    def ue_imsi(self) -> str | None:
        return self._ask(Operation.UE_IMSI) or None

    def ue_imei(self) -> str | None:
        return self._ask(Operation.UE_IMEI) or None

    def ue_addresses(self) -> tuple[str, ...]:
        known = [each for each in (Operation.UE_IPV4, Operation.UE_IPV6) if each in self.TABLE]
        self.TABLE.require(known or [Operation.UE_IPV4], self._session.resource)
        return tuple(address for each in known for address in self._addresses(each))

    def _addresses(self, operation: Operation) -> tuple[str, ...]:
        reply = self._ask(operation)
        return (reply,) if reply else ()

    def rrc_connected(self) -> bool:
        connected: bool = self._value(Operation.RRC_STATE)
        return connected

    def connect(self) -> None:
        self._do(Operation.CONNECT)

    def release(self) -> None:
        self._do(Operation.RELEASE)

    def detach(self) -> None:
        self._do(Operation.DETACH)

    def reject_attach(self, cause: int | None) -> None:
        self._do(Operation.ATTACH_REJECT, "OFF" if cause is None else str(cause))

    # ---- IMS

    def set_pcscf(self, *addresses: str) -> None:
        chosen = {Operation.PCSCF_IPV4: "", Operation.PCSCF_IPV6: ""}
        for address in addresses:
            try:
                version = ipaddress.ip_address(address).version
            except ValueError:
                raise UsageError(f"P-CSCF {address!r}: an IPv4 or IPv6 literal was expected") from None
            chosen[Operation.PCSCF_IPV4 if version == 4 else Operation.PCSCF_IPV6] = address
        self._require({operation: address or None for operation, address in chosen.items()})
        self._use_external_ims()
        for operation, address in chosen.items():
            # What was never set is left alone: whether a box takes an empty address is not known.
            if address or (operation in self.TABLE and self._addresses(operation)):
                self._do(operation, address)

    def _use_external_ims(self) -> None:
        """Let the handset find an IMS that is not the instrument's, where that has to be said."""

    def ims_server(self, on: bool) -> None:
        self._do(Operation.IMS_SERVER, "ON" if on else "OFF")

    def ims_deregister(self) -> None:
        self._do(Operation.IMS_DEREGISTER)

    def ims_registered(self) -> bool:
        registered: bool = self._value(Operation.IMS_STATE)
        return registered

    def subscriber(self, key: str, opc: str) -> None:
        self._require({Operation.KEY: key, Operation.OPC: opc})
        for name, value, operation in (("K", key, Operation.KEY), ("OPc", opc, Operation.OPC)):
            if len(value) != 32 or not all(digit in "0123456789abcdefABCDEF" for digit in value):
                raise UsageError(f"{name} of the subscriber: 32 hexadecimal digits were expected")
            self._do(operation, value)

    # ---- SMS and log

    def send_sms(self, text: str, sender: str, timeout: float) -> None:
        self._do(Operation.SMS_TO_UE, text)

    def received_sms(self) -> str | None:
        return self._ask(Operation.SMS_FROM_UE) or None

    def save_log(self, path: str) -> None:
        self._do(Operation.LOG, path)

    # ---- table to wire

    def _require(self, values: Mapping[Operation, object]) -> None:
        """Refuse, before anything is sent, to set what the table lacks. None: it is left alone."""
        wanted = [operation for operation, value in values.items() if value is not None]
        self.TABLE.require(wanted, self._session.resource)

    def _do(self, operation: str, value: object = "", timeout: float | None = None) -> None:
        text = self.TABLE.command(operation, self._session.resource, value)
        shown = self.TABLE.command(operation, "", "***") if self.TABLE.is_secret(operation) else None
        self._session.command(text, timeout, shown=shown)

    def _ask(self, operation: str) -> str:
        return self._session.query(self.TABLE.query(operation, self._session.resource)).strip()

    def _value(self, operation: str) -> Any:
        return self.TABLE.value(operation, self._session.resource, self._ask(operation))

    def _number(self, operation: str) -> int:
        reply = self._ask(operation)
        try:
            return int(reply[2:], 2) if reply[:2].upper() == "#B" else int(reply)
        except ValueError:
            raise self._unreadable(operation, "a whole number", reply) from None

    def _unreadable(self, operation: str, expected: str, reply: str) -> InstrumentRefused:
        return InstrumentRefused(
            f"{self.TABLE.instrument} {operation}",
            self._session.resource,
            expected,
            repr(reply),
            "compare the reply with the instrument's manual and correct the driver's table",
        )

    def _poll(
        self, read: Callable[[], CellState], wanted: frozenset[CellState], deadline: float
    ) -> CellState:
        """Ask until the state is wanted or time is up; the instrument offers no event to wait for."""
        pause, told = POLL_FIRST, self._clock()
        while (state := read()) not in wanted and (left := deadline - self._clock()) > 0:
            if self._clock() - told >= PROGRESS_SECONDS:
                told = self._clock()
                self._tell_waiting(state.value, left)
            self._sleep(min(pause, left))
            pause = min(pause * 1.5, POLL_LONGEST)
        return state

    def _wait_for(self, done: Callable[[], bool], timeout: float, what: str) -> bool:
        """Ask until it is so or time is up; whether it is. what: the thing waited for, in a word or two."""
        told = self._clock()
        deadline = told + timeout
        while not done():
            if (left := deadline - self._clock()) <= 0:
                return False
            if self._clock() - told >= PROGRESS_SECONDS:
                told = self._clock()
                self._tell_waiting(what, left)
            self._sleep(min(POLL_LONGEST, left))
        return True

    def _tell_waiting(self, what: str, left: float) -> None:
        self._timeline.event(Layer.VISA, WAITING, f"{what}, {left:.0f} s left")

    def _announce_change(self) -> None:
        """From here until the next "cell" event it is not known what the cell sends."""
        self._timeline.event(Layer.VISA, "cell-change", resource=self._session.resource)

    def _report_cell(self, on: bool) -> None:
        """What is on the air from now on, as far as the instrument tells."""
        if not {Operation.MCC, Operation.MNC, Operation.TAC, Operation.ECI} <= self.operations:
            return
        cell = self.cell_identity()
        self._timeline.event(
            Layer.VISA,
            "cell",
            "cell on" if on else "cell off",
            on=on,
            mcc=cell.mcc,
            mnc=cell.mnc,
            tac=cell.tac,
            eci=cell.eci,
        )


def _check_identity(mcc: str | None, mnc: str | None, tac: int | None, eci: int | None) -> None:
    """Raises UsageError for what no network could broadcast (TS 23.003 2.2, 19.4.2.3, 19.6)."""
    if mcc is not None and not (len(mcc) == 3 and mcc.isdecimal()):
        raise UsageError(f"MCC {mcc!r}: three digits were expected")
    if mnc is not None and not (len(mnc) in (2, 3) and mnc.isdecimal()):
        raise UsageError(f"MNC {mnc!r}: two or three digits were expected")
    _check_within("TAC", tac, 0, 0xFFFF)
    _check_within("E-UTRAN cell identity", eci, 0, ECI_HIGHEST)


def _check_within(what: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise UsageError(f"{what} {value}: {low} to {high} was expected")
