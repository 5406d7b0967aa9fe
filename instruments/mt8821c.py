"""Anritsu MT8821C, and MT8820C with the same words: a table and its use. Flat words without colons.

Sources: "uetest" is a public test tool for the MT8820 that ran on it; "instruments GUI" a public program for
both; the manual was not at hand. Of the cell's identities only MCC, MNC and TAC are in a source.
"""

from __future__ import annotations

from typing import ClassVar, Final

from harness.errors import UsageError
from instruments.capability import Capability, CapabilityTable, Confidence, Operation
from instruments.network_simulator import CellState
from instruments.table_driver import TableDriver

ERROR_QUERY: Final = "*ESR?"
NO_ERROR: Final = "0"

_UETEST: Final = "uetest, MT8820"
_BOTH: Final = "uetest, MT8820; instruments GUI"
_A, _B, _C = Confidence.A, Confidence.B, Confidence.C

TABLE: Final = CapabilityTable(
    "MT8821C",
    [
        Capability(Operation.RESET, "settings to default", _UETEST, _A, command="PRESET"),
        Capability(
            "standard",
            "which radio standard is chosen",
            _BOTH,
            _A,
            command="STDSEL {value}",
            query="STDSEL?",
            allowed="LTE",
        ),
        Capability(
            Operation.CELL,
            "call processing on and off",
            _BOTH,
            _A,
            command="CALLPROC {value}",
            query="CALLPROC?",
            asked=_C,
            replies={"ON": CellState.ON, "OFF": CellState.OFF},
            allowed="ON, OFF",
        ),
        Capability(
            Operation.SERVICE,
            "the output level on and off",
            _BOTH,
            _A,
            command="LVL {value}",
            query="LVL?",
            asked=_C,
            replies={"ON": CellState.ON, "OFF": CellState.OUT_OF_SERVICE},
            allowed="ON, OFF",
        ),
        Capability(
            Operation.UE_STATE,
            "state of call processing",
            _BOTH,
            _A,
            query="CALLSTAT?",
            replies={
                "0": CellState.OFF,
                "1": CellState.ON,
                "2": CellState.ATTACHED,
                "3": CellState.REGISTERING,
                "4": CellState.CONNECTED,
                "5": CellState.CONNECTED,
                "6": CellState.CONNECTED,
            },
        ),
        Capability(Operation.MCC, "mobile country code", _UETEST, _A, command="MCC {value}", query="MCC?"),
        Capability(Operation.MNC, "mobile network code", _UETEST, _A, command="MNC {value}", query="MNC?"),
        Capability(Operation.TAC, "tracking area code", _UETEST, _B, command="TAC {value}", query="TAC?"),
        Capability(
            Operation.PHYSICAL_ID,
            "physical cell identity; there is no command for the E-UTRAN cell identity in any source",
            _UETEST,
            _B,
            command="CELLID {value}",
            query="CELLID?",
            allowed="0 to 503",
        ),
        Capability(
            Operation.BAND,
            "operating band, while off only",
            _UETEST,
            _A,
            command="BAND {value}",
            query="BAND?",
        ),
        Capability(
            Operation.CHANNEL, "downlink channel", _UETEST, _A, command="DLCHAN {value}", query="DLCHAN?"
        ),
        Capability(
            Operation.BANDWIDTH,
            "bandwidth",
            _UETEST,
            _B,
            command="BANDWIDTH {value}",
            query="BANDWIDTH?",
            allowed="5MHZ, 10MHZ, ...",
            unit="MHz",
        ),
        Capability(
            Operation.POWER,
            "level of a resource element",
            _UETEST,
            _A,
            command="OLVL_EPRE {value}",
            query="OLVL_EPRE?",
            unit="dBm/15 kHz",
        ),
        Capability(Operation.CONNECT, "page the handset, start a call", _BOTH, _A, command="CALLSA"),
        Capability(Operation.RELEASE, "end the call", _BOTH, _A, command="CALLSO"),
        Capability(
            Operation.DETACH, "clear the record of the handset", "instruments GUI", _C, command="CALLRFR"
        ),
    ],
)


class Mt8821c(TableDriver):
    """What differs from the table: LTE is chosen first, and the level goes on with call processing."""

    TABLE: ClassVar[CapabilityTable] = TABLE

    def open(self) -> None:
        super().open()
        if self._ask("standard") != "LTE":
            self._do("standard", "LTE")

    def _turn(self, value: str, timeout: float) -> None:
        if value == "ON":
            self._do(Operation.CELL, "ON")
            self._do(Operation.SERVICE, "ON")
        else:
            self._do(Operation.SERVICE, "OFF")
            self._do(Operation.CELL, "OFF")

    def state(self) -> CellState:
        generator = self._generator()
        if generator is not CellState.ON:
            return generator
        service: CellState = self._value(Operation.SERVICE)
        if service is CellState.OUT_OF_SERVICE:
            return service
        state: CellState = self._value(Operation.UE_STATE)
        return state

    def _service_text(self, out: bool) -> str:
        return "OFF" if out else "ON"

    def _bandwidth_text(self, megahertz: float) -> str:
        if megahertz != int(megahertz):
            raise UsageError(f"bandwidth {megahertz:g} MHz: no source shows how an MT8821C writes it")
        return f"{megahertz:g}MHZ"
