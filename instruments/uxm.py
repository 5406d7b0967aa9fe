"""Keysight UXM (E7515), LTE in its test application: a table and its use.

A scenario that lies on the instrument sets the cell up; what it broadcasts has no command in any source.
Sources: drivers of the Android test suite (ACTS), notes of a public driver that was tried on the instrument.
"""

from __future__ import annotations

from typing import ClassVar, Final

from harness.errors import InstrumentRefused, UsageError
from instruments.capability import Capability, CapabilityTable, Confidence, Operation
from instruments.network_simulator import CellState
from instruments.table_driver import TableDriver

_CELL: Final = "BSE:CONFig:LTE:CELL1"
_ACTS: Final = "ACTS uxm and keysight drivers"
_A, _B = Confidence.A, Confidence.B

TABLE: Final = CapabilityTable(
    "UXM",
    [
        Capability(Operation.RESET, "full preset", _ACTS, _B, command="SYSTem:PRESet:FULL"),
        Capability(
            Operation.SCENARIO,
            "import a file of SCPI lines; takes most of a minute",
            _ACTS,
            _A,
            command='SYSTem:SCPI:IMPort "{value}"',
        ),
        Capability(
            "import status",
            "whether an import goes on; notes on the manual have it that it tells of success or failure",
            _ACTS,
            _B,
            query="SYSTem:SCPI:IMPort:STATus?",
            replies={"0": True, "1": False},
        ),
        Capability(
            Operation.CELL,
            "the cell's switch",
            _ACTS,
            _A,
            command=f"{_CELL}:ACTive:STATe {{value}}",
            query=f"{_CELL}:ACTive:STATe?",
            replies={"0": CellState.OFF, "1": CellState.ON},
            allowed="0, 1",
        ),
        Capability(
            Operation.UE_STATE,
            "state of the cell and the handset on it",
            f"{_ACTS}; public driver, tried",
            _A,
            query="BSE:STATus:LTE:CELL1?",
            replies={
                "OFF": CellState.OFF,
                "ON": CellState.ON,
                "IDLE": CellState.ATTACHED,
                "CONN": CellState.CONNECTED,
                "AGG": CellState.CONNECTED,
                "ACT": CellState.CONNECTED,
            },
        ),
        Capability(
            Operation.SERVICE,
            "by the cell's switch",
            _ACTS,
            _A,
            command=f"{_CELL}:ACTive:STATe {{value}}",
            query=f"{_CELL}:ACTive:STATe?",
            replies={"0": CellState.OUT_OF_SERVICE, "1": CellState.ON},
            allowed="0, 1",
        ),
        Capability(Operation.BAND, "operating band", _ACTS, _B, command=f"{_CELL}:BAND {{value}}"),
        Capability(Operation.CHANNEL, "downlink channel", _ACTS, _B, command=f"{_CELL}:DL:CHANnel {{value}}"),
        Capability(
            Operation.BANDWIDTH,
            "downlink bandwidth",
            _ACTS,
            _B,
            command=f"{_CELL}:DL:BW {{value}}",
            allowed="BW5, BW10, ...",
            unit="MHz",
        ),
        Capability(
            Operation.POWER,
            "energy of a resource element",
            _ACTS,
            _A,
            command=f"{_CELL}:DL:POWer:EPRE {{value}}",
            unit="dBm/15 kHz",
        ),
        Capability("apply", "take over what was set", _ACTS, _A, command=f"{_CELL}:APPLY"),
        Capability(
            Operation.RELEASE,
            "release the connection of the handset",
            _ACTS,
            _B,
            command="BSE:FUNCtion:LTE:CELL1:RELease:SEND",
        ),
        Capability(
            Operation.IMS_DEREGISTER,
            "end the registration at the instrument's IMS server",
            _ACTS,
            _B,
            command="SYSTem:IMS:SERVer:UE:DERegister",
        ),
    ],
)


class Uxm(TableDriver):
    """What differs from the table: 1 and 0, an import that is waited for, and settings that are applied."""

    TABLE: ClassVar[CapabilityTable] = TABLE
    _out = False
    """Whether the cell is off because it was taken out of service."""

    def load_scenario(self, path: str, timeout: float) -> None:
        self._do(Operation.SCENARIO, path)
        if not self._wait_for(lambda: bool(self._value("import status")), timeout, f"import of {path}"):
            raise InstrumentRefused(
                "UXM import",
                self._session.resource,
                f"an end of the import of {path} within {timeout:g} s",
                "it goes on",
                "look at the instrument; give the import more time if it is only slow",
            )

    def _turn(self, value: str, timeout: float) -> None:
        self._do(Operation.CELL, "1" if value == "ON" else "0")
        self._out = False

    def out_of_service(self) -> None:
        super().out_of_service()
        self._out = True

    def recover(self) -> None:
        super().recover()
        self._out = False

    def _service_text(self, out: bool) -> str:
        return "0" if out else "1"

    def state(self) -> CellState:
        state = super().state()
        return CellState.OUT_OF_SERVICE if self._out and state is CellState.OFF else state

    def _apply(self) -> None:
        self._do("apply")

    def power(self, dbm: float) -> None:
        super().power(dbm)
        self._apply()

    def _bandwidth_text(self, megahertz: float) -> str:
        if megahertz != int(megahertz):
            raise UsageError(f"bandwidth {megahertz:g} MHz: no source shows how a UXM writes it")
        return f"BW{megahertz:g}"
