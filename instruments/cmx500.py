"""Rohde & Schwarz CMX500: as much of a driver as the sources suffice for.

Source: RsCMX_Signaling, the vendor's Python package. It gives the headers; what their arguments mean it does
not say, so that everything with an argument has confidence C.
"""

from __future__ import annotations

from typing import ClassVar, Final

from instruments.capability import Capability, CapabilityTable, Confidence, Operation
from instruments.network_simulator import CellState
from instruments.table_driver import TableDriver

_VENDOR: Final = "RsCMX_Signaling"
_A, _C = Confidence.A, Confidence.C
_LTE_CELL: Final = '"LTE cell 1"'
_NETWORK: Final = '"PLMN 1"'
"""What the lab calls its network and cell on the instrument; no source gives names."""
ERROR_QUERY: Final = "SYSTem:ERRor:ALL?"

TABLE: Final = CapabilityTable(
    "CMX500",
    [
        Capability(Operation.RESET, "settings to default", "IEEE 488.2", _A, command="*RST"),
        Capability(
            Operation.CELL,
            "the cell's switch",
            _VENDOR,
            _C,
            command=f"SOURce:SIGNaling:LTE:CELL:STATe {_LTE_CELL},{{value}}",
            query=f"SOURce:SIGNaling:LTE:CELL:STATe? {_LTE_CELL}",
            replies={"ON": CellState.ON, "1": CellState.ON, "OFF": CellState.OFF, "0": CellState.OFF},
            allowed="ON, OFF",
        ),
        Capability(
            Operation.MCC,
            "mobile country code",
            _VENDOR,
            _C,
            command=f'CONFigure:SIGNaling:TOPology:PLMN:MCC {_NETWORK},"{{value}}"',
            query=f"CONFigure:SIGNaling:TOPology:PLMN:MCC? {_NETWORK}",
            allowed="three digits",
        ),
        Capability(
            Operation.MNC,
            "mobile network code",
            _VENDOR,
            _C,
            command=f'CONFigure:SIGNaling:TOPology:PLMN:MNC {_NETWORK},"{{value}}"',
            query=f"CONFigure:SIGNaling:TOPology:PLMN:MNC? {_NETWORK}",
            allowed="two or three digits",
        ),
        Capability(Operation.UE_IMSI, "IMSI of the handset", _VENDOR, _A, query="FETCh:SIGNaling:UE:IMSI?"),
        Capability(Operation.UE_IMEI, "IMEI of the handset", _VENDOR, _A, query="FETCh:SIGNaling:UE:IMEI?"),
    ],
)


class Cmx500(TableDriver):
    """Nothing but its table; strings come in quotation marks."""

    TABLE: ClassVar[CapabilityTable] = TABLE

    def _ask(self, operation: str) -> str:
        return super()._ask(operation).strip("\"'")
