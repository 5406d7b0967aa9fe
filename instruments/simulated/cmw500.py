"""The SCPI dialect of a CMW500's LTE signalling application, over a simulated cell.

Headers, values and states follow the instrument's own remote control reference (LTE Signaling and Data
Application Unit); the values *RST leaves behind are this simulation's own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, Final

from instruments.simulated.cell import SimulatedCell, Ue
from instruments.simulated.scpi import (
    Command,
    CommandTree,
    Interpreter,
    ScpiError,
    Status,
    a_choice,
    a_number,
    a_string,
    a_switch,
    an_integer,
    short_form,
    status_commands,
)

IDENTITY: Final = "rcslab,CMW500 simulated,0,1.0"
NOT_AVAILABLE: Final = "NAV"
ECI_BITS: Final = 28

_CELL = "CONFigure:LTE:SIGNaling<1>:CELL"
_IMS = "CONFigure:DATA:CONTrol:IMS<2>"
_UE = "SENSe:LTE:SIGNaling<1>:UESinfo"

# Reject cause mnemonic by EMM cause; every other cause is "C<number>" (LTE Signaling, CELL:RCAuse:ATTach).
_NAMED_CAUSES: Final = {3: "IUE3", 7: "EPS7", 11: "PLMN11", 12: "TANA12", 22: "CONG22"}
_CAUSES: Final = {
    _NAMED_CAUSES.get(number, f"C{number}"): number
    for number in (*range(2, 4), *range(5, 27), 35, 39, 40, 42, *range(95, 102), 111)
    if number != 4
}


_BANDWIDTHS: Final = ("B014", "B030", "B050", "B100", "B150", "B200")


class Cmw500Dialect:
    """The commands of the simulated instrument, bound to one cell. One interpreter per connection."""

    def __init__(self, cell: SimulatedCell, identity: str = IDENTITY) -> None:
        self.status = Status()
        self._cell = cell
        self._last_cause = 3
        self._tree = CommandTree(
            [
                *status_commands(self.status, identity, cell.reset, cell.settled),
                *self._generator(),
                *self._cell_settings(),
                *self._connection(),
                *self._ims(),
            ]
        )

    def interpreter(self) -> Interpreter:
        """For one connection."""
        return Interpreter(self._tree, self.status)

    # ---- SOURce

    def _generator(self) -> list[Command]:
        cell = self._cell

        def state() -> str:
            return "PEND" if cell.switched_on and not cell.adjusted else self._main_state()

        return [
            Command(
                "SOURce:LTE:SIGNaling<1>:CELL:STATe",
                write=lambda values: cell.switch(a_switch(values[0])),
                read=state,
            ),
            Command(
                "SOURce:LTE:SIGNaling<1>:CELL:STATe:ALL",
                read=lambda: f"{self._main_state()},{'ADJ' if cell.adjusted else 'PEND'}",
            ),
        ]

    def _main_state(self) -> str:
        return "ON" if self._cell.switched_on else "OFF"

    # ---- CONFigure:LTE

    def _cell_settings(self) -> list[Command]:
        settings = self._settings
        return [
            Command(f"{_CELL}:MCC", self._whole("mcc", 0, 999), lambda: str(settings("mcc"))),
            Command(f"{_CELL}:MNC", self._set_mnc, lambda: str(settings("mnc"))),
            Command(f"{_CELL}:MNC:DIGits", self._set_mnc_digits, self._mnc_digits),
            Command(f"{_CELL}:TAC", self._whole("tac", 0, 0xFFFF), lambda: str(settings("tac"))),
            Command(
                f"{_CELL}[:PCC]:CID:EUTRan",
                self._whole("eci", 0, (1 << ECI_BITS) - 1),
                lambda: f"#B{settings('eci'):0{ECI_BITS}b}",
            ),
            Command(
                f"{_CELL}[:PCC]:PCID",
                self._whole("physical_id", 0, 503),
                lambda: str(settings("physical_id")),
            ),
            Command(
                "CONFigure:LTE:SIGNaling<1>[:PCC]:BAND",
                self._set("band", lambda text: a_choice(text, [f"OB{n}" for n in range(1, 72)])),
                lambda: str(settings("band")),
            ),
            Command(
                "CONFigure:LTE:SIGNaling<1>:RFSettings[:PCC]:CHANnel:DL",
                self._whole("channel", 0, 262143),
                lambda: str(settings("channel")),
            ),
            Command(
                f"{_CELL}:BANDwidth[:PCC]:DL",
                self._set("bandwidth", lambda text: a_choice(text, _BANDWIDTHS)),
                lambda: str(settings("bandwidth")),
            ),
            Command(
                "CONFigure:LTE:SIGNaling<1>:DL[:PCC]:RSEPre:LEVel",
                self._set("power_dbm", lambda text: a_number(text, -150.0, 0.0)),
                lambda: f"{settings('power_dbm'):.6E}",
            ),
            Command(f"{_CELL}:RCAuse:ATTach", self._set_cause, self._cause),
        ]

    def _settings(self, name: str) -> Any:
        return getattr(self._cell.settings, name)

    def _set(self, name: str, convert: Callable[[str], Any]) -> Callable[[tuple[str, ...]], None]:
        return lambda values: self._cell.configure(**{name: convert(values[0])})

    def _whole(self, name: str, low: int, high: int) -> Callable[[tuple[str, ...]], None]:
        return self._set(name, lambda text: an_integer(text, low, high))

    def _set_mnc(self, values: tuple[str, ...]) -> None:
        limit = 10 ** self._settings("mnc_digits") - 1
        self._cell.configure(mnc=an_integer(values[0], 0, limit))

    def _set_mnc_digits(self, values: tuple[str, ...]) -> None:
        digits = 2 if a_choice(values[0], ("TWO", "THRee")) == "TWO" else 3
        if self._settings("mnc") >= 10**digits:
            raise ScpiError(-221, f"MNC {self._settings('mnc')} has three digits")
        self._cell.configure(mnc_digits=digits)

    def _mnc_digits(self) -> str:
        return "TWO" if self._settings("mnc_digits") == 2 else "THR"

    def _set_cause(self, values: tuple[str, ...]) -> None:
        name = a_choice(values[0], (*_CAUSES, "ON", "OFF"))
        self._last_cause = _CAUSES.get(name, self._last_cause)
        self._cell.configure(reject_cause=None if name == "OFF" else self._last_cause)

    def _cause(self) -> str:
        cause = self._settings("reject_cause")
        return "OFF" if cause is None else next(name for name, number in _CAUSES.items() if number == cause)

    # ---- FETCh, SENSe, CALL

    def _connection(self) -> list[Command]:
        cell = self._cell
        return [
            Command("FETCh:LTE:SIGNaling<1>:PSWitched:STATe", read=lambda: cell.packet_state.value),
            Command("SENSe:LTE:SIGNaling<1>:RRCState", read=lambda: "CONN" if cell.rrc_connected else "IDLE"),
            Command(f"{_UE}:IMSI", read=lambda: self._of_ue(lambda ue: ue.imsi)),
            Command(f"{_UE}:IMEI", read=lambda: self._of_ue(lambda ue: ue.imei)),
            Command(f"{_UE}:UEADdress:IPV4", read=lambda: self._of_ue(lambda ue: ue.ipv4)),
            Command(f"{_UE}:UEADdress:IPV6", read=lambda: self._of_ue(lambda ue: ue.ipv6)),
            Command("CALL:LTE:SIGNaling<1>:PSWitched:ACTion", write=self._act),
        ]

    def _of_ue(self, value: Callable[[Ue], str]) -> str:
        ue = self._cell.ue
        return f'"{value(ue)}"' if ue else NOT_AVAILABLE

    def _act(self, values: tuple[str, ...]) -> None:
        actions = {
            "CONNect": self._cell.connect,
            "DISConnect": self._cell.disconnect,
            "DETach": self._cell.detach,
        }
        wanted = a_choice(values[0], tuple(actions))
        perform = next(call for name, call in actions.items() if short_form(name) == wanted)
        if not perform():
            raise ScpiError(-221, f"no handset attached: {wanted}")

    # ---- DATA:CONTrol:IMS

    def _ims(self) -> list[Command]:
        return [
            Command(
                f"{_IMS}:SUSage",
                self._set("external_ims", lambda text: a_choice(text, ("INTernal", "EXTernal")) == "EXT"),
                lambda: "EXT" if self._settings("external_ims") else "INT",
            ),
            self._pcscf("IPVFour", "pcscf_ipv4", ipaddress.IPv4Address),
            self._pcscf("IPVSix", "pcscf_ipv6", ipaddress.IPv6Address),
            Command("SENSe:DATA:CONTrol:IMS<2>:MOBile<1>:STATus", read=self._mobile_status),
        ]

    def _pcscf(
        self, node: str, name: str, kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]
    ) -> Command:
        return Command(
            f"{_IMS}:EXTern:PCSCf:ADDRess:{node}",
            write=self._set(name, lambda text: _an_address(text, kind)),
            read=lambda: f'"{self._settings(name)}"',
        )

    def _mobile_status(self) -> str:
        ue = self._cell.ue
        return "REG" if ue and ue.ims_registered else "UNR"


def _an_address(text: str, kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]) -> str:
    """An address as a quoted string; an empty string takes it away."""
    value = a_string(text)
    try:
        return str(kind(value)) if value else ""
    except ValueError:
        raise ScpiError(-224, value) from None
